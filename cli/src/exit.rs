//! How a command ends: the exit codes that scripts rely on, and the failure that a person reads.

use lineman_common::error::{ErrorCode, Problem};
use lineman_common::printable::escape;
use lineman_common::statement::Refused;
use serde_json::json;

use crate::client::ClientError;

/// The exit codes; `lineman help exit-codes` prints this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    SignIn = 4,
    Forbidden = 5,
    Conflict = 6,
    Unreachable = 7,
    CheckFailed = 8,
    Interrupted = 130,
}

impl Exit {
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Done, "done"),
        (Self::Failed, "failed, for a reason that none of the others says"),
        (Self::Usage, "usage: an argument is missing or wrong"),
        (Self::NotFound, "not found, or not for you to know of"),
        (Self::SignIn, "authentication needed: no token, or one that is not valid any more"),
        (Self::Forbidden, "forbidden, or no consent"),
        (Self::Conflict, "conflict: the thing is in a state that doesn't allow this"),
        (Self::Unreachable, "the server can't be reached"),
        (Self::CheckFailed, "a clock is breached, or a check failed: something was verified and is not right"),
        (Self::Interrupted, "interrupted"),
    ];

    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The table, for help.
    pub fn table() -> String {
        Self::ALL.iter().fold(String::new(), |table, (exit, text)| table + &format!("  {:>3}  {text}\n", exit.code()))
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A command that did not do what it was asked: what was wrong, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    pub exit: Exit,
    pub what: String,
    pub hint: Option<String>,
    /// The server's code and request id, when the server said no.
    pub code: Option<ErrorCode>,
    pub request_id: Option<String>,
}

/// What every command answers.
pub type Outcome = Result<Exit, Failure>;

impl Failure {
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), hint: None, code: None, request_id: None }
    }

    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// For people: one paragraph, everything from outside escaped.
    pub fn text(&self) -> String {
        let mut text = format!("error: {}", escape(&self.what));
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\nhint: {}", escape(hint)));
        }
        if let Some(id) = &self.request_id {
            text.push_str(&format!("\nrequest id: {}", escape(id)));
        }
        text
    }

    /// For programs: one line.
    pub fn json(&self) -> String {
        let Self { exit, what, hint, code, request_id } = self;
        json!({"error": {"exit": exit.code(), "title": what, "hint": hint, "code": code, "request_id": request_id}}).to_string()
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let what = error.to_string();
        match error {
            ClientError::Problem(problem) => (*problem).into(),
            ClientError::Unreachable { check, .. } => Self::new(Exit::Unreachable, what).hint(check),
            ClientError::Address { .. } | ClientError::Path(_) | ClientError::Token => Self::usage(what),
            ClientError::Ca(_) => Self::failed(what).hint("it is the `ca.pem` that `lineman-server init` made"),
            ClientError::NotLineman { .. } => {
                Self::failed(what).hint("is this the address of a Lineman server, and not of something else?")
            }
            ClientError::Reply(_) => {
                Self::failed(what).hint("client and server may be of very different versions: compare `lineman version`")
            }
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let Problem { code, title, request_id, hint, .. } = problem;
        let exit = match code {
            ErrorCode::NotFound => Exit::NotFound,
            ErrorCode::Unauthenticated | ErrorCode::SecondFactor => Exit::SignIn,
            ErrorCode::Forbidden | ErrorCode::StatementRefused | ErrorCode::AgentRefused => Exit::Forbidden,
            ErrorCode::Conflict | ErrorCode::PreconditionFailed => Exit::Conflict,
            ErrorCode::Unavailable => Exit::Unreachable,
            ErrorCode::BadRequest
            | ErrorCode::MethodNotAllowed
            | ErrorCode::TooLarge
            | ErrorCode::PreconditionRequired
            | ErrorCode::UnsupportedMediaType
            | ErrorCode::Invalid
            | ErrorCode::RateLimited
            | ErrorCode::Internal
            | ErrorCode::AgentOffline
            | ErrorCode::AgentTimeout => Exit::Failed,
        };
        let hint = hint.or_else(|| (exit == Exit::SignIn).then(|| "lineman login --server URL --ca FILE".to_owned()));
        Self { exit, what: title, hint, code: Some(code), request_id }
    }
}

/// Something that was signed is not believed.
impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::new(Exit::CheckFailed, refused.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: ErrorCode) -> Failure {
        Problem { status: code.status(), code, title: "no \x1b[2J".into(), request_id: Some("req-1".into()), hint: None, details: None }
            .into()
    }

    #[test]
    fn every_error_code_has_its_exit_code() {
        let expected = [
            (ErrorCode::NotFound, 3),
            (ErrorCode::Unauthenticated, 4),
            (ErrorCode::Forbidden, 5),
            (ErrorCode::Conflict, 6),
            (ErrorCode::Unavailable, 7),
            (ErrorCode::Invalid, 1),
        ];
        for (code, exit) in expected {
            assert_eq!(problem(code).exit.code(), exit, "{code}");
        }
    }

    #[test]
    fn what_the_server_says_can_not_act_on_the_terminal() {
        assert_eq!(problem(ErrorCode::Forbidden).text(), "error: no \\u{1b}[2J\nrequest id: req-1");
        let json: serde_json::Value = serde_json::from_str(&problem(ErrorCode::Forbidden).json()).unwrap();
        assert_eq!((json["error"]["exit"].as_u64(), json["error"]["code"].as_str()), (Some(5), Some("forbidden")));
    }

    #[test]
    fn the_table_names_every_code_once() {
        let codes: std::collections::BTreeSet<_> = Exit::ALL.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 130]);
    }
}

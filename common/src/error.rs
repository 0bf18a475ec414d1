//! Errors as they cross the wire: RFC 9457 problem documents with a closed set of codes.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a {kind}: expected one of {known}")]
pub struct UnknownWord {
    kind: String,
    text: String,
    known: String,
}

impl UnknownWord {
    /// `kind` is the type's name, `ProbableCause`; people read "probable cause".
    pub fn new(kind: &str, text: &str, known: &[&str]) -> Self {
        let mut words = String::with_capacity(kind.len() + 4);
        for c in kind.chars() {
            if c.is_ascii_uppercase() && !words.is_empty() {
                words.push(' ');
            }
            words.push(c.to_ascii_lowercase());
        }
        Self { kind: words, text: crate::printable::escape(&text.chars().take(64).collect::<String>()), known: known.join(", ") }
    }
}

words! {
    /// What went wrong, for programs. Part of the API's contract: codes are added, never renamed.
    pub enum ErrorCode {
        /// 400: the request can't be read.
        BadRequest = "bad_request",
        /// 401: no credentials, or wrong ones.
        Unauthenticated = "unauthenticated",
        /// 401: the password is right, and a one-time code is needed beside it.
        SecondFactor = "second_factor",
        /// 403: known, but not allowed to do this.
        Forbidden = "forbidden",
        /// 404: no such thing, or none that the caller may know of.
        NotFound = "not_found",
        /// 405: the path exists, the method doesn't.
        MethodNotAllowed = "method_not_allowed",
        /// 409: the thing is in a state that doesn't allow this.
        Conflict = "conflict",
        /// 412: the thing is not any more what the caller saw; `details` has both texts.
        PreconditionFailed = "precondition_failed",
        /// 428: this route wants `If-Match`, so that nobody writes over what somebody else just wrote.
        PreconditionRequired = "precondition_required",
        /// 413: the body is larger than the route takes.
        TooLarge = "too_large",
        /// 415: the body is not JSON.
        UnsupportedMediaType = "unsupported_media_type",
        /// 422: the request can be read, but a value in it is wrong.
        Invalid = "invalid",
        /// 422: a signed statement does not verify.
        StatementRefused = "statement_refused",
        /// 429: too many tries; `retry-after` says when.
        RateLimited = "rate_limited",
        /// 500: our fault; the request id finds it in the log.
        Internal = "internal",
        /// 503: the device's agent is not connected.
        AgentOffline = "agent_offline",
        /// 503: the device's agent took the order, and said no.
        AgentRefused = "agent_refused",
        /// 504: the device's agent did not answer in time.
        AgentTimeout = "agent_timeout",
        /// 503: the server is shutting down or overloaded.
        Unavailable = "unavailable",
    }
}

impl ErrorCode {
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated | Self::SecondFactor => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid | Self::StatementRefused => 422,
            Self::PreconditionRequired => 428,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::AgentOffline | Self::AgentRefused | Self::Unavailable => 503,
            Self::AgentTimeout => 504,
        }
    }
}

/// An RFC 9457 problem document, `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The HTTP status, again.
    pub status: u16,
    pub code: ErrorCode,
    /// What was wrong and what would be right, for people.
    pub title: String,
    /// Finds this request in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What else to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Particulars for programs; their shape depends on the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "api", schema(value_type = Option<Object>))]
    pub details: Option<serde_json::Value>,
}

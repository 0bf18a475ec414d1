//! Events: the lines of a chunk's body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::session::Door;

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Since the session's start.
    pub seconds: f64,
    /// Counted from 0 in the order of opening.
    pub channel: u32,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// From the engineer.
    Input,
    /// To the engineer: a terminal's output, or a command's stdout.
    Output,
    /// A command's stderr.
    Stderr,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Open(Opened),
    Bytes(Flow, Vec<u8>),
    Resize {
        cols: u32,
        rows: u32,
    },
    /// An SFTP operation.
    Sftp(SftpOperation),
    /// From here on this flow is only counted and hashed.
    Truncated(Flow),
    /// The whole flow's length and hash, when it was truncated.
    Total {
        flow: Flow,
        bytes: u64,
        sha256: String,
    },
    Exit {
        status: Option<u32>,
        signal: Option<String>,
    },
    Note(String),
    /// A code that this program does not know; kept for those that do.
    Other(String, Value),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    pub door: Door,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<Terminal>,
    /// Where a forward leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    pub term: String,
    pub cols: u32,
    pub rows: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SftpOperation {
    /// `open-read`, `open-write` when a file is opened, and `read`, `write` when it is closed or cut off; `list`, `remove`,
    /// `rename`, `mkdir`, `rmdir`, `setstat`, `symlink`, `link`, `copy`.
    pub op: String,
    pub path: String,
    /// Target of a rename or link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Bytes transferred, and their hash when they came in order from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// `ok`, or why not.
    pub result: String,
}

impl Flow {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Stderr => "stderr",
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Input => "i",
            Self::Output => "o",
            Self::Stderr => "e",
        }
    }

    fn from_code(code: &str) -> Option<Self> {
        [Self::Input, Self::Output, Self::Stderr].into_iter().find(|flow| flow.code() == code)
    }
}

/// The remark in the end record of a session whose agent was killed: chunks are written at least every second, and what came after
/// the last one is not in the recording.
pub const CUT: &str = "the agent was killed: up to a second before that may be missing; this end was signed at its next start";

impl Event {
    /// The event's line, without a line end. Bytes that are not UTF-8 are base64 under a doubled code.
    pub fn to_line(&self) -> String {
        let (code, data) = match &self.what {
            What::Open(opened) => ("open".to_owned(), json!(opened)),
            What::Bytes(flow, bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => (flow.code().to_owned(), json!(text)),
                Err(_) => (flow.code().repeat(2), json!(STANDARD.encode(bytes))),
            },
            What::Resize { cols, rows } => ("r".to_owned(), json!(format!("{cols}x{rows}"))),
            What::Sftp(operation) => ("sftp".to_owned(), json!(operation)),
            What::Truncated(flow) => ("truncated".to_owned(), json!(flow.code())),
            What::Total { flow, bytes, sha256 } => ("total".to_owned(), json!({"flow": flow.code(), "bytes": bytes, "sha256": sha256})),
            What::Exit { status, signal } => ("exit".to_owned(), json!({"status": status, "signal": signal})),
            What::Note(text) => ("note".to_owned(), json!(text)),
            What::Other(code, data) => (code.clone(), data.clone()),
        };
        json!([round6(self.seconds), self.channel, code, data]).to_string()
    }

    /// Reads an event's line; `None` when it is none.
    pub fn from_line(line: &str) -> Option<Self> {
        let (seconds, channel, code, data): (f64, u32, String, Value) = serde_json::from_str(line).ok()?;
        let what = match code.as_str() {
            "open" => What::Open(serde_json::from_value(data).ok()?),
            "i" | "o" | "e" => What::Bytes(Flow::from_code(&code)?, data.as_str()?.as_bytes().to_vec()),
            "ii" | "oo" | "ee" => What::Bytes(Flow::from_code(&code[..1])?, STANDARD.decode(data.as_str()?).ok()?),
            "r" => {
                let (cols, rows) = data.as_str()?.split_once('x')?;
                What::Resize { cols: cols.parse().ok()?, rows: rows.parse().ok()? }
            }
            "sftp" => What::Sftp(serde_json::from_value(data).ok()?),
            "truncated" => What::Truncated(Flow::from_code(data.as_str()?)?),
            "total" => What::Total {
                flow: Flow::from_code(data["flow"].as_str()?)?,
                bytes: data["bytes"].as_u64()?,
                sha256: data["sha256"].as_str()?.to_owned(),
            },
            "exit" => What::Exit {
                status: data["status"].as_u64().and_then(|status| u32::try_from(status).ok()),
                signal: data["signal"].as_str().map(str::to_owned),
            },
            "note" => What::Note(data.as_str()?.to_owned()),
            _ => What::Other(code, data),
        };
        Some(Self { seconds, channel, what })
    }
}

pub(super) fn round6(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_back_even_when_they_are_not_text() {
        for what in [
            What::Bytes(Flow::Output, vec![0xff, 0x00]),
            What::Bytes(Flow::Input, "风扇".into()),
            What::Resize { cols: 80, rows: 24 },
            What::Exit { status: Some(7), signal: None },
            What::Note("5 minutes left".into()),
            What::Truncated(Flow::Stderr),
            What::Total { flow: Flow::Output, bytes: 1 << 40, sha256: "x".into() },
            What::Other("future".into(), json!(1)),
        ] {
            let event = Event { seconds: 1.25, channel: 3, what };
            assert_eq!(Event::from_line(&event.to_line()), Some(event));
        }
    }
}

//! Chunks: the lines of a recording file, and what the first and the last one say.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::id::{ConsentId, SessionId};
use crate::name::{NeName, PersonName};
use crate::session::{EndReason, Grade};
use crate::statement::Signed;

/// One line of a recording file.
pub type Chunk = Signed;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkHeader {
    #[serde(rename = "lineman-recording")]
    pub version: u32,
    pub session: SessionId,
    /// Counted from 0.
    pub chunk: u64,
    /// SHA-256 of the body of the chunk before; 64 zeros in the first.
    pub prev: String,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind: Option<Bind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndReason>,
}

/// What the first chunk binds the recording to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    pub device: NeName,
    pub consent: ConsentId,
    pub grade: Grade,
    pub request_sha256: String,
    /// Hashes of what let the engineer in: consents, standing statements, or the local statement of a break-glass approval.
    pub consents_sha256: Vec<String>,
    pub engineer: PersonName,
    pub engineer_key: String,
    pub host_key: String,
    pub account: String,
    pub started: Timestamp,
}

pub const FIRST_PREV: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A chunk's body: header line and event lines.
pub fn body(header: &ChunkHeader, events: &[String]) -> String {
    let mut text = json!(header).to_string();
    text.push('\n');
    for event in events {
        text.push_str(event);
        text.push('\n');
    }
    text
}

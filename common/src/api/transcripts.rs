//! What people read of a recording.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;

/// `GET /api/v1/sessions/{id}/transcript`: what was printed, line by line, as far as the recording was read. Derived by the centre; it
/// proves nothing.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TranscriptPage {
    pub items: Vec<TranscriptLine>,
    /// Pass it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Chunks of the recording that were read: each follows from the one before.
    pub chunks: u64,
    /// Why nothing more is read: the end record, or what is wrong with the chunk after these. Absent while more may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Printable>,
    /// The end record was read: the recording's chain is whole.
    pub whole: bool,
}

/// A line as a terminal showed it; a command as `$ COMMAND`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TranscriptLine {
    pub channel: u32,
    /// When it was complete, since the session's start.
    pub seconds: f64,
    pub line: Printable,
}

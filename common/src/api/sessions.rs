use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::id::{ConsentId, SessionId};
use crate::link::SessionSummary;
use crate::name::{FaultNumber, NeName, PersonName};
use crate::session::EndReason;

words! {
    pub enum SessionState {
        Live = "live",
        Ended = "ended",
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Session {
    pub id: SessionId,
    pub state: SessionState,
    pub consent: ConsentId,
    pub fault: FaultNumber,
    pub device: NeName,
    pub engineer: PersonName,
    /// The Unix account on the device.
    pub account: String,
    pub started_at: Timestamp,
    /// What K4 waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<EndReason>,
    /// Chunks of the recording stored so far, and how many the device says there are.
    pub chunks_stored: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<SessionSummary>,
}

/// A way to a device for the engineer's own `ssh`, to be opened now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    pub device: NeName,
    /// Which of the engineer's consents is meant; without it, one that is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentId>,
}

/// The device has said yes, and waits at the other end.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// Shown once, within 15 s, on a plain TCP connection to the API's own port: `LINEMAN-LINE/1 TICKET`. After the answer
    /// `LINEMAN-LINE/1 OK` the connection is the device's SSH, end to end.
    pub ticket: String,
}

/// `GET /api/v1/sessions/{id}/recording`: the chunks stored so far, and what it takes to verify them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecordingReply {
    pub session: Session,
    /// The recording's lines, as the device signed them.
    pub recording: String,
    /// There is more: pass it as `from` to get the chunks from this number on. Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Proves the host key that signs.
    pub device_statement: crate::statement::Signed,
}

/// `GET /api/v1/customers/{code}/recordings`: the room that a customer's recordings take, and may take.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecordingUse {
    pub stored_bytes: u64,
    pub quota_bytes: u64,
    /// Since when devices wait with their recordings, because there is no room for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_since: Option<Timestamp>,
}

/// `PUT /api/v1/customers/{code}/recordings`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecordingQuota {
    pub quota_bytes: u64,
}

/// A line of a recording's transcript that `GET /api/v1/sessions/grep` found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GrepHit {
    pub session: SessionId,
    pub fault: FaultNumber,
    pub device: NeName,
    pub engineer: PersonName,
    pub channel: u32,
    /// Since the session's start.
    pub seconds: f64,
    pub at: Timestamp,
    pub line: Printable,
}

/// `GET /api/v1/sessions/{id}/keyframes`: what a channel's terminal showed at some moments, for seeking.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Keyframe {
    pub channel: u32,
    /// Since the session's start.
    pub seconds: f64,
    /// Chunks of the recording up to and with this moment.
    pub chunks: u64,
    /// Events of the last of these chunks that it covers.
    pub events: u32,
    pub cols: u16,
    pub rows: u16,
    /// Escape sequences that draw it on an empty terminal of that size.
    pub screen: String,
}

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

/// `GET /api/v1/sessions/{id}/recording`: the chunks stored so far, and what it takes to verify them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecordingReply {
    pub session: Session,
    /// The recording's lines, as the device signed them.
    pub recording: String,
    /// Proves the host key that signs.
    pub device_statement: crate::statement::Signed,
}

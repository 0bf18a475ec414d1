//! The shapes of the HTTP API, shared by the server and every client.
//!
//! Times are RFC 3339 in UTC, durations and sizes carry their unit in the name, enums are fixed words. Requests refuse unknown
//! fields, so that a misspelt one is an error and not silence; replies may grow new fields.

mod alarms;
mod cases;
mod consents;
mod customers;
mod equipment;
mod faults;
mod offices;
mod notices;
mod people;
mod reports;
mod rows;
mod sessions;
mod system;
mod terminals;
mod transcripts;
mod views;
mod walls;

pub use alarms::*;
pub use cases::*;
pub use consents::*;
pub use customers::*;
pub use equipment::*;
pub use faults::*;
pub use notices::*;
pub use offices::*;
pub use people::*;
pub use reports::*;
pub use rows::*;
pub use sessions::*;
pub use system::*;
pub use terminals::*;
pub use transcripts::*;
pub use views::*;
pub use walls::*;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// Pass it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A list of which there is only one page.
impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// `GET /healthz`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Healthz {
    /// `ok`, or `failing`.
    pub status: String,
    pub version: String,
    /// For the support centre's people only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents_online: Option<u32>,
    /// For the support centre's people only: is every case in use in the index that searches are answered from?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_index: Option<CaseIndexState>,
}

/// One event of the append-only log, as `GET /api/v1/events` streams it and fault timelines list it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Also the SSE event id: resume with `Last-Event-ID`. The support centre's people see the place in the whole log, a
    /// carrier's people the place among their own events.
    pub seq: u64,
    /// Dotted, like `fault.accepted`.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<crate::name::FaultNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<crate::name::NeName>,
    /// A person's name, `agent:NE`, or `system`.
    pub actor: String,
    /// When it happened, as claimed.
    pub occurred_at: jiff::Timestamp,
    /// When the server stored it.
    pub recorded_at: jiff::Timestamp,
    /// One line for people.
    pub text: crate::Printable,
    /// The particulars; their shape depends on the kind.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    /// Among the support centre's people; a customer's people don't see it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub internal: bool,
}

/// `GET /api/v1/audit/chain`: does the log's hash chain hold?
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChainCheck {
    pub customer: Option<crate::name::CustomerCode>,
    pub events: u64,
    /// Hash of the newest link.
    pub head: String,
    /// Sequence of the first event that does not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<u64>,
}

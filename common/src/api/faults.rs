use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Alarm, CaseHit};
use crate::Printable;
use crate::alarm::Severity;
use crate::fault::{Channel, FaultStatus, Impact, PendingReason};
use crate::id::FaultId;
use crate::name::{CaseNumber, CustomerCode, FaultNumber, NeName, PersonName};

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    pub id: FaultId,
    pub number: FaultNumber,
    pub customer: CustomerCode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<NeName>,
    pub title: Printable,
    pub description: Printable,
    pub severity: Severity,
    pub impact: Impact,
    pub status: FaultStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_reason: Option<PendingReason>,
    /// The responsible person; never empty once the fault is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonName>,
    /// A person's name, or `agent:NE`.
    pub reported_by: String,
    pub reported_at: Timestamp,
    pub updated_at: Timestamp,
    /// All its alarms have cleared: somebody should say whether service is restored.
    pub proposes_restored: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<FaultNumber>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    pub channel: Channel,
    /// The final cause; the diagnosed one when absent.
    #[serde(default)]
    pub cause: Option<Printable>,
    pub note: Printable,
}

/// `GET /api/v1/faults/{number}`: the fault with its evidence.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FaultPage {
    #[serde(flatten)]
    pub fault: Fault,
    pub alarms: Vec<Alarm>,
    pub clocks: Vec<Clock>,
    pub timeline: Vec<super::Event>,
    pub similar: Vec<CaseHit>,
}

/// `POST /api/v1/faults`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFault {
    /// Without it `customer` is needed.
    #[serde(default)]
    pub equipment: Option<NeName>,
    #[serde(default)]
    pub customer: Option<CustomerCode>,
    /// The symptom, in a line.
    pub title: Printable,
    #[serde(default)]
    pub description: Printable,
    pub impact: Impact,
    /// When it began, if it was not just now.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    pub to: PersonName,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    pub text: Printable,
    /// A reply that the customer sees, or a note among the support centre's people.
    #[serde(default)]
    pub internal: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pend {
    pub reason: PendingReason,
    #[serde(default)]
    pub note: Printable,
}

/// What the engineer found, and what is to be done: stops clock K5.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    pub cause: Printable,
    pub plan: Printable,
}

/// The linked alarms must be cleared, or `waiver` says why service is restored all the same.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    #[serde(default)]
    pub waiver: Option<Printable>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    #[serde(default)]
    pub reason: Printable,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// Draft a case from this fault.
    #[serde(default)]
    pub publish_case: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Closed {
    pub fault: Fault,
    /// The drafted case, waiting for review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseNumber>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    pub of: FaultNumber,
}

words! {
    pub enum ClockState {
        NotStarted = "not_started",
        Running = "running",
        Paused = "paused",
        Met = "met",
        Breached = "breached",
        /// It ended and had no target.
        Done = "done",
        /// The fault ended before it did.
        Void = "void",
    }
}

/// One of the clocks K1 to K7, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Clock {
    /// `K1` to `K7`.
    pub name: String,
    /// `accept`, `respond`, `consent_wait`, `session`, `diagnosis`, `restore`, `resolve`.
    pub what: String,
    pub state: ClockState,
    /// Also true while it still runs: a breach once recorded stays.
    pub breached: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_s: Option<u32>,
    /// Running time so far, pauses left out.
    pub elapsed_s: u64,
    /// When the target is reached if nothing pauses it; only while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Timestamp>,
    pub intervals: Vec<Interval>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    pub from: Timestamp,
    /// Absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Does it count?
    pub counted: bool,
    /// `running`, or what paused the clock.
    pub why: String,
}

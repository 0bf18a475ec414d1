//! Rows of lists that can be searched, and the page that they come on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ClockState, ConsentState, Equipment, Fault, Session};
use crate::Printable;
use crate::alarm::Severity;
use crate::session::Grade;

/// A page of a list that can be searched with `q`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// Pass it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many fit, on all pages together; on the first page only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// At least so many fit: more than are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_at_least: Option<u64>,
    /// Where free words were looked for, like `number`, `title`, `notes`.
    #[serde(default)]
    pub searched: Vec<String>,
    /// Not everything is in the text index yet: free words may find less than there is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// By the server's clock: what durations like `due:<10m` were held against.
    pub as_of: Timestamp,
}

impl<T> Listing<T> {
    pub fn empty(as_of: Timestamp) -> Self {
        Self { items: Vec::new(), next: None, total: None, total_at_least: None, searched: Vec::new(), incomplete: false, as_of }
    }
}

impl<T> From<Listing<T>> for super::List<T> {
    fn from(listing: Listing<T>) -> Self {
        Self { items: listing.items, next: listing.next }
    }
}

words! {
    pub enum FaultSort {
        /// The newest first.
        Newest = "newest",
        Oldest = "oldest",
        /// The least net time left first: what has missed its target before all, what has no clock running last.
        Left = "left",
        /// The worst first.
        Severity = "severity",
        /// The last to change first.
        Updated = "updated",
    }
}

words! {
    pub enum EquipmentSort {
        Name = "name",
        /// The worst raised alarm first.
        Worst = "worst",
        /// The most open faults first.
        Faults = "faults",
    }
}

/// A fault as lists show it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FaultRow {
    #[serde(flatten)]
    pub fault: Fault,
    pub customer_name: Printable,
    /// The customer's service tier today.
    pub tier: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Printable>,
    /// Clocks that have begun and not ended, and have a target: the least left first.
    pub clocks: Vec<RowClock>,
    /// Some clock of it has missed its target, also if it has ended since.
    pub breached: bool,
    /// The worst alarm of the fault that is raised, with its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// How many reports of it there were: alarms and faults that joined it, and itself.
    pub repeats: u32,
    /// Of the newest consent for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentState>,
    /// Engineers that are inside for it.
    pub live_sessions: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastActivity>,
}

/// A clock that runs or is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowClock {
    /// `K1` to `K7`.
    pub name: String,
    pub what: String,
    /// `running`, `paused` or `breached`.
    pub state: ClockState,
    pub target_s: u32,
    /// Net time to the target when the answer was made; negative once it is missed. It stands still while the clock is paused.
    pub left_s: i64,
    /// When the target is reached if it goes on as now; absent while something other than the calendar holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Timestamp>,
    /// What holds it, like `consent wait` or `pending: customer`, or the calendar's rule that shuts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<String>,
}

/// What an alarm measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trigger {
    pub severity: Severity,
    pub text: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Printable>,
    /// Alarms of the fault that are raised.
    pub raised: u32,
}

/// The newest thing that somebody did or said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastActivity {
    /// A person's name, `agent:NE`, or `system`.
    pub who: String,
    pub at: Timestamp,
    /// The event's kind, like `fault.note`.
    pub kind: String,
    /// The beginning of it, at most 120 characters.
    pub text: Printable,
}

/// Equipment as lists show it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EquipmentRow {
    #[serde(flatten)]
    pub equipment: Equipment,
    pub customer_name: Printable,
    pub online: bool,
    /// Of its raised alarms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<Severity>,
    /// The worst raised alarm, with its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
}

words! {
    pub enum RecordingState {
        /// All chunks that the device says there are, are stored.
        Whole = "whole",
        /// The session is live, or the rest is on its way.
        Arriving = "arriving",
        /// The session is over, and nothing of its recording is stored.
        Missing = "missing",
    }
}

/// A session as lists show it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionRow {
    #[serde(flatten)]
    pub session: Session,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    /// Of the fault.
    pub title: Printable,
    pub site: Printable,
    pub product: Printable,
    pub model: Printable,
    /// Until when the consent lets in, by the device's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_until: Option<Timestamp>,
    /// Who has watched or fetched the recording in the last 15 minutes; a carrier's people see `support` for everybody at the
    /// support centre.
    pub watchers: Vec<String>,
    pub recording: RecordingState,
}

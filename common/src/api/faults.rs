use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Alarm, CaseHit};
use crate::Printable;
use crate::alarm::Severity;
use crate::fault::{ActivityKind, ActivityState, Channel, Doing, FaultKind, FaultStatus, Impact, LinkKind, PendingReason, ProblemState};
use crate::id::{AttachmentId, FaultId, ProblemId};
use crate::name::{CaseNumber, CustomerCode, FaultNumber, NeName, PersonName, ProblemNumber};

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    pub id: FaultId,
    pub number: FaultNumber,
    pub customer: CustomerCode,
    #[serde(default)]
    pub kind: FaultKind,
    /// Raised by every change that the caller may see; also the `ETag`.
    #[serde(default)]
    pub version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<NeName>,
    pub title: Printable,
    pub description: Printable,
    /// The customer's own ticket number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_reference: Option<Printable>,
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
    pub resolved_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<FaultNumber>,
    /// The problem that it is one of many faults of; for the support centre's people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<ProblemNumber>,
    /// What was taken, and should be looked at all the same: told once, in the answer to the change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Printable>,
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
    /// Open faults of the same customer that may be the same, the likeliest first: what was offered when it was filed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<super::OpenDuplicate>,
    #[serde(flatten)]
    pub around: FaultAround,
}

/// What belongs to a fault besides its evidence.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct FaultAround {
    /// What happens or happened meanwhile, oldest first.
    #[serde(default)]
    pub activities: Vec<Activity>,
    /// Its own, and those of faults that were merged into it.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    #[serde(default)]
    pub links: Vec<FaultLink>,
    /// Faults that were merged into it.
    #[serde(default)]
    pub merged: Vec<FaultNumber>,
    /// When it closes by itself, if it is resolved and nobody reopens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Timestamp>,
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
    #[serde(default)]
    pub kind: FaultKind,
    /// The customer's own ticket number.
    #[serde(default)]
    pub customer_reference: Option<Printable>,
}

/// `PATCH /api/v1/faults/{number}`, under `If-Match`: what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditFault {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Printable>,
    /// An empty text takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_reference: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Impact>,
    /// For the support centre's people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// For the support centre's people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<FaultKind>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    pub to: PersonName,
    /// Why it is handed over.
    #[serde(default)]
    pub why: Printable,
    /// What is open, for the one who takes over.
    #[serde(default)]
    pub open: Printable,
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

/// Several faults are one: those named become duplicates of the fault in the path, and the alarms that they have move there.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// At most 100.
    pub faults: Vec<FaultNumber>,
    #[serde(default)]
    pub reason: Printable,
}

// ---- Activities, links, attachments ---------------------------------------------------------------------------------

/// Something that happens while a fault is worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    /// `act_...` of what people record; of the others the id of the consent or session, or `diagnosis-N`.
    pub id: String,
    pub kind: ActivityKind,
    pub state: ActivityState,
    /// Who it is done by.
    pub by: String,
    /// Who it is done with, or by whom on site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Printable>,
    pub text: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Printable>,
}

/// Starts a phone call, guidance of on-site staff, or a visit; with `planned_at` it is planned and starts later.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewActivity {
    /// `phone`, `guidance` or `visit`.
    pub kind: ActivityKind,
    #[serde(default)]
    pub with: Option<Printable>,
    #[serde(default)]
    pub text: Printable,
    #[serde(default)]
    pub planned_at: Option<Timestamp>,
    /// When it began, if it was not just now.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
}

/// A step of an activity.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivityChange {
    /// What came of it; why it was called off.
    #[serde(default)]
    pub outcome: Printable,
    /// When it was, if not just now.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultLink {
    pub fault: FaultNumber,
    /// How `fault` stands to `to`.
    pub kind: LinkKind,
    pub to: FaultNumber,
    /// Of the other end.
    pub status: FaultStatus,
    pub title: Printable,
    pub by: String,
    pub at: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFaultLink {
    pub kind: LinkKind,
    pub to: FaultNumber,
}

/// A file of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    pub id: AttachmentId,
    /// Where it was attached: the fault, or one that was merged into it.
    pub fault: FaultNumber,
    pub name: Printable,
    pub size_bytes: u64,
    pub sha256: String,
    /// Found in the content, not believed from the sender.
    pub media_type: String,
    /// Only for the support centre's people.
    pub internal: bool,
    pub by: String,
    pub at: Timestamp,
}

// ---- Presence -------------------------------------------------------------------------------------------------------

/// `PUT /api/v1/faults/{number}/presence`, again every ten seconds or so: forgotten after thirty.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    pub doing: Doing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Present {
    /// A name; a carrier's people see `support` for everybody at the support centre.
    pub who: String,
    pub doing: Doing,
    pub seen_at: Timestamp,
}

// ---- Closing by itself ----------------------------------------------------------------------------------------------

/// How long a resolved fault waits for a word before it closes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// Of customers of this tier; of all others when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Absent: they never close by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_s: Option<u32>,
}

// ---- Problems -------------------------------------------------------------------------------------------------------

/// One root of many faults: a batch of boards, a version of software.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemView {
    pub id: ProblemId,
    pub number: ProblemNumber,
    pub version: u64,
    pub state: ProblemState,
    pub title: Printable,
    pub description: Printable,
    /// What it is about; equipment that fits all of it matches.
    pub fits: Fits,
    pub owner: PersonName,
    pub opened_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workaround: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Faults that are attached, of all customers.
    pub faults: u32,
    pub open_faults: u32,
}

/// Which equipment a problem is about. An absent part fits everything; at least one must be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Printable>,
    /// The first serial of the batch. Shorter serials come before longer ones, those of one length by their letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_from: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_to: Option<Printable>,
    /// One of these versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub software: Vec<Printable>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProblem {
    pub title: Printable,
    #[serde(default)]
    pub description: Printable,
    #[serde(default)]
    pub fits: Fits,
    /// Faults to attach at once.
    #[serde(default)]
    pub faults: Vec<FaultNumber>,
}

/// `PATCH /api/v1/problems/{number}`, under `If-Match`: what is absent stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditProblem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fits: Option<Fits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workaround: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonName>,
}

/// Faults to attach to a problem.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachFaults {
    #[serde(default)]
    pub faults: Vec<FaultNumber>,
    /// All open faults of matching equipment that belong to no problem, too.
    #[serde(default)]
    pub matching: bool,
}

/// The root is dealt with: told to every fault that is attached and open.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProblemResolution {
    pub cause: Printable,
    /// Each customer reads this.
    pub resolution: Printable,
}

/// What a problem's description fits.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Matches {
    /// At most 1000, by name.
    pub equipment: Vec<MatchingEquipment>,
    /// Open faults of that equipment that belong to no problem, at most 1000.
    pub faults: Vec<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MatchingEquipment {
    pub name: NeName,
    pub product: Printable,
    pub model: Printable,
    pub serial: Printable,
    pub software: Printable,
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
    /// Elapsed of the target; more than 100 once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// When the target is reached if it goes on as now; absent while something other than the calendar holds it, and once it has
    /// ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Timestamp>,
    /// When it runs: `24x7`, or a calendar and the zone of the site, like `cn-office in Asia/Shanghai`.
    #[serde(default)]
    pub coverage: String,
    pub intervals: Vec<Interval>,
    /// What was said when it had used 50, 75, 90 and 100 % of its target.
    #[serde(default)]
    pub warnings: Vec<ClockWarning>,
    /// Which target held from when, oldest first; more than one when the severity, the tier or its calendar changed.
    #[serde(default)]
    pub targets: Vec<ClockTarget>,
}

/// A warning, or with 100 % the breach, as it is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClockWarning {
    pub percent: u32,
    pub target_s: u32,
    /// When the clock reached it.
    pub due_at: Timestamp,
    /// When the server said so: later than `due_at` if it was down.
    pub recorded_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClockTarget {
    pub from: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_s: Option<u32>,
    pub coverage: String,
    /// Like `tier gold, major`.
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    pub from: Timestamp,
    /// Absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Does it count?
    pub counted: bool,
    /// `running`, or what paused the clock, or the calendar's rule that shuts it.
    pub why: String,
}

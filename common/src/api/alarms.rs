use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::alarm::{EventType, OperatorState, ProbableCause, Relation, ResourceState, Severity, TimeMark, WindowState, fits};
use crate::id::{AlarmId, ProfileId, ShelfId, WindowId};
use crate::name::{CustomerCode, FaultNumber, NeName};

/// One entry of the alarm list (RFC 8632): one per equipment, type and qualifier, for life.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Alarm {
    pub id: AlarmId,
    pub equipment: NeName,
    pub alarm_type: Printable,
    pub qualifier: Printable,
    pub state: ResourceState,
    pub severity: Severity,
    pub event_type: EventType,
    pub probable_cause: ProbableCause,
    pub text: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Printable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Printable>,
    /// By the equipment's clock.
    pub raised_at: Timestamp,
    pub changed_at: Timestamp,
    /// By the server's clock.
    pub received_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_at: Option<Timestamp>,
    /// How often it was raised.
    pub count: u32,
    pub operator_state: OperatorState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_note: Option<Printable>,
    /// The newest fault that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultNumber>,
    #[serde(flatten)]
    pub marks: AlarmMarks,
}

/// What is known of an alarm besides what the equipment said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlarmMarks {
    /// What the equipment said, where a profile put another severity in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_severity: Option<Severity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_at: Option<Timestamp>,
    /// The shelf that it lies on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shelf: Option<ShelfId>,
    /// The maintenance window that covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<WindowId>,
    /// The root cause that explains it, and the rule that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed_by: Option<AlarmId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed_rule: Option<String>,
    /// It is raised and cleared so often that it says nothing new.
    #[serde(default)]
    pub flapping: bool,
    /// What the newest change's time is worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<TimeMark>,
}

/// `GET /api/v1/alarms/{id}`: the entry with its history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlarmPage {
    #[serde(flatten)]
    pub alarm: Alarm,
    /// The last 32 status changes, oldest first.
    pub changes: Vec<AlarmChange>,
    /// What operators said, oldest first.
    pub operator_changes: Vec<OperatorChange>,
    /// How many raised alarms this one explains.
    pub suppresses: u32,
    /// The root at the end of the chain, when the alarm that explains this one is explained itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<AlarmId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlarmChange {
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub state: ResourceState,
    pub severity: Severity,
    pub text: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<TimeMark>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperatorChange {
    pub at: Timestamp,
    pub state: OperatorState,
    pub by: String,
    pub why: Printable,
}

/// `POST /api/v1/alarms/{id}/acknowledgement`. The note says why; it is never empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    #[serde(default)]
    pub note: Printable,
}

/// Why something is done with alarms.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Why {
    #[serde(default)]
    pub why: Printable,
}

/// `GET /api/v1/alarms/summary`: how many entries there are of each kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AlarmSummary {
    pub raised: u64,
    pub cleared: u64,
    pub shelved: u64,
    pub rows: Vec<SummaryRow>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SummaryRow {
    pub state: ResourceState,
    pub severity: Severity,
    pub operator_state: OperatorState,
    pub shelved: bool,
    pub alarms: u64,
}

/// Which entries of the list RFC 8632's actions are about. Only cleared entries, and those that an operator closed, are ever touched.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmAction {
    #[serde(default)]
    pub customer: Option<CustomerCode>,
    /// And everything below it.
    #[serde(default)]
    pub equipment: Option<NeName>,
    #[serde(default)]
    pub severity: Option<Severity>,
    #[serde(default)]
    pub operator_state: Option<OperatorState>,
    /// Changed before this moment.
    #[serde(default)]
    pub before: Option<Timestamp>,
    /// Only say how many it would be.
    #[serde(default)]
    pub dry_run: bool,
    #[serde(default)]
    pub why: Printable,
}

/// Entries that were purged or compressed (or would have been).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlarmActionReply {
    pub alarms: u64,
}

/// Which alarms are meant. What is empty says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmPattern {
    /// Alarm types; `*` stands for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<ProbableCause>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_types: Vec<EventType>,
}

impl AlarmPattern {
    #[must_use]
    pub fn fits(&self, alarm_type: &str, cause: ProbableCause, event_type: EventType) -> bool {
        (self.types.is_empty() || self.types.iter().any(|pattern| fits(pattern, alarm_type)))
            && (self.causes.is_empty() || self.causes.contains(&cause))
            && (self.event_types.is_empty() || self.event_types.contains(&event_type))
    }
}

/// `POST /api/v1/alarm-shelves`: alarms that fit everything that is said here are put away. Their states are followed all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShelf {
    /// Whose alarms; your own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    /// On this equipment, or on anything below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<NeName>,
    /// Alarm types; `*` stands for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// The part of the equipment; `*` stands for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    /// Only up to this severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Severity>,
    /// The shelf goes by itself then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Where in the order, from 1; last when absent. The first shelf that fits takes an alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u32>,
    #[serde(default)]
    pub why: Printable,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Shelf {
    pub id: ShelfId,
    pub customer: CustomerCode,
    /// From 1; the first that fits takes an alarm.
    pub place: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<NeName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Severity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    pub why: Printable,
    pub by: String,
    pub created_at: Timestamp,
    /// Alarms that lie on it.
    pub alarms: u32,
}

/// `PUT /api/v1/alarm-shelves/order`: all shelves of a customer, in their new order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShelfOrder {
    pub shelves: Vec<ShelfId>,
    #[serde(default)]
    pub why: Printable,
}

/// `POST /api/v1/alarm-profiles`: alarms of this type count with this severity. The profile that says most applies.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAlarmProfile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    /// A product line, as equipment names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// `*` stands for anything.
    pub alarm_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    pub severity: Severity,
    #[serde(default)]
    pub why: Printable,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlarmProfile {
    pub id: ProfileId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Printable>,
    pub alarm_type: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<Printable>,
    pub severity: Severity,
    pub why: Printable,
    pub by: String,
    pub created_at: Timestamp,
}

/// `POST /api/v1/maintenance-windows`: planned work. Alarms of the equipment and of everything below it open no faults meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMaintenanceWindow {
    pub equipment: Vec<NeName>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    #[serde(default)]
    pub why: Printable,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MaintenanceWindow {
    pub id: WindowId,
    pub customer: CustomerCode,
    pub equipment: Vec<NeName>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub state: WindowState,
    pub why: Printable,
    pub by: String,
    pub created_at: Timestamp,
    /// Who ended it before its time, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_why: Option<Printable>,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleBody {
    /// A raised alarm that fits `cause`, of severity major or worse, explains alarms that fit `effect` on what hangs on its equipment.
    Suppress {
        relation: Relation,
        cause: AlarmPattern,
        effect: AlarmPattern,
        /// So long an effect waits for its cause before it opens a fault.
        #[serde(default = "default_hold_s")]
        hold_s: u32,
        /// So long an effect may outlast its cause before it opens a fault.
        #[serde(default = "default_recovery_s")]
        recovery_s: u32,
    },
    /// An alarm raised so many times within the window flaps, until it has been quiet for so long.
    Flapping { alarms: AlarmPattern, raises: u32, window_s: u32, quiet_s: u32 },
}

const fn default_hold_s() -> u32 {
    3
}

const fn default_recovery_s() -> u32 {
    10
}

/// `PUT /api/v1/alarm-rules/{name}`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAlarmRule {
    pub enabled: bool,
    /// What was there before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleBody>,
    #[serde(default)]
    pub why: Printable,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlarmRule {
    pub name: String,
    pub enabled: bool,
    pub rule: RuleBody,
    /// It comes with the server.
    pub built_in: bool,
    /// Who set it last, when and why; nobody when it is as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Printable>,
}

/// `POST /api/v1/alarm-rules/dry-run`: what a rule would have done in the last days.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRun {
    pub rule: RuleBody,
    /// 1 to 90.
    pub days: u32,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct DryRunReply {
    pub since: Option<Timestamp>,
    /// Times that an alarm was raised, as far as the rings remember.
    pub raises: u64,
    /// Of them, those that the rule would have suppressed (or that would have counted as flapping).
    pub suppressed: u64,
    /// Distinct alarms among those.
    pub alarms: u64,
    /// Faults whose every alarm would have been suppressed.
    pub faults_fewer: u64,
    /// The causes that would have explained most, with how many.
    pub roots: Vec<DryRunRoot>,
    /// There was more than could be looked at.
    pub cut_short: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DryRunRoot {
    pub alarm: AlarmId,
    pub equipment: NeName,
    pub text: Printable,
    pub suppressed: u64,
}

/// Particulars of an `alarm.batch` event: what happened to each alarm, in its order.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AlarmBatch {
    /// How many of each kind.
    pub counts: BTreeMap<String, u64>,
    pub alarms: Vec<BatchEntry>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchEntry {
    pub alarm: AlarmId,
    /// `raised`, `changed`, `cleared`.
    pub kind: String,
    pub severity: Severity,
    pub at: Timestamp,
}

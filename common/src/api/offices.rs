//! Offices, their shifts, and who works on what: the support centre's own organisation. Carriers' people see nothing of it but who is
//! inside their own devices.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Bilingual, ClockState, Event, Fault};
use crate::Printable;
use crate::alarm::Severity;
use crate::calendar::Weekday;
use crate::fault::FaultStatus;
use crate::id::{ConsentId, HandoverId, OverrideId, SessionId, SiteId, TerminalId};
use crate::name::{CustomerCode, FaultNumber, NeName, PersonName};
use crate::session::{Doors, Grade};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadOfficeText {
    #[error("an office or a shift is named with 2 to 40 characters of a-z, 0-9 and `-`, starting with a letter, like `hotline-east`")]
    Name,
    #[error("a time of day is HH:MM, like 08:30")]
    Time,
}

fn check_name(text: &str) -> Result<(), BadOfficeText> {
    let good = (2..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if good { Ok(()) } else { Err(BadOfficeText::Name) }
}

checked_text!(
    /// An office's name, for good.
    OfficeName, BadOfficeText, check_name, "hotline-east"
);

checked_text!(
    /// A shift's name, unique in its office.
    ShiftName, BadOfficeText, check_name, "night"
);

/// A time of day on the office's clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayTime(pub Time);

impl std::fmt::Display for DayTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{:02}:{:02}", self.0.hour(), self.0.minute()))
    }
}

impl std::str::FromStr for DayTime {
    type Err = BadOfficeText;
    fn from_str(text: &str) -> Result<Self, BadOfficeText> {
        let two = |part: &str| (part.len() == 2).then(|| part.parse::<i8>().ok()).flatten();
        let (hour, minute) = text.split_once(':').ok_or(BadOfficeText::Time)?;
        let (hour, minute) = (two(hour).ok_or(BadOfficeText::Time)?, two(minute).ok_or(BadOfficeText::Time)?);
        Time::new(hour, minute, 0, 0).map(Self).map_err(|_| BadOfficeText::Time)
    }
}

travels_as_text!(DayTime);
described_as_text!(DayTime, examples([serde_json::Value::from("08:30")]));

words! {
    /// Where an office stands in the support tree, lowest first.
    pub enum OfficeKind {
        /// The hotline of a region.
        Local = "local",
        /// A product line's experts.
        Subcentre = "subcentre",
        /// Acceptance and monitoring; there is one.
        Hq = "hq",
    }
}

words! {
    pub enum DutyRank {
        Primary = "primary",
        /// Called when the primary can't.
        Secondary = "secondary",
    }
}

words! {
    /// A clock of a fault.
    pub enum ClockName {
        K1 = "K1",
        K2 = "K2",
        K3 = "K3",
        K4 = "K4",
        K5 = "K5",
        K6 = "K6",
        K7 = "K7",
    }
}

/// Hours of a week on the office's clock. `to` at or before `from` is on the next day; the same time twice is a whole day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DutyHours {
    /// The days on which they begin; every day when empty.
    #[serde(default)]
    pub days: Vec<Weekday>,
    pub from: DayTime,
    pub to: DayTime,
}

/// When a clock of a fault that is with this office reaches that share of its target, the fault goes up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationStep {
    pub clock: ClockName,
    /// 50, 75, 90 or 100.
    pub percent: u8,
    /// The office above when absent; with `level` alone it stays in this office.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<OfficeName>,
    /// Of the person who is proposed then, 1 to 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
}

/// An office as it is set and as it is shown. It takes a fault by itself when the place fits (one of customers, sites, regions; any
/// place when all three are empty) and the product fits (one of its product lines; any when there are none). One that names neither
/// takes only what rules, escalation or the fallback to the hq bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Office {
    pub name: OfficeName,
    #[serde(default)]
    pub title: Printable,
    pub kind: OfficeKind,
    /// The office above. The hq has none, all others have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<OfficeName>,
    /// IANA time zone: its shifts are meant in it.
    pub zone: String,
    #[serde(default)]
    pub customers: Vec<CustomerCode>,
    #[serde(default)]
    pub sites: Vec<SiteId>,
    /// Time zones of sites, or their first parts: `Asia`, `Asia/Shanghai`.
    #[serde(default)]
    pub regions: Vec<String>,
    #[serde(default)]
    pub products: Vec<String>,
    #[serde(default)]
    pub members: Vec<PersonName>,
    /// When somebody should be on duty; always when empty.
    #[serde(default)]
    pub staffed: Vec<DutyHours>,
    /// 75 and 100 % of K1, K2, K4, K5 and K6 to the office above when absent; nothing when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Vec<EscalationStep>>,
}

/// Who works when: on each of its days from `from` to `to`, and whose turn it is. One turn is a weekly pattern, several are a rotation
/// that changes every `turn_days`, counted from `start`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    pub name: ShiftName,
    #[serde(default = "primary")]
    pub rank: DutyRank,
    /// The days on which it begins; every day when empty.
    #[serde(default)]
    pub days: Vec<Weekday>,
    pub from: DayTime,
    /// At or before `from`: on the next day.
    pub to: DayTime,
    /// The people of each turn.
    pub turns: Vec<Vec<PersonName>>,
    /// 7 when absent.
    #[serde(default = "seven")]
    pub turn_days: u16,
    /// The first day of the first turn.
    pub start: Date,
    /// The last day on which it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Date>,
}

const fn primary() -> DutyRank {
    DutyRank::Primary
}

const fn seven() -> u16 {
    7
}

words! {
    pub enum OverrideKind {
        /// `other` works in `person`'s place.
        StandIn = "stand_in",
        /// `person` and `other` work in each other's place.
        Swap = "swap",
        /// `person` works besides those who do.
        Extra = "extra",
        /// `person` does not work.
        Off = "off",
    }
}

/// `POST /api/v1/offices/{office}/overrides`: something else than the shifts say, for a while. Overrides apply in the order in which they
/// were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOverride {
    pub kind: OverrideKind,
    pub from: Timestamp,
    pub to: Timestamp,
    pub person: PersonName,
    /// For `stand_in` and `swap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<PersonName>,
    /// For `extra`.
    #[serde(default = "primary")]
    pub rank: DutyRank,
    pub reason: Printable,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Override {
    pub id: OverrideId,
    pub kind: OverrideKind,
    pub from: Timestamp,
    pub to: Timestamp,
    pub person: PersonName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<PersonName>,
    pub rank: DutyRank,
    pub reason: Printable,
    /// Who made it.
    pub by: PersonName,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OnDuty {
    pub person: PersonName,
    pub rank: DutyRank,
    /// Absent for those whom an override brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<ShiftName>,
    /// Why it is not who the shifts name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Printable>,
}

/// A time in which the same people are on duty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stretch {
    pub from: Timestamp,
    pub to: Timestamp,
    pub on_duty: Vec<OnDuty>,
    /// Somebody should be on duty, and nobody is.
    pub gap: bool,
}

/// `GET /api/v1/offices/{office}/plan`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DutyPlan {
    pub office: OfficeName,
    pub zone: String,
    pub stretches: Vec<Stretch>,
}

/// One office of `GET /api/v1/duty/now`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DutyNow {
    pub office: OfficeName,
    pub kind: OfficeKind,
    pub at: Timestamp,
    pub on_duty: Vec<OnDuty>,
    /// When that changes, if it does within 14 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Gaps within 14 days, shift changes of the last day that nobody handed over, hand-overs that nobody has acknowledged.
    pub warnings: Vec<Printable>,
}

/// A row of the routing list; the first that fits decides. What a row leaves out fits everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingRule {
    /// Why it is there.
    pub name: Printable,
    #[serde(default)]
    pub customers: Vec<CustomerCode>,
    #[serde(default)]
    pub sites: Vec<SiteId>,
    #[serde(default)]
    pub regions: Vec<String>,
    #[serde(default)]
    pub products: Vec<String>,
    /// This severe or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    pub office: OfficeName,
    /// What the person must know.
    #[serde(default)]
    pub skills: Vec<String>,
    /// The least level of the person, 1 to 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
}

/// `PUT /api/v1/duty/rules`: the whole list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingRules {
    pub rules: Vec<RoutingRule>,
}

/// `POST /api/v1/duty/route`: where would a fault go? Nothing is changed by asking.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteQuestion {
    /// Without it `customer` is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<NeName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    /// `major` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Route {
    pub office: OfficeName,
    /// Who is proposed; the fault is nobody's until somebody accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    pub skills: Vec<String>,
    pub level: u8,
    /// How it came to that, in words, one step each.
    pub why: Vec<Bilingual>,
}

/// Where a fault is now: `GET /api/v1/faults/{fault}/duty`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FaultDuty {
    pub fault: Fault,
    pub office: OfficeName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<PersonName>,
    pub level: u8,
    pub since: Timestamp,
    pub why: Printable,
    /// How it came there: routed, escalated, de-escalated.
    #[serde(default)]
    pub steps: Vec<Event>,
}

/// An open fault, and the office that it is with: `GET /api/v1/duty/faults`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DutyFault {
    pub fault: Fault,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<OfficeName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<PersonName>,
}

/// `POST /api/v1/faults/{fault}/escalation` and `/deescalation`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalate {
    /// Needed.
    #[serde(default)]
    pub reason: Printable,
    /// The office above, or the one that it came from, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<OfficeName>,
    /// The least level of the person, 1 to 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
}

/// `POST /api/v1/offices/{office}/handovers`: the outgoing shift writes what is open.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHandover {
    pub note: Printable,
}

/// An open fault as it was when it was handed over.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HandedFault {
    pub number: FaultNumber,
    pub title: Printable,
    pub severity: Severity,
    pub status: FaultStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonName>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Handover {
    pub id: HandoverId,
    pub office: OfficeName,
    pub at: Timestamp,
    pub by: PersonName,
    pub note: Printable,
    /// Who was on duty next, by the plan.
    pub to: Vec<PersonName>,
    pub faults: Vec<HandedFault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
}

/// The incoming shift has read it: who, when, and a word about it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Taken {
    pub at: Timestamp,
    pub by: PersonName,
    pub note: Printable,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenFaults {
    pub total: u32,
    pub critical: u32,
    pub major: u32,
    pub minor: u32,
    /// Warning and indeterminate.
    pub lower: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<FaultNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_at: Option<Timestamp>,
}

/// A clock that has warned at 75 % or more, and still runs or is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClockAtRisk {
    pub fault: FaultNumber,
    pub clock: String,
    pub state: ClockState,
    pub elapsed_s: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OfficeLoad {
    pub office: OfficeName,
    pub on_duty: Vec<PersonName>,
    pub faults: OpenFaults,
    pub clocks_at_risk: Vec<ClockAtRisk>,
    /// Live sessions of its faults.
    pub sessions_now: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PersonLoad {
    pub person: PersonName,
    /// Where they are on duty now.
    pub on_duty: Vec<OfficeName>,
    /// Their open faults are to be handed over.
    pub disabled: bool,
    pub faults: OpenFaults,
    /// Open faults without an owner for which they are proposed.
    pub proposed: u32,
    pub clocks_at_risk: Vec<ClockAtRisk>,
    pub sessions_now: u32,
}

/// `GET /api/v1/duty/workload`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Workload {
    pub offices: Vec<OfficeLoad>,
    pub people: Vec<PersonLoad>,
    /// Open faults that are with no office.
    pub with_no_office: OpenFaults,
}

/// One of `GET /api/v1/duty/inside`: somebody is inside something now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Inside {
    pub session: SessionId,
    /// Terminals of the support centre's that came in under the same consent.
    pub terminals: Vec<TerminalId>,
    pub engineer: PersonName,
    pub device: NeName,
    pub account: String,
    pub fault: FaultNumber,
    pub consent: ConsentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doors: Option<Doors>,
    pub since: Timestamp,
    /// By the device's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_until: Option<Timestamp>,
    /// Seconds; 0 when the time is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_s: Option<u64>,
}

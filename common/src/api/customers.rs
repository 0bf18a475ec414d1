use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::calendar::{CalendarKind, Hours, Weekday};
use crate::fault::FaultKind;
use crate::id::{ContractId, CustomerId, SiteId};
use crate::name::{CustomerCode, PersonName};

/// A service tier: the targets of the clocks that a contract sets. `None` = no target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Like `gold`.
    pub name: String,
    /// The coverage calendar of K1, K2, K6 and K7; 24x7 when absent. K4 and K5 always run around the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// K1.
    pub accept_s: Option<u32>,
    /// K2.
    pub respond_s: Option<u32>,
    /// K6 by severity: critical, major, minor and below.
    pub restore_s: [Option<u32>; 3],
    /// K7 by severity.
    pub resolve_s: [Option<u32>; 3],
    /// Requests that are not faults, like `consulting` or `upgrade`, have targets of their own. A kind that is not named has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<FaultKind, KindTargets>,
}

/// What a request that is not a fault is promised. It has no session, diagnosis or restore clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KindTargets {
    /// K1.
    #[serde(default)]
    pub accept_s: Option<u32>,
    /// K2.
    #[serde(default)]
    pub respond_s: Option<u32>,
    /// K7.
    #[serde(default)]
    pub resolve_s: Option<u32>,
}

/// When the clocks of a tier run: what the clock on the wall of the fault's site shows is compared with these hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Like `cn-office`: 1 to 40 of `a-z`, `0-9` and `-`.
    pub name: String,
    pub kind: CalendarKind,
    /// The weekly hours; a day may be named more than once. None for `24x7`.
    #[serde(default)]
    pub week: Vec<WeekHours>,
    /// Days without hours, whatever the weekday.
    #[serde(default)]
    pub holidays: Vec<Holiday>,
    /// Days with hours of their own, whatever the weekday: China's swapped weekends, a short day before a feast.
    #[serde(default)]
    pub extra_days: Vec<ExtraDay>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WeekHours {
    pub days: Vec<Weekday>,
    /// Like `09:00-12:00`; a span may end at `24:00`, and one over midnight is two.
    #[schema(value_type = Vec<String>)]
    pub hours: Vec<Hours>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    #[schema(value_type = String, format = Date)]
    pub date: Date,
    pub name: Printable,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtraDay {
    #[schema(value_type = String, format = Date)]
    pub date: Date,
    pub name: Printable,
    #[schema(value_type = Vec<String>)]
    pub hours: Vec<Hours>,
}

/// `GET /api/v1/calendars/{name}/preview`: when would a target end?
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CalendarPreview {
    pub calendar: String,
    pub zone: String,
    pub from: Timestamp,
    pub target_s: u32,
    /// Absent when the calendar does not open for so long within 30 years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// The same moment as the site's clock shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_local: Option<String>,
    /// What counts until then, and what doesn't and why; 1000 at most.
    pub intervals: Vec<super::Interval>,
}

/// What a customer has agreed on, for a time. Days are days of the customer's first site's zone, and both ends are part of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Contract {
    pub id: ContractId,
    pub customer: CustomerCode,
    pub tier: String,
    #[schema(value_type = String, format = Date)]
    pub from: Date,
    /// Absent: until another word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub until: Option<Date>,
    pub contact: Contact,
    /// Does it hold now?
    pub in_force: bool,
}

/// The named person at the support centre or the carrier who answers for the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    pub name: Printable,
    #[serde(default)]
    pub phone: Printable,
    #[serde(default)]
    pub mail: Printable,
}

/// `POST /api/v1/contracts`, and `PUT /api/v1/contracts/{id}`: of one that has begun, tier, customer and first day stay.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContract {
    pub customer: CustomerCode,
    pub tier: String,
    #[schema(value_type = String, format = Date)]
    pub from: Date,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub until: Option<Date>,
    pub contact: Contact,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Customer {
    pub id: CustomerId,
    pub code: CustomerCode,
    pub name: Printable,
    pub tier: String,
    /// Everything is stopped: no consent is live, none is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    pub created_at: Timestamp,
}

/// The switch that stops everything for a customer: `POST /api/v1/customers/{code}/stop`, taken back with `/resume`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Stopped {
    pub at: Timestamp,
    pub by: PersonName,
    pub reason: Printable,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCustomer {
    pub code: CustomerCode,
    pub name: Printable,
    pub tier: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Site {
    pub id: SiteId,
    pub customer: CustomerCode,
    pub name: Printable,
    /// IANA zone, like `Asia/Shanghai`.
    pub zone: String,
    pub latitude_deg: Option<f64>,
    pub longitude_deg: Option<f64>,
    pub access_notes: Printable,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSite {
    pub customer: CustomerCode,
    pub name: Printable,
    pub zone: String,
    #[serde(default)]
    pub latitude_deg: Option<f64>,
    #[serde(default)]
    pub longitude_deg: Option<f64>,
    #[serde(default)]
    pub access_notes: Printable,
}

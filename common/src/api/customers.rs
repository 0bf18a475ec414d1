use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::id::{CustomerId, SiteId};
use crate::name::{CustomerCode, PersonName};

/// A service tier: the targets of the clocks that a contract sets. `None` = no target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Like `gold`.
    pub name: String,
    /// K1.
    pub accept_s: Option<u32>,
    /// K2.
    pub respond_s: Option<u32>,
    /// K6 by severity: critical, major, minor and below.
    pub restore_s: [Option<u32>; 3],
    /// K7 by severity.
    pub resolve_s: [Option<u32>; 3],
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

/// Who is told when a consent of this customer waits for an answer. A notice brings a link, never the power to sign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeSettings {
    /// URLs that get a POST with JSON.
    #[serde(default)]
    pub webhooks: Vec<String>,
    /// E-mail addresses.
    #[serde(default)]
    pub mail: Vec<String>,
}

/// `GET /api/v1/customers/{code}/notices`: the settings, and the newest notices.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticesView {
    pub settings: NoticeSettings,
    /// Newest first, 50 at most.
    pub recent: Vec<NoticeView>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticeView {
    pub at: Timestamp,
    /// The webhook's URL without its query, or the e-mail address.
    pub target: String,
    /// What it is about, like `consent.requested`.
    pub kind: String,
    pub subject: Printable,
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Printable>,
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

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::id::{CustomerId, SiteId};
use crate::name::CustomerCode;

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
    pub created_at: Timestamp,
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

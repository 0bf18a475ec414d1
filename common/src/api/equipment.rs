use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::alarm::Relation;
use crate::health::HealthReport;
use crate::id::{EquipmentId, SiteId};
use crate::name::{CustomerCode, Handle, NeName};
use crate::statement::Signed;

words! {
    pub enum Presence {
        /// No agent has enrolled.
        Never = "never",
        Online = "online",
        Offline = "offline",
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Equipment {
    pub id: EquipmentId,
    pub name: NeName,
    pub site: Printable,
    pub product: Printable,
    pub model: Printable,
    pub serial: Printable,
    pub software: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<NeName>,
    pub presence: Presence,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    /// Name and version of the agent program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Printable>,
    /// Has the carrier's technician vouched for the device's keys?
    pub vouched: bool,
    pub active_alarms: u32,
    pub open_faults: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEquipment {
    pub customer: CustomerCode,
    pub handle: Handle,
    pub site: SiteId,
    pub product: Printable,
    pub model: Printable,
    pub serial: Printable,
    #[serde(default)]
    pub software: Printable,
    #[serde(default)]
    pub parent: Option<Handle>,
}

/// How equipment hangs on other equipment: `GET, PUT /api/v1/equipment/{name}/topology`. A `PUT` takes the place of what was said
/// before; there are no circles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// What it is reached through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<TopologyEdge>,
    /// What feeds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub power: Vec<TopologyEdge>,
    /// What it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<TopologyEdge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TopologyEdge {
    /// Equipment of the same customer.
    pub on: Handle,
    /// The part of it, like `shelf-1/card-2/port-3`; all of it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Printable>,
}

/// What `GET /api/v1/equipment/{name}/topology` answers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TopologyView {
    pub equipment: NeName,
    pub above: Topology,
    /// What hangs on it directly, by relation.
    pub below: Vec<TopologyBelow>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TopologyBelow {
    pub equipment: NeName,
    pub relation: Relation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Printable>,
}

/// `POST /api/v1/equipment/{name}/enrolment-token`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EnrolmentTokenReply {
    /// Give it to `lineman-agent enrol --token`; it works once.
    pub token: String,
    pub expires_at: Timestamp,
}

/// What the carrier's technician signs: `GET /api/v1/equipment/{name}/identity`. The technician compares it with what the
/// device itself shows.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceIdentity {
    pub device: NeName,
    pub host_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Signed>,
}

/// `GET /api/v1/equipment/{name}/health`: oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HealthHistory {
    pub device: NeName,
    pub reports: Vec<HealthReport>,
}

/// What a client needs to trust what it is told about a customer's devices: `GET /api/v1/trust/{customer}`. Every part is
/// checked against the vendor root that the client has pinned.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrustBundle {
    pub roster: Signed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchors: Option<Signed>,
    pub devices: Vec<Signed>,
    /// Where the SSH gateway listens, `host:port`.
    pub jump: String,
}

/// `PUT /api/v1/trust/signers/{customer}`: the carrier's new signer list, the same text with one signature each.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignersPublication {
    pub signed: Vec<Signed>,
}

/// `GET /api/v1/trust/signers/{customer}`: the list that was published last, and what every device says that it holds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignersView {
    /// Empty when none was published: the devices hold what the technician brought.
    pub signed: Vec<Signed>,
    pub devices: Vec<DeviceReceipt>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceReceipt {
    pub device: NeName,
    /// The device's signed word, the newest that arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Signed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
    /// Why the device refused the published list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Printable>,
    /// Proves the key that signs the receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_statement: Option<Signed>,
}

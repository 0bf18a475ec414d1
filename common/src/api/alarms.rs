use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::alarm::{EventType, OperatorState, ProbableCause, ResourceState, Severity};
use crate::id::AlarmId;
use crate::name::{FaultNumber, NeName};

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
}

/// `POST /api/v1/alarms/{id}/acknowledgement`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    #[serde(default)]
    pub note: Printable,
}

//! Health reports: what an agent measured.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One round of measurements. Names are dotted, with the unit last: `cpu.busy_percent`, `fs./.used_percent`,
/// `sensor.fan-2.speed_rpm`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct HealthReport {
    pub at: Timestamp,
    pub metrics: BTreeMap<String, f64>,
}

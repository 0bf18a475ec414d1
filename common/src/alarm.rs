//! Alarms in ITU-T X.733's terms, with RFC 8632's three independent axes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

words! {
    /// X.733 perceived severity, least first. `cleared` is not a severity here but the other resource state (RFC 8632).
    pub enum Severity {
        Indeterminate = "indeterminate",
        Warning = "warning",
        Minor = "minor",
        Major = "major",
        Critical = "critical",
    }
}

words! {
    /// X.733 event type.
    pub enum EventType {
        Communications = "communications",
        QualityOfService = "quality_of_service",
        ProcessingError = "processing_error",
        Equipment = "equipment",
        Environmental = "environmental",
    }
}

words! {
    /// X.733 / X.721 probable causes that Lineman's own checks can raise.
    pub enum ProbableCause {
        FanFailure = "fan_failure",
        TemperatureUnacceptable = "temperature_unacceptable",
        LossOfSignal = "loss_of_signal",
        DegradedSignal = "degraded_signal",
        StorageCapacityProblem = "storage_capacity_problem",
        CpuCyclesLimitExceeded = "cpu_cycles_limit_exceeded",
        OutOfMemory = "out_of_memory",
        CommunicationsSubsystemFailure = "communications_subsystem_failure",
        EquipmentMalfunction = "equipment_malfunction",
        PerformanceDegraded = "performance_degraded",
        ApplicationSubsystemFailure = "application_subsystem_failure",
        ThresholdCrossed = "threshold_crossed",
        PowerProblem = "power_problem",
    }
}

words! {
    /// The resource axis.
    pub enum ResourceState {
        Raised = "raised",
        Cleared = "cleared",
    }
}

words! {
    /// The operator axis.
    pub enum OperatorState {
        None = "none",
        Acknowledged = "acknowledged",
        Closed = "closed",
    }
}

/// What identifies an alarm on its equipment, for life: the type and what part of the equipment it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlarmKey {
    /// Like `fan.speed`: the check's name.
    pub alarm_type: String,
    /// Like `fan-2`; empty when the type says it all.
    #[serde(default)]
    pub qualifier: String,
}

/// The state of one alarm, as its equipment tells it: raised, changed or cleared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmReport {
    #[serde(flatten)]
    pub key: AlarmKey,
    pub state: ResourceState,
    pub severity: Severity,
    pub event_type: EventType,
    pub probable_cause: ProbableCause,
    /// One line for people.
    pub text: String,
    /// The value that crossed the threshold, with its unit, like `0 rpm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// When it happened, by the equipment's clock.
    pub at: Timestamp,
}

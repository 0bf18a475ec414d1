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

words! {
    /// What the time of a change is worth.
    pub enum TimeMark {
        /// The device said a time that has not come yet: the time of receipt was taken.
        Future = "future",
        /// The device said a time more than a year ago: late, or its clock is wrong.
        Old = "old",
        /// Nobody said when: what the device no longer lists has cleared, at the latest when it made its list.
        Assumed = "assumed",
    }
}

words! {
    /// How one piece of equipment hangs on another.
    pub enum Relation {
        /// It is reached through the other.
        Link = "link",
        /// It is fed by the other.
        Power = "power",
        /// It is a part of the other: a card of a shelf, a port of a card.
        Contains = "contains",
    }
}

words! {
    /// A maintenance window's life.
    pub enum WindowState {
        Planned = "planned",
        Active = "active",
        Ended = "ended",
        /// Taken back before it began.
        Cancelled = "cancelled",
    }
}

/// The alarm type that the centre itself raises on equipment whose agent has fallen silent. Devices can't.
pub const AGENT_SILENT: &str = "agent.silent";

/// Does `part` name the same part of equipment as `whole`, or something inside it? Parts are paths like `shelf-1/card-2/port-3`;
/// the empty path is all of the equipment.
#[must_use]
pub fn is_within(part: &str, whole: &str) -> bool {
    whole.is_empty() || part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Does the text fit a pattern in which `*` stands for any run of characters?
#[must_use]
pub fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_within_its_card_and_not_within_one_whose_name_begins_alike() {
        assert!(is_within("shelf-1/card-2/port-3", "shelf-1/card-2") && is_within("shelf-1", "shelf-1") && is_within("fan-1", ""));
        assert!(!is_within("shelf-1/card-21", "shelf-1/card-2") && !is_within("shelf-1", "shelf-1/card-2"));
    }

    #[test]
    fn patterns_fit_as_people_expect() {
        for (pattern, text) in [("*", ""), ("fan.*", "fan.speed"), ("*.los", "port.los"), ("a*b*c", "aXbYc"), ("x", "x"), ("a*a", "aa")] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "x"), ("fan.*", "fans"), ("*.los", "port.losx"), ("a*b*c", "acb"), ("x", "xx"), ("a*a", "a")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}

//! The built-in rules, for a file that has none of its own.
//!
//! Few, and slow to speak: each holds on any host that runs the agent, and what is only worth a look stays below `major`,
//! the severity from which the centre opens a fault by itself.

use std::time::Duration;

use lineman_common::alarm::{EventType, ProbableCause, Severity};

use super::config::{Rule, Side};
use super::pattern::{Pattern, Template};

struct Default {
    alarm_type: &'static str,
    metric: &'static str,
    side: Side,
    raise_at: f64,
    clear_at: f64,
    hold_s: u64,
    clear_when_gone_s: Option<u64>,
    severity: Severity,
    event_type: EventType,
    probable_cause: ProbableCause,
    text: &'static str,
    unit: &'static str,
}

/// A file system that is not mounted any more, or a disk that was pulled, is not full any more either.
const UNMOUNTED: Option<u64> = Some(600);

const DEFAULTS: [Default; 7] = [
    Default {
        alarm_type: "cpu.busy",
        metric: "cpu.busy_percent",
        side: Side::Above,
        raise_at: 95.0,
        clear_at: 85.0,
        hold_s: 300,
        clear_when_gone_s: None,
        severity: Severity::Minor,
        event_type: EventType::ProcessingError,
        probable_cause: ProbableCause::CpuCyclesLimitExceeded,
        text: "processors {value} % busy for five minutes / CPU 占用率持续五分钟达 {value} %",
        unit: "%",
    },
    Default {
        alarm_type: "memory.used",
        metric: "memory.used_percent",
        side: Side::Above,
        raise_at: 95.0,
        clear_at: 90.0,
        hold_s: 60,
        clear_when_gone_s: None,
        severity: Severity::Major,
        event_type: EventType::ProcessingError,
        probable_cause: ProbableCause::OutOfMemory,
        text: "memory {value} % used / 内存占用率 {value} %",
        unit: "%",
    },
    Default {
        alarm_type: "fs.used",
        metric: "fs.{}.used_percent",
        side: Side::Above,
        raise_at: 90.0,
        clear_at: 85.0,
        hold_s: 60,
        clear_when_gone_s: UNMOUNTED,
        severity: Severity::Minor,
        event_type: EventType::ProcessingError,
        probable_cause: ProbableCause::StorageCapacityProblem,
        text: "file system {qualifier} {value} % full / 文件系统 {qualifier} 已用 {value} %",
        unit: "%",
    },
    Default {
        alarm_type: "fs.used",
        metric: "fs.{}.used_percent",
        side: Side::Above,
        raise_at: 97.0,
        clear_at: 95.0,
        hold_s: 60,
        clear_when_gone_s: UNMOUNTED,
        severity: Severity::Major,
        event_type: EventType::ProcessingError,
        probable_cause: ProbableCause::StorageCapacityProblem,
        text: "file system {qualifier} almost full, {value} % / 文件系统 {qualifier} 即将写满，已用 {value} %",
        unit: "%",
    },
    Default {
        alarm_type: "fs.inodes",
        metric: "fs.{}.inodes_used_percent",
        side: Side::Above,
        raise_at: 95.0,
        clear_at: 90.0,
        hold_s: 60,
        clear_when_gone_s: UNMOUNTED,
        severity: Severity::Minor,
        event_type: EventType::ProcessingError,
        probable_cause: ProbableCause::StorageCapacityProblem,
        text: "file system {qualifier} has {value} % of its inodes used / 文件系统 {qualifier} inode 已用 {value} %",
        unit: "%",
    },
    Default {
        alarm_type: "temperature",
        metric: "temp.{}.celsius",
        side: Side::Above,
        raise_at: 90.0,
        clear_at: 80.0,
        hold_s: 60,
        clear_when_gone_s: None,
        severity: Severity::Minor,
        event_type: EventType::Environmental,
        probable_cause: ProbableCause::TemperatureUnacceptable,
        text: "{qualifier} at {value} °C / {qualifier} 温度 {value} °C",
        unit: "°C",
    },
    Default {
        alarm_type: "temperature",
        metric: "temp.{}.critical_margin_celsius",
        side: Side::Below,
        raise_at: 5.0,
        clear_at: 10.0,
        hold_s: 30,
        clear_when_gone_s: None,
        severity: Severity::Major,
        event_type: EventType::Environmental,
        probable_cause: ProbableCause::TemperatureUnacceptable,
        text: "{qualifier} is {value} °C below its critical temperature / {qualifier} 距临界温度仅 {value} °C",
        unit: "°C",
    },
];

pub fn rules() -> Vec<Rule> {
    DEFAULTS.iter().filter_map(Default::rule).collect()
}

impl Default {
    /// A test shows that every one of them is a rule.
    fn rule(&self) -> Option<Rule> {
        Some(Rule {
            alarm_type: self.alarm_type.to_owned(),
            metric: Pattern::parse(self.metric).ok()?,
            side: self.side,
            raise_at: self.raise_at,
            clear_at: self.clear_at,
            hold: Duration::from_secs(self.hold_s),
            clear_when_gone: self.clear_when_gone_s.map(Duration::from_secs),
            severity: self.severity,
            event_type: self.event_type,
            probable_cause: self.probable_cause,
            text: Template::parse(self.text).ok()?,
            unit: self.unit.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_is_a_rule_with_hysteresis() {
        let rules = rules();
        assert_eq!(rules.len(), DEFAULTS.len());
        for rule in rules {
            let right = match rule.side {
                Side::Above => rule.clear_at < rule.raise_at,
                Side::Below => rule.clear_at > rule.raise_at,
            };
            assert!(right, "{}", rule.alarm_type);
        }
    }
}

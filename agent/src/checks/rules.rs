//! From metrics to alarms: thresholds with hysteresis and duration.
//!
//! A rule raises when its metric has been beyond `raise_*` for `for_s`, and clears when it is beyond `clear_*`, on the other
//! side of the gap between them. In the gap, an alarm that is raised stays raised and one that is not stays so.
//!
//! Several rules may share an alarm type, for example with two severities: together they are one alarm per qualifier, with the
//! highest severity that holds.
//!
//! # When a metric disappears
//! The alarm stays raised. That a card stopped answering is no evidence that it is well again; clearing would close the
//! question at the worst moment, when the sensor died with the thing it watched. It clears when the metric
//! comes back and is good, or when its rule is taken out of the file. Where the absence *is* the answer (a file system
//! that was unmounted is not full), the rule says so with `clear_when_gone_s`. An alarm that was only about to be raised is
//! forgotten: its condition was not seen to hold all the time.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lineman_common::alarm::{AlarmKey, AlarmReport, ResourceState};

use super::alarms::Alarms;
use super::config::{Rule, Side};
use super::pattern::show;

/// Alarm types under this are of exec checks, not of rules.
pub const EXEC_PREFIX: &str = "exec.";

pub struct Rules {
    rules: Vec<Rule>,
    /// Of each rule, by qualifier: what is raised or about to be.
    conditions: Vec<BTreeMap<String, Condition>>,
}

struct Condition {
    /// `None` once raised.
    pending_since: Option<Instant>,
    seen: Instant,
    value: Option<f64>,
}

/// An alarm that holds now.
struct Standing<'a> {
    rule: &'a Rule,
    value: Option<f64>,
    /// The marks of all rules that hold it, the one that governs first.
    by: Vec<String>,
}

impl Rules {
    pub fn new(rules: Vec<Rule>) -> Self {
        let conditions = rules.iter().map(|_| BTreeMap::new()).collect();
        Self { rules, conditions }
    }

    /// Takes up the alarms that were raised when the process before ended, so that a value in the gap keeps them raised.
    pub fn resume(&mut self, alarms: &Alarms, now: Instant) {
        for (key, by) in alarms.held_by() {
            for (rule, conditions) in self.rules.iter().zip(&mut self.conditions) {
                if rule.alarm_type == key.alarm_type && by.contains(&mark(rule)) {
                    conditions.insert(key.qualifier.clone(), Condition { pending_since: None, seen: now, value: None });
                }
            }
        }
    }

    /// Judges one round of metrics and tells `alarms` what holds and what ended.
    pub fn judge(&mut self, metrics: &BTreeMap<String, f64>, now: Instant, at: Timestamp, alarms: &mut Alarms) {
        for (rule, conditions) in self.rules.iter().zip(&mut self.conditions) {
            for (qualifier, value) in matching(rule, metrics) {
                observe(rule, conditions, qualifier, value, now);
            }
            conditions.retain(|_, condition| condition.seen == now || outlasts(rule, condition, now));
        }
        let standing = self.standing();
        let ended: Vec<_> = alarms
            .held_by()
            .filter(|(key, _)| !key.alarm_type.starts_with(EXEC_PREFIX) && !standing.contains_key(*key))
            .map(|(key, by)| (key.clone(), self.value_now(key, by, metrics)))
            .collect();
        for (key, value) in ended {
            alarms.clear(&key, value, at);
        }
        for (key, standing) in standing {
            let report = report(&key, standing.rule, standing.value, at);
            alarms.stand(report, standing.by);
        }
    }

    fn standing(&self) -> BTreeMap<AlarmKey, Standing<'_>> {
        let mut standing: BTreeMap<AlarmKey, Standing<'_>> = BTreeMap::new();
        for (rule, conditions) in self.rules.iter().zip(&self.conditions) {
            for (qualifier, condition) in conditions.iter().filter(|(_, condition)| condition.pending_since.is_none()) {
                let key = AlarmKey { alarm_type: rule.alarm_type.clone(), qualifier: qualifier.clone() };
                let mine = Standing { rule, value: condition.value, by: vec![mark(rule)] };
                match standing.get_mut(&key) {
                    None => {
                        standing.insert(key, mine);
                    }
                    Some(held) if held.rule.severity < rule.severity => {
                        let theirs = std::mem::replace(held, mine);
                        held.by.extend(theirs.by);
                    }
                    Some(held) => held.by.extend(mine.by),
                }
            }
        }
        standing
    }

    /// What the metric of an alarm that ended reads now.
    fn value_now(&self, key: &AlarmKey, by: &[String], metrics: &BTreeMap<String, f64>) -> Option<String> {
        let rules = self.rules.iter().filter(|rule| rule.alarm_type == key.alarm_type);
        let rule = rules.filter(|rule| by.contains(&mark(rule))).max_by_key(|rule| rule.severity)?;
        metrics.get(&rule.metric.name(&key.qualifier)).map(|value| with_unit(*value, rule))
    }
}

/// What knows a rule again after a restart. Its thresholds are not in it: a rule whose numbers were changed goes on judging
/// the alarm that it raised.
fn mark(rule: &Rule) -> String {
    let side = match rule.side {
        Side::Below => "below",
        Side::Above => "above",
    };
    format!("{} {side} {}", rule.metric, rule.severity)
}

/// The metrics that a rule is about. They are sorted, so only those with the right beginning are looked at.
fn matching<'a>(rule: &Rule, metrics: &'a BTreeMap<String, f64>) -> impl Iterator<Item = (&'a str, f64)> {
    let beginning = rule.metric.beginning().to_owned();
    let from = (Bound::Included(beginning.as_str()), Bound::Unbounded);
    let range = metrics.range::<str, _>(from);
    let metric = rule.metric.clone();
    range
        .take_while(move |(name, _)| name.starts_with(&beginning))
        .filter_map(move |(name, value)| metric.qualifier(name).map(|qualifier| (qualifier, *value)))
}

fn observe(rule: &Rule, conditions: &mut BTreeMap<String, Condition>, qualifier: &str, value: f64, now: Instant) {
    let beyond = |threshold: f64, side: Side| match side {
        Side::Below => value < threshold,
        Side::Above => value > threshold,
    };
    let other_side = match rule.side {
        Side::Below => Side::Above,
        Side::Above => Side::Below,
    };
    let raising = beyond(rule.raise_at, rule.side);
    match conditions.get_mut(qualifier) {
        Some(condition) => {
            condition.seen = now;
            condition.value = Some(value);
            match condition.pending_since {
                None if beyond(rule.clear_at, other_side) => {
                    conditions.remove(qualifier);
                }
                None => {}
                Some(since) if raising => {
                    let held = now.saturating_duration_since(since) >= rule.hold;
                    condition.pending_since = (!held).then_some(since);
                }
                Some(_) => {
                    conditions.remove(qualifier);
                }
            }
        }
        None if raising => {
            let pending_since = (rule.hold > Duration::ZERO).then_some(now);
            conditions.insert(qualifier.to_owned(), Condition { pending_since, seen: now, value: Some(value) });
        }
        None => {}
    }
}

/// Does a condition whose metric is missing go on?
fn outlasts(rule: &Rule, condition: &Condition, now: Instant) -> bool {
    condition.pending_since.is_none() && rule.clear_when_gone.is_none_or(|limit| now.saturating_duration_since(condition.seen) < limit)
}

fn with_unit(value: f64, rule: &Rule) -> String {
    if rule.unit.is_empty() { show(value) } else { format!("{} {}", show(value), rule.unit) }
}

fn report(key: &AlarmKey, rule: &Rule, value: Option<f64>, at: Timestamp) -> AlarmReport {
    let shown = value.map_or_else(|| "?".to_owned(), show);
    AlarmReport {
        key: key.clone(),
        state: ResourceState::Raised,
        severity: rule.severity,
        event_type: rule.event_type,
        probable_cause: rule.probable_cause,
        text: rule.text.render(&key.qualifier, &shown, &show(rule.raise_at)),
        value: value.map(|value| with_unit(value, rule)),
        threshold: Some(with_unit(rule.raise_at, rule)),
        at,
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::tests::{FAN, settings};
    use super::*;

    struct Bench {
        rules: Rules,
        alarms: Alarms,
        dir: tempfile::TempDir,
        now: Instant,
    }

    /// Everything that a round changed, shortly: `+fan-2 major 0 rpm`.
    type Changes = Vec<String>;

    impl Bench {
        fn new(text: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let alarms = Alarms::open(dir.path()).unwrap();
            Self { rules: Rules::new(settings(text).unwrap().rules), alarms, dir, now: Instant::now() }
        }

        fn restart(self, text: &str) -> Self {
            let alarms = Alarms::open(self.dir.path()).unwrap();
            let mut rules = Rules::new(settings(text).unwrap().rules);
            rules.resume(&alarms, self.now);
            Self { rules, alarms, ..self }
        }

        fn round(&mut self, metrics: &[(&str, f64)]) -> Changes {
            self.now += Duration::from_secs(10);
            let metrics = metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
            self.rules.judge(&metrics, self.now, Timestamp::UNIX_EPOCH, &mut self.alarms);
            self.alarms.save().unwrap();
            let changes: Vec<_> = self.alarms.unsent().iter().map(shortly).collect();
            self.alarms.sent(changes.len());
            changes
        }
    }

    fn shortly(report: &AlarmReport) -> String {
        let sign = if report.state == ResourceState::Raised { '+' } else { '-' };
        format!("{sign}{} {} {}", report.key.qualifier, report.severity, report.value.as_deref().unwrap_or("none"))
    }

    const FAN_2: &str = "sensor.fan-2.speed_rpm";

    #[test]
    fn raised_once_held_in_the_gap_and_cleared_behind_it() {
        let mut bench = Bench::new(FAN);
        assert_eq!(bench.round(&[(FAN_2, 1500.0)]), [""; 0], "in the gap, not raised");
        assert_eq!(bench.round(&[(FAN_2, 1000.0)]), [""; 0], "at the threshold is not below it");
        assert_eq!(bench.round(&[(FAN_2, 0.0), ("sensor.fan-1.speed_rpm", 4000.0)]), ["+fan-2 major 0 rpm"]);
        assert_eq!(bench.round(&[(FAN_2, 500.0)]), [""; 0], "another value is not a change");
        assert_eq!(bench.round(&[(FAN_2, 2000.0)]), [""; 0], "in the gap, still raised");
        assert_eq!(bench.round(&[(FAN_2, 2000.5)]), ["-fan-2 major 2000.5 rpm"]);
        assert_eq!(bench.round(&[(FAN_2, 2000.0)]), [""; 0]);
    }

    #[test]
    fn the_report_says_what_people_need() {
        let mut bench = Bench::new(FAN);
        bench.now += Duration::from_secs(1);
        let metrics = BTreeMap::from([(FAN_2.to_owned(), 0.0)]);
        bench.rules.judge(&metrics, bench.now, Timestamp::UNIX_EPOCH, &mut bench.alarms);
        let report = &bench.alarms.unsent()[0];
        assert_eq!(report.text, "fan-2 speed 0 rpm: fan stopped / 风扇 fan-2 转速 0 rpm，风扇停转");
        assert_eq!(report.threshold.as_deref(), Some("1000 rpm"));
        assert_eq!((report.key.alarm_type.as_str(), report.at), ("fan.speed", Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_condition_must_hold_for_its_duration() {
        let mut bench = Bench::new(&format!("{FAN}\nfor_s = 20"));
        for _ in 0..3 {
            assert_eq!(bench.round(&[(FAN_2, 0.0)]), [""; 0]);
            assert_eq!(bench.round(&[(FAN_2, 0.0)]), [""; 0], "ten seconds");
            assert_eq!(bench.round(&[(FAN_2, 1500.0)]), [""; 0], "interrupted: it starts again");
        }
        assert_eq!(bench.round(&[(FAN_2, 0.0)]), [""; 0]);
        assert_eq!(bench.round(&[]), [""; 0], "not seen is not held");
        assert_eq!(bench.round(&[(FAN_2, 0.0)]), [""; 0]);
        assert_eq!(bench.round(&[(FAN_2, 0.0)]), [""; 0]);
        assert_eq!(bench.round(&[(FAN_2, 1.0)]), ["+fan-2 major 1 rpm"]);
    }

    #[test]
    fn a_metric_that_disappears_keeps_its_alarm_unless_the_rule_says_otherwise() {
        let mut bench = Bench::new(FAN);
        bench.round(&[(FAN_2, 0.0)]);
        for _ in 0..100 {
            assert_eq!(bench.round(&[]), [""; 0]);
        }
        assert_eq!(bench.round(&[(FAN_2, 3000.0)]), ["-fan-2 major 3000 rpm"]);

        let mut bench = Bench::new(&format!("{FAN}\nclear_when_gone_s = 30"));
        bench.round(&[(FAN_2, 0.0)]);
        assert_eq!((bench.round(&[]), bench.round(&[])), (vec![], vec![]));
        assert_eq!(bench.round(&[]), ["-fan-2 major none"]);
    }

    const TWO: &str = r#"
        [[rule]]
        alarm_type = "fs.used"
        metric = "fs.{}.used_percent"
        raise_above = 90.0
        clear_below = 85.0
        severity = "minor"
        event_type = "processing_error"
        probable_cause = "storage_capacity_problem"
        [[rule]]
        alarm_type = "fs.used"
        metric = "fs.{}.used_percent"
        raise_above = 97.0
        clear_below = 95.0
        severity = "critical"
        event_type = "processing_error"
        probable_cause = "storage_capacity_problem"
    "#;

    #[test]
    fn two_rules_of_one_type_are_one_alarm_that_changes_severity() {
        let mut bench = Bench::new(TWO);
        let name = "fs./var.used_percent";
        assert_eq!(bench.round(&[(name, 92.0)]), ["+/var minor 92"]);
        assert_eq!(bench.round(&[(name, 98.0)]), ["+/var critical 98"]);
        assert_eq!(bench.round(&[(name, 96.0)]), [""; 0]);
        let mut bench = bench.restart(TWO);
        assert_eq!(bench.round(&[(name, 96.0)]), [""; 0], "both are known again after a restart");
        assert_eq!(bench.round(&[(name, 94.0)]), ["+/var minor 94"]);
        assert_eq!(bench.round(&[(name, 86.0)]), [""; 0]);
        assert_eq!(bench.round(&[(name, 84.0)]), ["-/var minor 84"]);
        assert_eq!(bench.alarms.active().len(), 0);
    }

    #[test]
    fn raised_alarms_survive_a_restart() {
        let mut bench = Bench::new(FAN);
        bench.round(&[(FAN_2, 0.0)]);
        let mut bench = bench.restart(FAN);
        assert_eq!(bench.round(&[(FAN_2, 1500.0)]), [""; 0], "in the gap, and known to be raised");
        let mut bench = bench.restart(&FAN.replace("2000.0", "1200.0"));
        assert_eq!(bench.round(&[(FAN_2, 1500.0)]), ["-fan-2 major 1500 rpm"], "new numbers, same alarm");
    }

    #[test]
    fn an_alarm_whose_rule_is_gone_is_cleared() {
        let mut bench = Bench::new(FAN);
        bench.round(&[(FAN_2, 0.0)]);
        let mut bench = bench.restart("default_rules = false");
        assert_eq!(bench.round(&[(FAN_2, 0.0)]), ["-fan-2 major none"]);
        assert_eq!(bench.round(&[(FAN_2, 0.0)]), [""; 0]);
    }
}

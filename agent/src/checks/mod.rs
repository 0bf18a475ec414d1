//! The agent's checks: what it measures, and the alarms that follow.
//!
//! ```text
//! /proc /sys [[sensor]] -> measure -> metrics -> HealthReport
//!                                        |
//!                      [[rule]] -> rules -+-> alarms -> AlarmReport, for changes only
//! [[exec]] -> exec -> nagios --metrics, alarm-^
//! ```
//!
//! [`Checks`] joins them. A round ([`Checks::round`]) is synchronous; exec checks run beside it on their own schedule
//! ([`Checks::exec_ended`]). Either may change alarms, and afterwards the caller moves the changes to the spool:
//!
//! ```text
//! loop {
//!     select! {
//!         _ = interval.tick() => { let health = checks.round(Instant::now(), Timestamp::now()); append health }
//!         () = checks.exec_ended() => {}
//!     }
//!     append checks.unsent() to the events stream, then checks.sent(how many)
//! }
//! ```
//!
//! What is unsent survives a kill and a full spool; see [`alarms`] for the order of writing that this rests on. After the
//! first round, if [`Checks::is_fresh`] (or the spool is), the caller reports [`Checks::active`] as
//! `Report::ActiveAlarms` and says [`Checks::announced`], so that the centre lets go of what it held from a state that is lost.

mod alarms;
mod config;
mod defaults;
mod exec;
mod measure;
mod nagios;
mod pattern;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lineman_common::alarm::{AlarmKey, AlarmReport, ResourceState, Severity};
use lineman_common::health::HealthReport;
use lineman_common::link::CheckStatus;
use tracing::error;

pub use alarms::StateError;
pub use config::{ConfigError, ExecConfig, RuleConfig, SensorConfig, Settings};
pub use exec::{NoSuchCheck, Runner};
pub use measure::Roots;

use alarms::{Alarms, error_chain};
use exec::{Execs, Finding};
use measure::{Measure, segment};
use rules::{EXEC_PREFIX, Rules};

/// Rates need two looks; this long apart in [`collect_once`].
const LOOKS_APART: Duration = Duration::from_secs(1);

/// Everything that the agent watches.
pub struct Checks {
    measure: Measure,
    rules: Rules,
    execs: Execs,
    alarms: Alarms,
    /// Of each exec check, by its name, what its last run measured.
    exec_metrics: BTreeMap<String, Vec<(String, f64)>>,
}

impl Checks {
    /// Takes up the alarms of the process before from `state_dir`. Needs no runtime; [`Self::exec_ended`] does.
    pub fn open(settings: Settings, roots: Roots, state_dir: &Path) -> Result<Self, StateError> {
        let alarms = Alarms::open(state_dir)?;
        let mut rules = Rules::new(settings.rules);
        rules.resume(&alarms, Instant::now());
        Ok(Self {
            measure: Measure::new(roots, settings.sensors),
            rules,
            execs: Execs::new(settings.execs),
            alarms,
            exec_metrics: BTreeMap::new(),
        })
    }

    /// Measures, and judges what it measured. Changes of alarms are in [`Self::unsent`] afterwards.
    pub fn round(&mut self, now: Instant, at: Timestamp) -> HealthReport {
        let mut health = self.measure.round(now, at);
        health.metrics.extend(self.exec_metrics.values().flatten().cloned());
        self.rules.judge(&health.metrics, now, at, &mut self.alarms);
        self.clear_removed_execs(at);
        self.save();
        health
    }

    /// Starts exec checks as they fall due and waits until one has ended. Can be dropped at any point; never ends when there are
    /// no exec checks. Its metrics are in the rounds from now on, and a change of its alarm is in [`Self::unsent`].
    pub async fn exec_ended(&mut self) {
        let (at, finding) = self.execs.next().await;
        self.take(at, &finding, Timestamp::now());
        self.save();
    }

    /// Changes of alarms that the spool does not have yet, oldest first: some may be from before a restart.
    pub fn unsent(&self) -> &[AlarmReport] {
        self.alarms.unsent()
    }

    /// The first `count` of [`Self::unsent`] are durably in the spool.
    pub fn sent(&mut self, count: usize) {
        self.alarms.sent(count);
    }

    /// All alarms that are raised now.
    pub fn active(&self) -> Vec<AlarmReport> {
        self.alarms.active()
    }

    /// The alarm state began anew, and the list of active alarms was not reported since.
    pub const fn is_fresh(&self) -> bool {
        self.alarms.is_fresh()
    }

    /// The list of active alarms is durably in the spool.
    pub fn announced(&mut self) -> Result<(), StateError> {
        self.alarms.announced()
    }

    /// Runs exec checks by name, for orders; works beside rounds.
    pub fn runner(&self) -> Runner {
        self.execs.runner()
    }

    fn take(&mut self, at: usize, finding: &Finding, time: Timestamp) {
        let Some(exec) = self.execs.exec(at) else { return };
        let name = exec.name.as_str();
        let mut metrics = vec![(format!("exec.{name}.status_code"), status_code(finding.status))];
        let figures = finding.figures.iter().filter(|(label, _)| label != "status_code");
        metrics.extend(figures.map(|(label, value)| (format!("exec.{name}.{}", segment(label)), *value)));
        self.exec_metrics.insert(name.to_owned(), metrics);
        let key = AlarmKey { alarm_type: format!("{EXEC_PREFIX}{name}"), qualifier: String::new() };
        let Some(severity) = severity_of(finding.status) else {
            self.alarms.clear(&key, None, time);
            return;
        };
        let report = AlarmReport {
            key,
            state: ResourceState::Raised,
            severity,
            event_type: exec.event_type,
            probable_cause: exec.probable_cause,
            text: format!("{name}: {}", finding.text),
            value: Some(finding.status.to_string()),
            threshold: None,
            at: time,
        };
        self.alarms.stand(report, Vec::new());
    }

    /// A check that is not in the file any more can't clear its alarm itself.
    fn clear_removed_execs(&mut self, at: Timestamp) {
        let is_removed = |key: &AlarmKey| key.alarm_type.strip_prefix(EXEC_PREFIX).is_some_and(|name| !self.execs.has(name));
        let removed: Vec<_> = self.alarms.held_by().map(|(key, _)| key).filter(|key| is_removed(key)).cloned().collect();
        for key in removed {
            self.alarms.clear(&key, None, at);
        }
    }

    /// An alarm that can't be written down is reported all the same.
    fn save(&mut self) {
        if let Err(error) = self.alarms.save() {
            error!(error = error_chain(&error), "the alarm state is not on disk");
        }
    }
}

/// Measures once, for `collect --once`: two looks a second apart, so that rates are there. Blocks for that long; exec checks
/// are not run, and no alarm changes.
pub fn collect_once(settings: Settings, roots: Roots) -> HealthReport {
    let mut measure = Measure::new(roots, settings.sensors);
    measure.round(Instant::now(), Timestamp::now());
    std::thread::sleep(LOOKS_APART);
    measure.round(Instant::now(), Timestamp::now())
}

/// The convention's exit code.
const fn status_code(status: CheckStatus) -> f64 {
    match status {
        CheckStatus::Ok => 0.0,
        CheckStatus::Warning => 1.0,
        CheckStatus::Critical => 2.0,
        CheckStatus::Unknown => 3.0,
    }
}

const fn severity_of(status: CheckStatus) -> Option<Severity> {
    match status {
        CheckStatus::Ok => None,
        CheckStatus::Warning => Some(Severity::Minor),
        CheckStatus::Critical => Some(Severity::Major),
        CheckStatus::Unknown => Some(Severity::Warning),
    }
}

#[cfg(test)]
mod tests {
    use super::config::tests::{FAN, settings};
    use super::*;

    fn open(text: &str, dir: &Path) -> Checks {
        Checks::open(settings(text).unwrap(), Roots { proc: dir.join("proc"), sys: dir.join("sys") }, dir).unwrap()
    }

    fn exec(script: &str) -> String {
        format!(
            "default_rules = false\n[[exec]]\nname = \"raid\"\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\nevery_s = 1\n\
             event_type = \"equipment\"\nprobable_cause = \"equipment_malfunction\"\n"
        )
    }

    fn drain(checks: &mut Checks) -> Vec<(ResourceState, Severity, String)> {
        let changes: Vec<_> = checks.unsent().iter().map(|report| (report.state, report.severity, report.text.clone())).collect();
        checks.sent(changes.len());
        changes
    }

    #[test]
    fn a_sensor_goes_bad_and_is_repaired() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("fan-2.speed_rpm");
        let text = format!("[[sensor]]\nmetric = \"fan-2.speed_rpm\"\nfile = \"{}\"\n{FAN}", file.display());
        let mut checks = open(&text, dir.path());
        assert!(checks.is_fresh());
        let now = Instant::now();
        std::fs::write(&file, "4200\n").unwrap();
        assert_eq!(checks.round(now, Timestamp::UNIX_EPOCH).metrics.get("sensor.fan-2.speed_rpm"), Some(&4200.0));
        assert_eq!(drain(&mut checks), []);
        std::fs::write(&file, "0\n").unwrap();
        checks.round(now, Timestamp::UNIX_EPOCH);
        checks.announced().unwrap();
        // Killed before the spool had it: the next process still has it to send, and only once.
        let mut checks = open(&text, dir.path());
        assert!(!checks.is_fresh());
        checks.round(now, Timestamp::UNIX_EPOCH);
        let changes = drain(&mut checks);
        assert_eq!((changes.len(), changes[0].0), (1, ResourceState::Raised));
        assert_eq!(checks.active().len(), 1);
        std::fs::write(&file, "4100\n").unwrap();
        checks.round(now, Timestamp::UNIX_EPOCH);
        assert_eq!(drain(&mut checks)[0].0, ResourceState::Cleared);
        assert_eq!(checks.active(), []);
    }

    #[tokio::test]
    async fn an_exec_check_raises_changes_and_clears() {
        use ResourceState::{Cleared, Raised};
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("exit");
        let script = format!("read code < {}; echo 'disks | n='$code; exit $code", state.display());
        let mut checks = open(&exec(&script), dir.path());
        let mut seen = Vec::new();
        for code in [0, 1, 1, 2, 3, 0] {
            std::fs::write(&state, format!("{code}\n")).unwrap();
            checks.exec_ended().await;
            seen.extend(drain(&mut checks).into_iter().map(|(state, severity, _)| (code, state, severity)));
        }
        let expected =
            [(1, Raised, Severity::Minor), (2, Raised, Severity::Major), (3, Raised, Severity::Warning), (0, Cleared, Severity::Warning)];
        assert_eq!(seen, expected);
        let metrics = checks.round(Instant::now(), Timestamp::UNIX_EPOCH).metrics;
        assert_eq!((metrics["exec.raid.status_code"], metrics["exec.raid.n"]), (0.0, 0.0));
    }

    #[tokio::test]
    async fn the_alarm_of_a_removed_check_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let mut checks = open(&exec("echo broken; exit 2"), dir.path());
        checks.exec_ended().await;
        assert_eq!(drain(&mut checks), [(ResourceState::Raised, Severity::Major, "raid: broken".to_owned())]);
        checks.round(Instant::now(), Timestamp::UNIX_EPOCH);
        assert_eq!(drain(&mut checks), [], "rules do not judge it");
        let mut checks = open("default_rules = false", dir.path());
        checks.round(Instant::now(), Timestamp::UNIX_EPOCH);
        assert_eq!(drain(&mut checks)[0].0, ResourceState::Cleared);
    }
}

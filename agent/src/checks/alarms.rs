//! The alarms that are raised now, and the changes that the spool does not have yet.
//!
//! Both live in one state file, and the order of writing is what keeps a change from getting lost:
//!
//! 1. a change goes into the file, as the new state *and* as unsent ([`Alarms::save`], synced);
//! 2. the caller appends it to the spool (synced);
//! 3. it is taken out of the unsent ones ([`Alarms::sent`]).
//!
//! Killed after 1, the change is still unsent when the next process looks; killed after 2, it is appended once more,
//! which the server takes for what it is: the state of an alarm that it knows. Were the spool written first, an alarm
//! that ended while nobody ran would stay raised at the centre for ever: appended there, and unknown here.
//!
//! A spool that is full keeps changes unsent, in order, until there is room.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lineman_common::alarm::{AlarmKey, AlarmReport, ResourceState};
use serde::{Deserialize, Serialize};
use tracing::error;

const FILE: &str = "alarms.json";
const VERSION: u32 = 1;

/// With more changes waiting than this, only the newest of each alarm is kept.
const MOST_UNSENT: usize = 512;

#[derive(Debug, thiserror::Error)]
#[error("could not {doing} the alarm state {}", path.display())]
pub struct StateError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

#[derive(Serialize, Deserialize)]
struct State {
    version: u32,
    /// The list of active alarms was not reported since this state began.
    fresh: bool,
    raised: Vec<Raised>,
    unsent: Vec<AlarmReport>,
}

/// An alarm that is raised, and what holds it.
#[derive(Clone, Serialize, Deserialize)]
struct Raised {
    report: AlarmReport,
    by: Vec<String>,
}

pub struct Alarms {
    path: PathBuf,
    fresh: bool,
    raised: BTreeMap<AlarmKey, Raised>,
    unsent: Vec<AlarmReport>,
    /// Something is not in the file yet.
    dirty: bool,
}

impl Alarms {
    /// Reads the state in `dir`. One that can't be understood is put aside: the list of active alarms that then goes to the
    /// centre puts right what it held.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(FILE);
        let mut alarms = Self { path: path.clone(), fresh: true, raised: BTreeMap::new(), unsent: Vec::new(), dirty: true };
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(alarms),
            Err(source) => return Err(StateError { doing: "read", path, source }),
        };
        match serde_json::from_slice::<State>(&text) {
            Ok(state) if state.version == VERSION => {
                alarms.fresh = state.fresh;
                alarms.raised = state.raised.into_iter().map(|raised| (raised.report.key.clone(), raised)).collect();
                alarms.unsent = state.unsent;
                alarms.dirty = false;
            }
            unreadable => {
                let reason = unreadable.map_or_else(|error| error.to_string(), |state| format!("it has version {}", state.version));
                let aside = path.with_extension("json.damaged");
                error!(state.path = %path.display(), reason, "the alarm state can't be understood; it is put aside and begun anew");
                std::fs::rename(&path, &aside).map_err(|source| StateError { doing: "put aside", path, source })?;
            }
        }
        Ok(alarms)
    }

    pub const fn is_fresh(&self) -> bool {
        self.fresh
    }

    pub fn announced(&mut self) -> Result<(), StateError> {
        self.dirty |= self.fresh;
        self.fresh = false;
        self.save()
    }

    /// Each raised alarm with the marks of what holds it.
    pub fn held_by(&self) -> impl Iterator<Item = (&AlarmKey, &[String])> {
        self.raised.iter().map(|(key, raised)| (key, raised.by.as_slice()))
    }

    /// All raised alarms, as they were last reported.
    pub fn active(&self) -> Vec<AlarmReport> {
        self.raised.values().map(|raised| raised.report.clone()).collect()
    }

    /// An alarm holds. A change only if it was not raised, or with another severity.
    pub fn stand(&mut self, report: AlarmReport, by: Vec<String>) {
        match self.raised.get_mut(&report.key) {
            Some(raised) if raised.report.severity == report.severity => {
                if raised.by != by {
                    raised.by = by;
                    self.dirty = true;
                }
            }
            Some(_) | None => {
                self.changed(report.clone());
                self.raised.insert(report.key.clone(), Raised { report, by });
            }
        }
    }

    /// An alarm ended, if it was raised. Its text stays the one it was raised with, so that lists keep saying what it was
    /// about; `value` is what ended it.
    pub fn clear(&mut self, key: &AlarmKey, value: Option<String>, at: Timestamp) {
        if let Some(Raised { report, .. }) = self.raised.remove(key) {
            self.changed(AlarmReport { state: ResourceState::Cleared, value, at, ..report });
        }
    }

    fn changed(&mut self, report: AlarmReport) {
        self.dirty = true;
        self.unsent.push(report);
        if self.unsent.len() > MOST_UNSENT {
            let newest: BTreeMap<AlarmKey, usize> = self.unsent.iter().enumerate().map(|(at, report)| (report.key.clone(), at)).collect();
            let mut at = 0..;
            self.unsent.retain(|report| at.next() == newest.get(&report.key).copied());
        }
    }

    /// Changes that the spool does not have yet, oldest first.
    pub fn unsent(&self) -> &[AlarmReport] {
        &self.unsent
    }

    /// The spool has the first `count` of them. A state that can't be written is logged, and costs a repetition.
    pub fn sent(&mut self, count: usize) {
        self.unsent.drain(..count.min(self.unsent.len()));
        self.dirty |= count > 0;
        if let Err(error) = self.save() {
            error!(error = error_chain(&error), "the alarm state is not on disk; after a restart, changes may be reported again");
        }
    }

    /// Writes the state if it changed. Durable when it returns.
    pub fn save(&mut self) -> Result<(), StateError> {
        if !self.dirty {
            return Ok(());
        }
        let state =
            State { version: VERSION, fresh: self.fresh, raised: self.raised.values().cloned().collect(), unsent: self.unsent.clone() };
        let write = || write_durably(&self.path, &serde_json::to_vec(&state)?);
        write().map_err(|source| StateError { doing: "write", path: self.path.clone(), source })?;
        self.dirty = false;
        Ok(())
    }
}

/// The message with its cause, for a log line.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Either the old file or the whole new one is there, also after a power cut.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use lineman_common::alarm::{EventType, ProbableCause, Severity};

    use super::*;

    fn report(qualifier: &str, severity: Severity) -> AlarmReport {
        AlarmReport {
            key: AlarmKey { alarm_type: "fan.speed".into(), qualifier: qualifier.into() },
            state: ResourceState::Raised,
            severity,
            event_type: EventType::Equipment,
            probable_cause: ProbableCause::FanFailure,
            text: "fan stopped".into(),
            value: Some("0 rpm".into()),
            threshold: None,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn reopened(dir: &Path) -> Alarms {
        Alarms::open(dir).unwrap()
    }

    #[test]
    fn a_kill_at_any_point_loses_no_change() {
        let dir = tempfile::tempdir().unwrap();
        let mut alarms = reopened(dir.path());
        alarms.stand(report("fan-1", Severity::Major), vec!["rule".into()]);
        alarms.save().unwrap();

        // Killed before the spool had it: it is unsent. Killed after: it is sent again. Either way it is known as raised.
        let mut alarms = reopened(dir.path());
        assert_eq!(alarms.unsent(), [report("fan-1", Severity::Major)]);
        assert_eq!(alarms.active(), [report("fan-1", Severity::Major)]);
        alarms.sent(1);

        // The alarm ended while nobody ran: it is cleared, because it is known.
        let mut alarms = reopened(dir.path());
        assert_eq!(alarms.unsent(), []);
        alarms.clear(&report("fan-1", Severity::Major).key, Some("4000 rpm".into()), Timestamp::UNIX_EPOCH);
        alarms.save().unwrap();
        let alarms = reopened(dir.path());
        assert_eq!(alarms.active(), []);
        assert_eq!(alarms.unsent()[0].state, ResourceState::Cleared);
        assert_eq!((alarms.unsent()[0].text.as_str(), alarms.unsent()[0].value.as_deref()), ("fan stopped", Some("4000 rpm")));
    }

    #[test]
    fn only_raising_clearing_and_another_severity_are_changes() {
        let dir = tempfile::tempdir().unwrap();
        let mut alarms = reopened(dir.path());
        let changed = AlarmReport { value: Some("100 rpm".into()), ..report("fan-1", Severity::Major) };
        alarms.stand(report("fan-1", Severity::Major), vec![]);
        alarms.stand(changed, vec!["another rule".into()]);
        assert_eq!(alarms.unsent().len(), 1);
        alarms.stand(report("fan-1", Severity::Critical), vec![]);
        assert_eq!(alarms.unsent().len(), 2);
        alarms.clear(&report("fan-2", Severity::Major).key, None, Timestamp::UNIX_EPOCH);
        assert_eq!(alarms.unsent().len(), 2, "what is not raised can't clear");
    }

    #[test]
    fn a_damaged_state_is_put_aside_and_leads_to_a_list_of_active_alarms() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["{\"version\":1,", "", "{\"version\":9,\"fresh\":false,\"raised\":[],\"unsent\":[]}"] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            let mut alarms = reopened(dir.path());
            assert!(alarms.is_fresh());
            assert_eq!(std::fs::read_to_string(dir.path().join("alarms.json.damaged")).unwrap(), text);
            alarms.announced().unwrap();
            assert!(!reopened(dir.path()).is_fresh());
        }
    }

    #[test]
    fn what_waits_is_bounded_and_keeps_the_newest_of_each() {
        let dir = tempfile::tempdir().unwrap();
        let mut alarms = reopened(dir.path());
        let key = report("fan-1", Severity::Major).key;
        alarms.stand(report("fan-2", Severity::Minor), vec![]);
        for _ in 0..MOST_UNSENT {
            alarms.stand(report("fan-1", Severity::Major), vec![]);
            alarms.clear(&key, None, Timestamp::UNIX_EPOCH);
        }
        assert!(alarms.unsent().len() <= MOST_UNSENT);
        assert_eq!(alarms.unsent()[0].key.qualifier, "fan-2");
        assert_eq!(alarms.unsent().last().unwrap().state, ResourceState::Cleared);
    }
}

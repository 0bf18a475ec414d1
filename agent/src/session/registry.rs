//! The sessions that are live, and how to end them.
//!
//! Whoever ends a session kills what is in its control group in the same call ([`Blow`]): neither a disk that hangs nor a busy runtime
//! keeps that waiting. Everything else that belongs to the end (words, recording, a second look) is the session's own task's.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::name::PersonName;
use lineman_common::session::{Doors, EndReason};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::cgroup::Group;
use super::contain::Hold;

/// For SFTP children to say what was still open, before they are killed; a busy device runs them late. Nothing else is waited for.
pub const LAST_OPERATIONS: Duration = Duration::from_millis(250);

/// What `lineman-agent sessions` shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionInfo {
    pub session: SessionId,
    pub consent: ConsentId,
    pub engineer: PersonName,
    pub account: String,
    pub doors: Doors,
    /// What holds the session's processes together.
    pub containment: Hold,
    pub started: Timestamp,
}

/// A line for people.
impl fmt::Display for SessionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, consent, engineer, account, doors, containment, started } = self;
        write!(f, "{session}\t{engineer}\t{account}\t{started}\t{consent}\t{doors}\t{containment}")
    }
}

/// Why the session must end, and by whose word, for the engineer's screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub reason: EndReason,
    pub text: String,
}

impl Ending {
    pub fn new(reason: EndReason) -> Self {
        let text = match reason {
            EndReason::Client => "the client left",
            EndReason::Revoked => "the consent was revoked",
            EndReason::FaultClosed => "the fault was closed",
            EndReason::TimeUp => "the consent's time is up",
            EndReason::Killed => "the session was killed",
            EndReason::LinkLost => "the connection was lost",
            EndReason::CentreStopped => "the support centre stops",
            EndReason::AgentStopped => "the agent on the device is stopping",
            EndReason::RecorderFailed => "the device can't record any more",
            EndReason::Quota => "the recording reached its largest size",
            EndReason::Stopped => "everything on this device was stopped",
            EndReason::Error => "an error on the device",
        };
        Self { reason, text: text.to_owned() }
    }
}

/// Until the session must end.
pub async fn ending(stop: &mut watch::Receiver<Option<Ending>>) -> Ending {
    // The list entry outlives the session's task; if it didn't, that would be an end as well.
    let ending = stop.wait_for(Option::is_some).await.ok().and_then(|ending| ending.clone());
    ending.unwrap_or_else(|| Ending::new(EndReason::Error))
}

/// What kills a session's processes at once, where a control group holds them.
#[derive(Clone)]
pub struct Blow {
    pub group: Option<Group>,
    /// Its SFTP children.
    pub sftp: Arc<AtomicUsize>,
}

impl Blow {
    /// Needs no descriptor, no disk and no runtime: what is in the group is dead when this returns. Where SFTP runs, a moment later.
    fn begin(&self, session: SessionId) {
        if self.sftp.load(Ordering::Relaxed) == 0 {
            return self.strike(session);
        }
        let blow = self.clone();
        let later = move || {
            thread::sleep(LAST_OPERATIONS);
            blow.strike(session);
        };
        if let Err(error) = thread::Builder::new().name("strike".to_owned()).spawn(later) {
            tracing::warn!(%error, session.id = %session, "no thread can be had: what SFTP still had open is not told");
            self.strike(session);
        }
    }

    pub fn strike(&self, session: SessionId) {
        if let Some(Err(error)) = self.group.as_ref().map(Group::kill_at_once) {
            tracing::error!(%error, session.id = %session, "the session's control group can't be killed in one blow");
        }
    }
}

struct Entry {
    info: SessionInfo,
    end: watch::Sender<Option<Ending>>,
    blow: Blow,
}

#[derive(Default)]
pub struct Sessions(Mutex<HashMap<SessionId, Entry>>);

impl Sessions {
    /// No operation leaves the map half-changed, so a poisoned lock is safe.
    fn map(&self) -> MutexGuard<'_, HashMap<SessionId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists a session for as long as the guard lives.
    pub fn enter(self: &Arc<Self>, info: SessionInfo, blow: Blow) -> (Listed, watch::Receiver<Option<Ending>>) {
        let (end, ending) = watch::channel(None);
        let listed = Listed { sessions: Arc::clone(self), session: info.session };
        self.map().insert(info.session, Entry { info, end, blow });
        (listed, ending)
    }

    pub fn list(&self) -> Vec<SessionInfo> {
        let mut list: Vec<_> = self.map().values().map(|entry| entry.info.clone()).collect();
        list.sort_by_key(|info| info.session);
        list
    }

    /// `false` when there is no such session.
    pub fn end(&self, session: SessionId, ending: &Ending) -> bool {
        self.end_where(ending, |info| info.session == session) > 0
    }

    pub fn end_consent(&self, consent: ConsentId, ending: &Ending) -> usize {
        self.end_where(ending, |info| info.consent == consent)
    }

    pub fn is_live(&self, session: SessionId) -> bool {
        self.map().contains_key(&session)
    }

    pub fn end_every(&self, ending: &Ending) -> usize {
        self.end_where(ending, |_| true)
    }

    /// The first reason stands. Told before the blow: a child that dies of it did not just exit.
    fn end_where(&self, ending: &Ending, which: impl Fn(&SessionInfo) -> bool) -> usize {
        let map = self.map();
        let chosen: Vec<_> = map.values().filter(|entry| which(&entry.info)).collect();
        for entry in &chosen {
            if entry.end.send_if_modified(|slot| slot.is_none() && slot.replace(ending.clone()).is_none()) {
                entry.blow.begin(entry.info.session);
            }
        }
        chosen.len()
    }
}

/// Takes its session off the list when it goes.
pub struct Listed {
    sessions: Arc<Sessions>,
    session: SessionId,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.sessions.map().remove(&self.session);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::super::cgroup::Hierarchy;
    use super::*;

    /// Nothing but the call: no runtime runs, and no task of a session sees to anything.
    #[test]
    fn what_ends_a_session_kills_its_processes_in_the_same_call() {
        let Some(hierarchy) = Hierarchy::find() else {
            eprintln!("skipped: this needs root and a cgroup v2 that can be written");
            return;
        };
        for sftp in [0, 1] {
            let session = SessionId::new();
            let group = hierarchy.make(session).unwrap();
            let joins = format!("echo 0 > {}/cgroup.procs; exec sleep 1000", group.dir().display());
            let mut child = Command::new("sh").args(["-c", &joins]).stdout(Stdio::null()).spawn().unwrap();
            while group.members().unwrap().is_empty() {
                thread::sleep(Duration::from_millis(2));
            }
            let sessions = Arc::new(Sessions::default());
            let info = SessionInfo {
                session,
                consent: ConsentId::new(),
                engineer: "engineer-a".parse().unwrap(),
                account: "view".into(),
                doors: "exec".parse().unwrap(),
                containment: Hold::Cgroup,
                started: Timestamp::now(),
            };
            let blow = Blow { group: Some(group.clone()), sftp: Arc::new(AtomicUsize::new(sftp)) };
            let (_listed, ending) = sessions.enter(info, blow);
            assert!(sessions.end(session, &Ending::new(EndReason::Killed)));
            assert!(ending.borrow().is_some());
            assert!(!child.wait().unwrap().success(), "it was killed");
            assert_eq!(group.kill().unwrap(), 0);
        }
    }
}

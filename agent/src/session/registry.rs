//! The sessions that are live, and how to end them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::name::PersonName;
use lineman_common::session::{Doors, EndReason};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::contain::Hold;

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

struct Entry {
    info: SessionInfo,
    end: watch::Sender<Option<Ending>>,
}

#[derive(Default)]
pub struct Sessions(Mutex<HashMap<SessionId, Entry>>);

impl Sessions {
    /// No operation leaves the map half-changed, so a poisoned lock is safe.
    fn map(&self) -> MutexGuard<'_, HashMap<SessionId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists a session for as long as the guard lives.
    pub fn enter(self: &Arc<Self>, info: SessionInfo) -> (Listed, watch::Receiver<Option<Ending>>) {
        let (end, ending) = watch::channel(None);
        let listed = Listed { sessions: Arc::clone(self), session: info.session };
        self.map().insert(info.session, Entry { info, end });
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

    /// The first reason stands.
    fn end_where(&self, ending: &Ending, which: impl Fn(&SessionInfo) -> bool) -> usize {
        let map = self.map();
        let chosen: Vec<_> = map.values().filter(|entry| which(&entry.info)).collect();
        for entry in &chosen {
            entry.end.send_if_modified(|slot| slot.is_none() && slot.replace(ending.clone()).is_none());
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

//! The running agent: what its doors (the link and the control socket) act on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::link::Report;
use lineman_common::session::EndReason;
use lineman_common::statement::Signed;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::checks::Runner;
use crate::config::Settings;
use crate::consents::{Consents, Refusal, STORE_EVERY_S};
use crate::identity::Identity;
use crate::log::LogLevelHandle;
use crate::outbox::{Outbox, OutboxError};
use crate::session::Host;
use crate::session::chain::end_unfinished;
use crate::session::registry::{Ending, Sessions};
use crate::watch::Nudges;

pub const SOFTWARE: &str = concat!("lineman-agent ", env!("CARGO_PKG_VERSION"));

#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Report(#[from] OutboxError),
}

/// How the link is, for `status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkState {
    pub connected: bool,
    pub since: Timestamp,
    /// Why it is not connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

pub struct Agent {
    pub settings: Settings,
    pub identity: Arc<Identity>,
    pub boot_id: String,
    pub outbox: Arc<Outbox>,
    pub consents: Arc<Consents>,
    pub sessions: Arc<Sessions>,
    pub host: Arc<Host>,
    pub runner: Runner,
    pub nudges: Nudges,
    pub log_level: LogLevelHandle,
    /// Legs; waited for at the end.
    pub legs: TaskTracker,
    pub stop: CancellationToken,
    pub link: Mutex<LinkState>,
}

impl Agent {
    pub fn link(&self) -> MutexGuard<'_, LinkState> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_link(&self, connected: bool, problem: Option<String>) {
        let mut link = self.link();
        let since = if link.connected == connected { link.since } else { Timestamp::now() };
        *link = LinkState { connected, since, problem };
    }

    /// Ends a consent and everything that runs under it, or was left running. Nobody enters under it from here on; its
    /// sessions die first. An error says that the end is not on disk: then it must be asked for again.
    pub fn end_consent(&self, id: ConsentId, reason: EndReason) -> Result<(), AgentError> {
        self.sessions.end_consent(id, &Ending::new(reason));
        let ended = self.consents.end(id, reason);
        // A session that was just being let in.
        self.sessions.end_consent(id, &Ending::new(reason));
        self.reap_ended();
        if let Err(error) = self.tell_ended_consents() {
            tracing::error!(%error, consent.id = %id, "the end of a consent can't be told now; it will be tried again");
        }
        Ok(ended?)
    }

    /// Takes a roster, and ends the consents that it bears no more.
    pub fn take_roster(&self, signed: &Signed) -> Result<(), AgentError> {
        self.consents.take_roster(signed)?;
        self.end_unfounded();
        Ok(())
    }

    /// Also at the start: the agent may have been killed right after it took a roster.
    pub fn end_unfounded(&self) {
        for consent in self.consents.unfounded() {
            if let Err(error) = self.end_consent(consent, EndReason::Revoked) {
                tracing::error!(%error, consent.id = %consent, "ending a consent that the roster bears no more");
            }
        }
    }

    /// Kills what sessions of ended consents left running, beside everything else.
    pub fn reap_ended(&self) {
        if !self.consents.to_reap().is_empty() {
            let host = Arc::clone(&self.host);
            self.legs.spawn_blocking(move || host.reap_ended());
        }
    }

    /// Tells the centre about ends that it has not heard of, also those from before a restart.
    pub fn tell_ended_consents(&self) -> Result<(), AgentError> {
        for (consent, reason, at) in self.consents.untold() {
            self.outbox.send(&Report::ConsentEnded { at, consent, reason })?;
            self.consents.told(consent)?;
        }
        Ok(())
    }

    /// What could not be done before: ends that are untold, processes that are alive, recordings without an end.
    fn try_again(&self) {
        if let Err(error) = self.tell_ended_consents() {
            tracing::error!(%error, "the end of a consent can't be told now; it will be tried again");
        }
        self.reap_ended();
        let studio = Arc::clone(self.host.studio());
        if !studio.unfinished().is_empty() {
            self.legs.spawn_blocking(move || end_unfinished(&studio));
        }
    }

    /// `false` when there is no such session.
    pub fn kill(&self, session: SessionId, by: &str) -> bool {
        let text = format!("the session was killed by {}", lineman_common::printable::escape(by));
        self.sessions.end(session, &Ending { reason: EndReason::Killed, text })
    }

    /// Keeps the consents' time: ends them when it is up, and writes elapsed time down.
    pub async fn keep_time(self: Arc<Self>) {
        let every = Duration::from_secs(STORE_EVERY_S);
        let mut store_at = Instant::now() + every;
        loop {
            let wait = self.consents.next_end().unwrap_or(every).min(store_at.saturating_duration_since(Instant::now()));
            tokio::select! {
                () = sleep(wait.max(Duration::from_millis(10))) => {}
                () = self.nudges.consents.notified() => {}
                () = self.stop.cancelled() => return,
            }
            for consent in self.consents.expired() {
                tracing::info!(consent.id = %consent, "the consent's time is up");
                if let Err(error) = self.end_consent(consent, EndReason::TimeUp) {
                    tracing::error!(%error, consent.id = %consent, "ending a consent");
                }
            }
            if Instant::now() >= store_at {
                store_at = Instant::now() + every;
                if let Err(error) = self.consents.store_elapsed() {
                    tracing::error!(%error, "elapsed time of consents is not on disk");
                }
                self.try_again();
            }
        }
    }
}

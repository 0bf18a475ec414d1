//! The running agent: what its doors (the link and the control socket) act on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::link::Report;
use lineman_common::session::EndReason;
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

    /// Ends a consent and everything that runs under it. Nobody enters under it from here on; its sessions die first.
    pub fn end_consent(&self, id: ConsentId, reason: EndReason) -> Result<(), AgentError> {
        self.sessions.end_consent(id, &Ending::new(reason));
        self.consents.end(id, reason)?;
        // A session that was just being let in.
        self.sessions.end_consent(id, &Ending::new(reason));
        self.tell_ended_consents()
    }

    /// Tells the centre about ends that it has not heard of, also those from before a restart.
    pub fn tell_ended_consents(&self) -> Result<(), AgentError> {
        for (consent, reason, at) in self.consents.untold() {
            self.outbox.send(&Report::ConsentEnded { at, consent, reason })?;
            self.consents.told(consent)?;
        }
        Ok(())
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
            }
        }
    }
}

//! The running agent: what its doors (the link and the control socket) act on.

mod local;

pub use self::local::Administrator;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::link::Report;
use lineman_common::session::EndReason;
use lineman_common::statement::lines::LineError;
use lineman_common::statement::sig::SignError;
use lineman_common::statement::{Namespace, Receipt, Signed, sha256_hex};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::checks::Runner;
use crate::config::Settings;
use crate::consents::{Consents, EndedStanding, InForce, Live, Refusal, STORE_EVERY_S, Stop, Whose};
use crate::dial::Dialer;
use crate::identity::Identity;
use crate::journal::{Entry, Journal, List};
use crate::log::LogLevelHandle;
use crate::outbox::{Outbox, OutboxError};
use crate::session::Host;
use crate::session::chain::end_unfinished;
use crate::session::registry::{Ending, Sessions};
use crate::sink::Sink;
use crate::watch::Nudges;

pub const SOFTWARE: &str = concat!("lineman-agent ", env!("CARGO_PKG_VERSION"));

#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Report(#[from] OutboxError),
    #[error("the journal can't be written, and nothing is opened without it: {0}")]
    Journal(#[source] std::io::Error),
    #[error("this can't be written into a statement: {0}")]
    Statement(#[from] LineError),
    #[error("the device's key can't sign: {0}")]
    Sign(#[from] SignError),
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
    /// The way to the centre.
    pub dialer: Dialer,
    pub boot_id: String,
    pub outbox: Arc<Outbox>,
    pub consents: Arc<Consents>,
    pub sessions: Arc<Sessions>,
    pub host: Arc<Host>,
    /// Where the journal goes beside the centre.
    pub sink: Arc<Sink>,
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

    fn journal(&self) -> &Journal {
        self.host.studio().witness()
    }

    /// Writes down what has happened anyway: a journal that can't take it stops nothing that ends something.
    fn note(&self, entry: &Entry) {
        if let Err(error) = self.journal().write(entry) {
            tracing::error!(%error, kind = entry.kind(), "the journal can't be written");
        }
    }

    /// Verifies a request with the carrier's papers and makes it live; in the journal before it counts.
    pub fn admit(&self, request: &Signed, papers: &[Signed]) -> Result<Timestamp, AgentError> {
        let until = self.consents.admit_with(request, papers, |live, until| self.journal().write(&consent_live(live, until)))?;
        self.nudges.consents.notify_one();
        Ok(until)
    }

    /// Ends a consent and everything that runs under it, or was left running. Nobody enters under it from here on; its
    /// sessions die first. An error says that the end is not on disk: then it must be asked for again.
    pub fn end_consent(&self, id: ConsentId, reason: EndReason) -> Result<(), AgentError> {
        self.sessions.end_consent(id, &Ending::new(reason));
        let ended = self.consents.end(id, reason);
        // A session that was just being let in.
        self.sessions.end_consent(id, &Ending::new(reason));
        self.after_ends();
        Ok(ended?)
    }

    fn after_ends(&self) {
        self.reap_ended();
        if let Err(error) = self.tell_ended_consents() {
            tracing::error!(%error, "the end of a consent can't be told now; it will be tried again");
        }
    }

    /// Ends a standing statement for good, with every consent that rests on it.
    pub fn end_standing(&self, signed: &Signed, reason: EndReason) -> Result<(), AgentError> {
        let ended = self.consents.end_standing(signed, reason)?;
        self.end_resting(ended, reason)
    }

    fn end_resting(&self, ended: EndedStanding, reason: EndReason) -> Result<(), AgentError> {
        let EndedStanding { id, resting, remembered } = ended;
        tracing::info!(standing.id = %id, live = resting.len(), "a standing statement was ended");
        let ended: Vec<_> = resting.into_iter().map(|id| self.end_consent(id, reason)).collect();
        remembered?;
        ended.into_iter().collect()
    }

    /// Ends every session and consent, and takes nothing until [`Self::resume`]. Nothing here waits: a stop can't be delayed. An error
    /// says that it is not on disk: then it must be asked for again.
    pub fn stop_everything(&self, whose: Whose, by: &str, reason: &str) -> Result<(), AgentError> {
        let stop = Stop::new(whose, by, reason, Timestamp::now());
        let text = format!("everything on {} was stopped by {}: {}", self.identity.device, stop.by, stop.reason);
        let ending = Ending { reason: EndReason::Stopped, text };
        self.sessions.end_every(&ending);
        let stopped = self.consents.stop(whose, by, reason);
        // A session that was just being let in.
        self.sessions.end_every(&ending);
        self.after_ends();
        if stopped.first {
            tracing::warn!(by = %stop.by, reason = %stop.reason, consents = stopped.ended.len(), "everything on this device was stopped");
            if whose == Whose::Centre {
                self.note(&Entry::Stopped { by: stop.by, reason: stop.reason });
            }
            self.tell_receipt();
        }
        Ok(stopped.stored?)
    }

    /// The centre takes its own stop back: in the journal first, as everything that opens something.
    pub fn resume(&self, whose: Whose, by: &str) -> Result<Option<Stop>, AgentError> {
        if whose == Whose::Centre && self.consents.is_stopped_by(whose) {
            let by = Stop::new(whose, by, "", Timestamp::now()).by;
            self.journal().write(&Entry::Resumed { by }).map_err(AgentError::Journal)?;
        }
        self.take_stop_back(whose, by)
    }

    /// Takes a stop of that side back, which must be written down before. Returns what still stops the device.
    fn take_stop_back(&self, whose: Whose, by: &str) -> Result<Option<Stop>, AgentError> {
        let (taken_back, still) = self.consents.resume(whose)?;
        if taken_back.is_some() {
            let by = Stop::new(whose, by, "", Timestamp::now()).by;
            tracing::warn!(%by, "a stop was taken back");
            self.tell_receipt();
        }
        Ok(still)
    }

    /// Takes a roster, and ends the consents that it bears no more.
    pub fn take_roster(&self, signed: &Signed) -> Result<(), AgentError> {
        if self.consents.take_roster(signed)? {
            let counter = self.consents.roster_counter();
            self.note(&Entry::List { list: List::Roster, counter, sha256: sha256_hex(&signed.text) });
            self.tell_receipt();
        }
        self.end_unfounded();
        Ok(())
    }

    /// Takes a signer list that its predecessor's signers signed, and ends the consents of those who are not on it.
    pub fn take_signers(&self, signed: &[Signed]) -> Result<(), AgentError> {
        if self.consents.take_signers(signed)? {
            self.signers_changed();
        }
        Ok(())
    }

    fn signers_changed(&self) {
        let InForce { signers: counter, signers_sha256: sha256, .. } = self.consents.in_force();
        tracing::warn!(counter, "the carrier's signer list was replaced");
        self.note(&Entry::List { list: List::Signers, counter, sha256 });
        self.end_unfounded();
        self.tell_receipt();
    }

    /// Also at the start: the agent may have been killed right after it took a list.
    pub fn end_unfounded(&self) {
        for consent in self.consents.unfounded() {
            if let Err(error) = self.end_consent(consent, EndReason::Revoked) {
                tracing::error!(%error, consent.id = %consent, "ending a consent that the lists bear no more");
            }
        }
    }

    /// Tells the centre, and through it the carrier, in signed words what this device holds and obeys. Told on every new link and with
    /// every change, so one that can't be told now is no loss.
    pub fn tell_receipt(&self) {
        let receipt = self.receipt().map_err(AgentError::from);
        let signed = receipt.and_then(|text| Ok(Signed::sign(&self.identity.host_key, Namespace::Receipt, text)?));
        if let Err(error) = signed.and_then(|signed| Ok(self.outbox.send(&Report::Receipt { signed })?)) {
            tracing::error!(%error, "what this device obeys can't be told now");
        }
    }

    fn receipt(&self) -> Result<String, LineError> {
        let InForce { roster, signers, signers_sha256, signers_expiry, vendor_root_sha256, .. } = self.consents.in_force();
        let policy = self.consents.policy();
        let grades = policy.grades.iter().map(|grade| grade.as_str()).collect::<Vec<_>>();
        Receipt {
            device: self.identity.device.clone(),
            signers,
            signers_sha256,
            signers_expiry,
            vendor_root_sha256,
            roster,
            grades: if grades.is_empty() { "none".to_owned() } else { grades.join(",") },
            approvals: policy.approvals,
            stopped: self.consents.stopped().map_or_else(|| "no".to_owned(), |stop| stop.who()),
            at: now_in_seconds(),
        }
        .write()
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
            if self.consents.is_first_told(consent) {
                self.note(&Entry::ConsentEnded { consent, reason });
            }
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

fn consent_live(live: &Live, until: Timestamp) -> Entry {
    Entry::ConsentLive {
        consent: live.id,
        grade: live.grade,
        engineer: live.engineer.clone(),
        approvers: live.approvers.clone(),
        approved_in_page: live.approved_in_page(),
        doors: live.doors.clone(),
        account: live.account.clone(),
        until,
        statements_sha256: live.papers_sha256(),
    }
}

/// Statements carry whole seconds: an officer reads them.
fn now_in_seconds() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

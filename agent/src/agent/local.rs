//! What the administrator does on the device itself: break-glass and recovery.
//!
//! Every act is said in the device's own signed words ([`LocalStatement`]), in the journal and at the carrier's sink, and told to the
//! centre. What opens something is said *first*: when the journal can't be written, it is not done. What ends something is done
//! *first*, and then written down and sent: neither a slow disk nor a broken one can delay it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::link::{LocalConsent, Report};
use lineman_common::printable::escape;
use lineman_common::session::EndReason;
use lineman_common::statement::{LocalAct, LocalStatement, Namespace, Signed, sha256_hex};

use super::{Agent, AgentError, consent_live, now_in_seconds};
use crate::consents::{LocalTerms, Stop, Whose};
use crate::session::registry::Ending;

/// How long an act that opens something waits for the carrier's sink. A sink that is down must not make break-glass impossible; what
/// it has not got, it gets when it is back.
const SINK_PATIENCE: Duration = Duration::from_secs(3);
/// Of a reason that somebody gave, this much is signed.
const REASON_CHARS: usize = 400;

/// Who asks on the device, and what they must hear beside the answer.
pub struct Administrator {
    /// Account, process and terminal, for what is signed.
    text: String,
    warnings: Mutex<Vec<String>>,
}

impl Administrator {
    pub fn new(text: String) -> Self {
        Self { text, warnings: Mutex::default() }
    }

    /// In the order that they came.
    pub fn warnings(self) -> Vec<String> {
        self.warnings.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn(&self, warning: String) {
        tracing::warn!(%warning, "an act on the device");
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }
}

impl Agent {
    /// Says an act before it is done: signed, in the journal, at the sink. Nothing may be done when this fails.
    pub async fn local_act(&self, act: LocalAct, subject: &str, by: &Administrator, detail: &str) -> Result<Signed, AgentError> {
        let signed = self.write_down(act, subject, by, detail)?;
        self.deliver_now(by).await;
        Ok(signed)
    }

    /// Signs an act and writes it into the journal.
    fn write_down(&self, act: LocalAct, subject: &str, by: &Administrator, detail: &str) -> Result<Signed, AgentError> {
        let statement = LocalStatement {
            device: self.identity.device.clone(),
            act,
            subject: subject.to_owned(),
            by: escape(&by.text),
            detail: escape(detail),
            at: now_in_seconds(),
        };
        let signed = Signed::sign(&self.identity.host_key, Namespace::Local, statement.write()?)?;
        self.journal().local(&signed).map_err(AgentError::Journal)?;
        tracing::warn!(%act, %subject, by = %statement.by, detail = %statement.detail, "done on the device");
        Ok(signed)
    }

    async fn deliver_now(&self, by: &Administrator) {
        if let Err(error) = self.sink.deliver_now(SINK_PATIENCE).await {
            by.warn(format!("the carrier's sink has not got this yet, and gets it when it can be reached: {error}"));
        }
    }

    /// Tells the centre, which is the last to know.
    fn tell_local(&self, signed: Signed, live: Option<LocalConsent>) {
        if let Err(error) = self.outbox.send(&Report::Local { signed, live }) {
            tracing::error!(%error, "the centre can't be told now what was done on the device; the journal has it");
        }
    }

    /// An act that ends something: done at once, then written down, told and sent.
    async fn end_locally<T>(&self, act: LocalAct, subject: &str, by: &Administrator, detail: &str, end: impl FnOnce() -> T) -> T {
        let done = end();
        match self.write_down(act, subject, by, detail) {
            Ok(signed) => self.tell_local(signed, None),
            Err(error) => by.warn(format!("this was done, and is not written down: {error}")),
        }
        self.deliver_now(by).await;
        done
    }

    /// Approves a waiting request in the carrier's place (break-glass). Returns until when it is live.
    pub async fn approve_locally(&self, terms: &LocalTerms, by: &Administrator) -> Result<Timestamp, AgentError> {
        let LocalTerms { request, request_sha256, doors, duration_s, .. } = terms;
        let detail = format!("request-sha256 {request_sha256}; doors {doors}; duration-s {duration_s}");
        let id = request.id;
        let signed = self.local_act(LocalAct::ApproveConsent, &id.to_string(), by, &detail).await?;
        match self.consents.admit_local(terms, signed.clone(), |live, until| self.journal().write(&consent_live(live, until))) {
            Ok(until) => {
                self.nudges.consents.notify_one();
                self.tell_local(signed, Some(LocalConsent { consent: id, until }));
                Ok(until)
            }
            Err(error) => {
                // What was said has not come true, and that is said as well.
                let why = format!("the approval took no effect: {error}");
                self.end_locally(LocalAct::EndConsent, &id.to_string(), by, &why, || ()).await;
                Err(error.into())
            }
        }
    }

    /// Ends what bears this name: a consent, or a standing statement, also one that this device has not seen. It may be that the
    /// administrator knows of it and the device does not yet.
    pub async fn end_consent_locally(&self, id: ConsentId, by: &Administrator, reason: &str) -> Result<(), AgentError> {
        let end = || {
            // Before anything that could wait for the disk.
            self.sessions.end_consent(id, &Ending::new(EndReason::Revoked));
            if self.consents.knows(id) {
                return self.end_consent(id, EndReason::Revoked);
            }
            let ended = self.consents.end_standing_id(id, EndReason::Revoked);
            if ended.resting.is_empty() {
                by.warn(format!("no consent {id} is live or requested here; no standing statement {id} lets anybody in from now on"));
            }
            let resting = self.end_resting(ended, EndReason::Revoked);
            self.end_consent(id, EndReason::Revoked).and(resting)
        };
        self.end_locally(LocalAct::EndConsent, &id.to_string(), by, &shortened(reason), end).await
    }

    /// `false` when there is no such session.
    pub async fn kill_locally(&self, session: SessionId, by: &Administrator) -> bool {
        if !self.sessions.is_live(session) {
            return false;
        }
        let kill = || self.kill(session, &format!("the administrator of {}", self.identity.device));
        self.end_locally(LocalAct::KillSession, &session.to_string(), by, "-", kill).await
    }

    pub async fn stop_locally(&self, by: &Administrator, reason: &str) -> Result<(), AgentError> {
        self.end_locally(LocalAct::Stop, "-", by, &shortened(reason), || self.stop_everything(Whose::Device, &by.text, reason)).await
    }

    /// Takes the device's own stop back, and the centre's when `also_centre`: root's word stands above it, and this is seen. Returns
    /// what still stops the device.
    pub async fn resume_locally(&self, by: &Administrator, also_centre: bool) -> Result<Option<Stop>, AgentError> {
        let detail = if also_centre { "also what the centre stopped" } else { "-" };
        let signed = self.local_act(LocalAct::Resume, "-", by, detail).await?;
        let mut still = self.take_stop_back(Whose::Device, &by.text)?;
        if also_centre {
            still = self.take_stop_back(Whose::Centre, &by.text)?;
        }
        self.tell_local(signed, None);
        Ok(still)
    }

    /// Puts a signer list in place that its predecessor's signers did not sign (break-glass). The consents of those who are not on it end.
    pub async fn set_signers_locally(&self, text: &str, by: &Administrator) -> Result<(), AgentError> {
        let next = self.consents.check_local_signers(text)?;
        let detail = format!("number {} takes the place of number {}, unsigned", next.counter(), self.consents.in_force().signers);
        let signed = self.local_act(LocalAct::SetSigners, &sha256_hex(text), by, &detail).await?;
        self.consents.set_signers(text)?;
        self.tell_local(signed, None);
        self.signers_changed();
        Ok(())
    }

    /// Believes the wall clock again. Returns what was forgotten, and what counts now.
    pub async fn reset_clock_locally(&self, by: &Administrator) -> Result<(Option<Timestamp>, Timestamp), AgentError> {
        let signed = self.local_act(LocalAct::ResetClock, "-", by, "lists are judged by the wall clock again").await?;
        let reset = self.consents.reset_clock()?;
        self.tell_local(signed, None);
        Ok(reset)
    }
}

fn shortened(reason: &str) -> String {
    reason.trim().chars().take(REASON_CHARS).collect()
}

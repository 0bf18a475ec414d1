//! Who may enter this device, and until when.
//!
//! A consent is believed only when every link of this chain holds, checked here against what was pinned at enrolment and
//! what the owner's local file says; the centre's word counts for nothing:
//!
//! - the roster is signed by the vendor root, not expired, and not older than the one that the approver checked against;
//! - the request is signed by the engineer that the roster lists, for this device, this host key, this challenge;
//! - the consent is signed by one of the carrier's signers, for exactly this request, widening nothing;
//! - the local policy takes its grade, its account profile and its length.
//!
//! Time counts on the boot clock from the first arrival, is stored every [`STORE_EVERY_S`] seconds, and goes on after a
//! reboot. An id or a challenge works once. Expiry of lists is judged at the later of wall clock and latest issue time that
//! was verified, so a clock that was set back doesn't bring an old list back to life; issue times of requests don't count
//! for this, or one engineer could push the device's time forward, and that of a consent counts at most up to the end of
//! the roster it rests on, or one approver's wrong clock could lock the device. Root can undo it ([`Consents::reset_clock`]).
//!
//! A consent stands as long as the roster lists its engineer's key: that is asked at every entry, and of every live consent
//! when a new roster comes ([`Consents::unfounded`]).

pub mod clock;
mod ledger;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::link::DevicePolicy;
use lineman_common::name::NeName;
use lineman_common::printable::escape;
use lineman_common::session::{EndReason, Grade};
use lineman_common::statement::{CarrierSigners, Consent, Refused, Request, Roster, Signed, SignerList, hex};

use self::clock::{Clock, Moment};
pub use self::ledger::Live;
use self::ledger::{Challenge, Ended, Ledger};
use crate::durable;
use crate::identity::Identity;

/// How often elapsed time goes to disk: the most that a power cut can give back.
pub const STORE_EVERY_S: u64 = 10;

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Statement(#[from] Refused),
    #[error("{device} holds no roster of the vendor's engineers yet")]
    NoRoster { device: NeName },
    #[error("the roster number {0} is here already, with another text")]
    RosterTwice(u64),
    #[error("the approver checked against roster number {wanted}; {device} holds only number {held}")]
    RosterOlder { device: NeName, wanted: u64, held: u64 },
    #[error("the request is for {found}; this is {device}")]
    OtherDevice { found: NeName, device: NeName },
    #[error("the request names the host key {found}; {device} has {key}")]
    OtherHostKey { found: String, device: NeName, key: String },
    #[error("the challenge in the request was not issued by {device} for this request, or was used already: ask for a new one")]
    Challenge { device: NeName },
    #[error("the challenge lapsed at {at}: ask for a new one")]
    Lapsed { at: Timestamp },
    #[error("{device} does not take consents of grade {grade}: its local policy takes {taken}")]
    Grade { device: NeName, grade: Grade, taken: String },
    #[error("{device} has no account profile `{account}`: its local configuration has {known}")]
    Account { device: NeName, account: String, known: String },
    #[error("{device} takes consents of at most {most} seconds; this one lasts {found}")]
    TooLong { device: NeName, most: u32, found: u32 },
    #[error("this consent ended at {at} ({reason}) and can't be used again: ask for a new one")]
    Over { reason: EndReason, at: Timestamp },
    #[error("the consent {0} is live already, with other terms")]
    OtherTerms(ConsentId),
    #[error("the consent {0} has ended")]
    NotLive(ConsentId),
    #[error("{device} can't write down the consent: {source}")]
    Store { device: NeName, source: io::Error },
}

/// What the owner's local file says about consents.
#[derive(Clone, Debug)]
pub struct Policy {
    pub grades: Vec<Grade>,
    pub max_duration_s: u32,
    pub challenge_ttl_s: u32,
    /// Names of the account profiles.
    pub accounts: Vec<String>,
}

impl From<&Policy> for DevicePolicy {
    fn from(policy: &Policy) -> Self {
        let Policy { grades, max_duration_s, accounts, .. } = policy;
        Self { grades: grades.clone(), approvals: 1, accounts: accounts.clone(), max_duration_s: *max_duration_s }
    }
}

/// What was pinned at enrolment, as far as consents need it.
pub struct Pinned {
    pub device: NeName,
    pub host_key_fingerprint: String,
    pub signers: CarrierSigners,
    pub vendor_root: SignerList,
}

impl Pinned {
    pub fn of(identity: &Identity) -> Self {
        Self {
            device: identity.device.clone(),
            host_key_fingerprint: identity.host_key_fingerprint.clone(),
            signers: identity.signers.clone(),
            vendor_root: identity.vendor_root.clone(),
        }
    }
}

pub struct Consents {
    pinned: Pinned,
    policy: Policy,
    clock: Arc<dyn Clock>,
    roster_path: PathBuf,
    state: Mutex<State>,
}

struct State {
    ledger: Ledger,
    roster: Option<Roster>,
}

impl Consents {
    /// Reads what is on disk. A roster that no longer verifies is left aside: it authorises nobody.
    pub fn open(dir: &Path, pinned: Pinned, policy: Policy, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let roster_path = dir.join("roster");
        let mut ledger = Ledger::load(&dir.join("consents"))?;
        let now = clock.now();
        ledger.live.iter_mut().for_each(|live| live.mark(&now));
        ledger.save()?;
        let roster = kept_roster(&roster_path, &pinned.vendor_root, trusted_time(&ledger, &now))?;
        Ok(Self { pinned, policy, clock, roster_path, state: Mutex::new(State { ledger, roster }) })
    }

    /// A panic while the lock was held left at worst a change that is not on disk yet; going on is safe.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, ledger: &Ledger) -> Result<(), Refusal> {
        ledger.save().map_err(|source| Refusal::Store { device: self.pinned.device.clone(), source })
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Counter of the roster that is held, 0 for none.
    pub fn roster_counter(&self) -> u64 {
        self.state().roster.as_ref().map_or(0, |roster| roster.head.counter)
    }

    /// Takes a roster with a higher counter. The same roster again changes nothing.
    pub fn take_roster(&self, signed: &Signed) -> Result<(), Refusal> {
        let mut state = self.state();
        let at = trusted_time(&state.ledger, &self.clock.now());
        let roster = Roster::verify(signed, &self.pinned.vendor_root, at)?;
        if let Some(held) = &state.roster {
            roster.check_newer_than(held.head.counter)?;
            if roster.head.counter == held.head.counter {
                return if held.signed.text == signed.text { Ok(()) } else { Err(Refusal::RosterTwice(held.head.counter)) };
            }
        }
        let json = serde_json::to_vec(signed).map_err(io::Error::other);
        json.and_then(|json| durable::write(&self.roster_path, &json, durable::PRIVATE))
            .map_err(|source| Refusal::Store { device: self.pinned.device.clone(), source })?;
        saw_issued(&mut state.ledger, roster.head.issued);
        self.store(&state.ledger)?;
        state.roster = Some(roster);
        Ok(())
    }

    /// A fresh challenge for a request, and when it lapses.
    pub fn challenge(&self, consent: ConsentId) -> Result<(String, Timestamp), Refusal> {
        let mut state = self.state();
        check_not_over(&state.ledger, consent)?;
        if state.ledger.live.iter().any(|live| live.id == consent) {
            return Err(Refusal::OtherTerms(consent));
        }
        let mut random = [0; 32];
        ssh_key::getrandom::fill(&mut random)
            .map_err(|e| Refusal::Store { device: self.pinned.device.clone(), source: io::Error::other(e.to_string()) })?;
        let now = self.clock.now();
        let challenge = Challenge { consent, text: hex(&random), issued: now.clone() };
        let text = challenge.text.clone();
        let lapses = self.lapses_at(&challenge);
        state.ledger.challenges.retain(|challenge| !self.has_lapsed(challenge, &now));
        state.ledger.add_challenge(challenge);
        self.store(&state.ledger)?;
        Ok((text, lapses))
    }

    fn lapses_at(&self, challenge: &Challenge) -> Timestamp {
        later(challenge.issued.wall, f64::from(self.policy.challenge_ttl_s))
    }

    /// On either clock: setting the wall clock back doesn't make a challenge live longer.
    fn has_lapsed(&self, challenge: &Challenge, now: &Moment) -> bool {
        now.wall >= self.lapses_at(challenge) || now.since(&challenge.issued) >= f64::from(self.policy.challenge_ttl_s)
    }

    /// Verifies a consent with its request and makes it live. Returns until when, by the wall clock.
    ///
    /// The very same bytes again, while it is live, change nothing and are answered alike.
    pub fn admit(&self, request_signed: &Signed, consent_signed: &Signed) -> Result<Timestamp, Refusal> {
        let mut state = self.state();
        let now = self.clock.now();
        let claimed = Consent::read_unverified(consent_signed)?.id;
        check_not_over(&state.ledger, claimed)?;
        if let Some(live) = state.ledger.live.iter().find(|live| live.id == claimed) {
            let same = live.request.text == request_signed.text && live.consent.text == consent_signed.text;
            return if same { Ok(later(now.wall, live.remaining_s(&now))) } else { Err(Refusal::OtherTerms(claimed)) };
        }
        let at = trusted_time(&state.ledger, &now);
        let roster = state.roster.as_ref().ok_or_else(|| Refusal::NoRoster { device: self.pinned.device.clone() })?;
        let request = Request::verify(request_signed, roster, at)?;
        self.check_is_for_me(&request)?;
        let consent = Consent::verify(consent_signed, &request, &request_signed.text, &self.pinned.signers, at)?;
        if consent.roster > roster.head.counter {
            return Err(Refusal::RosterOlder { device: self.pinned.device.clone(), wanted: consent.roster, held: roster.head.counter });
        }
        self.check_challenge(&state.ledger, &request, &now)?;
        self.check_policy(&request, &consent)?;

        let live = Live {
            id: consent.id,
            request: request_signed.clone(),
            consent: consent_signed.clone(),
            fault: request.fault,
            engineer: request.engineer,
            engineer_key: request.engineer_key,
            approver: consent.approver,
            doors: consent.doors,
            account: request.account,
            duration_s: consent.duration_s,
            arrived: now.wall,
            elapsed_s: 0.0,
            mark: now.clone(),
            sessions: Vec::new(),
        };
        let until = later(now.wall, live.remaining_s(&now));
        let last_moment = roster.head.expiry.checked_sub(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MIN);
        saw_issued(&mut state.ledger, consent.issued.min(last_moment));
        state.ledger.challenges.retain(|challenge| challenge.consent != consent.id);
        state.ledger.live.push(live);
        if let Err(error) = self.store(&state.ledger) {
            // Not on disk is not live: after a crash nobody could say how long it had run.
            state.ledger.live.retain(|live| live.id != consent.id);
            return Err(error);
        }
        Ok(until)
    }

    fn check_is_for_me(&self, request: &Request) -> Result<(), Refusal> {
        let device = &self.pinned.device;
        if request.device != *device {
            return Err(Refusal::OtherDevice { found: request.device.clone(), device: device.clone() });
        }
        if request.host_key != self.pinned.host_key_fingerprint {
            return Err(Refusal::OtherHostKey {
                found: escape(&request.host_key),
                device: device.clone(),
                key: self.pinned.host_key_fingerprint.clone(),
            });
        }
        Ok(())
    }

    fn check_challenge(&self, ledger: &Ledger, request: &Request, now: &Moment) -> Result<(), Refusal> {
        let challenge = ledger
            .challenges
            .iter()
            .find(|challenge| challenge.consent == request.id && challenge.text == request.challenge)
            .ok_or_else(|| Refusal::Challenge { device: self.pinned.device.clone() })?;
        if self.has_lapsed(challenge, now) { Err(Refusal::Lapsed { at: self.lapses_at(challenge) }) } else { Ok(()) }
    }

    fn check_policy(&self, request: &Request, consent: &Consent) -> Result<(), Refusal> {
        let device = || self.pinned.device.clone();
        if !self.policy.grades.contains(&request.grade) {
            let taken = self.policy.grades.iter().map(|grade| grade.as_str()).collect::<Vec<_>>();
            let taken = if taken.is_empty() { "none".to_owned() } else { taken.join(", ") };
            return Err(Refusal::Grade { device: device(), grade: request.grade, taken });
        }
        if !self.policy.accounts.contains(&request.account) {
            let known = if self.policy.accounts.is_empty() { "none".to_owned() } else { self.policy.accounts.join(", ") };
            return Err(Refusal::Account { device: device(), account: escape(&request.account), known });
        }
        if consent.duration_s > self.policy.max_duration_s {
            return Err(Refusal::TooLong { device: device(), most: self.policy.max_duration_s, found: consent.duration_s });
        }
        Ok(())
    }

    /// The live consent that this key may enter under: the one that arrived last, if there are several. The current roster
    /// must list the key: a vendor that took a stolen one off it has shut it out.
    pub fn entry(&self, key_fingerprint: &str) -> Option<Live> {
        let now = self.clock.now();
        let state = self.state();
        let named = state.ledger.live.iter().filter(|live| live.engineer_key == key_fingerprint && live.remaining_s(&now) > 0.0);
        let open = named.filter(|live| self.judge(&state, live, &now).is_ok());
        open.max_by_key(|live| live.arrived).cloned()
    }

    /// Does the current roster still bear this consent? Asked only of consents that name the key that is offered, and one
    /// signature costs less than the key exchange before it.
    fn judge(&self, state: &State, live: &Live, now: &Moment) -> Result<(), Refusal> {
        let roster = state.roster.as_ref().ok_or_else(|| Refusal::NoRoster { device: self.pinned.device.clone() })?;
        Request::verify(&live.request, roster, trusted_time(&state.ledger, now))?;
        Ok(())
    }

    /// Live consents that the current roster bears no more. The caller ends them. A roster that has merely expired ends none:
    /// nobody enters until a newer one comes.
    pub fn unfounded(&self) -> Vec<ConsentId> {
        let now = self.clock.now();
        let state = self.state();
        let unfounded = state.ledger.live.iter().filter(|live| match self.judge(&state, live, &now) {
            Ok(()) | Err(Refusal::NoRoster { .. } | Refusal::Statement(Refused::ExpiredList { .. })) => false,
            Err(error) => {
                tracing::warn!(%error, consent.id = %live.id, "a live consent does not stand under the current roster");
                true
            }
        });
        unfounded.map(|live| live.id).collect()
    }

    /// Why this key may not enter, for the person.
    pub fn why_not(&self, key_fingerprint: &str) -> String {
        let device = &self.pinned.device;
        let (now, state) = (self.clock.now(), self.state());
        let named = state.ledger.live.iter().find(|live| live.engineer_key == key_fingerprint);
        match named.map(|live| self.judge(&state, live, &now)) {
            Some(Err(error)) => error.to_string(),
            Some(Ok(())) | None if state.ledger.live.is_empty() => {
                format!("no consent is live on {device}: ask for one with `lineman consent request`")
            }
            Some(Ok(())) | None => format!("no live consent on {device} names the key {}", escape(key_fingerprint)),
        }
    }

    /// A session begins: from now on, what it leaves running dies with the consent.
    pub fn entered(&self, consent: ConsentId, session: SessionId) -> Result<(), Refusal> {
        let mut state = self.state();
        let live = state.ledger.live.iter_mut().find(|live| live.id == consent).ok_or(Refusal::NotLive(consent))?;
        live.sessions.push(session);
        self.store(&state.ledger)
    }

    /// A session has left nothing running, or that has been killed. Not worth an error: at worst it is looked for once more.
    pub fn left(&self, consent: ConsentId, session: SessionId) {
        let mut state = self.state();
        let Some(sessions) = state.ledger.sessions_of(consent) else { return };
        sessions.retain(|other| *other != session);
        if let Err(error) = self.store(&state.ledger) {
            tracing::warn!(%error, session.id = %session, "the list of sessions is not on disk");
        }
    }

    /// Ended consents whose sessions may have processes still.
    pub fn to_reap(&self) -> Vec<(ConsentId, Vec<SessionId>)> {
        let state = self.state();
        let ended = state.ledger.ended.iter().filter(|ended| !ended.sessions.is_empty());
        ended.map(|ended| (ended.id, ended.sessions.clone())).collect()
    }

    /// Root says that the wall clock is right: forgets the latest issue time. Returns that, and the wall clock.
    pub fn reset_clock(&self) -> Result<(Option<Timestamp>, Timestamp), Refusal> {
        let mut state = self.state();
        let now = self.clock.now();
        let forgotten = state.ledger.latest_issued;
        state.ledger.latest_issued = None;
        if let Err(error) = self.store(&state.ledger) {
            state.ledger.latest_issued = forgotten;
            return Err(error);
        }
        if state.roster.is_none() {
            let kept = kept_roster(&self.roster_path, &self.pinned.vendor_root, now.wall);
            state.roster = kept.map_err(|source| Refusal::Store { device: self.pinned.device.clone(), source })?;
        }
        Ok((forgotten, now.wall))
    }

    /// Time left, or `None` when it is not live.
    pub fn remaining(&self, id: ConsentId) -> Option<Duration> {
        let now = self.clock.now();
        let state = self.state();
        let live = state.ledger.live.iter().find(|live| live.id == id)?;
        Some(Duration::try_from_secs_f64(live.remaining_s(&now)).unwrap_or_default())
    }

    pub fn any_live(&self) -> bool {
        !self.state().ledger.live.is_empty()
    }

    /// All live consents, with their time left.
    pub fn list(&self) -> Vec<(Live, Duration)> {
        let now = self.clock.now();
        let left = |live: &Live| Duration::try_from_secs_f64(live.remaining_s(&now)).unwrap_or_default();
        self.state().ledger.live.iter().map(|live| (live.clone(), left(live))).collect()
    }

    /// Ends a consent, also one that has not arrived yet. One that was live is in [`Self::untold`] until the centre is told.
    /// Also when this can't be written down, nobody enters under it while the agent runs; ending it again tries again.
    pub fn end(&self, id: ConsentId, reason: EndReason) -> Result<(), Refusal> {
        let mut state = self.state();
        let live = state.ledger.live.iter().find(|live| live.id == id);
        let (told, sessions) = (live.is_none(), live.map(|live| live.sessions.clone()).unwrap_or_default());
        state.ledger.add_ended(Ended { id, reason, at: self.clock.now().wall, told, sessions });
        self.store(&state.ledger)
    }

    /// Ends that the centre has not been told yet, maybe because the agent was killed in between.
    pub fn untold(&self) -> Vec<(ConsentId, EndReason, Timestamp)> {
        self.state().ledger.ended.iter().filter(|ended| !ended.told).map(|ended| (ended.id, ended.reason, ended.at)).collect()
    }

    /// The report is on its way, durably.
    pub fn told(&self, id: ConsentId) -> Result<(), Refusal> {
        let mut state = self.state();
        state.ledger.ended.iter_mut().filter(|ended| ended.id == id).for_each(|ended| ended.told = true);
        self.store(&state.ledger)
    }

    /// Consents whose time is up. The caller ends them; until then nobody can enter under them any more.
    pub fn expired(&self) -> Vec<ConsentId> {
        let now = self.clock.now();
        self.state().ledger.live.iter().filter(|live| live.remaining_s(&now) <= 0.0).map(|live| live.id).collect()
    }

    /// Time until the next consent runs out.
    pub fn next_end(&self) -> Option<Duration> {
        let now = self.clock.now();
        let state = self.state();
        let soonest = state.ledger.live.iter().map(|live| live.remaining_s(&now)).min_by(f64::total_cmp)?;
        Some(Duration::try_from_secs_f64(soonest).unwrap_or_default())
    }

    /// Writes elapsed time down.
    pub fn store_elapsed(&self) -> Result<(), Refusal> {
        let mut state = self.state();
        if state.ledger.live.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        state.ledger.live.iter_mut().for_each(|live| live.mark(&now));
        self.store(&state.ledger)
    }
}

/// The roster on disk. One that no longer verifies is left aside: it authorises nobody.
fn kept_roster(path: &Path, vendor_root: &SignerList, at: Timestamp) -> io::Result<Option<Roster>> {
    let Some(text) = durable::read(path)? else { return Ok(None) };
    let signed: Signed = serde_json::from_str(&text).map_err(io::Error::other)?;
    match Roster::verify(&signed, vendor_root, at) {
        Ok(roster) => Ok(Some(roster)),
        Err(error) => {
            tracing::warn!(%error, "the stored roster is not believed any more");
            Ok(None)
        }
    }
}

fn check_not_over(ledger: &Ledger, id: ConsentId) -> Result<(), Refusal> {
    match ledger.ended.iter().find(|ended| ended.id == id) {
        Some(ended) => Err(Refusal::Over { reason: ended.reason, at: ended.at }),
        None => Ok(()),
    }
}

/// The device's best guess of the time for judging lists: never before something that was verifiably issued.
fn trusted_time(ledger: &Ledger, now: &Moment) -> Timestamp {
    ledger.latest_issued.map_or(now.wall, |issued| issued.max(now.wall))
}

fn saw_issued(ledger: &mut Ledger, issued: Timestamp) {
    ledger.latest_issued = Some(ledger.latest_issued.map_or(issued, |known| known.max(issued)));
}

fn later(from: Timestamp, seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a consent fit; a cast of f64 saturates")]
    let whole = seconds.max(0.0) as i64;
    from.checked_add(SignedDuration::from_secs(whole)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;

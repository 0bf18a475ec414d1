//! The lists that say whose signature counts, and the time that they are judged by.

use std::io;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use lineman_common::statement::{CarrierSigners, Namespace, Refused, Roster, Signed, SignerList, sha256_hex};

use super::clock::Moment;
use super::ledger::Ledger;
use super::{Consents, Refusal, State};
use crate::durable;
use crate::identity::SIGNERS;

const ROSTER: &str = "roster";
/// The longest signer list that is taken.
pub const MAX_SIGNERS_BYTES: usize = 128 * 1024;

/// What counts on this device now.
#[derive(Clone, Debug)]
pub struct InForce {
    /// Counter of the roster, 0 for none, and when it expires.
    pub roster: u64,
    pub roster_expiry: Option<Timestamp>,
    pub signers: u64,
    pub signers_sha256: String,
    pub signers_expiry: Timestamp,
    pub vendor_root_sha256: String,
}

impl Consents {
    /// Counter of the roster that is held, 0 for none.
    pub fn roster_counter(&self) -> u64 {
        self.state().roster.as_ref().map_or(0, |roster| roster.head.counter)
    }

    pub fn in_force(&self) -> InForce {
        let state = self.state();
        let signers = state.signers.list();
        InForce {
            roster: state.roster.as_ref().map_or(0, |roster| roster.head.counter),
            roster_expiry: state.roster.as_ref().map(|roster| roster.head.expiry),
            signers: state.signers.counter(),
            signers_sha256: signers.sha256.clone(),
            // A signer list without a head is not read at all.
            signers_expiry: signers.head.as_ref().map_or(Timestamp::MIN, |head| head.expiry),
            vendor_root_sha256: self.vendor_root.sha256.clone(),
        }
    }

    /// Takes a roster with a higher counter than any that was ever believed here. The same roster again changes nothing, and is `false`.
    pub fn take_roster(&self, signed: &Signed) -> Result<bool, Refusal> {
        let mut state = self.state();
        let now = self.clock.now();
        self.try_kept_roster(&mut state, &now);
        let at = state.trusted(&now);
        let roster = Roster::verify(signed, &self.vendor_root, at)?;
        roster.check_newer_than(state.ledger.roster_floor)?;
        if let Some(held) = state.roster.as_ref().filter(|held| held.head.counter == roster.head.counter) {
            return if held.signed.text == signed.text { Ok(false) } else { Err(Refusal::RosterTwice(held.head.counter)) };
        }
        let json = serde_json::to_vec(signed).map_err(io::Error::other);
        json.and_then(|json| durable::write(&self.dir.join(ROSTER), &json, durable::PRIVATE)).map_err(self.not_stored("the roster"))?;
        saw_issued(&mut state.ledger, roster.head.issued);
        state.ledger.roster_floor = roster.head.counter;
        self.store(&state.ledger)?;
        state.roster = Some(roster);
        Ok(true)
    }

    /// Takes the carrier's new signer list, signed under the one that is in force, by as many people as the local policy wants. The
    /// very list that is in force changes nothing, and is `false`.
    pub fn take_signers(&self, signed: &[Signed]) -> Result<bool, Refusal> {
        let mut state = self.state();
        let at = state.trusted(&self.clock.now());
        if signed.first().is_some_and(|first| state.signers.list().sha256 == sha256_hex(&first.text)) {
            return Ok(false);
        }
        check_size(signed.first())?;
        if let Some(first) = signed.first() {
            check_not_twice(&state.signers, &CarrierSigners::parse(&first.text, &self.device.customer)?)?;
        }
        let next = state.signers.replaced_by(signed, &self.device.customer, self.policy.signers_approvals, at)?;
        self.put_signers(&mut state, next, signed.first().map_or("", |first| &first.text)).map(|()| true)
    }

    /// Checks a list that the administrator wants to put in place without its signers' signature (break-glass). It is held to the same
    /// rules but for the signatures.
    pub fn check_local_signers(&self, text: &str) -> Result<CarrierSigners, Refusal> {
        self.check_unsigned(&self.state(), text)
    }

    /// Puts the administrator's list in place: it must have been witnessed before this is called.
    pub fn set_signers(&self, text: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        let next = self.check_unsigned(&state, text)?;
        self.put_signers(&mut state, next, text)
    }

    fn check_unsigned(&self, state: &State, text: &str) -> Result<CarrierSigners, Refusal> {
        let next = CarrierSigners::parse(text, &self.device.customer)?;
        check_not_twice(&state.signers, &next)?;
        if next.counter() < state.signers.counter() {
            return Err(Refused::OlderList { list: "signer list", found: next.counter(), known: state.signers.counter() }.into());
        }
        next.list().check_expiry(state.trusted(&self.clock.now()))?;
        // An authority for it will do, too.
        let mut namespaces = next.list().lines.iter().flat_map(|line| &line.namespaces);
        if !namespaces.any(|namespace| namespace == Namespace::Consent.as_str()) {
            let why = format!("nobody in it may sign for `{}`", Namespace::Consent);
            return Err(Refused::BadList { list: "signer list", why }.into());
        }
        Ok(next)
    }

    /// On disk first: what counts now counts after a power cut.
    fn put_signers(&self, state: &mut State, next: CarrierSigners, text: &str) -> Result<(), Refusal> {
        durable::write(&self.dir.join(SIGNERS), text.as_bytes(), durable::PUBLIC).map_err(self.not_stored("the signer list"))?;
        if let Some(head) = &next.list().head {
            let issued = state.roster.as_ref().map_or(head.issued, |roster| within_roster(roster, head.issued));
            saw_issued(&mut state.ledger, issued.min(last_moment(head.expiry)));
        }
        state.signers = next;
        if let Err(error) = self.store(&state.ledger) {
            tracing::warn!(%error, "the signer list is in force; its issue time is not on disk");
        }
        Ok(())
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
        self.try_kept_roster(&mut state, &now);
        Ok((forgotten, now.wall))
    }

    /// A roster that was not believed at the start, by a wrong clock maybe, counts as soon as it verifies.
    pub(super) fn try_kept_roster(&self, state: &mut State, now: &Moment) {
        if state.roster.is_some() {
            return;
        }
        match kept_roster(&self.dir, &self.vendor_root, state.ledger.roster_floor, state.trusted(now)) {
            Ok(Kept::Believed(roster)) => {
                tracing::info!(counter = roster.head.counter, "the stored roster is believed again");
                state.ledger.roster_floor = state.ledger.roster_floor.max(roster.head.counter);
                state.roster = Some(roster);
            }
            Ok(Kept::None | Kept::NotNow(_)) => {}
            Err(error) => tracing::debug!(%error, "the stored roster can't be read"),
        }
    }
}

/// The list that is in force has been recognised before; this is another one.
fn check_not_twice(held: &CarrierSigners, next: &CarrierSigners) -> Result<(), Refusal> {
    if next.counter() == held.counter() { Err(Refusal::SignersTwice(next.counter())) } else { Ok(()) }
}

fn check_size(signed: Option<&Signed>) -> Result<(), Refused> {
    match signed {
        Some(signed) if signed.text.len() > MAX_SIGNERS_BYTES => {
            Err(Refused::BadList { list: "signer list", why: format!("it is longer than {MAX_SIGNERS_BYTES} bytes") })
        }
        Some(_) | None => Ok(()),
    }
}

/// What is on disk for a roster.
pub enum Kept {
    None,
    Believed(Roster),
    /// It authorises nobody as long as it does not verify.
    NotNow(Refused),
}

/// The roster on disk, unless it is older than one that was believed before.
pub fn kept_roster(dir: &Path, vendor_root: &SignerList, floor: u64, at: Timestamp) -> io::Result<Kept> {
    let Some(text) = durable::read(&dir.join(ROSTER))? else { return Ok(Kept::None) };
    let signed: Signed = serde_json::from_str(&text).map_err(io::Error::other)?;
    let verified = Roster::verify(&signed, vendor_root, at);
    let checked = verified.and_then(|roster| roster.check_newer_than(floor).map(|()| roster));
    Ok(checked.map_or_else(Kept::NotNow, Kept::Believed))
}

/// The device's best guess of the time for judging lists: never before something that was verifiably issued.
pub fn trusted_time(ledger: &Ledger, now: &Moment) -> Timestamp {
    ledger.latest_issued.map_or(now.wall, |issued| issued.max(now.wall))
}

pub fn saw_issued(ledger: &mut Ledger, issued: Timestamp) {
    ledger.latest_issued = Some(ledger.latest_issued.map_or(issued, |known| known.max(issued)));
}

/// An issue time that the carrier wrote counts at most up to the roster's last moment.
pub fn within_roster(roster: &Roster, issued: Timestamp) -> Timestamp {
    issued.min(last_moment(roster.head.expiry))
}

fn last_moment(expiry: Timestamp) -> Timestamp {
    expiry.checked_sub(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MIN)
}

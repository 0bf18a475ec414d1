//! Ends: of a consent, of a standing statement, of everything on the device.

use jiff::{SignedDuration, Timestamp};
use lineman_common::id::ConsentId;
use lineman_common::session::EndReason;
use lineman_common::statement::{CarrierSigners, Namespace, Refused, Signed, Standing};

use super::ledger::{Ledger, Stop, Whose};
use super::revoked::{MAX_REVOKED, NotRemembered, Revoked};
use super::{Consents, Refusal, State};

/// What a stop did.
pub struct Stopped {
    /// That side had not stopped the device before.
    pub first: bool,
    /// What was live.
    pub ended: Vec<ConsentId>,
    /// Whether it is on disk.
    pub stored: Result<(), Refusal>,
}

/// What the end of a standing statement means.
pub struct EndedStanding {
    pub id: ConsentId,
    /// Live consents that rest on it: the caller ends them.
    pub resting: Vec<ConsentId>,
    /// Whether the end will be remembered; if not, it must be asked for again.
    pub remembered: Result<(), Refusal>,
}

impl Consents {
    pub(super) fn check_not_stopped(&self, ledger: &Ledger) -> Result<(), Refusal> {
        match first(&ledger.stops) {
            Some(stop) => Err(Refusal::Stopped { device: self.device.clone(), stop: stop.clone() }),
            None => Ok(()),
        }
    }

    /// The stop that is in force; the device's own goes first.
    pub fn stopped(&self) -> Option<Stop> {
        first(&self.state().ledger.stops).cloned()
    }

    pub fn is_stopped_by(&self, whose: Whose) -> bool {
        self.state().ledger.stops.iter().any(|stop| stop.whose == whose)
    }

    /// Ends all live consents, and takes nothing until it is taken back: no challenge from before counts after it. In force also when
    /// it can't be written down; then it must be asked for again. The first stop of each side stands.
    pub fn stop(&self, whose: Whose, by: &str, reason: &str) -> Stopped {
        let mut state = self.state();
        let at = self.clock.now().wall;
        let ledger = &mut state.ledger;
        let first = ledger.stops.iter().all(|stop| stop.whose != whose);
        if first {
            ledger.stops.push(Stop::new(whose, by, reason, at));
        }
        let ended: Vec<_> = ledger.live.iter().map(|live| live.id).collect();
        for id in &ended {
            ledger.end_live(*id, EndReason::Stopped, at);
        }
        ledger.challenges.clear();
        let stored = self.store(ledger);
        if let Err(error) = state.requests.retain(|_| false) {
            tracing::warn!(%error, "the list of waiting requests is not on disk");
        }
        Stopped { first, ended, stored }
    }

    /// Takes a stop of that side back. Returns it, if there was one, and what still stops the device.
    pub fn resume(&self, whose: Whose) -> Result<(Option<Stop>, Option<Stop>), Refusal> {
        let mut state = self.state();
        let before = state.ledger.stops.clone();
        state.ledger.stops.retain(|stop| stop.whose != whose);
        let taken_back = before.iter().find(|stop| stop.whose == whose).cloned();
        if taken_back.is_some()
            && let Err(error) = self.store(&state.ledger)
        {
            state.ledger.stops = before;
            return Err(error);
        }
        Ok((taken_back, first(&state.ledger.stops).cloned()))
    }

    /// Ends a consent, also one that has not arrived yet. One that was live is in [`Self::untold`] until the centre is told.
    /// Also when this can't be written down, nobody enters under it while the agent runs; ending it again tries again.
    pub fn end(&self, id: ConsentId, reason: EndReason) -> Result<(), Refusal> {
        let mut state = self.state();
        let at = self.clock.now().wall;
        state.ledger.end_live(id, reason, at);
        if let Err(error) = state.requests.retain(|waiting| waiting.id != id) {
            tracing::warn!(%error, "the list of waiting requests is not on disk");
        }
        self.store(&state.ledger)
    }

    /// Is there anything to end under this name?
    pub fn knows(&self, id: ConsentId) -> bool {
        let state = self.state();
        state.ledger.live(id).is_some() || state.requests.get(id).is_some()
    }

    /// Ends a standing statement for good. Only what a carrier signer signed is remembered: junk takes no room.
    pub fn end_standing(&self, signed: &Signed, reason: EndReason) -> Result<EndedStanding, Refusal> {
        let mut state = self.state();
        let now = self.clock.now();
        let at = state.trusted(&now);
        let standing = Standing::read_unverified(signed)?;
        check_signer(signed, &standing, &state.signers, at)?;
        let revoked = Revoked { id: standing.id, valid_before: standing.valid_before, reason, at: now.wall };
        Ok(self.revoke(&mut state, revoked, at))
    }

    /// Ends a standing statement by the administrator's word, also one that was never seen here: none that is signed by now can be
    /// believed longer than this is remembered.
    pub fn end_standing_id(&self, id: ConsentId, reason: EndReason) -> EndedStanding {
        let mut state = self.state();
        let now = self.clock.now();
        let at = state.trusted(&now);
        let longest = SignedDuration::from_hours(24 * i64::from(self.policy.max_standing_days));
        let valid_before = at.checked_add(longest).unwrap_or(Timestamp::MAX);
        self.revoke(&mut state, Revoked { id, valid_before, reason, at: now.wall }, at)
    }

    fn revoke(&self, state: &mut State, revoked: Revoked, at: Timestamp) -> EndedStanding {
        let id = revoked.id;
        let remembered = state.revoked.add(revoked, at).map_err(|error| match error {
            NotRemembered::Full => Refusal::TooManyEnded { device: self.device.clone(), most: MAX_REVOKED },
            NotRemembered::Store(source) => self.not_stored("the end of the standing statement")(source),
        });
        let resting = state.ledger.live.iter().filter(|live| live.standing == Some(id)).map(|live| live.id).collect();
        EndedStanding { id, resting, remembered }
    }

    /// Ends that the centre has not been told yet, maybe because the agent was killed in between.
    pub fn untold(&self) -> Vec<(ConsentId, EndReason, Timestamp)> {
        self.state().ledger.ended.iter().filter(|ended| !ended.told).map(|ended| (ended.id, ended.reason, ended.at)).collect()
    }

    /// Whether nobody has asked this about the end of this consent yet, in this process: the journal needs it once.
    pub fn is_first_told(&self, id: ConsentId) -> bool {
        let mut state = self.state();
        state.ledger.ended.iter_mut().find(|ended| ended.id == id).is_some_and(|ended| !std::mem::replace(&mut ended.noted, true))
    }

    /// The report is on its way, durably.
    pub fn told(&self, id: ConsentId) -> Result<(), Refusal> {
        let mut state = self.state();
        state.ledger.ended.iter_mut().filter(|ended| ended.id == id).for_each(|ended| ended.told = true);
        self.store(&state.ledger)
    }
}

fn first(stops: &[Stop]) -> Option<&Stop> {
    stops.iter().find(|stop| stop.whose == Whose::Device).or(stops.first())
}

/// Is this the word of a carrier signer: now, or when it was issued, or while the list was good? An end must not fail because the
/// signer's time, or the list's, is over for the moment: a later list could bring the statement back to life.
fn check_signer(signed: &Signed, standing: &Standing, signers: &CarrierSigners, at: Timestamp) -> Result<(), Refused> {
    let list = signers.list();
    let check = |at| list.verify("standing statement", signed, standing.approver.as_str(), Namespace::Standing, at).map(drop);
    let issued = list.head.as_ref().map_or(at, |head| head.issued);
    check(at).or_else(|error| check(standing.issued).or_else(|_| check(issued)).map_err(|_| error))
}

//! Whose key may enter under a live consent, asked anew each time somebody comes.

use jiff::Timestamp;
use lineman_common::id::ConsentId;
use lineman_common::printable::escape;
use lineman_common::session::Grade;
use lineman_common::statement::{Namespace, Refused, Request, Roster, sig};

use super::clock::Moment;
use super::{Consents, Live, Refusal, State, Waiting};

impl Consents {
    /// As [`Self::entry_for`], under whichever consent names this key.
    pub fn entry(&self, key_fingerprint: &str) -> Option<Live> {
        self.entry_for(key_fingerprint, None)
    }

    /// The live consent that this key may enter under: the one that arrived last, if there are several, or the one that is named.
    ///
    /// The engineer's own key enters under grades `end-to-end` and `role`. Under grade `gateway` it is the centre's gateway that
    /// enters, with a key that the roster lists for that, and it must name the consent. The current roster must bear all of them: a
    /// vendor that took a stolen key off it has shut it out.
    pub fn entry_for(&self, key_fingerprint: &str, consent: Option<ConsentId>) -> Option<Live> {
        let now = self.clock.now();
        let state = self.state();
        let asked = state.ledger.live.iter().filter(|live| consent.is_none_or(|id| live.id == id) && live.remaining_s(&now) > 0.0);
        let open = asked.filter(|live| self.may_enter(&state, live, key_fingerprint, consent, &now).is_ok());
        open.max_by_key(|live| live.arrived).cloned()
    }

    fn may_enter(&self, state: &State, live: &Live, key_fingerprint: &str, consent: Option<ConsentId>, now: &Moment) -> Result<(), Shut> {
        match live.grade {
            Grade::EndToEnd | Grade::Role if live.engineer_key != key_fingerprint => return Err(Shut::OtherKey),
            Grade::EndToEnd | Grade::Role => {}
            Grade::Gateway if consent.is_none() => return Err(Shut::OtherKey),
            Grade::Gateway => check_gateway(self.roster(state)?, key_fingerprint, state.trusted(now))?,
        }
        Ok(self.judge(state, live, now)?)
    }

    /// Do the lists and the policy of now still bear this consent? Asked only of consents that the key could enter under, and a few
    /// signatures cost less than the key exchange before them.
    fn judge(&self, state: &State, live: &Live, now: &Moment) -> Result<(), Refusal> {
        self.check_not_stopped(&state.ledger)?;
        let request = self.check_engineer(state, &live.request, now)?;
        self.check_grade(live.grade)?;
        if live.local.is_none() {
            state.signers.list().check_expiry(state.trusted(now))?;
        }
        self.check_papers_again(state, &request, live)
    }

    /// Live consents that the current lists bear no more. The caller ends them. A list that has merely expired ends none: nobody
    /// enters until a newer one comes.
    pub fn unfounded(&self) -> Vec<ConsentId> {
        let now = self.clock.now();
        let state = self.state();
        let unfounded = state.ledger.live.iter().filter(|live| match self.judge(&state, live, &now) {
            Ok(()) | Err(Refusal::NoRoster { .. } | Refusal::Statement(Refused::ExpiredList { .. })) => false,
            Err(error) => {
                tracing::warn!(%error, consent.id = %live.id, "a live consent does not stand under the current lists");
                true
            }
        });
        unfounded.map(|live| live.id).collect()
    }

    /// As [`Self::why_not_for`], whichever consent names this key.
    pub fn why_not(&self, key_fingerprint: &str) -> String {
        self.why_not_for(key_fingerprint, None)
    }

    /// Why this key may not enter, for the person.
    pub fn why_not_for(&self, key_fingerprint: &str, consent: Option<ConsentId>) -> String {
        let device = &self.device;
        let (now, state) = (self.clock.now(), self.state());
        if let Err(stopped) = self.check_not_stopped(&state.ledger) {
            return stopped.to_string();
        }
        let key = escape(key_fingerprint);
        if let Some(id) = consent {
            return match state.ledger.live(id).map(|live| (live.grade, self.may_enter(&state, live, key_fingerprint, consent, &now))) {
                Some((_, Err(Shut::Refused(refusal)))) => refusal.to_string(),
                Some((grade, Err(Shut::OtherKey))) => format!("the consent {id} of grade {grade} does not let the key {key} in"),
                Some((_, Err(Shut::NotAGateway))) => {
                    format!("the consent {id} lets only a gateway of the roster in; {key} is none")
                }
                Some((_, Ok(()))) => format!("the time of the consent {id} is up"),
                None => self.not_live(&state, id),
            };
        }
        let named = state.ledger.live.iter().find(|live| live.grade != Grade::Gateway && live.engineer_key == key_fingerprint);
        let through = state.ledger.live.iter().find(|live| live.grade == Grade::Gateway && live.engineer_key == key_fingerprint);
        match (named.map(|live| self.judge(&state, live, &now)), through) {
            (Some(Err(error)), _) => error.to_string(),
            (None, Some(live)) => {
                let id = live.id;
                format!("the consent {id} is of grade gateway: the centre's gateway may enter for it, the key {key} may not")
            }
            (Some(Ok(())) | None, _) if asks(&state, key_fingerprint) => {
                format!("no consent is live on {device} for this key yet: its request waits for the carrier's answer")
            }
            (Some(Ok(())) | None, _) if state.ledger.live.is_empty() => {
                format!("no consent is live on {device}: ask for one with `lineman consent request`")
            }
            (Some(Ok(())) | None, _) => format!("no live consent on {device} names the key {key}"),
        }
    }

    fn not_live(&self, state: &State, id: ConsentId) -> String {
        match super::admit::check_not_over(&state.ledger, id) {
            Err(over) => over.to_string(),
            Ok(()) => format!("the consent {id} is not live on {}", self.device),
        }
    }
}

/// Does a request of this key wait for the carrier's answer?
fn asks(state: &State, key_fingerprint: &str) -> bool {
    let of_key =
        |waiting: &Waiting| Request::read_unverified(&waiting.request).is_ok_and(|request| request.engineer_key == key_fingerprint);
    state.requests.all().iter().any(of_key)
}

/// Why a key does not open a live consent.
enum Shut {
    /// It is about another key, for the caller to say which.
    OtherKey,
    NotAGateway,
    Refused(Refusal),
}

impl From<Refusal> for Shut {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Is this the key of a gateway that the roster lists, at this time?
fn check_gateway(roster: &Roster, key_fingerprint: &str, at: Timestamp) -> Result<(), Shut> {
    let list = roster.list();
    list.check_expiry(at).map_err(|error| Shut::Refused(error.into()))?;
    let mut answer = Err(Shut::NotAGateway);
    for line in list.keys_for(Namespace::Gateway).filter(|line| sig::fingerprint(&line.key).to_string() == key_fingerprint) {
        for name in &line.principals {
            match list.authorise("gateway", name, &line.key, Namespace::Gateway, at) {
                Ok(_) => return Ok(()),
                Err(error) => answer = Err(Shut::Refused(error.into())),
            }
        }
    }
    answer
}

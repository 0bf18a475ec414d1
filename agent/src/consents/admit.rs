//! From a challenge to a live consent: the whole chain, link by link.
//!
//! A consent that was signed in a page of the centre's is the carrier's word only as far as the centre let the approver see what they
//! signed. So it counts here when the owner's own file says so, and never by the centre's word or the signer list's alone.

use std::io;

use jiff::{SignedDuration, Timestamp};
use lineman_common::id::ConsentId;
use lineman_common::name::PersonName;
use lineman_common::printable::escape;
use lineman_common::session::{Doors, Grade};
use lineman_common::statement::list::{Person, different_people};
use lineman_common::statement::{Consent, KeyClass, Namespace, Request, Roster, Signed, Standing, hex, sha256_hex};

use super::clock::Moment;
use super::ledger::{Challenge, Ledger, Live};
use super::requests::Waiting;
use super::{Consents, Refusal, State, later};

/// One request needs one or two; more are no use to anybody.
const MAX_PAPERS: usize = 8;
/// So far apart the clocks of a carrier's signer and of this device may be.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Hears of a consent, and until when it will be live, right before it is.
pub trait Witness: FnOnce(&Live, Timestamp) -> io::Result<()> {}

impl<W: FnOnce(&Live, Timestamp) -> io::Result<()>> Witness for W {}

/// What the administrator approves in the carrier's place.
#[derive(Clone, Debug)]
pub struct LocalTerms {
    pub signed: Signed,
    pub request: Request,
    pub request_sha256: String,
    pub doors: Doors,
    pub duration_s: u32,
}

/// What the carrier's papers allow together.
struct Allowed {
    doors: Doors,
    duration_s: u32,
    approvers: Vec<PersonName>,
    standing: Option<ConsentId>,
    /// The latest time that one of them was issued at.
    issued: Option<Timestamp>,
}

/// One of the carrier's papers, verified.
struct Paper {
    approver: PersonName,
    person: Person,
    doors: Doors,
    duration_s: u32,
    /// Counter of the roster that the approver had.
    roster: u64,
    issued: Timestamp,
    standing: Option<ConsentId>,
}

impl Consents {
    /// A fresh challenge for a request, and when it lapses.
    pub fn challenge(&self, consent: ConsentId) -> Result<(String, Timestamp), Refusal> {
        let mut state = self.state();
        self.check_not_stopped(&state.ledger)?;
        check_not_over(&state.ledger, consent)?;
        if state.ledger.live(consent).is_some() {
            return Err(Refusal::OtherTerms(consent));
        }
        let mut random = [0; 32];
        ssh_key::getrandom::fill(&mut random).map_err(|e| self.not_stored("a challenge")(io::Error::other(e.to_string())))?;
        let now = self.clock.now();
        let challenge = Challenge { consent, text: hex(&random), issued: now.clone() };
        let text = challenge.text.clone();
        let lapses = self.lapses_at(&challenge);
        state.ledger.challenges.retain(|challenge| !self.has_lapsed(challenge, &now));
        state.ledger.add_challenge(challenge);
        self.store(&state.ledger)?;
        self.tidy_requests(&mut state, &now);
        Ok((text, lapses))
    }

    fn lapses_at(&self, challenge: &Challenge) -> Timestamp {
        later(challenge.issued.wall, f64::from(self.policy.challenge_ttl_s))
    }

    /// On either clock: setting the wall clock back doesn't make a challenge live longer.
    fn has_lapsed(&self, challenge: &Challenge, now: &Moment) -> bool {
        now.wall >= self.lapses_at(challenge) || now.since(&challenge.issued) >= f64::from(self.policy.challenge_ttl_s)
    }

    /// Checks a signed request and keeps it until its challenge lapses or is used. It lets nobody in.
    pub fn take_request(&self, signed: &Signed) -> Result<Request, Refusal> {
        let mut state = self.state();
        let now = self.clock.now();
        let request = self.check_request(&state, signed, &now)?;
        self.check_length(request.duration_s)?;
        self.tidy_requests(&mut state, &now);
        let waiting = Waiting { id: request.id, request: signed.clone(), arrived: now.wall };
        state.requests.add(waiting).map_err(self.not_stored("the request"))?;
        Ok(request)
    }

    /// Requests that wait for an answer, and what each comes to under the lists and the policy of now.
    pub fn waiting(&self) -> Vec<(Waiting, Result<Request, Refusal>)> {
        let now = self.clock.now();
        let mut state = self.state();
        self.tidy_requests(&mut state, &now);
        let check = |waiting: &Waiting| (waiting.clone(), self.check_request(&state, &waiting.request, &now));
        state.requests.all().iter().map(check).collect()
    }

    /// Forgets requests whose challenge is gone. Not worth an error: none of them could be admitted.
    fn tidy_requests(&self, state: &mut State, now: &Moment) {
        let State { ledger, requests, .. } = state;
        let waits = |waiting: &Waiting| {
            let mut challenges = ledger.challenges.iter();
            challenges.any(|challenge| challenge.consent == waiting.id && !self.has_lapsed(challenge, now))
        };
        if let Err(error) = requests.retain(waits) {
            tracing::warn!(%error, "the list of waiting requests is not on disk");
        }
    }

    /// As [`Self::admit_with`], without a witness.
    pub fn admit(&self, request_signed: &Signed, papers: &[Signed]) -> Result<Timestamp, Refusal> {
        self.admit_with(request_signed, papers, |_, _| Ok(()))
    }

    /// Verifies a request with the carrier's papers and makes it live. Returns until when, by the wall clock. The witness hears of it
    /// before it counts; what it can't write down is not let in.
    ///
    /// The very same bytes again, while it is live, change nothing and are answered alike.
    pub fn admit_with(&self, request_signed: &Signed, papers: &[Signed], witness: impl Witness) -> Result<Timestamp, Refusal> {
        let mut state = self.state();
        let now = self.clock.now();
        let claimed = Request::read_unverified(request_signed)?.id;
        if let Some(live) = state.ledger.live(claimed) {
            let same = live.request.text == request_signed.text
                && live.papers.len() == papers.len()
                && live.papers.iter().zip(papers).all(|(held, sent)| held.text == sent.text);
            return if same { Ok(later(now.wall, live.remaining_s(&now))) } else { Err(Refusal::OtherTerms(claimed)) };
        }
        if papers.len() > MAX_PAPERS {
            return Err(Refusal::TooManyPapers { found: papers.len(), most: MAX_PAPERS });
        }
        let request = self.check_request(&state, request_signed, &now)?;
        let at = state.trusted(&now);
        let roster = self.roster(&state)?;
        let allowed = self.check_papers(&state, roster, &request, &request_signed.text, papers, at)?;
        self.check_length(allowed.duration_s)?;
        let Allowed { doors, duration_s, approvers, standing, issued } = allowed;
        let latest = issued.map(|issued| super::lists::within_roster(roster, issued));
        let live = Live { papers: papers.to_vec(), approvers, standing, ..live(&request, request_signed, doors, duration_s, at, &now) };
        self.make_live(&mut state, live, latest, &now, witness)
    }

    /// Checks what the administrator wants to approve here. Everything but the carrier's papers is as for any other consent.
    pub fn local_terms(&self, id: ConsentId, doors: Option<&Doors>, duration_s: Option<u32>) -> Result<LocalTerms, Refusal> {
        let mut state = self.state();
        let now = self.clock.now();
        if state.ledger.live(id).is_some() {
            return Err(Refusal::OtherTerms(id));
        }
        self.check_not_stopped(&state.ledger)?;
        check_not_over(&state.ledger, id)?;
        self.tidy_requests(&mut state, &now);
        let signed = state.requests.get(id).ok_or(Refusal::NotPending(id))?.request.clone();
        let request = self.check_request(&state, &signed, &now)?;
        let doors = doors.unwrap_or(&request.doors).clone();
        if !doors.is_within(&request.doors) {
            return Err(Refusal::WiderDoors { requested: request.doors, found: doors });
        }
        let duration_s = duration_s.unwrap_or(request.duration_s);
        if duration_s > request.duration_s || duration_s == 0 {
            return Err(Refusal::LongerTime { requested: request.duration_s, found: duration_s });
        }
        self.check_length(duration_s)?;
        Ok(LocalTerms { request_sha256: sha256_hex(&signed.text), doors, duration_s, request, signed })
    }

    /// Makes a request live by the administrator's word, which `statement` is: it must have been witnessed before this is called.
    pub fn admit_local(&self, terms: &LocalTerms, statement: Signed, witness: impl Witness) -> Result<Timestamp, Refusal> {
        let checked = self.local_terms(terms.request.id, Some(&terms.doors), Some(terms.duration_s))?;
        if checked.request_sha256 != terms.request_sha256 {
            return Err(Refusal::NotWhatWasShown(terms.request.id));
        }
        let mut state = self.state();
        let now = self.clock.now();
        // Again under the lock that it becomes live under.
        let request = self.check_request(&state, &terms.signed, &now)?;
        let at = state.trusted(&now);
        let live = Live { local: Some(statement), ..live(&request, &terms.signed, checked.doors, checked.duration_s, at, &now) };
        self.make_live(&mut state, live, None, &now, witness)
    }

    fn make_live(
        &self,
        state: &mut State,
        live: Live,
        issued: Option<Timestamp>,
        now: &Moment,
        witness: impl Witness,
    ) -> Result<Timestamp, Refusal> {
        let (id, until) = (live.id, later(now.wall, live.remaining_s(now)));
        witness(&live, until).map_err(self.not_stored("the consent"))?;
        if let Some(issued) = issued {
            super::lists::saw_issued(&mut state.ledger, issued);
        }
        state.ledger.challenges.retain(|challenge| challenge.consent != id);
        state.ledger.live.push(live);
        if let Err(error) = self.store(&state.ledger) {
            // Not on disk is not live: after a crash nobody could say how long it had run.
            state.ledger.live.retain(|live| live.id != id);
            return Err(error);
        }
        self.tidy_requests(state, now);
        Ok(until)
    }

    /// Everything about a request that does not depend on the carrier's answer.
    fn check_request(&self, state: &State, signed: &Signed, now: &Moment) -> Result<Request, Refusal> {
        self.check_not_stopped(&state.ledger)?;
        check_not_over(&state.ledger, Request::read_unverified(signed)?.id)?;
        let request = self.check_engineer(state, signed, now)?;
        self.check_is_for_me(&request)?;
        self.check_challenge(&state.ledger, &request, now)?;
        self.check_policy(&request)?;
        Ok(request)
    }

    /// Does the current roster bear this request?
    pub(super) fn check_engineer(&self, state: &State, signed: &Signed, now: &Moment) -> Result<Request, Refusal> {
        Ok(Request::verify(signed, self.roster(state)?, state.trusted(now))?)
    }

    pub(super) fn roster<'a>(&self, state: &'a State) -> Result<&'a Roster, Refusal> {
        state.roster.as_ref().ok_or_else(|| Refusal::NoRoster { device: self.device.clone() })
    }

    fn check_is_for_me(&self, request: &Request) -> Result<(), Refusal> {
        let device = &self.device;
        if request.device != *device {
            return Err(Refusal::OtherDevice { found: request.device.clone(), device: device.clone() });
        }
        if request.host_key != self.host_key_fingerprint {
            return Err(Refusal::OtherHostKey {
                found: escape(&request.host_key),
                device: device.clone(),
                key: self.host_key_fingerprint.clone(),
            });
        }
        Ok(())
    }

    fn check_challenge(&self, ledger: &Ledger, request: &Request, now: &Moment) -> Result<(), Refusal> {
        let challenge = ledger
            .challenges
            .iter()
            .find(|challenge| challenge.consent == request.id && challenge.text == request.challenge)
            .ok_or_else(|| Refusal::Challenge { device: self.device.clone() })?;
        if self.has_lapsed(challenge, now) { Err(Refusal::Lapsed { at: self.lapses_at(challenge) }) } else { Ok(()) }
    }

    fn check_policy(&self, request: &Request) -> Result<(), Refusal> {
        self.check_grade(request.grade)?;
        if !self.policy.accounts.contains(&request.account) {
            let known = if self.policy.accounts.is_empty() { "none".to_owned() } else { self.policy.accounts.join(", ") };
            return Err(Refusal::Account { device: self.device.clone(), account: escape(&request.account), known });
        }
        Ok(())
    }

    pub(super) fn check_grade(&self, grade: Grade) -> Result<(), Refusal> {
        if self.policy.grades.contains(&grade) {
            return Ok(());
        }
        let taken = self.policy.grades.iter().map(|grade| grade.as_str()).collect::<Vec<_>>();
        let taken = if taken.is_empty() { "none".to_owned() } else { taken.join(", ") };
        Err(Refusal::Grade { device: self.device.clone(), grade, taken })
    }

    fn check_length(&self, duration_s: u32) -> Result<(), Refusal> {
        if duration_s > self.policy.max_duration_s {
            return Err(Refusal::TooLong { device: self.device.clone(), most: self.policy.max_duration_s, found: duration_s });
        }
        Ok(())
    }

    /// Do the carrier's papers of a live consent still stand: under the signer list of now, judged at the time that they came?
    pub(super) fn check_papers_again(&self, state: &State, request: &Request, live: &Live) -> Result<(), Refusal> {
        if live.local.is_some() {
            return Ok(());
        }
        self.check_papers(state, self.roster(state)?, request, &live.request.text, &live.papers, live.judged).map(drop)
    }

    /// Verifies the carrier's papers, every one of them, and takes what all of them allow.
    fn check_papers(
        &self,
        state: &State,
        roster: &Roster,
        request: &Request,
        text: &str,
        papers: &[Signed],
        at: Timestamp,
    ) -> Result<Allowed, Refusal> {
        let mut allowed =
            Allowed { doors: request.doors.clone(), duration_s: request.duration_s, approvers: Vec::new(), standing: None, issued: None };
        let (mut people, mut names) = (Vec::new(), Vec::new());
        for signed in papers {
            let paper = match request.grade {
                Grade::EndToEnd | Grade::Gateway => self.consent(state, signed, request, text, at)?,
                Grade::Role => self.standing(state, signed, request, roster, at)?,
            };
            if paper.roster > roster.head.counter {
                return Err(Refusal::RosterOlder { device: self.device.clone(), wanted: paper.roster, held: roster.head.counter });
            }
            match (allowed.standing, paper.standing) {
                (Some(first), Some(other)) if first != other => return Err(Refusal::TwoStandings(first, other)),
                (_, standing) => allowed.standing = standing,
            }
            allowed.doors = allowed.doors.both(&paper.doors).ok_or(Refusal::NothingInCommon)?;
            allowed.duration_s = allowed.duration_s.min(paper.duration_s);
            allowed.issued = allowed.issued.max(Some(paper.issued));
            people.push(paper.person);
            names.push(paper.approver);
        }
        allowed.approvers = different_people(&people).into_iter().map(|index| names[index].clone()).collect();
        let (have, needed) = (allowed.approvers.len(), self.policy.approvals.max(1));
        if have < usize::from(needed) {
            return Err(Refusal::Approvals { device: self.device.clone(), have, needed });
        }
        Ok(allowed)
    }

    fn consent(&self, state: &State, signed: &Signed, request: &Request, text: &str, at: Timestamp) -> Result<Paper, Refusal> {
        let (consent, class) = Consent::verify(signed, request, text, &state.signers, at)?;
        let Consent { id: _, request_sha256: _, approver, doors, duration_s, roster, issued } = consent;
        match class {
            KeyClass::Page if !self.policy.browser_keys => return Err(Refusal::PageKey { device: self.device.clone(), approver }),
            KeyClass::Page | KeyClass::Own => {}
        }
        let person = state.signers.list().person(&signed.signatory("consent", class.namespace())?);
        Ok(Paper { approver, person, doors, duration_s, roster, issued, standing: None })
    }

    fn standing(&self, state: &State, signed: &Signed, request: &Request, roster: &Roster, at: Timestamp) -> Result<Paper, Refusal> {
        let standing = Standing::verify(signed, &state.signers, at)?;
        self.check_standing_time(&standing, at)?;
        standing.check_covers(request, roster)?;
        if let Some(revoked) = state.revoked.get(standing.id) {
            return Err(Refusal::StandingEnded { id: standing.id, reason: revoked.reason, at: revoked.at });
        }
        if let Some(before) = state.revoked.forgotten_before().filter(|before| standing.valid_before <= *before) {
            return Err(Refusal::StandingForgotten { device: self.device.clone(), before });
        }
        // Nobody stays longer than the statement itself.
        let left_s = standing.valid_before.duration_since(at).as_secs();
        Ok(Paper {
            person: state.signers.list().person(&signed.signatory("standing statement", Namespace::Standing)?),
            approver: standing.approver,
            doors: standing.doors,
            duration_s: standing.duration_s.min(u32::try_from(left_s).unwrap_or(u32::MAX)),
            roster: standing.roster,
            issued: standing.issued,
            standing: Some(standing.id),
        })
    }

    /// Is it of a time that this device can answer for? An end is remembered here, so what is older than the memory may have been
    /// ended; and what could live longer than an end is remembered is not taken, whatever issue time it claims.
    fn check_standing_time(&self, standing: &Standing, at: Timestamp) -> Result<(), Refusal> {
        let Standing { id, issued, valid_before, .. } = *standing;
        let device = || self.device.clone();
        let enrolled = self.enrolled.ok_or_else(|| Refusal::NotEnrolledWhen { device: device() })?;
        if issued.saturating_add(SKEW).is_ok_and(|issued| issued < enrolled) {
            return Err(Refusal::StandingOlder { device: device(), id, issued, enrolled });
        }
        let days = self.policy.max_standing_days;
        let begins = at.saturating_add(SKEW).map_or(issued, |latest| issued.min(latest));
        if valid_before.duration_since(begins) > SignedDuration::from_hours(24 * i64::from(days)) {
            return Err(Refusal::StandingTooLong { device: device(), id, begins, valid_before, days });
        }
        Ok(())
    }
}

/// A live consent with no papers yet.
fn live(request: &Request, signed: &Signed, doors: Doors, duration_s: u32, judged: Timestamp, now: &Moment) -> Live {
    Live {
        id: request.id,
        grade: request.grade,
        request: signed.clone(),
        papers: Vec::new(),
        local: None,
        standing: None,
        fault: request.fault.clone(),
        engineer: request.engineer.clone(),
        engineer_key: request.engineer_key.clone(),
        approvers: Vec::new(),
        doors,
        account: request.account.clone(),
        duration_s,
        arrived: now.wall,
        judged,
        elapsed_s: 0.0,
        mark: now.clone(),
        sessions: Vec::new(),
    }
}

pub(super) fn check_not_over(ledger: &Ledger, id: ConsentId) -> Result<(), Refusal> {
    match ledger.ended.iter().find(|ended| ended.id == id) {
        Some(ended) => Err(Refusal::Over { reason: ended.reason, at: ended.at }),
        None => Ok(()),
    }
}

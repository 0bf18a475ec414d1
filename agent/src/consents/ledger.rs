//! What the device remembers about consents, on disk: challenges it issued, consents that are live, those that ended, and
//! who stopped everything.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::name::{FaultNumber, PersonName};
use lineman_common::printable::escape;
use lineman_common::session::{Doors, EndReason, Grade};
use lineman_common::statement::{Consent, KeyClass, Signed, sha256_hex};
use serde::{Deserialize, Serialize};

use super::clock::Moment;
use crate::durable;

/// Challenges that wait at one time. The oldest goes first: a centre that asks for more only harms its own requests.
const MAX_CHALLENGES: usize = 64;
/// Ended consents that are remembered by name. An older one is still refused: its challenge was used.
const MAX_ENDED: usize = 256;
/// Of who stopped a device, and why, this much is kept.
const STOP_TEXT_CHARS: usize = 300;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Challenge {
    pub consent: ConsentId,
    pub text: String,
    pub issued: Moment,
}

/// A consent that lets somebody in, now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Live {
    pub id: ConsentId,
    pub grade: Grade,
    pub request: Signed,
    /// What the carrier signed: consents, or for grade `role` standing statements. None for a consent that was approved here.
    pub papers: Vec<Signed>,
    /// This device's own word for a consent that its administrator approved here.
    #[serde(default)]
    pub local: Option<Signed>,
    /// The standing statement that it rests on.
    #[serde(default)]
    pub standing: Option<ConsentId>,
    pub fault: FaultNumber,
    pub engineer: PersonName,
    /// Fingerprint of the engineer's key: the one that signed the request, and, except for grade `gateway`, the only one that may enter.
    pub engineer_key: String,
    /// Whose signatures the papers carry.
    pub approvers: Vec<PersonName>,
    pub doors: Doors,
    /// The account profile of the local configuration.
    pub account: String,
    pub duration_s: u32,
    pub arrived: Timestamp,
    /// The time that its papers were judged at: they are judged at that time again when the signer list changes.
    pub judged: Timestamp,
    /// Seconds used up at `mark`.
    pub elapsed_s: f64,
    pub mark: Moment,
    /// Sessions that are in, or that left processes running: what is killed when the consent ends.
    #[serde(default)]
    pub sessions: Vec<SessionId>,
}

impl Live {
    pub fn elapsed_s(&self, now: &Moment) -> f64 {
        self.elapsed_s + now.since(&self.mark)
    }

    pub fn remaining_s(&self, now: &Moment) -> f64 {
        f64::from(self.duration_s) - self.elapsed_s(now)
    }

    /// Folds the time since the last mark into `elapsed_s`.
    pub fn mark(&mut self, now: &Moment) {
        self.elapsed_s = self.elapsed_s(now);
        self.mark = now.clone();
    }

    /// Those of the approvers who signed in a page that the vendor's centre served: wherever the consent is shown, that is said.
    pub fn approved_in_page(&self) -> Vec<PersonName> {
        let in_page = self.papers.iter().filter(|paper| matches!(KeyClass::claimed(paper), Ok(KeyClass::Page)));
        in_page.filter_map(|paper| Consent::read_unverified(paper).ok()).map(|consent| consent.approver).collect()
    }

    /// Hashes of what lets the engineer in: the carrier's papers, or the local statement.
    pub fn papers_sha256(&self) -> Vec<String> {
        self.papers.iter().chain(&self.local).map(|paper| sha256_hex(&paper.text)).collect()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    pub id: ConsentId,
    pub reason: EndReason,
    pub at: Timestamp,
    /// The centre need not be told: it was, or the consent never was live.
    pub told: bool,
    /// It is in the journal.
    #[serde(default)]
    pub noted: bool,
    /// Its sessions that may have processes still.
    #[serde(default)]
    pub sessions: Vec<SessionId>,
}

/// Whose word a stop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// It came over the link.
    Centre,
    /// Root on this device; only root here takes it back.
    Device,
}

/// Everything was stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub whose: Whose,
    pub by: String,
    pub reason: String,
    pub at: Timestamp,
}

impl Stop {
    /// Made fit to show: the texts may come from the centre.
    pub fn new(whose: Whose, by: &str, reason: &str, at: Timestamp) -> Self {
        let fit = |text: &str| escape(&text.trim().chars().take(STOP_TEXT_CHARS).collect::<String>());
        Self { whose, by: fit(by), reason: fit(reason), at }
    }

    /// Who, when and why, for a receipt.
    pub fn who(&self) -> String {
        let Self { whose, by, reason, at } = self;
        match whose {
            Whose::Centre => format!("{by}, through the centre, at {at}: {reason}"),
            Whose::Device => format!("{by}, on the device, at {at}: {reason}"),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whose, by, reason, at } = self;
        match whose {
            Whose::Centre => write!(f, "was stopped through the centre by {by} at {at}: {reason}"),
            Whose::Device => write!(f, "was stopped on the device itself by {by} at {at}: {reason}"),
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// The latest issue time of anything that was verified: the wall clock can't be earlier than that.
    pub latest_issued: Option<Timestamp>,
    pub challenges: Vec<Challenge>,
    pub live: Vec<Live>,
    pub ended: Vec<Ended>,
    /// In force now: at most one of each [`Whose`].
    #[serde(default)]
    pub stops: Vec<Stop>,
    /// The highest counter of a roster that was ever believed here: a lower one is not taken again.
    #[serde(default)]
    pub roster_floor: u64,
    #[serde(skip)]
    path: PathBuf,
}

impl Ledger {
    pub fn load(path: &Path) -> io::Result<Self> {
        let mut ledger: Self = match durable::read(path)? {
            Some(text) => serde_json::from_str(&text).map_err(io::Error::other)?,
            None => Self::default(),
        };
        path.clone_into(&mut ledger.path);
        Ok(ledger)
    }

    pub fn save(&self) -> io::Result<()> {
        let json = serde_json::to_vec(self).map_err(io::Error::other)?;
        durable::write(&self.path, &json, durable::PRIVATE)
    }

    pub fn live(&self, id: ConsentId) -> Option<&Live> {
        self.live.iter().find(|live| live.id == id)
    }

    pub fn add_challenge(&mut self, challenge: Challenge) {
        self.challenges.retain(|other| other.consent != challenge.consent);
        self.challenges.push(challenge);
        if self.challenges.len() > MAX_CHALLENGES {
            self.challenges.remove(0);
        }
    }

    pub fn add_ended(&mut self, ended: Ended) {
        self.challenges.retain(|challenge| challenge.consent != ended.id);
        self.live.retain(|live| live.id != ended.id);
        if self.ended.iter().all(|other| other.id != ended.id) {
            self.ended.push(ended);
        }
        if self.ended.len() > MAX_ENDED {
            // One that has something left to do stays as long as it can.
            let done = self.ended.iter().position(|ended| ended.told && ended.sessions.is_empty());
            self.ended.remove(done.unwrap_or(0));
        }
    }

    /// Ends what is live.
    pub fn end_live(&mut self, id: ConsentId, reason: EndReason, at: Timestamp) {
        let live = self.live(id);
        let (told, sessions) = (live.is_none(), live.map(|live| live.sessions.clone()).unwrap_or_default());
        self.add_ended(Ended { id, reason, at, told, noted: false, sessions });
    }

    /// The sessions of a consent, whether it is live or ended.
    pub fn sessions_of(&mut self, id: ConsentId) -> Option<&mut Vec<SessionId>> {
        let live = self.live.iter_mut().filter(|live| live.id == id).map(|live| &mut live.sessions);
        live.chain(self.ended.iter_mut().filter(|ended| ended.id == id).map(|ended| &mut ended.sessions)).next()
    }
}

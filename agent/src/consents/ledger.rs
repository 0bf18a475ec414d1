//! What the device remembers about consents, on disk: challenges it issued, consents that are live, and those that ended.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::name::{FaultNumber, PersonName};
use lineman_common::session::{Doors, EndReason};
use lineman_common::statement::Signed;
use serde::{Deserialize, Serialize};

use super::clock::Moment;
use crate::durable;

/// Challenges that wait at one time. The oldest goes first: a centre that asks for more only harms its own requests.
const MAX_CHALLENGES: usize = 64;
/// Ended consents that are remembered by name. An older one is still refused: its challenge was used.
const MAX_ENDED: usize = 256;

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
    pub request: Signed,
    pub consent: Signed,
    pub fault: FaultNumber,
    pub engineer: PersonName,
    /// Fingerprint of the one key that may enter.
    pub engineer_key: String,
    pub approver: PersonName,
    pub doors: Doors,
    /// The account profile of the local configuration.
    pub account: String,
    pub duration_s: u32,
    pub arrived: Timestamp,
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
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    pub id: ConsentId,
    pub reason: EndReason,
    pub at: Timestamp,
    /// The centre need not be told: it was, or the consent never was live.
    pub told: bool,
    /// Its sessions that may have processes still.
    #[serde(default)]
    pub sessions: Vec<SessionId>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// The latest issue time of anything that was verified: the wall clock can't be earlier than that.
    pub latest_issued: Option<Timestamp>,
    pub challenges: Vec<Challenge>,
    pub live: Vec<Live>,
    pub ended: Vec<Ended>,
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

    /// The sessions of a consent, whether it is live or ended.
    pub fn sessions_of(&mut self, id: ConsentId) -> Option<&mut Vec<SessionId>> {
        let live = self.live.iter_mut().filter(|live| live.id == id).map(|live| &mut live.sessions);
        live.chain(self.ended.iter_mut().filter(|ended| ended.id == id).map(|ended| &mut ended.sessions)).next()
    }
}

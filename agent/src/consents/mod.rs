//! Who may enter this device, and until when.
//!
//! A consent is believed only when every link of this chain holds, checked here against what was pinned at enrolment and
//! what the owner's local file says; the centre's word counts for nothing:
//!
//! - the roster is signed by the vendor root, not expired, and not older than the one that the approver checked against;
//! - the request is signed by the engineer that the roster lists, for this device, this host key, this challenge;
//! - the carrier's signers answered it: with consents for exactly this request that widen nothing, or, for grade `role`, with
//!   standing statements that cover it and have not been ended; by as many different people and keys as the local policy wants;
//! - the local policy takes the class of the keys that signed, its grade, its account profile and its length;
//! - nobody stopped the device.
//!
//! Root on the device can take the carrier's place for one request (break-glass, [`Consents::admit_local`]): all else holds.
//!
//! Time counts on the boot clock from the first arrival, is stored every [`STORE_EVERY_S`] seconds, and goes on after a
//! reboot. An id or a challenge works once. Expiry of lists is judged at the later of wall clock and latest issue time that
//! was verified, so a clock that was set back doesn't bring an old list back to life; issue times of requests don't count
//! for this, or one engineer could push the device's time forward, and those of the carrier's papers count at most up to the end of
//! the roster they rest on, or one approver's wrong clock could lock the device. Root can undo it ([`Consents::reset_clock`]).
//!
//! A consent stands as long as the roster lists its engineer's key and the signer list those who approved it: that is asked at
//! every entry, and of every live consent when a new list comes ([`Consents::unfounded`]).
//!
//! | file | is |
//! |---|---|
//! | `admit` | from challenge and request to a live consent |
//! | `entry` | whose key may enter under it |
//! | `lists` | roster, signer list, the time that they are judged by |
//! | `stops` | ends: of consents, of standing statements, of everything |
//! | `ledger`, `requests`, `revoked` | what is remembered on disk |

mod admit;
pub mod clock;
mod entry;
mod ledger;
mod lists;
mod refusal;
mod requests;
mod revoked;
mod stops;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::link::DevicePolicy;
use lineman_common::name::NeName;
use lineman_common::session::Grade;
use lineman_common::statement::{CarrierSigners, DeviceStatement, Roster, SignerList};

pub use self::admit::LocalTerms;
use self::clock::{Clock, Moment};
use self::ledger::Ledger;
pub use self::ledger::{Live, Stop, Whose};
pub use self::lists::{InForce, MAX_SIGNERS_BYTES};
use self::lists::{Kept, kept_roster, trusted_time};
pub use self::refusal::Refusal;
use self::requests::Requests;
pub use self::requests::Waiting;
use self::revoked::{MAX_REVOKED, Revocations};
pub use self::stops::{EndedStanding, Stopped};
use crate::durable;
use crate::identity::{Identity, STATEMENT};

/// How often elapsed time goes to disk: the most that a power cut can give back.
pub const STORE_EVERY_S: u64 = 10;

/// What the owner's local file says about consents.
#[derive(Clone, Debug)]
pub struct Policy {
    pub grades: Vec<Grade>,
    /// How many different people of the carrier must sign a consent: 1 or 2.
    pub approvals: u8,
    /// How many must sign a new signer list: 1 or 2.
    pub signers_approvals: u8,
    pub max_duration_s: u32,
    pub challenge_ttl_s: u32,
    /// How long a standing statement may hold, from its issue on.
    pub max_standing_days: u32,
    /// Whether a consent may be signed with a key in a page that the vendor's centre serves.
    pub browser_keys: bool,
    /// Names of the account profiles.
    pub accounts: Vec<String>,
}

impl From<&Policy> for DevicePolicy {
    fn from(policy: &Policy) -> Self {
        let Policy {
            grades,
            approvals,
            signers_approvals: _,
            max_duration_s,
            challenge_ttl_s: _,
            max_standing_days: _,
            browser_keys,
            accounts,
        } = policy;
        Self {
            grades: grades.clone(),
            approvals: *approvals,
            accounts: accounts.clone(),
            max_duration_s: *max_duration_s,
            browser_keys: *browser_keys,
        }
    }
}

/// What was pinned at enrolment, as far as consents need it. The signers change by their own signature only.
pub struct Pinned {
    pub device: NeName,
    pub host_key_fingerprint: String,
    pub signers: CarrierSigners,
    pub vendor_root: SignerList,
    /// When this device was enrolled; without it no standing statement is taken.
    pub enrolled: Option<Timestamp>,
}

impl Pinned {
    pub fn of(identity: &Identity) -> Self {
        Self {
            enrolled: enrolled(&identity.dir),
            device: identity.device.clone(),
            host_key_fingerprint: identity.host_key_fingerprint.clone(),
            signers: identity.signers.clone(),
            vendor_root: identity.vendor_root.clone(),
        }
    }
}

/// The issue time of the device's own statement, which its enrolment wrote.
fn enrolled(dir: &Path) -> Option<Timestamp> {
    let text = durable::read(&dir.join(STATEMENT)).map_err(|error| error.to_string()).transpose()?;
    match text.and_then(|text| DeviceStatement::read_unverified(&text).map_err(|error| error.to_string())) {
        Ok(statement) => Some(statement.issued),
        Err(error) => {
            tracing::warn!(%error, "the file `{STATEMENT}` can't be read: no standing statement is taken");
            None
        }
    }
}

pub struct Consents {
    device: NeName,
    host_key_fingerprint: String,
    vendor_root: SignerList,
    enrolled: Option<Timestamp>,
    policy: Policy,
    clock: Arc<dyn Clock>,
    dir: PathBuf,
    /// The ledger on disk is older than the one in memory.
    behind: AtomicBool,
    state: Mutex<State>,
}

struct State {
    ledger: Ledger,
    requests: Requests,
    revoked: Revocations,
    roster: Option<Roster>,
    signers: CarrierSigners,
}

impl State {
    /// The device's best guess of the time for judging lists: never before something that was verifiably issued.
    fn trusted(&self, now: &Moment) -> Timestamp {
        trusted_time(&self.ledger, now)
    }
}

impl Consents {
    /// Reads what is on disk. A roster that no longer verifies is left aside: it authorises nobody.
    pub fn open(dir: &Path, pinned: Pinned, policy: Policy, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let Pinned { device, host_key_fingerprint, signers, vendor_root, enrolled } = pinned;
        let mut ledger = Ledger::load(&dir.join("consents"))?;
        let now = clock.now();
        ledger.live.iter_mut().for_each(|live| live.mark(&now));
        let roster = match kept_roster(dir, &vendor_root, ledger.roster_floor, trusted_time(&ledger, &now))? {
            Kept::Believed(roster) => {
                ledger.roster_floor = ledger.roster_floor.max(roster.head.counter);
                Some(roster)
            }
            Kept::None => None,
            Kept::NotNow(error) => {
                tracing::warn!(%error, "the stored roster is not believed now; it is tried again");
                None
            }
        };
        ledger.save()?;
        let requests = Requests::load(&dir.join("requests"))?;
        let revoked = Revocations::load(&dir.join("revoked"), MAX_REVOKED)?;
        let state = Mutex::new(State { ledger, requests, revoked, roster, signers });
        let (dir, behind) = (dir.to_owned(), AtomicBool::new(false));
        Ok(Self { device, host_key_fingerprint, vendor_root, enrolled, policy, clock, dir, behind, state })
    }

    /// A panic while the lock was held left at worst a change that is not on disk yet; going on is safe.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What could not be written now is written with the next tick of the clock.
    fn store(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let saved = ledger.save();
        self.behind.store(saved.is_err(), Ordering::Relaxed);
        saved.map_err(self.not_stored("the consent"))
    }

    fn not_stored(&self, what: &'static str) -> impl FnOnce(io::Error) -> Refusal {
        let device = self.device.clone();
        move |source| Refusal::Store { device, what, source }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
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

    /// Writes elapsed time down, looks once more at a roster that was not believed, and writes what could not be written before.
    pub fn store_elapsed(&self) -> Result<(), Refusal> {
        let mut state = self.state();
        let now = self.clock.now();
        self.try_kept_roster(&mut state, &now);
        if state.ledger.live.is_empty() && !self.behind.load(Ordering::Relaxed) {
            return Ok(());
        }
        state.ledger.live.iter_mut().for_each(|live| live.mark(&now));
        self.store(&state.ledger)
    }
}

fn later(from: Timestamp, seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a consent fit; a cast of f64 saturates")]
    let whole = seconds.max(0.0) as i64;
    from.checked_add(SignedDuration::from_secs(whole)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;

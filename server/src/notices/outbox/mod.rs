//! The queue: what waits, what is on its way, what has arrived. Every step is one transaction, so that a crash between any two of them
//! leaves something that is still due.
//!
//! 1. [`put`] writes a notice down inside the change that caused it. More than [`MOST_ALONE`] for one target, waiting or in a minute, become
//!    one **digest**: a row of bounded size that counts them, names the worst, and is sent when the storm has had a moment to grow. Nothing
//!    is dropped: what was folded says so in the log.
//! 2. [`begin`] claims what is due, at most one for each target, and closes a digest to further ones. A claimed notice does not change any
//!    more, so whoever gets it twice gets the same twice, under the same id.
//! 3. The delivery itself, outside of any transaction.
//! 4. [`finish`] writes down how it went: done, or due again after a pause that doubles. A crash before this delivers again.
//!
//! A target that fails [`TOLERATED`] times in a row is **paused**: nothing is tried there until its own pause is over, then one notice, as
//! a probe. So a dead target costs one attempt now and then, whatever waits for it.

mod sql;

use jiff::{SignedDuration, Timestamp};
use lineman_common::id::{NoticeId, TargetId};

use super::about::About;
use super::channels::{Due, Outcome};
use super::{Error, TEST, still_matters};
use crate::store::{Db, StoreError, Tx};

/// So many of one target go out one by one.
pub const MOST_ALONE: u32 = 20;
/// In this time, and as long as they wait.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// How long the first digest of a storm grows, and how long the ones after it.
const FIRST_DIGEST: SignedDuration = SignedDuration::from_secs(60);
const NEXT_DIGEST: SignedDuration = SignedDuration::from_secs(300);
/// A storm is over when nothing more was folded for so long.
const CALM: SignedDuration = SignedDuration::from_secs(120);
/// Attempts at one target in a minute.
const MOST_A_MINUTE: u32 = 60;
/// Between the first two attempts; doubled each time.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);
pub const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Failures in a row after which a target is paused.
const TOLERATED: u32 = 5;
/// Delivered and given up notices are kept for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// What goes to a target just now; what waits for the end of quiet hours counts by itself.
pub struct Load {
    waiting: u32,
    recent: u32,
    folded_at: Option<Timestamp>,
    /// A digest is there that takes more.
    has_open: bool,
}

impl Load {
    fn is_storm(&self, now: Timestamp) -> bool {
        self.has_open || self.waiting >= MOST_ALONE || self.recent >= MOST_ALONE || self.folded_at.is_some_and(|at| now < at + CALM)
    }
}

/// When a notice may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Now,
    /// At the end of somebody's quiet hours.
    After(Timestamp),
}

/// Writes a notice for one target down, or folds it into the target's digest.
pub fn put(tx: &mut Tx<'_>, target: TargetId, about: &About, when: When) -> Result<(), StoreError> {
    let (next, held) = match when {
        When::Now => (tx.now(), false),
        When::After(at) => (at, true),
    };
    let load = sql::load(tx, target, held, WINDOW)?;
    if about.kind != TEST && load.is_storm(tx.now()) {
        return fold(tx, target, about, &load, next, held);
    }
    sql::insert(tx, &sql::Row { id: NoticeId::new(), target, about, next, held })
}

fn fold(tx: &mut Tx<'_>, target: TargetId, about: &About, load: &Load, next: Timestamp, held: bool) -> Result<(), StoreError> {
    let open = sql::open_digest(tx, target, held)?;
    let is_new = open.is_none();
    let (id, mut digest) = open.unwrap_or_else(|| (NoticeId::new(), About::digest(about)));
    for (alone, about) in sql::foldable(tx, target, held, TEST)? {
        digest.fold(&about);
        sql::folded(tx, alone, id)?;
    }
    digest.fold(about);
    if !is_new {
        return sql::update_digest(tx, id, &digest);
    }
    let grows = if load.folded_at.is_some_and(|at| tx.now() < at + NEXT_DIGEST) { NEXT_DIGEST } else { FIRST_DIGEST };
    sql::insert(tx, &sql::Row { id, target, about: &digest, next: next.max(tx.now() + grows), held })
}

/// Asked often, so it takes no lock.
pub fn is_anything_due(db: &Db<'_>) -> Result<bool, StoreError> {
    sql::is_anything_due(db)
}

/// Claims what is due, one for each target, those that have waited for longest first.
pub fn begin(tx: &mut Tx<'_>, most: u32) -> Result<Vec<Due>, Error> {
    let mut begun = Vec::new();
    for (target, due) in sql::due(tx, most)? {
        if !still_matters(tx, &due.about)? {
            sql::give_up(tx, due.id, "it was answered before this arrived")?;
        } else if sql::attempts_since(tx, target, tx.now() - WINDOW)? >= MOST_A_MINUTE {
            sql::pause(tx, target, tx.now() + WINDOW / 6)?;
        } else {
            sql::claim(tx, due.id)?;
            begun.push(due);
        }
    }
    Ok(begun)
}

/// Writes down how an attempt went. `chance`, 0 to 255, spreads the attempts of those that failed together.
pub fn finish(tx: &mut Tx<'_>, id: NoticeId, outcome: &Outcome, chance: u8) -> Result<(), Error> {
    sql::insert_attempt(tx, id, outcome)?;
    let problem = outcome.result.as_ref().err();
    let Some(waited) = sql::attempted(tx, id, problem.map(String::as_str))? else { return Ok(()) };
    let Some(problem) = problem else {
        sql::target_works(tx, waited.target)?;
        return Ok(sql::delivered(tx, id)?);
    };
    let failures = sql::target_fails(tx, waited.target)?;
    if failures >= TOLERATED {
        sql::pause(tx, waited.target, tx.now() + spread(pause(failures - TOLERATED + 1), chance))?;
    }
    if !waited.is_waiting {
        return Ok(());
    }
    let next = tx.now() + spread(pause(waited.attempts), chance);
    if next > waited.wanted_at + GIVEN_UP_AFTER {
        tracing::warn!(notice = %id, problem, "a notice did not arrive for a day: it is given up");
        return Ok(sql::give_up(tx, id, problem)?);
    }
    Ok(sql::again(tx, id, next)?)
}

/// How long to wait after so many attempts, at most.
pub fn pause(attempts: u32) -> SignedDuration {
    FIRST_PAUSE.checked_mul(1 << attempts.saturating_sub(1).min(16)).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
}

/// Somewhere in the second half of a pause.
fn spread(pause: SignedDuration, chance: u8) -> SignedDuration {
    pause / 2 + pause / 2 * i32::from(chance) / 255
}

/// An attempt that ended without saying how: due again.
pub fn lost(tx: &mut Tx<'_>, id: NoticeId) -> Result<(), StoreError> {
    sql::unclaim(tx, id)
}

/// After a start, nothing is on its way.
pub fn recover(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    sql::unclaim_all(tx)
}

/// Sends again, under the same id.
pub fn replay(tx: &mut Tx<'_>, id: NoticeId) -> Result<(), StoreError> {
    sql::replay(tx, id)
}

/// Gives up what waited behind a dead target for a day, and forgets what was done a month ago.
pub fn tidy(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let given_up = sql::give_up_old(tx, tx.now() - GIVEN_UP_AFTER)?;
    if given_up > 0 {
        tracing::warn!(given_up, "notices did not arrive for a day: they are given up");
    }
    sql::tidy(tx, tx.now() - KEPT)
}

//! How many fit a query now: counted once for all who ask, kept until something happens.
//!
//! What is kept is known by list, query and whose things it counts (and by the person where the query says `me`). It holds while nothing
//! is appended to the log or the alarm list; for a moment longer, so that a storm of events is not counted event by event; and where a
//! query speaks of time, never for long. Those who ask for the same at the same moment wait for one count.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lineman_common::Printable;
use lineman_common::api::{SavedView, ViewCount, ViewList};
use lineman_common::id::CustomerId;

use super::sql;
use crate::cases::find::{self, Finder};
use crate::store::{Db, Store, StoreError};
use crate::web::asked::{self, Ask};
use crate::web::{Actor, ApiError, Scope};
use crate::{alarms, consents, equipment, faults, sessions};

/// More are not counted: `1000+`.
pub const MOST_COUNTED: u32 = 1_000;
/// However much happens, nothing is counted more often.
const AT_MOST_EVERY: SignedDuration = SignedDuration::from_secs(1);
/// What depends on the time is counted as often as that.
const MOVES_WITHIN: SignedDuration = SignedDuration::from_secs(5);
/// Then all are forgotten: there are not so many views that anybody looks at.
const MOST_KEPT: usize = 4_096;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    customer: Option<CustomerId>,
    /// Only where the query speaks of the one who asks.
    me: Option<String>,
    list: ViewList,
    query: String,
}

#[derive(Clone)]
struct Kept {
    stamp: i64,
    at: Timestamp,
    moves: bool,
    found: Result<ViewCount, String>,
}

impl Kept {
    fn holds(&self, stamp: i64, now: Timestamp) -> bool {
        let age = now.duration_since(self.at);
        let is_new = age < AT_MOST_EVERY && !age.is_negative();
        is_new || (self.stamp == stamp && (!self.moves || (age < MOVES_WITHIN && !age.is_negative())))
    }
}

type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// Clones share it.
#[derive(Clone, Default)]
pub struct Counts(Arc<Mutex<HashMap<Key, Slot>>>);

impl Counts {
    fn slot(&self, key: Key) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST_KEPT && !slots.contains_key(&key) {
            slots.clear();
        }
        slots.entry(key).or_default().clone()
    }

    /// The view with its count.
    pub async fn fill(&self, store: &Store, finder: &Finder, actor: &Actor, mut view: SavedView) -> Result<SavedView, ApiError> {
        let query = view.query.raw().to_owned();
        let customer = actor.customer.as_ref().map(|(id, _)| *id);
        let me = (query.contains("me") || query.contains('我')).then(|| actor.name.to_string());
        let slot = self.slot(Key { customer, me, list: view.list, query: query.clone() });
        let mut slot = slot.lock().await;
        let stamp = store.read(|db| -> Result<_, StoreError> { Ok((sql::stamp(db)?, db.now())) }).await?;
        if slot.as_ref().is_none_or(|kept| !kept.holds(stamp.0, stamp.1)) {
            let (finder, actor, list) = (finder.clone(), actor.clone(), view.list);
            let counted = store.read(move |db| -> Result<Kept, ApiError> {
                let (stamp, at) = (sql::stamp(db)?, db.now());
                Ok(match count(db, &finder, &actor, list, &query, MOST_COUNTED) {
                    Ok((found, moves)) => Kept { stamp, at, moves, found: Ok(found) },
                    Err(error) => Kept { stamp, at, moves: true, found: Err(error.message().to_owned()) },
                })
            });
            *slot = Some(counted.await?);
        }
        match slot.as_ref().map(|kept| &kept.found) {
            Some(Ok(found)) => view.count = Some(*found),
            Some(Err(problem)) => view.problem = Some(Printable::new(problem.as_str())),
            None => {}
        }
        Ok(view)
    }
}

/// What is wrong with a query, before it is saved: it is read, and not asked.
pub fn check(db: &Db<'_>, actor: &Actor, list: ViewList, query: &str) -> Result<(), ApiError> {
    let scope: Scope = actor.scope();
    let read = |keys: &[lineman_common::query::Key]| Ask::read(Some(query), None, keys, actor);
    match list {
        ViewList::Faults => faults::list::check(db, &scope, &read(&faults::list::keys())?),
        ViewList::Alarms => alarms::asked::conditions(db, &read(&alarms::asked::keys())?).map(drop),
        ViewList::Sessions => sessions::list::check(db, &scope, &read(&sessions::list::keys())?),
        ViewList::Equipment => equipment::list::check(db, &scope, &read(&equipment::list::keys())?),
        ViewList::Consents => consents::list::check(db, &scope, &read(&consents::list::keys())?),
        ViewList::Cases if query.chars().count() > asked::LONGEST => Err(asked::too_long()),
        ViewList::Cases => Ok(find::read(query).map(drop)?),
    }
}

/// How many fit, up to `most`, and whether that changes as time goes by; an error says what is wrong with the query.
pub fn count(db: &Db<'_>, finder: &Finder, actor: &Actor, list: ViewList, query: &str, most: u32) -> Result<(ViewCount, bool), ApiError> {
    let scope: Scope = actor.scope();
    let read = |keys: &[lineman_common::query::Key]| Ask::read(Some(query), None, keys, actor);
    match list {
        ViewList::Faults => {
            let ask = read(&faults::list::keys())?;
            Ok((faults::list::count(db, &scope, &ask, most)?, faults::list::moves(&ask)))
        }
        ViewList::Alarms => {
            let ask = read(&alarms::asked::keys())?;
            Ok((alarms::asked::count(db, &scope, &ask, most)?, alarms::asked::moves(&ask)))
        }
        ViewList::Sessions => {
            let ask = read(&sessions::list::keys())?;
            Ok((sessions::list::count(db, &scope, &ask, most)?, sessions::list::moves(&ask)))
        }
        ViewList::Equipment => {
            let ask = read(&equipment::list::keys())?;
            Ok((equipment::list::count(db, &scope, &ask, most)?, equipment::list::moves(&ask)))
        }
        ViewList::Consents => {
            let ask = read(&consents::list::keys())?;
            Ok((consents::list::count(db, &scope, &ask, most)?, consents::list::moves(&ask)))
        }
        ViewList::Cases => {
            let (query, filters) = find::read(query)?;
            let answer = finder.search(db, &scope, &query, find::Ask { filters, limit: 1, ..find::Ask::default() })?;
            Ok((ViewCount { count: u64::from(answer.total.min(most)), or_more: answer.total > most }, false))
        }
    }
}

//! The library's two indexes, kept beside the database.
//!
//! One holds all cases that are in use, the other those that are published for customers. Who asks decides which one answers
//! ([`Library::of`]), so a customer's question learns nothing of internal cases: not their words, not their counts, not how rare
//! a word is among them.
//!
//! SQLite is the truth; the indexes can be made from it at any time. How a saved case gets into them, and what a kill leaves at each step:
//!
//! 1. One transaction writes the case and, by trigger, a row of `case_outbox`. Killed before the commit: the case never was.
//! 2. Whoever asks takes in first what the outbox has since ([`Library::catch_up`]): so what is saved is found. Killed: the memory is gone,
//!    the row is not.
//! 3. Now and then the indexes are written into a snapshot ([`snapshot`]): a new file, flushed, renamed over the old one. Killed: the
//!    old one is there or the new one, and the outbox still has every row.
//! 4. Only then the rows that the snapshot holds are taken out. Killed in between: they are taken in again, which changes nothing.
//!
//! At the start the snapshot is read and the rest of the outbox is taken in. A snapshot that is missing, damaged, of another version or of
//! another life of the database (a restored backup) is not believed; nor is a memory that has missed rows. Then the indexes are built
//! anew from the cases ([`rebuild`]), in the background; meanwhile questions are answered from what there is, and say so.

pub mod keeper;
pub mod rebuild;
mod snapshot;
mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use lineman_common::api::CaseState;
use lineman_common::name::CaseNumber;
use tokio::sync::Notify;

use self::rebuild::Progress;
use self::snapshot::Header;
use super::find;
use crate::search::index::Index;
use crate::store::{Db, StoreError};
use crate::web::Scope;

pub use keeper::run;

/// Changes that are taken in under one lock: a question waits for no more than these.
const SLICE: u32 = 32;
/// With more changes than this before it, a question does not wait for all of them.
const MOST_INLINE: i64 = 1_000;

/// A handle to the library's indexes; clones share them.
#[derive(Clone)]
pub struct Library {
    inner: Arc<Inner>,
}

struct Inner {
    /// Where the snapshot lies; without one, everything is made from the database, at once.
    place: Option<PathBuf>,
    shelves: RwLock<Shelves>,
    /// Who takes changes in, so that several questions don't do the same work.
    turn: Mutex<()>,
    /// A rebuild that is under way.
    progress: Mutex<Option<Progress>>,
    /// A question has left changes to the keeper.
    is_behind: AtomicBool,
    /// Wakes the keeper.
    wanted: Notify,
}

#[derive(Default)]
struct Shelves {
    all: Index,
    published: Index,
    /// The outbox is taken in up to here.
    applied: i64,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// From a file with this mark, which was not yet compared with the database.
    Read {
        mark: i64,
    },
    /// Made from the outbox alone: whole only if nothing was ever taken out of it.
    #[default]
    Empty,
    Whole,
    /// Cases are missing, or may be: to be built anew.
    Lacking,
}

/// The index that a scope may ask, for as long as this is held. Take one for a question, not two: a second one may wait for a change that
/// waits for the first.
pub struct Shelf<'a> {
    shelves: RwLockReadGuard<'a, Shelves>,
    sees_internal: bool,
}

impl Deref for Shelf<'_> {
    type Target = Index;
    fn deref(&self) -> &Index {
        if self.sees_internal { &self.shelves.all } else { &self.shelves.published }
    }
}

/// How the indexes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    pub cases: u32,
    /// Everything in use is in them, but for what was saved in the last moments.
    pub is_whole: bool,
    pub rebuild: Option<Progress>,
}

impl Library {
    /// Reads the snapshot in the server's folder, if there is one to be read. Takes as long as the disk does.
    pub fn open(dir: &Path) -> Self {
        let place = dir.join(snapshot::NAME);
        let shelves = match snapshot::read(&place) {
            Ok(Some((Header { sequence, mark }, [all, published]))) => {
                Shelves { all: all.into(), published: published.into(), applied: sequence, state: State::Read { mark } }
            }
            Ok(None) => Shelves::default(),
            Err(error) => {
                tracing::warn!(%error, path = %place.display(), "the snapshot of the case index can't be used; the index is built anew");
                Shelves::default()
            }
        };
        Self::new(Some(place), shelves)
    }

    /// Empty, with a place for a snapshot.
    fn at(dir: &Path) -> Self {
        Self::new(Some(dir.join(snapshot::NAME)), Shelves::default())
    }

    /// Without a place on disk: what it holds is made from the database.
    pub fn in_memory() -> Self {
        Self::new(None, Shelves::default())
    }

    fn new(place: Option<PathBuf>, shelves: Shelves) -> Self {
        let inner = Inner {
            place,
            shelves: RwLock::new(shelves),
            turn: Mutex::default(),
            progress: Mutex::default(),
            is_behind: AtomicBool::default(),
            wanted: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The index for this scope, with everything that this view of the database has saved.
    pub fn of(&self, db: &Db<'_>, scope: &Scope) -> Result<Shelf<'_>, StoreError> {
        self.catch_up(db)?;
        Ok(Shelf { shelves: self.shelves(), sees_internal: scope.sees_internal() })
    }

    pub fn health(&self) -> Health {
        let shelves = self.shelves();
        let is_whole = shelves.state == State::Whole && !self.inner.is_behind.load(Ordering::Relaxed);
        Health { cases: shelves.all.documents(), is_whole, rebuild: *self.progress() }
    }

    /// Takes in what was saved since. After a very long list of changes, or when the indexes can't be whole, it leaves the rest to the
    /// keeper.
    pub fn catch_up(&self, db: &Db<'_>) -> Result<(), StoreError> {
        let standing = sql::standing(db)?;
        let is_settled = |shelves: &Shelves| shelves.state == State::Whole && shelves.applied >= standing.newest;
        if is_settled(&self.shelves()) {
            return Ok(());
        }
        self.settle(db, standing)?;
        if self.inner.place.is_none() {
            if self.shelves().state == State::Lacking {
                rebuild::at_once(self, db)?;
            }
        } else if standing.newest - self.shelves().applied > MOST_INLINE {
            self.inner.is_behind.store(true, Ordering::Relaxed);
            self.inner.wanted.notify_one();
            return Ok(());
        }
        while self.take_in(db)? {}
        Ok(())
    }

    /// Compares what is in memory with what the database knows of its outbox.
    fn settle(&self, db: &Db<'_>, standing: sql::Standing) -> Result<(), StoreError> {
        let (applied, state) = {
            let shelves = self.shelves();
            (shelves.applied, shelves.state)
        };
        let is_good = match state {
            State::Read { mark } => sql::mark(db, applied)? == Some(mark),
            State::Empty => standing.taken_out == 0,
            // Rows that we did not take in were taken out: another process has made a snapshot.
            State::Whole => applied >= standing.taken_out,
            State::Lacking => return Ok(()),
        };
        let mut shelves = self.shelves_mut();
        if shelves.state == state && shelves.applied == applied {
            shelves.state = if is_good { State::Whole } else { State::Lacking };
            if !is_good {
                tracing::warn!("the case index does not fit the database; it is built anew");
                *shelves = Shelves { applied: standing.taken_out, state: State::Lacking, ..Shelves::default() };
                self.inner.wanted.notify_one();
            }
        }
        Ok(())
    }

    /// For the keeper: takes in some slices, however many there are; answers where the outbox stands, and how many cases there are.
    fn keep_up(&self, db: &Db<'_>, slices: usize) -> Result<(sql::Standing, u32), StoreError> {
        let standing = sql::standing(db)?;
        self.settle(db, standing)?;
        for _ in 0..slices {
            if !self.take_in(db)? {
                self.inner.is_behind.store(false, Ordering::Relaxed);
                break;
            }
        }
        Ok((standing, sql::count_in_use(db)?))
    }

    /// Takes in the next slice of changes; false when there was none.
    fn take_in(&self, db: &Db<'_>) -> Result<bool, StoreError> {
        let _turn = self.inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let applied = self.shelves().applied;
        let Some(changes) = Changes::after(db, applied)? else { return Ok(false) };
        let mut shelves = self.shelves_mut();
        // New indexes may have come in between; they want to hear of these changes again.
        if shelves.applied == applied {
            shelves.take(changes);
        }
        Ok(true)
    }

    fn shelves(&self) -> RwLockReadGuard<'_, Shelves> {
        self.inner.shelves.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelves_mut(&self) -> RwLockWriteGuard<'_, Shelves> {
        self.inner.shelves.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Option<Progress>> {
        self.inner.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A case made ready for the indexes that it belongs in.
struct Entry {
    document: crate::search::index::Document,
    is_in_use: bool,
    is_published: bool,
}

impl Entry {
    fn new(found: sql::Found, documents: &mut find::Documents) -> Self {
        let document = documents.of(found.number, found.state, &found.body);
        Self { document, is_in_use: found.state != CaseState::Archived, is_published: found.is_published() }
    }
}

/// A slice of the outbox, with what the cases are now.
struct Changes {
    last: i64,
    entries: Vec<(CaseNumber, Option<Entry>)>,
}

impl Changes {
    fn after(db: &Db<'_>, applied: i64) -> Result<Option<Self>, StoreError> {
        let changes = sql::changes(db, applied, SLICE)?;
        let Some((last, _)) = changes.last().copied() else { return Ok(None) };
        let numbers: BTreeSet<CaseNumber> = changes.into_iter().map(|(_, number)| number).collect();
        let (mut entries, mut documents) = (Vec::with_capacity(numbers.len()), find::Documents::default());
        for number in numbers {
            entries.push((number, sql::case(db, number)?.map(|found| Entry::new(found, &mut documents))));
        }
        Ok(Some(Self { last, entries }))
    }
}

impl Shelves {
    /// Closes the newest part of both; answers which changes are in the closed ones.
    fn close(&mut self) -> i64 {
        self.all.close();
        self.published.close();
        self.applied
    }

    fn take(&mut self, changes: Changes) {
        for (number, entry) in changes.entries {
            self.put(number, entry);
        }
        self.applied = changes.last;
    }

    /// Both indexes in one step: a case that is no longer for customers leaves theirs as it changes in the other.
    fn put(&mut self, number: CaseNumber, entry: Option<Entry>) {
        let Some(entry) = entry.filter(|entry| entry.is_in_use) else {
            self.all.remove(number.0);
            self.published.remove(number.0);
            return;
        };
        if entry.is_published {
            self.published.put(entry.document.clone());
        } else {
            self.published.remove(number.0);
        }
        self.all.put(entry.document);
    }
}

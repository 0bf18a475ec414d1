//! Both indexes from nothing: every case that is in use, read by number.
//!
//! Two workers take a stretch of numbers each, make documents of its cases and a part of the documents, and then the next stretch. At
//! the end the parts become one. The server answers from what it has until the new indexes are done. Changes that come meanwhile are
//! taken in at the end, from the place where the outbox stood at the start.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Library, Shelves, State, keeper, sql};
use crate::cases::find::Documents;
use crate::config::Settings;
use crate::search::index::Index;
use crate::search::index::bulk::{Built, Bulk, Tags};
use crate::store::{Db, Store, StoreError, Tx};

/// Numbers of cases that are read at once: what a reader thread is busy with for some milliseconds.
const BATCH: u32 = 250;
/// Threads that the end has for itself.
const THREADS: usize = 2;
/// Numbers in a stretch: what a worker needs in memory beside what is built.
const STRETCH: std::ops::RangeInclusive<u32> = 1_024..=16_384;
/// With fewer stretches, one worker waits long for the other's last.
const STRETCHES: u32 = 16;
/// How often somebody who waits hears of the progress.
const TELL_EVERY: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A server that runs takes a wish up within a second or two.
const PATIENCE: Duration = Duration::from_secs(30);

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub cases: u32,
    pub of: u32,
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} cases", self.cases, self.of)
    }
}

/// What there was at the start.
#[derive(Clone, Copy)]
struct Start {
    applied: i64,
    cases: u32,
    /// The greatest number.
    last: u32,
}

impl Start {
    fn read(db: &Db<'_>) -> Result<Self, StoreError> {
        Ok(Self { applied: sql::standing(db)?.newest, cases: sql::count_in_use(db)?, last: sql::greatest(db)? })
    }

    fn shelves(self, all: Index, published: Index) -> Shelves {
        Shelves { all, published, applied: self.applied, state: State::Whole }
    }
}

/// Of both indexes.
#[derive(Clone, Default)]
struct Dictionaries {
    all: Tags,
    published: Tags,
}

#[derive(Default)]
struct Parts {
    all: Vec<Built>,
    published: Vec<Built>,
}

impl Parts {
    fn indexes(self, tags: &Dictionaries) -> (Index, Index) {
        (Index::built(&tags.all, self.all, THREADS), Index::built(&tags.published, self.published, THREADS))
    }
}

/// Makes parts of stretches.
struct Worker {
    documents: Documents,
    all: Bulk,
    published: Bulk,
    parts: Parts,
}

impl Worker {
    fn new(tags: &Dictionaries) -> Self {
        Self { documents: Documents::default(), all: Bulk::new(&tags.all), published: Bulk::new(&tags.published), parts: Parts::default() }
    }

    /// Takes in the cases after one number and up to another; answers how many there were.
    fn take_in(&mut self, db: &Db<'_>, after: u32, up_to: u32) -> Result<u32, StoreError> {
        let mut cases = 0;
        sql::each_in_use(db, after, up_to, |found| {
            let mut parts = vec![&mut self.all];
            if found.is_published() {
                parts.push(&mut self.published);
            }
            self.documents.put(found.number, found.state, &found.body, &mut parts);
            cases += 1;
        })?;
        Ok(cases)
    }

    fn pack(&mut self) {
        let [all, published] = self.documents.pack([&mut self.all, &mut self.published]);
        self.parts.all.push(all);
        self.parts.published.push(published);
    }
}

/// For a library that is made in memory.
pub fn at_once(library: &Library, db: &Db<'_>) -> Result<(), StoreError> {
    let (start, tags) = (Start::read(db)?, Dictionaries::default());
    let mut worker = Worker::new(&tags);
    worker.take_in(db, 0, start.last)?;
    worker.pack();
    let (all, published) = worker.parts.indexes(&tags);
    *library.shelves_mut() = start.shelves(all, published);
    Ok(())
}

/// A rebuild that is under way.
struct Building<'a> {
    library: &'a Library,
    store: &'a Store,
    /// Whoever asked for it is told through the database.
    wish: Option<i64>,
    start: Start,
    tags: Dictionaries,
    /// The last number before the next stretch.
    next: AtomicU32,
    cases: AtomicU32,
    told: Mutex<Option<Instant>>,
}

impl Building<'_> {
    /// Makes parts until every stretch has its worker.
    async fn work(&self) -> Result<Parts, StoreError> {
        let stretch = (self.start.last / STRETCHES).clamp(*STRETCH.start(), *STRETCH.end());
        let mut worker = Worker::new(&self.tags);
        loop {
            let after = self.next.fetch_add(stretch, Ordering::Relaxed);
            if after >= self.start.last {
                return Ok(worker.parts);
            }
            let end = after.saturating_add(stretch).min(self.start.last);
            let mut from = after;
            while from < end {
                let to = from.saturating_add(BATCH).min(end);
                let read = move |db: &Db<'_>| -> Result<_, StoreError> {
                    let cases = worker.take_in(db, from, to)?;
                    Ok((worker, cases))
                };
                let cases;
                (worker, cases) = self.store.read(read).await?;
                self.tell(cases).await?;
                from = to;
            }
            let pack = move || {
                worker.pack();
                worker
            };
            worker = tokio::task::spawn_blocking(pack).await.map_err(panicked)?;
        }
    }

    async fn tell(&self, cases: u32) -> Result<(), StoreError> {
        let cases = self.cases.fetch_add(cases, Ordering::Relaxed) + cases;
        let progress = Progress { cases, of: self.start.cases };
        *self.library.progress() = Some(progress);
        if self.wish.is_some()
            && let Ok(mut told) = self.told.try_lock()
            && told.is_none_or(|told| told.elapsed() >= TELL_EVERY)
        {
            *told = Some(Instant::now());
            self.store.write(move |tx| sql::set_progress(tx, progress)).await?;
        }
        Ok(())
    }
}

/// Builds, and takes the new indexes into use. `wish`: whoever asked for it is told through the database.
pub async fn rebuild(library: &Library, store: &Store, wish: Option<i64>) -> Result<u32, StoreError> {
    let start = store.read(Start::read).await?;
    let building = Building {
        library,
        store,
        wish,
        start,
        tags: Dictionaries::default(),
        next: AtomicU32::new(0),
        cases: AtomicU32::new(0),
        told: Mutex::new(None),
    };
    let (mut parts, more) = tokio::try_join!(building.work(), building.work())?;
    parts.all.extend(more.all);
    parts.published.extend(more.published);
    let tags = building.tags.clone();
    let (all, published) = tokio::task::spawn_blocking(move || parts.indexes(&tags)).await.map_err(panicked)?;
    let shelves = take_in_rest(store, start.shelves(all, published)).await?;
    *library.shelves_mut() = shelves;
    Ok(building.cases.load(Ordering::Relaxed))
}

/// What was saved while the index was built.
async fn take_in_rest(store: &Store, mut shelves: Shelves) -> Result<Shelves, StoreError> {
    loop {
        let applied = shelves.applied;
        let Some(changes) = store.read(move |db| super::Changes::after(db, applied)).await? else { return Ok(shelves) };
        shelves.take(changes);
    }
}

pub(super) fn panicked(error: tokio::task::JoinError) -> StoreError {
    StoreError::Corrupt(format!("indexing failed: {error}"))
}

/// `lineman-server cases rebuild`: by the server when it runs, else by this process.
pub async fn command(settings: &Settings) -> anyhow::Result<()> {
    let store = Store::open(&settings.database(), crate::LISTENERS)?;
    let started = Instant::now();
    let wish = store.write(|tx: &mut Tx<'_>| sql::add_wish(tx)).await?;
    // Whoever listens on the server's port is the server; while we hold it, none can start.
    let cases = match std::net::TcpListener::bind(settings.listen) {
        Ok(_port) => by_ourselves(settings, &store, wish).await?,
        Err(_) => by_the_server(&store, wish).await?,
    };
    println!("rebuilt the index of {cases} cases in {:.1} s", started.elapsed().as_secs_f64());
    store.close().await;
    Ok(())
}

async fn by_ourselves(settings: &Settings, store: &Store, wish: i64) -> anyhow::Result<u32> {
    eprintln!("no server runs on {}: building here", settings.listen);
    // Whatever lies there is not wanted.
    let library = Library::at(&settings.dir);
    let work = keeper::rebuild_and_save(&library, store, Some(wish));
    tokio::pin!(work);
    let mut look = tokio::time::interval(TELL_EVERY);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done?),
            _ = look.tick() => library.health().rebuild.into_iter().for_each(|progress| eprintln!("{progress}")),
        }
    }
}

async fn by_the_server(store: &Store, wish: i64) -> anyhow::Result<u32> {
    eprintln!("the server builds; it goes on answering from the index it has");
    let (started, mut seen) = (Instant::now(), Progress::default());
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        look.tick().await;
        let wishes = store.read(sql::wishes).await?;
        if wishes.done >= wish {
            return Ok(wishes.progress.cases);
        }
        if wishes.progress != seen {
            seen = wishes.progress;
            eprintln!("{seen}");
        }
        let is_idle = seen == Progress::default() && started.elapsed() > PATIENCE;
        anyhow::ensure!(!is_idle, "the server has not begun within {} s; it does it when it starts next", PATIENCE.as_secs());
    }
}

/// Reads the settings and rebuilds.
pub async fn run(config: &std::path::Path) -> anyhow::Result<()> {
    command(&Settings::read(config)?).await.context("the index of the case library")
}

//! Both indexes from nothing: every case that is in use, read by number.
//!
//! The server answers from what it has until the new ones are done. Changes that come meanwhile are taken in at the end, from the place
//! where the outbox stood at the start.

use std::time::Duration;

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt};
use lineman_common::name::CaseNumber;
use tokio::time::Instant;

use super::{Entry, Library, Shelves, State, keeper, sql};
use crate::config::Settings;
use crate::store::{Db, Store, StoreError, Tx};

/// Numbers of cases that are read at once.
const BATCH: u32 = 250;
/// Batches that are made ready at the same time, each on a reader thread: making documents of cases is most of the work.
const AT_ONCE: usize = 2;
/// Documents in a part before it is packed: what the builder needs in memory beside what it has built.
const PART: usize = 16_384;
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

#[derive(Default)]
struct Builder {
    shelves: Shelves,
    progress: Progress,
    /// The greatest number there was.
    last: u32,
}

type Batch = Vec<(CaseNumber, Entry)>;

impl Builder {
    fn begin(db: &Db<'_>) -> Result<Self, StoreError> {
        let shelves = Shelves { applied: sql::standing(db)?.newest, state: State::Whole, ..Shelves::default() };
        Ok(Self { shelves, progress: Progress { cases: 0, of: sql::count_in_use(db)? }, last: sql::greatest(db)? })
    }

    /// Where the batches begin.
    fn starts(&self) -> impl Iterator<Item = u32> + use<> {
        (0..self.last).step_by(BATCH as usize)
    }

    /// Cases of some numbers, made ready.
    fn batch(db: &Db<'_>, after: u32) -> Result<Batch, StoreError> {
        let cases = sql::in_use(db, after, after.saturating_add(BATCH))?;
        Ok(cases.into_iter().map(|found| (found.number, Entry::new(found))).collect())
    }

    fn add(&mut self, batch: Batch) {
        for (number, entry) in batch {
            self.shelves.put(number, Some(entry));
            self.progress.cases += 1;
        }
        for index in [&mut self.shelves.all, &mut self.shelves.published] {
            if index.fresh() >= PART {
                index.pack();
            }
        }
    }

    fn finish(mut self) -> Shelves {
        self.shelves.all.unite();
        self.shelves.published.unite();
        self.shelves
    }
}

/// For a library that is made in memory.
pub fn at_once(library: &Library, db: &Db<'_>) -> Result<(), StoreError> {
    let mut builder = Builder::begin(db)?;
    for after in builder.starts() {
        builder.add(Builder::batch(db, after)?);
    }
    *library.shelves_mut() = builder.finish();
    Ok(())
}

/// Builds, and takes the new indexes into use. `wish`: whoever asked for it is told through the database.
pub async fn rebuild(library: &Library, store: &Store, wish: Option<i64>) -> Result<u32, StoreError> {
    let mut builder = store.read(Builder::begin).await?;
    let batches = builder.starts().map(|after| store.read(move |db| Builder::batch(db, after)));
    let mut batches = std::pin::pin!(futures_util::stream::iter(batches).buffered(AT_ONCE));
    let mut told: Option<Instant> = None;
    let mut batch = batches.try_next().await?;
    while let Some(ready) = batch {
        let add = tokio::task::spawn_blocking(move || {
            builder.add(ready);
            builder
        });
        // The next ones are made meanwhile.
        let (built, next) = tokio::join!(add, batches.try_next());
        builder = built.map_err(panicked)?;
        batch = next?;
        let progress = builder.progress;
        *library.progress() = Some(progress);
        if wish.is_some() && told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            store.write(move |tx| sql::set_progress(tx, progress)).await?;
            told = Some(Instant::now());
        }
    }
    let cases = builder.progress.cases;
    let shelves = tokio::task::spawn_blocking(move || builder.finish()).await.map_err(panicked)?;
    let shelves = take_in_rest(store, shelves).await?;
    *library.shelves_mut() = shelves;
    Ok(cases)
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

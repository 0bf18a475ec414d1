//! The job that keeps the indexes: takes in what nobody asked about yet, merges parts, writes snapshots, builds anew.

use std::io;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::snapshot::{self, Header};
use super::{Library, Shelves, State, rebuild, sql};
use crate::search::index::{Index, Plan};
use crate::store::{Store, StoreError};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Documents in the newest part before it is packed.
const PART: usize = 4_096;
/// Changes that make a snapshot worth its writing at once. A start takes them in again, at about ten thousand a second.
const SNAPSHOT_CHANGES: i64 = 10_000;
/// Fewer are written after so long.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(600);
/// Rows of the outbox that one change of the database takes out.
const TAKEN_OUT_AT_ONCE: i64 = 2_000;
/// Slices of changes that are taken in before the reader thread is given back.
const SLICES: usize = 16;
/// With so many changes to take in, or more than there are cases, building anew is faster.
const FASTER_ANEW: i64 = 20_000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the snapshot was not written; the changes are kept in the database: {0}")]
    Snapshot(io::Error),
}

/// Keeps the indexes until it is told to stop.
pub async fn run(library: Library, store: Store, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut snapshot_due = Instant::now() + SNAPSHOT_EVERY;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
            () = library.inner.wanted.notified() => {}
        }
        let activity = activate(&library, &store, snapshot_due);
        let result = tokio::select! {
            () = stop.cancelled() => return,
            result = activity => result,
        };
        match result {
            Ok(false) => {}
            Ok(true) => snapshot_due = Instant::now() + SNAPSHOT_EVERY,
            Err(error) => {
                tracing::error!(%error, "the index of the case library");
                // Not again with every look: a full disk stays full for a while.
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(LOOK_EVERY * 30) => {}
                }
            }
        }
    }
}

/// Does what is to do; true when a snapshot was written.
pub(super) async fn activate(library: &Library, store: &Store, snapshot_due: Instant) -> Result<bool, Error> {
    let wishes = store.read(sql::wishes).await?;
    if wishes.wanted > wishes.done {
        rebuild_and_save(library, store, Some(wishes.wanted)).await?;
        return Ok(true);
    }
    let standing = take_in(library, store).await?;
    if library.shelves().state == State::Lacking {
        rebuild_and_save(library, store, None).await?;
        return Ok(true);
    }
    let waiting = standing.newest - standing.taken_out;
    if waiting >= SNAPSHOT_CHANGES || (waiting > 0 && Instant::now() >= snapshot_due) {
        save(library, store).await?;
        return Ok(true);
    }
    if library.shelves().all.fresh() >= PART {
        library.shelves_mut().close();
        merge(library).await?;
    }
    Ok(false)
}

/// Takes in all changes, or finds that building anew is faster.
async fn take_in(library: &Library, store: &Store) -> Result<sql::Standing, StoreError> {
    loop {
        let own = library.clone();
        let (standing, cases) = store.read(move |db| own.keep_up(db, SLICES)).await?;
        let behind = standing.newest - library.shelves().applied;
        if behind > FASTER_ANEW.min(i64::from(cases)).max(super::MOST_INLINE) {
            library.shelves_mut().state = State::Lacking;
        }
        if behind <= 0 || library.shelves().state == State::Lacking {
            return Ok(standing);
        }
    }
}

/// Builds anew and writes the snapshot.
pub async fn rebuild_and_save(library: &Library, store: &Store, wish: Option<i64>) -> Result<u32, Error> {
    let started = Instant::now();
    let built = rebuild::rebuild(library, store, wish).await;
    let saved = match built {
        Ok(cases) => save(library, store).await.map(|()| cases),
        Err(error) => Err(error.into()),
    };
    *library.progress() = None;
    let cases = saved?;
    if let Some(wish) = wish {
        store
            .write(move |tx| {
                sql::set_progress(tx, rebuild::Progress { cases, of: cases })?;
                sql::fulfil(tx, wish)
            })
            .await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(cases, seconds, "the index of the case library was built anew");
    Ok(cases)
}

/// Makes full parts of what is in memory, outside of the lock: questions are answered meanwhile.
async fn merge(library: &Library) -> Result<(), StoreError> {
    for shelf in [all, published] {
        loop {
            let Some(plan) = shelf(&mut library.shelves_mut()).plan() else { break };
            let merged = tokio::task::spawn_blocking(move || Plan::merge(plan)).await.map_err(rebuild::panicked)?;
            shelf(&mut library.shelves_mut()).adopt(merged);
        }
    }
    Ok(())
}

fn all(shelves: &mut Shelves) -> &mut Index {
    &mut shelves.all
}

fn published(shelves: &mut Shelves) -> &mut Index {
    &mut shelves.published
}

/// Writes a snapshot, and takes out of the outbox what it holds.
pub async fn save(library: &Library, store: &Store) -> Result<(), Error> {
    let Some(place) = library.inner.place.clone() else { return Ok(()) };
    // Both newest parts are closed under one lock, so that the snapshot holds the same changes in both.
    let sequence = library.shelves_mut().close();
    merge(library).await?;
    let frozen = {
        let shelves = library.shelves();
        shelves.all.freeze().zip(shelves.published.freeze()).filter(|_| shelves.state == State::Whole && shelves.applied >= sequence)
    };
    let mark = store.read(move |db| sql::mark(db, sequence)).await?;
    // Without them the memory does not fit the database; the next look finds that out.
    let Some(((all, published), mark)) = frozen.zip(mark) else { return Ok(()) };
    let header = Header { sequence, mark };
    let written =
        tokio::task::spawn_blocking(move || snapshot::write(&place, header, [&all, &published])).await.map_err(rebuild::panicked)?;
    let size_bytes = written.map_err(Error::Snapshot)?;
    while store.write(move |tx| sql::take_out(tx, sequence, TAKEN_OUT_AT_ONCE)).await? {}
    tracing::debug!(step = "taken out");
    tracing::info!(size_bytes, sequence, "wrote a snapshot of the case index");
    Ok(())
}

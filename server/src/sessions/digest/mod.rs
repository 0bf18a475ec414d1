//! What people need to find a place in a recording: transcript lines to search, keyframes to seek.
//!
//! A background job reads stored chunks in order and writes both, while sessions run and afterwards. Each step reads a few chunks
//! of one recording and stores what came of them together with the place that it has reached, in one change: so a step that
//! is repeated changes nothing, and after a kill the job goes on where it was. It reads only a chain that goes on: at a gap it waits, and
//! at a chunk that does not follow from the one before it stops for good.
//!
//! A printer is kept with the place. A screen is kept in memory only; when it is not there, it is made again from the last keyframe and
//! the chunks since. (What a keyframe does not hold is lost in that: the screen behind a full-screen program, and scroll margins.)
//!
//! Nothing here is evidence: signatures are checked by those who verify.

mod reader;
mod screens;
mod sql;
#[cfg(test)]
pub mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use lineman_common::api::{Keyframe, TranscriptPage};
use lineman_common::id::{EquipmentId, SessionId};
use lineman_common::recording::screen::Frame;
use lineman_common::recording::transcript::{Line, Transcript};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;

use self::screens::Screens;
use crate::store::{Db, Nudge, Store, StoreError, Tx};

/// Chunks read in one step: a step must not hold up the store's writer.
const STEP_CHUNKS: u32 = 16;
const STEP_BYTES: usize = 128 * 1024;
/// Of one session.
const MOST_LINES: u64 = 1_000_000;
const MOST_LINE_BYTES: u64 = 256 << 20;
const MOST_KEYFRAME_BYTES: u64 = 64 << 20;
/// A screen that takes more to draw is not kept.
const MOST_SCREEN_BYTES: usize = 4 << 20;
/// Without a nudge the job looks at everything this often.
const LOOK_EVERY: Duration = Duration::from_secs(300);

/// Why nothing more is read when all is well.
const END_RECORD: &str = "the end record: ";

/// One recording: a device writes under its own name only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub device: EquipmentId,
    pub session: SessionId,
}

/// How far a recording was read.
#[derive(Clone, Debug, Default, PartialEq)]
struct Digest {
    chunks: u64,
    head_sha256: String,
    /// Why nothing more is read.
    finished: Option<String>,
    state: State,
    lines: u64,
    line_bytes: u64,
    keyframe_bytes: u64,
}

/// What is kept in the middle of a recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    transcript: Transcript,
    /// No more lines are stored.
    is_full: bool,
    /// Terminals that are open: for each channel the chunk from which its screen can be made again.
    terminals: std::collections::BTreeMap<u32, u64>,
}

/// What came of a step.
#[derive(Debug, Default)]
struct Gain {
    lines: Vec<Line>,
    frames: Vec<Shot>,
}

/// A keyframe as it is stored.
#[derive(Clone, Debug, PartialEq)]
struct Shot {
    channel: u32,
    frame: Frame,
    /// `frame.screen`, compressed.
    screen: Vec<u8>,
}

/// The job: reads what is stored, then waits for more.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut nudges = store.nudges();
    let mut job = Job { store, screens: Screens::default(), waiting: VecDeque::new() };
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        if let Err(error) = job.work(&stop, &mut nudges).await {
            tracing::error!(%error, "recordings could not be read into lines and keyframes");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => job.look_at_everything().await,
            nudge = nudges.recv() => match nudge {
                Ok(Nudge::Recorded(session)) => job.look_at(session).await,
                Err(RecvError::Lagged(_)) => job.look_at_everything().await,
                Ok(Nudge::Events | Nudge::Orders(_) | Nudge::SignedOut) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

struct Job {
    store: Store,
    screens: Screens,
    /// Recordings that have chunks which were not read.
    waiting: VecDeque<Key>,
}

impl Job {
    async fn look_at_everything(&mut self) {
        match self.store.read(|db| sql::unread(db, None)).await {
            Ok(keys) => self.waiting = keys.into(),
            Err(error) => tracing::error!(%error, "recordings can't be listed"),
        }
    }

    async fn look_at(&mut self, session: SessionId) {
        match self.store.read(move |db| sql::unread(db, Some(session))).await {
            Ok(keys) => keys.into_iter().for_each(|key| self.add(key)),
            Err(error) => tracing::error!(%error, session.id = %session, "a recording can't be listed"),
        }
    }

    fn add(&mut self, key: Key) {
        if !self.waiting.contains(&key) {
            self.waiting.push_back(key);
        }
    }

    /// Steps through what waits, one step of each recording at a time: a long one does not keep the others waiting.
    async fn work(&mut self, stop: &CancellationToken, nudges: &mut broadcast::Receiver<Nudge>) -> Result<(), StoreError> {
        while let Some(key) = self.waiting.pop_front() {
            if stop.is_cancelled() {
                return Ok(());
            }
            if self.step(key).await? {
                self.add(key);
            }
            // New ones stand in line meanwhile, so that nudges don't pile up.
            loop {
                match nudges.try_recv() {
                    Ok(Nudge::Recorded(session)) => self.look_at(session).await,
                    Ok(Nudge::Events | Nudge::Orders(_) | Nudge::SignedOut) => {}
                    Err(TryRecvError::Lagged(_)) => self.look_at_everything().await,
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
        }
        Ok(())
    }

    /// Reads a few chunks of one recording. True when there may be more.
    async fn step(&mut self, key: Key) -> Result<bool, StoreError> {
        let (digest, page) = self.store.read(move |db| load(db, key)).await?;
        if digest.finished.is_some() || page.is_empty() {
            return Ok(false);
        }
        let cameras = match self.screens.take(key, digest.chunks) {
            Some(cameras) => cameras,
            None => screens::again(&self.store, key, &digest).await?,
        };
        let before = digest.chunks;
        let read = tokio::task::spawn_blocking(move || reader::read(digest, cameras, &page)).await;
        let Ok((digest, cameras, gain)) = read else { return Err(StoreError::Corrupt("reading a recording panicked".into())) };
        let (chunks, is_finished) = (digest.chunks, digest.finished.is_some());
        if self.store.write(move |tx| save(tx, key, before, &digest, &gain)).await? && !is_finished {
            self.screens.put(key, chunks, cameras);
        }
        Ok(chunks > before && !is_finished)
    }
}

/// How far it was read, and the next chunks if they go on from there.
fn load(db: &Db<'_>, key: Key) -> Result<(Digest, Vec<(u64, String)>), StoreError> {
    let digest = sql::digest(db, key)?.unwrap_or_default();
    let page = super::sql::chunks(db, key.device, key.session, digest.chunks, STEP_CHUNKS, STEP_BYTES)?.chunks;
    let goes_on = (digest.chunks..).zip(page).take_while(|(expected, (number, _))| expected == number).map(|(_, chunk)| chunk);
    Ok((digest.clone(), goes_on.collect()))
}

/// Stores what came of a step. False when somebody else has read these chunks meanwhile.
fn save(tx: &mut Tx<'_>, key: Key, before: u64, digest: &Digest, gain: &Gain) -> Result<bool, StoreError> {
    if sql::digest(tx, key)?.unwrap_or_default().chunks != before {
        return Ok(false);
    }
    sql::put_digest(tx, key, digest)?;
    sql::insert_lines(tx, key, &gain.lines)?;
    sql::insert_shots(tx, key, &gain.frames)?;
    Ok(true)
}

/// Which keyframes somebody wants.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub channel: Option<u32>,
    /// Of each channel only the newest that is no later than this.
    pub at_s: Option<f64>,
    /// After this one: channel, chunks, events.
    pub after: Option<(u32, u64, u32)>,
    pub most: u32,
    pub most_bytes: usize,
}

/// A recording's keyframes, and whether there are more. The caller has found the session under a scope.
pub fn keyframes(db: &Db<'_>, device: EquipmentId, session: SessionId, wanted: &Wanted) -> Result<(Vec<Keyframe>, bool), StoreError> {
    let key = Key { device, session };
    let shots = match wanted.at_s {
        Some(at_s) => sql::newest_shots(db, key, wanted.channel, at_s)?,
        None => sql::shots(db, key, wanted)?,
    };
    let (mut keyframes, mut bytes) = (Vec::new(), 0);
    for shot in shots {
        let screen = screens::unpacked(&shot.screen)?;
        bytes += screen.len();
        let is_full = keyframes.len() >= wanted.most as usize || bytes > wanted.most_bytes;
        if is_full && !keyframes.is_empty() {
            return Ok((keyframes, true));
        }
        let Frame { seconds, chunks, events, cols, rows, screen: _ } = shot.frame;
        keyframes.push(Keyframe { channel: shot.channel, seconds, chunks, events, cols, rows, screen });
    }
    Ok((keyframes, false))
}

/// A recording's lines in order, after that one, and how far it was read. The caller has found the session under a scope.
pub fn transcript(db: &Db<'_>, device: EquipmentId, session: SessionId, after: i64, most: u32) -> Result<TranscriptPage, StoreError> {
    let key = Key { device, session };
    let Digest { chunks, finished, .. } = sql::digest(db, key)?.unwrap_or_default();
    let (items, next) = sql::lines(db, key, after, most)?;
    let whole = finished.as_deref().is_some_and(|why| why.starts_with(END_RECORD));
    Ok(TranscriptPage { items, next: next.map(|id| id.to_string()), chunks, finished: finished.map(Into::into), whole })
}

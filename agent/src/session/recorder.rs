//! The recorder: one per session, fed by all of its channels, writing a chunk a second or every 64 KiB.
//!
//! What goes to the engineer, and what comes from them, is handed to the recorder first. Its queue is bounded: when the
//! disk is slow, the session is slow. When it can't write at all, [`Recorder::failed`] fires, every further
//! event is refused, and the session ends: nothing happens on the device that is not recorded.
//!
//! No event is large: bytes are cut into pieces of [`EVENT_BYTES`], and commands and paths have their own bounds, so a chunk
//! always fits into a frame of the link. What a failure still keeps out of the recording is counted and hashed in its end.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::link::{Report, SessionSummary};
use lineman_common::recording::{Event, Flow, What};
use lineman_common::session::EndReason;
use lineman_common::statement::hex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::chain::{Chain, ChainError, Lost, summarised};
use super::hashing::Hashing;
use super::pace::Pace;
use crate::outbox::Outbox;

/// A chunk is closed when it is this old or this long, whichever comes first.
const CHUNK_AGE: Duration = Duration::from_secs(1);
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that share one flush to the disk take this much: where events come faster than a disk flushes, the disk sets no pace.
const BATCH_BYTES: usize = 1024 * 1024;
/// Bytes in one event, at most. As JSON in JSON they may be seven times as many: a quarter of a frame.
const EVENT_BYTES: usize = 32 * 1024;
/// Events that wait. Full means that the session waits for the disk.
const QUEUE: usize = 32;
/// After a failure this much is kept for the end record; the rest is counted and hashed.
const KEPT_BYTES: usize = 128 * 1024;
/// Of each stream of a command, this much is recorded as it is; the rest is counted and hashed.
pub const EXEC_BYTES: u64 = 1024 * 1024;
/// Longest beginning of a UTF-8 character.
const TAIL_BYTES: usize = 3;
/// What becomes one event also with such a beginning in front of it.
const PIECE_BYTES: usize = EVENT_BYTES - TAIL_BYTES;
/// What is read of a flow at one time.
pub const READ_BYTES: usize = 4 * PIECE_BYTES;
/// Commands and files that a summary names.
const SUMMARY_ENTRIES: usize = 32;

#[derive(Debug, thiserror::Error)]
#[error("the recorder can't write: the session ends")]
pub struct RecorderFailed;

enum Entry {
    /// With a word to who waits for it to be in the pending chunk.
    Event(Event, Option<oneshot::Sender<()>>),
    /// Something went to the engineer for the first time.
    FirstByte(Timestamp),
    /// With the lines of last notes, which are in the end record itself.
    End(EndReason, Vec<String>, oneshot::Sender<()>),
}

pub struct Recorder {
    started: Instant,
    queue: mpsc::Sender<Entry>,
    failed: CancellationToken,
    summary: Arc<Mutex<SessionSummary>>,
    first_byte: AtomicBool,
    pace: Arc<Pace>,
}

impl Recorder {
    /// The recorder's two halves: a handle for the channels, and the task that writes.
    pub fn new(chain: Chain, outbox: Arc<Outbox>, pace: Arc<Pace>) -> (Arc<Self>, impl Future<Output = ()> + Send + use<>) {
        let (queue, entries) = mpsc::channel(QUEUE);
        let (failed, summary) = (CancellationToken::new(), Arc::new(Mutex::new(SessionSummary::default())));
        let recorder = Self {
            started: Instant::now(),
            queue,
            failed: failed.clone(),
            summary: Arc::clone(&summary),
            first_byte: AtomicBool::new(false),
            pace: Arc::clone(&pace),
        };
        let lost = Lost::default();
        let writing = Writing { chain: Some(chain), outbox, lines: Vec::new(), bytes: 0, lost, due: None, summary, failed, pace };
        (Arc::new(recorder), writing.run(entries))
    }

    /// How far ahead of its recording the session may run.
    pub fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    /// Fires when the recorder can't write any more.
    pub fn failed(&self) -> &CancellationToken {
        &self.failed
    }

    pub async fn event(&self, channel: u32, what: What) -> Result<(), RecorderFailed> {
        self.hand_over(channel, what, None).await
    }

    /// Returns when the event is in the pending chunk: for what must be recorded before it is done.
    pub async fn event_first(&self, channel: u32, what: What) -> Result<(), RecorderFailed> {
        let (taken, waits) = oneshot::channel();
        self.hand_over(channel, what, Some(taken)).await?;
        waits.await.map_err(|_| RecorderFailed)
    }

    async fn hand_over(&self, channel: u32, what: What, taken: Option<oneshot::Sender<()>>) -> Result<(), RecorderFailed> {
        let place = self.queue.reserve().await.map_err(|_| RecorderFailed)?;
        self.pace.handed_over(weight(&what));
        place.send(Entry::Event(self.now(channel, what), taken));
        Ok(())
    }

    fn now(&self, channel: u32, what: What) -> Event {
        Event { seconds: self.started.elapsed().as_secs_f64(), channel, what }
    }

    /// One flow of one channel. Terminals have no `limit`.
    pub fn flow(self: &Arc<Self>, channel: u32, flow: Flow, limit: Option<u64>) -> FlowTape {
        FlowTape {
            recorder: Arc::clone(self),
            channel,
            flow,
            limit,
            bytes: 0,
            hash: Hashing::default(),
            truncated: false,
            tail: Vec::new(),
        }
    }

    /// Something went to the engineer: the first time is told, clock K4 waits for it; by the task that writes, because that takes a flush
    /// to the disk.
    pub async fn sent(&self, bytes: usize) {
        self.summary().output_bytes += bytes as u64;
        if self.first_byte.load(Ordering::Relaxed) {
            return;
        }
        // A recorder that has failed tells nothing more but the end.
        let Ok(place) = self.queue.reserve().await else { return };
        if !self.first_byte.swap(true, Ordering::Relaxed) {
            place.send(Entry::FirstByte(Timestamp::now()));
        }
    }

    pub fn received(&self, bytes: usize) {
        self.summary().input_bytes += bytes as u64;
    }

    pub fn channel_opened(&self) {
        self.summary().channels += 1;
    }

    pub fn command(&self, command: &str) {
        push_new(&mut self.summary().commands, command);
    }

    pub fn file(&self, path: &str) {
        push_new(&mut self.summary().files, path);
    }

    pub fn forward(&self, target: &str) {
        push_new(&mut self.summary().forwards, target);
    }

    /// What the session left behind; said in the end record as well.
    pub fn leftovers(&self, left: &[String]) {
        let mut summary = self.summary();
        for entry in left {
            push_new(&mut summary.leftovers, entry);
        }
    }

    fn summary(&self) -> MutexGuard<'_, SessionSummary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the end record, with these notes. Returns when it is on the disk, or can't be.
    pub async fn end(&self, reason: EndReason, notes: Vec<String>) {
        let (done, written) = oneshot::channel();
        let notes = notes.into_iter().map(|note| self.now(0, What::Note(note)).to_line()).collect();
        if self.queue.send(Entry::End(reason, notes, done)).await.is_ok() {
            let _ = written.await;
        }
    }
}

fn push_new(list: &mut Vec<String>, entry: &str) {
    let entry = summarised(entry);
    if list.len() < SUMMARY_ENTRIES && !list.contains(&entry) {
        list.push(entry);
    }
}

/// What counts as on its way: the bytes of a flow, which are all that can flood.
fn weight(what: &What) -> usize {
    match what {
        What::Bytes(_, bytes) => bytes.len(),
        What::Open(_)
        | What::Resize { .. }
        | What::Sftp(_)
        | What::Truncated(_)
        | What::Total { .. }
        | What::Exit { .. }
        | What::Note(_)
        | What::Other(..) => 0,
    }
}

/// An event that waits for its chunk.
struct Line {
    text: String,
    weight: u64,
}

/// The writing half.
struct Writing {
    /// `None` while chunks are being written.
    chain: Option<Chain>,
    outbox: Arc<Outbox>,
    lines: Vec<Line>,
    bytes: usize,
    /// What came after a failure and is not kept.
    lost: Lost,
    due: Option<Instant>,
    summary: Arc<Mutex<SessionSummary>>,
    failed: CancellationToken,
    pace: Arc<Pace>,
}

impl Writing {
    async fn run(mut self, mut entries: mpsc::Receiver<Entry>) {
        loop {
            let due = self.due;
            let due = async move {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let mut next = tokio::select! {
                entry = entries.recv() => match entry {
                    Some(entry) => Some(entry),
                    // Every handle is gone without an end: the agent is being torn down.
                    None => return self.end(EndReason::AgentStopped, Vec::new()).await,
                },
                () = due => {
                    self.flush(true).await;
                    None
                }
            };
            while let Some(entry) = next {
                if self.take(entry).await.is_break() {
                    return;
                }
                // What waits already goes along.
                next = if self.bytes < BATCH_BYTES { entries.try_recv().ok() } else { None };
            }
            if self.bytes >= CHUNK_BYTES {
                self.flush(false).await;
            }
            if self.failed.is_cancelled() {
                entries.close();
            }
        }
    }

    /// Breaks at the end.
    async fn take(&mut self, entry: Entry) -> ControlFlow<()> {
        match entry {
            // After a failure the queue is still emptied, so that whoever waits to hand something over goes on to its end.
            Entry::Event(event, taken) => {
                self.add(&event);
                if let Some(taken) = taken.filter(|_| !self.failed.is_cancelled()) {
                    let _ = taken.send(());
                }
            }
            Entry::FirstByte(at) => self.tell_first_byte(at).await,
            Entry::End(reason, notes, done) => {
                self.end(reason, notes).await;
                let _ = done.send(());
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    async fn tell_first_byte(&self, at: Timestamp) {
        let Some(session) = self.chain.as_ref().map(Chain::session) else { return };
        let outbox = Arc::clone(&self.outbox);
        let telling = tokio::task::spawn_blocking(move || {
            if let Err(error) = outbox.send(&Report::SessionFirstByte { at, session }) {
                tracing::error!(%error, session.id = %session, "the session's first byte can't be told");
            }
        });
        let _ = telling.await;
    }

    fn add(&mut self, event: &Event) {
        let line = Line { text: event.to_line(), weight: weight(&event.what) as u64 };
        if self.failed.is_cancelled() && self.bytes + line.text.len() > KEPT_BYTES {
            self.pace.settled(line.weight);
            return self.lost.add(&line.text);
        }
        self.bytes += line.text.len();
        self.lines.push(line);
        self.due.get_or_insert_with(|| Instant::now() + CHUNK_AGE);
    }

    /// Takes what makes whole chunks, or all that is pending, as it is cut into chunks.
    fn cut(&mut self, all: bool) -> Vec<Vec<Line>> {
        let (mut chunks, mut chunk, mut bytes) = (Vec::new(), Vec::new(), 0);
        for line in std::mem::take(&mut self.lines) {
            if !chunk.is_empty() && bytes + line.text.len() > CHUNK_BYTES {
                chunks.push(std::mem::take(&mut chunk));
                bytes = 0;
            }
            bytes += line.text.len();
            chunk.push(line);
        }
        if all || bytes >= CHUNK_BYTES {
            chunks.push(chunk);
        } else {
            self.lines = chunk;
        }
        chunks
    }

    /// Writes pending chunks, all of them or none. When that fails, their lines stay, for the end record.
    async fn flush(&mut self, all: bool) {
        self.due = None;
        if self.failed.is_cancelled() {
            return;
        }
        let chunks = self.cut(all);
        let settled = chunks.iter().flatten().map(|line| line.weight).sum();
        if !self.lines.is_empty() {
            self.due = Some(Instant::now() + CHUNK_AGE);
        }
        let (chunks, summary) = (chunks.into_iter().map(texts).collect::<Vec<_>>(), self.summary());
        let written = self.on_chain(move |mut chain| {
            let mut left = chunks;
            let result = chain.write(&left, summary.clone());
            if result.is_ok() {
                left.clear();
            }
            // For all of them there may be no room, and for some there is.
            while left.len() > 1 && chain.write(&left[..1], summary.clone()).is_ok() {
                left.remove(0);
            }
            (Some(chain), left, result)
        });
        let left = written.await.into_iter().flatten();
        self.pace.settled(settled);
        self.keep(left);
    }

    /// After a failure: as much as an end record takes.
    fn keep(&mut self, left: impl Iterator<Item = String>) {
        let pending = std::mem::take(&mut self.lines);
        self.bytes = 0;
        for line in left.map(|text| Line { text, weight: 0 }).chain(pending) {
            if self.failed.is_cancelled() && self.bytes + line.text.len() > KEPT_BYTES {
                self.pace.settled(line.weight);
                self.lost.add(&line.text);
            } else {
                self.bytes += line.text.len();
                self.lines.push(line);
            }
        }
    }

    async fn end(&mut self, reason: EndReason, notes: Vec<String>) {
        // What is too much for the end record goes before it.
        if self.bytes >= CHUNK_BYTES {
            self.flush(false).await;
        }
        let pending = std::mem::take(&mut self.lines);
        self.pace.settled(pending.iter().map(|line| line.weight).sum());
        let mut lines = texts(pending);
        lines.extend(self.lost.note());
        lines.extend(notes);
        let summary = self.summary();
        let reason = if self.failed.is_cancelled() { EndReason::RecorderFailed } else { reason };
        self.on_chain(move |chain| (None, Vec::new(), chain.end(&lines, reason, summary))).await;
    }

    fn summary(&self) -> SessionSummary {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Chunks are flushed to the disk, off the runtime's only thread. Returns those that were not written.
    async fn on_chain(
        &mut self,
        job: impl FnOnce(Chain) -> (Option<Chain>, Vec<Vec<String>>, Result<(), ChainError>) + Send + 'static,
    ) -> Vec<Vec<String>> {
        let Some(chain) = self.chain.take() else { return Vec::new() };
        let session = chain.session();
        let Ok((chain, left, result)) = tokio::task::spawn_blocking(move || job(chain)).await else {
            self.failed.cancel();
            return Vec::new();
        };
        self.chain = chain;
        if let Err(error) = result {
            tracing::error!(%error, session.id = %session, "the recorder can't write");
            self.failed.cancel();
        }
        left
    }
}

fn texts(lines: Vec<Line>) -> Vec<String> {
    lines.into_iter().map(|line| line.text).collect()
}

/// One direction of one channel, on its way into the recording.
pub struct FlowTape {
    recorder: Arc<Recorder>,
    channel: u32,
    flow: Flow,
    limit: Option<u64>,
    bytes: u64,
    hash: Hashing,
    truncated: bool,
    /// The beginning of a character whose rest comes with the next packet: text stays text.
    tail: Vec<u8>,
}

impl FlowTape {
    /// Is what comes now still kept, or only counted and hashed?
    pub fn keeps_bytes(&self) -> bool {
        !self.truncated
    }

    /// What has come so far, of a flow with a limit.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub async fn record(&mut self, bytes: &Bytes) -> Result<(), RecorderFailed> {
        let Some(limit) = self.limit else { return self.text(bytes).await };
        self.hash.update(bytes).await;
        let room = usize::try_from(limit.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
        self.bytes += bytes.len() as u64;
        let (kept, rest) = bytes.split_at(room.min(bytes.len()));
        self.text(kept).await?;
        if !rest.is_empty() && !self.truncated {
            self.truncated = true;
            self.flush_tail().await?;
            self.recorder.event(self.channel, What::Truncated(self.flow)).await?;
        }
        Ok(())
    }

    /// What was held back, and what a truncated flow came to.
    pub async fn finish(&mut self) -> Result<(), RecorderFailed> {
        self.flush_tail().await?;
        if self.truncated {
            let sha256 = hex(&std::mem::take(&mut self.hash).finish().await);
            let total = What::Total { flow: self.flow, bytes: self.bytes, sha256 };
            self.recorder.event(self.channel, total).await?;
        }
        Ok(())
    }

    async fn flush_tail(&mut self) -> Result<(), RecorderFailed> {
        let tail = std::mem::take(&mut self.tail);
        if tail.is_empty() { Ok(()) } else { self.piece(tail).await }
    }

    async fn text(&mut self, bytes: &[u8]) -> Result<(), RecorderFailed> {
        for bytes in bytes.chunks(PIECE_BYTES) {
            let mut whole = std::mem::take(&mut self.tail);
            whole.extend_from_slice(bytes);
            self.tail = whole.split_off(whole.len() - unfinished(&whole));
            if !whole.is_empty() {
                self.piece(whole).await?;
            }
        }
        Ok(())
    }

    /// Input goes to the child only when it is in the pending chunk.
    async fn piece(&self, bytes: Vec<u8>) -> Result<(), RecorderFailed> {
        let what = What::Bytes(self.flow, bytes);
        match self.flow {
            Flow::Input => self.recorder.event_first(self.channel, what).await,
            Flow::Output | Flow::Stderr => self.recorder.event(self.channel, what).await,
        }
    }
}

/// Bytes at the end that begin a UTF-8 character and don't finish it; never more than [`TAIL_BYTES`].
fn unfinished(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(TAIL_BYTES);
    let start = (from..bytes.len()).rev().find(|at| bytes[*at] & 0b1100_0000 != 0b1000_0000);
    let Some(start) = start else { return 0 };
    let needed = match bytes[start] {
        0b1100_0000..=0b1101_1111 => 2,
        0b1110_0000..=0b1110_1111 => 3,
        0b1111_0000..=0b1111_0111 => 4,
        _ => 1,
    };
    let held = bytes.len() - start;
    if held < needed { held } else { 0 }
}

#[cfg(test)]
mod tests;

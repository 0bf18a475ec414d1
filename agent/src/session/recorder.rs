//! The recorder: one per session, fed by all of its channels, writing a chunk a second or every 64 KiB.
//!
//! What goes to the engineer, and what comes from them, is handed to the recorder first. Its queue is bounded: when the
//! disk is slow, the session is slow. When it can't write at all, [`Recorder::failed`] fires, every further
//! event is refused, and the session ends: nothing happens on the device that is not recorded.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::id::SessionId;
use lineman_common::link::{Report, SessionSummary};
use lineman_common::recording::{Event, Flow, What};
use lineman_common::session::EndReason;
use lineman_common::statement::hex;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::chain::{Chain, ChainError};
use crate::outbox::Outbox;

/// A chunk is closed when it is this old or this long, whichever comes first.
const CHUNK_AGE: Duration = Duration::from_secs(1);
const CHUNK_BYTES: usize = 64 * 1024;
/// Events that wait; with at most 32 KiB in each. Full means that the session waits for the disk.
const QUEUE: usize = 32;
/// Of each stream of a command, this much is recorded as it is; the rest is counted and hashed.
pub const EXEC_BYTES: u64 = 1024 * 1024;
/// Commands and files that a summary names.
const SUMMARY_ENTRIES: usize = 32;

#[derive(Debug, thiserror::Error)]
#[error("the recorder can't write: the session ends")]
pub struct RecorderFailed;

enum Entry {
    Event(Event),
    End(EndReason, oneshot::Sender<()>),
}

pub struct Recorder {
    session: SessionId,
    started: Instant,
    queue: mpsc::Sender<Entry>,
    failed: CancellationToken,
    summary: Arc<Mutex<SessionSummary>>,
    first_byte: AtomicBool,
    outbox: Arc<Outbox>,
}

impl Recorder {
    /// The recorder's two halves: a handle for the channels, and the task that writes.
    pub fn new(chain: Chain, outbox: Arc<Outbox>) -> (Arc<Self>, impl Future<Output = ()> + Send + use<>) {
        let (queue, entries) = mpsc::channel(QUEUE);
        let (failed, summary) = (CancellationToken::new(), Arc::new(Mutex::new(SessionSummary::default())));
        let recorder = Self {
            session: chain.session(),
            started: Instant::now(),
            queue,
            failed: failed.clone(),
            summary: Arc::clone(&summary),
            first_byte: AtomicBool::new(false),
            outbox,
        };
        (Arc::new(recorder), Writing { chain: Some(chain), lines: Vec::new(), bytes: 0, due: None, summary, failed }.run(entries))
    }

    /// Fires when the recorder can't write any more.
    pub fn failed(&self) -> &CancellationToken {
        &self.failed
    }

    pub async fn event(&self, channel: u32, what: What) -> Result<(), RecorderFailed> {
        let event = Event { seconds: self.started.elapsed().as_secs_f64(), channel, what };
        self.queue.send(Entry::Event(event)).await.map_err(|_| RecorderFailed)
    }

    /// One flow of one channel. Terminals have no `limit`.
    pub fn flow(self: &Arc<Self>, channel: u32, flow: Flow, limit: Option<u64>) -> FlowTape {
        FlowTape { recorder: Arc::clone(self), channel, flow, limit, bytes: 0, hash: Sha256::new(), truncated: false, tail: Vec::new() }
    }

    /// Something went to the engineer: the first time is told at once, clock K4 waits for it.
    pub fn sent(&self, bytes: usize) {
        self.summary().output_bytes += bytes as u64;
        if !self.first_byte.swap(true, Ordering::Relaxed) {
            let told = self.outbox.send(&Report::SessionFirstByte { at: Timestamp::now(), session: self.session });
            if let Err(error) = told {
                tracing::error!(%error, session.id = %self.session, "the session's first byte can't be told");
            }
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

    fn summary(&self) -> MutexGuard<'_, SessionSummary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the end record. Returns when it is on the disk, or can't be.
    pub async fn end(&self, reason: EndReason) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Entry::End(reason, done)).await.is_ok() {
            let _ = written.await;
        }
    }
}

fn push_new(list: &mut Vec<String>, entry: &str) {
    if list.len() < SUMMARY_ENTRIES && list.iter().all(|known| known != entry) {
        list.push(entry.to_owned());
    }
}

/// The writing half.
struct Writing {
    /// `None` while a chunk is being written.
    chain: Option<Chain>,
    lines: Vec<String>,
    bytes: usize,
    due: Option<Instant>,
    summary: Arc<Mutex<SessionSummary>>,
    failed: CancellationToken,
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
            tokio::select! {
                entry = entries.recv() => match entry {
                    Some(Entry::Event(event)) => {
                        // After a failure the queue is still emptied, so that whoever waits to hand something over goes on to its end.
                        if !self.failed.is_cancelled() {
                            self.add(&event);
                        }
                    }
                    Some(Entry::End(reason, done)) => {
                        self.end(reason).await;
                        let _ = done.send(());
                        return;
                    }
                    // Every handle is gone without an end: the agent is being torn down.
                    None => return self.end(EndReason::AgentStopped).await,
                },
                () = due => self.flush().await,
            }
            if self.bytes >= CHUNK_BYTES {
                self.flush().await;
            }
            if self.failed.is_cancelled() {
                entries.close();
            }
        }
    }

    fn add(&mut self, event: &Event) {
        let line = event.to_line();
        self.bytes += line.len();
        self.lines.push(line);
        self.due.get_or_insert_with(|| Instant::now() + CHUNK_AGE);
    }

    async fn flush(&mut self) {
        let (lines, summary) = self.take();
        self.on_chain(move |mut chain| {
            let result = chain.write(&lines, summary);
            (Some(chain), result)
        })
        .await;
    }

    async fn end(&mut self, reason: EndReason) {
        let (lines, summary) = self.take();
        let reason = if self.failed.is_cancelled() { EndReason::RecorderFailed } else { reason };
        self.on_chain(move |chain| (None, chain.end(&lines, reason, summary))).await;
    }

    fn take(&mut self) -> (Vec<String>, SessionSummary) {
        (self.bytes, self.due) = (0, None);
        let summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (std::mem::take(&mut self.lines), summary)
    }

    /// Chunks are flushed to the disk, off the runtime's only thread.
    async fn on_chain(&mut self, job: impl FnOnce(Chain) -> (Option<Chain>, Result<(), ChainError>) + Send + 'static) {
        let Some(chain) = self.chain.take() else { return };
        let session = chain.session();
        match tokio::task::spawn_blocking(move || job(chain)).await {
            Ok((chain, result)) => {
                self.chain = chain;
                if let Err(error) = result {
                    tracing::error!(%error, session.id = %session, "the recorder can't write");
                    self.failed.cancel();
                }
            }
            Err(_) => self.failed.cancel(),
        }
    }
}

/// One direction of one channel, on its way into the recording.
pub struct FlowTape {
    recorder: Arc<Recorder>,
    channel: u32,
    flow: Flow,
    limit: Option<u64>,
    bytes: u64,
    hash: Sha256,
    truncated: bool,
    /// The beginning of a character whose rest comes with the next packet: text stays text.
    tail: Vec<u8>,
}

impl FlowTape {
    pub async fn record(&mut self, bytes: &[u8]) -> Result<(), RecorderFailed> {
        let Some(limit) = self.limit else { return self.text(bytes).await };
        self.hash.update(bytes);
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
            let sha256 = hex(&std::mem::take(&mut self.hash).finalize());
            let total = What::Total { flow: self.flow, bytes: self.bytes, sha256 };
            self.recorder.event(self.channel, total).await?;
        }
        Ok(())
    }

    async fn flush_tail(&mut self) -> Result<(), RecorderFailed> {
        let tail = std::mem::take(&mut self.tail);
        if tail.is_empty() { Ok(()) } else { self.recorder.event(self.channel, What::Bytes(self.flow, tail)).await }
    }

    async fn text(&mut self, bytes: &[u8]) -> Result<(), RecorderFailed> {
        let mut whole = std::mem::take(&mut self.tail);
        whole.extend_from_slice(bytes);
        self.tail = whole.split_off(whole.len() - unfinished(&whole));
        if whole.is_empty() { Ok(()) } else { self.recorder.event(self.channel, What::Bytes(self.flow, whole)).await }
    }
}

/// Bytes at the end that begin a UTF-8 character and don't finish it; never more than three.
fn unfinished(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
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

//! How far a session may run ahead of its recording.
//!
//! Three rules, all of them for the one promise that nothing happens here which the centre will not see:
//!
//! - **Input waits** when a chunk of the session was spooled a while ago and the centre has not acknowledged it. It goes on by itself.
//! - **Output waits** while the recordings in the spool, with what is on its way there, take more than their share: the shell stands
//!   still as on a slow line, and no flood fills the spool.
//! - **A recording has a largest size**: a warning at nine tenths, and then the session ends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lineman_common::id::SpoolEpoch;
use lineman_common::link::Stream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::limits::Limits;
use crate::outbox::Outbox;
use crate::spool::Spool;

/// How often acknowledgements are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What all recordings of this device have yet to be rid of.
pub struct Backlog {
    pub limits: Limits,
    outbox: Arc<Outbox>,
    /// In the spool, when it was last looked at.
    spooled: AtomicU64,
    /// Handed to recorders and not in the spool yet.
    waiting: AtomicU64,
}

impl Backlog {
    pub fn new(outbox: Arc<Outbox>, limits: Limits) -> Arc<Self> {
        let spooled = AtomicU64::new(unacknowledged(&outbox.spool()));
        Arc::new(Self { limits, outbox, spooled, waiting: AtomicU64::new(0) })
    }

    fn is_full(&self) -> bool {
        self.spooled.load(Ordering::Relaxed) + self.waiting.load(Ordering::Relaxed) > self.limits.backlog_bytes
    }
}

/// What recordings take in the spool. A file of which a part is acknowledged counts as a whole, but one that is all acknowledged may be
/// there still and counts for nothing: or output might wait for ever.
fn unacknowledged(spool: &Spool) -> u64 {
    let all = spool.first_unacked(Stream::Recording) == spool.next_seq(Stream::Recording);
    if all { 0 } else { spool.bytes_of(Stream::Recording) }
}

/// How much of its largest size a recording has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    Room,
    /// Nine tenths.
    Nearly,
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Input waits for the centre.
    pub input_held: bool,
    output_held: bool,
    pub fill: Fill,
}

/// One session's.
pub struct Pace {
    backlog: Arc<Backlog>,
    trail: Mutex<Trail>,
    waiting: AtomicU64,
    state: watch::Sender<State>,
}

/// The session's chunks that are not acknowledged.
struct Trail {
    epoch: Option<SpoolEpoch>,
    chunks: VecDeque<(u64, Instant)>,
    bytes: u64,
}

impl Pace {
    pub fn new(backlog: Arc<Backlog>) -> Arc<Self> {
        let trail = Mutex::new(Trail { epoch: None, chunks: VecDeque::new(), bytes: 0 });
        let state = watch::Sender::new(State { input_held: false, output_held: false, fill: Fill::Room });
        let pace = Self { backlog, trail, waiting: AtomicU64::new(0), state };
        pace.judge();
        Arc::new(pace)
    }

    pub fn limits(&self) -> &Limits {
        &self.backlog.limits
    }

    /// The list is whole between any two statements that can panic, so a poisoned lock is safe.
    fn trail(&self) -> MutexGuard<'_, Trail> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This many bytes are on their way into the recording.
    pub fn handed_over(&self, bytes: usize) {
        self.waiting.fetch_add(bytes as u64, Ordering::Relaxed);
        self.backlog.waiting.fetch_add(bytes as u64, Ordering::Relaxed);
        self.judge();
    }

    /// They have arrived, or never will.
    pub fn settled(&self, bytes: u64) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        self.backlog.waiting.fetch_sub(bytes, Ordering::Relaxed);
        self.judge();
    }

    /// A chunk of this session is in the spool.
    pub fn spooled(&self, spool: &Spool, seq: u64, bytes: usize) {
        {
            let mut trail = self.trail();
            trail.bytes += bytes as u64;
            trail.chunks.push_back((seq, Instant::now()));
        }
        self.look(spool);
    }

    /// What does the centre have by now?
    fn look(&self, spool: &Spool) {
        let mut trail = self.trail();
        if trail.epoch.replace(spool.epoch()).is_some_and(|before| before != spool.epoch()) {
            // Everything has other numbers now. All of it is taken for the newest: input waits for too much rather than for too little.
            let newest = spool.next_seq(Stream::Recording).saturating_sub(1);
            trail.chunks.iter_mut().for_each(|(seq, _)| *seq = newest);
        }
        let first = spool.first_unacked(Stream::Recording);
        while trail.chunks.front().is_some_and(|(seq, _)| *seq < first) {
            trail.chunks.pop_front();
        }
        drop(trail);
        self.backlog.spooled.store(unacknowledged(spool), Ordering::Relaxed);
        self.judge();
    }

    fn judge(&self) {
        let (limits, trail) = (self.limits(), self.trail());
        let oldest = trail.chunks.front().map(|(_, since)| since.elapsed());
        let fill = match trail.bytes {
            bytes if bytes >= limits.max_session_bytes => Fill::Full,
            bytes if bytes >= limits.max_session_bytes / 10 * 9 => Fill::Nearly,
            _ => Fill::Room,
        };
        let input_held = limits.unacknowledged.zip(oldest).is_some_and(|(most, oldest)| oldest > most);
        drop(trail);
        // A full recording takes nothing more: the session is about to end.
        let now = State { input_held, output_held: fill == Fill::Full || self.backlog.is_full(), fill };
        self.state.send_if_modified(|state| std::mem::replace(state, now) != now);
    }

    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Until input may go on.
    pub async fn input_open(&self) {
        // The sender is this value, so it can't be gone.
        let _ = self.state.subscribe().wait_for(|state| !state.input_held).await;
    }

    /// Until output may go on.
    pub async fn output_open(&self) {
        // The sender is this value, so it can't be gone.
        let _ = self.state.subscribe().wait_for(|state| !state.output_held).await;
    }

    /// Looks for acknowledgements, for as long as it is polled.
    pub async fn keep(self: Arc<Self>) {
        loop {
            sleep(LOOK_EVERY).await;
            let pace = Arc::clone(&self);
            // The spool's lock may be held while something is flushed to the disk.
            let looked = tokio::task::spawn_blocking(move || {
                let outbox = Arc::clone(&pace.backlog.outbox);
                let spool = outbox.spool();
                pace.look(&spool);
            });
            let _ = looked.await;
        }
    }
}

/// A recorder that was torn down has nothing on its way any more.
impl Drop for Pace {
    fn drop(&mut self) {
        self.backlog.waiting.fetch_sub(self.waiting.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        _dir: tempfile::TempDir,
        outbox: Arc<Outbox>,
        pace: Arc<Pace>,
    }

    fn world(unacknowledged_ms: u64, max_session_bytes: u64, backlog_bytes: u64) -> World {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(Spool::open(&dir.path().join("spool"), 1 << 20).unwrap());
        let unacknowledged = (unacknowledged_ms > 0).then(|| Duration::from_millis(unacknowledged_ms));
        let limits = Limits { input: false, unacknowledged, max_session_bytes, backlog_bytes };
        let pace = Pace::new(Backlog::new(Arc::clone(&outbox), limits));
        World { _dir: dir, outbox, pace }
    }

    impl World {
        fn chunk(&self, bytes: usize) -> u64 {
            let mut spool = self.outbox.spool();
            let seq = spool.append(Stream::Recording, &vec![b'x'; bytes]).unwrap();
            self.pace.spooled(&spool, seq, bytes);
            seq
        }

        async fn becomes(&self, wanted: impl Fn(&State) -> bool) {
            let mut watch = self.pace.watch();
            let wait = async { drop(watch.wait_for(|state| wanted(state)).await.unwrap()) };
            let watched = tokio::time::timeout(Duration::from_secs(20), async {
                tokio::select! { () = wait => {}, () = Arc::clone(&self.pace).keep() => {} }
            });
            watched.await.unwrap();
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn input_waits_for_the_centre_and_goes_on() {
        let world = world(50, 1 << 30, 1 << 30);
        let first = world.chunk(10);
        assert!(!world.pace.watch().borrow().input_held);
        world.becomes(|state| state.input_held).await;
        let second = world.chunk(10);
        world.outbox.spool().ack(Stream::Recording, first).unwrap();
        world.becomes(|state| state.input_held).await;
        world.outbox.spool().ack(Stream::Recording, second).unwrap();
        world.becomes(|state| !state.input_held).await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_new_epoch_lets_nothing_pass_for_acknowledged() {
        let world = world(50, 1 << 30, 1 << 30);
        for _ in 0..3 {
            world.chunk(10);
        }
        world.becomes(|state| state.input_held).await;
        world.outbox.spool().ack(Stream::Recording, 2).unwrap();
        world.outbox.spool().start_new_epoch().unwrap();
        world.becomes(|state| state.input_held).await;
        world.outbox.spool().ack(Stream::Recording, 1).unwrap();
        world.becomes(|state| !state.input_held).await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn output_waits_for_what_is_on_its_way_too() {
        let world = world(0, 1 << 30, 100_000);
        world.pace.handed_over(60_000);
        world.pace.output_open().await;
        let seq = world.chunk(60_000);
        assert!(world.pace.watch().borrow().output_held);
        world.pace.settled(60_000);
        world.pace.output_open().await;
        world.pace.handed_over(60_000);
        assert!(world.pace.watch().borrow().output_held);
        world.outbox.spool().ack(Stream::Recording, seq).unwrap();
        world.becomes(|state| !state.output_held).await;
        let backlog = Arc::clone(&world.pace.backlog);
        drop(world);
        assert_eq!(backlog.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_recording_fills_up() {
        let world = world(0, 100_000, 1 << 30);
        world.chunk(89_000);
        assert_eq!(world.pace.watch().borrow().fill, Fill::Room);
        world.chunk(1_000);
        assert_eq!(world.pace.watch().borrow().fill, Fill::Nearly);
        world.chunk(10_000);
        let state = *world.pace.watch().borrow();
        assert_eq!((state.fill, state.output_held), (Fill::Full, true));
    }
}

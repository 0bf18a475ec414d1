//! What the client sent, on its way to a child or a forward's target.
//!
//! Input is taken off SSH at once and waits here, up to [`QUEUE_BYTES`]; then the connection waits: SSH gives no way to stop one
//! channel. All sessions of the device share a [`Budget`] for it; what a channel keeps waiting beyond a small share of its own comes out
//! of that, so that however many channels nobody reads from, the agent's memory is bounded, and the others still go on. While the session's input is held ([`super::pace`]), nothing goes on from here but the keys that stop something.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, watch};
use tokio_util::bytes::{Buf, Bytes};

use super::pty::Master;
use super::spawn::Writer;

/// Input that waits for a command that doesn't read it.
pub const QUEUE_BYTES: usize = 16 * 1024 * 1024;

/// The same while a client has to say that it takes more output ([`Answers`]).
const RESERVE_BYTES: usize = 64 * 1024 * 1024;

/// Of all channels together; with the reserve twice as much.
pub const BUDGET_BYTES: usize = 64 * 1024 * 1024;
/// What a channel may keep waiting when the budget is used up: nobody's Ctrl-C may wait for what others don't read.
const OWN_BYTES: usize = 64 * 1024;
/// Packets that are written at one time.
const MOST_SLICES: usize = 16;

/// Input that waits on the whole device.
pub struct Budget {
    most: usize,
    used: AtomicUsize,
    freed: Notify,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(BUDGET_BYTES)
    }
}

impl Budget {
    pub fn new(most: usize) -> Self {
        Self { most, used: AtomicUsize::new(0), freed: Notify::new() }
    }

    fn has_room(&self) -> bool {
        self.used.load(Ordering::Relaxed) < self.most
    }

    fn has_reserve(&self) -> bool {
        self.used.load(Ordering::Relaxed) < 2 * self.most
    }

    fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    fn give_back(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        if before >= self.most && before - bytes < self.most {
            self.freed.notify_waiters();
        }
    }

    /// Until there is room.
    pub async fn room(&self) {
        loop {
            let freed = self.freed.notified();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }
}

/// Output of a session that waits for its client.
///
/// The client's word that it takes more comes on the same connection as its input, and behind it. So while output waits, input is read
/// on, beyond what else may wait: a command that answers while it is fed would otherwise stop for ever.
pub struct Answers(watch::Sender<usize>);

impl Default for Answers {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Answers {
    /// Output waits until the guard goes.
    pub fn waits(&self) -> AnswerWaits<'_> {
        self.0.send_modify(|waiting| *waiting += 1);
        AnswerWaits(self)
    }

    /// Until output waits.
    async fn any(&self) {
        let _ = self.0.subscribe().wait_for(|waiting| *waiting > 0).await;
    }
}

pub struct AnswerWaits<'a>(&'a Answers);

impl Drop for AnswerWaits<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|waiting| *waiting -= 1);
    }
}

/// Whether more may be read off SSH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Free,
    /// While output waits.
    Reserve,
    None,
}

impl Room {
    /// Until more may be read; for ever when it may not.
    pub async fn readable(self, answers: &Answers) {
        match self {
            Self::Free => {}
            Self::Reserve => answers.any().await,
            Self::None => std::future::pending().await,
        }
    }
}

/// Where it goes.
pub enum Sink {
    Bytes(Writer),
    Terminal(Master),
}

pub struct Feed {
    sink: Option<Sink>,
    queue: VecDeque<Bytes>,
    bytes: usize,
    budget: Arc<Budget>,
    /// A key like Ctrl-C, ahead of everything.
    interrupt: Option<u8>,
    ended: bool,
}

impl Feed {
    pub fn new(sink: Option<Sink>, budget: Arc<Budget>) -> Self {
        Self { sink, queue: VecDeque::new(), bytes: 0, budget, interrupt: None, ended: false }
    }

    pub fn push(&mut self, data: Bytes) {
        // A child that closed its input is not asked again.
        if self.sink.is_some() && !data.is_empty() {
            self.bytes += data.len();
            self.budget.take(data.len());
            self.queue.push_back(data);
        }
    }

    /// As [`Self::push`], while input is held: a key that a terminal turns into a signal goes through, and what was typed before it is
    /// thrown away, as a terminal does. Stopping something needs no witness.
    pub fn push_held(&mut self, data: Bytes) {
        let key = match &self.sink {
            Some(Sink::Terminal(terminal)) => terminal.last_interrupt(&data),
            Some(Sink::Bytes(_)) | None => None,
        };
        let Some(key) = key else { return self.push(data) };
        let after = data.iter().rposition(|byte| *byte == key).map_or(data.len(), |at| at + 1);
        self.interrupt = Some(key);
        self.empty();
        self.push(data.slice(after..));
    }

    /// No more will come; what is here still goes.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// At once: what is here goes nowhere.
    pub fn close(&mut self) {
        self.sink = None;
        self.empty();
    }

    fn empty(&mut self) {
        self.queue.clear();
        self.budget.give_back(std::mem::take(&mut self.bytes));
    }

    pub fn is_closed(&self) -> bool {
        self.sink.is_none()
    }

    pub fn room(&self) -> Room {
        if self.has_room() {
            Room::Free
        } else if self.bytes < RESERVE_BYTES && self.budget.has_reserve() {
            Room::Reserve
        } else {
            Room::None
        }
    }

    pub fn has_room(&self) -> bool {
        self.bytes < OWN_BYTES || (self.bytes < QUEUE_BYTES && self.budget.has_room())
    }

    /// It has room as soon as [`Budget::room`] says so.
    pub fn waits_for_others(&self) -> bool {
        !self.has_room() && self.bytes < QUEUE_BYTES
    }

    pub fn has_work(&self, held: bool) -> bool {
        let waiting = !held && (self.ended || !self.queue.is_empty());
        self.sink.is_some() && (self.interrupt.is_some() || waiting)
    }

    /// One step: writes some, or closes. Returns what a terminal echoed of it. Dropping it in the middle loses nothing: a write
    /// either happened or didn't.
    pub async fn write(&mut self) -> Bytes {
        let Some(sink) = &mut self.sink else { return Bytes::new() };
        if let (Some(key), Sink::Terminal(terminal)) = (self.interrupt, &*sink) {
            let typed = terminal.type_in(&[key]).await;
            self.interrupt = None;
            return if typed.is_ok_and(|(_, echoed)| echoed) { Bytes::copy_from_slice(&[key]) } else { Bytes::new() };
        }
        let Some(front) = self.queue.front() else {
            self.sink = None;
            return Bytes::new();
        };
        let written = match sink {
            Sink::Bytes(bytes) => {
                let slices: Vec<_> = self.queue.iter().take(MOST_SLICES).map(|data| IoSlice::new(data)).collect();
                bytes.write_vectored(&slices).await.map(|n| (n, Bytes::new()))
            }
            Sink::Terminal(terminal) => {
                terminal.type_in(front).await.map(|(n, echoed)| (n, if echoed { front.slice(..n) } else { Bytes::new() }))
            }
        };
        let Ok((n, echoed)) = written else {
            self.close();
            return Bytes::new();
        };
        self.written(n);
        echoed
    }

    /// So much of what waits is gone.
    fn written(&mut self, n: usize) {
        self.bytes -= n;
        self.budget.give_back(n);
        let mut left = n;
        while let Some(front) = self.queue.front_mut() {
            if left < front.len() {
                return front.advance(left);
            }
            left -= front.len();
            self.queue.pop_front();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.empty();
    }
}

#[cfg(test)]
mod tests {
    use super::super::pty::{self, Size, TerminalRequest};
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test(flavor = "current_thread")]
    async fn what_waits_goes_in_order_and_the_end_is_an_end() {
        let (near, mut far) = tokio::io::duplex(4);
        let mut feed = Feed::new(Some(Sink::Bytes(Box::new(near))), Arc::default());
        feed.push(Bytes::from_static(b"0123456789"));
        feed.push(Bytes::from_static(b"ab"));
        feed.end();
        assert!(!feed.has_work(true), "held");
        let mut read = Vec::new();
        let writes = async {
            while feed.has_work(false) {
                assert!(feed.write().await.is_empty(), "only a terminal echoes");
            }
        };
        let (end, ()) = tokio::join!(far.read_to_end(&mut read), writes);
        end.unwrap();
        assert_eq!(read, b"0123456789ab");
        assert!(feed.is_closed());
        feed.push(Bytes::from_static(b"late"));
        assert!(feed.has_room() && !feed.has_work(false));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_interrupt_passes_what_is_held_and_drops_it() {
        let modes = vec![(russh::Pty::VINTR, 3), (russh::Pty::ISIG, 1), (russh::Pty::ICANON, 0), (russh::Pty::ECHO, 0)];
        let request = TerminalRequest { term: "xterm".into(), size: Size { cols: 80, rows: 24 }, modes };
        let (master, slave) = pty::open(&request).unwrap();
        let mut feed = Feed::new(Some(Sink::Terminal(master)), Arc::default());
        feed.push_held(Bytes::from_static(b"rm -r /\n"));
        assert!(!feed.has_work(true));
        feed.push_held(Bytes::from_static(b"more\x03after"));
        assert!(feed.has_work(true));
        feed.write().await;
        assert!(!feed.has_work(true) && feed.has_work(false), "the rest waits on");
        feed.write().await;
        let mut buffer = [0; 64];
        let n = rustix::io::read(&slave, &mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"after");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn while_output_waits_input_is_read_on() {
        let (near, _far) = tokio::io::duplex(1);
        let (answers, mut feed) = (Answers::default(), Feed::new(Some(Sink::Bytes(Box::new(near))), Arc::default()));
        let readable = |room: Room| {
            let answers = &answers;
            async move {
                let reading = room.readable(answers);
                tokio::pin!(reading);
                std::future::poll_fn(|context| std::task::Poll::Ready(reading.as_mut().poll(context).is_ready())).await
            }
        };
        assert!(readable(feed.room()).await);
        feed.push(vec![0; QUEUE_BYTES].into());
        assert_eq!(feed.room(), Room::Reserve);
        assert!(!readable(feed.room()).await, "full");
        let waits = answers.waits();
        assert!(readable(feed.room()).await, "the client's word may be behind it");
        drop(waits);
        assert!(!readable(feed.room()).await);
        feed.push(vec![0; RESERVE_BYTES - QUEUE_BYTES].into());
        let _waits = answers.waits();
        assert!(!readable(feed.room()).await, "there is an end to it");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn all_channels_share_a_budget_and_each_keeps_a_little_of_its_own() {
        let budget = Arc::new(Budget::new(1024 * 1024));
        let mut stuck: Vec<_> = (0..128)
            .map(|_| {
                let (near, far) = tokio::io::duplex(1);
                (Feed::new(Some(Sink::Bytes(Box::new(near))), Arc::clone(&budget)), far)
            })
            .collect();
        let piece = 32 * 1024;
        for (feed, _) in &mut stuck {
            while feed.has_room() {
                feed.push(vec![7; piece].into());
            }
        }
        let used = budget.used.load(Ordering::Relaxed);
        assert!(used <= 1024 * 1024 + 128 * (OWN_BYTES + piece), "{used} bytes wait");
        assert_eq!(used, stuck.iter().map(|(feed, _)| feed.bytes).sum::<usize>());
        let mut other = Feed::new(None, Arc::clone(&budget));
        assert!(other.has_room(), "a key of somebody else's");
        other.bytes = OWN_BYTES;
        budget.take(OWN_BYTES);
        assert!(!other.has_room() && other.waits_for_others());
        let waiting = budget.room();
        tokio::pin!(waiting);
        assert!(std::future::poll_fn(|context| std::task::Poll::Ready(waiting.as_mut().poll(context).is_pending())).await);
        drop(stuck);
        waiting.await;
        assert!(other.has_room());
        drop(other);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}

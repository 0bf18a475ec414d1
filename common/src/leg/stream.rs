//! One end of a leg: the stream that SSH runs on ([`Leg`]), and what carries it over one connection after the other ([`Carrier`]).

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::{ACK_EVERY_BYTES, HEADER_BYTES, Header, LegError, MAX_DATA_BYTES, MAX_REASON_BYTES, PING_EVERY, SILENCE, WINDOW_BYTES};

/// What is read from a connection at once: little where little comes, so that a leg at rest costs little.
const LEAST_READ: usize = 4 * 1024;
const MOST_READ: usize = 256 * 1024;
/// Room that an empty buffer may keep.
const KEPT_BYTES: usize = 16 * 1024;

/// A new leg's end: its stream, what carries it, and what sees it from beside.
pub fn leg() -> (Leg, Carrier, Handle) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        work: Notify::new(),
        asked: watch::Sender::new(None),
        up: watch::Sender::new(Up::NotYet),
        abandoned: watch::Sender::new(false),
    });
    (Leg(Arc::clone(&shared)), Carrier(Arc::clone(&shared)), Handle(shared))
}

/// The stream. Dropping it ends it: what was written still goes, what comes is thrown away.
pub struct Leg(Arc<Shared>);

/// Carries the stream. Dropping it breaks the stream.
pub struct Carrier(Arc<Shared>);

/// A leg, seen from beside.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

/// How one connection came to its end.
#[derive(Debug)]
pub enum Carried {
    /// Everything is said, on both sides.
    Finished,
    /// The leg goes on with the next connection.
    Broken(io::Error),
}

/// Whether a connection carries a leg now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Up {
    NotYet,
    Now,
    Cut(Instant),
}

struct Shared {
    state: Mutex<State>,
    /// There may be something to send.
    work: Notify,
    /// Why the other side wants the session to end.
    asked: watch::Sender<Option<String>>,
    up: watch::Sender<Up>,
    /// The stream was dropped.
    abandoned: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    outward: Outward,
    inward: Inward,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Nobody holds the stream any more.
    abandoned: bool,
    /// Nothing carries it any more.
    broken: bool,
    /// To be told: the session should end.
    end: Option<String>,
}

/// To the other side. Offsets are bytes since the leg began; the end counts as one byte more.
#[derive(Default)]
struct Outward {
    written: u64,
    sent: u64,
    acknowledged: u64,
    /// From `acknowledged` to `sent`.
    unacknowledged: VecDeque<Bytes>,
    /// From `sent` on: what the last connection did not bring over.
    again: VecDeque<Bytes>,
    /// From there to `written`.
    unsent: BytesMut,
    end: End,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    Written,
    Sent,
    Acknowledged,
}

/// From the other side.
#[derive(Default)]
struct Inward {
    waiting: BytesMut,
    arrived: u64,
    taken: u64,
    /// What the other side knows of `taken`.
    told: u64,
    ended: bool,
}

impl Outward {
    fn room(&self) -> usize {
        usize::try_from(WINDOW_BYTES.saturating_sub(self.written - self.acknowledged)).unwrap_or(0)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
    }

    fn finish(&mut self) {
        if self.end == End::Open {
            self.end = End::Written;
        }
    }

    /// The next piece of the stream. From here on it counts as sent.
    fn next(&mut self) -> Option<(Header, Bytes)> {
        let piece = self.again.pop_front().or_else(|| {
            let length = self.unsent.len().min(MAX_DATA_BYTES);
            (length > 0).then(|| self.unsent.split_to(length).freeze())
        });
        if let Some(piece) = piece {
            self.sent += piece.len() as u64;
            self.unacknowledged.push_back(piece.clone());
            return Some((Header::Data(piece.len()), piece));
        }
        (self.end == End::Written).then(|| {
            self.end = End::Sent;
            (Header::Fin, Bytes::new())
        })
    }

    /// Splits a count of the other side's into bytes and the end.
    fn claimed(&self, count: u64) -> Result<(u64, bool), LegError> {
        let ended = matches!(self.end, End::Sent | End::Acknowledged) && count == self.written + 1;
        let bytes = if ended { self.written } else { count };
        if bytes > self.sent { Err(LegError::Ahead { claimed: count, sent: self.sent }) } else { Ok((bytes, ended)) }
    }

    /// The other side has taken this off.
    fn acknowledge(&mut self, count: u64) -> Result<(), LegError> {
        let (bytes, ended) = self.claimed(count)?;
        while self.acknowledged < bytes
            && let Some(front) = self.unacknowledged.front_mut()
        {
            let length = front.len().min(usize::try_from(bytes - self.acknowledged).unwrap_or(usize::MAX));
            front.advance(length);
            self.acknowledged += length as u64;
            if front.is_empty() {
                self.unacknowledged.pop_front();
            }
        }
        if ended {
            self.end = End::Acknowledged;
        }
        if self.unsent.is_empty() && self.unsent.capacity() > KEPT_BYTES {
            self.unsent = BytesMut::new();
        }
        Ok(())
    }

    /// A new connection: the other side has this much, and gets what follows.
    fn rewind(&mut self, count: u64) -> Result<(), LegError> {
        let (arrived, ended) = self.claimed(count)?;
        while self.sent > arrived
            && let Some(mut last) = self.unacknowledged.pop_back()
        {
            let missing = usize::try_from(self.sent - arrived).unwrap_or(usize::MAX).min(last.len());
            let again = last.split_off(last.len() - missing);
            self.sent -= again.len() as u64;
            self.again.push_front(again);
            if !last.is_empty() {
                self.unacknowledged.push_back(last);
            }
        }
        if self.sent != arrived {
            // It had acknowledged what it now claims not to have.
            return Err(LegError::Ahead { claimed: self.acknowledged, sent: arrived });
        }
        match self.end {
            End::Sent if !ended => self.end = End::Written,
            End::Sent => self.end = End::Acknowledged,
            End::Open | End::Written | End::Acknowledged => {}
        }
        Ok(())
    }
}

impl Inward {
    fn arrive(&mut self, bytes: &[u8], abandoned: bool) -> Result<(), LegError> {
        if self.ended || self.arrived + bytes.len() as u64 > self.taken + WINDOW_BYTES {
            return Err(LegError::Room);
        }
        self.arrived += bytes.len() as u64;
        if abandoned {
            self.taken = self.arrived;
        } else {
            self.waiting.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), LegError> {
        if self.ended {
            return Err(LegError::Room);
        }
        (self.ended, self.arrived) = (true, self.arrived + 1);
        self.take_end();
        Ok(())
    }

    /// The end is taken when everything before it is.
    fn take_end(&mut self) {
        if self.ended && self.waiting.is_empty() {
            self.taken = self.arrived;
        }
    }

    fn take(&mut self, into: &mut ReadBuf<'_>) {
        let length = self.waiting.len().min(into.remaining());
        into.put_slice(&self.waiting[..length]);
        self.waiting.advance(length);
        self.taken += length as u64;
        self.take_end();
        if self.waiting.is_empty() && self.waiting.capacity() > KEPT_BYTES {
            self.waiting = BytesMut::new();
        }
    }

    fn abandon(&mut self) {
        self.waiting = BytesMut::new();
        self.taken = self.arrived;
    }

    /// Must the other side hear of what was taken before it would anyway?
    fn must_tell(&self) -> bool {
        self.taken - self.told >= ACK_EVERY_BYTES || (self.ended && self.taken == self.arrived && self.told < self.taken)
    }

    fn tell(&mut self) -> Option<(Header, Bytes)> {
        (self.taken > self.told).then(|| {
            self.told = self.taken;
            (Header::Ack, Bytes::copy_from_slice(&self.taken.to_be_bytes()))
        })
    }
}

impl State {
    /// Whether everything is said and heard; else what is to be said next.
    fn step(&mut self) -> (bool, Option<(Header, Bytes)>) {
        if self.is_done() { (true, None) } else { (false, self.next()) }
    }

    fn next(&mut self) -> Option<(Header, Bytes)> {
        if let Some(reason) = self.end.take() {
            let length = (0..=MAX_REASON_BYTES.min(reason.len())).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
            return Some((Header::End(length), Bytes::from(reason).slice(..length)));
        }
        if self.inward.must_tell() {
            return self.inward.tell();
        }
        self.outward.next()
    }

    fn is_done(&self) -> bool {
        self.inward.ended && self.inward.told == self.inward.arrived && self.outward.end == End::Acknowledged
    }
}

impl Shared {
    /// No operation leaves the state half-changed, so a poisoned lock is safe.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Leg {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        if !state.inward.waiting.is_empty() {
            state.inward.take(into);
            let tell = state.inward.must_tell();
            drop(state);
            if tell {
                self.0.work.notify_one();
            }
            return Poll::Ready(Ok(()));
        }
        if state.inward.ended {
            return Poll::Ready(Ok(()));
        }
        if state.broken {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        keep(&mut state.reader, context);
        Poll::Pending
    }
}

impl AsyncWrite for Leg {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.state();
        if state.broken || state.outward.end != End::Open {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let length = bytes.len().min(state.outward.room());
        if length == 0 && !bytes.is_empty() {
            keep(&mut state.writer, context);
            return Poll::Pending;
        }
        state.outward.write(&bytes[..length]);
        drop(state);
        self.0.work.notify_one();
        Poll::Ready(Ok(length))
    }

    /// Nothing is held back: the carrier sends what there is.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.state().outward.finish();
        self.0.work.notify_one();
        Poll::Ready(Ok(()))
    }
}

fn keep(place: &mut Option<Waker>, context: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(context.waker()),
        None => *place = Some(context.waker().clone()),
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.abandoned = true;
        state.outward.finish();
        state.inward.abandon();
        drop(state);
        self.0.abandoned.send_replace(true);
        self.0.work.notify_one();
    }
}

impl Handle {
    /// Asks the other side to end the session, with a reason for the person there.
    pub fn ask_end(&self, reason: &str) {
        self.0.state().end = Some(reason.to_owned());
        self.0.work.notify_one();
    }

    /// Until the other side asks for the end: its reason. For ever when it doesn't.
    pub async fn asked_end(&self) -> String {
        let mut asked = self.0.asked.subscribe();
        match asked.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone()) {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }

    /// Whether a connection carries the leg, now and whenever that changes.
    pub fn up(&self) -> watch::Receiver<Up> {
        self.0.up.subscribe()
    }

    /// Until nobody holds the stream any more.
    pub async fn abandoned(&self) {
        let _ = self.0.abandoned.subscribe().wait_for(|abandoned| *abandoned).await;
    }
}

impl Carrier {
    /// How much of the other side's stream is here, for it to know where to go on.
    pub fn arrived(&self) -> u64 {
        self.0.state().inward.arrived
    }

    /// Carries the stream over this connection, of whose other end it is known how much has arrived there. Dropping this in the middle
    /// is a cut like any other.
    pub async fn over(&mut self, connection: impl AsyncRead + AsyncWrite + Unpin, arrived: u64) -> Carried {
        {
            let mut state = self.0.state();
            if let Err(error) = state.outward.rewind(arrived) {
                return Carried::Broken(io::Error::other(error));
            }
            // An acknowledgement may have been lost.
            state.inward.told = 0;
        }
        let _up = Marked::up(&self.0);
        let (from, to) = tokio::io::split(connection);
        let error = tokio::select! {
            Err(error) = self.inward(from) => error,
            ended = self.outward(to) => match ended {
                Ok(()) => return Carried::Finished,
                Err(error) => error,
            },
        };
        let state = self.0.state();
        // The other side may close when it has heard everything, before its own last acknowledgement is heard here.
        if state.inward.ended && matches!(state.outward.end, End::Sent | End::Acknowledged) {
            return Carried::Finished;
        }
        Carried::Broken(error)
    }

    async fn inward(&self, mut from: impl AsyncRead + Unpin) -> io::Result<std::convert::Infallible> {
        let (mut buffer, mut size, mut data) = (BytesMut::new(), LEAST_READ, 0);
        loop {
            buffer.reserve(size);
            let silent = || io::Error::new(io::ErrorKind::TimedOut, format!("the other side was silent for {} s", SILENCE.as_secs()));
            let before = buffer.len();
            if timeout(SILENCE, from.read_buf(&mut buffer)).await.map_err(|_| silent())?? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let read = buffer.len() - before;
            size = if read >= size {
                (2 * size).min(MOST_READ)
            } else if 8 * read < size {
                (size / 2).max(LEAST_READ)
            } else {
                size
            };
            self.hear(&mut buffer, &mut data).map_err(io::Error::other)?;
        }
    }

    /// Takes whole frames off the buffer, and data as it comes: `data` bytes of a frame are still to come.
    fn hear(&self, buffer: &mut BytesMut, data: &mut usize) -> Result<(), LegError> {
        let (mut state, mut work) = (self.0.state(), false);
        let heard = loop {
            if *data > 0 {
                let length = buffer.len().min(*data);
                if length == 0 {
                    break Ok(());
                }
                let abandoned = state.abandoned;
                if let Err(error) = state.inward.arrive(&buffer[..length], abandoned) {
                    break Err(error);
                }
                buffer.advance(length);
                *data -= length;
                continue;
            }
            match self.frame(buffer, &mut state) {
                Ok(Some(length)) => *data = length,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        work |= state.inward.must_tell() || state.is_done();
        let reader = if state.inward.ended || !state.inward.waiting.is_empty() { state.reader.take() } else { None };
        let writer = if state.outward.room() > 0 { state.writer.take() } else { None };
        drop(state);
        if work {
            self.0.work.notify_one();
        }
        for waker in [reader, writer].into_iter().flatten() {
            waker.wake();
        }
        heard
    }

    /// One frame, without the data that follows: how much of it will come. `None` when the frame isn't here yet.
    fn frame(&self, buffer: &mut BytesMut, state: &mut State) -> Result<Option<usize>, LegError> {
        loop {
            let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
            let header = Header::decode(*header)?;
            let body = match header {
                Header::Data(_) | Header::Fin | Header::Ping => 0,
                Header::Ack => 8,
                Header::End(length) => length,
            };
            if buffer.len() < HEADER_BYTES + body {
                return Ok(None);
            }
            buffer.advance(HEADER_BYTES);
            match header {
                Header::Data(length) => return Ok(Some(length)),
                Header::Ack => state.outward.acknowledge(buffer.get_u64())?,
                Header::Fin => state.inward.end()?,
                Header::Ping => {}
                Header::End(length) => {
                    let reason = buffer.split_to(length);
                    self.0.asked.send_replace(Some(crate::printable::escape(&String::from_utf8_lossy(&reason))));
                }
            }
        }
    }

    /// Until everything is said and heard.
    async fn outward(&self, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
        let mut ping = Instant::now() + PING_EVERY;
        loop {
            let (done, next) = self.0.state().step();
            if done {
                return to.shutdown().await;
            }
            if let Some((header, body)) = next {
                send(&mut to, header, body).await?;
                ping = Instant::now() + PING_EVERY;
                continue;
            }
            to.flush().await?;
            if timeout_at(ping, self.0.work.notified()).await.is_err() {
                let told = self.0.state().inward.tell();
                let (header, body) = told.unwrap_or((Header::Ping, Bytes::new()));
                send(&mut to, header, body).await?;
                ping = Instant::now() + PING_EVERY;
            }
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.broken = true;
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
    }
}

async fn send(to: &mut (impl AsyncWrite + Unpin), header: Header, body: Bytes) -> io::Result<()> {
    let header = header.encode();
    to.write_all_buf(&mut Buf::chain(&header[..], body)).await
}

/// A connection carries the leg until this goes.
struct Marked<'a>(&'a Shared);

impl<'a> Marked<'a> {
    fn up(shared: &'a Shared) -> Self {
        shared.up.send_replace(Up::Now);
        Self(shared)
    }
}

impl Drop for Marked<'_> {
    fn drop(&mut self) {
        self.0.up.send_replace(Up::Cut(Instant::now()));
    }
}

#[cfg(test)]
mod tests;

//! The spool: what the agent has to say, kept on disk until the centre has it.
//!
//! A bounded store-and-forward queue for the three streams of the link, each with its own sequence and acknowledgement.
//!
//! # On disk
//! ```text
//! spool/lock                          held (flock) while a process uses the spool
//! spool/marks                         epoch, what is done with, which numbers are taken ([`marks`])
//! spool/events/00000000000000000001.seg    records with checksums ([`record`], [`segment`])
//! spool/recording/...  spool/health/...
//! ```
//!
//! # What holds
//! - **Appended is kept.** When `append` returns for `events` or `recording`, the record is on the disk, and it is read
//!   again after any crash until it is acknowledged. `health` is written but not synced: a power cut may cost the last
//!   minutes of it, a killed process nothing. (Flash wears out; a lost sample is not worth a sync every ten seconds.)
//! - **A number is used once.** The server forgets what it stored of a sequence only by its number, so a number that came
//!   back with other contents would be taken for a repetition and lost. Numbers are therefore reserved durably in blocks
//!   before they are used, and a process that did not end in order starts behind the block: whatever happened to the
//!   newest segment, the sequence never goes back. It may have gaps; readers must not mind.
//! - **An acknowledgement is written lazily and is never ahead of the truth.** After a crash some acknowledged reports are
//!   offered again; `Welcome` says what the server has, and [`Spool::ack`] with that brings the spool up to date.
//! - **Full is told, and alarms find room.** When the bound is reached (or the disk is full), what is acknowledged goes
//!   first, then the oldest health segments, counted. Then appends are refused with [`SpoolError::Full`]; the caller fails
//!   closed. An eighth of the room is for events alone. [`Spool::dropped`] gives the counts until the caller has put
//!   them into the events stream and says so: a drop may be told twice, never not at all.
//! - **Damage is contained.** A half-written end is cut off. A damaged record is skipped; where not even its length can be
//!   believed, reading goes on at the next segment. Both are logged and counted like drops.
//!
//! # Epochs
//! An epoch is a random name for one life of the numbering. If the server holds more than this spool ever sent, the machine
//! was rolled back to an older state, and its next reports would be mistaken for ones that are stored already:
//! [`Spool::is_rolled_back`] says so, and [`Spool::start_new_epoch`] numbers all that is unacknowledged from 1 again. No record is
//! rewritten for that: files keep their *raw* sequence, an epoch is an offset to it, and a new one is one small write.

mod marks;
mod queue;
mod record;
mod segment;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lineman_common::id::SpoolEpoch;
use lineman_common::link::Stream;
use tracing::{error, info, warn};

use marks::{Marks, MarksFile, StreamMarks};
use queue::Queue;
use record::{MAX_PAYLOAD_BYTES, disk_bytes};

/// A spool smaller than this could not keep a share for alarms that is worth the name.
pub const LEAST_BYTES: u64 = 64 * 1024;

/// Numbers reserved at a time: one small synced write per so many appends.
const RESERVED_AT_ONCE: u64 = 256;

const LARGEST_SEGMENT_BYTES: u64 = 1024 * 1024;
const SMALLEST_SEGMENT_BYTES: u64 = 4 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("another process uses the spool {}: only one agent can run on it", dir.display())]
    InUse { dir: PathBuf },
    #[error("spool.max_bytes is {max_bytes}: it must be at least {LEAST_BYTES}")]
    TooSmall { max_bytes: u64 },
    #[error("the spool has no room for {need} more bytes of {stream} (it holds {used} of {max_bytes})")]
    Full { stream: Stream, need: u64, used: u64, max_bytes: u64 },
    #[error("the disk under the spool is full: no room for {need} more bytes of {stream}")]
    DiskFull { stream: Stream, need: u64 },
    #[error("a report of {bytes} bytes does not fit into a frame of the link: the most is {MAX_PAYLOAD_BYTES}")]
    TooLarge { bytes: usize },
    #[error("{stream} {seq} was acknowledged, but the newest is {newest}")]
    AckAhead { stream: Stream, seq: u64, newest: u64 },
    #[error("could not {doing} the spool {}", dir.display())]
    Io {
        doing: &'static str,
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl SpoolError {
    /// No room, by the bound or by the disk: the caller fails closed and may try again later.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::DiskFull { .. })
    }
}

/// The three queues, the bound over all of them, and the lock on the directory. Every call is synchronous; those that sync
/// take as long as the disk does.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    max_bytes: u64,
    segment_bytes: u64,
    epoch: SpoolEpoch,
    fresh: bool,
    /// In the order of [`Stream::ALL`].
    queues: [Queue; 3],
    marks: MarksFile,
    /// Tests end a spool as a crash would.
    #[cfg(test)]
    crashed: bool,
    _lock: Lock,
}

impl Spool {
    /// Opens the spool in `dir`, or makes one with a new epoch.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<Self, SpoolError> {
        if max_bytes < LEAST_BYTES {
            return Err(SpoolError::TooSmall { max_bytes });
        }
        let failed = |doing| move |source| SpoolError::Io { doing, dir: dir.to_owned(), source };
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        queue::make_dir(dir, parent).map_err(failed("make"))?;
        let lock = Lock::take(dir)?;
        let (marks, read) = MarksFile::open(&dir.join("marks")).map_err(failed("open"))?;
        let streams = read.as_ref().map_or([StreamMarks::default(); 3], |read| read.streams);
        let [events, recording, health] = streams;
        let open = |stream, marks| Queue::open(dir, stream, marks).map_err(failed("read"));
        let mut spool = Self {
            dir: dir.to_owned(),
            max_bytes,
            segment_bytes: (max_bytes / 32).clamp(SMALLEST_SEGMENT_BYTES, LARGEST_SEGMENT_BYTES),
            epoch: read.as_ref().map_or_else(SpoolEpoch::new, |read| read.epoch),
            fresh: read.as_ref().is_none_or(|read| read.fresh),
            queues: [open(Stream::Events, events)?, open(Stream::Recording, recording)?, open(Stream::Health, health)?],
            marks,
            #[cfg(test)]
            crashed: false,
            _lock: lock,
        };
        if read.is_none() {
            if spool.bytes() > 0 {
                error!(spool.dir = %dir.display(), "the spool's marks can't be read: what it holds is sent again under a new epoch");
            }
            spool.start_new_epoch()?;
            queue::sync_dir(dir).map_err(failed("make"))?;
        }
        Ok(spool)
    }

    pub const fn epoch(&self) -> SpoolEpoch {
        self.epoch
    }

    /// The epoch began, and the list of active alarms was not put into the events stream yet: see
    /// [`Self::announced`].
    pub const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The list of active alarms is in the events stream.
    pub fn announced(&mut self) -> Result<(), SpoolError> {
        self.fresh = false;
        self.save("write to").map(drop)
    }

    /// Appends one report and gives its sequence. See [`Self::append_batch`].
    pub fn append(&mut self, stream: Stream, body: &[u8]) -> Result<u64, SpoolError> {
        self.append_batch(stream, &[body]).map(|taken| taken.start)
    }

    /// Appends all of `bodies` with one sync, or none of them, and gives their sequences. Durable when it returns, `health`
    /// excepted.
    ///
    /// # Errors
    /// [`SpoolError::Full`] or [`SpoolError::DiskFull`] when there is no room even after dropping what may be dropped.
    /// Health that is refused is counted as dropped.
    pub fn append_batch<B: AsRef<[u8]>>(&mut self, stream: Stream, bodies: &[B]) -> Result<Range<u64>, SpoolError> {
        if let Some(body) = bodies.iter().find(|body| body.as_ref().len() > MAX_PAYLOAD_BYTES) {
            return Err(SpoolError::TooLarge { bytes: body.as_ref().len() });
        }
        if bodies.is_empty() {
            let next = self.next_seq(stream);
            return Ok(next..next);
        }
        let stored = self.store(stream, bodies);
        if stream == Stream::Health && stored.as_ref().is_err_and(SpoolError::is_full) {
            self.queue(stream).marks.dropped += bodies.len() as u64;
            self.save_count();
        }
        let base = self.queue(stream).marks.base;
        stored.map(|taken| taken.start - base..taken.end - base)
    }

    /// As `append_batch`, in raw sequences.
    fn store<B: AsRef<[u8]>>(&mut self, stream: Stream, bodies: &[B]) -> Result<Range<u64>, SpoolError> {
        let need = bodies.iter().map(|body| disk_bytes(body.as_ref().len())).sum();
        let segment_bytes = self.segment_bytes;
        loop {
            self.make_room(stream, need)?;
            let stored = self
                .reserve(stream, bodies.len() as u64)
                .and_then(|()| self.queue(stream).append(bodies, segment_bytes, stream != Stream::Health));
            match stored {
                Ok(taken) => return Ok(taken),
                Err(error) if is_disk_full(&error) => {
                    if !self.drop_oldest_health() {
                        return Err(SpoolError::DiskFull { stream, need });
                    }
                }
                Err(source) => return Err(self.failed("append to", source)),
            }
        }
    }

    /// The oldest sequence that is neither acknowledged nor dropped; the next one, if nothing is held.
    pub fn first_unacked(&self, stream: Stream) -> u64 {
        let queue = &self.queues[index(stream)];
        queue.marks.done + 1 - queue.marks.base
    }

    pub fn next_seq(&self, stream: Stream) -> u64 {
        let queue = &self.queues[index(stream)];
        queue.next - queue.marks.base
    }

    /// Unacknowledged reports from `seq` on, in order: one if there is one, and more while all fit into `max_bytes`.
    /// Sequences may have gaps.
    pub fn read_from(&mut self, stream: Stream, seq: u64, max_bytes: usize) -> Result<Vec<(u64, Vec<u8>)>, SpoolError> {
        let queue = &mut self.queues[index(stream)];
        let base = queue.marks.base;
        let read = queue.read(base.saturating_add(seq), max_bytes);
        let mut reports = read.map_err(|source| self.failed("read", source))?;
        for (seq, _) in &mut reports {
            *seq -= base;
        }
        Ok(reports)
    }

    /// The server holds everything of `stream` up to `seq` durably. One that is behind an earlier one changes nothing.
    pub fn ack(&mut self, stream: Stream, seq: u64) -> Result<(), SpoolError> {
        let newest = self.next_seq(stream) - 1;
        if seq > newest {
            return Err(SpoolError::AckAhead { stream, seq, newest });
        }
        let queue = self.queue(stream);
        let done = queue.marks.base + seq;
        if done > queue.marks.done {
            queue.marks.done = done;
            queue.reclaim(false);
        }
        Ok(())
    }

    /// The server says that it holds `stored` of `stream`, which is more than this spool can have sent: the machine was
    /// rolled back, or its disk was copied. Start a new epoch.
    ///
    /// Compared is what was *handed out*, not what was appended: a machine that was rolled back and then appended past
    /// the server's number would otherwise have its new reports mistaken for the stored ones.
    pub fn is_rolled_back(&self, stream: Stream, stored: u64) -> bool {
        let queue = &self.queues[index(stream)];
        stored > queue.sent.saturating_sub(queue.marks.base)
    }

    /// Gives what is unacknowledged new sequences from 1 on under a new epoch, atomically. The caller then puts the list of
    /// active alarms into the events stream and calls [`Self::announced`].
    pub fn start_new_epoch(&mut self) -> Result<SpoolEpoch, SpoolError> {
        let (old_epoch, old_fresh, old_marks) = (self.epoch, self.fresh, self.queues.each_ref().map(|queue| queue.marks));
        let mut bases = [0; 3];
        for (queue, base) in self.queues.iter_mut().zip(&mut bases) {
            let first_held = queue.read(0, 0).map(|reports| reports.first().map_or(queue.next, |(seq, _)| *seq));
            *base = first_held.map_err(|source| SpoolError::Io { doing: "read", dir: self.dir.clone(), source })? - 1;
        }
        for (queue, base) in self.queues.iter_mut().zip(bases) {
            queue.marks.base = base;
            queue.marks.done = base;
        }
        (self.epoch, self.fresh) = (SpoolEpoch::new(), true);
        if let Err(error) = self.save("write to") {
            (self.epoch, self.fresh) = (old_epoch, old_fresh);
            for (queue, marks) in self.queues.iter_mut().zip(old_marks) {
                queue.marks = marks;
            }
            return Err(error);
        }
        for queue in &mut self.queues {
            queue.sent = queue.marks.base;
        }
        info!(spool.epoch = %self.epoch, "a new spool epoch begins");
        Ok(self.epoch)
    }

    /// The longest report for which there is room again once enough is acknowledged: a longer one would wait for ever.
    pub fn longest(&self) -> usize {
        usize::try_from(self.max_bytes / 4).map_or(MAX_PAYLOAD_BYTES, |room| room.min(MAX_PAYLOAD_BYTES))
    }

    /// What all streams take on disk.
    pub fn bytes(&self) -> u64 {
        self.queues.iter().map(Queue::bytes).sum()
    }

    /// What one stream takes on disk; what is acknowledged goes a segment at a time.
    pub fn bytes_of(&self, stream: Stream) -> u64 {
        self.queues[index(stream)].bytes()
    }

    /// Reports that were dropped for room or lost to damage, and that the events stream does not tell about yet.
    pub fn dropped(&self) -> impl Iterator<Item = (Stream, u64)> + '_ {
        self.queues.iter().filter(|queue| queue.marks.dropped > 0).map(|queue| (queue.stream, queue.marks.dropped))
    }

    /// The events stream holds the report that `count` of `stream` were dropped.
    pub fn dropped_told(&mut self, stream: Stream, count: u64) -> Result<(), SpoolError> {
        let marks = &mut self.queue(stream).marks;
        marks.dropped = marks.dropped.saturating_sub(count);
        self.save("write to")
    }

    fn queue(&mut self, stream: Stream) -> &mut Queue {
        &mut self.queues[index(stream)]
    }

    fn make_room(&mut self, stream: Stream, need: u64) -> Result<(), SpoolError> {
        if self.fits(stream, need, 0) {
            return Ok(());
        }
        for queue in &mut self.queues {
            queue.reclaim(true);
        }
        let health_bytes = self.queue(Stream::Health).bytes();
        // Health is not thrown away for something that would not fit even then.
        while !self.fits(stream, need, 0) {
            if !self.fits(stream, need, health_bytes) || !self.drop_oldest_health() {
                return Err(SpoolError::Full { stream, need, used: self.bytes(), max_bytes: self.max_bytes });
            }
        }
        Ok(())
    }

    /// Would `need` more bytes of `stream` fit, if `given_up` bytes of health went?
    fn fits(&self, stream: Stream, need: u64, given_up: u64) -> bool {
        let used = self.bytes().saturating_sub(given_up);
        let bulk = used.saturating_sub(self.queues[index(Stream::Events)].bytes());
        let events_share = self.max_bytes / 8;
        let bulk_fits = stream == Stream::Events || bulk + need <= self.max_bytes - events_share;
        bulk_fits && used + need <= self.max_bytes
    }

    /// Drops the oldest health segment; `false` if there is none.
    fn drop_oldest_health(&mut self) -> bool {
        let queue = self.queue(Stream::Health);
        let Some(oldest) = queue.oldest() else { return false };
        queue.marks.done = queue.marks.done.max(oldest.last);
        queue.marks.dropped += oldest.unacknowledged;
        if oldest.unacknowledged > 0 {
            warn!(spool.dropped = oldest.unacknowledged, "the spool is full: the oldest health reports were dropped");
        }
        self.save_count();
        let queue = self.queue(Stream::Health);
        let before = queue.bytes();
        queue.reclaim(true);
        queue.bytes() < before
    }

    /// Makes sure that the next `count` numbers of the stream are reserved.
    fn reserve(&mut self, stream: Stream, count: u64) -> io::Result<()> {
        let queue = self.queue(stream);
        let end = queue.next + count;
        if end <= queue.marks.reserved {
            return Ok(());
        }
        let before = queue.marks.reserved;
        queue.marks.reserved = end + RESERVED_AT_ONCE;
        let written = self.write_marks();
        if written.is_err() {
            self.queue(stream).marks.reserved = before;
        }
        written
    }

    fn write_marks(&mut self) -> io::Result<()> {
        let streams = self.queues.each_ref().map(|queue| queue.marks);
        self.marks.write(&Marks { epoch: self.epoch, fresh: self.fresh, streams })
    }

    fn save(&mut self, doing: &'static str) -> Result<(), SpoolError> {
        self.write_marks().map_err(|source| self.failed(doing, source))
    }

    /// A count that can't be written is still in memory, and told from there.
    fn save_count(&mut self) {
        if let Err(error) = self.save("write to") {
            error!(%error, "the count of dropped health reports is not on disk");
        }
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> SpoolError {
        SpoolError::Io { doing, dir: self.dir.clone(), source }
    }
}

/// Ends in order: acknowledgements are written down, and the reserved numbers that were not used are given back.
impl Drop for Spool {
    fn drop(&mut self) {
        #[cfg(test)]
        if self.crashed {
            return;
        }
        for queue in &mut self.queues {
            queue.marks.reserved = queue.next;
        }
        if let Err(error) = self.save("close") {
            error!(%error, "the spool was not closed in order; some reports will be offered again");
        }
    }
}

/// The exclusive lock on the directory. It is given back by word and not only by closing the file: a child that was just
/// forked holds a copy of the descriptor until it has become its program, and would hold the lock with it.
#[derive(Debug)]
struct Lock(File);

impl Lock {
    fn take(dir: &Path) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::Io { doing: "lock", dir: dir.to_owned(), source };
        let path = dir.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            error!(%error, "the spool's lock was not given back; it is free when this process has ended");
        }
    }
}

fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

const fn index(stream: Stream) -> usize {
    match stream {
        Stream::Events => 0,
        Stream::Recording => 1,
        Stream::Health => 2,
    }
}

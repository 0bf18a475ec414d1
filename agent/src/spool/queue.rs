//! One stream of the spool: its segments, oldest first, the newest open for appending.
//!
//! Sequences in here are raw (see [`super::marks`]). A queue decides nothing about room: the spool asks it what it could
//! give up, writes that down, and then tells it to remove what is done with.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use lineman_common::link::Stream;
use tracing::{error, warn};

use super::marks::StreamMarks;
use super::record;
use super::segment::{Repaired, Segment, Step, Walk};

/// An acknowledged newest segment is emptied from this size on; below it, the truncation would cost more than the room.
const EMPTY_FROM_BYTES: u64 = 64 * 1024;

#[derive(Debug)]
pub struct Queue {
    pub stream: Stream,
    pub marks: StreamMarks,
    /// The next record gets this number.
    pub next: u64,
    /// The highest number that a peer can know of: handed out by `read`, or there when the process started.
    pub sent: u64,
    dir: PathBuf,
    segments: VecDeque<Segment>,
    /// The last of `segments`.
    active: Option<File>,
    /// Where the last `read` stopped, so that a stream that is sent in order is read once, not once per batch.
    cursor: Option<Cursor>,
}

#[derive(Debug)]
struct Cursor {
    path: PathBuf,
    next: u64,
    offset: u64,
}

/// What a queue would give up next to make room.
pub struct Oldest {
    pub last: u64,
    /// Reports in it that nobody acknowledged.
    pub unacknowledged: u64,
}

impl Queue {
    pub fn open(parent: &Path, stream: Stream, marks: StreamMarks) -> io::Result<Self> {
        let dir = parent.join(stream.as_str());
        make_dir(&dir, parent)?;
        let mut queue = Self { stream, marks, next: 0, sent: 0, dir, segments: VecDeque::new(), active: None, cursor: None };
        let paths = queue.list()?;
        for (at, (first, path)) in paths.iter().enumerate() {
            let following = paths.get(at + 1).map(|(first, _)| *first);
            queue.take_in(*first, path, following)?;
        }
        let highest = queue.segments.iter().map(|segment| segment.last.map_or(segment.first, |last| last + 1)).max().unwrap_or(0);
        queue.next = highest.max(marks.done + 1).max(marks.reserved).max(marks.base + 1);
        queue.sent = queue.next - 1;
        if let Some(newest) = queue.segments.back() {
            queue.active = Some(newest.reopen()?);
        }
        queue.reclaim(false);
        Ok(queue)
    }

    fn list(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if let Some(first) = Segment::first_of(&path) {
                paths.push((first, path));
            } else {
                warn!(spool.path = %path.display(), "a file in the spool is not a segment; it is left alone");
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn take_in(&mut self, first: u64, path: &Path, following: Option<u64>) -> io::Result<()> {
        let (segment, repaired) = Segment::check(path, first)?;
        let unread_from = segment.last.map_or(segment.first, |last| last + 1).max(self.marks.done + 1);
        let cut = match following {
            Some(following) if repaired.cut_bytes > 0 => following.saturating_sub(unread_from),
            Some(_) | None => 0,
        };
        let voided = if segment.last.is_some_and(|last| last > self.marks.done) { repaired.voided } else { 0 };
        self.lost(path, &repaired, cut + voided, following.is_none());
        self.segments.push_back(segment);
        Ok(())
    }

    fn lost(&mut self, path: &Path, repaired: &Repaired, reports: u64, newest: bool) {
        self.marks.dropped += reports;
        if *repaired == Repaired::default() {
            return;
        }
        let (stream, path) = (self.stream, path.display());
        let Repaired { voided, cut_bytes } = repaired;
        if newest && *voided == 0 {
            warn!(spool.stream = %stream, spool.path = %path, cut_bytes, "a half-written end was cut off the newest segment");
        } else {
            error!(spool.stream = %stream, spool.path = %path, voided, cut_bytes, lost = reports,
                "a damaged segment of the spool was repaired: what could not be read is skipped");
        }
    }

    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Appends all of `bodies` or, on an error, none.
    pub fn append<B: AsRef<[u8]>>(&mut self, bodies: &[B], segment_bytes: u64, durable: bool) -> io::Result<Range<u64>> {
        let mut encoded = Vec::with_capacity(bodies.iter().map(|body| record::HEADER_BYTES + body.as_ref().len()).sum());
        let taken = self.next..self.next + bodies.len() as u64;
        for (seq, body) in taken.clone().zip(bodies) {
            record::encode(&mut encoded, seq, body.as_ref());
        }
        let full = |segment: &Segment| segment.records > 0 && segment.bytes + encoded.len() as u64 > segment_bytes;
        if self.active.is_none() || self.segments.back().is_some_and(full) {
            self.rotate()?;
        }
        let (Some(file), Some(segment)) = (self.active.as_mut(), self.segments.back_mut()) else {
            return Err(io::Error::other("the stream has no segment to write to"));
        };
        if let Err(error) = segment.append(file, &encoded, bodies.len() as u64, taken.end - 1, durable) {
            if file.metadata().map_or(true, |meta| meta.len() != segment.bytes) {
                // What the failed write left behind couldn't be taken back: nothing may follow it in this file.
                // Some of it may be whole, and found by the next process, so its numbers are taken.
                self.active = None;
                self.next = taken.end;
            }
            return Err(error);
        }
        self.next = taken.end;
        Ok(taken)
    }

    fn rotate(&mut self) -> io::Result<()> {
        let (segment, file) = Segment::create(&self.dir, self.next)?;
        sync_dir(&self.dir)?;
        self.segments.push_back(segment);
        self.active = Some(file);
        Ok(())
    }

    /// Records from `from` on, in order: one if there is one, and more while all fit into `max_bytes`.
    pub fn read(&mut self, from: u64, max_bytes: usize) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let mut from = from.max(self.marks.done + 1);
        let mut found = Vec::new();
        let mut budget = Budget { taken: 0, most: max_bytes };
        let mut at = 0;
        while let Some(segment) = self.segments.get(at) {
            if segment.last.is_none_or(|last| last < from) {
                at += 1;
                continue;
            }
            match self.read_segment(at, &mut from, &mut budget, &mut found)? {
                Stopped::Full => break,
                Stopped::End => at += 1,
                // Repaired, it holds fewer records, so this ends; a walk that finds nothing to repair goes on behind it.
                Stopped::Damaged => at += usize::from(!self.repair(at)?),
            }
        }
        self.sent = self.sent.max(from - 1);
        Ok(found)
    }

    fn read_segment(&mut self, at: usize, from: &mut u64, budget: &mut Budget, found: &mut Vec<(u64, Vec<u8>)>) -> io::Result<Stopped> {
        let segment = &self.segments[at];
        let resume = self.cursor.as_ref().filter(|cursor| cursor.path == segment.path && cursor.next == *from);
        let (offset, next) = resume.map_or((0, 0), |cursor| (cursor.offset, cursor.next));
        let mut walk = Walk::new(&segment.path, offset, next)?;
        let mut payload = Vec::new();
        let stopped = loop {
            let offset = walk.offset;
            match walk.step(&mut payload)? {
                Step::Record { seq } if seq < *from => {}
                Step::Record { seq } => {
                    if budget.taken + payload.len() > budget.most && !found.is_empty() {
                        walk.offset = offset;
                        break Stopped::Full;
                    }
                    budget.taken += payload.len();
                    *from = seq + 1;
                    found.push((seq, std::mem::take(&mut payload)));
                }
                Step::Void => {}
                Step::DamagedPayload(_) | Step::Unreadable => break Stopped::Damaged,
                Step::End => break Stopped::End,
            }
        };
        self.cursor = Some(Cursor { path: segment.path.clone(), next: *from, offset: walk.offset });
        Ok(stopped)
    }

    /// Damage that came after the spool was opened. `false` if there was none after all.
    fn repair(&mut self, at: usize) -> io::Result<bool> {
        self.cursor = None;
        let old = &self.segments[at];
        let (path, records) = (old.path.clone(), old.records);
        let (segment, repaired) = Segment::check(&path, Segment::first_of(&path).unwrap_or(0))?;
        let lost = records.saturating_sub(segment.records);
        self.segments[at] = segment;
        self.lost(&path, &repaired, lost, false);
        Ok(repaired != Repaired::default())
    }

    /// What would have to go first. Only asked of streams that may lose something.
    pub fn oldest(&self) -> Option<Oldest> {
        self.segments.iter().find_map(|segment| {
            let last = segment.last?;
            let unacknowledged = last.saturating_sub(self.marks.done).min(segment.records);
            Some(Oldest { last, unacknowledged })
        })
    }

    /// Removes what is done with. The newest segment stays, and is emptied when that is worth it, or always if `all`.
    pub fn reclaim(&mut self, all: bool) {
        let done = self.marks.done;
        while self.segments.len() > 1 && self.segments.front().is_some_and(|segment| segment.last.is_none_or(|last| last <= done)) {
            let Some(segment) = self.segments.pop_front() else { break };
            if let Err(error) = std::fs::remove_file(&segment.path) {
                error!(spool.path = %segment.path.display(), %error, "a segment that is done with can't be removed");
            }
        }
        if self.segments.len() > 1 {
            return;
        }
        let (Some(segment), Some(file)) = (self.segments.back_mut(), &self.active) else { return };
        let worth_it = segment.bytes >= EMPTY_FROM_BYTES || (all && segment.bytes > 0);
        if worth_it && segment.last.is_none_or(|last| last <= done) {
            self.cursor = None;
            if let Err(error) = segment.empty(file) {
                error!(spool.path = %segment.path.display(), %error, "a segment that is done with can't be emptied");
            }
        }
    }
}

/// What one `read` may return. The first record is taken whatever its size, so that a large one can't block the stream.
struct Budget {
    taken: usize,
    most: usize,
}

enum Stopped {
    /// The next record is over the budget.
    Full,
    End,
    Damaged,
}

/// Makes a directory that only the agent can look into, durably; one that is there is left as it is.
pub fn make_dir(dir: &Path, parent: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => sync_dir(parent),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Without it, a new file's name is not on the disk yet.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

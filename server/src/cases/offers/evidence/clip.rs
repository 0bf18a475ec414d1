//! A stretch of a recording: how long the recording is, and the cut.
//!
//! What the terminal showed when the stretch begins is its first output, drawn from the newest keyframe before it and what was printed
//! since; so a clip needs no more of the recording than that, wherever it lies. A cut proves nothing: who wants proof takes the recording.

use lineman_common::api::{EvidenceClip, Session};
use lineman_common::id::SessionId;
use lineman_common::recording::{Bind, Event, Flow, Opened, Piece, Recording, Terminal, What};
use lineman_common::session::Door;

use super::Error;
use crate::sessions::{self, digest};
use crate::store::Db;

/// Chunks read at a time.
const PAGE_CHUNKS: u32 = 64;
const PAGE_BYTES: usize = 8 << 20;
/// Bytes of chunks that one cut may read.
const MOST_BYTES: usize = 48 << 20;
/// The last chunks may hold no event: an end record, notes.
const LOOK_BACK: u64 = 16;

/// When the last event that is stored happened, since the session's start.
pub fn length_s(db: &Db<'_>, session: &Session) -> Result<f64, Error> {
    let from = session.chunks_stored.saturating_sub(LOOK_BACK);
    let page = sessions::page(db, session.id, from, u32::MAX, MOST_BYTES)?;
    let mut length_s: Option<f64> = None;
    for (number, line) in &page.chunks {
        let last =
            Piece::read(line, *number, None)?.events.into_iter().map(|event| event.seconds).filter(|s| s.is_finite()).reduce(f64::max);
        length_s = length_s.into_iter().chain(last).reduce(f64::max);
    }
    length_s.ok_or(Error::NothingRecorded)
}

/// Walks through a recording's chunks from one on; stops when `each` answers false, or at a gap.
fn walk(db: &Db<'_>, session: SessionId, from: u64, mut each: impl FnMut(u64, Piece) -> bool) -> Result<(), Error> {
    let (mut next, mut bytes) = (from, 0);
    loop {
        let page = sessions::page(db, session, next, PAGE_CHUNKS, PAGE_BYTES)?;
        for (number, line) in &page.chunks {
            bytes += line.len();
            if bytes > MOST_BYTES {
                return Err(Error::TooMuch);
            }
            if *number != next || !each(*number, Piece::read(line, *number, None)?) {
                return Ok(());
            }
            next += 1;
        }
        if page.next.is_none() {
            return Ok(());
        }
    }
}

/// The channel that is wanted if it is there, else the first terminal, else the first command, else whatever there is.
pub fn channel(db: &Db<'_>, session: SessionId, wanted: Option<u32>, to_s: f64) -> Result<u32, Error> {
    let mut opened: Vec<(u32, Opened)> = Vec::new();
    walk(db, session, 0, |_, piece| {
        let is_over = piece.events.first().is_some_and(|event| event.seconds > to_s);
        opened.extend(piece.events.into_iter().filter_map(|event| opening(event).filter(|_| !is_over)));
        let is_found = opened.iter().any(|(channel, opened)| wanted.map_or(opened.terminal.is_some(), |wanted| wanted == *channel));
        !is_found && !is_over
    })?;
    if let Some(wanted) = wanted {
        opened.iter().find(|(channel, _)| *channel == wanted).map(|(channel, _)| *channel).ok_or(Error::NoChannel(wanted))
    } else {
        let of = |test: fn(&Opened) -> bool| opened.iter().find(|(_, opened)| test(opened)).map(|(channel, _)| *channel);
        of(|opened| opened.terminal.is_some())
            .or_else(|| of(|opened| opened.door == Door::Exec))
            .or_else(|| of(|_| true))
            .ok_or(Error::NothingRecorded)
    }
}

fn opening(event: Event) -> Option<(u32, Opened)> {
    match event.what {
        What::Open(opened) => Some((event.channel, opened)),
        What::Bytes(..)
        | What::Resize { .. }
        | What::Sftp(_)
        | What::Truncated(_)
        | What::Total { .. }
        | What::Exit { .. }
        | What::Note(_)
        | What::Other(..) => None,
    }
}

/// The stretch as a recording of its own, which begins at 0 s.
pub fn cut(db: &Db<'_>, clip: &EvidenceClip) -> Result<Recording, Error> {
    let EvidenceClip { session, channel, from_s, to_s } = *clip;
    let bind = bind(db, session)?;
    let (mut events, from_chunk, skipped) = beginning(db, clip)?;
    walk(db, session, from_chunk, |number, piece| {
        let skip = if number == from_chunk { skipped } else { 0 };
        let goes_on = piece.events.first().is_none_or(|event| event.seconds <= to_s);
        let wanted = piece.events.into_iter().skip(skip).filter(|event| event.channel == channel && event.seconds <= to_s);
        events.extend(wanted.map(|event| Event { seconds: (event.seconds - from_s).max(0.0), ..event }));
        goes_on
    })?;
    Ok(Recording { session, bind, events, chunk_ends: Vec::new(), chunks: 0, end: None, head_sha256: String::new() })
}

fn bind(db: &Db<'_>, session: SessionId) -> Result<Bind, Error> {
    let page = sessions::page(db, session, 0, 1, PAGE_BYTES)?;
    let (number, line) = page.chunks.first().filter(|(number, _)| *number == 0).ok_or(Error::NothingRecorded)?;
    Piece::read(line, *number, None)?.header.bind.ok_or(Error::NothingRecorded)
}

/// What the terminal showed, and where to read on: the chunk, and how many of its events are drawn already.
fn beginning(db: &Db<'_>, clip: &EvidenceClip) -> Result<(Vec<Event>, u64, usize), Error> {
    let wanted = digest::Wanted { channel: Some(clip.channel), at_s: Some(clip.from_s), after: None, most: 1, most_bytes: PAGE_BYTES };
    let (frames, _) = sessions::keyframes(db, clip.session, &wanted)?;
    let Some(frame) = frames.into_iter().next().filter(|frame| frame.chunks > 0) else { return Ok((Vec::new(), 0, 0)) };
    let terminal = Terminal { term: "xterm-256color".into(), cols: frame.cols.into(), rows: frame.rows.into() };
    let opened = Opened { door: Door::Shell, command: None, terminal: Some(terminal), target: None };
    let drawn = What::Bytes(Flow::Output, frame.screen.into_bytes());
    let events = [What::Open(opened), drawn].map(|what| Event { seconds: 0.0, channel: clip.channel, what });
    Ok((events.into(), frame.chunks - 1, usize::try_from(frame.events).unwrap_or(usize::MAX)))
}

//! Sessions: who was inside what, and the recordings that prove it.
//!
//! Everything here is what devices report. The recording's chunks are signed on the device and stored as they came; the
//! server never rewrites them, and looking at one is itself an event.
//!
//! Transcripts and keyframes are derived from chunks ([`digest`]), for searching ([`search`]) and seeking: they help people to find the
//! place, and prove nothing. Watching a live session ([`watch`]) is reading its recording as it comes.

pub mod digest;
pub mod http;
pub mod list;
pub mod quota;
mod search;
mod sql;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod watch;

use jiff::SignedDuration;
use lineman_common::api::{Keyframe, Session, SessionState, TranscriptPage};
use lineman_common::id::SessionId;
use lineman_common::link::{Order, SessionEnded, SessionOpened};
use lineman_common::recording::ChunkHeader;
use lineman_common::statement::Signed;
use serde_json::json;

use crate::agents;
use crate::consents;
use crate::equipment::Known;
use crate::events::{self, Kind, New};
use crate::faults;
use crate::store::{Db, Nudge, StoreError, Tx};
use crate::trust;
use crate::web::{Actor, ApiError, Scope};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such session")]
    NotFound,
    #[error("the session has ended already")]
    Ended,
    #[error("the device sent a recording chunk that can't be read")]
    BadChunk,
    #[error("there is no room for more of the recording of {0}")]
    Full(SessionId),
    #[error("a quota is at least 2097152 bytes (2 MiB)")]
    BadQuota,
    #[error("no such customer")]
    NoCustomer,
    #[error("a search text has 1 to 200 characters, and none of them is a control character")]
    BadQuery,
    #[error(transparent)]
    Trust(#[from] trust::Error),
    #[error(transparent)]
    Events(#[from] events::Error),
    #[error(transparent)]
    Faults(#[from] faults::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("session"),
            Error::NoCustomer => Self::not_found("customer"),
            Error::Ended => Self::conflict(error.to_string()),
            Error::BadChunk | Error::Full(_) | Error::BadQuota | Error::BadQuery => Self::invalid(error.to_string()),
            Error::Events(error) => error.into(),
            Error::Trust(error) => error.into(),
            Error::Faults(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// Looking at a recording again within this time is the same look: it is told once.
const SAME_LOOK: SignedDuration = SignedDuration::from_mins(10);

/// The device let an engineer in.
pub fn opened(tx: &mut Tx<'_>, device: &Known, opened: &SessionOpened) -> Result<(), Error> {
    let Some(fault) = consents::fault_of(tx, opened.consent)? else { return Ok(()) };
    if !sql::insert(tx, device, fault, opened)? {
        return Ok(());
    }
    faults::work_begun(tx, fault)?;
    let text = format!("{} is inside {} as {}", opened.engineer, device.name, opened.account);
    let data = json!({"session": opened.session, "consent": opened.consent, "engineer_key": opened.engineer_key,
        "engineer": opened.engineer, "device": device.name, "account": opened.account});
    faults::tell(tx, fault, New::of(Kind::SessionOpened, format!("agent:{}", device.name), text).at(opened.at).data(data))?;
    Ok(())
}

pub fn first_byte(tx: &mut Tx<'_>, device: &Known, session: SessionId, at: jiff::Timestamp) -> Result<(), Error> {
    let Some(fault) = sql::fault_of(tx, device, session)? else { return Ok(()) };
    if sql::set_first_byte(tx, session, at)? {
        let event = New::of(Kind::SessionFirstByte, format!("agent:{}", device.name), "first byte to the engineer").at(at);
        faults::tell(tx, fault, event.data(json!({"session": session})))?;
    }
    Ok(())
}

pub fn ended(tx: &mut Tx<'_>, device: &Known, ended: &SessionEnded) -> Result<(), Error> {
    let Some(fault) = sql::fault_of(tx, device, ended.session)? else { return Ok(()) };
    if sql::set_ended(tx, ended)? {
        let summary = &ended.summary;
        let text = format!(
            "session ended ({}): {} channels, {} commands, {} files, {} bytes out, {} bytes in",
            ended.reason,
            summary.channels,
            summary.commands.len(),
            summary.files.len(),
            summary.output_bytes,
            summary.input_bytes
        );
        let event = New::of(Kind::SessionEnded, format!("agent:{}", device.name), text).at(ended.at);
        faults::tell(tx, fault, event.data(json!({"session": ended.session, "reason": ended.reason, "chunks": ended.chunks, "head_sha256": ended.head_sha256, "summary": summary})))?;
        tx.nudge(Nudge::Recorded(ended.session));
    }
    Ok(())
}

/// Stores one chunk of a recording, as it came. Which session and place it has is read from its own header; whether it is true is
/// for those who verify. [`Error::Full`] when there is no room for it.
pub fn store_chunk(tx: &mut Tx<'_>, device: &Known, line: &[u8]) -> Result<(), Error> {
    let line = std::str::from_utf8(line).map_err(|_| Error::BadChunk)?;
    let chunk: Signed = serde_json::from_str(line).map_err(|_| Error::BadChunk)?;
    let head = chunk.text.split('\n').next().unwrap_or_default();
    let header: ChunkHeader = serde_json::from_str(head).map_err(|_| Error::BadChunk)?;
    // A line end in JSON stands between its parts only. The file is one chunk a line.
    let line = line.replace(['\r', '\n'], " ");
    let bytes = line.len() as u64;
    quota::check(tx, device, header.session, bytes)?;
    if sql::insert_chunk(tx, device, header.session, header.chunk, &line)? {
        quota::count(tx, device, header.session, bytes)?;
        tx.nudge(Nudge::Recorded(header.session));
    }
    Ok(())
}

/// Is it live, as far as the centre knows?
pub fn is_live(db: &Db<'_>, id: SessionId) -> Result<bool, StoreError> {
    Ok(sql::get(db, &Scope::All, id)?.is_some_and(|session| session.state == SessionState::Live))
}

pub fn get(db: &Db<'_>, scope: &Scope, id: SessionId) -> Result<Session, Error> {
    sql::get(db, scope, id)?.ok_or(Error::NotFound)
}

/// How somebody looks at a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The recording itself, or its keyframes.
    Fetch,
    /// As it comes.
    Watch,
}

/// Tells on the fault's timeline that somebody looks at a recording: once, however many pages or streams it takes.
pub fn look(tx: &mut Tx<'_>, actor: &Actor, id: SessionId, how: Look) -> Result<Session, Error> {
    let session = get(tx, &actor.scope(), id)?;
    let (_, fault) = sql::place(tx, id)?;
    let (name, kind, text) = match how {
        Look::Fetch => ("fetch", Kind::RecordingViewed, format!("{actor} fetched the recording of {id}")),
        Look::Watch => {
            ("watch", Kind::SessionWatched, format!("{actor} watches {id}, where {} is inside {}", session.engineer, session.device))
        }
    };
    if sql::note_look(tx, id, &actor.name.to_string(), name, tx.now() - SAME_LOOK)? {
        faults::tell(
            tx,
            fault,
            New::of(kind, actor, text).data(json!({"session": id, "engineer": session.engineer, "device": session.device})),
        )?;
    }
    Ok(session)
}

/// What it takes to verify a recording: the statement that held when its consent was decided, for the device may have enrolled anew
/// since. The caller has found the session under a scope.
pub fn device_statement(db: &Db<'_>, id: SessionId) -> Result<Signed, Error> {
    if let Some(statement) = consents::device_statement(db, sql::consent_of(db, id)?)? {
        return Ok(statement);
    }
    let (device, _) = sql::place(db, id)?;
    Ok(trust::device_statement(db, device)?.0)
}

/// Some of a recording's lines, as they are stored.
#[derive(Debug, Default)]
pub struct Page {
    /// Each with its number.
    pub chunks: Vec<(u64, String)>,
    /// Where the next page begins; `None` when this is all there is now.
    pub next: Option<u64>,
}

/// The recording's lines from number `from` on: at most so many, and no more bytes than that, but one line if there is one. The caller
/// has found the session under a scope.
pub fn page(db: &Db<'_>, id: SessionId, from: u64, most: u32, most_bytes: usize) -> Result<Page, Error> {
    let (device, _) = sql::place(db, id)?;
    Ok(sql::chunks(db, device, id, from, most, most_bytes)?)
}

/// What the session's terminals showed, oldest first. The caller has found the session under a scope.
pub fn keyframes(db: &Db<'_>, id: SessionId, wanted: &digest::Wanted) -> Result<(Vec<Keyframe>, bool), Error> {
    let (device, _) = sql::place(db, id)?;
    Ok(digest::keyframes(db, device, id, wanted)?)
}

/// What the session's transcript says, after that line. The caller has found the session under a scope.
pub fn transcript(db: &Db<'_>, id: SessionId, after: i64, most: u32) -> Result<TranscriptPage, Error> {
    let (device, _) = sql::place(db, id)?;
    Ok(digest::transcript(db, device, id, after, most)?)
}

/// Ends a live session: the device is told, now or as soon as it can be.
pub fn kill(tx: &mut Tx<'_>, actor: &Actor, id: SessionId, reason: &lineman_common::Printable) -> Result<Session, Error> {
    let session = get(tx, &actor.scope(), id)?;
    if session.state == SessionState::Ended {
        return Err(Error::Ended);
    }
    let (device, fault) = sql::place(tx, id)?;
    agents::order(tx, device, &Order::KillSession { session: id, by: actor.to_string() })?;
    let event = New::of(Kind::SessionKillAsked, actor, format!("{actor} ends the session {id}: {reason}"));
    faults::tell(tx, fault, event.data(json!({"session": id, "reason": reason})))?;
    Ok(session)
}

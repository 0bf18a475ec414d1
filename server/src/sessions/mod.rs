//! Sessions: who was inside what, and the recordings that prove it.
//!
//! Everything here is what devices report. The recording's chunks are signed on the device and stored as they came; the
//! server never rewrites them, and looking at one is itself an event.

pub mod http;
mod sql;

use lineman_common::api::{Session, SessionState};
use lineman_common::id::{FaultId, SessionId};
use lineman_common::link::{Order, SessionEnded, SessionOpened};
use lineman_common::recording::ChunkHeader;
use lineman_common::statement::Signed;
use serde_json::json;

use crate::agents;
use crate::consents;
use crate::equipment::Known;
use crate::events::{Kind, New};
use crate::faults;
use crate::store::{Db, StoreError, Tx};
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
    #[error("the recording is larger than {} GiB: what comes after is not kept", MOST_RECORDED_BYTES >> 30)]
    TooMuch,
    #[error(transparent)]
    Trust(#[from] trust::Error),
    #[error(transparent)]
    Faults(#[from] faults::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("session"),
            Error::Ended => Self::conflict(error.to_string()),
            Error::BadChunk | Error::TooMuch => Self::invalid(error.to_string()),
            Error::Trust(error) => error.into(),
            Error::Faults(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// A recording's largest size here. What a device sends beyond it shows as missing chunks.
const MOST_RECORDED_BYTES: u64 = 4 << 30;
/// Chunks may come a little before the session's opening does.
const MOST_EARLY_BYTES: u64 = 16 << 20;

/// The device let an engineer in.
pub fn opened(tx: &mut Tx<'_>, device: &Known, opened: &SessionOpened) -> Result<(), Error> {
    let Some(fault) = consents::fault_of(tx, opened.consent)? else { return Ok(()) };
    if !sql::insert(tx, device, fault, opened)? {
        return Ok(());
    }
    faults::work_begun(tx, fault)?;
    let text = format!("{} is inside {} as {}", opened.engineer, device.name, opened.account);
    let data = json!({"session": opened.session, "consent": opened.consent, "engineer_key": opened.engineer_key});
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
    }
    Ok(())
}

/// Stores one chunk of a recording, as it came. Which session and place it has is read from its own header; whether it is true is
/// for those who verify.
pub fn store_chunk(tx: &mut Tx<'_>, device: &Known, line: &[u8]) -> Result<(), Error> {
    let line = std::str::from_utf8(line).map_err(|_| Error::BadChunk)?;
    let chunk: Signed = serde_json::from_str(line).map_err(|_| Error::BadChunk)?;
    let head = chunk.text.split('\n').next().unwrap_or_default();
    let header: ChunkHeader = serde_json::from_str(head).map_err(|_| Error::BadChunk)?;
    let most = if sql::fault_of(tx, device, header.session)?.is_some() { MOST_RECORDED_BYTES } else { MOST_EARLY_BYTES };
    if sql::recorded_bytes(tx, device, header.session)? + line.len() as u64 > most {
        return Err(Error::TooMuch);
    }
    Ok(sql::insert_chunk(tx, device, header.session, header.chunk, line)?)
}

pub fn list(db: &Db<'_>, scope: &Scope, fault: Option<FaultId>, state: Option<SessionState>) -> Result<Vec<Session>, StoreError> {
    sql::list(db, scope, fault, state)
}

/// Is it live, as far as the centre knows?
pub fn is_live(db: &Db<'_>, id: SessionId) -> Result<bool, StoreError> {
    Ok(sql::get(db, &Scope::All, id)?.is_some_and(|session| session.state == SessionState::Live))
}

pub fn get(db: &Db<'_>, scope: &Scope, id: SessionId) -> Result<Session, Error> {
    sql::get(db, scope, id)?.ok_or(Error::NotFound)
}

/// Tells on the fault's timeline that somebody fetches a recording; answers what it takes to verify it.
pub fn view_recording(tx: &mut Tx<'_>, actor: &Actor, id: SessionId) -> Result<(Session, Signed), Error> {
    let session = get(tx, &actor.scope(), id)?;
    let (device, fault) = sql::place(tx, id)?;
    let (device_statement, _) = trust::device_statement(tx, device)?;
    let event = New::of(Kind::RecordingViewed, actor, format!("{actor} fetched the recording of {id}"));
    faults::tell(tx, fault, event.data(json!({"session": id})))?;
    Ok((session, device_statement))
}

/// The recording's lines so far. The caller has found the session under a scope.
pub fn recording(db: &Db<'_>, id: SessionId) -> Result<String, Error> {
    let (device, _) = sql::place(db, id)?;
    Ok(sql::chunks(db, device, id)?)
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
    faults::tell(tx, fault, event.data(json!({"session": id})))?;
    Ok(session)
}

use jiff::Timestamp;
use lineman_common::api::{Session, SessionState};
use lineman_common::id::{ConsentId, EquipmentId, FaultId, SessionId};
use lineman_common::link::{SessionEnded, SessionOpened};
use lineman_common::name::{FaultNumber, NeName};
use rusqlite::{OptionalExtension, Row, params};

use super::Page;
use crate::equipment::Known;
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

pub const COLUMNS: &str = "s.id, s.consent, c.code, f.serial, e.handle, s.engineer, s.account, s.started_at, s.first_byte_at, s.ended_at,
    s.end_reason, s.chunks, s.summary, (SELECT r.chunks FROM recording r WHERE r.equipment = s.equipment AND r.session = s.id)";
const FROM: &str =
    "FROM session s JOIN fault f ON f.id = s.fault JOIN customer c ON c.id = s.customer JOIN equipment e ON e.id = s.equipment";

pub fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    let Text(customer): Text<lineman_common::name::CustomerCode> = row.get(2)?;
    let ended_at = row.get::<_, Option<At>>(9)?.map(|at| at.0);
    let count = |index| -> rusqlite::Result<Option<u64>> { Ok(row.get::<_, Option<i64>>(index)?.map(i64::unsigned_abs)) };
    Ok(Session {
        id: row.get::<_, Text<_>>(0)?.0,
        state: if ended_at.is_some() { SessionState::Ended } else { SessionState::Live },
        consent: row.get::<_, Text<_>>(1)?.0,
        fault: FaultNumber { customer: customer.clone(), serial: row.get(3)? },
        device: NeName { customer, handle: row.get::<_, Text<_>>(4)?.0 },
        engineer: row.get::<_, Text<_>>(5)?.0,
        account: row.get(6)?,
        started_at: row.get::<_, At>(7)?.0,
        first_byte_at: row.get::<_, Option<At>>(8)?.map(|at| at.0),
        ended_at,
        end_reason: row.get::<_, Option<Text<_>>>(10)?.map(|t| t.0),
        chunks: count(11)?,
        summary: row.get::<_, Option<Json<_>>>(12)?.map(|j| j.0),
        chunks_stored: count(13)?.unwrap_or(0),
    })
}

/// False when the session is known already, or its consent is not one of this device.
pub fn insert(db: &Db<'_>, device: &Known, fault: FaultId, opened: &SessionOpened) -> Result<bool, StoreError> {
    let sql = "INSERT INTO session(id, customer, equipment, fault, consent, engineer, account, started_at)
               SELECT ?1, ?2, ?3, ?4, n.id, ?6, ?7, ?8 FROM consent n WHERE n.id = ?5 AND n.equipment = ?3 ON CONFLICT DO NOTHING";
    let changed = db.sql().prepare_cached(sql)?.execute(params![
        Text(opened.session),
        Text(device.customer),
        Text(device.id),
        Text(fault),
        Text(opened.consent),
        Text(&opened.engineer),
        opened.account,
        At(opened.at)
    ])?;
    Ok(changed == 1)
}

pub fn fault_of(db: &Db<'_>, device: &Known, id: SessionId) -> Result<Option<FaultId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT fault FROM session WHERE id = ?1 AND equipment = ?2")?;
    Ok(statement.query_row(params![Text(id), Text(device.id)], |row| Ok(row.get::<_, Text<_>>(0)?.0)).optional()?)
}

pub fn consent_of(db: &Db<'_>, id: SessionId) -> Result<ConsentId, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT consent FROM session WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| Ok(row.get::<_, Text<_>>(0)?.0))?)
}

pub fn place(db: &Db<'_>, id: SessionId) -> Result<(EquipmentId, FaultId), StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT equipment, fault FROM session WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Text<_>>(1)?.0)))?)
}

pub fn set_first_byte(db: &Db<'_>, id: SessionId, at: Timestamp) -> Result<bool, StoreError> {
    let sql = "UPDATE session SET first_byte_at = ?2 WHERE id = ?1 AND first_byte_at IS NULL";
    Ok(db.sql().prepare_cached(sql)?.execute(params![Text(id), At(at)])? == 1)
}

pub fn set_ended(db: &Db<'_>, ended: &SessionEnded) -> Result<bool, StoreError> {
    let sql =
        "UPDATE session SET ended_at = ?2, end_reason = ?3, chunks = ?4, head_sha256 = ?5, summary = ?6 WHERE id = ?1 AND ended_at IS NULL";
    let changed = db.sql().prepare_cached(sql)?.execute(params![
        Text(ended.session),
        At(ended.at),
        Text(ended.reason),
        i64::try_from(ended.chunks).unwrap_or(i64::MAX),
        ended.head_sha256,
        Json(&ended.summary)
    ])?;
    Ok(changed == 1)
}

/// The first chunk of a number stays: a device that sends another under the same number does not replace evidence. False when there was
/// one already.
pub fn insert_chunk(db: &Db<'_>, device: &Known, session: SessionId, chunk: u64, line: &str) -> Result<bool, StoreError> {
    let sql = "INSERT INTO recording_chunk(equipment, session, chunk, line) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    let chunk = i64::try_from(chunk).unwrap_or(i64::MAX);
    if db.sql().prepare_cached(sql)?.execute(params![Text(device.id), Text(session), chunk, line])? == 0 {
        return Ok(false);
    }
    let sql = "INSERT INTO recording VALUES (?1, ?2, 1, ?3)
               ON CONFLICT DO UPDATE SET chunks = chunks + 1, bytes = bytes + excluded.bytes";
    let bytes = i64::try_from(line.len()).unwrap_or(i64::MAX);
    db.sql().prepare_cached(sql)?.execute(params![Text(device.id), Text(session), bytes])?;
    Ok(true)
}

pub fn recorded_bytes(db: &Db<'_>, device: &Known, session: SessionId) -> Result<u64, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT bytes FROM recording WHERE equipment = ?1 AND session = ?2")?;
    let bytes: Option<i64> = statement.query_row(params![Text(device.id), Text(session)], |row| row.get(0)).optional()?;
    Ok(bytes.unwrap_or(0).unsigned_abs())
}

pub fn chunks(db: &Db<'_>, device: EquipmentId, session: SessionId, from: u64, most: u32, most_bytes: usize) -> Result<Page, StoreError> {
    let sql = "SELECT chunk, line FROM recording_chunk WHERE equipment = ?1 AND session = ?2 AND chunk >= ?3 ORDER BY chunk";
    let mut statement = db.sql().prepare_cached(sql)?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![Text(device), Text(session), from])?;
    let (mut page, mut bytes) = (Page::default(), 0);
    while let Some(row) = rows.next()? {
        let number = row.get::<_, i64>(0)?.unsigned_abs();
        let line = row.get_ref(1)?.as_str().map_err(|e| StoreError::Corrupt(e.to_string()))?;
        bytes += line.len() + 1;
        let is_full = page.chunks.len() >= most as usize || bytes > most_bytes;
        if is_full && !page.chunks.is_empty() {
            page.next = Some(number);
            break;
        }
        page.chunks.push((number, line.to_owned()));
    }
    Ok(page)
}

/// Notes that a person looks at a recording; false when they did since `since`.
pub fn note_look(db: &Db<'_>, session: SessionId, person: &str, how: &str, since: Timestamp) -> Result<bool, StoreError> {
    let sql = "INSERT INTO recording_view VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET told_at = excluded.told_at WHERE told_at <= ?5";
    Ok(db.sql().prepare_cached(sql)?.execute(params![Text(session), person, how, At(db.now()), At(since)])? == 1)
}

pub fn get(db: &Db<'_>, scope: &Scope, id: SessionId) -> Result<Option<Session>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("SELECT {COLUMNS} {FROM} WHERE s.id = ?1 AND (?2 IS NULL OR s.customer = ?2)"))?;
    Ok(statement.query_row(params![Text(id), scope.customer()], session).optional()?)
}

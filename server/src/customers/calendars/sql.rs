use jiff::Timestamp;
use lineman_common::api::Calendar;
use rusqlite::{OptionalExtension, params};

use crate::store::value::{At, Json};
use crate::store::{Db, StoreError};

/// Keeps the calendar as its next version; answers with the number.
pub fn put(db: &Db<'_>, calendar: &Calendar) -> Result<u32, StoreError> {
    // A calendar that was deleted and made again goes on counting: faults still refer to its old versions.
    let sql = "SELECT coalesce(max(version), 0) + 1 FROM calendar_version WHERE name = ?1";
    let version: u32 = db.sql().prepare_cached(sql)?.query_row([&calendar.name], |row| row.get(0))?;
    db.sql().prepare_cached("INSERT INTO calendar_version VALUES (?1, ?2, ?3)")?.execute(params![
        calendar.name,
        version,
        Json(calendar)
    ])?;
    let sql = "INSERT INTO calendar VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT(name) DO UPDATE SET version = excluded.version, set_at = excluded.set_at, body = excluded.body";
    db.sql().prepare_cached(sql)?.execute(params![calendar.name, version, At(db.now()), Json(calendar)])?;
    Ok(version)
}

pub fn list(db: &Db<'_>, after: &str, limit: u32) -> Result<Vec<Calendar>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM calendar WHERE name > ?1 ORDER BY name LIMIT ?2")?;
    Ok(statement.query_map(params![after, limit], |row| Ok(row.get::<_, Json<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

pub fn get(db: &Db<'_>, name: &str) -> Result<Option<Calendar>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM calendar WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| Ok(row.get::<_, Json<_>>(0)?.0)).optional()?)
}

/// The newest version's number, and since when it holds.
pub fn newest(db: &Db<'_>, name: &str) -> Result<Option<(u32, Timestamp)>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT version, set_at FROM calendar WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| Ok((row.get(0)?, row.get::<_, At>(1)?.0))).optional()?)
}

pub fn version(db: &Db<'_>, name: &str, version: u32) -> Result<Option<Calendar>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM calendar_version WHERE name = ?1 AND version = ?2")?;
    Ok(statement.query_row(params![name, version], |row| Ok(row.get::<_, Json<_>>(0)?.0)).optional()?)
}

pub fn delete(db: &Db<'_>, name: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM calendar WHERE name = ?1")?.execute([name])?;
    Ok(())
}

/// The tiers whose clocks follow it.
pub fn users(db: &Db<'_>, name: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT name FROM tier WHERE body ->> '$.calendar' = ?1 ORDER BY name")?;
    Ok(statement.query_map([name], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

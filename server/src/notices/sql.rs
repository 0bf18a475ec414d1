use jiff::Timestamp;
use lineman_common::api::{NoticeSettings, NoticeView};
use lineman_common::id::CustomerId;
use rusqlite::{OptionalExtension, params};

use super::about::About;
use super::courier::Due;
use super::{KEPT, shown};
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};

pub fn settings(db: &Db<'_>, customer: CustomerId) -> Result<NoticeSettings, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM notice_settings WHERE customer = ?1")?;
    let found: Option<Json<NoticeSettings>> = statement.query_row([Text(customer)], |row| row.get(0)).optional()?;
    Ok(found.map(|found| found.0).unwrap_or_default())
}

pub fn put_settings(db: &Db<'_>, customer: CustomerId, settings: &NoticeSettings) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO notice_settings VALUES (?1, ?2)";
    db.sql().prepare_cached(sql)?.execute(params![Text(customer), Json(settings)])?;
    Ok(())
}

pub fn count_waiting(db: &Db<'_>, customer: CustomerId) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM notice WHERE customer = ?1 AND next_at IS NOT NULL";
    Ok(db.sql().prepare_cached(sql)?.query_row([Text(customer)], |row| row.get(0))?)
}

pub fn insert(db: &Db<'_>, customer: CustomerId, target: &str, about: &About) -> Result<(), StoreError> {
    let sql = "INSERT INTO notice(customer, kind, target, subject, body, created_at, next_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
    db.sql().prepare_cached(sql)?.execute(params![Text(customer), about.kind, target, about.subject, Json(about), At(db.now())])?;
    Ok(())
}

/// What is to be tried now, the one that waits for longest first.
pub fn due(db: &Db<'_>, most: u32) -> Result<Vec<Due>, StoreError> {
    let sql = "SELECT id, target, body FROM notice WHERE next_at <= ?1 ORDER BY next_at LIMIT ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![At(db.now()), most], |row| {
        Ok(Due { id: row.get(0)?, target: row.get(1)?, about: row.get::<_, Json<_>>(2)?.0 })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn delivered(db: &Db<'_>, id: i64) -> Result<(), StoreError> {
    let sql = "UPDATE notice SET attempts = attempts + 1, delivered_at = ?2, next_at = NULL, problem = NULL WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![id, At(db.now())])?;
    Ok(())
}

/// Counts a failed attempt; `None` when nobody waits for it any more.
pub fn attempted(db: &Db<'_>, id: i64, problem: &str) -> Result<Option<(u32, Timestamp)>, StoreError> {
    let sql =
        "UPDATE notice SET attempts = attempts + 1, problem = ?2 WHERE id = ?1 AND next_at IS NOT NULL RETURNING attempts, created_at";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_row(params![id, problem], |row| Ok((row.get(0)?, row.get::<_, At>(1)?.0))).optional()?)
}

pub fn again(db: &Db<'_>, id: i64, next: Timestamp) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE notice SET next_at = ?2 WHERE id = ?1")?.execute(params![id, At(next)])?;
    Ok(())
}

pub fn give_up(db: &Db<'_>, id: i64, problem: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE notice SET next_at = NULL, problem = ?2 WHERE id = ?1")?.execute(params![id, problem])?;
    Ok(())
}

/// What waits for a target that is not named any more.
pub fn forget(db: &Db<'_>, customer: CustomerId, target: &str) -> Result<(), StoreError> {
    let sql = "UPDATE notice SET next_at = NULL, problem = 'nobody is told there any more' WHERE customer = ?1 AND target = ?2 AND next_at IS NOT NULL";
    db.sql().prepare_cached(sql)?.execute(params![Text(customer), target])?;
    Ok(())
}

pub fn newest(db: &Db<'_>, customer: CustomerId, kind: &str) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT max(created_at) FROM notice WHERE customer = ?1 AND kind = ?2";
    let newest: Option<At> = db.sql().prepare_cached(sql)?.query_row(params![Text(customer), kind], |row| row.get(0))?;
    Ok(newest.map(|at| at.0))
}

pub fn recent(db: &Db<'_>, customer: CustomerId, most: u32) -> Result<Vec<NoticeView>, StoreError> {
    let sql = "SELECT created_at, target, kind, subject, attempts, delivered_at, problem FROM notice WHERE customer = ?1 ORDER BY id DESC LIMIT ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![Text(customer), most], |row| {
        Ok(NoticeView {
            at: row.get::<_, At>(0)?.0,
            target: shown(&row.get::<_, String>(1)?),
            kind: row.get(2)?,
            subject: row.get::<_, String>(3)?.into(),
            attempts: row.get(4)?,
            delivered_at: row.get::<_, Option<At>>(5)?.map(|at| at.0),
            problem: row.get::<_, Option<String>>(6)?.map(Into::into),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn tidy(db: &Db<'_>) -> Result<(), StoreError> {
    let sql = "DELETE FROM notice WHERE next_at IS NULL AND created_at < ?1";
    db.sql().prepare_cached(sql)?.execute([At(db.now() - KEPT)])?;
    Ok(())
}

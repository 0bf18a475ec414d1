use lineman_common::api::{Audience, CaseBody, CaseState};
use lineman_common::name::CaseNumber;
use rusqlite::{OptionalExtension, Row};

use super::rebuild::Progress;
use crate::store::value::{Json, Text};
use crate::store::{Db, StoreError, Tx};

/// A case as the index needs it.
pub struct Found {
    pub number: CaseNumber,
    pub state: CaseState,
    pub audience: Audience,
    pub body: CaseBody,
}

impl Found {
    /// May customers see it?
    pub fn is_published(&self) -> bool {
        self.state == CaseState::Validated && self.audience == Audience::Customer
    }
}

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    Ok(Found {
        number: CaseNumber(row.get(0)?),
        state: row.get::<_, Text<_>>(1)?.0,
        audience: row.get::<_, Text<_>>(2)?.0,
        body: row.get::<_, Json<_>>(3)?.0,
    })
}

/// Where the outbox stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Everything up to here was taken out: a snapshot holds it.
    pub taken_out: i64,
    /// The last change there was.
    pub newest: i64,
}

pub fn standing(db: &Db<'_>) -> Result<Standing, StoreError> {
    let sql = "SELECT sequence, (SELECT max(sequence) FROM case_outbox) FROM case_index";
    let read = |row: &Row<'_>| {
        let taken_out = row.get(0)?;
        Ok(Standing { taken_out, newest: row.get::<_, Option<i64>>(1)?.unwrap_or(taken_out) })
    };
    Ok(db.sql().prepare_cached(sql)?.query_row([], read)?)
}

/// What tells a place in the outbox from the same place in another life of the database; `None` when the outbox has no such place, or
/// not any more.
pub fn mark(db: &Db<'_>, sequence: i64) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT mark FROM case_outbox WHERE sequence = ?1 UNION ALL SELECT mark FROM case_index WHERE sequence = ?1";
    Ok(db.sql().prepare_cached(sql)?.query_row([sequence], |row| row.get(0)).optional()?)
}

/// The next changes after a place.
pub fn changes(db: &Db<'_>, after: i64, most: u32) -> Result<Vec<(i64, CaseNumber)>, StoreError> {
    let sql = "SELECT sequence, number FROM case_outbox WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map((after, most), |row| Ok((row.get(0)?, CaseNumber(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes out what a snapshot holds, a slice at a time; true when there is more.
pub fn take_out(tx: &mut Tx<'_>, up_to: i64, slice: i64) -> Result<bool, StoreError> {
    let first: Option<i64> = tx.sql().prepare_cached("SELECT min(sequence) FROM case_outbox")?.query_row([], |row| row.get(0))?;
    let Some(first) = first.filter(|first| *first <= up_to) else { return Ok(false) };
    let last = up_to.min(first.saturating_add(slice));
    let keep = "UPDATE case_index SET (sequence, mark) = (SELECT sequence, mark FROM case_outbox WHERE sequence <= ?1 ORDER BY sequence DESC LIMIT 1)";
    tx.sql().prepare_cached(keep)?.execute([last])?;
    tx.sql().prepare_cached("DELETE FROM case_outbox WHERE sequence <= ?1")?.execute([last])?;
    Ok(last < up_to)
}

pub fn case(db: &Db<'_>, number: CaseNumber) -> Result<Option<Found>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT number, state, audience, body FROM library_case WHERE number = ?1")?;
    Ok(statement.query_row([number.0], found).optional()?)
}

/// Cases in use with numbers after one and up to another, in their order.
pub fn each_in_use(db: &Db<'_>, after: u32, up_to: u32, mut take: impl FnMut(Found)) -> Result<(), StoreError> {
    let sql = "SELECT number, state, audience, body FROM library_case WHERE number > ?1 AND number <= ?2 AND state <> 'archived'
        ORDER BY number";
    let mut statement = db.sql().prepare_cached(sql)?;
    for row in statement.query_map((after, up_to), found)? {
        take(row?);
    }
    Ok(())
}

pub fn greatest(db: &Db<'_>) -> Result<u32, StoreError> {
    Ok(db.sql().prepare_cached("SELECT coalesce(max(number), 0) FROM library_case")?.query_row([], |row| row.get(0))?)
}

pub fn count_in_use(db: &Db<'_>) -> Result<u32, StoreError> {
    Ok(db.sql().prepare_cached("SELECT count(*) FROM library_case WHERE state <> 'archived'")?.query_row([], |row| row.get(0))?)
}

/// Rebuilds that were asked for, and the last one that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    pub wanted: i64,
    pub done: i64,
    pub progress: Progress,
}

pub fn wishes(db: &Db<'_>) -> Result<Wishes, StoreError> {
    let sql = "SELECT rebuild_wanted, rebuild_done, rebuild_cases, rebuild_of FROM case_index";
    let read =
        |row: &Row<'_>| Ok(Wishes { wanted: row.get(0)?, done: row.get(1)?, progress: Progress { cases: row.get(2)?, of: row.get(3)? } });
    Ok(db.sql().prepare_cached(sql)?.query_row([], read)?)
}

/// Answers the wish's number.
pub fn add_wish(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    let sql = "UPDATE case_index SET rebuild_wanted = rebuild_wanted + 1, rebuild_cases = 0, rebuild_of = 0 RETURNING rebuild_wanted";
    Ok(tx.sql().prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

pub fn set_progress(tx: &mut Tx<'_>, progress: Progress) -> Result<(), StoreError> {
    tx.sql().prepare_cached("UPDATE case_index SET rebuild_cases = ?1, rebuild_of = ?2")?.execute([progress.cases, progress.of])?;
    Ok(())
}

pub fn fulfil(tx: &mut Tx<'_>, wish: i64) -> Result<(), StoreError> {
    tx.sql().prepare_cached("UPDATE case_index SET rebuild_done = max(rebuild_done, ?1)")?.execute([wish])?;
    Ok(())
}

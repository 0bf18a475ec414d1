use jiff::Timestamp;
use jiff::civil::Date;
use lineman_common::api::{Contract, NewContract};
use lineman_common::id::{ContractId, CustomerId};
use rusqlite::{OptionalExtension, Row, params};

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

const VIEW: &str =
    "SELECT k.id, c.code, k.tier, k.from_day, k.until_day, k.contact, k.from_at <= ?1 AND (k.until_at IS NULL OR k.until_at > ?1)
    FROM contract k JOIN customer c ON c.id = k.customer";

fn contract(row: &Row<'_>) -> rusqlite::Result<Contract> {
    Ok(Contract {
        id: row.get::<_, Text<_>>(0)?.0,
        customer: row.get::<_, Text<_>>(1)?.0,
        tier: row.get(2)?,
        from: row.get::<_, Text<Date>>(3)?.0,
        until: row.get::<_, Option<Text<Date>>>(4)?.map(|day| day.0),
        contact: row.get::<_, Json<_>>(5)?.0,
        in_force: row.get(6)?,
    })
}

/// A span of time; without an end it lasts.
pub type Span = (Timestamp, Option<Timestamp>);

pub fn put(db: &Db<'_>, id: ContractId, customer: CustomerId, new: &NewContract, (from, until): Span) -> Result<(), StoreError> {
    let sql = "INSERT INTO contract VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(id) DO UPDATE SET tier = excluded.tier,
               from_day = excluded.from_day, until_day = excluded.until_day, from_at = excluded.from_at, until_at = excluded.until_at,
               contact = excluded.contact";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(id),
        Text(customer),
        new.tier,
        Text(new.from),
        new.until.map(Text),
        At(from),
        until.map(At),
        Json(&new.contact),
        At(db.now())
    ])?;
    Ok(())
}

pub fn get(db: &Db<'_>, scope: &Scope, id: ContractId) -> Result<Option<Contract>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{VIEW} WHERE k.id = ?2 AND (?3 IS NULL OR k.customer = ?3)"))?;
    Ok(statement.query_row(params![At(db.now()), Text(id), scope.customer()], contract).optional()?)
}

pub fn list(
    db: &Db<'_>,
    scope: &Scope,
    customer: Option<&str>,
    after: Option<ContractId>,
    limit: u32,
) -> Result<Vec<Contract>, StoreError> {
    let sql = format!(
        "{VIEW} WHERE (?2 IS NULL OR k.customer = ?2) AND (?3 IS NULL OR c.code = ?3) AND (?4 IS NULL OR k.id > ?4) ORDER BY k.id LIMIT ?5"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![At(db.now()), scope.customer(), customer, after.map(Text), limit], contract)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn delete(db: &Db<'_>, id: ContractId) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM contract WHERE id = ?1")?.execute([Text(id)])?;
    Ok(())
}

/// Another contract of the customer in this time.
pub fn overlapping(db: &Db<'_>, customer: CustomerId, but: ContractId, (from, until): Span) -> Result<Option<ContractId>, StoreError> {
    let sql =
        "SELECT id FROM contract WHERE customer = ?1 AND id <> ?2 AND (until_at IS NULL OR until_at > ?3) AND (?4 IS NULL OR from_at < ?4)
               ORDER BY from_at LIMIT 1";
    let found = db
        .sql()
        .prepare_cached(sql)?
        .query_row(params![Text(customer), Text(but), At(from), until.map(At)], |row| Ok(row.get::<_, Text<_>>(0)?.0));
    Ok(found.optional()?)
}

/// The contract in force: its tier, and since when.
pub fn in_force(db: &Db<'_>, customer: CustomerId) -> Result<Option<(String, Timestamp)>, StoreError> {
    let sql = "SELECT tier, from_at FROM contract WHERE customer = ?1 AND from_at <= ?2 AND (until_at IS NULL OR until_at > ?2)
               ORDER BY from_at DESC LIMIT 1";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_row(params![Text(customer), At(db.now())], |row| Ok((row.get(0)?, row.get::<_, At>(1)?.0))).optional()?)
}

/// The end of the last contract that is over.
pub fn last_end(db: &Db<'_>, customer: CustomerId) -> Result<Option<Timestamp>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT max(until_at) FROM contract WHERE customer = ?1 AND until_at <= ?2")?;
    Ok(statement.query_row(params![Text(customer), At(db.now())], |row| Ok(row.get::<_, Option<At>>(0)?.map(|at| at.0)))?)
}

/// The next moment when a contract begins or ends.
pub fn next_change(db: &Db<'_>, customer: CustomerId) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT min(at) FROM (SELECT from_at AS at FROM contract WHERE customer = ?1 AND from_at > ?2
               UNION ALL SELECT until_at FROM contract WHERE customer = ?1 AND until_at > ?2)";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_row(params![Text(customer), At(db.now())], |row| Ok(row.get::<_, Option<At>>(0)?.map(|at| at.0)))?)
}

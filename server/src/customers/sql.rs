use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{Customer, Site, Stopped, Tier};
use lineman_common::id::CustomerId;
use lineman_common::name::CustomerCode;
use rusqlite::{OptionalExtension, Row, params};

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

pub fn put_tier(db: &Db<'_>, tier: &Tier) -> Result<(), StoreError> {
    let sql = "INSERT INTO tier(name, body) VALUES (?1, ?2) ON CONFLICT(name) DO UPDATE SET body = excluded.body";
    db.sql().prepare_cached(sql)?.execute(params![tier.name, Json(tier)])?;
    let sql = "INSERT INTO tier_set VALUES (?1, ?2) ON CONFLICT(name) DO UPDATE SET set_at = excluded.set_at";
    db.sql().prepare_cached(sql)?.execute(params![tier.name, At(db.now())])?;
    Ok(())
}

pub fn tiers(db: &Db<'_>) -> Result<Vec<Tier>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM tier ORDER BY name")?;
    Ok(statement.query_map([], |row| Ok(row.get::<_, Json<Tier>>(0)?.0))?.collect::<Result<_, _>>()?)
}

pub fn tier(db: &Db<'_>, name: &str) -> Result<Option<Tier>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM tier WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| Ok(row.get::<_, Json<Tier>>(0)?.0)).optional()?)
}

/// Customers by their codes, and contracts.
pub fn tier_users(db: &Db<'_>, name: &str) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT 'customer ' || code FROM customer WHERE tier = ?1
               UNION ALL SELECT 'contract ' || id FROM contract WHERE tier = ?1 LIMIT 10";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_map([name], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

pub fn delete_tier(db: &Db<'_>, name: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM tier_set WHERE name = ?1")?.execute([name])?;
    db.sql().prepare_cached("DELETE FROM tier WHERE name = ?1")?.execute([name])?;
    Ok(())
}

fn tier_with_since(row: &Row<'_>) -> rusqlite::Result<(Tier, Option<Timestamp>)> {
    Ok((row.get::<_, Json<Tier>>(0)?.0, row.get::<_, Option<At>>(1)?.map(|at| at.0)))
}

/// A tier, and when it was set; a tier of an earlier server has no such moment.
pub fn tier_and_since(db: &Db<'_>, name: &str) -> Result<(Tier, Option<Timestamp>), StoreError> {
    let sql = "SELECT t.body, s.set_at FROM tier t LEFT JOIN tier_set s ON s.name = t.name WHERE t.name = ?1";
    Ok(db.sql().prepare_cached(sql)?.query_row([name], tier_with_since)?)
}

/// The tier that a customer has without a contract.
pub fn own_tier(db: &Db<'_>, customer: CustomerId) -> Result<(Tier, Option<Timestamp>), StoreError> {
    let sql =
        "SELECT t.body, s.set_at FROM customer c JOIN tier t ON t.name = c.tier LEFT JOIN tier_set s ON s.name = t.name WHERE c.id = ?1";
    Ok(db.sql().prepare_cached(sql)?.query_row([Text(customer)], tier_with_since)?)
}

/// Ids sort by the time they were made.
pub fn first_zone(db: &Db<'_>, customer: CustomerId) -> Result<Option<String>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT zone FROM site WHERE customer = ?1 ORDER BY id LIMIT 1")?;
    Ok(statement.query_row([Text(customer)], |row| row.get(0)).optional()?)
}

const CUSTOMER: &str = "SELECT id, code, name, tier, created_at, stopped_at, stopped_by, stopped_reason FROM customer";

fn customer(row: &Row<'_>) -> rusqlite::Result<Customer> {
    let stopped = match (row.get::<_, Option<At>>(5)?, row.get::<_, Option<Text<_>>>(6)?, row.get::<_, Option<String>>(7)?) {
        (Some(At(at)), Some(Text(by)), Some(reason)) => Some(Stopped { at, by, reason: Printable::new(reason) }),
        _ => None,
    };
    Ok(Customer {
        id: row.get::<_, Text<_>>(0)?.0,
        code: row.get::<_, Text<_>>(1)?.0,
        name: Printable::new(row.get::<_, String>(2)?),
        tier: row.get(3)?,
        stopped,
        created_at: row.get::<_, At>(4)?.0,
    })
}

pub fn insert(db: &Db<'_>, new: &Customer) -> Result<(), StoreError> {
    db.sql().prepare_cached("INSERT INTO customer(id, code, name, tier, created_at) VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        Text(new.id),
        Text(&new.code),
        new.name.raw(),
        new.tier,
        At(new.created_at)
    ])?;
    Ok(())
}

pub fn by_code(db: &Db<'_>, code: &CustomerCode) -> Result<Option<Customer>, StoreError> {
    Ok(db.sql().prepare_cached(&format!("{CUSTOMER} WHERE code = ?1"))?.query_row([Text(code)], customer).optional()?)
}

pub fn by_id(db: &Db<'_>, id: CustomerId) -> Result<Option<Customer>, StoreError> {
    Ok(db.sql().prepare_cached(&format!("{CUSTOMER} WHERE id = ?1"))?.query_row([Text(id)], customer).optional()?)
}

pub fn set_stopped(db: &Db<'_>, id: CustomerId, stopped: Option<&Stopped>) -> Result<(), StoreError> {
    let sql = "UPDATE customer SET stopped_at = ?2, stopped_by = ?3, stopped_reason = ?4 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(id),
        stopped.map(|stopped| At(stopped.at)),
        stopped.map(|stopped| Text(&stopped.by)),
        stopped.map(|stopped| stopped.reason.raw())
    ])?;
    Ok(())
}

pub fn list(db: &Db<'_>, scope: &Scope) -> Result<Vec<Customer>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{CUSTOMER} WHERE ?1 IS NULL OR id = ?1 ORDER BY code"))?;
    Ok(statement.query_map([scope.customer()], customer)?.collect::<Result<_, _>>()?)
}

/// False when the customer has a site of this name already.
pub fn insert_site(db: &Db<'_>, customer: CustomerId, new: &Site) -> Result<bool, StoreError> {
    let sql = "INSERT INTO site VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(customer, name) DO NOTHING";
    let changed = db.sql().prepare_cached(sql)?.execute(params![
        Text(new.id),
        Text(customer),
        new.name.raw(),
        new.zone,
        new.latitude_deg,
        new.longitude_deg,
        new.access_notes.raw()
    ])?;
    Ok(changed == 1)
}

pub fn sites(db: &Db<'_>, scope: &Scope) -> Result<Vec<Site>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT s.id, c.code, s.name, s.zone, s.latitude_deg, s.longitude_deg, s.access_notes
         FROM site s JOIN customer c ON c.id = s.customer WHERE ?1 IS NULL OR s.customer = ?1 ORDER BY c.code, s.name",
    )?;
    let rows = statement.query_map([scope.customer()], |row| {
        Ok(Site {
            id: row.get::<_, Text<_>>(0)?.0,
            customer: row.get::<_, Text<_>>(1)?.0,
            name: Printable::new(row.get::<_, String>(2)?),
            zone: row.get(3)?,
            latitude_deg: row.get(4)?,
            longitude_deg: row.get(5)?,
            access_notes: Printable::new(row.get::<_, String>(6)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

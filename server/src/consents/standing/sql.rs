use jiff::Timestamp;
use lineman_common::id::{ConsentId, CustomerId, FaultId};
use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::Kept;
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

const KEPT: &str = "SELECT s.id, s.customer, s.fault, s.statements, s.revoked_at FROM standing s";

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        id: row.get::<_, Text<_>>(0)?.0,
        customer: row.get::<_, Text<_>>(1)?.0,
        fault: row.get::<_, Option<Text<_>>>(2)?.map(|t| t.0),
        signed: row.get::<_, Json<_>>(3)?.0,
        revoked_at: row.get::<_, Option<At>>(4)?.map(|at| at.0),
    })
}

fn all(db: &Db<'_>, condition: &str, values: &[&dyn ToSql]) -> Result<Vec<Kept>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{KEPT} WHERE {condition} ORDER BY s.granted_at DESC, s.id DESC"))?;
    Ok(statement.query_map(values, kept)?.collect::<Result<_, _>>()?)
}

pub fn insert(db: &Db<'_>, new: &Kept, valid_before: Timestamp, by: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO standing(id, customer, fault, statements, valid_before, granted_by, granted_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(new.id),
        Text(new.customer),
        new.fault.map(Text),
        Json(&new.signed),
        At(valid_before),
        by,
        At(db.now())
    ])?;
    Ok(())
}

pub fn get(db: &Db<'_>, scope: &Scope, id: ConsentId) -> Result<Option<Kept>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{KEPT} WHERE s.id = ?1 AND (?2 IS NULL OR s.customer = ?2)"))?;
    Ok(statement.query_row(params![Text(id), scope.customer()], kept).optional()?)
}

pub fn list(db: &Db<'_>, scope: &Scope, code: Option<&str>, fault: Option<FaultId>) -> Result<Vec<Kept>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!(
        "{KEPT} JOIN customer c ON c.id = s.customer WHERE (?1 IS NULL OR s.customer = ?1) AND (?2 IS NULL OR c.code = ?2)
         AND (?3 IS NULL OR s.fault = ?3) ORDER BY s.granted_at DESC, s.id DESC LIMIT 500"
    ))?;
    Ok(statement.query_map(params![scope.customer(), code, fault.map(Text)], kept)?.collect::<Result<_, _>>()?)
}

pub fn in_force(db: &Db<'_>, customer: CustomerId) -> Result<Vec<Kept>, StoreError> {
    all(db, "s.customer = ?1 AND s.revoked_at IS NULL AND s.valid_before > ?2", &[&Text(customer), &At(db.now())])
}

/// Revoked, and of a time that has not passed.
pub fn taken_back(db: &Db<'_>, customer: CustomerId) -> Result<Vec<Kept>, StoreError> {
    all(db, "s.customer = ?1 AND s.revoked_at IS NOT NULL AND s.valid_before > ?2", &[&Text(customer), &At(db.now())])
}

/// Bound to this fault, and in force.
pub fn of_fault(db: &Db<'_>, fault: FaultId) -> Result<Vec<Kept>, StoreError> {
    all(db, "s.fault = ?1 AND s.revoked_at IS NULL AND s.valid_before > ?2", &[&Text(fault), &At(db.now())])
}

pub fn set_revoked(db: &Db<'_>, id: ConsentId, by: &str, reason: &str) -> Result<(), StoreError> {
    let sql = "UPDATE standing SET revoked_at = ?2, revoked_by = ?3, revoked_reason = ?4 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), At(db.now()), by, reason])?;
    Ok(())
}

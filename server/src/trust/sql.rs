use jiff::Timestamp;
use lineman_common::id::{CustomerId, EquipmentId};
use lineman_common::statement::Signed;
use rusqlite::{OptionalExtension, params};

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};

pub struct Device {
    pub link_key_sha256: String,
    pub host_key: String,
    pub statement: Option<Signed>,
    pub statement_counter: u64,
}

pub fn insert_token(db: &Db<'_>, sha256: &str, equipment: EquipmentId, expires_at: Timestamp) -> Result<(), StoreError> {
    db.sql().prepare_cached("INSERT INTO enrolment_token(sha256, equipment, expires_at) VALUES (?1, ?2, ?3)")?.execute(params![
        sha256,
        Text(equipment),
        At(expires_at)
    ])?;
    Ok(())
}

/// Uses a token up; `None` when it is unknown, used or expired.
pub fn use_token(db: &Db<'_>, sha256: &str) -> Result<Option<EquipmentId>, StoreError> {
    let sql = "UPDATE enrolment_token SET used_at = ?2 WHERE sha256 = ?1 AND used_at IS NULL AND expires_at > ?2 RETURNING equipment";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_row(params![sha256, At(db.now())], |row| Ok(row.get::<_, Text<_>>(0)?.0)).optional()?)
}

pub fn put_device(db: &Db<'_>, equipment: EquipmentId, link_key_sha256: &str, host_key: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO device(equipment, link_key_sha256, host_key, enrolled_at) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT(equipment) DO UPDATE SET link_key_sha256 = excluded.link_key_sha256, host_key = excluded.host_key,
               statement = NULL, enrolled_at = excluded.enrolled_at";
    db.sql().prepare_cached(sql)?.execute(params![Text(equipment), link_key_sha256, host_key, At(db.now())])?;
    Ok(())
}

pub fn device(db: &Db<'_>, equipment: EquipmentId) -> Result<Option<Device>, StoreError> {
    let sql = "SELECT link_key_sha256, host_key, statement, statement_counter FROM device WHERE equipment = ?1";
    let found = db.sql().prepare_cached(sql)?.query_row([Text(equipment)], |row| {
        Ok(Device {
            link_key_sha256: row.get(0)?,
            host_key: row.get(1)?,
            statement: row.get::<_, Option<Json<_>>>(2)?.map(|j| j.0),
            statement_counter: row.get::<_, i64>(3)?.unsigned_abs(),
        })
    });
    Ok(found.optional()?)
}

pub fn device_of_link_key(db: &Db<'_>, spki_sha256: &str) -> Result<Option<EquipmentId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT equipment FROM device WHERE link_key_sha256 = ?1")?;
    Ok(statement.query_row([spki_sha256], |row| Ok(row.get::<_, Text<_>>(0)?.0)).optional()?)
}

pub fn put_statement(db: &Db<'_>, equipment: EquipmentId, signed: &Signed, counter: u64) -> Result<(), StoreError> {
    let counter = i64::try_from(counter).unwrap_or(i64::MAX);
    db.sql().prepare_cached("UPDATE device SET statement = ?2, statement_counter = ?3 WHERE equipment = ?1")?.execute(params![
        Text(equipment),
        Json(signed),
        counter
    ])?;
    Ok(())
}

pub fn statements(db: &Db<'_>, customer: CustomerId) -> Result<Vec<Signed>, StoreError> {
    let sql = "SELECT d.statement FROM device d JOIN equipment e ON e.id = d.equipment
               WHERE e.customer = ?1 AND d.statement IS NOT NULL ORDER BY e.handle";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_map([Text(customer)], |row| Ok(row.get::<_, Json<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

pub fn published(db: &Db<'_>, name: &str) -> Result<Option<(u64, Signed)>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT counter, signed FROM trust_list WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, Json<_>>(1)?.0))).optional()?)
}

pub fn publish(db: &Db<'_>, name: &str, counter: u64, signed: &Signed) -> Result<(), StoreError> {
    let counter = i64::try_from(counter).unwrap_or(i64::MAX);
    let sql = "INSERT INTO trust_list VALUES (?1, ?2, ?3, ?4) ON CONFLICT(name) DO UPDATE
               SET counter = excluded.counter, signed = excluded.signed, published_at = excluded.published_at";
    db.sql().prepare_cached(sql)?.execute(params![name, counter, Json(signed), At(db.now())])?;
    Ok(())
}

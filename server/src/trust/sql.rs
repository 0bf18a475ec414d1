use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::DeviceReceipt;
use lineman_common::id::{CustomerId, EquipmentId};
use lineman_common::name::NeName;
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

pub fn keep_roster(db: &Db<'_>, counter: u64, signed: &Signed) -> Result<(), StoreError> {
    let counter = i64::try_from(counter).unwrap_or(i64::MAX);
    let sql = "INSERT INTO roster VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    db.sql().prepare_cached(sql)?.execute(params![counter, Json(signed)])?;
    Ok(())
}

pub fn kept_roster(db: &Db<'_>, counter: u64) -> Result<Option<Signed>, StoreError> {
    let counter = i64::try_from(counter).unwrap_or(i64::MAX);
    let mut statement = db.sql().prepare_cached("SELECT signed FROM roster WHERE counter = ?1")?;
    Ok(statement.query_row([counter], |row| Ok(row.get::<_, Json<_>>(0)?.0)).optional()?)
}

pub fn enrolled(db: &Db<'_>, customer: CustomerId) -> Result<Vec<(EquipmentId, NeName)>, StoreError> {
    let sql = "SELECT e.id, c.code, e.handle FROM device d JOIN equipment e ON e.id = d.equipment JOIN customer c ON c.id = e.customer
               WHERE e.customer = ?1 ORDER BY e.handle";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([Text(customer)], |row| {
        Ok((row.get::<_, Text<_>>(0)?.0, NeName { customer: row.get::<_, Text<_>>(1)?.0, handle: row.get::<_, Text<_>>(2)?.0 }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

// ---- Signer lists and receipts --------------------------------------------------------------------------------------

/// The list that was published last, with its number.
pub fn signers(db: &Db<'_>, customer: CustomerId) -> Result<Option<(u64, Vec<Signed>)>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT counter, signed FROM signer_list WHERE customer = ?1")?;
    let found = statement.query_row([Text(customer)], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, Json<_>>(1)?.0)));
    Ok(found.optional()?)
}

pub fn put_signers(db: &Db<'_>, customer: CustomerId, counter: u64, signed: &[Signed]) -> Result<(), StoreError> {
    let counter = i64::try_from(counter).unwrap_or(i64::MAX);
    let sql = "INSERT INTO signer_list VALUES (?1, ?2, ?3, ?4) ON CONFLICT(customer) DO UPDATE
               SET counter = excluded.counter, signed = excluded.signed, published_at = excluded.published_at";
    db.sql().prepare_cached(sql)?.execute(params![Text(customer), counter, Json(signed), At(db.now())])?;
    Ok(())
}

/// A device's newest receipt, and the number of the published list that it refused.
pub fn receipt(db: &Db<'_>, device: EquipmentId) -> Result<(Option<Signed>, Option<u64>), StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT signed, refused FROM device_receipt WHERE equipment = ?1")?;
    let found = statement.query_row([Text(device)], |row| {
        Ok((row.get::<_, Option<Json<_>>>(0)?.map(|j| j.0), row.get::<_, Option<i64>>(1)?.map(i64::unsigned_abs)))
    });
    Ok(found.optional()?.unwrap_or_default())
}

pub fn put_receipt(db: &Db<'_>, device: EquipmentId, signed: &Signed) -> Result<(), StoreError> {
    let sql = "INSERT INTO device_receipt(equipment, signed, received_at) VALUES (?1, ?2, ?3) ON CONFLICT(equipment) DO UPDATE
               SET signed = excluded.signed, received_at = excluded.received_at";
    db.sql().prepare_cached(sql)?.execute(params![Text(device), Json(signed), At(db.now())])?;
    Ok(())
}

/// Why the device refused the list of that number; `None` when it no longer does.
pub fn put_refusal(db: &Db<'_>, device: EquipmentId, refusal: Option<(u64, &str)>) -> Result<(), StoreError> {
    let sql = "INSERT INTO device_receipt(equipment, refused, refusal) VALUES (?1, ?2, ?3) ON CONFLICT(equipment) DO UPDATE
               SET refused = excluded.refused, refusal = excluded.refusal";
    let counter = refusal.map(|(counter, _)| i64::try_from(counter).unwrap_or(i64::MAX));
    db.sql().prepare_cached(sql)?.execute(params![Text(device), counter, refusal.map(|(_, why)| why)])?;
    Ok(())
}

pub fn forget_receipt(db: &Db<'_>, device: EquipmentId) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM device_receipt WHERE equipment = ?1")?.execute([Text(device)])?;
    Ok(())
}

/// What every enrolled device of a customer says that it holds. A refusal counts for the list that is published now.
pub fn receipts(db: &Db<'_>, customer: CustomerId) -> Result<Vec<DeviceReceipt>, StoreError> {
    let sql = "SELECT c.code, e.handle, r.signed, r.received_at, CASE WHEN r.refused = l.counter THEN r.refusal END, d.statement
               FROM device d JOIN equipment e ON e.id = d.equipment JOIN customer c ON c.id = e.customer
               LEFT JOIN device_receipt r ON r.equipment = d.equipment LEFT JOIN signer_list l ON l.customer = e.customer
               WHERE e.customer = ?1 ORDER BY e.handle";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([Text(customer)], |row| {
        Ok(DeviceReceipt {
            device: NeName { customer: row.get::<_, Text<_>>(0)?.0, handle: row.get::<_, Text<_>>(1)?.0 },
            receipt: row.get::<_, Option<Json<_>>>(2)?.map(|j| j.0),
            received_at: row.get::<_, Option<At>>(3)?.map(|at| at.0),
            refusal: row.get::<_, Option<String>>(4)?.map(Printable::new),
            device_statement: row.get::<_, Option<Json<_>>>(5)?.map(|j| j.0),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

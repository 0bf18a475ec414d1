use jiff::Timestamp;
use lineman_common::api::RecordingUse;
use lineman_common::id::CustomerId;
use rusqlite::{OptionalExtension, params};

use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};

/// A link's frame holds no more.
const LARGEST_CHUNK_BYTES: u32 = 1 << 20;

/// Of the customer itself, else of all.
const QUOTA: &str = "coalesce((SELECT bytes FROM recording_quota WHERE customer = u.customer), (SELECT bytes FROM recording_quota WHERE customer = ''), ?2)";

pub fn used(db: &Db<'_>, customer: CustomerId, default_bytes: u64) -> Result<RecordingUse, StoreError> {
    let sql = format!(
        "SELECT coalesce(r.bytes, 0), {QUOTA}, r.full_since FROM (SELECT ?1 AS customer) u LEFT JOIN recording_use r USING (customer)"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    Ok(statement.query_row(params![Text(customer), signed(default_bytes)], |row| {
        Ok(RecordingUse {
            stored_bytes: row.get::<_, i64>(0)?.unsigned_abs(),
            quota_bytes: row.get::<_, i64>(1)?.unsigned_abs(),
            full_since: row.get::<_, Option<At>>(2)?.map(|at| at.0),
        })
    })?)
}

pub fn add(db: &Db<'_>, customer: CustomerId, bytes: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO recording_use VALUES (?1, ?2, NULL) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes";
    db.sql().prepare_cached(sql)?.execute(params![Text(customer), signed(bytes)])?;
    Ok(())
}

/// False when it was full before.
pub fn set_full(db: &Db<'_>, customer: CustomerId) -> Result<bool, StoreError> {
    let known: Option<Option<At>> = db
        .sql()
        .prepare_cached("SELECT full_since FROM recording_use WHERE customer = ?1")?
        .query_row([Text(customer)], |row| row.get(0))
        .optional()?;
    let since: Option<Timestamp> = known.flatten().map(|at| at.0);
    let sql = "INSERT INTO recording_use VALUES (?1, 0, ?2) ON CONFLICT DO UPDATE SET full_since = excluded.full_since";
    if since.is_none() {
        db.sql().prepare_cached(sql)?.execute(params![Text(customer), At(db.now())])?;
    }
    Ok(since.is_none())
}

/// `None`: of all that have none of their own.
pub fn set_quota(db: &Db<'_>, customer: Option<CustomerId>, bytes: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO recording_quota VALUES (?1, ?2) ON CONFLICT DO UPDATE SET bytes = excluded.bytes";
    let customer = customer.map(|customer| customer.to_string()).unwrap_or_default();
    db.sql().prepare_cached(sql)?.execute(params![customer, signed(bytes)])?;
    Ok(())
}

/// Who has room for a chunk of the largest size now is not full any more.
pub fn set_room(db: &Db<'_>, default_bytes: u64) -> Result<(), StoreError> {
    let sql = format!("UPDATE recording_use AS u SET full_since = NULL WHERE full_since IS NOT NULL AND bytes + ?1 <= {QUOTA}");
    db.sql().prepare_cached(&sql)?.execute(params![LARGEST_CHUNK_BYTES, signed(default_bytes)])?;
    Ok(())
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

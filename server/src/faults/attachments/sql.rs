use std::collections::HashSet;

use lineman_common::Printable;
use lineman_common::api::Attachment;
use lineman_common::id::{AttachmentId, FaultId};
use lineman_common::name::FaultNumber;
use rusqlite::{OptionalExtension, params};

use crate::faults::links::WITH_MERGED;
use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

pub fn of_fault(db: &Db<'_>, scope: &Scope, fault: FaultId) -> Result<Vec<Attachment>, StoreError> {
    let sql = format!(
        "{WITH_MERGED} SELECT a.id, c.code, f.serial, a.name, a.size_bytes, a.sha256, a.media_type, a.internal, a.person, a.at
         FROM attachment a JOIN fault f ON f.id = a.fault JOIN customer c ON c.id = f.customer
         WHERE a.fault IN family AND a.deleted_at IS NULL AND (?2 OR NOT a.internal) AND (?3 IS NULL OR f.customer = ?3) ORDER BY a.id"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![Text(fault), scope.sees_internal(), scope.customer()], |row| {
        let size_bytes: i64 = row.get(4)?;
        Ok(Attachment {
            id: row.get::<_, Text<_>>(0)?.0,
            fault: FaultNumber { customer: row.get::<_, Text<_>>(1)?.0, serial: row.get(2)? },
            name: Printable::new(row.get::<_, String>(3)?),
            size_bytes: size_bytes.unsigned_abs(),
            sha256: row.get(5)?,
            media_type: row.get(6)?,
            internal: row.get(7)?,
            by: row.get(8)?,
            at: row.get::<_, At>(9)?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Files and bytes that a fault has itself.
pub fn sum(db: &Db<'_>, fault: FaultId) -> Result<(u32, u64), StoreError> {
    let sql = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM attachment WHERE fault = ?1 AND deleted_at IS NULL";
    let (files, bytes): (u32, i64) = db.sql().prepare_cached(sql)?.query_row([Text(fault)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((files, bytes.unsigned_abs()))
}

pub fn insert(db: &Db<'_>, fault: FaultId, attachment: &Attachment) -> Result<(), StoreError> {
    let sql = "INSERT INTO attachment(id, fault, name, size_bytes, sha256, media_type, internal, person, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(attachment.id),
        Text(fault),
        attachment.name.raw(),
        i64::try_from(attachment.size_bytes).unwrap_or(i64::MAX),
        attachment.sha256,
        attachment.media_type,
        attachment.internal,
        attachment.by,
        At(attachment.at)
    ])?;
    Ok(())
}

pub fn delete(db: &Db<'_>, id: AttachmentId) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("UPDATE attachment SET deleted_at = ?2 WHERE id = ?1")?;
    statement.execute(params![Text(id), At(db.now())])?;
    Ok(())
}

pub fn is_named(db: &Db<'_>, sha256: &str) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT 1 FROM attachment WHERE sha256 = ?1 AND deleted_at IS NULL LIMIT 1")?;
    Ok(statement.query_row([sha256], |_| Ok(())).optional()?.is_some())
}

/// Every content that some row names.
pub fn named(db: &Db<'_>) -> Result<HashSet<String>, StoreError> {
    let mut statement = db.sql().prepare("SELECT DISTINCT sha256 FROM attachment WHERE deleted_at IS NULL")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

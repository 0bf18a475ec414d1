use lineman_common::fault::FaultStatus;
use lineman_common::id::{AlarmId, FaultId};
use lineman_common::name::FaultNumber;
use rusqlite::{OptionalExtension, params};

use crate::faults::links::WITH_MERGED;
use crate::store::value::{Json, Text};
use crate::store::{Db, StoreError};

/// How a fault stood before it was merged, and what moved.
pub struct Merged {
    pub before: FaultStatus,
    pub alarms: Vec<AlarmId>,
}

pub fn insert(db: &Db<'_>, fault: FaultId, into: FaultId, before: FaultStatus, alarms: &[AlarmId]) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("INSERT OR REPLACE INTO fault_merge VALUES (?1, ?2, ?3, ?4)")?;
    statement.execute(params![Text(fault), Text(into), Text(before), Json(alarms)])?;
    Ok(())
}

pub fn of_fault(db: &Db<'_>, fault: FaultId) -> Result<Option<Merged>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT before, alarms FROM fault_merge WHERE fault = ?1")?;
    let merged =
        statement.query_row([Text(fault)], |row| Ok(Merged { before: row.get::<_, Text<_>>(0)?.0, alarms: row.get::<_, Json<_>>(1)?.0 }));
    Ok(merged.optional()?)
}

pub fn delete(db: &Db<'_>, fault: FaultId) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM fault_merge WHERE fault = ?1")?.execute([Text(fault)])?;
    db.sql().prepare_cached("UPDATE fault SET duplicate_of = NULL WHERE id = ?1")?.execute([Text(fault)])?;
    Ok(())
}

pub fn merged_into(db: &Db<'_>, fault: FaultId) -> Result<Vec<FaultNumber>, StoreError> {
    let sql = format!(
        "{WITH_MERGED} SELECT c.code, f.serial FROM fault f JOIN customer c ON c.id = f.customer
         WHERE f.id IN family AND f.id <> ?1 ORDER BY f.serial"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map([Text(fault)], |row| Ok(FaultNumber { customer: row.get::<_, Text<_>>(0)?.0, serial: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

use jiff::Timestamp;
use lineman_common::id::{CustomerId, EquipmentId, FaultId};
use rusqlite::{OptionalExtension, params};

use super::count::Due;
use super::left::Left;
use super::terms::Subject;
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};

/// Word for word as in the index of open faults.
const IS_OPEN: &str = "status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate')";

pub fn zone_of_equipment(db: &Db<'_>, device: EquipmentId) -> Result<Option<String>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT s.zone FROM equipment e JOIN site s ON s.id = e.site WHERE e.id = ?1")?;
    Ok(statement.query_row([Text(device)], |row| row.get(0)).optional()?)
}

/// What a fault's terms are made of.
pub fn subject(db: &Db<'_>, fault: FaultId) -> Result<Option<Subject>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT customer, equipment, severity, kind FROM fault WHERE id = ?1")?;
    let found = statement.query_row([Text(fault)], |row| {
        Ok(Subject {
            customer: row.get::<_, Text<_>>(0)?.0,
            device: row.get::<_, Option<Text<_>>>(1)?.map(|device| device.0),
            severity: row.get::<_, Text<_>>(2)?.0,
            kind: row.get::<_, Text<_>>(3)?.0,
        })
    });
    Ok(found.optional()?)
}

pub fn is_over(db: &Db<'_>, fault: FaultId) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("SELECT NOT ({IS_OPEN}) FROM fault WHERE id = ?1"))?;
    Ok(statement.query_row([Text(fault)], |row| row.get(0)).optional()?.unwrap_or(true))
}

/// Something happened to the fault: look at it at once.
pub fn touch(db: &Db<'_>, fault: FaultId) -> Result<(), StoreError> {
    let sql = "INSERT INTO clock_watch(fault, equipment, due_at) SELECT id, equipment, ?2 FROM fault WHERE id = ?1
               ON CONFLICT(fault) DO UPDATE SET due_at = min(coalesce(due_at, excluded.due_at), excluded.due_at)";
    db.sql().prepare_cached(sql)?.execute(params![Text(fault), At(db.now())])?;
    Ok(())
}

/// Something happened to the device: look at its faults at once.
pub fn touch_equipment(db: &Db<'_>, device: EquipmentId) -> Result<(), StoreError> {
    let sql = "UPDATE clock_watch SET due_at = min(coalesce(due_at, ?2), ?2) WHERE equipment = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(device), At(db.now())])?;
    Ok(())
}

/// What holds for many may have changed: look at all of them, in no hurry.
pub fn all_stale(db: &Db<'_>) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE clock_watch SET stale = 1 WHERE NOT stale")?.execute([])?;
    Ok(())
}

/// What holds for one customer may have changed.
pub fn stale_of(db: &Db<'_>, customer: CustomerId) -> Result<(), StoreError> {
    let sql =
        format!("UPDATE clock_watch SET stale = 1 WHERE NOT stale AND fault IN (SELECT id FROM fault WHERE customer = ?1 AND {IS_OPEN})");
    db.sql().prepare_cached(&sql)?.execute([Text(customer)])?;
    Ok(())
}

/// Every open fault is watched.
pub fn watch_open(db: &Db<'_>) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO clock_watch(fault, equipment, stale) SELECT id, equipment, 1 FROM fault WHERE {IS_OPEN} ON CONFLICT(fault) DO NOTHING"
    );
    db.sql().prepare_cached(&sql)?.execute([])?;
    Ok(())
}

/// The earliest moment at which there is something to do; stale ones are to be done now.
pub fn next(db: &Db<'_>) -> Result<Option<Timestamp>, StoreError> {
    let stale = db.sql().prepare_cached("SELECT 1 FROM clock_watch WHERE stale LIMIT 1")?.exists([])?;
    if stale {
        return Ok(Some(db.now()));
    }
    let mut statement = db.sql().prepare_cached("SELECT min(due_at) FROM clock_watch WHERE due_at IS NOT NULL")?;
    Ok(statement.query_row([], |row| Ok(row.get::<_, Option<At>>(0)?.map(|at| at.0)))?)
}

/// What is due, the earliest first; when nothing is, what is stale.
pub fn due(db: &Db<'_>, limit: u32) -> Result<Vec<FaultId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT fault FROM clock_watch WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2")?;
    let due = statement.query_map(params![At(db.now()), limit], |row| Ok(row.get::<_, Text<FaultId>>(0)?.0))?;
    let due = due.collect::<Result<Vec<_>, _>>()?;
    if !due.is_empty() {
        return Ok(due);
    }
    let mut statement = db.sql().prepare_cached("SELECT fault FROM clock_watch WHERE stale LIMIT ?1")?;
    Ok(statement.query_map([limit], |row| Ok(row.get::<_, Text<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

/// `left` is what lists show of it until then.
pub fn settle(db: &Db<'_>, fault: FaultId, due_at: Option<Timestamp>, left: Option<&Left>) -> Result<(), StoreError> {
    let sql = "UPDATE clock_watch SET due_at = ?2, stale = 0, looked_at = ?3, deadline_at = ?4, held_us = ?5, clocks = ?6 WHERE fault = ?1";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(fault),
        due_at.map(At),
        At(db.now()),
        left.and_then(Left::deadline_us),
        left.and_then(Left::held_us),
        left.map(Json)
    ])?;
    Ok(())
}

pub fn forget(db: &Db<'_>, fault: FaultId) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM clock_watch WHERE fault = ?1")?.execute([Text(fault)])?;
    Ok(())
}

/// False when it was said before, or the clock has missed a target already: that is news once, whatever its targets are later.
pub fn say(db: &Db<'_>, fault: FaultId, clock: &str, due: &Due) -> Result<bool, StoreError> {
    let sql = "INSERT INTO clock_said SELECT ?1, ?2, ?3, ?4
               WHERE NOT EXISTS (SELECT 1 FROM clock_said WHERE fault = ?1 AND clock = ?2 AND percent = 100) ON CONFLICT DO NOTHING";
    let changed = db.sql().prepare_cached(sql)?.execute(params![Text(fault), clock, due.target_s, due.percent])?;
    Ok(changed == 1)
}

#[cfg(test)]
pub fn is_watched(db: &Db<'_>, fault: FaultId) -> bool {
    db.sql().prepare("SELECT 1 FROM clock_watch WHERE fault = ?1").unwrap().exists([Text(fault)]).unwrap()
}

#[cfg(test)]
pub fn due_at(db: &Db<'_>, fault: FaultId) -> Option<Timestamp> {
    let sql = "SELECT due_at FROM clock_watch WHERE fault = ?1";
    db.sql().query_row(sql, [Text(fault)], |row| Ok(row.get::<_, Option<At>>(0)?.map(|at| at.0))).unwrap()
}

#[cfg(test)]
pub fn lose_watch(db: &Db<'_>) {
    db.sql().execute("DELETE FROM clock_watch", []).unwrap();
}

#[cfg(test)]
pub fn set_severity(db: &Db<'_>, fault: FaultId, severity: lineman_common::alarm::Severity) {
    db.sql().execute("UPDATE fault SET severity = ?2 WHERE id = ?1", params![Text(fault), Text(severity)]).unwrap();
}

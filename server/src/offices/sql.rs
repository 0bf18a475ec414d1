use jiff::Timestamp;
use lineman_common::api::{Office, OfficeName, Override, RoutingRule, Shift, ShiftName};
use lineman_common::id::OverrideId;
use rusqlite::{OptionalExtension, params};

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};

pub fn offices(db: &Db<'_>) -> Result<Vec<Office>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM office ORDER BY name")?;
    Ok(statement.query_map([], |row| Ok(row.get::<_, Json<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

pub fn office(db: &Db<'_>, name: &OfficeName) -> Result<Option<Office>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM office WHERE name = ?1")?;
    Ok(statement.query_row([Text(name)], |row| Ok(row.get::<_, Json<_>>(0)?.0)).optional()?)
}

pub fn put_office(db: &Db<'_>, office: &Office) -> Result<(), StoreError> {
    let sql = "INSERT INTO office VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT(name) DO UPDATE SET kind = excluded.kind, parent = excluded.parent, body = excluded.body";
    let parent = office.parent.as_ref().map(Text);
    db.sql().prepare_cached(sql)?.execute(params![Text(&office.name), Text(office.kind), parent, Json(office)])?;
    Ok(())
}

/// With its shifts and overrides, which nothing else refers to.
pub fn delete_office(db: &Db<'_>, name: &OfficeName) -> Result<(), StoreError> {
    for sql in ["DELETE FROM shift_override WHERE office = ?1", "DELETE FROM shift WHERE office = ?1", "DELETE FROM office WHERE name = ?1"]
    {
        db.sql().prepare_cached(sql)?.execute([Text(name)])?;
    }
    Ok(())
}

/// Open faults that are with an office. (A table of a room above: whether an office is in use is a question about them.)
pub fn open_faults(db: &Db<'_>, name: &OfficeName) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM fault_duty d JOIN fault f ON f.id = d.fault
               WHERE d.office = ?1 AND f.status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate')";
    Ok(db.sql().prepare_cached(sql)?.query_row([Text(name)], |row| row.get(0))?)
}

pub fn shifts(db: &Db<'_>, office: &OfficeName) -> Result<Vec<Shift>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM shift WHERE office = ?1 ORDER BY name")?;
    Ok(statement.query_map([Text(office)], |row| Ok(row.get::<_, Json<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

pub fn put_shift(db: &Db<'_>, office: &OfficeName, shift: &Shift) -> Result<(), StoreError> {
    let sql = "INSERT INTO shift VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET body = excluded.body";
    db.sql().prepare_cached(sql)?.execute(params![Text(office), Text(&shift.name), Json(shift)])?;
    Ok(())
}

pub fn delete_shift(db: &Db<'_>, office: &OfficeName, name: &ShiftName) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached("DELETE FROM shift WHERE office = ?1 AND name = ?2")?;
    Ok(statement.execute(params![Text(office), Text(name)])? == 1)
}

/// Overrides that touch the time, in the order in which they apply.
pub fn overrides(db: &Db<'_>, office: &OfficeName, from: Timestamp, to: Timestamp) -> Result<Vec<Override>, StoreError> {
    let sql = "SELECT body FROM shift_override WHERE office = ?1 AND ends_at > ?2 AND begins_at <= ?3 ORDER BY number";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![Text(office), At(from), At(to)], |row| Ok(row.get::<_, Json<_>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn insert_override(db: &Db<'_>, office: &OfficeName, change: &Override) -> Result<(), StoreError> {
    let sql = "INSERT INTO shift_override(id, office, begins_at, ends_at, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.sql().prepare_cached(sql)?.execute(params![Text(change.id), Text(office), At(change.from), At(change.to), Json(change)])?;
    Ok(())
}

pub fn delete_override(db: &Db<'_>, office: &OfficeName, id: OverrideId) -> Result<Option<Override>, StoreError> {
    let mut statement = db.sql().prepare_cached("DELETE FROM shift_override WHERE office = ?1 AND id = ?2 RETURNING body")?;
    Ok(statement.query_row(params![Text(office), Text(id)], |row| Ok(row.get::<_, Json<_>>(0)?.0)).optional()?)
}

pub fn rules(db: &Db<'_>) -> Result<Vec<RoutingRule>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM routing_rule ORDER BY place")?;
    Ok(statement.query_map([], |row| Ok(row.get::<_, Json<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

pub fn put_rules(db: &Db<'_>, rules: &[RoutingRule]) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM routing_rule")?.execute([])?;
    for (place, rule) in (1u32..).zip(rules) {
        let mut statement = db.sql().prepare_cached("INSERT INTO routing_rule VALUES (?1, ?2, ?3)")?;
        statement.execute(params![place, Text(&rule.office), Json(rule)])?;
    }
    Ok(())
}

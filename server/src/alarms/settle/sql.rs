use jiff::Timestamp;
use lineman_common::id::{AlarmId, CustomerId, EquipmentId};
use rusqlite::{OptionalExtension, params};

use super::{Line, Marks, Picture, Root};
use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};

pub fn has_news(db: &Db<'_>) -> Result<bool, StoreError> {
    Ok(db.sql().prepare_cached("SELECT 1 FROM alarm_news LIMIT 1")?.exists([])?)
}

pub fn has_due(db: &Db<'_>) -> Result<bool, StoreError> {
    Ok(db.sql().prepare_cached("SELECT 1 FROM alarm_due WHERE due_at <= ?1 LIMIT 1")?.exists([At(db.now())])?)
}

/// When the oldest of what is not concluded from was received.
pub fn oldest_news(db: &Db<'_>) -> Result<Option<Timestamp>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT received_at FROM alarm_news ORDER BY seq LIMIT 1")?;
    Ok(statement.query_row([], |row| row.get::<_, At>(0)).optional()?.map(|at| at.0))
}

/// Takes the oldest news off the list.
pub fn take(db: &Db<'_>, most: u32) -> Result<Vec<Line>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT seq, alarm, kind, severity, at FROM alarm_news ORDER BY seq LIMIT ?1")?;
    let rows = statement.query_map([most], |row| {
        let line = Line {
            alarm: row.get(1)?,
            kind: row.get::<_, Text<_>>(2)?.0,
            severity: row.get::<_, Text<_>>(3)?.0,
            at: row.get::<_, At>(4)?.0,
        };
        Ok((row.get::<_, i64>(0)?, line))
    })?;
    let lines: Vec<(i64, Line)> = rows.collect::<Result<_, _>>()?;
    if let Some((last, _)) = lines.last() {
        db.sql().prepare_cached("DELETE FROM alarm_news WHERE seq <= ?1")?.execute([last])?;
    }
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

pub fn picture(db: &Db<'_>, place: i64) -> Result<Option<Picture>, StoreError> {
    let sql =
        "SELECT place, customer, equipment, alarm_type, qualifier, state, severity, event_type, probable_cause, is_root, flapping, fault,
               shelf, maintenance, suppressed_by, suppressed_rule FROM alarm WHERE place = ?1";
    let found = db.sql().prepare_cached(sql)?.query_row([place], |row| {
        Ok(Picture {
            place: row.get(0)?,
            customer: row.get::<_, Text<_>>(1)?.0,
            equipment: row.get::<_, Text<_>>(2)?.0,
            alarm_type: row.get(3)?,
            qualifier: row.get(4)?,
            state: row.get::<_, Text<_>>(5)?.0,
            severity: row.get::<_, Text<_>>(6)?.0,
            event_type: row.get::<_, Text<_>>(7)?.0,
            cause: row.get::<_, Text<_>>(8)?.0,
            is_root: row.get(9)?,
            flapping: row.get(10)?,
            fault: row.get::<_, Option<Text<_>>>(11)?.map(|fault| fault.0),
            marks: Marks {
                shelf: row.get::<_, Option<Text<_>>>(12)?.map(|id| id.0),
                maintenance: row.get::<_, Option<Text<_>>>(13)?.map(|id| id.0),
                suppressed: row.get::<_, Option<i64>>(14)?.zip(row.get::<_, Option<String>>(15)?),
            },
        })
    });
    Ok(found.optional()?)
}

pub fn set_marks(db: &Db<'_>, place: i64, marks: &Marks) -> Result<(), StoreError> {
    let sql = "UPDATE alarm SET shelf = ?2, maintenance = ?3, suppressed_by = ?4, suppressed_rule = ?5 WHERE place = ?1";
    let (root, rule) = marks.suppressed.as_ref().map(|(root, rule)| (*root, rule.as_str())).unzip();
    db.sql().prepare_cached(sql)?.execute(params![place, marks.shelf.map(Text), marks.maintenance.map(Text), root, rule])?;
    Ok(())
}

/// Does nothing hang on this equipment?
pub fn is_bare(db: &Db<'_>, equipment: EquipmentId) -> Result<bool, StoreError> {
    Ok(!db.sql().prepare_cached("SELECT 1 FROM equipment_edge WHERE parent = ?1 LIMIT 1")?.exists([Text(equipment)])?)
}

/// The rules by which an alarm explains others, in the rules' order.
pub fn root_rules(db: &Db<'_>, place: i64) -> Result<Vec<String>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT rule FROM alarm_root WHERE alarm = ?1 ORDER BY rule")?;
    Ok(statement.query_map([place], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

pub fn set_roots(db: &Db<'_>, picture: &Picture, rules: &[String]) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM alarm_root WHERE alarm = ?1")?.execute([picture.place])?;
    for rule in rules {
        let mut statement = db.sql().prepare_cached("INSERT INTO alarm_root VALUES (?1, ?2, ?3, ?4)")?;
        statement.execute(params![picture.place, rule, Text(picture.equipment), picture.qualifier])?;
    }
    db.sql().prepare_cached("UPDATE alarm SET is_root = ?2 WHERE place = ?1")?.execute(params![picture.place, !rules.is_empty()])?;
    Ok(())
}

pub fn roots_on(db: &Db<'_>, equipment: EquipmentId) -> Result<Vec<Root>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT alarm, rule, qualifier FROM alarm_root WHERE equipment = ?1")?;
    let rows = statement.query_map([Text(equipment)], |row| Ok(Root { alarm: row.get(0)?, rule: row.get(1)?, qualifier: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The earlier time counts, so that an alarm which keeps changing is looked at all the same; unless it is to wait `anew`.
pub fn put_due(db: &Db<'_>, place: i64, due_at: Timestamp, anew: bool) -> Result<(), StoreError> {
    let sql = "INSERT INTO alarm_due VALUES (?1, ?2) ON CONFLICT(alarm) DO UPDATE SET due_at = iif(?3, excluded.due_at, min(due_at, excluded.due_at))";
    db.sql().prepare_cached(sql)?.execute(params![place, At(due_at), anew])?;
    Ok(())
}

pub fn take_due(db: &Db<'_>, until: Timestamp, most: u32) -> Result<Vec<i64>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT alarm FROM alarm_due WHERE due_at <= ?1 ORDER BY due_at, alarm LIMIT ?2")?;
    let places: Vec<i64> = statement.query_map(params![At(until), most], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for place in &places {
        db.sql().prepare_cached("DELETE FROM alarm_due WHERE alarm = ?1")?.execute([place])?;
    }
    Ok(places)
}

pub fn names(db: &Db<'_>, place: i64) -> Result<Option<(CustomerId, EquipmentId, AlarmId)>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT customer, equipment, id FROM alarm WHERE place = ?1")?;
    let found =
        statement.query_row([place], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Text<_>>(1)?.0, row.get::<_, Text<_>>(2)?.0)));
    Ok(found.optional()?)
}

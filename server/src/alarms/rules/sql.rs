use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::alarm::{EventType, ProbableCause};
use lineman_common::api::{AlarmRule, RuleBody};
use rusqlite::params;

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};

/// The rules that somebody set.
pub fn list(db: &Db<'_>) -> Result<Vec<AlarmRule>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT name, enabled, body, by, at, why FROM alarm_rule ORDER BY name")?;
    let rows = statement.query_map([], |row| {
        Ok(AlarmRule {
            name: row.get(0)?,
            enabled: row.get(1)?,
            rule: row.get::<_, Json<_>>(2)?.0,
            built_in: false,
            by: row.get(3)?,
            at: Some(row.get::<_, At>(4)?.0),
            why: Some(row.get::<_, String>(5)?.into()),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn put(db: &Db<'_>, name: &str, enabled: bool, body: &RuleBody, why: &Printable, by: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO alarm_rule VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(name) DO UPDATE SET enabled = excluded.enabled,
               body = excluded.body, why = excluded.why, by = excluded.by, at = excluded.at";
    db.sql().prepare_cached(sql)?.execute(params![name, enabled, Json(body), why.raw(), by, At(db.now())])?;
    Ok(())
}

pub fn delete(db: &Db<'_>, name: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM alarm_rule WHERE name = ?1")?.execute([name])?;
    Ok(())
}

pub struct Flapper {
    pub place: i64,
    pub alarm_type: String,
    pub cause: ProbableCause,
    pub event_type: EventType,
    pub received_at: Timestamp,
}

pub fn has_flapping(db: &Db<'_>) -> Result<bool, StoreError> {
    Ok(db.sql().prepare_cached("SELECT 1 FROM alarm WHERE flapping LIMIT 1")?.exists([])?)
}

pub fn flapping_before(db: &Db<'_>, before: Timestamp) -> Result<Vec<Flapper>, StoreError> {
    let sql =
        "SELECT place, alarm_type, probable_cause, event_type, received_at FROM alarm WHERE flapping AND received_at <= ?1 LIMIT 1000";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([At(before)], |row| {
        Ok(Flapper {
            place: row.get(0)?,
            alarm_type: row.get(1)?,
            cause: row.get::<_, Text<_>>(2)?.0,
            event_type: row.get::<_, Text<_>>(3)?.0,
            received_at: row.get::<_, At>(4)?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn calm(db: &Db<'_>, place: i64) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE alarm SET flapping = 0, flap_count = 0 WHERE place = ?1")?.execute([place])?;
    Ok(())
}

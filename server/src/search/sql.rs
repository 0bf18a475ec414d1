use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::id::SynonymId;
use lineman_common::name::PersonName;
use rusqlite::{OptionalExtension, Row, params};

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};

/// A group as users keep it.
pub struct Kept {
    pub id: SynonymId,
    pub zh: Vec<Printable>,
    pub en: Vec<Printable>,
    pub person: PersonName,
    pub at: Timestamp,
}

/// Who switched a group off, and when.
pub struct Off {
    pub id: String,
    pub person: PersonName,
    pub at: Timestamp,
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        id: row.get::<_, Text<_>>(0)?.0,
        zh: row.get::<_, Json<_>>(1)?.0,
        en: row.get::<_, Json<_>>(2)?.0,
        person: row.get::<_, Text<_>>(3)?.0,
        at: row.get::<_, At>(4)?.0,
    })
}

/// In the order of their making.
pub fn groups(db: &Db<'_>) -> Result<Vec<Kept>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT id, zh, en, person, at FROM synonym_group ORDER BY id")?;
    Ok(statement.query_map([], kept)?.collect::<Result<_, _>>()?)
}

pub fn group(db: &Db<'_>, id: SynonymId) -> Result<Option<Kept>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT id, zh, en, person, at FROM synonym_group WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], kept).optional()?)
}

pub fn count(db: &Db<'_>) -> Result<u32, StoreError> {
    Ok(db.sql().prepare_cached("SELECT count(*) FROM synonym_group")?.query_row([], |row| row.get(0))?)
}

pub fn put(db: &Db<'_>, id: SynonymId, zh: &[Printable], en: &[Printable], person: &PersonName) -> Result<(), StoreError> {
    let sql = "INSERT INTO synonym_group VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT(id) DO UPDATE SET zh = excluded.zh, en = excluded.en, person = excluded.person, at = excluded.at";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), Json(zh), Json(en), Text(person), At(db.now())])?;
    changed(db)
}

pub fn delete(db: &Db<'_>, id: SynonymId) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM synonym_group WHERE id = ?1")?.execute([Text(id)])?;
    switch_on(db, &id.to_string())
}

pub fn off(db: &Db<'_>) -> Result<Vec<Off>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT id, person, at FROM synonym_off")?;
    let off = |row: &Row<'_>| Ok(Off { id: row.get(0)?, person: row.get::<_, Text<_>>(1)?.0, at: row.get::<_, At>(2)?.0 });
    Ok(statement.query_map([], off)?.collect::<Result<_, _>>()?)
}

pub fn switch_off(db: &Db<'_>, id: &str, person: &PersonName) -> Result<(), StoreError> {
    let sql = "INSERT INTO synonym_off VALUES (?1, ?2, ?3) ON CONFLICT(id) DO NOTHING";
    db.sql().prepare_cached(sql)?.execute(params![id, Text(person), At(db.now())])?;
    changed(db)
}

pub fn switch_on(db: &Db<'_>, id: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM synonym_off WHERE id = ?1")?.execute([id])?;
    changed(db)
}

fn changed(db: &Db<'_>) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE synonym_revision SET revision = revision + 1")?.execute([])?;
    Ok(())
}

pub fn revision(db: &Db<'_>) -> Result<u64, StoreError> {
    Ok(db.sql().prepare_cached("SELECT revision FROM synonym_revision")?.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

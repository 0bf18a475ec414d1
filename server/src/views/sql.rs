use lineman_common::Printable;
use lineman_common::api::SavedView;
use lineman_common::id::ViewId;
use rusqlite::{OptionalExtension, Row, params};

use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};
use crate::web::Actor;

/// A carrier's people see their own only.
const VIEW: &str = "SELECT v.id, v.name, v.built_in, v.list, v.query, v.sort, v.shared, p.name, v.person = ?1, v.position
    FROM saved_view v JOIN person p ON p.id = v.person WHERE (v.person = ?1 OR (v.shared AND ?2))";

fn view(row: &Row<'_>) -> rusqlite::Result<SavedView> {
    Ok(SavedView {
        id: row.get::<_, Text<_>>(0)?.0,
        name: Printable::new(row.get::<_, String>(1)?),
        built_in: row.get::<_, Option<Text<_>>>(2)?.map(|word| word.0),
        list: row.get::<_, Text<_>>(3)?.0,
        query: Printable::new(row.get::<_, String>(4)?),
        sort: row.get(5)?,
        shared: row.get(6)?,
        owner: row.get(7)?,
        yours: row.get(8)?,
        position: row.get(9)?,
        count: None,
        problem: None,
    })
}

pub fn list(db: &Db<'_>, actor: &Actor) -> Result<Vec<SavedView>, StoreError> {
    let sql = format!("{VIEW} ORDER BY v.person = ?1 DESC, v.position, v.id");
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![Text(actor.id), actor.scope().sees_internal()], view)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn get(db: &Db<'_>, actor: &Actor, id: ViewId) -> Result<Option<SavedView>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{VIEW} AND v.id = ?3"))?;
    Ok(statement.query_row(params![Text(actor.id), actor.scope().sees_internal(), Text(id)], view).optional()?)
}

/// How many views a person has, and the last one's position.
pub fn held(db: &Db<'_>, actor: &Actor) -> Result<(u32, u32), StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT count(*), coalesce(max(position), 0) FROM saved_view WHERE person = ?1")?;
    Ok(statement.query_row([Text(actor.id)], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// False when the person has one of that name.
pub fn put(db: &Db<'_>, actor: &Actor, view: &SavedView) -> Result<bool, StoreError> {
    let sql = "INSERT INTO saved_view(id, person, list, name, query, sort, shared, position, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (person, list, name) DO NOTHING";
    let changed = db.sql().prepare_cached(sql)?.execute(params![
        Text(view.id),
        Text(actor.id),
        Text(view.list),
        view.name.raw(),
        view.query.raw(),
        view.sort,
        view.shared,
        view.position,
        At(db.now())
    ])?;
    Ok(changed == 1)
}

/// False when its owner has another one of that name.
pub fn change(db: &Db<'_>, view: &SavedView) -> Result<bool, StoreError> {
    let sql = "UPDATE OR IGNORE saved_view SET name = ?2, built_in = ?3, query = ?4, sort = ?5, shared = ?6, position = ?7 WHERE id = ?1";
    let changed = db.sql().prepare_cached(sql)?.execute(params![
        Text(view.id),
        view.name.raw(),
        view.built_in.map(Text),
        view.query.raw(),
        view.sort,
        view.shared,
        view.position
    ])?;
    Ok(changed == 1)
}

pub fn delete(db: &Db<'_>, id: ViewId) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM saved_view WHERE id = ?1")?.execute([Text(id)])?;
    Ok(())
}

/// Another number after everything that lists show may have changed.
pub fn stamp(db: &Db<'_>) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(sum(seq), 0) FROM sqlite_sequence WHERE name IN ('event', 'alarm_news')";
    Ok(db.sql().prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

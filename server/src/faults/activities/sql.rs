use lineman_common::Printable;
use lineman_common::api::Activity;
use lineman_common::id::{ActivityId, FaultId};
use rusqlite::{OptionalExtension, Row, params};

use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};

const COLUMNS: &str = "id, kind, state, person, other, text, planned_at, started_at, ended_at, outcome";

fn activity(row: &Row<'_>) -> rusqlite::Result<Activity> {
    let at = |index| -> rusqlite::Result<_> { Ok(row.get::<_, Option<At>>(index)?.map(|at| at.0)) };
    let text = |index| -> rusqlite::Result<_> { Ok(row.get::<_, Option<String>>(index)?.map(Printable::new)) };
    Ok(Activity {
        id: row.get(0)?,
        kind: row.get::<_, Text<_>>(1)?.0,
        state: row.get::<_, Text<_>>(2)?.0,
        by: row.get(3)?,
        with: text(4)?,
        text: text(5)?.unwrap_or_default(),
        planned_at: at(6)?,
        started_at: at(7)?,
        ended_at: at(8)?,
        outcome: text(9)?,
    })
}

pub fn put(db: &Db<'_>, fault: FaultId, activity: &Activity) -> Result<(), StoreError> {
    let sql =
        "INSERT OR REPLACE INTO fault_activity(id, fault, kind, state, person, other, text, planned_at, started_at, ended_at, outcome)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    db.sql().prepare_cached(sql)?.execute(params![
        activity.id,
        Text(fault),
        Text(activity.kind),
        Text(activity.state),
        activity.by,
        activity.with.as_ref().map(Printable::raw),
        activity.text.raw(),
        activity.planned_at.map(At),
        activity.started_at.map(At),
        activity.ended_at.map(At),
        activity.outcome.as_ref().map(Printable::raw)
    ])?;
    Ok(())
}

pub fn get(db: &Db<'_>, fault: FaultId, id: ActivityId) -> Result<Option<Activity>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM fault_activity WHERE id = ?1 AND fault = ?2");
    Ok(db.sql().prepare_cached(&sql)?.query_row(params![Text(id), Text(fault)], activity).optional()?)
}

pub fn of_fault(db: &Db<'_>, fault: FaultId) -> Result<Vec<Activity>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("SELECT {COLUMNS} FROM fault_activity WHERE fault = ?1 ORDER BY id"))?;
    Ok(statement.query_map([Text(fault)], activity)?.collect::<Result<_, _>>()?)
}

pub fn not_over(db: &Db<'_>, fault: FaultId) -> Result<Vec<Activity>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM fault_activity WHERE fault = ?1 AND state IN ('planned', 'running') ORDER BY id");
    let mut statement = db.sql().prepare_cached(&sql)?;
    Ok(statement.query_map([Text(fault)], activity)?.collect::<Result<_, _>>()?)
}

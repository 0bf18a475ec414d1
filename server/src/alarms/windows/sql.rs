use std::collections::{HashMap, HashSet};

use lineman_common::alarm::WindowState;
use lineman_common::api::{MaintenanceWindow, NewMaintenanceWindow};
use lineman_common::id::{CustomerId, EquipmentId, WindowId};
use lineman_common::name::NeName;
use rusqlite::{OptionalExtension, Row, params};

use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<WindowState>,
    pub customer: Option<String>,
    /// The id of the last window of the page before.
    pub after: Option<WindowId>,
    pub limit: u32,
}

const VIEW: &str = "SELECT w.id, c.code, w.starts_at, w.ends_at, w.state, w.why, w.by, w.created_at, w.ended_by, w.ended_why,
    (SELECT group_concat(e.handle, ' ') FROM alarm_window_equipment x JOIN equipment e ON e.id = x.equipment WHERE x.window = w.id)
    FROM alarm_window w JOIN customer c ON c.id = w.customer";

fn window(row: &Row<'_>) -> rusqlite::Result<MaintenanceWindow> {
    let Text(customer): Text<lineman_common::name::CustomerCode> = row.get(1)?;
    let handles: Option<String> = row.get(10)?;
    let handles = handles.unwrap_or_default();
    let equipment =
        handles.split_whitespace().filter_map(|handle| Some(NeName { customer: customer.clone(), handle: handle.parse().ok()? }));
    Ok(MaintenanceWindow {
        id: row.get::<_, Text<_>>(0)?.0,
        equipment: equipment.collect(),
        customer,
        starts_at: row.get::<_, At>(2)?.0,
        ends_at: row.get::<_, At>(3)?.0,
        state: row.get::<_, Text<_>>(4)?.0,
        why: row.get::<_, String>(5)?.into(),
        by: row.get(6)?,
        created_at: row.get::<_, At>(7)?.0,
        ended_by: row.get(8)?,
        ended_why: row.get::<_, Option<String>>(9)?.map(Into::into),
    })
}

pub fn list(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<Vec<MaintenanceWindow>, StoreError> {
    let sql = format!(
        "{VIEW} WHERE (?1 IS NULL OR w.customer = ?1) AND (?2 IS NULL OR w.state = ?2) AND (?3 IS NULL OR c.code = ?3)
         AND (?4 IS NULL OR w.id < ?4) ORDER BY w.id DESC LIMIT ?5"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let values = params![scope.customer(), filter.state.map(Text), filter.customer, filter.after.map(Text), filter.limit];
    Ok(statement.query_map(values, window)?.collect::<Result<_, _>>()?)
}

pub fn get(db: &Db<'_>, scope: &Scope, id: WindowId) -> Result<Option<MaintenanceWindow>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{VIEW} WHERE w.id = ?1 AND (?2 IS NULL OR w.customer = ?2)"))?;
    Ok(statement.query_row(params![Text(id), scope.customer()], window).optional()?)
}

pub fn insert(db: &Db<'_>, id: WindowId, customer: CustomerId, new: &NewMaintenanceWindow, by: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO alarm_window(id, customer, starts_at, ends_at, why, by, created_at, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'planned')";
    let values = params![Text(id), Text(customer), At(new.starts_at), At(new.ends_at), new.why.raw(), by, At(db.now())];
    db.sql().prepare_cached(sql)?.execute(values)?;
    Ok(())
}

pub fn cover(db: &Db<'_>, id: WindowId, equipment: EquipmentId) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("INSERT OR IGNORE INTO alarm_window_equipment VALUES (?1, ?2)")?;
    statement.execute(params![Text(id), Text(equipment)])?;
    Ok(())
}

pub fn covered(db: &Db<'_>, id: WindowId) -> Result<Vec<EquipmentId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT equipment FROM alarm_window_equipment WHERE window = ?1")?;
    Ok(statement.query_map([Text(id)], |row| Ok(row.get::<_, Text<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

pub fn active(db: &Db<'_>, customer: CustomerId) -> Result<Vec<(WindowId, HashSet<EquipmentId>)>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT w.id, x.equipment FROM alarm_window w JOIN alarm_window_equipment x ON x.window = w.id
         WHERE w.customer = ?1 AND w.state = 'active'",
    )?;
    let rows = statement.query_map([Text(customer)], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Text<_>>(1)?.0)))?;
    let mut windows: HashMap<WindowId, HashSet<EquipmentId>> = HashMap::new();
    for row in rows {
        let (window, equipment) = row?;
        windows.entry(window).or_default().insert(equipment);
    }
    let mut windows: Vec<_> = windows.into_iter().collect();
    windows.sort_by_key(|(id, _)| *id);
    Ok(windows)
}

pub fn has_work(db: &Db<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM alarm_window WHERE state = 'planned' AND starts_at <= ?1
               UNION ALL SELECT 1 FROM alarm_window WHERE state = 'active' AND ends_at <= ?1 LIMIT 1";
    Ok(db.sql().prepare_cached(sql)?.exists([At(db.now())])?)
}

pub fn to_begin(db: &Db<'_>) -> Result<Vec<(WindowId, CustomerId)>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT id, customer FROM alarm_window WHERE state = 'planned' AND starts_at <= ?1")?;
    let rows = statement.query_map([At(db.now())], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Text<_>>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn to_end(db: &Db<'_>) -> Result<Vec<WindowId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT id FROM alarm_window WHERE state = 'active' AND ends_at <= ?1")?;
    Ok(statement.query_map([At(db.now())], |row| Ok(row.get::<_, Text<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

pub fn set_state(db: &Db<'_>, id: WindowId, state: WindowState) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE alarm_window SET state = ?2 WHERE id = ?1")?.execute(params![Text(id), Text(state)])?;
    Ok(())
}

pub fn end(db: &Db<'_>, id: WindowId, state: WindowState, by: &str, why: &str) -> Result<(), StoreError> {
    let sql = "UPDATE alarm_window SET state = ?2, ended_by = ?3, ended_why = ?4, ends_at = min(ends_at, ?5) WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), Text(state), by, why, At(db.now())])?;
    Ok(())
}

pub fn customer_of(db: &Db<'_>, id: WindowId) -> Result<CustomerId, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT customer FROM alarm_window WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| Ok(row.get::<_, Text<_>>(0)?.0))?)
}

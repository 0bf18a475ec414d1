use std::collections::HashMap;

use jiff::Timestamp;
use lineman_common::id::{CustomerId, EquipmentId, FaultId};
use lineman_common::name::{CustomerCode, Handle};
use rusqlite::{Row, params};

use crate::events::{Appended, Kind};
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// Names for what events hold the ids of.
pub struct Names {
    pub customers: HashMap<CustomerId, (CustomerCode, String)>,
    pub equipment: HashMap<EquipmentId, (Handle, String)>,
}

pub fn names(db: &Db<'_>, scope: &Scope) -> Result<Names, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT id, code, tier FROM customer WHERE ?1 IS NULL OR id = ?1")?;
    let customers = statement
        .query_map([scope.customer()], |row| Ok((row.get::<_, Text<_>>(0)?.0, (row.get::<_, Text<_>>(1)?.0, row.get(2)?))))?
        .collect::<Result<_, _>>()?;
    let mut statement = db.sql().prepare_cached("SELECT id, handle, product FROM equipment WHERE ?1 IS NULL OR customer = ?1")?;
    let equipment = statement
        .query_map([scope.customer()], |row| Ok((row.get::<_, Text<_>>(0)?.0, (row.get::<_, Text<_>>(1)?.0, row.get(2)?))))?
        .collect::<Result<_, _>>()?;
    Ok(Names { customers, equipment })
}

/// The events of every fault that was reported in `[from, until)` and by `as_of`, as far as they were recorded by then and the scope
/// sees them; fault by fault in the order of the reports, each with its number. One pass: `event_reported` gives the order of the
/// faults, `event_fault` that of each one's events.
pub fn walk<E: From<StoreError>>(
    db: &Db<'_>,
    scope: &Scope,
    (from, until): (Timestamp, Timestamp),
    as_of: Timestamp,
    mut visit: impl FnMut(u32, &[Appended]) -> Result<(), E>,
) -> Result<(), E> {
    let sql = "SELECT e.seq, e.kind, e.customer, e.equipment, e.fault, e.internal, e.actor, e.occurred_at, e.recorded_at, e.data, f.serial
        FROM event r INDEXED BY event_reported CROSS JOIN fault f ON f.id = r.fault CROSS JOIN event e INDEXED BY event_fault ON e.fault = r.fault
        WHERE r.kind = 'fault.reported' AND r.fault IS NOT NULL AND r.recorded_at >= ?1 AND r.recorded_at < ?2 AND r.recorded_at <= ?3
        AND (?4 IS NULL OR r.customer = ?4) AND e.fault IS NOT NULL AND e.recorded_at <= ?3 AND (?5 OR NOT e.internal)
        ORDER BY r.recorded_at, r.seq, e.seq";
    let mut statement = db.sql().prepare_cached(sql).map_err(StoreError::from)?;
    let mut rows =
        statement.query(params![At(from), At(until), At(as_of), scope.customer(), scope.sees_internal()]).map_err(StoreError::from)?;
    let (mut log, mut serial): (Vec<Appended>, u32) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        let event = appended(row).map_err(StoreError::from)?;
        if log.first().is_some_and(|first| first.fault != event.fault) {
            visit(serial, &log)?;
            log.clear();
        }
        serial = row.get(10).map_err(StoreError::from)?;
        log.push(event);
    }
    if log.is_empty() { Ok(()) } else { visit(serial, &log) }
}

/// Without its line for people: no figure reads it.
fn appended(row: &Row<'_>) -> rusqlite::Result<Appended> {
    let customer: String = row.get(2)?;
    Ok(Appended {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        kind: row.get::<_, Text<Kind>>(1)?.0,
        customer: customer.parse().ok(),
        equipment: row.get::<_, Option<Text<EquipmentId>>>(3)?.map(|t| t.0),
        fault: row.get::<_, Option<Text<FaultId>>>(4)?.map(|t| t.0),
        internal: row.get(5)?,
        actor: row.get(6)?,
        occurred_at: row.get::<_, At>(7)?.0,
        recorded_at: row.get::<_, At>(8)?.0,
        text: String::new(),
        data: row.get::<_, Json<_>>(9)?.0,
    })
}

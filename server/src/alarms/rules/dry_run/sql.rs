use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::alarm::{EventType, ProbableCause, ResourceState, Severity};
use lineman_common::id::{AlarmId, EquipmentId, FaultId};
use lineman_common::name::NeName;
use rusqlite::{OptionalExtension, params};

use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

pub struct Change {
    pub alarm: i64,
    pub at: Timestamp,
    pub state: ResourceState,
}

pub struct Subject {
    pub place: i64,
    pub id: AlarmId,
    pub name: NeName,
    pub equipment: EquipmentId,
    pub alarm_type: String,
    pub qualifier: String,
    pub severity: Severity,
    pub cause: ProbableCause,
    pub event_type: EventType,
    pub text: Printable,
    pub fault: Option<FaultId>,
}

/// Changes since then, each alarm's in their order. Alarms that changed since are few beside those that ever were.
pub fn changes(db: &Db<'_>, scope: &Scope, since: Timestamp, most: u32) -> Result<Vec<Change>, StoreError> {
    let sql = "SELECT r.alarm, r.at, r.state FROM
                 (SELECT place FROM alarm WHERE changed_at >= ?1 AND state IN ('raised', 'cleared') AND (?2 IS NULL OR customer = ?2)) a
               JOIN alarm_ring r ON r.alarm = a.place WHERE r.at >= ?1 ORDER BY r.alarm, r.at LIMIT ?3";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![At(since), scope.customer(), most], |row| {
        Ok(Change { alarm: row.get(0)?, at: row.get::<_, At>(1)?.0, state: row.get::<_, Text<_>>(2)?.0 })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn subject(db: &Db<'_>, place: i64) -> Result<Option<Subject>, StoreError> {
    let sql = "SELECT a.place, a.id, c.code, e.handle, a.equipment, a.alarm_type, a.qualifier, a.severity, a.probable_cause, a.event_type, a.text,
               a.fault FROM alarm a JOIN equipment e ON e.id = a.equipment JOIN customer c ON c.id = a.customer WHERE a.place = ?1";
    let found = db.sql().prepare_cached(sql)?.query_row([place], |row| {
        Ok(Subject {
            place: row.get(0)?,
            id: row.get::<_, Text<_>>(1)?.0,
            name: NeName { customer: row.get::<_, Text<_>>(2)?.0, handle: row.get::<_, Text<_>>(3)?.0 },
            equipment: row.get::<_, Text<_>>(4)?.0,
            alarm_type: row.get(5)?,
            qualifier: row.get(6)?,
            severity: row.get::<_, Text<_>>(7)?.0,
            cause: row.get::<_, Text<_>>(8)?.0,
            event_type: row.get::<_, Text<_>>(9)?.0,
            text: row.get::<_, String>(10)?.into(),
            fault: row.get::<_, Option<Text<_>>>(11)?.map(|fault| fault.0),
        })
    });
    Ok(found.optional()?)
}

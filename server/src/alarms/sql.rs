use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::alarm::{AlarmKey, AlarmReport, OperatorState, ProbableCause, ResourceState, Severity};
use lineman_common::api::Alarm;
use lineman_common::id::{AlarmId, CustomerId, EquipmentId, FaultId};
use lineman_common::name::{FaultNumber, NeName};
use rusqlite::{OptionalExtension, Row, params};

use crate::equipment::Known;
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

const VIEW: &str = "SELECT a.id, c.code, e.handle, a.alarm_type, a.qualifier, a.state, a.severity, a.event_type, a.probable_cause, a.text,
    a.value, a.threshold, a.raised_at, a.changed_at, a.received_at, a.cleared_at, a.count, a.operator_state, a.operator, a.operator_note, f.serial
    FROM alarm a JOIN equipment e ON e.id = a.equipment JOIN customer c ON c.id = a.customer LEFT JOIN fault f ON f.id = a.fault";

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<ResourceState>,
    pub equipment: Option<EquipmentId>,
    pub limit: u32,
}

fn alarm(row: &Row<'_>) -> rusqlite::Result<Alarm> {
    let text = |index| -> rusqlite::Result<Option<Printable>> { Ok(row.get::<_, Option<String>>(index)?.map(Printable::new)) };
    let Text(customer) = row.get(1)?;
    let equipment = NeName { customer, handle: row.get::<_, Text<_>>(2)?.0 };
    Ok(Alarm {
        id: row.get::<_, Text<_>>(0)?.0,
        alarm_type: text(3)?.unwrap_or_default(),
        qualifier: text(4)?.unwrap_or_default(),
        state: row.get::<_, Text<_>>(5)?.0,
        severity: row.get::<_, Text<_>>(6)?.0,
        event_type: row.get::<_, Text<_>>(7)?.0,
        probable_cause: row.get::<_, Text<_>>(8)?.0,
        text: text(9)?.unwrap_or_default(),
        value: text(10)?,
        threshold: text(11)?,
        raised_at: row.get::<_, At>(12)?.0,
        changed_at: row.get::<_, At>(13)?.0,
        received_at: row.get::<_, At>(14)?.0,
        cleared_at: row.get::<_, Option<At>>(15)?.map(|at| at.0),
        count: row.get(16)?,
        operator_state: row.get::<_, Text<_>>(17)?.0,
        operator: row.get(18)?,
        operator_note: text(19)?,
        fault: row.get::<_, Option<u32>>(20)?.map(|serial| FaultNumber { customer: equipment.customer.clone(), serial }),
        equipment,
    })
}

/// How many entries a device has in the list.
pub fn count_of(db: &Db<'_>, device: EquipmentId) -> Result<u32, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT count(*) FROM alarm WHERE equipment = ?1")?;
    Ok(statement.query_row([Text(device)], |row| row.get(0))?)
}

/// The newest open fault of a device that has an alarm of one of these causes.
pub fn open_fault_with(db: &Db<'_>, device: EquipmentId, causes: &[ProbableCause]) -> Result<Option<FaultId>, StoreError> {
    let causes = causes.iter().map(|cause| cause.as_str()).collect::<Vec<_>>();
    let sql = "SELECT max(f.id) FROM alarm a JOIN fault f ON f.id = a.fault WHERE a.equipment = ?1 AND f.equipment = ?1
               AND f.status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate')
               AND a.probable_cause IN (SELECT value FROM json_each(?2))";
    let found: Option<Text<FaultId>> = db.sql().prepare_cached(sql)?.query_row(params![Text(device), Json(causes)], |row| row.get(0))?;
    Ok(found.map(|text| text.0))
}

pub struct Entry {
    pub id: AlarmId,
    pub state: ResourceState,
    pub severity: Severity,
    pub changed_at: Timestamp,
}

pub fn by_key(db: &Db<'_>, device: EquipmentId, key: &AlarmKey) -> Result<Option<Entry>, StoreError> {
    let sql = "SELECT id, state, severity, changed_at FROM alarm WHERE equipment = ?1 AND alarm_type = ?2 AND qualifier = ?3";
    let found = db.sql().prepare_cached(sql)?.query_row(params![Text(device), key.alarm_type, key.qualifier], |row| {
        Ok(Entry {
            id: row.get::<_, Text<_>>(0)?.0,
            state: row.get::<_, Text<_>>(1)?.0,
            severity: row.get::<_, Text<_>>(2)?.0,
            changed_at: row.get::<_, At>(3)?.0,
        })
    });
    Ok(found.optional()?)
}

/// Writes the new state; a raise anew counts, and takes the operator's mark and the old fault off.
pub fn put(db: &Db<'_>, id: AlarmId, device: &Known, report: &AlarmReport, raise: bool) -> Result<(), StoreError> {
    let sql = "INSERT INTO alarm(id, customer, equipment, alarm_type, qualifier, state, severity, event_type, probable_cause, text, value,
                 threshold, raised_at, changed_at, received_at, cleared_at, count, operator_state)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15, 1, 'none')
               ON CONFLICT(id) DO UPDATE SET state = excluded.state, severity = excluded.severity, event_type = excluded.event_type,
                 probable_cause = excluded.probable_cause, text = excluded.text, value = excluded.value, threshold = excluded.threshold,
                 changed_at = excluded.changed_at, received_at = excluded.received_at, cleared_at = excluded.cleared_at,
                 raised_at = iif(?16, excluded.raised_at, raised_at), count = count + ?16,
                 operator_state = iif(?16, 'none', operator_state), operator = iif(?16, NULL, operator)";
    let cleared_at = (report.state == ResourceState::Cleared).then_some(At(report.at));
    db.sql().prepare_cached(sql)?.execute(params![
        Text(id),
        Text(device.customer),
        Text(device.id),
        report.key.alarm_type,
        report.key.qualifier,
        Text(report.state),
        Text(report.severity),
        Text(report.event_type),
        Text(report.probable_cause),
        report.text,
        report.value,
        report.threshold,
        At(report.at),
        At(db.now()),
        cleared_at,
        raise
    ])?;
    db.sql().prepare_cached("INSERT INTO alarm_change VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        Text(id),
        At(report.at),
        Text(report.state),
        Text(report.severity),
        report.text
    ])?;
    db.sql()
        .prepare_cached(
            "DELETE FROM alarm_change WHERE alarm = ?1 AND rowid NOT IN
             (SELECT rowid FROM alarm_change WHERE alarm = ?1 ORDER BY at DESC, rowid DESC LIMIT 32)",
        )?
        .execute([Text(id)])?;
    Ok(())
}

/// Raised alarms as they were last reported.
pub fn raised_on(db: &Db<'_>, device: EquipmentId) -> Result<Vec<AlarmReport>, StoreError> {
    let sql = "SELECT alarm_type, qualifier, severity, event_type, probable_cause, text, changed_at FROM alarm
               WHERE equipment = ?1 AND state = 'raised'";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([Text(device)], |row| {
        Ok(AlarmReport {
            key: AlarmKey { alarm_type: row.get(0)?, qualifier: row.get(1)? },
            state: ResourceState::Raised,
            severity: row.get::<_, Text<_>>(2)?.0,
            event_type: row.get::<_, Text<_>>(3)?.0,
            probable_cause: row.get::<_, Text<_>>(4)?.0,
            text: row.get(5)?,
            value: None,
            threshold: None,
            at: row.get::<_, At>(6)?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn list(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<Vec<Alarm>, StoreError> {
    let sql = format!(
        "{VIEW} WHERE (?1 IS NULL OR a.customer = ?1) AND (?2 IS NULL OR a.state = ?2) AND (?3 IS NULL OR a.equipment = ?3)
         ORDER BY a.state DESC, a.changed_at DESC LIMIT ?4"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![scope.customer(), filter.state.map(Text), filter.equipment.map(Text), filter.limit], alarm)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn get(db: &Db<'_>, scope: &Scope, id: AlarmId) -> Result<Option<Alarm>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{VIEW} WHERE a.id = ?1 AND (?2 IS NULL OR a.customer = ?2)"))?;
    Ok(statement.query_row(params![Text(id), scope.customer()], alarm).optional()?)
}

pub fn owner(db: &Db<'_>, id: AlarmId) -> Result<(CustomerId, EquipmentId), StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT customer, equipment FROM alarm WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Text<_>>(1)?.0)))?)
}

pub fn of_fault(db: &Db<'_>, fault: FaultId) -> Result<Vec<Alarm>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{VIEW} WHERE a.fault = ?1 ORDER BY a.raised_at"))?;
    Ok(statement.query_map([Text(fault)], alarm)?.collect::<Result<_, _>>()?)
}

pub fn unattached(db: &Db<'_>, device: EquipmentId) -> Result<Vec<Alarm>, StoreError> {
    let sql = format!(
        "{VIEW} WHERE a.equipment = ?1 AND a.state = 'raised' AND
         (a.fault IS NULL OR f.status IN ('closed', 'rejected', 'cancelled', 'duplicate')) ORDER BY a.raised_at"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    Ok(statement.query_map([Text(device)], alarm)?.collect::<Result<_, _>>()?)
}

pub fn attach(db: &Db<'_>, id: AlarmId, fault: FaultId) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE alarm SET fault = ?2 WHERE id = ?1")?.execute(params![Text(id), Text(fault)])?;
    Ok(())
}

pub fn set_operator(db: &Db<'_>, id: AlarmId, state: OperatorState, who: &str, note: &str) -> Result<(), StoreError> {
    let sql = "UPDATE alarm SET operator_state = ?2, operator = ?3, operator_note = ?4, operator_at = ?5 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), Text(state), who, note, At(db.now())])?;
    Ok(())
}

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::alarm::{AlarmKey, AlarmReport, OperatorState, ProbableCause, ResourceState, Severity};
use lineman_common::api::{Alarm, AlarmChange, AlarmMarks, OperatorChange, SummaryRow};
use lineman_common::id::{AlarmId, CustomerId, EquipmentId, FaultId, ShelfId, WindowId};
use lineman_common::name::{FaultNumber, NeName};
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

use super::report::{Change, Next, RING};
use super::settle::News;
use crate::equipment::Known;
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;
use crate::web::asked::Conditions;

const VIEW: &str = "SELECT a.id, c.code, e.handle, a.alarm_type, a.qualifier, a.state, a.severity, a.event_type, a.probable_cause, a.text,
    a.value, a.threshold, a.raised_at, a.changed_at, a.received_at, a.cleared_at, a.count, a.operator_state, a.operator, a.operator_note,
    f.serial, a.reported_severity, a.operator_at, a.shelf, a.maintenance, r.id, a.suppressed_rule, a.flapping, a.mark, a.place
    FROM alarm a JOIN equipment e ON e.id = a.equipment JOIN customer c ON c.id = a.customer LEFT JOIN fault f ON f.id = a.fault
    LEFT JOIN alarm r ON r.place = a.suppressed_by";

fn alarm(row: &Row<'_>) -> rusqlite::Result<Alarm> {
    let text = |index| -> rusqlite::Result<Option<Printable>> { Ok(row.get::<_, Option<String>>(index)?.map(Printable::new)) };
    let Text(customer) = row.get(1)?;
    let equipment = NeName { customer, handle: row.get::<_, Text<_>>(2)?.0 };
    let severity: Severity = row.get::<_, Text<_>>(6)?.0;
    let reported: Severity = row.get::<_, Text<_>>(21)?.0;
    Ok(Alarm {
        id: row.get::<_, Text<_>>(0)?.0,
        alarm_type: text(3)?.unwrap_or_default(),
        qualifier: text(4)?.unwrap_or_default(),
        state: row.get::<_, Text<_>>(5)?.0,
        severity,
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
        marks: AlarmMarks {
            reported_severity: (reported != severity).then_some(reported),
            operator_at: row.get::<_, Option<At>>(22)?.map(|at| at.0),
            shelf: row.get::<_, Option<Text<_>>>(23)?.map(|id| id.0),
            maintenance: row.get::<_, Option<Text<_>>>(24)?.map(|id| id.0),
            suppressed_by: row.get::<_, Option<Text<_>>>(25)?.map(|id| id.0),
            suppressed_rule: row.get(26)?,
            flapping: row.get(27)?,
            mark: row.get::<_, Option<Text<_>>>(28)?.map(|mark| mark.0),
        },
        equipment,
    })
}

// ---- Reports --------------------------------------------------------------------------------------------------------

/// What a report meets.
pub struct Entry {
    pub place: i64,
    pub state: ResourceState,
    pub severity: Severity,
    /// The newest time at which it was told.
    pub heard_at: Timestamp,
    pub changes: u32,
    pub operator_state: OperatorState,
    pub flapping: bool,
    pub flap_from: Timestamp,
    pub flap_count: u32,
}

const ENTRY: &str = "place, state, severity, max(changed_at, heard_at), changes, operator_state, flapping, flap_from, flap_count";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        place: row.get(0)?,
        state: row.get::<_, Text<_>>(1)?.0,
        severity: row.get::<_, Text<_>>(2)?.0,
        heard_at: row.get::<_, At>(3)?.0,
        changes: row.get(4)?,
        operator_state: row.get::<_, Text<_>>(5)?.0,
        flapping: row.get(6)?,
        flap_from: row.get::<_, At>(7)?.0,
        flap_count: row.get(8)?,
    })
}

pub fn by_key(db: &Db<'_>, device: EquipmentId, key: &AlarmKey) -> Result<Option<Entry>, StoreError> {
    let sql = format!("SELECT {ENTRY} FROM alarm WHERE equipment = ?1 AND alarm_type = ?2 AND qualifier = ?3");
    let mut statement = db.sql().prepare_cached(&sql)?;
    Ok(statement.query_row(params![Text(device), key.alarm_type, key.qualifier], entry).optional()?)
}

/// One more entry for a device; false when it has as many as any may have.
pub fn count_entry(db: &Db<'_>, device: EquipmentId, most: u32) -> Result<bool, StoreError> {
    let sql = "INSERT INTO alarm_entries VALUES (?1, 1) ON CONFLICT(equipment) DO UPDATE SET entries = entries + 1 WHERE entries < ?2";
    Ok(db.sql().prepare_cached(sql)?.execute(params![Text(device), most])? == 1)
}

/// A new entry; answers its place.
pub fn insert(db: &Db<'_>, id: AlarmId, device: &Known, change: &Change<'_>) -> Result<i64, StoreError> {
    let report = change.report;
    let raised = report.state == ResourceState::Raised;
    let sql = "INSERT INTO alarm(id, customer, equipment, alarm_type, qualifier, state, severity, reported_severity, event_type,
                 probable_cause, text, value, threshold, raised_at, changed_at, received_at, cleared_at, mark, count, changes, operator_state,
                 flap_from, flap_count)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15, ?16, ?17, ?18, 1, 'none', ?14, ?18)";
    Ok(db.sql().prepare_cached(sql)?.insert(params![
        Text(id),
        Text(device.customer),
        Text(device.id),
        report.key.alarm_type,
        report.key.qualifier,
        report.state.as_str(),
        change.severity.as_str(),
        report.severity.as_str(),
        report.event_type.as_str(),
        report.probable_cause.as_str(),
        report.text,
        report.value,
        report.threshold,
        At(change.at),
        At(db.now()),
        (!raised).then_some(At(change.at)),
        change.mark.map(lineman_common::alarm::TimeMark::as_str),
        raised
    ])?)
}

/// Writes the new state; a raise anew counts.
pub fn change(db: &Db<'_>, known: &Entry, change: &Change<'_>, next: &Next) -> Result<(), StoreError> {
    let report = change.report;
    let sql =
        "UPDATE alarm SET state = ?2, severity = ?3, reported_severity = ?4, event_type = ?5, probable_cause = ?6, text = ?7, value = ?8,
                 threshold = ?9, changed_at = ?10, received_at = ?11, cleared_at = ?12, mark = ?13, changes = changes + 1,
                 raised_at = iif(?14, ?10, raised_at), count = count + ?14, flapping = ?15, flap_from = ?16, flap_count = ?17,
                 operator_state = iif(?18, 'none', operator_state), operator = iif(?18, NULL, operator),
                 operator_note = iif(?18, NULL, operator_note), operator_at = iif(?18, NULL, operator_at) WHERE place = ?1";
    db.sql().prepare_cached(sql)?.execute(params![
        known.place,
        report.state.as_str(),
        change.severity.as_str(),
        report.severity.as_str(),
        report.event_type.as_str(),
        report.probable_cause.as_str(),
        report.text,
        report.value,
        report.threshold,
        At(change.at),
        At(db.now()),
        (report.state == ResourceState::Cleared).then_some(At(change.at)),
        change.mark.map(lineman_common::alarm::TimeMark::as_str),
        next.raised,
        next.flapping,
        At(next.flap_from),
        next.flap_count,
        next.unmark
    ])?;
    Ok(())
}

/// Told again, at a newer time.
pub fn hear_again(db: &Db<'_>, place: i64, at: Timestamp) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE alarm SET heard_at = ?2 WHERE place = ?1")?.execute(params![place, At(at)])?;
    Ok(())
}

/// Writes over the oldest of the 32 slots.
pub fn put_ring(db: &Db<'_>, place: i64, changes: u32, change: &Change<'_>) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("INSERT OR REPLACE INTO alarm_ring VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    statement.execute(params![
        place,
        changes % RING,
        At(change.at),
        At(db.now()),
        change.report.state.as_str(),
        change.severity.as_str(),
        change.report.text,
        change.mark.map(lineman_common::alarm::TimeMark::as_str)
    ])?;
    Ok(())
}

/// The ring, oldest first.
pub fn ring(db: &Db<'_>, place: i64) -> Result<Vec<AlarmChange>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT r.at, r.received_at, r.state, r.severity, r.text, r.mark FROM alarm_ring r JOIN alarm a ON a.place = r.alarm
         WHERE r.alarm = ?1 ORDER BY (r.slot - a.changes % 32 + 32) % 32",
    )?;
    let rows = statement.query_map([place], |row| {
        Ok(AlarmChange {
            at: row.get::<_, At>(0)?.0,
            received_at: row.get::<_, At>(1)?.0,
            state: row.get::<_, Text<_>>(2)?.0,
            severity: row.get::<_, Text<_>>(3)?.0,
            text: row.get::<_, String>(4)?.into(),
            mark: row.get::<_, Option<Text<_>>>(5)?.map(|mark| mark.0),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Writes the whole ring anew, oldest first.
pub fn write_ring(db: &Db<'_>, place: i64, ring: &[AlarmChange]) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM alarm_ring WHERE alarm = ?1")?.execute([place])?;
    for (slot, change) in ring.iter().enumerate() {
        db.sql().prepare_cached("INSERT INTO alarm_ring VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
            place,
            i64::try_from(slot).unwrap_or(i64::MAX),
            At(change.at),
            At(change.received_at),
            change.state.as_str(),
            change.severity.as_str(),
            change.text.raw(),
            change.mark.map(lineman_common::alarm::TimeMark::as_str)
        ])?;
    }
    db.sql()
        .prepare_cached("UPDATE alarm SET changes = ?2 WHERE place = ?1")?
        .execute(params![place, u32::try_from(ring.len()).unwrap_or(RING)])?;
    Ok(())
}

pub fn add_news(db: &Db<'_>, place: i64, kind: News, severity: Severity, at: Timestamp) -> Result<(), StoreError> {
    let mut statement =
        db.sql().prepare_cached("INSERT INTO alarm_news(alarm, kind, severity, at, received_at) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    statement.execute(params![place, kind.as_str(), severity.as_str(), At(at), At(db.now())])?;
    Ok(())
}

/// Raised alarms as they were last reported.
pub fn raised_on(db: &Db<'_>, device: EquipmentId) -> Result<Vec<(Entry, AlarmReport)>, StoreError> {
    let sql = format!(
        "SELECT {ENTRY}, alarm_type, qualifier, reported_severity, event_type, probable_cause, text FROM alarm
         WHERE equipment = ?1 AND state = 'raised'"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map([Text(device)], |row| {
        let known = entry(row)?;
        let report = AlarmReport {
            key: AlarmKey { alarm_type: row.get(9)?, qualifier: row.get(10)? },
            state: ResourceState::Raised,
            severity: row.get::<_, Text<_>>(11)?.0,
            event_type: row.get::<_, Text<_>>(12)?.0,
            probable_cause: row.get::<_, Text<_>>(13)?.0,
            text: row.get(14)?,
            value: None,
            threshold: None,
            at: known.heard_at,
        };
        Ok((known, report))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

// ---- The list -------------------------------------------------------------------------------------------------------

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<ResourceState>,
    pub severities: Vec<Severity>,
    pub operator_state: Option<OperatorState>,
    pub shelved: Option<bool>,
    pub suppressed: Option<bool>,
    pub flapping: Option<bool>,
    pub maintenance: Option<bool>,
    pub equipment: Option<EquipmentId>,
    /// The equipment and everything below it.
    pub under: Option<Vec<EquipmentId>>,
    pub customer: Option<CustomerId>,
    pub fault: Option<FaultId>,
    pub root: Option<AlarmId>,
    pub text: Option<String>,
    /// What `q` asks for.
    pub asked: Conditions,
    pub after: Option<Cursor>,
    pub limit: u32,
}

/// Where a page ended. It names the alarm by its id: places would count what is others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub state: ResourceState,
    pub changed_at: i64,
    pub alarm: AlarmId,
}

/// What the filter looks at, without the names beside it.
pub struct Line {
    pub place: i64,
    pub id: AlarmId,
    pub changed_at: i64,
    pub severity: Severity,
    pub operator_state: OperatorState,
    pub shelved: bool,
    pub suppressed: bool,
    pub flapping: bool,
    pub maintenance: bool,
    pub equipment: EquipmentId,
    pub customer: CustomerId,
    pub fault: Option<FaultId>,
    pub alarm_type: String,
    pub qualifier: String,
    pub text: String,
    /// It is what `q` asks for.
    pub fits: bool,
}

const LINE: &str = "SELECT place, id, changed_at, severity, operator_state, shelf IS NOT NULL, suppressed_by IS NOT NULL, flapping,
    maintenance IS NOT NULL, equipment, customer, fault, alarm_type, qualifier, text";

fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    Ok(Line {
        place: row.get(0)?,
        id: row.get::<_, Text<_>>(1)?.0,
        changed_at: row.get(2)?,
        severity: row.get::<_, Text<_>>(3)?.0,
        operator_state: row.get::<_, Text<_>>(4)?.0,
        shelved: row.get(5)?,
        suppressed: row.get(6)?,
        flapping: row.get(7)?,
        maintenance: row.get(8)?,
        equipment: row.get::<_, Text<_>>(9)?.0,
        customer: row.get::<_, Text<_>>(10)?.0,
        fault: row.get::<_, Option<Text<_>>>(11)?.map(|fault| fault.0),
        alarm_type: row.get(12)?,
        qualifier: row.get(13)?,
        text: row.get(14)?,
        fits: row.get(15)?,
    })
}

/// Where the lines of a page are looked for.
pub enum Source {
    Customer(CustomerId),
    All,
    /// These pieces of equipment: few, with few alarms.
    Equipment(Vec<EquipmentId>),
    Fault(FaultId),
    /// What this alarm explains.
    Root(AlarmId),
}

/// Walks lines of one state, newest change first, from a cursor on, until `visit` has enough.
pub fn walk(
    db: &Db<'_>,
    source: &Source,
    state: ResourceState,
    after: Option<(i64, i64)>,
    asked: &Conditions,
    mut visit: impl FnMut(Line) -> bool,
) -> Result<(), StoreError> {
    let (by, key) = match source {
        Source::All => ("? IS NULL", None),
        Source::Customer(customer) => ("customer = ?", Some(customer.to_string())),
        Source::Equipment(list) => {
            let ids = list.iter().map(ToString::to_string).collect::<Vec<_>>();
            ("equipment IN (SELECT value FROM json_each(?))", Some(serde_json::to_string(&ids).unwrap_or_default()))
        }
        Source::Fault(fault) => ("fault = ?", Some(fault.to_string())),
        Source::Root(root) => ("suppressed_by = (SELECT place FROM alarm WHERE id = ?)", Some(root.to_string())),
    };
    let mut all = asked.clone();
    let (changed_at, place) = after.unwrap_or((i64::MAX, i64::MAX));
    let by = by.replace('?', &all.bind(key));
    let (of_state, changed_at, place) = (all.bind(state.as_str().to_owned()), all.bind(changed_at), all.bind(place));
    let sql = format!(
        "{LINE}, {} FROM alarm WHERE {by} AND state = {of_state} AND (changed_at, place) < ({changed_at}, {place})
         ORDER BY changed_at DESC, place DESC",
        all.whether()
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(all.values()))?;
    while let Some(row) = rows.next()? {
        if !visit(line(row)?) {
            break;
        }
    }
    Ok(())
}

/// The place of an alarm; of one that was purged meanwhile, the end of its moment.
pub fn place_of(db: &Db<'_>, id: AlarmId) -> Result<i64, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT place FROM alarm WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// How many entries these pieces of equipment have together.
pub fn entries_of(db: &Db<'_>, equipment: &[EquipmentId]) -> Result<u64, StoreError> {
    let ids = equipment.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut statement = db
        .sql()
        .prepare_cached("SELECT coalesce(sum(entries), 0) FROM alarm_entries WHERE equipment IN (SELECT value FROM json_each(?1))")?;
    Ok(statement.query_row([Json(ids)], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))?)
}

pub fn at_place(db: &Db<'_>, place: i64) -> Result<Option<Alarm>, StoreError> {
    Ok(db.sql().prepare_cached(&format!("{VIEW} WHERE a.place = ?1"))?.query_row([place], alarm).optional()?)
}

/// The alarm with its place.
pub fn get(db: &Db<'_>, scope: &Scope, id: AlarmId) -> Result<Option<(i64, Alarm)>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{VIEW} WHERE a.id = ?1 AND (?2 IS NULL OR a.customer = ?2)"))?;
    Ok(statement.query_row(params![Text(id), scope.customer()], |row| Ok((row.get(29)?, alarm(row)?))).optional()?)
}

pub fn owner(db: &Db<'_>, place: i64) -> Result<(CustomerId, EquipmentId), StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT customer, equipment FROM alarm WHERE place = ?1")?;
    Ok(statement.query_row([place], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Text<_>>(1)?.0)))?)
}

pub fn suppresses(db: &Db<'_>, place: i64) -> Result<u32, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT count(*) FROM alarm WHERE suppressed_by = ?1")?;
    Ok(statement.query_row([place], |row| row.get(0))?)
}

/// The place of the root that explains the alarm at this place.
pub fn root_of(db: &Db<'_>, place: i64) -> Result<Option<i64>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT suppressed_by FROM alarm WHERE place = ?1")?;
    Ok(statement.query_row([place], |row| row.get(0)).optional()?.flatten())
}

/// Counts by every axis. The index holds all that it asks for.
pub fn summary(db: &Db<'_>, scope: &Scope) -> Result<Vec<SummaryRow>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT state, severity, operator_state, shelved, sum(alarms) FROM alarm_counts WHERE ?1 IS NULL OR customer = ?1
         GROUP BY 1, 2, 3, 4 HAVING sum(alarms) > 0",
    )?;
    let rows = statement.query_map([scope.customer()], |row| {
        Ok(SummaryRow {
            state: row.get::<_, Text<_>>(0)?.0,
            severity: row.get::<_, Text<_>>(1)?.0,
            operator_state: row.get::<_, Text<_>>(2)?.0,
            shelved: row.get(3)?,
            alarms: row.get::<_, i64>(4)?.unsigned_abs(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A fault by its number.
pub fn fault_of(db: &Db<'_>, number: &FaultNumber) -> Result<Option<FaultId>, StoreError> {
    let sql = "SELECT f.id FROM fault f JOIN customer c ON c.id = f.customer WHERE c.code = ?1 AND f.serial = ?2";
    let found = db.sql().prepare_cached(sql)?.query_row(params![Text(&number.customer), number.serial], |row| row.get::<_, Text<_>>(0));
    Ok(found.optional()?.map(|text| text.0))
}

// ---- Faults ---------------------------------------------------------------------------------------------------------

const IS_OVER: &str = "('closed', 'rejected', 'cancelled', 'duplicate')";

/// The newest open fault of a device that has an alarm of one of these causes.
pub fn open_fault_with(db: &Db<'_>, device: EquipmentId, causes: &[ProbableCause]) -> Result<Option<FaultId>, StoreError> {
    let causes = causes.iter().map(|cause| cause.as_str()).collect::<Vec<_>>();
    let sql = format!(
        "SELECT f.id FROM fault f WHERE f.equipment = ?1 AND f.status NOT IN {IS_OVER}
           AND EXISTS (SELECT 1 FROM alarm a WHERE a.fault = f.id AND a.equipment = ?1 AND a.probable_cause IN (SELECT value FROM json_each(?2)))
         ORDER BY f.id DESC LIMIT 1"
    );
    let found = db.sql().prepare_cached(&sql)?.query_row(params![Text(device), Json(causes)], |row| row.get::<_, Text<FaultId>>(0));
    Ok(found.optional()?.map(|text| text.0))
}

/// An open fault on this equipment that has so many alarms of one cause that further ones are more of the same.
pub fn storm_on(db: &Db<'_>, equipment: EquipmentId, cause: ProbableCause, least: u32) -> Result<Option<FaultId>, StoreError> {
    let sql = format!(
        "SELECT f.id FROM fault f WHERE f.equipment = ?1 AND f.status NOT IN {IS_OVER}
           AND (SELECT count(*) FROM (SELECT 1 FROM alarm a WHERE a.fault = f.id AND a.probable_cause = ?2 LIMIT ?3)) >= ?3
         ORDER BY f.id DESC LIMIT 1"
    );
    let found =
        db.sql().prepare_cached(&sql)?.query_row(params![Text(equipment), cause.as_str(), least], |row| row.get::<_, Text<FaultId>>(0));
    Ok(found.optional()?.map(|text| text.0))
}

pub fn of_fault(db: &Db<'_>, fault: FaultId, most: u32) -> Result<Vec<Alarm>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{VIEW} WHERE a.fault = ?1 ORDER BY a.state DESC, a.raised_at LIMIT ?2"))?;
    Ok(statement.query_map(params![Text(fault), most], alarm)?.collect::<Result<_, _>>()?)
}

pub fn has_raised(db: &Db<'_>, fault: FaultId) -> Result<bool, StoreError> {
    Ok(db.sql().prepare_cached("SELECT 1 FROM alarm WHERE fault = ?1 AND state = 'raised' LIMIT 1")?.exists([Text(fault)])?)
}

/// Faults all of whose raised alarms this one explains.
pub fn faults_explained_by(db: &Db<'_>, alarm: AlarmId) -> Result<Vec<FaultId>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT DISTINCT a.fault FROM alarm r JOIN alarm a ON a.suppressed_by = r.place AND a.fault IS NOT NULL
         WHERE r.id = ?1 AND NOT EXISTS (
             SELECT 1 FROM alarm o WHERE o.fault = a.fault AND o.state = 'raised' AND o.suppressed_by IS NOT r.place)
         ORDER BY a.fault",
    )?;
    let rows = statement.query_map([Text(alarm)], |row| Ok(row.get::<_, Text<_>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn unattached(db: &Db<'_>, device: EquipmentId, causes: &[ProbableCause]) -> Result<Vec<Alarm>, StoreError> {
    let causes = causes.iter().map(|cause| cause.as_str()).collect::<Vec<_>>();
    let sql = format!(
        "{VIEW} WHERE a.equipment = ?1 AND a.state = 'raised' AND a.probable_cause IN (SELECT value FROM json_each(?2))
         AND (a.fault IS NULL OR f.status IN {IS_OVER}) ORDER BY a.raised_at LIMIT 1000"
    );
    Ok(db.sql().prepare_cached(&sql)?.query_map(params![Text(device), Json(causes)], alarm)?.collect::<Result<_, _>>()?)
}

pub fn attach(db: &Db<'_>, id: AlarmId, fault: FaultId) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE alarm SET fault = ?2 WHERE id = ?1")?.execute(params![Text(id), Text(fault)])?;
    Ok(())
}

pub fn move_to_fault(db: &Db<'_>, from: FaultId, to: FaultId) -> Result<usize, StoreError> {
    Ok(db.sql().prepare_cached("UPDATE alarm SET fault = ?2 WHERE fault = ?1")?.execute(params![Text(from), Text(to)])?)
}

// ---- The operator's axis --------------------------------------------------------------------------------------------

pub fn set_operator(db: &Db<'_>, place: i64, state: OperatorState, who: &str, why: &str) -> Result<(), StoreError> {
    let sql = "UPDATE alarm SET operator_state = ?2, operator = ?3, operator_note = ?4, operator_at = ?5 WHERE place = ?1";
    db.sql().prepare_cached(sql)?.execute(params![place, state.as_str(), who, why, At(db.now())])?;
    add_operator(db, place, state, who, why)
}

pub fn add_operator(db: &Db<'_>, place: i64, state: OperatorState, who: &str, why: &str) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("INSERT INTO alarm_operator VALUES (?1, ?2, ?3, ?4, ?5)")?;
    statement.execute(params![place, At(db.now()), state.as_str(), who, why])?;
    let sql = "DELETE FROM alarm_operator WHERE rowid IN (SELECT rowid FROM alarm_operator WHERE alarm = ?1 ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?2)";
    db.sql().prepare_cached(sql)?.execute(params![place, RING])?;
    Ok(())
}

pub fn operator_changes(db: &Db<'_>, place: i64) -> Result<Vec<OperatorChange>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT at, state, by, why FROM alarm_operator WHERE alarm = ?1 ORDER BY at, rowid")?;
    let rows = statement.query_map([place], |row| {
        Ok(OperatorChange {
            at: row.get::<_, At>(0)?.0,
            state: row.get::<_, Text<_>>(1)?.0,
            by: row.get(2)?,
            why: row.get::<_, String>(3)?.into(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

// ---- Purge and compress ---------------------------------------------------------------------------------------------

/// What an action is about, as the database asks for it.
#[derive(Clone, Debug, Default)]
pub struct Among {
    pub customer: Option<CustomerId>,
    pub equipment: Option<Vec<EquipmentId>>,
    pub severity: Option<Severity>,
    pub operator_state: Option<OperatorState>,
    pub before: Option<Timestamp>,
}

/// Cleared entries, and those that an operator closed, whose fault is over; from a place on, so many.
pub fn done_with(db: &Db<'_>, among: &Among, from: i64, limit: u32) -> Result<Vec<i64>, StoreError> {
    let equipment = among.equipment.as_ref().map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
    let sql = format!(
        "SELECT a.place FROM alarm a LEFT JOIN fault f ON f.id = a.fault
         WHERE a.place > ?1 AND (a.state = 'cleared' OR a.operator_state = 'closed') AND (f.id IS NULL OR f.status IN {IS_OVER})
           AND (?2 IS NULL OR a.customer = ?2) AND (?3 IS NULL OR a.equipment IN (SELECT value FROM json_each(?3)))
           AND (?4 IS NULL OR a.severity = ?4) AND (?5 IS NULL OR a.operator_state = ?5) AND (?6 IS NULL OR a.changed_at < ?6)
         ORDER BY a.place LIMIT ?7"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(
        params![
            from,
            among.customer.map(Text),
            equipment.map(Json),
            among.severity.map(lineman_common::alarm::Severity::as_str),
            among.operator_state.map(lineman_common::alarm::OperatorState::as_str),
            among.before.map(At),
            limit
        ],
        |row| row.get(0),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn purge(db: &Db<'_>, place: i64) -> Result<(), StoreError> {
    db.sql()
        .prepare_cached("UPDATE alarm_entries SET entries = entries - 1 WHERE equipment = (SELECT equipment FROM alarm WHERE place = ?1)")?
        .execute([place])?;
    for table in ["alarm_ring", "alarm_operator", "alarm_news", "alarm_due", "alarm_root"] {
        db.sql().prepare_cached(&format!("DELETE FROM {table} WHERE alarm = ?1"))?.execute([place])?;
    }
    db.sql().prepare_cached("DELETE FROM alarm WHERE place = ?1")?.execute([place])?;
    Ok(())
}

// ---- What marks an entry --------------------------------------------------------------------------------------------

/// A shelf's or a window's id, as entries keep it.
pub fn on_shelf(db: &Db<'_>, shelf: ShelfId) -> Result<u32, StoreError> {
    Ok(db.sql().prepare_cached("SELECT count(*) FROM alarm WHERE shelf = ?1")?.query_row([Text(shelf)], |row| row.get(0))?)
}

pub fn look_at_shelf(db: &Db<'_>, shelf: ShelfId) -> Result<(), StoreError> {
    look_where(db, "shelf = ?1", &shelf.to_string())
}

pub fn look_at_window(db: &Db<'_>, window: WindowId) -> Result<(), StoreError> {
    look_where(db, "maintenance = ?1", &window.to_string())
}

pub fn look_at_suppressed(db: &Db<'_>, root: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO alarm_news(alarm, kind, severity, at, received_at)
               SELECT place, 'freed', severity, changed_at, ?2 FROM alarm WHERE suppressed_by = ?1";
    db.sql().prepare_cached(sql)?.execute(params![root, At(db.now())])?;
    Ok(())
}

/// Everything that is raised.
pub fn look_at_all(db: &Db<'_>) -> Result<(), StoreError> {
    look_where(db, "state = 'raised' AND ?1 IS NOT NULL", "")
}

/// What is raised on this equipment.
pub fn look_at_equipment(db: &Db<'_>, equipment: EquipmentId) -> Result<(), StoreError> {
    look_where(db, "equipment = ?1 AND state = 'raised'", &equipment.to_string())
}

fn look_where(db: &Db<'_>, which: &str, key: &str) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO alarm_news(alarm, kind, severity, at, received_at) SELECT place, 'look', severity, changed_at, ?2 FROM alarm WHERE {which}"
    );
    db.sql().prepare_cached(&sql)?.execute(params![key, At(db.now())])?;
    Ok(())
}

pub fn look_at(db: &Db<'_>, place: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO alarm_news(alarm, kind, severity, at, received_at) SELECT place, 'look', severity, changed_at, ?2 FROM alarm WHERE place = ?1";
    db.sql().prepare_cached(sql)?.execute(params![place, At(db.now())])?;
    Ok(())
}

/// Raised alarms of a customer (or all) with what profiles and shelves look at.
pub fn raised_of(
    db: &Db<'_>,
    customer: Option<CustomerId>,
    mut visit: impl FnMut(Raised) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let by = if customer.is_some() { "a.customer = ?1" } else { "?1 IS NULL" };
    let sql = format!(
        "SELECT a.place, a.customer, e.product, a.alarm_type, a.qualifier, a.severity, a.reported_severity FROM alarm a
         JOIN equipment e ON e.id = a.equipment WHERE {by} AND a.state = 'raised'"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let mut rows = statement.query([customer.map(Text)])?;
    while let Some(row) = rows.next()? {
        visit(Raised {
            place: row.get(0)?,
            customer: row.get::<_, Text<_>>(1)?.0,
            product: row.get(2)?,
            key: AlarmKey { alarm_type: row.get(3)?, qualifier: row.get(4)? },
            severity: row.get::<_, Text<_>>(5)?.0,
            reported: row.get::<_, Text<_>>(6)?.0,
        })?;
    }
    Ok(())
}

pub struct Raised {
    pub place: i64,
    pub customer: CustomerId,
    pub product: String,
    pub key: AlarmKey,
    pub severity: Severity,
    pub reported: Severity,
}

/// Another severity counts from now on. When the equipment last changed it is not touched by that.
pub fn set_severity(db: &Db<'_>, place: i64, severity: Severity) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE alarm SET severity = ?2 WHERE place = ?1")?.execute(params![place, severity.as_str()])?;
    Ok(())
}

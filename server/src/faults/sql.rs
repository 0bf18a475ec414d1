use lineman_common::Printable;
use lineman_common::alarm::Severity;
use lineman_common::api::{Diagnosis, Fault, Resolution};
use lineman_common::fault::{FaultKind, FaultStatus, PendingReason};
use lineman_common::id::{CustomerId, EquipmentId, FaultId};
use lineman_common::name::{FaultNumber, NeName, PersonName, ProblemNumber};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

use super::{Filed, Reference};
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;
use crate::web::asked::Conditions;

/// The fault comes first in the join, whatever a planner thinks of small tables: lists go along one of its indexes.
pub const VIEW: &str = "SELECT f.id, c.code, f.serial, e.handle, f.title, f.description, f.severity, f.impact, f.status, f.pending_reason, f.owner,
    f.reported_by, f.reported_at, f.updated_at, f.proposes_restored, f.cause, f.plan, f.resolution, d.serial,
    f.kind, f.customer_reference, f.version, f.shown_version, f.shown_at, f.resolved_at, f.problem
    FROM fault f CROSS JOIN customer c ON c.id = f.customer LEFT JOIN equipment e ON e.id = f.equipment LEFT JOIN fault d ON d.id = f.duplicate_of";

/// Word for word the condition of the partial indexes.
pub const IS_OPEN: &str = "f.status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate')";

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those that are not over.
    pub open: bool,
    pub status: Option<FaultStatus>,
    pub customer: Option<String>,
    pub equipment: Option<EquipmentId>,
    pub owner: Option<PersonName>,
    pub kind: Option<FaultKind>,
    pub severity: Option<Severity>,
    /// Somewhere in title, description or the customer's reference; or the number.
    pub text: Option<String>,
    pub customer_reference: Option<String>,
    /// Reported then or later.
    pub since: Option<jiff::Timestamp>,
    pub problem: Option<ProblemNumber>,
    /// The id of the last fault of the page before.
    pub after: Option<FaultId>,
    pub limit: u32,
}

/// What a step changes besides the status.
#[derive(Default)]
pub struct Change {
    pub owner: Option<PersonName>,
    pub pending_reason: Option<PendingReason>,
    pub diagnosis: Option<Diagnosis>,
    pub resolution: Option<Resolution>,
    pub proposes_restored: Option<bool>,
    pub duplicate_of: Option<FaultId>,
}

/// A row of [`VIEW`] as the scope may see it.
pub fn fault(row: &Row<'_>, scope: &Scope) -> rusqlite::Result<Fault> {
    let inside = scope.sees_internal();
    let text = |index| -> rusqlite::Result<Option<Printable>> { Ok(row.get::<_, Option<String>>(index)?.map(Printable::new)) };
    let Text(customer): Text<lineman_common::name::CustomerCode> = row.get(1)?;
    let version: i64 = row.get(if inside { 21 } else { 22 })?;
    let number = |serial| FaultNumber { customer: customer.clone(), serial };
    Ok(Fault {
        id: row.get::<_, Text<_>>(0)?.0,
        number: number(row.get(2)?),
        equipment: row.get::<_, Option<Text<_>>>(3)?.map(|Text(handle)| NeName { customer: customer.clone(), handle }),
        title: text(4)?.unwrap_or_default(),
        description: text(5)?.unwrap_or_default(),
        severity: row.get::<_, Text<_>>(6)?.0,
        impact: row.get::<_, Text<_>>(7)?.0,
        status: row.get::<_, Text<_>>(8)?.0,
        pending_reason: row.get::<_, Option<Text<_>>>(9)?.map(|t| t.0),
        owner: row.get::<_, Option<Text<_>>>(10)?.map(|t| t.0),
        reported_by: row.get(11)?,
        reported_at: row.get::<_, At>(12)?.0,
        updated_at: row.get::<_, Option<At>>(if inside { 13 } else { 23 })?.map_or(row.get::<_, At>(12)?.0, |at| at.0),
        proposes_restored: row.get(14)?,
        cause: text(15)?,
        plan: text(16)?,
        resolution: row.get::<_, Option<Json<_>>>(17)?.map(|j| j.0),
        duplicate_of: row.get::<_, Option<u32>>(18)?.map(number),
        kind: row.get::<_, Text<_>>(19)?.0,
        customer_reference: text(20)?,
        version: version.unsigned_abs(),
        resolved_at: row.get::<_, Option<At>>(24)?.map(|at| at.0),
        problem: row.get::<_, Option<u32>>(25)?.filter(|_| inside).map(ProblemNumber),
        warnings: Vec::new(),
        customer,
    })
}

pub fn insert(db: &Db<'_>, id: FaultId, new: &Filed, kind: FaultKind, customer_reference: Option<&Printable>) -> Result<(), StoreError> {
    let serial: u32 = db
        .sql()
        .prepare_cached("UPDATE customer SET last_fault = last_fault + 1 WHERE id = ?1 RETURNING last_fault")?
        .query_row([Text(new.customer)], |row| row.get(0))?;
    let sql = "INSERT INTO fault(id, customer, serial, equipment, title, description, severity, impact, status, reported_by, reported_at, updated_at, shown_at,
                 kind, customer_reference)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'reported', ?9, ?10, ?10, ?10, ?11, ?12)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(id),
        Text(new.customer),
        serial,
        new.device.map(Text),
        new.title.raw(),
        new.description.raw(),
        Text(new.severity),
        Text(new.impact),
        new.by,
        At(db.now()),
        Text(kind),
        customer_reference.map(Printable::raw)
    ])?;
    Ok(())
}

pub fn update(db: &Db<'_>, id: FaultId, status: FaultStatus, change: &Change) -> Result<(), StoreError> {
    let sql = "UPDATE fault SET resolved_at = CASE WHEN ?2 NOT IN ('resolved', 'closed') THEN NULL WHEN status = ?2 OR ?2 = 'closed' THEN resolved_at ELSE ?3 END,
               status = ?2, owner = coalesce(?4, owner), pending_reason = ?5,
               cause = coalesce(?6, cause), plan = coalesce(?7, plan), resolution = coalesce(?8, resolution),
               proposes_restored = coalesce(?9, proposes_restored), duplicate_of = coalesce(?10, duplicate_of) WHERE id = ?1";
    // A note on a waiting fault must not forget what it waits for.
    let pending_reason = if status == FaultStatus::Pending && change.pending_reason.is_none() {
        let mut statement = db.sql().prepare_cached("SELECT pending_reason FROM fault WHERE id = ?1")?;
        statement.query_row([Text(id)], |row| row.get::<_, Option<Text<PendingReason>>>(0))?.map(|t| t.0)
    } else {
        change.pending_reason
    };
    db.sql().prepare_cached(sql)?.execute(params![
        Text(id),
        Text(status),
        At(db.now()),
        change.owner.as_ref().map(Text),
        pending_reason.map(Text),
        change.diagnosis.as_ref().map(|diagnosis| diagnosis.cause.raw()),
        change.diagnosis.as_ref().map(|diagnosis| diagnosis.plan.raw()),
        change.resolution.as_ref().map(Json),
        change.proposes_restored,
        change.duplicate_of.map(Text)
    ])?;
    Ok(())
}

/// Writes what can be edited.
pub fn edit(db: &Db<'_>, fault: &Fault) -> Result<(), StoreError> {
    let sql = "UPDATE fault SET title = ?2, description = ?3, customer_reference = ?4, impact = ?5, severity = ?6, kind = ?7 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(fault.id),
        fault.title.raw(),
        fault.description.raw(),
        fault.customer_reference.as_ref().map(Printable::raw),
        Text(fault.impact),
        Text(fault.severity),
        Text(fault.kind)
    ])?;
    Ok(())
}

pub fn get(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Option<Fault>, StoreError> {
    let (condition, values) = match reference {
        Reference::Id(id) => ("f.id = ?2", vec![Value::from(id.to_string())]),
        Reference::Number(number) => (
            "f.customer = (SELECT id FROM customer WHERE code = ?2) AND f.serial = ?3",
            vec![number.customer.to_string().into(), number.serial.into()],
        ),
    };
    let sql = format!("{VIEW} WHERE (?1 IS NULL OR f.customer = ?1) AND {condition}");
    let values = std::iter::once(scope.customer().map_or(Value::Null, Value::from)).chain(values);
    Ok(db.sql().prepare_cached(&sql)?.query_row(params_from_iter(values), |row| fault(row, scope)).optional()?)
}

/// Other open faults of the same customer with the same ticket of the customer's; a few, to name them.
pub fn open_with_reference(db: &Db<'_>, id: FaultId, reference: &Printable) -> Result<Vec<FaultNumber>, StoreError> {
    let sql = format!(
        "SELECT c.code, f.serial FROM fault f JOIN customer c ON c.id = f.customer
         WHERE f.customer_reference = ?2 AND {IS_OPEN} AND f.id <> ?1 AND f.customer = (SELECT customer FROM fault WHERE id = ?1)
         ORDER BY f.id LIMIT 5"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![Text(id), reference.raw()], |row| {
        Ok(FaultNumber { customer: row.get::<_, Text<_>>(0)?.0, serial: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn customer_of(db: &Db<'_>, id: FaultId) -> Result<Option<CustomerId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT customer FROM fault WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| Ok(row.get::<_, Text<_>>(0)?.0)).optional()?)
}

/// Conditions as they are asked for; without the text, which goes through the index of texts.
pub fn conditions(scope: &Scope, filter: &Filter) -> Conditions {
    let mut all = Conditions::default();
    let word = |word: Option<&str>| word.map(str::to_owned);
    all.add("f.customer = ?", scope.customer());
    if filter.open {
        all.push(IS_OPEN);
    }
    all.add("f.status = ?", word(filter.status.map(FaultStatus::as_str)));
    all.add("f.customer = (SELECT id FROM customer WHERE code = ?)", filter.customer.clone());
    all.add("f.equipment = ?", filter.equipment.map(|id| id.to_string()));
    all.add("f.owner = ?", filter.owner.as_ref().map(ToString::to_string));
    all.add("f.kind = ?", word(filter.kind.map(FaultKind::as_str)));
    all.add("f.severity = ?", word(filter.severity.map(Severity::as_str)));
    all.add("f.customer_reference = ?", filter.customer_reference.clone());
    all.add("f.reported_at >= ?", filter.since.map(jiff::Timestamp::as_microsecond));
    // Problems are the support centre's: a carrier's people find nothing by them.
    all.add(
        "f.problem = ?",
        filter.problem.map(|number| i64::from(number.0)).map(|serial| if scope.sees_internal() { serial } else { -1 }),
    );
    all.add("f.id < ?", filter.after.map(|id| id.to_string()));
    all
}

/// Newest first; ids sort by time. For other rooms: it knows no words.
pub fn list(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<Vec<Fault>, StoreError> {
    let mut all = conditions(scope, filter);
    let limit = all.bind(i64::from(filter.limit));
    let sql = format!("{VIEW}{} ORDER BY f.id DESC LIMIT {limit}", all.narrowed());
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(all.values()), |row| fault(row, scope))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The plan of a list, for tests: which index it goes along, and whether it sorts.
#[cfg(test)]
pub fn plan(db: &Db<'_>, scope: &Scope, filter: &Filter) -> String {
    let mut all = conditions(scope, filter);
    let limit = all.bind(i64::from(filter.limit));
    let sql = format!("EXPLAIN QUERY PLAN {VIEW}{} ORDER BY f.id DESC LIMIT {limit}", all.narrowed());
    let mut statement = db.sql().prepare(&sql).unwrap();
    let rows = statement.query_map(params_from_iter(all.values()), |row| row.get::<_, String>(3)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

use lineman_common::Printable;
use lineman_common::api::{Diagnosis, Fault, Resolution};
use lineman_common::fault::{FaultStatus, PendingReason};
use lineman_common::id::{CustomerId, EquipmentId, FaultId};
use lineman_common::name::{FaultNumber, NeName, PersonName};
use rusqlite::{OptionalExtension, Row, params};

use super::{Filed, Reference};
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

const VIEW: &str = "SELECT f.id, c.code, f.serial, e.handle, f.title, f.description, f.severity, f.impact, f.status, f.pending_reason, f.owner,
    f.reported_by, f.reported_at, f.updated_at, f.proposes_restored, f.cause, f.plan, f.resolution, d.serial
    FROM fault f JOIN customer c ON c.id = f.customer LEFT JOIN equipment e ON e.id = f.equipment LEFT JOIN fault d ON d.id = f.duplicate_of";

const IS_OPEN: &str = "f.status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate')";

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those that are not over.
    pub open: bool,
    pub status: Option<FaultStatus>,
    pub customer: Option<String>,
    pub equipment: Option<EquipmentId>,
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

fn fault(row: &Row<'_>) -> rusqlite::Result<Fault> {
    let text = |index| -> rusqlite::Result<Option<Printable>> { Ok(row.get::<_, Option<String>>(index)?.map(Printable::new)) };
    let Text(customer): Text<lineman_common::name::CustomerCode> = row.get(1)?;
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
        updated_at: row.get::<_, At>(13)?.0,
        proposes_restored: row.get(14)?,
        cause: text(15)?,
        plan: text(16)?,
        resolution: row.get::<_, Option<Json<_>>>(17)?.map(|j| j.0),
        duplicate_of: row.get::<_, Option<u32>>(18)?.map(number),
        customer,
    })
}

pub fn insert(db: &Db<'_>, id: FaultId, new: &Filed) -> Result<(), StoreError> {
    let serial: u32 = db
        .sql()
        .prepare_cached("UPDATE customer SET last_fault = last_fault + 1 WHERE id = ?1 RETURNING last_fault")?
        .query_row([Text(new.customer)], |row| row.get(0))?;
    let sql = "INSERT INTO fault(id, customer, serial, equipment, title, description, severity, impact, status, reported_by, reported_at, updated_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'reported', ?9, ?10, ?10)";
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
        At(db.now())
    ])?;
    Ok(())
}

pub fn update(db: &Db<'_>, id: FaultId, status: FaultStatus, change: &Change) -> Result<(), StoreError> {
    let sql = "UPDATE fault SET status = ?2, updated_at = ?3, owner = coalesce(?4, owner), pending_reason = ?5,
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

pub fn get(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Option<Fault>, StoreError> {
    let (id, code, serial) = match reference {
        Reference::Id(id) => (Some(id.to_string()), None, None),
        Reference::Number(number) => (None, Some(number.customer.to_string()), Some(number.serial)),
    };
    let sql = format!("{VIEW} WHERE (f.id = ?1 OR (c.code = ?2 AND f.serial = ?3)) AND (?4 IS NULL OR f.customer = ?4)");
    Ok(db.sql().prepare_cached(&sql)?.query_row(params![id, code, serial, scope.customer()], fault).optional()?)
}

pub fn customer_of(db: &Db<'_>, id: FaultId) -> Result<Option<CustomerId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT customer FROM fault WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| Ok(row.get::<_, Text<_>>(0)?.0)).optional()?)
}

/// Newest first; ids sort by time.
pub fn list(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<Vec<Fault>, StoreError> {
    let sql = format!(
        "{VIEW} WHERE (?1 IS NULL OR f.customer = ?1) AND (NOT ?2 OR {IS_OPEN}) AND (?3 IS NULL OR f.status = ?3)
         AND (?4 IS NULL OR c.code = ?4) AND (?5 IS NULL OR f.equipment = ?5) AND (?6 IS NULL OR f.id < ?6) ORDER BY f.id DESC LIMIT ?7"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(
        params![
            scope.customer(),
            filter.open,
            filter.status.map(Text),
            filter.customer,
            filter.equipment.map(Text),
            filter.after.map(Text),
            filter.limit
        ],
        fault,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

use lineman_common::Printable;
use lineman_common::api::{EditProblem, Fault, Fits, MatchingEquipment, NewProblem, ProblemResolution, ProblemView};
use lineman_common::fault::ProblemState;
use lineman_common::id::{FaultId, ProblemId};
use lineman_common::name::{NeName, PersonName, ProblemNumber};
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

use super::Reference;
use crate::faults::sql::{IS_OPEN, VIEW as FAULT_VIEW, fault};
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

const VIEW: &str = "SELECT p.id, p.serial, p.version, p.state, p.title, p.description, p.fits, p.owner, p.opened_at, p.updated_at, p.cause,
    p.workaround, p.resolution, p.resolved_at, (SELECT count(*) FROM fault f WHERE f.problem = p.serial),
    (SELECT count(*) FROM fault f WHERE f.problem = p.serial AND f.status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate'))
    FROM problem p";
const MOST_MATCHES: u32 = 1000;

#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<ProblemState>,
    pub after: Option<ProblemNumber>,
    pub limit: u32,
}

fn problem(row: &Row<'_>) -> rusqlite::Result<ProblemView> {
    let text = |index| -> rusqlite::Result<Option<Printable>> { Ok(row.get::<_, Option<String>>(index)?.map(Printable::new)) };
    let version: i64 = row.get(2)?;
    Ok(ProblemView {
        id: row.get::<_, Text<_>>(0)?.0,
        number: ProblemNumber(row.get(1)?),
        version: version.unsigned_abs(),
        state: row.get::<_, Text<_>>(3)?.0,
        title: text(4)?.unwrap_or_default(),
        description: text(5)?.unwrap_or_default(),
        fits: row.get::<_, Json<_>>(6)?.0,
        owner: row.get::<_, Text<_>>(7)?.0,
        opened_at: row.get::<_, At>(8)?.0,
        updated_at: row.get::<_, At>(9)?.0,
        cause: text(10)?,
        workaround: text(11)?,
        resolution: text(12)?,
        resolved_at: row.get::<_, Option<At>>(13)?.map(|at| at.0),
        faults: row.get(14)?,
        open_faults: row.get(15)?,
    })
}

pub fn insert(db: &Db<'_>, id: ProblemId, new: &NewProblem, owner: &PersonName) -> Result<ProblemNumber, StoreError> {
    let sql =
        "INSERT INTO problem(id, state, title, description, fits, owner, opened_at, updated_at) VALUES (?1, 'open', ?2, ?3, ?4, ?5, ?6, ?6)
               RETURNING serial";
    let row = params![Text(id), new.title.raw(), new.description.raw(), Json(&new.fits), Text(owner), At(db.now())];
    Ok(ProblemNumber(db.sql().prepare_cached(sql)?.query_row(row, |row| row.get(0))?))
}

pub fn get(db: &Db<'_>, reference: &Reference) -> Result<Option<ProblemView>, StoreError> {
    let found = match reference {
        Reference::Number(number) => db.sql().prepare_cached(&format!("{VIEW} WHERE p.serial = ?1"))?.query_row([number.0], problem),
        Reference::Id(id) => db.sql().prepare_cached(&format!("{VIEW} WHERE p.id = ?1"))?.query_row([Text(id)], problem),
    };
    Ok(found.optional()?)
}

/// Newest first.
pub fn list(db: &Db<'_>, filter: &Filter) -> Result<Vec<ProblemView>, StoreError> {
    let sql = format!(
        "{VIEW} WHERE p.serial < coalesce(?1, 9223372036854775807) AND (?2 IS NULL OR p.state = ?2) ORDER BY p.serial DESC LIMIT ?3"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![filter.after.map(|after| after.0), filter.state.map(Text), filter.limit], problem)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn edit(db: &Db<'_>, number: ProblemNumber, edit: &EditProblem) -> Result<(), StoreError> {
    let sql = "UPDATE problem SET title = coalesce(?2, title), description = coalesce(?3, description), fits = coalesce(?4, fits),
               cause = coalesce(?5, cause), workaround = coalesce(?6, workaround), owner = coalesce(?7, owner),
               version = version + 1, updated_at = ?8 WHERE serial = ?1";
    let raw = |text: &Option<Printable>| text.as_ref().map(|text| text.raw().to_owned());
    db.sql().prepare_cached(sql)?.execute(params![
        number.0,
        raw(&edit.title),
        raw(&edit.description),
        edit.fits.as_ref().map(Json),
        raw(&edit.cause),
        raw(&edit.workaround),
        edit.owner.as_ref().map(Text),
        At(db.now())
    ])?;
    Ok(())
}

pub fn touch(db: &Db<'_>, number: ProblemNumber) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("UPDATE problem SET version = version + 1, updated_at = ?2 WHERE serial = ?1")?;
    statement.execute(params![number.0, At(db.now())])?;
    Ok(())
}

pub fn set_state(
    db: &Db<'_>,
    number: ProblemNumber,
    state: ProblemState,
    resolution: Option<&ProblemResolution>,
) -> Result<(), StoreError> {
    let sql = "UPDATE problem SET state = ?2, version = version + 1, updated_at = ?3, cause = coalesce(?4, cause), resolution = ?5,
               resolved_at = iif(?2 = 'resolved', ?3, NULL) WHERE serial = ?1";
    let (cause, told) = (resolution.map(|told| told.cause.raw()), resolution.map(|told| told.resolution.raw()));
    db.sql().prepare_cached(sql)?.execute(params![number.0, Text(state), At(db.now()), cause, told])?;
    Ok(())
}

pub fn set_problem(db: &Db<'_>, fault: FaultId, number: Option<ProblemNumber>) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("UPDATE fault SET problem = ?2 WHERE id = ?1")?;
    statement.execute(params![Text(fault), number.map(|number| number.0)])?;
    Ok(())
}

pub fn open_faults(db: &Db<'_>, number: ProblemNumber) -> Result<Vec<Fault>, StoreError> {
    let sql = format!("{FAULT_VIEW} WHERE f.problem = ?1 AND {IS_OPEN} ORDER BY f.id");
    let mut statement = db.sql().prepare_cached(&sql)?;
    Ok(statement.query_map([number.0], |row| fault(row, &Scope::All))?.collect::<Result<_, _>>()?)
}

/// Serials compare by length first: `SN9` comes before `SN10`.
const FITS: &str = "(?1 IS NULL OR e.product = ?1) AND (?2 IS NULL OR e.model = ?2)
    AND (?3 IS NULL OR (length(e.serial), e.serial) >= (length(?3), ?3)) AND (?4 IS NULL OR (length(e.serial), e.serial) <= (length(?4), ?4))
    AND (?5 = '[]' OR e.software IN (SELECT value FROM json_each(?5)))";

fn values(fits: &Fits) -> Result<Vec<Option<String>>, StoreError> {
    let raw = |text: &Option<Printable>| text.as_ref().map(|text| text.raw().to_owned());
    let software = serde_json::to_string(&fits.software).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    Ok(vec![raw(&fits.product), raw(&fits.model), raw(&fits.serial_from), raw(&fits.serial_to), Some(software)])
}

pub fn matching_equipment(db: &Db<'_>, fits: &Fits) -> Result<Vec<MatchingEquipment>, StoreError> {
    let sql = format!(
        "SELECT c.code, e.handle, e.product, e.model, e.serial, e.software FROM equipment e JOIN customer c ON c.id = e.customer
         WHERE {FITS} ORDER BY c.code, e.handle LIMIT {MOST_MATCHES}"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values(fits)?), |row| {
        let text = |index| -> rusqlite::Result<Printable> { Ok(Printable::new(row.get::<_, String>(index)?)) };
        let name = NeName { customer: row.get::<_, Text<_>>(0)?.0, handle: row.get::<_, Text<_>>(1)?.0 };
        Ok(MatchingEquipment { name, product: text(2)?, model: text(3)?, serial: text(4)?, software: text(5)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn matching_faults(db: &Db<'_>, fits: &Fits) -> Result<Vec<Fault>, StoreError> {
    let sql = format!(
        "{FAULT_VIEW} WHERE {IS_OPEN} AND f.problem IS NULL AND {FITS} AND e.id IS NOT NULL ORDER BY f.id DESC LIMIT {MOST_MATCHES}"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    Ok(statement.query_map(params_from_iter(values(fits)?), |row| fault(row, &Scope::All))?.collect::<Result<_, _>>()?)
}

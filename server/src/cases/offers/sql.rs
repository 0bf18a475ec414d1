use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{Cited, Deflection, NewOffer, OfferRecord, ShownRecord};
use lineman_common::id::{CustomerId, DeflectionId, EquipmentId, FaultId, OfferId};
use lineman_common::name::{CaseNumber, CustomerCode, FaultNumber, PersonName};
use rusqlite::{OptionalExtension, Row, params};

use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// Word for word the condition of the fault's partial indexes.
const IS_OPEN: &str = "f.status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate')";

// ---- Open faults ----------------------------------------------------------------------------------------------------

/// The equipment of a customer's open faults, each with its parent and the parent's.
pub fn places_of_open(db: &Db<'_>, customer: CustomerId) -> Result<HashMap<FaultId, Vec<EquipmentId>>, StoreError> {
    let sql = format!(
        "SELECT f.id, e.id, e.parent, p.parent FROM fault f CROSS JOIN equipment e ON e.id = f.equipment LEFT JOIN equipment p ON p.id = e.parent
         WHERE f.customer = ?1 AND {IS_OPEN}"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map([Text(customer)], |row| Ok((row.get::<_, Text<FaultId>>(0)?.0, chain(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A piece of equipment, its parent, and the parent's.
pub fn ancestors(db: &Db<'_>, equipment: EquipmentId) -> Result<Vec<EquipmentId>, StoreError> {
    let sql = "SELECT e.id, e.parent, p.parent FROM equipment e LEFT JOIN equipment p ON p.id = e.parent WHERE e.id = ?1";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_row([Text(equipment)], |row| chain(row, 0)).optional()?.unwrap_or_default())
}

fn chain(row: &Row<'_>, from: usize) -> rusqlite::Result<Vec<EquipmentId>> {
    let mut chain = Vec::new();
    for index in from..from + 3 {
        chain.extend(row.get::<_, Option<Text<EquipmentId>>>(index)?.map(|id| id.0));
    }
    Ok(chain)
}

/// The types of the alarms of a customer's open faults.
pub fn alarms_of_open(db: &Db<'_>, customer: CustomerId) -> Result<HashMap<FaultId, HashSet<String>>, StoreError> {
    let sql = format!(
        "SELECT f.id, a.alarm_type FROM fault f CROSS JOIN alarm a ON a.fault = f.id WHERE f.customer = ?1 AND {IS_OPEN} LIMIT 20000"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let mut rows = statement.query([Text(customer)])?;
    let mut alarms: HashMap<FaultId, HashSet<String>> = HashMap::new();
    while let Some(row) = rows.next()? {
        alarms.entry(row.get::<_, Text<FaultId>>(0)?.0).or_default().insert(row.get(1)?);
    }
    Ok(alarms)
}

/// The types of the alarms that are raised on a piece of equipment.
pub fn raised_on(db: &Db<'_>, equipment: EquipmentId) -> Result<HashSet<String>, StoreError> {
    let sql = "SELECT DISTINCT alarm_type FROM alarm WHERE equipment = ?1 AND state = 'raised' LIMIT 100";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_map([Text(equipment)], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

// ---- Signals --------------------------------------------------------------------------------------------------------

/// What was stored of an offer before.
pub struct Before {
    pub none_fits: bool,
}

pub fn offer(db: &Db<'_>, person: &PersonName, id: OfferId) -> Result<Option<Before>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT none_fits FROM case_offer WHERE person = ?1 AND id = ?2")?;
    Ok(statement.query_row(params![Text(person), Text(id)], |row| Ok(Before { none_fits: row.get(0)? })).optional()?)
}

pub fn insert_offer(
    db: &Db<'_>,
    person: &PersonName,
    new: &NewOffer,
    query: &str,
    customer: Option<CustomerId>,
    fault: Option<FaultId>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO case_offer(person, id, customer, fault, place, query, none_fits, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(person),
        Text(new.offer),
        customer.map(Text),
        fault.map(Text),
        Text(new.place),
        query,
        new.none_fits,
        At(db.now())
    ])?;
    Ok(())
}

pub fn insert_shown(db: &Db<'_>, person: &PersonName, id: OfferId, position: u32, case: CaseNumber, score: f64) -> Result<(), StoreError> {
    let sql = "INSERT INTO case_offered(person, id, position, number, score) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.sql().prepare_cached(sql)?.execute(params![Text(person), Text(id), position, case.0, score])?;
    Ok(())
}

pub fn set_opened(db: &Db<'_>, person: &PersonName, id: OfferId, case: CaseNumber) -> Result<(), StoreError> {
    let sql = "UPDATE case_offered SET opened = 1 WHERE person = ?1 AND id = ?2 AND number = ?3";
    db.sql().prepare_cached(sql)?.execute(params![Text(person), Text(id), case.0])?;
    Ok(())
}

pub fn set_cited(db: &Db<'_>, person: &PersonName, id: OfferId, cited: Cited) -> Result<(), StoreError> {
    let sql = "UPDATE case_offered SET cited = ?4 WHERE person = ?1 AND id = ?2 AND number = ?3";
    db.sql().prepare_cached(sql)?.execute(params![Text(person), Text(id), cited.case.0, Text(cited.verdict)])?;
    Ok(())
}

/// What came later: the fault that was filed in the end, and that nothing fitted.
pub fn add_to_offer(db: &Db<'_>, person: &PersonName, id: OfferId, fault: Option<FaultId>, none_fits: bool) -> Result<(), StoreError> {
    let sql = "UPDATE case_offer SET fault = coalesce(?3, fault), none_fits = none_fits OR ?4 WHERE person = ?1 AND id = ?2";
    db.sql().prepare_cached(sql)?.execute(params![Text(person), Text(id), fault.map(Text), none_fits])?;
    Ok(())
}

/// Offers after a place, oldest first; with what comes next.
pub fn offers(db: &Db<'_>, after: Option<(Timestamp, OfferId)>, limit: u32) -> Result<Vec<OfferRecord>, StoreError> {
    let sql = "SELECT o.id, o.place, o.query, c.code, k.code, f.serial, o.person, o.at, o.none_fits FROM case_offer o
               LEFT JOIN customer c ON c.id = o.customer LEFT JOIN fault f ON f.id = o.fault LEFT JOIN customer k ON k.id = f.customer
               WHERE (o.at, o.id) > (?1, ?2) ORDER BY o.at, o.id LIMIT ?3";
    let mut statement = db.sql().prepare_cached(sql)?;
    let (at, id) = after.map_or((i64::MIN, String::new()), |(at, id)| (at.as_microsecond(), id.to_string()));
    let rows = statement.query_map(params![at, id, limit], |row| {
        let fault = match (row.get::<_, Option<Text<CustomerCode>>>(4)?, row.get(5)?) {
            (Some(Text(customer)), Some(serial)) => Some(FaultNumber { customer, serial }),
            _ => None,
        };
        Ok(OfferRecord {
            offer: row.get::<_, Text<_>>(0)?.0,
            place: row.get::<_, Text<_>>(1)?.0,
            query: Printable::new(row.get::<_, String>(2)?),
            customer: row.get::<_, Option<Text<_>>>(3)?.map(|code| code.0),
            fault,
            person: row.get::<_, Text<_>>(6)?.0,
            at: row.get::<_, At>(7)?.0,
            none_fits: row.get(8)?,
            shown: Vec::new(),
        })
    })?;
    let mut offers: Vec<OfferRecord> = rows.collect::<Result<_, _>>()?;
    for offer in &mut offers {
        offer.shown = shown(db, &offer.person, offer.offer)?;
    }
    Ok(offers)
}

fn shown(db: &Db<'_>, person: &PersonName, id: OfferId) -> Result<Vec<ShownRecord>, StoreError> {
    let sql = "SELECT position, number, score, opened, cited FROM case_offered WHERE person = ?1 AND id = ?2 ORDER BY position";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![Text(person), Text(id)], |row| {
        Ok(ShownRecord {
            position: row.get(0)?,
            case: CaseNumber(row.get(1)?),
            score: row.get(2)?,
            opened: row.get(3)?,
            cited: row.get::<_, Option<Text<_>>>(4)?.map(|verdict| verdict.0),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn months(db: &Db<'_>) -> Result<u32, StoreError> {
    Ok(db.sql().prepare_cached("SELECT months FROM case_signal_setting")?.query_row([], |row| row.get(0))?)
}

pub fn set_months(db: &Db<'_>, months: u32) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE case_signal_setting SET months = ?1")?.execute([months])?;
    Ok(())
}

/// Forgets some of what is older; answers how many offers.
pub fn forget(db: &Db<'_>, before: Timestamp, most: u32) -> Result<usize, StoreError> {
    let old = "SELECT person, id FROM case_offer WHERE at < ?1 ORDER BY at, id LIMIT ?2";
    let sql = format!("DELETE FROM case_offer WHERE (person, id) IN ({old})");
    Ok(db.sql().prepare_cached(&sql)?.execute(params![At(before), most])?)
}

// ---- Deflections ----------------------------------------------------------------------------------------------------

pub struct NewRow<'a> {
    pub id: DeflectionId,
    pub case: CaseNumber,
    pub customer: Option<CustomerId>,
    pub offer: Option<OfferId>,
    pub question: &'a str,
    pub person: &'a PersonName,
}

pub fn insert_deflection(db: &Db<'_>, new: &NewRow<'_>) -> Result<(), StoreError> {
    let sql = "INSERT INTO case_deflection(id, number, customer, offer, question, person, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(new.id),
        new.case.0,
        new.customer.map(Text),
        new.offer.map(Text),
        new.question,
        Text(new.person),
        At(db.now())
    ])?;
    Ok(())
}

const DEFLECTION: &str = "SELECT d.id, d.number, d.question, c.code, d.person, d.at, d.undone_at FROM case_deflection d
    LEFT JOIN customer c ON c.id = d.customer WHERE (?1 IS NULL OR d.customer = ?1)";

fn deflection(row: &Row<'_>) -> rusqlite::Result<Deflection> {
    Ok(Deflection {
        id: row.get::<_, Text<_>>(0)?.0,
        case: CaseNumber(row.get(1)?),
        question: Printable::new(row.get::<_, String>(2)?),
        customer: row.get::<_, Option<Text<_>>>(3)?.map(|code| code.0),
        by: row.get::<_, Text<_>>(4)?.0,
        at: row.get::<_, At>(5)?.0,
        undone_at: row.get::<_, Option<At>>(6)?.map(|at| at.0),
    })
}

pub fn get_deflection(db: &Db<'_>, scope: &Scope, id: DeflectionId) -> Result<Option<Deflection>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{DEFLECTION} AND d.id = ?2"))?;
    Ok(statement.query_row(params![scope.customer(), Text(id)], deflection).optional()?)
}

/// Newest first; ids sort by time.
pub fn deflections(db: &Db<'_>, scope: &Scope, after: Option<DeflectionId>, limit: u32) -> Result<Vec<Deflection>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{DEFLECTION} AND (?2 IS NULL OR d.id < ?2) ORDER BY d.id DESC LIMIT ?3"))?;
    let rows = statement.query_map(params![scope.customer(), after.map(Text), limit], deflection)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn undo_deflection(db: &Db<'_>, id: DeflectionId, person: &PersonName) -> Result<(), StoreError> {
    let sql = "UPDATE case_deflection SET undone_at = ?2, undone_by = ?3 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), At(db.now()), Text(person)])?;
    Ok(())
}

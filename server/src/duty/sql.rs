use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::alarm::Severity;
use lineman_common::api::{HandedFault, Handover, Inside, OfficeName, Taken};
use lineman_common::id::{ConsentId, EquipmentId, FaultId, HandoverId, SessionId, TerminalId};
use lineman_common::name::{CustomerCode, FaultNumber, NeName, PersonName};
use rusqlite::{OptionalExtension, Row, params};

use super::{InsideFilter, Place};
use crate::offices::Subject;
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

const IS_OPEN: &str = "f.status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate')";

const SUBJECT: &str = "c.code, q.site, s.zone, q.product";

fn subject(row: &Row<'_>, severity: Severity) -> rusqlite::Result<Subject> {
    Ok(Subject {
        customer: row.get::<_, Text<_>>(0)?.0,
        site: row.get::<_, Option<Text<_>>>(1)?.map(|t| t.0),
        zone: row.get(2)?,
        product: row.get(3)?,
        severity,
    })
}

pub fn subject_of_fault(db: &Db<'_>, fault: FaultId) -> Result<Subject, StoreError> {
    let sql = format!(
        "SELECT {SUBJECT}, f.severity FROM fault f JOIN customer c ON c.id = f.customer
         LEFT JOIN equipment q ON q.id = f.equipment LEFT JOIN site s ON s.id = q.site WHERE f.id = ?1"
    );
    Ok(db.sql().prepare_cached(&sql)?.query_row([Text(fault)], |row| subject(row, row.get::<_, Text<_>>(4)?.0))?)
}

pub fn subject_of_equipment(db: &Db<'_>, device: EquipmentId, severity: Severity) -> Result<Subject, StoreError> {
    let sql =
        format!("SELECT {SUBJECT} FROM equipment q JOIN customer c ON c.id = q.customer LEFT JOIN site s ON s.id = q.site WHERE q.id = ?1");
    Ok(db.sql().prepare_cached(&sql)?.query_row([Text(device)], |row| subject(row, severity))?)
}

// ---- Where faults are -----------------------------------------------------------------------------------------------

const PLACE: &str = "d.fault, d.office, d.proposed, d.skills, d.level, d.since, d.why, d.trail";

fn place(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place {
        fault: row.get::<_, Text<_>>(0)?.0,
        office: row.get::<_, Text<_>>(1)?.0,
        proposed: row.get::<_, Option<Text<_>>>(2)?.map(|t| t.0),
        skills: row.get::<_, Json<_>>(3)?.0,
        level: row.get(4)?,
        since: row.get::<_, At>(5)?.0,
        why: row.get(6)?,
        trail: row.get::<_, Json<_>>(7)?.0,
    })
}

pub fn place_of(db: &Db<'_>, fault: FaultId) -> Result<Option<Place>, StoreError> {
    let sql = format!("SELECT {PLACE} FROM fault_duty d WHERE d.fault = ?1");
    Ok(db.sql().prepare_cached(&sql)?.query_row([Text(fault)], place).optional()?)
}

pub fn put_place(db: &Db<'_>, place: &Place) -> Result<(), StoreError> {
    let sql = "INSERT INTO fault_duty(fault, office, proposed, skills, level, since, why, trail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT(fault) DO UPDATE SET office = excluded.office, proposed = excluded.proposed, skills = excluded.skills,
               level = excluded.level, since = excluded.since, why = excluded.why, trail = excluded.trail";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(place.fault),
        Text(&place.office),
        place.proposed.as_ref().map(Text),
        Json(&place.skills),
        place.level,
        At(place.since),
        place.why,
        Json(&place.trail)
    ])?;
    Ok(())
}

/// Open faults that are with an office, or that a person owns; newest first.
pub fn open_places(
    db: &Db<'_>,
    office: Option<&OfficeName>,
    owner: Option<&PersonName>,
    after: Option<FaultId>,
    limit: u32,
) -> Result<Vec<FaultId>, StoreError> {
    let sql = format!(
        "SELECT f.id FROM fault f LEFT JOIN fault_duty d ON d.fault = f.id
         WHERE {IS_OPEN} AND (?1 IS NULL OR d.office = ?1) AND (?2 IS NULL OR f.owner = ?2) AND (?3 IS NULL OR f.id < ?3)
         ORDER BY f.id DESC LIMIT ?4"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows =
        statement.query_map(params![office.map(Text), owner.map(Text), after.map(Text), limit], |row| Ok(row.get::<_, Text<_>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Open faults of one office, for a hand-over.
pub fn handed(db: &Db<'_>, office: &OfficeName, limit: u32) -> Result<Vec<HandedFault>, StoreError> {
    let sql = format!(
        "SELECT c.code, f.serial, f.title, f.severity, f.status, f.owner FROM fault_duty d
         JOIN fault f ON f.id = d.fault JOIN customer c ON c.id = f.customer
         WHERE d.office = ?1 AND {IS_OPEN} ORDER BY f.id LIMIT ?2"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![Text(office), limit], |row| {
        Ok(HandedFault {
            number: FaultNumber { customer: row.get::<_, Text<_>>(0)?.0, serial: row.get(1)? },
            title: Printable::new(row.get::<_, String>(2)?),
            severity: row.get::<_, Text<_>>(3)?.0,
            status: row.get::<_, Text<_>>(4)?.0,
            owner: row.get::<_, Option<Text<_>>>(5)?.map(|t| t.0),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Open faults that a person owns, or is proposed for while nobody owns them. One fault doesn't count.
pub fn load(db: &Db<'_>, person: &PersonName, but: Option<FaultId>) -> Result<u32, StoreError> {
    let sql = format!(
        "SELECT (SELECT count(*) FROM fault f WHERE f.owner = ?1 AND {IS_OPEN} AND f.id IS NOT ?2)
              + (SELECT count(*) FROM fault_duty d JOIN fault f ON f.id = d.fault
                 WHERE d.proposed = ?1 AND f.owner IS NULL AND {IS_OPEN} AND f.id IS NOT ?2)"
    );
    Ok(db.sql().prepare_cached(&sql)?.query_row(params![Text(person), but.map(Text)], |row| row.get(0))?)
}

/// An open fault, as workload is counted.
pub struct OpenFault {
    pub id: FaultId,
    pub number: FaultNumber,
    pub severity: Severity,
    pub reported_at: Timestamp,
    pub owner: Option<PersonName>,
    pub office: Option<OfficeName>,
    pub proposed: Option<PersonName>,
    /// A clock of it has warned at 75 % or more.
    pub warned: bool,
}

pub fn open_faults(db: &Db<'_>) -> Result<Vec<OpenFault>, StoreError> {
    let sql = format!(
        "SELECT f.id, c.code, f.serial, f.severity, f.reported_at, f.owner, d.office, d.proposed,
                EXISTS (SELECT 1 FROM clock_heard h WHERE h.fault = f.id AND h.percent >= 75)
         FROM fault f JOIN customer c ON c.id = f.customer LEFT JOIN fault_duty d ON d.fault = f.id WHERE {IS_OPEN} ORDER BY f.reported_at"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok(OpenFault {
            id: row.get::<_, Text<_>>(0)?.0,
            number: FaultNumber { customer: row.get::<_, Text<CustomerCode>>(1)?.0, serial: row.get(2)? },
            severity: row.get::<_, Text<_>>(3)?.0,
            reported_at: row.get::<_, At>(4)?.0,
            owner: row.get::<_, Option<Text<_>>>(5)?.map(|t| t.0),
            office: row.get::<_, Option<Text<_>>>(6)?.map(|t| t.0),
            proposed: row.get::<_, Option<Text<_>>>(7)?.map(|t| t.0),
            warned: row.get(8)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that a clock's warning was heard; false when it was before.
pub fn note_heard(db: &Db<'_>, fault: FaultId, clock: &str, percent: u8, target_s: i64) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached("INSERT INTO clock_heard VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?;
    Ok(statement.execute(params![Text(fault), clock, percent, target_s])? == 1)
}

// ---- Who is inside --------------------------------------------------------------------------------------------------

/// Engineers and faults of live sessions.
pub fn live_sessions(db: &Db<'_>) -> Result<Vec<(PersonName, FaultId)>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT engineer, fault FROM session WHERE ended_at IS NULL")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Text<_>>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Live sessions, the oldest first.
pub fn inside(db: &Db<'_>, scope: &Scope, filter: &InsideFilter) -> Result<Vec<Inside>, StoreError> {
    let sql = "SELECT s.id, s.engineer, c.code, e.handle, s.account, f.serial, s.consent, n.grade, n.doors, s.started_at, n.live_until,
            (SELECT json_group_array(t.terminal) FROM open_terminal t WHERE t.consent = s.consent)
        FROM session s JOIN consent n ON n.id = s.consent JOIN fault f ON f.id = s.fault
        JOIN customer c ON c.id = s.customer JOIN equipment e ON e.id = s.equipment
        WHERE s.ended_at IS NULL AND (?1 IS NULL OR s.customer = ?1) AND (?2 IS NULL OR s.equipment = ?2)
          AND (?3 IS NULL OR s.engineer = ?3) AND (?4 IS NULL OR s.id > ?4)
        ORDER BY s.id LIMIT ?5";
    let now = db.now();
    let mut statement = db.sql().prepare_cached(sql)?;
    let InsideFilter { device, engineer, after, limit } = filter;
    let rows =
        statement.query_map(params![scope.customer(), device.map(Text), engineer.as_ref().map(Text), after.map(Text), limit], |row| {
            let Text(customer): Text<CustomerCode> = row.get(2)?;
            let live_until = row.get::<_, Option<At>>(10)?.map(|at| at.0);
            Ok(Inside {
                session: row.get::<_, Text<SessionId>>(0)?.0,
                engineer: row.get::<_, Text<_>>(1)?.0,
                fault: FaultNumber { customer: customer.clone(), serial: row.get(5)? },
                device: NeName { customer, handle: row.get::<_, Text<_>>(3)?.0 },
                account: row.get(4)?,
                consent: row.get::<_, Text<_>>(6)?.0,
                grade: row.get::<_, Option<Text<_>>>(7)?.map(|t| t.0),
                doors: row.get::<_, Option<Text<_>>>(8)?.map(|t| t.0),
                since: row.get::<_, At>(9)?.0,
                live_until,
                left_s: live_until.map(|until| u64::try_from(until.duration_since(now).as_secs()).unwrap_or(0)),
                terminals: row.get::<_, Json<_>>(11)?.0,
            })
        })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn put_terminal(db: &Db<'_>, terminal: TerminalId, consent: ConsentId) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("INSERT INTO open_terminal VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    statement.execute(params![Text(terminal), Text(consent)])?;
    Ok(())
}

pub fn delete_terminal(db: &Db<'_>, terminal: TerminalId) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM open_terminal WHERE terminal = ?1")?.execute([Text(terminal)])?;
    Ok(())
}

pub fn delete_terminals(db: &Db<'_>) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM open_terminal")?.execute([])?;
    Ok(())
}

// ---- Hand-overs -----------------------------------------------------------------------------------------------------

const HANDOVER: &str = "SELECT id, office, at, person, note, incoming, faults, taken_at, taken_by, taken_note FROM handover";

fn handover(row: &Row<'_>) -> rusqlite::Result<Handover> {
    let taken = match (row.get::<_, Option<At>>(7)?, row.get::<_, Option<Text<_>>>(8)?, row.get::<_, Option<String>>(9)?) {
        (Some(At(at)), Some(Text(by)), Some(note)) => Some(Taken { at, by, note: Printable::new(note) }),
        _ => None,
    };
    Ok(Handover {
        id: row.get::<_, Text<_>>(0)?.0,
        office: row.get::<_, Text<_>>(1)?.0,
        at: row.get::<_, At>(2)?.0,
        by: row.get::<_, Text<_>>(3)?.0,
        note: Printable::new(row.get::<_, String>(4)?),
        to: row.get::<_, Json<_>>(5)?.0,
        faults: row.get::<_, Json<_>>(6)?.0,
        taken,
    })
}

pub fn insert_handover(db: &Db<'_>, new: &Handover) -> Result<(), StoreError> {
    let sql = "INSERT INTO handover(id, office, at, person, note, incoming, faults) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(new.id),
        Text(&new.office),
        At(new.at),
        Text(&new.by),
        new.note.raw(),
        Json(&new.to),
        Json(&new.faults)
    ])?;
    Ok(())
}

pub fn get_handover(db: &Db<'_>, id: HandoverId) -> Result<Option<Handover>, StoreError> {
    Ok(db.sql().prepare_cached(&format!("{HANDOVER} WHERE id = ?1"))?.query_row([Text(id)], handover).optional()?)
}

/// Newest first.
pub fn handovers(
    db: &Db<'_>,
    office: &OfficeName,
    waiting: bool,
    after: Option<HandoverId>,
    limit: u32,
) -> Result<Vec<Handover>, StoreError> {
    let sql =
        format!("{HANDOVER} WHERE office = ?1 AND (NOT ?2 OR taken_at IS NULL) AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT ?4");
    let mut statement = db.sql().prepare_cached(&sql)?;
    Ok(statement.query_map(params![Text(office), waiting, after.map(Text), limit], handover)?.collect::<Result<_, _>>()?)
}

pub fn set_taken(db: &Db<'_>, id: HandoverId, taken: &Taken) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("UPDATE handover SET taken_at = ?2, taken_by = ?3, taken_note = ?4 WHERE id = ?1")?;
    statement.execute(params![Text(id), At(taken.at), Text(&taken.by), taken.note.raw()])?;
    Ok(())
}

use lineman_common::Printable;
use lineman_common::api::FaultLink;
use lineman_common::fault::LinkKind;
use lineman_common::id::FaultId;
use lineman_common::name::{CustomerCode, FaultNumber};
use rusqlite::{OptionalExtension, params};

use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};

pub fn has(db: &Db<'_>, fault: FaultId, kind: LinkKind, other: FaultId) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT 1 FROM fault_link WHERE fault = ?1 AND kind = ?2 AND other = ?3")?;
    Ok(statement.query_row(params![Text(fault), Text(kind), Text(other)], |_| Ok(())).optional()?.is_some())
}

/// Answers whether it is new.
pub fn insert(db: &Db<'_>, fault: FaultId, kind: LinkKind, other: FaultId, person: &str) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached("INSERT OR IGNORE INTO fault_link VALUES (?1, ?2, ?3, ?4, ?5)")?;
    Ok(statement.execute(params![Text(fault), Text(kind), Text(other), person, At(db.now())])? > 0)
}

pub fn delete(db: &Db<'_>, one: FaultId, other: FaultId) -> Result<usize, StoreError> {
    let sql = "DELETE FROM fault_link WHERE (fault = ?1 AND other = ?2) OR (fault = ?2 AND other = ?1)";
    Ok(db.sql().prepare_cached(sql)?.execute([Text(one), Text(other)])?)
}

/// The fault and all that were merged into it, whether at once or by way of another.
pub const WITH_MERGED: &str = "WITH RECURSIVE family(id) AS
    (SELECT ?1 UNION SELECT f.id FROM fault f JOIN family ON f.duplicate_of = family.id WHERE f.status = 'duplicate')";

pub fn of_fault(db: &Db<'_>, fault: FaultId) -> Result<Vec<FaultLink>, StoreError> {
    let sql = format!(
        "{WITH_MERGED}
         SELECT c.code, own.serial, l.kind, other.serial, other.status, other.title, l.person, l.at, l.turned FROM
           (SELECT fault AS own, kind, other, person, at, 0 AS turned FROM fault_link WHERE fault IN family
            UNION ALL SELECT other, kind, fault, person, at, 1 FROM fault_link WHERE other IN family) l
         JOIN fault own ON own.id = l.own JOIN fault other ON other.id = l.other JOIN customer c ON c.id = own.customer
         WHERE l.other NOT IN family ORDER BY l.at, other.serial"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map([Text(fault)], |row| {
        let Text(customer): Text<CustomerCode> = row.get(0)?;
        let Text(kind): Text<LinkKind> = row.get(2)?;
        Ok(FaultLink {
            fault: FaultNumber { customer: customer.clone(), serial: row.get(1)? },
            kind: if row.get(8)? { kind.turned() } else { kind },
            to: FaultNumber { customer, serial: row.get(3)? },
            status: row.get::<_, Text<_>>(4)?.0,
            title: Printable::new(row.get::<_, String>(5)?),
            by: row.get(6)?,
            at: row.get::<_, At>(7)?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn open_blockers(db: &Db<'_>, fault: FaultId) -> Result<Vec<FaultNumber>, StoreError> {
    let sql = "SELECT c.code, f.serial FROM fault_link l JOIN fault f ON f.id = l.fault JOIN customer c ON c.id = f.customer
               WHERE l.other = ?1 AND l.kind = 'blocks' AND f.status IN ('reported', 'accepted', 'in_progress', 'pending', 'restored')
               ORDER BY f.serial";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([Text(fault)], |row| Ok(FaultNumber { customer: row.get::<_, Text<_>>(0)?.0, serial: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

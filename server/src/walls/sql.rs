use std::collections::HashMap;

use lineman_common::Printable;
use lineman_common::api::{WallAgents, WallProduct, WallSession, WallToken};
use lineman_common::id::{CustomerId, FaultId, WallId};
use lineman_common::name::{CustomerCode, FaultNumber, NeName, PersonName};
use rusqlite::{OptionalExtension, Row, params};

use super::board::Head;
use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

// ---- Tokens ---------------------------------------------------------------------------------------------------------

const TOKEN: &str = "SELECT w.id, w.name, c.code, w.created_at, w.created_by, w.last_used_at, w.revoked_at, w.revoked_by
    FROM wall_token w LEFT JOIN customer c ON c.id = w.customer";

fn token(row: &Row<'_>) -> rusqlite::Result<WallToken> {
    Ok(WallToken {
        id: row.get::<_, Text<_>>(0)?.0,
        name: Printable::new(row.get::<_, String>(1)?),
        customer: row.get::<_, Option<Text<_>>>(2)?.map(|t| t.0),
        created_at: row.get::<_, At>(3)?.0,
        created_by: row.get::<_, Text<_>>(4)?.0,
        last_used_at: row.get::<_, Option<At>>(5)?.map(|at| at.0),
        revoked_at: row.get::<_, Option<At>>(6)?.map(|at| at.0),
        revoked_by: row.get::<_, Option<Text<_>>>(7)?.map(|t| t.0),
    })
}

pub fn is_taken(db: &Db<'_>, name: &Printable) -> Result<bool, StoreError> {
    Ok(db.sql().prepare_cached("SELECT 1 FROM wall_token WHERE name = ?1 AND revoked_at IS NULL")?.exists([name.raw()])?)
}

pub fn insert(db: &Db<'_>, wall: &WallToken, customer: Option<CustomerId>, sha256: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO wall_token(id, name, sha256, customer, created_at, created_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(wall.id),
        wall.name.raw(),
        sha256,
        customer.map(Text),
        At(wall.created_at),
        Text(&wall.created_by)
    ])?;
    Ok(())
}

/// Those that are good first, then the newest.
pub fn list(db: &Db<'_>) -> Result<Vec<WallToken>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{TOKEN} ORDER BY w.revoked_at IS NOT NULL, w.id DESC LIMIT 500"))?;
    Ok(statement.query_map([], token)?.collect::<Result<_, _>>()?)
}

pub fn get(db: &Db<'_>, id: WallId) -> Result<Option<WallToken>, StoreError> {
    Ok(db.sql().prepare_cached(&format!("{TOKEN} WHERE w.id = ?1"))?.query_row([Text(id)], token).optional()?)
}

pub fn revoke(db: &Db<'_>, id: WallId, by: &PersonName) -> Result<(), StoreError> {
    let sql = "UPDATE wall_token SET revoked_at = ?2, revoked_by = ?3 WHERE id = ?1 AND revoked_at IS NULL";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), At(db.now()), Text(by)])?;
    Ok(())
}

/// A token that is good.
pub struct Found {
    pub id: WallId,
    pub name: Printable,
    pub customer: Option<(CustomerId, CustomerCode)>,
    pub last_used_at: Option<jiff::Timestamp>,
}

pub fn by_token(db: &Db<'_>, sha256: &str) -> Result<Option<Found>, StoreError> {
    let sql = "SELECT w.id, w.name, c.id, c.code, w.last_used_at FROM wall_token w LEFT JOIN customer c ON c.id = w.customer
               WHERE w.sha256 = ?1 AND w.revoked_at IS NULL";
    let found = db.sql().prepare_cached(sql)?.query_row([sha256], |row| {
        let customer = match (row.get::<_, Option<Text<_>>>(2)?, row.get::<_, Option<Text<_>>>(3)?) {
            (Some(Text(id)), Some(Text(code))) => Some((id, code)),
            _ => None,
        };
        let name = Printable::new(row.get::<_, String>(1)?);
        Ok(Found { id: row.get::<_, Text<_>>(0)?.0, name, customer, last_used_at: row.get::<_, Option<At>>(4)?.map(|at| at.0) })
    });
    Ok(found.optional()?)
}

pub fn note_use(db: &Db<'_>, id: WallId) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE wall_token SET last_used_at = ?2 WHERE id = ?1")?.execute(params![Text(id), At(db.now())])?;
    Ok(())
}

// ---- What is open ---------------------------------------------------------------------------------------------------

/// Word for word the condition of the index of open faults.
const IS_OPEN: &str = "f.status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate')";

pub fn open_faults(db: &Db<'_>) -> Result<Vec<FaultId>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("SELECT f.id FROM fault f WHERE {IS_OPEN} ORDER BY f.id"))?;
    Ok(statement.query_map([], |row| Ok(row.get::<_, Text<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

/// A fault's row, if it is open.
pub fn open_fault(db: &Db<'_>, id: FaultId) -> Result<Option<Head>, StoreError> {
    let sql = format!(
        "SELECT c.code, f.serial, f.title, f.severity, f.status, f.equipment, e.handle, e.site, f.owner
         FROM fault f JOIN customer c ON c.id = f.customer LEFT JOIN equipment e ON e.id = f.equipment WHERE f.id = ?1 AND {IS_OPEN}"
    );
    let found = db.sql().prepare_cached(&sql)?.query_row([Text(id)], |row| {
        let Text(customer): Text<CustomerCode> = row.get(0)?;
        Ok(Head {
            title: Printable::new(row.get::<_, String>(2)?),
            severity: row.get::<_, Text<_>>(3)?.0,
            status: row.get::<_, Text<_>>(4)?.0,
            device: row.get::<_, Option<Text<_>>>(5)?.map(|t| t.0),
            equipment: row.get::<_, Option<Text<_>>>(6)?.map(|Text(handle)| NeName { customer: customer.clone(), handle }),
            site: row.get::<_, Option<Text<_>>>(7)?.map(|t| t.0),
            owner: row.get::<_, Option<Text<_>>>(8)?.map(|t| t.0),
            number: FaultNumber { customer, serial: row.get(1)? },
        })
    });
    Ok(found.optional()?)
}

pub fn sessions(db: &Db<'_>, scope: &Scope, limit: u32) -> Result<Vec<WallSession>, StoreError> {
    let sql = "SELECT s.id, c.code, f.serial, e.handle, s.engineer, s.started_at,
            (SELECT count(*) FROM recording_view v WHERE v.session = s.id AND v.how = 'watch'),
            EXISTS (SELECT 1 FROM recording r WHERE r.equipment = s.equipment AND r.session = s.id)
        FROM session s JOIN customer c ON c.id = s.customer JOIN fault f ON f.id = s.fault JOIN equipment e ON e.id = s.equipment
        WHERE s.ended_at IS NULL AND (?1 IS NULL OR s.customer = ?1) ORDER BY s.started_at LIMIT ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![scope.customer(), limit], |row| {
        let Text(customer): Text<CustomerCode> = row.get(1)?;
        Ok(WallSession {
            id: row.get::<_, Text<_>>(0)?.0,
            fault: FaultNumber { customer: customer.clone(), serial: row.get(2)? },
            device: NeName { customer, handle: row.get::<_, Text<_>>(3)?.0 },
            engineer: row.get::<_, Text<_>>(4)?.0,
            started_at: row.get::<_, At>(5)?.0,
            watchers: row.get(6)?,
            recorded: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

// ---- Devices --------------------------------------------------------------------------------------------------------

pub fn agents(db: &Db<'_>) -> Result<HashMap<CustomerCode, WallAgents>, StoreError> {
    let sql = "SELECT c.code, count(*), sum(coalesce(a.online, 0)) FROM device d JOIN equipment e ON e.id = d.equipment
        JOIN customer c ON c.id = e.customer LEFT JOIN agent a ON a.equipment = d.equipment GROUP BY c.code";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let Text(code): Text<CustomerCode> = row.get(0)?;
        Ok((code, WallAgents { total: row.get(1)?, online: row.get(2)? }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Each device counts once, by its worst alarm that nobody has put aside, or by its agent.
pub fn health(db: &Db<'_>) -> Result<Vec<(CustomerCode, WallProduct)>, StoreError> {
    let sql = "SELECT c.code, e.product,
            sum(w.rank IS NULL AND d.equipment IS NOT NULL AND a.online = 1),
            sum(coalesce(w.rank = 1, d.equipment IS NOT NULL AND coalesce(a.online, 0) = 0)),
            sum(coalesce(w.rank = 0, 0)),
            sum(w.rank IS NULL AND d.equipment IS NULL)
        FROM equipment e JOIN customer c ON c.id = e.customer
        LEFT JOIN device d ON d.equipment = e.id LEFT JOIN agent a ON a.equipment = e.id
        LEFT JOIN (SELECT equipment, min(CASE WHEN severity IN ('critical', 'major') THEN 0 ELSE 1 END) AS rank FROM alarm
            WHERE state = 'raised' AND shelf IS NULL AND maintenance IS NULL AND suppressed_by IS NULL GROUP BY equipment) w
            ON w.equipment = e.id
        GROUP BY c.code, e.product";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let product = Printable::new(row.get::<_, String>(1)?);
        let [ok, warn, bad, unknown] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
        Ok((row.get::<_, Text<CustomerCode>>(0)?.0, WallProduct { product, ok, warn, bad, unknown }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

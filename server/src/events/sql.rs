use jiff::Timestamp;
use lineman_common::id::{CustomerId, EquipmentId, FaultId};
use lineman_common::name::{FaultNumber, NeName};
use rusqlite::{OptionalExtension, Row, params};

use super::{Appended, ChainRow, EventView, Kind, view};
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

const COLUMNS: &str = "e.seq, e.kind, e.customer, e.equipment, e.fault, e.internal, e.actor, e.occurred_at, e.recorded_at, e.text, e.data";

/// With the names that a reader wants to see.
const VIEW: &str = "e.seq, e.kind, e.customer, e.equipment, e.fault, e.internal, e.actor, e.occurred_at, e.recorded_at, e.text, e.data,
    fc.code, f.serial, qc.code, q.handle, e.shown
    FROM event e
    LEFT JOIN fault f ON f.id = e.fault LEFT JOIN customer fc ON fc.id = f.customer
    LEFT JOIN equipment q ON q.id = e.equipment LEFT JOIN customer qc ON qc.id = q.customer";

fn key(customer: Option<CustomerId>) -> String {
    customer.map(|customer| customer.to_string()).unwrap_or_default()
}

/// Where a chain ends: the newest link's hash, how many links there are, and how many of them the customer may see.
#[derive(Default)]
pub struct ChainEnd {
    pub head: String,
    links: i64,
    shown: i64,
}

pub fn chain_end(db: &Db<'_>, customer: Option<CustomerId>) -> Result<ChainEnd, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT head, links, shown FROM event_chain WHERE customer = ?1")?;
    let end = statement.query_row([key(customer)], |row| Ok(ChainEnd { head: row.get(0)?, links: row.get(1)?, shown: row.get(2)? }));
    Ok(end.optional()?.unwrap_or_default())
}

pub fn insert(db: &Db<'_>, event: &Appended, payload: &str, chain: &str, end: &ChainEnd) -> Result<u64, StoreError> {
    let shown = end.shown + i64::from(!event.internal);
    let mut statement = db.sql().prepare_cached(
        "INSERT INTO event(kind, customer, equipment, fault, internal, actor, occurred_at, recorded_at, text, data, payload_sha256, chain_sha256, link, shown)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    let seq = statement.insert(params![
        Text(event.kind),
        key(event.customer),
        event.equipment.map(Text),
        event.fault.map(Text),
        event.internal,
        event.actor,
        At(event.occurred_at),
        At(event.recorded_at),
        event.text,
        Json(&event.data),
        payload,
        chain,
        end.links + 1,
        (!event.internal).then_some(shown)
    ])?;
    db.sql()
        .prepare_cached(
            "INSERT INTO event_chain(customer, head, links, shown) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(customer) DO UPDATE SET head = excluded.head, links = excluded.links, shown = excluded.shown",
        )?
        .execute(params![key(event.customer), chain, end.links + 1, shown])?;
    Ok(seq.unsigned_abs())
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Appended> {
    let customer: String = row.get(2)?;
    Ok(Appended {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        kind: row.get::<_, Text<Kind>>(1)?.0,
        customer: customer.parse().ok(),
        equipment: row.get::<_, Option<Text<_>>>(3)?.map(|t| t.0),
        fault: row.get::<_, Option<Text<_>>>(4)?.map(|t| t.0),
        internal: row.get(5)?,
        actor: row.get(6)?,
        occurred_at: row.get::<_, At>(7)?.0,
        recorded_at: row.get::<_, At>(8)?.0,
        text: row.get(9)?,
        data: row.get::<_, Json<_>>(10)?.0,
    })
}

/// As the scope may see it: a customer's people count what they may see of their own events only.
fn shown(row: &Row<'_>, scope: &Scope) -> rusqlite::Result<EventView> {
    let event = match scope {
        Scope::All => stored(row)?,
        Scope::Customer(_) => Appended { seq: row.get::<_, Option<i64>>(15)?.unwrap_or_default().unsigned_abs(), ..stored(row)? },
    };
    let fault = match (row.get::<_, Option<Text<_>>>(11)?, row.get(12)?) {
        (Some(Text(customer)), Some(serial)) => Some(FaultNumber { customer, serial }),
        _ => None,
    };
    let equipment = match (row.get::<_, Option<Text<_>>>(13)?, row.get::<_, Option<Text<_>>>(14)?) {
        (Some(Text(customer)), Some(Text(handle))) => Some(NeName { customer, handle }),
        _ => None,
    };
    Ok(view(event, fault, equipment))
}

pub fn stored_of_fault(db: &Db<'_>, fault: FaultId) -> Result<Vec<Appended>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("SELECT {COLUMNS} FROM event e WHERE e.fault = ?1 ORDER BY e.seq"))?;
    Ok(statement.query_map([Text(fault)], stored)?.collect::<Result<_, _>>()?)
}

pub fn of_fault(db: &Db<'_>, scope: &Scope, fault: FaultId) -> Result<Vec<EventView>, StoreError> {
    let sql = format!("SELECT {VIEW} WHERE e.fault = ?1 AND (?2 IS NULL OR e.customer = ?2) AND (?3 OR NOT e.internal) ORDER BY e.seq");
    let mut statement = db.sql().prepare_cached(&sql)?;
    Ok(statement
        .query_map(params![Text(fault), scope.customer(), scope.sees_internal()], |row| shown(row, scope))?
        .collect::<Result<_, _>>()?)
}

pub fn presence_of(db: &Db<'_>, device: EquipmentId) -> Result<Vec<(Timestamp, bool)>, StoreError> {
    let sql = "SELECT recorded_at, kind = 'agent.online' FROM event WHERE equipment = ?1 AND kind IN ('agent.online', 'agent.offline') ORDER BY seq";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_map([Text(device)], |row| Ok((row.get::<_, At>(0)?.0, row.get(1)?)))?.collect::<Result<_, _>>()?)
}

pub fn after(db: &Db<'_>, scope: &Scope, seq: u64, limit: u32) -> Result<Vec<EventView>, StoreError> {
    let place = place(scope);
    let sql = format!(
        "SELECT {VIEW} WHERE {place} > ?1 AND (?2 IS NULL OR e.customer = ?2) AND (?3 OR NOT e.internal) ORDER BY {place} LIMIT ?4"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let seq = i64::try_from(seq).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![seq, scope.customer(), scope.sees_internal(), limit], |row| shown(row, scope))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// By what the scope numbers events.
fn place(scope: &Scope) -> &'static str {
    match scope {
        Scope::All => "e.seq",
        Scope::Customer(_) => "e.shown",
    }
}

pub fn newest(db: &Db<'_>, scope: &Scope) -> Result<u64, StoreError> {
    let sql = format!("SELECT coalesce(max({}), 0) FROM event e WHERE ?1 IS NULL OR e.customer = ?1", place(scope));
    let newest: i64 = db.sql().prepare_cached(&sql)?.query_row([scope.customer()], |row| row.get(0))?;
    Ok(newest.unsigned_abs())
}

pub fn chains(db: &Db<'_>, scope: &Scope) -> Result<Vec<ChainRow>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT h.customer, c.code, h.head, h.shown FROM event_chain h LEFT JOIN customer c ON c.id = h.customer
         WHERE ?1 IS NULL OR h.customer = ?1 ORDER BY c.code",
    )?;
    let rows = statement.query_map([scope.customer()], |row| {
        let customer: String = row.get(0)?;
        Ok((customer.parse().ok(), row.get::<_, Option<Text<_>>>(1)?.map(|t| t.0), row.get(2)?, row.get::<_, i64>(3)?.unsigned_abs()))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn walk_chain(
    db: &Db<'_>,
    customer: Option<CustomerId>,
    mut visit: impl FnMut(u64, Kind, Timestamp, Timestamp, &str, &str, &str),
) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT seq, kind, occurred_at, recorded_at, actor, payload_sha256, chain_sha256 FROM event WHERE customer = ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query([key(customer)])?;
    while let Some(row) = rows.next()? {
        let (actor, payload, chain): (String, String, String) = (row.get(4)?, row.get(5)?, row.get(6)?);
        let seq: i64 = row.get(0)?;
        visit(seq.unsigned_abs(), row.get::<_, Text<Kind>>(1)?.0, row.get::<_, At>(2)?.0, row.get::<_, At>(3)?.0, &actor, &payload, &chain);
    }
    Ok(())
}

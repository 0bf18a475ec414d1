use jiff::Timestamp;
use lineman_common::id::{CustomerId, EquipmentId, FaultId};
use lineman_common::name::{FaultNumber, NeName};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

use super::{Appended, Audit, ChainRow, EventView, Kind, News, view};
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

pub fn since(db: &Db<'_>, seq: u64, limit: u32) -> Result<Vec<News>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT seq, kind, equipment, fault FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let rows = statement.query_map(params![i64::try_from(seq).unwrap_or(i64::MAX), limit], |row| {
        Ok(News {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            kind: row.get::<_, Text<Kind>>(1)?.0,
            equipment: row.get::<_, Option<Text<_>>>(2)?.map(|t| t.0),
            fault: row.get::<_, Option<Text<_>>>(3)?.map(|t| t.0),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The place in the log at a moment: the first event that was recorded then or later.
const PLACE_AT: &str = "(SELECT seq FROM event WHERE recorded_at >= ? ORDER BY recorded_at, seq LIMIT 1)";

pub fn count_since(db: &Db<'_>, scope: &Scope, kind: Kind, from: Timestamp) -> Result<u32, StoreError> {
    let place = PLACE_AT.replace('?', "?2");
    let sql = format!("SELECT count(*) FROM event e WHERE e.kind = ?1 AND e.seq >= {place} AND (?3 IS NULL OR e.customer = ?3)");
    Ok(db.sql().prepare_cached(&sql)?.query_row(params![Text(kind), At(from), scope.customer()], |row| row.get(0))?)
}

pub fn newest_of(db: &Db<'_>, scope: &Scope, kind: Kind) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT e.recorded_at FROM event e WHERE e.kind = ?1 AND (?2 IS NULL OR e.customer = ?2) ORDER BY e.seq DESC LIMIT 1";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_row(params![Text(kind), scope.customer()], |row| Ok(row.get::<_, At>(0)?.0)).optional()?)
}

/// Of a customer's log, so many events are looked at for those that a wall shows.
const LOOKED_AT: u32 = 3000;

pub fn newest_shown(db: &Db<'_>, viewer: &Scope, narrowed: &Scope, kinds: &[Kind], limit: u32) -> Result<Vec<EventView>, StoreError> {
    let mut places: Vec<i64> = Vec::new();
    if let Some(customer) = narrowed.customer() {
        let sql = "SELECT seq, kind FROM event WHERE customer = ?1 AND (?2 OR NOT internal) ORDER BY link DESC LIMIT ?3";
        let mut statement = db.sql().prepare_cached(sql)?;
        let mut rows = statement.query(params![customer, viewer.sees_internal(), LOOKED_AT])?;
        while let Some(row) = rows.next()?
            && places.len() < limit as usize
        {
            if kinds.contains(&row.get::<_, Text<Kind>>(1)?.0) {
                places.push(row.get(0)?);
            }
        }
    } else {
        let mut statement = db.sql().prepare_cached("SELECT seq FROM event WHERE kind = ?1 ORDER BY seq DESC LIMIT ?2")?;
        for kind in kinds {
            let rows = statement.query_map(params![Text(*kind), limit], |row| row.get::<_, i64>(0))?;
            places.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        places.sort_unstable_by(|a, b| b.cmp(a));
        places.truncate(limit as usize);
    }
    let mut statement = db.sql().prepare_cached(&format!("SELECT {VIEW} WHERE e.seq = ?1"))?;
    places.into_iter().map(|place| Ok(statement.query_row([place], |row| shown(row, viewer))?)).collect()
}

/// Conditions of a page of the log, as they are asked for: each question finds its index.
fn audit_query(scope: &Scope, ask: &Audit, kind: Option<Kind>) -> (String, Vec<Value>) {
    let own = scope.customer();
    let customer = own.clone().or_else(|| ask.customer.map(|id| id.to_string()));
    let (mut texts, mut values) = (Vec::new(), Vec::new());
    let mut add = |text: String, value: Option<Value>| {
        if let Some(value) = value {
            values.push(value);
            texts.push(text.replace('?', &format!("?{}", values.len())));
        }
    };
    let number = |number: u64| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
    add("e.customer = ?".into(), customer.clone().map(Value::from));
    if own.is_some() {
        add("e.shown < ?".into(), Some(ask.after.map_or(Value::from(i64::MAX), number)));
    } else if customer.is_some() {
        // Along the customer's own chain, from the place of the page before.
        add(
            "e.link < coalesce((SELECT b.link FROM event b WHERE b.seq = ? AND b.customer = e.customer), 9e18)".into(),
            ask.after.map(number),
        );
        add("e.seq < ?".into(), ask.after.map(number));
    } else {
        add("e.seq < ?".into(), ask.after.map(number));
    }
    add("e.kind = ?".into(), kind.map(|kind| Value::from(kind.as_str().to_owned())));
    add("e.actor = ?".into(), ask.actor.clone().map(Value::from));
    add(format!("e.seq >= {PLACE_AT}"), ask.since.map(|at| at.as_microsecond().into()));
    add(format!("e.seq < coalesce({PLACE_AT}, 9223372036854775807)"), ask.until.map(|at| at.as_microsecond().into()));
    let order = match (own.is_some(), customer.is_some() && kind.is_none() && ask.actor.is_none()) {
        (true, _) => "e.shown",
        (false, true) => "e.link",
        (false, false) => "e.seq",
    };
    values.push(ask.limit.into());
    let narrowed = if texts.is_empty() { String::new() } else { format!("WHERE {}", texts.join(" AND ")) };
    (format!("SELECT {VIEW} {narrowed} ORDER BY {order} DESC LIMIT ?{}", values.len()), values)
}

pub fn audit(db: &Db<'_>, scope: &Scope, ask: &Audit, kind: Option<Kind>) -> Result<Vec<EventView>, StoreError> {
    let (sql, values) = audit_query(scope, ask, kind);
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| shown(row, scope))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The customer that the audit list is narrowed to, if the scope knows it.
pub fn customer_by_code(db: &Db<'_>, scope: &Scope, code: &str) -> Result<Option<CustomerId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT id FROM customer WHERE code = ?1 AND (?2 IS NULL OR id = ?2)")?;
    Ok(statement.query_row(params![code, scope.customer()], |row| Ok(row.get::<_, Text<_>>(0)?.0)).optional()?)
}

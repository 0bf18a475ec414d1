use lineman_common::api::Closing;
use lineman_common::id::FaultId;
use rusqlite::params;

use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};

/// What a customer's tier says, or what is said for all others.
const AFTER_S: &str = "SELECT t.after_s FROM fault_closing t WHERE t.tier IN (c.tier, '') ORDER BY t.tier DESC LIMIT 1";

pub fn after_s(db: &Db<'_>, fault: FaultId) -> Result<Option<u32>, StoreError> {
    let sql = format!("SELECT ({AFTER_S}) FROM fault f JOIN customer c ON c.id = f.customer WHERE f.id = ?1");
    Ok(db.sql().prepare_cached(&sql)?.query_row([Text(fault)], |row| row.get(0))?)
}

pub fn settings(db: &Db<'_>) -> Result<Vec<Closing>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT nullif(tier, ''), after_s FROM fault_closing ORDER BY tier")?;
    let rows = statement.query_map([], |row| Ok(Closing { tier: row.get(0)?, after_s: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn set(db: &Db<'_>, closing: &Closing) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("INSERT OR REPLACE INTO fault_closing VALUES (?1, ?2)")?;
    statement.execute(params![closing.tier.as_deref().unwrap_or_default(), closing.after_s])?;
    Ok(())
}

/// Faults that are due, the oldest first. The shortest time of all bounds how far the index is read.
pub fn due(db: &Db<'_>, limit: u32) -> Result<Vec<FaultId>, StoreError> {
    let sql = format!(
        "SELECT f.id FROM fault f JOIN customer c ON c.id = f.customer
         WHERE f.status = 'resolved' AND f.resolved_at <= ?1 - (SELECT coalesce(min(after_s), 0) FROM fault_closing) * 1000000
           AND f.resolved_at + ({AFTER_S}) * 1000000 <= ?1
           AND NOT EXISTS (SELECT 1 FROM fault_activity a WHERE a.fault = f.id AND a.state IN ('planned', 'running'))
         ORDER BY f.resolved_at LIMIT ?2"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![At(db.now()), limit], |row| Ok(row.get::<_, Text<_>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

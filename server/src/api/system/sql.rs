use lineman_common::api::{AgentVersion, SystemCounts, SystemJob};

use crate::store::value::At;
use crate::store::{Db, StoreError};

fn number(db: &Db<'_>, sql: &str) -> Result<u64, StoreError> {
    let number: Option<i64> = db.sql().prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(number.unwrap_or(0).unsigned_abs())
}

pub fn counts(db: &Db<'_>) -> Result<SystemCounts, StoreError> {
    const IS_OPEN: &str = "status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate')";
    Ok(SystemCounts {
        customers: number(db, "SELECT count(*) FROM customer")?,
        sites: number(db, "SELECT count(*) FROM site")?,
        people: number(db, "SELECT count(*) FROM person WHERE disabled_at IS NULL")?,
        equipment: number(db, "SELECT count(*) FROM equipment")?,
        agents_enrolled: number(db, "SELECT count(*) FROM device")?,
        agents_online: number(db, "SELECT count(*) FROM agent WHERE online = 1")?,
        // Each customer's faults are numbered without gaps.
        faults: number(db, "SELECT sum(last_fault) FROM customer")?,
        faults_open: number(db, &format!("SELECT count(*) FROM fault WHERE {IS_OPEN}"))?,
        alarms: number(db, "SELECT sum(alarms) FROM alarm_counts")?,
        sessions: number(db, "SELECT count(*) FROM session")?,
        sessions_live: number(db, "SELECT count(*) FROM session WHERE ended_at IS NULL")?,
        cases: number(db, "SELECT count(*) FROM library_case WHERE state <> 'archived'")?,
        events: number(db, "SELECT max(seq) FROM event")?,
    })
}

pub fn agents(db: &Db<'_>) -> Result<Vec<AgentVersion>, StoreError> {
    let sql =
        "SELECT a.software, count(*) AS agents, sum(coalesce(a.online, 0)) FROM device d LEFT JOIN agent a ON a.equipment = d.equipment
        GROUP BY a.software ORDER BY agents DESC, a.software";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let count = |index| -> rusqlite::Result<u64> { Ok(row.get::<_, i64>(index)?.unsigned_abs()) };
        Ok(AgentVersion { version: row.get(0)?, agents: count(1)?, online: count(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn without_vector(db: &Db<'_>) -> Result<u64, StoreError> {
    number(db, "SELECT count(*) FROM case_vector_due")
}

/// What waits for each of those who work in the background: how much, and the oldest where it has a time.
pub fn jobs(db: &Db<'_>) -> Result<Vec<SystemJob>, StoreError> {
    let waits = [
        ("alarms", "SELECT count(*), min(received_at) FROM alarm_news WHERE ?1 IS NOT NULL"),
        ("clocks", "SELECT count(*), min(due_at) FROM clock_watch WHERE due_at <= ?1"),
        ("notices", "SELECT count(*), min(next_at) FROM notice WHERE next_at <= ?1"),
        ("meaning", "SELECT count(*), NULL FROM case_vector_due WHERE ?1 IS NOT NULL"),
    ];
    let job = |(name, sql): &(&str, &str)| {
        let (waiting, oldest_at) = db
            .sql()
            .prepare_cached(sql)?
            .query_row([At(db.now())], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<At>>(1)?.map(|at| at.0))))?;
        Ok(SystemJob { name: (*name).to_owned(), waiting: waiting.unsigned_abs(), oldest_at })
    };
    waits.iter().map(job).collect()
}

pub fn unused_bytes(db: &Db<'_>) -> Result<u64, StoreError> {
    Ok(number(db, "PRAGMA freelist_count")?.saturating_mul(number(db, "PRAGMA page_size")?))
}

pub fn schema(db: &Db<'_>) -> Result<u32, StoreError> {
    Ok(u32::try_from(number(db, "SELECT max(number) FROM migration")?).unwrap_or(u32::MAX))
}

pub fn sqlite_version(db: &Db<'_>) -> Result<String, StoreError> {
    Ok(db.sql().query_row("SELECT sqlite_version()", [], |row| row.get(0))?)
}

//! Numbered migrations, each run once, in order, and known by its checksum.

use std::path::Path;

use lineman_common::statement::sha256_hex;
use rusqlite::{Connection, params};

use super::StoreError;

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_foundation.sql"),
    include_str!("migrations/0002_cases.sql"),
    include_str!("migrations/0003_trust.sql"),
    include_str!("migrations/0004_recordings_and_notices.sql"),
    include_str!("migrations/0005_alarms.sql"),
    include_str!("migrations/0006_fault_life.sql"),
    include_str!("migrations/0007_clocks.sql"),
    include_str!("migrations/0008_offices.sql"),
    include_str!("migrations/0009_notices.sql"),
    include_str!("migrations/0010_reports.sql"),
    include_str!("migrations/0011_library.sql"),
    include_str!("migrations/0012_case_index.sql"),
    include_str!("migrations/0013_case_life.sql"),
    include_str!("migrations/0014_case_offers.sql"),
    include_str!("migrations/0015_case_meaning.sql"),
    include_str!("migrations/0016_case_exchange.sql"),
    include_str!("migrations/0017_alarm_counts.sql"),
    include_str!("migrations/0018_second_factor.sql"),
    include_str!("migrations/0019_walls.sql"),
    include_str!("migrations/0020_saved_views.sql"),
    include_str!("migrations/0021_sign_in.sql"),
    include_str!("migrations/0022_faults_of_equipment.sql"),
    include_str!("migrations/0023_facts_of_cases.sql"),
];

/// Brings the database to the newest schema.
pub fn run(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    connection.execute_batch("CREATE TABLE IF NOT EXISTS migration(number INTEGER PRIMARY KEY, sha256 TEXT NOT NULL) STRICT")?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let found: u32 = connection.query_row("SELECT coalesce(max(number), 0) FROM migration", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for (number, sql) in (1u32..).zip(MIGRATIONS) {
        let sha256 = sha256_hex(sql);
        let tx = connection.transaction()?;
        let ran: Option<String> = tx.query_row("SELECT max(sha256) FROM migration WHERE number = ?1", [number], |row| row.get(0))?;
        match ran {
            Some(ran) if ran == sha256 => {}
            Some(_) => return Err(StoreError::Changed { path: path.to_owned(), number }),
            None => {
                tx.execute_batch(sql)?;
                tx.execute("INSERT INTO migration VALUES (?1, ?2)", params![number, sha256])?;
                tx.commit()?;
            }
        }
    }
    Ok(())
}

/// A database of an earlier schema, with these rows in it, brought to the newest.
#[cfg(test)]
pub fn upgraded(from: usize, rows: &str) -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    connection.execute_batch("CREATE TABLE migration(number INTEGER PRIMARY KEY, sha256 TEXT NOT NULL) STRICT").unwrap();
    for (number, sql) in (1u32..).zip(&MIGRATIONS[..from]) {
        connection.execute_batch(sql).unwrap();
        connection.execute("INSERT INTO migration VALUES (?1, ?2)", params![number, sha256_hex(sql)]).unwrap();
    }
    connection.execute_batch(rows).unwrap();
    run(&mut connection, Path::new(":memory:")).unwrap();
    connection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_or_changed_database_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = Path::new("x.db");
        run(&mut connection, path).unwrap();
        run(&mut connection, path).unwrap();
        connection.execute("UPDATE migration SET sha256 = 'other' WHERE number = 1", []).unwrap();
        assert!(matches!(run(&mut connection, path), Err(StoreError::Changed { number: 1, .. })));
        connection.execute("INSERT INTO migration VALUES (99, 'x')", []).unwrap();
        assert!(matches!(run(&mut connection, path), Err(StoreError::Newer { found: 99, .. })));
    }
}

//! What the database alone commits: rows like those of an alarm, 1,000 to a commit, with the server's own settings, on its disk.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};

const A_COMMIT: u32 = 1000;

/// Rows per second.
pub fn rows_per_s(dir: &Path, rows: u32) -> anyhow::Result<f64> {
    let file = dir.join("raw.db");
    let mut connection = Connection::open(&file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE alarm(id INTEGER PRIMARY KEY, equipment TEXT NOT NULL, alarm_type TEXT NOT NULL, qualifier TEXT NOT NULL, state TEXT NOT NULL,
            severity TEXT NOT NULL, text TEXT NOT NULL, raised_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, received_at INTEGER NOT NULL) STRICT;
         CREATE INDEX alarm_changed ON alarm(state, changed_at);",
    )?;
    let begun = Instant::now();
    let mut row = 0;
    while row < rows {
        let tx = connection.transaction()?;
        {
            let mut insert = tx.prepare_cached("INSERT INTO alarm VALUES (NULL, ?1, 'port.signal', ?2, ?3, 'minor', ?4, ?5, ?5, ?5)")?;
            for _ in 0..A_COMMIT.min(rows - row) {
                let state = if row % 2 == 0 { "raised" } else { "cleared" };
                let text = "signal lost on a port of the bench, as a device would say it";
                insert.execute(params![format!("eqp_{:032x}", row % 256), format!("port-{}", row % 64), state, text, i64::from(row)])?;
                row += 1;
            }
        }
        tx.commit()?;
    }
    let rate = f64::from(rows) / begun.elapsed().as_secs_f64();
    drop(connection);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
    Ok(rate)
}

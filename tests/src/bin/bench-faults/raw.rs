//! What the database alone commits: rows of the server's own alarm list with all its indexes, 1,000 to a commit, with the server's
//! settings, on its disk, next to what the server has already stored there.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

const A_COMMIT: u32 = 1000;

/// Rows per second, into a copy of the database of a server that has stopped.
pub fn rows_per_s(database: &Path, rows: u32) -> anyhow::Result<f64> {
    let copy = database.with_extension("raw");
    Connection::open(database)?.execute("VACUUM INTO ?1", [copy.to_str().context("a path that is text")?])?;
    let rate = commit(&copy, rows);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", copy.display()));
    }
    rate
}

fn commit(database: &Path, rows: u32) -> anyhow::Result<f64> {
    let mut connection = Connection::open(database)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Rows alone: what the server hangs on them is its own work.
    let mut triggers = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'alarm'")?;
    let names: Vec<String> = triggers.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    drop(triggers);
    for name in names {
        connection.execute(&format!("DROP TRIGGER {name}"), [])?;
    }
    let templates = templates(&connection)?;
    let columns = connection.prepare("SELECT * FROM alarm LIMIT 0")?.column_names().map(str::to_owned).collect::<Vec<_>>();
    let at = |name: &str| columns.iter().position(|column| column == name).with_context(|| format!("alarms have no `{name}`"));
    let (place, id, qualifier) = (at("place")?, at("id")?, at("qualifier")?);
    let insert = format!("INSERT INTO alarm VALUES ({})", vec!["?"; columns.len()].join(", "));
    let begun = Instant::now();
    let mut row = 0;
    while row < rows {
        let tx = connection.transaction()?;
        {
            let mut insert = tx.prepare_cached(&insert)?;
            for _ in 0..A_COMMIT.min(rows - row) {
                let mut values = templates[row as usize % templates.len()].clone();
                values[place] = Value::Null;
                values[id] = Value::Text(format!("alm_3{row:031x}"));
                values[qualifier] = Value::Text(format!("raw-{row}"));
                insert.execute(params_from_iter(values))?;
                row += 1;
            }
        }
        tx.commit()?;
    }
    Ok(f64::from(rows) / begun.elapsed().as_secs_f64())
}

/// An alarm of every device.
fn templates(connection: &Connection) -> anyhow::Result<Vec<Vec<Value>>> {
    let mut statement = connection.prepare("SELECT * FROM alarm GROUP BY equipment")?;
    let width = statement.column_count();
    let rows = statement.query_map([], |row| (0..width).map(|column| row.get(column)).collect())?;
    let templates: Vec<Vec<Value>> = rows.collect::<Result<_, _>>()?;
    ensure!(!templates.is_empty(), "no alarm was stored");
    Ok(templates)
}

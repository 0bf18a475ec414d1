//! Online backup and restore.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, backup::Backup};

use super::{StoreError, connect};

/// Copies a database, also while a server writes to it, into a file of its own.
pub fn backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = connect(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut target = Connection::open(to)?;
    Backup::new(&source, &mut target)?.run_to_completion(256, Duration::from_millis(5), None)?;
    let whole: String = target.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if whole == "ok" { Ok(()) } else { Err(StoreError::Corrupt(whole)) }
}

/// Puts a backup where the database belongs. The server must not run; an existing database is kept beside it as `.before`.
pub fn restore(from: &Path, to: &Path) -> Result<(), StoreError> {
    let fresh = to.with_extension("restoring");
    let _ = std::fs::remove_file(&fresh);
    backup(from, &fresh)?;
    if to.exists() {
        std::fs::rename(to, to.with_extension("before"))?;
    }
    for leftover in ["-wal", "-shm"] {
        let mut name = to.as_os_str().to_owned();
        name.push(leftover);
        let _ = std::fs::remove_file(name);
    }
    Ok(std::fs::rename(fresh, to)?)
}

//! Online backup and restore.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, backup::Backup};

use super::{StoreError, connect};

/// Copies a database, also while a server writes to it, into a new file that only its owner may read: hashes of passwords and tokens are in it.
pub fn backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = connect(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut target = Connection::open(to)?;
    Backup::new(&source, &mut target)?.run_to_completion(256, Duration::from_millis(5), None)?;
    let whole: String = target.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if whole == "ok" { Ok(()) } else { Err(StoreError::Corrupt(whole)) }
}

/// Puts a backup where the database belongs. The server must not run. A database that is there is first copied aside, with what
/// still lies in its write-ahead log; answers where.
pub fn restore(from: &Path, to: &Path) -> Result<Option<PathBuf>, StoreError> {
    let fresh = to.with_extension("restoring");
    let _ = std::fs::remove_file(&fresh);
    backup(from, &fresh)?;
    let aside = to.exists().then(|| to.with_extension(format!("before-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%6fZ"))));
    if let Some(aside) = &aside {
        backup(to, aside)?;
    }
    for leftover in ["-wal", "-shm"] {
        let mut name = to.as_os_str().to_owned();
        name.push(leftover);
        let _ = std::fs::remove_file(name);
    }
    std::fs::rename(fresh, to)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &Path) -> Vec<String> {
        let connection = Connection::open(path).unwrap();
        let mut statement = connection.prepare("SELECT name FROM x ORDER BY name").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_restore_loses_nothing_of_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let [live, copy] = ["live.db", "copy.db"].map(|name| dir.path().join(name));
        let writer = Connection::open(&live).unwrap();
        writer.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE x(name TEXT); INSERT INTO x VALUES ('old')").unwrap();
        backup(&live, &copy).unwrap();
        // Still in the write-ahead log only, as after a kill.
        writer.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO x VALUES ('new')").unwrap();
        let aside = restore(&copy, &live).unwrap().unwrap();
        assert_eq!(names(&live), ["old"]);
        assert_eq!(names(&aside), ["new", "old"]);
        assert!(backup(&live, &copy).is_err(), "an existing file is not overwritten");
    }
}

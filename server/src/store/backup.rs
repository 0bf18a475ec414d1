//! Online backup and restore: the database, and the attachments that lie beside it.
//!
//! Attachments are named by their content and never change, so they are copied after the database: whatever the copy names and is
//! still there. One that was deleted meanwhile is gone from both, as its row in the copy is of a moment before. Beside `backup.db` they
//! lie in `backup.db.attachments`.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, backup::Backup};

use super::{StoreError, connect};

/// The folder of attachments beside the live database.
pub const ATTACHMENTS: &str = "attachments";

/// Where a content lies in a folder of attachments: folders by the first two letters, so that none has too many entries.
pub fn attachment_place(dir: &Path, sha256: &str) -> PathBuf {
    dir.join(sha256.get(..2).unwrap_or_default()).join(sha256)
}

/// Of a copy, the folder has the copy's name.
fn attachments_of_copy(copy: &Path) -> PathBuf {
    let mut name = copy.as_os_str().to_owned();
    name.push(".attachments");
    name.into()
}

/// Copies a database, also while a server writes to it, into a new file that only its owner may read (hashes of passwords and tokens
/// are in it), and its attachments into a folder beside that.
pub fn backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    copy_database(from, to)?;
    copy_attachments(to, &from.with_file_name(ATTACHMENTS), &attachments_of_copy(to))?;
    // The backup is whole, whoever made it; of the mark only the server's own page knows.
    if let Err(error) = mark(&mark_of(from)) {
        tracing::warn!(%error, "when the last backup was made could not be noted");
    }
    Ok(())
}

/// In the place of one that somebody else may have left, and whose writing is theirs.
fn mark(place: &Path) -> io::Result<()> {
    let fresh = place.with_extension(format!("last-backup-{}", std::process::id()));
    fs::write(&fresh, "")?;
    fs::rename(&fresh, place).inspect_err(|_| drop(fs::remove_file(&fresh)))
}

/// A file beside the database whose time is that of the last backup that is whole.
pub fn mark_of(database: &Path) -> PathBuf {
    let mut mark = database.as_os_str().to_owned();
    mark.push(".last-backup");
    mark.into()
}

fn copy_database(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = connect(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut target = Connection::open(to)?;
    Backup::new(&source, &mut target)?.run_to_completion(256, Duration::from_millis(5), None)?;
    let whole: String = target.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if whole == "ok" { Ok(()) } else { Err(StoreError::Corrupt(whole)) }
}

/// Copies the attachments that a database names, where they are not yet; answers those that were not to be found.
fn copy_attachments(database: &Path, from: &Path, to: &Path) -> Result<Vec<String>, StoreError> {
    let mut missing = Vec::new();
    for sha256 in named(database)? {
        let (source, target) = (attachment_place(from, &sha256), attachment_place(to, &sha256));
        if target.exists() {
            continue;
        }
        if let Some(folder) = target.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        // Under its name it is whole: what a broken copy leaves is not taken for it.
        let part = target.with_extension("part");
        match fs::copy(&source, &part) {
            Ok(_) => {
                fs::File::open(&part)?.sync_all()?;
                fs::rename(&part, &target)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(sha256),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(missing)
}

fn named(database: &Path) -> Result<Vec<String>, StoreError> {
    let connection = connect(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // A database of an earlier schema has none.
    let known: bool =
        connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'attachment')", [], |row| row.get(0))?;
    if !known {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT DISTINCT sha256 FROM attachment WHERE deleted_at IS NULL")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Puts a backup where the database belongs. The server must not run. A database that is there is first copied aside, with what
/// still lies in its write-ahead log and with its attachments; answers where.
pub fn restore(from: &Path, to: &Path) -> Result<Option<PathBuf>, StoreError> {
    let fresh = to.with_extension("restoring");
    let _ = fs::remove_file(&fresh);
    copy_database(from, &fresh)?;
    let aside = to.exists().then(|| to.with_extension(format!("before-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%6fZ"))));
    if let Some(aside) = &aside {
        backup(to, aside)?;
    }
    // Before the database: a row must not be there without its file.
    let missing = copy_attachments(&fresh, &attachments_of_copy(from), &to.with_file_name(ATTACHMENTS))?;
    if !missing.is_empty() {
        tracing::warn!(files = missing.len(), "attachments that the backup names are not beside it: copy its `.attachments` folder too");
    }
    for leftover in ["-wal", "-shm"] {
        let mut name = to.as_os_str().to_owned();
        name.push(leftover);
        let _ = fs::remove_file(name);
    }
    fs::rename(fresh, to)?;
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

    #[test]
    fn a_backup_is_good_though_its_mark_can_not_be_set() {
        let dir = tempfile::tempdir().unwrap();
        let [live, one, two, three] = ["live.db", "one.db", "two.db", "three.db"].map(|name| dir.path().join(name));
        Connection::open(&live).unwrap().execute_batch("CREATE TABLE x(name TEXT)").unwrap();
        backup(&live, &one).unwrap();
        // What may not be written to is replaced.
        let (mark, elsewhere) = (mark_of(&live), dir.path().join("elsewhere"));
        fs::remove_file(&mark).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &mark).unwrap();
        backup(&live, &two).unwrap();
        assert!(mark.symlink_metadata().unwrap().is_file() && !elsewhere.exists());
        fs::remove_file(&mark).unwrap();
        fs::create_dir_all(mark.join("in the way")).unwrap();
        backup(&live, &three).unwrap();
        assert_eq!(names(&three), [""; 0]);
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().contains("last-backup-")), "{left:?}");
    }

    #[test]
    fn attachments_go_with_their_database() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        for folder in [&old, &new] {
            fs::create_dir(folder).unwrap();
        }
        let (live, copy) = (old.join("lineman.db"), dir.path().join("copy.db"));
        let rows = "CREATE TABLE attachment(sha256 TEXT, deleted_at INTEGER);
                    INSERT INTO attachment VALUES ('aa11', NULL), ('bb22', NULL), ('cc33', 1)";
        Connection::open(&live).unwrap().execute_batch(rows).unwrap();
        let put = |sha256: &str| {
            let place = attachment_place(&old.join(ATTACHMENTS), sha256);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, sha256).unwrap();
        };
        // One was deleted while the copy was made; one belongs to nothing.
        put("aa11");
        put("cc33");
        backup(&live, &copy).unwrap();
        let there = |dir: &Path, sha256: &str| fs::read_to_string(attachment_place(dir, sha256)).ok();
        assert_eq!(there(&dir.path().join("copy.db.attachments"), "aa11").as_deref(), Some("aa11"));
        assert_eq!(there(&dir.path().join("copy.db.attachments"), "cc33"), None);
        restore(&copy, &new.join("lineman.db")).unwrap();
        assert_eq!(there(&new.join(ATTACHMENTS), "aa11").as_deref(), Some("aa11"));
        // What was there is kept aside, with its files.
        let aside = restore(&copy, &live).unwrap().unwrap();
        assert_eq!(there(&attachments_of_copy(&aside), "aa11").as_deref(), Some("aa11"));
    }
}

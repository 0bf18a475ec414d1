//! The store: one SQLite database, one writer thread, a few readers.
//!
//! Every change runs inside a [`Tx`] on the writer thread. The thread takes all jobs that wait, runs each in a savepoint of
//! one `BEGIN IMMEDIATE`, commits once with `synchronous=FULL`, and only then answers every caller: so many small jobs share
//! one disk flush (group commit), a job that fails takes nothing of the others with it, and what was answered is on disk.
//!
//! Nothing above this room but the `sql.rs` files sees a database type. Domain functions are synchronous and compose: those that
//! read take `&Db`, those that write take `&mut Tx`, which is also a `Db`.

mod backup;
pub mod files;
mod migrate;
mod once;
mod readers;
pub mod value;
mod writer;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use lineman_common::id::{EquipmentId, SessionId};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::broadcast;

pub use backup::{ATTACHMENTS, attachment_place, backup, mark_of, restore};
pub use once::{Answer, Arrival, Kept, Reply};

/// Nudges wait here for slow listeners; one that falls behind looks at everything again.
const NUDGE_QUEUE: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the database at {path} was written by a newer lineman-server (schema {found}, this one knows {known}): upgrade the server")]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("migration {number} of the database at {path} is not the one this server knows: it was changed after it had run")]
    Changed { path: PathBuf, number: u32 },
    #[error("this request was carried out before, under the same idempotency key")]
    Repeated,
    #[error("the store is shutting down")]
    Closed,
    #[error("a stored value can't be read: {0}")]
    Corrupt(String),
    #[error("{0}")]
    File(#[from] std::io::Error),
}

/// What changed with a commit, for those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// Events were appended.
    Events,
    /// Orders wait for this equipment's agent.
    Orders(EquipmentId),
    /// More of this session's recording is stored, or it has ended.
    Recorded(SessionId),
    /// Somebody's token, or a wall's, counts no longer.
    SignedOut,
}

/// Now, as finely as it is stored: what an answer says is what is read again later.
fn moment() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// A view of the database at one moment.
pub struct Db<'a> {
    connection: &'a Connection,
    now: Timestamp,
}

impl Db<'_> {
    /// For `sql.rs` files only.
    pub fn sql(&self) -> &Connection {
        self.connection
    }

    /// The moment of this job: one for all that it does.
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

/// A change in the making. Dropped without a commit, it never was.
pub struct Tx<'a> {
    db: Db<'a>,
    nudges: Vec<Nudge>,
    listeners: &'static [crate::events::Listener],
}

impl<'a> Deref for Tx<'a> {
    type Target = Db<'a>;
    fn deref(&self) -> &Db<'a> {
        &self.db
    }
}

impl Tx<'_> {
    /// Tells the waiting ones, once this is committed.
    pub fn nudge(&mut self, nudge: Nudge) {
        if !self.nudges.contains(&nudge) {
            self.nudges.push(nudge);
        }
    }

    pub fn listeners(&self) -> &'static [crate::events::Listener] {
        self.listeners
    }
}

/// A handle to the store; clones share it.
#[derive(Clone)]
pub struct Store {
    writer: writer::Writer,
    readers: readers::Readers,
    nudges: broadcast::Sender<Nudge>,
    path: Arc<Path>,
}

impl Store {
    /// Opens (or makes) the database, brings it to the newest schema, and starts the threads.
    pub fn open(path: &Path, listeners: &'static [crate::events::Listener]) -> Result<Self, StoreError> {
        let mut connection = connect(path, OpenFlags::default())?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        migrate::run(&mut connection, path)?;
        let (nudges, _) = broadcast::channel(NUDGE_QUEUE);
        let writer = writer::Writer::start(connection, listeners, nudges.clone())?;
        Ok(Self { writer, readers: readers::Readers::start(path)?, nudges, path: path.into() })
    }

    /// Runs a change; answers when it is durable.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let arrival = once::current();
        let job = move |tx: &mut Tx<'_>| {
            arrival.map_or(Ok(()), |arrival| arrival.enter(tx))?;
            job(tx)
        };
        self.writer.run(job).await
    }

    /// Runs a change whose value is the whole answer to a request: under an idempotency key it lies in the change's own commit.
    pub async fn answer<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Answer + Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let arrival = once::current();
        let job = move |tx: &mut Tx<'_>| {
            let value = job(tx)?;
            arrival.map_or(Ok(()), |arrival| arrival.keep_value(tx, &value))?;
            Ok(value)
        };
        self.write(job).await
    }

    /// Runs a question on a reader thread.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&Db<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.readers.run(job).await
    }

    /// Ends the writer, with everything that was answered in one whole file. Later changes are refused.
    pub async fn close(&self) {
        self.writer.close().await;
    }

    pub fn nudges(&self) -> broadcast::Receiver<Nudge> {
        self.nudges.subscribe()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(128);
    // A plan is made once for a statement. Otherwise each new value makes it anew as soon as somebody has run ANALYZE: a row of a list
    // then costs some fifteen times as much.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(db: &Db<'_>) -> Result<i64, StoreError> {
        Ok(db.sql().query_row("SELECT count(*) FROM tier", [], |row| row.get(0))?)
    }

    fn add(tx: &Tx<'_>, name: &str) -> Result<(), StoreError> {
        tx.sql().execute("INSERT INTO tier VALUES (?1, '{}')", [name])?;
        Ok(())
    }

    #[tokio::test]
    async fn jobs_of_one_commit_stand_and_fall_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let store = Store::open(&path, &[]).unwrap();
        let failing = store.write(|tx| -> Result<(), StoreError> {
            add(tx, "undone")?;
            Err(StoreError::Corrupt("on purpose".into()))
        });
        let panicking = store.write(|tx| -> Result<(), StoreError> {
            add(tx, "panicked")?;
            panic!("on purpose")
        });
        let good = store.write(|tx| add(tx, "good"));
        let (failed, panicked, done) = tokio::join!(failing, panicking, good);
        assert!(matches!(failed, Err(StoreError::Corrupt(_))));
        assert!(matches!(panicked, Err(StoreError::Closed)));
        done.unwrap();
        assert!(store.read(|_| -> Result<(), StoreError> { panic!("on purpose") }).await.is_err());
        for _ in 0..8 {
            assert_eq!(store.read(count).await.unwrap(), 1);
        }
        // What was answered is in the file.
        drop(store);
        assert_eq!(Store::open(&path, &[]).unwrap().read(count).await.unwrap(), 1);
    }
}

#[cfg(test)]
pub mod testing {
    //! A store for unit tests of the rooms: in memory, with the real schema.
    use super::{Connection, Db, Tx, migrate};
    use jiff::Timestamp;

    pub struct TestStore {
        connection: Connection,
        pub now: Timestamp,
    }

    impl TestStore {
        pub fn new() -> Self {
            let mut connection = Connection::open_in_memory().unwrap();
            connection.pragma_update(None, "foreign_keys", true).unwrap();
            migrate::run(&mut connection, std::path::Path::new(":memory:")).unwrap();
            Self { connection, now: "2026-11-22T00:00:00Z".parse().unwrap() }
        }

        /// As a server of an earlier version left it, with these rows, and this one found it.
        pub fn upgraded(from: usize, rows: &str) -> Self {
            Self { connection: migrate::upgraded(from, rows), ..Self::new() }
        }

        pub fn write<T>(&mut self, job: impl FnOnce(&mut Tx<'_>) -> T) -> T {
            let db = Db { connection: &self.connection, now: self.now };
            job(&mut Tx { db, nudges: Vec::new(), listeners: crate::LISTENERS })
        }

        pub fn read<T>(&self, job: impl FnOnce(&Db<'_>) -> T) -> T {
            job(&Db { connection: &self.connection, now: self.now })
        }
    }
}

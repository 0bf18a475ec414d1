//! Reader threads, each with a read-only connection of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use super::{Db, StoreError, connect};

const THREADS: usize = 3;
/// Questions wait here; when it is full, callers wait.
const QUEUE: usize = 256;
/// Of the database, what a question reads where the kernel keeps it already: each commit empties a connection's own cache.
const MAPPED: i64 = 1 << 30;

type Job = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Clone)]
pub struct Readers {
    jobs: mpsc::Sender<Job>,
}

impl Readers {
    pub fn start(path: &Path) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel::<Job>(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..THREADS {
            let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.pragma_update(None, "mmap_size", MAPPED)?;
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name(format!("store-reader-{number}")).spawn(move || work(&connection, &queue))?;
        }
        Ok(Self { jobs })
    }

    pub async fn run<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&Db<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| drop(reply.send(in_snapshot(connection, job))));
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// One read transaction, so that several queries of one question see the same moment.
fn in_snapshot<T, E: From<StoreError>>(connection: &Connection, job: impl FnOnce(&Db<'_>) -> Result<T, E>) -> Result<T, E> {
    connection.execute_batch("BEGIN").map_err(StoreError::from)?;
    let result = job(&Db { connection, now: super::moment() });
    connection.execute_batch("COMMIT").map_err(StoreError::from)?;
    result
}

fn work(connection: &Connection, queue: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = match queue.lock() {
            Ok(mut queue) => queue.blocking_recv(),
            Err(_) => None,
        };
        match job {
            Some(job) => {
                // A question that panics goes unanswered; the thread lives on, and its snapshot ends.
                if catch_unwind(AssertUnwindSafe(|| job(connection))).is_err() {
                    tracing::error!("a question panicked");
                    let _ = connection.execute_batch("ROLLBACK");
                }
            }
            None => return,
        }
    }
}

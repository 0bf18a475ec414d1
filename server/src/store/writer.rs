//! The writer thread and its group commit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{Db, Nudge, StoreError, Tx};
use crate::events::Listener;

/// Jobs wait here; when it is full, callers wait: load is felt at the door instead of in memory.
const QUEUE: usize = 1024;
/// Jobs that share one commit at most, so that the first of them doesn't wait for ever.
const BATCH: usize = 256;

enum Message {
    Job(Job),
    /// Finish, put everything into the one file, answer, end.
    Close(oneshot::Sender<()>),
}

/// Runs inside the batch's transaction; what it returns is called after the commit.
type Job = Box<dyn FnOnce(&Connection, &'static [Listener]) -> Outcome + Send>;

struct Outcome {
    nudges: Vec<Nudge>,
    answer: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

#[derive(Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Message>,
}

impl Writer {
    pub fn start(connection: Connection, listeners: &'static [Listener], nudges: broadcast::Sender<Nudge>) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        std::thread::Builder::new().name("store-writer".into()).spawn(move || work(connection, listeners, queue, &nudges))?;
        Ok(Self { jobs })
    }

    pub async fn run<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel::<Result<T, E>>();
        let job: Job = Box::new(move |connection, listeners| in_savepoint(connection, listeners, job, reply));
        self.jobs.send(Message::Job(job)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Writer {
    /// Waits until everything before is written and the database is one whole file.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Message::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

fn in_savepoint<T, E, F>(connection: &Connection, listeners: &'static [Listener], job: F, reply: oneshot::Sender<Result<T, E>>) -> Outcome
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, E>,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let mut nudges = Vec::new();
    let result = savepoint(connection, || {
        let mut tx = Tx { db: Db { connection, now: super::moment() }, nudges: Vec::new(), listeners };
        let result = job(&mut tx);
        nudges = tx.nudges;
        result
    });
    if result.is_err() {
        nudges.clear();
    }
    let answer = Box::new(move |committed: Result<(), StoreError>| {
        // A caller that went away doesn't hear the answer; its change stands all the same.
        let _ = reply.send(committed.map_err(E::from).and(result));
    });
    Outcome { nudges, answer }
}

fn savepoint<T, E: From<StoreError>>(connection: &Connection, job: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let run = |sql: &str| connection.execute_batch(sql).map_err(StoreError::from);
    run("SAVEPOINT job")?;
    let result = job();
    run(if result.is_ok() { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" })?;
    result
}

/// A job that panics takes back what it did, and nothing else: its caller hears that the store did not answer.
fn survive<T>(connection: &Connection, job: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(job));
    if done.is_err() {
        tracing::error!("a change panicked; it is taken back");
        let _ = connection.execute_batch("ROLLBACK TO job; RELEASE job");
    }
    done.ok()
}

fn work(connection: Connection, listeners: &'static [Listener], mut queue: mpsc::Receiver<Message>, nudges: &broadcast::Sender<Nudge>) {
    let mut messages = Vec::with_capacity(BATCH);
    let mut closing = None;
    while closing.is_none() && queue.blocking_recv_many(&mut messages, BATCH) > 0 {
        let mut jobs = Vec::with_capacity(messages.len());
        for message in messages.drain(..) {
            match message {
                Message::Job(job) => jobs.push(job),
                Message::Close(done) => closing = Some(done),
            }
        }
        commit(&connection, listeners, jobs, nudges);
    }
    if let Err(error) = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
        tracing::warn!(%error, "the write-ahead log was not put into the database; the next start does it");
    }
    if let Some(done) = closing {
        let _ = done.send(());
    }
}

/// One batch: one transaction, one flush, and then the answers.
fn commit(connection: &Connection, listeners: &'static [Listener], jobs: Vec<Job>, nudges: &broadcast::Sender<Nudge>) {
    if jobs.is_empty() {
        return;
    }
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        // Without a transaction nothing may run: the callers hear that the store is closed to them now.
        return tracing::error!(%error, "the database did not begin a batch of changes");
    }
    let outcomes: Vec<_> = jobs.into_iter().filter_map(|job| survive(connection, || job(connection, listeners))).collect();
    let committed = connection.execute_batch("COMMIT");
    if let Err(error) = &committed {
        tracing::error!(%error, "the database did not take a batch of changes");
        let _ = connection.execute_batch("ROLLBACK");
    }
    for outcome in outcomes {
        match &committed {
            Ok(()) => {
                (outcome.answer)(Ok(()));
                outcome.nudges.into_iter().for_each(|nudge| drop(nudges.send(nudge)));
            }
            Err(error) => (outcome.answer)(Err(StoreError::Corrupt(error.to_string()))),
        }
    }
}

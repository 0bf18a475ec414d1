//! The sink: every entry of the journal also goes to a place of the carrier's choice, which the centre can't touch either.
//!
//! Syslog, a webhook, mail: what the local file names, each with a cursor of its own on the disk (`STATE/sink/NAME`). Entries go in
//! their order, at least once: the cursor moves after a delivery, so a kill in between repeats some and loses none. Nothing here holds
//! a session up: sinks follow the journal, each try has its time, and a sink that fails is tried again after a growing wait.
//! What an administrator does on the device is different: [`Sink::deliver_now`] comes before it takes effect.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use lineman_common::name::NeName;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::durable;
use crate::journal::{Journal, Position, Witness, Written};

pub mod config;
pub mod inspect;
mod mail;
mod syslog;
mod webhook;

pub use config::Settings;
use config::{Mail, Syslog, Webhook};

/// Cursors are in this directory of the state.
const DIRECTORY: &str = "sink";
/// Entries of one delivery.
const BATCH: usize = 64;
/// Of the entries of one delivery, all but the first stay within this.
const BATCH_BYTES: usize = 128 * 1024;
/// One try.
const TRY: Duration = Duration::from_secs(15);
/// Between two tries, growing.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Why a delivery failed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
    #[error("HTTP: {0}")]
    Http(String),
    #[error("{0}")]
    Answer(String),
    #[error("{0}")]
    Config(String),
    #[error("it took longer than {} s", .0.as_secs())]
    Slow(Duration),
    #[error("reading the journal: {0}")]
    Journal(io::Error),
    #[error("the cursor {}: {source}", path.display())]
    Cursor { path: PathBuf, source: io::Error },
}

/// How a sink is, for `status` and `doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkStatus {
    /// `syslog`, `webhook` or `mail`, and where it goes.
    pub sink: String,
    /// Entries of the journal that it has not got.
    pub waiting: u64,
    /// Number of the last entry that it got.
    pub sent: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl fmt::Display for SinkStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sink, waiting, sent, problem, .. } = self;
        match (waiting, problem) {
            (0, None) => write!(f, "{sink}: has all {sent} entries"),
            (_, None) => write!(f, "{sink}: {waiting} entries wait"),
            (_, Some(problem)) => write!(f, "{sink}: {waiting} entries wait: {problem}"),
        }
    }
}

/// The line of `doctor`.
pub fn finding(sinks: &[SinkStatus]) -> Result<String, String> {
    if sinks.is_empty() {
        return Ok("none is configured: the journal is on this device only".into());
    }
    let text = sinks.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if sinks.iter().any(|sink| sink.problem.is_some()) { Err(text) } else { Ok(text) }
}

/// The sinks that could not be told in time, and why.
#[derive(Debug, thiserror::Error)]
#[error("not everything could be sent: {}", .0.iter().map(|(sink, why)| format!("{sink}: {why}")).collect::<Vec<_>>().join("; "))]
pub struct Undelivered(pub Vec<(String, String)>);

/// All the places that the journal goes to.
pub struct Sink {
    journal: Arc<Journal>,
    device: NeName,
    outlets: Vec<Outlet>,
}

impl Sink {
    pub fn open(settings: &Settings, state: &Path, journal: Arc<Journal>, device: NeName) -> Result<Self, SendError> {
        let Settings { syslog, webhook, mail } = settings.clone();
        let places = syslog.map(Place::Syslog).into_iter().chain(webhook.map(Place::Webhook)).chain(mail.map(Place::Mail));
        let outlets = places.map(|place| Outlet::open(place, state, &journal)).collect::<Result<_, _>>()?;
        Ok(Self { journal, device, outlets })
    }

    /// Follows the journal until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let all = join_all(self.outlets.iter().map(|outlet| self.follow(outlet)));
        tokio::select! {
            _ = all => {}
            () = stop.cancelled() => {}
        }
    }

    async fn follow(&self, outlet: &Outlet) {
        let mut last = self.journal.last();
        let mut wait = FIRST_WAIT;
        loop {
            last.mark_unchanged();
            match outlet.deliver(&self.journal, &self.device).await {
                Ok(true) => wait = FIRST_WAIT,
                Ok(false) => changed(&mut last).await,
                Err(_) => {
                    // Something new is a reason to try earlier, and no reason to try without a pause.
                    tokio::select! {
                        () = sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
                        () = async { changed(&mut last).await; sleep(FIRST_WAIT).await } => {}
                    }
                }
            }
        }
    }

    /// Sends everything that the journal holds now, within this time. For what must not happen untold: a sink that can't be reached
    /// is named, and the caller goes on and says so.
    pub async fn deliver_now(&self, patience: Duration) -> Result<(), Undelivered> {
        let upto = *self.journal.last().borrow();
        let each = self.outlets.iter().map(|outlet| async move {
            let why = match timeout(patience, outlet.deliver_upto(upto, &self.journal, &self.device)).await {
                Ok(Ok(())) => return None,
                Ok(Err(error)) => error.to_string(),
                Err(_) => SendError::Slow(patience).to_string(),
            };
            Some((outlet.place.to_string(), why))
        });
        let failed: Vec<_> = join_all(each).await.into_iter().flatten().collect();
        if failed.is_empty() { Ok(()) } else { Err(Undelivered(failed)) }
    }

    pub fn status(&self) -> Vec<SinkStatus> {
        let last = *self.journal.last().borrow();
        let status = |outlet: &Outlet| {
            let Progress { sent, delivered_at, problem } = outlet.progress().clone();
            SinkStatus { sink: outlet.place.to_string(), waiting: last.saturating_sub(sent), sent, delivered_at, problem }
        };
        self.outlets.iter().map(status).collect()
    }
}

/// What the cursors of this state directory remember of the journal.
pub fn witnesses(state: &Path) -> io::Result<Vec<Witness>> {
    let mut witnesses = Vec::new();
    for name in Place::NAMES {
        let position = read_cursor(&state.join(DIRECTORY).join(name))?;
        witnesses.extend(position.map(|position| Witness { name: format!("the {name} sink"), position }));
    }
    Ok(witnesses)
}

async fn changed(last: &mut watch::Receiver<u64>) {
    if last.changed().await.is_err() {
        // The journal is gone; so is whoever would wake us.
        std::future::pending::<()>().await;
    }
}

/// Where entries go.
#[derive(Debug)]
enum Place {
    Syslog(Syslog),
    Webhook(Webhook),
    Mail(Mail),
}

impl Place {
    const NAMES: [&str; 3] = ["syslog", "webhook", "mail"];

    const fn name(&self) -> &'static str {
        match self {
            Self::Syslog(_) => "syslog",
            Self::Webhook(_) => "webhook",
            Self::Mail(_) => "mail",
        }
    }

    async fn send(&self, device: &NeName, entries: &[Written]) -> Result<(), SendError> {
        match self {
            Self::Syslog(to) => syslog::send(to, device, entries).await,
            Self::Webhook(to) => webhook::send(to, device, entries).await,
            Self::Mail(to) => mail::send(to, device, entries).await,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syslog(to) => write!(f, "syslog {to}"),
            // A query may hold a key.
            Self::Webhook(to) => write!(f, "webhook {}", to.url.split('?').next().unwrap_or_default()),
            Self::Mail(to) => write!(f, "mail {}", to.to),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Progress {
    sent: u64,
    delivered_at: Option<Timestamp>,
    problem: Option<String>,
}

struct Outlet {
    place: Place,
    path: PathBuf,
    /// The last entry that was delivered. Held during a try: one at a time, in order.
    cursor: tokio::sync::Mutex<Position>,
    progress: Mutex<Progress>,
}

impl Outlet {
    fn open(place: Place, state: &Path, journal: &Journal) -> Result<Self, SendError> {
        let directory = state.join(DIRECTORY);
        let path = directory.join(place.name());
        let failed = |source| SendError::Cursor { path: path.clone(), source };
        fs::create_dir_all(&directory).map_err(failed)?;
        let cursor = read_cursor(&path).map_err(failed)?.unwrap_or_else(Position::start);
        let holds = journal_holds(journal, &cursor).map_err(SendError::Journal)?;
        if !holds {
            tracing::error!(sink = %place, entry = cursor.n, "the journal does not hold what this sink was sent: it was cut or replaced; all of it is sent again");
        }
        let cursor = if holds { cursor } else { Position::start() };
        let progress = Mutex::new(Progress { sent: cursor.n, ..Progress::default() });
        Ok(Self { place, path, cursor: tokio::sync::Mutex::new(cursor), progress })
    }

    /// Only ever replaced whole: a poisoned lock is safe.
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver_upto(&self, n: u64, journal: &Arc<Journal>, device: &NeName) -> Result<(), SendError> {
        while self.progress().sent < n && self.deliver(journal, device).await? {}
        Ok(())
    }

    /// Sends the next entries; `false` when there are none.
    async fn deliver(&self, journal: &Arc<Journal>, device: &NeName) -> Result<bool, SendError> {
        let mut cursor = self.cursor.lock().await;
        let delivered = self.next(&mut cursor, journal, device).await;
        let mut progress = self.progress();
        progress.sent = cursor.n;
        match &delivered {
            Ok(more) => {
                if progress.problem.take().is_some() {
                    tracing::info!(sink = %self.place, "the sink takes entries again");
                }
                progress.delivered_at = if *more { Some(Timestamp::now()) } else { progress.delivered_at };
            }
            Err(error) => {
                if progress.problem.replace(error.to_string()).is_none() {
                    tracing::warn!(sink = %self.place, %error, "the sink can't be reached; entries of the journal wait for it");
                }
            }
        }
        delivered
    }

    async fn next(&self, cursor: &mut Position, journal: &Arc<Journal>, device: &NeName) -> Result<bool, SendError> {
        let end = journal.position();
        let (read, after) = (Arc::clone(journal), cursor.n);
        let entries = tokio::task::spawn_blocking(move || read.after(after, BATCH)).await;
        let mut entries = entries.map_err(io::Error::other).and_then(|read| read).map_err(SendError::Journal)?;
        let sizes = entries.iter().scan(0, |sum, entry| {
            *sum += entry.text.len();
            Some(*sum)
        });
        let fits = sizes.take_while(|sum| *sum <= BATCH_BYTES).count();
        entries.truncate(fits.max(1));
        let Some(last) = entries.last() else {
            // The journal's last lines are gone: there is nothing that could be sent of them.
            if end.n > cursor.n {
                *cursor = end;
            }
            return Ok(false);
        };
        match timeout(TRY, self.place.send(device, &entries)).await {
            Ok(sent) => sent?,
            Err(_) => return Err(SendError::Slow(TRY)),
        }
        let position = Position::of(last);
        let json = serde_json::to_vec(&position).map_err(|e| SendError::Cursor { path: self.path.clone(), source: e.into() })?;
        let saved = durable::write(&self.path, &json, durable::PRIVATE);
        // Delivered is delivered, whether or not a restart will know of it.
        *cursor = position;
        saved.map(|()| true).map_err(|source| SendError::Cursor { path: self.path.clone(), source })
    }
}

/// Is what this cursor remembers still so? A line that went with an old file can't be asked.
fn journal_holds(journal: &Journal, cursor: &Position) -> io::Result<bool> {
    if journal.position().n < cursor.n {
        return Ok(false);
    }
    let line = journal.after(cursor.n.saturating_sub(1), 1)?;
    Ok(cursor.n == 0 || line.first().map(Position::of).is_none_or(|found| found.n != cursor.n || found == *cursor))
}

/// A cursor that can't be read counts as none: rather twice than never.
fn read_cursor(path: &Path) -> io::Result<Option<Position>> {
    Ok(durable::read(path)?.and_then(|text| serde_json::from_str(&text).ok()))
}

#[cfg(test)]
mod tests;

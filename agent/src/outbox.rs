//! What the agent has to say: the spool behind one lock, with a nudge for the link whenever something was added.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use lineman_common::link::{Report, Stream};
use tokio::sync::Notify;

use crate::spool::{Spool, SpoolError};

#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("writing a report as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

pub struct Outbox {
    spool: Mutex<Spool>,
    wake: Notify,
}

impl Outbox {
    pub fn new(spool: Spool) -> Arc<Self> {
        Arc::new(Self { spool: Mutex::new(spool), wake: Notify::new() })
    }

    /// The spool, for as long as the guard lives. The spool itself keeps every call whole, so a poisoned lock is safe.
    pub fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a report to its stream; on disk when it returns, health excepted.
    pub fn send(&self, report: &Report) -> Result<u64, OutboxError> {
        self.send_all(std::slice::from_ref(report))
    }

    /// Appends reports of one stream with one flush to the disk.
    pub fn send_all(&self, reports: &[Report]) -> Result<u64, OutboxError> {
        let Some(first) = reports.first() else { return Ok(0) };
        let stream = stream_of(first);
        let bodies = reports.iter().map(serde_json::to_vec).collect::<Result<Vec<_>, _>>()?;
        let taken = self.spool().append_batch(stream, &bodies)?;
        self.nudge();
        Ok(taken.start)
    }

    /// Puts into the events stream how many reports were dropped for want of room. Told at least once, never not at all.
    pub fn tell_drops(&self) -> Result<(), OutboxError> {
        let dropped: Vec<_> = self.spool().dropped().collect();
        for (stream, count) in dropped {
            self.send(&Report::Dropped { at: Timestamp::now(), stream, count })?;
            self.spool().dropped_told(stream, count)?;
        }
        Ok(())
    }

    /// Wakes the link.
    pub fn nudge(&self) {
        self.wake.notify_one();
    }

    /// Until something was added.
    pub async fn nudged(&self) {
        self.wake.notified().await;
    }
}

/// Health is bulk; everything else is a fact.
fn stream_of(report: &Report) -> Stream {
    match report {
        Report::Health(_) => Stream::Health,
        Report::Alarm(_)
        | Report::ActiveAlarms { .. }
        | Report::Dropped { .. }
        | Report::ConsentEnded { .. }
        | Report::SessionOpened(_)
        | Report::SessionFirstByte { .. }
        | Report::SessionEnded(_)
        | Report::Receipt { .. }
        | Report::Local { .. } => Stream::Events,
    }
}

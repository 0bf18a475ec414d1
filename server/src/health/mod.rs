//! Health samples: bulk, not records. They live in day files of their own, so that the main database stays small and retention is
//! the deletion of a file.
//!
//! One writer thread per process, as in the store: it takes what waits, writes it in one transaction per day file, and answers
//! when it is durable. Reports are compressed one by one with zstd. Measured with a host's own metrics: 745 bytes a report in the
//! file, so 1,000 agents at a 60 s interval make about 1.1 GB a day; [`KEEP_DAYS`] days are kept.

pub mod http;
mod sql;
mod thin;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lineman_common::health::HealthReport;
use lineman_common::id::{EquipmentId, SpoolEpoch};
use tokio::sync::{mpsc, oneshot};

use crate::store::StoreError;

/// Days of samples kept.
pub const KEEP_DAYS: i64 = 31;

/// Reports wait here; when it is full, the links wait, and the agents keep them.
const QUEUE: usize = 1024;
const BATCH: usize = 256;

/// A report and where it came from: (agent, epoch, sequence) is its key, so one that comes twice is stored once.
pub struct Sample {
    pub device: EquipmentId,
    pub epoch: SpoolEpoch,
    pub seq: u64,
    pub report: HealthReport,
}

struct Job {
    sample: Sample,
    reply: oneshot::Sender<Result<(), StoreError>>,
}

/// A handle to the samples; clones share it.
#[derive(Clone)]
pub struct Samples {
    jobs: mpsc::Sender<Job>,
    dir: PathBuf,
}

impl Samples {
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let days = sql::Days::new(dir.to_owned());
        std::thread::Builder::new().name("health-writer".into()).spawn(move || work(days, queue))?;
        Ok(Self { jobs, dir: dir.to_owned() })
    }

    /// Stores a report; answers when it is durable.
    pub async fn store(&self, sample: Sample) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job { sample, reply }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Reports of a device in a span of time, oldest first; of too many, the newest.
    pub async fn of(&self, device: EquipmentId, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<HealthReport>, StoreError> {
        let dir = self.dir.clone();
        let read = move || sql::read(&dir, device, from, to, limit);
        tokio::task::spawn_blocking(read).await.map_err(|e| StoreError::Corrupt(e.to_string()))?
    }

    /// Reports of a device in a span of time, oldest first: all when there are no more than `points`, else what [`thin::Thin`] makes of them.
    pub async fn thinned(&self, device: EquipmentId, from: Timestamp, to: Timestamp, points: u32) -> Result<Vec<HealthReport>, StoreError> {
        let dir = self.dir.clone();
        let read = move || {
            let mut thin = thin::Thin::new(from, to, points);
            sql::each_day(&dir, device, from, to, |reports| thin.feed(reports))?;
            Ok(thin.reports())
        };
        tokio::task::spawn_blocking(read).await.map_err(|e| StoreError::Corrupt(e.to_string()))?
    }
}

fn work(mut days: sql::Days, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(BATCH);
    while queue.blocking_recv_many(&mut jobs, BATCH) > 0 {
        let result = days.write(jobs.iter().map(|job| &job.sample));
        if let Err(error) = &result {
            tracing::error!(%error, "health samples could not be stored");
        }
        for job in jobs.drain(..) {
            let _ = job.reply.send(result.as_ref().copied().map_err(|e| StoreError::Corrupt(e.to_string())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_report_is_stored_once_and_read_back_across_days() {
        let dir = tempfile::tempdir().unwrap();
        let samples = Samples::open(dir.path()).unwrap();
        let (device, epoch) = (EquipmentId::new(), SpoolEpoch::new());
        let now = Timestamp::now();
        let ago = |hours: i64| now - jiff::SignedDuration::from_hours(hours);
        for (seq, at) in [(1, ago(30)), (2, ago(1)), (2, ago(1)), (3, now)] {
            let report = HealthReport { at, metrics: [("load.1m".to_owned(), f64::from(u32::try_from(seq).unwrap()))].into() };
            samples.store(Sample { device, epoch, seq, report }).await.unwrap();
        }
        let read = samples.of(device, ago(48), now, 100).await.unwrap();
        assert_eq!(read.iter().map(|r| r.metrics["load.1m"]).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
        assert_eq!(samples.of(device, ago(48), now, 1).await.unwrap()[0].at, now, "of too many, the newest");
        assert!(samples.of(EquipmentId::new(), ago(48), now, 100).await.unwrap().is_empty());
    }
}

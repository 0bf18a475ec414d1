use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil::Date};
use lineman_common::health::HealthReport;
use lineman_common::id::EquipmentId;
use rusqlite::{Connection, OpenFlags, params};

use super::{KEEP_DAYS, Sample};
use crate::store::StoreError;
use crate::store::value::{At, Text};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS report (
        equipment TEXT NOT NULL, at INTEGER NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (equipment, at, epoch, seq)
    ) STRICT, WITHOUT ROWID;";

fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn file(dir: &Path, day: Date) -> PathBuf {
    dir.join(format!("{day}.db"))
}

/// The day files that are open for writing.
pub struct Days {
    dir: PathBuf,
    open: BTreeMap<Date, Connection>,
    newest: Option<Date>,
}

impl Days {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, open: BTreeMap::new(), newest: None }
    }

    pub fn write<'a>(&mut self, samples: impl Iterator<Item = &'a Sample>) -> Result<(), StoreError> {
        let today = day_of(Timestamp::now());
        let mut by_day: BTreeMap<Date, Vec<&Sample>> = BTreeMap::new();
        for sample in samples {
            // A device with a wrong clock must not make files in other centuries: its reports go to today's.
            let day = day_of(sample.report.at);
            let sane = day <= today.saturating_add(1.day()) && day >= today.saturating_sub(KEEP_DAYS.days());
            by_day.entry(if sane { day } else { today }).or_default().push(sample);
        }
        for (day, samples) in by_day {
            let connection = self.day(day)?;
            let tx = connection.transaction()?;
            for sample in samples {
                let body = serde_json::to_vec(&sample.report).map_err(|e| StoreError::Corrupt(e.to_string()))?;
                tx.prepare_cached("INSERT OR IGNORE INTO report VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
                    Text(sample.device),
                    At(sample.report.at),
                    Text(sample.epoch),
                    i64::try_from(sample.seq).unwrap_or(i64::MAX),
                    zstd::encode_all(&body[..], 3)?
                ])?;
            }
            tx.commit()?;
        }
        self.retire(today);
        Ok(())
    }

    fn day(&mut self, day: Date) -> Result<&mut Connection, StoreError> {
        match self.open.entry(day) {
            std::collections::btree_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let connection = Connection::open(file(&self.dir, day))?;
                connection.execute_batch(SCHEMA)?;
                Ok(entry.insert(connection))
            }
        }
    }

    /// Once a day: closes old files, deletes those whose time is over.
    fn retire(&mut self, today: Date) {
        if self.newest == Some(today) {
            return;
        }
        self.newest = Some(today);
        self.open.retain(|day, _| *day >= today.saturating_sub(2.days()));
        let oldest = today.saturating_sub(KEEP_DAYS.days());
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let day = name.to_str().and_then(|name| name.get(..10)).and_then(|day| day.parse::<Date>().ok());
            if day.is_some_and(|day| day < oldest)
                && let Err(error) = std::fs::remove_file(entry.path())
            {
                tracing::warn!(%error, file = %entry.path().display(), "an old file of health samples could not be deleted");
            }
        }
    }
}

pub fn read(dir: &Path, device: EquipmentId, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<HealthReport>, StoreError> {
    let mut reports = Vec::new();
    let oldest = day_of(Timestamp::now()).saturating_sub((KEEP_DAYS + 1).days());
    let (first, mut day) = (day_of(from).max(oldest), day_of(to).min(day_of(Timestamp::now()).saturating_add(1.day())));
    while day >= first && reports.len() < limit as usize {
        let left = limit - u32::try_from(reports.len()).unwrap_or(limit);
        let mut more = of_day(dir, day, device, from, to, left)?;
        more.append(&mut reports);
        reports = more;
        day = day.saturating_sub(1.day());
    }
    Ok(reports)
}

/// Everything of a span of time, a day at a time, oldest first.
pub fn each_day(
    dir: &Path,
    device: EquipmentId,
    from: Timestamp,
    to: Timestamp,
    mut each: impl FnMut(Vec<HealthReport>),
) -> Result<(), StoreError> {
    let oldest = day_of(Timestamp::now()).saturating_sub((KEEP_DAYS + 1).days());
    let (mut day, last) = (day_of(from).max(oldest), day_of(to).min(day_of(Timestamp::now()).saturating_add(1.day())));
    while day <= last {
        let next = day.saturating_add(1.day());
        each(of_day(dir, day, device, from, to, u32::MAX)?);
        day = next;
    }
    Ok(())
}

/// The newest so many of one day's file, oldest first.
fn of_day(dir: &Path, day: Date, device: EquipmentId, from: Timestamp, to: Timestamp, most: u32) -> Result<Vec<HealthReport>, StoreError> {
    let path = file(dir, day);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT body FROM report WHERE equipment = ?1 AND at BETWEEN ?2 AND ?3 ORDER BY at DESC LIMIT ?4";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(params![Text(device), At(from), At(to), most])?;
    let mut reports = Vec::new();
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(0)?;
        let body = zstd::decode_all(&body[..])?;
        reports.push(serde_json::from_slice(&body).map_err(|e| StoreError::Corrupt(e.to_string()))?);
    }
    reports.reverse();
    Ok(reports)
}

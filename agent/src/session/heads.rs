//! The log of chain heads, `STATE/heads.log`: a witness of every session that the centre can't touch.
//!
//! One JSON line when a session begins and one when its recording ends, with the hash that the whole recording hangs on,
//! flushed before the journal goes. A centre that loses a recording, or shows another one, is refuted by this file.
//!
//! It is only ever appended to. After a year the file becomes `heads.log.1`, and the one that had that name goes: what is
//! there reaches back a year at least. Its size is bounded all the same, and nobody may wash a year out of it by opening
//! sessions: when there is no more room, no session begins until root moves the old file away.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::name::PersonName;
use lineman_common::session::EndReason;
use serde::{Deserialize, Serialize};

use crate::durable;

const FILE: &str = "heads.log";
const OLDER: &str = "heads.log.1";
const YEAR: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Of each of the two files: about 80,000 sessions.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub at: Timestamp,
    pub session: SessionId,
    pub consent: ConsentId,
    pub engineer: PersonName,
    /// Chunks in the recording, and the SHA-256 of the last one.
    pub chunks: u64,
    pub head: String,
    /// `None` in the line of the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<EndReason>,
}

/// The log, for writing.
pub struct Heads {
    file: PathBuf,
    older: PathBuf,
    max_bytes: u64,
    /// One line at a time.
    turn: Mutex<()>,
}

impl Heads {
    pub fn new(state: &Path) -> Self {
        Self { file: state.join(FILE), older: state.join(OLDER), max_bytes: MAX_BYTES, turn: Mutex::new(()) }
    }

    /// Writes a line down. Full refuses beginnings only: what has begun is always told to its end.
    pub fn write(&self, head: &Head) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.rotate(head.at)?;
        if head.reason.is_none() && length(&self.file)? >= self.max_bytes {
            let text = format!("{} is full: move {} away, and no session will be lost", self.file.display(), self.older.display());
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        durable::append_line(&self.file, &serde_json::to_vec(head)?, durable::PRIVATE)
    }

    /// Begins a new file when this one is a year old, or full and the older one has been moved away.
    fn rotate(&self, now: Timestamp) -> io::Result<()> {
        let Some(first) = lines(&self.file)?.next() else { return Ok(()) };
        let full = length(&self.file)? >= self.max_bytes && !self.older.exists();
        if full || now.duration_since(first.at) > YEAR { durable::rename(&self.file, &self.older) } else { Ok(()) }
    }
}

/// All lines that are kept in this state directory, oldest first.
pub fn read(state: &Path) -> io::Result<Vec<Head>> {
    Ok(lines(&state.join(OLDER))?.chain(lines(&state.join(FILE))?).collect())
}

fn length(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// The lines that can be read; one that was torn by a power cut can't.
fn lines(path: &Path) -> io::Result<impl Iterator<Item = Head> + use<>> {
    let file = match fs::File::open(path) {
        Ok(file) => Some(BufReader::new(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(file.into_iter().flat_map(BufRead::lines).map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(at: &str, reason: Option<EndReason>) -> Head {
        let (session, consent) = (SessionId::new(), ConsentId::new());
        Head { at: at.parse().unwrap(), session, consent, engineer: "engineer-a".parse().unwrap(), chunks: 2, head: "h".into(), reason }
    }

    #[test]
    fn a_line_survives_and_a_torn_one_spoils_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let heads = Heads::new(dir.path());
        let (one, two) = (head("2026-11-22T08:00:00Z", None), head("2026-11-22T09:00:00Z", Some(EndReason::Client)));
        heads.write(&one).unwrap();
        let mut bytes = fs::read(dir.path().join(FILE)).unwrap();
        bytes.extend(b"{\"at\":\"2026-");
        fs::write(dir.path().join(FILE), bytes).unwrap();
        heads.write(&two).unwrap();
        assert_eq!(read(dir.path()).unwrap(), [one, two]);
    }

    #[test]
    fn a_year_is_kept_and_nobody_washes_it_out() {
        let dir = tempfile::tempdir().unwrap();
        let heads = Heads { max_bytes: 300, ..Heads::new(dir.path()) };
        let old = head("2025-01-01T00:00:00Z", None);
        heads.write(&old).unwrap();
        let kept = head("2026-11-22T00:00:00Z", None);
        heads.write(&kept).unwrap();
        assert_eq!(read(dir.path()).unwrap(), [old.clone(), kept.clone()], "the old file is beside it");
        heads.write(&head("2026-11-23T00:00:00Z", None)).unwrap();
        let refused = heads.write(&head("2026-11-23T00:00:01Z", None)).unwrap_err().to_string();
        assert!(refused.contains("is full: move"), "{refused}");
        heads.write(&head("2026-11-23T00:00:02Z", Some(EndReason::Client))).unwrap();
        assert_eq!(read(dir.path()).unwrap().len(), 4);
        fs::remove_file(dir.path().join(OLDER)).unwrap();
        heads.write(&head("2026-11-23T00:00:03Z", None)).unwrap();
        assert_eq!(read(dir.path()).unwrap()[0], kept);
    }
}

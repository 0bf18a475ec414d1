//! The chain of signed chunks that a recording is, and the journal that outlives a killed agent.
//!
//! A chunk counts when it is in the spool, on the disk. Beside the spool there is one small journal file per live session:
//! the number and the hash that the next chunk must carry. It is written under the spool's lock right after the chunk, so
//! the link can't have sent a chunk, let alone got it acknowledged and dropped, before the journal knows it. An agent that
//! was killed finds the journal at its next start, looks through the spool for a chunk that it missed, and signs the end
//! record: a recording without an end is one that somebody cut.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use lineman_common::id::SessionId;
use lineman_common::link::{Report, SessionEnded, SessionSummary, Stream};
use lineman_common::recording::{Bind, Chunk, ChunkHeader, Event, FIRST_PREV, What, body};
use lineman_common::session::EndReason;
use lineman_common::statement::sig::SignError;
use lineman_common::statement::{Namespace, Signed, sha256_hex};
use serde::{Deserialize, Serialize};
use ssh_key::PrivateKey;

use crate::durable;
use crate::outbox::{Outbox, OutboxError};
use crate::spool::SpoolError;

/// Read from the spool at a time when a journal is brought up to date.
const SCAN_BYTES: usize = 256 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    #[error("signing a chunk: {0}")]
    Sign(#[from] SignError),
    #[error("writing a chunk as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error("the journal {}: {source}", path.display())]
    Journal { path: PathBuf, source: io::Error },
}

/// Where recordings go, and who signs them.
pub struct Studio {
    pub outbox: Arc<Outbox>,
    pub host_key: PrivateKey,
    /// The directory of journals.
    pub journals: PathBuf,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Journal {
    session: SessionId,
    bind: Bind,
    /// Number of the next chunk, and the hash it must carry.
    next: u64,
    prev: String,
    summary: SessionSummary,
    /// How it ended, when the end record could not be written.
    #[serde(default)]
    ended: Option<EndReason>,
}

pub struct Chain {
    studio: Arc<Studio>,
    journal: Journal,
}

impl Chain {
    /// Starts a recording. Its first chunk, which binds it to consent and keys, is on the disk when this returns.
    pub fn begin(studio: Arc<Studio>, session: SessionId, bind: Bind) -> Result<Self, ChainError> {
        let journal = Journal { session, bind, next: 0, prev: FIRST_PREV.to_owned(), summary: SessionSummary::default(), ended: None };
        let mut chain = Self { studio, journal };
        chain.save()?;
        chain.append(&[], None)?;
        Ok(chain)
    }

    pub fn session(&self) -> SessionId {
        self.journal.session
    }

    /// Appends a chunk with these event lines.
    pub fn write(&mut self, events: &[String], summary: SessionSummary) -> Result<(), ChainError> {
        self.journal.summary = summary;
        self.append(events, None)
    }

    /// Appends the end record and tells that the session ended. When the record can't be written, the session ended all the
    /// same; the record follows at the next start.
    pub fn end(mut self, events: &[String], reason: EndReason, summary: SessionSummary) -> Result<(), ChainError> {
        self.journal.summary = summary;
        let written = self.append(events, Some(reason));
        if written.is_err() {
            self.journal.ended = Some(reason);
            self.save()?;
        }
        let Journal { session, next, prev, summary, .. } = &self.journal;
        self.studio.outbox.send(&Report::SessionEnded(SessionEnded {
            at: Timestamp::now(),
            session: *session,
            reason,
            chunks: *next,
            head_sha256: prev.clone(),
            summary: summary.clone(),
        }))?;
        written?;
        let path = self.path();
        durable::remove(&path).map_err(|source| ChainError::Journal { path, source })
    }

    fn append(&mut self, events: &[String], end: Option<EndReason>) -> Result<(), ChainError> {
        let Journal { session, bind, next, prev, .. } = &self.journal;
        let header = ChunkHeader {
            version: 1,
            session: *session,
            chunk: *next,
            prev: prev.clone(),
            at: Timestamp::now(),
            bind: (*next == 0).then(|| bind.clone()),
            end,
        };
        let text = body(&header, events);
        let hash = sha256_hex(&text);
        let chunk: Chunk = Signed::sign(&self.studio.host_key, Namespace::Recording, text)?;
        let line = serde_json::to_vec(&chunk)?;
        let outbox = Arc::clone(&self.studio.outbox);
        let mut spool = outbox.spool();
        spool.append(Stream::Recording, &line)?;
        self.journal.next += 1;
        self.journal.prev = hash;
        let saved = self.save();
        drop(spool);
        outbox.nudge();
        saved
    }

    fn path(&self) -> PathBuf {
        self.studio.journals.join(self.journal.session.to_string())
    }

    fn save(&self) -> Result<(), ChainError> {
        let path = self.path();
        let json = serde_json::to_vec(&self.journal)?;
        durable::write(&path, &json, durable::PRIVATE).map_err(|source| ChainError::Journal { path, source })
    }
}

/// Ends the recordings that an earlier agent left open. Returns their sessions.
pub fn end_unfinished(studio: &Arc<Studio>) -> Result<Vec<SessionId>, ChainError> {
    let journals = read_journals(&studio.journals)?;
    let mut ended = Vec::new();
    for mut journal in journals {
        let finished = catch_up(studio, &mut journal)?;
        let (session, summary) = (journal.session, journal.summary.clone());
        let reason = journal.ended.unwrap_or(EndReason::AgentStopped);
        let chain = Chain { studio: Arc::clone(studio), journal };
        if finished {
            // Only the removal of the journal was missing; that the session ended may be told twice, never not at all.
            chain.tell_end(reason)?;
        } else {
            let note =
                Event { seconds: 0.0, channel: 0, what: What::Note("the agent stopped; this end was signed at its next start".into()) };
            chain.end(&[note.to_line()], reason, summary)?;
        }
        ended.push(session);
    }
    Ok(ended)
}

impl Chain {
    fn tell_end(&self, reason: EndReason) -> Result<(), ChainError> {
        let Journal { session, next, prev, summary, .. } = &self.journal;
        self.studio.outbox.send(&Report::SessionEnded(SessionEnded {
            at: Timestamp::now(),
            session: *session,
            reason,
            chunks: *next,
            head_sha256: prev.clone(),
            summary: summary.clone(),
        }))?;
        let path = self.path();
        durable::remove(&path).map_err(|source| ChainError::Journal { path, source })
    }
}

fn read_journals(dir: &Path) -> Result<Vec<Journal>, ChainError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ChainError::Journal { path, source }
    };
    let mut journals = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        // A file that was being written when the agent died; the journal itself is beside it.
        if path.extension().is_some() {
            durable::remove(&path).map_err(failed(&path))?;
            continue;
        }
        let text = fs::read_to_string(&path).map_err(failed(&path))?;
        match serde_json::from_str(&text) {
            Ok(journal) => journals.push(journal),
            Err(error) => tracing::error!(%error, journal = %path.display(), "a journal can't be read: its recording stays without an end"),
        }
    }
    Ok(journals)
}

/// Finds chunks in the spool that the journal does not know. `true` when the end record is among them.
fn catch_up(studio: &Studio, journal: &mut Journal) -> Result<bool, ChainError> {
    let mut from = studio.outbox.spool().first_unacked(Stream::Recording);
    loop {
        let chunks = studio.outbox.spool().read_from(Stream::Recording, from, SCAN_BYTES)?;
        let Some((last, _)) = chunks.last() else { return Ok(false) };
        from = last + 1;
        for (_, line) in &chunks {
            let Some((header, text)) = header_of(line) else { continue };
            if header.session == journal.session && header.chunk == journal.next {
                journal.next += 1;
                journal.prev = sha256_hex(&text);
            }
            if let (true, Some(reason)) = (header.session == journal.session, header.end) {
                journal.ended = Some(reason);
                return Ok(true);
            }
        }
    }
}

fn header_of(line: &[u8]) -> Option<(ChunkHeader, String)> {
    let chunk: Chunk = serde_json::from_slice(line).ok()?;
    let header = serde_json::from_str(chunk.text.lines().next()?).ok()?;
    Some((header, chunk.text))
}

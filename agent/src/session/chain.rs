//! The chain of signed chunks that a recording is, and the journal that outlives a killed agent.
//!
//! A chunk counts when it is in the spool, on the disk. Beside the spool there is one small journal file per live session:
//! the number and the hash that the next chunk must carry. It is written under the spool's lock right after the chunk, so
//! the link can't have sent a chunk, let alone got it acknowledged and dropped, before the journal knows it. An agent that
//! was killed finds the journal at its next start, looks through the spool for a chunk that it missed, and signs the end
//! record: a recording without an end is one that somebody cut.
//!
//! There is one end record and never another: it is signed into the journal before it is appended, and from then on these
//! bytes are appended, or nothing is. What stays unfinished (a full spool, a broken disk) is tried again while the agent
//! runs, and stops nobody meanwhile.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use jiff::Timestamp;
use lineman_common::id::SessionId;
use lineman_common::link::{Report, SessionEnded, SessionSummary, Stream};
use lineman_common::recording::{Bind, CUT, Chunk, ChunkHeader, Event, FIRST_PREV, What, body};
use lineman_common::session::EndReason;
use lineman_common::statement::sig::SignError;
use lineman_common::statement::{Namespace, Signed, hex, sha256_hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ssh_key::PrivateKey;

use super::pace::Pace;
use crate::durable;
use crate::journal::{self, Entry};
use crate::outbox::{Outbox, OutboxError};
use crate::spool::SpoolError;

/// Read from the spool at a time when a journal is brought up to date.
const SCAN_BYTES: usize = 256 * 1024;
/// Of a command or a path, this much goes into a summary: the recording has all of it.
const ENTRY_CHARS: usize = 512;

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
    #[error("the device's journal: {0}")]
    Witness(io::Error),
}

/// Where recordings go, and who signs them.
pub struct Studio {
    pub outbox: Arc<Outbox>,
    host_key: PrivateKey,
    /// The directory of journals.
    journals: PathBuf,
    /// The log that the centre can't touch.
    witness: Arc<journal::Journal>,
    /// Recordings without an end whose sessions are over: the agent was killed, or the end could not be written.
    unfinished: Mutex<Vec<Journal>>,
}

impl Studio {
    /// Finds what an earlier agent left unfinished; [`end_unfinished`] ends it.
    pub fn open(state: &Path, outbox: Arc<Outbox>, host_key: PrivateKey) -> Result<Arc<Self>, ChainError> {
        let journals = state.join("sessions");
        fs::create_dir_all(&journals).map_err(|source| ChainError::Journal { path: journals.clone(), source })?;
        let unfinished = Mutex::new(read_journals(&journals)?);
        let witness = Arc::new(journal::Journal::open(state).map_err(ChainError::Witness)?);
        Ok(Arc::new(Self { outbox, host_key, journals, witness, unfinished }))
    }

    /// The device's own log, which everything else writes to as well.
    pub fn witness(&self) -> &Arc<journal::Journal> {
        &self.witness
    }

    /// The sessions whose recordings are still without an end.
    pub fn unfinished(&self) -> Vec<SessionId> {
        self.waiting().iter().map(|journal| journal.session).collect()
    }

    /// The list is only added to and taken whole, so a poisoned lock is safe.
    fn waiting(&self) -> MutexGuard<'_, Vec<Journal>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Journal {
    session: SessionId,
    bind: Bind,
    /// Number of the next chunk, and the hash it must carry.
    next: u64,
    prev: String,
    summary: SessionSummary,
    /// How it ended; set before the end record is appended.
    #[serde(default)]
    ended: Option<EndReason>,
    /// The end record, signed, until it is known to be in the spool.
    #[serde(default)]
    end_record: Option<Chunk>,
    /// The end record is in the spool, or was there and is acknowledged: nothing may be appended any more.
    #[serde(default)]
    sealed: bool,
    /// The spool holds no chunk that the journal does not know: true in the process that wrote them.
    #[serde(skip)]
    current: bool,
    /// The end was told by this process.
    #[serde(skip)]
    told: bool,
}

/// Events that could not be recorded: how many, and the SHA-256 of their lines, each with its line end.
#[derive(Clone, Default)]
pub struct Lost {
    events: u64,
    hash: Sha256,
}

impl Lost {
    pub fn add(&mut self, line: &str) {
        self.events += 1;
        self.hash.update(line);
        self.hash.update("\n");
    }

    /// For the end record, if anything was lost.
    pub fn note(&self) -> Option<String> {
        let sha256 = hex(&self.hash.clone().finalize());
        (self.events > 0).then(|| note(format!("{} events could not be recorded; the SHA-256 of their lines is {sha256}", self.events)))
    }
}

fn note(text: String) -> String {
    Event { seconds: 0.0, channel: 0, what: What::Note(text) }.to_line()
}

/// What a summary says of a command or a path: a bounded part of it, so that no engineer can make a report too large to send.
pub fn summarised(entry: &str) -> String {
    match entry.char_indices().nth(ENTRY_CHARS) {
        Some((end, _)) => format!("{}…", &entry[..end]),
        None => entry.to_owned(),
    }
}

pub struct Chain {
    studio: Arc<Studio>,
    journal: Journal,
    /// `None` for what an earlier agent left: nobody is inside any more.
    pace: Option<Arc<Pace>>,
}

/// A recording that may begin: the device's own log tells of it, and its journal is on the disk. Nobody is inside yet.
pub struct Prepared(Chain);

impl Prepared {
    /// Writes the first chunk, which binds the recording to consent and keys: it is on the disk when this returns.
    pub fn begin(self) -> Result<Chain, ChainError> {
        let Self(mut chain) = self;
        match chain.write(&[Vec::new()], SessionSummary::default()) {
            Ok(()) => Ok(chain),
            Err(error) => {
                Self(chain).give_up();
                Err(error)
            }
        }
    }

    /// Nobody gets in: what was told of the session gets its end as soon as that can be written.
    pub fn give_up(self) {
        let Self(Chain { studio, mut journal, .. }) = self;
        journal.ended = Some(EndReason::Error);
        studio.waiting().push(journal);
    }
}

impl Chain {
    /// Everything that comes before the first chunk. A log that can't tell of it leaves nothing behind.
    pub fn prepare(studio: Arc<Studio>, session: SessionId, bind: Bind, pace: Arc<Pace>) -> Result<Prepared, ChainError> {
        let begun = Entry::SessionBegun { session, bind: Box::new(bind.clone()) };
        let journal = Journal {
            session,
            bind,
            next: 0,
            prev: FIRST_PREV.to_owned(),
            summary: SessionSummary::default(),
            ended: None,
            end_record: None,
            sealed: false,
            current: true,
            told: false,
        };
        let chain = Self { studio, journal, pace: Some(pace) };
        // Two files, and an engineer who waits for both to be flushed to the disk.
        let (witnessed, saved) = thread::scope(|scope| {
            let witnessing = scope.spawn(|| chain.studio.witness.write(&begun));
            let saved = chain.save();
            (witnessing.join().unwrap_or_else(|_| Err(io::Error::other("the thread that wrote it panicked"))), saved)
        });
        saved?;
        if let Err(source) = witnessed {
            chain.remove()?;
            return Err(ChainError::Witness(source));
        }
        Ok(Prepared(chain))
    }

    pub fn session(&self) -> SessionId {
        self.journal.session
    }

    /// Appends chunks with these event lines, all of them or none, with one flush to the disk.
    pub fn write(&mut self, chunks: &[Vec<String>], summary: SessionSummary) -> Result<(), ChainError> {
        self.journal.summary = summary;
        let (mut next, mut prev) = (self.journal.next, self.journal.prev.clone());
        let mut signed = Vec::with_capacity(chunks.len());
        for events in chunks {
            let chunk = self.sign((next, &prev), events, None)?;
            (next, prev) = (next + 1, sha256_hex(&chunk.text));
            signed.push(chunk);
        }
        self.put(&signed, |_| {})
    }

    /// Appends the end record and tells that the session ended. When the record can't be written, the session ended all the
    /// same; the record follows when it can be.
    pub fn end(mut self, events: &[String], reason: EndReason, summary: SessionSummary) -> Result<(), ChainError> {
        self.journal.summary = summary;
        let ended = self.close(events, reason);
        if ended.is_err() {
            self.studio.waiting().push(self.journal);
        }
        ended
    }

    /// Ends what an earlier agent, or an earlier try, left.
    fn finish(&mut self) -> Result<(), ChainError> {
        if !self.journal.sealed && !self.journal.current {
            self.journal.sealed = catch_up(&self.studio, &mut self.journal)?;
            self.journal.current = true;
        }
        let reason = self.journal.ended.unwrap_or(EndReason::AgentStopped);
        if !self.journal.sealed && self.journal.end_record.is_none() {
            return self.close(&[note(CUT.into())], reason);
        }
        self.append_end()?;
        self.tell_end(reason)?;
        self.remove()
    }

    fn close(&mut self, events: &[String], reason: EndReason) -> Result<(), ChainError> {
        let sealed = match self.seal(events, reason) {
            Err(ChainError::Spool(SpoolError::TooLarge { .. })) => {
                let mut lost = Lost::default();
                for line in events {
                    lost.add(line);
                }
                self.seal(&lost.note().into_iter().collect::<Vec<_>>(), reason)
            }
            other => other,
        };
        if sealed.is_ok() || !self.journal.told {
            self.tell_end(reason)?;
        }
        sealed?;
        self.remove()
    }

    /// Signs the end record, with these events, into the journal, and appends it.
    fn seal(&mut self, events: &[String], reason: EndReason) -> Result<(), ChainError> {
        let record = self.sign((self.journal.next, &self.journal.prev), events, Some(reason))?;
        let bytes = serde_json::to_vec(&record)?.len();
        if bytes > self.studio.outbox.spool().longest() {
            return Err(SpoolError::TooLarge { bytes }.into());
        }
        self.journal.ended = Some(reason);
        self.journal.end_record = Some(record);
        self.save()?;
        self.append_end()
    }

    /// Appends the end record as it was signed, unless that has happened.
    fn append_end(&mut self) -> Result<(), ChainError> {
        let Some(record) = self.journal.end_record.clone().filter(|_| !self.journal.sealed) else { return Ok(()) };
        self.put(&[record], |journal| (journal.end_record, journal.sealed) = (None, true))
    }

    /// A chunk at this place of the chain: its number, and the hash that it carries.
    fn sign(&self, (chunk, prev): (u64, &str), events: &[String], end: Option<EndReason>) -> Result<Chunk, ChainError> {
        let Journal { session, bind, .. } = &self.journal;
        let header = ChunkHeader {
            version: 1,
            session: *session,
            chunk,
            prev: prev.to_owned(),
            at: Timestamp::now(),
            bind: (chunk == 0).then(|| bind.clone()),
            end,
        };
        Ok(Signed::sign(&self.studio.host_key, Namespace::Recording, body(&header, events))?)
    }

    fn put(&mut self, chunks: &[Chunk], also: impl FnOnce(&mut Journal)) -> Result<(), ChainError> {
        let Some(last) = chunks.last() else { return Ok(()) };
        let lines = chunks.iter().map(serde_json::to_vec).collect::<Result<Vec<_>, _>>()?;
        let outbox = Arc::clone(&self.studio.outbox);
        let mut spool = outbox.spool();
        let taken = spool.append_batch(Stream::Recording, &lines)?;
        if let Some(pace) = &self.pace {
            for (seq, line) in taken.zip(&lines) {
                pace.spooled(&spool, seq, line.len());
            }
        }
        self.journal.next += chunks.len() as u64;
        self.journal.prev = sha256_hex(&last.text);
        also(&mut self.journal);
        let saved = self.save();
        drop(spool);
        outbox.nudge();
        saved
    }

    /// Writes where the chain ended into the log that the centre can't touch.
    fn witness(&self, reason: EndReason) -> Result<(), ChainError> {
        let Journal { session, bind, next, prev, .. } = &self.journal;
        let (consent, engineer) = (bind.consent, bind.engineer.clone());
        let entry = Entry::SessionEnded { session: *session, consent, engineer, chunks: *next, head: prev.clone(), reason };
        self.studio.witness.write(&entry).map_err(ChainError::Witness)
    }

    /// On this device and to the centre. It may be told twice, never not at all.
    fn tell_end(&mut self, reason: EndReason) -> Result<(), ChainError> {
        self.witness(reason)?;
        let Journal { session, next, prev, summary, .. } = &self.journal;
        self.studio.outbox.send(&Report::SessionEnded(SessionEnded {
            at: Timestamp::now(),
            session: *session,
            reason,
            chunks: *next,
            head_sha256: prev.clone(),
            summary: summary.clone(),
        }))?;
        self.journal.told = true;
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.studio.journals.join(self.journal.session.to_string())
    }

    fn save(&self) -> Result<(), ChainError> {
        let path = self.path();
        let json = serde_json::to_vec(&self.journal)?;
        durable::write(&path, &json, durable::PRIVATE).map_err(|source| ChainError::Journal { path, source })
    }

    fn remove(&self) -> Result<(), ChainError> {
        let path = self.path();
        durable::remove(&path).map_err(|source| ChainError::Journal { path, source })
    }
}

/// Ends the recordings that were left open, and returns their sessions. One that can't be ended now waits for the next call.
pub fn end_unfinished(studio: &Arc<Studio>) -> Vec<SessionId> {
    let journals = std::mem::take(&mut *studio.waiting());
    let mut ended = Vec::new();
    for journal in journals {
        let mut chain = Chain { studio: Arc::clone(studio), journal, pace: None };
        match chain.finish() {
            Ok(()) => ended.push(chain.session()),
            Err(error) => {
                tracing::error!(%error, session.id = %chain.session(), "a recording can't be ended now; it will be tried again");
                studio.waiting().push(chain.journal);
            }
        }
    }
    ended
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
        match read_journal(&path) {
            Ok(journal) => journals.push(journal),
            Err(error) => tracing::error!(%error, journal = %path.display(), "a journal can't be read: its recording stays without an end"),
        }
    }
    Ok(journals)
}

/// Older agents wrote summaries without a bound.
fn read_journal(path: &Path) -> io::Result<Journal> {
    let mut journal: Journal = serde_json::from_str(&fs::read_to_string(path)?)?;
    let SessionSummary { commands, files, .. } = &mut journal.summary;
    commands.iter_mut().chain(files).for_each(|entry| *entry = summarised(entry));
    Ok(journal)
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

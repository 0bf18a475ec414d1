//! The device's journal, `STATE/journal.log`: a witness of every session that the centre can't touch.
//!
//! One JSON line per [`Entry`]: sessions with the hash that the whole recording hangs on, consents, lists that were taken, and what was
//! done on the device itself. Each line is flushed before what it tells of goes on. A centre that loses a recording, or shows another
//! one, is refuted by this file.
//!
//! Lines are numbered, and each carries the SHA-256 of the line before it; `journal.head` beside the file holds number and hash of
//! the last one. So a line that was removed or changed shows ([`check`]), as long as whoever did it has not written everything anew.
//! Root can do that; against root there is the sink (`crate::sink`), which has the same lines outside of the device.
//!
//! The file is only ever appended to, and no clock has a say in it. When it is full it becomes `journal.log.1`, but only if there is no
//! file of that name: nothing here ever overwrites or removes history. When both are full, nothing begins until root moves the old file
//! away: nobody may wash anything out of it by opening sessions, or by stopping and resuming the device. What has begun is always told
//! to its end, and so is what root does here; what root approves here finds a reserve of its own, which nobody else can use up.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use lineman_common::id::{ConsentId, SessionId};
use lineman_common::name::PersonName;
use lineman_common::printable::escape;
use lineman_common::recording::{Bind, FIRST_PREV};
use lineman_common::session::{Doors, EndReason, Grade};
use lineman_common::statement::{KeyClass, LocalStatement, Signed, sha256_hex};
use lineman_common::words;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::durable;

mod check;

pub use check::{Checked, Witness, check};

const FILE: &str = "journal.log";
const OLDER: &str = "journal.log.1";
const HEAD: &str = "journal.head";
const LOCK: &str = "journal.lock";
/// Of each of the two files: about 50,000 sessions.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Above that, for what root approved on the device, and the sessions of it.
const RESERVE_BYTES: u64 = 1024 * 1024;

words! {
    /// The lists that others sign and the device obeys.
    pub enum List {
        Roster = "roster",
        Signers = "signers",
    }
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// Somebody is let in: who, by which statements, as which account.
    SessionBegun {
        session: SessionId,
        bind: Box<Bind>,
    },
    SessionEnded {
        session: SessionId,
        consent: ConsentId,
        engineer: PersonName,
        /// Chunks in the recording, and the SHA-256 of the last one.
        chunks: u64,
        head: String,
        reason: EndReason,
    },
    /// The administrator of this device did something here: a [`LocalStatement`].
    Local {
        signed: Signed,
    },
    /// A roster or a signer list counts from here on.
    List {
        list: List,
        counter: u64,
        sha256: String,
    },
    ConsentLive {
        consent: ConsentId,
        grade: Grade,
        engineer: PersonName,
        /// Nobody, when it was approved on the device.
        approvers: Vec<PersonName>,
        /// Those of them who signed in a page that the vendor's centre served.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approved_in_page: Vec<PersonName>,
        doors: Doors,
        account: String,
        /// By the wall clock; the consent itself counts on the boot clock.
        until: Timestamp,
        /// Hashes of the statements that made it live.
        statements_sha256: Vec<String>,
    },
    ConsentEnded {
        consent: ConsentId,
        reason: EndReason,
    },
    /// The centre stopped this device. A stop on the device itself is a local act.
    Stopped {
        by: String,
        reason: String,
    },
    Resumed {
        by: String,
    },
}

impl Entry {
    /// The word in `kind`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SessionBegun { .. } => "session_begun",
            Self::SessionEnded { .. } => "session_ended",
            Self::Local { .. } => "local",
            Self::List { .. } => "list",
            Self::ConsentLive { .. } => "consent_live",
            Self::ConsentEnded { .. } => "consent_ended",
            Self::Stopped { .. } => "stopped",
            Self::Resumed { .. } => "resumed",
        }
    }

    /// Something begins with it, which a full journal refuses. Also the end of a stop: with it another stop could begin.
    const fn begins(&self) -> bool {
        matches!(self, Self::SessionBegun { .. } | Self::ConsentLive { .. } | Self::Resumed { .. })
    }

    /// A consent that no approver signed: root approved it here.
    const fn is_approved_here(&self) -> bool {
        matches!(self, Self::ConsentLive { approvers, .. } if approvers.is_empty())
    }

    /// One line for people.
    pub fn text(&self) -> String {
        match self {
            Self::SessionBegun { session, bind } => {
                let Bind { engineer, engineer_key, account, grade, consent, .. } = &**bind;
                format!("{session} began: {engineer} ({engineer_key}) as {}, {grade}, under {consent}", escape(account))
            }
            Self::SessionEnded { session, engineer, chunks, head, reason, .. } => {
                format!("{session} of {engineer} ended ({reason}): {chunks} chunks, head {head}")
            }
            Self::Local { signed } => match LocalStatement::read_unverified(signed) {
                Ok(LocalStatement { act, subject, by, detail, .. }) => format!("{act} {subject} on the device by {by}: {detail}"),
                Err(error) => format!("a local act, but {error}"),
            },
            Self::List { list, counter, sha256 } => format!("{list} {counter} counts from now on: {sha256}"),
            Self::ConsentLive { consent, grade, engineer, approvers, approved_in_page, doors, account, until, .. } => {
                let approvers = approvers.iter().map(|name| name_and_page(name, approved_in_page)).collect::<Vec<_>>().join(" and ");
                let by = if approvers.is_empty() { "the device's administrator" } else { &approvers };
                format!("{consent} is live until {until}: {engineer}, {grade}, {doors} as {}, by {by}", escape(account))
            }
            Self::ConsentEnded { consent, reason } => format!("{consent} ended ({reason})"),
            Self::Stopped { by, reason } => format!("stopped by {}: {}", escape(by), escape(reason)),
            Self::Resumed { by } => format!("resumed by {}", escape(by)),
        }
    }
}

/// An approver, and what is to be said of where they approved.
pub fn name_and_page(name: &PersonName, approved_in_page: &[PersonName]) -> String {
    let class = if approved_in_page.contains(name) { KeyClass::Page } else { KeyClass::Own };
    class.named(name)
}

/// One line. `n` stays first: readers that look for a number needn't parse what they skip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Counted from 1, never again from the start.
    pub n: u64,
    pub at: Timestamp,
    /// SHA-256 of the line before, without its line end.
    pub prev: String,
    #[serde(flatten)]
    pub entry: Entry,
}

/// A line with its exact text, which the next one's `prev` is the hash of.
#[derive(Clone, Debug)]
pub struct Written {
    pub line: Line,
    pub text: String,
}

/// Number and hash of a line: where the chain stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub n: u64,
    pub sha256: String,
}

impl Position {
    /// Before the first line.
    pub fn start() -> Self {
        Self { n: 0, sha256: FIRST_PREV.to_owned() }
    }

    pub fn of(written: &Written) -> Self {
        Self { n: written.line.n, sha256: sha256_hex(&written.text) }
    }
}

/// The journal, for writing, and for the sinks to follow.
pub struct Journal {
    state: PathBuf,
    max_bytes: u64,
    tail: Mutex<Tail>,
    last: watch::Sender<u64>,
}

/// What the next line must carry, and how long the file was when that was found out. A length that differs says that another process
/// wrote, or that a write failed half-way.
struct Tail {
    position: Position,
    length: Option<u64>,
}

impl Journal {
    pub fn open(state: &Path) -> io::Result<Self> {
        let journal = Self {
            state: state.to_owned(),
            max_bytes: MAX_BYTES,
            tail: Mutex::new(Tail { position: Position::start(), length: None }),
            last: watch::Sender::new(0),
        };
        let mut tail = journal.tail();
        journal.look(&mut tail)?;
        let n = tail.position.n;
        drop(tail);
        journal.last.send_replace(n);
        Ok(journal)
    }

    /// Writes down what was done on this device, in its signed words.
    pub fn local(&self, signed: &Signed) -> io::Result<()> {
        self.write(&Entry::Local { signed: signed.clone() })
    }

    /// The number of the last line, whenever there is a new one.
    pub fn last(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Where the chain stands.
    pub fn position(&self) -> Position {
        self.tail().position.clone()
    }

    /// The lines after number `n`, oldest first, at most `most`.
    pub fn after(&self, n: u64, most: usize) -> io::Result<Vec<Written>> {
        // Both files are opened in one turn: none can become the other in between.
        let files = {
            let _turn = self.tail();
            [open(&self.state.join(OLDER))?, open(&self.state.join(FILE))?]
        };
        let lines = files.into_iter().flatten().flat_map(raw_lines);
        let newer = lines.filter(|raw| raw.as_ref().map_or(true, |raw| number(raw).is_some_and(|found| found > n)));
        newer.filter_map(|raw| raw.map(|raw| written(&raw)).transpose()).take(most).collect()
    }

    /// Writes an entry down; on the disk when it returns. Full refuses beginnings only.
    pub fn write(&self, entry: &Entry) -> io::Result<()> {
        let mut tail = self.tail();
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(durable::PRIVATE).open(self.state.join(LOCK))?;
        lock.lock()?;
        self.look(&mut tail)?;
        self.rotate()?;
        let path = self.state.join(FILE);
        self.check_room(entry, &path)?;
        let Position { n, sha256 } = &tail.position;
        let line = Line { n: n + 1, at: Timestamp::now(), prev: sha256.clone(), entry: entry.clone() };
        let json = serde_json::to_vec(&line)?;
        tail.length = None;
        durable::append_line(&path, &json, durable::PRIVATE)?;
        *tail = Tail { position: Position { n: line.n, sha256: sha256_hex(&json) }, length: Some(length(&path)?) };
        // Only a help for seeing that the last lines were removed: the line itself is written.
        if let Err(error) = durable::write(&self.state.join(HEAD), &serde_json::to_vec(&tail.position)?, durable::PRIVATE) {
            tracing::warn!(%error, "the journal's head can't be written");
        }
        drop(tail);
        self.last.send_replace(line.n);
        Ok(())
    }

    /// Finds out what the next line must carry. A journal that ends before its head was cut: the numbers go on from the head, so that
    /// the gap stays to be seen.
    fn look(&self, tail: &mut Tail) -> io::Result<()> {
        let found = length(&self.state.join(FILE))?;
        if tail.length == Some(found) {
            return Ok(());
        }
        let files = [open(&self.state.join(OLDER))?, open(&self.state.join(FILE))?];
        let mut last = Position::start();
        for raw in files.into_iter().flatten().flat_map(raw_lines) {
            if let Some(written) = written(&raw?) {
                last = Position::of(&written);
            }
        }
        let head = head(&self.state)?.unwrap_or_else(Position::start);
        *tail = Tail { position: if head.n > last.n { head } else { last }, length: Some(found) };
        Ok(())
    }

    /// Begins a new file when this one is full and the older one has been moved away.
    fn rotate(&self) -> io::Result<()> {
        let (path, older) = (self.state.join(FILE), self.state.join(OLDER));
        if length(&path)? < self.max_bytes {
            return Ok(());
        }
        match fs::symlink_metadata(&older) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => durable::rename(&path, &older),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    /// Is there room for this to begin?
    fn check_room(&self, entry: &Entry, path: &Path) -> io::Result<()> {
        let length = length(path)?;
        if !entry.begins() || length < self.max_bytes {
            return Ok(());
        }
        if length < self.max_bytes.saturating_add(RESERVE_BYTES) && self.is_by_root(entry)? {
            return Ok(());
        }
        let older = self.state.join(OLDER);
        let text = format!("{} is full: move {} away and keep it, and no session will be lost", path.display(), older.display());
        Err(io::Error::new(io::ErrorKind::StorageFull, text))
    }

    /// Did root approve this here: a consent, or the one that a session rests on? The journal itself says it.
    fn is_by_root(&self, entry: &Entry) -> io::Result<bool> {
        let Entry::SessionBegun { bind, .. } = entry else { return Ok(entry.is_approved_here()) };
        let name = bind.consent.to_string();
        for raw in texts(&self.state)? {
            let raw = raw?;
            let names = raw.windows(name.len()).any(|part| part == name.as_bytes());
            let line = if names { written(&raw).map(|written| written.line.entry) } else { None };
            let is_it = |entry: &Entry| matches!(entry, Entry::ConsentLive { consent, .. } if *consent == bind.consent);
            if line.is_some_and(|entry| is_it(&entry) && entry.is_approved_here()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A panic in between leaves a tail without a length, which is looked up again: a poisoned lock is safe.
    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All lines that are kept in this state directory, oldest first.
pub fn read(state: &Path) -> io::Result<Vec<Line>> {
    texts(state)?.filter_map(|raw| raw.map(|raw| written(&raw).map(|written| written.line)).transpose()).collect()
}

/// A session's beginning or end, as `sessions --ended` lists it.
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

/// The beginnings and ends of sessions, oldest first.
pub fn sessions(state: &Path) -> io::Result<Vec<Head>> {
    let head = |Line { at, entry, .. }: Line| match entry {
        Entry::SessionBegun { session, bind } => {
            let Bind { consent, engineer, .. } = *bind;
            Some(Head { at, session, consent, engineer, chunks: 0, head: FIRST_PREV.to_owned(), reason: None })
        }
        Entry::SessionEnded { session, consent, engineer, chunks, head, reason } => {
            Some(Head { at, session, consent, engineer, chunks, head, reason: Some(reason) })
        }
        Entry::Local { .. }
        | Entry::List { .. }
        | Entry::ConsentLive { .. }
        | Entry::ConsentEnded { .. }
        | Entry::Stopped { .. }
        | Entry::Resumed { .. } => None,
    };
    Ok(read(state)?.into_iter().filter_map(head).collect())
}

/// Number and hash of the last line, as noted beside the journal.
fn head(state: &Path) -> io::Result<Option<Position>> {
    Ok(durable::read(&state.join(HEAD))?.and_then(|text| serde_json::from_str(&text).ok()))
}

fn texts(state: &Path) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>> + use<>> {
    let files = [open(&state.join(OLDER))?, open(&state.join(FILE))?];
    Ok(files.into_iter().flatten().flat_map(raw_lines))
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn length(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Lines as bytes: one that a power cut tore may end inside a character.
fn raw_lines(file: File) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    BufReader::new(file).split(b'\n').filter(|raw| !raw.as_ref().is_ok_and(Vec::is_empty))
}

fn number(raw: &[u8]) -> Option<u64> {
    let digits = raw.strip_prefix(br#"{"n":"#)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// A line that can be read; one that was torn by a power cut can't.
fn written(raw: &[u8]) -> Option<Written> {
    let text = std::str::from_utf8(raw).ok()?;
    Some(Written { line: serde_json::from_str(text).ok()?, text: text.to_owned() })
}

#[cfg(test)]
mod tests;

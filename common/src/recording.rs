//! Recordings: what happened in a session, in a chain of chunks that the device signs.
//!
//! A recording is a file of lines, one [`Chunk`] a line. A chunk's body is text: a header line, then one event a line.
//! Each header carries the SHA-256 of the chunk before it, the first one binds the session to its consent, request and
//! keys, the last one says how and why it ended, and every chunk is signed with the device's SSH host key (SSHSIG,
//! `recording@lineman`). So a changed, dropped, added or reordered chunk is found by anyone who has the device's public key.
//!
//! One chain covers the whole SSH connection with all its channels: a channel can't be left out unnoticed.
//!
//! An event is `[seconds, channel, code, data]`, like asciicast's with the channel added.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ssh_key::PublicKey;

use crate::id::{ConsentId, SessionId};
use crate::name::{NeName, PersonName};
use crate::session::{Door, EndReason, Grade};
use crate::statement::{Namespace, Signed, sha256_hex};

/// One line of a recording file.
pub type Chunk = Signed;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkHeader {
    #[serde(rename = "lineman-recording")]
    pub version: u32,
    pub session: SessionId,
    /// Counted from 0.
    pub chunk: u64,
    /// SHA-256 of the body of the chunk before; 64 zeros in the first.
    pub prev: String,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind: Option<Bind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndReason>,
}

/// What the first chunk binds the recording to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    pub device: NeName,
    pub consent: ConsentId,
    pub grade: Grade,
    pub request_sha256: String,
    /// Hashes of what let the engineer in: consents, standing statements, or the local statement of a break-glass approval.
    pub consents_sha256: Vec<String>,
    pub engineer: PersonName,
    pub engineer_key: String,
    pub host_key: String,
    pub account: String,
    pub started: Timestamp,
}

pub const FIRST_PREV: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Since the session's start.
    pub seconds: f64,
    /// Counted from 0 in the order of opening.
    pub channel: u32,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// From the engineer.
    Input,
    /// To the engineer: a terminal's output, or a command's stdout.
    Output,
    /// A command's stderr.
    Stderr,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Open(Opened),
    Bytes(Flow, Vec<u8>),
    Resize {
        cols: u32,
        rows: u32,
    },
    /// An SFTP operation.
    Sftp(SftpOperation),
    /// From here on this flow is only counted and hashed.
    Truncated(Flow),
    /// The whole flow's length and hash, when it was truncated.
    Total {
        flow: Flow,
        bytes: u64,
        sha256: String,
    },
    Exit {
        status: Option<u32>,
        signal: Option<String>,
    },
    Note(String),
    /// A code that this program does not know; kept for those that do.
    Other(String, Value),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    pub door: Door,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<Terminal>,
    /// Where a forward leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    pub term: String,
    pub cols: u32,
    pub rows: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SftpOperation {
    /// `open-read`, `open-write` when a file is opened, and `read`, `write` when it is closed or cut off; `list`, `remove`,
    /// `rename`, `mkdir`, `rmdir`, `setstat`, `symlink`.
    pub op: String,
    pub path: String,
    /// Target of a rename or link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Bytes transferred, and their hash when they came in order from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// `ok`, or why not.
    pub result: String,
}

impl Flow {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Stderr => "stderr",
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Input => "i",
            Self::Output => "o",
            Self::Stderr => "e",
        }
    }

    fn from_code(code: &str) -> Option<Self> {
        [Self::Input, Self::Output, Self::Stderr].into_iter().find(|flow| flow.code() == code)
    }
}

impl Event {
    /// The event's line, without a line end. Bytes that are not UTF-8 are base64 under a doubled code.
    pub fn to_line(&self) -> String {
        let (code, data) = match &self.what {
            What::Open(opened) => ("open".to_owned(), json!(opened)),
            What::Bytes(flow, bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => (flow.code().to_owned(), json!(text)),
                Err(_) => (flow.code().repeat(2), json!(STANDARD.encode(bytes))),
            },
            What::Resize { cols, rows } => ("r".to_owned(), json!(format!("{cols}x{rows}"))),
            What::Sftp(operation) => ("sftp".to_owned(), json!(operation)),
            What::Truncated(flow) => ("truncated".to_owned(), json!(flow.code())),
            What::Total { flow, bytes, sha256 } => ("total".to_owned(), json!({"flow": flow.code(), "bytes": bytes, "sha256": sha256})),
            What::Exit { status, signal } => ("exit".to_owned(), json!({"status": status, "signal": signal})),
            What::Note(text) => ("note".to_owned(), json!(text)),
            What::Other(code, data) => (code.clone(), data.clone()),
        };
        json!([round6(self.seconds), self.channel, code, data]).to_string()
    }

    fn from_line(line: &str) -> Option<Self> {
        let (seconds, channel, code, data): (f64, u32, String, Value) = serde_json::from_str(line).ok()?;
        let what = match code.as_str() {
            "open" => What::Open(serde_json::from_value(data).ok()?),
            "i" | "o" | "e" => What::Bytes(Flow::from_code(&code)?, data.as_str()?.as_bytes().to_vec()),
            "ii" | "oo" | "ee" => What::Bytes(Flow::from_code(&code[..1])?, STANDARD.decode(data.as_str()?).ok()?),
            "r" => {
                let (cols, rows) = data.as_str()?.split_once('x')?;
                What::Resize { cols: cols.parse().ok()?, rows: rows.parse().ok()? }
            }
            "sftp" => What::Sftp(serde_json::from_value(data).ok()?),
            "truncated" => What::Truncated(Flow::from_code(data.as_str()?)?),
            "total" => What::Total {
                flow: Flow::from_code(data["flow"].as_str()?)?,
                bytes: data["bytes"].as_u64()?,
                sha256: data["sha256"].as_str()?.to_owned(),
            },
            "exit" => What::Exit {
                status: data["status"].as_u64().and_then(|status| u32::try_from(status).ok()),
                signal: data["signal"].as_str().map(str::to_owned),
            },
            "note" => What::Note(data.as_str()?.to_owned()),
            _ => What::Other(code, data),
        };
        Some(Self { seconds, channel, what })
    }
}

fn round6(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// A chunk's body: header line and event lines.
pub fn body(header: &ChunkHeader, events: &[String]) -> String {
    let mut text = json!(header).to_string();
    text.push('\n');
    for event in events {
        text.push_str(event);
        text.push('\n');
    }
    text
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Broken {
    #[error("chunk {0}: the line is not a chunk")]
    NotAChunk(u64),
    #[error("chunk {0}: the text was changed, or is signed by another device ({1})")]
    Signature(u64, String),
    #[error("chunk {0}: it belongs to another session")]
    OtherSession(u64),
    #[error("chunk {at}: it says it is number {found}: a chunk was dropped, added or reordered before it")]
    OutOfOrder { at: u64, found: u64 },
    #[error("chunk {0}: it does not follow from the chunk before it")]
    Chain(u64),
    #[error("chunk 0: it does not bind the session to a consent and keys")]
    Unbound,
    #[error("chunk {0}: something follows the end record")]
    AfterEnd(u64),
    #[error("there is no chunk at all")]
    Empty,
}

/// A recording that was read and whose chain holds.
#[derive(Clone, Debug)]
pub struct Recording {
    pub session: SessionId,
    pub bind: Bind,
    pub events: Vec<Event>,
    pub chunks: u64,
    /// How it ended; `None` when the end record is missing: truncated after the last chunk.
    pub end: Option<EndReason>,
    /// Hash of the last chunk: the head of the chain.
    pub head_sha256: String,
}

/// Reads a recording and checks its chain and every signature against the device's host key.
pub fn verify(file: &str, host_key: &PublicKey) -> Result<Recording, Broken> {
    read(file, Some(host_key))
}

/// Reads a recording and checks its chain, but not the signatures: for showing what is there.
pub fn read_unverified(file: &str) -> Result<Recording, Broken> {
    read(file, None)
}

fn read(file: &str, host_key: Option<&PublicKey>) -> Result<Recording, Broken> {
    let mut recording: Option<Recording> = None;
    for (at, line) in (0u64..).zip(file.lines()) {
        let chunk: Chunk = serde_json::from_str(line).map_err(|_| Broken::NotAChunk(at))?;
        if let Some(host_key) = host_key {
            check_signature(&chunk, host_key, at)?;
        }
        let (head, events) = chunk.text.split_once('\n').ok_or(Broken::NotAChunk(at))?;
        let header: ChunkHeader = serde_json::from_str(head).map_err(|_| Broken::NotAChunk(at))?;
        let recording = match &mut recording {
            None => recording.insert(first(&header)?),
            Some(recording) => {
                follows(recording, &header, at)?;
                recording
            }
        };
        for line in events.lines() {
            recording.events.push(Event::from_line(line).ok_or(Broken::NotAChunk(at))?);
        }
        recording.chunks = at + 1;
        recording.end = header.end;
        recording.head_sha256 = sha256_hex(&chunk.text);
    }
    recording.ok_or(Broken::Empty)
}

fn check_signature(chunk: &Chunk, host_key: &PublicKey, at: u64) -> Result<(), Broken> {
    let key = chunk.signing_key("chunk", Namespace::Recording).map_err(|e| Broken::Signature(at, e.to_string()))?;
    if key.key_data() != host_key.key_data() {
        return Err(Broken::Signature(at, "signed by another key".into()));
    }
    Ok(())
}

fn first(header: &ChunkHeader) -> Result<Recording, Broken> {
    if header.chunk != 0 {
        return Err(Broken::OutOfOrder { at: 0, found: header.chunk });
    }
    if header.prev != FIRST_PREV {
        return Err(Broken::Chain(0));
    }
    let bind = header.bind.clone().ok_or(Broken::Unbound)?;
    Ok(Recording { session: header.session, bind, events: Vec::new(), chunks: 0, end: None, head_sha256: String::new() })
}

fn follows(recording: &Recording, header: &ChunkHeader, at: u64) -> Result<(), Broken> {
    if recording.end.is_some() {
        return Err(Broken::AfterEnd(at));
    }
    if header.session != recording.session {
        return Err(Broken::OtherSession(at));
    }
    if header.chunk != at {
        return Err(Broken::OutOfOrder { at, found: header.chunk });
    }
    if header.prev != recording.head_sha256 {
        return Err(Broken::Chain(at));
    }
    Ok(())
}

impl Recording {
    pub fn channels(&self) -> impl Iterator<Item = (u32, &Opened)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Open(opened) => Some((event.channel, opened)),
            What::Bytes(..)
            | What::Resize { .. }
            | What::Sftp(_)
            | What::Truncated(_)
            | What::Total { .. }
            | What::Exit { .. }
            | What::Note(_)
            | What::Other(..) => None,
        })
    }

    /// The flows of which only a beginning is in the recording; of the rest it has the length and the hash.
    pub fn only_counted(&self) -> Vec<(u32, Flow)> {
        let truncated = self.events.iter().filter_map(|event| match &event.what {
            What::Truncated(flow) => Some((event.channel, *flow)),
            What::Open(_)
            | What::Bytes(..)
            | What::Resize { .. }
            | What::Sftp(_)
            | What::Total { .. }
            | What::Exit { .. }
            | What::Note(_)
            | What::Other(..) => None,
        });
        truncated.collect()
    }

    /// The channel that `play` and `export` show when none is named: the first terminal, else the first command.
    pub fn main_channel(&self) -> Option<u32> {
        let terminal = self.channels().find(|(_, opened)| opened.terminal.is_some());
        terminal
            .or_else(|| self.channels().find(|(_, opened)| opened.door == Door::Exec))
            .or_else(|| self.channels().next())
            .map(|(channel, _)| channel)
    }

    /// One channel as an asciicast v2 file.
    pub fn asciicast_v2(&self, channel: u32) -> String {
        let opened = self.channels().find(|(number, _)| *number == channel).map(|(_, opened)| opened);
        let terminal = opened.and_then(|opened| opened.terminal.as_ref());
        let (cols, rows, term) = terminal.map_or((80, 24, "xterm-256color"), |t| (t.cols.max(1), t.rows.max(1), t.term.as_str()));
        let header = json!({
            "version": 2, "width": cols, "height": rows, "timestamp": self.bind.started.as_second(),
            "title": format!("{} {}", self.bind.device, self.session), "env": {"TERM": term},
        });
        let mut text = header.to_string() + "\n";
        let bare = terminal.is_none();
        for event in self.events.iter().filter(|event| event.channel == channel) {
            let (code, data) = match &event.what {
                What::Bytes(Flow::Output | Flow::Stderr, bytes) => ("o", display(bytes, bare)),
                What::Bytes(Flow::Input, bytes) => ("i", String::from_utf8_lossy(bytes).into_owned()),
                What::Resize { cols, rows } => ("r", format!("{cols}x{rows}")),
                What::Sftp(op) => ("o", format!("sftp {} {} {}\r\n", op.op, op.path, op.result)),
                What::Open(_) | What::Truncated(_) | What::Total { .. } | What::Exit { .. } | What::Note(_) | What::Other(..) => continue,
            };
            text.push_str(&json!([round6(event.seconds), code, data]).to_string());
            text.push('\n');
        }
        text
    }

    /// What the session printed, in order, for reading and searching.
    pub fn text(&self) -> String {
        let output = self.events.iter().filter_map(|event| match &event.what {
            What::Bytes(Flow::Output | Flow::Stderr, bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            What::Open(opened) => opened.command.as_ref().map(|command| format!("$ {command}\n")),
            What::Sftp(op) => Some(format!("sftp {} {} {}\n", op.op, op.path, op.result)),
            What::Bytes(Flow::Input, _)
            | What::Resize { .. }
            | What::Truncated(_)
            | What::Total { .. }
            | What::Exit { .. }
            | What::Note(_)
            | What::Other(..) => None,
        });
        output.collect()
    }
}

/// Output of a command without a terminal has bare line feeds; a player needs carriage returns too.
fn display(bytes: &[u8], bare: bool) -> String {
    let text = String::from_utf8_lossy(bytes);
    if bare { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssh_key::{Algorithm, PrivateKey};

    fn key() -> PrivateKey {
        PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).unwrap()
    }

    fn recording(key: &PrivateKey, chunks: u64) -> Vec<String> {
        let session = SessionId::new();
        let at: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let bind = Bind {
            device: "ne-1.jw.ne".parse().unwrap(),
            consent: ConsentId::new(),
            request_sha256: "r".into(),
            grade: Grade::EndToEnd,
            consents_sha256: vec!["c".into()],
            engineer: "engineer-a".parse().unwrap(),
            engineer_key: "k".into(),
            host_key: "h".into(),
            account: "nobody".into(),
            started: at,
        };
        let mut prev = FIRST_PREV.to_owned();
        (0..chunks)
            .map(|chunk| {
                let header = ChunkHeader {
                    version: 1,
                    session,
                    chunk,
                    prev: prev.clone(),
                    at,
                    bind: (chunk == 0).then(|| bind.clone()),
                    end: (chunk + 1 == chunks).then_some(EndReason::Client),
                };
                let event = Event { seconds: 0.5, channel: 0, what: What::Bytes(Flow::Output, format!("line {chunk}\n").into_bytes()) };
                let text = body(&header, &[event.to_line()]);
                prev = sha256_hex(&text);
                serde_json::to_string(&Signed::sign(key, Namespace::Recording, text).unwrap()).unwrap()
            })
            .collect()
    }

    #[test]
    fn a_whole_recording_verifies() {
        let key = key();
        let recording = verify(&recording(&key, 4).join("\n"), key.public_key()).unwrap();
        assert_eq!((recording.chunks, recording.end), (4, Some(EndReason::Client)));
        assert_eq!(recording.text(), "line 0\nline 1\nline 2\nline 3\n");
    }

    #[test]
    fn tampering_is_found_and_named() {
        let key = key();
        let lines = recording(&key, 4);
        let check = |lines: &[String]| verify(&lines.join("\n"), key.public_key());
        let mut changed = lines.clone();
        changed[2] = changed[2].replace("line 2", "line 9");
        assert!(matches!(check(&changed), Err(Broken::Signature(2, _))));
        assert_eq!(check(&[&lines[..1], &lines[2..]].concat()).unwrap_err(), Broken::OutOfOrder { at: 1, found: 2 });
        assert_eq!(check(&[lines[0].clone(), lines[2].clone(), lines[1].clone()]).unwrap_err(), Broken::OutOfOrder { at: 1, found: 2 });
        assert_eq!(check(&lines[..3]).unwrap().end, None, "a cut recording shows as truncated");
        assert!(matches!(verify(&lines.join("\n"), self::key().public_key()), Err(Broken::Signature(0, _))));
        assert_eq!(check(&[]).unwrap_err(), Broken::Empty);
    }

    #[test]
    fn events_read_back_even_when_they_are_not_text() {
        for what in [
            What::Bytes(Flow::Output, vec![0xff, 0x00]),
            What::Bytes(Flow::Input, "风扇".into()),
            What::Resize { cols: 80, rows: 24 },
            What::Exit { status: Some(7), signal: None },
            What::Note("5 minutes left".into()),
            What::Truncated(Flow::Stderr),
            What::Total { flow: Flow::Output, bytes: 1 << 40, sha256: "x".into() },
            What::Other("future".into(), json!(1)),
        ] {
            let event = Event { seconds: 1.25, channel: 3, what };
            assert_eq!(Event::from_line(&event.to_line()), Some(event));
        }
    }
}

//! Reading a recording file: does its chain hold, and who signed it?

use ssh_key::PublicKey;

use super::{Chunk, ChunkHeader, Event, FIRST_PREV, Recording};
use crate::id::SessionId;
use crate::session::EndReason;
use crate::statement::{Namespace, sha256_hex};

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
    let mut chain: Option<Chain> = None;
    for (at, line) in (0u64..).zip(file.lines()) {
        let piece = Piece::read(line, at, host_key)?;
        let recording = match &mut recording {
            None => {
                let bind = piece.header.bind.clone().ok_or(Broken::Unbound);
                chain = Some(Chain::begin(&piece)?);
                recording.insert(Recording::begun(piece.header.session, bind?))
            }
            Some(recording) => {
                chain.as_mut().ok_or(Broken::Empty)?.follow(&piece)?;
                recording
            }
        };
        recording.events.extend(piece.events);
        recording.chunk_ends.push(recording.events.len());
        recording.chunks = at + 1;
        recording.end = piece.header.end;
        recording.head_sha256 = piece.sha256;
    }
    recording.ok_or(Broken::Empty)
}

/// One chunk, read from its line; whether it follows from the one before it is the [`Chain`]'s to say.
#[derive(Clone, Debug)]
pub struct Piece {
    pub header: ChunkHeader,
    pub events: Vec<Event>,
    /// Of the chunk's text: what the next one names as `prev`.
    pub sha256: String,
}

impl Piece {
    /// Reads a line of a recording file; `at` is its number, for the error. Its signature is checked when there is a key.
    pub fn read(line: &str, at: u64, host_key: Option<&PublicKey>) -> Result<Self, Broken> {
        let chunk: Chunk = serde_json::from_str(line).map_err(|_| Broken::NotAChunk(at))?;
        if let Some(host_key) = host_key {
            check_signature(&chunk, host_key, at)?;
        }
        let (head, events) = chunk.text.split_once('\n').ok_or(Broken::NotAChunk(at))?;
        let header = serde_json::from_str(head).map_err(|_| Broken::NotAChunk(at))?;
        let events = events.lines().map(|line| Event::from_line(line).ok_or(Broken::NotAChunk(at))).collect::<Result<_, _>>()?;
        Ok(Self { header, events, sha256: sha256_hex(&chunk.text) })
    }
}

/// How far a recording's chain was followed. It goes on from where it was when the chunks come one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    pub session: SessionId,
    pub chunks: u64,
    pub head_sha256: String,
    pub end: Option<EndReason>,
}

impl Chain {
    /// The first chunk begins the chain.
    pub fn begin(first: &Piece) -> Result<Self, Broken> {
        let header = &first.header;
        if header.chunk != 0 {
            return Err(Broken::OutOfOrder { at: 0, found: header.chunk });
        }
        if header.prev != FIRST_PREV {
            return Err(Broken::Chain(0));
        }
        if header.bind.is_none() {
            return Err(Broken::Unbound);
        }
        Ok(Self { session: header.session, chunks: 1, head_sha256: first.sha256.clone(), end: header.end })
    }

    /// Goes on by one chunk, when it follows.
    pub fn follow(&mut self, next: &Piece) -> Result<(), Broken> {
        let (at, header) = (self.chunks, &next.header);
        if self.end.is_some() {
            return Err(Broken::AfterEnd(at));
        }
        if header.session != self.session {
            return Err(Broken::OtherSession(at));
        }
        if header.chunk != at {
            return Err(Broken::OutOfOrder { at, found: header.chunk });
        }
        if header.prev != self.head_sha256 {
            return Err(Broken::Chain(at));
        }
        self.chunks += 1;
        self.head_sha256.clone_from(&next.sha256);
        self.end = header.end;
        Ok(())
    }
}

fn check_signature(chunk: &Chunk, host_key: &PublicKey, at: u64) -> Result<(), Broken> {
    let key = chunk.signing_key("chunk", Namespace::Recording).map_err(|e| Broken::Signature(at, e.to_string()))?;
    if key.key_data() != host_key.key_data() {
        return Err(Broken::Signature(at, "signed by another key".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use ssh_key::{Algorithm, PrivateKey};

    use super::*;
    use crate::id::ConsentId;
    use crate::recording::{Bind, Flow, What, body};
    use crate::session::Grade;
    use crate::statement::Signed;

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
}

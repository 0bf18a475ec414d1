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
//!
//! What people read is derived from a recording and proves nothing by itself: asciicast files (`cast`), and, with the feature
//! `replay`, transcripts and screens. These take bytes that a hostile device may have made up, so nothing here panics or grows
//! without bound on any of them.

mod cast;
mod chunk;
mod event;
mod read;
mod utf8;

#[cfg(feature = "replay")]
mod escapes;
#[cfg(feature = "replay")]
mod printer;
#[cfg(feature = "replay")]
pub mod screen;
#[cfg(feature = "replay")]
pub mod transcript;

pub use chunk::{Bind, Chunk, ChunkHeader, FIRST_PREV, body};
pub use event::{CUT, Event, Flow, Opened, SftpOperation, Terminal, What};
pub use read::{Broken, Chain, Piece, read_unverified, verify};

use crate::id::SessionId;
use crate::session::{Door, EndReason};

/// A recording that was read and whose chain holds.
#[derive(Clone, Debug)]
pub struct Recording {
    pub session: SessionId,
    pub bind: Bind,
    pub events: Vec<Event>,
    /// For each chunk: how many events there are up to and with it.
    pub chunk_ends: Vec<usize>,
    pub chunks: u64,
    /// How it ended; `None` when the end record is missing: truncated after the last chunk.
    pub end: Option<EndReason>,
    /// Hash of the last chunk: the head of the chain.
    pub head_sha256: String,
}

impl Recording {
    fn begun(session: SessionId, bind: Bind) -> Self {
        Self { session, bind, events: Vec::new(), chunk_ends: Vec::new(), chunks: 0, end: None, head_sha256: String::new() }
    }

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

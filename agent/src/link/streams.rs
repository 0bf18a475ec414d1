//! What goes up: three cursors through the spool, events first, each with a bounded number of bytes in flight.

use std::collections::{BTreeMap, VecDeque};

use lineman_common::link::{FromAgent, RecordingFrame, Stream};
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Message;

use super::LinkError;
use crate::outbox::Outbox;
use crate::spool::SpoolError;

/// Sent and not acknowledged, per stream. It covers a second of a busy recording; more would only delay events.
const IN_FLIGHT_BYTES: usize = 512 * 1024;
/// Read from the spool at a time: after each batch, what came down is handled first.
const BATCH_BYTES: usize = 32 * 1024;

struct Cursor {
    stream: Stream,
    /// The next sequence to look for.
    next: u64,
    in_flight: VecDeque<(u64, usize)>,
    bytes: usize,
    /// Nothing was there when it last looked.
    dry: bool,
}

impl Cursor {
    fn new(stream: Stream) -> Self {
        Self { stream, next: 0, in_flight: VecDeque::new(), bytes: 0, dry: false }
    }

    fn has_work(&self) -> bool {
        !self.dry && self.bytes < IN_FLIGHT_BYTES
    }
}

pub struct Streams {
    /// In the order of urgency.
    cursors: Vec<Cursor>,
    /// Nothing is sent before the centre has said what it holds.
    welcome: bool,
}

impl Streams {
    pub fn new() -> Self {
        Self { cursors: Stream::ALL.iter().map(|stream| Cursor::new(*stream)).collect(), welcome: false }
    }

    /// The centre holds these sequences. A centre that holds more than we sent has met a later state of this machine.
    pub fn welcome(&mut self, outbox: &Outbox, stored: &BTreeMap<Stream, u64>) -> Result<(), LinkError> {
        let mut spool = outbox.spool();
        let stored = |stream| stored.get(&stream).copied().unwrap_or(0);
        if self.cursors.iter().any(|cursor| spool.is_rolled_back(cursor.stream, stored(cursor.stream))) {
            spool.start_new_epoch()?;
            return Err(LinkError::RolledBack);
        }
        for cursor in &mut self.cursors {
            match spool.ack(cursor.stream, stored(cursor.stream)) {
                Err(SpoolError::AckAhead { .. }) => {
                    spool.start_new_epoch()?;
                    return Err(LinkError::RolledBack);
                }
                other => other?,
            }
            cursor.next = spool.first_unacked(cursor.stream);
        }
        self.welcome = true;
        Ok(())
    }

    pub fn acked(&mut self, outbox: &Outbox, stream: Stream, seq: u64) -> Result<(), LinkError> {
        outbox.spool().ack(stream, seq)?;
        for cursor in self.cursors.iter_mut().filter(|cursor| cursor.stream == stream) {
            while let Some((sent, bytes)) = cursor.in_flight.front().copied()
                && sent <= seq
            {
                cursor.in_flight.pop_front();
                cursor.bytes -= bytes;
            }
        }
        Ok(())
    }

    /// Something was added to the spool.
    pub fn look_again(&mut self) {
        self.cursors.iter_mut().for_each(|cursor| cursor.dry = false);
    }

    /// There may be something to send, and there is room for it.
    pub fn has_work(&self) -> bool {
        self.welcome && self.cursors.iter().any(Cursor::has_work)
    }

    /// The next frames to send, of the most urgent stream that has any. They count as in flight from here on.
    pub fn next(&mut self, outbox: &Outbox) -> Result<Vec<Message>, LinkError> {
        for cursor in self.cursors.iter_mut().filter(|cursor| cursor.has_work()) {
            let reports = outbox.spool().read_from(cursor.stream, cursor.next, BATCH_BYTES)?;
            if reports.is_empty() {
                cursor.dry = true;
                continue;
            }
            let mut frames = Vec::with_capacity(reports.len());
            for (seq, body) in reports {
                cursor.next = seq + 1;
                cursor.in_flight.push_back((seq, body.len()));
                cursor.bytes += body.len();
                frames.push(frame(cursor.stream, seq, body)?);
            }
            return Ok(frames);
        }
        Ok(Vec::new())
    }
}

fn frame(stream: Stream, seq: u64, body: Vec<u8>) -> Result<Message, LinkError> {
    match stream {
        Stream::Recording => Ok(Message::binary(RecordingFrame { seq, line: &body }.encode())),
        Stream::Events | Stream::Health => {
            let text = String::from_utf8(body).map_err(|e| LinkError::Json(serde::de::Error::custom(e)))?;
            let body = RawValue::from_string(text).map_err(LinkError::Json)?;
            super::text(&FromAgent::Report { stream, seq, body })
        }
    }
}

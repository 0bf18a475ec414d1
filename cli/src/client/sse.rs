//! Server-sent events, frame by frame.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use reqwest::Response;

use super::{Client, ClientError};

/// A frame larger than this is not one of ours; the stream is given up rather than the memory.
const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// One frame. Heartbeats are comments and never come out as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    pub event: String,
    /// `None` when the frame carries none.
    pub id: Option<String>,
    pub data: String,
}

/// An open stream.
pub struct Frames {
    client: Client,
    bytes: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    /// How much of the buffer was searched for a line's end already.
    searched: usize,
    frame: Frame,
}

impl Frames {
    pub fn new(client: Client, response: Response) -> Self {
        let bytes = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec())).boxed();
        Self { client, bytes, buffer: Vec::new(), searched: 0, frame: Frame::default() }
    }

    /// The next frame with data; `None` when the server ended the stream. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Option<Frame>, ClientError> {
        loop {
            while let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=self.searched + end).collect();
                self.searched = 0;
                if let Some(frame) = self.line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r'])) {
                    return Ok(Some(frame));
                }
            }
            self.searched = self.buffer.len();
            match self.bytes.next().await {
                Some(Ok(chunk)) => self.buffer.extend_from_slice(&chunk),
                Some(Err(error)) => return Err(self.client.unreachable(&error)),
                None => return Ok(None),
            }
            if self.buffer.len() + self.frame.data.len() > MAX_FRAME_BYTES {
                return Err(ClientError::NotLineman { status: 200, body: "an event without an end".into() });
            }
        }
    }

    /// Takes one line in; an empty line ends a frame.
    fn line(&mut self, line: &str) -> Option<Frame> {
        let (field, value) = line.split_once(':').map_or((line, ""), |(field, value)| (field, value.strip_prefix(' ').unwrap_or(value)));
        match field {
            "" if line.is_empty() => {
                let frame = std::mem::take(&mut self.frame);
                return (!frame.data.is_empty()).then_some(frame);
            }
            "data" => {
                if !self.frame.data.is_empty() {
                    self.frame.data.push('\n');
                }
                self.frame.data.push_str(value);
            }
            "id" => self.frame.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.frame.event),
            _ => {}
        }
        None
    }
}

//! The live event stream: server-sent events, read one by one, resumable by sequence number.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lineman_common::api::Event;

use super::{Client, ClientError, accept_events};

/// An event larger than this is not one of ours; the stream is given up rather than the memory.
const MAX_EVENT_BYTES: usize = 4 * 1024 * 1024;

/// An open event stream.
pub struct Events {
    client: Client,
    bytes: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    data: String,
    /// Does the frame that is being read carry an id? Events of the log do, heartbeats don't.
    has_id: bool,
    /// Sequence of the newest event that was handed out: pass it as `after` to go on.
    pub last_seq: Option<u64>,
}

impl Client {
    /// Opens `GET /api/v1/events`. `topics` are prefixes of the kinds that are wanted, `after` resumes.
    pub async fn events(&self, topics: &[String], after: Option<u64>) -> Result<Events, ClientError> {
        let mut query = Vec::new();
        if !topics.is_empty() {
            query.push(("topics", topics.join(",")));
        }
        let (name, value) = accept_events();
        let mut request = self.http.get(self.url(&["events"])).query(&query).header(name, value);
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        let response = self.reply(request).await?;
        let bytes = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec())).boxed();
        Ok(Events { client: self.clone(), bytes, buffer: Vec::new(), data: String::new(), has_id: false, last_seq: after })
    }
}

impl Events {
    /// The next event; `None` when the server ended the stream. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if let Some(event) = self.line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']))? {
                    self.last_seq = Some(event.seq);
                    return Ok(Some(event));
                }
            }
            match self.bytes.next().await {
                Some(Ok(chunk)) => self.buffer.extend_from_slice(&chunk),
                Some(Err(error)) => return Err(self.client.unreachable(&error)),
                None => return Ok(None),
            }
            if self.buffer.len() + self.data.len() > MAX_EVENT_BYTES {
                return Err(ClientError::NotLineman { status: 200, body: "an event without an end".into() });
            }
        }
    }

    /// Takes one line in; an empty line ends a frame. The event itself carries its number and kind.
    fn line(&mut self, line: &str) -> Result<Option<Event>, ClientError> {
        if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        } else if line.starts_with("id:") {
            self.has_id = true;
        } else if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            if std::mem::take(&mut self.has_id) && !data.is_empty() {
                return Ok(Some(serde_json::from_str(&data)?));
            }
        }
        Ok(None)
    }
}

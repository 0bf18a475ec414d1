//! The live event stream: server-sent events, read one by one, resumable by sequence number.

use lineman_common::api::Event;

use super::sse::Frames;
use super::{Client, ClientError, accept_events};

/// An open event stream.
pub struct Events {
    frames: Frames,
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
        Ok(Events { frames: Frames::new(self.clone(), response), last_seq: after })
    }
}

impl Events {
    /// The next event; `None` when the server ended the stream. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        while let Some(frame) = self.frames.next().await? {
            // Events of the log carry an id, what else the server says does not.
            if frame.id.is_some() {
                let event: Event = serde_json::from_str(&frame.data)?;
                self.last_seq = Some(event.seq);
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}

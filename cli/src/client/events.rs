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
            // A beat's id is the place reached in the log; what says nothing of a place is no event of the log.
            let Some(place) = frame.id.as_deref() else { continue };
            self.last_seq = place.parse().ok().or(self.last_seq);
            if frame.event != "beat" {
                return Ok(Some(serde_json::from_str(&frame.data)?));
            }
        }
        Ok(None)
    }
}

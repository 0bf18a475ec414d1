//! Routes of those who watch: recordings live, in pages, and searched.

use lineman_common::api::{GrepHit, Keyframe, List, Session};

use super::sse::Frames;
use super::{Client, ClientError, accept_events};

type Result<T> = std::result::Result<T, ClientError>;

/// What is searched for, and where.
#[derive(Clone, Debug, Default)]
pub struct GrepQuery {
    pub text: String,
    pub customer: Option<String>,
    pub fault: Option<String>,
    pub equipment: Option<String>,
    pub engineer: Option<String>,
    pub limit: Option<u32>,
}

/// What happens in a session that is watched.
#[derive(Clone, Debug)]
pub enum Watched {
    /// A chunk's line, as the device signed it.
    Chunk { number: u64, line: String },
    /// It is over, and all chunks were sent.
    End(Box<Session>),
}

/// An open stream of chunks.
pub struct Watching(Frames);

impl Client {
    /// Lines of transcripts that hold a text.
    pub async fn grep(&self, grep: &GrepQuery) -> Result<List<GrepHit>> {
        let GrepQuery { text, customer, fault, equipment, engineer, limit } = grep;
        let mut query = vec![("q", text.clone())];
        let filters = [("customer", customer), ("fault", fault), ("equipment", equipment), ("engineer", engineer)];
        query.extend(filters.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))));
        query.extend(limit.map(|limit| ("limit", limit.to_string())));
        self.get(&["sessions", "grep"], &query).await
    }

    /// Of one channel; `after` is the `next` of the page before.
    pub async fn keyframes(&self, session: &str, channel: u32, after: Option<&str>) -> Result<List<Keyframe>> {
        let mut query = vec![("channel", channel.to_string())];
        query.extend(after.map(|after| ("after", after.to_owned())));
        self.get(&["sessions", session, "keyframes"], &query).await
    }

    /// Opens `GET /api/v1/sessions/{id}/watch`: every chunk from number `from` on, then those that come.
    pub async fn watch(&self, session: &str, from: u64) -> Result<Watching> {
        let (name, value) = accept_events();
        let mut request = self.http.get(self.url(&["sessions", session, "watch"])).query(&[("from", from)]).header(name, value);
        if let Some(last) = from.checked_sub(1) {
            request = request.header("last-event-id", last.to_string());
        }
        Ok(Watching(Frames::new(self.clone(), self.reply(request).await?)))
    }
}

impl Watching {
    /// The next chunk, or the end; `None` when the stream broke off. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Option<Watched>> {
        while let Some(frame) = self.0.next().await? {
            match (frame.event.as_str(), frame.id.as_deref().map(str::parse)) {
                ("chunk", Some(Ok(number))) => return Ok(Some(Watched::Chunk { number, line: frame.data })),
                ("end", _) => return Ok(Some(Watched::End(serde_json::from_str(&frame.data)?))),
                _ => {}
            }
        }
        Ok(None)
    }
}

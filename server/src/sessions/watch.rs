//! Watching a session: its recording as server-sent events, chunk by chunk, as it is stored.
//!
//! What was stored before comes first, from the chunk that the client asks for; a cut stream goes on after `Last-Event-ID`. Chunks go
//! out in order and without a gap: where one is missing, the stream waits for it. Only a page of them is in memory at a time. After the
//! last chunk of a session that is over comes `end`, and the stream is done.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse;
use futures_util::Stream;
use lineman_common::api::{Session, SessionState};
use lineman_common::id::SessionId;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::store::{Db, Nudge, Store};
use crate::web::{ApiError, Scope};

const PAGE: u32 = 64;
const PAGE_BYTES: usize = 1024 * 1024;
/// Idle streams carry a beat this often.
const BEAT: Duration = Duration::from_secs(5);

/// The stream of one client. It has been let in: the session is under its scope.
pub fn stream(store: Store, stop: CancellationToken, session: SessionId, from: u64) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let watch = Watch { nudges: store.nudges(), store, stop, session, next: from, waiting: VecDeque::new(), is_done: false };
    futures_util::stream::unfold(watch, Watch::next)
}

struct Watch {
    store: Store,
    nudges: broadcast::Receiver<Nudge>,
    stop: CancellationToken,
    session: SessionId,
    /// The next chunk to read.
    next: u64,
    /// Read, not yet sent.
    waiting: VecDeque<(u64, String)>,
    is_done: bool,
}

impl Watch {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        if self.is_done || self.stop.is_cancelled() {
            return None;
        }
        loop {
            if let Some((number, line)) = self.waiting.pop_front() {
                return Some((Ok(sse::Event::default().id(number.to_string()).event("chunk").data(line)), self));
            }
            match self.read().await {
                Ok(session) if !self.waiting.is_empty() => drop(session),
                Ok(session) if is_over(&session, self.next) => {
                    self.is_done = true;
                    return Some((Ok(sse::Event::default().event("end").json_data(&session).unwrap_or_default()), self));
                }
                Ok(_) => {
                    if !self.wait().await? {
                        let now = jiff::Timestamp::now();
                        return Some((Ok(sse::Event::default().event("beat").data(format!("{{\"now\":\"{now}\"}}"))), self));
                    }
                }
                Err(error) => {
                    tracing::warn!(?error, session.id = %self.session, "a watch ends: the recording can't be read");
                    return None;
                }
            }
        }
    }

    /// The next page, as far as it goes on without a gap; and how the session is, at the same moment.
    async fn read(&mut self) -> Result<Session, ApiError> {
        let (id, from) = (self.session, self.next);
        let look = move |db: &Db<'_>| -> Result<_, ApiError> {
            Ok((super::page(db, id, from, PAGE, PAGE_BYTES)?, super::get(db, &Scope::All, id)?))
        };
        let (page, session) = self.store.read(look).await?;
        for (number, line) in page.chunks {
            if number != self.next {
                break;
            }
            self.next += 1;
            self.waiting.push_back((number, line));
        }
        Ok(session)
    }

    /// Waits for news; `Some(false)` when it is time for a beat, `None` when the server stops.
    async fn wait(&mut self) -> Option<bool> {
        let beat = tokio::time::sleep(BEAT);
        tokio::pin!(beat);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = &mut beat => return Some(false),
                nudge = self.nudges.recv() => match nudge {
                    Ok(Nudge::Recorded(session)) if session == self.session => return Some(true),
                    Err(RecvError::Lagged(_)) => return Some(true),
                    Ok(Nudge::Recorded(_) | Nudge::Events | Nudge::Orders(_) | Nudge::SignedOut) => {}
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}

fn is_over(session: &Session, next: u64) -> bool {
    session.state == SessionState::Ended && session.chunks.is_none_or(|chunks| next >= chunks)
}

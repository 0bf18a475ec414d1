use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::HeaderMap;
use axum::response::sse::{self, Sse};
use futures_util::Stream;
use lineman_common::api::{ChainCheck, List};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::store::{Nudge, Store};
use crate::web::{Actor, ApiError, Params, Scope};

/// Events sent in one go.
const BATCH: u32 = 200;
/// Idle streams carry a beat with the server's time this often, so that clients know they are alive and how late it is here.
const BEAT: Duration = Duration::from_secs(5);

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    /// Ends the streams when the server shuts down.
    pub stop: CancellationToken,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(stream)).routes(routes!(check_chains))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct StreamParams {
    /// Kinds wanted, by prefix, separated by commas: `fault,alarm.raised`. All when absent.
    #[serde(default)]
    topics: String,
    /// Start after this event; `Last-Event-ID` counts more. New ones only when both are absent.
    after: Option<u64>,
}

/// The live log, as server-sent events. Each carries its sequence as id: reconnect with `Last-Event-ID` and nothing is missed.
/// A `beat` event with the server's time comes every 5 s.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(StreamParams), responses((status = 200, content_type = "text/event-stream", body = String)))]
async fn stream(
    actor: Actor,
    State(store): State<Store>,
    State(stop): State<CancellationToken>,
    Params(params): Params<StreamParams>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, ApiError> {
    let resumed = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let seq = if let Some(seq) = resumed.or(params.after) {
        seq
    } else {
        let scope = actor.scope();
        store.read(move |db| super::newest(db, &scope)).await?
    };
    let topics = params.topics.split(',').map(str::trim).filter(|topic| !topic.is_empty()).map(str::to_owned).collect();
    let tail = Tail { nudges: store.nudges(), store, stop, scope: actor.scope(), topics, seq, waiting: Vec::new() };
    Ok(Sse::new(futures_util::stream::unfold(tail, Tail::next)))
}

/// Follows the log for one client.
struct Tail {
    store: Store,
    nudges: tokio::sync::broadcast::Receiver<Nudge>,
    stop: CancellationToken,
    scope: Scope,
    topics: Vec<String>,
    seq: u64,
    /// Read, not yet sent; newest first.
    waiting: Vec<super::EventView>,
}

impl Tail {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            while let Some(event) = self.waiting.pop() {
                self.seq = event.seq;
                if self.topics.is_empty() || self.topics.iter().any(|topic| event.kind.starts_with(topic.as_str())) {
                    let frame =
                        sse::Event::default().id(event.seq.to_string()).event(event.kind.clone()).json_data(&event).unwrap_or_default();
                    return Some((Ok(frame), self));
                }
            }
            let (scope, seq) = (self.scope.clone(), self.seq);
            match self.store.read(move |db| super::after(db, &scope, seq, BATCH)).await {
                Ok(events) if events.is_empty() => {
                    if !self.wait().await? {
                        let now = jiff::Timestamp::now();
                        return Some((Ok(sse::Event::default().event("beat").data(format!("{{\"now\":\"{now}\"}}"))), self));
                    }
                }
                Ok(events) => self.waiting = events.into_iter().rev().collect(),
                Err(error) => {
                    tracing::warn!(%error, "an event stream ends: the log can't be read");
                    return None;
                }
            }
        }
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
                    Ok(Nudge::Events) | Err(RecvError::Lagged(_)) => return Some(true),
                    Ok(Nudge::Orders(_) | Nudge::Recorded(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}

/// Recomputes the log's hash chains, one per customer.
#[utoipa::path(get, path = "/api/v1/audit/chain", tag = "events", responses((status = 200, body = List<ChainCheck>)))]
async fn check_chains(actor: Actor, State(store): State<Store>) -> Result<Json<List<ChainCheck>>, ApiError> {
    let checks = store.read(move |db| super::check_chains(db, &actor.scope())).await?;
    Ok(Json(checks.into()))
}

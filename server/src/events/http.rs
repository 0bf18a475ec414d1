use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::HeaderMap;
use axum::response::sse::{self, Sse};
use futures_util::{Stream, StreamExt};
use lineman_common::api::{ChainCheck, Event, List};
use lineman_common::people::Role;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Audit;
use crate::store::{Nudge, Store};
use crate::web::{Actor, ApiError, Params, Pass, Scope, Viewer};

/// Events sent in one go.
const BATCH: u32 = 200;
/// Streams carry a beat with the server's time this often, so that clients know they are alive and how late it is here.
const BEAT: Duration = Duration::from_secs(5);

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    /// Ends the streams when the server shuts down.
    pub stop: CancellationToken,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(stream)).routes(routes!(audit)).routes(routes!(check_chains))
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
/// A `beat` event with the server's time comes first and then every 5 s; it carries the place in the log as its id. The stream ends when
/// the token that it was asked for with counts no longer.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(StreamParams), responses((status = 200, content_type = "text/event-stream", body = String)))]
async fn stream(
    viewer: Viewer,
    pass: Pass,
    State(store): State<Store>,
    State(stop): State<CancellationToken>,
    Params(params): Params<StreamParams>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, ApiError> {
    let resumed = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let seq = if let Some(seq) = resumed.or(params.after) {
        seq
    } else {
        let scope = viewer.scope();
        store.read(move |db| super::newest(db, &scope)).await?
    };
    let topics = params.topics.split(',').map(str::trim).filter(|topic| !topic.is_empty()).map(str::to_owned).collect();
    let (scope, on_wall, signed_out) = (viewer.scope(), viewer.wall().is_some(), pass.ended(store.clone()));
    let tail = Tail { nudges: store.nudges(), store, stop, on_wall, scope, topics, seq, next_beat: Instant::now(), waiting: Vec::new() };
    Ok(Sse::new(futures_util::stream::unfold(tail, Tail::next).take_until(signed_out)))
}

/// Follows the log for one client.
struct Tail {
    store: Store,
    nudges: tokio::sync::broadcast::Receiver<Nudge>,
    stop: CancellationToken,
    /// A wall is shown only what a wall may show.
    on_wall: bool,
    scope: Scope,
    topics: Vec<String>,
    seq: u64,
    /// The first one is due at once: a client learns the server's time with it.
    next_beat: Instant,
    /// Read, not yet sent; newest first.
    waiting: Vec<super::EventView>,
}

impl Tail {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            if self.next_beat <= Instant::now() {
                self.next_beat = Instant::now() + BEAT;
                let now = jiff::Timestamp::now();
                return Some((
                    Ok(sse::Event::default().id(self.seq.to_string()).event("beat").data(format!("{{\"now\":\"{now}\"}}"))),
                    self,
                ));
            }
            while let Some(event) = self.waiting.pop() {
                self.seq = event.seq;
                let shown = if self.on_wall { super::shown_on_walls(event) } else { Some(event) };
                let Some(event) = shown else { continue };
                if self.topics.is_empty() || self.topics.iter().any(|topic| event.kind.starts_with(topic.as_str())) {
                    let frame =
                        sse::Event::default().id(event.seq.to_string()).event(event.kind.clone()).json_data(&event).unwrap_or_default();
                    return Some((Ok(frame), self));
                }
            }
            let (scope, seq) = (self.scope.clone(), self.seq);
            match self.store.read(move |db| super::after(db, &scope, seq, BATCH)).await {
                Ok(events) if events.is_empty() => self.wait().await?,
                Ok(events) => self.waiting = events.into_iter().rev().collect(),
                Err(error) => {
                    tracing::warn!(%error, "an event stream ends: the log can't be read");
                    return None;
                }
            }
        }
    }

    /// Waits for news or the next beat; `None` when the server stops.
    async fn wait(&mut self) -> Option<()> {
        let beat = tokio::time::sleep_until(self.next_beat);
        tokio::pin!(beat);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = &mut beat => return Some(()),
                nudge = self.nudges.recv() => match nudge {
                    Ok(Nudge::Events) | Err(RecvError::Lagged(_)) => return Some(()),
                    Ok(Nudge::Orders(_) | Nudge::Recorded(_) | Nudge::SignedOut) => {}
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}

/// The largest page of the audit list: what an export asks for.
const MOST_AUDITED: u32 = 5000;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct AuditParams {
    /// `next` of the page before.
    after: Option<String>,
    /// At most 5000; 100 when absent.
    limit: Option<u32>,
    customer: Option<String>,
    /// Kinds by their names or by what these begin with, separated by commas: `fault,consent.approved`.
    kind: Option<String>,
    /// A person's name, `agent:NE`, or `system`.
    actor: Option<String>,
    /// From this moment on, by the server's record of time.
    since: Option<jiff::Timestamp>,
    /// Up to this moment, not included.
    until: Option<jiff::Timestamp>,
}

/// The log, newest first: of all for the support centre's admins and auditors, of their own for a customer's people.
#[utoipa::path(get, path = "/api/v1/audit", tag = "events", params(AuditParams), responses((status = 200, body = List<Event>)))]
async fn audit(actor: Actor, State(store): State<Store>, Params(params): Params<AuditParams>) -> Result<Json<List<Event>>, ApiError> {
    if actor.customer.is_none() {
        actor.must_be(&[Role::Auditor, Role::Admin], "read the whole log")?;
    }
    let mut kinds = Vec::new();
    for word in params.kind.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let known = Audit::kinds_of(word).ok_or_else(|| {
            let word = lineman_common::printable::escape(word);
            ApiError::invalid(format!("there is no kind of event that begins with `{word}`")).hint("like `fault`, or `consent.approved`")
        })?;
        kinds.extend(known);
    }
    kinds.sort();
    kinds.dedup();
    let after = match &params.after {
        Some(after) => Some(after.parse().map_err(|_| ApiError::invalid("`after` is not the `next` of a page"))?),
        None => None,
    };
    let limit = params.limit.unwrap_or(100).clamp(1, MOST_AUDITED);
    let ask = Audit { after, customer: None, kinds, actor: params.actor, since: params.since, until: params.until, limit };
    let list = store.read(move |db| super::audit(db, &actor.scope(), params.customer.as_deref(), ask)).await?;
    Ok(Json(list))
}

/// Recomputes the log's hash chains, one per customer.
#[utoipa::path(get, path = "/api/v1/audit/chain", tag = "events", responses((status = 200, body = List<ChainCheck>)))]
async fn check_chains(actor: Actor, State(store): State<Store>) -> Result<Json<List<ChainCheck>>, ApiError> {
    let checks = store.read(move |db| super::check_chains(db, &actor.scope())).await?;
    Ok(Json(checks.into()))
}

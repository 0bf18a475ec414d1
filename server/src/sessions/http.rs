use std::convert::Infallible;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::HeaderMap;
use axum::response::sse::{self, Sse};
use futures_util::{Stream, StreamExt};
use lineman_common::api::{
    GrepHit, Keyframe, List, Listing, NewRecordingQuota, Reason, RecordingReply, RecordingUse, Session, SessionRow, SessionState,
    TranscriptPage,
};
use lineman_common::id::SessionId;
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::people::Role;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::search::Search;
use super::{Error, Look, digest, list, quota, watch};
use crate::equipment;
use crate::faults::{self, Reference};
use crate::store::{Db, Store};
use crate::web::asked::Ask;
use crate::web::{Actor, ApiError, Body, Params, Pass, Path};

/// One answer holds no more of a recording.
const MOST_PAGE_BYTES: usize = 64 << 20;
const MOST_KEYFRAMES: u32 = 500;
const MOST_KEYFRAME_BYTES: usize = 8 << 20;
const MOST_LINES: u32 = 5000;
const USUAL_LINES: u32 = 2000;
const MOST_HITS: u32 = 200;
const USUAL_HITS: u32 = 50;

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    /// Ends the streams when the server shuts down.
    pub stop: CancellationToken,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(grep))
        .routes(routes!(get))
        .routes(routes!(recording))
        .routes(routes!(watch))
        .routes(routes!(keyframes))
        .routes(routes!(transcript))
        .routes(routes!(kill))
        .routes(routes!(recording_use, set_quota))
}

fn id_of(text: &str) -> Result<SessionId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("session"))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// A fault's number or id.
    fault: Option<String>,
    state: Option<SessionState>,
    /// Words and filters, like `-engineer:me state:live 板卡`: the keys are `state`, `engineer`, `equipment`, `customer`, `site`,
    /// `product`, `model`, `fault`, `grade`, `account`, `end`, `recording`, `started`, `ended`, `length`, `text`, each in Chinese too.
    q: Option<String>,
    /// An IANA time zone: what a date in `q` means. UTC when absent.
    zone: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 500 when absent.
    limit: Option<u32>,
}

/// Sessions, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(ListParams), responses((status = 200, body = Listing<SessionRow>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<Listing<SessionRow>>, ApiError> {
    let ask = Ask::read(params.q.as_deref(), params.zone.as_deref(), &list::keys(), &actor)?;
    let reference = params.fault.map(|text| text.parse::<Reference>()).transpose()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let fault = reference.map(|reference| faults::get(db, &scope, &reference)).transpose()?.map(|fault| fault.id);
        let limit = params.limit.unwrap_or(500).clamp(1, 1000);
        let filter = list::Filter { fault, state: params.state, after: list::after(params.after.as_deref())?, limit };
        Ok(Json(list::page(db, &scope, &ask, &filter)?))
    };
    store.read(read).await
}

/// One session.
#[utoipa::path(get, path = "/api/v1/sessions/{session}", tag = "sessions", params(("session" = String, Path)), responses((status = 200, body = Session)))]
async fn get(actor: Actor, State(store): State<Store>, Path(session): Path<String>) -> Result<Json<Session>, ApiError> {
    let id = id_of(&session)?;
    store.read(move |db| Ok(Json(super::get(db, &actor.scope(), id)?))).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct RecordingParams {
    /// The first chunk wanted, counted from 0: `next` of the page before.
    #[serde(default)]
    from: u64,
    /// Chunks wanted, at most. A page has 64 MiB at most in any case.
    limit: Option<u32>,
}

/// The recording as the device signed it, page by page when it is long. Fetching it is an event that others see.
#[utoipa::path(get, path = "/api/v1/sessions/{session}/recording", tag = "sessions", params(("session" = String, Path), RecordingParams), responses((status = 200, body = RecordingReply)))]
async fn recording(
    actor: Actor,
    State(store): State<Store>,
    Path(session): Path<String>,
    Params(params): Params<RecordingParams>,
) -> Result<Json<RecordingReply>, ApiError> {
    let id = id_of(&session)?;
    let session = store.write(move |tx| super::look(tx, &actor, id, Look::Fetch).map_err(ApiError::from)).await?;
    let most = params.limit.unwrap_or(u32::MAX).max(1);
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        Ok((super::page(db, id, params.from, most, MOST_PAGE_BYTES)?, super::device_statement(db, id)?))
    };
    let (page, device_statement) = store.read(read).await?;
    let recording = page.chunks.into_iter().map(|(_, line)| line + "\n").collect();
    Ok(Json(RecordingReply { session, recording, next: page.next, device_statement }))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct WatchParams {
    /// The first chunk wanted, counted from 0; `Last-Event-ID` counts more.
    #[serde(default)]
    from: u64,
}

/// The recording as it comes, as server-sent events: `chunk` with the chunk's line and its number as id, `end` with the session when it
/// is over and all is sent, `beat` every 5 s in between. Opening it is an event that others see. The stream ends when the token that it
/// was asked for with counts no longer.
#[utoipa::path(get, path = "/api/v1/sessions/{session}/watch", tag = "sessions", params(("session" = String, Path), WatchParams), responses((status = 200, content_type = "text/event-stream", body = String)))]
async fn watch(
    actor: Actor,
    pass: Pass,
    State(store): State<Store>,
    State(stop): State<CancellationToken>,
    Path(session): Path<String>,
    Params(params): Params<WatchParams>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, ApiError> {
    let id = id_of(&session)?;
    store.write(move |tx| super::look(tx, &actor, id, Look::Watch).map_err(ApiError::from)).await?;
    let seen: Option<u64> = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let from = seen.map_or(params.from, |seen| seen.saturating_add(1));
    let signed_out = pass.ended(store.clone());
    Ok(Sse::new(watch::stream(store, stop, id, from).take_until(signed_out)))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct KeyframeParams {
    /// All channels when absent.
    channel: Option<u32>,
    /// Of each channel only the newest that is no later than so many seconds after the session's start. A large number: the newest.
    at: Option<f64>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 500, which is also the default.
    limit: Option<u32>,
}

/// What the session's terminals showed at some moments, for seeking and for those who begin to watch late. Fetching it is an event that
/// others see.
#[utoipa::path(get, path = "/api/v1/sessions/{session}/keyframes", tag = "sessions", params(("session" = String, Path), KeyframeParams), responses((status = 200, body = List<Keyframe>)))]
async fn keyframes(
    actor: Actor,
    State(store): State<Store>,
    Path(session): Path<String>,
    Params(params): Params<KeyframeParams>,
) -> Result<Json<List<Keyframe>>, ApiError> {
    let id = id_of(&session)?;
    let wanted = digest::Wanted {
        channel: params.channel,
        at_s: params.at,
        after: params.after.as_deref().map(place_of).transpose()?,
        most: params.limit.unwrap_or(MOST_KEYFRAMES).clamp(1, MOST_KEYFRAMES),
        most_bytes: MOST_KEYFRAME_BYTES,
    };
    store.write(move |tx| super::look(tx, &actor, id, Look::Fetch).map_err(ApiError::from)).await?;
    let (items, is_more) = store.read(move |db| super::keyframes(db, id, &wanted).map_err(ApiError::from)).await?;
    let next = items.last().filter(|_| is_more).map(|last| format!("{}.{}.{}", last.channel, last.chunks, last.events));
    Ok(Json(List { items, next }))
}

/// `CHANNEL.CHUNKS.EVENTS`.
fn place_of(text: &str) -> Result<(u32, u64, u32), ApiError> {
    let mut parts = text.split('.');
    let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok());
    let place = (number(), number(), number());
    match place {
        (Some(channel), Some(chunks), Some(events)) => {
            let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            Ok((short(channel), chunks, short(events)))
        }
        _ => Err(ApiError::invalid("`after` must be the `next` of the page before")),
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct TranscriptParams {
    /// `next` of the page before.
    after: Option<i64>,
    /// At most 5000; 2000 when absent.
    limit: Option<u32>,
}

/// What was printed, line by line, in order, as far as the recording was read: to read and to find a place. Fetching it is an event that
/// others see.
#[utoipa::path(get, path = "/api/v1/sessions/{session}/transcript", tag = "sessions", params(("session" = String, Path), TranscriptParams), responses((status = 200, body = TranscriptPage)))]
async fn transcript(
    actor: Actor,
    State(store): State<Store>,
    Path(session): Path<String>,
    Params(params): Params<TranscriptParams>,
) -> Result<Json<TranscriptPage>, ApiError> {
    let id = id_of(&session)?;
    store.write(move |tx| super::look(tx, &actor, id, Look::Fetch).map_err(ApiError::from)).await?;
    let most = params.limit.unwrap_or(USUAL_LINES).clamp(1, MOST_LINES);
    store.read(move |db| Ok(Json(super::transcript(db, id, params.after.unwrap_or(0), most)?))).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct GrepParams {
    /// Plain text of 1 to 200 characters; small letters and capitals are the same.
    q: String,
    /// A customer's code.
    customer: Option<String>,
    /// A fault's number or id.
    fault: Option<String>,
    /// Equipment by name or id.
    equipment: Option<String>,
    /// An engineer's name.
    engineer: Option<String>,
    /// At most 200; 50 when absent.
    limit: Option<u32>,
}

/// Lines of the recordings' transcripts that contain a text, newest first. Searching is an event that those see whose lines are shown.
#[utoipa::path(get, path = "/api/v1/sessions/grep", tag = "sessions", params(GrepParams), responses((status = 200, body = List<GrepHit>)))]
async fn grep(actor: Actor, State(store): State<Store>, Params(params): Params<GrepParams>) -> Result<Json<List<GrepHit>>, ApiError> {
    let search = Search::of(&params.q)?;
    let customer = params.customer.map(|code| code.parse::<CustomerCode>()).transpose().map_err(|e| ApiError::invalid(e.to_string()))?;
    let engineer = params.engineer.map(|name| name.parse::<PersonName>()).transpose().map_err(|e| ApiError::invalid(e.to_string()))?;
    let fault = params.fault.map(|text| text.parse::<Reference>()).transpose()?;
    let device = params.equipment.map(|text| text.parse::<equipment::Reference>()).transpose()?;
    let most = params.limit.unwrap_or(USUAL_HITS).clamp(1, MOST_HITS);
    let (scope, asked) = (actor.scope(), search.clone());
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let fault = fault.map(|reference| faults::get(db, &scope, &reference)).transpose()?.map(|fault| fault.id);
        let device = device.map(|reference| equipment::find(db, &scope, &reference)).transpose()?.map(|device| device.id);
        Ok(Search { customer, fault, device, engineer, most, ..asked }.find(db, &scope)?)
    };
    let found = store.read(read).await?;
    // Nobody is shown anything that was not told of.
    let tell = move |tx: &mut crate::store::Tx<'_>| search.tell(tx, &actor, &found).map(|()| found);
    let found = store.write::<_, Error, _>(tell).await?;
    Ok(Json(found.into_iter().map(|found| found.hit).collect::<Vec<_>>().into()))
}

/// Ends a live session, from either side.
#[utoipa::path(post, path = "/api/v1/sessions/{session}/kill", tag = "sessions", params(("session" = String, Path)), request_body = Reason, responses((status = 200, body = Session)))]
async fn kill(
    actor: Actor,
    State(store): State<Store>,
    Path(session): Path<String>,
    Body(body): Body<Reason>,
) -> Result<Json<Session>, ApiError> {
    actor.must_write("end sessions")?;
    let id = id_of(&session)?;
    store.write(move |tx| Ok(Json(super::kill(tx, &actor, id, &body.reason)?))).await
}

fn code_of(text: &str) -> Result<CustomerCode, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("customer"))
}

/// The room that a customer's recordings take, and may take.
#[utoipa::path(get, path = "/api/v1/customers/{customer}/recordings", tag = "sessions", params(("customer" = String, Path)), responses((status = 200, body = RecordingUse)))]
async fn recording_use(actor: Actor, State(store): State<Store>, Path(customer): Path<String>) -> Result<Json<RecordingUse>, ApiError> {
    let code = code_of(&customer)?;
    store.read(move |db| Ok(Json(quota::get(db, &actor.scope(), &code)?))).await
}

/// Sets the room that a customer's recordings may take (admin). Devices that wait with theirs go on.
#[utoipa::path(put, path = "/api/v1/customers/{customer}/recordings", tag = "sessions", params(("customer" = String, Path)), request_body = NewRecordingQuota, responses((status = 200, body = RecordingUse)))]
async fn set_quota(
    actor: Actor,
    State(store): State<Store>,
    Path(customer): Path<String>,
    Body(body): Body<NewRecordingQuota>,
) -> Result<Json<RecordingUse>, ApiError> {
    actor.must_be(&[Role::Admin], "set the room for recordings")?;
    let code = code_of(&customer)?;
    store.write(move |tx| Ok(Json(quota::set(tx, &actor, &code, body.quota_bytes)?))).await
}

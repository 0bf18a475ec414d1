//! `Idempotency-Key` on every POST: a request that arrives again under its key is not carried out again, and gets the answer of the
//! first time. What makes the effect happen once is in the store ([`crate::store::Arrival`]); here arrivals meet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use lineman_common::error::ErrorCode;
use lineman_common::statement::{hex, sha256_hex};
use sha2::{Digest, Sha256};

use super::layers::most_bytes;
use crate::store::{Arrival, Kept, Reply, Store};
use crate::web::{Actor, ApiError, HoldsSecret};

const HEADER: &str = "idempotency-key";
/// Says that the answer is the one of the first time.
const REPLAYED: &str = "idempotency-replayed";
const LONGEST_KEY: usize = 128;
/// A second arrival waits so long for the end of the first.
const PATIENCE: Duration = Duration::from_secs(30);
/// Answers above this are not kept.
const MOST_KEPT_BYTES: usize = 1024 * 1024;
/// Keys that nobody uses any more are dropped from the table when it has grown to this.
const SWEEP_AT: usize = 1024;

/// A person's name and the key that it used.
type Used = (String, String);

/// Requests under way.
#[derive(Clone, Default)]
struct Locks(Arc<Mutex<HashMap<Used, Weak<tokio::sync::Mutex<()>>>>>);

impl Locks {
    fn of(&self, person: &str, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if locks.len() >= SWEEP_AT {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let entry = locks.entry((person.to_owned(), key.to_owned())).or_default();
        entry.upgrade().unwrap_or_else(|| {
            let lock = Arc::default();
            *entry = Arc::downgrade(&lock);
            lock
        })
    }
}

#[derive(Clone)]
pub struct Once {
    store: Store,
    locks: Locks,
}

impl Once {
    pub fn new(store: Store) -> Self {
        Self { store, locks: Locks::default() }
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let good = |key: &&str| (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    match value.to_str().ok().filter(good) {
        Some(key) => Ok(Some(key.to_owned())),
        None => Err(ApiError::new(
            ErrorCode::BadRequest,
            format!("an idempotency key is 1 to {LONGEST_KEY} visible ASCII characters, without spaces"),
        )
        .hint("a fresh UUID for every request, and the same again when it is repeated")),
    }
}

/// Carries a POST out once for each key; others pass.
pub async fn once(State(once): State<Once>, request: Request, next: Next) -> Result<Response, ApiError> {
    let actor = request.extensions().get::<Actor>().cloned();
    let (Some(actor), true) = (actor, request.method() == Method::POST) else { return Ok(next.run(request).await) };
    let Some(key) = key_of(request.headers())? else { return Ok(next.run(request).await) };
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let route = format!("POST {}", request.uri().path_and_query().map_or("/", |path| path.as_str()));
    let person = actor.id.to_string();
    let lock = once.locks.of(&person, &key);
    let arrival = Arrival::new(person, key, route.clone());
    let Ok(_turn) = tokio::time::timeout(PATIENCE, lock.lock()).await else {
        return Err(ApiError::conflict("a request with this idempotency key is being carried out").retry_after_s(1));
    };
    let streams = most_bytes(request.method(), &path) > super::MAX_BODY_BYTES;
    // What is streamed has its hash when the last byte is there: whoever takes it in sets it.
    let (request, body_sha256) = if streams { (request, None) } else { hashed(request).await? };
    if let Some(sha256) = &body_sha256 {
        arrival.set_body(sha256.clone());
    }
    if let Some(kept) = arrival.look(&once.store).await? {
        let sha256 = match body_sha256 {
            Some(sha256) => sha256,
            None => hash_stream(request.into_body(), most_bytes(&Method::POST, &path)).await?,
        };
        return replay(kept, &route, &sha256);
    }
    let response = Arc::clone(&arrival).scope(next.run(request)).await;
    // What holds a secret lies in no table.
    let secret = response.extensions().get::<HoldsSecret>().is_some();
    match arrival.look(&once.store).await? {
        // Somebody else's job was in the queue already, and its caller had gone away.
        Some(kept) if !arrival.is_of(&kept) => replay(kept, &route, arrival.body_sha256()),
        Some(kept) if kept.reply.is_some() || secret => Ok(response),
        None if !response.status().is_success() => Ok(response),
        Some(_) | None if secret => Ok(response),
        Some(_) | None => keep(&once.store, &arrival, response).await,
    }
}

async fn hashed(request: Request) -> Result<(Request, Option<String>), ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, super::MAX_BODY_BYTES)
        .await
        .map_err(|_| ApiError::new(ErrorCode::TooLarge, format!("the body is too large: {} MiB at most", super::MAX_BODY_BYTES >> 20)))?;
    let sha256 = sha256_hex(&bytes);
    Ok((Request::from_parts(parts, Body::from(bytes)), Some(sha256)))
}

async fn hash_stream(body: Body, most: usize) -> Result<String, ApiError> {
    let (mut stream, mut hash, mut taken) = (body.into_data_stream(), Sha256::new(), 0);
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| ApiError::new(ErrorCode::BadRequest, "the body could not be received"))?;
        taken += part.len();
        if taken > most {
            return Err(ApiError::new(ErrorCode::TooLarge, format!("the body is too large: {} MiB at most", most >> 20)));
        }
        hash.update(&part);
    }
    Ok(hex(&hash.finalize()))
}

/// The answer of the first time, if the request is the same.
fn replay(kept: Kept, route: &str, body_sha256: &str) -> Result<Response, ApiError> {
    if kept.route != route || kept.body_sha256 != body_sha256 {
        let what = if kept.route == route { "with another body" } else { "on another route" };
        return Err(ApiError::invalid(format!("this idempotency key was used before, {what}"))
            .hint("a fresh key for every request, and the same only when the very same request is repeated"));
    }
    let Some(Reply { status, content_type, etag, body }) = kept.reply else {
        return Err(ApiError::conflict("this request was carried out; its answer was not kept")
            .hint("look at what it changed before you send it under another key"));
    };
    let mut response = (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    for (name, value) in [(header::CONTENT_TYPE, content_type), (header::ETAG, etag)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// Keeps an answer that the change itself did not.
async fn keep(store: &Store, arrival: &Arc<Arrival>, response: Response) -> Result<Response, ApiError> {
    let short = response.body().size_hint().exact().is_some_and(|bytes| bytes <= MOST_KEPT_BYTES as u64);
    if response.status().is_informational() || !short {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, MOST_KEPT_BYTES).await.map_err(ApiError::internal)?;
    let header = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    let reply = Reply {
        status: parts.status.as_u16(),
        content_type: header(header::CONTENT_TYPE),
        etag: header(header::ETAG),
        body: bytes.to_vec(),
    };
    // The effect is there: an answer that can't be kept is given all the same.
    if let Err(error) = arrival.keep(store, reply).await {
        tracing::warn!(%error, "the answer to a request with an idempotency key was not kept");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

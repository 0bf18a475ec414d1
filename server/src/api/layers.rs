//! What happens around every request.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use lineman_common::error::{ErrorCode, Problem};
use tracing::Instrument;

use crate::faults;
use crate::people;
use crate::store::Store;
use crate::walls;
use crate::web::ApiError;

/// Of a body that is too large, this much is taken in and thrown away before the connection closes.
const MOST_DRAINED_BYTES: usize = 64 * 1024 * 1024;
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// A request id for the log, the answer's header and every problem document; one line per request at debug, failures louder.
pub async fn trace(request: Request, next: Next) -> Response {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id = %id, %method, route);
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    let _entered = span.enter();
    tracing::debug!(status, elapsed_us = begun.elapsed().as_micros(), "answered");
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let problem = Problem { request_id: Some(id.clone()), ..problem };
        let (parts, body) = Json(&problem).into_response().into_parts();
        *response.body_mut() = body;
        match parts.headers.get(header::CONTENT_LENGTH) {
            Some(value) => response.headers_mut().insert(header::CONTENT_LENGTH, value.clone()),
            None => response.headers_mut().remove(header::CONTENT_LENGTH),
        };
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What a wall token opens.
const OF_WALLS: [&str; 3] = ["/api/v1/wall", "/api/v1/events", "/healthz"];

/// Finds out who asks, by token or by a browser's cookie. A request with neither goes on without an actor; one with a wrong token ends
/// here, and so does one of a wall that asks for more than a wall.
pub async fn authenticate(State(store): State<Store>, mut request: Request, next: Next) -> Result<Response, ApiError> {
    let (token, is_browser) = match people::http::bearer(request.headers())? {
        Some(token) => (token, false),
        None => match people::browser::token(request.method(), request.headers())? {
            Some(token) => (token, true),
            None => return Ok(next.run(request).await),
        },
    };
    if token.starts_with(walls::tokens::PREFIX) {
        let wall = walls::tokens::authenticate(&store, &token).await?.ok_or_else(ApiError::unauthenticated)?;
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        // What names a person is out of a wall's reach anyway; this is for what is open to anybody, signing in above all.
        if request.method() != Method::GET || !route.is_some_and(|route| OF_WALLS.contains(&route)) {
            return Err(crate::web::only_the_wall());
        }
        request.extensions_mut().insert(walls::tokens::pass(&token));
        request.extensions_mut().insert(wall);
        return Ok(next.run(request).await);
    }
    let pass = people::pass(&token);
    let actor = store.read(move |db| people::by_token(db, &token).map_err(ApiError::from)).await?;
    match actor {
        Some(actor) => {
            request.extensions_mut().insert(pass);
            request.extensions_mut().insert(actor);
        }
        // A cookie outlives its sign-in, and must not keep anybody from signing in again.
        None if is_browser => {}
        None => return Err(ApiError::unauthenticated()),
    }
    Ok(next.run(request).await)
}

/// The largest body that a route takes.
pub fn most_bytes(method: &Method, route: &str) -> usize {
    if method == Method::POST && route == faults::attachments::http::UPLOAD {
        return usize::try_from(faults::attachments::LARGEST_BYTES).unwrap_or(super::MAX_BODY_BYTES);
    }
    super::MAX_BODY_BYTES
}

/// Answers a body that announces itself as too large, after taking it in: a client that is still sending would see a broken
/// connection instead of the reason.
pub async fn refuse_large(request: Request, next: Next) -> Result<Response, ApiError> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    let most = most_bytes(request.method(), route);
    if announced.is_none_or(|length| length <= most) {
        return Ok(next.run(request).await);
    }
    let mut body = request.into_body().into_data_stream();
    let mut taken = 0;
    while taken < MOST_DRAINED_BYTES
        && let Ok(Some(Ok(part))) = tokio::time::timeout(DRAIN_PATIENCE, body.next()).await
    {
        taken += part.len();
    }
    Err(ApiError::new(ErrorCode::TooLarge, format!("the body is too large: {} MiB at most", most >> 20)))
}

pub fn no_such_path(request: &Request) -> ApiError {
    let path = lineman_common::printable::escape(request.uri().path());
    ApiError::new(ErrorCode::NotFound, format!("there is nothing at {path}")).hint("the API is described at /api/v1/openapi.json")
}

pub async fn no_such_method(request: Request) -> ApiError {
    ApiError::new(ErrorCode::MethodNotAllowed, format!("{} does not go here", request.method()))
}

pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    ApiError::internal(format!("a handler panicked: {}", text.unwrap_or("without a word"))).into_response()
}

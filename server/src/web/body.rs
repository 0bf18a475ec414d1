//! Extractors whose refusals speak the API's language.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use lineman_common::error::ErrorCode;
use serde::de::DeserializeOwned;

use super::ApiError;

/// A JSON body. An empty one reads as `{}`, so that steps without particulars need none.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let has_type = request.headers().contains_key(axum::http::header::CONTENT_TYPE);
        if !has_type {
            let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|e| too_large_or_bad(&e))?;
            let text = if bytes.is_empty() { &b"{}"[..] } else { &bytes[..] };
            return serde_json::from_slice(text)
                .map(Self)
                .map_err(|e| ApiError::new(ErrorCode::BadRequest, format!("the body can't be read: {e}")));
        }
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(ApiError::new(ErrorCode::UnsupportedMediaType, "the body must be JSON, with `content-type: application/json`"))
            }
            Err(JsonRejection::JsonDataError(e)) => Err(ApiError::invalid(said(&e.body_text()))),
            Err(JsonRejection::JsonSyntaxError(e)) => Err(ApiError::new(ErrorCode::BadRequest, said(&e.body_text()))),
            Err(JsonRejection::BytesRejection(e)) => Err(too_large_or_bad(&e)),
            Err(other) => Err(ApiError::new(ErrorCode::BadRequest, other.body_text())),
        }
    }
}

fn too_large_or_bad(rejection: &axum::extract::rejection::BytesRejection) -> ApiError {
    if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        ApiError::new(ErrorCode::TooLarge, "the body is too large: 1 MiB at most")
    } else {
        ApiError::new(ErrorCode::BadRequest, "the body could not be received")
    }
}

/// The part of a rejection that speaks of the input, not of our types.
fn said(text: &str) -> String {
    let text = text.split_once("target type: ").or_else(|| text.split_once("as JSON: ")).map_or(text, |(_, rest)| rest);
    format!("the body can't be used: {}", lineman_common::printable::escape(text))
}

/// The query string.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::<T>::from_request_parts(parts, state).await.map(|query| Self(query.0)).map_err(|e: QueryRejection| {
            ApiError::new(ErrorCode::BadRequest, format!("the query can't be read: {}", lineman_common::printable::escape(&e.body_text())))
        })
    }
}

/// The path's variable parts; what does not even look like a name or an id is not found.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::<T>::from_request_parts(parts, state).await.map(|path| Self(path.0)).map_err(|e: PathRejection| {
            ApiError::new(ErrorCode::NotFound, format!("the path names nothing: {}", lineman_common::printable::escape(&e.body_text())))
        })
    }
}

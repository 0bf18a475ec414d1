//! `ETag` and `If-Match` (RFC 9110): who changes a thing says which version of it was seen.
//!
//! A version is a number that every change raises, and its tag is that number in quotes: strong, because versions that differ are
//! different texts. A change against an older version is refused with **both** texts, so that nothing that was typed is lost.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use lineman_common::error::ErrorCode;
use serde_json::{Value, json};

use super::ApiError;
use crate::store::Answer;

pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// A reply with its version.
pub struct Tagged<T>(pub T);

impl<T: Answer> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let tag = self.0.etag().and_then(|tag| HeaderValue::from_str(&tag).ok());
        let mut response = Json(self.0).into_response();
        if let Some(tag) = tag {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// What the caller says of the version that it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    None,
    /// It must exist.
    Any,
    /// One of these tags.
    Tags(Vec<String>),
}

impl Precondition {
    fn parse(value: &str) -> Result<Self, ApiError> {
        if value.trim() == "*" {
            return Ok(Self::Any);
        }
        let tags: Vec<_> = value.split(',').map(|tag| tag.trim().to_owned()).collect();
        let well_formed = |tag: &String| {
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"')
        };
        if tags.iter().all(well_formed) {
            Ok(Self::Tags(tags))
        } else {
            Err(ApiError::new(ErrorCode::BadRequest, "`If-Match` can't be read")
                .hint("the `ETag` of the answer that you saw, like \"17\", or *"))
        }
    }

    /// Refuses a change that does not say which version it is meant for.
    pub fn must_be_there(&self) -> Result<(), ApiError> {
        if *self != Self::None {
            return Ok(());
        }
        let message = "say which version you change: send its `ETag` as `If-Match`";
        Err(ApiError::new(ErrorCode::PreconditionRequired, message).hint("If-Match: * changes whatever is there"))
    }

    /// Refuses when the thing is another than the caller saw; with both texts.
    pub fn check(&self, version: u64, yours: &Value, current: &Value) -> Result<(), ApiError> {
        let fits = match self {
            Self::None | Self::Any => true,
            // A weak tag never fits: RFC 9110 wants the strong comparison here.
            Self::Tags(tags) => tags.contains(&etag(version)),
        };
        if fits {
            return Ok(());
        }
        let message = "it was changed since you saw it: nothing of yours was stored; your text and the current one are in `details`";
        Err(ApiError::new(ErrorCode::PreconditionFailed, message)
            .hint("look at both, and send what shall stand with the new `ETag`")
            .details(json!({"yours": yours, "current": current, "etag": etag(version)})))
    }
}

impl<S: Sync> FromRequestParts<S> for Precondition {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let values: Vec<_> = parts.headers.get_all(header::IF_MATCH).iter().collect();
        match values.as_slice() {
            [] => Ok(Self::None),
            [value] => Self::parse(value.to_str().unwrap_or_default()),
            _ => Err(ApiError::new(ErrorCode::BadRequest, "there is more than one `If-Match`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_that_was_seen_is_changed() {
        let fits = |value: &str| Precondition::parse(value).unwrap().check(17, &Value::Null, &Value::Null).is_ok();
        assert!(fits("\"17\"") && fits("*") && fits("\"3\", \"17\""));
        assert!(!fits("\"16\"") && !fits("W/\"17\"") && !fits("\"170\""));
        for value in ["17", "", "\"\"", "\"17"] {
            assert!(Precondition::parse(value).is_err(), "{value}");
        }
        assert!(Precondition::None.must_be_there().is_err() && Precondition::Any.must_be_there().is_ok());
    }
}

//! Errors as the API tells them. What is for people outside and what is for the log are different fields.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lineman_common::error::{ErrorCode, Problem};

use crate::events;
use crate::store::StoreError;

#[derive(Debug)]
pub struct ApiError {
    code: ErrorCode,
    /// What was wrong and what would be right.
    message: String,
    hint: Option<String>,
    /// For the log only.
    internal: Option<String>,
    retry_after_s: Option<u64>,
    /// Particulars for programs.
    details: Option<Box<serde_json::Value>>,
}

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, internal: None, retry_after_s: None, details: None }
    }

    /// What was wrong, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub fn retry_after_s(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    pub fn details(self, details: serde_json::Value) -> Self {
        Self { details: Some(Box::new(details)), ..self }
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Invalid, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Conflict, message)
    }

    pub fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "sign in first: the request carries no valid token").hint("lineman login")
    }

    /// One answer for what does not exist and for what the caller may not know of.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(ErrorCode::NotFound, format!("no such {what}"))
    }

    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let message = "the server failed; the request id finds the cause in its log";
        Self { internal: Some(cause.to_string()), ..Self::new(ErrorCode::Internal, message) }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Repeated) {
            return Self::conflict(error.to_string());
        }
        if matches!(error, StoreError::Closed) {
            return Self::new(ErrorCode::Unavailable, "the server is shutting down; try again in a moment");
        }
        Self::internal(error)
    }
}

impl From<events::Error> for ApiError {
    fn from(error: events::Error) -> Self {
        Self::internal(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Some(internal) = &self.internal {
            tracing::error!(error.code = %self.code, "{internal}");
        }
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // The `api` door fills in the request id.
        let problem = Problem {
            status: status.as_u16(),
            code: self.code,
            title: self.message,
            request_id: None,
            hint: self.hint,
            details: self.details.map(|details| *details),
        };
        let mut response = (status, axum::Json(&problem)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(value) = self.retry_after_s.and_then(|seconds| HeaderValue::from_str(&seconds.to_string()).ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(problem);
        response
    }
}

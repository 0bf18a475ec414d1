//! Answers that hold a secret.

use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;

/// An answer with a secret in it, which is shown this once: it is kept nowhere, under an idempotency key neither.
pub struct ShownOnce<T>(pub T);

/// Says of a response that it came of a [`ShownOnce`].
#[derive(Clone, Copy)]
pub struct HoldsSecret;

impl<T: Serialize> IntoResponse for ShownOnce<T> {
    fn into_response(self) -> Response {
        (Extension(HoldsSecret), Json(self.0)).into_response()
    }
}

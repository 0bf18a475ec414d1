//! What a request was let in with. A request is over before that could change; a stream asks again.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::sync::broadcast::error::RecvError;

use super::ApiError;
use crate::store::{Db, Nudge, Store, StoreError};

/// Tokens also end by themselves, and nobody says so.
const LOOK_EVERY: Duration = Duration::from_secs(5);

type Holds = dyn Fn(&Db<'_>) -> Result<bool, StoreError> + Send + Sync;

/// The token of a request, as something that can be asked whether it still counts.
#[derive(Clone)]
pub struct Pass(Arc<Holds>);

impl Pass {
    pub fn new(holds: impl Fn(&Db<'_>) -> Result<bool, StoreError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    /// Waits until it counts no longer; or until that can't be found out any more.
    pub async fn ended(self, store: Store) {
        let mut nudges = store.nudges();
        loop {
            let holds = Arc::clone(&self.0);
            match store.read(move |db| holds(db)).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "a stream ends: whether its token still counts can't be read");
                    return;
                }
            }
            let news =
                async { while !matches!(nudges.recv().await, Ok(Nudge::SignedOut) | Err(RecvError::Lagged(_) | RecvError::Closed)) {} };
            // Whichever comes first: it is looked at again.
            let _ = tokio::time::timeout(LOOK_EVERY, news).await;
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Pass {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::unauthenticated)
    }
}

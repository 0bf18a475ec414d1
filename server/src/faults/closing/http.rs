use axum::Json;
use axum::extract::State;
use lineman_common::api::{Closing, List};
use lineman_common::people::Role;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::http::Handles;
use crate::customers;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body};

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(show, set))
}

/// After how long resolved faults close by themselves.
#[utoipa::path(get, path = "/api/v1/closing", tag = "faults", responses((status = 200, body = List<Closing>)))]
async fn show(_: Actor, State(store): State<Store>) -> Result<Json<List<Closing>>, ApiError> {
    Ok(Json(store.read(super::settings).await?.into()))
}

/// Sets it, for one tier or for all others (admin).
#[utoipa::path(put, path = "/api/v1/closing", tag = "faults", request_body = Closing, responses((status = 200, body = List<Closing>)))]
async fn set(actor: Actor, State(store): State<Store>, Body(closing): Body<Closing>) -> Result<Json<List<Closing>>, ApiError> {
    actor.must_be(&[Role::Admin], "set when faults close")?;
    let job = move |tx: &mut crate::store::Tx<'_>| -> Result<_, ApiError> {
        if let Some(tier) = &closing.tier
            && !customers::tiers(tx)?.iter().any(|known| known.name == *tier)
        {
            return Err(customers::Error::NoTier(tier.clone()).into());
        }
        Ok(Json(super::set(tx, &actor, &closing)?.into()))
    };
    store.write(job).await
}

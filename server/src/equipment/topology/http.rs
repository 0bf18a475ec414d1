use axum::Json;
use axum::extract::State;
use lineman_common::api::{Topology, TopologyView};
use lineman_common::people::Role;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::equipment::Reference;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(get, set))
}

/// How a piece of equipment hangs on others, and what hangs on it.
#[utoipa::path(get, path = "/api/v1/equipment/{equipment}/topology", tag = "equipment", params(("equipment" = String, Path)), responses((status = 200, body = TopologyView)))]
async fn get(actor: Actor, State(store): State<Store>, Path(reference): Path<String>) -> Result<Json<TopologyView>, ApiError> {
    let reference: Reference = reference.parse()?;
    store.read(move |db| Ok(Json(super::get(db, &actor.scope(), &reference)?))).await
}

/// Says how a piece of equipment hangs on others, in the place of what was said before (admin, duty manager, engineer).
#[utoipa::path(put, path = "/api/v1/equipment/{equipment}/topology", tag = "equipment", params(("equipment" = String, Path)), request_body = Topology, responses((status = 200, body = TopologyView)))]
async fn set(
    actor: Actor,
    State(store): State<Store>,
    Path(reference): Path<String>,
    Body(topology): Body<Topology>,
) -> Result<Json<TopologyView>, ApiError> {
    actor.must_be(&[Role::Engineer, Role::DutyManager, Role::Admin], "say how equipment hangs together")?;
    let reference: Reference = reference.parse()?;
    store.write(move |tx| Ok(Json(super::set(tx, &actor, &reference, &topology)?))).await
}

use axum::Json;
use axum::extract::State;
use lineman_common::api::{Equipment, List, NewEquipment};
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Reference;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(get)).merge(super::topology::http::routes())
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// A customer's code.
    customer: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// Equipment with its presence, by name.
#[utoipa::path(get, path = "/api/v1/equipment", tag = "equipment", params(ListParams), responses((status = 200, body = List<Equipment>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<List<Equipment>>, ApiError> {
    let limit = params.limit.unwrap_or(200).clamp(1, 1000);
    let (customer, after) = (params.customer, params.after);
    let items = store.read(move |db| super::list(db, &actor.scope(), customer.as_deref(), after.as_deref(), limit)).await?;
    let full = items.len() == limit as usize;
    let next = items.last().filter(|_| full).map(|last| format!("{}/{}", last.name.customer, last.name.handle));
    Ok(Json(List { items, next }))
}

/// Adds equipment (admin).
#[utoipa::path(post, path = "/api/v1/equipment", tag = "equipment", request_body = NewEquipment, responses((status = 200, body = Equipment)))]
async fn add(actor: Actor, State(store): State<Store>, Body(new): Body<NewEquipment>) -> Result<Json<Equipment>, ApiError> {
    actor.must_be(&[Role::Admin], "add equipment")?;
    store.write(move |tx| Ok(Json(super::add(tx, &actor, new)?))).await
}

/// One piece of equipment, by name (`ne-1.jw.ne`) or id.
#[utoipa::path(get, path = "/api/v1/equipment/{equipment}", tag = "equipment", params(("equipment" = String, Path)), responses((status = 200, body = Equipment)))]
async fn get(actor: Actor, State(store): State<Store>, Path(reference): Path<String>) -> Result<Json<Equipment>, ApiError> {
    let reference: Reference = reference.parse()?;
    store.read(move |db| Ok(Json(super::get(db, &actor.scope(), &reference)?))).await
}

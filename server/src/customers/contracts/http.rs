use axum::Json;
use axum::extract::State;
use lineman_common::api::{Contract, List, NewContract};
use lineman_common::id::ContractId;
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::customers::Error;
use crate::store::{Db, Store};
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(show, change, delete))
}

fn id_of(text: &str) -> Result<ContractId, Error> {
    text.parse().map_err(|_| Error::NotFoundHere("contract"))
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

/// Contracts, oldest first; a carrier's people see their own.
#[utoipa::path(get, path = "/api/v1/contracts", tag = "customers", params(ListParams), responses((status = 200, body = List<Contract>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<List<Contract>>, ApiError> {
    let limit = params.limit.unwrap_or(200).clamp(1, 1000);
    let after = params.after.map(|text| text.parse().map_err(|_| ApiError::invalid("`after` is not the `next` of a page"))).transpose()?;
    let items = store.read(move |db| super::list(db, &actor.scope(), params.customer.as_deref(), after, limit)).await?;
    let next = items.last().filter(|_| items.len() == limit as usize).map(|last| last.id.to_string());
    Ok(Json(List { items, next }))
}

/// Adds a contract (admin). Faults that are open go on by its tier from the day it begins; what was counted stays.
#[utoipa::path(post, path = "/api/v1/contracts", tag = "customers", request_body = NewContract, responses((status = 200, body = Contract)))]
async fn add(actor: Actor, State(store): State<Store>, Body(new): Body<NewContract>) -> Result<Json<Contract>, ApiError> {
    actor.must_be(&[Role::Admin], "add contracts")?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(super::add(tx, &actor, &new)?)) }).await
}

/// One contract.
#[utoipa::path(get, path = "/api/v1/contracts/{contract}", tag = "customers", params(("contract" = String, Path)), responses((status = 200, body = Contract)))]
async fn show(actor: Actor, State(store): State<Store>, Path(contract): Path<String>) -> Result<Json<Contract>, ApiError> {
    store.read(move |db: &Db<'_>| -> Result<_, ApiError> { Ok(Json(super::get(db, &actor.scope(), id_of(&contract)?)?)) }).await
}

/// Changes a contract (admin): of one that has begun, only its last day and its contact.
#[utoipa::path(put, path = "/api/v1/contracts/{contract}", tag = "customers", params(("contract" = String, Path)), request_body = NewContract, responses((status = 200, body = Contract)))]
async fn change(
    actor: Actor,
    State(store): State<Store>,
    Path(contract): Path<String>,
    Body(new): Body<NewContract>,
) -> Result<Json<Contract>, ApiError> {
    actor.must_be(&[Role::Admin], "change contracts")?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(super::change(tx, &actor, id_of(&contract)?, &new)?)) }).await
}

/// Deletes a contract that has not begun (admin).
#[utoipa::path(delete, path = "/api/v1/contracts/{contract}", tag = "customers", params(("contract" = String, Path)), responses((status = 200, body = Contract)))]
async fn delete(actor: Actor, State(store): State<Store>, Path(contract): Path<String>) -> Result<Json<Contract>, ApiError> {
    actor.must_be(&[Role::Admin], "delete contracts")?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(super::delete(tx, &actor, id_of(&contract)?)?)) }).await
}

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use lineman_common::api::{List, NewShelf, Shelf, ShelfOrder, Why};
use lineman_common::id::ShelfId;
use lineman_common::name::CustomerCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(reorder)).routes(routes!(remove))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// A customer's code.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerCode>,
}

/// The shelves, each customer's in their order. The first that fits takes an alarm.
#[utoipa::path(get, path = "/api/v1/alarm-shelves", tag = "alarms", params(ListParams), responses((status = 200, body = List<Shelf>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<List<Shelf>>, ApiError> {
    store.read(move |db| Ok(Json(super::list(db, &actor.scope(), params.customer.as_ref())?.into()))).await
}

/// Puts alarms away, with who, why and until when.
#[utoipa::path(post, path = "/api/v1/alarm-shelves", tag = "alarms", request_body = NewShelf, responses((status = 200, body = Shelf)))]
async fn add(actor: Actor, State(store): State<Store>, Body(new): Body<NewShelf>) -> Result<Json<Shelf>, ApiError> {
    actor.must_write("shelve alarms")?;
    store.write(move |tx| Ok(Json(super::add(tx, &actor, new)?))).await
}

/// Puts all shelves of a customer into a new order.
#[utoipa::path(put, path = "/api/v1/alarm-shelves/order", tag = "alarms", request_body = ShelfOrder, responses((status = 200, body = List<Shelf>)))]
async fn reorder(actor: Actor, State(store): State<Store>, Body(order): Body<ShelfOrder>) -> Result<Json<List<Shelf>>, ApiError> {
    actor.must_write("shelve alarms")?;
    store.write(move |tx| Ok(Json(super::reorder(tx, &actor, &order)?.into()))).await
}

/// Takes a shelf away: what lay on it comes back.
#[utoipa::path(post, path = "/api/v1/alarm-shelves/{shelf}/removal", tag = "alarms", params(("shelf" = String, Path)), request_body = Why, responses((status = 204)))]
async fn remove(actor: Actor, State(store): State<Store>, Path(id): Path<String>, Body(body): Body<Why>) -> Result<StatusCode, ApiError> {
    actor.must_write("shelve alarms")?;
    let id: ShelfId = id.parse().map_err(|_| ApiError::not_found("shelf"))?;
    store.write(move |tx| Ok(super::remove(tx, &actor, id, &body.why).map(|()| StatusCode::NO_CONTENT)?)).await
}

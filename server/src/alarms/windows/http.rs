use axum::Json;
use axum::extract::State;
use lineman_common::alarm::WindowState;
use lineman_common::api::{List, MaintenanceWindow, NewMaintenanceWindow, Why};
use lineman_common::id::WindowId;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Filter;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(list, plan)).routes(routes!(get)).routes(routes!(end))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    state: Option<WindowState>,
    /// A customer's code.
    customer: Option<String>,
    /// `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<WindowId>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// Maintenance windows, the newest first.
#[utoipa::path(get, path = "/api/v1/maintenance-windows", tag = "alarms", params(ListParams), responses((status = 200, body = List<MaintenanceWindow>)))]
async fn list(
    actor: Actor,
    State(store): State<Store>,
    Params(params): Params<ListParams>,
) -> Result<Json<List<MaintenanceWindow>>, ApiError> {
    let limit = params.limit.unwrap_or(200).clamp(1, 1000);
    let filter = Filter { state: params.state, customer: params.customer, after: params.after, limit };
    let items = store.read(move |db| super::list(db, &actor.scope(), &filter).map_err(ApiError::from)).await?;
    let next = items.last().filter(|_| items.len() == limit as usize).map(|last| last.id.to_string());
    Ok(Json(List { items, next }))
}

/// Plans work: alarms of the equipment and of what hangs on it open no faults meanwhile.
#[utoipa::path(post, path = "/api/v1/maintenance-windows", tag = "alarms", request_body = NewMaintenanceWindow, responses((status = 200, body = MaintenanceWindow)))]
async fn plan(
    actor: Actor,
    State(store): State<Store>,
    Body(new): Body<NewMaintenanceWindow>,
) -> Result<Json<MaintenanceWindow>, ApiError> {
    actor.must_write("plan maintenance")?;
    store.write(move |tx| Ok(Json(super::plan(tx, &actor, &new)?))).await
}

/// One maintenance window.
#[utoipa::path(get, path = "/api/v1/maintenance-windows/{window}", tag = "alarms", params(("window" = String, Path)), responses((status = 200, body = MaintenanceWindow)))]
async fn get(actor: Actor, State(store): State<Store>, Path(id): Path<String>) -> Result<Json<MaintenanceWindow>, ApiError> {
    let id: WindowId = id.parse().map_err(|_| ApiError::not_found("maintenance window"))?;
    store.read(move |db| Ok(Json(super::get(db, &actor.scope(), id)?))).await
}

/// Ends a window now, or takes back one that has not begun.
#[utoipa::path(post, path = "/api/v1/maintenance-windows/{window}/end", tag = "alarms", params(("window" = String, Path)), request_body = Why, responses((status = 200, body = MaintenanceWindow)))]
async fn end(
    actor: Actor,
    State(store): State<Store>,
    Path(id): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<MaintenanceWindow>, ApiError> {
    actor.must_write("end maintenance")?;
    let id: WindowId = id.parse().map_err(|_| ApiError::not_found("maintenance window"))?;
    store.write(move |tx| Ok(Json(super::end(tx, &actor, id, &body.why)?))).await
}

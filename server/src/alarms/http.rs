use axum::Json;
use axum::extract::State;
use lineman_common::alarm::ResourceState;
use lineman_common::api::{Acknowledgement, Alarm, List};
use lineman_common::id::AlarmId;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Filter;
use crate::equipment::{self, Reference};
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(acknowledge))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// `raised` or `cleared`; both when absent.
    state: Option<ResourceState>,
    /// A name (`ne-1.jw.ne`) or id.
    equipment: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// The alarm list: raised ones first, the newest change first.
#[utoipa::path(get, path = "/api/v1/alarms", tag = "alarms", params(ListParams), responses((status = 200, body = List<Alarm>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<List<Alarm>>, ApiError> {
    let reference = params.equipment.map(|text| text.parse::<Reference>()).transpose()?;
    let read = move |db: &crate::store::Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let equipment = reference.map(|reference| equipment::find(db, &scope, &reference)).transpose()?.map(|known| known.id);
        let filter = Filter { state: params.state, equipment, limit: params.limit.unwrap_or(200).clamp(1, 1000) };
        Ok(Json(super::list(db, &scope, &filter)?.into()))
    };
    store.read(read).await
}

/// One alarm.
#[utoipa::path(get, path = "/api/v1/alarms/{alarm}", tag = "alarms", params(("alarm" = String, Path)), responses((status = 200, body = Alarm)))]
async fn get(actor: Actor, State(store): State<Store>, Path(id): Path<String>) -> Result<Json<Alarm>, ApiError> {
    let id: AlarmId = id.parse().map_err(|_| ApiError::not_found("alarm"))?;
    store.read(move |db| Ok(Json(super::get(db, &actor.scope(), id)?))).await
}

/// Acknowledges an alarm: seen by the caller, now, with a note that says why.
#[utoipa::path(post, path = "/api/v1/alarms/{alarm}/acknowledgement", tag = "alarms", params(("alarm" = String, Path)), request_body = Acknowledgement, responses((status = 200, body = Alarm)))]
async fn acknowledge(
    actor: Actor,
    State(store): State<Store>,
    Path(id): Path<String>,
    Body(body): Body<Acknowledgement>,
) -> Result<Json<Alarm>, ApiError> {
    actor.must_write("acknowledge alarms")?;
    let id: AlarmId = id.parse().map_err(|_| ApiError::not_found("alarm"))?;
    store.write(move |tx| Ok(Json(super::acknowledge(tx, &actor, id, &body.note)?))).await
}

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use lineman_common::api::{AlarmProfile, List, NewAlarmProfile, Why};
use lineman_common::id::ProfileId;
use lineman_common::people::Role;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Path};

const WHO: &[Role] = &[Role::DutyManager, Role::Admin];

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

/// Alarm profiles; a customer's people see their own.
#[utoipa::path(get, path = "/api/v1/alarm-profiles", tag = "alarms", responses((status = 200, body = List<AlarmProfile>)))]
async fn list(actor: Actor, State(store): State<Store>) -> Result<Json<List<AlarmProfile>>, ApiError> {
    store.read(move |db| Ok(Json(super::list(db, &actor.scope())?.into()))).await
}

/// Has alarms of a type count with another severity (duty manager, admin).
#[utoipa::path(post, path = "/api/v1/alarm-profiles", tag = "alarms", request_body = NewAlarmProfile, responses((status = 200, body = AlarmProfile)))]
async fn add(actor: Actor, State(store): State<Store>, Body(new): Body<NewAlarmProfile>) -> Result<Json<AlarmProfile>, ApiError> {
    actor.must_be(WHO, "say how severe alarms are")?;
    store.write(move |tx| Ok(Json(super::add(tx, &actor, &new)?))).await
}

/// Takes a profile away (duty manager, admin).
#[utoipa::path(post, path = "/api/v1/alarm-profiles/{profile}/removal", tag = "alarms", params(("profile" = String, Path)), request_body = Why, responses((status = 204)))]
async fn remove(actor: Actor, State(store): State<Store>, Path(id): Path<String>, Body(body): Body<Why>) -> Result<StatusCode, ApiError> {
    actor.must_be(WHO, "say how severe alarms are")?;
    let id: ProfileId = id.parse().map_err(|_| ApiError::not_found("alarm profile"))?;
    store.write(move |tx| Ok(super::remove(tx, &actor, id, &body.why).map(|()| StatusCode::NO_CONTENT)?)).await
}

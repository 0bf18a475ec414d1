use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use lineman_common::api::{AlarmRule, DryRun, DryRunReply, List, SetAlarmRule, Why};
use lineman_common::people::Role;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Path};

const WHO: &[Role] = &[Role::DutyManager, Role::Admin];

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(dry_run)).routes(routes!(get, set)).routes(routes!(remove))
}

/// The rules of correlation, by name.
#[utoipa::path(get, path = "/api/v1/alarm-rules", tag = "alarms", responses((status = 200, body = List<AlarmRule>)))]
async fn list(actor: Actor, State(store): State<Store>) -> Result<Json<List<AlarmRule>>, ApiError> {
    store.read(move |db| Ok(Json(super::list(db, &actor.scope())?.into()))).await
}

/// One rule.
#[utoipa::path(get, path = "/api/v1/alarm-rules/{rule}", tag = "alarms", params(("rule" = String, Path)), responses((status = 200, body = AlarmRule)))]
async fn get(actor: Actor, State(store): State<Store>, Path(name): Path<String>) -> Result<Json<AlarmRule>, ApiError> {
    store.read(move |db| Ok(Json(super::get(db, &actor.scope(), &name)?))).await
}

/// Sets a rule, or switches it on or off (duty manager, admin).
#[utoipa::path(put, path = "/api/v1/alarm-rules/{rule}", tag = "alarms", params(("rule" = String, Path)), request_body = SetAlarmRule, responses((status = 200, body = AlarmRule)))]
async fn set(
    actor: Actor,
    State(store): State<Store>,
    Path(name): Path<String>,
    Body(new): Body<SetAlarmRule>,
) -> Result<Json<AlarmRule>, ApiError> {
    actor.must_be(WHO, "set rules of correlation")?;
    store.write(move |tx| Ok(Json(super::set(tx, &actor, &name, &new)?))).await
}

/// Forgets a rule; one that came with the server is as it came again (duty manager, admin).
#[utoipa::path(post, path = "/api/v1/alarm-rules/{rule}/removal", tag = "alarms", params(("rule" = String, Path)), request_body = Why, responses((status = 204)))]
async fn remove(actor: Actor, State(store): State<Store>, Path(name): Path<String>, Body(body): Body<Why>) -> Result<StatusCode, ApiError> {
    actor.must_be(WHO, "set rules of correlation")?;
    store.write(move |tx| Ok(super::remove(tx, &actor, &name, &body.why).map(|()| StatusCode::NO_CONTENT)?)).await
}

/// What a rule would have done in the last days; changes nothing (the support centre's people).
#[utoipa::path(post, path = "/api/v1/alarm-rules/dry-run", tag = "alarms", request_body = DryRun, responses((status = 200, body = DryRunReply)))]
async fn dry_run(actor: Actor, State(store): State<Store>, Body(ask): Body<DryRun>) -> Result<Json<DryRunReply>, ApiError> {
    actor.must_be(&[Role::Engineer, Role::DutyManager, Role::Admin, Role::Auditor], "try rules of correlation")?;
    // An auditor may be a customer's: what is looked at ends at the scope.
    store.read(move |db| Ok(Json(super::dry_run::run(db, &actor.scope(), &ask)?))).await
}

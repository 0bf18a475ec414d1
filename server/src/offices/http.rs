use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{DutyPlan, List, NewOverride, Office, OfficeName, Override, RoutingRule, RoutingRules, Shift, ShiftName};
use lineman_common::id::OverrideId;
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Error;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Params, Path};

/// Of a plan, when nobody says how long.
const PLAN: SignedDuration = SignedDuration::from_hours(24 * 14);

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(get, replace, delete))
        .routes(routes!(list_shifts))
        .routes(routes!(put_shift, delete_shift))
        .routes(routes!(list_overrides, add_override))
        .routes(routes!(cancel_override))
        .routes(routes!(plan))
        .routes(routes!(rules, put_rules))
}

fn may_organise(actor: &Actor, what: &str) -> Result<(), ApiError> {
    actor.must_be(&[Role::DutyManager, Role::Admin], what)
}

fn name_of(text: &str) -> Result<OfficeName, ApiError> {
    text.parse().map_err(|_| Error::NotFound.into())
}

fn shift_of(text: &str) -> Result<ShiftName, ApiError> {
    text.parse().map_err(|_| Error::NoShift.into())
}

/// The offices of the support centre. A carrier's people see none.
#[utoipa::path(get, path = "/api/v1/offices", tag = "offices", responses((status = 200, body = List<Office>)))]
async fn list(actor: Actor, State(store): State<Store>) -> Result<Json<List<Office>>, ApiError> {
    let offices = store.read(move |db| super::list(db, &actor.scope())).await?;
    Ok(Json(offices.into()))
}

/// Adds an office (duty manager, admin). The first is the hq.
#[utoipa::path(post, path = "/api/v1/offices", tag = "offices", request_body = Office, responses((status = 200, body = Office)))]
async fn add(actor: Actor, State(store): State<Store>, Body(office): Body<Office>) -> Result<Json<Office>, ApiError> {
    may_organise(&actor, "add offices")?;
    store.write(move |tx| Ok(Json(super::add(tx, &actor, office)?))).await
}

/// One office.
#[utoipa::path(get, path = "/api/v1/offices/{office}", tag = "offices", params(("office" = String, Path)), responses((status = 200, body = Office)))]
async fn get(actor: Actor, State(store): State<Store>, Path(office): Path<String>) -> Result<Json<Office>, ApiError> {
    let name = name_of(&office)?;
    store.read(move |db| Ok(Json(super::get(db, &actor.scope(), &name)?))).await
}

/// Sets all of an office (duty manager, admin). Its name stays.
#[utoipa::path(put, path = "/api/v1/offices/{office}", tag = "offices", params(("office" = String, Path)), request_body = Office, responses((status = 200, body = Office)))]
async fn replace(
    actor: Actor,
    State(store): State<Store>,
    Path(office): Path<String>,
    Body(body): Body<Office>,
) -> Result<Json<Office>, ApiError> {
    may_organise(&actor, "change offices")?;
    let name = name_of(&office)?;
    store.write(move |tx| Ok(Json(super::replace(tx, &actor, &name, body)?))).await
}

/// Deletes an office that is not in use (duty manager, admin).
#[utoipa::path(delete, path = "/api/v1/offices/{office}", tag = "offices", params(("office" = String, Path)), responses((status = 204)))]
async fn delete(actor: Actor, State(store): State<Store>, Path(office): Path<String>) -> Result<StatusCode, ApiError> {
    may_organise(&actor, "delete offices")?;
    let name = name_of(&office)?;
    store.write(move |tx| super::delete(tx, &actor, &name).map_err(ApiError::from)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The shifts of an office.
#[utoipa::path(get, path = "/api/v1/offices/{office}/shifts", tag = "offices", params(("office" = String, Path)), responses((status = 200, body = List<Shift>)))]
async fn list_shifts(actor: Actor, State(store): State<Store>, Path(office): Path<String>) -> Result<Json<List<Shift>>, ApiError> {
    let name = name_of(&office)?;
    store.read(move |db| Ok(Json(super::shifts(db, &actor.scope(), &name)?.into()))).await
}

/// Sets a shift (duty manager, admin). Its people are members of the office.
#[utoipa::path(put, path = "/api/v1/offices/{office}/shifts/{shift}", tag = "offices", params(("office" = String, Path), ("shift" = String, Path)), request_body = Shift, responses((status = 200, body = Shift)))]
async fn put_shift(
    actor: Actor,
    State(store): State<Store>,
    Path((office, shift)): Path<(String, String)>,
    Body(body): Body<Shift>,
) -> Result<Json<Shift>, ApiError> {
    may_organise(&actor, "set shifts")?;
    let name = name_of(&office)?;
    if shift_of(&shift)? != body.name {
        return Err(Error::OtherName(shift, body.name.to_string()).into());
    }
    store.write(move |tx| Ok(Json(super::put_shift(tx, &actor, &name, body)?))).await
}

/// Deletes a shift (duty manager, admin).
#[utoipa::path(delete, path = "/api/v1/offices/{office}/shifts/{shift}", tag = "offices", params(("office" = String, Path), ("shift" = String, Path)), responses((status = 204)))]
async fn delete_shift(
    actor: Actor,
    State(store): State<Store>,
    Path((office, shift)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    may_organise(&actor, "delete shifts")?;
    let (name, shift) = (name_of(&office)?, shift_of(&shift)?);
    store.write(move |tx| super::delete_shift(tx, &actor, &name, &shift).map_err(ApiError::from)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The overrides of an office that are not over: swaps, stand-ins, somebody more or less.
#[utoipa::path(get, path = "/api/v1/offices/{office}/overrides", tag = "offices", params(("office" = String, Path)), responses((status = 200, body = List<Override>)))]
async fn list_overrides(actor: Actor, State(store): State<Store>, Path(office): Path<String>) -> Result<Json<List<Override>>, ApiError> {
    let name = name_of(&office)?;
    store.read(move |db| Ok(Json(super::overrides(db, &actor.scope(), &name)?.into()))).await
}

/// Makes an override (engineers too: whom they agreed with is in the reason, and in the log).
#[utoipa::path(post, path = "/api/v1/offices/{office}/overrides", tag = "offices", params(("office" = String, Path)), request_body = NewOverride, responses((status = 200, body = Override)))]
async fn add_override(
    actor: Actor,
    State(store): State<Store>,
    Path(office): Path<String>,
    Body(new): Body<NewOverride>,
) -> Result<Json<Override>, ApiError> {
    actor.must_work_faults("change who is on duty")?;
    let name = name_of(&office)?;
    store.write(move |tx| Ok(Json(super::add_override(tx, &actor, &name, new)?))).await
}

/// Takes an override back.
#[utoipa::path(delete, path = "/api/v1/offices/{office}/overrides/{override}", tag = "offices", params(("office" = String, Path), ("override" = String, Path)), responses((status = 204)))]
async fn cancel_override(
    actor: Actor,
    State(store): State<Store>,
    Path((office, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    actor.must_work_faults("change who is on duty")?;
    let name = name_of(&office)?;
    let id: OverrideId = id.parse().map_err(|_| ApiError::from(Error::NoOverride))?;
    store.write(move |tx| super::cancel_override(tx, &actor, &name, id).map_err(ApiError::from)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct PlanParams {
    /// Now when absent.
    from: Option<Timestamp>,
    /// 14 days later when absent; 400 at most.
    to: Option<Timestamp>,
}

/// Who is on duty in an office from one moment to another, and when nobody is who should be.
#[utoipa::path(get, path = "/api/v1/offices/{office}/plan", tag = "offices", params(("office" = String, Path), PlanParams), responses((status = 200, body = DutyPlan)))]
async fn plan(
    actor: Actor,
    State(store): State<Store>,
    Path(office): Path<String>,
    Params(params): Params<PlanParams>,
) -> Result<Json<DutyPlan>, ApiError> {
    let name = name_of(&office)?;
    let read = move |db: &crate::store::Db<'_>| -> Result<_, ApiError> {
        let from = params.from.unwrap_or(db.now());
        let to = params.to.map_or_else(|| from.checked_add(PLAN).map_err(|_| Error::BadPlan), Ok)?;
        Ok(Json(super::plan(db, &actor.scope(), &name, from, to)?))
    };
    store.read(read).await
}

/// The routing list. The first row that fits decides; where none does, what offices cover, and then the hq.
#[utoipa::path(get, path = "/api/v1/duty/rules", tag = "duty", responses((status = 200, body = List<RoutingRule>)))]
async fn rules(actor: Actor, State(store): State<Store>) -> Result<Json<List<RoutingRule>>, ApiError> {
    let rules = store.read(move |db| super::rules(db, &actor.scope())).await?;
    Ok(Json(rules.into()))
}

/// Sets the whole routing list (duty manager, admin).
#[utoipa::path(put, path = "/api/v1/duty/rules", tag = "duty", request_body = RoutingRules, responses((status = 200, body = List<RoutingRule>)))]
async fn put_rules(actor: Actor, State(store): State<Store>, Body(body): Body<RoutingRules>) -> Result<Json<List<RoutingRule>>, ApiError> {
    may_organise(&actor, "set the routing list")?;
    store.write(move |tx| Ok(Json(super::put_rules(tx, &actor, body.rules)?.into()))).await
}

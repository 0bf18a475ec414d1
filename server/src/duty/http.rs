use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use lineman_common::api::{
    DutyFault, DutyNow, Escalate, FaultDuty, Handover, Inside, List, NewHandover, OfficeName, Route, RouteQuestion, Workload,
};
use lineman_common::id::HandoverId;
use lineman_common::name::PersonName;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Filter, InsideFilter, handover, workload};
use crate::equipment;
use crate::faults::Reference;
use crate::store::{Db, Store};
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new()
        .routes(routes!(now))
        .routes(routes!(inside))
        .routes(routes!(work))
        .routes(routes!(open))
        .routes(routes!(route))
        .routes(routes!(of_fault))
        .routes(routes!(escalate))
        .routes(routes!(deescalate))
        .routes(routes!(list_handovers, hand_over))
        .routes(routes!(take_over))
}

/// How the centre is organised is not for carriers.
fn must_be_inside(actor: &Actor) -> Result<(), ApiError> {
    if actor.scope().sees_internal() {
        return Ok(());
    }
    Err(ApiError::forbidden("the support centre's own organisation is for its own people"))
}

fn office_of(text: &str) -> Result<OfficeName, ApiError> {
    text.parse().map_err(|_| crate::offices::Error::NotFound.into())
}

fn bad_after() -> ApiError {
    ApiError::invalid("`after` is not the `next` of a page")
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct NowParams {
    /// Another moment than now.
    at: Option<Timestamp>,
}

/// Who is on duty in each office, until when, and what is wrong: gaps, hand-overs that nobody wrote or acknowledged.
#[utoipa::path(get, path = "/api/v1/duty/now", tag = "duty", params(NowParams), responses((status = 200, body = List<DutyNow>)))]
async fn now(actor: Actor, State(store): State<Store>, Params(params): Params<NowParams>) -> Result<Json<List<DutyNow>>, ApiError> {
    store.read(move |db| Ok(Json(handover::now(db, &actor.scope(), params.at.unwrap_or(db.now()))?.into()))).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct InsideParams {
    /// A name (`ne-1.jw.ne`) or id.
    equipment: Option<String>,
    engineer: Option<PersonName>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// Who is inside what, now: every live session, with its terminals, the consent that allows it, and the time left. A carrier's people see
/// their own devices.
#[utoipa::path(get, path = "/api/v1/duty/inside", tag = "duty", params(InsideParams), responses((status = 200, body = List<Inside>)))]
async fn inside(actor: Actor, State(store): State<Store>, Params(params): Params<InsideParams>) -> Result<Json<List<Inside>>, ApiError> {
    let reference = params.equipment.map(|text| text.parse::<equipment::Reference>()).transpose()?;
    let after = params.after.map(|text| text.parse().map_err(|_| bad_after())).transpose()?;
    let limit = params.limit.unwrap_or(200).clamp(1, 1000);
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let device = reference.map(|reference| equipment::find(db, &scope, &reference)).transpose()?.map(|known| known.id);
        let items = super::inside(db, &scope, &InsideFilter { device, engineer: params.engineer, after, limit })?;
        let next = items.last().filter(|_| items.len() == limit as usize).map(|last| last.session.to_string());
        Ok(Json(List { items, next }))
    };
    store.read(read).await
}

/// Open faults, clocks at risk and sessions of each office and each person.
#[utoipa::path(get, path = "/api/v1/duty/workload", tag = "duty", responses((status = 200, body = Workload)))]
async fn work(actor: Actor, State(store): State<Store>) -> Result<Json<Workload>, ApiError> {
    store.read(move |db| Ok(Json(workload::of_all(db, &actor.scope())?))).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct OpenParams {
    office: Option<String>,
    /// Whose faults: also those of somebody who is disabled, for hand-over.
    owner: Option<PersonName>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// Open faults with the offices that they are with, newest first.
#[utoipa::path(get, path = "/api/v1/duty/faults", tag = "duty", params(OpenParams), responses((status = 200, body = List<DutyFault>)))]
async fn open(actor: Actor, State(store): State<Store>, Params(params): Params<OpenParams>) -> Result<Json<List<DutyFault>>, ApiError> {
    let after = params.after.map(|text| text.parse().map_err(|_| bad_after())).transpose()?;
    let office = params.office.map(|text| office_of(&text)).transpose()?;
    let filter = Filter { office, owner: params.owner, after, limit: params.limit.unwrap_or(200).clamp(1, 1000) };
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let items = super::list(db, &actor.scope(), &filter)?;
        let next = items.last().filter(|_| items.len() == filter.limit as usize).map(|last| last.fault.id.to_string());
        Ok(Json(List { items, next }))
    };
    store.read(read).await
}

/// Where a fault would go, and why: a dry run, which changes nothing.
#[utoipa::path(post, path = "/api/v1/duty/route", tag = "duty", request_body = RouteQuestion, responses((status = 200, body = Route)))]
async fn route(actor: Actor, State(store): State<Store>, Body(question): Body<RouteQuestion>) -> Result<Json<Route>, ApiError> {
    must_be_inside(&actor)?;
    store.read(move |db| Ok(Json(super::dry_run(db, &actor.scope(), question)?))).await
}

/// Where a fault is: office, proposed person, why, and how it came there.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/duty", tag = "duty", params(("fault" = String, Path)), responses((status = 200, body = FaultDuty)))]
async fn of_fault(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Result<Json<FaultDuty>, ApiError> {
    must_be_inside(&actor)?;
    let reference: Reference = fault.parse()?;
    store.read(move |db| Ok(Json(super::of_fault(db, &actor.scope(), &reference)?))).await
}

/// Sends a fault up, with a reason: to the office above, to another, or to a higher level in the same.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/escalation", tag = "duty", params(("fault" = String, Path)), request_body = Escalate, responses((status = 200, body = FaultDuty)))]
async fn escalate(
    actor: Actor,
    State(store): State<Store>,
    Path(fault): Path<String>,
    Body(ask): Body<Escalate>,
) -> Result<Json<FaultDuty>, ApiError> {
    actor.must_work_faults("escalate faults")?;
    let reference: Reference = fault.parse()?;
    store.write(move |tx| Ok(Json(super::escalate(tx, &actor, &reference, &ask)?))).await
}

/// Sends a fault back down, with a reason: to the office that it came from, or to another.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/deescalation", tag = "duty", params(("fault" = String, Path)), request_body = Escalate, responses((status = 200, body = FaultDuty)))]
async fn deescalate(
    actor: Actor,
    State(store): State<Store>,
    Path(fault): Path<String>,
    Body(ask): Body<Escalate>,
) -> Result<Json<FaultDuty>, ApiError> {
    actor.must_work_faults("de-escalate faults")?;
    let reference: Reference = fault.parse()?;
    store.write(move |tx| Ok(Json(super::deescalate(tx, &actor, &reference, &ask)?))).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct HandoverParams {
    /// Only those that nobody has acknowledged.
    #[serde(default)]
    waiting: bool,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 200; 50 when absent.
    limit: Option<u32>,
}

/// The hand-overs of an office, newest first.
#[utoipa::path(get, path = "/api/v1/offices/{office}/handovers", tag = "duty", params(("office" = String, Path), HandoverParams), responses((status = 200, body = List<Handover>)))]
async fn list_handovers(
    actor: Actor,
    State(store): State<Store>,
    Path(office): Path<String>,
    Params(params): Params<HandoverParams>,
) -> Result<Json<List<Handover>>, ApiError> {
    let name = office_of(&office)?;
    let after = params.after.map(|text| text.parse().map_err(|_| bad_after())).transpose()?;
    let limit = params.limit.unwrap_or(50).clamp(1, 200);
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let items = super::handovers(db, &actor.scope(), &name, params.waiting, after, limit)?;
        let next = items.last().filter(|_| items.len() == limit as usize).map(|last| last.id.to_string());
        Ok(Json(List { items, next }))
    };
    store.read(read).await
}

/// Hands the shift over: what is open in words, with the list of open faults attached (members of the office, duty managers).
#[utoipa::path(post, path = "/api/v1/offices/{office}/handovers", tag = "duty", params(("office" = String, Path)), request_body = NewHandover, responses((status = 200, body = Handover)))]
async fn hand_over(
    actor: Actor,
    State(store): State<Store>,
    Path(office): Path<String>,
    Body(new): Body<NewHandover>,
) -> Result<Json<Handover>, ApiError> {
    actor.must_work_faults("hand a shift over")?;
    let name = office_of(&office)?;
    store.write(move |tx| Ok(Json(handover::give(tx, &actor, &name, new)?))).await
}

/// Takes a shift over: read by the caller, now, with a word about it. Not by the one who handed it over.
#[utoipa::path(post, path = "/api/v1/handovers/{handover}/acknowledgement", tag = "duty", params(("handover" = String, Path)), request_body = NewHandover, responses((status = 200, body = Handover)))]
async fn take_over(
    actor: Actor,
    State(store): State<Store>,
    Path(id): Path<String>,
    Body(taken): Body<NewHandover>,
) -> Result<Json<Handover>, ApiError> {
    actor.must_work_faults("take a shift over")?;
    let id: HandoverId = id.parse().map_err(|_| ApiError::from(super::Error::NoHandover))?;
    store.write(move |tx| Ok(Json(handover::take(tx, &actor, id, taken.note)?))).await
}

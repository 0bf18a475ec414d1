use axum::Json;
use axum::extract::State;
use lineman_common::api::{Assign, Clock, Diagnosis, Duplicate, Event, Fault, List, NewFault, Note, Pend, Reason, Resolution, Restore};
use lineman_common::fault::FaultStatus;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Error, Filter, Reference};
use crate::equipment;
use crate::events;
use crate::store::{Db, Store, Tx};
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new()
        .routes(routes!(list, report))
        .routes(routes!(accept))
        .routes(routes!(assign))
        .routes(routes!(note))
        .routes(routes!(pend))
        .routes(routes!(resume))
        .routes(routes!(diagnose))
        .routes(routes!(restore))
        .routes(routes!(resolve))
        .routes(routes!(reopen))
        .routes(routes!(reject))
        .routes(routes!(cancel))
        .routes(routes!(mark_duplicate))
        .routes(routes!(clocks))
        .routes(routes!(timeline))
}

type Reply = Result<Json<Fault>, ApiError>;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// `open` (the default), `all`, or one status.
    status: Option<String>,
    /// A customer's code.
    customer: Option<String>,
    /// A name (`ne-1.jw.ne`) or id.
    equipment: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// Faults, newest first.
#[utoipa::path(get, path = "/api/v1/faults", tag = "faults", params(ListParams), responses((status = 200, body = List<Fault>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<List<Fault>>, ApiError> {
    let status = params.status.as_deref().unwrap_or("open");
    let mut filter = Filter { limit: params.limit.unwrap_or(200).clamp(1, 1000), customer: params.customer, ..Filter::default() };
    match status {
        "open" => filter.open = true,
        "all" => {}
        word => filter.status = Some(word.parse::<FaultStatus>().map_err(|e| ApiError::invalid(format!("{e}; or open, all")))?),
    }
    filter.after =
        params.after.map(|text| text.parse().map_err(|_| ApiError::invalid("`after` is not the `next` of a page"))).transpose()?;
    let reference = params.equipment.map(|text| text.parse::<equipment::Reference>()).transpose()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        filter.equipment = reference.map(|reference| equipment::find(db, &scope, &reference)).transpose()?.map(|known| known.id);
        let items = super::list(db, &scope, &filter)?;
        let next = items.last().filter(|_| items.len() == filter.limit as usize).map(|last| last.id.to_string());
        Ok(Json(List { items, next }))
    };
    store.read(read).await
}

/// Files a fault. Three things are needed: what (equipment, or customer), the symptom, the impact.
#[utoipa::path(post, path = "/api/v1/faults", tag = "faults", request_body = NewFault, responses((status = 200, body = Fault)))]
async fn report(actor: Actor, State(store): State<Store>, Body(new): Body<NewFault>) -> Reply {
    actor.must_write("file faults")?;
    store.write(move |tx| Ok(Json(super::report(tx, &actor, new)?))).await
}

/// What every step's route does: find the fault, check who asks, take the step.
async fn step<F>(store: Store, actor: Actor, reference: String, what: Who, job: F) -> Reply
where
    F: FnOnce(&mut Tx<'_>, &Actor, &Reference) -> Result<Fault, Error> + Send + 'static,
{
    match what {
        Who::Support(what) => actor.must_work_faults(what)?,
        Who::Anyone(what) => actor.must_write(what)?,
    }
    let reference: Reference = reference.parse()?;
    store.write(move |tx| Ok(Json(job(tx, &actor, &reference)?))).await
}

enum Who {
    Support(&'static str),
    /// The customer's people too.
    Anyone(&'static str),
}

/// Accepts a fault: the caller becomes the first responsible person.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/accept", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = Fault)))]
async fn accept(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Reply {
    step(store, actor, fault, Who::Support("accept faults"), super::accept).await
}

/// Hands a fault over.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/assign", tag = "faults", params(("fault" = String, Path)), request_body = Assign, responses((status = 200, body = Fault)))]
async fn assign(actor: Actor, State(store): State<Store>, Path(fault): Path<String>, Body(body): Body<Assign>) -> Reply {
    step(store, actor, fault, Who::Support("hand faults over"), move |tx, actor, fault| super::assign(tx, actor, fault, &body.to)).await
}

/// Adds a note: a reply that the customer sees, or an internal one.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/notes", tag = "faults", params(("fault" = String, Path)), request_body = Note, responses((status = 200, body = Fault)))]
async fn note(actor: Actor, State(store): State<Store>, Path(fault): Path<String>, Body(body): Body<Note>) -> Reply {
    step(store, actor, fault, Who::Anyone("write notes"), move |tx, actor, fault| super::note(tx, actor, fault, &body)).await
}

/// The fault waits, and for what.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/pending", tag = "faults", params(("fault" = String, Path)), request_body = Pend, responses((status = 200, body = Fault)))]
async fn pend(actor: Actor, State(store): State<Store>, Path(fault): Path<String>, Body(body): Body<Pend>) -> Reply {
    step(store, actor, fault, Who::Support("let faults wait"), move |tx, actor, fault| super::pend(tx, actor, fault, &body)).await
}

/// Work goes on.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/resume", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = Fault)))]
async fn resume(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Reply {
    step(store, actor, fault, Who::Support("resume faults"), super::resume).await
}

/// Records cause and plan: stops clock K5.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/diagnosis", tag = "faults", params(("fault" = String, Path)), request_body = Diagnosis, responses((status = 200, body = Fault)))]
async fn diagnose(actor: Actor, State(store): State<Store>, Path(fault): Path<String>, Body(body): Body<Diagnosis>) -> Reply {
    step(store, actor, fault, Who::Support("diagnose faults"), move |tx, actor, fault| super::diagnose(tx, actor, fault, &body)).await
}

/// Service is restored: alarms cleared, or a waiver.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/restoration", tag = "faults", params(("fault" = String, Path)), request_body = Restore, responses((status = 200, body = Fault)))]
async fn restore(actor: Actor, State(store): State<Store>, Path(fault): Path<String>, Body(body): Body<Restore>) -> Reply {
    let job = move |tx: &mut Tx<'_>, actor: &Actor, fault: &Reference| super::restore(tx, actor, fault, body.waiver.as_ref());
    step(store, actor, fault, Who::Support("declare service restored"), job).await
}

/// Resolves: cause, channel, note.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/resolution", tag = "faults", params(("fault" = String, Path)), request_body = Resolution, responses((status = 200, body = Fault)))]
async fn resolve(actor: Actor, State(store): State<Store>, Path(fault): Path<String>, Body(body): Body<Resolution>) -> Reply {
    step(store, actor, fault, Who::Support("resolve faults"), move |tx, actor, fault| super::resolve(tx, actor, fault, body)).await
}

/// Reopens under the same number.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/reopening", tag = "faults", params(("fault" = String, Path)), request_body = Reason, responses((status = 200, body = Fault)))]
async fn reopen(actor: Actor, State(store): State<Store>, Path(fault): Path<String>, Body(body): Body<Reason>) -> Reply {
    step(store, actor, fault, Who::Anyone("reopen faults"), move |tx, actor, fault| super::reopen(tx, actor, fault, &body.reason)).await
}

/// Rejects what is no fault of the vendor's equipment, with a reason.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/rejection", tag = "faults", params(("fault" = String, Path)), request_body = Reason, responses((status = 200, body = Fault)))]
async fn reject(actor: Actor, State(store): State<Store>, Path(fault): Path<String>, Body(body): Body<Reason>) -> Reply {
    step(store, actor, fault, Who::Support("reject faults"), move |tx, actor, fault| super::reject(tx, actor, fault, &body.reason)).await
}

/// Takes a report back.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/cancellation", tag = "faults", params(("fault" = String, Path)), request_body = Reason, responses((status = 200, body = Fault)))]
async fn cancel(actor: Actor, State(store): State<Store>, Path(fault): Path<String>, Body(body): Body<Reason>) -> Reply {
    step(store, actor, fault, Who::Anyone("cancel faults"), move |tx, actor, fault| super::cancel(tx, actor, fault, &body.reason)).await
}

/// The fault is another's duplicate.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/duplicate", tag = "faults", params(("fault" = String, Path)), request_body = Duplicate, responses((status = 200, body = Fault)))]
async fn mark_duplicate(actor: Actor, State(store): State<Store>, Path(fault): Path<String>, Body(body): Body<Duplicate>) -> Reply {
    step(store, actor, fault, Who::Support("mark duplicates"), move |tx, actor, fault| super::mark_duplicate(tx, actor, fault, &body.of))
        .await
}

/// The clocks K1 to K7, every interval explained.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/clocks", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = List<Clock>)))]
async fn clocks(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Result<Json<List<Clock>>, ApiError> {
    let reference: Reference = fault.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let fault = super::get(db, &actor.scope(), &reference)?;
        Ok(Json(super::clocks_of(db, &fault)?.into()))
    };
    store.read(read).await
}

/// What happened, oldest first.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/timeline", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = List<Event>)))]
async fn timeline(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Result<Json<List<Event>>, ApiError> {
    let reference: Reference = fault.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let fault = super::get(db, &actor.scope(), &reference)?;
        Ok(Json(events::of_fault(db, &actor.scope(), fault.id)?.into()))
    };
    store.read(read).await
}

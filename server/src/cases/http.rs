use axum::Json;
use axum::extract::State;
use lineman_common::api::{Case, CaseBody, CaseHit, CaseState, Close, Closed, List, NewLink};
use lineman_common::name::CaseNumber;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Error, Reference};
use crate::equipment;
use crate::faults;
use crate::store::{Db, Store, Tx};
use crate::web::{Actor, ApiError, Body, Params, Path, Precondition, Tagged};

const HITS: u32 = 20;
const MOST_HITS: u32 = 100;
const SUGGESTIONS: usize = 5;

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new()
        .routes(routes!(search, create))
        .routes(routes!(list))
        .routes(routes!(suggest))
        .routes(routes!(get, edit))
        .routes(routes!(submit))
        .routes(routes!(publish))
        .routes(routes!(archive))
        .routes(routes!(link))
        .routes(routes!(draft))
        .routes(routes!(close))
        .routes(routes!(similar))
}

type Reply = Result<Json<Case>, ApiError>;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct SearchParams {
    /// Words, codes, models, a case's number; Chinese or English. The newest validated cases when empty.
    #[serde(default)]
    q: String,
    /// At most 100; 20 when absent.
    limit: Option<u32>,
}

/// Searches the library: exact codes first, then by relevance and use.
#[utoipa::path(get, path = "/api/v1/cases", tag = "cases", params(SearchParams), responses((status = 200, body = List<CaseHit>)))]
async fn search(actor: Actor, State(store): State<Store>, Params(params): Params<SearchParams>) -> Result<Json<List<CaseHit>>, ApiError> {
    let limit = params.limit.unwrap_or(HITS).clamp(1, MOST_HITS) as usize;
    let hits = store.read(move |db| super::search(db, &actor.scope(), &params.q, limit)).await?;
    Ok(Json(hits.into()))
}

/// Adds a case, in work.
#[utoipa::path(post, path = "/api/v1/cases", tag = "cases", request_body = CaseBody, responses((status = 200, body = Case)))]
async fn create(actor: Actor, State(store): State<Store>, Body(body): Body<CaseBody>) -> Reply {
    actor.must_work_faults("write cases")?;
    store.write(move |tx| Ok(Json(super::create(tx, &actor, &body)?))).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// `wip`, `not_validated`, `validated` or `archived`; all when absent.
    state: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// The library by number.
#[utoipa::path(get, path = "/api/v1/cases/all", tag = "cases", params(ListParams), responses((status = 200, body = List<Case>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<List<Case>>, ApiError> {
    let state = params.state.map(|word| word.parse::<CaseState>().map_err(|e| ApiError::invalid(e.to_string()))).transpose()?;
    let not_a_page = |_| ApiError::invalid("`after` is not the `next` of a page");
    let after = params.after.map(|text| text.parse::<CaseNumber>().map_err(not_a_page)).transpose()?;
    let limit = params.limit.unwrap_or(200).clamp(1, 1000);
    let items = store.read(move |db| super::list(db, &actor.scope(), state, after, limit)).await?;
    let next = items.last().filter(|_| items.len() == limit as usize).map(|last| last.number.to_string());
    Ok(Json(List { items, next }))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct SuggestParams {
    /// What was typed so far.
    #[serde(default)]
    text: String,
    /// A name (`ne-1.jw.ne`) or id.
    equipment: Option<String>,
}

/// Cases that fit a fault while it is being filed.
#[utoipa::path(get, path = "/api/v1/cases/suggest", tag = "cases", params(SuggestParams), responses((status = 200, body = List<CaseHit>)))]
async fn suggest(actor: Actor, State(store): State<Store>, Params(params): Params<SuggestParams>) -> Result<Json<List<CaseHit>>, ApiError> {
    let about = params.equipment.map(|text| text.parse::<equipment::Reference>()).transpose()?;
    let read =
        move |db: &Db<'_>| -> Result<_, ApiError> { Ok(super::suggest(db, &actor.scope(), &params.text, about.as_ref(), SUGGESTIONS)?) };
    Ok(Json(store.read(read).await?.into()))
}

/// A case, by its number (`C-0042`) or id.
#[utoipa::path(get, path = "/api/v1/cases/{case}", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn get(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Reply {
    let reference: Reference = case.parse()?;
    store.read(move |db| -> Result<_, ApiError> { Ok(Json(super::get(db, &actor.scope(), &reference)?)) }).await
}

/// What every step's route does: check who asks, take the step.
async fn step<F>(store: Store, actor: Actor, case: String, what: &str, job: F) -> Reply
where
    F: FnOnce(&mut Tx<'_>, &Actor, &Reference) -> Result<Case, Error> + Send + 'static,
{
    actor.must_work_faults(what)?;
    let reference: Reference = case.parse()?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(job(tx, &actor, &reference)?)) }).await
}

/// Edits a case: a new version, which waits for review if the one before was past it.
#[utoipa::path(put, path = "/api/v1/cases/{case}", tag = "cases", params(("case" = String, Path)), request_body = CaseBody, responses((status = 200, body = Case)))]
async fn edit(actor: Actor, State(store): State<Store>, Path(case): Path<String>, Body(body): Body<CaseBody>) -> Reply {
    step(store, actor, case, "edit cases", move |tx, actor, case| super::edit(tx, actor, case, &body)).await
}

/// Submits a case for review.
#[utoipa::path(post, path = "/api/v1/cases/{case}/submission", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn submit(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Reply {
    step(store, actor, case, "submit cases", super::submit).await
}

/// Publishes a case after review: by somebody who did not write it.
#[utoipa::path(post, path = "/api/v1/cases/{case}/publication", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn publish(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Reply {
    step(store, actor, case, "publish cases", super::publish).await
}

/// Takes a case out of use; it is kept, and no longer found.
#[utoipa::path(post, path = "/api/v1/cases/{case}/archival", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn archive(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Reply {
    step(store, actor, case, "archive cases", super::archive).await
}

/// Says what a case was to a fault.
#[utoipa::path(post, path = "/api/v1/cases/{case}/links", tag = "cases", params(("case" = String, Path)), request_body = NewLink, responses((status = 200, body = Case)))]
async fn link(actor: Actor, State(store): State<Store>, Path(case): Path<String>, Body(body): Body<NewLink>) -> Reply {
    step(store, actor, case, "link cases", move |tx, actor, case| super::link(tx, actor, case, &body)).await
}

/// Drafts a case from a fault; it waits for review.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/case-draft", tag = "cases", params(("fault" = String, Path)), responses((status = 200, body = Case)))]
async fn draft(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Reply {
    actor.must_work_faults("draft cases")?;
    let reference: faults::Reference = fault.parse()?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(super::draft_from(tx, &actor, &reference)?)) }).await
}

/// Closes a fault; with `publish_case`, drafts a case from it.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/closure", tag = "faults", params(("fault" = String, Path)), request_body = Close, responses((status = 200, body = Closed)))]
async fn close(
    actor: Actor,
    State(store): State<Store>,
    Path(fault): Path<String>,
    precondition: Precondition,
    Body(body): Body<Close>,
) -> Result<Tagged<Closed>, ApiError> {
    actor.must_be(faults::CLOSERS, "close faults")?;
    if body.publish_case {
        actor.must_work_faults("draft cases")?;
    }
    let reference: faults::Reference = fault.parse()?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> {
        faults::http::check(tx, &actor, &reference, &precondition, &body)?;
        Ok(super::close_fault(tx, &actor, &reference, body.publish_case)?)
    };
    Ok(Tagged(store.answer(job).await?))
}

/// Cases that fit a fault, by its words, its alarms and its equipment.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/similar", tag = "cases", params(("fault" = String, Path)), responses((status = 200, body = List<CaseHit>)))]
async fn similar(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Result<Json<List<CaseHit>>, ApiError> {
    let reference: faults::Reference = fault.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let fault = faults::get(db, &scope, &reference)?;
        Ok(super::similar_to_fault(db, &scope, &fault)?)
    };
    Ok(Json(store.read(read).await?.into()))
}

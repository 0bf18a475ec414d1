use axum::Json;
use axum::extract::State;
use lineman_common::api::{AttachFaults, EditProblem, List, Matches, NewProblem, ProblemResolution, ProblemView, Reason};
use lineman_common::fault::ProblemState;
use lineman_common::name::ProblemNumber;
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::http::Handles;
use super::{Error, Filter, Reference};
use crate::faults::Reference as FaultReference;
use crate::store::{Answer, Db, Store, Tx};
use crate::web::{Actor, ApiError, Body, Params, Path, Precondition, Tagged, etag};

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new()
        .routes(routes!(list, open))
        .routes(routes!(show, edit))
        .routes(routes!(matches))
        .routes(routes!(attach))
        .routes(routes!(detach))
        .routes(routes!(resolve))
        .routes(routes!(reopen))
}

impl Answer for ProblemView {
    fn etag(&self) -> Option<String> {
        Some(etag(self.version))
    }
}

type Reply = Result<Tagged<ProblemView>, ApiError>;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// `open` or `resolved`; all when absent.
    state: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// Problems, newest first. A carrier's people find none.
#[utoipa::path(get, path = "/api/v1/problems", tag = "problems", params(ListParams), responses((status = 200, body = List<ProblemView>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<List<ProblemView>>, ApiError> {
    let state = params.state.map(|word| word.parse::<ProblemState>().map_err(|e| ApiError::invalid(e.to_string()))).transpose()?;
    let not_a_page = |_| ApiError::invalid("`after` is not the `next` of a page");
    let after = params.after.map(|text| text.parse::<ProblemNumber>().map_err(not_a_page)).transpose()?;
    let filter = Filter { state, after, limit: params.limit.unwrap_or(200).clamp(1, 1000) };
    let limit = filter.limit as usize;
    let items = store.read(move |db| super::list(db, &actor.scope(), &filter)).await?;
    let next = items.last().filter(|_| items.len() == limit).map(|last| last.number.to_string());
    Ok(Json(List { items, next }))
}

/// Opens a problem: one root of many faults, by product, serials or software.
#[utoipa::path(post, path = "/api/v1/problems", tag = "problems", request_body = NewProblem, responses((status = 200, body = ProblemView)))]
async fn open(actor: Actor, State(store): State<Store>, Body(new): Body<NewProblem>) -> Reply {
    actor.must_work_faults("open problems")?;
    Ok(Tagged(store.answer(move |tx| -> Result<_, ApiError> { Ok(super::open(tx, &actor, &new)?) }).await?))
}

/// A problem, by its number (`P-7`) or id.
#[utoipa::path(get, path = "/api/v1/problems/{problem}", tag = "problems", params(("problem" = String, Path)), responses((status = 200, body = ProblemView)))]
async fn show(actor: Actor, State(store): State<Store>, Path(problem): Path<String>) -> Reply {
    let reference: Reference = problem.parse()?;
    store.read(move |db: &Db<'_>| -> Result<_, ApiError> { Ok(Tagged(super::get(db, &actor.scope(), &reference)?)) }).await
}

/// What every change's route does.
async fn step<F>(store: Store, actor: Actor, problem: String, job: F) -> Reply
where
    F: FnOnce(&mut Tx<'_>, &Actor, &Reference) -> Result<ProblemView, Error> + Send + 'static,
{
    actor.must_work_faults("work on problems")?;
    let reference: Reference = problem.parse()?;
    Ok(Tagged(store.answer(move |tx| -> Result<_, ApiError> { Ok(job(tx, &actor, &reference)?) }).await?))
}

/// Changes what a problem says; `If-Match` is needed.
#[utoipa::path(patch, path = "/api/v1/problems/{problem}", tag = "problems", params(("problem" = String, Path), ("If-Match" = String, Header)), request_body = EditProblem, responses((status = 200, body = ProblemView), (status = 412, description = "changed since: both texts are in `details`")))]
async fn edit(
    actor: Actor,
    State(store): State<Store>,
    Path(problem): Path<String>,
    precondition: Precondition,
    Body(body): Body<EditProblem>,
) -> Reply {
    actor.must_work_faults("work on problems")?;
    let reference: Reference = problem.parse()?;
    precondition.must_be_there()?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> {
        let current = super::get(tx, &actor.scope(), &reference)?;
        precondition.check(current.version, &json!(body), &json!(current))?;
        Ok(super::edit(tx, &actor, &reference, &body)?)
    };
    Ok(Tagged(store.answer(job).await?))
}

/// Equipment that fits, and its open faults that belong to no problem.
#[utoipa::path(get, path = "/api/v1/problems/{problem}/matches", tag = "problems", params(("problem" = String, Path)), responses((status = 200, body = Matches)))]
async fn matches(actor: Actor, State(store): State<Store>, Path(problem): Path<String>) -> Result<Json<Matches>, ApiError> {
    let reference: Reference = problem.parse()?;
    store.read(move |db: &Db<'_>| -> Result<_, ApiError> { Ok(Json(super::matches(db, &actor.scope(), &reference)?)) }).await
}

/// Attaches faults: those named, or all that match.
#[utoipa::path(post, path = "/api/v1/problems/{problem}/faults", tag = "problems", params(("problem" = String, Path)), request_body = AttachFaults, responses((status = 200, body = ProblemView)))]
async fn attach(actor: Actor, State(store): State<Store>, Path(problem): Path<String>, Body(body): Body<AttachFaults>) -> Reply {
    step(store, actor, problem, move |tx, actor, problem| super::attach(tx, actor, problem, &body)).await
}

/// Takes a fault off a problem.
#[utoipa::path(delete, path = "/api/v1/problems/{problem}/faults/{fault}", tag = "problems", params(("problem" = String, Path), ("fault" = String, Path)), responses((status = 200, body = ProblemView)))]
async fn detach(actor: Actor, State(store): State<Store>, Path((problem, fault)): Path<(String, String)>) -> Reply {
    let fault: FaultReference = fault.parse()?;
    step(store, actor, problem, move |tx, actor, problem| super::detach(tx, actor, problem, &fault)).await
}

/// The root is dealt with; every attached fault that is open is told.
#[utoipa::path(post, path = "/api/v1/problems/{problem}/resolution", tag = "problems", params(("problem" = String, Path)), request_body = ProblemResolution, responses((status = 200, body = ProblemView)))]
async fn resolve(actor: Actor, State(store): State<Store>, Path(problem): Path<String>, Body(body): Body<ProblemResolution>) -> Reply {
    step(store, actor, problem, move |tx, actor, problem| super::resolve(tx, actor, problem, &body)).await
}

/// The root was not dealt with after all.
#[utoipa::path(post, path = "/api/v1/problems/{problem}/reopening", tag = "problems", params(("problem" = String, Path)), request_body = Reason, responses((status = 200, body = ProblemView)))]
async fn reopen(actor: Actor, State(store): State<Store>, Path(problem): Path<String>, Body(body): Body<Reason>) -> Reply {
    step(store, actor, problem, move |tx, actor, problem| super::reopen(tx, actor, problem, &body.reason)).await
}

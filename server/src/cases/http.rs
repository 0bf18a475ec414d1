use axum::Json;
use axum::extract::{FromRef, State};
use lineman_common::Printable;
use lineman_common::api::{Case, CaseBody, CaseState, Close, Closed, FlagKind, List};
use lineman_common::name::CaseNumber;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::library::Library;
use super::{Reference, drafts, find, life, offers, sql};
use crate::faults;
use crate::meaning::Meaning;
use crate::store::{Answer, Db, Store, Tx};
use crate::web::{Actor, ApiError, Body, Params, Path, Precondition, Tagged, etag};

/// What the routes of cases work with.
#[derive(Clone, FromRef)]
pub struct Desk {
    pub store: Store,
    pub library: Library,
    pub meaning: Meaning,
    pub tasks: TaskTracker,
    #[from_ref(skip)]
    pub finder: find::Finder,
}

pub fn routes() -> OpenApiRouter<Desk> {
    OpenApiRouter::new()
        .routes(routes!(find::http::search, create))
        .routes(routes!(find::http::search_for_text))
        .routes(routes!(list))
        .routes(routes!(get, edit))
        .routes(routes!(submit))
        .routes(routes!(publish))
        .routes(routes!(archive))
        .routes(routes!(draft))
        .routes(routes!(close))
        .merge(life::http::routes())
        .merge(drafts::http::routes())
        .merge(offers::http::routes())
}

pub type Reply = Result<Tagged<Case>, ApiError>;

impl Answer for Case {
    /// The text's version: what an edit is against.
    fn etag(&self) -> Option<String> {
        Some(etag(self.version.into()))
    }
}

/// Adds a case, in work.
#[utoipa::path(post, path = "/api/v1/cases", tag = "cases", request_body = CaseBody, responses((status = 200, body = Case)))]
async fn create(actor: Actor, State(store): State<Store>, Body(body): Body<CaseBody>) -> Reply {
    actor.must_work_faults("write cases")?;
    Ok(Tagged(store.answer(move |tx| -> Result<_, ApiError> { Ok(super::create(tx, &actor, &body)?) }).await?))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// `wip`, `not_validated`, `validated` or `archived`; all when absent.
    state: Option<String>,
    /// A person's name, or `me`.
    owner: Option<String>,
    author: Option<String>,
    /// A product line: `OLT`.
    product: Option<String>,
    /// With an open doubt of this kind: `unconfirmed`, `superseded`, `reader` or `wrong_link`.
    flag: Option<FlagKind>,
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
    let filter = sql::Filter {
        state,
        owner: life::http::person(&actor, params.owner)?,
        author: life::http::person(&actor, params.author)?,
        product: params.product,
        flag: params.flag,
        after,
        limit,
    };
    let items = store.read(move |db| super::list(db, &actor.scope(), &filter)).await?;
    let next = items.last().filter(|_| items.len() == limit as usize).map(|last| last.number.to_string());
    Ok(Json(List { items, next }))
}

/// A case, by its number (`C-0042`) or id. The number of a duplicate answers with the case that it is the same as, and says so in
/// `asked_as`.
#[utoipa::path(get, path = "/api/v1/cases/{case}", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn get(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Reply {
    let reference: Reference = case.parse()?;
    Ok(Tagged(store.read(move |db| -> Result<_, ApiError> { Ok(super::get(db, &actor.scope(), &reference)?) }).await?))
}

/// What every step's route does: check who asks, take the step.
pub async fn step<F, E>(store: Store, actor: Actor, case: String, what: &str, job: F) -> Reply
where
    F: FnOnce(&mut Tx<'_>, &Actor, &Reference) -> Result<Case, E> + Send + 'static,
    E: Into<ApiError>,
{
    actor.must_work_faults(what)?;
    let reference: Reference = case.parse()?;
    Ok(Tagged(store.answer(move |tx| job(tx, &actor, &reference).map_err(Into::into)).await?))
}

/// Refuses a change that is meant for another version than the one that is there; with both texts.
pub fn check(
    db: &Db<'_>,
    actor: &Actor,
    reference: &Reference,
    precondition: &Precondition,
    yours: &impl Serialize,
) -> Result<(), ApiError> {
    if *precondition == Precondition::None {
        return Ok(());
    }
    let current = super::get(db, &actor.scope(), reference)?;
    precondition.check(current.version.into(), &json!(yours), &json!(current.body))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct EditParams {
    /// What changed, for the list of versions.
    #[serde(default)]
    note: Printable,
}

/// Edits a case: a new version, which waits for review if the one before was past it. `If-Match` is needed. A conflict answers 412 with
/// both texts.
#[utoipa::path(put, path = "/api/v1/cases/{case}", tag = "cases", params(("case" = String, Path), EditParams, ("If-Match" = String, Header)), request_body = CaseBody, responses((status = 200, body = Case), (status = 412, description = "changed since: both texts are in `details`")))]
async fn edit(
    actor: Actor,
    State(store): State<Store>,
    Path(case): Path<String>,
    Params(params): Params<EditParams>,
    precondition: Precondition,
    Body(body): Body<CaseBody>,
) -> Reply {
    step(store, actor, case, "edit cases", move |tx, actor, case| -> Result<_, ApiError> {
        super::get(tx, &actor.scope(), case)?;
        precondition.must_be_there()?;
        check(tx, actor, case, &precondition, &body)?;
        let about = life::states::About { note: params.note, restored: None };
        Ok(life::states::edit_about(tx, actor, case, &body, &about)?)
    })
    .await
}

/// Submits a case for review.
#[utoipa::path(post, path = "/api/v1/cases/{case}/submission", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn submit(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Reply {
    step(store, actor, case, "submit cases", super::submit).await
}

/// Publishes a case after review: by somebody who did not write it. With `If-Match`, only the version that was reviewed.
#[utoipa::path(post, path = "/api/v1/cases/{case}/publication", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn publish(actor: Actor, State(store): State<Store>, Path(case): Path<String>, precondition: Precondition) -> Reply {
    step(store, actor, case, "publish cases", move |tx, actor, case| -> Result<_, ApiError> {
        check(tx, actor, case, &precondition, &json!({}))?;
        Ok(super::publish(tx, actor, case)?)
    })
    .await
}

/// Takes a case out of use; it is kept, and no longer found.
#[utoipa::path(post, path = "/api/v1/cases/{case}/archival", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn archive(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Reply {
    step(store, actor, case, "archive cases", super::archive).await
}

/// Drafts a case from a fault; it waits for review.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/case-draft", tag = "cases", params(("fault" = String, Path)), responses((status = 200, body = Case)))]
async fn draft(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Reply {
    actor.must_work_faults("draft cases")?;
    let reference: faults::Reference = fault.parse()?;
    Ok(Tagged(store.answer(move |tx| -> Result<_, ApiError> { Ok(super::draft_from(tx, &actor, &reference)?) }).await?))
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

use axum::Json;
use axum::extract::State;
use lineman_common::api::{DraftChange, DraftReview};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::Reference;
use super::super::http::Desk;
use super::review;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Path};

pub fn routes() -> OpenApiRouter<Desk> {
    OpenApiRouter::new().routes(routes!(get, change))
}

/// What was taken out of a draft: for every text what the fault says and what the case says. Only while its review is not over, and only for
/// those who may see the fault.
#[utoipa::path(get, path = "/api/v1/cases/{case}/draft", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = DraftReview)))]
async fn get(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Result<Json<DraftReview>, ApiError> {
    let reference: Reference = case.parse()?;
    store.read(move |db| Ok(Json(review::get(db, &actor.scope(), &reference)?))).await
}

/// Puts back what was taken out of a draft, and takes more out. It is recorded who did it, and the case gets a new version.
#[utoipa::path(post, path = "/api/v1/cases/{case}/draft", tag = "cases", params(("case" = String, Path)), request_body = DraftChange, responses((status = 200, body = DraftReview)))]
async fn change(
    actor: Actor,
    State(store): State<Store>,
    Path(case): Path<String>,
    Body(body): Body<DraftChange>,
) -> Result<Json<DraftReview>, ApiError> {
    actor.must_work_faults("review drafts")?;
    let reference: Reference = case.parse()?;
    store.write(move |tx| Ok(Json(review::change(tx, &actor, &reference, &body)?))).await
}

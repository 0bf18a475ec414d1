use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use lineman_common::api::{List, NewSynonyms, SynonymGroup, SynonymImport, SynonymSwitch, SynonymTable};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::table;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Params, Path};

const PAGE: u32 = 200;
const LARGEST_PAGE: u32 = 1000;

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(edit, remove))
        .routes(routes!(switch))
        .routes(routes!(export))
        .routes(routes!(import))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// The `id` of the last group of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

type Reply = Result<Json<SynonymGroup>, ApiError>;

/// Words that mean the same: the built-in groups, then the users'.
#[utoipa::path(get, path = "/api/v1/cases/synonyms", tag = "cases", params(ListParams), responses((status = 200, body = List<SynonymGroup>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<List<SynonymGroup>>, ApiError> {
    let limit = params.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE) as usize;
    let groups = store.read(move |db| table::list(db, &actor.scope())).await?;
    let start = match params.after {
        None => 0,
        Some(after) => groups.iter().position(|group| group.id == after).map_or(groups.len(), |at| at + 1),
    };
    let next = groups.get(start + limit).and_then(|_| groups.get(start + limit - 1)).map(|group| group.id.clone());
    Ok(Json(List { items: groups.into_iter().skip(start).take(limit).collect(), next }))
}

/// Adds a group. What may not be meant is in its `warnings`.
#[utoipa::path(post, path = "/api/v1/cases/synonyms", tag = "cases", request_body = NewSynonyms, responses((status = 200, body = SynonymGroup)))]
async fn add(actor: Actor, State(store): State<Store>, Body(new): Body<NewSynonyms>) -> Reply {
    actor.must_work_faults("change synonyms")?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(table::add(tx, &actor, new)?)) }).await
}

/// Gives a users' group other phrases.
#[utoipa::path(put, path = "/api/v1/cases/synonyms/{group}", tag = "cases", params(("group" = String, Path)), request_body = NewSynonyms, responses((status = 200, body = SynonymGroup)))]
async fn edit(actor: Actor, State(store): State<Store>, Path(group): Path<String>, Body(new): Body<NewSynonyms>) -> Reply {
    actor.must_work_faults("change synonyms")?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(table::edit(tx, &actor, &group, new)?)) }).await
}

/// Removes a users' group.
#[utoipa::path(delete, path = "/api/v1/cases/synonyms/{group}", tag = "cases", params(("group" = String, Path)), responses((status = 200, body = SynonymGroup)))]
async fn remove(actor: Actor, State(store): State<Store>, Path(group): Path<String>) -> Reply {
    actor.must_work_faults("change synonyms")?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(table::remove(tx, &actor, &group)?)) }).await
}

/// Switches a group off or on again, also a built-in one.
#[utoipa::path(put, path = "/api/v1/cases/synonyms/{group}/switch", tag = "cases", params(("group" = String, Path)), request_body = SynonymSwitch, responses((status = 200, body = SynonymGroup)))]
async fn switch(actor: Actor, State(store): State<Store>, Path(group): Path<String>, Body(switch): Body<SynonymSwitch>) -> Reply {
    actor.must_work_faults("change synonyms")?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(table::switch(tx, &actor, &group, switch.on)?)) }).await
}

/// The users' groups as a table: a group a line, Chinese phrases, a tab, English phrases, separated by `;`.
#[utoipa::path(get, path = "/api/v1/cases/synonyms/table", tag = "cases", responses((status = 200, body = String, content_type = "text/tab-separated-values")))]
async fn export(actor: Actor, State(store): State<Store>) -> Result<Response, ApiError> {
    // A carrier's people see the built-in groups, which are no part of it.
    let table = if actor.scope().sees_internal() { store.read(table::export).await? } else { String::new() };
    Ok(([(header::CONTENT_TYPE, "text/tab-separated-values; charset=utf-8")], table).into_response())
}

/// Takes a table of groups. Without `plan` nothing is written: the answer says what would be, and names that plan.
#[utoipa::path(post, path = "/api/v1/cases/synonyms/import", tag = "cases", request_body = SynonymTable, responses((status = 200, body = SynonymImport)))]
async fn import(actor: Actor, State(store): State<Store>, Body(given): Body<SynonymTable>) -> Result<Json<SynonymImport>, ApiError> {
    actor.must_work_faults("change synonyms")?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(table::import(tx, &actor, &given.table, given.plan.as_deref())?)) }).await
}

use axum::Json;
use axum::extract::State;
use lineman_common::api::{CaseAnswer, CaseSearch, NoteKind};
use serde::Deserialize;
use tokio_util::task::TaskTracker;

use super::super::http::Desk;
use super::super::life;
use super::{Ask, Finder, Wanted, filter};
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Params};

const HITS: u32 = 20;
const MOST_HITS: u32 = 100;

impl axum::extract::FromRef<Desk> for Finder {
    fn from_ref(desk: &Desk) -> Self {
        desk.finder.clone()
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SearchParams {
    /// Words, codes, models, a case's number; Chinese or English; and filters: `product:OLT`, `-state:wip`, `code:ALM-25621,LOS`,
    /// `version:5.3`, and for the support centre's people `flag:reader` (an open doubt). Without words the newest that pass the filters; the newest validated cases when empty.
    #[serde(default)]
    q: String,
    /// At most 100; 20 when absent.
    limit: Option<u32>,
    /// The last word may be the beginning of one: for a search while somebody types.
    #[serde(default)]
    typing: bool,
    /// Counts by product, model, version, code, cause, language and state.
    #[serde(default)]
    facets: bool,
}

/// Searches the library: exact codes first, then by relevance and use.
#[utoipa::path(get, path = "/api/v1/cases", tag = "cases", params(SearchParams), responses((status = 200, body = CaseAnswer)))]
pub async fn search(
    actor: Actor,
    State(store): State<Store>,
    State(finder): State<Finder>,
    State(tasks): State<TaskTracker>,
    Params(params): Params<SearchParams>,
) -> Result<Json<CaseAnswer>, ApiError> {
    let SearchParams { q, limit, typing, facets } = params;
    answer(actor, &store, &tasks, finder, CaseSearch { q, limit, typing, facets }).await
}

/// The same, for questions that no address can hold.
#[utoipa::path(post, path = "/api/v1/cases/search", tag = "cases", request_body = CaseSearch, responses((status = 200, body = CaseAnswer)))]
pub async fn search_for_text(
    actor: Actor,
    State(store): State<Store>,
    State(finder): State<Finder>,
    State(tasks): State<TaskTracker>,
    Body(search): Body<CaseSearch>,
) -> Result<Json<CaseAnswer>, ApiError> {
    answer(actor, &store, &tasks, finder, search).await
}

async fn answer(
    actor: Actor,
    store: &Store,
    tasks: &TaskTracker,
    finder: Finder,
    search: CaseSearch,
) -> Result<Json<CaseAnswer>, ApiError> {
    let CaseSearch { q, limit, typing, facets } = search;
    let (query, filters) = filter::read(&q)?;
    if !actor.scope().sees_internal() && filters.iter().any(Wanted::is_internal) {
        return Err(ApiError::invalid("`flag:` is for the support centre's people"));
    }
    let limit = limit.unwrap_or(HITS).clamp(1, MOST_HITS) as usize;
    // What a filter leaves out is not missing, and what is still being typed is not asked yet.
    let is_question = filters.is_empty() && !typing;
    let (asker, text) = (actor.clone(), query.text());
    let read = move |db: &crate::store::Db<'_>| -> Result<_, ApiError> {
        let ask = Ask { filters, typing, facets, limit, ..Ask::default() };
        Ok(finder.search(db, &actor.scope(), &query, ask)?)
    };
    let answer = store.read(read).await?;
    let has = |kind: NoteKind| answer.notes.iter().any(|note| note.kind == kind);
    // While the index is made, what is there may not be found.
    if is_question && has(NoteKind::NoConfidentMatch) && !has(NoteKind::Rebuilding) {
        life::gaps::note(store, tasks, asker, text);
    }
    Ok(Json(answer))
}

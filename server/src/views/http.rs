use axum::Json;
use axum::extract::{FromRef, State};
use lineman_common::api::{EditView, List, NewView, SavedView, ViewList};
use lineman_common::id::ViewId;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Counts;
use crate::cases::find::Finder;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Params, Path};

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub finder: Finder,
    pub counts: Counts,
}

impl Handles {
    pub fn new(store: Store, finder: Finder) -> Self {
        Self { store, finder, counts: Counts::default() }
    }
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(list, save)).routes(routes!(get, edit, delete))
}

fn id_of(text: &str) -> Result<ViewId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("view"))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// Only views of this list.
    list: Option<ViewList>,
    /// With how many fit each; yes when absent.
    counts: Option<bool>,
}

/// The caller's views, and those that are shared, each with how many fit now. Cheap enough to be asked for whenever something happens.
#[utoipa::path(get, path = "/api/v1/views", tag = "views", params(ListParams), responses((status = 200, body = List<SavedView>)))]
async fn list(actor: Actor, State(handles): State<Handles>, Params(params): Params<ListParams>) -> Result<Json<List<SavedView>>, ApiError> {
    let asker = actor.clone();
    let views = handles.store.read(move |db| super::list(db, &asker)).await?;
    let mut items = Vec::with_capacity(views.len());
    for view in views.into_iter().filter(|view| params.list.is_none_or(|list| list == view.list)) {
        items.push(if params.counts == Some(false) { view } else { counted(&handles, &actor, view).await? });
    }
    Ok(Json(items.into()))
}

async fn counted(handles: &Handles, actor: &Actor, view: SavedView) -> Result<SavedView, ApiError> {
    handles.counts.fill(&handles.store, &handles.finder, actor, view).await
}

/// Saves a view; to share it with everybody at the support centre is for duty managers and admins.
#[utoipa::path(post, path = "/api/v1/views", tag = "views", request_body = NewView, responses((status = 200, body = SavedView)))]
async fn save(actor: Actor, State(handles): State<Handles>, Body(new): Body<NewView>) -> Result<Json<SavedView>, ApiError> {
    let (asker, wanted) = (actor.clone(), new.clone());
    handles.store.read(move |db| super::check(db, &asker, &wanted).map_err(ApiError::from)).await?;
    let asker = actor.clone();
    let view = handles.store.write(move |tx| super::add(tx, &asker, new).map_err(ApiError::from)).await?;
    Ok(Json(counted(&handles, &actor, view).await?))
}

/// One view, with how many fit now.
#[utoipa::path(get, path = "/api/v1/views/{view}", tag = "views", params(("view" = String, Path)), responses((status = 200, body = SavedView)))]
async fn get(actor: Actor, State(handles): State<Handles>, Path(view): Path<String>) -> Result<Json<SavedView>, ApiError> {
    let (id, asker) = (id_of(&view)?, actor.clone());
    let view = handles.store.read(move |db| super::get(db, &asker, id).map_err(ApiError::from)).await?;
    Ok(Json(counted(&handles, &actor, view).await?))
}

/// Changes a view of the caller's own; a shared one also as duty manager or admin.
#[utoipa::path(patch, path = "/api/v1/views/{view}", tag = "views", params(("view" = String, Path)), request_body = EditView, responses((status = 200, body = SavedView)))]
async fn edit(
    actor: Actor,
    State(handles): State<Handles>,
    Path(view): Path<String>,
    Body(body): Body<EditView>,
) -> Result<Json<SavedView>, ApiError> {
    let id = id_of(&view)?;
    let (asker, wanted) = (actor.clone(), body.clone());
    handles.store.read(move |db| super::check_edit(db, &asker, id, &wanted).map_err(ApiError::from)).await?;
    let asker = actor.clone();
    let view = handles.store.write(move |tx| super::edit(tx, &asker, id, body).map_err(ApiError::from)).await?;
    Ok(Json(counted(&handles, &actor, view).await?))
}

/// Deletes a view; answers what it was.
#[utoipa::path(delete, path = "/api/v1/views/{view}", tag = "views", params(("view" = String, Path)), responses((status = 200, body = SavedView)))]
async fn delete(actor: Actor, State(store): State<Store>, Path(view): Path<String>) -> Result<Json<SavedView>, ApiError> {
    let id = id_of(&view)?;
    store.write(move |tx| Ok(Json(super::delete(tx, &actor, id)?))).await
}

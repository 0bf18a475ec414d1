use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use lineman_common::api::{Calendar, CalendarPreview, List};
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::store::{Db, Store};
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, set, delete)).routes(routes!(preview))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// Coverage calendars, by name.
#[utoipa::path(get, path = "/api/v1/calendars", tag = "customers", params(ListParams), responses((status = 200, body = List<Calendar>)))]
async fn list(_actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<List<Calendar>>, ApiError> {
    let limit = params.limit.unwrap_or(200).clamp(1, 1000);
    let items = store.read(move |db| super::list(db, params.after.as_deref().unwrap_or_default(), limit)).await?;
    let next = items.last().filter(|_| items.len() == limit as usize).map(|last| last.name.clone());
    Ok(Json(List { items, next }))
}

/// One calendar.
#[utoipa::path(get, path = "/api/v1/calendars/{calendar}", tag = "customers", params(("calendar" = String, Path)), responses((status = 200, body = Calendar)))]
async fn show(_actor: Actor, State(store): State<Store>, Path(calendar): Path<String>) -> Result<Json<Calendar>, ApiError> {
    store.read(move |db: &Db<'_>| -> Result<_, ApiError> { Ok(Json(super::get(db, &calendar)?)) }).await
}

/// Sets a calendar (admin). Clocks that follow it go on by the new rules from now on; what they have counted stays.
#[utoipa::path(put, path = "/api/v1/calendars/{calendar}", tag = "customers", params(("calendar" = String, Path)), request_body = Calendar, responses((status = 200, body = Calendar)))]
async fn set(
    actor: Actor,
    State(store): State<Store>,
    Path(name): Path<String>,
    Body(calendar): Body<Calendar>,
) -> Result<Json<Calendar>, ApiError> {
    actor.must_be(&[Role::Admin], "set calendars")?;
    if calendar.name != name {
        return Err(ApiError::invalid(format!("the path names the calendar `{name}`, the body `{}`", calendar.name)));
    }
    store
        .write(move |tx| -> Result<_, ApiError> {
            super::set(tx, &actor, &calendar)?;
            Ok(Json(calendar))
        })
        .await
}

/// Deletes a calendar that no tier uses (admin).
#[utoipa::path(delete, path = "/api/v1/calendars/{calendar}", tag = "customers", params(("calendar" = String, Path)), responses((status = 200, body = Calendar)))]
async fn delete(actor: Actor, State(store): State<Store>, Path(calendar): Path<String>) -> Result<Json<Calendar>, ApiError> {
    actor.must_be(&[Role::Admin], "delete calendars")?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(super::delete(tx, &actor, &calendar)?)) }).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct PreviewParams {
    /// The length of the target.
    target_s: u32,
    /// An IANA zone; UTC when absent.
    zone: Option<String>,
    /// When it starts; now when absent.
    from: Option<Timestamp>,
}

/// When would a target that starts now end? `24x7` is a calendar here too.
#[utoipa::path(get, path = "/api/v1/calendars/{calendar}/preview", tag = "customers", params(("calendar" = String, Path), PreviewParams), responses((status = 200, body = CalendarPreview)))]
async fn preview(
    _actor: Actor,
    State(store): State<Store>,
    Path(calendar): Path<String>,
    Params(params): Params<PreviewParams>,
) -> Result<Json<CalendarPreview>, ApiError> {
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let (zone, from) = (params.zone.as_deref().unwrap_or("UTC"), params.from.unwrap_or_else(|| db.now()));
        Ok(Json(super::preview(db, &calendar, zone, from, params.target_s)?))
    };
    store.read(read).await
}

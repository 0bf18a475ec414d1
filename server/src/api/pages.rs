//! Answers that join several rooms, and the few pages that belong to none.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::http::header;
use axum::routing::get;
use axum::{Extension, Json, Router};
use lineman_common::api::{CaseIndexState, FaultPage, Healthz};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::agents::Links;
use crate::faults::{self, Reference};
use crate::store::{Db, Store};
use crate::web::{Actor, ApiError, Path, Scope, Tagged};
use crate::{alarms, cases, events};

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub links: Links,
    pub library: cases::library::Library,
    pub finder: cases::find::Finder,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(fault)).routes(routes!(healthz))
}

pub fn openapi(document: Arc<String>) -> Router {
    let serve = move || async move { ([(header::CONTENT_TYPE, "application/json")], document.to_string()) };
    Router::new().route("/api/v1/openapi.json", get(serve))
}

/// A fault with its evidence: alarms, clocks, timeline, similar cases.
#[utoipa::path(get, path = "/api/v1/faults/{fault}", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = FaultPage)))]
async fn fault(
    actor: Actor,
    State(store): State<Store>,
    State(finder): State<cases::find::Finder>,
    Path(fault): Path<String>,
) -> Result<Tagged<FaultPage>, ApiError> {
    let reference: Reference = fault.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let fault = faults::get(db, &scope, &reference)?;
        let suggested = cases::offers::for_fault(db, &finder, &scope, &fault)?;
        Ok(Tagged(FaultPage {
            around: faults::around(db, &scope, &fault)?,
            alarms: alarms::of_fault(db, fault.id)?,
            clocks: faults::clocks_of(db, &fault)?,
            timeline: events::of_fault(db, &scope, fault.id)?,
            similar: suggested.items,
            duplicates: suggested.duplicates,
            fault,
        }))
    };
    store.read(read).await
}

/// Is the server well? No sign-in needed.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, body = Healthz)), security(()))]
async fn healthz(actor: Option<Extension<Actor>>, State(handles): State<Handles>) -> Result<Json<Healthz>, ApiError> {
    handles.store.read(|db| events::newest(db, &Scope::All).map_err(ApiError::from)).await?;
    let inside = actor.is_some_and(|Extension(actor)| actor.scope().sees_internal());
    let agents_online = inside.then(|| u32::try_from(handles.links.count()).unwrap_or(u32::MAX));
    let state = if handles.library.health().is_whole { CaseIndexState::Whole } else { CaseIndexState::Rebuilding };
    Ok(Json(Healthz { status: "ok".into(), version: env!("CARGO_PKG_VERSION").into(), agents_online, case_index: inside.then_some(state) }))
}

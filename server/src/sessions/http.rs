use axum::Json;
use axum::extract::State;
use lineman_common::api::{List, Reason, RecordingReply, Session, SessionState};
use lineman_common::id::SessionId;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::faults::{self, Reference};
use crate::store::{Db, Store};
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(recording)).routes(routes!(kill))
}

fn id_of(text: &str) -> Result<SessionId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("session"))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// A fault's number or id.
    fault: Option<String>,
    state: Option<SessionState>,
}

/// Sessions, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(ListParams), responses((status = 200, body = List<Session>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<List<Session>>, ApiError> {
    let reference = params.fault.map(|text| text.parse::<Reference>()).transpose()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let fault = reference.map(|reference| faults::get(db, &scope, &reference)).transpose()?.map(|fault| fault.id);
        Ok(Json(super::list(db, &scope, fault, params.state)?.into()))
    };
    store.read(read).await
}

/// One session.
#[utoipa::path(get, path = "/api/v1/sessions/{session}", tag = "sessions", params(("session" = String, Path)), responses((status = 200, body = Session)))]
async fn get(actor: Actor, State(store): State<Store>, Path(session): Path<String>) -> Result<Json<Session>, ApiError> {
    let id = id_of(&session)?;
    store.read(move |db| Ok(Json(super::get(db, &actor.scope(), id)?))).await
}

/// The recording as the device signed it. Fetching it is an event that others see.
#[utoipa::path(get, path = "/api/v1/sessions/{session}/recording", tag = "sessions", params(("session" = String, Path)), responses((status = 200, body = RecordingReply)))]
async fn recording(actor: Actor, State(store): State<Store>, Path(session): Path<String>) -> Result<Json<RecordingReply>, ApiError> {
    let id = id_of(&session)?;
    let (session, device_statement) = store.write(move |tx| super::view_recording(tx, &actor, id).map_err(ApiError::from)).await?;
    let recording = store.read(move |db| super::recording(db, id).map_err(ApiError::from)).await?;
    Ok(Json(RecordingReply { session, recording, device_statement }))
}

/// Ends a live session, from either side.
#[utoipa::path(post, path = "/api/v1/sessions/{session}/kill", tag = "sessions", params(("session" = String, Path)), request_body = Reason, responses((status = 200, body = Session)))]
async fn kill(
    actor: Actor,
    State(store): State<Store>,
    Path(session): Path<String>,
    Body(body): Body<Reason>,
) -> Result<Json<Session>, ApiError> {
    actor.must_write("end sessions")?;
    let id = id_of(&session)?;
    store.write(move |tx| Ok(Json(super::kill(tx, &actor, id, &body.reason)?))).await
}

use axum::Json;
use axum::extract::State;
use lineman_common::api::{Activity, ActivityChange, List, NewActivity};
use lineman_common::fault::ActivityStep;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::http::Handles;
use super::{Error, Reference};
use crate::faults;
use crate::store::{Answer, Db, Store};
use crate::web::{Actor, ApiError, Body, Path, Precondition};

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(list, start)).routes(routes!(begin)).routes(routes!(end)).routes(routes!(cancel))
}

impl Answer for Activity {}

/// What happens or happened meanwhile: phone calls, guidance, visits, consents, sessions, diagnoses.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/activities", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = List<Activity>)))]
async fn list(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Result<Json<List<Activity>>, ApiError> {
    let reference: Reference = fault.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let fault = faults::get(db, &scope, &reference)?;
        Ok(Json(super::of_fault(db, &scope, &fault)?.into()))
    };
    store.read(read).await
}

/// Starts a phone call, guidance of on-site staff or a visit, or plans one.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/activities", tag = "faults", params(("fault" = String, Path)), request_body = NewActivity, responses((status = 200, body = Activity)))]
async fn start(
    actor: Actor,
    State(store): State<Store>,
    Path(fault): Path<String>,
    precondition: Precondition,
    Body(new): Body<NewActivity>,
) -> Result<Json<Activity>, ApiError> {
    actor.must_work_faults("record activities")?;
    let reference: Reference = fault.parse()?;
    let job = move |tx: &mut crate::store::Tx<'_>| -> Result<_, ApiError> {
        faults::http::check(tx, &actor, &reference, &precondition, &new)?;
        Ok(super::start(tx, &actor, &reference, new)?)
    };
    Ok(Json(store.answer(job).await?))
}

async fn step(
    store: Store,
    actor: Actor,
    (fault, activity): (String, String),
    step: ActivityStep,
    change: ActivityChange,
) -> Result<Json<Activity>, ApiError> {
    actor.must_work_faults("record activities")?;
    let reference: Reference = fault.parse()?;
    let id = activity.parse();
    let job = move |tx: &mut crate::store::Tx<'_>| -> Result<_, ApiError> {
        // Whose fault it is comes first: what is another's looks like what does not exist.
        faults::get(tx, &actor.scope(), &reference)?;
        let id = id.map_err(|_| Error::NotFound)?;
        Ok(super::change(tx, &actor, &reference, id, step, &change)?)
    };
    Ok(Json(store.answer(job).await?))
}

/// A planned activity begins.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/activities/{activity}/start", tag = "faults", params(("fault" = String, Path), ("activity" = String, Path)), request_body = ActivityChange, responses((status = 200, body = Activity)))]
async fn begin(
    actor: Actor,
    State(store): State<Store>,
    Path(path): Path<(String, String)>,
    Body(body): Body<ActivityChange>,
) -> Result<Json<Activity>, ApiError> {
    step(store, actor, path, ActivityStep::Start, body).await
}

/// An activity ends, and what came of it.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/activities/{activity}/end", tag = "faults", params(("fault" = String, Path), ("activity" = String, Path)), request_body = ActivityChange, responses((status = 200, body = Activity)))]
async fn end(
    actor: Actor,
    State(store): State<Store>,
    Path(path): Path<(String, String)>,
    Body(body): Body<ActivityChange>,
) -> Result<Json<Activity>, ApiError> {
    step(store, actor, path, ActivityStep::End, body).await
}

/// An activity is called off, and why.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/activities/{activity}/cancel", tag = "faults", params(("fault" = String, Path), ("activity" = String, Path)), request_body = ActivityChange, responses((status = 200, body = Activity)))]
async fn cancel(
    actor: Actor,
    State(store): State<Store>,
    Path(path): Path<(String, String)>,
    Body(body): Body<ActivityChange>,
) -> Result<Json<Activity>, ApiError> {
    step(store, actor, path, ActivityStep::Cancel, body).await
}

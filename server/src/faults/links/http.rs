use axum::Json;
use axum::extract::State;
use lineman_common::api::{FaultLink, List, NewFaultLink};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::http::Handles;
use crate::faults::{self, Reference};
use crate::store::{Answer, Store, Tx};
use crate::web::{Actor, ApiError, Body, Path, Precondition};

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

impl Answer for List<FaultLink> {}

/// How the fault stands to others.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/links", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = List<FaultLink>)))]
async fn list(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Result<Json<List<FaultLink>>, ApiError> {
    let reference: Reference = fault.parse()?;
    let read = move |db: &crate::store::Db<'_>| -> Result<_, ApiError> {
        let fault = faults::get(db, &actor.scope(), &reference)?;
        Ok(Json(super::of_fault(db, fault.id)?.into()))
    };
    store.read(read).await
}

/// Links two faults of one customer: `related`, `caused_by` or `causes`, `blocks` or `blocked_by`.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/links", tag = "faults", params(("fault" = String, Path)), request_body = NewFaultLink, responses((status = 200, body = List<FaultLink>)))]
async fn add(
    actor: Actor,
    State(store): State<Store>,
    Path(fault): Path<String>,
    precondition: Precondition,
    Body(new): Body<NewFaultLink>,
) -> Result<Json<List<FaultLink>>, ApiError> {
    actor.must_work_faults("link faults")?;
    let reference: Reference = fault.parse()?;
    let job = move |tx: &mut Tx<'_>| -> Result<List<FaultLink>, ApiError> {
        faults::http::check(tx, &actor, &reference, &precondition, &new)?;
        Ok(super::add(tx, &actor, &reference, &new)?.into())
    };
    Ok(Json(store.answer(job).await?))
}

/// Takes the links between two faults away.
#[utoipa::path(delete, path = "/api/v1/faults/{fault}/links/{other}", tag = "faults", params(("fault" = String, Path), ("other" = String, Path)), responses((status = 200, body = List<FaultLink>)))]
async fn remove(
    actor: Actor,
    State(store): State<Store>,
    Path((fault, other)): Path<(String, String)>,
) -> Result<Json<List<FaultLink>>, ApiError> {
    actor.must_work_faults("link faults")?;
    let (reference, other): (Reference, Reference) = (fault.parse()?, other.parse()?);
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(super::remove(tx, &actor, &reference, &other)?.into())) }).await
}

use axum::Json;
use axum::extract::State;
use lineman_common::api::{List, NewStanding, Reason, StandingView};
use lineman_common::id::ConsentId;
use lineman_common::name::CustomerCode;
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::faults::{self, Reference};
use crate::store::{Db, Store};
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(list, grant)).routes(routes!(get)).routes(routes!(revoke))
}

fn id_of(text: &str) -> Result<ConsentId, ApiError> {
    text.parse().map_err(|_| super::Error::NoStanding.into())
}

/// Takes a standing statement that the carrier signed (its NOC and approvers).
#[utoipa::path(post, path = "/api/v1/standing", tag = "consents", request_body = NewStanding, responses((status = 200, body = StandingView)))]
async fn grant(actor: Actor, State(store): State<Store>, Body(new): Body<NewStanding>) -> Result<Json<StandingView>, ApiError> {
    actor.must_be(&[Role::Noc, Role::Approver], "grant standing statements")?;
    store.write(move |tx| Ok(Json(super::grant(tx, &actor, &new.statements)?))).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    #[param(value_type = Option<String>)]
    customer: Option<CustomerCode>,
    /// Those bound to this fault: its number or id.
    fault: Option<String>,
}

/// Standing statements, newest first.
#[utoipa::path(get, path = "/api/v1/standing", tag = "consents", params(ListParams), responses((status = 200, body = List<StandingView>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<List<StandingView>>, ApiError> {
    let reference = params.fault.map(|text| text.parse::<Reference>()).transpose()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let fault = reference.map(|reference| faults::get(db, &scope, &reference)).transpose()?.map(|fault| fault.id);
        let code = params.customer.as_ref().map(CustomerCode::as_str);
        Ok(Json(super::list(db, &scope, code, fault)?.into()))
    };
    store.read(read).await
}

/// A standing statement, with the signatures that count.
#[utoipa::path(get, path = "/api/v1/standing/{standing}", tag = "consents", params(("standing" = String, Path)), responses((status = 200, body = StandingView)))]
async fn get(actor: Actor, State(store): State<Store>, Path(standing): Path<String>) -> Result<Json<StandingView>, ApiError> {
    let id = id_of(&standing)?;
    store.read(move |db| Ok(Json(super::get(db, &actor.scope(), id)?))).await
}

/// Takes a standing statement back: the devices are told, and sessions under it end.
#[utoipa::path(post, path = "/api/v1/standing/{standing}/revocation", tag = "consents", params(("standing" = String, Path)), request_body = Reason, responses((status = 200, body = StandingView)))]
async fn revoke(
    actor: Actor,
    State(store): State<Store>,
    Path(standing): Path<String>,
    Body(body): Body<Reason>,
) -> Result<Json<StandingView>, ApiError> {
    actor.must_write("revoke standing statements")?;
    let id = id_of(&standing)?;
    store.write(move |tx| Ok(Json(super::revoke(tx, &actor, id, &body.reason)?))).await
}

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRef, State};
use lineman_common::api::{Approval, ChallengeReply, ConsentState, ConsentView, Listing, NewChallenge, NewRequest, Reason};
use lineman_common::id::ConsentId;
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::list;
use crate::agents::Links;
use crate::faults::{self, Reference};
use crate::store::{Db, Store};
use crate::trust::VendorRoot;
use crate::web::asked::Ask;
use crate::web::{Actor, ApiError, Body, Params, Path};

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub links: Links,
    pub vendor_root: Arc<VendorRoot>,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new()
        .routes(routes!(challenge))
        .routes(routes!(list, request))
        .routes(routes!(get))
        .routes(routes!(approve))
        .routes(routes!(refuse))
        .routes(routes!(revoke))
}

fn id_of(text: &str) -> Result<ConsentId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("consent"))
}

/// First step of a request: has the device issue a challenge (engineers).
#[utoipa::path(post, path = "/api/v1/consents/challenge", tag = "consents", request_body = NewChallenge, responses((status = 200, body = ChallengeReply)))]
async fn challenge(actor: Actor, State(handles): State<Handles>, Body(new): Body<NewChallenge>) -> Result<Json<ChallengeReply>, ApiError> {
    actor.must_be(&[Role::Engineer], "request sessions")?;
    Ok(Json(super::challenge(&handles.store, &handles.links, &handles.vendor_root, actor, new).await?))
}

/// Second step: the engineer's signed request (engineers). The device looks at it first, when it is connected. A request of grade
/// `role` is answered at once, by a standing statement that covers it, or refused.
#[utoipa::path(post, path = "/api/v1/consents", tag = "consents", request_body = NewRequest, responses((status = 200, body = ConsentView)))]
async fn request(actor: Actor, State(handles): State<Handles>, Body(new): Body<NewRequest>) -> Result<Json<ConsentView>, ApiError> {
    actor.must_be(&[Role::Engineer], "request sessions")?;
    Ok(Json(super::request(&handles.store, &handles.links, &handles.vendor_root, actor, new.request).await?))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// A fault's number or id.
    fault: Option<String>,
    state: Option<ConsentState>,
    /// Words and filters, like `state:waiting customer:JW`: the keys are `state`, `engineer`, `approver`, `equipment`, `customer`,
    /// `site`, `product`, `model`, `fault`, `grade`, `account`, `requested`, `lapses`, `text`, each in Chinese too.
    q: Option<String>,
    /// An IANA time zone: what a date in `q` means. UTC when absent.
    zone: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 500 when absent.
    limit: Option<u32>,
}

/// Consents, newest first.
#[utoipa::path(get, path = "/api/v1/consents", tag = "consents", params(ListParams), responses((status = 200, body = Listing<ConsentView>)))]
async fn list(
    actor: Actor,
    State(store): State<Store>,
    Params(params): Params<ListParams>,
) -> Result<Json<Listing<ConsentView>>, ApiError> {
    let ask = Ask::read(params.q.as_deref(), params.zone.as_deref(), &list::keys(), &actor)?;
    let reference = params.fault.map(|text| text.parse::<Reference>()).transpose()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let fault = reference.map(|reference| faults::get(db, &scope, &reference)).transpose()?.map(|fault| fault.id);
        let limit = params.limit.unwrap_or(500).clamp(1, 1000);
        let filter = list::Filter { fault, state: params.state, after: list::after(params.after.as_deref())?, limit };
        Ok(Json(list::page(db, &scope, &ask, &filter)?))
    };
    store.read(read).await
}

/// A consent with its statements, and what it takes to verify them.
#[utoipa::path(get, path = "/api/v1/consents/{consent}", tag = "consents", params(("consent" = String, Path)), responses((status = 200, body = ConsentView)))]
async fn get(actor: Actor, State(store): State<Store>, Path(consent): Path<String>) -> Result<Json<ConsentView>, ApiError> {
    let id = id_of(&consent)?;
    store.read(move |db| Ok(Json(super::evidence(db, &actor.scope(), id)?))).await
}

/// The carrier's signed consent. Anyone of the carrier may hand it in: what counts is the signature, and the device checks it. When
/// the device wants several people to sign, the consent stays `requested` until enough have.
#[utoipa::path(post, path = "/api/v1/consents/{consent}/approval", tag = "consents", params(("consent" = String, Path)), request_body = Approval, responses((status = 200, body = ConsentView)))]
async fn approve(
    actor: Actor,
    State(store): State<Store>,
    Path(consent): Path<String>,
    Body(body): Body<Approval>,
) -> Result<Json<ConsentView>, ApiError> {
    actor.must_be(&[Role::Approver, Role::Noc], "approve sessions")?;
    let id = id_of(&consent)?;
    store.write(move |tx| Ok(Json(super::approve(tx, &actor, id, &body.consent)?))).await
}

/// Refuses a request, with a reason (the carrier's people).
#[utoipa::path(post, path = "/api/v1/consents/{consent}/refusal", tag = "consents", params(("consent" = String, Path)), request_body = Reason, responses((status = 200, body = ConsentView)))]
async fn refuse(
    actor: Actor,
    State(store): State<Store>,
    Path(consent): Path<String>,
    Body(body): Body<Reason>,
) -> Result<Json<ConsentView>, ApiError> {
    actor.must_be(&[Role::Approver, Role::Noc], "refuse sessions")?;
    let id = id_of(&consent)?;
    store.write(move |tx| Ok(Json(super::refuse(tx, &actor, id, &body.reason)?))).await
}

/// Takes a consent back; live sessions end.
#[utoipa::path(post, path = "/api/v1/consents/{consent}/revocation", tag = "consents", params(("consent" = String, Path)), request_body = Reason, responses((status = 200, body = ConsentView)))]
async fn revoke(
    actor: Actor,
    State(store): State<Store>,
    Path(consent): Path<String>,
    Body(body): Body<Reason>,
) -> Result<Json<ConsentView>, ApiError> {
    actor.must_write("revoke consents")?;
    let id = id_of(&consent)?;
    store.write(move |tx| Ok(Json(super::revoke(tx, &actor, id, &body.reason)?))).await
}

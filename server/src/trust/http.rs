use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use lineman_common::api::{DeviceIdentity, EnrolmentTokenReply, SignersPublication, SignersView, TrustBundle};
use lineman_common::link::{EnrolReply, EnrolRequest};
use lineman_common::name::CustomerCode;
use lineman_common::people::Role;
use lineman_common::statement::Signed;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Authority, VendorRoot, signers};
use crate::equipment::Reference;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Path, ShownOnce};

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub authority: Arc<Authority>,
    pub vendor_root: Arc<VendorRoot>,
    pub addresses: Arc<Addresses>,
}

/// Where others reach this server.
pub struct Addresses {
    /// `host:port` for agents, browsers and clients.
    pub main: String,
    /// `host:port` of the SSH gateway.
    pub jump: String,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new()
        .routes(routes!(issue_token))
        .routes(routes!(enrol))
        .routes(routes!(identity))
        .routes(routes!(vouch))
        .routes(routes!(roster, publish_roster))
        .routes(routes!(publish_anchors))
        .routes(routes!(signer_list, publish_signers))
        .routes(routes!(bundle))
}

/// A one-time enrolment token for a device's agent (admin).
#[utoipa::path(post, path = "/api/v1/equipment/{equipment}/enrolment-token", tag = "trust", params(("equipment" = String, Path)), responses((status = 200, body = EnrolmentTokenReply)))]
async fn issue_token(
    actor: Actor,
    State(handles): State<Handles>,
    Path(reference): Path<String>,
) -> Result<ShownOnce<EnrolmentTokenReply>, ApiError> {
    actor.must_be(&[Role::Admin], "issue enrolment tokens")?;
    let reference: Reference = reference.parse()?;
    let job = move |tx: &mut crate::store::Tx<'_>| -> Result<_, ApiError> {
        let reply = super::issue_token(tx, &actor, &reference, &handles.addresses.main, &handles.authority.spki_sha256)?;
        Ok(ShownOnce(reply))
    };
    handles.store.write(job).await
}

/// Enrols a device: the agent's first words. Authenticated by the token's secret.
#[utoipa::path(post, path = "/agent/v1/enrol", tag = "trust", request_body = EnrolRequest, responses((status = 200, body = EnrolReply)), security(()))]
async fn enrol(
    State(store): State<Store>,
    State(authority): State<Arc<Authority>>,
    Body(request): Body<EnrolRequest>,
) -> Result<Json<EnrolReply>, ApiError> {
    store.write(move |tx| Ok(Json(super::enrol(tx, &authority, &request)?))).await
}

/// The keys a device enrolled with, and the statement that vouches for them.
#[utoipa::path(get, path = "/api/v1/equipment/{equipment}/identity", tag = "trust", params(("equipment" = String, Path)), responses((status = 200, body = DeviceIdentity)))]
async fn identity(actor: Actor, State(store): State<Store>, Path(reference): Path<String>) -> Result<Json<DeviceIdentity>, ApiError> {
    let reference: Reference = reference.parse()?;
    store.read(move |db| Ok(Json(super::identity(db, &actor.scope(), &reference)?))).await
}

/// Takes a device statement that the carrier's technician signed.
#[utoipa::path(put, path = "/api/v1/equipment/{equipment}/statement", tag = "trust", params(("equipment" = String, Path)), request_body = Signed, responses((status = 204)))]
async fn vouch(
    actor: Actor,
    State(store): State<Store>,
    State(vendor_root): State<Arc<VendorRoot>>,
    Path(reference): Path<String>,
    Body(signed): Body<Signed>,
) -> Result<StatusCode, ApiError> {
    actor.must_be(&[Role::Noc, Role::Approver, Role::Admin], "hand in device statements")?;
    let reference: Reference = reference.parse()?;
    store.write(move |tx| super::vouch(tx, &actor, &reference, &signed, &vendor_root).map_err(ApiError::from)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The vendor's roster of engineers, as signed by the vendor root.
#[utoipa::path(get, path = "/api/v1/trust/roster", tag = "trust", responses((status = 200, body = Signed)))]
async fn roster(_actor: Actor, State(store): State<Store>) -> Result<Json<Signed>, ApiError> {
    store.read(|db| Ok(Json(super::roster_signed(db)?))).await
}

/// Publishes a newer roster (admin); the vendor root's signature is checked.
#[utoipa::path(put, path = "/api/v1/trust/roster", tag = "trust", request_body = Signed, responses((status = 204)))]
async fn publish_roster(
    actor: Actor,
    State(store): State<Store>,
    State(vendor_root): State<Arc<VendorRoot>>,
    Body(signed): Body<Signed>,
) -> Result<StatusCode, ApiError> {
    actor.must_be(&[Role::Admin], "publish rosters")?;
    store.write(move |tx| super::publish_roster(tx, &actor, &signed, &vendor_root).map_err(ApiError::from)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Publishes who may vouch for a customer's devices (admin); the vendor root's signature is checked.
#[utoipa::path(put, path = "/api/v1/trust/anchors/{customer}", tag = "trust", params(("customer" = String, Path)), request_body = Signed, responses((status = 204)))]
async fn publish_anchors(
    actor: Actor,
    State(store): State<Store>,
    State(vendor_root): State<Arc<VendorRoot>>,
    Path(customer): Path<CustomerCode>,
    Body(signed): Body<Signed>,
) -> Result<StatusCode, ApiError> {
    actor.must_be(&[Role::Admin], "publish anchors")?;
    store.write(move |tx| super::publish_anchors(tx, &actor, &customer, &signed, &vendor_root).map_err(ApiError::from)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The customer's own things, or nothing.
fn code_of(text: &str) -> Result<CustomerCode, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("customer"))
}

/// What is another's looks like what does not exist.
fn hidden(error: super::Error) -> ApiError {
    if matches!(error, super::Error::NoCustomer(_)) { ApiError::not_found("customer") } else { error.into() }
}

/// The carrier's signer list as published last, and what every device says that it holds.
#[utoipa::path(get, path = "/api/v1/trust/signers/{customer}", tag = "trust", params(("customer" = String, Path)), responses((status = 200, body = SignersView)))]
async fn signer_list(actor: Actor, State(store): State<Store>, Path(customer): Path<String>) -> Result<Json<SignersView>, ApiError> {
    let customer = code_of(&customer)?;
    store.read(move |db| Ok(Json(signers::view(db, &actor.scope(), &customer).map_err(hidden)?))).await
}

/// Publishes the carrier's new signer list to its devices (its NOC and approvers, admin). Each device takes it only when the
/// signers that it holds have signed it.
#[utoipa::path(put, path = "/api/v1/trust/signers/{customer}", tag = "trust", params(("customer" = String, Path)), request_body = SignersPublication, responses((status = 204)))]
async fn publish_signers(
    actor: Actor,
    State(store): State<Store>,
    Path(customer): Path<String>,
    Body(publication): Body<SignersPublication>,
) -> Result<StatusCode, ApiError> {
    actor.must_be(&[Role::Noc, Role::Approver, Role::Admin], "publish signer lists")?;
    let customer = code_of(&customer)?;
    store.write(move |tx| signers::publish(tx, &actor, &customer, &publication.signed).map_err(hidden)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a client checks before it believes the names of a customer's devices.
#[utoipa::path(get, path = "/api/v1/trust/{customer}", tag = "trust", params(("customer" = String, Path)), responses((status = 200, body = TrustBundle)))]
async fn bundle(actor: Actor, State(handles): State<Handles>, Path(customer): Path<String>) -> Result<Json<TrustBundle>, ApiError> {
    let customer = code_of(&customer)?;
    let jump = handles.addresses.jump.clone();
    let find = move |db: &crate::store::Db<'_>| -> Result<_, ApiError> {
        Ok(Json(super::bundle(db, &actor.scope(), &customer, &jump).map_err(hidden)?))
    };
    handles.store.read(find).await
}

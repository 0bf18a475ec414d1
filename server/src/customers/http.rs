use axum::Json;
use axum::extract::State;
use lineman_common::api::{Customer, List, NewCustomer, NewSite, Reason, Site, Tier};
use lineman_common::name::CustomerCode;
use lineman_common::people::Role;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new()
        .routes(routes!(list_tiers))
        .routes(routes!(show_tier, put_tier, delete_tier))
        .routes(routes!(list, add))
        .routes(routes!(stop))
        .routes(routes!(resume))
        .routes(routes!(list_sites, add_site))
        .merge(super::calendars::http::routes())
        .merge(super::contracts::http::routes())
}

/// Service tiers.
#[utoipa::path(get, path = "/api/v1/tiers", tag = "customers", responses((status = 200, body = List<Tier>)))]
async fn list_tiers(_actor: Actor, State(store): State<Store>) -> Result<Json<List<Tier>>, ApiError> {
    let tiers = store.read(super::tiers).await?;
    Ok(Json(tiers.into()))
}

/// One tier.
#[utoipa::path(get, path = "/api/v1/tiers/{name}", tag = "customers", params(("name" = String, Path)), responses((status = 200, body = Tier)))]
async fn show_tier(_actor: Actor, State(store): State<Store>, Path(name): Path<String>) -> Result<Json<Tier>, ApiError> {
    store.read(move |db| -> Result<_, ApiError> { Ok(Json(super::tier(db, &name)?)) }).await
}

/// Deletes a tier that no customer has and no contract names (admin).
#[utoipa::path(delete, path = "/api/v1/tiers/{name}", tag = "customers", params(("name" = String, Path)), responses((status = 200, body = Tier)))]
async fn delete_tier(actor: Actor, State(store): State<Store>, Path(name): Path<String>) -> Result<Json<Tier>, ApiError> {
    actor.must_be(&[Role::Admin], "delete tiers")?;
    store.write(move |tx| -> Result<_, ApiError> { Ok(Json(super::delete_tier(tx, &actor, &name)?)) }).await
}

/// Sets a service tier (admin).
#[utoipa::path(put, path = "/api/v1/tiers/{name}", tag = "customers", params(("name" = String, Path)), request_body = Tier, responses((status = 200, body = Tier)))]
async fn put_tier(
    actor: Actor,
    State(store): State<Store>,
    Path(name): Path<String>,
    Body(tier): Body<Tier>,
) -> Result<Json<Tier>, ApiError> {
    actor.must_be(&[Role::Admin], "set tiers")?;
    if tier.name != name {
        return Err(ApiError::invalid(format!("the path names the tier `{name}`, the body `{}`", tier.name)));
    }
    store
        .write(move |tx| -> Result<_, ApiError> {
            super::set_tier(tx, &actor, &tier)?;
            Ok(Json(tier))
        })
        .await
}

/// Customers: all for the support centre, the own one for a carrier's people.
#[utoipa::path(get, path = "/api/v1/customers", tag = "customers", responses((status = 200, body = List<Customer>)))]
async fn list(actor: Actor, State(store): State<Store>) -> Result<Json<List<Customer>>, ApiError> {
    let customers = store.read(move |db| super::list(db, &actor.scope())).await?;
    Ok(Json(customers.into()))
}

/// Adds a customer (admin).
#[utoipa::path(post, path = "/api/v1/customers", tag = "customers", request_body = NewCustomer, responses((status = 200, body = Customer)))]
async fn add(actor: Actor, State(store): State<Store>, Body(new): Body<NewCustomer>) -> Result<Json<Customer>, ApiError> {
    actor.must_be(&[Role::Admin], "add customers")?;
    store.write(move |tx| Ok(Json(super::add(tx, &actor, new)?))).await
}

fn code_of(text: &str) -> Result<CustomerCode, ApiError> {
    text.parse().map_err(|_| super::Error::NotFound.into())
}

/// Stops everything of a customer: sessions and consents end, and none is taken (its NOC and approvers, duty managers, admin).
#[utoipa::path(post, path = "/api/v1/customers/{customer}/stop", tag = "customers", params(("customer" = String, Path)), request_body = Reason, responses((status = 200, body = Customer)))]
async fn stop(
    actor: Actor,
    State(store): State<Store>,
    Path(customer): Path<String>,
    Body(body): Body<Reason>,
) -> Result<Json<Customer>, ApiError> {
    actor.must_be(super::STOPPERS, "stop a customer's sessions")?;
    let code = code_of(&customer)?;
    store.write(move |tx| Ok(Json(super::stop(tx, &actor, &code, &body.reason)?))).await
}

/// Takes a stop back (the customer's own NOC and approvers). What it ended stays ended.
#[utoipa::path(post, path = "/api/v1/customers/{customer}/resume", tag = "customers", params(("customer" = String, Path)), request_body = Reason, responses((status = 200, body = Customer)))]
async fn resume(
    actor: Actor,
    State(store): State<Store>,
    Path(customer): Path<String>,
    Body(body): Body<Reason>,
) -> Result<Json<Customer>, ApiError> {
    actor.must_be(super::RESUMERS, "take a stop back: only the customer's own people do")?;
    let code = code_of(&customer)?;
    store.write(move |tx| Ok(Json(super::resume(tx, &actor, &code, &body.reason)?))).await
}

/// Sites.
#[utoipa::path(get, path = "/api/v1/sites", tag = "customers", responses((status = 200, body = List<Site>)))]
async fn list_sites(actor: Actor, State(store): State<Store>) -> Result<Json<List<Site>>, ApiError> {
    let sites = store.read(move |db| super::sites(db, &actor.scope())).await?;
    Ok(Json(sites.into()))
}

/// Adds a site (admin).
#[utoipa::path(post, path = "/api/v1/sites", tag = "customers", request_body = NewSite, responses((status = 200, body = Site)))]
async fn add_site(actor: Actor, State(store): State<Store>, Body(new): Body<NewSite>) -> Result<Json<Site>, ApiError> {
    actor.must_be(&[Role::Admin], "add sites")?;
    store.write(move |tx| Ok(Json(super::add_site(tx, &actor, new)?))).await
}

use axum::Json;
use axum::extract::{FromRef, State};
use lineman_common::api::{NoticeSettings, NoticesView};
use lineman_common::name::CustomerCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::KEEPERS;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Path};

/// Does this server send e-mail?
#[derive(Clone, Copy, Debug)]
pub struct HasMail(pub bool);

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub has_mail: HasMail,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(get, set)).routes(routes!(test))
}

fn code_of(text: &str) -> Result<CustomerCode, ApiError> {
    text.parse().map_err(|_| super::Error::NoCustomer.into())
}

/// Who is told when a request waits, and the newest notices (the customer's NOC and approvers, admin).
#[utoipa::path(get, path = "/api/v1/customers/{customer}/notices", tag = "notices", params(("customer" = String, Path)), responses((status = 200, body = NoticesView)))]
async fn get(actor: Actor, State(store): State<Store>, Path(customer): Path<String>) -> Result<Json<NoticesView>, ApiError> {
    actor.must_be(KEEPERS, "see who is told")?;
    let code = code_of(&customer)?;
    store.read(move |db| Ok(Json(super::get(db, &actor, &code)?))).await
}

/// Says who is told, in the place of what was set before (the customer's NOC and approvers, admin).
#[utoipa::path(put, path = "/api/v1/customers/{customer}/notices", tag = "notices", params(("customer" = String, Path)), request_body = NoticeSettings, responses((status = 200, body = NoticesView)))]
async fn set(
    actor: Actor,
    State(store): State<Store>,
    State(HasMail(has_mail)): State<HasMail>,
    Path(customer): Path<String>,
    Body(settings): Body<NoticeSettings>,
) -> Result<Json<NoticesView>, ApiError> {
    actor.must_be(KEEPERS, "say who is told")?;
    let code = code_of(&customer)?;
    store.write(move |tx| Ok(Json(super::set(tx, &actor, &code, settings, has_mail)?))).await
}

/// Sends a test to everybody who is named; how it went is in the list of notices a moment later.
#[utoipa::path(post, path = "/api/v1/customers/{customer}/notices/test", tag = "notices", params(("customer" = String, Path)), responses((status = 200, body = NoticesView)))]
async fn test(actor: Actor, State(store): State<Store>, Path(customer): Path<String>) -> Result<Json<NoticesView>, ApiError> {
    actor.must_be(KEEPERS, "send a test notice")?;
    let code = code_of(&customer)?;
    store.write(move |tx| Ok(Json(super::test(tx, &actor, &code)?))).await
}

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, StatusCode, header};
use lineman_common::api::{List, Login, NewApiToken, NewPerson, Person, TokenReply};
use lineman_common::error::ErrorCode;
use lineman_common::name::PersonName;
use lineman_common::people::Role;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Error, Throttle};
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Path};

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub throttle: Arc<Throttle>,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(logout))
        .routes(routes!(whoami))
        .routes(routes!(list, add))
        .routes(routes!(issue_token))
}

/// Signs in with name and password; the answer is a bearer token for a day.
#[utoipa::path(post, path = "/api/v1/login", tag = "people", request_body = Login, responses((status = 200, body = TokenReply)), security(()))]
async fn login(
    State(store): State<Store>,
    State(throttle): State<Arc<Throttle>>,
    Body(login): Body<Login>,
) -> Result<Json<TokenReply>, ApiError> {
    let name: PersonName = login.name.parse().map_err(|_| Error::WrongPassword)?;
    throttle.try_now(name.as_str(), Instant::now()).map_err(|seconds| {
        let message = format!("too many tries: wait {seconds} seconds");
        ApiError::new(ErrorCode::RateLimited, message).retry_after_s(seconds)
    })?;
    let _slow = throttle.one_of_few().await;
    let asked = name.clone();
    let stored = store.read(move |db| super::password_of(db, &asked)).await?;
    let password = login.password;
    let fits = tokio::task::spawn_blocking(move || super::password_fits(&password, stored.as_deref())).await.map_err(ApiError::internal)?;
    if !fits {
        return Err(Error::WrongPassword.into());
    }
    throttle.forgive(name.as_str());
    store.write(move |tx| Ok(Json(super::sign_in(tx, &name)?))).await
}

/// Ends the token that the request carries.
#[utoipa::path(post, path = "/api/v1/logout", tag = "people", responses((status = 204)))]
async fn logout(_actor: Actor, State(store): State<Store>, headers: HeaderMap) -> Result<StatusCode, ApiError> {
    let token = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer ")).map(str::to_owned);
    let token = token.ok_or_else(ApiError::unauthenticated)?;
    store.write(move |tx| super::end_token(tx, &token).map_err(ApiError::from)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who the request's token belongs to.
#[utoipa::path(get, path = "/api/v1/whoami", tag = "people", responses((status = 200, body = Person)))]
async fn whoami(actor: Actor, State(store): State<Store>) -> Result<Json<Person>, ApiError> {
    let name = actor.name.clone();
    let person = store.read(move |db| super::find(db, &actor.scope(), &name)).await?;
    person.map(Json).ok_or_else(|| ApiError::not_found("person"))
}

/// People: all for the support centre, their own for a carrier's.
#[utoipa::path(get, path = "/api/v1/people", tag = "people", responses((status = 200, body = List<Person>)))]
async fn list(actor: Actor, State(store): State<Store>) -> Result<Json<List<Person>>, ApiError> {
    let people = store.read(move |db| super::list(db, &actor.scope())).await?;
    Ok(Json(people.into()))
}

/// Adds a person (admin).
#[utoipa::path(post, path = "/api/v1/people", tag = "people", request_body = NewPerson, responses((status = 200, body = Person)))]
async fn add(actor: Actor, State(store): State<Store>, Body(new): Body<NewPerson>) -> Result<Json<Person>, ApiError> {
    actor.must_be(&[Role::Admin], "add people")?;
    let hash = match new.password.clone() {
        Some(password) => Some(tokio::task::spawn_blocking(move || super::hash_password(&password)).await.map_err(ApiError::internal)??),
        None => None,
    };
    store.write(move |tx| Ok(Json(super::add(tx, actor.name.as_str(), new, hash)?))).await
}

/// Issues an API token: for oneself, or (admin) for anyone.
#[utoipa::path(post, path = "/api/v1/people/{name}/tokens", tag = "people", params(("name" = String, Path)), request_body = NewApiToken, responses((status = 200, body = TokenReply)))]
async fn issue_token(
    actor: Actor,
    State(store): State<Store>,
    Path(name): Path<PersonName>,
    Body(new): Body<NewApiToken>,
) -> Result<Json<TokenReply>, ApiError> {
    if actor.name != name {
        actor.must_be(&[Role::Admin], "issue tokens for others")?;
    }
    store.write(move |tx| Ok(Json(super::issue_token(tx, actor.name.as_str(), &name, &new)?))).await
}

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use lineman_common::api::{
    ApiToken, List, Login, NewApiToken, NewPassword, NewPerson, NewRole, Person, Profile, Reason, RecoveryCodes, SecondFactorCode,
    SecondFactorSecret, TokenReply,
};
use lineman_common::error::ErrorCode;
use lineman_common::name::PersonName;
use lineman_common::people::Role;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Error, SignIn, Throttle, accounts, browser, entrance, oidc, second_factor};
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Path, Scope, ShownOnce};

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub throttle: Arc<Throttle>,
    pub sign_in: Arc<SignIn>,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(logout))
        .routes(routes!(sign_in))
        .routes(routes!(sign_out))
        .routes(routes!(sign_out_everywhere))
        .routes(routes!(begin_second_factor))
        .routes(routes!(give_up_second_factor))
        .routes(routes!(confirm_second_factor))
        .routes(routes!(take_second_factor_away))
        .routes(routes!(whoami))
        .routes(routes!(list, add))
        .routes(routes!(tokens, issue_token))
        .routes(routes!(end_token))
        .routes(routes!(get))
        .routes(routes!(set_profile))
        .routes(routes!(disable))
        .routes(routes!(enable))
        .routes(routes!(set_password))
        .routes(routes!(set_role))
        .merge(entrance::routes())
        .merge(oidc::http::routes())
}

/// Signs in with name and password; the answer is a bearer token for a day.
#[utoipa::path(post, path = "/api/v1/login", tag = "people", request_body = Login, responses((status = 200, body = TokenReply)), security(()))]
async fn login(
    State(store): State<Store>,
    State(throttle): State<Arc<Throttle>>,
    Body(login): Body<Login>,
) -> Result<ShownOnce<TokenReply>, ApiError> {
    Ok(ShownOnce(prove(&store, &throttle, login).await?))
}

/// Checks name, password and second factor, no faster than is good.
async fn prove(store: &Store, throttle: &Throttle, login: Login) -> Result<TokenReply, ApiError> {
    let name: PersonName = login.name.parse().map_err(|_| Error::WrongPassword)?;
    slowly(throttle, &name)?;
    let _slow = throttle.one_of_few().await;
    let asked = name.clone();
    let stored = store.read(move |db| super::password_of(db, &asked)).await?;
    let password = login.password;
    let fits = tokio::task::spawn_blocking(move || super::password_fits(&password, stored.as_deref())).await.map_err(ApiError::internal)?;
    if !fits {
        return Err(Error::WrongPassword.into());
    }
    let (asked, code) = (name.clone(), login.code);
    let reply = store.write(move |tx| super::sign_in(tx, &asked, code.as_deref()).map_err(ApiError::from)).await?;
    throttle.forgive(name.as_str());
    Ok(reply)
}

/// The token in a request's `Authorization`.
///
/// # Errors
/// There is such a header, and no token in it.
pub fn bearer(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).map(|token| token.trim().to_owned());
    token.map(Some).ok_or_else(ApiError::unauthenticated)
}

/// Signs a browser in: like `login`, but the token goes into a cookie that no script can read.
#[utoipa::path(post, path = "/api/v1/sign-in", tag = "people", request_body = Login, responses((status = 200, body = Person)), security(()))]
async fn sign_in(
    State(store): State<Store>,
    State(throttle): State<Arc<Throttle>>,
    Body(login): Body<Login>,
) -> Result<SignedIn, ApiError> {
    let reply = prove(&store, &throttle, login).await?;
    signed_in(&store, reply).await
}

pub type SignedIn = ([(header::HeaderName, String); 1], Json<Person>);

/// The answer to a browser: the token in a cookie, and who is signed in.
pub async fn signed_in(store: &Store, reply: TokenReply) -> Result<SignedIn, ApiError> {
    let token = reply.token.clone();
    let person = store
        .read(move |db| -> Result<_, ApiError> {
            let actor = super::by_token(db, &token)?.ok_or(Error::WrongPassword)?;
            Ok(super::find(db, &Scope::All, &actor.name)?.ok_or(Error::NoPerson)?)
        })
        .await?;
    let seconds = reply.expires_at.duration_since(jiff::Timestamp::now()).as_secs();
    Ok(([(header::SET_COOKIE, browser::set(&reply.token, seconds))], Json(person)))
}

/// Signs a browser out; also where it was no longer signed in.
#[utoipa::path(post, path = "/api/v1/sign-out", tag = "people", responses((status = 204)), security(()))]
async fn sign_out(State(store): State<Store>, headers: HeaderMap) -> Result<(StatusCode, [(header::HeaderName, String); 1]), ApiError> {
    if let Some(token) = browser::token(&Method::POST, &headers)? {
        store.write(move |tx| super::end_token(tx, &token).map_err(ApiError::from)).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, browser::clear())]))
}

/// Ends every sign-in and every API token: one's own, or (admin) anyone's.
#[utoipa::path(post, path = "/api/v1/people/{name}/sign-out", tag = "people", params(("name" = String, Path)), responses((status = 204)))]
async fn sign_out_everywhere(actor: Actor, State(store): State<Store>, Path(name): Path<PersonName>) -> Result<StatusCode, ApiError> {
    if actor.name != name {
        actor.must_be(&[Role::Admin], "sign others out")?;
    }
    store.write(move |tx| super::end_tokens(tx, &actor, &name).map_err(ApiError::from)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new secret for one's own authenticator; it counts once a code of it was shown.
#[utoipa::path(post, path = "/api/v1/second-factor", tag = "people", responses((status = 200, body = SecondFactorSecret)))]
async fn begin_second_factor(actor: Actor, State(store): State<Store>) -> Result<ShownOnce<SecondFactorSecret>, ApiError> {
    store.write(move |tx| Ok(ShownOnce(second_factor::begin(tx, &actor)?))).await
}

/// Shows a code of the new secret. The answer holds recovery codes, which are shown once.
#[utoipa::path(post, path = "/api/v1/second-factor/confirmation", tag = "people", request_body = SecondFactorCode, responses((status = 200, body = RecoveryCodes)))]
async fn confirm_second_factor(
    actor: Actor,
    State(store): State<Store>,
    State(throttle): State<Arc<Throttle>>,
    Body(body): Body<SecondFactorCode>,
) -> Result<ShownOnce<RecoveryCodes>, ApiError> {
    let name = actor.name.clone();
    slowly(&throttle, &name)?;
    let codes = store.write(move |tx| second_factor::confirm(tx, &actor, &body.code).map_err(of_signed_in)).await?;
    throttle.forgive(name.as_str());
    Ok(ShownOnce(codes))
}

/// Gives one's own second factor up, with a code of it.
#[utoipa::path(post, path = "/api/v1/second-factor/removal", tag = "people", request_body = SecondFactorCode, responses((status = 204)))]
async fn give_up_second_factor(
    actor: Actor,
    State(store): State<Store>,
    State(throttle): State<Arc<Throttle>>,
    Body(body): Body<SecondFactorCode>,
) -> Result<StatusCode, ApiError> {
    let name = actor.name.clone();
    slowly(&throttle, &name)?;
    store.write(move |tx| second_factor::give_up(tx, &actor, &body.code).map_err(of_signed_in)).await?;
    throttle.forgive(name.as_str());
    Ok(StatusCode::NO_CONTENT)
}

/// A wrong code of somebody who is signed in, and stays so: a browser that hears 401 asks them to sign in again.
fn of_signed_in(error: Error) -> ApiError {
    if matches!(error, Error::WrongCode | Error::NeedsCode) { ApiError::invalid(error.to_string()) } else { error.into() }
}

/// Takes somebody's second factor away (admin): the device is lost, and the codes too.
#[utoipa::path(post, path = "/api/v1/people/{name}/second-factor/removal", tag = "people", params(("name" = String, Path)), request_body = Reason, responses((status = 200, body = Person)))]
async fn take_second_factor_away(
    actor: Actor,
    State(store): State<Store>,
    Path(name): Path<PersonName>,
    Body(body): Body<Reason>,
) -> Result<Json<Person>, ApiError> {
    actor.must_be(&[Role::Admin], "take others' second factor away")?;
    store.write(move |tx| Ok(Json(second_factor::take_away(tx, &actor, &name, &body.reason)?))).await
}

fn slowly(throttle: &Throttle, name: &PersonName) -> Result<(), ApiError> {
    slowly_by(throttle, name.as_str())
}

/// `key` is a person's name, or what no name is.
pub fn slowly_by(throttle: &Throttle, key: &str) -> Result<(), ApiError> {
    throttle
        .try_now(key, Instant::now())
        .map_err(|seconds| ApiError::new(ErrorCode::RateLimited, format!("too many tries: wait {seconds} seconds")).retry_after_s(seconds))
}

/// Ends the token that the request carries.
#[utoipa::path(post, path = "/api/v1/logout", tag = "people", responses((status = 204)))]
async fn logout(_actor: Actor, State(store): State<Store>, headers: HeaderMap) -> Result<StatusCode, ApiError> {
    let token = bearer(&headers)?.ok_or_else(ApiError::unauthenticated)?;
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
) -> Result<ShownOnce<TokenReply>, ApiError> {
    if actor.name != name {
        actor.must_be(&[Role::Admin], "issue tokens for others")?;
    }
    store.write(move |tx| Ok(ShownOnce(super::issue_token(tx, actor.name.as_str(), &name, &new)?))).await
}

/// What somebody is signed in with: sign-ins and API tokens, one's own or (admin) anyone's.
#[utoipa::path(get, path = "/api/v1/people/{name}/tokens", tag = "people", params(("name" = String, Path)), responses((status = 200, body = List<ApiToken>)))]
async fn tokens(
    actor: Actor,
    State(store): State<Store>,
    Path(name): Path<PersonName>,
    headers: HeaderMap,
) -> Result<Json<List<ApiToken>>, ApiError> {
    if actor.name != name {
        actor.must_be(&[Role::Admin], "see what others are signed in with")?;
    }
    let current = [bearer(&headers)?, browser::token(&Method::GET, &headers)?].into_iter().flatten().next();
    let tokens = store.read(move |db| accounts::tokens(db, &name, current.as_deref()).map_err(ApiError::from)).await?;
    Ok(Json(tokens.into()))
}

/// Ends one of them.
#[utoipa::path(delete, path = "/api/v1/people/{name}/tokens/{token}", tag = "people", params(("name" = String, Path), ("token" = String, Path)), responses((status = 204)))]
async fn end_token(
    actor: Actor,
    State(store): State<Store>,
    Path((name, token)): Path<(PersonName, String)>,
) -> Result<StatusCode, ApiError> {
    if actor.name != name {
        actor.must_be(&[Role::Admin], "end others' tokens")?;
    }
    store.write(move |tx| accounts::end_token(tx, &actor, &name, &token).map_err(ApiError::from)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives somebody another role (admin), of the same side.
#[utoipa::path(put, path = "/api/v1/people/{name}/role", tag = "people", params(("name" = String, Path)), request_body = NewRole, responses((status = 200, body = Person)))]
async fn set_role(
    actor: Actor,
    State(store): State<Store>,
    State(sign_in): State<Arc<SignIn>>,
    Path(name): Path<PersonName>,
    Body(new): Body<NewRole>,
) -> Result<Json<Person>, ApiError> {
    actor.must_be(&[Role::Admin], "give people roles")?;
    let has_provider = sign_in.oidc.is_some();
    store.write(move |tx| Ok(Json(accounts::set_role(tx, &actor, &name, &new, has_provider)?))).await
}

/// One person.
#[utoipa::path(get, path = "/api/v1/people/{name}", tag = "people", params(("name" = String, Path)), responses((status = 200, body = Person)))]
async fn get(actor: Actor, State(store): State<Store>, Path(name): Path<PersonName>) -> Result<Json<Person>, ApiError> {
    let person = store.read(move |db| super::find(db, &actor.scope(), &name)).await?;
    person.map(Json).ok_or_else(|| ApiError::not_found("person"))
}

/// Sets skills, level and e-mail address (admin, duty manager). It takes the place of what was set before.
#[utoipa::path(put, path = "/api/v1/people/{name}/profile", tag = "people", params(("name" = String, Path)), request_body = Profile, responses((status = 200, body = Person)))]
async fn set_profile(
    actor: Actor,
    State(store): State<Store>,
    Path(name): Path<PersonName>,
    Body(profile): Body<Profile>,
) -> Result<Json<Person>, ApiError> {
    actor.must_be(&[Role::DutyManager, Role::Admin], "set what people can do")?;
    store.write(move |tx| Ok(Json(super::set_profile(tx, &actor, &name, profile)?))).await
}

/// Disables a person (admin): all tokens end, and none is issued until the person is enabled again.
#[utoipa::path(post, path = "/api/v1/people/{name}/disable", tag = "people", params(("name" = String, Path)), request_body = Reason, responses((status = 200, body = Person)))]
async fn disable(
    actor: Actor,
    State(store): State<Store>,
    Path(name): Path<PersonName>,
    Body(body): Body<Reason>,
) -> Result<Json<Person>, ApiError> {
    actor.must_be(&[Role::Admin], "disable people")?;
    store.write(move |tx| Ok(Json(super::disable(tx, &actor, &name, &body.reason)?))).await
}

/// Enables a person again (admin).
#[utoipa::path(post, path = "/api/v1/people/{name}/enable", tag = "people", params(("name" = String, Path)), request_body = Reason, responses((status = 200, body = Person)))]
async fn enable(
    actor: Actor,
    State(store): State<Store>,
    Path(name): Path<PersonName>,
    Body(body): Body<Reason>,
) -> Result<Json<Person>, ApiError> {
    actor.must_be(&[Role::Admin], "enable people")?;
    store.write(move |tx| Ok(Json(super::enable(tx, &actor, &name, &body.reason)?))).await
}

/// Changes one's own password, with the old one; or sets another's (admin). The person's other tokens end.
#[utoipa::path(put, path = "/api/v1/people/{name}/password", tag = "people", params(("name" = String, Path)), request_body = NewPassword, responses((status = 204)))]
async fn set_password(
    actor: Actor,
    State(store): State<Store>,
    State(throttle): State<Arc<Throttle>>,
    Path(name): Path<PersonName>,
    headers: HeaderMap,
    Body(body): Body<NewPassword>,
) -> Result<StatusCode, ApiError> {
    let own = actor.name == name;
    if !own {
        actor.must_be(&[Role::Admin], "set others' passwords")?;
    }
    let by = actor.name.clone();
    slowly(&throttle, &by)?;
    let asked = name.clone();
    let stored = if own { store.read(move |db| super::password_of(db, &asked)).await? } else { None };
    let _slow = throttle.one_of_few().await;
    let NewPassword { old, new } = body;
    let hashed = move || {
        // Who has had none so far is known by the token alone.
        let knows_old = !own || stored.is_none() || old.is_some_and(|old| super::password_fits(&old, stored.as_deref()));
        if knows_old { super::hash_password(&new) } else { Err(Error::WrongOld) }
    };
    let hash = tokio::task::spawn_blocking(hashed).await.map_err(ApiError::internal)??;
    let kept = [bearer(&headers)?, browser::token(&Method::PUT, &headers)?].into_iter().flatten().next().filter(|_| own);
    store.write(move |tx| super::set_password(tx, &actor, &name, &hash, kept.as_deref()).map_err(ApiError::from)).await?;
    throttle.forgive(by.as_str());
    Ok(StatusCode::NO_CONTENT)
}

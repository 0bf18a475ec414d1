//! Ways in beside name and password: the first set-up, and links. Also what ways there are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use lineman_common::api::{NewSignInLink, Setup, SignInCode, SignInLink, SignInWays};
use lineman_common::name::PersonName;
use lineman_common::people::Role;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::http::{Handles, SignedIn, signed_in, slowly_by};
use super::{SignIn, Throttle, hash_password, links};
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Path, ShownOnce};

/// Not a name.
const SETUP: &str = "/setup";

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(ways)).routes(routes!(set_up)).routes(routes!(sign_in_by_code)).routes(routes!(make_link))
}

/// How one can sign in here. No sign-in needed.
#[utoipa::path(get, path = "/api/v1/sign-in/ways", tag = "people", responses((status = 200, body = SignInWays)), security(()))]
async fn ways(State(store): State<Store>, State(sign_in): State<Arc<SignIn>>) -> Result<Json<SignInWays>, ApiError> {
    let of = Arc::clone(&sign_in);
    let (setup, now) = store.read(move |db| Ok::<_, ApiError>((of.is_due(db)?, db.now()))).await?;
    Ok(Json(SignInWays {
        oidc: sign_in.oidc.as_ref().map(|oidc| oidc.settings().name.clone()),
        setup,
        server: sign_in.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        demo: sign_in.is_demo,
        now,
    }))
}

/// Makes the first admin who can sign in to the console, with the one-time code that the server printed; and signs them in.
#[utoipa::path(post, path = "/api/v1/setup", tag = "people", request_body = Setup, responses((status = 200, body = lineman_common::api::Person)), security(()))]
async fn set_up(
    State(store): State<Store>,
    State(throttle): State<Arc<Throttle>>,
    State(sign_in): State<Arc<SignIn>>,
    Body(setup): Body<Setup>,
) -> Result<SignedIn, ApiError> {
    slowly_by(&throttle, SETUP)?;
    let (of, code) = (Arc::clone(&sign_in), setup.code.clone());
    store.read(move |db| of.check(db, &code).map_err(ApiError::from)).await?;
    let Setup { code, name, password } = setup;
    let hash = tokio::task::spawn_blocking(move || hash_password(&password)).await.map_err(ApiError::internal)??;
    let of = Arc::clone(&sign_in);
    let reply = store.write(move |tx| of.set_up(tx, &code, &name, &hash).map_err(ApiError::from)).await?;
    sign_in.done();
    signed_in(&store, reply).await
}

/// Signs a browser in with the code of a link.
#[utoipa::path(post, path = "/api/v1/sign-in/code", tag = "people", request_body = SignInCode, responses((status = 200, body = lineman_common::api::Person)), security(()))]
async fn sign_in_by_code(
    State(store): State<Store>,
    State(throttle): State<Arc<Throttle>>,
    Body(body): Body<SignInCode>,
) -> Result<SignedIn, ApiError> {
    let SignInCode { code, second } = body;
    if second.is_some() {
        let asked = code.clone();
        let name = store.read(move |db| links::bearer(db, &asked).map_err(ApiError::from)).await?;
        slowly_by(&throttle, name.as_str())?;
    }
    let reply = store.write(move |tx| links::take(tx, &code, second.as_deref()).map_err(ApiError::from)).await?;
    signed_in(&store, reply).await
}

/// A link that signs somebody in, once and for a short while (admin).
#[utoipa::path(post, path = "/api/v1/people/{name}/sign-in-links", tag = "people", params(("name" = String, Path)), request_body = NewSignInLink, responses((status = 200, body = SignInLink)))]
async fn make_link(
    actor: Actor,
    State(store): State<Store>,
    State(sign_in): State<Arc<SignIn>>,
    Path(name): Path<PersonName>,
    Body(new): Body<NewSignInLink>,
) -> Result<ShownOnce<SignInLink>, ApiError> {
    actor.must_be(&[Role::Admin], "make links that sign others in")?;
    let (server, is_demo) = (sign_in.own_address().to_owned(), sign_in.is_demo);
    store.write(move |tx| Ok(ShownOnce(links::make(tx, &actor, &name, &new, &server, is_demo)?))).await
}

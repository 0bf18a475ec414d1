use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Back, Failure, Oidc, admit, pending, reference};
use crate::people::http::Handles;
use crate::people::{SignIn, browser};
use crate::store::Store;
use crate::web::{ApiError, Params};

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(begin)).routes(routes!(callback))
}

#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
struct Begin {
    next: Option<String>,
}

/// Sends the browser to the identity provider. `next` is where in the console it goes afterwards; what leads elsewhere is left out.
#[utoipa::path(get, path = "/api/v1/sign-in/oidc", tag = "people", params(("next" = Option<String>, Query)), responses((status = 303)), security(()))]
async fn begin(
    State(sign_in): State<Arc<SignIn>>,
    Params(Begin { next }): Params<Begin>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let oidc = oidc(&sign_in)?;
    let next = pending::place_here(next.as_deref());
    let redirect_uri = format!("{}/api/v1/sign-in/oidc/callback", sign_in.address(&headers));
    Ok(match oidc.begin(redirect_uri, next.clone(), jiff::Timestamp::now()).await {
        Ok(begun) => away(begun.address.as_str(), [begun.cookie]),
        Err(failure) => failed(&failure, &next, []),
    })
}

/// Where the identity provider sends the browser back to. It ends at the console, signed in, or at the sign-in page, with a word on why not.
#[utoipa::path(
    get, path = "/api/v1/sign-in/oidc/callback", tag = "people",
    params(("state" = String, Query), ("code" = Option<String>, Query), ("error" = Option<String>, Query), ("iss" = Option<String>, Query)),
    responses((status = 303)), security(())
)]
async fn callback(
    State(sign_in): State<Arc<SignIn>>,
    State(store): State<Store>,
    Params(back): Params<Back>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let oidc = oidc(&sign_in)?;
    let (identity, pending) = match oidc.finish(&headers, back, jiff::Timestamp::now()).await {
        Ok(both) => both,
        Err(failure) => return Ok(failed(&failure, "/", [pending::Seal::clear()])),
    };
    // Whatever happens now, it is a browser that hears of it.
    Ok(match store.write(move |tx| admit(tx, &identity)).await.flatten() {
        Ok(reply) => {
            let seconds = reply.expires_at.duration_since(jiff::Timestamp::now()).as_secs();
            away(&pending.next, [browser::set(&reply.token, seconds), pending::Seal::clear()])
        }
        Err(failure) => failed(&failure, &pending.next, [pending::Seal::clear()]),
    })
}

fn oidc(sign_in: &SignIn) -> Result<&Oidc, ApiError> {
    sign_in.oidc.as_ref().ok_or_else(|| ApiError::not_found("way to sign in: this server has no `[oidc]`"))
}

fn away<const N: usize>(location: &str, cookies: [String; N]) -> Response {
    let cookies: [(HeaderName, String); N] = cookies.map(|cookie| (header::SET_COOKIE, cookie));
    (StatusCode::SEE_OTHER, AppendHeaders(cookies), [(header::LOCATION, location.to_owned())]).into_response()
}

/// Back to the sign-in page. Only our own words go into its address.
fn failed<const N: usize>(failure: &Failure, next: &str, cookies: [String; N]) -> Response {
    let reference = reference();
    match failure {
        Failure::Stale(_) | Failure::Refused(_) => tracing::info!(%reference, "OIDC: {failure}"),
        Failure::Unreachable(_)
        | Failure::Answer(_)
        | Failure::Token(_)
        | Failure::Clock { .. }
        | Failure::NoRole { .. }
        | Failure::BadName(_)
        | Failure::NameTaken(_)
        | Failure::OtherCustomer { .. }
        | Failure::NoCustomer(_)
        | Failure::Disabled(_)
        | Failure::Random
        | Failure::People(_) => tracing::warn!(%reference, "OIDC: {failure}"),
    }
    let mut location = format!("/sign-in?failed={}&ref={reference}", failure.word());
    if let Failure::Clock { ahead_s } = failure {
        location.push_str(&format!("&seconds={ahead_s}"));
    }
    if next != "/" {
        location.push_str("&next=");
        location.extend(next.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        }));
    }
    away(&location, cookies)
}

//! Signing in from a browser: the token is a cookie that scripts can't read and other sites can't send.
//!
//! The `__Host-` prefix binds it to this very host over TLS, `SameSite=Strict` keeps other sites from using it, and a change also has to
//! say in `Origin` (or `Sec-Fetch-Site`) that it comes from a page of this server: a browser always does.

use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method};
use lineman_common::error::ErrorCode;

use crate::web::ApiError;

const COOKIE_NAME: &str = "__Host-lineman";
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// The token that a browser's request carries, if it may use it.
///
/// # Errors
/// A change that does not come from a page of this server.
pub fn token(method: &Method, headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(token) = cookie(headers) else { return Ok(None) };
    if method.is_safe() || is_from_here(headers) {
        return Ok(Some(token));
    }
    let error = ApiError::new(ErrorCode::Forbidden, "a change by cookie has to come from a page of this server");
    Err(error.hint("programs send `authorization: Bearer TOKEN` instead"))
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let own = all.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == COOKIE_NAME);
    own.map(|(_, token)| token.to_owned()).filter(|token| !token.is_empty())
}

fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => origin.strip_prefix("https://").is_some_and(|origin| origin.eq_ignore_ascii_case(host)),
        (None, _) => headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin"),
        (Some(_), None) => false,
    }
}

/// Sets the cookie for as long as the token lives.
pub fn set(token: &str, seconds: i64) -> String {
    format!("{COOKIE_NAME}={token}; Max-Age={seconds}; {ATTRIBUTES}")
}

/// Takes the cookie away.
pub fn clear() -> String {
    format!("{COOKIE_NAME}=; Max-Age=0; {ATTRIBUTES}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_change_comes_from_a_page_of_this_server_or_not_at_all() {
        let cookie = ("cookie", "theme=dark; __Host-lineman=lm_1");
        let host = ("host", "support.example:7443");
        let ask = |method: Method, more: &[(&'static str, &'static str)]| token(&method, &headers(&[&[cookie, host], more].concat()));
        assert_eq!(ask(Method::GET, &[]).unwrap().as_deref(), Some("lm_1"));
        assert_eq!(ask(Method::POST, &[("origin", "https://support.example:7443")]).unwrap().as_deref(), Some("lm_1"));
        assert_eq!(ask(Method::POST, &[("sec-fetch-site", "same-origin")]).unwrap().as_deref(), Some("lm_1"));
        for other in [
            ("origin", "https://evil.example"),
            ("origin", "http://support.example:7443"),
            ("origin", "https://support.example:7443.evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "none"),
            ("accept", "*/*"),
        ] {
            assert!(ask(Method::POST, &[other]).is_err(), "{other:?}");
            assert!(ask(Method::DELETE, &[other]).is_err(), "{other:?}");
        }
        // Who says two things is believed in the stricter one.
        assert!(ask(Method::POST, &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")]).is_err());
    }

    #[test]
    fn only_its_own_cookie_counts() {
        for none in ["lineman=lm_1", "x__Host-lineman=lm_1", "__Host-lineman=", "__host-lineman=lm_1"] {
            assert_eq!(token(&Method::GET, &headers(&[("cookie", none)])).unwrap(), None, "{none}");
        }
        assert!(set("lm_1", 60).starts_with("__Host-lineman=lm_1; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Strict"));
    }
}

//! The web console's files, as they were built into this program (a debug build reads them from the tree), and the headers that hold
//! a browser to them.
//!
//! Whatever no route answers and a browser asks for as a page is the console: it knows its own addresses.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use lineman_common::statement::sha256_hex;

use super::layers;

#[derive(rust_embed::Embed)]
#[folder = "console/dist/"]
#[allow_missing = true]
struct Built;

/// What the build leaves open for the nonce of each answer; libraries that add style sheets of their own take it from there.
const NONCE_PLACE: &str = r#"name="csp-nonce" content="""#;
/// Names that carry a hash of what is in them never change.
const HASHED: &str = "assets/";
/// Built files are packed beside the plain ones; the better first.
const PACKED: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Answers what no route has answered.
pub async fn serve(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || path.starts_with("api/") || path.starts_with("agent/") {
        return layers::no_such_path(&request).into_response();
    }
    if !path.is_empty()
        && path != "index.html"
        && let Some(response) = file(&path, request.headers())
    {
        return response;
    }
    let asks_for_a_page =
        request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|a| a.contains("text/html"));
    if path.is_empty() || asks_for_a_page { index(request.headers()) } else { layers::no_such_path(&request).into_response() }
}

fn file(path: &str, asked: &HeaderMap) -> Option<Response> {
    let plain = Built::get(path)?;
    let etag = HeaderValue::from_str(&format!("\"{}\"", &data_encoding::HEXLOWER.encode(&plain.metadata.sha256_hash())[..32])).ok()?;
    let cache = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if asked.get(header::IF_NONE_MATCH) == Some(&etag) {
        headers.insert(header::ETAG, etag);
        return Some((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    headers.insert(header::ETAG, etag);
    let accepts = asked.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    for (coding, ending) in PACKED {
        if accepts.split(',').any(|offer| offer.trim() == coding)
            && let Some(packed) = Built::get(&format!("{path}{ending}"))
        {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            return Some((headers, packed.data.into_owned()).into_response());
        }
    }
    Some((headers, plain.data.into_owned()).into_response())
}

fn index(asked: &HeaderMap) -> Response {
    let built = Built::get("index.html");
    let html = built.as_ref().map_or(include_str!("no_console.html"), |file| std::str::from_utf8(&file.data).unwrap_or_default());
    // A wall that stays up for weeks asks with this whether there is a newer console.
    let etag = HeaderValue::from_str(&format!("\"{}\"", &sha256_hex(html)[..32]));
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let html = html.replace(NONCE_PLACE, &format!(r#"name="csp-nonce" content="{nonce}""#)).replace("{version}", env!("CARGO_PKG_VERSION"));
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    for (name, value) in page_headers(&nonce) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    if let Ok(etag) = etag {
        if asked.get(header::IF_NONE_MATCH) == Some(&etag) {
            return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
        }
        headers.insert(header::ETAG, etag);
    }
    response
}

/// Scripts, styles, requests: all from here and from nowhere else.
fn page_headers(nonce: &str) -> [(header::HeaderName, String); 8] {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; \
         font-src 'self' data:; media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        // Browsers heed it only where they trust the certificate, and never for an address without a name.
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_FRAME_OPTIONS, "DENY".to_owned()),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin".to_owned()),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin".to_owned()),
        (header::HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=(), usb=()".to_owned()),
    ]
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "mp3" => "audio/mpeg",
        _ => "application/octet-stream",
    }
}

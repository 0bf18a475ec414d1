//! The typed client of Lineman's HTTP API: one function per route, used by the commands, the demo and the end-to-end tests.
//!
//! The client believes one certificate authority, the one in the file it was given, and none of the machine's: the support
//! centre makes its own at its first start. It follows no redirect, because a redirect would carry the token somewhere
//! else. Errors that the server reports arrive as [`Problem`]s; everything else says what to check.

mod alarms;
mod carrier;
mod cases;
mod coverage;
mod events;
mod exchange;
mod faults;
mod lines;
mod notices;
mod reports;
mod offers;
mod offices;
mod routes;
mod sign_in;
mod sessions;
mod sse;
mod views;
mod walls;

pub use alarms::AlarmFilter;
pub use cases::{CaseFilter, HealthQuery};
pub use events::Events;
pub use faults::{FaultFilter, Seen};
pub use notices::NoticeFilter;
pub use reports::ReportQuery;
pub use routes::{Filter, Page};
pub use sessions::{GrepQuery, Watched, Watching};
pub use views::Ask;
pub use walls::AuditQuery;

use std::time::Duration;

use lineman_common::error::Problem;
use lineman_common::id::RequestKey;
use lineman_common::printable::escape;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Method, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long to wait for a TCP and TLS connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a silent server is waited for. The event stream sends comments more often than that.
const READ_TIMEOUT: Duration = Duration::from_secs(75);
/// How long an ordinary call may take. A challenge goes to the device and back, which is the slowest of them.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// For so long a request whose connection broke is sent again, under its key: as long as a server takes to start.
const RETRY_FOR: Duration = Duration::from_secs(15);
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// With the same key, the server carries a request out once, however often it arrives.
const KEY_HEADER: &str = "idempotency-key";

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("`{server}` is not a server address: {why}")]
    Address { server: String, why: String },
    #[error("the CA certificates can't be used: {0}")]
    Ca(String),
    #[error("the token can't be sent: it holds characters that no token has")]
    Token,
    #[error("can't reach {server}: {why}")]
    Unreachable { server: String, why: String, check: &'static str },
    #[error("{}", escape(&.0.title))]
    Problem(Box<Problem>),
    #[error("the server answered {status}, and not in the form of a Lineman server: {body}")]
    NotLineman { status: u16, body: String },
    #[error("the server's answer can't be read: {0}")]
    Reply(#[from] serde_json::Error),
    #[error("`{0}` is not a path of the API: expected one like `/api/v1/faults`")]
    Path(String),
}

/// What it takes to connect.
#[derive(Clone, Default)]
pub struct Connect {
    /// `https://host:port`. Plain `http` is taken for loopback addresses only.
    pub server: String,
    /// Certificates in PEM, the only ones believed; the machine's own when empty.
    pub ca_pem: Vec<u8>,
    pub token: Option<String>,
}

/// A connection to one server as one person. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    pub fn new(connect: &Connect) -> Result<Self, ClientError> {
        // Whoever comes first installs the provider; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = server_url(&connect.server)?;
        let mut headers = HeaderMap::new();
        if let Some(token) = &connect.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("lineman/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT);
        if !connect.ca_pem.is_empty() {
            let roots = Certificate::from_pem_bundle(&connect.ca_pem).map_err(|e| ClientError::Ca(causes(&e)))?;
            if roots.is_empty() {
                return Err(ClientError::Ca("the file holds no `-----BEGIN CERTIFICATE-----`".into()));
            }
            builder = builder.tls_certs_only(roots);
        }
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| ClientError::Ca(causes(&e)))?;
        Ok(Self { http, base })
    }

    /// The server's address, as it is compared and shown: without a slash at its end.
    pub fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// The address of a route. Every segment is encoded, so that what a person typed stays one segment.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(segments);
        }
        url
    }

    async fn send<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, ClientError> {
        let response = self.reply(request.timeout(CALL_TIMEOUT)).await?;
        let body = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        // Routes with nothing to say answer 204; `()` reads as JSON's null.
        Ok(serde_json::from_slice(if body.is_empty() { b"null" } else { &body })?)
    }

    /// Sends a POST under a key of its own, and again when the connection broke: whether it was carried out is the server's to know.
    async fn send_once<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, ClientError> {
        let body = self.bytes_once(request.timeout(CALL_TIMEOUT)).await?;
        Ok(serde_json::from_slice(if body.is_empty() { b"null" } else { &body })?)
    }

    async fn bytes_once(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let request = request.header(KEY_HEADER, RequestKey::new().to_string());
        let begun = std::time::Instant::now();
        let mut was_sent = false;
        loop {
            let Some(again) = request.try_clone() else { return Err(ClientError::Path("a request that can't be repeated".into())) };
            let error = match again.send().await {
                Ok(response) => {
                    let response = Self::success(response).await.map_err(|error| error.unwrap_or_else(|e| self.unreachable(&e)))?;
                    match response.bytes().await {
                        Ok(body) => return Ok(body.to_vec()),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            // Nobody was there: nothing was carried out, and waiting is the caller's choice. A server that answers nothing for a
            // minute will not do so in the next one.
            was_sent |= !error.is_connect();
            if !was_sent || error.is_timeout() || error.is_builder() || begun.elapsed() > RETRY_FOR {
                return Err(self.unreachable(&error));
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Sends, and turns everything but a success into an error.
    async fn reply(&self, request: reqwest::RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        Self::success(response).await.map_err(|error| error.unwrap_or_else(|e| self.unreachable(&e)))
    }

    /// The error is the server's own, or that of the connection.
    async fn success(response: Response) -> Result<Response, Result<ClientError, reqwest::Error>> {
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(Err)?;
        Err(Ok(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => ClientError::Problem(Box::new(problem)),
            Err(_) => {
                ClientError::NotLineman { status, body: escape(&String::from_utf8_lossy(&body).chars().take(200).collect::<String>()) }
            }
        }))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, segments: &[&str], query: &[(&str, String)]) -> Result<T, ClientError> {
        self.send(self.http.get(self.url(segments)).query(query)).await
    }

    pub(crate) async fn post<B: Serialize + ?Sized, T: DeserializeOwned>(&self, segments: &[&str], body: &B) -> Result<T, ClientError> {
        self.send_once(self.http.post(self.url(segments)).json(body)).await
    }

    pub(crate) async fn post_empty<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T, ClientError> {
        self.send_once(self.http.post(self.url(segments))).await
    }

    pub(crate) async fn put<B: Serialize + ?Sized, T: DeserializeOwned>(&self, segments: &[&str], body: &B) -> Result<T, ClientError> {
        self.send(self.http.put(self.url(segments)).json(body)).await
    }

    /// Any route: for `lineman api` and for tests that send what the typed functions can't. Answers status and body as they came.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Option<Vec<u8>>,
    ) -> Result<(u16, Vec<u8>), ClientError> {
        let wrong = || ClientError::Path(escape(path));
        if !path.starts_with('/') || path.starts_with("//") {
            return Err(wrong());
        }
        let url = self.base.join(path).map_err(|_| wrong())?;
        if url.origin() != self.base.origin() {
            return Err(wrong());
        }
        let is_post = method == Method::POST;
        let mut request = self.http.request(method, url).timeout(CALL_TIMEOUT);
        if is_post {
            request = request.header(KEY_HEADER, RequestKey::new().to_string());
        }
        if !query.is_empty() {
            request = request.query(query);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        let status = response.status().as_u16();
        Ok((status, response.bytes().await.map_err(|e| self.unreachable(&e))?.to_vec()))
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        let why = causes(error);
        let check = if why.contains("UnknownIssuer") || why.contains("certificate") || why.contains("Certificate") {
            "the CA file must be the `ca.pem` of this server, and the address a name in its certificate (--ca, LINEMAN_CA)"
        } else if why.contains("dns") || why.contains("resolve") || why.contains("lookup") {
            "is the host name right, and does it resolve on this machine?"
        } else if error.is_timeout() {
            "the server did not answer in time: is it overloaded, or a firewall in between?"
        } else {
            "is the server running, and are host and port right? (--server, LINEMAN_SERVER)"
        };
        ClientError::Unreachable { server: self.server().to_owned(), why, check }
    }
}

/// The whole chain of causes in one line; reqwest's own text names only the outermost.
fn causes(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    // The first part is `error sending request for url (...)`, which the caller says better.
    if parts.len() > 1 && parts[0].starts_with("error sending request") {
        parts.remove(0);
    }
    escape(&parts.join(": "))
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

/// Reads a server address. A host without a scheme means https.
pub fn server_url(text: &str) -> Result<Url, ClientError> {
    let wrong = |why: &str| ClientError::Address { server: escape(text), why: why.to_owned() };
    let full = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&full).map_err(|e| wrong(&e.to_string()))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("the host is missing, as in https://support.example:7443"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("a name or password doesn't belong into it"));
    }
    if url.query().is_some() || url.fragment().is_some() || url.path() != "/" {
        return Err(wrong("nothing follows host and port, as in https://support.example:7443"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(wrong("plain http would show the token to the network: use https")),
        other => Err(wrong(&format!("`{other}` is not https"))),
    }
}

/// Every accept header that matters is JSON, except for the event stream.
pub(crate) fn accept_events() -> (reqwest::header::HeaderName, HeaderValue) {
    (ACCEPT, HeaderValue::from_static("text/event-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_a_token_is_sent_there() {
        assert_eq!(server_url("support.example:7443").unwrap().as_str(), "https://support.example:7443/");
        assert!(server_url("http://127.0.0.1:80").is_ok() && server_url("http://[::1]:80").is_ok());
        for text in ["", "http://support.example", "ftp://a", "https://u:p@a", "https://a/b", "https://a?x=1", "https://"] {
            assert!(server_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_person_types_stays_one_segment() {
        let client = Client::new(&Connect { server: "http://127.0.0.1:1".into(), ..Connect::default() }).unwrap();
        assert_eq!(client.url(&["faults", "a/b?c"]).as_str(), "http://127.0.0.1:1/api/v1/faults/a%2Fb%3Fc");
    }

    #[test]
    fn a_client_can_not_be_led_to_another_host() {
        let client = Client::new(&Connect { server: "http://127.0.0.1:1".into(), ..Connect::default() }).unwrap();
        for path in ["//evil.example/x", "http://evil.example/", "api", "/\\evil.example/x"] {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let result = runtime.block_on(client.call(Method::GET, path, &[], None));
            assert!(matches!(result, Err(ClientError::Path(_))), "{path}");
        }
    }
}

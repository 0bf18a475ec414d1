//! A JSON POST to a URL of the carrier's. Any 2xx counts as delivered; a redirect is not followed, and an answer's body is not read.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use jiff::Timestamp;
use lineman_common::name::NeName;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::SendError;
use super::config::Webhook;
use crate::https;
use crate::journal::{Position, Written};

const SOFTWARE: &str = concat!("lineman-agent/", env!("CARGO_PKG_VERSION"));

/// What is posted.
#[derive(Serialize)]
struct Post<'a> {
    device: &'a NeName,
    entries: Vec<Posted<'a>>,
}

#[derive(Serialize)]
struct Posted<'a> {
    n: u64,
    at: Timestamp,
    kind: &'static str,
    /// For people.
    text: String,
    /// The journal's line as it is there; `sha256` is its hash, and the next line's `prev`.
    line: &'a str,
    sha256: String,
}

pub async fn send(to: &Webhook, device: &NeName, entries: &[Written]) -> Result<(), SendError> {
    let request = request(to, device, entries)?;
    let connecting = |source| SendError::Io { what: "connecting", source };
    let tcp = TcpStream::connect((to.host.as_str(), to.port)).await.map_err(connecting)?;
    let status = match &to.ca {
        Some(ca) => {
            let name = ServerName::try_from(to.host.clone()).map_err(|e| SendError::Config(format!("{}: {e}", to.host)))?;
            let tls = TlsConnector::from(tls(ca)?).connect(name, tcp).await.map_err(|source| SendError::Io { what: "TLS", source })?;
            https::status(tls, request).await
        }
        None => https::status(tcp, request).await,
    };
    match status.map_err(|e| SendError::Http(https::why(&e)))? {
        status if status.is_success() => Ok(()),
        status if status.is_redirection() => Err(SendError::Answer(format!("it answers {status}: redirects are not followed"))),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) if to.token_file.is_none() => {
            Err(SendError::Answer(format!("it answers {status}: does it want a token (sink.webhook_token_file)?")))
        }
        status => Err(SendError::Answer(format!("it answers {status}"))),
    }
}

fn request(to: &Webhook, device: &NeName, entries: &[Written]) -> Result<Request<Full<Bytes>>, SendError> {
    let posted = entries.iter().map(|entry| Posted {
        n: entry.line.n,
        at: entry.line.at,
        kind: entry.line.entry.kind(),
        text: entry.line.entry.text(),
        line: &entry.text,
        sha256: Position::of(entry).sha256,
    });
    let body = serde_json::to_vec(&Post { device, entries: posted.collect() }).map_err(|e| SendError::Config(e.to_string()))?;
    let host = if to.host.contains(':') { format!("[{}]:{}", to.host, to.port) } else { format!("{}:{}", to.host, to.port) };
    let mut request = Request::post(&to.path)
        .header(HOST, host)
        .header(USER_AGENT, SOFTWARE)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| SendError::Config(e.to_string()))?;
    if let Some(file) = &to.token_file {
        let wrong = |why: String| SendError::Config(format!("{}: {why}", file.display()));
        let token = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| wrong("it is not a token".into()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    Ok(request)
}

/// The authorities of the file, read anew each time: a renewed one counts at once.
fn tls(ca: &std::path::Path) -> Result<Arc<ClientConfig>, SendError> {
    let wrong = |why: String| SendError::Config(format!("{}: {why}", ca.display()));
    let pem = std::fs::read(ca).map_err(|e| wrong(e.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates.map_err(|e| wrong(e.to_string()))?);
    if added == 0 {
        return Err(wrong("there is no certificate in it: expected PEM".into()));
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

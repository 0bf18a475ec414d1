//! One HTTP request over one connection: enrolment, `doctor` and the webhook need no more, and a client pool would cost memory.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// No answer to an agent is longer.
const MAX_REPLY_BYTES: usize = 256 * 1024;
/// For the head of an answer whose body is not read.
const MAX_HEAD_BYTES: usize = 16 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    #[error("HTTP with the centre: {0}")]
    Http(#[from] hyper::Error),
    #[error("reading the centre's answer: {0}")]
    Body(String),
}

pub struct Reply {
    pub status: StatusCode,
    /// The `Date` header, for judging clocks.
    pub date: Option<String>,
    pub body: Bytes,
}

pub async fn send(stream: impl AsyncRead + AsyncWrite + Unpin + Send, request: Request<Full<Bytes>>) -> Result<Reply, HttpsError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let reply = sender.send_request(request).await?;
        let status = reply.status();
        let date = reply.headers().get("date").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = Limited::new(reply.into_body(), MAX_REPLY_BYTES).collect().await.map_err(|e| HttpsError::Body(e.to_string()))?;
        Ok(Reply { status, date, body: body.to_bytes() })
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        reply = &mut exchange => reply,
        // The connection may end first, well or not, with the whole answer already read.
        ended = &mut connection => exchange.await.map_err(|error| ended.err().map_or(error, HttpsError::Http)),
    }
}

/// Sends a request and reads the head of the answer only: for those of whom nothing is wanted but a yes.
pub async fn status(stream: impl AsyncRead + AsyncWrite + Unpin + Send, request: Request<Full<Bytes>>) -> hyper::Result<StatusCode> {
    let mut builder = hyper::client::conn::http1::Builder::new();
    let (mut sender, connection) = builder.max_buf_size(MAX_HEAD_BYTES).handshake(TokioIo::new(stream)).await?;
    tokio::pin!(connection);
    let reply = sender.send_request(request);
    tokio::pin!(reply);
    tokio::select! {
        reply = &mut reply => reply.map(|reply| reply.status()),
        ended = &mut connection => reply.await.map(|reply| reply.status()).map_err(|error| ended.err().unwrap_or(error)),
    }
}

/// An error with what is behind it: hyper's own words leave out the cause.
pub fn why(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

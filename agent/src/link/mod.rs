//! The link: the agent's one standing connection, kept up for ever.
//!
//! A WebSocket over mutual TLS. Reports go up in three streams, events first; what comes down (orders, acknowledgements) is
//! handled ahead of everything. Nothing is sent that is not in the spool, and nothing leaves the spool that is not acknowledged.

mod streams;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use lineman_common::link::{FromAgent, Hello, MAX_FRAME_BYTES, Outcome, PROTOCOL, SILENCE_S, ToAgent};
use lineman_common::printable::escape;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

use self::streams::Streams;
use crate::agent::{Agent, SOFTWARE};
use crate::spool::SpoolError;
use crate::{orders, tls};

/// A centre that doesn't finish the handshakes is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(SILENCE_S);
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    #[error("the centre did not answer in time")]
    Timeout,
    #[error("the centre refused the link: {0}")]
    Refused(String),
    #[error("the link broke: {0}")]
    WebSocket(Box<tungstenite::Error>),
    #[error("the centre has been silent for {SILENCE_S} s")]
    Silent,
    #[error("the centre closed the link")]
    Closed,
    #[error("the centre speaks protocol {0}; this agent speaks {PROTOCOL}")]
    Protocol(u32),
    #[error("a frame from the centre can't be read: {0}")]
    Frame(serde_json::Error),
    #[error("writing a frame: {0}")]
    Json(#[source] serde_json::Error),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("the centre has reports that this spool never sent: it was rolled back, and begins anew")]
    RolledBack,
    #[error("the centre says goodbye: {reason}")]
    Goodbye { reason: String, retry_after: Duration },
    #[error("the agent stops")]
    Stopping,
}

impl LinkError {
    /// How long to wait, where that is not ours to choose.
    fn asked_wait(&self) -> Option<Duration> {
        if let Self::Goodbye { retry_after, .. } = self {
            return (!retry_after.is_zero()).then(|| *retry_after + jitter(*retry_after / 2));
        }
        matches!(self, Self::RolledBack).then_some(Duration::ZERO)
    }
}

impl From<tungstenite::Error> for LinkError {
    fn from(error: tungstenite::Error) -> Self {
        if let tungstenite::Error::Http(reply) = &error {
            let body = reply.body().as_deref().unwrap_or_default();
            let text = String::from_utf8_lossy(body).chars().take(300).collect::<String>();
            return Self::Refused(format!("{} {}", reply.status(), escape(&text)));
        }
        Self::WebSocket(Box::new(error))
    }
}

/// Connects, and connects again, until it is stopped.
pub async fn run(agent: Arc<Agent>, config: Arc<ClientConfig>, stop: CancellationToken) {
    let mut failures = 0;
    loop {
        let mut welcomed = false;
        let Err(error) = visit(&agent, Arc::clone(&config), &stop, &mut welcomed).await;
        if stop.is_cancelled() {
            return;
        }
        failures = if welcomed { 0 } else { failures + 1 };
        let wait = error.asked_wait().unwrap_or_else(|| FIRST_BACKOFF + jitter(backoff(failures)));
        tracing::warn!(%error, retry_s = wait.as_secs_f64(), "the link is down");
        agent.set_link(false, Some(error.to_string()));
        tokio::select! {
            () = sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn backoff(failures: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(1 << failures.min(16)).min(LONGEST_BACKOFF)
}

/// Anything from nothing to `most`: a thousand agents must not come back in one moment.
fn jitter(most: Duration) -> Duration {
    let mut random = [0; 4];
    match ssh_key::getrandom::fill(&mut random) {
        Ok(()) => most.mul_f64(f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX)),
        Err(_) => most,
    }
}

async fn visit(
    agent: &Arc<Agent>,
    config: Arc<ClientConfig>,
    stop: &CancellationToken,
    welcomed: &mut bool,
) -> Result<std::convert::Infallible, LinkError> {
    let opening = open(agent, config);
    let socket = tokio::select! {
        socket = timeout(CONNECT_TIMEOUT, opening) => socket.map_err(|_| LinkError::Timeout)??,
        () = stop.cancelled() => return Err(LinkError::Stopping),
    };
    let mut visit = Visit { agent, stop, socket, streams: Streams::new(), heard: Instant::now() };
    let result = visit.run(welcomed).await;
    let _ = timeout(Duration::from_secs(1), visit.socket.close(None)).await;
    result
}

async fn open(
    agent: &Agent,
    config: Arc<ClientConfig>,
) -> Result<WebSocketStream<impl AsyncRead + AsyncWrite + Unpin + Send + use<>>, LinkError> {
    let server = &agent.identity.server;
    let stream = tls::connect(server, config).await?;
    let limits = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_FRAME_BYTES)
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    let address = format!("wss://{server}/agent/v1/link");
    let (socket, _) = tokio_tungstenite::client_async_with_config(address, stream, Some(limits)).await?;
    Ok(socket)
}

/// One connection.
struct Visit<'a, S> {
    agent: &'a Arc<Agent>,
    stop: &'a CancellationToken,
    socket: WebSocketStream<S>,
    streams: Streams,
    /// When the centre last said anything.
    heard: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Visit<'_, S> {
    async fn run(&mut self, welcomed: &mut bool) -> Result<std::convert::Infallible, LinkError> {
        let hello = Hello {
            protocol: PROTOCOL,
            software: SOFTWARE.to_owned(),
            epoch: self.agent.outbox.spool().epoch(),
            boot_id: self.agent.boot_id.clone(),
            capabilities: Vec::new(),
            roster: self.agent.consents.roster_counter(),
        };
        self.send(text(&FromAgent::Hello(hello))?).await?;
        let mut orders: JoinSet<(u64, Outcome)> = JoinSet::new();
        let mut pings = interval(SILENCE / 3);
        let agent = Arc::clone(self.agent);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(LinkError::Stopping),
                message = self.socket.next() => {
                    self.heard = Instant::now();
                    let message = message.ok_or(LinkError::Closed)??;
                    self.hear(message, &mut orders, welcomed).await?;
                }
                Some(done) = orders.join_next() => {
                    if let Ok((order, outcome)) = done {
                        self.send(text(&FromAgent::Answer { order, outcome })?).await?;
                    }
                }
                () = sleep_until(self.heard + SILENCE) => return Err(LinkError::Silent),
                _ = pings.tick() => self.send(Message::Ping(Vec::new().into())).await?,
                () = agent.outbox.nudged() => self.streams.look_again(),
                () = std::future::ready(()), if self.streams.has_work() => {
                    for frame in self.streams.next(&agent.outbox)? {
                        self.send(frame).await?;
                    }
                }
            }
        }
    }

    async fn hear(&mut self, message: Message, orders: &mut JoinSet<(u64, Outcome)>, welcomed: &mut bool) -> Result<(), LinkError> {
        let frame = match message {
            Message::Text(text) => serde_json::from_str::<ToAgent>(&text).map_err(LinkError::Frame)?,
            Message::Close(_) => return Err(LinkError::Closed),
            // Pongs are heard; pings are answered by the socket when it is next flushed.
            Message::Ping(_) => return Ok(self.socket.flush().await?),
            Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => return Ok(()),
        };
        match frame {
            ToAgent::Welcome { protocol, stored } => {
                if protocol != PROTOCOL {
                    return Err(LinkError::Protocol(protocol));
                }
                self.agent.nudges.resynchronise.store(true, Ordering::Relaxed);
                self.streams.welcome(&self.agent.outbox, &stored)?;
                *welcomed = true;
                self.agent.set_link(true, None);
                self.agent.tell_receipt();
                tracing::info!(server = %self.agent.identity.server, "the link is up");
            }
            ToAgent::Ack { stream, seq } => self.streams.acked(&self.agent.outbox, stream, seq)?,
            ToAgent::Order { id, order } => {
                if let Some(outcome) = orders::begin(self.agent, orders, id, order) {
                    self.send(text(&FromAgent::Answer { order: id, outcome })?).await?;
                }
            }
            ToAgent::Goodbye { reason, retry_after_s } => {
                let retry_after = Duration::from_secs(retry_after_s.min(3600));
                return Err(LinkError::Goodbye { reason: escape(&reason), retry_after });
            }
        }
        Ok(())
    }

    /// A peer that takes nothing for as long as that is lost, too.
    async fn send(&mut self, message: Message) -> Result<(), LinkError> {
        Ok(timeout(SILENCE, self.socket.send(message)).await.map_err(|_| LinkError::Silent)??)
    }
}

fn text(frame: &FromAgent) -> Result<Message, LinkError> {
    serde_json::to_string(frame).map(Message::text).map_err(LinkError::Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_and_stays_bounded() {
        assert_eq!(backoff(0), FIRST_BACKOFF);
        assert!(backoff(3) > backoff(1));
        assert_eq!(backoff(u32::MAX), LONGEST_BACKOFF);
        assert!((0..100).all(|_| jitter(LONGEST_BACKOFF) <= LONGEST_BACKOFF));
    }
}

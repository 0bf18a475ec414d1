//! The link: the agent's one standing connection, kept up for ever.
//!
//! A WebSocket over mutual TLS. Reports go up in three streams, events first; what comes down (orders, acknowledgements) is
//! handled ahead of everything. Nothing is sent that is not in the spool, and nothing leaves the spool that is not acknowledged.

mod retry;
mod streams;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use lineman_common::link::{FromAgent, Hello, MAX_FRAME_BYTES, Outcome, PROTOCOL, SILENCE_S, ToAgent};
use lineman_common::printable::escape;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

use self::retry::Retry;
use self::streams::Streams;
use crate::agent::{Agent, SOFTWARE};
use crate::dial::DialError;
use crate::orders;
use crate::spool::SpoolError;

/// From the end of the TLS handshake to that of the WebSocket's.
const UPGRADE_PATIENCE: Duration = Duration::from_secs(5);
/// From our hello to the welcome: the centre looks into its database for it, perhaps for a thousand devices at the same time.
const WELCOME_PATIENCE: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(SILENCE_S);
/// The same trouble is said once, and again so often.
const SAY_AGAIN: Duration = Duration::from_secs(300);

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the centre took the connection, and did not answer within {} s", UPGRADE_PATIENCE.as_secs())]
    NoUpgrade,
    #[error("the centre did not welcome this device within {} s", WELCOME_PATIENCE.as_secs())]
    NoWelcome,
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
    /// Nobody was reached, or the kernel says that nobody can be any more.
    fn is_unreachable(&self) -> bool {
        match self {
            Self::Dial(error) => error.is_unreachable(),
            Self::WebSocket(error) => matches!(&**error, tungstenite::Error::Io(error) if is_lost_path(error)),
            Self::NoUpgrade
            | Self::NoWelcome
            | Self::Refused(_)
            | Self::Silent
            | Self::Closed
            | Self::Protocol(_)
            | Self::Frame(_)
            | Self::Json(_)
            | Self::Spool(_)
            | Self::RolledBack
            | Self::Goodbye { .. }
            | Self::Stopping => false,
        }
    }

    /// How long to wait at least, where that is not ours to choose.
    fn asked_wait(&self) -> Option<Duration> {
        if let Self::Goodbye { retry_after, .. } = self { Some(*retry_after).filter(|wait| !wait.is_zero()) } else { None }
    }

    /// The connection may carry another word.
    fn leaves_a_connection(&self) -> bool {
        match self {
            Self::Dial(_) | Self::NoUpgrade | Self::Refused(_) | Self::WebSocket(_) | Self::Silent | Self::Closed => false,
            Self::NoWelcome
            | Self::Protocol(_)
            | Self::Frame(_)
            | Self::Json(_)
            | Self::Spool(_)
            | Self::RolledBack
            | Self::Goodbye { .. }
            | Self::Stopping => true,
        }
    }
}

fn is_lost_path(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable)
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
pub async fn run(agent: Arc<Agent>, stop: CancellationToken) {
    let (mut retry, mut said) = (Retry::default(), Said::default());
    loop {
        let (began, mut welcomed) = (Instant::now(), None);
        let Err(error) = visit(&agent, &stop, &mut welcomed).await;
        if stop.is_cancelled() {
            return;
        }
        let wait = retry.wait(&error, began.elapsed(), welcomed.map(|at: Instant| at.elapsed()));
        if welcomed.is_some() {
            said = Said::default();
        }
        if said.is_new(&error) {
            tracing::warn!(%error, retry_s = wait.as_secs_f64(), "the link is down");
        } else {
            tracing::debug!(%error, retry_s = wait.as_secs_f64(), "the link is still down");
        }
        agent.set_link(false, Some(error.to_string()));
        tokio::select! {
            () = sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// What was said of the link last: a network that is down for a weekend must not fill the log.
#[derive(Default)]
struct Said(Option<(String, Instant)>);

impl Said {
    fn is_new(&mut self, error: &LinkError) -> bool {
        let text = error.to_string();
        if self.0.as_ref().is_some_and(|(said, at)| *said == text && at.elapsed() < SAY_AGAIN) {
            return false;
        }
        self.0 = Some((text, Instant::now()));
        true
    }
}

async fn visit(
    agent: &Arc<Agent>,
    stop: &CancellationToken,
    welcomed: &mut Option<Instant>,
) -> Result<std::convert::Infallible, LinkError> {
    let socket = tokio::select! {
        socket = open(agent) => socket?,
        () = stop.cancelled() => return Err(LinkError::Stopping),
    };
    let mut visit = Visit { agent, stop, socket, streams: Streams::new(), heard: Instant::now() };
    let result = visit.run(welcomed).await;
    if result.as_ref().is_err_and(LinkError::leaves_a_connection) {
        let _ = timeout(Duration::from_secs(1), visit.socket.close(None)).await;
    }
    result
}

async fn open(agent: &Agent) -> Result<WebSocketStream<impl AsyncRead + AsyncWrite + Unpin + Send + use<>>, LinkError> {
    let stream = agent.dialer.link().await?;
    let limits = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_FRAME_BYTES)
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    let address = format!("wss://{}/agent/v1/link", agent.identity.server);
    let upgrade = tokio_tungstenite::client_async_with_config(address, stream, Some(limits));
    let (socket, _) = timeout(UPGRADE_PATIENCE, upgrade).await.map_err(|_| LinkError::NoUpgrade)??;
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
    async fn run(&mut self, welcomed: &mut Option<Instant>) -> Result<std::convert::Infallible, LinkError> {
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
        let welcome_by = Instant::now() + WELCOME_PATIENCE;
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
                () = sleep_until(welcome_by), if welcomed.is_none() => return Err(LinkError::NoWelcome),
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

    async fn hear(
        &mut self,
        message: Message,
        orders: &mut JoinSet<(u64, Outcome)>,
        welcomed: &mut Option<Instant>,
    ) -> Result<(), LinkError> {
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
                *welcomed = Some(Instant::now());
                self.agent.set_link(true, None);
                self.agent.dialer.welcomed();
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

//! The agent link's door: one WebSocket an agent, over TLS with a client certificate.
//!
//! Who is at the other end is known from the TLS handshake (the key that enrolled), never from what it says, and what it says is
//! stored under its own name only. Reports go, one transaction each, into the rooms they belong to, together with the
//! sequence number that makes them count once; the store's group commit puts the reports of all agents that come at the same
//! time on disk in one flush. Orders go out ahead of acknowledgements.

mod answers;
mod reports;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::FutureExt;
use lineman_common::link::{FromAgent, Hello, MAX_FRAME_BYTES, Outcome, PROTOCOL, RecordingFrame, Report, SILENCE_S, Stream, ToAgent};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::time::{Instant, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agents::{self, Ask, Links, Registration};
use crate::equipment::{self, Known, Reference};
use crate::health::Samples;
use crate::sessions;
use crate::store::{Nudge, Store};
use crate::trust;
use crate::web::{ApiError, Scope};

/// An agent that has said nothing for so long, or taken nothing, is gone.
const SILENCE: Duration = Duration::from_secs(SILENCE_S);
/// Reports of the events stream that are stored as one job: a few milliseconds of the writer, which others wait for.
const MOST_TOGETHER: usize = 128;
/// For the last word to an agent that is perhaps not there any more.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(1);

/// The link key of the peer, from the TLS handshake.
#[derive(Clone, Debug)]
pub struct LinkKey(pub String);

#[derive(Clone)]
pub struct Door {
    pub store: Store,
    pub samples: Samples,
    pub links: Links,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

pub fn routes(door: Door) -> Router {
    Router::new().route("/agent/v1/link", get(open)).with_state(Arc::new(door))
}

async fn open(State(door): State<Arc<Door>>, key: Option<Extension<LinkKey>>, upgrade: WebSocketUpgrade) -> Result<Response, ApiError> {
    let Some(Extension(LinkKey(key))) = key else {
        return Err(ApiError::unauthenticated().hint("agents connect with ALPN lineman/1 and the certificate of their enrolment"));
    };
    let link_key = key.clone();
    let find = move |db: &crate::store::Db<'_>| -> Result<_, ApiError> {
        let id = trust::device_of_link_key(db, &key)?.ok_or_else(ApiError::unauthenticated)?;
        Ok(equipment::find(db, &Scope::All, &Reference::Id(id))?)
    };
    let device = door.store.read(find).await?;
    let upgrade = upgrade.read_buffer_size(4096).write_buffer_size(0).max_frame_size(MAX_FRAME_BYTES).max_message_size(MAX_FRAME_BYTES);
    let tasks = door.tasks.clone();
    Ok(upgrade.on_upgrade(move |socket| async move {
        // On the tracker, so that a shutdown waits for the goodbye.
        let _ = tasks.spawn(serve(door, device, link_key, socket, SILENCE)).await;
    }))
}

async fn serve(door: Arc<Door>, device: Known, key: String, mut socket: WebSocket, silence: Duration) {
    let why = match hello(&mut socket).await {
        Err(why) => why,
        Ok(hello) => {
            let mut registration = door.links.register(device.id);
            let mut link = Link {
                door: door.clone(),
                device: device.clone(),
                key,
                hello,
                silence,
                orders: HashMap::new(),
                next_order: 1 << 48,
                sent: 0,
                no_room: false,
                beyond: None,
            };
            let why = match link.welcome(&mut socket).await {
                Ok(()) => link.run(&mut socket, &mut registration).await,
                Err(why) => why,
            };
            drop(link);
            tracing::info!(agent.id = %device.name, %why, "link closed");
            offline(&door, device, registration, why.to_string()).await;
            why
        }
    };
    let goodbye = ToAgent::Goodbye { reason: why.to_string(), retry_after_s: 1 };
    let _ = send(&mut socket, &goodbye, GOODBYE_PATIENCE).await;
}

/// Says that the agent is gone, unless a newer link of it is there. That is asked where it is written down: a newer link registers
/// before it writes that the agent is here.
async fn offline(door: &Door, device: Known, registration: Registration, why: String) {
    let job = move |tx: &mut crate::store::Tx<'_>| -> Result<(), ApiError> {
        if registration.is_current() { Ok(agents::disconnected(tx, &device, &why)?) } else { Ok(()) }
    };
    if let Err(error) = door.store.write(job).await {
        tracing::error!(?error, "a lost link could not be recorded");
    }
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
enum Gone {
    #[error("the peer did not say hello: {0}")]
    Hello(String),
    #[error("the agent closed the link")]
    Closed,
    #[error("the link broke: {0}")]
    Broken(#[from] axum::Error),
    #[error("nothing was heard for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("nothing was taken for {} s", .0.as_secs())]
    Stuck(Duration),
    #[error("a newer link of the same device took its place")]
    Replaced,
    #[error("the device has enrolled anew, with another key")]
    Reenrolled,
    #[error("the server stops")]
    Stopping,
    #[error("the agent said what can't be read: {0}")]
    Unreadable(String),
    #[error("there is room for recordings again")]
    RoomAgain,
    #[error("the server could not store what it was told")]
    NotStored,
}

impl From<ApiError> for Gone {
    fn from(error: ApiError) -> Self {
        tracing::error!(?error, "a report could not be stored");
        Self::NotStored
    }
}

async fn send(socket: &mut WebSocket, message: &ToAgent, patience: Duration) -> Result<(), Gone> {
    let text = serde_json::to_string(message).map_err(|e| Gone::Unreadable(e.to_string()))?;
    put(socket, Message::text(text), patience).await
}

/// A peer that takes nothing must not hold this link for as long as its kernel, or the network, has patience.
async fn put(socket: &mut WebSocket, message: Message, patience: Duration) -> Result<(), Gone> {
    Ok(timeout(patience, socket.send(message)).await.map_err(|_| Gone::Stuck(patience))??)
}

async fn hello(socket: &mut WebSocket) -> Result<Hello, Gone> {
    let message = timeout(Duration::from_secs(10), socket.recv()).await.map_err(|_| Gone::Hello("it was silent".into()))?;
    match message {
        Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
            Ok(FromAgent::Hello(hello)) if hello.protocol >= PROTOCOL => Ok(hello),
            Ok(FromAgent::Hello(hello)) => Err(Gone::Hello(format!("it speaks protocol {}, this server {PROTOCOL}", hello.protocol))),
            Ok(_) => Err(Gone::Hello("it began with something else".into())),
            Err(error) => Err(Gone::Hello(error.to_string())),
        },
        _ => Err(Gone::Hello("it closed the connection".into())),
    }
}

/// One agent's link.
struct Link {
    door: Arc<Door>,
    device: Known,
    /// Of the certificate that it shows.
    key: String,
    hello: Hello,
    /// How long it may say nothing.
    silence: Duration,
    /// Questions that wait for their answer; orders of the outbox have no one waiting.
    orders: HashMap<u64, oneshot::Sender<Outcome>>,
    /// Numbers for questions, away from those of the outbox.
    next_order: u64,
    /// The newest order of the outbox that was sent on this link.
    sent: u64,
    /// There was no room for a chunk of a recording: none is taken on this link any more.
    no_room: bool,
    /// Read while events were gathered, and not one of them: the next that is heard.
    beyond: Option<Heard>,
}

/// What a link's reading gives; nothing when it has ended.
type Heard = Option<Result<Message, axum::Error>>;

impl Link {
    async fn welcome(&self, socket: &mut WebSocket) -> Result<(), Gone> {
        let (device, hello) = (self.device.clone(), self.hello.clone());
        let stored = self
            .door
            .store
            .write(move |tx| -> Result<_, ApiError> {
                agents::connected(tx, &device, &hello)?;
                Ok(agents::stored(tx, device.id, hello.epoch)?)
            })
            .await?;
        tracing::info!(agent.id = %self.device.name, software = %self.hello.software, "link open");
        self.say(socket, &ToAgent::Welcome { protocol: PROTOCOL, stored }).await
    }

    async fn say(&self, socket: &mut WebSocket, message: &ToAgent) -> Result<(), Gone> {
        send(socket, message, self.silence).await
    }

    async fn run(&mut self, socket: &mut WebSocket, registration: &mut Registration) -> Gone {
        let mut nudges = self.door.store.nudges();
        let mut ping = interval(self.silence / 3);
        let mut heard = Instant::now();
        if let Err(gone) = self.send_waiting(socket).await {
            return gone;
        }
        loop {
            let step = tokio::select! {
                biased;
                () = self.door.stop.cancelled() => Err(Gone::Stopping),
                () = registration.replaced.cancelled() => Err(Gone::Replaced),
                Some(ask) = registration.asks.recv() => self.ask(socket, ask).await,
                nudge = nudges.recv() => match nudge {
                    Ok(Nudge::Orders(id)) if id == self.device.id => self.send_waiting(socket).await,
                    Err(RecvError::Lagged(_)) => self.send_waiting(socket).await,
                    Ok(_) => Ok(()),
                    Err(RecvError::Closed) => Err(Gone::Stopping),
                },
                _ = ping.tick() => self.ping(socket).await,
                () = std::future::ready(()), if self.beyond.is_some() => {
                    let message = self.beyond.take().flatten();
                    self.hear(socket, message).await
                }
                message = socket.recv() => {
                    heard = Instant::now();
                    self.hear(socket, message).await
                }
                // After what it may have said: a server that was busy for long must not hold its own silence against the agent.
                () = sleep_until(heard + self.silence) => Err(Gone::Silent(self.silence)),
            };
            if let Err(gone) = step {
                return gone;
            }
        }
    }

    async fn ping(&self, socket: &mut WebSocket) -> Result<(), Gone> {
        let (id, customer) = (self.device.id, self.device.customer);
        self.door.store.write(move |tx| agents::seen(tx, id).map_err(ApiError::from)).await?;
        // The agent sends again what was not acknowledged when it comes back.
        if self.no_room && !self.door.store.read(move |db| sessions::quota::is_full(db, customer).map_err(ApiError::from)).await? {
            return Err(Gone::RoomAgain);
        }
        put(socket, Message::Ping(axum::body::Bytes::new()), self.silence).await
    }

    async fn ask(&mut self, socket: &mut WebSocket, ask: Ask) -> Result<(), Gone> {
        self.next_order += 1;
        self.orders.retain(|_, reply| !reply.is_closed());
        self.orders.insert(self.next_order, ask.reply);
        self.say(socket, &ToAgent::Order { id: self.next_order, order: ask.order }).await
    }

    /// Sends what waits in the outbox and was not sent on this link yet.
    async fn send_waiting(&mut self, socket: &mut WebSocket) -> Result<(), Gone> {
        let (id, key) = (self.device.id, self.key.clone());
        let look = move |db: &crate::store::Db<'_>| -> Result<_, ApiError> {
            Ok((trust::device_of_link_key(db, &key)?, agents::waiting(db, id)?))
        };
        let (owner, waiting) = self.door.store.read(look).await?;
        if owner != Some(id) {
            return Err(Gone::Reenrolled);
        }
        let sent = self.sent;
        for (id, order) in waiting.into_iter().filter(|(id, _)| *id > sent) {
            self.say(socket, &ToAgent::Order { id, order }).await?;
            self.sent = id;
        }
        Ok(())
    }

    async fn hear(&mut self, socket: &mut WebSocket, message: Heard) -> Result<(), Gone> {
        match message.ok_or(Gone::Closed)?? {
            Message::Text(text) => match serde_json::from_str(&text).map_err(|e| Gone::Unreadable(e.to_string()))? {
                FromAgent::Report { stream, seq, body } => self.report(socket, stream, seq, body.get()).await,
                FromAgent::Answer { order, outcome } => self.answer(order, outcome).await,
                FromAgent::Hello(_) => Err(Gone::Unreadable("a second hello".into())),
            },
            Message::Binary(bytes) => {
                let frame = RecordingFrame::decode(&bytes).ok_or_else(|| Gone::Unreadable("a short recording frame".into()))?;
                // Later chunks would acknowledge the one that there was no room for.
                if self.no_room
                    || !reports::recording(&self.door.store, &self.device, self.hello.epoch, frame.seq, frame.line.to_vec()).await?
                {
                    self.no_room = true;
                    return Ok(());
                }
                self.say(socket, &ToAgent::Ack { stream: Stream::Recording, seq: frame.seq }).await
            }
            Message::Close(_) => Err(Gone::Closed),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        }
    }

    async fn report(&mut self, socket: &mut WebSocket, stream: Stream, seq: u64, body: &str) -> Result<(), Gone> {
        let report = serde_json::from_str(body).map_err(|e| Gone::Unreadable(format!("report {seq} of {stream}: {e}")))?;
        match stream {
            Stream::Health => reports::health(&self.door, &self.device, self.hello.epoch, seq, report).await?,
            Stream::Events => return self.events(socket, (seq, report)).await,
            Stream::Recording => return Err(Gone::Unreadable("a recording chunk as text".into())),
        }
        self.say(socket, &ToAgent::Ack { stream, seq }).await
    }

    /// Takes the events that have come already along with the first one.
    async fn events(&mut self, socket: &mut WebSocket, first: (u64, Report)) -> Result<(), Gone> {
        let mut seq = first.0;
        let mut together = vec![first];
        while together.len() < MOST_TOGETHER && self.beyond.is_none() {
            let Some(message) = socket.recv().now_or_never() else { break };
            match event_of(&message) {
                Some(event) => {
                    seq = seq.max(event.0);
                    together.push(event);
                }
                None => self.beyond = Some(message),
            }
        }
        reports::events(&self.door.store, &self.device, self.hello.epoch, together).await?;
        self.say(socket, &ToAgent::Ack { stream: Stream::Events, seq }).await
    }

    async fn answer(&mut self, id: u64, outcome: Outcome) -> Result<(), Gone> {
        if let Some(reply) = self.orders.remove(&id) {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(outcome);
            return Ok(());
        }
        let device = self.device.clone();
        let job = move |tx: &mut crate::store::Tx<'_>| answers::take(tx, &device, id, &outcome);
        Ok(self.door.store.write(job).await?)
    }
}

/// A report of the events stream that can be read. What can't be is left for [`Link::hear`], which says so after what came before is stored.
fn event_of(message: &Heard) -> Option<(u64, Report)> {
    let Some(Ok(Message::Text(text))) = message else { return None };
    match serde_json::from_str(text).ok()? {
        FromAgent::Report { stream: Stream::Events, seq, body } => Some((seq, serde_json::from_str(body.get()).ok()?)),
        FromAgent::Report { .. } | FromAgent::Answer { .. } | FromAgent::Hello(_) => None,
    }
}

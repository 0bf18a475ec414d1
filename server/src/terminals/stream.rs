//! One WebSocket at a terminal.
//!
//! Browsers read whatever comes, and pile it up when what they show is slower. So the server sends only so much beyond what the client
//! has acknowledged as shown, then lets the output wait, and in the end the device.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use lineman_common::Printable;
use lineman_common::api::{TerminalEvent, TerminalReason, TerminalRequest};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Patience;
use super::terminal::{Next, Seat, Terminal};

/// A goodbye is taken in this time or not at all.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(2);
/// Of a close frame's reason, by RFC 6455.
const MOST_REASON_BYTES: usize = 120;

/// Why a WebSocket is left.
enum Left {
    /// It is gone, or as good as gone: there is nobody to tell.
    Gone,
    /// Told why, and closed.
    Told(TerminalEvent),
    /// What the client sent can't be understood, or it is let in no longer.
    Wrong(String),
}

/// Runs until one of the two has left, or the one who connected is signed out. The terminal goes on.
pub async fn run(
    terminal: &Terminal,
    socket: WebSocket,
    from: u64,
    patience: &Patience,
    signed_out: impl Future<Output = ()>,
    stop: &CancellationToken,
) {
    let (mut sink, mut stream) = socket.split();
    let mut seat = terminal.attach(from);
    let (taken, number) = (seat.taken.clone(), seat.number);
    let left = tokio::select! {
        left = hear(terminal, number, &mut stream, patience) => left,
        left = talk(terminal, &mut seat, &mut sink, patience) => left,
        () = taken.cancelled() => {
            Left::Told(TerminalEvent::Taken(TerminalReason { reason: "the terminal was taken over by another connection".into() }))
        }
        () = signed_out => Left::Wrong("signed out: sign in, and ask for a new ticket".to_owned()),
        () = terminal.gone.cancelled() => Left::Told(end(terminal.end_reason().unwrap_or_default())),
        () = stop.cancelled() => Left::Told(end("the support centre stops".to_owned())),
    };
    // Whoever comes next need not wait for this one's goodbye.
    drop(seat);
    let _ = timeout(GOODBYE_PATIENCE, goodbye(sink, stream, left)).await;
}

fn end(reason: String) -> TerminalEvent {
    TerminalEvent::End(TerminalReason { reason: Printable::new(reason) })
}

/// What the client still says is taken in: a connection that closes over it loses the goodbye.
async fn goodbye(mut sink: SplitSink<WebSocket, Message>, mut stream: SplitStream<WebSocket>, left: Left) -> Option<()> {
    let close = match left {
        Left::Gone => return None,
        Left::Told(event) => {
            say(&mut sink, &event).await?;
            CloseFrame { code: close_code::NORMAL, reason: "".into() }
        }
        Left::Wrong(why) => CloseFrame { code: close_code::POLICY, reason: cut(why).into() },
    };
    sink.send(Message::Close(Some(close))).await.ok()?;
    while let Some(Ok(_)) = stream.next().await {}
    Some(())
}

fn cut(mut text: String) -> String {
    let end = (0..=MOST_REASON_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text
}

async fn say(sink: &mut SplitSink<WebSocket, Message>, event: &TerminalEvent) -> Option<()> {
    sink.send(Message::text(serde_json::to_string(event).ok()?)).await.ok()
}

/// What the terminal says, and a ping now and then. A browser that takes nothing is left.
async fn talk(terminal: &Terminal, seat: &mut Seat<'_>, sink: &mut SplitSink<WebSocket, Message>, patience: &Patience) -> Left {
    let mut changes = terminal.changes();
    let mut pings = interval(patience.ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        changes.borrow_and_update();
        let next = seat.next();
        let message = match next {
            Next::Say(event) => match serde_json::to_string(&event) {
                Ok(text) => Message::text(text),
                Err(_) => return Left::Gone,
            },
            Next::Send(bytes) => Message::binary(bytes),
            Next::Over(reason) => return Left::Told(end(reason)),
            Next::Wait => match waited(&mut changes, &mut pings).await {
                Some(ping) => ping,
                None => continue,
            },
        };
        match timeout(patience.silence, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Left::Gone,
        }
    }
}

/// `None` when something has changed.
async fn waited(changes: &mut tokio::sync::watch::Receiver<()>, pings: &mut Interval) -> Option<Message> {
    tokio::select! {
        _ = changes.changed() => None,
        _ = pings.tick() => Some(Message::Ping(axum::body::Bytes::new())),
    }
}

/// What the browser says. One that is silent, pongs included, is left; while the device takes no input, that is no silence.
async fn hear(terminal: &Terminal, number: u64, stream: &mut SplitStream<WebSocket>, patience: &Patience) -> Left {
    loop {
        let Ok(Some(Ok(message))) = timeout(patience.silence, stream.next()).await else { return Left::Gone };
        match message {
            Message::Binary(bytes) => terminal.typed(&bytes).await,
            Message::Text(text) => {
                if let Err(why) = request(terminal, number, &text).await {
                    return Left::Wrong(why);
                }
            }
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return Left::Gone,
        }
    }
}

async fn request(terminal: &Terminal, number: u64, text: &str) -> Result<(), String> {
    match serde_json::from_str(text) {
        Ok(TerminalRequest::Resize(size)) => terminal.resize(size).await.map_err(|error| error.to_string()),
        Ok(TerminalRequest::Ack(offset)) => {
            terminal.acknowledge(number, offset);
            Ok(())
        }
        Err(error) => Err(format!("a text message is {{\"resize\":{{\"cols\",\"rows\"}}}} or {{\"ack\":OFFSET}}: {error}")),
    }
}

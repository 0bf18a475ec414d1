//! The SSH gateway: where engineers come from and devices' legs arrive; it joins the two and copies bytes.
//!
//! For the grades `end-to-end` and `role` it holds no key that opens a device. An engineer proves the key of the roster; for `ssh -J centre ne-1.jw.ne` the gateway asks
//! the device itself whether that key may enter now, and passes the device's reason on when it may not. SSH then runs between
//! the engineer and the device, through here, unreadable.
//!
//! Only for a consent of grade `gateway`, which the carrier signs by that name, the gateway enters with a key of its own (`proxy`).

mod jump;
pub mod keys;
mod pipe;
mod proxy;
mod relay;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lineman_common::leg;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

pub use jump::{Jump, MOST_UNKNOWN, serve};

/// A device that said yes has this long to dial.
const DIAL_PATIENCE: Duration = Duration::from_secs(15);
/// A leg says its greeting at once.
const GREETING_PATIENCE: Duration = Duration::from_secs(10);

/// Legs that are expected, by their one-time ticket.
#[derive(Clone, Default)]
pub struct Legs {
    expected: Arc<Mutex<HashMap<String, oneshot::Sender<TcpStream>>>>,
}

/// A leg that is waited for; forgotten when dropped.
pub struct Expected {
    legs: Legs,
    pub ticket: String,
    arrival: oneshot::Receiver<TcpStream>,
}

impl Legs {
    pub fn expect(&self) -> Expected {
        let ticket = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let (sender, arrival) = oneshot::channel();
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket.clone(), sender);
        Expected { legs: self.clone(), ticket, arrival }
    }

    fn take(&self, ticket: &str) -> Option<oneshot::Sender<TcpStream>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).remove(ticket)
    }

    /// A connection that did not begin like TLS: a leg, or a mistake.
    pub async fn arrived(&self, mut stream: TcpStream) {
        let Ok(Ok(line)) = tokio::time::timeout(GREETING_PATIENCE, greeting(&mut stream)).await else { return };
        let waiting = leg::read_greeting(&line).ok().and_then(|ticket| self.take(ticket));
        let reply = leg::reply(if waiting.is_some() { Ok(()) } else { Err("unknown or used ticket") });
        if stream.write_all(reply.as_bytes()).await.is_ok()
            && let Some(waiting) = waiting
        {
            // The engineer may have gone away meanwhile: then the leg closes.
            let _ = waiting.send(stream);
        }
    }
}

/// Reads the greeting line byte by byte: what follows it belongs to the leg.
async fn greeting(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
            _ if line.len() >= leg::MAX_GREETING_BYTES => return Err(std::io::ErrorKind::InvalidData.into()),
            byte => line.push(byte),
        }
    }
}

impl Expected {
    pub async fn arrival(&mut self) -> Option<TcpStream> {
        tokio::time::timeout(DIAL_PATIENCE, &mut self.arrival).await.ok()?.ok()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.legs.take(&self.ticket);
    }
}

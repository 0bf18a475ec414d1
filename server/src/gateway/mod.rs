//! The SSH gateway: where engineers come from and devices' legs arrive; it joins the two and copies bytes.
//!
//! For the grades `end-to-end` and `role` it holds no key that opens a device. An engineer proves the key of the roster; for `ssh -J centre ne-1.jw.ne` the gateway asks
//! the device itself whether that key may enter now, and passes the device's reason on when it may not. SSH then runs between
//! the engineer and the device, through here, unreadable.
//!
//! Only for a consent of grade `gateway`, which the carrier signs by that name, the gateway enters with a key of its own (`proxy`).

pub mod http;
mod jump;
pub mod keys;
mod legs;
mod line;
pub mod parking;
mod pipe;
mod proxy;
mod relay;
#[cfg(test)]
pub mod tests;
mod toward;

use std::time::Duration;

use lineman_common::leg;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub use jump::{Jump, MOST_UNKNOWN, serve};
pub use legs::{Legs, Wire};
pub use line::Lines;
pub use parking::Parking;
pub use pipe::from_the_device;
pub use proxy::{Inside, Proof, Visitor};

/// A leg or a line says its greeting at once.
const GREETING_PATIENCE: Duration = Duration::from_secs(10);
/// A peer at rest is asked so often whether it is there: networks forget connections that say nothing for a minute.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// And is gone when it has not answered so many times: an engineer's own connection may be cut for as long as a leg.
const KEEPALIVES: u32 = 9;

/// Where connections on the main port go that don't begin like TLS, and those inside TLS that ask for a leg.
#[derive(Clone)]
pub struct Platform {
    pub legs: Legs,
    pub lines: Lines,
}

impl Platform {
    /// A leg, a line, or a mistake: its first line tells.
    pub async fn arrived(&self, mut wire: impl Wire + 'static) {
        let Ok(Ok(line)) = tokio::time::timeout(GREETING_PATIENCE, first_line(&mut wire)).await else { return };
        if let Ok(ticket) = leg::read_line_greeting(&line) {
            return self.lines.arrived(wire, ticket).await;
        }
        match line.parse() {
            Ok(greeting) => self.legs.arrived(wire, greeting).await,
            Err(error) => {
                let _ = wire.write_all(leg::refusal(&error.to_string()).as_bytes()).await;
            }
        }
    }
}

/// Reads a line byte by byte: what follows it belongs to the stream.
async fn first_line(wire: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut line = Vec::new();
    loop {
        match wire.read_u8().await? {
            b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
            _ if line.len() >= leg::MAX_GREETING_BYTES => return Err(std::io::ErrorKind::InvalidData.into()),
            byte => line.push(byte),
        }
    }
}

/// Nothing waits to be sent together, and a peer at rest is heard of.
pub fn tune(stream: &TcpStream) {
    let tuned = stream.set_nodelay(true).and_then(|()| {
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
        sockopt::set_tcp_keepintvl(stream, KEEPALIVE)?;
        Ok(sockopt::set_tcp_keepcnt(stream, KEEPALIVES)?)
    });
    if let Err(error) = tuned {
        tracing::debug!(%error, "a socket's options can't be set");
    }
}

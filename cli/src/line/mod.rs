//! A line: a device's SSH on a plain TCP connection to the API's own port, for the engineer's `ssh`.
//!
//! The API gives a ticket once the device has said yes; whoever shows it on a connection of its own has the device's SSH there,
//! with nothing in between that would copy or encrypt a second time. `lineman proxy`, which `ssh` runs as its `ProxyCommand`,
//! dials and then hands the connected socket over (`ProxyUseFdpass`), so that `ssh` itself reads from the network.
//!
//! What is inside is SSH with pinned host keys, so nothing here has to be believed: a ticket that leaks opens a connection
//! to a device that still asks for the engineer's key.

mod dial;
mod pass;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use lineman_common::leg::LegError;
use lineman_common::name::NeName;
use lineman_common::printable::escape;
use reqwest::Url;

use crate::client::is_loopback;
use crate::exit::{Exit, Failure};

pub use dial::dial;
pub use pass::{Stdout, copy, pass};

/// Brings a line that was asked for already from `lineman ssh` to the `lineman proxy` that `ssh` starts: one TLS handshake less.
pub const VARIABLE: &str = "LINEMAN_LINE";

/// Where a connection to the API's port leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// The address that has just answered over HTTPS.
    Direct(SocketAddr),
    /// Through the HTTP proxy of the environment, as every other call.
    Proxy,
}

/// The device has said yes, and waits for this ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub device: NeName,
    pub way: Way,
    pub ticket: String,
}

#[derive(Debug, thiserror::Error)]
#[error("it is no line that was asked for: expected `DEVICE ADDRESS TICKET`")]
pub struct BadTicket;

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, way, ticket } = self;
        match way {
            Way::Direct(address) => write!(f, "{device} {address} {ticket}"),
            Way::Proxy => write!(f, "{device} proxy {ticket}"),
        }
    }
}

impl FromStr for Ticket {
    type Err = BadTicket;
    fn from_str(text: &str) -> Result<Self, BadTicket> {
        let mut words = text.split(' ');
        let (Some(device), Some(way), Some(ticket), None) = (words.next(), words.next(), words.next(), words.next()) else {
            return Err(BadTicket);
        };
        let way = if way == "proxy" { Way::Proxy } else { Way::Direct(way.parse().map_err(|_| BadTicket)?) };
        Ok(Self { device: device.parse().map_err(|_| BadTicket)?, way, ticket: ticket.to_owned() })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("can't reach {place} for a line to the device: {source}")]
    Unreachable { place: String, source: std::io::Error },
    #[error("the HTTP proxy {0} can't carry a line: only `http://host:port` can")]
    Proxy(String),
    #[error("the HTTP proxy {proxy} refuses the line: {}", escape(.answer))]
    ProxyRefused { proxy: String, answer: String },
    #[error("{place} does not answer as a line does: {why}")]
    Silent { place: String, why: String },
    #[error("the line was {0}")]
    Refused(LegError),
    #[error("can't hand the connection over to ssh: {0}")]
    Pass(std::io::Error),
}

impl From<LineError> for Failure {
    fn from(error: LineError) -> Self {
        let what = error.to_string();
        let jump = "the line is plain TCP on the API's port. where that can't pass, take the gateway's: lineman ssh --jump, lineman ssh-config --jump";
        match error {
            LineError::Unreachable { .. } => Self::new(Exit::Unreachable, what).hint(jump),
            LineError::Proxy(_) | LineError::ProxyRefused { .. } | LineError::Silent { .. } => Self::failed(what).hint(jump),
            LineError::Refused(_) => Self::new(Exit::Forbidden, what),
            LineError::Pass(_) => Self::failed(what),
        }
    }
}

/// The HTTP proxy that the environment names for this server, as the HTTPS client understands it.
fn http_proxy(server: &Url) -> Option<hyper_util::client::proxy::matcher::Intercept> {
    if is_loopback(server) {
        return None;
    }
    let server: axum::http::Uri = server.as_str().parse().ok()?;
    hyper_util::client::proxy::matcher::Matcher::from_env().intercept(&server)
}

impl Way {
    /// The way to a server whose answer came from this address.
    pub fn of(server: &Url, answered: Option<SocketAddr>) -> Self {
        match answered {
            Some(address) if http_proxy(server).is_none() => Self::Direct(address),
            _ => Self::Proxy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_survives_the_environment() {
        for text in ["ne-1.jw.ne 192.0.2.1:7443 abc", "ne-1.jw.ne [2001:db8::1]:7443 abc", "ne-1.jw.ne proxy abc"] {
            assert_eq!(text.parse::<Ticket>().unwrap().to_string(), text);
        }
        for text in ["", "ne-1.jw.ne", "ne-1.jw.ne 192.0.2.1 abc", "ne-1 192.0.2.1:1 abc", "ne-1.jw.ne 192.0.2.1:1 a b"] {
            assert!(text.parse::<Ticket>().is_err(), "{text:?}");
        }
    }
}

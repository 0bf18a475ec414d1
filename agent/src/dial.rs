//! How the agent reaches the centre: one address, straight or through an HTTP proxy, for the link, for session legs and for enrolment.
//!
//! Each step has a patience of its own, so that no attempt hangs for long on a network that swallows everything. What the local file does
//! not say is not done: a proxy that an environment variable names is not used.

pub mod config;
mod names;
mod proxy;
pub mod race;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lineman_common::{leg, link};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

pub use self::config::{Proxy, Settings};
pub use self::proxy::ProxyError;
pub use self::wire::Wire;

use self::names::Host;
use self::race::{Miss, Unacknowledged};
use crate::identity::{Identity, ServerAddress};
use crate::tls::{self, TlsError};

/// For a TLS handshake.
const TLS_PATIENCE: Duration = Duration::from_secs(5);
/// For all of one leg: who waits for it is a person.
const LEG_PATIENCE: Duration = Duration::from_secs(5);
/// The link's data is never unacknowledged for so long while there is a path: the kernel repeats it after 0.2 s, 0.4 s, 0.8 s and so on,
/// ever more rarely. So a connection that outlives a cut of this length would stay mute long after the path is back; a new one is faster.
const LINK_UNACKNOWLEDGED: Unacknowledged = Unacknowledged(Duration::from_secs(10));
/// A leg has a liveness of its own, which is faster. This is for what the kernel still holds of a connection that was let go.
const LEG_UNACKNOWLEDGED: Unacknowledged = Unacknowledged(Duration::from_secs(30));

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("{what} `{}` is not found: {why}", address.host)]
    Name { what: Hop, address: ServerAddress, why: String },
    #[error("can't reach {what} {address}: {}", missed(misses))]
    Connect { what: Hop, address: ServerAddress, misses: Vec<Miss> },
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{0} was not reached within {seconds} s", seconds = LEG_PATIENCE.as_secs())]
    Slow(ServerAddress),
}

/// Whom a TCP connection leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    Centre,
    Proxy,
}

impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Centre => "the centre",
            Self::Proxy => "the proxy",
        })
    }
}

fn missed(misses: &[Miss]) -> String {
    misses.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl DialError {
    /// Nobody was reached: trying again costs nobody anything.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Name { .. } | Self::Connect { .. } | Self::Slow(_) => true,
            Self::Proxy(error) => error.is_unreachable(),
            Self::Tls(_) => false,
        }
    }
}

/// The way to the centre, as far as its first byte.
pub struct Way {
    centre: ServerAddress,
    proxy: Option<Proxy>,
    /// The centre, or the proxy before it.
    first: Host,
}

impl Way {
    pub fn new(centre: ServerAddress, proxy: Option<Proxy>) -> Self {
        let ServerAddress { host, port } = proxy.as_ref().map_or(&centre, |proxy| &proxy.address);
        let first = Host::new(host, *port);
        Self { centre, proxy, first }
    }

    /// Where its first TCP connection leads.
    pub fn first_hop(&self) -> (Hop, &ServerAddress) {
        self.proxy.as_ref().map_or((Hop::Centre, &self.centre), |proxy| (Hop::Proxy, &proxy.address))
    }

    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// Of the first hop.
    pub async fn addresses(&self) -> Result<Vec<SocketAddr>, DialError> {
        self.first.addresses().await.map_err(|why| self.unknown(why))
    }

    fn unknown(&self, why: String) -> DialError {
        let (what, address) = self.first_hop();
        DialError::Name { what, address: address.clone(), why }
    }

    /// TLS with the centre, for the link or a request.
    pub async fn tls(&self, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, DialError> {
        let stream = self.connect(&self.addresses().await?, LINK_UNACKNOWLEDGED).await?;
        self.handshake(stream, config).await
    }

    async fn connect(&self, addresses: &[SocketAddr], limit: Unacknowledged) -> Result<TcpStream, DialError> {
        let (what, address) = self.first_hop();
        let connected = race::connect(addresses, limit).await;
        let mut stream = connected.map_err(|misses| DialError::Connect { what, address: address.clone(), misses })?;
        if let Ok(peer) = stream.peer_addr() {
            self.first.reached(peer);
        }
        if let Some(proxy) = &self.proxy {
            proxy.tunnel(&mut stream, &self.centre).await?;
        }
        Ok(stream)
    }

    async fn handshake(&self, stream: TcpStream, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, DialError> {
        let late = |_| Err(TlsError::Silent { address: self.centre.to_string(), seconds: TLS_PATIENCE.as_secs() });
        let ended = timeout(TLS_PATIENCE, tls::handshake(&self.centre, stream, config)).await.unwrap_or_else(late);
        ended.map_err(|error| if self.proxy.is_some() { error.behind_a_proxy() } else { error }.into())
    }
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(proxy) = &self.proxy else { return write!(f, "straight to {}", self.centre) };
        write!(f, "through the proxy {proxy}")?;
        if let Some(login) = &proxy.login {
            write!(f, " as {} (password in {})", login.user, login.password_file.display())?;
        }
        write!(f, " to {}", self.centre)
    }
}

/// Anything from nothing to `most`: a thousand devices must not come back in one moment.
pub fn jitter(most: Duration) -> Duration {
    let mut random = [0; 4];
    match ssh_key::getrandom::fill(&mut random) {
        Ok(()) => most.mul_f64(f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX)),
        Err(_) => most,
    }
}

/// The agent's one dialler.
pub struct Dialer {
    pub way: Way,
    link: Arc<ClientConfig>,
    /// `None`: legs go in the clear, as SSH.
    leg: Option<Arc<ClientConfig>>,
    /// How often the centre has welcomed the link.
    welcomes: watch::Sender<u64>,
}

impl Dialer {
    pub fn new(identity: &Identity, settings: &Settings) -> Result<Self, TlsError> {
        Ok(Self {
            way: Way::new(identity.server.clone(), settings.proxy.clone()),
            link: tls::link_config(identity, link::ALPN)?,
            leg: settings.leg_tls.then(|| tls::leg_config(identity, leg::ALPN)).transpose()?,
            welcomes: watch::Sender::new(0),
        })
    }

    /// A connection for the link: TLS with the device's certificate.
    pub async fn link(&self) -> Result<TlsStream<TcpStream>, DialError> {
        self.way.tls(Arc::clone(&self.link)).await
    }

    /// A connection for a session leg. It leads to the address that was reached last, so to the centre that the link is with, and without
    /// asking a resolver.
    pub async fn leg(&self) -> Result<Wire, DialError> {
        let dialing = async {
            let addresses = self.way.first.near().await.map_err(|why| self.way.unknown(why))?;
            let stream = self.way.connect(&addresses, LEG_UNACKNOWLEDGED).await?;
            match &self.leg {
                None => Ok(Wire::Raw(stream)),
                Some(config) => Ok(Wire::Tls(Box::new(self.way.handshake(stream, Arc::clone(config)).await?))),
            }
        };
        timeout(LEG_PATIENCE, dialing).await.unwrap_or_else(|_| Err(DialError::Slow(self.way.centre.clone())))
    }

    pub fn legs_in_tls(&self) -> bool {
        self.leg.is_some()
    }

    /// The link is up: whoever waits to dial again need not wait any longer.
    pub fn welcomed(&self) {
        self.welcomes.send_modify(|count| *count += 1);
    }

    /// Changes whenever the link was welcomed, when the network is likely to be back. To be taken before the dial that may fail, so that
    /// no welcome is missed.
    pub fn welcomes(&self) -> watch::Receiver<u64> {
        self.welcomes.subscribe()
    }
}

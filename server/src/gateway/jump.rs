//! The SSH server that engineers come to. It does one of two things, by the user name that they sign in under:
//!
//! - any name: `direct-tcpip` to a device's name, for `ssh -J`. SSH runs end to end, unreadable here.
//! - a device's own name (`ssh -p 2222 ne-1.jw.ne@centre`): session channels on that device, for consents of grade `gateway`
//!   (`proxy`), and nothing else.

use std::collections::HashSet;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lineman_common::Printable;
use lineman_common::leg::{Leg, Offer};
use lineman_common::link::Order;
use lineman_common::name::NeName;
use lineman_common::statement::sig;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId, ChannelOpenFailure, Disconnect, MethodKind, MethodSet, Preferred, Pty, SshId, compression};
use ssh_key::{PrivateKey, PublicKey};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::legs::Expected;
use super::proxy::Visit;
use super::relay::relay;
use super::{Legs, Parking, pipe};
use crate::agents::{self, AskError, Links};
use crate::customers;
use crate::equipment::{self, Known, Reference};
use crate::store::Store;
use crate::trust::{self, VendorRoot};
use crate::web::Scope;

/// RFC 4254's "administratively prohibited": stock clients print the reason that comes with it.
const PROHIBITED: u32 = 1;
/// Names are proved within this time, or the connection closes.
const SIGN_IN_PATIENCE: Duration = Duration::from_secs(60);

/// When the centre stops, for the sessions inside to end.
const FAREWELL: Duration = Duration::from_secs(3);
/// A goodbye is taken in this time or not at all.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(2);
/// Connections that have not signed in yet, at most; further ones wait in line.
pub const MOST_UNKNOWN: usize = 64;

#[derive(Clone)]
pub struct Jump {
    /// Turns to sign in.
    pub unknown: Arc<Semaphore>,
    pub store: Store,
    pub links: Links,
    pub legs: Legs,
    pub parking: Parking,
    pub vendor_root: Arc<VendorRoot>,
    /// Signs in on devices, for consents of grade `gateway`.
    pub client_key: Arc<PrivateKey>,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

fn config(key: PrivateKey) -> Config {
    use russh::{cipher, kex, mac};
    use std::borrow::Cow::Borrowed;
    // As the device has it: the client's order decides, and what is not here is refused.
    let preferred = Preferred {
        kex: Borrowed(&[
            kex::MLKEM768X25519_SHA256,
            kex::CURVE25519,
            kex::CURVE25519_PRE_RFC_8731,
            kex::EXTENSION_SUPPORT_AS_SERVER,
            kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
        ]),
        cipher: Borrowed(&[
            cipher::AES_128_GCM,
            cipher::AES_256_GCM,
            cipher::CHACHA20_POLY1305,
            cipher::AES_128_CTR,
            cipher::AES_192_CTR,
            cipher::AES_256_CTR,
        ]),
        mac: Borrowed(&[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM]),
        compression: Borrowed(&[compression::NONE]),
        ..Preferred::DEFAULT
    };
    let mut methods = MethodSet::empty();
    methods.push(MethodKind::PublicKey);
    Config {
        server_id: SshId::Standard("SSH-2.0-Lineman".into()),
        methods,
        auth_rejection_time: Duration::from_secs(1),
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        window_size: 8 * 1024 * 1024,
        maximum_packet_size: 65535,
        preferred,
        inactivity_timeout: None,
        keepalive_interval: None,
        nodelay: true,
        ..Config::default()
    }
}

/// Takes connections until the server stops.
pub async fn serve(jump: Jump, key: PrivateKey, listener: TcpListener) {
    let config = Arc::new(config(key));
    loop {
        let (stream, peer) = tokio::select! {
            () = jump.stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "the gateway could not take a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let (jump, config) = (jump.clone(), Arc::clone(&config));
        jump.tasks.clone().spawn(async move { connection(jump, config, stream, peer).await });
    }
}

/// One connection, from its first byte to its last. Until somebody has signed in it takes one of a few turns, and not for long.
async fn connection(jump: Jump, config: Arc<Config>, stream: TcpStream, peer: SocketAddr) {
    let stop = jump.stop.clone();
    let Ok(Ok(turn)) = tokio::time::timeout(SIGN_IN_PATIENCE, Arc::clone(&jump.unknown).acquire_owned()).await else { return };
    super::tune(&stream);
    let Ok((stream, socket)) = with_handle(stream) else { return };
    let known = CancellationToken::new();
    let handler = Engineer { jump, peer, name: None, key: None, known: known.clone(), visit: None, started: HashSet::new() };
    let Ok(Ok(mut session)) = tokio::time::timeout(SIGN_IN_PATIENCE, run_stream(config, stream, handler)).await else { return };
    let handle = session.handle();
    let signed_in = tokio::select! {
        _ = &mut session => return,
        signed_in = tokio::time::timeout(SIGN_IN_PATIENCE, known.cancelled()) => signed_in.is_ok(),
    };
    drop(turn);
    if signed_in {
        tokio::select! {
            _ = &mut session => return,
            () = stop.cancelled() => {}
        }
        // The devices say goodbye first, in words that every client shows.
        if tokio::time::timeout(FAREWELL, &mut session).await.is_ok() {
            return;
        }
    }
    let why = if signed_in { "the support centre stops" } else { "nobody signed in" };
    let _ = handle.disconnect(Disconnect::ByApplication, why.into(), "en".into()).await;
    // A peer that does not take the goodbye is cut off.
    let _ = tokio::time::timeout(GOODBYE_PATIENCE, session).await;
    let _ = socket.shutdown(Shutdown::Both);
}

/// The stream, and a handle that can end it when its owner no longer listens.
fn with_handle(stream: TcpStream) -> std::io::Result<(TcpStream, std::net::TcpStream)> {
    let stream = stream.into_std()?;
    let socket = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, socket))
}

/// One engineer's connection.
struct Engineer {
    jump: Jump,
    peer: SocketAddr,
    name: Option<String>,
    /// Fingerprint of the key that was proved.
    key: Option<String>,
    /// Cancelled when the engineer has signed in.
    known: CancellationToken,
    /// Who signed in under a device's name visits that device through here.
    visit: Option<Arc<Visit>>,
    /// Channels that have started something: a second start on one is refused.
    started: HashSet<ChannelId>,
}

impl Drop for Engineer {
    fn drop(&mut self) {
        if let Some(visit) = &self.visit {
            visit.left();
        }
    }
}

/// RFC 4254's "administratively prohibited", with words that stock `ssh` prints.
pub fn prohibited(reason: String) -> ChannelOpenFailure {
    ChannelOpenFailure::Other { code: PROHIBITED, reason }
}

impl Engineer {
    async fn in_roster(&self, key: &PublicKey) -> Option<String> {
        let vendor_root = Arc::clone(&self.jump.vendor_root);
        let key = key.clone();
        let found = self.jump.store.read(move |db| -> Result<_, trust::Error> {
            let roster = trust::roster(db, &vendor_root)?;
            roster.list().check_expiry(db.now())?;
            Ok(roster.engineer_of(&key).map(str::to_owned))
        });
        found.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the gateway lets nobody in: no valid roster");
            None
        })
    }

    /// Answers a start: once per channel.
    fn start(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        if self.started.insert(channel) { session.channel_success(channel) } else { session.channel_failure(channel) }
    }
}

impl Handler for Engineer {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(if self.in_roster(offer.public_key).await.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let Some(name) = self.in_roster(key.public_key).await else { return Ok(Auth::reject()) };
        tracing::info!(engineer = %name, peer = %self.peer, "at the gateway");
        let key = sig::fingerprint(key.public_key).to_string();
        let device: Option<NeName> = user.parse().ok();
        self.visit = device.map(|device| Arc::new(Visit::new(self.jump.clone(), device, name.clone(), key.clone())));
        self.name = Some(name);
        self.key = Some(key);
        self.known.cancel();
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(visit) = &self.visit {
            let (visit, handle) = (Arc::clone(visit), session.handle());
            self.jump.tasks.spawn(async move { visit.channel(channel, reply, handle).await });
        } else {
            let reason = "this is a gateway and has no shell: use `ssh -J centre ne-1.jw.ne`, or `lineman ssh`; with a consent of \
                          grade gateway also `ssh -p PORT ne-1.jw.ne@centre`";
            reply.reject(prohibited(reason.to_owned())).await;
        }
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let (Some(name), Some(key)) = (self.name.clone(), self.key.clone()) else { return Ok(()) };
        if self.visit.is_some() {
            let reason = "signed in under a device's name, there are no forwards: use `ssh -J centre` for them".to_owned();
            reply.reject(prohibited(reason)).await;
            return Ok(());
        }
        let (jump, host) = (self.jump.clone(), host.to_owned());
        self.jump.tasks.spawn(async move {
            match jump.open(&host, port, key).await {
                Ok(leg) => {
                    tracing::info!(engineer = %name, device = %Printable::from(host.as_str()), "joined to a leg");
                    reply.accept().await;
                    if let Err(error) = relay(channel.into_stream(), leg).await {
                        tracing::debug!(%error, "a leg ended");
                    }
                }
                Err(reason) => {
                    tracing::info!(engineer = %name, device = %Printable::from(host.as_str()), %reason, "refused");
                    reply.reject(prohibited(reason)).await;
                }
            }
        });
        Ok(())
    }

    // ---- Of a visit: answers at once, as SSH matches them by order; what was asked goes to the device with the channel's messages.

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.started.remove(&channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _cols: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn env_request(&mut self, channel: ChannelId, _name: &str, _value: &str, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.start(channel, session)
    }

    async fn exec_request(&mut self, channel: ChannelId, _command: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        self.start(channel, session)
    }

    async fn subsystem_request(&mut self, channel: ChannelId, name: &str, session: &mut Session) -> Result<(), Self::Error> {
        if name == pipe::SFTP { self.start(channel, session) } else { session.channel_failure(channel) }
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        _cols: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }
}

/// A device, and when it was last heard of.
pub struct Found {
    pub device: Known,
    seen: Option<jiff::Timestamp>,
}

impl Jump {
    /// A leg to the device for `ssh -J`, or the reason why not, for the engineer to read.
    async fn open(&self, host: &str, port: u32, key: String) -> Result<Leg, String> {
        if port != 22 {
            return Err(format!("only port 22 of a device can be reached through here, not {port}"));
        }
        let name: NeName = host.parse().map_err(|e: lineman_common::name::BadName| e.to_string())?;
        let found = self.find(&name).await?;
        self.leg(&found, |leg| Order::Open { key, leg, consent: None }).await.map_err(|no| no.to_string())
    }

    pub async fn find(&self, name: &NeName) -> Result<Found, String> {
        let name = name.clone();
        let find = move |db: &crate::store::Db<'_>| -> Result<_, equipment::Error> {
            let device = equipment::find(db, &Scope::All, &Reference::Name(name))?;
            let seen = agents::last_seen(db, device.id)?;
            let halted = customers::halted(db, device.customer)?;
            Ok((Found { device, seen }, halted))
        };
        let (found, halted) = self.store.read(find).await.map_err(|e| e.to_string())?;
        halted.map_or(Ok(found), |halted| Err(halted.to_string()))
    }

    /// Asks the device for a leg: one that waits for this, or one that it dials when it agrees.
    pub async fn leg(&self, Found { device, seen }: &Found, order: impl FnOnce(Offer) -> Order) -> Result<Leg, NoLeg> {
        let name = device.name.clone();
        let (leg, is_parked) = match self.parking.take(device.id) {
            Some(parked) => (parked, true),
            None => (self.legs.expect().map_err(|error| NoLeg::Silent { name: name.clone(), why: error.to_string() })?, false),
        };
        let Err(error) = self.links.ask(device.id, order(leg.offer.clone())).await else {
            let late = || NoLeg::Silent { name, why: "it agreed, but did not dial".to_owned() };
            return leg.up().await.map(Expected::leg).ok_or_else(late);
        };
        if is_parked {
            self.parking.put_back(device.id, leg);
        }
        Err(match error {
            AskError::Refused(reason) => NoLeg::Refused { name, reason: Printable::from(reason) },
            AskError::Offline => NoLeg::Offline { name, seen: *seen },
            AskError::Silent => NoLeg::Silent { name, why: error.to_string() },
        })
    }
}

/// Why there is no leg to a device, for the engineer to read.
#[derive(Debug, thiserror::Error)]
pub enum NoLeg {
    #[error("{name} refuses: {reason}")]
    Refused { name: NeName, reason: Printable },
    #[error("{name} {}", seen.map_or_else(|| "has never been connected".to_owned(), |seen| format!("is not connected; last heard of at {seen}")))]
    Offline { name: NeName, seen: Option<jiff::Timestamp> },
    #[error("{name}: {why}")]
    Silent { name: NeName, why: String },
}

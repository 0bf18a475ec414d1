//! The jump: an SSH server that does one thing, `direct-tcpip` to a device's name.

use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lineman_common::Printable;
use lineman_common::link::Order;
use lineman_common::name::NeName;
use lineman_common::statement::sig;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelOpenFailure, Disconnect, MethodKind, MethodSet, Preferred, SshId, compression};
use ssh_key::{PrivateKey, PublicKey};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Legs;
use super::relay::relay;
use crate::agents::{self, AskError, Links};
use crate::equipment::{self, Known, Reference};
use crate::store::Store;
use crate::trust::{self, VendorRoot};
use crate::web::Scope;

/// RFC 4254's "administratively prohibited": stock clients print the reason that comes with it.
const PROHIBITED: u32 = 1;
/// Names are proved within this time, or the connection closes.
const SIGN_IN_PATIENCE: Duration = Duration::from_secs(60);

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
    pub vendor_root: Arc<VendorRoot>,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

fn config(key: PrivateKey) -> Config {
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
        preferred: Preferred { compression: std::borrow::Cow::Borrowed(&[compression::NONE]), ..Preferred::default() },
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
    let _ = stream.set_nodelay(true);
    let Ok((stream, socket)) = with_handle(stream) else { return };
    let known = CancellationToken::new();
    let handler = Engineer { jump, peer, name: None, key: None, known: known.clone() };
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
}

impl Handler for Engineer {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(if self.in_roster(offer.public_key).await.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let Some(name) = self.in_roster(key.public_key).await else { return Ok(Auth::reject()) };
        tracing::info!(engineer = %name, peer = %self.peer, "at the gateway");
        self.name = Some(name);
        self.key = Some(sig::fingerprint(key.public_key).to_string());
        self.known.cancel();
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let reason = "this is a gateway and has no shell: use `ssh -J centre ne-1.jw.ne`, or `lineman ssh`".to_owned();
        reply.reject(ChannelOpenFailure::Other { code: PROHIBITED, reason }).await;
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
                    reply.reject(ChannelOpenFailure::Other { code: PROHIBITED, reason }).await;
                }
            }
        });
        Ok(())
    }
}

impl Jump {
    /// A leg to the device, or the reason why not, for the engineer to read.
    async fn open(&self, host: &str, port: u32, key: String) -> Result<tokio::net::TcpStream, String> {
        if port != 22 {
            return Err(format!("only port 22 of a device can be reached through here, not {port}"));
        }
        let name: NeName = host.parse().map_err(|e: lineman_common::name::BadName| e.to_string())?;
        let find = move |db: &crate::store::Db<'_>| -> Result<_, equipment::Error> {
            let device = equipment::find(db, &Scope::All, &Reference::Name(name))?;
            let seen = agents::last_seen(db, device.id)?;
            Ok((device, seen))
        };
        let (device, seen): (Known, _) = self.store.read(find).await.map_err(|e| e.to_string())?;
        let mut expected = self.legs.expect();
        let order = Order::Open { key, ticket: expected.ticket.clone(), consent: None };
        match self.links.ask(device.id, order).await {
            Ok(_) => expected.arrival().await.ok_or_else(|| format!("{} agreed, but did not dial", device.name)),
            Err(AskError::Refused(reason)) => Err(format!("{} refuses: {}", device.name, Printable::from(reason))),
            Err(AskError::Offline) => Err(match seen {
                Some(seen) => format!("{} is not connected; last heard of at {seen}", device.name),
                None => format!("{} has never been connected", device.name),
            }),
            Err(error @ AskError::Silent) => Err(format!("{}: {error}", device.name)),
        }
    }
}

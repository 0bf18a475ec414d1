//! Grade `gateway`: an engineer without `ssh -J` (or behind a web terminal) signs in *here*, and this gateway signs in on the device,
//! with a key of its own, for one consent.
//!
//! So the centre could act in such a session: it reads and could write everything. That is why the carrier signs for this grade by its
//! name, why the device takes it only where its owner's policy says so, and why the engineer's own signed request is still needed: the key
//! that signs in here must be the one that the request names. The device checks all of it again.
//!
//! One connection to the device for each of the engineer's; its channels are joined one to one (`pipe`). The device may be hostile: its
//! key must be the one of its statement, it opens no channels here, it has its time, and what it says is passed on as a terminal's
//! bytes and nowhere else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lineman_common::Printable;
use lineman_common::id::ConsentId;
use lineman_common::link::Order;
use lineman_common::name::NeName;
use lineman_common::statement::{DeviceStatement, Request, sig};
use russh::client::{self, ChannelOpenHandle as ClientOpenHandle, DisconnectReason};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::server::{self, ChannelOpenHandle, Msg};
use russh::{Channel, ChannelOpenFailure, Disconnect, Preferred, SshId, compression};
use ssh_key::PublicKey;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::jump::{Found, Jump, prohibited};
use super::pipe::{self, Room, Why};
use super::relay::relay;
use crate::consents;
use crate::customers;
use crate::store::Db;
use crate::trust;

/// Channels at one time on one connection.
const MOST_CHANNELS: usize = 32;
/// For the device to prove itself and to take this gateway's key.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(30);
/// For the device to open a channel.
const OPEN_PATIENCE: Duration = Duration::from_secs(30);
/// When the device has gone, for its last bytes to reach the engineer.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Stock `ssh` throws away what came just before a goodbye: it gets this long to show it.
const LAST_LOOK: Duration = Duration::from_millis(300);
/// Between SSH and the leg.
const BUFFER_BYTES: usize = 64 * 1024;
/// Of a device's words, as many characters are shown.
const LONGEST_WORDS: usize = 500;

/// An engineer who signed in under a device's name.
pub struct Visit {
    jump: Jump,
    device: NeName,
    engineer: String,
    /// Fingerprint of the key that was proved.
    key: String,
    inside: tokio::sync::Mutex<Option<Inside>>,
    channels: Arc<Semaphore>,
    room: Room,
    /// Cancelled when the engineer has gone.
    gone: CancellationToken,
}

/// The connection to the device.
#[derive(Clone)]
struct Inside {
    ssh: Arc<client::Handle<Toward>>,
    consent: ConsentId,
    why: Why,
}

impl Visit {
    pub fn new(jump: Jump, device: NeName, engineer: String, key: String) -> Self {
        let channels = Arc::new(Semaphore::new(MOST_CHANNELS));
        Self {
            jump,
            device,
            engineer,
            key,
            inside: tokio::sync::Mutex::default(),
            channels,
            room: Room::default(),
            gone: CancellationToken::new(),
        }
    }

    /// The engineer's connection has ended.
    pub fn left(&self) {
        self.gone.cancel();
    }

    /// A session channel: joined to one on the device, or refused with the reason.
    pub async fn channel(&self, channel: Channel<Msg>, reply: ChannelOpenHandle, handle: server::Handle) {
        let Ok(_place) = Arc::clone(&self.channels).try_acquire_owned() else {
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        };
        match self.open(&handle).await {
            Ok((device, why)) => {
                reply.accept().await;
                pipe::run(channel, device, handle, &self.room, &why).await;
            }
            Err(reason) => {
                tracing::info!(engineer = %self.engineer, device = %self.device, %reason, "refused");
                reply.reject(prohibited(reason)).await;
            }
        }
    }

    async fn open(&self, handle: &server::Handle) -> Result<(Channel<client::Msg>, Why), String> {
        let inside = {
            let mut inside = self.inside.lock().await;
            match &*inside {
                Some(inside) if !inside.ssh.is_closed() => inside.clone(),
                Some(_) | None => inside.insert(self.enter(handle).await?).clone(),
            }
        };
        match tokio::time::timeout(OPEN_PATIENCE, inside.ssh.channel_open_session()).await {
            Ok(Ok(channel)) => Ok((channel, inside.why)),
            Ok(Err(_)) => Err(format!("{} opened no channel under the consent {}", self.device, inside.consent)),
            Err(_) => Err(format!("{} did not open a channel in {} s", self.device, OPEN_PATIENCE.as_secs())),
        }
    }

    /// Signs in on the device, under the engineer's consent.
    async fn enter(&self, engineer: &server::Handle) -> Result<Inside, String> {
        let found = self.jump.find(&self.device).await?;
        let Permission { consent, statement } = self.permission(&found).await?;
        let key = sig::fingerprint(self.jump.client_key.public_key()).to_string();
        let leg = self.jump.leg(&found, |ticket| Order::Open { key, ticket, consent: Some(consent) }).await?;
        let (ours, carried) = tokio::io::duplex(BUFFER_BYTES);
        self.jump.tasks.spawn(async move {
            if let Err(error) = relay(carried, leg).await {
                tracing::debug!(%error, "a leg ended");
            }
        });
        let ((ended, end), why) = (oneshot::channel(), Why::default());
        let toward = Toward { host_key: statement.host_key, banner: Arc::default(), why: Arc::clone(&why), _ended: ended };
        let ssh = self.sign_in(toward, ours, consent).await?;
        tracing::info!(engineer = %self.engineer, device = %self.device, consent.id = %consent, "inside, by grade gateway");
        let inside = Inside { ssh: Arc::new(ssh), consent, why };
        self.jump.tasks.spawn(self.watch(inside.clone(), end, engineer.clone()));
        Ok(inside)
    }

    async fn sign_in(&self, toward: Toward, stream: tokio::io::DuplexStream, consent: ConsentId) -> Result<client::Handle<Toward>, String> {
        let device = &self.device;
        let banner = Arc::clone(&toward.banner);
        let signing_in = async {
            let mut ssh = client::connect_stream(Arc::new(config()), stream, toward).await.map_err(|error| match error {
                Lost::OtherKey(found) => format!("{device} shows the host key {found}, which its statement does not name"),
                Lost::Ssh(error) => format!("{device} speaks no SSH that this gateway understands ({error})"),
            })?;
            let key = PrivateKeyWithHashAlg::new(Arc::clone(&self.jump.client_key), None);
            let taken = ssh.authenticate_publickey(consent.to_string(), key).await.is_ok_and(|result| result.success());
            let said = banner.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if taken { Ok(ssh) } else { Err(format!("{device} does not take this gateway's key for the consent {consent}{said}")) }
        };
        let late = || format!("{device} did not finish the handshake in {} s", HANDSHAKE_PATIENCE.as_secs());
        tokio::time::timeout(HANDSHAKE_PATIENCE, signing_in).await.map_err(|_| late())?
    }

    /// What lets this engineer in, or why nothing does.
    async fn permission(&self, found: &Found) -> Result<Permission, String> {
        let (device, customer, name) = (found.device.id, found.device.customer, self.device.clone());
        let (engineer, key) = (self.engineer.clone(), self.key.clone());
        let gateway = self.jump.client_key.public_key().clone();
        let root = Arc::clone(&self.jump.vendor_root);
        let look = move |db: &Db<'_>| -> Result<_, consents::Error> {
            customers::check_running(db, customer)?;
            let consent = match consent_of(&consents::live_through_gateway(db, device, &engineer)?, &name, &engineer, &key) {
                Ok(consent) => consent,
                Err(why) => return Ok(Err(why)),
            };
            let (_, statement) = trust::device_statement(db, device)?;
            if db.now() >= statement.valid_before {
                return Ok(Err(format!("the device statement of {name} expired at {}", statement.valid_before)));
            }
            let roster = trust::roster(db, &root)?;
            if !roster.gateway_keys().any(|listed| listed.key_data() == gateway.key_data()) {
                let own = sig::fingerprint(&gateway);
                return Ok(Err(format!(
                    "the roster does not list this gateway's key {own} for `gateway@lineman`: the vendor root has to sign one that does (`lineman-server gateway-key`)"
                )));
            }
            Ok(Ok(Permission { consent, statement }))
        };
        self.jump.store.read(look).await.map_err(|error| error.to_string())?
    }

    /// Ends the one side when the other has ended.
    fn watch(&self, inside: Inside, end: oneshot::Receiver<()>, engineer: server::Handle) -> impl Future<Output = ()> + use<> {
        let (gone, stop, channels) = (self.gone.clone(), self.jump.stop.clone(), Arc::clone(&self.channels));
        async move {
            let Inside { ssh, why, .. } = inside;
            tokio::select! {
                () = gone.cancelled() => {
                    let _ = ssh.disconnect(Disconnect::ByApplication, "the engineer has left", "en").await;
                }
                () = stop.cancelled() => {
                    let _ = ssh.disconnect(Disconnect::ByApplication, "the support centre stops", "en").await;
                }
                _ = end => {
                    let all = u32::try_from(MOST_CHANNELS).unwrap_or(u32::MAX);
                    let _ = tokio::time::timeout(LAST_WORDS, channels.acquire_many(all)).await;
                    tokio::time::sleep(LAST_LOOK).await;
                    let why = why.get().cloned().unwrap_or_else(|| "the connection to the device ended".to_owned());
                    let _ = engineer.disconnect(Disconnect::ByApplication, why, "en".to_owned()).await;
                }
            }
        }
    }
}

struct Permission {
    consent: ConsentId,
    statement: DeviceStatement,
}

/// The newest live consent whose request names the key that signed in.
fn consent_of(
    live: &[(ConsentId, lineman_common::statement::Signed)],
    device: &NeName,
    engineer: &str,
    key: &str,
) -> Result<ConsentId, String> {
    let mut other = None;
    for (id, signed) in live {
        let request = Request::read_unverified(signed).map_err(|error| error.to_string())?;
        if request.engineer_key == key {
            return Ok(*id);
        }
        other.get_or_insert((id, request.engineer_key));
    }
    Err(match other {
        Some((id, named)) => format!("the consent {id} names your key {named}, and you signed in with {key}: use that one (ssh -i)"),
        None => format!(
            "no consent of grade gateway is live for {engineer} on {device}: ask for one with `lineman consent request FAULT --grade gateway`, \
             or use `ssh -J` with one of grade end-to-end"
        ),
    })
}

fn config() -> client::Config {
    client::Config {
        client_id: SshId::Standard("SSH-2.0-Lineman".into()),
        window_size: 4 * 1024 * 1024,
        maximum_packet_size: 65535,
        // Messages that a channel holds before they are weighed (`pipe`), and a message may have 256 KiB.
        channel_buffer_size: 16,
        preferred: Preferred { compression: std::borrow::Cow::Borrowed(&[compression::NONE]), ..Preferred::default() },
        // Liveness lives in the leg: a pause there must not end the session here.
        inactivity_timeout: None,
        keepalive_interval: None,
        ..client::Config::default()
    }
}

/// Why no connection to a device came to be.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("another host key: {0}")]
    OtherKey(String),
    #[error(transparent)]
    Ssh(#[from] russh::Error),
}

/// This end of the connection to the device.
struct Toward {
    /// The device's, from its statement.
    host_key: PublicKey,
    /// What it said before it decided on the key, for the engineer to read.
    banner: Arc<Mutex<String>>,
    /// Why the connection ended.
    why: Why,
    /// Dropped when it has ended.
    _ended: oneshot::Sender<()>,
}

/// A device's words, made safe and short.
fn words(text: &str) -> String {
    let text: String = text.trim().chars().take(LONGEST_WORDS).collect();
    Printable::from(text).to_string()
}

impl client::Handler for Toward {
    type Error = Lost;

    async fn check_server_key(&mut self, found: &PublicKeyOrCertificate) -> Result<bool, Lost> {
        match found {
            PublicKeyOrCertificate::PublicKey { key, .. } if key.key_data() == self.host_key.key_data() => Ok(true),
            PublicKeyOrCertificate::PublicKey { key, .. } => Err(Lost::OtherKey(sig::fingerprint(key).to_string())),
            PublicKeyOrCertificate::Certificate(_) => Err(Lost::OtherKey("of a certificate".to_owned())),
        }
    }

    async fn auth_banner(&mut self, banner: &str, _session: &mut client::Session) -> Result<(), Lost> {
        *self.banner.lock().unwrap_or_else(PoisonError::into_inner) = format!(": {}", words(banner));
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Lost>) -> Result<(), Lost> {
        let why = match reason {
            DisconnectReason::ReceivedDisconnect(said) => words(&said.message),
            DisconnectReason::Error(error) => format!("the connection to the device broke: {error}"),
        };
        let _ = self.why.set(why);
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<client::Msg>,
        _address: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ClientOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        refuse(reply).await
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<client::Msg>,
        _path: &str,
        reply: ClientOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        refuse(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<client::Msg>,
        reply: ClientOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        refuse(reply).await
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<client::Msg>,
        reply: ClientOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<client::Msg>,
        _host: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ClientOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<client::Msg>,
        _path: &str,
        reply: ClientOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        refuse(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<client::Msg>,
        _from: &str,
        _from_port: u32,
        reply: ClientOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        refuse(reply).await
    }
}

/// A device has nothing to open here. The library would let it.
async fn refuse(reply: ClientOpenHandle) -> Result<(), Lost> {
    reply.reject(prohibited("a device opens no channels".to_owned())).await;
    Ok(())
}

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

use std::sync::Arc;
use std::time::Duration;

use lineman_common::api::ConsentView;
use lineman_common::id::ConsentId;
use lineman_common::link::Order;
use lineman_common::name::NeName;
use lineman_common::session::Door;
use lineman_common::statement::{DeviceStatement, Request, Roster, Signed, sig};
use russh::client;
use russh::keys::PrivateKeyWithHashAlg;
use russh::server::{self, ChannelOpenHandle, Msg};
use russh::{Channel, ChannelOpenFailure, Disconnect};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::jump::{Found, Jump, prohibited};
use super::pipe::{self, Room, Why};
use super::toward::{self, Cuttable, Lost, Toward};
use crate::consents;
use crate::customers;
use crate::store::Db;
use crate::trust;
use crate::web::Scope;

/// Channels at one time on one connection.
const MOST_CHANNELS: usize = 64;
/// For the device to prove itself and to take this gateway's key.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 10 } else { 30 });
/// For the device to open a channel.
const OPEN_PATIENCE: Duration = Duration::from_secs(30);
/// When the device has gone, for its last bytes to reach the engineer; when the engineer has, for the goodbye to reach the device.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Stock `ssh` throws away what came just before a goodbye: it gets this long to show it.
const LAST_LOOK: Duration = Duration::from_millis(300);
/// On a connection for everything that `ssh` does.
const WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// On a connection for one terminal: what a device has under way when the reader pauses has to be shown before the answer to a Ctrl-C.
const TERMINAL_WINDOW_BYTES: u32 = 256 * 1024;

/// How an engineer has shown who they are.
pub enum Proof {
    /// By an SSH key with this fingerprint: it must be the one that the request names.
    Key(String),
    /// By an API token, which proves no key. The request was signed with one, and that one must still be in the roster. For terminals.
    Token(Option<ConsentId>),
}

/// Somebody who would go into a device, under a consent of grade `gateway`.
pub struct Visitor {
    pub jump: Jump,
    pub device: NeName,
    pub engineer: String,
    pub proof: Proof,
}

/// The connection to the device. When the last handle to it is dropped, it is cut.
#[derive(Clone)]
pub struct Inside {
    ssh: Arc<client::Handle<Toward>>,
    pub consent: ConsentId,
    why: Why,
    ended: CancellationToken,
    _cut: Arc<DropGuard>,
}

impl Inside {
    /// Cancelled when the connection has ended.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Why it ended, by the device's own word where there was one.
    pub fn why(&self) -> String {
        self.why.get().cloned().unwrap_or_else(|| "the connection to the device ended".to_owned())
    }

    pub async fn channel(&self, device: &NeName) -> Result<Channel<client::Msg>, String> {
        match tokio::time::timeout(OPEN_PATIENCE, self.ssh.channel_open_session()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(_)) => Err(format!("{device} opened no channel under the consent {}", self.consent)),
            Err(_) => Err(format!("{device} did not open a channel in {} s", OPEN_PATIENCE.as_secs())),
        }
    }

    /// Says goodbye to the device, which has a moment to take it.
    pub async fn leave(self, words: &str) {
        let goodbye = async {
            let _ = self.ssh.disconnect(Disconnect::ByApplication, words, "en").await;
            self.ended.cancelled().await;
        };
        let _ = tokio::time::timeout(LAST_WORDS, goodbye).await;
    }
}

impl Visitor {
    /// The consent that lets this engineer in, or why none does.
    pub async fn check(&self) -> Result<ConsentId, String> {
        let found = self.jump.find(&self.device).await?;
        Ok(self.permission(&found).await?.consent)
    }

    /// Signs in on the device, under the engineer's consent.
    pub async fn enter(&self) -> Result<Inside, String> {
        let found = self.jump.find(&self.device).await?;
        let Permission { consent, statement } = self.permission(&found).await?;
        let key = sig::fingerprint(self.jump.client_key.public_key()).to_string();
        let leg = self.jump.leg(&found, |leg| Order::Open { key, leg, consent: Some(consent) }).await.map_err(|no| no.to_string())?;
        let inside = self.sign_in(&statement, leg, consent).await?;
        tracing::info!(engineer = %self.engineer, device = %self.device, consent.id = %consent, "inside, by grade gateway");
        Ok(inside)
    }

    async fn sign_in(
        &self,
        statement: &DeviceStatement,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        consent: ConsentId,
    ) -> Result<Inside, String> {
        let device = &self.device;
        let (ended, why, cut) = (CancellationToken::new(), Why::default(), CancellationToken::new());
        let toward = Toward::new(statement.host_key.clone(), Arc::clone(&why), ended.clone());
        // Whatever the device does or leaves undone: who gives up here takes the connection along.
        let stream = Cuttable::new(stream, &cut);
        let guard = cut.drop_guard();
        let window = match self.proof {
            Proof::Key(_) => WINDOW_BYTES,
            Proof::Token(_) => TERMINAL_WINDOW_BYTES,
        };
        let config = Arc::new(toward::config(&statement.host_key, window));
        let banner = toward.banner();
        let signing_in = async {
            let mut ssh = client::connect_stream(config, stream, toward).await.map_err(|error| match error {
                Lost::OtherKey(found) => format!("{device} shows the host key {found}, which its statement does not name"),
                Lost::TooMuch(what) => format!("{device} {what}: this gateway does not go along"),
                Lost::Ssh(error) => format!("{device} speaks no SSH that this gateway understands ({error})"),
            })?;
            let key = PrivateKeyWithHashAlg::new(Arc::clone(&self.jump.client_key), None);
            let taken = ssh.authenticate_publickey(consent.to_string(), key).await.is_ok_and(|result| result.success());
            let said = banner.get();
            if taken { Ok(ssh) } else { Err(format!("{device} does not take this gateway's key for the consent {consent}{said}")) }
        };
        let late = || format!("{device} did not finish the handshake in {} s", HANDSHAKE_PATIENCE.as_secs());
        let ssh = tokio::time::timeout(HANDSHAKE_PATIENCE, signing_in).await.map_err(|_| late())??;
        Ok(Inside { ssh: Arc::new(ssh), consent, why, ended, _cut: Arc::new(guard) })
    }

    /// What lets this engineer in, or why nothing does.
    async fn permission(&self, found: &Found) -> Result<Permission, String> {
        let (device, customer, name) = (found.device.id, found.device.customer, self.device.clone());
        let engineer = self.engineer.clone();
        let proof = match &self.proof {
            Proof::Key(key) => Proof::Key(key.clone()),
            Proof::Token(consent) => Proof::Token(*consent),
        };
        let gateway = self.jump.client_key.public_key().clone();
        let root = Arc::clone(&self.jump.vendor_root);
        let look = move |db: &Db<'_>| -> Result<_, consents::Error> {
            customers::check_running(db, customer)?;
            let live = consents::live_through_gateway(db, device, &engineer)?;
            let roster = trust::roster(db, &root);
            let found = match &proof {
                Proof::Key(key) => consent_of_key(&live, &name, &engineer, key),
                Proof::Token(wanted) => {
                    let roster = roster.as_ref().map_err(ToString::to_string);
                    let consents = live.into_iter().filter(|(id, _)| wanted.is_none_or(|wanted| wanted == *id));
                    let consents = consents.map(|(id, signed)| Ok((signed, consents::get(db, &Scope::All, id)?)));
                    let consents = consents.collect::<Result<Vec<_>, consents::Error>>()?;
                    roster.and_then(|roster| consent_for_a_terminal(&consents, &name, &engineer, roster, db.now()))
                }
            };
            let consent = match found {
                Ok(consent) => consent,
                Err(why) => return Ok(Err(why)),
            };
            let (_, statement) = trust::device_statement(db, device)?;
            if db.now() >= statement.valid_before {
                return Ok(Err(format!("the device statement of {name} expired at {}", statement.valid_before)));
            }
            if !roster?.gateway_keys().any(|listed| listed.key_data() == gateway.key_data()) {
                let own = sig::fingerprint(&gateway);
                return Ok(Err(format!(
                    "the roster does not list this gateway's key {own} for `gateway@lineman`: the vendor root has to sign one that does (`lineman-server gateway-key`)"
                )));
            }
            Ok(Ok(Permission { consent, statement }))
        };
        self.jump.store.read(look).await.map_err(|error| error.to_string())?
    }
}

/// An engineer who signed in under a device's name.
pub struct Visit {
    visitor: Visitor,
    inside: tokio::sync::Mutex<Option<Inside>>,
    channels: Arc<Semaphore>,
    room: Room,
    /// Cancelled when the engineer has gone.
    gone: CancellationToken,
}

impl Visit {
    pub fn new(jump: Jump, device: NeName, engineer: String, key: String) -> Self {
        let channels = Arc::new(Semaphore::new(MOST_CHANNELS));
        Self {
            visitor: Visitor { jump, device, engineer, proof: Proof::Key(key) },
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
                tracing::info!(engineer = %self.visitor.engineer, device = %self.visitor.device, %reason, "refused");
                reply.reject(prohibited(reason)).await;
            }
        }
    }

    async fn open(&self, handle: &server::Handle) -> Result<(Channel<client::Msg>, Why), String> {
        let inside = {
            let mut inside = self.inside.lock().await;
            match &*inside {
                Some(inside) if !inside.ssh.is_closed() => inside.clone(),
                Some(_) | None => {
                    let entered = self.visitor.enter().await?;
                    self.visitor.jump.tasks.spawn(self.watch(entered.clone(), handle.clone()));
                    inside.insert(entered).clone()
                }
            }
        };
        Ok((inside.channel(&self.visitor.device).await?, inside.why))
    }

    /// Ends the one side when the other has ended.
    fn watch(&self, inside: Inside, engineer: server::Handle) -> impl Future<Output = ()> + use<> {
        let (gone, stop, channels) = (self.gone.clone(), self.visitor.jump.stop.clone(), Arc::clone(&self.channels));
        async move {
            tokio::select! {
                () = gone.cancelled() => inside.leave("the engineer has left").await,
                () = stop.cancelled() => inside.leave("the support centre stops").await,
                () = inside.ended.cancelled() => {
                    let all = u32::try_from(MOST_CHANNELS).unwrap_or(u32::MAX);
                    let _ = tokio::time::timeout(LAST_WORDS, channels.acquire_many(all)).await;
                    tokio::time::sleep(LAST_LOOK).await;
                    let _ = engineer.disconnect(Disconnect::ByApplication, inside.why(), "en".to_owned()).await;
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
fn consent_of_key(live: &[(ConsentId, Signed)], device: &NeName, engineer: &str, key: &str) -> Result<ConsentId, String> {
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
        None => none_is_live(device, engineer),
    })
}

/// The newest live consent for a shell whose request is signed by a key that is the engineer's today.
fn consent_for_a_terminal(
    live: &[(Signed, ConsentView)],
    device: &NeName,
    engineer: &str,
    roster: &Roster,
    now: jiff::Timestamp,
) -> Result<ConsentId, String> {
    let mut other = None;
    for (signed, consent) in live {
        let why = match (Request::verify(signed, roster, now), &consent.doors) {
            (Err(error), _) => format!("the request of the consent {} does not hold any more: {error}", consent.id),
            (Ok(_), Some(doors)) if doors.has(Door::Shell) => return Ok(consent.id),
            (Ok(_), Some(doors)) => {
                format!("the consent {} opens no door `shell`, which a terminal is: it opens {doors}", consent.id)
            }
            (Ok(_), None) => format!("the consent {} opens no door", consent.id),
        };
        other.get_or_insert(why);
    }
    Err(other.unwrap_or_else(|| none_is_live(device, engineer)))
}

fn none_is_live(device: &NeName, engineer: &str) -> String {
    format!(
        "no consent of grade gateway is live for {engineer} on {device}: ask for one with `lineman consent request FAULT --grade gateway`, \
         or use `ssh -J` with one of grade end-to-end"
    )
}

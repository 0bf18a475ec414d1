//! The SSH server's callbacks: stateless as far as SSH allows. Each one answers at once, as the protocol demands it, and
//! hands what happened to the session's task as one message.
//!
//! Said plainly: of a FIDO key (`sk-`) it is checked that it signed, but not that somebody touched the token for it, because russh shows
//! no flags of a signature. The engineer's *request* was signed with a touch ([`sig`]); signing in under it needs the token, and the
//! touch only as far as the token itself insists on one.
//!
//! A key that is of a kind not taken anywhere (RSA) is refused, and stock `ssh` shows why: SSH has no words for a refused key, but after
//! it a client may ask for `keyboard-interactive`, and gets an instruction without a prompt. Nobody is ever let in by that.
//!
//! Replies to channel requests are given here and not by the channel's task: SSH matches them by order, and russh remembers
//! only the last request's wish for one. Whether the consent allows what was asked is told later, in words on stderr.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use lineman_common::id::ConsentId;
use lineman_common::statement::{device, sig};
use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey};
use russh::{
    Channel, ChannelId, ChannelOpenFailure, Disconnect, MethodKind, MethodSet, Preferred, Pty, SshId, cipher, compression, kex, mac,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::forward::Asked;
use super::{Host, ask};
use crate::consents::Live;

/// Sessions' channels at one time on one connection, and as many forwards.
const MAX_CHANNELS: usize = 128;
/// SSH messages that wait for one channel's task, which takes them off at once.
const CHANNEL_MESSAGES: usize = 64;

/// What is spoken. The client's order decides; what is not here is refused. The gateway's door has the same list.
const SPOKEN: Preferred = Preferred {
    kex: Cow::Borrowed(&[
        kex::MLKEM768X25519_SHA256,
        kex::CURVE25519,
        kex::CURVE25519_PRE_RFC_8731,
        // No key exchanges: what both sides understand besides.
        kex::EXTENSION_SUPPORT_AS_SERVER,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
    ]),
    cipher: Cow::Borrowed(&[
        cipher::AES_128_GCM,
        cipher::AES_256_GCM,
        cipher::CHACHA20_POLY1305,
        cipher::AES_128_CTR,
        cipher::AES_192_CTR,
        cipher::AES_256_CTR,
    ]),
    mac: Cow::Borrowed(&[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM]),
    compression: Cow::Borrowed(&[compression::NONE]),
    ..Preferred::DEFAULT
};

/// What the session's task hears.
pub enum Heard {
    /// The key was proven to belong to a live consent. The answer says whether the session is being recorded.
    Entered {
        live: Box<Live>,
        key: String,
        ready: oneshot::Sender<Result<(), String>>,
    },
    /// With its place among those that are open.
    Channel(Channel<Msg>, OwnedSemaphorePermit),
    Forward(Asked),
    /// Something was refused that SSH has no words for.
    Refused(String),
}

pub fn config(host_key: ssh_key::PrivateKey) -> Arc<Config> {
    Arc::new(Config {
        // Says nothing about the software's version.
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Lineman")),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: Duration::from_millis(300),
        // OpenSSH asks with `none` first, every time.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host_key],
        preferred: SPOKEN,
        window_size: 8 * 1024 * 1024,
        maximum_packet_size: 65_535,
        channel_buffer_size: CHANNEL_MESSAGES,
        event_buffer_size: 64,
        max_auth_attempts: 10,
        // Liveness lives in the leg: a pause there must not end the session here.
        inactivity_timeout: None,
        keepalive_interval: None,
        nodelay: true,
        ..Config::default()
    })
}

pub struct Doorkeeper {
    host: Arc<Host>,
    heard: mpsc::Sender<Heard>,
    live: Option<(Box<Live>, String)>,
    /// Channels that have started something: a second start on one is refused.
    started: HashSet<ChannelId>,
    sessions: Arc<Semaphore>,
    forwards: Arc<Semaphore>,
    /// Why the kind of key that was offered is not taken.
    wrong_key: Option<String>,
}

impl Doorkeeper {
    pub fn new(host: Arc<Host>, heard: mpsc::Sender<Heard>) -> Self {
        let places = || Arc::new(Semaphore::new(MAX_CHANNELS));
        Self { host, heard, live: None, started: HashSet::new(), sessions: places(), forwards: places(), wrong_key: None }
    }

    /// A user name that is a consent's id names that consent: for grade `gateway`, where the key is the centre's, it must. Any other
    /// will do: the account comes from the consent.
    fn entry(&mut self, user: &str, key: &PublicKey) -> Option<Live> {
        let fingerprint = sig::fingerprint(key).to_string();
        if let Err(refused) = sig::accepted(key) {
            tracing::info!(key = %fingerprint, %refused, "a key is not taken");
            self.wrong_key = Some(refused.to_string());
            return None;
        }
        self.host.consents.entry_for(&fingerprint, user.parse::<ConsentId>().ok())
    }

    async fn refused(&self, text: &str) -> Result<(), russh::Error> {
        self.heard.send(Heard::Refused(text.to_owned())).await.map_err(|_| russh::Error::Disconnect)
    }

    /// Answers a start: once per channel.
    fn start(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        if self.started.insert(channel) { session.channel_success(channel) } else { session.channel_failure(channel) }
    }
}

const NO_REMOTE: &str = "remote forwarding (ssh -R) is refused: a consent opens no way from the device to you";

/// RFC 4254's "administratively prohibited", with words that stock `ssh` prints.
fn no_sockets() -> ChannelOpenFailure {
    let reason = "lineman: forwarding to a Unix socket is refused: a consent names hosts and ports".to_owned();
    ChannelOpenFailure::Other { code: 1, reason }
}

impl Handler for Doorkeeper {
    type Error = russh::Error;

    /// SSH can't give a reason for a refused key, but a banner is shown before.
    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        let none = !self.host.consents.any_live();
        Ok(none.then(|| format!("lineman: {}\r\n", self.host.consents.why_not(""))))
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        let entry = self.entry(user, offer.public_key);
        let more = self.wrong_key.is_some().then(|| MethodSet::from(&[MethodKind::PublicKey, MethodKind::KeyboardInteractive][..]));
        Ok(if entry.is_some() { Auth::Accept } else { Auth::Reject { proceed_with_methods: more, partial_success: false } })
    }

    /// Never lets anybody in: it only says why a key was not taken, once.
    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        _response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(why) = self.wrong_key.take() else {
            let methods = MethodSet::from(&[MethodKind::PublicKey][..]);
            return Ok(Auth::Reject { proceed_with_methods: Some(methods), partial_success: false });
        };
        Ok(Auth::Partial { name: Cow::Borrowed(""), instructions: Cow::Owned(format!("lineman: {why}")), prompts: Cow::Borrowed(&[]) })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let Some(live) = self.entry(user, key.public_key) else { return Ok(Auth::reject()) };
        self.live = Some((Box::new(live), device::openssh(key.public_key)));
        Ok(Auth::Accept)
    }

    async fn auth_succeeded(&mut self, session: &mut Session) -> Result<(), Self::Error> {
        let Some((live, key)) = self.live.take() else { return Err(russh::Error::Inconsistent) };
        let (ready, answer) = oneshot::channel();
        self.heard.send(Heard::Entered { live, key, ready }).await.map_err(|_| russh::Error::Disconnect)?;
        match answer.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => session.disconnect(Disconnect::ByApplication, &reason, "en"),
            Err(_) => Err(russh::Error::Disconnect),
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Ok(place) = Arc::clone(&self.sessions).try_acquire_owned() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        reply.accept().await;
        self.heard.send(Heard::Channel(channel, place)).await.map_err(|_| russh::Error::Disconnect)
    }

    /// Answered by a task of its own: finding the place and connecting takes time.
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
        let Ok(place) = Arc::clone(&self.forwards).try_acquire_owned() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let asked = Asked { channel, host: host.to_owned(), port, reply, place };
        self.heard.send(Heard::Forward(asked)).await.map_err(|_| russh::Error::Disconnect)
    }

    async fn tcpip_forward(&mut self, _address: &str, _port: &mut u32, _session: &mut Session) -> Result<bool, Self::Error> {
        self.refused(NO_REMOTE).await.map(|()| false)
    }

    async fn streamlocal_forward(&mut self, _path: &str, _session: &mut Session) -> Result<bool, Self::Error> {
        self.refused(NO_REMOTE).await.map(|()| false)
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.reject(no_sockets()).await;
        Ok(())
    }

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

    async fn env_request(&mut self, channel: ChannelId, name: &str, _value: &str, session: &mut Session) -> Result<(), Self::Error> {
        if ask::variable_allowed(name) { session.channel_success(channel) } else { session.channel_failure(channel) }
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.start(channel, session)
    }

    async fn exec_request(&mut self, channel: ChannelId, _command: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        self.start(channel, session)
    }

    async fn subsystem_request(&mut self, channel: ChannelId, name: &str, session: &mut Session) -> Result<(), Self::Error> {
        if name == ask::SFTP { self.start(channel, session) } else { session.channel_failure(channel) }
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

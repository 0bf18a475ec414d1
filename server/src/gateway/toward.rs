//! This end of the SSH connection to a device, for the grade `gateway`. The device may be hostile; this is what it can do, and what holds:
//!
//! | it | holds |
//! |---|---|
//! | shows another host key | it must be the one of its statement, and no certificate; only that key's kind is offered |
//! | shows another key when keys are changed later | nothing to gain: whoever changes them held the connection already (the library does not ask) |
//! | chooses what costs much (a group of its own, old ciphers, compression) | only curve25519 and ML-KEM with it, AES-GCM and ChaCha20; no compression |
//! | says nothing, or stops in the middle, also while keys are changed | the handshake has its time; who leaves cuts the stream (`Cuttable`) |
//! | does not read | as above: the stream is cut, whatever waits to be written |
//! | sends endless banners, opens channels, changes keys all the time | counted, then cut off ([`Lost::TooMuch`]) |
//! | asks globally, announces host keys | answered with no by the library, ignored; not a line in the log |
//! | sends more than the window allows | the library takes it, and stops reading the connection until this side has room: see `pipe` |
//! | sends packets of any size | 256 KiB at most in the library; a channel holds 16 of them |
//! | says much at its end (exit, signal, goodbye) | the signal's name, and 500 characters without controls |
//! | makes the library panic | its task ends; the connection is then over as any other, the server goes on |

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use lineman_common::Printable;
use lineman_common::statement::sig;
use russh::client::{self, ChannelOpenHandle, DisconnectReason};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId, Preferred, SshId, cipher, compression, kex};
use ssh_key::PublicKey;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use super::jump::prohibited;
use super::pipe::Why;

/// Of a device's words, as many characters are shown.
const LONGEST_WORDS: usize = 500;
const MOST_BANNERS: u32 = 16;
const MOST_OPENS: u32 = 32;
/// Honest devices change keys after 1 GiB or an hour. So many at once, and one more with each second.
const MOST_REKEYS: u32 = 60;

const KEXES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];
const CIPHERS: &[cipher::Name] = &[cipher::AES_256_GCM, cipher::AES_128_GCM, cipher::CHACHA20_POLY1305];

pub fn config(host_key: &PublicKey, window_bytes: u32) -> client::Config {
    client::Config {
        client_id: SshId::Standard("SSH-2.0-Lineman".into()),
        window_size: window_bytes,
        maximum_packet_size: 65535,
        // Messages that a channel holds before they are weighed (`pipe`), and a message may have 256 KiB.
        channel_buffer_size: 16,
        preferred: Preferred {
            kex: KEXES.into(),
            key: vec![host_key.algorithm()].into(),
            cipher: CIPHERS.into(),
            compression: [compression::NONE].as_slice().into(),
            ..Preferred::default()
        },
        // Liveness lives in the leg: a pause there must not end the session here.
        inactivity_timeout: None,
        keepalive_interval: None,
        ..client::Config::default()
    }
}

/// Why no connection to a device came to be, or why it ended.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    #[error("another host key: {0}")]
    OtherKey(String),
    #[error("the device {0}")]
    TooMuch(&'static str),
    #[error(transparent)]
    Ssh(#[from] russh::Error),
}

/// What a device said before it decided on the key, for the engineer to read.
#[derive(Clone, Default)]
pub struct Banner(Arc<Mutex<String>>);

impl Banner {
    pub fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

/// Hears what the device says about the connection as a whole.
pub struct Toward {
    /// The device's, from its statement.
    host_key: PublicKey,
    banner: Banner,
    /// Why the connection ended.
    why: Why,
    begun: Instant,
    banners: u32,
    opens: u32,
    rekeys: u32,
    _ended: DropGuard,
}

impl Toward {
    /// `ended` is cancelled when the connection has ended, however it did.
    pub fn new(host_key: PublicKey, why: Why, ended: CancellationToken) -> Self {
        let (banner, begun) = (Banner::default(), Instant::now());
        Self { host_key, banner, why, begun, banners: 0, opens: 0, rekeys: 0, _ended: ended.drop_guard() }
    }

    pub fn banner(&self) -> Banner {
        self.banner.clone()
    }

    /// A device has nothing to open here. The library would let it.
    async fn refuse(&mut self, reply: ChannelOpenHandle) -> Result<(), Lost> {
        count(&mut self.opens, MOST_OPENS, "opens one channel after the other")?;
        reply.reject(prohibited("a device opens no channels".to_owned())).await;
        Ok(())
    }
}

fn count(so_far: &mut u32, most: u32, what: &'static str) -> Result<(), Lost> {
    *so_far = so_far.saturating_add(1);
    if *so_far > most { Err(Lost::TooMuch(what)) } else { Ok(()) }
}

/// As many as may be after so long.
fn most_rekeys(after: Duration) -> u32 {
    MOST_REKEYS.saturating_add(u32::try_from(after.as_secs()).unwrap_or(u32::MAX))
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

    async fn kex_done(&mut self, _secret: Option<&[u8]>, _names: &russh::Names, _session: &mut client::Session) -> Result<(), Lost> {
        count(&mut self.rekeys, most_rekeys(self.begun.elapsed()), "changes its keys all the time")
    }

    async fn auth_banner(&mut self, banner: &str, _session: &mut client::Session) -> Result<(), Lost> {
        count(&mut self.banners, MOST_BANNERS, "sends one banner after the other")?;
        self.banner.set(format!(": {}", words(banner)));
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

    /// Accepted only to be refused, and counted, like those of a known kind.
    async fn should_accept_unknown_server_channel(&mut self, _id: ChannelId, _kind: &str) -> bool {
        true
    }

    async fn server_channel_open_unknown(
        &mut self,
        _channel: Channel<client::Msg>,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        self.refuse(reply).await
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<client::Msg>,
        _address: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        self.refuse(reply).await
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<client::Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        self.refuse(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<client::Msg>,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        self.refuse(reply).await
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<client::Msg>,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        self.refuse(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<client::Msg>,
        _host: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        self.refuse(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<client::Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        self.refuse(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<client::Msg>,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Lost> {
        self.refuse(reply).await
    }
}

/// A stream to a device that ends here when it is cut, whatever the device does or waits for.
pub struct Cuttable<S> {
    stream: S,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> Cuttable<S> {
    pub fn new(stream: S, cut: &CancellationToken) -> Self {
        Self { stream, cut: Box::pin(cut.clone().cancelled_owned()) }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cuttable<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cuttable<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_change_as_often_as_honest_devices_need_and_not_more() {
        let mut rekeys = 0;
        for _ in 0..MOST_REKEYS {
            count(&mut rekeys, most_rekeys(Duration::ZERO), "x").unwrap();
        }
        assert!(count(&mut rekeys, most_rekeys(Duration::ZERO), "x").is_err());
        assert!(count(&mut rekeys, most_rekeys(Duration::from_secs(3600)), "x").is_ok());
    }

    #[test]
    fn words_are_short_and_harmless() {
        let said = words(&format!(" \u{1b}[2J{}", "x".repeat(100_000)));
        assert!(said.starts_with("\\u{1b}[2J") && said.len() < 600, "{said}");
    }

    #[tokio::test]
    async fn a_cut_stream_ends_whatever_the_other_side_does() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (ours, _theirs) = tokio::io::duplex(16);
        let cut = CancellationToken::new();
        let (mut read, mut write) = tokio::io::split(Cuttable::new(ours, &cut));
        let (mut byte, more) = ([0], [0; 64]);
        let both = async { tokio::join!(read.read_exact(&mut byte), write.write_all(&more)) };
        let cutting = async {
            tokio::task::yield_now().await;
            cut.cancel();
        };
        let ((read, written), ()) = tokio::join!(both, cutting);
        assert!(read.is_err() && written.is_err());
    }
}

//! Forwards: `ssh -L` and `-D`, to the places that the consent names and nowhere else.
//!
//! A place is a host and a port, asked for exactly as the consent writes it: names as names, addresses as addresses. The device
//! resolves it. Wherever a name leads, the device's own SSH is never reached this way: after connecting, a port 22 whose other
//! side is this device is refused. Each forward is a channel of the recording, with bytes both ways under the rule for commands.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lineman_common::printable::escape;
use lineman_common::recording::{Flow, Opened, What};
use lineman_common::session::{Door, Doors, Target, is_loopback};
use russh::server::{ChannelOpenHandle, Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelOpenFailure};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::channel::{Line, next, taken};
use super::feed::{Feed, Sink};
use super::recorder::{EXEC_BYTES, FlowTape, READ_BYTES, RecorderFailed};
use super::{Scope, registry};

const SSH_PORT: u16 = 22;
/// For finding an address, and for connecting.
const PATIENCE: Duration = Duration::from_secs(10);
/// A longer name is none.
const HOST_CHARS: usize = 253;

/// RFC 4254's reasons for a refused channel.
const PROHIBITED: u32 = 1;
const CONNECT_FAILED: u32 = 2;

/// What a client asked for with `direct-tcpip`.
pub struct Asked {
    pub channel: Channel<Msg>,
    pub host: String,
    pub port: u32,
    pub reply: ChannelOpenHandle,
    /// Its place among the channels of the connection.
    pub place: OwnedSemaphorePermit,
}

/// Why there is no forward: a reason for the program and a text for the person.
#[derive(Debug)]
pub struct Refusal(u32, String);

impl Refusal {
    fn prohibited(text: impl Into<String>) -> Self {
        Self(PROHIBITED, text.into())
    }
}

impl From<Refusal> for ChannelOpenFailure {
    fn from(Refusal(code, reason): Refusal) -> Self {
        Self::Other { code, reason: format!("lineman: {reason}") }
    }
}

/// The place among the consent's doors that is asked for; otherwise which door is missing.
pub fn target<'a>(doors: &'a Doors, host: &str, port: u32) -> Result<&'a Target, Refusal> {
    let host = asked_host(host);
    if port == u32::from(SSH_PORT) && is_loopback(&host) {
        return Err(own_ssh(&host));
    }
    let named = doors.targets().iter().find(|target| asked_host(&target.host) == host && u32::from(target.port) == port);
    named.ok_or_else(|| {
        let place = shown(&host, port);
        Refusal::prohibited(format!(
            "the consent does not allow a forward to {place}: it has no door `{}:{place}`, only {doors}",
            Door::Forward
        ))
    })
}

fn own_ssh(host: &str) -> Refusal {
    Refusal::prohibited(format!("{} leads to the device's own SSH: a forward never goes there", shown(host, SSH_PORT.into())))
}

/// As the doors write it: an address in its shortest form, a name in lower case.
fn asked_host(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().to_string(),
        Err(_) => escape(&host.chars().take(HOST_CHARS).collect::<String>()).to_ascii_lowercase(),
    }
}

pub fn shown(host: &str, port: u32) -> String {
    let host = asked_host(host);
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A forward's whole life.
pub async fn run(scope: Arc<Scope>, number: u32, asked: Asked, handle: Handle) -> Result<(), RecorderFailed> {
    let Asked { channel, host, port, reply, place: _place } = asked;
    let recorder = &scope.recorder;
    recorder.channel_opened();
    let place = shown(&host, port);
    let opened = Opened { door: Door::Forward, command: None, terminal: None, target: Some(place.clone()) };
    recorder.event(number, What::Open(opened)).await?;
    let mut stop = scope.stop.clone();
    let opened = tokio::select! {
        opened = open(&scope, &host, port) => opened,
        ending = registry::ending(&mut stop) => Err(Refusal::prohibited(ending.text)),
    };
    let stream = match opened {
        Ok(stream) => stream,
        Err(refusal) => {
            recorder.event(number, What::Note(refusal.1.clone())).await?;
            reply.reject(refusal.into()).await;
            return Ok(());
        }
    };
    recorder.forward(&place);
    reply.accept().await;
    carry(&scope, number, channel, stream, handle, &place).await
}

/// Connects to where the consent allows, or says why not.
async fn open(scope: &Scope, host: &str, port: u32) -> Result<TcpStream, Refusal> {
    if scope.host.consents.remaining(scope.live.id).is_none_or(|left| left.is_zero()) {
        return Err(Refusal::prohibited("the consent has ended"));
    }
    let target = target(&scope.live.doors, host, port)?;
    scope.input_open().await;
    let failed = |error: io::Error| Refusal(CONNECT_FAILED, format!("the device can't reach {target}: {error}"));
    let late = |_| Refusal(CONNECT_FAILED, format!("the device can't reach {target}: no answer within {} s", PATIENCE.as_secs()));
    let connecting = async {
        let mut last = Err(failed(io::Error::other("the name has no address")));
        for address in addresses(scope, target).await.map_err(failed)? {
            if is_own_ssh(address, None) {
                return Err(own_ssh(&target.host));
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Err(failed(error)),
            }
        }
        last
    };
    let stream = timeout(PATIENCE, connecting).await.map_err(late)??;
    let (peer, local) = (stream.peer_addr().map_err(failed)?, stream.local_addr().map_err(failed)?);
    if is_own_ssh(peer, Some(local.ip())) {
        return Err(own_ssh(&target.host));
    }
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

/// Names are looked up on threads that the recorder needs as well: a few at a time, however many forwards wait for a slow answer.
async fn addresses(scope: &Scope, target: &Target) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = target.host.parse::<IpAddr>() {
        return Ok(vec![(ip, target.port).into()]);
    }
    let _turn = scope.host.lookups.acquire().await.map_err(io::Error::other)?;
    Ok(tokio::net::lookup_host((target.host.as_str(), target.port)).await?.collect())
}

/// Is this the SSH port of the device itself? A connection to itself has the same address on both sides.
fn is_own_ssh(peer: SocketAddr, local: Option<IpAddr>) -> bool {
    let ip = peer.ip().to_canonical();
    peer.port() == SSH_PORT && (ip.is_loopback() || ip.is_unspecified() || local.is_some_and(|local| local.to_canonical() == ip))
}

/// How a forward ended.
enum Over {
    Done,
    ClientLeft,
    PutOut(String),
}

/// Carries bytes both ways until both sides are done, or must be.
async fn carry(
    scope: &Scope,
    number: u32,
    channel: Channel<Msg>,
    stream: TcpStream,
    handle: Handle,
    place: &str,
) -> Result<(), RecorderFailed> {
    let id = channel.id();
    let (mut from, to) = channel.split();
    let line =
        Line { id, to, handle, recorder: Arc::clone(&scope.recorder), answers: Arc::clone(&scope.answers), gone: CancellationToken::new() };
    let tape = |flow| scope.recorder.flow(number, flow, Some(EXEC_BYTES));
    let (mut input, mut output) = (tape(Flow::Input), tape(Flow::Output));
    let (reading, writing) = stream.into_split();
    let mut feed = Feed::new(Some(Sink::Bytes(Box::new(writing))), Arc::clone(&scope.host.input));
    let mut pace = scope.recorder.pace().watch();
    let (mut stop, failed) = (scope.stop.clone(), scope.recorder.failed().clone());
    let over = {
        let answers = pump(scope, reading, &mut output, &line);
        tokio::pin!(answers);
        let mut drained = false;
        loop {
            if drained && feed.is_closed() {
                break Over::Done;
            }
            let (held, room) = (pace.borrow_and_update().input_held, feed.room());
            tokio::select! {
                done = &mut answers, if !drained => {
                    drained = true;
                    done?;
                    // The client may still have something to say.
                    let _ = line.handle.eof(id).await;
                }
                message = next(room, &scope.answers, &mut from) => match message {
                    Some(ChannelMsg::Data { data }) => {
                        scope.recorder.received(data.len());
                        input.record(&data).await?;
                        feed.push(data);
                    }
                    Some(ChannelMsg::Eof) => feed.end(),
                    Some(ChannelMsg::Close) | None => break Over::ClientLeft,
                    // Nothing else means anything on such a channel.
                    Some(_) => {}
                },
                () = scope.host.input.room(), if feed.waits_for_others() => {}
                _ = feed.write(), if feed.has_work(held) => {}
                Ok(()) = pace.changed() => {}
                () = failed.cancelled() => return Err(RecorderFailed),
                ending = registry::ending(&mut stop) => break Over::PutOut(ending.text),
            }
        }
    };
    // Both directions of the connection end here.
    drop(feed);
    let (sent, received) = (input.bytes(), output.bytes());
    input.finish().await?;
    output.finish().await?;
    let how = match over {
        Over::Done => "both sides were done".to_owned(),
        Over::ClientLeft => "the client closed it".to_owned(),
        Over::PutOut(text) => text,
    };
    let note = format!("the forward to {place} ended ({how}): {sent} bytes to it, {received} bytes from it");
    scope.recorder.event(number, What::Note(note)).await?;
    let _ = line.handle.close(id).await;
    Ok(())
}

/// From the target to the recorder and the client.
async fn pump(scope: &Scope, mut from: OwnedReadHalf, tape: &mut FlowTape, line: &Line) -> Result<(), RecorderFailed> {
    let mut buffer = Vec::new();
    loop {
        if tape.keeps_bytes() {
            scope.recorder.pace().output_open().await;
        }
        buffer.reserve(READ_BYTES);
        if !from.read_buf(&mut buffer).await.is_ok_and(|n| n > 0) {
            return Ok(());
        }
        let bytes = Bytes::from(taken(&mut buffer));
        tape.record(&bytes).await?;
        if line.send(Flow::Output, bytes).await.is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_places_of_the_consent_are_open_and_the_missing_door_is_named() {
        let doors: Doors = "exec,forward:db.local:5432,forward:10.0.0.5:443,forward:[2001:db8::5]:443".parse().unwrap();
        for (host, port) in [
            ("db.local", 5432),
            ("DB.Local", 5432),
            ("10.0.0.5", 443),
            ("::ffff:10.0.0.5", 443),
            ("2001:db8:0:0::5", 443),
            ("2001:DB8::5", 443),
        ] {
            assert!(target(&doors, host, port).is_ok(), "{host} {port}");
        }
        for (host, port) in [("db.local", 5433), ("db.local", 5432 + 65536), ("10.0.0.6", 443), ("db.local.", 5432), ("", 443)] {
            let Refusal(code, text) = target(&doors, host, port).unwrap_err();
            assert_eq!(code, PROHIBITED);
            assert!(text.contains(&format!("it has no door `forward:{host}:{port}`, only exec,forward:")), "{text}");
        }
        let Refusal(_, text) = target(&doors, "2001:db8::6", 1).unwrap_err();
        assert!(text.contains("no door `forward:[2001:db8::6]:1`"), "{text}");
        let Refusal(_, text) = target(&doors, "a\u{1b}[2Jb\n", 1).unwrap_err();
        assert!(!text.contains(['\u{1b}', '\n']), "{text:?}");
    }

    #[test]
    fn the_devices_own_ssh_is_never_reached() {
        let doors: Doors = "exec".parse().unwrap();
        for host in ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "0.0.0.0", "LOCALHOST"] {
            let Refusal(_, text) = target(&doors, host, 22).unwrap_err();
            assert!(text.contains("the device's own SSH"), "{host}: {text}");
        }
        let peer = |text: &str| text.parse::<SocketAddr>().unwrap();
        let own = Some("192.0.2.7".parse().unwrap());
        assert!(is_own_ssh(peer("192.0.2.7:22"), own), "by any of its own addresses");
        assert!(is_own_ssh(peer("[::ffff:192.0.2.7]:22"), own));
        assert!(is_own_ssh(peer("127.0.0.2:22"), None), "a name that leads to a loopback address");
        assert!(!is_own_ssh(peer("192.0.2.8:22"), own) && !is_own_ssh(peer("192.0.2.7:80"), own));
    }
}

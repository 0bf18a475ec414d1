//! Syslog: RFC 5424 messages over UDP (RFC 5426), TCP with octet counting (RFC 6587), or the local socket.
//!
//! The message is the journal's line byte for byte, without a byte order mark, so that its SHA-256 is the one in the structured data
//! and in the next line's `prev`.
//!
//! Syslog has no acknowledgement. Over TCP each delivery is a connection of its own: the device says that it has no more, and what
//! counts as delivered is what the other side closed the connection upon. Over UDP it is what nobody refused at once: use TCP where it matters.

use std::io;
use std::path::Path;
use std::time::Duration;

use lineman_common::name::NeName;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream, lookup_host};
use tokio::time::timeout;

use super::SendError;
use super::config::Syslog;
use crate::journal::{Entry, Position, Written};

/// Security and authorisation.
const FACILITY: u8 = 10;
const NOTICE: u8 = 5;
const WARNING: u8 = 4;
/// The number that RFC 5612 sets aside for examples: there is no registered one yet.
const STRUCTURED_DATA_ID: &str = "lineman@32473";
/// What an IPv4 datagram holds, with some room.
const MAX_DATAGRAM_BYTES: usize = 65_000;
/// For a host to say that nobody listens there.
const REFUSAL: Duration = Duration::from_millis(150);

pub async fn send(to: &Syslog, device: &NeName, entries: &[Written]) -> Result<(), SendError> {
    let messages: Vec<_> = entries.iter().map(|entry| message(device, entry)).collect();
    let failed = |what| move |source| SendError::Io { what, source };
    match to {
        Syslog::Udp { host, port } => udp(host, *port, &messages).await.map_err(failed("sending")),
        Syslog::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed("connecting"))?;
            counted(stream, &messages).await.map_err(failed("sending"))
        }
        Syslog::Unix(path) => unix(path, &messages).await.map_err(failed("sending")),
    }
}

/// One message of RFC 5424.
fn message(device: &NeName, entry: &Written) -> Vec<u8> {
    let line = &entry.line;
    let severity = match line.entry {
        Entry::Local { .. } | Entry::Stopped { .. } => WARNING,
        Entry::SessionBegun { .. }
        | Entry::SessionEnded { .. }
        | Entry::List { .. }
        | Entry::ConsentLive { .. }
        | Entry::ConsentEnded { .. }
        | Entry::Resumed { .. } => NOTICE,
    };
    // Syslog's times have six digits of a second at most.
    let at = line.at.round(jiff::Unit::Microsecond).unwrap_or(line.at);
    let (priority, pid, kind, n) = (FACILITY * 8 + severity, std::process::id(), line.entry.kind(), line.n);
    let sha256 = Position::of(entry).sha256;
    let head = format!("<{priority}>1 {at} {device} lineman-agent {pid} {kind} [{STRUCTURED_DATA_ID} n=\"{n}\" sha256=\"{sha256}\"] ");
    [head.as_bytes(), entry.text.as_bytes()].concat()
}

async fn udp(host: &str, port: u16, messages: &[Vec<u8>]) -> io::Result<()> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await? {
        let any = if address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        let socket = UdpSocket::bind(any).await?;
        let sent = async {
            socket.connect(address).await?;
            for message in messages {
                socket.send(&message[..message.len().min(MAX_DATAGRAM_BYTES)]).await?;
            }
            // What comes here, if anything, is the network's word that nobody took it.
            match timeout(REFUSAL, socket.recv(&mut [0; 1])).await {
                Ok(Err(error)) => Err(error),
                Ok(Ok(_)) | Err(_) => Ok(()),
            }
        };
        match sent.await {
            Ok(()) => return Ok(()),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Octet counting: each message after its length.
async fn counted(mut stream: impl AsyncRead + AsyncWrite + Unpin, messages: &[Vec<u8>]) -> io::Result<()> {
    for message in messages {
        stream.write_all(format!("{} ", message.len()).as_bytes()).await?;
        stream.write_all(message).await?;
    }
    stream.shutdown().await?;
    // Who closes with something unread resets the connection, and that is an error here.
    while stream.read(&mut [0; 512]).await? > 0 {}
    Ok(())
}

async fn unix(path: &Path, messages: &[Vec<u8>]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    match socket.connect(path) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::PROTOTYPE) => {
            return counted(UnixStream::connect(path).await?, messages).await;
        }
        other => other?,
    }
    for message in messages {
        socket.send(message).await?;
    }
    Ok(())
}

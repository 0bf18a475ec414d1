//! Dialling: a plain TCP connection to the API's port, and the few words before it is the device's SSH.

use std::time::Duration;

use axum::http::Uri;
use lineman_common::leg::{MAX_GREETING_BYTES, line_greeting, read_line_reply};
use lineman_common::printable::escape;
use reqwest::Url;
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

use super::{LineError, Ticket, Way, http_proxy};

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// The device said yes before there was a ticket: what is waited for is the network.
const GREETING_PATIENCE: Duration = Duration::from_secs(15);
/// A NAT may forget a connection that is silent for a minute.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// So that a cut of the two minutes that a session survives doesn't end the connection either.
const KEEPALIVE_TRIES: u32 = 7;
/// Longest answer of an HTTP proxy.
const MAX_PROXY_BYTES: usize = 8 * 1024;

/// Connects to the server and shows the ticket: what is answered is the device's SSH, from its first byte.
pub async fn dial(server: &Url, ticket: &Ticket) -> Result<TcpStream, LineError> {
    let (mut stream, place) = match &ticket.way {
        Way::Direct(address) => (connect(address, &address.to_string()).await?, address.to_string()),
        Way::Proxy => (through_proxy(server).await?, server.authority().to_owned()),
    };
    let silent = |why: String| LineError::Silent { place: place.clone(), why };
    let reply = async {
        stream.write_all(line_greeting(&ticket.ticket).as_bytes()).await?;
        read_until(&mut stream, b"\n", MAX_GREETING_BYTES).await
    };
    let reply = match tokio::time::timeout(GREETING_PATIENCE, reply).await {
        Ok(reply) => reply.map_err(|e| silent(e.to_string()))?,
        Err(_) => return Err(silent(format!("nothing came within {} s", GREETING_PATIENCE.as_secs()))),
    };
    match read_line_reply(reply.trim_end_matches('\n')) {
        Ok(()) => Ok(stream),
        Err(refused @ lineman_common::leg::LegError::Refused(_)) => Err(LineError::Refused(refused)),
        Err(_) => Err(silent(format!("it says `{}`", escape(&reply.chars().take(80).collect::<String>())))),
    }
}

async fn connect(to: impl ToSocketAddrs, place: &str) -> Result<TcpStream, LineError> {
    let unreachable = |source| LineError::Unreachable { place: place.to_owned(), source };
    let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {} s", CONNECT_PATIENCE.as_secs()));
    let stream = tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(to)).await.map_err(|_| unreachable(late()))?;
    let stream = stream.map_err(unreachable)?;
    settle(&stream).map_err(unreachable)?;
    Ok(stream)
}

/// What `ssh` sets on a connection of its own, and a pulse for whatever keeps state along the way. Not inside of SSH: that would
/// end a session that a longer cut leaves alive.
fn settle(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    set_socket_keepalive(stream, true)?;
    set_tcp_keepidle(stream, KEEPALIVE)?;
    set_tcp_keepintvl(stream, KEEPALIVE)?;
    set_tcp_keepcnt(stream, KEEPALIVE_TRIES)?;
    Ok(())
}

async fn through_proxy(server: &Url) -> Result<TcpStream, LineError> {
    let intercept = http_proxy(server).ok_or_else(|| LineError::Proxy("that was there a moment ago".to_owned()))?;
    let proxy = place_of(intercept.uri())?;
    let mut stream = connect(&proxy, &proxy).await?;
    let host = server.host_str().unwrap_or_default();
    let target = format!("{host}:{}", server.port_or_known_default().unwrap_or(443));
    let auth = intercept.basic_auth().and_then(|value| value.to_str().ok());
    let auth = auth.map(|value| format!("Proxy-Authorization: {value}\r\n")).unwrap_or_default();
    let ask = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{auth}\r\n");
    let answer = async {
        stream.write_all(ask.as_bytes()).await?;
        read_until(&mut stream, b"\r\n\r\n", MAX_PROXY_BYTES).await
    };
    let failed = |source| LineError::Unreachable { place: proxy.clone(), source };
    let late = |_| failed(std::io::ErrorKind::TimedOut.into());
    let answer = tokio::time::timeout(GREETING_PATIENCE, answer).await.map_err(late)?.map_err(failed)?;
    let first = answer.lines().next().unwrap_or_default();
    match first.split(' ').nth(1) {
        Some("200") => Ok(stream),
        _ => Err(LineError::ProxyRefused { proxy: proxy.clone(), answer: first.to_owned() }),
    }
}

/// `host:port` of a proxy that is spoken to in plain HTTP.
fn place_of(proxy: &Uri) -> Result<String, LineError> {
    match (proxy.scheme_str(), proxy.host()) {
        (Some("http"), Some(host)) => Ok(format!("{host}:{}", proxy.port_u16().unwrap_or(80))),
        _ => Err(LineError::Proxy(format!("{}://{}", proxy.scheme_str().unwrap_or_default(), proxy.host().unwrap_or_default()))),
    }
}

/// Reads byte by byte, because what follows the end is not ours.
async fn read_until(stream: &mut TcpStream, end: &[u8], most: usize) -> std::io::Result<String> {
    let mut text = Vec::new();
    while !text.ends_with(end) {
        if text.len() >= most {
            return Err(std::io::Error::other("its answer has no end"));
        }
        match stream.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(std::io::Error::other("it closed the connection without an answer"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt::{socket_keepalive, tcp_keepcnt, tcp_keepidle, tcp_keepintvl};
    use tokio::net::TcpListener;

    use super::*;

    fn ticket(address: std::net::SocketAddr) -> Ticket {
        Ticket { device: "ne-1.jw.ne".parse().unwrap(), way: Way::Direct(address), ticket: "t-1".into() }
    }

    /// Dials a server that says something; answers the result, and what the server was told.
    async fn dialled(says: &[u8]) -> (Result<TcpStream, LineError>, String) {
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let ticket = ticket(listener.local_addr().unwrap());
        let url = Url::parse("https://[::1]:1/").unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 19];
            stream.read_exact(&mut asked).await.unwrap();
            stream.write_all(says).await.unwrap();
            (String::from_utf8_lossy(&asked).into_owned(), says.is_empty().then(|| drop(stream)))
        };
        let (stream, (asked, _)) = tokio::join!(dial(&url, &ticket), server);
        (stream, asked)
    }

    #[tokio::test]
    async fn what_follows_the_answer_is_left_for_ssh() {
        let (stream, asked) = dialled(b"LINEMAN-LINE/1 OK\nSSH-2.0-x\r\n").await;
        let mut stream = stream.unwrap();
        assert_eq!(asked, "LINEMAN-LINE/1 t-1\n");
        let mut rest = [0; 11];
        stream.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"SSH-2.0-x\r\n");
        // Silent for an hour is not gone: every middle box hears something three times a minute.
        assert!(stream.nodelay().unwrap() && socket_keepalive(&stream).unwrap());
        assert!(tcp_keepidle(&stream).unwrap() <= Duration::from_secs(20) && tcp_keepintvl(&stream).unwrap() <= Duration::from_secs(20));
        // A cut of two minutes is survived.
        let gone = tcp_keepidle(&stream).unwrap() + tcp_keepintvl(&stream).unwrap() * tcp_keepcnt(&stream).unwrap();
        assert!(gone > Duration::from_secs(120), "{gone:?}");
    }

    #[tokio::test]
    async fn refusals_and_strangers_are_told_apart() {
        let says = async |says: &[u8]| {
            let failure = Failure::from(dialled(says).await.0.unwrap_err());
            (failure.exit, failure.what)
        };
        let (exit, what) = says(b"LINEMAN-LINE/1 NO the ticket was used\x1b[2J\n").await;
        assert_eq!((exit, what.as_str()), (Exit::Forbidden, "the line was refused: the ticket was used\\u{1b}[2J"));
        let long = [b'x'; 600];
        for (bytes, said) in [
            (&b"HTTP/1.1 400 Bad Request\n"[..], "`HTTP/1.1 400 Bad Request\\n`"),
            (&b""[..], "closed the connection"),
            (&long[..], "no end"),
        ] {
            let (exit, what) = says(bytes).await;
            assert!(exit == Exit::Failed && what.contains(said), "{what}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ticket = ticket(listener.local_addr().unwrap());
        drop(listener);
        let failure = Failure::from(dial(&Url::parse("https://127.0.0.1/").unwrap(), &ticket).await.unwrap_err());
        assert!(failure.exit == Exit::Unreachable && failure.hint.unwrap().contains("--jump"));
    }

    use crate::exit::{Exit, Failure};
}

//! A TCP connection to a host that has several addresses, of which some may lead nowhere.
//!
//! As RFC 8305 has it: families by turns, the next address soon after the last, and the first that answers wins. So a device whose IPv6
//! has an address and no route loses a quarter of a second, and not the minutes of a kernel's patience.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustix::net::sockopt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout_at};

/// Before the next address is tried beside the last.
const STAGGER: Duration = Duration::from_millis(250);
/// For all addresses of a host together. A lost SYN is repeated after one second and after three: what has not answered by then is
/// asked anew, so that no attempt hangs for long when a dead network comes back.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// When nothing was said for so long, the kernel asks whether the other side is there, and asks again so often.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(20);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
const KEEPALIVE_TIMES: u32 = 3;

/// How long what was sent may stay unacknowledged before the kernel gives the connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unacknowledged(pub Duration);

/// An address that was tried in vain.
#[derive(Debug)]
pub struct Miss {
    pub address: SocketAddr,
    pub error: io::Error,
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.error.kind() == io::ErrorKind::TimedOut {
            return write!(f, "{} does not answer", self.address);
        }
        write!(f, "{}: {}", self.address, self.error)
    }
}

/// The first that answers, or why each did not.
pub async fn connect(addresses: &[SocketAddr], limit: Unacknowledged) -> Result<TcpStream, Vec<Miss>> {
    let deadline = Instant::now() + PATIENCE;
    let mut waiting = by_turns(addresses);
    let mut tries = FuturesUnordered::new();
    let mut missed = Vec::new();
    loop {
        match waiting.pop_front() {
            Some(address) => tries.push(attempt(address, limit, deadline)),
            None if tries.is_empty() => return Err(missed),
            None => {}
        }
        tokio::select! {
            Some(ended) = tries.next() => match ended {
                Ok(stream) => return Ok(stream),
                Err(miss) => missed.push(miss),
            },
            () = sleep(STAGGER), if !waiting.is_empty() => {}
        }
    }
}

/// One address, until the deadline.
pub async fn attempt(address: SocketAddr, limit: Unacknowledged, deadline: Instant) -> Result<TcpStream, Miss> {
    let connecting = async {
        let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
        tune(&socket, limit)?;
        let stream = socket.connect(address).await?;
        // On one machine, where nobody listens on a port that the system gives out, a connection can meet itself.
        if stream.local_addr()? == stream.peer_addr()? { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(stream) }
    };
    let ended = timeout_at(deadline, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    ended.map_err(|error| Miss { address, error })
}

fn tune(socket: &TcpSocket, Unacknowledged(limit): Unacknowledged) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_keepalive(true)?;
    sockopt::set_tcp_keepidle(socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(socket, KEEPALIVE_EVERY)?;
    sockopt::set_tcp_keepcnt(socket, KEEPALIVE_TIMES)?;
    sockopt::set_tcp_user_timeout(socket, u32::try_from(limit.as_millis()).unwrap_or(u32::MAX))?;
    Ok(())
}

/// The families by turns, beginning with the one that the resolver put first.
fn by_turns(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = VecDeque::with_capacity(addresses.len());
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return turns;
        }
        turns.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const LIMIT: Unacknowledged = Unacknowledged(Duration::from_secs(10));

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_the_resolvers_first_is_first() {
        let mixed = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "192.0.2.1:1", "192.0.2.2:1"]);
        let turns = addresses(&["[::1]:1", "192.0.2.1:1", "[::2]:1", "192.0.2.2:1", "[::3]:1"]);
        assert_eq!(by_turns(&mixed), turns);
        let one = addresses(&["192.0.2.1:1", "192.0.2.2:1"]);
        assert_eq!(by_turns(&one), one);
        assert!(by_turns(&[]).is_empty());
    }

    /// A port where a SYN is never answered: its queue of connections is full.
    async fn mute() -> (TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            queued.push(stream);
        }
        (listener, queued)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_mute_address_does_not_keep_from_the_next_one() {
        let (mute, _queued) = mute().await;
        let good = TcpListener::bind("[::1]:0").await.unwrap();
        let all = [mute.local_addr().unwrap(), good.local_addr().unwrap()];
        let stream = connect(&all, LIMIT).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), all[1]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn each_address_says_why_it_was_not_reached() {
        let (mute, _queued) = mute().await;
        let shut = TcpListener::bind("[::1]:0").await.unwrap().local_addr().unwrap();
        let misses = connect(&[mute.local_addr().unwrap(), shut], LIMIT).await.unwrap_err();
        let text = misses.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert!(text.contains(&format!("{} does not answer", mute.local_addr().unwrap())), "{text}");
        assert!(text.contains(&format!("{shut}: Connection refused")), "{text}");
        assert!(connect(&[], LIMIT).await.unwrap_err().is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn sockets_notice_a_dead_peer_by_themselves() {
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = connect(&[good.local_addr().unwrap()], LIMIT).await.unwrap();
        assert!(stream.nodelay().unwrap() && sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), KEEPALIVE_IDLE);
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 10_000);
    }
}

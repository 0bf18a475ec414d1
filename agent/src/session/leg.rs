//! The device's end of a session leg: dials the centre and turns its frames into the byte stream that SSH runs on.
//!
//! See [`lineman_common::leg`] for the protocol. Version 1 counts bytes both ways, so that resuming can come later without
//! a new version; nothing is replayed yet, and a cut leg ends the session.

use std::pin::pin;
use std::time::Duration;

use lineman_common::leg::{self, ACK_EVERY_BYTES, HEADER_BYTES, Header, LegError, MAX_DATA_BYTES, MAX_GREETING_BYTES};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::identity::ServerAddress;

const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// The centre answers a greeting when it has found the ticket.
const GREETING_TIMEOUT: Duration = Duration::from_secs(30);
/// Between the frames and SSH.
const BUFFER_BYTES: usize = MAX_DATA_BYTES;

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("the device can't reach the centre at {address} for the session: {source}")]
    Connect { address: String, source: std::io::Error },
    #[error("the centre did not answer in time")]
    Silent,
    #[error("the session leg broke: {0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Protocol(#[from] LegError),
}

/// How a leg ended.
#[derive(Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// Both sides said that they are done.
    Finished,
    /// It broke.
    Cut,
}

pub async fn connect(address: &ServerAddress) -> Result<TcpStream, DialError> {
    let failed = |source| DialError::Connect { address: address.to_string(), source };
    let tcp = timeout(DIAL_TIMEOUT, TcpStream::connect(address.socket())).await.map_err(|_| DialError::Silent)?.map_err(failed)?;
    tcp.set_nodelay(true).map_err(failed)?;
    Ok(tcp)
}

/// Shows the ticket, and reads the answer.
pub async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), ticket: &str) -> Result<(), DialError> {
    stream.write_all(leg::greeting(ticket).as_bytes()).await?;
    let line = timeout(GREETING_TIMEOUT, read_line(stream)).await.map_err(|_| DialError::Silent)??;
    Ok(leg::read_reply(&line)?)
}

/// Byte by byte: what follows the line belongs to the frames.
async fn read_line(stream: &mut (impl AsyncRead + Unpin)) -> Result<String, DialError> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return String::from_utf8(line).map_err(|_| LegError::Greeting.into()),
            byte => line.push(byte),
        }
        if line.len() > MAX_GREETING_BYTES {
            return Err(LegError::Greeting.into());
        }
    }
}

/// The stream for SSH, and the work that carries it over the leg; the work ends when both directions are done, or the leg broke.
pub fn carry<S>(leg: S) -> (DuplexStream, impl Future<Output = LegEnd>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (ssh, ours) = tokio::io::duplex(BUFFER_BYTES);
    let (from_leg, to_leg) = tokio::io::split(leg);
    let (from_ssh, to_ssh) = tokio::io::split(ours);
    let (taken, told) = watch::channel(0);
    let work = async move {
        let (mut inward, mut outward) = (pin!(inward(from_leg, to_ssh, taken)), pin!(outward(from_ssh, to_leg, told)));
        // A side that said `Fin` has ended as it wanted to; that the connection closes under the other's last bytes is no cut.
        let broken = tokio::select! {
            inward = &mut inward => match inward {
                Ok(()) => { let _ = outward.await; None }
                Err(error) => Some(error),
            },
            outward = &mut outward => match (outward, inward.await) {
                (Ok(()), _) | (Err(_), Ok(())) => None,
                (Err(error), Err(_)) => Some(error),
            },
        };
        match broken {
            None => LegEnd::Finished,
            Some(error) => {
                tracing::debug!(%error, "the session leg broke");
                LegEnd::Cut
            }
        }
    };
    (ssh, work)
}

/// Frames to SSH. `taken` counts what was handed over.
async fn inward(
    mut leg: ReadHalf<impl AsyncRead + AsyncWrite>,
    mut ssh: WriteHalf<DuplexStream>,
    taken: watch::Sender<u64>,
) -> Result<(), DialError> {
    let mut buffer = Vec::new();
    let mut count = 0;
    loop {
        let mut header = [0; HEADER_BYTES];
        leg.read_exact(&mut header).await?;
        match Header::decode(header)? {
            Header::Data(length) => {
                buffer.resize(length, 0);
                leg.read_exact(&mut buffer).await?;
                // SSH is gone when this fails; the other direction then says so with `Fin`.
                if ssh.write_all(&buffer).await.is_ok() {
                    count += length as u64;
                    taken.send_if_modified(|told| (count - *told >= ACK_EVERY_BYTES).then(|| *told = count).is_some());
                }
            }
            // Kept for resuming; until then there is nothing to let go of.
            Header::Ack => drop(leg.read_u64().await?),
            Header::Fin => {
                let _ = ssh.shutdown().await;
                return Ok(());
            }
        }
    }
}

/// SSH to frames, with acknowledgements in between.
async fn outward(
    mut ssh: ReadHalf<DuplexStream>,
    mut leg: WriteHalf<impl AsyncRead + AsyncWrite>,
    mut told: watch::Receiver<u64>,
) -> Result<(), DialError> {
    let mut buffer = vec![0; HEADER_BYTES + MAX_DATA_BYTES];
    let mut acks = true;
    loop {
        tokio::select! {
            changed = told.changed(), if acks => {
                acks = changed.is_ok();
                let count = *told.borrow_and_update();
                if acks {
                    let mut frame = [0; HEADER_BYTES + 8];
                    frame[..HEADER_BYTES].copy_from_slice(&Header::Ack.encode());
                    frame[HEADER_BYTES..].copy_from_slice(&count.to_be_bytes());
                    leg.write_all(&frame).await?;
                }
            }
            read = ssh.read(&mut buffer[HEADER_BYTES..]) => {
                let n = read?;
                let header = if n == 0 { Header::Fin } else { Header::Data(n) };
                buffer[..HEADER_BYTES].copy_from_slice(&header.encode());
                leg.write_all(&buffer[..HEADER_BYTES + n]).await?;
                if n == 0 {
                    leg.shutdown().await?;
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> (Header, Vec<u8>) {
        let mut header = [0; HEADER_BYTES];
        stream.read_exact(&mut header).await.unwrap();
        let header = Header::decode(header).unwrap();
        let length = match header {
            Header::Data(length) => length,
            Header::Ack => 8,
            Header::Fin => 0,
        };
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.unwrap();
        (header, payload)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn bytes_go_both_ways_and_the_end_is_told() {
        let (mut far, near) = tokio::io::duplex(1024);
        let (mut ssh, work) = carry(near);
        let story = async {
            far.write_all(&[&Header::Data(5).encode()[..], b"hello"].concat()).await.unwrap();
            let mut buffer = [0; 5];
            ssh.read_exact(&mut buffer).await.unwrap();
            assert_eq!(&buffer, b"hello");
            ssh.write_all(b"world").await.unwrap();
            assert_eq!(frame(&mut far).await, (Header::Data(5), b"world".to_vec()));
            far.write_all(&Header::Fin.encode()).await.unwrap();
            assert_eq!(ssh.read(&mut buffer).await.unwrap(), 0);
            drop(ssh);
            assert_eq!(frame(&mut far).await.0, Header::Fin);
        };
        let (end, ()) = tokio::join!(work, story);
        assert_eq!(end, LegEnd::Finished);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_was_taken_in_is_acknowledged() {
        let (mut far, near) = tokio::io::duplex(2 * MAX_DATA_BYTES);
        let (mut ssh, work) = carry(near);
        let story = async {
            let block = vec![7; MAX_DATA_BYTES];
            let (mut read, mut write) = tokio::io::split(&mut far);
            let send = async {
                for _ in 0..4 {
                    write.write_all(&Header::Data(block.len()).encode()).await.unwrap();
                    write.write_all(&block).await.unwrap();
                }
            };
            let mut received = vec![0; 4 * MAX_DATA_BYTES];
            let ((), _, (header, count)) = tokio::join!(send, ssh.read_exact(&mut received), frame(&mut read));
            assert_eq!((header, count), (Header::Ack, (4 * MAX_DATA_BYTES as u64).to_be_bytes().to_vec()));
        };
        tokio::select! { _ = work => panic!("the leg ended"), () = story => {} }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_leg_that_is_cut_or_speaks_nonsense_is_cut() {
        let (far, near) = tokio::io::duplex(1024);
        let (_ssh, work) = carry(near);
        drop(far);
        assert_eq!(work.await, LegEnd::Cut);
        let (mut far, near) = tokio::io::duplex(1024);
        let (_ssh, work) = carry(near);
        far.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        assert_eq!(work.await, LegEnd::Cut);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_refusal_is_read_with_its_reason() {
        let (mut far, mut near) = tokio::io::duplex(1024);
        far.write_all(leg::reply(Err("ticket used")).as_bytes()).await.unwrap();
        let error = greet(&mut near, "t").await.unwrap_err().to_string();
        assert_eq!(error, "refused: ticket used");
        let mut greeting = [0; 16];
        far.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"LINEMAN-LEG/1 t\n");
    }
}

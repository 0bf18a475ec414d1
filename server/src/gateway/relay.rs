//! Copies bytes between an engineer's channel and a device's leg.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use lineman_common::leg::{ACK_EVERY_BYTES, HEADER_BYTES, Header, MAX_DATA_BYTES};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;

/// How long an engineer's last bytes may take to the device.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs until both directions are done or one breaks.
pub async fn relay(channel: impl AsyncRead + AsyncWrite, leg: TcpStream) -> io::Result<()> {
    leg.set_nodelay(true)?;
    let (from_engineer, to_engineer) = tokio::io::split(channel);
    let (from_device, to_device) = leg.into_split();
    let to_device = Arc::new(Mutex::new(to_device));
    let mut up = pin!(up(from_engineer, &to_device));
    let mut down = pin!(down(from_device, to_engineer, &to_device));
    tokio::select! {
        // The device decides when it is over: an engineer's end of input must not cut the last output off.
        result = &mut up => { result?; down.await }
        result = &mut down => {
            if result.is_err() {
                // The engineer is gone. What was said last, the goodbye among it, still goes to the device.
                let _ = tokio::time::timeout(LAST_WORDS, up).await;
            }
            result
        }
    }
}

/// Engineer to device.
async fn up(mut from: impl AsyncRead + Unpin, to: &Mutex<OwnedWriteHalf>) -> io::Result<()> {
    let mut buffer = vec![0; HEADER_BYTES + MAX_DATA_BYTES];
    loop {
        let length = from.read(&mut buffer[HEADER_BYTES..]).await?;
        if length == 0 {
            return to.lock().await.write_all(&Header::Fin.encode()).await;
        }
        buffer[..HEADER_BYTES].copy_from_slice(&Header::Data(length).encode());
        to.lock().await.write_all(&buffer[..HEADER_BYTES + length]).await?;
    }
}

/// Device to engineer.
async fn down(mut from: OwnedReadHalf, mut to: impl AsyncWrite + Unpin, acks: &Mutex<OwnedWriteHalf>) -> io::Result<()> {
    let mut buffer = vec![0; MAX_DATA_BYTES];
    let (mut taken, mut told) = (0u64, 0u64);
    loop {
        let mut header = [0; HEADER_BYTES];
        from.read_exact(&mut header).await?;
        match Header::decode(header).map_err(io::Error::other)? {
            Header::Data(length) => {
                let data = &mut buffer[..length];
                from.read_exact(data).await?;
                to.write_all(data).await?;
                to.flush().await?;
                taken += length as u64;
            }
            Header::Ack => {
                let mut count = [0; 8];
                from.read_exact(&mut count).await?;
            }
            Header::Fin => return to.shutdown().await,
        }
        if taken - told >= ACK_EVERY_BYTES {
            told = taken;
            let ack = [&Header::Ack.encode()[..], &taken.to_be_bytes()].concat();
            acks.lock().await.write_all(&ack).await?;
        }
    }
}

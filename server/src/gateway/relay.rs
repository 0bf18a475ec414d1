//! Copies bytes between an engineer and a device's leg.

use std::io;
use std::pin::pin;
use std::time::Duration;

use lineman_common::leg::Leg;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long an engineer's last bytes may take to the device.
const LAST_WORDS: Duration = Duration::from_secs(1);
const BUFFER_BYTES: usize = 64 * 1024;

/// Runs until both directions are done or one breaks.
pub async fn relay(engineer: impl AsyncRead + AsyncWrite, leg: Leg) -> io::Result<()> {
    let (from_engineer, to_engineer) = tokio::io::split(engineer);
    let (from_device, to_device) = tokio::io::split(leg);
    let mut up = pin!(copy(from_engineer, to_device));
    let mut down = pin!(copy(from_device, to_engineer));
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

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
        to.flush().await?;
    }
}

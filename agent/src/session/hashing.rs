//! The SHA-256 of a long flow, away from the runtime's only thread: that one is busy with SSH.

use sha2::{Digest, Sha256};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::bytes::Bytes;

/// Less is hashed where it comes: to hand it over takes longer.
const LITTLE_BYTES: usize = 16 * 1024;
/// What goes to another thread at one time. As much again may wait meanwhile; then the flow does.
const BATCH_BYTES: usize = 256 * 1024;

#[derive(Default)]
pub struct Hashing {
    /// `None` while another thread has it.
    hash: Option<Sha256>,
    away: Option<JoinHandle<Sha256>>,
    waiting: Vec<Bytes>,
    bytes: usize,
}

impl Hashing {
    pub async fn update(&mut self, bytes: &Bytes) {
        if self.away.is_none() && self.waiting.is_empty() && bytes.len() < LITTLE_BYTES {
            return self.hash.get_or_insert_default().update(bytes);
        }
        self.waiting.push(bytes.clone());
        self.bytes += bytes.len();
        if self.bytes >= BATCH_BYTES {
            let mut hash = self.back().await;
            let waiting = std::mem::take(&mut self.waiting);
            self.bytes = 0;
            self.away = Some(spawn_blocking(move || {
                for bytes in waiting {
                    hash.update(&bytes);
                }
                hash
            }));
        }
    }

    /// As far as it is. A thread that panicked is a bug of the hash itself: what it had is lost, and the sum shows it.
    async fn back(&mut self) -> Sha256 {
        match self.away.take() {
            Some(away) => away.await.unwrap_or_default(),
            None => self.hash.take().unwrap_or_default(),
        }
    }

    pub async fn finish(mut self) -> [u8; 32] {
        let mut hash = self.back().await;
        for bytes in &self.waiting {
            hash.update(bytes);
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn however_a_flow_comes_its_sum_is_the_same() {
        let flow: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for piece in [1000, LITTLE_BYTES - 1, LITTLE_BYTES, 100_000, BATCH_BYTES, flow.len()] {
            let mut hashing = Hashing::default();
            for bytes in flow.chunks(piece) {
                hashing.update(&Bytes::copy_from_slice(bytes)).await;
                hashing.update(&Bytes::new()).await;
            }
            assert_eq!(hashing.finish().await, <[u8; 32]>::from(Sha256::digest(&flow)), "{piece}");
        }
    }
}

//! A brake on guessing passwords: a few tries a minute for each name.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Tries at once; then one more each [`REFILL`].
const BURST: u32 = 5;
const REFILL: Duration = Duration::from_secs(12);
/// Names remembered; when as many are being tried at once, further ones wait.
const REMEMBERED: usize = 10_000;
/// Passwords checked at the same time: each check takes 19 MiB, on purpose.
const CHECKS: usize = 4;

pub struct Throttle {
    buckets: Mutex<HashMap<String, Bucket>>,
    checks: Semaphore,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { buckets: Mutex::default(), checks: Semaphore::new(CHECKS) }
    }
}

struct Bucket {
    used: u32,
    since: Instant,
}

impl Throttle {
    /// Counts a try for `key`; when there were too many, says how many seconds to wait.
    pub fn try_now(&self, key: &str, now: Instant) -> Result<(), u64> {
        let Ok(mut buckets) = self.buckets.lock() else { return Ok(()) };
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, bucket| now.duration_since(bucket.since) < REFILL * BURST);
            if buckets.len() >= REMEMBERED && !buckets.contains_key(key) {
                return Err(REFILL.as_secs());
            }
        }
        let bucket = buckets.entry(key.to_owned()).or_insert(Bucket { used: 0, since: now });
        let rested = u32::try_from(now.duration_since(bucket.since).as_secs() / REFILL.as_secs()).unwrap_or(u32::MAX);
        if rested > 0 {
            bucket.used = bucket.used.saturating_sub(rested);
            bucket.since = now;
        }
        if bucket.used >= BURST {
            return Err(REFILL.saturating_sub(now.duration_since(bucket.since)).as_secs() + 1);
        }
        bucket.used += 1;
        Ok(())
    }

    /// Waits for a turn to check a password.
    pub async fn one_of_few(&self) -> Option<SemaphorePermit<'_>> {
        self.checks.acquire().await.ok()
    }

    /// A right password or code: its name is forgiven.
    pub fn forgive(&self, key: &str) {
        if let Ok(mut buckets) = self.buckets.lock() {
            buckets.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_one_waits() {
        let throttle = Throttle::default();
        let start = Instant::now();
        for _ in 0..BURST {
            assert_eq!(throttle.try_now("a", start), Ok(()));
        }
        assert!(throttle.try_now("a", start).is_err());
        assert_eq!(throttle.try_now("b", start), Ok(()));
        assert_eq!(throttle.try_now("a", start + REFILL), Ok(()));
        assert!(throttle.try_now("a", start + REFILL).is_err());
        throttle.forgive("a");
        assert_eq!(throttle.try_now("a", start), Ok(()));
    }
}

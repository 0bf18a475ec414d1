//! The clocks that consents are judged by.

use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A moment on both clocks of the machine. The wall clock says when; the boot clock says how long, also through sleep and
/// across a wall clock that somebody sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    pub wall: Timestamp,
    /// Seconds since the boot that `boot_id` names (`CLOCK_BOOTTIME`).
    pub boot_s: f64,
    pub boot_id: String,
}

impl Moment {
    /// Time from `earlier` to here: exact within one boot; over a reboot what the wall clock advanced, never less than none.
    pub fn since(&self, earlier: &Self) -> f64 {
        if self.boot_id == earlier.boot_id {
            (self.boot_s - earlier.boot_s).max(0.0)
        } else {
            self.wall.duration_since(earlier.wall).as_secs_f64().max(0.0)
        }
    }
}

pub trait Clock: Send + Sync {
    fn now(&self) -> Moment;
}

/// The machine's own clocks.
pub struct SystemClock {
    boot_id: String,
}

impl SystemClock {
    pub fn new() -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { boot_id: boot_id.trim().to_owned() }
    }

    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let boot = clock_gettime(ClockId::Boottime);
        let boot_s = Duration::new(u64::try_from(boot.tv_sec).unwrap_or(0), u32::try_from(boot.tv_nsec).unwrap_or(0)).as_secs_f64();
        Moment { wall: Timestamp::now(), boot_s, boot_id: self.boot_id.clone() }
    }
}

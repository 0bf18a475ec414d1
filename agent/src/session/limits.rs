//! `[recording]` of the local file: what of a session is recorded, and how far a session may run ahead of its recording.

use std::time::Duration;

use serde::Deserialize;

/// Seconds that the centre may take to acknowledge a chunk before input waits.
const DEFAULT_UNACKNOWLEDGED_S: u32 = 10;
const DEFAULT_SESSION_BYTES: u64 = 1 << 30;
/// The centre takes no longer recording.
pub const MOST_SESSION_BYTES: u64 = 4 << 30;
/// A recording that can't hold a screen or two is a mistake.
pub const LEAST_SESSION_BYTES: u64 = 256 * 1024;

/// The section as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordingConfig {
    input: Option<bool>,
    unacknowledged_s: Option<u32>,
    max_session_bytes: Option<u64>,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Terminals' input is recorded, as far as the terminal echoes it.
    pub input: bool,
    /// Input waits when a chunk has waited for the centre for this long; `None`: it never does.
    pub unacknowledged: Option<Duration>,
    /// Of one session's recording, as it is spooled.
    pub max_session_bytes: u64,
    /// Output waits while all recordings in the spool take more than this: no flood fills the spool.
    pub backlog_bytes: u64,
}

impl RecordingConfig {
    pub fn limits(&self, spool_max_bytes: u64) -> Result<Limits, String> {
        let max_session_bytes = self.max_session_bytes.unwrap_or(DEFAULT_SESSION_BYTES);
        if !(LEAST_SESSION_BYTES..=MOST_SESSION_BYTES).contains(&max_session_bytes) {
            return Err(format!(
                "recording.max_session_bytes is {max_session_bytes}: it must be from {LEAST_SESSION_BYTES} to {MOST_SESSION_BYTES}, \
                 the most that the centre takes"
            ));
        }
        let unacknowledged_s = self.unacknowledged_s.unwrap_or(DEFAULT_UNACKNOWLEDGED_S);
        Ok(Limits {
            input: self.input.unwrap_or(false),
            unacknowledged: (unacknowledged_s > 0).then(|| Duration::from_secs(unacknowledged_s.into())),
            max_session_bytes,
            backlog_bytes: spool_max_bytes / 3,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_safe_ones() {
        let limits = RecordingConfig::default().limits(30).unwrap();
        assert_eq!(limits.unacknowledged, Some(Duration::from_secs(10)));
        assert_eq!((limits.input, limits.max_session_bytes, limits.backlog_bytes), (false, 1 << 30, 10));
        let never = RecordingConfig { unacknowledged_s: Some(0), ..RecordingConfig::default() };
        assert_eq!(never.limits(30).unwrap().unacknowledged, None);
    }

    #[test]
    fn a_recording_longer_than_the_centre_takes_is_refused() {
        for bytes in [0, LEAST_SESSION_BYTES - 1, MOST_SESSION_BYTES + 1] {
            let config = RecordingConfig { max_session_bytes: Some(bytes), ..RecordingConfig::default() };
            let error = config.limits(30).unwrap_err();
            assert!(error.contains(&format!("recording.max_session_bytes is {bytes}")), "{error}");
        }
    }
}

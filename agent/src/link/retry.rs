//! When the link is tried again: soon where nobody was reached, ever more rarely where somebody was and it failed all the same.
//!
//! A SYN to a network that is down costs nobody anything, and one of them is the first to find it back; so while nobody is reached there
//! is one every three seconds or so. A centre that answers and then fails is spared: it may be about to fall under its own devices. Every
//! wait is random from nothing upwards, so that a thousand devices that lost the centre in one moment don't come back in one.

use std::time::Duration;

use super::LinkError;
use crate::dial::jitter;

const LEAST: Duration = Duration::from_millis(200);
/// From the beginning of one attempt that reaches nobody to that of the next, at most, where the attempt itself was quick.
const UNREACHED: Duration = Duration::from_millis(2800);
/// The spread of attempts that were slow themselves.
const UNREACHED_LEAST: Duration = Duration::from_secs(1);
/// A link that held for so long was a good one.
const STEADY: Duration = Duration::from_secs(10);
const FIRST_SPREAD: Duration = Duration::from_secs(2);
const LONGEST_SPREAD: Duration = Duration::from_secs(30);

#[derive(Default)]
pub struct Retry {
    /// In a row, of attempts that reached somebody.
    failures: u32,
}

impl Retry {
    /// How long to wait after an attempt that `took` so long altogether, and was a link for `lasted` of it.
    pub fn wait(&mut self, error: &LinkError, took: Duration, lasted: Option<Duration>) -> Duration {
        if error.is_unreachable() {
            return LEAST + jitter(UNREACHED.saturating_sub(took).max(UNREACHED_LEAST));
        }
        self.failures = if lasted.is_some_and(|lasted| lasted >= STEADY) { 0 } else { self.failures.saturating_add(1) };
        match error.asked_wait() {
            Some(asked) => asked + jitter(self.spread().max(asked / 2)),
            None => LEAST + jitter(self.spread()),
        }
    }

    fn spread(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        FIRST_SPREAD.saturating_mul(1 << doublings).min(LONGEST_SPREAD)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio_tungstenite::tungstenite;

    use super::*;
    use crate::dial::{DialError, Hop};

    const SECOND: Duration = Duration::from_secs(1);

    fn unreachable() -> LinkError {
        let address = "centre.example:7443".parse().unwrap();
        LinkError::Dial(DialError::Connect { what: Hop::Centre, address, misses: Vec::new() })
    }

    /// The longest of many.
    fn longest(mut wait: impl FnMut() -> Duration) -> Duration {
        (0..200).map(|_| wait()).max().unwrap()
    }

    #[test]
    fn while_nobody_is_reached_the_waits_stay_short_and_differ() {
        let mut retry = Retry::default();
        let quick: Vec<_> = (0..200).map(|_| retry.wait(&unreachable(), Duration::ZERO, None)).collect();
        assert!(quick.iter().all(|wait| (LEAST..=3 * SECOND).contains(wait)));
        assert!(quick.iter().max().unwrap().saturating_sub(*quick.iter().min().unwrap()) > SECOND, "a thousand don't come at once");
        assert!(longest(|| retry.wait(&unreachable(), 3 * SECOND, None)) <= LEAST + UNREACHED_LEAST, "a slow attempt has waited already");
    }

    #[test]
    fn a_path_that_was_lost_is_looked_for_at_once() {
        let lost = LinkError::from(tungstenite::Error::Io(io::ErrorKind::TimedOut.into()));
        assert!(longest(|| Retry::default().wait(&lost, 60 * SECOND, Some(59 * SECOND))) <= LEAST + UNREACHED_LEAST);
        let reset = LinkError::from(tungstenite::Error::Io(io::ErrorKind::ConnectionReset.into()));
        assert!(longest(|| Retry::default().wait(&reset, 60 * SECOND, Some(59 * SECOND))) > LEAST + UNREACHED_LEAST, "perhaps all at once");
    }

    #[test]
    fn a_centre_that_answers_and_fails_is_spared() {
        let mut retry = Retry::default();
        let failed = LinkError::Refused("503".into());
        assert!(retry.wait(&failed, SECOND, None) <= LEAST + FIRST_SPREAD);
        let spreads: Vec<_> = (0..8)
            .map(|_| {
                let _ = retry.wait(&failed, SECOND, None);
                retry.spread().as_secs()
            })
            .collect();
        assert_eq!(spreads, [4, 8, 16, 30, 30, 30, 30, 30]);
        let _ = retry.wait(&unreachable(), SECOND, None);
        assert_eq!(retry.spread(), LONGEST_SPREAD, "that nobody was reached in between is no success");
        let _ = retry.wait(&LinkError::Closed, 5 * SECOND, Some(5 * SECOND));
        assert_eq!(retry.spread(), LONGEST_SPREAD, "nor is a link that breaks at once");
        assert!(longest(|| Retry::default().wait(&LinkError::Silent, 60 * SECOND, Some(59 * SECOND))) <= LEAST + FIRST_SPREAD);
        let _ = retry.wait(&LinkError::Silent, 60 * SECOND, Some(59 * SECOND));
        assert_eq!(retry.spread(), FIRST_SPREAD, "a link that held was");
        retry.failures = u32::MAX;
        assert_eq!(retry.spread(), LONGEST_SPREAD);
    }

    #[test]
    fn what_the_centre_asks_for_is_obeyed() {
        let goodbye = |s: u64| LinkError::Goodbye { reason: "the server stops".into(), retry_after: Duration::from_secs(s) };
        for _ in 0..100 {
            let wait = Retry::default().wait(&goodbye(60), SECOND, Some(60 * SECOND));
            assert!((60 * SECOND..=90 * SECOND).contains(&wait), "{wait:?}");
            let wait = Retry::default().wait(&goodbye(1), SECOND, Some(60 * SECOND));
            assert!((SECOND..=3 * SECOND).contains(&wait), "{wait:?}");
        }
    }
}

//! The words of notices, and how a webhook's receiver knows that one is genuine.
//!
//! A delivery carries three headers. [`DELIVERY`] is the notice's id: it stays the same through retries and replays, so whoever
//! remembers the ids of a day acts once. [`TIMESTAMP`] is the second of this attempt, and [`SIGNATURE`] holds `KEY=HEX` for each key that is
//! valid now, separated by blanks: HMAC-SHA256 over the timestamp, a dot and the body's bytes, keyed with the secret's text. While a secret
//! is being changed there are two. A receiver refuses a timestamp that is more than [`WINDOW_S`] seconds from its own clock.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::statement::hex;

pub const DELIVERY: &str = "lineman-delivery";
pub const TIMESTAMP: &str = "lineman-timestamp";
pub const SIGNATURE: &str = "lineman-signature";
/// How far a receiver lets the timestamp be from its own clock.
pub const WINDOW_S: i64 = 300;

words! {
    /// What a notice is about. Preferences speak of these, so that a new kind of event needs no new setting.
    pub enum Topic {
        /// A fault was reported.
        Reported = "reported",
        /// A fault reached an office.
        Routed = "routed",
        /// A fault got another owner.
        Assigned = "assigned",
        /// A fault went up the tree.
        Escalated = "escalated",
        /// Somebody wrote to the other side.
        Reply = "reply",
        /// A note among the support centre's people.
        Note = "note",
        /// Accepted, restored, resolved, reopened, and every other step.
        Status = "status",
        /// A clock warned, or was missed.
        Clock = "clock",
        /// A consent was asked for, given or refused.
        Consent = "consent",
        /// Everything of a customer was stopped, or goes on.
        Stop = "stop",
        /// The device's administrator did something on the device itself.
        LocalAct = "local_act",
        /// A critical alarm that nobody acknowledged.
        Alarm = "alarm",
        /// One root of many faults was found, or is gone.
        Problem = "problem",
    }
}

words! {
    /// The way to a target.
    pub enum ChannelKind {
        Mail = "mail",
        Webhook = "webhook",
    }
}

words! {
    pub enum Language {
        English = "en",
        Chinese = "zh",
    }
}

words! {
    /// How far a notice has come.
    pub enum Delivery {
        Waiting = "waiting",
        Delivered = "delivered",
        /// It came with many others: the digest tells of it.
        Folded = "folded",
        GivenUp = "given_up",
    }
}

/// The signature of one attempt, in hexadecimal digits.
pub fn signature(secret: &str, timestamp_s: i64, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(timestamp_s.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(hex(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `printf '1795000000.{}' | openssl dgst -sha256 -hmac whs_test`.
    #[test]
    fn the_signature_is_what_other_programs_compute() {
        let known = "1290e8d2e5893957d87eb6107b364c5a387e9957382f857a86517996d033947d";
        assert_eq!(signature("whs_test", 1_795_000_000, b"{}").unwrap(), known);
    }
}

//! The session leg: the byte stream between device and gateway that carries one SSH connection, and survives the connections that
//! carry it.
//!
//! Both ends know the leg's name and secret ([`Offer`]) from the agent link, which is authenticated. The device dials and says
//! `LINEMAN-LEG/1 LEG ATTEMPT TAKEN PROOF`; the centre answers `LINEMAN-LEG/1 OK TAKEN PROOF` or `LINEMAN-LEG/1 NO reason`. `TAKEN` counts
//! the bytes of the other side's stream that have arrived so far, and each side sends what is missing there: a first dial and one after a
//! link cut are the same. `PROOF` is an HMAC-SHA256 under the secret; attempts only grow. So whoever reads the line can neither take the
//! leg over nor say the same again, and an older connection of the leg is fenced off by the newer one.
//!
//! Then both sides send frames: one byte of kind, four bytes of length (big-endian), payload. Data is counted in bytes from the start of
//! the leg, its end as one more. A side keeps what it sent until the other has acknowledged it, and never has more than [`WINDOW_BYTES`]
//! that are not: the connection itself is read at all times, so that an acknowledgement never waits behind data that nobody takes.
//! Liveness is the leg's: whoever has nothing to say sends a ping, and who is silent for [`SILENCE`] has lost the connection.

#[cfg(feature = "leg")]
mod stream;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

#[cfg(feature = "leg")]
pub use self::stream::{Carried, Carrier, Handle, Leg, Up, leg};
use crate::id::LegId;
use crate::statement::hex;

/// Longest data frame.
pub const MAX_DATA_BYTES: usize = 64 * 1024;
pub const HEADER_BYTES: usize = 5;
/// What one side may have sent that the other has not taken off; as much as OpenSSH gives one channel.
pub const WINDOW_BYTES: u64 = 2 * 1024 * 1024;
/// How often, in bytes taken off, the other side is told.
pub const ACK_EVERY_BYTES: u64 = WINDOW_BYTES / 8;
/// Longest greeting line, in either direction.
pub const MAX_GREETING_BYTES: usize = 512;
/// Longest reason in a [`Header::End`].
pub const MAX_REASON_BYTES: usize = 256;
/// Whoever has said nothing for so long says that it is there.
pub const PING_EVERY: Duration = Duration::from_secs(5);
/// Whoever has not been heard for so long is gone, and the connection with it.
pub const SILENCE: Duration = Duration::from_secs(15);
/// How long a leg without a connection waits for the next one.
pub const GRACE: Duration = Duration::from_secs(120);

const GREETING: &str = "LINEMAN-LEG/1 ";
const LINE: &str = "LINEMAN-LINE/1 ";
const PROOF_BYTES: usize = 32;

/// The ALPN of legs inside TLS, for networks that let nothing else through.
pub const ALPN: &[u8] = b"lineman-leg/1";

/// A leg, and what proves that somebody belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub id: LegId,
    pub secret: Secret,
}

/// Known to the two ends of a leg; never written on the leg itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret([u8; 32]);

/// What a device says first on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    pub leg: LegId,
    /// Counts the connections of this leg, from 1.
    pub attempt: u32,
    /// Bytes of the centre's stream that the device has.
    pub taken: u64,
    proof: [u8; PROOF_BYTES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// This many bytes of the stream follow.
    Data(usize),
    /// An eight-byte count follows: bytes taken off since the leg began.
    Ack,
    /// The sender has no more data.
    Fin,
    /// The sender is there.
    Ping,
    /// A reason of this many bytes follows: the sender wants the session to end, and goes on carrying until it has.
    End(usize),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LegError {
    #[error("the other side does not speak the leg protocol: expected `LINEMAN-LEG/1 ...`")]
    Greeting,
    #[error("frame of kind {kind} with {length} bytes: not in version 1 of the leg protocol")]
    Frame { kind: u8, length: usize },
    #[error("the other side can't prove that it belongs to this leg")]
    Proof,
    #[error("the other side claims to have {claimed} bytes of which {sent} were sent")]
    Ahead { claimed: u64, sent: u64 },
    #[error("the other side sent more than it was given room for, or after its end")]
    Room,
    #[error("refused: {0}")]
    Refused(String),
}

impl Secret {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn mac(&self, side: &str, leg: LegId, attempt: u32, taken: u64) -> Hmac<Sha256> {
        // Of SHA-256's block length, as HMAC itself fills a shorter key up.
        let mut key = [0; 64];
        key[..self.0.len()].copy_from_slice(&self.0);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&key.into());
        mac.update(format!("lineman leg\n{side}\n{leg}\n{attempt}\n{taken}\n").as_bytes());
        mac
    }
}

/// Secrets are in no log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        hex(&secret.0)
    }
}

impl TryFrom<String> for Secret {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        unhex(&text).map(Self).ok_or("a leg's secret is 64 hexadecimal digits")
    }
}

impl Offer {
    /// The device's line.
    pub fn greeting(&self, attempt: u32, taken: u64) -> String {
        let proof = self.secret.mac("device", self.id, attempt, taken).finalize().into_bytes();
        format!("{GREETING}{} {attempt} {taken} {}\n", self.id, hex(&proof))
    }

    /// Does this come from the leg's device?
    pub fn is_from_the_device(&self, greeting: &Greeting) -> bool {
        let Greeting { leg, attempt, taken, proof } = greeting;
        *leg == self.id && self.secret.mac("device", *leg, *attempt, *taken).verify_slice(proof).is_ok()
    }

    /// The centre's yes to this attempt.
    pub fn reply(&self, attempt: u32, taken: u64) -> String {
        let proof = self.secret.mac("centre", self.id, attempt, taken).finalize().into_bytes();
        format!("{GREETING}OK {taken} {}\n", hex(&proof))
    }

    /// How many bytes of the device's stream the centre has, from its line (without the line end).
    pub fn read_reply(&self, attempt: u32, line: &str) -> Result<u64, LegError> {
        let rest = line.strip_prefix(GREETING).ok_or(LegError::Greeting)?;
        if let Some(reason) = rest.strip_prefix("NO ") {
            return Err(LegError::Refused(crate::printable::escape(reason)));
        }
        let (taken, proof) = rest.strip_prefix("OK ").and_then(|rest| rest.split_once(' ')).ok_or(LegError::Greeting)?;
        let taken = count(taken).ok_or(LegError::Greeting)?;
        let proof: [u8; PROOF_BYTES] = unhex(proof).ok_or(LegError::Greeting)?;
        self.secret.mac("centre", self.id, attempt, taken).verify_slice(&proof).map_err(|_| LegError::Proof)?;
        Ok(taken)
    }
}

/// The centre's no.
pub fn refusal(reason: &str) -> String {
    format!("{GREETING}NO {reason}\n")
}

impl FromStr for Greeting {
    type Err = LegError;

    /// A device's line, without its line end.
    fn from_str(line: &str) -> Result<Self, LegError> {
        let mut words = line.strip_prefix(GREETING).ok_or(LegError::Greeting)?.split(' ');
        let mut word = || words.next().ok_or(LegError::Greeting);
        let leg = word()?.parse().map_err(|_| LegError::Greeting)?;
        let attempt = count(word()?).ok_or(LegError::Greeting)?;
        let taken = count(word()?).ok_or(LegError::Greeting)?;
        let proof = unhex(word()?).ok_or(LegError::Greeting)?;
        if words.next().is_some() {
            return Err(LegError::Greeting);
        }
        Ok(Self { leg, attempt, taken, proof })
    }
}

/// A number as it is written here: digits, and nothing before them.
fn count<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (text, mut bytes) = (text.as_bytes(), [0; N]);
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

impl Header {
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let (kind, length) = match self {
            Self::Data(length) => (0, length),
            Self::Ack => (1, 8),
            Self::Fin => (2, 0),
            Self::Ping => (3, 0),
            Self::End(length) => (4, length),
        };
        let [.., a, b, c, d] = (length as u64).to_be_bytes();
        [kind, a, b, c, d]
    }

    pub fn decode(bytes: [u8; HEADER_BYTES]) -> Result<Self, LegError> {
        let [kind, a, b, c, d] = bytes;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        match (kind, length) {
            (0, 1..=MAX_DATA_BYTES) => Ok(Self::Data(length)),
            (1, 8) => Ok(Self::Ack),
            (2, 0) => Ok(Self::Fin),
            (3, 0) => Ok(Self::Ping),
            (4, 0..=MAX_REASON_BYTES) => Ok(Self::End(length)),
            _ => Err(LegError::Frame { kind, length }),
        }
    }
}

/// What an engineer's `lineman` says on a connection that is to become a device's SSH.
pub fn line_greeting(ticket: &str) -> String {
    format!("{LINE}{ticket}\n")
}

/// The ticket in an engineer's line (without its line end).
pub fn read_line_greeting(line: &str) -> Result<&str, LegError> {
    line.strip_prefix(LINE).ok_or(LegError::Greeting)
}

pub fn line_reply(result: Result<(), &str>) -> String {
    match result {
        Ok(()) => format!("{LINE}OK\n"),
        Err(reason) => format!("{LINE}NO {reason}\n"),
    }
}

/// The answer to [`line_greeting`], without its line end.
pub fn read_line_reply(line: &str) -> Result<(), LegError> {
    match line.strip_prefix(LINE) {
        Some("OK") => Ok(()),
        Some(rest) => Err(LegError::Refused(crate::printable::escape(rest.strip_prefix("NO ").unwrap_or(rest)))),
        None => Err(LegError::Greeting),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer() -> Offer {
        Offer { id: LegId::new(), secret: Secret([7; 32]) }
    }

    #[test]
    fn headers_read_back() {
        for header in
            [Header::Data(1), Header::Data(MAX_DATA_BYTES), Header::Ack, Header::Fin, Header::Ping, Header::End(0), Header::End(256)]
        {
            assert_eq!(Header::decode(header.encode()), Ok(header));
        }
    }

    #[test]
    fn a_greeting_proves_its_leg_its_attempt_and_its_count() {
        let offer = offer();
        let line = offer.greeting(2, 1234);
        assert!(line.len() <= MAX_GREETING_BYTES && line.ends_with('\n'));
        let greeting: Greeting = line.trim_end().parse().unwrap();
        assert!(offer.is_from_the_device(&greeting));
        for changed in [
            Greeting { attempt: 3, ..greeting },
            Greeting { taken: 1235, ..greeting },
            Greeting { leg: LegId::new(), ..greeting },
            Greeting { proof: [0; 32], ..greeting },
        ] {
            assert!(!offer.is_from_the_device(&changed), "{changed:?}");
        }
        assert!(!Offer { secret: Secret([8; 32]), ..offer }.is_from_the_device(&greeting));
    }

    #[test]
    fn a_reply_is_for_its_attempt_and_can_not_be_made_of_a_greeting() {
        let offer = offer();
        assert_eq!(offer.read_reply(1, offer.reply(1, 99).trim_end()), Ok(99));
        assert_eq!(offer.read_reply(2, offer.reply(1, 99).trim_end()), Err(LegError::Proof));
        assert_eq!(offer.read_reply(1, offer.reply(1, 99).trim_end().replace("99", "98").as_str()), Err(LegError::Proof));
        let echo = offer.greeting(1, 99);
        let proof = echo.trim_end().rsplit(' ').next().unwrap();
        assert_eq!(offer.read_reply(1, &format!("LINEMAN-LEG/1 OK 99 {proof}")), Err(LegError::Proof));
        assert_eq!(offer.read_reply(1, refusal("no such leg").trim_end()), Err(LegError::Refused("no such leg".into())));
        assert_eq!(offer.read_reply(1, "HTTP/1.1 400 Bad Request"), Err(LegError::Greeting));
        assert_eq!(offer.read_reply(1, "LINEMAN-LEG/1 OK +9 00"), Err(LegError::Greeting));
    }

    #[test]
    fn lines_read_back() {
        assert_eq!(read_line_greeting(line_greeting("abc").trim_end()), Ok("abc"));
        assert_eq!(read_line_reply(line_reply(Ok(())).trim_end()), Ok(()));
        assert_eq!(read_line_reply(line_reply(Err("ticket used")).trim_end()), Err(LegError::Refused("ticket used".into())));
        assert_eq!(read_line_reply("LINEMAN-LEG/1 OK"), Err(LegError::Greeting));
    }

    #[test]
    fn a_secret_is_told_and_not_shown() {
        let secret = Secret(std::array::from_fn(|n| u8::try_from(n * 8).unwrap()));
        let text = serde_json::to_string(&secret).unwrap();
        assert_eq!(serde_json::from_str::<Secret>(&text).unwrap(), secret);
        assert!(!format!("{secret:?}").contains("08"));
        assert!(serde_json::from_str::<Secret>("\"08\"").is_err());
    }

    proptest! {
        #[test]
        fn a_decoded_header_is_never_longer_than_allowed(bytes: [u8; HEADER_BYTES]) {
            match Header::decode(bytes) {
                Ok(Header::Data(length)) => prop_assert!((1..=MAX_DATA_BYTES).contains(&length)),
                Ok(Header::End(length)) => prop_assert!(length <= MAX_REASON_BYTES),
                Ok(Header::Ack | Header::Fin | Header::Ping) | Err(_) => {}
            }
        }

        #[test]
        fn whatever_is_said_is_read_or_refused(line in ".{0,200}") {
            let _ = line.parse::<Greeting>();
            let _ = offer().read_reply(1, &line);
        }
    }
}

//! The session leg: the byte stream between device and gateway that carries one SSH connection.
//!
//! The device dials, says `LINEMAN-LEG/1 TICKET`, and is answered `LINEMAN-LEG/1 OK` or `LINEMAN-LEG/1 NO reason`. Then both
//! sides send frames: one byte of kind, four bytes of length (big-endian), payload. Data is counted in bytes from the start
//! of the leg, and each side tells the other how many it has taken in, so that a leg can be resumed after a link cut
//! without either end of the SSH connection noticing.

/// Longest data frame.
pub const MAX_DATA_BYTES: usize = 64 * 1024;
pub const HEADER_BYTES: usize = 5;
/// How often, in bytes taken in, the other side is told.
pub const ACK_EVERY_BYTES: u64 = 256 * 1024;
/// Longest greeting line, in either direction.
pub const MAX_GREETING_BYTES: usize = 512;

const GREETING: &str = "LINEMAN-LEG/1 ";
const LINE: &str = "LINEMAN-LINE/1 ";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// This many bytes of the stream follow.
    Data(usize),
    /// An eight-byte count follows: bytes taken in since the leg began.
    Ack,
    /// The sender has no more data.
    Fin,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LegError {
    #[error("the other side does not speak the leg protocol: expected `LINEMAN-LEG/1 ...`")]
    Greeting,
    #[error("frame of kind {kind} with {length} bytes: not in version 1 of the leg protocol")]
    Frame { kind: u8, length: usize },
    #[error("refused: {0}")]
    Refused(String),
}

impl Header {
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let (kind, length) = match self {
            Self::Data(length) => (0, length),
            Self::Ack => (1, 8),
            Self::Fin => (2, 0),
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
            _ => Err(LegError::Frame { kind, length }),
        }
    }
}

pub fn greeting(ticket: &str) -> String {
    format!("{GREETING}{ticket}\n")
}

/// The ticket in a greeting line (without its line end).
pub fn read_greeting(line: &str) -> Result<&str, LegError> {
    line.strip_prefix(GREETING).ok_or(LegError::Greeting)
}

pub fn reply(result: Result<(), &str>) -> String {
    match result {
        Ok(()) => format!("{GREETING}OK\n"),
        Err(reason) => format!("{GREETING}NO {reason}\n"),
    }
}

pub fn read_reply(line: &str) -> Result<(), LegError> {
    match line.strip_prefix(GREETING) {
        Some("OK") => Ok(()),
        Some(rest) => Err(LegError::Refused(crate::printable::escape(rest.strip_prefix("NO ").unwrap_or(rest)))),
        None => Err(LegError::Greeting),
    }
}

/// What an engineer's `lineman` says on a connection that is to become a device's SSH.
pub fn line_greeting(ticket: &str) -> String {
    format!("{LINE}{ticket}\n")
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

    #[test]
    fn headers_read_back() {
        for header in [Header::Data(1), Header::Data(MAX_DATA_BYTES), Header::Ack, Header::Fin] {
            assert_eq!(Header::decode(header.encode()), Ok(header));
        }
    }

    #[test]
    fn replies_read_back() {
        assert_eq!(read_reply(reply(Ok(())).trim_end()), Ok(()));
        assert_eq!(read_reply(reply(Err("ticket used")).trim_end()), Err(LegError::Refused("ticket used".into())));
        assert_eq!(read_reply("HTTP/1.1 400 Bad Request"), Err(LegError::Greeting));
    }

    proptest! {
        #[test]
        fn a_decoded_header_is_never_longer_than_allowed(bytes: [u8; HEADER_BYTES]) {
            if let Ok(Header::Data(length)) = Header::decode(bytes) {
                prop_assert!((1..=MAX_DATA_BYTES).contains(&length));
            }
        }
    }
}

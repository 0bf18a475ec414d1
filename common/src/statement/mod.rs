//! Statements: what somebody signed, kept and forwarded as the exact bytes that were signed.
//!
//! A statement is UTF-8 text of `key: value` lines in a fixed order, so that an officer can read it with `cat`, and a
//! detached OpenSSH signature (SSHSIG), so that anyone can check it with `ssh-keygen -Y verify`, today and in ten
//! years. Nothing is ever re-serialised: a [`Signed`] carries text and signature side by side, and only
//! verification turns it into a typed value.

pub mod consent;
pub mod device;
pub mod lines;
pub mod list;
pub mod local;
pub mod receipt;
pub mod request;
pub mod sig;
pub mod signers;
pub mod standing;
#[cfg(test)]
mod tests;

pub use consent::{Consent, KeyClass};
pub use device::DeviceStatement;
pub use list::{Anchors, ListHead, Roster, SignerList};
pub use local::{LocalAct, LocalStatement};
pub use receipt::Receipt;
pub use request::Request;
pub use sig::{Namespace, Signed};
pub use signers::CarrierSigners;
pub use standing::Standing;

use sha2::{Digest, Sha256};

/// Lower-case hexadecimal SHA-256, as `sha256sum` prints it.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes.as_ref()))
}

pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Why a statement is not believed. The text is what the person at the other end reads.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the {what} can't be read: {source}")]
    Unreadable { what: &'static str, source: lines::LineError },
    #[error("the {what}'s signature can't be read: it is not an OpenSSH signature (SSHSIG)")]
    BadSignature { what: &'static str },
    #[error("the {what}'s signature does not match its text")]
    WrongSignature { what: &'static str },
    #[error("the {what} is signed for `{found}`, not for `{wanted}`")]
    WrongNamespace { what: &'static str, found: String, wanted: Namespace },
    #[error("the {what} is signed with {key}, which is not listed for `{principal}` and `{namespace}`")]
    NotListed { what: &'static str, key: String, principal: String, namespace: Namespace },
    #[error("the key {key} of `{principal}` is not valid at {at}: {why}")]
    KeyNotValid { key: String, principal: String, at: jiff::Timestamp, why: &'static str },
    #[error("the {what} is signed with a FIDO key that nobody touched")]
    NotTouched { what: &'static str },
    #[error("the certificate of {key} does not count: {why}")]
    Certificate { key: String, why: String },
    #[error("{algorithm} keys are not accepted: use Ed25519, ECDSA or a FIDO key")]
    Algorithm { algorithm: String },
    #[error("the {list} is broken: {why}")]
    BadList { list: &'static str, why: String },
    #[error("the {list} number {found} is older than number {known}, which is already known")]
    OlderList { list: &'static str, found: u64, known: u64 },
    #[error("the {list} expired at {at}")]
    ExpiredList { list: &'static str, at: jiff::Timestamp },
    #[error("{0}")]
    Mismatch(String),
}

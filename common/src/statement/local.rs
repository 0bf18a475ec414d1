//! What an administrator did on the device itself: break-glass and recovery, in the device's own signed words.
//!
//! Root on a device can do anything to it; that is said plainly everywhere. What is done through `lineman-agent` leaves this statement,
//! signed with the host key, in the device's journal, at the sink of the carrier's choice, and at the centre.

use jiff::Timestamp;
use ssh_key::PublicKey;

use super::Refused;
use super::lines::{self, LineError, value};
use super::sig::{Namespace, Signed};
use crate::name::NeName;

words! {
    pub enum LocalAct {
        /// A consent that no carrier signer signed. The subject is the consent's id.
        ApproveConsent = "approve-consent",
        EndConsent = "end-consent",
        KillSession = "kill-session",
        /// Every session and consent ended, and none is taken until `resume`.
        Stop = "stop",
        Resume = "resume",
        /// The carrier's signer list was replaced without its signers' signature. The subject is the new list's SHA-256.
        SetSigners = "set-signers",
        ResetClock = "reset-clock",
    }
}

const KEYS: [&str; 7] = ["lineman-local", "device", "act", "subject", "by", "detail", "at"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalStatement {
    pub device: NeName,
    pub act: LocalAct,
    /// What it was done to: an id, a hash, or `-`.
    pub subject: String,
    /// The Unix account that asked, with the process and terminal it asked from, as far as known.
    pub by: String,
    /// For a consent: the request's SHA-256, doors and time. For the others the reason that was given.
    pub detail: String,
    pub at: Timestamp,
}

impl LocalStatement {
    pub fn write(&self) -> Result<String, LineError> {
        let Self { device, act, subject, by, detail, at } = self;
        let values = ["1".to_owned(), device.to_string(), act.to_string(), subject.clone(), by.clone(), detail.clone(), at.to_string()];
        let mut values = values.into_iter();
        lines::write(KEYS.map(|key| (key, values.next().unwrap_or_default())))
    }

    fn read(text: &str) -> Result<Self, LineError> {
        let [_, device, act, subject, by, detail, at] = lines::read(text.as_bytes(), KEYS)?;
        let read = Self {
            device: value(&device, &KEYS, "device")?,
            act: value(&act, &KEYS, "act")?,
            subject,
            by,
            detail,
            at: value(&at, &KEYS, "at")?,
        };
        lines::check_form(text, &read.write()?)?;
        Ok(read)
    }

    /// Reads a statement without believing it.
    pub fn read_unverified(signed: &Signed) -> Result<Self, Refused> {
        Self::read(&signed.text).map_err(|source| Refused::Unreadable { what: "local statement", source })
    }

    /// Checks that the device with this host key signed it.
    pub fn verify(signed: &Signed, device: &NeName, host_key: &PublicKey) -> Result<Self, Refused> {
        let statement = Self::read_unverified(signed)?;
        super::device::check_signed_by("local statement", signed, Namespace::Local, host_key)?;
        if statement.device != *device {
            return Err(Refused::Mismatch(format!("the local statement is of {}, not of {device}", statement.device)));
        }
        Ok(statement)
    }
}

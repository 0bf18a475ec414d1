//! A receipt: what a device holds and obeys, in its own signed words.
//!
//! Lists travel through the centre, and a centre could keep one back. A receipt is how the carrier finds that out: it is signed with
//! the device's host key, so the centre can withhold it, too, but can't write one.

use jiff::Timestamp;
use ssh_key::PublicKey;

use super::Refused;
use super::lines::{self, LineError, value};
use super::sig::{Namespace, Signed};
use crate::name::NeName;

const KEYS: [&str; 11] = [
    "lineman-receipt",
    "device",
    "signers",
    "signers-sha256",
    "signers-expiry",
    "vendor-root-sha256",
    "roster",
    "grades",
    "approvals",
    "stopped",
    "at",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub device: NeName,
    /// Counter, hash and expiry of the carrier's signer list that counts on the device.
    pub signers: u64,
    pub signers_sha256: String,
    pub signers_expiry: Timestamp,
    pub vendor_root_sha256: String,
    /// Counter of the roster, 0 for none.
    pub roster: u64,
    /// The grades that the local policy takes, separated by commas; `none` for none.
    pub grades: String,
    /// How many of the carrier's people must sign a consent.
    pub approvals: u8,
    /// `no`, or who stopped the device.
    pub stopped: String,
    /// By the device's wall clock.
    pub at: Timestamp,
}

impl Receipt {
    pub fn write(&self) -> Result<String, LineError> {
        let Self { device, signers, signers_sha256, signers_expiry, vendor_root_sha256, roster, grades, approvals, stopped, at } = self;
        let values = [
            "1".to_owned(),
            device.to_string(),
            signers.to_string(),
            signers_sha256.clone(),
            signers_expiry.to_string(),
            vendor_root_sha256.clone(),
            roster.to_string(),
            grades.clone(),
            approvals.to_string(),
            stopped.clone(),
            at.to_string(),
        ];
        let mut values = values.into_iter();
        lines::write(KEYS.map(|key| (key, values.next().unwrap_or_default())))
    }

    fn read(text: &str) -> Result<Self, LineError> {
        let [_, device, signers, signers_sha256, signers_expiry, vendor_root_sha256, roster, grades, approvals, stopped, at] =
            lines::read(text.as_bytes(), KEYS)?;
        let read = Self {
            device: value(&device, &KEYS, "device")?,
            signers: value(&signers, &KEYS, "signers")?,
            signers_sha256,
            signers_expiry: value(&signers_expiry, &KEYS, "signers-expiry")?,
            vendor_root_sha256,
            roster: value(&roster, &KEYS, "roster")?,
            grades,
            approvals: value(&approvals, &KEYS, "approvals")?,
            stopped,
            at: value(&at, &KEYS, "at")?,
        };
        lines::check_form(text, &read.write()?)?;
        Ok(read)
    }

    /// Reads a receipt without believing it.
    pub fn read_unverified(signed: &Signed) -> Result<Self, Refused> {
        Self::read(&signed.text).map_err(|source| Refused::Unreadable { what: "receipt", source })
    }

    /// Checks that the device with this host key signed it.
    pub fn verify(signed: &Signed, device: &NeName, host_key: &PublicKey) -> Result<Self, Refused> {
        let receipt = Self::read_unverified(signed)?;
        super::device::check_signed_by("receipt", signed, Namespace::Receipt, host_key)?;
        if receipt.device != *device {
            return Err(Refused::Mismatch(format!("the receipt is of {}, not of {device}", receipt.device)));
        }
        Ok(receipt)
    }
}

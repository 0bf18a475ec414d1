//! A device's identity, vouched for by the carrier's technician.

use jiff::Timestamp;
use ssh_key::PublicKey;

use super::Refused;
use super::lines::{self, LineError, value};
use super::list::SignerList;
use super::sig::{self, Namespace, Signatory, Signed};
use crate::name::{NeName, PersonName};

const KEYS: [&str; 10] = [
    "lineman-device",
    "device",
    "host-key",
    "link-key-sha256",
    "signers-sha256",
    "vendor-root-sha256",
    "counter",
    "vouched-by",
    "issued",
    "valid-before",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceStatement {
    pub device: NeName,
    /// The SSH host key, in OpenSSH's format without a comment.
    pub host_key: PublicKey,
    /// Hash of the link certificate's SubjectPublicKeyInfo.
    pub link_key_sha256: String,
    /// Hashes of the two files that were pinned on the device.
    pub signers_sha256: String,
    pub vendor_root_sha256: String,
    pub counter: u64,
    pub vouched_by: PersonName,
    pub issued: Timestamp,
    pub valid_before: Timestamp,
}

impl DeviceStatement {
    pub fn write(&self) -> Result<String, LineError> {
        let Self { device, host_key, link_key_sha256, signers_sha256, vendor_root_sha256, counter, vouched_by, issued, valid_before } =
            self;
        let values = [
            "1".to_owned(),
            device.to_string(),
            openssh(host_key),
            link_key_sha256.clone(),
            signers_sha256.clone(),
            vendor_root_sha256.clone(),
            counter.to_string(),
            vouched_by.to_string(),
            issued.to_string(),
            valid_before.to_string(),
        ];
        let mut values = values.into_iter();
        lines::write(KEYS.map(|key| (key, values.next().unwrap_or_default())))
    }

    /// Reads a statement without believing it.
    pub fn read_unverified(text: &str) -> Result<Self, Refused> {
        Self::read(text).map_err(|source| Refused::Unreadable { what: "device statement", source })
    }

    fn read(text: &str) -> Result<Self, LineError> {
        let [_, device, host_key, link_key_sha256, signers_sha256, vendor_root_sha256, counter, vouched_by, issued, valid_before] =
            lines::read(text.as_bytes(), KEYS)?;
        let read = Self {
            device: value(&device, &KEYS, "device")?,
            host_key: value(&host_key, &KEYS, "host-key")?,
            link_key_sha256,
            signers_sha256,
            vendor_root_sha256,
            counter: value(&counter, &KEYS, "counter")?,
            vouched_by: value(&vouched_by, &KEYS, "vouched-by")?,
            issued: value(&issued, &KEYS, "issued")?,
            valid_before: value(&valid_before, &KEYS, "valid-before")?,
        };
        lines::check_form(text, &read.write()?)?;
        Ok(read)
    }

    /// Checks that a technician listed in `list` (anchors, or the carrier's own signers) vouches for this device, still.
    pub fn verify(signed: &Signed, list: &SignerList, at: Timestamp) -> Result<Self, Refused> {
        let statement = Self::read_unverified(&signed.text)?;
        list.verify("device statement", signed, statement.vouched_by.as_str(), Namespace::Device, at)?;
        if at >= statement.valid_before {
            return Err(Refused::Mismatch(format!("the device statement of {} expired at {}", statement.device, statement.valid_before)));
        }
        Ok(statement)
    }

    pub fn host_key_fingerprint(&self) -> String {
        sig::fingerprint(&self.host_key).to_string()
    }
}

/// `ssh-ed25519 AAAA...`, without a comment.
pub fn openssh(key: &PublicKey) -> String {
    PublicKey::from(key.key_data().clone()).to_openssh().unwrap_or_default()
}

/// Checks that the device whose host key this is signed a text.
pub fn check_signed_by(what: &'static str, signed: &Signed, namespace: Namespace, host_key: &PublicKey) -> Result<(), Refused> {
    let Signatory { key, certificate } = signed.signatory(what, namespace)?;
    // A device has no certificate, and OpenSSH would not take one in the place of the key that it was told.
    if key.key_data() == host_key.key_data() && certificate.is_none() {
        return Ok(());
    }
    Err(Refused::Mismatch(format!("the {what} is signed with {}, which is not the device's key", sig::fingerprint(&key))))
}

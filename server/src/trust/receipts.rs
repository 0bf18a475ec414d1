//! Receipts: what devices say that they hold and obey, in their own signed words.
//!
//! They are kept as they came, for those who verify them with the device's key; here they are only read. A device that holds an older
//! signer list than the published one, or does not know of a stop, is told again.

use lineman_common::Printable;
use lineman_common::id::EquipmentId;
use lineman_common::statement::{Receipt, Signed};

use super::{Error, sql};
use crate::equipment::Known;
use crate::events::{self, Kind, New};
use crate::store::{Db, Tx};

/// A signature is a few hundred bytes.
const LONGEST_SIGNATURE: usize = 16 * 1024;

/// A receipt that was taken in.
pub struct Taken {
    pub receipt: Receipt,
    /// It says something else than the one before.
    pub changed: bool,
    /// Number of the published signer list that the device refused, as it held then what it holds now.
    pub refused: Option<u64>,
}

/// Keeps a device's receipt. `None` when the text does not read as a receipt of this device: then nothing is kept.
pub fn take(tx: &mut Tx<'_>, device: &Known, signed: &Signed) -> Result<Option<Taken>, Error> {
    let receipt = Receipt::read_unverified(signed).ok().filter(|receipt| receipt.device == device.name);
    let Some(receipt) = receipt.filter(|_| signed.signature.len() <= LONGEST_SIGNATURE) else {
        tracing::warn!(agent.id = %device.name, "a receipt that is none of this device is not kept");
        return Ok(None);
    };
    let (before, refused) = sql::receipt(tx, device.id)?;
    let before = before.and_then(|signed| Receipt::read_unverified(&signed).ok());
    let changed = before.is_none_or(|before| Receipt { at: receipt.at, ..before } != receipt);
    sql::put_receipt(tx, device.id, signed)?;
    if changed {
        if refused.is_some() {
            sql::put_refusal(tx, device.id, None)?;
        }
        let event = New::of(Kind::ReceiptChanged, format!("agent:{}", device.name), told(&receipt)).at(receipt.at);
        events::append(tx, event.customer(device.customer).equipment(device.id).data(particulars(&receipt)))?;
    }
    Ok(Some(Taken { receipt, changed, refused: refused.filter(|_| !changed) }))
}

/// The newest receipt of a device, unverified.
pub fn newest(db: &Db<'_>, device: EquipmentId) -> Result<Option<Receipt>, Error> {
    let (signed, _) = sql::receipt(db, device)?;
    Ok(signed.and_then(|signed| Receipt::read_unverified(&signed).ok()))
}

fn told(receipt: &Receipt) -> String {
    let Receipt { device, signers, signers_expiry, roster, grades, approvals, stopped, .. } = receipt;
    let (grades, stopped) = (Printable::from(grades.as_str()), Printable::from(stopped.as_str()));
    format!(
        "{device} holds signer list {signers} (until {signers_expiry}) and roster {roster}; takes {grades}, {approvals} signatures a consent; stopped: {stopped}"
    )
}

fn particulars(receipt: &Receipt) -> serde_json::Value {
    serde_json::json!({
        "signers": receipt.signers,
        "signers_sha256": receipt.signers_sha256,
        "vendor_root_sha256": receipt.vendor_root_sha256,
        "roster": receipt.roster,
        "grades": receipt.grades,
        "approvals": receipt.approvals,
        "stopped": receipt.stopped,
    })
}

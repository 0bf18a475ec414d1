//! What a device holds, by its own signed receipt, beside what this machine holds.
//!
//! The centre carries lists to the devices, and could keep one back. It can keep a receipt back, too, but it can't write one:
//! so a receipt that verifies under the device's vouched host key tells the truth of its time.

use jiff::Timestamp;
use lineman_common::api::DeviceReceipt;
use lineman_common::name::NeName;
use lineman_common::statement::{CarrierSigners, Receipt, Request};
use ssh_key::PublicKey;

use super::findings::Finding;

/// A signer list that expires within this time is worth a warning.
const EXPIRES_SOON_DAYS: i64 = 14;

/// How the list that a device holds compares with the one on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Same,
    /// The device has not got the newest one: it was kept back, or has not arrived.
    Older,
    Newer,
    /// The same number, but another text.
    Other,
}

pub fn compare(receipt: &Receipt, mine: &CarrierSigners) -> Standing {
    match receipt.signers.cmp(&mine.counter()) {
        std::cmp::Ordering::Less => Standing::Older,
        std::cmp::Ordering::Greater => Standing::Newer,
        std::cmp::Ordering::Equal if receipt.signers_sha256 == mine.list().sha256 => Standing::Same,
        std::cmp::Ordering::Equal => Standing::Other,
    }
}

/// The device's own word, verified; or why there is none.
pub fn believed(shown: Option<&DeviceReceipt>, device: &NeName, host_key: &PublicKey) -> Result<Receipt, Finding> {
    let signed = shown.and_then(|shown| shown.receipt.as_ref());
    let signed = signed.ok_or_else(|| Finding::NoReceipt { why: "the centre shows no receipt of it".into() })?;
    Receipt::verify(signed, device, host_key).map_err(|refused| Finding::ReceiptDoubt { why: refused.to_string() })
}

/// Everything about a receipt that an approver should know before signing.
pub fn findings(receipt: &Receipt, request: &Request, mine: &CarrierSigners, roster: u64, approvals_by_centre: u8) -> Vec<Finding> {
    let list = receipt.signers;
    let mut found = vec![match compare(receipt, mine) {
        Standing::Same => Finding::Holds { list, roster: receipt.roster, at: receipt.at },
        Standing::Older => Finding::HoldsOlder { list, mine: mine.counter() },
        Standing::Newer => Finding::HoldsNewer { list, mine: mine.counter() },
        Standing::Other => Finding::HoldsOther { list },
    }];
    if receipt.roster > roster {
        found.push(Finding::RosterAhead { device: receipt.roster, shown: roster });
    }
    if receipt.approvals != approvals_by_centre {
        found.push(Finding::OtherApprovals { device: receipt.approvals, centre: approvals_by_centre });
    }
    if !receipt.grades.split(',').any(|grade| grade == request.grade.as_str()) {
        found.push(Finding::GradeNotTaken { grade: request.grade, takes: receipt.grades.clone() });
    }
    if receipt.stopped != "no" {
        found.push(Finding::Stopped { by: receipt.stopped.clone() });
    }
    found
}

/// Warns when the signer list on this machine has not long to go.
pub fn expiry(mine: &CarrierSigners, at: Timestamp) -> Option<Finding> {
    let expiry = mine.list().head.as_ref()?.expiry;
    let soon = at.checked_add(jiff::SignedDuration::from_hours(24 * EXPIRES_SOON_DAYS)).ok()?;
    (expiry < soon).then_some(Finding::SignersExpire { at: expiry })
}

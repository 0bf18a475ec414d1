//! What a device holds, by its own signed receipt, beside what this machine holds.
//!
//! The centre carries lists to the devices, and could keep one back. It can keep a receipt back, too, but it can't write one:
//! so a receipt that verifies under the device's vouched host key tells the truth of its time. One from long ago says little of today.

use jiff::Timestamp;
use lineman_common::api::DeviceReceipt;
use lineman_common::name::NeName;
use lineman_common::statement::{CarrierSigners, Receipt, Request};
use ssh_key::PublicKey;

use super::findings::Finding;

/// A signer list that expires within this time is worth a warning.
const EXPIRES_SOON_DAYS: i64 = 14;
/// A device signs a receipt on every new link: an older word than this may have been kept back since.
const FRESH_DAYS: i64 = 7;

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
    let mut found = lists(receipt, mine, Timestamp::now());
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

/// Which lists the device holds, as far as its word reaches.
fn lists(receipt: &Receipt, mine: &CarrierSigners, at: Timestamp) -> Vec<Finding> {
    let list = receipt.signers;
    let old = age(receipt, at);
    let held = match compare(receipt, mine) {
        Standing::Same if old.is_some() => None,
        Standing::Same => Some(Finding::Holds { list, roster: receipt.roster, at: receipt.at }),
        Standing::Older => Some(Finding::HoldsOlder { list, mine: mine.counter() }),
        Standing::Newer => Some(Finding::HoldsNewer { list, mine: mine.counter() }),
        Standing::Other => Some(Finding::HoldsOther { list }),
    };
    old.into_iter().chain(held).collect()
}

/// Warns when a receipt is too old to tell what the device holds today.
fn age(receipt: &Receipt, at: Timestamp) -> Option<Finding> {
    let age = at.duration_since(receipt.at);
    let why = || format!("its word is {} days old (list {}, roster {})", age.as_hours() / 24, receipt.signers, receipt.roster);
    (age > jiff::SignedDuration::from_hours(24 * FRESH_DAYS)).then(|| Finding::NoReceipt { why: why() })
}

/// Warns when the signer list on this machine has not long to go.
pub fn expiry(mine: &CarrierSigners, at: Timestamp) -> Option<Finding> {
    let expiry = mine.list().head.as_ref()?.expiry;
    let soon = at.checked_add(jiff::SignedDuration::from_hours(24 * EXPIRES_SOON_DAYS)).ok()?;
    (expiry < soon).then_some(Finding::SignersExpire { at: expiry })
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, ToSpan};

    use super::*;
    use crate::consents::findings::{Lang, Weight};
    use crate::consents::{check_request, sign_request};
    use crate::keys::Signer;
    use crate::testing::{World, ask};
    use crate::trust::Trust;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn mine(world: &World, counter: u64) -> CarrierSigners {
        CarrierSigners::parse(&world.signers_numbered(counter), &world.customer).unwrap()
    }

    #[test]
    fn the_word_of_a_device_is_good_for_seven_days() {
        let world = World::new();
        let receipt = world.receipt(&world.pinned_signers(), 1);
        let pinned = CarrierSigners::parse(&world.pinned_signers(), &world.customer).unwrap();
        let after = |time: SignedDuration| lists(&receipt, &pinned, receipt.at + time);
        for time in [SignedDuration::ZERO, DAY * 7] {
            assert!(matches!(after(time).as_slice(), [Finding::Holds { .. }]), "{:?}", after(time));
        }
        for (time, days) in [(DAY * 7 + SignedDuration::from_secs(1), 7), (DAY * 9 + DAY / 2, 9)] {
            let found = after(time);
            let [old] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(old.weight(), Weight::Warn);
            let text = old.text(Lang::En, &|time| time.to_string());
            assert!(text.contains(&format!("its word is {days} days old")), "{text}");
        }
    }

    #[test]
    fn an_old_word_takes_nothing_from_what_is_wrong() {
        let world = World::new();
        let receipt = world.receipt(&world.pinned_signers(), 1);
        let found = lists(&receipt, &mine(&world, 2), receipt.at + DAY * 30);
        assert!(matches!(found.as_slice(), [Finding::NoReceipt { .. }, Finding::HoldsOlder { list: 1, mine: 2 }]), "{found:?}");
    }

    #[test]
    fn an_approver_is_told_of_an_old_word() {
        let world = World::new();
        let open = |folder: &std::path::Path| Trust::open(folder, None, None).unwrap();
        let now = Timestamp::now();
        let believed = open(&world.vendor_trust()).bundle(&world.bundle(), &world.customer, &world.env(), now).unwrap();
        let signer = Signer::open(Some(&world.engineer_key_file()), &world.env()).unwrap();
        let request = sign_request(&world.challenge(), &believed, &signer, &ask(), now).unwrap();
        let checked = check_request(&world.view(request), &open(&world.carrier_trust()), &world.env(), now).unwrap();
        let fresh = world.receipt(&world.pinned_signers(), 1);
        let weights = |receipt: &Receipt| {
            let found = findings(receipt, &checked.request, &checked.signers, 7, 1);
            found.iter().map(Finding::weight).collect::<Vec<_>>()
        };
        assert_eq!(weights(&fresh), [Weight::Good]);
        assert_eq!(weights(&Receipt { at: now - (8 * 24).hours(), ..fresh }), [Weight::Warn]);
    }
}

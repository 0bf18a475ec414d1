//! Signer lists on their way to the devices, and what the devices say of them.

use lineman_common::link::{Answer, Outcome};
use lineman_common::statement::{Namespace, Receipt};

use super::testing::{World, actor, key, place};
use super::*;
use crate::store::testing::TestStore;

fn world() -> (TestStore, World) {
    let mut store = TestStore::new();
    let world = store.write(|tx| World::found(tx, "JW"));
    (store, world)
}

fn publish_signers(store: &mut TestStore, world: &World, counter: u64) -> Result<(), Error> {
    store.write(|tx| {
        let signed = world.signers(tx, counter, &[&world.approvers[0]]);
        signers::publish(tx, &world.noc(), &world.code, &signed)
    })
}

fn receipt(world: &World, counter: u64, stopped: &str) -> Signed {
    let receipt = Receipt {
        device: world.device.name.clone(),
        signers: counter,
        signers_sha256: "1".repeat(64),
        signers_expiry: "2027-11-22T00:00:00Z".parse().unwrap(),
        vendor_root_sha256: "2".repeat(64),
        roster: 1,
        grades: "end-to-end".into(),
        approvals: 1,
        stopped: stopped.into(),
        at: jiff::Timestamp::now(),
    };
    Signed::sign(&world.host, Namespace::Receipt, receipt.write().unwrap()).unwrap()
}

fn events_of(store: &TestStore, world: &World, kind: Kind) -> usize {
    let log = store.read(|db| events::after(db, &Scope::Customer(world.customer), 0, 1000)).unwrap();
    log.iter().filter(|event| event.kind == kind.to_string()).count()
}

#[test]
fn a_list_is_published_once_and_only_forward() {
    let (mut store, world) = world();
    publish_signers(&mut store, &world, 3).unwrap();
    publish_signers(&mut store, &world, 3).expect("the same again changes nothing");
    assert_eq!(events_of(&store, &world, Kind::SignersPublished), 1);
    for older in [3, 2] {
        let error = store
            .write(|tx| {
                let other = world.signers(tx, older, &[&world.approvers[1]]);
                signers::publish(tx, &world.noc(), &world.code, &other)
            })
            .unwrap_err();
        assert!(matches!(error, Error::NotNewer { known: 3, .. }), "{error}");
    }
    publish_signers(&mut store, &world, 4).unwrap();
    assert_eq!(store.read(|db| signers::published(db, world.customer)).unwrap().unwrap().0, 4);
}

#[test]
fn what_no_device_would_take_is_refused_here() {
    let (mut store, world) = world();
    let mut publish = |signed: &dyn Fn(&Tx<'_>) -> Vec<Signed>| {
        store.write(|tx| {
            let signed = signed(tx);
            signers::publish(tx, &world.noc(), &world.code, &signed).unwrap_err().to_string()
        })
    };
    let [a, b] = &world.approvers;
    let text_of = |tx: &Tx<'_>| world.signers(tx, 3, &[a])[0].text.clone();
    let nobody = publish(&|_| Vec::new());
    assert!(nobody.contains("nobody signed"), "{nobody}");
    let twice = publish(&|tx| world.signers(tx, 3, &[a, a]));
    assert!(twice.contains("same key"), "{twice}");
    let mixed = publish(&|tx| [world.signers(tx, 3, &[a]), world.signers(tx, 4, &[b])].concat());
    assert!(mixed.contains("different texts"), "{mixed}");
    let purpose = publish(&|tx| vec![Signed::sign(a, Namespace::Consent, text_of(tx)).unwrap()]);
    assert!(purpose.contains("signed for `consent@lineman`"), "{purpose}");
    let changed = publish(&|tx| {
        let [signed] = &world.signers(tx, 3, &[a])[..] else { panic!() };
        vec![Signed { text: signed.text.replace("approver-b", "approver-c"), ..signed.clone() }]
    });
    assert!(changed.contains("does not match its text"), "{changed}");
    let other = publish(&|tx| vec![Signed::sign(a, Namespace::Signers, text_of(tx).replace("signers JW", "signers YW")).unwrap()]);
    assert!(other.contains("signers YW"), "{other}");
    let last = publish(&|tx| vec![Signed::sign(a, Namespace::Signers, text_of(tx).replace(",signers@lineman", "")).unwrap()]);
    assert!(last.contains("could never be changed again"), "{last}");
}

#[test]
fn a_stranger_neither_publishes_nor_sees_a_list() {
    let (mut store, world) = world();
    let (yw, _) = store.write(|tx| place(tx, "YW"));
    let stranger = actor("noc-yw", lineman_common::people::Role::Noc, Some((yw, "YW")));
    let refused = store.write(|tx| {
        let signed = world.signers(tx, 3, &[&key()]);
        signers::publish(tx, &stranger, &world.code, &signed).unwrap_err()
    });
    assert!(matches!(refused, Error::NoCustomer(_)), "{refused}");
    assert!(matches!(store.read(|db| signers::view(db, &stranger.scope(), &world.code)), Err(Error::NoCustomer(_))));
}

#[test]
fn a_refusal_stays_beside_the_list_that_was_refused() {
    let (mut store, world) = world();
    publish_signers(&mut store, &world, 3).unwrap();
    let (_, list) = store.read(|db| signers::published(db, world.customer)).unwrap().unwrap();
    let refused = Outcome::Refused { reason: "1 of 2 people signed it".into() };
    store.write(|tx| signers::device_answered(tx, &world.device, &list, &refused)).unwrap();
    let shown = |store: &TestStore| store.read(|db| signers::view(db, &Scope::All, &world.code)).unwrap().devices.remove(0);
    assert_eq!(shown(&store).refusal.unwrap().raw(), "1 of 2 people signed it");
    assert!(shown(&store).device_statement.is_some(), "proves the key that signs receipts");
    assert_eq!(events_of(&store, &world, Kind::SignersRefused), 1);
    publish_signers(&mut store, &world, 4).unwrap();
    assert!(shown(&store).refusal.is_none(), "the newer list is not refused yet");
    // An answer about a list that is not published any more says nothing of this one.
    store.write(|tx| signers::device_answered(tx, &world.device, &list, &refused)).unwrap();
    assert!(shown(&store).refusal.is_none());
    let (_, list) = store.read(|db| signers::published(db, world.customer)).unwrap().unwrap();
    store.write(|tx| signers::device_answered(tx, &world.device, &list, &refused)).unwrap();
    let done = Outcome::Done { answer: Answer::Ok };
    store.write(|tx| signers::device_answered(tx, &world.device, &list, &done)).unwrap();
    assert!(shown(&store).refusal.is_none());
}

#[test]
fn a_receipt_is_kept_as_it_came_and_told_when_it_says_something_new() {
    let (mut store, world) = world();
    let first = receipt(&world, 1, "no");
    assert!(store.write(|tx| receipts::take(tx, &world.device, &first)).unwrap().unwrap().changed);
    let again = receipt(&world, 1, "no");
    assert!(!store.write(|tx| receipts::take(tx, &world.device, &again)).unwrap().unwrap().changed);
    assert_eq!(events_of(&store, &world, Kind::ReceiptChanged), 1);
    let newer = receipt(&world, 2, "no");
    assert!(store.write(|tx| receipts::take(tx, &world.device, &newer)).unwrap().unwrap().changed);
    assert_eq!(events_of(&store, &world, Kind::ReceiptChanged), 2);
    let view = store.read(|db| signers::view(db, &Scope::All, &world.code)).unwrap();
    assert_eq!(view.devices[0].receipt.as_ref(), Some(&newer));
    Receipt::verify(&newer, &world.device.name, world.host.public_key()).unwrap();
    // What is none of this device changes nothing.
    let other = Signed { text: newer.text.replace("ne-1.jw.ne", "ne-2.jw.ne"), ..newer.clone() };
    let garbage = Signed { text: "x".into(), signature: "y".into() };
    for wrong in [other, garbage, Signed { signature: "y".repeat(20_000), ..newer.clone() }] {
        assert!(store.write(|tx| receipts::take(tx, &world.device, &wrong)).unwrap().is_none());
    }
    // A device that enrolled anew has another key: the old receipt proves nothing any more.
    store.write(|tx| world.enrol(tx, &key()));
    let view = store.read(|db| signers::view(db, &Scope::All, &world.code)).unwrap();
    assert!(view.devices[0].receipt.is_none());
}

#[test]
fn every_published_roster_can_be_found_again() {
    let (mut store, world) = world();
    let first = store.read(roster_signed).unwrap();
    store.write(|tx| world.publish_roster(tx, 2));
    assert_ne!(store.read(roster_signed).unwrap(), first);
    assert_eq!(store.read(|db| roster_of(db, 1)).unwrap(), Some(first));
    assert_eq!(store.read(|db| roster_of(db, 7)).unwrap(), None);
}

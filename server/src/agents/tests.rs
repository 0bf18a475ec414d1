//! What every device it concerns is to get: stops and signer lists, in the outbox until the device has answered.

use lineman_common::people::Role;
use lineman_common::statement::{Namespace, Receipt, Signed};

use super::*;
use crate::store::testing::TestStore;
use crate::trust::testing::{World, place};

fn world() -> (TestStore, World) {
    let mut store = TestStore::new();
    let world = store.write(|tx| World::found(tx, "JW"));
    store.write(|tx| forget(tx, &world));
    (store, world)
}

/// As if the device had answered everything.
fn forget(tx: &mut Tx<'_>, world: &World) {
    for (id, _) in waiting(tx, world.device.id).unwrap() {
        answered(tx, world.device.id, id).unwrap();
    }
}

fn orders(store: &TestStore, world: &World) -> Vec<String> {
    let waiting = store.read(|db| waiting(db, world.device.id)).unwrap();
    waiting.iter().map(|(_, order)| serde_json::to_value(order).unwrap()["order"].as_str().unwrap().to_owned()).collect()
}

fn stop(store: &mut TestStore, world: &World) {
    store.write(|tx| customers::stop(tx, &world.noc(), &world.code, &"a leaked key".into())).unwrap();
}

fn resume(store: &mut TestStore, world: &World) {
    store.write(|tx| customers::resume(tx, &world.noc(), &world.code, &"gone".into())).unwrap();
}

fn says(store: &mut TestStore, world: &World, signers: u64, stopped: &str) {
    let receipt = Receipt {
        device: world.device.name.clone(),
        signers,
        signers_sha256: "1".repeat(64),
        signers_expiry: "2027-11-22T00:00:00Z".parse().unwrap(),
        vendor_root_sha256: "2".repeat(64),
        roster: 1,
        grades: "end-to-end".into(),
        approvals: 1,
        stopped: stopped.into(),
        at: store.now,
    };
    let signed = Signed::sign(&world.host, Namespace::Receipt, receipt.write().unwrap()).unwrap();
    store.write(|tx| receipt_of(tx, world, &signed));
}

fn receipt_of(tx: &mut Tx<'_>, world: &World, signed: &Signed) {
    receipt(tx, &world.device, signed).unwrap();
}

fn hello() -> Hello {
    Hello {
        protocol: 1,
        software: "lineman-agent 0.1.0".into(),
        epoch: SpoolEpoch::new(),
        boot_id: "x".into(),
        capabilities: Vec::new(),
        roster: 1,
    }
}

#[test]
fn the_later_of_stop_and_resume_waits_alone() {
    let (mut store, world) = world();
    let (_, other) = store.write(|tx| place(tx, "YW"));
    stop(&mut store, &world);
    assert_eq!(orders(&store, &world), ["stop"]);
    let waiting = store.read(|db| waiting(db, world.device.id)).unwrap();
    let [(_, Order::Stop { by, reason })] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!((by.as_str(), reason.as_str()), ("noc-a", "a leaked key"));
    resume(&mut store, &world);
    assert_eq!(orders(&store, &world), ["resume"]);
    stop(&mut store, &world);
    assert_eq!(orders(&store, &world), ["stop"]);
    assert!(store.read(|db| super::waiting(db, other.id)).unwrap().is_empty(), "another customer's device hears nothing");
}

#[test]
fn who_connects_later_hears_of_the_stop_too() {
    let (mut store, world) = world();
    store.write(|tx| connected(tx, &world.device, &hello())).unwrap();
    assert!(orders(&store, &world).is_empty());
    stop(&mut store, &world);
    store.write(|tx| forget(tx, &world));
    store.write(|tx| connected(tx, &world.device, &hello())).unwrap();
    assert_eq!(orders(&store, &world), ["stop"]);
    store.write(|tx| forget(tx, &world));
    says(&mut store, &world, 1, "noc-a");
    assert!(orders(&store, &world).is_empty(), "it knows");
    says(&mut store, &world, 1, "no");
    assert_eq!(orders(&store, &world), ["stop"], "it says that nobody stopped it");
}

#[test]
fn a_device_that_missed_the_end_of_a_stop_is_told_once() {
    let (mut store, world) = world();
    says(&mut store, &world, 1, "noc-a");
    assert_eq!(orders(&store, &world), ["resume"]);
    store.write(|tx| forget(tx, &world));
    // Perhaps it was stopped there: then it stays so, and is not asked again and again.
    says(&mut store, &world, 1, "noc-a");
    assert!(orders(&store, &world).is_empty());
}

#[test]
fn signer_lists_go_to_all_and_again_to_who_holds_an_older_one() {
    let (mut store, world) = world();
    let publish = |store: &mut TestStore, counter| {
        store.write(|tx| {
            let signed = world.signers(tx, counter, &[&world.approvers[0]]);
            signers::publish(tx, &world.noc(), &world.code, &signed).unwrap();
        });
    };
    publish(&mut store, 3);
    publish(&mut store, 4);
    let waiting = store.read(|db| waiting(db, world.device.id)).unwrap();
    let [(_, Order::Signers { signed })] = &waiting[..] else { panic!("{waiting:?}") };
    assert!(signed[0].text.contains("# counter: 4"), "the newest takes the place of the one that waits");
    store.write(|tx| forget(tx, &world));
    says(&mut store, &world, 4, "no");
    assert!(orders(&store, &world).is_empty(), "it holds the newest");
    says(&mut store, &world, 2, "no");
    assert_eq!(orders(&store, &world), ["signers"]);
    // It refuses: it is asked again when it holds something else, or when there is a newer list.
    let (_, list) = store.read(|db| signers::published(db, world.customer)).unwrap().unwrap();
    let refused = lineman_common::link::Outcome::Refused { reason: "no".into() };
    store.write(|tx| signers::device_answered(tx, &world.device, &list, &refused)).unwrap();
    store.write(|tx| forget(tx, &world));
    says(&mut store, &world, 2, "no");
    assert!(orders(&store, &world).is_empty());
    says(&mut store, &world, 3, "no");
    assert_eq!(orders(&store, &world), ["signers"]);
}

#[test]
fn engineers_do_not_stop_and_duty_managers_do_not_resume() {
    let (mut store, world) = world();
    let manager = crate::trust::testing::actor("manager-a", Role::DutyManager, None);
    store.write(|tx| customers::stop(tx, &manager, &world.code, &"x".into())).unwrap();
    assert!(!customers::RESUMERS.contains(&manager.role));
    assert!(!customers::STOPPERS.contains(&Role::Engineer));
}

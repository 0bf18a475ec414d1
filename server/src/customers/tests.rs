//! The switch that stops everything of a customer.

use lineman_common::id::PersonId;

use super::*;
use crate::store::testing::TestStore;

fn actor(name: &str, role: Role, customer: Option<&Customer>) -> Actor {
    let customer = customer.map(|customer| (customer.id, customer.code.clone()));
    Actor { id: PersonId::new(), name: name.parse().unwrap(), role, customer }
}

fn with_customers() -> (TestStore, Customer, Customer) {
    let mut store = TestStore::new();
    let admin = actor("admin-z", Role::Admin, None);
    let tier = Tier { name: "gold".into(), ..Tier::default() };
    let (jw, yw) = store.write(|tx| {
        set_tier(tx, &admin, &tier).unwrap();
        let mut add = |code: &str| {
            let new = NewCustomer { code: code.parse().unwrap(), name: "Telecom".into(), tier: "gold".into() };
            super::add(tx, &admin, new).unwrap()
        };
        (add("JW"), add("YW"))
    });
    (store, jw, yw)
}

#[test]
fn a_stop_names_who_when_and_why_until_it_is_taken_back() {
    let (mut store, jw, yw) = with_customers();
    let noc = actor("noc-jw", Role::Noc, Some(&jw));
    store.read(|db| check_running(db, jw.id)).unwrap();
    let stopped = store.write(|tx| stop(tx, &noc, &jw.code, &"a leaked key".into()).unwrap()).stopped.unwrap();
    assert_eq!((stopped.by.as_str(), stopped.reason.raw(), stopped.at), ("noc-jw", "a leaked key", store.now));
    let why = store.read(|db| check_running(db, jw.id)).unwrap_err().to_string();
    for part in ["noc-jw", "2026-11-22T00:00:00Z", "a leaked key", "lineman customer resume JW"] {
        assert!(why.contains(part), "{why}");
    }
    store.read(|db| check_running(db, yw.id)).expect("the other customer goes on");
    assert!(store.read(|db| find(db, &Scope::All, &jw.code)).unwrap().unwrap().stopped.is_some(), "lists show it");
    let again = store.write(|tx| stop(tx, &noc, &jw.code, &"again".into())).unwrap_err();
    assert!(matches!(again, Error::StoppedAlready { .. }), "{again}");
    store.write(|tx| resume(tx, &noc, &jw.code, &"the key is gone".into())).unwrap();
    store.read(|db| check_running(db, jw.id)).unwrap();
    let twice = store.write(|tx| resume(tx, &noc, &jw.code, &"again".into())).unwrap_err();
    assert_eq!(twice.to_string(), "nothing of JW is stopped");
    let log = store.read(|db| events::after(db, &Scope::Customer(jw.id), 0, 100)).unwrap();
    let kinds: Vec<_> = log.iter().map(|event| event.kind.as_str()).collect();
    assert!(kinds.ends_with(&["customer.stopped", "customer.resumed"]), "{kinds:?}");
}

#[test]
fn another_customers_people_do_not_find_it() {
    let (mut store, jw, yw) = with_customers();
    let stranger = actor("noc-yw", Role::Noc, Some(&yw));
    let error = store.write(|tx| stop(tx, &stranger, &jw.code, &"x".into())).unwrap_err();
    assert!(matches!(error, Error::NotFound), "{error}");
    let error = store.write(|tx| stop(tx, &stranger, &yw.code, &"  ".into())).unwrap_err();
    assert!(error.to_string().contains("a reason is needed"), "{error}");
}

#[test]
fn many_may_stop_and_only_the_customer_takes_it_back() {
    assert!(STOPPERS.contains(&Role::DutyManager) && STOPPERS.contains(&Role::Admin) && !STOPPERS.contains(&Role::Engineer));
    assert!(RESUMERS.iter().all(|role| role.is_carrier()));
}

use lineman_common::api::NewPerson;
use lineman_common::people::Role;
use serde_json::json;

use super::*;
use crate::store::testing::TestStore;
use crate::web::asked::Ask;
use crate::{faults, people, sessions};

fn person(store: &mut TestStore, name: &str, role: Role) -> Actor {
    let new = NewPerson { name: name.parse().unwrap(), role, customer: None, password: None };
    let person = store.write(|tx| people::add(tx, "init", new, None).unwrap());
    Actor { id: person.id, name: person.name, role, customer: None }
}

fn new(list: ViewList, query: &str, shared: bool) -> NewView {
    NewView { name: "left".into(), list, query: query.into(), sort: None, shared, position: None }
}

#[test]
fn a_query_is_read_before_it_is_saved_and_not_asked() {
    let mut store = TestStore::new();
    let actor = person(&mut store, "engineer-a", Role::Engineer);
    // Whatever asked one of the lists would fail.
    let gone = "PRAGMA foreign_keys = OFF; DROP TABLE fault_index; DROP TABLE session; DROP TABLE consent; DROP TABLE library_case";
    store.read(|db| db.sql().execute_batch(gone)).unwrap();
    let check = |list, query: &str| store.read(|db| check(db, &actor, &new(list, query, false)));
    for list in [ViewList::Faults, ViewList::Alarms, ViewList::Sessions, ViewList::Equipment, ViewList::Consents, ViewList::Cases] {
        assert!(check(list, "温度 fan").is_ok(), "{list:?}");
        assert!(check(list, &"x ".repeat(1_500)).is_err_and(|error| error.to_string().contains("2000 characters")), "{list:?}");
        assert!(check(list, "state:nonsense").is_err(), "{list:?}");
    }
    assert!(check(ViewList::Faults, "%").is_err(), "nothing to search for");
}

fn changed(change: serde_json::Value) -> EditView {
    serde_json::from_value(change).unwrap()
}

#[test]
fn a_shared_view_is_taken_back_by_any_manager() {
    let mut store = TestStore::new();
    let [owner, other] = ["manager-a", "manager-b"].map(|name| person(&mut store, name, Role::DutyManager));
    let view = store.write(|tx| add(tx, &owner, new(ViewList::Faults, "sev:critical", true)).unwrap());
    let edit = changed(json!({"shared": false, "query": "sev:major"}));
    store.read(|db| check_edit(db, &other, view.id, &edit).unwrap());
    let taken = store.write(|tx| super::edit(tx, &other, view.id, edit).unwrap());
    assert_eq!((taken.shared, taken.query.raw(), taken.yours), (false, "sev:major", false));
    assert!(matches!(store.read(|db| get(db, &other, view.id)), Err(Error::NotFound)));
    assert_eq!(store.read(|db| get(db, &owner, view.id)).unwrap().query.raw(), "sev:major");
}

#[test]
fn who_manages_no_longer_changes_nothing_that_is_shared() {
    let mut store = TestStore::new();
    let manager = person(&mut store, "manager-a", Role::DutyManager);
    let view = store.write(|tx| add(tx, &manager, new(ViewList::Faults, "sev:critical", true)).unwrap());
    let engineer = Actor { role: Role::Engineer, ..manager };
    let edit = |store: &mut TestStore, change| store.write(|tx| super::edit(tx, &engineer, view.id, changed(change)));
    for change in [json!({"query": "sev:major"}), json!({"name": "right"}), json!({"shared": true})] {
        assert!(matches!(edit(&mut store, change.clone()), Err(Error::Query(_))), "{change}");
    }
    // As one's own it may go on.
    assert!(edit(&mut store, json!({"shared": false})).is_ok());
    assert!(edit(&mut store, json!({"query": "sev:major"})).is_ok());
}

#[test]
fn what_changes_unsaid_is_counted_again_before_long() {
    let mut store = TestStore::new();
    let actor = person(&mut store, "engineer-a", Role::Engineer);
    let session = |query| sessions::list::moves(&Ask::read(Some(query), None, &sessions::list::keys(), &actor).unwrap());
    let fault = |query| faults::list::moves(&Ask::read(Some(query), None, &faults::list::keys(), &actor).unwrap());
    // No event says that more of a recording has come, or that a contract has begun.
    assert!(session("recording:whole") && session("started:<1h") && fault("tier:gold") && fault("age:<1h"));
    assert!(!session("engineer:me") && !fault("sev:critical"));
}

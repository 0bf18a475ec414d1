use jiff::civil::date;
use lineman_common::api::{Customer, NewCustomer, NewSite, Tier};
use lineman_common::id::PersonId;
use lineman_common::people::Role;

use super::*;
use crate::customers::{self, set_tier, tier_of};
use crate::store::testing::TestStore;

fn admin() -> Actor {
    Actor { id: PersonId::new(), name: "admin-z".parse().unwrap(), role: Role::Admin, customer: None }
}

fn with_customer() -> (TestStore, Customer) {
    let mut store = TestStore::new();
    let jw = store.write(|tx| {
        for name in ["silver", "gold"] {
            set_tier(tx, &admin(), &Tier { name: name.into(), ..Tier::default() }).unwrap();
        }
        let new = NewCustomer { code: "JW".parse().unwrap(), name: "Telecom".into(), tier: "silver".into() };
        let jw = customers::add(tx, &admin(), new).unwrap();
        let site = NewSite {
            customer: "JW".parse().unwrap(),
            name: "Jinan 1".into(),
            zone: "Asia/Shanghai".into(),
            latitude_deg: None,
            longitude_deg: None,
            access_notes: "".into(),
        };
        customers::add_site(tx, &admin(), site).unwrap();
        jw
    });
    (store, jw)
}

fn gold(from: Date, until: Option<Date>) -> NewContract {
    let contact = Contact { name: "engineer-a".into(), phone: "".into(), mail: "".into() };
    NewContract { customer: "JW".parse().unwrap(), tier: "gold".into(), from, until, contact }
}

#[test]
fn a_contract_holds_from_its_first_day_to_its_last_in_the_customers_zone() {
    let (mut store, jw) = with_customer();
    store.write(|tx| add(tx, &admin(), &gold(date(2026, 12, 1), Some(date(2026, 12, 31)))).unwrap());
    let mut tier_at = |at: &str| {
        store.now = at.parse().unwrap();
        store.read(|db| (tier_of(db, jw.id).unwrap().tier.name, next_change(db, jw.id).unwrap().map(|at| at.to_string())))
    };
    assert_eq!(tier_at("2026-11-30T15:59:59Z"), ("silver".into(), Some("2026-11-30T16:00:00Z".into())));
    assert_eq!(tier_at("2026-11-30T16:00:00Z"), ("gold".into(), Some("2026-12-31T16:00:00Z".into())));
    assert_eq!(tier_at("2026-12-31T15:59:59Z").0, "gold");
    assert_eq!(tier_at("2026-12-31T16:00:00Z"), ("silver".into(), None), "the customer's own tier again");
    let held = store.read(|db| tier_of(db, jw.id).unwrap());
    assert_eq!(held.since.to_string(), "2026-12-31T16:00:00Z");
}

#[test]
fn contracts_do_not_overlap_and_one_that_has_begun_keeps_its_past() {
    let (mut store, _) = with_customer();
    let refused = |store: &mut TestStore, new: &NewContract| store.write(|tx| add(tx, &admin(), new)).unwrap_err().to_string();
    let begun = store.write(|tx| add(tx, &admin(), &gold(date(2026, 11, 1), None)).unwrap());
    assert!(begun.in_force);
    assert!(refused(&mut store, &gold(date(2027, 1, 1), None)).contains("end that one first"));
    assert!(refused(&mut store, &gold(date(2027, 1, 2), Some(date(2027, 1, 1)))).contains("ends on the day it begins, or later"));
    assert!(refused(&mut store, &NewContract { contact: Contact::default(), ..gold(date(2027, 1, 1), None) }).contains("contact"));
    assert!(refused(&mut store, &NewContract { tier: "lead".into(), ..gold(date(2027, 1, 1), None) }).contains("no tier `lead`"));
    store.write(|tx| {
        for other in [
            NewContract { tier: "silver".into(), ..gold(date(2026, 11, 1), None) },
            gold(date(2026, 10, 1), None),
            gold(date(2026, 11, 1), Some(date(2026, 11, 20))),
        ] {
            assert!(matches!(change(tx, &admin(), begun.id, &other), Err(Error::HasBegun)), "{other:?}");
        }
        assert!(matches!(delete(tx, &admin(), begun.id), Err(Error::HasBegun)));
        change(tx, &admin(), begun.id, &gold(date(2026, 11, 1), Some(date(2026, 12, 31)))).unwrap();
        let next = add(tx, &admin(), &gold(date(2027, 1, 1), None)).unwrap();
        assert_eq!(list(tx, &Scope::All, Some("JW"), None, 10).unwrap().len(), 2);
        assert!(matches!(customers::delete_tier(tx, &admin(), "gold"), Err(Error::TierUsed { .. })));
        delete(tx, &admin(), next.id).unwrap();
        assert!(matches!(get(tx, &Scope::Customer(CustomerId::new()), begun.id), Err(Error::NotFoundHere(_))), "others' are not seen");
    });
}

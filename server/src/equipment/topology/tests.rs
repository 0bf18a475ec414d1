use super::*;
use crate::customers;
use crate::equipment;
use crate::store::testing::TestStore;
use lineman_common::api::{NewEquipment, Tier};
use lineman_common::id::PersonId;
use lineman_common::people::Role;

fn edge(on: &str, via: Option<&str>) -> TopologyEdge {
    TopologyEdge { on: on.parse().unwrap(), via: via.map(Into::into) }
}

fn admin() -> Actor {
    Actor { id: PersonId::new(), name: "admin-z".parse().unwrap(), role: Role::Admin, customer: None }
}

fn named(handle: &str) -> Reference {
    format!("{handle}.jw.ne").parse().unwrap()
}

fn network() -> TestStore {
    let mut store = TestStore::new();
    store.write(|tx| {
        let tier = Tier { name: "gold".into(), ..Tier::default() };
        customers::set_tier(tx, &admin(), &tier).unwrap();
        let new = serde_json::from_value(json!({"code": "JW", "name": "Telecom", "tier": "gold"})).unwrap();
        customers::add(tx, &admin(), new).unwrap();
        let new = serde_json::from_value(json!({"customer": "JW", "name": "North", "zone": "UTC", "access_notes": ""})).unwrap();
        customers::add_site(tx, &admin(), new).unwrap();
        let sites = customers::sites(tx, &Scope::All).unwrap();
        for handle in ["ne-1", "ne-2", "ne-3", "ne-4"] {
            let new = NewEquipment {
                customer: "JW".parse().unwrap(),
                handle: handle.parse().unwrap(),
                site: sites[0].id,
                product: "OLT".into(),
                model: "C320".into(),
                serial: handle.into(),
                software: "1".into(),
                parent: None,
            };
            equipment::add(tx, &admin(), new).unwrap();
        }
    });
    store
}

#[test]
fn equipment_hangs_on_other_equipment_and_never_in_a_circle() {
    let mut store = network();
    let admin = admin();
    let link = |on: &str| Topology { link: Some(edge(on, Some("shelf-1/card-2"))), ..Topology::default() };
    store.write(|tx| {
        set(tx, &admin, &named("ne-2"), &link("ne-1")).unwrap();
        set(tx, &admin, &named("ne-3"), &link("ne-2")).unwrap();
        let circle = set(tx, &admin, &named("ne-1"), &link("ne-3")).unwrap_err();
        assert!(circle.to_string().contains("circle"), "{circle}");
        assert!(set(tx, &admin, &named("ne-1"), &link("ne-1")).is_err());
        assert!(matches!(set(tx, &admin, &named("ne-1"), &link("ne-9")), Err(Error::NoParent(_))));
        // Another relation may go the other way.
        let fed = Topology { power: vec![edge("ne-3", None), edge("ne-4", None)], ..Topology::default() };
        let view = set(tx, &admin, &named("ne-1"), &fed).unwrap();
        assert_eq!(view.above, fed);
        assert_eq!(view.below.iter().map(|below| below.equipment.to_string()).collect::<Vec<_>>(), ["ne-2.jw.ne"]);
    });
    let (ids, ups) = store.read(|db| {
        let id = |handle: &str| find(db, &Scope::All, &named(handle)).unwrap().id;
        let ids = [id("ne-1"), id("ne-2"), id("ne-3")];
        (ids, Climber::default().above(db, ids[2], Relation::Link).unwrap())
    });
    assert_eq!(ups.iter().map(|up| up.equipment).collect::<Vec<_>>(), [ids[1], ids[0]]);
    assert_eq!(ups[1].via, "shelf-1/card-2");
    assert_eq!(store.read(|db| below(db, ids[0], &[Relation::Link]).unwrap()), ids);
}

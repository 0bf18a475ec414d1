//! What is said when, and that it is said once.

use lineman_common::api::{Calendar, Contact, NewContract, NewCustomer, Tier};
use lineman_common::id::PersonId;
use lineman_common::people::Role;

use super::*;
use crate::customers::{self, contracts};
use crate::faults::clocks::watch::{look, prepare};
use crate::faults::{self, Reference};
use crate::store::Tx;
use crate::store::testing::TestStore;
use crate::web::{Actor, Scope};

struct World {
    store: TestStore,
    device: EquipmentId,
}

fn actor(name: &str, role: Role) -> Actor {
    Actor { id: PersonId::new(), name: name.parse().unwrap(), role, customer: None }
}

fn admin() -> Actor {
    actor("admin-z", Role::Admin)
}

fn gold() -> Tier {
    Tier { name: "gold".into(), accept_s: Some(600), restore_s: [Some(4 * 3600); 3], ..Tier::default() }
}

impl World {
    fn new() -> Self {
        let mut store = TestStore::new();
        let device = store.write(|tx| {
            customers::set_tier(tx, &admin(), &gold()).unwrap();
            let new = NewCustomer { code: "JW".parse().unwrap(), name: "Telecom".into(), tier: "gold".into() };
            customers::add(tx, &admin(), new).unwrap();
            let site = json!({"customer": "JW", "name": "Jinan 1", "zone": "Asia/Shanghai"});
            let site = customers::add_site(tx, &admin(), serde_json::from_value(site).unwrap()).unwrap();
            let new = json!({"customer": "JW", "handle": "ne-1", "site": site.id, "product": "OLT", "model": "m", "serial": "s", "software": "1"});
            crate::equipment::add(tx, &admin(), serde_json::from_value(new).unwrap()).unwrap().id
        });
        Self { store, device }
    }

    /// A fault of severity major, reported now.
    fn fault(&mut self) -> FaultId {
        let new = json!({"equipment": "ne-1.jw.ne", "title": "the fan stopped", "impact": "partial"});
        self.store.write(|tx| faults::report(tx, &actor("engineer-a", Role::Engineer), serde_json::from_value(new).unwrap()).unwrap().id)
    }

    fn later(&mut self, seconds: i64) {
        self.store.now += jiff::SignedDuration::from_secs(seconds);
    }

    fn look(&mut self) {
        self.store.write(|tx| look(tx).unwrap());
    }

    fn step<T>(&mut self, step: impl FnOnce(&mut Tx<'_>) -> T) -> T {
        let done = self.store.write(step);
        self.look();
        done
    }

    fn log(&self, fault: FaultId) -> Vec<Appended> {
        self.store.read(|db| events::stored_of_fault(db, fault).unwrap())
    }

    /// Clock, percent, and how many seconds after the moment it was due it was said.
    fn said(&self, fault: FaultId) -> Vec<(String, u64, i64)> {
        let said = self.log(fault).into_iter().filter(|event| matches!(event.kind, Kind::ClockWarned | Kind::ClockBreached));
        let show = |event: Appended| {
            assert_eq!(event.kind == Kind::ClockBreached, event.data["percent"] == 100);
            assert_eq!(event.actor, "system");
            let due: Timestamp = event.data["due_at"].as_str().unwrap().parse().unwrap();
            let clock = event.data["clock"].as_str().unwrap().to_owned();
            (clock, event.data["percent"].as_u64().unwrap(), event.recorded_at.duration_since(due).as_secs())
        };
        said.map(show).collect()
    }

    fn next(&self, fault: FaultId) -> Option<i64> {
        let next = self.store.read(|db| sql::due_at(db, fault));
        next.map(|next| next.duration_since(self.store.now).as_secs())
    }

    fn clock(&self, fault: FaultId, name: &str) -> Clock {
        let clocks = self.store.read(|db| {
            let fault = faults::get(db, &Scope::All, &Reference::Id(fault)).unwrap();
            clocks_of(db, &fault).unwrap()
        });
        clocks.into_iter().find(|clock| clock.name == name).unwrap()
    }
}

fn said(said: &[(&str, u64, i64)]) -> Vec<(String, u64, i64)> {
    said.iter().map(|(clock, percent, late)| ((*clock).to_owned(), *percent, *late)).collect()
}

#[test]
fn each_warning_comes_when_it_is_due_and_once() {
    let mut world = World::new();
    let fault = world.fault();
    world.look();
    assert_eq!(world.next(fault), Some(300));
    world.later(299);
    world.look();
    assert_eq!(world.said(fault), []);
    for (seconds, next) in [(1, 150), (150, 90), (90, 60)] {
        world.later(seconds);
        world.look();
        assert_eq!(world.next(fault), Some(next));
    }
    // On the second itself the target is met still; a moment later it is not.
    world.later(60);
    world.look();
    assert_eq!(world.said(fault), said(&[("K1", 50, 0), ("K1", 75, 0), ("K1", 90, 0)]));
    world.later(1);
    world.look();
    assert_eq!(world.said(fault).last(), Some(&("K1".to_owned(), 100, 1)));
    assert_eq!(world.clock(fault, "K1").warnings.len(), 4);
    // Nothing is said twice, also when the cache is lost and built again.
    let before = world.said(fault);
    world.store.write(|tx| {
        sql::lose_watch(tx);
        prepare(tx).unwrap();
    });
    for _ in 0..3 {
        world.look();
    }
    assert_eq!(world.said(fault), before);
    assert_eq!(world.next(fault), Some(2 * 3600 - 601), "half of K6 comes next");
}

#[test]
fn what_came_due_while_the_server_was_down_is_said_late_with_its_moment() {
    let mut world = World::new();
    let (accepted, open) = (world.fault(), world.fault());
    world.later(3 * 3600);
    // The first thing after the start is that somebody accepts; the breach was before.
    world.store.write(|tx| {
        prepare(tx).unwrap();
        faults::accept(tx, &actor("engineer-a", Role::Engineer), &Reference::Id(accepted)).unwrap();
    });
    world.look();
    world.look();
    let late = 3 * 3600 - 600;
    assert_eq!(world.said(accepted), said(&[("K1", 100, late), ("K6", 75, 0)]), "of the warnings of K6 the newest only");
    assert_eq!(world.said(open), said(&[("K1", 100, late), ("K6", 75, 0)]));
    assert_eq!(world.clock(accepted, "K1").state, ClockState::Breached);
}

#[test]
fn an_end_before_its_time_is_not_warned_of_and_a_fault_that_is_over_is_not_watched() {
    let mut world = World::new();
    let fault = world.fault();
    world.later(299);
    world.step(|tx| faults::accept(tx, &actor("engineer-a", Role::Engineer), &Reference::Id(fault)).unwrap());
    world.later(3600);
    world.look();
    assert_eq!(world.said(fault), []);
    world.later(4 * 3600);
    // It is missed, and cancelled before anybody looked.
    world.step(|tx| faults::cancel(tx, &actor("engineer-a", Role::Engineer), &Reference::Id(fault), &"a test".into()).unwrap());
    assert_eq!(world.said(fault).iter().map(|said| (said.0.as_str(), said.1)).collect::<Vec<_>>(), [("K6", 100)]);
    assert!(!world.store.read(|db| sql::is_watched(db, fault)));
}

#[test]
fn a_clock_that_waits_for_somebody_is_not_due_until_that_ends() {
    let mut world = World::new();
    let fault = world.fault();
    let engineer = actor("engineer-a", Role::Engineer);
    let pend = serde_json::from_value(json!({"reason": "customer"})).unwrap();
    world.step(|tx| faults::accept(tx, &engineer, &Reference::Id(fault)).unwrap());
    world.later(60);
    world.step(|tx| faults::pend(tx, &engineer, &Reference::Id(fault), &pend).unwrap());
    assert_eq!(world.next(fault), None);
    world.later(10 * 24 * 3600);
    world.step(|tx| faults::resume(tx, &engineer, &Reference::Id(fault)).unwrap());
    assert_eq!(world.said(fault), []);
    assert_eq!(world.next(fault), Some(2 * 3600 - 60));
}

#[test]
fn a_lost_link_holds_the_promise_and_its_return_starts_it_again() {
    let mut world = World::new();
    let (fault, device) = (world.fault(), world.device);
    let tell = |kind| events::New::of(kind, "x", "").data(json!({"consent": "c"}));
    let presence = |tx: &mut Tx<'_>, kind| {
        let customer = customers::list(tx, &Scope::All).unwrap()[0].id;
        events::append(tx, events::New::of(kind, "x", "").customer(customer).equipment(device)).unwrap();
    };
    world.step(|tx| faults::accept(tx, &actor("engineer-a", Role::Engineer), &Reference::Id(fault)).unwrap());
    world.step(|tx| drop(faults::tell(tx, fault, tell(Kind::ConsentApproved)).unwrap()));
    assert_eq!(world.next(fault), Some(900));
    world.later(890);
    world.step(|tx| presence(tx, Kind::AgentOffline));
    assert_eq!(world.next(fault), Some(2 * 3600 - 890), "only K6 runs");
    // Due in 10 s, and the link is away for 30: said when it is back, because now it counts.
    world.later(30);
    world.look();
    assert_eq!(world.said(fault), []);
    world.step(|tx| presence(tx, Kind::AgentOnline));
    assert_eq!(world.said(fault), said(&[("K4", 50, 20), ("K5", 50, 20)]));
    // Away for an hour: nothing comes due.
    world.step(|tx| presence(tx, Kind::AgentOffline));
    world.later(3600);
    world.look();
    world.step(|tx| presence(tx, Kind::AgentOnline));
    assert_eq!(world.said(fault).len(), 2);
    assert_eq!(world.next(fault), Some(1350 - 920));
}

#[test]
fn another_target_counts_from_its_own_moment_and_the_old_one_stays_in_the_log() {
    let mut world = World::new();
    let fault = world.fault();
    world.look();
    world.later(3600);
    let changed = world.store.now;
    world.store.write(|tx| customers::set_tier(tx, &admin(), &Tier { restore_s: [Some(2 * 3600); 3], ..gold() }).unwrap());
    world.later(2);
    world.look();
    world.look();
    let retargeted = world.log(fault).into_iter().find(|event| event.kind == Kind::ClockRetargeted).expect("it is in the log");
    assert_eq!((&retargeted.data["was"]["restore_s"], &retargeted.data["now"]["restore_s"]), (&json!(14_400), &json!(7200)));
    assert_eq!(retargeted.data["since"], json!(changed), "from the change, not from when somebody looked");
    assert!(retargeted.internal);
    let k6 = world.clock(fault, "K6");
    assert_eq!(k6.targets.iter().map(|target| (target.from, target.target_s)).collect::<Vec<_>>()[1], (changed, Some(7200)));
    assert_eq!(world.said(fault).last(), Some(&("K6".to_owned(), 50, 2)), "half of it is used already");
    // Back to the old: what was said of it is not said again.
    world.later(3 * 3600);
    world.look();
    assert!(world.clock(fault, "K6").breached);
    world.step(|tx| customers::set_tier(tx, &admin(), &gold()).unwrap());
    world.look();
    let k6 = world.clock(fault, "K6");
    assert_eq!((k6.breached, k6.target_s), (true, Some(14_400)), "missed stays missed");
    let count = world.said(fault).len();
    world.look();
    assert_eq!(world.said(fault).len(), count);
}

#[test]
fn a_severity_that_changes_brings_its_own_target() {
    let mut world = World::new();
    let tier = Tier { restore_s: [Some(3600), Some(4 * 3600), None], ..gold() };
    world.store.write(|tx| customers::set_tier(tx, &admin(), &tier).unwrap());
    let fault = world.fault();
    world.look();
    world.later(600);
    world.store.write(|tx| sql::set_severity(tx, fault, Severity::Critical));
    world.step(|tx| drop(faults::tell(tx, fault, events::New::of(Kind::FaultNote, "x", "")).unwrap()));
    let k6 = world.clock(fault, "K6");
    assert_eq!((k6.target_s, k6.elapsed_s, k6.targets.len()), (Some(3600), 600, 2));
    assert_eq!(k6.targets[1].why, "tier gold, critical");
}

fn office(holidays: Value) -> Calendar {
    let week = json!([{"days": ["mon", "tue", "wed", "thu", "fri"], "hours": ["09:00-18:00"]}]);
    serde_json::from_value(json!({"name": "cn-office", "kind": "hours", "week": week, "holidays": holidays})).unwrap()
}

#[test]
fn a_holiday_that_is_declared_later_moves_the_deadline_and_not_the_past() {
    let mut world = World::new();
    world.store.now = "2026-11-23T09:00:00Z".parse().unwrap(); // Monday, 17:00 at the site
    world.store.write(|tx| {
        customers::calendars::set(tx, &admin(), &office(json!([]))).unwrap();
        customers::set_tier(tx, &admin(), &Tier { calendar: Some("cn-office".into()), ..gold() }).unwrap();
    });
    let fault = world.fault();
    world.look();
    assert_eq!(world.clock(fault, "K6").deadline_at, Some("2026-11-24T04:00:00Z".parse().unwrap()));
    world.later(30 * 60);
    // Tomorrow is off, and so is today, which has been worked already.
    let off = json!([{"date": "2026-11-23", "name": "off"}, {"date": "2026-11-24", "name": "off"}]);
    world.step(|tx| customers::calendars::set(tx, &admin(), &office(off)).unwrap());
    let k6 = world.clock(fault, "K6");
    assert_eq!((k6.elapsed_s, k6.state), (30 * 60, ClockState::Paused));
    assert_eq!(reasons(&k6), [(true, "running"), (false, "holiday: off (cn-office)")]);
    assert_eq!(k6.deadline_at, Some("2026-11-25T04:30:00Z".parse().unwrap()));
}

#[test]
fn a_contract_that_begins_is_noticed_on_the_day() {
    let mut world = World::new();
    world.store.write(|tx| {
        customers::set_tier(
            tx,
            &admin(),
            &Tier { name: "platinum".into(), accept_s: Some(600), restore_s: [Some(48 * 3600); 3], ..Tier::default() },
        )
        .unwrap();
        let contact = Contact { name: "engineer-a".into(), ..Contact::default() };
        let new = NewContract {
            customer: "JW".parse().unwrap(),
            tier: "platinum".into(),
            from: jiff::civil::date(2026, 11, 23),
            until: None,
            contact,
        };
        contracts::add(tx, &admin(), &new).unwrap();
    });
    world.store.now = "2026-11-22T15:59:00Z".parse().unwrap();
    let fault = world.fault();
    world.step(|tx| faults::accept(tx, &actor("engineer-a", Role::Engineer), &Reference::Id(fault)).unwrap());
    assert_eq!(world.next(fault), Some(60), "midnight at the site");
    world.later(60);
    world.look();
    let k6 = world.clock(fault, "K6");
    assert_eq!((k6.target_s, k6.targets.len()), (Some(48 * 3600), 2));
    assert_eq!(world.next(fault), Some(24 * 3600 - 60));
}

/// Of the years before there were terms in the log.
#[test]
fn a_fault_of_an_earlier_server_gets_its_terms_at_the_first_look() {
    let mut world = World::new();
    let fault = world.fault();
    let log = world.log(fault);
    let old: Vec<_> = log.iter().map(|event| Appended { data: json!({"severity": "major"}), ..event.clone() }).collect();
    assert!(Story::read(&old).terms.is_empty());
    let now = world.store.now + jiff::SignedDuration::from_secs(60);
    let clocks = world.store.read(|db| clocks_at(db, &mut Calendars::default(), fault, &old, &[], now).unwrap());
    assert_eq!((clocks[0].target_s, clocks[0].elapsed_s), (Some(600), 60));
    let clocks = world.store.read(|db| clocks_at(db, &mut Calendars::default(), fault, &log, &[], now).unwrap());
    assert_eq!((clocks[0].target_s, clocks[0].targets[0].why.as_str()), (Some(600), "tier gold, major"));
}

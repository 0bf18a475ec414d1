//! Roots and what they explain, flapping, shelves, windows, profiles, rules, silence.

use lineman_common::alarm::{AGENT_SILENT, Relation, WindowState};
use lineman_common::api::{
    AlarmPattern, DryRun, NewAlarmProfile, NewMaintenanceWindow, NewShelf, RuleBody, SetAlarmRule, ShelfOrder, TopologyEdge,
};
use lineman_common::id::SpoolEpoch;
use lineman_common::link::Hello;

use super::*;
use crate::agents;
use crate::alarms::{profiles, rules, shelves, windows};

fn edge(on: &str, via: Option<&str>) -> TopologyEdge {
    TopologyEdge { on: on.parse().unwrap(), via: via.map(Into::into) }
}

fn suppressed(centre: &Centre) -> usize {
    centre.all(Filter { suppressed: Some(true), ..Filter::default() }).len()
}

#[test]
fn a_dead_link_explains_what_is_behind_it_whichever_comes_first() {
    for root_first in [true, false] {
        let mut centre = Centre::new();
        let top = centre.device("ne-1", None);
        let middle = centre.device("ne-2", Some("ne-1"));
        let leaf = centre.device("ne-3", Some("ne-2"));
        if root_first {
            centre.raise(&top, "uplink.down", "", LOS);
            centre.conclude();
        }
        centre.raise(&leaf, "port.los", "port-1", LOS);
        centre.raise(&middle, "port.los", "port-1", LOS);
        centre.pass(1);
        if !root_first {
            centre.raise(&top, "uplink.down", "", LOS);
        }
        centre.pass(6);
        assert_eq!(centre.titles(), ["uplink.down "], "root first: {root_first}");
        let root = centre.one(&top, "uplink.down", "");
        let page = centre.one(&leaf, "port.los", "port-1");
        assert_eq!(page.root, Some(root.alarm.id));
        assert_eq!(page.alarm.marks.suppressed_rule.as_deref(), Some("link-down"));
        assert_eq!(suppressed(&centre), 2);

        // The root clears: what is still raised is seen again at once, and opens a fault of its own a little later.
        centre.clear(&middle, "port.los", "port-1", LOS);
        centre.clear(&top, "uplink.down", "", LOS);
        centre.conclude();
        assert_eq!(centre.one(&leaf, "port.los", "port-1").alarm.marks.suppressed_by, None);
        assert_eq!(centre.faults().len(), 1);
        centre.pass(12);
        assert_eq!(centre.titles(), ["port.los port-1", "uplink.down "]);
    }
}

#[test]
fn a_root_that_comes_late_takes_in_the_faults_of_what_it_explains() {
    let mut centre = Centre::new();
    let top = centre.device("ne-1", None);
    let leaves: Vec<_> = (2..6).map(|n| centre.device(&format!("ne-{n}"), Some("ne-1"))).collect();
    for leaf in &leaves {
        centre.raise(leaf, "port.los", "port-1", LOS);
    }
    // One leaf has a trouble of its own beside it, and somebody works on another's.
    centre.raise(&leaves[0], "port.los", "own", LOS);
    centre.raise(&leaves[1], "fan.speed", "fan-1", FAN);
    centre.pass(30);
    let before = centre.faults();
    let of = |centre: &Centre, leaf: &Known, status: FaultStatus| {
        let filter = crate::faults::Filter { equipment: Some(leaf.id), status: Some(status), limit: 10, ..Default::default() };
        centre.store.read(|db| crate::faults::list(db, &Scope::All, &filter).unwrap()).len()
    };
    let worked = before.iter().find(|fault| fault.equipment == Some("ne-5.jw.ne".parse().unwrap())).unwrap().id;
    centre.store.write(|tx| crate::faults::accept(tx, &actor(Role::Engineer, None), &crate::faults::Reference::Id(worked)).unwrap());
    centre.raise(&top, "uplink.down", "", LOS);
    centre.pass(6);
    let root = centre.faults().into_iter().find(|fault| fault.title.raw().starts_with("uplink.down")).unwrap();
    assert_eq!(of(&centre, &leaves[2], FaultStatus::Duplicate), 1, "nobody had touched it");
    assert_eq!(of(&centre, &leaves[3], FaultStatus::Duplicate), 0, "somebody works on it");
    assert_eq!(centre.one(&leaves[2], "port.los", "port-1").alarm.fault, Some(root.number.clone()));
    // What it explains goes on there: the root alone has cleared, and the fault is not restored.
    centre.clear(&top, "uplink.down", "", LOS);
    centre.pass(12);
    let number = crate::faults::Reference::Number(root.number);
    assert!(!centre.store.read(|db| crate::faults::get(db, &Scope::All, &number).unwrap()).proposes_restored);
}

#[test]
fn a_dead_port_explains_what_hangs_on_it_and_nothing_else() {
    let mut centre = Centre::new();
    let top = centre.device("ne-1", None);
    let (there, elsewhere) = (centre.device("ne-2", None), centre.device("ne-3", None));
    let on = |via| Topology { link: Some(edge("ne-1", Some(via))), ..Topology::default() };
    centre.hang(&there, &on("shelf-1/card-2/port-3"));
    centre.hang(&elsewhere, &on("shelf-1/card-2/port-4"));
    centre.raise(&top, "port.los", "shelf-1/card-2/port-3", LOS);
    centre.raise(&there, "uplink.los", "", LOS);
    centre.raise(&elsewhere, "uplink.los", "", LOS);
    centre.pass(5);
    assert!(centre.one(&there, "uplink.los", "").alarm.marks.suppressed_by.is_some());
    assert!(centre.one(&elsewhere, "uplink.los", "").alarm.marks.suppressed_by.is_none());
    assert_eq!(centre.faults().len(), 2);
}

#[test]
fn a_broken_card_explains_its_ports_and_lost_power_what_it_feeds() {
    let mut centre = Centre::new();
    let shelf = centre.device("ne-1", None);
    let fed = centre.device("ne-2", None);
    centre.hang(&fed, &Topology { power: vec![edge("ne-1", None)], ..Topology::default() });
    centre.raise(&shelf, "port.los", "shelf-1/card-2/port-3", LOS);
    centre.raise(&shelf, "port.los", "shelf-1/card-20/port-3", LOS);
    centre.raise(&shelf, "card.failed", "shelf-1/card-2", BROKEN);
    centre.pass(5);
    assert!(centre.one(&shelf, "port.los", "shelf-1/card-2/port-3").alarm.marks.suppressed_by.is_some());
    assert!(centre.one(&shelf, "port.los", "shelf-1/card-20/port-3").alarm.marks.suppressed_by.is_none());
    centre.raise(&fed, "fan.speed", "fan-1", FAN);
    centre.raise(&shelf, "mains", "", POWER);
    centre.pass(5);
    let fan = centre.one(&fed, "fan.speed", "fan-1");
    assert_eq!(fan.alarm.marks.suppressed_rule.as_deref(), Some("power-lost"));
}

/// By link the one is above the other, by power the other way round: they must not hide each other.
#[test]
fn two_alarms_never_explain_each_other() {
    let mut centre = Centre::new();
    let one = centre.device("ne-1", None);
    let other = centre.device("ne-2", Some("ne-1"));
    centre.hang(&one, &Topology { power: vec![edge("ne-2", None)], ..Topology::default() });
    centre.raise(&one, "uplink.down", "", LOS);
    centre.raise(&other, "rectifier", "", (EventType::Communications, ProbableCause::PowerProblem));
    centre.pass(6);
    assert_eq!((suppressed(&centre), centre.faults().len()), (1, 1));
}

#[test]
fn ten_thousand_children_of_one_parent_are_one_fault() {
    for root_first in [true, false] {
        let mut centre = Centre::new();
        let top = centre.device("ne-1", None);
        let children: Vec<_> = (0..100).map(|n| centre.device(&format!("onu-{n}"), Some("ne-1"))).collect();
        if root_first {
            centre.raise(&top, "uplink.down", "", LOS);
        }
        for child in &children {
            for port in 0..100 {
                centre.raise(child, "port.los", &format!("port-{port}"), LOS);
            }
        }
        centre.pass(1);
        if !root_first {
            centre.raise(&top, "uplink.down", "", LOS);
        }
        centre.pass(8);
        assert_eq!(centre.titles(), ["uplink.down "], "root first: {root_first}");
        let root = centre.one(&top, "uplink.down", "");
        assert_eq!(root.suppresses, 10_000);
        let events = centre.store.read(|db| crate::events::newest(db, &Scope::All).unwrap());
        assert!(events < 400, "{events} events in the log");
    }
}

/// The parent says nothing at all: one fault all the same, on what they have in common, and its story stays short.
#[test]
fn a_storm_without_a_root_is_one_fault() {
    let mut centre = Centre::new();
    centre.device("ne-1", None);
    let children: Vec<_> = (0..200).map(|n| centre.device(&format!("onu-{n}"), Some("ne-1"))).collect();
    for child in &children {
        centre.raise(child, "uplink.los", "", LOS);
        for port in 0..4 {
            centre.raise(child, "port.los", &format!("port-{port}"), LOS);
        }
    }
    centre.pass(6);
    let faults = centre.faults();
    assert_eq!(faults.len(), 1, "{:?}", centre.titles());
    assert_eq!(faults[0].equipment.as_ref().map(ToString::to_string).as_deref(), Some("ne-1.jw.ne"));
    let told = centre.store.read(|db| crate::events::of_fault(db, &Scope::All, faults[0].id).unwrap()).len();
    assert!(told < 20, "{told} entries in its story");
}

#[test]
fn what_flaps_is_quiet_until_it_is_quiet() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    for _ in 0..8 {
        centre.raise(&device, "port.los", "port-1", LOS);
        centre.pass(1);
        centre.clear(&device, "port.los", "port-1", LOS);
        centre.pass(1);
    }
    centre.raise(&device, "port.los", "port-1", LOS);
    centre.pass(30);
    assert!(centre.one(&device, "port.los", "port-1").alarm.marks.flapping);
    assert!(centre.faults().is_empty(), "{:?}", centre.titles());
    centre.pass(600);
    assert!(!centre.one(&device, "port.los", "port-1").alarm.marks.flapping);
    assert_eq!(centre.faults().len(), 1, "it is still raised");
}

#[test]
fn a_flapping_root_goes_on_explaining() {
    let mut centre = Centre::new();
    let top = centre.device("ne-1", None);
    let leaf = centre.device("ne-2", Some("ne-1"));
    for _ in 0..8 {
        centre.raise(&top, "uplink.down", "", LOS);
        centre.pass(1);
        centre.clear(&top, "uplink.down", "", LOS);
        centre.pass(1);
    }
    centre.raise(&leaf, "port.los", "", LOS);
    centre.pass(20);
    assert!(centre.one(&leaf, "port.los", "").alarm.marks.suppressed_by.is_some());
    centre.pass(620);
    assert!(centre.one(&leaf, "port.los", "").alarm.marks.suppressed_by.is_none());
}

#[test]
fn planned_work_opens_no_faults_until_it_ends() {
    let mut centre = Centre::new();
    let top = centre.device("ne-1", None);
    let leaf = centre.device("ne-2", Some("ne-1"));
    let window = NewMaintenanceWindow {
        equipment: vec!["ne-1.jw.ne".parse().unwrap()],
        starts_at: centre.now() + SignedDuration::from_secs(10),
        ends_at: centre.now() + SignedDuration::from_secs(60),
        why: "new software".into(),
    };
    let window = centre.store.write(|tx| windows::plan(tx, &admin(), &window).unwrap());
    assert_eq!(window.state, WindowState::Planned);
    centre.pass(12);
    centre.raise(&leaf, "fan.speed", "fan-1", FAN);
    centre.raise(&top, "fan.speed", "fan-1", FAN);
    centre.pass(10);
    assert!(centre.faults().is_empty());
    assert_eq!(centre.one(&leaf, "fan.speed", "fan-1").alarm.marks.maintenance, Some(window.id));
    centre.clear(&top, "fan.speed", "fan-1", FAN);
    centre.pass(50);
    assert_eq!(centre.titles(), ["fan.speed fan-1"]);
    assert_eq!(centre.one(&leaf, "fan.speed", "fan-1").alarm.marks.maintenance, None);
    let over = centre.store.write(|tx| windows::end(tx, &admin(), window.id, &"late".into()));
    assert!(over.unwrap_err().to_string().contains("over"));
}

#[test]
fn a_shelf_takes_what_fits_it_first_and_gives_it_back() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    centre.raise(&device, "door.open", "cabinet-1", FAN);
    let shelf = |types: &str, why: &str| NewShelf {
        customer: Some("JW".parse().unwrap()),
        types: vec![types.into()],
        why: why.into(),
        ..NewShelf::default()
    };
    assert!(centre.store.write(|tx| shelves::add(tx, &admin(), shelf("door.*", ""))).is_err(), "it must say why");
    let all = NewShelf { customer: Some("JW".parse().unwrap()), why: "x".into(), ..NewShelf::default() };
    assert!(centre.store.write(|tx| shelves::add(tx, &admin(), all)).is_err(), "everything is too much");
    let wide = centre.store.write(|tx| shelves::add(tx, &admin(), shelf("door.*", "painters are in")).unwrap());
    let until = centre.now() + SignedDuration::from_secs(100);
    let narrow = NewShelf { until: Some(until), place: Some(1), ..shelf("door.open", "hinge") };
    let narrow = centre.store.write(|tx| shelves::add(tx, &admin(), narrow).unwrap());
    assert_eq!((narrow.place, wide.alarms), (1, 1));
    centre.pass(6);
    assert!(centre.faults().is_empty());
    // The state is followed.
    centre.clear(&device, "door.open", "cabinet-1", FAN);
    centre.raise(&device, "door.open", "cabinet-1", FAN);
    centre.conclude();
    let page = centre.one(&device, "door.open", "cabinet-1");
    assert_eq!((page.alarm.marks.shelf, page.alarm.count, page.changes.len()), (Some(narrow.id), 2, 3));
    let order = ShelfOrder { shelves: vec![wide.id, narrow.id], why: "x".into() };
    centre.store.write(|tx| shelves::reorder(tx, &admin(), &order).unwrap());
    assert_eq!(centre.one(&device, "door.open", "cabinet-1").alarm.marks.shelf, Some(wide.id));
    centre.store.write(|tx| shelves::remove(tx, &admin(), wide.id, &"done".into()).unwrap());
    centre.conclude();
    assert_eq!(centre.one(&device, "door.open", "cabinet-1").alarm.marks.shelf, Some(narrow.id));
    centre.pass(110);
    assert_eq!(centre.one(&device, "door.open", "cabinet-1").alarm.marks.shelf, None);
    assert_eq!(centre.titles(), ["door.open cabinet-1"]);
}

#[test]
fn a_profile_counts_with_another_severity() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    let minor = AlarmReport { severity: Severity::Minor, ..said("battery.low", "", POWER, centre.now()) };
    centre.say(&device, &minor);
    centre.pass(4);
    assert!(centre.faults().is_empty());
    let profile = |product: Option<&str>, severity| NewAlarmProfile {
        customer: None,
        product: product.map(Into::into),
        alarm_type: "battery.*".into(),
        qualifier: None,
        severity,
        why: "no generator there".into(),
    };
    centre.store.write(|tx| profiles::add(tx, &admin(), &profile(None, Severity::Warning)).unwrap());
    let kept = centre.store.write(|tx| profiles::add(tx, &admin(), &profile(Some("OLT"), Severity::Critical)).unwrap());
    centre.pass(4);
    let alarm = centre.one(&device, "battery.low", "").alarm;
    assert_eq!((alarm.severity, alarm.marks.reported_severity), (Severity::Critical, Some(Severity::Minor)));
    assert_eq!(centre.faults().len(), 1);
    // What is said anew is held against it too.
    centre.say(&device, &AlarmReport { key: AlarmKey { alarm_type: "battery.hot".into(), qualifier: String::new() }, ..minor });
    assert_eq!(centre.one(&device, "battery.hot", "").alarm.severity, Severity::Critical);
    centre.store.write(|tx| profiles::remove(tx, &admin(), kept.id, &"there is one".into()).unwrap());
    assert_eq!(centre.one(&device, "battery.low", "").alarm.severity, Severity::Warning);
}

#[test]
fn a_rule_is_tried_before_it_is_switched_on() {
    let mut centre = Centre::new();
    let top = centre.device("ne-1", None);
    let leaves: Vec<_> = (0..3).map(|n| centre.device(&format!("onu-{n}"), Some("ne-1"))).collect();
    centre.raise(&top, "cooling.dead", "", HOT);
    centre.pass(5);
    for leaf in &leaves {
        centre.raise(leaf, "fan.speed", "fan-1", FAN);
    }
    centre.pass(30);
    assert_eq!(centre.faults().len(), 4);
    let rule = RuleBody::Suppress {
        relation: Relation::Link,
        cause: AlarmPattern { types: vec!["cooling.*".into()], ..AlarmPattern::default() },
        effect: AlarmPattern { types: vec!["fan.*".into()], ..AlarmPattern::default() },
        hold_s: 3,
        recovery_s: 10,
    };
    let tried = centre.store.read(|db| rules::dry_run::run(db, &Scope::All, &DryRun { rule: rule.clone(), days: 7 }).unwrap());
    assert_eq!((tried.raises, tried.suppressed, tried.alarms, tried.faults_fewer), (4, 3, 3, 3));
    assert_eq!((tried.roots[0].equipment.to_string(), tried.roots[0].suppressed), ("ne-1.jw.ne".to_owned(), 3));
    assert_eq!(suppressed(&centre), 0, "trying changes nothing");
    let set = |enabled, rule| SetAlarmRule { enabled, rule, why: "one cooling for all".into() };
    centre.store.write(|tx| rules::set(tx, &admin(), "cooling", &set(true, Some(rule))).unwrap());
    centre.conclude();
    assert_eq!(suppressed(&centre), 3);
    centre.store.write(|tx| rules::set(tx, &admin(), "cooling", &set(false, None)).unwrap());
    centre.conclude();
    assert_eq!(suppressed(&centre), 0);
    let flapping = DryRun { rule: RuleBody::Flapping { alarms: AlarmPattern::default(), raises: 2, window_s: 60, quiet_s: 60 }, days: 1 };
    assert_eq!(centre.store.read(|db| rules::dry_run::run(db, &Scope::All, &flapping).unwrap()).alarms, 0);
}

#[test]
fn a_built_in_rule_can_be_switched_off_and_comes_back() {
    let mut centre = Centre::new();
    let names: Vec<_> = centre.store.read(|db| rules::list(db, &Scope::All).unwrap()).into_iter().map(|rule| rule.name).collect();
    assert_eq!(names, ["contained-in-broken", "flapping", "link-down", "power-lost", "silent-behind-dead"]);
    let off = SetAlarmRule { enabled: false, rule: None, why: "wrong here".into() };
    centre.store.write(|tx| rules::set(tx, &admin(), "link-down", &off).unwrap());
    let top = centre.device("ne-1", None);
    let leaf = centre.device("ne-2", Some("ne-1"));
    centre.raise(&top, "uplink.down", "", LOS);
    centre.raise(&leaf, "port.los", "", LOS);
    centre.pass(5);
    assert_eq!(centre.faults().len(), 2);
    centre.store.write(|tx| rules::remove(tx, &admin(), "link-down", &"right after all".into()).unwrap());
    centre.conclude();
    assert!(centre.one(&leaf, "port.los", "").alarm.marks.suppressed_by.is_some());
}

fn hello() -> Hello {
    Hello {
        protocol: 1,
        software: "x".into(),
        epoch: SpoolEpoch::new(),
        boot_id: "b".into(),
        capabilities: Vec::new(),
        roster: u64::MAX >> 1,
    }
}

#[test]
fn five_hundred_silent_agents_behind_one_dead_router_are_one_fault() {
    let mut centre = Centre::new();
    let router = centre.device("router", None);
    let mut devices: Vec<_> = (0..500).map(|n| centre.device(&format!("ne-{n}"), Some("router"))).collect();
    devices.push(router.clone());
    let up_since = centre.now();
    centre.store.write(|tx| devices.iter().for_each(|device| agents::connected(tx, device, &hello()).unwrap()));
    centre.store.now += SignedDuration::from_mins(30);
    // Within some seconds all of them are gone, the router the last.
    for (n, device) in devices.iter().enumerate() {
        if n % 50 == 0 {
            centre.store.now += SignedDuration::from_secs(1);
        }
        centre.store.write(|tx| agents::disconnected(tx, device, "nothing was heard").unwrap());
    }
    let gone = centre.now();
    let look = |centre: &mut Centre, seconds| {
        for _ in 0..seconds {
            centre.pass(1);
            centre.store.write(|tx| alarms::look_for_silence(tx, up_since).unwrap());
        }
    };
    look(&mut centre, 45);
    assert!(centre.all(Filter::default()).is_empty(), "not yet a minute");
    look(&mut centre, 60);
    assert_eq!(centre.titles().len(), 1, "{:?}", centre.titles());
    assert!(centre.titles()[0].contains("router.jw.ne is silent"));
    let alarm = centre.one(&router, AGENT_SILENT, "").alarm;
    assert_eq!((alarm.raised_at, alarm.count), (gone, 1), "since when it is away, not when it was noticed");
    assert_eq!(suppressed(&centre), 500);

    // The router is back at once, the others within half a minute.
    centre.store.write(|tx| agents::connected(tx, &router, &hello()).unwrap());
    look(&mut centre, 30);
    centre.store.write(|tx| devices[..499].iter().for_each(|device| agents::connected(tx, device, &hello()).unwrap()));
    look(&mut centre, 10);
    assert_eq!(centre.faults().len(), 1);
    assert!(centre.faults()[0].proposes_restored);
    look(&mut centre, 60);
    assert!(centre.titles()[0].contains("ne-499.jw.ne is silent"), "the one that is not back is seen: {:?}", centre.titles());
}

#[test]
fn a_server_that_starts_waits_for_agents_and_remembers_silent_ones() {
    let mut centre = Centre::new();
    let (one, other) = (centre.device("ne-1", None), centre.device("ne-2", None));
    let up_since = centre.now();
    centre.store.write(|tx| [&one, &other].into_iter().for_each(|device| agents::connected(tx, device, &hello()).unwrap()));
    centre.store.now += SignedDuration::from_mins(60);
    centre.store.write(|tx| agents::disconnected(tx, &one, "gone").unwrap());
    centre.store.now += SignedDuration::from_mins(2);
    centre.store.write(|tx| alarms::look_for_silence(tx, up_since).unwrap());
    assert_eq!(centre.all(Filter::default()).len(), 1);
    // An hour later a new server.
    centre.store.now += SignedDuration::from_mins(60);
    let up_since = centre.now();
    centre.store.write(|tx| agents::all_offline(tx).unwrap());
    centre.store.now += SignedDuration::from_secs(80);
    centre.store.write(|tx| alarms::look_for_silence(tx, up_since).unwrap());
    assert_eq!(centre.all(Filter::default()).len(), 1, "agents have their time to come back");
    centre.store.write(|tx| agents::connected(tx, &other, &hello()).unwrap());
    centre.store.now += SignedDuration::from_secs(30);
    centre.store.write(|tx| alarms::look_for_silence(tx, up_since).unwrap());
    assert_eq!(centre.all(Filter { state: Some(ResourceState::Raised), ..Filter::default() }).len(), 1);
    let was = centre.one(&one, AGENT_SILENT, "").alarm;
    // What the device itself says of its silence counts for nothing.
    let claimed = AlarmReport { state: ResourceState::Cleared, ..said(AGENT_SILENT, "", LOS, centre.now()) };
    centre.say(&one, &claimed);
    centre.store.write(|tx| alarms::Intake::of(&one).resynchronise(tx, tx.now(), &[]).unwrap());
    assert_eq!(centre.one(&one, AGENT_SILENT, "").alarm.state, was.state);
    centre.store.write(|tx| agents::connected(tx, &one, &hello()).unwrap());
    let alarm = centre.one(&one, AGENT_SILENT, "").alarm;
    assert_eq!((alarm.state, alarm.cleared_at), (ResourceState::Cleared, Some(centre.now())));
}

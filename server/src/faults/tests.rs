//! The life of faults: steps and their guards, merges, links, problems, editing, closing, and what a carrier may see of it.

use jiff::{SignedDuration, ToSpan};
use lineman_common::alarm::{AlarmKey, AlarmReport, EventType, ProbableCause};
use lineman_common::api::{
    ActivityChange, Alarm, AttachFaults, Closing, Fits, Merge, NewActivity, NewFaultLink, NewProblem, ProblemResolution,
};
use lineman_common::fault::{ActivityKind, ActivityState, ActivityStep, Channel, LinkKind, ProblemState};
use lineman_common::name::ProblemNumber;

use super::*;
use crate::equipment::Known;
use crate::store::testing::TestStore;
use crate::trust::testing::{actor, place};

struct Desk {
    store: TestStore,
    device: Known,
    other: Known,
}

fn engineer() -> Actor {
    actor("engineer-a", Role::Engineer, None)
}

fn number(fault: &Fault) -> Reference {
    Reference::Number(fault.number.clone())
}

impl Desk {
    fn new() -> Self {
        let mut store = TestStore::new();
        let (device, other) = store.write(|tx| (place(tx, "JW").1, place(tx, "YW").1));
        Self { store, device, other }
    }

    fn noc(&self) -> Actor {
        actor("noc-jw", Role::Noc, Some((self.device.customer, "JW")))
    }

    fn stranger(&self) -> Actor {
        actor("noc-yw", Role::Noc, Some((self.other.customer, "YW")))
    }

    fn new_fault(&self, title: &str) -> NewFault {
        NewFault {
            equipment: Some(self.device.name.clone()),
            customer: None,
            title: title.into(),
            description: Printable::default(),
            impact: Impact::Partial,
            started_at: None,
            kind: FaultKind::Fault,
            customer_reference: None,
        }
    }

    fn file(&mut self, title: &str) -> Fault {
        let (noc, new) = (self.noc(), self.new_fault(title));
        self.store.write(|tx| report(tx, &noc, new)).unwrap()
    }

    fn accepted(&mut self, title: &str) -> Fault {
        let fault = self.file(title);
        self.store.write(|tx| accept(tx, &engineer(), &number(&fault))).unwrap()
    }

    fn resolved(&mut self, title: &str) -> Fault {
        let fault = self.accepted(title);
        self.store.write(|tx| {
            restore(tx, &engineer(), &number(&fault), Some(&"traffic flows".into())).unwrap();
            resolve(tx, &engineer(), &number(&fault), resolution()).unwrap()
        })
    }

    /// An alarm, and the fault that it belongs to.
    fn alarm(&mut self, name: &str) -> Alarm {
        let report = AlarmReport {
            key: AlarmKey { alarm_type: name.into(), qualifier: "x".into() },
            state: ResourceState::Raised,
            severity: Severity::Critical,
            event_type: EventType::Equipment,
            probable_cause: ProbableCause::PowerProblem,
            text: name.into(),
            value: None,
            threshold: None,
            at: self.store.now,
        };
        let (device, fault) = (self.device.clone(), self.file(name));
        self.store.write(|tx| {
            alarms::report(tx, &device, &report).unwrap();
            let id: String = tx.sql().query_row("SELECT id FROM alarm WHERE alarm_type = ?1", [name], |row| row.get(0)).unwrap();
            let id = id.parse().unwrap();
            alarms::attach(tx, id, fault.id).unwrap();
            alarms::get(tx, &Scope::All, id).unwrap()
        })
    }

    fn now(&self, fault: &Fault) -> Fault {
        self.store.read(|db| get(db, &Scope::All, &number(fault))).unwrap()
    }

    fn around(&self, fault: &Fault, scope: &Scope) -> FaultAround {
        self.store.read(|db| around(db, scope, &get(db, scope, &number(fault)).unwrap())).unwrap()
    }
}

fn resolution() -> Resolution {
    Resolution { channel: Channel::Phone, cause: Some("a loose plug".into()), note: "plugged in".into() }
}

fn activity(kind: ActivityKind) -> NewActivity {
    NewActivity { kind, with: Some("field team north".into()), text: Printable::default(), planned_at: None, started_at: None }
}

// ---- The responsible person ---------------------------------------------------------------------------------------

#[test]
fn a_hand_over_says_why_and_what_is_open_and_never_leaves_nobody() {
    let mut desk = Desk::new();
    let fault = desk.file("a");
    let to = |name: &str| Assign { to: name.parse().unwrap(), why: "my shift ends".into(), open: "a fan is on its way".into() };
    let engineer_b =
        lineman_common::api::NewPerson { name: "engineer-b".parse().unwrap(), role: Role::Engineer, customer: None, password: None };
    desk.store.write(|tx| people::add(tx, "admin-z", engineer_b, None)).unwrap();
    let early = desk.store.write(|tx| assign(tx, &engineer(), &number(&fault), &to("engineer-b"))).unwrap_err();
    assert!(matches!(early, Error::NoOwnerYet(FaultStatus::Reported)), "{early}");
    desk.store.write(|tx| accept(tx, &engineer(), &number(&fault))).unwrap();
    let assigned = desk.store.write(|tx| assign(tx, &engineer(), &number(&fault), &to("engineer-b"))).unwrap();
    assert_eq!(assigned.owner.as_ref().map(PersonName::as_str), Some("engineer-b"));
    let log = desk.store.read(|db| events::of_fault(db, &Scope::All, fault.id)).unwrap();
    let told = log.last().unwrap();
    assert_eq!(told.text.raw(), "handed over from engineer-a to engineer-b; why: my shift ends; open: a fan is on its way");
    assert_eq!((told.kind.as_str(), told.data["open"].as_str()), ("fault.assigned", Some("a fan is on its way")));
    let nobody = desk.store.write(|tx| assign(tx, &engineer(), &number(&fault), &to("nobody-here"))).unwrap_err();
    assert!(matches!(nobody, Error::NotAnOwner(_)), "{nobody}");
}

// ---- Activities ---------------------------------------------------------------------------------------------------

#[test]
fn activities_run_side_by_side_and_hold_the_fault_open() {
    let mut desk = Desk::new();
    let fault = desk.accepted("a");
    let reference = number(&fault);
    let start = |desk: &mut Desk, new| desk.store.write(|tx| activities::start(tx, &engineer(), &reference, new));
    let phone = start(&mut desk, activity(ActivityKind::Phone)).unwrap();
    assert_eq!(desk.now(&fault).status, FaultStatus::InProgress, "work has begun");
    let later = desk.store.now + 1.hours();
    let visit = start(&mut desk, NewActivity { planned_at: Some(later), ..activity(ActivityKind::Visit) }).unwrap();
    assert_eq!((phone.state, visit.state), (ActivityState::Running, ActivityState::Planned));
    let derived = start(&mut desk, activity(ActivityKind::Session)).unwrap_err();
    assert!(matches!(derived, activities::Error::Derived(_)), "{derived}");
    let ahead = start(&mut desk, NewActivity { started_at: Some(later), ..activity(ActivityKind::Phone) }).unwrap_err();
    assert!(matches!(ahead, activities::Error::Future(_)), "{ahead}");

    desk.store.write(|tx| restore(tx, &engineer(), &reference, None)).unwrap();
    let held = desk.store.write(|tx| resolve(tx, &engineer(), &reference, resolution())).unwrap_err().to_string();
    assert!(held.contains(&phone.id) && held.contains(&visit.id), "{held}");
    let step = |desk: &mut Desk, id: &str, step| {
        let change = ActivityChange { outcome: "fan reseated".into(), at: None };
        desk.store.write(|tx| activities::change(tx, &engineer(), &reference, id.parse().unwrap(), step, &change))
    };
    desk.store.now += SignedDuration::from_mins(5);
    let ended = step(&mut desk, &phone.id, ActivityStep::End).unwrap();
    assert_eq!((ended.state, ended.outcome.unwrap().raw(), ended.ended_at), (ActivityState::Done, "fan reseated", Some(desk.store.now)));
    assert!(step(&mut desk, &phone.id, ActivityStep::End).is_err(), "it ends once");
    step(&mut desk, &visit.id, ActivityStep::Cancel).unwrap();
    desk.store.write(|tx| resolve(tx, &engineer(), &reference, resolution())).unwrap();
    // The customer sees them, beside what was read from events.
    let own = desk.noc().scope();
    let kinds: Vec<_> = desk.around(&fault, &own).activities.iter().map(|activity| (activity.kind, activity.state)).collect();
    assert!(kinds.contains(&(ActivityKind::Phone, ActivityState::Done)), "{kinds:?}");
    assert!(kinds.contains(&(ActivityKind::Visit, ActivityState::Cancelled)), "{kinds:?}");
    assert!(kinds.contains(&(ActivityKind::Diagnosis, ActivityState::Cancelled)), "restored without one: {kinds:?}");
}

#[test]
fn what_was_planned_for_a_cancelled_fault_is_called_off() {
    let mut desk = Desk::new();
    let fault = desk.accepted("a");
    let noc = desk.noc();
    desk.store.write(|tx| activities::start(tx, &engineer(), &number(&fault), activity(ActivityKind::Visit))).unwrap();
    desk.store.write(|tx| cancel(tx, &noc, &number(&fault), &"solved itself".into())).unwrap();
    let visits = desk.around(&fault, &Scope::All).activities;
    assert!(visits.iter().any(|activity| activity.kind == ActivityKind::Visit && activity.state == ActivityState::Cancelled));
    let over = desk.store.write(|tx| activities::start(tx, &engineer(), &number(&fault), activity(ActivityKind::Phone))).unwrap_err();
    assert!(over.to_string().contains("is over"), "{over}");
    // An exit is an exit.
    assert!(desk.store.write(|tx| reopen(tx, &noc, &number(&fault), &"x".into())).is_err());
}

// ---- Merging, links -----------------------------------------------------------------------------------------------

#[test]
fn a_merge_takes_alarms_along_and_unmerge_brings_them_back() {
    let mut desk = Desk::new();
    let alarm = desk.alarm("power.a");
    let merged = desk.store.read(|db| get(db, &Scope::All, &Reference::Number(alarm.fault.clone().unwrap()))).unwrap();
    desk.store.write(|tx| accept(tx, &engineer(), &number(&merged))).unwrap();
    let into = desk.accepted("the root");
    let merge_in = Merge { faults: vec![merged.number.clone()], reason: "one power feed".into() };
    desk.store.write(|tx| merge(tx, &engineer(), &number(&into), &merge_in)).unwrap();
    let fault_of_alarm = |desk: &Desk| desk.store.read(|db| alarms::get(db, &Scope::All, alarm.id)).unwrap().fault;
    assert_eq!(fault_of_alarm(&desk), Some(into.number.clone()));
    let duplicate = desk.now(&merged);
    assert_eq!((duplicate.status, duplicate.duplicate_of), (FaultStatus::Duplicate, Some(into.number.clone())));
    assert_eq!(desk.around(&into, &Scope::All).merged, std::slice::from_ref(&merged.number));
    // Its alarm holds the fault that goes on.
    let held = desk.store.write(|tx| restore(tx, &engineer(), &number(&into), None)).unwrap_err();
    assert!(matches!(held, Error::StillRaised(_)), "{held}");
    // Not into itself, not into a duplicate, not across customers.
    let again = desk.file("again");
    let error = desk.store.write(|tx| mark_duplicate(tx, &engineer(), &number(&again), &merged.number)).unwrap_err();
    assert!(error.to_string().contains(&into.number.to_string()), "{error}");
    let error = desk.store.write(|tx| mark_duplicate(tx, &engineer(), &number(&again), &again.number)).unwrap_err();
    assert!(matches!(error, Error::NotADuplicate), "{error}");

    let back = desk.store.write(|tx| unmerge(tx, &engineer(), &number(&merged), &"another feed".into())).unwrap();
    assert_eq!((back.status, back.duplicate_of.clone(), back.owner.is_some()), (FaultStatus::Accepted, None, true));
    assert_eq!(fault_of_alarm(&desk), Some(merged.number.clone()));
    assert!(desk.around(&into, &Scope::All).merged.is_empty());
    assert!(desk.store.write(|tx| unmerge(tx, &engineer(), &number(&merged), &"x".into())).is_err(), "once");
}

#[test]
fn links_are_told_from_both_sides_and_a_blocker_comes_first() {
    let mut desk = Desk::new();
    let (one, two) = (desk.accepted("one"), desk.accepted("two"));
    let add = |desk: &mut Desk, from: &Fault, kind, to: &Fault| {
        let new = NewFaultLink { kind, to: to.number.clone() };
        desk.store.write(|tx| links::add(tx, &engineer(), &number(from), &new))
    };
    add(&mut desk, &two, LinkKind::CausedBy, &one).unwrap();
    add(&mut desk, &one, LinkKind::Causes, &two).unwrap();
    let seen = desk.around(&one, &Scope::All).links;
    assert_eq!(seen.iter().map(|link| (link.kind, link.to.clone())).collect::<Vec<_>>(), [(LinkKind::Causes, two.number.clone())]);
    add(&mut desk, &two, LinkKind::BlockedBy, &one).unwrap();
    assert!(matches!(add(&mut desk, &two, LinkKind::Blocks, &one), Err(links::Error::InACircle(_))));
    assert!(matches!(add(&mut desk, &one, LinkKind::Related, &one), Err(links::Error::NotThese)));
    desk.store.write(|tx| restore(tx, &engineer(), &number(&two), None)).unwrap();
    let blocked = desk.store.write(|tx| resolve(tx, &engineer(), &number(&two), resolution())).unwrap_err();
    assert!(matches!(&blocked, Error::Blocked(by) if *by == [one.number.clone()]), "{blocked}");
    desk.store.write(|tx| links::remove(tx, &engineer(), &number(&one), &number(&two))).unwrap();
    assert!(desk.around(&two, &Scope::All).links.is_empty());
    desk.store.write(|tx| resolve(tx, &engineer(), &number(&two), resolution())).unwrap();
    // Of a fault that was merged, links show where it went.
    let (three, four) = (desk.file("three"), desk.accepted("four"));
    add(&mut desk, &three, LinkKind::Related, &one).unwrap();
    desk.store.write(|tx| mark_duplicate(tx, &engineer(), &number(&three), &four.number)).unwrap();
    let via = &desk.around(&four, &Scope::All).links[0];
    assert_eq!((&via.fault, &via.to), (&three.number, &one.number));
}

// ---- Closing by itself --------------------------------------------------------------------------------------------

#[test]
fn a_resolved_fault_closes_by_itself_and_the_customer_may_reopen_it() {
    let mut desk = Desk::new();
    let fault = desk.resolved("a");
    let busy = desk.resolved("b");
    desk.store.write(|tx| activities::start(tx, &engineer(), &number(&busy), activity(ActivityKind::Visit))).unwrap();
    let due = desk.around(&fault, &Scope::All).closes_at.unwrap();
    assert_eq!(due, desk.store.now + SignedDuration::from_hours(7 * 24));
    desk.store.now = due - SignedDuration::from_secs(1);
    assert_eq!(desk.store.write(closing::activate_now), 0);
    desk.store.now = due;
    assert_eq!(desk.store.write(closing::activate_now), 1, "the one with a visit under way waits");
    assert_eq!(desk.store.write(closing::activate_now), 0, "once");
    assert_eq!((desk.now(&fault).status, desk.now(&busy).status), (FaultStatus::Closed, FaultStatus::Resolved));
    let log = desk.store.read(|db| events::of_fault(db, &Scope::All, fault.id)).unwrap();
    assert_eq!((log.last().unwrap().kind.as_str(), log.last().unwrap().actor.as_str()), ("fault.closed", "system"));
    let noc = desk.noc();
    let again = desk.store.write(|tx| reopen(tx, &noc, &number(&fault), &"it is back".into())).unwrap();
    assert_eq!((again.status, again.number, again.resolved_at), (FaultStatus::InProgress, fault.number.clone(), None));
    assert!(again.owner.is_some(), "its owner stays");
}

#[test]
fn a_tier_sets_its_own_time_or_none() {
    let mut desk = Desk::new();
    let fault = desk.resolved("a");
    let tier = desk.store.read(|db| customers::tier_of(db, desk.device.customer)).unwrap().tier.name;
    let admin = actor("admin-z", Role::Admin, None);
    let mut set = |tier: Option<&str>, after_s| {
        let closing = Closing { tier: tier.map(str::to_owned), after_s };
        desk.store.write(|tx| closing::set(tx, &admin, &closing)).unwrap();
        desk.store.read(|db| closing::closes_at(db, &get(db, &Scope::All, &number(&fault)).unwrap())).unwrap()
    };
    assert_eq!(set(None, Some(60)), Some(fault.resolved_at.unwrap() + SignedDuration::from_secs(60)));
    assert_eq!(set(Some(&tier), Some(30)), Some(fault.resolved_at.unwrap() + SignedDuration::from_secs(30)));
    assert_eq!(set(Some(&tier), None), None);
    desk.store.now += SignedDuration::from_hours(24 * 365);
    assert_eq!(desk.store.write(closing::activate_now), 0, "never");
}

// ---- Editing, versions --------------------------------------------------------------------------------------------

#[test]
fn every_change_raises_the_version_and_internal_ones_only_for_support() {
    let mut desk = Desk::new();
    let fault = desk.accepted("a");
    let own = desk.noc().scope();
    let versions = |desk: &Desk| {
        let seen = |scope| desk.store.read(|db| get(db, scope, &number(&fault))).unwrap();
        let (inside, outside) = (seen(&Scope::All), seen(&own));
        ((inside.version, inside.updated_at), (outside.version, outside.updated_at))
    };
    let before = versions(&desk);
    desk.store.now += SignedDuration::from_secs(9);
    let internal = Note { text: "the customer is difficult".into(), internal: true };
    desk.store.write(|tx| note(tx, &engineer(), &number(&fault), &internal)).unwrap();
    let after = versions(&desk);
    assert!(after.0.0 > before.0.0 && after.0.1 == desk.store.now, "{after:?}");
    assert_eq!(after.1, before.1, "neither version nor time tell of an internal note");
    let reply = Note { text: "we are on it".into(), internal: false };
    desk.store.write(|tx| note(tx, &engineer(), &number(&fault), &reply)).unwrap();
    assert!(versions(&desk).1.0 > after.1.0);
}

#[test]
fn nothing_internal_is_shown_or_counted_outside() {
    let mut desk = Desk::new();
    let fault = desk.accepted("a");
    let own = desk.noc().scope();
    for n in 0..3 {
        let internal = Note { text: format!("SECRET {n}").as_str().into(), internal: true };
        desk.store.write(|tx| note(tx, &engineer(), &number(&fault), &internal)).unwrap();
    }
    let problem =
        NewProblem { title: "SECRET batch".into(), description: "".into(), fits: Fits::default(), faults: vec![fault.number.clone()] };
    let problem = desk.store.write(|tx| problems::open(tx, &engineer(), &problem)).unwrap();
    desk.store.write(|tx| note(tx, &engineer(), &number(&fault), &Note { text: "hello".into(), internal: false })).unwrap();
    let stream = desk.store.read(|db| events::after(db, &own, 0, 1000)).unwrap();
    let numbers: Vec<_> = stream.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "a gap would count what is internal");
    assert_eq!(desk.store.read(|db| events::newest(db, &own)).unwrap(), numbers.len() as u64);
    let page = desk.store.read(|db| get(db, &own, &number(&fault))).unwrap();
    let shown =
        json!([stream, page, desk.around(&fault, &own), desk.store.read(|db| events::of_fault(db, &own, fault.id)).unwrap()]).to_string();
    for secret in ["SECRET", problem.number.to_string().as_str()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    // Filters find nothing by it either.
    let filter = Filter { problem: Some(problem.number), limit: 10, ..Filter::default() };
    assert!(desk.store.read(|db| list(db, &own, &filter)).unwrap().is_empty());
    assert_eq!(desk.store.read(|db| list(db, &Scope::All, &filter)).unwrap().len(), 1);
    // After it, numbers go on without a gap, and the chain holds.
    let chain = desk.store.read(|db| events::check_chains(db, &own)).unwrap().remove(0);
    assert_eq!((chain.broken_at, chain.events), (None, numbers.len() as u64));
}

#[test]
fn fields_are_edited_by_those_whose_they_are() {
    let mut desk = Desk::new();
    let fault = desk.file("fan is loud");
    let noc = desk.noc();
    let edit_as = |desk: &mut Desk, who: &Actor, edit: EditFault| desk.store.write(|tx| super::edit(tx, who, &number(&fault), &edit));
    let edited = edit_as(&mut desk, &noc, EditFault { customer_reference: Some(" INC-1 ".into()), ..EditFault::default() }).unwrap();
    assert_eq!(edited.customer_reference.unwrap().raw(), "INC-1");
    let error = edit_as(&mut desk, &noc, EditFault { severity: Some(Severity::Minor), ..EditFault::default() }).unwrap_err();
    assert!(matches!(error, Error::NotYours(_)), "{error}");
    let change = EditFault { severity: Some(Severity::Minor), kind: Some(FaultKind::Consulting), ..EditFault::default() };
    edit_as(&mut desk, &engineer(), change).unwrap();
    let log = desk.store.read(|db| events::of_fault(db, &Scope::All, fault.id)).unwrap();
    let told = log.last().unwrap();
    assert_eq!(
        (told.kind.as_str(), &told.data["after"]["kind"], &told.data["before"]["severity"]),
        ("fault.edited", &json!("consulting"), &json!("major"))
    );
    assert!(matches!(edit_as(&mut desk, &engineer(), EditFault::default()), Err(Error::NothingChanged)));
    assert!(matches!(
        edit_as(&mut desk, &desk_stranger(), EditFault { title: Some("x".into()), ..EditFault::default() }),
        Err(Error::NotFound)
    ));
    // The same ticket on two open faults is taken, and said.
    let second = NewFault { customer_reference: Some("INC-1".into()), kind: FaultKind::Upgrade, ..desk.new_fault("again") };
    let second = desk.store.write(|tx| report(tx, &noc, second)).unwrap();
    assert!(second.warnings[0].raw().contains(&fault.number.to_string()), "{:?}", second.warnings);
    let log = desk.store.read(|db| events::of_fault(db, &Scope::All, second.id)).unwrap();
    assert_eq!(log[0].data["kind"], "upgrade");
}

fn desk_stranger() -> Actor {
    actor("noc-zz", Role::Noc, Some((CustomerId::new(), "ZZ")))
}

// ---- Problems -----------------------------------------------------------------------------------------------------

#[test]
fn a_problem_finds_its_batch_and_tells_all_of_it() {
    let mut desk = Desk::new();
    let mine = desk.file("fan stops");
    let (stranger, theirs) = (desk.stranger(), NewFault { equipment: Some(desk.other.name.clone()), ..desk.new_fault("fan stops too") });
    let theirs = desk.store.write(|tx| report(tx, &stranger, theirs)).unwrap();
    let equipment = desk.store.read(|db| equipment::get(db, &Scope::All, &EquipmentReference::Id(desk.device.id))).unwrap();
    let serial = equipment.serial.raw();
    let fits = Fits {
        product: Some(equipment.product.clone()),
        serial_from: Some(serial.into()),
        serial_to: Some(serial.into()),
        ..Fits::default()
    };
    let new = NewProblem { title: "a batch".into(), description: "".into(), fits, faults: Vec::new() };
    let problem = desk.store.write(|tx| problems::open(tx, &engineer(), &new)).unwrap();
    let reference = problems::Reference::Number(problem.number);
    let found = desk.store.read(|db| problems::matches(db, &Scope::All, &reference)).unwrap();
    assert!(found.equipment.iter().any(|fits| fits.name == desk.device.name) && found.faults.iter().any(|fault| fault.id == mine.id));
    // Serials go by length first.
    let wide = Fits { serial_from: Some("0".into()), serial_to: Some("1".into()), ..Fits::default() };
    let narrow = NewProblem { title: "another".into(), description: "".into(), fits: wide, faults: Vec::new() };
    let narrow = desk.store.write(|tx| problems::open(tx, &engineer(), &narrow)).unwrap();
    let none = desk.store.read(|db| problems::matches(db, &Scope::All, &problems::Reference::Number(narrow.number))).unwrap();
    assert!(none.equipment.iter().all(|fits| fits.serial.raw().len() == 1), "{none:?}");

    let which = AttachFaults { faults: vec![theirs.number.clone()], matching: true };
    let attached = desk.store.write(|tx| problems::attach(tx, &engineer(), &reference, &which)).unwrap();
    assert_eq!((attached.faults, attached.open_faults), (2, 2));
    let elsewhere = AttachFaults { faults: vec![mine.number.clone()], matching: false };
    let error =
        desk.store.write(|tx| problems::attach(tx, &engineer(), &problems::Reference::Number(narrow.number), &elsewhere)).unwrap_err();
    assert!(matches!(error, problems::Error::Elsewhere { .. }), "{error}");
    // Carriers know nothing of it but on their own fault.
    assert!(matches!(desk.store.read(|db| problems::get(db, &stranger.scope(), &reference)), Err(problems::Error::NotFound)));
    assert!(
        desk.store
            .read(|db| problems::list(db, &stranger.scope(), &problems::Filter { limit: 9, ..Default::default() }))
            .unwrap()
            .is_empty()
    );
    let told = ProblemResolution { cause: "dry bearings".into(), resolution: "a new tray, free of charge".into() };
    let solved = desk.store.write(|tx| problems::resolve(tx, &engineer(), &reference, &told)).unwrap();
    assert_eq!(solved.state, ProblemState::Resolved);
    for (fault, scope) in [(&mine, desk.noc().scope()), (&theirs, stranger.scope())] {
        let log = desk.store.read(|db| events::of_fault(db, &scope, fault.id)).unwrap();
        assert!(log.iter().any(|event| event.kind == "problem.resolved" && event.text.raw().contains("free of charge")), "{log:?}");
    }
    assert!(desk.store.write(|tx| problems::resolve(tx, &engineer(), &reference, &told)).is_err(), "told once");
    let detached = desk.store.write(|tx| problems::detach(tx, &engineer(), &reference, &number(&mine))).unwrap();
    assert_eq!(detached.faults, 1);
}

// ---- Lists --------------------------------------------------------------------------------------------------------

#[test]
fn a_list_is_narrowed_by_every_filter() {
    let mut desk = Desk::new();
    let noc = desk.noc();
    let fan = desk.accepted("fan 100% _loud_");
    let advice = NewFault {
        kind: FaultKind::Consulting,
        customer_reference: Some("INC-9".into()),
        impact: Impact::NoImpact,
        ..desk.new_fault("advice")
    };
    let advice = desk.store.write(|tx| report(tx, &noc, advice)).unwrap();
    let found = |filter: Filter| {
        let faults = desk.store.read(|db| list(db, &Scope::All, &Filter { limit: 10, ..filter })).unwrap();
        faults.into_iter().map(|fault| fault.id).collect::<Vec<_>>()
    };
    assert_eq!(found(Filter::default()), [advice.id, fan.id], "newest first");
    assert_eq!(found(Filter { owner: Some("engineer-a".parse().unwrap()), ..Filter::default() }), [fan.id]);
    assert_eq!(found(Filter { kind: Some(FaultKind::Consulting), ..Filter::default() }), [advice.id]);
    assert_eq!(found(Filter { severity: Some(Severity::Major), ..Filter::default() }), [fan.id]);
    assert_eq!(found(Filter { customer_reference: Some("INC-9".into()), ..Filter::default() }), [advice.id]);
    assert_eq!(found(Filter { status: Some(FaultStatus::Accepted), open: true, ..Filter::default() }), [fan.id]);
    assert_eq!(found(Filter { since: Some(desk.store.now + 1.hours()), ..Filter::default() }), []);
    assert_eq!(found(Filter { after: Some(advice.id), ..Filter::default() }), [fan.id]);
}

#[test]
fn lists_go_along_an_index_and_never_sort() {
    let desk = Desk::new();
    let customer = Scope::Customer(desk.device.customer);
    let filter = || Filter { limit: 200, ..Filter::default() };
    let cases = [
        ("all", &Scope::All, filter()),
        ("open", &Scope::All, Filter { open: true, ..filter() }),
        ("own", &customer, filter()),
        ("own open", &customer, Filter { open: true, ..filter() }),
        ("owner", &Scope::All, Filter { open: true, owner: Some("engineer-a".parse().unwrap()), ..filter() }),
        ("status", &Scope::All, Filter { status: Some(FaultStatus::Pending), ..filter() }),
        ("reference", &customer, Filter { customer_reference: Some("x".into()), ..filter() }),
        ("equipment", &Scope::All, Filter { open: true, equipment: Some(desk.device.id), ..filter() }),
        ("problem", &Scope::All, Filter { problem: Some(ProblemNumber(1)), ..filter() }),
        ("next page", &customer, Filter { open: true, after: Some(FaultId::new()), ..filter() }),
    ];
    for (what, scope, filter) in cases {
        let plan = desk.store.read(|db| sql::plan(db, scope, &filter));
        assert!(!plan.contains("TEMP B-TREE"), "{what}: {plan}");
        assert!(plan.contains("f USING") || what == "all", "{what}: {plan}");
    }
}

#[test]
fn what_an_earlier_server_left_is_numbered_without_gaps() {
    let rows = "INSERT INTO tier VALUES ('gold', '{}');
        INSERT INTO customer(id, code, name, tier, created_at) VALUES ('cus_01a2011227a477abb05d87ce9be94edd', 'JW', 'x', 'gold', 0);
        INSERT INTO event(kind, customer, internal, actor, occurred_at, recorded_at, text, data, payload_sha256, chain_sha256, link) VALUES
          ('fault.note', 'cus_01a2011227a477abb05d87ce9be94edd', 0, 'a', 1, 1, 'one', 'null', '', '1', 1),
          ('fault.note', 'cus_01a2011227a477abb05d87ce9be94edd', 1, 'a', 1, 1, 'two', 'null', '', '2', 2),
          ('fault.note', 'cus_01a2011227a477abb05d87ce9be94edd', 0, 'a', 1, 1, 'three', 'null', '', '3', 3);
        INSERT INTO event_chain(customer, head, links) VALUES ('cus_01a2011227a477abb05d87ce9be94edd', '3', 3)";
    let mut store = TestStore::upgraded(5, rows);
    let own = "cus_01a2011227a477abb05d87ce9be94edd".parse().unwrap();
    store.write(|tx| events::append(tx, New::of(Kind::FaultNote, "a", "four").customer(own)).unwrap());
    let seen = store.read(|db| events::after(db, &Scope::Customer(own), 0, 10)).unwrap();
    let seen: Vec<_> = seen.iter().map(|event| (event.seq, event.text.raw())).collect();
    assert_eq!(seen, [(1, "one"), (2, "three"), (3, "four")]);
}

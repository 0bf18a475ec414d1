//! Routing, escalation, hand-overs, workload, and who is inside.

use jiff::{SignedDuration, ToSpan};
use lineman_common::api::{Assign, DutyNow, Escalate, Fault, NewFault, NewHandover, NewPerson, Office, Pend, Profile, RoutingRule, Shift};
use lineman_common::fault::{Impact, PendingReason};
use lineman_common::id::CustomerId;
use lineman_common::people::Role;
use serde_json::Value;

use super::*;
use crate::equipment::Known;
use crate::people;
use crate::store::testing::TestStore;
use crate::trust::testing::{actor, place};

/// A centre with a hotline for JW, experts for OLTs above it, and the hq; each with people of their own.
struct Centre {
    store: TestStore,
    customer: CustomerId,
    device: Known,
}

fn admin() -> Actor {
    actor("admin-z", Role::Admin, None)
}

fn engineer(name: &str) -> Actor {
    actor(name, Role::Engineer, None)
}

fn name(text: &str) -> OfficeName {
    text.parse().unwrap()
}

fn person(text: &str) -> PersonName {
    text.parse().unwrap()
}

fn office(tx: &mut Tx<'_>, json: Value) {
    let office: Office = serde_json::from_value(json).unwrap();
    match offices::get(tx, &Scope::All, &office.name) {
        Ok(_) => offices::replace(tx, &admin(), &office.name.clone(), office).unwrap(),
        Err(_) => offices::add(tx, &admin(), office).unwrap(),
    };
}

/// Around the clock, from the beginning of the year.
fn always(tx: &mut Tx<'_>, office: &str, shift: &str, turns: Value) {
    shift_of(tx, office, json!({"name": shift, "from": "00:00", "to": "00:00", "turns": turns, "start": "2026-01-01"}));
}

fn shift_of(tx: &mut Tx<'_>, office: &str, json: Value) {
    let shift: Shift = serde_json::from_value(json).unwrap();
    offices::put_shift(tx, &admin(), &name(office), shift).unwrap();
}

fn skilled(tx: &mut Tx<'_>, who: &str, skills: &[&str], level: u8) {
    let profile = Profile { skills: skills.iter().map(|&skill| skill.to_owned()).collect(), level: Some(level), mail: None };
    people::set_profile(tx, &admin(), &person(who), profile).unwrap();
}

const HOTLINE: [&str; 3] = ["ann", "bob", "cat"];

impl Centre {
    fn new() -> Self {
        let mut store = TestStore::new();
        let (customer, device) = store.write(|tx| {
            let placed = place(tx, "JW");
            for one in HOTLINE.iter().chain(&["eve", "fay", "hal"]) {
                let new = NewPerson { name: person(one), role: Role::Engineer, customer: None, password: None };
                people::add(tx, "admin-z", new, None).unwrap();
            }
            office(tx, json!({"name": "hq", "kind": "hq", "zone": "UTC", "members": ["hal"]}));
            let members = ["eve", "fay"];
            office(tx, json!({"name": "olt-experts", "kind": "subcentre", "parent": "hq", "zone": "UTC", "products": ["OLT"], "members": members}));
            office(tx, json!({"name": "hotline", "kind": "local", "parent": "olt-experts", "zone": "UTC", "customers": ["JW"], "members": HOTLINE}));
            placed
        });
        Self { store, customer, device }
    }

    /// One person on duty at each office, all the time.
    fn staffed() -> Self {
        let mut centre = Self::new();
        centre.store.write(|tx| {
            always(tx, "hotline", "all", json!([["ann"]]));
            always(tx, "olt-experts", "all", json!([["eve"]]));
            always(tx, "hq", "all", json!([["hal"]]));
        });
        centre
    }

    fn noc(&self) -> Actor {
        actor("noc-a", Role::Noc, Some((self.customer, "JW")))
    }

    fn fault(&mut self) -> Fault {
        let (noc, equipment) = (self.noc(), self.device.name.clone());
        let new: NewFault =
            serde_json::from_value(json!({"equipment": equipment, "title": "no light", "impact": Impact::Partial})).unwrap();
        self.store.write(|tx| faults::report(tx, &noc, new).unwrap())
    }

    /// What helper jobs of the clocks append.
    fn warn(&mut self, fault: &Fault, clock: &str, percent: u8) {
        let kind = if percent == 100 { Kind::ClockBreached } else { Kind::ClockWarned };
        let data = json!({"clock": clock, "percent": percent, "target_s": 300, "elapsed_s": 300 * u32::from(percent) / 100});
        self.store.write(|tx| faults::tell(tx, fault.id, New::of(kind, "system", "a clock").data(data)).unwrap());
    }

    fn at(&self, fault: &Fault) -> (String, Option<String>) {
        let duty = self.duty(fault);
        (duty.office.to_string(), duty.proposed.map(|one| one.to_string()))
    }

    fn duty(&self, fault: &Fault) -> FaultDuty {
        self.store.read(|db| of_fault(db, &Scope::All, &Reference::Id(fault.id)).unwrap())
    }

    /// Kinds of the fault's moves, and why.
    fn moves(&self, fault: &Fault) -> Vec<(String, String)> {
        self.duty(fault).steps.into_iter().map(|event| (event.kind, event.text.to_string())).collect()
    }

    /// Of the last move.
    fn why_in_chinese(&self, fault: &Fault) -> String {
        self.duty(fault).steps.last().unwrap().data["why_zh"].as_str().unwrap().to_owned()
    }

    fn now(&self, office: &str) -> DutyNow {
        let all = self.store.read(|db| handover::now(db, &Scope::All, db.now()).unwrap());
        all.into_iter().find(|one| one.office.as_str() == office).unwrap()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "reads well beside `None`")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

// ---- Routing --------------------------------------------------------------------------------------------------------

#[test]
fn a_reported_fault_gets_an_office_and_a_person_and_says_why() {
    let mut centre = Centre::staffed();
    let fault = centre.fault();
    assert_eq!(centre.at(&fault), ("hotline".into(), some("ann")));
    let moves = centre.moves(&fault);
    assert_eq!(moves.len(), 1);
    assert_eq!(moves[0].0, "fault.routed");
    for part in ["hotline (local) covers JW", "ann is on duty there (primary at hotline, level 1, 0 open faults)"] {
        assert!(moves[0].1.contains(part), "{}", moves[0].1);
    }
    assert_eq!(centre.why_in_chinese(&fault), "hotline（本地办）负责JW；ann 正在值班（hotline 主班，级别 1，手上故障 0）");
    assert!(fault.owner.is_none(), "people accept, nobody is made an owner");
    let noc = centre.noc();
    let seen = centre.store.read(|db| events::of_fault(db, &noc.scope(), fault.id)).unwrap();
    assert!(!seen.iter().any(|event| event.kind == "fault.routed"), "the customer does not see how the centre is staffed");
}

#[test]
fn where_nobody_suited_is_on_duty_it_goes_up_at_once() {
    let mut centre = Centre::new();
    centre.store.write(|tx| {
        always(tx, "hq", "all", json!([["hal"]]));
        shift_of(tx, "hotline", json!({"name": "days", "from": "08:00", "to": "18:00", "turns": [["ann"]], "start": "2026-01-01"}));
    });
    // It is midnight.
    let fault = centre.fault();
    assert_eq!(centre.at(&fault), ("hq".into(), some("hal")));
    let why = &centre.moves(&fault)[0].1;
    assert!(
        why.contains("nobody is on duty at hotline, so it goes up to olt-experts; nobody is on duty at olt-experts, so it goes up to hq"),
        "{why}"
    );
    assert!(centre.why_in_chinese(&fault).contains("hotline 无人值班，上转 olt-experts；olt-experts 无人值班，上转 hq"));
    centre.store.now += 12.hours();
    let fault = centre.fault();
    assert_eq!(centre.at(&fault), ("hotline".into(), some("ann")));
    // A rule asks for more than the hotline has.
    centre.store.write(|tx| {
        let rule: RoutingRule =
            serde_json::from_value(json!({"name": "light", "office": "hotline", "skills": ["Optics"], "level": 2})).unwrap();
        offices::put_rules(tx, &admin(), vec![rule]).unwrap();
    });
    let fault = centre.fault();
    assert_eq!(centre.at(&fault), ("hq".into(), some("hal")), "at the top whoever is there is proposed");
    let why = &centre.moves(&fault)[0].1;
    assert!(
        why.contains("rule 1 (light) sends it to hotline") && why.contains("nobody on duty at hotline has level 2 and optics"),
        "{why}"
    );
    let why = centre.why_in_chinese(&fault);
    assert!(why.contains("规则 1（light）转到 hotline") && why.contains("hotline 值班人员不具备 级别 2、optics"), "{why}");
    centre.store.write(|tx| skilled(tx, "ann", &["optics"], 2));
    let fault = centre.fault();
    assert_eq!(centre.at(&fault), ("hotline".into(), some("ann")));
}

#[test]
fn the_product_line_comes_before_the_rank_and_that_before_the_load() {
    let mut centre = Centre::new();
    centre.store.write(|tx| {
        always(tx, "hotline", "first", json!([["ann", "bob"]]));
        shift_of(
            tx,
            "hotline",
            json!({"name": "second", "from": "00:00", "to": "00:00", "rank": "secondary", "turns": [["cat"]], "start": "2026-01-01"}),
        );
    });
    let who = |centre: &mut Centre| {
        let fault = centre.fault();
        centre.at(&fault).1.unwrap()
    };
    assert_eq!([who(&mut centre), who(&mut centre), who(&mut centre)], ["ann", "bob", "ann"], "who is proposed already is loaded");
    centre.store.write(|tx| skilled(tx, "cat", &["olt"], 1));
    assert_eq!(who(&mut centre), "cat");
    centre.store.write(|tx| people::disable(tx, &admin(), &person("cat"), &"left".into()).unwrap());
    assert_eq!(who(&mut centre), "bob");
}

#[test]
fn a_dry_run_tells_where_it_would_go_and_changes_nothing() {
    let mut centre = Centre::staffed();
    let count = |centre: &Centre| centre.store.read(|db| events::newest(db, &Scope::All).unwrap());
    let before = count(&centre);
    let ask = |question: Value| {
        let question: RouteQuestion = serde_json::from_value(question).unwrap();
        centre.store.read(|db| dry_run(db, &Scope::All, question))
    };
    let route = ask(json!({"equipment": "ne-1.jw.ne"})).unwrap();
    assert_eq!((route.office.as_str(), route.person.unwrap().as_str()), ("hotline", "ann"));
    assert_eq!(route.why.len(), 2, "{:?}", route.why);
    assert!(ask(json!({"equipment": "ne-9.jw.ne"})).is_err());
    assert!(matches!(ask(json!({})), Err(Error::NoSubject)));
    assert!(matches!(ask(json!({"customer": "QQ"})), Err(Error::NoCustomer(_))));
    assert_eq!(ask(json!({"customer": "JW"})).unwrap().office.as_str(), "hotline");
    assert_eq!(count(&centre), before);
    // The next fault goes exactly there.
    let fault = centre.fault();
    assert_eq!(centre.at(&fault), ("hotline".into(), some("ann")));
}

#[test]
fn without_offices_nothing_is_routed() {
    let mut store = TestStore::new();
    let (customer, device) = store.write(|tx| place(tx, "JW"));
    let mut centre = Centre { store, customer, device };
    let fault = centre.fault();
    centre.warn(&fault, "K1", 75);
    let error = centre.store.read(|db| of_fault(db, &Scope::All, &Reference::Id(fault.id))).unwrap_err();
    assert!(matches!(error, Error::WithNoOffice(_)), "{error}");
}

// ---- Escalation -----------------------------------------------------------------------------------------------------

#[test]
fn a_clock_that_warns_moves_a_fault_up_the_tree_one_step_at_a_time() {
    let mut centre = Centre::staffed();
    let fault = centre.fault();
    centre.warn(&fault, "K1", 50);
    assert_eq!(centre.at(&fault).0, "hotline", "50 % is no step of the policy");
    centre.warn(&fault, "K1", 75);
    assert_eq!(centre.at(&fault), ("olt-experts".into(), some("eve")));
    centre.warn(&fault, "K1", 75);
    assert_eq!(centre.at(&fault).0, "olt-experts", "a step is taken once");
    centre.warn(&fault, "K1", 90);
    assert_eq!(centre.at(&fault).0, "olt-experts");
    centre.warn(&fault, "K1", 100);
    assert_eq!(centre.at(&fault), ("hq".into(), some("hal")));
    centre.warn(&fault, "K2", 100);
    assert_eq!(centre.at(&fault).0, "hq", "there is nothing above");
    let moves = centre.moves(&fault);
    let kinds: Vec<_> = moves.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["fault.routed", "fault.escalated", "fault.escalated"]);
    assert!(moves[1].1.starts_with("escalated from hotline to olt-experts: K1 has used 75 % of its time at hotline"), "{}", moves[1].1);
    let event = centre.store.read(|db| events::stored_of_fault(db, fault.id)).unwrap();
    let event = event.iter().find(|event| event.kind == Kind::FaultEscalated).unwrap();
    assert_eq!((&event.data["from"], &event.data["to"], &event.data["person"]), (&json!("hotline"), &json!("olt-experts"), &json!("eve")));
    assert!(event.internal && event.actor == "system");
}

#[test]
fn what_waits_or_is_over_or_whose_clock_stands_is_not_escalated() {
    let mut centre = Centre::staffed();
    let ann = engineer("ann");
    let (accepted, waiting, over) = (centre.fault(), centre.fault(), centre.fault());
    let noc = centre.noc();
    centre.store.write(|tx| {
        for fault in [&accepted, &waiting] {
            faults::accept(tx, &ann, &Reference::Id(fault.id)).unwrap();
        }
        let pend: Pend = serde_json::from_value(json!({"reason": PendingReason::Customer, "note": "x"})).unwrap();
        faults::pend(tx, &ann, &Reference::Id(waiting.id), &pend).unwrap();
        faults::cancel(tx, &noc, &Reference::Id(over.id), &"by mistake".into()).unwrap();
    });
    centre.warn(&accepted, "K1", 75);
    assert_eq!(centre.at(&accepted).0, "hotline", "it is accepted: K1 has ended");
    centre.warn(&accepted, "K6", 75);
    assert_eq!(centre.at(&accepted).0, "olt-experts", "K6 still runs");
    centre.warn(&waiting, "K6", 75);
    assert_eq!(centre.at(&waiting).0, "hotline");
    centre.warn(&over, "K1", 75);
    assert_eq!(centre.at(&over).0, "hotline");
    let owner = centre.store.read(|db| faults::get(db, &Scope::All, &Reference::Id(accepted.id))).unwrap().owner;
    assert_eq!(owner, Some(person("ann")), "escalation does not change the owner");
}

#[test]
fn an_offices_own_policy_says_which_clock_when_and_where_to() {
    let mut centre = Centre::staffed();
    centre.store.write(|tx| {
        always(tx, "hotline", "second-line", json!([["bob"]]));
        skilled(tx, "bob", &[], 3);
        let policy = json!([
            {"clock": "K1", "percent": 50, "level": 3},
            {"clock": "K1", "percent": 90, "to": "hq"}
        ]);
        office(tx, json!({"name": "hotline", "kind": "local", "parent": "olt-experts", "zone": "UTC", "customers": ["JW"], "members": HOTLINE, "escalation": policy}));
        office(tx, json!({"name": "hq", "kind": "hq", "zone": "UTC", "members": ["hal"], "escalation": []}));
    });
    let fault = centre.fault();
    assert_eq!(centre.at(&fault), ("hotline".into(), some("ann")));
    centre.warn(&fault, "K1", 50);
    assert_eq!(centre.at(&fault), ("hotline".into(), some("bob")), "the same office, a higher level");
    centre.warn(&fault, "K1", 75);
    assert_eq!(centre.at(&fault).0, "hotline", "75 % is not in its policy");
    centre.warn(&fault, "K1", 90);
    assert_eq!(centre.at(&fault), ("hq".into(), some("hal")));
}

#[test]
fn an_escalation_passes_an_office_where_nobody_is() {
    let mut centre = Centre::new();
    centre.store.write(|tx| {
        always(tx, "hotline", "all", json!([["ann"]]));
        always(tx, "hq", "all", json!([["hal"]]));
    });
    let fault = centre.fault();
    centre.warn(&fault, "K1", 75);
    assert_eq!(centre.at(&fault), ("hq".into(), some("hal")));
    assert!(centre.moves(&fault)[1].1.contains("nobody is on duty at olt-experts, so it goes up to hq"));
}

#[test]
fn people_send_it_up_and_down_with_a_reason() {
    let mut centre = Centre::staffed();
    let fault = centre.fault();
    let reference = Reference::Id(fault.id);
    let ann = engineer("ann");
    let ask = |reason: &str, to: Option<&str>| Escalate { reason: reason.into(), to: to.map(name), level: None };
    centre.store.write(|tx| {
        assert!(escalate(tx, &ann, &reference, &ask(" ", None)).unwrap_err().to_string().contains("reason"));
        let early = deescalate(tx, &ann, &reference, &ask("x", None)).unwrap_err();
        assert!(matches!(early, Error::NeverEscalated(_)), "{early}");
        assert_eq!(escalate(tx, &ann, &reference, &ask("needs an expert", None)).unwrap().office, name("olt-experts"));
        assert_eq!(escalate(tx, &ann, &reference, &ask("and more", None)).unwrap().office, name("hq"));
        assert!(matches!(escalate(tx, &ann, &reference, &ask("x", None)), Err(Error::AtTheTop(_))));
        assert!(matches!(escalate(tx, &ann, &reference, &ask("x", Some("nowhere"))), Err(Error::NoOffice(_))));
        assert_eq!(deescalate(tx, &ann, &reference, &ask("solved above", None)).unwrap().office, name("olt-experts"));
        assert_eq!(deescalate(tx, &ann, &reference, &ask("the rest is yours", None)).unwrap().office, name("hotline"));
        assert!(matches!(deescalate(tx, &ann, &reference, &ask("x", None)), Err(Error::NeverEscalated(_))));
    });
    let moves = centre.moves(&fault);
    let kinds: Vec<_> = moves.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["fault.routed", "fault.escalated", "fault.escalated", "fault.deescalated", "fault.deescalated"]);
    assert!(moves[1].1.contains("ann: needs an expert"), "{}", moves[1].1);
    let noc = centre.noc();
    centre.store.write(|tx| faults::cancel(tx, &noc, &reference, &"by mistake".into()).unwrap());
    let late = centre.store.write(|tx| escalate(tx, &ann, &reference, &ask("x", None))).unwrap_err();
    assert!(matches!(late, Error::IsOver(..)), "{late}");
}

#[test]
fn an_office_with_open_faults_is_not_deleted() {
    let mut centre = Centre::new();
    let fault = centre.fault();
    assert_eq!(centre.at(&fault), ("hq".into(), None));
    let why = centre.store.write(|tx| offices::delete(tx, &admin(), &name("hq"))).unwrap_err().to_string();
    assert!(why.contains("1 open faults are with it") && why.contains("olt-experts is below it"), "{why}");
}

// ---- Hand-overs -----------------------------------------------------------------------------------------------------

#[test]
fn a_shift_is_handed_over_with_what_is_open_and_taken_by_somebody_else() {
    let mut centre = Centre::new();
    centre.store.write(|tx| {
        shift_of(tx, "hotline", json!({"name": "night", "from": "20:00", "to": "08:00", "turns": [["ann"]], "start": "2026-01-01"}));
        shift_of(tx, "hotline", json!({"name": "day", "from": "08:00", "to": "20:00", "turns": [["bob"]], "start": "2026-01-01"}));
    });
    let fault = centre.fault();
    // An hour after the shift change nothing was handed over.
    centre.store.now += 9.hours();
    let warnings = centre.now("hotline").warnings;
    assert!(warnings.iter().any(|one| one.raw().contains("ann left at 2026-11-22T08:00:00Z with faults open")), "{warnings:?}");
    centre.store.now -= 2.hours();
    let (ann, bob) = (engineer("ann"), engineer("bob"));
    let note = |text: &str| NewHandover { note: text.into() };
    let given = centre.store.write(|tx| {
        assert!(matches!(handover::give(tx, &ann, &name("hotline"), note(" ")), Err(Error::NoNote)));
        assert!(matches!(handover::give(tx, &engineer("eve"), &name("hotline"), note("x")), Err(Error::NotAMember(_))));
        handover::give(tx, &ann, &name("hotline"), note("F-JW-1 waits for light")).unwrap()
    });
    assert_eq!(given.to, [person("bob")]);
    assert_eq!(given.faults.iter().map(|one| one.number.clone()).collect::<Vec<_>>(), std::slice::from_ref(&fault.number));
    centre.store.now += 2.hours();
    let warnings = centre.now("hotline").warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].raw().contains("the hand-over of ann") && warnings[0].raw().contains(&given.id.to_string()));
    centre.store.write(|tx| {
        assert!(matches!(handover::take(tx, &ann, given.id, "mine".into()), Err(Error::OwnHandover)));
        assert!(matches!(handover::take(tx, &bob, given.id, "".into()), Err(Error::NoNote)));
        assert!(matches!(handover::take(tx, &centre_noc(), given.id, "x".into()), Err(Error::NoHandover)));
        let taken = handover::take(tx, &bob, given.id, "read; I call them at nine".into()).unwrap().taken.unwrap();
        assert_eq!((taken.by, taken.at), (person("bob"), tx.now()));
        assert!(matches!(handover::take(tx, &bob, given.id, "again".into()), Err(Error::TakenAlready(_))));
    });
    assert!(centre.now("hotline").warnings.is_empty());
    let listed = centre.store.read(|db| handovers(db, &Scope::All, &name("hotline"), true, None, 10)).unwrap();
    assert!(listed.is_empty(), "none waits");
    let now = centre.now("hotline");
    assert_eq!(now.on_duty[0].person, person("bob"));
    assert_eq!(now.until, Some("2026-11-22T20:00:00Z".parse().unwrap()));
}

fn centre_noc() -> Actor {
    actor("noc-x", Role::Noc, Some((CustomerId::new(), "XX")))
}

// ---- Workload, and who is inside ------------------------------------------------------------------------------------

#[test]
fn workload_counts_what_lies_where() {
    let mut centre = Centre::staffed();
    let faults: Vec<_> = (0..3).map(|_| centre.fault()).collect();
    let (ann, bob) = (engineer("ann"), engineer("bob"));
    centre.store.write(|tx| {
        faults::accept(tx, &ann, &Reference::Id(faults[0].id)).unwrap();
        faults::accept(tx, &bob, &Reference::Id(faults[1].id)).unwrap();
        // As a device that let bob in would have it.
        let sql =
            "INSERT INTO consent(id, customer, equipment, fault, engineer, state, lapses_at) VALUES (?1, ?2, ?3, ?4, 'bob', 'live', 0)";
        let fault = faults[1].id.to_string();
        let row = [
            ConsentId::new().to_string(),
            tx.sql().query_row("SELECT id FROM customer", [], |row| row.get(0)).unwrap(),
            centre.device.id.to_string(),
            fault,
        ];
        tx.sql().execute(sql, row).unwrap();
        let sql = "INSERT INTO session(id, customer, equipment, fault, consent, engineer, account, started_at)
                   SELECT ?1, customer, equipment, fault, id, engineer, 'view', 0 FROM consent";
        tx.sql().execute(sql, [SessionId::new().to_string()]).unwrap();
    });
    centre.store.now += SignedDuration::from_mins(4);
    centre.warn(&faults[2], "K1", 75);
    let load = centre.store.read(|db| workload::of_all(db, &Scope::All)).unwrap();
    let of = |office: &str| load.offices.iter().find(|one| one.office.as_str() == office).unwrap().clone();
    let whose = |who: &str| load.people.iter().find(|one| one.person.as_str() == who).unwrap().clone();
    assert_eq!((of("hotline").faults.total, of("hotline").faults.major, of("hotline").sessions_now), (2, 2, 1));
    assert_eq!((of("olt-experts").faults.total, of("olt-experts").faults.oldest.clone()), (1, Some(faults[2].number.clone())));
    let risks: Vec<_> = of("olt-experts").clocks_at_risk.into_iter().map(|risk| (risk.clock, risk.elapsed_s)).collect();
    assert_eq!(risks, [("K1".to_owned(), 240)], "K2 has ten minutes");
    assert_eq!((whose("ann").faults.total, whose("bob").sessions_now, whose("eve").proposed), (1, 1, 1));
    assert_eq!(whose("ann").on_duty, [name("hotline")]);
    assert_eq!(load.with_no_office.total, 0);
    let scope = Scope::Customer(centre.customer);
    assert!(centre.store.read(|db| workload::of_all(db, &scope)).unwrap().offices.is_empty());
}

#[test]
fn what_a_disabled_person_owns_is_listed_for_hand_over() {
    let mut centre = Centre::staffed();
    let fault = centre.fault();
    centre.store.write(|tx| {
        faults::accept(tx, &engineer("ann"), &Reference::Id(fault.id)).unwrap();
        people::disable(tx, &admin(), &person("ann"), &"left".into()).unwrap();
    });
    let filter = Filter { owner: Some(person("ann")), limit: 10, ..Filter::default() };
    let open = centre.store.read(|db| list(db, &Scope::All, &filter)).unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].fault.id, open[0].office.clone()), (fault.id, Some(name("hotline"))));
    let load = centre.store.read(|db| workload::of_all(db, &Scope::All)).unwrap();
    assert!(load.people.iter().any(|one| one.person.as_str() == "ann" && one.disabled && one.faults.total == 1));
    let to: Assign = serde_json::from_value(json!({"to": "bob", "why": "ann has left"})).unwrap();
    centre.store.write(|tx| faults::assign(tx, &admin(), &Reference::Id(fault.id), &to).unwrap());
    assert!(centre.store.read(|db| list(db, &Scope::All, &filter)).unwrap().is_empty());
}

#[test]
fn who_is_inside_shows_the_consent_and_the_time_left_to_the_right_customer_only() {
    use crate::sessions::testing::Centre as Sessions;
    let mut sessions = Sessions::new();
    let (jw, yw) = (sessions.session("ne-1.jw.ne"), sessions.session("ne-1.yw.ne"));
    let store = &mut sessions.store;
    let now = store.now;
    let terminal = TerminalId::new();
    store.write(|tx| {
        tx.sql().execute("UPDATE consent SET live_until = ?1, grade = 'gateway'", [(now + 30.minutes()).as_microsecond()]).unwrap();
        let consent =
            inside(tx, &Scope::Customer(jw.device.customer), &InsideFilter { limit: 10, ..InsideFilter::default() }).unwrap()[0].consent;
        let data = json!({"terminal": terminal, "consent": consent});
        faults::tell(tx, jw.fault, New::of(Kind::TerminalOpened, "engineer-a", "x").data(data)).unwrap();
    });
    store.now += 10.minutes();
    let all = InsideFilter { limit: 10, ..InsideFilter::default() };
    let seen = store.read(|db| inside(db, &Scope::All, &all)).unwrap();
    assert_eq!(seen.iter().map(|one| one.session).collect::<Vec<_>>(), [jw.id, yw.id]);
    let own = store.read(|db| inside(db, &Scope::Customer(jw.device.customer), &all)).unwrap();
    assert_eq!(own.len(), 1);
    assert_eq!((own[0].device.clone(), own[0].since, own[0].left_s), (jw.device.name.clone(), now, Some(20 * 60)));
    assert_eq!((own[0].terminals.clone(), own[0].engineer.as_str()), (vec![terminal], "engineer-a"));
    let foreign = InsideFilter { device: Some(yw.device.id), ..all.clone() };
    assert!(store.read(|db| inside(db, &Scope::Customer(jw.device.customer), &foreign)).unwrap().is_empty());
    store.now += 60.minutes();
    assert_eq!(store.read(|db| inside(db, &Scope::All, &all)).unwrap()[0].left_s, Some(0));
    let page = InsideFilter { limit: 1, ..InsideFilter::default() };
    let first = store.read(|db| inside(db, &Scope::All, &page)).unwrap();
    let second = store.read(|db| inside(db, &Scope::All, &InsideFilter { after: Some(first[0].session), ..page })).unwrap();
    assert_eq!(second[0].session, yw.id);
    store.write(|tx| {
        no_terminals(tx).unwrap();
        tx.sql().execute("UPDATE session SET ended_at = 1 WHERE id = ?1", [jw.id.to_string()]).unwrap();
    });
    assert_eq!(store.read(|db| inside(db, &Scope::All, &all)).unwrap().len(), 1);
}

//! Who hears of what, and who sees whose.

use jiff::SignedDuration;
use lineman_common::alarm::{AlarmReport, OperatorState, Severity};
use lineman_common::api::{NewNoticeTarget, NewPerson, Note, NoticePreferences, NoticeSettings, NoticeView, Resolution};
use lineman_common::fault::{Channel, Impact};
use lineman_common::id::FaultId;
use lineman_common::notice::{ChannelKind, Delivery, Language, Topic};
use lineman_common::people::Role;
use serde_json::json;

use super::super::log::Query;
use super::super::{Error, log, outbox, repeats, sql, targets};
use crate::alarms;
use crate::equipment::Known;
use crate::events::{Kind, New};
use crate::faults::{self, Reference};
use crate::offices;
use crate::store::testing::TestStore;
use crate::trust::testing::{World, actor, place};
use crate::web::Actor;

/// Two customers with their people, and a support centre with its own; each has a webhook at their name.
struct Company {
    store: TestStore,
    device: Known,
    people: Vec<Actor>,
}

const PEOPLE: &[(&str, Role, &str)] = &[
    ("engineer-a", Role::Engineer, ""),
    ("engineer-b", Role::Engineer, ""),
    ("duty-a", Role::DutyManager, ""),
    ("admin-z", Role::Admin, ""),
    ("noc-jw", Role::Noc, "JW"),
    ("approver-jw", Role::Approver, "JW"),
    ("noc-yw", Role::Noc, "YW"),
];

impl Company {
    fn new() -> Self {
        let mut store = TestStore::new();
        let (customer, device, other) = store.write(|tx| {
            let (customer, device) = place(tx, "JW");
            (customer, device, place(tx, "YW").0)
        });
        let people = PEOPLE.iter().map(|(name, role, code)| {
            let new = NewPerson { name: name.parse().unwrap(), role: *role, customer: code.parse().ok(), password: None };
            let id = store.write(|tx| crate::people::add(tx, "admin-z", new, None).unwrap()).id;
            let of = (!code.is_empty()).then_some((if *code == "JW" { customer } else { other }, *code));
            Actor { id, ..actor(name, *role, of) }
        });
        let people: Vec<Actor> = people.collect();
        for person in &people {
            let new = hook(&format!("https://{}.example/", person.name));
            store.write(|tx| targets::add(tx, person, &new, true).unwrap());
        }
        Self { store, device, people }
    }

    fn who(&self, name: &str) -> Actor {
        self.people.iter().find(|person| person.name.as_str() == name).unwrap().clone()
    }

    fn report(&mut self, by: &str, impact: Impact) -> FaultId {
        let (by, device) = (self.who(by), self.device.name.clone());
        let new = super::filed(&device, "no light", impact);
        self.store.write(|tx| faults::report(tx, &by, new).unwrap()).id
    }

    /// Who was told since the last time, by name.
    fn told(&mut self) -> Vec<String> {
        let mut told: Vec<_> = self.deliver().iter().map(|due| name_in(&due.destination.address)).collect();
        told.sort();
        told
    }

    fn deliver(&mut self) -> Vec<super::super::channels::Due> {
        let good = super::super::channels::Outcome { result: Ok(()), latency_ms: 1, status: None, excerpt: None, is_public: true };
        let mut all = Vec::new();
        loop {
            let begun = self.store.write(|tx| outbox::begin(tx, 100).unwrap());
            if begun.is_empty() {
                return all;
            }
            for due in begun {
                self.store.write(|tx| outbox::finish(tx, due.id, &good, 0).unwrap());
                all.push(due);
            }
        }
    }

    fn log(&self, who: &str) -> Vec<NoticeView> {
        self.store.read(|db| log::list(db, &self.who(who), &Query { limit: 1000, ..Query::default() }).unwrap())
    }

    fn prefer(&mut self, who: &str, json: &str) {
        let (who, wanted) = (self.who(who), serde_json::from_str::<NoticePreferences>(json).unwrap());
        self.store.write(|tx| targets::prefer(tx, &who, None, wanted).unwrap());
    }
}

fn hook(address: &str) -> NewNoticeTarget {
    NewNoticeTarget { channel: ChannelKind::Webhook, address: address.into(), person: None }
}

fn name_in(address: &str) -> String {
    address.trim_start_matches("https://").split('.').next().unwrap().to_owned()
}

fn note(text: &str, internal: bool) -> Note {
    Note { text: text.into(), internal }
}

#[test]
fn each_hears_of_what_concerns_them_and_nobody_of_their_own_acts() {
    let mut company = Company::new();
    let [a, b, noc] = ["engineer-a", "engineer-b", "noc-jw"].map(|name| company.who(name));
    let id = company.report("noc-jw", Impact::Partial);
    let fault = Reference::Id(id);
    assert_eq!(company.told(), ["duty-a"], "reported by the NOC: the people on duty");
    company.store.write(|tx| faults::accept(tx, &a, &fault).unwrap());
    assert_eq!(company.told(), ["noc-jw"], "accepted: the NOC, not who did it");
    company.store.write(|tx| faults::note(tx, &noc, &fault, &note("and?", false)).unwrap());
    assert_eq!(company.told(), ["engineer-a"], "a reply from the customer: the owner");
    company.store.write(|tx| faults::note(tx, &b, &fault, &note("we look", false)).unwrap());
    assert_eq!(company.told(), ["engineer-a", "noc-jw"]);
    company.store.write(|tx| faults::note(tx, &b, &fault, &note("HUSH", true)).unwrap());
    assert_eq!(company.told(), ["engineer-a"], "what is internal goes to no customer");
    let to_b = serde_json::from_value(json!({"to": b.name})).unwrap();
    company.store.write(|tx| faults::assign(tx, &a, &fault, &to_b).unwrap());
    assert_eq!(company.told(), ["engineer-b"], "handed over: who has it now");
    for kind in [Kind::ClockWarned, Kind::ClockBreached] {
        company.store.write(|tx| faults::tell(tx, id, New::of(kind, "system", "K6 at 75 %")).unwrap());
        assert_eq!(company.told(), ["engineer-b"], "{kind}");
    }
    company.store.write(|tx| faults::tell(tx, id, New::of(Kind::FaultRouted, "system", "to hotline")).unwrap());
    assert_eq!(company.told(), ["duty-a"]);
    company.store.write(|tx| faults::tell(tx, id, New::of(Kind::FaultEscalated, "system", "to hq")).unwrap());
    assert_eq!(company.told(), ["duty-a", "engineer-b"]);
    company.store.write(|tx| faults::restore(tx, &b, &fault, None).unwrap());
    assert_eq!(company.told(), ["noc-jw"]);
    let resolution = Resolution { channel: Channel::Phone, cause: Some("x".into()), note: "y".into() };
    company.store.write(|tx| faults::resolve(tx, &b, &fault, resolution).unwrap());
    assert_eq!(company.told(), ["noc-jw"]);
    company.store.write(|tx| faults::reopen(tx, &noc, &fault, &"again".into()).unwrap());
    assert_eq!(company.told(), ["engineer-b"]);
    assert!(company.log("noc-jw").iter().all(|notice| !notice.subject.raw().contains("HUSH")));
    // Stopped by the duty manager: the customer's people.
    let duty = company.who("duty-a");
    company.store.write(|tx| crate::customers::stop(tx, &duty, &"JW".parse().unwrap(), &"a stolen laptop".into()).unwrap());
    assert_eq!(company.told(), ["approver-jw", "noc-jw"]);
    assert!(company.log("noc-yw").is_empty(), "another customer hears of nothing");
}

#[test]
fn a_shared_target_hears_of_the_chosen_topics_and_of_nothing_internal() {
    let mut company = Company::new();
    let (noc, engineer) = (company.who("noc-jw"), company.who("engineer-a"));
    let jw = || "JW".parse().unwrap();
    let set = |topics: &[Topic]| NoticeSettings {
        webhooks: vec!["https://chat.example/".into()],
        topics: Some(topics.to_vec()),
        ..Default::default()
    };
    let refused = company.store.write(|tx| targets::set(tx, &noc, &jw(), set(&[Topic::Note]), true));
    assert!(matches!(refused, Err(Error::NotForCarriers { topic: Topic::Note })));
    company.store.write(|tx| targets::set(tx, &noc, &jw(), set(&[Topic::Reply, Topic::Status]), true).unwrap());
    let fault = Reference::Id(company.report("noc-jw", Impact::Partial));
    company.told();
    company.store.write(|tx| faults::accept(tx, &engineer, &fault).unwrap());
    assert_eq!(company.told(), ["chat", "noc-jw"]);
    company.store.write(|tx| faults::note(tx, &engineer, &fault, &note("HUSH", true)).unwrap());
    assert!(company.told().is_empty());
}

#[test]
fn choices_and_quiet_hours_hold_and_what_is_critical_passes() {
    let mut company = Company::new();
    company.store.now = "2026-11-22T15:00:00Z".parse().unwrap();
    company.prefer("duty-a", r#"{"language": "zh", "zone": "Asia/Shanghai", "quiet": {"from": "22:00", "to": "07:00"}}"#);
    company.prefer("noc-jw", r#"{"topics": [{"topic": "status", "channels": []}]}"#);
    let fault = Reference::Id(company.report("noc-jw", Impact::Partial));
    assert!(company.told().is_empty(), "eleven at night");
    let engineer = company.who("engineer-a");
    company.store.write(|tx| faults::accept(tx, &engineer, &fault).unwrap());
    assert!(company.told().is_empty(), "not chosen");
    company.report("noc-jw", Impact::Full);
    let critical = company.deliver();
    assert_eq!(critical.len(), 1);
    assert_eq!((critical[0].about.severity, critical[0].about.language), (Severity::Critical, Language::Chinese));
    let text = critical[0].about.text("x");
    assert!(text.starts_with("故障已报告：F-JW-2") && text.contains("级别: 紧急") && text.contains("设备: "), "{text}");
    company.store.now = "2026-11-22T23:00:00Z".parse().unwrap();
    assert_eq!(company.told(), ["duty-a"], "seven in the morning");
}

/// Many that were held become one in the morning.
#[test]
fn what_was_held_in_the_night_comes_as_a_digest() {
    let mut company = Company::new();
    company.store.now = "2026-11-22T15:00:00Z".parse().unwrap();
    company.prefer("duty-a", r#"{"zone": "Asia/Shanghai", "quiet": {"from": "22:00", "to": "07:00"}}"#);
    for _ in 0..50 {
        company.report("noc-jw", Impact::Partial);
        company.store.now += SignedDuration::from_secs(120);
    }
    assert!(company.deliver().is_empty());
    company.report("noc-jw", Impact::Full);
    assert!(company.deliver()[0].about.digest.is_none(), "what is critical does not wait behind them");
    company.store.now = "2026-11-22T23:00:00Z".parse().unwrap();
    let morning = company.deliver();
    assert_eq!(morning.len(), 1);
    assert_eq!(morning[0].about.digest.as_ref().unwrap().count, 50);
}

#[test]
fn a_critical_fault_is_told_again_to_more_people_until_somebody_takes_it() {
    let every = SignedDuration::from_mins(5);
    let mut company = Company::new();
    let id = company.report("noc-jw", Impact::Full);
    company.report("noc-jw", Impact::Partial);
    assert_eq!(company.told(), ["duty-a", "duty-a"]);
    let again = |company: &mut Company| {
        company.store.now += every;
        company.store.write(|tx| repeats::tell(tx, every).unwrap());
        company.store.write(|tx| repeats::tell(tx, every).unwrap());
        company.told()
    };
    assert_eq!(again(&mut company), ["duty-a"]);
    assert_eq!(again(&mut company), ["admin-z", "duty-a"]);
    assert_eq!(again(&mut company), ["admin-z", "duty-a"]);
    // Somebody says why nobody has to be called: who, when and why is in the fault's story.
    let (duty, fault) = (company.who("duty-a"), Reference::Id(id));
    let mut say = |why: &str| company.store.write(|tx| repeats::acknowledge(tx, &duty, &fault, &why.into()));
    let (empty, done, twice) = (say(" "), say("planned work"), say("again"));
    assert!(matches!(empty, Err(Error::NoWhy)) && matches!(twice, Err(Error::NotRepeated(_))));
    let done = done.unwrap();
    assert_eq!((done.acknowledged_by.unwrap().as_str(), done.why.unwrap().raw(), done.rung), ("duty-a", "planned work", 3));
    let story = company.store.read(|db| crate::events::of_fault(db, &crate::web::Scope::All, id).unwrap());
    assert!(story.iter().any(|event| event.kind == "fault.repeat_acknowledged" && event.text.raw().contains("planned work")));
    assert!(again(&mut company).is_empty());
    // Another one stops when somebody accepts it.
    let fault = Reference::Id(company.report("noc-jw", Impact::Full));
    company.told();
    assert_eq!(again(&mut company), ["duty-a"]);
    let engineer = company.who("engineer-a");
    company.store.write(|tx| faults::accept(tx, &engineer, &fault).unwrap());
    company.told();
    assert!(again(&mut company).is_empty());
    let noc = company.who("noc-jw");
    assert!(company.store.read(|db| repeats::of_fault(db, &noc, &fault)).is_err(), "it is not watched any more");
}

/// A critical alarm that belongs to no fault is told from the first pause on, until somebody acknowledges it or it clears.
#[test]
fn a_critical_alarm_is_told_until_somebody_acknowledges_it() {
    let every = SignedDuration::from_mins(5);
    let mut company = Company::new();
    let device = company.device.clone();
    let raise = |company: &mut Company, severity: &str, state: &str| {
        let report = json!({
            "alarm_type": "fan", "qualifier": severity, "state": state, "severity": severity, "event_type": "equipment",
            "probable_cause": "fan_failure", "text": "fan 2 stands", "at": company.store.now,
        });
        let report: AlarmReport = serde_json::from_value(report).unwrap();
        company.store.write(|tx| {
            alarms::report(tx, &device, &report).unwrap();
            alarms::settle(tx).unwrap();
        });
    };
    let again = |company: &mut Company| {
        company.store.now += every;
        company.store.write(|tx| repeats::tell(tx, every).unwrap());
        company.told()
    };
    raise(&mut company, "critical", "raised");
    raise(&mut company, "major", "raised");
    assert_eq!(again(&mut company), ["duty-a"]);
    assert_eq!(company.log("duty-a")[0].kind, "alarm.not_acknowledged");
    assert_eq!(again(&mut company), ["admin-z", "duty-a"]);
    raise(&mut company, "critical", "cleared");
    assert!(again(&mut company).is_empty());
    raise(&mut company, "critical", "raised");
    assert_eq!(again(&mut company), ["duty-a"]);
    let duty = company.who("duty-a");
    let watched = company.store.read(|db| sql::repeats_due(db, db.now(), 10).unwrap());
    let id = watched[0].0.parse().unwrap();
    company.store.write(|tx| alarms::mark(tx, &duty, id, OperatorState::Acknowledged, &"the spare is on its way".into()).unwrap());
    assert!(again(&mut company).is_empty());
}

/// With offices: whoever is on duty where the fault is, first those who are called first, then up the tree.
#[test]
fn offices_are_called_from_the_first_on_duty_up_to_the_hq() {
    let every = SignedDuration::from_mins(5);
    let mut company = Company::new();
    let admin = company.who("admin-z");
    company.store.write(|tx| {
        let office = |json: serde_json::Value| serde_json::from_value(json).unwrap();
        offices::add(tx, &admin, office(json!({"name": "hq", "kind": "hq", "zone": "UTC", "members": ["duty-a"]}))).unwrap();
        let members = ["engineer-a", "engineer-b"];
        let hotline = json!({"name": "hotline", "kind": "local", "parent": "hq", "zone": "UTC", "customers": ["JW"], "members": members});
        offices::add(tx, &admin, office(hotline)).unwrap();
        for (name, rank) in [("engineer-a", "primary"), ("engineer-b", "secondary")] {
            let shift = json!({"name": name, "rank": rank, "from": "00:00", "to": "00:00", "turns": [[name]], "start": "2026-01-01"});
            offices::put_shift(tx, &admin, &"hotline".parse().unwrap(), serde_json::from_value(shift).unwrap()).unwrap();
        }
    });
    let id = company.report("noc-jw", Impact::Full);
    assert_eq!(company.told(), ["engineer-a", "engineer-b"], "it reached their office");
    let mut again = || {
        company.store.now += every;
        company.store.write(|tx| repeats::tell(tx, every).unwrap());
        company.told()
    };
    assert_eq!(again(), ["engineer-a"]);
    assert_eq!(again(), ["engineer-a", "engineer-b"]);
    assert_eq!(again(), ["duty-a", "engineer-a", "engineer-b"]);
    assert_eq!(again(), ["admin-z", "duty-a", "engineer-a", "engineer-b"]);
    let data = json!({"from": "hotline", "to": "hq", "why": "x"});
    company.store.write(|tx| faults::tell(tx, id, New::of(Kind::FaultEscalated, "system", "to hq").internal(true).data(data)).unwrap());
    assert_eq!(company.told(), ["duty-a"], "nobody has a shift at the hq: its duty managers");
    assert!(company.log("noc-jw").is_empty(), "none of it is the customer's");
}

#[test]
fn each_sees_their_own_and_keepers_what_is_shared() {
    let mut company = Company::new();
    let noc = company.who("noc-jw");
    let shared = NoticeSettings { webhooks: vec!["https://chat.example/?key=hush".into()], ..Default::default() };
    let view = company.store.write(|tx| targets::set(tx, &noc, &"JW".parse().unwrap(), shared, true).unwrap());
    let target = view.secrets[0].target;
    company.store.write(|tx| targets::test(tx, &noc, &"JW".parse().unwrap()).unwrap());
    let notice = company.log("approver-jw").remove(0);
    assert_eq!((notice.target_id, notice.state, notice.target.as_str()), (target, Delivery::Waiting, "https://chat.example/"));
    let count = |company: &Company, who: &str| company.store.read(|db| log::targets(db, &company.who(who), None, 100).unwrap()).len();
    assert_eq!(["noc-jw", "approver-jw", "noc-yw", "engineer-a", "admin-z"].map(|who| count(&company, who)), [2, 2, 1, 1, 8]);
    for who in ["noc-yw", "engineer-a", "duty-a"] {
        let who = company.who(who);
        assert!(matches!(company.store.read(|db| log::target(db, &who, target)), Err(Error::NoTarget)));
        assert!(matches!(company.store.read(|db| log::get(db, &who, notice.id)), Err(Error::NoNotice)));
        assert!(matches!(company.store.write(|tx| log::replay(tx, &who, notice.id)), Err(Error::NoNotice)));
        assert!(matches!(company.store.write(|tx| targets::rotate(tx, &who, target)), Err(Error::NoTarget)));
        assert!(matches!(company.store.write(|tx| targets::remove(tx, &who, target)), Err(Error::NoTarget)));
        assert!(matches!(company.store.write(|tx| targets::try_out(tx, &who, target)), Err(Error::NoTarget)));
        let wanted = lineman_common::api::Replay { target, from: jiff::Timestamp::UNIX_EPOCH, to: None };
        assert!(matches!(company.store.write(|tx| log::replay_all(tx, &who, &wanted)), Err(Error::NoTarget)));
        let others = Some("noc-jw".parse().unwrap());
        assert!(matches!(company.store.read(|db| targets::preferences(db, &who, others.as_ref())), Err(Error::NoPerson)));
        let new = NewNoticeTarget { person: others, ..hook("https://mine.example/") };
        assert!(matches!(company.store.write(|tx| targets::add(tx, &who, &new, true)), Err(Error::NoPerson)));
    }
    let admin = World::admin();
    assert!(company.store.read(|db| targets::preferences(db, &admin, Some(&"noc-jw".parse().unwrap()))).is_ok());
    // Taken away: nothing is sent there any more, and the log stays.
    company.store.write(|tx| targets::remove(tx, &noc, target).unwrap());
    assert!(company.told().is_empty());
    assert_eq!(company.log("noc-jw")[0].state, Delivery::GivenUp);
}

#[test]
fn two_keys_sign_for_a_day() {
    let mut company = Company::new();
    let engineer = company.who("engineer-a");
    let target = company.store.read(|db| log::targets(db, &engineer, None, 1).unwrap())[0].clone();
    let old = target.keys[0].clone();
    let rotated = company.store.write(|tx| targets::rotate(tx, &engineer, target.id).unwrap());
    let new = rotated.secret.unwrap();
    assert_eq!(rotated.target.keys, [new.key.clone(), old]);
    assert_eq!(new.old_until, Some(company.store.now + SignedDuration::from_hours(24)));
    company.store.write(|tx| targets::try_out(tx, &engineer, target.id).unwrap());
    assert!(matches!(company.store.write(|tx| targets::try_out(tx, &engineer, target.id)), Err(Error::TooSoon)));
    assert_eq!(company.deliver()[0].destination.keys.len(), 2);
    company.store.now += SignedDuration::from_hours(24);
    company.store.write(|tx| targets::try_out(tx, &engineer, target.id).unwrap());
    let keys = company.deliver().remove(0).destination.keys;
    assert_eq!(keys.iter().map(|key| key.id.clone()).collect::<Vec<_>>(), [new.key]);
    assert!(!format!("{keys:?}").contains(&new.secret), "no log holds a secret");
}

#[test]
fn preferences_are_checked() {
    let mut company = Company::new();
    let engineer = company.who("engineer-a");
    for (json, says) in [
        (r#"{"zone": "Mars/Olympus"}"#, "Asia/Shanghai"),
        (r#"{"quiet": {"from": "22", "to": "07:00"}}"#, "HH:MM"),
        (r#"{"topics": [{"topic": "reply"}, {"topic": "reply"}]}"#, "twice"),
    ] {
        let wanted = serde_json::from_str(json).unwrap();
        let error = company.store.write(|tx| targets::prefer(tx, &engineer, None, wanted)).unwrap_err().to_string();
        assert!(error.contains(says), "{json}: {error}");
    }
}

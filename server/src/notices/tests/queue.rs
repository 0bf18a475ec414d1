//! The queue under storms, failures and crashes, with time in the test's hand.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lineman_common::alarm::Severity;
use lineman_common::api::{NewNoticeTarget, NewPerson, Replay};
use lineman_common::id::{NoticeId, TargetId};
use lineman_common::notice::{ChannelKind, Delivery};
use lineman_common::people::Role;

use super::super::channels::{Due, Outcome};
use super::super::log::Query;
use super::super::outbox::{self, MOST_ALONE, When};
use super::super::{about::About, log, targets};
use crate::events::{self, Kind, New};
use crate::store::testing::TestStore;
use crate::trust::testing::actor;
use crate::web::Actor;

/// A store with somebody who has targets.
struct Desk {
    store: TestStore,
    who: Actor,
}

fn good() -> Outcome {
    Outcome { result: Ok(()), latency_ms: 3, status: Some(200), excerpt: None, is_public: true }
}

fn bad() -> Outcome {
    Outcome { result: Err("the webhook answered 503".into()), status: Some(503), ..good() }
}

impl Desk {
    fn new() -> Self {
        let mut store = TestStore::new();
        let who = store.write(|tx| {
            let new = NewPerson { name: "duty-a".parse().unwrap(), role: Role::DutyManager, customer: None, password: None };
            let person = crate::people::add(tx, "admin-z", new, None).unwrap();
            Actor { id: person.id, ..actor("duty-a", Role::DutyManager, None) }
        });
        Self { store, who }
    }

    fn target(&mut self, address: &str) -> TargetId {
        let who = self.who.clone();
        let new = NewNoticeTarget { channel: ChannelKind::Webhook, address: address.into(), person: None };
        self.store.write(|tx| targets::add(tx, &who, &new, false).unwrap()).target.id
    }

    fn put(&mut self, target: TargetId, text: &str, severity: Severity) {
        self.store.write(|tx| {
            let event = events::append(tx, New::of(Kind::LocalAct, "system", text)).unwrap();
            let about = About { severity, ..About::event(&event, None) };
            outbox::put(tx, target, &about, When::Now).unwrap();
        });
    }

    fn begin(&mut self) -> Vec<Due> {
        self.store.write(|tx| outbox::begin(tx, 100).unwrap())
    }

    fn finish(&mut self, id: NoticeId, outcome: &Outcome) {
        self.store.write(|tx| outbox::finish(tx, id, outcome, 255).unwrap());
    }

    fn pass(&mut self, time: SignedDuration) {
        self.store.now += time;
    }

    fn log(&self) -> Vec<lineman_common::api::NoticeView> {
        self.store.read(|db| log::list(db, &self.who, &Query { limit: 100_000, ..Query::default() }).unwrap())
    }

    fn state(&self, id: NoticeId) -> (Delivery, u32) {
        let notice = self.store.read(|db| log::get(db, &self.who, id).unwrap()).notice;
        (notice.state, notice.attempts)
    }
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// How many deliveries there were, and of how many notices they told.
fn tally(delivered: &BTreeMap<NoticeId, About>) -> (usize, u32) {
    (delivered.len(), delivered.values().map(|about| about.digest.as_ref().map_or(1, |digest| digest.count)).sum())
}

#[test]
fn ten_thousand_at_once_are_one_digest_that_counts_all_of_them() {
    let mut desk = Desk::new();
    let (target, other) = (desk.target("https://a.example/"), desk.target("https://b.example/"));
    for n in 0..10_000 {
        let severity = if n == 7_777 { Severity::Critical } else { Severity::Warning };
        desk.put(target, &format!("event {n}"), severity);
    }
    desk.put(other, "alone", Severity::Minor);
    let mut delivered = BTreeMap::new();
    for _ in 0..600 {
        for due in desk.begin() {
            desk.finish(due.id, &good());
            delivered.insert(due.id, due.about);
        }
        desk.pass(SECOND);
    }
    assert_eq!(tally(&delivered), (2, 10_001));
    let digest = delivered.values().find_map(|about| about.digest.as_ref()).unwrap();
    assert_eq!((digest.severities[&Severity::Critical], digest.severities[&Severity::Warning]), (1, 9_999));
    assert_eq!(digest.worst[0].subject, "event 7777");
    assert_eq!(digest.worst[1].subject, "event 0", "of the same severity the earliest first");
    assert_eq!(digest.worst.len(), 10);
    // What was folded alone says which digest tells of it.
    let folded = desk.log().iter().filter(|notice| notice.state == Delivery::Folded).count();
    assert_eq!(folded, usize::try_from(MOST_ALONE).unwrap());
    assert!(desk.log().iter().all(|notice| notice.state != Delivery::Folded || notice.folded_into.is_some()));
}

#[test]
fn a_long_storm_is_told_now_and_then_and_what_comes_after_it_alone() {
    let mut desk = Desk::new();
    let target = desk.target("https://a.example/");
    let mut delivered = BTreeMap::new();
    for second in 0..1_800 {
        for n in 0..if second < 1_000 { 10 } else { 0 } {
            desk.put(target, &format!("event {second}.{n}"), Severity::Major);
        }
        for due in desk.begin() {
            desk.finish(due.id, &good());
            delivered.insert(due.id, due.about);
        }
        desk.pass(SECOND);
    }
    let (deliveries, told) = tally(&delivered);
    assert_eq!(told, 10_000, "nothing is dropped");
    assert!(deliveries <= 20 + 6, "{deliveries} deliveries");
    desk.put(target, "calm", Severity::Major);
    let due = desk.begin();
    assert!(due.len() == 1 && due[0].about.subject == "calm", "{due:?}");
}

/// Due again after pauses that double, up to an hour, for a day; then given up, and said so.
#[test]
fn what_fails_is_tried_for_a_day() {
    let mut desk = Desk::new();
    let target = desk.target("https://a.example/");
    desk.put(target, "x", Severity::Major);
    let (mut tried, begun) = (Vec::new(), desk.store.now);
    for _ in 0..26 * 3600 {
        for due in desk.begin() {
            tried.push(desk.store.now);
            desk.finish(due.id, &bad());
        }
        desk.pass(SECOND);
    }
    let pauses: Vec<i64> = tried.windows(2).map(|pair| (pair[1] - pair[0]).get_seconds()).collect();
    assert_eq!(pauses[..4], [10, 20, 40, 80], "{pauses:?}");
    assert!(pauses.iter().all(|pause| (10..=3601).contains(pause)), "{pauses:?}");
    let last = tried[tried.len() - 1] - begun;
    assert!(last.get_seconds() <= 24 * 3600 && last.get_seconds() > 22 * 3600, "{last}");
    assert!(tried.len() < 40, "{} attempts in a day", tried.len());
    let view = desk.log().remove(0);
    assert_eq!((view.state, view.problem.unwrap().raw()), (Delivery::GivenUp, "the webhook answered 503"));
    assert_eq!(outbox::pause(u32::MAX), SignedDuration::from_hours(1));
}

/// Attempts that failed together don't come back together.
#[test]
fn chance_spreads_the_attempts() {
    let mut pauses = Vec::new();
    for chance in [0, 255] {
        let mut desk = Desk::new();
        let target = desk.target("https://a.example/");
        desk.put(target, "x", Severity::Major);
        let id = desk.begin()[0].id;
        desk.store.write(|tx| outbox::finish(tx, id, &bad(), chance).unwrap());
        pauses.push(desk.log()[0].next_at.unwrap() - desk.store.now);
    }
    assert_eq!((pauses[0].get_seconds(), pauses[1].get_seconds()), (5, 10));
}

/// A dead target with much waiting costs an attempt now and then, and the others hear at once.
#[test]
fn a_dead_target_is_paused_and_holds_up_nobody() {
    let mut desk = Desk::new();
    let (dead, good_one) = (desk.target("https://dead.example/"), desk.target("https://good.example/"));
    for n in 0..15 {
        desk.put(dead, &format!("for the dead {n}"), Severity::Major);
        desk.put(good_one, &format!("for the good {n}"), Severity::Major);
    }
    let (mut at_dead, mut at_good) = (0, 0);
    for _ in 0..600 {
        for due in desk.begin() {
            let is_dead = due.destination.address.contains("dead");
            *if is_dead { &mut at_dead } else { &mut at_good } += 1;
            desk.finish(due.id, &if is_dead { bad() } else { good() });
        }
        desk.pass(SECOND);
    }
    assert_eq!(at_good, 15);
    assert!(at_dead <= 12, "{at_dead} attempts in ten minutes");
    let view = |desk: &Desk| desk.store.read(|db| log::target(db, &desk.who, dead).unwrap());
    assert!(view(&desk).paused_until.is_some() && view(&desk).waiting == 15);
    // It comes back: the first attempt that works opens it, and all is told.
    let mut told = 0;
    for _ in 0..3600 {
        for due in desk.begin() {
            desk.finish(due.id, &good());
            told += 1;
        }
        desk.pass(SECOND);
    }
    assert_eq!(told, 15);
    assert_eq!((view(&desk).failures, view(&desk).paused_until, view(&desk).waiting), (0, None, 0));
}

/// `kill -9` between any two steps: what was not recorded as done is due again, the same under the same id.
#[test]
fn a_crash_between_any_two_steps_repeats_and_loses_nothing() {
    let mut desk = Desk::new();
    let target = desk.target("https://a.example/");
    // Before the change is committed: neither the change nor the notice.
    desk.store.write(|tx| tx.sql().execute_batch("SAVEPOINT job").unwrap());
    desk.put(target, "never happened", Severity::Major);
    desk.store.write(|tx| tx.sql().execute_batch("ROLLBACK TO job; RELEASE job").unwrap());
    assert!(desk.log().is_empty());
    // After the commit, before the claim: it is due.
    desk.put(target, "happened", Severity::Major);
    desk.store.write(|tx| outbox::recover(tx).unwrap());
    let first = desk.begin().remove(0);
    // Claimed, perhaps delivered, not recorded: due again after a start, the same.
    assert!(desk.begin().is_empty(), "one attempt at a time");
    desk.store.write(|tx| outbox::recover(tx).unwrap());
    let second = desk.begin().remove(0);
    assert_eq!((first.id, &first.about), (second.id, &second.about));
    assert_eq!(first.about.json(first.id, "x"), second.about.json(second.id, "x"));
    // Its task ended without a word.
    desk.store.write(|tx| outbox::lost(tx, second.id).unwrap());
    let third = desk.begin().remove(0);
    assert_eq!(first.id, third.id);
    desk.finish(third.id, &good());
    // Recorded twice, it is delivered once.
    desk.finish(third.id, &good());
    desk.store.write(|tx| outbox::recover(tx).unwrap());
    assert!(desk.begin().is_empty());
    assert_eq!(desk.state(first.id).0, Delivery::Delivered);
}

/// A digest that is on its way takes no more, so that whoever gets it twice gets the same twice.
#[test]
fn a_digest_on_its_way_does_not_change() {
    let mut desk = Desk::new();
    let target = desk.target("https://a.example/");
    for n in 0..100 {
        desk.put(target, &format!("{n}"), Severity::Major);
    }
    desk.pass(SECOND * 61);
    let digest = desk.begin().remove(0);
    assert_eq!(digest.about.digest.as_ref().unwrap().count, 100);
    desk.put(target, "late", Severity::Critical);
    desk.store.write(|tx| outbox::recover(tx).unwrap());
    let again = desk.begin().remove(0);
    assert_eq!((digest.id, &digest.about), (again.id, &again.about));
    desk.finish(again.id, &good());
    desk.pass(SECOND * 301);
    let late = desk.begin().remove(0);
    assert_eq!((late.about.digest.as_ref().unwrap().count, late.about.severity), (1, Severity::Critical));
}

#[test]
fn what_went_out_is_sent_again_on_demand_under_its_id() {
    let mut desk = Desk::new();
    let target = desk.target("https://a.example/");
    let mut ids = Vec::new();
    for n in 0..5 {
        desk.put(target, &format!("{n}"), Severity::Major);
        let due = desk.begin().remove(0);
        desk.finish(due.id, &good());
        ids.push(due.id);
        desk.pass(SECOND * 60);
    }
    let who = desk.who.clone();
    desk.store.write(|tx| log::replay(tx, &who, ids[0]).unwrap());
    assert!(desk.store.write(|tx| log::replay(tx, &who, ids[0])).is_err(), "it waits already");
    let due = desk.begin().remove(0);
    assert_eq!(due.id, ids[0]);
    desk.finish(due.id, &good());
    assert_eq!(desk.store.read(|db| log::get(db, &who, ids[0]).unwrap()).log.len(), 2);
    // A range: from the second on, up to the fourth.
    let from: Timestamp = desk.store.now - SECOND * 60 * 4;
    let wanted = Replay { target, from, to: Some(from + SECOND * 60 * 3) };
    assert_eq!(desk.store.write(|tx| log::replay_all(tx, &who, &wanted).unwrap()).notices, 3);
    let mut again = Vec::new();
    for _ in 0..5 {
        for due in desk.begin() {
            desk.finish(due.id, &good());
            again.push(due.id);
        }
    }
    assert_eq!(again, ids[1..4]);
    let backwards = Replay { to: Some(from - SECOND), ..wanted };
    assert!(desk.store.write(|tx| log::replay_all(tx, &who, &backwards)).is_err());
}

/// However much is replayed, a target gets at most one attempt a second.
#[test]
fn a_target_is_not_hurried() {
    let mut desk = Desk::new();
    let target = desk.target("https://a.example/");
    for n in 0..200 {
        desk.put(target, &format!("{n}"), Severity::Major);
        for due in desk.begin() {
            desk.finish(due.id, &good());
        }
        desk.pass(SECOND * 61);
    }
    let who = desk.who.clone();
    let wanted = Replay { target, from: Timestamp::UNIX_EPOCH, to: None };
    assert_eq!(desk.store.write(|tx| log::replay_all(tx, &who, &wanted).unwrap()).notices, 200);
    let mut in_a_minute = 0;
    for _ in 0..60 {
        for _ in 0..50 {
            for due in desk.begin() {
                desk.finish(due.id, &good());
                in_a_minute += 1;
            }
        }
        desk.pass(SECOND);
    }
    assert!((50..=60).contains(&in_a_minute), "{in_a_minute}");
}

/// A server of the version before left settings and a notice that waits.
#[test]
fn an_upgrade_keeps_what_waits() {
    let customer = lineman_common::id::CustomerId::new();
    let about = r#"{"kind":"consent.live","at":"2026-11-01T00:00:00Z","customer":"JW","subject":"old","facts":[["who","x"]]}"#;
    let rows = format!(
        r#"INSERT INTO tier VALUES ('gold', '{{}}');
           INSERT INTO customer(id, code, name, tier, created_at) VALUES ('{customer}', 'JW', 'JW', 'gold', 0);
           INSERT INTO notice_settings VALUES ('{customer}', '{{"webhooks":["https://h.example/x"],"mail":["a@b.example"]}}');
           INSERT INTO notice(customer, kind, target, subject, body, created_at, next_at)
           VALUES ('{customer}', 'consent.live', 'https://h.example/x', 'old', '{about}', 1795300000000000, 1795300000000000);"#
    );
    let mut store = TestStore::upgraded(4, &rows);
    store.now = "2026-11-22T00:00:00Z".parse().unwrap();
    let admin = actor("admin-z", Role::Admin, None);
    let found = store.read(|db| log::targets(db, &admin, None, 10).unwrap());
    let mut addresses: Vec<_> = found.iter().map(|target| (target.channel, target.address.clone(), target.keys.len())).collect();
    addresses.sort();
    assert_eq!(addresses, [(ChannelKind::Mail, "a@b.example".to_owned(), 0), (ChannelKind::Webhook, "https://h.example/x".to_owned(), 1)]);
    let due = store.write(|tx| outbox::begin(tx, 10).unwrap()).remove(0);
    assert_eq!(due.about.subject, "old");
    assert_eq!(due.id.to_string().parse::<NoticeId>().unwrap(), due.id);
}

//! Clocks, told by small logs; then the bugs that others had ([`bugs`]), an independent model ([`model`]), a year of it ([`year`]), and
//! what is said when ([`watching`]).

mod bugs;
mod model;
mod watching;
mod year;

use std::rc::Rc;

use lineman_common::api::ClockState;
use serde_json::{Value, json};

use super::terms::Targets;
use super::*;
use crate::events::Kind;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
}

fn event_at(kind: Kind, at: Timestamp, data: Value) -> Appended {
    Appended {
        seq: 0,
        kind,
        customer: None,
        equipment: None,
        fault: None,
        internal: false,
        actor: "x".into(),
        occurred_at: at,
        recorded_at: at,
        text: String::new(),
        data,
    }
}

fn event(kind: Kind, minute: i64, data: Value) -> Appended {
    event_at(kind, at(minute), data)
}

fn plain(log: &[(Kind, i64)]) -> Vec<Appended> {
    log.iter().map(|(kind, minute)| event(*kind, *minute, Value::Null)).collect()
}

fn held(targets: Targets, coverage: Coverage) -> Held {
    Held { since: Timestamp::MIN, targets, coverage: Rc::new(coverage), why: "tier gold, major".into() }
}

fn targets() -> Targets {
    Targets { accept_s: Some(300), respond_s: Some(900), restore_s: Some(4 * 3600), resolve_s: None }
}

fn count(log: &[Appended], presence: &[(Timestamp, bool)], now: i64) -> Vec<Clock> {
    Sheet::new(Story::read(log), vec![held(targets(), Coverage::always())], presence).clocks(at(now))
}

fn clocks(log: &[(Kind, i64)], now: i64) -> Vec<Clock> {
    count(&plain(log), &[], now)
}

fn reasons(clock: &Clock) -> Vec<(bool, &str)> {
    clock.intervals.iter().map(|interval| (interval.counted, interval.why.as_str())).collect()
}

#[test]
fn the_promise_runs_from_consent_or_acceptance_whichever_is_later() {
    let log = [
        (Kind::FaultReported, 0),
        (Kind::ConsentRequested, 1),
        (Kind::ConsentApproved, 3),
        (Kind::FaultAccepted, 7),
        (Kind::SessionFirstByte, 9),
    ];
    let clocks = clocks(&log, 60);
    let k4 = &clocks[3];
    assert_eq!((k4.state, k4.elapsed_s, k4.percent), (ClockState::Met, 120, Some(6)));
    assert_eq!(clocks[2].elapsed_s, 120, "K3 is the customer's own time");
    assert_eq!((clocks[0].state, clocks[0].breached), (ClockState::Breached, true), "accepted after 7 of 5 minutes");
    assert_eq!((clocks[4].state, clocks[4].breached), (ClockState::Breached, true), "no diagnosis after 57 minutes");
    assert_eq!(clocks[4].deadline_at, Some(at(33)), "it was then");
}

#[test]
fn requests_beside_each_other_are_one_wait_and_none_while_somebody_is_allowed_in() {
    let of = |kind, minute, id: &str| event(kind, minute, json!({"consent": id}));
    let log = [
        event(Kind::FaultReported, 0, Value::Null),
        of(Kind::ConsentRequested, 10, "a"),
        of(Kind::ConsentRequested, 12, "b"),
        of(Kind::ConsentApproved, 20, "b"),
        of(Kind::ConsentRequested, 25, "c"),
        of(Kind::ConsentRevoked, 40, "b"),
        of(Kind::ConsentRefused, 45, "a"),
        of(Kind::ConsentRefused, 50, "c"),
    ];
    let clocks = count(&log, &[], 60);
    assert_eq!(clocks[2].elapsed_s, (10 + 10) * 60, "10 to 20, and 40 to 50: {:?}", clocks[2].intervals);
    assert_eq!(clocks[5].elapsed_s, (60 - 20) * 60);
    let waiting = count(&log[..3], &[], 15);
    assert_eq!((waiting[2].elapsed_s, waiting[2].state), (5 * 60, ClockState::Running));
    assert_eq!((waiting[5].state, waiting[5].deadline_at), (ClockState::Paused, None));
}

#[test]
fn a_lost_link_pauses_only_when_it_is_long_and_no_clock_runs_backwards() {
    let log = plain(&[(Kind::FaultReported, 0), (Kind::FaultAccepted, 0), (Kind::ConsentApproved, 0)]);
    let short = [(at(2), false), (at(3), true)];
    let long = [(at(2), false), (at(12), true)];
    let k4 = |presence: &[(Timestamp, bool)], now| count(&log, presence, now)[3].clone();
    assert_eq!(k4(&short, 20).elapsed_s, 20 * 60);
    assert_eq!(k4(&long, 20).elapsed_s, 10 * 60);
    assert_eq!(k4(&long, 20).deadline_at, Some(at(40)));
    let lasting = k4(&[(at(15), false)], 20);
    assert_eq!((lasting.state, lasting.deadline_at, lasting.elapsed_s), (ClockState::Paused, None, 15 * 60));
    // Nobody knows yet whether it is a long one: until then it doesn't count, and a short one counts after all.
    assert_eq!(k4(&[(at(2), false)], 3).elapsed_s, 2 * 60);
    assert_eq!(k4(&short, 3).elapsed_s, 3 * 60);
}

#[test]
fn a_reopened_fault_runs_on_and_a_cancelled_one_is_void() {
    let log = [
        (Kind::FaultReported, 0),
        (Kind::FaultAccepted, 1),
        (Kind::FaultRestored, 10),
        (Kind::FaultResolved, 20),
        (Kind::FaultReopened, 60),
    ];
    let after_reopening = &clocks(&log, 70)[5];
    assert_eq!((after_reopening.state, after_reopening.elapsed_s), (ClockState::Running, 20 * 60));
    let cancelled = clocks(&[(Kind::FaultReported, 0), (Kind::FaultCancelled, 2)], 9);
    assert_eq!((cancelled[0].state, cancelled[0].elapsed_s), (ClockState::Void, 120));
    assert_eq!(cancelled[3].state, ClockState::NotStarted);
}

#[test]
fn a_request_that_is_no_fault_has_no_session_diagnosis_or_restore_clock() {
    let log = [event(Kind::FaultReported, 0, json!({"kind": "consulting"}))];
    let clocks = count(&log, &[], 1);
    let names: Vec<_> = clocks.iter().map(|clock| clock.name.as_str()).collect();
    assert_eq!(names, ["K1", "K2", "K3", "K7"]);
    let own = lineman_common::api::KindTargets { accept_s: Some(3600), respond_s: None, resolve_s: Some(86_400) };
    let tier = lineman_common::api::Tier {
        name: "gold".into(),
        accept_s: Some(300),
        kinds: [(FaultKind::Consulting, own)].into(),
        ..Default::default()
    };
    let of = |kind| Targets::of(&tier, Severity::Major, kind);
    assert_eq!(of(FaultKind::Fault).accept_s, Some(300));
    assert_eq!((of(FaultKind::Consulting).accept_s, of(FaultKind::Consulting).resolve_s), (Some(3600), Some(86_400)));
    assert_eq!(of(FaultKind::Upgrade), Targets::default(), "a kind without a word in the tier has no targets");
}

#[test]
fn every_interval_says_why_and_the_deadline_knows_the_holidays() {
    let office = crate::customers::calendars::tests::office();
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    // Tuesday 29 September 2026, 17:00 in Shanghai.
    let start: Timestamp = "2026-09-29T09:00:00Z".parse().unwrap();
    let log = [event_at(Kind::FaultReported, start, Value::Null)];
    let sheet = Sheet::new(Story::read(&log), vec![held(targets(), Coverage::new(&office, zone))], &[]);
    let now = "2026-09-30T10:30:00Z".parse().unwrap();
    let k6 = &sheet.clocks(now)[5];
    assert_eq!(
        reasons(k6),
        [
            (true, "running"),
            (false, "outside the hours of tue (cn-office)"),
            (false, "outside the hours of wed (cn-office)"),
            (true, "running"),
            (false, "outside the hours of wed (cn-office)"), // lunch
            (true, "running"),
            (false, "outside the hours of wed (cn-office)"),
        ]
    );
    assert_eq!((k6.breached, k6.elapsed_s, k6.percent), (true, 9 * 3600, Some(225)));
    let k1 = &sheet.clocks("2026-09-29T09:03:00Z".parse().unwrap())[0];
    assert_eq!((k1.state, k1.coverage.as_str()), (ClockState::Running, "cn-office in Asia/Shanghai"));
    // Reported one minute before the holidays of a week: four minutes are left on Thursday the 8th.
    let late = [event_at(Kind::FaultReported, "2026-09-30T09:59:00Z".parse().unwrap(), Value::Null)];
    let held = vec![held(targets(), Coverage::new(&office, jiff::tz::TimeZone::get("Asia/Shanghai").unwrap()))];
    let k1 = Sheet::new(Story::read(&late), held, &[]).clocks("2026-10-03T00:00:00Z".parse().unwrap())[0].clone();
    assert_eq!(reasons(&k1).last(), Some(&(false, "holiday: 国庆节 (cn-office)")));
    assert_eq!((k1.state, k1.elapsed_s), (ClockState::Paused, 60));
    assert_eq!(k1.deadline_at, Some("2026-10-08T01:04:00Z".parse().unwrap()));
}

proptest::proptest! {
    /// Counted and uncounted intervals tile the time from first to last without gap or overlap.
    #[test]
    fn intervals_tile_time(steps in proptest::collection::vec((0usize..6, 0i64..30), 1..40)) {
        let kinds = [Kind::FaultPending, Kind::FaultResumed, Kind::ConsentRequested, Kind::ConsentApproved, Kind::ConsentRefused, Kind::FaultAccepted];
        let mut minute = 0;
        let mut log = vec![event(Kind::FaultReported, 0, Value::Null)];
        for (kind, wait) in steps {
            minute += wait;
            log.push(event(kinds[kind], minute, json!({"reason": "customer"})));
        }
        let k6 = count(&log, &[], minute + 5)[5].clone();
        proptest::prop_assert_eq!(k6.intervals[0].from, at(0));
        for pair in k6.intervals.windows(2) {
            proptest::prop_assert_eq!(pair[0].to, Some(pair[1].from));
        }
        proptest::prop_assert_eq!(k6.intervals.last().unwrap().to, None);
        let gross = at(minute + 5).duration_since(at(0)).as_secs();
        proptest::prop_assert!(k6.elapsed_s <= gross.unsigned_abs());
    }
}

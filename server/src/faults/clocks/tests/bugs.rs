//! Bugs that ticket systems had with their clocks, each as a test that fails where the bug is.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use lineman_common::api::{Calendar, WeekHours};
use lineman_common::calendar::{CalendarKind, Weekday};

use super::*;

fn pend(minute: i64, reason: &str) -> Appended {
    event(Kind::FaultPending, minute, json!({"reason": reason}))
}

#[test]
fn a_clock_does_not_punish_the_engineer_for_the_customers_delay() {
    let mut log = plain(&[(Kind::FaultReported, 0), (Kind::FaultAccepted, 1), (Kind::ConsentRequested, 10), (Kind::ConsentApproved, 40)]);
    log.push(pend(50, "customer"));
    log.push(event(Kind::FaultResumed, 80, Value::Null));
    log.push(pend(90, "parts"));
    log.push(event(Kind::FaultRestored, 100, Value::Null));
    let k6 = &count(&log, &[], 200)[5];
    assert_eq!(k6.elapsed_s, (100 - 30 - 30) * 60);
    let why = [(true, "running"), (false, "consent wait"), (true, "running"), (false, "waits for the customer"), (true, "running")];
    assert_eq!(reasons(k6), why);
}

#[test]
fn waiting_for_parts_or_a_third_party_is_the_centres_own_time() {
    for reason in ["parts", "third_party"] {
        let log = [event(Kind::FaultReported, 0, Value::Null), pend(10, reason)];
        let clocks = count(&log, &[], 60);
        assert_eq!((clocks[5].elapsed_s, clocks[6].elapsed_s), (3600, 3600), "{reason}");
    }
}

#[test]
fn session_and_diagnosis_are_never_paused_by_hand_and_run_around_the_clock() {
    let office = crate::customers::calendars::tests::office();
    let mut log = plain(&[(Kind::FaultReported, 0), (Kind::FaultAccepted, 0), (Kind::ConsentApproved, 0)]);
    log.push(pend(5, "customer"));
    // 1.8 billion seconds is a Friday, 08:00 UTC; the office in New York is shut.
    let held = vec![held(targets(), Coverage::new(&office, TimeZone::get("America/New_York").unwrap()))];
    let clocks = Sheet::new(Story::read(&log), held, &[]).clocks(at(31));
    for clock in &clocks[3..5] {
        assert_eq!((clock.elapsed_s, clock.breached, clock.coverage.as_str()), (31 * 60, true, "24x7"), "{}", clock.name);
    }
    assert_eq!(clocks[0].elapsed_s, 0, "and those of the office are not");
}

#[test]
fn a_pause_without_an_end_ends_with_the_next_reason_and_with_the_fault() {
    // One reason takes the other's place; the first does not go on behind it.
    let log = [event(Kind::FaultReported, 0, Value::Null), pend(10, "customer"), pend(20, "parts")];
    assert_eq!(count(&log, &[], 60)[5].elapsed_s, (10 + 40) * 60);
    let log =
        [event(Kind::FaultReported, 0, Value::Null), pend(10, "customer"), pend(20, "access"), event(Kind::FaultResumed, 30, Value::Null)];
    assert_eq!(count(&log, &[], 60)[6].elapsed_s, (10 + 30) * 60);
    // Restored, resolved, closed while it waits: after a reopening nothing of the old pause is left.
    for end in [Kind::FaultRestored, Kind::FaultResolved, Kind::FaultClosed] {
        let log = [
            event(Kind::FaultReported, 0, Value::Null),
            pend(10, "customer"),
            event(end, 20, Value::Null),
            event(Kind::FaultReopened, 30, Value::Null),
        ];
        assert_eq!(count(&log, &[], 60)[5].elapsed_s, (10 + 30) * 60, "{end}");
    }
    // A consent that nobody answers ends with the fault.
    let log = plain(&[(Kind::FaultReported, 0), (Kind::ConsentRequested, 10), (Kind::FaultClosed, 20), (Kind::FaultReopened, 30)]);
    let clocks = count(&log, &[], 60);
    assert_eq!((clocks[2].elapsed_s, clocks[5].elapsed_s), (10 * 60, (10 + 30) * 60));
}

#[test]
fn a_reopened_fault_neither_starts_from_zero_nor_counts_the_time_it_was_closed() {
    let log = [
        (Kind::FaultReported, 0),
        (Kind::FaultAccepted, 1),
        (Kind::FaultRestored, 100),
        (Kind::FaultResolved, 110),
        (Kind::FaultClosed, 120),
        (Kind::FaultReopened, 100_000),
        (Kind::FaultRestored, 100_050),
    ];
    let clocks = clocks(&log, 200_000);
    assert_eq!((clocks[5].state, clocks[5].elapsed_s), (ClockState::Met, 150 * 60));
    assert_eq!((clocks[6].state, clocks[6].elapsed_s), (ClockState::Running, (110 + 100_000) * 60));
    assert_eq!(clocks[0].state, ClockState::Met, "it was accepted once");
}

#[test]
fn a_promise_that_the_end_of_the_fault_cut_short_is_not_kept() {
    let log = [
        (Kind::FaultReported, 0),
        (Kind::FaultAccepted, 1),
        (Kind::ConsentApproved, 2),
        (Kind::FaultClosed, 10),
        (Kind::FaultReopened, 100),
    ];
    let after = clocks(&log, 200);
    assert_eq!([after[3].state, after[4].state], [ClockState::Void; 2], "nobody logged in, nothing was diagnosed");
    let log = [
        (Kind::FaultReported, 0),
        (Kind::ConsentApproved, 2),
        (Kind::SessionFirstByte, 5),
        (Kind::FaultClosed, 10),
        (Kind::FaultReopened, 100),
    ];
    assert_eq!(clocks(&log, 200)[4].state, ClockState::Void);
}

#[test]
fn a_duplicate_that_is_none_after_all_did_not_run_meanwhile() {
    let log = [(Kind::FaultReported, 0), (Kind::FaultDuplicate, 3), (Kind::FaultUnmerged, 5000)];
    let clocks = clocks(&log, 5001);
    for clock in [&clocks[0], &clocks[1], &clocks[5], &clocks[6]] {
        assert_eq!((clock.elapsed_s, clock.state), (4 * 60, ClockState::Running), "{}", clock.name);
    }
    // The other side of a merge hears of it too, and is where it was.
    let main = [(Kind::FaultReported, 0), (Kind::FaultUnmerged, 2)];
    assert_eq!(super::clocks(&main, 3)[5].elapsed_s, 3 * 60);
}

#[test]
fn times_that_are_claimed_make_no_negative_durations() {
    let mut log = plain(&[(Kind::FaultReported, 0), (Kind::FaultAccepted, 10), (Kind::ConsentApproved, 20)]);
    // The device says its first byte left before anybody was allowed in; somebody says the fault began a year ago.
    log[0].occurred_at = at(-500_000);
    log.push(Appended { occurred_at: at(-100), ..event(Kind::SessionFirstByte, 30, Value::Null) });
    let clocks = count(&log, &[], 60);
    assert_eq!((clocks[3].elapsed_s, clocks[3].state), (0, ClockState::Met));
    assert_eq!(clocks[0].elapsed_s, 600, "from the report, not from what it claims");
    // The server's clock was set back by an hour.
    let log = plain(&[(Kind::FaultReported, 100), (Kind::FaultAccepted, 40), (Kind::FaultRestored, 41)]);
    for clock in count(&log, &[], 0) {
        assert!(clock.intervals.iter().all(|interval| interval.to.is_none_or(|to| to >= interval.from)), "{clock:?}");
        assert_eq!(clock.elapsed_s, 0, "{}", clock.name);
    }
    // A device whose clock runs ahead ends nothing later than it was heard of.
    let mut log = plain(&[(Kind::FaultReported, 0), (Kind::FaultAccepted, 0), (Kind::ConsentApproved, 0), (Kind::SessionFirstByte, 9)]);
    log[3].occurred_at = at(100_000);
    assert_eq!(count(&log, &[], 60)[3].elapsed_s, 9 * 60);
}

/// An office that works from 01:00 to 04:00, in the night in which the wall's clock is changed.
#[test]
fn the_nights_of_the_clock_change_have_as_many_hours_as_they_have() {
    let night = Calendar {
        name: "night".into(),
        kind: CalendarKind::Hours,
        week: vec![WeekHours { days: Weekday::ALL.to_vec(), hours: vec!["01:00-04:00".parse().unwrap()] }],
        holidays: Vec::new(),
        extra_days: Vec::new(),
    };
    let elapsed = |start: &str, end: &str| {
        let [start, end] = [start, end].map(|text| text.parse::<Timestamp>().unwrap());
        let log = [event_at(Kind::FaultReported, start, Value::Null)];
        let held = vec![held(targets(), Coverage::new(&night, TimeZone::get("Europe/Berlin").unwrap()))];
        let k6 = Sheet::new(Story::read(&log), held, &[]).clocks(end)[5].clone();
        (k6.elapsed_s / 3600, k6.deadline_at.map(|at| at.to_string()))
    };
    assert_eq!(elapsed("2026-03-28T20:00:00Z", "2026-03-29T12:00:00Z").0, 2, "02:00 became 03:00");
    assert_eq!(elapsed("2026-10-24T20:00:00Z", "2026-10-25T12:00:00Z").0, 4, "03:00 became 02:00");
    // Four hours from the evening before: the second night's first two in spring, the same night's in autumn.
    assert_eq!(elapsed("2026-03-28T20:00:00Z", "2026-03-28T21:00:00Z").1.as_deref(), Some("2026-03-30T01:00:00Z"));
    assert_eq!(elapsed("2026-10-24T20:00:00Z", "2026-10-24T21:00:00Z").1.as_deref(), Some("2026-10-25T03:00:00Z"));
}

fn terms(restore_s: u32, severity: &str) -> Value {
    json!({"tier": "gold", "severity": severity, "kind": "fault", "calendar": null, "zone": "UTC",
        "accept_s": 300, "respond_s": 900, "restore_s": restore_s, "resolve_s": null})
}

/// Counts with the terms that the log has.
fn by_terms(log: &[Appended], now: i64) -> Vec<Clock> {
    let story = Story::read(log);
    let held = crate::store::testing::TestStore::new().read(|db| Calendars::default().hold(db, &story.terms).unwrap());
    Sheet::new(story, held, &[]).clocks(at(now))
}

#[test]
fn a_deadline_moves_with_its_target_and_what_was_counted_stays() {
    let retarget =
        |minute, restore_s, severity| event(Kind::ClockRetargeted, minute, json!({"now": terms(restore_s, severity), "since": at(minute)}));
    let log = [
        event(Kind::FaultReported, 0, json!({"terms": terms(4 * 3600, "major")})),
        event(Kind::FaultAccepted, 1, Value::Null),
        retarget(60, 2 * 3600, "critical"),
    ];
    let k6 = &by_terms(&log, 90)[5];
    assert_eq!((k6.target_s, k6.elapsed_s, k6.percent), (Some(7200), 90 * 60, Some(75)));
    assert_eq!(k6.deadline_at, Some(at(120)));
    let history: Vec<_> = k6.targets.iter().map(|target| (target.from, target.target_s, target.why.as_str())).collect();
    assert_eq!(history, [(at(0), Some(14_400), "tier gold, major"), (at(60), Some(7200), "tier gold, critical")]);
    // A target that is over when it is set is missed from then on, not from before.
    let log = [log[0].clone(), retarget(200, 3600, "critical")];
    let k6 = &by_terms(&log, 201)[5];
    assert_eq!((k6.breached, k6.deadline_at), (true, Some(at(200))));
    // One that was missed while it held stays missed, also under a longer one, and also before anybody has said so.
    let log = [log[0].clone(), retarget(300, 48 * 3600, "minor")];
    let k6 = &by_terms(&log, 301)[5];
    assert_eq!((k6.breached, k6.state, k6.target_s), (true, ClockState::Breached, Some(48 * 3600)));
    assert_eq!(k6.deadline_at, Some(at(48 * 60)), "and still there is a day to restore service by");
    // A target that comes after the end is not for this clock.
    let log = [log[0].clone(), event(Kind::FaultRestored, 100, Value::Null), retarget(150, 60, "critical")];
    let k6 = &by_terms(&log, 300)[5];
    assert_eq!((k6.breached, k6.state, k6.target_s), (false, ClockState::Met, Some(14_400)));
}

#[test]
fn a_breach_that_was_said_stays_whatever_is_corrected_later() {
    let log = plain(&[(Kind::FaultReported, 0), (Kind::FaultAccepted, 1), (Kind::FaultDiagnosed, 2), (Kind::FaultRestored, 10)]);
    assert_eq!(count(&log, &[], 20)[5].state, ClockState::Met);
    let said = json!({"clock": "K6", "percent": 100, "target_s": 60, "due_at": at(5)});
    let log: Vec<_> = log.into_iter().chain([event(Kind::ClockBreached, 11, said)]).collect();
    let k6 = &count(&log, &[], 20)[5];
    assert_eq!((k6.state, k6.breached), (ClockState::Breached, true));
    assert_eq!((k6.warnings[0].percent, k6.warnings[0].due_at, k6.warnings[0].recorded_at), (100, at(5), at(11)));
    assert!(count(&log, &[], 20).iter().filter(|clock| clock.name != "K6").all(|clock| !clock.breached), "and no other clock is");
}

/// Each clock has targets, pauses and an end of its own; none writes over another's.
#[test]
fn clocks_do_not_override_each_other() {
    let base = plain(&[(Kind::FaultReported, 0), (Kind::FaultAccepted, 3), (Kind::ConsentRequested, 10), (Kind::ConsentApproved, 20)]);
    let before = count(&base, &[], 60);
    let with = |more: Appended| {
        let mut log = base.clone();
        log.push(more);
        count(&log, &[], 60)
    };
    let changed = |after: &[Clock]| -> Vec<String> {
        let states = before.iter().zip(after);
        states.filter(|(before, after)| before != after).map(|(before, _)| before.name.clone()).collect()
    };
    assert_eq!(changed(&with(event(Kind::SessionFirstByte, 30, Value::Null))), ["K4"]);
    assert_eq!(changed(&with(event(Kind::FaultDiagnosed, 30, Value::Null))), ["K5"]);
    assert_eq!(changed(&with(event(Kind::FaultRestored, 30, Value::Null))), ["K6"]);
    assert_eq!(changed(&with(pend(30, "access"))), ["K6", "K7"]);
    assert!(changed(&with(event(Kind::ConsentRevoked, 30, Value::Null))).is_empty());
    // A clock that is long over does not show another's deadline.
    let deadlines: Vec<_> = before.iter().map(|clock| clock.deadline_at.map(Timestamp::as_second)).collect();
    let minute = |minute: i64| Some(at(minute).as_second());
    assert_eq!(deadlines, [None, None, None, minute(50), minute(50), minute(250), None]);
}

#[test]
fn a_clock_that_has_just_reached_its_target_is_met_and_a_moment_later_is_not() {
    let log = |end: Timestamp| [event(Kind::FaultReported, 0, Value::Null), event_at(Kind::FaultAccepted, end, Value::Null)];
    let state = |end| count(&log(end), &[], 60)[0].state;
    assert_eq!(state(at(5)), ClockState::Met);
    assert_eq!(state(at(5) + SignedDuration::from_micros(1)), ClockState::Breached);
}

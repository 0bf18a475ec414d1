//! An independent model: it walks through time half a minute at a time and asks at each step what is so. It shares no code with the
//! product but the shape of events; the calendar is the one that looks at the wall ([`calendars::tests::model`]).

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use lineman_common::api::Calendar;
use lineman_common::fault::{FaultStatus, Step};
use proptest::prelude::*;

use super::*;
use crate::customers::calendars::tests as calendars;

/// Seconds of a step. Everything in these tests happens on its multiples.
pub const STEP_S: i64 = 30;

/// What holds from some moment on.
#[derive(Clone, Debug)]
pub struct Term {
    pub since: Timestamp,
    pub targets: Targets,
    /// None is 24x7.
    pub calendar: Option<Calendar>,
    pub zone: &'static str,
}

/// A fault's life as the model wants it.
#[derive(Clone, Debug)]
pub struct Case {
    pub terms: Vec<Term>,
    pub log: Vec<Appended>,
    pub presence: Vec<(Timestamp, bool)>,
}

impl Case {
    pub fn until(&self, now: Timestamp) -> Self {
        let log = self.log.iter().filter(|event| event.recorded_at <= now).cloned().collect();
        let presence = self.presence.iter().filter(|(at, _)| *at <= now).copied().collect();
        let terms = self.terms.iter().filter(|term| term.since <= now).cloned().collect();
        Self { terms, log, presence }
    }

    pub fn sheet(&self) -> Sheet {
        let held = |term: &Term| {
            let coverage = match &term.calendar {
                Some(calendar) => Coverage::new(calendar, TimeZone::get(term.zone).unwrap()),
                None => Coverage::always(),
            };
            Held { since: term.since, targets: term.targets.clone(), coverage: Rc::new(coverage), why: String::new() }
        };
        Sheet::new(Story::read(&self.log), self.terms.iter().map(held).collect(), &self.presence)
    }
}

/// What the model finds of one clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub elapsed_s: i64,
    /// Targets that were missed, with the moment.
    pub breaches: BTreeMap<u32, Timestamp>,
    /// Elapsed at the end of each step, while it ran.
    pub reached: Vec<(Timestamp, i64)>,
    pub running: bool,
}

#[derive(Default)]
struct Now {
    reported: bool,
    accepted: bool,
    replied: bool,
    approved: bool,
    entered: bool,
    diagnosed: bool,
    restored: bool,
    resolved: bool,
    over: bool,
    was_over: bool,
    asked: BTreeSet<String>,
    allowed: BTreeSet<String>,
    pending: Option<String>,
}

impl Now {
    fn apply(&mut self, event: &Appended) {
        let consent = || event.data["consent"].as_str().unwrap_or_default().to_owned();
        match event.kind.as_str() {
            "fault.reported" => self.reported = true,
            "fault.accepted" => self.accepted = true,
            "fault.note" => self.replied |= event.data["from_support"] == true,
            "consent.requested" => {
                self.replied = true;
                self.asked.insert(consent());
            }
            "consent.approved" => {
                self.approved = true;
                self.asked.remove(&consent());
                self.allowed.insert(consent());
            }
            "consent.refused" => drop(self.asked.remove(&consent())),
            "consent.revoked" => drop(self.allowed.remove(&consent())),
            "fault.diagnosed" => (self.replied, self.diagnosed) = (true, true),
            "fault.pending" => self.pending = event.data["reason"].as_str().map(str::to_owned),
            "fault.resumed" => self.pending = None,
            "fault.restored" => (self.restored, self.pending) = (true, None),
            "fault.resolved" => self.resolved = true,
            "fault.closed" | "fault.cancelled" | "fault.rejected" | "fault.duplicate" => {
                (self.over, self.pending) = (true, None);
                self.was_over |= self.approved;
                self.asked.clear();
                self.allowed.clear();
            }
            "fault.reopened" => (self.over, self.restored, self.resolved) = (false, false, false),
            other => panic!("the model knows no {other}"),
        }
    }
}

/// Walks a fault's life up to a moment.
pub fn walk(case: &Case, now: Timestamp) -> BTreeMap<&'static str, Found> {
    let start = case.log[0].recorded_at;
    let step = SignedDuration::from_secs(STEP_S);
    let entered_at =
        case.log.iter().filter(|event| event.kind == Kind::SessionFirstByte).map(|event| event.occurred_at.min(event.recorded_at)).min();
    let mut found: BTreeMap<&str, Found> = ["K1", "K2", "K3", "K4", "K5", "K6", "K7"].map(|name| (name, Found::default())).into();
    let mut state = Now::default();
    let mut events = case.log.iter().filter(|event| event.kind != Kind::SessionFirstByte).peekable();
    let mut at = start;
    loop {
        while let Some(event) = events.next_if(|event| event.recorded_at <= at) {
            state.apply(event);
        }
        state.entered = entered_at.is_some_and(|entered| entered <= at);
        let last = at >= now;
        let term = case.terms.iter().rev().find(|term| term.since <= at).unwrap_or(&case.terms[0]);
        let consent_wait = !state.asked.is_empty() && state.allowed.is_empty() && !state.over;
        let waits = matches!(state.pending.as_deref(), Some("customer" | "access"));
        let lost = is_lost(&case.presence, at, now);
        let alive = state.reported && !state.over;
        let promise = |started: bool, done: bool| started && !done && !state.was_over;
        // Name, is it started and not ended, does it run, its target.
        let (k4, k5) = (promise(state.approved && state.accepted, state.entered), promise(state.approved, state.diagnosed));
        let [k1, k2, k6, k7] = [state.accepted, state.replied, state.restored, state.resolved].map(|done| alive && !done);
        let open = (k1 || k2 || k6 || k7) && is_open(term, at);
        let clocks = [
            ("K1", k1, k1 && open, term.targets.accept_s, term.since),
            ("K2", k2, k2 && open, term.targets.respond_s, term.since),
            ("K3", consent_wait, consent_wait, None, start),
            ("K4", k4, k4 && !lost, Some(PROMISE_S), start),
            ("K5", k5, k5 && !lost, Some(PROMISE_S), start),
            ("K6", k6, k6 && open && !waits && !consent_wait, term.targets.restore_s, term.since),
            ("K7", k7, k7 && open && !waits, term.targets.resolve_s, term.since),
        ];
        for (name, alive, runs, target, since) in clocks {
            let clock = found.get_mut(name).unwrap();
            clock.running = runs;
            if alive {
                clock.judge(at, since, target);
            }
            if runs && !last {
                clock.elapsed_s += STEP_S;
                clock.reached.push((at + step, clock.elapsed_s));
                clock.judge(at, since, target);
            }
        }
        if last {
            return found;
        }
        at += step;
    }
}

impl Found {
    /// Beyond its target: since the step that went beyond it, or since the target came.
    fn judge(&mut self, at: Timestamp, since: Timestamp, target: Option<u32>) {
        if let Some(target) = target.filter(|target| self.elapsed_s > i64::from(*target)) {
            let step = SignedDuration::from_secs(STEP_S);
            let missed = self.reached.iter().find(|(_, elapsed)| *elapsed > i64::from(target)).map_or(at, |(at, _)| *at - step);
            self.breaches.entry(target).or_insert(missed.max(since));
        }
    }
}

fn is_open(term: &Term, at: Timestamp) -> bool {
    term.calendar.as_ref().is_none_or(|calendar| calendars::model(calendar, &TimeZone::get(term.zone).unwrap(), at))
}

/// Is this moment part of a loss of more than a minute, or of one that lasts?
fn is_lost(presence: &[(Timestamp, bool)], at: Timestamp, now: Timestamp) -> bool {
    let last = presence.iter().rev().find(|(when, _)| *when <= at);
    let Some((began, _)) = last.filter(|(_, online)| !online) else { return false };
    match presence.iter().find(|(when, online)| *when > at && *online && *when <= now) {
        Some((back, _)) => back.duration_since(*began).as_secs() > 60,
        None => true,
    }
}

/// The model and the product, of one fault at one moment.
pub fn compare(case: &Case, now: Timestamp) {
    let case = case.until(now);
    let walked = walk(&case, now);
    for clock in case.sheet().clocks(now) {
        let found = &walked[clock.name.as_str()];
        assert_eq!(i64::try_from(clock.elapsed_s).unwrap(), found.elapsed_s, "{} at {now}: {case:#?}\n{clock:#?}", clock.name);
        assert_eq!(clock.breached, !found.breaches.is_empty(), "{} at {now}: {case:#?}\n{clock:#?}", clock.name);
        let lasts = clock.intervals.last().is_some_and(|last| last.to.is_none() && last.counted);
        assert_eq!(lasts, found.running, "{} runs at {now}: {case:#?}\n{clock:#?}", clock.name);
        adds_up(&clock, now);
    }
}

/// Elapsed, paused and uncovered are together the time on the wall, without the time in which the fault was over.
fn adds_up(clock: &Clock, now: Timestamp) {
    let length = |interval: &lineman_common::api::Interval| interval.to.unwrap_or(now).duration_since(interval.from);
    let sum = |counted| clock.intervals.iter().filter(|interval| interval.counted == counted).map(length).sum::<SignedDuration>();
    let gaps: SignedDuration =
        clock.intervals.windows(2).map(|pair| pair[1].from.duration_since(pair[0].to.expect("only the last one lasts"))).sum();
    let (Some(first), Some(last)) = (clock.intervals.first(), clock.intervals.last()) else { return };
    assert_eq!(sum(true) + sum(false) + gaps, last.to.unwrap_or(now).duration_since(first.from), "{clock:#?}");
    assert!(clock.intervals.iter().all(|interval| !length(interval).is_negative()));
    assert_eq!(u64::try_from(sum(true).as_secs()).unwrap(), clock.elapsed_s);
}

// ---- Lives ----------------------------------------------------------------------------------------------------------

/// What may happen to a fault, with how many steps pass before it.
pub type Choice = (u8, i64);

/// A life from choices: what its status allows happens, the rest is left out.
pub fn live(start: Timestamp, choices: &[Choice]) -> (Vec<Appended>, Vec<(Timestamp, bool)>) {
    let mut log = vec![event_at(Kind::FaultReported, start, Value::Null)];
    let (mut status, mut presence, mut at) = (FaultStatus::Reported, vec![(start - SignedDuration::from_hours(1), true)], start);
    let mut consents = 0;
    for (choice, steps) in choices {
        at += SignedDuration::from_secs(steps * STEP_S);
        let mut take = |step: Step, kind: Kind, data: Value| {
            if let Ok(next) = status.next(step) {
                status = next;
                log.push(event_at(kind, at, data));
            }
        };
        let consent = |consents: i32| json!({"consent": consents.to_string()});
        match choice % 24 {
            0 | 1 => take(Step::Accept, Kind::FaultAccepted, Value::Null),
            2 => take(Step::Pend, Kind::FaultPending, json!({"reason": "customer"})),
            3 => take(Step::Pend, Kind::FaultPending, json!({"reason": "access"})),
            4 => take(Step::Pend, Kind::FaultPending, json!({"reason": "parts"})),
            5 | 6 => take(Step::Resume, Kind::FaultResumed, Value::Null),
            7 => take(Step::Restore, Kind::FaultRestored, Value::Null),
            8 => take(Step::Resolve, Kind::FaultResolved, Value::Null),
            9 => take(Step::Close, Kind::FaultClosed, Value::Null),
            10 => take(Step::Reopen, Kind::FaultReopened, Value::Null),
            11 => take(Step::Cancel, Kind::FaultCancelled, Value::Null),
            12 if !status.is_over() => log.push(event_at(Kind::FaultDiagnosed, at, Value::Null)),
            13 if !status.is_over() => log.push(event_at(Kind::FaultNote, at, json!({"from_support": true}))),
            14 | 15 if !status.is_over() => {
                consents += 1;
                log.push(event_at(Kind::ConsentRequested, at, consent(consents)));
            }
            16 | 17 if !status.is_over() && consents > 0 => log.push(event_at(Kind::ConsentApproved, at, consent(consents))),
            18 if consents > 0 => log.push(event_at(Kind::ConsentRefused, at, consent(consents))),
            19 if consents > 0 => log.push(event_at(Kind::ConsentRevoked, at, consent(consents))),
            20 if !status.is_over() => {
                // A device's claim may be from before.
                let claimed = at - SignedDuration::from_secs(STEP_S * (steps % 5));
                log.push(Appended { occurred_at: claimed, ..event_at(Kind::SessionFirstByte, at, Value::Null) });
            }
            21 | 22 => {
                let online = presence.last().is_some_and(|(_, online)| *online);
                presence.push((at, !online));
            }
            _ => {}
        }
    }
    (log, presence)
}

/// Targets of whole twenty minutes, so that 50, 75 and 90 % of them fall on steps.
pub fn some_targets(n: u32) -> Targets {
    let target = |n: u32| Some(n % 5 * 1200).filter(|seconds| *seconds > 0);
    Targets {
        accept_s: target(n),
        respond_s: target(n / 5),
        restore_s: target(n / 25).map(|s| s * 6),
        resolve_s: target(n / 125).map(|s| s * 24),
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let term = (prop::option::of(calendars::any_calendar()), prop::sample::select(calendars::ZONES.to_vec()), 0u32..625, 0i64..400);
    let terms = prop::collection::vec(term, 1..4);
    let life = prop::collection::vec((any::<u8>(), 0i64..200), 1..30);
    (calendars::any_start(), terms, life).prop_map(|(start, terms, life)| {
        let (log, presence) = live(start, &life);
        let mut since = start;
        let terms = terms.into_iter().map(|(calendar, zone, targets, later)| {
            let term = Term { since, targets: some_targets(targets), calendar, zone };
            since += SignedDuration::from_secs(later * STEP_S);
            term
        });
        Case { terms: terms.collect(), log, presence }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Any life, under any calendars and zones that change meanwhile, at its end and at any moment before.
    #[test]
    fn it_counts_as_the_model_does(case in any_case(), part in 0.0f64..1.0) {
        let (start, end) = (case.log[0].recorded_at, case.log.last().unwrap().recorded_at + SignedDuration::from_hours(5));
        compare(&case, end);
        #[expect(clippy::cast_possible_truncation, reason = "steps of a few days")]
        let steps = (end.duration_since(start).as_secs_f64() * part) as i64 / STEP_S;
        compare(&case, start + SignedDuration::from_secs(steps * STEP_S));
    }

    /// What comes later changes nothing of what was counted before; and no clock runs backwards. (When a device's byte left is heard
    /// later than it happened, and how long a loss was is known at its end: K4 and K5 have their own word.)
    #[test]
    fn the_past_stays(case in any_case(), part in 0.0f64..1.0) {
        let (start, end) = (case.log[0].recorded_at, case.log.last().unwrap().recorded_at + SignedDuration::from_hours(5));
        let then = start + SignedDuration::from_secs_f64((end.duration_since(start).as_secs_f64() * part).floor());
        let (before, after) = (case.until(then).sheet().clocks(then), case.sheet().clocks(end));
        for (before, after) in before.iter().zip(&after).filter(|(clock, _)| !matches!(clock.name.as_str(), "K4" | "K5")) {
            prop_assert!(after.elapsed_s >= before.elapsed_s);
            prop_assert!(after.breached || !before.breached);
            let cut = |clock: &Clock| -> Vec<(Timestamp, Timestamp, String)> {
                let whole = clock.intervals.iter().filter(|interval| interval.from < then);
                whole.map(|interval| (interval.from, interval.to.unwrap_or(end).min(then), interval.why.clone())).collect()
            };
            prop_assert_eq!(cut(before), cut(after), "{}", &before.name);
        }
    }
}

#[test]
fn of_two_terms_that_began_at_one_moment_only_the_later_held() {
    let start: Timestamp = "2026-03-29T01:00:00Z".parse().unwrap();
    let term = |since, accept_s| Term { since, targets: Targets { accept_s, ..Targets::default() }, calendar: None, zone: "UTC" };
    let changed = start + SignedDuration::from_secs(41 * STEP_S);
    let terms = vec![term(start, None), term(changed, Some(1200)), term(changed, None)];
    let (log, presence) = live(start, &[]);
    compare(&Case { terms, log, presence }, start + SignedDuration::from_hours(1));
}

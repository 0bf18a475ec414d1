//! The clocks K1 to K7.
//!
//! A clock is a list of running intervals, never a stored deadline. It is computed from the fault's own log each time somebody
//! asks, so it can be explained and can't drift: running time minus pauses, intersected with the coverage calendar. What is
//! counted is decided by the server's own record of time (`recorded_at`), except where the device is the only witness
//! (the first byte of a session).
//!
//! | clock | from | to | paused by |
//! |---|---|---|---|
//! | K1 accept | reported | accepted | calendar |
//! | K2 respond | reported | first human reply | calendar |
//! | K3 consent wait | consent asked | approved, refused or lapsed | - |
//! | K4 session | max(consent approved, accepted) | first byte of the first channel | link lost > 60 s |
//! | K5 diagnosis | consent approved | cause and plan recorded | link lost > 60 s |
//! | K6 restore | reported | restored | pending(customer, access), K3 running, calendar |
//! | K7 resolve | reported | resolved | pending(customer, access), calendar |

use jiff::Timestamp;
use lineman_common::alarm::Severity;
use lineman_common::api::{Clock, ClockState, Interval, Tier};

use crate::events::{Appended, Kind};

/// The promise: from consent to the first byte, and to the diagnosis.
const PROMISE_S: u32 = 30 * 60;
/// A shorter loss of the link is the field's everyday life and stops no clock.
const LINK_LOST_S: i64 = 60;

/// When a contract's clocks run. Business hours and holidays are to come; so far there is round the clock.
#[derive(Clone, Debug)]
pub enum Calendar {
    /// 24x7.
    Always,
}

impl Calendar {
    /// The covered parts of a span.
    fn covered(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        match self {
            Self::Always => vec![(from, to)],
        }
    }

    /// The moment when this much covered time will have passed since `from`.
    fn after(&self, from: Timestamp, seconds: i64) -> Timestamp {
        match self {
            Self::Always => from + jiff::SignedDuration::from_secs(seconds),
        }
    }
}

/// What the clocks aim at, in seconds.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the unit belongs to the name")]
pub struct Targets {
    pub accept_s: Option<u32>,
    pub respond_s: Option<u32>,
    pub restore_s: Option<u32>,
    pub resolve_s: Option<u32>,
}

impl Targets {
    pub fn of(tier: &Tier, severity: Severity) -> Self {
        let column = match severity {
            Severity::Critical => 0,
            Severity::Major => 1,
            Severity::Minor | Severity::Warning | Severity::Indeterminate => 2,
        };
        let [restore_s, resolve_s] = [tier.restore_s, tier.resolve_s].map(|row| row.get(column).copied().flatten());
        Self { accept_s: tier.accept_s, respond_s: tier.respond_s, restore_s, resolve_s }
    }
}

/// A stretch of time; without an end it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: Timestamp,
    to: Option<Timestamp>,
}

impl Span {
    fn end(self, now: Timestamp) -> Timestamp {
        self.to.unwrap_or(now).max(self.from)
    }
}

/// Why and when a clock stands still.
struct Pause {
    span: Span,
    why: &'static str,
}

/// All seven clocks. `presence` is the device's connects and disconnects by the server's record.
pub fn compute(log: &[Appended], presence: &[(Timestamp, bool)], targets: &Targets, calendar: &Calendar, now: Timestamp) -> Vec<Clock> {
    let story = Story::read(log);
    let link_lost = Story::link_lost(presence, now);
    let waiting = story.pauses();
    let consent_wait = story.consent_wait(now);
    let during_consent = consent_wait.iter().map(|span| Pause { span: *span, why: "consent wait" });
    let with_consent: Vec<_> = story.pauses().into_iter().chain(during_consent).collect();
    let rule = |name, what, target_s, runs: &[Span], pauses: &[Pause], calendar: &Calendar| {
        clock(name, what, target_s, runs, pauses, calendar, story.over_at, now)
    };
    let always = Calendar::Always;
    let single = |from: Option<Timestamp>, to: Option<Timestamp>| -> Vec<Span> { from.map(|from| Span { from, to }).into_iter().collect() };
    vec![
        rule("K1", "accept", targets.accept_s, &single(story.reported, story.accepted), &[], calendar),
        rule("K2", "respond", targets.respond_s, &single(story.reported, story.replied), &[], calendar),
        rule("K3", "consent_wait", None, &consent_wait, &[], &always),
        rule("K4", "session", Some(PROMISE_S), &single(story.session_due_from(), story.first_byte), &link_lost, &always),
        rule("K5", "diagnosis", Some(PROMISE_S), &single(story.approved, story.diagnosed), &link_lost, &always),
        rule("K6", "restore", targets.restore_s, &story.to_restored, &with_consent, calendar),
        rule("K7", "resolve", targets.resolve_s, &story.to_resolved, &waiting, calendar),
    ]
}

/// The moments of a fault's log that clocks ask for.
#[derive(Default)]
struct Story {
    reported: Option<Timestamp>,
    accepted: Option<Timestamp>,
    replied: Option<Timestamp>,
    approved: Option<Timestamp>,
    first_byte: Option<Timestamp>,
    diagnosed: Option<Timestamp>,
    /// Requests that wait for their answer, each under its consent's id.
    asked: Vec<(String, Span)>,
    /// Consents that stand: approved, and not ended.
    allowed: Vec<(String, Span)>,
    pending: Vec<(Span, &'static str)>,
    to_restored: Vec<Span>,
    to_resolved: Vec<Span>,
    /// Rejected, cancelled, duplicate or closed, for good so far.
    over_at: Option<Timestamp>,
}

impl Story {
    fn read(log: &[Appended]) -> Self {
        let mut story = Self::default();
        for event in log {
            story.take(event);
        }
        story
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most of what can happen moves no clock")]
    fn take(&mut self, event: &Appended) {
        let at = event.recorded_at;
        match event.kind {
            Kind::FaultReported => {
                self.reported = Some(at);
                self.start(at);
            }
            Kind::FaultAccepted => first(&mut self.accepted, at),
            Kind::FaultNote if !event.internal && event.data["from_support"] == true => first(&mut self.replied, at),
            Kind::ConsentRequested => {
                first(&mut self.replied, at);
                self.asked.push((consent_of(event), Span { from: at, to: None }));
            }
            Kind::ConsentApproved => {
                first(&mut self.approved, at);
                finish_of(&mut self.asked, event);
                self.allowed.push((consent_of(event), Span { from: at, to: None }));
            }
            Kind::ConsentRefused | Kind::ConsentLapsed => finish_of(&mut self.asked, event),
            Kind::ConsentRefusedByDevice | Kind::ConsentRevoked | Kind::ConsentEnded => finish_of(&mut self.allowed, event),
            // The device alone knows when its byte left; it can't have been before the consent.
            Kind::SessionFirstByte => first(&mut self.first_byte, event.occurred_at.min(at)),
            Kind::FaultDiagnosed => {
                first(&mut self.replied, at);
                first(&mut self.diagnosed, at);
            }
            Kind::FaultPending => match event.data["reason"].as_str() {
                Some("customer") => self.pending.push((Span { from: at, to: None }, "waits for the customer")),
                Some("access") => self.pending.push((Span { from: at, to: None }, "waits for access")),
                _ => {}
            },
            Kind::FaultResumed => self.resume(at),
            Kind::FaultRestored => {
                self.resume(at);
                finish(&mut self.to_restored, at);
            }
            Kind::FaultResolved => finish(&mut self.to_resolved, at),
            Kind::FaultReopened => {
                self.over_at = None;
                self.start(at);
            }
            Kind::FaultClosed | Kind::FaultRejected | Kind::FaultCancelled | Kind::FaultDuplicate => {
                self.resume(at);
                for (_, span) in self.asked.iter_mut().chain(&mut self.allowed).filter(|(_, span)| span.to.is_none()) {
                    span.to = Some(at);
                }
                self.over_at = Some(at);
            }
            _ => {}
        }
    }

    fn start(&mut self, at: Timestamp) {
        for spans in [&mut self.to_restored, &mut self.to_resolved] {
            if spans.last().is_none_or(|span| span.to.is_some()) {
                spans.push(Span { from: at, to: None });
            }
        }
    }

    fn resume(&mut self, at: Timestamp) {
        if let Some((span, _)) = self.pending.last_mut().filter(|(span, _)| span.to.is_none()) {
            span.to = Some(at);
        }
    }

    fn session_due_from(&self) -> Option<Timestamp> {
        Some(self.approved?.max(self.accepted?))
    }

    /// When the fault waited for the customer's word: somebody had asked, and nobody was allowed in. However many had asked, it
    /// is one wait.
    fn consent_wait(&self, now: Timestamp) -> Vec<Span> {
        let spans = self.asked.iter().chain(&self.allowed).map(|(_, span)| span);
        let mut edges: Vec<_> = spans.flat_map(|span| [span.from, span.end(now)]).collect();
        edges.sort();
        edges.dedup();
        let covers = |spans: &[(String, Span)], from, to| spans.iter().any(|(_, span)| span.from <= from && span.end(now) >= to);
        let lasting = self.asked.iter().any(|(_, span)| span.to.is_none()) && !self.allowed.iter().any(|(_, span)| span.to.is_none());
        let mut waits: Vec<Span> = Vec::new();
        for pair in edges.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            if !covers(&self.asked, from, to) || covers(&self.allowed, from, to) {
                continue;
            }
            match waits.last_mut().filter(|last| last.to == Some(from)) {
                Some(last) => last.to = Some(to),
                None => waits.push(Span { from, to: Some(to) }),
            }
        }
        match waits.last_mut().filter(|last| lasting && last.to == Some(now)) {
            Some(last) => last.to = None,
            // Asked in this very moment.
            None if lasting => waits.push(Span { from: now, to: None }),
            None => {}
        }
        waits
    }

    fn pauses(&self) -> Vec<Pause> {
        self.pending.iter().map(|(span, why)| Pause { span: *span, why }).collect()
    }

    fn link_lost(presence: &[(Timestamp, bool)], now: Timestamp) -> Vec<Pause> {
        let mut lost = Vec::new();
        for (at, online) in presence {
            if *online {
                finish(&mut lost, *at);
            } else if lost.last().is_none_or(|span: &Span| span.to.is_some()) {
                lost.push(Span { from: *at, to: None });
            }
        }
        let long = |span: &Span| span.end(now).duration_since(span.from).as_secs() > LINK_LOST_S;
        lost.into_iter().filter(long).map(|span| Pause { span, why: "link lost" }).collect()
    }
}

fn consent_of(event: &Appended) -> String {
    event.data["consent"].as_str().unwrap_or_default().to_owned()
}

fn finish_of(spans: &mut [(String, Span)], event: &Appended) {
    let consent = consent_of(event);
    for (_, span) in spans.iter_mut().filter(|(id, span)| *id == consent && span.to.is_none()) {
        span.to = Some(event.recorded_at);
    }
}

fn first(slot: &mut Option<Timestamp>, at: Timestamp) {
    slot.get_or_insert(at);
}

fn finish(spans: &mut [Span], at: Timestamp) {
    for span in spans.iter_mut().filter(|span| span.to.is_none()) {
        span.to = Some(at);
    }
}

#[expect(clippy::too_many_arguments, reason = "one row of the table above")]
fn clock(
    name: &str,
    what: &str,
    target_s: Option<u32>,
    runs: &[Span],
    pauses: &[Pause],
    calendar: &Calendar,
    over_at: Option<Timestamp>,
    now: Timestamp,
) -> Clock {
    let runs: Vec<_> = runs.iter().map(|run| Span { to: run.to.or(over_at), ..*run }).collect();
    let ended = runs.last().and_then(|run| run.to);
    let void = !runs.is_empty() && over_at.is_some() && ended == over_at;
    let mut intervals = Vec::new();
    for run in &runs {
        slice(*run, pauses, calendar, now, &mut intervals);
    }
    let counted_s = |to: Option<Timestamp>, from: Timestamp| to.unwrap_or(now).max(from).duration_since(from).as_millis();
    let elapsed_ms: i128 = intervals.iter().filter(|i| i.counted).map(|i| counted_s(i.to, i.from)).sum();
    let elapsed_s = u64::try_from(elapsed_ms / 1000).unwrap_or(0);
    let breached = target_s.is_some_and(|target| elapsed_ms > i128::from(target) * 1000);
    let last_counts = intervals.last().is_some_and(|interval| interval.counted);
    let state = match (runs.is_empty(), ended) {
        (true, _) => ClockState::NotStarted,
        (false, _) if breached => ClockState::Breached,
        (false, Some(_)) if void => ClockState::Void,
        (false, Some(_)) if target_s.is_none() => ClockState::Done,
        (false, Some(_)) => ClockState::Met,
        (false, None) if last_counts => ClockState::Running,
        (false, None) => ClockState::Paused,
    };
    let remaining_s = target_s.map(|target| i64::from(target) - i64::try_from(elapsed_s).unwrap_or(i64::MAX));
    let deadline_at = remaining_s.filter(|_| ended.is_none() && last_counts).map(|seconds| calendar.after(now, seconds));
    Clock { name: name.into(), what: what.into(), state, breached, target_s, elapsed_s, deadline_at, intervals }
}

/// Cuts a running span into the intervals that count and those that don't, with the reason.
fn slice(run: Span, pauses: &[Pause], calendar: &Calendar, now: Timestamp, out: &mut Vec<Interval>) {
    let end = run.end(now);
    let mut edges = vec![run.from, end];
    let inside = |at: &Timestamp| *at > run.from && *at < end;
    edges.extend(pauses.iter().flat_map(|pause| [pause.span.from, pause.span.end(now)]).filter(inside));
    let covered = calendar.covered(run.from, end);
    edges.extend(covered.iter().flat_map(|(from, to)| [*from, *to]).filter(inside));
    edges.sort();
    edges.dedup();
    if edges.len() == 1 {
        edges.push(end);
    }
    for pair in edges.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let paused =
            pauses.iter().find(|pause| pause.span.from <= from && pause.span.end(now) >= to && pause.span.end(now) > pause.span.from);
        let open = covered.iter().any(|(start, stop)| *start <= from && *stop >= to);
        let (counted, why) = match paused {
            Some(pause) => (false, pause.why),
            None if open => (true, "running"),
            None => (false, "outside coverage hours"),
        };
        match out.last_mut().filter(|last| last.to == Some(from) && last.why == why) {
            Some(last) => last.to = Some(to),
            None => out.push(Interval { from, to: Some(to), counted, why: why.to_owned() }),
        }
    }
    if run.to.is_none()
        && let Some(last) = out.last_mut()
    {
        last.to = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    fn event(kind: Kind, minute: i64, data: Value) -> Appended {
        Appended {
            seq: 0,
            kind,
            customer: None,
            equipment: None,
            fault: None,
            internal: false,
            actor: "x".into(),
            occurred_at: at(minute),
            recorded_at: at(minute),
            text: String::new(),
            data,
        }
    }

    fn clocks(log: &[(Kind, i64)], now: i64) -> Vec<Clock> {
        let log: Vec<_> = log.iter().map(|(kind, minute)| event(*kind, *minute, Value::Null)).collect();
        let targets = Targets { accept_s: Some(300), respond_s: Some(900), restore_s: Some(4 * 3600), resolve_s: None };
        compute(&log, &[], &targets, &Calendar::Always, at(now))
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
        assert_eq!((k4.state, k4.elapsed_s), (ClockState::Met, 120));
        assert_eq!(clocks[2].elapsed_s, 120, "K3 is the customer's own time");
        assert_eq!((clocks[0].state, clocks[0].breached), (ClockState::Breached, true), "accepted after 7 of 5 minutes");
        assert_eq!((clocks[4].state, clocks[4].breached), (ClockState::Breached, true), "no diagnosis after 57 minutes");
    }

    #[test]
    fn waiting_for_the_customer_does_not_punish_the_engineer() {
        let mut log = vec![event(Kind::FaultReported, 0, Value::Null), event(Kind::FaultAccepted, 1, Value::Null)];
        log.push(event(Kind::ConsentRequested, 10, Value::Null));
        log.push(event(Kind::ConsentApproved, 40, Value::Null));
        log.push(event(Kind::FaultPending, 50, json!({"reason": "customer"})));
        log.push(event(Kind::FaultResumed, 80, Value::Null));
        log.push(event(Kind::FaultPending, 90, json!({"reason": "parts"})));
        log.push(event(Kind::FaultRestored, 100, Value::Null));
        let k6 = &compute(&log, &[], &Targets::default(), &Calendar::Always, at(200))[5];
        assert_eq!(k6.elapsed_s, (100 - 30 - 30) * 60);
        let reasons: Vec<_> = k6.intervals.iter().map(|i| (i.counted, i.why.as_str())).collect();
        assert_eq!(
            reasons,
            [(true, "running"), (false, "consent wait"), (true, "running"), (false, "waits for the customer"), (true, "running")]
        );
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
        let clocks = compute(&log, &[], &Targets::default(), &Calendar::Always, at(60));
        assert_eq!(clocks[2].elapsed_s, (10 + 10) * 60, "10 to 20, and 40 to 50: {:?}", clocks[2].intervals);
        assert_eq!(clocks[5].elapsed_s, (60 - 20) * 60);
        let waiting = compute(&log[..3], &[], &Targets::default(), &Calendar::Always, at(15));
        assert_eq!((waiting[2].elapsed_s, waiting[2].state), (5 * 60, ClockState::Running));
        assert_eq!(waiting[5].state, ClockState::Paused);
    }

    #[test]
    fn a_lost_link_pauses_only_when_it_is_long() {
        let log = [
            event(Kind::FaultReported, 0, Value::Null),
            event(Kind::FaultAccepted, 0, Value::Null),
            event(Kind::ConsentApproved, 0, Value::Null),
        ];
        let short = [(at(2), false), (at(3), true)];
        let long = [(at(2), false), (at(12), true)];
        let k4 = |presence: &[(Timestamp, bool)]| compute(&log, presence, &Targets::default(), &Calendar::Always, at(20))[3].clone();
        assert_eq!(k4(&short).elapsed_s, 20 * 60);
        assert_eq!(k4(&long).elapsed_s, 10 * 60);
        assert_eq!(k4(&long).deadline_at, Some(at(40)));
        assert_eq!(k4(&[(at(15), false)]).state, ClockState::Paused);
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
            let now = at(minute + 5);
            let k6 = compute(&log, &[], &Targets::default(), &Calendar::Always, now)[5].clone();
            proptest::prop_assert_eq!(k6.intervals[0].from, at(0));
            for pair in k6.intervals.windows(2) {
                proptest::prop_assert_eq!(pair[0].to, Some(pair[1].from));
            }
            proptest::prop_assert_eq!(k6.intervals.last().unwrap().to, None);
            let gross = now.duration_since(at(0)).as_secs();
            proptest::prop_assert!(k6.elapsed_s <= gross.unsigned_abs());
        }
    }
}

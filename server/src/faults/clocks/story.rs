//! A fault's log, read for its clocks: the moments and stretches that they are made of.

use jiff::{SignedDuration, Timestamp};
use lineman_common::fault::FaultKind;

use super::terms::Terms;
use crate::events::{Appended, Kind};

/// A shorter loss of the link is the field's everyday life and stops no clock.
const LINK_LOST: SignedDuration = SignedDuration::from_secs(60);

/// A stretch of time; without an end it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Timestamp,
    pub to: Option<Timestamp>,
}

impl Span {
    const fn lasting(from: Timestamp) -> Self {
        Self { from, to: None }
    }

    pub fn end(self, now: Timestamp) -> Timestamp {
        self.to.unwrap_or(now).max(self.from)
    }
}

/// Why and when a clock stands still.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    pub span: Span,
    pub why: &'static str,
}

/// What was said of a clock, as it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub clock: String,
    pub percent: u32,
    pub target_s: u32,
    pub due_at: Timestamp,
    pub recorded_at: Timestamp,
}

/// The moments of a fault's log that clocks ask for.
#[derive(Default)]
pub struct Story {
    pub kind: FaultKind,
    pub reported: Option<Timestamp>,
    pub accepted: Option<Timestamp>,
    pub replied: Option<Timestamp>,
    pub approved: Option<Timestamp>,
    pub first_byte: Option<Timestamp>,
    pub diagnosed: Option<Timestamp>,
    pub to_restored: Vec<Span>,
    pub to_resolved: Vec<Span>,
    /// While it was rejected, cancelled, duplicate or closed; the last one lasts if it is so now.
    over: Vec<Span>,
    /// What the clocks are judged by, each from its moment on.
    pub terms: Vec<(Timestamp, Terms)>,
    pub said: Vec<Said>,
    /// Requests that wait for their answer, each under its consent's id.
    asked: Vec<(String, Span)>,
    /// Consents that stand: approved, and not ended.
    allowed: Vec<(String, Span)>,
    pending: Vec<Pause>,
    /// The newest moment of the log so far.
    latest: Option<Timestamp>,
}

impl Story {
    pub fn read(log: &[Appended]) -> Self {
        let mut story = Self::default();
        for event in log {
            story.take(event);
        }
        story
    }

    /// The moment that counts as now: never before what the log has, even where the server's clock was set back.
    pub fn now(&self, now: Timestamp) -> Timestamp {
        self.latest.map_or(now, |latest| latest.max(now))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most of what can happen moves no clock")]
    fn take(&mut self, event: &Appended) {
        // A server whose clock was set back goes on from where it was: no stretch has a negative length.
        let at = self.now(event.recorded_at);
        self.latest = Some(at);
        match event.kind {
            Kind::FaultReported => self.report(event, at),
            Kind::FaultAccepted => first(&mut self.accepted, at),
            Kind::FaultNote if !event.internal && event.data["from_support"] == true => first(&mut self.replied, at),
            Kind::ConsentRequested => {
                first(&mut self.replied, at);
                self.asked.push((consent_of(event), Span::lasting(at)));
            }
            Kind::ConsentApproved => {
                first(&mut self.approved, at);
                finish_of(&mut self.asked, event, at);
                self.allowed.push((consent_of(event), Span::lasting(at)));
            }
            Kind::ConsentRefused | Kind::ConsentLapsed => finish_of(&mut self.asked, event, at),
            Kind::ConsentRefusedByDevice | Kind::ConsentRevoked | Kind::ConsentEnded => finish_of(&mut self.allowed, event, at),
            // The device alone knows when its byte left; it can't have been before the consent.
            Kind::SessionFirstByte => first(&mut self.first_byte, event.occurred_at.min(at)),
            Kind::FaultDiagnosed => {
                first(&mut self.replied, at);
                first(&mut self.diagnosed, at);
            }
            Kind::FaultPending => self.pend(event.data["reason"].as_str(), at),
            Kind::FaultResumed => self.resume(at),
            Kind::FaultRestored => {
                self.resume(at);
                finish(&mut self.to_restored, at);
            }
            Kind::FaultResolved => {
                self.resume(at);
                finish(&mut self.to_restored, at);
                finish(&mut self.to_resolved, at);
            }
            Kind::FaultReopened => self.reopen(at),
            // Told on both faults; the one that others had been merged into was never over for that.
            Kind::FaultUnmerged if self.over_at().is_some() => self.reopen(at),
            Kind::FaultClosed | Kind::FaultRejected | Kind::FaultCancelled | Kind::FaultDuplicate => self.end(at),
            Kind::ClockRetargeted => self.retarget(event, at),
            Kind::ClockWarned | Kind::ClockBreached => self.said.extend(said(event)),
            _ => {}
        }
    }

    fn report(&mut self, event: &Appended, at: Timestamp) {
        self.kind = event.data["kind"].as_str().and_then(|kind| kind.parse().ok()).unwrap_or_default();
        self.reported = Some(at);
        self.terms.extend(serde_json::from_value(event.data["terms"].clone()).ok().map(|terms| (at, terms)));
        self.start(at);
    }

    fn retarget(&mut self, event: &Appended, at: Timestamp) {
        let Ok(terms) = serde_json::from_value::<Terms>(event.data["now"].clone()) else { return };
        let floor = self.terms.last().map_or(self.reported, |(since, _)| Some(*since)).unwrap_or(at);
        let since = moment_of(event, "since").unwrap_or(at).clamp(floor.min(at), at);
        self.kind = terms.kind;
        self.terms.push((since, terms));
    }

    fn start(&mut self, at: Timestamp) {
        for spans in [&mut self.to_restored, &mut self.to_resolved] {
            if spans.last().is_none_or(|span| span.to.is_some()) {
                spans.push(Span::lasting(at));
            }
        }
    }

    fn reopen(&mut self, at: Timestamp) {
        // What ended with the fault stays ended: time in which nobody could work counts for nobody.
        if let Some(over_at) = self.over_at() {
            finish(&mut self.to_restored, over_at);
            finish(&mut self.to_resolved, over_at);
        }
        finish(&mut self.over, at);
        self.start(at);
    }

    fn end(&mut self, at: Timestamp) {
        self.resume(at);
        for (_, span) in self.asked.iter_mut().chain(&mut self.allowed).filter(|(_, span)| span.to.is_none()) {
            span.to = Some(at);
        }
        if self.over_at().is_none() {
            self.over.push(Span::lasting(at));
        }
    }

    /// When it ended, for good so far.
    pub fn over_at(&self) -> Option<Timestamp> {
        self.over.last().filter(|span| span.to.is_none()).map(|span| span.from)
    }

    /// A run that stands still while the fault is over, and goes on if it is taken up again.
    pub fn run(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Vec<Span> {
        let Some(mut start) = from else { return Vec::new() };
        let mut runs = Vec::new();
        for over in self.over.iter().filter(|over| to.is_none_or(|to| over.from < to)) {
            if over.from >= start {
                runs.push(Span { from: start, to: Some(over.from) });
            }
            match over.to {
                Some(taken_up) => start = start.max(taken_up),
                None => return runs,
            }
        }
        runs.push(Span { from: start, to });
        runs
    }

    /// A run that ends with the fault for good, and whether that was before what it waits for.
    pub fn run_once(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> (Vec<Span>, bool) {
        let Some(from) = from else { return (Vec::new(), false) };
        let over = self.over.iter().map(|over| over.from).find(|over| *over >= from);
        let is_cut = over.is_some_and(|over| to.is_none_or(|to| over < to));
        (vec![Span { from, to: to.into_iter().chain(over).min() }], is_cut)
    }

    fn pend(&mut self, reason: Option<&str>, at: Timestamp) {
        // One reason takes the other's place.
        self.resume(at);
        let why = match reason {
            Some("customer") => "waits for the customer",
            Some("access") => "waits for access",
            // Parts and third parties are the support centre's own to hurry.
            _ => return,
        };
        self.pending.push(Pause { span: Span::lasting(at), why });
    }

    fn resume(&mut self, at: Timestamp) {
        if let Some(pause) = self.pending.last_mut().filter(|pause| pause.span.to.is_none()) {
            pause.span.to = Some(at);
        }
    }

    pub fn session_due_from(&self) -> Option<Timestamp> {
        Some(self.approved?.max(self.accepted?))
    }

    /// When the fault waited for the customer's word: somebody had asked, and nobody was allowed in. However many had asked, it
    /// is one wait.
    pub fn consent_wait(&self, now: Timestamp) -> Vec<Span> {
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
            None if lasting => waits.push(Span::lasting(now)),
            None => {}
        }
        waits
    }

    pub fn waiting(&self) -> &[Pause] {
        &self.pending
    }
}

/// When the link was lost, by the server's record of connects and disconnects. A loss that lasts is one from its first moment: if it
/// turns out to be a short one, its time counts after all. So a clock never runs backwards, and none is breached by a loss of which
/// nobody knows yet how long it is.
pub fn link_lost(presence: &[(Timestamp, bool)]) -> Vec<Pause> {
    let mut lost: Vec<Span> = Vec::new();
    for (at, online) in presence {
        let last = lost.last_mut().filter(|span| span.to.is_none());
        match (online, last) {
            (true, Some(span)) => span.to = Some(span.end(*at)),
            (false, None) => lost.push(Span::lasting(*at)),
            (true, None) | (false, Some(_)) => {}
        }
    }
    let counts = |span: &Span| span.to.is_none_or(|to| to.duration_since(span.from) > LINK_LOST);
    lost.into_iter().filter(counts).map(|span| Pause { span, why: "link lost" }).collect()
}

fn said(event: &Appended) -> Option<Said> {
    let number = |key: &str| event.data[key].as_u64().and_then(|number| u32::try_from(number).ok());
    Some(Said {
        clock: event.data["clock"].as_str()?.to_owned(),
        percent: number("percent")?,
        target_s: number("target_s")?,
        due_at: moment_of(event, "due_at").unwrap_or(event.recorded_at),
        recorded_at: event.recorded_at,
    })
}

fn moment_of(event: &Appended, key: &str) -> Option<Timestamp> {
    event.data[key].as_str()?.parse().ok()
}

fn consent_of(event: &Appended) -> String {
    event.data["consent"].as_str().unwrap_or_default().to_owned()
}

fn finish_of(spans: &mut [(String, Span)], event: &Appended, at: Timestamp) {
    let consent = consent_of(event);
    for (_, span) in spans.iter_mut().filter(|(id, span)| *id == consent && span.to.is_none()) {
        span.to = Some(at);
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

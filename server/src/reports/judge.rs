//! One fault's log, and the things of it that count.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{Clock, ClockState, Figure, FigurePart};
use lineman_common::fault::FaultKind;

use crate::events::{Appended, Kind};

/// A step entered later than this after it happened is a late entry.
pub const LATE: SignedDuration = SignedDuration::from_mins(15);
/// The same equipment and cause within this is a repetition.
pub const REPEAT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is counted. Several figures may be made of the same count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    Faults,
    Session,
    Diagnosis,
    ConsentWait,
    Accept,
    Respond,
    Restore,
    Resolve,
    ToAccept,
    ToRestore,
    Remote,
    Accuracy,
    Proactive,
    Reopened,
    Repeated,
    CaseLinked,
    LateEntry,
    /// Every clock that applied: an opportunity to miss it.
    Opportunity,
}

impl Measure {
    pub const COUNT: usize = Self::Opportunity as usize + 1;

    pub const fn of(figure: Figure) -> Self {
        match figure {
            Figure::Faults => Self::Faults,
            Figure::Session30m => Self::Session,
            Figure::Diagnosis30m => Self::Diagnosis,
            Figure::ConsentWaitP50 | Figure::ConsentWaitP90 => Self::ConsentWait,
            Figure::AcceptInTime => Self::Accept,
            Figure::RespondInTime => Self::Respond,
            Figure::RestoreInTime => Self::Restore,
            Figure::ResolveInTime => Self::Resolve,
            Figure::Mtta => Self::ToAccept,
            Figure::Mttr => Self::ToRestore,
            Figure::RemoteResolution => Self::Remote,
            Figure::DiagnosisAccuracy => Self::Accuracy,
            Figure::Proactive => Self::Proactive,
            Figure::Reopen => Self::Reopened,
            Figure::Repeat => Self::Repeated,
            Figure::CaseLink => Self::CaseLinked,
            Figure::LateEntry => Self::LateEntry,
            Figure::Dpmo | Figure::Sigma => Self::Opportunity,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// In both lists.
    Counted,
    /// In the denominator only.
    NotCounted,
    /// In neither yet.
    Undecided,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub measure: Measure,
    pub mark: Mark,
    /// Which of several things of the fault.
    pub what: Option<Cow<'static, str>>,
    pub took: Option<SignedDuration>,
}

impl Item {
    fn of(measure: Measure, mark: Mark) -> Self {
        Self { measure, mark, what: None, took: None }
    }

    fn share(measure: Measure, is: bool) -> Self {
        Self::of(measure, if is { Mark::Counted } else { Mark::NotCounted })
    }

    pub fn is_in(&self, figure: Figure, part: FigurePart) -> bool {
        let is_listed = match part {
            FigurePart::Numerator => self.mark == Mark::Counted,
            FigurePart::Denominator => self.mark != Mark::Undecided,
        };
        self.measure == Measure::of(figure) && is_listed
    }
}

/// How a fault ended, so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Closed,
    /// Rejected, cancelled, or another's duplicate: it was no fault of its own.
    Void,
}

#[derive(Debug)]
struct Resolved {
    onsite: bool,
    cause: String,
}

#[derive(Debug)]
struct Wait {
    consent: String,
    asked: Timestamp,
    answered: Option<Timestamp>,
}

/// What a fault's log says, as far as figures ask.
#[derive(Debug)]
pub struct Life {
    pub reported_at: Timestamp,
    pub severity: Option<String>,
    /// Of the contract, as the log's newest terms name it.
    pub tier: Option<String>,
    pub office: Option<String>,
    /// Consulting, an upgrade: a request, and no fault.
    pub is_request: bool,
    by_people: bool,
    accepted: Option<Timestamp>,
    /// Without service: from the report, and from each reopening, until it was restored.
    outages: Vec<(Timestamp, Option<Timestamp>)>,
    over: Option<Over>,
    resolved: Option<Resolved>,
    first_cause: Option<String>,
    reopened: bool,
    visited: bool,
    /// The verdict on each case; a case that was drafted from the fault belongs to it.
    cases: BTreeMap<String, bool>,
    waits: Vec<Wait>,
    pub asked_consent: bool,
    steps: Vec<(Kind, Timestamp, SignedDuration)>,
}

/// Said in other capitals or with other spaces it is the same cause.
fn same(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn is_person(actor: &str) -> bool {
    actor != "system" && !actor.starts_with("agent:")
}

impl Life {
    /// `None` when the log does not begin with a report: that is no fault's log.
    pub fn read(log: &[Appended]) -> Option<Self> {
        let report = log.iter().find(|event| event.kind == Kind::FaultReported)?;
        let mut life = Self {
            reported_at: report.recorded_at,
            severity: None,
            tier: None,
            office: None,
            is_request: false,
            by_people: is_person(&report.actor),
            accepted: None,
            outages: vec![(report.recorded_at, None)],
            over: None,
            resolved: None,
            first_cause: None,
            reopened: false,
            visited: false,
            cases: BTreeMap::new(),
            waits: Vec::new(),
            asked_consent: false,
            steps: Vec::new(),
        };
        for event in log {
            life.take(event);
        }
        Some(life)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most of what can happen is in no figure")]
    fn take(&mut self, event: &Appended) {
        let at = event.recorded_at;
        let text = |name: &str| event.data[name].as_str().unwrap_or_default().to_owned();
        if event.kind.as_str().starts_with("fault.") && is_person(&event.actor) {
            self.steps.push((event.kind, event.occurred_at, at.duration_since(event.occurred_at)));
        }
        match event.kind {
            Kind::FaultReported | Kind::FaultEdited => self.describe(event),
            Kind::ClockRetargeted => self.tier = event.data["now"]["tier"].as_str().map(str::to_owned).or(self.tier.take()),
            Kind::FaultAccepted => {
                self.accepted.get_or_insert(at);
            }
            Kind::FaultDiagnosed => {
                self.first_cause.get_or_insert_with(|| same(&text("cause")));
            }
            Kind::FaultRestored => self.restored(at),
            Kind::FaultResolved => {
                self.restored(at);
                self.resolved = Some(Resolved { onsite: text("channel") == "onsite", cause: same(&text("cause")) });
            }
            Kind::FaultReopened => {
                self.reopened = true;
                self.resolved = None;
                self.over = None;
                if self.outages.last().is_none_or(|(_, end)| end.is_some()) {
                    self.outages.push((at, None));
                }
            }
            Kind::FaultClosed => self.over = Some(Over::Closed),
            Kind::FaultRejected | Kind::FaultCancelled | Kind::FaultDuplicate => self.over = Some(Over::Void),
            // Told on both faults; the one that others had been merged into was not over for that.
            Kind::FaultUnmerged if self.over == Some(Over::Void) => self.over = None,
            Kind::CaseCreated => {
                self.cases.insert(event.data["case"].to_string(), true);
            }
            Kind::CaseLinked => {
                self.cases.insert(event.data["case"].to_string(), text("verdict") != "wrong");
            }
            Kind::CaseUnlinked => {
                self.cases.remove(&event.data["case"].to_string());
            }
            Kind::ConsentRequested => {
                self.asked_consent = true;
                self.waits.push(Wait { consent: text("consent"), asked: at, answered: None });
            }
            // A standing statement has answered before anybody was asked.
            Kind::ConsentApproved if event.actor == "system" => {
                self.asked_consent = true;
                let consent = text("consent");
                self.waits.retain(|wait| wait.consent != consent);
            }
            Kind::ConsentApproved | Kind::ConsentRefused | Kind::ConsentLapsed => {
                self.asked_consent = true;
                let consent = text("consent");
                for wait in self.waits.iter_mut().filter(|wait| wait.consent == consent) {
                    wait.answered.get_or_insert(at);
                }
            }
            Kind::FaultRouted => self.office = event.data["office"].as_str().map(str::to_owned),
            Kind::FaultActivity if event.data["kind"] == "visit" => self.visited |= matches!(text("state").as_str(), "running" | "done"),
            _ => {}
        }
    }

    /// What the fault says of itself, and may say otherwise later.
    fn describe(&mut self, event: &Appended) {
        if let Some(severity) = event.data["severity"].as_str() {
            self.severity = Some(severity.to_owned());
        }
        if let Some(kind) = event.data["kind"].as_str() {
            self.is_request = kind != FaultKind::Fault.as_str();
        }
        if let Some(tier) = event.data["terms"]["tier"].as_str() {
            self.tier = Some(tier.to_owned());
        }
    }

    fn restored(&mut self, at: Timestamp) {
        if let Some((_, end)) = self.outages.last_mut() {
            end.get_or_insert(at);
        }
    }

    /// Equal for faults that repeat each other on one piece of equipment; none while the cause is not settled.
    pub fn settled_cause(&self) -> Option<&str> {
        let resolved = self.resolved.as_ref().filter(|_| self.over != Some(Over::Void))?;
        Some(resolved.cause.as_str()).filter(|cause| !cause.is_empty())
    }

    /// Everything that counts. `repeats`: the same cause was on the same equipment before; none when there is no equipment.
    pub fn items(&self, clocks: &[Clock], repeats: Option<bool>, out: &mut Vec<Item>) {
        out.clear();
        of_clocks(clocks, out);
        self.of_consents(out);
        for (kind, occurred_at, late) in &self.steps {
            let what = Some(Cow::Owned(format!("{kind} at {occurred_at}")));
            out.push(Item { what, took: Some(*late), ..Item::share(Measure::LateEntry, *late > LATE) });
        }
        if self.over != Some(Over::Void) {
            self.of_real(repeats, out);
        }
        if let Some(at) = self.accepted {
            out.push(Item { took: Some(at.duration_since(self.reported_at)), ..Item::of(Measure::ToAccept, Mark::Counted) });
        } else if self.over.is_none() {
            out.push(Item::of(Measure::ToAccept, Mark::Undecided));
        }
    }

    fn of_consents(&self, out: &mut Vec<Item>) {
        for wait in &self.waits {
            let mark = match wait.answered {
                Some(_) => Mark::Counted,
                None if self.over.is_none() => Mark::Undecided,
                None => continue,
            };
            let took = wait.answered.map(|at| at.duration_since(wait.asked));
            out.push(Item { measure: Measure::ConsentWait, mark, what: Some(Cow::Owned(wait.consent.clone())), took });
        }
    }

    /// What only a fault of its own has.
    fn of_real(&self, repeats: Option<bool>, out: &mut Vec<Item>) {
        out.push(Item::of(Measure::Faults, Mark::Counted));
        out.push(Item::share(Measure::Proactive, !self.by_people));
        let outages: Option<Vec<_>> = self.outages.iter().map(|(from, to)| Some(to.as_ref()?.duration_since(*from))).collect();
        if let Some(outages) = outages {
            let took = outages.into_iter().fold(SignedDuration::ZERO, jiff::SignedDuration::saturating_add);
            out.push(Item { took: Some(took), ..Item::of(Measure::ToRestore, Mark::Counted) });
        } else if self.over.is_none() {
            out.push(Item::of(Measure::ToRestore, Mark::Undecided));
        }
        if self.outages.iter().any(|(_, end)| end.is_some()) {
            out.push(Item::share(Measure::Reopened, self.reopened));
        } else if self.over.is_none() {
            out.push(Item::of(Measure::Reopened, Mark::Undecided));
        }
        let Some(resolved) = &self.resolved else {
            if self.over.is_none() {
                let later = [Measure::Remote, Measure::CaseLinked].into_iter();
                let with_cause = self.first_cause.is_some().then_some(Measure::Accuracy);
                let with_equipment = repeats.is_some().then_some(Measure::Repeated);
                out.extend(later.chain(with_cause).chain(with_equipment).map(|measure| Item::of(measure, Mark::Undecided)));
            }
            return;
        };
        out.push(Item::share(Measure::Remote, !resolved.onsite && !self.visited));
        out.push(Item::share(Measure::CaseLinked, self.cases.values().any(|was_right| *was_right)));
        if let Some(first) = self.first_cause.as_ref().filter(|_| !resolved.cause.is_empty()) {
            out.push(Item::share(Measure::Accuracy, *first == resolved.cause));
        }
        if let Some(repeats) = repeats.filter(|_| !resolved.cause.is_empty()) {
            out.push(Item::share(Measure::Repeated, repeats));
        }
    }
}

fn of_clocks(clocks: &[Clock], out: &mut Vec<Item>) {
    const OF: [(&str, Measure); 6] = [
        ("K1", Measure::Accept),
        ("K2", Measure::Respond),
        ("K4", Measure::Session),
        ("K5", Measure::Diagnosis),
        ("K6", Measure::Restore),
        ("K7", Measure::Resolve),
    ];
    for (name, measure) in OF {
        let Some(clock) = clocks.iter().find(|clock| clock.name == name && clock.target_s.is_some()) else { continue };
        // (In time; missed.)
        let (kept, missed) = match (clock.breached, clock.state) {
            (true, _) | (false, ClockState::Breached) => (Mark::NotCounted, Mark::Counted),
            (false, ClockState::Met) => (Mark::Counted, Mark::NotCounted),
            (false, ClockState::Running | ClockState::Paused) => (Mark::Undecided, Mark::Undecided),
            (false, ClockState::NotStarted | ClockState::Done | ClockState::Void) => continue,
        };
        let took = Some(SignedDuration::from_secs(i64::try_from(clock.elapsed_s).unwrap_or(i64::MAX)));
        out.push(Item { measure, mark: kept, what: None, took });
        out.push(Item { measure: Measure::Opportunity, mark: missed, what: Some(Cow::Borrowed(name)), took });
    }
}

//! The figures once more, as somebody outside would count them from the exported events: with lists, minutes and patience, and with
//! nothing of the room's own code.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lineman_common::api::{Figure, ReportBy, Tier};
use serde_json::Value;

use super::super::{Narrow, Window};

type Minute = i64;

#[derive(Clone, Debug)]
struct Happened {
    kind: String,
    at: Minute,
    claimed: Minute,
    actor: String,
    internal: bool,
    data: Value,
}

#[derive(Clone, Debug)]
pub struct Fault {
    number: String,
    equipment: Option<String>,
    story: Vec<Happened>,
    product: Option<String>,
    tier: Tier,
    /// Counted once: it is asked for often.
    clocks: Vec<(Figure, Clock)>,
    repeats: bool,
    now: Minute,
    /// When the device was away for more than a minute.
    away: Vec<(Minute, Minute)>,
}

pub struct Model {
    faults: Vec<Fault>,
}

#[derive(Default)]
pub struct Counted {
    pub value: Option<f64>,
    pub numerator: u64,
    pub denominator: u64,
    pub undecided: u64,
    /// How often each fault is in the numerator, and in the denominator.
    pub lists: [BTreeMap<String, usize>; 2],
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn minute(value: &Value, name: &str) -> Minute {
    text(value, name).parse::<Timestamp>().unwrap().as_second() / 60
}

fn normal(text: &str) -> String {
    let words: Vec<_> = text.to_lowercase().split_whitespace().map(str::to_owned).collect();
    words.join(" ")
}

impl Model {
    pub fn of(events: &[Value], products: &BTreeMap<String, String>, tiers: &BTreeMap<String, Tier>, window: &Window) -> Self {
        let now = window.as_of.as_second() / 60;
        let mut stories: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        let mut presence: BTreeMap<String, Vec<(Minute, bool)>> = BTreeMap::new();
        for event in events.iter().filter(|event| minute(event, "recorded_at") <= now) {
            if let Some(fault) = event["fault"].as_str() {
                stories.entry(fault.to_owned()).or_default().push(event);
            } else if text(event, "kind").starts_with("agent.") {
                let online = text(event, "kind") == "agent.online";
                presence.entry(text(event, "equipment").to_owned()).or_default().push((minute(event, "recorded_at"), online));
            }
        }
        let mut faults: Vec<Fault> = stories
            .into_iter()
            .filter_map(|(number, story)| {
                let equipment = story[0]["equipment"].as_str().map(str::to_owned);
                let code = number.split('-').nth(1).unwrap();
                let away = equipment.as_ref().and_then(|name| presence.get(name)).map(|seen| absences(seen, now)).unwrap_or_default();
                let story: Vec<_> = story
                    .into_iter()
                    .map(|event| Happened {
                        kind: text(event, "kind").to_owned(),
                        at: minute(event, "recorded_at"),
                        claimed: minute(event, "occurred_at"),
                        actor: text(event, "actor").to_owned(),
                        internal: event["internal"] == true,
                        data: event["data"].clone(),
                    })
                    .collect();
                let product = equipment.as_ref().map(|name| products[name].clone());
                let fault =
                    Fault { tier: tiers[code].clone(), clocks: Vec::new(), number, equipment, story, product, repeats: false, now, away };
                let request = text(&fault.story[0].data, "kind");
                (request.is_empty() || request == "fault").then_some(fault)
            })
            .collect();
        faults.sort_by_key(|fault| fault.story[0].at);
        for index in 0..faults.len() {
            let same = |other: &Fault| {
                let own = &faults[index];
                let gap = own.story[0].at - other.story[0].at;
                other.number != own.number
                    && (0..=30 * 24 * 60).contains(&gap)
                    && own.equipment.is_some()
                    && other.equipment == own.equipment
                    && own.settled().is_some()
                    && other.settled() == own.settled()
            };
            // Of two that were reported in the same minute the one that comes later in the log repeats the other.
            faults[index].repeats = faults[..index].iter().any(same);
        }
        for fault in &mut faults {
            fault.clocks = fault.clocks_now();
        }
        let (from, until) = (window.from.as_second() / 60, window.until.as_second() / 60);
        faults.retain(|fault| (from..until).contains(&fault.story[0].at));
        Self { faults }
    }

    pub fn groups(&self, window: &Window, by: &[ReportBy], narrow: &Narrow) -> BTreeMap<Vec<Option<String>>, Vec<Fault>> {
        let mut groups: BTreeMap<_, Vec<Fault>> = BTreeMap::new();
        for fault in &self.faults {
            let fits = |by: ReportBy, wanted: &Option<String>| match wanted {
                None => true,
                Some(wanted) => fault.belongs(by, window).unwrap_or_default() == *wanted,
            };
            if fits(ReportBy::Customer, &narrow.customer)
                && fits(ReportBy::Office, &narrow.office)
                && fits(ReportBy::Product, &narrow.product)
                && fits(ReportBy::Tier, &narrow.tier)
                && fits(ReportBy::Severity, &narrow.severity)
            {
                groups.entry(by.iter().map(|by| fault.belongs(*by, window)).collect()).or_default().push(fault.clone());
            }
        }
        groups
    }
}

fn absences(seen: &[(Minute, bool)], now: Minute) -> Vec<(Minute, Minute)> {
    let mut away = Vec::new();
    for (index, (at, online)) in seen.iter().enumerate() {
        if !online {
            let back = seen[index..].iter().find(|(_, online)| *online).map_or(now, |(back, _)| *back);
            let lasts = !seen[index..].iter().any(|(_, online)| *online);
            if lasts || back - at > 1 {
                away.push((*at, back));
            }
        }
    }
    away
}

/// (Missed, whether it counts; none while it runs.)
#[derive(Clone, Copy, Debug, PartialEq)]
enum Clock {
    Met,
    Missed,
    Runs,
    NotThere,
}

impl Fault {
    fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Happened> {
        self.story.iter().filter(move |happened| happened.kind == kind)
    }

    fn first(&self, kind: &str) -> Option<Minute> {
        self.all(kind).next().map(|happened| happened.at)
    }

    fn reported(&self) -> Minute {
        self.story[0].at
    }

    fn severity(&self) -> &str {
        text(&self.story[0].data, "severity")
    }

    /// The last word on whether it is over.
    fn over(&self) -> Option<&Happened> {
        let ends = ["fault.closed", "fault.rejected", "fault.cancelled", "fault.duplicate"];
        let last = self.story.iter().rfind(|happened| ends.contains(&happened.kind.as_str()) || happened.kind == "fault.reopened")?;
        Some(last).filter(|last| last.kind != "fault.reopened")
    }

    fn is_void(&self) -> bool {
        self.over().is_some_and(|over| over.kind != "fault.closed")
    }

    fn resolution(&self) -> Option<&Happened> {
        let last = self.story.iter().rfind(|happened| ["fault.resolved", "fault.reopened"].contains(&happened.kind.as_str()))?;
        Some(last).filter(|last| last.kind == "fault.resolved")
    }

    fn settled(&self) -> Option<String> {
        let cause = normal(text(&self.resolution().filter(|_| !self.is_void())?.data, "cause"));
        Some(cause).filter(|cause| !cause.is_empty())
    }

    fn belongs(&self, by: ReportBy, window: &Window) -> Option<String> {
        let day = || {
            let at = Timestamp::from_second(self.reported() * 60).unwrap();
            at.in_tz(&window.zone).unwrap().date()
        };
        match by {
            ReportBy::Customer => self.number.split('-').nth(1).map(str::to_owned),
            ReportBy::Office => self.all("fault.routed").last().map(|routed| text(&routed.data, "office").to_owned()),
            ReportBy::Product => self.product.clone(),
            ReportBy::Tier => Some(self.tier.name.clone()),
            ReportBy::Severity => Some(self.severity().to_owned()),
            ReportBy::Day => Some(day().to_string()),
            ReportBy::Week => Some(day().strftime("%G-W%V").to_string()),
            ReportBy::Month => Some(day().strftime("%Y-%m").to_string()),
            ReportBy::Quarter => Some(format!("{}-Q{}", day().year(), 1 + (day().month() - 1) / 3)),
        }
    }

    /// Stretches from each beginning to the next of its ends; without one they last.
    fn stretches(&self, begins: &[&str], ends: &[&str]) -> Vec<(Minute, Option<Minute>)> {
        let mut stretches: Vec<(Minute, Option<Minute>)> = Vec::new();
        for happened in &self.story {
            let kind = happened.kind.as_str();
            let open = stretches.last().is_some_and(|(_, end)| end.is_none());
            if begins.contains(&kind) && !open {
                stretches.push((happened.at, None));
            } else if ends.contains(&kind)
                && open
                && let Some((_, end)) = stretches.last_mut()
            {
                *end = Some(happened.at);
            }
        }
        stretches
    }

    /// Minutes in which the customer's pending or access holds the clock.
    fn waits(&self) -> Vec<(Minute, Minute)> {
        let mut waits = Vec::new();
        for (index, happened) in self.story.iter().enumerate() {
            let reason = text(&happened.data, "reason");
            if happened.kind == "fault.pending" && ["customer", "access"].contains(&reason) {
                let ends = ["fault.resumed", "fault.restored", "fault.closed", "fault.rejected", "fault.cancelled", "fault.duplicate"];
                let end = self.story[index..].iter().find(|later| ends.contains(&later.kind.as_str()));
                waits.push((happened.at, end.map_or(self.now, |end| end.at)));
            }
        }
        waits
    }

    /// Minutes in which somebody had asked and nobody was allowed in.
    fn asking(&self) -> Vec<(Minute, Minute)> {
        let overs = ["fault.closed", "fault.rejected", "fault.cancelled", "fault.duplicate"];
        let until = |from: usize, ends: &[&str]| {
            let consent = text(&self.story[from].data, "consent");
            let end = self.story[from + 1..].iter().find(|later| {
                let kind = later.kind.as_str();
                overs.contains(&kind) || (ends.contains(&kind) && text(&later.data, "consent") == consent)
            });
            (self.story[from].at, end.map_or(self.now, |end| end.at))
        };
        let spans = |kind: &str, ends: &[&str]| -> Vec<_> {
            (0..self.story.len()).filter(|index| self.story[*index].kind == kind).map(|index| until(index, ends)).collect()
        };
        let asked = spans("consent.requested", &["consent.approved", "consent.refused", "consent.lapsed"]);
        let allowed = spans("consent.approved", &["consent.ended", "consent.revoked", "consent.refused_by_device"]);
        let mut waits = Vec::new();
        for (from, to) in asked {
            let free = |minute: &Minute| !allowed.iter().any(|(begin, end)| (*begin..*end).contains(minute));
            waits.extend((from..to).filter(free).map(|minute| (minute, minute + 1)));
        }
        waits
    }

    fn clock(&self, runs: &[(Minute, Option<Minute>)], holds: &[(Minute, Minute)], target_s: Option<u32>) -> Clock {
        let (Some(target), Some(last)) = (target_s, runs.last()) else { return Clock::NotThere };
        let over = self.over().map(|over| over.at);
        let mut held = BTreeSet::new();
        let (begin, end) = (runs[0].0, last.1.or(over).unwrap_or(self.now));
        for (from, to) in holds {
            held.extend((*from).max(begin)..(*to).min(end));
        }
        let counted: i64 = runs
            .iter()
            .map(|(from, to)| {
                let to = to.or(over).unwrap_or(self.now);
                (to - from).max(0) - i64::try_from(held.range(*from..to.max(*from)).count()).unwrap()
            })
            .sum();
        match last.1.or(over) {
            _ if counted * 60 > i64::from(target) => Clock::Missed,
            None => Clock::Runs,
            Some(ended) if Some(ended) == over => Clock::NotThere,
            Some(_) => Clock::Met,
        }
    }

    fn clocks_now(&self) -> Vec<(Figure, Clock)> {
        let column = match self.severity() {
            "critical" => 0,
            "major" => 1,
            _ => 2,
        };
        let reported = self.reported();
        let replies = ["consent.requested", "fault.diagnosed"];
        let replied = self.story.iter().find(|happened| {
            (happened.kind == "fault.note" && !happened.internal && happened.data["from_support"] == true)
                || replies.contains(&happened.kind.as_str())
        });
        let approved = self.first("consent.approved");
        let due = approved.zip(self.first("fault.accepted")).map(|(approved, accepted)| approved.max(accepted));
        let one = |from: Option<Minute>, to: Option<Minute>| -> Vec<_> { from.map(|from| (from, to)).into_iter().collect() };
        let waits: Vec<_> = self.waits().into_iter().chain(self.asking()).collect();
        let restored = self.stretches(&["fault.reported", "fault.reopened"], &["fault.restored"]);
        let closed = self.stretches(&["fault.closed"], &["fault.reopened"]);
        let shut: Vec<_> = closed.iter().filter_map(|(from, to)| Some((*from, (*to)?))).collect();
        let resolved = self.stretches(&["fault.reported", "fault.reopened"], &["fault.resolved"]);
        vec![
            (Figure::AcceptInTime, self.clock(&one(Some(reported), self.first("fault.accepted")), &[], self.tier.accept_s)),
            (Figure::RespondInTime, self.clock(&one(Some(reported), replied.map(|reply| reply.at)), &shut, self.tier.respond_s)),
            (Figure::Session30m, self.promise(due, self.first_byte())),
            (Figure::Diagnosis30m, self.promise(approved, self.first("fault.diagnosed"))),
            (Figure::RestoreInTime, self.clock(&restored, &waits, self.tier.restore_s[column])),
            (Figure::ResolveInTime, self.clock(&resolved, &self.waits(), self.tier.resolve_s[column])),
        ]
    }

    /// Kept by what was promised, before the fault was over for the first time since.
    fn promise(&self, from: Option<Minute>, kept: Option<Minute>) -> Clock {
        let Some(from) = from else { return Clock::NotThere };
        let overs = ["fault.closed", "fault.rejected", "fault.cancelled", "fault.duplicate"];
        let over = self.story.iter().find(|happened| happened.at >= from && overs.contains(&happened.kind.as_str())).map(|over| over.at);
        let end = kept.into_iter().chain(over).min();
        let minutes =
            (from..end.unwrap_or(self.now)).filter(|minute| !self.away.iter().any(|(gone, back)| (*gone..*back).contains(minute)));
        match end {
            _ if minutes.count() > 30 => Clock::Missed,
            None => Clock::Runs,
            Some(_) if kept.is_some_and(|kept| end == Some(kept)) && kept != over => Clock::Met,
            Some(_) => Clock::NotThere,
        }
    }

    fn first_byte(&self) -> Option<Minute> {
        self.all("session.first_byte").next().map(|byte| byte.claimed.min(byte.at))
    }

    /// Everything that a figure takes from this fault: `Some(true)` counts in both lists, `Some(false)` below the line only, `None` is open.
    fn counts(&self, figure: Figure) -> Vec<(Option<bool>, i64)> {
        let open = self.over().is_none();
        let decided = |is: bool| vec![(Some(is), 0)];
        let open_or_nothing = || if open { vec![(None, 0)] } else { Vec::new() };
        let real = !self.is_void();
        let resolution = self.resolution();
        let mark = |clock: Clock, missed_counts: bool| match clock {
            Clock::Met => vec![(Some(!missed_counts), 0)],
            Clock::Missed => vec![(Some(missed_counts), 0)],
            Clock::Runs => vec![(None, 0)],
            Clock::NotThere => Vec::new(),
        };
        match figure {
            Figure::Faults if real => decided(true),
            Figure::Session30m
            | Figure::Diagnosis30m
            | Figure::AcceptInTime
            | Figure::RespondInTime
            | Figure::RestoreInTime
            | Figure::ResolveInTime => {
                let (_, clock) = self.clocks.iter().find(|(of, _)| *of == figure).unwrap();
                mark(*clock, false)
            }
            Figure::Dpmo | Figure::Sigma => self.clocks.iter().flat_map(|(_, clock)| mark(*clock, true)).collect(),
            Figure::ConsentWaitP50 | Figure::ConsentWaitP90 => {
                let asked = self.all("consent.requested").filter_map(|asked| {
                    let answers = ["consent.approved", "consent.refused", "consent.lapsed"];
                    let answer = self.story.iter().find(|later| {
                        answers.contains(&later.kind.as_str()) && text(&later.data, "consent") == text(&asked.data, "consent")
                    });
                    match answer {
                        Some(answer) if answer.kind == "consent.approved" && answer.actor == "system" => None,
                        Some(answer) => Some((Some(true), answer.at - asked.at)),
                        None => open.then_some((None, 0)),
                    }
                });
                asked.collect()
            }
            Figure::Mtta => match self.first("fault.accepted") {
                Some(accepted) => vec![(Some(true), accepted - self.reported())],
                None => open_or_nothing(),
            },
            Figure::Mttr if real => {
                let outages = self.stretches(&["fault.reported", "fault.reopened"], &["fault.restored"]);
                match outages.iter().map(|(from, to)| to.map(|to| to - from)).sum::<Option<i64>>() {
                    Some(sum) => vec![(Some(true), sum)],
                    None => open_or_nothing(),
                }
            }
            Figure::RemoteResolution if real => match resolution {
                Some(resolution) => decided(text(&resolution.data, "channel") != "onsite"),
                None => open_or_nothing(),
            },
            Figure::DiagnosisAccuracy if real => match (self.all("fault.diagnosed").next(), resolution) {
                (Some(first), Some(last)) => decided(normal(text(&first.data, "cause")) == normal(text(&last.data, "cause"))),
                (Some(_), None) => open_or_nothing(),
                (None, _) => Vec::new(),
            },
            Figure::Proactive if real => {
                let by = &self.story[0].actor;
                decided(by == "system" || by.starts_with("agent:"))
            }
            Figure::Reopen if real => match self.first("fault.restored") {
                Some(_) => decided(self.first("fault.reopened").is_some()),
                None => open_or_nothing(),
            },
            Figure::Repeat if real && self.equipment.is_some() => match resolution {
                Some(_) => decided(self.repeats),
                None => open_or_nothing(),
            },
            Figure::CaseLink if real => match resolution {
                Some(_) => {
                    let mut cases = BTreeMap::new();
                    for happened in self.story.iter().filter(|happened| happened.kind.starts_with("case.")) {
                        let right = happened.kind == "case.created" || text(&happened.data, "verdict") != "wrong";
                        cases.insert(text(&happened.data, "case"), right);
                    }
                    decided(cases.values().any(|right| *right))
                }
                None => open_or_nothing(),
            },
            Figure::LateEntry => {
                let steps = self.story.iter().filter(|step| step.kind.starts_with("fault."));
                let people = steps.filter(|step| step.actor != "system" && !step.actor.starts_with("agent:"));
                people.map(|step| (Some(step.at - step.claimed > 15), 0)).collect()
            }
            Figure::Faults
            | Figure::Mttr
            | Figure::RemoteResolution
            | Figure::DiagnosisAccuracy
            | Figure::Proactive
            | Figure::Reopen
            | Figure::Repeat
            | Figure::CaseLink => Vec::new(),
        }
    }
}

pub fn figure(faults: &[Fault], figure: Figure) -> Counted {
    let mut counted = Counted::default();
    let mut minutes = Vec::new();
    for fault in faults {
        for (mark, took) in fault.counts(figure) {
            let Some(above) = mark else {
                counted.undecided += 1;
                continue;
            };
            counted.denominator += 1;
            *counted.lists[1].entry(fault.number.clone()).or_default() += 1;
            if above {
                counted.numerator += 1;
                *counted.lists[0].entry(fault.number.clone()).or_default() += 1;
            }
            minutes.push(took);
        }
    }
    minutes.sort_unstable();
    let rank = |share: f64| {
        let mut at = 0;
        while ((at + 1) as f64) < share * minutes.len() as f64 - 1e-9 {
            at += 1;
        }
        minutes[at] as f64 * 60.0
    };
    let (above, below) = (counted.numerator as f64, counted.denominator as f64);
    counted.value = (counted.denominator > 0).then(|| match figure {
        Figure::Faults => above,
        Figure::ConsentWaitP50 => rank(0.5),
        Figure::ConsentWaitP90 => rank(0.9),
        Figure::Mtta | Figure::Mttr => minutes.iter().sum::<i64>() as f64 * 60.0 / below,
        Figure::Dpmo => above * 1e6 / below,
        Figure::Sigma => sigma(above / below),
        Figure::Session30m
        | Figure::Diagnosis30m
        | Figure::AcceptInTime
        | Figure::RespondInTime
        | Figure::RestoreInTime
        | Figure::ResolveInTime
        | Figure::RemoteResolution
        | Figure::DiagnosisAccuracy
        | Figure::Proactive
        | Figure::Reopen
        | Figure::Repeat
        | Figure::CaseLink
        | Figure::LateEntry => above / below,
    });
    counted
}

/// Sums the density in small steps, from far below until what is left above is the share of defects.
fn sigma(defects: f64) -> f64 {
    let (step, mut z, mut sum) = (2e-4, -8.0f64, 0.0);
    while z < 4.5 {
        sum += (-(z + step / 2.0).powi(2) / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * step;
        if 1.0 - sum <= defects {
            break;
        }
        z += step;
    }
    (((z + 1.5) * 1e3).round() / 1e3).clamp(0.0, 6.0)
}

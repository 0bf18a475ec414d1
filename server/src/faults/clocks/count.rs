//! Counting: running stretches minus pauses, intersected with coverage, compared with what was aimed at.

use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{Clock, ClockState, ClockTarget, ClockWarning, Interval};

use super::story::{Pause, Said, Span};
use super::terms::{Held, Targets};
use crate::customers::calendars::coverage::{Cover, Coverage, Shut};

/// When it is warned, in percent of the target; 100 is the breach.
pub const WARNINGS: [u32; 3] = [50, 75, 90];
pub const BREACH: u32 = 100;
/// Times are kept to the microsecond.
const INSTANT: SignedDuration = SignedDuration::from_micros(1);
/// A calendar turns within so long, or so seldom that another look finds it.
const HORIZON: SignedDuration = SignedDuration::from_hours(15 * 24);

/// By what a clock is judged.
pub enum Judge<'a> {
    /// Around the clock, whatever the contract says.
    Always { coverage: &'a Coverage, target_s: Option<u32> },
    /// As the terms say that hold at the time.
    Terms { held: &'a [Held], target: fn(&Targets) -> Option<u32> },
}

/// One row of the table of clocks.
pub struct Rule<'a> {
    pub name: &'static str,
    pub what: &'static str,
    pub runs: Vec<Span>,
    /// The fault was over before what the clock waits for, and the clock doesn't go on when the fault does.
    pub is_cut: bool,
    pub pauses: &'a [Pause],
    pub judge: Judge<'a>,
}

/// A target, from when, and by whose coverage.
struct Aim<'a> {
    from: Timestamp,
    /// The end of time for the last.
    until: Timestamp,
    target_s: Option<u32>,
    coverage: &'a Coverage,
    why: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Running,
    Paused(&'static str),
    /// By the calendar of this aim.
    Shut(usize, Shut),
}

struct Piece {
    from: Timestamp,
    to: Timestamp,
    why: Why,
}

/// Something that is to be said of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub percent: u32,
    pub target_s: u32,
    /// When the clock reached it.
    pub reached_at: Timestamp,
    pub elapsed_s: u64,
}

/// A clock, counted up to a moment.
pub struct Counted<'a> {
    pub name: &'static str,
    pub what: &'static str,
    now: Timestamp,
    pieces: Vec<Piece>,
    aims: Vec<Aim<'a>>,
    started: bool,
    ended: Option<Timestamp>,
    /// It ended because the fault did.
    void: bool,
}

impl<'a> Counted<'a> {
    pub fn new(rule: Rule<'a>, over_at: Option<Timestamp>, now: Timestamp) -> Self {
        let runs: Vec<_> = rule.runs.iter().map(|run| Span { to: run.to.or(over_at), ..*run }).collect();
        let ended = runs.last().and_then(|run| run.to);
        let mut aims = aims(&rule.judge);
        let pauses = flat(rule.pauses, now);
        let mut cutter = Cutter { pauses: &pauses, next: 0, pieces: Vec::new() };
        for run in &runs {
            cutter.run(*run, &aims, now);
        }
        let pieces = cutter.pieces;
        // What was agreed after it had ended is not for this clock.
        aims.retain(|aim| ended.is_none_or(|ended| aim.from < ended || aim.from == Timestamp::MIN));
        Self {
            name: rule.name,
            what: rule.what,
            now,
            pieces,
            aims,
            started: !runs.is_empty(),
            ended,
            void: rule.is_cut || (ended.is_some() && ended == over_at),
        }
    }

    fn running(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().filter(|piece| piece.why == Why::Running)
    }

    /// Running time up to a moment.
    fn elapsed_at(&self, at: Timestamp) -> SignedDuration {
        self.running()
            .filter(|piece| piece.from < at)
            .fold(SignedDuration::ZERO, |sum, piece| sum.saturating_add(piece.to.min(at).duration_since(piece.from)))
    }

    fn elapsed(&self) -> SignedDuration {
        self.elapsed_at(Timestamp::MAX)
    }

    /// The first moment when so much had elapsed.
    fn reached(&self, elapsed: SignedDuration) -> Option<Timestamp> {
        let mut left = elapsed;
        for piece in self.running() {
            let length = piece.to.duration_since(piece.from);
            if length >= left {
                return piece.from.checked_add(left).ok();
            }
            left -= length;
        }
        None
    }

    fn aim(&self) -> Option<&Aim<'a>> {
        self.aims.last()
    }

    fn target_s(&self) -> Option<u32> {
        self.aim().and_then(|aim| aim.target_s)
    }

    /// A target that was missed while it held, and when.
    fn breach(&self, aim: &Aim<'_>) -> Option<(u32, Timestamp)> {
        let target_s = aim.target_s?;
        let target = SignedDuration::from_secs(i64::from(target_s));
        if self.elapsed_at(aim.until) <= target || !self.was_alive(aim) {
            return None;
        }
        // A target that is used up when the office closes is missed when it opens again, and not before.
        let missed = self.reached(target + INSTANT).and_then(|at| at.checked_sub(INSTANT).ok())?;
        Some((target_s, missed.max(aim.from)))
    }

    /// Was the clock started, and not ended, while this was aimed at? Of two that began at one moment, only the later ever held.
    fn was_alive(&self, aim: &Aim<'_>) -> bool {
        if aim.from >= aim.until {
            return false;
        }
        let lasts = self.ended.is_none() && self.pieces.last().is_some_and(|last| last.to >= aim.from);
        lasts || self.pieces.iter().any(|piece| piece.from < aim.until && piece.to > aim.from)
    }

    fn is_breached(&self, said: &[Said]) -> bool {
        said.iter().any(|said| said.clock == self.name && said.percent == BREACH) || self.aims.iter().any(|aim| self.breach(aim).is_some())
    }

    fn was_said(&self, said: &[Said], target_s: u32, percent: u32) -> bool {
        said.iter().any(|said| said.clock == self.name && said.target_s == target_s && said.percent >= percent)
    }

    /// What is to be said now. Of several warnings that came due while nobody looked, only the last is news.
    pub fn due(&self, said: &[Said]) -> Vec<Due> {
        let elapsed_s = seconds(self.elapsed());
        let mut due: Vec<Due> = Vec::new();
        for (target_s, reached_at) in self.aims.iter().filter_map(|aim| self.breach(aim)) {
            let known = due.iter().any(|due| due.target_s == target_s);
            if !known && !self.was_said(said, target_s, BREACH) {
                due.push(Due { percent: BREACH, target_s, reached_at, elapsed_s });
            }
        }
        let Some(aim) = self.aim().filter(|aim| self.ended.is_none() && self.breach(aim).is_none()) else { return due };
        let Some(target_s) = aim.target_s else { return due };
        let latest = WARNINGS.iter().rev().find_map(|percent| self.reached(part(target_s, *percent)).map(|at| (*percent, at)));
        if let Some((percent, at)) = latest
            && !self.was_said(said, target_s, percent)
            && self.started
        {
            due.push(Due { percent, target_s, reached_at: at.max(aim.from), elapsed_s });
        }
        due
    }

    /// When there will be something to say next, if nothing happens to the fault.
    pub fn next_due(&self) -> Option<Timestamp> {
        let aim = self.aim().filter(|_| self.started && self.ended.is_none())?;
        let (target_s, elapsed) = (aim.target_s?, self.elapsed());
        let breach = part(target_s, BREACH) + INSTANT;
        let next = WARNINGS.iter().map(|percent| part(target_s, *percent)).chain([breach]).find(|part| *part > elapsed)?;
        self.reaches(aim, next - elapsed)
    }

    /// When so much more will have elapsed, if it goes on as now.
    fn reaches(&self, aim: &Aim<'_>, more: SignedDuration) -> Option<Timestamp> {
        match self.pieces.last()?.why {
            Why::Paused(_) => None,
            Why::Running | Why::Shut(..) => aim.coverage.after(self.now, more),
        }
    }

    /// When the calendar next opens or shuts, if the clock goes by one.
    pub fn turns_at(&self) -> Option<Timestamp> {
        let aim = self.aim().filter(|aim| self.started && self.ended.is_none() && aim.target_s.is_some())?;
        let horizon = self.now.saturating_add(HORIZON).unwrap_or(self.now);
        let mut turn = None;
        let _ = aim.coverage.walk(self.now, horizon, |_, to, _| {
            turn = Some(to).filter(|to| *to < horizon);
            ControlFlow::Break(())
        });
        turn
    }

    fn deadline(&self) -> Option<Timestamp> {
        let aim = self.aim().filter(|_| self.started && self.ended.is_none())?;
        let target = part(aim.target_s?, BREACH);
        match self.reached(target) {
            Some(at) => Some(at.max(aim.from)),
            None => self.reaches(aim, target - self.elapsed()),
        }
    }

    fn state(&self, breached: bool) -> ClockState {
        match (self.started, self.ended, self.pieces.last().map(|piece| piece.why)) {
            (false, _, _) => ClockState::NotStarted,
            (true, _, _) if breached => ClockState::Breached,
            (true, Some(_), _) if self.void => ClockState::Void,
            (true, Some(_), _) if self.target_s().is_none() => ClockState::Done,
            (true, Some(_), _) => ClockState::Met,
            (true, None, Some(Why::Running)) => ClockState::Running,
            (true, None, _) => ClockState::Paused,
        }
    }

    /// As the API shows it.
    pub fn show(&self, said: &[Said]) -> Clock {
        let breached = self.is_breached(said);
        let elapsed_s = seconds(self.elapsed());
        let percent = self.target_s().filter(|_| self.started).map(|target| elapsed_s * 100 / u64::from(target.max(1)));
        let warning = |said: &Said| {
            let Said { percent, target_s, due_at, recorded_at, .. } = *said;
            ClockWarning { percent, target_s, due_at, recorded_at }
        };
        Clock {
            name: self.name.into(),
            what: self.what.into(),
            state: self.state(breached),
            breached,
            target_s: self.target_s(),
            elapsed_s,
            percent: percent.map(|percent| u32::try_from(percent).unwrap_or(u32::MAX)),
            deadline_at: self.deadline(),
            coverage: self.aim().map(|aim| aim.coverage.label()).unwrap_or_default(),
            intervals: self.intervals(),
            warnings: said.iter().filter(|said| said.clock == self.name).map(warning).collect(),
            targets: self.targets(),
        }
    }

    fn intervals(&self) -> Vec<Interval> {
        let why = |why: Why| match why {
            Why::Running => "running".to_owned(),
            Why::Paused(why) => why.to_owned(),
            Why::Shut(aim, shut) => self.aims.get(aim).map(|aim| aim.coverage.why(shut)).unwrap_or_default(),
        };
        let show =
            |piece: &Piece| Interval { from: piece.from, to: Some(piece.to), counted: piece.why == Why::Running, why: why(piece.why) };
        let mut intervals: Vec<_> = self.pieces.iter().map(show).collect();
        if let Some(last) = intervals.last_mut().filter(|_| self.ended.is_none()) {
            last.to = None;
        }
        intervals
    }

    fn targets(&self) -> Vec<ClockTarget> {
        let Some(start) = self.pieces.first().map(|piece| piece.from) else { return Vec::new() };
        let show = |aim: &Aim<'_>| ClockTarget {
            from: aim.from.max(start),
            target_s: aim.target_s,
            coverage: aim.coverage.label(),
            why: aim.why.to_owned(),
        };
        self.aims.iter().filter(|aim| aim.until > start).map(show).collect()
    }
}

fn part(target_s: u32, percent: u32) -> SignedDuration {
    SignedDuration::from_millis(i64::from(target_s) * i64::from(percent) * 10)
}

fn seconds(elapsed: SignedDuration) -> u64 {
    u64::try_from(elapsed.as_secs()).unwrap_or(0)
}

fn aims<'a>(judge: &Judge<'a>) -> Vec<Aim<'a>> {
    match *judge {
        Judge::Always { coverage, target_s } => {
            vec![Aim { from: Timestamp::MIN, until: Timestamp::MAX, target_s, coverage, why: "always" }]
        }
        Judge::Terms { held, target } => {
            let from = |index: usize, held: &Held| if index == 0 { Timestamp::MIN } else { held.since };
            let until = |index: usize| held.get(index + 1).map_or(Timestamp::MAX, |next| next.since);
            let aim = |(index, held): (usize, &'a Held)| Aim {
                from: from(index, held),
                until: until(index),
                target_s: target(&held.targets),
                coverage: &held.coverage,
                why: &held.why,
            };
            held.iter().enumerate().map(aim).collect()
        }
    }
}

/// Pauses in order and without overlap: where two meet, the one that began first is the reason.
fn flat(pauses: &[Pause], now: Timestamp) -> Vec<(Timestamp, Timestamp, &'static str, bool)> {
    let mut all: Vec<_> = pauses.iter().map(|pause| (pause.span.from, pause.span.end(now), pause.why, pause.span.to.is_none())).collect();
    all.sort_by_key(|(from, to, ..)| (*from, *to));
    let mut flat: Vec<(Timestamp, Timestamp, &'static str, bool)> = Vec::new();
    for (from, to, why, lasts) in all {
        let from = flat.last().map_or(from, |last| from.max(last.1));
        if to > from || lasts {
            flat.push((from, to.max(from), why, lasts));
        }
    }
    flat
}

struct Cutter<'p> {
    pauses: &'p [(Timestamp, Timestamp, &'static str, bool)],
    /// The first pause that may still matter.
    next: usize,
    pieces: Vec<Piece>,
}

impl Cutter<'_> {
    fn run(&mut self, run: Span, aims: &[Aim<'_>], now: Timestamp) {
        let end = run.end(now);
        for (index, aim) in aims.iter().enumerate() {
            let (from, to) = (run.from.max(aim.from), end.min(aim.until));
            if from < to {
                let _ = aim.coverage.walk(from, to, |from, to, cover| {
                    self.cut(from, to, covered(index, cover));
                    ControlFlow::Continue(())
                });
            }
        }
        if run.to.is_none() {
            let here = self.at(end, aims);
            self.push(end, end, here);
        } else if run.from == end {
            self.push(end, end, Why::Running);
        }
    }

    /// What holds in this very moment: something may just have begun.
    fn at(&self, now: Timestamp, aims: &[Aim<'_>]) -> Why {
        if let Some((.., why, _)) = self.pauses.iter().rev().find(|(_, to, _, lasts)| *lasts && *to >= now) {
            return Why::Paused(why);
        }
        let mut here = Why::Running;
        if let Some((index, aim)) = aims.iter().enumerate().rfind(|(_, aim)| aim.from <= now) {
            let _ = aim.coverage.walk(now, now.saturating_add(INSTANT).unwrap_or(now), |_, _, cover| {
                here = covered(index, cover);
                ControlFlow::Break(())
            });
        }
        here
    }

    fn cut(&mut self, mut from: Timestamp, to: Timestamp, why: Why) {
        while from < to {
            while self.pauses.get(self.next).is_some_and(|pause| pause.1 <= from) {
                self.next += 1;
            }
            match self.pauses.get(self.next) {
                Some((begins, ends, paused, _)) if *begins <= from => {
                    self.push(from, to.min(*ends), Why::Paused(paused));
                    from = to.min(*ends);
                }
                Some((begins, ..)) if *begins < to => {
                    self.push(from, *begins, why);
                    from = *begins;
                }
                Some(_) | None => {
                    self.push(from, to, why);
                    from = to;
                }
            }
        }
    }

    fn push(&mut self, from: Timestamp, to: Timestamp, why: Why) {
        match self.pieces.last_mut().filter(|last| last.to == from && last.why == why) {
            Some(last) => last.to = to,
            None => self.pieces.push(Piece { from, to, why }),
        }
    }
}

fn covered(aim: usize, cover: Cover) -> Why {
    match cover {
        Cover::Open => Why::Running,
        Cover::Shut(shut) => Why::Shut(aim, shut),
    }
}

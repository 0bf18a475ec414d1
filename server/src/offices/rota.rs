//! Who is on duty when: the plan of one office, computed from its shifts and overrides.
//!
//! Nothing is stored of what follows from a plan. A shift is meant on the clock on the wall: its beginning and its end are each turned
//! into a moment by the zone's rules, in the same way, so that shifts that meet on the wall meet in time too. In the night when clocks
//! go back a shift is an hour longer, in the other an hour shorter, and nobody is missing or doubled between two shifts. A time that
//! does not exist is as much later as the clocks jump; one that comes twice is the first.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use lineman_common::Printable;
use lineman_common::api::{DayTime, DutyHours, OnDuty, Override, OverrideKind, Shift, Stretch};
use lineman_common::calendar::Weekday;
use lineman_common::name::PersonName;

/// All that decides about duty in one office.
pub struct Rota {
    pub zone: TimeZone,
    pub shifts: Vec<Shift>,
    /// In the order in which they apply.
    pub overrides: Vec<Override>,
    /// When somebody should be there; always when empty.
    pub staffed: Vec<DutyHours>,
    /// Disabled people: on no duty, whatever the plan says.
    pub away: Vec<PersonName>,
}

impl Rota {
    /// Who is on duty at a moment, primaries first.
    pub fn at(&self, at: Timestamp) -> Vec<OnDuty> {
        let mut duty: Vec<OnDuty> = self.shifts.iter().flat_map(|shift| self.of_shift(shift, at)).collect();
        for change in self.overrides.iter().filter(|change| change.from <= at && at < change.to) {
            apply(&mut duty, change);
        }
        duty.retain(|one| !self.away.contains(&one.person));
        duty.sort_by_key(|one| one.rank);
        let mut seen = Vec::new();
        duty.retain(|one| {
            let new = !seen.contains(&one.person);
            seen.push(one.person.clone());
            new
        });
        duty
    }

    fn of_shift(&self, shift: &Shift, at: Timestamp) -> Vec<OnDuty> {
        let around = self.days_around(at);
        let today = around.into_iter().find(|date| {
            begins_on(&shift.days, *date)
                && (shift.start..=shift.end.unwrap_or(Date::MAX)).contains(date)
                && span(&self.zone, *date, shift.from, shift.to).is_some_and(|(from, to)| from <= at && at < to)
        });
        let people = today.and_then(|date| turn(shift, date)).unwrap_or_default();
        people
            .iter()
            .map(|person| OnDuty { person: person.clone(), rank: shift.rank, shift: Some(shift.name.clone()), because: None })
            .collect()
    }

    /// The days on which something that lasts at this moment may have begun.
    fn days_around(&self, at: Timestamp) -> Vec<Date> {
        let today = at.to_zoned(self.zone.clone()).date();
        [today.yesterday().ok(), Some(today), today.tomorrow().ok()].into_iter().flatten().collect()
    }

    fn is_staffed(&self, at: Timestamp) -> bool {
        let lasts = |hours: &DutyHours, date: Date| {
            begins_on(&hours.days, date) && span(&self.zone, date, hours.from, hours.to).is_some_and(|(from, to)| from <= at && at < to)
        };
        self.staffed.is_empty() || self.days_around(at).into_iter().any(|date| self.staffed.iter().any(|hours| lasts(hours, date)))
    }

    /// Every moment within the time at which something may change.
    fn edges(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let mut edges = vec![from, to];
        let first = from.to_zoned(self.zone.clone()).date();
        let first = first.yesterday().unwrap_or(first);
        let last = to.to_zoned(self.zone.clone()).date();
        let times: Vec<(&[Weekday], DayTime, DayTime)> = self
            .shifts
            .iter()
            .map(|shift| (&shift.days[..], shift.from, shift.to))
            .chain(self.staffed.iter().map(|hours| (&hours.days[..], hours.from, hours.to)))
            .collect();
        for date in first.series(jiff::Span::new().days(1)).take_while(|date| *date <= last) {
            for (days, begin, end) in &times {
                if begins_on(days, date)
                    && let Some((begin, end)) = span(&self.zone, date, *begin, *end)
                {
                    edges.extend([begin, end]);
                }
            }
        }
        edges.extend(self.overrides.iter().flat_map(|change| [change.from, change.to]));
        edges.retain(|at| (from..=to).contains(at));
        edges.sort();
        edges.dedup();
        edges
    }

    /// Who is on duty from one moment to another, in stretches of the same people.
    pub fn plan(&self, from: Timestamp, to: Timestamp) -> Vec<Stretch> {
        let mut plan: Vec<Stretch> = Vec::new();
        for pair in self.edges(from, to).windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let on_duty = self.at(from);
            let gap = on_duty.is_empty() && self.is_staffed(from);
            match plan.last_mut().filter(|last| last.on_duty == on_duty && last.gap == gap) {
                Some(last) => last.to = to,
                None => plan.push(Stretch { from, to, on_duty, gap }),
            }
        }
        plan
    }
}

fn apply(duty: &mut Vec<OnDuty>, change: &Override) {
    let because = |text: String| Some(Printable::new(text));
    let replace = |one: &mut OnDuty, by: &PersonName, text: String| {
        one.person = by.clone();
        one.because = because(text);
    };
    match (change.kind, &change.other) {
        (OverrideKind::StandIn, Some(other)) => {
            for one in duty.iter_mut().filter(|one| one.person == change.person) {
                replace(one, other, format!("stands in for {}: {}", change.person, change.reason));
            }
        }
        (OverrideKind::Swap, Some(other)) => {
            for one in duty.iter_mut() {
                if one.person == change.person {
                    replace(one, other, format!("swapped with {}: {}", change.person, change.reason));
                } else if one.person == *other {
                    replace(one, &change.person, format!("swapped with {other}: {}", change.reason));
                }
            }
        }
        (OverrideKind::Extra, _) => {
            duty.push(OnDuty { person: change.person.clone(), rank: change.rank, shift: None, because: Some(change.reason.clone()) });
        }
        (OverrideKind::Off, _) => duty.retain(|one| one.person != change.person),
        // Refused when it is made.
        (OverrideKind::StandIn | OverrideKind::Swap, None) => {}
    }
}

pub fn begins_on(days: &[Weekday], date: Date) -> bool {
    let index = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
    days.is_empty() || Weekday::ALL.get(index).is_some_and(|day| days.contains(day))
}

/// From when to when what begins on this day lasts. None when the clocks jump over all of it.
fn span(zone: &TimeZone, date: Date, from: DayTime, to: DayTime) -> Option<(Timestamp, Timestamp)> {
    let last = if to <= from { date.tomorrow().ok()? } else { date };
    let moment = |date: Date, time: Time| zone.to_timestamp(date.to_datetime(time)).ok();
    let (from, to) = (moment(date, from.0)?, moment(last, to.0)?);
    (from < to).then_some((from, to))
}

/// Whose turn it is on a day from `start` on.
fn turn(shift: &Shift, date: Date) -> Option<&[PersonName]> {
    let days = usize::try_from(shift.start.until(date).ok()?.get_days()).ok()?;
    let turn = (days / usize::from(shift.turn_days.max(1))).checked_rem(shift.turns.len())?;
    shift.turns.get(turn).map(Vec::as_slice)
}

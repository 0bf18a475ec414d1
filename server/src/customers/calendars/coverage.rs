//! A calendar at a place: which stretches of time are covered, and why the others are not.
//!
//! The rule is one sentence: **a moment is covered if the clock on the site's wall shows a time within the hours of the date that it
//! shows.** So a day whose clocks are set back has the repeated hour twice, and one whose clocks are set forward lacks what was
//! skipped; a date that a zone left out (Apia had no 30 December 2011) has no hours at all. Between two changes of the zone's offset
//! the wall runs straight, and there it is plain arithmetic: nothing walks minute by minute. Stretches that touch are one, so
//! `00:00-24:00` every day has no seam at midnight.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lineman_common::api::Calendar;
use lineman_common::calendar::{CalendarKind, Hours, Weekday};

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
const DAY_US: i64 = 24 * 60 * MINUTE_US;
/// What is not reached by then is never reached.
const HORIZON_US: i64 = 30 * 366 * DAY_US;
/// 1970-01-01 was a Thursday; weeks begin on Monday.
const EPOCH_WEEKDAY: i64 = 3;

/// Whether a stretch of time is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    Open,
    Shut(Shut),
}

/// The rule that shuts a calendar; [`Coverage::why`] says it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    /// Before, between or after the hours of this weekday.
    OutsideHours(Weekday),
    /// This weekday has no hours.
    NoHours(Weekday),
    /// A day with rules of its own; the number is its name's.
    Holiday(usize),
    OutsideExtraDay(usize),
}

/// A stretch of covered time, in microseconds of a day.
type Stretch = (i64, i64);

struct Day {
    hours: Vec<Stretch>,
    shut: Shut,
}

/// A calendar in a time zone.
pub struct Coverage {
    name: String,
    zone: TimeZone,
    /// Monday first; `None` is around the clock.
    week: Option<[Day; 7]>,
    /// By days since 1970.
    special: BTreeMap<i64, Day>,
    names: Vec<String>,
}

impl Coverage {
    /// Around the clock.
    pub fn always() -> Self {
        Self { name: "24x7".into(), zone: TimeZone::UTC, week: None, special: BTreeMap::new(), names: Vec::new() }
    }

    pub fn new(calendar: &Calendar, zone: TimeZone) -> Self {
        if calendar.kind == CalendarKind::Always {
            return Self { name: calendar.name.clone(), ..Self::always() };
        }
        let of_day = |day: Weekday| {
            let rows = calendar.week.iter().filter(|row| row.days.contains(&day));
            let hours = merged(rows.flat_map(|row| &row.hours));
            let shut = if hours.is_empty() { Shut::NoHours(day) } else { Shut::OutsideHours(day) };
            Day { hours, shut }
        };
        let week = WEEK.map(of_day);
        let mut coverage = Self { name: calendar.name.clone(), zone, week: Some(week), special: BTreeMap::new(), names: Vec::new() };
        for holiday in &calendar.holidays {
            let shut = Shut::Holiday(coverage.name_of(holiday.name.to_string()));
            coverage.special.insert(day_number(holiday.date), Day { hours: Vec::new(), shut });
        }
        for extra in &calendar.extra_days {
            let shut = Shut::OutsideExtraDay(coverage.name_of(extra.name.to_string()));
            coverage.special.insert(day_number(extra.date), Day { hours: merged(&extra.hours), shut });
        }
        coverage
    }

    /// Days of one name share its number, so that a week of holidays is one stretch.
    fn name_of(&mut self, name: String) -> usize {
        self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        })
    }

    /// Like `cn-office in Asia/Shanghai`, or `24x7`.
    pub fn label(&self) -> String {
        match (&self.week, self.zone.iana_name()) {
            (Some(_), Some(zone)) => format!("{} in {zone}", self.name),
            (Some(_), None) => format!("{} in UTC", self.name),
            (None, _) => "24x7".to_owned(),
        }
    }

    /// Why it is shut, for people.
    pub fn why(&self, shut: Shut) -> String {
        let name = |index: usize| self.names.get(index).map_or("", String::as_str);
        let calendar = &self.name;
        match shut {
            Shut::OutsideHours(day) => format!("outside the hours of {day} ({calendar})"),
            Shut::NoHours(day) => format!("no hours on {day} ({calendar})"),
            Shut::Holiday(index) => format!("holiday: {} ({calendar})", name(index)),
            Shut::OutsideExtraDay(index) => format!("outside the hours of the extra day {} ({calendar})", name(index)),
        }
    }

    /// Tells every stretch between two moments, oldest first, without gap or overlap, until it is told to stop.
    pub fn walk(
        &self,
        from: Timestamp,
        to: Timestamp,
        mut tell: impl FnMut(Timestamp, Timestamp, Cover) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (mut at, to) = (from.as_microsecond(), to.as_microsecond());
        let Some(week) = &self.week else {
            return if at < to { tell(moment(at), moment(to), Cover::Open) } else { ControlFlow::Continue(()) };
        };
        while at < to {
            let now = moment(at);
            let offset = i64::from(self.zone.to_offset(now).seconds()) * SECOND_US;
            let change = self.zone.following(now).next().map_or(i64::MAX, |change| change.timestamp().as_microsecond());
            let end = change.min(to);
            self.walk_wall(week, at + offset, end + offset, &mut |from, to, cover| {
                tell(moment(from - offset), moment(to - offset), cover)
            })?;
            at = end;
        }
        ControlFlow::Continue(())
    }

    /// The same on a wall clock that nobody sets.
    fn walk_wall(
        &self,
        week: &[Day; 7],
        mut at: i64,
        to: i64,
        tell: &mut impl FnMut(i64, i64, Cover) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        while at < to {
            let number = at.div_euclid(DAY_US);
            let midnight = number * DAY_US;
            let end = to.min(midnight + DAY_US);
            let day = self.special.get(&number).unwrap_or(&week[weekday_index(number)]);
            for (opens, closes) in day.hours.iter().map(|(opens, closes)| (midnight + opens, midnight + closes)) {
                if closes <= at || opens >= end {
                    continue;
                }
                if opens > at {
                    tell(at, opens, Cover::Shut(day.shut))?;
                }
                tell(opens.max(at), closes.min(end), Cover::Open)?;
                at = closes.min(end);
            }
            if at < end {
                tell(at, end, Cover::Shut(day.shut))?;
            }
            at = end;
        }
        ControlFlow::Continue(())
    }

    /// How much of a span is covered.
    #[cfg(test)]
    pub fn covered(&self, from: Timestamp, to: Timestamp) -> SignedDuration {
        let mut sum = SignedDuration::ZERO;
        let _ = self.walk(from, to, |from, to, cover| {
            sum += if cover == Cover::Open { to.duration_since(from) } else { SignedDuration::ZERO };
            ControlFlow::Continue(())
        });
        sum
    }

    /// The first moment when this much covered time has passed since `from`; none if there never is so much.
    pub fn after(&self, from: Timestamp, covered: SignedDuration) -> Option<Timestamp> {
        let mut left = covered;
        if left <= SignedDuration::ZERO {
            return Some(from);
        }
        let mut found = None;
        let horizon = moment(from.as_microsecond().saturating_add(HORIZON_US));
        let _ = self.walk(from, horizon, |from, to, cover| {
            let length = to.duration_since(from);
            if cover != Cover::Open {
                return ControlFlow::Continue(());
            }
            if length < left {
                left -= length;
                return ControlFlow::Continue(());
            }
            found = from.checked_add(left).ok();
            ControlFlow::Break(())
        });
        found
    }
}

const WEEK: [Weekday; 7] =
    [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday, Weekday::Saturday, Weekday::Sunday];

fn weekday_index(day_number: i64) -> usize {
    usize::try_from((day_number + EPOCH_WEEKDAY).rem_euclid(7)).unwrap_or(0)
}

fn day_number(date: Date) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24
}

/// A moment, at the end of time if there is none so late.
fn moment(microsecond: i64) -> Timestamp {
    Timestamp::from_microsecond(microsecond).unwrap_or(Timestamp::MAX)
}

/// Sorted, and joined where they touch or overlap.
fn merged<'a>(hours: impl IntoIterator<Item = &'a Hours>) -> Vec<Stretch> {
    let edges = |hours: &Hours| (i64::from(hours.from_minute()) * MINUTE_US, i64::from(hours.to_minute()) * MINUTE_US);
    let mut all: Vec<Stretch> = hours.into_iter().map(edges).collect();
    all.sort_unstable();
    let mut merged: Vec<Stretch> = Vec::new();
    for (from, to) in all {
        match merged.last_mut().filter(|last| last.1 >= from) {
            Some(last) => last.1 = last.1.max(to),
            None => merged.push((from, to)),
        }
    }
    merged
}

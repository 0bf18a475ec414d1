//! Coverage calendars: when a tier's clocks run.
//!
//! A calendar has a name, and each time it is set it gets a new version; the old ones stay, because a fault is judged by the calendar
//! that held. What a calendar means at a place is [`coverage`]'s.

pub mod coverage;
pub mod http;
mod sql;
#[cfg(test)]
pub mod tests;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{Calendar, CalendarPreview, Interval};
use lineman_common::calendar::CalendarKind;
use serde_json::json;

use self::coverage::{Cover, Coverage};
use super::Error;
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::Actor;

/// More than people keep by hand, and few enough to be read at every look.
const MOST_DAYS: usize = 2000;
const MOST_HOURS: usize = 24;
const MOST_INTERVALS: usize = 1000;

/// Sets a calendar. Clocks that follow it go on by the new rules from now on; what they have counted stays.
pub fn set(tx: &mut Tx<'_>, actor: &Actor, calendar: &Calendar) -> Result<(), Error> {
    check(calendar)?;
    let version = sql::put(tx, calendar)?;
    let data = json!({"version": version, "calendar": calendar});
    events::append(tx, New::of(Kind::CalendarSet, actor, format!("calendar {} set", calendar.name)).data(data))?;
    Ok(())
}

/// Deletes a calendar that no tier uses.
pub fn delete(tx: &mut Tx<'_>, actor: &Actor, name: &str) -> Result<Calendar, Error> {
    let calendar = get(tx, name)?;
    let users = sql::users(tx, name)?;
    if !users.is_empty() {
        return Err(Error::CalendarUsed { name: calendar.name, users });
    }
    sql::delete(tx, name)?;
    events::append(tx, New::of(Kind::CalendarDeleted, actor, format!("calendar {name} deleted")).data(json!({"name": name})))?;
    Ok(calendar)
}

pub fn get(db: &Db<'_>, name: &str) -> Result<Calendar, Error> {
    sql::get(db, name)?.ok_or(Error::NotFoundHere("calendar"))
}

pub fn list(db: &Db<'_>, after: &str, limit: u32) -> Result<Vec<Calendar>, StoreError> {
    sql::list(db, after, limit)
}

/// The newest version's number, and since when it holds.
pub fn newest(db: &Db<'_>, name: &str) -> Result<Option<(u32, Timestamp)>, StoreError> {
    sql::newest(db, name)
}

/// A calendar as it was in this version.
pub fn version(db: &Db<'_>, name: &str, version: u32) -> Result<Option<Calendar>, StoreError> {
    sql::version(db, name, version)
}

fn check(calendar: &Calendar) -> Result<(), Error> {
    let name = &calendar.name;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(1..=40).contains(&name.len()) || !name.chars().all(fits) || name == "24x7" {
        return Err(Error::BadCalendar(
            "it needs a name of 1 to 40 of `a-z`, `0-9` and `-`, like `cn-office`; `24x7` is what a tier without a calendar has".into(),
        ));
    }
    let rules = calendar.week.len() + calendar.holidays.len() + calendar.extra_days.len();
    match calendar.kind {
        CalendarKind::Always if rules > 0 => {
            Err(Error::BadCalendar("one of kind `24x7` has no hours and no holidays; take the kind `hours`".into()))
        }
        CalendarKind::Always => Ok(()),
        CalendarKind::Hours => check_hours(calendar),
    }
}

fn check_hours(calendar: &Calendar) -> Result<(), Error> {
    let bad = |why: String| Err(Error::BadCalendar(why));
    if !calendar.week.iter().any(|row| !row.days.is_empty() && !row.hours.is_empty()) {
        return bad("one of kind `hours` needs weekly hours, like {\"days\": [\"mon\"], \"hours\": [\"09:00-18:00\"]}".into());
    }
    let hours = calendar.week.iter().map(|row| row.hours.len()).chain(calendar.extra_days.iter().map(|day| day.hours.len()));
    if hours.clone().any(|hours| hours > MOST_HOURS) || calendar.week.len() > 7 * MOST_HOURS {
        return bad(format!("a day has {MOST_HOURS} spans at most"));
    }
    if calendar.holidays.len() + calendar.extra_days.len() > MOST_DAYS {
        return bad(format!("{MOST_DAYS} holidays and extra days at most"));
    }
    let mut dates = BTreeSet::new();
    let named =
        calendar.holidays.iter().map(|day| (day.date, &day.name)).chain(calendar.extra_days.iter().map(|day| (day.date, &day.name)));
    for (date, name) in named {
        if !dates.insert(date) {
            return bad(format!("{date} is named twice among holidays and extra days"));
        }
        if !(1..=100).contains(&name.raw().trim().chars().count()) {
            return bad(format!("{date} needs a name of 1 to 100 characters"));
        }
    }
    match calendar.extra_days.iter().find(|day| day.hours.is_empty()) {
        Some(day) => bad(format!("the extra day {} needs hours, like `09:00-18:00`; a day without is a holiday", day.date)),
        None => Ok(()),
    }
}

/// When a target that starts at this moment would end.
pub fn preview(db: &Db<'_>, name: &str, zone: &str, from: Timestamp, target_s: u32) -> Result<CalendarPreview, Error> {
    let tz = TimeZone::get(zone).map_err(|_| Error::BadZone(lineman_common::printable::escape(zone)))?;
    let coverage = if name == "24x7" { Coverage::always() } else { Coverage::new(&get(db, name)?, tz.clone()) };
    let ends_at = coverage.after(from, SignedDuration::from_secs(i64::from(target_s)));
    let mut intervals: Vec<Interval> = Vec::new();
    let _ = coverage.walk(from, ends_at.unwrap_or(from), |from, to, cover| {
        let (counted, why) = match cover {
            Cover::Open => (true, "running".to_owned()),
            Cover::Shut(shut) => (false, coverage.why(shut)),
        };
        if let Some(last) = intervals.last_mut().filter(|last| last.why == why) {
            last.to = Some(to);
            return ControlFlow::Continue(());
        }
        if intervals.len() == MOST_INTERVALS {
            return ControlFlow::Break(());
        }
        intervals.push(Interval { from, to: Some(to), counted, why });
        ControlFlow::Continue(())
    });
    let ends_local = ends_at.map(|at| at.to_zoned(tz).strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string());
    Ok(CalendarPreview { calendar: name.to_owned(), zone: zone.to_owned(), from, target_s, ends_at, ends_local, intervals })
}

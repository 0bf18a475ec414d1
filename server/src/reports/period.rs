//! From when until when, in whose days.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use lineman_common::api::ReportBy;
use lineman_common::printable::escape;

use super::Error;

/// Without a `from` a report is about this long.
const USUAL: SignedDuration = SignedDuration::from_hours(30 * 24);
/// More rows of time than this are no report.
const MOST_PERIODS: usize = 1100;

/// As it was asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub from: Option<String>,
    pub until: Option<String>,
    pub zone: Option<String>,
    pub as_of: Option<Timestamp>,
}

/// A half-open period, and the moment by whose knowledge it is looked at.
#[derive(Clone, Debug)]
pub struct Window {
    pub from: Timestamp,
    pub until: Timestamp,
    pub zone: String,
    pub as_of: Timestamp,
    tz: TimeZone,
}

/// A row's share of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    pub label: String,
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Window {
    pub fn of(asked: &Asked, now: Timestamp) -> Result<Self, Error> {
        let zone = asked.zone.clone().unwrap_or_else(|| "UTC".to_owned());
        let tz = TimeZone::get(&zone).map_err(|_| Error::BadZone(escape(&zone)))?;
        let as_of = asked.as_of.unwrap_or(now);
        if as_of > now {
            return Err(Error::Future);
        }
        let until = asked.until.as_deref().map_or(Ok(as_of), |text| moment("until", text, &tz))?;
        let usual = || until.checked_sub(USUAL).map_err(|_| Error::BadTime { name: "until", text: until.to_string() });
        let from = asked.from.as_deref().map_or_else(usual, |text| moment("from", text, &tz))?;
        if from >= until {
            return Err(Error::Empty { from, until });
        }
        Ok(Self { from, until, zone, as_of, tz })
    }

    /// The periods that `by` cuts the window into, the first and the last as far as they lie in it; the window itself if it cuts none.
    pub fn periods(&self, by: &[ReportBy]) -> Result<Vec<Period>, Error> {
        let mut units = by.iter().copied().filter(|by| is_time(*by));
        let Some(unit) = units.next() else {
            return Ok(vec![Period { label: String::new(), from: self.from, until: self.until }]);
        };
        if let Some(other) = units.find(|other| *other != unit) {
            return Err(Error::TwoUnits(unit, other));
        }
        let mut periods = Vec::new();
        let mut day = first_day(unit, self.from.to_zoned(self.tz.clone()).date());
        loop {
            let next = following(unit, day).ok_or(Error::TooMany { by: unit, most: MOST_PERIODS })?;
            let (Some(begin), Some(end)) = (self.midnight(day), self.midnight(next)) else {
                return Err(Error::TooMany { by: unit, most: MOST_PERIODS });
            };
            if begin >= self.until {
                return Ok(periods);
            }
            if periods.len() == MOST_PERIODS {
                return Err(Error::TooMany { by: unit, most: MOST_PERIODS });
            }
            // A day that a zone has skipped has no time in it.
            if end > begin && end > self.from {
                periods.push(Period { label: label(unit, day), from: begin.max(self.from), until: end.min(self.until) });
            }
            day = next;
        }
    }

    /// When a day begins; that is not midnight where the clocks skip it.
    fn midnight(&self, day: Date) -> Option<Timestamp> {
        day.to_zoned(self.tz.clone()).ok()?.start_of_day().ok().map(|zoned| zoned.timestamp())
    }
}

pub const fn is_time(by: ReportBy) -> bool {
    match by {
        ReportBy::Day | ReportBy::Week | ReportBy::Month | ReportBy::Quarter => true,
        ReportBy::Customer | ReportBy::Office | ReportBy::Product | ReportBy::Tier | ReportBy::Severity => false,
    }
}

/// The period of a moment inside the window.
pub fn find(periods: &[Period], at: Timestamp) -> Option<&Period> {
    let after = periods.partition_point(|period| period.from <= at);
    periods.get(after.checked_sub(1)?).filter(|period| at < period.until)
}

fn moment(name: &'static str, text: &str, tz: &TimeZone) -> Result<Timestamp, Error> {
    let wrong = || Error::BadTime { name, text: escape(text) };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    // A date alone is the beginning of that day.
    if let Ok(date) = Date::strptime("%Y-%m-%d", text) {
        return Ok(date.to_zoned(tz.clone()).and_then(|zoned| zoned.start_of_day()).map_err(|_| wrong())?.timestamp());
    }
    let civil: DateTime = text.parse().map_err(|_| wrong())?;
    tz.to_timestamp(civil).map_err(|_| wrong())
}

fn first_day(unit: ReportBy, day: Date) -> Date {
    match unit {
        ReportBy::Week => {
            let since_monday = day.weekday().since(Weekday::Monday);
            day.saturating_sub(i64::from(since_monday).days())
        }
        ReportBy::Month => day.first_of_month(),
        ReportBy::Quarter => {
            let month = (day.month() - 1) / 3 * 3 + 1;
            day.with().month(month).day(1).build().unwrap_or(day)
        }
        ReportBy::Day | ReportBy::Customer | ReportBy::Office | ReportBy::Product | ReportBy::Tier | ReportBy::Severity => day,
    }
}

fn following(unit: ReportBy, day: Date) -> Option<Date> {
    let span = match unit {
        ReportBy::Week => 1.week(),
        ReportBy::Month => 1.month(),
        ReportBy::Quarter => 3.months(),
        ReportBy::Day | ReportBy::Customer | ReportBy::Office | ReportBy::Product | ReportBy::Tier | ReportBy::Severity => 1.day(),
    };
    day.checked_add(span).ok()
}

fn label(unit: ReportBy, day: Date) -> String {
    match unit {
        ReportBy::Week => {
            let week = day.iso_week_date();
            format!("{:04}-W{:02}", week.year(), week.week())
        }
        ReportBy::Month => format!("{:04}-{:02}", day.year(), day.month()),
        ReportBy::Quarter => format!("{:04}-Q{}", day.year(), (day.month() + 2) / 3),
        ReportBy::Day | ReportBy::Customer | ReportBy::Office | ReportBy::Product | ReportBy::Tier | ReportBy::Severity => day.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: &str, until: &str, zone: &str) -> Window {
        let asked = Asked { from: Some(from.into()), until: Some(until.into()), zone: Some(zone.into()), as_of: None };
        Window::of(&asked, "2027-01-01T00:00:00Z".parse().unwrap()).unwrap()
    }

    fn hours(window: &Window, by: ReportBy) -> Vec<(String, i64)> {
        let periods = window.periods(&[by]).unwrap();
        for pair in periods.windows(2) {
            assert_eq!(pair[0].until, pair[1].from, "no gap and no overlap");
        }
        periods.into_iter().map(|p| (p.label, p.until.duration_since(p.from).as_hours())).collect()
    }

    #[test]
    fn days_are_those_of_the_zone_also_when_the_clocks_change() {
        let berlin = hours(&window("2026-03-28", "2026-03-31", "Europe/Berlin"), ReportBy::Day);
        assert_eq!(berlin, [("2026-03-28".into(), 24), ("2026-03-29".into(), 23), ("2026-03-30".into(), 24)]);
        let berlin = hours(&window("2026-10-25", "2026-10-26", "Europe/Berlin"), ReportBy::Day);
        assert_eq!(berlin, [("2026-10-25".into(), 25)]);
        // Where the clocks skip midnight a day begins at one.
        let cairo = window("2026-04-24", "2026-04-25", "Africa/Cairo");
        assert_eq!(cairo.from.to_string(), "2026-04-23T22:00:00Z");
        assert_eq!(hours(&cairo, ReportBy::Day), [("2026-04-24".into(), 23)]);
        let shanghai = window("2026-11-01", "2026-11-02", "Asia/Shanghai");
        assert_eq!(shanghai.from.to_string(), "2026-10-31T16:00:00Z");
        // Samoa had no 30th of December in 2011.
        let apia = hours(&window("2011-12-29", "2012-01-01", "Pacific/Apia"), ReportBy::Day);
        assert_eq!(apia, [("2011-12-29".into(), 24), ("2011-12-31".into(), 24)]);
    }

    #[test]
    fn longer_units_are_cut_at_the_window() {
        let year = window("2024-02-15", "2024-05-02", "UTC");
        let labels = |by| year.periods(&[by]).unwrap().into_iter().map(|p| (p.label, p.from.to_string())).collect::<Vec<_>>();
        assert_eq!(
            labels(ReportBy::Month),
            [
                ("2024-02".into(), "2024-02-15T00:00:00Z".into()),
                ("2024-03".into(), "2024-03-01T00:00:00Z".into()),
                ("2024-04".into(), "2024-04-01T00:00:00Z".into()),
                ("2024-05".into(), "2024-05-01T00:00:00Z".into())
            ]
        );
        assert_eq!(labels(ReportBy::Quarter).iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(), ["2024-Q1", "2024-Q2"]);
        let weeks = window("2026-12-30", "2027-01-01", "UTC").periods(&[ReportBy::Week]).unwrap();
        assert_eq!((weeks.len(), weeks[0].label.as_str()), (1, "2026-W53"));
        let periods = year.periods(&[ReportBy::Month]).unwrap();
        assert_eq!(find(&periods, "2024-03-01T00:00:00Z".parse().unwrap()).unwrap().label, "2024-03");
        assert_eq!(find(&periods, "2024-02-29T23:59:59.999Z".parse().unwrap()).unwrap().label, "2024-02");
        assert_eq!(find(&periods, year.until), None);
    }

    #[test]
    fn what_is_no_period_is_refused_in_words() {
        let now = "2027-01-01T00:00:00Z".parse().unwrap();
        let of = |from: &str, until: &str, zone: &str| {
            let asked = Asked { from: Some(from.into()), until: Some(until.into()), zone: Some(zone.into()), as_of: None };
            Window::of(&asked, now).and_then(|window| window.periods(&[ReportBy::Day])).unwrap_err().to_string()
        };
        assert!(of("2026-01-01", "2026-01-02", "Mars/Olympus").contains("Mars/Olympus"));
        assert!(of("yesterday", "2026-01-02", "UTC").contains("`from` is `yesterday`"));
        assert!(of("2026-01-02", "2026-01-02", "UTC").contains("empty"));
        assert!(of("2000-01-01", "2026-01-02", "UTC").contains("more than 1100 days"));
        let window = window("2026-01-01", "2026-02-01", "UTC");
        assert!(window.periods(&[ReportBy::Day, ReportBy::Month]).unwrap_err().to_string().contains("by day and month"));
        let future = Asked { as_of: Some("2028-01-01T00:00:00Z".parse().unwrap()), ..Asked::default() };
        assert!(matches!(Window::of(&future, now), Err(Error::Future)));
    }
}

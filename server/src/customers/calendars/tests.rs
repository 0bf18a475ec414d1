//! Calendars against a model that walks minute by minute, and against the calendars of the world.

use std::ops::ControlFlow;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{ExtraDay, Holiday, WeekHours};
use lineman_common::calendar::{Hours, Weekday};
use lineman_common::id::PersonId;
use lineman_common::people::Role;
use proptest::prelude::*;

use super::coverage::{Cover, Coverage, Shut};
use super::*;
use crate::store::testing::TestStore;

pub const ZONES: [&str; 7] =
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"];

fn hours(text: &str) -> Vec<Hours> {
    text.split(',').map(|span| span.parse().unwrap()).collect()
}

/// Monday to Friday, 9 to 18 with an hour for lunch, with the holidays and swapped weekends of China's October 2026.
pub fn office() -> Calendar {
    let holiday = |date, name: &str| Holiday { date, name: name.into() };
    let mut holidays: Vec<_> = (1..=7).map(|day| holiday(date(2026, 10, day), "国庆节")).collect();
    holidays.push(holiday(date(2026, 12, 25), "Christmas"));
    Calendar {
        name: "cn-office".into(),
        kind: CalendarKind::Hours,
        week: vec![WeekHours { days: Weekday::ALL[..5].to_vec(), hours: hours("09:00-12:00,13:00-18:00") }],
        holidays,
        extra_days: vec![ExtraDay { date: date(2026, 10, 10), name: "国庆节调休".into(), hours: hours("09:00-12:00,13:00-18:00") }],
    }
}

fn every_day(span: &str) -> Calendar {
    let week = vec![WeekHours { days: Weekday::ALL.to_vec(), hours: hours(span) }];
    Calendar { name: "every-day".into(), kind: CalendarKind::Hours, week, holidays: Vec::new(), extra_days: Vec::new() }
}

fn at(calendar: &Calendar, zone: &str) -> Coverage {
    Coverage::new(calendar, TimeZone::get(zone).unwrap())
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn stretches(coverage: &Coverage, from: &str, to: &str) -> Vec<(String, String, Cover)> {
    let mut all: Vec<(String, String, Cover)> = Vec::new();
    let _ = coverage.walk(time(from), time(to), |from, to, cover| {
        match all.last_mut().filter(|last| last.2 == cover) {
            Some(last) => last.1 = to.to_string(),
            None => all.push((from.to_string(), to.to_string(), cover)),
        }
        ControlFlow::Continue(())
    });
    all
}

/// The rule, word by word, for one moment: what does the wall show, and is that within the hours of the date?
pub fn model(calendar: &Calendar, zone: &TimeZone, at: Timestamp) -> bool {
    let wall = zone.to_datetime(at);
    let minute = u16::try_from(i32::from(wall.hour()) * 60 + i32::from(wall.minute())).unwrap();
    let within = |hours: &Vec<Hours>| hours.iter().any(|span| span.from_minute() <= minute && minute < span.to_minute());
    if calendar.kind == CalendarKind::Always {
        return true;
    }
    if let Some(extra) = calendar.extra_days.iter().find(|day| day.date == wall.date()) {
        return within(&extra.hours);
    }
    let weekday = Weekday::ALL[usize::try_from(wall.date().weekday().to_monday_zero_offset()).unwrap()];
    let holiday = calendar.holidays.iter().any(|day| day.date == wall.date());
    !holiday && calendar.week.iter().any(|row| row.days.contains(&weekday) && within(&row.hours))
}

// ---- Named ----------------------------------------------------------------------------------------------------------

/// A round-the-clock calendar that is written in hours has no minute, and no moment, at midnight at which it is shut.
#[test]
fn a_calendar_of_whole_days_is_not_shut_for_a_minute_at_midnight() {
    for calendar in [every_day("00:00-24:00"), every_day("00:00-12:00,12:00-24:00")] {
        for zone in ZONES {
            let coverage = at(&calendar, zone);
            let all = stretches(&coverage, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
            assert_eq!(all, [("2026-01-01T00:00:00Z".into(), "2027-01-01T00:00:00Z".into(), Cover::Open)], "{zone}");
        }
    }
    let always = Coverage::always();
    assert_eq!(always.after(time("2026-03-28T23:59:59.5Z"), SignedDuration::from_hours(24)), Some(time("2026-03-29T23:59:59.5Z")));
}

#[test]
fn a_span_in_the_hour_that_is_skipped_is_not_there_and_one_in_the_repeated_hour_is_there_twice() {
    let berlin = at(&every_day("02:00-03:00"), "Europe/Berlin");
    // 29 March 2026: 02:00 becomes 03:00. 25 October: 03:00 becomes 02:00.
    assert_eq!(berlin.covered(time("2026-03-28T23:00:00Z"), time("2026-03-29T22:00:00Z")), SignedDuration::ZERO);
    assert_eq!(berlin.covered(time("2026-10-24T22:00:00Z"), time("2026-10-25T23:00:00Z")), SignedDuration::from_hours(2));
    // Half an hour that begins in the repeated hour is open, shut while the wall goes through the hour again, and so on.
    let half = at(&every_day("01:30-02:30"), "Europe/Berlin");
    let open: Vec<_> = stretches(&half, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    let open: Vec<_> = open.iter().filter(|(.., cover)| *cover == Cover::Open).map(|(from, to, _)| (from.as_str(), to.as_str())).collect();
    assert_eq!(open, [("2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z"), ("2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z")]);
}

#[test]
fn days_have_23_24_and_a_half_and_25_hours() {
    let whole = every_day("00:00-24:00");
    let covered = |zone: &str, day: Date| {
        let start = |day: Date| day.to_zoned(TimeZone::get(zone).unwrap()).unwrap().timestamp();
        at(&whole, zone).covered(start(day), start(day.tomorrow().unwrap())).as_mins()
    };
    assert_eq!(covered("Europe/Berlin", date(2026, 3, 29)), 23 * 60);
    assert_eq!(covered("America/New_York", date(2026, 11, 1)), 25 * 60);
    assert_eq!(covered("Australia/Lord_Howe", date(2026, 4, 5)), 24 * 60 + 30);
    assert_eq!(covered("Australia/Lord_Howe", date(2026, 10, 4)), 23 * 60 + 30);
    assert_eq!(covered("Asia/Shanghai", date(2028, 2, 29)), 24 * 60, "a leap day is a day");
}

/// Samoa went over the date line: Thursday the 29th of December 2011 was followed by Saturday the 31st.
#[test]
fn a_date_that_a_zone_left_out_has_no_hours() {
    let apia = at(&office(), "Pacific/Apia");
    let start = time("2011-12-30T08:00:00Z"); // Thursday 22:00, after hours
    let all = stretches(&apia, "2011-12-30T08:00:00Z", "2011-12-31T20:00:00Z");
    assert!(all.iter().all(|(.., cover)| *cover != Cover::Shut(Shut::OutsideHours(Weekday::Friday))), "{all:?}");
    // The next working hour is Monday's, 2 January, 09:00 at UTC+14.
    assert_eq!(apia.after(start, SignedDuration::from_secs(1)), Some(time("2012-01-01T19:00:01Z")));
}

#[test]
fn holidays_swapped_weekends_and_leap_days() {
    let shanghai = at(&office(), "Asia/Shanghai");
    // Wednesday 30 September, 17:00; then a week of holidays; Thursday the 8th goes on at 09:00.
    let start = time("2026-09-30T09:00:00Z");
    assert_eq!(shanghai.after(start, SignedDuration::from_hours(2)), Some(time("2026-10-08T02:00:00Z")));
    let reasons: Vec<_> =
        stretches(&shanghai, "2026-09-30T10:00:00Z", "2026-10-08T01:00:00Z").into_iter().map(|(.., cover)| cover).collect();
    let words: Vec<_> =
        reasons.iter().filter_map(|cover| if let Cover::Shut(shut) = cover { Some(shanghai.why(*shut)) } else { None }).collect();
    assert_eq!(words, ["outside the hours of wed (cn-office)", "holiday: 国庆节 (cn-office)", "outside the hours of thu (cn-office)"]);
    // Saturday the 10th is worked, Sunday the 11th is not.
    assert_eq!(shanghai.covered(time("2026-10-09T16:00:00Z"), time("2026-10-10T16:00:00Z")), SignedDuration::from_hours(8));
    assert_eq!(shanghai.covered(time("2026-10-10T16:00:00Z"), time("2026-10-11T16:00:00Z")), SignedDuration::ZERO);
    // Tuesday 29 February 2028.
    assert_eq!(shanghai.covered(time("2028-02-28T16:00:00Z"), time("2028-02-29T16:00:00Z")), SignedDuration::from_hours(8));
}

#[test]
fn a_calendar_that_never_opens_has_no_end_and_a_year_is_counted_at_once() {
    let mut never = every_day("09:00-10:00");
    never.week[0].days.clear();
    assert_eq!(at(&never, "Asia/Shanghai").after(time("2026-01-01T00:00:00Z"), SignedDuration::from_secs(1)), None);
    let year = at(&office(), "Europe/Berlin").covered(time("2026-01-01T00:00:00Z"), time("2027-01-01T00:00:00Z"));
    assert_eq!(year.as_hours() % 8, 0);
}

// ---- Against the model ----------------------------------------------------------------------------------------------

fn any_hours() -> impl Strategy<Value = Hours> {
    let quarter = |n: u16| format!("{:02}:{:02}", n / 4, n % 4 * 15);
    (0u16..96)
        .prop_flat_map(move |from| (Just(from), from + 1..=96))
        .prop_map(move |(from, to)| format!("{}-{}", quarter(from), quarter(to)).parse().unwrap())
}

pub fn any_calendar() -> impl Strategy<Value = Calendar> {
    let row = (prop::collection::vec(0usize..7, 0..7), prop::collection::vec(any_hours(), 0..4));
    let week = prop::collection::vec(row, 1..4);
    let days = prop::collection::btree_map(0i64..400, prop::option::of(prop::collection::vec(any_hours(), 1..3)), 0..30);
    (week, days).prop_map(|(week, days)| {
        let week = week.into_iter().map(|(days, hours)| WeekHours { days: days.into_iter().map(|day| Weekday::ALL[day]).collect(), hours });
        let mut calendar = Calendar { week: week.collect(), ..every_day("00:00-24:00") };
        for (day, hours) in days {
            let date = date(2026, 1, 1).checked_add(SignedDuration::from_hours(24 * day)).unwrap();
            match hours {
                None => calendar.holidays.push(Holiday { date, name: "x".into() }),
                Some(hours) => calendar.extra_days.push(ExtraDay { date, name: "y".into(), hours }),
            }
        }
        calendar
    })
}

/// Around the moments at which zones change their offset, and leap days, and others.
pub fn any_start() -> impl Strategy<Value = Timestamp> {
    let anchors = prop::sample::select(vec![
        "2026-03-29T01:00:00Z", // Berlin forward
        "2026-10-25T01:00:00Z", // Berlin back
        "2026-03-08T07:00:00Z", // New York forward
        "2026-11-01T06:00:00Z", // New York back
        "2026-04-04T15:00:00Z", // Lord Howe back, half an hour
        "2026-10-03T15:30:00Z", // Lord Howe forward
        "2011-12-30T10:00:00Z", // Apia leaves out a day
        "2026-02-15T02:00:00Z", // Casablanca, for Ramadan
        "2026-03-22T02:00:00Z", // and back
        "2028-02-29T12:00:00Z",
        "2024-02-29T00:00:00Z",
        "1991-04-14T16:00:00Z", // Shanghai had summer time
        "2026-06-15T00:00:00Z",
    ]);
    (anchors, -3 * 24 * 60i64..3 * 24 * 60).prop_map(|(anchor, minutes)| time(anchor) + SignedDuration::from_mins(minutes))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Minute by minute, the wall's hours decide; and stretches tile the time.
    #[test]
    fn it_is_what_the_wall_shows(calendar in any_calendar(), zone in prop::sample::select(ZONES.to_vec()), start in any_start(), length in 1i64..4 * 24 * 60) {
        let coverage = at(&calendar, zone);
        let tz = TimeZone::get(zone).unwrap();
        let end = start + SignedDuration::from_mins(length);
        let mut open = Vec::new();
        let mut last = start;
        let _ = coverage.walk(start, end, |from, to, cover| {
            assert_eq!(from, last, "no gap and no overlap");
            assert!(to > from);
            last = to;
            let mut minute = from;
            while minute < to {
                open.push(cover == Cover::Open);
                minute += SignedDuration::from_mins(1);
            }
            ControlFlow::Continue(())
        });
        prop_assert_eq!(last, end);
        let walked: Vec<_> = (0..length).map(|minute| model(&calendar, &tz, start + SignedDuration::from_mins(minute))).collect();
        prop_assert_eq!(open, walked);
    }

    /// `after` is the inverse of `covered`, and the earliest such moment.
    #[test]
    fn after_undoes_covered(calendar in any_calendar(), zone in prop::sample::select(ZONES.to_vec()), start in any_start(), seconds in 1i64..40 * 3600) {
        let coverage = at(&calendar, zone);
        let wanted = SignedDuration::from_secs(seconds);
        match coverage.after(start, wanted) {
            Some(end) => {
                prop_assert_eq!(coverage.covered(start, end), wanted);
                prop_assert!(coverage.covered(start, end - SignedDuration::from_micros(1)) < wanted);
            }
            None => prop_assert!(coverage.covered(start, start + SignedDuration::from_hours(24 * 800)) < wanted),
        }
    }

    /// Spans add up, wherever they are cut, also within a second.
    #[test]
    fn spans_add_up(calendar in any_calendar(), zone in prop::sample::select(ZONES.to_vec()), start in any_start(), cuts in prop::array::uniform2(0i64..400_000_000_000)) {
        let coverage = at(&calendar, zone);
        let (first, second) = (cuts[0].min(cuts[1]), cuts[0].max(cuts[1]));
        let [middle, end] = [first, second].map(|us| start + SignedDuration::from_micros(us));
        prop_assert_eq!(coverage.covered(start, middle) + coverage.covered(middle, end), coverage.covered(start, end));
    }
}

// ---- The room -------------------------------------------------------------------------------------------------------

fn admin() -> Actor {
    Actor { id: PersonId::new(), name: "admin-z".parse().unwrap(), role: Role::Admin, customer: None }
}

#[test]
fn a_calendar_in_use_is_not_deleted_and_its_versions_stay() {
    let mut store = TestStore::new();
    store.write(|tx| {
        let tier = lineman_common::api::Tier { name: "gold".into(), calendar: Some("cn-office".into()), ..Default::default() };
        let error = crate::customers::set_tier(tx, &admin(), &tier).unwrap_err().to_string();
        assert!(error.contains("there is no calendar `cn-office`"), "{error}");
        set(tx, &admin(), &office()).unwrap();
        crate::customers::set_tier(tx, &admin(), &tier).unwrap();
        let error = delete(tx, &admin(), "cn-office").unwrap_err().to_string();
        assert_eq!(error, "the calendar cn-office is in use: by the tier gold");
        set(tx, &admin(), &Calendar { holidays: Vec::new(), ..office() }).unwrap();
        crate::customers::set_tier(tx, &admin(), &lineman_common::api::Tier { calendar: None, ..tier }).unwrap();
        delete(tx, &admin(), "cn-office").unwrap();
        assert!(matches!(get(tx, "cn-office"), Err(Error::NotFoundHere("calendar"))));
        assert_eq!(version(tx, "cn-office", 1).unwrap().unwrap(), office());
        set(tx, &admin(), &office()).unwrap();
        assert_eq!(newest(tx, "cn-office").unwrap().unwrap().0, 3, "a name that is used again goes on counting");
    });
}

#[test]
fn wrong_calendars_are_told_what_would_be_right() {
    let mut store = TestStore::new();
    let mut refused = |change: fn(&mut Calendar)| {
        let mut calendar = office();
        change(&mut calendar);
        store.write(|tx| set(tx, &admin(), &calendar)).unwrap_err().to_string()
    };
    assert!(refused(|calendar| calendar.name = "CN Office".into()).contains("like `cn-office`"));
    assert!(refused(|calendar| calendar.name = "24x7".into()).contains("tier without a calendar"));
    assert!(refused(|calendar| calendar.kind = CalendarKind::Always).contains("take the kind `hours`"));
    assert!(refused(|calendar| calendar.week.clear()).contains("needs weekly hours"));
    assert!(refused(|calendar| calendar.holidays[1].date = calendar.holidays[0].date).contains("2026-10-01 is named twice"));
    assert!(refused(|calendar| calendar.holidays[1].date = calendar.extra_days[0].date).contains("named twice"));
    assert!(refused(|calendar| calendar.holidays[0].name = "".into()).contains("needs a name"));
    assert!(refused(|calendar| calendar.extra_days[0].hours.clear()).contains("a day without is a holiday"));
}

#[test]
fn a_preview_says_when_a_target_would_end_and_why_then() {
    let mut store = TestStore::new();
    let preview = store.write(|tx| {
        set(tx, &admin(), &office()).unwrap();
        // Friday, 16:00 in Shanghai.
        preview(tx, "cn-office", "Asia/Shanghai", time("2026-11-20T08:00:00Z"), 4 * 3600).unwrap()
    });
    assert_eq!(preview.ends_at, Some(time("2026-11-23T03:00:00Z")));
    assert_eq!(preview.ends_local.as_deref(), Some("Mon 2026-11-23 11:00:00 +08:00"));
    let counted: i64 = preview.intervals.iter().filter(|i| i.counted).map(|i| i.to.unwrap().duration_since(i.from).as_secs()).sum();
    assert_eq!(counted, 4 * 3600);
    store.read(|db| assert!(super::preview(db, "24x7", "Mars/Olympus", db.now(), 60).is_err()));
}

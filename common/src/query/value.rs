//! Values of filters that have an order: stretches of time, moments, numbers.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// A point in time, as people name one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// From a day's beginning up to the next day's.
    Day(Timestamp, Timestamp),
    At(Timestamp),
    /// So long ago: `<2d` is less than two days ago.
    Ago(Timestamp),
}

/// The longest stretch that means anything here.
const LONGEST_S: i64 = 100 * 366 * 86_400;

/// Seconds of `10m`, `1h30m`, `2d`, `1w`, `45s`, `0`, `-5m`; also `10分钟`, `2小时`, `3天`.
pub fn span(text: &str) -> Option<SignedDuration> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    if text == "0" {
        return Some(SignedDuration::ZERO);
    }
    let (mut seconds, mut rest) = (0i64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let (number, unit) = rest.split_at(digits);
        let (unit_s, after) = UNITS.iter().find_map(|(name, unit_s)| Some((*unit_s, unit.strip_prefix(name)?)))?;
        seconds = seconds.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_s)?).filter(|seconds| *seconds <= LONGEST_S)?;
        rest = after;
    }
    (!text.is_empty()).then(|| SignedDuration::from_secs(if negative { -seconds } else { seconds }))
}

/// The longer names first, so that `分钟` is not read as `分`.
const UNITS: [(&str, i64); 18] = [
    ("minutes", 60),
    ("minute", 60),
    ("min", 60),
    ("hours", 3600),
    ("hour", 3600),
    ("days", 86_400),
    ("day", 86_400),
    ("分钟", 60),
    ("小时", 3600),
    ("s", 1),
    ("m", 60),
    ("h", 3600),
    ("d", 86_400),
    ("w", 604_800),
    ("秒", 1),
    ("分", 60),
    ("天", 86_400),
    ("周", 604_800),
];

/// `2026-11-22` (a day in the zone), `2026-11-22T10:00:00Z`, `today`, `yesterday`, `今天`, `昨天`, or a stretch: so long ago.
pub fn when(text: &str, now: Timestamp, zone: &TimeZone) -> Option<When> {
    if let Some(span) = span(text) {
        return now.checked_sub(span).ok().map(When::Ago);
    }
    let today = now.to_zoned(zone.clone()).date();
    let day = match text {
        "today" | "今天" => Some(today),
        "yesterday" | "昨天" => today.checked_sub(1.day()).ok(),
        text => text.parse::<Date>().ok().filter(|_| text.len() == 10),
    };
    if let Some(day) = day {
        let start = |day: Date| Some(day.to_zoned(zone.clone()).ok()?.timestamp());
        return Some(When::Day(start(day)?, start(day.checked_add(1.day()).ok()?)?));
    }
    text.parse().ok().map(When::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_as_people_write_them() {
        let seconds = |text: &str| span(text).map(|span| span.as_secs());
        for (text, wanted) in [
            ("10m", 600),
            ("1h30m", 5400),
            ("2d", 172_800),
            ("1w", 604_800),
            ("45s", 45),
            ("0", 0),
            ("-5m", -300),
            ("10分钟", 600),
            ("2小时", 7200),
            ("3天", 259_200),
            ("5min", 300),
        ] {
            assert_eq!(seconds(text), Some(wanted), "{text}");
        }
        for text in ["", "-", "10", "m", "10x", "1.5h", "99999999999999999999d", "9999999d", "10 m", "٣m"] {
            assert_eq!(span(text), None, "{text}");
        }
    }

    #[test]
    fn moments_as_people_write_them() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let now: Timestamp = "2026-11-22T20:00:00Z".parse().unwrap();
        let day = |from: &str, to: &str| Some(When::Day(from.parse().unwrap(), to.parse().unwrap()));
        assert_eq!(when("2026-11-22", now, &zone), day("2026-11-21T16:00:00Z", "2026-11-22T16:00:00Z"));
        // It is the 23rd in Shanghai already.
        assert_eq!(when("今天", now, &zone), day("2026-11-22T16:00:00Z", "2026-11-23T16:00:00Z"));
        assert_eq!(when("yesterday", now, &zone), day("2026-11-21T16:00:00Z", "2026-11-22T16:00:00Z"));
        assert_eq!(when("2h", now, &zone), Some(When::Ago("2026-11-22T18:00:00Z".parse().unwrap())));
        assert_eq!(when("2026-11-22T10:00:00+08:00", now, &zone), Some(When::At("2026-11-22T02:00:00Z".parse().unwrap())));
        for text in ["", "2026-13-01", "tomorrow", "2026", "2026-11-22 10:00", "-"] {
            assert_eq!(when(text, now, &zone), None, "{text}");
        }
    }
}

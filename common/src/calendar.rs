//! Words of coverage calendars: weekdays, and spans of the wall clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

words! {
    pub enum CalendarKind {
        /// Around the clock: no hours, no holidays.
        Always = "24x7",
        /// Business hours.
        Hours = "hours",
    }
}

words! {
    pub enum Weekday {
        Monday = "mon",
        Tuesday = "tue",
        Wednesday = "wed",
        Thursday = "thu",
        Friday = "fri",
        Saturday = "sat",
        Sunday = "sun",
    }
}

/// Minutes of a day; the last moment of a day is written `24:00`.
const DAY: u16 = 24 * 60;

/// A span of the wall clock within one day, like `09:00-12:00`: from the first minute, up to the second, which is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hours {
    from_minute: u16,
    to_minute: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHours {
    #[error("`{0}` is not a span of a day, like `09:00-12:30` or `18:00-24:00`")]
    Form(String),
    #[error("`{0}` goes over midnight or has no length: write `22:00-24:00` for the one day and `00:00-06:00` for the next")]
    Order(String),
}

impl Hours {
    pub const fn from_minute(self) -> u16 {
        self.from_minute
    }

    /// Up to 1440, the end of the day.
    pub const fn to_minute(self) -> u16 {
        self.to_minute
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| digits.parse::<u16>().ok().filter(|_| digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()));
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= DAY).then_some(hours * 60 + minutes)
}

impl FromStr for Hours {
    type Err = BadHours;
    fn from_str(text: &str) -> Result<Self, BadHours> {
        let escaped = || crate::printable::escape(text);
        let (from, to) = text.split_once('-').ok_or_else(|| BadHours::Form(escaped()))?;
        let edges = minute(from.trim()).zip(minute(to.trim()));
        let (from_minute, to_minute) = edges.ok_or_else(|| BadHours::Form(escaped()))?;
        if from_minute < to_minute { Ok(Self { from_minute, to_minute }) } else { Err(BadHours::Order(escaped())) }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_minute: from, to_minute: to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_read_back_and_wrong_ones_say_what_would_be_right() {
        for text in ["09:00-12:00", "00:00-24:00", "23:59-24:00"] {
            assert_eq!(text.parse::<Hours>().unwrap().to_string(), text);
        }
        for text in ["9:00-12:00", "09:00", "09:60-10:00", "09:00-24:01", "+9:00-10:00", "09:00-1 :00", ""] {
            assert!(text.parse::<Hours>().unwrap_err().to_string().contains("like `09:00-12:30`"), "{text}");
        }
        for text in ["22:00-06:00", "09:00-09:00", "24:00-24:00"] {
            assert!(text.parse::<Hours>().unwrap_err().to_string().contains("22:00-24:00"), "{text}");
        }
    }
}

//! Software versions as vendors write them, and ranges of them.
//!
//! Vendors agree on no scheme: `5.4.1`, `V500R021C00SPC100`, `2.53.1-rc2`. What they share is that numbers inside count as
//! numbers, so that is how they are compared: `5.10` is newer than `5.9`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Characters of a version.
const LONGEST: usize = 60;

/// Compares two versions part by part: digits as numbers, letters as text without case, whatever stands between ignored. A version
/// that goes on where the other ends is the newer one: `5.4.1` after `5.4`.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (Parts(a), Parts(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => match one.cmp(&other) {
                Ordering::Equal => {}
                unequal @ (Ordering::Less | Ordering::Greater) => return unequal,
            },
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Text(String),
    /// Without leading zeros: by length, then by digits.
    Number(usize, String),
}

struct Parts<'a>(&'a str);

impl Iterator for Parts<'_> {
    type Item = Part;
    fn next(&mut self) -> Option<Part> {
        let rest = self.0.trim_start_matches(|c: char| !c.is_alphanumeric());
        let first = rest.chars().next()?;
        let is_number = first.is_ascii_digit();
        let end = rest.find(|c: char| !c.is_alphanumeric() || c.is_ascii_digit() != is_number).unwrap_or(rest.len());
        let (part, rest) = rest.split_at(end);
        self.0 = rest;
        Some(if is_number {
            let digits = part.trim_start_matches('0');
            Part::Number(digits.len(), digits.to_owned())
        } else {
            Part::Text(part.to_lowercase())
        })
    }
}

/// `5.2..5.4`, both ends inside; `5.2..` and `..5.4` are open; `5.2` alone is that one version; empty is every version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VersionRange {
    from: String,
    to: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionRangeError {
    #[error("a version has at most {LONGEST} letters, digits and `.-_()/`, without spaces: `5.2..5.4`, `5.2..`, `..5.4`, `5.2`")]
    NotAVersion,
    #[error("the range begins at {from}, which is after its end {to}")]
    Backwards { from: String, to: String },
}

impl VersionRange {
    pub fn is_any(&self) -> bool {
        self.from.is_empty() && self.to.is_empty()
    }

    /// The last version in the range, if it has an end.
    pub fn end(&self) -> Option<&str> {
        (!self.to.is_empty()).then_some(self.to.as_str())
    }

    pub fn contains(&self, version: &str) -> bool {
        let after_start = self.from.is_empty() || compare(&self.from, version) != Ordering::Greater;
        let before_end = self.to.is_empty() || compare(version, &self.to) != Ordering::Greater;
        after_start && before_end
    }
}

fn checked(version: &str) -> Result<String, VersionRangeError> {
    let is_fit = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '(' | ')' | '/');
    let is_version = version.chars().count() <= LONGEST && version.chars().all(is_fit) && !version.contains("..");
    if is_version && (version.is_empty() || version.chars().any(char::is_alphanumeric)) {
        Ok(version.to_owned())
    } else {
        Err(VersionRangeError::NotAVersion)
    }
}

impl FromStr for VersionRange {
    type Err = VersionRangeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, to) = text.split_once("..").map_or((text, text), |(from, to)| (from.trim_end(), to.trim_start()));
        let range = Self { from: checked(from.trim())?, to: checked(to.trim())? };
        let is_backwards = !range.from.is_empty() && !range.to.is_empty() && compare(&range.from, &range.to) == Ordering::Greater;
        if is_backwards { Err(VersionRangeError::Backwards { from: range.from, to: range.to }) } else { Ok(range) }
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_any(), self.from == self.to) {
            (true, _) => Ok(()),
            (false, true) => f.write_str(&self.from),
            (false, false) => write!(f, "{}..{}", self.from, self.to),
        }
    }
}

travels_as_text!(VersionRange);
described_as_text!(VersionRange, examples([serde_json::Value::from("5.2..5.4")]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        for (older, newer) in [
            ("5.9", "5.10"),
            ("5.4", "5.4.1"),
            ("V500R021C00SPC100", "V500R021C00SPC200"),
            ("V500R9C00", "V500R021C00"),
            ("2.53.1", "2.53.10"),
            ("1.0a", "1.0b"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{newer} {older}");
        }
        assert_eq!(compare("v5.04", "V5-4"), Ordering::Equal);
        assert_eq!(compare("00", "0"), Ordering::Equal);
    }

    #[test]
    fn a_range_holds_both_ends() {
        let range: VersionRange = "5.2..5.10".parse().unwrap();
        assert!(range.contains("5.2") && range.contains("5.10") && range.contains("5.9.3"));
        assert!(!range.contains("5.1.9") && !range.contains("5.10.1"));
        assert!("5.2..".parse::<VersionRange>().unwrap().contains("9") && !"5.2..".parse::<VersionRange>().unwrap().contains("5.1"));
        assert!("..5.4".parse::<VersionRange>().unwrap().contains("1") && !"..5.4".parse::<VersionRange>().unwrap().contains("5.5"));
        assert!(VersionRange::default().contains("anything"));
    }

    #[test]
    fn it_reads_what_it_writes_and_says_what_is_wrong() {
        for text in ["", "5.2", "5.2..5.4", "5.2..", "..5.4"] {
            assert_eq!(text.parse::<VersionRange>().unwrap().to_string(), text);
        }
        assert_eq!(" 5.2 .. 5.4 ".parse::<VersionRange>().unwrap().to_string(), "5.2..5.4");
        assert!(matches!("5.4..5.2".parse::<VersionRange>(), Err(VersionRangeError::Backwards { .. })));
        for wrong in ["5 2", "..5.2..5.4", "5.2;drop", &"9".repeat(61)] {
            assert!(wrong.parse::<VersionRange>().is_err(), "{wrong}");
        }
    }
}

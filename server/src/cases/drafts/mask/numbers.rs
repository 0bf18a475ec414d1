//! What is known by its digits: IPv4 addresses, telephone numbers, identities of subscribers, devices and residents.

use lineman_common::api::MaskRule;

use super::fold::Folded;
use super::{Found, Known};

/// No number that is looked for is longer, with what stands between its groups.
const LONGEST: usize = 28;

pub fn find(found: &mut Found<'_>, known: &Known) {
    let folded = found.folded;
    let mut at = 0;
    while at < folded.len() {
        let hit = address(folded, at, known).or_else(|| number(folded, at));
        at = match hit {
            Some((end, rule)) if found.is_free(at, end) => {
                found.take(at, end, rule);
                end
            }
            Some(_) | None => at + 1,
        };
    }
}

/// Where a run of digits ends, or it is too long for all that is looked for.
fn digits(folded: &Folded, from: usize) -> usize {
    folded.skip_most(from, LONGEST + 1, |c| c.is_ascii_digit())
}

/// What stands between the parts of an address; the full stop of Chinese is what a keyboard gives that was not switched over.
const fn is_point(c: char) -> bool {
    matches!(c, '.' | '。')
}

/// Four numbers with points, whatever letters stand beside them; with the port or the mask behind.
fn address(folded: &Folded, at: usize, known: &Known) -> Option<(usize, MaskRule)> {
    let before = at.checked_sub(1).map(|at| folded.lower[at]);
    if before.is_some_and(|c| c.is_ascii_digit() || c == '.' || c == 'v') {
        return None;
    }
    let mut end = at;
    for part in 0..4 {
        let start = if part == 0 { at } else { end + 1 };
        if part > 0 && !folded.lower.get(end).copied().is_some_and(is_point) {
            return None;
        }
        end = digits(folded, start);
        let is_byte = (1..=3).contains(&(end - start)) && folded.lower(start, end).parse::<u16>().is_ok_and(|part| part <= 255);
        if !is_byte {
            return None;
        }
    }
    let goes_on = folded.lower.get(end) == Some(&'.') && folded.lower.get(end + 1).is_some_and(char::is_ascii_digit);
    if goes_on || known.keeps(&folded.lower(at, end)) || speaks_of_a_version(folded, at) {
        return None;
    }
    let tail = digits(folded, end + 1);
    let has_tail = matches!(folded.lower.get(end), Some('/' | ':')) && tail > end + 1;
    Some((if has_tail { tail } else { end }, MaskRule::Ip))
}

/// Four numbers with points after the word `version` are one.
fn speaks_of_a_version(folded: &Folded, at: usize) -> bool {
    let start = at.saturating_sub(24);
    let before = folded.lower(start, at);
    let before = before.trim_end_matches([' ', ':', 'v']);
    ["version", "release", "software", "ver", "ver.", "版本", "版本号", "软件"].iter().any(|word| before.ends_with(word))
}

/// Groups of digits with one sign between two of them.
struct Groups {
    /// Written with a `+`.
    international: bool,
    /// Start and end of each.
    groups: Vec<(usize, usize)>,
}

impl Groups {
    fn at(folded: &Folded, at: usize) -> Option<Self> {
        let before = at.checked_sub(1).map(|at| folded.lower[at]);
        let first = folded.lower[at];
        let joined = before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '+' | '('));
        if joined || !(first.is_ascii_digit() || matches!(first, '+' | '(')) {
            return None;
        }
        let international = first == '+';
        let (mut groups, mut from) = (Vec::new(), folded.skip(at, |c| matches!(c, '+' | '(')));
        while from < folded.len() && from < at + LONGEST {
            let end = digits(folded, from);
            if end == from {
                break;
            }
            groups.push((from, end));
            // One sign, or a bracket with one.
            from = folded.skip_most(end, LONGEST, |c| c == ')');
            if folded.lower.get(from).is_some_and(|c| matches!(c, ' ' | '-')) {
                from += 1;
            } else if from == end {
                break;
            }
            from = folded.skip_most(from, LONGEST, |c| c == '(');
        }
        (!groups.is_empty()).then_some(Self { international, groups })
    }

    fn text(&self, folded: &Folded, most: usize) -> (String, Vec<usize>) {
        let groups = &self.groups[..most];
        (groups.iter().map(|(start, end)| folded.lower(*start, *end)).collect(), groups.iter().map(|(start, end)| end - start).collect())
    }
}

fn number(folded: &Folded, at: usize) -> Option<(usize, MaskRule)> {
    let groups = Groups::at(folded, at)?;
    for most in (1..=groups.groups.len()).rev() {
        let (all, lengths) = groups.text(folded, most);
        let end = groups.groups[most - 1].1;
        let next = folded.lower.get(end);
        let goes_on = next.is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_')
            || (next.is_some_and(|c| matches!(c, '.' | '/' | ':')) && folded.lower.get(end + 1).is_some_and(char::is_ascii_digit));
        if next == Some(&'x') && is_resident(&all) && lengths.len() == 1 && all.len() == 17 {
            return Some((end + 1, MaskRule::IdNumber));
        }
        if goes_on {
            continue;
        }
        if let Some(rule) = kind(&all, &lengths, groups.international) {
            return Some((end, rule));
        }
    }
    None
}

fn kind(all: &str, lengths: &[usize], international: bool) -> Option<MaskRule> {
    if is_phone(all, lengths, international) {
        return Some(MaskRule::Phone);
    }
    match lengths {
        [2, 6, 6, 1 | 2] | [16] => Some(MaskRule::Imei),
        [15] if luhn(all) => Some(MaskRule::Imei),
        [15] => Some(MaskRule::Imsi),
        [18] | [6, 8, 4] if is_resident(all) => Some(MaskRule::IdNumber),
        [19 | 20] if all.starts_with("89") => Some(MaskRule::Sim),
        _ => None,
    }
}

fn is_phone(all: &str, lengths: &[usize], international: bool) -> bool {
    let is_mobile = |digits: &str| digits.len() == 11 && digits.starts_with('1') && digits.as_bytes()[1] >= b'3';
    if international {
        return (8..=15).contains(&all.len());
    }
    let bare = all.strip_prefix("0086").or_else(|| all.strip_prefix("86")).unwrap_or(all);
    let is_area = |length: &usize| (3..=4).contains(length) && all.starts_with('0');
    match lengths {
        [_] | [3, 4, 4] | [3, 8] | [2 | 4, 11] | [2 | 4, 3, 4, 4] if is_mobile(bare) || is_mobile(all) => true,
        [10..=12] => all.starts_with('0') || (all.len() == 10 && (all.starts_with("400") || all.starts_with("800"))),
        [area, 7 | 8] | [area, 7 | 8, 1..=5] | [area, 3 | 4, 4] if is_area(area) => true,
        [2, area @ 2..=3, 7 | 8] => all.starts_with("86") && *area >= 2,
        [3, 7] => all.starts_with("400") || all.starts_with("800"),
        [3, 3, 4] => all.as_bytes()[0] >= b'2',
        [1, 3, 3, 4] => all.starts_with('1'),
        _ => false,
    }
}

/// 17 digits with a date of birth in them, and what checks them.
fn is_resident(all: &str) -> bool {
    let part = |range: std::ops::Range<usize>| all.get(range).and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
    all.len() >= 17 && (1900..=2100).contains(&part(6..10)) && (1..=12).contains(&part(10..12)) && (1..=31).contains(&part(12..14))
}

/// The check of card and device numbers (ISO/IEC 7812-1).
fn luhn(all: &str) -> bool {
    let sum: u32 = all
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

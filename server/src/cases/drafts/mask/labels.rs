//! What a label says it is: `password=x`, `"token": "x"`, `密码：x`, `enable secret 5 x`, `S/N: x`, `snmpwalk -c x`.

use std::collections::HashMap;
use std::sync::LazyLock;

use lineman_common::api::MaskRule;

use super::fold::Folded;
use super::vocabulary::Joined::{self, BySign, BySpace, Configured, Loosely, Strictly};
use super::vocabulary::{CONFIGURATION, LABELS, LOGINS, MODES, NO_VALUES, OPTIONS, PROSE, USERS};
use super::{Found, people};

/// No value that a label names is longer.
const LONGEST: usize = 400;

/// No label goes on for longer: `password_of_the_second_server`.
const LONGEST_LABEL: usize = 64;

/// A label that stands in the text.
pub(super) struct Label {
    pub start: usize,
    pub end: usize,
    pub rule: MaskRule,
    pub joined: Joined,
    /// Its line begins like configuration.
    pub configured: bool,
}

type Row = (&'static str, MaskRule, Joined);

/// The labels by the character they begin with; where no label of any kind begins with one, it is not here.
static BY_FIRST: LazyLock<HashMap<char, Vec<Row>>> = LazyLock::new(|| {
    let mut rows: HashMap<char, Vec<Row>> = HashMap::new();
    let first = |label: &str| label.chars().next().unwrap_or_default();
    for row in LABELS {
        rows.entry(first(row.0)).or_default().push(*row);
    }
    for label in people::PERSONS.iter().chain(people::ROLES).chain(LOGINS) {
        rows.entry(first(label)).or_default();
    }
    rows
});

pub fn find(found: &mut Found<'_>) {
    let folded = found.folded;
    let (mut at, mut line_end, mut configured) = (0, 0, false);
    while at < folded.len() {
        if at >= line_end {
            let start = line_start(folded, at, line_end);
            configured = is_configuration(folded, start);
            line_end = folded.skip(at, |c| c != '\n') + 1;
        }
        let Some(rows) = BY_FIRST.get(&folded.lower[at]) else {
            at += 1;
            continue;
        };
        let people = people::after_label(folded, at);
        if let Some((_, end)) = people.last() {
            for (start, end) in &people {
                found.take(*start, *end, MaskRule::Person);
            }
            at = *end;
            continue;
        }
        let label = rows.iter().filter(|(label, _, _)| folded.is_at(label, at)).find(|row| begins(folded, at, row, configured));
        let value = label.and_then(|(label, rule, joined)| {
            let label = Label { start: at, end: at + label.chars().count(), rule: *rule, joined: *joined, configured };
            Some((value_after(folded, &label)?, *rule))
        });
        at = match value.or_else(|| Some((login(folded, at)?, MaskRule::Secret))) {
            Some(((start, end), rule)) => {
                found.take(start, end, rule);
                end
            }
            None => at + 1,
        };
    }
    options(found);
    hashes(found);
}

/// Where the line begins; a value may have ended in the middle of one.
fn line_start(folded: &Folded, at: usize, from: usize) -> usize {
    folded.lower[from.min(at)..at].iter().rposition(|c| *c == '\n').map_or(from.min(at), |place| from.min(at) + place + 1)
}

/// Whether a line begins like configuration, behind a prompt or not.
fn is_configuration(folded: &Folded, line: usize) -> bool {
    let start = folded.skip_most(line, LONGEST_LABEL, |c| c == ' ' || c == '\t');
    let word = folded.skip_most(start, LONGEST_LABEL, |c| !c.is_whitespace());
    let prompt = folded.lower[start..word].iter().rposition(|c| matches!(c, '#' | '>' | ']' | '$'));
    let start = prompt.map_or(start, |prompt| folded.skip_most(start + prompt + 1, LONGEST_LABEL, |c| c == ' '));
    CONFIGURATION.iter().any(|begin| folded.is_at(begin, start))
}

/// `db_password` is a password; `hotel` has no telephone, and `machine` no address.
fn begins(folded: &Folded, at: usize, (label, rule, joined): &Row, configured: bool) -> bool {
    let short = label.is_ascii() && (label.len() < 5 || matches!(rule, MaskRule::Person | MaskRule::Host | MaskRule::Phone));
    let alone = folded.stands_alone(at, at + label.chars().count());
    match joined {
        Configured => configured && alone && at.checked_sub(1).is_none_or(|before| folded.lower[before] != '-'),
        Loosely | BySpace | BySign | Strictly => !(short && !alone && !matches!(*label, "pwd" | "psk")),
    }
}

fn is_space(c: char) -> bool {
    c == ' ' || c == '\t' || c == '\u{a0}'
}

/// Where the value after a label begins and ends, if one follows.
pub(super) fn value_after(folded: &Folded, label: &Label) -> Option<(usize, usize)> {
    let (rule, joined) = (label.rule, label.joined);
    let is_han = folded.lower(label.start, label.end);
    let is_han = matches!(is_han.as_str(), "密码" | "口令");
    let pair = is_han && names_the_user_too(folded, label.start);
    if let Some((start, end)) = is_han.then(|| value_beside(folded, label.end)).flatten() {
        return Some((start, if pair { rest(folded, end, true) } else { end }));
    }
    let after_label = folded
        .skip_most(label.end, LONGEST_LABEL, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '"' | '\'' | '.' | '号' | '码' | '名'));
    // `密码改为 x`, `密码已重置为：x`.
    let change = folded.skip_most(after_label, 8, |c| "已被修改更重新设置变换配初始默认".contains(c));
    let changed = change > after_label && folded.lower.get(change).is_some_and(|c| matches!(c, '为' | '成'));
    let changed = changed && folded.lower.get(change + 1) != Some(&'功');
    let mut start = if changed { change + 1 } else { folded.skip(after_label, is_space) };
    let sign = folded.skip(start, |c| matches!(c, '=' | ':' | '>' | '是' | '为'));
    let by_sign = changed || sign > start;
    let by_colon = folded.lower[start..sign].contains(&':');
    let mut is_said = by_sign;
    start = folded.skip(sign, is_space);
    if !is_said && (start == after_label || matches!(joined, BySign | Strictly)) {
        return None;
    }
    if !is_said && folded.is_at("is ", start) {
        // `the password is x1` says one, `the password is wrong` does not.
        start = folded.skip(start + 2, is_space);
        is_said = joined == BySpace;
    }
    // Up to two words of configuration stand before the value: `secret 5 x`, `community read cipher x`.
    for _ in 0..2 {
        let end = word_end(folded, start);
        let word = folded.lower(start, end);
        let is_type = word.len() == 1 && word.bytes().all(|b| b.is_ascii_digit()) && !is_said;
        if !(is_type || MODES.contains(&word.as_str())) || folded.skip(end, is_space) == end {
            break;
        }
        start = folded.skip(end, is_space);
        if !matches!(rule, MaskRule::Serial) && !is_type {
            is_said |= MODES.contains(&word.as_str()) && word_end(folded, start) > start;
        }
    }
    if start >= folded.len() || is_masked(folded, start) {
        return None;
    }
    let quote = folded.lower[start];
    if matches!(quote, '"' | '\'' | '`') {
        let length = folded.lower[start + 1..].iter().take(LONGEST).position(|c| *c == quote)?;
        return (length > 0).then_some((start + 1, start + 1 + length));
    }
    let end = word_end(folded, start);
    let value = folded.lower(start, end);
    if rule == MaskRule::Secret && !by_sign {
        if PROSE.contains(&value.as_str()) {
            return None;
        }
        let told = label.configured || pair || (value.is_ascii() && follows_a_user(folded, label.start));
        is_said |= told && value.is_ascii() && !is_prose(&value) && !is_prose(&next_word(folded, end));
    }
    if !is_believable(&value, rule, joined, is_said) {
        return None;
    }
    let goes_on = rule == MaskRule::Secret && (pair || by_colon);
    Some((start, if goes_on { rest(folded, end, pair) } else { end }))
}

fn is_prose(word: &str) -> bool {
    NO_VALUES.contains(&word) || PROSE.contains(&word)
}

fn next_word(folded: &Folded, end: usize) -> String {
    let start = folded.skip_most(end, LONGEST_LABEL, is_space);
    folded.lower(start, folded.skip_most(start, LONGEST_LABEL, |c| c.is_ascii_alphabetic()))
}

/// `口令zte`: nothing stands between the two.
fn value_beside(folded: &Folded, start: usize) -> Option<(usize, usize)> {
    folded.lower.get(start).filter(|c| c.is_ascii_alphanumeric())?;
    let end = folded.skip_most(start, LONGEST, |c| c.is_ascii_graphic() && !",;)]}\"'=:".contains(c));
    let value = folded.lower(start, end);
    let next = folded.lower.get(end).copied();
    if value.len() < 3 || is_prose(&value) || next.is_some_and(|c| matches!(c, '=' | ':')) {
        return None;
    }
    let has = |test: fn(char) -> bool| value.chars().any(test);
    let believable = match (has(|c| c.is_ascii_alphabetic()), has(|c| !c.is_ascii_alphabetic())) {
        (true, true) => true,
        // `密码SSH登录`: what is in capitals throughout is a term.
        (true, false) => folded.cased(start, end).bytes().any(|b| b.is_ascii_lowercase()),
        // `口令12位`.
        (false, _) => value.len() >= 4 && !next.is_some_and(people::is_han),
    };
    believable.then_some((start, end))
}

/// The words before a label, the nearest first.
fn words_before(folded: &Folded, label: usize) -> Vec<String> {
    let before = folded.lower(label.saturating_sub(LONGEST_LABEL), label);
    before.lines().last().unwrap_or_default().split_whitespace().rev().take(2).map(str::to_owned).collect()
}

/// `用户 admin 密码 x`, `neighbor 10.0.0.1 password x`.
fn follows_a_user(folded: &Folded, label: usize) -> bool {
    let words = words_before(folded, label);
    let is_name = |name: &str| !name.is_empty() && name.is_ascii() && !is_prose(name);
    match words.as_slice() {
        [name, ..] if USERS.iter().any(|user| !user.is_ascii() && name.strip_prefix(user).is_some_and(is_name)) => true,
        [name, owner] if is_name(name) => {
            USERS.iter().any(|user| owner.ends_with(user))
                || (matches!(owner.as_str(), "neighbor" | "peer") && name.bytes().any(|b| b.is_ascii_digit()))
        }
        _ => false,
    }
}

/// `账号密码 admin x`: the label names both.
fn names_the_user_too(folded: &Folded, label: usize) -> bool {
    let before = folded.lower(label.saturating_sub(8), label);
    let before = before.trim_end_matches([' ', '和', '及', '与', '、', '/']);
    USERS.iter().any(|user| before.ends_with(user))
}

/// Where a password ends that has a space in it, or stands behind its user: `密码：abc 123`.
fn rest(folded: &Folded, end: usize, pair: bool) -> usize {
    let start = folded.skip_most(end, 2, is_space);
    let stop = word_end(folded, start);
    let word = folded.lower(start, stop);
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "$#@!%^&*_-+".contains(c));
    let next = folded.lower.get(folded.skip_most(stop, LONGEST_LABEL, is_space));
    let is_last = next.is_none_or(|c| !c.is_alphanumeric());
    let is_rest = plain && !is_prose(&word) && (pair || (is_last && word.bytes().any(|b| b.is_ascii_digit())));
    if start > end && is_rest { stop } else { end }
}

/// `login admin/admin123`, but neither `login ssh/telnet` nor `login ge-1/0`.
fn login(folded: &Folded, at: usize) -> Option<(usize, usize)> {
    let word = LOGINS.iter().find(|word| folded.is_at(word, at))?;
    let label_end = at + word.chars().count();
    let start = folded.skip_most(label_end, 4, |c| is_space(c) || c == ':' || c == '=');
    if !folded.stands_alone(at, label_end) || (word.is_ascii() && start == label_end) {
        return None;
    }
    let end = word_end(folded, start);
    let value = folded.lower(start, end);
    let (user, password) = value.split_once('/')?;
    let is_user = user.len() >= 2 && user.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let strange = password.bytes().any(|b| b.is_ascii_digit() || b.is_ascii_punctuation());
    let is_password = password.is_ascii() && !password.contains('/') && password.len() >= 4 && (strange || password == user);
    (is_user && user.bytes().any(|b| b.is_ascii_alphabetic()) && is_password).then_some((start, end))
}

/// What `crypt` makes of a password, wherever it stands: `root:$6$salt$hash:18000`, `enable 18 $5$abc`.
fn hashes(found: &mut Found<'_>) {
    let folded = found.folded;
    let mut at = 0;
    while let Some(start) = folded.find("$", at) {
        let id_end = folded.skip_most(start + 1, 6, |c| c.is_ascii_alphanumeric());
        let end = word_end(folded, start);
        let end = folded.skip_most(start, end - start, |c| c != ':');
        let is_id = matches!(
            folded.lower(start + 1, id_end).as_str(),
            "1" | "2a" | "2b" | "2x" | "2y" | "3" | "5" | "6" | "7" | "8" | "9" | "14" | "y" | "gy" | "sha1" | "apr1"
        );
        let is_hash = is_id && folded.lower.get(id_end) == Some(&'$') && end >= id_end + 4;
        at = if is_hash && folded.lower[id_end..end].iter().any(char::is_ascii_alphabetic) {
            found.take(start, end, MaskRule::Secret);
            end
        } else {
            start + 1
        };
    }
}

/// Something was taken out here before: `[secret]`.
fn is_masked(folded: &Folded, start: usize) -> bool {
    folded.lower[start] == '[' && folded.lower[start..].iter().take(17).any(|c| *c == ']')
}

fn word_end(folded: &Folded, start: usize) -> usize {
    folded.skip_most(start, LONGEST, |c| !c.is_whitespace() && !",;，；。、)]}\"".contains(c))
}

fn is_believable(value: &str, rule: MaskRule, joined: Joined, is_said: bool) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let signs = value.chars().any(|c| "$#@!%^&*".contains(c));
    if value.is_empty() || (!is_said && NO_VALUES.contains(&value)) {
        return false;
    }
    match rule {
        MaskRule::Serial => value.chars().filter(char::is_ascii_alphanumeric).count() >= 5 && (digits > 0 || signs),
        MaskRule::Phone | MaskRule::Imsi | MaskRule::Imei | MaskRule::Sim | MaskRule::IdNumber => digits >= 5,
        MaskRule::Mac => value.len() >= 12 && value.chars().all(|c| c.is_ascii_hexdigit() || ":-.".contains(c)),
        MaskRule::Host => value.chars().any(char::is_alphabetic),
        MaskRule::Person if joined == Loosely => value.is_ascii() && value.len() >= 5 && (is_said || digits > 0),
        MaskRule::Person => value.chars().any(char::is_alphanumeric) && (is_said || joined == BySpace),
        MaskRule::Community => !NO_VALUES.contains(&value) && (is_said || joined != Loosely || value.is_ascii()),
        MaskRule::Secret if joined == Strictly => {
            (digits > 0 || signs) && value.contains(|c: char| c.is_ascii_alphabetic()) && !value.contains('/')
        }
        MaskRule::Secret
        | MaskRule::Ip
        | MaskRule::Mail
        | MaskRule::CloudKey
        | MaskRule::Token
        | MaskRule::PrivateKey
        | MaskRule::Certificate
        | MaskRule::UrlCredentials
        | MaskRule::Customer
        | MaskRule::Site
        | MaskRule::Equipment
        | MaskRule::Fault
        | MaskRule::Reviewer => is_said || digits > 0 || signs,
    }
}

fn options(found: &mut Found<'_>) {
    let folded = found.folded;
    for (program, option, rule) in OPTIONS {
        let mut from = 0;
        while let Some(at) = folded.find(program, from) {
            // The first program of a line stands for all that follow on it.
            let line_end = folded.skip(at, |c| c != '\n');
            from = line_end;
            let mut after = at + program.len();
            while let Some(option_at) = folded.find_before(option, after, line_end) {
                let option_end = option_at + option.len();
                let start = folded.skip(option_end, |c| matches!(c, ' ' | '"' | '\''));
                after = word_end(folded, start).max(option_at + 1);
                // `snmpwalk -Cc` is another option than `-c`.
                let other = *rule == MaskRule::Community && start == option_end && folded.cased(option_at, option_end) != *option;
                if start < after && after <= line_end && !other && !is_masked(folded, start) {
                    found.take(start, after, *rule);
                }
            }
        }
    }
}

//! What a label says it is: `password=x`, `"token": "x"`, `密码：x`, `enable secret 5 x`, `S/N: x`, `snmpwalk -c x`.

use lineman_common::api::MaskRule;

use super::Found;
use super::fold::Folded;

/// What must stand between a label and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joined {
    /// A sign, or a space when the value looks like one.
    Loosely,
    /// A space is enough, unless the word is one of prose.
    BySpace,
    /// A sign: the label is a word of every day.
    BySign,
}

use Joined::{BySign, BySpace, Loosely};

/// In small letters; the longer before the shorter of the same beginning.
const LABELS: &[(&str, MaskRule, Joined)] = &[
    ("authorization", MaskRule::Secret, Loosely),
    ("access_key", MaskRule::Secret, Loosely),
    ("access-key", MaskRule::Secret, Loosely),
    ("accesskey", MaskRule::Secret, Loosely),
    ("passphrase", MaskRule::Secret, Loosely),
    ("credential", MaskRule::Secret, Loosely),
    ("password", MaskRule::Secret, Loosely),
    ("api_key", MaskRule::Secret, Loosely),
    ("api-key", MaskRule::Secret, Loosely),
    ("passwd", MaskRule::Secret, Loosely),
    ("apikey", MaskRule::Secret, Loosely),
    ("secret", MaskRule::Secret, Loosely),
    ("bearer", MaskRule::Secret, Loosely),
    ("cipher", MaskRule::Secret, Loosely),
    ("token", MaskRule::Secret, Loosely),
    ("cookie", MaskRule::Secret, BySign),
    ("pwd", MaskRule::Secret, Loosely),
    ("psk", MaskRule::Secret, Loosely),
    ("密码", MaskRule::Secret, Loosely),
    ("口令", MaskRule::Secret, Loosely),
    ("密钥", MaskRule::Secret, Loosely),
    ("令牌", MaskRule::Secret, Loosely),
    ("community", MaskRule::Community, BySpace),
    ("团体字", MaskRule::Community, Loosely),
    ("团体名", MaskRule::Community, Loosely),
    ("共同体", MaskRule::Community, BySign),
    ("serial number", MaskRule::Serial, Loosely),
    ("serial no", MaskRule::Serial, Loosely),
    ("serial", MaskRule::Serial, Loosely),
    ("序列号", MaskRule::Serial, Loosely),
    ("s/n", MaskRule::Serial, Loosely),
    ("imsi", MaskRule::Imsi, Loosely),
    ("imei", MaskRule::Imei, Loosely),
    ("iccid", MaskRule::Sim, Loosely),
    ("msisdn", MaskRule::Phone, Loosely),
    ("身份证", MaskRule::IdNumber, Loosely),
    ("联系电话", MaskRule::Phone, Loosely),
    ("电话", MaskRule::Phone, Loosely),
    ("手机", MaskRule::Phone, Loosely),
    ("mobile", MaskRule::Phone, Loosely),
    ("phone", MaskRule::Phone, Loosely),
    ("tel", MaskRule::Phone, Loosely),
    ("fax", MaskRule::Phone, Loosely),
    ("mac", MaskRule::Mac, Loosely),
    ("hostname", MaskRule::Host, BySpace),
    ("sysname", MaskRule::Host, BySpace),
    ("主机名", MaskRule::Host, BySign),
    ("网元名称", MaskRule::Host, BySign),
    ("联系人", MaskRule::Person, BySign),
    ("经办人", MaskRule::Person, BySign),
    ("值班人", MaskRule::Person, BySign),
    ("用户名", MaskRule::Person, BySign),
    ("账号", MaskRule::Person, BySign),
    ("帐号", MaskRule::Person, BySign),
    ("contact", MaskRule::Person, BySign),
    ("username", MaskRule::Person, BySpace),
    ("login", MaskRule::Person, BySign),
];

/// They stand between a label and its value, or after a label without one.
const NO_VALUES: &[&str] = &[
    "is",
    "was",
    "the",
    "a",
    "an",
    "of",
    "for",
    "and",
    "or",
    "in",
    "on",
    "to",
    "with",
    "from",
    "by",
    "at",
    "not",
    "no",
    "string",
    "strings",
    "name",
    "names",
    "access",
    "wrong",
    "list",
    "map",
    "attribute",
    "prompt",
    "field",
    "ring",
    "port",
    "line",
    "console",
    "bus",
    "table",
    "address",
    "addresses",
    "learning",
    "flapping",
    "layer",
    "call",
    "failed",
    "failure",
    "error",
    "expired",
    "changed",
    "reset",
    "unknown",
    "none",
];

/// Between label and value in the configurations of network equipment.
const MODES: &[&str] = &[
    "read",
    "write",
    "ro",
    "rw",
    "cipher",
    "irreversible-cipher",
    "simple",
    "plain",
    "encrypted",
    "bearer",
    "basic",
    "digest",
    "reversible",
];

/// No value that a label names is longer.
const LONGEST: usize = 400;

pub fn find(found: &mut Found<'_>) {
    let folded = found.folded;
    let mut at = 0;
    while at < folded.len() {
        let label = LABELS.iter().filter(|(label, _, _)| folded.is_at(label, at)).find(|(label, rule, _)| begins(folded, at, label, *rule));
        let value = label.and_then(|(label, rule, joined)| Some((value_after(folded, at + label.chars().count(), *rule, *joined)?, *rule)));
        at = match value {
            Some(((start, end), rule)) => {
                found.take(start, end, rule);
                end
            }
            None => at + 1,
        };
    }
    options(found);
}

/// `db_password` is a password; `hotel` has no telephone, and `machine` no address.
fn begins(folded: &Folded, at: usize, label: &str, rule: MaskRule) -> bool {
    let short = label.is_ascii() && (label.len() < 5 || matches!(rule, MaskRule::Person | MaskRule::Host | MaskRule::Phone));
    let alone = folded.stands_alone(at, at + label.chars().count());
    !(short && !alone && !matches!(label, "pwd" | "psk"))
}

/// Where the value after a label begins and ends, if one follows.
fn value_after(folded: &Folded, label_end: usize, rule: MaskRule, joined: Joined) -> Option<(usize, usize)> {
    let is_space = |c: char| c == ' ' || c == '\t' || c == '\u{a0}';
    let after_label = folded.skip(label_end, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '"' | '\'' | '.' | '号' | '码' | '名'));
    let mut start = folded.skip(after_label, is_space);
    let sign = folded.skip(start, |c| matches!(c, '=' | ':' | '>' | '是' | '为'));
    let mut is_said = sign > start;
    start = folded.skip(sign, is_space);
    if !is_said && (start == after_label || joined == BySign) {
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
    is_believable(&folded.lower(start, end), rule, joined, is_said).then_some((start, end))
}

/// Something was taken out here before: `[secret]`.
fn is_masked(folded: &Folded, start: usize) -> bool {
    folded.lower[start] == '[' && folded.lower[start..].iter().take(17).any(|c| *c == ']')
}

fn word_end(folded: &Folded, start: usize) -> usize {
    folded.skip(start, |c| !c.is_whitespace() && !",;，；。、)]}\"".contains(c)).min(start + LONGEST)
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
        MaskRule::Person => value.chars().any(char::is_alphanumeric) && (is_said || joined == BySpace),
        MaskRule::Community => !NO_VALUES.contains(&value),
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

/// Secrets that programs take as options: the program, the option, what follows.
const OPTIONS: &[(&str, &str, MaskRule)] = &[
    ("snmp", " -c ", MaskRule::Community),
    ("snmp", " -a ", MaskRule::Secret),
    ("snmp", " -x ", MaskRule::Secret),
    ("mysql", " -p", MaskRule::Secret),
    ("sshpass", " -p", MaskRule::Secret),
    ("curl", " -u ", MaskRule::Secret),
    ("ipmitool", " -p ", MaskRule::Secret),
    ("redis-cli", " -a ", MaskRule::Secret),
];

fn options(found: &mut Found<'_>) {
    let folded = found.folded;
    for (program, option, rule) in OPTIONS {
        let mut from = 0;
        while let Some(at) = folded.find(program, from) {
            from = at + program.len();
            let line_end = folded.skip(from, |c| c != '\n');
            let mut after = from;
            while let Some(option_at) = folded.find(option, after).filter(|option_at| *option_at < line_end) {
                let start = folded.skip(option_at + option.len(), |c| matches!(c, ' ' | '"' | '\''));
                after = word_end(folded, start).max(option_at + 1);
                if start < after && after <= line_end {
                    found.take(start, after, *rule);
                }
            }
        }
    }
}

//! What a word is known by: addresses, hosts, equipment, faults, and keys, which are long and belong to no language.

use std::net::Ipv6Addr;

use lineman_common::api::MaskRule;
use lineman_common::name::{FaultNumber, NeName};

use super::{Found, Known};

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._:@-/+=%~".contains(c)
}

pub fn find(found: &mut Found<'_>, known: &Known) {
    let folded = found.folded;
    let mut at = 0;
    while at < folded.len() {
        let is_part = |at: usize, found: &Found<'_>| is_word(folded.lower[at]) && found.taken[at].is_none();
        let start = at;
        while at < folded.len() && is_part(at, found) {
            at += 1;
        }
        if at > start {
            word(found, known, start, at);
        } else {
            at += 1;
        }
    }
}

/// One word, or else the parts it is made of.
fn word(found: &mut Found<'_>, known: &Known, start: usize, end: usize) {
    let lower = &found.folded.lower[start..end];
    let has_pair = lower.windows(2).any(|pair| pair == [':', ':']);
    let is_edge = |c: &char| !(c.is_ascii_alphanumeric() || (has_pair && *c == ':'));
    let Some(first) = lower.iter().position(|c| !is_edge(c)) else { return };
    let last = lower.iter().rposition(|c| !is_edge(c)).unwrap_or(first);
    let (start, end) = (start + first, start + last + 1);
    let core = found.folded.lower(start, end);
    if known.keeps(&core) || known.names(&core) {
        return;
    }
    if let Some(rule) = shape(&core) {
        found.take(start, end, rule);
        return;
    }
    let Some(separator) = ['=', '@', '/', ':', '~', '+', '%', '-', '.'].into_iter().find(|separator| core.contains(*separator)) else {
        return;
    };
    let mut from = start;
    for at in start..=end {
        if at == end || found.folded.lower[at] == separator {
            if at > from {
                word(found, known, from, at);
            }
            from = at + 1;
        }
    }
}

fn shape(word: &str) -> Option<MaskRule> {
    if is_mac(word) {
        return Some(MaskRule::Mac);
    }
    if is_ipv6(word) {
        return Some(MaskRule::Ip);
    }
    if word.parse::<NeName>().is_ok() {
        return Some(MaskRule::Equipment);
    }
    if word.to_ascii_uppercase().parse::<FaultNumber>().is_ok() {
        return Some(MaskRule::Fault);
    }
    if is_onu(word) {
        return Some(MaskRule::Serial);
    }
    match word.split_once('@') {
        Some((name, domain)) if !name.is_empty() && is_host(domain) => return Some(MaskRule::Mail),
        Some((name, domain)) if !name.is_empty() && !name.contains('=') && domain.contains(|c: char| c.is_ascii_alphabetic()) => {
            return Some(if domain.contains('.') { MaskRule::Mail } else { MaskRule::Host });
        }
        Some(_) | None => {}
    }
    let host = word.split_once('/').map_or(word, |(host, _)| host);
    let host = host
        .rsplit_once(':')
        .filter(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(host, _)| host);
    if !word.contains('/') && is_host(host) {
        return Some(MaskRule::Host);
    }
    if word.starts_with("eyj") && word.matches('.').count() == 2 && word.len() >= 12 {
        return Some(MaskRule::Token);
    }
    if is_cloud_key(word) {
        return Some(MaskRule::CloudKey);
    }
    is_long_secret(word).then_some(MaskRule::Secret)
}

fn is_ipv6(word: &str) -> bool {
    let word = word.split_once('/').map_or(word, |(address, _)| address);
    let bare = word.split_once('%').map_or(word, |(address, _)| address);
    bare.bytes().filter(|b| *b == b':').count() >= 2 && bare.bytes().any(|b| b.is_ascii_digit()) && bare.parse::<Ipv6Addr>().is_ok()
}

fn is_mac(word: &str) -> bool {
    let is_hex = |length: usize| move |part: &str| part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit());
    let of =
        |separator: char, parts: usize, length: usize| word.split(separator).count() == parts && word.split(separator).all(is_hex(length));
    let bare = is_hex(12)(word) && word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().filter(u8::is_ascii_alphabetic).count() >= 2;
    of(':', 6, 2) || of('-', 6, 2) || of('.', 3, 4) || of('-', 3, 4) || bare
}

/// How the serial numbers of optical network units begin: four letters for the vendor, eight hexadecimal digits follow.
const VENDORS: &[&str] = &[
    "zteg", "hwtc", "huaw", "fhtt", "alcl", "nokg", "nbel", "gpon", "xpon", "cigg", "brcm", "rtkg", "ctcg", "skyw", "dlnk", "tplg", "cdat",
];

fn is_onu(word: &str) -> bool {
    let number = VENDORS.iter().find_map(|vendor| word.strip_prefix(vendor));
    number.is_some_and(|number| number.len() == 8 && number.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The last labels of names of hosts; other words with points are files, alarms, counters.
const DOMAINS: &[&str] = &[
    "com",
    "net",
    "org",
    "cn",
    "io",
    "edu",
    "gov",
    "mil",
    "info",
    "biz",
    "local",
    "lan",
    "localdomain",
    "internal",
    "intranet",
    "intra",
    "corp",
    "home",
    "arpa",
    "uk",
    "de",
    "fr",
    "jp",
    "hk",
    "tw",
    "mo",
    "sg",
    "kr",
    "eu",
    "us",
    "ru",
    "example",
    "test",
    "invalid",
    "cloud",
    "dev",
    "app",
    "telecom",
    "mobi",
    "xyz",
];

fn is_host(word: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let mut labels = word.trim_end_matches('.').split('.');
    let last = labels.next_back().unwrap_or_default();
    DOMAINS.contains(&last) && word.contains('.') && labels.all(is_label)
}

/// How keys of clouds and services begin, and how long they are at least.
const KEYS: &[(&str, usize)] = &[
    ("akia", 20),
    ("asia", 20),
    ("ltai", 16),
    ("akid", 20),
    ("aiza", 35),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxa-", 20),
    ("sk-", 20),
    ("sk_live_", 20),
    ("rk_live_", 20),
    ("hf_", 20),
    ("npm_", 20),
    ("ya29.", 20),
    ("pypi-", 20),
    ("lmt_", 20),
];

fn is_cloud_key(word: &str) -> bool {
    let whole = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    KEYS.iter().any(|(begin, least)| word.starts_with(begin) && word.len() >= *least && word.chars().all(whole))
        && word.bytes().any(|b| b.is_ascii_digit())
}

/// Long, without a gap, with letters and digits in between: a key, a hash, a token.
fn is_long_secret(word: &str) -> bool {
    let count = |test: fn(&u8) -> bool| word.bytes().filter(test).count();
    let (letters, digits) = (count(u8::is_ascii_alphabetic), count(u8::is_ascii_digit));
    let joints = word.len() - letters - digits;
    word.len() >= 24 && letters >= 4 && digits >= 4 && joints <= word.len() / 12
}

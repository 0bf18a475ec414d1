//! Takes out of a text what must not leave its customer: secrets, addresses, serial numbers, names.
//!
//! A fault's text was written for one customer; a case is read by everybody. What is taken out leaves a word in brackets
//! that says what was there, so that the text still reads and a reviewer sees where something went. When in doubt it is taken out:
//! a reviewer can put a word back, nobody can take a published password back.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use lineman_common::name::{FaultNumber, NeName};

const SECRET: &str = "[secret]";
const PRIVATE_KEY: &str = "[private key]";
const SERIAL: &str = "[serial]";

/// Names that are known to be the customer's.
#[derive(Debug, Default)]
pub struct Known {
    /// Single words in lower case.
    words: HashMap<String, &'static str>,
    /// Words that only count as they are written: a customer's code `IT` is not the word `it`.
    exact: HashMap<String, &'static str>,
    /// Anything with spaces or in Chinese: found anywhere. Longest first.
    phrases: Vec<(String, &'static str)>,
}

impl Known {
    /// A name that is taken out however it is written.
    pub fn name(&mut self, name: &str, shown: &'static str) {
        let name = name.trim().to_ascii_lowercase();
        match name.chars().count() {
            // A name of one character would be taken out of the middle of words.
            0 | 1 => {}
            _ if name.chars().all(is_word) => {
                self.words.insert(name, shown);
            }
            _ => {
                let at = self.phrases.partition_point(|(known, _)| known.len() >= name.len());
                self.phrases.insert(at, (name, shown));
            }
        }
    }

    /// A code that is taken out as it is written.
    pub fn code(&mut self, code: &str, shown: &'static str) {
        self.exact.insert(code.to_owned(), shown);
    }
}

pub fn mask(text: &str, known: &Known) -> String {
    let mut text = private_keys(text);
    for (phrase, shown) in &known.phrases {
        text = replace_folded(&text, phrase, shown);
    }
    let text = labelled(&url_credentials(&text));
    words(&text, known)
}

/// From BEGIN to END, or to where the text was cut.
fn private_keys(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(begin) = rest.find("-----BEGIN ") {
        let (before, block) = rest.split_at(begin);
        let head_end = block[11..].find("-----").map(|at| at + 16);
        out.push_str(before);
        match head_end {
            Some(head_end) if block[..head_end].contains("PRIVATE KEY") => {
                out.push_str(PRIVATE_KEY);
                let end = block.find("-----END ").and_then(|at| block[at + 9..].find("-----").map(|more| at + 9 + more + 5));
                rest = &block[end.unwrap_or(block.len())..];
            }
            _ => {
                out.push_str(&block[..11]);
                rest = &block[11..];
            }
        }
    }
    out + rest
}

/// ASCII letters in either case; `phrase` is in lower case.
fn replace_folded(text: &str, phrase: &str, shown: &str) -> String {
    let folded = text.to_ascii_lowercase();
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    while let Some(at) = folded[from..].find(phrase) {
        out.push_str(&text[from..from + at]);
        out.push_str(shown);
        from += at + phrase.len();
    }
    out + &text[from..]
}

/// `https://user:password@host`.
fn url_credentials(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let authority = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        rest = match after[..authority].rfind('@') {
            Some(end) => {
                out.push_str(SECRET);
                &after[end..]
            }
            None => after,
        };
    }
    out + rest
}

/// Labels, in lower case, with what stands for the value after them; the longer before the shorter.
const LABELS: &[(&str, &str)] = &[
    ("authorization", SECRET),
    ("serial number", SERIAL),
    ("access_key", SECRET),
    ("access-key", SECRET),
    ("passphrase", SECRET),
    ("credential", SECRET),
    ("community", SECRET),
    ("serial no", SERIAL),
    ("password", SECRET),
    ("api_key", SECRET),
    ("api-key", SECRET),
    ("passwd", SECRET),
    ("apikey", SECRET),
    ("secret", SECRET),
    ("bearer", SECRET),
    ("serial", SERIAL),
    ("团体字", SECRET),
    ("序列号", SERIAL),
    ("token", SECRET),
    ("密码", SECRET),
    ("口令", SECRET),
    ("密钥", SECRET),
    ("令牌", SECRET),
    ("pwd", SECRET),
    ("psk", SECRET),
    ("s/n", SERIAL),
];

/// `password=x`, `"token": "x"`, `密码：x`, `enable secret 5 x`, `S/N: x`.
fn labelled(text: &str) -> String {
    let folded = text.to_ascii_lowercase();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while at < text.len() {
        let label = LABELS.iter().find(|(label, _)| folded[at..].starts_with(label));
        let value = label.and_then(|(label, shown)| Some((value_after(text, at + label.len(), *shown == SERIAL)?, *shown)));
        if let Some(((start, end), shown)) = value {
            out.push_str(&text[at..start]);
            out.push_str(shown);
            at = end;
        } else {
            let next = text[at..].chars().next().map_or(1, char::len_utf8);
            out.push_str(&text[at..at + next]);
            at += next;
        }
    }
    out
}

/// Where the value after a label begins and ends, if one follows.
fn value_after(text: &str, label_end: usize, serial: bool) -> Option<(usize, usize)> {
    let skip = |from: usize, skipped: fn(char) -> bool| from + text[from..].find(|c| !skipped(c)).unwrap_or(text.len() - from);
    let after_label = skip(label_end, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '"' | '\'' | '.'));
    let mut start = skip(after_label, |c| c == ' ' || c == '\t');
    let separator = skip(start, |c| matches!(c, '=' | ':' | '：' | '＝' | '>' | '是' | '为'));
    let is_said = separator > start;
    start = skip(separator, |c| c == ' ' || c == '\t');
    if !is_said && start == label_end {
        return None;
    }
    if let Some(rest) = text[start..].strip_prefix("is ") {
        start = text.len() - rest.len();
    }
    if text[start..].starts_with('[') && text[start..].find(']').is_some_and(|length| length <= 16) {
        return None;
    }
    let quote = text[start..].chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
    if let Some(quote) = quote {
        let length = text[start + 1..].find(quote)?;
        return (length > 0).then_some((start + 1, start + 1 + length));
    }
    let word =
        |from: usize| from + text[from..].find(|c: char| c.is_whitespace() || ",;，；。)]}\"".contains(c)).unwrap_or(text.len() - from);
    let mut end = word(start);
    let first = &text[start..end];
    if matches!(first.to_ascii_lowercase().as_str(), "bearer" | "basic" | "digest") || (first.len() == 1 && !is_said) {
        end = word(skip(end, |c| c == ' '));
    }
    let value = &text[start..end];
    let long_enough = !serial || value.chars().filter(char::is_ascii_alphanumeric).count() >= 5;
    let believable = (is_said && !serial) || value.chars().any(|c| c.is_ascii_digit() || "$#@!%^&*".contains(c));
    (!value.is_empty() && long_enough && believable).then_some((start, end))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._:@-/+=%~".contains(c)
}

/// Addresses and names by their shape, word by word.
fn words(text: &str, known: &Known) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while !rest.is_empty() {
        let gap = rest.find(is_word).unwrap_or(rest.len());
        out.push_str(&rest[..gap]);
        rest = &rest[gap..];
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let masked = word(&rest[..end], known, &out);
        out.push_str(&masked);
        rest = &rest[end..];
    }
    out
}

/// One word, or else the parts it is made of.
fn word(text: &str, known: &Known, before: &str) -> String {
    let core = text.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != ':');
    let core = if core.contains("::") { core } else { core.trim_matches(':') };
    let Some(start) = text.find(core).filter(|_| !core.is_empty()) else { return text.to_owned() };
    if let Some(shown) = shape(core, known, before) {
        return format!("{}{shown}{}", &text[..start], &text[start + core.len()..]);
    }
    for separator in ['=', '@', '/', ':', '~', '+', '%', '-', '.'] {
        if core.contains(separator) {
            let parts: Vec<_> = text.split(separator).map(|part| word(part, known, before)).collect();
            return parts.join(&separator.to_string());
        }
    }
    text.to_owned()
}

fn shape(word: &str, known: &Known, before: &str) -> Option<&'static str> {
    if let Some(shown) = known.exact.get(word).or_else(|| known.words.get(&word.to_ascii_lowercase())) {
        return Some(shown);
    }
    let host = word.split_once('/').map_or(word, |(host, _)| host);
    let host = host
        .rsplit_once(':')
        .filter(|(host, port)| !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(host, _)| host);
    if host.parse::<Ipv4Addr>().is_ok() && !speaks_of_a_version(before) {
        return Some("[ip]");
    }
    if is_mac(word) {
        return Some("[mac]");
    }
    let bare = host.split_once('%').map_or(host, |(address, _)| address);
    if bare.bytes().filter(|b| *b == b':').count() >= 2 && bare.bytes().any(|b| b.is_ascii_digit()) && bare.parse::<Ipv6Addr>().is_ok() {
        return Some("[ip]");
    }
    if word.to_ascii_lowercase().parse::<NeName>().is_ok() {
        return Some("[equipment]");
    }
    if word.parse::<FaultNumber>().is_ok() {
        return Some("[fault]");
    }
    if word.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.')) {
        return Some("[mail]");
    }
    if is_phone(word) {
        return Some("[phone]");
    }
    is_long_secret(word).then_some(SECRET)
}

/// Four numbers with points after the word `version` are one.
fn speaks_of_a_version(before: &str) -> bool {
    let before = before.trim_end_matches([' ', ':', '：', 'v', 'V']).to_lowercase();
    ["version", "release", "software", "ver", "ver.", "版本", "版本号", "软件"].iter().any(|word| before.ends_with(word))
}

fn is_mac(word: &str) -> bool {
    let is_hex = |length: usize| move |part: &str| part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit());
    let of =
        |separator: char, parts: usize, length: usize| word.split(separator).count() == parts && word.split(separator).all(is_hex(length));
    of(':', 6, 2) || of('-', 6, 2) || of('.', 3, 4) || of('-', 3, 4)
}

/// A mobile number as written in China.
fn is_phone(word: &str) -> bool {
    let digits = word.strip_prefix("86").filter(|rest| rest.len() > 10).unwrap_or(word);
    digits.len() == 11 && digits.bytes().all(|b| b.is_ascii_digit()) && digits.starts_with('1') && digits.as_bytes()[1] >= b'3'
}

/// Keys and tokens: long, without a gap, and not a word of any language.
fn is_long_secret(word: &str) -> bool {
    let any = |test: fn(&u8) -> bool| word.as_bytes().iter().any(test);
    let mixed = any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase) && any(u8::is_ascii_digit);
    let hex = word.bytes().all(|b| b.is_ascii_hexdigit()) && any(u8::is_ascii_digit) && any(u8::is_ascii_alphabetic);
    let jwt = word.starts_with("eyJ") && word.matches('.').count() == 2;
    jwt || (word.len() >= 32 && (hex || (mixed && word.matches(['/', '.', '-']).count() <= word.len() / 16)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut known = Known::default();
        known.code("JW", "[customer]");
        known.name("Jiangwan Telecom", "[customer]");
        known.name("江湾电信", "[customer]");
        known.name("ne-1", "[equipment]");
        known.name("2102312ABC7890", "[serial]");
        mask(text, &known)
    }

    #[test]
    fn secrets_go_and_the_text_around_them_stays() {
        for (text, wanted) in [
            ("login with password=Hunter2! then", "login with password=[secret] then"),
            ("{\"password\": \"a b\", \"x\": 1}", "{\"password\": \"[secret]\", \"x\": 1}"),
            ("DB_PASSWORD='x y' ok", "DB_PASSWORD='[secret]' ok"),
            ("密码：abc，请更换", "密码：[secret]，请更换"),
            ("密码是abc123。", "密码是[secret]。"),
            ("enable secret 5 $1$mERr$hx5rVt7rPNoS4wqbXKX7m0", "enable secret [secret]"),
            ("snmp-server community pub1ic RO", "snmp-server community [secret] RO"),
            ("Authorization: Bearer abc.def", "Authorization: [secret]"),
            ("https://admin:pw@host/x", "https://[secret]@host/x"),
            ("token eyJhbGciOi.eyJzdWIi.c2ln", "token [secret]"),
            ("the key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 leaked", "the key [secret] leaked"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\nafter", "[private key]\nafter"),
            ("-----BEGIN RSA PRIVATE KEY-----\ncut", "[private key]"),
        ] {
            assert_eq!(masked(text), wanted);
        }
    }

    #[test]
    fn addresses_go() {
        for (text, wanted) in [
            ("ping 10.1.2.3, then 10.1.2.0/24.", "ping [ip], then [ip]."),
            ("网管地址10.1.2.3:8080不通", "网管地址[ip]不通"),
            ("from=10.1.2.3-10.1.2.9", "from=[ip]-[ip]"),
            ("via fe80::1%eth0 and 2001:db8::1", "via [ip] and [ip]"),
            ("mac 00:1b:21:aa:bb:cc 00-1B-21-AA-BB-CC 001b.21aa.bbcc 001b-21aa-bbcc", "mac [mac] [mac] [mac] [mac]"),
            ("mail noc@jw.example.cn or 13812345678", "mail [mail] or [phone]"),
        ] {
            assert_eq!(masked(text), wanted);
        }
    }

    #[test]
    fn names_and_serial_numbers_go() {
        for (text, wanted) in [
            ("JW: ne-1.jw.ne (ne-1) of jiangwan telecom", "[customer]: [equipment] ([equipment]) of [customer]"),
            ("江湾电信机房的ne-1，见F-JW-42", "[customer]机房的[equipment]，见[fault]"),
            ("board 2102312ABC7890 replaced", "board [serial] replaced"),
            ("S/N: 21980X77 和 序列号：AB12345", "S/N: [serial] 和 序列号：[serial]"),
            ("other NE ne-9.xx.ne", "other NE [equipment]"),
        ] {
            assert_eq!(masked(text), wanted);
        }
    }

    #[test]
    fn what_a_case_needs_stays() {
        for text in [
            "fan-2 speed 0 rpm: fan stopped / 风扇 fan-2 转速 0 rpm，风扇停转",
            "ALM-25621 on slot 3, ZXR10 8902E, version 5.1.0.3, at 10:30:00 on 2026-11-22",
            "版本 5.1.0.3",
            "the password is wrong; reset the password and the token ring",
            "serial port 3 shows errors",
            "/var/log/messages.1 says std::vec failed, rx -28.5 dBm, OID 1.3.6.1.4.1.3902",
            "-----BEGIN CERTIFICATE----- is fine",
            "jw",
            "风扇停转：板卡3温度过高 💥",
            "",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn masking_twice_changes_nothing_more() {
        let once = masked("password=x 10.0.0.1 JW ne-1.jw.ne S/N: 12345X -----BEGIN PRIVATE KEY-----");
        assert_eq!(masked(&once), once);
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in r#"(password|token|S/N|密码|-----BEGIN |PRIVATE KEY-----|://|@|[ =:："'.\[\]/-]|[a-z0-9]{1,4}|\PC){0,24}"#) {
            masked(&text);
        }
    }
}

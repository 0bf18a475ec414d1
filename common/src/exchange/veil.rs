//! Characters that a reader does not see, or that a terminal acts on, written as `\u{1b}`: a file of the library shows all that is
//! in it. A `\u{` that stood in the text itself is written as `\u{5c}u{`, so that every text reads back as it was.

use crate::Printable;
use crate::printable::is_invisible;

/// Longest escape that is one: `\u{10ffff}`.
const DIGITS: usize = 6;

fn escape(c: char, out: &mut String) {
    out.push_str(&format!("\\u{{{:x}}}", c as u32));
}

/// With `lines`, line feeds and tabs stay as they are.
pub fn veil(text: &str, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let kept = lines && (c == '\n' || c == '\t');
        if (c.is_control() || is_invisible(c)) && !kept || (c == '\\' && text[at..].starts_with("\\u{")) {
            escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    out
}

/// One line, of which trimming takes nothing.
pub fn veil_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let inner = text.trim();
    let start = text.len() - text.trim_start().len();
    let (before, after) = if inner.is_empty() { (text, "") } else { (&text[..start], &text[start + inner.len()..]) };
    before.chars().for_each(|c| escape(c, &mut out));
    out.push_str(&veil(inner, false));
    after.chars().for_each(|c| escape(c, &mut out));
    out
}

/// What [`veil`] made, as it was.
pub fn unveil(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\u{") {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let digits = &escape[3..];
        let end = digits.bytes().take(DIGITS + 1).position(|b| b == b'}').filter(|end| *end > 0);
        let c = end.and_then(|end| u32::from_str_radix(&digits[..end], 16).ok()).and_then(char::from_u32);
        if let (Some(c), Some(end)) = (c, end) {
            out.push(c);
            rest = &digits[end + 1..];
        } else {
            out.push_str("\\u{");
            rest = digits;
        }
    }
    out + rest
}

pub fn unveiled(text: &str) -> Printable {
    Printable::new(unveil(text))
}

/// The first character that no file of the library holds as it is.
pub fn forbidden(text: &str) -> Option<char> {
    text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'))
}

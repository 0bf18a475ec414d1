//! JSON in the API's own shape: a list, `{"items": [...]}` as a page of the API is, one case, or a case a line.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Read;
use crate::api::CaseItem;
use crate::printable::is_invisible;

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

/// A list, indented.
pub fn json(items: &[CaseItem]) -> String {
    visible(&serde_json::to_string_pretty(items).unwrap_or_default()) + "\n"
}

pub fn jsonl_line(item: &CaseItem) -> String {
    visible(&serde_json::to_string(item).unwrap_or_default()) + "\n"
}

/// JSON has to escape the lowest control characters only; the others that nobody sees stand in texts alone, where `\u` says the same.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\n') || is_invisible(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

pub fn read(text: &str) -> Vec<Read> {
    let list = serde_json::from_str::<Vec<&RawValue>>(text).or_else(|error| match serde_json::from_str::<Page<'_>>(text) {
        Ok(page) => Ok(page.items),
        // One case, or nothing that can be read: the latter is told by its own error.
        Err(_) if text.trim_start().starts_with('{') => serde_json::from_str::<&RawValue>(text).map(|one| vec![one]),
        Err(_) => Err(error),
    });
    match list {
        Ok(list) => list.into_iter().map(|raw| case(raw.get(), line_of(text, raw.get()))).collect(),
        Err(error) => vec![Read::wrong(error.line(), format!("it is not JSON: {error}; it is a list of cases, or one case"))],
    }
}

pub fn read_lines(text: &str) -> Vec<Read> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| case(line, number)).collect()
}

fn case(text: &str, line: usize) -> Read {
    match serde_json::from_str(text) {
        Ok(item) => Read { line, item: Ok(item) },
        // Its line is that of the value alone.
        Err(error) => Read::wrong(line + error.line().saturating_sub(1), error.to_string()),
    }
}

/// `part` is a slice of `text`.
fn line_of(text: &str, part: &str) -> usize {
    let at = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
    text.as_bytes()[..at].split(|b| *b == b'\n').count()
}

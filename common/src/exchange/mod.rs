//! How cases are written down outside of the library: Markdown for people and for git, CSV for spreadsheets, JSON for programs.
//!
//! Server and client share this, so that a file means the same to both. What is written reads back as it was, to the last character,
//! in every form; and the same cases make the same bytes, so that `git diff` shows what changed and nothing else.
//!
//! A file is from outside: nothing here trusts it. Whatever is wrong is told with its line and what would be right, and costs that
//! case alone where the rest can still be read.

mod csv;
mod encoding;
mod json;
mod markdown;
#[cfg(test)]
mod tests;
mod veil;

use crate::api::{CaseItem, ExchangeForm};

pub use csv::{csv, csv_head, csv_row};
pub use encoding::decode;
pub use json::{json, jsonl_line};
pub use markdown::markdown;

/// A case as it was read, or what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// From 1.
    pub line: usize,
    pub item: Result<CaseItem, String>,
}

impl Read {
    fn wrong(line: usize, why: impl Into<String>) -> Self {
        Self { line, item: Err(why.into()) }
    }
}

/// The form that a file's name tells.
pub fn form_of(name: &str) -> Option<ExchangeForm> {
    let (stem, end) = name.rsplit_once('.')?;
    match end.to_ascii_lowercase().as_str() {
        "md" | "markdown" => Some(ExchangeForm::Markdown),
        "csv" => Some(ExchangeForm::Csv),
        "json" => Some(ExchangeForm::Json),
        "jsonl" | "ndjson" => Some(ExchangeForm::Jsonl),
        _ => None,
    }
    .filter(|_| !stem.is_empty())
}

/// Reads the cases of a text.
pub fn read(form: ExchangeForm, text: &str) -> Vec<Read> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match form {
        ExchangeForm::Markdown => vec![markdown::read(text)],
        ExchangeForm::Csv => csv::read(text),
        ExchangeForm::Json => json::read(text),
        ExchangeForm::Jsonl => json::read_lines(text),
    }
}

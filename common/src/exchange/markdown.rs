//! Markdown: a case a file, both languages in it, so that one diff shows both sides of a change.
//!
//! ```text
//! +++
//! id = "cas_0193..."
//! number = "C-0042"
//! version = 3
//! audience = "internal"
//! codes = ["ALM-25621"]
//!
//! [[equipment]]
//! product = "OLT"
//! model = "C320"
//! +++
//!
//! <!-- zh -->
//! # 风扇停转，板卡过热
//!
//! ## 现象
//!
//! ...
//!
//! <!-- en -->
//! # Fan stopped, board too hot
//! ```
//!
//! The front matter is TOML between two lines `+++`: it has one way to write a text, and no surprises like YAML's `no` and `1.10`.
//! What a text says stands under headings of the second level, whose words are fixed in each language; other headings in it are of
//! the third level or deeper, or have a backslash before them. The marks `<!-- zh -->` show in no rendering; where there is one
//! language only they may be left out.

use serde_json::{Map, Value};

use super::Read;
use super::veil::{forbidden, unveil, unveiled, veil, veil_line};
use crate::Printable;
use crate::api::{CaseField, CaseItem, CaseText, Language};

const FENCE: &str = "+++";
/// A front matter that is longer is none.
const MOST_FRONT_LINES: usize = 2_000;
const SECTIONS: [(CaseField, &str, &str); 4] = [
    (CaseField::Symptom, "现象", "Symptom"),
    (CaseField::Cause, "原因", "Cause"),
    (CaseField::Steps, "步骤", "Steps"),
    (CaseField::Resolution, "解决", "Resolution"),
];

const fn mark(language: Language) -> &'static str {
    match language {
        Language::Zh => "<!-- zh -->",
        Language::En => "<!-- en -->",
    }
}

fn marked(line: &str) -> Option<Language> {
    [Language::Zh, Language::En].into_iter().find(|language| line.trim() == mark(*language))
}

fn headings(language: Language) -> [(CaseField, &'static str); 4] {
    SECTIONS.map(|(field, zh, en)| (field, if language == Language::Zh { zh } else { en }))
}

/// A line that says how the file is built, whatever text it stands in.
fn is_structure(line: &str) -> bool {
    line.starts_with("## ") || line.trim_end() == "##" || marked(line).is_some()
}

// ---- Writing --------------------------------------------------------------------------------------------------------

pub fn markdown(item: &CaseItem) -> String {
    let mut out = format!("{FENCE}\n{}{FENCE}\n", front(item));
    for language in [Language::Zh, Language::En] {
        let Some(text) = item.body.text(language) else { continue };
        out.push_str(&format!("\n{}\n# {}\n", mark(language), veil_line(text.title.raw())));
        for (field, heading) in headings(language) {
            let says = text.field(field);
            if !says.is_empty() {
                out.push_str(&format!("\n## {heading}\n\n{}\n", body(says.raw())));
            }
        }
    }
    out
}

/// What it is first, then what it is about by name, tables last.
fn front(item: &CaseItem) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(item) else { return String::new() };
    fields.retain(|name, value| name != "zh" && name != "en" && !matches!(value, Value::Array(list) if list.is_empty()));
    let mut out = String::new();
    for name in ["id", "number", "version", "state", "source", "key"] {
        if let Some(value) = fields.remove(name) {
            out.push_str(&line(name, value));
        }
    }
    let (tables, values): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(_, value)| has_tables(value));
    values.into_iter().chain(tables).for_each(|(name, value)| out.push_str(&line(&name, value)));
    out
}

fn has_tables(value: &Value) -> bool {
    value.is_object() || matches!(value, Value::Array(list) if list.iter().any(Value::is_object))
}

fn line(name: &str, value: Value) -> String {
    let break_before = if has_tables(&value) { "\n" } else { "" };
    let table = Map::from_iter([(name.to_owned(), texts(value, &veil_line))]);
    break_before.to_owned() + &toml::to_string(&table).unwrap_or_default()
}

/// With every text in a value changed.
fn texts(value: Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(&text)),
        Value::Array(list) => list.into_iter().map(|value| texts(value, change)).collect(),
        Value::Object(map) => Value::Object(map.into_iter().map(|(name, value)| (name, texts(value, change))).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn body(text: &str) -> String {
    let is_blank = |line: Option<&str>| line.is_some_and(|line| line.trim().is_empty());
    let escape = |c: char| format!("\\u{{{:x}}}", c as u32);
    let mut text = veil(text, true);
    let (blank_first, blank_last) = (is_blank(text.split('\n').next()), is_blank(text.rsplit('\n').next()));
    // An import takes blank lines at both ends away: the outermost character keeps them.
    if blank_last && let Some(c) = text.pop() {
        text.push_str(&escape(c));
    }
    if blank_first && let Some(c) = text.chars().next().filter(|c| *c != '\\') {
        text.replace_range(..c.len_utf8(), &escape(c));
    }
    let escaped = |line: &str| match line.strip_prefix('\\') {
        _ if is_structure(line) => format!("\\{line}"),
        Some(rest) if is_structure(rest) => format!("\\u{{5c}}{rest}"),
        _ => line.to_owned(),
    };
    text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

// ---- Reading --------------------------------------------------------------------------------------------------------

/// What is wrong, and in which line.
type Wrong = (usize, String);

pub fn read(text: &str) -> Read {
    match case(text) {
        Ok(item) => Read { line: 1, item: Ok(item) },
        Err((line, why)) => Read::wrong(line, why),
    }
}

fn case(text: &str) -> Result<CaseItem, Wrong> {
    let mut lines = (1..).zip(text.lines());
    match lines.next() {
        Some((_, line)) if line.trim_end() == FENCE => {}
        Some((_, line)) if line.trim_end() == "---" => {
            return Err((1, "the front matter is TOML between two lines `+++`; YAML between `---` is not read".into()));
        }
        _ => return Err((1, "the file does not begin with its front matter: TOML between two lines `+++`".into())),
    }
    let mut front = String::new();
    let mut is_closed = false;
    for (_, line) in lines.by_ref().take(MOST_FRONT_LINES) {
        if line.trim_end() == FENCE {
            is_closed = true;
            break;
        }
        front.push_str(line);
        front.push('\n');
    }
    if !is_closed {
        return Err((1, "the front matter has no end: a second line `+++`".into()));
    }
    let mut item = item(&front)?;
    let mut texts = Texts::default();
    for (number, line) in lines {
        if let Some(c) = forbidden(line) {
            return Err((number, format!("there is a control character in it: write it as `\\u{{{:x}}}`, or take it out", c as u32)));
        }
        texts.line(line).map_err(|why| (number, why))?;
    }
    [item.body.zh, item.body.en] = texts.finish();
    Ok(item)
}

fn item(front: &str) -> Result<CaseItem, Wrong> {
    let table: toml::Table = toml::from_str(front).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start).min(front.len());
        (front.as_bytes()[..at].split(|b| *b == b'\n').count() + 1, format!("the front matter is not TOML: {}", error.message()))
    })?;
    let whole = |error: String| (2, error);
    let fields = match serde_json::to_value(table) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => Map::new(),
        Err(error) => return Err(whole(error.to_string())),
    };
    for name in ["zh", "en"] {
        if fields.contains_key(name) {
            return Err(whole(format!("`{name}` does not stand in the front matter but below it, under `<!-- {name} -->`")));
        }
    }
    let fields = fields.into_iter().map(|(name, value)| (name, texts(value, &unveil))).collect();
    CaseItem::of_fields(fields).map_err(whole)
}

/// The texts of a file, line by line.
#[derive(Default)]
struct Texts {
    done: [Option<CaseText>; 2],
    open: Option<Open>,
    /// A mark stood here: its title comes next.
    awaited: Option<Language>,
}

struct Open {
    /// Unknown until a mark or a heading told it.
    language: Option<Language>,
    title: String,
    section: Option<CaseField>,
    lines: Vec<String>,
    text: CaseText,
    seen: Vec<CaseField>,
}

const fn slot(language: Language) -> usize {
    match language {
        Language::Zh => 0,
        Language::En => 1,
    }
}

impl Texts {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(language) = marked(line) {
            self.close()?;
            if self.done[slot(language)].is_some() || self.awaited.is_some() {
                return Err(format!("`{}` is there twice, or without a text", mark(language)));
            }
            self.awaited = Some(language);
            return Ok(());
        }
        let Some(open) = &mut self.open else { return self.title(line) };
        if line.starts_with("## ") || line.trim_end() == "##" {
            return open.heading(line[2..].trim());
        }
        match open.section {
            Some(_) => {
                let escaped = line.strip_prefix('\\').filter(|line| is_structure(line));
                open.lines.push(escaped.unwrap_or(line).to_owned());
                Ok(())
            }
            None if line.trim().is_empty() => Ok(()),
            None => Err(format!("text stands before the first heading: one of {}", known(open.language))),
        }
    }

    fn title(&mut self, line: &str) -> Result<(), String> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let Some(title) = line.strip_prefix("# ") else {
            return Err("a text begins with its title: `# ...`".into());
        };
        let open = Open {
            language: self.awaited.take(),
            title: title.trim().to_owned(),
            section: None,
            lines: Vec::new(),
            text: CaseText { title: unveiled(title.trim()), ..CaseText::default() },
            seen: Vec::new(),
        };
        self.open = Some(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        open.end_section();
        let language = open.language.unwrap_or_else(|| language_of(&open.title));
        let place = &mut self.done[slot(language)];
        if place.replace(open.text).is_some() {
            return Err(format!("there are two texts in one language: put `{}` before the other one", mark(language.other())));
        }
        Ok(())
    }

    fn finish(mut self) -> [Option<CaseText>; 2] {
        // What could go wrong is a second text of a language, and that was told when its mark came.
        let _ = self.close();
        self.done
    }
}

impl Open {
    fn heading(&mut self, name: &str) -> Result<(), String> {
        let of = |language: Language| headings(language).into_iter().find(|(_, heading)| heading.eq_ignore_ascii_case(name));
        let found = [Language::Zh, Language::En].into_iter().find_map(|language| of(language).map(|(field, _)| (language, field)));
        let Some((language, field)) = found else {
            let name = Printable::from(name);
            return Err(format!(
                "`## {name}` is no heading of a case: {}; one of your own has three `#`, or `\\` before it",
                known(self.language)
            ));
        };
        if self.language.is_some_and(|known| known != language) {
            return Err(format!("`## {name}` is a heading of the other language: put `{}` and a title before it", mark(language)));
        }
        if self.seen.contains(&field) {
            return Err(format!("`## {name}` is there twice"));
        }
        self.end_section();
        self.language = Some(language);
        self.section = Some(field);
        self.seen.push(field);
        Ok(())
    }

    fn end_section(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let first = lines.iter().position(|line| !line.trim().is_empty()).unwrap_or(lines.len());
        let last = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(first, |last| last + 1);
        let says = unveiled(&lines[first..last].join("\n"));
        match self.section.take() {
            Some(CaseField::Symptom) => self.text.symptom = says,
            Some(CaseField::Cause) => self.text.cause = says,
            Some(CaseField::Steps) => self.text.steps = says,
            Some(CaseField::Resolution) => self.text.resolution = says,
            Some(CaseField::Title) | None => {}
        }
    }
}

fn known(language: Option<Language>) -> String {
    let of = |language| headings(language).map(|(_, heading)| format!("`## {heading}`")).join(", ");
    language.map_or_else(|| format!("{}, or {}", of(Language::Zh), of(Language::En)), of)
}

fn language_of(title: &str) -> Language {
    let is_han = |c: char| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}');
    if title.chars().any(is_han) { Language::Zh } else { Language::En }
}

//! CSV (RFC 4180): a row a case, the first row names the columns, which may come in any order and be left out.
//!
//! `codes` and `equipment` hold several, separated by `;`; a piece of equipment is `product | model | versions`. What a spreadsheet
//! would run as a formula has an apostrophe before it, which an import takes away again.

use std::collections::HashMap;

use super::Read;
use super::veil::{forbidden, unveil, unveiled, veil, veil_line};
use crate::Printable;
use crate::api::{CaseBody, CaseEquipment, CaseField, CaseItem, CaseText, Language};

/// Which column of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Column {
    Id,
    Number,
    Version,
    State,
    Source,
    Key,
    Audience,
    ProbableCause,
    Codes,
    Equipment,
    Text(Language, CaseField),
}

const FIELDS: [CaseField; 5] = [CaseField::Title, CaseField::Symptom, CaseField::Cause, CaseField::Steps, CaseField::Resolution];
const FIXED: [(&str, Column); 10] = [
    ("id", Column::Id),
    ("number", Column::Number),
    ("version", Column::Version),
    ("state", Column::State),
    ("source", Column::Source),
    ("key", Column::Key),
    ("audience", Column::Audience),
    ("probable_cause", Column::ProbableCause),
    ("codes", Column::Codes),
    ("equipment", Column::Equipment),
];

fn columns() -> impl Iterator<Item = (String, Column)> {
    let texts = [Language::Zh, Language::En].into_iter().flat_map(|language| FIELDS.map(|field| (language, field)));
    let fixed = FIXED.into_iter().map(|(name, column)| (name.to_owned(), column));
    fixed.chain(texts.map(|(language, field)| (format!("{language}_{field}"), Column::Text(language, field))))
}

// ---- Writing --------------------------------------------------------------------------------------------------------

/// A whole file.
pub fn csv(items: &[CaseItem]) -> String {
    items.iter().fold(csv_head(), |text, item| text + &csv_row(item))
}

pub fn csv_head() -> String {
    columns().map(|(name, _)| name).collect::<Vec<_>>().join(",") + "\r\n"
}

pub fn csv_row(item: &CaseItem) -> String {
    columns().map(|(_, column)| cell(&value(item, column))).collect::<Vec<_>>().join(",") + "\r\n"
}

fn value(item: &CaseItem, column: Column) -> String {
    fn shown(value: Option<impl ToString>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let body = &item.body;
    match column {
        Column::Id => shown(item.id),
        Column::Number => shown(item.number),
        Column::Version => shown(item.version),
        Column::State => shown(item.state),
        Column::Source => veil_line(item.source.raw()),
        Column::Key => veil_line(item.key.raw()),
        Column::Audience => body.audience.to_string(),
        Column::ProbableCause => shown(body.cause),
        Column::Codes => body.codes.iter().map(part).collect::<Vec<_>>().join("; "),
        Column::Equipment => body.equipment.iter().map(equipment).collect::<Vec<_>>().join("; "),
        Column::Text(language, CaseField::Title) => body.text(language).map(|text| veil_line(text.title.raw())).unwrap_or_default(),
        Column::Text(language, field) => body.text(language).map(|text| veil(text.field(field).raw(), true)).unwrap_or_default(),
    }
}

/// One of several in a cell.
fn part(text: &Printable) -> String {
    veil_line(text.raw()).replace(';', "\\u{3b}").replace('|', "\\u{7c}")
}

fn equipment(about: &CaseEquipment) -> String {
    let parts = [part(&about.product), part(&about.model), about.versions.to_string()];
    let used = parts.iter().rposition(|part| !part.is_empty()).map_or(1, |last| last + 1);
    parts[..used].join(" | ")
}

/// A spreadsheet takes what begins like this for a formula.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

fn cell(text: &str) -> String {
    let guarded = if is_formula(text) { format!("'{text}") } else { text.to_owned() };
    let is_plain = !guarded.contains([',', '"', '\n', '\r']) && guarded.trim().len() == guarded.len();
    if is_plain { guarded } else { format!("\"{}\"", guarded.replace('"', "\"\"")) }
}

// ---- Reading --------------------------------------------------------------------------------------------------------

pub fn read(text: &str) -> Vec<Read> {
    let mut rows = Rows { rest: text, line: 1 };
    let head = match rows.next() {
        None => return vec![Read::wrong(1, format!("the file is empty: its first row names the columns, of {}", known()))],
        Some(Err((line, why))) => return vec![Read::wrong(line, why)],
        Some(Ok((line, cells))) => match head(&cells) {
            Ok(head) => head,
            Err(why) => return vec![Read::wrong(line, why)],
        },
    };
    let mut read = Vec::new();
    for row in rows {
        match row {
            Ok((_, cells)) if cells.iter().all(|cell| cell.trim().is_empty()) => {}
            Ok((line, cells)) => read.push(Read { line, item: case(&head, cells) }),
            Err((line, why)) => read.push(Read::wrong(line, why)),
        }
    }
    read
}

fn known() -> String {
    columns().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

fn head(cells: &[String]) -> Result<Vec<Column>, String> {
    let columns: HashMap<String, Column> = columns().collect();
    if let [only] = cells
        && only.contains([';', '\t'])
    {
        return Err("the columns are separated by `;` or tabs: save it as CSV with commas".into());
    }
    let mut head = Vec::new();
    for cell in cells {
        let name = cell.trim().to_ascii_lowercase();
        let column =
            *columns.get(&name).ok_or_else(|| format!("`{}` is no column: they are {}", Printable::from(cell.as_str()), known()))?;
        if head.contains(&column) {
            return Err(format!("the column `{name}` is there twice"));
        }
        head.push(column);
    }
    Ok(head)
}

fn case(head: &[Column], cells: Vec<String>) -> Result<CaseItem, String> {
    if cells.len() != head.len() {
        return Err(format!("the row has {} fields, the first row names {}: quote what has a comma in it", cells.len(), head.len()));
    }
    let mut item = CaseItem::default();
    for (column, cell) in head.iter().zip(cells) {
        put(&mut item, *column, &bare(&cell))?;
    }
    if item.key.is_empty() != item.source.is_empty() {
        return Err("`source` and `key` go together: `source` names the system, `key` is what it calls the case".into());
    }
    Ok(item)
}

/// Without the apostrophe that keeps a spreadsheet from running it.
fn bare(cell: &str) -> String {
    let cell = if cell.starts_with('\'') && is_formula(cell) { &cell[1..] } else { cell };
    cell.replace("\r\n", "\n")
}

fn parsed<T: std::str::FromStr>(name: &str, cell: &str) -> Result<Option<T>, String>
where
    T::Err: std::fmt::Display,
{
    let cell = cell.trim();
    if cell.is_empty() { Ok(None) } else { cell.parse().map(Some).map_err(|error| format!("`{name}`: {error}")) }
}

fn put(item: &mut CaseItem, column: Column, cell: &str) -> Result<(), String> {
    if let Some(c) = forbidden(cell) {
        return Err(format!("there is a control character in it: write it as `\\u{{{:x}}}`, or take it out", c as u32));
    }
    let body = &mut item.body;
    match column {
        Column::Id => item.id = parsed("id", cell)?,
        Column::Number => item.number = parsed("number", cell)?,
        Column::Version => item.version = parsed("version", cell)?,
        Column::State => item.state = parsed("state", cell)?,
        Column::Source => item.source = unveiled(cell.trim()),
        Column::Key => item.key = unveiled(cell.trim()),
        Column::Audience => body.audience = parsed("audience", cell)?.unwrap_or_default(),
        Column::ProbableCause => body.cause = parsed("probable_cause", cell)?,
        Column::Codes => body.codes = parts(cell).map(unveiled).collect(),
        Column::Equipment => body.equipment = parts(cell).map(piece).collect::<Result<_, _>>()?,
        Column::Text(_, _) if cell.is_empty() => {}
        Column::Text(language, field) => put_text(body, language, field, cell),
    }
    Ok(())
}

fn parts(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([';', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

fn piece(text: &str) -> Result<CaseEquipment, String> {
    let mut parts = text.split('|').map(str::trim);
    let mut next = || parts.next().unwrap_or_default();
    let (product, model, versions) = (next(), next(), next());
    if parts.next().is_some() {
        return Err("`equipment`: a piece is `product | model | versions`, like `OLT | C320 | 5.2..5.4`".into());
    }
    let versions = unveil(versions).parse().map_err(|error| format!("`equipment`: {error}"))?;
    Ok(CaseEquipment { product: unveiled(product), model: unveiled(model), versions })
}

fn put_text(body: &mut CaseBody, language: Language, field: CaseField, cell: &str) {
    let text: &mut CaseText = match language {
        Language::Zh => body.zh.get_or_insert_default(),
        Language::En => body.en.get_or_insert_default(),
    };
    match field {
        CaseField::Title => text.title = unveiled(cell.trim()),
        CaseField::Symptom => text.symptom = unveiled(cell),
        CaseField::Cause => text.cause = unveiled(cell),
        CaseField::Steps => text.steps = unveiled(cell),
        CaseField::Resolution => text.resolution = unveiled(cell),
    }
}

/// The rows of a text, each with the line that it begins in. After one that can't be read there is no other.
struct Rows<'a> {
    rest: &'a str,
    line: usize,
}

type Row = Result<(usize, Vec<String>), (usize, String)>;

impl Iterator for Rows<'_> {
    type Item = Row;
    fn next(&mut self) -> Option<Row> {
        if self.rest.is_empty() {
            return None;
        }
        let begun = self.line;
        let mut cells = Vec::new();
        loop {
            match self.cell() {
                Ok((cell, is_last)) => cells.push((cell, is_last)),
                Err(why) => {
                    self.rest = "";
                    return Some(Err((begun, why)));
                }
            }
            if cells.last().is_some_and(|(_, is_last)| *is_last) {
                return Some(Ok((begun, cells.into_iter().map(|(cell, _)| cell).collect())));
            }
        }
    }
}

impl Rows<'_> {
    /// The next cell, and whether the row ends with it.
    fn cell(&mut self) -> Result<(String, bool), String> {
        let cell = if let Some(quoted) = self.rest.strip_prefix('"') { self.quoted(quoted)? } else { self.bare()? };
        let rest = self.rest.strip_prefix('\r').filter(|rest| rest.is_empty() || rest.starts_with('\n')).unwrap_or(self.rest);
        let is_last = !rest.starts_with(',');
        if is_last && !rest.is_empty() && !rest.starts_with('\n') {
            return Err("something follows the closing quotation mark: a comma or the end of the line comes after it".into());
        }
        self.line += usize::from(rest.starts_with('\n'));
        self.rest = rest.get(1..).unwrap_or_default();
        Ok((cell, is_last))
    }

    fn bare(&mut self) -> Result<String, String> {
        let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let (cell, rest) = self.rest.split_at(end);
        self.rest = rest;
        let cell = if rest.starts_with(',') { cell } else { cell.strip_suffix('\r').unwrap_or(cell) };
        if cell.contains('"') {
            return Err("there is a quotation mark inside a field that is not quoted: write `\"a \"\"b\"\" c\"`".into());
        }
        Ok(cell.to_owned())
    }

    fn quoted(&mut self, quoted: &str) -> Result<String, String> {
        let mut cell = String::new();
        let mut rest = quoted;
        loop {
            let Some(end) = rest.find('"') else {
                return Err("a quotation mark opens a field and none closes it".into());
            };
            cell.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(more) => {
                    cell.push('"');
                    rest = more;
                }
                None => break,
            }
        }
        self.line += quoted[..quoted.len() - rest.len()].bytes().filter(|b| *b == b'\n').count();
        self.rest = &self.rest[self.rest.len() - rest.len()..];
        Ok(cell)
    }
}

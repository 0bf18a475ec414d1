//! What goes to stdout, in the form that the reader can use; talk goes to stderr.
//!
//! On a terminal: a table that fits, in local time, with a little colour. In a pipe: tab-separated lines with a header,
//! nothing cut off, times in ISO 8601, durations in seconds. JSON on demand, with the API's own field names. All text from
//! outside is escaped, except in JSON, which has escapes of its own; CSV also defuses what a spreadsheet would run.

use std::io::{IsTerminal, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lineman_common::printable::{escape, is_invisible};
use serde::Serialize;
use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::exit::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    Jsonl,
    Csv,
    Tsv,
}

impl Format {
    pub const WORDS: [(&'static str, Self); 5] =
        [("table", Self::Table), ("json", Self::Json), ("jsonl", Self::Jsonl), ("csv", Self::Csv), ("tsv", Self::Tsv)];

    pub fn parse(text: &str) -> Result<Self, Failure> {
        Self::WORDS
            .into_iter()
            .find(|(word, _)| *word == text)
            .map(|(_, format)| format)
            .ok_or_else(|| Failure::usage(format!("`-o {text}` is not an output form")).hint("it is one of table, json, jsonl, csv, tsv"))
    }
}

/// How urgent a value looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Dim,
    Good,
    Warn,
    Bad,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Warn => "\x1b[33m",
            Self::Bad => "\x1b[1;31m",
        }
    }
}

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Text(String, Tone),
    Time(Option<Timestamp>),
    /// A duration.
    Seconds(Option<u64>),
    Number(f64),
}

impl Cell {
    pub fn toned(text: impl ToString, tone: Tone) -> Self {
        Self::Text(text.to_string(), tone)
    }

    pub fn option(value: Option<impl ToString>) -> Self {
        Self::Text(value.map(|value| value.to_string()).unwrap_or_default(), Tone::Plain)
    }
}

pub fn text(value: impl ToString) -> Cell {
    Cell::Text(value.to_string(), Tone::Plain)
}

impl From<Timestamp> for Cell {
    fn from(time: Timestamp) -> Self {
        Self::Time(Some(time))
    }
}

/// Names of the columns, and one row of cells for each thing.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new<const N: usize>(head: [&'static str; N], rows: impl IntoIterator<Item = [Cell; N]>) -> Self {
        Self { head: head.to_vec(), rows: rows.into_iter().map(|row| row.to_vec()).collect() }
    }
}

/// Several parts about one thing: its fields, then tables with a title.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    pub fields: Vec<(&'static str, Cell)>,
    pub parts: Vec<(&'static str, Table)>,
}

/// Where and how to write.
#[derive(Clone, Debug)]
pub struct Out {
    pub format: Format,
    pub headers: bool,
    pub colour: bool,
    /// Columns of the terminal; `None` when it isn't one.
    pub width: Option<usize>,
    pub zone: TimeZone,
    /// Don't talk on stderr.
    pub quiet: bool,
}

impl Out {
    /// For this process's stdout. `NO_COLOR` turns colour off, `CLICOLOR_FORCE` turns it on in a pipe too.
    pub fn of_process(format: Option<Format>, headers: bool, quiet: bool, env: &crate::context::Env) -> Self {
        let stdout = std::io::stdout();
        let terminal = stdout.is_terminal();
        // A terminal that does not know its width says 0.
        let columns = || rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        let width = terminal.then(|| columns().unwrap_or(80).max(40));
        Self {
            format: format.unwrap_or(if terminal { Format::Table } else { Format::Tsv }),
            headers,
            colour: (terminal && env.get("NO_COLOR").is_none() && env.get("TERM") != Some("dumb"))
                || env.get("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            width,
            zone: if terminal { TimeZone::system() } else { TimeZone::UTC },
            quiet,
        }
    }

    pub fn is_terminal(&self) -> bool {
        self.width.is_some()
    }

    /// For programs: talk as well as data is JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.format, Format::Json | Format::Jsonl)
    }

    /// Talk: what happened, what is next.
    pub fn say(&self, line: impl AsRef<str>) {
        if !self.quiet {
            // A closed stderr must not end the command.
            let _ = writeln!(std::io::stderr(), "{}", line.as_ref());
        }
    }

    /// Writes a list of things.
    pub fn list<T: Serialize>(&self, items: &[T], table: impl FnOnce(&[T]) -> Table) -> Result<(), Failure> {
        let text = match self.format {
            Format::Json => json(items)? + "\n",
            Format::Jsonl => items.iter().map(|item| Ok(compact(item)? + "\n")).collect::<Result<_, Failure>>()?,
            Format::Table | Format::Csv | Format::Tsv => self.table(&table(items)),
        };
        write_out(&text)
    }

    /// Writes one thing in a row of its own: the result of an action.
    pub fn row<T: Serialize>(&self, value: &T, table: impl FnOnce(&[&T]) -> Table) -> Result<(), Failure> {
        let text = match self.format {
            Format::Json => json(value)? + "\n",
            Format::Jsonl => compact(value)? + "\n",
            Format::Table | Format::Csv | Format::Tsv => self.table(&table(&[value])),
        };
        write_out(&text)
    }

    /// Writes one thing.
    pub fn sheet<T: Serialize>(&self, value: &T, sheet: impl FnOnce(&T) -> Sheet) -> Result<(), Failure> {
        let text = match self.format {
            Format::Json => json(value)? + "\n",
            Format::Jsonl => compact(value)? + "\n",
            Format::Table | Format::Csv | Format::Tsv => self.render_sheet(&sheet(value)),
        };
        write_out(&text)
    }

    pub fn render_sheet(&self, sheet: &Sheet) -> String {
        let mut text = if self.format == Format::Table {
            let longest = sheet.fields.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
            let line = |(label, cell): &(&str, Cell)| {
                let value = self.cell(cell);
                if value.is_empty() { String::new() } else { format!("{:longest$}  {}\n", label, self.toned(&value, tone(cell))) }
            };
            sheet.fields.iter().map(line).collect()
        } else {
            let rows = sheet.fields.iter().map(|(label, cell)| [self::text(label), cell.clone()]);
            self.table(&Table::new(["field", "value"], rows))
        };
        for (title, table) in &sheet.parts {
            if !table.rows.is_empty() {
                let title = if self.format == Format::Table { self.toned(title, Tone::Dim) } else { format!("# {title}") };
                text.push_str(&format!("\n{title}\n{}", self.table(table)));
            }
        }
        text
    }

    pub fn table(&self, table: &Table) -> String {
        match self.format {
            Format::Csv => self.delimited(table, ",", |text| csv(&text)),
            Format::Table => self.aligned(table),
            Format::Tsv | Format::Json | Format::Jsonl => self.delimited(table, "\t", |text| text),
        }
    }

    fn delimited(&self, table: &Table, delimiter: &str, quote: impl Fn(String) -> String) -> String {
        let head = if self.headers { table.head.join(delimiter) + "\n" } else { String::new() };
        let rows = table.rows.iter().map(|row| row.iter().map(|cell| quote(self.cell(cell))).collect::<Vec<_>>().join(delimiter) + "\n");
        head + &rows.collect::<String>()
    }

    /// Columns side by side. What doesn't fit is taken from the widest column, and shown with an ellipsis; but never from an id,
    /// which is there to be copied.
    fn aligned(&self, table: &Table) -> String {
        let head: Vec<String> = table.head.iter().map(|head| head.to_uppercase()).collect();
        let rows: Vec<Vec<String>> = table.rows.iter().map(|row| row.iter().map(|cell| self.cell(cell)).collect()).collect();
        let mut widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let cells = rows.iter().map(|row| row[column].width());
                cells.chain(self.headers.then(|| head[column].width())).max().unwrap_or(0)
            })
            .collect();
        if let Some(room) = self.width {
            let gaps = widths.len().saturating_sub(1) * 2;
            while widths.iter().sum::<usize>() + gaps > room {
                let elastic = widths.iter_mut().zip(&table.head).filter(|(_, head)| **head != "id").map(|(width, _)| width);
                let Some(widest) = elastic.max_by_key(|width| **width).filter(|width| **width > 8) else { break };
                *widest -= 1;
            }
        }
        let line = |cells: &[String], tones: &dyn Fn(usize) -> Tone| {
            let mut text = String::new();
            for (column, cell) in cells.iter().enumerate() {
                let last = column + 1 == cells.len();
                let cell = fit(cell, widths[column]);
                let gap = if last { 0 } else { widths[column] + 2 - cell.width() };
                text.push_str(&self.toned(&cell, tones(column)));
                text.push_str(&" ".repeat(gap));
            }
            text.trim_end().to_owned() + "\n"
        };
        let mut text = if self.headers { line(&head, &|_| Tone::Dim) } else { String::new() };
        for (cells, row) in rows.iter().zip(&table.rows) {
            text.push_str(&line(cells, &|column| tone(&row[column])));
        }
        text
    }

    fn toned(&self, text: &str, tone: Tone) -> String {
        if self.colour && tone != Tone::Plain && !text.is_empty() { format!("{}{text}\x1b[0m", tone.code()) } else { text.to_owned() }
    }

    /// A cell's text, safe to print.
    fn cell(&self, cell: &Cell) -> String {
        let table = self.format == Format::Table;
        match cell {
            Cell::Text(text, _) => escape(text),
            Cell::Time(None) | Cell::Seconds(None) => String::new(),
            Cell::Time(Some(time)) if table => self.moment(*time),
            Cell::Time(Some(time)) => time.to_string(),
            Cell::Seconds(Some(seconds)) if table => span(*seconds),
            Cell::Seconds(Some(seconds)) => seconds.to_string(),
            Cell::Number(number) => format!("{}", (number * 1000.0).round() / 1000.0),
        }
    }

    /// A time for people, in their own zone, which is named; with the year where it is not this one.
    pub fn moment(&self, time: Timestamp) -> String {
        let (time, now) = (time.to_zoned(self.zone.clone()), Timestamp::now().to_zoned(self.zone.clone()));
        let form = if time.year() == now.year() { "%m-%d %H:%M:%S %Z" } else { "%Y-%m-%d %H:%M:%S %Z" };
        time.strftime(form).to_string()
    }
}

fn tone(cell: &Cell) -> Tone {
    match cell {
        Cell::Text(_, tone) => *tone,
        Cell::Time(_) | Cell::Seconds(_) | Cell::Number(_) => Tone::Plain,
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map(|text| visible_json(&text)).map_err(|e| Failure::failed(e.to_string()))
}

fn compact<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map(|text| visible_json(&text)).map_err(|e| Failure::failed(e.to_string()))
}

/// JSON's own escapes leave DEL, C1 controls and bidirectional overrides as they are; they occur in strings only, where
/// `\u` says the same.
fn visible_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\n') || is_invisible(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Writes to stdout. A reader that went away (`| head`) is the end of the command, not an error.
pub fn write_out(text: &str) -> Result<(), Failure> {
    write_bytes(text.as_bytes())
}

pub fn write_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::failed(format!("can't write to stdout: {error}"))),
        _ => Ok(()),
    }
}

/// Cuts to a number of columns, counting wide characters as the terminal does.
fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if used + width + 1 > columns {
            break;
        }
        used += width;
        out.push(c);
    }
    out + "…"
}

/// One CSV value (RFC 4180). A spreadsheet would run a value that starts with `=`, `+`, `-`, `@`: such a value gets an
/// apostrophe in front, unless it is a plain number.
fn csv(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@']) && text.parse::<f64>().is_err();
    let guarded = if formula { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', ' ', ';']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

/// A duration for people: `45s`, `4m 05s`, `1h 05m`, `3d 04h`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a duration: expected a number with a unit, like 45s, 30m, 2h, 1h30m or 1d")]
pub struct BadDuration(String);

/// Reads a duration of at least a second, like `2h` or `1h30m`. A bare number is refused: nobody knows its unit.
pub fn duration_s(text: &str) -> Result<u32, BadDuration> {
    let wrong = || BadDuration(escape(text));
    let (mut total, mut digits, mut smallest) = (0u32, String::new(), u32::MAX);
    for c in text.trim().chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let count: u32 = digits.parse().map_err(|_| wrong())?;
        if unit >= smallest {
            return Err(wrong());
        }
        total = count.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        smallest = unit;
        digits.clear();
    }
    if total == 0 || !digits.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// Reads JSON for output that is not a typed value.
pub fn pretty(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    json(&value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(format: Format) -> Out {
        Out { format, headers: true, colour: false, width: None, zone: TimeZone::UTC, quiet: false }
    }

    fn sample() -> Table {
        let time: Timestamp = "2001-11-22T01:02:03Z".parse().unwrap();
        Table::new(
            ["name", "text", "at", "took"],
            [
                [text("ne-1"), text("板卡3 温度"), time.into(), Cell::Seconds(Some(65))],
                [text("ne-22"), Cell::toned("=cmd|' /C calc'!A0\n\x1b[2J", Tone::Bad), Cell::Time(None), Cell::Seconds(None)],
            ],
        )
    }

    #[test]
    fn a_pipe_gets_everything_untouched_by_the_terminal() {
        assert_eq!(
            out(Format::Tsv).table(&sample()),
            "name\ttext\tat\ttook\nne-1\t板卡3 温度\t2001-11-22T01:02:03Z\t65\nne-22\t=cmd|' /C calc'!A0\\n\\u{1b}[2J\t\t\n"
        );
        assert_eq!(Out { headers: false, ..out(Format::Tsv) }.table(&sample()).lines().count(), 2);
    }

    #[test]
    fn a_table_counts_wide_characters_as_two_columns() {
        assert_eq!(
            out(Format::Table).table(&sample()),
            "NAME   TEXT                           AT                       TOOK\n\
             ne-1   板卡3 温度                     2001-11-22 01:02:03 UTC  1m 05s\n\
             ne-22  =cmd|' /C calc'!A0\\n\\u{1b}[2J\n"
        );
    }

    #[test]
    fn json_shows_what_a_terminal_would_act_on_and_means_the_same() {
        let text = compact("a\u{9b}2J\u{202e}\u{e0041}b").unwrap();
        assert_eq!(text, r#""a\u009b2J\u202e\udb40\udc41b""#);
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), "a\u{9b}2J\u{202e}\u{e0041}b");
    }

    #[test]
    fn a_narrow_terminal_cuts_the_widest_column_and_says_so() {
        let narrow = Out { width: Some(50), ..out(Format::Table) };
        let text = narrow.table(&sample());
        assert!(text.lines().all(|line| line.width() <= 50), "{text}");
        assert!(text.contains('…'));
    }

    #[test]
    fn colour_is_only_used_when_asked_for() {
        assert!(!out(Format::Table).table(&sample()).contains('\x1b'));
        assert!(Out { colour: true, ..out(Format::Table) }.table(&sample()).contains("\x1b[1;31m"));
    }

    #[test]
    fn csv_defuses_formulas_and_keeps_numbers() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-oProxyCommand=x", "'-oProxyCommand=x"),
            ("-1.5", "-1.5"),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
        ] {
            assert_eq!(csv(text), expected);
        }
    }

    #[test]
    fn a_sheet_is_fields_and_parts() {
        let sheet = Sheet { fields: vec![("name", text("ne-1")), ("empty", text(""))], parts: vec![("alarms", sample())] };
        let table = out(Format::Table).render_sheet(&sheet);
        assert!(table.starts_with("name   ne-1\n\nalarms\nNAME"), "{table}");
        assert!(out(Format::Tsv).render_sheet(&sheet).starts_with("field\tvalue\nname\tne-1\nempty\t\n\n# alarms\nname\t"));
    }

    #[test]
    fn durations_read_like_people_write_them() {
        for (text, seconds) in [("45s", 45), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1d", 86_400)] {
            assert_eq!(duration_s(text), Ok(seconds));
        }
        for text in ["", "2", "h", "0s", "-1h", "1m1h", "1h1h", "2 h", "99999999999h", "60000d", "1.5h", "二h"] {
            assert!(duration_s(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_short() {
        assert_eq!([span(5), span(65), span(3900), span(273_600)], ["5s", "1m 05s", "1h 05m", "3d 04h"]);
    }
}

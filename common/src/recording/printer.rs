//! A line printer: what a terminal's output says, line by line.
//!
//! It obeys what programs use to edit the line that they are on (carriage return, backspace, tabs, erasing, inserting, moving left and
//! right, and up and down inside a line that the terminal wrapped) and forgets everything else about looks. A line ends at its line
//! feed, or when the cursor leaves it in any other way; so a full-screen program becomes the pieces of text that it drew.
//!
//! Nobody can make a line longer than [`MOST_LINE_BYTES`]: what is longer becomes several lines, and nothing of it is lost.

use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthChar;

use super::escapes::{Token, Tokens, count, numbers};
use super::utf8::Joiner;
use crate::printable::is_invisible;

/// The longest line, in bytes of UTF-8.
pub const MOST_LINE_BYTES: usize = 4096;
/// The longest line, in columns.
const MOST_COLUMNS: usize = 4096;
/// The widest terminal that is believed; a wider one is one whose width is not known.
const MOST_WIDTH: usize = 1024;
/// So far can the cursor be moved to the right of a line whose terminal has no known width.
const MOST_JUMP: usize = 512;
/// Accents on one character.
const MOST_MARK_BYTES: usize = 16;

/// A column of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    Char(char, String),
    /// The right half of a wide character.
    Half,
}

const BLANK: Cell = Cell::Char(' ', String::new());

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct Printer {
    joiner: Joiner,
    tokens: Tokens,
    /// The terminal's width: where it wraps. `None` when it is not known.
    cols: Option<usize>,
    cells: Vec<Cell>,
    /// Where the terminal's row begins that the cursor is in: a long line is several rows on the screen.
    row: usize,
    cursor: usize,
}

impl Printer {
    pub fn new() -> Self {
        Self::default()
    }

    /// For a terminal of this width.
    pub fn wide(cols: u32) -> Self {
        let mut printer = Self::default();
        printer.set_width(cols);
        printer
    }

    pub fn set_width(&mut self, cols: u32) {
        self.cols = usize::try_from(cols).ok().filter(|cols| (1..=MOST_WIDTH).contains(cols));
    }

    /// Prints, and hands out the lines that are finished.
    pub fn print(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let text = self.joiner.text(bytes);
        self.chars(&text, &mut lines);
        lines
    }

    /// The line that nothing has ended, when nothing more comes: one, several if it is too long, or none.
    pub fn rest(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(c) = self.joiner.rest() {
            self.chars(c.encode_utf8(&mut [0; 4]), &mut lines);
        }
        self.leave(&mut lines);
        lines
    }

    fn chars(&mut self, text: &str, lines: &mut Vec<String>) {
        let mut tokens = std::mem::take(&mut self.tokens);
        for c in text.chars() {
            tokens.take(c, |token| match token {
                Token::Char(c) => self.put(c, lines),
                Token::Control(control) => self.control(control, lines),
                Token::Escape(sequence) => self.escape(sequence, lines),
                Token::Csi(parameters, end) => self.csi(parameters, end, lines),
            });
        }
        self.tokens = tokens;
    }

    fn control(&mut self, control: u8, lines: &mut Vec<String>) {
        match control {
            b'\r' => self.cursor = self.row,
            0x08 => self.cursor = self.column().saturating_sub(1) + self.row,
            b'\t' => self.go_to((self.column() / 8 + 1) * 8),
            b'\n' | 0x0b | 0x0c => self.line_feed(lines),
            _ => {}
        }
    }

    fn escape(&mut self, sequence: &str, lines: &mut Vec<String>) {
        if matches!(sequence, "D" | "E" | "M" | "c" | "8") {
            self.leave(lines);
        }
    }

    fn csi(&mut self, parameters: &str, end: u8, lines: &mut Vec<String>) {
        // What is meant for one make of terminal only, and what has an intermediate: cursor shapes, keyboards, modes.
        let alternate = parameters.starts_with('?') && numbers(&parameters[1..]).any(|mode| matches!(mode, 47 | 1047 | 1049));
        if matches!(end, b'h' | b'l') && alternate {
            return self.leave(lines);
        }
        if !parameters.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':')) {
            return;
        }
        let times = usize::from(count(parameters));
        let first = numbers(parameters).next().unwrap_or(0);
        match end {
            b'C' | b'a' => self.go_to(self.column() + times),
            b'D' => self.go_to(self.column().saturating_sub(times)),
            b'G' | b'`' => self.go_to(times - 1),
            b'A' => self.up(times, lines),
            b'B' | b'e' => self.down(times, lines),
            b'K' => self.erase(first),
            b'X' => self.blank(self.cursor, self.cursor.saturating_add(times).min(self.row_end())),
            b'P' => self.delete(times),
            b'@' => self.insert(times),
            b'J' if first == 0 => self.truncate(self.cursor),
            b'H' | b'f' | b'd' | b'E' | b'F' | b'J' | b'L' | b'M' | b'S' | b'T' | b'r' | b'u' => self.leave(lines),
            _ => {}
        }
    }

    /// In the row, and never beyond its last column: after writing there the cursor waits on it.
    fn column(&self) -> usize {
        let column = self.cursor.saturating_sub(self.row);
        self.cols.map_or(column, |cols| column.min(cols - 1))
    }

    fn go_to(&mut self, column: usize) {
        let most = self.cols.unwrap_or_else(|| MOST_JUMP.max(self.cells.len()).min(MOST_COLUMNS)) - 1;
        self.cursor = self.row + column.min(most);
    }

    fn row_end(&self) -> usize {
        self.cols.map_or(MOST_COLUMNS, |cols| self.row + cols)
    }

    fn put(&mut self, c: char, lines: &mut Vec<String>) {
        if is_invisible(c) {
            return;
        }
        let width = c.width().unwrap_or(0);
        if width == 0 {
            return self.mark(c);
        }
        if self.cursor + width > self.row_end() && self.cols.is_some_and(|cols| cols >= width) {
            self.row += self.cols.unwrap_or(0);
            self.cursor = self.row;
        }
        if self.cursor + width > MOST_COLUMNS {
            self.finish(lines);
        }
        self.clear(self.cursor, self.cursor + width);
        self.cells[self.cursor] = Cell::Char(c, String::new());
        for half in 1..width {
            self.cells[self.cursor + half] = Cell::Half;
        }
        self.cursor += width;
    }

    /// An accent: it belongs to the character before.
    fn mark(&mut self, c: char) {
        let before = self.cursor.min(self.cells.len());
        if let Some(Cell::Char(_, marks)) = self.cells[..before].iter_mut().rev().find(|cell| !matches!(cell, Cell::Half))
            && marks.len() + c.len_utf8() <= MOST_MARK_BYTES
        {
            marks.push(c);
        }
    }

    /// Makes room for what is written here, without leaving half a character beside it.
    fn clear(&mut self, from: usize, to: usize) {
        if self.cells.len() < to {
            self.cells.resize(to, BLANK);
        }
        if self.cells[from] == Cell::Half && from > 0 {
            self.cells[from - 1] = BLANK;
        }
        if self.cells.get(to) == Some(&Cell::Half) {
            self.cells[to] = BLANK;
        }
        self.cells[from..to].fill(BLANK);
    }

    fn blank(&mut self, from: usize, to: usize) {
        let to = to.min(self.cells.len());
        if from < to {
            self.clear(from, to);
        }
    }

    fn truncate(&mut self, length: usize) {
        self.blank(length, self.cells.len());
        self.cells.truncate(length);
    }

    fn erase(&mut self, what: u16) {
        let here = self.row + self.column();
        let (from, to) = match what {
            0 => (here, self.row_end()),
            1 => (self.row, here + 1),
            2 => (self.row, self.row_end()),
            _ => return,
        };
        if to >= self.cells.len() {
            self.truncate(from.min(self.cells.len()));
        } else {
            self.blank(from, to);
        }
    }

    fn delete(&mut self, times: usize) {
        let here = self.row + self.column();
        let end = self.row_end().min(self.cells.len());
        if here >= end {
            return;
        }
        let to = here.saturating_add(times).min(end);
        self.clear(here, to);
        // What comes after in the row moves left; what is in the rows below stays.
        self.cells[here..end].rotate_left(to - here);
        if end == self.cells.len() {
            self.cells.truncate(end - (to - here));
        }
    }

    fn insert(&mut self, times: usize) {
        let here = self.row + self.column();
        let end = self.row_end().min(MOST_COLUMNS);
        if here >= self.cells.len() || here >= end {
            return;
        }
        let times = times.min(end - here).min(MOST_JUMP);
        if self.cells.len() < end {
            self.cells.resize((self.cells.len() + times).min(end), BLANK);
        }
        let end = end.min(self.cells.len());
        let times = times.min(end - here);
        self.clear(here, here + usize::from(self.cells[here] == Cell::Half));
        // What would be pushed out of the row is gone.
        self.clear(end - times, end);
        self.cells[here..end].rotate_right(times);
    }

    fn up(&mut self, times: usize, lines: &mut Vec<String>) {
        match self.cols.map(|cols| cols.saturating_mul(times)) {
            Some(distance) if distance <= self.row => {
                let column = self.column();
                self.row -= distance;
                self.cursor = self.row + column;
            }
            _ => self.leave(lines),
        }
    }

    fn down(&mut self, times: usize, lines: &mut Vec<String>) {
        match self.cols.map(|cols| self.row.saturating_add(cols.saturating_mul(times))) {
            Some(row) if row < self.cells.len() => {
                let column = self.column();
                self.row = row;
                self.cursor = row + column;
            }
            _ => self.leave(lines),
        }
    }

    fn line_feed(&mut self, lines: &mut Vec<String>) {
        match self.cols {
            // Not the line's last row on the screen.
            Some(cols) if self.row + cols < self.cells.len() => self.down(1, lines),
            _ => self.finish(lines),
        }
    }

    /// The cursor goes elsewhere: what was written is a line, if anything was.
    fn leave(&mut self, lines: &mut Vec<String>) {
        if self.cells.iter().any(|cell| *cell != BLANK) {
            self.finish(lines);
        }
        self.cells.clear();
        (self.row, self.cursor) = (0, 0);
    }

    fn finish(&mut self, lines: &mut Vec<String>) {
        let text = self.text();
        let mut rest = text.trim_end_matches(' ');
        while rest.len() > MOST_LINE_BYTES {
            let (line, after) = rest.split_at(boundary(rest, MOST_LINE_BYTES));
            lines.push(line.to_owned());
            rest = after;
        }
        lines.push(rest.to_owned());
        self.cells.clear();
        (self.row, self.cursor) = (0, 0);
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity(self.cells.len());
        for cell in &self.cells {
            if let Cell::Char(c, marks) = cell {
                text.push(*c);
                text.push_str(marks);
            }
        }
        text
    }
}

/// The end of the last whole character that fits.
pub(super) fn boundary(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A printer in the middle of its work, as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Saved {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending: Vec<u8>,
    tokens: Tokens,
    cols: Option<usize>,
    text: String,
    row: usize,
    cursor: usize,
}

impl From<Printer> for Saved {
    fn from(printer: Printer) -> Self {
        Self {
            pending: printer.joiner.pending().to_vec(),
            text: printer.text(),
            tokens: printer.tokens,
            cols: printer.cols,
            row: printer.row,
            cursor: printer.cursor,
        }
    }
}

impl From<Saved> for Printer {
    fn from(saved: Saved) -> Self {
        let mut printer = Self::default();
        for c in saved.text.chars() {
            let width = c.width().unwrap_or(0);
            if width == 0 {
                printer.cursor = printer.cells.len();
                printer.mark(c);
            } else if printer.cells.len() + width <= MOST_COLUMNS {
                printer.cells.push(Cell::Char(c, String::new()));
                printer.cells.resize(printer.cells.len() + width - 1, Cell::Half);
            }
        }
        printer.joiner = Joiner::resume(&saved.pending);
        printer.tokens = saved.tokens;
        printer.cols = saved.cols.filter(|cols| (1..=MOST_WIDTH).contains(cols));
        printer.row = saved.row.min(MOST_COLUMNS);
        printer.cursor = saved.cursor.clamp(printer.row, MOST_COLUMNS);
        printer
    }
}

#[cfg(test)]
mod tests;

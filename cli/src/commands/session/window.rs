//! A window onto somebody else's terminal: its picture above, a line of our own below.
//!
//! What a device printed never reaches this terminal as it came. It goes into a picture ([`Picture`]), and the picture is drawn cell by
//! cell: text and colours, nothing else. So it does not matter what the device prints, nor how large the terminal there is: what
//! does not fit is cut, and the last row always is ours, so that nobody takes the one terminal for the other.

use std::io::Write;

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use lineman_common::printable::{escape, is_invisible};
use lineman_common::recording::screen::Screen;
use lineman_common::recording::{Event, Flow, What};
use unicode_width::UnicodeWidthChar;

use super::screen::Screen as Guard;
use crate::exit::Failure;

/// What one channel shows. Of what is no terminal's output, a line says what happened.
pub struct Picture {
    screen: Screen,
    terminal: bool,
}

impl Default for Picture {
    fn default() -> Self {
        Self { screen: Screen::new(80, 24), terminal: false }
    }
}

impl Picture {
    pub fn feed(&mut self, event: &Event) {
        self.screen.feed(event);
        if let What::Open(opened) = &event.what {
            self.terminal = opened.terminal.is_some();
        }
        if let Some(line) = remark(event).filter(|_| !self.terminal) {
            self.print(event, &(line + "\r\n"));
        }
    }

    /// Goes on from what the screen showed at another time.
    pub fn restore(&mut self, at: &Event, cols: u16, rows: u16, drawn: &str) {
        self.screen.feed(&Event { what: What::Resize { cols: cols.into(), rows: rows.into() }, ..at.clone() });
        self.print(at, drawn);
    }

    fn print(&mut self, at: &Event, text: &str) {
        self.screen.feed(&Event { what: What::Bytes(Flow::Output, text.as_bytes().to_vec()), ..at.clone() });
    }

    pub fn size(&self) -> (u16, u16) {
        self.screen.size()
    }
}

/// What an event looks like where there is no terminal.
fn remark(event: &Event) -> Option<String> {
    match &event.what {
        What::Open(opened) => {
            let command = opened.command.as_ref().map(|command| format!("$ {}", escape(command)));
            command.or_else(|| opened.target.as_ref().map(|target| format!("[forward to {}]", escape(target))))
        }
        What::Sftp(op) => Some(escape(&format!("sftp {} {}: {}", op.op, op.path, op.result))),
        What::Truncated(flow) => Some(format!("[from here on {} is only counted]", flow.name())),
        What::Exit { status, signal } => Some(match (status, signal) {
            (Some(status), _) => format!("[exit {status}]"),
            (None, Some(signal)) => format!("[ended by {}]", escape(signal)),
            (None, None) => "[ended]".to_owned(),
        }),
        What::Note(note) => Some(format!("[{}]", escape(note))),
        What::Bytes(..) | What::Resize { .. } | What::Total { .. } | What::Other(..) => None,
    }
}

/// A picture's cells.
struct Cells(vt100::Parser);

impl Cells {
    fn of(picture: &Picture) -> Self {
        let (cols, rows) = picture.size();
        let mut parser = vt100::Parser::new(rows, cols, 0);
        parser.process(picture.screen.formatted().as_bytes());
        Self(parser)
    }

    /// One row, at most so many columns wide.
    fn row(&self, row: u16, width: u16) -> String {
        let mut out = String::new();
        let mut look = Look::default();
        let screen = self.0.screen();
        let (_, cols) = screen.size();
        for col in 0..cols.min(width) {
            let Some(cell) = screen.cell(row, col) else { break };
            if cell.is_wide_continuation() {
                continue;
            }
            let next = Look::of(cell);
            if next != look {
                out.push_str(&next.sequence());
                look = next;
            }
            // A wide character on the edge would wrap.
            let fits = !cell.is_wide() || col + 1 < width;
            // What turns a line round or can't be seen is no part of a picture.
            let text: String = cell.contents().chars().filter(|c| !is_invisible(*c) && !c.is_control()).collect();
            out.push_str(if fits && !text.is_empty() { &text } else { " " });
        }
        let blank = look == Look::default();
        let text = if blank { out.trim_end() } else { &out };
        format!("{text}\x1b[0m")
    }

    fn is_blank(&self, row: u16) -> bool {
        let screen = self.0.screen();
        (0..screen.size().1).all(|col| screen.cell(row, col).is_none_or(|cell| !cell.has_contents()))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    fg: vt100::Color,
    bg: vt100::Color,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    inverse: bool,
}

impl Look {
    fn of(cell: &vt100::Cell) -> Self {
        Self {
            fg: cell.fgcolor(),
            bg: cell.bgcolor(),
            bold: cell.bold(),
            dim: cell.dim(),
            italic: cell.italic(),
            underline: cell.underline(),
            inverse: cell.inverse(),
        }
    }

    fn sequence(self) -> String {
        let mut codes = vec!["0".to_owned()];
        let flags = [(self.bold, "1"), (self.dim, "2"), (self.italic, "3"), (self.underline, "4"), (self.inverse, "7")];
        codes.extend(flags.into_iter().filter(|(on, _)| *on).map(|(_, code)| code.to_owned()));
        for (color, kind) in [(self.fg, 38), (self.bg, 48)] {
            match color {
                vt100::Color::Default => {}
                vt100::Color::Idx(index) => codes.push(format!("{kind};5;{index}")),
                vt100::Color::Rgb(r, g, b) => codes.push(format!("{kind};2;{r};{g};{b}")),
            }
        }
        format!("\x1b[{}m", codes.join(";"))
    }
}

/// What draws the picture and the line below it on a terminal of this size.
pub fn draw(picture: &Picture, line: &str, (cols, rows): (u16, u16)) -> String {
    let cells = Cells::of(picture);
    let (there_cols, there_rows) = picture.size();
    let room = rows.saturating_sub(1).max(1);
    let (cursor_row, cursor_col) = cells.0.screen().cursor_position();
    // Where not all of it fits, the part with the cursor shows.
    let top = (cursor_row + 1).saturating_sub(room).min(there_rows.saturating_sub(room.min(there_rows)));
    // Synchronised where the terminal can: the picture changes at once.
    let mut out = "\x1b[?2026h\x1b[?25l".to_owned();
    for row in 0..room {
        let text = if top + row < there_rows { cells.row(top + row, cols.min(there_cols)) } else { String::new() };
        out.push_str(&format!("\x1b[{};1H\x1b[0m\x1b[2K{text}", row + 1));
    }
    out.push_str(&format!("\x1b[{rows};1H\x1b[0;7m{}\x1b[0m", bar(line, cols)));
    let visible = !cells.0.screen().hide_cursor() && cursor_col < cols && cursor_row >= top && cursor_row - top < room;
    if visible {
        out.push_str(&format!("\x1b[{};{}H\x1b[?25h", cursor_row - top + 1, cursor_col + 1));
    }
    out.push_str("\x1b[?2026l");
    // The drawing above holds nothing that the guard would stop; should it ever, it stops here.
    Guard::default().pass(&out)
}

/// The picture as lines: what stays behind when the window closes.
pub fn last_lines(picture: &Picture, cols: u16) -> String {
    let cells = Cells::of(picture);
    let (_, rows) = picture.size();
    let used = (0..rows).rev().find(|row| !cells.is_blank(*row)).map_or(0, |last| last + 1);
    (0..used).map(|row| cells.row(row, cols) + "\n").collect()
}

/// A line that fills the terminal's width, cut where it is longer.
fn bar(line: &str, cols: u16) -> String {
    let mut out = String::new();
    let mut used = 0;
    for c in escape(line).chars() {
        let width = c.width().unwrap_or(0);
        if used + width > usize::from(cols) {
            break;
        }
        used += width;
        out.push(c);
    }
    out + &" ".repeat(usize::from(cols).saturating_sub(used))
}

/// The terminal, taken over and given back.
pub struct Stage {
    title: String,
}

impl Stage {
    /// Another screen, every key at once, and a title that says what is seen.
    pub fn enter(title: &str) -> Result<Self, Failure> {
        let stage = Self { title: escape(title) };
        enable_raw_mode().map_err(|e| Failure::failed(format!("can't read the keyboard: {e}")))?;
        say(&format!("\x1b[22;2t\x1b]2;{}\x07\x1b[?1049h\x1b[2J", stage.title))?;
        Ok(stage)
    }

    /// Columns and rows.
    pub fn size() -> (u16, u16) {
        // Of the terminal that is written to, which need not be the controlling one.
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).map(|size| (size.ws_col, size.ws_row));
        size.ok().filter(|(cols, rows)| *cols > 0 && *rows > 0).unwrap_or((80, 24))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = say("\x1b[0m\x1b[?25h\x1b[?1049l\x1b[23;2t");
        let _ = disable_raw_mode();
    }
}

/// Writes to the terminal.
pub fn say(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|e| Failure::failed(format!("can't write to the terminal: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lineman_common::recording::{Opened, Terminal};
    use lineman_common::session::Door;

    fn event(what: What) -> Event {
        Event { seconds: 0.0, channel: 0, what }
    }

    fn terminal(cols: u32, rows: u32) -> Picture {
        let mut picture = Picture::default();
        let terminal = Some(Terminal { term: "xterm".into(), cols, rows });
        picture.feed(&event(What::Open(Opened { door: Door::Shell, command: None, terminal, target: None })));
        picture
    }

    fn prints(picture: &mut Picture, text: &str) {
        picture.feed(&event(What::Bytes(Flow::Output, text.into())));
    }

    /// What a terminal of this size shows after it was drawn.
    fn seen(picture: &Picture, cols: u16, rows: u16) -> Vec<String> {
        let mut parser = vt100::Parser::new(rows, cols, 0);
        parser.process(draw(picture, "own line", (cols, rows)).as_bytes());
        parser.screen().rows(0, cols).collect()
    }

    #[test]
    fn a_picture_of_the_same_size_is_the_same_above_our_own_line() {
        let mut picture = terminal(20, 4);
        prints(&mut picture, "one\r\n\x1b[31mtwo\x1b[0m 风扇\r\n");
        assert_eq!(seen(&picture, 20, 5), ["one", "two 风扇", "", "", "own line            "]);
    }

    #[test]
    fn lines_that_wrapped_there_break_here_at_the_same_place() {
        let mut picture = terminal(10, 4);
        prints(&mut picture, "abcdefghijKLM");
        assert_eq!(seen(&picture, 40, 6)[..2], ["abcdefghij".to_owned(), "KLM".to_owned()]);
    }

    #[test]
    fn a_smaller_terminal_shows_the_part_with_the_cursor() {
        let mut picture = terminal(20, 10);
        prints(&mut picture, "1\r\n2\r\n3\r\n4\r\n5\r\n666666666666");
        assert_eq!(seen(&picture, 8, 4), ["4", "5", "66666666", "own line"]);
        let mut picture = terminal(4, 2);
        prints(&mut picture, "a风b");
        assert_eq!(seen(&picture, 2, 2)[0], "a", "half a wide character does not show");
    }

    #[test]
    fn nothing_but_text_and_colour_is_drawn() {
        let mut picture = terminal(40, 5);
        prints(&mut picture, "a\x1b]52;c;ZXZpbA==\x07b\u{202e}\x1b[6n\x1b]0;title\x07\x1bP+q\x1b\\c\x1b[?1000h\x1b[5i");
        let drawn = draw(&picture, "line \x1b]0;x\x07", (40, 6));
        assert!(drawn.contains("abc"), "{drawn:?}");
        for bad in ["\x1b]", "\x1bP", "[6n", "?1000", "[5i", "\u{202e}"] {
            assert!(!drawn.contains(bad), "{bad:?} in {drawn:?}");
        }
    }

    #[test]
    fn what_has_no_terminal_says_what_happens() {
        let mut picture = Picture::default();
        let command = Some("ne show\x1b[2J".to_owned());
        picture.feed(&event(What::Open(Opened { door: Door::Exec, command, terminal: None, target: None })));
        prints(&mut picture, "fan 1\nfan 2\n");
        picture.feed(&event(What::Exit { status: Some(7), signal: None }));
        assert_eq!(last_lines(&picture, 80).replace("\x1b[0m", ""), "$ ne show\\u{1b}[2J\nfan 1\nfan 2\n[exit 7]\n");
    }

    #[test]
    fn a_screen_is_taken_up_again() {
        let mut picture = terminal(20, 4);
        prints(&mut picture, "one\r\ntwo");
        let drawn = picture.screen.formatted();
        let mut again = terminal(80, 24);
        again.restore(&event(What::Note(String::new())), 20, 4, &drawn);
        assert_eq!(last_lines(&again, 20), last_lines(&picture, 20));
    }
}

//! Screens: what a terminal showed at a moment.
//!
//! The terminal is the `vt100` crate's. It gets whole, known sequences only, with counts that are no larger than the screen: what a
//! hostile device prints can't make it work for long or keep much (a line of 8 bytes can ask for 65535 inserted lines). Should it
//! panic all the same, the screen begins again, blank.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::escapes::{Token, Tokens, numbers};
use super::utf8::Joiner;
use super::{Event, Flow, Opened, Recording, What};

/// The largest screen; a larger one is cut.
pub const MOST_COLS: u16 = 500;
pub const MOST_ROWS: u16 = 200;
/// A keyframe is made when something changed and so much time has passed,
const KEYFRAME_EVERY_S: f64 = 10.0;
/// or so much was printed.
const KEYFRAME_EVERY_BYTES: u64 = 64 * 1024;

/// One channel's terminal.
pub struct Screen {
    parser: vt100::Parser,
    joiner: Joiner,
    tokens: Tokens,
    /// Of a command: bare line feeds begin a new line.
    bare: bool,
}

impl Screen {
    pub fn new(cols: u32, rows: u32) -> Self {
        let (cols, rows) = clamped(cols, rows);
        Self { parser: vt100::Parser::new(rows, cols, 0), joiner: Joiner::default(), tokens: Tokens::default(), bare: false }
    }

    /// Takes in an event; the caller gives it those of one channel.
    pub fn feed(&mut self, event: &Event) {
        match &event.what {
            What::Open(Opened { terminal: Some(terminal), .. }) => self.resize(terminal.cols, terminal.rows),
            What::Open(_) => self.bare = true,
            What::Bytes(Flow::Output | Flow::Stderr, bytes) => self.print(bytes),
            What::Resize { cols, rows } => self.resize(*cols, *rows),
            What::Bytes(Flow::Input, _)
            | What::Sftp(_)
            | What::Truncated(_)
            | What::Total { .. }
            | What::Exit { .. }
            | What::Note(_)
            | What::Other(..) => {}
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        let (rows, cols) = self.parser.screen().size();
        (cols, rows)
    }

    /// Escape sequences that draw it on an empty terminal of its size.
    pub fn formatted(&self) -> String {
        let drawn = catch_unwind(AssertUnwindSafe(|| self.parser.screen().contents_formatted()));
        String::from_utf8_lossy(&drawn.unwrap_or_default()).into_owned()
    }

    /// The same for a terminal that goes on from here: on the screen that is in use, with what its keys, mouse and pastes are to send.
    pub fn repaint(&self) -> String {
        let (begin, modes) = catch_unwind(AssertUnwindSafe(|| {
            let screen = self.parser.screen();
            (if screen.alternate_screen() { "\x1b[?1049h" } else { "" }, screen.input_mode_formatted())
        }))
        .unwrap_or_default();
        format!("{begin}{}{}", self.formatted(), String::from_utf8_lossy(&modes))
    }

    /// The text on it.
    pub fn text(&self) -> String {
        catch_unwind(AssertUnwindSafe(|| self.parser.screen().contents())).unwrap_or_default()
    }

    fn resize(&mut self, cols: u32, rows: u32) {
        let (cols, rows) = clamped(cols, rows);
        if self.size() != (cols, rows) {
            self.survive(|parser| {
                if cols < parser.screen().size().1 {
                    cut_wide(parser, cols);
                }
                parser.screen_mut().set_size(rows, cols);
            });
        }
    }

    fn print(&mut self, bytes: &[u8]) {
        let text = self.joiner.text(bytes);
        let mut safe = String::with_capacity(text.len());
        let ((cols, rows), bare) = (self.size(), self.bare);
        for c in text.chars() {
            self.tokens.take(c, |token| write(&mut safe, token, bare, cols.max(rows)));
        }
        self.survive(|parser| parser.process(safe.as_bytes()));
    }

    fn survive(&mut self, work: impl FnOnce(&mut vt100::Parser)) {
        let (cols, rows) = self.size();
        if catch_unwind(AssertUnwindSafe(|| work(&mut self.parser))).is_err() {
            self.parser = vt100::Parser::new(rows, cols, 0);
        }
    }
}

/// Erases the wide characters that a narrower screen will cut in half, on both screens: the crate leaves their left halves, and panics
/// when it meets one later.
fn cut_wide(parser: &mut vt100::Parser, cols: u16) {
    let (first, second) = if parser.screen().alternate_screen() { ('l', 'h') } else { ('h', 'l') };
    for switch in [first, second] {
        parser.process(format!("\x1b[?47{switch}").as_bytes());
        let screen = parser.screen();
        let (row, col) = screen.cursor_position();
        let cut = (0..screen.size().0).filter(|row| screen.cell(*row, cols - 1).is_some_and(vt100::Cell::is_wide));
        let mut erase = String::new();
        cut.for_each(|row| erase.push_str(&format!("\x1b[{};{cols}H\x1b[2X", row + 1)));
        if !erase.is_empty() {
            erase.push_str(&format!("\x1b[{};{}H", row + 1, col + 1));
            parser.process(erase.as_bytes());
        }
    }
}

/// A client without a terminal of its own says 0: then it is the usual size. Both at least 2: a wide character needs as much, and the
/// crate counts on it.
fn clamped(cols: u32, rows: u32) -> (u16, u16) {
    let clamp = |size: u32, usual: u16, most: u16| if size == 0 { usual } else { u16::try_from(size).unwrap_or(most).clamp(2, most) };
    (clamp(cols, 80, MOST_COLS), clamp(rows, 24, MOST_ROWS))
}

/// The token again, without what could do harm.
fn write(safe: &mut String, token: Token<'_>, bare: bool, most: u16) {
    match token {
        Token::Char(c) => safe.push(c),
        Token::Control(b'\n') if bare => safe.push_str("\r\n"),
        Token::Control(control @ 0x08..=0x0d) => safe.push(char::from(control)),
        Token::Control(_) => {}
        Token::Escape(sequence) => {
            if matches!(sequence, "7" | "8" | "M" | "c" | "D" | "E") {
                safe.push('\x1b');
                safe.push_str(sequence);
            }
        }
        Token::Csi(parameters, end) => csi(safe, parameters, end, most),
    }
}

fn csi(safe: &mut String, parameters: &str, end: u8, most: u16) {
    let plain = parameters.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':'));
    safe.push_str("\x1b[");
    match end {
        b'm' if plain => safe.push_str(parameters),
        // Modes: the cursor, and the alternate screen.
        b'h' | b'l' if parameters.starts_with('?') => safe.push_str(parameters),
        b'@'..=b'H' | b'J'..=b'M' | b'P' | b'S' | b'T' | b'X' | b'd' | b'f' | b'r' if plain => {
            let most = numbers(parameters).map(|number| number.min(most).to_string());
            safe.push_str(&most.collect::<Vec<_>>().join(";"));
        }
        _ => {
            safe.truncate(safe.len() - 2);
            return;
        }
    }
    // HVP is CUP.
    safe.push(if end == b'f' { 'H' } else { char::from(end) });
}

/// What a channel's terminal showed at a moment, and which part of the recording led there.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub seconds: f64,
    /// Chunks of the recording up to and with this moment.
    pub chunks: u64,
    /// Events of the last of these chunks that it covers.
    pub events: u32,
    pub cols: u16,
    pub rows: u16,
    /// Escape sequences that draw it on an empty terminal of that size.
    pub screen: String,
}

/// Makes keyframes of one channel's events, as they come.
pub struct Camera {
    screen: Screen,
    taken_at: f64,
    printed_bytes: u64,
}

impl Camera {
    pub fn new(cols: u32, rows: u32) -> Self {
        Self { screen: Screen::new(cols, rows), taken_at: 0.0, printed_bytes: 0 }
    }

    /// Goes on from a keyframe.
    pub fn resume(frame: &Frame) -> Self {
        let mut camera = Self::new(frame.cols.into(), frame.rows.into());
        camera.taken_at = frame.seconds;
        camera.screen.survive(|parser| parser.process(frame.screen.as_bytes()));
        camera
    }

    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Takes in an event of the channel; `chunks` and `events` say where it is, counted with itself. Hands out a keyframe when one is due.
    pub fn feed(&mut self, event: &Event, chunks: u64, events: u32) -> Option<Frame> {
        self.screen.feed(event);
        match &event.what {
            What::Bytes(Flow::Output | Flow::Stderr, bytes) => self.printed_bytes += bytes.len() as u64,
            What::Open(_) | What::Resize { .. } => self.printed_bytes += 1,
            What::Bytes(Flow::Input, _)
            | What::Sftp(_)
            | What::Truncated(_)
            | What::Total { .. }
            | What::Exit { .. }
            | What::Note(_)
            | What::Other(..) => {}
        }
        let changed = self.printed_bytes > 0;
        let is_due = self.printed_bytes >= KEYFRAME_EVERY_BYTES || event.seconds - self.taken_at >= KEYFRAME_EVERY_S;
        (changed && is_due).then(|| {
            (self.taken_at, self.printed_bytes) = (event.seconds, 0);
            let (cols, rows) = self.screen.size();
            Frame { seconds: event.seconds, chunks, events, cols, rows, screen: self.screen.formatted() }
        })
    }
}

/// The keyframes of a channel of a recording.
pub fn keyframes(recording: &Recording, channel: u32) -> Vec<Frame> {
    let mut camera = Camera::new(80, 24);
    let mut frames = Vec::new();
    let mut begin = 0;
    for (chunks, end) in (1u64..).zip(&recording.chunk_ends) {
        for (events, event) in (1u32..).zip(&recording.events[begin..*end]) {
            if event.channel == channel {
                frames.extend(camera.feed(event, chunks, events));
            }
        }
        begin = *end;
    }
    frames
}

#[cfg(test)]
mod tests;

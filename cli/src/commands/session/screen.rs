//! What a recording may do to the terminal that it is played on.
//!
//! A recording is a stream from a device that may be hostile. Text, colours and cursor movements pass; what would reach
//! beyond the screen does not: the clipboard, the window's title, file transfers (OSC, DCS, APC, PM, SOS strings), and
//! everything that makes a terminal *answer*, because an answer arrives as if somebody had typed it.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    /// ESC and intermediate bytes, like a character set's choice.
    Intermediate,
    Csi,
    /// An OSC, DCS, APC, PM or SOS string: swallowed up to its end.
    Swallow,
    /// ESC inside such a string.
    SwallowEscape,
}

/// Passes a stream on, without what is not for a screen.
#[derive(Debug, Default)]
pub struct Screen {
    state: State,
    held: String,
    /// Is the alternate screen on, as full-screen programs have it?
    alternate: bool,
}

/// A sequence longer than this is no sequence.
const LONGEST: usize = 64;

impl Screen {
    pub fn pass(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            self.one(c, &mut out);
        }
        out
    }

    fn one(&mut self, c: char, out: &mut String) {
        match self.state {
            State::Text => match c {
                '\x1b' => self.begin(State::Escape, c),
                '\u{9b}' => self.begin(State::Csi, c),
                '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => self.state = State::Swallow,
                '\n' | '\r' | '\t' | '\x08' | '\x07' | '\x0b' | '\x0c' | '\x0e' | '\x0f' => out.push(c),
                // ENQ makes some terminals answer; the rest of the controls does nothing good.
                c if c.is_control() => {}
                c => out.push(c),
            },
            State::Escape => match c {
                '[' => self.more(State::Csi, c),
                ']' | 'P' | 'X' | '^' | '_' => self.state = State::Swallow,
                ' '..='/' => self.more(State::Intermediate, c),
                // Cursor saving, index, keypad modes, reset. `Z` asks who the terminal is.
                '7' | '8' | 'D' | 'E' | 'H' | 'M' | '=' | '>' | 'c' | 'N' | 'O' => self.end(c, out),
                _ => self.drop_held(),
            },
            State::Intermediate => match c {
                ' '..='/' => self.more(State::Intermediate, c),
                '0'..='~' => self.end(c, out),
                _ => self.drop_held(),
            },
            State::Csi => match c {
                ' '..='?' if self.held.len() < LONGEST => self.more(State::Csi, c),
                '@'..='~' if self.answers(c) => self.drop_held(),
                '@'..='~' => self.end(c, out),
                _ => self.drop_held(),
            },
            State::Swallow => match c {
                '\x07' | '\u{9c}' | '\x18' | '\x1a' => self.drop_held(),
                '\x1b' => self.state = State::SwallowEscape,
                _ => {}
            },
            State::SwallowEscape => {
                self.state = State::Swallow;
                match c {
                    '\\' => self.drop_held(),
                    '\x1b' => self.state = State::SwallowEscape,
                    _ => {}
                }
            }
        }
    }

    /// Does this sequence make the terminal answer, or act outside the screen? Device attributes and status (c, n),
    /// window operations (t), terminal parameters (x), mode requests and anything else with `$`, media copy (i),
    /// keyboard protocol queries (u).
    fn answers(&self, last: char) -> bool {
        matches!(last, 'c' | 'n' | 't' | 'x' | 'i' | 'u' | 'q') && !(last == 'q' && self.held.ends_with(' ')) || self.held.contains('$')
    }

    /// What puts the terminal back as it was, wherever the recording left it: attributes, character set, cursor, margins,
    /// mouse and paste modes, and the main screen if the recording is not on it.
    pub fn restore(&self) -> String {
        let main = if self.alternate { "\x1b[?1049l" } else { "" };
        format!("{main}\x1b[0m\x0f\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b7\x1b[r\x1b8")
    }

    fn begin(&mut self, state: State, c: char) {
        self.held.clear();
        self.more(state, c);
    }

    fn more(&mut self, state: State, c: char) {
        self.state = state;
        self.held.push(c);
    }

    fn end(&mut self, c: char, out: &mut String) {
        if matches!(c, 'h' | 'l') && matches!(self.held.as_str(), "\x1b[?1049" | "\x1b[?1047" | "\x1b[?47") {
            self.alternate = c == 'h';
        }
        out.push_str(&self.held);
        out.push(c);
        self.drop_held();
    }

    fn drop_held(&mut self) {
        self.state = State::Text;
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(text: &str) -> String {
        Screen::default().pass(text)
    }

    #[test]
    fn text_colour_and_cursor_pass() {
        for text in
            ["板卡3 温度\r\n", "\x1b[1;31mred\x1b[0m", "\x1b[2J\x1b[H", "\x1b[?1049h", "\x1b(B", "\x1b7\x1b8", "\x1b[2 q", "a\x08b\t"]
        {
            assert_eq!(pass(text), text);
        }
    }

    #[test]
    fn what_reaches_beyond_the_screen_does_not() {
        for text in [
            "\x1b]52;c;ZXZpbA==\x07",    // clipboard
            "\x1b]0;title\x1b\\",        // title
            "\x1bP+q544e\x1b\\",         // terminfo query
            "\x1b_Gf=24;AAAA\x1b\\",     // graphics
            "\x1b[c",                    // who are you
            "\x1b[6n",                   // where is the cursor
            "\x1b[21t",                  // what is the title
            "\x1b[?1$p",                 // mode request
            "\x1b[5i",                   // print
            "\x1bZ",                     // old identity request
            "\u{9d}52;c;ZXZpbA==\u{9c}", // as C1 controls
            "\u{9b}6n",
            "\x05",
        ] {
            assert_eq!(pass(&format!("a{text}b")), "ab", "{text:?}");
        }
    }

    #[test]
    fn a_sequence_may_be_split_over_two_events() {
        let mut screen = Screen::default();
        assert_eq!(screen.pass("a\x1b]52;c;ZX"), "a");
        assert_eq!(screen.pass("Zp\x07b\x1b[3"), "b");
        assert_eq!(screen.pass("1mc"), "\x1b[31mc");
    }

    #[test]
    fn the_main_screen_is_only_restored_when_it_was_left() {
        let mut screen = Screen::default();
        assert!(!screen.restore().contains("1049"));
        screen.pass("\x1b[?1049h");
        assert!(screen.restore().starts_with("\x1b[?1049l"));
        screen.pass("\x1b[?1049l");
        assert!(!screen.restore().contains("1049"));
    }
}

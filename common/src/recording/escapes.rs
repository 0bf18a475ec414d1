//! What a terminal's output is made of: characters, controls, and escape sequences (ECMA-48).
//!
//! Strings that only a terminal itself reads (titles, clipboards, pictures) are dropped. One ends at its terminator, but also at a
//! line feed or after 4 KiB: a forgotten or ill-meant beginning can't swallow what comes after.

use serde::{Deserialize, Serialize};

/// Of a control sequence, this much is kept; a longer one is dropped.
const MOST_SEQUENCE_BYTES: usize = 128;
const MOST_STRING_CHARS: u32 = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    Char(char),
    /// A control of C0, and DEL.
    Control(u8),
    /// `ESC x`, with intermediates in front if there are any.
    Escape(&'a str),
    /// `ESC [`: what stands between, and the byte that says what it is.
    Csi(&'a str, u8),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    #[default]
    Ground,
    /// After ESC.
    Escape,
    /// After `ESC [`.
    Csi,
    /// In a string, so many characters long.
    Text(u32),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    state: State,
    /// Of the sequence that has begun.
    buffer: String,
}

impl Tokens {
    pub fn take(&mut self, c: char, mut hear: impl FnMut(Token<'_>)) {
        match c {
            '\x1b' => self.begin(State::Escape),
            // Cancel and substitute end what was begun, as in every terminal.
            '\x18' | '\x1a' => self.begin(State::Ground),
            _ => self.inside(c, &mut hear),
        }
    }

    fn begin(&mut self, state: State) {
        self.state = state;
        self.buffer.clear();
    }

    fn inside(&mut self, c: char, hear: &mut impl FnMut(Token<'_>)) {
        if let State::Text(length) = self.state {
            return self.text(c, length, hear);
        }
        let code = u32::from(c);
        match (&self.state, u8::try_from(code)) {
            (_, Ok(control)) if control < 0x20 || control == 0x7f => hear(Token::Control(control)),
            // Controls of C1 do nothing here, as in most terminals.
            (State::Ground, _) if (0x80..0xa0).contains(&code) => {}
            (State::Ground, _) => hear(Token::Char(c)),
            (State::Escape, Ok(b'[')) if self.buffer.is_empty() => self.state = State::Csi,
            (State::Escape, Ok(b']' | b'P' | b'X' | b'^' | b'_')) if self.buffer.is_empty() => self.state = State::Text(0),
            (State::Escape, Ok(0x20..=0x2f)) | (State::Csi, Ok(0x20..=0x3f)) if self.buffer.len() < MOST_SEQUENCE_BYTES => {
                self.buffer.push(c);
            }
            (State::Escape, Ok(0x30..=0x7e)) => {
                self.buffer.push(c);
                self.state = State::Ground;
                hear(Token::Escape(&self.buffer));
            }
            (State::Csi, Ok(end @ 0x40..=0x7e)) => {
                self.state = State::Ground;
                hear(Token::Csi(&self.buffer, end));
            }
            // Not a sequence after all.
            (State::Escape | State::Csi | State::Text(_), _) => self.begin(State::Ground),
        }
    }

    fn text(&mut self, c: char, length: u32, hear: &mut impl FnMut(Token<'_>)) {
        match c {
            '\x07' | '\u{9c}' => self.begin(State::Ground),
            '\n' => {
                self.begin(State::Ground);
                hear(Token::Control(b'\n'));
            }
            _ if length < MOST_STRING_CHARS => self.state = State::Text(length + 1),
            _ => self.begin(State::Ground),
        }
    }
}

/// The numbers of a control sequence; one that is missing or no number is 0.
pub fn numbers(parameters: &str) -> impl Iterator<Item = u16> {
    parameters.split([';', ':']).map(|number| match number.parse::<u64>() {
        Ok(number) => u16::try_from(number).unwrap_or(u16::MAX),
        Err(_) => 0,
    })
}

/// The first number, at least 1: how often, or how far.
pub fn count(parameters: &str) -> u16 {
    numbers(parameters).next().unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Vec<String> {
        let (mut tokens, mut heard) = (Tokens::default(), Vec::new());
        for c in text.chars() {
            tokens.take(c, |token| heard.push(format!("{token:?}")));
        }
        heard
    }

    #[test]
    fn sequences_are_whole_and_strings_are_dropped() {
        assert_eq!(heard("a\x1b[1;31mb"), ["Char('a')", "Csi(\"1;31\", 109)", "Char('b')"]);
        assert_eq!(heard("\x1b(B\x1bM"), ["Escape(\"(B\")", "Escape(\"M\")"]);
        assert_eq!(heard("\x1b]0;title\x07x"), ["Char('x')"]);
        assert_eq!(heard("\x1b]0;title\x1b\\x"), ["Escape(\"\\\\\")", "Char('x')"]);
        assert_eq!(heard("\x1bPq...\x1b\\"), ["Escape(\"\\\\\")"]);
        assert_eq!(heard("\x1b[12\x18x"), ["Char('x')"]);
        assert_eq!(heard("\x1b[1\rC"), ["Control(13)", "Csi(\"1\", 67)"]);
    }

    #[test]
    fn a_string_without_an_end_swallows_no_more_than_its_line() {
        assert_eq!(heard("\x1b]swallow\nseen"), ["Control(10)", "Char('s')", "Char('e')", "Char('e')", "Char('n')"]);
        let long = format!("\x1b]{}", "x".repeat(5000));
        assert_eq!(heard(&long).len(), 5000 - MOST_STRING_CHARS as usize - 1);
    }

    #[test]
    fn numbers_are_never_too_large() {
        assert_eq!(numbers("1;99999999999999999999;;7").collect::<Vec<_>>(), [1, 0, 0, 7]);
        assert_eq!((count(""), count("0"), count("70000")), (1, 1, u16::MAX));
    }
}

//! Text from outside, made safe to show.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text that came from a device or a person. Stored as it came; escaped whenever it is shown.
///
/// `Display` is the safe form for a terminal or a one-line file: control characters, bidirectional overrides and
/// other invisible characters become visible escapes, so that a device's name can't move the cursor, hide text, or
/// smuggle a line into a file. [`Printable::raw`] gives the text itself, for storage, search and JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Printable(String);

impl Printable {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn raw(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same, with its line breaks kept: for notes and steps that are shown as a block.
    pub fn block(&self) -> String {
        self.0.lines().map(escape).collect::<Vec<_>>().join("\n")
    }
}

impl From<&str> for Printable {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Printable {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Printable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&escape(&self.0))
    }
}

/// Escapes what a terminal or an editor would act on instead of showing.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || is_invisible(c) => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// Bidirectional controls, zero-width characters, line separators, tags: characters that change what a reader sees.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_shown_instead() {
        assert_eq!(Printable::from("a\x1b[2Jb\u{202e}c\nd").to_string(), r"a\u{1b}[2Jb\u{202e}c\nd");
        assert_eq!(Printable::from("板卡3 温度").to_string(), "板卡3 温度");
        assert_eq!(Printable::from("one\ntwo\x07").block(), "one\ntwo\\u{7}");
    }
}

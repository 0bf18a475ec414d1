//! A text as it reads: one character after the other in small letters and half width, without what can't be seen.

use lineman_common::printable::is_invisible;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

pub struct Folded {
    /// In small letters.
    pub lower: Vec<char>,
    /// As written.
    pub cased: Vec<char>,
    /// Where each comes from in the text, in bytes.
    pub starts: Vec<usize>,
}

impl Folded {
    pub fn of(text: &str) -> Self {
        let (mut lower, mut cased, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        for (start, c) in text.char_indices().filter(|(_, c)| !is_invisible(*c) && !is_combining_mark(*c)) {
            for part in std::iter::once(c).nfkd().filter(|part| !is_combining_mark(*part)) {
                for small in part.to_lowercase() {
                    lower.push(joint(small));
                    cased.push(joint(part));
                    starts.push(start);
                }
            }
        }
        // Traditional characters read as simplified ones; where the count would change, each stands for itself.
        let simple: Vec<char> = fast2s::convert(&lower.iter().collect::<String>()).chars().collect();
        if simple.len() == lower.len() {
            lower = simple;
        }
        Self { lower, cased, starts }
    }

    pub const fn len(&self) -> usize {
        self.lower.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.lower.is_empty()
    }

    /// Where the text's character behind this one ends, in bytes.
    pub fn end_of(&self, at: usize, text: &str) -> usize {
        let start = self.starts[at];
        start + text[start..].chars().next().map_or(0, char::len_utf8)
    }

    /// Where a text in small letters begins, from there on.
    pub fn find(&self, wanted: &str, from: usize) -> Option<usize> {
        (from..self.len()).find(|at| self.is_at(wanted, *at))
    }

    /// The same, where it begins before another place.
    pub fn find_before(&self, wanted: &str, from: usize, to: usize) -> Option<usize> {
        (from..to.min(self.len())).find(|at| self.is_at(wanted, *at))
    }

    pub fn is_at(&self, wanted: &str, at: usize) -> bool {
        let mut here = self.lower[at..].iter();
        wanted.chars().all(|c| here.next() == Some(&c))
    }

    pub fn lower(&self, start: usize, end: usize) -> String {
        self.lower[start..end].iter().collect()
    }

    pub fn cased(&self, start: usize, end: usize) -> String {
        self.cased[start..end].iter().collect()
    }

    /// The first place from there on whose character is not one of these.
    pub fn skip(&self, from: usize, skipped: impl Fn(char) -> bool) -> usize {
        (from..self.len()).find(|at| !skipped(self.lower[*at])).unwrap_or(self.len())
    }

    /// The same, but no further than so many characters: a rule that looks at many places must not read to the end from each.
    pub fn skip_most(&self, from: usize, most: usize, skipped: impl Fn(char) -> bool) -> usize {
        let to = (from + most).min(self.len());
        (from..to).find(|at| !skipped(self.lower[*at])).unwrap_or(to)
    }

    /// No letter or digit before or behind: a word of its own. Only where the word itself has one there.
    pub fn stands_alone(&self, start: usize, end: usize) -> bool {
        let is_joined = |inner: usize, outer: Option<&char>| {
            self.lower[inner].is_ascii_alphanumeric() && outer.is_some_and(char::is_ascii_alphanumeric)
        };
        let before = start.checked_sub(1).and_then(|at| self.lower.get(at));
        start < end && !is_joined(start, before) && !is_joined(end - 1, self.lower.get(end))
    }
}

/// Dashes and quotation marks of typesetting read as the plain ones.
const fn joint(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        c => c,
    }
}

//! Letters and digits with single joints between them: one word, one number or one identifier.

use super::{Class, LONGEST, class, is_function_word};

/// A run, read into memory that is used again.
#[derive(Debug, Default)]
pub struct Run {
    pub parts: Vec<Part>,
    /// The joint after each part but the last.
    pub joints: Vec<char>,
    /// The texts of the parts, one after the other.
    text: String,
}

#[derive(Debug)]
pub struct Part {
    pub start: usize,
    pub end: usize,
    pub letters: bool,
    pub digits: bool,
    /// Where its text lies, folded, apostrophes dropped.
    place: (usize, usize),
}

impl Run {
    pub fn read(&mut self, folded: &[char], start: usize) {
        self.parts.clear();
        self.joints.clear();
        self.text.clear();
        let class_at = |at: usize| folded.get(at).map_or(Class::Other, |c| class(*c));
        let is_part = |at: usize| matches!(class_at(at), Class::Letter | Class::Digit);
        let mut at = start;
        loop {
            let from = at;
            while is_part(at) || (folded.get(at) == Some(&'\'') && at > from && class_at(at + 1) == Class::Letter) {
                at += 1;
            }
            self.part(folded.get(from..at).unwrap_or_default(), from);
            if class_at(at) != Class::Joint || !is_part(at + 1) {
                return;
            }
            self.joints.extend(folded.get(at));
            at += 1;
        }
    }

    fn part(&mut self, characters: &[char], start: usize) {
        let end = start + characters.len();
        let said = characters.strip_suffix(&['\'', 's']).unwrap_or(characters);
        let from = self.text.len();
        let (mut letters, mut digits) = (false, false);
        for c in said.iter().filter(|c| **c != '\'').take(LONGEST) {
            letters |= !c.is_ascii_digit();
            digits |= c.is_ascii_digit();
            self.text.push(*c);
        }
        self.parts.push(Part { start, end, letters, digits, place: (from, self.text.len()) });
    }

    pub fn text(&self, part: &Part) -> &str {
        self.text.get(part.place.0..part.place.1).unwrap_or_default()
    }

    pub fn start(&self) -> usize {
        self.parts.first().map_or(0, |part| part.start)
    }

    pub fn end(&self) -> usize {
        self.parts.last().map_or(0, |part| part.end)
    }

    pub fn letters(&self) -> bool {
        self.parts.iter().any(|part| part.letters)
    }

    pub fn digits(&self) -> bool {
        self.parts.iter().any(|part| part.digits)
    }

    /// Its parts in one, with something between them, up to a length.
    pub fn join(&self, joint: &str, into: &mut String) {
        let mut left = LONGEST;
        for (at, part) in self.parts.iter().enumerate() {
            for text in [if at == 0 { "" } else { joint }, self.text(part)] {
                into.extend(text.chars().take(left));
                left = left.saturating_sub(text.chars().count());
            }
        }
    }

    /// `3.14`, `10:30`, `2.53.1`: without its points it would be another number.
    pub fn is_decimal(&self) -> bool {
        !self.letters() && self.joints.iter().any(|joint| matches!(joint, '.' | ':'))
    }

    /// May it be the first half of an identifier that is written with a space, like `ALM 25621`, `ZXR10 8902E`?
    pub fn may_lead(&self) -> bool {
        match self.parts.as_slice() {
            [one] if !one.digits => {
                let text = self.text(one);
                (2..=8).contains(&text.chars().count()) && !is_function_word(text)
            }
            [one] => one.letters,
            _ => false,
        }
    }

    pub fn leading_digits(&self, part: &Part) -> usize {
        self.text(part).bytes().take_while(u8::is_ascii_digit).count()
    }
}

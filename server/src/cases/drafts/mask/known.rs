//! Names that are known to be the customer's, and words that are known to be none.

use std::collections::{HashMap, HashSet};

use lineman_common::api::MaskRule;

use super::Found;
use super::fold::Folded;
use crate::search::tokens;

/// A name in small letters, and what it is.
type Name = (Vec<char>, MaskRule);

#[derive(Debug, Default)]
pub struct Known {
    /// Taken out wherever they stand as a word, by their first two characters; the longest first.
    names: HashMap<(char, char), Vec<Name>>,
    /// Codes that may be words of the language: only as written then.
    codes: Vec<(String, MaskRule)>,
    /// Words of the field that no form of an address or a key is seen in.
    kept: HashSet<String>,
}

impl Known {
    /// A name that is taken out however it is written.
    pub fn name(&mut self, name: &str, rule: MaskRule) {
        let name = Folded::of(name.trim()).lower;
        // A name of one character would be taken out of the middle of words.
        let (Some(first), Some(second)) = (name.first(), name.get(1)) else { return };
        let names = self.names.entry((*first, *second)).or_default();
        if !names.iter().any(|(known, _)| *known == name) {
            let at = names.partition_point(|(known, _)| known.len() >= name.len());
            names.insert(at, (name, rule));
        }
    }

    /// A code that may be a word too: `IT` is a customer, `it` is not. What is no word of grammar is taken out however it is written.
    pub fn code(&mut self, code: &str, rule: MaskRule) {
        if tokens::is_function_word(&code.to_lowercase()) {
            self.codes.push((code.to_owned(), rule));
        } else {
            self.name(code, rule);
        }
    }

    /// A word that stays, whatever it looks like: a version of software may look like an address.
    pub fn keep(&mut self, word: &str) {
        let folded = Folded::of(word.trim());
        if !folded.is_empty() {
            self.kept.insert(folded.lower(0, folded.len()));
        }
    }

    pub(super) fn keeps(&self, word: &str) -> bool {
        self.kept.contains(word)
    }

    /// The whole word is a name: the name says better what it is than its form.
    pub(super) fn names(&self, word: &str) -> bool {
        let mut chars = word.chars();
        let (Some(first), Some(second)) = (chars.next(), chars.next()) else { return false };
        self.names.get(&(first, second)).is_some_and(|names| names.iter().any(|(name, _)| name.iter().copied().eq(word.chars())))
    }

    pub(super) fn find(&self, found: &mut Found<'_>) {
        let folded = found.folded;
        let mut at = 0;
        while at + 1 < folded.len() {
            at = match self.name_at(folded, at) {
                Some((length, rule)) => {
                    found.take(at, at + length, rule);
                    at + length
                }
                None => at + 1,
            };
        }
        for (code, rule) in &self.codes {
            let length = code.chars().count();
            for at in 0..(folded.len() + 1).saturating_sub(length) {
                if folded.cased(at, at + length) == *code && folded.stands_alone(at, at + length) {
                    found.take(at, at + length, *rule);
                }
            }
        }
    }

    fn name_at(&self, folded: &Folded, at: usize) -> Option<(usize, MaskRule)> {
        let names = self.names.get(&(folded.lower[at], folded.lower[at + 1]))?;
        let fits = |name: &[char]| folded.lower[at..].starts_with(name) && folded.stands_alone(at, at + name.len());
        names.iter().find(|(name, _)| fits(name)).map(|(name, rule)| (name.len(), *rule))
    }
}

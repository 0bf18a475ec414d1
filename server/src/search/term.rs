//! A term as a key, and how it is hashed.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

/// A term: most are short, and lie where they are looked up.
#[derive(Clone, PartialEq, Eq)]
pub enum Term {
    Short(u8, [u8; Self::SHORT]),
    Long(Box<str>),
}

impl Term {
    const SHORT: usize = 22;

    pub fn new(text: &str) -> Self {
        let mut bytes = [0; Self::SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(to), Ok(length)) => {
                to.copy_from_slice(text.as_bytes());
                Self::Short(length, bytes)
            }
            _ => Self::Long(text.into()),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Short(..) => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }

    /// Its first eight bytes as a number: of two terms whose numbers differ, the one with the smaller is the smaller.
    pub fn beginning(&self) -> u64 {
        let mut first = [0; 8];
        first.iter_mut().zip(self.as_bytes()).for_each(|(to, from)| *to = *from);
        u64::from_be_bytes(first)
    }
}

impl From<&str> for Term {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Term {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl std::fmt::Debug for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Ord for Term {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Term {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Term {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
    }
}

/// A map by terms.
pub type Terms<T> = HashMap<Term, T, Quick>;

/// Hashes short keys in a few steps. The seed is this map's own and random, so nobody can choose words that fall together.
#[derive(Clone, Debug)]
pub struct Quick(u64);

impl Default for Quick {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0u8) | 1)
    }
}

impl BuildHasher for Quick {
    type Hasher = Folded;
    fn build_hasher(&self) -> Folded {
        Folded { sum: self.0, seed: self.0 }
    }
}

/// Multiplies to 128 bits and folds them, eight bytes at a time.
pub struct Folded {
    sum: u64,
    seed: u64,
}

impl Folded {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.sum ^ word) * u128::from(self.seed ^ 0x9e37_79b9_7f4a_7c15);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
        let folded = product as u64 ^ (product >> 64) as u64;
        self.sum = folded;
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.add(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    fn finish(&self) -> u64 {
        self.sum
    }
}

/// Numbers for terms, and what one text after the other says with them.
#[derive(Debug, Default)]
pub struct Vocabulary {
    /// Terms of up to seven bytes, which most are, as numbers: the table is small, and looked into for each word that is read.
    short: HashMap<u64, Known, Quick>,
    long: Terms<Known>,
    names: Vec<Term>,
    /// The text that is read now.
    text: u32,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    number: u32,
    /// The last text that said it, and its place there.
    text: u32,
    place: u32,
}

impl Vocabulary {
    /// The number of a term, and its place among those of this text: `next`, when it was not said before.
    pub fn place(&mut self, term: &str, next: u32) -> (u32, u32) {
        let (text, names) = (self.text, &mut self.names);
        let fresh = || {
            let number = u32::try_from(names.len()).unwrap_or(u32::MAX);
            names.push(Term::new(term));
            Known { number, text, place: next }
        };
        let known = match short(term) {
            Some(key) => self.short.entry(key).or_insert_with(fresh),
            None => self.long.entry(Term::new(term)).or_insert_with(fresh),
        };
        if known.text != text {
            (known.text, known.place) = (text, next);
        }
        (known.number, known.place)
    }

    /// Another text begins.
    pub fn turn(&mut self) {
        self.text = self.text.wrapping_add(1);
    }

    pub fn name(&self, number: u32) -> Option<&Term> {
        self.names.get(number as usize)
    }

    /// All terms in their order, with their numbers.
    pub fn sorted(&self) -> Vec<(&Term, u32)> {
        let mut sorted: Vec<_> = self.names.iter().zip(0u32..).map(|(term, number)| (term.beginning(), term, number)).collect();
        sorted.sort_unstable_by_key(|(beginning, term, _)| (*beginning, *term));
        sorted.into_iter().map(|(_, term, number)| (term, number)).collect()
    }

    /// Forgets all terms.
    pub fn clear(&mut self) {
        self.short.clear();
        self.long.clear();
        self.names.clear();
    }
}

/// A short text with its length, in one number.
fn short(text: &str) -> Option<u64> {
    let mut bytes = [0; 8];
    let (length, rest) = bytes.split_last_mut()?;
    rest.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    *length = u8::try_from(text.len()).ok()?;
    Some(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_term_is_its_text(one in r"\PC{0,30}", other in r"\PC{0,30}") {
            let [a, b] = [&one, &other].map(|text| Term::new(text));
            prop_assert_eq!(a.as_str(), &one);
            prop_assert_eq!(a.cmp(&b), one.cmp(&other));
            prop_assert!(a.beginning() == b.beginning() || (a.beginning() < b.beginning()) == (a < b));
            let quick = Quick::default();
            prop_assert_eq!(a == b, quick.hash_one(&a) == quick.hash_one(&b));
            prop_assert!(short(&one).is_none() && one.len() > 7 || (short(&one) == short(&other)) == (a == b));
        }
    }

    #[test]
    fn terms_have_numbers_and_places_in_each_text() {
        let mut vocabulary = Vocabulary::default();
        assert_eq!([vocabulary.place("fan", 0), vocabulary.place("card", 1), vocabulary.place("fan", 2)], [(0, 0), (1, 1), (0, 0)]);
        vocabulary.turn();
        assert_eq!([vocabulary.place("card", 0), vocabulary.place("板卡", 1)], [(1, 0), (2, 1)]);
        let sorted: Vec<_> = vocabulary.sorted().into_iter().map(|(term, number)| (term.as_str().to_owned(), number)).collect();
        assert_eq!(sorted, [("card".to_owned(), 1), ("fan".to_owned(), 0), ("板卡".to_owned(), 2)]);
        assert_eq!(vocabulary.name(1).map(Term::as_str), Some("card"));
        vocabulary.clear();
        assert_eq!((vocabulary.place("x", 0), vocabulary.sorted().len()), ((0, 0), 1));
    }

    #[test]
    fn every_map_has_its_own_order() {
        let hash = || Quick::default().hash_one(Term::new("风扇"));
        assert_ne!(hash(), hash());
    }
}

//! A part of the index: a run of documents, numbered from 0, that never changes once it is full.
//!
//! The newest part is [`Memory`], which takes documents in; all others are [`Packed`]. A document that is replaced or removed stays
//! where it is and is marked dead beside the part, until parts are merged.

use std::collections::HashMap;

use super::level::level;
use super::postings::{List, NONE};
use super::tags::{Column, Columns, numbered};
use crate::search::term::{Term, Terms};

#[derive(Debug)]
pub enum Part {
    Memory(Memory),
    Packed(Packed),
}

impl Part {
    /// Of all its documents, dead ones too.
    pub fn keys(&self) -> &[u32] {
        match self {
            Self::Memory(memory) => &memory.keys,
            Self::Packed(packed) => &packed.keys,
        }
    }

    /// Which document has a key: the newest that does.
    pub fn find(&self, key: u32) -> Option<u32> {
        match self {
            Self::Memory(memory) => memory.newest.get(&key).copied(),
            Self::Packed(packed) => packed.keys.binary_search(&key).ok().and_then(|at| u32::try_from(at).ok()),
        }
    }

    pub fn list(&self, term: &str) -> Option<List<'_>> {
        match self {
            Self::Memory(memory) => memory.terms.get(&Term::new(term)).map(|said| memory.list(*said)),
            Self::Packed(packed) => packed.find_term(term).map(|number| packed.list(number)),
        }
    }

    pub fn columns(&self) -> &[Column] {
        match self {
            Self::Memory(memory) => &memory.columns.done,
            Self::Packed(packed) => &packed.columns,
        }
    }

    pub fn column(&self, facet: u8) -> Option<&Column> {
        self.columns().iter().find(|column| column.facet == facet)
    }

    /// Its terms in their order, to be read one after the other.
    pub fn sorted(&self) -> Sorted<'_> {
        match self {
            Self::Memory(memory) => {
                let mut terms: Vec<_> = memory.terms.iter().map(|(term, said)| (term.beginning(), term, *said)).collect();
                terms.sort_unstable_by_key(|(beginning, term, _)| (*beginning, *term));
                Sorted::Memory(memory, terms)
            }
            Self::Packed(packed) => Sorted::Packed(packed),
        }
    }

    /// Terms from one text on and before another that are worth a look, in any order.
    pub fn between(&self, from: &str, to: &str, is_worth: impl Fn(&[u8]) -> bool) -> Vec<&str> {
        match self {
            Self::Memory(memory) => {
                let terms = memory.terms.keys().map(Term::as_str).filter(|term| (from..to).contains(term));
                terms.filter(|term| is_worth(term.as_bytes())).collect()
            }
            Self::Packed(packed) => {
                let numbers = packed.before(from)..packed.before(to);
                numbers.filter(|number| is_worth(packed.bytes(*number))).map(|number| packed.term(number)).collect()
            }
        }
    }
}

/// The part that takes documents in. Every mention of a term goes to the end of one long list and knows the one before it: a document
/// is taken in with one look at the terms' table for each of its terms, and without any small pieces of memory.
#[derive(Debug, Default)]
pub struct Memory {
    keys: Vec<u32>,
    newest: HashMap<u32, u32>,
    terms: Terms<Said>,
    mentions: Vec<Mention>,
    columns: Columns,
}

/// Where a term was mentioned.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// Its last mention, in which document that is, and how many there are.
    last: u32,
    document: u32,
    count: u32,
}

#[derive(Clone, Copy, Debug)]
struct Mention {
    document: u32,
    before: u32,
    level: u8,
}

impl Memory {
    pub fn put(&mut self, key: u32, terms: Vec<(Term, f32)>, tags: &[(u8, u32)]) {
        let Ok(document) = u32::try_from(self.keys.len()) else { return };
        self.keys.push(key);
        self.newest.insert(key, document);
        numbered(tags, &mut self.columns);
        for (term, x) in terms {
            if let Some(level) = level(x) {
                self.mention(term, document, level);
            }
        }
    }

    fn mention(&mut self, term: Term, document: u32, level: u8) {
        let Ok(place) = u32::try_from(self.mentions.len()) else { return };
        let said = self.terms.entry(term).or_insert(Said { last: NONE, document: NONE, count: 0 });
        if said.document == document {
            // A term that is named twice counts by its larger frequency.
            if let Some(mention) = self.mentions.get_mut(said.last as usize) {
                mention.level = level.max(mention.level);
            }
            return;
        }
        self.mentions.push(Mention { document, before: said.last, level });
        *said = Said { last: place, document, count: said.count + 1 };
    }

    fn list(&self, said: Said) -> List<'_> {
        let mut list = Vec::with_capacity(said.count as usize);
        let mut at = said.last;
        while let Some(mention) = self.mentions.get(at as usize) {
            list.push((mention.document, mention.level));
            at = mention.before;
        }
        list.reverse();
        List::Plain(list)
    }
}

/// The terms of a part in their order, by number.
#[derive(Debug)]
pub enum Sorted<'a> {
    Memory(&'a Memory, Vec<(u64, &'a Term, Said)>),
    Packed(&'a Packed),
}

impl<'a> Sorted<'a> {
    pub fn terms(&self) -> usize {
        match self {
            Self::Memory(_, terms) => terms.len(),
            Self::Packed(packed) => packed.terms(),
        }
    }

    pub fn bytes(&self, number: usize) -> &'a [u8] {
        match self {
            Self::Memory(_, terms) => terms.get(number).map(|(_, term, _)| term.as_bytes()).unwrap_or_default(),
            Self::Packed(packed) => packed.bytes(number),
        }
    }

    pub fn list(&self, number: usize) -> List<'a> {
        match self {
            Self::Memory(memory, terms) => terms.get(number).map_or(List::Plain(Vec::new()), |(.., said)| memory.list(*said)),
            Self::Packed(packed) => packed.list(number),
        }
    }
}

/// A part that is full: documents in the order of their keys, lists packed.
#[derive(Debug, Default, PartialEq)]
pub struct Packed {
    pub keys: Vec<u32>,
    pub columns: Vec<Column>,
    /// All terms in their order, one after the other.
    pub text: Vec<u8>,
    /// Where each term begins in `text`, and where the last one ends.
    pub text_starts: Vec<u32>,
    /// How many documents have each term.
    pub counts: Vec<u32>,
    /// Where each term's list begins in `lists`, and where the last one ends.
    pub list_starts: Vec<u64>,
    pub lists: Vec<u8>,
}

impl Packed {
    /// Before the first term.
    pub fn begin(&mut self) {
        self.text_starts.push(0);
        self.list_starts.push(0);
    }

    /// Adds a term whose list was just added to the lists.
    pub fn close(&mut self, term: &[u8], count: usize) {
        self.text.extend(term);
        self.text_starts.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        self.counts.push(u32::try_from(count).unwrap_or(u32::MAX));
        self.list_starts.push(u64::try_from(self.lists.len()).unwrap_or(u64::MAX));
    }

    /// Adds the terms of another, which all come behind its own.
    pub fn append(&mut self, other: &Self) {
        let (text, lists) = (self.text_starts.last().copied().unwrap_or_default(), self.list_starts.last().copied().unwrap_or_default());
        self.text.extend(&other.text);
        self.text_starts.extend(other.text_starts.iter().skip(1).map(|start| text.saturating_add(*start)));
        self.counts.extend(&other.counts);
        self.list_starts.extend(other.list_starts.iter().skip(1).map(|start| lists.saturating_add(*start)));
        self.lists.extend(&other.lists);
    }

    pub fn terms(&self) -> usize {
        self.counts.len()
    }

    pub fn term(&self, number: usize) -> &str {
        std::str::from_utf8(self.bytes(number)).unwrap_or_default()
    }

    pub fn bytes(&self, number: usize) -> &[u8] {
        let place = self.text_starts.get(number).zip(self.text_starts.get(number + 1));
        place.and_then(|(start, end)| self.text.get(*start as usize..*end as usize)).unwrap_or_default()
    }

    pub fn list(&self, number: usize) -> List<'_> {
        let at = |number: usize| self.list_starts.get(number).and_then(|start| usize::try_from(*start).ok());
        let bytes = at(number).zip(at(number + 1)).and_then(|(start, end)| self.lists.get(start..end)).unwrap_or_default();
        List::Packed { bytes, count: self.counts.get(number).copied().unwrap_or_default() }
    }

    /// How many terms stand before a text.
    fn before(&self, text: &str) -> usize {
        let (mut low, mut high) = (0, self.terms());
        while low < high {
            let middle = low.midpoint(high);
            if self.bytes(middle) < text.as_bytes() { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn find_term(&self, term: &str) -> Option<usize> {
        let number = self.before(term);
        (number < self.terms() && self.bytes(number) == term.as_bytes()).then_some(number)
    }

    /// In memory and, as near as makes no difference, on disk.
    pub fn size_bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| 4 * (column.of.len() + column.starts.len() + column.tags.len())).sum();
        4 * (self.keys.len() + self.text_starts.len() + self.counts.len())
            + 8 * self.list_starts.len()
            + columns
            + self.text.len()
            + self.lists.len()
    }
}

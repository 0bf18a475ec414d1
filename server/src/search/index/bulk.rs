//! Very many documents at once: an index that is built anew.
//!
//! Nothing is asked of documents that are still on their way, so nothing is kept for asking: what each says stands in one long row, and
//! becomes lists in one pass when a part is full. Several may be filled at the same time, each with documents of its own; their tags
//! have the numbers of one dictionary.

use std::sync::{Arc, Mutex, PoisonError};

use super::bits::Bits;
use super::level::level;
use super::part::{Packed, Part};
use super::postings::pack;
use super::tags::{Columns, Dictionary, numbered};
use super::{Held, Index, Tag};
use crate::search::term::Term;

/// Values of facets by number, for all that is built together.
#[derive(Clone, Debug, Default)]
pub struct Tags(Arc<Mutex<Dictionary>>);

/// A part in the making.
#[derive(Debug, Default)]
pub struct Bulk {
    tags: Tags,
    keys: Vec<u32>,
    columns: Columns,
    /// One document after the other: the number of the term, and at which level it is said.
    mentions: Vec<u32>,
    levels: Vec<u8>,
    /// Where each document's mentions end.
    ends: Vec<usize>,
}

impl Bulk {
    pub fn new(tags: &Tags) -> Self {
        Self { tags: tags.clone(), ..Self::default() }
    }

    /// Keys rise from document to document. Terms are given by their numbers in a vocabulary, with frequencies as in
    /// [`super::Document`].
    pub fn put(&mut self, key: u32, terms: &[(u32, f32)], tags: &[Tag]) {
        self.keys.push(key);
        let tags = self.tags.0.lock().unwrap_or_else(PoisonError::into_inner).numbers(tags);
        numbered(&tags, &mut self.columns);
        for (term, x) in terms {
            if let Some(level) = level(*x) {
                self.mentions.push(*term);
                self.levels.push(level);
            }
        }
        self.ends.push(self.levels.len());
    }

    /// The part that the documents make, with all terms of their vocabulary in order. There are no documents in it afterwards.
    pub fn pack(&mut self, terms: &[(&Term, u32)]) -> Built {
        let counts = self.counts(terms.len());
        // Where each term's next mention goes.
        let (mut next, mut end) = (vec![0usize; counts.len()], 0);
        for (_, number) in terms {
            if let (Some(next), Some(count)) = (next.get_mut(*number as usize), counts.get(*number as usize)) {
                *next = end;
                end += *count as usize;
            }
        }
        let mut lists = vec![(0u32, 0u8); end];
        let mut from = 0;
        for (document, end) in (0u32..).zip(&self.ends) {
            let own = self.mentions.get(from..*end).unwrap_or_default().iter().zip(self.levels.get(from..*end).unwrap_or_default());
            for (term, level) in own {
                let Some(next) = next.get_mut(*term as usize) else { continue };
                if let Some(to) = lists.get_mut(*next) {
                    *to = (document, *level);
                }
                *next += 1;
            }
            from = *end;
        }
        let (keys, columns) = (std::mem::take(&mut self.keys), std::mem::take(&mut self.columns));
        let mut packed = Packed { keys, columns: columns.done, ..Packed::default() };
        packed.lists.reserve(lists.len() * 3);
        packed.begin();
        let mut rest = lists.as_mut_slice();
        for (term, number) in terms {
            let count = counts.get(*number as usize).map_or(0, |count| *count as usize);
            let Some((list, others)) = rest.split_at_mut_checked(count) else { break };
            rest = others;
            let list = once(list);
            if !list.is_empty() {
                pack(list, &mut packed.lists);
                packed.close(term.as_bytes(), list.len());
            }
        }
        packed.lists.shrink_to_fit();
        self.mentions.clear();
        self.levels.clear();
        self.ends.clear();
        Built(packed)
    }

    /// How often each term is mentioned.
    fn counts(&self, terms: usize) -> Vec<u32> {
        let mut counts = vec![0u32; terms];
        for term in &self.mentions {
            if let Some(count) = counts.get_mut(*term as usize) {
                *count += 1;
            }
        }
        counts
    }
}

/// A term that a document names twice counts by its larger frequency.
fn once(list: &mut [(u32, u8)]) -> &[(u32, u8)] {
    if list.windows(2).all(|two| matches!(two, [(one, _), (other, _)] if one < other)) {
        return list;
    }
    let mut kept = 0;
    for at in 0..list.len() {
        let (Some((document, level)), last) = (list.get(at).copied(), list.get_mut(..kept).and_then(<[_]>::last_mut)) else { continue };
        match last {
            Some((known, greatest)) if *known == document => *greatest = level.max(*greatest),
            _ => {
                list.swap(kept, at);
                kept += 1;
            }
        }
    }
    list.get(..kept).unwrap_or_default()
}

/// A part that was built.
#[derive(Debug)]
pub struct Built(Packed);

impl Built {
    fn first_key(&self) -> Option<u32> {
        self.0.keys.first().copied()
    }
}

impl Index {
    /// Makes one index of parts that were built with these tags; each key is in one of them.
    pub fn built(tags: &Tags, mut parts: Vec<Built>, threads: usize) -> Self {
        // Documents in the order of their keys, where the parts are: then lists only follow one another.
        parts.retain(|Built(packed)| !packed.keys.is_empty());
        parts.sort_by_key(Built::first_key);
        let dictionary = tags.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let parts = parts.into_iter().map(|Built(packed)| Held { part: Arc::new(Part::Packed(packed)), dead: Bits::default() });
        let mut index = Self { dictionary, parts: parts.collect(), ..Self::default() };
        index.unite(threads);
        index
    }
}

//! Values of facets, as small numbers, and which document has which.
//!
//! A document names, for each facet, one *set* of tags: most have one value, some several, and many documents share a set. So
//! counting is one step for each document and facet, however many values there are, and a filter is asked of sets before it is
//! asked of documents.

use std::collections::HashMap;

use super::{Facet, Tag};

/// Every tag that was ever put in, by its number. One for an index, so that its parts speak of the same numbers.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    tags: Vec<Tag>,
    numbers: HashMap<Tag, u32>,
}

impl Dictionary {
    pub fn number(&mut self, tag: &Tag) -> u32 {
        if let Some(number) = self.numbers.get(tag) {
            return *number;
        }
        let number = u32::try_from(self.tags.len()).unwrap_or(u32::MAX);
        self.tags.push(tag.clone());
        self.numbers.insert(tag.clone(), number);
        number
    }

    /// The numbers of a document's tags by facet: each once, rising.
    pub fn numbers(&mut self, tags: &[Tag]) -> Vec<(u8, u32)> {
        let mut numbers: Vec<_> = tags.iter().map(|tag| (tag.facet.0, self.number(tag))).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    pub fn of(&self, facet: Facet) -> impl Iterator<Item = (usize, &str)> {
        self.tags.iter().enumerate().filter(move |(_, tag)| tag.facet == facet).map(|(at, tag)| (at, tag.value.as_str()))
    }
}

/// What each document has of one facet: a set of tags, by number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    pub facet: u8,
    /// By document. Set 0 is the empty one.
    pub of: Vec<u32>,
    /// Where each set begins in `tags`, and where the last one ends.
    pub starts: Vec<u32>,
    pub tags: Vec<u32>,
}

impl Column {
    /// Of a facet that the first documents of a part have nothing of.
    fn new(facet: u8, documents: usize) -> Self {
        Self { facet, of: vec![0; documents], starts: vec![0, 0], tags: Vec::new() }
    }

    pub fn set(&self, document: u32) -> usize {
        self.of.get(document as usize).map_or(0, |set| *set as usize)
    }

    pub fn sets(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub fn tags(&self, set: usize) -> &[u32] {
        let place = self.starts.get(set).zip(self.starts.get(set + 1));
        place.and_then(|(start, end)| self.tags.get(*start as usize..*end as usize)).unwrap_or_default()
    }

    pub fn tags_of(&self, document: u32) -> &[u32] {
        self.tags(self.set(document))
    }
}

/// Makes columns, document by document.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    pub done: Vec<Column>,
    known: Vec<HashMap<Box<[u32]>, u32>>,
    documents: usize,
}

impl Columns {
    /// The next document, with its tags of each facet; facets come once.
    pub fn push<'t>(&mut self, tags: impl IntoIterator<Item = (u8, &'t [u32])>) {
        for (facet, tags) in tags {
            let at = self.done.iter().position(|column| column.facet == facet).unwrap_or_else(|| {
                self.done.push(Column::new(facet, self.documents));
                self.known.push(HashMap::from([(Box::default(), 0)]));
                self.done.len() - 1
            });
            let (Some(column), Some(known)) = (self.done.get_mut(at), self.known.get_mut(at)) else { continue };
            let set = known.get(tags).copied().unwrap_or_else(|| {
                let set = u32::try_from(column.sets()).unwrap_or_default();
                column.tags.extend(tags);
                column.starts.push(u32::try_from(column.tags.len()).unwrap_or(u32::MAX));
                known.insert(tags.into(), set);
                set
            });
            column.of.push(set);
        }
        self.documents += 1;
        for column in &mut self.done {
            column.of.resize(self.documents, 0);
        }
    }
}

/// Adds the next document by the numbers of its tags, as [`Dictionary::numbers`] gives them.
pub fn numbered(tags: &[(u8, u32)], columns: &mut Columns) {
    let numbers: Vec<u32> = tags.iter().map(|(_, tag)| *tag).collect();
    let mut rest = numbers.as_slice();
    columns.push(tags.chunk_by(|a, b| a.0 == b.0).filter_map(|own| {
        let (numbers, others) = rest.split_at_checked(own.len())?;
        rest = others;
        Some((own.first()?.0, numbers))
    }));
}

//! Several parts become one, without what died in them.

use super::bits::Bits;
use super::part::{Packed, Part, Sorted};
use super::postings::{List, NONE, pack};
use super::tags::{Column, Columns};

/// Documents come out in the order of their keys; each key is alive in one part at most.
pub fn merge(parts: &[(&Part, &Bits)], threads: usize) -> Packed {
    let order = order(parts);
    let keys = order.iter().map(|(key, ..)| *key).collect();
    let places = places(parts, &order);
    let sources: Vec<_> = parts.iter().zip(&places).map(|((part, _), places)| Source::new(part.sorted(), places)).collect();
    let mut merged = Packed { keys, columns: columns(parts, &order), ..Packed::default() };
    merged.begin();
    let mut shares = shares(sources, threads);
    let Some(last) = shares.pop() else { return merged };
    // Each thread has the terms from one to another.
    std::thread::scope(|scope| {
        let others: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || terms(share))).collect();
        let last = terms(last);
        for thread in others {
            // A thread that panics is a panic here: half an index is none.
            merged.append(&thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        merged.append(&last);
    });
    merged.lists.shrink_to_fit();
    merged.text.shrink_to_fit();
    merged
}

/// The living documents: key, part, number in the part.
fn order(parts: &[(&Part, &Bits)]) -> Vec<(u32, usize, u32)> {
    let mut order = Vec::new();
    for (at, (part, dead)) in parts.iter().enumerate() {
        let living = (0u32..).zip(part.keys()).filter(|(document, _)| !dead.has(*document));
        order.extend(living.map(|(document, key)| (*key, at, document)));
    }
    order.sort_unstable();
    order
}

/// Where each part's documents go: [`NONE`] for dead ones.
fn places(parts: &[(&Part, &Bits)], order: &[(u32, usize, u32)]) -> Vec<Vec<u32>> {
    let mut places: Vec<_> = parts.iter().map(|(part, _)| vec![NONE; part.keys().len()]).collect();
    for (place, (_, part, document)) in (0u32..).zip(order) {
        if let Some(to) = places.get_mut(*part).and_then(|places| places.get_mut(*document as usize)) {
            *to = place;
        }
    }
    places
}

fn columns(parts: &[(&Part, &Bits)], order: &[(u32, usize, u32)]) -> Vec<Column> {
    let mut columns = Columns::default();
    for (_, part, document) in order {
        let own = parts.get(*part).map(|(part, _)| part.columns()).unwrap_or_default();
        columns.push(own.iter().map(|column| (column.facet, column.tags_of(*document))));
    }
    columns.done
}

/// A part's terms that are still to come.
#[derive(Clone, Debug)]
struct Source<'a> {
    terms: std::sync::Arc<Sorted<'a>>,
    places: &'a [u32],
    at: usize,
    end: usize,
    /// The first eight bytes of the next term, as a number: they tell most terms apart.
    beginning: u64,
}

impl<'a> Source<'a> {
    fn new(terms: Sorted<'a>, places: &'a [u32]) -> Self {
        let end = terms.terms();
        let mut own = Self { terms: std::sync::Arc::new(terms), places, at: 0, end, beginning: 0 };
        own.look();
        own
    }

    fn look(&mut self) {
        let mut first = [0; 8];
        first.iter_mut().zip(self.terms.bytes(self.at)).for_each(|(to, from)| *to = *from);
        self.beginning = u64::from_be_bytes(first);
    }

    fn next(&self) -> Option<(u64, &'a [u8])> {
        (self.at < self.end).then(|| (self.beginning, self.terms.bytes(self.at)))
    }

    fn step(&mut self) -> List<'a> {
        let list = self.terms.list(self.at);
        self.at += 1;
        self.look();
        list
    }

    /// The number of its first term that is not before another.
    fn not_before(&self, term: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.terms.terms());
        while low < high {
            let middle = low.midpoint(high);
            if self.terms.bytes(middle) < term { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn between(&self, from: usize, to: usize) -> Self {
        let mut own = Self { at: from, end: to, ..self.clone() };
        own.look();
        own
    }
}

/// The same terms of all parts, in a share for each thread.
fn shares(sources: Vec<Source<'_>>, threads: usize) -> Vec<Vec<Source<'_>>> {
    let Some(largest) = sources.iter().max_by_key(|source| source.end) else { return Vec::new() };
    let count = threads.min(largest.end).max(1);
    let ends = (1..count).map(|share| largest.terms.bytes(largest.end * share / count));
    let mut from = vec![0; sources.len()];
    let mut shares = Vec::with_capacity(count);
    for end in ends.map(Some).chain([None]) {
        let to = sources.iter().map(|source| end.map_or(source.end, |term| source.not_before(term)));
        let to: Vec<_> = to.collect();
        let share = sources.iter().zip(&from).zip(&to).map(|((source, from), to)| source.between(*from, *to));
        shares.push(share.collect());
        from = to;
    }
    shares
}

fn terms(mut sources: Vec<Source<'_>>) -> Packed {
    let mut merged = Packed::default();
    merged.begin();
    let mut list: Vec<(u32, u8)> = Vec::new();
    while let Some((beginning, term)) = sources.iter().filter_map(Source::next).min() {
        list.clear();
        for source in &mut sources {
            if source.beginning == beginning && source.next().is_some_and(|(_, own)| own == term) {
                let own = source.step();
                take(own, source.places, &mut list);
            }
        }
        if !list.is_sorted() {
            list.sort_unstable();
        }
        if !list.is_empty() {
            pack(&list, &mut merged.lists);
            merged.close(term, list.len());
        }
    }
    merged
}

fn take(own: List<'_>, places: &[u32], list: &mut Vec<(u32, u8)>) {
    own.each(|document, level| {
        let place = places.get(document as usize).copied().unwrap_or(NONE);
        if place != NONE {
            list.push((place, level));
        }
    });
}

//! Several parts become one, without what died in them.

use super::bits::Bits;
use super::part::{Packed, Part};
use super::postings::{List, NONE, pack};
use super::tags::{Column, Columns};

/// Documents come out in the order of their keys; each key is alive in one part at most.
pub fn merge(parts: &[(&Part, &Bits)]) -> Packed {
    let order = order(parts);
    let keys = order.iter().map(|(key, ..)| *key).collect();
    let mut merged = Packed { keys, columns: columns(parts, &order), ..Packed::default() };
    let places = places(parts, &order);
    terms(parts, &places, &mut merged);
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

fn terms(parts: &[(&Part, &Bits)], places: &[Vec<u32>], merged: &mut Packed) {
    let mut sources: Vec<_> = parts.iter().zip(places).map(|((part, _), places)| (part.sorted().peekable(), places)).collect();
    let mut list: Vec<(u32, u8)> = Vec::new();
    merged.text_starts.push(0);
    merged.list_starts.push(0);
    while let Some(term) = sources.iter_mut().filter_map(|(terms, _)| terms.peek().map(|(term, _)| *term)).min() {
        list.clear();
        let mut from = 0;
        for (terms, places) in &mut sources {
            if let Some((_, own)) = terms.next_if(|(own, _)| *own == term) {
                take(own, places, &mut list);
                from += 1;
            }
        }
        if from > 1 || !list.is_sorted() {
            list.sort_unstable();
        }
        if list.is_empty() {
            continue;
        }
        pack(&list, &mut merged.lists);
        merged.text.extend(term.as_bytes());
        merged.text_starts.push(u32::try_from(merged.text.len()).unwrap_or(u32::MAX));
        merged.counts.push(u32::try_from(list.len()).unwrap_or(u32::MAX));
        merged.list_starts.push(u64::try_from(merged.lists.len()).unwrap_or(u64::MAX));
    }
}

fn take(own: List<'_>, places: &[u32], list: &mut Vec<(u32, u8)>) {
    own.each(|document, level| {
        let place = places.get(document as usize).copied().unwrap_or(NONE);
        if place != NONE {
            list.push((place, level));
        }
    });
}

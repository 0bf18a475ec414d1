//! Which documents have a term, and at which level.
//!
//! Packed, a list is blocks of up to 128: the width of a step in bytes, the steps from document to document, the levels. Widths of
//! whole bytes decode in a plain loop, at well under a nanosecond a document; what bits would save is not worth their shifting.

pub const BLOCK: usize = 128;
/// No document.
pub const NONE: u32 = u32::MAX;

/// A list, as a part keeps it.
#[derive(Clone, Debug)]
pub enum List<'a> {
    Packed { bytes: &'a [u8], count: u32 },
    Plain(Vec<(u32, u8)>),
}

impl<'a> List<'a> {
    pub fn count(&self) -> u32 {
        match self {
            Self::Packed { count, .. } => *count,
            Self::Plain(list) => u32::try_from(list.len()).unwrap_or(NONE),
        }
    }

    pub fn cursor(self) -> Cursor<'a> {
        let mut cursor = Cursor { rest: self, taken: 0, before: 0, documents: [NONE; BLOCK], levels: [0; BLOCK], length: 0, at: 0 };
        cursor.load();
        cursor
    }

    pub fn each(self, mut take: impl FnMut(u32, u8)) {
        self.cursor().until(NONE, &mut take);
    }
}

/// A place in a list.
#[derive(Debug)]
pub struct Cursor<'a> {
    /// What is not in the block.
    rest: List<'a>,
    /// Of a plain list.
    taken: usize,
    before: u32,
    documents: [u32; BLOCK],
    levels: [u8; BLOCK],
    /// Of the block.
    length: usize,
    at: usize,
}

impl Cursor<'_> {
    /// The next document; [`NONE`] at the end.
    pub fn next(&self) -> u32 {
        if self.at < self.length { self.documents.get(self.at).copied().unwrap_or(NONE) } else { NONE }
    }

    /// Gives every document before `end`.
    #[inline]
    pub fn until(&mut self, end: u32, take: &mut impl FnMut(u32, u8)) {
        loop {
            let documents = self.documents.get(self.at..self.length).unwrap_or_default();
            let levels = self.levels.get(self.at..self.length).unwrap_or_default();
            let Some(last) = documents.last() else { return };
            if *last >= end {
                let before = documents.iter().take_while(|document| **document < end);
                let taken = before.zip(levels).map(|(document, level)| take(*document, *level)).count();
                self.at += taken;
                return;
            }
            for (document, level) in documents.iter().zip(levels) {
                take(*document, *level);
            }
            self.load();
        }
    }

    fn load(&mut self) {
        self.at = 0;
        match &mut self.rest {
            List::Plain(list) => {
                let rest = list.get(self.taken..).unwrap_or_default();
                for ((document, level), from) in self.documents.iter_mut().zip(&mut self.levels).zip(rest) {
                    (*document, *level) = *from;
                }
                self.length = rest.len().min(BLOCK);
                self.taken += self.length;
            }
            List::Packed { bytes, count } => {
                self.length = (*count as usize).min(BLOCK);
                let levels = unpack(bytes, self.length, &mut self.before, &mut self.documents);
                match (levels, self.levels.get_mut(..self.length)) {
                    (Some(levels), Some(to)) => to.copy_from_slice(levels),
                    _ => self.length = 0,
                }
                *count -= u32::try_from(self.length).unwrap_or(*count);
            }
        }
    }
}

/// Reads a block; answers its levels. `None` when the bytes are not one.
fn unpack<'a>(bytes: &mut &'a [u8], length: usize, before: &mut u32, documents: &mut [u32; BLOCK]) -> Option<&'a [u8]> {
    let (width, rest) = bytes.split_first()?;
    let (steps, rest) = rest.split_at_checked(length * usize::from(*width))?;
    let (levels, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    let mut document = *before;
    let mut to = documents.iter_mut();
    let mut put = |step: u32| {
        document = document.wrapping_add(step);
        if let Some(to) = to.next() {
            *to = document;
        }
    };
    match width {
        1 => steps.iter().for_each(|step| put(u32::from(*step))),
        2 => steps.as_chunks::<2>().0.iter().for_each(|step| put(u32::from(u16::from_le_bytes(*step)))),
        3 => steps.as_chunks::<3>().0.iter().for_each(|[a, b, c]| put(u32::from_le_bytes([*a, *b, *c, 0]))),
        4 => steps.as_chunks::<4>().0.iter().for_each(|step| put(u32::from_le_bytes(*step))),
        _ => return None,
    }
    *before = document;
    Some(levels)
}

/// Adds a list to the bytes. Documents rise.
pub fn pack(list: &[(u32, u8)], bytes: &mut Vec<u8>) {
    let mut before = 0;
    for block in list.chunks(BLOCK) {
        let mut widest = 0;
        let mut from = before;
        for (document, _) in block {
            widest |= document - from;
            from = *document;
        }
        let width = (4 - widest.leading_zeros() as usize / 8).max(1);
        bytes.push(u8::try_from(width).unwrap_or(4));
        for (document, _) in block {
            bytes.extend((document - before).to_le_bytes().iter().take(width));
            before = *document;
        }
        bytes.extend(block.iter().map(|(_, level)| *level));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(list: List<'_>) -> Vec<(u32, u8)> {
        let mut found = Vec::new();
        list.each(|document, level| found.push((document, level)));
        found
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(steps in prop::collection::vec((prop_oneof![0..3u32, 0..300u32, 0..70_000u32, 0..9_000_000u32], 1..=255u8), 0..400), windows in 1..5000u32) {
            let mut document = 0u32;
            let list: Vec<_> = steps.iter().map(|(step, level)| { document += step + 1; (document - 1, *level) }).collect();
            let mut bytes = Vec::new();
            pack(&list, &mut bytes);
            let packed = List::Packed { bytes: &bytes, count: u32::try_from(list.len()).unwrap() };
            prop_assert_eq!(&read(packed.clone()), &list);
            prop_assert_eq!(&read(List::Plain(list.clone())), &list);
            // In windows.
            let (mut cursor, mut found) = (packed.cursor(), Vec::new());
            while cursor.next() != NONE {
                let (first, end) = (cursor.next(), cursor.next().saturating_add(windows));
                cursor.until(end, &mut |document, level| { assert!((first..end).contains(&document)); found.push((document, level)); });
            }
            prop_assert_eq!(&found, &list);
        }

        #[test]
        fn damaged_bytes_end_a_list(bytes in prop::collection::vec(any::<u8>(), 0..600), count in 0..500u32) {
            let list = List::Packed { bytes: &bytes, count };
            prop_assert!(read(list).len() <= 500);
        }
    }
}

//! How a resting index lies in a file: numbers and lists of numbers, little-endian, each list with its length before it.
//!
//! Reading believes nothing: a length is held against what is left of the file before memory is taken for it, and what was read is
//! checked as a whole by [`Sum`] before it is used.

use std::io::{self, Read, Write};
use std::sync::Arc;

use super::bits::Bits;
use super::part::{Packed, Part};
use super::tags::{Column, Dictionary};
use super::{Facet, Frozen, Held, Tag};

/// Numbers go through a buffer of so many bytes.
const BUFFER: usize = 64 * 1024;

/// A checksum of 64 bits over everything that was written or read. Against accidents: one changed word always shows.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    lanes: [u64; 4],
    length: u64,
}

impl Default for Sum {
    fn default() -> Self {
        Self { lanes: [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0x2545_f491_4f6c_dd1d], length: 0 }
    }
}

impl Sum {
    /// The pieces matter: the same bytes in other pieces have another sum.
    pub fn add(&mut self, bytes: &[u8]) {
        const ODD: u64 = 0x9fb2_1c65_1e98_df25;
        self.length = self.length.wrapping_add(bytes.len() as u64);
        let (blocks, rest) = bytes.as_chunks::<32>();
        for block in blocks {
            for (lane, word) in self.lanes.iter_mut().zip(block.as_chunks::<8>().0) {
                *lane = (*lane ^ u64::from_le_bytes(*word)).wrapping_mul(ODD).rotate_left(31);
            }
        }
        for byte in rest {
            self.lanes[0] = (self.lanes[0] ^ u64::from(*byte)).wrapping_mul(ODD).rotate_left(31);
        }
    }

    pub fn value(&self) -> u64 {
        let mix = |sum: u64, lane: u64| (sum ^ lane).wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(27);
        self.lanes.into_iter().fold(self.length, mix)
    }
}

/// Writes, and keeps the sum.
pub struct Writer<W> {
    inner: W,
    pub sum: Sum,
}

impl<W: Write> Writer<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, sum: Sum::default() }
    }

    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.add(bytes);
        self.inner.write_all(bytes)
    }

    pub fn number(&mut self, number: u64) -> io::Result<()> {
        self.piece(&number.to_le_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.number(bytes.len() as u64)?;
        bytes.chunks(BUFFER).try_for_each(|piece| self.piece(piece))
    }

    fn words<const N: usize, T: Copy>(&mut self, words: &[T], to_bytes: impl Fn(T) -> [u8; N]) -> io::Result<()> {
        self.number(words.len() as u64)?;
        let mut buffer = Vec::with_capacity(BUFFER);
        for piece in words.chunks(BUFFER / N) {
            buffer.clear();
            buffer.extend(piece.iter().flat_map(|word| to_bytes(*word)));
            self.piece(&buffer)?;
        }
        Ok(())
    }

    fn small(&mut self, words: &[u32]) -> io::Result<()> {
        self.words(words, u32::to_le_bytes)
    }

    /// The end: the sum of all before, and the writer that it went to.
    pub fn finish(mut self) -> io::Result<W> {
        let sum = self.sum.value();
        self.inner.write_all(&sum.to_le_bytes())?;
        Ok(self.inner)
    }

    pub fn index(&mut self, index: &Frozen) -> io::Result<()> {
        let tags = index.dictionary.tags();
        self.number(tags.len() as u64)?;
        for tag in tags {
            self.number(tag.facet.0.into())?;
            self.bytes(tag.value.as_bytes())?;
        }
        let packed: Vec<_> = index.parts.iter().filter_map(packed).collect();
        self.number(packed.len() as u64)?;
        for (part, dead) in packed {
            self.part(part)?;
            let dead: Vec<u32> = dead.iter().collect();
            self.small(&dead)?;
        }
        Ok(())
    }

    fn part(&mut self, part: &Packed) -> io::Result<()> {
        self.small(&part.keys)?;
        self.number(part.columns.len() as u64)?;
        for column in &part.columns {
            self.number(column.facet.into())?;
            for words in [&column.of, &column.starts, &column.tags] {
                self.small(words)?;
            }
        }
        self.bytes(&part.text)?;
        self.small(&part.text_starts)?;
        self.small(&part.counts)?;
        self.words(&part.list_starts, u64::to_le_bytes)?;
        self.bytes(&part.lists)
    }
}

fn packed(held: &Held) -> Option<(&Packed, &Bits)> {
    match &*held.part {
        Part::Packed(packed) => Some((packed, &held.dead)),
        Part::Memory(_) => None,
    }
}

/// Reads, and keeps the sum.
pub struct Reader<R> {
    inner: R,
    /// Bytes that the file still has.
    left: u64,
    pub sum: Sum,
}

impl<R: Read> Reader<R> {
    pub fn new(inner: R, length: u64) -> Self {
        Self { inner, left: length, sum: Sum::default() }
    }

    fn piece(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(too_short)?;
        self.inner.read_exact(bytes)?;
        self.sum.add(bytes);
        Ok(())
    }

    pub fn number(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.piece(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn length(&mut self, size: usize) -> io::Result<usize> {
        let length = usize::try_from(self.number()?).map_err(|_| too_short())?;
        let fits = length.checked_mul(size).is_some_and(|bytes| bytes as u64 <= self.left);
        if fits { Ok(length) } else { Err(too_short()) }
    }

    fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.length(1)?];
        bytes.chunks_mut(BUFFER).try_for_each(|piece| self.piece(piece))?;
        Ok(bytes)
    }

    fn words<const N: usize, T>(&mut self, from_bytes: impl Fn([u8; N]) -> T) -> io::Result<Vec<T>> {
        let length = self.length(N)?;
        let (mut words, mut buffer) = (Vec::with_capacity(length), vec![0; BUFFER]);
        while words.len() < length {
            let size = (length - words.len()).min(BUFFER / N) * N;
            let piece = buffer.get_mut(..size).unwrap_or_default();
            self.piece(piece)?;
            words.extend(piece.as_chunks::<N>().0.iter().map(|word| from_bytes(*word)));
        }
        Ok(words)
    }

    fn facet(&mut self) -> io::Result<u8> {
        u8::try_from(self.number()?).map_err(|_| too_short())
    }

    fn small(&mut self) -> io::Result<Vec<u32>> {
        self.words(u32::from_le_bytes)
    }

    /// The end: is the sum of all before what it was when it was written, and is nothing left?
    pub fn finish(mut self) -> io::Result<()> {
        let sum = self.sum.value();
        if self.number()? == sum && self.left == 0 {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"))
        }
    }

    /// To be used only after [`Reader::finish`].
    pub fn index(&mut self) -> io::Result<Frozen> {
        let mut dictionary = Dictionary::default();
        for _ in 0..self.length(16)? {
            let facet = Facet(self.facet()?);
            let value = String::from_utf8(self.bytes()?).map_err(|_| too_short())?;
            dictionary.number(&Tag { facet, value });
        }
        let mut parts = Vec::new();
        for _ in 0..self.length(8)? {
            let part = Arc::new(Part::Packed(self.part()?));
            let mut dead = Bits::default();
            let documents = u32::try_from(part.keys().len()).unwrap_or(u32::MAX);
            self.small()?.into_iter().filter(|document| *document < documents).for_each(|document| dead.add(document));
            parts.push(Held { part, dead });
        }
        Ok(Frozen { dictionary, parts })
    }

    fn part(&mut self) -> io::Result<Packed> {
        let keys = self.small()?;
        let mut columns = Vec::new();
        for _ in 0..self.length(8)? {
            columns.push(Column { facet: self.facet()?, of: self.small()?, starts: self.small()?, tags: self.small()? });
        }
        Ok(Packed {
            keys,
            columns,
            text: self.bytes()?,
            text_starts: self.small()?,
            counts: self.small()?,
            list_starts: self.words(u64::from_le_bytes)?,
            lists: self.bytes()?,
        })
    }
}

fn too_short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is cut off or garbled")
}

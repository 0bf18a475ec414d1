//! Vectors in memory, to be compared with a question.
//!
//! There are two shelves with nothing in common: of all cases, and of those that customers see. So what a customer asks, and how long the
//! answer takes, tells nothing of the others.
//!
//! A vector is a signed byte for each dimension. A small shelf is compared byte by byte. On a large one that would mean to read
//! all of it; so each vector also has a signature, one bit for each dimension: on which side of the shelf's middle it lies. The signatures,
//! an eighth in size, are compared first, and then the vectors of the nearest.

use std::collections::HashMap;

use super::kernels::{self, LANE, Lane};
use super::{Shelf, Vector};

/// Up to here every vector is compared.
const SMALL: usize = 10_000;
/// Vectors that are compared on a large shelf: so many, and so many for each that is wanted.
const LEAST_COMPARED: usize = 2_000;
const COMPARED_FOR_EACH: usize = 20;
/// The largest number of a question's integers: their products with bytes, over 4096 dimensions, fit into 32 bits.
const QUESTION_MOST: f32 = 4095.0;

/// A vector as it is kept: each byte times `scale`.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub scale: f32,
    pub bytes: Vec<i8>,
}

impl Stored {
    pub fn of(vector: &Vector) -> Self {
        let largest = vector.0.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        let factor = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        Self { scale: largest / 127.0, bytes: vector.0.iter().map(|x| byte(x * factor)).collect() }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "scaled to fit")]
fn byte(x: f32) -> i8 {
    x.round() as i8
}

#[expect(clippy::cast_possible_truncation, reason = "scaled to fit")]
fn integer_of(x: f32) -> i16 {
    x.round() as i16
}

/// A question, ready to be compared with bytes.
struct Question<'a> {
    vector: &'a [f32],
    lanes: Vec<Lane>,
    scale: f32,
}

impl<'a> Question<'a> {
    fn of(vector: &'a Vector) -> Self {
        let largest = vector.0.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        let factor = if largest > 0.0 { QUESTION_MOST / largest } else { 0.0 };
        let mut lanes = vec![Lane::default(); vector.0.len().div_ceil(LANE)];
        for (lane, chunk) in lanes.iter_mut().zip(vector.0.chunks(LANE)) {
            lane.0.iter_mut().zip(chunk).for_each(|(integer, x)| *integer = integer_of(x * factor));
        }
        Self { vector: &vector.0, lanes, scale: largest / QUESTION_MOST }
    }
}

#[derive(Debug)]
pub struct Shelves {
    all: Vectors,
    published: Vectors,
}

impl Shelves {
    pub fn new(dimensions: usize) -> Self {
        Self { all: Vectors::new(dimensions), published: Vectors::new(dimensions) }
    }

    /// Puts a case's vector in the place of the one it had. One of another size is left out.
    pub fn put(&mut self, number: u32, is_published: bool, vector: &Stored) {
        if vector.bytes.len() != self.all.dimensions {
            return self.remove(number);
        }
        self.all.put(number, vector);
        if is_published { self.published.put(number, vector) } else { self.published.remove(number) }
    }

    pub fn remove(&mut self, number: u32) {
        self.all.remove(number);
        self.published.remove(number);
    }

    pub fn len(&self) -> usize {
        self.all.numbers.len()
    }

    pub fn nearest(&self, shelf: Shelf, question: &Vector, want: usize) -> Vec<(u32, f32)> {
        let shelf = match shelf {
            Shelf::All => &self.all,
            Shelf::Published => &self.published,
        };
        if question.0.len() == shelf.dimensions { shelf.nearest(&Question::of(question), want) } else { Vec::new() }
    }

    pub fn similarity(&self, number: u32, question: &Vector) -> Option<f32> {
        let place = *self.all.places.get(&number)?;
        (question.0.len() == self.all.dimensions).then(|| self.all.cosine(place, &Question::of(question)))
    }
}

#[derive(Debug)]
struct Vectors {
    dimensions: usize,
    numbers: Vec<u32>,
    scales: Vec<f32>,
    bytes: Vec<i8>,
    places: HashMap<u32, usize>,
    signatures: Vec<u64>,
    middle: Vec<f32>,
    /// How many vectors there were when the middle was found; 0 when the shelf is small and has no signatures.
    middle_of: usize,
}

impl Vectors {
    fn new(dimensions: usize) -> Self {
        Self {
            dimensions,
            numbers: Vec::new(),
            scales: Vec::new(),
            bytes: Vec::new(),
            places: HashMap::new(),
            signatures: Vec::new(),
            middle: Vec::new(),
            middle_of: 0,
        }
    }

    const fn words(&self) -> usize {
        self.dimensions.div_ceil(64)
    }

    fn put(&mut self, number: u32, vector: &Stored) {
        let place = *self.places.entry(number).or_insert(self.numbers.len());
        if place == self.numbers.len() {
            self.numbers.push(number);
            self.scales.push(0.0);
            self.bytes.resize(self.bytes.len() + self.dimensions, 0);
            if self.middle_of > 0 {
                self.signatures.resize(self.signatures.len() + self.words(), 0);
            }
        }
        self.scales[place] = vector.scale;
        self.bytes[place * self.dimensions..][..self.dimensions].copy_from_slice(&vector.bytes);
        if self.numbers.len() > SMALL && self.numbers.len() >= 2 * self.middle_of {
            self.find_middle();
        } else if self.middle_of > 0 {
            self.sign(place);
        }
    }

    /// The last one moves into its place.
    fn remove(&mut self, number: u32) {
        let Some(place) = self.places.remove(&number) else { return };
        let (dimensions, words, last) = (self.dimensions, self.words(), self.numbers.len() - 1);
        self.numbers.swap_remove(place);
        self.scales.swap_remove(place);
        self.bytes.copy_within(last * dimensions.., place * dimensions);
        self.bytes.truncate(last * dimensions);
        if self.middle_of > 0 {
            self.signatures.copy_within(last * words.., place * words);
            self.signatures.truncate(last * words);
        }
        if let Some(moved) = self.numbers.get(place) {
            self.places.insert(*moved, place);
        }
    }

    fn vector(&self, place: usize) -> &[i8] {
        &self.bytes[place * self.dimensions..][..self.dimensions]
    }

    /// The middle of all vectors, again whenever their number has doubled: vectors of one model lie to one side, and bits that all have
    /// tell nothing.
    fn find_middle(&mut self) {
        let mut middle = vec![0.0; self.dimensions];
        for place in 0..self.numbers.len() {
            let scale = self.scales[place];
            middle.iter_mut().zip(self.vector(place)).for_each(|(sum, byte)| *sum += f32::from(*byte) * scale);
        }
        for sum in &mut middle {
            *sum /= self.numbers.len() as f32;
        }
        self.middle = middle;
        self.middle_of = self.numbers.len();
        self.signatures = vec![0; self.numbers.len() * self.words()];
        for place in 0..self.numbers.len() {
            self.sign(place);
        }
    }

    fn sign(&mut self, place: usize) {
        let scale = self.scales[place];
        let signature = signature(self.vector(place).iter().map(|byte| f32::from(*byte) * scale), &self.middle);
        let words = self.words();
        self.signatures[place * words..][..words].copy_from_slice(&signature);
    }

    fn cosine(&self, place: usize, question: &Question<'_>) -> f32 {
        kernels::byte_product(&question.lanes, self.vector(place)) as f32 * self.scales[place] * question.scale
    }

    fn nearest(&self, question: &Question<'_>, want: usize) -> Vec<(u32, f32)> {
        let compared = LEAST_COMPARED.max(want.saturating_mul(COMPARED_FOR_EACH));
        let mut found: Vec<(u32, f32)> = if self.middle_of == 0 || compared >= self.numbers.len() {
            (0..self.numbers.len()).map(|place| (self.numbers[place], self.cosine(place, question))).collect()
        } else {
            self.likely(question, compared).map(|place| (self.numbers[place], self.cosine(place, question))).collect()
        };
        let better = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0));
        if want > 0 && want < found.len() {
            found.select_nth_unstable_by(want - 1, better);
        }
        found.truncate(want);
        found.sort_unstable_by(better);
        found
    }

    /// About so many places, by signature.
    fn likely(&self, question: &Question<'_>, most: usize) -> impl Iterator<Item = usize> {
        let asked = signature(question.vector.iter().copied(), &self.middle);
        let mut differences = Vec::with_capacity(self.numbers.len());
        kernels::differences(&self.signatures, &asked, &mut differences);
        let mut counts = vec![0; asked.len() * 64 + 1];
        for difference in &differences {
            counts[*difference as usize] += 1;
        }
        let mut so_far = 0;
        let enough = counts.iter().position(|count: &usize| {
            so_far += count;
            so_far >= most
        });
        let limit = enough.map_or(u32::MAX, |limit| u32::try_from(limit).unwrap_or(u32::MAX));
        differences.into_iter().enumerate().filter(move |(_, difference)| *difference <= limit).map(|(place, _)| place)
    }
}

/// A bit for each dimension: above the middle or not.
fn signature(vector: impl Iterator<Item = f32>, middle: &[f32]) -> Vec<u64> {
    let mut words = vec![0; middle.len().div_ceil(64)];
    for (at, (x, middle)) in vector.zip(middle).enumerate() {
        words[at / 64] |= u64::from(x > *middle) << (at % 64);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meaning::model::unit;

    fn vector(seed: u32, dimensions: usize) -> Vector {
        let mut state = u64::from(seed) * 2 + 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f32::from(state.to_le_bytes()[7].cast_signed()) / 128.0
        };
        // All to one side, as the vectors of a model are.
        for _ in 0..4 {
            next();
        }
        Vector(unit(&(0..dimensions).map(|at| next() + if at % 3 == 0 { 2.0 } else { 0.0 }).collect::<Vec<_>>()))
    }

    fn between(a: &Vector, b: &Vector) -> Vector {
        Vector(unit(&a.0.iter().zip(&b.0).map(|(a, b)| a * 3.0 + b).collect::<Vec<_>>()))
    }

    #[test]
    fn the_nearest_come_first_and_shelves_are_apart() {
        let mut shelves = Shelves::new(40);
        for number in 1..=50 {
            shelves.put(number, number % 2 == 0, &Stored::of(&vector(number, 40)));
        }
        let question = between(&vector(7, 40), &vector(8, 40));
        let all = shelves.nearest(Shelf::All, &question, 5);
        assert_eq!((all.len(), all[0].0), (5, 7));
        assert!(all.is_sorted_by(|a, b| a.1 >= b.1));
        let exact: f32 = question.0.iter().zip(&vector(7, 40).0).map(|(a, b)| a * b).sum();
        assert!((all[0].1 - exact).abs() < 0.01, "{} is {exact}", all[0].1);
        assert_eq!(shelves.similarity(7, &question), Some(all[0].1));
        let published = shelves.nearest(Shelf::Published, &question, 50);
        assert!(published.len() == 25 && published.iter().all(|(number, _)| number % 2 == 0));
        assert_eq!(shelves.nearest(Shelf::All, &question, 0), []);
        assert_eq!(shelves.nearest(Shelf::All, &vector(1, 41), 5), [], "a vector of another model");
    }

    #[test]
    fn what_is_taken_away_or_back_is_gone() {
        let mut shelves = Shelves::new(40);
        (1..=9).for_each(|number| shelves.put(number, true, &Stored::of(&vector(number, 40))));
        shelves.put(3, false, &Stored::of(&vector(3, 40)));
        shelves.remove(5);
        shelves.remove(5);
        shelves.put(9, true, &Stored::of(&vector(77, 40)));
        shelves.put(8, true, &Stored::of(&vector(8, 41)));
        let numbers = |shelf| {
            let mut found: Vec<u32> = shelves.nearest(shelf, &vector(77, 40), 99).into_iter().map(|(number, _)| number).collect();
            assert_eq!(found[0], 9);
            found.sort_unstable();
            found
        };
        assert_eq!(numbers(Shelf::All), [1, 2, 3, 4, 6, 7, 9]);
        assert_eq!(numbers(Shelf::Published), [1, 2, 4, 6, 7, 9]);
        assert!(shelves.similarity(5, &vector(5, 40)).is_none() && shelves.similarity(4, &vector(4, 40)).is_some_and(|near| near > 0.99));
    }

    #[test]
    fn a_large_shelf_finds_what_a_small_one_would() {
        let count = u32::try_from(SMALL).unwrap() * 2 + 500;
        let mut shelves = Shelves::new(64);
        (1..=count).for_each(|number| shelves.put(number, false, &Stored::of(&vector(number, 64))));
        assert!(shelves.all.middle_of > SMALL && shelves.published.numbers.is_empty());
        (1..=400).for_each(|number| shelves.remove(number));
        assert_eq!(shelves.len(), count as usize - 400);
        for number in [401, 999, count] {
            let question = between(&vector(number, 64), &vector(number + 1, 64));
            assert_eq!(shelves.nearest(Shelf::All, &question, 3)[0].0, number);
        }
        assert!(shelves.nearest(Shelf::All, &vector(7, 64), 3).iter().all(|(number, _)| *number > 400));
    }
}

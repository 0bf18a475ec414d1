//! The same loops with AVX2: the only unsafe code of the workspace.

#![expect(
    unsafe_code,
    reason = "instructions that the compiler does not find by itself, checked for at run time; measured: less than half of the time"
)]

use std::arch::x86_64::{
    __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_shuffle_epi32, _mm256_add_epi32, _mm256_castsi256_si128,
    _mm256_cvtepi8_epi16, _mm256_extracti128_si256, _mm256_load_si256, _mm256_madd_epi16, _mm256_setzero_si256,
};

use super::{CHUNK_LANES, LANE, Lane, Rows, Sums, TILE_ROWS, TILE_TOKENS, Tokens, byte_products, count_differences, in_tiles};

/// Proof that the processor has the instructions: there is no other way to make one.
#[derive(Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    pub fn here() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")).then_some(Self(()))
    }

    pub fn products(self, weights: &[Lane], tokens: &[Lane], width: usize, put: impl FnMut(usize, usize, f32)) {
        let Self(()) = self;
        // SAFETY: whoever has `self` has AVX2.
        unsafe { products(weights, tokens, width, put) }
    }

    pub fn differences(self, signatures: &[u64], question: &[u64], out: &mut Vec<u32>) {
        let Self(()) = self;
        // SAFETY: whoever has `self` has AVX2 and POPCNT.
        unsafe { differences(signatures, question, out) }
    }

    pub fn byte_product(self, question: &[Lane], vector: &[i8]) -> i32 {
        let Self(()) = self;
        // SAFETY: whoever has `self` has AVX2.
        unsafe { byte_product(question, vector) }
    }
}

#[target_feature(enable = "avx2")]
fn products(weights: &[Lane], tokens: &[Lane], width: usize, put: impl FnMut(usize, usize, f32)) {
    in_tiles(weights, tokens, width, |rows, tokens| tile(rows, tokens, width), put);
}

#[target_feature(enable = "avx2")]
fn tile(rows: Rows<'_>, tokens: Tokens<'_>, width: usize) -> Sums {
    let mut sums = [[0.0; TILE_TOKENS]; TILE_ROWS];
    for start in (0..width).step_by(CHUNK_LANES) {
        let end = width.min(start + CHUNK_LANES);
        // One by one, in slices of one length: closures would not be part of this function, and their numbers go through memory.
        let (row_0, row_1) = (&rows[0][start..end], &rows[1][start..end]);
        let (token_0, token_1) = (&tokens[0][start..end], &tokens[1][start..end]);
        let (token_2, token_3) = (&tokens[2][start..end], &tokens[3][start..end]);
        let mut chunk = [[_mm256_setzero_si256(); TILE_TOKENS]; TILE_ROWS];
        for at in 0..end - start {
            let rows = [load(&row_0[at]), load(&row_1[at])];
            let tokens = [load(&token_0[at]), load(&token_1[at]), load(&token_2[at]), load(&token_3[at])];
            for row in 0..TILE_ROWS {
                for token in 0..TILE_TOKENS {
                    chunk[row][token] = _mm256_add_epi32(chunk[row][token], _mm256_madd_epi16(rows[row], tokens[token]));
                }
            }
        }
        for row in 0..TILE_ROWS {
            for token in 0..TILE_TOKENS {
                sums[row][token] += total(chunk[row][token]) as f32;
            }
        }
    }
    sums
}

#[target_feature(enable = "avx2")]
fn load(lane: &Lane) -> __m256i {
    // SAFETY: a lane is 32 bytes, at a multiple of 32.
    unsafe { _mm256_load_si256(lane.0.as_ptr().cast()) }
}

/// The sum of eight integers.
#[target_feature(enable = "avx2")]
fn total(numbers: __m256i) -> i32 {
    let four = _mm_add_epi32(_mm256_castsi256_si128(numbers), _mm256_extracti128_si256::<1>(numbers));
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two)))
}

#[target_feature(enable = "avx2,popcnt")]
fn differences(signatures: &[u64], question: &[u64], out: &mut Vec<u32>) {
    count_differences(signatures, question, out);
}

#[target_feature(enable = "avx2")]
fn byte_product(question: &[Lane], vector: &[i8]) -> i32 {
    let (whole, rest) = vector.as_chunks::<LANE>();
    let mut sum = _mm256_setzero_si256();
    for (lane, bytes) in question.iter().zip(whole) {
        // SAFETY: the chunk is 16 bytes, and this load takes them from any address.
        let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(load(lane), _mm256_cvtepi8_epi16(bytes)));
    }
    total(sum) + byte_products(question.get(whole.len()..).unwrap_or_default(), rest)
}

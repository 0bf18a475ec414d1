//! The loops that take the time: products of matrices, and going through all vectors of a shelf.
//!
//! Each is here twice: in plain Rust, and with the instructions of AVX2, which is taken where the processor has them. Plain loops over
//! 16-bit integers use half of what even an old processor can do, since compilers don't find its instruction for pairs of products.
//! Measured: 16 tokens through the matrices of multilingual-e5-small take 11 ms with AVX2 and 39 ms without (a Xeon of 2023, one thread, others
//! at work on its sibling).

#[cfg(target_arch = "x86_64")]
mod avx2;

/// Numbers that are multiplied at once.
pub const LANE: usize = 16;
/// Products that are summed as integers before the sum becomes a float.
pub const CHUNK: usize = 384;
const CHUNK_LANES: usize = CHUNK / LANE;
/// Rows and tokens whose products are computed together, so that what is loaded is used more than once.
pub const TILE_ROWS: usize = 2;
pub const TILE_TOKENS: usize = 4;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(align(32))]
pub struct Lane(pub [i16; LANE]);

type Rows<'a> = [&'a [Lane]; TILE_ROWS];
type Tokens<'a> = [&'a [Lane]; TILE_TOKENS];
type Sums = [[f32; TILE_TOKENS]; TILE_ROWS];

/// The product of every row with every token, each of `width` lanes. Their numbers are multiples of a tile's; a remainder is left out.
/// `put` gets row, token and the sum. The sum of any [`CHUNK`] products must fit into 32 bits.
pub fn products(weights: &[Lane], tokens: &[Lane], width: usize, put: impl FnMut(usize, usize, f32)) {
    #[cfg(target_arch = "x86_64")]
    if let Some(fast) = avx2::Avx2::here() {
        return fast.products(weights, tokens, width, put);
    }
    in_tiles(weights, tokens, width, tile, put);
}

#[expect(clippy::inline_always, reason = "it has to become a part of the function that has the instructions")]
#[inline(always)]
fn in_tiles(
    weights: &[Lane],
    tokens: &[Lane],
    width: usize,
    tile: impl Fn(Rows<'_>, Tokens<'_>) -> Sums,
    mut put: impl FnMut(usize, usize, f32),
) {
    for (row, rows) in (0..).step_by(TILE_ROWS).zip(weights.chunks_exact(width * TILE_ROWS)) {
        let rows: Rows<'_> = std::array::from_fn(|at| &rows[at * width..(at + 1) * width]);
        for (token, tokens) in (0..).step_by(TILE_TOKENS).zip(tokens.chunks_exact(width * TILE_TOKENS)) {
            let sums = tile(rows, std::array::from_fn(|at| &tokens[at * width..(at + 1) * width]));
            for (row, sums) in (row..).zip(sums) {
                for (token, sum) in (token..).zip(sums) {
                    put(row, token, sum);
                }
            }
        }
    }
}

fn tile(rows: Rows<'_>, tokens: Tokens<'_>) -> Sums {
    rows.map(|row| tokens.map(|token| row.chunks(CHUNK_LANES).zip(token.chunks(CHUNK_LANES)).map(|(a, b)| chunk(a, b) as f32).sum()))
}

fn chunk(a: &[Lane], b: &[Lane]) -> i32 {
    let (a, b) = (a.iter().flat_map(|lane| lane.0.as_chunks::<2>().0), b.iter().flat_map(|lane| lane.0.as_chunks::<2>().0));
    // Two products at a time is the shape that compilers know an instruction for.
    let pair = |(a, b): (&[i16; 2], &[i16; 2])| (i32::from(a[0]) * i32::from(b[0])).wrapping_add(i32::from(a[1]) * i32::from(b[1]));
    a.zip(b).map(pair).fold(0, i32::wrapping_add)
}

/// The product of two vectors.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for at in 0..8 {
            sums[at] += a[at] * b[at];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// How many bits differ between the question's signature and each of the others, appended to `out`.
pub fn differences(signatures: &[u64], question: &[u64], out: &mut Vec<u32>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(fast) = avx2::Avx2::here() {
        return fast.differences(signatures, question, out);
    }
    count_differences(signatures, question, out);
}

#[expect(clippy::inline_always, reason = "it has to become a part of the function that has the instructions")]
#[inline(always)]
fn count_differences(signatures: &[u64], question: &[u64], out: &mut Vec<u32>) {
    let differ = |signature: &[u64]| signature.iter().zip(question).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
    out.extend(signatures.chunks_exact(question.len()).map(differ));
}

/// The product of a question, as lanes, with a vector of bytes of the same length or shorter by less than a lane.
pub fn byte_product(question: &[Lane], vector: &[i8]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    if let Some(fast) = avx2::Avx2::here() {
        return fast.byte_product(question, vector);
    }
    byte_products(question, vector)
}

fn byte_products(question: &[Lane], vector: &[i8]) -> i32 {
    let lane = |(lane, bytes): (&Lane, &[i8])| lane.0.iter().zip(bytes).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>();
    question.iter().zip(vector.chunks(LANE)).map(lane).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look like chance, the same every time.
    fn chance(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 24
        }
    }

    fn lanes(count: usize, most: i16, next: &mut impl FnMut() -> u64) -> Vec<Lane> {
        let span = u64::from(most.unsigned_abs()) * 2 + 1;
        let number = |next: &mut dyn FnMut() -> u64| i16::try_from(next() % span).unwrap() - most;
        (0..count).map(|_| Lane(std::array::from_fn(|_| number(next)))).collect()
    }

    #[test]
    fn both_ways_of_a_product_agree() {
        let mut next = chance(7);
        for width in [1, 2, 23, 24, 25, 96] {
            let (weights, tokens) = (lanes(width * 6, 1023, &mut next), lanes(width * 8, 4095, &mut next));
            let (mut plain, mut taken) = (Vec::new(), Vec::new());
            in_tiles(&weights, &tokens, width, tile, |row, token, sum| plain.push((row, token, sum)));
            products(&weights, &tokens, width, |row, token, sum| taken.push((row, token, sum)));
            assert_eq!(plain.len(), 6 * 8);
            assert_eq!(plain, taken, "{width} lanes");
        }
    }

    #[test]
    fn the_largest_numbers_fit() {
        let (weights, tokens) = (vec![Lane([-1023; LANE]); 2 * 96], vec![Lane([4095; LANE]); 4 * 96]);
        let least = (-1023.0f32 * 4095.0 * 384.0 * 4.0).to_bits();
        products(&weights, &tokens, 96, |_, _, sum| assert_eq!(sum.to_bits(), least));
        in_tiles(&weights, &tokens, 96, tile, |_, _, sum| assert_eq!(sum.to_bits(), least));
    }

    #[test]
    fn both_ways_through_a_shelf_agree() {
        let mut next = chance(9);
        let signatures: Vec<u64> = (0..6 * 50).map(|_| next() << 20 ^ next()).collect();
        let question: Vec<u64> = (0..6).map(|_| next()).collect();
        let (mut plain, mut taken) = (Vec::new(), Vec::new());
        count_differences(&signatures, &question, &mut plain);
        differences(&signatures, &question, &mut taken);
        assert_eq!((plain.len(), &plain), (50, &taken));
        for bytes in [16usize, 48, 384, 40] {
            let question = lanes(bytes.div_ceil(LANE), 4095, &mut next);
            let vector: Vec<i8> = (0..bytes).map(|_| u8::try_from(next() % 255).unwrap().cast_signed()).collect();
            assert_eq!(byte_products(&question, &vector), byte_product(&question, &vector), "{bytes} bytes");
        }
    }

    #[test]
    fn a_product_of_floats() {
        let a: Vec<f32> = (0..19u8).map(f32::from).collect();
        assert_eq!(dot(&a, &a).to_bits(), 2109.0f32.to_bits());
    }
}

//! The encoder's layers: attention, then a feed-forward net, each added to what came in and brought to scale.
//!
//! Weights and what flows through them meet as 16-bit integers. Each row of weights is scaled to [`WEIGHT_MOST`] and each token's vector to
//! [`TOKEN_MOST`], which leaves the sum of [`kernels::CHUNK`] products within 32 bits whatever they are; both keep far more than the four bits
//! that the weights have.

use super::Error;
use super::file::{self, Image};
use crate::meaning::kernels::{self, LANE, Lane, TILE_ROWS, TILE_TOKENS};

const WEIGHT_MOST: u16 = 1023;
const TOKEN_MOST: u16 = 4095;
const _: () = assert!(WEIGHT_MOST as usize * TOKEN_MOST as usize * kernels::CHUNK <= i32::MAX as usize);
/// Tokens that go through a matrix at once: what they need fits into the processor's first cache.
const TOKENS_AT_ONCE: usize = 32;

#[derive(Debug)]
pub struct Encoder {
    pub hidden: usize,
    pub positions: usize,
    heads: usize,
    epsilon: f32,
    /// One vector for each place in a text, with what is added everywhere.
    places: Vec<f32>,
    words_norm: Norm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    /// Questions, keys and values, one after the other.
    attend: Matrix,
    merge: Matrix,
    attend_norm: Norm,
    widen: Matrix,
    narrow: Matrix,
    feed_norm: Norm,
}

#[derive(Debug)]
struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Encoder {
    pub fn new(image: &Image<'_>) -> Result<Self, Error> {
        let shape = image.shape;
        let mut places = image.floats("emb.pos", shape.positions * shape.hidden)?;
        let everywhere = image.tensor("emb.type").and_then(|tensor| image.floats("emb.type", tensor.bytes / 4))?;
        for place in places.chunks_mut(shape.hidden) {
            add(place, &everywhere);
        }
        Ok(Self {
            hidden: shape.hidden,
            positions: shape.positions,
            heads: shape.heads,
            epsilon: shape.epsilon,
            places,
            words_norm: Norm::new(image, "emb.ln")?,
            layers: (0..shape.layers).map(|number| Layer::new(image, number)).collect::<Result<_, _>>()?,
        })
    }

    /// From word vectors to the mean of what they became.
    pub fn mean(&self, mut tokens: Vec<f32>) -> Vec<f32> {
        add(&mut tokens, &self.places);
        self.words_norm.apply(&mut tokens, self.epsilon);
        for layer in &self.layers {
            layer.apply(&mut tokens, self.hidden, self.heads, self.epsilon);
        }
        let mut mean = vec![0.0; self.hidden];
        tokens.chunks(self.hidden).for_each(|token| add(&mut mean, token));
        let count = (tokens.len() / self.hidden).max(1) as f32;
        for x in &mut mean {
            *x /= count;
        }
        mean
    }
}

impl Layer {
    fn new(image: &Image<'_>, number: usize) -> Result<Self, Error> {
        let (hidden, inner) = (image.shape.hidden, image.shape.inner);
        let matrix = |names: &[&str], rows, columns| {
            let names: Vec<String> = names.iter().map(|name| format!("l{number}.{name}")).collect();
            Matrix::new(image, &names, rows, columns)
        };
        Ok(Self {
            attend: matrix(&["q", "k", "v"], hidden, hidden)?,
            merge: matrix(&["ao"], hidden, hidden)?,
            attend_norm: Norm::new(image, &format!("l{number}.aln"))?,
            widen: matrix(&["fi"], inner, hidden)?,
            narrow: matrix(&["fo"], hidden, inner)?,
            feed_norm: Norm::new(image, &format!("l{number}.oln"))?,
        })
    }

    fn apply(&self, tokens: &mut [f32], hidden: usize, heads: usize, epsilon: f32) {
        let seen = attention(&self.attend.times(tokens), hidden, heads);
        add(tokens, &self.merge.times(&seen));
        self.attend_norm.apply(tokens, epsilon);
        let mut wide = self.widen.times(tokens);
        for x in &mut wide {
            *x = gelu(*x);
        }
        add(tokens, &self.narrow.times(&wide));
        self.feed_norm.apply(tokens, epsilon);
    }
}

impl Norm {
    fn new(image: &Image<'_>, name: &str) -> Result<Self, Error> {
        let hidden = image.shape.hidden;
        Ok(Self { weight: image.floats(&format!("{name}.w"), hidden)?, bias: image.floats(&format!("{name}.b"), hidden)? })
    }

    /// Brings every token's vector to mean 0 and variance 1, then to the scale that was learned.
    fn apply(&self, tokens: &mut [f32], epsilon: f32) {
        for token in tokens.chunks_mut(self.weight.len()) {
            let count = token.len() as f32;
            let mean = token.iter().sum::<f32>() / count;
            for x in token.iter_mut() {
                *x -= mean;
            }
            let scale = (kernels::dot(token, token) / count + epsilon).sqrt().recip();
            for ((x, weight), bias) in token.iter_mut().zip(&self.weight).zip(&self.bias) {
                *x = *x * scale * weight + bias;
            }
        }
    }
}

fn add(to: &mut [f32], what: &[f32]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += what);
}

/// Every token takes from all of them, by how well its question fits their keys. `asked` has questions, keys and values of a token in a row.
fn attention(asked: &[f32], hidden: usize, heads: usize) -> Vec<f32> {
    let (width, row) = (hidden / heads, hidden * 3);
    let scale = (width as f32).sqrt().recip();
    let mut seen = vec![0.0; asked.len() / 3];
    let mut shares = Vec::new();
    for (token, out) in asked.chunks(row).zip(seen.chunks_mut(hidden)) {
        for (head, out) in out.chunks_mut(width).enumerate() {
            let at = head * width;
            let question = &token[at..at + width];
            shares.clear();
            shares.extend(asked.chunks(row).map(|other| kernels::dot(question, &other[hidden + at..hidden + at + width]) * scale));
            soften(&mut shares);
            for (share, other) in shares.iter().zip(asked.chunks(row)) {
                let value = &other[2 * hidden + at..2 * hidden + at + width];
                out.iter_mut().zip(value).for_each(|(out, value)| *out += share * value);
            }
        }
    }
    seen
}

/// From scores to shares that sum to one.
fn soften(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for x in scores.iter_mut() {
        *x = (*x - most).exp();
    }
    let sum: f32 = scores.iter().sum();
    for x in scores.iter_mut() {
        *x /= sum;
    }
}

/// `x` times the share of a normal distribution that lies below it. The error function by Abramowitz and Stegun 7.1.28, good to 3e-7: without
/// branches or an exponential, so that several are computed at once.
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let series = [4.306_38e-5, 2.765_672e-4, 1.520_143e-4, 9.270_527e-3, 4.228_201e-2, 7.052_308e-2, 1.0];
    let sum = series.iter().fold(0.0, |sum: f32, term| sum * z + term);
    let sixteenth_power = (0..4).fold(sum, |power, _| power * power);
    let erf = 1.0 - sixteenth_power.recip();
    0.5 * x * (1.0 + erf.copysign(x))
}

/// Weights, a row for each number that comes out.
#[derive(Debug)]
struct Matrix {
    rows: usize,
    columns: usize,
    lanes: Vec<Lane>,
    scales: Vec<f32>,
    bias: Vec<f32>,
}

impl Matrix {
    /// Several tensors of the same columns, one below the other.
    fn new(image: &Image<'_>, names: &[String], rows: usize, columns: usize) -> Result<Self, Error> {
        let mut matrix = Self { rows: 0, columns, lanes: Vec::new(), scales: Vec::new(), bias: Vec::new() };
        for name in names {
            let mut weights = Vec::with_capacity(rows * columns);
            file::unpack(image.packed(&format!("{name}.w"), rows * columns)?, &mut weights);
            for row in weights.chunks(columns) {
                matrix.scales.push(integers(row, WEIGHT_MOST, &mut matrix.lanes));
            }
            matrix.bias.extend(image.floats(&format!("{name}.b"), rows)?);
            matrix.rows += rows;
        }
        Ok(matrix)
    }

    fn times(&self, tokens: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; tokens.len() / self.columns * self.rows];
        let per_token = self.columns.div_ceil(LANE);
        for (tokens, out) in tokens.chunks(self.columns * TOKENS_AT_ONCE).zip(out.chunks_mut(self.rows * TOKENS_AT_ONCE)) {
            let count = tokens.len() / self.columns;
            let mut lanes = Vec::with_capacity(count.next_multiple_of(TILE_TOKENS) * per_token);
            let scales: Vec<f32> = tokens.chunks(self.columns).map(|token| integers(token, TOKEN_MOST, &mut lanes)).collect();
            lanes.resize(count.next_multiple_of(TILE_TOKENS) * per_token, Lane::default());
            kernels::products(&self.lanes, &lanes, per_token, |row, token, sum| {
                if token < count {
                    out[token * self.rows + row] = sum * self.scales[row] * scales[token] + self.bias[row];
                }
            });
        }
        out
    }
}

const _: () = assert!(file::BLOCK_WEIGHTS.is_multiple_of(LANE) && file::BLOCK_WEIGHTS.is_multiple_of(TILE_ROWS));

/// Appends numbers as integers up to `most`; gives what one of them is worth.
#[expect(clippy::cast_possible_truncation, reason = "the lowest bits are what is wanted")]
fn integers(numbers: &[f32], most: u16, lanes: &mut Vec<Lane>) -> f32 {
    // What is added here pushes the fraction out of a float, rounded, and leaves the integer in its lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let most = f32::from(most);
    let largest = numbers.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    let factor = if largest > 0.0 { most / largest } else { 0.0 };
    lanes.extend(numbers.chunks(LANE).map(|chunk| {
        let mut lane = Lane::default();
        for (integer, x) in lane.0.iter_mut().zip(chunk) {
            *integer = (x * factor + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i16;
        }
        lane
    }));
    largest / most
}

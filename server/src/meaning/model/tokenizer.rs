//! From text to pieces, as SentencePiece's unigram model does it.
//!
//! Every character is normalised by the model's own table (NFKC, control characters out, any space a space), runs of spaces become one,
//! and a space is written `▁`, also at the beginning. Of all ways to cut the text into known pieces, the one with the highest sum of scores
//! is taken (Viterbi). What no piece covers is one unknown piece for each run, as SentencePiece has it.
//!
//! The table knows single characters; letters whose accents come as characters of their own are joined first (NFC), which the full tables
//! of SentencePiece do too.

use unicode_normalization::UnicodeNormalization;

use super::Error;
use super::file::{Image, Marks};

/// How a space is written.
const SPACE: char = '▁';
/// How much less an unknown character counts than the least of the known pieces.
const UNKNOWN_COSTS: f32 = 10.0;
/// In the table of pieces: nothing.
const EMPTY: u32 = u32::MAX;

#[derive(Debug)]
pub struct Tokenizer {
    pub begin: u32,
    pub end: u32,
    unknown: u32,
    unknown_score: f32,
    longest_bytes: usize,
    offsets: Vec<u32>,
    scores: Vec<f32>,
    text: Vec<u8>,
    /// Pieces by the hash of their text; a taken place means the next one. A power of two.
    places: Vec<u32>,
    replacements: Vec<(char, String)>,
}

/// The best way to a place in the text.
#[derive(Clone, Copy)]
struct Way {
    score: f32,
    piece: u32,
    from: usize,
}

impl Tokenizer {
    pub fn new(image: &Image<'_>) -> Result<Self, Error> {
        let Marks { begin, end, unknown } = image.marks;
        let (offsets, scores) = (image.offsets.clone(), image.scores.clone());
        if scores.iter().any(|score| !score.is_finite()) {
            return Err(Error::Damaged("a piece's score is no number"));
        }
        let least = scores.iter().copied().fold(0.0, f32::min);
        let longest_bytes = offsets.windows(2).map(|ends| (ends[1] - ends[0]) as usize).max().unwrap_or(0);
        let places = vec![EMPTY; (scores.len() * 2).next_power_of_two()];
        let mut tokenizer = Self {
            begin,
            end,
            unknown,
            unknown_score: least - UNKNOWN_COSTS,
            longest_bytes,
            offsets,
            scores,
            text: image.text.to_vec(),
            places,
            replacements: image.replacements.clone(),
        };
        // Marks have a score of zero, and a text that spells one like `</s>` means its letters.
        (0u32..).zip(&image.scores).filter(|(_, score)| **score < 0.0).for_each(|(piece, _)| tokenizer.place(piece));
        Ok(tokenizer)
    }

    fn place(&mut self, piece: u32) {
        let mut at = self.place_of(hash(START, self.text_of(piece)));
        while self.places[at] != EMPTY {
            at = (at + 1) & (self.places.len() - 1);
        }
        self.places[at] = piece;
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are what is wanted")]
    fn place_of(&self, hash: u64) -> usize {
        hash as usize & (self.places.len() - 1)
    }

    fn text_of(&self, piece: u32) -> &[u8] {
        let piece = piece as usize;
        &self.text[self.offsets[piece] as usize..self.offsets[piece + 1] as usize]
    }

    /// The piece with this text, whose hash is known.
    fn find(&self, text: &[u8], hash: u64) -> Option<u32> {
        let mut at = self.place_of(hash);
        while self.places[at] != EMPTY {
            if self.text_of(self.places[at]) == text {
                return Some(self.places[at]);
            }
            at = (at + 1) & (self.places.len() - 1);
        }
        None
    }

    pub fn pieces(&self, text: &str) -> Vec<u32> {
        let text = self.normal(text);
        let ends: Vec<usize> = text.char_indices().map(|(start, _)| start).chain([text.len()]).collect();
        let nowhere = Way { score: f32::NEG_INFINITY, piece: self.unknown, from: 0 };
        let mut ways = vec![nowhere; ends.len()];
        ways[0].score = 0.0;
        for from in 0..ends.len() - 1 {
            let so_far = ways[from].score;
            let mut seen = START;
            for to in from + 1..ends.len() {
                let piece = &text.as_bytes()[ends[from]..ends[to]];
                if piece.len() > self.longest_bytes {
                    break;
                }
                seen = hash(seen, &text.as_bytes()[ends[to - 1]..ends[to]]);
                if let Some(piece) = self.find(piece, seen) {
                    better(&mut ways[to], Way { score: so_far + self.scores[piece as usize], piece, from });
                }
            }
            better(&mut ways[from + 1], Way { score: so_far + self.unknown_score, piece: self.unknown, from });
        }
        let mut pieces = Vec::new();
        let mut at = ends.len() - 1;
        while at > 0 {
            pieces.push(ways[at].piece);
            at = ways[at].from;
        }
        pieces.reverse();
        pieces.dedup_by(|next, piece| *next == self.unknown && *piece == self.unknown);
        pieces
    }

    fn normal(&self, text: &str) -> String {
        let mut normal = String::with_capacity(text.len() + text.len() / 4 + 3);
        normal.push(SPACE);
        let mut push = |c: char| match c {
            ' ' if normal.ends_with(SPACE) => {}
            ' ' => normal.push(SPACE),
            c => normal.push(c),
        };
        for c in text.nfc() {
            match self.replacements.binary_search_by_key(&c, |(from, _)| *from) {
                Ok(found) => self.replacements[found].1.chars().for_each(&mut push),
                Err(_) => push(c),
            }
        }
        normal
    }
}

fn better(way: &mut Way, other: Way) {
    if other.score > way.score {
        *way = other;
    }
}

const START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, which goes on from what it has seen: the hash of a longer piece costs only its last character.
fn hash(seen: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seen, |seen, byte| (seen ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::super::tiny;
    use super::*;

    #[test]
    fn the_best_cut_wins() {
        let bytes = tiny::image(1);
        let tokenizer = Tokenizer::new(&Image::parse(&bytes).unwrap()).unwrap();
        let cut = |text: &str| -> Vec<String> {
            let word = |piece: u32| String::from_utf8_lossy(tokenizer.text_of(piece)).into_owned();
            tokenizer.pieces(text).into_iter().map(word).collect()
        };
        // The whole word is better than its letters, and letters better than nothing.
        assert_eq!(cut("query: fan"), ["▁query", ":", "▁fan"]);
        assert_eq!(cut("fans"), ["▁fan", "s"]);
        assert_eq!(cut("nfa"), ["▁", "n", "f", "a"]);
        // Full width, several spaces, other spaces.
        assert_eq!(cut("  ｆａｎ \t fan\u{1}"), ["▁fan", "▁fan"]);
        assert_eq!(cut("风扇风"), ["▁", "风扇", "风"]);
        // A run of what nobody knows is one piece; what looks like a mark is text.
        assert_eq!(cut("龘龘 fan"), ["▁", "<unk>", "▁fan"]);
        assert_eq!(tokenizer.pieces("</s>").iter().filter(|piece| **piece == tokenizer.end).count(), 0);
        assert_eq!(cut(""), ["▁"]);
        // An accent of its own is the letter with it.
        assert_eq!(cut("e\u{301}"), ["▁", "é"]);
    }
}

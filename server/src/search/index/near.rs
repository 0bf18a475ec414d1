//! Words that a mistyped one may have been meant for.

/// Shorter words are one letter away from too many others.
const SHORTEST: usize = 5;
/// From this length on, two mistakes are forgiven.
const LONG: usize = 8;

/// How many mistakes are forgiven; `None` for what is no long Latin word.
pub fn allowed(word: &str) -> Option<usize> {
    let is_latin = word.len() >= SHORTEST && word.bytes().all(|b| b.is_ascii_lowercase());
    is_latin.then_some(if word.len() >= LONG { 2 } else { 1 })
}

/// A word, ready to be compared with very many.
pub struct Meant<'a> {
    word: &'a [u8],
    letters: u32,
    allowed: usize,
}

impl<'a> Meant<'a> {
    pub fn new(word: &'a str) -> Option<Self> {
        Some(Self { word: word.as_bytes(), letters: letters(word.as_bytes()), allowed: allowed(word)? })
    }

    /// Most words are told apart by their length or by which letters they have; one mistake changes two letters at most.
    pub fn may_be(&self, other: &[u8]) -> bool {
        other.len().abs_diff(self.word.len()) <= self.allowed
            && (letters(other) ^ self.letters).count_ones() as usize <= 2 * self.allowed
            && other != self.word
    }

    pub fn distance(&self, other: &str) -> Option<usize> {
        distance(self.word, other.as_bytes(), self.allowed)
    }
}

/// Which letters a word has; all that is no letter from a to z is one more.
fn letters(word: &[u8]) -> u32 {
    word.iter().fold(0, |set, byte| set | 1 << byte.wrapping_sub(b'a').min(26))
}

/// Letters put in, left out, taken for another, or swapped with their neighbour, that lead from one word to the other;
/// `None` when more than `most`.
pub fn distance(a: &[u8], b: &[u8], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most || b.len() > 64 {
        return None;
    }
    let [mut before, mut last, mut row] = [[0usize; 65]; 3];
    for (at, cost) in last.iter_mut().enumerate() {
        *cost = at;
    }
    let at = |row: &[usize; 65], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    for (i, own) in a.iter().enumerate() {
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        let mut least = i + 1;
        for (j, other) in b.iter().enumerate() {
            let mut cost = (at(&last, j) + usize::from(own != other)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let is_swap = i > 0 && j > 0 && a.get(i - 1) == Some(other) && b.get(j - 1) == Some(own);
            if is_swap {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            if let Some(to) = row.get_mut(j + 1) {
                *to = cost;
            }
            least = least.min(cost);
        }
        if least > most {
            return None;
        }
        (before, last, row) = (last, row, before);
    }
    Some(at(&last, b.len())).filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_counted() {
        let count = |a: &str, b: &str| distance(a.as_bytes(), b.as_bytes(), 2);
        assert_eq!(count("optical", "optical"), Some(0));
        assert_eq!(count("optcal", "optical"), Some(1));
        assert_eq!(count("opitcal", "optical"), Some(1), "neighbours swapped");
        assert_eq!(count("optikall", "optical"), Some(2));
        assert_eq!(count("router", "switch"), None);
        assert_eq!(count("", "abc"), None);
        assert_eq!(distance(&[b'a'; 100], &[b'a'; 100], 2), None, "what is that long is no word");
    }

    #[test]
    fn what_is_told_apart_at_once_is_far() {
        let words = ["optical", "opticla", "potical", "optic", "opticalss", "xptical", "switch", "optic4l", "", "topical", "opt-ical"];
        for (word, other) in words.into_iter().flat_map(|word| words.map(|other| (word, other))) {
            let Some(meant) = Meant::new(word) else { continue };
            let is_near = word != other && meant.distance(other).is_some();
            assert!(!is_near || meant.may_be(other.as_bytes()), "{word} {other}");
        }
        assert!(!Meant::new("optical").unwrap().may_be(b"network"));
    }

    #[test]
    fn only_long_latin_words_are_forgiven() {
        assert_eq!([allowed("fan"), allowed("optic"), allowed("switchover")], [None, Some(1), Some(2)]);
        assert_eq!([allowed("光模块故障"), allowed("alm25621"), allowed("")], [None; 3]);
    }
}

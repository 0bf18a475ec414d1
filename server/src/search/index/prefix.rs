//! Words that begin so: what somebody who is still typing may be about to ask.

use super::Index;

/// A beginning of fewer letters could become anything.
const SHORTEST: usize = 2;
/// Words that are looked at; a beginning of more is too short to tell.
const MOST_LOOKED_AT: usize = 2_000;

impl Index {
    /// Terms with this beginning, not the beginning itself, those that most documents have first.
    pub fn starting_with(&self, beginning: &str, most: usize) -> Vec<String> {
        if beginning.chars().count() < SHORTEST {
            return Vec::new();
        }
        let end = format!("{beginning}{}", char::MAX);
        let mut found: Vec<&str> = Vec::new();
        for (part, _) in self.all() {
            let begun = part.between(beginning, &end, |term| term != beginning.as_bytes());
            found.extend(begun.into_iter().take(MOST_LOOKED_AT));
        }
        found.sort_unstable();
        found.dedup();
        let mut living: Vec<_> = found.into_iter().map(|term| (std::cmp::Reverse(self.frequency(term)), term)).collect();
        living.retain(|(frequency, _)| frequency.0 > 0);
        living.sort_unstable();
        living.into_iter().take(most).map(|(_, term)| term.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Index};

    #[test]
    fn words_are_completed_most_frequent_first() {
        let mut index = Index::new();
        for (key, words) in [(1, ["optical", "option"]), (2, ["optical", "fan"]), (3, ["opt", "alm"])] {
            let terms = words.iter().map(|word| ((*word).into(), 1.0)).collect();
            index.put(Document { key, terms, tags: Vec::new() });
        }
        assert_eq!(index.starting_with("opt", 9), ["optical", "option"]);
        assert_eq!(index.starting_with("opt", 1), ["optical"]);
        index.remove(1);
        assert_eq!(index.starting_with("opt", 9), ["optical"]);
        assert!(index.starting_with("o", 9).is_empty() && index.starting_with("x", 9).is_empty());
    }
}

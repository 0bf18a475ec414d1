//! Texts as the index keeps them: at every place a token, so that any part of a text can be found and not only whole words.
//!
//! A token is what stands from a place on: two characters from a Chinese one, three from any other, fewer at the end of a stretch without
//! spaces and marks. Tokens of places that follow each other follow each other, so a part of a text is a phrase of tokens, and the end of
//! what is searched for may be the beginning of a token.

use lineman_common::printable::is_invisible;
use unicode_normalization::UnicodeNormalization as _;

/// The text as it is compared: NFKC, small letters, simplified Chinese, nothing that is not seen.
fn folded(text: &str) -> String {
    let lower: String = text.nfkc().filter(|c| !is_invisible(*c)).flat_map(char::to_lowercase).collect();
    if lower.is_ascii() { lower } else { fast2s::convert(&lower) }
}

/// Is it part of a text, or between two?
fn counts(c: char) -> bool {
    c.is_alphanumeric() || (c >= '\u{2100}' && !c.is_whitespace() && !matches!(c, '\u{3000}'..='\u{303f}' | '\u{fe00}'..='\u{fe0f}'))
}

/// How much stands in a token that begins with it.
const fn length(c: char) -> usize {
    if c as u32 >= 0x2e80 { 2 } else { 3 }
}

/// Stretches without spaces and marks.
fn runs(folded: &str) -> impl Iterator<Item = Vec<char>> {
    folded.split(|c| !counts(c)).filter(|run| !run.is_empty()).map(|run| run.chars().collect())
}

/// A text's tokens, for the index.
pub fn tokens(text: &str) -> String {
    let mut tokens = String::with_capacity(text.len() * 4);
    for run in runs(&folded(text)) {
        whole(&run, &mut tokens);
    }
    tokens
}

fn whole(run: &[char], tokens: &mut String) {
    for (at, first) in run.iter().enumerate() {
        if !tokens.is_empty() {
            tokens.push(' ');
        }
        tokens.extend(&run[at..run.len().min(at + length(*first))]);
    }
}

/// What finds texts that a needle is part of; `None` when it holds nothing that is searched for.
pub fn phrase(needle: &str) -> Option<String> {
    let mut runs: Vec<_> = runs(&folded(needle)).collect();
    let last = runs.pop()?;
    let mut tokens = String::new();
    for run in &runs {
        whole(run, &mut tokens);
    }
    let mut is_beginning = false;
    for (at, first) in last.iter().enumerate() {
        let end = at + length(*first);
        if !tokens.is_empty() {
            tokens.push(' ');
        }
        tokens.extend(&last[at..end.min(last.len())]);
        if end >= last.len() {
            is_beginning = end > last.len();
            break;
        }
    }
    Some(format!("\"{tokens}\"{}", if is_beginning { " *" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_a_token() {
        assert_eq!(tokens("板卡temp 92°C"), "板卡 卡t tem emp mp p 92 2 c");
        assert_eq!(tokens("F-JW-17"), "f jw w 17 7");
        assert_eq!(tokens("  ，。!? "), "");
        assert_eq!(tokens("ＦＡＮ風扇🔥"), tokens("fan风扇🔥"));
    }

    #[test]
    fn a_part_is_a_phrase() {
        assert_eq!(phrase("temp").as_deref(), Some("\"tem emp\""));
        assert_eq!(phrase("te").as_deref(), Some("\"te\" *"));
        assert_eq!(phrase("温度").as_deref(), Some("\"温度\""));
        assert_eq!(phrase("温").as_deref(), Some("\"温\" *"));
        assert_eq!(phrase("板卡temp").as_deref(), Some("\"板卡 卡t tem emp\""));
        assert_eq!(phrase("rx power").as_deref(), Some("\"rx x pow owe wer\""));
        assert_eq!(phrase("JW-17").as_deref(), Some("\"jw w 17\" *"));
        assert_eq!(phrase("\" OR 1=1 --").as_deref(), Some("\"or r 1 1\" *"));
        assert_eq!(phrase(" ，!\"* "), None);
    }
}

//! Words of the field that mean the same, in Chinese and English: a question in one language finds a case in the other.
//!
//! The table widens questions, never the index, so that it can be changed without building the index anew. A phrase
//! of the table is found in a question by the tokens that the index itself is made of: `Optical  modules` and `光模塊`
//! are found because their tokens are those of `optical module` and `光模块`.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::tokens::{self, Analysis, Kind, Token};

static FIELD: LazyLock<Synonyms> = LazyLock::new(|| Synonyms::read(include_str!("synonyms.tsv")));

/// A table of groups.
#[derive(Debug, Default)]
pub struct Synonyms {
    phrases: Vec<Phrase>,
    /// Phrases by their first token, longest first.
    by_first: HashMap<String, Vec<usize>>,
}

#[derive(Debug)]
pub struct Phrase {
    /// As written in the table: what a reader is told.
    pub text: String,
    /// As it stands in the index, one after the other.
    pub tokens: Vec<String>,
    group: usize,
}

/// A phrase of the table in a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In characters of the question's shown text.
    pub start: usize,
    pub end: usize,
    phrase: usize,
}

impl Synonyms {
    /// The field's own table.
    pub fn of_the_field() -> &'static Self {
        &FIELD
    }

    /// Reads a table: a group a line, phrases separated by `;` or a tab, `#` starts a comment.
    pub fn read(table: &str) -> Self {
        let mut synonyms = Self::default();
        let lines = table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        for (group, line) in lines.enumerate() {
            for text in line.split([';', '\t']).map(str::trim).filter(|text| !text.is_empty()) {
                synonyms.add(group, text);
            }
        }
        for candidates in synonyms.by_first.values_mut() {
            candidates.sort_by_key(|at| std::cmp::Reverse(synonyms.phrases[*at].tokens.len()));
        }
        synonyms
    }

    fn add(&mut self, group: usize, text: &str) {
        let tokens: Vec<String> = plain(&tokens::analyse(text)).map(|token| token.text.clone()).collect();
        let known = self.phrases.iter().any(|phrase| phrase.group == group && phrase.tokens == tokens);
        if let Some(first) = tokens.first().filter(|_| !known) {
            self.by_first.entry(first.clone()).or_default().push(self.phrases.len());
            self.phrases.push(Phrase { text: text.to_owned(), tokens, group });
        }
    }

    /// The phrases of the table that a question uses, longest first, not overlapping.
    pub fn find(&self, question: &Analysis) -> Vec<Found> {
        let tokens: Vec<&Token> = plain(question).collect();
        let (mut found, mut at) = (Vec::new(), 0);
        while at < tokens.len() {
            match self.at(&tokens[at..]) {
                Some((phrase, length)) => {
                    let (start, end) = (tokens[at].start, tokens[at + length - 1].end);
                    found.push(Found { start, end, phrase });
                    // Past every bigram that shares a character with what was found.
                    at += tokens[at..].iter().take_while(|token| token.start < end).count();
                }
                None => at += 1,
            }
        }
        found
    }

    fn at(&self, tokens: &[&Token]) -> Option<(usize, usize)> {
        let candidates = self.by_first.get(&tokens.first()?.text)?;
        let matches = |phrase: &Phrase| {
            phrase.tokens.len() <= tokens.len() && phrase.tokens.iter().zip(tokens).all(|(wanted, token)| *wanted == token.text)
        };
        let phrase = candidates.iter().copied().find(|at| matches(&self.phrases[*at]))?;
        Some((phrase, self.phrases[phrase].tokens.len()))
    }

    /// What else could have been said.
    pub fn others(&self, found: &Found) -> impl Iterator<Item = &Phrase> {
        let said = &self.phrases[found.phrase];
        self.phrases.iter().filter(|phrase| phrase.group == said.group && phrase.tokens != said.tokens)
    }
}

/// Tokens that follow one another in a phrase: no joined forms, no tails.
fn plain(analysis: &Analysis) -> impl Iterator<Item = &Token> {
    analysis.tokens.iter().filter(|token| matches!(token.kind, Kind::Bigram | Kind::Single | Kind::Word | Kind::Number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(question: &str) -> Vec<String> {
        let (table, question) = (Synonyms::of_the_field(), tokens::analyse(question));
        table.find(&question).iter().flat_map(|found| table.others(found).map(|phrase| phrase.text.clone())).collect()
    }

    #[test]
    fn a_word_of_one_language_leads_to_the_other() {
        for (question, wanted) in [
            ("光模块坏了", "optical module"),
            ("光模塊", "SFP"),
            ("Optical  Modules", "光模块"),
            ("the SFP-10G is dead", "光模块"),
            ("误码过高", "BER"),
            ("小区退服", "out of service"),
            ("fan tray stopped", "风扇"),
            ("板卡3温度", "temperature"),
            ("packet losses on the uplink", "丢包"),
            ("磁盘满", "no space left"),
        ] {
            assert!(others(question).contains(&wanted.to_owned()), "{question}: {:?}", others(question));
        }
    }

    #[test]
    fn the_longer_phrase_wins() {
        assert!(others("链路中断").contains(&"link down".to_owned()));
        assert!(!others("链路中断").contains(&"link".to_owned()));
        assert!(!others("disk full").contains(&"磁盘".to_owned()));
    }

    #[test]
    fn the_table_is_whole() {
        let table = Synonyms::of_the_field();
        let groups = table.phrases.iter().map(|phrase| phrase.group).max().unwrap() + 1;
        assert!(groups >= 80, "{groups} groups");
        let is_han = |phrase: &Phrase| phrase.text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        for group in 0..groups {
            let members: Vec<_> = table.phrases.iter().filter(|phrase| phrase.group == group).collect();
            let han = members.iter().copied().filter(|phrase| is_han(phrase)).count();
            assert!(han > 0 && han < members.len(), "both languages: {members:?}");
        }
        let mut seen = HashMap::new();
        for phrase in &table.phrases {
            if let Some(other) = seen.insert(phrase.tokens.clone(), phrase) {
                panic!("`{}` stands in two groups, as `{}` too", phrase.text, other.text);
            }
        }
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        assert!(others("").is_empty() && others("💥 \u{0}").is_empty() && others("明天开会").is_empty());
    }
}

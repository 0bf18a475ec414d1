//! Words of the field that mean the same, in Chinese and English: a question in one language finds a case in the other.
//!
//! The table widens questions, never the index, so that it can be changed without building the index anew: [`Shared`] gives the newest
//! one, with what users have added and switched off. A phrase
//! of the table is found in a question by the tokens that the index itself is made of: `Optical  modules` and `光模塊`
//! are found because their tokens are those of `optical module` and `光模块`.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::table::{self, Group};
use super::tokens::{self, Analysis, Kind, Token};
use crate::store::{Db, StoreError};

/// The table as it is now, read anew only after a change; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<RwLock<Option<Revision>>>);

/// A revision of the table, and the table.
type Revision = (u64, Arc<Synonyms>);

impl Shared {
    pub fn newest(&self, db: &Db<'_>) -> Result<Arc<Synonyms>, StoreError> {
        let revision = table::revision(db)?;
        if let Some((known, table)) = &*self.0.read().unwrap_or_else(PoisonError::into_inner)
            && *known == revision
        {
            return Ok(table.clone());
        }
        let table = Arc::new(Synonyms::of(&table::load(db)?));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((revision, table.clone()));
        Ok(table)
    }
}

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
    pub fn of(groups: &[Group]) -> Self {
        let mut synonyms = Self::default();
        for (number, group) in groups.iter().enumerate() {
            for text in group.zh.iter().chain(&group.en) {
                synonyms.add(number, text);
            }
        }
        for candidates in synonyms.by_first.values_mut() {
            candidates.sort_by_key(|at| std::cmp::Reverse(synonyms.phrases[*at].tokens.len()));
        }
        synonyms
    }

    /// The table that comes with the server.
    #[cfg(test)]
    pub fn of_the_field() -> &'static Self {
        static FIELD: std::sync::LazyLock<Synonyms> = std::sync::LazyLock::new(|| {
            let lines = include_str!("synonyms.tsv").lines().filter(|line| !line.starts_with('#'));
            let phrases = |text: &str| text.split(';').map(|phrase| phrase.trim().to_owned()).collect();
            let groups: Vec<_> =
                lines.filter_map(|line| line.split_once('\t')).map(|(zh, en)| Group { zh: phrases(zh), en: phrases(en) }).collect();
            Synonyms::of(&groups)
        });
        &FIELD
    }

    fn add(&mut self, group: usize, text: &str) {
        let tokens: Vec<String> = plain(&tokens::analyse(text)).map(|token| token.text.clone()).collect();
        let known = self.phrases.iter().rev().take_while(|phrase| phrase.group == group).any(|phrase| phrase.tokens == tokens);
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

    pub fn text(&self, found: &Found) -> &str {
        &self.phrases[found.phrase].text
    }

    pub fn is_same_group(&self, one: &Found, other: &Found) -> bool {
        self.groups(one).any(|group| self.groups(other).any(|known| known == group))
    }

    /// The groups that a phrase stands in: users may add a group with a phrase that another has.
    fn groups(&self, found: &Found) -> impl Iterator<Item = usize> {
        let said = &self.phrases[found.phrase];
        let candidates = said.tokens.first().and_then(|first| self.by_first.get(first)).map_or(&[] as &[usize], Vec::as_slice);
        candidates.iter().map(|at| &self.phrases[*at]).filter(|phrase| phrase.tokens == said.tokens).map(|phrase| phrase.group)
    }

    /// The first tokens of all that means the same, the phrase itself included.
    pub fn firsts<'s>(&'s self, found: &Found) -> impl Iterator<Item = &'s str> + use<'s> {
        let own = self.phrases[found.phrase].tokens.first();
        let others: Vec<_> = self.others(found).filter_map(|phrase| phrase.tokens.first()).collect();
        own.into_iter().chain(others).map(String::as_str)
    }

    /// What else could have been said.
    pub fn others(&self, found: &Found) -> impl Iterator<Item = &Phrase> {
        let said = &self.phrases[found.phrase];
        // Phrases stand by their groups.
        let members = |group| {
            let first = self.phrases.partition_point(|phrase| phrase.group < group);
            self.phrases[first..].iter().take_while(move |phrase| phrase.group == group)
        };
        self.groups(found).flat_map(members).filter(|phrase| phrase.tokens != said.tokens)
    }
}

/// Tokens that follow one another in a phrase: no joined forms, no single characters of words. A name like `SFP28` is one of them.
fn plain(analysis: &Analysis) -> impl Iterator<Item = &Token> {
    let follows = |token: &&Token| match token.kind {
        Kind::Bigram | Kind::Single | Kind::Word | Kind::Number => true,
        Kind::Whole => !token.text.contains(tokens::JOINT),
        Kind::Unigram | Kind::Joined | Kind::Part => false,
    };
    analysis.tokens.iter().filter(follows)
}

/// Two phrases with one key are one phrase to a question. Empty for what no question finds.
pub fn key(phrase: &str) -> String {
    plain(&tokens::analyse(phrase)).map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ")
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
    fn a_phrase_of_two_groups_leads_to_both() {
        let group = |zh: &str, en: &str| Group { zh: vec![zh.into()], en: vec![en.into()] };
        let table = Synonyms::of(&[group("风扇", "fan"), group("散热风扇", "cooling unit"), group("风扇", "blower")]);
        let question = tokens::analyse("风扇");
        let found = table.find(&question);
        assert_eq!(table.others(&found[0]).map(|phrase| phrase.text.as_str()).collect::<Vec<_>>(), ["fan", "blower"]);
        let blower = tokens::analyse("blower");
        assert!(table.is_same_group(&found[0], &table.find(&blower)[0]));
    }

    #[test]
    fn names_with_digits_are_phrases_too() {
        let group = |zh: &str, en: &str| Group { zh: vec![zh.into()], en: vec![en.into()] };
        let table = Synonyms::of(&[group("二十五千兆光模块", "SFP28"), group("甲板", "fan2 unit")]);
        for (question, wanted) in [("the sfp28 is dead", "二十五千兆光模块"), ("fan2 units", "甲板"), ("甲板", "fan2 unit")] {
            let question = tokens::analyse(question);
            let found = table.find(&question);
            assert_eq!(table.others(&found[0]).map(|phrase| phrase.text.as_str()).collect::<Vec<_>>(), [wanted]);
        }
        assert_eq!(key("!!"), "");
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        assert!(others("").is_empty() && others("💥 \u{0}").is_empty() && others("明天开会").is_empty());
    }
}

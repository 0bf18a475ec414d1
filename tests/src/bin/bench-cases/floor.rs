//! Floors to stand above: SQLite FTS5 with its own trigrams, and with bigrams for Chinese and Porter's stems for English.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use crate::score::Run;
use crate::set::Set;

const HITS: u32 = 30;
const MOST_TOKENS: usize = 200;

#[derive(Clone, Copy)]
pub enum Floor {
    Trigram,
    Bigram,
}

const STOP_WORDS: &str = "a an the of to in is it and or for on with this that be are was were i we you not as at by from have has had do \
    does did can will if when so but my 的 了 是 在 我 有 和 就 不 都 一 也 很 到 说 要 去 你 会 着 没有 吗 呢 吧 啊 什么 怎么 如何 哪些 为什么 \
    为 请 请问";

impl Floor {
    pub fn run(self, set: &Set) -> anyhow::Result<Run> {
        let database = Connection::open_in_memory()?;
        let tokenizer = match self {
            Self::Trigram => "trigram",
            // Identifiers stay whole: their joints count as letters.
            Self::Bigram => "porter unicode61 tokenchars ''-_./:#''",
        };
        database.execute_batch(&format!("CREATE VIRTUAL TABLE c USING fts5(title, text, tokenize = '{tokenizer}')"))?;
        let indexed = |text: &str| match self {
            Self::Trigram => text.to_owned(),
            Self::Bigram => self.tokens(text).join(" "),
        };
        let mut insert = database.prepare("INSERT INTO c(rowid, title, text) VALUES (?1, ?2, ?3)")?;
        for (row, document) in set.documents.iter().enumerate() {
            insert.execute(params![i64::try_from(row)?, indexed(&document.title), indexed(&document.text)])?;
        }
        let stop: HashSet<&str> = STOP_WORDS.split_whitespace().collect();
        let mut ask = database.prepare("SELECT rowid, bm25(c, 3.0, 1.0) FROM c WHERE c MATCH ?1 ORDER BY 2 LIMIT ?2")?;
        let mut run = Run::new();
        for question in &set.questions {
            let mut seen = HashSet::new();
            let tokens =
                self.tokens(&question.text).into_iter().filter(|token| !stop.contains(token.as_str()) && seen.insert(token.clone()));
            let wanted: Vec<_> = tokens.take(MOST_TOKENS).map(|token| format!("\"{}\"", token.replace('"', "\"\""))).collect();
            if wanted.is_empty() {
                continue;
            }
            let rows = ask.query_map(params![wanted.join(" OR "), HITS], |row| Ok((row.get::<_, i64>(0)?, -row.get::<_, f64>(1)?)))?;
            let mut hits = Vec::new();
            for row in rows {
                let (row, score) = row?;
                hits.extend(set.documents.get(usize::try_from(row)?).map(|document| (document.id.clone(), score)));
            }
            run.insert(question.id.clone(), hits);
        }
        Ok(run)
    }

    fn tokens(self, text: &str) -> Vec<String> {
        let text: Vec<char> = text.to_lowercase().chars().collect();
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let run = |is: fn(char) -> bool, from: usize| text[from..].iter().take_while(|c| is(**c)).count();
            let is_latin = |c: char| c.is_ascii_alphanumeric();
            let (han, latin) = (run(is_han, at), run(is_latin, at));
            if han > 0 {
                tokens.extend(windows(&text[at..at + han], if matches!(self, Self::Bigram) { 2 } else { 3 }));
                at += han;
            } else if latin > 0 {
                let mut end = at + latin;
                while text.get(end).is_some_and(|c| "-_./:#".contains(*c)) && run(is_latin, end + 1).min(1) == 1 {
                    end += 1 + run(is_latin, end + 1);
                }
                match self {
                    Self::Bigram => tokens.extend(identifier(&text[at..end].iter().collect::<String>())),
                    Self::Trigram => tokens.extend(text[at..end].windows(3).map(|three| three.iter().collect::<String>())),
                }
                at = end;
            } else {
                at += 1;
            }
        }
        tokens
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}

/// Neighbours; a shorter run is one token for bigrams, and none for trigrams.
fn windows(run: &[char], size: usize) -> Vec<String> {
    if size == 2 && run.len() < 2 {
        return vec![run.iter().collect()];
    }
    run.windows(size).map(|window| window.iter().collect()).collect()
}

/// Itself, its parts, and letters and digits of a mixed part apart.
fn identifier(token: &str) -> Vec<String> {
    let parts: Vec<&str> = token.split(['-', '_', '.', '/', ':', '#']).filter(|part| !part.is_empty()).collect();
    let mut tokens = vec![token.to_owned()];
    if parts.len() > 1 {
        tokens.extend(parts.iter().map(|part| (*part).to_owned()));
    }
    for part in parts {
        let mut bits: Vec<String> = Vec::new();
        let mut last = None;
        for c in part.chars() {
            match bits.last_mut().filter(|_| last == Some(c.is_ascii_digit())) {
                Some(bit) => bit.push(c),
                None => bits.push(c.to_string()),
            }
            last = Some(c.is_ascii_digit());
        }
        if bits.len() > 1 {
            tokens.extend(bits);
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_the_floors() {
        assert_eq!(Floor::Bigram.tokens("风扇停 ALM-25621x"), ["风扇", "扇停", "alm-25621x", "alm", "25621x", "25621", "x"]);
        assert_eq!(Floor::Trigram.tokens("风扇停转 fan-2"), ["风扇停", "扇停转", "fan", "an-", "n-2"]);
    }
}

//! Finding cases: what is asked becomes a plan of terms, the index scores each term, and the scores become an order.
//!
//! This is the library's engine, behind two functions: [`index`] and [`find`]. It may be replaced without the rest of the room
//! noticing; it keeps nothing that can't be made again from the cases themselves.
//!
//! - **Terms** come from the one token function. Function words are left out, and so are words that stand in more than a tenth
//!   of a large library when three rarer ones remain: they cost most and tell least. The 24 rarest are asked.
//! - **Fields** weigh as code 8, equipment 3, title 3, symptom 2, cause 1, steps and resolution 0.7.
//! - **An exact code is a tier of its own**: who types `ALM-25621` wants the cases of that code before all others.
//! - **Synonyms** are asked as phrases and count for less than the word itself; a case that has both counts once.
//! - **Use** moves cases that are nearly equal: solved links raise, wrong links lower, what is reviewed stands before what is not.
//!
//! Every term is asked by itself. Its scores add up to the same BM25 as one long OR, and each hit knows why it is one.

use std::collections::{BTreeMap, HashMap, HashSet};

use lineman_common::Printable;
use lineman_common::api::{CaseBody, CaseHit, CaseState, CaseText, Language};
use lineman_common::name::CaseNumber;

use super::sql::{self, Columns};
use crate::search::synonyms::Synonyms;
use crate::search::tokens::{self, Analysis, JOINT, Kind, Token};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// No question is longer; a pasted log says what it says in its first pages.
const LONGEST_QUESTION: usize = 8_000;
const MOST_TERMS: usize = 24;
const MOST_SYNONYMS: usize = 24;
/// A term in more than one of so many cases is common.
const COMMON: u32 = 10;
/// In a smaller library no term is left out as common: asking it costs little, and finds a little more.
const SMALL_LIBRARY: u32 = 10_000;
/// Rarer terms that must remain when a common one is left out.
const RARER: usize = 3;
/// Above 1, a rare word counts for more than plain BM25 gives it: what is typed is a line of few words, and the rare one names the thing.
const RARITY: f64 = 1.1;
const SYNONYM_WEIGHT: f64 = 0.6;
/// More than any sum of term scores.
const CODE_TIER: f64 = 1_000.0;
const NUMBER_TIER: f64 = 10_000.0;
/// Candidates whose use is looked up before the order is final.
const CANDIDATES: usize = 200;
/// Similar cases score at least this part of the best one: the rest only shares a word with it.
const SIMILAR: f64 = 0.2;
const MOST_REASONS: usize = 12;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Question<'a> {
    pub text: &'a str,
    /// Alarm types and codes that are known, not typed.
    pub codes: &'a [String],
    /// Product and model that are known: they raise what is found, and find nothing alone.
    pub equipment: &'a [String],
    /// Leave out what only shares a word.
    pub only_similar: bool,
    pub limit: usize,
}

/// The fields of a case as the index takes them.
pub struct Entry {
    pub code: String,
    pub equipment: String,
    pub title: String,
    pub symptom: String,
    pub cause: String,
    pub rest: String,
}

/// Puts a case into the index, in the place of what was there.
pub fn index(db: &Db<'_>, number: CaseNumber, body: &CaseBody) -> Result<(), StoreError> {
    sql::put_entry(db, number, &entry(body))
}

pub fn unindex(db: &Db<'_>, number: CaseNumber) -> Result<(), StoreError> {
    sql::drop_entry(db, number)
}

fn entry(body: &CaseBody) -> Entry {
    let both = |field: fn(&CaseText) -> &Printable| {
        let texts: Vec<_> = [&body.zh, &body.en].into_iter().flatten().map(|text| field(text).raw()).collect();
        tokens::index_text(&texts.join("\n"))
    };
    let codes = body.codes.iter().map(|code| format!("{} {}", tokens::index_text(code.raw()), tokens::exact(code.raw())));
    let equipment = body.equipment.iter().map(|about| tokens::index_text(&about.to_string()));
    Entry {
        code: codes.collect::<Vec<_>>().join(" "),
        equipment: equipment.collect::<Vec<_>>().join(" "),
        title: both(|text| &text.title),
        symptom: both(|text| &text.symptom),
        cause: both(|text| &text.cause),
        rest: [both(|text| &text.steps), both(|text| &text.resolution)].join(" "),
    }
}

/// The best cases for a question that the scope may see, best first. No text makes it fail.
pub fn find(db: &Db<'_>, scope: &Scope, question: &Question<'_>) -> Result<Vec<CaseHit>, StoreError> {
    let text: String = question.text.chars().take(LONGEST_QUESTION).collect();
    let mut answer = Answer { db, scope, typed: &tokens::analyse(&text), library: sql::indexed(db)?, cases: HashMap::new() };
    answer.numbers(&text)?;
    answer.codes()?;
    for code in question.codes {
        answer.given_code(code)?;
    }
    answer.words()?;
    answer.equipment(question.equipment)?;
    answer.ranked(question, prefers_chinese(&text))
}

/// Cases found so far.
struct Answer<'a> {
    db: &'a Db<'a>,
    scope: &'a Scope,
    typed: &'a Analysis,
    /// How many cases the index holds.
    library: u32,
    cases: HashMap<u32, Found>,
}

#[derive(Default)]
struct Found {
    tier: f64,
    score: f64,
    /// What matched, as told: codes first, then equipment, then the question's own words in their order.
    codes: Vec<String>,
    equipment: Vec<String>,
    spans: BTreeMap<usize, usize>,
    others: Vec<String>,
}

/// Words of the question that mean one thing, and what else could have been said for it.
struct Unit<'a> {
    terms: Vec<&'a Token>,
    said: String,
    others: Vec<(String, &'a str)>,
}

impl<'a> Answer<'a> {
    /// `C-0042` in a question means that case.
    fn numbers(&mut self, text: &str) -> Result<(), StoreError> {
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            if let Ok(number) = word.to_ascii_uppercase().parse::<CaseNumber>()
                && sql::is_visible(self.db, self.scope, number)?
            {
                self.tier(&[number.0], NUMBER_TIER, &number.to_string());
            }
        }
        Ok(())
    }

    /// Codes that are typed in the question.
    fn codes(&mut self) -> Result<(), StoreError> {
        let typed = self.typed;
        let mut told = HashSet::new();
        for token in typed.tokens.iter().filter(|token| !token.text.is_empty()) {
            let said = typed.surface(token.start, token.end);
            let wanted = match token.kind {
                Kind::Whole | Kind::Joined => token.text.clone(),
                Kind::Number if token.text.len() > 3 => token.text.clone(),
                // `LOS` typed in capitals is a code, `los` is a word.
                Kind::Word if said.len() > 1 && said.bytes().all(|b| b.is_ascii_uppercase()) => tokens::exact(&said),
                Kind::Bigram | Kind::Single | Kind::Tail | Kind::Word | Kind::Number | Kind::Part => continue,
            };
            if told.len() < MOST_TERMS && told.insert(wanted.clone()) {
                self.exact_code(&wanted, &said)?;
            }
        }
        Ok(())
    }

    fn given_code(&mut self, code: &str) -> Result<(), StoreError> {
        let exact = tokens::exact(code);
        if exact.chars().count() > 1 { self.exact_code(&exact, code) } else { Ok(()) }
    }

    fn exact_code(&mut self, token: &str, said: &str) -> Result<(), StoreError> {
        let found = sql::matching(self.db, self.scope, Columns::Code, &phrase(&[token]))?;
        let numbers: Vec<u32> = found.visible.iter().map(|(number, _)| *number).collect();
        self.tier(&numbers, CODE_TIER, said);
        Ok(())
    }

    /// Once for each case and tier: a code in three spellings is one code.
    fn tier(&mut self, numbers: &[u32], tier: f64, said: &str) {
        for number in numbers {
            let found = self.cases.entry(*number).or_default();
            found.tier = found.tier.max(tier);
            if !found.codes.iter().any(|known| known.eq_ignore_ascii_case(said)) {
                found.codes.push(said.to_owned());
            }
        }
    }

    /// The words of the question, with their synonyms.
    fn words(&mut self) -> Result<(), StoreError> {
        for unit in units(self.typed, &self.terms()?) {
            let mut scores: HashMap<u32, f64> = HashMap::new();
            for term in unit.terms {
                let expression = if term.kind == Kind::Single { format!("{} *", phrase(&[&term.text])) } else { phrase(&[&term.text]) };
                for (number, score) in self.ask(Columns::All, &expression)? {
                    *scores.entry(number).or_default() += score;
                    let spans = &mut self.cases.entry(number).or_default().spans;
                    let end = spans.entry(term.start).or_default();
                    *end = term.end.max(*end);
                }
            }
            let mut others: HashMap<u32, (f64, &str)> = HashMap::new();
            for (expression, text) in &unit.others {
                for (number, score) in self.ask(Columns::All, expression)? {
                    let best = others.entry(number).or_insert((0.0, text));
                    if score * SYNONYM_WEIGHT > best.0 {
                        *best = (score * SYNONYM_WEIGHT, text);
                    }
                }
            }
            for (number, (score, text)) in others {
                if score > scores.get(&number).copied().unwrap_or_default() {
                    scores.insert(number, score);
                    self.cases.entry(number).or_default().others.push(format!("{} ≈ {text}", unit.said));
                }
            }
            for (number, score) in scores {
                self.cases.entry(number).or_default().score += score;
            }
        }
        Ok(())
    }

    /// The terms worth asking: each once, no function words, no common ones, the rarest first.
    fn terms(&self) -> Result<Vec<&'a Token>, StoreError> {
        let is_grammar = |token: &Token| token.kind == Kind::Word && tokens::is_function_word(&token.text);
        let asked = || self.typed.tokens.iter().filter(|token| token.kind != Kind::Tail);
        let says_something = asked().any(|token| !is_grammar(token));
        let (mut seen, mut terms) = (HashSet::new(), Vec::new());
        for token in asked().filter(|token| !(says_something && is_grammar(token))) {
            if seen.insert(token.text.as_str()) {
                let cases = if token.kind == Kind::Single { 1 } else { sql::cases_with(self.db, &token.text)? };
                if cases > 0 {
                    terms.push((cases, token));
                }
            }
        }
        terms.sort_by_key(|(cases, token)| (*cases, token.start));
        let rare = terms.iter().filter(|(cases, _)| self.library < SMALL_LIBRARY || cases * COMMON <= self.library).count();
        if rare >= RARER {
            terms.truncate(rare);
        }
        terms.truncate(MOST_TERMS);
        Ok(terms.into_iter().map(|(_, token)| token).collect())
    }

    /// Known equipment raises what was found.
    fn equipment(&mut self, names: &[String]) -> Result<(), StoreError> {
        let mut seen = HashSet::new();
        for name in names {
            let analysis = tokens::analyse(name);
            let identifiers =
                analysis.tokens.iter().filter(|token| matches!(token.kind, Kind::Whole | Kind::Joined | Kind::Word | Kind::Bigram));
            for token in identifiers.take(MOST_TERMS) {
                if !seen.insert(token.text.clone()) {
                    continue;
                }
                for (number, score) in self.ask(Columns::Equipment, &phrase(&[&token.text]))? {
                    if let Some(found) = self.cases.get_mut(&number) {
                        found.score += score;
                        if !found.equipment.contains(name) {
                            found.equipment.push(name.clone());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The cases that the scope may see and that match, with their BM25 scores.
    fn ask(&self, columns: Columns, expression: &str) -> Result<Vec<(u32, f64)>, StoreError> {
        let found = sql::matching(self.db, self.scope, columns, expression)?;
        let library = f64::from(self.library);
        // SQLite's weight for rarity is zero for what stands in half of the cases, which in a young library is much; this one never is.
        let cases = f64::from(found.cases);
        let theirs = ((library - cases + 0.5) / (cases + 0.5)).ln();
        let theirs = if theirs > 0.0 { theirs } else { 1e-6 };
        let ours = (1.0 + (library - cases + 0.5) / (cases + 0.5)).ln();
        Ok(found.visible.into_iter().map(|(number, score)| (number, -score / theirs * ours.powf(RARITY))).collect())
    }

    fn ranked(self, question: &Question<'_>, prefers_chinese: bool) -> Result<Vec<CaseHit>, StoreError> {
        let mut found: Vec<_> = self.cases.into_iter().collect();
        let order = |score: f64, number: u32, other_score: f64, other: u32| other_score.total_cmp(&score).then(other.cmp(&number));
        found.sort_by(|(a, x), (b, y)| order(x.tier + x.score, *a, y.tier + y.score, *b));
        found.truncate(CANDIDATES.max(question.limit));
        let best = found.first().map_or(0.0, |(_, best)| best.score);
        let mut hits = Vec::new();
        for (number, found) in found {
            if question.only_similar && found.tier == 0.0 && found.score < best * SIMILAR {
                continue;
            }
            let Some(facts) = sql::facts(self.db, CaseNumber(number))? else { continue };
            let (language, title) = title(&facts.body, prefers_chinese);
            let score = found.tier + found.score + worth(&facts);
            hits.push(CaseHit {
                number: CaseNumber(number),
                title,
                language,
                state: facts.state,
                score,
                why: found.why(self.typed),
                solved: facts.solved,
            });
        }
        hits.sort_by(|a, b| order(a.score, a.number.0, b.score, b.number.0));
        hits.truncate(question.limit);
        Ok(hits)
    }
}

impl Found {
    fn why(self, typed: &Analysis) -> Vec<Printable> {
        let mut reasons = self.codes;
        let mut add = |reason: String| {
            if !reasons.iter().any(|known| known.eq_ignore_ascii_case(&reason)) {
                reasons.push(reason);
            }
        };
        self.equipment.into_iter().for_each(&mut add);
        // A lone letter or digit matched, but explains nothing.
        let telling = |reason: &String| reason.chars().count() > 1 || !reason.is_ascii();
        merge(&self.spans).into_iter().map(|(start, end)| typed.surface(start, end)).filter(telling).for_each(&mut add);
        self.others.into_iter().for_each(&mut add);
        reasons.truncate(MOST_REASONS);
        reasons.into_iter().map(Printable::new).collect()
    }
}

/// Bigrams that share a character become the words they were cut from.
fn merge(spans: &BTreeMap<usize, usize>) -> Vec<(usize, usize)> {
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for (start, end) in spans {
        match merged.last_mut() {
            Some(last) if *start < last.1 => last.1 = last.1.max(*end),
            _ => merged.push((*start, *end)),
        }
    }
    merged
}

/// Groups the terms under the synonyms that they are part of; the rest stand alone.
fn units<'a>(typed: &Analysis, terms: &[&'a Token]) -> Vec<Unit<'a>> {
    let table = Synonyms::of_the_field();
    let (mut units, mut synonyms) = (Vec::new(), 0);
    let mut free: Vec<&'a Token> = terms.to_vec();
    for found in table.find(typed) {
        let (inside, outside) = free.into_iter().partition(|term| term.start >= found.start && term.end <= found.end);
        free = outside;
        let said = typed.surface(found.start, found.end);
        let mut others = Vec::new();
        for other in table.others(&found).take(MOST_SYNONYMS.saturating_sub(synonyms)) {
            others.push((phrase(&other.tokens.iter().map(String::as_str).collect::<Vec<_>>()), other.text.as_str()));
        }
        synonyms += others.len();
        units.push(Unit { terms: inside, said, others });
    }
    units.extend(free.into_iter().map(|term| Unit { terms: vec![term], said: String::new(), others: Vec::new() }));
    units
}

/// A phrase in the index's query language. Tokens hold no quotation marks: they are letters, digits and joints.
fn phrase(tokens: &[&str]) -> String {
    debug_assert!(tokens.iter().all(|token| token.chars().all(|c| c == JOINT || !c.is_ascii() || c.is_ascii_alphanumeric())));
    format!("\"{}\"", tokens.join(" "))
}

/// What a case's history says of it: small beside what matched.
fn worth(facts: &sql::Facts) -> f64 {
    let state = match facts.state {
        CaseState::Validated => 0.3,
        CaseState::NotValidated => 0.0,
        CaseState::Wip => -0.3,
        CaseState::Archived => -1.0,
    };
    let ln = |links: u32| f64::from(links).ln_1p();
    state + 0.3 * ln(facts.solved) + 0.1 * ln(facts.helped) - 0.4 * ln(facts.wrong)
}

pub fn prefers_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// The title in the reader's language if there is one, else in the other.
pub fn title(body: &CaseBody, prefers_chinese: bool) -> (Language, Printable) {
    let zh = body.zh.as_ref().map(|text| (Language::Zh, text.title.clone()));
    let en = body.en.as_ref().map(|text| (Language::En, text.title.clone()));
    let (first, second) = if prefers_chinese { (zh, en) } else { (en, zh) };
    first.or(second).unwrap_or((Language::En, Printable::default()))
}

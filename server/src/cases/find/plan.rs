//! From a question to what the index is asked.
//!
//! - Function words are left out, and so are words that stand in more than a tenth of a large library when three rarer ones remain:
//!   they cost most and tell least. Of what is left the rarest are asked, 24 words and 24 single characters.
//! - A code is asked twice: as a word, and as a code, which is a tier of its own.
//! - Words that the table of synonyms knows as one thing are asked as one: a case scores by the way of saying it that fits it best.
//! - Every clause remembers which part of the question it came from, so that a hit can say why it is one.

use std::collections::HashSet;

use super::fields::{self, IN_TITLE};
use crate::search::index::{Clause, Index, Weighted};
use crate::search::synonyms::{self, Synonyms};
use crate::search::tokens::{self, Analysis, Kind, Token};

/// Characters that are read of a question; a pasted log says what it says in its first pages.
pub const LONGEST_QUESTION: usize = 8_000;
const MOST_TERMS: usize = 24;
const MOST_CODES: usize = 12;
/// Other ways to say something, in one question.
const MOST_SYNONYMS: usize = 24;
/// A term in more than one of so many cases is common.
const COMMON: u32 = 10;
/// In a smaller library no term is left out as common: asking it costs little, and finds a little more.
const SMALL_LIBRARY: u32 = 10_000;
/// Rarer terms that must remain when a common one is left out.
const RARER: usize = 3;
/// Above 1, a rare word counts for more than plain BM25 gives it: what is typed is a line of few words, and the rare one names the thing.
const RARITY: f32 = 1.1;
/// A character beside the pairs that it stands in. On the Chinese development set above 1 is better, but a word of the field is its pair.
const CHARACTER_WEIGHT: f32 = 1.5;
const SYNONYM_WEIGHT: f32 = 0.6;
/// What a word counts that may have been meant.
const GUESS_WEIGHT: f32 = 0.7;
const MOST_GUESSES: usize = 3;
/// Words that a beginning may become.
const MOST_ENDINGS: usize = 16;
/// More than any sum of word scores.
const CODE_TIER: f32 = 1_000.0;

/// What a clause stands for.
#[derive(Debug)]
pub struct Sense {
    pub kind: SenseKind,
    /// In characters of the question's shown text.
    pub start: usize,
    pub end: usize,
    /// What it adds to a case that says it once in its title.
    pub worth: f32,
}

#[derive(Debug)]
pub enum SenseKind {
    /// A code, as it is written in the question or known from an alarm.
    Code(String),
    /// Words of the question.
    Word,
    /// A phrase of the table of synonyms.
    Phrase(synonyms::Found),
    /// Equipment that is known, not typed.
    Equipment(String),
}

/// A question to the index, and how to read its answer.
#[derive(Debug, Default)]
pub struct Plan {
    pub clauses: Vec<Clause>,
    /// One for each clause.
    pub senses: Vec<Sense>,
    /// Too common to be asked, as typed.
    pub dropped: Vec<String>,
    /// Words that no case has, with what they were taken for.
    pub corrected: Vec<(String, String)>,
    /// What the words of the question that no case has would be worth.
    pub unknown: f32,
    /// Every term that is asked, for highlights.
    pub terms: HashSet<String>,
}

/// What the planner works with.
pub struct Planner<'a> {
    pub index: &'a Index,
    pub table: &'a Synonyms,
    pub typed: &'a Analysis,
    /// The last word may be the beginning of one.
    pub typing: bool,
    /// Words that no case has are taken for others like them.
    pub guess: bool,
}

impl Planner<'_> {
    /// `codes` are known from alarms, `equipment` from the fault.
    pub fn plan(&self, codes: &[String], equipment: &[String]) -> Plan {
        let mut plan = Plan::default();
        self.typed_codes(&mut plan);
        for code in codes {
            self.code(&mut plan, &tokens::exact(code), code, (0, 0));
        }
        let terms = self.terms(&mut plan);
        self.words(&mut plan, terms);
        self.equipment(&mut plan, equipment);
        plan
    }

    fn rarity(&self, cases: u32) -> f32 {
        let (library, cases) = (ratio(self.index.documents()), ratio(cases));
        (1.0 + (library - cases + 0.5).max(0.0) / (cases + 0.5)).ln().powf(RARITY)
    }

    /// Codes that are typed in the question.
    fn typed_codes(&self, plan: &mut Plan) {
        for token in &self.typed.tokens {
            let said = self.typed.surface(token.start, token.end);
            let wanted = match token.kind {
                Kind::Whole | Kind::Joined => token.text.clone(),
                Kind::Number if token.text.len() > 3 => token.text.clone(),
                // `LOS` typed in capitals is a code, `los` is a word.
                Kind::Word if said.len() > 1 && said.bytes().all(|b| b.is_ascii_uppercase()) => tokens::exact(&said),
                Kind::Bigram | Kind::Single | Kind::Unigram | Kind::Word | Kind::Number | Kind::Part => continue,
            };
            self.code(plan, &wanted, &said, (token.start, token.end));
        }
        self.spaced_codes(plan);
    }

    /// Codes that are typed in pieces, `42 315` or `ALM 256 21`: two or three neighbours, one character apart, that together are a code of
    /// some case. One has a digit: `link down` is first of all two words.
    fn spaced_codes(&self, plan: &mut Plan) {
        let pieces = self.typed.tokens.iter().filter(|token| matches!(token.kind, Kind::Word | Kind::Number | Kind::Whole));
        let mut places: Vec<_> = pieces.map(|token| (token.start, token.end)).collect();
        places.sort_by_key(|(start, end)| (*start, std::cmp::Reverse(*end)));
        places.dedup_by(|piece, whole| piece.1 <= whole.1);
        for neighbours in (2..=3).flat_map(|many| places.windows(many)) {
            let is_close = neighbours.windows(2).all(|pair| matches!(pair, [(_, end), (start, _)] if *start == end + 1));
            if let ([(start, _), .., (_, end)], true) = (neighbours, is_close) {
                let said = self.typed.surface(*start, *end);
                let is_known = plan.senses.iter().any(|sense| sense.start <= *start && sense.end >= *end);
                if !is_known && said.bytes().any(|b| b.is_ascii_digit()) {
                    self.code(plan, &tokens::exact(&said), &said, (*start, *end));
                }
            }
        }
    }

    fn code(&self, plan: &mut Plan, token: &str, said: &str, (start, end): (usize, usize)) {
        let term = fields::code_term(token);
        let is_known = plan.terms.contains(&term);
        if plan.senses.len() < MOST_CODES && token.chars().count() > 1 && !is_known && self.index.frequency(&term) > 0 {
            // So that its gain is the tier, whatever its frequency: codes stand once in a case, at full weight.
            plan.add(SenseKind::Code(said.to_owned()), (start, end), 0.0, vec![vec![Weighted { term, weight: CODE_TIER }]]);
        }
    }

    /// The terms worth asking: each once, no function words, no common ones, the rarest first.
    fn terms(&self, plan: &mut Plan) -> Vec<(u32, &Token)> {
        let is_grammar = |token: &Token| matches!(token.kind, Kind::Word | Kind::Bigram) && tokens::is_function_word(&token.text);
        let says_something = self.typed.tokens.iter().any(|token| token.kind != Kind::Unigram && !is_grammar(token));
        let (mut seen, mut terms) = (HashSet::new(), Vec::new());
        for token in self.typed.tokens.iter().filter(|token| !(says_something && is_grammar(token))) {
            if !seen.insert(token.text.as_str()) {
                continue;
            }
            match self.index.frequency(&token.text) {
                0 => plan.unknown += self.missing(token),
                cases => terms.push((cases, token)),
            }
        }
        terms.sort_by_key(|(cases, token)| (*cases, token.start));
        let is_rare = |cases: u32| self.index.documents() < SMALL_LIBRARY || cases.saturating_mul(COMMON) <= self.index.documents();
        let rare = terms.iter().filter(|(cases, _)| is_rare(*cases)).count();
        if rare >= RARER {
            let common = terms.split_off(rare);
            let words = common.iter().filter(|(_, token)| token.kind != Kind::Unigram);
            plan.dropped = words.map(|(_, token)| self.typed.surface(token.start, token.end)).collect();
        }
        let (characters, words): (Vec<_>, Vec<_>) = terms.into_iter().partition(|(_, token)| token.kind == Kind::Unigram);
        words.into_iter().take(MOST_TERMS).chain(characters.into_iter().take(MOST_TERMS)).collect()
    }

    /// What a term that no case has takes from the certainty of an answer. Of two characters that no case has side by side, each may
    /// still be there; of an identifier that is written in three ways, each counts once.
    fn missing(&self, token: &Token) -> f32 {
        match token.kind {
            Kind::Word | Kind::Whole | Kind::Unigram | Kind::Single => self.rarity(0) * gain(IN_TITLE),
            Kind::Bigram => 0.25 * self.rarity(0) * gain(IN_TITLE),
            Kind::Number | Kind::Joined | Kind::Part => 0.0,
        }
    }

    /// The words of the question, with their synonyms.
    fn words(&self, plan: &mut Plan, mut free: Vec<(u32, &Token)>) {
        let mut synonyms = 0;
        for found in self.table.find(self.typed) {
            let is_inside = |token: &Token| token.start >= found.start && token.end <= found.end;
            let (inside, outside): (Vec<_>, Vec<_>) = free.into_iter().partition(|(_, token)| is_inside(token));
            free = outside;
            // Of a known word, a lone character says nothing: 丢 is not 丢包.
            let own = inside.iter().filter(|(_, token)| token.kind != Kind::Unigram);
            let own: Vec<_> = own.map(|(cases, token)| self.own(token, *cases)).collect();
            let mut ways = if own.is_empty() { Vec::new() } else { vec![own] };
            for other in self.table.others(&found) {
                let way = self.way(&other.tokens);
                if synonyms < MOST_SYNONYMS && !way.is_empty() {
                    synonyms += 1;
                    ways.push(way);
                }
            }
            let (start, end) = (found.start, found.end);
            plan.say(SenseKind::Phrase(found), (start, end), ways);
        }
        free.sort_by_key(|(_, token)| token.start);
        for (cases, token) in free {
            let mut ways = vec![vec![self.own(token, cases)]];
            ways.extend(self.endings(token));
            plan.say(SenseKind::Word, (token.start, token.end), ways);
        }
        self.guesses(plan);
    }

    fn weighted(&self, term: &str, cases: u32, weight: f32) -> Weighted {
        Weighted { term: term.to_owned(), weight: weight * self.rarity(cases) }
    }

    fn own(&self, token: &Token, cases: u32) -> Weighted {
        self.weighted(&token.text, cases, if token.kind == Kind::Unigram { CHARACTER_WEIGHT } else { 1.0 })
    }

    /// Another way to say something: nothing when a part of it is in no case, or all of it is common.
    fn way(&self, tokens: &[String]) -> Vec<Weighted> {
        let telling = tokens.iter().filter(|token| !tokens::is_function_word(token));
        let ways: Option<Vec<_>> = telling
            .map(|token| match self.index.frequency(token) {
                0 => None,
                cases => Some(self.weighted(token, cases, SYNONYM_WEIGHT)),
            })
            .collect();
        ways.unwrap_or_default()
    }

    /// What the last word may become, while somebody types.
    fn endings(&self, token: &Token) -> Vec<Vec<Weighted>> {
        let is_last = self.typing && token.kind == Kind::Word && self.typed.ends_at(token.end);
        if !is_last {
            return Vec::new();
        }
        self.begun(token)
    }

    fn begun(&self, token: &Token) -> Vec<Vec<Weighted>> {
        let beginning = self.typed.folded(token.start, token.end);
        let words = self.index.starting_with(&beginning, MOST_ENDINGS);
        words.iter().map(|word| vec![self.weighted(word, self.index.frequency(word), 1.0)]).collect()
    }

    /// Words that no case has: what they begin, while somebody types; what they may have been meant for, when that is wanted.
    fn guesses(&self, plan: &mut Plan) {
        let unknown = self.typed.tokens.iter().filter(|token| token.kind == Kind::Word && self.index.frequency(&token.text) == 0);
        for token in unknown {
            if self.typing && self.typed.ends_at(token.end) {
                plan.say(SenseKind::Word, (token.start, token.end), self.begun(token));
            }
            if !self.guess {
                continue;
            }
            let near = self.index.near(&token.text, MOST_GUESSES);
            if let Some(best) = near.first() {
                plan.corrected.push((self.typed.surface(token.start, token.end), best.clone()));
                let ways = near.iter().map(|word| vec![self.weighted(word, self.index.frequency(word), GUESS_WEIGHT)]);
                plan.say(SenseKind::Word, (token.start, token.end), ways.collect());
            }
        }
    }

    /// Known equipment raises what was found, and finds nothing alone.
    fn equipment(&self, plan: &mut Plan, names: &[String]) {
        for name in names {
            let analysis = tokens::analyse(name);
            let identifiers =
                analysis.tokens.iter().filter(|token| matches!(token.kind, Kind::Whole | Kind::Joined | Kind::Word | Kind::Bigram));
            let way: Vec<_> = identifiers
                .filter_map(|token| Some((self.index.frequency(&token.text), token)).filter(|(cases, _)| *cases > 0))
                .map(|(cases, token)| self.weighted(&token.text, cases, 0.5))
                .collect();
            if !way.is_empty() {
                plan.add(SenseKind::Equipment(name.clone()), (0, 0), 0.0, vec![way]);
            }
        }
    }
}

impl Plan {
    fn say(&mut self, kind: SenseKind, place: (usize, usize), ways: Vec<Vec<Weighted>>) {
        let best = ways.iter().map(|way| way.iter().map(|term| term.weight).sum::<f32>()).fold(0.0, f32::max);
        if !ways.is_empty() {
            self.add(kind, place, best * gain(IN_TITLE), ways);
        }
    }

    fn add(&mut self, kind: SenseKind, (start, end): (usize, usize), worth: f32, alternatives: Vec<Vec<Weighted>>) {
        if self.clauses.len() < MOST_CLAUSES {
            self.terms.extend(alternatives.iter().flatten().map(|weighted| weighted.term.clone()));
            self.clauses.push(Clause { alternatives });
            self.senses.push(Sense { kind, start, end, worth });
        }
    }

    /// What a case would score that says every word of the question once, in its title.
    pub fn perfect(&self) -> f32 {
        self.unknown + self.senses.iter().map(|sense| sense.worth).sum::<f32>()
    }

    /// The part of the question, by the worth of its words, that these clauses are.
    pub fn coverage(&self, matched: u64) -> f32 {
        let perfect = self.perfect();
        let met = self.matched(matched).map(|sense| sense.worth).sum::<f32>();
        if perfect > 0.0 { met / perfect } else { 0.0 }
    }

    /// Phrases of the table of synonyms that the question uses.
    pub fn phrases(&self) -> impl Iterator<Item = &synonyms::Found> {
        self.senses.iter().filter_map(|sense| match &sense.kind {
            SenseKind::Phrase(found) => Some(found),
            SenseKind::Code(_) | SenseKind::Word | SenseKind::Equipment(_) => None,
        })
    }

    pub fn matched(&self, matched: u64) -> impl Iterator<Item = &Sense> {
        self.senses.iter().enumerate().filter(move |(at, _)| matched >> at & 1 == 1).map(|(_, sense)| sense)
    }
}

/// The index has a bit for each.
const MOST_CLAUSES: usize = 64;

/// What BM25 makes of a frequency.
fn gain(frequency: f32) -> f32 {
    // The index saturates so: its `K1` is 1.2.
    frequency * 2.2 / (frequency + 1.2)
}

/// Cases are counted in `u32`; beyond 16 million the last digits don't matter.
#[expect(clippy::cast_precision_loss, reason = "a count's logarithm needs no last digit")]
fn ratio(cases: u32) -> f32 {
    cases as f32
}

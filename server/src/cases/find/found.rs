//! What was found so far, and what becomes of it: the order, the reasons, the notes.

use std::collections::HashMap;
use std::sync::Arc;

use lineman_common::Printable;
use lineman_common::api::{CaseAnswer, CaseBody, CaseFacet, CaseHit, FacetCount, FacetCounts, NoteKind, SearchNote};
use lineman_common::name::CaseNumber;

use super::highlight::{Marked, Marker};
use super::plan::{Plan, Sense, SenseKind};
use super::{Ask, fields, prefers_chinese, rank, requirements, said, says, sql, title};
use crate::search::index::{self, Among, Facet, Require};
use crate::search::synonyms::Synonyms;
use crate::search::tokens::{self, Analysis};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// Hits of the index that are looked at beyond those that are wanted, so that history and fit can move them.
const MARGIN: usize = 20;
/// From a fault more are looked at: equipment and alarms decide more than words.
const MARGIN_OF_FAULT: usize = 60;
const MOST_REASONS: usize = 12;
/// Numbers of cases in one question.
const MOST_NUMBERS: usize = 20;

/// Cases found so far.
#[derive(Default)]
pub struct Found {
    pub plan: Plan,
    /// Without words, what passes the filters is all that is asked.
    pub has_words: bool,
    pub hits: HashMap<u32, Hit>,
    total: u32,
    facets: Vec<FacetCounts>,
    pub notes: Vec<SearchNote>,
    /// The nearest case is nearer by meaning than what has nothing to do with the question.
    is_meant: bool,
}

#[derive(Clone, Copy, Default)]
pub struct Hit {
    score: f32,
    pub matched: u64,
    /// It was asked for by its number.
    by_number: bool,
    by_meaning: bool,
}

impl Found {
    pub fn of(plan: Plan, has_words: bool) -> Self {
        Self { plan, has_words, ..Self::default() }
    }

    pub fn ask(&mut self, index: &index::Index, ask: &Ask<'_>, among: &Arc<[Among]>, scope: &Scope) {
        let margin = if ask.about.is_empty() { MARGIN } else { MARGIN_OF_FAULT };
        let counted = fields::FACETS.into_iter().filter(|facet| *facet != CaseFacet::Audience || scope.sees_internal());
        let counted: Vec<CaseFacet> = if ask.facets { counted.collect() } else { Vec::new() };
        if self.has_words && self.plan.clauses.is_empty() {
            return;
        }
        let mut require = requirements(ask);
        if !self.has_words && ask.filters.is_empty() {
            let facet = fields::facet(CaseFacet::State);
            require.push(Require { facet, accept: Box::new(|state| state == "validated"), negate: false });
        }
        let count: Vec<Facet> = counted.iter().map(|facet| fields::facet(*facet)).collect();
        let clauses = std::mem::take(&mut self.plan.clauses);
        let question = index::Question { clauses, require, among: among.clone(), want: ask.limit + margin, count };
        let answer = index.search(&question);
        self.plan.clauses = question.clauses;
        self.total = answer.total;
        for hit in answer.hits {
            self.hits.insert(hit.key, Hit { score: hit.score, matched: hit.matched, ..Hit::default() });
        }
        let value = |(value, count): (String, u32)| FacetCount { value: value.into(), count };
        let facets = counted.into_iter().zip(answer.facets);
        self.facets = facets.map(|(facet, (_, values))| FacetCounts { facet, values: values.into_iter().map(value).collect() }).collect();
    }

    pub fn has_code(&self) -> bool {
        self.plan.senses.iter().any(|sense| matches!(sense.kind, SenseKind::Code(_)))
    }

    /// The part of the question that the best case by words says.
    pub fn coverage(&self) -> f32 {
        if self.has_code() {
            return 1.0;
        }
        self.hits.values().map(|hit| self.plan.coverage(hit.matched)).fold(0.0, f32::max)
    }

    /// Adds what is near by meaning.
    pub fn mean(&mut self, weight: f32, near: &[(u32, f32)], similarity: impl Fn(u32) -> Option<f32>) {
        let (Some((_, first)), Some((_, last))) = (near.first(), near.last()) else { return };
        let spread = (first - last).max(rank::SPREAD);
        let gain = |cosine: f32| weight * self.plan.perfect() * ((cosine - last) / spread).clamp(0.0, 1.0);
        let mut gains: HashMap<u32, f32> = near.iter().map(|(key, cosine)| (*key, gain(*cosine))).collect();
        for key in self.hits.keys() {
            if let std::collections::hash_map::Entry::Vacant(free) = gains.entry(*key)
                && let Some(cosine) = similarity(*key)
            {
                free.insert(gain(cosine));
            }
        }
        for (key, gain) in gains {
            if let Some(hit) = self.hits.get_mut(&key) {
                hit.score += gain;
                hit.by_meaning = gain > 0.0;
            } else if gain > 0.0 {
                self.total += 1;
                self.hits.insert(key, Hit { score: gain, by_meaning: true, ..Hit::default() });
            }
        }
        self.is_meant = *first >= rank::MEANT;
    }

    /// `C-0042` in a question means that case, also when it is out of use.
    pub fn numbers(&mut self, db: &Db<'_>, scope: &Scope, ask: &Ask<'_>, text: &str) -> Result<(), StoreError> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| word.len() > 2);
        let numbers = words.filter_map(|word| word.to_ascii_uppercase().parse::<CaseNumber>().ok());
        for number in numbers.take(MOST_NUMBERS) {
            if !ask.filters.is_empty() && !self.hits.contains_key(&number.0) {
                continue;
            }
            if sql::facts(db, scope, number)?.is_some() {
                let hit = self.hits.entry(number.0).or_insert_with(|| {
                    self.total += 1;
                    Hit::default()
                });
                if !hit.by_number {
                    hit.by_number = true;
                    hit.score += rank::NUMBER_TIER;
                }
            }
        }
        Ok(())
    }

    /// The order, and what is told of each hit.
    pub fn answer(
        mut self,
        db: &Db<'_>,
        scope: &Scope,
        ask: &Ask<'_>,
        table: &Synonyms,
        typed: &Analysis,
    ) -> Result<CaseAnswer, StoreError> {
        let prefers_chinese = prefers_chinese(ask.text);
        let mut marker = Marker::new(&self.plan.terms, table, self.plan.phrases().collect());
        let mut ranked = Vec::new();
        for (key, hit) in self.candidates(ask) {
            let number = CaseNumber(key);
            let Some(facts) = sql::facts(db, scope, number)? else { continue };
            // Of most of these nothing else is shown, so their texts are read only where the order needs them.
            let (fit, reasons) = if ask.about.is_empty() { (0.0, Vec::new()) } else { rank::fit(&sql::body(db, number)?, &ask.about) };
            let quoted = if ask.quoted.is_empty() { 0 } else { quoted(&sql::body(db, number)?, &ask.quoted) };
            let quoted = rank::QUOTED * f32::from(u8::try_from(quoted).unwrap_or(u8::MAX));
            let history = if self.has_words { rank::worth(&facts, db.now()) } else { 0.0 };
            ranked.push((key, hit, hit.score + fit + quoted + history, facts, reasons));
        }
        // Without words, the index's order is the newest first.
        ranked.sort_by(|(a, _, x, ..), (b, _, y, ..)| y.total_cmp(x).then(b.cmp(a)));
        ranked.truncate(ask.limit);
        let mut items = Vec::new();
        for (key, hit, score, facts, reasons) in ranked {
            let body: CaseBody = sql::body(db, CaseNumber(key))?;
            let (language, title) = title(&body, prefers_chinese);
            let marked = if self.has_words { marker.mark(&body) } else { Marked::default() };
            items.push(CaseHit {
                number: CaseNumber(key),
                title,
                language,
                state: facts.state,
                score: f64::from(score),
                why: self.why(key, hit, &marked, reasons, typed),
                solved: if scope.sees_internal() { facts.solved } else { sql::solved_for(db, scope, CaseNumber(key))? },
                highlights: marked.highlights,
            });
        }
        self.tell(&items);
        Ok(CaseAnswer { items, total: self.total, facets: self.facets, notes: self.notes })
    }

    /// The best so far, without what only shares a word or the equipment when similar cases are wanted.
    fn candidates(&self, ask: &Ask<'_>) -> Vec<(u32, Hit)> {
        let says_something = |hit: &Hit| {
            let told = self.plan.matched(hit.matched).any(|sense| !matches!(sense.kind, SenseKind::Equipment(_)));
            told || hit.by_number || hit.by_meaning || !self.has_words
        };
        let mut hits: Vec<_> = self.hits.iter().map(|(key, hit)| (*key, *hit)).filter(|(_, hit)| says_something(hit)).collect();
        hits.sort_by(|(a, x), (b, y)| y.score.total_cmp(&x.score).then(b.cmp(a)));
        if ask.only_similar {
            let said = |hit: &Hit| self.plan.coverage(hit.matched);
            let best = hits.iter().map(|(_, hit)| said(hit)).fold(0.0, f32::max);
            let has_code = |hit: &Hit| self.plan.matched(hit.matched).any(|sense| matches!(sense.kind, SenseKind::Code(_)));
            let is_similar = |hit: &Hit| said(hit) > 0.0 && said(hit) >= best * rank::SIMILAR;
            hits.retain(|(_, hit)| has_code(hit) || hit.by_number || hit.by_meaning && self.is_meant || is_similar(hit));
        }
        hits.truncate(ask.limit + MARGIN_OF_FAULT);
        hits
    }

    /// What is told of the whole answer.
    fn tell(&mut self, items: &[CaseHit]) {
        let printable = |words: &[String]| -> Vec<Printable> { words.iter().map(|word| Printable::from(word.as_str())).collect() };
        let dropped = printable(&self.plan.dropped);
        if !dropped.is_empty() {
            let text = format!("{} left out: too many cases have it to tell them apart", said(&dropped, "was", "were"));
            self.notes.push(SearchNote { kind: NoteKind::Dropped, text: text.into(), words: dropped });
        }
        for (word, meant) in &self.plan.corrected {
            let text = format!("no case has `{word}`: cases with `{meant}` are shown");
            self.notes.push(SearchNote { kind: NoteKind::Corrected, text: text.into(), words: printable(std::slice::from_ref(word)) });
        }
        let is_confident = self.coverage() >= rank::FLOOR || self.is_meant || self.hits.values().any(|hit| hit.by_number);
        if self.has_words && (items.is_empty() || !is_confident) {
            let text = if items.is_empty() { "no case matches" } else { "no confident match: these cases share little with the question" };
            self.notes.push(SearchNote { kind: NoteKind::NoConfidentMatch, text: text.into(), words: Vec::new() });
        }
    }

    /// What matched: codes first, then what the fault brought, then the question's own words in their order, then synonyms.
    fn why(&self, key: u32, hit: Hit, marked: &Marked, fits: Vec<String>, typed: &Analysis) -> Vec<Printable> {
        let mut told = Told::default();
        let mut phrases = 0;
        for (at, sense) in self.plan.senses.iter().enumerate() {
            let is_met = hit.matched >> at & 1 == 1;
            match &sense.kind {
                SenseKind::Code(said) if is_met => told.codes.push(said.clone()),
                SenseKind::Equipment(name) if is_met => told.equipment.push(name.clone()),
                SenseKind::Word if is_met && sense.end - sense.start > 1 => told.words.push((sense.start, sense.end)),
                SenseKind::Word if is_met => told.characters.push((sense.start, sense.end)),
                SenseKind::Code(_) | SenseKind::Equipment(_) | SenseKind::Word => {}
                SenseKind::Phrase(_) => {
                    told.phrase(sense, phrases, marked, typed);
                    phrases += 1;
                }
            }
        }
        let number = hit.by_number.then(|| CaseNumber(key).to_string());
        let words = merge(if told.words.is_empty() { told.characters } else { told.words });
        // A lone letter or digit matched, but explains nothing.
        let telling = |reason: &String| reason.chars().count() > 1 || !reason.is_ascii();
        let words = words.into_iter().map(|(start, end)| typed.surface(start, end)).filter(telling);
        let all = number.into_iter().chain(told.codes).chain(fits).chain(told.equipment).chain(words).chain(told.others);
        let mut reasons: Vec<String> = Vec::new();
        for reason in all {
            if !reasons.iter().any(|known| known.eq_ignore_ascii_case(&reason)) {
                reasons.push(reason);
            }
        }
        if hit.by_meaning && reasons.is_empty() {
            reasons.push("meaning".to_owned());
        }
        reasons.truncate(MOST_REASONS);
        reasons.into_iter().map(Printable::new).collect()
    }
}

/// How many phrases stand in a case as they are.
fn quoted(body: &CaseBody, phrases: &[&str]) -> usize {
    phrases.iter().filter(|phrase| says(body, phrase)).count()
}

/// Reasons, by their kind.
#[derive(Default)]
struct Told {
    codes: Vec<String>,
    equipment: Vec<String>,
    words: Vec<(usize, usize)>,
    characters: Vec<(usize, usize)>,
    /// Synonyms.
    others: Vec<String>,
}

impl Told {
    /// A phrase of the table of synonyms, the `which`th of the question: the case says its words, or another phrase for it.
    fn phrase(&mut self, sense: &Sense, which: usize, marked: &Marked, typed: &Analysis) {
        let inside = typed.tokens.iter().filter(|token| token.start >= sense.start && token.end <= sense.end);
        let own: Vec<_> = inside.filter(|token| marked.seen.contains(&token.text)).map(|token| (token.start, token.end)).collect();
        if own.is_empty() {
            let said = typed.surface(sense.start, sense.end);
            let other = marked.phrases.iter().find(|(place, text)| *place == which && tokens::letters(text) != tokens::letters(&said));
            self.others.extend(other.map(|(_, text)| format!("{said} ≈ {text}")));
        }
        self.words.extend(own.iter().filter(|(start, end)| end - start > 1));
    }
}

/// Bigrams that share a character become the words they were cut from.
fn merge(mut spans: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    spans.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for (start, end) in spans {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meaning_adds_what_words_miss_and_raises_what_they_found() {
        let plan = Plan { unknown: 10.0, ..Plan::default() };
        let known = Hit { score: 1.0, ..Hit::default() };
        let mut found = Found { plan, has_words: true, total: 2, hits: HashMap::from([(1, known), (9, known)]), ..Found::default() };
        found.mean(0.5, &[(2, 0.90), (1, 0.85), (3, 0.80)], |key| (key == 9).then_some(0.7));
        let score = |key: u32| found.hits.get(&key).map_or(0.0, |hit| hit.score);
        assert!((score(2) - 5.0).abs() < 1e-3 && (score(1) - 3.5).abs() < 1e-3 && (score(9) - 1.0).abs() < 1e-3);
        assert!(!found.hits.contains_key(&3), "the farthest of the neighbours is only the nearest of the rest");
        assert!(found.total == 3 && found.is_meant && found.hits[&2].by_meaning && !found.hits[&9].by_meaning);
    }

    #[test]
    fn a_model_that_spreads_wider_is_measured_by_its_own_spread() {
        let mut found = Found { plan: Plan { unknown: 10.0, ..Plan::default() }, has_words: true, ..Found::default() };
        found.mean(0.5, &[(1, 0.6), (2, 0.4), (3, 0.2)], |_| None);
        assert!((found.hits[&1].score - 5.0).abs() < 1e-3 && (found.hits[&2].score - 2.5).abs() < 1e-3);
    }
}

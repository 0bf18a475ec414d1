//! Documents in a map, and every question a loop over all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::level::{gain, level, unit};
use super::super::*;

#[derive(Default)]
pub struct Model {
    documents: BTreeMap<u32, Document>,
}

impl Model {
    pub fn put(&mut self, mut document: Document) {
        document.terms.retain(|(_, x)| *x > 0.0);
        self.documents.insert(document.key, document);
    }

    pub fn remove(&mut self, key: u32) {
        self.documents.remove(&key);
    }

    pub fn documents(&self) -> u32 {
        u32::try_from(self.documents.len()).unwrap()
    }

    pub fn frequency(&self, term: &str) -> u32 {
        let with = self.documents.values().filter(|document| document.terms.iter().any(|(own, _)| own.as_str() == term));
        u32::try_from(with.count()).unwrap()
    }

    pub fn near(&self, word: &str, most: usize) -> Vec<String> {
        let Some(allowed) = near::allowed(word) else { return Vec::new() };
        let terms: BTreeSet<&str> =
            self.documents.values().flat_map(|document| document.terms.iter().map(|(term, _)| term.as_str())).collect();
        let latin = terms.into_iter().filter(|term| *term != word && term.as_bytes()[0].is_ascii_lowercase());
        let close = latin.filter_map(|term| Some((near::distance(word.as_bytes(), term.as_bytes(), allowed)?, term)));
        let mut close: Vec<_> = close.map(|(far, term)| (far, u32::MAX - self.frequency(term), term.to_owned())).collect();
        close.sort();
        close.into_iter().take(most).map(|(.., term)| term).collect()
    }

    pub fn passes(&self, key: u32, require: &[Require]) -> bool {
        self.documents.get(&key).is_some_and(|document| passes(document, require))
    }

    pub fn search(&self, question: &Question) -> Answer {
        let mut answer = Answer::default();
        let mut counts: HashMap<&Tag, u32> = HashMap::new();
        let is_among = |document: &&Document| question.among.iter().all(|among| among.has(document.key));
        for document in self.documents.values().filter(is_among).filter(|document| passes(document, &question.require)) {
            let scored = score(document, &question.clauses);
            if scored.matched == 0 && !question.clauses.is_empty() {
                continue;
            }
            answer.total += 1;
            for tag in &document.tags {
                *counts.entry(tag).or_default() += 1;
            }
            answer.hits.push(scored);
        }
        answer.hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.key.cmp(&a.key)));
        answer.hits.truncate(question.want);
        for facet in &question.count {
            let mut values: Vec<_> =
                counts.iter().filter(|(tag, _)| tag.facet == *facet).map(|(tag, count)| (tag.value.clone(), *count)).collect();
            values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            answer.facets.push((*facet, values));
        }
        answer
    }
}

fn passes(document: &Document, require: &[Require]) -> bool {
    let accepted = |require: &Require| {
        let mut values = document.tags.iter().filter(|tag| tag.facet == require.facet);
        values.any(|tag| (require.accept)(&tag.value)) != require.negate
    };
    require.iter().all(accepted)
}

fn score(document: &Document, clauses: &[Clause]) -> Scored {
    let mut scored = Scored { key: document.key, score: 0.0, matched: 0 };
    let level_of = |term: &str| document.terms.iter().find(|(own, _)| own.as_str() == term).and_then(|(_, x)| level(*x));
    for (at, clause) in clauses.iter().enumerate() {
        let sum = |terms: &Vec<Weighted>| {
            let gains = terms.iter().filter_map(|asked| Some(gain(unit(asked.weight), level_of(&asked.term)?)));
            gains.fold(None, |sum: Option<f32>, gain| Some(sum.unwrap_or(0.0) + gain))
        };
        if let Some(best) = clause.alternatives.iter().filter_map(sum).max_by(f32::total_cmp) {
            scored.score += best;
            scored.matched |= 1 << at;
        }
    }
    scored
}

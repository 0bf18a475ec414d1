//! Open faults that may be the same trouble as one that is being filed.
//!
//! Only faults of the same customer are looked at, so nothing here depends on what others have filed: not the list, not the scores, and
//! not the work. Their words are put into an index of their own, made for the question; three things speak for a fault:
//!
//! - **place**: the same equipment, its parent or a child of it, or what hangs on the same parent;
//! - **alarms**: of the same types;
//! - **words**: how much of what was typed it says, where words that many of the open faults say count for little.
//!
//! A fault on the same equipment is always worth a look. Elsewhere the place or the alarms alone say too little.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use lineman_common::Printable;
use lineman_common::api::{Fault, OpenDuplicate};
use lineman_common::id::{CustomerId, EquipmentId, FaultId};

use super::{Error, sql};
use crate::faults::{self, Filter};
use crate::search::index::{Clause, Document, Index, Question, Weighted};
use crate::search::tokens::{self, Analysis, Kind, Token};
use crate::store::Db;
use crate::web::Scope;

/// The newest open faults that are compared; more would take longer than a person types.
const MOST_OPEN: u32 = 300;
/// Older ones that are compared as well: they are near in the tree of equipment, or have an alarm of the same type.
const MOST_OLDER: usize = 200;
/// A question's terms; the index takes no more.
const MOST_TERMS: usize = 64;
const LONGEST_TEXT: usize = 4_000;
const MOST_WORDS: usize = 5;
/// A title says more than a description.
const TITLE: f32 = 2.0;

/// How much each can take from the doubt.
const BY_WORDS: f64 = 0.7;
const BY_PLACE: f64 = 0.6;
const BY_ALARMS: f64 = 0.6;

/// Enough words to be the same trouble anywhere; and beside other signs.
const SAME_WORDS: f64 = 0.4;
const SOME_WORDS: f64 = 0.15;

/// What is known of a trouble.
#[derive(Debug)]
pub struct Trouble<'a> {
    pub customer: CustomerId,
    pub text: &'a str,
    pub equipment: Option<EquipmentId>,
    /// Types of the alarms that belong to it.
    pub alarms: HashSet<String>,
    /// When it is a fault already.
    pub fault: Option<FaultId>,
}

/// Open faults that may be the same, the likeliest first.
pub fn open(db: &Db<'_>, trouble: &Trouble<'_>, limit: usize) -> Result<Vec<OpenDuplicate>, Error> {
    let filter = Filter { open: true, limit: MOST_OPEN, ..Filter::default() };
    let mut faults = faults::list(db, &Scope::Customer(trouble.customer), &filter)?;
    faults.retain(|fault| Some(fault.id) != trouble.fault);
    let places = sql::places_of_open(db, trouble.customer)?;
    let alarms = sql::alarms_of_open(db, trouble.customer)?;
    let own = match trouble.equipment {
        Some(id) => sql::ancestors(db, id)?,
        None => Vec::new(),
    };
    let none = HashSet::new();
    if faults.len() + 1 >= MOST_OPEN as usize {
        let known: HashSet<FaultId> = faults.iter().map(|fault| fault.id).chain(trouble.fault).collect();
        let by_place = places.iter().filter(|(_, place)| near(&own, place) != Near::Unknown).map(|(id, _)| *id);
        let by_alarms = alarms.iter().filter(|(_, types)| !types.is_disjoint(&trouble.alarms)).map(|(id, _)| *id);
        let older: BTreeSet<FaultId> = by_place.chain(by_alarms).filter(|id| !known.contains(id)).collect();
        // Ids rise with time.
        for id in older.into_iter().rev().take(MOST_OLDER) {
            faults.push(faults::get(db, &Scope::Customer(trouble.customer), &faults::Reference::Id(id))?);
        }
    }
    let words = words(trouble.text, &faults);
    let mut found: Vec<OpenDuplicate> = Vec::new();
    for (at, fault) in (0u32..).zip(&faults) {
        let near = places.get(&fault.id).map_or(Near::Unknown, |place| near(&own, place));
        let signs = Signs { near, alarms: common(&trouble.alarms, alarms.get(&fault.id).unwrap_or(&none)), words: words.get(&at) };
        if signs.are_enough() {
            found.push(signs.told(fault));
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.reported_at.cmp(&a.reported_at)));
    found.truncate(limit);
    Ok(found)
}

/// How far two pieces of equipment are from one another in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Near {
    Same,
    /// The other is the parent.
    Parent,
    Child,
    /// Two steps: they hang on the same, or one hangs on what hangs on the other.
    Relative,
    Unknown,
}

/// Each is a chain: the equipment, its parent, the parent's.
fn near(own: &[EquipmentId], other: &[EquipmentId]) -> Near {
    let steps = own.iter().enumerate().find_map(|(up, id)| other.iter().position(|known| known == id).map(|down| (up, down)));
    match steps {
        Some((0, 0)) => Near::Same,
        Some((1, 0)) => Near::Parent,
        Some((0, 1)) => Near::Child,
        Some((up, down)) if up + down == 2 => Near::Relative,
        Some(_) | None => Near::Unknown,
    }
}

/// Alarm types of both, and which part of all they are.
struct Common {
    types: Vec<String>,
    part: f64,
}

fn common(one: &HashSet<String>, other: &HashSet<String>) -> Common {
    let mut types: Vec<String> = one.intersection(other).cloned().collect();
    types.sort();
    let all = one.union(other).count();
    #[expect(clippy::cast_precision_loss, reason = "a handful of alarm types")]
    let part = if all == 0 { 0.0 } else { types.len() as f64 / all as f64 };
    Common { types, part }
}

struct Signs<'a> {
    near: Near,
    alarms: Common,
    words: Option<&'a Said>,
}

impl Signs<'_> {
    fn place(&self) -> f64 {
        match self.near {
            Near::Same => 1.0,
            Near::Parent | Near::Child => 0.7,
            Near::Relative => 0.4,
            Near::Unknown => 0.0,
        }
    }

    fn part(&self) -> f64 {
        self.words.map_or(0.0, |said| said.part)
    }

    fn are_enough(&self) -> bool {
        let some = self.part() >= SOME_WORDS;
        let has_alarms = !self.alarms.types.is_empty();
        match self.near {
            Near::Same => true,
            Near::Parent | Near::Child | Near::Relative => some || has_alarms,
            Near::Unknown => self.part() >= SAME_WORDS || (some && has_alarms),
        }
    }

    fn told(self, fault: &Fault) -> OpenDuplicate {
        let doubt = (1.0 - BY_WORDS * self.part()) * (1.0 - BY_PLACE * self.place()) * (1.0 - BY_ALARMS * self.alarms.part);
        let place = match self.near {
            Near::Same => Some("same equipment"),
            Near::Parent => Some("its parent"),
            Near::Child => Some("hangs on it"),
            Near::Relative => Some("near it in the equipment tree"),
            Near::Unknown => None,
        };
        let words = self.words.map(|said| said.words.clone()).unwrap_or_default();
        let why = place.map(str::to_owned).into_iter().chain(self.alarms.types).chain(words);
        OpenDuplicate {
            number: fault.number.clone(),
            title: fault.title.clone(),
            status: fault.status,
            equipment: fault.equipment.clone(),
            reported_at: fault.reported_at,
            score: ((1.0 - doubt) * 1e4).round() / 1e4,
            why: why.map(Printable::from).collect(),
        }
    }
}

/// What a fault says of the question.
struct Said {
    /// Which part of the question's weight.
    part: f64,
    words: Vec<String>,
}

/// A term of the question, and where it stands.
struct Term<'a> {
    token: &'a Token,
    weight: f32,
}

/// For each fault, by its place in the list, what it says of the question.
fn words(text: &str, faults: &[Fault]) -> HashMap<u32, Said> {
    let text: String = text.chars().take(LONGEST_TEXT).collect();
    let typed = tokens::analyse(&text);
    let mut index = Index::new();
    for (key, fault) in (0u32..).zip(faults) {
        index.put(document(key, fault));
    }
    let terms = terms(&typed, &index);
    let whole: f32 = terms.iter().map(|term| term.weight).sum();
    let clause = |term: &Term<'_>| Clause { alternatives: vec![vec![Weighted { term: term.token.text.clone(), weight: term.weight }]] };
    let question = Question { clauses: terms.iter().map(clause).collect(), want: faults.len(), ..Question::default() };
    if question.clauses.is_empty() {
        return HashMap::new();
    }
    index.search(&question).hits.into_iter().map(|hit| (hit.key, said(&typed, &terms, whole, hit.matched))).collect()
}

fn said(typed: &Analysis, terms: &[Term<'_>], whole: f32, matched: u64) -> Said {
    let matched: Vec<&Term<'_>> = terms.iter().enumerate().filter(|(at, _)| matched >> at & 1 == 1).map(|(_, term)| term).collect();
    let weight: f32 = matched.iter().map(|term| term.weight).sum();
    // Neighbours in the question are one word to its reader.
    let mut stretches: BTreeMap<usize, usize> = BTreeMap::new();
    for term in matched {
        let end = stretches.entry(term.token.start).or_default();
        *end = term.token.end.max(*end);
    }
    let mut words: Vec<(usize, usize)> = Vec::new();
    for (start, end) in stretches {
        match words.last_mut() {
            Some(last) if start <= last.1 + 1 => last.1 = last.1.max(end),
            Some(_) | None => words.push((start, end)),
        }
    }
    let words = words.into_iter().map(|(start, end)| typed.surface(start, end)).filter(|word| word.chars().count() > 1);
    Said { part: f64::from(weight / whole.max(f32::MIN_POSITIVE)), words: words.take(MOST_WORDS).collect() }
}

fn is_telling(token: &Token) -> bool {
    match token.kind {
        Kind::Single | Kind::Number | Kind::Whole => !token.text.is_empty(),
        Kind::Word | Kind::Bigram => !tokens::is_function_word(&token.text),
        Kind::Unigram | Kind::Joined | Kind::Part => false,
    }
}

/// Each once, the rarest first; what stands in many of the faults tells little.
fn terms<'a>(typed: &'a Analysis, index: &Index) -> Vec<Term<'a>> {
    let mut seen = HashSet::new();
    let mut terms: Vec<Term<'a>> = Vec::new();
    for token in typed.tokens.iter().filter(|token| is_telling(token)) {
        if seen.insert(token.text.as_str()) {
            #[expect(clippy::cast_precision_loss, reason = "a few hundred faults")]
            let faults = index.frequency(&token.text).max(1) as f32;
            let kind = if token.kind == Kind::Whole { 2.0 } else { 1.0 };
            terms.push(Term { token, weight: kind / (1.0 + faults.ln()) });
        }
    }
    terms.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.token.start.cmp(&b.token.start)));
    terms.truncate(MOST_TERMS);
    terms
}

fn document(key: u32, fault: &Fault) -> Document {
    let mut terms: BTreeMap<String, f32> = BTreeMap::new();
    for (text, weight) in [(fault.title.raw(), TITLE), (fault.description.raw(), 1.0)] {
        let text: String = text.chars().take(LONGEST_TEXT).collect();
        for token in tokens::analyse(&text).tokens.iter().filter(|token| is_telling(token)) {
            *terms.entry(token.text.clone()).or_default() += weight;
        }
    }
    Document { key, terms: terms.into_iter().map(|(term, weight)| (term.into(), weight)).collect(), tags: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_in_the_tree_is_counted_by_steps() {
        let [board, shelf, site, other, far] = [0; 5].map(|_| EquipmentId::new());
        let own = [board, shelf, site];
        assert_eq!(near(&own, &[board, shelf, site]), Near::Same);
        assert_eq!(near(&own, &[shelf, site]), Near::Parent);
        assert_eq!(near(&[shelf, site], &own), Near::Child);
        assert_eq!(near(&own, &[other, shelf, site]), Near::Relative);
        assert_eq!(near(&own, &[site]), Near::Relative);
        assert_eq!(near(&own, &[far]), Near::Unknown);
        assert_eq!(near(&own, &[far, other, site]), Near::Unknown, "four steps");
        assert_eq!(near(&[], &own), Near::Unknown);
    }
}

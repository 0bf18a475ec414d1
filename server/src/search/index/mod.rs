//! A ranked index in memory. It knows terms, weights and tags; nothing of cases, of text or of SQL.
//!
//! - **Scores** are BM25F's: the caller makes the weighted frequency of a term in a document and the weight of a term in a question,
//!   the index keeps what saturates between them in one byte ([`level`]). A clause scores by the best of its alternatives.
//! - **Every match is scored and counted**, so facets are exact. That is fast enough because lists are packed and read in windows
//!   that stay in the processor's cache ([`search`]).
//! - **Parts**: documents go into a part in memory; full parts are packed and never change ([`part`]). What is replaced or removed is
//!   marked dead beside its part at once. [`Index::plan`] and [`Index::adopt`] merge parts without the index: a caller that shares it
//!   under a lock merges outside of the lock.
//! - **Files**: [`Frozen`] is an index of full parts, which is written to and read from a snapshot ([`file`]).

mod bits;
pub mod bulk;
pub mod file;
mod level;
mod merge;
mod near;
mod part;
mod postings;
mod prefix;
mod search;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use bits::Bits;
use near::Meant;
use part::{Memory, Packed, Part};
use search::{Filters, Gathering};
use tags::Dictionary;

use crate::search::term::Term;

/// Values of a facet that are told at most: those that most documents have.
pub const MOST_VALUES: usize = 200;
/// A list that is not longer is looked through for the dead when its length is asked; of a longer one they change little.
const EXACT: u32 = 1024;
/// A part is merged with newer ones that together are not smaller than one in so many of its documents.
const GROWTH: usize = 4;

/// What the caller counts and filters by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facet(pub u8);

/// A value of a facet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    pub facet: Facet,
    pub value: String,
}

/// What is put into the index.
#[derive(Clone, Debug, Default)]
pub struct Document {
    pub key: u32,
    /// With BM25F's weighted and length-normalised frequency, the sum of `w * tf / (1 - b + b * len / avg)` over the fields.
    pub terms: Vec<(Term, f32)>,
    pub tags: Vec<Tag>,
}

/// What is asked. Without clauses, everything that passes `require`, newest key first.
#[derive(Default)]
pub struct Question {
    /// At most 64; more are not asked.
    pub clauses: Vec<Clause>,
    pub require: Vec<Require>,
    pub among: Arc<[Among]>,
    /// How many hits are wanted.
    pub want: usize,
    /// Facets that are counted, over all that matches.
    pub count: Vec<Facet>,
}

/// One thing that is asked, and the ways to say it: a document scores by the way that fits it best.
#[derive(Clone, Debug, Default)]
pub struct Clause {
    pub alternatives: Vec<Vec<Weighted>>,
}

#[derive(Clone, Debug)]
pub struct Weighted {
    pub term: String,
    pub weight: f32,
}

/// A document passes when one of its values of the facet is accepted; negated, when none is.
pub struct Require {
    pub facet: Facet,
    /// Asked once for each distinct value.
    pub accept: Box<dyn Fn(&str) -> bool>,
    pub negate: bool,
}

/// A document passes when its key is one of these; negated, when it is not.
#[derive(Clone, Debug)]
pub struct Among {
    pub keys: HashSet<u32>,
    pub negate: bool,
}

impl Among {
    pub fn has(&self, key: u32) -> bool {
        self.keys.contains(&key) != self.negate
    }
}

#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    /// Best first; of equals, the newest key.
    pub hits: Vec<Scored>,
    /// All that match, also those beyond `want`.
    pub total: u32,
    /// In the order of the question's; values by count, then by name, at most [`MOST_VALUES`].
    pub facets: Vec<(Facet, Vec<(String, u32)>)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    pub key: u32,
    pub score: f32,
    /// A bit for each clause that matched.
    pub matched: u64,
}

/// A part, and which of its documents are no longer.
#[derive(Clone, Debug)]
struct Held {
    part: Arc<Part>,
    dead: Bits,
}

impl Held {
    fn living(&self) -> usize {
        self.part.keys().len() - self.dead.count() as usize
    }

    /// Marks a key's document dead; answers whether there was one alive.
    fn kill(&mut self, key: u32) -> bool {
        let document = self.part.find(key).filter(|document| !self.dead.has(*document));
        document.inspect(|document| self.dead.add(*document)).is_some()
    }
}

/// The index.
#[derive(Debug)]
pub struct Index {
    dictionary: Dictionary,
    /// Full, oldest first; a key is alive in one part at most.
    parts: Vec<Held>,
    /// The newest part, which takes documents in.
    head: Part,
    head_dead: Bits,
}

impl Default for Index {
    fn default() -> Self {
        Self { dictionary: Dictionary::default(), parts: Vec::new(), head: Part::Memory(Memory::default()), head_dead: Bits::default() }
    }
}

impl Index {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a document in, in the place of the one with its key.
    pub fn put(&mut self, document: Document) {
        self.remove(document.key);
        let tags = self.dictionary.numbers(&document.tags);
        if let Part::Memory(memory) = &mut self.head {
            memory.put(document.key, document.terms, &tags);
        }
    }

    pub fn remove(&mut self, key: u32) {
        match self.head.find(key) {
            Some(document) if !self.head_dead.has(document) => self.head_dead.add(document),
            _ => drop(self.parts.iter_mut().rev().any(|held| held.kill(key))),
        }
    }

    /// Every part with its dead, oldest first.
    fn all(&self) -> impl Iterator<Item = (&Part, &Bits)> {
        self.parts.iter().map(|held| (&*held.part, &held.dead)).chain([(&self.head, &self.head_dead)])
    }

    pub fn documents(&self) -> u32 {
        let living = self.all().map(|(part, dead)| part.keys().len() - dead.count() as usize).sum::<usize>();
        u32::try_from(living).unwrap_or(u32::MAX)
    }

    /// How many documents have a term. Exact where a part has up to 1024 of them; beyond, those that died since the last merge
    /// may still be counted, which moves no weight by much.
    pub fn frequency(&self, term: &str) -> u32 {
        self.all().filter_map(|(part, dead)| Some(living(part.list(term)?, dead))).sum()
    }

    /// Terms that a long Latin word may have been meant for: those with the fewest mistakes, then those that most documents have.
    pub fn near(&self, word: &str, most: usize) -> Vec<String> {
        let Some(meant) = Meant::new(word) else { return Vec::new() };
        let mut found: Vec<(usize, &str)> = Vec::new();
        for (part, _) in self.all() {
            let close = part.between("a", "{", |term| meant.may_be(term));
            found.extend(close.into_iter().filter_map(|term| Some((meant.distance(term)?, term))));
        }
        found.sort_unstable();
        found.dedup();
        // What only the dead have said must not come back.
        let mut living: Vec<_> = found.into_iter().map(|(far, term)| (far, std::cmp::Reverse(self.frequency(term)), term)).collect();
        living.retain(|(_, frequency, _)| frequency.0 > 0);
        living.sort_unstable();
        living.into_iter().take(most).map(|(.., term)| term.to_owned()).collect()
    }

    /// Is there a living document with this key that passes?
    pub fn passes(&self, key: u32, require: &[Require]) -> bool {
        let filters = Filters::new(require, &self.dictionary);
        self.all().any(|(part, dead)| part.find(key).is_some_and(|document| !dead.has(document) && filters.pass(part, document)))
    }

    pub fn search(&self, question: &Question) -> Answer {
        let filters = Filters::new(&question.require, &self.dictionary);
        let mut gathering = Gathering::new(question.want, if question.count.is_empty() { 0 } else { self.dictionary.tags().len() });
        for (part, dead) in self.all() {
            search::search(part, dead, question, &filters, &mut gathering);
        }
        let facets = question.count.iter().map(|facet| (*facet, self.values(*facet, &gathering.counts))).collect();
        Answer { total: gathering.total, hits: gathering.best.sorted(), facets }
    }

    fn values(&self, facet: Facet, counts: &[u32]) -> Vec<(String, u32)> {
        let counted = self.dictionary.of(facet).filter_map(|(tag, value)| Some((value, *counts.get(tag)?)));
        let mut values: Vec<_> = counted.filter(|(_, count)| *count > 0).collect();
        let order = |a: &(&str, u32), b: &(&str, u32)| b.1.cmp(&a.1).then(a.0.cmp(b.0));
        if values.len() > MOST_VALUES {
            values.select_nth_unstable_by(MOST_VALUES - 1, order);
            values.truncate(MOST_VALUES);
        }
        values.sort_unstable_by(order);
        values.into_iter().map(|(value, count)| (value.to_owned(), count)).collect()
    }

    /// Documents that went in since the last part was closed.
    pub fn fresh(&self) -> usize {
        self.head.keys().len()
    }

    /// Closes the newest part, which is quick: documents go into another one.
    pub fn close(&mut self) {
        if self.fresh() > 0 {
            let head = std::mem::replace(&mut self.head, Part::Memory(Memory::default()));
            self.parts.push(Held { part: Arc::new(head), dead: std::mem::take(&mut self.head_dead) });
        }
    }

    /// Says which closed parts should become one, if any.
    pub fn plan(&self) -> Option<Plan> {
        let from = self.merge_from()?;
        Some(Plan { from, parts: self.parts.get(from..)?.to_vec() })
    }

    /// The oldest part that is worth merging with all newer ones. A part in memory always is.
    fn merge_from(&self) -> Option<usize> {
        let mut from =
            self.parts.iter().position(|held| matches!(*held.part, Part::Memory(_)) || held.living() * 4 < held.part.keys().len() * 3);
        let mut newer: usize = self.parts.iter().skip(from.unwrap_or(self.parts.len())).map(Held::living).sum();
        let first = from.unwrap_or(self.parts.len());
        for (at, held) in self.parts.iter().enumerate().take(first).rev() {
            if newer > 0 && held.living() <= newer * GROWTH {
                from = Some(at);
            }
            newer += held.living();
        }
        from
    }

    /// Takes a merged part in the place of those it was made of. Nothing else must have merged meanwhile; what died meanwhile is dead.
    pub fn adopt(&mut self, merged: Merged) {
        let Merged { plan, packed } = merged;
        let mut held = Held { part: Arc::new(Part::Packed(packed)), dead: Bits::default() };
        let to = plan.from + plan.parts.len();
        for (now, then) in self.parts.iter().take(to).skip(plan.from).zip(&plan.parts) {
            let died = now.dead.iter().filter(|document| !then.dead.has(*document));
            for key in died.filter_map(|document| now.part.keys().get(document as usize)) {
                held.kill(*key);
            }
        }
        if to <= self.parts.len() {
            self.parts.splice(plan.from..to, [held]);
        }
    }

    /// Closes and merges at once: for an index that nobody waits for.
    pub fn compact(&mut self) {
        self.close();
        while let Some(plan) = self.plan() {
            self.adopt(plan.merge());
        }
    }

    /// Makes one part of all: for an index that was just built.
    pub fn unite(&mut self, threads: usize) {
        self.close();
        if self.parts.len() > 1 || self.parts.iter().any(|held| matches!(*held.part, Part::Memory(_))) {
            self.adopt(Plan { from: 0, parts: self.parts.clone() }.merge_by(threads));
        }
    }

    /// The closed parts as they are, to be written. `None` while one is not packed. What went in since the last [`Index::close`] is not
    /// in them, and what that took the place of is dead in them: put it in again.
    pub fn freeze(&self) -> Option<Frozen> {
        let is_packed = self.parts.iter().all(|held| matches!(*held.part, Part::Packed(_)));
        is_packed.then(|| Frozen { dictionary: self.dictionary.clone(), parts: self.parts.clone() })
    }

    /// Bytes of the packed parts.
    pub fn size_bytes(&self) -> usize {
        let size = |held: &Held| match &*held.part {
            Part::Packed(packed) => packed.size_bytes(),
            Part::Memory(_) => 0,
        };
        self.parts.iter().map(size).sum()
    }
}

fn living(list: postings::List<'_>, dead: &Bits) -> u32 {
    // A list longer than all the dead has somebody alive in it.
    if dead.is_empty() || list.count() > EXACT.max(dead.count()) {
        return list.count();
    }
    let mut living = 0;
    list.each(|document, _| living += u32::from(!dead.has(document)));
    living
}

/// Parts that should become one.
pub struct Plan {
    from: usize,
    parts: Vec<Held>,
}

impl Plan {
    /// The slow step: needs no lock.
    pub fn merge(self) -> Merged {
        self.merge_by(1)
    }

    fn merge_by(self, threads: usize) -> Merged {
        let parts: Vec<_> = self.parts.iter().map(|held| (&*held.part, &held.dead)).collect();
        let packed = merge::merge(&parts, threads);
        Merged { plan: self, packed }
    }
}

/// What [`Index::adopt`] takes.
pub struct Merged {
    plan: Plan,
    packed: Packed,
}

/// An index that rests: full parts and what died in them.
#[derive(Clone, Debug)]
pub struct Frozen {
    dictionary: Dictionary,
    parts: Vec<Held>,
}

impl From<Frozen> for Index {
    fn from(frozen: Frozen) -> Self {
        Self { dictionary: frozen.dictionary, parts: frozen.parts, ..Self::default() }
    }
}

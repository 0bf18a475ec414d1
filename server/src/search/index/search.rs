//! Scoring one part.
//!
//! Every match is scored, since counts of facets are exact and need every match anyway. Documents are taken in windows: all terms of
//! the question add to one small window of scores that stays in the processor's cache, then the window is looked through once. So a
//! common term costs a pass over its packed list and nothing else, and no memory grows with the library.

use super::bits::Bits;
use super::level::{gain, unit};
use super::part::Part;
use super::postings::{Cursor, NONE};
use super::tags::{Column, Dictionary};
use super::{Among, Clause, Question, Require, Scored};

/// Documents in a window.
const WINDOW: usize = 4096; // fits 16 bits
/// So many are passed over at once where nothing was found.
const ROW: usize = 16;

/// What all parts of an index add to.
pub struct Gathering {
    pub best: Best,
    pub total: u32,
    /// By tag.
    pub counts: Vec<u32>,
}

impl Gathering {
    pub fn new(want: usize, tags: usize) -> Self {
        Self { best: Best { want, ..Best::default() }, total: 0, counts: vec![0; tags] }
    }
}

/// The best hits so far. More are kept than wanted, and cut now and then.
#[derive(Default)]
pub struct Best {
    hits: Vec<Scored>,
    want: usize,
    /// What a hit must beat, once there are enough.
    worst: Option<Scored>,
}

impl Best {
    /// Below this a hit has no chance.
    fn least(&self) -> f32 {
        match self.worst {
            _ if self.want == 0 => f32::INFINITY,
            Some(worst) => worst.score,
            None => f32::NEG_INFINITY,
        }
    }

    fn offer(&mut self, hit: Scored) {
        if self.worst.is_some_and(|worst| order(&worst, &hit).is_lt()) {
            return;
        }
        self.hits.push(hit);
        if self.hits.len() >= 2 * self.want + 64 {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.hits.len() > self.want {
            let (_, worst, _) = self.hits.select_nth_unstable_by(self.want - 1, order);
            self.worst = Some(*worst);
            self.hits.truncate(self.want);
        }
    }

    pub fn sorted(mut self) -> Vec<Scored> {
        self.hits.sort_unstable_by(order);
        self.hits.truncate(self.want);
        self.hits
    }
}

/// Best first; of equals, the newest.
fn order(a: &Scored, b: &Scored) -> std::cmp::Ordering {
    b.score.total_cmp(&a.score).then(b.key.cmp(&a.key))
}

/// The question's filters, in an index's numbers.
pub struct Filters {
    filters: Vec<Filter>,
}

struct Filter {
    facet: u8,
    accepted: Bits,
    negate: bool,
}

impl Filter {
    fn accepts(&self, tags: &[u32]) -> bool {
        tags.iter().any(|tag| self.accepted.has(*tag)) != self.negate
    }
}

impl Filters {
    pub fn new(require: &[Require], dictionary: &Dictionary) -> Self {
        let filter = |require: &Require| {
            let mut accepted = Bits::default();
            for (tag, value) in dictionary.of(require.facet) {
                if (require.accept)(value) {
                    accepted.add(u32::try_from(tag).unwrap_or(u32::MAX));
                }
            }
            Filter { facet: require.facet.0, accepted, negate: require.negate }
        };
        Self { filters: require.iter().map(filter).collect() }
    }

    pub fn pass(&self, part: &Part, document: u32) -> bool {
        let tags = |filter: &Filter| part.column(filter.facet).map(|column| column.tags_of(document)).unwrap_or_default();
        self.filters.iter().all(|filter| filter.accepts(tags(filter)))
    }

    /// What they say to the sets of a part, once for all its documents. `None`: nothing in it passes.
    fn on<'a>(&self, part: &'a Part) -> Option<Vec<OnColumn<'a>>> {
        let mut on = Vec::new();
        for filter in &self.filters {
            match part.column(filter.facet) {
                Some(column) => {
                    on.push(OnColumn { column, passes: (0..column.sets()).map(|set| filter.accepts(column.tags(set))).collect() });
                }
                None if filter.accepts(&[]) => {}
                None => return None,
            }
        }
        Some(on)
    }
}

/// A filter, answered for each set of its column.
struct OnColumn<'a> {
    column: &'a Column,
    passes: Vec<bool>,
}

/// Scores a part and adds what is found.
pub fn search(part: &Part, dead: &Bits, question: &Question, filters: &Filters, into: &mut Gathering) {
    let Some(filters) = filters.on(part) else { return };
    let columns = question.count.iter().filter_map(|facet| part.column(facet.0));
    let counting = columns.map(|column| Counting { column, counts: vec![0; column.sets()] }).collect();
    let (among, keys) = (&*question.among, part.keys());
    let takes_all = filters.is_empty() && among.is_empty() && dead.is_empty();
    let mut found = Found { keys, dead, filters, among, takes_all, counting, total: 0, into, passed: Vec::with_capacity(WINDOW) };
    if question.clauses.is_empty() {
        found.everything();
    } else {
        Window::new(part, &question.clauses).run(&mut found);
    }
    found.finish();
}

/// What documents go through that match.
struct Found<'a> {
    keys: &'a [u32],
    dead: &'a Bits,
    filters: Vec<OnColumn<'a>>,
    among: &'a [Among],
    /// Nothing keeps a match out.
    takes_all: bool,
    counting: Vec<Counting<'a>>,
    total: u32,
    into: &'a mut Gathering,
    /// Of this window, for the counts.
    passed: Vec<u32>,
}

/// How often each set of a column was found.
struct Counting<'a> {
    column: &'a Column,
    counts: Vec<u32>,
}

impl Found<'_> {
    /// Most matches are only counted: those with a chance are few.
    #[inline]
    fn take(&mut self, document: u32, score: f32, matched: u64) {
        if !self.takes_all && !self.passes(document) {
            return;
        }
        self.total += 1;
        if !self.counting.is_empty() {
            self.passed.push(document);
        }
        if score >= self.into.best.least()
            && let Some(key) = self.keys.get(document as usize)
        {
            self.into.best.offer(Scored { key: *key, score, matched });
        }
    }

    fn passes(&self, document: u32) -> bool {
        let accepts = |filter: &OnColumn<'_>| filter.passes.get(filter.column.set(document)).copied().unwrap_or_default();
        let is_among = |key: &u32| self.among.iter().all(|among| among.has(*key));
        !self.dead.has(document) && self.filters.iter().all(accepts) && self.keys.get(document as usize).is_some_and(is_among)
    }

    /// Counts the window's documents facet by facet: one facet's counts stay near.
    fn end_window(&mut self) {
        for Counting { column, counts } in &mut self.counting {
            for document in &self.passed {
                if let Some(count) = counts.get_mut(column.set(*document)) {
                    *count += 1;
                }
            }
        }
        self.passed.clear();
    }

    fn everything(&mut self) {
        for start in (0..self.keys.len()).step_by(WINDOW) {
            for document in start..(start + WINDOW).min(self.keys.len()) {
                self.take(u32::try_from(document).unwrap_or(NONE), 0.0, 0);
            }
            self.end_window();
        }
    }

    fn finish(self) {
        self.into.total += self.total;
        for Counting { column, counts } in &self.counting {
            for (set, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                for tag in column.tags(set) {
                    if let Some(total) = self.into.counts.get_mut(*tag as usize) {
                        *total += count;
                    }
                }
            }
        }
    }
}

/// A term of the question in this part.
struct Term<'a> {
    cursor: Cursor<'a>,
    unit: f32,
}

/// The ways to say one thing, as far as the part knows them.
struct Asked<'a> {
    bit: u64,
    alternatives: Vec<Vec<Term<'a>>>,
}

struct Window<'a> {
    clauses: Vec<Asked<'a>>,
    scores: Box<[f32]>,
    /// Bits of the clauses; none: not found.
    matched: Box<[u64]>,
    /// For clauses with several ways: of the one that is read now, and the best so far.
    way: Scratch,
    best: Scratch,
}

/// Values of some documents of a window.
#[derive(Default)]
struct Scratch {
    /// [`UNTOUCHED`] where there is none.
    values: Box<[f32]>,
    touched: Vec<u16>,
}

const UNTOUCHED: f32 = f32::NEG_INFINITY;

impl Scratch {
    fn new() -> Self {
        Self { values: vec![UNTOUCHED; WINDOW].into(), touched: Vec::with_capacity(WINDOW) }
    }

    #[inline]
    fn set(&mut self, at: u16, first: f32, combine: impl FnOnce(f32) -> f32) {
        if let Some(value) = self.values.get_mut(usize::from(at)) {
            if *value == UNTOUCHED {
                *value = first;
                self.touched.push(at);
            } else {
                *value = combine(*value);
            }
        }
    }

    fn drain(&mut self, mut take: impl FnMut(u16, f32)) {
        for at in self.touched.drain(..) {
            if let Some(value) = self.values.get_mut(usize::from(at)) {
                take(at, std::mem::replace(value, UNTOUCHED));
            }
        }
    }
}

impl<'a> Window<'a> {
    fn new(part: &'a Part, clauses: &'a [Clause]) -> Self {
        let mut asked = Vec::new();
        for (at, clause) in clauses.iter().enumerate().take(64) {
            let term = |weighted: &super::Weighted| Some(Term { cursor: part.list(&weighted.term)?.cursor(), unit: unit(weighted.weight) });
            let alternatives = clause.alternatives.iter().map(|terms| terms.iter().filter_map(term).collect::<Vec<_>>());
            let alternatives: Vec<_> = alternatives.filter(|terms| !terms.is_empty()).collect();
            if !alternatives.is_empty() {
                asked.push(Asked { bit: 1 << at, alternatives });
            }
        }
        let has_ways = asked.iter().any(|clause| !clause.is_plain());
        let scratch = || if has_ways { Scratch::new() } else { Scratch::default() };
        Self { clauses: asked, scores: vec![0.0; WINDOW].into(), matched: vec![0; WINDOW].into(), way: scratch(), best: scratch() }
    }

    fn run(mut self, found: &mut Found<'_>) {
        loop {
            let terms = self.clauses.iter().flat_map(|clause| clause.alternatives.iter().flatten());
            let Some(next) = terms.map(|term| term.cursor.next()).min().filter(|next| *next != NONE) else { return };
            #[expect(clippy::cast_possible_truncation, reason = "4096")]
            let start = next - next % WINDOW as u32;
            self.fill(start);
            self.give(start, found);
            found.end_window();
        }
    }

    /// Gives what was found, and leaves the window empty.
    fn give(&mut self, start: u32, found: &mut Found<'_>) {
        let rows = self.matched.chunks_mut(ROW).zip(self.scores.chunks_mut(ROW));
        for (row, (matched, scores)) in rows.enumerate() {
            if matched.iter().fold(0, |all, bits| all | bits) == 0 {
                continue;
            }
            for (at, (matched, score)) in matched.iter_mut().zip(scores).enumerate().filter(|(_, (matched, _))| **matched != 0) {
                #[expect(clippy::cast_possible_truncation, reason = "below 4096")]
                found.take(start + (row * ROW + at) as u32, std::mem::take(score), std::mem::take(matched));
            }
        }
    }

    fn fill(&mut self, start: u32) {
        #[expect(clippy::cast_possible_truncation, reason = "4096")]
        let end = start.saturating_add(WINDOW as u32);
        for clause in &mut self.clauses {
            if let [terms] = clause.alternatives.as_mut_slice()
                && let [Term { cursor, unit }] = terms.as_mut_slice()
            {
                let (scores, matched, unit, bit) = (&mut self.scores, &mut self.matched, *unit, clause.bit);
                cursor.until(end, &mut |document, level| {
                    let at = (document - start) as usize;
                    if let (Some(score), Some(matched)) = (scores.get_mut(at), matched.get_mut(at)) {
                        *score += gain(unit, level);
                        *matched |= bit;
                    }
                });
                continue;
            }
            for terms in &mut clause.alternatives {
                Self::way(terms, start, end, &mut self.way, &mut self.best);
            }
            let (scores, matched, bit) = (&mut self.scores, &mut self.matched, clause.bit);
            self.best.drain(|at, best| {
                if let (Some(score), Some(matched)) = (scores.get_mut(usize::from(at)), matched.get_mut(usize::from(at))) {
                    *score += best;
                    *matched |= bit;
                }
            });
        }
    }

    /// Reads one way to say a thing, for documents that fit it best.
    fn way(terms: &mut [Term<'_>], start: u32, end: u32, way: &mut Scratch, best: &mut Scratch) {
        #[expect(clippy::cast_possible_truncation, reason = "within a window")]
        let at = |document: u32| (document - start) as u16;
        if let [Term { cursor, unit }] = terms {
            cursor.until(end, &mut |document, level| {
                let own = gain(*unit, level);
                best.set(at(document), own, |other| other.max(own));
            });
            return;
        }
        for Term { cursor, unit } in terms {
            cursor.until(end, &mut |document, level| {
                let own = gain(*unit, level);
                way.set(at(document), own, |sum| sum + own);
            });
        }
        way.drain(|at, sum| best.set(at, sum, |other| other.max(sum)));
    }
}

impl Asked<'_> {
    /// One way, one term: it may add to the scores at once.
    fn is_plain(&self) -> bool {
        matches!(self.alternatives.as_slice(), [terms] if terms.len() == 1)
    }
}

//! The index against a model that is too simple to be wrong.

mod model;

use proptest::prelude::*;

use std::collections::BTreeMap;

use super::*;
use crate::search::term::Vocabulary;
use bulk::{Bulk, Tags};
use file::{Reader, Writer};
use model::Model;

const KIND: Facet = Facet(1);
const CODE: Facet = Facet(2);

#[derive(Clone, Debug)]
enum Step {
    Put(Document),
    Remove(u32),
    Close,
    /// Begins a merge, does these, and ends it.
    Merge(Vec<Step>),
    Unite,
    Reopen,
}

fn word() -> impl Strategy<Value = String> {
    "[a-d]{1,2}|fault[a-c]{1,2}|风扇|告警".prop_map(String::from)
}

fn document() -> impl Strategy<Value = Document> {
    let tag = ((1..3u8), "[a-e]|[a-z]{2}").prop_map(|(facet, value)| Tag { facet: Facet(facet), value });
    let key = prop_oneof![0..40u32, Just(u32::MAX), Just(4095), Just(4096)];
    let terms = prop::collection::btree_map(word(), prop_oneof![0.01..4.0f32, Just(0.0)], 0..8);
    (key, terms, prop::collection::btree_set(tag, 0..5)).prop_map(|(key, terms, tags)| Document {
        key,
        terms: terms.into_iter().map(|(term, x)| (term.into(), x)).collect(),
        tags: tags.into_iter().collect(),
    })
}

fn change() -> impl Strategy<Value = Step> {
    prop_oneof![5 => document().prop_map(Step::Put), 2 => (0..40u32).prop_map(Step::Remove)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => change(),
        1 => Just(Step::Close),
        2 => prop::collection::vec(change(), 0..6).prop_map(Step::Merge),
        1 => Just(Step::Unite),
        1 => Just(Step::Reopen),
    ]
}

fn clause() -> impl Strategy<Value = Clause> {
    let weighted = (word(), 0.1..3.0f32).prop_map(|(term, weight)| Weighted { term, weight });
    let alternatives = prop::collection::vec(prop::collection::vec(weighted, 0..3), 1..3);
    alternatives.prop_map(|alternatives| Clause { alternatives })
}

#[derive(Clone, Debug)]
struct Asked {
    clauses: Vec<Clause>,
    /// Facet, accepted letters, negated.
    require: Vec<(u8, String, bool)>,
    among: Option<(HashSet<u32>, bool)>,
    want: usize,
    counts: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    let require = prop::collection::vec((1..3u8, "[a-z]{1,9}", any::<bool>()), 0..3);
    let among = prop::option::of((prop::collection::hash_set(0..40u32, 0..20), any::<bool>()));
    let all = (prop::collection::vec(clause(), 0..5), require, among, 0..12usize, any::<bool>());
    all.prop_map(|(clauses, require, among, want, counts)| Asked { clauses, require, among, want, counts })
}

impl Asked {
    fn question(&self) -> Question {
        let require = self.require.iter().cloned().map(|(facet, letters, negate)| Require {
            facet: Facet(facet),
            accept: Box::new(move |value| value.chars().all(|c| letters.contains(c))),
            negate,
        });
        let count = if self.counts { vec![CODE, KIND] } else { Vec::new() };
        let among = self.among.iter().map(|(keys, negate)| Among { keys: keys.clone(), negate: *negate }).collect();
        Question { clauses: self.clauses.clone(), require: require.collect(), among, want: self.want, count }
    }
}

fn reopened(index: &mut Index) -> Index {
    index.compact();
    let mut writer = Writer::new(Vec::new());
    writer.index(&index.freeze().unwrap()).unwrap();
    let bytes = writer.finish().unwrap();
    let mut reader = Reader::new(bytes.as_slice(), bytes.len() as u64);
    let frozen = reader.index().unwrap();
    reader.finish().unwrap();
    frozen.into()
}

fn run(index: &mut Index, model: &mut Model, step: Step) {
    match step {
        Step::Put(document) => {
            model.put(document.clone());
            index.put(document);
        }
        Step::Remove(key) => {
            model.remove(key);
            index.remove(key);
        }
        Step::Close => index.close(),
        Step::Merge(meanwhile) => {
            index.close();
            let merged = index.plan().map(Plan::merge);
            for step in meanwhile {
                run(index, model, step);
            }
            if let Some(merged) = merged {
                index.adopt(merged);
            }
        }
        Step::Unite => index.unite(2),
        Step::Reopen => *index = reopened(index),
    }
}

proptest! {
    #[test]
    fn answers_are_those_of_the_model(steps in prop::collection::vec(step(), 0..60), asked in prop::collection::vec(asked(), 1..6), words in prop::collection::vec(word(), 3)) {
        let (mut index, mut model) = (Index::new(), Model::default());
        for step in steps {
            run(&mut index, &mut model, step);
        }
        prop_assert_eq!(index.documents(), model.documents());
        for asked in asked {
            let question = asked.question();
            prop_assert_eq!(index.search(&question), model.search(&question), "{:?}", asked);
            for key in [0, 1, 7, 4095, u32::MAX] {
                prop_assert_eq!(index.passes(key, &question.require), model.passes(key, &question.require));
            }
        }
        for word in words {
            prop_assert_eq!(index.frequency(&word), model.frequency(&word), "{}", word);
            prop_assert_eq!(index.near(&word, 5), model.near(&word, 5), "{}", word);
        }
    }
}

proptest! {
    #[test]
    fn what_is_built_at_once_answers_as_the_model(
        documents in prop::collection::vec(document(), 0..40), ends in prop::collection::vec(any::<bool>(), 40), threads in 1..4usize,
        asked in prop::collection::vec(asked(), 1..6), twice: bool,
    ) {
        let documents: BTreeMap<u32, Document> = documents.into_iter().map(|document| (document.key, document)).collect();
        let (tags, mut model) = (Tags::default(), Model::default());
        // Two at the same time, each with stretches of its own.
        let mut workers = [(Bulk::new(&tags), Vocabulary::default()), (Bulk::new(&tags), Vocabulary::default())];
        let mut parts = Vec::new();
        for (at, (document, end)) in documents.into_values().zip(ends).enumerate() {
            let (bulk, vocabulary) = &mut workers[at / 5 % 2];
            vocabulary.turn();
            let mut terms: Vec<_> = document.terms.iter().map(|(term, x)| (vocabulary.place(term.as_str(), 0).0, *x)).collect();
            if twice {
                terms.extend(terms.clone().into_iter().map(|(term, x)| (term, x / 2.0)));
            }
            bulk.put(document.key, &terms, &document.tags);
            model.put(document);
            if end {
                parts.push(bulk.pack(&vocabulary.sorted()));
                vocabulary.clear();
            }
        }
        parts.extend(workers.iter_mut().map(|(bulk, vocabulary)| bulk.pack(&vocabulary.sorted())));
        let index = Index::built(&tags, parts, threads);
        prop_assert_eq!(index.documents(), model.documents());
        for asked in asked {
            let question = asked.question();
            prop_assert_eq!(index.search(&question), model.search(&question), "{:?}", asked);
        }
        for word in ["a", "b", "faulta", "风扇"] {
            prop_assert_eq!(index.frequency(word), model.frequency(word), "{}", word);
        }
    }
}

fn text(key: u32, text: &str, kind: &str) -> Document {
    let terms = text.split(' ').map(|word| (word.into(), 1.0)).collect();
    Document { key, terms, tags: vec![Tag { facet: KIND, value: kind.to_owned() }] }
}

fn words(words: &str) -> Question {
    let clause = |word: &str| Clause { alternatives: vec![vec![Weighted { term: word.to_owned(), weight: 1.0 }]] };
    Question { clauses: words.split(' ').map(clause).collect(), want: 10, count: vec![KIND], ..Question::default() }
}

#[test]
fn more_than_a_window_of_documents_in_several_parts() {
    let (mut index, mut model) = (Index::new(), Model::default());
    for key in 0..20_000u32 {
        let document =
            text(key, &format!("all {} m{}", if key % 3 == 0 { "third" } else { "other" }, key % 700), ["a", "b"][key as usize % 2]);
        model.put(document.clone());
        index.put(document);
        if key % 6_000 == 5_999 {
            index.compact();
        }
        if key % 5 == 4 {
            index.remove(key - 4);
            model.remove(key - 4);
        }
    }
    for question in ["all", "third m8", "m699 m1 nothing", "nothing", "all third other m5"].map(words) {
        assert_eq!(index.search(&question), model.search(&question));
    }
    assert!(index.frequency("all") >= model.frequency("all"));
    index.unite(1);
    assert_eq!(index.frequency("all"), model.frequency("all"));
    assert_eq!(index.search(&words("all third m8")), model.search(&words("all third m8")));
}

#[test]
fn what_left_is_not_found_nor_guessed() {
    let mut index = Index::new();
    index.put(text(1, "switchover failed", "a"));
    index.put(text(2, "switchboard failed", "b"));
    index.compact();
    assert_eq!(index.near("switchovre", 3), ["switchover"]);
    index.remove(1);
    assert_eq!(index.near("switchovre", 3), [""; 0]);
    assert_eq!((index.frequency("switchover"), index.frequency("failed")), (0, 1));
    let answer = index.search(&words("failed"));
    assert_eq!((answer.total, answer.facets), (1, vec![(KIND, vec![("b".to_owned(), 1)])]));
}

#[test]
fn values_of_a_facet_are_limited_to_the_most_frequent() {
    let mut index = Index::new();
    for key in 0..2_000u32 {
        index.put(text(key, "x", &format!("{:03}", key % 300)));
    }
    index.put(text(2_000, "x", "299"));
    index.put(text(2_001, "x", "299"));
    let facets = index.search(&words("x")).facets;
    assert_eq!(facets[0].1.len(), MOST_VALUES);
    assert_eq!(facets[0].1[0], ("299".to_owned(), 8));
    assert!(facets[0].1[1..].is_sorted());
}

#[test]
fn sizes_that_make_no_sense_are_refused_before_memory_is_taken() {
    for length in [u64::MAX, u64::MAX / 4, 1 << 40] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend([0; 64]);
        assert!(Reader::new(bytes.as_slice(), bytes.len() as u64).index().is_err());
    }
}

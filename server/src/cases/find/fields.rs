//! What the index is told of a case.

use lineman_common::Printable;
use lineman_common::api::{CaseBody, CaseFacet, CaseField, CaseState, CaseText, Language};
use lineman_common::name::CaseNumber;

use crate::search::index::bulk::{Built, Bulk};
use crate::search::index::{Document, Facet, Tag};
use crate::search::term::Vocabulary;
use crate::search::tokens::{self, Kind, Reader, Sink};

/// Rises when the terms or tags of a document change with the program: a snapshot of other documents is of no use.
pub const FORMAT: u32 = 2;

/// Begins the terms of a case's codes, which are asked as a tier of their own.
const CODE: char = '\u{e003}';

/// A weight multiplies how often a term is there, and BM25 saturates: with all weights this small, a second mention still counts.
const SCALE: f32 = 0.4;

/// How a field counts.
#[derive(Clone, Copy)]
struct Weight {
    times: f32,
    /// How much of a field's length counts against it (BM25F's `b`).
    by_length: f32,
    /// Tokens in a usual one. Constants, so that a document is made of its case alone; ranking moves little when they are off by half.
    usual: f32,
}

const CODES: Weight = Weight { times: 8.0 * SCALE, by_length: 0.0, usual: 1.0 };
const EQUIPMENT: Weight = Weight { times: 3.0 * SCALE, by_length: 0.3, usual: 4.0 };

/// The start weights of the design, but for the symptom: reports of faults are long and say much that is beside the point, and on the
/// development sets it is worth a third of the title, not two thirds. A title is one line: a long one names more things, and each of
/// them less surely is what the case is about, so its length counts for more than a report's.
const fn weight(field: CaseField) -> Weight {
    let (weight, by_length, usual) = match field {
        CaseField::Title => (3.0, 0.9, 16.0),
        CaseField::Symptom => (1.0, 0.75, 60.0),
        CaseField::Cause => (1.0, 0.75, 30.0),
        CaseField::Steps | CaseField::Resolution => (0.7, 0.75, 60.0),
    };
    Weight { times: weight * SCALE, by_length, usual }
}

/// What a word that stands once in a usual title counts: the measure of a question's best possible score.
pub const IN_TITLE: f32 = 3.0 * SCALE;

pub const TEXT_FIELDS: [CaseField; 5] = [CaseField::Title, CaseField::Symptom, CaseField::Cause, CaseField::Steps, CaseField::Resolution];

pub const FACETS: [CaseFacet; 8] = [
    CaseFacet::Product,
    CaseFacet::Model,
    CaseFacet::Version,
    CaseFacet::Code,
    CaseFacet::Cause,
    CaseFacet::Language,
    CaseFacet::State,
    CaseFacet::Audience,
];

pub const fn facet(facet: CaseFacet) -> Facet {
    Facet(match facet {
        CaseFacet::Product => 0,
        CaseFacet::Model => 1,
        CaseFacet::Version => 2,
        CaseFacet::Code => 3,
        CaseFacet::Cause => 4,
        CaseFacet::Language => 5,
        CaseFacet::State => 6,
        CaseFacet::Audience => 7,
    })
}

/// Makes documents of cases, one after the other, in the same memory.
#[derive(Default)]
pub struct Documents {
    reader: Reader,
    terms: Frequencies,
}

impl Documents {
    /// A case as the index takes it.
    pub fn of(&mut self, number: CaseNumber, state: CaseState, body: &CaseBody) -> Document {
        self.read(body);
        let name = |(term, frequency): &(u32, f32)| Some((self.terms.vocabulary.name(*term)?.clone(), *frequency));
        Document { key: number.0, terms: self.terms.terms.iter().filter_map(name).collect(), tags: tags(state, body) }
    }

    /// Puts a case into the parts that are made of these documents.
    pub fn put(&mut self, number: CaseNumber, state: CaseState, body: &CaseBody, parts: &mut [&mut Bulk]) {
        self.read(body);
        let tags = tags(state, body);
        for part in parts {
            part.put(number.0, &self.terms.terms, &tags);
        }
    }

    /// Packs parts that were made of these documents, all of them, and forgets their terms.
    pub fn pack<const N: usize>(&mut self, parts: [&mut Bulk; N]) -> [Built; N] {
        let terms = self.terms.vocabulary.sorted();
        let built = parts.map(|part| part.pack(&terms));
        self.terms.vocabulary.clear();
        built
    }

    fn read(&mut self, body: &CaseBody) {
        self.terms.begin();
        for code in &body.codes {
            self.code(code.raw());
        }
        for about in &body.equipment {
            self.field(&about.to_string(), EQUIPMENT);
        }
        for text in [&body.zh, &body.en].into_iter().flatten() {
            for field in TEXT_FIELDS {
                self.field(text.field(field).raw(), weight(field));
            }
        }
    }

    fn field(&mut self, text: &str, how: Weight) {
        self.reader.read(text, &mut self.terms);
        self.terms.field(how);
    }

    /// Its tokens are words of the case, and the code's own.
    fn code(&mut self, code: &str) {
        for token in &tokens::analyse(code).tokens {
            if matches!(token.kind, Kind::Whole | Kind::Joined | Kind::Part | Kind::Number) {
                self.terms.add(&code_term(&token.text), CODES.times);
            }
        }
        self.terms.add(&code_term(&tokens::exact(code)), CODES.times);
        self.field(code, CODES);
    }
}

/// The term of a code, or of its number, that only codes have.
pub fn code_term(token: &str) -> String {
    format!("{CODE}{token}")
}

/// The terms of one case, each once, and the tokens of one field.
#[derive(Default)]
struct Frequencies {
    vocabulary: Vocabulary,
    /// By their numbers.
    terms: Vec<(u32, f32)>,
    /// Of the field that is read: the place of each token's term.
    tokens: Vec<u32>,
    /// How many of them count as the field's length.
    length: u16,
}

impl Sink for Frequencies {
    fn take(&mut self, text: &str, kind: Kind, _start: usize, _end: usize) {
        let place = self.place(text);
        self.tokens.push(place);
        self.length = self.length.saturating_add(u16::from(kind != Kind::Unigram));
    }
}

impl Frequencies {
    fn begin(&mut self) {
        self.vocabulary.turn();
        self.terms.clear();
    }

    fn place(&mut self, text: &str) -> u32 {
        let fresh = u32::try_from(self.terms.len()).unwrap_or(u32::MAX);
        let (term, place) = self.vocabulary.place(text, fresh);
        if place == fresh {
            self.terms.push((term, 0.0));
        }
        place
    }

    fn add(&mut self, text: &str, frequency: f32) {
        let place = self.place(text);
        if let Some((_, known)) = self.terms.get_mut(place as usize) {
            *known += frequency;
        }
    }

    /// The end of a field.
    fn field(&mut self, how: Weight) {
        let each = how.times / (1.0 - how.by_length + how.by_length * f32::from(self.length) / how.usual);
        for place in self.tokens.drain(..) {
            if let Some((_, frequency)) = self.terms.get_mut(place as usize) {
                *frequency += each;
            }
        }
        self.length = 0;
    }
}

fn tags(state: CaseState, body: &CaseBody) -> Vec<Tag> {
    let mut tags: Vec<(CaseFacet, String)> = Vec::new();
    let mut add = |facet: CaseFacet, value: &str| {
        let value = value.trim();
        if !value.is_empty() && !tags.iter().any(|(own, known)| *own == facet && known == value) {
            tags.push((facet, value.to_owned()));
        }
    };
    for about in &body.equipment {
        add(CaseFacet::Product, about.product.raw());
        add(CaseFacet::Model, about.model.raw());
        add(CaseFacet::Version, &about.versions.to_string());
    }
    for code in &body.codes {
        add(CaseFacet::Code, code.raw());
    }
    if let Some(cause) = &body.cause {
        add(CaseFacet::Cause, cause.as_str());
    }
    for (language, text) in [(Language::Zh, &body.zh), (Language::En, &body.en)] {
        if text.is_some() {
            add(CaseFacet::Language, language.as_str());
        }
    }
    add(CaseFacet::State, state.as_str());
    add(CaseFacet::Audience, body.audience.as_str());
    tags.into_iter().map(|(own, value)| Tag { facet: facet(own), value }).collect()
}

/// What a case is about, in one short text: for a model of meaning, which reads the first few hundred words.
pub fn passage(body: &CaseBody) -> String {
    let said = |text: &CaseText| {
        let fields = [&text.title, &text.symptom, &text.cause, &text.resolution];
        fields.into_iter().map(Printable::raw).filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n")
    };
    let mut parts: Vec<String> = [&body.zh, &body.en].into_iter().flatten().map(said).collect();
    let names = body.equipment.iter().map(ToString::to_string).chain(body.codes.iter().map(|code| code.raw().to_owned()));
    parts.push(names.collect::<Vec<_>>().join(", "));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> CaseBody {
        let text = |title: &str| Some(CaseText { title: title.into(), ..CaseText::default() });
        CaseBody {
            zh: text("风扇停转"),
            en: text("Fan stops"),
            codes: vec!["ALM-25621".into()],
            equipment: serde_json::from_value(serde_json::json!([
                {"product": "OLT", "model": "C320", "versions": "5.2..5.4"}, {"product": "OLT", "model": "C300"}
            ]))
            .unwrap(),
            ..CaseBody::default()
        }
    }

    #[test]
    fn a_document_has_terms_and_tags() {
        let document = Documents::default().of(CaseNumber(7), CaseState::Wip, &body());
        let frequency = |term: &str| document.terms.iter().find(|(own, _)| own.as_str() == term).map_or(0.0, |(_, frequency)| *frequency);
        assert!(frequency("风扇") > 0.0 && frequency("fan") > 0.0);
        assert!(frequency(&code_term("alm25621")) > 0.0 && frequency(&code_term("25621")) > 0.0);
        assert!(frequency("alm25621") > frequency("c320") && frequency("c320") > 0.0);
        let tags: Vec<_> = document.tags.iter().map(|tag| (tag.facet.0, tag.value.as_str())).collect();
        let expected =
            [(0, "OLT"), (1, "C320"), (2, "5.2..5.4"), (1, "C300"), (3, "ALM-25621"), (5, "zh"), (5, "en"), (6, "wip"), (7, "internal")];
        assert_eq!(tags, expected);
    }

    #[test]
    fn a_longer_field_says_less_with_each_word() {
        let of = |symptom: &str| {
            let text = CaseText { title: "x1".into(), symptom: symptom.into(), ..CaseText::default() };
            let document = Documents::default().of(CaseNumber(1), CaseState::Wip, &CaseBody { en: Some(text), ..CaseBody::default() });
            document.terms.iter().find(|(term, _)| term.as_str() == "fan").unwrap().1
        };
        assert!(of("fan") > of(&format!("fan {}", "word ".repeat(100))));
        assert!(of("fan fan") > of("fan other"));
    }

    #[test]
    fn a_passage_begins_with_what_matters() {
        assert_eq!(passage(&body()), "风扇停转\nFan stops\nOLT C320, OLT C300, ALM-25621");
    }
}

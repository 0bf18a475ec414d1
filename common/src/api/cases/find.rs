use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CaseField, CaseState, Language};
use crate::Printable;
use crate::name::CaseNumber;

/// `GET /api/v1/cases`: what was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CaseAnswer {
    /// The best ones, best first.
    pub items: Vec<CaseHit>,
    /// All that match, also those beyond `items`.
    pub total: u32,
    /// When they were asked for: counted over all that match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facets: Vec<FacetCounts>,
    /// What the reader should know of this answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<SearchNote>,
}

/// A case that was found, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CaseHit {
    pub number: CaseNumber,
    pub title: Printable,
    pub language: Language,
    pub state: CaseState,
    /// Higher is better; comparable within one answer only.
    pub score: f64,
    /// What matched: codes, models, words.
    pub why: Vec<Printable>,
    pub solved: u32,
    /// Where it matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub highlights: Vec<Highlight>,
}

/// A field of a case, or the best piece of a long one, and what of it matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Highlight {
    pub language: Language,
    pub field: CaseField,
    /// As it is stored: it is text, whatever it looks like.
    pub text: Printable,
    /// Where `text` begins in its field, in Unicode characters.
    #[serde(default)]
    pub start: u32,
    /// Pairs of begin and end (which is behind the last), in Unicode characters of `text`; rising, never overlapping.
    pub spans: Vec<[u32; 2]>,
}

words! {
    /// What hits are counted by, and a key of the query grammar each.
    pub enum CaseFacet {
        Product = "product",
        Model = "model",
        /// Ranges of software; as a filter, a version that the range holds.
        Version = "version",
        Code = "code",
        /// X.733's probable cause.
        Cause = "cause",
        Language = "language",
        State = "state",
        /// For the support centre's people.
        Audience = "audience",
    }
}

/// The values of a facet, most frequent first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FacetCounts {
    pub facet: CaseFacet,
    pub values: Vec<FacetCount>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FacetCount {
    pub value: Printable,
    pub count: u32,
}

words! {
    pub enum NoteKind {
        /// Words that stand in too many cases to tell them apart were left out.
        Dropped = "dropped",
        /// A word that no case has was taken for one like it.
        Corrected = "corrected",
        /// What was found shares little with the question.
        NoConfidentMatch = "no_confident_match",
        /// The index is being built anew: there may be more.
        Rebuilding = "rebuilding",
        /// Something looked like a filter and was searched as text.
        NotAFilter = "not_a_filter",
        /// The question was longer than what is read of one.
        Cut = "cut",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchNote {
    pub kind: NoteKind,
    /// In words.
    pub text: Printable,
    /// The words of the question that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Printable>,
}

words! {
    /// How the index of the case library is.
    pub enum CaseIndexState {
        Whole = "whole",
        /// It is being built, or much was saved at once: a search may find less than there is.
        Rebuilding = "rebuilding",
    }
}

//! The life of a case: review, versions, owners, doubts, duplicates, feedback, translations, unanswered questions, health.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CaseField, CaseState, Language, LinkVerdict};
use crate::Printable;
use crate::api::{Bilingual, FigureUnit, ReferenceValue};
use crate::name::{CaseNumber, CustomerCode, FaultNumber, PersonName};

words! {
    /// Why a case waits for review.
    pub enum ReviewWhy {
        /// Its author handed it in.
        Submitted = "submitted",
        /// It was drafted from a fault.
        Drafted = "drafted",
        /// It was published, and has a new version since.
        Edited = "edited",
        /// An import brought it.
        Imported = "imported",
        /// It came back out of the archive.
        Unarchived = "unarchived",
    }
}

/// A case's place in the review queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Review {
    pub since: Timestamp,
    pub why: ReviewWhy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<PersonName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<Timestamp>,
}

/// Sent back to its author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Returned {
    pub by: PersonName,
    pub reason: Printable,
    pub at: Timestamp,
}

/// One case of the review queue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReviewItem {
    pub number: CaseNumber,
    pub title: Printable,
    pub author: PersonName,
    /// Who wrote the version that waits.
    pub editor: PersonName,
    pub owner: PersonName,
    pub version: u32,
    #[serde(flatten)]
    pub review: Review,
    pub waits_s: u64,
    /// The asker may review it: somebody else wrote it, and nobody else has claimed it.
    pub may_review: bool,
    /// Why not, in a word for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<Printable>,
    /// One of the asker's skills is its product.
    pub fits: bool,
}

words! {
    /// A doubt about a case.
    pub enum FlagKind {
        /// Nobody has said for long that it is still true.
        Unconfirmed = "unconfirmed",
        /// All its ranges of software end before the newest software that is in use.
        Superseded = "superseded",
        /// A reader says that it is wrong or outdated.
        Reader = "reader",
        /// It was wrong for a fault.
        WrongLink = "wrong_link",
    }
}

/// A doubt, open or answered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Flag {
    pub id: u32,
    pub case: CaseNumber,
    pub kind: FlagKind,
    /// A person, or `system`.
    pub by: String,
    pub reason: Printable,
    pub version: u32,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<String>,
    /// What was said to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Printable>,
}

/// `POST .../confirmation`: still true.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    #[serde(default)]
    pub note: Printable,
}

/// `POST .../owner`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    pub to: PersonName,
    #[serde(default)]
    pub reason: Printable,
}

/// `POST /api/v1/cases/handover`: many at once, by product line, by owner, or both.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOverMany {
    #[serde(default)]
    pub product: Option<String>,
    #[serde(default)]
    pub from: Option<PersonName>,
    pub to: PersonName,
    #[serde(default)]
    pub reason: Printable,
}

/// What a hand-over moved.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HandedOver {
    pub to: PersonName,
    pub cases: Vec<CaseNumber>,
}

/// `POST .../merge`: this case is the same as another.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SameAs {
    pub into: String,
}

/// A version of a case.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CaseVersion {
    pub version: u32,
    pub editor: PersonName,
    pub at: Timestamp,
    /// What changed, as the editor says it.
    #[serde(default, skip_serializing_if = "Printable::is_empty")]
    pub note: Printable,
    /// The older version that this one brings back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u32>,
    /// In the answer for one version: what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<super::CaseBody>,
}

/// `POST .../versions/{version}/restoration`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Restoration {
    #[serde(default)]
    pub note: Printable,
}

words! {
    pub enum DiffOp {
        Same = "same",
        Removed = "removed",
        Added = "added",
    }
}

/// A piece of a text and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiffPiece {
    pub op: DiffOp,
    pub text: Printable,
}

/// What became of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldDiff {
    /// `title`, `symptom`, `cause`, `steps`, `resolution`; `equipment`, `codes`, `probable_cause`, `audience`.
    pub field: String,
    /// Absent for what belongs to no language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    pub pieces: Vec<DiffPiece>,
}

/// What changed between two versions: fields that differ only.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CaseDiff {
    pub number: CaseNumber,
    pub from: CaseVersion,
    pub to: CaseVersion,
    pub fields: Vec<FieldDiff>,
}

/// What a case was to one fault.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CaseLink {
    pub fault: FaultNumber,
    pub title: Printable,
    pub verdict: LinkVerdict,
    pub person: PersonName,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Printable>,
    /// It was said of this case, which is the same by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<CaseNumber>,
}

/// `POST .../unlink`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unlink {
    pub fault: FaultNumber,
    pub reason: Printable,
}

/// `PUT .../feedback`: did it help? Once for each person and version; a second one takes the first one's place.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFeedback {
    pub helpful: bool,
    #[serde(default)]
    pub comment: Printable,
}

/// What a reader said of a case.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Feedback {
    pub case: CaseNumber,
    pub version: u32,
    pub person: PersonName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    pub helpful: bool,
    #[serde(default, skip_serializing_if = "Printable::is_empty")]
    pub comment: Printable,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<CaseNumber>,
}

words! {
    pub enum Translation {
        /// The other language says something here, and this one nothing.
        Lacking = "lacking",
        /// The other language was changed since.
        Older = "older",
    }
}

/// A field that one language lacks, or that may be outdated there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToTranslate {
    pub language: Language,
    pub field: CaseField,
    pub why: Translation,
    /// The version in which the other language was written.
    pub since_version: u32,
}

/// One case of the queue to translate.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TranslateItem {
    pub number: CaseNumber,
    pub title: Printable,
    pub state: CaseState,
    pub owner: PersonName,
    pub updated_at: Timestamp,
    pub fields: Vec<ToTranslate>,
}

/// `POST .../translation`: this language says what the other one says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmTranslation {
    pub language: Language,
    /// All of them when empty.
    #[serde(default)]
    pub fields: Vec<CaseField>,
}

words! {
    pub enum GapState {
        Open = "open",
        /// A case answers it by now.
        Written = "written",
        /// Nobody needs a case for it.
        NotWorth = "not_worth",
    }
}

/// A question that the library did not answer: masked, and the same question by many people counted once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    pub id: u32,
    pub text: Printable,
    pub language: Language,
    /// The product that was asked about, where it was known.
    #[serde(default, skip_serializing_if = "Printable::is_empty")]
    pub product: Printable,
    pub count: u32,
    /// Of these, so many saw answers and said that none fits.
    pub none_fits: u32,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub state: GapState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseNumber>,
    #[serde(default, skip_serializing_if = "Printable::is_empty")]
    pub note: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handled_by: Option<PersonName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handled_at: Option<Timestamp>,
}

/// `POST /api/v1/case-gaps/{gap}/handling`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandleGap {
    pub state: GapState,
    /// The case that answers it.
    #[serde(default)]
    pub case: Option<CaseNumber>,
    #[serde(default)]
    pub note: Printable,
}

/// `GET` and `PUT /api/v1/case-settings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseSettings {
    /// A published case that nobody confirmed for so many months is flagged.
    pub stale_after_months: u32,
}

words! {
    pub enum HealthFigure {
        LinkRate = "link_rate",
        Reuse = "reuse",
        TimeToPublish = "time_to_publish",
        Stale = "stale",
        ReviewBacklog = "review_backlog",
        ReviewAge = "review_age",
        NeverReused = "never_reused",
        TopReused = "top_reused",
        Helpful = "helpful",
        Deflections = "deflections",
        Unanswered = "unanswered",
        ToTranslate = "to_translate",
    }
}

/// What a figure of the library's health means.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HealthDefinition {
    pub figure: HealthFigure,
    pub name: Bilingual,
    pub unit: FigureUnit,
    pub formula: String,
    pub counts: Bilingual,
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceValue>,
}

/// A figure of the library's health.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HealthValue {
    pub figure: HealthFigure,
    /// Absent where there is nothing to divide by.
    pub value: Option<f64>,
    pub numerator: f64,
    pub denominator: f64,
    /// How many lines its list has.
    pub behind: u64,
}

words! {
    pub enum HealthBy {
        Product = "product",
        Owner = "owner",
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HealthRow {
    /// The product or the owner; absent in the row for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Printable>,
    pub figures: Vec<HealthValue>,
}

/// `GET /api/v1/cases/health`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CaseHealth {
    pub from: Timestamp,
    pub until: Timestamp,
    pub rows: Vec<HealthRow>,
    pub definitions: Vec<HealthDefinition>,
}

/// What a figure counted: one of a case, a fault or a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HealthItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<u32>,
    pub title: Printable,
    /// Its part of the numerator.
    pub value: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

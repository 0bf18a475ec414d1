mod draft;
mod exchange;
mod find;
mod life;
mod offers;

pub use draft::*;
pub use exchange::*;
pub use find::*;
pub use life::*;
pub use offers::*;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::alarm::ProbableCause;
use crate::id::CaseId;
use crate::name::{CaseNumber, FaultNumber, PersonName};
use crate::version::VersionRange;

words! {
    /// KCS life cycle.
    pub enum CaseState {
        Wip = "wip",
        NotValidated = "not_validated",
        Validated = "validated",
        Archived = "archived",
    }
}

words! {
    pub enum Audience {
        /// The support centre's people only.
        Internal = "internal",
        Customer = "customer",
    }
}

words! {
    pub enum Language {
        Zh = "zh",
        En = "en",
    }
}

words! {
    /// What a case was to a fault: the strongest sign of its worth.
    pub enum LinkVerdict {
        Solved = "solved",
        Helped = "helped",
        Wrong = "wrong",
    }
}

/// A case's text in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseText {
    pub title: Printable,
    #[serde(default)]
    pub symptom: Printable,
    #[serde(default)]
    pub cause: Printable,
    #[serde(default)]
    pub steps: Printable,
    #[serde(default)]
    pub resolution: Printable,
}

impl CaseText {
    pub const fn field(&self, field: CaseField) -> &Printable {
        match field {
            CaseField::Title => &self.title,
            CaseField::Symptom => &self.symptom,
            CaseField::Cause => &self.cause,
            CaseField::Steps => &self.steps,
            CaseField::Resolution => &self.resolution,
        }
    }
}

impl CaseBody {
    pub const fn text(&self, language: Language) -> Option<&CaseText> {
        match language {
            Language::Zh => self.zh.as_ref(),
            Language::En => self.en.as_ref(),
        }
    }
}

impl Language {
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Zh => Self::En,
            Self::En => Self::Zh,
        }
    }
}

/// What a case says and what it is about; what people edit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zh: Option<CaseText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<CaseText>,
    /// What it is about.
    #[serde(default)]
    pub equipment: Vec<CaseEquipment>,
    /// Alarm codes and types, like `ALM-25621`, `fan.speed`.
    #[serde(default)]
    pub codes: Vec<Printable>,
    /// X.733's name for what was behind it, where one fits.
    #[serde(default, rename = "probable_cause", skip_serializing_if = "Option::is_none")]
    pub cause: Option<ProbableCause>,
    #[serde(default = "internal")]
    pub audience: Audience,
}

/// A product that a case is about, and which of its software.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseEquipment {
    /// The product line: `OLT`.
    pub product: Printable,
    /// The model in it: `C320`. All of them when empty.
    #[serde(default, skip_serializing_if = "Printable::is_empty")]
    pub model: Printable,
    /// The software that it was seen on. All of it when empty.
    #[serde(default, skip_serializing_if = "VersionRange::is_any")]
    pub versions: VersionRange,
}

const fn internal() -> Audience {
    Audience::Internal
}

#[expect(clippy::derivable_impls, reason = "the macro makes the enum")]
impl Default for Audience {
    fn default() -> Self {
        Self::Internal
    }
}

impl std::fmt::Display for CaseEquipment {
    /// `OLT C320`; a model that begins with its product is not said twice.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.product.raw(), self.model.raw()) {
            (product, "") => f.write_str(product),
            (product, model) if model.starts_with(product) => f.write_str(model),
            (product, model) => write!(f, "{product} {model}"),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Case {
    pub id: CaseId,
    pub number: CaseNumber,
    pub state: CaseState,
    #[serde(flatten)]
    pub body: CaseBody,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_fault: Option<FaultNumber>,
    pub author: PersonName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<PersonName>,
    pub version: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub solved: u32,
    pub helped: u32,
    pub wrong: u32,
    /// Who looks after it: the author at first.
    pub owner: PersonName,
    /// When a review or a confirmation last said that it is true.
    pub confirmed_at: Timestamp,
    /// The first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// Doubts that are open. For the support centre's people, as is all that follows but `asked_as`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Returned>,
    /// It is a duplicate of this case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<CaseNumber>,
    /// Its duplicates: their numbers answer with this case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<CaseNumber>,
    /// What one language lacks, or may be outdated in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_translate: Vec<ToTranslate>,
    /// The number that was asked for, where it is that of a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_as: Option<CaseNumber>,
}

/// `POST /api/v1/cases/{number}/links`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    pub fault: FaultNumber,
    pub verdict: LinkVerdict,
    /// Needed when it was wrong: the case is flagged with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Printable>,
}

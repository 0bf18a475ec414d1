use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::id::CaseId;
use crate::name::{CaseNumber, FaultNumber, PersonName};

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

/// What a case says and what it is about; what people edit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zh: Option<CaseText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<CaseText>,
    /// Product lines and models, like `OLT C320`.
    #[serde(default)]
    pub equipment: Vec<Printable>,
    /// Alarm codes and types, like `ALM-25621`, `fan.speed`.
    #[serde(default)]
    pub codes: Vec<Printable>,
    #[serde(default = "internal")]
    pub audience: Audience,
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
}

/// `POST /api/v1/cases/{number}/links`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    pub fault: FaultNumber,
    pub verdict: LinkVerdict,
}

//! Import and export of the library, and the users' synonyms.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{CaseBody, CaseState};
use crate::Printable;
use crate::id::CaseId;
use crate::name::{CaseNumber, PersonName};

/// A case on its way in or out of the library.
///
/// It is known by its `id`, by its `number`, or by a `key` that another system, the `source`, knows it by. With neither it is known by
/// what it says: the same text again is the same case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CaseItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<CaseId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<CaseNumber>,
    /// The version that was exported. An import holds both sides against it: what only one side changed since is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Told by an export; an import has its own rule for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<CaseState>,
    /// Whose `key` it is: `servicenow`, `wiki`.
    #[serde(skip_serializing_if = "Printable::is_empty")]
    pub source: Printable,
    #[serde(skip_serializing_if = "Printable::is_empty")]
    pub key: Printable,
    #[serde(flatten)]
    pub body: CaseBody,
}

/// What `GET /api/v1/cases/{case}` tells beyond that: an import passes over it.
const TOLD: &[&str] = &[
    "asked_as",
    "author",
    "confirmed_at",
    "created_at",
    "duplicates",
    "flags",
    "helped",
    "owner",
    "published_at",
    "returned",
    "review",
    "reviewer",
    "same_as",
    "solved",
    "source_fault",
    "to_translate",
    "updated_at",
    "wrong",
];

impl<'de> Deserialize<'de> for CaseItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        fields.retain(|name, _| TOLD.binary_search(&name.as_str()).is_err());
        Self::of_fields(fields).map_err(D::Error::custom)
    }
}

fn taken<T: serde::de::DeserializeOwned + Default>(fields: &mut Map<String, Value>, name: &str) -> Result<T, String> {
    let Some(value) = fields.remove(name) else { return Ok(T::default()) };
    serde_json::from_value(value).map_err(|error| format!("`{name}`: {error}"))
}

impl CaseItem {
    pub fn of_fields(mut fields: Map<String, Value>) -> Result<Self, String> {
        let mut item = Self {
            id: taken(&mut fields, "id")?,
            number: taken(&mut fields, "number")?,
            version: taken(&mut fields, "version")?,
            state: taken(&mut fields, "state")?,
            source: taken(&mut fields, "source")?,
            key: taken(&mut fields, "key")?,
            body: CaseBody::default(),
        };
        item.body = serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
        if item.key.is_empty() != item.source.is_empty() {
            return Err("`source` and `key` go together: `source` names the system, `key` is what it calls the case".into());
        }
        Ok(item)
    }
}

words! {
    /// How cases are written down.
    pub enum ExchangeForm {
        Markdown = "markdown",
        Csv = "csv",
        Json = "json",
        Jsonl = "jsonl",
    }
}

/// A file with cases: its form is told by the end of its name (`.md`, `.csv`, `.json`, `.jsonl`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    pub name: String,
    pub text: String,
}

/// A case to take out of use, because whoever keeps the library elsewhere took it out there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pruned {
    pub id: CaseId,
    /// The version that was taken out: a newer one stays.
    pub version: u32,
}

words! {
    /// As what imported cases arrive.
    pub enum ArriveAs {
        /// In work.
        Wip = "wip",
        /// Waiting for review.
        NotValidated = "not_validated",
        /// Published; only administrators say so, and are the reviewers then.
        Validated = "validated",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro makes the enum")]
impl Default for ArriveAs {
    fn default() -> Self {
        Self::Wip
    }
}

/// `POST /api/v1/cases/import`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseImport {
    #[serde(default)]
    pub items: Vec<CaseItem>,
    #[serde(default)]
    pub files: Vec<CaseFile>,
    #[serde(default)]
    pub prune: Vec<Pruned>,
    #[serde(default, rename = "as")]
    pub arrive_as: ArriveAs,
    /// The plan that a dry run answered with. Absent: a dry run, nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

words! {
    /// What an import does, or would do, with a case.
    pub enum ImportVerdict {
        New = "new",
        /// A new version.
        Changed = "changed",
        Same = "same",
        /// The library has a newer version, and this side changed nothing: it stays.
        Behind = "behind",
        /// Taken out of use.
        Archived = "archived",
        /// Both sides changed it since: neither is written.
        Conflict = "conflict",
        Refused = "refused",
    }
}

/// A field that differs, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// `en.steps`, `codes`.
    pub field: String,
    /// `+2 -1 lines`, `+ALM-1`.
    pub summary: Printable,
}

/// What becomes of one case of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedCase {
    /// Its place among the items, or `FILE:LINE`.
    pub place: String,
    pub verdict: ImportVerdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CaseId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<CaseNumber>,
    /// The library's version: before the import in a plan, after it in its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    #[serde(default)]
    pub title: Printable,
    /// As what it arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CaseState>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// Why it is not taken, and what would be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Printable>,
    /// What may not be meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The library's text, where both sides changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<Box<CaseBody>>,
    /// When the library's case changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportPlan {
    pub cases: Vec<PlannedCase>,
    /// Names this plan and its moment: `plan` of the request that carries it out.
    pub plan: String,
    /// It was carried out.
    pub applied: bool,
}

/// A case that an export leaves out, because it shows what belongs to a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldBack {
    pub number: CaseNumber,
    /// Which fields, and what in them: `en.steps: [ip]`.
    pub shows: Vec<String>,
}

/// `GET /api/v1/cases/export`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaseExport {
    /// By number.
    pub items: Vec<CaseItem>,
    pub held_back: Vec<HeldBack>,
    /// Pass it as `after` to get the next page; absent on the last one. A page may be empty and have a next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<CaseNumber>,
}

/// Phrases that mean the same in a question, in Chinese and in English.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SynonymGroup {
    /// `syn_...`, or `field-...` for a group that is built in.
    pub id: String,
    pub zh: Vec<Printable>,
    pub en: Vec<Printable>,
    /// Comes with the server: can be switched off, not edited.
    pub built_in: bool,
    /// Searches use it.
    pub on: bool,
    /// Who changed it last, or switched it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<PersonName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// What may not be meant like this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// `POST /api/v1/cases/synonyms` and `PUT /api/v1/cases/synonyms/{group}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSynonyms {
    /// Chinese phrases.
    #[serde(default)]
    pub zh: Vec<Printable>,
    /// English phrases.
    #[serde(default)]
    pub en: Vec<Printable>,
}

/// `PUT /api/v1/cases/synonyms/{group}/switch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SynonymSwitch {
    pub on: bool,
}

/// `POST /api/v1/cases/synonyms/import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SynonymTable {
    /// A group a line: Chinese phrases, a tab, English phrases, each separated by `;`. `#` begins a comment.
    pub table: String,
    /// The plan that a dry run answered with. Absent: a dry run, nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

words! {
    /// What an import does, or would do, with a line of a table.
    pub enum LineVerdict {
        New = "new",
        Changed = "changed",
        Same = "same",
        Refused = "refused",
    }
}

/// What becomes of one line of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SynonymLine {
    /// From 1.
    pub line: u32,
    pub verdict: LineVerdict,
    /// The group that it changes or is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    pub zh: Vec<Printable>,
    pub en: Vec<Printable>,
    /// Why it is refused, and what would be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SynonymImport {
    pub lines: Vec<SynonymLine>,
    /// Users' groups that the table does not have: they stay.
    pub missing: Vec<String>,
    /// Names this plan: `plan` of the request that carries it out.
    pub plan: String,
    /// It was carried out.
    pub applied: bool,
}

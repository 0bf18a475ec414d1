use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CaseHit, LinkVerdict};
use crate::Printable;
use crate::fault::FaultStatus;
use crate::id::{AttachmentId, DeflectionId, EvidenceId, OfferId, SessionId};
use crate::name::{CaseNumber, CustomerCode, FaultNumber, NeName, PersonName};

// ---- Suggestions ----------------------------------------------------------------------------------------------------

/// What fits a fault, before it is filed or afterwards.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Suggestions {
    /// Names this answer, for telling what came of it (`POST /api/v1/cases/signals`).
    #[serde(default = "OfferId::new")]
    pub offer: OfferId,
    /// Similar cases, best first.
    pub items: Vec<CaseHit>,
    /// Open faults of the same customer that may be the same trouble, best first.
    #[serde(default)]
    pub duplicates: Vec<OpenDuplicate>,
}

/// An open fault that may be the same trouble, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenDuplicate {
    pub number: FaultNumber,
    pub title: Printable,
    pub status: FaultStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<NeName>,
    pub reported_at: Timestamp,
    /// From 0 to 1, higher is likelier.
    pub score: f64,
    /// What speaks for it: equipment, alarms, words.
    pub why: Vec<Printable>,
}

/// `POST /api/v1/cases/search`: like `GET /api/v1/cases`, for questions that no address can hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseSearch {
    /// Words, codes, numbers and filters.
    #[serde(default)]
    pub q: String,
    /// At most 100; 20 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The last word may be the beginning of one.
    #[serde(default)]
    pub typing: bool,
    /// Counts by product, model, version, code, cause, language and state.
    #[serde(default)]
    pub facets: bool,
}

/// `POST /api/v1/cases/suggest`: like the GET, for texts of any length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Typed {
    /// What was typed so far.
    #[serde(default)]
    pub text: Printable,
    /// A name (`ne-1.jw.ne`) or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<String>,
    /// Whose fault it is, when no equipment is known; one's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    /// At most 20; 5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

// ---- What came of it ------------------------------------------------------------------------------------------------

words! {
    /// Where cases were offered.
    pub enum OfferPlace {
        /// While a fault was filed.
        Filing = "filing",
        /// On a fault's page.
        Fault = "fault",
        Search = "search",
    }
}

/// `POST /api/v1/cases/signals`. An offer that is known already is added to, so that sending one again changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignals {
    /// At most 100.
    pub offers: Vec<NewOffer>,
}

/// What was offered, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOffer {
    /// The `offer` of the answer, or one that the client made.
    pub offer: OfferId,
    pub place: OfferPlace,
    /// What was typed; stored with names, addresses and secrets taken out.
    #[serde(default)]
    pub query: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<NeName>,
    /// The cases that were shown, from the first place on.
    #[serde(default)]
    pub shown: Vec<Shown>,
    /// Which of them somebody looked at.
    #[serde(default)]
    pub opened: Vec<CaseNumber>,
    #[serde(default)]
    pub cited: Vec<Cited>,
    /// Somebody looked, and nothing fitted.
    #[serde(default)]
    pub none_fits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    pub case: CaseNumber,
    pub score: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cited {
    pub case: CaseNumber,
    pub verdict: LinkVerdict,
}

/// How many of the offers that were sent are stored now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignalsStored {
    pub offers: u32,
}

/// `GET /api/v1/cases/signals` (admin): one offer a line, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OfferRecord {
    pub offer: OfferId,
    pub place: OfferPlace,
    pub query: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultNumber>,
    pub person: PersonName,
    pub at: Timestamp,
    pub none_fits: bool,
    pub shown: Vec<ShownRecord>,
}

/// A case at its position, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShownRecord {
    /// Counted from 1.
    pub position: u32,
    pub case: CaseNumber,
    pub score: f64,
    pub opened: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cited: Option<LinkVerdict>,
}

/// `GET` and `PUT /api/v1/cases/signals/retention`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalRetention {
    /// 1 to 60.
    pub months: u32,
}

// ---- Deflection -----------------------------------------------------------------------------------------------------

/// `POST /api/v1/cases/{number}/deflections`: this case solved it, and no fault is filed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDeflection {
    /// What was typed; stored with names, addresses and secrets taken out.
    pub question: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<NeName>,
    /// Whose trouble it was, when no equipment is known; one's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferId>,
}

/// A fault that was not filed, since a case solved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deflection {
    pub id: DeflectionId,
    pub case: CaseNumber,
    pub question: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    pub by: PersonName,
    pub at: Timestamp,
    /// It was taken back: it counts no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_at: Option<Timestamp>,
}

// ---- Evidence -------------------------------------------------------------------------------------------------------

/// `POST /api/v1/cases/{number}/evidence`: an attachment of a fault, or a stretch of a session's recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum NewEvidence {
    Attachment(NewFile),
    Clip(NewClip),
}

/// The content is copied: what happens to the fault's own attachment later does not change the case's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFile {
    pub fault: FaultNumber,
    pub attachment: AttachmentId,
    /// For people; the file's name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Printable>,
}

/// A time range of a recording, at most an hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClip {
    pub session: SessionId,
    /// The first terminal, else the first command, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<u32>,
    /// Since the session's start.
    pub from_s: f64,
    pub to_s: f64,
    /// For people; which session it is when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Printable>,
}

words! {
    pub enum EvidenceKind {
        Attachment = "attachment",
        Clip = "clip",
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    pub id: EvidenceId,
    pub case: CaseNumber,
    pub kind: EvidenceKind,
    pub title: Printable,
    /// Where it comes from, for those who may see that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<EvidenceFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<EvidenceClip>,
    pub by: PersonName,
    pub at: Timestamp,
    /// Only for the support centre's people until somebody else has released it. A clip is for its own customer even then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Release>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceFile {
    pub name: Printable,
    pub size_bytes: u64,
    pub sha256: String,
    pub media_type: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceClip {
    pub session: SessionId,
    pub channel: u32,
    pub from_s: f64,
    pub to_s: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Release {
    pub by: PersonName,
    pub at: Timestamp,
    /// What the reviewer looked for.
    pub reason: Printable,
}

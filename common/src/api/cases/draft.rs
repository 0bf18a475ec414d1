use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Language;
use crate::Printable;
use crate::name::{CaseNumber, FaultNumber, PersonName};

words! {
    /// Why something of a fault is not shown in the case that was drafted from it.
    pub enum MaskRule {
        Ip = "ip",
        Mac = "mac",
        Host = "host",
        Mail = "mail",
        Phone = "phone",
        Imsi = "imsi",
        Imei = "imei",
        Sim = "sim",
        /// A resident's identity number.
        IdNumber = "id_number",
        /// An SNMP community.
        Community = "community",
        /// What a label calls a password, a key, a token.
        Secret = "secret",
        /// A cloud's or a service's key, by its form.
        CloudKey = "cloud_key",
        /// A JSON web token.
        Token = "token",
        PrivateKey = "private_key",
        Certificate = "certificate",
        /// Name and password in an address.
        UrlCredentials = "url_credentials",
        Serial = "serial",
        Customer = "customer",
        Site = "site",
        Equipment = "equipment",
        Person = "person",
        Fault = "fault",
        /// A reviewer took it out.
        Reviewer = "reviewer",
    }
}

impl MaskRule {
    /// What stands in the text instead.
    pub const fn shown(self) -> &'static str {
        match self {
            Self::Ip => "[ip]",
            Self::Mac => "[mac]",
            Self::Host => "[host]",
            Self::Mail => "[mail]",
            Self::Phone => "[phone]",
            Self::Imsi => "[imsi]",
            Self::Imei => "[imei]",
            Self::Sim => "[sim]",
            Self::IdNumber => "[id number]",
            Self::Community | Self::Secret | Self::CloudKey | Self::Token | Self::UrlCredentials => "[secret]",
            Self::PrivateKey => "[private key]",
            Self::Certificate => "[certificate]",
            Self::Serial => "[serial]",
            Self::Customer => "[customer]",
            Self::Site => "[site]",
            Self::Equipment => "[equipment]",
            Self::Person => "[person]",
            Self::Fault => "[fault]",
            Self::Reviewer => "[removed]",
        }
    }
}

words! {
    /// A text of a case.
    pub enum CaseField {
        Title = "title",
        Symptom = "symptom",
        Cause = "cause",
        Steps = "steps",
        Resolution = "resolution",
    }
}

/// `GET /api/v1/cases/{number}/draft`: what the fault says beside what the case says, field by field. Kept until the case is published or
/// archived, and never part of the case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DraftReview {
    pub case: CaseNumber,
    pub fault: FaultNumber,
    /// Of the case; a change of the masking makes a new one.
    pub version: u32,
    pub fields: Vec<DraftField>,
    /// What reviewers put back and took out, oldest first. Without the words themselves.
    pub decisions: Vec<MaskDecision>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DraftField {
    pub language: Language,
    pub field: CaseField,
    /// Somebody has edited the case's text since: the masking can no longer be changed here, only the text itself.
    pub edited: bool,
    /// The whole text, in order.
    pub pieces: Vec<DraftPiece>,
}

/// A stretch of text: either the same on both sides, or masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DraftPiece {
    /// What the fault says.
    pub was: Printable,
    /// What the case says; absent when it is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// Which span it is, within its field: to put it back by. Absent on text that nothing was found in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<MaskRule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MaskDecision {
    pub language: Language,
    pub field: CaseField,
    /// Put back when true, taken out when false.
    pub put_back: bool,
    pub rule: MaskRule,
    pub by: PersonName,
    pub at: Timestamp,
}

/// `POST /api/v1/cases/{number}/draft`: puts spans back, and takes more out. All of it or nothing; makes a new version of the case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftChange {
    #[serde(default)]
    pub put_back: Vec<PutBack>,
    #[serde(default)]
    pub take_out: Vec<TakeOut>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutBack {
    pub language: Language,
    pub field: CaseField,
    pub span: u32,
}

/// Every place in all fields where this stands, in whatever case or width.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeOut {
    pub text: Printable,
    /// What it is; `reviewer` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<MaskRule>,
}

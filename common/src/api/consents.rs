use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::id::ConsentId;
use crate::name::{FaultNumber, NeName, PersonName};
use crate::session::{Doors, EndReason, Grade};
use crate::statement::Signed;

words! {
    pub enum ConsentState {
        /// A challenge was issued; the signed request has not arrived.
        Challenged = "challenged",
        Requested = "requested",
        /// Signed by the carrier; the device has not confirmed it yet.
        Approved = "approved",
        /// The device verified it: the engineer can get in.
        Live = "live",
        Refused = "refused",
        /// The device did not believe it; `device_says` tells why.
        RefusedByDevice = "refused_by_device",
        /// Nobody answered in time.
        Lapsed = "lapsed",
        Ended = "ended",
    }
}

/// `POST /api/v1/consents/challenge`: first step of a request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChallenge {
    pub fault: FaultNumber,
    /// The fault's own equipment when absent.
    #[serde(default)]
    pub equipment: Option<NeName>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChallengeReply {
    /// Also the request's and the consent's id.
    pub id: ConsentId,
    pub fault: FaultNumber,
    pub device: NeName,
    pub challenge: String,
    pub lapses_at: Timestamp,
    /// Proves the host key that goes into the request.
    pub device_statement: Signed,
}

/// `POST /api/v1/consents`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRequest {
    pub request: Signed,
}

/// `POST /api/v1/consents/{id}/approval`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    pub consent: Signed,
}

/// A consent, from its request to its end. What counts is in `request` and `consent`, signed; the rest is for lists.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConsentView {
    pub id: ConsentId,
    pub state: ConsentState,
    pub fault: FaultNumber,
    pub device: NeName,
    pub grade: Grade,
    pub engineer: PersonName,
    /// As requested, or as narrowed by the approval.
    pub doors: Option<Doors>,
    pub account: Option<String>,
    pub duration_s: Option<u32>,
    pub reason: Option<Printable>,
    pub requested_at: Option<Timestamp>,
    /// The challenge's end: an answer after that is too late.
    pub lapses_at: Timestamp,
    pub decided_at: Option<Timestamp>,
    /// Who approved or refused.
    pub decided_by: Option<PersonName>,
    pub refusal: Option<Printable>,
    /// By the device's clock.
    pub live_until: Option<Timestamp>,
    pub device_says: Option<Printable>,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<EndReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Signed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Signed>,
    /// What an approver checks the request against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster: Option<Signed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_statement: Option<Signed>,
}

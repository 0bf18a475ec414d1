use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::id::ConsentId;
use crate::link::DevicePolicy;
use crate::name::{CustomerCode, FaultNumber, NeName, PersonName};
use crate::session::{Doors, EndReason, Grade};
use crate::statement::standing::{Devices, ForFault};
use crate::statement::{KeyClass, Signed};

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
    /// What the device takes: a request beyond it would be refused there.
    pub policy: DevicePolicy,
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
    /// `None` until the request is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
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
    /// Why it was refused, or taken back.
    pub refusal: Option<Printable>,
    /// By the device's clock.
    pub live_until: Option<Timestamp>,
    pub device_says: Option<Printable>,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<EndReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Signed>,
    /// How many of the carrier's people must sign, by the device's word.
    pub approvals_needed: u8,
    /// Whether the device takes consents that were signed in a page of this server, as it said when the request was made. `false` with
    /// nothing known.
    #[serde(default)]
    pub browser_keys: bool,
    /// What the carrier signed so far: consents, or the standing statements that let the request in.
    #[serde(default)]
    pub consents: Vec<Signed>,
    /// Who signed `consents`, in the same order, and with a key of which class.
    #[serde(default)]
    pub approvals: Vec<ApprovedBy>,
    /// Approved on the device itself, without a carrier signer: the device's own signed word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<Signed>,
    /// What an approver checks the request against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster: Option<Signed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_statement: Option<Signed>,
}

/// One signature of the carrier, as it says of itself; whether it counts, the device decides.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ApprovedBy {
    pub approver: PersonName,
    /// `page`: approved in a page served by the vendor. Show that wherever the approval is shown.
    pub key: KeyClass,
}

impl std::fmt::Display for ApprovedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.key.named(&self.approver))
    }
}

words! {
    pub enum StandingState {
        Standing = "standing",
        /// Its time has passed.
        Over = "over",
        Revoked = "revoked",
    }
}

/// `POST /api/v1/standing`: a standing statement that the carrier signed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStanding {
    /// The same terms, signed by as many people as the devices want; usually one.
    pub statements: Vec<Signed>,
}

/// A standing statement. What counts is in `statements`, signed; the rest is for lists.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StandingView {
    pub id: ConsentId,
    pub state: StandingState,
    pub customer: CustomerCode,
    pub devices: Devices,
    pub fault: ForFault,
    /// The lowest level of the roster that it lets in.
    pub level: u8,
    pub doors: Doors,
    pub account: String,
    /// Of each entry, at most.
    pub duration_s: u32,
    pub approvers: Vec<PersonName>,
    pub issued: Timestamp,
    pub valid_before: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    pub statements: Vec<Signed>,
}

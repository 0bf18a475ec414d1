//! The monitoring centre's wall, and the tokens that open a wall and nothing else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ClockName, Event, OfficeName, OnDuty};
use crate::Printable;
use crate::alarm::Severity;
use crate::fault::FaultStatus;
use crate::id::{SessionId, SiteId, WallId};
use crate::name::{CustomerCode, FaultNumber, NeName, PersonName};

/// A new wall token (admin).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWallToken {
    /// Where the wall hangs, like `duty room, left`: 1 to 100 characters, and one of its name at a time.
    pub name: Printable,
    /// A wall of one customer; of all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
}

/// A wall token as it is listed: never the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WallToken {
    pub id: WallId,
    pub name: Printable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    pub created_at: Timestamp,
    pub created_by: PersonName,
    /// To the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<PersonName>,
}

/// The answer to a new wall token. It is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WallTokenReply {
    /// `lwt_...`: as `Authorization: Bearer`, or behind `/wall/` in a browser's address.
    pub token: String,
    pub wall: WallToken,
}

words! {
    /// What a clock on the wall does.
    pub enum WallClockState {
        Running = "running",
        Paused = "paused",
        /// It goes on, over its target.
        Breached = "breached",
    }
}

words! {
    /// Why a clock stands still.
    pub enum WallPause {
        /// The customer's approver has been asked.
        Consent = "consent",
        Customer = "customer",
        Access = "access",
        /// The device's agent is not connected.
        Link = "link",
        /// Outside the hours of the contract's calendar.
        Calendar = "calendar",
    }
}

words! {
    pub enum WallHealth {
        Ok = "ok",
        /// A minor alarm, or the agent is away.
        Warn = "warn",
        /// A critical or major alarm.
        Bad = "bad",
        /// No agent was ever enrolled.
        Unknown = "unknown",
    }
}

/// Open faults by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WallFaults {
    pub critical: u32,
    pub major: u32,
    pub minor: u32,
    pub warning: u32,
    pub indeterminate: u32,
}

/// Clocks with a target that have begun and not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WallClocks {
    pub running: u32,
    pub paused: u32,
    pub breached: u32,
}

/// A row of the countdown: an open fault and the most urgent of its clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WallRow {
    pub fault: FaultNumber,
    pub severity: Severity,
    pub status: FaultStatus,
    pub title: Printable,
    pub customer: CustomerCode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<NeName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonName>,
    pub clock: ClockName,
    pub state: WallClockState,
    pub target_s: u32,
    /// Running time spent by `now`, pauses left out.
    pub elapsed_s: u64,
    /// When the target is reached, or was; absent while something other than the calendar holds the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<WallPause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_since: Option<Timestamp>,
}

/// A session that is live now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WallSession {
    pub id: SessionId,
    pub fault: FaultNumber,
    pub device: NeName,
    pub engineer: PersonName,
    pub started_at: Timestamp,
    /// People who looked on since it began.
    pub watchers: u32,
    /// Something of its recording has arrived.
    pub recorded: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WallToday {
    pub from: Option<Timestamp>,
    pub new: u32,
    pub closed: u32,
}

/// Devices with an enrolled agent, and how many of these are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WallAgents {
    pub online: u32,
    pub total: u32,
}

/// How the equipment of a product is: each device counts once, by its worst.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WallProduct {
    pub product: Printable,
    pub ok: u32,
    pub warn: u32,
    pub bad: u32,
    pub unknown: u32,
}

/// Who is on duty at an office now. For the support centre's walls only.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WallDuty {
    pub office: OfficeName,
    pub on_duty: Vec<OnDuty>,
}

/// A site on the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WallSite {
    pub id: SiteId,
    pub customer: CustomerCode,
    pub name: Printable,
    pub latitude_deg: f64,
    pub longitude_deg: f64,
    pub open: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<Severity>,
}

/// A customer's open faults, for the tiles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WallCustomer {
    pub customer: CustomerCode,
    pub open: u32,
    pub worst: Severity,
}

/// `GET /api/v1/wall`: all that a wall shows, of one moment.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Wall {
    pub now: Timestamp,
    /// The place in the log that this is a picture of: `GET /api/v1/events?after=` goes on from it.
    pub seq: u64,
    /// The wall token's name; absent for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Printable>,
    /// Narrowed to this customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    pub faults: WallFaults,
    /// When the newest fault ended, if none is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calm_since: Option<Timestamp>,
    /// All clocks but the two of the promise.
    pub clocks: WallClocks,
    /// K4 and K5: remote diagnosis within 30 minutes of the consent.
    pub promise: WallClocks,
    /// The most urgent first, 50 at most.
    pub countdown: Vec<WallRow>,
    /// Open faults with a running, paused or breached clock: more than are listed, perhaps.
    pub countdown_total: u32,
    /// 100 at most, the longest first.
    pub sessions: Vec<WallSession>,
    pub today: WallToday,
    pub agents: WallAgents,
    pub health: Vec<WallProduct>,
    pub duty: Vec<WallDuty>,
    pub sites: Vec<WallSite>,
    pub sites_without_coordinates: u32,
    /// Open faults at sites without coordinates, or without equipment.
    pub open_off_the_map: u32,
    pub customers: Vec<WallCustomer>,
    /// The newest first: what a wall may show, without particulars.
    pub events: Vec<Event>,
}

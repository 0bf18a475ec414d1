//! What of the log a wall may show. A wall hangs where visitors see it: of people's own words it shows none, and of particulars
//! nothing. The kind says what happened; who reads it words it.

use lineman_common::Printable;
use serde_json::Value;

use super::{EventView, Kind, sql};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// What happens to faults, consents, sessions and links.
pub const SHOWN: &[Kind] = &[
    Kind::FaultReported,
    Kind::FaultRouted,
    Kind::FaultEscalated,
    Kind::FaultAccepted,
    Kind::FaultAssigned,
    Kind::FaultPending,
    Kind::FaultResumed,
    Kind::FaultDiagnosed,
    Kind::FaultRestored,
    Kind::FaultResolved,
    Kind::FaultClosed,
    Kind::FaultReopened,
    Kind::FaultRejected,
    Kind::FaultCancelled,
    Kind::FaultMerged,
    Kind::ClockBreached,
    Kind::ConsentRequested,
    Kind::ConsentApproved,
    Kind::ConsentRefused,
    Kind::ConsentLapsed,
    Kind::ConsentRevoked,
    Kind::ConsentEnded,
    Kind::SessionOpened,
    Kind::SessionEnded,
    Kind::SessionKillAsked,
    Kind::AgentOnline,
    Kind::AgentOffline,
];

/// The event as a wall may show it, if it may.
pub fn shown_on_walls(event: EventView) -> Option<EventView> {
    let kind: Kind = event.kind.parse().ok()?;
    if !SHOWN.contains(&kind) {
        return None;
    }
    // The server's own words.
    let text = if kind == Kind::ClockBreached { event.text } else { Printable::default() };
    Some(EventView { text, data: Value::Null, ..event })
}

/// The newest events that a wall may show, newest first, numbered as the viewer counts.
pub fn for_walls(db: &Db<'_>, viewer: &Scope, narrowed: &Scope, limit: u32) -> Result<Vec<EventView>, StoreError> {
    Ok(sql::newest_shown(db, viewer, narrowed, SHOWN, limit)?.into_iter().filter_map(shown_on_walls).collect())
}

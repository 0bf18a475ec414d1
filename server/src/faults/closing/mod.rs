//! A resolved fault that nobody says a word about closes by itself, after the time that its customer's tier sets. Who: the system. The
//! customer may reopen it, as any closed fault.

pub mod http;
mod sql;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{Closing, Fault};
use lineman_common::fault::{FaultStatus, Step};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Error, Reference, get, record};
use crate::events::{self, Kind, New};
use crate::store::{Db, Store, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

/// How often the job looks.
const EVERY: Duration = Duration::from_secs(5);
/// Closed in one commit: others want to write too.
const BATCH: u32 = 100;

/// When the fault closes by itself, as things stand.
pub fn closes_at(db: &Db<'_>, fault: &Fault) -> Result<Option<Timestamp>, StoreError> {
    let Some(resolved_at) = fault.resolved_at.filter(|_| fault.status == FaultStatus::Resolved) else { return Ok(None) };
    Ok(sql::after_s(db, fault.id)?.map(|after_s| resolved_at + SignedDuration::from_secs(after_s.into())))
}

pub fn settings(db: &Db<'_>) -> Result<Vec<Closing>, StoreError> {
    sql::settings(db)
}

/// For one tier, or for all that say nothing of their own.
pub fn set(tx: &mut Tx<'_>, actor: &Actor, closing: &Closing) -> Result<Vec<Closing>, Error> {
    sql::set(tx, closing)?;
    let whose = closing.tier.as_deref().map_or("all other tiers".to_owned(), |tier| format!("tier {tier}"));
    let when = closing.after_s.map_or("never by themselves".to_owned(), |after_s| format!("by themselves after {after_s} s"));
    let event = New::of(Kind::FaultClosingSet, actor, format!("resolved faults of {whose} close {when}")).data(json!(closing));
    events::append(tx, event.internal(true))?;
    Ok(sql::settings(tx)?)
}

/// Closes what is due; answers how many. One with an activity under way waits for its end.
fn activate(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let due = sql::due(tx, BATCH)?;
    for id in &due {
        let fault = get(tx, &Scope::All, &Reference::Id(*id))?;
        let status = fault.status.next(Step::Close)?;
        let event =
            New::of(Kind::FaultClosed, "system", "closed by itself: resolved, and nobody objected").data(json!({"by_itself": true}));
        record(tx, &fault, status, super::sql::Change::default(), event)?;
    }
    Ok(due.len())
}

/// Looks for what is due until the server stops.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        loop {
            let any = store.read(|db| sql::due(db, 1)).await;
            match any {
                Ok(due) if due.is_empty() => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "faults that are due to close can't be read");
                    break;
                }
            }
            if let Err(error) = store.write(|tx| activate(tx).map_err(ApiError::from)).await {
                tracing::error!(?error, "faults could not be closed");
                break;
            }
        }
    }
}

#[cfg(test)]
pub fn activate_now(tx: &mut Tx<'_>) -> usize {
    activate(tx).unwrap()
}

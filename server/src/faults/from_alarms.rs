//! From alarms to faults: which alarm opens one, which joins one, and when a fault proposes that it is restored.
//!
//! An alarm gets here when it is due ([`alarms::take_due`]): some seconds after it was raised, so that a root cause which comes late has
//! suppressed it by then, and with everything else that is due at the same moment. So a storm is seen as one: alarms of one cause on one
//! piece of equipment, or right below one, make one fault, whether or not their root cause speaks up. A root cause that comes later than
//! that takes in the faults of what it explains, as long as nobody has touched them. What joins a fault is told on its timeline once for
//! all that join together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::alarm::{ProbableCause, ResourceState};
use lineman_common::api::Alarm;
use lineman_common::fault::{FaultStatus, Impact};
use lineman_common::id::{EquipmentId, FaultId};
use lineman_common::name::FaultNumber;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Error, Filed, Reference, get, merging, open, record, sql};
use crate::alarms::{self, Due};
use crate::equipment::topology;
use crate::equipment::{self, Reference as EquipmentReference};
use crate::events::{Appended, Kind, ListenerError, New};
use crate::store::{Db, Store, Tx};
use crate::web::{ApiError, Scope};

/// How often news are looked for. Alarms wait for seconds, and the log for no longer than this; there is no nudge to be missed.
const EVERY: Duration = Duration::from_millis(250);
/// How often agents that are away are looked for.
const AWAY_EVERY: u32 = 20;
/// Alarms of one run.
const RUN: u32 = 500;
/// From so many alarms of one cause on, what is due together is one thing that happened.
const STORM: usize = 10;
/// Alarms that the timeline names when many join.
const MOST_NAMED: usize = 50;

/// Concludes, opens and proposes, until the server stops.
pub async fn run(store: Store, stop: CancellationToken) {
    let (up_since, mut round) = (Timestamp::now(), 0u32);
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        round = round.wrapping_add(1);
        let away = round.is_multiple_of(AWAY_EVERY);
        if let Err(error) = activate(&store, away.then_some(up_since), &stop).await {
            tracing::error!(?error, "what follows from the alarms could not be drawn; it is tried again");
        }
    }
}

/// Works off what there is. It may be run at any time, any number of times.
async fn activate(store: &Store, up_since: Option<Timestamp>, stop: &CancellationToken) -> Result<(), ApiError> {
    // Without looking for silent agents nothing that is away counts.
    let since = up_since.unwrap_or(Timestamp::MAX);
    while !stop.is_cancelled() && store.read(move |db| alarms::has_work(db, since).map_err(ApiError::from)).await? {
        let more = store
            .write(move |tx| -> Result<bool, ApiError> {
                if let Some(up_since) = up_since {
                    alarms::look_for_silence(tx, up_since)?;
                }
                Ok(settle(tx)?)
            })
            .await?;
        if !more {
            break;
        }
    }
    Ok(())
}

/// One run: conclusions first, then what is due. True when there is more to do at once.
pub fn settle(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let more = alarms::settle(tx)?;
    let due = alarms::take_due(tx, RUN)?;
    let full = due.len() == RUN as usize;
    look_at(tx, due)?;
    Ok(more || full)
}

/// Many alarms at once: those that join a fault are told together, those that open one are looked at for what they have in common.
fn look_at(tx: &mut Tx<'_>, due: Vec<Due>) -> Result<(), Error> {
    let mut joining: BTreeMap<FaultId, Vec<Alarm>> = BTreeMap::new();
    let mut cleared = BTreeSet::new();
    let mut opening = Vec::new();
    for due in due {
        let attached = due.fault.map(|id| get(tx, &Scope::All, &Reference::Id(id))).transpose()?.filter(|fault| !fault.status.is_over());
        match (due.alarm.state, attached) {
            (ResourceState::Cleared, Some(fault)) => {
                cleared.insert(fault.id);
            }
            (ResourceState::Raised, Some(fault)) if due.eligible => {
                // It is part of the fault already; said again only when the fault was on its way to `restored`.
                if fault.proposes_restored {
                    joining.entry(fault.id).or_default().push(due.alarm);
                }
            }
            (ResourceState::Raised, None) if due.eligible => match joinable(tx, &due)? {
                Some(fault) => joining.entry(fault).or_default().push(due.alarm),
                None if due.alarm.severity >= alarms::FAULT_FROM => opening.push(due),
                None => {}
            },
            (ResourceState::Raised | ResourceState::Cleared, _) => {}
        }
    }
    open_all(tx, opening)?;
    for (fault, alarms) in joining {
        join(tx, fault, &alarms)?;
    }
    cleared.into_iter().try_for_each(|fault| propose(tx, fault))
}

/// An open fault that the alarm belongs to: of a companion cause, or of a storm of its own cause.
fn joinable(tx: &Tx<'_>, due: &Due) -> Result<Option<FaultId>, Error> {
    let companions = alarms::companions(due.alarm.probable_cause);
    if !companions.is_empty()
        && let Some(fault) = alarms::open_fault_with(tx, due.equipment, &companions)?
    {
        return Ok(Some(fault));
    }
    let mut places = vec![due.equipment];
    places.extend(topology::parents(tx, due.equipment)?);
    let least = u32::try_from(STORM).unwrap_or(u32::MAX);
    for place in places {
        if let Some(fault) = alarms::storm_on(tx, place, due.alarm.probable_cause, least)? {
            return Ok(Some(fault));
        }
    }
    Ok(None)
}

/// Opens faults for alarms that belong to none: one for each, or one for what happened to many.
fn open_all(tx: &mut Tx<'_>, opening: Vec<Due>) -> Result<(), Error> {
    let mut on: BTreeMap<(EquipmentId, ProbableCause), Vec<Due>> = BTreeMap::new();
    for due in opening {
        on.entry((due.equipment, due.alarm.probable_cause)).or_default().push(due);
    }
    let mut below: BTreeMap<(EquipmentId, ProbableCause), Vec<Due>> = BTreeMap::new();
    for ((equipment, cause), group) in on {
        if group.len() >= STORM {
            open_storm(tx, equipment, group, "on")?;
            continue;
        }
        let parent = topology::parents(tx, equipment)?.into_iter().next();
        below.entry((parent.unwrap_or(equipment), cause)).or_default().extend(group);
    }
    for ((parent, _), group) in below {
        if group.len() >= STORM {
            open_storm(tx, parent, group, "below")?;
        } else {
            group.into_iter().try_for_each(|due| open_one(tx, &due))?;
        }
    }
    Ok(())
}

fn open_storm(tx: &mut Tx<'_>, equipment: EquipmentId, group: Vec<Due>, place: &str) -> Result<(), Error> {
    let Some(worst) = group.iter().max_by_key(|due| (due.alarm.severity, std::cmp::Reverse(due.alarm.raised_at))) else { return Ok(()) };
    let name = equipment::find(tx, &Scope::All, &EquipmentReference::Id(equipment))?.name;
    let title = format!("{} alarms {place} {name}, the first: {}", group.len(), worst.alarm.text.raw());
    let fault = open(tx, filed(worst, equipment, &title))?;
    for due in &group {
        alarms::attach(tx, due.alarm.id, fault.id)?;
    }
    Ok(())
}

fn open_one(tx: &mut Tx<'_>, due: &Due) -> Result<(), Error> {
    // Another alarm of this run may have opened a fault that this one belongs to.
    if let Some(fault) = joinable(tx, due)? {
        return join(tx, fault, std::slice::from_ref(&due.alarm));
    }
    let fault = open(tx, filed(due, due.equipment, due.alarm.text.raw()))?;
    alarms::attach(tx, due.alarm.id, fault.id)?;
    let explained = alarms::faults_explained_by(tx, due.alarm.id)?;
    merging::absorb(tx, &explained, fault.id)?;
    let others = alarms::unattached(tx, due.equipment, &alarms::companions(due.alarm.probable_cause))?;
    if others.is_empty() { Ok(()) } else { join(tx, fault.id, &others) }
}

fn filed(due: &Due, equipment: EquipmentId, title: &str) -> Filed {
    Filed {
        customer: due.customer,
        device: Some(equipment),
        title: Printable::new(title.chars().take(super::LONGEST_TITLE).collect::<String>()),
        description: Printable::default(),
        severity: due.alarm.severity,
        impact: Impact::Partial,
        by: if due.alarm.alarm_type.raw() == lineman_common::alarm::AGENT_SILENT {
            "system".to_owned()
        } else {
            format!("agent:{}", due.alarm.equipment)
        },
        occurred_at: Some(due.alarm.raised_at),
    }
}

/// The alarms become part of a fault that is open, which is no longer on the way to `restored`.
fn join(tx: &mut Tx<'_>, fault: FaultId, alarms: &[Alarm]) -> Result<(), Error> {
    let Some(first) = alarms.first() else { return Ok(()) };
    for alarm in alarms {
        alarms::attach(tx, alarm.id, fault)?;
        let explained = alarms::faults_explained_by(tx, alarm.id)?;
        merging::absorb(tx, &explained, fault)?;
    }
    let fault = get(tx, &Scope::All, &Reference::Id(fault))?;
    let change = sql::Change { proposes_restored: Some(false), ..Default::default() };
    let named: Vec<_> = alarms.iter().take(MOST_NAMED).map(|alarm| alarm.id).collect();
    let (text, data) = match alarms.len() {
        1 => (format!("alarm joined: {}", first.text.raw()), json!({"alarm": first.id, "text": first.text})),
        count => (
            format!("{count} alarms joined, the first: {}", first.text.raw()),
            json!({"count": count, "alarms": named, "text": first.text}),
        ),
    };
    let event = New::of(Kind::FaultAlarmAttached, format!("agent:{}", first.equipment), text).data(data);
    record(tx, &fault, fault.status, change, event)?;
    Ok(())
}

fn propose(tx: &mut Tx<'_>, fault: FaultId) -> Result<(), Error> {
    let fault = get(tx, &Scope::All, &Reference::Id(fault))?;
    let not_restored =
        matches!(fault.status, FaultStatus::Reported | FaultStatus::Accepted | FaultStatus::InProgress | FaultStatus::Pending);
    if not_restored && !fault.proposes_restored && !alarms::has_raised(tx, fault.id)? {
        let change = sql::Change { proposes_restored: Some(true), ..Default::default() };
        let event = New::of(Kind::FaultProposesRestored, "system", "all its alarms have cleared: is service restored?");
        record(tx, &fault, fault.status, change, event)?;
    }
    Ok(())
}

/// Hears that a fault is another's duplicate: what is left of its alarms goes on under the other.
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    if event.kind != Kind::FaultDuplicate {
        return Ok(());
    }
    let of = event.data["of"].as_str().and_then(|number| number.parse::<FaultNumber>().ok());
    if let (Some(fault), Some(of)) = (event.fault, of) {
        let original = get(tx as &Db<'_>, &Scope::All, &Reference::Number(of))?;
        if !original.status.is_over() {
            alarms::move_to_fault(tx, fault, original.id)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

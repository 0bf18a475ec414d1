//! An agent that has fallen silent is an alarm of its own, raised by the centre on the agent's equipment, and cleared when it is back.
//!
//! What counts is the server's own record, and only while the server was there to see: a server that has just started waits until agents
//! have had their time to come back.

use jiff::{SignedDuration, Timestamp};
use lineman_common::alarm::{AGENT_SILENT, AlarmKey, AlarmReport, EventType, ProbableCause, ResourceState, Severity};
use lineman_common::id::EquipmentId;

use super::Error;
use super::report::Intake;
use crate::agents;
use crate::equipment::{self, Known, Reference};
use crate::events::{Appended, Kind, ListenerError};
use crate::store::{Db, StoreError, Tx};
use crate::web::Scope;

/// So long an agent may be away.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);
/// So long a server that has started waits for agents: they dial again within 30 s.
const AFTER_START: SignedDuration = SignedDuration::from_secs(90);
/// Agents of one run.
const RUN: u32 = 500;

fn report(state: ResourceState, at: Timestamp, text: String) -> AlarmReport {
    AlarmReport {
        key: AlarmKey { alarm_type: AGENT_SILENT.to_owned(), qualifier: String::new() },
        state,
        severity: Severity::Major,
        event_type: EventType::Communications,
        probable_cause: ProbableCause::CommunicationsSubsystemFailure,
        text: text.chars().take(500).collect(),
        value: None,
        threshold: Some(format!("{} s", PATIENCE.as_secs())),
        at,
    }
}

pub fn has_work(db: &Db<'_>, up_since: Timestamp) -> Result<bool, StoreError> {
    Ok(db.now().duration_since(up_since) >= AFTER_START && !agents::away(db, db.now() - PATIENCE, 1)?.is_empty())
}

/// Raises an alarm for each agent that has been away for too long; since when it is away is what the alarm says.
pub fn look(tx: &mut Tx<'_>, up_since: Timestamp) -> Result<(), Error> {
    if !has_work(tx, up_since)? {
        return Ok(());
    }
    for (id, last_seen) in agents::away(tx, tx.now() - PATIENCE, RUN)? {
        let device = find(tx, id)?;
        let text = format!("the agent of {} is silent since {last_seen:.0}", device.name);
        Intake::of(&device).take_at(tx, &report(ResourceState::Raised, last_seen, text), last_seen, None)?;
        agents::silence_told(tx, id)?;
    }
    Ok(())
}

fn find(db: &Db<'_>, id: EquipmentId) -> Result<Known, Error> {
    equipment::find(db, &Scope::All, &Reference::Id(id)).map_err(Error::Equipment)
}

/// Hears that an agent is back, and that equipment hangs on other equipment than before.
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    let Some(id) = event.equipment else { return Ok(()) };
    if event.kind == Kind::AgentOnline {
        back(tx, id)?;
    } else if event.kind == Kind::TopologySet {
        super::sql::look_at_equipment(tx, id)?;
        for up in equipment::topology::parents(tx, id)? {
            super::sql::look_at_equipment(tx, up)?;
        }
    }
    Ok(())
}

fn back(tx: &mut Tx<'_>, id: EquipmentId) -> Result<(), Error> {
    let key = AlarmKey { alarm_type: AGENT_SILENT.to_owned(), qualifier: String::new() };
    let known = super::sql::by_key(tx, id, &key)?.filter(|known| known.state == ResourceState::Raised);
    if known.is_some() {
        let (device, now) = (find(tx, id)?, tx.now());
        let text = format!("the agent of {} is back", device.name);
        Intake::of(&device).take_at(tx, &report(ResourceState::Cleared, now, text), now, None)?;
    }
    Ok(())
}

//! The alarm list: RFC 8632's model in X.733's terms.
//!
//! One entry per equipment, type and qualifier, for life; three axes that don't touch each other: the resource's state (raised or
//! cleared, with a severity), the operator's state, and (later) shelving. Clearing is an event of the resource, never an edit.

pub mod http;
mod sql;

use lineman_common::Printable;
use lineman_common::alarm::{AlarmKey, AlarmReport, OperatorState, ProbableCause, ResourceState, Severity};
use lineman_common::api::Alarm;
use lineman_common::id::{AlarmId, EquipmentId, FaultId};

use crate::equipment::Known;
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

pub use sql::Filter;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such alarm")]
    NotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("alarm"),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

/// Texts from devices are cut here: enough for people, too little for an attack.
const LONGEST_TEXT: usize = 500;
/// An alarm's type and qualifier are names.
const LONGEST_KEY: usize = 128;
/// Entries that one device may have in the list; a device that has more has one fault, and it is itself.
const MOST_LISTED: u32 = 1000;

/// What equipment says about one of its alarms. Said twice, it changes nothing the second time; said late, an older state
/// does not overwrite a newer one.
pub fn report(tx: &mut Tx<'_>, device: &Known, report: &AlarmReport) -> Result<(), Error> {
    let cut = |text: &str, most: usize| -> String { text.chars().take(most).collect() };
    let report = AlarmReport {
        key: AlarmKey { alarm_type: cut(&report.key.alarm_type, LONGEST_KEY), qualifier: cut(&report.key.qualifier, LONGEST_KEY) },
        text: cut(&report.text, LONGEST_TEXT),
        value: report.value.as_deref().map(|value| cut(value, LONGEST_KEY)),
        threshold: report.threshold.as_deref().map(|threshold| cut(threshold, LONGEST_KEY)),
        ..report.clone()
    };
    let known = sql::by_key(tx, device.id, &report.key)?;
    if known.is_none() && sql::count_of(tx, device.id)? >= MOST_LISTED {
        tracing::warn!(agent.id = %device.name, "the device has more alarms than any device has; further ones are not listed");
        return Ok(());
    }
    let kind = match (&known, report.state) {
        (Some(known), _) if report.at < known.changed_at => return Ok(()),
        (None, ResourceState::Raised) => Kind::AlarmRaised,
        (Some(known), ResourceState::Raised) if known.state == ResourceState::Cleared => Kind::AlarmRaised,
        (Some(known), ResourceState::Raised) if known.severity != report.severity => Kind::AlarmChanged,
        (Some(known), ResourceState::Cleared) if known.state == ResourceState::Raised => Kind::AlarmCleared,
        (Some(_), ResourceState::Raised) | (_, ResourceState::Cleared) => return Ok(()),
    };
    let id = known.map_or_else(AlarmId::new, |known| known.id);
    sql::put(tx, id, device, &report, kind == Kind::AlarmRaised)?;
    let event = New::of(kind, format!("agent:{}", device.name), report.text.clone());
    let data = serde_json::json!({"alarm": id, "type": report.key.alarm_type, "qualifier": report.key.qualifier, "severity": report.severity, "value": report.value});
    events::append(tx, event.customer(device.customer).equipment(device.id).at(report.at).data(data))?;
    Ok(())
}

/// The whole list of what is raised: anything else that we hold as raised has cleared.
pub fn resynchronise(tx: &mut Tx<'_>, device: &Known, at: jiff::Timestamp, active: &[AlarmReport]) -> Result<(), Error> {
    for known in sql::raised_on(tx, device.id)? {
        if !active.iter().any(|report| report.key == known.key) {
            report(tx, device, &AlarmReport { state: ResourceState::Cleared, at: at.max(known.at), ..known })?;
        }
    }
    active.iter().try_for_each(|active| report(tx, device, active))
}

pub fn list(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<Vec<Alarm>, StoreError> {
    sql::list(db, scope, filter)
}

pub fn get(db: &Db<'_>, scope: &Scope, id: AlarmId) -> Result<Alarm, Error> {
    sql::get(db, scope, id)?.ok_or(Error::NotFound)
}

/// Alarms that belong to a fault. No scope: the caller has found the fault under one.
pub fn of_fault(db: &Db<'_>, fault: FaultId) -> Result<Vec<Alarm>, StoreError> {
    sql::of_fault(db, fault)
}

/// Raised alarms of a device that belong to no fault, of at least this severity.
pub fn unattached(db: &Db<'_>, device: EquipmentId) -> Result<Vec<Alarm>, StoreError> {
    sql::unattached(db, device)
}

/// The newest open fault of a device that has an alarm of one of these causes.
pub fn open_fault_with(db: &Db<'_>, device: EquipmentId, causes: &[ProbableCause]) -> Result<Option<FaultId>, StoreError> {
    sql::open_fault_with(db, device, causes)
}

/// Makes an alarm part of a fault.
pub fn attach(tx: &mut Tx<'_>, id: AlarmId, fault: FaultId) -> Result<(), StoreError> {
    sql::attach(tx, id, fault)
}

/// Seen by whom, when, why: the operator's axis.
pub fn acknowledge(tx: &mut Tx<'_>, actor: &Actor, id: AlarmId, note: &Printable) -> Result<Alarm, Error> {
    let alarm = get(tx, &actor.scope(), id)?;
    sql::set_operator(tx, id, OperatorState::Acknowledged, actor.name.as_str(), note.raw())?;
    let (customer, equipment) = sql::owner(tx, id)?;
    let event = New::of(Kind::AlarmAcknowledged, actor, format!("acknowledged {}: {}", alarm.alarm_type, alarm.text));
    events::append(tx, event.customer(customer).equipment(equipment).data(serde_json::json!({"alarm": id, "note": note.raw()})))?;
    get(tx, &actor.scope(), id)
}

/// Alarms from this severity on open faults.
pub const FAULT_FROM: Severity = Severity::Major;

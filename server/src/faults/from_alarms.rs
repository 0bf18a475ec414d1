//! From alarms to faults: which alarm opens one, which joins one, and when a fault proposes that it is restored.

use lineman_common::Printable;
use lineman_common::alarm::{ProbableCause, ResourceState};
use lineman_common::api::{Alarm, Fault};
use lineman_common::fault::{FaultStatus, Impact};
use lineman_common::id::{AlarmId, EquipmentId};
use serde_json::json;

use super::{Error, Filed, Reference, get, open, record, sql};
use crate::alarms;
use crate::events::{Appended, Kind, ListenerError, New};
use crate::store::Tx;
use crate::web::Scope;

/// Hears of alarms.
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    let raised = matches!(event.kind, Kind::AlarmRaised | Kind::AlarmChanged);
    if !raised && event.kind != Kind::AlarmCleared {
        return Ok(());
    }
    let id: AlarmId = event.data["alarm"].as_str().unwrap_or_default().parse()?;
    let alarm = alarms::get(tx, &Scope::All, id)?;
    let heard = if raised { alarm_raised(tx, event, &alarm) } else { alarm_cleared(tx, &alarm) };
    Ok(heard?)
}

fn alarm_raised(tx: &mut Tx<'_>, event: &Appended, alarm: &Alarm) -> Result<(), Error> {
    if let Some(number) = &alarm.fault {
        let fault = get(tx, &Scope::All, &Reference::Number(number.clone()))?;
        if !fault.status.is_over() {
            return join(tx, &fault, alarm);
        }
    }
    let (Some(customer), Some(device)) = (event.customer, event.equipment) else { return Ok(()) };
    if let Some(fault) = companion(tx, device, alarm.probable_cause)? {
        return join(tx, &fault, alarm);
    }
    if alarm.severity < alarms::FAULT_FROM {
        return Ok(());
    }
    let filed = Filed {
        customer,
        device: Some(device),
        title: alarm.text.clone(),
        description: Printable::default(),
        severity: alarm.severity,
        impact: Impact::Partial,
        by: event.actor.clone(),
        occurred_at: Some(alarm.raised_at),
    };
    let fault = open(tx, filed)?;
    alarms::attach(tx, alarm.id, fault.id)?;
    for other in alarms::unattached(tx, device)? {
        if are_companions(other.probable_cause, alarm.probable_cause) {
            join(tx, &fault, &other)?;
        }
    }
    Ok(())
}

/// The alarm becomes part of a fault that is open, which is no longer on the way to `restored`.
fn join(tx: &mut Tx<'_>, fault: &Fault, alarm: &Alarm) -> Result<(), Error> {
    alarms::attach(tx, alarm.id, fault.id)?;
    let change = sql::Change { proposes_restored: Some(false), ..Default::default() };
    let text = format!("alarm joined: {}", alarm.text);
    let event = New::of(Kind::FaultAlarmAttached, format!("agent:{}", alarm.equipment), text).data(json!({"alarm": alarm.id}));
    record(tx, fault, fault.status, change, event)?;
    Ok(())
}

/// An open fault on this equipment with an alarm whose cause goes together with this one.
fn companion(tx: &Tx<'_>, device: EquipmentId, cause: ProbableCause) -> Result<Option<Fault>, Error> {
    let companions: Vec<_> = ProbableCause::ALL.iter().copied().filter(|other| are_companions(cause, *other)).collect();
    let found = alarms::open_fault_with(tx, device, &companions)?;
    found.map(|id| get(tx, &Scope::All, &Reference::Id(id))).transpose()
}

/// Causes of which one brings the other with it.
fn are_companions(one: ProbableCause, other: ProbableCause) -> bool {
    const TOGETHER: &[(ProbableCause, ProbableCause)] = &[
        (ProbableCause::FanFailure, ProbableCause::TemperatureUnacceptable),
        (ProbableCause::LossOfSignal, ProbableCause::DegradedSignal),
    ];
    TOGETHER.iter().any(|pair| *pair == (one, other) || *pair == (other, one))
}

fn alarm_cleared(tx: &mut Tx<'_>, alarm: &Alarm) -> Result<(), Error> {
    let Some(number) = &alarm.fault else { return Ok(()) };
    let fault = get(tx, &Scope::All, &Reference::Number(number.clone()))?;
    let all_clear = alarms::of_fault(tx, fault.id)?.iter().all(|alarm| alarm.state == ResourceState::Cleared);
    let not_restored =
        matches!(fault.status, FaultStatus::Reported | FaultStatus::Accepted | FaultStatus::InProgress | FaultStatus::Pending);
    if all_clear && not_restored && !fault.proposes_restored {
        let change = sql::Change { proposes_restored: Some(true), ..Default::default() };
        let event = New::of(Kind::FaultProposesRestored, "system", "all its alarms have cleared: is service restored?");
        record(tx, &fault, fault.status, change, event)?;
    }
    Ok(())
}

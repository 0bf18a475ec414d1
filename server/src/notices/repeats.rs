//! What is critical is told again until somebody takes it on, to more people each time.
//!
//! A critical fault is watched from its report until somebody accepts it, or until it is over; a critical alarm from when it is raised until
//! somebody acknowledges it, until it clears, or until somebody works on the fault it belongs to. Or until somebody says, with a reason, that
//! nobody has to be called. What is watched is a row, so a restart forgets nothing; whether there is still a reason is looked at again each
//! time, so a row too many tells nobody anything.

use jiff::SignedDuration;
use lineman_common::Printable;
use lineman_common::alarm::{OperatorState, ResourceState, Severity};
use lineman_common::api::{Alarm, AlarmBatch, Fault, NoticeRepeat};
use lineman_common::fault::FaultStatus;
use lineman_common::id::{AlarmId, CustomerId, FaultId};
use serde_json::json;

use super::about::About;
use super::{Error, audience, sql};
use crate::alarms;
use crate::events::{Appended, Kind, New};
use crate::faults::{self, Reference};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

/// Told again at a time; the rest a moment later.
const AT_ONCE: u32 = 500;
const MOST_WHY_CHARS: usize = 2000;

/// Begins and ends watching.
pub fn hear(tx: &mut Tx<'_>, event: &Appended, fault: Option<&Fault>) -> Result<(), StoreError> {
    let Some(customer) = event.customer else { return Ok(()) };
    if let Some(fault) = fault.filter(|fault| event.kind == Kind::FaultReported && fault.severity == Severity::Critical) {
        sql::watch(tx, &fault.id.to_string(), customer)?;
    }
    if event.kind == Kind::AlarmBatch {
        // Of a storm the log has one event.
        let batch = serde_json::from_value::<AlarmBatch>(event.data.clone()).unwrap_or_default();
        return batch.alarms.iter().try_for_each(|one| {
            let kind = if one.kind == "cleared" { Kind::AlarmCleared } else { Kind::AlarmRaised };
            hear_alarm(tx, kind, &one.alarm.to_string(), one.severity == Severity::Critical, customer)
        });
    }
    let alarm = event.data["alarm"].as_str().unwrap_or_default();
    let is_critical = event.data["severity"].as_str() == Some(Severity::Critical.as_str());
    hear_alarm(tx, event.kind, alarm, is_critical, customer)
}

fn hear_alarm(tx: &mut Tx<'_>, kind: Kind, alarm: &str, is_critical: bool, customer: CustomerId) -> Result<(), StoreError> {
    if is_critical && matches!(kind, Kind::AlarmRaised | Kind::AlarmChanged) {
        return sql::watch(tx, alarm, customer);
    }
    if matches!(kind, Kind::AlarmCleared | Kind::AlarmAcknowledged) { sql::unwatch(tx, alarm) } else { Ok(()) }
}

/// Does this kind of event begin or end watching?
pub fn concerns(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::FaultReported | Kind::AlarmRaised | Kind::AlarmChanged | Kind::AlarmCleared | Kind::AlarmAcknowledged | Kind::AlarmBatch
    )
}

/// What is watched: something that somebody should take on.
enum Subject {
    Fault(Box<Fault>),
    Alarm(Box<Alarm>),
}

impl Subject {
    /// It, if there is still a reason to tell.
    fn find(db: &Db<'_>, subject: &str) -> Result<Option<Self>, Error> {
        if let Ok(id) = subject.parse::<FaultId>() {
            let fault = faults::get(db, &Scope::All, &Reference::Id(id))?;
            let waits = fault.status == FaultStatus::Reported && fault.severity == Severity::Critical;
            return Ok(waits.then(|| Self::Fault(Box::new(fault))));
        }
        let Ok(id) = subject.parse::<AlarmId>() else { return Ok(None) };
        let alarm = match alarms::get(db, &Scope::All, id) {
            Ok(alarm) => alarm,
            Err(alarms::Error::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let marks = &alarm.marks;
        let is_hidden = marks.shelf.is_some() || marks.maintenance.is_some() || marks.suppressed_by.is_some();
        let waits = alarm.state == ResourceState::Raised
            && alarm.severity == Severity::Critical
            && alarm.operator_state == OperatorState::None
            && !is_hidden;
        Ok(if waits && !is_worked_on(db, &alarm)? { Some(Self::Alarm(Box::new(alarm))) } else { None })
    }

    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Alarm(_) => None,
        }
    }

    fn about(&self, now: jiff::Timestamp, rung: u32) -> About {
        match self {
            Self::Fault(fault) => About::repeat(fault, now, rung),
            Self::Alarm(alarm) => About::alarm(alarm, now, rung),
        }
    }
}

/// An alarm of a fault is the fault's: what is watched then is the fault, until somebody has it.
fn is_worked_on(db: &Db<'_>, alarm: &Alarm) -> Result<bool, Error> {
    let Some(number) = &alarm.fault else { return Ok(false) };
    Ok(!faults::get(db, &Scope::All, &Reference::Number(number.clone()))?.status.is_over())
}

/// Tells again what was told last so long ago.
pub fn tell(tx: &mut Tx<'_>, every: SignedDuration) -> Result<(), Error> {
    for (id, rung) in sql::repeats_due(tx, tx.now() - every, AT_ONCE)? {
        let Some(subject) = Subject::find(tx, &id)? else {
            sql::unwatch(tx, &id)?;
            continue;
        };
        let about = subject.about(tx.now(), rung);
        super::tell(tx, &about, audience::of_rung(tx, subject.fault(), rung)?)?;
        sql::repeated(tx, &id)?;
    }
    Ok(())
}

pub fn is_anything_due(db: &Db<'_>, every: SignedDuration) -> Result<bool, StoreError> {
    Ok(!sql::repeats_due(db, db.now() - every, 1)?.is_empty())
}

/// Somebody says, with a reason, that nobody has to be called any more: who, when and why goes into the fault's story.
pub fn acknowledge(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, why: &Printable) -> Result<NoticeRepeat, Error> {
    let fault = faults::get(tx, &actor.scope(), reference)?;
    if !(1..=MOST_WHY_CHARS).contains(&why.raw().trim().chars().count()) {
        return Err(Error::NoWhy);
    }
    let subject = fault.id.to_string();
    if !sql::acknowledge(tx, &subject, &actor.name, why.raw())? {
        return Err(Error::NotRepeated(fault.number));
    }
    let event = New::of(Kind::RepeatAcknowledged, actor, format!("need not be told again: {why}")).internal(true);
    faults::tell(tx, fault.id, event.data(json!({"why": why})))?;
    sql::repeat_of(tx, &subject)?.ok_or(Error::NotRepeated(fault.number))
}

/// How a fault is repeated, if it is.
pub fn of_fault(db: &Db<'_>, actor: &Actor, reference: &Reference) -> Result<NoticeRepeat, Error> {
    let fault = faults::get(db, &actor.scope(), reference)?;
    sql::repeat_of(db, &fault.id.to_string())?.ok_or(Error::NotRepeated(fault.number))
}

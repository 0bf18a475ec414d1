//! The alarm list: RFC 8632's model in X.733's terms.
//!
//! One entry per equipment, type and qualifier, for life; three axes that don't touch each other: the resource's state (raised or
//! cleared, with a severity), the operator's state, and shelving. Clearing is an event of the resource, never an edit. Each entry has a
//! ring of its last 32 status changes.
//!
//! [`report`] takes what equipment says: facts, and nothing else. [`settle`] draws the conclusions a moment later: shelves, maintenance
//! windows, root causes ([`rules`]), the log, and which alarms are due to be looked at for faults, which `faults` does. [`silence`] is
//! the centre's own alarm about agents that are away. ADR 16 says why it is cut in two.

pub mod asked;
pub mod http;
mod list;
mod operator;
pub mod profiles;
mod report;
pub mod rules;
mod settle;
pub mod shelves;
mod silence;
mod sql;
pub mod windows;

use jiff::Timestamp;
use lineman_common::Printable;
#[cfg(test)]
use lineman_common::alarm::AlarmReport;
use lineman_common::alarm::{ProbableCause, Severity, WindowState};
use lineman_common::api::{Alarm, AlarmPage, AlarmSummary};
use lineman_common::id::{AlarmId, CustomerId, EquipmentId, FaultId};
use lineman_common::name::CustomerCode;

use crate::customers;
use crate::equipment;
#[cfg(test)]
use crate::equipment::Known;
use crate::events;
use crate::store::{Db, StoreError, Tx};
use crate::web::{ApiError, Scope};

pub use list::list;
pub use operator::{compress, mark, purge};
pub use report::Intake;
pub use settle::{Due, run as settle, take_due};
pub use silence::{hear, look as look_for_silence};
pub use sql::{Cursor, Filter};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such alarm")]
    NotFound,
    #[error("no such shelf")]
    NoShelf,
    #[error("no such maintenance window")]
    NoWindow,
    #[error("no such alarm profile")]
    NoProfile,
    #[error("no such rule")]
    NoRule,
    #[error("say why, in 1 to 2000 characters")]
    NoReason,
    #[error("there is no customer {0}")]
    NoCustomer(CustomerCode),
    #[error("{0}")]
    Invalid(String),
    #[error("the maintenance window is over: it is {0}")]
    WindowOver(WindowState),
    #[error(transparent)]
    Equipment(#[from] equipment::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("alarm"),
            Error::NoShelf => Self::not_found("shelf"),
            Error::NoWindow => Self::not_found("maintenance window"),
            Error::NoProfile => Self::not_found("alarm profile"),
            Error::NoRule => Self::not_found("rule"),
            Error::NoReason | Error::NoCustomer(_) | Error::Invalid(_) => Self::invalid(error.to_string()),
            Error::WindowOver(_) => Self::conflict(error.to_string()),
            Error::Equipment(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

/// Alarms from this severity on open faults.
pub const FAULT_FROM: Severity = Severity::Major;
/// Alarms of one fault that are shown with it.
const MOST_OF_FAULT: u32 = 500;
const LONGEST_PATTERN: usize = 200;

/// Causes of which one brings the other with it.
const COMPANIONS: &[(ProbableCause, ProbableCause)] =
    &[(ProbableCause::FanFailure, ProbableCause::TemperatureUnacceptable), (ProbableCause::LossOfSignal, ProbableCause::DegradedSignal)];

/// The causes that go together with this one.
pub fn companions(cause: ProbableCause) -> Vec<ProbableCause> {
    let other = |&(one, other): &(ProbableCause, ProbableCause)| match cause {
        cause if cause == one => Some(other),
        cause if cause == other => Some(one),
        _ => None,
    };
    COMPANIONS.iter().filter_map(other).collect()
}

fn has_companions(cause: ProbableCause) -> bool {
    COMPANIONS.iter().any(|(one, other)| cause == *one || cause == *other)
}

// ---- What is said by people, checked --------------------------------------------------------------------------------

/// Who does something to alarms says why.
fn checked_why(why: &Printable) -> Result<(), Error> {
    let visible = |c: char| !c.is_whitespace() && !c.is_control() && !lineman_common::printable::is_invisible(c);
    if why.raw().contains(visible) && why.raw().chars().count() <= 2000 { Ok(()) } else { Err(Error::NoReason) }
}

fn checked_pattern(what: &str, pattern: &Printable) -> Result<(), Error> {
    if (1..=LONGEST_PATTERN).contains(&pattern.raw().chars().count()) {
        Ok(())
    } else {
        Err(Error::Invalid(format!("`{what}` are patterns of 1 to {LONGEST_PATTERN} characters, in which `*` stands for anything")))
    }
}

fn between(what: &str, value: u32, least: u32, most: u32) -> Result<(), Error> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(Error::Invalid(format!("`{what}` is {least} to {most}, not {value}"))) }
}

/// The customer that is named, or whose people ask.
fn customer_for(db: &Db<'_>, scope: &Scope, code: Option<&CustomerCode>) -> Result<(CustomerId, Option<CustomerCode>), Error> {
    match (scope, code) {
        (_, Some(code)) => {
            let found = customers::find(db, scope, code)?.ok_or_else(|| Error::NoCustomer(code.clone()))?;
            Ok((found.id, Some(found.code)))
        }
        (Scope::Customer(own), None) => Ok((*own, None)),
        (Scope::All, None) => Err(Error::Invalid("name the customer, or equipment of it".into())),
    }
}

// ---- Reading --------------------------------------------------------------------------------------------------------

pub fn get(db: &Db<'_>, scope: &Scope, id: AlarmId) -> Result<Alarm, Error> {
    Ok(sql::get(db, scope, id)?.ok_or(Error::NotFound)?.1)
}

/// An entry with its history.
pub fn page(db: &Db<'_>, scope: &Scope, id: AlarmId) -> Result<AlarmPage, Error> {
    let (place, alarm) = sql::get(db, scope, id)?.ok_or(Error::NotFound)?;
    let root = settle::last_root(db, place)?.map(|root| sql::at_place(db, root)).transpose()?.flatten();
    Ok(AlarmPage {
        changes: sql::ring(db, place)?,
        operator_changes: sql::operator_changes(db, place)?,
        suppresses: sql::suppresses(db, place)?,
        root: root.map(|root| root.id),
        alarm,
    })
}

pub fn summary(db: &Db<'_>, scope: &Scope) -> Result<AlarmSummary, StoreError> {
    use lineman_common::alarm::ResourceState;
    let rows = sql::summary(db, scope)?;
    let sum = |which: &dyn Fn(&lineman_common::api::SummaryRow) -> bool| rows.iter().filter(|row| which(row)).map(|row| row.alarms).sum();
    Ok(AlarmSummary {
        raised: sum(&|row| row.state == ResourceState::Raised),
        cleared: sum(&|row| row.state == ResourceState::Cleared),
        shelved: sum(&|row| row.shelved),
        rows,
    })
}

/// Alarms that belong to a fault, raised ones first, and of very many not all. No scope: the caller has found the fault under one.
pub fn of_fault(db: &Db<'_>, fault: FaultId) -> Result<Vec<Alarm>, StoreError> {
    sql::of_fault(db, fault, MOST_OF_FAULT)
}

/// Is any alarm of a fault raised?
pub fn has_raised(db: &Db<'_>, fault: FaultId) -> Result<bool, StoreError> {
    sql::has_raised(db, fault)
}

/// Faults all of whose raised alarms this one explains. No scope: what follows from alarms is everybody's.
pub fn faults_explained_by(db: &Db<'_>, alarm: AlarmId) -> Result<Vec<FaultId>, StoreError> {
    sql::faults_explained_by(db, alarm)
}

/// Raised alarms of a device that belong to no open fault and have one of these causes.
pub fn unattached(db: &Db<'_>, device: EquipmentId, causes: &[ProbableCause]) -> Result<Vec<Alarm>, StoreError> {
    sql::unattached(db, device, causes)
}

/// The newest open fault of a device that has an alarm of one of these causes.
pub fn open_fault_with(db: &Db<'_>, device: EquipmentId, causes: &[ProbableCause]) -> Result<Option<FaultId>, StoreError> {
    sql::open_fault_with(db, device, causes)
}

/// An open fault on this equipment with so many alarms of this cause that further ones are more of the same.
pub fn storm_on(db: &Db<'_>, equipment: EquipmentId, cause: ProbableCause, least: u32) -> Result<Option<FaultId>, StoreError> {
    sql::storm_on(db, equipment, cause, least)
}

// ---- Writing --------------------------------------------------------------------------------------------------------

/// What equipment says about one of its alarms.
#[cfg(test)]
pub fn report(tx: &mut Tx<'_>, device: &Known, report: &AlarmReport) -> Result<(), Error> {
    Intake::of(device).take(tx, report)
}

/// Makes an alarm part of a fault.
pub fn attach(tx: &mut Tx<'_>, id: AlarmId, fault: FaultId) -> Result<(), StoreError> {
    sql::attach(tx, id, fault)
}

/// All alarms of a fault are part of another from now on.
pub fn move_to_fault(tx: &mut Tx<'_>, from: FaultId, to: FaultId) -> Result<usize, StoreError> {
    sql::move_to_fault(tx, from, to)
}

/// Is there anything to conclude, to look at for faults, or an agent that has been away for too long?
pub fn has_work(db: &Db<'_>, up_since: Timestamp) -> Result<bool, StoreError> {
    Ok(settle::has_work(db)? || silence::has_work(db, up_since)?)
}

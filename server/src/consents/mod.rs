//! Consents: from the engineer's request to the end.
//!
//! The centre carries statements; it can't make them. It checks what it can (the request under the roster, the fit between request and
//! consent, the device's own word for its policy) so that mistakes show early, but the device alone decides: a consent is `live` when
//! the device says so.
//!
//! What must reach the device (the consent, its end) goes through the agent's outbox in the same transaction, so a revocation that
//! was answered is never forgotten.
//!
//! | part | is |
//! |---|---|
//! | `ask` | challenge and request; requests of grade `role`, which a standing statement answers at once |
//! | `decide` | approvals (one or several), refusal, revocation |
//! | `device` | what the device says of it, also of consents that were approved there |
//! | [`standing`] | standing statements: what the carrier allows without being asked each time |

mod ask;
mod decide;
mod device;
pub mod http;
pub mod list;
mod sql;
pub mod standing;
#[cfg(test)]
pub mod tests;

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{ConsentState, ConsentView};
use lineman_common::id::{ConsentId, CustomerId, EquipmentId, FaultId};
use lineman_common::link::Order;
use lineman_common::name::{NeName, PersonName};
use lineman_common::session::EndReason;
use lineman_common::statement::{Refused, Signed};
use serde_json::json;

use crate::agents::{self, AskError};
use crate::customers;
use crate::equipment;
use crate::events::{self, Appended, Kind, ListenerError, New};
use crate::faults;
use crate::store::{Db, StoreError, Tx};
use crate::trust;
use crate::web::{ApiError, Scope};

pub use ask::{challenge, request};
pub use decide::{approve, refuse, revoke};
pub use device::{device_answered, device_ended, local};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such consent")]
    NotFound,
    #[error("no such standing statement")]
    NoStanding,
    #[error("the consent is {0}: it can't be {1} any more")]
    WrongState(ConsentState, &'static str),
    #[error("the standing statement {0}")]
    StandingOver(&'static str),
    #[error("a consent or standing statement with the id {0} exists already: sign a new one, with a new id")]
    IdTaken(ConsentId),
    #[error("the request lapsed at {0}: ask anew")]
    Lapsed(Timestamp),
    #[error("the fault names no equipment: say which with --equipment")]
    NoEquipment,
    #[error("the fault is over")]
    FaultOver,
    #[error("the equipment belongs to another customer than the fault")]
    OtherCustomer,
    #[error("{0} is not in the roster of engineers: the vendor root has to sign a roster that lists their key")]
    NotInRoster(String),
    #[error("the request's {0} is not what the challenge was issued for")]
    NotAsChallenged(&'static str),
    /// The device would refuse it: what it takes, in words.
    #[error("{0}")]
    BeyondPolicy(String),
    /// Of grade `role`, and no standing statement covers it.
    #[error("{0}")]
    NotCovered(String),
    #[error("a reason is needed, of 1 to 2000 characters")]
    NoReason,
    #[error("the device answered with something else than a challenge")]
    NoChallenge,
    #[error("{0} has signed this already: the device wants as many different people")]
    SamePerson(PersonName),
    #[error(
        "{0} takes no consent that was signed in a page served by the vendor (`consent-browser@lineman`): approve it with `lineman approver` on \
         your own machine, or the device's owner allows the class with `browser_keys = true` in its local policy, and the engineer asks anew"
    )]
    PageKey(NeName),
    #[error("the key {0} has signed this already: the device wants different keys")]
    SameKey(String),
    #[error("the approvals have no door in common: this one allows {this}, the others {others}")]
    NothingInCommon { this: lineman_common::session::Doors, others: lineman_common::session::Doors },
    #[error("{0}")]
    BadStanding(String),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Customers(#[from] customers::Error),
    #[error(transparent)]
    Trust(#[from] trust::Error),
    #[error(transparent)]
    Faults(#[from] faults::Error),
    #[error(transparent)]
    Equipment(#[from] equipment::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        use lineman_common::error::ErrorCode;
        match error {
            Error::NotFound => Self::not_found("consent"),
            Error::NoStanding => Self::not_found("standing statement"),
            Error::WrongState(..)
            | Error::StandingOver(_)
            | Error::IdTaken(_)
            | Error::Lapsed(_)
            | Error::FaultOver
            | Error::SamePerson(_)
            | Error::SameKey(_) => Self::conflict(error.to_string()),
            Error::NoEquipment | Error::OtherCustomer | Error::NoReason => Self::invalid(error.to_string()),
            Error::NotInRoster(_) => Self::forbidden(error.to_string()),
            Error::NotAsChallenged(_)
            | Error::BeyondPolicy(_)
            | Error::NotCovered(_)
            | Error::NothingInCommon { .. }
            | Error::PageKey(_)
            | Error::BadStanding(_)
            | Error::Refused(_) => Self::new(ErrorCode::StatementRefused, error.to_string()),
            Error::NoChallenge => Self::new(ErrorCode::AgentRefused, error.to_string()),
            Error::Ask(error) => error.into(),
            Error::Customers(error) => error.into(),
            Error::Trust(error) => error.into(),
            Error::Faults(error) => error.into(),
            Error::Equipment(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

impl From<events::Error> for Error {
    fn from(error: events::Error) -> Self {
        Self::Faults(error.into())
    }
}

fn checked_reason(reason: &Printable) -> Result<(), Error> {
    if (1..=2000).contains(&reason.raw().trim().chars().count()) { Ok(()) } else { Err(Error::NoReason) }
}

// ---- Ends -----------------------------------------------------------------------------------------------------------

/// Ends what was allowed; the device is told, now or as soon as it can be.
fn end(tx: &mut Tx<'_>, id: ConsentId, reason: EndReason) -> Result<(), Error> {
    sql::set_ended(tx, id, reason)?;
    agents::order(tx, sql::device_of(tx, id)?, &Order::EndConsent { consent: id, reason })?;
    Ok(())
}

/// Hears of faults that are over (what was allowed for them ends), of customers that were stopped (everything ends), and of devices
/// that enrolled anew (they have forgotten which standing statements were taken back).
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    let over = matches!(event.kind, Kind::FaultClosed | Kind::FaultRejected | Kind::FaultCancelled | Kind::FaultDuplicate);
    if let Some(fault) = event.fault.filter(|_| over) {
        end_with_fault(tx, fault)?;
        standing::end_with_fault(tx, fault)?;
    }
    if let Some(customer) = event.customer.filter(|_| event.kind == Kind::CustomerStopped) {
        end_all(tx, customer, &event.actor)?;
    }
    if let (Kind::Enrolled, Some(customer), Some(device)) = (event.kind, event.customer, event.equipment) {
        standing::remind(tx, customer, device)?;
    }
    Ok(())
}

fn end_with_fault(tx: &mut Tx<'_>, fault: FaultId) -> Result<(), Error> {
    for (id, state) in sql::open_of_fault(tx, fault)? {
        if matches!(state, ConsentState::Approved | ConsentState::Live) {
            end(tx, id, EndReason::FaultClosed)?;
            tell(tx, id, ended("system", "consent ended: its fault is over".to_owned(), EndReason::FaultClosed))?;
        } else {
            sql::set_lapsed(tx, id)?;
        }
    }
    Ok(())
}

/// The customer is stopped: whatever is under way ends, and stays ended when the stop is taken back.
fn end_all(tx: &mut Tx<'_>, customer: CustomerId, by: &str) -> Result<(), Error> {
    for (id, state) in sql::open_of_customer(tx, customer)? {
        if matches!(state, ConsentState::Approved | ConsentState::Live) {
            end(tx, id, EndReason::Stopped)?;
            tell(tx, id, ended(by, "consent ended: everything of the customer is stopped".to_owned(), EndReason::Stopped))?;
        } else {
            sql::set_ended(tx, id, EndReason::Stopped)?;
            if state == ConsentState::Requested {
                let text = "the request ended: everything of the customer is stopped";
                tell(tx, id, New::of(Kind::ConsentLapsed, by, text).data(json!({"reason": EndReason::Stopped})))?;
            }
        }
    }
    Ok(())
}

/// Lets requests lapse that nobody answered in time. Run now and then.
pub fn lapse(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let late = sql::lapsed(tx)?;
    for (id, state) in &late {
        sql::set_lapsed(tx, *id)?;
        if *state == ConsentState::Requested {
            tell(tx, *id, New::of(Kind::ConsentLapsed, "system", "nobody answered the request in time"))?;
        }
    }
    Ok(late.len())
}

// ---- Reading --------------------------------------------------------------------------------------------------------

pub fn get(db: &Db<'_>, scope: &Scope, id: ConsentId) -> Result<ConsentView, Error> {
    sql::get(db, scope, id)?.ok_or(Error::NotFound)
}

/// A consent with all that it takes to check it offline. While it waits for an answer these are the newest roster and device statement,
/// which the approver checks it against; afterwards those that counted when it was decided.
pub fn evidence(db: &Db<'_>, scope: &Scope, id: ConsentId) -> Result<ConsentView, Error> {
    let view = get(db, scope, id)?;
    let (roster, device) = sql::decided(db, id)?;
    let roster = match roster.map(|counter| trust::roster_of(db, counter)).transpose()?.flatten() {
        Some(roster) => Some(roster),
        None => there(trust::roster_signed(db))?,
    };
    let device = match device {
        Some(statement) => Some(statement),
        None => there(trust::device_statement(db, sql::device_of(db, id)?))?.map(|(signed, _)| signed),
    };
    Ok(ConsentView { roster, device_statement: device, ..view })
}

/// The device's statement as it was when this consent was decided.
pub fn device_statement(db: &Db<'_>, id: ConsentId) -> Result<Option<Signed>, StoreError> {
    Ok(sql::decided(db, id)?.1)
}

/// What nobody has signed or published yet is not there; the page says what is.
fn there<T>(found: Result<T, trust::Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Keeps what counts at the moment of a decision.
fn note_decision(tx: &mut Tx<'_>, id: ConsentId) -> Result<(), Error> {
    let roster = trust::published_roster(tx)?.map(|(counter, _)| counter);
    let device = there(trust::device_statement(tx, sql::device_of(tx, id)?))?.map(|(signed, _)| signed);
    Ok(sql::set_decided(tx, id, roster, device.as_ref())?)
}

/// The fault a consent belongs to.
pub fn fault_of(db: &Db<'_>, id: ConsentId) -> Result<Option<FaultId>, StoreError> {
    sql::fault_of(db, id)
}

/// The live consents of grade `gateway` for this engineer on this device, with their signed requests, newest first.
pub fn live_through_gateway(db: &Db<'_>, device: EquipmentId, engineer: &str) -> Result<Vec<(ConsentId, Signed)>, StoreError> {
    sql::live_through_gateway(db, device, engineer)
}

/// The live consents that let this engineer's own key into this device, with their signed requests, newest first.
pub fn live_for_own_key(db: &Db<'_>, device: EquipmentId, engineer: &str) -> Result<Vec<(ConsentId, Signed)>, StoreError> {
    sql::live_for_own_key(db, device, engineer)
}

/// The devices that somebody may come to now.
pub fn devices_with_live(db: &Db<'_>) -> Result<Vec<EquipmentId>, StoreError> {
    sql::devices_with_live(db)
}

fn ended(by: impl ToString, text: String, reason: EndReason) -> New {
    New::of(Kind::ConsentEnded, by, text).data(json!({"reason": reason}))
}

/// With the consent's id beside whatever else is known of the event.
fn tell(tx: &mut Tx<'_>, id: ConsentId, event: New) -> Result<(), Error> {
    let fault = sql::fault_of(tx, id)?.ok_or(Error::NotFound)?;
    let mut data = event.data.as_object().cloned().unwrap_or_default();
    data.insert("consent".to_owned(), json!(id));
    faults::tell(tx, fault, event.data(data.into()))?;
    Ok(())
}

//! Customers (carriers), their sites, contracts, the service tiers that set the clocks' targets, and the coverage calendars of those.
//!
//! A customer has a tier of its own; while a contract is in force, the contract's tier takes its place ([`contracts`]).
//!
//! A customer has one switch that stops everything: [`stop`]. While it is thrown, no consent of the customer is live and none is
//! taken; the rooms above hear of it as an event and ask [`check_running`]. Many may throw it, and only the customer's own people take
//! it back.

pub mod calendars;
pub mod contracts;
pub mod http;
mod sql;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{Customer, NewCustomer, NewSite, Site, Stopped, Tier};
use lineman_common::fault::FaultKind;
use lineman_common::id::{ContractId, CustomerId, SiteId};
use lineman_common::name::CustomerCode;
use lineman_common::people::Role;
use serde_json::json;

use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is a customer with the code {0} already")]
    CodeTaken(CustomerCode),
    #[error("customer {0} has a site with this name already")]
    SiteTaken(CustomerCode),
    #[error("there is no tier `{0}`")]
    NoTier(String),
    #[error("there is no customer {0}")]
    NoCustomer(CustomerCode),
    #[error("`{0}` is not an IANA time zone, like `Asia/Shanghai`")]
    BadZone(String),
    #[error("a position needs a latitude from -90 to 90 and a longitude from -180 to 180 degrees, or neither")]
    BadPosition,
    #[error("a {0} needs a name of 1 to 100 characters")]
    BadName(&'static str),
    #[error("no such customer")]
    NotFound,
    #[error("a reason is needed, of 1 to 2000 characters")]
    NoReason,
    #[error("everything of {code} is stopped already, by {} since {}: {}", .stopped.by, .stopped.at, .stopped.reason)]
    StoppedAlready { code: CustomerCode, stopped: Stopped },
    #[error("nothing of {0} is stopped")]
    NotStopped(CustomerCode),
    #[error("no such {0}")]
    NotFoundHere(&'static str),
    #[error("this is no calendar: {0}")]
    BadCalendar(String),
    #[error("there is no calendar `{0}`: set it first, or leave it out for 24x7")]
    NoCalendar(String),
    #[error("the calendar {name} is in use: by the tier{} {}", if .users.len() == 1 { "" } else { "s" }, .users.join(", "))]
    CalendarUsed { name: String, users: Vec<String> },
    #[error("the tier {name} is in use: by {}", .users.join(", "))]
    TierUsed { name: String, users: Vec<String> },
    #[error("a target is at least a second long; leave it out, or write null, where there is none")]
    NoLength,
    #[error("`fault` is no kind of its own: its targets are the tier's")]
    KindIsFault,
    #[error("a contract ends on the day it begins, or later")]
    EndsBeforeItBegins,
    #[error("a contract needs a contact: a name of 1 to 200 characters, phone and mail of 200 at most")]
    BadContact,
    #[error("{customer} has the contract {other} in that time: end that one first")]
    Overlaps { customer: CustomerCode, other: ContractId },
    #[error("the contract has begun: only its last day and its contact can change, and the last day not to one that has passed")]
    HasBegun,
    #[error(transparent)]
    Halted(#[from] Halted),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

/// Why nothing is taken for a customer now: who stopped it, since when, and why. The words are for whoever wants in.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} stopped everything of {code} at {}: {}; {code}'s own NOC or approver takes it back with `lineman customer resume {code}`",
    .stopped.by, .stopped.at, .stopped.reason
)]
pub struct Halted {
    pub code: CustomerCode,
    pub stopped: Stopped,
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::CodeTaken(_)
            | Error::SiteTaken(_)
            | Error::StoppedAlready { .. }
            | Error::NotStopped(_)
            | Error::Halted(_)
            | Error::CalendarUsed { .. }
            | Error::TierUsed { .. }
            | Error::Overlaps { .. }
            | Error::HasBegun => Self::conflict(error.to_string()),
            Error::NoTier(_)
            | Error::NoCustomer(_)
            | Error::BadZone(_)
            | Error::BadPosition
            | Error::BadName(_)
            | Error::NoReason
            | Error::BadCalendar(_)
            | Error::NoCalendar(_)
            | Error::NoLength
            | Error::KindIsFault
            | Error::EndsBeforeItBegins
            | Error::BadContact => Self::invalid(error.to_string()),
            Error::NotFound => Self::not_found("customer"),
            Error::NotFoundHere(what) => Self::not_found(what),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

// ---- Tiers ----------------------------------------------------------------------------------------------------------

/// Sets a tier. Clocks that follow it go on to the new targets from now on; what they have counted stays.
pub fn set_tier(tx: &mut Tx<'_>, actor: &Actor, tier: &Tier) -> Result<(), Error> {
    checked_name("tier", &tier.name)?;
    let kinds = tier.kinds.values().flat_map(|kind| [kind.accept_s, kind.respond_s, kind.resolve_s]);
    let mut targets = [tier.accept_s, tier.respond_s].into_iter().chain(tier.restore_s).chain(tier.resolve_s).chain(kinds);
    if targets.any(|target| target == Some(0)) {
        return Err(Error::NoLength);
    }
    if tier.kinds.contains_key(&FaultKind::Fault) {
        return Err(Error::KindIsFault);
    }
    if let Some(calendar) = &tier.calendar
        && calendars::newest(tx, calendar)?.is_none()
    {
        return Err(Error::NoCalendar(lineman_common::printable::escape(calendar)));
    }
    sql::put_tier(tx, tier)?;
    events::append(tx, New::of(Kind::TierSet, actor, format!("tier {} set", tier.name)).data(serde_json::json!(tier)))?;
    Ok(())
}

pub fn tiers(db: &Db<'_>) -> Result<Vec<Tier>, StoreError> {
    sql::tiers(db)
}

pub fn tier(db: &Db<'_>, name: &str) -> Result<Tier, Error> {
    sql::tier(db, name)?.ok_or(Error::NotFoundHere("tier"))
}

/// Deletes a tier that no customer has and no contract names.
pub fn delete_tier(tx: &mut Tx<'_>, actor: &Actor, name: &str) -> Result<Tier, Error> {
    let found = tier(tx, name)?;
    let users = sql::tier_users(tx, name)?;
    if !users.is_empty() {
        return Err(Error::TierUsed { name: found.name, users });
    }
    sql::delete_tier(tx, name)?;
    events::append(tx, New::of(Kind::TierDeleted, actor, format!("tier {name} deleted")).data(json!({"name": name})))?;
    Ok(found)
}

/// A tier, and since when it is as it is and holds for whom it was asked.
pub struct InForce {
    pub tier: Tier,
    pub since: Timestamp,
}

/// What a customer's clocks aim at now: the tier of the contract that is in force, or else the customer's own.
pub fn tier_of(db: &Db<'_>, customer: CustomerId) -> Result<InForce, StoreError> {
    let (name, held_since) = contracts::tier_in_force(db, customer)?;
    let (tier, set_at) = match name {
        Some(name) => sql::tier_and_since(db, &name)?,
        None => sql::own_tier(db, customer)?,
    };
    Ok(InForce { tier, since: set_at.into_iter().chain(held_since).max().unwrap_or(Timestamp::MIN) })
}

/// The zone of a customer that has no site yet is UTC.
pub const NO_ZONE: &str = "UTC";

/// The zone of the customer's first site.
pub fn zone_of(db: &Db<'_>, customer: CustomerId) -> Result<String, StoreError> {
    Ok(sql::first_zone(db, customer)?.unwrap_or_else(|| NO_ZONE.to_owned()))
}

// ---- Customers and sites --------------------------------------------------------------------------------------------

pub fn add(tx: &mut Tx<'_>, actor: &Actor, new: NewCustomer) -> Result<Customer, Error> {
    checked_name("customer", new.name.raw())?;
    if !sql::tiers(tx)?.iter().any(|tier| tier.name == new.tier) {
        return Err(Error::NoTier(new.tier));
    }
    if sql::by_code(tx, &new.code)?.is_some() {
        return Err(Error::CodeTaken(new.code));
    }
    let customer = Customer { id: CustomerId::new(), code: new.code, name: new.name, tier: new.tier, stopped: None, created_at: tx.now() };
    sql::insert(tx, &customer)?;
    events::append(tx, New::of(Kind::CustomerAdded, actor, format!("customer {} added", customer.code)).customer(customer.id))?;
    Ok(customer)
}

pub fn list(db: &Db<'_>, scope: &Scope) -> Result<Vec<Customer>, StoreError> {
    sql::list(db, scope)
}

/// A customer by its code, if the scope may know of it.
pub fn find(db: &Db<'_>, scope: &Scope, code: &CustomerCode) -> Result<Option<Customer>, StoreError> {
    let found = sql::by_code(db, code)?;
    Ok(found.filter(|customer| match scope {
        Scope::All => true,
        Scope::Customer(own) => *own == customer.id,
    }))
}

// ---- The switch that stops everything -------------------------------------------------------------------------------

/// Who may throw the switch. Stopping keeps people out, so many may.
pub const STOPPERS: &[Role] = &[Role::Noc, Role::Approver, Role::DutyManager, Role::Admin];
/// Who may take it back: the customer's own people only.
pub const RESUMERS: &[Role] = &[Role::Noc, Role::Approver];

/// Stops everything of a customer: who listens to the event ends its sessions and consents.
pub fn stop(tx: &mut Tx<'_>, actor: &Actor, code: &CustomerCode, reason: &Printable) -> Result<Customer, Error> {
    checked_reason(reason)?;
    let customer = find(tx, &actor.scope(), code)?.ok_or(Error::NotFound)?;
    if let Some(stopped) = customer.stopped {
        return Err(Error::StoppedAlready { code: customer.code, stopped });
    }
    let stopped = Stopped { at: tx.now(), by: actor.name.clone(), reason: reason.clone() };
    sql::set_stopped(tx, customer.id, Some(&stopped))?;
    let event = New::of(Kind::CustomerStopped, actor, format!("everything of {code} is stopped: {reason}")).data(json!(stopped));
    events::append(tx, event.customer(customer.id))?;
    Ok(Customer { stopped: Some(stopped), ..customer })
}

/// Takes the stop back. What it ended stays ended.
pub fn resume(tx: &mut Tx<'_>, actor: &Actor, code: &CustomerCode, reason: &Printable) -> Result<Customer, Error> {
    checked_reason(reason)?;
    let customer = find(tx, &actor.scope(), code)?.ok_or(Error::NotFound)?;
    let Some(stopped) = customer.stopped else { return Err(Error::NotStopped(customer.code)) };
    sql::set_stopped(tx, customer.id, None)?;
    let text = format!("sessions of {code} are possible again, after {} had stopped everything: {reason}", stopped.by);
    let data = json!({"by": actor.name, "reason": reason, "stopped": stopped});
    events::append(tx, New::of(Kind::CustomerResumed, actor, text).data(data).customer(customer.id))?;
    Ok(Customer { stopped: None, ..customer })
}

/// Who stopped everything of this customer, if somebody did.
pub fn halted(db: &Db<'_>, customer: CustomerId) -> Result<Option<Halted>, StoreError> {
    let found = sql::by_id(db, customer)?;
    Ok(found.and_then(|customer| customer.stopped.map(|stopped| Halted { code: customer.code, stopped })))
}

/// Nothing that lets somebody in is taken while a customer is stopped.
pub fn check_running(db: &Db<'_>, customer: CustomerId) -> Result<(), Error> {
    halted(db, customer)?.map_or(Ok(()), |halted| Err(halted.into()))
}

fn checked_reason(reason: &Printable) -> Result<(), Error> {
    if (1..=2000).contains(&reason.raw().trim().chars().count()) { Ok(()) } else { Err(Error::NoReason) }
}

pub fn add_site(tx: &mut Tx<'_>, actor: &Actor, new: NewSite) -> Result<Site, Error> {
    checked_name("site", new.name.raw())?;
    let customer = sql::by_code(tx, &new.customer)?.ok_or_else(|| Error::NoCustomer(new.customer.clone()))?;
    if jiff::tz::TimeZone::get(&new.zone).is_err() {
        return Err(Error::BadZone(lineman_common::printable::escape(&new.zone)));
    }
    match (new.latitude_deg, new.longitude_deg) {
        (None, None) => {}
        (Some(lat), Some(lon)) if (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon) => {}
        _ => return Err(Error::BadPosition),
    }
    let site = Site {
        id: SiteId::new(),
        customer: new.customer,
        name: new.name,
        zone: new.zone,
        latitude_deg: new.latitude_deg,
        longitude_deg: new.longitude_deg,
        access_notes: new.access_notes,
    };
    if !sql::insert_site(tx, customer.id, &site)? {
        return Err(Error::SiteTaken(site.customer));
    }
    events::append(tx, New::of(Kind::SiteAdded, actor, format!("site {} added", site.name)).customer(customer.id))?;
    Ok(site)
}

pub fn sites(db: &Db<'_>, scope: &Scope) -> Result<Vec<Site>, StoreError> {
    sql::sites(db, scope)
}

fn checked_name(what: &'static str, name: &str) -> Result<(), Error> {
    if (1..=100).contains(&name.trim().chars().count()) { Ok(()) } else { Err(Error::BadName(what)) }
}

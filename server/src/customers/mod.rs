//! Customers (carriers), their sites, and the service tiers that set the clocks' targets.
//!
//! A customer has one switch that stops everything: [`stop`]. While it is thrown, no consent of the customer is live and none is
//! taken; the rooms above hear of it as an event and ask [`check_running`]. Many may throw it, and only the customer's own people take
//! it back.

pub mod http;
mod sql;
#[cfg(test)]
mod tests;

use lineman_common::Printable;
use lineman_common::api::{Customer, NewCustomer, NewSite, Site, Stopped, Tier};
use lineman_common::id::{CustomerId, SiteId};
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
            Error::CodeTaken(_) | Error::SiteTaken(_) | Error::StoppedAlready { .. } | Error::NotStopped(_) | Error::Halted(_) => {
                Self::conflict(error.to_string())
            }
            Error::NoTier(_) | Error::NoCustomer(_) | Error::BadZone(_) | Error::BadPosition | Error::BadName(_) | Error::NoReason => {
                Self::invalid(error.to_string())
            }
            Error::NotFound => Self::not_found("customer"),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

pub fn set_tier(tx: &mut Tx<'_>, actor: &Actor, tier: &Tier) -> Result<(), Error> {
    checked_name("tier", &tier.name)?;
    sql::put_tier(tx, tier)?;
    events::append(tx, New::of(Kind::TierSet, actor, format!("tier {} set", tier.name)).data(serde_json::json!(tier)))?;
    Ok(())
}

pub fn tiers(db: &Db<'_>) -> Result<Vec<Tier>, StoreError> {
    sql::tiers(db)
}

/// The tier of a customer: what its clocks aim at.
pub fn tier_of(db: &Db<'_>, customer: CustomerId) -> Result<Tier, StoreError> {
    sql::tier_of(db, customer)
}

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

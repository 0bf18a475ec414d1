//! Customers (carriers), their sites, and the service tiers that set the clocks' targets.

pub mod http;
mod sql;

use lineman_common::api::{Customer, NewCustomer, NewSite, Site, Tier};
use lineman_common::id::{CustomerId, SiteId};
use lineman_common::name::CustomerCode;

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
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::CodeTaken(_) | Error::SiteTaken(_) => Self::conflict(error.to_string()),
            Error::NoTier(_) | Error::NoCustomer(_) | Error::BadZone(_) | Error::BadPosition | Error::BadName(_) => {
                Self::invalid(error.to_string())
            }
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

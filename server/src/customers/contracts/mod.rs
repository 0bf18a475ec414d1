//! Contracts: which tier holds for a customer, from which day until which, and who answers for it.
//!
//! At most one contract of a customer is in force at a time. One that has begun keeps its tier and its first day, so that what faults
//! were judged by can be read for ever; another tier is another contract.

pub mod http;
mod sql;
#[cfg(test)]
mod tests;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use lineman_common::api::{Contact, Contract, NewContract};
use lineman_common::id::{ContractId, CustomerId};
use serde_json::json;

use super::Error;
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

pub fn add(tx: &mut Tx<'_>, actor: &Actor, new: &NewContract) -> Result<Contract, Error> {
    put(tx, actor, ContractId::new(), new)
}

/// Changes a contract; of one that has begun, only its last day and its contact.
pub fn change(tx: &mut Tx<'_>, actor: &Actor, id: ContractId, new: &NewContract) -> Result<Contract, Error> {
    let known = get(tx, &Scope::All, id)?;
    if known.customer != new.customer {
        return Err(Error::HasBegun);
    }
    let today = today(tx, customer_of(tx, new)?)?;
    let same = (known.from, &known.tier) == (new.from, &new.tier);
    let ended = known.until.is_some_and(|until| until < today) && known.until != new.until;
    let shortened = known.until != new.until && new.until.is_some_and(|until| until < today);
    if known.from <= today && (!same || ended || shortened) {
        return Err(Error::HasBegun);
    }
    put(tx, actor, id, new)
}

/// Deletes a contract that has not begun.
pub fn delete(tx: &mut Tx<'_>, actor: &Actor, id: ContractId) -> Result<Contract, Error> {
    let known = get(tx, &Scope::All, id)?;
    let customer = super::sql::by_code(tx, &known.customer)?.ok_or(Error::NotFound)?.id;
    if known.from <= today(tx, customer)? {
        return Err(Error::HasBegun);
    }
    sql::delete(tx, id)?;
    let event = New::of(Kind::ContractDeleted, actor, format!("contract {id} of {} deleted", known.customer)).data(json!(known));
    events::append(tx, event.customer(customer))?;
    Ok(known)
}

pub fn get(db: &Db<'_>, scope: &Scope, id: ContractId) -> Result<Contract, Error> {
    sql::get(db, scope, id)?.ok_or(Error::NotFoundHere("contract"))
}

pub fn list(
    db: &Db<'_>,
    scope: &Scope,
    customer: Option<&str>,
    after: Option<ContractId>,
    limit: u32,
) -> Result<Vec<Contract>, StoreError> {
    sql::list(db, scope, customer, after, limit)
}

/// The tier of the contract in force, if one is; and since when that, or that none is, holds.
pub fn tier_in_force(db: &Db<'_>, customer: CustomerId) -> Result<(Option<String>, Option<Timestamp>), StoreError> {
    match sql::in_force(db, customer)? {
        Some((tier, since)) => Ok((Some(tier), Some(since))),
        None => Ok((None, sql::last_end(db, customer)?)),
    }
}

/// The next moment when another contract, or none, is in force.
pub fn next_change(db: &Db<'_>, customer: CustomerId) -> Result<Option<Timestamp>, StoreError> {
    sql::next_change(db, customer)
}

fn put(tx: &mut Tx<'_>, actor: &Actor, id: ContractId, new: &NewContract) -> Result<Contract, Error> {
    let customer = customer_of(tx, new)?;
    if super::sql::tier(tx, &new.tier)?.is_none() {
        return Err(Error::NoTier(lineman_common::printable::escape(&new.tier)));
    }
    if new.until.is_some_and(|until| until < new.from) {
        return Err(Error::EndsBeforeItBegins);
    }
    checked(&new.contact)?;
    let zone = zone(tx, customer)?;
    let end = new.until.map(|until| until.checked_add(1.day()).unwrap_or(Date::MAX));
    let span = (start_of(new.from, &zone)?, end.map(|end| start_of(end, &zone)).transpose()?);
    if let Some(other) = sql::overlapping(tx, customer, id, span)? {
        return Err(Error::Overlaps { customer: new.customer.clone(), other });
    }
    sql::put(tx, id, customer, new, span)?;
    let until = new.until.map_or_else(|| "until another word".to_owned(), |until| format!("until {until}"));
    let text = format!("contract of {}: {} from {} {until}", new.customer, new.tier, new.from);
    events::append(tx, New::of(Kind::ContractSet, actor, text).data(json!({"contract": id, "terms": new})).customer(customer))?;
    get(tx, &Scope::All, id)
}

fn customer_of(db: &Db<'_>, new: &NewContract) -> Result<CustomerId, Error> {
    Ok(super::sql::by_code(db, &new.customer)?.ok_or_else(|| Error::NoCustomer(new.customer.clone()))?.id)
}

fn zone(db: &Db<'_>, customer: CustomerId) -> Result<TimeZone, StoreError> {
    Ok(TimeZone::get(&super::zone_of(db, customer)?).unwrap_or(TimeZone::UTC))
}

fn today(db: &Db<'_>, customer: CustomerId) -> Result<Date, StoreError> {
    Ok(zone(db, customer)?.to_datetime(db.now()).date())
}

/// A day's first moment, whatever the zone does at its midnight.
fn start_of(day: Date, zone: &TimeZone) -> Result<Timestamp, Error> {
    let start = day.to_zoned(zone.clone()).map_err(|_| Error::EndsBeforeItBegins)?;
    Ok(start.timestamp())
}

fn checked(contact: &Contact) -> Result<(), Error> {
    let length = |text: &lineman_common::Printable| text.raw().trim().chars().count();
    let fits = (1..=200).contains(&length(&contact.name)) && length(&contact.phone) <= 200 && length(&contact.mail) <= 200;
    if fits { Ok(()) } else { Err(Error::BadContact) }
}

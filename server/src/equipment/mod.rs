//! Equipment: what the carrier runs, as a tree, each with a handle that `ssh` can address.

pub mod http;
pub mod list;
mod sql;
pub mod topology;

use std::str::FromStr;

use lineman_common::alarm::Relation;
use lineman_common::api::{Equipment, NewEquipment};
use lineman_common::id::{CustomerId, EquipmentId};
use lineman_common::name::{Handle, NeName};

use crate::customers;
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such equipment")]
    NotFound,
    #[error("no such equipment")]
    NotAName,
    #[error("there is no customer {0}")]
    NoCustomer(lineman_common::name::CustomerCode),
    #[error("the customer has no such site")]
    NoSite,
    #[error("the customer has no equipment `{0}` to be the parent")]
    NoParent(Handle),
    #[error("there is equipment named {0} already")]
    Taken(NeName),
    #[error("`{0}` is longer than 200 characters")]
    TooLong(&'static str),
    #[error("{equipment} can't hang on {on} by {relation}: {on} hangs on it already, and that would be a circle")]
    Circle { relation: Relation, equipment: NeName, on: NeName },
    #[error("equipment has {0} power feeds at most")]
    TooManyFeeds(usize),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("equipment"),
            Error::NotAName => {
                Self::not_found("equipment").hint("equipment is named HANDLE.CUSTOMER.ne, like ne-17.jw.ne, or by its id, eqp_...")
            }
            Error::NoCustomer(_) | Error::NoSite | Error::NoParent(_) | Error::TooLong(_) | Error::TooManyFeeds(_) => {
                Self::invalid(error.to_string())
            }
            Error::Taken(_) | Error::Circle { .. } => Self::conflict(error.to_string()),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

/// What the other rooms need to know of a piece of equipment.
#[derive(Clone, Debug)]
pub struct Known {
    pub id: EquipmentId,
    pub customer: CustomerId,
    pub name: NeName,
    pub product: String,
    pub model: String,
}

/// How people name equipment: `ne-1.jw.ne`, or by its id.
#[derive(Clone, Debug)]
pub enum Reference {
    Name(NeName),
    Id(EquipmentId),
}

impl FromStr for Reference {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self::Name).or_else(|_| text.parse().map(Self::Id)).map_err(|_| Error::NotAName)
    }
}

pub fn add(tx: &mut Tx<'_>, actor: &Actor, new: NewEquipment) -> Result<Equipment, Error> {
    for (what, text) in [("product", &new.product), ("model", &new.model), ("serial", &new.serial), ("software", &new.software)] {
        if text.raw().chars().count() > 200 {
            return Err(Error::TooLong(what));
        }
    }
    let customer = customers::find(tx, &Scope::All, &new.customer)?.ok_or_else(|| Error::NoCustomer(new.customer.clone()))?;
    let name = NeName { customer: new.customer.clone(), handle: new.handle.clone() };
    if !sql::has_site(tx, customer.id, new.site)? {
        return Err(Error::NoSite);
    }
    let parent = match &new.parent {
        None => None,
        Some(handle) => {
            let parent = NeName { customer: new.customer.clone(), handle: handle.clone() };
            Some(sql::known(tx, &Scope::All, &Reference::Name(parent))?.ok_or_else(|| Error::NoParent(handle.clone()))?.id)
        }
    };
    if sql::known(tx, &Scope::All, &Reference::Name(name.clone()))?.is_some() {
        return Err(Error::Taken(name));
    }
    let id = EquipmentId::new();
    sql::insert(tx, id, customer.id, parent, &new)?;
    events::append(tx, New::of(Kind::EquipmentAdded, actor, format!("{name} added")).customer(customer.id).equipment(id))?;
    get(tx, &Scope::All, &Reference::Id(id))
}

pub fn get(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Equipment, Error> {
    let known = find(db, scope, reference)?;
    sql::get(db, known.id)?.ok_or(Error::NotFound)
}

/// Equipment that the scope may know of.
pub fn find(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Known, Error> {
    sql::known(db, scope, reference)?.ok_or(Error::NotFound)
}

/// A page of the list, by name.
pub fn list(db: &Db<'_>, scope: &Scope, customer: Option<&str>, after: Option<&str>, limit: u32) -> Result<Vec<Equipment>, StoreError> {
    sql::list(db, scope, customer, after, limit)
}

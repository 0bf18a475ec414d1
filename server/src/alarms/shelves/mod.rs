//! Shelves: alarms that are put away because somebody said why (RFC 8632). They are ordered, and the first that fits takes an alarm. What
//! lies on one is followed all the same; it only opens no fault.

pub mod http;
mod sql;

use lineman_common::Printable;
use lineman_common::alarm::{Severity, fits};
use lineman_common::api::{NewShelf, Shelf, ShelfOrder};
use lineman_common::id::{CustomerId, EquipmentId, ShelfId};
use lineman_common::name::CustomerCode;
use serde_json::json;

use super::settle::{self, Picture};
use super::{Error, checked_pattern, checked_why, customer_for};
use crate::equipment::{self, Reference, topology};
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

/// More than anybody keeps in mind, and all are looked at for each alarm.
const MOST: usize = 200;

pub use sql::has_expired;

/// A shelf as alarms are held against it.
pub struct Criteria {
    pub id: ShelfId,
    pub equipment: Option<EquipmentId>,
    pub types: Vec<String>,
    pub qualifier: Option<String>,
    pub up_to: Option<Severity>,
}

impl Criteria {
    /// Everything but the equipment.
    pub fn fits(&self, picture: &Picture) -> bool {
        (self.types.is_empty() || self.types.iter().any(|pattern| fits(pattern, &picture.alarm_type)))
            && self.qualifier.as_ref().is_none_or(|pattern| fits(pattern, &picture.qualifier))
            && self.up_to.is_none_or(|most| picture.severity <= most)
    }
}

/// The shelves of a customer in their order.
pub fn of_customer(db: &Db<'_>, customer: CustomerId) -> Result<Vec<Criteria>, StoreError> {
    let shelves = sql::list(db, Some(customer))?;
    let criteria = shelves.into_iter().map(|kept| Criteria {
        id: kept.id,
        equipment: kept.body.equipment_id,
        types: kept.body.shelf.types,
        qualifier: kept.body.shelf.qualifier,
        up_to: kept.body.shelf.up_to,
    });
    Ok(criteria.collect())
}

pub fn list(db: &Db<'_>, scope: &Scope, customer: Option<&CustomerCode>) -> Result<Vec<Shelf>, Error> {
    let customer = match (scope, customer) {
        (Scope::Customer(own), _) => Some(*own),
        (Scope::All, Some(code)) => Some(customer_for(db, scope, Some(code))?.0),
        (Scope::All, None) => None,
    };
    let mut place = (None, 0);
    sql::list(db, customer)?
        .into_iter()
        .map(|kept| {
            place = if place.0 == Some(kept.customer) { (place.0, place.1 + 1) } else { (Some(kept.customer), 1) };
            shelf(db, kept, place.1)
        })
        .collect()
}

fn shelf(db: &Db<'_>, kept: sql::Kept, place: u32) -> Result<Shelf, Error> {
    let body = kept.body.shelf;
    Ok(Shelf {
        alarms: super::sql::on_shelf(db, kept.id)?,
        id: kept.id,
        customer: kept.code,
        place,
        equipment: body.equipment,
        types: body.types,
        qualifier: body.qualifier,
        up_to: body.up_to,
        until: body.until,
        why: body.why,
        by: kept.by,
        created_at: kept.created_at,
    })
}

fn get(db: &Db<'_>, scope: &Scope, id: ShelfId) -> Result<(CustomerId, Shelf), Error> {
    let customer = sql::customer_of(db, scope, id)?.ok_or(Error::NoShelf)?;
    let found = list(db, &Scope::Customer(customer), None)?.into_iter().find(|shelf| shelf.id == id);
    Ok((customer, found.ok_or(Error::NoShelf)?))
}

/// Puts alarms away.
pub fn add(tx: &mut Tx<'_>, actor: &Actor, new: NewShelf) -> Result<Shelf, Error> {
    let scope = actor.scope();
    let device = new.equipment.clone().map(|name| equipment::find(tx, &scope, &Reference::Name(name))).transpose()?;
    let customer = match &device {
        Some(device) => device.customer,
        None => customer_for(tx, &scope, new.customer.as_ref())?.0,
    };
    checked_why(&new.why)?;
    for pattern in new.types.iter().chain(&new.qualifier) {
        checked_pattern("types and qualifier", &Printable::from(pattern.as_str()))?;
    }
    if new.equipment.is_none() && new.types.is_empty() && new.qualifier.is_none() && new.up_to.is_none() {
        return Err(Error::Invalid(
            "a shelf for everything would hide everything: name equipment, types, a qualifier or a severity".into(),
        ));
    }
    if new.until.is_some_and(|until| until <= tx.now()) {
        return Err(Error::Invalid("`until` has passed already".into()));
    }
    let mut order: Vec<ShelfId> = sql::list(tx, Some(customer))?.into_iter().map(|kept| kept.id).collect();
    if order.len() >= MOST {
        return Err(Error::Invalid(format!("a customer has {MOST} shelves at most: take one away, or join some")));
    }
    let id = ShelfId::new();
    let at = new.place.map_or(order.len(), |place| (place.max(1) as usize - 1).min(order.len()));
    order.insert(at, id);
    sql::insert(tx, id, customer, device.as_ref().map(|device| device.id), &new, actor.name.as_str())?;
    sql::set_order(tx, &order)?;
    let text = format!("alarms are put on a shelf: {}", new.why);
    let event = New::of(Kind::ShelfSet, actor, text).customer(customer).equipment(device.as_ref().map(|device| device.id));
    events::append(tx, event.data(json!({"shelf": id, "criteria": new})))?;
    match &device {
        Some(device) => {
            for below in topology::below(tx, device.id, lineman_common::alarm::Relation::ALL)? {
                super::sql::look_at_equipment(tx, below)?;
            }
        }
        None => look_again(tx, customer, &new)?,
    }
    settle::run(tx)?;
    Ok(get(tx, &Scope::All, id)?.1)
}

/// The raised alarms that the shelf may take.
fn look_again(tx: &Tx<'_>, customer: CustomerId, new: &NewShelf) -> Result<(), StoreError> {
    let mut places = Vec::new();
    super::sql::raised_of(tx, Some(customer), |raised| {
        let types = new.types.is_empty() || new.types.iter().any(|pattern| fits(pattern, &raised.key.alarm_type));
        if types && new.qualifier.as_ref().is_none_or(|pattern| fits(pattern, &raised.key.qualifier)) {
            places.push(raised.place);
        }
        Ok(())
    })?;
    places.into_iter().try_for_each(|place| super::sql::look_at(tx, place))
}

/// Takes a shelf away; what lay on it comes back, or goes onto the next that fits.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, id: ShelfId, why: &Printable) -> Result<(), Error> {
    let (customer, _) = get(tx, &actor.scope(), id)?;
    checked_why(why)?;
    take_away(tx, customer, id, &actor.to_string(), &format!("a shelf is taken away: {why}"))
}

fn take_away(tx: &mut Tx<'_>, customer: CustomerId, id: ShelfId, by: &str, text: &str) -> Result<(), Error> {
    super::sql::look_at_shelf(tx, id)?;
    sql::delete(tx, id)?;
    events::append(tx, New::of(Kind::ShelfRemoved, by, text).customer(customer).data(json!({"shelf": id})))?;
    Ok(())
}

/// All shelves of a customer in a new order.
pub fn reorder(tx: &mut Tx<'_>, actor: &Actor, new: &ShelfOrder) -> Result<Vec<Shelf>, Error> {
    let first = new.shelves.first().ok_or_else(|| Error::Invalid("name all shelves of the customer, in their new order".into()))?;
    let (customer, _) = get(tx, &actor.scope(), *first)?;
    checked_why(&new.why)?;
    let mut known: Vec<ShelfId> = sql::list(tx, Some(customer))?.into_iter().map(|kept| kept.id).collect();
    let mut named = new.shelves.clone();
    known.sort_unstable();
    named.sort_unstable();
    if known != named {
        return Err(Error::Invalid(format!("name each of the customer's {} shelves once, in their new order", known.len())));
    }
    sql::set_order(tx, &new.shelves)?;
    for id in &new.shelves {
        super::sql::look_at_shelf(tx, *id)?;
    }
    let event = New::of(Kind::ShelvesOrdered, actor, format!("the shelves are in another order: {}", new.why)).customer(customer);
    events::append(tx, event.data(json!({"shelves": new.shelves})))?;
    settle::run(tx)?;
    list(tx, &Scope::Customer(customer), None)
}

/// Shelves whose time is over go by themselves.
pub fn expire(tx: &mut Tx<'_>) -> Result<(), Error> {
    for (id, customer) in sql::expired(tx)? {
        take_away(tx, customer, id, "system", "a shelf's time is over")?;
    }
    Ok(())
}

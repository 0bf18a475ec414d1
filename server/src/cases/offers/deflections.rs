//! Faults that were not filed, since a case solved them: what a library is worth to those who never call.

use lineman_common::api::{Cited, Deflection, LinkVerdict, NewDeflection};
use lineman_common::id::{CustomerId, DeflectionId};
use lineman_common::people::Role;

use super::super::{self as cases, Reference, masked_beginning, names_in};
use super::{Error, LONGEST_QUERY, sql};
use crate::customers;
use crate::equipment::{self, Reference as EquipmentReference};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

pub fn record(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, new: &NewDeflection) -> Result<Deflection, Error> {
    let case = cases::get(tx, &actor.scope(), reference)?;
    let customer = whose(tx, actor, new)?;
    let known = names_in(tx, &customer.map_or_else(|| actor.scope(), Scope::Customer))?;
    let question = masked_beginning(new.question.raw().trim(), &known, LONGEST_QUERY);
    if !question.chars().any(char::is_alphanumeric) {
        return Err(Error::NoQuestion);
    }
    let id = DeflectionId::new();
    let row = sql::NewRow { id, case: case.number, customer, offer: new.offer, question: &question, person: &actor.name };
    sql::insert_deflection(tx, &row)?;
    if let Some(offer) = new.offer {
        sql::set_cited(tx, &actor.name, offer, Cited { case: case.number, verdict: LinkVerdict::Solved })?;
    }
    sql::get_deflection(tx, &actor.scope(), id)?.ok_or(Error::NoDeflection)
}

fn whose(db: &Db<'_>, actor: &Actor, new: &NewDeflection) -> Result<Option<CustomerId>, Error> {
    let scope = actor.scope();
    match (&new.equipment, &new.customer) {
        (Some(name), _) => Ok(Some(equipment::find(db, &scope, &EquipmentReference::Name(name.clone()))?.customer)),
        (None, Some(code)) => Ok(Some(customers::find(db, &scope, code)?.ok_or_else(|| Error::NoCustomer(code.clone()))?.id)),
        (None, None) => Ok(actor.customer.as_ref().map(|(id, _)| *id)),
    }
}

/// It did not solve it after all.
pub fn undo(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, id: &str) -> Result<Deflection, Error> {
    let case = cases::get(tx, &actor.scope(), reference)?;
    let id: DeflectionId = id.parse().map_err(|_| Error::NoDeflection)?;
    let known = sql::get_deflection(tx, &actor.scope(), id)?.filter(|known| known.case == case.number).ok_or(Error::NoDeflection)?;
    if known.by != actor.name && !matches!(actor.role, Role::DutyManager | Role::Admin) {
        return Err(Error::NotYours);
    }
    if known.undone_at.is_some() {
        return Err(Error::Undone);
    }
    sql::undo_deflection(tx, id, &actor.name)?;
    sql::get_deflection(tx, &actor.scope(), id)?.ok_or(Error::NoDeflection)
}

/// Newest first.
pub fn list(db: &Db<'_>, scope: &Scope, after: Option<DeflectionId>, limit: u32) -> Result<Vec<Deflection>, StoreError> {
    sql::deflections(db, scope, after, limit)
}

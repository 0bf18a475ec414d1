//! What fits a fault: cases, and open faults that may be the same.

use std::collections::HashSet;

use lineman_common::api::{Fault, Suggestions, Typed};
use lineman_common::id::{CustomerId, OfferId};

use super::super::find::{About, Ask, Finder};
use super::duplicates::{self, Trouble};
use super::{Error, sql};
use crate::alarms;
use crate::customers;
use crate::equipment::{self, Known, Reference as EquipmentReference};
use crate::faults;
use crate::store::Db;
use crate::web::{Actor, Scope};

const SUGGESTIONS: u32 = 5;
const MOST_SUGGESTIONS: u32 = 20;

/// For a fault that is being typed.
pub fn typed(db: &Db<'_>, finder: &Finder, actor: &Actor, typed: &Typed) -> Result<Suggestions, Error> {
    let scope = actor.scope();
    let reference = typed.equipment.as_deref().map(str::parse::<EquipmentReference>).transpose()?;
    let device = reference.as_ref().map(|reference| equipment::find(db, &scope, reference)).transpose()?;
    let alarms = device.as_ref().map(|device| sql::raised_on(db, device.id)).transpose()?.unwrap_or_default();
    let limit = typed.limit.unwrap_or(SUGGESTIONS).clamp(1, MOST_SUGGESTIONS) as usize;
    let mut about = reference.as_ref().map(|reference| About::device(db, &scope, reference)).transpose()?.unwrap_or_default();
    about.codes = alarms.iter().cloned().collect();
    about.codes.sort_unstable();
    let ask = Ask { text: typed.text.raw(), about, typing: true, only_similar: true, limit, ..Ask::default() };
    let items = finder.answer(db, &scope, &ask)?.items;
    let duplicates = match whose(db, &scope, typed, device.as_ref())? {
        Some(customer) => {
            let equipment = device.as_ref().map(|device| device.id);
            duplicates::open(db, &Trouble { customer, text: typed.text.raw(), equipment, alarms, fault: None }, limit)?
        }
        None => Vec::new(),
    };
    Ok(Suggestions { offer: OfferId::new(), items, duplicates })
}

/// Whose trouble it is: without a customer nobody's faults are looked at.
fn whose(db: &Db<'_>, scope: &Scope, typed: &Typed, device: Option<&Known>) -> Result<Option<CustomerId>, Error> {
    match (device, &typed.customer, scope) {
        (Some(device), _, _) => Ok(Some(device.customer)),
        (None, Some(code), _) => Ok(Some(customers::find(db, scope, code)?.ok_or_else(|| Error::NoCustomer(code.clone()))?.id)),
        (None, None, Scope::Customer(own)) => Ok(Some(*own)),
        (None, None, Scope::All) => Ok(None),
    }
}

/// For a fault that is there. The caller has found it under the scope.
pub fn for_fault(db: &Db<'_>, finder: &Finder, scope: &Scope, fault: &Fault) -> Result<Suggestions, Error> {
    let alarms: HashSet<String> = alarms::of_fault(db, fault.id)?.into_iter().map(|alarm| alarm.alarm_type.raw().to_owned()).collect();
    let text = format!("{}\n{}", fault.title.raw(), fault.description.raw());
    let trouble = Trouble {
        customer: faults::customer_of(db, fault.id)?,
        text: &text,
        equipment: faults::equipment_of(db, fault)?.map(|device| device.id),
        alarms,
        fault: Some(fault.id),
    };
    Ok(Suggestions {
        offer: OfferId::new(),
        items: finder.similar_to_fault(db, scope, fault)?,
        duplicates: duplicates::open(db, &trouble, SUGGESTIONS as usize)?,
    })
}

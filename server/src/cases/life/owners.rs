//! Who looks after a case: its author at first. Owners are asked when a case is doubted, and see their cases as a list.

use lineman_common::Printable;
use lineman_common::api::{Case, HandOver, HandOverMany, HandedOver};
use lineman_common::name::PersonName;
use lineman_common::people::Role;
use serde_json::json;

use super::super::{Error, Reference, get, own};
use super::states::tell_of;
use super::{short, sql};
use crate::events::{self, Kind, New};
use crate::people;
use crate::store::{Db, Tx};
use crate::web::{Actor, Scope};

/// Cases that one hand-over moves at most.
const MOST: u32 = 10_000;

fn owner(db: &Db<'_>, name: &PersonName) -> Result<(), Error> {
    let person = people::find(db, &Scope::All, name)?.filter(|person| person.disabled.is_none());
    let works = |role| matches!(role, Role::Engineer | Role::DutyManager | Role::Admin);
    if person.is_some_and(|person| works(person.role)) { Ok(()) } else { Err(Error::NoOwner(name.clone())) }
}

fn because(reason: &Printable) -> String {
    if reason.raw().trim().is_empty() { String::new() } else { format!(": {}", reason.raw().trim()) }
}

pub fn hand_over(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, said: &HandOver) -> Result<Case, Error> {
    owner(tx, &said.to)?;
    short(&said.reason, "reason")?;
    let case = own(tx, &actor.scope(), reference)?.case;
    sql::set_owner(tx, case.number, &said.to)?;
    let what = format!("goes from {} to {}{}", case.owner, said.to, because(&said.reason));
    tell_of(tx, actor, Kind::CaseHandedOver, &case, &what, json!({"from": case.owner, "to": said.to}))?;
    get(tx, &Scope::All, reference)
}

/// A product line, or all that somebody has, or both narrowed by each other.
pub fn hand_over_many(tx: &mut Tx<'_>, actor: &Actor, said: &HandOverMany) -> Result<HandedOver, Error> {
    owner(tx, &said.to)?;
    short(&said.reason, "reason")?;
    let product = said.product.as_deref().map(str::trim).filter(|product| !product.is_empty());
    if product.is_none() && said.from.is_none() {
        return Err(Error::WhoseCases);
    }
    let cases = sql::owned(tx, product, said.from.as_ref(), &said.to, MOST)?;
    for number in &cases {
        sql::set_owner(tx, *number, &said.to)?;
    }
    let whose = match (product, &said.from) {
        (Some(product), Some(from)) => format!("of {from} about {product}"),
        (Some(product), None) => format!("about {product}"),
        (None, Some(from)) => format!("of {from}"),
        (None, None) => String::new(),
    };
    let text = format!("{} cases {whose} go to {}{}", cases.len(), said.to, because(&said.reason));
    let data = json!({"cases": cases, "product": product, "from": said.from, "to": said.to});
    events::append(tx, New::of(Kind::CaseHandedOver, actor, text).internal(true).data(data))?;
    Ok(HandedOver { to: said.to.clone(), cases })
}

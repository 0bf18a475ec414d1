//! How faults stand to one another: `related`, `caused_by`, `blocks`. A link is kept once, and told from both sides. Between faults of
//! one customer only: what ties faults of many customers is a problem, which customers don't see.

pub mod http;
mod sql;

pub use sql::WITH_MERGED;

use lineman_common::api::{FaultLink, NewFaultLink};
use lineman_common::fault::LinkKind;
use lineman_common::id::FaultId;
use lineman_common::name::FaultNumber;
use serde_json::json;

use super::{Reference, append, get};
use crate::events::{Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a fault can't be linked to itself, or to another customer's")]
    NotThese,
    #[error("{0} blocks this one already: both would wait for ever")]
    InACircle(FaultNumber),
    #[error("no such link")]
    NotFound,
    #[error(transparent)]
    Faults(#[from] super::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotThese => Self::invalid(error.to_string()),
            Error::InACircle(_) => Self::conflict(error.to_string()),
            Error::NotFound => Self::not_found("link"),
            Error::Faults(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// A fault's links, and those of faults that were merged into it. No scope: the caller has found the fault under one.
pub fn of_fault(db: &Db<'_>, fault: FaultId) -> Result<Vec<FaultLink>, StoreError> {
    sql::of_fault(db, fault)
}

/// The faults that block this one and are not solved yet.
pub fn open_blockers(db: &Db<'_>, fault: FaultId) -> Result<Vec<FaultNumber>, StoreError> {
    sql::open_blockers(db, fault)
}

pub fn add(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, new: &NewFaultLink) -> Result<Vec<FaultLink>, Error> {
    let fault = get(tx, &actor.scope(), reference)?;
    let other = get(tx, &actor.scope(), &Reference::Number(new.to.clone()))?;
    if fault.id == other.id || fault.customer != other.customer {
        return Err(Error::NotThese);
    }
    let (from, kind, to) = match new.kind {
        LinkKind::Related if other.id < fault.id => (&other, LinkKind::Related, &fault),
        LinkKind::Related | LinkKind::CausedBy | LinkKind::Blocks => (&fault, new.kind, &other),
        LinkKind::Causes | LinkKind::BlockedBy => (&other, new.kind.turned(), &fault),
    };
    if kind == LinkKind::Blocks && sql::has(tx, to.id, LinkKind::Blocks, from.id)? {
        return Err(Error::InACircle(to.number.clone()));
    }
    if sql::insert(tx, from.id, kind, to.id, actor.name.as_str())? {
        for (own, kind, other) in [(from, kind, to), (to, kind.turned(), from)] {
            let data = json!({"link": kind, "to": other.number});
            append(tx, own, New::of(Kind::FaultLinked, actor, format!("linked: {kind} {}", other.number)).data(data))?;
        }
    }
    Ok(sql::of_fault(tx, fault.id)?)
}

/// Takes all links between two faults away.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, other: &Reference) -> Result<Vec<FaultLink>, Error> {
    let fault = get(tx, &actor.scope(), reference)?;
    let other = get(tx, &actor.scope(), other)?;
    if sql::delete(tx, fault.id, other.id)? == 0 {
        return Err(Error::NotFound);
    }
    for (own, other) in [(&fault, &other), (&other, &fault)] {
        let text = format!("no longer linked to {}", other.number);
        append(tx, own, New::of(Kind::FaultUnlinked, actor, text).data(json!({"to": other.number})))?;
    }
    Ok(sql::of_fault(tx, fault.id)?)
}

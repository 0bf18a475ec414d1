//! What a case was to faults. Citing a case is its review (KCS): `solved` and `helped` say that it is good, `wrong` says why it is not
//! and flags it.

use lineman_common::Printable;
use lineman_common::api::{Audience, Case, CaseLink, CaseState, FlagKind, LinkVerdict, NewLink, Unlink};
use lineman_common::id::FaultId;
use serde_json::json;

use super::super::{Error, Reference, get, stored};
use super::{flags, reason_of, short, sql};
use crate::events::{Kind, New};
use crate::faults::{self, Reference as FaultReference};
use crate::store::{Db, Tx};
use crate::web::{Actor, Scope};

/// What a case was to a fault. One verdict each: a new one takes the old one's place.
pub fn link(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, link: &NewLink) -> Result<Case, Error> {
    let case = stored(tx, &actor.scope(), reference)?.case;
    let fault = faults::get(tx, &actor.scope(), &FaultReference::Number(link.fault.clone()))?;
    let reason = match (link.verdict, &link.reason) {
        (LinkVerdict::Wrong, None) => return Err(Error::WrongNeedsReason),
        (LinkVerdict::Wrong, Some(reason)) => Some(reason_of(reason).map_err(|_| Error::WrongNeedsReason)?),
        (LinkVerdict::Solved | LinkVerdict::Helped, reason) => reason.clone().filter(|reason| !reason.is_empty()),
    };
    reason.as_ref().map_or(Ok(()), |reason| short(reason, "reason"))?;
    let new = sql::NewLink { number: case.number, of: case.asked_as, fault: fault.id, verdict: link.verdict, reason: reason.as_ref() };
    sql::put_link(tx, &new, &actor.name)?;
    let text = format!("case {} {} {}", case.number, link.verdict, fault.number);
    tell_fault(tx, actor, Kind::CaseLinked, &case, fault.id, text, link.verdict)?;
    if let (LinkVerdict::Wrong, Some(reason)) = (link.verdict, reason) {
        let reason = Printable::new(format!("wrong for {}: {}", fault.number, reason.raw()));
        flags::raise(tx, actor, &case, FlagKind::WrongLink, &reason)?;
    }
    get(tx, &Scope::All, &Reference::Number(case.number))
}

/// Takes a link away that should not be there.
pub fn unlink(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, said: &Unlink) -> Result<Case, Error> {
    let reason = reason_of(&said.reason)?;
    let case = stored(tx, &actor.scope(), reference)?.case;
    let fault = faults::get(tx, &actor.scope(), &FaultReference::Number(said.fault.clone()))?;
    let verdict = sql::drop_link(tx, case.number, fault.id)?.ok_or_else(|| Error::NoLink(fault.number.clone()))?;
    let text = format!("case {} is no longer linked to {} ({verdict}): {}", case.number, fault.number, reason.raw());
    tell_fault(tx, actor, Kind::CaseUnlinked, &case, fault.id, text, verdict)?;
    get(tx, &Scope::All, &Reference::Number(case.number))
}

/// On the fault's timeline; the customer reads of cases that it may read.
fn tell_fault(
    tx: &mut Tx<'_>,
    actor: &Actor,
    kind: Kind,
    case: &Case,
    fault: FaultId,
    text: String,
    verdict: LinkVerdict,
) -> Result<(), Error> {
    let is_public = case.state == CaseState::Validated && case.body.audience == Audience::Customer;
    let event = New::of(kind, actor, text).data(json!({"case": case.number, "verdict": verdict}));
    faults::tell(tx, fault, event.internal(!is_public))?;
    Ok(())
}

/// The faults that a case was linked to, the newest first, as far as the scope may know of them.
pub fn list(db: &Db<'_>, scope: &Scope, reference: &Reference, after: u32, limit: u32) -> Result<Vec<CaseLink>, Error> {
    let case = stored(db, scope, reference)?.case;
    Ok(sql::links(db, scope, case.number, after, limit)?)
}

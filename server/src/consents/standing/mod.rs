//! Standing statements: what a carrier allows without being asked each time, in its own signed words.
//!
//! The centre keeps them, and answers requests of grade `role` with one that covers the request. It can't make one, and what it checks
//! here only saves a way: the device believes its own signers, asks for a fresh request of the engineer each time, and remembers which
//! statements were taken back. A statement of several signatures is the same terms, signed by one person each, under one id.

pub mod http;
mod sql;
#[cfg(test)]
mod tests;

use lineman_common::Printable;
use lineman_common::api::{StandingState, StandingView};
use lineman_common::id::{ConsentId, CustomerId, EquipmentId, FaultId};
use lineman_common::link::Order;
use lineman_common::name::{CustomerCode, NeName};
use lineman_common::session::EndReason;
use lineman_common::statement::standing::{Devices, ForFault};
use lineman_common::statement::{Namespace, Request, Roster, Signed, Standing, sig};
use serde_json::json;

use super::{Error, checked_reason, end, sql as consents, tell};
use crate::agents;
use crate::customers;
use crate::equipment::{self, Reference as EquipmentReference};
use crate::events::{self, Kind, New};
use crate::faults::{self, Reference as FaultReference};
use crate::store::{Db, StoreError, Tx};
use crate::trust;
use crate::web::{Actor, Scope};

/// Signatures on one statement.
const MOST_SIGNATURES: usize = 8;

/// One person's signature over the terms.
#[derive(Clone, Debug)]
pub struct Part {
    pub standing: Standing,
    pub signed: Signed,
    /// Fingerprint of the key.
    pub key: String,
}

/// A standing statement that covers a request.
pub struct Covering {
    pub id: ConsentId,
    pub parts: Vec<Part>,
}

/// A standing statement as it is kept.
struct Kept {
    id: ConsentId,
    customer: CustomerId,
    fault: Option<FaultId>,
    signed: Vec<Signed>,
    revoked_at: Option<jiff::Timestamp>,
}

fn bad<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::BadStanding(why.into()))
}

// ---- Granting -------------------------------------------------------------------------------------------------------

/// Takes what the carrier signed.
pub fn grant(tx: &mut Tx<'_>, actor: &Actor, signed: &[Signed]) -> Result<StandingView, Error> {
    let parts = read(signed)?;
    let Some(Part { standing, .. }) = parts.first() else { return bad("nobody signed it: hand in at least one statement") };
    let customer = check_place(tx, actor, standing)?;
    if tx.now() >= standing.valid_before {
        return bad(format!("the standing statement ended at {}: sign one that is still valid", standing.valid_before));
    }
    let fault = match &standing.fault {
        ForFault::Any => None,
        ForFault::Only(number) => {
            let fault = faults::get(tx, &Scope::Customer(customer), &FaultReference::Number(number.clone()))?;
            if fault.status.is_over() {
                return Err(Error::FaultOver);
            }
            Some(fault.id)
        }
    };
    if sql::get(tx, &Scope::All, standing.id)?.is_some() || consents::get(tx, &Scope::All, standing.id)?.is_some() {
        return Err(Error::IdTaken(standing.id));
    }
    let kept = Kept { id: standing.id, customer, fault, signed: signed.to_vec(), revoked_at: None };
    sql::insert(tx, &kept, standing.valid_before, actor.name.as_str())?;
    let approvers: Vec<_> = parts.iter().map(|part| part.standing.approver.to_string()).collect();
    let text = format!("{} let in whoever has {}", approvers.join(" and "), told(standing));
    record(tx, &kept, New::of(Kind::StandingGranted, actor, text))?;
    get(tx, &Scope::All, kept.id)
}

fn told(standing: &Standing) -> String {
    let Standing { devices, fault, level, doors, account, duration_s, valid_before, .. } = standing;
    let account = Printable::from(account.as_str());
    format!("level {level} or more: {doors} as {account} on {devices} for fault {fault}, {duration_s} s each time, until {valid_before}")
}

/// Sound signatures for this purpose, over the same terms, by different people and keys.
fn read(signed: &[Signed]) -> Result<Vec<Part>, Error> {
    if signed.len() > MOST_SIGNATURES {
        return bad(format!("a standing statement has {MOST_SIGNATURES} signatures at most"));
    }
    let mut parts: Vec<Part> = Vec::new();
    for signed in signed {
        let standing = Standing::read_unverified(signed)?;
        let key = sig::fingerprint(&signed.signing_key("standing statement", Namespace::Standing)?).to_string();
        if let Some(first) = parts.first().filter(|first| terms(&first.standing) != terms(&standing)) {
            let approver = &first.standing.approver;
            return bad(format!("{} signed other terms than {approver}: all sign the same id, with the same terms", standing.approver));
        }
        if parts.iter().any(|part| part.standing.approver == standing.approver) {
            return Err(Error::SamePerson(standing.approver));
        }
        if parts.iter().any(|part| part.key == key) {
            return Err(Error::SameKey(key));
        }
        parts.push(Part { standing, signed: signed.clone(), key });
    }
    Ok(parts)
}

/// All that several people must agree on: not who they are, nor when they signed, nor which roster each of them had.
fn terms(standing: &Standing) -> impl PartialEq {
    let Standing { id, customer, devices, fault, level, doors, account, duration_s, valid_before, .. } = standing.clone();
    (id, customer, devices, fault, level, doors, account, duration_s, valid_before)
}

/// It is the actor's own customer's, and names things that this customer has.
fn check_place(db: &Db<'_>, actor: &Actor, standing: &Standing) -> Result<CustomerId, Error> {
    let code = &standing.customer;
    let Some(customer) = customers::find(db, &actor.scope(), code)? else {
        let own = actor.customer.as_ref().map_or_else(|| "nobody".to_owned(), |(_, own)| own.to_string());
        return bad(format!("the standing statement is of {code}, and you act for {own}"));
    };
    if let ForFault::Only(fault) = &standing.fault
        && fault.customer != *code
    {
        return bad(format!("{fault} is not a fault of {code}"));
    }
    if standing.duration_s == 0 {
        return bad("the standing statement lets nobody in: its duration is 0 s");
    }
    if let Devices::Named(names) = &standing.devices {
        for name in names {
            known(db, customer.id, code, name)?;
        }
    }
    Ok(customer.id)
}

fn known(db: &Db<'_>, customer: CustomerId, code: &CustomerCode, name: &NeName) -> Result<(), Error> {
    match equipment::find(db, &Scope::Customer(customer), &EquipmentReference::Name(name.clone())) {
        Ok(_) => Ok(()),
        Err(equipment::Error::NotFound) => bad(format!("{code} has no equipment {name}")),
        Err(error) => Err(error.into()),
    }
}

/// On the customer's log, and on the fault's timeline when it is bound to one.
fn record(tx: &mut Tx<'_>, kept: &Kept, event: New) -> Result<(), Error> {
    let event = event.data(json!({"standing": kept.id}));
    match kept.fault {
        Some(fault) => drop(faults::tell(tx, fault, event)?),
        None => drop(events::append(tx, event.customer(kept.customer))?),
    }
    Ok(())
}

// ---- Using ----------------------------------------------------------------------------------------------------------

/// The newest statement that covers a request, or why the newest of all does not.
pub fn covering(
    db: &Db<'_>,
    customer: CustomerId,
    request: &Request,
    roster: &Roster,
    needed: u8,
) -> Result<Result<Covering, String>, Error> {
    let mut why = None;
    for kept in sql::in_force(db, customer)? {
        match check(&kept, request, roster, needed) {
            Ok(parts) => return Ok(Ok(Covering { id: kept.id, parts })),
            Err(refused) => drop(why.get_or_insert_with(|| format!("{}: {refused}", kept.id))),
        }
    }
    Ok(Err(why.unwrap_or_else(|| "there is none".to_owned())))
}

fn check(kept: &Kept, request: &Request, roster: &Roster, needed: u8) -> Result<Vec<Part>, Error> {
    let parts = read(&kept.signed)?;
    for part in &parts {
        part.standing.check_covers(request, roster)?;
    }
    if parts.len() < usize::from(needed) {
        return bad(format!("{} of {needed} people signed it", parts.len()));
    }
    Ok(parts)
}

// ---- Taking back ----------------------------------------------------------------------------------------------------

/// Takes a statement back: the devices that it covers are told, and what rests on it ends.
pub fn revoke(tx: &mut Tx<'_>, actor: &Actor, id: ConsentId, reason: &Printable) -> Result<StandingView, Error> {
    checked_reason(reason)?;
    let kept = sql::get(tx, &actor.scope(), id)?.ok_or(Error::NoStanding)?;
    match state(tx, &kept)? {
        StandingState::Standing => {}
        StandingState::Over => return Err(Error::StandingOver("is over already: its time has passed")),
        StandingState::Revoked => return Err(Error::StandingOver("was revoked already")),
    }
    let text = format!("the standing statement {id} was revoked: {reason}");
    withdraw(tx, &kept, EndReason::Revoked, actor.name.as_str(), reason.raw())?;
    record(tx, &kept, New::of(Kind::StandingRevoked, actor, text))?;
    get(tx, &Scope::All, id)
}

/// A statement that is bound to a fault ends with it.
pub(super) fn end_with_fault(tx: &mut Tx<'_>, fault: FaultId) -> Result<(), Error> {
    for kept in sql::of_fault(tx, fault)? {
        withdraw(tx, &kept, EndReason::FaultClosed, "system", "its fault is over")?;
        let text = format!("the standing statement {} ended: its fault is over", kept.id);
        record(tx, &kept, New::of(Kind::StandingRevoked, "system", text))?;
    }
    Ok(())
}

fn withdraw(tx: &mut Tx<'_>, kept: &Kept, reason: EndReason, by: &str, why: &str) -> Result<(), Error> {
    sql::set_revoked(tx, kept.id, by, why)?;
    let covered = covered(kept)?;
    for (device, name) in trust::enrolled(tx, kept.customer)? {
        if covers(&covered, &name) {
            tell_device(tx, device, kept, reason)?;
        }
    }
    for id in consents::resting_on(tx, kept.id)? {
        end(tx, id, reason)?;
        let text = format!("consent ended: the standing statement {} that it rests on was withdrawn ({reason})", kept.id);
        tell(tx, id, super::ended(by, text, reason))?;
    }
    Ok(())
}

/// With every signature: one device may believe another of them than the next.
fn tell_device(tx: &mut Tx<'_>, device: EquipmentId, kept: &Kept, reason: EndReason) -> Result<(), StoreError> {
    for standing in kept.signed.iter().cloned() {
        agents::order(tx, device, &Order::EndStanding { standing, reason })?;
    }
    Ok(())
}

fn covers(devices: &Devices, name: &NeName) -> bool {
    match devices {
        Devices::All => true,
        Devices::Named(names) => names.contains(name),
    }
}

fn covered(kept: &Kept) -> Result<Devices, Error> {
    Ok(first(kept)?.devices)
}

/// A device that enrolled anew has forgotten what was taken back: it is told of all that could still be shown to it.
pub(super) fn remind(tx: &mut Tx<'_>, customer: CustomerId, device: EquipmentId) -> Result<(), Error> {
    let name = equipment::find(tx, &Scope::All, &EquipmentReference::Id(device))?.name;
    for kept in sql::taken_back(tx, customer)? {
        if covers(&covered(&kept)?, &name) {
            tell_device(tx, device, &kept, EndReason::Revoked)?;
        }
    }
    Ok(())
}

/// Would a device that has not heard of this statement's end still believe it? Afterwards nobody needs to be told any more.
pub fn could_be_believed(db: &Db<'_>, signed: &Signed) -> bool {
    Standing::read_unverified(signed).is_ok_and(|standing| db.now() < standing.valid_before)
}

// ---- Reading --------------------------------------------------------------------------------------------------------

pub fn get(db: &Db<'_>, scope: &Scope, id: ConsentId) -> Result<StandingView, Error> {
    view(db, &sql::get(db, scope, id)?.ok_or(Error::NoStanding)?)
}

/// Newest first.
pub fn list(db: &Db<'_>, scope: &Scope, customer: Option<&str>, fault: Option<FaultId>) -> Result<Vec<StandingView>, Error> {
    sql::list(db, scope, customer, fault)?.iter().map(|kept| view(db, kept)).collect()
}

fn first(kept: &Kept) -> Result<Standing, Error> {
    Ok(Standing::read_unverified(kept.signed.first().ok_or(Error::NoStanding)?)?)
}

fn state(db: &Db<'_>, kept: &Kept) -> Result<StandingState, Error> {
    let over = db.now() >= first(kept)?.valid_before;
    Ok(match (kept.revoked_at, over) {
        (Some(_), _) => StandingState::Revoked,
        (None, true) => StandingState::Over,
        (None, false) => StandingState::Standing,
    })
}

fn view(db: &Db<'_>, kept: &Kept) -> Result<StandingView, Error> {
    let Standing { id, customer, devices, fault, level, doors, account, duration_s, issued, valid_before, .. } = first(kept)?;
    let mut approvers = Vec::new();
    for signed in &kept.signed {
        approvers.push(Standing::read_unverified(signed)?.approver);
    }
    Ok(StandingView {
        id,
        state: state(db, kept)?,
        customer,
        devices,
        fault,
        level,
        doors,
        account,
        duration_s,
        approvers,
        issued,
        valid_before,
        revoked_at: kept.revoked_at,
        statements: kept.signed.clone(),
    })
}

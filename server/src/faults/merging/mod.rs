//! Several faults that are one. The merged ones become duplicates of the one that goes on, and the alarms that they have move there;
//! their attachments and links stay where they are and show there too. There is a way back: what moved is written down, and
//! [`unmerge`] moves it back as far as it is still there.

mod sql;

use std::fmt::Display;

use lineman_common::Printable;
use lineman_common::alarm::ResourceState;
use lineman_common::api::{Fault, Merge};
use lineman_common::fault::{FaultStatus, Step};
use lineman_common::id::{AlarmId, FaultId};
use lineman_common::name::FaultNumber;
use serde_json::json;

use super::sql::Change;
use super::{Error, LONGEST_TEXT, Reference, activities, append, at_most, get, record, text_of};
use crate::alarms;
use crate::events::{Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

/// Merged in one go.
const MOST: usize = 100;

/// Faults that were merged into this one, whether at once or by way of another.
pub fn merged_into(db: &Db<'_>, fault: FaultId) -> Result<Vec<FaultNumber>, StoreError> {
    sql::merged_into(db, fault)
}

/// Merges others into a fault that is open.
pub fn merge(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, merge: &Merge) -> Result<Fault, Error> {
    at_most("reason", &merge.reason, LONGEST_TEXT)?;
    if merge.faults.is_empty() || merge.faults.len() > MOST {
        return Err(Error::HowMany(MOST));
    }
    let into = get(tx, &actor.scope(), reference)?;
    if into.status.is_over() {
        return Err(Error::IsOver(into.number));
    }
    for number in &merge.faults {
        let fault = get(tx, &actor.scope(), &Reference::Number(number.clone()))?;
        merge_one(tx, actor, &fault, &into, &merge.reason)?;
    }
    get(tx, &actor.scope(), reference)
}

/// The fault is another's duplicate; that may be over already, and then it gets no alarms.
pub fn mark_duplicate(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, of: &FaultNumber) -> Result<Fault, Error> {
    let fault = get(tx, &actor.scope(), reference)?;
    let original = get(tx, &actor.scope(), &Reference::Number(of.clone()))?;
    merge_one(tx, actor, &fault, &original, &Printable::default())?;
    get(tx, &actor.scope(), reference)
}

/// Merges faults that equipment filed and nobody has touched into the fault of what explains them.
pub fn absorb(tx: &mut Tx<'_>, faults: &[FaultId], into: FaultId) -> Result<(), Error> {
    for id in faults.iter().filter(|id| **id != into) {
        let fault = get(tx, &Scope::All, &Reference::Id(*id))?;
        let is_untouched = fault.status == FaultStatus::Reported && fault.owner.is_none();
        let is_machines = fault.reported_by == "system" || fault.reported_by.starts_with("agent:");
        let into = get(tx, &Scope::All, &Reference::Id(into))?;
        if is_untouched && is_machines && fault.customer == into.customer && activities::none_of(tx, fault.id)? {
            merge_one(tx, &"system", &fault, &into, &Printable::from("its alarms follow from this fault's"))?;
        }
    }
    Ok(())
}

fn merge_one(tx: &mut Tx<'_>, actor: &impl Display, fault: &Fault, into: &Fault, reason: &Printable) -> Result<(), Error> {
    if into.id == fault.id || into.customer != fault.customer {
        return Err(Error::NotADuplicate);
    }
    if let (FaultStatus::Duplicate, Some(of)) = (into.status, &into.duplicate_of) {
        return Err(Error::DuplicateItself { fault: into.number.clone(), of: of.clone() });
    }
    let status = fault.status.next(Step::MarkDuplicate)?;
    activities::must_be_over(tx, fault.id)?;
    let moving = if into.status.is_over() { Vec::new() } else { alarms::of_fault(tx, fault.id)? };
    for alarm in &moving {
        alarms::attach(tx, alarm.id, into.id)?;
    }
    let ids: Vec<AlarmId> = moving.iter().map(|alarm| alarm.id).collect();
    sql::insert(tx, fault.id, into.id, fault.status, &ids)?;
    let why = if reason.raw().trim().is_empty() { String::new() } else { format!(": {reason}") };
    let change = Change { duplicate_of: Some(into.id), ..Change::default() };
    let data = json!({"of": into.number, "before": fault.status, "alarms": ids.len()});
    record(tx, fault, status, change, New::of(Kind::FaultDuplicate, actor, format!("duplicate of {}{why}", into.number)).data(data))?;
    let text = format!("{} was merged into this{why}", fault.number);
    let event = New::of(Kind::FaultMerged, actor, text).data(json!({"faults": [fault.number], "alarms": ids.len()}));
    if moving.iter().any(|alarm| alarm.state == ResourceState::Raised) {
        record(tx, into, into.status, Change { proposes_restored: Some(false), ..Change::default() }, event)?;
    } else {
        append(tx, into, event)?;
    }
    Ok(())
}

/// The way back: the fault goes on where it stood, with the alarms that it brought.
pub fn unmerge(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, reason: &Printable) -> Result<Fault, Error> {
    text_of("reason", reason, LONGEST_TEXT)?;
    let fault = get(tx, &actor.scope(), reference)?;
    fault.status.next(Step::Unmerge)?;
    let merged = sql::of_fault(tx, fault.id)?;
    // One that was marked before merges were written down: what is known of it is whether somebody answers for it.
    let guessed = if fault.owner.is_some() { FaultStatus::InProgress } else { FaultStatus::Reported };
    let status = fault.status.unmerged(merged.as_ref().map_or(guessed, |merged| merged.before))?;
    let original = match &fault.duplicate_of {
        Some(number) => Some(get(tx, &Scope::All, &Reference::Number(number.clone()))?),
        None => None,
    };
    let mut back = 0;
    for id in merged.map(|merged| merged.alarms).unwrap_or_default() {
        // An alarm that has gone on to another fault since stays there.
        if alarms::get(tx, &Scope::All, id)?.fault == fault.duplicate_of {
            alarms::attach(tx, id, fault.id)?;
            back += 1;
        }
    }
    sql::delete(tx, fault.id)?;
    let from = original.as_ref().map(|original| original.number.clone());
    let text = format!("no duplicate after all: {reason}");
    let data = json!({"from": from, "status": status, "alarms": back});
    record(tx, &fault, status, Change::default(), New::of(Kind::FaultUnmerged, actor, text).data(data))?;
    if let Some(original) = original {
        let text = format!("{} is a fault of its own again: {reason}", fault.number);
        append(tx, &original, New::of(Kind::FaultUnmerged, actor, text).data(json!({"fault": fault.number, "alarms": back})))?;
    }
    get(tx, &actor.scope(), reference)
}

//! From one shift to the next: the outgoing writes what is open, the incoming says that it has read it.

use jiff::{SignedDuration, Timestamp};
use lineman_common::Printable;
use lineman_common::api::{DutyNow, Handover, NewHandover, Office, OfficeName, Stretch, Taken};
use lineman_common::id::HandoverId;
use lineman_common::name::PersonName;
use lineman_common::people::Role;
use serde_json::json;

use super::{Error, sql};
use crate::events::{self, Kind, New};
use crate::offices;
use crate::store::{Db, Tx};
use crate::web::{Actor, Scope};

/// How far ahead gaps and the next shift are looked for.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 14);
/// A shift change of so long ago is still asked about.
const BEHIND: SignedDuration = SignedDuration::from_hours(24);
/// So long before a shift change one may hand over for it.
const EARLY: SignedDuration = SignedDuration::from_hours(2);
const LONGEST_NOTE: usize = 20_000;
/// Attached to a hand-over.
const MOST_FAULTS: u32 = 1000;
/// Of each kind, in the list of warnings.
const MOST_WARNINGS: usize = 5;

fn checked_note(note: &Printable) -> Result<(), Error> {
    if (1..=LONGEST_NOTE).contains(&note.raw().trim().chars().count()) { Ok(()) } else { Err(Error::NoNote) }
}

/// Those of an office, and those who stand above all of them.
fn may(actor: &Actor, office: &Office) -> Result<(), Error> {
    let above = matches!(actor.role, Role::DutyManager | Role::Admin);
    if above || office.members.contains(&actor.name) { Ok(()) } else { Err(Error::NotAMember(office.name.clone())) }
}

pub fn give(tx: &mut Tx<'_>, actor: &Actor, name: &OfficeName, new: NewHandover) -> Result<Handover, Error> {
    let office = offices::get(tx, &actor.scope(), name)?;
    may(actor, &office)?;
    checked_note(&new.note)?;
    let handover = Handover {
        id: HandoverId::new(),
        office: office.name,
        at: tx.now(),
        by: actor.name.clone(),
        note: new.note,
        to: incoming(tx, name, &actor.name)?,
        faults: sql::handed(tx, name, MOST_FAULTS)?,
        taken: None,
    };
    sql::insert_handover(tx, &handover)?;
    let text = format!("{actor} hands {name} over with {} open faults: {}", handover.faults.len(), handover.note);
    let numbers: Vec<_> = handover.faults.iter().map(|fault| &fault.number).collect();
    let data = json!({"handover": handover.id, "office": name, "to": handover.to, "faults": numbers});
    events::append(tx, New::of(Kind::ShiftHandedOver, actor, text).internal(true).data(data))?;
    Ok(handover)
}

/// Who is on duty next: after the one who hands over, or now, when their shift is over already.
fn incoming(db: &Db<'_>, office: &OfficeName, outgoing: &PersonName) -> Result<Vec<PersonName>, Error> {
    let plan = offices::plan(db, &Scope::All, office, db.now(), db.now() + AHEAD)?;
    let without = |stretch: &&Stretch| !stretch.on_duty.is_empty() && !stretch.on_duty.iter().any(|one| one.person == *outgoing);
    let next = plan.stretches.iter().find(without);
    Ok(next.map(|stretch| stretch.on_duty.iter().map(|one| one.person.clone()).collect()).unwrap_or_default())
}

pub fn take(tx: &mut Tx<'_>, actor: &Actor, id: HandoverId, note: Printable) -> Result<Handover, Error> {
    let handover = sql::get_handover(tx, id)?.filter(|_| actor.scope().sees_internal()).ok_or(Error::NoHandover)?;
    may(actor, &offices::get(tx, &actor.scope(), &handover.office)?)?;
    checked_note(&note)?;
    if handover.by == actor.name {
        return Err(Error::OwnHandover);
    }
    if let Some(taken) = handover.taken {
        return Err(Error::TakenAlready(taken));
    }
    let taken = Taken { at: tx.now(), by: actor.name.clone(), note };
    sql::set_taken(tx, id, &taken)?;
    let text = format!("{actor} takes {} over from {}: {}", handover.office, handover.by, taken.note);
    let data = json!({"handover": id, "office": handover.office});
    events::append(tx, New::of(Kind::ShiftTakenOver, actor, text).internal(true).data(data))?;
    Ok(Handover { taken: Some(taken), ..handover })
}

/// Every office: who is on duty at a moment, until when, and what is wrong with that.
pub fn now(db: &Db<'_>, scope: &Scope, at: Timestamp) -> Result<Vec<DutyNow>, Error> {
    offices::list(db, scope)?.into_iter().map(|office| office_now(db, scope, office, at)).collect()
}

fn office_now(db: &Db<'_>, scope: &Scope, office: Office, at: Timestamp) -> Result<DutyNow, Error> {
    let end = at.checked_add(AHEAD).map_err(|_| offices::Error::BadPlan)?;
    let stretches = offices::plan(db, scope, &office.name, at, end)?.stretches;
    let mut warnings = Vec::new();
    for gap in stretches.iter().filter(|stretch| stretch.gap).take(MOST_WARNINGS) {
        warnings.push(format!("nobody is on duty from {} to {}", gap.from, gap.to));
    }
    for waiting in sql::handovers(db, &office.name, true, None, 5)? {
        warnings.push(format!("the hand-over of {} at {} waits to be acknowledged: {}", waiting.by, waiting.at, waiting.id));
    }
    warnings.extend(not_handed_over(db, scope, &office.name, at)?);
    let mut stretches = stretches.into_iter();
    let (on_duty, until) = stretches.next().map(|first| (first.on_duty, first.to)).unwrap_or_default();
    Ok(DutyNow {
        office: office.name,
        kind: office.kind,
        at,
        on_duty,
        until: Some(until).filter(|until| *until < end),
        warnings: warnings.into_iter().map(Printable::new).collect(),
    })
}

/// The last shift change, when there is work that nobody handed over at it.
fn not_handed_over(db: &Db<'_>, scope: &Scope, office: &OfficeName, at: Timestamp) -> Result<Option<String>, Error> {
    let from = at.checked_sub(BEHIND).map_err(|_| offices::Error::BadPlan)?;
    let plan = offices::plan(db, scope, office, from, at)?.stretches;
    let names = |stretch: &Stretch| stretch.on_duty.iter().map(|one| one.person.to_string()).collect::<Vec<_>>();
    let changed = |pair: &&[Stretch]| names(&pair[0]).iter().any(|name| !names(&pair[1]).contains(name));
    let Some([before, after]) = plan.windows(2).rfind(changed) else { return Ok(None) };
    let handed = sql::handovers(db, office, false, None, 1)?.first().is_some_and(|newest| newest.at >= after.from - EARLY);
    if handed || sql::handed(db, office, 1)?.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!("{} left at {} with faults open, and nothing was handed over", names(before).join(", "), after.from)))
}

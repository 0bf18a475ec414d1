//! Faults: what people work on, from the report to the close.
//!
//! The row of a fault is its newest picture; what happened is in the log, and the clocks ([`clocks`]) are computed from it. Every
//! step goes through [`FaultStatus::next`], so a fault can't take a step that its status doesn't have.
//!
//! Meanwhile things happen around a fault, each with a life of its own: [`activities`], [`links`] and merges ([`merging`]),
//! [`attachments`], [`presence`]; many faults with one root are a problem ([`problems`]). A resolved fault closes by itself
//! ([`closing`]).
//!
//! Every event of a fault raises its version (a trigger does, so that no room can forget it), and there is a second counter of what
//! the customer may see: neither version, times nor numbers tell a customer that something internal happened.
//!
//! Alarms become faults in [`from_alarms`]: an alarm of severity major or worse opens one, the same alarm raised again joins the
//! fault that is open, and an alarm whose cause is a known companion of the fault's (a fan stops, a board gets hot) joins it as evidence.

pub mod activities;
pub mod attachments;
pub mod clocks;
pub mod closing;
pub mod from_alarms;
pub mod http;
pub mod links;
pub mod list;
mod merging;
pub mod presence;
pub mod problems;
mod sql;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::alarm::{ResourceState, Severity};
use lineman_common::api::{Assign, Diagnosis, EditFault, Fault, FaultAround, NewFault, Note, Pend, Resolution};
use lineman_common::fault::{FaultKind, FaultStatus, Illegal, Impact, Step};
use lineman_common::id::{CustomerId, EquipmentId, FaultId};
use lineman_common::name::{FaultNumber, PersonName};
use lineman_common::people::Role;
use serde_json::json;

use crate::alarms;
use crate::customers;
use crate::equipment::{self, Known, Reference as EquipmentReference};
use crate::events::{self, Appended, Kind, New};
use crate::people;
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

pub use clocks::clocks_of;
pub use from_alarms::hear;
pub use sql::Filter;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such fault")]
    NotFound,
    #[error("no such fault")]
    NotAName,
    #[error(transparent)]
    Illegal(#[from] Illegal),
    #[error("name the equipment, or the customer when no equipment is known")]
    NoSubject,
    #[error("there is no customer {0}")]
    NoCustomer(lineman_common::name::CustomerCode),
    #[error("the {0} is empty")]
    Empty(&'static str),
    #[error("the {what} is longer than {most} characters")]
    TooLong { what: &'static str, most: usize },
    #[error("a fault can't have begun in the future ({0})")]
    Future(Timestamp),
    #[error("there is no engineer or duty manager named {0}")]
    NotAnOwner(PersonName),
    #[error("the fault is {0}: there is nothing to hand over")]
    NoOwnerYet(FaultStatus),
    #[error("{} of its alarms {} still raised ({}): clear them, or say with a waiver why service is restored all the same", .0.len(), if .0.len() == 1 { "is" } else { "are" }, .0.join("; "))]
    StillRaised(Vec<String>),
    #[error("say the cause: the fault has no diagnosis to take it from")]
    NoCause,
    #[error("a fault can't be a duplicate of itself, or of another customer's")]
    NotADuplicate,
    #[error("{fault} is a duplicate itself: name {of}")]
    DuplicateItself { fault: FaultNumber, of: FaultNumber },
    #[error("{0} is over: name one that is open")]
    IsOver(FaultNumber),
    #[error("name 1 to {0} faults")]
    HowMany(usize),
    #[error("end or call off first what is under way: {}", .0.join("; "))]
    UnderWay(Vec<String>),
    #[error("blocked by {}: resolve that first, or take the link away", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Blocked(Vec<FaultNumber>),
    #[error("nothing is changed: name a field that shall be another")]
    NothingChanged,
    #[error("{0} is set by the support centre's people")]
    NotYours(&'static str),
    #[error(transparent)]
    Equipment(#[from] equipment::Error),
    #[error(transparent)]
    Alarms(#[from] alarms::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("fault"),
            Error::NotAName => Self::not_found("fault").hint("a fault is named by its number, like F-JW-42, or by its id, flt_..."),
            Error::Illegal(_)
            | Error::StillRaised(_)
            | Error::NoOwnerYet(_)
            | Error::DuplicateItself { .. }
            | Error::IsOver(_)
            | Error::UnderWay(_)
            | Error::Blocked(_) => Self::conflict(error.to_string()),
            Error::NotYours(_) => Self::forbidden(error.to_string()),
            Error::NoSubject
            | Error::NoCustomer(_)
            | Error::Empty(_)
            | Error::TooLong { .. }
            | Error::Future(_)
            | Error::NotAnOwner(_)
            | Error::NoCause
            | Error::HowMany(_)
            | Error::NothingChanged
            | Error::NotADuplicate => Self::invalid(error.to_string()),
            Error::Equipment(error) => error.into(),
            Error::Alarms(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

/// How people name a fault: `F-JW-42`, or by its id.
#[derive(Clone, Debug)]
pub enum Reference {
    Number(FaultNumber),
    Id(FaultId),
}

impl FromStr for Reference {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self::Number).or_else(|_| text.parse().map(Self::Id)).map_err(|_| Error::NotAName)
    }
}

const LONGEST_TITLE: usize = 300;
const LONGEST_TEXT: usize = 20_000;
const LONGEST_REFERENCE: usize = 100;

fn text_of(what: &'static str, text: &Printable, most: usize) -> Result<(), Error> {
    let visible = |c: char| !c.is_whitespace() && !c.is_control() && !lineman_common::printable::is_invisible(c);
    if !text.raw().contains(visible) {
        return Err(Error::Empty(what));
    }
    at_most(what, text, most)
}

fn at_most(what: &'static str, text: &Printable, most: usize) -> Result<(), Error> {
    if text.raw().chars().count() > most { Err(Error::TooLong { what, most }) } else { Ok(()) }
}

// ---- Reading --------------------------------------------------------------------------------------------------------

pub fn get(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Fault, Error> {
    sql::get(db, scope, reference)?.ok_or(Error::NotFound)
}

pub fn list(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<Vec<Fault>, StoreError> {
    sql::list(db, scope, filter)
}

/// What belongs to a fault besides its evidence.
pub fn around(db: &Db<'_>, scope: &Scope, fault: &Fault) -> Result<FaultAround, Error> {
    Ok(FaultAround {
        activities: activities::of_fault(db, scope, fault)?,
        attachments: attachments::of_fault(db, scope, fault.id)?,
        links: links::of_fault(db, fault.id)?,
        merged: merging::merged_into(db, fault.id)?,
        closes_at: closing::closes_at(db, fault)?,
    })
}

/// The equipment a fault is about, if any.
pub fn equipment_of(db: &Db<'_>, fault: &Fault) -> Result<Option<Known>, Error> {
    match &fault.equipment {
        Some(name) => Ok(Some(equipment::find(db, &Scope::All, &EquipmentReference::Name(name.clone()))?)),
        None => Ok(None),
    }
}

pub fn customer_of(db: &Db<'_>, fault: FaultId) -> Result<CustomerId, Error> {
    sql::customer_of(db, fault)?.ok_or(Error::NotFound)
}

// ---- Filing ---------------------------------------------------------------------------------------------------------

/// A person files a fault.
pub fn report(tx: &mut Tx<'_>, actor: &Actor, new: NewFault) -> Result<Fault, Error> {
    text_of("title", &new.title, LONGEST_TITLE)?;
    at_most("description", &new.description, LONGEST_TEXT)?;
    if new.started_at.is_some_and(|at| at > tx.now()) {
        return Err(Error::Future(new.started_at.unwrap_or_default()));
    }
    let scope = actor.scope();
    let device = new.equipment.map(|name| equipment::find(tx, &scope, &EquipmentReference::Name(name))).transpose()?;
    let customer = match (&device, &new.customer, &scope) {
        (Some(device), _, _) => device.customer,
        (None, Some(code), _) => customers::find(tx, &scope, code)?.ok_or_else(|| Error::NoCustomer(code.clone()))?.id,
        (None, None, Scope::Customer(own)) => *own,
        (None, None, Scope::All) => return Err(Error::NoSubject),
    };
    let severity = match new.impact {
        Impact::Full => Severity::Critical,
        Impact::Partial => Severity::Major,
        Impact::NoImpact => Severity::Minor,
    };
    let filed = Filed {
        customer,
        device: device.map(|device| device.id),
        title: new.title,
        description: new.description,
        severity,
        impact: new.impact,
        by: actor.to_string(),
        occurred_at: new.started_at,
    };
    let customer_reference = reference_of(new.customer_reference.as_ref())?;
    let fault = open_as(tx, filed, new.kind, customer_reference.as_ref())?;
    with_warnings(tx, &scope, fault)
}

/// A reference as it is kept: without space around it, and none when it is empty.
fn reference_of(reference: Option<&Printable>) -> Result<Option<Printable>, Error> {
    let Some(reference) = reference else { return Ok(None) };
    at_most("customer reference", reference, LONGEST_REFERENCE)?;
    let trimmed = reference.raw().trim();
    Ok((!trimmed.is_empty()).then(|| Printable::new(trimmed)))
}

/// The fault as the scope sees it, and what should be looked at: one ticket of the customer's on two open faults may be right, and
/// is most often a fault that was filed twice.
fn with_warnings(db: &Db<'_>, scope: &Scope, fault: Fault) -> Result<Fault, Error> {
    let mut fault = get(db, scope, &Reference::Id(fault.id))?;
    if let Some(reference) = &fault.customer_reference {
        let same = sql::open_with_reference(db, fault.id, reference)?;
        if !same.is_empty() {
            let numbers: Vec<_> = same.iter().map(ToString::to_string).collect();
            fault.warnings.push(Printable::new(format!("{reference} is also the reference of {}: the same fault?", numbers.join(", "))));
        }
    }
    Ok(fault)
}

struct Filed {
    customer: CustomerId,
    device: Option<EquipmentId>,
    title: Printable,
    description: Printable,
    severity: Severity,
    impact: Impact,
    by: String,
    occurred_at: Option<Timestamp>,
}

fn open(tx: &mut Tx<'_>, filed: Filed) -> Result<Fault, Error> {
    open_as(tx, filed, FaultKind::Fault, None)
}

fn open_as(tx: &mut Tx<'_>, filed: Filed, kind: FaultKind, customer_reference: Option<&Printable>) -> Result<Fault, Error> {
    let id = FaultId::new();
    sql::insert(tx, id, &filed, kind, customer_reference)?;
    let fault = get(tx, &Scope::All, &Reference::Id(id))?;
    let mut event = New::of(Kind::FaultReported, &filed.by, format!("{} reported: {}", fault.number, fault.title))
        .data(json!({"severity": fault.severity, "impact": fault.impact, "title": fault.title.raw(), "kind": kind,
            "terms": clocks::terms_at_report(tx, filed.customer, filed.device, filed.severity, kind)?}));
    event.occurred_at = filed.occurred_at;
    events::append(tx, event.customer(filed.customer).equipment(filed.device).fault(id))?;
    Ok(fault)
}

// ---- Steps ----------------------------------------------------------------------------------------------------------

/// One step along the status line: checks it, writes it, tells it.
fn step(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, step: Step, change: sql::Change, event: New) -> Result<Fault, Error> {
    let fault = get(tx, &actor.scope(), reference)?;
    let status = fault.status.next(step)?;
    let fault = record(tx, &fault, status, change, event)?;
    seen(tx, actor, fault)
}

fn record(tx: &mut Tx<'_>, fault: &Fault, status: FaultStatus, change: sql::Change, event: New) -> Result<Fault, Error> {
    sql::update(tx, fault.id, status, &change)?;
    append(tx, fault, event)?;
    get(tx, &Scope::All, &Reference::Id(fault.id))
}

/// The fault as the actor may see it, after a change of the actor's.
fn seen(db: &Db<'_>, actor: &Actor, fault: Fault) -> Result<Fault, Error> {
    if actor.scope().sees_internal() { Ok(fault) } else { get(db, &actor.scope(), &Reference::Id(fault.id)) }
}

fn append(tx: &mut Tx<'_>, fault: &Fault, event: New) -> Result<Appended, Error> {
    let customer = customer_of(tx, fault.id)?;
    let device = equipment_of(tx, fault)?.map(|device| device.id);
    Ok(events::append(tx, event.customer(customer).equipment(device).fault(fault.id))?)
}

/// Accepts: the actor becomes the first responsible person.
pub fn accept(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Fault, Error> {
    let change = sql::Change { owner: Some(actor.name.clone()), ..Default::default() };
    let event = New::of(Kind::FaultAccepted, actor, format!("accepted by {actor}")).data(json!({"owner": actor.name}));
    step(tx, actor, reference, Step::Accept, change, event)
}

/// Hands over to another person, with what that person should know.
pub fn assign(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, assign: &Assign) -> Result<Fault, Error> {
    let Assign { to, why, open } = assign;
    at_most("why", why, LONGEST_TEXT)?;
    at_most("what is open", open, LONGEST_TEXT)?;
    let person = people::worker(tx, to)?;
    let person = person.ok_or_else(|| Error::NotAnOwner(to.clone()))?;
    let fault = get(tx, &actor.scope(), reference)?;
    if fault.owner.is_none() || fault.status.is_over() {
        return Err(Error::NoOwnerYet(fault.status));
    }
    let change = sql::Change { owner: Some(person.name), ..Default::default() };
    let from = fault.owner.as_ref().map_or("nobody", |owner| owner.as_str());
    let mut text = format!("handed over from {from} to {to}");
    for (what, said) in [("why", why), ("open", open)].into_iter().filter(|(_, said)| !said.raw().trim().is_empty()) {
        text.push_str(&format!("; {what}: {said}"));
    }
    let data = json!({"from": from, "to": to, "why": why, "open": open});
    let event = New::of(Kind::FaultAssigned, actor, text).data(data);
    record(tx, &fault, fault.status, change, event)
}

/// A reply to the customer, or a note among the support centre's people.
pub fn note(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, note: &Note) -> Result<Fault, Error> {
    text_of("note", &note.text, LONGEST_TEXT)?;
    let fault = get(tx, &actor.scope(), reference)?;
    let internal = note.internal && actor.scope().sees_internal();
    let event =
        New::of(Kind::FaultNote, actor, note.text.raw()).internal(internal).data(json!({"from_support": actor.role.works_faults()}));
    let fault = record(tx, &fault, fault.status, sql::Change::default(), event)?;
    seen(tx, actor, fault)
}

pub fn pend(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, pend: &Pend) -> Result<Fault, Error> {
    at_most("note", &pend.note, LONGEST_TEXT)?;
    let change = sql::Change { pending_reason: Some(pend.reason), ..Default::default() };
    let text = format!("waits for {}: {}", pend.reason, pend.note);
    step(tx, actor, reference, Step::Pend, change, New::of(Kind::FaultPending, actor, text).data(json!({"reason": pend.reason})))
}

pub fn resume(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Fault, Error> {
    step(tx, actor, reference, Step::Resume, sql::Change::default(), New::of(Kind::FaultResumed, actor, "work goes on"))
}

/// The cause and the plan: what clock K5 waits for. A later diagnosis replaces an earlier one.
pub fn diagnose(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, diagnosis: &Diagnosis) -> Result<Fault, Error> {
    text_of("cause", &diagnosis.cause, LONGEST_TEXT)?;
    text_of("plan", &diagnosis.plan, LONGEST_TEXT)?;
    let change = sql::Change { diagnosis: Some(diagnosis.clone()), ..Default::default() };
    let text = format!("cause: {}; plan: {}", diagnosis.cause, diagnosis.plan);
    step(tx, actor, reference, Step::Work, change, New::of(Kind::FaultDiagnosed, actor, text).data(json!(diagnosis)))
}

/// Service is back: the alarms have cleared, or a waiver says why not.
pub fn restore(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, waiver: Option<&Printable>) -> Result<Fault, Error> {
    let fault = get(tx, &actor.scope(), reference)?;
    let raised = alarms::of_fault(tx, fault.id)?.into_iter().filter(|alarm| alarm.state == ResourceState::Raised);
    let raised: Vec<_> = raised.map(|alarm| alarm.text.to_string()).collect();
    let text = match waiver.filter(|waiver| !waiver.raw().trim().is_empty()) {
        Some(waiver) => format!("service restored; waiver: {waiver}"),
        None if raised.is_empty() => "service restored".to_owned(),
        None => return Err(Error::StillRaised(raised)),
    };
    let change = sql::Change { proposes_restored: Some(false), ..Default::default() };
    step(tx, actor, reference, Step::Restore, change, New::of(Kind::FaultRestored, actor, text).data(json!({"waiver": waiver})))
}

pub fn resolve(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, resolution: Resolution) -> Result<Fault, Error> {
    text_of("note", &resolution.note, LONGEST_TEXT)?;
    let fault = get(tx, &actor.scope(), reference)?;
    fault.status.next(Step::Resolve)?;
    activities::must_be_over(tx, fault.id)?;
    let blocked = links::open_blockers(tx, fault.id)?;
    if !blocked.is_empty() {
        return Err(Error::Blocked(blocked));
    }
    let cause = resolution.cause.filter(|cause| !cause.raw().trim().is_empty()).or(fault.cause).ok_or(Error::NoCause)?;
    let resolution = Resolution { cause: Some(cause), ..resolution };
    let text = format!("resolved ({}): {}", resolution.channel, resolution.note);
    let event = New::of(Kind::FaultResolved, actor, text).data(json!(resolution));
    step(tx, actor, reference, Step::Resolve, sql::Change { resolution: Some(resolution), ..Default::default() }, event)
}

pub fn close(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Fault, Error> {
    let fault = get(tx, &actor.scope(), reference)?;
    fault.status.next(Step::Close)?;
    activities::must_be_over(tx, fault.id)?;
    step(tx, actor, reference, Step::Close, sql::Change::default(), New::of(Kind::FaultClosed, actor, format!("closed by {actor}")))
}

/// An event that says why, and nothing else.
fn because(kind: Kind, actor: &Actor, word: &str, reason: &Printable) -> New {
    New::of(kind, actor, format!("{word}: {reason}")).data(json!({"reason": reason}))
}

pub fn reopen(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, reason: &Printable) -> Result<Fault, Error> {
    text_of("reason", reason, LONGEST_TEXT)?;
    step(tx, actor, reference, Step::Reopen, sql::Change::default(), because(Kind::FaultReopened, actor, "reopened", reason))
}

pub fn reject(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, reason: &Printable) -> Result<Fault, Error> {
    text_of("reason", reason, LONGEST_TEXT)?;
    call_off(tx, actor, reference, Step::Reject)?;
    step(tx, actor, reference, Step::Reject, sql::Change::default(), because(Kind::FaultRejected, actor, "rejected", reason))
}

pub fn cancel(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, reason: &Printable) -> Result<Fault, Error> {
    text_of("reason", reason, LONGEST_TEXT)?;
    call_off(tx, actor, reference, Step::Cancel)?;
    step(tx, actor, reference, Step::Cancel, sql::Change::default(), because(Kind::FaultCancelled, actor, "cancelled", reason))
}

/// Nobody drives to a fault that is none.
fn call_off(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, step: Step) -> Result<(), Error> {
    let fault = get(tx, &actor.scope(), reference)?;
    fault.status.next(step)?;
    activities::call_off(tx, &fault, actor)
}

pub use merging::{mark_duplicate, merge, unmerge};

/// Changes what the fault says of itself. Who saw it in which version was checked by the caller.
pub fn edit(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, edit: &EditFault) -> Result<Fault, Error> {
    let fault = get(tx, &actor.scope(), reference)?;
    if fault.status.is_over() {
        return Err(Error::IsOver(fault.number));
    }
    if !actor.role.works_faults() {
        for (what, there) in [("the severity", edit.severity.is_some()), ("the kind", edit.kind.is_some())] {
            if there {
                return Err(Error::NotYours(what));
            }
        }
    }
    if let Some(title) = &edit.title {
        text_of("title", title, LONGEST_TITLE)?;
    }
    edit.description.as_ref().map_or(Ok(()), |description| at_most("description", description, LONGEST_TEXT))?;
    let reference_now = match &edit.customer_reference {
        Some(reference) => reference_of(Some(reference))?,
        None => fault.customer_reference.clone(),
    };
    let after = Fault {
        title: edit.title.clone().unwrap_or_else(|| fault.title.clone()),
        description: edit.description.clone().unwrap_or_else(|| fault.description.clone()),
        customer_reference: reference_now,
        impact: edit.impact.unwrap_or(fault.impact),
        severity: edit.severity.unwrap_or(fault.severity),
        kind: edit.kind.unwrap_or(fault.kind),
        ..fault.clone()
    };
    let (texts, data) = differences(&fault, &after);
    if texts.is_empty() {
        return Err(Error::NothingChanged);
    }
    sql::edit(tx, &after)?;
    append(tx, &after, New::of(Kind::FaultEdited, actor, texts.join("; ")).data(data))?;
    with_warnings(tx, &actor.scope(), after)
}

/// What is another now, for people and for programs. What clocks depend on lies at the top, as it is now.
fn differences(before: &Fault, after: &Fault) -> (Vec<String>, serde_json::Value) {
    let picture = |fault: &Fault| {
        [
            ("title", json!(fault.title)),
            ("description", json!(fault.description)),
            ("customer_reference", json!(fault.customer_reference)),
            ("impact", json!(fault.impact)),
            ("severity", json!(fault.severity)),
            ("kind", json!(fault.kind)),
        ]
    };
    let (mut texts, mut old, mut new) = (Vec::new(), serde_json::Map::new(), serde_json::Map::new());
    for ((what, was), (_, is)) in picture(before).into_iter().zip(picture(after)) {
        if was != is {
            let shown = |value: &serde_json::Value| value.as_str().unwrap_or("none").to_owned();
            texts.push(if what == "description" {
                "description rewritten".to_owned()
            } else {
                format!("{what}: {} -> {}", shown(&was), shown(&is))
            });
            old.insert(what.to_owned(), was);
            new.insert(what.to_owned(), is);
        }
    }
    (texts, json!({"before": old, "after": new, "severity": after.severity, "kind": after.kind}))
}

/// Who may close: the customer, whose fault it is, and those who work on it.
pub const CLOSERS: &[Role] = &[Role::Noc, Role::Engineer, Role::DutyManager, Role::Admin];

/// Work has visibly begun (a session was opened): an accepted fault is in progress from now on. Told by the caller's own event.
pub fn work_begun(tx: &mut Tx<'_>, id: FaultId) -> Result<(), Error> {
    let fault = get(tx, &Scope::All, &Reference::Id(id))?;
    if let Ok(status) = fault.status.next(Step::Work) {
        sql::update(tx, id, status, &sql::Change::default())?;
    }
    Ok(())
}

/// Appends what another room did for a fault to its story.
pub fn tell(tx: &mut Tx<'_>, id: FaultId, event: New) -> Result<Appended, Error> {
    let fault = get(tx, &Scope::All, &Reference::Id(id))?;
    append(tx, &fault, event)
}

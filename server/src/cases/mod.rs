//! The case library: what was learned from faults, and how the next engineer finds it.
//!
//! A case says the symptom, the cause, the steps and the resolution, in Chinese, in English or in both; it knows which equipment
//! and which codes it is about. It lives `wip -> not_validated -> validated -> archived` (KCS):
//!
//! - What is published was reviewed by somebody who did not write it; an administrator may do both. An edit makes a new
//!   version with a writer of its own, and what was validated waits for review again: no unreviewed text is ever published.
//!   When a reviewer corrects a case, its author is the one to look at the correction: two people are enough.
//! - A carrier's people see what is validated and meant for customers. The support centre sees everything, marked by its state.
//! - A fault that is closed can draft a case ([`draft`]), with what belongs to the customer taken out ([`mask`]).
//! - A case that was used on a fault is linked to it, with a verdict: the strongest sign of its worth.
//!
//! The index ([`search`]) is written in the same transaction as the case, so what is saved is found. Suggestions while filing, and
//! closing a fault with a draft, are routes of this room, since it is the first that sees both faults and cases.

mod draft;
pub mod http;
mod mask;
mod search;
mod sql;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use lineman_common::api::{Audience, Case, CaseBody, CaseEquipment, CaseHit, CaseState, CaseText, Closed, Fault, NewLink};
use lineman_common::id::CaseId;
use lineman_common::name::{CaseNumber, PersonName};
use lineman_common::people::Role;
use serde_json::json;

use crate::alarms;
use crate::customers;
use crate::equipment::{self, Reference as EquipmentReference};
use crate::events::{self, Kind, New};
use crate::faults::{self, Reference as FaultReference};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

/// Characters.
const LONGEST_TITLE: usize = 300;
const LONGEST_TEXT: usize = 20_000;
/// Names of equipment, or codes, on one case.
const MOST_NAMES: usize = 50;
const LONGEST_NAME: usize = 100;
/// Similar cases on a fault's page.
const SIMILAR: usize = 5;
/// Names that a draft is masked with at most.
const MOST_EQUIPMENT: u32 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such case")]
    NotFound,
    #[error("a case that is {state} can't be {what}; {}", possible(*.state))]
    Illegal { state: CaseState, what: &'static str },
    #[error("a case needs a text in Chinese (`zh`), in English (`en`) or in both")]
    NoText,
    #[error("the {0} text needs a title")]
    NoTitle(&'static str),
    #[error("the {what} is longer than {most} characters")]
    TooLong { what: &'static str, most: usize },
    #[error("a case names at most {most} {what}, each of 1 to {LONGEST_NAME} characters")]
    TooMany { what: &'static str, most: usize },
    #[error("a case needs a cause, steps or a resolution before it can be reviewed")]
    NothingToReview,
    #[error("{0} wrote this version: somebody else has to review it")]
    OwnReview(PersonName),
    #[error("{0} was already drafted from this fault")]
    Drafted(CaseNumber),
    #[error("the fault has neither a diagnosis nor a resolution: there is nothing to learn from it yet")]
    NothingLearned,
    #[error(transparent)]
    Faults(#[from] faults::Error),
    #[error(transparent)]
    Equipment(#[from] equipment::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("case"),
            Error::Illegal { .. } | Error::NothingToReview | Error::Drafted(_) | Error::NothingLearned => Self::conflict(error.to_string()),
            Error::NoText | Error::NoTitle(_) | Error::TooLong { .. } | Error::TooMany { .. } => Self::invalid(error.to_string()),
            Error::OwnReview(_) => Self::forbidden(error.to_string()),
            Error::Faults(error) => error.into(),
            Error::Equipment(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

const fn possible(state: CaseState) -> &'static str {
    match state {
        CaseState::Wip => "from here: edit, submission, archival",
        CaseState::NotValidated | CaseState::Validated => "from here: edit, publication (when it waits for review), archival",
        CaseState::Archived => "it is out of use for good",
    }
}

/// How people name a case: `C-0042`, or by its id.
#[derive(Clone, Copy, Debug)]
pub enum Reference {
    Number(CaseNumber),
    Id(CaseId),
}

impl FromStr for Reference {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self::Number).or_else(|_| text.parse().map(Self::Id)).map_err(|_| Error::NotFound)
    }
}

// ---- Reading --------------------------------------------------------------------------------------------------------

pub fn get(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Case, Error> {
    Ok(stored(db, scope, reference)?.case)
}

fn stored(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<sql::Stored, Error> {
    let found = match reference {
        Reference::Number(number) => sql::by_number(db, scope, *number)?,
        Reference::Id(id) => sql::by_id(db, scope, *id)?,
    };
    found.ok_or(Error::NotFound)
}

/// A page of the library by number.
pub fn list(db: &Db<'_>, scope: &Scope, state: Option<CaseState>, after: Option<CaseNumber>, limit: u32) -> Result<Vec<Case>, StoreError> {
    sql::list(db, scope, state, after.map_or(0, |number| number.0), limit)
}

/// The best cases for a question; without one, the newest that are validated.
pub fn search(db: &Db<'_>, scope: &Scope, text: &str, limit: usize) -> Result<Vec<CaseHit>, StoreError> {
    if !text.trim().is_empty() {
        return search::find(db, scope, &search::Question { text, limit, ..Default::default() });
    }
    let newest = sql::newest(db, scope, u32::try_from(limit).unwrap_or(u32::MAX))?;
    let hit = |case: Case| {
        let (language, title) = search::title(&case.body, false);
        CaseHit { number: case.number, title, language, state: case.state, score: 0.0, why: Vec::new(), solved: case.solved }
    };
    Ok(newest.into_iter().map(hit).collect())
}

/// What fits a fault that is being typed.
pub fn suggest(db: &Db<'_>, scope: &Scope, text: &str, about: Option<&EquipmentReference>, limit: usize) -> Result<Vec<CaseHit>, Error> {
    let names = match about {
        Some(reference) => model_names(&equipment::find(db, scope, reference)?),
        None => Vec::new(),
    };
    Ok(similar(db, scope, text, &[], &names, limit)?)
}

/// What fits a fault, by its words, its alarms and its equipment.
pub fn similar_to_fault(db: &Db<'_>, scope: &Scope, fault: &Fault) -> Result<Vec<CaseHit>, Error> {
    let alarms = alarms::of_fault(db, fault.id)?;
    let mut texts = vec![fault.title.raw().to_owned(), fault.description.raw().to_owned()];
    texts.extend(alarms.iter().map(|alarm| alarm.text.raw().to_owned()));
    let codes: Vec<String> = alarms.iter().map(|alarm| alarm.alarm_type.raw().to_owned()).collect();
    let names = faults::equipment_of(db, fault)?.as_ref().map(model_names).unwrap_or_default();
    Ok(similar(db, scope, &texts.join("\n"), &codes, &names, SIMILAR)?)
}

/// Cases that fit a text; known codes come first, known equipment raises, and what only shares a word is left out.
pub fn similar(
    db: &Db<'_>,
    scope: &Scope,
    text: &str,
    codes: &[String],
    equipment: &[String],
    limit: usize,
) -> Result<Vec<CaseHit>, StoreError> {
    search::find(db, scope, &search::Question { text, codes, equipment, only_similar: true, limit })
}

fn model_names(device: &equipment::Known) -> Vec<String> {
    vec![device.product.clone(), device.model.clone()]
}

// ---- Life -----------------------------------------------------------------------------------------------------------

/// A new case, in work.
pub fn create(tx: &mut Tx<'_>, actor: &Actor, body: &CaseBody) -> Result<Case, Error> {
    check(body)?;
    let new = sql::NewCase { id: CaseId::new(), state: CaseState::Wip, body, source_fault: None, author: &actor.name };
    let case = insert(tx, &new)?;
    tell(tx, actor, Kind::CaseCreated, &case, "created")?;
    Ok(case)
}

fn insert(tx: &mut Tx<'_>, new: &sql::NewCase<'_>) -> Result<Case, Error> {
    let number = sql::insert(tx, new)?;
    search::index(tx, number, new.body)?;
    get(tx, &Scope::All, &Reference::Number(number))
}

/// A new version. What was validated waits for review again.
pub fn edit(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, body: &CaseBody) -> Result<Case, Error> {
    check(body)?;
    let case = get(tx, &actor.scope(), reference)?;
    let state = match case.state {
        CaseState::Wip => CaseState::Wip,
        CaseState::NotValidated | CaseState::Validated => CaseState::NotValidated,
        CaseState::Archived => return Err(Error::Illegal { state: case.state, what: "edited" }),
    };
    sql::edit(tx, &case, state, body, &actor.name)?;
    search::index(tx, case.number, body)?;
    let case = get(tx, &Scope::All, reference)?;
    tell(tx, actor, Kind::CaseEdited, &case, &format!("edited: version {}", case.version))?;
    Ok(case)
}

/// Ready for review.
pub fn submit(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Case, Error> {
    let case = get(tx, &actor.scope(), reference)?;
    if case.state != CaseState::Wip {
        return Err(Error::Illegal { state: case.state, what: "submitted for review" });
    }
    let says = |text: &CaseText| [&text.cause, &text.steps, &text.resolution].iter().any(|text| !text.raw().trim().is_empty());
    if ![&case.body.zh, &case.body.en].into_iter().flatten().any(says) {
        return Err(Error::NothingToReview);
    }
    sql::set_state(tx, case.number, CaseState::NotValidated, None)?;
    tell(tx, actor, Kind::CaseSubmitted, &case, "submitted for review")?;
    get(tx, &Scope::All, reference)
}

/// Reviewed, and from now on for everybody that its audience names.
pub fn publish(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Case, Error> {
    let sql::Stored { case, editor } = stored(tx, &actor.scope(), reference)?;
    if case.state != CaseState::NotValidated {
        return Err(Error::Illegal { state: case.state, what: "published" });
    }
    if actor.role != Role::Admin && actor.name == editor {
        return Err(Error::OwnReview(actor.name.clone()));
    }
    sql::set_state(tx, case.number, CaseState::Validated, Some(&actor.name))?;
    tell(tx, actor, Kind::CasePublished, &case, &format!("published, reviewed by {actor}"))?;
    get(tx, &Scope::All, reference)
}

/// Out of use: kept, no longer found.
pub fn archive(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Case, Error> {
    let case = get(tx, &actor.scope(), reference)?;
    if case.state == CaseState::Archived {
        return Err(Error::Illegal { state: case.state, what: "archived again" });
    }
    sql::set_state(tx, case.number, CaseState::Archived, None)?;
    search::unindex(tx, case.number)?;
    tell(tx, actor, Kind::CaseArchived, &case, "archived")?;
    get(tx, &Scope::All, reference)
}

/// What a case was to a fault. One verdict each: a new one takes the old one's place.
pub fn link(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, link: &NewLink) -> Result<Case, Error> {
    let case = get(tx, &actor.scope(), reference)?;
    let fault = faults::get(tx, &actor.scope(), &FaultReference::Number(link.fault.clone()))?;
    sql::put_link(tx, case.number, fault.id, link.verdict, &actor.name)?;
    let text = format!("case {} {} {}", case.number, link.verdict, fault.number);
    let event = New::of(Kind::CaseLinked, actor, text).data(json!({"case": case.number, "verdict": link.verdict}));
    let is_public = case.state == CaseState::Validated && case.body.audience == Audience::Customer;
    faults::tell(tx, fault.id, event.internal(!is_public))?;
    get(tx, &Scope::All, reference)
}

/// The library belongs to the support centre: what happens in it is no customer's event.
fn tell(tx: &mut Tx<'_>, actor: &Actor, kind: Kind, case: &Case, what: &str) -> Result<(), Error> {
    let data = json!({"case": case.number, "version": case.version});
    events::append(tx, New::of(kind, actor, format!("case {} {what}", case.number)).internal(true).data(data))?;
    Ok(())
}

// ---- From faults ----------------------------------------------------------------------------------------------------

/// Drafts a case from a fault; it waits for review, and who drafts is its author.
pub fn draft_from(tx: &mut Tx<'_>, actor: &Actor, reference: &FaultReference) -> Result<Case, Error> {
    let fault = faults::get(tx, &actor.scope(), reference)?;
    if let Some(number) = sql::by_source(tx, fault.id)? {
        return Err(Error::Drafted(number));
    }
    if fault.cause.is_none() && fault.resolution.is_none() {
        return Err(Error::NothingLearned);
    }
    let device = match &fault.equipment {
        Some(name) => Some(equipment::get(tx, &Scope::All, &EquipmentReference::Name(name.clone()))?),
        None => None,
    };
    let alarms = alarms::of_fault(tx, fault.id)?;
    let known = names_of(tx, &fault)?;
    let body = draft::body(&draft::Source { fault: &fault, alarms: &alarms, equipment: device.as_ref(), known: &known });
    let new =
        sql::NewCase { id: CaseId::new(), state: CaseState::NotValidated, body: &body, source_fault: Some(fault.id), author: &actor.name };
    let case = insert(tx, &new)?;
    let text = format!("case {} drafted from {}", case.number, fault.number);
    let event = New::of(Kind::CaseCreated, actor, text).data(json!({"case": case.number, "version": case.version}));
    faults::tell(tx, fault.id, event.internal(true))?;
    Ok(case)
}

/// Closes a fault, and drafts a case from it if that is wanted; one that was drafted before is named again.
pub fn close_fault(tx: &mut Tx<'_>, actor: &Actor, reference: &FaultReference, publish_case: bool) -> Result<Closed, Error> {
    let fault = faults::close(tx, actor, reference)?;
    let case = match publish_case.then(|| draft_from(tx, actor, reference)) {
        None => None,
        Some(Ok(case)) => Some(case.number),
        Some(Err(Error::Drafted(number))) => Some(number),
        Some(Err(error)) => return Err(error),
    };
    Ok(Closed { fault, case })
}

/// What a draft must not say: the customer's names, its sites and equipment, and the people of the fault.
fn names_of(db: &Db<'_>, fault: &Fault) -> Result<mask::Known, Error> {
    let own = Scope::Customer(faults::customer_of(db, fault.id)?);
    let mut known = mask::Known::default();
    known.code(fault.customer.as_str(), "[customer]");
    for customer in customers::list(db, &own)? {
        known.name(customer.name.raw(), "[customer]");
    }
    for site in customers::sites(db, &own)? {
        known.name(site.name.raw(), "[site]");
    }
    for device in equipment::list(db, &own, None, None, MOST_EQUIPMENT)? {
        known.name(device.serial.raw(), "[serial]");
        // A handle without a digit may be a word that the text needs.
        if device.name.handle.as_str().bytes().any(|b| b.is_ascii_digit()) {
            known.name(device.name.handle.as_str(), "[equipment]");
        }
    }
    let people = [Some(fault.reported_by.as_str()).filter(|by| !by.starts_with("agent:")), fault.owner.as_ref().map(PersonName::as_str)];
    for person in people.into_iter().flatten() {
        known.name(person, "[person]");
    }
    Ok(known)
}

fn check(body: &CaseBody) -> Result<(), Error> {
    if body.zh.is_none() && body.en.is_none() {
        return Err(Error::NoText);
    }
    for (language, text) in [("Chinese (`zh`)", &body.zh), ("English (`en`)", &body.en)] {
        let Some(text) = text else { continue };
        if text.title.raw().trim().is_empty() {
            return Err(Error::NoTitle(language));
        }
        let fields = [
            ("title", &text.title, LONGEST_TITLE),
            ("symptom", &text.symptom, LONGEST_TEXT),
            ("cause", &text.cause, LONGEST_TEXT),
            ("steps", &text.steps, LONGEST_TEXT),
            ("resolution", &text.resolution, LONGEST_TEXT),
        ];
        for (what, text, most) in fields {
            if text.raw().chars().count() > most {
                return Err(Error::TooLong { what, most });
            }
        }
    }
    let fits = |name: &lineman_common::Printable| (1..=LONGEST_NAME).contains(&name.raw().trim().chars().count());
    if body.codes.len() > MOST_NAMES || !body.codes.iter().all(fits) {
        return Err(Error::TooMany { what: "codes", most: MOST_NAMES });
    }
    let is_named = |about: &CaseEquipment| fits(&about.product) && about.model.raw().chars().count() <= LONGEST_NAME;
    if body.equipment.len() > MOST_NAMES || !body.equipment.iter().all(is_named) {
        return Err(Error::TooMany { what: "pieces of equipment", most: MOST_NAMES });
    }
    Ok(())
}

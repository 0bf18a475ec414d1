//! Problems: one root of many faults, of any customers. A batch of boards, a version of software.
//!
//! A problem says which equipment it is about (product, model, a range of serials, versions of software); what fits is listed, with its
//! open faults, and people attach them. It belongs to the support centre alone: its number and its other faults would tell a carrier of
//! other carriers. What a carrier is told is on its own fault: that it is part of a known problem, and how that was solved.

pub mod http;
mod sql;

use std::str::FromStr;

use lineman_common::Printable;
use lineman_common::api::{AttachFaults, EditProblem, Fault, Fits, Matches, NewProblem, ProblemResolution, ProblemView};
use lineman_common::fault::ProblemState;
use lineman_common::id::{FaultId, ProblemId};
use lineman_common::name::{PersonName, ProblemNumber};
use serde_json::json;

use super::{LONGEST_TEXT, LONGEST_TITLE, Reference as FaultReference, append, at_most, get as fault_of, text_of};
use crate::events::{self, Kind, New};
use crate::people;
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

pub use sql::Filter;

/// Versions that a problem may name.
const MOST_VERSIONS: usize = 100;
/// Attached in one go.
const MOST_FAULTS: usize = 1000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such problem")]
    NotFound,
    #[error("the problem is {0} already")]
    Already(ProblemState),
    #[error("say what fits: product, model, a range of serials or versions of software")]
    FitsEverything,
    #[error("at most {0} can be named")]
    TooMany(usize),
    #[error("{fault} belongs to {problem} already: detach it there first")]
    Elsewhere { fault: lineman_common::name::FaultNumber, problem: ProblemNumber },
    #[error("{0} is not attached to this problem")]
    NotAttached(lineman_common::name::FaultNumber),
    #[error("there is no engineer or duty manager named {0}")]
    NotAnOwner(PersonName),
    #[error("nothing is changed: name a field that shall be another")]
    NothingChanged,
    #[error(transparent)]
    Faults(#[from] super::Error),
    #[error(transparent)]
    Events(#[from] events::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("problem").hint("a problem is named by its number, like P-7, or by its id, prb_..."),
            Error::Already(_) | Error::Elsewhere { .. } | Error::NotAttached(_) => Self::conflict(error.to_string()),
            Error::FitsEverything | Error::TooMany(_) | Error::NotAnOwner(_) | Error::NothingChanged => Self::invalid(error.to_string()),
            Error::Faults(error) => error.into(),
            Error::Events(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// How people name a problem: `P-7`, or by its id.
#[derive(Clone, Debug)]
pub enum Reference {
    Number(ProblemNumber),
    Id(ProblemId),
}

impl FromStr for Reference {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self::Number).or_else(|_| text.parse().map(Self::Id)).map_err(|_| Error::NotFound)
    }
}

// ---- Reading --------------------------------------------------------------------------------------------------------

/// A carrier's people find none.
pub fn list(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<Vec<ProblemView>, StoreError> {
    if scope.sees_internal() { sql::list(db, filter) } else { Ok(Vec::new()) }
}

pub fn get(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<ProblemView, Error> {
    let found = if scope.sees_internal() { sql::get(db, reference)? } else { None };
    found.ok_or(Error::NotFound)
}

/// What fits: equipment, and open faults of it that belong to no problem yet.
pub fn matches(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Matches, Error> {
    let problem = get(db, scope, reference)?;
    if is_empty(&problem.fits) {
        return Ok(Matches { equipment: Vec::new(), faults: Vec::new() });
    }
    Ok(Matches { equipment: sql::matching_equipment(db, &problem.fits)?, faults: sql::matching_faults(db, &problem.fits)? })
}

// ---- Changing -------------------------------------------------------------------------------------------------------

pub fn open(tx: &mut Tx<'_>, actor: &Actor, new: &NewProblem) -> Result<ProblemView, Error> {
    text_of("title", &new.title, LONGEST_TITLE)?;
    at_most("description", &new.description, LONGEST_TEXT)?;
    check(&new.fits)?;
    if is_empty(&new.fits) && new.faults.is_empty() {
        return Err(Error::FitsEverything);
    }
    let number = sql::insert(tx, ProblemId::new(), new, &actor.name)?;
    let reference = Reference::Number(number);
    let problem = get(tx, &Scope::All, &reference)?;
    tell(tx, actor, Kind::ProblemOpened, &problem, &format!("opened: {}", problem.title))?;
    if new.faults.is_empty() {
        return Ok(problem);
    }
    attach(tx, actor, &reference, &AttachFaults { faults: new.faults.clone(), matching: false })
}

pub fn edit(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, edit: &EditProblem) -> Result<ProblemView, Error> {
    let problem = get(tx, &actor.scope(), reference)?;
    let texts = [("description", &edit.description), ("cause", &edit.cause), ("workaround", &edit.workaround)];
    for (what, text) in texts {
        text.as_ref().map_or(Ok(()), |text| at_most(what, text, LONGEST_TEXT))?;
    }
    edit.title.as_ref().map_or(Ok(()), |title| text_of("title", title, LONGEST_TITLE))?;
    edit.fits.as_ref().map_or(Ok(()), check)?;
    if let Some(owner) = &edit.owner {
        let person = people::worker(tx, owner)?;
        person.ok_or_else(|| Error::NotAnOwner(owner.clone()))?;
    }
    let named = json!(edit);
    let named: Vec<_> = named.as_object().into_iter().flatten().map(|(field, _)| field.as_str()).collect();
    if named.is_empty() {
        return Err(Error::NothingChanged);
    }
    sql::edit(tx, problem.number, edit)?;
    tell(tx, actor, Kind::ProblemEdited, &problem, &format!("edited: {}", named.join(", ")))?;
    get(tx, &Scope::All, reference)
}

/// Attaches faults; with `matching`, all that fit and belong to no problem.
pub fn attach(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, which: &AttachFaults) -> Result<ProblemView, Error> {
    let problem = get(tx, &actor.scope(), reference)?;
    if which.faults.len() > MOST_FAULTS {
        return Err(Error::TooMany(MOST_FAULTS));
    }
    let mut faults = Vec::new();
    for number in &which.faults {
        let fault = fault_of(tx, &actor.scope(), &FaultReference::Number(number.clone()))?;
        match fault.problem {
            Some(other) if other != problem.number => return Err(Error::Elsewhere { fault: fault.number, problem: other }),
            Some(_) => {}
            None => faults.push(fault),
        }
    }
    if which.matching {
        if is_empty(&problem.fits) {
            return Err(Error::FitsEverything);
        }
        let named = |id: FaultId| faults.iter().any(|fault: &Fault| fault.id == id);
        let matching: Vec<_> = sql::matching_faults(tx, &problem.fits)?.into_iter().filter(|fault| !named(fault.id)).collect();
        faults.extend(matching);
    }
    for fault in &faults {
        sql::set_problem(tx, fault.id, Some(problem.number))?;
        let text = "part of a known problem, which is worked on at its root";
        append(tx, fault, New::of(Kind::ProblemAttached, actor, text))?;
        let internal = New::of(Kind::ProblemAttached, actor, format!("attached to {}: {}", problem.number, problem.title));
        append(tx, fault, internal.internal(true).data(json!({"problem": problem.number})))?;
    }
    if !faults.is_empty() {
        sql::touch(tx, problem.number)?;
    }
    get(tx, &Scope::All, reference)
}

pub fn detach(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, fault: &FaultReference) -> Result<ProblemView, Error> {
    let problem = get(tx, &actor.scope(), reference)?;
    let fault = fault_of(tx, &actor.scope(), fault)?;
    if fault.problem != Some(problem.number) {
        return Err(Error::NotAttached(fault.number));
    }
    sql::set_problem(tx, fault.id, None)?;
    append(tx, &fault, New::of(Kind::ProblemDetached, actor, "not part of the known problem after all"))?;
    let internal = New::of(Kind::ProblemDetached, actor, format!("detached from {}", problem.number));
    append(tx, &fault, internal.internal(true).data(json!({"problem": problem.number})))?;
    sql::touch(tx, problem.number)?;
    get(tx, &Scope::All, reference)
}

/// The root is dealt with: every attached fault that is open is told, in one transaction. What each needs still is its owner's to say.
pub fn resolve(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, resolution: &ProblemResolution) -> Result<ProblemView, Error> {
    text_of("cause", &resolution.cause, LONGEST_TEXT)?;
    text_of("resolution", &resolution.resolution, LONGEST_TEXT)?;
    let problem = get(tx, &actor.scope(), reference)?;
    if problem.state == ProblemState::Resolved {
        return Err(Error::Already(problem.state));
    }
    sql::set_state(tx, problem.number, ProblemState::Resolved, Some(resolution))?;
    for fault in sql::open_faults(tx, problem.number)? {
        let text = format!("the problem behind it is solved. cause: {}; resolution: {}", resolution.cause, resolution.resolution);
        append(tx, &fault, New::of(Kind::ProblemResolved, actor, text).data(json!(resolution)))?;
    }
    tell(tx, actor, Kind::ProblemResolved, &problem, &format!("resolved: {}", resolution.resolution))?;
    get(tx, &Scope::All, reference)
}

pub fn reopen(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, reason: &Printable) -> Result<ProblemView, Error> {
    text_of("reason", reason, LONGEST_TEXT)?;
    let problem = get(tx, &actor.scope(), reference)?;
    if problem.state == ProblemState::Open {
        return Err(Error::Already(problem.state));
    }
    sql::set_state(tx, problem.number, ProblemState::Open, None)?;
    for fault in sql::open_faults(tx, problem.number)? {
        append(tx, &fault, New::of(Kind::ProblemReopened, actor, format!("the problem behind it is worked on again: {reason}")))?;
    }
    tell(tx, actor, Kind::ProblemReopened, &problem, &format!("reopened: {reason}"))?;
    get(tx, &Scope::All, reference)
}

/// The centre's own event.
fn tell(tx: &mut Tx<'_>, actor: &Actor, kind: Kind, problem: &ProblemView, what: &str) -> Result<(), Error> {
    let event = New::of(kind, actor, format!("problem {} {what}", problem.number)).internal(true);
    events::append(tx, event.data(json!({"problem": problem.number})))?;
    Ok(())
}

fn is_empty(fits: &Fits) -> bool {
    let Fits { product, model, serial_from, serial_to, software } = fits;
    [product, model, serial_from, serial_to].into_iter().all(Option::is_none) && software.is_empty()
}

fn check(fits: &Fits) -> Result<(), Error> {
    let Fits { product, model, serial_from, serial_to, software } = fits;
    if software.len() > MOST_VERSIONS {
        return Err(Error::TooMany(MOST_VERSIONS));
    }
    for (what, text) in [("product", product), ("model", model), ("first serial", serial_from), ("last serial", serial_to)] {
        text.as_ref().map_or(Ok(()), |text| text_of(what, text, LONGEST_TITLE))?;
    }
    software.iter().try_for_each(|version| text_of("version", version, LONGEST_TITLE))?;
    Ok(())
}

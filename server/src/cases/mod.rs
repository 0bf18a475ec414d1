//! The case library: what was learned from faults, and how the next engineer finds it.
//!
//! A case says the symptom, the cause, the steps and the resolution, in Chinese, in English or in both; it knows which equipment
//! and which codes it is about. It lives `wip -> not_validated -> validated -> archived` (KCS):
//!
//! - What is published was reviewed by somebody who did not write it; an administrator may do both. An edit makes a new
//!   version with a writer of its own, and what was validated waits for review again: no unreviewed text is ever published.
//!   When a reviewer corrects a case, its author is the one to look at the correction: two people are enough.
//! - A carrier's people see what is validated and meant for customers. The support centre sees everything, marked by its state.
//! - A fault that is closed can draft a case ([`drafts`]), with what belongs to the customer taken out ([`drafts::mask`]).
//! - A case that was used on a fault is linked to it, with a verdict: the strongest sign of its worth.
//! - What happens to a case beside its states (the review queue, versions, owners, doubts, duplicates, feedback, translations) is in
//!   [`life`].
//!
//! What is saved is found ([`library`] hears of it in the same transaction, [`find`] asks it). Suggestions while filing, and
//! closing a fault with a draft, are routes of this room, since it is the first that sees both faults and cases.

mod drafts;
pub mod exchange;
pub mod find;
pub mod http;
pub mod library;
pub mod life;
pub mod offers;
mod sql;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use lineman_common::api::{Case, CaseBody, CaseEquipment, CaseState};
use lineman_common::id::CaseId;
use lineman_common::name::{CaseNumber, PersonName};

use crate::equipment;
use crate::events;
use crate::faults;
use crate::people;
use crate::store::{Db, StoreError};
use crate::web::{ApiError, Scope};

pub use drafts::{close_fault, draft_from};
use drafts::{mask, masked_beginning, names_in};
pub use life::states::{archive, create, publish, submit};
#[cfg(test)]
pub use life::{links::link, states::edit};

/// Characters.
const LONGEST_TITLE: usize = 300;
const LONGEST_TEXT: usize = 20_000;
/// Names of equipment, or codes, on one case.
const MOST_NAMES: usize = 50;
const LONGEST_NAME: usize = 100;
/// Names that a draft is masked with at most.
const MOST_EQUIPMENT: u32 = 1_000;
const LONGEST_REASON: usize = 2_000;

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
    #[error("{0} is reviewing it since {1}: wait, ask them to release it, or let a duty manager release it")]
    Claimed(PersonName, jiff::Timestamp),
    #[error("nobody has claimed it")]
    NotClaimed,
    #[error("a reason is needed, of 1 to {LONGEST_REASON} characters")]
    NoReason,
    #[error("a case that was `wrong` for a fault needs a reason: what does it get wrong? The case is flagged with it")]
    WrongNeedsReason,
    #[error("{alias} is the same as {into}: say {into}, or undo the merge first")]
    IsDuplicate { alias: CaseNumber, into: CaseNumber },
    #[error("{0} is not a duplicate of another case")]
    NotDuplicate(CaseNumber),
    #[error("a case can't be the same as itself: {0} and {1} are one case already")]
    SameCase(CaseNumber, CaseNumber),
    #[error("there is no version {0}: the newest is {1}")]
    NoVersion(u32, u32),
    #[error("version {0} is the newest: there is nothing to restore")]
    IsNewest(u32),
    #[error("nobody of the support centre who works is called {0}")]
    NoOwner(PersonName),
    #[error("say whose cases: a `product`, an owner (`from`), or both")]
    WhoseCases,
    #[error("the case was never linked to {0}")]
    NoLink(lineman_common::name::FaultNumber),
    #[error("no such unanswered question")]
    NoGap,
    #[error("`written` needs the case that answers the question (`case`)")]
    NeedsCase,
    #[error("a case is named for `written` only")]
    NoCaseWanted,
    #[error("a case is stale after 1 to 120 months")]
    BadMonths,
    #[error("the period is empty: `from` must be before `until`")]
    EmptyPeriod,
    #[error("{0} was already drafted from this fault")]
    Drafted(CaseNumber),
    #[error("the fault has neither a diagnosis nor a resolution: there is nothing to learn from it yet")]
    NothingLearned,
    #[error(transparent)]
    Faults(#[from] faults::Error),
    #[error(transparent)]
    People(#[from] people::Error),
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
            Error::NoGap => Self::not_found("unanswered question"),
            Error::NoVersion(..) => Self::not_found("version of the case").hint(error.to_string()),
            Error::Illegal { .. }
            | Error::NothingToReview
            | Error::Drafted(_)
            | Error::NothingLearned
            | Error::Claimed(..)
            | Error::NotClaimed
            | Error::IsDuplicate { .. }
            | Error::NotDuplicate(_)
            | Error::SameCase(..)
            | Error::IsNewest(_)
            | Error::NoLink(_) => Self::conflict(error.to_string()),
            Error::NoText
            | Error::NoTitle(_)
            | Error::TooLong { .. }
            | Error::TooMany { .. }
            | Error::NoReason
            | Error::WrongNeedsReason
            | Error::NoOwner(_)
            | Error::WhoseCases
            | Error::NeedsCase
            | Error::NoCaseWanted
            | Error::BadMonths
            | Error::EmptyPeriod => Self::invalid(error.to_string()),
            Error::OwnReview(_) => Self::forbidden(error.to_string()),
            Error::Faults(error) => error.into(),
            Error::People(error) => error.into(),
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
        CaseState::Archived => "from here: unarchival",
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

/// A case. The number of a duplicate answers with the case that it is the same as.
pub fn get(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Case, Error> {
    Ok(stored(db, scope, reference)?.case)
}

fn stored(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<sql::Stored, Error> {
    match exactly(db, scope, reference)? {
        Some(found) if found.case.same_as.is_none() => Ok(found),
        Some(duplicate) => life::merge::resolved(db, scope, &duplicate.case),
        None => life::merge::resolved_for_customer(db, scope, reference),
    }
}

fn exactly(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Option<sql::Stored>, StoreError> {
    match reference {
        Reference::Number(number) => sql::by_number(db, scope, *number),
        Reference::Id(id) => sql::by_id(db, scope, *id),
    }
}

/// The case that has this number itself: what is to be changed is never guessed through a duplicate.
fn own(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<sql::Stored, Error> {
    let found = exactly(db, scope, reference)?.ok_or(Error::NotFound)?;
    match found.case.same_as {
        None => Ok(found),
        Some(_) => Err(Error::IsDuplicate { alias: found.case.number, into: life::merge::resolved(db, scope, &found.case)?.case.number }),
    }
}

/// A page of the library by number.
pub fn list(db: &Db<'_>, scope: &Scope, filter: &sql::Filter) -> Result<Vec<Case>, StoreError> {
    sql::list(db, scope, filter)
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

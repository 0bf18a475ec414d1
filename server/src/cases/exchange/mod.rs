//! The library's way in and out: files that people keep elsewhere, in git, in a spreadsheet, in another system.
//!
//! An import is a **dry run first**. Its plan says for every case what would become of it, and has a name that stands for all of that;
//! the second request names the plan, and is carried out only if the plan still is the same. What changed since is told.
//!
//! A case is **known** by its id, by its number, by another system's key for it, or else by what it says; so an import that is repeated
//! finds its own work and changes nothing, also one that a kill cut off half-way. With a version it is also known what both sides
//! looked like when they last agreed, so what one side changed is taken, and what both changed is a conflict that nobody resolves
//! silently.
//!
//! What arrives goes the way of every case: in work or waiting for review. Only an administrator publishes by import, and is the
//! reviewer then. An **export** leaves out cases that show what belongs to a customer, unless somebody wants them as they are.

mod export;
pub mod http;
mod plan;
mod sql;
#[cfg(test)]
mod tests;

use lineman_common::api::{ArriveAs, CaseBody, CaseImport, CaseState, ImportPlan, PlannedCase, ReviewWhy};
use lineman_common::name::CaseNumber;
use serde_json::json;

use super::life::states;
use super::{Error as CaseError, Reference};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError};

pub use export::{Filter, export, text};
use plan::{Act, Judged, Origin};

/// Cases in one request: the others wait meanwhile.
pub const MOST_CASES: usize = 1_000;
const LONGEST_SOURCE: usize = 100;
const LONGEST_KEY: usize = 300;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there are {0} cases in the request: at most {MOST_CASES} at once, so send them in parts")]
    TooMany(usize),
    #[error("there is nothing to import: `items`, `files` and `prune` are empty")]
    Nothing,
    #[error("the plan can't be carried out any more: {why}")]
    OtherPlan { why: String, changed: Vec<PlannedCase>, now: Box<ImportPlan> },
    #[error("{place}: {error}")]
    Case { place: String, error: Box<CaseError> },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::TooMany(_) | Error::Nothing => Self::invalid(message),
            Error::OtherPlan { changed, now, .. } => {
                Self::conflict(message).hint("look at the new plan, and send its name").details(json!({"changed": changed, "plan": now}))
            }
            Error::Case { error, .. } => Self::from(*error).hint(message),
            Error::Store(error) => error.into(),
        }
    }
}

/// What an import would do. Writes nothing.
pub fn dry_run(db: &Db<'_>, import: &CaseImport) -> Result<ImportPlan, Error> {
    Ok(plan::of(db, import)?.told(false))
}

/// Carries out the plan that the import names.
pub fn apply(tx: &mut Tx<'_>, actor: &Actor, import: &CaseImport, named: &str) -> Result<ImportPlan, Error> {
    let mut plan = plan::of(tx, import)?;
    if !plan.is(named) {
        let changed = plan.changed_since(named);
        let why = if changed.is_empty() {
            "it was made for other cases, or another `as`".to_owned()
        } else {
            let names: Vec<_> = changed.iter().filter_map(|case| Some(case.number?.to_string())).take(10).collect();
            format!("the library changed since: {}", names.join(", "))
        };
        return Err(Error::OtherPlan { why, changed, now: Box::new(plan.told(false)) });
    }
    for judged in &mut plan.judged {
        carry_out(tx, actor, import.arrive_as, judged)
            .map_err(|error| Error::Case { place: judged.told.place.clone(), error: Box::new(error) })?;
    }
    Ok(plan.told(true))
}

fn carry_out(tx: &mut Tx<'_>, actor: &Actor, arrive_as: ArriveAs, judged: &mut Judged) -> Result<(), CaseError> {
    let note = format!("imported from {}", judged.told.place);
    let number = match &judged.act {
        Act::Nothing => return Ok(()),
        Act::Create(body) => states::create(tx, actor, body)?.number,
        Act::Edit(number, body) => edit(tx, actor, *number, body, note)?,
        Act::Archive(number) => {
            let case = states::archive(tx, actor, &Reference::Number(*number))?;
            judged.told.state = Some(case.state);
            return Ok(());
        }
        Act::Bind(number) => *number,
    };
    if !matches!(judged.act, Act::Bind(_)) {
        promote(tx, actor, number, arrive_as)?;
    }
    let case = super::get(tx, &crate::web::Scope::All, &Reference::Number(number))?;
    if let Some(Origin { source, key }) = &judged.origin {
        sql::put_source(tx, source, key, number, case.version, &actor.name)?;
    }
    (judged.told.id, judged.told.number) = (Some(case.id), Some(case.number));
    (judged.told.version, judged.told.state, judged.told.updated_at) = (Some(case.version), Some(case.state), Some(case.updated_at));
    Ok(())
}

fn edit(tx: &mut Tx<'_>, actor: &Actor, number: CaseNumber, body: &CaseBody, note: String) -> Result<CaseNumber, CaseError> {
    let about = states::About { note: note.chars().take(super::LONGEST_REASON).collect::<String>().into(), ..states::About::default() };
    Ok(states::edit_about(tx, actor, &Reference::Number(number), body, &about)?.number)
}

/// Takes what arrived as far as it shall arrive.
fn promote(tx: &mut Tx<'_>, actor: &Actor, number: CaseNumber, arrive_as: ArriveAs) -> Result<(), CaseError> {
    let reference = Reference::Number(number);
    let (waits, published) = match arrive_as {
        ArriveAs::Wip => (false, false),
        ArriveAs::NotValidated => (true, false),
        ArriveAs::Validated => (true, true),
    };
    if waits && super::get(tx, &crate::web::Scope::All, &reference)?.state == CaseState::Wip {
        // The first word for its place in the queue stays.
        super::sql::wait_for_review(tx, number, ReviewWhy::Imported)?;
        states::submit(tx, actor, &reference)?;
    }
    if published {
        states::publish(tx, actor, &reference)?;
    }
    Ok(())
}

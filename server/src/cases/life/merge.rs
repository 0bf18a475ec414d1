//! Two cases that say the same: one becomes a duplicate of the other.
//!
//! The duplicate is out of use and says what it is the same as; its number still answers, with the other case. Links and feedback move
//! and remember where they were said, so that the merge can be undone. Following `same_as` always ends: a case is merged into what the
//! other one stands for by now, and never into itself.

use lineman_common::api::{Audience, Case, CaseState};
use lineman_common::name::CaseNumber;
use serde_json::json;

use super::super::{Error, Reference, exactly, get, own, sql, stored};
use super::states::{out_of_use, tell_of};
use crate::events::Kind;
use crate::store::{Db, Tx};
use crate::web::{Actor, Scope};

/// The case that a duplicate is the same as, as the scope may see it.
pub fn resolved(db: &Db<'_>, scope: &Scope, duplicate: &Case) -> Result<sql::Stored, Error> {
    let last = super::sql::stands_for(db, duplicate.number)?;
    let mut found = sql::by_number(db, scope, last)?.ok_or(Error::NotFound)?;
    found.case.asked_as = Some(duplicate.number);
    Ok(found)
}

/// A customer knows the number of a duplicate only if it could read that case before.
pub fn resolved_for_customer(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<sql::Stored, Error> {
    let known = if scope.sees_internal() { None } else { exactly(db, &Scope::All, reference)? };
    let was_public = |stored: &sql::Stored| stored.before == Some(CaseState::Validated) && stored.case.body.audience == Audience::Customer;
    match known.filter(|stored| stored.case.same_as.is_some() && was_public(stored)) {
        Some(duplicate) => resolved(db, scope, &duplicate.case),
        None => Err(Error::NotFound),
    }
}

/// This case is the same as another: answers with that one.
pub fn merge(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, into: &Reference) -> Result<Case, Error> {
    let case = own(tx, &actor.scope(), reference)?.case;
    let target = stored(tx, &actor.scope(), into)?.case;
    if target.number == case.number {
        return Err(Error::SameCase(case.number, target.asked_as.unwrap_or(target.number)));
    }
    for (case, what) in [(&case, "merged"), (&target, "merged into")] {
        if case.state == CaseState::Archived {
            return Err(Error::Illegal { state: case.state, what });
        }
    }
    out_of_use(tx, case.number)?;
    super::sql::set_same_as(tx, case.number, Some(target.number))?;
    super::sql::move_to(tx, case.number, target.number)?;
    let data = json!({"into": target.number, "state": case.state});
    tell_of(tx, actor, Kind::CaseMerged, &case, &format!("is the same as {}", target.number), data)?;
    get(tx, &Scope::All, &Reference::Number(target.number))
}

/// The way back: the case stands where it stood, with the links and the feedback that were its own.
pub fn unmerge(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Case, Error> {
    let sql::Stored { case, before, .. } = exactly(tx, &actor.scope(), reference)?.ok_or(Error::NotFound)?;
    let Some(target) = case.same_as else { return Err(Error::NotDuplicate(case.number)) };
    let last = super::sql::stands_for(tx, case.number)?;
    super::sql::set_same_as(tx, case.number, None)?;
    let own: Vec<CaseNumber> = super::sql::with_duplicates(tx, case.number)?;
    super::sql::move_back(tx, &own, last, case.number)?;
    sql::set_state(tx, case.number, before.unwrap_or(CaseState::Wip))?;
    tell_of(tx, actor, Kind::CaseUnmerged, &case, &format!("is a case of its own again, not {target}"), json!({"from": target}))?;
    get(tx, &Scope::All, &Reference::Number(case.number))
}

//! The review queue: what waits, oldest first, and who is on it.
//!
//! A version is reviewed by somebody who did not write it. Who begins a review claims the case, so that two don't do the same work; a
//! claim is a word among colleagues and lapses by itself. A review ends with publication, or with the case sent back to its author with
//! a reason.

use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{Case, CaseState, Review, ReviewItem};
use lineman_common::name::{CaseNumber, PersonName};
use lineman_common::people::Role;

use super::super::find::title;
use super::super::{Error, Reference, get, own};
use super::sql;
use super::states::{reviews_own, tell};
use crate::events::Kind;
use crate::people;
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

/// How long a claim holds.
const CLAIM: SignedDuration = SignedDuration::from_hours(3 * 24);

pub use sql::ReviewFilter as Filter;

/// Whose claim holds at this moment.
fn claimed(review: Option<&Review>, now: Timestamp) -> Option<(&PersonName, Timestamp)> {
    let review = review?;
    let (by, at) = review.claimed_by.as_ref().zip(review.claimed_at)?;
    (now < at + CLAIM).then_some((by, at))
}

/// Nobody else is on it.
pub fn is_free(actor: &Actor, review: Option<&Review>, now: Timestamp) -> Result<(), Error> {
    match claimed(review, now) {
        Some((by, at)) if *by != actor.name => Err(Error::Claimed(by.clone(), at)),
        Some(_) | None => Ok(()),
    }
}

/// Somebody else wrote it, and nobody else is on it.
pub fn may_publish(actor: &Actor, editor: &PersonName, review: Option<&Review>, now: Timestamp) -> Result<(), Error> {
    if !reviews_own(actor) && actor.name == *editor {
        return Err(Error::OwnReview(actor.name.clone()));
    }
    is_free(actor, review, now)
}

/// Who writes a version no longer reviews it.
pub fn writes(tx: &Tx<'_>, number: CaseNumber, editor: &PersonName) -> Result<(), StoreError> {
    sql::unclaim_by(tx, number, editor)
}

/// What waits, the longest first.
pub fn queue(db: &Db<'_>, actor: &Actor, filter: &Filter) -> Result<Vec<ReviewItem>, Error> {
    let skills: Vec<String> = match people::find(db, &Scope::All, &actor.name)? {
        Some(person) => person.skills.iter().map(|skill| skill.to_lowercase()).collect(),
        None => Vec::new(),
    };
    let item = |stored: super::super::sql::Stored| {
        let super::super::sql::Stored { case, editor, .. } = stored;
        let review = case.review.clone()?;
        let may = may_publish(actor, &editor, Some(&review), db.now());
        let fits = case.body.equipment.iter().any(|about| skills.contains(&about.product.raw().to_lowercase()));
        Some(ReviewItem {
            number: case.number,
            title: title(&case.body, false).1,
            author: case.author,
            editor,
            owner: case.owner,
            version: case.version,
            waits_s: u64::try_from(db.now().duration_since(review.since).as_secs()).unwrap_or_default(),
            review,
            may_review: may.is_ok(),
            why_not: may.err().map(|error| error.to_string().into()),
            fits,
        })
    };
    Ok(sql::reviews(db, actor, reviews_own(actor), filter, db.now() - CLAIM)?.into_iter().filter_map(item).collect())
}

/// Takes a case on for review.
pub fn claim(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Case, Error> {
    let super::super::sql::Stored { case, editor, .. } = own(tx, &actor.scope(), reference)?;
    if case.state != CaseState::NotValidated {
        return Err(Error::Illegal { state: case.state, what: "reviewed" });
    }
    may_publish(actor, &editor, case.review.as_ref(), tx.now())?;
    sql::claim(tx, case.number, Some(&actor.name))?;
    tell(tx, actor, Kind::CaseClaimed, &case, &format!("is reviewed by {actor}"))?;
    get(tx, &Scope::All, reference)
}

/// Gives a case back into the queue, unread. A duty manager or an administrator gives back what others hold.
pub fn release(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Case, Error> {
    let case = own(tx, &actor.scope(), reference)?.case;
    let Some((by, at)) = claimed(case.review.as_ref(), tx.now()).map(|(by, at)| (by.clone(), at)) else {
        return Err(Error::NotClaimed);
    };
    if by != actor.name && !matches!(actor.role, Role::DutyManager | Role::Admin) {
        return Err(Error::Claimed(by, at));
    }
    sql::claim(tx, case.number, None)?;
    tell(tx, actor, Kind::CaseReleased, &case, &format!("is back in the review queue: {by} had it"))?;
    get(tx, &Scope::All, reference)
}

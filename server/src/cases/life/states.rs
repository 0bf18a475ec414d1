//! The states of a case and who may take it from one to the next.
//!
//! `wip -> not_validated -> validated -> archived`. What waits for review has a place in the queue ([`super::review`]), which it keeps
//! until it is published or sent back. A state is changed here and in [`super::merge`] only.

use lineman_common::Printable;
use lineman_common::api::{Case, CaseBody, CaseState, CaseText, ReviewWhy};
use lineman_common::id::CaseId;
use lineman_common::name::CaseNumber;
use lineman_common::people::Role;
use serde_json::{Value, json};

use super::super::{Error, Reference, check, get, own, sql};
use super::{flags, reason_of, review};
use crate::events::{self, Kind, New};
use crate::store::Tx;
use crate::web::{Actor, Scope};

/// A new case, in work.
pub fn create(tx: &mut Tx<'_>, actor: &Actor, body: &CaseBody) -> Result<Case, Error> {
    check(body)?;
    let new = sql::NewCase { id: CaseId::new(), state: CaseState::Wip, body, source_fault: None, author: &actor.name, review: None };
    let case = insert(tx, &new)?;
    tell(tx, actor, Kind::CaseCreated, &case, "created")?;
    Ok(case)
}

pub fn insert(tx: &mut Tx<'_>, new: &sql::NewCase<'_>) -> Result<Case, Error> {
    let number = sql::insert(tx, new)?;
    get(tx, &Scope::All, &Reference::Number(number))
}

/// What an edit says of itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub note: Printable,
    /// The older version that it brings back.
    pub restored: Option<u32>,
}

/// A new version. What was validated waits for review again.
pub fn edit(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, body: &CaseBody) -> Result<Case, Error> {
    edit_about(tx, actor, reference, body, &About::default())
}

pub fn edit_about(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, body: &CaseBody, about: &About) -> Result<Case, Error> {
    check(body)?;
    super::short(&about.note, "note")?;
    let old = own(tx, &actor.scope(), reference)?;
    let state = match old.case.state {
        CaseState::Wip => CaseState::Wip,
        CaseState::NotValidated | CaseState::Validated => CaseState::NotValidated,
        CaseState::Archived => return Err(Error::Illegal { state: old.case.state, what: "edited" }),
    };
    let version = old.case.version + 1;
    sql::edit(tx, &old, state, &sql::NewVersion { version, body, editor: &actor.name, note: about.note.raw(), restored: about.restored })?;
    if state == CaseState::NotValidated {
        sql::wait_for_review(tx, old.case.number, ReviewWhy::Edited)?;
        review::writes(tx, old.case.number, &actor.name)?;
    }
    let case = get(tx, &Scope::All, reference)?;
    let restored = about.restored.map(|version| format!(", as version {version} was")).unwrap_or_default();
    tell(tx, actor, Kind::CaseEdited, &case, &format!("edited: version {}{restored}", case.version))?;
    Ok(case)
}

/// Ready for review.
pub fn submit(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Case, Error> {
    let case = own(tx, &actor.scope(), reference)?.case;
    if case.state != CaseState::Wip {
        return Err(Error::Illegal { state: case.state, what: "submitted for review" });
    }
    must_say_something(&case)?;
    sql::set_state(tx, case.number, CaseState::NotValidated)?;
    sql::wait_for_review(tx, case.number, ReviewWhy::Submitted)?;
    super::sql::set_returned(tx, case.number, None)?;
    tell(tx, actor, Kind::CaseSubmitted, &case, "submitted for review")?;
    get(tx, &Scope::All, reference)
}

fn must_say_something(case: &Case) -> Result<(), Error> {
    let says = |text: &CaseText| [&text.cause, &text.steps, &text.resolution].iter().any(|text| !text.raw().trim().is_empty());
    if [&case.body.zh, &case.body.en].into_iter().flatten().any(says) { Ok(()) } else { Err(Error::NothingToReview) }
}

/// Reviewed, and from now on for everybody that its audience names.
pub fn publish(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Case, Error> {
    let sql::Stored { case, editor, .. } = own(tx, &actor.scope(), reference)?;
    if case.state != CaseState::NotValidated {
        return Err(Error::Illegal { state: case.state, what: "published" });
    }
    // It may have been edited since it was submitted.
    must_say_something(&case)?;
    review::may_publish(actor, &editor, case.review.as_ref(), tx.now())?;
    sql::publish(tx, case.number, &actor.name)?;
    super::sql::no_review(tx, case.number)?;
    flags::answer_all(tx, case.number, actor.name.as_str(), &format!("version {} was reviewed", case.version))?;
    tell(tx, actor, Kind::CasePublished, &case, &format!("published, reviewed by {actor}"))?;
    get(tx, &Scope::All, reference)
}

/// Back to its author, who reads why.
pub fn send_back(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, reason: &Printable) -> Result<Case, Error> {
    let reason = reason_of(reason)?;
    let sql::Stored { case, editor, .. } = own(tx, &actor.scope(), reference)?;
    if case.state != CaseState::NotValidated {
        return Err(Error::Illegal { state: case.state, what: "sent back" });
    }
    review::is_free(actor, case.review.as_ref(), tx.now())?;
    sql::set_state(tx, case.number, CaseState::Wip)?;
    super::sql::no_review(tx, case.number)?;
    let returned = lineman_common::api::Returned { by: actor.name.clone(), reason: reason.clone(), at: tx.now() };
    super::sql::set_returned(tx, case.number, Some(&returned))?;
    let data = json!({"to": editor, "reason": reason});
    tell_of(tx, actor, Kind::CaseReturned, &case, &format!("sent back to {editor}: {}", reason.raw()), data)?;
    get(tx, &Scope::All, reference)
}

/// Out of use: kept, no longer found.
pub fn archive(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Case, Error> {
    let case = own(tx, &actor.scope(), reference)?.case;
    if case.state == CaseState::Archived {
        return Err(Error::Illegal { state: case.state, what: "archived again" });
    }
    out_of_use(tx, case.number)?;
    super::sql::no_review(tx, case.number)?;
    tell(tx, actor, Kind::CaseArchived, &case, "archived")?;
    get(tx, &Scope::All, reference)
}

pub fn out_of_use(tx: &Tx<'_>, number: CaseNumber) -> Result<(), Error> {
    Ok(sql::set_state(tx, number, CaseState::Archived)?)
}

/// Back in use. What was published or waited for that is reviewed again: the world went on without it.
pub fn unarchive(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference) -> Result<Case, Error> {
    let sql::Stored { case, before, .. } = own(tx, &actor.scope(), reference)?;
    if case.state != CaseState::Archived {
        return Err(Error::Illegal { state: case.state, what: "taken out of the archive" });
    }
    let state = match before {
        Some(CaseState::Wip) => CaseState::Wip,
        Some(CaseState::NotValidated | CaseState::Validated | CaseState::Archived) | None => CaseState::NotValidated,
    };
    sql::set_state(tx, case.number, state)?;
    if state == CaseState::NotValidated {
        sql::wait_for_review(tx, case.number, ReviewWhy::Unarchived)?;
    }
    tell(tx, actor, Kind::CaseUnarchived, &case, &format!("back in use: {state}"))?;
    get(tx, &Scope::All, reference)
}

/// The library belongs to the support centre: what happens in it is no customer's event.
pub fn tell(tx: &mut Tx<'_>, actor: &Actor, kind: Kind, case: &Case, what: &str) -> Result<(), Error> {
    tell_of(tx, actor, kind, case, what, json!({}))
}

/// The same with particulars.
pub fn tell_of(tx: &mut Tx<'_>, actor: impl ToString, kind: Kind, case: &Case, what: &str, mut data: Value) -> Result<(), Error> {
    data["case"] = json!(case.number);
    data["version"] = json!(case.version);
    events::append(tx, New::of(kind, actor, format!("case {} {what}", case.number)).internal(true).data(data))?;
    Ok(())
}

/// An administrator may review what is their own.
pub fn reviews_own(actor: &Actor) -> bool {
    actor.role == Role::Admin
}

//! Did it help? Whoever reads a published case says yes or no, with a comment if they like: once for each version, and they may change
//! their mind. The support centre reads all of it, a carrier's people their own company's.

use lineman_common::api::{Case, CaseState, Feedback, NewFeedback};
use serde_json::json;

use super::super::{Error, Reference, stored};
use super::states::tell_of;
use super::{short, sql};
use crate::events::Kind;
use crate::store::{Db, Tx};
use crate::web::{Actor, Scope};

pub fn give(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, said: &NewFeedback) -> Result<Feedback, Error> {
    short(&said.comment, "comment")?;
    let case = stored(tx, &actor.scope(), reference)?.case;
    if case.state != CaseState::Validated {
        return Err(Error::Illegal { state: case.state, what: "judged by its readers" });
    }
    sql::put_feedback(tx, &case, actor, said)?;
    let verdict = if said.helpful { "helped" } else { "did not help" };
    let data = json!({"helpful": said.helpful, "comment": said.comment});
    tell_of(tx, actor, Kind::CaseFeedback, &case, &format!("{verdict} {actor}"), data)?;
    sql::feedback(tx, &Scope::All, case.number, Some(&actor.name), 0, 1)?.into_iter().next().ok_or(Error::NotFound)
}

/// The newest first.
pub fn list(db: &Db<'_>, scope: &Scope, reference: &Reference, after: u32, limit: u32) -> Result<Vec<Feedback>, Error> {
    let case: Case = stored(db, scope, reference)?.case;
    Ok(sql::feedback(db, scope, case.number, None, after, limit)?)
}

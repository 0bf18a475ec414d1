//! Versions of a case: kept for ever, compared, brought back.

use lineman_common::api::{Case, CaseDiff, CaseVersion, Restoration};

use super::super::{Error, Reference, own, stored};
use super::states::{About, edit_about};
use super::{diff, sql};
use crate::store::{Db, Tx};
use crate::web::{Actor, Scope};

/// A page, the newest first.
pub fn list(db: &Db<'_>, scope: &Scope, reference: &Reference, before: Option<u32>, limit: u32) -> Result<Vec<CaseVersion>, Error> {
    let case = internal(db, scope, reference)?;
    Ok(sql::versions(db, case.number, before, limit)?)
}

/// One version, with what it says.
pub fn one(db: &Db<'_>, scope: &Scope, reference: &Reference, version: u32) -> Result<CaseVersion, Error> {
    let case = internal(db, scope, reference)?;
    sql::version(db, case.number, version)?.ok_or(Error::NoVersion(version, case.version))
}

/// What changed from one version to another; from the one before to the newest when nothing is said.
pub fn compare(db: &Db<'_>, scope: &Scope, reference: &Reference, from: Option<u32>, to: Option<u32>) -> Result<CaseDiff, Error> {
    let case = internal(db, scope, reference)?;
    let to = to.unwrap_or(case.version);
    let from = from.unwrap_or_else(|| to.saturating_sub(1).max(1));
    let version = |version| -> Result<_, Error> { sql::version(db, case.number, version)?.ok_or(Error::NoVersion(version, case.version)) };
    let (mut from, mut to) = (version(from)?, version(to)?);
    let fields = diff::bodies(&from.body.take().unwrap_or_default(), &to.body.take().unwrap_or_default());
    Ok(CaseDiff { number: case.number, from, to, fields })
}

/// An older version as a new one: the undo of an edit. Nothing is lost, and it is reviewed like every edit.
pub fn restore(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, version: u32, said: &Restoration) -> Result<Case, Error> {
    let case = own(tx, &actor.scope(), reference)?.case;
    if version == case.version {
        return Err(Error::IsNewest(version));
    }
    let old = sql::version(tx, case.number, version)?.and_then(|old| old.body).ok_or(Error::NoVersion(version, case.version))?;
    edit_about(tx, actor, reference, &old, &About { note: said.note.clone(), restored: Some(version) })
}

/// Who reads one published case does not read what it said before it was published.
fn internal(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Case, Error> {
    if !scope.sees_internal() {
        return Err(Error::NotFound);
    }
    Ok(stored(db, scope, reference)?.case)
}

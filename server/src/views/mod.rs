//! Saved views: a list, a query and a name, with how many fit now.
//!
//! Everybody has views of their own, and begins with three of them (a trigger on `person` makes them). Duty managers and admins may share
//! one with everybody at the support centre. A carrier's people see no shared ones: a view may name other customers.
//!
//! Counts are bounded and kept ([`counts`]): many browsers that hear of one change ask for the same numbers at the same moment.

mod counts;
pub mod http;
mod sql;
#[cfg(test)]
mod tests;

use lineman_common::Printable;
use lineman_common::api::{EditView, EquipmentSort, FaultSort, NewView, SavedView, ViewList};
use lineman_common::id::ViewId;
use lineman_common::people::Role;

use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError};

pub use counts::Counts;

const LONGEST_NAME: usize = 60;
/// Of one person.
const MOST_VIEWS: u32 = 100;
/// Who shares views, and changes shared ones.
const SHARERS: &[Role] = &[Role::DutyManager, Role::Admin];

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such view")]
    NotFound,
    #[error("you have a view named `{0}` of that list already")]
    Taken(Printable),
    #[error("the name must have 1 to {LONGEST_NAME} visible characters")]
    BadName,
    #[error("`{0}` is no order of that list: {1}")]
    BadSort(String, String),
    #[error("nobody has more than {MOST_VIEWS} views: delete one first")]
    TooMany,
    #[error("{}", .0.message())]
    Query(ApiError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::Query(error)
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("view"),
            Error::Taken(_) => Self::conflict(error.to_string()),
            Error::BadName | Error::BadSort(..) | Error::TooMany => Self::invalid(error.to_string()),
            Error::Query(error) => error,
            Error::Store(error) => error.into(),
        }
    }
}

/// The caller's own, then those that are shared.
pub fn list(db: &Db<'_>, actor: &Actor) -> Result<Vec<SavedView>, StoreError> {
    sql::list(db, actor)
}

/// A view that the caller may see.
pub fn get(db: &Db<'_>, actor: &Actor, id: ViewId) -> Result<SavedView, Error> {
    sql::get(db, actor, id)?.ok_or(Error::NotFound)
}

/// What is wrong with the query of a view that is to be saved. Saving itself does not look at it again: what takes long to find out is
/// for a reader's thread.
pub fn check(db: &Db<'_>, actor: &Actor, new: &NewView) -> Result<(), Error> {
    Ok(counts::check(db, actor, new.list, new.query.raw())?)
}

/// The same of a change.
pub fn check_edit(db: &Db<'_>, actor: &Actor, id: ViewId, edit: &EditView) -> Result<(), Error> {
    let view = get(db, actor, id)?;
    must_be_theirs(actor, &view)?;
    match &edit.query {
        Some(query) => Ok(counts::check(db, actor, view.list, query.raw())?),
        None => Ok(()),
    }
}

/// Its query was checked.
pub fn add(tx: &mut Tx<'_>, actor: &Actor, new: NewView) -> Result<SavedView, Error> {
    let name = name_of(&new.name)?;
    must_share(actor, new.shared)?;
    let sort = sort_of(new.list, new.sort)?;
    let (views, last) = sql::held(tx, actor)?;
    if views >= MOST_VIEWS {
        return Err(Error::TooMany);
    }
    let view = SavedView {
        id: ViewId::new(),
        name,
        built_in: None,
        list: new.list,
        query: new.query,
        sort,
        shared: new.shared,
        owner: actor.name.to_string(),
        yours: true,
        position: new.position.unwrap_or(last.saturating_add(1)),
        count: None,
        problem: None,
    };
    if !sql::put(tx, actor, &view)? {
        return Err(Error::Taken(view.name));
    }
    Ok(view)
}

/// Its query was checked.
pub fn edit(tx: &mut Tx<'_>, actor: &Actor, id: ViewId, edit: EditView) -> Result<SavedView, Error> {
    let mut view = get(tx, actor, id)?;
    must_be_theirs(actor, &view)?;
    if let Some(name) = edit.name {
        let name = name_of(&name)?;
        // Renamed it is nothing that the console knows a name for.
        view.built_in = view.built_in.filter(|_| name == view.name);
        view.name = name;
    }
    view.query = edit.query.unwrap_or(view.query);
    if let Some(sort) = edit.sort {
        view.sort = sort_of(view.list, Some(sort).filter(|sort| !sort.is_empty()))?;
    }
    view.shared = edit.shared.unwrap_or(view.shared);
    // Also what was shared before: its owner may have been a manager then.
    must_share(actor, view.shared)?;
    view.position = edit.position.unwrap_or(view.position);
    if !sql::change(tx, &view)? {
        return Err(Error::Taken(view.name));
    }
    // Not read again: who takes another's view back from the others sees it no more.
    Ok(view)
}

pub fn delete(tx: &mut Tx<'_>, actor: &Actor, id: ViewId) -> Result<SavedView, Error> {
    let view = get(tx, actor, id)?;
    must_be_theirs(actor, &view)?;
    sql::delete(tx, id)?;
    Ok(view)
}

fn name_of(name: &Printable) -> Result<Printable, Error> {
    let name = name.raw().trim();
    let visible = |c: char| !c.is_whitespace() && !c.is_control() && !lineman_common::printable::is_invisible(c);
    let is_good = name.contains(visible) && !name.contains(char::is_control) && name.chars().count() <= LONGEST_NAME;
    if is_good { Ok(Printable::new(name)) } else { Err(Error::BadName) }
}

fn must_share(actor: &Actor, shared: bool) -> Result<(), ApiError> {
    if shared { actor.must_be(SHARERS, "share views") } else { Ok(()) }
}

fn must_be_theirs(actor: &Actor, view: &SavedView) -> Result<(), ApiError> {
    if view.yours { Ok(()) } else { actor.must_be(SHARERS, "change shared views") }
}

fn sort_of(list: ViewList, sort: Option<String>) -> Result<Option<String>, Error> {
    let Some(sort) = sort else { return Ok(None) };
    let words = match list {
        ViewList::Faults => FaultSort::WORDS,
        ViewList::Equipment => EquipmentSort::WORDS,
        ViewList::Alarms | ViewList::Sessions | ViewList::Consents | ViewList::Cases => &[],
    };
    if words.contains(&sort.as_str()) {
        return Ok(Some(sort));
    }
    let right = if words.is_empty() { "it has only one".to_owned() } else { format!("one of {}", words.join(", ")) };
    Err(Error::BadSort(lineman_common::printable::escape(&sort).clone(), right))
}

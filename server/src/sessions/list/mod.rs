//! The list, a page at a time, the newest first: what `q` asks for, and what a row shows.

mod sql;

use lineman_common::api::{Listing, SessionRow, SessionState, ViewCount};
use lineman_common::id::{FaultId, SessionId};
use lineman_common::query::Key;

use crate::store::Db;
use crate::web::asked::Ask;
use crate::web::{ApiError, Scope};

/// More are not counted for a list.
const MOST_COUNTED: u32 = 10_000;

/// The keys of `q`.
pub fn keys() -> Vec<Key> {
    sql::FIELDS.iter().map(|field| field.key).collect()
}

/// What a list is narrowed to besides `q`, and which page.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub fault: Option<FaultId>,
    pub state: Option<SessionState>,
    pub after: Option<SessionId>,
    pub limit: u32,
}

pub fn after(text: Option<&str>) -> Result<Option<SessionId>, ApiError> {
    text.map(|text| text.parse().map_err(|_| ApiError::invalid("`after` is not the `next` of a page"))).transpose()
}

pub fn page(db: &Db<'_>, scope: &Scope, ask: &Ask, filter: &Filter) -> Result<Listing<SessionRow>, ApiError> {
    let items = sql::page(db, scope, ask, filter)?;
    let is_full = items.len() == filter.limit as usize;
    let mut listing = Listing::empty(db.now());
    if filter.after.is_none() {
        let counted = if is_full { sql::count(db, scope, ask, filter, MOST_COUNTED)? } else { items.len() as u64 };
        let is_all = counted <= u64::from(MOST_COUNTED);
        listing.total = Some(counted).filter(|_| is_all);
        listing.total_at_least = (!is_all).then_some(u64::from(MOST_COUNTED));
    }
    listing.next = items.last().filter(|_| is_full).map(|last| last.session.id.to_string());
    listing.searched = sql::SEARCHED.iter().map(|(name, _)| (*name).to_owned()).collect();
    Ok(Listing { items, ..listing })
}

/// What is wrong with a question; it is not asked.
pub fn check(db: &Db<'_>, scope: &Scope, ask: &Ask) -> Result<(), ApiError> {
    sql::conditions(db, scope, ask, &Filter::default()).map(drop)
}

/// How many a query finds, counted up to `most`.
pub fn count(db: &Db<'_>, scope: &Scope, ask: &Ask, most: u32) -> Result<ViewCount, ApiError> {
    let count = sql::count(db, scope, ask, &Filter::default(), most)?;
    Ok(ViewCount { count: count.min(u64::from(most)), or_more: count > u64::from(most) })
}

/// Does the count of a query change without anything happening?
pub fn moves(ask: &Ask) -> bool {
    ask.moves(sql::FIELDS)
}

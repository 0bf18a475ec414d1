//! What `q` asks of the alarm list.

mod sql;

use lineman_common::alarm::ResourceState;
use lineman_common::api::ViewCount;
use lineman_common::query::{Key, Test};

use super::Filter;
use crate::store::Db;
use crate::web::asked::{self, Ask, Conditions};
use crate::web::{ApiError, Scope};

pub use sql::SEARCHED;

/// The keys of `q`.
pub fn keys() -> Vec<Key> {
    sql::FIELDS.iter().map(|field| field.key).collect()
}

/// The conditions of `q`, which each line is held against.
pub fn conditions(db: &Db<'_>, ask: &Ask) -> Result<Conditions, ApiError> {
    let mut all = Conditions::default();
    ask.conditions(sql::FIELDS, db.now(), &mut all)?;
    ask.texts().for_each(|text| all.contains(&SEARCHED.map(|(_, column)| column), text));
    Ok(all)
}

/// The one state that `q` asks for: then the others need not be looked at.
pub fn state(ask: &Ask) -> Option<ResourceState> {
    ask.query.filters().find_map(|filter| match &filter.test {
        Test::AnyOf(values) if filter.key == "state" && !filter.negate && values.len() == 1 => {
            asked::alarm_state(&values[0]).ok()?.first()?.parse().ok()
        }
        Test::AnyOf(_) | Test::Compare(..) => None,
    })
}

/// How many a query finds among the entries that a page looks at, counted up to `most`.
pub fn count(db: &Db<'_>, scope: &Scope, ask: &Ask, most: u32) -> Result<ViewCount, ApiError> {
    let filter = Filter { state: state(ask), asked: conditions(db, ask)?, limit: most, ..Filter::default() };
    let (count, or_more) = super::list::count(db, scope, &filter)?;
    Ok(ViewCount { count, or_more })
}

/// Does the count of a query change without anything happening?
pub fn moves(ask: &Ask) -> bool {
    ask.moves(sql::FIELDS)
}

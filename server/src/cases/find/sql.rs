use std::collections::HashSet;

use jiff::Timestamp;
use lineman_common::api::{CaseState, FlagKind, LinkVerdict};
use lineman_common::name::CaseNumber;
use rusqlite::{OptionalExtension, params};
use serde::de::DeserializeOwned;

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// What the order of hits needs of a case.
pub struct Facts {
    pub state: CaseState,
    pub confirmed_at: Timestamp,
    pub solved: u32,
    pub helped: u32,
    pub wrong: u32,
}

/// Nothing when the scope may not see the case, whatever the index says of it.
pub fn facts(db: &Db<'_>, scope: &Scope, number: CaseNumber) -> Result<Option<Facts>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT state, confirmed_at, EXISTS (SELECT 1 FROM library_link l WHERE l.number = c.number)
         FROM library_case c INDEXED BY library_case_facts WHERE number = ?2 AND (?1 IS NULL OR (state = 'validated' AND audience = 'customer'))",
    )?;
    let facts = statement.query_row(params![scope.customer(), number.0], |row| {
        let (state, confirmed_at) = (row.get::<_, Text<_>>(0)?.0, row.get::<_, At>(1)?.0);
        Ok((Facts { state, confirmed_at, solved: 0, helped: 0, wrong: 0 }, row.get(2)?))
    });
    let Some((mut facts, is_linked)) = facts.optional()? else { return Ok(None) };
    // Most cases were never linked.
    if is_linked {
        count_links(db, number, &mut facts)?;
    }
    Ok(Some(facts))
}

fn count_links(db: &Db<'_>, number: CaseNumber, facts: &mut Facts) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT verdict, count(*) FROM library_link WHERE number = ?1 GROUP BY verdict")?;
    let counts = statement.query_map([number.0], |row| Ok((row.get::<_, Text<LinkVerdict>>(0)?.0, row.get(1)?)))?;
    for count in counts {
        match count? {
            (LinkVerdict::Solved, links) => facts.solved = links,
            (LinkVerdict::Helped, links) => facts.helped = links,
            (LinkVerdict::Wrong, links) => facts.wrong = links,
        }
    }
    Ok(())
}

/// For how many faults of the scope a case was the solution: what a customer's people may know of it.
pub fn solved_for(db: &Db<'_>, scope: &Scope, number: CaseNumber) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM library_link l JOIN fault f ON f.id = l.fault
               WHERE l.number = ?2 AND l.verdict = 'solved' AND (?1 IS NULL OR f.customer = ?1)";
    Ok(db.sql().prepare_cached(sql)?.query_row(params![scope.customer(), number.0], |row| row.get(0))?)
}

/// A case of which [`facts`] were read, whole or in part.
pub fn body<T: DeserializeOwned>(db: &Db<'_>, number: CaseNumber) -> Result<T, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM library_case WHERE number = ?1")?;
    Ok(statement.query_row([number.0], |row| Ok(row.get::<_, Json<T>>(0)?.0))?)
}

/// Cases with an open doubt of one of these kinds.
pub fn flagged(db: &Db<'_>, kinds: &[FlagKind]) -> Result<HashSet<u32>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT number FROM library_flag WHERE kind = ?1 AND closed_at IS NULL")?;
    let mut numbers = HashSet::new();
    for kind in kinds {
        for number in statement.query_map([Text(kind)], |row| row.get::<_, u32>(0))? {
            numbers.insert(number?);
        }
    }
    Ok(numbers)
}

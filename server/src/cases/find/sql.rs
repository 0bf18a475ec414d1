use jiff::Timestamp;
use lineman_common::api::{CaseBody, CaseState};
use lineman_common::name::CaseNumber;
use rusqlite::{OptionalExtension, params};

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// What the order of hits, and showing them, needs of a case.
pub struct Facts {
    pub body: CaseBody,
    pub state: CaseState,
    pub confirmed_at: Timestamp,
    pub solved: u32,
    pub helped: u32,
    pub wrong: u32,
}

/// Nothing when the scope may not see the case, whatever the index says of it.
pub fn facts(db: &Db<'_>, scope: &Scope, number: CaseNumber) -> Result<Option<Facts>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT c.body, c.state, c.confirmed_at,
            (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'solved'),
            (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'helped'),
            (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'wrong')
         FROM library_case c WHERE c.number = ?2 AND (?1 IS NULL OR (c.state = 'validated' AND c.audience = 'customer'))",
    )?;
    let facts = statement.query_row(params![scope.customer(), number.0], |row| {
        Ok(Facts {
            body: row.get::<_, Json<_>>(0)?.0,
            state: row.get::<_, Text<_>>(1)?.0,
            confirmed_at: row.get::<_, At>(2)?.0,
            solved: row.get(3)?,
            helped: row.get(4)?,
            wrong: row.get(5)?,
        })
    });
    Ok(facts.optional()?)
}

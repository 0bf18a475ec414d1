//! Cases as rows: whatever the room does to them, the index hears of it by the database alone.

use lineman_common::api::{Audience, CaseBody, CaseState};
use lineman_common::id::CaseId;
use lineman_common::name::CaseNumber;
use rusqlite::params;

use crate::store::value::{Json, Text};
use crate::store::{Db, StoreError};

pub fn add(db: &Db<'_>, state: CaseState, audience: Audience, body: &CaseBody) -> Result<CaseNumber, StoreError> {
    let sql = "INSERT INTO library_case(id, state, audience, body, author, editor, version, created_at, updated_at)
               VALUES (?1, ?2, ?3, ?4, 'author-a', 'author-a', 1, 0, 0)";
    let number = db.sql().prepare_cached(sql)?.insert(params![Text(CaseId::new()), Text(state), Text(audience), Json(body)])?;
    Ok(CaseNumber(u32::try_from(number).unwrap()))
}

pub fn set(db: &Db<'_>, number: CaseNumber, state: CaseState, audience: Audience, body: &CaseBody) -> Result<(), StoreError> {
    let sql = "UPDATE library_case SET state = ?2, audience = ?3, body = ?4 WHERE number = ?1";
    db.sql().prepare_cached(sql)?.execute(params![number.0, Text(state), Text(audience), Json(body)])?;
    Ok(())
}

pub fn delete(db: &Db<'_>, number: CaseNumber) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM library_case WHERE number = ?1")?.execute([number.0])?;
    Ok(())
}

pub fn outbox(db: &Db<'_>) -> Result<u32, StoreError> {
    Ok(db.sql().prepare_cached("SELECT count(*) FROM case_outbox")?.query_row([], |row| row.get(0))?)
}

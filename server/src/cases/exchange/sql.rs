use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{CaseBody, CaseState};
use lineman_common::id::CaseId;
use lineman_common::name::{CaseNumber, PersonName};
use rusqlite::{OptionalExtension, Params, Row, params};

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// A case as the library holds it.
#[derive(Clone, Debug)]
pub struct Held {
    pub id: CaseId,
    pub number: CaseNumber,
    pub state: CaseState,
    pub version: u32,
    pub body: CaseBody,
    pub updated_at: Timestamp,
    pub same_as: Option<CaseNumber>,
}

/// Another system's name for a case: `source` and `key`.
pub type Named = Option<(Printable, Printable)>;

const HELD: &str = "SELECT c.id, c.number, c.state, c.version, c.body, c.updated_at, c.same_as FROM library_case c";

fn held(row: &Row<'_>) -> rusqlite::Result<Held> {
    Ok(Held {
        id: row.get::<_, Text<_>>(0)?.0,
        number: CaseNumber(row.get(1)?),
        state: row.get::<_, Text<_>>(2)?.0,
        version: row.get(3)?,
        body: row.get::<_, Json<_>>(4)?.0,
        updated_at: row.get::<_, At>(5)?.0,
        same_as: row.get::<_, Option<u32>>(6)?.map(CaseNumber),
    })
}

fn one(db: &Db<'_>, condition: &str, params: impl Params) -> Result<Option<Held>, StoreError> {
    Ok(db.sql().prepare_cached(&format!("{HELD} WHERE {condition}"))?.query_row(params, held).optional()?)
}

pub fn by_id(db: &Db<'_>, id: CaseId) -> Result<Option<Held>, StoreError> {
    one(db, "c.id = ?1", [Text(id)])
}

pub fn by_number(db: &Db<'_>, number: CaseNumber) -> Result<Option<Held>, StoreError> {
    one(db, "c.number = ?1", [number.0])
}

/// The case that another system's key stands for, and its version when it was last imported.
pub fn by_source(db: &Db<'_>, source: &str, key: &str) -> Result<Option<(Held, u32)>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT number, version FROM library_source WHERE source = ?1 AND key = ?2")?;
    let found = statement.query_row([source, key], |row| Ok((CaseNumber(row.get(0)?), row.get(1)?))).optional()?;
    let Some((number, version)) = found else { return Ok(None) };
    Ok(by_number(db, number)?.map(|held| (held, version)))
}

pub fn put_source(db: &Db<'_>, source: &str, key: &str, number: CaseNumber, version: u32, by: &PersonName) -> Result<(), StoreError> {
    let sql = "INSERT INTO library_source VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(source, key)
        DO UPDATE SET number = excluded.number, version = excluded.version, person = excluded.person, at = excluded.at";
    db.sql().prepare_cached(sql)?.execute(params![source, key, number.0, version, Text(by), At(db.now())])?;
    Ok(())
}

/// What a case said in one of its versions.
pub fn version(db: &Db<'_>, number: CaseNumber, version: u32) -> Result<Option<CaseBody>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM library_version WHERE number = ?1 AND version = ?2")?;
    Ok(statement.query_row([number.0, version], |row| Ok(row.get::<_, Json<_>>(0)?.0)).optional()?)
}

/// By number, rising; a carrier's people get what is published for them. With the name that another system has for the case; keys that
/// the import made itself (`own`) are nobody's name for it.
pub fn page(db: &Db<'_>, scope: &Scope, own: [&str; 2], after: CaseNumber, limit: u32) -> Result<Vec<(Held, Named)>, StoreError> {
    let sql = "SELECT c.id, c.number, c.state, c.version, c.body, c.updated_at, c.same_as, s.source, s.key
        FROM library_case c LEFT JOIN library_source s ON s.number = c.number AND ?1 IS NULL AND (s.source, s.key) =
            (SELECT min(m.source), m.key FROM library_source m WHERE m.number = c.number AND m.source NOT IN (?2, ?3))
        WHERE (?1 IS NULL OR (c.state = 'validated' AND c.audience = 'customer')) AND c.number > ?4 ORDER BY c.number LIMIT ?5";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![scope.customer(), own[0], own[1], after.0, limit], |row| {
        let named = match (row.get::<_, Option<String>>(7)?, row.get::<_, Option<String>>(8)?) {
            (Some(source), Some(key)) => Some((source.into(), key.into())),
            _ => None,
        };
        Ok((held(row)?, named))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

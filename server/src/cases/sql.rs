use lineman_common::api::{Case, CaseBody, CaseState, LinkVerdict};
use lineman_common::id::{CaseId, FaultId};
use lineman_common::name::{CaseNumber, FaultNumber, PersonName};
use rusqlite::{OptionalExtension, Params, Row, params};

use super::search::Entry;
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// A case, and what of it is not for showing.
pub struct Stored {
    pub case: Case,
    /// Who wrote the newest version.
    pub editor: PersonName,
}

/// What the order of hits needs of a case.
pub struct Facts {
    pub body: CaseBody,
    pub state: CaseState,
    pub solved: u32,
    pub helped: u32,
    pub wrong: u32,
}

/// What a carrier's people may see of the library; the support centre sees all. `?1` is the scope's customer.
const VISIBLE: &str = "(?1 IS NULL OR (c.state = 'validated' AND c.audience = 'customer'))";

/// A source fault shows only to those who may know of the fault.
const CASE: &str = "SELECT c.id, c.number, c.state, c.body, c.author, c.reviewer, c.version, c.created_at, c.updated_at, c.editor,
    (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'solved'),
    (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'helped'),
    (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'wrong'),
    k.code, f.serial
    FROM library_case c
    LEFT JOIN fault f ON f.id = c.source_fault AND (?1 IS NULL OR f.customer = ?1)
    LEFT JOIN customer k ON k.id = f.customer";

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let source_fault = match (row.get::<_, Option<Text<_>>>(13)?, row.get(14)?) {
        (Some(Text(customer)), Some(serial)) => Some(FaultNumber { customer, serial }),
        _ => None,
    };
    let case = Case {
        id: row.get::<_, Text<_>>(0)?.0,
        number: CaseNumber(row.get(1)?),
        state: row.get::<_, Text<_>>(2)?.0,
        body: row.get::<_, Json<_>>(3)?.0,
        source_fault,
        author: row.get::<_, Text<_>>(4)?.0,
        reviewer: row.get::<_, Option<Text<_>>>(5)?.map(|text| text.0),
        version: row.get(6)?,
        created_at: row.get::<_, At>(7)?.0,
        updated_at: row.get::<_, At>(8)?.0,
        solved: row.get(10)?,
        helped: row.get(11)?,
        wrong: row.get(12)?,
    };
    Ok(Stored { case, editor: row.get::<_, Text<_>>(9)?.0 })
}

fn one(db: &Db<'_>, condition: &str, params: impl Params) -> Result<Option<Stored>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{CASE} WHERE {VISIBLE} AND {condition}"))?;
    Ok(statement.query_row(params, stored).optional()?)
}

pub fn by_number(db: &Db<'_>, scope: &Scope, number: CaseNumber) -> Result<Option<Stored>, StoreError> {
    one(db, "c.number = ?2", params![scope.customer(), number.0])
}

pub fn by_id(db: &Db<'_>, scope: &Scope, id: CaseId) -> Result<Option<Stored>, StoreError> {
    one(db, "c.id = ?2", params![scope.customer(), Text(id)])
}

/// The case that was drafted from a fault, if there is one.
pub fn by_source(db: &Db<'_>, fault: FaultId) -> Result<Option<CaseNumber>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT min(number) FROM library_case WHERE source_fault = ?1")?;
    Ok(statement.query_row([Text(fault)], |row| row.get::<_, Option<u32>>(0))?.map(CaseNumber))
}

/// By number, rising, after `after`.
pub fn list(db: &Db<'_>, scope: &Scope, state: Option<CaseState>, after: u32, limit: u32) -> Result<Vec<Case>, StoreError> {
    let sql = format!("{CASE} WHERE {VISIBLE} AND c.number > ?2 AND (?3 IS NULL OR c.state = ?3) ORDER BY c.number LIMIT ?4");
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![scope.customer(), after, state.map(Text), limit], |row| Ok(stored(row)?.case))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Validated cases, newest first.
pub fn newest(db: &Db<'_>, scope: &Scope, limit: u32) -> Result<Vec<Case>, StoreError> {
    let sql = format!("{CASE} WHERE {VISIBLE} AND c.state = 'validated' ORDER BY c.updated_at DESC, c.number DESC LIMIT ?2");
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![scope.customer(), limit], |row| Ok(stored(row)?.case))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is new about a case, for its first row.
pub struct NewCase<'a> {
    pub id: CaseId,
    pub state: CaseState,
    pub body: &'a CaseBody,
    pub source_fault: Option<FaultId>,
    pub author: &'a PersonName,
}

pub fn insert(db: &Db<'_>, new: &NewCase<'_>) -> Result<CaseNumber, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "INSERT INTO library_case(id, state, audience, body, source_fault, author, editor, version, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 1, ?7, ?7)",
    )?;
    let (audience, now) = (Text(new.body.audience), At(db.now()));
    let number = statement.insert(params![
        Text(new.id),
        Text(new.state),
        audience,
        Json(new.body),
        new.source_fault.map(Text),
        Text(new.author),
        now
    ])?;
    let number = CaseNumber(u32::try_from(number).map_err(|_| StoreError::Corrupt(format!("case number {number}")))?);
    insert_version(db, number, 1, new.body, new.author)?;
    Ok(number)
}

fn insert_version(db: &Db<'_>, number: CaseNumber, version: u32, body: &CaseBody, editor: &PersonName) -> Result<(), StoreError> {
    db.sql().prepare_cached("INSERT INTO library_version VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        number.0,
        version,
        Json(body),
        Text(editor),
        At(db.now())
    ])?;
    Ok(())
}

/// A new version; what was reviewed before is no longer.
pub fn edit(db: &Db<'_>, case: &Case, state: CaseState, body: &CaseBody, editor: &PersonName) -> Result<(), StoreError> {
    let version = case.version + 1;
    let sql = "UPDATE library_case SET state = ?2, audience = ?3, body = ?4, editor = ?5, reviewer = NULL, version = ?6, updated_at = ?7 WHERE number = ?1";
    db.sql().prepare_cached(sql)?.execute(params![
        case.number.0,
        Text(state),
        Text(body.audience),
        Json(body),
        Text(editor),
        version,
        At(db.now())
    ])?;
    insert_version(db, case.number, version, body, editor)
}

pub fn set_state(db: &Db<'_>, number: CaseNumber, state: CaseState, reviewer: Option<&PersonName>) -> Result<(), StoreError> {
    db.sql()
        .prepare_cached("UPDATE library_case SET state = ?2, reviewer = coalesce(?3, reviewer), updated_at = ?4 WHERE number = ?1")?
        .execute(params![number.0, Text(state), reviewer.map(Text), At(db.now())])?;
    Ok(())
}

/// One verdict for each case and fault: a second one takes the first one's place.
pub fn put_link(db: &Db<'_>, number: CaseNumber, fault: FaultId, verdict: LinkVerdict, person: &PersonName) -> Result<(), StoreError> {
    let sql = "INSERT INTO library_link VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT(number, fault) DO UPDATE SET verdict = excluded.verdict, person = excluded.person, at = excluded.at";
    db.sql().prepare_cached(sql)?.execute(params![number.0, Text(fault), Text(verdict), Text(person), At(db.now())])?;
    Ok(())
}

// The index.

/// Which of its columns a term may stand in.
#[derive(Clone, Copy)]
pub enum Columns {
    All,
    Code,
    Equipment,
}

/// What a term of the index matches.
pub struct Matching {
    /// Cases with it, whoever may see them.
    pub cases: u32,
    /// Those that the scope may see, with SQLite's score: the lower, the better.
    pub visible: Vec<(u32, f64)>,
}

/// Of the columns in their order. They weigh like 8 : 3 : 3 : 2 : 1 : 0.7; all are 0.4 of that, since a weight multiplies how often
/// a term is there, and with larger ones a single mention already counts almost as much as many.
const WEIGHTS: &str = "3.2, 1.2, 1.2, 0.8, 0.4, 0.28";

pub fn put_entry(db: &Db<'_>, number: CaseNumber, entry: &Entry) -> Result<(), StoreError> {
    drop_entry(db, number)?;
    db.sql()
        .prepare_cached(
            "INSERT INTO library_index(rowid, code, equipment, title, symptom, cause, rest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![number.0, entry.code, entry.equipment, entry.title, entry.symptom, entry.cause, entry.rest])?;
    Ok(())
}

pub fn drop_entry(db: &Db<'_>, number: CaseNumber) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM library_index WHERE rowid = ?1")?.execute([number.0])?;
    Ok(())
}

/// How many cases the index holds.
pub fn indexed(db: &Db<'_>) -> Result<u32, StoreError> {
    Ok(db.sql().prepare_cached("SELECT count(*) FROM library_case WHERE state <> 'archived'")?.query_row([], |row| row.get(0))?)
}

/// How many cases have a term.
pub fn cases_with(db: &Db<'_>, term: &str) -> Result<u32, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT doc FROM library_terms WHERE term = ?1")?;
    Ok(statement.query_row([term], |row| row.get(0)).optional()?.unwrap_or(0))
}

pub fn matching(db: &Db<'_>, scope: &Scope, columns: Columns, expression: &str) -> Result<Matching, StoreError> {
    let expression = match columns {
        Columns::All => expression.to_owned(),
        Columns::Code => format!("code : {expression}"),
        Columns::Equipment => format!("equipment : {expression}"),
    };
    let mut statement = db.sql().prepare_cached(&format!(
        "SELECT c.number, bm25(library_index, {WEIGHTS}), {VISIBLE}
         FROM library_index JOIN library_case c ON c.number = library_index.rowid WHERE library_index MATCH ?2"
    ))?;
    let mut rows = statement.query(params![scope.customer(), expression])?;
    let mut matching = Matching { cases: 0, visible: Vec::new() };
    while let Some(row) = rows.next()? {
        matching.cases += 1;
        if row.get(2)? {
            matching.visible.push((row.get(0)?, row.get(1)?));
        }
    }
    Ok(matching)
}

pub fn is_visible(db: &Db<'_>, scope: &Scope, number: CaseNumber) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("SELECT 1 FROM library_case c WHERE {VISIBLE} AND c.number = ?2"))?;
    Ok(statement.exists(params![scope.customer(), number.0])?)
}

/// For numbers that [`matching`] found visible.
pub fn facts(db: &Db<'_>, number: CaseNumber) -> Result<Option<Facts>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT c.body, c.state,
            (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'solved'),
            (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'helped'),
            (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'wrong')
         FROM library_case c WHERE c.number = ?1",
    )?;
    let facts = statement.query_row([number.0], |row| {
        Ok(Facts {
            body: row.get::<_, Json<_>>(0)?.0,
            state: row.get::<_, Text<_>>(1)?.0,
            solved: row.get(2)?,
            helped: row.get(3)?,
            wrong: row.get(4)?,
        })
    });
    Ok(facts.optional()?)
}

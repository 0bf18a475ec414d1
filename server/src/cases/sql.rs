use lineman_common::api::{Case, CaseBody, CaseState, FlagKind, Review, ReviewWhy};
use lineman_common::id::{CaseId, FaultId};
use lineman_common::name::{CaseNumber, FaultNumber, PersonName};
use rusqlite::{OptionalExtension, Params, Row, params};

use super::life::Marks;
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// A case, and what of it is not for showing.
pub struct Stored {
    pub case: Case,
    /// Who wrote the newest version.
    pub editor: PersonName,
    pub marks: Marks,
    /// What it was before it was archived, or became a duplicate.
    pub before: Option<CaseState>,
}

/// What a carrier's people may see of the library; the support centre sees all. `?1` is the scope's customer.
const VISIBLE: &str = "(?1 IS NULL OR (c.state = 'validated' AND c.audience = 'customer'))";

/// Which links count: a customer's people learn nothing of others' faults.
const COUNTS: &str = "(?1 IS NULL OR l.fault IN (SELECT o.id FROM fault o WHERE o.customer = ?1))";

/// A source fault shows only to those who may know of the fault.
const CASE: &str = "SELECT c.id, c.number, c.state, c.body, c.author, c.reviewer, c.version, c.created_at, c.updated_at, c.editor,
    (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'solved' AND {counts}),
    (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'helped' AND {counts}),
    (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict = 'wrong' AND {counts}),
    k.code, f.serial, c.owner, c.confirmed_at, c.published_at, c.same_as, c.state_before, c.returned, c.marks,
    (SELECT group_concat(DISTINCT g.kind) FROM library_flag g WHERE g.number = c.number AND g.closed_at IS NULL),
    (WITH RECURSIVE tree(number) AS (SELECT d.number FROM library_case d WHERE d.same_as = c.number
            UNION ALL SELECT d.number FROM tree JOIN library_case d ON d.same_as = tree.number)
        SELECT group_concat(number) FROM tree),
    r.since, r.why, r.claimed_by, r.claimed_at
    FROM library_case c
    LEFT JOIN fault f ON f.id = c.source_fault AND (?1 IS NULL OR f.customer = ?1)
    LEFT JOIN customer k ON k.id = f.customer
    LEFT JOIN library_review r ON r.number = c.number AND c.state = 'not_validated'";

fn case() -> String {
    CASE.replace("{counts}", COUNTS)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let source_fault = match (row.get::<_, Option<Text<_>>>(13)?, row.get(14)?) {
        (Some(Text(customer)), Some(serial)) => Some(FaultNumber { customer, serial }),
        _ => None,
    };
    let (body, marks): (CaseBody, Marks) = (row.get::<_, Json<_>>(3)?.0, row.get::<_, Json<_>>(21)?.0);
    let case = Case {
        id: row.get::<_, Text<_>>(0)?.0,
        number: CaseNumber(row.get(1)?),
        state: row.get::<_, Text<_>>(2)?.0,
        source_fault,
        author: row.get::<_, Text<_>>(4)?.0,
        reviewer: row.get::<_, Option<Text<_>>>(5)?.map(|text| text.0),
        version: row.get(6)?,
        created_at: row.get::<_, At>(7)?.0,
        updated_at: row.get::<_, At>(8)?.0,
        solved: row.get(10)?,
        helped: row.get(11)?,
        wrong: row.get(12)?,
        owner: row.get::<_, Text<_>>(15)?.0,
        confirmed_at: row.get::<_, At>(16)?.0,
        published_at: row.get::<_, Option<At>>(17)?.map(|at| at.0),
        flags: flags(row.get(22)?)?,
        review: review(row)?,
        returned: row.get::<_, Option<Json<_>>>(20)?.map(|json| json.0),
        same_as: row.get::<_, Option<u32>>(18)?.map(CaseNumber),
        duplicates: numbers(row.get(23)?),
        to_translate: marks.to_translate(&body),
        asked_as: None,
        body,
    };
    Ok(Stored { case, editor: row.get::<_, Text<_>>(9)?.0, marks, before: row.get::<_, Option<Text<_>>>(19)?.map(|text| text.0) })
}

fn review(row: &Row<'_>) -> rusqlite::Result<Option<Review>> {
    let Some(since) = row.get::<_, Option<At>>(24)? else { return Ok(None) };
    Ok(Some(Review {
        since: since.0,
        why: row.get::<_, Text<_>>(25)?.0,
        claimed_by: row.get::<_, Option<Text<_>>>(26)?.map(|text| text.0),
        claimed_at: row.get::<_, Option<At>>(27)?.map(|at| at.0),
    }))
}

fn flags(kinds: Option<String>) -> rusqlite::Result<Vec<FlagKind>> {
    let kinds = kinds.unwrap_or_default();
    let parsed = kinds.split(',').filter(|kind| !kind.is_empty()).map(str::parse).collect::<Result<Vec<_>, _>>();
    let unknown = |e| rusqlite::Error::FromSqlConversionFailure(22, rusqlite::types::Type::Text, Box::new(e));
    let mut flags = parsed.map_err(unknown)?;
    flags.sort();
    Ok(flags)
}

fn numbers(list: Option<String>) -> Vec<CaseNumber> {
    let mut numbers: Vec<_> = list.unwrap_or_default().split(',').filter_map(|number| number.parse().ok().map(CaseNumber)).collect();
    numbers.sort();
    numbers
}

/// What is said of a case among the support centre's people.
fn shown(scope: &Scope, stored: Stored) -> Stored {
    if scope.sees_internal() {
        return stored;
    }
    let case = Case {
        flags: Vec::new(),
        review: None,
        returned: None,
        same_as: None,
        duplicates: Vec::new(),
        to_translate: Vec::new(),
        ..stored.case
    };
    Stored { case, ..stored }
}

fn one(db: &Db<'_>, scope: &Scope, condition: &str, params: impl Params) -> Result<Option<Stored>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{} WHERE {VISIBLE} AND {condition}", case()))?;
    Ok(statement.query_row(params, stored).optional()?.map(|stored| shown(scope, stored)))
}

/// Cases that fit a condition, as the scope sees them. `?1` is the scope's customer.
pub fn many(db: &Db<'_>, scope: &Scope, rest: &str, params: impl Params) -> Result<Vec<Stored>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{} WHERE {VISIBLE} AND {rest}", case()))?;
    let rows = statement.query_map(params, |row| Ok(shown(scope, stored(row)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn by_number(db: &Db<'_>, scope: &Scope, number: CaseNumber) -> Result<Option<Stored>, StoreError> {
    one(db, scope, "c.number = ?2", params![scope.customer(), number.0])
}

pub fn by_id(db: &Db<'_>, scope: &Scope, id: CaseId) -> Result<Option<Stored>, StoreError> {
    one(db, scope, "c.id = ?2", params![scope.customer(), Text(id)])
}

/// The case that was drafted from a fault, if there is one.
pub fn by_source(db: &Db<'_>, fault: FaultId) -> Result<Option<CaseNumber>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT min(number) FROM library_case WHERE source_fault = ?1")?;
    Ok(statement.query_row([Text(fault)], |row| row.get::<_, Option<u32>>(0))?.map(CaseNumber))
}

/// What a list of the library is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<CaseState>,
    pub owner: Option<PersonName>,
    pub author: Option<PersonName>,
    pub product: Option<String>,
    pub flag: Option<FlagKind>,
    pub after: Option<CaseNumber>,
    pub limit: u32,
}

/// By number, rising. What is asked for decides which index is read.
pub fn list(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<Vec<Case>, StoreError> {
    let owner = if filter.owner.is_some() { "c.owner = ?4" } else { "?4 IS NULL" };
    let flag = match filter.flag {
        Some(_) => "?1 IS NULL AND c.number IN (SELECT g.number FROM library_flag g WHERE g.kind = ?7 AND g.closed_at IS NULL)",
        None => "?7 IS NULL",
    };
    let rest = format!(
        "c.number > ?2 AND (?3 IS NULL OR c.state = ?3) AND {owner} AND (?5 IS NULL OR c.author = ?5)
         AND (?6 IS NULL OR EXISTS (SELECT 1 FROM json_each(c.body, '$.equipment') e WHERE json_extract(e.value, '$.product') = ?6))
         AND {flag} ORDER BY c.number LIMIT ?8"
    );
    let params = params![
        scope.customer(),
        filter.after.map_or(0, |number| number.0),
        filter.state.map(Text),
        filter.owner.as_ref().map(Text),
        filter.author.as_ref().map(Text),
        filter.product,
        filter.flag.map(Text),
        filter.limit
    ];
    Ok(many(db, scope, &rest, params)?.into_iter().map(|stored| stored.case).collect())
}

/// What is new about a case, for its first row.
pub struct NewCase<'a> {
    pub id: CaseId,
    pub state: CaseState,
    pub body: &'a CaseBody,
    pub source_fault: Option<FaultId>,
    pub author: &'a PersonName,
    /// Why it waits for review, if that is its state.
    pub review: Option<ReviewWhy>,
}

pub fn insert(db: &Db<'_>, new: &NewCase<'_>) -> Result<CaseNumber, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "INSERT INTO library_case(id, state, audience, body, source_fault, author, editor, version, created_at, updated_at, owner, confirmed_at,
            marks, translate)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 1, ?7, ?7, ?6, ?7, ?8, ?9)",
    )?;
    let (audience, now, marks) = (Text(new.body.audience), At(db.now()), Marks::of_first(new.body));
    let number = statement.insert(params![
        Text(new.id),
        Text(new.state),
        audience,
        Json(new.body),
        new.source_fault.map(Text),
        Text(new.author),
        now,
        Json(&marks),
        marks.queue(new.body)
    ])?;
    let number = CaseNumber(u32::try_from(number).map_err(|_| StoreError::Corrupt(format!("case number {number}")))?);
    insert_version(db, number, &NewVersion { version: 1, body: new.body, editor: new.author, note: "", restored: None })?;
    if let Some(why) = new.review {
        wait_for_review(db, number, why)?;
    }
    Ok(number)
}

/// A version to be kept.
pub struct NewVersion<'a> {
    pub version: u32,
    pub body: &'a CaseBody,
    pub editor: &'a PersonName,
    pub note: &'a str,
    /// The older version that it brings back.
    pub restored: Option<u32>,
}

fn insert_version(db: &Db<'_>, number: CaseNumber, new: &NewVersion<'_>) -> Result<(), StoreError> {
    let sql = "INSERT INTO library_version(number, version, body, editor, at, note, restored) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (body, editor) = (Json(new.body), Text(new.editor));
    db.sql().prepare_cached(sql)?.execute(params![number.0, new.version, body, editor, At(db.now()), new.note, new.restored])?;
    Ok(())
}

/// A new version; what was reviewed before is no longer.
pub fn edit(db: &Db<'_>, old: &Stored, state: CaseState, new: &NewVersion<'_>) -> Result<(), StoreError> {
    let marks = old.marks.clone().edited(&old.case.body, new.body, new.version);
    let sql = "UPDATE library_case SET state = ?2, audience = ?3, body = ?4, editor = ?5, reviewer = NULL, version = ?6, updated_at = ?7,
        marks = ?8, translate = ?9 WHERE number = ?1";
    db.sql().prepare_cached(sql)?.execute(params![
        old.case.number.0,
        Text(state),
        Text(new.body.audience),
        Json(new.body),
        Text(new.editor),
        new.version,
        At(db.now()),
        Json(&marks),
        marks.queue(new.body)
    ])?;
    insert_version(db, old.case.number, new)
}

pub fn set_marks(db: &Db<'_>, number: CaseNumber, marks: &Marks, body: &CaseBody) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("UPDATE library_case SET marks = ?2, translate = ?3 WHERE number = ?1")?;
    statement.execute(params![number.0, Json(marks), marks.queue(body)])?;
    Ok(())
}

/// Another state. What it was before is kept where it goes out of use.
pub fn set_state(db: &Db<'_>, number: CaseNumber, state: CaseState) -> Result<(), StoreError> {
    let sql =
        "UPDATE library_case SET state_before = CASE ?2 WHEN 'archived' THEN state END, state = ?2, updated_at = ?3 WHERE number = ?1";
    db.sql().prepare_cached(sql)?.execute(params![number.0, Text(state), At(db.now())])?;
    Ok(())
}

/// Reviewed and in use.
pub fn publish(db: &Db<'_>, number: CaseNumber, reviewer: &PersonName) -> Result<(), StoreError> {
    let sql = "UPDATE library_case SET state = 'validated', reviewer = ?2, updated_at = ?3, confirmed_at = ?3,
        published_at = coalesce(published_at, ?3), returned = NULL WHERE number = ?1";
    db.sql().prepare_cached(sql)?.execute(params![number.0, Text(reviewer), At(db.now())])?;
    Ok(())
}

/// A place in the review queue. One that waits already keeps it.
pub fn wait_for_review(db: &Db<'_>, number: CaseNumber, why: ReviewWhy) -> Result<(), StoreError> {
    let sql = "INSERT INTO library_review(number, since, why) VALUES (?1, ?2, ?3) ON CONFLICT(number) DO NOTHING";
    db.sql().prepare_cached(sql)?.execute(params![number.0, At(db.now()), Text(why)])?;
    Ok(())
}

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{Case, CaseBody, CaseLink, CaseVersion, Feedback, Flag, FlagKind, Language, LinkVerdict, NewFeedback, Returned};
use lineman_common::id::FaultId;
use lineman_common::name::{CaseNumber, FaultNumber, PersonName};
use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::super::sql::{Stored, many};
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::{Actor, Scope};

fn set(db: &Db<'_>, number: CaseNumber, column: &str, value: &dyn ToSql) -> Result<(), StoreError> {
    db.sql().prepare_cached(&format!("UPDATE library_case SET {column} = ?2 WHERE number = ?1"))?.execute(params![number.0, value])?;
    Ok(())
}

pub fn set_owner(db: &Db<'_>, number: CaseNumber, owner: &PersonName) -> Result<(), StoreError> {
    set(db, number, "owner", &Text(owner))
}

pub fn set_returned(db: &Db<'_>, number: CaseNumber, returned: Option<&Returned>) -> Result<(), StoreError> {
    set(db, number, "returned", &returned.map(Json))
}

pub fn set_confirmed(db: &Db<'_>, number: CaseNumber) -> Result<(), StoreError> {
    set(db, number, "confirmed_at", &At(db.now()))
}

pub fn set_same_as(db: &Db<'_>, number: CaseNumber, into: Option<CaseNumber>) -> Result<(), StoreError> {
    set(db, number, "same_as", &into.map(|into| into.0))
}

// ---- Review ---------------------------------------------------------------------------------------------------------

/// What of the queue is wanted.
#[derive(Clone, Debug, Default)]
pub struct ReviewFilter {
    /// Only what the asker may review.
    pub mine: bool,
    pub product: Option<String>,
    pub owner: Option<PersonName>,
    /// The last line of the page before: since when it waits, and its number.
    pub after: Option<(Timestamp, CaseNumber)>,
    pub limit: u32,
}

/// The longest wait first. Claims of before `lapsed` hold no longer.
pub fn reviews(db: &Db<'_>, actor: &Actor, reviews_own: bool, filter: &ReviewFilter, lapsed: Timestamp) -> Result<Vec<Stored>, StoreError> {
    let rest = "c.state = 'not_validated' AND r.number IS NOT NULL
        AND (NOT ?2 OR ((?3 OR c.editor <> ?4) AND (r.claimed_by IS NULL OR r.claimed_by = ?4 OR r.claimed_at <= ?5)))
        AND (?6 IS NULL OR EXISTS (SELECT 1 FROM json_each(c.body, '$.equipment') e WHERE json_extract(e.value, '$.product') = ?6))
        AND (?7 IS NULL OR c.owner = ?7)
        AND (?8 IS NULL OR (r.since, r.number) > (?8, ?9))
        ORDER BY r.since, r.number LIMIT ?10";
    let (since, number) = filter.after.unzip();
    let params = params![
        actor.scope().customer(),
        filter.mine,
        reviews_own,
        Text(&actor.name),
        At(lapsed),
        filter.product,
        filter.owner.as_ref().map(Text),
        since.map(At),
        number.map(|number: CaseNumber| number.0),
        filter.limit
    ];
    many(db, &Scope::All, rest, params)
}

pub fn claim(db: &Db<'_>, number: CaseNumber, by: Option<&PersonName>) -> Result<(), StoreError> {
    let sql = "UPDATE library_review SET claimed_by = ?2, claimed_at = ?3 WHERE number = ?1";
    db.sql().prepare_cached(sql)?.execute(params![number.0, by.map(Text), by.map(|_| At(db.now()))])?;
    Ok(())
}

pub fn unclaim_by(db: &Db<'_>, number: CaseNumber, by: &PersonName) -> Result<(), StoreError> {
    let sql = "UPDATE library_review SET claimed_by = NULL, claimed_at = NULL WHERE number = ?1 AND claimed_by = ?2";
    db.sql().prepare_cached(sql)?.execute(params![number.0, Text(by)])?;
    Ok(())
}

pub fn no_review(db: &Db<'_>, number: CaseNumber) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM library_review WHERE number = ?1")?.execute([number.0])?;
    Ok(())
}

// ---- Versions -------------------------------------------------------------------------------------------------------

fn version_row(row: &Row<'_>) -> rusqlite::Result<CaseVersion> {
    Ok(CaseVersion {
        version: row.get(0)?,
        editor: row.get::<_, Text<_>>(1)?.0,
        at: row.get::<_, At>(2)?.0,
        note: Printable::new(row.get::<_, String>(3)?),
        restores: row.get(4)?,
        body: row.get::<_, Option<Json<_>>>(5)?.map(|json| json.0),
    })
}

/// Without their texts, the newest first.
pub fn versions(db: &Db<'_>, number: CaseNumber, before: Option<u32>, limit: u32) -> Result<Vec<CaseVersion>, StoreError> {
    let sql = "SELECT version, editor, at, note, restored, NULL FROM library_version
        WHERE number = ?1 AND (?2 IS NULL OR version < ?2) ORDER BY version DESC LIMIT ?3";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![number.0, before, limit], version_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn version(db: &Db<'_>, number: CaseNumber, version: u32) -> Result<Option<CaseVersion>, StoreError> {
    let sql = "SELECT version, editor, at, note, restored, body FROM library_version WHERE number = ?1 AND version = ?2";
    Ok(db.sql().prepare_cached(sql)?.query_row(params![number.0, version], version_row).optional()?)
}

// ---- Owners ---------------------------------------------------------------------------------------------------------

/// Cases in use of a product, of an owner, or both, that `to` does not own yet.
pub fn owned(
    db: &Db<'_>,
    product: Option<&str>,
    from: Option<&PersonName>,
    to: &PersonName,
    limit: u32,
) -> Result<Vec<CaseNumber>, StoreError> {
    let sql = "SELECT c.number FROM library_case c WHERE c.state <> 'archived' AND c.owner <> ?3 AND (?2 IS NULL OR c.owner = ?2)
        AND (?1 IS NULL OR EXISTS (SELECT 1 FROM json_each(c.body, '$.equipment') e WHERE json_extract(e.value, '$.product') = ?1))
        ORDER BY c.number LIMIT ?4";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![product, from.map(Text), Text(to), limit], |row| Ok(CaseNumber(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

// ---- Flags ----------------------------------------------------------------------------------------------------------

pub fn open_kinds(db: &Db<'_>, number: CaseNumber) -> Result<Vec<FlagKind>, StoreError> {
    let sql = "SELECT DISTINCT kind FROM library_flag WHERE number = ?1 AND closed_at IS NULL ORDER BY kind";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([number.0], |row| Ok(row.get::<_, Text<_>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn flags(db: &Db<'_>, number: CaseNumber) -> Result<Vec<Flag>, StoreError> {
    let sql = "SELECT id, number, kind, person, reason, version, at, closed_at, closed_by, answer FROM library_flag WHERE number = ?1
        ORDER BY id DESC";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([number.0], |row| {
        Ok(Flag {
            id: row.get(0)?,
            case: CaseNumber(row.get(1)?),
            kind: row.get::<_, Text<_>>(2)?.0,
            by: row.get(3)?,
            reason: Printable::new(row.get::<_, String>(4)?),
            version: row.get(5)?,
            at: row.get::<_, At>(6)?.0,
            closed_at: row.get::<_, Option<At>>(7)?.map(|at| at.0),
            closed_by: row.get(8)?,
            answer: row.get::<_, Option<String>>(9)?.map(Printable::new),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Closes what this one takes the place of, and opens it.
pub fn replace_flag(db: &Db<'_>, case: &Case, kind: FlagKind, by: &str, reason: &str) -> Result<(), StoreError> {
    let close = "UPDATE library_flag SET closed_at = ?4, closed_by = ?3, answer = 'said anew'
        WHERE number = ?1 AND +kind = ?2 AND person = ?3 AND closed_at IS NULL";
    db.sql().prepare_cached(close)?.execute(params![case.number.0, Text(kind), by, At(db.now())])?;
    let sql = "INSERT INTO library_flag(number, kind, person, reason, version, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.sql().prepare_cached(sql)?.execute(params![case.number.0, Text(kind), by, reason, case.version, At(db.now())])?;
    Ok(())
}

/// Of one kind, or all.
pub fn close_flags(db: &Db<'_>, number: CaseNumber, kind: Option<FlagKind>, by: &str, answer: &str) -> Result<(), StoreError> {
    let sql = "UPDATE library_flag SET closed_at = ?3, closed_by = ?4, answer = ?5
        WHERE number = ?1 AND (?2 IS NULL OR kind = ?2) AND closed_at IS NULL";
    db.sql().prepare_cached(sql)?.execute(params![number.0, kind.map(Text), At(db.now()), by, answer])?;
    Ok(())
}

pub fn stale_after_months(db: &Db<'_>) -> Result<u32, StoreError> {
    Ok(db.sql().prepare_cached("SELECT stale_after_months FROM library_setting")?.query_row([], |row| row.get(0))?)
}

pub fn set_stale_after_months(db: &Db<'_>, months: u32) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE library_setting SET stale_after_months = ?1")?.execute([months])?;
    Ok(())
}

/// Published cases that were last confirmed before a moment and have no flag for it.
pub fn unconfirmed(db: &Db<'_>, cutoff: Timestamp, limit: u32) -> Result<Vec<CaseNumber>, StoreError> {
    // The plus keeps SQLite from reading all flags of the kind for each case.
    let sql = "SELECT c.number FROM library_case c INDEXED BY library_case_confirmed WHERE c.state = 'validated' AND c.confirmed_at < ?1
        AND NOT EXISTS (SELECT 1 FROM library_flag g WHERE g.number = c.number AND +g.kind = 'unconfirmed' AND g.closed_at IS NULL)
        ORDER BY c.confirmed_at LIMIT ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![At(cutoff), limit], |row| Ok(CaseNumber(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Cases that are flagged as unconfirmed and were confirmed since a moment.
pub fn confirmed_since(db: &Db<'_>, cutoff: Timestamp, limit: u32) -> Result<Vec<CaseNumber>, StoreError> {
    let sql = "SELECT g.number FROM library_flag g JOIN library_case c ON c.number = g.number
        WHERE g.kind = 'unconfirmed' AND g.closed_at IS NULL AND c.confirmed_at >= ?1 LIMIT ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![At(cutoff), limit], |row| Ok(CaseNumber(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A published case that names software.
pub struct Versioned {
    pub number: CaseNumber,
    pub body: CaseBody,
    /// What its newest flag of this kind says.
    pub told: Option<String>,
    pub is_open: bool,
}

pub fn with_versions(db: &Db<'_>, after: CaseNumber, limit: u32) -> Result<Vec<Versioned>, StoreError> {
    let sql = "SELECT c.number, c.body, g.reason, g.number IS NOT NULL AND g.closed_at IS NULL FROM library_case c
        LEFT JOIN library_flag g ON g.id = (SELECT max(id) FROM library_flag WHERE number = c.number AND kind = 'superseded')
        WHERE c.number > ?1 AND c.state = 'validated' AND (g.number IS NOT NULL OR c.body LIKE '%\"versions\"%')
        ORDER BY c.number LIMIT ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![after.0, limit], |row| {
        Ok(Versioned { number: CaseNumber(row.get(0)?), body: row.get::<_, Json<_>>(1)?.0, told: row.get(2)?, is_open: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What runs on what: product, model, software.
pub fn software(db: &Db<'_>) -> Result<Vec<(String, String, String)>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT DISTINCT product, model, software FROM equipment WHERE software <> ''")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

// ---- Merging --------------------------------------------------------------------------------------------------------

/// The case at the end of `same_as`.
pub fn stands_for(db: &Db<'_>, number: CaseNumber) -> Result<CaseNumber, StoreError> {
    let sql = "WITH RECURSIVE way(number, same_as, step) AS (
            SELECT number, same_as, 0 FROM library_case WHERE number = ?1
            UNION ALL SELECT c.number, c.same_as, step + 1 FROM way JOIN library_case c ON c.number = way.same_as)
        SELECT number FROM way ORDER BY step DESC LIMIT 1";
    Ok(db.sql().prepare_cached(sql)?.query_row([number.0], |row| Ok(CaseNumber(row.get(0)?)))?)
}

/// A case and its duplicates, and theirs.
pub fn with_duplicates(db: &Db<'_>, number: CaseNumber) -> Result<Vec<CaseNumber>, StoreError> {
    let sql = "WITH RECURSIVE tree(number) AS (
            SELECT ?1 UNION ALL SELECT c.number FROM tree JOIN library_case c ON c.same_as = tree.number)
        SELECT number FROM tree";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([number.0], |row| Ok(CaseNumber(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Links and feedback go to another case. Where that one has a word about the same fault, its own counts, and the other stays behind.
pub fn move_to(db: &Db<'_>, from: CaseNumber, to: CaseNumber) -> Result<(), StoreError> {
    let links = "UPDATE OR IGNORE library_link SET number = ?2, of_number = coalesce(of_number, ?1) WHERE number = ?1";
    db.sql().prepare_cached(links)?.execute([from.0, to.0])?;
    db.sql().prepare_cached("UPDATE library_feedback SET number = ?2 WHERE number = ?1")?.execute([from.0, to.0])?;
    Ok(())
}

/// What was said of these cases comes back from one to another of them.
pub fn move_back(db: &Db<'_>, said_of: &[CaseNumber], from: CaseNumber, to: CaseNumber) -> Result<(), StoreError> {
    for of in said_of {
        let links = "UPDATE OR IGNORE library_link SET number = ?3, of_number = nullif(of_number, ?3) WHERE number = ?2 AND of_number = ?1";
        db.sql().prepare_cached(links)?.execute([of.0, from.0, to.0])?;
        let feedback = "UPDATE library_feedback SET number = ?3 WHERE number = ?2 AND of_number = ?1";
        db.sql().prepare_cached(feedback)?.execute([of.0, from.0, to.0])?;
    }
    Ok(())
}

// ---- Links and feedback ---------------------------------------------------------------------------------------------

pub struct NewLink<'a> {
    pub number: CaseNumber,
    /// The duplicate that it was said of.
    pub of: Option<CaseNumber>,
    pub fault: FaultId,
    pub verdict: LinkVerdict,
    pub reason: Option<&'a Printable>,
}

/// One verdict for each case and fault: a second one takes the first one's place.
pub fn put_link(db: &Db<'_>, new: &NewLink<'_>, person: &PersonName) -> Result<(), StoreError> {
    let sql = "INSERT INTO library_link(number, fault, verdict, person, at, of_number, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT(number, fault) DO UPDATE SET verdict = excluded.verdict, person = excluded.person, at = excluded.at,
            of_number = excluded.of_number, reason = excluded.reason";
    let (of, reason) = (new.of.map(|of| of.0), new.reason.map(Printable::raw));
    let (fault, verdict) = (Text(new.fault), Text(new.verdict));
    db.sql().prepare_cached(sql)?.execute(params![new.number.0, fault, verdict, Text(person), At(db.now()), of, reason])?;
    Ok(())
}

pub fn drop_link(db: &Db<'_>, number: CaseNumber, fault: FaultId) -> Result<Option<LinkVerdict>, StoreError> {
    let mut statement = db.sql().prepare_cached("DELETE FROM library_link WHERE number = ?1 AND fault = ?2 RETURNING verdict")?;
    Ok(statement.query_row(params![number.0, Text(fault)], |row| Ok(row.get::<_, Text<_>>(0)?.0)).optional()?)
}

/// The newest first; `after` lines are left out. A customer knows of its own faults.
pub fn links(db: &Db<'_>, scope: &Scope, number: CaseNumber, after: u32, limit: u32) -> Result<Vec<CaseLink>, StoreError> {
    let sql = "SELECT k.code, f.serial, f.title, l.verdict, l.person, l.at, l.reason, l.of_number FROM library_link l
        JOIN fault f ON f.id = l.fault JOIN customer k ON k.id = f.customer
        WHERE (?1 IS NULL OR f.customer = ?1) AND l.number = ?2 ORDER BY l.at DESC, f.id DESC LIMIT ?4 OFFSET ?3";
    let mut statement = db.sql().prepare_cached(sql)?;
    let internal = scope.sees_internal();
    let rows = statement.query_map(params![scope.customer(), number.0, after, limit], |row| {
        Ok(CaseLink {
            fault: FaultNumber { customer: row.get::<_, Text<_>>(0)?.0, serial: row.get(1)? },
            title: Printable::new(row.get::<_, String>(2)?),
            verdict: row.get::<_, Text<_>>(3)?.0,
            person: row.get::<_, Text<_>>(4)?.0,
            at: row.get::<_, At>(5)?.0,
            reason: row.get::<_, Option<String>>(6)?.filter(|_| internal).map(Printable::new),
            of: row.get::<_, Option<u32>>(7)?.filter(|_| internal).map(CaseNumber),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn put_feedback(db: &Db<'_>, case: &Case, actor: &Actor, said: &NewFeedback) -> Result<(), StoreError> {
    let sql = "INSERT INTO library_feedback(of_number, version, person, number, customer, helpful, comment, at)
        VALUES (?1, ?2, ?3, ?1, ?4, ?5, ?6, ?7)
        ON CONFLICT(of_number, version, person) DO UPDATE SET helpful = excluded.helpful, comment = excluded.comment, at = excluded.at";
    let customer = actor.customer.as_ref().map(|(id, _)| Text(*id));
    let comment = said.comment.raw();
    let at = At(db.now());
    db.sql().prepare_cached(sql)?.execute(params![case.number.0, case.version, Text(&actor.name), customer, said.helpful, comment, at])?;
    Ok(())
}

/// The newest first; `after` lines are left out. A customer reads its own people's.
pub fn feedback(
    db: &Db<'_>,
    scope: &Scope,
    number: CaseNumber,
    person: Option<&PersonName>,
    after: u32,
    limit: u32,
) -> Result<Vec<Feedback>, StoreError> {
    let sql = "SELECT b.version, b.person, k.code, b.helpful, b.comment, b.at, nullif(b.of_number, b.number) FROM library_feedback b
        LEFT JOIN customer k ON k.id = b.customer
        WHERE (?1 IS NULL OR b.customer = ?1) AND b.number = ?2 AND (?3 IS NULL OR b.person = ?3)
        ORDER BY b.at DESC, b.version DESC, b.person LIMIT ?5 OFFSET ?4";
    let mut statement = db.sql().prepare_cached(sql)?;
    let internal = scope.sees_internal();
    let rows = statement.query_map(params![scope.customer(), number.0, person.map(Text), after, limit], |row| {
        Ok(Feedback {
            case: number,
            version: row.get(0)?,
            person: row.get::<_, Text<_>>(1)?.0,
            customer: row.get::<_, Option<Text<_>>>(2)?.map(|text| text.0),
            helpful: row.get(3)?,
            comment: Printable::new(row.get::<_, String>(4)?),
            at: row.get::<_, At>(5)?.0,
            of: row.get::<_, Option<u32>>(6)?.filter(|_| internal).map(CaseNumber),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

// ---- Translation ----------------------------------------------------------------------------------------------------

/// What was changed last is first.
pub fn to_translate(
    db: &Db<'_>,
    language: Option<Language>,
    after: Option<(Timestamp, CaseNumber)>,
    limit: u32,
) -> Result<Vec<Case>, StoreError> {
    let rest = "?1 IS NULL AND c.translate IS NOT NULL AND c.state <> 'archived' AND (?2 IS NULL OR c.translate IN (?2, 'both'))
        AND (?3 IS NULL OR (c.updated_at, c.number) < (?3, ?4)) ORDER BY c.updated_at DESC, c.number DESC LIMIT ?5";
    let (at, number) = after.unzip();
    let number = number.map(|number: CaseNumber| number.0);
    let found = many(db, &Scope::All, rest, params![None::<String>, language.map(Text), at.map(At), number, limit])?;
    Ok(found.into_iter().map(|stored| stored.case).collect())
}

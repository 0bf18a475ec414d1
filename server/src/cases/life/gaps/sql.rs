use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{Gap, GapState, HandleGap, Language};
use lineman_common::name::{CaseNumber, PersonName};
use rusqlite::{OptionalExtension, Row, params};

use super::Unanswered;
use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};

/// A question as it is kept.
pub struct Asked<'a> {
    /// What groups it.
    pub question: &'a str,
    pub text: &'a str,
    pub language: Language,
    pub product: &'a str,
    pub what: Unanswered,
}

/// Which questions are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<GapState>,
    pub language: Option<Language>,
    pub product: Option<String>,
    /// The last line of the page before: its count and its id.
    pub after: Option<(u32, u32)>,
    pub limit: u32,
}

/// A question of one asking by this person, since `since`, that is the beginning of this one.
pub fn begun(db: &Db<'_>, question: &str, person: &PersonName, since: Timestamp) -> Result<Option<u32>, StoreError> {
    let sql = "SELECT id FROM library_gap WHERE asker = ?2 AND last_at >= ?3 AND asked = 1 AND state = 'open'
        AND length(question) < length(?1) AND substr(?1, 1, length(question)) = question LIMIT 1";
    Ok(db.sql().prepare_cached(sql)?.query_row(params![question, Text(person), At(since)], |row| row.get(0)).optional()?)
}

pub fn drop(db: &Db<'_>, id: u32) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM library_gap WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// One more asking. A question that was answered by a case is open again: the answer was not found.
pub fn count(db: &Db<'_>, asked: &Asked<'_>, person: &PersonName) -> Result<(), StoreError> {
    let sql = "INSERT INTO library_gap(question, text, language, product, asked, none_fits, first_at, last_at, asker, state)
        VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?6, ?7, 'open')
        ON CONFLICT(question) DO UPDATE SET asked = asked + 1, none_fits = none_fits + excluded.none_fits, last_at = excluded.last_at,
            asker = excluded.asker, product = CASE WHEN excluded.product = '' THEN product ELSE excluded.product END,
            state = CASE state WHEN 'written' THEN 'open' ELSE state END";
    let none_fits = u32::from(asked.what == Unanswered::NoneFits);
    db.sql().prepare_cached(sql)?.execute(params![
        asked.question,
        asked.text,
        Text(asked.language),
        asked.product,
        none_fits,
        At(db.now()),
        Text(person)
    ])?;
    Ok(())
}

const GAP: &str = "SELECT id, text, language, product, asked, none_fits, first_at, last_at, state, case_number, note, handled_by, handled_at FROM library_gap";

fn gap(row: &Row<'_>) -> rusqlite::Result<Gap> {
    Ok(Gap {
        id: row.get(0)?,
        text: Printable::new(row.get::<_, String>(1)?),
        language: row.get::<_, Text<_>>(2)?.0,
        product: Printable::new(row.get::<_, String>(3)?),
        count: row.get(4)?,
        none_fits: row.get(5)?,
        first_at: row.get::<_, At>(6)?.0,
        last_at: row.get::<_, At>(7)?.0,
        state: row.get::<_, Text<_>>(8)?.0,
        case: row.get::<_, Option<u32>>(9)?.map(CaseNumber),
        note: Printable::new(row.get::<_, String>(10)?),
        handled_by: row.get::<_, Option<Text<_>>>(11)?.map(|text| text.0),
        handled_at: row.get::<_, Option<At>>(12)?.map(|at| at.0),
    })
}

pub fn get(db: &Db<'_>, id: u32) -> Result<Option<Gap>, StoreError> {
    Ok(db.sql().prepare_cached(&format!("{GAP} WHERE id = ?1"))?.query_row([id], gap).optional()?)
}

/// The most asked first; of equals, the oldest.
pub fn list(db: &Db<'_>, filter: &Filter) -> Result<Vec<Gap>, StoreError> {
    let state = filter.state.unwrap_or(GapState::Open);
    let sql = format!(
        "{GAP} WHERE state = ?1 AND (?2 IS NULL OR language = ?2) AND (?3 IS NULL OR product = ?3)
           AND (?4 IS NULL OR asked < ?4 OR (asked = ?4 AND id > ?5))
         ORDER BY asked DESC, id LIMIT ?6"
    );
    let (count, id) = filter.after.unzip();
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![Text(state), filter.language.map(Text), filter.product, count, id, filter.limit], gap)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn handle(db: &Db<'_>, id: u32, handling: &HandleGap, case: Option<CaseNumber>, by: &PersonName) -> Result<(), StoreError> {
    let sql = "UPDATE library_gap SET state = ?2, case_number = ?3, note = ?4, handled_by = ?5, handled_at = ?6 WHERE id = ?1";
    let number = case.map(|case| case.0);
    let note = handling.note.raw();
    db.sql().prepare_cached(sql)?.execute(params![id, Text(handling.state), number, note, Text(by), At(db.now())])?;
    Ok(())
}

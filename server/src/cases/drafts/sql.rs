use lineman_common::api::{CaseField, Language, MaskDecision, MaskRule};
use lineman_common::id::FaultId;
use lineman_common::name::{CaseNumber, PersonName};
use rusqlite::{Row, params};

use super::commands::Line;
use super::review::{Passage, StoredSpan};
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};

/// The transcripts of a fault's sessions, oldest first. (The lines belong to `sessions`, which has no question by fault.)
pub fn transcript(db: &Db<'_>, fault: FaultId, most: u32) -> Result<Vec<Line>, StoreError> {
    let sql =
        "SELECT l.session, l.channel, l.text FROM session s CROSS JOIN transcript_line l ON l.session = s.id AND l.equipment = s.equipment
               WHERE s.fault = ?1 ORDER BY s.started_at, s.id, l.id LIMIT ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement
        .query_map(params![Text(fault), most], |row| Ok(Line { session: row.get(0)?, channel: row.get(1)?, text: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn put(db: &Db<'_>, number: CaseNumber, field: &Passage) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO case_draft(number, language, field, fault, raw, spans) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.sql().prepare_cached(sql)?.execute(params![
        number.0,
        Text(field.language),
        Text(field.field),
        Text(field.fault),
        field.raw,
        Json(&field.spans)
    ])?;
    Ok(())
}

fn field(row: &Row<'_>) -> rusqlite::Result<Passage> {
    Ok(Passage {
        language: row.get::<_, Text<Language>>(0)?.0,
        field: row.get::<_, Text<CaseField>>(1)?.0,
        fault: row.get::<_, Text<_>>(2)?.0,
        raw: row.get(3)?,
        spans: row.get::<_, Json<Vec<StoredSpan>>>(4)?.0,
    })
}

/// In the order of their making: of a language, from the title on.
pub fn fields(db: &Db<'_>, number: CaseNumber) -> Result<Vec<Passage>, StoreError> {
    let sql = "SELECT language, field, fault, raw, spans FROM case_draft WHERE number = ?1";
    let mut statement = db.sql().prepare_cached(sql)?;
    let mut fields: Vec<Passage> = statement.query_map([number.0], field)?.collect::<Result<_, _>>()?;
    let place = |field: CaseField| CaseField::ALL.iter().position(|known| *known == field);
    fields.sort_by_key(|field| (field.language.as_str() != Language::Zh.as_str(), place(field.field)));
    Ok(fields)
}

pub fn insert_decision(
    db: &Db<'_>,
    number: CaseNumber,
    (language, field): (Language, CaseField),
    put_back: bool,
    rule: MaskRule,
    person: &PersonName,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO case_mask_decision(number, language, field, put_back, rule, person, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let row = params![number.0, Text(language), Text(field), put_back, Text(rule), Text(person), At(db.now())];
    db.sql().prepare_cached(sql)?.execute(row)?;
    Ok(())
}

pub fn decisions(db: &Db<'_>, number: CaseNumber) -> Result<Vec<MaskDecision>, StoreError> {
    let sql = "SELECT language, field, put_back, rule, person, at FROM case_mask_decision WHERE number = ?1 ORDER BY id";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([number.0], |row| {
        Ok(MaskDecision {
            language: row.get::<_, Text<_>>(0)?.0,
            field: row.get::<_, Text<_>>(1)?.0,
            put_back: row.get(2)?,
            rule: row.get::<_, Text<_>>(3)?.0,
            by: row.get::<_, Text<_>>(4)?.0,
            at: row.get::<_, At>(5)?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

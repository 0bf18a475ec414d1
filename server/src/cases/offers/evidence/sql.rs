use lineman_common::Printable;
use lineman_common::api::{Evidence, EvidenceClip, EvidenceFile, EvidenceKind, Release};
use lineman_common::id::{EvidenceId, FaultId};
use lineman_common::name::{CaseNumber, CustomerCode, FaultNumber, PersonName};
use rusqlite::{OptionalExtension, Row, params};

use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

pub struct NewRow<'a> {
    pub id: EvidenceId,
    pub case: CaseNumber,
    pub fault: FaultId,
    pub title: &'a str,
    pub file: Option<&'a EvidenceFile>,
    pub clip: Option<&'a EvidenceClip>,
    pub by: &'a PersonName,
}

pub fn insert(db: &Db<'_>, new: &NewRow<'_>) -> Result<(), StoreError> {
    let sql = "INSERT INTO case_evidence(id, number, kind, fault, title, name, size_bytes, sha256, media_type, session, channel, from_s, to_s, person, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    let kind = if new.clip.is_some() { EvidenceKind::Clip } else { EvidenceKind::Attachment };
    db.sql().prepare_cached(sql)?.execute(params![
        Text(new.id),
        new.case.0,
        Text(kind),
        Text(new.fault),
        new.title,
        new.file.map(|file| file.name.raw()),
        new.file.map(|file| i64::try_from(file.size_bytes).unwrap_or(i64::MAX)),
        new.file.map(|file| &file.sha256),
        new.file.map(|file| &file.media_type),
        new.clip.map(|clip| Text(clip.session)),
        new.clip.map(|clip| clip.channel),
        new.clip.map(|clip| clip.from_s),
        new.clip.map(|clip| clip.to_s),
        Text(new.by),
        At(db.now())
    ])?;
    Ok(())
}

fn evidence(row: &Row<'_>) -> rusqlite::Result<Evidence> {
    let fault = match (row.get::<_, Option<Text<CustomerCode>>>(4)?, row.get(5)?) {
        (Some(Text(customer)), Some(serial)) => Some(FaultNumber { customer, serial }),
        _ => None,
    };
    let file = match (row.get::<_, Option<String>>(6)?, row.get::<_, Option<i64>>(7)?, row.get(8)?, row.get(9)?) {
        (Some(name), Some(size), Some(sha256), Some(media_type)) => {
            Some(EvidenceFile { name: Printable::new(name), size_bytes: size.unsigned_abs(), sha256, media_type })
        }
        _ => None,
    };
    let clip = match (row.get::<_, Option<Text<_>>>(10)?, row.get(11)?, row.get(12)?, row.get(13)?) {
        (Some(Text(session)), Some(channel), Some(from_s), Some(to_s)) => Some(EvidenceClip { session, channel, from_s, to_s }),
        _ => None,
    };
    let released = match (row.get::<_, Option<Text<_>>>(16)?, row.get::<_, Option<At>>(17)?, row.get::<_, Option<String>>(18)?) {
        (Some(Text(by)), Some(At(at)), Some(reason)) => Some(Release { by, at, reason: Printable::new(reason) }),
        _ => None,
    };
    Ok(Evidence {
        id: row.get::<_, Text<_>>(0)?.0,
        case: CaseNumber(row.get(1)?),
        kind: row.get::<_, Text<_>>(2)?.0,
        title: Printable::new(row.get::<_, String>(3)?),
        fault,
        file,
        clip,
        by: row.get::<_, Text<_>>(14)?.0,
        at: row.get::<_, At>(15)?.0,
        released,
    })
}

/// Of the case and of those that are the same as it. Outside the support centre: what was released, of cases that a customer could read
/// before they were merged, and of clips one's own only; all of it as the asked case's.
pub fn of_case(db: &Db<'_>, scope: &Scope, case: CaseNumber) -> Result<Vec<Evidence>, StoreError> {
    let sql =
        "WITH RECURSIVE tree(number, was_shown) AS (SELECT ?2, 1 UNION ALL
            SELECT c.number, c.state_before = 'validated' AND c.audience = 'customer' FROM tree JOIN library_case c ON c.same_as = tree.number)
        SELECT v.id, iif(?1 IS NULL, v.number, ?2), v.kind, v.title, k.code, own.serial, v.name, v.size_bytes, v.sha256, v.media_type, v.session, v.channel,
            v.from_s, v.to_s, v.person, v.at, v.released_by, v.released_at, v.release_reason
        FROM tree JOIN case_evidence v ON v.number = tree.number
        LEFT JOIN fault own ON own.id = v.fault AND (?1 IS NULL OR own.customer = ?1) LEFT JOIN customer k ON k.id = own.customer
        WHERE (?1 IS NULL OR (tree.was_shown AND v.released_at IS NOT NULL AND (v.kind = 'attachment' OR own.id IS NOT NULL)))
        ORDER BY v.id";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_map(params![scope.customer(), case.0], evidence)?.collect::<Result<_, _>>()?)
}

pub fn fault_of(db: &Db<'_>, id: EvidenceId) -> Result<FaultId, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT fault FROM case_evidence WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| Ok(row.get::<_, Text<_>>(0)?.0))?)
}

pub fn set_released(db: &Db<'_>, id: EvidenceId, release: &Release) -> Result<(), StoreError> {
    let sql = "UPDATE case_evidence SET released_by = ?2, released_at = ?3, release_reason = ?4 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), Text(&release.by), At(release.at), release.reason.raw()])?;
    Ok(())
}

pub fn delete(db: &Db<'_>, id: EvidenceId) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM case_evidence WHERE id = ?1")?.execute([Text(id)])?;
    Ok(())
}

pub fn put_content(db: &Db<'_>, id: EvidenceId, content: &[u8]) -> Result<(), StoreError> {
    db.sql().prepare_cached("INSERT INTO case_evidence_file(evidence, content) VALUES (?1, ?2)")?.execute(params![Text(id), content])?;
    Ok(())
}

pub fn content(db: &Db<'_>, id: EvidenceId) -> Result<Vec<u8>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT content FROM case_evidence_file WHERE evidence = ?1")?;
    let content: Option<Vec<u8>> = statement.query_row([Text(id)], |row| row.get(0)).optional()?;
    content.ok_or_else(|| StoreError::Corrupt(format!("the content of {id} is not there")))
}

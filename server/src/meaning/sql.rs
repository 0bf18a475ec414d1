//! Reads the library by its table only: the room that owns it is above this one.

use std::path::Path;

use lineman_common::api::CaseBody;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use super::shelves::Stored;
use crate::store::{Db, StoreError, Tx};

/// A case that the worker has to look at.
pub struct Due {
    pub seq: i64,
    pub number: u32,
    /// None of one that is archived: it is on no shelf.
    pub text: Option<Text>,
    /// The vector that is there, and of what text it is.
    pub known: Option<(String, Stored)>,
}

pub struct Text {
    pub body: CaseBody,
    pub is_published: bool,
}

/// What customers see of the library.
const IS_PUBLISHED: &str = "c.state = 'validated' AND c.audience = 'customer'";

/// The newest change first: what people do now does not wait until a whole library has got its vectors.
pub fn due(db: &Db<'_>, model: &str, limit: u32) -> Result<Vec<Due>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!(
        "SELECT d.seq, d.number, c.state = 'archived', c.body, {IS_PUBLISHED}, v.passage_sha256, v.scale, v.vector
         FROM case_vector_due d JOIN library_case c ON c.number = d.number
         LEFT JOIN case_vector v ON v.number = d.number AND v.model = ?1
         ORDER BY d.seq DESC LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![model, limit], due_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn due_of(row: &Row<'_>) -> rusqlite::Result<Due> {
    let (seq, number) = (row.get(0)?, row.get(1)?);
    let body: String = row.get(3)?;
    let text = match serde_json::from_str(&body) {
        _ if row.get(2)? => None,
        Ok(body) => Some(Text { body, is_published: row.get(4)? }),
        Err(error) => {
            // The others must not wait for it.
            tracing::error!(%error, case.number = number, "a case can't be read: it gets no vector");
            None
        }
    };
    let known = match row.get::<_, Option<String>>(5)? {
        Some(passage) => Some((passage, stored(row, 6)?)),
        None => None,
    };
    Ok(Due { seq, number, text, known })
}

/// Scale and vector, from this column on.
fn stored(row: &Row<'_>, from: usize) -> rusqlite::Result<Stored> {
    let bytes: Vec<u8> = row.get(from + 1)?;
    Ok(Stored { scale: row.get(from)?, bytes: bytes.into_iter().map(u8::cast_signed).collect() })
}

pub fn put(tx: &Tx<'_>, number: u32, model: &str, passage_sha256: &str, vector: &Stored) -> Result<(), StoreError> {
    let bytes: Vec<u8> = vector.bytes.iter().map(|byte| byte.cast_unsigned()).collect();
    let sql = "INSERT INTO case_vector VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(number) DO UPDATE
        SET model = excluded.model, passage_sha256 = excluded.passage_sha256, scale = excluded.scale, vector = excluded.vector";
    tx.sql().prepare_cached(sql)?.execute(params![number, model, passage_sha256, vector.scale, bytes])?;
    Ok(())
}

pub fn remove(tx: &Tx<'_>, number: u32) -> Result<(), StoreError> {
    tx.sql().prepare_cached("DELETE FROM case_vector WHERE number = ?1")?.execute([number])?;
    Ok(())
}

/// Crosses a case out, unless it has changed since it was read.
pub fn done(tx: &Tx<'_>, seq: i64) -> Result<(), StoreError> {
    tx.sql().prepare_cached("DELETE FROM case_vector_due WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

/// The vectors of a model by number, after `after`, each with whether customers see its case.
pub fn page(db: &Db<'_>, model: &str, after: u32, limit: u32) -> Result<Vec<(u32, bool, Stored)>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!(
        "SELECT v.number, {IS_PUBLISHED}, v.scale, v.vector FROM case_vector v JOIN library_case c ON c.number = v.number
         WHERE v.model = ?1 AND v.number > ?2 AND c.state <> 'archived' ORDER BY v.number LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![model, after, limit], |row| Ok((row.get(0)?, row.get(1)?, stored(row, 2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Marks the next cases, by number, that have no vector of this model. The last number that was looked at; None at the end.
pub fn mark_without(tx: &Tx<'_>, model: &str, after: u32, limit: u32) -> Result<Option<u32>, StoreError> {
    let last = tx
        .sql()
        .prepare_cached("SELECT max(number) FROM (SELECT number FROM library_case WHERE number > ?1 ORDER BY number LIMIT ?2)")?
        .query_row(params![after, limit], |row| row.get::<_, Option<u32>>(0))?;
    let Some(last) = last else { return Ok(None) };
    let sql = "INSERT OR IGNORE INTO case_vector_due(number)
        SELECT c.number FROM library_case c WHERE c.number > ?1 AND c.number <= ?2 AND c.state <> 'archived'
        AND NOT EXISTS (SELECT 1 FROM case_vector v WHERE v.number = c.number AND v.model = ?3) ORDER BY c.number";
    tx.sql().prepare_cached(sql)?.execute(params![after, last, model])?;
    Ok(Some(last))
}

/// How far the worker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Vectors by the model that made them.
    pub vectors: Vec<(String, u32)>,
    pub due: u32,
}

/// Of a database file, also while the server runs. None when there is none, or none of this version.
pub fn progress(database: &Path) -> Result<Option<Progress>, StoreError> {
    if !database.exists() {
        return Ok(None);
    }
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let table = connection.query_row("SELECT 1 FROM sqlite_schema WHERE name = 'case_vector'", [], |_| Ok(())).optional()?;
    if table.is_none() {
        return Ok(None);
    }
    let mut statement = connection.prepare("SELECT model, count(*) FROM case_vector GROUP BY model ORDER BY 2 DESC, 1")?;
    let vectors = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let due = connection.query_row("SELECT count(*) FROM case_vector_due", [], |row| row.get(0))?;
    Ok(Some(Progress { vectors, due }))
}

#[cfg(test)]
pub mod testing {
    //! Cases, written as the room above writes them.
    use super::{CaseBody, Connection, Tx, params};

    pub fn put_case(tx: &Tx<'_>, number: u32, state: &str, audience: &str, body: &CaseBody) {
        let sql = "INSERT INTO library_case(number, id, state, audience, body, author, editor, version, created_at, updated_at)
            VALUES (?1, ?1, ?2, ?3, ?4, 'JW', 'JW', 1, 0, 0)
            ON CONFLICT(number) DO UPDATE SET state = excluded.state, audience = excluded.audience, body = excluded.body";
        let body = serde_json::to_string(body).unwrap();
        tx.sql().execute(sql, params![number, state, audience, body]).unwrap();
    }

    /// When each vector was written, by the number of its row's last change: what was not touched keeps it.
    pub fn vectors(connection: &Connection) -> Vec<(u32, String, Vec<u8>)> {
        let mut statement = connection.prepare("SELECT number, model, vector FROM case_vector ORDER BY number").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().map(Result::unwrap).collect()
    }

    pub fn due(connection: &Connection) -> u32 {
        connection.query_row("SELECT count(*) FROM case_vector_due", [], |row| row.get(0)).unwrap()
    }
}

use lineman_common::api::TranscriptLine;
use lineman_common::id::SessionId;
use lineman_common::recording::screen::Frame;
use lineman_common::recording::transcript::Line;
use rusqlite::{OptionalExtension, Row, params};

use super::{Digest, Key, Shot, Wanted};
use crate::store::value::{Json, Text};
use crate::store::{Db, StoreError};

/// Recordings that have chunks which were not read; one that waits at a gap is among them.
pub fn unread(db: &Db<'_>, session: Option<SessionId>) -> Result<Vec<Key>, StoreError> {
    // Two questions: the one for a single session must not look at all of them.
    let which = if session.is_some() { "r.session = ?1" } else { "?1 IS NULL" };
    let sql = format!(
        "SELECT r.equipment, r.session FROM recording r WHERE {which} AND NOT EXISTS (SELECT 1 FROM recording_digest d
             WHERE d.equipment = r.equipment AND d.session = r.session AND (d.finished IS NOT NULL OR d.chunks >= r.chunks))"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows = statement
        .query_map([session.map(Text)], |row| Ok(Key { device: row.get::<_, Text<_>>(0)?.0, session: row.get::<_, Text<_>>(1)?.0 }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn digest(db: &Db<'_>, key: Key) -> Result<Option<Digest>, StoreError> {
    let sql = "SELECT chunks, head_sha256, finished, state, lines, line_bytes, keyframe_bytes FROM recording_digest WHERE equipment = ?1 AND session = ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        Ok(Digest {
            chunks: row.get::<_, i64>(0)?.unsigned_abs(),
            head_sha256: row.get(1)?,
            finished: row.get(2)?,
            state: row.get::<_, Json<_>>(3)?.0,
            lines: row.get::<_, i64>(4)?.unsigned_abs(),
            line_bytes: row.get::<_, i64>(5)?.unsigned_abs(),
            keyframe_bytes: row.get::<_, i64>(6)?.unsigned_abs(),
        })
    };
    Ok(statement.query_row(params![Text(key.device), Text(key.session)], read).optional()?)
}

pub fn put_digest(db: &Db<'_>, key: Key, digest: &Digest) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO recording_digest VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(key.device),
        Text(key.session),
        signed(digest.chunks),
        digest.head_sha256,
        digest.finished,
        Json(&digest.state),
        signed(digest.lines),
        signed(digest.line_bytes),
        signed(digest.keyframe_bytes)
    ])?;
    Ok(())
}

pub fn insert_lines(db: &Db<'_>, key: Key, lines: &[Line]) -> Result<(), StoreError> {
    let sql = "INSERT INTO transcript_line(equipment, session, channel, seconds, text) VALUES (?1, ?2, ?3, ?4, ?5)";
    let (mut line_of, mut index) =
        (db.sql().prepare_cached(sql)?, db.sql().prepare_cached("INSERT INTO transcript_index(rowid, text) VALUES (?1, ?2)")?);
    let (device, session) = (key.device.to_string(), key.session.to_string());
    for line in lines {
        let id = line_of.insert(params![device, session, line.channel, line.seconds, line.text])?;
        index.execute(params![id, line.text])?;
    }
    Ok(())
}

pub fn insert_shots(db: &Db<'_>, key: Key, shots: &[Shot]) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO recording_keyframe VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let mut statement = db.sql().prepare_cached(sql)?;
    for Shot { channel, frame, screen } in shots {
        let (device, session) = (Text(key.device), Text(key.session));
        statement.execute(params![
            device,
            session,
            channel,
            signed(frame.chunks),
            frame.events,
            frame.seconds,
            frame.cols,
            frame.rows,
            screen
        ])?;
    }
    Ok(())
}

const SHOT: &str = "SELECT channel, chunks, events, seconds, cols, rows, screen";

/// The drawn screen stays packed.
fn shot(row: &Row<'_>) -> rusqlite::Result<Shot> {
    let frame = Frame {
        chunks: row.get::<_, i64>(1)?.unsigned_abs(),
        events: row.get(2)?,
        seconds: row.get(3)?,
        cols: row.get(4)?,
        rows: row.get(5)?,
        screen: String::new(),
    };
    Ok(Shot { channel: row.get(0)?, frame, screen: row.get(6)? })
}

/// In order of channel and place, one more than wanted.
pub fn shots(db: &Db<'_>, key: Key, wanted: &Wanted) -> Result<Vec<Shot>, StoreError> {
    let sql = format!(
        "{SHOT} FROM recording_keyframe WHERE equipment = ?1 AND session = ?2 AND (?3 IS NULL OR channel = ?3)
         AND (?4 IS NULL OR (channel, chunks, events) > (?4, ?5, ?6)) ORDER BY channel, chunks, events LIMIT ?7"
    );
    let (channel, chunks, events) = wanted.after.map_or((None, 0, 0), |(channel, chunks, events)| (Some(channel), signed(chunks), events));
    let mut statement = db.sql().prepare_cached(&sql)?;
    let asked = params![Text(key.device), Text(key.session), wanted.channel, channel, chunks, events, wanted.most + 1];
    Ok(statement.query_map(asked, shot)?.collect::<Result<_, _>>()?)
}

/// Of each channel the newest that is no later than this.
pub fn newest_shots(db: &Db<'_>, key: Key, channel: Option<u32>, at_s: f64) -> Result<Vec<Shot>, StoreError> {
    let newest = "SELECT k.chunks, k.events FROM recording_keyframe k WHERE k.equipment = ?1 AND k.session = ?2 AND k.channel = c.channel
         AND k.seconds <= ?4 ORDER BY k.chunks DESC, k.events DESC LIMIT 1";
    let sql = format!(
        "{SHOT} FROM recording_keyframe c WHERE equipment = ?1 AND session = ?2 AND (?3 IS NULL OR channel = ?3)
         AND (chunks, events) = ({newest}) ORDER BY channel"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    Ok(statement.query_map(params![Text(key.device), Text(key.session), channel, at_s], shot)?.collect::<Result<_, _>>()?)
}

/// So many lines after that one, and the last one's number when there are more.
pub fn lines(db: &Db<'_>, key: Key, after: i64, most: u32) -> Result<(Vec<TranscriptLine>, Option<i64>), StoreError> {
    let sql =
        "SELECT id, channel, seconds, text FROM transcript_line WHERE session = ?1 AND equipment = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
    let mut statement = db.sql().prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        let line = TranscriptLine { channel: row.get(1)?, seconds: row.get(2)?, line: row.get::<_, String>(3)?.into() };
        Ok((row.get::<_, i64>(0)?, line))
    };
    let found: Vec<_> = statement.query_map(params![Text(key.session), Text(key.device), after, most], read)?.collect::<Result<_, _>>()?;
    let next = found.last().filter(|_| found.len() == most as usize).map(|(id, _)| *id);
    Ok((found.into_iter().map(|(_, line)| line).collect(), next))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

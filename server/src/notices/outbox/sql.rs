use jiff::{SignedDuration, Timestamp};
use lineman_common::id::{NoticeId, TargetId};
use rusqlite::{OptionalExtension, params};

use super::super::about::About;
use super::super::channels::{Destination, Due, Outcome};
use super::super::targets::{Key, Secret};
use super::Load;
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};

pub struct Row<'a> {
    pub id: NoticeId,
    pub target: TargetId,
    pub about: &'a About,
    pub next: Timestamp,
    pub held: bool,
}

pub fn insert(db: &Db<'_>, new: &Row<'_>) -> Result<(), StoreError> {
    let Row { id, target, about, next, held } = new;
    let sql = "INSERT INTO notice(id, target, fault, kind, topic, severity, subject, body, created_at, wanted_at, next_at, held, tells_of, told_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12, ?13)";
    let digest = about.digest.as_ref();
    db.sql().prepare_cached(sql)?.execute(params![
        Text(id),
        Text(target),
        about.fault.as_ref().map(|fault| Text(fault.id)),
        about.kind,
        about.topic.map(Text),
        Text(about.severity),
        about.subject,
        Json(about),
        At(db.now()),
        At(*next),
        held,
        digest.map(|digest| digest.count),
        digest.map(|_| At(db.now()))
    ])?;
    Ok(())
}

/// How much goes to a target just now.
pub fn load(db: &Db<'_>, target: TargetId, held: bool, window: SignedDuration) -> Result<Load, StoreError> {
    let sql = "SELECT (SELECT count(*) FROM notice WHERE target = ?1 AND held = ?3 AND next_at IS NOT NULL AND tells_of IS NULL AND replayed_at IS NULL),
                      (SELECT count(*) FROM notice WHERE target = ?1 AND held = ?3 AND created_at > ?2 AND tells_of IS NULL),
                      (SELECT max(told_at) FROM notice WHERE target = ?1 AND held = ?3 AND tells_of IS NOT NULL),
                      EXISTS (SELECT 1 FROM notice WHERE target = ?1 AND held = ?3 AND tells_of IS NOT NULL AND next_at IS NOT NULL AND NOT sealed)";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_row(params![Text(target), At(db.now() - window), held], |row| {
        Ok(Load {
            waiting: row.get(0)?,
            recent: row.get(1)?,
            folded_at: row.get::<_, Option<At>>(2)?.map(|at| at.0),
            has_open: row.get(3)?,
        })
    })?)
}

/// The digest of a target that more can go into.
pub fn open_digest(db: &Db<'_>, target: TargetId, held: bool) -> Result<Option<(NoticeId, About)>, StoreError> {
    let sql = "SELECT id, body FROM notice WHERE target = ?1 AND held = ?2 AND next_at IS NOT NULL AND tells_of IS NOT NULL AND NOT sealed";
    let mut statement = db.sql().prepare_cached(sql)?;
    let found = statement.query_row(params![Text(target), held], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Json<_>>(1)?.0)));
    Ok(found.optional()?)
}

pub fn update_digest(db: &Db<'_>, id: NoticeId, about: &About) -> Result<(), StoreError> {
    let sql = "UPDATE notice SET body = ?2, subject = ?3, severity = ?4, tells_of = ?5, told_at = ?6 WHERE id = ?1";
    let count = about.digest.as_ref().map_or(0, |digest| digest.count);
    let parameters = params![Text(id), Json(about), about.subject, Text(about.severity), count, At(db.now())];
    db.sql().prepare_cached(sql)?.execute(parameters)?;
    Ok(())
}

/// What waits alone and is not on its way at this moment.
pub fn foldable(db: &Db<'_>, target: TargetId, held: bool, not: &str) -> Result<Vec<(NoticeId, About)>, StoreError> {
    let sql = "SELECT id, body FROM notice WHERE target = ?1 AND held = ?2 AND next_at IS NOT NULL AND tells_of IS NULL
               AND sending_at IS NULL AND replayed_at IS NULL AND kind <> ?3 ORDER BY id";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement
        .query_map(params![Text(target), held, not], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Json<_>>(1)?.0)))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

pub fn folded(db: &Db<'_>, id: NoticeId, into: NoticeId) -> Result<(), StoreError> {
    let sql = "UPDATE notice SET next_at = NULL, folded_into = ?2 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), Text(into)])?;
    Ok(())
}

/// Is anything due? Asked every second, and almost always answered with no.
pub fn is_anything_due(db: &Db<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM notice_target t WHERE coalesce(t.paused_until, 0) <= ?1
                 AND EXISTS (SELECT 1 FROM notice n WHERE n.target = t.id AND n.next_at <= ?1)
                 AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.target = t.id AND n.sending_at IS NOT NULL))";
    Ok(db.sql().prepare_cached(sql)?.query_row([At(db.now())], |row| row.get(0))?)
}

/// For each target that is not paused or busy, what has waited there for longest; and of the targets, the same.
pub fn due(db: &Db<'_>, most: u32) -> Result<Vec<(TargetId, Due)>, StoreError> {
    let sql = "SELECT n.id, t.id, t.channel, t.address, t.key_id, t.secret, t.old_key_id, t.old_secret, t.old_until, n.body, min(n.next_at)
               FROM notice_target t JOIN notice n ON n.target = t.id AND n.next_at <= ?1
               WHERE coalesce(t.paused_until, 0) <= ?1 AND NOT EXISTS (SELECT 1 FROM notice b WHERE b.target = t.id AND b.sending_at IS NOT NULL)
               GROUP BY t.id ORDER BY min(n.next_at) LIMIT ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![At(db.now()), most], |row| {
        let key = |id: Option<String>, secret: Option<String>| Some(Key { id: id?, secret: Secret::of(secret?) });
        let old_until = row.get::<_, Option<At>>(8)?.map(|at| at.0);
        let old = key(row.get(6)?, row.get(7)?).filter(|_| old_until.is_some_and(|until| until > db.now()));
        let destination = Destination {
            channel: row.get::<_, Text<_>>(2)?.0,
            address: row.get(3)?,
            keys: key(row.get(4)?, row.get(5)?).into_iter().chain(old).collect(),
        };
        Ok((row.get::<_, Text<_>>(1)?.0, Due { id: row.get::<_, Text<_>>(0)?.0, destination, about: row.get::<_, Json<_>>(9)?.0 }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn attempts_since(db: &Db<'_>, target: TargetId, since: Timestamp) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM notice_attempt WHERE target = ?1 AND at > ?2";
    Ok(db.sql().prepare_cached(sql)?.query_row(params![Text(target), At(since)], |row| row.get(0))?)
}

/// On its way; a digest takes no more.
pub fn claim(db: &Db<'_>, id: NoticeId) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE notice SET sending_at = ?2, sealed = 1 WHERE id = ?1")?.execute(params![Text(id), At(db.now())])?;
    Ok(())
}

/// Not on its way after all.
pub fn unclaim(db: &Db<'_>, id: NoticeId) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE notice SET sending_at = NULL WHERE id = ?1")?.execute([Text(id)])?;
    Ok(())
}

/// After a start: nothing is on its way.
pub fn unclaim_all(db: &Db<'_>) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE notice SET sending_at = NULL WHERE sending_at IS NOT NULL")?.execute([])?;
    Ok(())
}

pub fn pause(db: &Db<'_>, target: TargetId, until: Timestamp) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE notice_target SET paused_until = ?2 WHERE id = ?1")?.execute(params![Text(target), At(until)])?;
    Ok(())
}

pub fn insert_attempt(db: &Db<'_>, notice: NoticeId, outcome: &Outcome) -> Result<(), StoreError> {
    let sql = "INSERT INTO notice_attempt(notice, target, at, latency_ms, status, problem, excerpt, public)
               SELECT id, target, ?2, ?3, ?4, ?5, ?6, ?7 FROM notice WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(notice),
        At(db.now()),
        outcome.latency_ms,
        outcome.status,
        outcome.result.as_ref().err(),
        outcome.excerpt,
        outcome.is_public
    ])?;
    Ok(())
}

pub struct Waited {
    pub target: TargetId,
    pub attempts: u32,
    pub wanted_at: Timestamp,
    /// Somebody still waits for it.
    pub is_waiting: bool,
}

pub fn attempted(db: &Db<'_>, id: NoticeId, problem: Option<&str>) -> Result<Option<Waited>, StoreError> {
    let sql = "UPDATE notice SET attempts = attempts + 1, problem = iif(next_at IS NULL, problem, ?2), sending_at = NULL
               WHERE id = ?1 RETURNING target, attempts, wanted_at, next_at IS NOT NULL";
    let mut statement = db.sql().prepare_cached(sql)?;
    let found = statement.query_row(params![Text(id), problem], |row| {
        Ok(Waited {
            target: row.get::<_, Text<_>>(0)?.0,
            attempts: row.get(1)?,
            wanted_at: row.get::<_, At>(2)?.0,
            is_waiting: row.get(3)?,
        })
    });
    Ok(found.optional()?)
}

pub fn delivered(db: &Db<'_>, id: NoticeId) -> Result<(), StoreError> {
    let sql = "UPDATE notice SET delivered_at = ?2, next_at = NULL, problem = NULL WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), At(db.now())])?;
    Ok(())
}

pub fn again(db: &Db<'_>, id: NoticeId, next: Timestamp) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE notice SET next_at = ?2 WHERE id = ?1")?.execute(params![Text(id), At(next)])?;
    Ok(())
}

pub fn give_up(db: &Db<'_>, id: NoticeId, problem: &str) -> Result<(), StoreError> {
    let sql = "UPDATE notice SET next_at = NULL, sending_at = NULL, problem = ?2 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), problem])?;
    Ok(())
}

/// How the target does: resets its failures, or counts one and answers how many there are.
pub fn target_works(db: &Db<'_>, target: TargetId) -> Result<(), StoreError> {
    let sql = "UPDATE notice_target SET failures = 0, paused_until = NULL WHERE id = ?1 AND (failures > 0 OR paused_until IS NOT NULL)";
    db.sql().prepare_cached(sql)?.execute([Text(target)])?;
    Ok(())
}

pub fn target_fails(db: &Db<'_>, target: TargetId) -> Result<u32, StoreError> {
    let sql = "UPDATE notice_target SET failures = failures + 1 WHERE id = ?1 RETURNING failures";
    Ok(db.sql().prepare_cached(sql)?.query_row([Text(target)], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// Waits again, from now on.
pub fn replay(db: &Db<'_>, id: NoticeId) -> Result<(), StoreError> {
    let sql = "UPDATE notice SET next_at = ?2, wanted_at = ?2, replayed_at = ?2, folded_into = NULL, problem = NULL WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), At(db.now())])?;
    Ok(())
}

/// Gives up what a dead target has kept waiting for too long.
pub fn give_up_old(db: &Db<'_>, wanted_before: Timestamp) -> Result<usize, StoreError> {
    let sql = "UPDATE notice SET next_at = NULL, problem = coalesce(problem, 'the target did not work for a day')
               WHERE next_at IS NOT NULL AND sending_at IS NULL AND wanted_at < ?1";
    Ok(db.sql().prepare_cached(sql)?.execute([At(wanted_before)])?)
}

pub fn tidy(db: &Db<'_>, created_before: Timestamp) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM notice WHERE next_at IS NULL AND created_at < ?1")?.execute([At(created_before)])?;
    let sql = "DELETE FROM notice_target WHERE removed_at < ?1 AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.target = notice_target.id)";
    db.sql().prepare_cached(sql)?.execute([At(created_before)])?;
    Ok(())
}

//! Targets, preferences, and what is repeated. The queue has SQL of its own ([`super::outbox`]).

use jiff::Timestamp;
use lineman_common::api::{NoticeAttempt, NoticePreferences, NoticeRepeat, NoticeTarget, NoticeView};
use lineman_common::id::{CustomerId, NoticeId, PersonId, TargetId};
use lineman_common::name::{FaultNumber, PersonName};
use lineman_common::notice::{ChannelKind, Delivery, Topic};
use lineman_common::people::Role;
use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::audience::{Of, Recipient};
use super::log::{Query, Viewer};
use super::targets::{Key, Owner, shown};
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};

// ---- Who is told ----------------------------------------------------------------------------------------------------

/// Without one, nothing needs to be put together.
pub fn has_targets(db: &Db<'_>) -> Result<bool, StoreError> {
    Ok(db.sql().prepare_cached("SELECT EXISTS (SELECT 1 FROM notice_target)")?.query_row([], |row| row.get(0))?)
}

const RECIPIENT: &str = "SELECT t.id, t.channel, p.name, r.body FROM notice_target t
    JOIN person p ON p.id = t.person LEFT JOIN notice_preference r ON r.person = p.id
    WHERE t.removed_at IS NULL AND p.disabled_at IS NULL";

fn person(row: &Row<'_>) -> rusqlite::Result<Recipient> {
    let preferences = row.get::<_, Option<Json<NoticePreferences>>>(3)?.map(|preferences| preferences.0).unwrap_or_default();
    Ok(Recipient {
        target: row.get::<_, Text<_>>(0)?.0,
        channel: row.get::<_, Text<_>>(1)?.0,
        of: Of::Person(row.get::<_, Text<_>>(2)?.0, Box::new(preferences)),
    })
}

/// Everybody of a role: the support centre's, or one customer's.
pub fn of_role(db: &Db<'_>, role: Role, customer: Option<CustomerId>) -> Result<Vec<Recipient>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{RECIPIENT} AND p.role = ?1 AND p.customer IS ?2"))?;
    let rows = statement.query_map(params![Text(role), customer.map(Text)], person)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One of the support centre's people.
pub fn of_person(db: &Db<'_>, name: &PersonName) -> Result<Vec<Recipient>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{RECIPIENT} AND p.name = ?1 AND p.customer IS NULL"))?;
    let rows = statement.query_map([Text(name)], person)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A customer's shared targets.
pub fn of_customer(db: &Db<'_>, customer: CustomerId) -> Result<Vec<Recipient>, StoreError> {
    let sql = "SELECT id, channel FROM notice_target WHERE customer = ?1 AND removed_at IS NULL";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([Text(customer)], |row| {
        Ok(Recipient { target: row.get::<_, Text<_>>(0)?.0, channel: row.get::<_, Text<_>>(1)?.0, of: Of::Customer })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn topics(db: &Db<'_>, customer: CustomerId) -> Result<Option<Vec<Topic>>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM notice_topics WHERE customer = ?1")?;
    let found: Option<Json<Vec<Topic>>> = statement.query_row([Text(customer)], |row| row.get(0)).optional()?;
    Ok(found.map(|found| found.0))
}

pub fn put_topics(db: &Db<'_>, customer: CustomerId, topics: &[Topic]) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO notice_topics VALUES (?1, ?2)";
    db.sql().prepare_cached(sql)?.execute(params![Text(customer), Json(topics)])?;
    Ok(())
}

pub fn preferences(db: &Db<'_>, person: PersonId) -> Result<Option<NoticePreferences>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT body FROM notice_preference WHERE person = ?1")?;
    let found: Option<Json<_>> = statement.query_row([Text(person)], |row| row.get(0)).optional()?;
    Ok(found.map(|found| found.0))
}

pub fn put_preferences(db: &Db<'_>, person: PersonId, preferences: &NoticePreferences) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO notice_preference VALUES (?1, ?2)";
    db.sql().prepare_cached(sql)?.execute(params![Text(person), Json(preferences)])?;
    Ok(())
}

// ---- Targets --------------------------------------------------------------------------------------------------------

pub struct NewTarget<'a> {
    pub id: TargetId,
    pub owner: Owner,
    pub channel: ChannelKind,
    pub address: &'a str,
    pub by: &'a PersonName,
    pub key: Option<&'a Key>,
}

pub fn insert_target(db: &Db<'_>, new: &NewTarget<'_>) -> Result<(), StoreError> {
    let (customer, person) = new.owner.columns();
    let sql = "INSERT INTO notice_target(id, customer, person, channel, address, created_at, created_by, key_id, secret)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(new.id),
        customer,
        person,
        Text(new.channel),
        new.address,
        At(db.now()),
        Text(new.by),
        new.key.map(|key| &key.id),
        new.key.map(|key| key.secret.shown())
    ])?;
    Ok(())
}

/// The addresses of an owner, with their ids.
pub fn addresses(db: &Db<'_>, owner: Owner) -> Result<Vec<(TargetId, ChannelKind, String)>, StoreError> {
    let (customer, person) = owner.columns();
    let sql = "SELECT id, channel, address FROM notice_target WHERE customer IS ?1 AND person IS ?2 AND removed_at IS NULL ORDER BY rowid";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement
        .query_map(params![customer, person], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Text<_>>(1)?.0, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes a target away; what waits for it is not sent.
pub fn remove_target(db: &Db<'_>, id: TargetId) -> Result<(), StoreError> {
    db.sql()
        .prepare_cached("UPDATE notice_target SET removed_at = ?2, secret = NULL, old_secret = NULL WHERE id = ?1")?
        .execute(params![Text(id), At(db.now())])?;
    let sql = "UPDATE notice SET next_at = NULL, sending_at = NULL, problem = 'nobody is told there any more'
               WHERE target = ?1 AND next_at IS NOT NULL";
    db.sql().prepare_cached(sql)?.execute([Text(id)])?;
    Ok(())
}

/// The next key signs from now on; the one before, until then.
pub fn rotate(db: &Db<'_>, id: TargetId, key: &Key, old_until: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE notice_target SET old_key_id = key_id, old_secret = secret, old_until = ?4, key_id = ?2, secret = ?3 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), key.id, key.secret.shown(), At(old_until)])?;
    Ok(())
}

/// What a viewer may see, of targets `t`: parameters 1 to 3.
const MAY: &str = "(?1 OR t.person = ?2 OR t.customer = ?3)";

fn may(viewer: &Viewer) -> [Box<dyn ToSql>; 3] {
    [Box::new(viewer.all), Box::new(viewer.person.to_string()), Box::new(viewer.customer.map(|customer| customer.to_string()))]
}

const TARGET: &str = "SELECT t.id, t.channel, t.address, p.name, c.code, t.created_at, t.created_by, t.key_id, t.old_key_id, t.old_until,
    (SELECT count(*) FROM notice n WHERE n.target = t.id AND n.next_at IS NOT NULL), t.failures, t.paused_until, t.rowid
    FROM notice_target t LEFT JOIN person p ON p.id = t.person LEFT JOIN customer c ON c.id = t.customer WHERE t.removed_at IS NULL";

fn target(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<NoticeTarget> {
    let old_until = row.get::<_, Option<At>>(9)?.map(|at| at.0);
    let old: Option<String> = row.get::<_, Option<String>>(8)?.filter(|_| old_until.is_some_and(|until| until > now));
    Ok(NoticeTarget {
        id: row.get::<_, Text<_>>(0)?.0,
        channel: row.get::<_, Text<_>>(1)?.0,
        address: shown(&row.get::<_, String>(2)?),
        person: row.get::<_, Option<Text<_>>>(3)?.map(|t| t.0),
        customer: row.get::<_, Option<Text<_>>>(4)?.map(|t| t.0),
        created_at: row.get::<_, At>(5)?.0,
        created_by: row.get(6)?,
        keys: row.get::<_, Option<String>>(7)?.into_iter().chain(old).collect(),
        waiting: row.get(10)?,
        failures: row.get(11)?,
        paused_until: row.get::<_, Option<At>>(12)?.map(|at| at.0).filter(|until| *until > now),
    })
}

pub fn find_target(db: &Db<'_>, viewer: &Viewer, id: TargetId) -> Result<Option<NoticeTarget>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{TARGET} AND {MAY} AND t.id = ?4"))?;
    let [all, person, customer] = may(viewer);
    Ok(statement.query_row(params![all, person, customer, Text(id)], |row| target(row, db.now())).optional()?)
}

pub fn targets(db: &Db<'_>, viewer: &Viewer, after: Option<TargetId>, limit: u32) -> Result<Vec<NoticeTarget>, StoreError> {
    let sql = format!(
        "{TARGET} AND {MAY} AND t.rowid > coalesce((SELECT a.rowid FROM notice_target a WHERE a.id = ?4), 0) ORDER BY t.rowid LIMIT ?5"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let [all, person, customer] = may(viewer);
    let rows = statement.query_map(params![all, person, customer, after.map(Text), limit], |row| target(row, db.now()))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

// ---- The delivery log -----------------------------------------------------------------------------------------------

const NOTICE: &str =
    "SELECT n.id, n.created_at, t.address, t.id, n.kind, n.topic, n.severity, n.subject, n.attempts, n.next_at, n.delivered_at,
    n.problem, n.folded_into, n.tells_of, c.code, f.serial
    FROM notice n JOIN notice_target t ON t.id = n.target LEFT JOIN fault f ON f.id = n.fault LEFT JOIN customer c ON c.id = f.customer";

fn notice(row: &Row<'_>) -> rusqlite::Result<NoticeView> {
    let time = |index| -> rusqlite::Result<Option<Timestamp>> { Ok(row.get::<_, Option<At>>(index)?.map(|at| at.0)) };
    let (next_at, delivered_at) = (time(9)?, time(10)?);
    let folded_into = row.get::<_, Option<Text<_>>>(12)?.map(|t| t.0);
    let fault = match (row.get::<_, Option<Text<_>>>(14)?, row.get(15)?) {
        (Some(Text(customer)), Some(serial)) => Some(FaultNumber { customer, serial }),
        _ => None,
    };
    let state = match (&next_at, &folded_into, &delivered_at) {
        (Some(_), _, _) => Delivery::Waiting,
        (None, Some(_), _) => Delivery::Folded,
        (None, None, Some(_)) => Delivery::Delivered,
        (None, None, None) => Delivery::GivenUp,
    };
    Ok(NoticeView {
        id: row.get::<_, Text<_>>(0)?.0,
        at: row.get::<_, At>(1)?.0,
        target: shown(&row.get::<_, String>(2)?),
        target_id: row.get::<_, Text<_>>(3)?.0,
        kind: row.get(4)?,
        topic: row.get::<_, Option<Text<_>>>(5)?.map(|t| t.0),
        severity: row.get::<_, Text<_>>(6)?.0,
        fault,
        subject: row.get::<_, String>(7)?.into(),
        state,
        attempts: row.get(8)?,
        next_at,
        delivered_at,
        problem: row.get::<_, Option<String>>(11)?.map(Into::into),
        folded_into,
        tells_of: row.get(13)?,
    })
}

/// Newest first.
pub fn notices(db: &Db<'_>, viewer: &Viewer, query: &Query) -> Result<Vec<NoticeView>, StoreError> {
    let sql = format!(
        "{NOTICE} WHERE {MAY} AND (?4 IS NULL OR n.target = ?4) AND (?5 IS NULL OR n.fault = ?5) AND (?6 IS NULL OR n.id < ?6)
         AND (?7 IS NULL OR ?7 = CASE WHEN n.next_at IS NOT NULL THEN 'waiting' WHEN n.folded_into IS NOT NULL THEN 'folded'
                                      WHEN n.delivered_at IS NOT NULL THEN 'delivered' ELSE 'given_up' END)
         ORDER BY n.id DESC LIMIT ?8"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let [all, person, customer] = may(viewer);
    let Query { target, fault, state, after, limit } = query;
    let parameters = params![all, person, customer, target.map(Text), fault.map(Text), after.map(Text), state.map(Delivery::as_str), limit];
    let rows = statement.query_map(parameters, notice)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn find_notice(db: &Db<'_>, viewer: &Viewer, id: NoticeId) -> Result<Option<NoticeView>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{NOTICE} WHERE {MAY} AND n.id = ?4"))?;
    let [all, person, customer] = may(viewer);
    Ok(statement.query_row(params![all, person, customer, Text(id)], notice).optional()?)
}

/// Oldest first, the newest so many. What came from a private network is shown to the administrator only.
pub fn attempts(db: &Db<'_>, viewer: &Viewer, notice: NoticeId, most: u32) -> Result<Vec<NoticeAttempt>, StoreError> {
    let sql = "SELECT at, latency_ms, status, problem, iif(public OR ?2, excerpt, NULL) FROM notice_attempt WHERE notice = ?1
               ORDER BY id DESC LIMIT ?3";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![Text(notice), viewer.all, most], |row| {
        Ok(NoticeAttempt {
            at: row.get::<_, At>(0)?.0,
            latency_ms: row.get(1)?,
            status: row.get(2)?,
            problem: row.get::<_, Option<String>>(3)?.map(Into::into),
            excerpt: row.get::<_, Option<String>>(4)?.map(Into::into),
        })
    })?;
    let mut attempts: Vec<_> = rows.collect::<Result<_, _>>()?;
    attempts.reverse();
    Ok(attempts)
}

/// Notices to a target in a time, for a replay: those that were or should have been delivered, oldest first.
pub fn in_time(db: &Db<'_>, target: TargetId, from: Timestamp, to: Timestamp, most: u32) -> Result<Vec<NoticeId>, StoreError> {
    let sql = "SELECT id FROM notice WHERE target = ?1 AND created_at >= ?2 AND created_at < ?3 AND next_at IS NULL ORDER BY id LIMIT ?4";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![Text(target), At(from), At(to), most], |row| Ok(row.get::<_, Text<_>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the newest notice of this kind for a target was made.
pub fn newest(db: &Db<'_>, target: TargetId, kind: &str) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT max(created_at) FROM notice WHERE target = ?1 AND kind = ?2";
    let newest: Option<At> = db.sql().prepare_cached(sql)?.query_row(params![Text(target), kind], |row| row.get(0))?;
    Ok(newest.map(|at| at.0))
}

// ---- What is repeated -----------------------------------------------------------------------------------------------

pub fn watch(db: &Db<'_>, subject: &str, customer: CustomerId) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO notice_repeat(subject, customer, since, told_at) VALUES (?1, ?2, ?3, ?3)";
    db.sql().prepare_cached(sql)?.execute(params![subject, Text(customer), At(db.now())])?;
    Ok(())
}

pub fn unwatch(db: &Db<'_>, subject: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM notice_repeat WHERE subject = ?1")?.execute([subject])?;
    Ok(())
}

/// What was told last before that time, and how often.
pub fn repeats_due(db: &Db<'_>, told_before: Timestamp, most: u32) -> Result<Vec<(String, u32)>, StoreError> {
    let sql = "SELECT subject, rung FROM notice_repeat WHERE told_at <= ?1 AND acknowledged_at IS NULL ORDER BY told_at LIMIT ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![At(told_before), most], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn repeated(db: &Db<'_>, subject: &str) -> Result<(), StoreError> {
    let sql = "UPDATE notice_repeat SET rung = rung + 1, told_at = ?2 WHERE subject = ?1";
    db.sql().prepare_cached(sql)?.execute(params![subject, At(db.now())])?;
    Ok(())
}

/// Says that it need not be repeated; `false` when it is not, or somebody said so before.
pub fn acknowledge(db: &Db<'_>, subject: &str, by: &PersonName, why: &str) -> Result<bool, StoreError> {
    let sql = "UPDATE notice_repeat SET acknowledged_by = ?2, acknowledged_at = ?3, acknowledged_why = ?4
               WHERE subject = ?1 AND acknowledged_at IS NULL";
    Ok(db.sql().prepare_cached(sql)?.execute(params![subject, Text(by), At(db.now()), why])? > 0)
}

pub fn repeat_of(db: &Db<'_>, subject: &str) -> Result<Option<NoticeRepeat>, StoreError> {
    let sql =
        "SELECT subject, since, told_at, rung, acknowledged_by, acknowledged_at, acknowledged_why FROM notice_repeat WHERE subject = ?1";
    let found = db.sql().prepare_cached(sql)?.query_row([subject], |row| {
        Ok(NoticeRepeat {
            subject: row.get(0)?,
            since: row.get::<_, At>(1)?.0,
            told_at: row.get::<_, At>(2)?.0,
            rung: row.get(3)?,
            acknowledged_by: row.get::<_, Option<Text<_>>>(4)?.map(|t| t.0),
            acknowledged_at: row.get::<_, Option<At>>(5)?.map(|at| at.0),
            why: row.get::<_, Option<String>>(6)?.map(Into::into),
        })
    });
    Ok(found.optional()?)
}

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{Disabled, Person, Profile};
use lineman_common::id::{CustomerId, PersonId};
use lineman_common::name::PersonName;
use rusqlite::{OptionalExtension, Row, params};

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::{Actor, Scope};

const ACTOR: &str = "p.id, p.name, p.role, p.customer, c.code FROM person p LEFT JOIN customer c ON c.id = p.customer";

const PERSON: &str =
    "SELECT p.id, p.name, p.role, c.code, p.created_at, p.skills, p.level, p.mail, p.disabled_at, p.disabled_by, p.disabled_reason,
    EXISTS (SELECT 1 FROM second_factor s WHERE s.person = p.id AND s.confirmed_at IS NOT NULL)
    FROM person p LEFT JOIN customer c ON c.id = p.customer";

fn actor(row: &Row<'_>) -> rusqlite::Result<Actor> {
    let customer = match (row.get::<_, Option<Text<_>>>(3)?, row.get::<_, Option<Text<_>>>(4)?) {
        (Some(Text(id)), Some(Text(code))) => Some((id, code)),
        _ => None,
    };
    Ok(Actor { id: row.get::<_, Text<_>>(0)?.0, name: row.get::<_, Text<_>>(1)?.0, role: row.get::<_, Text<_>>(2)?.0, customer })
}

fn person(row: &Row<'_>) -> rusqlite::Result<Person> {
    let disabled = match (row.get::<_, Option<At>>(8)?, row.get::<_, Option<Text<_>>>(9)?, row.get::<_, Option<String>>(10)?) {
        (Some(At(at)), Some(Text(by)), Some(reason)) => Some(Disabled { at, by, reason: Printable::new(reason) }),
        _ => None,
    };
    Ok(Person {
        id: row.get::<_, Text<_>>(0)?.0,
        name: row.get::<_, Text<_>>(1)?.0,
        role: row.get::<_, Text<_>>(2)?.0,
        customer: row.get::<_, Option<Text<_>>>(3)?.map(|t| t.0),
        created_at: row.get::<_, At>(4)?.0,
        skills: row.get::<_, Json<_>>(5)?.0,
        level: row.get(6)?,
        mail: row.get(7)?,
        disabled,
        second_factor: row.get(11)?,
    })
}

pub fn insert(db: &Db<'_>, person: &Person, customer: Option<CustomerId>, password: Option<&str>) -> Result<(), StoreError> {
    let sql = "INSERT INTO person(id, name, role, customer, password, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(person.id),
        Text(&person.name),
        Text(person.role),
        customer.map(Text),
        password,
        At(person.created_at)
    ])?;
    Ok(())
}

pub fn by_name(db: &Db<'_>, name: &PersonName) -> Result<Option<Actor>, StoreError> {
    Ok(db.sql().prepare_cached(&format!("SELECT {ACTOR} WHERE p.name = ?1"))?.query_row([Text(name)], actor).optional()?)
}

/// Nobody who is disabled.
pub fn by_token(db: &Db<'_>, sha256: &str, now: Timestamp) -> Result<Option<Actor>, StoreError> {
    let sql =
        format!("SELECT {ACTOR} JOIN api_token t ON t.person = p.id WHERE t.sha256 = ?1 AND t.expires_at > ?2 AND p.disabled_at IS NULL");
    Ok(db.sql().prepare_cached(&sql)?.query_row(params![sha256, At(now)], actor).optional()?)
}

pub fn password_of(db: &Db<'_>, name: &PersonName) -> Result<Option<String>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT password FROM person WHERE name = ?1 AND disabled_at IS NULL")?;
    Ok(statement.query_row([Text(name)], |row| row.get(0)).optional()?.flatten())
}

pub fn get(db: &Db<'_>, scope: &Scope, name: &PersonName) -> Result<Option<Person>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{PERSON} WHERE p.name = ?1 AND (?2 IS NULL OR p.customer = ?2)"))?;
    Ok(statement.query_row(params![Text(name), scope.customer()], person).optional()?)
}

pub fn list(db: &Db<'_>, scope: &Scope) -> Result<Vec<Person>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{PERSON} WHERE ?1 IS NULL OR p.customer = ?1 ORDER BY p.name"))?;
    Ok(statement.query_map([scope.customer()], person)?.collect::<Result<_, _>>()?)
}

pub fn disabled(db: &Db<'_>) -> Result<Vec<PersonName>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT name FROM person WHERE disabled_at IS NOT NULL ORDER BY name")?;
    Ok(statement.query_map([], |row| Ok(row.get::<_, Text<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

pub fn set_profile(db: &Db<'_>, id: PersonId, profile: &Profile) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("UPDATE person SET skills = ?2, level = ?3, mail = ?4 WHERE id = ?1")?;
    statement.execute(params![Text(id), Json(&profile.skills), profile.level, profile.mail])?;
    Ok(())
}

pub fn set_disabled(db: &Db<'_>, id: PersonId, disabled: Option<&Disabled>) -> Result<(), StoreError> {
    let mut statement =
        db.sql().prepare_cached("UPDATE person SET disabled_at = ?2, disabled_by = ?3, disabled_reason = ?4 WHERE id = ?1")?;
    statement.execute(params![Text(id), disabled.map(|d| At(d.at)), disabled.map(|d| Text(&d.by)), disabled.map(|d| d.reason.raw())])?;
    Ok(())
}

pub fn set_password(db: &Db<'_>, id: PersonId, hash: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE person SET password = ?2 WHERE id = ?1")?.execute(params![Text(id), hash])?;
    Ok(())
}

pub fn insert_token(db: &Db<'_>, sha256: &str, person: PersonId, label: &str, expires_at: Timestamp) -> Result<(), StoreError> {
    db.sql().prepare_cached("INSERT INTO api_token VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        sha256,
        Text(person),
        label,
        At(db.now()),
        At(expires_at)
    ])?;
    Ok(())
}

pub fn delete_token(db: &Db<'_>, sha256: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM api_token WHERE sha256 = ?1")?.execute([sha256])?;
    Ok(())
}

/// All tokens of a person but this one.
pub fn delete_tokens(db: &Db<'_>, person: PersonId, but: Option<&str>) -> Result<usize, StoreError> {
    let mut statement = db.sql().prepare_cached("DELETE FROM api_token WHERE person = ?1 AND (?2 IS NULL OR sha256 <> ?2)")?;
    Ok(statement.execute(params![Text(person), but])?)
}

// ---- The second factor ----------------------------------------------------------------------------------------------

pub struct SecondFactor {
    pub secret: String,
    pub is_confirmed: bool,
    pub last_step: i64,
}

pub fn second_factor(db: &Db<'_>, person: PersonId) -> Result<Option<SecondFactor>, StoreError> {
    let mut statement =
        db.sql().prepare_cached("SELECT secret, confirmed_at IS NOT NULL, last_step FROM second_factor WHERE person = ?1")?;
    let found = statement
        .query_row([Text(person)], |row| Ok(SecondFactor { secret: row.get(0)?, is_confirmed: row.get(1)?, last_step: row.get(2)? }));
    Ok(found.optional()?)
}

/// Takes the place of one that was never confirmed.
pub fn put_second_factor(db: &Db<'_>, person: PersonId, secret: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("INSERT OR REPLACE INTO second_factor VALUES (?1, ?2, NULL, 0)")?.execute(params![Text(person), secret])?;
    Ok(())
}

/// A code of this step was taken, which also confirms.
pub fn take_step(db: &Db<'_>, person: PersonId, step: i64) -> Result<(), StoreError> {
    let sql = "UPDATE second_factor SET last_step = ?2, confirmed_at = coalesce(confirmed_at, ?3) WHERE person = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(person), step, At(db.now())])?;
    Ok(())
}

pub fn put_recovery_codes(db: &Db<'_>, person: PersonId, hashes: &[String]) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM recovery_code WHERE person = ?1")?.execute([Text(person)])?;
    let mut insert = db.sql().prepare_cached("INSERT INTO recovery_code VALUES (?1, ?2)")?;
    hashes.iter().try_for_each(|hash| insert.execute(params![Text(person), hash]).map(drop))?;
    Ok(())
}

/// Takes a recovery code out; answers whether it was there.
pub fn take_recovery_code(db: &Db<'_>, person: PersonId, sha256: &str) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached("DELETE FROM recovery_code WHERE person = ?1 AND sha256 = ?2")?;
    Ok(statement.execute(params![Text(person), sha256])? > 0)
}

pub fn delete_second_factor(db: &Db<'_>, person: PersonId) -> Result<bool, StoreError> {
    db.sql().prepare_cached("DELETE FROM recovery_code WHERE person = ?1")?.execute([Text(person)])?;
    Ok(db.sql().prepare_cached("DELETE FROM second_factor WHERE person = ?1")?.execute([Text(person)])? > 0)
}

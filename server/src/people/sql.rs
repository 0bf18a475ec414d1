use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{Disabled, Person, Profile};
use lineman_common::id::{CustomerId, PersonId};
use lineman_common::name::PersonName;
use lineman_common::people::Role;
use rusqlite::{OptionalExtension, Row, params};

use crate::store::value::{At, Json, Text};
use crate::store::{Db, Nudge, StoreError, Tx};
use crate::web::{Actor, Scope};

const ACTOR: &str = "p.id, p.name, p.role, p.customer, c.code FROM person p LEFT JOIN customer c ON c.id = p.customer";

const PERSON: &str =
    "SELECT p.id, p.name, p.role, c.code, p.created_at, p.skills, p.level, p.mail, p.disabled_at, p.disabled_by, p.disabled_reason,
    EXISTS (SELECT 1 FROM second_factor s WHERE s.person = p.id AND s.confirmed_at IS NOT NULL),
    p.password IS NOT NULL, EXISTS (SELECT 1 FROM identity i WHERE i.person = p.id)
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
        password: row.get(12)?,
        oidc: row.get(13)?,
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

pub fn delete_token(tx: &mut Tx<'_>, sha256: &str) -> Result<(), StoreError> {
    tx.sql().prepare_cached("DELETE FROM api_token WHERE sha256 = ?1")?.execute([sha256])?;
    tx.nudge(Nudge::SignedOut);
    Ok(())
}

/// All tokens of a person but this one.
pub fn delete_tokens(tx: &mut Tx<'_>, person: PersonId, but: Option<&str>) -> Result<usize, StoreError> {
    let sql = "DELETE FROM api_token WHERE person = ?1 AND (?2 IS NULL OR sha256 <> ?2)";
    let deleted = tx.sql().prepare_cached(sql)?.execute(params![Text(person), but])?;
    tx.nudge(Nudge::SignedOut);
    Ok(deleted)
}

pub struct Token {
    pub sha256: String,
    pub label: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Those that still count, the newest first.
pub fn tokens(db: &Db<'_>, person: PersonId) -> Result<Vec<Token>, StoreError> {
    let sql = "SELECT sha256, label, created_at, expires_at FROM api_token WHERE person = ?1 AND expires_at > ?2
        ORDER BY created_at DESC, sha256 LIMIT 1000";
    let mut statement = db.sql().prepare_cached(sql)?;
    let row = |row: &Row<'_>| {
        Ok(Token { sha256: row.get(0)?, label: row.get(1)?, created_at: row.get::<_, At>(2)?.0, expires_at: row.get::<_, At>(3)?.0 })
    };
    Ok(statement.query_map(params![Text(person), At(db.now())], row)?.collect::<Result<_, _>>()?)
}

pub fn set_role(db: &Db<'_>, id: PersonId, role: Role) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE person SET role = ?2 WHERE id = ?1")?.execute(params![Text(id), Text(role)])?;
    Ok(())
}

pub fn set_mail(db: &Db<'_>, id: PersonId, mail: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE person SET mail = ?2 WHERE id = ?1")?.execute(params![Text(id), mail])?;
    Ok(())
}

/// Is there an admin who can sign in to the console: with a password, or through the identity provider?
pub fn has_admin_who_signs_in(db: &Db<'_>, with_oidc: bool) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM person p WHERE p.role = 'admin' AND p.disabled_at IS NULL AND ((p.password IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM identity i WHERE i.person = p.id AND i.refused_at IS NOT NULL)) OR (?1 AND EXISTS (SELECT 1 FROM identity i WHERE i.person = p.id AND i.refused_at IS NULL))))";
    Ok(db.sql().prepare_cached(sql)?.query_row([with_oidc], |row| row.get(0))?)
}

// ---- Links that sign in ---------------------------------------------------------------------------------------------

pub fn insert_link(db: &Db<'_>, sha256: &str, person: PersonId, expires_at: Timestamp, is_reusable: bool) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM sign_in_link WHERE expires_at <= ?1")?.execute([At(db.now())])?;
    db.sql().prepare_cached("INSERT INTO sign_in_link VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        sha256,
        Text(person),
        At(expires_at),
        is_reusable
    ])?;
    Ok(())
}

/// Whose link this is, while it counts, and whether it goes on counting.
pub fn link(db: &Db<'_>, sha256: &str) -> Result<Option<(PersonName, bool)>, StoreError> {
    let sql = "SELECT p.name, l.is_reusable FROM sign_in_link l JOIN person p ON p.id = l.person
        WHERE l.sha256 = ?1 AND l.expires_at > ?2 AND p.disabled_at IS NULL";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_row(params![sha256, At(db.now())], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get(1)?))).optional()?)
}

pub fn delete_link(db: &Db<'_>, sha256: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM sign_in_link WHERE sha256 = ?1")?.execute([sha256])?;
    Ok(())
}

pub fn delete_links(db: &Db<'_>, person: PersonId) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM sign_in_link WHERE person = ?1")?.execute([Text(person)])?;
    Ok(())
}

// ---- The identity provider's people ---------------------------------------------------------------------------------

pub fn person_of_identity(db: &Db<'_>, issuer: &str, subject: &str) -> Result<Option<PersonName>, StoreError> {
    let sql = "SELECT p.name FROM identity i JOIN person p ON p.id = i.person WHERE i.issuer = ?1 AND i.subject = ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    Ok(statement.query_row([issuer, subject], |row| Ok(row.get::<_, Text<_>>(0)?.0)).optional()?)
}

pub fn has_identity(db: &Db<'_>, person: PersonId) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT EXISTS (SELECT 1 FROM identity WHERE person = ?1)")?;
    Ok(statement.query_row([Text(person)], |row| row.get(0))?)
}

/// Somebody whom the mapping lets in now.
pub fn put_identity(db: &Db<'_>, issuer: &str, subject: &str, person: PersonId) -> Result<(), StoreError> {
    let sql = "INSERT INTO identity VALUES (?1, ?2, ?3, ?4, ?4, NULL)
        ON CONFLICT(issuer, subject) DO UPDATE SET signed_in_at = ?4, refused_at = NULL";
    db.sql().prepare_cached(sql)?.execute(params![issuer, subject, Text(person), At(db.now())])?;
    Ok(())
}

/// Answers whether that is new.
pub fn refuse_identity(db: &Db<'_>, person: PersonId) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached("UPDATE identity SET refused_at = ?2 WHERE person = ?1 AND refused_at IS NULL")?;
    Ok(statement.execute(params![Text(person), At(db.now())])? > 0)
}

/// Does the provider let somebody in no more, whom it did before?
pub fn is_refused(db: &Db<'_>, person: PersonId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM identity WHERE person = ?1 AND refused_at IS NOT NULL)";
    Ok(db.sql().prepare_cached(sql)?.query_row([Text(person)], |row| row.get(0))?)
}

pub fn forgive_identity(db: &Db<'_>, person: PersonId) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE identity SET refused_at = NULL WHERE person = ?1")?.execute([Text(person)])?;
    Ok(())
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

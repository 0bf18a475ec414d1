use jiff::Timestamp;
use lineman_common::api::Person;
use lineman_common::id::{CustomerId, PersonId};
use lineman_common::name::PersonName;
use rusqlite::{OptionalExtension, Row, params};

use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};
use crate::web::{Actor, Scope};

const ACTOR: &str = "p.id, p.name, p.role, p.customer, c.code FROM person p LEFT JOIN customer c ON c.id = p.customer";

fn actor(row: &Row<'_>) -> rusqlite::Result<Actor> {
    let customer = match (row.get::<_, Option<Text<_>>>(3)?, row.get::<_, Option<Text<_>>>(4)?) {
        (Some(Text(id)), Some(Text(code))) => Some((id, code)),
        _ => None,
    };
    Ok(Actor { id: row.get::<_, Text<_>>(0)?.0, name: row.get::<_, Text<_>>(1)?.0, role: row.get::<_, Text<_>>(2)?.0, customer })
}

pub fn insert(db: &Db<'_>, person: &Person, customer: Option<CustomerId>, password: Option<&str>) -> Result<(), StoreError> {
    db.sql().prepare_cached("INSERT INTO person VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
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

pub fn by_token(db: &Db<'_>, sha256: &str, now: Timestamp) -> Result<Option<Actor>, StoreError> {
    let sql = format!("SELECT {ACTOR} JOIN api_token t ON t.person = p.id WHERE t.sha256 = ?1 AND t.expires_at > ?2");
    Ok(db.sql().prepare_cached(&sql)?.query_row(params![sha256, At(now)], actor).optional()?)
}

pub fn password_of(db: &Db<'_>, name: &PersonName) -> Result<Option<String>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT password FROM person WHERE name = ?1")?;
    Ok(statement.query_row([Text(name)], |row| row.get(0)).optional()?.flatten())
}

pub fn list(db: &Db<'_>, scope: &Scope) -> Result<Vec<Person>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT p.id, p.name, p.role, c.code, p.created_at FROM person p LEFT JOIN customer c ON c.id = p.customer
         WHERE ?1 IS NULL OR p.customer = ?1 ORDER BY p.name",
    )?;
    let rows = statement.query_map([scope.customer()], |row| {
        Ok(Person {
            id: row.get::<_, Text<_>>(0)?.0,
            name: row.get::<_, Text<_>>(1)?.0,
            role: row.get::<_, Text<_>>(2)?.0,
            customer: row.get::<_, Option<Text<_>>>(3)?.map(|t| t.0),
            created_at: row.get::<_, At>(4)?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
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

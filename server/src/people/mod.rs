//! Users: who they are, and how they prove it.
//!
//! Passwords are argon2id hashes; API tokens are random, shown once and stored as SHA-256. A person of a carrier's role belongs to one
//! customer for good.

pub mod http;
mod sql;
mod throttle;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use jiff::ToSpan;
use lineman_common::api::{NewApiToken, NewPerson, Person, TokenReply};
use lineman_common::id::PersonId;
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::statement::sha256_hex;

use crate::customers;
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

pub use throttle::Throttle;

/// How long a sign-in by password lasts.
const SIGN_IN_DAYS: u32 = 1;
const LONGEST_TOKEN_DAYS: u32 = 366;
const SHORTEST_PASSWORD: usize = 12;
const LONGEST_PASSWORD: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is a person named {0} already")]
    NameTaken(PersonName),
    #[error("there is no customer {0}")]
    NoCustomer(CustomerCode),
    #[error("the role {0} belongs to a carrier: name its customer")]
    NeedsCustomer(lineman_common::people::Role),
    #[error("the role {0} belongs to the support centre, not to a customer")]
    NoCustomerWanted(lineman_common::people::Role),
    #[error("a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")]
    BadPassword,
    #[error("a token lives 1 to {LONGEST_TOKEN_DAYS} days and has a label of 1 to 100 characters")]
    BadToken,
    #[error("the name or the password is wrong")]
    WrongPassword,
    #[error("no such person")]
    NoPerson,
    #[error("the password could not be hashed: {0}")]
    Hash(argon2::password_hash::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NameTaken(_) => Self::conflict(error.to_string()),
            Error::NoCustomer(_) | Error::NeedsCustomer(_) | Error::NoCustomerWanted(_) | Error::BadPassword | Error::BadToken => {
                Self::invalid(error.to_string())
            }
            Error::WrongPassword => Self::new(lineman_common::error::ErrorCode::Unauthenticated, error.to_string()),
            Error::NoPerson => Self::not_found("person"),
            Error::Hash(error) => Self::internal(error),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

/// A new password's hash. Slow on purpose: run it off the store's threads.
pub fn hash_password(password: &str) -> Result<String, Error> {
    if !(SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&password.chars().count()) {
        return Err(Error::BadPassword);
    }
    let salt = SaltString::encode_b64(uuid_bytes().as_slice()).map_err(Error::Hash)?;
    Ok(argon2::Argon2::default().hash_password(password.as_bytes(), &salt).map_err(Error::Hash)?.to_string())
}

/// Checks a password against a stored hash; without one it does the same work, so that time doesn't tell who exists.
pub fn password_fits(password: &str, stored: Option<&str>) -> bool {
    // A well-formed hash that no password has.
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let fits = PasswordHash::new(stored.unwrap_or(NOBODY))
        .is_ok_and(|hash| argon2::Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
    fits && stored.is_some()
}

/// 122 random bits.
fn uuid_bytes() -> [u8; 16] {
    *uuid::Uuid::new_v4().as_bytes()
}

/// A bearer token: 244 random bits.
fn new_secret() -> String {
    format!("lm_{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

pub fn add(tx: &mut Tx<'_>, actor: &str, new: NewPerson, password_hash: Option<String>) -> Result<Person, Error> {
    let customer = match (&new.customer, new.role.is_carrier()) {
        (None, true) => return Err(Error::NeedsCustomer(new.role)),
        (Some(_), false) if new.role != lineman_common::people::Role::Auditor => return Err(Error::NoCustomerWanted(new.role)),
        (None, _) => None,
        (Some(code), _) => Some(customers::find(tx, &Scope::All, code)?.ok_or_else(|| Error::NoCustomer(code.clone()))?),
    };
    if sql::by_name(tx, &new.name)?.is_some() {
        return Err(Error::NameTaken(new.name));
    }
    let person = Person { id: PersonId::new(), name: new.name, role: new.role, customer: new.customer, created_at: tx.now() };
    sql::insert(tx, &person, customer.as_ref().map(|c| c.id), password_hash.as_deref())?;
    let event = New::of(Kind::PersonAdded, actor, format!("{} added as {}", person.name, person.role));
    events::append(tx, New { customer: customer.map(|c| c.id), ..event })?;
    Ok(person)
}

pub fn list(db: &Db<'_>, scope: &Scope) -> Result<Vec<Person>, StoreError> {
    sql::list(db, scope)
}

pub fn find(db: &Db<'_>, scope: &Scope, name: &PersonName) -> Result<Option<Person>, StoreError> {
    Ok(sql::list(db, scope)?.into_iter().find(|person| person.name == *name))
}

pub fn password_of(db: &Db<'_>, name: &PersonName) -> Result<Option<String>, StoreError> {
    sql::password_of(db, name)
}

/// A token after the password was found right.
pub fn sign_in(tx: &mut Tx<'_>, name: &PersonName) -> Result<TokenReply, Error> {
    let person = sql::by_name(tx, name)?.ok_or(Error::WrongPassword)?;
    issue(tx, &person, "sign-in", SIGN_IN_DAYS, Kind::SignedIn, name.as_str())
}

/// An API token for somebody.
pub fn issue_token(tx: &mut Tx<'_>, actor: &str, name: &PersonName, new: &NewApiToken) -> Result<TokenReply, Error> {
    if !(1..=LONGEST_TOKEN_DAYS).contains(&new.days) || !(1..=100).contains(&new.label.chars().count()) {
        return Err(Error::BadToken);
    }
    let person = sql::by_name(tx, name)?.ok_or(Error::NoPerson)?;
    issue(tx, &person, &new.label, new.days, Kind::TokenIssued, actor)
}

fn issue(tx: &mut Tx<'_>, person: &Actor, label: &str, days: u32, kind: Kind, actor: &str) -> Result<TokenReply, Error> {
    let token = new_secret();
    let expires_at = tx.now() + (24 * i64::from(days)).hours();
    sql::insert_token(tx, &sha256_hex(&token), person.id, label, expires_at)?;
    let event = New::of(
        kind,
        actor,
        format!("{} until {expires_at} for {}", if kind == Kind::SignedIn { "signed in" } else { "token" }, person.name),
    );
    events::append(tx, New { customer: person.customer.as_ref().map(|(id, _)| *id), ..event })?;
    Ok(TokenReply { token, expires_at })
}

/// Whose token is this?
pub fn by_token(db: &Db<'_>, token: &str) -> Result<Option<Actor>, StoreError> {
    sql::by_token(db, &sha256_hex(token), db.now())
}

/// Ends a token.
pub fn end_token(tx: &mut Tx<'_>, token: &str) -> Result<(), StoreError> {
    sql::delete_token(tx, &sha256_hex(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let hash = hash_password("correct horse battery").unwrap();
        assert!(password_fits("correct horse battery", Some(&hash)));
        assert!(!password_fits("correct horse battery!", Some(&hash)));
        assert!(!password_fits("anything at all", None));
        assert!(matches!(hash_password("short"), Err(Error::BadPassword)));
    }
}

//! Users: who they are, and how they prove it.
//!
//! Passwords are argon2id hashes; API tokens are random, shown once and stored as SHA-256. A person of a carrier's role belongs to one
//! customer for good.
//!
//! Nobody is deleted: names stand in events for ever. Who leaves is disabled: no tokens, no sign-in, no new faults, not on duty; what they
//! still own is listed for hand-over in the room `duty`.

mod accounts;
pub mod browser;
mod entrance;
pub mod http;
mod links;
pub mod oidc;
pub mod second_factor;
mod setup;
mod sql;
#[cfg(test)]
mod tests;
mod throttle;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use jiff::ToSpan;
use lineman_common::Printable;
use lineman_common::api::{Disabled, NewApiToken, NewPerson, Person, Profile, TokenReply};
use lineman_common::id::PersonId;
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::statement::sha256_hex;
use serde_json::json;

use crate::customers;
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Pass, Scope};

pub use setup::SignIn;
pub use throttle::Throttle;

/// How long a sign-in by password lasts.
const SIGN_IN_DAYS: u32 = 1;
const LONGEST_TOKEN_DAYS: u32 = 366;
const SHORTEST_PASSWORD: usize = 12;
const LONGEST_PASSWORD: usize = 256;
const MOST_SKILLS: usize = 30;
const LONGEST_REASON: usize = 2000;

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
    #[error("a skill is a tag of 1 to 40 characters, and {MOST_SKILLS} are the most: {0:?} is not one")]
    BadSkill(String),
    #[error("a level is 1, 2 or 3")]
    BadLevel,
    #[error("{} is not an e-mail address", lineman_common::printable::escape(.0))]
    BadMail(String),
    #[error("a reason is needed, of 1 to {LONGEST_REASON} characters")]
    NoReason,
    #[error("nobody disables themselves: another admin does")]
    Oneself,
    #[error("{} is disabled already, by {} since {}: {}", .0, .1.by, .1.at, .1.reason)]
    DisabledAlready(PersonName, Disabled),
    #[error("{0} is not disabled")]
    NotDisabled(PersonName),
    #[error("{0} is disabled, and gets no token")]
    IsDisabled(PersonName),
    #[error("a one-time code is needed beside the password")]
    NeedsCode,
    #[error("the one-time code is wrong, or was used before")]
    WrongCode,
    #[error("there is a second factor already: give it up first, with a code of it")]
    HasSecondFactor,
    #[error("there is no second factor")]
    NoSecondFactor,
    #[error("the old password is wrong, or missing")]
    WrongOld,
    #[error("the code is wrong, or counts no longer: the server prints another one when it starts")]
    WrongSetupCode,
    #[error("an admin can sign in already: they add the others")]
    IsSetUp,
    #[error("{0} is no admin without a password: choose another name")]
    NotForSetup(PersonName),
    #[error("the link was used before, or counts no longer: ask for another one")]
    WrongLink,
    #[error("a link counts 1 to {} minutes, and once", links::LONGEST_MIN)]
    BadLink,
    #[error("{0} belongs to a customer and the role {1} to the support centre, or the other way round: add another person")]
    OtherSide(PersonName, lineman_common::people::Role),
    #[error("the identity provider's groups decide on the role of {0}")]
    RoleByProvider(PersonName),
    #[error("the identity provider's groups let {0} in no more, and no password, link or token of theirs counts while that is so")]
    RefusedByProvider(PersonName),
    #[error("{0} has that role already")]
    HasRole(PersonName),
    #[error("no such token")]
    NoToken,
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
            Error::NameTaken(_)
            | Error::Oneself
            | Error::DisabledAlready(..)
            | Error::NotDisabled(_)
            | Error::IsDisabled(_)
            | Error::HasSecondFactor
            | Error::IsSetUp
            | Error::NotForSetup(_)
            | Error::OtherSide(..)
            | Error::RoleByProvider(_)
            | Error::HasRole(_)
            | Error::NoSecondFactor => Self::conflict(error.to_string()),
            Error::NoCustomer(_)
            | Error::NeedsCustomer(_)
            | Error::NoCustomerWanted(_)
            | Error::BadPassword
            | Error::BadToken
            | Error::BadSkill(_)
            | Error::BadLevel
            | Error::BadMail(_)
            | Error::BadLink
            | Error::NoReason => Self::invalid(error.to_string()),
            Error::WrongOld => Self::forbidden(error.to_string()),
            Error::RefusedByProvider(_) => Self::forbidden(error.to_string())
                .hint("a group that gives a role; or an admin lets them in by setting them a new password"),
            Error::NeedsCode => Self::new(lineman_common::error::ErrorCode::SecondFactor, error.to_string()),
            Error::WrongPassword | Error::WrongCode | Error::WrongSetupCode | Error::WrongLink => {
                Self::new(lineman_common::error::ErrorCode::Unauthenticated, error.to_string())
            }
            Error::NoToken => Self::not_found("token"),
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
    let person = Person {
        id: PersonId::new(),
        name: new.name,
        role: new.role,
        customer: new.customer,
        created_at: tx.now(),
        skills: Vec::new(),
        level: None,
        mail: None,
        disabled: None,
        second_factor: false,
        password: password_hash.is_some(),
        oidc: false,
    };
    sql::insert(tx, &person, customer.as_ref().map(|c| c.id), password_hash.as_deref())?;
    let event = New::of(Kind::PersonAdded, actor, format!("{} added as {}", person.name, person.role));
    events::append(tx, New { customer: customer.map(|c| c.id), ..event })?;
    Ok(person)
}

pub fn list(db: &Db<'_>, scope: &Scope) -> Result<Vec<Person>, StoreError> {
    sql::list(db, scope)
}

pub fn find(db: &Db<'_>, scope: &Scope, name: &PersonName) -> Result<Option<Person>, StoreError> {
    sql::get(db, scope, name)
}

/// Those who are disabled now.
pub fn disabled(db: &Db<'_>) -> Result<Vec<PersonName>, StoreError> {
    sql::disabled(db)
}

/// Somebody who may own a fault now.
pub fn worker(db: &Db<'_>, name: &PersonName) -> Result<Option<Person>, StoreError> {
    Ok(find(db, &Scope::All, name)?.filter(|person| person.role.works_faults() && person.disabled.is_none()))
}

// ---- What changes about a person ------------------------------------------------------------------------------------

fn known(tx: &Tx<'_>, name: &PersonName) -> Result<Person, Error> {
    sql::get(tx, &Scope::All, name)?.ok_or(Error::NoPerson)
}

/// Tells of a change, in the chain of the customer that the person belongs to.
fn tell(tx: &mut Tx<'_>, person: &Person, event: New) -> Result<(), Error> {
    let customer = match &person.customer {
        Some(code) => customers::find(tx, &Scope::All, code)?.map(|customer| customer.id),
        None => None,
    };
    events::append(tx, New { customer, ..event })?;
    Ok(())
}

pub fn set_profile(tx: &mut Tx<'_>, actor: &Actor, name: &PersonName, profile: Profile) -> Result<Person, Error> {
    let person = known(tx, name)?;
    let profile = checked(profile)?;
    sql::set_profile(tx, person.id, &profile)?;
    let level = profile.level.map_or_else(|| "no level".to_owned(), |level| format!("level {level}"));
    let skills = if profile.skills.is_empty() { "no skills".to_owned() } else { profile.skills.join(", ") };
    let event = New::of(Kind::PersonChanged, actor, format!("{name}: {level}; {skills}"));
    tell(tx, &person, event.data(json!({"person": name, "skills": profile.skills, "level": profile.level})))?;
    known(tx, name)
}

/// Skills are compared in small letters, each once.
fn checked(profile: Profile) -> Result<Profile, Error> {
    let mut skills = std::collections::BTreeSet::new();
    for skill in profile.skills {
        let tag = skill.trim().to_lowercase();
        let visible = |c: char| !c.is_control() && !lineman_common::printable::is_invisible(c) && c != ',';
        if !(1..=40).contains(&tag.chars().count()) || !tag.chars().all(visible) || skills.len() >= MOST_SKILLS {
            return Err(Error::BadSkill(skill));
        }
        skills.insert(tag);
    }
    if profile.level.is_some_and(|level| !(1..=3).contains(&level)) {
        return Err(Error::BadLevel);
    }
    match profile.mail {
        Some(mail) if mail.chars().count() > 254 || mail.parse::<lettre::Address>().is_err() => Err(Error::BadMail(mail)),
        mail => Ok(Profile { skills: skills.into_iter().collect(), level: profile.level, mail }),
    }
}

fn checked_reason(reason: &Printable) -> Result<(), Error> {
    if (1..=LONGEST_REASON).contains(&reason.raw().trim().chars().count()) { Ok(()) } else { Err(Error::NoReason) }
}

/// From now on the person has no tokens, can't sign in, is on no duty and can own no further faults.
pub fn disable(tx: &mut Tx<'_>, actor: &Actor, name: &PersonName, reason: &Printable) -> Result<Person, Error> {
    checked_reason(reason)?;
    let person = known(tx, name)?;
    if person.id == actor.id || person.name == actor.name {
        return Err(Error::Oneself);
    }
    if let Some(disabled) = person.disabled {
        return Err(Error::DisabledAlready(person.name, disabled));
    }
    let disabled = Disabled { at: tx.now(), by: actor.name.clone(), reason: reason.clone() };
    sql::set_disabled(tx, person.id, Some(&disabled))?;
    let tokens = sql::delete_tokens(tx, person.id, None)?;
    sql::delete_links(tx, person.id)?;
    let event = New::of(Kind::PersonDisabled, actor, format!("{name} disabled, with {tokens} tokens: {reason}"));
    tell(tx, &person, event.data(json!({"person": name, "reason": reason})))?;
    known(tx, name)
}

/// May work again; tokens stay ended.
pub fn enable(tx: &mut Tx<'_>, actor: &Actor, name: &PersonName, reason: &Printable) -> Result<Person, Error> {
    checked_reason(reason)?;
    let person = known(tx, name)?;
    if person.disabled.is_none() {
        return Err(Error::NotDisabled(person.name));
    }
    sql::set_disabled(tx, person.id, None)?;
    let event = New::of(Kind::PersonEnabled, actor, format!("{name} enabled: {reason}"));
    tell(tx, &person, event.data(json!({"person": name, "reason": reason})))?;
    known(tx, name)
}

/// A new password, whose hash was made before. All other tokens of the person end: whoever knew the old one is out. Somebody whom the
/// identity provider refuses is let in again by an admin who sets one.
pub fn set_password(tx: &mut Tx<'_>, actor: &Actor, name: &PersonName, hash: &str, kept_token: Option<&str>) -> Result<(), Error> {
    let person = known(tx, name)?;
    sql::set_password(tx, person.id, hash)?;
    if person.name != actor.name {
        sql::forgive_identity(tx, person.id)?;
    }
    let kept = kept_token.map(sha256_hex);
    let tokens = sql::delete_tokens(tx, person.id, kept.as_deref())?;
    let text = format!("password of {name} changed by {actor}; {tokens} tokens ended");
    tell(tx, &person, New::of(Kind::PasswordChanged, actor, text).data(json!({"person": name})))
}

pub fn password_of(db: &Db<'_>, name: &PersonName) -> Result<Option<String>, StoreError> {
    sql::password_of(db, name)
}

/// A token after the password was found right, and the second factor is too.
pub fn sign_in(tx: &mut Tx<'_>, name: &PersonName, code: Option<&str>) -> Result<TokenReply, Error> {
    let person = sql::by_name(tx, name)?.ok_or(Error::WrongPassword)?;
    // It may have happened while the password was being checked.
    if find(tx, &Scope::All, name)?.is_none_or(|person| person.disabled.is_some()) {
        return Err(Error::WrongPassword);
    }
    second_factor::check(tx, &person, code)?;
    issue_sign_in(tx, &person, "with a password")
}

/// A token for somebody who has proved who they are, and how.
fn issue_sign_in(tx: &mut Tx<'_>, person: &Actor, how: &str) -> Result<TokenReply, Error> {
    let what = format!("signed in {how}");
    issue(tx, person, "sign-in", SIGN_IN_DAYS, Kind::SignedIn, (person.name.as_str(), &what))
}

/// An API token for somebody.
pub fn issue_token(tx: &mut Tx<'_>, actor: &str, name: &PersonName, new: &NewApiToken) -> Result<TokenReply, Error> {
    if !(1..=LONGEST_TOKEN_DAYS).contains(&new.days) || !(1..=100).contains(&new.label.chars().count()) {
        return Err(Error::BadToken);
    }
    let person = sql::by_name(tx, name)?.ok_or(Error::NoPerson)?;
    if find(tx, &Scope::All, name)?.is_some_and(|person| person.disabled.is_some()) {
        return Err(Error::IsDisabled(name.clone()));
    }
    issue(tx, &person, &new.label, new.days, Kind::TokenIssued, (actor, "token"))
}

/// `told` is by whom, and what.
fn issue(tx: &mut Tx<'_>, person: &Actor, label: &str, days: u32, kind: Kind, told: (&str, &str)) -> Result<TokenReply, Error> {
    let (actor, what) = told;
    if sql::is_refused(tx, person.id)? {
        return Err(Error::RefusedByProvider(person.name.clone()));
    }
    let token = new_secret();
    let expires_at = tx.now() + (24 * i64::from(days)).hours();
    sql::insert_token(tx, &sha256_hex(&token), person.id, label, expires_at)?;
    let event = New::of(kind, actor, format!("{what} until {expires_at} for {}", person.name));
    events::append(tx, New { customer: person.customer.as_ref().map(|(id, _)| *id), ..event })?;
    Ok(TokenReply { token, expires_at })
}

/// Whose token is this?
pub fn by_token(db: &Db<'_>, token: &str) -> Result<Option<Actor>, StoreError> {
    sql::by_token(db, &sha256_hex(token), db.now())
}

/// For what goes on for longer than its request: whether the token still counts.
pub fn pass(token: &str) -> Pass {
    let sha256 = sha256_hex(token);
    Pass::new(move |db| Ok(sql::by_token(db, &sha256, db.now())?.is_some()))
}

/// Ends every sign-in and every API token of a person.
pub fn end_tokens(tx: &mut Tx<'_>, actor: &Actor, name: &PersonName) -> Result<(), Error> {
    let person = known(tx, name)?;
    let tokens = sql::delete_tokens(tx, person.id, None)?;
    sql::delete_links(tx, person.id)?;
    let text = format!("{name} signed out everywhere by {actor}: {tokens} tokens ended");
    tell(tx, &person, New::of(Kind::SignedOutEverywhere, actor, text).data(json!({"person": name})))
}

/// Ends a token.
pub fn end_token(tx: &mut Tx<'_>, token: &str) -> Result<(), StoreError> {
    sql::delete_token(tx, &sha256_hex(token))
}

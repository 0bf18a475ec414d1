//! What an admin sees and changes of somebody: the role, and what they are signed in with.

use lineman_common::api::{ApiToken, NewRole, Person};
use lineman_common::name::PersonName;
use lineman_common::statement::sha256_hex;
use serde_json::json;

use super::{Error, checked_reason, known, sql, tell};
use crate::events::{Kind, New};
use crate::store::{Db, Tx};
use crate::web::{Actor, Scope};

/// So much of a token's hash tells it from its owner's others.
const ID_CHARS: usize = 16;

/// Another role on the same side: who belongs to a customer does so for good.
pub fn set_role(tx: &mut Tx<'_>, actor: &Actor, name: &PersonName, new: &NewRole, has_provider: bool) -> Result<Person, Error> {
    checked_reason(&new.reason)?;
    let person = known(tx, name)?;
    if person.name == actor.name {
        return Err(Error::Oneself);
    }
    if person.oidc && has_provider {
        return Err(Error::RoleByProvider(person.name));
    }
    if person.role == new.role {
        return Err(Error::HasRole(person.name));
    }
    let fits = match person.customer {
        Some(_) => new.role.is_carrier() || new.role == lineman_common::people::Role::Auditor,
        None => !new.role.is_carrier(),
    };
    if !fits {
        return Err(Error::OtherSide(person.name, new.role));
    }
    sql::set_role(tx, person.id, new.role)?;
    let event = New::of(Kind::RoleChanged, actor, format!("{name} is {} now, was {}: {}", new.role, person.role, new.reason));
    tell(tx, &person, event.data(json!({"person": name, "role": new.role, "reason": new.reason})))?;
    known(tx, name)
}

/// What somebody is signed in with; `current` is the token of the request.
pub fn tokens(db: &Db<'_>, name: &PersonName, current: Option<&str>) -> Result<Vec<ApiToken>, Error> {
    let person = sql::get(db, &Scope::All, name)?.ok_or(Error::NoPerson)?;
    let current = current.map(sha256_hex);
    let token = |token: sql::Token| ApiToken {
        id: token.sha256.chars().take(ID_CHARS).collect(),
        label: token.label,
        created_at: token.created_at,
        expires_at: token.expires_at,
        current: current.as_deref() == Some(&token.sha256),
    };
    Ok(sql::tokens(db, person.id)?.into_iter().map(token).collect())
}

pub fn end_token(tx: &mut Tx<'_>, actor: &Actor, name: &PersonName, id: &str) -> Result<(), Error> {
    let person = known(tx, name)?;
    let found = sql::tokens(tx, person.id)?.into_iter().find(|token| token.sha256.get(..ID_CHARS) == Some(id)).ok_or(Error::NoToken)?;
    sql::delete_token(tx, &found.sha256)?;
    let event = New::of(Kind::TokenEnded, actor, format!("a token of {name} ended: {}", lineman_common::printable::escape(&found.label)));
    tell(tx, &person, event.data(json!({"person": name})))
}

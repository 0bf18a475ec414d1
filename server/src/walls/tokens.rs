//! Wall tokens: made and revoked by an admin, shown once, stored as SHA-256. They end when they are revoked and not by themselves: a
//! screen that nobody touches for months must not go dark.

use jiff::SignedDuration;
use lineman_common::api::{NewWallToken, WallToken, WallTokenReply};
use lineman_common::id::WallId;
use lineman_common::statement::sha256_hex;
use serde_json::json;

use super::{Error, sql};
use crate::customers;
use crate::events::{self, Kind, New};
use crate::store::{Db, Nudge, Store, StoreError, Tx};
use crate::web::{Actor, ApiError, Pass, Scope, Wall};

/// With what a wall token begins.
pub const PREFIX: &str = "lwt_";
const LONGEST_NAME: usize = 100;
/// How exactly the last use is known: no write for each look.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

pub fn create(tx: &mut Tx<'_>, actor: &Actor, new: NewWallToken) -> Result<WallTokenReply, Error> {
    let length = new.name.raw().trim().chars().count();
    if !(1..=LONGEST_NAME).contains(&length) || new.name.raw().chars().any(char::is_control) {
        return Err(Error::BadName);
    }
    let customer = match &new.customer {
        Some(code) => Some(customers::find(tx, &Scope::All, code)?.ok_or_else(|| Error::NoCustomer(code.clone()))?),
        None => None,
    };
    let name = lineman_common::Printable::new(new.name.raw().trim());
    if sql::is_taken(tx, &name)? {
        return Err(Error::NameTaken(name));
    }
    let token = format!("{PREFIX}{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let wall = WallToken {
        id: WallId::new(),
        name,
        customer: new.customer,
        created_at: tx.now(),
        created_by: actor.name.clone(),
        last_used_at: None,
        revoked_at: None,
        revoked_by: None,
    };
    sql::insert(tx, &wall, customer.map(|customer| customer.id), &sha256_hex(&token))?;
    let of = wall.customer.as_ref().map_or_else(|| "all customers".to_owned(), ToString::to_string);
    let event = New::of(Kind::WallTokenIssued, actor, format!("wall {} of {of} may be seen with a token", wall.name));
    events::append(tx, event.internal(true).data(json!({"wall": wall.id, "customer": wall.customer})))?;
    Ok(WallTokenReply { token, wall })
}

pub fn list(db: &Db<'_>) -> Result<Vec<WallToken>, StoreError> {
    sql::list(db)
}

/// What streams to the wall ends with the commit. The second time it changes nothing.
pub fn revoke(tx: &mut Tx<'_>, actor: &Actor, id: WallId) -> Result<WallToken, Error> {
    let wall = sql::get(tx, id)?.ok_or(Error::NoWall)?;
    if wall.revoked_at.is_some() {
        return Ok(wall);
    }
    sql::revoke(tx, id, &actor.name)?;
    tx.nudge(Nudge::SignedOut);
    let event = New::of(Kind::WallTokenRevoked, actor, format!("the token of wall {} is revoked", wall.name));
    events::append(tx, event.internal(true).data(json!({"wall": id})))?;
    sql::get(tx, id)?.ok_or(Error::NoWall)
}

/// Whose token is this?
pub async fn authenticate(store: &Store, token: &str) -> Result<Option<Wall>, ApiError> {
    let sha256 = sha256_hex(token);
    let (Some(found), now) = store.read(move |db| Ok::<_, ApiError>((sql::by_token(db, &sha256)?, db.now()))).await? else {
        return Ok(None);
    };
    if found.last_used_at.is_none_or(|at| now.duration_since(at) >= NOTED_EVERY) {
        let id = found.id;
        // A disk that takes nothing more is no reason to leave a wall dark.
        if let Err(error) = store.write(move |tx| sql::note_use(tx, id)).await {
            tracing::warn!(%error, "the last use of a wall token could not be noted");
        }
    }
    Ok(Some(Wall { id: found.id, name: found.name, customer: found.customer }))
}

/// For what streams to a wall: whether its token still counts.
pub fn pass(token: &str) -> Pass {
    let sha256 = sha256_hex(token);
    Pass::new(move |db| Ok(sql::by_token(db, &sha256)?.is_some()))
}

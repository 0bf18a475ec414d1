//! Wall tokens: made and revoked by an admin, shown once, stored as SHA-256. They end when they are revoked and not by themselves: a
//! screen that nobody touches for months must not go dark.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use lineman_common::api::{NewWallToken, WallToken, WallTokenReply};
use lineman_common::id::WallId;
use lineman_common::statement::sha256_hex;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Error, sql};
use crate::customers;
use crate::events::{self, Kind, New};
use crate::store::{Db, Store, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope, Wall};

/// With what a wall token begins.
pub const PREFIX: &str = "lwt_";
const LONGEST_NAME: usize = 100;
/// How exactly the last use is known: no write for each look.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Ends what streams to a wall when its token is revoked. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Open(Arc<Mutex<HashMap<WallId, CancellationToken>>>);

impl Open {
    /// The end of this wall, and whether it is the first time that somebody asks.
    fn end_of(&self, wall: WallId) -> (CancellationToken, bool) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !open.contains_key(&wall);
        (open.entry(wall).or_default().clone(), is_new)
    }

    fn end(&self, wall: WallId) {
        if let Some(end) = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&wall) {
            end.cancel();
        }
    }
}

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

/// The second time it changes nothing.
pub fn revoke(tx: &mut Tx<'_>, actor: &Actor, id: WallId) -> Result<WallToken, Error> {
    let wall = sql::get(tx, id)?.ok_or(Error::NoWall)?;
    if wall.revoked_at.is_some() {
        return Ok(wall);
    }
    sql::revoke(tx, id, &actor.name)?;
    let event = New::of(Kind::WallTokenRevoked, actor, format!("the token of wall {} is revoked", wall.name));
    events::append(tx, event.internal(true).data(json!({"wall": id})))?;
    sql::get(tx, id)?.ok_or(Error::NoWall)
}

/// Tells what streams to a revoked wall that it is over. To be called once the revocation is in the store.
pub fn revoked(open: &Open, wall: WallId) {
    open.end(wall);
}

/// Whose token is this?
pub async fn authenticate(store: &Store, open: &Open, token: &str) -> Result<Option<Wall>, ApiError> {
    let sha256 = sha256_hex(token);
    let asked = sha256.clone();
    let find = |asked: String| store.read(move |db| Ok::<_, ApiError>((sql::by_token(db, &asked)?, db.now())));
    let (Some(found), now) = find(asked).await? else { return Ok(None) };
    let (ended, is_new) = open.end_of(found.id);
    // Between the look at the store and this place it may have been revoked, and nobody would have been told.
    if is_new && find(sha256).await?.0.is_none() {
        revoked(open, found.id);
        return Ok(None);
    }
    if found.last_used_at.is_none_or(|at| now.duration_since(at) >= NOTED_EVERY) {
        let id = found.id;
        store.write(move |tx| sql::note_use(tx, id).map_err(ApiError::from)).await?;
    }
    Ok(Some(Wall { id: found.id, name: found.name, customer: found.customer, ended }))
}

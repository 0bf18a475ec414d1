//! Room for recordings: how much a customer's take, how much they may take, and what happens when there is no more.
//!
//! Evidence is never dropped. A chunk that there is no room for is *not acknowledged*: it stays in the device's spool, the device
//! stops taking input (its recordings fail closed), and everything else on its link goes on. The centre tells once per fill
//! (`session.quota_reached`); when the quota is raised, the device's link is renewed and the spool empties.
//!
//! One session that has become larger than [`MOST_SESSION_BYTES`] is ended; what its device still holds of it is taken, as evidence is.

mod sql;

use lineman_common::api::{Customer, RecordingUse};
use lineman_common::id::{CustomerId, SessionId};
use lineman_common::link::Order;
use lineman_common::name::CustomerCode;
use serde_json::json;

use super::Error;
use crate::agents;
use crate::customers;
use crate::equipment::Known;
use crate::events::{self, Kind, New};
use crate::faults;
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

/// A session that has recorded more is ended.
pub const MOST_SESSION_BYTES: u64 = 4 << 30;
/// What a customer's recordings may take where nobody said otherwise.
pub const DEFAULT_QUOTA_BYTES: u64 = 100 << 30;
/// Less than that is a slip of the pen.
pub const LEAST_QUOTA_BYTES: u64 = 2 << 20;

/// Is there room for so many bytes more? [`Error::Full`] when there is not.
pub fn check(db: &Db<'_>, device: &Known, session: SessionId, bytes: u64) -> Result<(), Error> {
    let used = of(db, device.customer)?;
    if used.stored_bytes + bytes <= used.quota_bytes { Ok(()) } else { Err(Error::Full(session)) }
}

/// Counts what was stored, and ends a session that has become too large.
pub fn count(tx: &mut Tx<'_>, device: &Known, session: SessionId, bytes: u64) -> Result<(), Error> {
    sql::add(tx, device.customer, bytes)?;
    let stored = super::sql::recorded_bytes(tx, device, session)?;
    if stored < MOST_SESSION_BYTES || stored - bytes >= MOST_SESSION_BYTES {
        return Ok(());
    }
    let Some(fault) = super::sql::fault_of(tx, device, session)? else { return Ok(()) };
    agents::order(tx, device.id, &Order::KillSession { session, by: "the support centre: the recording is too large".into() })?;
    let text = format!("the recording of {session} has reached {} GiB: the session is ended", MOST_SESSION_BYTES >> 30);
    faults::tell(tx, fault, New::of(Kind::QuotaReached, "system", text).data(json!({"session": session, "bytes": stored})))?;
    Ok(())
}

/// Says, once per fill, that a customer's recordings have no more room.
pub fn tell_full(tx: &mut Tx<'_>, device: &Known, session: SessionId) -> Result<(), Error> {
    let used = of(tx, device.customer)?;
    if !sql::set_full(tx, device.customer)? {
        return Ok(());
    }
    let text = format!(
        "the recordings of {} have used up their room ({} of {} bytes): its devices keep what they record and take no input until there is more",
        device.name.customer, used.stored_bytes, used.quota_bytes
    );
    let event = New::of(Kind::QuotaReached, "system", text).customer(device.customer).equipment(device.id);
    events::append(tx, event.data(json!({"session": session, "stored_bytes": used.stored_bytes, "quota_bytes": used.quota_bytes})))?;
    Ok(())
}

/// Does a device of this customer still have to wait with its recordings?
pub fn is_full(db: &Db<'_>, customer: CustomerId) -> Result<bool, StoreError> {
    Ok(of(db, customer)?.full_since.is_some())
}

fn of(db: &Db<'_>, customer: CustomerId) -> Result<RecordingUse, StoreError> {
    sql::used(db, customer, DEFAULT_QUOTA_BYTES)
}

/// What the configuration says for all customers that have no quota of their own. Called once, at the start.
pub fn set_default(tx: &mut Tx<'_>, quota_bytes: u64) -> Result<(), StoreError> {
    sql::set_quota(tx, None, quota_bytes)?;
    sql::set_room(tx, DEFAULT_QUOTA_BYTES)
}

/// A customer's use and quota.
pub fn get(db: &Db<'_>, scope: &Scope, code: &CustomerCode) -> Result<RecordingUse, Error> {
    let customer = find(db, scope, code)?;
    Ok(of(db, customer.id)?)
}

/// Gives a customer a quota of its own. Devices that wait go on when there is room now.
pub fn set(tx: &mut Tx<'_>, actor: &Actor, code: &CustomerCode, quota_bytes: u64) -> Result<RecordingUse, Error> {
    if quota_bytes < LEAST_QUOTA_BYTES || i64::try_from(quota_bytes).is_err() {
        return Err(Error::BadQuota);
    }
    let customer = find(tx, &actor.scope(), code)?;
    sql::set_quota(tx, Some(customer.id), quota_bytes)?;
    sql::set_room(tx, DEFAULT_QUOTA_BYTES)?;
    let text = format!("{actor} set the room for the recordings of {code} to {quota_bytes} bytes");
    let event = New::of(Kind::QuotaSet, actor, text).customer(customer.id).data(json!({"quota_bytes": quota_bytes}));
    events::append(tx, event)?;
    Ok(of(tx, customer.id)?)
}

fn find(db: &Db<'_>, scope: &Scope, code: &CustomerCode) -> Result<Customer, Error> {
    customers::find(db, scope, code)?.ok_or(Error::NoCustomer)
}

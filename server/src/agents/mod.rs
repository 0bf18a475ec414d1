//! Agents: who is connected, what of their streams is stored, and the orders that wait for them.
//!
//! There are two ways to tell an agent something. [`order`] writes into a durable outbox inside the change that causes it (a consent
//! was approved, revoked): the link door delivers it now or when the agent is back, until the agent has answered. [`Links::ask`]
//! asks a connected agent and waits for its answer: nothing is kept when it is not there.

mod links;
mod sql;

use std::collections::BTreeMap;

use lineman_common::id::{EquipmentId, SpoolEpoch};
use lineman_common::link::{Hello, Order, Stream};

use crate::equipment::Known;
use crate::events::{self, Appended, Kind, ListenerError, New};
use crate::store::{Db, Nudge, StoreError, Tx};
use crate::trust;

pub use links::{Ask, AskError, Links, Registration};

pub mod http;

/// An agent said hello on a new link. One that holds an older roster than the published one is sent it.
pub fn connected(tx: &mut Tx<'_>, device: &Known, hello: &Hello) -> Result<(), events::Error> {
    let was_online = sql::put_online(tx, device.id, hello)?;
    if !was_online {
        let event = New::of(Kind::AgentOnline, format!("agent:{}", device.name), format!("{} is connected", device.name));
        events::append(tx, event.customer(device.customer).equipment(device.id).data(serde_json::json!({"software": hello.software})))?;
    }
    if let Some((counter, signed)) = trust::published_roster(tx)?
        && counter > hello.roster
    {
        sql::drop_orders(tx, device.id, "roster")?;
        order(tx, device.id, &Order::Roster { signed })?;
    }
    Ok(())
}

/// The agent's link is gone.
pub fn disconnected(tx: &mut Tx<'_>, device: &Known, why: &str) -> Result<(), events::Error> {
    if sql::put_offline(tx, device.id)? {
        let event = New::of(Kind::AgentOffline, format!("agent:{}", device.name), format!("{} is not connected: {why}", device.name));
        events::append(tx, event.customer(device.customer).equipment(device.id))?;
    }
    Ok(())
}

/// Nobody is connected to a server that has just started.
pub fn all_offline(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    sql::all_offline(tx)
}

pub fn last_seen(db: &Db<'_>, device: EquipmentId) -> Result<Option<jiff::Timestamp>, StoreError> {
    sql::last_seen(db, device)
}

pub fn seen(tx: &mut Tx<'_>, device: EquipmentId) -> Result<(), StoreError> {
    sql::seen(tx, device)
}

/// The last sequence stored of each stream.
pub fn stored(db: &Db<'_>, device: EquipmentId, epoch: SpoolEpoch) -> Result<BTreeMap<Stream, u64>, StoreError> {
    sql::stored(db, device, epoch)
}

/// Counts a report as stored, in the transaction that stores it. False when it was stored before: do nothing with it then.
pub fn advance(tx: &mut Tx<'_>, device: EquipmentId, epoch: SpoolEpoch, stream: Stream, seq: u64) -> Result<bool, StoreError> {
    sql::advance(tx, device, epoch, stream, seq)
}

/// Puts an order into the agent's outbox.
pub fn order(tx: &mut Tx<'_>, device: EquipmentId, order: &Order) -> Result<(), StoreError> {
    sql::insert_order(tx, device, order)?;
    tx.nudge(Nudge::Orders(device));
    Ok(())
}

/// Hears of a new roster: every enrolled device is to get it, now or when it is back. And of a new enrolment: a link that is up under
/// the old key has to look.
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    if event.kind == Kind::Enrolled
        && let Some(device) = event.equipment
    {
        tx.nudge(Nudge::Orders(device));
    }
    if event.kind == Kind::RosterPublished {
        let signed = trust::roster_signed(tx)?;
        for device in sql::order_for_all(tx, &Order::Roster { signed })? {
            tx.nudge(Nudge::Orders(device));
        }
    }
    Ok(())
}

/// Orders that wait, oldest first.
pub fn waiting(db: &Db<'_>, device: EquipmentId) -> Result<Vec<(u64, Order)>, StoreError> {
    sql::waiting(db, device)
}

/// The order with this id, if it is the agent's and still waits.
pub fn waiting_order(db: &Db<'_>, device: EquipmentId, id: u64) -> Result<Option<Order>, StoreError> {
    Ok(sql::waiting(db, device)?.into_iter().find(|(found, _)| *found == id).map(|(_, order)| order))
}

/// The agent has answered; the order need not be sent again.
pub fn answered(tx: &mut Tx<'_>, device: EquipmentId, id: u64) -> Result<(), StoreError> {
    sql::delete_order(tx, device, id)
}

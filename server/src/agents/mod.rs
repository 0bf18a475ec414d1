//! Agents: who is connected, what of their streams is stored, and the orders that wait for them.
//!
//! There are two ways to tell an agent something. [`order`] writes into a durable outbox inside the change that causes it (a consent
//! was approved, revoked): the link door delivers it now or when the agent is back, until the agent has answered. [`Links::ask`]
//! asks a connected agent and waits for its answer: nothing is kept when it is not there.
//!
//! Some orders go to every device that they concern, also to those that enrol or come back later: the newest roster and signer list, and
//! whether the customer is stopped. Of these the newest takes the place of older ones that still wait.

mod links;
mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use lineman_common::id::{CustomerId, EquipmentId, SpoolEpoch};
use lineman_common::link::{Hello, Order, Stream};
use lineman_common::statement::Signed;

use crate::customers;
use crate::equipment::Known;
use crate::events::{self, Appended, Kind, ListenerError, New};
use crate::store::{Db, Nudge, StoreError, Tx};
use crate::trust::{self, receipts, signers};

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
        instead(tx, device.id, &["roster"], &Order::Roster { signed })?;
    }
    if let Some(stop) = stop_of(tx, device.customer)? {
        instead(tx, device.id, STOP_OR_RESUME, &stop)?;
    }
    Ok(())
}

/// The agent says what its device holds. What it does not hold yet, it is sent: once for each receipt that says something new, so that
/// a device which keeps refusing is not asked for ever.
pub fn receipt(tx: &mut Tx<'_>, device: &Known, signed: &Signed) -> Result<(), trust::Error> {
    let Some(taken) = receipts::take(tx, device, signed)? else { return Ok(()) };
    if let Some((counter, signed)) = signers::published(tx, device.customer)?
        && counter > taken.receipt.signers
        && taken.refused != Some(counter)
    {
        instead(tx, device.id, &["signers"], &Order::Signers { signed })?;
    }
    let said_stopped = taken.receipt.stopped != RUNNING;
    match stop_of(tx, device.customer)? {
        Some(stop) if !said_stopped => instead(tx, device.id, STOP_OR_RESUME, &stop)?,
        // Perhaps a stop of the centre that was taken back meanwhile. One that was made on the device stays all the same.
        None if said_stopped && taken.changed => {
            let resume = Order::Resume { by: "the support centre: nothing of the customer is stopped".into() };
            instead(tx, device.id, STOP_OR_RESUME, &resume)?;
        }
        Some(_) | None => {}
    }
    Ok(())
}

/// What a receipt says of a device that nobody stopped.
const RUNNING: &str = "no";
/// The later of the two counts.
const STOP_OR_RESUME: &[&str] = &["stop", "resume"];

fn stop_of(db: &Db<'_>, customer: CustomerId) -> Result<Option<Order>, StoreError> {
    let halted = customers::halted(db, customer)?;
    Ok(halted.map(|halted| Order::Stop { by: halted.stopped.by.to_string(), reason: halted.stopped.reason.raw().to_owned() }))
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

/// Agents that have been away since before then and whose silence was not told, with when they were last seen.
pub fn away(db: &Db<'_>, before: jiff::Timestamp, most: u32) -> Result<Vec<(EquipmentId, jiff::Timestamp)>, StoreError> {
    sql::away(db, before, most)
}

/// The silence of this agent is told; until it is back it is not to be told again.
pub fn silence_told(tx: &mut Tx<'_>, device: EquipmentId) -> Result<(), StoreError> {
    sql::silence_told(tx, device)
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

/// Puts an order into the agent's outbox, in the place of waiting ones of these kinds.
fn instead(tx: &mut Tx<'_>, device: EquipmentId, kinds: &[&str], new: &Order) -> Result<(), StoreError> {
    for kind in kinds {
        sql::drop_orders(tx, device, kind)?;
    }
    order(tx, device, new)
}

/// The same for all enrolled devices of a customer.
fn for_customer(tx: &mut Tx<'_>, customer: CustomerId, kinds: &[&str], new: &Order) -> Result<(), StoreError> {
    for (device, _) in trust::enrolled(tx, customer)? {
        instead(tx, device, kinds, new)?;
    }
    Ok(())
}

/// Hears of what every device it concerns is to get, now or when it is back: a new roster, a new signer list, a stop and its end. And
/// of a new enrolment: a link that is up under the old key has to look.
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    if event.kind == Kind::Enrolled
        && let Some(device) = event.equipment
    {
        tx.nudge(Nudge::Orders(device));
    }
    if let Some(customer) = event.customer {
        hear_of_customer(tx, event.kind, customer, &event.actor)?;
    }
    if event.kind == Kind::RosterPublished {
        let signed = trust::roster_signed(tx)?;
        for device in sql::order_for_all(tx, &Order::Roster { signed })? {
            tx.nudge(Nudge::Orders(device));
        }
    }
    Ok(())
}

fn hear_of_customer(tx: &mut Tx<'_>, kind: Kind, customer: CustomerId, actor: &str) -> Result<(), StoreError> {
    let (kinds, new) = if kind == Kind::SignersPublished {
        (&["signers"][..], signers::published(tx, customer)?.map(|(_, signed)| Order::Signers { signed }))
    } else if kind == Kind::CustomerStopped {
        (STOP_OR_RESUME, stop_of(tx, customer)?)
    } else if kind == Kind::CustomerResumed {
        (STOP_OR_RESUME, Some(Order::Resume { by: actor.to_owned() }))
    } else {
        return Ok(());
    };
    new.map_or(Ok(()), |new| for_customer(tx, customer, kinds, &new))
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

//! What operators do with entries of the list: acknowledge, close, take the mark off, purge, compress. Each says who, when and why.

use lineman_common::Printable;
use lineman_common::alarm::OperatorState;
use lineman_common::alarm::Relation;
use lineman_common::api::{Alarm, AlarmAction, AlarmActionReply};
use lineman_common::id::AlarmId;
use serde_json::json;

use super::{Error, checked_why, customer_for, get, sql};
use crate::equipment::{self, Reference, topology};
use crate::events::{self, Kind, New};
use crate::store::{Db, Tx};
use crate::web::Actor;

/// Entries that one call purges or compresses; more are for the next.
const MOST: u32 = 20_000;

/// Seen by whom, when, why.
pub fn mark(tx: &mut Tx<'_>, actor: &Actor, id: AlarmId, state: OperatorState, why: &Printable) -> Result<Alarm, Error> {
    let (place, alarm) = sql::get(tx, &actor.scope(), id)?.ok_or(Error::NotFound)?;
    checked_why(why)?;
    sql::set_operator(tx, place, state, actor.name.as_str(), why.raw())?;
    let (kind, word) = match state {
        OperatorState::Acknowledged => (Kind::AlarmAcknowledged, "acknowledged"),
        OperatorState::Closed => (Kind::AlarmClosed, "closed"),
        OperatorState::None => (Kind::AlarmUnmarked, "took the mark off"),
    };
    let (customer, equipment) = sql::owner(tx, place)?;
    let event = New::of(kind, actor, format!("{word} {}: {}", alarm.alarm_type, alarm.text));
    events::append(tx, event.customer(customer).equipment(equipment).data(json!({"alarm": id, "note": why})))?;
    get(tx, &actor.scope(), id)
}

fn among(db: &Db<'_>, actor: &Actor, action: &AlarmAction) -> Result<sql::Among, Error> {
    let scope = actor.scope();
    let device = action.equipment.clone().map(|name| equipment::find(db, &scope, &Reference::Name(name))).transpose()?;
    Ok(sql::Among {
        customer: action.customer.as_ref().map(|code| customer_for(db, &scope, Some(code))).transpose()?.map(|(id, _)| id),
        equipment: device.map(|device| topology::below(db, device.id, Relation::ALL)).transpose()?,
        severity: action.severity,
        operator_state: action.operator_state,
        before: action.before,
    })
}

/// Deletes entries that are done with, with their history: RFC 8632's `purge-alarms`.
pub fn purge(tx: &mut Tx<'_>, actor: &Actor, action: &AlarmAction) -> Result<AlarmActionReply, Error> {
    act(tx, actor, action, Kind::AlarmsPurged, |tx, place| {
        sql::look_at_suppressed(tx, place)?;
        Ok(sql::purge(tx, place)?)
    })
}

/// Forgets all but the newest change of entries that are done with: RFC 8632's `compress-alarms`.
pub fn compress(tx: &mut Tx<'_>, actor: &Actor, action: &AlarmAction) -> Result<AlarmActionReply, Error> {
    act(tx, actor, action, Kind::AlarmsCompressed, |tx, place| {
        let ring = sql::ring(tx, place)?;
        let newest = ring.len().saturating_sub(1);
        Ok(sql::write_ring(tx, place, &ring[newest..])?)
    })
}

fn act(
    tx: &mut Tx<'_>,
    actor: &Actor,
    action: &AlarmAction,
    kind: Kind,
    each: impl Fn(&mut Tx<'_>, i64) -> Result<(), Error>,
) -> Result<AlarmActionReply, Error> {
    let among = among(tx, actor, action)?;
    checked_why(&action.why)?;
    let places = sql::done_with(tx, &among, 0, MOST)?;
    let alarms = places.len() as u64;
    if !action.dry_run {
        for place in places {
            each(tx, place)?;
        }
        let event = New::of(kind, actor, format!("{alarms} alarms: {}", action.why)).internal(among.customer.is_none());
        let event = event.data(json!({"alarms": alarms, "filter": action}));
        events::append(tx, New { customer: among.customer, ..event })?;
    }
    Ok(AlarmActionReply { alarms })
}

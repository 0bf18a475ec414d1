//! Maintenance windows: planned work. Alarms of the equipment and of everything that hangs on it are followed meanwhile and open no
//! faults; what is still raised when the window ends does.

pub mod http;
mod sql;

use std::collections::HashSet;

use jiff::SignedDuration;
use lineman_common::Printable;
use lineman_common::alarm::{Relation, WindowState};
use lineman_common::api::{MaintenanceWindow, NewMaintenanceWindow};
use lineman_common::id::{CustomerId, EquipmentId, WindowId};
use serde_json::json;

use super::{Error, checked_why, settle};
use crate::equipment::{self, Reference, topology};
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

pub use sql::{Filter, has_work};

const LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24);
const MOST_EQUIPMENT: usize = 1000;

/// The windows of a customer that cover something now.
pub fn active(db: &Db<'_>, customer: CustomerId) -> Result<Vec<(WindowId, HashSet<EquipmentId>)>, StoreError> {
    sql::active(db, customer)
}

pub fn list(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<Vec<MaintenanceWindow>, StoreError> {
    sql::list(db, scope, filter)
}

pub fn get(db: &Db<'_>, scope: &Scope, id: WindowId) -> Result<MaintenanceWindow, Error> {
    sql::get(db, scope, id)?.ok_or(Error::NoWindow)
}

pub fn plan(tx: &mut Tx<'_>, actor: &Actor, new: &NewMaintenanceWindow) -> Result<MaintenanceWindow, Error> {
    let scope = actor.scope();
    let mut devices = Vec::new();
    for name in new.equipment.iter().take(MOST_EQUIPMENT + 1) {
        devices.push(equipment::find(tx, &scope, &Reference::Name(name.clone()))?);
    }
    let Some(customer) = devices.first().map(|device| device.customer) else {
        return Err(Error::Invalid("name the equipment that is worked on".into()));
    };
    checked_why(&new.why)?;
    if devices.len() > MOST_EQUIPMENT {
        return Err(Error::Invalid(format!(
            "a window names {MOST_EQUIPMENT} pieces of equipment at most: what hangs on them is covered too"
        )));
    }
    if devices.iter().any(|device| device.customer != customer) {
        return Err(Error::Invalid("a window is about the equipment of one customer".into()));
    }
    if new.ends_at <= new.starts_at || new.ends_at <= tx.now() || new.ends_at.duration_since(new.starts_at) > LONGEST {
        return Err(Error::Invalid(format!(
            "a window ends after it starts, in the future, and after {} days at most",
            LONGEST.as_hours() / 24
        )));
    }
    let id = WindowId::new();
    sql::insert(tx, id, customer, new, actor.name.as_str())?;
    for device in &devices {
        sql::cover(tx, id, device.id)?;
    }
    let names = devices.iter().map(|device| device.name.to_string()).collect::<Vec<_>>().join(", ");
    let text = format!("maintenance of {names} from {} to {}: {}", new.starts_at, new.ends_at, new.why);
    events::append(tx, New::of(Kind::WindowPlanned, actor, text).customer(customer).data(json!({"window": id, "planned": new})))?;
    settle::run(tx)?;
    get(tx, &Scope::All, id)
}

/// Ends a window now, or takes back one that has not begun.
pub fn end(tx: &mut Tx<'_>, actor: &Actor, id: WindowId, why: &Printable) -> Result<MaintenanceWindow, Error> {
    let window = get(tx, &actor.scope(), id)?;
    checked_why(why)?;
    let state = match window.state {
        WindowState::Planned => WindowState::Cancelled,
        WindowState::Active => WindowState::Ended,
        WindowState::Ended | WindowState::Cancelled => return Err(Error::WindowOver(window.state)),
    };
    sql::end(tx, id, state, actor.name.as_str(), why.raw())?;
    over(tx, id, &actor.to_string(), &format!("the maintenance window ends before its time: {why}"))?;
    settle::run(tx)?;
    get(tx, &Scope::All, id)
}

/// Begins and ends windows whose time has come.
pub fn turn(tx: &mut Tx<'_>) -> Result<(), Error> {
    for (id, customer) in sql::to_begin(tx)? {
        sql::set_state(tx, id, WindowState::Active)?;
        events::append(
            tx,
            New::of(Kind::WindowBegan, "system", "a maintenance window begins").customer(customer).data(json!({"window": id})),
        )?;
        let mut covered = HashSet::new();
        for top in sql::covered(tx, id)? {
            covered.extend(topology::below(tx, top, Relation::ALL)?);
        }
        covered.into_iter().try_for_each(|equipment| super::sql::look_at_equipment(tx, equipment))?;
    }
    for id in sql::to_end(tx)? {
        sql::set_state(tx, id, WindowState::Ended)?;
        over(tx, id, "system", "a maintenance window ends")?;
    }
    Ok(())
}

fn over(tx: &mut Tx<'_>, id: WindowId, by: &str, text: &str) -> Result<(), Error> {
    let customer = sql::customer_of(tx, id)?;
    super::sql::look_at_window(tx, id)?;
    events::append(tx, New::of(Kind::WindowEnded, by, text).customer(customer).data(json!({"window": id})))?;
    Ok(())
}

//! The one pass over the log that every report and every drill-down makes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use lineman_common::api::{Clock, CountedFault, ReportBy};
use lineman_common::id::{EquipmentId, FaultId};
use lineman_common::name::{FaultNumber, NeName};

use super::judge::{Item, Life, REPEAT};
use super::period::Period;
use super::{Error, Narrow, Window, sql};
use crate::events::{self, Appended};
use crate::faults::clocks::{self, Calendars};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// What a fault is called, and by what it is grouped.
pub struct Facts {
    id: FaultId,
    number: FaultNumber,
    equipment: Option<NeName>,
    pub reported_at: Timestamp,
    office: Option<String>,
    product: Option<String>,
    tier: String,
    severity: Option<String>,
}

impl Facts {
    pub fn group(&self, by: ReportBy, period: Option<&Period>) -> Option<String> {
        match by {
            ReportBy::Customer => Some(self.number.customer.to_string()),
            ReportBy::Office => self.office.clone(),
            ReportBy::Product => self.product.clone(),
            ReportBy::Tier => Some(self.tier.clone()),
            ReportBy::Severity => self.severity.clone(),
            ReportBy::Day | ReportBy::Week | ReportBy::Month | ReportBy::Quarter => period.map(|period| period.label.clone()),
        }
    }

    fn is_meant(&self, narrow: &Narrow) -> bool {
        let fits = |wanted: &Option<String>, own: Option<&str>| wanted.as_deref().is_none_or(|wanted| own.unwrap_or_default() == wanted);
        fits(&narrow.customer, Some(self.number.customer.as_str()))
            && fits(&narrow.office, self.office.as_deref())
            && fits(&narrow.product, self.product.as_deref())
            && fits(&narrow.tier, Some(&self.tier))
            && fits(&narrow.severity, self.severity.as_deref())
    }

    pub fn counted(&self, item: &Item) -> CountedFault {
        CountedFault {
            fault: self.number.clone(),
            id: self.id,
            customer: self.number.customer.clone(),
            equipment: self.equipment.clone(),
            reported_at: self.reported_at,
            what: item.what.as_ref().map(ToString::to_string),
            seconds: item.took.map(|took| took.as_secs_f64()),
            counted: item.mark == super::judge::Mark::Counted,
        }
    }
}

/// Visits every fault of the window that is meant, with what counts of it, in the order of the reports.
pub fn run(
    db: &Db<'_>,
    scope: &Scope,
    window: &Window,
    narrow: &Narrow,
    mut visit: impl FnMut(&Facts, &[Item]) -> Result<(), Error>,
) -> Result<(), Error> {
    let names = sql::names(db, scope)?;
    let mut watch = Watch { db, as_of: window.as_of, calendars: Calendars::default(), presence: HashMap::new() };
    // When the same cause was seen last on the same equipment.
    let mut seen: HashMap<(EquipmentId, String), Timestamp> = HashMap::new();
    let mut items = Vec::new();
    let begin = window.from.checked_sub(REPEAT).unwrap_or(Timestamp::MIN);
    sql::walk(db, scope, (begin, window.until), window.as_of, |serial, log| -> Result<(), Error> {
        let Some(life) = Life::read(log).filter(|life| !life.is_request) else { return Ok(()) };
        let Some((id, customer)) = log.first().and_then(|first| Some((first.fault?, first.customer?))) else { return Ok(()) };
        let device = log.iter().find_map(|event| event.equipment);
        let repeats = device.map(|device| repeats(&mut seen, device, &life));
        if life.reported_at < window.from {
            return Ok(());
        }
        // A customer's row is never removed; without it there is no name for its faults.
        let Some((code, tier)) = names.customers.get(&customer) else { return Ok(()) };
        let known = device.and_then(|device| names.equipment.get(&device));
        let facts = Facts {
            id,
            number: FaultNumber { customer: code.clone(), serial },
            equipment: known.map(|(handle, _)| NeName { customer: code.clone(), handle: handle.clone() }),
            reported_at: life.reported_at,
            office: life.office.clone(),
            product: known.map(|(_, product)| product.clone()),
            tier: life.tier.clone().unwrap_or_else(|| tier.clone()),
            severity: life.severity.clone(),
        };
        if !facts.is_meant(narrow) {
            return Ok(());
        }
        let clocks = watch.clocks(id, log, &life, device)?;
        life.items(&clocks, repeats, &mut items);
        visit(&facts, &items)
    })
}

fn repeats(seen: &mut HashMap<(EquipmentId, String), Timestamp>, device: EquipmentId, life: &Life) -> bool {
    let Some(cause) = life.settled_cause() else { return false };
    let before = seen.insert((device, cause.to_owned()), life.reported_at);
    before.is_some_and(|before| life.reported_at.duration_since(before) <= REPEAT)
}

/// The clocks of faults, at one moment.
struct Watch<'a, 'db> {
    db: &'a Db<'db>,
    as_of: Timestamp,
    calendars: Calendars,
    presence: HashMap<EquipmentId, Vec<(Timestamp, bool)>>,
}

impl Watch<'_, '_> {
    fn clocks(&mut self, fault: FaultId, log: &[Appended], life: &Life, device: Option<EquipmentId>) -> Result<Vec<Clock>, StoreError> {
        // Only the clocks that a consent starts look at the link.
        let presence = match device.filter(|_| life.asked_consent) {
            Some(device) => match self.presence.entry(device) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(events::presence_of(self.db, device)?),
            },
            None => &mut Vec::new(),
        };
        clocks::clocks_at(self.db, &mut self.calendars, fault, log, during(presence, life.reported_at, self.as_of), self.as_of)
    }
}

/// From the last time that the device was there before the fault, until the moment of the report.
fn during(presence: &[(Timestamp, bool)], from: Timestamp, until: Timestamp) -> &[(Timestamp, bool)] {
    let end = presence.partition_point(|(at, _)| *at <= until);
    let begin = presence[..end].partition_point(|(at, _)| *at <= from);
    let online = presence[..begin].iter().rposition(|(_, online)| *online).unwrap_or(0);
    &presence[online..end]
}

//! What a fault's clocks are judged by: tier, severity, targets, calendar, zone. It is written into the fault's own log when the
//! fault is reported, and again each time one of them changes ([`Kind::ClockRetargeted`]), with the moment from which it counts. So
//! the past stays as it was, whatever a tier or a calendar becomes later.

use std::collections::HashMap;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lineman_common::alarm::Severity;
use lineman_common::api::Tier;
use lineman_common::fault::FaultKind;
use lineman_common::id::{CustomerId, EquipmentId};
use serde::{Deserialize, Serialize};

use super::sql;
use crate::customers::calendars::coverage::Coverage;
use crate::customers::{self, calendars};
use crate::store::{Db, StoreError};

/// What the clocks aim at, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the unit belongs to the name")]
pub struct Targets {
    pub accept_s: Option<u32>,
    pub respond_s: Option<u32>,
    pub restore_s: Option<u32>,
    pub resolve_s: Option<u32>,
}

impl Targets {
    pub fn of(tier: &Tier, severity: Severity, kind: FaultKind) -> Self {
        if kind != FaultKind::Fault {
            let own = tier.kinds.get(&kind).cloned().unwrap_or_default();
            return Self { accept_s: own.accept_s, respond_s: own.respond_s, restore_s: None, resolve_s: own.resolve_s };
        }
        let column = match severity {
            Severity::Critical => 0,
            Severity::Major => 1,
            Severity::Minor | Severity::Warning | Severity::Indeterminate => 2,
        };
        let [restore_s, resolve_s] = [tier.restore_s, tier.resolve_s].map(|row| row.get(column).copied().flatten());
        Self { accept_s: tier.accept_s, respond_s: tier.respond_s, restore_s, resolve_s }
    }
}

/// A calendar by its name and version; versions never change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CalendarRef {
    pub name: String,
    pub version: u32,
}

/// What holds for a fault from some moment on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub tier: String,
    pub severity: Severity,
    pub kind: FaultKind,
    /// None is 24x7.
    pub calendar: Option<CalendarRef>,
    /// IANA zone of the site: the equipment's, or else the customer's first.
    pub zone: String,
    #[serde(flatten)]
    pub targets: Targets,
}

impl Terms {
    /// Like `tier gold, major`.
    pub fn why(&self) -> String {
        match self.kind {
            FaultKind::Fault => format!("tier {}, {}", self.tier, self.severity),
            FaultKind::Consulting | FaultKind::Upgrade | FaultKind::Maintenance => format!("tier {}, {}", self.tier, self.kind),
        }
    }
}

/// Of what the terms of a fault are made.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    pub customer: CustomerId,
    pub device: Option<EquipmentId>,
    pub severity: Severity,
    pub kind: FaultKind,
}

/// What holds now, and since when, as far as tier, contract and calendar go.
pub fn current(db: &Db<'_>, subject: Subject) -> Result<(Terms, Timestamp), StoreError> {
    let held = customers::tier_of(db, subject.customer)?;
    let (calendar, calendar_since) = match &held.tier.calendar {
        Some(name) => {
            let newest = calendars::newest(db, name)?;
            (newest.map(|(version, _)| CalendarRef { name: name.clone(), version }), newest.map(|(_, since)| since))
        }
        None => (None, None),
    };
    let zone = match subject.device {
        Some(device) => sql::zone_of_equipment(db, device)?,
        None => None,
    };
    let terms = Terms {
        severity: subject.severity,
        kind: subject.kind,
        calendar,
        zone: zone.map_or_else(|| customers::zone_of(db, subject.customer), Ok)?,
        targets: Targets::of(&held.tier, subject.severity, subject.kind),
        tier: held.tier.name,
    };
    Ok((terms, held.since.max(calendar_since.unwrap_or(Timestamp::MIN))))
}

/// Terms with their calendar at hand.
pub struct Held {
    /// The first of a fault's holds from its beginning, whatever this says.
    pub since: Timestamp,
    pub targets: Targets,
    pub coverage: Rc<Coverage>,
    pub why: String,
}

/// Calendars that were read already: who counts many faults reads each of them once.
#[derive(Default)]
pub struct Calendars {
    known: HashMap<(Option<CalendarRef>, String), Rc<Coverage>>,
}

impl Calendars {
    /// Terms of the log, oldest first, with the calendars they name.
    pub(super) fn hold(&mut self, db: &Db<'_>, history: &[(Timestamp, Terms)]) -> Result<Vec<Held>, StoreError> {
        let hold = |(since, terms): &(Timestamp, Terms)| {
            let coverage = self.coverage(db, terms)?;
            Ok(Held { since: *since, targets: terms.targets.clone(), coverage, why: terms.why() })
        };
        history.iter().map(hold).collect()
    }

    fn coverage(&mut self, db: &Db<'_>, terms: &Terms) -> Result<Rc<Coverage>, StoreError> {
        let key = (terms.calendar.clone(), terms.zone.clone());
        if let Some(known) = self.known.get(&key) {
            return Ok(Rc::clone(known));
        }
        let calendar = match &terms.calendar {
            Some(CalendarRef { name, version }) => calendars::version(db, name, *version)?,
            None => None,
        };
        // A zone that this server's table doesn't know (any more) is read as UTC rather than not at all.
        let zone = || TimeZone::get(&terms.zone).unwrap_or(TimeZone::UTC);
        let coverage = Rc::new(calendar.map_or_else(Coverage::always, |calendar| Coverage::new(&calendar, zone())));
        self.known.insert(key, Rc::clone(&coverage));
        Ok(coverage)
    }
}

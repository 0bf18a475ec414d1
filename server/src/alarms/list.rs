//! The list, a page at a time.
//!
//! A page looks at a bounded number of entries, however few of them fit: then it ends early and says where the next one begins, so that
//! a filter that fits nothing among a million entries costs a page as much time as any other.

use std::collections::HashSet;

use lineman_common::alarm::ResourceState;
use lineman_common::api::{Alarm, List};

use super::sql::{self, Cursor, Filter, Line, Source};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// Entries that one page looks at.
const MOST_SEEN: u32 = 20_000;
/// With no more entries than this on the equipment, they are all looked at.
const FEW_ENTRIES: u64 = 20_000;
const FEW_EQUIPMENT: usize = 200;

/// Raised ones first, the newest change first.
pub fn list(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<List<Alarm>, StoreError> {
    let states: &[ResourceState] = match filter.state {
        Some(ResourceState::Raised) => &[ResourceState::Raised],
        Some(ResourceState::Cleared) => &[ResourceState::Cleared],
        None => &[ResourceState::Raised, ResourceState::Cleared],
    };
    let source = source(db, scope, filter)?;
    let narrowed = Narrowed::of(scope, filter);
    let (mut found, mut seen, mut next) = (Vec::new(), 0u32, None);
    for state in states.iter().filter(|state| filter.after.is_none_or(|after| **state >= after.state)) {
        if next.is_some() {
            break;
        }
        let after = filter.after.filter(|after| after.state == *state);
        let from = after.map(|after| Ok::<_, StoreError>((after.changed_at, sql::place_of(db, after.alarm)?))).transpose()?;
        let mut last = after;
        sql::walk(db, &source, *state, from, &filter.asked, |line| {
            if found.len() == filter.limit as usize || seen == MOST_SEEN {
                next = last;
                return false;
            }
            seen += 1;
            last = Some(Cursor { state: *state, changed_at: line.changed_at, alarm: line.id });
            if narrowed.fits(&line) {
                found.push(line.place);
            }
            true
        })?;
        // A page that ended with the raised ones goes on with the cleared ones.
        if next.is_none() && found.len() == filter.limit as usize && *state != *states.last().unwrap_or(state) {
            next = last;
        }
    }
    let items = found.into_iter().map(|place| sql::at_place(db, place)).collect::<Result<Vec<_>, _>>()?;
    Ok(List { items: items.into_iter().flatten().collect(), next: next.map(|cursor| cursor.to_string()) })
}

/// How many fit, up to the limit, among the entries that a page looks at; and whether there may be more.
pub fn count(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<(u64, bool), StoreError> {
    let states = filter.state.map_or_else(|| vec![ResourceState::Raised, ResourceState::Cleared], |state| vec![state]);
    let source = source(db, scope, filter)?;
    let narrowed = Narrowed::of(scope, filter);
    let (mut found, mut seen, mut or_more) = (0u64, 0u32, false);
    for state in states {
        sql::walk(db, &source, state, None, &filter.asked, |line| {
            let fits = narrowed.fits(&line);
            or_more = seen == MOST_SEEN || (fits && found == u64::from(filter.limit));
            seen += 1;
            found += u64::from(fits && !or_more);
            !or_more
        })?;
        if or_more {
            break;
        }
    }
    Ok((found, or_more))
}

fn source(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<Source, StoreError> {
    if let Some(root) = filter.root {
        return Ok(Source::Root(root));
    }
    if let Some(fault) = filter.fault {
        return Ok(Source::Fault(fault));
    }
    let equipment = filter.equipment.map(|one| vec![one]).or_else(|| filter.under.clone());
    if let Some(equipment) = equipment.filter(|equipment| equipment.len() <= FEW_EQUIPMENT)
        && sql::entries_of(db, &equipment)? <= FEW_ENTRIES
    {
        return Ok(Source::Equipment(equipment));
    }
    Ok(match (filter.customer, scope) {
        (None, Scope::Customer(own)) => Source::Customer(*own),
        (Some(customer), _) => Source::Customer(customer),
        (None, Scope::All) => Source::All,
    })
}

/// The filter, ready to be held against lines.
struct Narrowed<'a> {
    filter: &'a Filter,
    scope: &'a Scope,
    under: Option<HashSet<lineman_common::id::EquipmentId>>,
    text: Option<String>,
}

impl<'a> Narrowed<'a> {
    fn of(scope: &'a Scope, filter: &'a Filter) -> Self {
        let under = filter.under.as_ref().map(|list| list.iter().copied().collect());
        Self { filter, scope, under, text: filter.text.as_ref().map(|text| text.to_lowercase()) }
    }

    fn fits(&self, line: &Line) -> bool {
        let Filter { severities, operator_state, shelved, suppressed, flapping, maintenance, equipment, customer, fault, .. } = self.filter;
        let is = |wanted: &Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        let in_scope = match self.scope {
            Scope::All => true,
            Scope::Customer(own) => *own == line.customer,
        };
        in_scope
            && line.fits
            && (severities.is_empty() || severities.contains(&line.severity))
            && operator_state.is_none_or(|wanted| wanted == line.operator_state)
            && is(shelved, line.shelved)
            && is(suppressed, line.suppressed)
            && is(flapping, line.flapping)
            && is(maintenance, line.maintenance)
            && equipment.is_none_or(|wanted| wanted == line.equipment)
            && customer.is_none_or(|wanted| wanted == line.customer)
            && fault.is_none_or(|wanted| line.fault == Some(wanted))
            && self.under.as_ref().is_none_or(|under| under.contains(&line.equipment))
            && self.text.as_ref().is_none_or(|text| speaks_of(line, text))
    }
}

fn speaks_of(line: &Line, text: &str) -> bool {
    [&line.text, &line.alarm_type, &line.qualifier].into_iter().any(|field| field.to_lowercase().contains(text))
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.state, self.changed_at, self.alarm)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`after` is what the page before gave as `next`")]
pub struct BadCursor;

impl std::str::FromStr for Cursor {
    type Err = BadCursor;
    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let mut parts = text.split('.');
        let (Some(state), Some(changed_at), Some(alarm), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(BadCursor);
        };
        Ok(Self {
            state: state.parse().map_err(|_| BadCursor)?,
            changed_at: changed_at.parse().map_err(|_| BadCursor)?,
            alarm: alarm.parse().map_err(|_| BadCursor)?,
        })
    }
}

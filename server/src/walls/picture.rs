//! One picture of the board and the store, of one moment.

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lineman_common::alarm::Severity;
use lineman_common::api::{
    ClockName, Wall as Picture, WallAgents, WallClockState, WallClocks, WallCustomer, WallFaults, WallProduct, WallRow, WallSite, WallToday,
};
use lineman_common::id::SiteId;
use lineman_common::name::CustomerCode;

use super::board::{Board, Open, Ticking};
use super::{Error, sql};
use crate::store::Db;
use crate::web::{Scope, Viewer};
use crate::{customers, events};

const MOST_ROWS: usize = 50;
const MOST_SESSIONS: u32 = 100;
const MOST_EVENTS: u32 = 30;

/// What a look is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub customer: Option<CustomerCode>,
    /// IANA zone in which today begins; UTC when absent.
    pub zone: Option<String>,
}

pub fn of(board: &mut Board, db: &Db<'_>, viewer: &Viewer, asked: &Asked) -> Result<Picture, Error> {
    let (now, own) = (db.now(), viewer.scope());
    let (scope, customer) = match &asked.customer {
        // Another's looks like one that does not exist.
        Some(code) => {
            let known = customers::find(db, &own, code)?.ok_or_else(|| Error::NoCustomer(code.clone()))?;
            (Scope::Customer(known.id), Some(known.code))
        }
        None => (own.clone(), viewer.customer().cloned()),
    };
    let of_it = |code: &CustomerCode| customer.as_ref().is_none_or(|customer| customer == code);
    let mut sum = Sum::default();
    for open in board.faults.values().filter(|open| of_it(&open.head.number.customer)) {
        sum.add(open, now);
    }
    let countdown_total = u32::try_from(sum.rows.len()).unwrap_or(u32::MAX);
    let (sites, sites_without_coordinates, open_off_the_map) = sum.map(board, &of_it);
    let mut customers: Vec<_> = sum.customers.into_iter().map(|(customer, (open, worst))| WallCustomer { customer, open, worst }).collect();
    customers.sort_by(|a, b| (b.worst, b.open, &a.customer).cmp(&(a.worst, a.open, &b.customer)));
    let agents = board
        .around
        .agents
        .iter()
        .filter(|(code, _)| of_it(code))
        .fold(WallAgents::default(), |sum, (_, more)| WallAgents { online: sum.online + more.online, total: sum.total + more.total });
    Ok(Picture {
        now,
        seq: if own.sees_internal() { board.seq() } else { events::newest(db, &own)? },
        name: viewer.wall().map(|wall| wall.name.clone()),
        calm_since: if sum.open == 0 { events::newest_closing(db, &scope)? } else { None },
        faults: sum.faults,
        clocks: sum.clocks,
        promise: sum.promise,
        countdown: most_urgent(sum.rows, now),
        countdown_total,
        sessions: sql::sessions(db, &scope, MOST_SESSIONS)?,
        today: today(db, &scope, asked.zone.as_deref())?,
        agents,
        health: health(board, &of_it),
        // Who works at the support centre is not a customer's to see.
        duty: if own.sees_internal() { board.around.duty.clone() } else { Vec::new() },
        sites,
        sites_without_coordinates,
        open_off_the_map,
        customers,
        events: events::for_walls(db, &own, &scope, MOST_EVENTS)?,
        customer,
    })
}

#[derive(Default)]
struct Sum<'a> {
    open: u32,
    faults: WallFaults,
    clocks: WallClocks,
    promise: WallClocks,
    /// Each fault with the most urgent of its clocks.
    rows: Vec<((u8, i64), &'a Open, &'a Ticking)>,
    sites: HashMap<Option<SiteId>, (u32, Severity)>,
    customers: HashMap<CustomerCode, (u32, Severity)>,
}

impl<'a> Sum<'a> {
    fn add(&mut self, open: &'a Open, now: Timestamp) {
        let severity = open.head.severity;
        self.open += 1;
        *match severity {
            Severity::Critical => &mut self.faults.critical,
            Severity::Major => &mut self.faults.major,
            Severity::Minor => &mut self.faults.minor,
            Severity::Warning => &mut self.faults.warning,
            Severity::Indeterminate => &mut self.faults.indeterminate,
        } += 1;
        for place in [
            self.sites.entry(open.head.site).or_insert((0, severity)),
            self.customers.entry(open.head.number.customer.clone()).or_insert((0, severity)),
        ] {
            *place = (place.0 + 1, place.1.max(severity));
        }
        for clock in &open.clocks {
            let counts = if matches!(clock.name, ClockName::K4 | ClockName::K5) { &mut self.promise } else { &mut self.clocks };
            *match state(clock, now) {
                WallClockState::Running => &mut counts.running,
                WallClockState::Paused => &mut counts.paused,
                WallClockState::Breached => &mut counts.breached,
            } += 1;
        }
        if let Some((urgency, clock)) = open.clocks.iter().map(|clock| (clock.urgency(now), clock)).min_by_key(|(urgency, _)| *urgency) {
            self.rows.push((urgency, open, clock));
        }
    }

    /// Sites on the map, how many can't be on it, and how many faults are at no place of it.
    fn map(&self, board: &Board, of_it: &impl Fn(&CustomerCode) -> bool) -> (Vec<WallSite>, u32, u32) {
        let (mut sites, mut without, mut off) = (Vec::new(), 0, self.sites.get(&None).map_or(0, |(open, _)| *open));
        for site in board.around.sites.iter().filter(|site| of_it(&site.customer)) {
            let found = self.sites.get(&Some(site.id));
            let open = found.map_or(0, |(open, _)| *open);
            let (Some(latitude_deg), Some(longitude_deg)) = (site.latitude_deg, site.longitude_deg) else {
                without += 1;
                off += open;
                continue;
            };
            let worst = found.map(|(_, worst)| *worst);
            let (id, customer, name) = (site.id, site.customer.clone(), site.name.clone());
            sites.push(WallSite { id, customer, name, latitude_deg, longitude_deg, open, worst });
        }
        (sites, without, off)
    }
}

fn state(clock: &Ticking, now: Timestamp) -> WallClockState {
    match (clock.is_breached(now), &clock.paused) {
        (true, _) => WallClockState::Breached,
        (false, Some(_)) => WallClockState::Paused,
        (false, None) => WallClockState::Running,
    }
}

fn most_urgent(mut rows: Vec<((u8, i64), &Open, &Ticking)>, now: Timestamp) -> Vec<WallRow> {
    let key = |(urgency, open, _): &((u8, i64), &Open, &Ticking)| (*urgency, Reverse(open.head.severity), open.head.number.serial);
    // Only the first ones are put in order.
    if rows.len() > MOST_ROWS {
        rows.select_nth_unstable_by_key(MOST_ROWS, key);
        rows.truncate(MOST_ROWS);
    }
    rows.sort_by_key(key);
    rows.into_iter().map(|(_, open, clock)| row(open, clock, now)).collect()
}

fn row(open: &Open, clock: &Ticking, now: Timestamp) -> WallRow {
    let head = &open.head;
    WallRow {
        fault: head.number.clone(),
        severity: head.severity,
        status: head.status,
        title: head.title.clone(),
        customer: head.number.customer.clone(),
        equipment: head.equipment.clone(),
        owner: head.owner.clone(),
        clock: clock.name,
        state: state(clock, now),
        target_s: clock.target_s,
        elapsed_s: clock.elapsed_s(now),
        deadline_at: clock.deadline_at,
        paused_by: clock.paused.map(|(why, _)| why),
        paused_since: clock.paused.map(|(_, since)| since),
    }
}

/// The products of whom it is, each once.
fn health(board: &Board, of_it: &impl Fn(&CustomerCode) -> bool) -> Vec<WallProduct> {
    let mut products: Vec<WallProduct> = Vec::new();
    for (_, more) in board.around.health.iter().filter(|(code, _)| of_it(code)) {
        match products.iter_mut().find(|known| known.product == more.product) {
            Some(known) => {
                known.ok += more.ok;
                known.warn += more.warn;
                known.bad += more.bad;
                known.unknown += more.unknown;
            }
            None => products.push(more.clone()),
        }
    }
    products.sort_by(|a, b| a.product.raw().cmp(b.product.raw()));
    products
}

fn today(db: &Db<'_>, scope: &Scope, zone: Option<&str>) -> Result<WallToday, Error> {
    let zone = match zone {
        Some(name) => TimeZone::get(name).map_err(|_| Error::BadZone(name.to_owned()))?,
        None => TimeZone::UTC,
    };
    let from = db.now().to_zoned(zone).start_of_day().map_or(db.now(), |day| day.timestamp());
    let (new, closed) = events::reported_and_closed(db, scope, from)?;
    Ok(WallToday { from: Some(from), new, closed })
}

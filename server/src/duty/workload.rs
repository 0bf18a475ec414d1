//! How much is where: open faults, clocks at risk and sessions, of each office and each person.

use std::collections::{BTreeMap, BTreeSet};

use lineman_common::alarm::Severity;
use lineman_common::api::{ClockAtRisk, Interval, OfficeLoad, OfficeName, OpenFaults, PersonLoad, Workload};
use lineman_common::id::FaultId;
use lineman_common::name::PersonName;

use super::sql::OpenFault;
use super::{Error, sql};
use crate::faults::{self, Reference};
use crate::offices;
use crate::people;
use crate::store::Db;
use crate::web::Scope;

/// Faults whose clocks are looked at, the most severe and oldest first: each costs a look at its whole story.
const MOST_LOOKED_AT: usize = 500;

pub fn of_all(db: &Db<'_>, scope: &Scope) -> Result<Workload, Error> {
    if !scope.sees_internal() {
        return Ok(Workload { offices: Vec::new(), people: Vec::new(), with_no_office: OpenFaults::default() });
    }
    let open = sql::open_faults(db)?;
    let risks = risks(db, &open)?;
    let sessions = sql::live_sessions(db)?;
    let all = offices::list(db, scope)?;
    let mut duty: BTreeMap<PersonName, Vec<OfficeName>> = BTreeMap::new();
    let mut offices = Vec::new();
    for office in &all {
        let on_duty: Vec<_> = offices::on_duty(db, &office.name, db.now())?.into_iter().map(|one| one.person).collect();
        for person in &on_duty {
            duty.entry(person.clone()).or_default().push(office.name.clone());
        }
        let is_here = |fault: &&OpenFault| fault.office.as_ref() == Some(&office.name);
        let ids: BTreeSet<FaultId> = open.iter().filter(is_here).map(|fault| fault.id).collect();
        offices.push(OfficeLoad {
            office: office.name.clone(),
            on_duty,
            faults: count(open.iter().filter(is_here)),
            clocks_at_risk: of(&risks, &ids),
            sessions_now: number(sessions.iter().filter(|(_, fault)| ids.contains(fault)).count()),
        });
    }
    let gone: BTreeSet<_> = people::disabled(db)?.into_iter().collect();
    let mut names: BTreeSet<&PersonName> = all.iter().flat_map(|office| &office.members).collect();
    names.extend(open.iter().filter_map(|fault| fault.owner.as_ref()));
    names.extend(sessions.iter().map(|(engineer, _)| engineer));
    names.extend(duty.keys());
    let people = names.into_iter().map(|name| {
        let owns = |fault: &&OpenFault| fault.owner.as_ref() == Some(name);
        let ids: BTreeSet<FaultId> = open.iter().filter(owns).map(|fault| fault.id).collect();
        PersonLoad {
            person: name.clone(),
            on_duty: duty.get(name).cloned().unwrap_or_default(),
            disabled: gone.contains(name),
            faults: count(open.iter().filter(owns)),
            proposed: number(open.iter().filter(|fault| fault.owner.is_none() && fault.proposed.as_ref() == Some(name)).count()),
            clocks_at_risk: of(&risks, &ids),
            sessions_now: number(sessions.iter().filter(|(engineer, _)| engineer == name).count()),
        }
    });
    let people = people.collect();
    Ok(Workload { offices, people, with_no_office: count(open.iter().filter(|fault| fault.office.is_none())) })
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// They come oldest first.
fn count<'a>(faults: impl Iterator<Item = &'a OpenFault>) -> OpenFaults {
    let mut counted = OpenFaults::default();
    for fault in faults {
        counted.total += 1;
        match fault.severity {
            Severity::Critical => counted.critical += 1,
            Severity::Major => counted.major += 1,
            Severity::Minor => counted.minor += 1,
            Severity::Warning | Severity::Indeterminate => counted.lower += 1,
        }
        counted.oldest.get_or_insert_with(|| fault.number.clone());
        counted.oldest_at.get_or_insert(fault.reported_at);
    }
    counted
}

type Risks = BTreeMap<FaultId, Vec<ClockAtRisk>>;

fn of(risks: &Risks, faults: &BTreeSet<FaultId>) -> Vec<ClockAtRisk> {
    faults.iter().filter_map(|fault| risks.get(fault)).flatten().cloned().collect()
}

/// Clocks that have used three quarters of their time, of faults that warned: computed as everywhere, at this moment.
fn risks(db: &Db<'_>, open: &[OpenFault]) -> Result<Risks, Error> {
    let mut warned: Vec<_> = open.iter().filter(|fault| fault.warned).collect();
    warned.sort_by_key(|fault| std::cmp::Reverse(fault.severity));
    let mut risks = Risks::new();
    for fault in warned.into_iter().take(MOST_LOOKED_AT) {
        let clocks = faults::clocks_of(db, &faults::get(db, &Scope::All, &Reference::Id(fault.id))?)?;
        let lasts = |last: Option<&Interval>| last.is_some_and(|interval| interval.to.is_none());
        let late = |elapsed: u64, target: Option<u32>| target.is_some_and(|target| elapsed * 4 >= u64::from(target) * 3);
        let at_risk = clocks.into_iter().filter(|clock| lasts(clock.intervals.last()) && late(clock.elapsed_s, clock.target_s));
        let at_risk = at_risk.map(|clock| ClockAtRisk {
            fault: fault.number.clone(),
            clock: clock.name,
            state: clock.state,
            elapsed_s: clock.elapsed_s,
            target_s: clock.target_s,
            deadline_at: clock.deadline_at,
        });
        risks.insert(fault.id, at_risk.collect());
    }
    Ok(risks)
}

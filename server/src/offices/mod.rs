//! Offices: the support centre's own tree, who belongs to which, and who is on duty when.
//!
//! A `local` office is the hotline of a region, a `subcentre` has a product line's experts, the one `hq` accepts and monitors. An office
//! above is of the same kind or a higher one, so every way up ends at the hq, and there are no rings. Names are for good: rules, plans and
//! events speak of offices by them.
//!
//! Plans are computed ([`rota`]) and never stored; which office a fault belongs to by what it is about is told by [`coverage`]. What
//! becomes of faults is the business of the room `duty`.
//!
//! All of it is internal: whoever sees one customer only finds no office.

mod coverage;
pub mod http;
mod rota;
mod sql;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lineman_common::Printable;
use lineman_common::api::{
    DutyPlan, EscalationStep, NewOverride, Office, OfficeKind, OfficeName, OnDuty, Override, OverrideKind, RoutingRule, Shift, ShiftName,
};
use lineman_common::id::OverrideId;
use lineman_common::name::{CustomerCode, PersonName};
use serde_json::json;

use crate::customers;
use crate::events::{self, Kind, New};
use crate::people;
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

pub use coverage::{Subject, Target};
use rota::Rota;

/// Of one list in an office, a shift or a rule.
const MOST: usize = 1000;
const MOST_RULES: usize = 1000;
const LONGEST_REASON: usize = 2000;
/// Of a plan that is asked for, and of an override.
pub const LONGEST_PLAN: SignedDuration = SignedDuration::from_hours(24 * 400);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such office")]
    NotFound,
    #[error("there is no office {0}")]
    NoOffice(OfficeName),
    #[error("there is an office named {0} already")]
    Taken(OfficeName),
    #[error("the path names the office or shift `{0}`, the body `{1}`: names are for good")]
    OtherName(String, String),
    #[error("there is one hq, and {0} is it")]
    SecondHq(OfficeName),
    #[error("the hq is the top: it has no parent")]
    HqHasParent,
    #[error("an office that is not the hq needs a parent")]
    NeedsParent,
    #[error(
        "{parent} ({kind}) can't be above {name}: a local office is below a local office, a subcentre or the hq, a subcentre below a subcentre or the hq"
    )]
    WrongParent { name: OfficeName, parent: OfficeName, kind: OfficeKind },
    #[error("{name} can't be below {parent}: {parent} is below {name}")]
    Ring { name: OfficeName, parent: OfficeName },
    #[error("{name} is in use: {}", .by.join("; "))]
    InUse { name: OfficeName, by: Vec<String> },
    #[error("`{0}` is not an IANA time zone, like `Asia/Shanghai`")]
    BadZone(String),
    #[error("there is no customer {0}")]
    NoCustomer(CustomerCode),
    #[error("there is no site {0}")]
    NoSite(String),
    #[error("there is nobody named {0} at the support centre who works on faults and is not disabled")]
    NotAWorker(PersonName),
    #[error("{0} is not a member of {1}: who works there belongs there")]
    NotAMember(PersonName, OfficeName),
    #[error("escalation is at 50, 75, 90 or 100 %, to a level of 1 to 3, and not to the office itself")]
    BadEscalation,
    #[error("a level is 1, 2 or 3")]
    BadLevel,
    #[error("no such shift")]
    NoShift,
    #[error("a shift has 1 to {MOST} turns of 1 to {MOST} people, and changes every 1 to 366 days")]
    BadTurns,
    #[error("the shift ends ({0}) before it starts")]
    EndsFirst(jiff::civil::Date),
    #[error("no such override")]
    NoOverride,
    #[error("an override is for a time that is longer than nothing and at most 400 days, and is not over yet")]
    BadTime,
    #[error("{0}")]
    BadOverride(&'static str),
    #[error("a plan is asked for from one moment to a later one, at most 400 days")]
    BadPlan,
    #[error("a list has at most {MOST} entries, and a text in it 1 to 200 characters")]
    TooMuch,
    #[error("a reason is needed, of 1 to {LONGEST_REASON} characters")]
    NoReason,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("office"),
            Error::NoShift => Self::not_found("shift"),
            Error::NoOverride => Self::not_found("override"),
            Error::Taken(_) | Error::SecondHq(_) | Error::Ring { .. } | Error::InUse { .. } => Self::conflict(error.to_string()),
            Error::NoOffice(_)
            | Error::OtherName(..)
            | Error::HqHasParent
            | Error::NeedsParent
            | Error::WrongParent { .. }
            | Error::BadZone(_)
            | Error::NoCustomer(_)
            | Error::NoSite(_)
            | Error::NotAWorker(_)
            | Error::NotAMember(..)
            | Error::BadEscalation
            | Error::BadLevel
            | Error::BadTurns
            | Error::EndsFirst(_)
            | Error::BadTime
            | Error::BadOverride(_)
            | Error::BadPlan
            | Error::TooMuch
            | Error::NoReason => Self::invalid(error.to_string()),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

pub fn checked_reason(reason: &Printable) -> Result<(), Error> {
    if (1..=LONGEST_REASON).contains(&reason.raw().trim().chars().count()) { Ok(()) } else { Err(Error::NoReason) }
}

// ---- The tree -------------------------------------------------------------------------------------------------------

pub fn list(db: &Db<'_>, scope: &Scope) -> Result<Vec<Office>, StoreError> {
    if scope.sees_internal() { sql::offices(db) } else { Ok(Vec::new()) }
}

pub fn get(db: &Db<'_>, scope: &Scope, name: &OfficeName) -> Result<Office, Error> {
    if !scope.sees_internal() {
        return Err(Error::NotFound);
    }
    sql::office(db, name)?.ok_or(Error::NotFound)
}

pub fn add(tx: &mut Tx<'_>, actor: &Actor, office: Office) -> Result<Office, Error> {
    if sql::office(tx, &office.name)?.is_some() {
        return Err(Error::Taken(office.name));
    }
    set(tx, actor, office)
}

/// Sets all of an office.
pub fn replace(tx: &mut Tx<'_>, actor: &Actor, name: &OfficeName, office: Office) -> Result<Office, Error> {
    get(tx, &actor.scope(), name)?;
    if office.name != *name {
        return Err(Error::OtherName(name.to_string(), office.name.to_string()));
    }
    for shift in sql::shifts(tx, name)? {
        if let Some(person) = shift.turns.iter().flatten().find(|person| !office.members.contains(person)) {
            let by = vec![format!("{person} is in the shift {}: take them out of it first", shift.name)];
            return Err(Error::InUse { name: name.clone(), by });
        }
    }
    set(tx, actor, office)
}

fn set(tx: &mut Tx<'_>, actor: &Actor, mut office: Office) -> Result<Office, Error> {
    check_place(tx, &office)?;
    if TimeZone::get(&office.zone).is_err() {
        return Err(Error::BadZone(lineman_common::printable::escape(&office.zone)));
    }
    check_coverage(tx, &office.customers, &office.sites, [&office.regions, &office.products])?;
    office.members.sort();
    office.members.dedup();
    let before = sql::office(tx, &office.name)?.map(|before| before.members).unwrap_or_default();
    for person in office.members.iter().filter(|person| !before.contains(person)) {
        people::worker(tx, person)?.ok_or_else(|| Error::NotAWorker(person.clone()))?;
    }
    for step in office.escalation.iter().flatten() {
        check_step(tx, &office, step)?;
    }
    if office.members.len().max(office.staffed.len()).max(office.escalation.as_ref().map_or(0, Vec::len)) > MOST {
        return Err(Error::TooMuch);
    }
    if office.title.raw().chars().count() > 200 {
        return Err(Error::TooMuch);
    }
    sql::put_office(tx, &office)?;
    let event = New::of(Kind::OfficeSet, actor, format!("office {} ({}) set", office.name, office.kind));
    events::append(tx, event.internal(true).data(json!(office)))?;
    Ok(office)
}

fn check_place(db: &Db<'_>, office: &Office) -> Result<(), Error> {
    let all = sql::offices(db)?;
    let hq = all.iter().find(|other| other.kind == OfficeKind::Hq && other.name != office.name);
    match (office.kind, &office.parent) {
        (OfficeKind::Hq, Some(_)) => return Err(Error::HqHasParent),
        (OfficeKind::Hq, None) => hq.map_or(Ok(()), |hq| Err(Error::SecondHq(hq.name.clone())))?,
        (OfficeKind::Local | OfficeKind::Subcentre, None) => return Err(Error::NeedsParent),
        (OfficeKind::Local | OfficeKind::Subcentre, Some(_)) => {}
    }
    let find = |name: &OfficeName| all.iter().find(|other| other.name == *name);
    if let Some(name) = &office.parent {
        let parent = find(name).ok_or_else(|| Error::NoOffice(name.clone()))?;
        let wrong = || Error::WrongParent { name: office.name.clone(), parent: name.clone(), kind: parent.kind };
        if parent.kind < office.kind {
            return Err(wrong());
        }
        // What is below it must not become higher than it.
        if let Some(child) = all.iter().find(|child| child.parent.as_ref() == Some(&office.name) && child.kind > office.kind) {
            return Err(Error::WrongParent { name: child.name.clone(), parent: office.name.clone(), kind: office.kind });
        }
        let mut above = Some(parent);
        while let Some(one) = above {
            if one.name == office.name {
                return Err(Error::Ring { name: office.name.clone(), parent: name.clone() });
            }
            above = one.parent.as_ref().and_then(find);
        }
    }
    Ok(())
}

fn check_coverage(
    db: &Db<'_>,
    customers: &[CustomerCode],
    sites: &[lineman_common::id::SiteId],
    texts: [&Vec<String>; 2],
) -> Result<(), Error> {
    for code in customers {
        customers::find(db, &Scope::All, code)?.ok_or_else(|| Error::NoCustomer(code.clone()))?;
    }
    if !sites.is_empty() {
        let known = customers::sites(db, &Scope::All)?;
        if let Some(site) = sites.iter().find(|site| !known.iter().any(|one| one.id == **site)) {
            return Err(Error::NoSite(site.to_string()));
        }
    }
    let good = |text: &String| (1..=200).contains(&text.trim().chars().count());
    let fits = customers.len().max(sites.len()) <= MOST && texts.iter().all(|list| list.len() <= MOST && list.iter().all(good));
    if fits { Ok(()) } else { Err(Error::TooMuch) }
}

fn check_step(db: &Db<'_>, office: &Office, step: &EscalationStep) -> Result<(), Error> {
    let good_level = step.level.is_none_or(|level| (1..=3).contains(&level));
    if ![50, 75, 90, 100].contains(&step.percent) || !good_level || step.to.as_ref() == Some(&office.name) {
        return Err(Error::BadEscalation);
    }
    match &step.to {
        Some(to) if sql::office(db, to)?.is_none() => Err(Error::NoOffice(to.clone())),
        _ => Ok(()),
    }
}

/// Deletes an office that nothing speaks of: no office below it, no rule, no policy that leads to it, no shift, no open fault.
pub fn delete(tx: &mut Tx<'_>, actor: &Actor, name: &OfficeName) -> Result<(), Error> {
    get(tx, &actor.scope(), name)?;
    let mut by = Vec::new();
    for other in sql::offices(tx)?.iter().filter(|other| other.name != *name) {
        if other.parent.as_ref() == Some(name) {
            by.push(format!("{} is below it", other.name));
        }
        if other.escalation.iter().flatten().any(|step| step.to.as_ref() == Some(name)) {
            by.push(format!("{} escalates to it", other.name));
        }
    }
    by.extend(sql::rules(tx)?.iter().filter(|rule| rule.office == *name).map(|rule| format!("the rule `{}` leads to it", rule.name)));
    by.extend(sql::shifts(tx, name)?.iter().map(|shift| format!("it has the shift {}", shift.name)));
    match sql::open_faults(tx, name)? {
        0 => {}
        faults => by.push(format!("{faults} open faults are with it")),
    }
    if !by.is_empty() {
        return Err(Error::InUse { name: name.clone(), by });
    }
    sql::delete_office(tx, name)?;
    let event = New::of(Kind::OfficeDeleted, actor, format!("office {name} deleted")).internal(true);
    events::append(tx, event.data(json!({"office": name})))?;
    Ok(())
}

// ---- Shifts ---------------------------------------------------------------------------------------------------------

pub fn shifts(db: &Db<'_>, scope: &Scope, office: &OfficeName) -> Result<Vec<Shift>, Error> {
    get(db, scope, office)?;
    Ok(sql::shifts(db, office)?)
}

pub fn put_shift(tx: &mut Tx<'_>, actor: &Actor, office: &OfficeName, shift: Shift) -> Result<Shift, Error> {
    let place = get(tx, &actor.scope(), office)?;
    let sizes = [shift.turns.len()].into_iter().chain(shift.turns.iter().map(Vec::len));
    if sizes.into_iter().any(|size| size == 0 || size > MOST) || !(1..=366).contains(&shift.turn_days) {
        return Err(Error::BadTurns);
    }
    if let Some(end) = shift.end.filter(|end| *end < shift.start) {
        return Err(Error::EndsFirst(end));
    }
    for person in shift.turns.iter().flatten() {
        check_member(tx, &place, person)?;
    }
    sql::put_shift(tx, office, &shift)?;
    let event = New::of(Kind::ShiftSet, actor, format!("shift {} of {office} set", shift.name)).internal(true);
    events::append(tx, event.data(json!({"office": office, "shift": shift})))?;
    Ok(shift)
}

fn check_member(db: &Db<'_>, office: &Office, person: &PersonName) -> Result<(), Error> {
    people::worker(db, person)?.ok_or_else(|| Error::NotAWorker(person.clone()))?;
    if office.members.contains(person) { Ok(()) } else { Err(Error::NotAMember(person.clone(), office.name.clone())) }
}

pub fn delete_shift(tx: &mut Tx<'_>, actor: &Actor, office: &OfficeName, name: &ShiftName) -> Result<(), Error> {
    get(tx, &actor.scope(), office)?;
    if !sql::delete_shift(tx, office, name)? {
        return Err(Error::NoShift);
    }
    let event = New::of(Kind::ShiftDeleted, actor, format!("shift {name} of {office} deleted")).internal(true);
    events::append(tx, event.data(json!({"office": office, "shift": name})))?;
    Ok(())
}

/// Overrides that are not over.
pub fn overrides(db: &Db<'_>, scope: &Scope, office: &OfficeName) -> Result<Vec<Override>, Error> {
    get(db, scope, office)?;
    Ok(sql::overrides(db, office, db.now(), Timestamp::MAX)?)
}

/// Something else than the shifts say: a swap, a stand-in for a holiday, somebody more, somebody less.
pub fn add_override(tx: &mut Tx<'_>, actor: &Actor, office: &OfficeName, new: NewOverride) -> Result<Override, Error> {
    let place = get(tx, &actor.scope(), office)?;
    checked_reason(&new.reason)?;
    if new.to <= new.from || new.to.duration_since(new.from) > LONGEST_PLAN || new.to <= tx.now() {
        return Err(Error::BadTime);
    }
    match (new.kind, &new.other) {
        (OverrideKind::StandIn | OverrideKind::Swap, None) => return Err(Error::BadOverride("`other` is needed: who works instead")),
        (OverrideKind::StandIn | OverrideKind::Swap, Some(other)) if *other == new.person => {
            return Err(Error::BadOverride("`person` and `other` are the same"));
        }
        (OverrideKind::Extra | OverrideKind::Off, Some(_)) => return Err(Error::BadOverride("`other` is for `stand_in` and `swap`")),
        _ => {}
    }
    let works_then = new.other.iter().chain((new.kind == OverrideKind::Extra).then_some(&new.person));
    for person in works_then {
        check_member(tx, &place, person)?;
    }
    let NewOverride { kind, from, to, person, other, rank, reason } = new;
    let change = Override { id: OverrideId::new(), kind, from, to, person, other, rank, reason, by: actor.name.clone(), at: tx.now() };
    sql::insert_override(tx, office, &change)?;
    let text = match &change.other {
        Some(other) => format!("{office}, {from} to {to}: {kind} {} by {other}: {}", change.person, change.reason),
        None => format!("{office}, {from} to {to}: {kind} {}: {}", change.person, change.reason),
    };
    let event = New::of(Kind::ShiftOverridden, actor, text).internal(true);
    events::append(tx, event.data(json!({"office": office, "override": change})))?;
    Ok(change)
}

/// Takes an override back, as if it had never been.
pub fn cancel_override(tx: &mut Tx<'_>, actor: &Actor, office: &OfficeName, id: OverrideId) -> Result<(), Error> {
    get(tx, &actor.scope(), office)?;
    let change = sql::delete_override(tx, office, id)?.ok_or(Error::NoOverride)?;
    let text = format!("{office}: the override of {} from {} to {} is taken back", change.person, change.from, change.to);
    let event = New::of(Kind::ShiftOverrideCancelled, actor, text).internal(true);
    events::append(tx, event.data(json!({"office": office, "override": change})))?;
    Ok(())
}

// ---- Who is on duty -------------------------------------------------------------------------------------------------

fn rota(db: &Db<'_>, office: &Office, from: Timestamp, to: Timestamp) -> Result<Rota, StoreError> {
    Ok(Rota {
        // It was checked when the office was set.
        zone: TimeZone::get(&office.zone).unwrap_or(TimeZone::UTC),
        shifts: sql::shifts(db, &office.name)?,
        overrides: sql::overrides(db, &office.name, from, to)?,
        staffed: office.staffed.clone(),
        away: people::disabled(db)?,
    })
}

/// Who is on duty in an office at a moment, primaries first. An office that is not there has nobody.
pub fn on_duty(db: &Db<'_>, office: &OfficeName, at: Timestamp) -> Result<Vec<OnDuty>, StoreError> {
    match sql::office(db, office)? {
        Some(office) => Ok(rota(db, &office, at, at)?.at(at)),
        None => Ok(Vec::new()),
    }
}

/// Who is on duty from one moment to another.
pub fn plan(db: &Db<'_>, scope: &Scope, name: &OfficeName, from: Timestamp, to: Timestamp) -> Result<DutyPlan, Error> {
    let office = get(db, scope, name)?;
    if to <= from || to.duration_since(from) > LONGEST_PLAN {
        return Err(Error::BadPlan);
    }
    Ok(DutyPlan { stretches: rota(db, &office, from, to)?.plan(from, to), office: office.name, zone: office.zone })
}

// ---- Routing --------------------------------------------------------------------------------------------------------

pub fn rules(db: &Db<'_>, scope: &Scope) -> Result<Vec<RoutingRule>, StoreError> {
    if scope.sees_internal() { sql::rules(db) } else { Ok(Vec::new()) }
}

/// Sets the whole list.
pub fn put_rules(tx: &mut Tx<'_>, actor: &Actor, mut rules: Vec<RoutingRule>) -> Result<Vec<RoutingRule>, Error> {
    if rules.len() > MOST_RULES {
        return Err(Error::TooMuch);
    }
    for rule in &mut rules {
        sql::office(tx, &rule.office)?.ok_or_else(|| Error::NoOffice(rule.office.clone()))?;
        check_coverage(tx, &rule.customers, &rule.sites, [&rule.regions, &rule.products])?;
        if rule.level.is_some_and(|level| !(1..=3).contains(&level)) {
            return Err(Error::BadLevel);
        }
        let name_fits = (1..=200).contains(&rule.name.raw().trim().chars().count());
        if !name_fits || rule.skills.len() > MOST || rule.skills.iter().any(|skill| !(1..=40).contains(&skill.trim().chars().count())) {
            return Err(Error::TooMuch);
        }
        // As people's skills are kept.
        rule.skills = rule.skills.iter().map(|skill| skill.trim().to_lowercase()).collect();
    }
    sql::put_rules(tx, &rules)?;
    let event = New::of(Kind::RoutingSet, actor, format!("routing set: {} rules", rules.len())).internal(true);
    events::append(tx, event.data(json!({"rules": rules})))?;
    Ok(rules)
}

/// Where the subject goes first; none when there are no offices.
pub fn target(db: &Db<'_>, subject: &Subject) -> Result<Option<Target>, StoreError> {
    let offices = sql::offices(db)?;
    if offices.is_empty() {
        return Ok(None);
    }
    Ok(coverage::target(&offices, &sql::rules(db)?, subject))
}

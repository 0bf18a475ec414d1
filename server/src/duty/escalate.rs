//! Up the tree, and down again.
//!
//! A clock's warning moves a fault once: the office where it is then decides by its policy whether and where to. An office to which the
//! fault comes later acts at the clock's next warning, not at those that are past. Nothing moves that is over or waits, or whose clock
//! does not run at that moment. Who owns the fault stays its owner: escalation brings more eyes and proposes a person, people hand over.

use lineman_common::Printable;
use lineman_common::api::{Bilingual, ClockName, Escalate, EscalationStep, Office, Route};
use lineman_common::fault::FaultStatus;
use lineman_common::id::FaultId;
use serde_json::json;

use super::{Error, Place, route, sql};
use crate::events::{Appended, Kind, New};
use crate::faults::{self, Reference};
use crate::offices::{self, Target};
use crate::store::{Db, Tx};
use crate::web::{Actor, Scope};

/// What an office does that has no policy of its own.
const BY_DEFAULT: [(ClockName, [u8; 2]); 5] = [
    (ClockName::K1, [75, 100]),
    (ClockName::K2, [75, 100]),
    (ClockName::K4, [75, 100]),
    (ClockName::K5, [75, 100]),
    (ClockName::K6, [75, 100]),
];

/// A clock of a fault warned, or was breached.
pub fn clock_warned(tx: &mut Tx<'_>, id: FaultId, event: &Appended) -> Result<(), Error> {
    let Ok(clock) = event.data["clock"].as_str().unwrap_or_default().parse::<ClockName>() else { return Ok(()) };
    let percent = event.data["percent"].as_u64().and_then(|percent| u8::try_from(percent).ok()).unwrap_or(100);
    let target_s = event.data["target_s"].as_i64().unwrap_or(0);
    if !sql::note_heard(tx, id, clock.as_str(), percent, target_s)? {
        return Ok(());
    }
    let Some(place) = sql::place_of(tx, id)? else { return Ok(()) };
    let Ok(office) = offices::get(tx, &Scope::All, &place.office) else { return Ok(()) };
    let Some(step) = step_of(&office, clock, percent) else { return Ok(()) };
    if !runs(tx, id, clock)? {
        return Ok(());
    }
    let Some(target) = target_of(&office, &place, step.to.clone(), step.level) else { return Ok(()) };
    let why = Bilingual::new(
        format!("{clock} 时限在 {} 已用去 {percent} %", office.name),
        format!("{clock} has used {percent} % of its time at {}", office.name),
    );
    let data = json!({"clock": clock, "percent": percent});
    up(tx, "system", &place, Target { why, ..target }, data)?;
    Ok(())
}

fn step_of(office: &Office, clock: ClockName, percent: u8) -> Option<EscalationStep> {
    match &office.escalation {
        Some(policy) => policy.iter().find(|step| step.clock == clock && step.percent == percent).cloned(),
        None => BY_DEFAULT.iter().find(|(one, percents)| *one == clock && percents.contains(&percent)).map(|_| EscalationStep {
            clock,
            percent,
            to: None,
            level: None,
        }),
    }
}

/// Is somebody's time running out at this moment?
fn runs(db: &Db<'_>, id: FaultId, clock: ClockName) -> Result<bool, Error> {
    let fault = faults::get(db, &Scope::All, &Reference::Id(id))?;
    if fault.status.is_over() || fault.status == FaultStatus::Pending {
        return Ok(false);
    }
    let clocks = faults::clocks_of(db, &fault)?;
    let last = clocks.iter().find(|one| one.name == clock.as_str()).and_then(|one| one.intervals.last());
    Ok(last.is_some_and(|interval| interval.counted && interval.to.is_none()))
}

/// Where a step leads: the office named, this one with a higher level, or the one above. None at the top.
fn target_of(office: &Office, place: &Place, to: Option<lineman_common::api::OfficeName>, level: Option<u8>) -> Option<Target> {
    let office = match (to, level) {
        (Some(to), _) => to,
        (None, Some(_)) => office.name.clone(),
        (None, None) => office.parent.clone()?,
    };
    Some(Target { office, skills: place.skills.clone(), level: level.unwrap_or(place.level), why: Bilingual::default() })
}

fn up(tx: &mut Tx<'_>, by: &str, place: &Place, target: Target, data: serde_json::Value) -> Result<Place, Error> {
    let mut trail = place.trail.clone();
    trail.push(place.office.clone());
    go(tx, by, Kind::FaultEscalated, place, target, trail, data)
}

fn go(
    tx: &mut Tx<'_>,
    by: &str,
    kind: Kind,
    from: &Place,
    target: Target,
    trail: Vec<lineman_common::api::OfficeName>,
    mut data: serde_json::Value,
) -> Result<Place, Error> {
    let subject = sql::subject_of_fault(tx, from.fault)?;
    let Route { office, person, skills, level, why } = route::settle(tx, target, &subject, Some(from.fault), tx.now())?;
    let why = Bilingual::joined(&why);
    let place = Place { fault: from.fault, office, proposed: person, skills, level, since: tx.now(), why: why.en, trail };
    sql::put_place(tx, &place)?;
    let word = if kind == Kind::FaultEscalated { "escalated" } else { "de-escalated" };
    for (name, value) in [
        ("from", json!(from.office)),
        ("to", json!(place.office)),
        ("why", json!(place.why)),
        ("why_zh", json!(why.zh)),
        ("person", json!(place.proposed)),
        ("level", json!(place.level)),
    ] {
        data[name] = value;
    }
    let event = New::of(kind, by, format!("{word} from {} to {}: {}", from.office, place.office, place.why)).internal(true).data(data);
    faults::tell(tx, from.fault, event)?;
    Ok(place)
}

/// Somebody sends it up, with a reason.
pub fn by_hand(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, ask: &Escalate) -> Result<Place, Error> {
    let place = open_place(tx, actor, reference, &ask.reason, ask.level)?;
    let office = offices::get(tx, &Scope::All, &place.office).map_err(|_| Error::NoOffice(place.office.clone()))?;
    if ask.to.as_ref() == Some(&place.office) && ask.level.is_none_or(|level| level <= place.level) {
        return Err(Error::ThereAlready(place.office));
    }
    let target = target_of(&office, &place, ask.to.clone(), ask.level).ok_or_else(|| Error::AtTheTop(office.name.clone()))?;
    if offices::get(tx, &Scope::All, &target.office).is_err() {
        return Err(Error::NoOffice(target.office));
    }
    let why = Bilingual::same(format!("{actor}: {}", ask.reason));
    up(tx, actor.name.as_str(), &place, Target { why, ..target }, json!({"reason": ask.reason}))
}

/// Somebody sends it back down, with a reason: to the office that it came from, or to another.
pub fn back(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, ask: &Escalate) -> Result<Place, Error> {
    let place = open_place(tx, actor, reference, &ask.reason, ask.level)?;
    let mut trail = place.trail.clone();
    // Steps within the office are not a way back.
    while trail.last() == Some(&place.office) {
        trail.pop();
    }
    let to = match ask.to.clone() {
        Some(to) => to,
        None => trail.pop().ok_or_else(|| Error::NeverEscalated(place.office.clone()))?,
    };
    if to == place.office {
        return Err(Error::ThereAlready(to));
    }
    if offices::get(tx, &Scope::All, &to).is_err() {
        return Err(Error::NoOffice(to));
    }
    let why = Bilingual::same(format!("{actor}: {}", ask.reason));
    let target = Target { office: to, skills: place.skills.clone(), level: ask.level.unwrap_or(1), why };
    go(tx, actor.name.as_str(), Kind::FaultDeescalated, &place, target, trail, json!({"reason": ask.reason}))
}

fn open_place(db: &Db<'_>, actor: &Actor, reference: &Reference, reason: &Printable, level: Option<u8>) -> Result<Place, Error> {
    offices::checked_reason(reason)?;
    if level.is_some_and(|level| !(1..=3).contains(&level)) {
        return Err(offices::Error::BadLevel.into());
    }
    let fault = faults::get(db, &actor.scope(), reference)?;
    if fault.status.is_over() {
        return Err(Error::IsOver(fault.number, fault.status));
    }
    sql::place_of(db, fault.id)?.ok_or(Error::WithNoOffice(fault.number))
}

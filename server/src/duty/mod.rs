//! Duty: which office a fault is with, who is proposed for it, how it goes up the tree, and what lies on whom.
//!
//! A fault gets its office when it is reported ([`hear`]): the routing list decides, or what offices cover, or the hq takes it. From there
//! it goes up at once while nobody suited is on duty, and up later when a clock warns ([`escalate`]). Every move says why, in words, on
//! the fault's timeline; the customer does not see them. A person is *proposed* only: whose fault it is, people say by accepting.
//!
//! Where there are no offices, nothing of this happens.

mod escalate;
mod handover;
pub mod http;
mod route;
mod sql;
#[cfg(test)]
mod tests;
mod workload;

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::alarm::Severity;
use lineman_common::api::{Bilingual, FaultDuty, Handover, Inside, OfficeName, Route, RouteQuestion, Taken};
use lineman_common::fault::FaultStatus;
use lineman_common::id::{ConsentId, EquipmentId, FaultId, HandoverId, SessionId, TerminalId};
use lineman_common::name::{CustomerCode, FaultNumber, PersonName};
use serde_json::json;

use crate::customers;
use crate::equipment;
use crate::events::{self, Appended, Kind, ListenerError, New};
use crate::faults::{self, Reference};
use crate::offices::{self, Subject};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no office {0}")]
    NoOffice(OfficeName),
    #[error("there are no offices: nothing is routed")]
    NoOffices,
    #[error("{0} is with no office")]
    WithNoOffice(FaultNumber),
    #[error("{0} is {1}: there is nothing to escalate")]
    IsOver(FaultNumber, FaultStatus),
    #[error("it is with {0}, which is the top: name an office, or a level")]
    AtTheTop(OfficeName),
    #[error("it is with {0} already")]
    ThereAlready(OfficeName),
    #[error("it came to {0} first: name the office where it should go")]
    NeverEscalated(OfficeName),
    #[error("name the equipment, or the customer")]
    NoSubject,
    #[error("there is no customer {0}")]
    NoCustomer(CustomerCode),
    #[error("a note is needed, of 1 to 20000 characters")]
    NoNote,
    #[error("the members of {0} hand over and take over there, and duty managers")]
    NotAMember(OfficeName),
    #[error("no such hand-over")]
    NoHandover,
    #[error("somebody else takes over what you hand over")]
    OwnHandover,
    #[error("{} took it over at {}", .0.by, .0.at)]
    TakenAlready(Taken),
    #[error(transparent)]
    Offices(#[from] offices::Error),
    #[error(transparent)]
    Faults(#[from] faults::Error),
    #[error(transparent)]
    Equipment(#[from] equipment::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoHandover => Self::not_found("hand-over"),
            Error::NotAMember(_) => Self::forbidden(error.to_string()),
            Error::NoOffices
            | Error::WithNoOffice(_)
            | Error::IsOver(..)
            | Error::AtTheTop(_)
            | Error::ThereAlready(_)
            | Error::NeverEscalated(_)
            | Error::OwnHandover
            | Error::TakenAlready(_) => Self::conflict(error.to_string()),
            Error::NoOffice(_) | Error::NoSubject | Error::NoCustomer(_) | Error::NoNote => Self::invalid(error.to_string()),
            Error::Offices(error) => error.into(),
            Error::Faults(error) => error.into(),
            Error::Equipment(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

/// Where a fault is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    fault: FaultId,
    office: OfficeName,
    proposed: Option<PersonName>,
    skills: Vec<String>,
    level: u8,
    since: Timestamp,
    why: String,
    trail: Vec<OfficeName>,
}

/// Hears of faults that come or come back, of clocks, and of terminals.
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    let of = |kinds: &[Kind]| event.fault.filter(|_| kinds.contains(&event.kind));
    if let Some(fault) = of(&[Kind::FaultReported]) {
        place_new(tx, fault)?;
    }
    if let Some(fault) = of(&[Kind::FaultReopened]) {
        place_again(tx, fault)?;
    }
    if let Some(fault) = of(&[Kind::ClockWarned, Kind::ClockBreached]) {
        escalate::clock_warned(tx, fault, event)?;
    }
    if matches!(event.kind, Kind::TerminalOpened | Kind::TerminalEnded) {
        hear_terminal(tx, event)?;
    }
    Ok(())
}

fn hear_terminal(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    let terminal: TerminalId = event.data["terminal"].as_str().unwrap_or_default().parse()?;
    let consent: ConsentId = event.data["consent"].as_str().unwrap_or_default().parse()?;
    if event.kind == Kind::TerminalOpened {
        sql::put_terminal(tx, terminal, consent)?;
    } else {
        sql::delete_terminal(tx, terminal)?;
    }
    Ok(())
}

/// Terminals live in the server's process: when it starts, there are none.
pub fn no_terminals(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    sql::delete_terminals(tx)
}

fn place_new(tx: &mut Tx<'_>, fault: FaultId) -> Result<(), Error> {
    let subject = sql::subject_of_fault(tx, fault)?;
    let Some(route) = route::route(tx, &subject, Some(fault), tx.now())? else { return Ok(()) };
    let Route { office, person, skills, level, why } = route;
    let why = Bilingual::joined(&why);
    let place = Place { fault, office, proposed: person, skills, level, since: tx.now(), why: why.en, trail: Vec::new() };
    sql::put_place(tx, &place)?;
    let who = place.proposed.as_ref().map_or_else(|| "nobody proposed".to_owned(), |person| format!("{person} is proposed"));
    let event = New::of(Kind::FaultRouted, "system", format!("with {}, {who}: {}", place.office, place.why)).internal(true);
    let data = json!({"office": place.office, "why": place.why, "why_zh": why.zh, "person": place.proposed, "level": place.level});
    faults::tell(tx, fault, event.data(data))?;
    Ok(())
}

/// A fault that is opened again is where it was, unless that office is gone.
fn place_again(tx: &mut Tx<'_>, fault: FaultId) -> Result<(), Error> {
    let place = sql::place_of(tx, fault)?;
    if place.is_some_and(|place| offices::get(tx, &Scope::All, &place.office).is_ok()) { Ok(()) } else { place_new(tx, fault) }
}

// ---- Reading --------------------------------------------------------------------------------------------------------

/// Where would a fault go? Changes nothing.
pub fn dry_run(db: &Db<'_>, scope: &Scope, question: RouteQuestion) -> Result<Route, Error> {
    let severity = question.severity.unwrap_or(Severity::Major);
    let subject = match (question.equipment, question.customer) {
        (Some(name), _) => {
            let device = equipment::find(db, scope, &equipment::Reference::Name(name))?;
            sql::subject_of_equipment(db, device.id, severity)?
        }
        (None, Some(code)) => {
            let customer = customers::find(db, scope, &code)?.ok_or(Error::NoCustomer(code))?;
            Subject { customer: customer.code, site: None, zone: None, product: None, severity }
        }
        (None, None) => return Err(Error::NoSubject),
    };
    route::route(db, &subject, None, question.at.unwrap_or(db.now()))?.ok_or(Error::NoOffices)
}

fn view(db: &Db<'_>, scope: &Scope, place: Place, with_steps: bool) -> Result<FaultDuty, Error> {
    let fault = faults::get(db, scope, &Reference::Id(place.fault))?;
    let mut steps = if with_steps { events::of_fault(db, scope, fault.id)? } else { Vec::new() };
    let moves = [Kind::FaultRouted, Kind::FaultEscalated, Kind::FaultDeescalated].map(Kind::as_str);
    steps.retain(|event| moves.contains(&event.kind.as_str()));
    Ok(FaultDuty {
        fault,
        office: place.office,
        proposed: place.proposed,
        level: place.level,
        since: place.since,
        why: Printable::new(place.why),
        steps,
    })
}

/// Where a fault is, and how it came there. The caller sees what is internal.
pub fn of_fault(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<FaultDuty, Error> {
    let fault = faults::get(db, scope, reference)?;
    let place = sql::place_of(db, fault.id)?.ok_or(Error::WithNoOffice(fault.number))?;
    view(db, scope, place, true)
}

/// Which open faults are asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub office: Option<OfficeName>,
    pub owner: Option<PersonName>,
    pub after: Option<FaultId>,
    pub limit: u32,
}

/// Open faults with their offices, newest first; and those with none, when a person's are asked for.
pub fn list(db: &Db<'_>, scope: &Scope, filter: &Filter) -> Result<Vec<lineman_common::api::DutyFault>, Error> {
    if !scope.sees_internal() {
        return Ok(Vec::new());
    }
    let ids = sql::open_places(db, filter.office.as_ref(), filter.owner.as_ref(), filter.after, filter.limit)?;
    let row = |id: FaultId| -> Result<_, Error> {
        let place = sql::place_of(db, id)?;
        Ok(lineman_common::api::DutyFault {
            fault: faults::get(db, scope, &Reference::Id(id))?,
            office: place.as_ref().map(|place| place.office.clone()),
            proposed: place.and_then(|place| place.proposed),
        })
    };
    ids.into_iter().map(row).collect()
}

/// Which live sessions are asked for.
#[derive(Clone, Debug, Default)]
pub struct InsideFilter {
    pub device: Option<EquipmentId>,
    pub engineer: Option<PersonName>,
    pub after: Option<SessionId>,
    pub limit: u32,
}

/// Who is inside what, now, as far as the centre knows.
pub fn inside(db: &Db<'_>, scope: &Scope, filter: &InsideFilter) -> Result<Vec<Inside>, StoreError> {
    sql::inside(db, scope, filter)
}

pub fn handovers(
    db: &Db<'_>,
    scope: &Scope,
    office: &OfficeName,
    waiting: bool,
    after: Option<HandoverId>,
    limit: u32,
) -> Result<Vec<Handover>, Error> {
    offices::get(db, scope, office)?;
    Ok(sql::handovers(db, office, waiting, after, limit)?)
}

/// The office that a fault is with, for rooms above.
pub fn office_of(db: &Db<'_>, fault: FaultId) -> Result<Option<OfficeName>, StoreError> {
    Ok(sql::place_of(db, fault)?.map(|place| place.office))
}

/// Up, by hand.
pub fn escalate(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, ask: &lineman_common::api::Escalate) -> Result<FaultDuty, Error> {
    let place = escalate::by_hand(tx, actor, reference, ask)?;
    view(tx, &actor.scope(), place, true)
}

/// Down again.
pub fn deescalate(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, ask: &lineman_common::api::Escalate) -> Result<FaultDuty, Error> {
    let place = escalate::back(tx, actor, reference, ask)?;
    view(tx, &actor.scope(), place, true)
}

//! Cases drafted from faults: what was learned, without what belongs to the customer.
//!
//! [`body`] makes a case's texts from the fault, its alarms, its activities and the commands of its recorded sessions ([`commands`]). Every
//! text is masked ([`mask`]) before anything is stored in the case. What the fault says lies beside the draft until its review is over, so
//! that a reviewer sees both ([`review`]).

mod body;
mod commands;
pub mod http;
pub mod mask;
pub mod review;
mod sql;
#[cfg(test)]
mod tests;

use lineman_common::api::{Activity, Alarm, Case, CaseField, CaseState, Closed, Equipment, Fault, Language, MaskRule, ReviewWhy};
use lineman_common::id::CaseId;
use serde_json::json;

use super::life::states;
use super::{self as cases, MOST_EQUIPMENT};
use crate::alarms;
use crate::customers;
use crate::equipment::{self, Reference as EquipmentReference};
use crate::events::{self, Kind, New};
use crate::faults::{self, Reference as FaultReference, activities};
use crate::people;
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

/// Lines of transcripts that are looked at for commands.
const MOST_LINES: u32 = 20_000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no masking to review: the case was not drafted from a fault, or its review is over")]
    NoReview,
    #[error("the {language} {field} has no span {span}")]
    NoSpan { language: Language, field: CaseField, span: u32 },
    #[error("name 1 to {0} spans or texts")]
    HowManyChanges(usize),
    #[error("the draft says this nowhere: nothing was taken out")]
    NothingToTakeOut,
    #[error("the {language} {field} was edited since it was drafted: change the text itself")]
    Edited { language: Language, field: CaseField },
    #[error(transparent)]
    Cases(#[from] cases::Error),
    #[error(transparent)]
    Faults(#[from] faults::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoReview => Self::not_found("review of a draft").hint(error.to_string()),
            Error::NoSpan { .. } | Error::HowManyChanges(_) | Error::NothingToTakeOut => Self::invalid(error.to_string()),
            Error::Edited { .. } => Self::conflict(error.to_string()),
            Error::Cases(error) => error.into(),
            Error::Faults(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// Drafts a case from a fault; it waits for review, and who drafts is its author.
pub fn draft_from(tx: &mut Tx<'_>, actor: &Actor, reference: &FaultReference) -> Result<Case, cases::Error> {
    let fault = faults::get(tx, &actor.scope(), reference)?;
    if let Some(number) = cases::sql::by_source(tx, fault.id)? {
        return Err(cases::Error::Drafted(number));
    }
    if fault.cause.is_none() && fault.resolution.is_none() {
        return Err(cases::Error::NothingLearned);
    }
    let device = match &fault.equipment {
        Some(name) => Some(equipment::get(tx, &Scope::All, &EquipmentReference::Name(name.clone()))?),
        None => None,
    };
    let alarms = alarms::of_fault(tx, fault.id)?;
    let activities = activities::of_fault(tx, &Scope::All, &fault)?;
    let commands = commands::of(&sql::transcript(tx, fault.id, MOST_LINES)?);
    let known = names_of(tx, &fault, &alarms, device.as_ref(), &activities)?;
    let (body, raws) = body::body(&body::Source {
        fault: &fault,
        alarms: &alarms,
        equipment: device.as_ref(),
        activities: &activities,
        commands: &commands,
        known: &known,
    });
    let case = states::insert(
        tx,
        &cases::sql::NewCase {
            id: CaseId::new(),
            state: CaseState::NotValidated,
            body: &body,
            source_fault: Some(fault.id),
            author: &actor.name,
            review: Some(ReviewWhy::Drafted),
        },
    )?;
    for raw in raws {
        sql::put(tx, case.number, &review::Passage::of(raw, fault.id))?;
    }
    let text = format!("case {} drafted from {}", case.number, fault.number);
    let event = New::of(Kind::CaseCreated, actor, text).data(json!({"case": case.number, "version": case.version}));
    faults::tell(tx, fault.id, event.internal(true))?;
    Ok(case)
}

/// Closes a fault, and drafts a case from it if that is wanted; one that was drafted before is named again.
pub fn close_fault(tx: &mut Tx<'_>, actor: &Actor, reference: &FaultReference, publish_case: bool) -> Result<Closed, cases::Error> {
    let fault = faults::close(tx, actor, reference)?;
    let case = match publish_case.then(|| draft_from(tx, actor, reference)) {
        None => None,
        Some(Ok(case)) => Some(case.number),
        Some(Err(cases::Error::Drafted(number))) => Some(number),
        Some(Err(error)) => return Err(error),
    };
    Ok(Closed { fault, case })
}

/// The masked beginning of a text, for what is kept of questions. Masking shortens, so some more is read than is kept; the rest of a text
/// that somebody sends costs nothing.
pub fn masked_beginning(text: &str, known: &mask::Known, kept: usize) -> String {
    let read = text.char_indices().nth(4 * kept).map_or(text, |(end, _)| {
        let cut = text.get(..end).unwrap_or(text);
        // A secret that was cut in two may not look like one.
        cut.rsplit_once(char::is_whitespace).map_or(cut, |(whole, _)| whole)
    });
    mask::mask(read, known).chars().take(kept).collect()
}

/// What must not be said of a customer: its names, sites, equipment and people. Of all of them under the scope.
pub fn names_in(db: &Db<'_>, scope: &Scope) -> Result<mask::Known, StoreError> {
    let mut known = mask::Known::default();
    for customer in customers::list(db, scope)? {
        known.code(customer.code.as_str(), MaskRule::Customer);
        known.name(customer.name.raw(), MaskRule::Customer);
    }
    for site in customers::sites(db, scope)? {
        known.name(site.name.raw(), MaskRule::Site);
    }
    for device in equipment::list(db, scope, None, None, MOST_EQUIPMENT)? {
        of_equipment(&mut known, &device);
    }
    for person in people::list(db, scope)? {
        known.name(person.name.as_str(), MaskRule::Person);
        person.mail.iter().for_each(|mail| known.name(mail, MaskRule::Mail));
    }
    Ok(known)
}

fn of_equipment(known: &mut mask::Known, device: &Equipment) {
    known.name(device.serial.raw(), MaskRule::Serial);
    // A handle without a digit may be a word that the text needs.
    if device.name.handle.as_str().bytes().any(|b| b.is_ascii_digit()) {
        known.name(device.name.handle.as_str(), MaskRule::Equipment);
    }
}

/// What a draft must not say: its customer's names, and those of everybody who had to do with the fault.
fn names_of(
    db: &Db<'_>,
    fault: &Fault,
    alarms: &[Alarm],
    device: Option<&Equipment>,
    activities: &[Activity],
) -> Result<mask::Known, cases::Error> {
    let mut known = names_in(db, &Scope::Customer(faults::customer_of(db, fault.id)?))?;
    let acted = events::stored_of_fault(db, fault.id)?.into_iter().map(|event| event.actor);
    let did = activities.iter().map(|activity| activity.by.clone());
    let people = [Some(fault.reported_by.clone()), fault.owner.as_ref().map(ToString::to_string)];
    for person in people.into_iter().flatten().chain(acted).chain(did).filter(|name| !name.starts_with("agent:") && name != "system") {
        known.name(&person, MaskRule::Person);
    }
    for with in activities.iter().filter_map(|activity| activity.with.as_ref()) {
        known.name(with.raw(), MaskRule::Person);
    }
    if let Some(reference) = &fault.customer_reference {
        known.name(reference.raw(), MaskRule::Fault);
    }
    // The words of the field stay, whatever they look like.
    if let Some(device) = device {
        // The list of names ends somewhere; the fault's own equipment is always in it.
        of_equipment(&mut known, device);
        let words = [&device.product, &device.model, &device.software];
        words.into_iter().flat_map(|text| text.raw().split_whitespace()).for_each(|word| known.keep(word));
    }
    for alarm in alarms {
        known.keep(alarm.alarm_type.raw());
    }
    Ok(known)
}

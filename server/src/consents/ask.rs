//! Asking: the challenge, and the engineer's signed request.

use lineman_common::Printable;
use lineman_common::api::{ChallengeReply, ConsentState, ConsentView, NewChallenge};
use lineman_common::id::ConsentId;
use lineman_common::link::{Answer, DevicePolicy, Order};
use lineman_common::name::NeName;
use lineman_common::session::Grade;
use lineman_common::statement::{Request, Roster, Signed};
use serde_json::json;

use super::{Error, get, note_decision, sql, standing, tell};
use crate::agents::{self, AskError, Links};
use crate::customers;
use crate::equipment::{self, Known, Reference as EquipmentReference};
use crate::events::{Kind, New};
use crate::faults::{self, Reference as FaultReference};
use crate::store::{Db, Store, Tx};
use crate::trust::{self, VendorRoot};
use crate::web::{Actor, Scope};

/// Of what a device says of its policy, names beyond this are not kept.
const MOST_ACCOUNTS: usize = 64;
const LONGEST_ACCOUNT: usize = 64;

/// First step of a request: the device issues a challenge for it, and says what it takes.
pub async fn challenge(
    store: &Store,
    links: &Links,
    vendor_root: &VendorRoot,
    actor: Actor,
    new: NewChallenge,
) -> Result<ChallengeReply, Error> {
    let vendor_root = vendor_root.clone();
    let (asker, wanted) = (actor.clone(), new.clone());
    let (device, device_statement) = store.read(move |db| may_ask(db, &asker, &wanted, &vendor_root)).await?;
    let id = ConsentId::new();
    let Answer::Challenge { challenge, lapses_at, policy } = links.ask(device.id, Order::Challenge { consent: id }).await? else {
        return Err(Error::NoChallenge);
    };
    let policy = tidy(policy);
    let reply = ChallengeReply { id, fault: new.fault, device: device.name.clone(), challenge, lapses_at, policy, device_statement };
    let noted = reply.clone();
    store.write(move |tx| note_challenge(tx, &actor, &device, &noted)).await?;
    Ok(reply)
}

/// The device that is to be asked, with the statement that proves its key.
fn may_ask(db: &Db<'_>, actor: &Actor, new: &NewChallenge, vendor_root: &VendorRoot) -> Result<(Known, Signed), Error> {
    let scope = actor.scope();
    let fault = faults::get(db, &scope, &FaultReference::Number(new.fault.clone()))?;
    let name = new.equipment.clone().or_else(|| fault.equipment.clone()).ok_or(Error::NoEquipment)?;
    let device = equipment::find(db, &scope, &EquipmentReference::Name(name))?;
    if trust::roster(db, vendor_root)?.level(actor.name.as_str()).is_none() {
        return Err(Error::NotInRoster(actor.name.to_string()));
    }
    let (signed, _) = trust::device_statement(db, device.id)?;
    if fault.status.is_over() {
        return Err(Error::FaultOver);
    }
    if fault.customer != device.name.customer {
        return Err(Error::OtherCustomer);
    }
    customers::check_running(db, device.customer)?;
    Ok((device, signed))
}

/// A device says what it likes; what is kept of it is bounded.
fn tidy(policy: DevicePolicy) -> DevicePolicy {
    let accounts = policy.accounts.into_iter().filter(|name| name.chars().count() <= LONGEST_ACCOUNT).take(MOST_ACCOUNTS).collect();
    let mut grades = policy.grades;
    grades.sort_unstable();
    grades.dedup();
    DevicePolicy { grades, approvals: policy.approvals.max(1), accounts, ..policy }
}

/// The fault and the stop are asked again: they may have changed while the device answered.
pub(super) fn note_challenge(tx: &mut Tx<'_>, actor: &Actor, device: &Known, reply: &ChallengeReply) -> Result<(), Error> {
    let fault = faults::get(tx, &Scope::All, &FaultReference::Number(reply.fault.clone()))?;
    if fault.status.is_over() {
        return Err(Error::FaultOver);
    }
    customers::check_running(tx, device.customer)?;
    Ok(sql::insert(tx, device, fault.id, actor.name.as_str(), reply)?)
}

/// The signed request arrives. The device looks at it first, when it is there: what it would refuse, nobody is asked for.
pub async fn request(store: &Store, links: &Links, vendor_root: &VendorRoot, actor: Actor, signed: Signed) -> Result<ConsentView, Error> {
    let (root, asker, text) = (vendor_root.clone(), actor.clone(), signed.clone());
    let device = store.read(move |db| Ok::<_, Error>(check(db, &asker, &text, &root)?.device)).await?;
    match links.ask(device.id, Order::Request { request: signed.clone() }).await {
        // A device that can't be asked now decides when the consent arrives.
        Ok(_) | Err(AskError::Offline | AskError::Silent) => {}
        Err(AskError::Refused(reason)) => {
            let why = format!("{} refuses the request: {}", device.name, Printable::new(reason));
            return Err(AskError::Refused(why).into());
        }
    }
    let vendor_root = vendor_root.clone();
    store.write(move |tx| file(tx, &actor, &signed, &vendor_root)).await
}

/// A request that may be filed.
struct Checked {
    request: Request,
    device: Known,
    /// For grade `role`: what answers it.
    covering: Option<standing::Covering>,
}

fn check(db: &Db<'_>, actor: &Actor, signed: &Signed, vendor_root: &VendorRoot) -> Result<Checked, Error> {
    let roster = trust::roster(db, vendor_root)?;
    let request = Request::verify(signed, &roster, db.now())?;
    let known = get(db, &actor.scope(), request.id)?;
    if known.state != ConsentState::Challenged {
        return Err(Error::WrongState(known.state, "requested"));
    }
    if db.now() >= known.lapses_at {
        return Err(Error::Lapsed(known.lapses_at));
    }
    let device = equipment::find(db, &Scope::All, &EquipmentReference::Id(sql::device_of(db, known.id)?))?;
    customers::check_running(db, device.customer)?;
    let (_, statement) = trust::device_statement(db, device.id)?;
    for (same, what) in [
        (request.engineer == known.engineer && request.engineer == actor.name, "engineer"),
        (request.device == known.device, "device"),
        (request.fault == known.fault, "fault"),
        (request.host_key == statement.host_key_fingerprint(), "host key"),
    ] {
        if !same {
            return Err(Error::NotAsChallenged(what));
        }
    }
    if let Some(policy) = sql::policy(db, known.id)? {
        check_policy(&device.name, &policy, &request)?;
    }
    let covering = match request.grade {
        Grade::EndToEnd | Grade::Gateway => None,
        Grade::Role => Some(covered(db, &device, &request, &roster, known.approvals_needed)?),
    };
    Ok(Checked { request, device, covering })
}

/// What the device said that it takes. It would refuse more; here the engineer reads what would be right.
fn check_policy(device: &NeName, policy: &DevicePolicy, request: &Request) -> Result<(), Error> {
    let beyond = |why: String| Err(Error::BeyondPolicy(why));
    if !policy.grades.contains(&request.grade) {
        let taken = listed(policy.grades.iter().map(ToString::to_string));
        return beyond(if policy.grades.is_empty() {
            format!("{device} takes no sessions at all: its owner's local policy names no grade")
        } else {
            format!("{device} does not take grade {}: its owner's local policy takes {taken}; ask for that", request.grade)
        });
    }
    if !policy.accounts.contains(&request.account) {
        let known = listed(policy.accounts.iter().map(|name| lineman_common::printable::escape(name)));
        let asked = lineman_common::printable::escape(&request.account);
        return beyond(format!("{device} has no account profile `{asked}`: ask for {known}"));
    }
    if !(1..=policy.max_duration_s).contains(&request.duration_s) {
        let (asked, most) = (request.duration_s, policy.max_duration_s);
        return beyond(format!("{device} lets nobody in for {asked} s: ask for 1 to {most} s"));
    }
    Ok(())
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" or ") }
}

fn covered(db: &Db<'_>, device: &Known, request: &Request, roster: &Roster, needed: u8) -> Result<standing::Covering, Error> {
    standing::covering(db, device.customer, request, roster, needed)?.map_err(|why| {
        let code = &device.name.customer;
        Error::NotCovered(format!(
            "no standing statement of {code} covers this request ({why}): ask for grade {}, or the carrier grants it with `lineman standing grant`",
            Grade::EndToEnd
        ))
    })
}

/// Files a request. One of grade `role` is answered here and now; for the others the customer is asked.
pub(super) fn file(tx: &mut Tx<'_>, actor: &Actor, signed: &Signed, vendor_root: &VendorRoot) -> Result<ConsentView, Error> {
    let Checked { request, device, covering } = check(tx, actor, signed, vendor_root)?;
    sql::set_requested(tx, &request, signed)?;
    let id = request.id;
    let Request { engineer, doors, duration_s, grade, reason, .. } = &request;
    let of_grade = if *grade == Grade::EndToEnd { String::new() } else { format!(" (grade {grade})") };
    let text = format!("{engineer} asks for {doors} on {} for {duration_s} s{of_grade}: {reason}", request.device);
    let terms =
        json!({"engineer": engineer, "device": request.device, "doors": doors, "duration_s": duration_s, "grade": grade, "reason": reason});
    tell(tx, id, New::of(Kind::ConsentRequested, actor, text).data(terms))?;
    if let Some(covering) = covering {
        answer(tx, &device, &request, signed, covering)?;
    }
    get(tx, &Scope::All, id)
}

/// The carrier has answered before it was asked.
fn answer(tx: &mut Tx<'_>, device: &Known, request: &Request, signed: &Signed, covering: standing::Covering) -> Result<(), Error> {
    for part in &covering.parts {
        sql::insert_approval(tx, request.id, &part.standing.approver, &part.key, &part.signed)?;
    }
    let approvers: Vec<_> = covering.parts.iter().map(|part| part.standing.approver.to_string()).collect();
    let first = covering.parts.first().ok_or(Error::NoStanding)?;
    sql::set_approved(tx, request.id, &first.standing.approver, &request.doors, request.duration_s, Some(covering.id))?;
    note_decision(tx, request.id)?;
    let consents = covering.parts.iter().map(|part| part.signed.clone()).collect();
    agents::order(tx, device.id, &Order::Consent { request: signed.clone(), consents })?;
    let text =
        format!("allowed by the standing statement {} of {}, until {}", covering.id, approvers.join(", "), first.standing.valid_before);
    let data = json!({"standing": covering.id, "approvers": approvers, "doors": request.doors, "duration_s": request.duration_s});
    tell(tx, request.id, New::of(Kind::ConsentApproved, "system", text).data(data))
}

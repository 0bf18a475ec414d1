//! Deciding: the carrier's signatures arrive, or its refusal.
//!
//! A device may want several people of the carrier to sign. Until enough have, the consent stays `requested`; each of them may narrow,
//! and what all allow counts. Only when all are there the device is told, with all of them: it counts again.

use lineman_common::Printable;
use lineman_common::api::{ConsentState, ConsentView};
use lineman_common::id::ConsentId;
use lineman_common::link::Order;
use lineman_common::session::{Doors, EndReason};
use lineman_common::statement::{Consent, KeyClass, Signed, sig};
use serde_json::json;

use super::{Error, checked_reason, end, get, note_decision, sql, tell};
use crate::agents;
use crate::customers;
use crate::events::{Kind, New};
use crate::store::{Db, Tx};
use crate::web::{Actor, Scope};

/// The carrier's signed consent arrives; when enough have signed, the device is told, and decides.
pub fn approve(tx: &mut Tx<'_>, actor: &Actor, id: ConsentId, signed: &Signed) -> Result<ConsentView, Error> {
    let known = open_request(tx, actor, id, "approved")?;
    customers::check_running(tx, sql::customer_of(tx, id)?)?;
    let request = known.request.ok_or(Error::NotFound)?;
    let consent = Consent::read_unverified(signed)?;
    let (signatory, class) = Consent::signatory(signed)?;
    let key = sig::fingerprint(&signatory.key).to_string();
    consent.check_fits(&sql::requested(tx, id)?, &request.text)?;
    // The device would refuse it, and the request would be used up.
    if class == KeyClass::Page && !known.browser_keys {
        return Err(Error::PageKey(known.device));
    }
    let others = sql::approvals(tx, id)?;
    if others.iter().any(|other| other.approver == consent.approver) {
        return Err(Error::SamePerson(consent.approver));
    }
    if others.iter().any(|other| other.key.as_deref() == Some(key.as_str())) {
        return Err(Error::SameKey(key));
    }
    // What is left after the others' approvals; the request's own terms when there is none.
    let (doors, duration_s) = (known.doors.ok_or(Error::NotFound)?, known.duration_s.ok_or(Error::NotFound)?);
    let common = both(&consent, &doors)?;
    let duration_s = consent.duration_s.min(duration_s);
    sql::insert_approval(tx, id, &consent.approver, &key, signed)?;
    let count = others.len() + 1;
    let enough = count >= usize::from(known.approvals_needed);
    let said = said(&consent, class, count, known.approvals_needed);
    let terms = json!({"key": class, "approver": consent.approver, "doors": common, "duration_s": duration_s, "approvals": count, "needed": known.approvals_needed});
    if enough {
        sql::set_approved(tx, id, &consent.approver, &common, duration_s, None)?;
        note_decision(tx, id)?;
        let consents = others.into_iter().map(|other| other.signed).chain([signed.clone()]).collect();
        agents::order(tx, sql::device_of(tx, id)?, &Order::Consent { request, consents })?;
        let together = if count > 1 { format!("; together: {common} for {duration_s} s") } else { String::new() };
        tell(tx, id, New::of(Kind::ConsentApproved, actor, said + &together).data(terms))?;
    } else {
        sql::narrow(tx, id, &common, duration_s)?;
        tell(tx, id, New::of(Kind::ConsentPartlyApproved, actor, said).data(terms))?;
    }
    get(tx, &Scope::All, id)
}

fn both(consent: &Consent, others: &Doors) -> Result<Doors, Error> {
    let nothing = || Error::NothingInCommon { this: consent.doors.clone(), others: others.clone() };
    consent.doors.both(others).ok_or_else(nothing)
}

/// Who approved what, where, and of how many.
fn said(consent: &Consent, class: KeyClass, count: usize, needed: u8) -> String {
    let of = if needed > 1 { format!(" ({count} of {needed})") } else { String::new() };
    let remark = class.remark().map(|remark| format!("; {remark}")).unwrap_or_default();
    format!("{} approved {} for {} s{of}{remark}", consent.approver, consent.doors, consent.duration_s)
}

pub fn refuse(tx: &mut Tx<'_>, actor: &Actor, id: ConsentId, reason: &Printable) -> Result<ConsentView, Error> {
    checked_reason(reason)?;
    open_request(tx, actor, id, "refused")?;
    sql::set_refused(tx, id, actor.name.as_str(), reason.raw())?;
    // The device forgets what waited there: nobody approves it on the spot by mistake.
    agents::order(tx, sql::device_of(tx, id)?, &Order::EndConsent { consent: id, reason: EndReason::Revoked })?;
    tell(tx, id, New::of(Kind::ConsentRefused, actor, format!("refused: {reason}")).data(json!({"reason": reason})))?;
    get(tx, &Scope::All, id)
}

fn open_request(db: &Db<'_>, actor: &Actor, id: ConsentId, what: &'static str) -> Result<ConsentView, Error> {
    let known = get(db, &actor.scope(), id)?;
    if known.state != ConsentState::Requested {
        return Err(Error::WrongState(known.state, what));
    }
    if db.now() >= known.lapses_at {
        return Err(Error::Lapsed(known.lapses_at));
    }
    Ok(known)
}

/// Takes a consent back, also in the middle of a session.
pub fn revoke(tx: &mut Tx<'_>, actor: &Actor, id: ConsentId, reason: &Printable) -> Result<ConsentView, Error> {
    checked_reason(reason)?;
    let known = get(tx, &actor.scope(), id)?;
    // Whoever asked may take the question back; nobody is inside yet.
    let own_request = known.state == ConsentState::Requested && known.engineer == actor.name;
    if !own_request && !matches!(known.state, ConsentState::Approved | ConsentState::Live) {
        return Err(Error::WrongState(known.state, "revoked"));
    }
    end(tx, id, EndReason::Revoked)?;
    sql::set_reason(tx, id, reason.raw())?;
    let word = if own_request { "withdrawn" } else { "revoked" };
    tell(tx, id, New::of(Kind::ConsentRevoked, actor, format!("{word}: {reason}")).data(json!({"reason": reason, "own": own_request})))?;
    get(tx, &Scope::All, id)
}

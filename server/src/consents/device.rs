//! What the device says of a consent: it alone decides.

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{ConsentState, ConsentView};
use lineman_common::id::ConsentId;
use lineman_common::link::{Answer, LocalConsent, Order, Outcome};
use lineman_common::session::{Doors, EndReason};
use lineman_common::statement::{LocalAct, LocalStatement, Request, Signed};
use serde_json::json;

use super::{Error, end, ended, get, note_decision, sql, tell};
use crate::agents;
use crate::customers;
use crate::equipment::Known;
use crate::events::{self, Kind, New};
use crate::faults;
use crate::store::{Db, Tx};
use crate::web::Scope;

/// A signature is a few hundred bytes.
const LONGEST_SIGNATURE: usize = 16 * 1024;

fn actor(device: &Known) -> String {
    format!("agent:{}", device.name)
}

/// The device has checked a consent that was sent to it.
pub fn device_answered(tx: &mut Tx<'_>, device: &Known, request: &Signed, outcome: &Outcome) -> Result<(), Error> {
    let id = Request::read_unverified(request)?.id;
    let known = get(tx, &Scope::All, id)?;
    if known.state != ConsentState::Approved || sql::device_of(tx, id)? != device.id {
        return Ok(());
    }
    let event = match outcome {
        Outcome::Done { answer: Answer::ConsentLive { until } } => {
            sql::set_live(tx, id, *until)?;
            New::of(Kind::ConsentLive, actor(device), format!("verified on the device; live until {until}")).data(json!({"until": until}))
        }
        Outcome::Done { .. } => return Ok(()),
        Outcome::Refused { reason } => {
            sql::set_refused_by_device(tx, id, reason)?;
            let text = format!("the device refuses the consent: {}", Printable::from(reason.as_str()));
            New::of(Kind::ConsentRefusedByDevice, actor(device), text).data(json!({"reason": reason}))
        }
    };
    tell(tx, id, event)
}

/// The device ended a consent: its time was up, or somebody there ended it.
pub fn device_ended(tx: &mut Tx<'_>, device: &Known, at: Timestamp, id: ConsentId, reason: EndReason) -> Result<(), Error> {
    let Some(known) = of_device(tx, device, id)? else { return Ok(()) };
    if !matches!(known.state, ConsentState::Approved | ConsentState::Live) {
        return Ok(());
    }
    sql::set_ended(tx, id, reason)?;
    tell(tx, id, ended(actor(device), format!("consent ended: {reason}"), reason).at(at))
}

/// A consent of this device; what a device says of another's counts for nothing.
fn of_device(db: &Db<'_>, device: &Known, id: ConsentId) -> Result<Option<ConsentView>, Error> {
    let Some(known) = sql::get(db, &Scope::All, id)? else { return Ok(None) };
    Ok((sql::device_of(db, id)? == device.id).then_some(known))
}

/// The device's administrator did something there: it is told in the device's own signed words. When the act made a consent live, it is
/// live here, too, whatever had become of it at the centre: that is what the device obeys.
pub fn local(tx: &mut Tx<'_>, device: &Known, signed: &Signed, live: Option<&LocalConsent>) -> Result<(), Error> {
    let said = LocalStatement::read_unverified(signed).ok().filter(|said| said.device == device.name);
    let Some(said) = said.filter(|_| signed.signature.len() <= LONGEST_SIGNATURE) else {
        tracing::warn!(agent.id = %device.name, "a local statement that is none of this device is not kept");
        return Ok(());
    };
    let by = Printable::from(said.by.as_str());
    let text = format!(
        "on {} itself, {by} did: {} {} ({})",
        device.name,
        said.act,
        Printable::from(said.subject.as_str()),
        Printable::from(said.detail.as_str())
    );
    let data = json!({"act": said.act, "subject": said.subject, "by": said.by, "detail": said.detail, "statement": signed});
    let event = New::of(Kind::LocalAct, actor(device), text).at(said.at).customer(device.customer).equipment(device.id).data(data);
    events::append(tx, event)?;
    match live.filter(|live| said.act == LocalAct::ApproveConsent && said.subject == live.consent.to_string()) {
        Some(live) => approved_there(tx, device, &by, signed, live),
        None => Ok(()),
    }
}

fn approved_there(tx: &mut Tx<'_>, device: &Known, by: &Printable, signed: &Signed, live: &LocalConsent) -> Result<(), Error> {
    let id = live.consent;
    let Some(known) = of_device(tx, device, id)? else { return Ok(()) };
    sql::set_local(tx, id, signed)?;
    if let Some((doors, duration_s)) = narrowed(signed) {
        sql::set_terms(tx, id, &doors, duration_s)?;
    }
    match known.state {
        // It ended while the report was on its way: the device is told, in case it has not heard.
        ConsentState::Ended => {
            let reason = known.end_reason.unwrap_or(EndReason::Revoked);
            return Ok(agents::order(tx, device.id, &Order::EndConsent { consent: id, reason })?);
        }
        ConsentState::Live => {}
        ConsentState::Approved => sql::set_live(tx, id, live.until)?,
        ConsentState::Challenged
        | ConsentState::Requested
        | ConsentState::Refused
        | ConsentState::RefusedByDevice
        | ConsentState::Lapsed => {
            let text = format!("approved on the device itself by {by}, without a signer of the carrier");
            tell(tx, id, New::of(Kind::ConsentApproved, actor(device), text).data(json!({"by": by})))?;
            sql::set_live(tx, id, live.until)?;
            note_decision(tx, id)?;
        }
    }
    let text = format!("live until {}, by the word of {by} on the device", live.until);
    tell(tx, id, New::of(Kind::ConsentLive, actor(device), text).data(json!({"until": live.until, "by": by})))?;
    end_if_late(tx, device, id)
}

/// Doors and time of a local approval, as its statement says them: `request-sha256 HEX; doors D; duration-s N`.
fn narrowed(signed: &Signed) -> Option<(Doors, u32)> {
    let detail = LocalStatement::read_unverified(signed).ok()?.detail;
    let part = |name: &str| detail.split("; ").find_map(|part| part.strip_prefix(name)).map(str::to_owned);
    Some((part("doors ")?.parse().ok()?, part("duration-s ")?.parse().ok()?))
}

/// What had ended before the device could hear of it ends now.
fn end_if_late(tx: &mut Tx<'_>, device: &Known, id: ConsentId) -> Result<(), Error> {
    let fault = sql::fault_of(tx, id)?.ok_or(Error::NotFound)?;
    let over = faults::get(tx, &Scope::All, &faults::Reference::Id(fault))?.status.is_over();
    let reason = match (over, customers::halted(tx, device.customer)?) {
        (true, _) => EndReason::FaultClosed,
        (false, Some(_)) => EndReason::Stopped,
        (false, None) => return Ok(()),
    };
    end(tx, id, reason)?;
    tell(tx, id, ended("system", format!("consent ended: {reason}"), reason))
}

//! Consents: from the engineer's request to the end.
//!
//! The centre carries statements; it can't make them. It checks what it can (the request under the roster, the fit between request and
//! consent) so that mistakes show early, but the device alone decides: a consent is `live` when the device says so.
//!
//! What must reach the device (the consent, its end) goes through the agent's outbox in the same transaction, so a revocation that
//! was answered is never forgotten.

pub mod http;
mod sql;

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{ChallengeReply, ConsentState, ConsentView, NewChallenge};
use lineman_common::id::{ConsentId, FaultId};
use lineman_common::link::{Answer, Order, Outcome};
use lineman_common::session::EndReason;
use lineman_common::statement::{Consent, Refused, Request, Signed};
use serde_json::json;

use crate::agents::{self, AskError, Links};
use crate::equipment::{self, Known, Reference as EquipmentReference};
use crate::events::{self, Appended, Kind, ListenerError, New};
use crate::faults::{self, Reference as FaultReference};
use crate::store::{Db, Store, StoreError, Tx};
use crate::trust::{self, VendorRoot};
use crate::web::{Actor, ApiError, Scope};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such consent")]
    NotFound,
    #[error("the consent is {0}: it can't be {1} any more")]
    WrongState(ConsentState, &'static str),
    #[error("the request lapsed at {0}: ask anew")]
    Lapsed(Timestamp),
    #[error("the fault names no equipment: say which with --equipment")]
    NoEquipment,
    #[error("the fault is over")]
    FaultOver,
    #[error("the equipment belongs to another customer than the fault")]
    OtherCustomer,
    #[error("{0} is not in the roster of engineers: the vendor root has to sign a roster that lists their key")]
    NotInRoster(String),
    #[error("the request's {0} is not what the challenge was issued for")]
    NotAsChallenged(&'static str),
    #[error("a reason is needed, of 1 to 2000 characters")]
    NoReason,
    #[error("the device answered with something else than a challenge")]
    NoChallenge,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Trust(#[from] trust::Error),
    #[error(transparent)]
    Faults(#[from] faults::Error),
    #[error(transparent)]
    Equipment(#[from] equipment::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        use lineman_common::error::ErrorCode;
        match error {
            Error::NotFound => Self::not_found("consent"),
            Error::WrongState(..) | Error::Lapsed(_) | Error::FaultOver => Self::conflict(error.to_string()),
            Error::NoEquipment | Error::OtherCustomer | Error::NoReason => Self::invalid(error.to_string()),
            Error::NotInRoster(_) => Self::forbidden(error.to_string()),
            Error::NotAsChallenged(_) | Error::Refused(_) => Self::new(ErrorCode::StatementRefused, error.to_string()),
            Error::NoChallenge => Self::new(ErrorCode::AgentRefused, error.to_string()),
            Error::Ask(error) => error.into(),
            Error::Trust(error) => error.into(),
            Error::Faults(error) => error.into(),
            Error::Equipment(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

impl From<events::Error> for Error {
    fn from(error: events::Error) -> Self {
        Self::Faults(error.into())
    }
}

fn checked_reason(reason: &Printable) -> Result<(), Error> {
    if (1..=2000).contains(&reason.raw().trim().chars().count()) { Ok(()) } else { Err(Error::NoReason) }
}

// ---- Asking ---------------------------------------------------------------------------------------------------------

/// First step of a request: the device issues a challenge for it.
pub async fn challenge(
    store: &Store,
    links: &Links,
    vendor_root: &VendorRoot,
    actor: Actor,
    new: NewChallenge,
) -> Result<ChallengeReply, Error> {
    let scope = actor.scope();
    let vendor_root = vendor_root.clone();
    let (fault, device, device_statement) = store
        .read(move |db| -> Result<_, Error> {
            let fault = faults::get(db, &scope, &FaultReference::Number(new.fault))?;
            let name = new.equipment.or_else(|| fault.equipment.clone()).ok_or(Error::NoEquipment)?;
            let device = equipment::find(db, &scope, &EquipmentReference::Name(name))?;
            let roster = trust::roster(db, &vendor_root)?;
            if roster.level(actor.name.as_str()).is_none() {
                return Err(Error::NotInRoster(actor.name.to_string()));
            }
            let (signed, _) = trust::device_statement(db, device.id)?;
            Ok(((fault, actor), device, signed))
        })
        .await?;
    let (fault, actor) = fault;
    if fault.status.is_over() {
        return Err(Error::FaultOver);
    }
    if fault.customer != device.name.customer {
        return Err(Error::OtherCustomer);
    }
    let id = ConsentId::new();
    let Answer::Challenge { challenge, lapses_at, policy } = links.ask(device.id, Order::Challenge { consent: id }).await? else {
        return Err(Error::NoChallenge);
    };
    let reply = ChallengeReply { id, fault: fault.number, device: device.name.clone(), challenge, lapses_at, policy, device_statement };
    store.write(move |tx| sql::insert(tx, id, &device, fault.id, actor.name.as_str(), lapses_at).map_err(Error::from)).await?;
    Ok(reply)
}

/// The signed request arrives; now the customer is asked.
pub fn request(tx: &mut Tx<'_>, actor: &Actor, signed: &Signed, vendor_root: &VendorRoot) -> Result<ConsentView, Error> {
    let roster = trust::roster(tx, vendor_root)?;
    let request = Request::verify(signed, &roster, tx.now())?;
    let known = get(tx, &actor.scope(), request.id)?;
    if known.state != ConsentState::Challenged {
        return Err(Error::WrongState(known.state, "requested"));
    }
    if tx.now() >= known.lapses_at {
        return Err(Error::Lapsed(known.lapses_at));
    }
    let (_, statement) = trust::device_statement(tx, sql::device_of(tx, known.id)?)?;
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
    sql::set_requested(tx, &request, signed)?;
    let text =
        format!("{} asks for {} on {} for {} s: {}", request.engineer, request.doors, request.device, request.duration_s, request.reason);
    tell(tx, known.id, New::of(Kind::ConsentRequested, actor, text))?;
    get(tx, &Scope::All, known.id)
}

// ---- Deciding -------------------------------------------------------------------------------------------------------

/// The carrier's signed consent arrives; the device is told, and decides.
pub fn approve(tx: &mut Tx<'_>, actor: &Actor, id: ConsentId, signed: &Signed) -> Result<ConsentView, Error> {
    let known = open_request(tx, actor, id, "approved")?;
    let request = known.request.ok_or(Error::NotFound)?;
    let consent = Consent::read_unverified(signed)?;
    signed.signing_key("consent", lineman_common::statement::Namespace::Consent)?;
    consent.check_fits(&sql::requested(tx, id)?, &request.text)?;
    sql::set_approved(tx, &consent, signed)?;
    agents::order(tx, sql::device_of(tx, id)?, &Order::Consent { request, consents: vec![signed.clone()] })?;
    let text = format!("{} approved {} for {} s", consent.approver, consent.doors, consent.duration_s);
    tell(tx, id, New::of(Kind::ConsentApproved, actor, text))?;
    get(tx, &Scope::All, id)
}

pub fn refuse(tx: &mut Tx<'_>, actor: &Actor, id: ConsentId, reason: &Printable) -> Result<ConsentView, Error> {
    checked_reason(reason)?;
    open_request(tx, actor, id, "refused")?;
    sql::set_refused(tx, id, actor.name.as_str(), reason.raw())?;
    tell(tx, id, New::of(Kind::ConsentRefused, actor, format!("refused: {reason}")))?;
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
    if !matches!(known.state, ConsentState::Approved | ConsentState::Live) {
        return Err(Error::WrongState(known.state, "revoked"));
    }
    end(tx, id, EndReason::Revoked)?;
    tell(tx, id, New::of(Kind::ConsentRevoked, actor, format!("revoked: {reason}")))?;
    get(tx, &Scope::All, id)
}

fn end(tx: &mut Tx<'_>, id: ConsentId, reason: EndReason) -> Result<(), Error> {
    sql::set_ended(tx, id, reason)?;
    agents::order(tx, sql::device_of(tx, id)?, &Order::EndConsent { consent: id, reason })?;
    Ok(())
}

// ---- What the device says -------------------------------------------------------------------------------------------

/// The device has checked a consent that was sent to it.
pub fn device_answered(tx: &mut Tx<'_>, device: &Known, request: &Signed, outcome: &Outcome) -> Result<(), Error> {
    let id = Request::read_unverified(request)?.id;
    let known = get(tx, &Scope::All, id)?;
    if known.state != ConsentState::Approved || sql::device_of(tx, id)? != device.id {
        return Ok(());
    }
    let actor = format!("agent:{}", device.name);
    let event = match outcome {
        Outcome::Done { answer: Answer::ConsentLive { until } } => {
            sql::set_live(tx, id, *until)?;
            New::of(Kind::ConsentLive, actor, format!("verified on the device; live until {until}"))
        }
        Outcome::Done { .. } => return Ok(()),
        Outcome::Refused { reason } => {
            sql::set_refused_by_device(tx, id, reason)?;
            New::of(Kind::ConsentRefusedByDevice, actor, format!("the device refuses the consent: {}", Printable::from(reason.as_str())))
        }
    };
    tell(tx, id, event)
}

/// The device ended a consent: its time was up, or somebody there ended it.
pub fn device_ended(tx: &mut Tx<'_>, device: &Known, at: Timestamp, id: ConsentId, reason: EndReason) -> Result<(), Error> {
    let Ok(known) = get(tx, &Scope::All, id) else { return Ok(()) };
    if sql::device_of(tx, id)? != device.id || !matches!(known.state, ConsentState::Approved | ConsentState::Live) {
        return Ok(());
    }
    sql::set_ended(tx, id, reason)?;
    tell(tx, id, New::of(Kind::ConsentEnded, format!("agent:{}", device.name), format!("consent ended: {reason}")).at(at))
}

// ---- The rest -------------------------------------------------------------------------------------------------------

/// Hears of faults that are over: their consents end.
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    let over = matches!(event.kind, Kind::FaultClosed | Kind::FaultRejected | Kind::FaultCancelled | Kind::FaultDuplicate);
    let Some(fault) = event.fault.filter(|_| over) else { return Ok(()) };
    for (id, state) in sql::open_of_fault(tx, fault)? {
        if matches!(state, ConsentState::Approved | ConsentState::Live) {
            end(tx, id, EndReason::FaultClosed)?;
            tell(tx, id, New::of(Kind::ConsentEnded, "system", "consent ended: its fault is over"))?;
        } else {
            sql::set_lapsed(tx, id)?;
        }
    }
    Ok(())
}

/// Lets requests lapse that nobody answered in time. Run now and then.
pub fn lapse(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let late = sql::lapsed(tx)?;
    for (id, state) in &late {
        sql::set_lapsed(tx, *id)?;
        if *state == ConsentState::Requested {
            tell(tx, *id, New::of(Kind::ConsentLapsed, "system", "nobody answered the request in time"))?;
        }
    }
    Ok(late.len())
}

pub fn get(db: &Db<'_>, scope: &Scope, id: ConsentId) -> Result<ConsentView, Error> {
    sql::get(db, scope, id)?.ok_or(Error::NotFound)
}

pub fn list(db: &Db<'_>, scope: &Scope, fault: Option<FaultId>, state: Option<ConsentState>) -> Result<Vec<ConsentView>, StoreError> {
    sql::list(db, scope, fault, state)
}

/// A consent with all that it takes to check it.
pub fn evidence(db: &Db<'_>, scope: &Scope, id: ConsentId) -> Result<ConsentView, Error> {
    let view = get(db, scope, id)?;
    let (statement, _) = trust::device_statement(db, sql::device_of(db, id)?)?;
    Ok(ConsentView { roster: Some(trust::roster_signed(db)?), device_statement: Some(statement), ..view })
}

/// The fault a consent belongs to.
pub fn fault_of(db: &Db<'_>, id: ConsentId) -> Result<Option<FaultId>, StoreError> {
    sql::fault_of(db, id)
}

fn tell(tx: &mut Tx<'_>, id: ConsentId, event: New) -> Result<(), Error> {
    let fault = sql::fault_of(tx, id)?.ok_or(Error::NotFound)?;
    faults::tell(tx, fault, event.data(json!({"consent": id})))?;
    Ok(())
}

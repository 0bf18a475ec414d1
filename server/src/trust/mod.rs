//! Trust: the centre's own authority for the agent link, enrolment, and the lists it publishes but can't forge.
//!
//! The centre's CA proves the centre to devices and devices to the centre on the *link*, and nothing else: it opens no door. Roster and
//! anchors are signed by the vendor root, whose key is offline; a device's identity is vouched for by the carrier's technician. The
//! server checks all of them before it publishes them, and so does everyone who receives them.

pub mod ca;
pub mod http;
pub mod receipts;
pub mod signers;
mod sql;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use jiff::ToSpan;
use lineman_common::api::{DeviceIdentity, EnrolmentTokenReply, TrustBundle};
use lineman_common::id::{CustomerId, EquipmentId};
use lineman_common::link::{EnrolReply, EnrolRequest, EnrolmentToken};
use lineman_common::name::{CustomerCode, NeName};
use lineman_common::statement::{Anchors, DeviceStatement, Refused, Roster, Signed, SignerList, sha256_hex};

use crate::customers;
use crate::equipment::{self, Reference};
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

pub use ca::Authority;

/// An enrolment token is used soon or not at all.
const TOKEN_LIFE_H: i64 = 24;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the enrolment token is unknown, used or expired: ask for a new one (lineman equipment token)")]
    BadToken,
    #[error("the certificate request can't be used: {0}")]
    BadCsr(String),
    #[error("the host key can't be used: {0}")]
    BadHostKey(String),
    #[error("the device has not enrolled yet")]
    NotEnrolled,
    #[error("nobody has vouched for the device's keys yet: the carrier's technician does it with `lineman equipment vouch`")]
    NotVouched,
    #[error("no roster has been published yet")]
    NoRoster,
    #[error("no anchors have been published for {0} yet")]
    NoAnchors(CustomerCode),
    #[error("the statement says {said}, but the device that enrolled has {known}")]
    OtherDevice { said: String, known: String },
    #[error("there is no customer {0}")]
    NoCustomer(CustomerCode),
    #[error("the {list} has number {found}; the published one has {known}: a new one needs a higher number")]
    NotNewer { list: &'static str, found: u64, known: u64 },
    #[error("{0}")]
    BadSigners(String),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Equipment(#[from] equipment::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl Error {
    /// Nothing is wrong: it is only not there yet.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::NotEnrolled | Self::NotVouched | Self::NoRoster | Self::NoAnchors(_))
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        use lineman_common::error::ErrorCode;
        match error {
            Error::BadToken => Self::new(ErrorCode::Unauthenticated, error.to_string()),
            Error::BadCsr(_) | Error::BadHostKey(_) | Error::NoCustomer(_) | Error::BadSigners(_) => Self::invalid(error.to_string()),
            Error::NotEnrolled | Error::NotVouched | Error::NotNewer { .. } => Self::conflict(error.to_string()),
            Error::NoRoster | Error::NoAnchors(_) => Self::new(ErrorCode::NotFound, error.to_string()),
            Error::OtherDevice { .. } | Error::Refused(_) => Self::new(ErrorCode::StatementRefused, error.to_string()),
            Error::Equipment(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

/// The vendor root's public keys, pinned at the server too.
pub type VendorRoot = SignerList;

// ---- Enrolment ------------------------------------------------------------------------------------------------------

pub fn issue_token(
    tx: &mut Tx<'_>,
    actor: &Actor,
    reference: &Reference,
    address: &str,
    ca_spki_sha256: &str,
) -> Result<EnrolmentTokenReply, Error> {
    let known = equipment::find(tx, &actor.scope(), reference)?;
    let secret = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let expires_at = tx.now() + TOKEN_LIFE_H.hours();
    sql::insert_token(tx, &sha256_hex(&secret), known.id, expires_at)?;
    let event = New::of(Kind::EnrolmentTokenIssued, actor, format!("enrolment token for {} issued", known.name));
    events::append(tx, event.customer(known.customer).equipment(known.id))?;
    let token = EnrolmentToken { address: address.to_owned(), ca_spki_sha256: ca_spki_sha256.to_owned(), secret };
    Ok(EnrolmentTokenReply { token: token.to_string(), expires_at })
}

/// Lets a device in on the link, once per token. Enrolling again (a new machine under the same name) replaces the keys, and the
/// carrier's technician has to vouch anew.
pub fn enrol(tx: &mut Tx<'_>, authority: &Authority, request: &EnrolRequest) -> Result<EnrolReply, Error> {
    let id = sql::use_token(tx, &sha256_hex(&request.secret))?.ok_or(Error::BadToken)?;
    let known = equipment::find(tx, &Scope::All, &Reference::Id(id))?;
    let host_key: ssh_key::PublicKey = request.host_key.parse().map_err(|e: ssh_key::Error| Error::BadHostKey(e.to_string()))?;
    lineman_common::statement::sig::accepted(&host_key)?;
    let link = authority.issue(&request.csr, &known.name.to_string()).map_err(|e| Error::BadCsr(e.to_string()))?;
    sql::put_device(tx, id, &link.spki_sha256, &lineman_common::statement::device::openssh(&host_key))?;
    // It was signed with the key that is gone.
    sql::forget_receipt(tx, id)?;
    let event = New::of(Kind::Enrolled, format!("agent:{}", known.name), format!("{} enrolled", known.name));
    events::append(tx, event.customer(known.customer).equipment(id).data(serde_json::json!({"host_key": request.host_key})))?;
    Ok(EnrolReply { device: known.name, certificate: link.pem, ca: authority.ca_pem().to_owned() })
}

/// Whose link key is this?
pub fn device_of_link_key(db: &Db<'_>, spki_sha256: &str) -> Result<Option<EquipmentId>, StoreError> {
    sql::device_of_link_key(db, spki_sha256)
}

/// The devices of a customer that have enrolled.
pub fn enrolled(db: &Db<'_>, customer: CustomerId) -> Result<Vec<(EquipmentId, NeName)>, StoreError> {
    sql::enrolled(db, customer)
}

/// What is known of a device's identity.
pub fn identity(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<DeviceIdentity, Error> {
    let known = equipment::find(db, scope, reference)?;
    let device = sql::device(db, known.id)?.ok_or(Error::NotEnrolled)?;
    Ok(DeviceIdentity { device: known.name, host_key: device.host_key, statement: device.statement })
}

/// Takes the technician's signed statement of a device, if it is about the keys that enrolled.
pub fn vouch(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, signed: &Signed, vendor_root: &VendorRoot) -> Result<(), Error> {
    let known = equipment::find(tx, &actor.scope(), reference)?;
    let device = sql::device(tx, known.id)?.ok_or(Error::NotEnrolled)?;
    let anchors = anchors(tx, &known.name.customer, vendor_root)?;
    let statement = DeviceStatement::verify(signed, anchors.list(), tx.now())?;
    for (said, is) in [
        (statement.device.to_string(), known.name.to_string()),
        (lineman_common::statement::device::openssh(&statement.host_key), device.host_key.clone()),
        (statement.link_key_sha256.clone(), device.link_key_sha256.clone()),
    ] {
        if said != is {
            return Err(Error::OtherDevice { said, known: is });
        }
    }
    if statement.counter < device.statement_counter {
        return Err(Error::NotNewer { list: "device statement", found: statement.counter, known: device.statement_counter });
    }
    sql::put_statement(tx, known.id, signed, statement.counter)?;
    let event = New::of(Kind::Vouched, actor, format!("{} vouched for by {}", known.name, statement.vouched_by));
    events::append(tx, event.customer(known.customer).equipment(known.id))?;
    Ok(())
}

/// The statement that proves a device's host key, and what it says.
pub fn device_statement(db: &Db<'_>, id: EquipmentId) -> Result<(Signed, DeviceStatement), Error> {
    let signed = sql::device(db, id)?.ok_or(Error::NotEnrolled)?.statement.ok_or(Error::NotVouched)?;
    let statement = DeviceStatement::read_unverified(&signed.text)?;
    Ok((signed, statement))
}

// ---- Published lists ------------------------------------------------------------------------------------------------

pub fn publish_roster(tx: &mut Tx<'_>, actor: &Actor, signed: &Signed, vendor_root: &VendorRoot) -> Result<(), Error> {
    let roster = Roster::verify(signed, vendor_root, tx.now())?;
    roster.list().check_expiry(tx.now())?;
    publish(tx, "roster", "roster", roster.head.counter, signed)?;
    sql::keep_roster(tx, roster.head.counter, signed)?;
    let text = format!("roster {} published", roster.head.counter);
    events::append(tx, New::of(Kind::RosterPublished, actor, text).data(serde_json::json!({"counter": roster.head.counter})))?;
    Ok(())
}

pub fn publish_anchors(
    tx: &mut Tx<'_>,
    actor: &Actor,
    customer: &CustomerCode,
    signed: &Signed,
    vendor_root: &VendorRoot,
) -> Result<(), Error> {
    let id = customers::find(tx, &Scope::All, customer)?.ok_or_else(|| Error::NoCustomer(customer.clone()))?.id;
    let anchors = Anchors::verify(signed, customer, vendor_root, tx.now())?;
    let counter = anchors.list().head.as_ref().map_or(0, |head| head.counter);
    publish(tx, &format!("anchors {customer}"), "anchors", counter, signed)?;
    events::append(tx, New::of(Kind::AnchorsPublished, actor, format!("anchors {counter} of {customer} published")).customer(id))?;
    Ok(())
}

fn publish(tx: &mut Tx<'_>, name: &str, list: &'static str, counter: u64, signed: &Signed) -> Result<(), Error> {
    if let Some((known, text)) = sql::published(tx, name)?
        && (counter < known || (counter == known && text != *signed))
    {
        return Err(Error::NotNewer { list, found: counter, known });
    }
    Ok(sql::publish(tx, name, counter, signed)?)
}

pub fn roster_signed(db: &Db<'_>) -> Result<Signed, Error> {
    Ok(sql::published(db, "roster")?.ok_or(Error::NoRoster)?.1)
}

/// The published roster with its number, if there is one.
pub fn published_roster(db: &Db<'_>) -> Result<Option<(u64, Signed)>, StoreError> {
    sql::published(db, "roster")
}

/// The roster of that number, if it was ever published here.
pub fn roster_of(db: &Db<'_>, counter: u64) -> Result<Option<Signed>, StoreError> {
    sql::kept_roster(db, counter)
}

pub fn roster(db: &Db<'_>, vendor_root: &VendorRoot) -> Result<Roster, Error> {
    Ok(Roster::verify(&roster_signed(db)?, vendor_root, db.now())?)
}

fn anchors(db: &Db<'_>, customer: &CustomerCode, vendor_root: &VendorRoot) -> Result<Anchors, Error> {
    let (_, signed) = sql::published(db, &format!("anchors {customer}"))?.ok_or_else(|| Error::NoAnchors(customer.clone()))?;
    Ok(Anchors::verify(&signed, customer, vendor_root, db.now())?)
}

/// Everything that a client checks before it believes a device's name.
pub fn bundle(db: &Db<'_>, scope: &Scope, customer: &CustomerCode, jump: &str) -> Result<TrustBundle, Error> {
    let found = customers::find(db, scope, customer)?.ok_or_else(|| Error::NoCustomer(customer.clone()))?;
    Ok(TrustBundle {
        roster: roster_signed(db)?,
        anchors: sql::published(db, &format!("anchors {customer}"))?.map(|(_, signed)| signed),
        devices: sql::statements(db, found.id)?,
        jump: jump.to_owned(),
    })
}

//! The carrier's signer lists, on their way to the devices.
//!
//! The centre passes them on and can't change them: a device takes a list only when the signers that it holds have signed it, by as many
//! people as its owner wants. What can be checked without those signers is checked here, so that a mistake shows before every device
//! has refused it; what a device says of it is kept and shown.

use lineman_common::Printable;
use lineman_common::api::SignersView;
use lineman_common::id::CustomerId;
use lineman_common::link::Outcome;
use lineman_common::name::CustomerCode;
use lineman_common::statement::{CarrierSigners, Namespace, Signed};
use serde_json::json;

use super::{Error, sql};
use crate::customers;
use crate::equipment::Known;
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

/// Signatures on one list.
const MOST_SIGNATURES: usize = 16;
/// A list, and each of its signatures.
const LONGEST_LIST: usize = 256 * 1024;

/// Takes a new list of a customer and logs it; who listens sends it to the devices. The same list again changes nothing.
pub fn publish(tx: &mut Tx<'_>, actor: &Actor, customer: &CustomerCode, signed: &[Signed]) -> Result<(), Error> {
    let found = customers::find(tx, &actor.scope(), customer)?.ok_or_else(|| Error::NoCustomer(customer.clone()))?;
    let list = check(signed, customer)?;
    list.list().check_expiry(tx.now())?;
    match sql::signers(tx, found.id)? {
        Some((_, known)) if known == signed => return Ok(()),
        Some((known, _)) if list.counter() <= known => {
            return Err(Error::NotNewer { list: "signer list", found: list.counter(), known });
        }
        Some(_) | None => {}
    }
    sql::put_signers(tx, found.id, list.counter(), signed)?;
    let text = format!("signer list {} of {customer} published, with {} signatures", list.counter(), signed.len());
    let data = json!({"counter": list.counter(), "sha256": list.list().sha256});
    events::append(tx, New::of(Kind::SignersPublished, actor, text).customer(found.id).data(data))?;
    Ok(())
}

/// All that can be checked without knowing the signers that count on the devices.
fn check(signed: &[Signed], customer: &CustomerCode) -> Result<CarrierSigners, Error> {
    let bad = |why: String| Err(Error::BadSigners(why));
    let Some(first) = signed.first() else {
        return bad("nobody signed the list: hand it in with at least one signature for `signers@lineman`".into());
    };
    if signed.len() > MOST_SIGNATURES || signed.iter().any(|part| part.text.len().max(part.signature.len()) > LONGEST_LIST) {
        return bad(format!("a signer list has {MOST_SIGNATURES} signatures and {} KiB at most", LONGEST_LIST / 1024));
    }
    if signed.iter().any(|part| part.text != first.text) {
        return bad("the signatures are over different texts: sign one and the same file".into());
    }
    let list = CarrierSigners::parse(&first.text, customer)?;
    let mut keys = Vec::new();
    for part in signed {
        let key = part.signing_key("signer list", Namespace::Signers)?;
        if keys.contains(&key) {
            return bad("two of the signatures are of the same key: each must be of another person".into());
        }
        keys.push(key);
    }
    if list.list().keys_for(Namespace::Signers).next().is_none() {
        return bad(format!("nobody in the list may sign for `{}`: it could never be changed again", Namespace::Signers));
    }
    Ok(list)
}

/// The list that was published last, with its number.
pub fn published(db: &Db<'_>, customer: CustomerId) -> Result<Option<(u64, Vec<Signed>)>, StoreError> {
    sql::signers(db, customer)
}

pub fn view(db: &Db<'_>, scope: &Scope, customer: &CustomerCode) -> Result<SignersView, Error> {
    let found = customers::find(db, scope, customer)?.ok_or_else(|| Error::NoCustomer(customer.clone()))?;
    let signed = sql::signers(db, found.id)?.map(|(_, signed)| signed).unwrap_or_default();
    Ok(SignersView { signed, devices: sql::receipts(db, found.id)? })
}

/// The device has looked at a list that was sent to it. Its refusal is an answer, and stays beside the list.
pub fn device_answered(tx: &mut Tx<'_>, device: &Known, signed: &[Signed], outcome: &Outcome) -> Result<(), Error> {
    let Some((counter, known)) = sql::signers(tx, device.customer)?.filter(|(_, known)| known == signed) else { return Ok(()) };
    match outcome {
        Outcome::Done { .. } => Ok(sql::put_refusal(tx, device.id, None)?),
        // It holds this very list: that is what was wanted.
        Outcome::Refused { .. } if holds(tx, device, &known)? => Ok(sql::put_refusal(tx, device.id, None)?),
        Outcome::Refused { reason } => {
            let reason: String = reason.chars().take(1000).collect();
            sql::put_refusal(tx, device.id, Some((counter, &reason)))?;
            let text = format!("{} refuses signer list {counter}: {}", device.name, Printable::from(reason));
            let event = New::of(Kind::SignersRefused, format!("agent:{}", device.name), text);
            events::append(tx, event.customer(device.customer).equipment(device.id).data(json!({"counter": counter})))?;
            Ok(())
        }
    }
}

fn holds(db: &Db<'_>, device: &Known, list: &[Signed]) -> Result<bool, Error> {
    let sha256 = list.first().map(|part| lineman_common::statement::sha256_hex(&part.text));
    let receipt = super::receipts::newest(db, device.id)?;
    Ok(receipt.is_some_and(|receipt| Some(receipt.signers_sha256) == sha256))
}

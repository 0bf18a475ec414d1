//! What was offered, and what came of it: kept for learning, with the position and the question, for so many months.
//!
//! An offer is stored under the person that had it and the name that the answer gave it; sending it again adds what is new. A case that
//! the person may not see is left out, and the answer doesn't say so: nobody learns by guessing numbers what there is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{List, NewOffer, NewSignals, OfferPlace, OfferRecord, SignalRetention, SignalsStored};
use lineman_common::id::{CustomerId, FaultId, OfferId};
use lineman_common::name::CaseNumber;
use tokio_util::sync::CancellationToken;

use super::super::life::{self, Unanswered};
use super::super::{self as cases, Reference, mask, masked_beginning, names_in};
use super::{Error, LONGEST_QUERY, sql};
use crate::equipment::{self, Reference as EquipmentReference};
use crate::faults::{self, Reference as FaultReference};
use crate::store::{Db, Store, StoreError, Tx};
use crate::web::{Actor, Scope};

const MOST_OFFERS: usize = 100;
const MOST_SHOWN: usize = 100;
const MOST_MONTHS: u32 = 60;
/// A month is a twelfth of a year.
const MONTH: SignedDuration = SignedDuration::from_mins(43_830);
const FORGET_EVERY: Duration = Duration::from_secs(3600);
/// Forgotten in one change: the store's writer has others to serve.
const FORGOTTEN_AT_ONCE: u32 = 500;

pub fn store(tx: &mut Tx<'_>, actor: &Actor, new: &NewSignals) -> Result<SignalsStored, Error> {
    if new.offers.is_empty() || new.offers.len() > MOST_OFFERS {
        return Err(Error::HowManyOffers(MOST_OFFERS));
    }
    let mut names = Names::new();
    for offer in &new.offers {
        if offer.shown.len() > MOST_SHOWN || offer.opened.len() > MOST_SHOWN || offer.cited.len() > MOST_SHOWN {
            return Err(Error::TooManyShown(MOST_SHOWN));
        }
        store_one(tx, actor, offer, &mut names)?;
    }
    Ok(SignalsStored { offers: u32::try_from(new.offers.len()).unwrap_or(u32::MAX) })
}

/// What a question is masked with, for each customer of a batch.
type Names = HashMap<Option<CustomerId>, mask::Known>;

fn masked(tx: &Tx<'_>, actor: &Actor, new: &NewOffer, customer: Option<CustomerId>, names: &mut Names) -> Result<String, StoreError> {
    let known = match names.entry(customer) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => place.insert(names_in(tx, &customer.map_or_else(|| actor.scope(), Scope::Customer))?),
    };
    Ok(masked_beginning(new.query.raw(), known, LONGEST_QUERY))
}

fn store_one(tx: &mut Tx<'_>, actor: &Actor, new: &NewOffer, names: &mut Names) -> Result<(), Error> {
    let scope = actor.scope();
    let about = About::of(tx, actor, new)?;
    let before = sql::offer(tx, &actor.name, new.offer)?;
    if before.is_some() {
        sql::add_to_offer(tx, &actor.name, new.offer, about.fault, new.none_fits)?;
    } else {
        let query = masked(tx, actor, new, about.customer, names)?;
        sql::insert_offer(tx, &actor.name, new, &query, about.customer, about.fault)?;
        for (position, shown) in (1u32..).zip(&new.shown) {
            if is_visible(tx, &scope, shown.case)? {
                let score = if shown.score.is_finite() { shown.score } else { 0.0 };
                sql::insert_shown(tx, &actor.name, new.offer, position, shown.case, score)?;
            }
        }
    }
    for case in &new.opened {
        sql::set_opened(tx, &actor.name, new.offer, *case)?;
    }
    for cited in &new.cited {
        sql::set_cited(tx, &actor.name, new.offer, *cited)?;
    }
    // A search that finds nothing is told where it is made; here is told what was found out while a fault was filed.
    let found_nothing = before.is_none() && new.shown.is_empty() && new.place == OfferPlace::Filing;
    let said_none_fits = new.none_fits && !before.is_some_and(|before| before.none_fits);
    let unanswered = match (said_none_fits, found_nothing) {
        (true, _) => Some(Unanswered::NoneFits),
        (false, true) => Some(Unanswered::Nothing),
        (false, false) => None,
    };
    if let Some(unanswered) = unanswered {
        life::nothing_found(tx, actor, new.query.raw(), about.product.as_deref(), unanswered)?;
    }
    Ok(())
}

/// Whose offer it is, and what it was about.
struct About {
    customer: Option<CustomerId>,
    fault: Option<FaultId>,
    product: Option<String>,
}

impl About {
    fn of(db: &Db<'_>, actor: &Actor, new: &NewOffer) -> Result<Self, Error> {
        let scope = actor.scope();
        let fault = match &new.fault {
            Some(number) => Some(faults::get(db, &scope, &FaultReference::Number(number.clone()))?),
            None => None,
        };
        let device = match (&new.equipment, &fault) {
            (Some(name), _) => Some(equipment::find(db, &scope, &EquipmentReference::Name(name.clone()))?),
            (None, Some(fault)) => faults::equipment_of(db, fault)?,
            (None, None) => None,
        };
        let of_fault = fault.as_ref().map(|fault| faults::customer_of(db, fault.id)).transpose()?;
        let own = actor.customer.as_ref().map(|(id, _)| *id);
        let customer = of_fault.or_else(|| device.as_ref().map(|device| device.customer)).or(own);
        Ok(Self { customer, fault: fault.map(|fault| fault.id), product: device.map(|device| device.product) })
    }
}

fn is_visible(db: &Db<'_>, scope: &Scope, case: CaseNumber) -> Result<bool, Error> {
    match cases::get(db, scope, &Reference::Number(case)) {
        Ok(_) => Ok(true),
        Err(cases::Error::NotFound) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A page of all that is stored, oldest first. `after` is a time and an offer.
pub fn list(db: &Db<'_>, after: Option<(Timestamp, OfferId)>, limit: u32) -> Result<List<OfferRecord>, StoreError> {
    let items = sql::offers(db, after, limit)?;
    let next = items.last().filter(|_| items.len() == limit as usize).map(|last| format!("{}.{}", last.at.as_microsecond(), last.offer));
    Ok(List { items, next })
}

pub fn retention(db: &Db<'_>) -> Result<SignalRetention, StoreError> {
    Ok(SignalRetention { months: sql::months(db)? })
}

pub fn set_retention(tx: &mut Tx<'_>, new: SignalRetention) -> Result<SignalRetention, Error> {
    if !(1..=MOST_MONTHS).contains(&new.months) {
        return Err(Error::Months(MOST_MONTHS));
    }
    sql::set_months(tx, new.months)?;
    Ok(new)
}

/// Forgets what is older than is kept; answers how many offers went.
pub fn forget(tx: &mut Tx<'_>) -> Result<usize, StoreError> {
    let months = i32::try_from(sql::months(tx)?).unwrap_or(i32::MAX);
    sql::forget(tx, tx.now() - MONTH * months, FORGOTTEN_AT_ONCE)
}

/// The job: looks every hour, and goes on until nothing is too old.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut every = tokio::time::interval(FORGET_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        loop {
            match store.write(forget).await {
                Ok(0) => break,
                Ok(_) if stop.is_cancelled() => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "old signals could not be forgotten");
                    break;
                }
            }
        }
    }
}

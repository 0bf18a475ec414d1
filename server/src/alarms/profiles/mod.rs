//! Alarm profiles: another severity for alarms of a type, for one customer, one product line, or both. What the equipment said is kept
//! beside it.

pub mod http;
mod sql;

use lineman_common::Printable;
use lineman_common::alarm::{AlarmKey, Severity, fits};
use lineman_common::api::{AlarmProfile, NewAlarmProfile};
use lineman_common::id::{CustomerId, ProfileId};
use lineman_common::name::CustomerCode;
use serde_json::json;

use super::settle::{self, News};
use super::{Error, checked_pattern, checked_why, customer_for};
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

/// All of them are looked at for every report of a device.
const MOST: usize = 500;

/// A profile as reports are held against it.
pub struct Override {
    pub customer: Option<CustomerId>,
    pub product: Option<String>,
    pub alarm_type: String,
    pub qualifier: Option<String>,
    pub severity: Severity,
}

impl Override {
    fn fits(&self, key: &AlarmKey) -> bool {
        fits(&self.alarm_type, &key.alarm_type) && self.qualifier.as_ref().is_none_or(|pattern| fits(pattern, &key.qualifier))
    }

    /// The more it says, the more it counts.
    fn weight(&self) -> (bool, bool, bool, bool) {
        (self.customer.is_some(), self.product.is_some(), !self.alarm_type.contains('*'), self.qualifier.is_some())
    }
}

/// The profiles for one customer's equipment of one product line.
pub struct Profiles(Vec<Override>);

impl Profiles {
    pub fn severity(&self, key: &AlarmKey) -> Option<Severity> {
        // The list is in the order of weight.
        self.0.iter().find(|profile| profile.fits(key)).map(|profile| profile.severity)
    }
}

pub fn of(db: &Db<'_>, customer: CustomerId, product: &str) -> Result<Profiles, StoreError> {
    let fitting = |profile: &Override| {
        profile.customer.is_none_or(|own| own == customer) && profile.product.as_ref().is_none_or(|line| line == product)
    };
    let mut profiles: Vec<_> = sql::overrides(db)?.into_iter().filter(fitting).collect();
    profiles.sort_by_key(|profile| std::cmp::Reverse(profile.weight()));
    Ok(Profiles(profiles))
}

pub fn list(db: &Db<'_>, scope: &Scope) -> Result<Vec<AlarmProfile>, StoreError> {
    sql::list(db, scope)
}

pub fn add(tx: &mut Tx<'_>, actor: &Actor, new: &NewAlarmProfile) -> Result<AlarmProfile, Error> {
    let customer = new.customer.as_ref().map(|code: &CustomerCode| customer_for(tx, &actor.scope(), Some(code))).transpose()?;
    checked_why(&new.why)?;
    for pattern in [Some(&new.alarm_type), new.qualifier.as_ref(), new.product.as_ref()].into_iter().flatten() {
        checked_pattern("alarm_type, qualifier and product", &Printable::from(pattern.as_str()))?;
    }
    if sql::list(tx, &Scope::All)?.len() >= MOST {
        return Err(Error::Invalid(format!("there are {MOST} alarm profiles, and no more are looked at: take one away")));
    }
    let id = ProfileId::new();
    sql::insert(tx, id, customer.as_ref().map(|(id, _)| *id), new, actor.name.as_str())?;
    let text = format!("{} counts as {}: {}", new.alarm_type, new.severity, new.why);
    let event = New::of(Kind::ProfileSet, actor, text).data(json!({"profile": id, "rule": new}));
    events::append(tx, New { customer: customer.as_ref().map(|(id, _)| *id), ..event })?;
    apply(tx, customer.map(|(id, _)| id))?;
    sql::get(tx, id)?.ok_or(Error::NoProfile)
}

pub fn remove(tx: &mut Tx<'_>, actor: &Actor, id: ProfileId, why: &Printable) -> Result<(), Error> {
    let profile = sql::get(tx, id)?.ok_or(Error::NoProfile)?;
    checked_why(why)?;
    let customer = profile.customer.as_ref().map(|code| customer_for(tx, &Scope::All, Some(code))).transpose()?.map(|(id, _)| id);
    sql::delete(tx, id)?;
    let text = format!("{} counts as the equipment says again: {why}", profile.alarm_type);
    let event = New::of(Kind::ProfileRemoved, actor, text).data(json!({"profile": id}));
    events::append(tx, New { customer, ..event })?;
    apply(tx, customer)
}

/// What is raised counts with its new severity from now on.
fn apply(tx: &mut Tx<'_>, customer: Option<CustomerId>) -> Result<(), Error> {
    let mut all: Vec<Override> = sql::overrides(tx)?;
    all.sort_by_key(|profile| std::cmp::Reverse(profile.weight()));
    let mut changed = Vec::new();
    super::sql::raised_of(tx, customer, |raised| {
        let fitting = all.iter().find(|profile| {
            profile.customer.is_none_or(|own| own == raised.customer)
                && profile.product.as_ref().is_none_or(|line| *line == raised.product)
                && profile.fits(&raised.key)
        });
        let severity = fitting.map_or(raised.reported, |profile| profile.severity);
        if severity != raised.severity {
            changed.push((raised.place, severity));
        }
        Ok(())
    })?;
    for (place, severity) in changed {
        super::sql::set_severity(tx, place, severity)?;
        super::sql::add_news(tx, place, News::Changed, severity, tx.now())?;
    }
    settle::run(tx)?;
    Ok(())
}

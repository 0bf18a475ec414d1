//! The rules of correlation: which cause explains what, over which relation, and from when on an alarm flaps.
//!
//! Some come with the server and work until somebody says otherwise; all are kept under a name, can be switched on and off, and can be
//! tried on what has happened before they are ([`dry_run`]).

pub mod dry_run;
pub mod http;
mod sql;

use jiff::SignedDuration;
use lineman_common::alarm::{AGENT_SILENT, EventType, ProbableCause, Relation};
use lineman_common::api::{AlarmPattern, AlarmRule, RuleBody, SetAlarmRule};
use serde_json::json;

use super::settle::checked_body;
use super::{Error, checked_why};
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

/// All of them are held against every alarm.
const MOST: usize = 100;

/// A rule that suppresses, switched on.
pub struct Suppress {
    pub name: String,
    pub relation: Relation,
    pub cause: AlarmPattern,
    pub effect: AlarmPattern,
    pub hold_s: u32,
    pub recovery_s: u32,
}

/// A rule of flapping, switched on.
pub struct Flapping {
    pub alarms: AlarmPattern,
    pub raises: u32,
    pub window_s: u32,
    pub quiet_s: u32,
}

fn types(types: &[&str]) -> AlarmPattern {
    AlarmPattern { types: types.iter().map(|&name| name.to_owned()).collect(), ..AlarmPattern::default() }
}

/// What the server knows by itself.
fn built_in() -> Vec<(&'static str, RuleBody)> {
    use ProbableCause as Cause;
    let dead = [Cause::LossOfSignal, Cause::CommunicationsSubsystemFailure, Cause::EquipmentMalfunction, Cause::PowerProblem];
    let broken = [Cause::EquipmentMalfunction, Cause::PowerProblem];
    let any = AlarmPattern::default;
    let cause = |causes: &[Cause]| AlarmPattern { causes: causes.to_vec(), ..AlarmPattern::default() };
    let cut_off = AlarmPattern { event_types: vec![EventType::Communications, EventType::QualityOfService], ..AlarmPattern::default() };
    vec![
        (
            "contained-in-broken",
            RuleBody::Suppress { relation: Relation::Contains, cause: cause(&broken), effect: any(), hold_s: 3, recovery_s: 10 },
        ),
        ("flapping", RuleBody::Flapping { alarms: any(), raises: 5, window_s: 600, quiet_s: 600 }),
        ("link-down", RuleBody::Suppress { relation: Relation::Link, cause: cause(&dead), effect: cut_off, hold_s: 3, recovery_s: 10 }),
        (
            "power-lost",
            RuleBody::Suppress {
                relation: Relation::Power,
                cause: cause(&[Cause::PowerProblem]),
                effect: any(),
                hold_s: 3,
                recovery_s: 10,
            },
        ),
        // The silence of many is noticed over some seconds, and so is their coming back.
        (
            "silent-behind-dead",
            RuleBody::Suppress {
                relation: Relation::Link,
                cause: AlarmPattern { causes: dead.to_vec(), ..AlarmPattern::default() },
                effect: types(&[AGENT_SILENT]),
                hold_s: 20,
                recovery_s: 60,
            },
        ),
    ]
}

/// All rules, by name.
pub fn list(db: &Db<'_>, scope: &Scope) -> Result<Vec<AlarmRule>, StoreError> {
    let mut rules: Vec<AlarmRule> = built_in()
        .into_iter()
        .map(|(name, rule)| AlarmRule { name: name.to_owned(), enabled: true, rule, built_in: true, by: None, at: None, why: None })
        .collect();
    for set in sql::list(db)? {
        match rules.iter_mut().find(|rule| rule.name == set.name) {
            Some(rule) => *rule = AlarmRule { built_in: true, ..set },
            None => rules.push(set),
        }
    }
    if !scope.sees_internal() {
        for rule in &mut rules {
            (rule.by, rule.why) = (None, None);
        }
    }
    rules.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(rules)
}

pub fn get(db: &Db<'_>, scope: &Scope, name: &str) -> Result<AlarmRule, Error> {
    list(db, scope)?.into_iter().find(|rule| rule.name == name).ok_or(Error::NoRule)
}

/// Rules that suppress and are switched on, by name.
pub fn suppressing(db: &Db<'_>) -> Result<Vec<Suppress>, StoreError> {
    let rules = list(db, &Scope::All)?.into_iter().filter(|rule| rule.enabled);
    Ok(rules
        .filter_map(|rule| match rule.rule {
            RuleBody::Suppress { relation, cause, effect, hold_s, recovery_s } => {
                Some(Suppress { name: rule.name, relation, cause, effect, hold_s, recovery_s })
            }
            RuleBody::Flapping { .. } => None,
        })
        .collect())
}

/// Rules of flapping that are switched on, by name: the first that fits an alarm counts.
pub fn flapping(db: &Db<'_>) -> Result<Vec<Flapping>, StoreError> {
    let rules = list(db, &Scope::All)?.into_iter().filter(|rule| rule.enabled);
    Ok(rules
        .filter_map(|rule| match rule.rule {
            RuleBody::Flapping { alarms, raises, window_s, quiet_s } => Some(Flapping { alarms, raises, window_s, quiet_s }),
            RuleBody::Suppress { .. } => None,
        })
        .collect())
}

/// Sets a rule, or switches it on or off.
pub fn set(tx: &mut Tx<'_>, actor: &Actor, name: &str, new: &SetAlarmRule) -> Result<AlarmRule, Error> {
    let before = list(tx, &Scope::All)?;
    let known = before.iter().find(|rule| rule.name == name);
    let body = new.rule.clone().or_else(|| known.map(|rule| rule.rule.clone()));
    let Some(body) = body else {
        return Err(Error::Invalid(format!("there is no rule `{name}` to switch: give `rule` to make it")));
    };
    if known.is_none() && (before.len() >= MOST || !is_name(name)) {
        return Err(Error::Invalid(format!("a rule's name is 1 to 40 characters of a-z, 0-9 and `-`, and there are {MOST} rules at most")));
    }
    checked_why(&new.why)?;
    checked_body(&body)?;
    sql::put(tx, name, new.enabled, &body, &new.why, actor.name.as_str())?;
    let word = if new.enabled { "on" } else { "off" };
    let event = New::of(Kind::RuleSet, actor, format!("rule {name} is {word}: {}", new.why)).internal(true);
    events::append(tx, event.data(json!({"rule": name, "enabled": new.enabled, "body": body})))?;
    super::sql::look_at_all(tx)?;
    get(tx, &Scope::All, name)
}

/// Forgets a rule; one that came with the server is as it came again.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, name: &str, why: &lineman_common::Printable) -> Result<(), Error> {
    get(tx, &Scope::All, name)?;
    checked_why(why)?;
    sql::delete(tx, name)?;
    let event = New::of(Kind::RuleRemoved, actor, format!("rule {name} is forgotten: {why}")).internal(true);
    events::append(tx, event.data(json!({"rule": name})))?;
    Ok(super::sql::look_at_all(tx)?)
}

fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

pub fn has_quiet(db: &Db<'_>) -> Result<bool, StoreError> {
    Ok(!quiet(db)?.is_empty())
}

/// Flapping alarms that have been quiet for long enough.
fn quiet(db: &Db<'_>) -> Result<Vec<i64>, StoreError> {
    if !sql::has_flapping(db)? {
        return Ok(Vec::new());
    }
    let rules = flapping(db)?;
    let shortest = rules.iter().map(|rule| rule.quiet_s).min().unwrap_or(0);
    let candidates = sql::flapping_before(db, db.now() - SignedDuration::from_secs(shortest.into()))?;
    let is_quiet = |flapper: &sql::Flapper| {
        let rule = rules.iter().find(|rule| rule.alarms.fits(&flapper.alarm_type, flapper.cause, flapper.event_type));
        rule.is_none_or(|rule| flapper.received_at <= db.now() - SignedDuration::from_secs(rule.quiet_s.into()))
    };
    Ok(candidates.into_iter().filter(is_quiet).map(|flapper| flapper.place).collect())
}

/// What was quiet for long enough flaps no more, and is looked at.
pub fn calm(tx: &mut Tx<'_>) -> Result<(), Error> {
    for place in quiet(tx)? {
        sql::calm(tx, place)?;
        super::sql::look_at(tx, place)?;
    }
    Ok(())
}

//! What happens while a fault walks its status line, any number at once: phone calls, guidance of on-site staff and visits, which
//! people plan, start and end; consents, sessions and diagnoses, which are read from the fault's own events ([`derived`]).
//!
//! Guards: nothing starts in a fault that is over; a fault can't be resolved, closed or merged while something of its own is under
//! way; a rejected or cancelled one calls it off. What begins at the support centre is work: an accepted fault is in progress then.

mod derived;
pub mod http;
mod sql;

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{Activity, ActivityChange, Fault, NewActivity};
use lineman_common::fault::{ActivityKind, ActivityState, ActivityStep, IllegalActivity, Step};
use lineman_common::id::{ActivityId, FaultId};
use serde_json::json;

use super::{LONGEST_TEXT, LONGEST_TITLE, Reference, append, at_most, get};
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such activity")]
    NotFound,
    #[error(transparent)]
    Illegal(#[from] IllegalActivity),
    #[error("a {0} is not started by people: it is read from what happens; start phone, guidance or visit")]
    Derived(ActivityKind),
    #[error("{0} lies in the future: an activity that has yet to begin is planned")]
    Future(Timestamp),
    #[error("an activity can't end ({end}) before it began ({start})")]
    Backwards { start: Timestamp, end: Timestamp },
    #[error("name one time: `planned_at` for what has yet to begin, `started_at` for what has")]
    TwoTimes,
    #[error(transparent)]
    Faults(#[from] super::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("activity"),
            Error::Illegal(_) => Self::conflict(error.to_string()),
            Error::Derived(_) | Error::Future(_) | Error::Backwards { .. } | Error::TwoTimes => Self::invalid(error.to_string()),
            Error::Faults(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// All of a fault's, by the time at which they began.
pub fn of_fault(db: &Db<'_>, scope: &Scope, fault: &Fault) -> Result<Vec<Activity>, super::Error> {
    let log = events::of_fault(db, scope, fault.id)?;
    let mut activities = derived::from(&log);
    activities.extend(sql::of_fault(db, fault.id)?);
    activities.sort_by_key(|activity| activity.started_at.or(activity.planned_at));
    Ok(activities)
}

/// Plans or starts one.
pub fn start(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, new: NewActivity) -> Result<Activity, Error> {
    let fault = get(tx, &actor.scope(), reference)?;
    if fault.status.is_over() {
        return Err(super::Error::IsOver(fault.number).into());
    }
    if !new.kind.is_recorded() {
        return Err(Error::Derived(new.kind));
    }
    at_most("text", &new.text, LONGEST_TEXT)?;
    new.with.as_ref().map_or(Ok(()), |with| at_most("name", with, LONGEST_TITLE))?;
    let (state, started_at) = match (new.planned_at, new.started_at) {
        (Some(_), Some(_)) => return Err(Error::TwoTimes),
        (Some(_), None) => (ActivityState::Planned, None),
        (None, at) => (ActivityState::Running, Some(not_ahead(tx, at)?)),
    };
    let activity = Activity {
        id: ActivityId::new().to_string(),
        kind: new.kind,
        state,
        by: actor.to_string(),
        with: new.with,
        text: new.text,
        planned_at: new.planned_at,
        started_at,
        ended_at: None,
        outcome: None,
    };
    sql::put(tx, fault.id, &activity)?;
    let what = match new.planned_at {
        Some(at) => format!("planned for {at}"),
        None => "began".to_owned(),
    };
    tell(tx, actor, &fault, &activity, &what, started_at)?;
    if state == ActivityState::Running {
        begun(tx, actor, &fault)?;
    }
    Ok(activity)
}

/// One step of one activity.
pub fn change(
    tx: &mut Tx<'_>,
    actor: &Actor,
    reference: &Reference,
    id: ActivityId,
    step: ActivityStep,
    change: &ActivityChange,
) -> Result<Activity, Error> {
    let fault = get(tx, &actor.scope(), reference)?;
    at_most("outcome", &change.outcome, LONGEST_TEXT)?;
    let before = sql::get(tx, fault.id, id)?.ok_or(Error::NotFound)?;
    let state = before.state.next(step)?;
    let at = not_ahead(tx, change.at)?;
    let outcome = Some(change.outcome.clone()).filter(|outcome| !outcome.raw().trim().is_empty());
    let after = match step {
        ActivityStep::Start => Activity { state, started_at: Some(at), by: actor.to_string(), ..before },
        ActivityStep::End | ActivityStep::Cancel => Activity { state, ended_at: Some(at), outcome, ..before },
    };
    if let (Some(start), Some(end)) = (after.started_at, after.ended_at)
        && end < start
    {
        return Err(Error::Backwards { start, end });
    }
    sql::put(tx, fault.id, &after)?;
    let what = match step {
        ActivityStep::Start => "began",
        ActivityStep::End => "ended",
        ActivityStep::Cancel => "was called off",
    };
    tell(tx, actor, &fault, &after, what, Some(at))?;
    if step == ActivityStep::Start {
        begun(tx, actor, &fault)?;
    }
    Ok(after)
}

fn not_ahead(tx: &Tx<'_>, at: Option<Timestamp>) -> Result<Timestamp, Error> {
    match at {
        Some(at) if at > tx.now() => Err(Error::Future(at)),
        at => Ok(at.unwrap_or(tx.now())),
    }
}

fn begun(tx: &mut Tx<'_>, actor: &Actor, fault: &Fault) -> Result<(), super::Error> {
    if actor.role.works_faults() && fault.status.next(Step::Work).is_ok() {
        super::work_begun(tx, fault.id)?;
    }
    Ok(())
}

fn tell(
    tx: &mut Tx<'_>,
    actor: impl ToString,
    fault: &Fault,
    activity: &Activity,
    what: &str,
    at: Option<Timestamp>,
) -> Result<(), super::Error> {
    let mut text = format!("{} {what}", activity.kind);
    let said = |label: &str, said: Option<&Printable>| {
        said.filter(|said| !said.raw().trim().is_empty()).map(|said| format!("{label}{said}")).unwrap_or_default()
    };
    text.push_str(&said(" with ", activity.with.as_ref()));
    text.push_str(&said(": ", activity.outcome.as_ref().or(Some(&activity.text))));
    let data = json!({"activity": activity.id, "kind": activity.kind, "state": activity.state, "from_support": true});
    let mut event = New::of(Kind::FaultActivity, actor, text).data(data);
    event.occurred_at = at;
    append(tx, fault, event)?;
    Ok(())
}

/// Refuses while something that people started is under way.
pub fn must_be_over(db: &Db<'_>, fault: FaultId) -> Result<(), super::Error> {
    let running = sql::not_over(db, fault)?;
    if running.is_empty() {
        return Ok(());
    }
    Err(super::Error::UnderWay(running.iter().map(|activity| format!("{} {} ({})", activity.kind, activity.id, activity.state)).collect()))
}

/// Is nothing planned or under way?
pub fn none_of(db: &Db<'_>, fault: FaultId) -> Result<bool, StoreError> {
    Ok(sql::not_over(db, fault)?.is_empty())
}

/// The fault is none: what was planned or under way is called off.
pub fn call_off(tx: &mut Tx<'_>, fault: &Fault, actor: &Actor) -> Result<(), super::Error> {
    for activity in sql::not_over(tx, fault.id)? {
        let over = Activity { state: ActivityState::Cancelled, ended_at: Some(tx.now()), ..activity };
        sql::put(tx, fault.id, &over)?;
        tell(tx, actor, fault, &over, "was called off", None)?;
    }
    Ok(())
}

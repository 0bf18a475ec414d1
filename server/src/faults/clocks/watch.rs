//! Says in the log when clocks reach 50, 75, 90 and 100 % of their targets.
//!
//! `clock_watch` has a row for each open fault: when to look at it next. It is a cache of what the log says, never the truth: whatever
//! happens to a fault makes it due at once ([`hear`], in that change's own transaction), a look counts the clocks anew, says what is
//! to be said, and computes when to look again. At the start of the server missing rows are added and all are looked at again. The job
//! ([`run`]) sleeps until the earliest.
//!
//! What is said is a row with a unique key and an event in one transaction: killed at any moment, the server says it once or has not
//! said it yet. What came due while it was down is said late, with the moment at which it was due.

use std::time::Duration;

use jiff::SignedDuration;
use lineman_common::id::FaultId;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::count::{BREACH, Counted, Due};
use super::left::Left;
use super::terms::{self, Subject};
use super::{Error, Sheet, sql};
use crate::customers::contracts;
use crate::events::{Appended, Kind, ListenerError, New};
use crate::faults;
use crate::store::{Db, Nudge, Store, StoreError, Tx};
use crate::web::ApiError;

/// Faults in one transaction: short enough that nobody waits for it.
const AT_ONCE: u32 = 50;
/// The longest sleep: the machine's clock may be set.
const NAP: Duration = Duration::from_secs(5);
/// Between two rounds, so that a busy log costs little.
const BREATH: Duration = Duration::from_millis(20);
/// After an error, of the job or of one fault.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// Hears of what moves clocks.
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    if matches!(event.kind, Kind::AgentOnline | Kind::AgentOffline) {
        return Ok(event.equipment.map_or(Ok(()), |device| sql::touch_equipment(tx, device))?);
    }
    if matches!(event.kind, Kind::TierSet | Kind::CalendarSet) {
        return Ok(sql::all_stale(tx)?);
    }
    // The first site of a customer is the zone of faults without equipment.
    if matches!(event.kind, Kind::ContractSet | Kind::ContractDeleted | Kind::SiteAdded) {
        return Ok(event.customer.map_or(Ok(()), |customer| sql::stale_of(tx, customer))?);
    }
    // Thousands of alarms may join one fault; they move no clock, nor does what is said here.
    let quiet = matches!(event.kind, Kind::FaultAlarmAttached | Kind::ClockWarned | Kind::ClockBreached | Kind::ClockRetargeted);
    match event.fault.filter(|_| !quiet) {
        Some(fault) => Ok(sql::touch(tx, fault)?),
        None => Ok(()),
    }
}

/// The job: looks when something is due, until it is told to stop.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut nudges = store.nudges();
    let mut prepared = false;
    while !stop.is_cancelled() {
        let round = async {
            if !prepared {
                store.write(|tx| prepare(tx).map_err(ApiError::from)).await?;
            }
            round(&store).await
        };
        let pause = match round.await {
            Ok(pause) => {
                prepared = true;
                pause
            }
            Err(error) => {
                tracing::error!(?error, "clocks could not be looked at");
                NAP
            }
        };
        let happened = async { while !matches!(nudges.recv().await, Ok(Nudge::Events) | Err(RecvError::Lagged(_) | RecvError::Closed)) {} };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            () = async { happened.await; tokio::time::sleep(BREATH).await } => {}
        }
    }
}

/// Watches what is open and not watched, and looks at all of it again.
pub(super) fn prepare(tx: &mut Tx<'_>) -> Result<(), Error> {
    sql::watch_open(tx)?;
    Ok(sql::all_stale(tx)?)
}

/// Does what is due, and says how long to sleep.
async fn round(store: &Store) -> Result<Duration, ApiError> {
    let (next, now) = store.read(|db: &Db<'_>| -> Result<_, StoreError> { Ok((sql::next(db)?, db.now())) }).await?;
    match next {
        Some(next) if next <= now => {
            store.write(|tx| look(tx).map_err(ApiError::from)).await?;
            Ok(Duration::ZERO)
        }
        Some(next) => Ok(Duration::try_from(next.duration_since(now)).unwrap_or(NAP).min(NAP)),
        None => Ok(NAP),
    }
}

/// Looks at some faults that are due, or stale.
pub fn look(tx: &mut Tx<'_>) -> Result<(), Error> {
    for fault in sql::due(tx, AT_ONCE)? {
        if let Err(error) = look_at(tx, fault) {
            tracing::error!(fault.id = %fault, %error, "the clocks of a fault could not be looked at");
            sql::settle(tx, fault, Some(tx.now() + PATIENCE), None)?;
        }
    }
    Ok(())
}

fn look_at(tx: &mut Tx<'_>, id: FaultId) -> Result<(), Error> {
    let Some(subject) = sql::subject(tx, id)? else { return Ok(sql::forget(tx, id)?) };
    let over = sql::is_over(tx, id)?;
    let mut sheet = Sheet::read(tx, id, subject)?;
    if !over && retarget(tx, id, subject, &sheet)? {
        sheet = Sheet::read(tx, id, subject)?;
    }
    let now = tx.now();
    let said = &sheet.story.said;
    let of = |clock: &Counted<'_>| (clock.name, clock.what, clock.due(said), clock.next_due().into_iter().chain(clock.turns_at()).min());
    let looked = sheet.with_counted(now, |clocks| clocks.iter().map(of).collect::<Vec<_>>());
    for (name, what, dues, _) in &looked {
        for due in dues {
            say(tx, id, name, what, due)?;
        }
    }
    if over {
        return Ok(sql::forget(tx, id)?);
    }
    let change = contracts::next_change(tx, subject.customer)?;
    let next = looked.into_iter().filter_map(|(.., next)| next).chain(change).min();
    let left = Left::of(&sheet.clocks(now));
    // Rounding must not make it look at the same moment for ever.
    Ok(sql::settle(tx, id, next.map(|next| next.max(now + SignedDuration::from_millis(1))), Some(&left))?)
}

/// Writes down that other terms hold, if they do; what held before stays in the log.
fn retarget(tx: &mut Tx<'_>, id: FaultId, subject: Subject, sheet: &Sheet) -> Result<bool, Error> {
    let (terms, changed_at) = terms::current(tx, subject)?;
    let last = sheet.story.terms.last();
    if last.is_some_and(|(_, last)| *last == terms) {
        return Ok(false);
    }
    let now = tx.now();
    let since = match last {
        Some((since, _)) if changed_at > *since => changed_at.min(now),
        Some(_) => now,
        // Reported under an earlier server, which wrote down no terms: these hold from the beginning.
        None => sheet.story.reported.unwrap_or(now),
    };
    let was = last.map(|(_, last)| last);
    let text = match was {
        Some(was) => format!("clocks go on by {} (before: {})", terms.why(), was.why()),
        None => format!("clocks go by {}", terms.why()),
    };
    let data = json!({"was": was, "now": terms, "since": since});
    faults::tell(tx, id, New::of(Kind::ClockRetargeted, "system", text).internal(true).data(data))?;
    Ok(true)
}

fn say(tx: &mut Tx<'_>, id: FaultId, clock: &str, what: &str, due: &Due) -> Result<(), Error> {
    if !sql::say(tx, id, clock, due)? {
        return Ok(());
    }
    let Due { percent, target_s, reached_at, elapsed_s } = *due;
    let data = json!({"clock": clock, "percent": percent, "target_s": target_s, "elapsed_s": elapsed_s, "due_at": reached_at});
    let minutes = f64::from(target_s) / 60.0;
    let event = if percent == BREACH {
        New::of(Kind::ClockBreached, "system", format!("{clock} ({what}) has missed its target of {minutes} min"))
    } else {
        New::of(Kind::ClockWarned, "system", format!("{clock} ({what}) has used {percent} % of {minutes} min")).internal(true)
    };
    faults::tell(tx, id, event.data(data))?;
    Ok(())
}

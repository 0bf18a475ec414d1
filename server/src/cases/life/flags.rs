//! Doubts about a case: raised by whoever reads it, by a wrong link, and by a job that looks for what nobody confirmed for long and for
//! what is about software that is no longer the newest.
//!
//! A doubt is closed by a confirmation ("still true") or by a reviewed version. A case that is confirmed although newer software is in
//! use is not doubted for that again, until the newest software is another one.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use lineman_common::Printable;
use lineman_common::api::{Case, CaseBody, CaseSettings, CaseState, Confirm, Flag, FlagKind};
use lineman_common::name::CaseNumber;
use lineman_common::version;
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::super::{Error, Reference, get, own, stored};
use super::states::tell_of;
use super::{reason_of, short, sql};
use crate::events::{self, Kind, New};
use crate::store::{Db, Store, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

/// How often the job looks.
const EVERY: Duration = Duration::from_secs(600);
/// Cases that one job of the store looks at: others want to read and write too.
const SLICE: u32 = 500;
const LONGEST_WAIT_MONTHS: u32 = 120;

/// The setting has changed: look now.
static LOOK: Notify = Notify::const_new();

/// A case's open doubts, each kind once.
pub fn of_case(db: &Db<'_>, number: CaseNumber) -> Result<Vec<FlagKind>, StoreError> {
    sql::open_kinds(db, number)
}

/// All that was ever doubted, the newest first.
pub fn list(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Vec<Flag>, Error> {
    let case = stored(db, scope, reference)?.case;
    if scope.sees_internal() { Ok(sql::flags(db, case.number)?) } else { Ok(Vec::new()) }
}

/// A reader says that it is wrong or outdated. A carrier's people may doubt what is published for them.
pub fn doubt(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, reason: &Printable) -> Result<Case, Error> {
    let reason = reason_of(reason)?;
    let case = stored(tx, &actor.scope(), reference)?.case;
    raise(tx, actor, &case, FlagKind::Reader, &reason)?;
    get(tx, &actor.scope(), reference)
}

/// A doubt by a person. The same person's older one of this kind gives way to it.
pub fn raise(tx: &mut Tx<'_>, actor: &Actor, case: &Case, kind: FlagKind, reason: &Printable) -> Result<(), Error> {
    sql::replace_flag(tx, case, kind, actor.name.as_str(), reason.raw())?;
    tell_of(tx, actor, Kind::CaseFlagged, case, &format!("is doubted: {}", reason.raw()), json!({"flag": kind, "reason": reason}))
}

/// Still true: answers all doubts.
pub fn confirm(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, said: &Confirm) -> Result<Case, Error> {
    short(&said.note, "note")?;
    let case = own(tx, &actor.scope(), reference)?.case;
    if case.state != CaseState::Validated {
        return Err(Error::Illegal { state: case.state, what: "confirmed" });
    }
    let doubts = of_case(tx, case.number)?;
    sql::set_confirmed(tx, case.number)?;
    let note = said.note.raw().trim();
    answer_all(tx, case.number, actor.name.as_str(), if note.is_empty() { "still true" } else { note })?;
    tell_of(tx, actor, Kind::CaseConfirmed, &case, "is still true", json!({"note": note, "flags": doubts}))?;
    get(tx, &Scope::All, reference)
}

pub fn answer_all(tx: &Tx<'_>, number: CaseNumber, by: &str, answer: &str) -> Result<(), StoreError> {
    sql::close_flags(tx, number, None, by, answer)
}

pub fn settings(db: &Db<'_>) -> Result<CaseSettings, StoreError> {
    Ok(CaseSettings { stale_after_months: sql::stale_after_months(db)? })
}

pub fn set(tx: &mut Tx<'_>, actor: &Actor, settings: &CaseSettings) -> Result<CaseSettings, Error> {
    if !(1..=LONGEST_WAIT_MONTHS).contains(&settings.stale_after_months) {
        return Err(Error::BadMonths);
    }
    sql::set_stale_after_months(tx, settings.stale_after_months)?;
    let text = format!("cases are stale {} months after their last confirmation", settings.stale_after_months);
    events::append(tx, New::of(Kind::CaseSettingsSet, actor, text).internal(true).data(json!(settings)))?;
    Ok(settings.clone())
}

/// Has the job look at once.
pub fn look_now() {
    LOOK.notify_one();
}

// ---- The job --------------------------------------------------------------------------------------------------------

/// Before this moment, a confirmation is too long ago.
fn cutoff(db: &Db<'_>) -> Result<Timestamp, StoreError> {
    let months = i64::from(sql::stale_after_months(db)?);
    let now = db.now().to_zoned(jiff::tz::TimeZone::UTC);
    Ok(now.checked_sub(months.months()).map_or(Timestamp::MIN, |then| then.timestamp()))
}

/// The newest software in the register, of a product and of each of its models. Names without capitals.
#[derive(Debug, Default)]
pub struct Newest {
    of: HashMap<(String, String), String>,
}

impl Newest {
    pub fn see(&mut self, product: &str, model: &str, software: &str) {
        let software = software.trim();
        if software.is_empty() {
            return;
        }
        for model in [model, ""] {
            let known = self.of.entry((product.trim().to_lowercase(), model.trim().to_lowercase())).or_default();
            if version::compare(known, software) == Ordering::Less {
                software.clone_into(known);
            }
        }
    }

    fn find(&self, product: &str, model: &str) -> Option<&str> {
        self.of.get(&(product.trim().to_lowercase(), model.trim().to_lowercase())).map(String::as_str)
    }

    /// Why the case is about old software only: every range has an end, and before the newest that is in use.
    fn passed(&self, body: &CaseBody) -> Option<String> {
        let passed = body.equipment.iter().map(|about| {
            let end = about.versions.end()?;
            let newest = self.find(about.product.raw(), about.model.raw())?;
            (version::compare(end, newest) == Ordering::Less).then(|| format!("{about} runs {newest} by now, the case ends with {end}"))
        });
        let passed: Vec<String> = passed.collect::<Option<_>>()?;
        (!passed.is_empty()).then(|| passed.join("; "))
    }
}

/// Flags what nobody confirmed for long, and takes flags back that a longer time has answered. How many there were.
fn unconfirmed(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let cutoff = cutoff(tx)?;
    let (due, fresh) = (sql::unconfirmed(tx, cutoff, SLICE)?, sql::confirmed_since(tx, cutoff, SLICE)?);
    for number in &due {
        let case = get(tx, &Scope::All, &Reference::Number(*number))?;
        by_itself(tx, &case, FlagKind::Unconfirmed, &format!("nobody confirmed it since {}", case.confirmed_at.strftime("%Y-%m-%d")))?;
    }
    for number in &fresh {
        sql::close_flags(tx, *number, Some(FlagKind::Unconfirmed), "system", "it was confirmed within the time that is set now")?;
    }
    Ok(due.len() + fresh.len())
}

fn by_itself(tx: &mut Tx<'_>, case: &Case, kind: FlagKind, reason: &str) -> Result<(), Error> {
    sql::replace_flag(tx, case, kind, "system", reason)?;
    tell_of(tx, "system", Kind::CaseFlagged, case, &format!("is doubted: {reason}"), json!({"flag": kind, "reason": reason}))
}

/// What the flag for old software should say of a case, where that differs from what it says.
struct Verdict {
    number: CaseNumber,
    passed: Option<String>,
}

/// One slice of the library: what is to change, and where the next one begins.
fn look(db: &Db<'_>, newest: &Newest, after: CaseNumber) -> Result<(Vec<Verdict>, Option<CaseNumber>), StoreError> {
    let slice = sql::with_versions(db, after, SLICE)?;
    let next = slice.last().filter(|_| slice.len() == SLICE as usize).map(|row| row.number);
    let verdict = |row: sql::Versioned| {
        let passed = newest.passed(&row.body);
        let is_known = passed.is_some() && row.told.as_ref() == passed.as_ref();
        // The last flag of this kind says the same: it is open, or somebody confirmed the case in its face.
        (!is_known && (passed.is_some() || row.is_open)).then_some(Verdict { number: row.number, passed })
    };
    Ok((slice.into_iter().filter_map(verdict).collect(), next))
}

fn apply(tx: &mut Tx<'_>, verdicts: &[Verdict]) -> Result<(), Error> {
    for Verdict { number, passed } in verdicts {
        let case = get(tx, &Scope::All, &Reference::Number(*number))?;
        match passed {
            Some(reason) if case.state == CaseState::Validated => by_itself(tx, &case, FlagKind::Superseded, reason)?,
            Some(_) => {}
            None => sql::close_flags(tx, *number, Some(FlagKind::Superseded), "system", "it is about software that is in use")?,
        }
    }
    Ok(())
}

fn newest(db: &Db<'_>) -> Result<Newest, StoreError> {
    let mut newest = Newest::default();
    for (product, model, software) in sql::software(db)? {
        newest.see(&product, &model, &software);
    }
    Ok(newest)
}

async fn activate(store: &Store) -> Result<(), ApiError> {
    while store.write(|tx| unconfirmed(tx).map_err(ApiError::from)).await? > 0 {}
    let mut after = Some(CaseNumber(0));
    while let Some(begin) = after {
        let (verdicts, next) = store
            .read(move |db| -> Result<_, ApiError> {
                let newest = newest(db)?;
                Ok(look(db, &newest, begin)?)
            })
            .await?;
        if !verdicts.is_empty() {
            store.write(move |tx| apply(tx, &verdicts).map_err(ApiError::from)).await?;
        }
        after = next;
    }
    Ok(())
}

/// Looks for what became doubtful until the server stops.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = LOOK.notified() => {}
            _ = every.tick() => {}
        }
        if let Err(error) = activate(&store).await {
            tracing::error!(?error, "the library could not be searched for doubtful cases");
        }
    }
}

/// The whole job in one transaction.
#[cfg(test)]
pub fn activate_now(tx: &mut Tx<'_>) {
    while unconfirmed(tx).unwrap() > 0 {}
    let newest = newest(tx).unwrap();
    let (verdicts, _) = look(tx, &newest, CaseNumber(0)).unwrap();
    apply(tx, &verdicts).unwrap();
}

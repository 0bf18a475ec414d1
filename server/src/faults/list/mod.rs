//! Lists of faults: what is asked for, in which order, a page at a time, with what each row shows.
//!
//! A page is found in two steps: the ids that fit, in order, from indexes alone; then the rows of those ids. Free words go through the text
//! index (`grams`), which [`hear`] keeps up in the same transaction as what it is told of; [`run`] works off what was there before, and
//! until then an answer says that it is incomplete.
//!
//! An order may be made of several stages, one after the other (open faults before those that are over, severities from the worst on), so
//! that each goes along an index of its own. A cursor names stage, key and fault, and for the order by time left the moment at which the
//! first page was asked for: later pages are sorted as of then, so that nothing is shown twice or left out because time went by.

mod grams;
mod sql;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::api::{FaultRow, FaultSort, Listing, ViewCount};
use lineman_common::id::FaultId;
use lineman_common::query::Key;
use tokio_util::sync::CancellationToken;

use super::Filter;
use crate::events::{Appended, ListenerError};
use crate::store::{Db, Nudge, Store, StoreError, Tx};
use crate::web::asked::Ask;
use crate::web::{ApiError, Scope};

/// Where free words are looked for.
const SEARCHED: [&str; 11] =
    ["number", "title", "description", "customer_reference", "cause", "plan", "resolution", "equipment", "site", "customer", "notes"];
/// More are not counted for a list.
const MOST_COUNTED: u32 = 1_000;
/// Texts that one transaction puts into the index: short enough that nobody waits for it.
const AT_ONCE: u32 = 25;
const NAP: Duration = Duration::from_secs(30);

/// The keys of `q`.
pub fn keys() -> Vec<Key> {
    sql::FIELDS.iter().map(|field| field.key).chain([TEXT]).collect()
}

/// A free word by its name.
const TEXT: Key = Key::word("text").also(&["文本", "内容"]);

/// Which page, in which order.
#[derive(Clone, Debug)]
pub struct Page {
    pub sort: FaultSort,
    pub after: Option<Cursor>,
    pub limit: u32,
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    stage: usize,
    key: i64,
    as_of: Timestamp,
    fault: FaultId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.stage, self.key, self.as_of.as_microsecond(), self.fault)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`after` is not the `next` of a page")]
pub struct BadCursor;

impl From<BadCursor> for ApiError {
    fn from(error: BadCursor) -> Self {
        Self::invalid(error.to_string())
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;
    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let parts: Vec<_> = text.split('.').collect();
        let [stage, key, as_of, fault] = parts[..] else { return Err(BadCursor) };
        let as_of = as_of.parse().ok().and_then(|us| Timestamp::from_microsecond(us).ok());
        Ok(Self {
            stage: stage.parse().map_err(|_| BadCursor)?,
            key: key.parse().map_err(|_| BadCursor)?,
            as_of: as_of.ok_or(BadCursor)?,
            fault: fault.parse().map_err(|_| BadCursor)?,
        })
    }
}

/// The part of the filter that `q` adds: free words as phrases of the text index.
fn phrases(ask: &Ask, filter: &Filter) -> Result<Vec<String>, ApiError> {
    let named = || ask.query.filters().filter(|filter| filter.key == TEXT.name);
    if let Some(negated) = named().find(|filter| filter.negate) {
        return Err(ApiError::invalid(format!(
            "`-{}`: what a text does not contain can't be searched for",
            negated.to_string().trim_start_matches('-')
        )));
    }
    let named = named().flat_map(crate::web::asked::values);
    let texts: Vec<_> = ask.texts().chain(filter.text.as_deref()).chain(named.map(String::as_str)).collect();
    // Marks among words are passed over; marks alone are a mistake.
    let phrases: Vec<_> = texts.iter().filter_map(|text| grams::phrase(text)).collect();
    match texts.first() {
        Some(first) if phrases.is_empty() => Err(nothing_in(first)),
        Some(_) | None => Ok(phrases),
    }
}

fn nothing_in(text: &str) -> ApiError {
    let text = lineman_common::printable::escape(text);
    ApiError::invalid(format!("`{text}` holds nothing to search for: give letters, digits or Chinese characters"))
}

/// What is wrong with a question; it is not asked.
pub fn check(db: &Db<'_>, scope: &Scope, ask: &Ask) -> Result<(), ApiError> {
    let filter = Filter::default();
    sql::Question::new(db, scope, ask, &filter, &phrases(ask, &filter)?, db.now()).map(drop)
}

/// A page of faults with what lists show.
pub fn page(db: &Db<'_>, scope: &Scope, ask: &Ask, filter: &Filter, page: &Page) -> Result<Listing<FaultRow>, ApiError> {
    let as_of = page.after.as_ref().map_or(db.now(), |after| after.as_of);
    let question = sql::Question::new(db, scope, ask, filter, &phrases(ask, filter)?, as_of)?;
    let (found, is_full) = question.page(db, page)?;
    let next =
        found.last().filter(|_| is_full).map(|last| Cursor { stage: last.stage, key: last.key, as_of, fault: last.fault }.to_string());
    let items = found.iter().map(|found| sql::row(db, scope, found.fault)).collect::<Result<Vec<_>, _>>()?;
    let mut listing = Listing::empty(db.now());
    if page.after.is_none() {
        let counted = if next.is_some() { question.count(db, MOST_COUNTED)? } else { items.len() as u64 };
        let is_all = counted <= u64::from(MOST_COUNTED);
        listing.total = Some(counted).filter(|_| is_all);
        listing.total_at_least = (!is_all).then_some(u64::from(MOST_COUNTED));
    }
    listing.searched = SEARCHED.iter().map(|column| (*column).to_owned()).collect();
    listing.incomplete = sql::has_due(db)?;
    Ok(Listing { items: items.into_iter().flatten().collect(), next, ..listing })
}

/// How many faults a query finds, counted up to `most`. Without `status:` in it, only open ones count, as in the list.
pub fn count(db: &Db<'_>, scope: &Scope, ask: &Ask, most: u32) -> Result<ViewCount, ApiError> {
    let filter = Filter { open: !ask.has("status"), ..Filter::default() };
    let question = sql::Question::new(db, scope, ask, &filter, &phrases(ask, &filter)?, db.now())?;
    let count = question.count(db, most)?;
    Ok(ViewCount { count: count.min(u64::from(most)), or_more: count > u64::from(most) })
}

/// Does the count of a query change without anything happening?
pub fn moves(ask: &Ask) -> bool {
    ask.moves(sql::FIELDS)
}

/// Puts the fault's text into the index with the change itself.
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    if let Some(fault) = event.fault
        && sql::is_due(tx, fault)?
    {
        sql::index(tx, fault)?;
    }
    Ok(())
}

/// Works off texts that are in no index yet: those of an earlier server, and what came into the database by other ways.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut nudges = store.nudges();
    while !stop.is_cancelled() {
        let pause = match some(&store).await {
            Ok(true) => Duration::ZERO,
            Ok(false) => NAP,
            Err(error) => {
                tracing::error!(%error, "texts of faults could not be indexed; it is tried again");
                NAP
            }
        };
        let ours = async { while matches!(nudges.recv().await, Ok(Nudge::Orders(_) | Nudge::Recorded(_) | Nudge::SignedOut)) {} };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            () = ours, if !pause.is_zero() => {}
        }
    }
}

/// True when there may be more.
async fn some(store: &Store) -> Result<bool, StoreError> {
    if !store.read(sql::has_due).await? {
        return Ok(false);
    }
    store
        .write(|tx| -> Result<bool, StoreError> {
            let due = sql::due(tx, AT_ONCE)?;
            due.iter().try_for_each(|fault| sql::index(tx, *fault))?;
            Ok(!due.is_empty())
        })
        .await
}

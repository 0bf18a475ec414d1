//! Questions that the library did not answer (KCS: knowledge gaps): what the next case should be about.
//!
//! A question is masked before it is stored, like a draft: it may hold a customer's names, addresses or passwords. The same question in
//! other spacing and capitals is one row with a count. What is typed letter by letter is one question: a longer one by the same person,
//! soon after, takes the place of the shorter one that it begins with. The list is for the support centre's people only.

mod sql;

use jiff::SignedDuration;
use lineman_common::api::{Gap, GapState, HandleGap, Language};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::super::{Error, Reference, masked_beginning, names_in, stored};
use crate::events::{self, Kind, New};
use crate::store::{Db, Store, StoreError, Tx};
use crate::web::{Actor, Scope};

pub use sql::Filter;

/// Characters of a question that are kept.
const LONGEST_QUESTION: usize = 300;
const LONGEST_NOTE: usize = 2_000;
/// A question that goes on within this time was still being typed.
const TYPING: SignedDuration = SignedDuration::from_secs(60);

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// No case was found.
    Nothing,
    /// Cases were shown, and the asker said that none fits.
    NoneFits,
}

/// Records a question that the library did not answer, masked. `product` is that of the equipment that was asked about, if known.
/// A question without a letter or digit is not recorded.
pub fn nothing_found(tx: &mut Tx<'_>, actor: &Actor, text: &str, product: Option<&str>, what: Unanswered) -> Result<(), StoreError> {
    let known = names_in(tx, &actor.scope())?;
    let masked = masked_beginning(text, &known, LONGEST_QUESTION).split_whitespace().collect::<Vec<_>>().join(" ");
    let question = grouped(&masked);
    if question.is_empty() {
        return Ok(());
    }
    let asked = sql::Asked { question: &question, text: &masked, language: language(&masked), product: product.unwrap_or_default(), what };
    if let Some(id) = sql::begun(tx, &question, &actor.name, tx.now() - TYPING)? {
        sql::drop(tx, id)?;
    }
    sql::count(tx, &asked, &actor.name)
}

/// Records that wait for the disk.
static WAITING: Semaphore = Semaphore::const_new(64);

/// Records a search that found nothing, after its answer: nobody waits for the disk, and of very many at once some are not recorded.
pub fn note(store: &Store, tasks: &TaskTracker, actor: Actor, text: String) {
    let Ok(place) = WAITING.try_acquire() else { return };
    let store = store.clone();
    tasks.spawn(async move {
        if let Err(error) = store.write(move |tx| nothing_found(tx, &actor, &text, None, Unanswered::Nothing)).await {
            tracing::error!(%error, "a question that found nothing could not be recorded");
        }
        drop(place);
    });
}

/// What makes two questions the same: letters and digits in their order, without case.
fn grouped(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

fn language(text: &str) -> Language {
    if text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) { Language::Zh } else { Language::En }
}

/// The most asked first.
pub fn list(db: &Db<'_>, filter: &Filter) -> Result<Vec<Gap>, StoreError> {
    sql::list(db, filter)
}

pub fn get(db: &Db<'_>, id: u32) -> Result<Gap, Error> {
    sql::get(db, id)?.ok_or(Error::NoGap)
}

/// Says what becomes of a question: a case was written, none is worth it, or it is open again.
pub fn handle(tx: &mut Tx<'_>, actor: &Actor, id: u32, handling: &HandleGap) -> Result<Gap, Error> {
    get(tx, id)?;
    if handling.note.raw().chars().count() > LONGEST_NOTE {
        return Err(Error::TooLong { what: "note", most: LONGEST_NOTE });
    }
    let case = match (handling.state, handling.case) {
        (GapState::Written, Some(number)) => Some(stored(tx, &Scope::All, &Reference::Number(number))?.case.number),
        (GapState::Written, None) => return Err(Error::NeedsCase),
        (GapState::NotWorth | GapState::Open, None) => None,
        (GapState::NotWorth | GapState::Open, Some(_)) => return Err(Error::NoCaseWanted),
    };
    sql::handle(tx, id, handling, case, &actor.name)?;
    let what = match (handling.state, case) {
        (GapState::Written, Some(number)) => format!("is answered by {number}"),
        (GapState::Written | GapState::NotWorth, _) => "is not worth a case".to_owned(),
        (GapState::Open, _) => "is open again".to_owned(),
    };
    let data = json!({"gap": id, "state": handling.state, "case": case});
    events::append(tx, New::of(Kind::CaseGapHandled, actor, format!("unanswered question {id} {what}")).internal(true).data(data))?;
    get(tx, id)
}

#[cfg(test)]
mod tests;

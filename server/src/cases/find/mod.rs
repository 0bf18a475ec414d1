//! Finding cases: what is asked becomes a plan, the index answers it, meaning adds to it, and the best are looked at closely.
//!
//! 1. [`plan`] makes clauses of the question; an exact code or a case's number is a tier of its own.
//! 2. The library's index scores and counts every case of the scope's half ([`super::library`]): hits, total, facets.
//! 3. When that finds nothing, or nothing that says much of the question, words that no case has are taken for others like them.
//! 4. Meaning, where it is installed, adds what says the same in other words ([`rank::meaning`] says how much it counts).
//! 5. The best are read from the database, within the scope again: their history, the fault's equipment and alarms move them
//!    ([`rank`]), and what matched is marked in their text ([`highlight`]).
//!
//! No text is an error: it is read up to a length, terms are counted, and every step has a limit of work instead of time.

mod fields;
mod filter;
mod found;
mod highlight;
pub mod http;
mod plan;
mod rank;
mod sql;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use lineman_common::Printable;
use lineman_common::api::{CaseAnswer, CaseBody, CaseHit, Fault, Language, NoteKind, SearchNote};
use lineman_common::query::Query;

use super::Error;
use super::library::Library;
use crate::alarms;
use crate::equipment::{self, Reference as EquipmentReference};
use crate::faults;
use crate::meaning::{Meaning, Shelf};
use crate::search::index::{Among, Require};
use crate::search::synonyms::{Shared, Synonyms};
use crate::search::tokens::{self, Analysis};
use crate::store::{Db, StoreError};
use crate::web::Scope;

pub use fields::{Documents, FORMAT, passage};
pub use filter::{Wanted, read};
use found::Found;
use plan::{LONGEST_QUESTION, Planner};

/// Neighbours that meaning is asked for.
const NEIGHBOURS: usize = 50;
/// Steps up the tree of equipment that count.
const MOST_PARENTS: usize = 3;
/// Similar cases on a fault's page.
const SIMILAR: usize = 5;

/// What finds cases; clones share it.
#[derive(Clone)]
pub struct Finder {
    library: Library,
    meaning: Meaning,
    table: Shared,
}

/// What is asked.
#[derive(Default)]
pub struct Ask<'a> {
    /// Plain text: whatever stands in it is searched for.
    pub text: &'a str,
    /// Parts of the text that should stand in a case as they are.
    pub quoted: Vec<&'a str>,
    pub filters: Vec<Wanted>,
    /// The fault that it is about.
    pub about: About,
    /// The last word may be the beginning of one.
    pub typing: bool,
    /// Leave out what only shares a word.
    pub only_similar: bool,
    pub facets: bool,
    pub limit: usize,
}

/// What is known of a fault beside its words.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The device, then its parents.
    pub equipment: Vec<Device>,
    /// Types of its alarms.
    pub codes: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Device {
    pub product: String,
    pub model: String,
    pub software: String,
}

impl About {
    /// A device and what it stands in.
    pub fn device(db: &Db<'_>, scope: &Scope, reference: &EquipmentReference) -> Result<Self, Error> {
        let mut about = Self::default();
        let mut next = Some(reference.clone());
        while let Some(reference) = next.take().filter(|_| about.equipment.len() <= MOST_PARENTS) {
            let device = equipment::get(db, scope, &reference)?;
            next = device.parent.map(EquipmentReference::Name);
            about.equipment.push(Device {
                product: device.product.raw().to_owned(),
                model: device.model.raw().to_owned(),
                software: device.software.raw().to_owned(),
            });
        }
        Ok(about)
    }

    fn is_empty(&self) -> bool {
        self.equipment.is_empty() && self.codes.is_empty()
    }

    /// The names of the device itself: words that raise what was found.
    fn names(&self) -> Vec<String> {
        let own = self.equipment.first().into_iter().flat_map(|device| [&device.product, &device.model]);
        own.filter(|name| !name.trim().is_empty()).cloned().collect()
    }
}

impl Finder {
    pub fn new(library: Library, meaning: Meaning) -> Self {
        Self { library, meaning, table: Shared::default() }
    }

    /// The best cases for a question in the query grammar; without words, the newest that pass its filters, or that are validated.
    pub fn search(&self, db: &Db<'_>, scope: &Scope, query: &Query, ask: Ask<'_>) -> Result<CaseAnswer, StoreError> {
        let text = query.text();
        let mut answer = self.answer(db, scope, &Ask { text: &text, quoted: query.phrases().collect(), ..ask })?;
        if !query.unknown.is_empty() {
            let keys = filter::KEYS.iter().filter(|key| scope.sees_internal() || key.name != filter::FLAG);
            let keys = keys.map(|key| format!("{}:", key.name)).collect::<Vec<_>>().join(", ");
            let words: Vec<_> = query.unknown.iter().map(|key| Printable::from(format!("{key}:"))).collect();
            let text =
                format!("{} searched as text; the filters are {keys}", said(&words, "is no filter and was", "are no filters and were"));
            answer.notes.push(SearchNote { kind: NoteKind::NotAFilter, text: text.into(), words });
        }
        Ok(answer)
    }

    /// What fits a fault that is being typed.
    pub fn suggest(
        &self,
        db: &Db<'_>,
        scope: &Scope,
        text: &str,
        about: Option<&EquipmentReference>,
        limit: usize,
    ) -> Result<Vec<CaseHit>, Error> {
        let about = about.map(|reference| About::device(db, scope, reference)).transpose()?.unwrap_or_default();
        Ok(self.answer(db, scope, &Ask { text, about, typing: true, only_similar: true, limit, ..Ask::default() })?.items)
    }

    /// What fits a fault, by its words, its alarms and its equipment.
    pub fn similar_to_fault(&self, db: &Db<'_>, scope: &Scope, fault: &Fault) -> Result<Vec<CaseHit>, Error> {
        let alarms = alarms::of_fault(db, fault.id)?;
        let mut texts = vec![fault.title.raw(), fault.description.raw()];
        texts.extend(alarms.iter().map(|alarm| alarm.text.raw()));
        let device = faults::equipment_of(db, fault)?.map(|known| EquipmentReference::Id(known.id));
        let mut about = device.map(|device| About::device(db, &Scope::All, &device)).transpose()?.unwrap_or_default();
        about.codes = alarms.iter().map(|alarm| alarm.alarm_type.raw().to_owned()).collect();
        about.codes.sort_unstable();
        about.codes.dedup();
        let ask = Ask { text: &texts.join("\n"), about, only_similar: true, limit: SIMILAR, ..Ask::default() };
        Ok(self.answer(db, scope, &ask)?.items)
    }

    /// The best cases that the scope may see. No text makes it fail.
    pub fn answer(&self, db: &Db<'_>, scope: &Scope, ask: &Ask<'_>) -> Result<CaseAnswer, StoreError> {
        let table = self.table.newest(db)?;
        let text: String = ask.text.chars().take(LONGEST_QUESTION).collect();
        let typed = tokens::analyse(&text);
        let mut found = self.gather(db, scope, ask, &table, &typed)?;
        found.numbers(db, scope, ask, &text)?;
        if ask.text.chars().nth(LONGEST_QUESTION).is_some() {
            let text = format!("only the first {LONGEST_QUESTION} characters of the question were read");
            found.notes.push(SearchNote { kind: NoteKind::Cut, text: text.into(), words: Vec::new() });
        }
        found.answer(db, scope, ask, &table, &typed)
    }

    /// What the index and the meaning say. The index is held twice and never in between: meaning may take its time.
    fn gather(&self, db: &Db<'_>, scope: &Scope, ask: &Ask<'_>, table: &Synonyms, typed: &Analysis) -> Result<Found, StoreError> {
        let mut found = self.by_words(db, scope, ask, table, typed)?;
        if found.has_words && self.meaning.is_on() && !found.has_code() {
            self.by_meaning(db, scope, ask, &mut found)?;
        }
        if !self.library.health().is_whole {
            let text = "the index of the library is being built: there may be more cases than are found now";
            found.notes.push(SearchNote { kind: NoteKind::Rebuilding, text: text.into(), words: Vec::new() });
        }
        Ok(found)
    }

    fn by_words(&self, db: &Db<'_>, scope: &Scope, ask: &Ask<'_>, table: &Synonyms, typed: &Analysis) -> Result<Found, StoreError> {
        let has_words = !ask.text.trim().is_empty() || !ask.about.codes.is_empty();
        let among = among(db, scope, ask)?;
        let index = self.library.of(db, scope)?;
        let (codes, names) = (&ask.about.codes, ask.about.names());
        let mut planner = Planner { index: &index, table, typed, typing: ask.typing, guess: false };
        let mut found = Found::of(planner.plan(codes, &names), has_words);
        found.ask(&index, ask, &among, scope);
        if has_words && found.coverage() < rank::FLOOR {
            planner.guess = true;
            let second = planner.plan(codes, &names);
            if !second.corrected.is_empty() {
                found = Found::of(second, has_words);
                found.ask(&index, ask, &among, scope);
            }
        }
        Ok(found)
    }

    fn by_meaning(&self, db: &Db<'_>, scope: &Scope, ask: &Ask<'_>, found: &mut Found) -> Result<(), StoreError> {
        let Some(vector) = self.meaning.ask(ask.text, self.meaning.within()) else { return Ok(()) };
        let shelf = if scope.sees_internal() { Shelf::All } else { Shelf::Published };
        let near = self.meaning.nearest(shelf, &vector, NEIGHBOURS);
        let among = among(db, scope, ask)?;
        let index = self.library.of(db, scope)?;
        let require = requirements(ask);
        let passes = |key: u32| among.iter().all(|among| among.has(key)) && index.passes(key, &require);
        let near: Vec<_> = near.into_iter().filter(|(key, _)| found.hits.contains_key(key) || passes(*key)).collect();
        drop(index);
        let weight = rank::meaning(found.coverage(), found.has_code());
        found.mean(weight, &near, |key| self.meaning.similarity(key, &vector));
        Ok(())
    }
}

fn requirements(ask: &Ask<'_>) -> Vec<Require> {
    ask.filters.iter().filter_map(Wanted::require).collect()
}

fn among(db: &Db<'_>, scope: &Scope, ask: &Ask<'_>) -> Result<Arc<[Among]>, StoreError> {
    ask.filters.iter().filter_map(|wanted| wanted.among(db, scope).transpose()).collect()
}

/// `"a" was`, `"a" and "b" were`.
fn said(words: &[Printable], one: &str, more: &str) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    format!("{} {}", quoted.join(", "), if quoted.len() == 1 { one } else { more })
}

/// Does a case say these words, one after the other? Case, width and script make no difference.
fn says(body: &CaseBody, phrase: &str) -> bool {
    let wanted = tokens::exact(phrase);
    let texts = [&body.zh, &body.en].into_iter().flatten();
    let mut fields = texts.flat_map(|text| fields::TEXT_FIELDS.map(|field| text.field(field)));
    let letters = wanted.chars().skip(1).collect::<String>();
    !letters.is_empty() && fields.any(|field| tokens::letters(field.raw()).contains(&letters))
}

pub fn prefers_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// The title in the reader's language if there is one, else in the other.
pub fn title(body: &CaseBody, prefers_chinese: bool) -> (Language, Printable) {
    let zh = body.zh.as_ref().map(|text| (Language::Zh, text.title.clone()));
    let en = body.en.as_ref().map(|text| (Language::En, text.title.clone()));
    let (first, second) = if prefers_chinese { (zh, en) } else { (en, zh) };
    first.or(second).unwrap_or((Language::En, Printable::default()))
}

//! The table of words that mean the same: the field's own groups, which come with the server, and the users'.
//!
//! A built-in group can be switched off, never edited: an upgrade may bring a better one. Users' groups are added to it. A search
//! takes what [`load`] gives, and asks [`revision`] whether its copy is still the newest; so a change counts from the next question on.
//!
//! What may not be meant is a warning, and what can't be found by any question is an error: a phrase in two groups is meant
//! sometimes (`board` is a card, and a board of directors), a phrase of punctuation never.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use lineman_common::Printable;
use lineman_common::api::{LineVerdict, NewSynonyms, SynonymGroup, SynonymImport, SynonymLine};
use lineman_common::id::SynonymId;
use lineman_common::printable::is_invisible;
use lineman_common::statement::sha256_hex;
use serde_json::json;

use super::sql;
use super::synonyms::key;
use super::tokens;
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

const MOST_GROUPS: u32 = 5_000;
/// In one group, of both languages together.
const MOST_PHRASES: usize = 40;
/// Characters.
const LONGEST_PHRASE: usize = 60;
/// Words of every second case: what they are made to mean widens nearly every question.
const COMMON: &[&str] = &["device", "equipment", "error", "network", "problem", "system", "告警", "故障", "系统", "网络", "设备", "问题"];
const BUILT_IN: &str = include_str!("synonyms.tsv");

static FIELD: LazyLock<Vec<BuiltIn>> = LazyLock::new(|| {
    let lines = BUILT_IN.lines().filter_map(phrases_of_line);
    lines.map(|new| BuiltIn { id: field_id(&new), new }).collect()
});

struct BuiltIn {
    id: String,
    new: NewSynonyms,
}

/// A group is known by its first phrase, so that phrases that an upgrade adds to it leave it switched off.
fn field_id(group: &NewSynonyms) -> String {
    let first = phrases(group).next().map(Printable::raw).unwrap_or_default();
    format!("field-{}", &sha256_hex(first)[..10])
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such group of synonyms")]
    NotFound,
    #[error("this group is built in: it can be switched off, not edited")]
    BuiltIn,
    #[error("a group needs at least two phrases that mean the same")]
    TooFew,
    #[error("a group has at most {MOST_PHRASES} phrases: this one has {0}")]
    TooMany(usize),
    #[error("there are {MOST_GROUPS} groups already: remove some that no question uses")]
    Full,
    #[error("`{phrase}` is not a phrase: {why}")]
    Phrase { phrase: Printable, why: &'static str },
    #[error("the table is not what the plan was made for: {0}")]
    OtherPlan(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("group of synonyms"),
            Error::BuiltIn => Self::conflict(error.to_string()).hint("switch it off, and add a group of your own"),
            Error::TooFew | Error::TooMany(_) | Error::Full | Error::Phrase { .. } => Self::invalid(error.to_string()),
            Error::OtherPlan(_) => Self::conflict(error.to_string()).hint("send it without `plan`, and look at the new plan"),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

// ---- What a search takes --------------------------------------------------------------------------------------------

/// Phrases that mean the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub zh: Vec<String>,
    pub en: Vec<String>,
}

/// Every group that is switched on: the built-in ones first, then the users'.
pub fn load(db: &Db<'_>) -> Result<Vec<Group>, StoreError> {
    let plain = |phrases: Vec<Printable>| phrases.iter().map(|phrase| phrase.raw().to_owned()).collect();
    let on = all(db)?.into_iter().filter(|group| group.on);
    Ok(on.map(|group| Group { zh: plain(group.zh), en: plain(group.en) }).collect())
}

/// Rises with every change of what [`load`] gives.
pub fn revision(db: &Db<'_>) -> Result<u64, StoreError> {
    sql::revision(db)
}

// ---- What people see ------------------------------------------------------------------------------------------------

fn all(db: &Db<'_>) -> Result<Vec<SynonymGroup>, StoreError> {
    let off: HashMap<String, sql::Off> = sql::off(db)?.into_iter().map(|off| (off.id.clone(), off)).collect();
    let built_in = FIELD.iter().map(|group| SynonymGroup {
        id: group.id.clone(),
        zh: group.new.zh.clone(),
        en: group.new.en.clone(),
        built_in: true,
        on: true,
        changed_by: None,
        changed_at: None,
        warnings: Vec::new(),
    });
    let users = sql::groups(db)?.into_iter().map(|kept| SynonymGroup {
        id: kept.id.to_string(),
        zh: kept.zh,
        en: kept.en,
        built_in: false,
        on: true,
        changed_by: Some(kept.person),
        changed_at: Some(kept.at),
        warnings: Vec::new(),
    });
    let switched = |group: SynonymGroup| match off.get(&group.id) {
        Some(off) => SynonymGroup { on: false, changed_by: Some(off.person.clone()), changed_at: Some(off.at), ..group },
        None => group,
    };
    Ok(built_in.chain(users).map(switched).collect())
}

/// The built-in groups, then the users'. A carrier's people see the built-in ones.
pub fn list(db: &Db<'_>, scope: &Scope) -> Result<Vec<SynonymGroup>, Error> {
    let mut groups = all(db)?;
    groups.retain(|group| group.built_in || scope.sees_internal());
    if !scope.sees_internal() {
        for group in &mut groups {
            (group.on, group.changed_by, group.changed_at) = (true, None, None);
        }
        return Ok(groups);
    }
    let table = Places::of(&groups);
    let warned = groups.iter().map(|group| if group.built_in { Vec::new() } else { table.warnings(&new_of(group), &group.id) });
    let warned: Vec<_> = warned.collect();
    Ok(groups.into_iter().zip(warned).map(|(group, warnings)| SynonymGroup { warnings, ..group }).collect())
}

fn shown(db: &Db<'_>, id: &str) -> Result<SynonymGroup, Error> {
    list(db, &Scope::All)?.into_iter().find(|group| group.id == id).ok_or(Error::NotFound)
}

/// The users' groups in the form of the built-in table.
pub fn export(db: &Db<'_>) -> Result<String, StoreError> {
    let joined = |phrases: &[Printable]| phrases.iter().map(Printable::raw).collect::<Vec<_>>().join("; ");
    let lines = all(db)?.into_iter().filter(|group| !group.built_in).map(|group| format!("{}\t{}\n", joined(&group.zh), joined(&group.en)));
    let mut lines: Vec<_> = lines.collect();
    // By their words, not by their age: the same groups make the same file.
    lines.sort();
    Ok(lines.concat())
}

// ---- Changes --------------------------------------------------------------------------------------------------------

pub fn add(tx: &mut Tx<'_>, actor: &Actor, new: NewSynonyms) -> Result<SynonymGroup, Error> {
    let new = checked(new)?;
    if sql::count(tx)? >= MOST_GROUPS {
        return Err(Error::Full);
    }
    let id = SynonymId::new();
    sql::put(tx, id, &new.zh, &new.en, &actor.name)?;
    tell(tx, actor, "added", &id.to_string(), &new)?;
    shown(tx, &id.to_string())
}

/// The id of a users' group; a built-in one is an error of its own.
fn users(tx: &Tx<'_>, id: &str) -> Result<sql::Kept, Error> {
    if FIELD.iter().any(|group| group.id == id) {
        return Err(Error::BuiltIn);
    }
    sql::group(tx, id.parse().map_err(|_| Error::NotFound)?)?.ok_or(Error::NotFound)
}

pub fn edit(tx: &mut Tx<'_>, actor: &Actor, id: &str, new: NewSynonyms) -> Result<SynonymGroup, Error> {
    let kept = users(tx, id)?;
    let new = checked(new)?;
    if (&kept.zh, &kept.en) != (&new.zh, &new.en) {
        sql::put(tx, kept.id, &new.zh, &new.en, &actor.name)?;
        tell(tx, actor, "changed", id, &new)?;
    }
    shown(tx, id)
}

pub fn remove(tx: &mut Tx<'_>, actor: &Actor, id: &str) -> Result<SynonymGroup, Error> {
    let kept = users(tx, id)?;
    let group = shown(tx, id)?;
    sql::delete(tx, kept.id)?;
    tell(tx, actor, "removed", id, &new_of(&group))?;
    Ok(group)
}

pub fn switch(tx: &mut Tx<'_>, actor: &Actor, id: &str, on: bool) -> Result<SynonymGroup, Error> {
    let group = shown(tx, id)?;
    if group.on != on {
        if on {
            sql::switch_on(tx, id)?;
        } else {
            sql::switch_off(tx, id, &actor.name)?;
        }
        tell(tx, actor, if on { "switched on" } else { "switched off" }, id, &new_of(&group))?;
    }
    shown(tx, id)
}

fn tell(tx: &mut Tx<'_>, actor: &Actor, what: &str, id: &str, group: &NewSynonyms) -> Result<(), Error> {
    let said: Vec<_> = phrases(group).take(3).map(ToString::to_string).collect();
    let event = New::of(Kind::SynonymsChanged, actor, format!("synonyms {what}: {}", said.join(", ")));
    events::append(tx, event.internal(true).data(json!({"group": id, "what": what, "zh": group.zh, "en": group.en})))?;
    Ok(())
}

// ---- Import ---------------------------------------------------------------------------------------------------------

/// What a table would change; with the plan of a dry run, it is carried out.
pub fn import(tx: &mut Tx<'_>, actor: &Actor, table: &str, wanted: Option<&str>) -> Result<SynonymImport, Error> {
    let plan = plan(tx, table)?;
    let Some(wanted) = wanted else { return Ok(plan) };
    if wanted != plan.plan {
        return Err(Error::OtherPlan("the table or the groups changed since".into()));
    }
    for line in &plan.lines {
        let new = NewSynonyms { zh: line.zh.clone(), en: line.en.clone() };
        match (line.verdict, &line.group) {
            (LineVerdict::New, _) => drop(add(tx, actor, new)?),
            (LineVerdict::Changed, Some(id)) => drop(edit(tx, actor, id, new)?),
            (LineVerdict::Changed, None) | (LineVerdict::Same | LineVerdict::Refused, _) => {}
        }
    }
    Ok(SynonymImport { applied: true, ..plan })
}

pub fn plan(db: &Db<'_>, table: &str) -> Result<SynonymImport, Error> {
    let groups = all(db)?;
    let places = Places::of(&groups);
    let mut taken = HashSet::new();
    let numbered = (1u32..).zip(table.trim_start_matches('\u{feff}').lines());
    let lines: Vec<_> = numbered
        .filter_map(|(number, line)| Some((number, phrases_of_line(line)?)))
        .map(|(number, new)| places.line(number, new, &groups, &mut taken))
        .collect();
    let missing = groups.iter().filter(|group| !group.built_in && !taken.contains(&group.id)).map(|group| group.id.clone()).collect();
    let all = json!([table, lines, missing, revision(db)?]);
    Ok(SynonymImport { plan: sha256_hex(all.to_string())[..16].to_owned(), lines, missing, applied: false })
}

/// A line of a table; `None` for comments and empty lines. Without a tab, phrases with Chinese characters are the Chinese ones.
fn phrases_of_line(line: &str) -> Option<NewSynonyms> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let split = |text: &str| -> Vec<Printable> {
        text.split([';', '\t']).map(str::trim).filter(|text| !text.is_empty()).map(Printable::from).collect()
    };
    if let Some((zh, en)) = line.split_once('\t') {
        return Some(NewSynonyms { zh: split(zh), en: split(en) });
    }
    let (zh, en) = split(line).into_iter().partition(|phrase| phrase.raw().chars().any(is_han));
    Some(NewSynonyms { zh, en })
}

// ---- Rules ----------------------------------------------------------------------------------------------------------

/// Where each phrase stands, by the tokens that a question finds it with.
struct Places {
    groups: HashMap<String, Vec<String>>,
}

impl Places {
    fn of(groups: &[SynonymGroup]) -> Self {
        let mut places: HashMap<String, Vec<String>> = HashMap::new();
        for group in groups {
            for phrase in group.zh.iter().chain(&group.en) {
                let ids = places.entry(key(phrase.raw())).or_default();
                if !ids.contains(&group.id) {
                    ids.push(group.id.clone());
                }
            }
        }
        Self { groups: places }
    }

    fn with(&self, phrase: &Printable) -> &[String] {
        self.groups.get(&key(phrase.raw())).map_or(&[], Vec::as_slice)
    }

    /// What may not be meant in a group.
    fn warnings(&self, group: &NewSynonyms, id: &str) -> Vec<String> {
        phrases(group).flat_map(|phrase| self.doubts(phrase, id)).collect()
    }

    fn doubts(&self, phrase: &Printable, id: &str) -> Vec<String> {
        let elsewhere = self.with(phrase).iter().filter(|other| *other != id);
        let mut doubts: Vec<_> = elsewhere.map(|other| format!("`{phrase}` also stands in the group {other}")).collect();
        let text = phrase.raw().trim().to_lowercase();
        if text.chars().count() == 1 {
            doubts.push(format!("`{phrase}` is a single character: it is part of many words"));
        } else if COMMON.binary_search(&text.as_str()).is_ok()
            || text.split_whitespace().all(|word| tokens::is_function_word(word) || is_number(word))
        {
            doubts.push(format!("`{phrase}` is too common to tell cases apart"));
        }
        doubts
    }

    /// What becomes of a line. It is a users' group's new text when it shares a phrase with that group alone.
    fn line(&self, line: u32, new: NewSynonyms, groups: &[SynonymGroup], taken: &mut HashSet<String>) -> SynonymLine {
        let refused = |new: NewSynonyms, reason: String| SynonymLine {
            line,
            verdict: LineVerdict::Refused,
            group: None,
            zh: new.zh,
            en: new.en,
            reason: Some(reason),
            warnings: Vec::new(),
        };
        let new = match checked(new.clone()) {
            Ok(new) => new,
            Err(error) => return refused(new, error.to_string()),
        };
        let is_same = |group: &&SynonymGroup| group.zh == new.zh && group.en == new.en;
        let sharing = groups.iter().filter(|group| !group.built_in && phrases(&new).any(|phrase| self.with(phrase).contains(&group.id)));
        let sharing: Vec<_> = sharing.collect();
        let (verdict, group) = match (groups.iter().find(is_same), sharing.as_slice()) {
            (Some(same), _) => (LineVerdict::Same, Some(same.id.clone())),
            (None, []) => (LineVerdict::New, None),
            (None, [one]) => (LineVerdict::Changed, Some(one.id.clone())),
            (None, [one, other, ..]) => {
                taken.extend(sharing.iter().map(|group| group.id.clone()));
                let reason =
                    format!("its phrases stand in the groups {} and {}: remove one of them, or take the phrase out", one.id, other.id);
                return refused(new, reason);
            }
        };
        if let Some(id) = &group
            && !taken.insert(id.clone())
        {
            return refused(new, format!("another line before is the group {id} already: join the two lines"));
        }
        let warnings = self.warnings(&new, group.as_deref().unwrap_or_default());
        SynonymLine { line, verdict, group, zh: new.zh, en: new.en, reason: None, warnings }
    }
}

fn phrases(group: &NewSynonyms) -> impl Iterator<Item = &Printable> {
    group.zh.iter().chain(&group.en)
}

fn new_of(group: &SynonymGroup) -> NewSynonyms {
    NewSynonyms { zh: group.zh.clone(), en: group.en.clone() }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit())
}

/// As it is kept: trimmed, and no phrase twice.
fn checked(new: NewSynonyms) -> Result<NewSynonyms, Error> {
    let mut seen = HashSet::new();
    let mut tidy = |phrases: Vec<Printable>| -> Result<Vec<Printable>, Error> {
        let phrases = phrases.into_iter().map(|phrase| Printable::from(phrase.raw().trim()));
        let phrases: Vec<_> = phrases.filter(|phrase| seen.insert(phrase.raw().to_lowercase())).collect();
        phrases.iter().try_for_each(check)?;
        Ok(phrases)
    };
    let new = NewSynonyms { zh: tidy(new.zh)?, en: tidy(new.en)? };
    match phrases(&new).count() {
        0 | 1 => Err(Error::TooFew),
        many if many > MOST_PHRASES => Err(Error::TooMany(many)),
        _ => Ok(new),
    }
}

fn check(phrase: &Printable) -> Result<(), Error> {
    let text = phrase.raw();
    let why = if text.is_empty() {
        "it is empty"
    } else if text.chars().count() > LONGEST_PHRASE {
        "it is longer than 60 characters"
    } else if text.contains(';') || text.starts_with('#') {
        "`;` separates phrases and `#` begins a comment in the table"
    } else if text.chars().any(|c| c.is_control() || is_invisible(c)) {
        "it has a tab, a line break or an invisible character"
    } else if key(text).is_empty() {
        "it has no word that a question could use; codes like `ALM-1` are found without synonyms"
    } else {
        return Ok(());
    };
    Err(Error::Phrase { phrase: phrase.clone(), why })
}

#[cfg(test)]
mod tests;

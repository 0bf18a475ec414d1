//! What an import would do with each case.

use std::collections::HashMap;

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{
    ArriveAs, CaseBody, CaseEquipment, CaseField, CaseImport, CaseItem, CaseState, FieldChange, ImportPlan, ImportVerdict, Language,
    PlannedCase, Pruned,
};
use lineman_common::exchange;
use lineman_common::name::CaseNumber;
use lineman_common::statement::sha256_hex;
use serde_json::json;

use super::sql::{self, Held};
use super::{Error, LONGEST_KEY, LONGEST_SOURCE, MOST_CASES};
use crate::store::{Db, StoreError};

/// Of cases that are known by what they say.
pub const BY_TEXT: &str = "text";
/// Of cases that came with an id of another library.
pub const BY_ID: &str = "lineman";

/// Whose name for a case is to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    pub source: String,
    pub key: String,
}

/// What carrying out a judgement means.
#[derive(Clone, Debug)]
pub enum Act {
    Nothing,
    Create(Box<CaseBody>),
    Edit(CaseNumber, Box<CaseBody>),
    /// It says the same; from now on it has the other system's name too.
    Bind(CaseNumber),
    Archive(CaseNumber),
}

pub struct Judged {
    pub told: PlannedCase,
    pub act: Act,
    pub origin: Option<Origin>,
    /// Stands for the text that is imported.
    text: String,
}

pub struct Plan {
    pub judged: Vec<Judged>,
    made_at: Timestamp,
    /// Stands for every judgement and what it was made from.
    hash: String,
}

impl Plan {
    fn name(&self) -> String {
        format!("{}-{}", self.made_at.as_microsecond(), self.hash)
    }

    /// Is it, whenever it was made, the plan of this name?
    pub fn is(&self, name: &str) -> bool {
        name.split_once('-').is_some_and(|(_, hash)| hash == self.hash)
    }

    /// Cases of the library that changed since the plan of this name was made.
    pub fn changed_since(&self, name: &str) -> Vec<PlannedCase> {
        let at = name.split_once('-').and_then(|(at, _)| Timestamp::from_microsecond(at.parse().ok()?).ok());
        let Some(at) = at else { return Vec::new() };
        let is_newer = |judged: &&Judged| judged.told.updated_at.is_some_and(|updated| updated >= at);
        self.judged.iter().filter(is_newer).map(|judged| judged.told.clone()).collect()
    }

    pub fn told(self, applied: bool) -> ImportPlan {
        ImportPlan { plan: self.name(), applied, cases: self.judged.into_iter().map(|judged| judged.told).collect() }
    }
}

pub fn of(db: &Db<'_>, import: &CaseImport) -> Result<Plan, Error> {
    let entries = entries(import);
    match entries.len() + import.prune.len() {
        0 => return Err(Error::Nothing),
        many if many > MOST_CASES => return Err(Error::TooMany(many)),
        _ => {}
    }
    let mut seen = Seen::default();
    let mut judged = Vec::new();
    for (place, item) in entries {
        judged.push(match item {
            Ok(item) => seen.once(item_of(db, place, item, import.arrive_as)?),
            Err(why) => Judged::refused(PlannedCase::at(place), why),
        });
    }
    for pruned in &import.prune {
        judged.push(seen.once(prune(db, pruned)?));
    }
    let marks: Vec<_> = judged.iter().map(|judged| json!([judged.told, judged.text, format!("{:?}", judged.act)])).collect();
    let hash = sha256_hex(json!([import.arrive_as, marks]).to_string())[..16].to_owned();
    Ok(Plan { judged, made_at: db.now(), hash })
}

type Entry = (String, Result<CaseItem, String>);

fn entries(import: &CaseImport) -> Vec<Entry> {
    let items = import.items.iter().enumerate().map(|(at, item)| (format!("items[{at}]"), Ok(item.clone())));
    let files = import.files.iter().flat_map(|file| {
        let name = Printable::from(file.name.as_str()).to_string();
        match exchange::form_of(&file.name) {
            Some(form) => exchange::read(form, &file.text).into_iter().map(|read| (format!("{name}:{}", read.line), read.item)).collect(),
            None => vec![(name, Err("its form is told by the end of its name: .md, .csv, .json or .jsonl".to_owned()))],
        }
    });
    items.chain(files).collect()
}

trait At {
    fn at(place: String) -> Self;
}

impl At for PlannedCase {
    fn at(place: String) -> Self {
        Self {
            place,
            verdict: ImportVerdict::Refused,
            id: None,
            number: None,
            version: None,
            title: Printable::default(),
            state: None,
            changes: Vec::new(),
            reason: None,
            warnings: Vec::new(),
            library: None,
            updated_at: None,
        }
    }
}

impl Judged {
    fn refused(told: PlannedCase, why: impl Into<Printable>) -> Self {
        let told = PlannedCase { verdict: ImportVerdict::Refused, reason: Some(why.into()), ..told };
        Self { told, act: Act::Nothing, origin: None, text: String::new() }
    }

    fn nothing(told: PlannedCase, verdict: ImportVerdict) -> Self {
        Self { told: PlannedCase { verdict, ..told }, act: Act::Nothing, origin: None, text: String::new() }
    }
}

/// Which cases an import has spoken of: each once.
#[derive(Default)]
struct Seen {
    numbers: HashMap<CaseNumber, String>,
    origins: HashMap<Origin, String>,
}

impl Seen {
    fn once(&mut self, judged: Judged) -> Judged {
        let place = judged.told.place.clone();
        let by_number = judged.told.number.and_then(|number| self.numbers.insert(number, place.clone()));
        let by_origin = judged.origin.clone().and_then(|origin| self.origins.insert(origin, place));
        match by_number.or(by_origin) {
            Some(other) => Judged::refused(judged.told, format!("it is the same case as {other}: leave one of them out")),
            None => judged,
        }
    }
}

/// The case that an item means, and the version of it that both sides last agreed on.
struct Known {
    held: Option<Held>,
    base: Option<u32>,
    /// To be kept with what is written.
    origin: Option<Origin>,
    /// Is the origin's name new to the library?
    binds: bool,
}

fn known(db: &Db<'_>, item: &CaseItem) -> Result<Result<Known, String>, StoreError> {
    let named = (!item.key.is_empty()).then(|| Origin { source: item.source.raw().to_owned(), key: item.key.raw().to_owned() });
    let own = match (item.id, item.number) {
        (Some(id), _) => sql::by_id(db, id)?,
        (None, Some(number)) => sql::by_number(db, number)?,
        (None, None) => None,
    };
    if let Some(held) = own {
        return Ok(match item.number {
            Some(number) if number != held.number => {
                Err(format!("its id is that of {}, its number is {number}: leave one out", held.number))
            }
            _ => name_of(db, held, item.version, named)?,
        });
    }
    if let (None, Some(number)) = (item.id, item.number) {
        return Ok(Err(format!("there is no {number} here: leave `number` out to make a new case")));
    }
    let origin = match (named, item.id) {
        (Some(named), _) => named,
        // From another library: its id there is its name.
        (None, Some(id)) => Origin { source: BY_ID.to_owned(), key: id.to_string() },
        (None, None) => Origin { source: BY_TEXT.to_owned(), key: text_of(&item.body) },
    };
    let (held, base) = sql::by_source(db, &origin.source, &origin.key)?.unzip();
    Ok(Ok(Known { held, base, origin: Some(origin), binds: false }))
}

/// A case that is known by its own name may get another system's too, which must not be another case's.
fn name_of(db: &Db<'_>, held: Held, base: Option<u32>, named: Option<Origin>) -> Result<Result<Known, String>, StoreError> {
    let bound = match &named {
        Some(Origin { source, key }) => sql::by_source(db, source, key)?.map(|(held, _)| held.number),
        None => None,
    };
    Ok(match bound {
        Some(other) if other != held.number => Err(format!("its `source` and `key` are those of {other}")),
        _ => Ok(Known { binds: named.is_some() && bound.is_none(), held: Some(held), base, origin: named }),
    })
}

/// What a case says, in a few characters.
pub fn text_of(body: &CaseBody) -> String {
    sha256_hex(serde_json::to_string(body).unwrap_or_default())
}

fn item_of(db: &Db<'_>, place: String, item: CaseItem, arrive_as: ArriveAs) -> Result<Judged, StoreError> {
    let told = PlannedCase { id: item.id, number: item.number, title: title(&item.body), ..PlannedCase::at(place) };
    let (source, key) = (item.source.raw(), item.key.raw());
    if source.chars().count() > LONGEST_SOURCE || key.chars().count() > LONGEST_KEY {
        return Ok(Judged::refused(told, format!("`source` has at most {LONGEST_SOURCE} characters, `key` {LONGEST_KEY}")));
    }
    if [BY_TEXT, BY_ID].contains(&source) {
        return Ok(Judged::refused(told, format!("`{BY_TEXT}` and `{BY_ID}` are no `source`: the import uses them itself")));
    }
    if let Err(why) = super::super::check(&item.body) {
        return Ok(Judged::refused(told, why.to_string()));
    }
    let known = match known(db, &item)? {
        Ok(known) => known,
        Err(why) => return Ok(Judged::refused(told, why)),
    };
    let text = text_of(&item.body);
    let mut judged = match known.held {
        None => new(told, item, known.origin, arrive_as),
        Some(ref held) => {
            let told = PlannedCase {
                id: Some(held.id),
                number: Some(held.number),
                version: Some(held.version),
                state: Some(held.state),
                updated_at: Some(held.updated_at),
                ..told
            };
            against(db, told, item, &known, held, arrive_as)?
        }
    };
    judged.text = text;
    Ok(judged)
}

fn title(body: &CaseBody) -> Printable {
    body.zh.as_ref().or(body.en.as_ref()).map(|text| text.title.clone()).unwrap_or_default()
}

fn new(told: PlannedCase, item: CaseItem, origin: Option<Origin>, arrive_as: ArriveAs) -> Judged {
    if let Some(why) = not_reviewable(&item.body, arrive_as) {
        return Judged::refused(told, why);
    }
    let by_text = origin.as_ref().is_some_and(|origin| origin.source == BY_TEXT);
    let warnings = by_text.then(|| "it has neither `number` nor `key`: it is known again only as long as it says the same".to_owned());
    let told = PlannedCase {
        verdict: ImportVerdict::New,
        // Those of another library mean nothing here.
        id: None,
        number: None,
        state: Some(arrived(CaseState::Wip, arrive_as)),
        warnings: warnings.into_iter().collect(),
        ..told
    };
    Judged { told, act: Act::Create(Box::new(item.body)), origin, text: String::new() }
}

/// An item against the case that it means.
fn against(db: &Db<'_>, told: PlannedCase, item: CaseItem, known: &Known, held: &Held, arrive_as: ArriveAs) -> Result<Judged, StoreError> {
    if let Some(into) = held.same_as {
        return Ok(Judged::refused(told, format!("{} is a duplicate of {into}: bring the text there, or take it out", held.number)));
    }
    if known.base.is_some_and(|base| base > held.version) {
        let base = known.base.unwrap_or_default();
        return Ok(Judged::refused(told, format!("there is no version {base} of {}: the newest is {}", held.number, held.version)));
    }
    if item.body == held.body {
        if held.state == CaseState::Archived {
            let reason = Printable::from("it is archived in the library: an export takes it out here too");
            return Ok(Judged::nothing(PlannedCase { reason: Some(reason), ..told }, ImportVerdict::Behind));
        }
        if known.binds {
            let change = FieldChange { field: "source".to_owned(), summary: "gets this name too".into() };
            let told = PlannedCase { verdict: ImportVerdict::Changed, changes: vec![change], ..told };
            return Ok(Judged { told, act: Act::Bind(held.number), origin: known.origin.clone(), text: String::new() });
        }
        return Ok(Judged::nothing(told, ImportVerdict::Same));
    }
    if let Some(base) = known.base.filter(|base| *base < held.version) {
        if sql::version(db, held.number, base)?.as_ref() == Some(&item.body) {
            let reason =
                Printable::new(format!("nothing changed here since version {base}, and the library is at version {}", held.version));
            return Ok(Judged::nothing(PlannedCase { reason: Some(reason), ..told }, ImportVerdict::Behind));
        }
        let told = PlannedCase {
            changes: changes(&held.body, &item.body),
            reason: Some(Printable::new(format!(
                "both sides changed it since version {base}: make one text of both, with version {}",
                held.version
            ))),
            library: Some(Box::new(held.body.clone())),
            ..told
        };
        return Ok(Judged::nothing(told, ImportVerdict::Conflict));
    }
    if held.state == CaseState::Archived {
        return Ok(Judged::refused(told, format!("{} is archived: take it out of the archive first, or out of the import", held.number)));
    }
    if let Some(why) = not_reviewable(&item.body, arrive_as) {
        return Ok(Judged::refused(told, why));
    }
    let edited = if held.state == CaseState::Wip { CaseState::Wip } else { CaseState::NotValidated };
    let told = PlannedCase {
        verdict: ImportVerdict::Changed,
        changes: changes(&held.body, &item.body),
        state: Some(arrived(edited, arrive_as)),
        ..told
    };
    Ok(Judged { told, act: Act::Edit(held.number, Box::new(item.body)), origin: known.origin.clone(), text: String::new() })
}

const fn arrived(state: CaseState, arrive_as: ArriveAs) -> CaseState {
    match arrive_as {
        ArriveAs::Wip => state,
        ArriveAs::NotValidated => CaseState::NotValidated,
        ArriveAs::Validated => CaseState::Validated,
    }
}

fn not_reviewable(body: &CaseBody, arrive_as: ArriveAs) -> Option<String> {
    let says = |field: CaseField| {
        let texts = [Language::Zh, Language::En].into_iter().filter_map(|language| body.text(language));
        texts.into_iter().any(|text| !text.field(field).raw().trim().is_empty())
    };
    let learned = [CaseField::Cause, CaseField::Steps, CaseField::Resolution].into_iter().any(says);
    (arrive_as != ArriveAs::Wip && !learned)
        .then(|| "it has neither cause nor steps nor resolution, so there is nothing to review: import it as `wip`".to_owned())
}

/// A case that was taken out where the library is kept.
fn prune(db: &Db<'_>, pruned: &Pruned) -> Result<Judged, StoreError> {
    let told = PlannedCase { id: Some(pruned.id), ..PlannedCase::at(pruned.id.to_string()) };
    let Some(held) = sql::by_id(db, pruned.id)? else {
        return Ok(Judged::refused(told, "there is no such case here: it needs no taking out"));
    };
    let told = PlannedCase {
        place: held.number.to_string(),
        number: Some(held.number),
        version: Some(held.version),
        title: title(&held.body),
        state: Some(held.state),
        updated_at: Some(held.updated_at),
        ..told
    };
    Ok(match held.state {
        CaseState::Archived => Judged::nothing(told, ImportVerdict::Same),
        _ if pruned.version != held.version => {
            let reason = format!(
                "it was taken out at version {}, and the library changed it since (version {}): export it again, and look",
                pruned.version, held.version
            );
            let told = PlannedCase { reason: Some(reason.into()), library: Some(Box::new(held.body)), ..told };
            Judged::nothing(told, ImportVerdict::Conflict)
        }
        CaseState::Wip | CaseState::NotValidated | CaseState::Validated => Judged {
            act: Act::Archive(held.number),
            origin: None,
            text: String::new(),
            told: PlannedCase { verdict: ImportVerdict::Archived, state: Some(CaseState::Archived), ..told },
        },
    })
}

// ---- What differs, in short -----------------------------------------------------------------------------------------

fn changes(old: &CaseBody, new: &CaseBody) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let mut differ = |field: String, summary: String| changes.push(FieldChange { field, summary: summary.into() });
    for language in [Language::Zh, Language::En] {
        match (old.text(language), new.text(language)) {
            (None, None) => {}
            (Some(_), None) => differ(language.to_string(), "taken out".into()),
            (None, Some(text)) => differ(language.to_string(), format!("added: {}", text.title)),
            (Some(old), Some(new)) => {
                for field in CaseField::ALL {
                    let (old, new) = (old.field(*field).raw(), new.field(*field).raw());
                    if old != new {
                        differ(format!("{language}.{field}"), lines(old, new));
                    }
                }
            }
        }
    }
    let equipment = |list: &[CaseEquipment]| list.iter().map(|about| format!("{about} {}", about.versions).trim().to_owned()).collect();
    let codes = |list: &[Printable]| list.iter().map(|code| code.raw().to_owned()).collect();
    if old.equipment != new.equipment {
        differ("equipment".into(), members(equipment(&old.equipment), equipment(&new.equipment)));
    }
    if old.codes != new.codes {
        differ("codes".into(), members(codes(&old.codes), codes(&new.codes)));
    }
    let word = |cause: Option<lineman_common::alarm::ProbableCause>| cause.map_or_else(|| "none".to_owned(), |cause| cause.to_string());
    if old.cause != new.cause {
        differ("probable_cause".into(), format!("{} -> {}", word(old.cause), word(new.cause)));
    }
    if old.audience != new.audience {
        differ("audience".into(), format!("{} -> {}", old.audience, new.audience));
    }
    changes
}

/// How many lines came and went.
fn lines(old: &str, new: &str) -> String {
    let mut left: HashMap<&str, i64> = HashMap::new();
    old.lines().for_each(|line| *left.entry(line).or_default() -= 1);
    new.lines().for_each(|line| *left.entry(line).or_default() += 1);
    let added: i64 = left.values().filter(|count| **count > 0).sum();
    let removed: i64 = -left.values().filter(|count| **count < 0).sum::<i64>();
    if added == 0 && removed == 0 { "other order or line ends".into() } else { format!("+{added} -{removed} lines") }
}

fn members(old: Vec<String>, new: Vec<String>) -> String {
    let added = new.iter().filter(|member| !old.contains(member)).map(|member| format!("+{member}"));
    let removed = old.iter().filter(|member| !new.contains(member)).map(|member| format!("-{member}"));
    let told: Vec<_> = added.chain(removed).collect();
    if told.is_empty() { "other order".into() } else { told.join(" ") }
}

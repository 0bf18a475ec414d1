//! An import in parts that the server takes at once.

use std::collections::HashMap;

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{ArriveAs, CaseImport, CaseItem, ImportPlan, ImportVerdict, PlannedCase, Pruned};
use lineman_common::statement::sha256_hex;
use serde_json::json;

use super::super::super::App;
use crate::client::Client;
use crate::exit::{Exit, Failure};

/// Cases, and bytes of their JSON, in one request: the server takes a thousand, and a MiB.
const MOST_CASES: usize = 500;
const MOST_BYTES: usize = 700 * 1024;

/// A case of a file, or what is wrong with it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `FILE:LINE`.
    pub place: String,
    pub item: Result<CaseItem, String>,
}

/// Some of the entries, and some of what is taken out.
struct Part {
    /// Of the entries.
    at: Vec<usize>,
    prune: Vec<Pruned>,
    /// The server's name for its plan.
    plan: String,
    /// The plan changes something.
    writes: bool,
}

pub struct Import {
    entries: Vec<Entry>,
    by_place: HashMap<String, usize>,
    parts: Vec<Part>,
    arrive_as: ArriveAs,
    applied: usize,
}

pub const fn writes(verdict: ImportVerdict) -> bool {
    matches!(verdict, ImportVerdict::New | ImportVerdict::Changed | ImportVerdict::Archived)
}

/// The plan of all parts.
pub trait Whole {
    fn writes(&self) -> usize;
    fn is_clean(&self) -> bool;
}

impl Whole for ImportPlan {
    fn writes(&self) -> usize {
        self.cases.iter().filter(|case| writes(case.verdict)).count()
    }

    fn is_clean(&self) -> bool {
        self.cases.iter().all(|case| !matches!(case.verdict, ImportVerdict::Refused | ImportVerdict::Conflict))
    }
}

impl Import {
    pub fn of(entries: Vec<Entry>, prune: Vec<Pruned>, arrive_as: ArriveAs) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        let mut room = (0, 0);
        let mut seen = HashMap::new();
        let mut entries = entries;
        for (at, entry) in entries.iter_mut().enumerate() {
            let Ok(item) = &entry.item else { continue };
            if let Some(other) = known_by(item).and_then(|known| seen.insert(known, entry.place.clone())) {
                entry.item = Err(format!("it is the same case as {other}: leave one of them out"));
                continue;
            }
            let bytes = serde_json::to_string(item).map_or(MOST_BYTES, |text| text.len());
            if room.0 == 0 || bytes > room.1 {
                parts.push(Part { at: Vec::new(), prune: Vec::new(), plan: String::new(), writes: false });
                room = (MOST_CASES, MOST_BYTES);
            }
            room = (room.0 - 1, room.1.saturating_sub(bytes));
            if let Some(part) = parts.last_mut() {
                part.at.push(at);
            }
        }
        let pruned =
            prune.chunks(MOST_CASES).map(|prune| Part { at: Vec::new(), prune: prune.to_vec(), plan: String::new(), writes: false });
        parts.extend(pruned);
        let by_place = entries.iter().enumerate().map(|(at, entry)| (entry.place.clone(), at)).collect();
        Self { entries, by_place, parts, arrive_as, applied: 0 }
    }

    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// What was read at a place.
    pub fn item(&self, place: &str) -> Option<&CaseItem> {
        self.entries.get(*self.by_place.get(place)?)?.item.as_ref().ok()
    }

    /// What the server would do with all of it, with what could not be read in its place.
    pub async fn plan(&mut self, app: &App, client: &Client) -> Result<ImportPlan, Failure> {
        let mut told: Vec<Option<PlannedCase>> = self.entries.iter().map(unread).collect();
        let (mut pruned, mut made_at) = (Vec::new(), Timestamp::MAX.as_microsecond());
        let mut looked_at = 0;
        for at in 0..self.parts.len() {
            let import = self.request(at, None);
            let plan = client.import_cases(&import).await?;
            let (moment, _) = split(&plan.plan);
            made_at = made_at.min(moment.unwrap_or(made_at));
            let places = self.parts[at].at.clone();
            looked_at += plan.cases.len();
            self.parts[at].writes = plan.writes() > 0;
            let mut cases = plan.cases.into_iter();
            for (at, case) in places.into_iter().zip(cases.by_ref()) {
                told[at] = Some(PlannedCase { place: self.entries[at].place.clone(), ..case });
            }
            pruned.extend(cases);
            self.parts[at].plan = plan.plan;
            if self.parts.len() > 1 {
                app.say(format!("{looked_at} cases planned ..."));
            }
        }
        let cases: Vec<_> = told.into_iter().flatten().chain(pruned).collect();
        Ok(ImportPlan { plan: self.name(made_at, &cases), applied: false, cases })
    }

    /// One part has the server's own name; more have one of the same kind.
    fn name(&self, made_at: i64, cases: &[PlannedCase]) -> String {
        let parts: Vec<_> = self.parts.iter().map(|part| split(&part.plan).1).collect();
        let unread: Vec<_> =
            cases.iter().filter(|case| case.verdict == ImportVerdict::Refused).map(|case| (&case.place, &case.reason)).collect();
        let made_at = if self.parts.is_empty() { 0 } else { made_at };
        format!("{made_at}-{}", &sha256_hex(json!([parts, unread, self.arrive_as]).to_string())[..16])
    }

    fn request(&self, at: usize, plan: Option<String>) -> CaseImport {
        let part = &self.parts[at];
        let items = part.at.iter().filter_map(|at| self.entries[*at].item.as_ref().ok().cloned()).collect();
        CaseImport { items, files: Vec::new(), prune: part.prune.clone(), arrive_as: self.arrive_as, plan }
    }

    /// Refuses when another plan was shown than the one that would be carried out.
    pub fn must_be(plan: &ImportPlan, shown: &str) -> Result<(), Failure> {
        let ((at, hash), (_, now)) = (split(shown), split(&plan.plan));
        if hash == now {
            return Ok(());
        }
        let Some(at) = at else {
            return Err(Failure::usage(format!("`{shown}` names no plan")).hint("without --apply, the plan and its name are shown"));
        };
        let is_newer = |case: &&PlannedCase| case.updated_at.is_some_and(|updated| updated.as_microsecond() >= at);
        let changed: Vec<_> =
            plan.cases.iter().filter(is_newer).filter_map(|case| Some(format!("{} (version {})", case.number?, case.version?))).collect();
        let what = if changed.is_empty() {
            "the files, or what was asked for, are not those of the plan".to_owned()
        } else {
            let more = changed.len().saturating_sub(10);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("the library changed since the plan was made: {}{more}", changed[..changed.len().min(10)].join(", "))
        };
        Err(Failure::new(Exit::Conflict, format!("{what}; nothing was written"))
            .hint("look at the new plan: the same command without --apply"))
    }

    /// Carries out the next part of the plan.
    pub async fn apply_next(&mut self, client: &Client) -> Result<Option<Vec<PlannedCase>>, Failure> {
        while self.parts.get(self.applied).is_some_and(|part| !part.writes) {
            self.applied += 1;
        }
        let Some(part) = self.parts.get(self.applied) else { return Ok(None) };
        let request = self.request(self.applied, Some(part.plan.clone()));
        let plan = client.import_cases(&request).await?;
        let places = part.at.iter().map(|at| Some(self.entries[*at].place.clone())).chain(std::iter::repeat(None));
        let named = |(case, place): (PlannedCase, Option<String>)| match place {
            Some(place) => PlannedCase { place, ..case },
            None => case,
        };
        self.applied += 1;
        Ok(Some(plan.cases.into_iter().zip(places).map(named).collect()))
    }
}

/// What tells two entries as one case, where they say it themselves.
fn known_by(item: &CaseItem) -> Option<String> {
    let by_key = || (!item.key.is_empty()).then(|| format!("{}\u{0}{}", item.source.raw(), item.key.raw()));
    item.id.map(|id| id.to_string()).or_else(|| item.number.map(|number| number.to_string())).or_else(by_key)
}

fn unread(entry: &Entry) -> Option<PlannedCase> {
    let why = entry.item.as_ref().err()?;
    Some(PlannedCase {
        place: entry.place.clone(),
        verdict: ImportVerdict::Refused,
        id: None,
        number: None,
        version: None,
        title: Printable::default(),
        state: None,
        changes: Vec::new(),
        reason: Some(Printable::new(why.clone())),
        warnings: Vec::new(),
        library: None,
        updated_at: None,
    })
}

/// Microseconds and hash of a plan's name.
fn split(name: &str) -> (Option<i64>, &str) {
    let (at, hash) = name.split_once('-').unwrap_or(("", name));
    (at.parse().ok(), hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u32, text: &str) -> Entry {
        let mut item = CaseItem { number: Some(lineman_common::name::CaseNumber(number)), ..CaseItem::default() };
        item.body.en = Some(lineman_common::api::CaseText { title: "x".into(), steps: text.into(), ..Default::default() });
        Entry { place: format!("cases.csv:{number}"), item: Ok(item) }
    }

    #[test]
    fn parts_are_small_enough_for_the_server_and_hold_everything_once() {
        let large = "x".repeat(100_000);
        let entries: Vec<_> = (1..=1203).map(|n| entry(n, if n % 100 == 0 { &large } else { "short" })).collect();
        let import = Import::of(entries, Vec::new(), ArriveAs::Wip);
        assert!(import.parts.len() >= 3);
        let mut at: Vec<_> = import.parts.iter().flat_map(|part| part.at.clone()).collect();
        for n in 0..import.parts.len() {
            let bytes = serde_json::to_string(&import.request(n, None)).unwrap().len();
            assert!(bytes < 1024 * 1024 && import.parts[n].at.len() <= MOST_CASES, "{bytes}");
        }
        at.dedup();
        assert_eq!(at, (0..1203).collect::<Vec<_>>());
    }

    #[test]
    fn a_case_that_comes_twice_is_refused_once() {
        let import = Import::of(vec![entry(1, "a"), entry(2, "b"), entry(1, "c")], Vec::new(), ArriveAs::Wip);
        assert!(import.entries[2].item.as_ref().unwrap_err().contains("cases.csv:1"));
        assert_eq!(import.parts[0].at, [0, 1]);
    }
}

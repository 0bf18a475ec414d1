//! The library, written down.

use lineman_common::Printable;
use lineman_common::api::{Audience, CaseBody, CaseExport, CaseField, CaseItem, CaseState, ExchangeForm, HeldBack, Language};
use lineman_common::exchange;
use lineman_common::name::CaseNumber;
use lineman_common::query::{self, Key, Part, Query, Test};

use super::super::{mask, names_in};
use super::plan::{BY_ID, BY_TEXT};
use super::sql::{self, Held, Named};
use crate::store::{Db, StoreError};
use crate::web::{ApiError, Scope};

/// Cases that one request looks at.
const MOST_LOOKED_AT: u32 = 5_000;
const AT_ONCE: u32 = 500;

const KEYS: [Key; 8] = [
    Key::word("state"),
    Key::word("audience"),
    Key::word("language"),
    Key::word("product"),
    Key::word("model"),
    Key::word("version"),
    Key::word("code"),
    Key::word("cause"),
];

/// Which cases.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    query: Query,
}

impl Filter {
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let query = Query::parse(text, &KEYS).map_err(|error| ApiError::invalid(error.to_string()))?;
        for part in &query.parts {
            let Part::Filter(filter) = part else { continue };
            checked(filter)?;
        }
        Ok(Self { query })
    }

    fn passes(&self, held: &Held) -> bool {
        // What is archived is out of use, unless it is asked for.
        let asks_state = self.query.parts.iter().any(|part| matches!(part, Part::Filter(filter) if filter.key == "state"));
        (asks_state || held.state != CaseState::Archived) && self.query.parts.iter().all(|part| part_passes(part, held))
    }
}

/// A word that no case can have would be silence.
fn checked(filter: &query::Filter) -> Result<(), ApiError> {
    let Test::AnyOf(values) = &filter.test else { return Ok(()) };
    let wrong = |value: &String| match filter.key {
        "state" => value.parse::<CaseState>().err().map(|error| error.to_string()),
        "audience" => value.parse::<Audience>().err().map(|error| error.to_string()),
        "language" => value.parse::<Language>().err().map(|error| error.to_string()),
        _ => None,
    };
    values.iter().find_map(wrong).map_or(Ok(()), |why| Err(ApiError::invalid(why)))
}

fn part_passes(part: &Part, held: &Held) -> bool {
    match part {
        Part::Word(text) | Part::Phrase(text) => says(&held.body, &text.to_lowercase()),
        Part::Filter(filter) => {
            let Test::AnyOf(values) = &filter.test else { return false };
            values.iter().any(|value| has(filter.key, value, held)) != filter.negate
        }
    }
}

fn texts(body: &CaseBody) -> impl Iterator<Item = (Language, CaseField, &Printable)> {
    let languages = [Language::Zh, Language::En].into_iter().filter_map(|language| Some((language, body.text(language)?)));
    languages.flat_map(|(language, text)| CaseField::ALL.iter().map(move |field| (language, *field, text.field(*field))))
}

fn says(body: &CaseBody, wanted: &str) -> bool {
    let names = body.equipment.iter().flat_map(|about| [&about.product, &about.model]);
    let mut all = texts(body).map(|(_, _, text)| text).chain(&body.codes).chain(names);
    all.any(|text| text.raw().to_lowercase().contains(wanted))
}

fn has(key: &str, value: &str, held: &Held) -> bool {
    let is = |text: &Printable| text.raw().to_lowercase() == value.to_lowercase();
    let body = &held.body;
    match key {
        "state" => held.state.as_str() == value,
        "audience" => body.audience.as_str() == value,
        "language" => value.parse().is_ok_and(|language| body.text(language).is_some()),
        "product" => body.equipment.iter().any(|about| is(&about.product)),
        "model" => body.equipment.iter().any(|about| is(&about.model)),
        "version" => body.equipment.iter().any(|about| about.versions.contains(value)),
        "code" => body.codes.iter().any(is),
        "cause" => body.cause.is_some_and(|cause| cause.as_str() == value),
        _ => false,
    }
}

/// A page of the library. `as_is` gives also what shows customers' things.
pub fn export(db: &Db<'_>, scope: &Scope, filter: &Filter, as_is: bool, after: CaseNumber, limit: usize) -> Result<CaseExport, StoreError> {
    let known = names_in(db, &Scope::All)?;
    let mut export = CaseExport { items: Vec::new(), held_back: Vec::new(), next: None };
    let (mut at, mut looked_at) = (after, 0);
    loop {
        let page = sql::page(db, scope, [BY_TEXT, BY_ID], at, AT_ONCE)?;
        let is_last = page.len() < AT_ONCE as usize;
        for (held, named) in page {
            if export.items.len() >= limit || looked_at >= MOST_LOOKED_AT {
                export.next = Some(at);
                return Ok(export);
            }
            (at, looked_at) = (held.number, looked_at + 1);
            if !filter.passes(&held) {
                continue;
            }
            let shows = if as_is { Vec::new() } else { shown(&held.body, &known) };
            if shows.is_empty() {
                export.items.push(item(held, named, scope));
            } else {
                // What was recognised may be another customer's name.
                let shows = if scope.sees_internal() { shows } else { Vec::new() };
                export.held_back.push(HeldBack { number: held.number, shows });
            }
        }
        if is_last {
            return Ok(export);
        }
    }
}

fn item(held: Held, named: Named, scope: &Scope) -> CaseItem {
    let (source, key) = named.filter(|_| scope.sees_internal()).unwrap_or_default();
    CaseItem {
        id: Some(held.id),
        number: Some(held.number),
        version: Some(held.version),
        state: Some(held.state),
        source,
        key,
        body: held.body,
    }
}

/// What of customers a case shows, by field.
fn shown(body: &CaseBody, known: &mask::Known) -> Vec<String> {
    let codes = body.codes.iter().map(|code| ("codes".to_owned(), code));
    let names = body.equipment.iter().flat_map(|about| [&about.product, &about.model]).map(|name| ("equipment".to_owned(), name));
    let fields = texts(body).map(|(language, field, text)| (format!("{language}.{field}"), text)).chain(codes).chain(names);
    let told = fields.flat_map(|(field, text)| {
        let spans = mask::spans(text.raw(), known);
        spans.into_iter().map(move |span| format!("{field}: {}", span.rule.shown()))
    });
    let mut told: Vec<_> = told.collect();
    told.sort();
    told.dedup();
    told
}

/// Cases as a file. Markdown is a case a file.
pub fn text(form: ExchangeForm, items: &[CaseItem]) -> String {
    match form {
        ExchangeForm::Markdown => items.iter().map(exchange::markdown).collect(),
        ExchangeForm::Csv => exchange::csv(items),
        ExchangeForm::Json => exchange::json(items),
        ExchangeForm::Jsonl => items.iter().map(exchange::jsonl_line).collect(),
    }
}

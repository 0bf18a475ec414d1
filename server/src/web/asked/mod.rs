//! Lists that are asked for in the common grammar ([`lineman_common::query`]).
//!
//! A room has a table of [`Field`]s: a key, what its values are, and the condition that they stand for. [`Ask::read`] reads `q` before
//! anything else happens; [`sql::Conditions`] makes a question for the database of it. What is typed becomes bound values and nothing else.

mod sql;
mod words;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lineman_common::query::{Filter, Key, Part, Query, Test};

use super::{Actor, ApiError};

pub use sql::Conditions;
pub use words::{
    alarm_state, consent_state, end_reason, fault_kind, fault_status, grade, impact, operator_state, pending, session_state, severity, tier,
};

/// What is asked at once, at most.
pub const LONGEST: usize = 2_000;
const MOST_FILTERS: usize = 40;
/// Each is a condition beside the others, and the database takes no more than some hundreds within one another.
const MOST_VALUES: usize = 100;
const MOST_WORDS: usize = 16;

/// What the values of a key are.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Fixed words: as people say them, to as they are stored. `open` may stand for several.
    Words(fn(&str) -> Result<Vec<String>, String>),
    /// A person's name; `me` is the caller.
    Person,
    /// A name that is known whole; `*` stands for anything in it, and small letters and capitals are the same.
    Name,
    /// Contained in a text; small letters and capitals are the same.
    Part,
    Time,
    /// A stretch of time, in microseconds.
    Span,
    Number,
    /// Yes or no: the condition holds, or does not.
    Flag,
}

/// A key of a list, and what it stands for in the database.
#[derive(Clone, Copy)]
pub struct Field {
    pub key: Key,
    pub kind: Kind,
    /// The condition: `{}` is the comparison with the values, `{now}` the moment. Of a flag, the whole condition.
    pub sql: &'static str,
    /// The condition for `none`, where there may be none.
    pub none: Option<&'static str>,
    /// For the support centre's people only: to others it is not known.
    pub inside: bool,
    /// It changes and the log does not say so.
    pub moves: bool,
}

impl Field {
    pub const fn new(key: Key, kind: Kind, sql: &'static str) -> Self {
        Self { key, kind, sql, none: None, inside: false, moves: false }
    }

    #[must_use]
    pub const fn or_none(self, none: &'static str) -> Self {
        Self { none: Some(none), ..self }
    }

    #[must_use]
    pub const fn inside(self) -> Self {
        Self { inside: true, ..self }
    }

    #[must_use]
    pub const fn moving(self) -> Self {
        Self { moves: true, ..self }
    }
}

/// What somebody asks a list for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub query: Query,
    pub zone: TimeZone,
    /// Who `me` is.
    pub me: String,
}

impl Ask {
    pub fn read(q: Option<&str>, zone: Option<&str>, keys: &[Key], actor: &Actor) -> Result<Self, ApiError> {
        let zone = zone.map(|zone| TimeZone::get(zone).map_err(|_| no_zone(zone))).transpose()?.unwrap_or(TimeZone::UTC);
        let q = q.unwrap_or_default();
        if q.chars().count() > LONGEST {
            return Err(too_long());
        }
        let text: String = q.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let query = Query::parse(&text, keys).map_err(|error| ApiError::invalid(error.to_string()))?;
        query.must_be_known(keys).map_err(|error| ApiError::invalid(error.to_string()))?;
        if query.filters().count() > MOST_FILTERS || query.parts.len() - query.filters().count() > MOST_WORDS {
            return Err(ApiError::invalid(format!("`q` has at most {MOST_FILTERS} filters and {MOST_WORDS} words or phrases")));
        }
        let named: usize = query.filters().map(|filter| values(filter).len()).sum();
        if named > MOST_VALUES {
            return Err(ApiError::invalid(format!("the filters of `q` have {named} values together, and {MOST_VALUES} are the most")));
        }
        Ok(Self { query, zone, me: actor.name.to_string() })
    }

    pub fn has(&self, key: &str) -> bool {
        self.query.filters().any(|filter| filter.key == key)
    }

    /// Words and phrases.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.query.parts.iter().filter_map(|part| match part {
            Part::Word(text) | Part::Phrase(text) => Some(text.as_str()),
            Part::Filter(_) => None,
        })
    }

    /// Does what fits change while nothing is told of in the log or the alarm list?
    pub fn moves(&self, fields: &[Field]) -> bool {
        let tells_time = |sql: &str| sql.contains("{now}");
        let by_itself = |field: &Field| field.moves || tells_time(field.sql) || field.none.is_some_and(tells_time);
        let moving = |field: &Field| matches!(field.kind, Kind::Time | Kind::Span) || by_itself(field);
        self.query.filters().any(|filter| fields.iter().any(|field| field.key.name == filter.key && moving(field)))
    }

    /// The conditions of its filters.
    pub fn conditions(&self, fields: &[Field], now: Timestamp, all: &mut Conditions) -> Result<(), ApiError> {
        for filter in self.query.filters() {
            let Some(field) = fields.iter().find(|field| field.key.name == filter.key) else { continue };
            all.filter(field, filter, self, now)?;
        }
        Ok(())
    }
}

pub fn too_long() -> ApiError {
    ApiError::invalid(format!("the query is longer than {LONGEST} characters: search for less at once"))
}

fn no_zone(zone: &str) -> ApiError {
    let zone = lineman_common::printable::escape(zone);
    ApiError::invalid(format!("`zone`: there is no time zone `{zone}`; name one like Asia/Shanghai"))
}

/// What can't be used of a filter.
fn bad(filter: &Filter, value: &str, right: &str) -> ApiError {
    let value = lineman_common::printable::escape(value);
    ApiError::invalid(format!("`{}:{value}`: {right}", filter.key))
}

/// The values of a filter, for fields that are not in the database's words.
pub fn values(filter: &Filter) -> &[String] {
    match &filter.test {
        Test::AnyOf(values) => values,
        Test::Compare(..) => &[],
    }
}

/// What `yes` and `no` are called.
fn flag(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "y" | "true" | "1" | "是" | "有" => Some(true),
        "no" | "n" | "false" | "0" | "否" | "不" | "没有" => Some(false),
        _ => None,
    }
}

fn is_none(text: &str) -> bool {
    matches!(text, "none" | "无" | "没有" | "空")
}

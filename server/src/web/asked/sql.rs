use jiff::Timestamp;
use lineman_common::query::value::{When, span, when};
use lineman_common::query::{Filter, Order, Test};
use rusqlite::types::Value;

use super::{Ask, Field, Kind, bad, flag, is_none};
use crate::web::ApiError;

/// Conditions as they are asked for: what is not asked for is not in the text, so that each question finds its index.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    texts: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    /// A value's place in the question.
    pub fn bind(&mut self, value: impl Into<Value>) -> String {
        let value = value.into();
        let known = self.values.iter().position(|known| *known == value);
        let place = known.unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        });
        format!("?{}", place + 1)
    }

    pub fn push(&mut self, text: impl Into<String>) {
        self.texts.push(text.into());
    }

    /// `?` in the text stands for the value; nothing is asked without one.
    pub fn add<V: Into<Value>>(&mut self, text: &str, value: Option<V>) {
        if let Some(value) = value {
            let place = self.bind(value);
            self.texts.push(text.replace('?', &place));
        }
    }

    /// Any of these texts contains what is searched for, in small letters or capitals.
    pub fn contains(&mut self, columns: &[&str], needle: &str) {
        let place = self.bind(anywhere(needle));
        let any: Vec<_> = columns.iter().map(|column| format!("{column} LIKE {place} ESCAPE '\\'")).collect();
        self.texts.push(format!("({})", any.join(" OR ")));
    }

    /// ` WHERE ...`, or nothing. They are held against a row in this order: what a row says itself comes before what is looked up for it.
    pub fn narrowed(&self) -> String {
        if self.texts.is_empty() {
            return String::new();
        }
        let (looked_up, own): (Vec<_>, Vec<_>) = self.texts.iter().partition(|text| text.contains("SELECT"));
        let all: Vec<&str> = own.into_iter().chain(looked_up).map(String::as_str).collect();
        format!(" WHERE {}", all.join(" AND "))
    }

    /// The conditions as a value: 1 where all hold.
    pub fn whether(&self) -> String {
        if self.texts.is_empty() { "1".to_owned() } else { format!("coalesce({}, 0)", self.texts.join(" AND ")) }
    }

    pub fn replace(&mut self, what: &str, with: &str) {
        for text in &mut self.texts {
            *text = text.replace(what, with);
        }
    }

    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    pub fn filter(&mut self, field: &Field, filter: &Filter, ask: &Ask, now: Timestamp) -> Result<(), ApiError> {
        let mut any = Vec::new();
        match &filter.test {
            Test::Compare(order, value) => {
                let right = match field.kind {
                    Kind::Time => self.time(field, *order, value, ask, now),
                    Kind::Span => span(value).map(|span| self.compared(field, *order, micros(span))),
                    Kind::Number => value.parse().ok().map(|number: i64| self.compared(field, *order, number)),
                    Kind::Words(_) | Kind::Person | Kind::Name | Kind::Part | Kind::Flag => None,
                };
                any.push(right.ok_or_else(|| bad(filter, value, wanted(field.kind)))?);
            }
            Test::AnyOf(values) => {
                if values.is_empty() {
                    return Err(bad(filter, "", "a value is missing behind the colon"));
                }
                let mut known = Vec::new();
                for value in values {
                    match (field.none.filter(|_| is_none(value)), field.kind) {
                        (Some(none), _) => any.push(none.to_owned()),
                        (None, Kind::Words(read)) => known.extend(read(value).map_err(|right| bad(filter, value, &right))?),
                        (None, Kind::Person) => known.push(if is_me(value) { ask.me.clone() } else { value.to_owned() }),
                        (None, _) => any.push(self.value(field, value, ask, now).ok_or_else(|| bad(filter, value, wanted(field.kind)))?),
                    }
                }
                if !known.is_empty() {
                    let places: Vec<_> = known.iter().map(|known| self.bind(known.clone())).collect();
                    any.push(field.sql.replace("{}", &format!("IN ({})", places.join(", "))));
                }
            }
        }
        let now = if any.iter().any(|text| text.contains("{now}")) { self.bind(now.as_microsecond()) } else { String::new() };
        let text = format!("({})", any.join(" OR ")).replace("{now}", &now);
        self.texts.push(if filter.negate { format!("NOT coalesce({text}, 0)") } else { text });
        Ok(())
    }

    /// One value as a condition of its own.
    fn value(&mut self, field: &Field, value: &str, ask: &Ask, now: Timestamp) -> Option<String> {
        let with = |comparison: &str| field.sql.replace("{}", comparison);
        match field.kind {
            Kind::Name => {
                let place = self.bind(escaped(value).replace('*', "%"));
                Some(with(&format!("LIKE {place} ESCAPE '\\'")))
            }
            Kind::Part => {
                let place = self.bind(anywhere(value));
                Some(with(&format!("LIKE {place} ESCAPE '\\'")))
            }
            Kind::Time => match when(value, now, &ask.zone)? {
                When::Day(from, to) => {
                    let (from, to) = (self.bind(from.as_microsecond()), self.bind(to.as_microsecond()));
                    Some(format!("({} AND {})", with(&format!(">= {from}")), with(&format!("< {to}"))))
                }
                When::At(_) | When::Ago(_) => None,
            },
            Kind::Number => {
                let place = self.bind(value.parse::<i64>().ok()?);
                Some(with(&format!("= {place}")))
            }
            Kind::Flag if flag(value)? => Some(field.sql.to_owned()),
            Kind::Flag => Some(format!("NOT coalesce({}, 0)", field.sql)),
            Kind::Words(_) | Kind::Person | Kind::Span => None,
        }
    }

    fn compared(&mut self, field: &Field, order: Order, value: i64) -> String {
        let place = self.bind(value);
        field.sql.replace("{}", &format!("{} {place}", order.sign()))
    }

    /// A day is all of it: later than a day is after its end, and so long ago counts backwards.
    fn time(&mut self, field: &Field, order: Order, value: &str, ask: &Ask, now: Timestamp) -> Option<String> {
        let (order, at) = match (when(value, now, &ask.zone)?, order) {
            (When::Day(from, _), Order::Less) => (Order::Less, from),
            (When::Day(_, to), Order::AtMost) => (Order::Less, to),
            (When::Day(_, to), Order::More) => (Order::AtLeast, to),
            (When::Day(from, _), Order::AtLeast) => (Order::AtLeast, from),
            (When::At(at), order) => (order, at),
            (When::Ago(at), Order::Less) => (Order::More, at),
            (When::Ago(at), Order::AtMost) => (Order::AtLeast, at),
            (When::Ago(at), Order::More) => (Order::Less, at),
            (When::Ago(at), Order::AtLeast) => (Order::AtMost, at),
        };
        Some(self.compared(field, order, at.as_microsecond()))
    }
}

fn is_me(text: &str) -> bool {
    matches!(text, "me" | "我")
}

fn micros(span: jiff::SignedDuration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Words(_) | Kind::Person | Kind::Name | Kind::Part => "it can't be compared",
        Kind::Time => "a day like 2026-11-22 or today, a time like 2026-11-22T10:00:00Z behind < or >, or how long ago: <2h",
        Kind::Span => "a stretch of time behind < or >, like <10m, >2h or <=1d",
        Kind::Number => "a whole number, alone or behind < or >",
        Kind::Flag => "yes or no",
    }
}

/// For `LIKE`, with `\` as the escape.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| matches!(c, '%' | '_' | '\\').then_some('\\').into_iter().chain([c])).collect()
}

fn anywhere(text: &str) -> String {
    format!("%{}%", escaped(text))
}

//! The filters of a search, in the common query grammar.

use std::collections::HashSet;
use std::str::FromStr;

use lineman_common::api::{Audience, CaseFacet, CaseState, FlagKind, Language};
use lineman_common::query::{Filter, Key, Query, QueryError, Test};
use lineman_common::version::VersionRange;

use super::{fields, sql};
use crate::search::index::{Among, Require};
use crate::search::tokens;
use crate::store::{Db, StoreError};
use crate::web::{ApiError, Scope};

pub const KEYS: [Key; 9] = [
    Key::word("product"),
    Key::word("model"),
    Key::word("version"),
    Key::word("code"),
    Key::word("cause"),
    Key::word("language"),
    Key::word("state"),
    Key::word("audience"),
    Key::word(FLAG),
];

/// Cases with an open doubt of a kind.
pub const FLAG: &str = "flag";
/// In one question.
const MOST_VALUES: usize = 200;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Grammar(#[from] QueryError),
    #[error("`{key}:{value}`: {why}")]
    Value { key: &'static str, value: String, why: String },
    #[error("`{0}:` needs a value, like `{0}:{1}`")]
    Empty(&'static str, &'static str),
    #[error("{0} values to filter by: give at most {MOST_VALUES}")]
    TooMany(usize),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::invalid(error.to_string())
    }
}

/// Reads a question and its filters.
pub fn read(text: &str) -> Result<(Query, Vec<Wanted>), Error> {
    let query = Query::parse(text, &KEYS)?;
    let wanted: Vec<Wanted> = query.filters().map(Wanted::of).collect::<Result<_, _>>()?;
    let values: usize = wanted.iter().map(Wanted::values).sum();
    if values > MOST_VALUES { Err(Error::TooMany(values)) } else { Ok((query, wanted)) }
}

/// A filter that was understood.
#[derive(Clone, Debug)]
pub struct Wanted {
    what: What,
    negate: bool,
}

#[derive(Clone, Debug)]
enum What {
    Facet(CaseFacet, Vec<String>),
    Flags(Vec<FlagKind>),
}

impl Wanted {
    fn values(&self) -> usize {
        match &self.what {
            What::Facet(_, values) => values.len(),
            What::Flags(kinds) => kinds.len(),
        }
    }

    fn of(filter: &Filter) -> Result<Self, Error> {
        let value = |value: &str, why: String| Error::Value { key: filter.key, value: value.to_owned(), why };
        let values = match &filter.test {
            Test::AnyOf(values) => values.clone(),
            Test::Compare(order, value) => vec![format!("{}{value}", order.sign())],
        };
        let what = if filter.key == FLAG {
            if values.is_empty() {
                return Err(Error::Empty(FLAG, FlagKind::Reader.as_str()));
            }
            let kind = |text: &String| text.to_ascii_lowercase().parse::<FlagKind>().map_err(|error| value(text, error.to_string()));
            What::Flags(values.iter().map(kind).collect::<Result<_, _>>()?)
        } else {
            let facet: CaseFacet = filter.key.parse().map_err(|_| value("", "no such filter".into()))?;
            if values.is_empty() {
                return Err(Error::Empty(filter.key, example(facet)));
            }
            for text in &values {
                check(facet, text).map_err(|why| value(text, why))?;
            }
            What::Facet(facet, values)
        };
        Ok(Self { what, negate: filter.negate })
    }

    /// Doubts are for the support centre's people: nobody else may ask for them.
    pub fn is_internal(&self) -> bool {
        matches!(self.what, What::Flags(_))
    }

    /// What the index is asked of a case's tags.
    pub fn require(&self) -> Option<Require> {
        let What::Facet(facet, values) = self.what.clone() else { return None };
        let accept: Box<dyn Fn(&str) -> bool> = match facet {
            CaseFacet::Version => {
                Box::new(move |value| value.parse::<VersionRange>().is_ok_and(|range| values.iter().any(|version| range.contains(version))))
            }
            // Names that people write: the same in every spelling.
            CaseFacet::Product | CaseFacet::Model | CaseFacet::Code => {
                let names: Vec<_> = values.iter().map(|value| tokens::exact(value)).collect();
                Box::new(move |value| names.contains(&tokens::exact(value)))
            }
            CaseFacet::Cause | CaseFacet::Language | CaseFacet::State | CaseFacet::Audience => {
                Box::new(move |value| values.iter().any(|word| word.eq_ignore_ascii_case(value)))
            }
        };
        Some(Require { facet: fields::facet(facet), accept, negate: self.negate })
    }

    /// What the index can't know of a case: it changes without the case. A customer's scope finds nothing by it.
    pub fn among(&self, db: &Db<'_>, scope: &Scope) -> Result<Option<Among>, StoreError> {
        let What::Flags(kinds) = &self.what else { return Ok(None) };
        if !scope.sees_internal() {
            return Ok(Some(Among { keys: HashSet::new(), negate: false }));
        }
        Ok(Some(Among { keys: sql::flagged(db, kinds)?, negate: self.negate }))
    }
}

const fn example(facet: CaseFacet) -> &'static str {
    match facet {
        CaseFacet::Product => "OLT",
        CaseFacet::Model => "C320",
        CaseFacet::Version => "5.2",
        CaseFacet::Code => "ALM-25621",
        CaseFacet::Cause => "fan_failure",
        CaseFacet::Language => "zh",
        CaseFacet::State => "validated",
        CaseFacet::Audience => "customer",
    }
}

fn check(facet: CaseFacet, value: &str) -> Result<(), String> {
    fn word<T: FromStr<Err: ToString>>(value: &str) -> Result<(), String> {
        value.to_ascii_lowercase().parse::<T>().map(drop).map_err(|error| error.to_string())
    }
    match facet {
        CaseFacet::Language => word::<Language>(value),
        CaseFacet::Audience => word::<Audience>(value),
        CaseFacet::State if value.eq_ignore_ascii_case(CaseState::Archived.as_str()) => {
            Err("archived cases are out of use and not searched; `lineman case list --state archived` lists them".to_owned())
        }
        CaseFacet::State => word::<CaseState>(value),
        CaseFacet::Version => value.parse::<VersionRange>().map(drop).map_err(|error| error.to_string()),
        CaseFacet::Product | CaseFacet::Model | CaseFacet::Code | CaseFacet::Cause => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(text: &str, value: &str) -> bool {
        let (_, wanted) = read(text).unwrap();
        (wanted[0].require().unwrap().accept)(value)
    }

    #[test]
    fn names_are_the_same_in_every_spelling() {
        for code in ["ALM-25621", "alm25621", "ＡＬＭ－２５６２１", "\"ALM 25621\""] {
            assert!(accepts(&format!("code:{code}"), "ALM-25621"), "{code}");
        }
        assert!(accepts("product:olt,bbu", "BBU") && !accepts("product:olt", "BBU"));
        assert!(accepts("model:\"ZXR10 8902E\"", "ZXR10-8902E"));
    }

    #[test]
    fn so_many_values_are_refused() {
        let many = |count: usize| (0..count).map(|n| format!("code:x{n}")).collect::<Vec<_>>().join(" ");
        assert_eq!(read(&many(MOST_VALUES)).unwrap().1.len(), MOST_VALUES);
        assert!(matches!(read(&many(MOST_VALUES + 1)), Err(Error::TooMany(201))));
        let list = (0..300).map(|n| format!("x{n}")).collect::<Vec<_>>().join(",");
        assert!(matches!(read(&format!("code:{list}")), Err(Error::TooMany(300))));
    }

    #[test]
    fn a_version_is_asked_of_ranges() {
        assert!(accepts("version:5.3", "5.2..5.4") && !accepts("version:5.5", "5.2..5.4"));
    }

    #[test]
    fn errors_say_what_is_right() {
        let said = |text: &str| read(text).unwrap_err().to_string();
        assert!(said("state:done").contains("validated"), "{}", said("state:done"));
        assert!(said("language:fr").contains("zh"), "{}", said("language:fr"));
        assert!(said("state:archived").contains("case list"));
        assert!(said("prodct:OLT").contains("did you mean `product:`"));
        assert_eq!(said("state:\"\""), "`state:` needs a value, like `state:validated`");
        assert!(said("version:>5").contains("can't be compared"));
        assert!(said("flag:old").contains("wrong_link"), "{}", said("flag:old"));
        assert_eq!(said("flag:\"\""), "`flag:` needs a value, like `flag:reader`");
        assert!(read("ALM:25621 10:30 http://x title:fan").is_ok());
    }
}

//! The grammar of searches and filters, the same in the console, in `?q=` and in the CLI: `风扇 fan state:validated -product:OLT "rx power"`.
//!
//! - Free words and `"quoted phrases"` are text.
//! - `key:value` filters; `-key:value` excludes; `key:a,b` accepts either; `key:"a b"` holds a space or a comma.
//! - `key:<10m`, `key:<=3`, `key:>2026-01-01`, `key:>=5` compare, for keys that have an order.
//!
//! Text that people paste must never be an error, and it is full of colons (`ALM:25621`, `10:30`, `http://`, `state: down`). So only
//! what begins like a key, in small letters and with a value right behind the colon, is taken for a filter. A key that is not known is
//! an error when it is a known one mistyped; otherwise it stays text, and [`Query::unknown`] names it for a note or an error of the caller.

pub mod value;

use std::fmt;

/// A key of a page's filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    /// It may be compared: a time, a duration, a number.
    pub ordered: bool,
    /// Other names of it, Chinese ones too.
    pub also: &'static [&'static str],
}

impl Key {
    pub const fn word(name: &'static str) -> Self {
        Self { name, ordered: false, also: &[] }
    }

    pub const fn ordered(name: &'static str) -> Self {
        Self { name, ordered: true, also: &[] }
    }

    #[must_use]
    pub const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    fn is_named(&self, name: &str) -> bool {
        self.name == name || self.also.contains(&name)
    }
}

/// What was asked, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub parts: Vec<Part>,
    /// What looked like a filter and is none: it is among the words.
    pub unknown: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Word(String),
    Phrase(String),
    Filter(Filter),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub key: &'static str,
    pub negate: bool,
    pub test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    AnyOf(Vec<String>),
    Compare(Order, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Order {
    /// The longer signs first, so that `<=` is not read as `<`.
    const SIGNS: [(&'static str, Self); 4] = [("<=", Self::AtMost), (">=", Self::AtLeast), ("<", Self::Less), (">", Self::More)];

    pub const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Does a value that compares so with the filter's pass?
    pub const fn accepts(self, found: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => found.is_lt(),
            Self::AtMost => found.is_le(),
            Self::More => found.is_gt(),
            Self::AtLeast => found.is_ge(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("`{key}:` is no filter, did you mean `{meant}:`? The filters are {}; put quotes around it to search for the text", list(.known))]
    UnknownKey { key: String, meant: &'static str, known: Vec<&'static str> },
    #[error("there is no filter `{key}:`{}. The filters are {}; put quotes around it to search for the text", nearest(.meant.as_deref()), list(.known))]
    NoKey { key: String, meant: Option<&'static str>, known: Vec<&'static str> },
    #[error("`{key}:` can't be compared: write `{key}:VALUE`, or `{key}:A,B` for either")]
    NotOrdered { key: &'static str },
    #[error("`{key}:{sign}` needs a value right behind it, like `{key}:{sign}10`")]
    NoValue { key: &'static str, sign: &'static str },
}

fn nearest(meant: Option<&str>) -> String {
    meant.map(|meant| format!(", the nearest is `{meant}:`")).unwrap_or_default()
}

fn list(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}:`")).collect::<Vec<_>>().join(", ")
}

impl Query {
    /// Reads what somebody typed.
    pub fn parse(text: &str, keys: &[Key]) -> Result<Self, QueryError> {
        let mut query = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            rest = query.part(rest, keys)?.trim_start();
        }
        Ok(query)
    }

    /// Takes one part off the beginning; answers what follows it.
    fn part<'a>(&mut self, rest: &'a str, keys: &[Key]) -> Result<&'a str, QueryError> {
        if let Some((phrase, after)) = quoted(rest) {
            if !phrase.trim().is_empty() {
                self.parts.push(Part::Phrase(phrase.to_owned()));
            }
            return Ok(after);
        }
        if let Some(begun) = Begun::read(rest) {
            if let Some(key) = keys.iter().find(|key| key.is_named(begun.key)) {
                let (test, after) = begun.test(key)?;
                self.parts.push(Part::Filter(Filter { key: key.name, negate: begun.negate, test }));
                return Ok(after);
            }
            // Texts in other scripts have colons of their own, and wide ones: only known keys are filters there.
            if begun.is_plain {
                if let Some(meant) = meant(begun.key, keys) {
                    let known = keys.iter().map(|key| key.name).collect();
                    return Err(QueryError::UnknownKey { key: begun.key.to_owned(), meant, known });
                }
                self.unknown.push(begun.key.to_owned());
            }
        }
        let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        self.parts.push(Part::Word(word.to_owned()));
        Ok(after)
    }

    /// For lists where a filter that is none is a mistake and not text.
    pub fn must_be_known(&self, keys: &[Key]) -> Result<(), QueryError> {
        let Some(key) = self.unknown.first() else { return Ok(()) };
        let nearest = keys.iter().map(|known| (mistakes(key, known.name), known.name)).min().filter(|(mistakes, _)| *mistakes < key.len());
        let known = keys.iter().map(|key| key.name).collect();
        Err(QueryError::NoKey { key: key.clone(), meant: nearest.map(|(_, name)| name), known })
    }

    /// The words and phrases, without the filters.
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Word(text) | Part::Phrase(text) => Some(text.as_str()),
            Part::Filter(_) => None,
        });
        texts.collect::<Vec<_>>().join(" ")
    }

    pub fn phrases(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Phrase(text) => Some(text.as_str()),
            Part::Word(_) | Part::Filter(_) => None,
        })
    }

    pub fn filters(&self) -> impl Iterator<Item = &Filter> {
        self.parts.iter().filter_map(|part| match part {
            Part::Filter(filter) => Some(filter),
            Part::Word(_) | Part::Phrase(_) => None,
        })
    }
}

/// The inside of quotes at the beginning, and what follows them; `None` when they are never closed.
fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

/// `-key:value...`, not known yet whether there is such a key.
struct Begun<'a> {
    negate: bool,
    key: &'a str,
    value: &'a str,
    /// Small letters and a narrow colon.
    is_plain: bool,
}

impl<'a> Begun<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (negate, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let is_letter = |c: char| c.is_ascii_lowercase() || c == '_' || (!c.is_ascii() && c.is_alphanumeric());
        let end = text.find(|c: char| !is_letter(c))?;
        let (key, value) = text.split_at(end);
        let is_plain = key.is_ascii() && value.starts_with(':');
        let value = value.strip_prefix([':', '：'])?;
        let follows = value.chars().next().is_some_and(|c| !c.is_whitespace() && c != ':') && !value.starts_with("//");
        (!key.is_empty() && follows).then_some(Self { negate, key, value, is_plain })
    }

    fn test(&self, key: &Key) -> Result<(Test, &'a str), QueryError> {
        for (sign, order) in Order::SIGNS {
            let Some(value) = self.value.strip_prefix(sign) else { continue };
            if !key.ordered {
                return Err(QueryError::NotOrdered { key: key.name });
            }
            let (value, after) = one(value);
            if value.is_empty() {
                return Err(QueryError::NoValue { key: key.name, sign });
            }
            return Ok((Test::Compare(order, value.to_owned()), after));
        }
        let (mut values, mut rest) = (Vec::new(), self.value);
        loop {
            let (value, after) = one(rest);
            if !value.is_empty() && !values.iter().any(|known| known == value) {
                values.push(value.to_owned());
            }
            match after.strip_prefix(',') {
                Some(after) => rest = after,
                None => return Ok((Test::AnyOf(values), after)),
            }
        }
    }
}

/// One value: in quotes, or up to a space or a comma.
fn one(text: &str) -> (&str, &str) {
    quoted(text).unwrap_or_else(|| text.split_at(text.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(text.len())))
}

/// The known key that a mistyped one may stand for.
fn meant(key: &str, keys: &[Key]) -> Option<&'static str> {
    let close = |known: &&Key| {
        let is_begun = key.len() >= 3 && (known.name.starts_with(key) || key.starts_with(known.name));
        let is_close = key.len() >= 4 && mistakes(key, known.name) <= if key.len() > 5 { 2 } else { 1 };
        is_begun || is_close || is_swapped(key, known.name)
    };
    keys.iter().find(close).map(|key| key.name)
}

/// Two neighbouring letters in the wrong order, and nothing else.
fn is_swapped(a: &str, b: &str) -> bool {
    let differing: Vec<usize> = a.bytes().zip(b.bytes()).enumerate().filter(|(_, (a, b))| a != b).map(|(at, _)| at).collect();
    let (a, b) = (a.as_bytes(), b.as_bytes());
    a.len() == b.len() && matches!(differing[..], [one, other] if other == one + 1 && a[one] == b[other] && a[other] == b[one])
}

/// Letters put in, left out or taken for another.
fn mistakes(a: &str, b: &str) -> usize {
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (row, own) in a.bytes().enumerate() {
        let mut next = vec![row + 1];
        for (at, pair) in last.windows(2).enumerate() {
            let differs = usize::from(b.as_bytes().get(at) != Some(&own));
            let left = next.last().copied().unwrap_or_default();
            next.push((pair[0] + differs).min(pair[1] + 1).min(left + 1));
        }
        last = next;
    }
    last.last().copied().unwrap_or_default()
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            write!(f, "{}{part}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Phrase(phrase) => write!(f, "\"{phrase}\""),
            Self::Filter(filter) => write!(f, "{filter}"),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}:", if self.negate { "-" } else { "" }, self.key)?;
        match &self.test {
            Test::Compare(order, value) => write!(f, "{}{}", order.sign(), written(value, &["="])),
            Test::AnyOf(values) => {
                // Behind the colon these would be something else: a comma stands before. Quotes would close others that stand open.
                let first = match values.first() {
                    Some(first) if is_mistaken(first, SIGNS) => format!(",{}", written(first, &[])),
                    Some(first) => written(first, &[]),
                    None => ",".to_owned(),
                };
                let others = values.iter().skip(1).map(|value| written(value, &[]));
                f.write_str(&std::iter::once(first).chain(others).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// What a value right behind `key:` doesn't begin with.
const SIGNS: &[&str] = &["<", ">", ":", "//"];

fn is_mistaken(value: &str, signs: &[&str]) -> bool {
    signs.iter().any(|sign| value.starts_with(sign))
}

/// A value as it is typed. One with a space or a comma came from quotes, and holds none.
fn written(value: &str, signs: &[&str]) -> String {
    let is_quoted = value.contains(|c: char| c.is_whitespace() || c == ',') || is_mistaken(value, signs);
    if is_quoted { format!("\"{value}\"") } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: &[Key] = &[Key::word("product"), Key::word("state"), Key::word("code"), Key::ordered("age"), Key::ordered("opened")];

    fn parse(text: &str) -> Query {
        Query::parse(text, KEYS).unwrap()
    }

    fn filters(text: &str) -> Vec<String> {
        parse(text).filters().map(ToString::to_string).collect()
    }

    #[test]
    fn words_phrases_and_filters() {
        let query = parse("fan  \"rx power\" product:OLT -state:wip,archived code:\"a b\",c 风扇");
        assert_eq!(query.text(), "fan rx power 风扇");
        assert_eq!(query.phrases().collect::<Vec<_>>(), ["rx power"]);
        assert_eq!(query.filters().count(), 3);
        assert_eq!(query.to_string(), "fan \"rx power\" product:OLT -state:wip,archived code:\"a b\",c 风扇");
        let excluded = query.filters().nth(1).unwrap();
        assert!(excluded.negate && excluded.test == Test::AnyOf(vec!["wip".into(), "archived".into()]));
    }

    #[test]
    fn ordered_keys_compare() {
        let of = |text: &str| parse(text).filters().next().unwrap().test.clone();
        assert_eq!(of("age:<10m"), Test::Compare(Order::Less, "10m".into()));
        assert_eq!(of("opened:>=2026-01-01"), Test::Compare(Order::AtLeast, "2026-01-01".into()));
        assert_eq!(of("opened:2026-01-01"), Test::AnyOf(vec!["2026-01-01".into()]));
        assert!(Order::AtLeast.accepts(std::cmp::Ordering::Equal) && !Order::More.accepts(std::cmp::Ordering::Equal));
    }

    #[test]
    fn a_colon_in_a_word_is_a_colon() {
        for text in [
            "ALM:25621",
            "10:30",
            "http://centre/x",
            "https://a",
            "state: down",
            "Note:x",
            "a::b",
            "-",
            ":",
            "x:",
            "fe80::1",
            "-x",
            "状态:停",
        ] {
            let query = parse(text);
            assert_eq!((query.text().as_str(), query.filters().count(), query.unknown.len()), (text, 0, 0), "{text}");
        }
        let query = parse("error:timeout on title:fan");
        assert_eq!(
            (query.text().as_str(), query.unknown.as_slice()),
            ("error:timeout on title:fan", ["error".to_owned(), "title".to_owned()].as_slice())
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_right() {
        let said = |text: &str| Query::parse(text, KEYS).unwrap_err().to_string();
        for mistyped in ["prodct:OLT", "products:OLT", "prod:OLT", "-stat:wip", "sate:x", "sttae:x"] {
            assert!(
                said(mistyped).contains("The filters are `product:`, `state:`, `code:`, `age:`, `opened:`"),
                "{mistyped}: {}",
                said(mistyped)
            );
        }
        assert!(said("prodct:OLT").contains("did you mean `product:`"));
        assert!(said("product:>5").contains("`product:VALUE`"));
        assert!(said("age:>").contains("needs a value"));
        assert_eq!(parse("\"prodct:OLT\"").text(), "prodct:OLT");
    }

    #[test]
    fn keys_have_other_names() {
        const KEYS: &[Key] = &[Key::word("severity").also(&["sev", "级别"]), Key::ordered("due").also(&["剩余"])];
        let read = |text: &str| Query::parse(text, KEYS).map(|query| query.to_string());
        assert_eq!(read("级别:重要 剩余：<10m sev:minor -级别:警告").unwrap(), "severity:重要 due:<10m severity:minor -severity:警告");
        // Chinese text with colons in it is text, and so are wide colons behind anything else.
        for text in ["状态:停", "状态：停", "error：x", "级别", "级别: 重要", "级别x:重要"] {
            let query = Query::parse(text, KEYS).unwrap();
            assert_eq!((query.text().as_str(), query.filters().count(), query.unknown.len()), (text, 0, 0), "{text}");
        }
        assert!(Query::parse("severty:x", KEYS).is_err());
    }

    #[test]
    fn a_list_may_want_every_filter_to_be_known() {
        let said = |text: &str| parse(text).must_be_known(KEYS).map_err(|error| error.to_string());
        assert_eq!(said("product:OLT ALM:5 http://x"), Ok(()));
        let error = said("error:timeout").unwrap_err();
        assert!(error.contains("no filter `error:`") && error.contains("`product:`, `state:`") && error.contains("quotes"), "{error}");
        assert!(said("wage_x:5").unwrap_err().contains("the nearest is `age:`"));
    }

    #[test]
    fn open_quotes_are_text() {
        assert_eq!(parse("\"fan stops").text(), "\"fan stops");
        assert_eq!(parse("5\" disk").text(), "5\" disk");
        assert_eq!(parse("\"\" \" \"").parts, []);
        assert_eq!(filters("product:\"OLT"), ["product:\"OLT"]);
        for text in ["age:<:\"\"", "product:,:", "age:<\"=5\"", "product:,<x\"", "product:,", "product:a,<x\""] {
            assert_eq!(filters(text), [text], "{text}");
            assert_eq!(parse(&parse(text).to_string()), parse(text), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn plain_words_never_fail(text in "([a-zA-Z0-9风扇告警.,;!?%_/-]{1,8} {1,2}){0,8}") {
            let query = Query::parse(&text, KEYS);
            prop_assert!(query.is_ok());
            let words: Vec<_> = text.split_whitespace().collect();
            prop_assert_eq!(query.unwrap().text(), words.join(" "));
        }

        #[test]
        fn what_is_read_is_written_so_that_it_is_read_again(
            text in r#"((-?(product|state|age|code|title|x):)?(<=?|>)?("[a-z ,:-]{0,6}"|[a-zA-Z0-9:,"风-]{0,6}) ?){0,6}|.{0,30}"#
        ) {
            if let Ok(query) = Query::parse(&text, KEYS) {
                let again = Query::parse(&query.to_string(), KEYS);
                prop_assert_eq!(again, Ok(query.clone()), "{} -> {}", text, query);
            }
        }
    }
}

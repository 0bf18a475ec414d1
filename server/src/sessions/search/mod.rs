//! Searching what sessions said: plain text, in small letters or capitals, in every recording that the asker may see.
//!
//! Texts of three characters and more are looked up in an index of three-character pieces; shorter ones are compared with every line.
//! Whoever's lines are shown is told who searched, and for what.

mod sql;

use std::collections::BTreeMap;

use lineman_common::api::GrepHit;
use lineman_common::id::{CustomerId, EquipmentId, FaultId, SessionId};
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::printable::is_invisible;
use serde_json::json;

use super::Error;
use crate::events::{self, Kind, New};
use crate::store::{Db, Tx};
use crate::web::{Actor, Scope};

const MOST_QUERY_CHARS: usize = 200;
/// The index has pieces of so many characters.
const PIECE_CHARS: usize = 3;
/// Sessions that the event names.
const MOST_NAMED: usize = 50;

/// What is searched for, and where.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Made by [`Search::of`], which checks it.
    pub(super) text: String,
    pub customer: Option<CustomerCode>,
    pub fault: Option<FaultId>,
    pub device: Option<EquipmentId>,
    pub engineer: Option<PersonName>,
    pub most: u32,
}

/// A line, and whose it is.
#[derive(Clone, Debug)]
pub struct Found {
    pub customer: CustomerId,
    pub hit: GrepHit,
}

impl Search {
    pub fn of(text: &str) -> Result<Self, Error> {
        // Transcripts have no invisible characters either.
        let text: String = text.chars().filter(|c| !is_invisible(*c)).collect();
        let is_good = (1..=MOST_QUERY_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if is_good { Ok(Self { text, ..Self::default() }) } else { Err(Error::BadQuery) }
    }

    fn is_short(&self) -> bool {
        self.text.chars().count() < PIECE_CHARS
    }

    /// The text and nothing but the text, in the index's language.
    fn phrase(&self) -> String {
        format!("\"{}\"", self.text.replace('"', "\"\""))
    }

    /// The same for a comparison with `LIKE ... ESCAPE '\'`.
    fn pattern(&self) -> String {
        let mut pattern = String::from("%");
        for c in self.text.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        pattern
    }

    /// Lines that contain the text, newest first.
    pub fn find(&self, db: &Db<'_>, scope: &Scope) -> Result<Vec<Found>, Error> {
        Ok(sql::find(db, scope, self)?)
    }

    /// Tells each customer whose lines are shown.
    pub fn tell(&self, tx: &mut Tx<'_>, actor: &Actor, found: &[Found]) -> Result<(), Error> {
        let mut shown: BTreeMap<CustomerId, Vec<SessionId>> = BTreeMap::new();
        for found in found {
            shown.entry(found.customer).or_default().push(found.hit.session);
        }
        for (customer, mut sessions) in shown {
            let lines = sessions.len();
            sessions.dedup();
            sessions.truncate(MOST_NAMED);
            let text = format!("{actor} searched recordings for \"{}\" and was shown {lines} lines", self.text);
            let data = json!({"query": self.text, "lines": lines, "sessions": sessions});
            events::append(tx, New::of(Kind::SessionsSearched, actor, text).customer(customer).data(data))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::testing::Centre;
    use proptest::prelude::*;

    fn lines(centre: &Centre, search: &Search, scope: &Scope) -> Vec<String> {
        let search = Search { most: 100, ..search.clone() };
        let found = centre.store.read(|db| search.find(db, scope).unwrap());
        found.into_iter().map(|found| found.hit.line.raw().to_owned()).collect()
    }

    #[test]
    fn text_is_plain_text() {
        let mut centre = Centre::new();
        let session = centre.session("ne-1.jw.ne");
        centre.said(&session, &["100% sure", "100 sure", "a_b", "axb", "say \"hello\" AND bye", "路径 C:\\x", "Fan FAILED", "风扇停转"]);
        let find = |text: &str| lines(&centre, &Search::of(text).unwrap(), &Scope::All);
        assert_eq!(find("100%"), ["100% sure"]);
        assert_eq!(find("0%"), ["100% sure"]);
        assert_eq!(find("_b"), ["a_b"]);
        assert_eq!(find("a_b"), ["a_b"]);
        assert_eq!(find("\"hello\" AND"), ["say \"hello\" AND bye"]);
        assert_eq!(find("C:\\"), ["路径 C:\\x"]);
        assert_eq!(find(":\\"), ["路径 C:\\x"]);
        assert_eq!(find("failed"), ["Fan FAILED"]);
        assert_eq!(find("fA"), ["Fan FAILED"]);
        assert_eq!(find("风扇"), ["风扇停转"]);
        assert_eq!(find("扇停转"), ["风扇停转"]);
        assert_eq!(find("sure"), ["100 sure", "100% sure"], "newest first");
        assert_eq!(find("sure\u{200b}").len(), 2);
        assert!(find("nothing like it").is_empty());
        for bad in [String::new(), "a\nb".into(), "\u{1b}[2J".into(), "x".repeat(201)] {
            assert!(matches!(Search::of(&bad), Err(Error::BadQuery)), "{bad:?}");
        }
    }

    #[test]
    fn it_stays_in_its_scope_and_its_filters() {
        let mut centre = Centre::new();
        let (own, other) = (centre.session("ne-1.jw.ne"), centre.session("ne-1.yw.ne"));
        centre.said(&own, &["show alarms of jw"]);
        centre.said(&other, &["show alarms of yw"]);
        let jw = Scope::Customer(own.device.customer);
        for text in ["alarms", "al"] {
            let search = Search::of(text).unwrap();
            let with = |search: Search, scope: &Scope| lines(&centre, &search, scope);
            assert_eq!(with(search.clone(), &Scope::All).len(), 2);
            assert_eq!(with(search.clone(), &jw), ["show alarms of jw"]);
            let customer = Some("YW".parse().unwrap());
            assert_eq!(with(Search { customer: customer.clone(), ..search.clone() }, &Scope::All), ["show alarms of yw"]);
            assert!(with(Search { customer, ..search.clone() }, &jw).is_empty());
            assert_eq!(with(Search { fault: Some(other.fault), ..search.clone() }, &Scope::All), ["show alarms of yw"]);
            assert_eq!(with(Search { device: Some(own.device.id), ..search.clone() }, &Scope::All), ["show alarms of jw"]);
            assert!(with(Search { engineer: Some("nobody-else".parse().unwrap()), ..search.clone() }, &Scope::All).is_empty());
        }
        let search = Search { most: 100, ..Search::of("alarms").unwrap() };
        let asker = crate::trust::testing::World::engineer();
        centre.store.write(|tx| {
            let found = search.find(tx, &Scope::All).unwrap();
            search.tell(tx, &asker, &found).unwrap();
        });
        let told = |scope: &Scope| {
            let events = centre.store.read(|db| events::after(db, scope, 0, 1000).unwrap());
            events.into_iter().filter(|event| event.kind == "session.searched").count()
        };
        assert_eq!((told(&Scope::All), told(&jw)), (2, 1), "each customer hears of it once, and not of the other");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// No text is a piece of the index's language: it finds itself, or is refused.
        #[test]
        fn whatever_is_asked_finds_itself(text in "[a-zA-Z\"'*^:()%_\\\\{}+\\-风扇é ]{1,12}") {
            let mut centre = Centre::new();
            let session = centre.session("ne-1.jw.ne");
            let line = format!("before|{text}|after");
            centre.said(&session, &[&line, "12345"]);
            let found = lines(&centre, &Search::of(&text).unwrap(), &Scope::All);
            prop_assert_eq!(found.first(), Some(&line));
        }
    }
}

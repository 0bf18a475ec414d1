use jiff::SignedDuration;
use lineman_common::api::{Gap, GapState, HandleGap, Language};
use lineman_common::name::CaseNumber;
use lineman_common::people::Role;

use super::super::super::Error;
use super::super::super::tests::{Library, actor, body, engineer};
use super::{Filter, Unanswered, handle, list, nothing_found};

impl Library {
    fn nothing(&mut self, person: &str, text: &str) {
        self.store.write(|tx| nothing_found(tx, &engineer(person), text, None, Unanswered::Nothing)).unwrap();
    }

    fn gaps(&self) -> Vec<Gap> {
        self.store.read(|db| list(db, &Filter { limit: 100, ..Filter::default() })).unwrap()
    }

    fn texts(&self) -> Vec<(String, u32)> {
        self.gaps().into_iter().map(|gap| (gap.text.raw().to_owned(), gap.count)).collect()
    }

    fn seconds(&mut self, seconds: i64) {
        self.store.now += SignedDuration::from_secs(seconds);
    }
}

#[test]
fn the_same_question_is_counted_and_the_most_asked_comes_first() {
    let mut library = Library::empty();
    library.nothing("engineer-a", "Rectifier hums");
    library.seconds(100);
    library.nothing("engineer-b", "风扇  啸叫");
    library.nothing("engineer-b", "风扇，啸叫？");
    library.store.write(|tx| nothing_found(tx, &engineer("engineer-c"), "风扇 啸叫", Some("OLT"), Unanswered::NoneFits)).unwrap();
    for text in ["", "  ", "?!", "\u{0}"] {
        library.nothing("engineer-a", text);
    }
    assert_eq!(library.texts(), [("风扇 啸叫".into(), 3), ("Rectifier hums".into(), 1)]);
    let gap = &library.gaps()[0];
    assert_eq!((gap.language, gap.none_fits, gap.product.raw(), gap.last_at), (Language::Zh, 1, "OLT", library.store.now));
    let page = |after| library.store.read(|db| list(db, &Filter { after, limit: 1, ..Filter::default() })).unwrap();
    let first = &page(None)[0];
    assert_eq!(page(Some((first.count, first.id)))[0].text.raw(), "Rectifier hums");
    let chinese = Filter { language: Some(Language::Zh), limit: 9, ..Filter::default() };
    assert_eq!(library.store.read(|db| list(db, &chinese)).unwrap().len(), 1);
    let product = Filter { product: Some("BBU".into()), limit: 9, ..Filter::default() };
    assert!(library.store.read(|db| list(db, &product)).unwrap().is_empty());
}

#[test]
fn what_is_typed_letter_by_letter_is_one_question() {
    let mut library = Library::empty();
    for text in ["rec", "recti", "rectifier", "rectifier hums"] {
        library.nothing("engineer-a", text);
        library.seconds(1);
    }
    assert_eq!(library.texts(), [("rectifier hums".into(), 1)]);
    library.nothing("engineer-b", "rect");
    library.seconds(61);
    library.nothing("engineer-b", "rectangle");
    assert_eq!(library.texts().len(), 3, "a minute later it is another question");
}

#[test]
fn what_belongs_to_a_customer_is_masked_before_it_is_kept() {
    let mut library = Library::empty();
    let id = library.customer("JW");
    let noc = actor("noc-jw", Role::Noc, Some((id, "JW")));
    let text = "ne-1.jw.ne at North exchange of JW Telecom, password=abc123, 10.0.0.7, SN2102312: rectifier hums";
    library.store.write(|tx| nothing_found(tx, &noc, text, None, Unanswered::Nothing)).unwrap();
    let kept = library.store.read(|db| {
        let mut kept = String::new();
        let mut statement = db.sql().prepare("SELECT question || ' ' || text FROM library_gap").unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            kept.push_str(&row.get::<_, String>(0).unwrap());
        }
        kept
    });
    for secret in ["ne-1", "North", "JW Telecom", "jw telecom", "abc123", "10.0.0.7", "10 0 0 7", "SN2102312", "sn2102312"] {
        assert!(!kept.contains(secret), "{secret} in {kept}");
    }
    assert!(kept.contains("rectifier hums"));
}

#[test]
fn a_question_is_answered_by_a_case_or_not_worth_one() {
    let mut library = Library::empty();
    library.nothing("engineer-a", "rectifier hums");
    let number = library.add(&body("", "Rectifier hums | coil whine", &[], &[]));
    let id = library.gaps()[0].id;
    let say = |state, case| HandleGap { state, case, note: "".into() };
    let mut handled = |said: &HandleGap| library.store.write(|tx| handle(tx, &engineer("author-a"), id, said));
    assert!(matches!(handled(&say(GapState::Written, None)), Err(Error::NeedsCase)));
    assert!(matches!(handled(&say(GapState::Written, Some(CaseNumber(99)))), Err(Error::NotFound)));
    assert!(matches!(handled(&say(GapState::NotWorth, Some(number))), Err(Error::NoCaseWanted)));
    let gap = handled(&say(GapState::Written, Some(number))).unwrap();
    assert_eq!((gap.state, gap.case, gap.handled_by.unwrap().as_str()), (GapState::Written, Some(number), "author-a"));
    assert!(library.gaps().is_empty());
    library.nothing("engineer-b", "rectifier hums");
    assert_eq!(library.gaps()[0].count, 2, "asked again although a case was written: it is not found");
    library.store.write(|tx| handle(tx, &engineer("author-a"), id, &say(GapState::NotWorth, None))).unwrap();
    library.seconds(100);
    library.nothing("engineer-b", "rectifier hums");
    assert!(library.gaps().is_empty(), "what is not worth a case stays so");
    let none = library.store.write(|tx| handle(tx, &engineer("author-a"), 99, &say(GapState::Open, None)));
    assert!(matches!(none, Err(Error::NoGap)));
}

//! Offers with their real schema: what is suggested to whom, and what is kept of what came of it.

use jiff::SignedDuration;
use lineman_common::api::{
    Audience, CaseBody, Cited, Fault, LinkVerdict, NewDeflection, NewEquipment, NewFault, NewOffer, NewSignals, OfferPlace, Shown,
    SignalRetention, Suggestions, Typed,
};
use lineman_common::fault::{FaultKind, Impact};
use lineman_common::id::{CustomerId, OfferId};
use lineman_common::name::CaseNumber;
use lineman_common::people::Role;

use super::super::Reference;
use super::super::tests::{Library, actor, body, engineer};
use super::*;
use crate::store::Db;
use crate::web::{Actor, Scope};

fn noc(id: CustomerId, code: &str) -> Actor {
    actor(&format!("noc-{}", code.to_lowercase()), Role::Noc, Some((id, code)))
}

fn file(library: &mut Library, who: &Actor, equipment: &str, title: &str) -> Fault {
    let new = NewFault {
        customer: None,
        equipment: Some(equipment.parse().unwrap()),
        title: title.into(),
        description: "".into(),
        impact: Impact::Partial,
        started_at: None,
        kind: FaultKind::Fault,
        customer_reference: None,
    };
    library.store.write(|tx| faults::report(tx, who, new)).unwrap()
}

/// Another device of JW's, below `ne-1` when `parent` says so.
fn device(library: &mut Library, code: &str, handle: &str, parent: Option<&str>) {
    library.store.write(|tx| {
        let admin = actor("admin-z", Role::Admin, None);
        let site = crate::customers::sites(tx, &Scope::All).unwrap().into_iter().find(|site| site.customer.as_str() == code).unwrap();
        let new = NewEquipment {
            customer: code.parse().unwrap(),
            handle: handle.parse().unwrap(),
            site: site.id,
            product: "OLT".into(),
            model: "C320".into(),
            serial: "x1".into(),
            software: "1.0".into(),
            parent: parent.map(|parent| parent.parse().unwrap()),
        };
        equipment::add(tx, &admin, new).unwrap();
    });
}

fn suggested(library: &Library, who: &Actor, text: &str, equipment: Option<&str>) -> Suggestions {
    let typed = Typed { text: text.into(), equipment: equipment.map(str::to_owned), ..Typed::default() };
    library.store.read(|db| suggest::typed(db, &library.finder, who, &typed)).unwrap()
}

fn numbers(found: &Suggestions) -> Vec<String> {
    found.duplicates.iter().map(|open| open.number.to_string()).collect()
}

fn why(found: &Suggestions, number: &str) -> Vec<String> {
    let open = found.duplicates.iter().find(|open| open.number.to_string() == number).unwrap_or_else(|| panic!("no {number}: {found:?}"));
    open.why.iter().map(ToString::to_string).collect()
}

// ---- Suggestions ----------------------------------------------------------------------------------------------------

#[test]
fn cases_and_open_faults_are_offered_with_why() {
    let mut library = Library::new();
    let jw = library.customer("JW");
    let fault = library.fan_fails();
    let found = suggested(&library, &noc(jw, "JW"), "风扇停转，板卡很热", Some("ne-1.jw.ne"));
    assert!(found.items.is_empty(), "all cases are internal");
    assert_eq!(numbers(&found), [fault.number.to_string()]);
    let why = why(&found, "F-JW-1");
    assert_eq!(why[..2], ["same equipment", "fan.speed"]);
    assert!(why.contains(&"风扇停转".to_owned()), "{why:?}");
    let found = suggested(&library, &engineer("engineer-a"), "风扇停转", Some("ne-1.jw.ne"));
    assert_eq!(found.items[0].number.0, 1);
    assert_eq!(numbers(&found), ["F-JW-1"]);
}

#[test]
fn place_alarms_and_words_speak_for_a_duplicate() {
    let mut library = Library::empty();
    let jw = library.customer("JW");
    device(&mut library, "JW", "ne-2", Some("ne-1"));
    device(&mut library, "JW", "ne-3", Some("ne-1"));
    device(&mut library, "JW", "far-9", None);
    let noc = noc(jw, "JW");
    file(&mut library, &noc, "ne-1.jw.ne", "上联口丢包严重");
    file(&mut library, &noc, "ne-2.jw.ne", "fan tray is loud since this morning");
    file(&mut library, &noc, "far-9.jw.ne", "fan tray is loud again");
    file(&mut library, &noc, "far-9.jw.ne", "clock out of sync");

    let found = suggested(&library, &noc, "fan tray is loud", Some("ne-1.jw.ne"));
    assert_eq!(numbers(&found), ["F-JW-2", "F-JW-3", "F-JW-1"], "{found:?}");
    assert_eq!(why(&found, "F-JW-2"), ["hangs on it", "fan tray", "loud"]);
    assert_eq!(why(&found, "F-JW-3"), ["fan tray", "loud"]);
    assert_eq!(why(&found, "F-JW-1"), ["same equipment"], "always worth a look");

    let found = suggested(&library, &noc, "fan tray is loud", Some("ne-3.jw.ne"));
    assert_eq!(why(&found, "F-JW-2")[0], "near it in the equipment tree");
    let found = suggested(&library, &noc, "丢包", Some("ne-2.jw.ne"));
    assert_eq!(why(&found, "F-JW-1")[0], "its parent");
    let found = suggested(&library, &noc, "entirely other words", None);
    assert!(found.duplicates.is_empty(), "{found:?}");
    // What is over is no duplicate.
    let reference = faults::Reference::Number("F-JW-3".parse().unwrap());
    library.store.write(|tx| faults::cancel(tx, &noc, &reference, &"x".into())).unwrap();
    assert!(!numbers(&suggested(&library, &noc, "fan tray is loud", None)).contains(&"F-JW-3".to_owned()));
}

#[test]
fn an_old_fault_of_the_same_place_is_found_behind_very_many_newer_ones() {
    let mut library = Library::empty();
    let jw = library.customer("JW");
    device(&mut library, "JW", "ne-2", Some("ne-1"));
    device(&mut library, "JW", "far-9", None);
    let noc = noc(jw, "JW");
    file(&mut library, &noc, "ne-1.jw.ne", "上联口丢包严重");
    file(&mut library, &noc, "ne-2.jw.ne", "fan tray is loud");
    file(&mut library, &noc, "far-9.jw.ne", "fan tray is loud");
    for number in 0..300 {
        file(&mut library, &noc, "far-9.jw.ne", &format!("clock out of sync {number}"));
    }
    let found = suggested(&library, &noc, "fan tray is loud", Some("ne-1.jw.ne"));
    assert_eq!(numbers(&found), ["F-JW-2", "F-JW-1"], "elsewhere only the newest are compared");
}

#[test]
fn a_fault_is_no_duplicate_of_itself() {
    let mut library = Library::empty();
    let jw = library.customer("JW");
    let noc = noc(jw, "JW");
    let one = file(&mut library, &noc, "ne-1.jw.ne", "fan tray is loud");
    let two = file(&mut library, &noc, "ne-1.jw.ne", "the fan tray is loud");
    let found = library.store.read(|db| suggest::for_fault(db, &library.finder, &Scope::All, &two)).unwrap();
    assert_eq!(numbers(&found), [one.number.to_string()]);
    assert!(found.duplicates[0].score > 0.8);
}

#[test]
fn no_text_breaks_suggestions() {
    let mut library = Library::empty();
    let jw = library.customer("JW");
    let noc = noc(jw, "JW");
    file(&mut library, &noc, "ne-1.jw.ne", "fan tray is loud \" OR 1 -- 😀");
    for text in ["", " ", "\u{0}", "'; DROP TABLE fault; --", "😀", &"风扇".repeat(5_000), &"a ".repeat(10_000), "\u{202e}naf"] {
        suggested(&library, &noc, text, None);
        suggested(&library, &noc, text, Some("ne-1.jw.ne"));
    }
}

// ---- Who learns what ------------------------------------------------------------------------------------------------

/// All that a customer is told, as text.
fn told(library: &Library, who: &Actor) -> String {
    let mut all = String::new();
    for text in ["fan tray is loud", "风扇停转", "ALM-25621", "F-XX-1", "ne-1.xx.ne", ""] {
        for equipment in [None, Some("ne-1.jw.ne")] {
            let found = suggested(library, who, text, equipment);
            // The offer is a new name each time.
            all.push_str(&serde_json::to_string(&(found.items, found.duplicates)).unwrap());
        }
    }
    all
}

#[test]
fn a_customer_learns_nothing_of_internal_cases_and_others_faults() {
    let mut library = Library::empty();
    let (jw, xx) = (library.customer("JW"), library.customer("XX"));
    let (noc_jw, noc_xx) = (noc(jw, "JW"), noc(xx, "XX"));
    let public = CaseBody {
        audience: Audience::Customer,
        ..body("风扇停转 | 换风扇", "Fan tray is loud | replace it", &["OLT C320"], &["ALM-25621"])
    };
    library.add(&public);
    file(&mut library, &noc_jw, "ne-1.jw.ne", "fan tray is loud");
    let before = told(&library, &noc_jw);
    assert!(before.contains("C-0001") && before.contains("F-JW-1"));
    // Internal cases and another customer's faults with the very words, many of them: what JW is told is the same, to the last digit.
    for n in 0..20 {
        library.add(&body("风扇停转，风扇框噪声大", "Fan tray is loud, fan tray is loud", &["OLT C320"], &["ALM-25621"]));
        file(&mut library, &noc_xx, "ne-1.xx.ne", &format!("fan tray is loud 风扇停转 {n}"));
    }
    assert_eq!(told(&library, &noc_jw), before);
    // Equipment of another customer is no equipment.
    let foreign = Typed { text: "fan".into(), equipment: Some("ne-1.xx.ne".into()), ..Typed::default() };
    let said = library.store.read(|db| suggest::typed(db, &library.finder, &noc_jw, &foreign)).unwrap_err().to_string();
    let missing = Typed { equipment: Some("ne-7.xx.ne".into()), ..foreign };
    assert_eq!(library.store.read(|db| suggest::typed(db, &library.finder, &noc_jw, &missing)).unwrap_err().to_string(), said);
    let customer = Typed { text: "fan".into(), customer: Some("XX".parse().unwrap()), ..Typed::default() };
    assert!(matches!(library.store.read(|db| suggest::typed(db, &library.finder, &noc_jw, &customer)), Err(Error::NoCustomer(_))));
    // The support centre sees the faults of the customer that it asks about.
    let found = suggested(&library, &engineer("engineer-a"), "fan tray is loud", Some("ne-1.jw.ne"));
    assert_eq!(numbers(&found), ["F-JW-1"]);
}

// ---- Signals --------------------------------------------------------------------------------------------------------

fn offer(query: &str, shown: &[u32]) -> NewOffer {
    NewOffer {
        offer: OfferId::new(),
        place: OfferPlace::Filing,
        query: query.into(),
        fault: None,
        equipment: None,
        shown: shown.iter().map(|number| Shown { case: CaseNumber(*number), score: 1.5 }).collect(),
        opened: Vec::new(),
        cited: Vec::new(),
        none_fits: false,
    }
}

fn tell(library: &mut Library, who: &Actor, offer: &NewOffer) -> Result<u32, Error> {
    let new = NewSignals { offers: vec![offer.clone()] };
    library.store.write(|tx| signals::store(tx, who, &new)).map(|stored| stored.offers)
}

fn all(db: &Db<'_>) -> Vec<lineman_common::api::OfferRecord> {
    signals::list(db, None, 100).unwrap().items
}

#[test]
fn what_was_offered_is_kept_with_its_place_and_told_twice_is_told_once() {
    let mut library = Library::new();
    let jw = library.customer("JW");
    let fault = file(&mut library, &noc(jw, "JW"), "ne-1.jw.ne", "fan");
    let engineer = engineer("engineer-a");
    let mut told = offer("fan at 10.0.0.7 of JW is loud, password=Hunter2x", &[3, 1, 99, 2]);
    told.opened = vec![CaseNumber(1)];
    for _ in 0..2 {
        assert_eq!(tell(&mut library, &engineer, &told).unwrap(), 1);
    }
    let more = NewOffer {
        fault: Some(fault.number.clone()),
        cited: vec![Cited { case: CaseNumber(2), verdict: LinkVerdict::Helped }],
        query: "another question".into(),
        ..told.clone()
    };
    tell(&mut library, &engineer, &more).unwrap();
    let kept = library.store.read(all);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].query.raw(), "fan at [ip] of [customer] is loud, password=[secret]", "masked, and the first one stands");
    assert_eq!(kept[0].fault, Some(fault.number));
    let shown: Vec<_> = kept[0].shown.iter().map(|shown| (shown.position, shown.case.0, shown.opened, shown.cited)).collect();
    assert_eq!(shown, [(1, 3, false, None), (2, 1, true, None), (4, 2, false, Some(LinkVerdict::Helped))], "C-0099 is none");
    // The same name by another person is another offer.
    tell(&mut library, &super::super::tests::engineer("engineer-b"), &told).unwrap();
    assert_eq!(library.store.read(all).len(), 2);
    let page = library.store.read(|db| signals::list(db, None, 1)).unwrap();
    let (at, id) = page.next.as_deref().and_then(|next| next.split_once('.')).unwrap();
    let after = (jiff::Timestamp::from_microsecond(at.parse().unwrap()).unwrap(), id.parse().unwrap());
    assert!(library.store.read(|db| signals::list(db, Some(after), 10)).unwrap().items.len() <= 1);
}

#[test]
fn signals_are_no_way_to_ask_what_there_is() {
    let mut library = Library::new();
    let (jw, xx) = (library.customer("JW"), library.customer("XX"));
    let (noc_jw, noc_xx) = (noc(jw, "JW"), noc(xx, "XX"));
    let fault = file(&mut library, &noc_xx, "ne-1.xx.ne", "fan");
    // An internal case and one that is none: the same answer, and nothing is kept of either.
    for case in [1, 99] {
        let mut told = offer("fan", &[case]);
        told.opened = vec![CaseNumber(case)];
        told.cited = vec![Cited { case: CaseNumber(case), verdict: LinkVerdict::Solved }];
        assert_eq!(tell(&mut library, &noc_jw, &told).unwrap(), 1);
    }
    let kept = library.store.read(all);
    assert!(kept.iter().all(|offer| offer.shown.is_empty() && offer.customer.as_ref().unwrap().as_str() == "JW"), "{kept:?}");
    let foreign = NewOffer { fault: Some(fault.number), ..offer("fan", &[]) };
    let missing = NewOffer { fault: Some("F-XX-9".parse().unwrap()), ..offer("fan", &[]) };
    let said = |library: &mut Library, told: &NewOffer| tell(library, &noc_jw, told).unwrap_err().to_string();
    assert_eq!(said(&mut library, &foreign), said(&mut library, &missing));
    // And a deflection neither.
    let question = NewDeflection { question: "fan".into(), ..NewDeflection::default() };
    for case in [1, 99] {
        let refused = library.store.write(|tx| deflections::record(tx, &noc_jw, &Reference::Number(CaseNumber(case)), &question));
        assert!(matches!(refused, Err(Error::Cases(cases::Error::NotFound))), "{refused:?}");
    }
}

#[test]
fn what_nothing_fits_is_told_to_the_log_of_gaps_once() {
    let mut library = Library::new();
    library.customer("JW");
    let engineer = engineer("engineer-a");
    let mut told = offer("antenna tilts in the storm", &[1, 2]);
    told.none_fits = true;
    tell(&mut library, &engineer, &told).unwrap();
    tell(&mut library, &engineer, &told).unwrap();
    tell(&mut library, &engineer, &offer("no such trouble", &[])).unwrap();
    let gaps: Vec<(String, u32)> = library.store.read(|db| {
        let mut statement = db.sql().prepare("SELECT question, asked FROM library_gap ORDER BY id").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    });
    assert_eq!(gaps, [("antenna tilts in the storm".to_owned(), 1), ("no such trouble".to_owned(), 1)]);
    assert!(library.store.read(all)[0].none_fits);
}

#[test]
fn signals_are_forgotten_after_so_many_months() {
    let mut library = Library::new();
    let engineer = engineer("engineer-a");
    tell(&mut library, &engineer, &offer("old", &[1])).unwrap();
    assert!(matches!(library.store.write(|tx| signals::set_retention(tx, SignalRetention { months: 0 })), Err(Error::Months(_))));
    library.store.write(|tx| signals::set_retention(tx, SignalRetention { months: 2 })).unwrap();
    library.store.now += SignedDuration::from_hours(24 * 40);
    tell(&mut library, &engineer, &offer("new", &[1])).unwrap();
    assert_eq!(library.store.write(signals::forget).unwrap(), 0);
    library.store.now += SignedDuration::from_hours(24 * 22);
    assert_eq!(library.store.write(signals::forget).unwrap(), 1);
    let kept = library.store.read(all);
    assert_eq!(kept.iter().map(|offer| offer.query.raw()).collect::<Vec<_>>(), ["new"]);
    let rows: u32 = library.store.read(|db| db.sql().query_row("SELECT count(*) FROM case_offered", [], |row| row.get(0)).unwrap());
    assert_eq!(rows, 1);
}

#[test]
fn a_batch_is_bounded() {
    let mut library = Library::new();
    let engineer = engineer("engineer-a");
    let none = library.store.write(|tx| signals::store(tx, &engineer, &NewSignals::default()));
    assert!(matches!(none, Err(Error::HowManyOffers(_))));
    assert!(matches!(tell(&mut library, &engineer, &offer("x", &[1; 101])), Err(Error::TooManyShown(_))));
    let mut odd = offer("x", &[1]);
    odd.shown[0].score = f64::NAN;
    assert!(tell(&mut library, &engineer, &odd).is_ok());
}

// ---- Deflections ----------------------------------------------------------------------------------------------------

#[test]
fn a_deflection_is_counted_until_it_is_taken_back() {
    let mut library = Library::new();
    let (jw, xx) = (library.customer("JW"), library.customer("XX"));
    let public = CaseBody { audience: Audience::Customer, ..body("风扇停转 | 换风扇", "", &[], &[]) };
    let case = library.add(&public);
    let reference = Reference::Number(case);
    let noc_jw = noc(jw, "JW");
    let new = NewDeflection { question: "fan of ne-1 is loud, call 13812345678".into(), ..NewDeflection::default() };
    let done = library.store.write(|tx| deflections::record(tx, &noc_jw, &reference, &new)).unwrap();
    assert_eq!(done.question.raw(), "fan of [equipment] is loud, call [phone]");
    assert_eq!((done.case, done.customer.as_ref().map(ToString::to_string)), (case, Some("JW".to_owned())));
    let about = NewDeflection { equipment: Some("ne-1.jw.ne".parse().unwrap()), ..new.clone() };
    let by_support = library.store.write(|tx| deflections::record(tx, &engineer("engineer-a"), &reference, &about)).unwrap();
    assert_eq!(by_support.customer, done.customer);
    let empty = NewDeflection { question: " ".into(), ..NewDeflection::default() };
    assert!(matches!(library.store.write(|tx| deflections::record(tx, &noc_jw, &reference, &empty)), Err(Error::NoQuestion)));

    let count = |library: &Library, scope: &Scope| {
        let all = library.store.read(|db| deflections::list(db, scope, None, 100)).unwrap();
        all.iter().filter(|deflection| deflection.undone_at.is_none()).count()
    };
    assert_eq!((count(&library, &Scope::All), count(&library, &Scope::Customer(jw)), count(&library, &Scope::Customer(xx))), (2, 2, 0));
    assert!(library.store.read(|db| deflections::list(db, &Scope::Customer(xx), None, 10)).unwrap().is_empty());

    let id = by_support.id.to_string();
    let mut undo = |who: &Actor, id: &str| library.store.write(|tx| deflections::undo(tx, who, &reference, id));
    assert!(matches!(undo(&noc_jw, &id), Err(Error::NotYours)));
    assert!(matches!(undo(&noc(xx, "XX"), &id), Err(Error::NoDeflection)));
    assert!(undo(&engineer("engineer-a"), &id).unwrap().undone_at.is_some());
    assert!(matches!(undo(&actor("admin-z", Role::Admin, None), &id), Err(Error::Undone)));
    assert_eq!(count(&library, &Scope::All), 1);
}

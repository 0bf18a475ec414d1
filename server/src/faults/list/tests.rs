//! What lists find, in which order, and along which indexes.

use std::collections::BTreeSet;

use jiff::ToSpan;
use lineman_common::Printable;
use lineman_common::api::{ClockState, Diagnosis, Fault, FaultRow, FaultSort, Listing, NewFault, Note, Pend, Tier};
use lineman_common::fault::{FaultKind, Impact, PendingReason};
use lineman_common::people::Role;

use super::super::{self as faults, Reference, clocks};
use super::*;
use crate::customers;
use crate::equipment::Known;
use crate::store::testing::TestStore;
use crate::trust::testing::{actor, place};
use crate::web::Actor;

struct Desk {
    store: TestStore,
    device: Known,
    other: Known,
}

fn engineer() -> Actor {
    actor("engineer-a", Role::Engineer, None)
}

impl Desk {
    fn new() -> Self {
        let mut store = TestStore::new();
        let (device, other) = store.write(|tx| {
            let places = (place(tx, "JW").1, place(tx, "YW").1);
            let hours = |hours: u32| Some(hours * 3600);
            let resolve_s = [hours(4), hours(8), hours(24)];
            let tier = Tier { name: "gold".into(), accept_s: Some(300), respond_s: Some(600), resolve_s, ..Tier::default() };
            customers::set_tier(tx, &actor("admin", Role::Admin, None), &tier).unwrap();
            places
        });
        Self { store, device, other }
    }

    fn noc(&self) -> Actor {
        actor("noc-jw", Role::Noc, Some((self.device.customer, "JW")))
    }

    fn stranger(&self) -> Actor {
        actor("noc-yw", Role::Noc, Some((self.other.customer, "YW")))
    }

    fn file(&mut self, title: &str, description: &str) -> Fault {
        self.file_as(&self.noc(), &self.device.clone(), title, description, Impact::Partial)
    }

    fn file_as(&mut self, by: &Actor, device: &Known, title: &str, description: &str, impact: Impact) -> Fault {
        let new = NewFault {
            equipment: Some(device.name.clone()),
            customer: None,
            title: title.into(),
            description: description.into(),
            impact,
            started_at: None,
            kind: FaultKind::Fault,
            customer_reference: None,
        };
        self.store.write(|tx| faults::report(tx, by, new)).unwrap()
    }

    /// Looks at the clocks until nothing is due.
    fn tick(&mut self) {
        for _ in 0..5 {
            self.store.write(clocks::look_for_tests).unwrap();
        }
    }

    fn ask(&self, who: &Actor, q: &str, page: &Page) -> Result<Listing<FaultRow>, ApiError> {
        let ask = Ask::read(Some(q), Some("Asia/Shanghai"), &keys(), who)?;
        let filter = Filter { open: !ask.has("status"), ..Filter::default() };
        self.store.read(|db| super::page(db, &who.scope(), &ask, &filter, page))
    }

    fn found(&self, who: &Actor, q: &str) -> Vec<String> {
        let page = Page { sort: FaultSort::Oldest, after: None, limit: 100 };
        let listing = self.ask(who, q, &page).unwrap_or_else(|error| panic!("{q}: {}", error.message()));
        assert_eq!(listing.total, Some(listing.items.len() as u64), "{q}");
        let counted = self.store.read(|db| count(db, &who.scope(), &Ask::read(Some(q), None, &keys(), who).unwrap(), 1000)).unwrap();
        assert_eq!(counted.count, listing.items.len() as u64, "{q}");
        listing.items.iter().map(|row| row.fault.title.raw().to_owned()).collect()
    }

    fn refused(&self, q: &str) -> String {
        let page = Page { sort: FaultSort::Newest, after: None, limit: 100 };
        self.ask(&engineer(), q, &page).map(|_| ()).unwrap_err().message().to_owned()
    }
}

fn number(fault: &Fault) -> Reference {
    Reference::Id(fault.id)
}

#[test]
fn words_are_found_anywhere_in_any_script() {
    let mut desk = Desk::new();
    desk.file("板卡3 温度 92°C 越限", "机框风扇停转, ALM:25621");
    desk.file("Board TEMPERATURE too high", "slot 3; rx-power -28.4 dBm 🔥");
    desk.file("其他", "nothing of it: 100% _loud_");
    let engineer = engineer();
    let chinese = ["板卡3 温度 92°C 越限"];
    let english = ["Board TEMPERATURE too high"];
    let other = ["其他"];
    for (q, wanted) in [
        ("温度", &chinese[..]),
        ("度", &chinese),
        ("板卡3", &chinese),
        ("卡 风扇", &chinese),
        ("\"温度 92\"", &chinese),
        ("ALM:25621", &chinese),
        ("2562", &chinese),
        ("風扇", &chinese),
        ("temp", &english),
        ("EMPERAT", &english),
        ("ｔｅｍｐ", &english),
        ("te igh", &english),
        ("\"rx power\"", &english),
        ("28.4", &english),
        ("🔥", &english),
        ("text:slot", &english),
        ("\"too low\"", &[]),
        ("温度 temperature", &[]),
        ("100%", &other),
        ("其他", &other),
        ("F-JW-3", &other),
        ("ne-1.jw.ne", &["板卡3 温度 92°C 越限", "Board TEMPERATURE too high", "其他"]),
        ("'; DROP TABLE fault; --", &[]),
        ("\" OR 1=1 --", &[]),
    ] {
        assert_eq!(desk.found(&engineer, q), wanted, "{q}");
    }
    for q in ["%", "!!!", "\"。，\"", "-"] {
        assert!(desk.refused(q).contains("nothing to search for"), "{q}");
    }
    assert!(desk.refused("-text:fan").contains("does not contain"));
}

#[test]
fn notes_are_found_by_those_who_may_read_them() {
    let mut desk = Desk::new();
    let fault = desk.file("fan", "stops");
    let (noc, stranger) = (desk.noc(), desk.stranger());
    desk.store.write(|tx| {
        for (text, internal) in [("the spare part left Shenzhen", false), ("customer is 难缠", true)] {
            faults::note(tx, &engineer(), &number(&fault), &Note { text: text.into(), internal }).unwrap();
        }
    });
    assert_eq!(desk.found(&engineer(), "shenzhen"), ["fan"]);
    assert_eq!(desk.found(&engineer(), "难缠"), ["fan"]);
    assert_eq!(desk.found(&noc, "shenzhen"), ["fan"]);
    assert_eq!(desk.found(&noc, "难缠"), [""; 0], "what is internal is not found by others");
    for q in ["shenzhen", "fan", "F-JW-1", "customer:JW", "", "-owner:me", "owner:none"] {
        assert_eq!(desk.found(&stranger, q), [""; 0], "{q}");
    }
    // Told to the page's reader only as far as they may know.
    let page = Page { sort: FaultSort::Newest, after: None, limit: 10 };
    let last = |who: &Actor| desk.ask(who, "", &page).unwrap().items[0].last.clone().unwrap();
    assert_eq!(last(&engineer()).text.raw(), "customer is 难缠");
    assert_eq!((last(&noc).text.raw().to_owned(), last(&noc).who), ("the spare part left Shenzhen".to_owned(), "engineer-a".to_owned()));
    assert!(desk.ask(&noc, "problem:1", &page).unwrap_err().message().contains("support centre"));
}

#[test]
fn a_changed_text_is_found_by_its_new_words_only() {
    let mut desk = Desk::new();
    let fault = desk.file("fan", "stops");
    let edit = lineman_common::api::EditFault { title: Some("pump".into()), ..Default::default() };
    desk.store.write(|tx| faults::edit(tx, &engineer(), &number(&fault), &edit)).unwrap();
    assert_eq!(desk.found(&engineer(), "pump"), ["pump"]);
    assert_eq!(desk.found(&engineer(), "fan"), [""; 0]);
    // Over, it is in no list of open ones, and still found among all.
    desk.store.write(|tx| faults::cancel(tx, &engineer(), &number(&fault), &"by mistake".into())).unwrap();
    assert_eq!(desk.found(&engineer(), "pump"), [""; 0]);
    assert_eq!(desk.found(&engineer(), "pump status:all"), ["pump"]);
    assert_eq!(desk.found(&engineer(), "pump 状态：已结束"), ["pump"]);
}

#[test]
fn filters_say_what_they_mean() {
    let mut desk = Desk::new();
    let (noc, stranger, other) = (desk.noc(), desk.stranger(), desk.other.clone());
    let device = desk.device.clone();
    desk.file_as(&noc, &device, "full", "", Impact::Full);
    let partial = desk.file("partial", "");
    desk.file_as(&stranger, &other, "theirs", "", Impact::NoImpact);
    desk.store.write(|tx| faults::accept(tx, &engineer(), &number(&partial))).unwrap();
    desk.store
        .write(|tx| faults::pend(tx, &engineer(), &number(&partial), &Pend { reason: PendingReason::Parts, note: Printable::default() }))
        .unwrap();
    desk.store.now += 2.hours();
    desk.file("late", "");
    let engineer = engineer();
    for (q, wanted) in [
        ("", &["full", "partial", "theirs", "late"][..]),
        ("sev:critical", &["full"]),
        ("级别:紧急,次要", &["full", "theirs"]),
        ("-severity:critical", &["partial", "theirs", "late"]),
        ("status:pending", &["partial"]),
        ("状态:未关闭", &["full", "partial", "theirs", "late"]),
        ("status:closed", &[]),
        ("customer:yw", &["theirs"]),
        ("customer:JW", &["full", "partial", "late"]),
        ("customer:J*", &["full", "partial", "late"]),
        ("owner:me", &["partial"]),
        ("owner:none", &["full", "theirs", "late"]),
        ("owner:engineer-a,none", &["full", "partial", "theirs", "late"]),
        ("reporter:noc-yw", &["theirs"]),
        ("equipment:ne-1.yw.ne", &["theirs"]),
        ("ne:ne-1", &["full", "partial", "theirs", "late"]),
        ("ne:none", &[]),
        ("pending:parts", &["partial"]),
        ("impact:full,none", &["full", "theirs"]),
        ("kind:fault", &["full", "partial", "theirs", "late"]),
        ("age:>1h", &["full", "partial", "theirs"]),
        ("age:<=1小时", &["late"]),
        ("opened:<1h", &["late"]),
        ("opened:2026-11-22", &["full", "partial", "theirs", "late"]),
        ("opened:>=2026-11-22T01:00:00Z", &["late"]),
        ("opened:<2026-11-22", &[]),
        ("opened:>2026-11-22", &[]),
        ("updated:<1h", &["late"]),
        ("resolved:none", &["full", "partial", "theirs", "late"]),
        ("consent:none", &["full", "partial", "theirs", "late"]),
        ("consent:waiting", &[]),
        ("code:none", &["full", "partial", "theirs", "late"]),
        ("code:ALM*", &[]),
        ("breached:no", &["full", "partial", "theirs", "late"]),
        ("number:F-JW-1", &["full"]),
        ("reference:x", &[]),
        ("problem:none", &["full", "partial", "theirs", "late"]),
        ("sev:major owner:none l", &["late"]),
        ("tier:nonsense", &[]),
        ("due:none", &[]),
    ] {
        if q == "due:none" {
            desk.tick();
        }
        assert_eq!(desk.found(&engineer, q), wanted, "{q}");
    }
    for (q, said) in [
        ("sev:bad", "critical"),
        ("sevrity:critical", "did you mean `severity:`"),
        ("error:timeout", "no filter `error:`"),
        ("due:10m", "behind < or >"),
        ("due:<soon", "a stretch of time"),
        ("opened:<never", "2026-11-22"),
        ("opened:2026-02-30", "a day"),
        ("breached:maybe", "yes or no"),
        ("problem:x", "a whole number"),
        ("owner:<me", "can't be compared"),
        ("customer:,", "a value is missing"),
    ] {
        let error = desk.refused(q);
        assert!(error.contains(said), "{q}: {error}");
    }
    let words = "w ".repeat(17);
    assert!(desk.refused(&words).contains("at most"));
    assert!(desk.refused(&"x".repeat(10_000)).contains("longer than 2000"));
}

#[test]
fn the_least_net_time_left_comes_first() {
    let mut desk = Desk::new();
    let slow = desk.file("slow", "");
    desk.store.now += 1.minute();
    desk.file_as(&desk.noc(), &desk.device.clone(), "quick", "", Impact::Full);
    let closed = desk.file("closed", "");
    desk.store.write(|tx| faults::cancel(tx, &engineer(), &number(&closed), &"twice".into())).unwrap();
    desk.tick();
    let titles = |desk: &Desk, q: &str, sort: FaultSort| {
        let page = Page { sort, after: None, limit: 100 };
        desk.ask(&engineer(), q, &page).unwrap().items.iter().map(|row| row.fault.title.raw().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles(&desk, "status:all", FaultSort::Left).last().unwrap(), "closed", "what is over comes last");
    assert_eq!(titles(&desk, "", FaultSort::Severity), ["quick", "slow"]);
    let row = |desk: &Desk, title: &str| {
        let page = Page { sort: FaultSort::Left, after: None, limit: 100 };
        desk.ask(&engineer(), "status:all", &page).unwrap().items.into_iter().find(|row| row.fault.title.raw() == title).unwrap()
    };
    assert!(row(&desk, "closed").clocks.is_empty());
    let clocks = row(&desk, "quick").clocks;
    assert!(clocks.is_sorted_by_key(|clock| clock.left_s) && clocks[0].state == ClockState::Running, "{clocks:?}");
    let (first, left) = (clocks[0].name.clone(), clocks[0].left_s);

    // Time goes by; nothing happens. Rows and filters know.
    desk.store.now += 1.minute();
    assert_eq!(row(&desk, "quick").clocks[0].left_s, left - 60, "{first}");
    let within = |minutes: i64| format!("due:<{minutes}m");
    let minutes = (left - 60) / 60 + 1;
    assert!(titles(&desk, &within(minutes), FaultSort::Left).contains(&"quick".to_owned()));
    assert!(!titles(&desk, "due:<0", FaultSort::Left).contains(&"quick".to_owned()));

    // Much later it is overdue: first in the list, and still in `due:<10m`.
    desk.store.now += (30 * 24).hours();
    desk.tick();
    assert_eq!(titles(&desk, "due:<10m", FaultSort::Left).len(), 2);
    assert_eq!(titles(&desk, "due:<0", FaultSort::Left).len(), 2);
    assert_eq!(titles(&desk, "超时:是", FaultSort::Left).len(), 2);
    let late = row(&desk, "slow");
    assert!(late.breached && late.clocks[0].left_s < 0 && late.clocks[0].state == ClockState::Breached, "{late:?}");

    // What the watch has not looked at yet is counted for the row.
    desk.store.write(|tx| faults::accept(tx, &engineer(), &number(&slow))).unwrap();
    let names = |row: &FaultRow| row.clocks.iter().map(|clock| clock.name.clone()).collect::<Vec<_>>();
    assert!(names(&late).contains(&"K1".to_owned()) && !names(&row(&desk, "slow")).contains(&"K1".to_owned()));

    // Held by people, it stands still and says by what.
    desk.store.write(|tx| faults::diagnose(tx, &engineer(), &number(&slow), &Diagnosis { cause: "x".into(), plan: "y".into() })).unwrap();
    desk.store
        .write(|tx| faults::pend(tx, &engineer(), &number(&slow), &Pend { reason: PendingReason::Customer, note: Printable::default() }))
        .unwrap();
    let held = row(&desk, "slow");
    assert!(held.clocks.iter().any(|clock| clock.paused_by.as_deref().is_some_and(|why| why.contains("customer"))), "{held:?}");
}

#[test]
fn pages_meet_without_gap_or_repeat_in_every_order() {
    let mut desk = Desk::new();
    let noc = desk.noc();
    let device = desk.device.clone();
    for n in 0..23 {
        let impact = [Impact::Full, Impact::Partial, Impact::NoImpact][n % 3];
        let fault = desk.file_as(&noc, &device, &format!("fan {n}"), "", impact);
        if n % 5 == 0 {
            desk.store.write(|tx| faults::cancel(tx, &engineer(), &number(&fault), &"x".into())).unwrap();
        }
        if n % 4 == 0 {
            desk.store.now += 37.seconds();
        }
    }
    desk.tick();
    for sort in FaultSort::ALL {
        for q in ["status:all", "", "status:all fan", "fan sev:critical,minor"] {
            let whole = desk.ask(&engineer(), q, &Page { sort: *sort, after: None, limit: 100 }).unwrap();
            assert!(whole.next.is_none());
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let page = desk.ask(&engineer(), q, &Page { sort: *sort, after, limit: 4 }).unwrap();
                assert_eq!(page.total, seen.is_empty().then_some(whole.items.len() as u64), "{sort} {q}");
                seen.extend(page.items.iter().map(|row| row.fault.id));
                // Time goes by between the pages.
                desk.store.now += 5.seconds();
                match page.next {
                    Some(next) => after = Some(next.parse().unwrap()),
                    None => break,
                }
            }
            let ids: Vec<_> = whole.items.iter().map(|row| row.fault.id).collect();
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "{sort} {q}");
            assert_eq!(seen, ids, "{sort} {q}");
        }
    }
    assert!("flt_x.1".parse::<Cursor>().is_err() && "0.0.0.flt_x".parse::<Cursor>().is_err() && "".parse::<Cursor>().is_err());
}

#[test]
fn pages_go_along_indexes() {
    let desk = Desk::new();
    let noc = desk.noc();
    let ask = |who: &Actor, q: &str, sort: FaultSort, open: bool| {
        let ask = Ask::read(Some(q), None, &keys(), who).unwrap();
        let filter = Filter { open, ..Filter::default() };
        desk.store.read(|db| {
            let phrases = phrases(&ask, &filter).unwrap();
            let question = sql::Question::new(db, &who.scope(), &ask, &filter, &phrases, db.now()).unwrap();
            question.plans(db, &Page { sort, after: None, limit: 200 }).join(" | ")
        })
    };
    let engineer = engineer();
    for who in [&engineer, &noc] {
        for q in ["温度", "温度 fan", "温度 sev:critical site:x customer:JW due:<10m owner:me", "te"] {
            for open in [true, false] {
                for sort in FaultSort::ALL {
                    let plan = ask(who, q, *sort, open);
                    assert!(plan.contains("SCAN i VIRTUAL TABLE"), "{q} {sort}: {plan}");
                    assert!(!plan.contains("SCAN f"), "{q} {sort}: {plan}");
                }
                let plan = ask(who, q, FaultSort::Newest, open);
                assert!(!plan.contains("TEMP B-TREE"), "{q}: {plan}");
            }
        }
        for q in ["", "sev:critical", "site:x product:y", "due:<10m", "consent:waiting", "code:x", "owner:me"] {
            for sort in FaultSort::ALL {
                let plan = ask(who, q, *sort, true);
                assert!(!plan.contains("SCAN f") || plan.contains("SCAN f USING INDEX fault_open_id"), "{q} {sort}: {plan}");
            }
        }
    }
}

#[test]
fn what_an_earlier_server_left_is_indexed() {
    let rows = "INSERT INTO tier VALUES ('gold', '{\"name\": \"gold\", \"restore_s\": [null, null, null], \"resolve_s\": [null, null, null]}');
        INSERT INTO customer(id, code, name, tier, created_at) VALUES ('cus_0123456789abcdef0123456789abcdef', 'JW', 'JW', 'gold', 0);
        INSERT INTO fault(id, customer, serial, title, description, severity, impact, status, reported_by, reported_at, updated_at)
            VALUES ('flt_0123456789abcdef0123456789abcdef', 'cus_0123456789abcdef0123456789abcdef', 1, '风扇 old', '', 'major', 'partial', 'reported', 'noc-jw', 0, 0);";
    let mut store = TestStore::upgraded(18, rows);
    let page = Page { sort: FaultSort::Newest, after: None, limit: 10 };
    let listing = |store: &TestStore, q: &str| {
        let ask = Ask::read(Some(q), None, &keys(), &engineer()).unwrap();
        store.read(|db| super::page(db, &Scope::All, &ask, &Filter::default(), &page)).unwrap()
    };
    assert!(listing(&store, "风扇").incomplete, "it says that it may miss something");
    assert_eq!(listing(&store, "").items.len(), 1);
    store.write(|tx| {
        for fault in sql::due(tx, 10).unwrap() {
            sql::index(tx, fault).unwrap();
        }
    });
    assert_eq!(listing(&store, "风扇").items.len(), 1);
    assert!(!listing(&store, "风扇").incomplete);
}

use super::*;
use crate::cases;
use crate::store::testing::TestStore;
use crate::web::Scope;
use lineman_common::api::{Audience, Case, CaseFile, CaseItem, CaseText, ExchangeForm, ImportVerdict, NewCustomer, Pruned, Tier};
use lineman_common::exchange::{csv, json, jsonl_line, markdown};
use lineman_common::id::{CaseId, CustomerId, PersonId};
use lineman_common::people::Role;

fn actor(name: &str, role: Role) -> Actor {
    Actor { id: PersonId::new(), name: name.parse().unwrap(), role, customer: None }
}

fn engineer() -> Actor {
    actor("engineer-a", Role::Engineer)
}

fn body(title: &str, steps: &str) -> CaseBody {
    CaseBody { en: Some(CaseText { title: title.into(), steps: steps.into(), ..CaseText::default() }), ..CaseBody::default() }
}

fn item(title: &str, steps: &str) -> CaseItem {
    CaseItem { body: body(title, steps), ..CaseItem::default() }
}

fn keyed(key: &str, title: &str, steps: &str) -> CaseItem {
    CaseItem { source: "wiki".into(), key: key.into(), ..item(title, steps) }
}

fn of(items: impl IntoIterator<Item = CaseItem>) -> CaseImport {
    CaseImport { items: items.into_iter().collect(), ..CaseImport::default() }
}

struct Desk(TestStore);

impl Desk {
    fn new() -> Self {
        Self(TestStore::new())
    }

    fn plan(&self, import: &CaseImport) -> ImportPlan {
        self.0.read(|db| dry_run(db, import)).unwrap()
    }

    fn take_as(&mut self, actor: &Actor, import: &CaseImport) -> Result<ImportPlan, Error> {
        let plan = self.plan(import).plan;
        self.later();
        self.0.write(|tx| apply(tx, actor, import, &plan))
    }

    fn take(&mut self, import: &CaseImport) -> ImportPlan {
        self.take_as(&engineer(), import).unwrap()
    }

    fn later(&mut self) {
        self.0.now += jiff::SignedDuration::from_secs(60);
    }

    fn case(&self, number: CaseNumber) -> Case {
        self.0.read(|db| cases::get(db, &Scope::All, &Reference::Number(number))).unwrap()
    }

    fn edit(&mut self, number: CaseNumber, body: &CaseBody) {
        self.later();
        self.0.write(|tx| states::edit_about(tx, &engineer(), &Reference::Number(number), body, &states::About::default())).unwrap();
    }

    fn export(&self, scope: &Scope, query: &str, as_is: bool) -> Vec<CaseItem> {
        let filter = Filter::parse(query).unwrap();
        self.0.read(|db| export(db, scope, &filter, as_is, CaseNumber(0), 1_000)).unwrap().items
    }

    fn verdicts(&self, import: &CaseImport) -> Vec<ImportVerdict> {
        verdicts(&self.plan(import))
    }
}

fn verdicts(plan: &ImportPlan) -> Vec<ImportVerdict> {
    plan.cases.iter().map(|case| case.verdict).collect()
}

fn reason(plan: &ImportPlan) -> &str {
    plan.cases[0].reason.as_ref().map_or("", |reason| reason.raw())
}

#[test]
fn a_dry_run_writes_nothing_and_the_plan_is_what_happens() {
    let mut desk = Desk::new();
    let import = of([keyed("1", "fan", "turn it"), item("board", "reseat"), keyed("2", "", "no title")]);
    let plan = desk.plan(&import);
    assert_eq!(verdicts(&plan), [ImportVerdict::New, ImportVerdict::New, ImportVerdict::Refused]);
    assert!(plan.cases[2].reason.as_ref().unwrap().raw().contains("title"), "{plan:?}");
    assert!(plan.cases[1].warnings[0].contains("neither `number` nor `key`"));
    assert!(!plan.applied && desk.export(&Scope::All, "", true).is_empty());
    let done = desk.take(&import);
    assert!(done.applied && done.cases[0].number == Some(CaseNumber(1)) && done.cases[1].number == Some(CaseNumber(2)));
    let case = desk.case(CaseNumber(1));
    assert_eq!((case.state, case.author.as_str(), case.version), (CaseState::Wip, "engineer-a", 1));
    // Again: it finds its own work.
    assert_eq!(desk.verdicts(&import), [ImportVerdict::Same, ImportVerdict::Same, ImportVerdict::Refused]);
    desk.take(&import);
    assert_eq!((desk.case(CaseNumber(1)).version, desk.export(&Scope::All, "", true).len()), (1, 2));
}

#[test]
fn a_plan_that_is_not_true_any_more_is_refused_with_what_changed() {
    let mut desk = Desk::new();
    desk.take(&of([keyed("1", "fan", "old")]));
    desk.later();
    let import = of([keyed("1", "fan", "new")]);
    let plan = desk.plan(&import);
    desk.edit(CaseNumber(1), &body("fan", "somebody else"));
    let refused = desk.0.write(|tx| apply(tx, &engineer(), &import, &plan.plan)).unwrap_err();
    let Error::OtherPlan { why, changed, now } = refused else { panic!("{refused}") };
    assert!(why.contains("C-0001") && changed[0].version == Some(2) && now.cases[0].verdict == ImportVerdict::Conflict, "{why}");
    assert_eq!(desk.case(CaseNumber(1)).body, body("fan", "somebody else"));
    // Another file under the plan of the first one.
    let other = of([keyed("2", "x", "y")]);
    let refused = desk.0.write(|tx| apply(tx, &engineer(), &other, &plan.plan)).unwrap_err();
    assert!(refused.to_string().contains("made for other cases"), "{refused}");
    assert!(desk.0.write(|tx| apply(tx, &engineer(), &other, "nonsense")).is_err());
}

#[test]
fn a_change_is_a_version_with_a_note_and_says_what_differs() {
    let mut desk = Desk::new();
    desk.take(&of([keyed("1", "fan", "one\ntwo")]));
    let mut new = keyed("1", "fan", "one\nthree\nfour");
    new.body.codes = vec!["ALM-1".into()];
    new.body.audience = Audience::Customer;
    let plan = desk.plan(&of([new.clone()]));
    let told: Vec<_> = plan.cases[0].changes.iter().map(|change| format!("{} {}", change.field, change.summary.raw())).collect();
    assert_eq!(told, ["en.steps +2 -1 lines", "codes +ALM-1", "audience internal -> customer"]);
    desk.take(&of([new.clone()]));
    let case = desk.case(CaseNumber(1));
    assert_eq!((case.version, &case.body), (2, &new.body));
    assert_eq!(desk.verdicts(&of([new])), [ImportVerdict::Same]);
}

#[test]
fn both_sides_changed_is_a_conflict_and_one_side_is_not() {
    let mut desk = Desk::new();
    desk.take(&of([item("fan", "base")]));
    let exported = desk.export(&Scope::All, "", true).remove(0);
    desk.edit(CaseNumber(1), &body("fan", "theirs"));
    // Changed there only.
    let plan = desk.plan(&of([exported.clone()]));
    assert_eq!(verdicts(&plan), [ImportVerdict::Behind]);
    // On both sides: both texts, neither written.
    let mine = CaseItem { body: body("fan", "mine"), ..exported.clone() };
    let plan = desk.plan(&of([mine.clone()]));
    assert_eq!(verdicts(&plan), [ImportVerdict::Conflict]);
    assert_eq!(plan.cases[0].library.as_deref(), Some(&body("fan", "theirs")));
    desk.take(&of([mine]));
    assert_eq!(desk.case(CaseNumber(1)).body, body("fan", "theirs"));
    // Changed to the same on both sides: nothing is left to do.
    let same = CaseItem { body: body("fan", "theirs"), ..exported.clone() };
    assert_eq!(desk.verdicts(&of([same])), [ImportVerdict::Same]);
    // Resolved: with the newest version.
    let resolved = CaseItem { version: Some(2), body: body("fan", "mine and theirs"), ..exported.clone() };
    assert_eq!(desk.verdicts(&of([resolved])), [ImportVerdict::Changed]);
    let ahead = CaseItem { version: Some(9), ..exported };
    let plan = desk.plan(&of([ahead]));
    assert!(verdicts(&plan) == [ImportVerdict::Refused] && reason(&plan).contains("no version 9"));
}

#[test]
fn another_systems_case_that_was_edited_here_is_a_conflict_too() {
    let mut desk = Desk::new();
    desk.take(&of([keyed("7", "fan", "base")]));
    desk.edit(CaseNumber(1), &body("fan", "edited here"));
    assert_eq!(desk.verdicts(&of([keyed("7", "fan", "base")])), [ImportVerdict::Behind]);
    assert_eq!(desk.verdicts(&of([keyed("7", "fan", "edited there")])), [ImportVerdict::Conflict]);
}

#[test]
fn a_case_is_known_by_id_by_number_and_by_key_and_means_one_thing() {
    let mut desk = Desk::new();
    desk.take(&of([keyed("1", "fan", "a"), keyed("2", "board", "b")]));
    let [fan, board]: [CaseItem; 2] = desk.export(&Scope::All, "", true).try_into().unwrap();
    assert_eq!((fan.source.raw(), fan.key.raw()), ("wiki", "1"));
    let refused = |item: CaseItem| {
        let plan = desk.plan(&of([item]));
        assert_eq!(verdicts(&plan), [ImportVerdict::Refused], "{plan:?}");
        reason(&plan).to_owned()
    };
    assert!(refused(CaseItem { number: board.number, ..fan.clone() }).contains("its id is that of C-0001"));
    assert!(refused(CaseItem { number: Some(CaseNumber(9)), ..item("x", "y") }).contains("there is no C-0009"));
    assert!(refused(CaseItem { source: board.source.clone(), key: board.key.clone(), ..fan.clone() }).contains("those of C-0002"));
    assert!(refused(CaseItem { source: "text".into(), key: "1".into(), ..item("x", "y") }).contains("itself"));
    let twice = desk.plan(&of([fan.clone(), keyed("1", "fan", "c")]));
    assert_eq!(verdicts(&twice), [ImportVerdict::Same, ImportVerdict::Refused]);
    assert!(twice.cases[1].reason.as_ref().unwrap().raw().contains("items[0]"));
    // A name of another system is kept without a new version.
    let named = CaseItem { source: "git".into(), key: "fan.md".into(), ..fan };
    assert_eq!(verdicts(&desk.take(&of([named.clone()]))), [ImportVerdict::Changed]);
    assert_eq!((desk.verdicts(&of([named])), desk.case(CaseNumber(1)).version), (vec![ImportVerdict::Same], 1));
}

#[test]
fn a_case_of_another_library_is_new_once() {
    let mut desk = Desk::new();
    let foreign = CaseItem { id: Some(CaseId::new()), number: Some(CaseNumber(99)), version: Some(7), ..item("fan", "turn") };
    assert_eq!(verdicts(&desk.take(&of([foreign.clone()]))), [ImportVerdict::New]);
    assert_eq!(desk.verdicts(&of([foreign.clone()])), [ImportVerdict::Same]);
    assert!(desk.export(&Scope::All, "", true)[0].key.is_empty(), "the import's own name for it is nobody's");
    assert_eq!(desk.verdicts(&of([CaseItem { body: body("fan", "more"), ..foreign }])), [ImportVerdict::Changed]);
}

#[test]
fn cases_arrive_unreviewed_unless_an_administrator_says_otherwise() {
    let mut desk = Desk::new();
    let import = |arrive_as| CaseImport { arrive_as, ..of([keyed("1", "fan", "turn")]) };
    let plan = desk.plan(&import(ArriveAs::NotValidated));
    assert_eq!(plan.cases[0].state, Some(CaseState::NotValidated));
    let nothing = CaseImport { arrive_as: ArriveAs::NotValidated, ..of([keyed("2", "fan", "")]) };
    assert!(reason(&desk.plan(&nothing)).contains("nothing to review"));
    desk.take(&import(ArriveAs::NotValidated));
    assert_eq!(desk.case(CaseNumber(1)).review.map(|review| review.why), Some(ReviewWhy::Imported));
    let admin = actor("admin-z", Role::Admin);
    let published = CaseImport { arrive_as: ArriveAs::Validated, ..of([keyed("3", "board", "reseat"), keyed("1", "fan", "turn twice")]) };
    let done = desk.take_as(&admin, &published).unwrap();
    for case in done.cases {
        let case = desk.case(case.number.unwrap());
        assert_eq!(
            (case.state, case.reviewer.as_ref().map(lineman_common::name::PersonName::as_str)),
            (CaseState::Validated, Some("admin-z"))
        );
    }
    // What is published and changed by an import waits for review again.
    desk.take(&of([keyed("3", "board", "reseat twice")]));
    assert_eq!(desk.case(CaseNumber(2)).state, CaseState::NotValidated);
}

#[test]
fn what_was_taken_out_elsewhere_is_archived_unless_it_changed_here() {
    let mut desk = Desk::new();
    desk.take(&of([keyed("1", "fan", "a"), keyed("2", "board", "b")]));
    let [fan, board]: [CaseItem; 2] = desk.export(&Scope::All, "", true).try_into().unwrap();
    desk.edit(CaseNumber(2), &body("board", "newer"));
    let prune = |item: &CaseItem| Pruned { id: item.id.unwrap(), version: item.version.unwrap() };
    let import = CaseImport { prune: vec![prune(&fan), prune(&board), Pruned { id: CaseId::new(), version: 1 }], ..CaseImport::default() };
    let expected = [ImportVerdict::Archived, ImportVerdict::Conflict, ImportVerdict::Refused];
    assert_eq!(desk.verdicts(&import), expected);
    assert_eq!(verdicts(&desk.take(&import)), expected);
    assert_eq!(desk.case(CaseNumber(1)).state, CaseState::Archived);
    assert_eq!(desk.case(CaseNumber(2)).state, CaseState::Wip);
    assert_eq!(desk.verdicts(&import)[0], ImportVerdict::Same);
    // Its file, brought again: the library says that it is out of use.
    assert_eq!(desk.verdicts(&of([fan.clone()])), [ImportVerdict::Behind]);
    let changed = desk.plan(&of([CaseItem { body: body("fan", "again"), ..fan }]));
    assert!(reason(&changed).contains("archived"));
}

#[test]
fn every_form_goes_out_and_comes_back_as_the_same() {
    let mut desk = Desk::new();
    let mut hard = keyed("=1;\"\u{1b}", "=cmd|' /C calc'!A0", "## Symptom\n\n- a\n\u{202e}x\n");
    hard.body.zh = Some(CaseText { title: "风扇停转".into(), cause: "\r\n积灰\n".into(), ..CaseText::default() });
    hard.body.codes = vec!["ALM-1; x".into(), "fan.speed".into()];
    hard.body.equipment = vec![lineman_common::api::CaseEquipment { product: "OLT|x".into(), ..Default::default() }];
    desk.take(&of([hard, item("plain", "text")]));
    let items = desk.export(&Scope::All, "", true);
    let file = |name: &str, text: String| CaseFile { name: name.into(), text };
    let lines: String = items.iter().map(jsonl_line).collect();
    let mut files = vec![file("a.csv", csv(&items)), file("a.json", json(&items)), file("a.jsonl", lines)];
    files.extend(items.iter().map(|item| file("a.md", markdown(item))));
    for given in files {
        let plan = desk.plan(&CaseImport { files: vec![given], ..CaseImport::default() });
        assert!(!plan.cases.is_empty() && plan.cases.iter().all(|case| case.verdict == ImportVerdict::Same), "{plan:?}");
    }
    // The same library makes the same bytes.
    assert_eq!(text(ExchangeForm::Csv, &items), text(ExchangeForm::Csv, &desk.export(&Scope::All, "", true)));
    let wrong = CaseImport { files: vec![file("../../etc/pass\u{1b}wd", "x".into()), file("a.md", "x".into())], ..CaseImport::default() };
    let plan = desk.plan(&wrong);
    assert!(plan.cases[0].reason.as_ref().unwrap().raw().contains(".csv") && plan.cases[0].place.contains("\\u{1b}"));
    assert_eq!(plan.cases[1].place, "a.md:1");
}

#[test]
fn an_export_is_narrowed_by_filters_and_words() {
    let mut desk = Desk::new();
    let mut fan = keyed("1", "Fan stopped", "turn");
    fan.body.codes = vec!["ALM-25621".into()];
    fan.body.equipment =
        vec![lineman_common::api::CaseEquipment { product: "OLT".into(), model: "C320".into(), versions: "5.2..5.4".parse().unwrap() }];
    let mut board = keyed("2", "Board hot", "cool");
    board.body.zh = Some(CaseText { title: "板卡过热".into(), ..CaseText::default() });
    board.body.audience = Audience::Customer;
    desk.take(&of([fan, board]));
    let count = |query: &str| desk.export(&Scope::All, query, true).len();
    for (query, wanted) in [
        ("", 2),
        ("state:wip", 2),
        ("state:validated", 0),
        ("-audience:customer", 1),
        ("language:zh", 1),
        ("product:olt version:5.3", 1),
        ("version:6", 0),
        ("code:alm-25621,x", 1),
        ("过热", 1),
        ("FAN turn", 1),
        ("fan cool", 0),
    ] {
        assert_eq!(count(query), wanted, "{query}");
    }
    assert!(Filter::parse("state:publishd").is_err() && Filter::parse("stat:wip").is_err());
}

#[test]
fn a_carriers_people_export_what_is_published_for_them_alone() {
    let mut desk = Desk::new();
    let admin = actor("admin-z", Role::Admin);
    let mut published = keyed("1", "for all", "turn");
    published.body.audience = Audience::Customer;
    let mut waiting = keyed("2", "not yet", "turn");
    waiting.body.audience = Audience::Customer;
    desk.take_as(&admin, &CaseImport { arrive_as: ArriveAs::Validated, ..of([published, keyed("3", "internal", "x")]) }).unwrap();
    desk.take(&of([waiting]));
    let seen = desk.export(&Scope::Customer(CustomerId::new()), "", false);
    assert_eq!(seen.len(), 1);
    assert!(seen[0].body.en.as_ref().unwrap().title.raw() == "for all" && seen[0].source.is_empty() && seen[0].key.is_empty());
}

#[test]
fn what_belongs_to_a_customer_does_not_leave() {
    let mut desk = Desk::new();
    let admin = actor("admin-z", Role::Admin);
    let tier = Tier { name: "gold".into(), ..Tier::default() };
    desk.0.write(|tx| crate::customers::set_tier(tx, &admin, &tier)).unwrap();
    let new = NewCustomer { code: "JW".parse().unwrap(), name: "JW Telecom".into(), tier: "gold".into() };
    desk.0.write(|tx| crate::customers::add(tx, &admin, new)).unwrap();
    desk.take(&of([keyed("1", "fan", "call JW Telecom, password: hunter2"), keyed("2", "board", "reseat")]));
    let page = desk.0.read(|db| export(db, &Scope::All, &Filter::default(), false, CaseNumber(0), 10)).unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.held_back[0].number, CaseNumber(1));
    assert!(page.held_back[0].shows.iter().all(|shows| shows.starts_with("en.steps: [")), "{page:?}");
    assert!(page.held_back[0].shows.len() >= 2, "{page:?}");
    assert_eq!(desk.export(&Scope::All, "", true).len(), 2);
    // Whose name it was is nothing for another customer.
    let mut public = keyed("3", "JW Telecom hums", "x");
    public.body.audience = Audience::Customer;
    desk.take_as(&admin, &CaseImport { arrive_as: ArriveAs::Validated, ..of([public]) }).unwrap();
    let page = desk.0.read(|db| export(db, &Scope::Customer(CustomerId::new()), &Filter::default(), false, CaseNumber(0), 10)).unwrap();
    assert_eq!((page.held_back.len(), page.held_back[0].shows.len()), (1, 0));
}

#[test]
fn pages_of_an_export_hold_every_case_once() {
    let mut desk = Desk::new();
    desk.take(&of((0..7).map(|n| keyed(&n.to_string(), "fan", "x"))));
    let (mut numbers, mut after) = (Vec::new(), CaseNumber(0));
    loop {
        let page = desk.0.read(|db| export(db, &Scope::All, &Filter::default(), false, after, 3)).unwrap();
        numbers.extend(page.items.iter().filter_map(|item| item.number).map(|number| number.0));
        let Some(next) = page.next else { break };
        after = next;
    }
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_request_has_its_limits() {
    let desk = Desk::new();
    let many = of((0..=1_000).map(|n| keyed(&n.to_string(), "x", "y")));
    assert!(matches!(desk.0.read(|db| dry_run(db, &many)), Err(Error::TooMany(1_001))));
    assert!(matches!(desk.0.read(|db| dry_run(db, &CaseImport::default())), Err(Error::Nothing)));
    let long = desk.plan(&of([keyed("1", "x", &"y".repeat(20_001)), keyed(&"k".repeat(301), "x", "y")]));
    assert_eq!(verdicts(&long), [ImportVerdict::Refused, ImportVerdict::Refused]);
    assert!(reason(&long).contains("20000"));
}

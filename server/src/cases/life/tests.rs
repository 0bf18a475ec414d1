//! The life of a case with its real schema: the queue, versions, owners; the rest is in [`later`].

mod later;

use jiff::{SignedDuration, ToSpan};
use lineman_common::api::{
    Audience, Case, CaseBody, CaseSettings, CaseState, CaseText, Confirm, ConfirmTranslation, DiffOp, FlagKind, HandOver, HandOverMany,
    HealthBy, HealthFigure, HealthValue, Language, LinkVerdict, NewEquipment, NewFault, NewFeedback, NewLink, NewPerson, Profile,
    Restoration, ReviewWhy, Unlink,
};
use lineman_common::fault::Impact;
use lineman_common::id::CustomerId;
use lineman_common::name::{CaseNumber, FaultNumber};
use lineman_common::people::Role;

use super::super::tests::{Library, actor, body, engineer};
use super::super::{Error, Reference, archive, create, draft_from, edit, get, link, publish, sql as cases_sql, submit};
use super::{feedback, flags, gaps, health, links, merge, owners, review, states, translate, versions};
use crate::store::Tx;
use crate::web::{Actor, Scope};
use crate::{customers, equipment, faults, people};

type Step = fn(&mut Tx<'_>, &Actor, &Reference) -> Result<Case, Error>;

fn by(number: u32) -> Reference {
    Reference::Number(CaseNumber(number))
}

fn admin() -> Actor {
    actor("admin-z", Role::Admin, None)
}

fn customer(id: CustomerId) -> Actor {
    actor("noc-jw", Role::Noc, Some((id, "JW")))
}

impl Library {
    fn step(&mut self, actor: &Actor, number: u32, step: Step) -> Result<Case, Error> {
        self.store.write(|tx| step(tx, actor, &by(number)))
    }

    fn new_case(&mut self, author: &str, body: &CaseBody) -> u32 {
        self.store.write(|tx| create(tx, &engineer(author), body)).unwrap().number.0
    }

    fn case(&self, number: u32) -> Case {
        self.store.read(|db| get(db, &Scope::All, &by(number))).unwrap()
    }

    fn person(&mut self, name: &str, role: Role) {
        let new = NewPerson { name: name.parse().unwrap(), role, customer: None, password: None };
        self.store.write(|tx| people::add(tx, "admin-z", new, None)).unwrap();
    }

    fn fault(&mut self, title: &str) -> FaultNumber {
        let new = NewFault {
            equipment: Some("ne-1.jw.ne".parse().unwrap()),
            customer: None,
            title: title.into(),
            description: "".into(),
            impact: Impact::Partial,
            started_at: None,
            kind: lineman_common::fault::FaultKind::Fault,
            customer_reference: None,
        };
        self.store.write(|tx| faults::report(tx, &engineer("engineer-a"), new)).unwrap().number
    }

    fn link(&mut self, number: u32, fault: &FaultNumber, verdict: LinkVerdict) -> Case {
        let reason = (verdict == LinkVerdict::Wrong).then(|| "another fan".into());
        let new = NewLink { fault: fault.clone(), verdict, reason };
        self.store.write(|tx| link(tx, &engineer("engineer-a"), &by(number), &new)).unwrap()
    }

    /// Search shows what is not archived.
    fn in_use(&self, number: u32) -> bool {
        let stored = self.store.read(|db| cases_sql::by_number(db, &Scope::All, CaseNumber(number))).unwrap().unwrap();
        stored.case.state != CaseState::Archived
    }

    fn links(&self, number: u32) -> Vec<(String, LinkVerdict, Option<u32>)> {
        let list = self.store.read(|db| links::list(db, &Scope::All, &by(number), 0, 100)).unwrap();
        list.into_iter().map(|link| (link.fault.to_string(), link.verdict, link.of.map(|of| of.0))).collect()
    }

    fn queue(&self, actor: &Actor, filter: &review::Filter) -> Vec<(u32, bool)> {
        let queue = self.store.read(|db| review::queue(db, actor, filter)).unwrap();
        queue.into_iter().map(|item| (item.number.0, item.may_review)).collect()
    }

    fn later(&mut self, days: i64) {
        self.store.now += SignedDuration::from_hours(24 * days);
    }
}

fn all() -> review::Filter {
    review::Filter { limit: 100, ..review::Filter::default() }
}

fn fan() -> CaseBody {
    body("", "fan fails | it stops", &["OLT C320"], &["fan.speed"])
}

fn power() -> CaseBody {
    body("", "power fails | it is dark", &["BBU B8200"], &[])
}

fn public(body: CaseBody) -> CaseBody {
    CaseBody { audience: Audience::Customer, ..body }
}

// ---- Review ---------------------------------------------------------------------------------------------------------

#[test]
fn what_waits_longest_is_reviewed_first_by_somebody_else() {
    let mut library = Library::empty();
    library.person("reviewer-b", Role::Engineer);
    let profile = Profile { skills: vec!["olt".into()], ..Profile::default() };
    library.store.write(|tx| people::set_profile(tx, &admin(), &"reviewer-b".parse().unwrap(), profile)).unwrap();
    let (author, reviewer) = (engineer("author-a"), engineer("reviewer-b"));
    for (number, text) in [(1, power()), (2, fan()), (3, fan())] {
        assert_eq!(library.new_case("author-a", &text), number);
    }
    library.step(&author, 2, submit).unwrap();
    library.later(1);
    library.step(&author, 1, submit).unwrap();
    assert_eq!(library.queue(&reviewer, &all()), [(2, true), (1, true)], "C-0003 waits for nobody");
    assert_eq!(library.queue(&author, &all()), [(2, false), (1, false)]);
    assert_eq!(library.queue(&author, &review::Filter { mine: true, ..all() }), []);
    assert_eq!(library.queue(&admin(), &review::Filter { mine: true, ..all() }).len(), 2);
    assert_eq!(library.queue(&reviewer, &review::Filter { product: Some("BBU".into()), ..all() }), [(1, true)]);
    let waits = library.store.read(|db| review::queue(db, &reviewer, &all())).unwrap();
    assert_eq!((waits[0].waits_s, waits[0].review.why, waits[0].fits, waits[1].fits), (86_400, ReviewWhy::Submitted, true, false));
    let page = review::Filter { after: Some((waits[0].review.since, waits[0].number)), ..all() };
    assert_eq!(library.queue(&reviewer, &page), [(1, true)]);

    // An edit of what waits keeps its place; one of what is published begins to wait.
    library.step(&reviewer, 1, publish).unwrap();
    library.later(1);
    library.store.write(|tx| edit(tx, &author, &by(1), &power())).unwrap();
    library.store.write(|tx| edit(tx, &author, &by(2), &fan())).unwrap();
    let why: Vec<_> =
        library.store.read(|db| review::queue(db, &reviewer, &all())).unwrap().into_iter().map(|i| (i.number.0, i.review.why)).collect();
    assert_eq!(why, [(2, ReviewWhy::Submitted), (1, ReviewWhy::Edited)]);
}

#[test]
fn a_claim_keeps_others_off_until_it_is_released_or_lapses() {
    let mut library = Library::empty();
    let (author, one, other) = (engineer("author-a"), engineer("reviewer-b"), engineer("reviewer-c"));
    library.new_case("author-a", &fan());
    assert!(matches!(library.step(&one, 1, review::claim), Err(Error::Illegal { .. })), "it does not wait");
    library.step(&author, 1, submit).unwrap();
    assert!(matches!(library.step(&author, 1, review::claim), Err(Error::OwnReview(_))));
    assert!(matches!(library.step(&one, 1, review::release), Err(Error::NotClaimed)));
    let case = library.step(&one, 1, review::claim).unwrap();
    assert_eq!(case.review.unwrap().claimed_by.unwrap().as_str(), "reviewer-b");
    for step in [review::claim as Step, publish, review::release] {
        assert!(matches!(library.step(&other, 1, step), Err(Error::Claimed(..))));
    }
    let refused = library.store.write(|tx| states::send_back(tx, &other, &by(1), &"too short".into()));
    assert!(matches!(refused, Err(Error::Claimed(..))));
    assert_eq!(library.queue(&other, &review::Filter { mine: true, ..all() }), []);
    assert_eq!(library.queue(&other, &all()), [(1, false)]);
    library.step(&actor("duty-m", Role::DutyManager, None), 1, review::release).unwrap();
    assert_eq!(library.queue(&other, &review::Filter { mine: true, ..all() }), [(1, true)]);
    library.step(&one, 1, review::claim).unwrap();
    library.later(4);
    assert_eq!(library.queue(&other, &review::Filter { mine: true, ..all() }), [(1, true)], "a claim lapses");
    library.step(&other, 1, review::claim).unwrap();
    // Who corrects what they review has written it.
    library.store.write(|tx| edit(tx, &other, &by(1), &fan())).unwrap();
    assert_eq!(library.case(1).review.unwrap().claimed_by, None);
    assert!(matches!(library.step(&other, 1, publish), Err(Error::OwnReview(_))));
    library.step(&author, 1, publish).unwrap();
    assert!(library.queue(&one, &all()).is_empty() && library.case(1).review.is_none());
}

#[test]
fn what_is_sent_back_says_why_until_it_is_handed_in_again() {
    let mut library = Library::empty();
    let (author, reviewer) = (engineer("author-a"), engineer("reviewer-b"));
    library.new_case("author-a", &fan());
    library.step(&author, 1, submit).unwrap();
    let without = library.store.write(|tx| states::send_back(tx, &reviewer, &by(1), &"  ".into()));
    assert!(matches!(without, Err(Error::NoReason)));
    let case = library.store.write(|tx| states::send_back(tx, &reviewer, &by(1), &"which fan?".into())).unwrap();
    assert_eq!((case.state, case.review.is_none()), (CaseState::Wip, true));
    let returned = case.returned.unwrap();
    assert_eq!((returned.by.as_str(), returned.reason.raw()), ("reviewer-b", "which fan?"));
    let again = library.store.write(|tx| states::send_back(tx, &reviewer, &by(1), &"x".into()));
    assert!(matches!(again, Err(Error::Illegal { .. })));
    library.store.write(|tx| edit(tx, &author, &by(1), &fan())).unwrap();
    assert!(library.case(1).returned.is_some(), "still to be seen while it is worked on");
    assert_eq!(library.step(&author, 1, submit).unwrap().returned, None);
    let told = library.store.read(|db| crate::events::after(db, &Scope::All, 0, 100)).unwrap();
    assert!(told.iter().any(|event| event.kind == "case.returned" && event.text.raw().contains("sent back to author-a: which fan?")));
}

#[test]
fn what_comes_out_of_the_archive_is_reviewed_again() {
    let mut library = Library::empty();
    let published = library.add(&fan()).0;
    let draft = library.new_case("author-a", &fan());
    for number in [published, draft] {
        library.step(&engineer("author-a"), number, archive).unwrap();
        assert!(!library.in_use(number));
    }
    assert!(matches!(library.step(&engineer("author-a"), published, submit), Err(Error::Illegal { .. })));
    assert_eq!(library.step(&engineer("author-a"), published, states::unarchive).unwrap().state, CaseState::NotValidated);
    assert_eq!(library.step(&engineer("author-a"), draft, states::unarchive).unwrap().state, CaseState::Wip);
    assert!(matches!(library.step(&engineer("author-a"), draft, states::unarchive), Err(Error::Illegal { .. })));
    assert_eq!(library.queue(&engineer("reviewer-b"), &all()), [(published, true)]);
    assert_eq!(library.case(published).review.unwrap().why, ReviewWhy::Unarchived);
}

// ---- Versions -------------------------------------------------------------------------------------------------------

#[test]
fn an_older_version_comes_back_as_a_new_one() {
    let mut library = Library::empty();
    let author = engineer("author-a");
    library.new_case("author-a", &fan());
    let second = body("", "fan fails | it stopped at night", &["OLT C320"], &["fan.speed", "ALM-1"]);
    let about = states::About { note: "seen again".into(), restored: None };
    library.store.write(|tx| states::edit_about(tx, &engineer("editor-b"), &by(1), &second, &about)).unwrap();
    let list = library.store.read(|db| versions::list(db, &Scope::All, &by(1), None, 100)).unwrap();
    let told: Vec<_> = list.iter().map(|v| (v.version, v.editor.as_str(), v.note.raw(), v.body.is_none())).collect();
    assert_eq!(told, [(2, "editor-b", "seen again", true), (1, "author-a", "", true)]);
    assert_eq!(library.store.read(|db| versions::list(db, &Scope::All, &by(1), Some(2), 1)).unwrap()[0].version, 1);
    let first = library.store.read(|db| versions::one(db, &Scope::All, &by(1), 1)).unwrap();
    assert_eq!(first.body.unwrap(), fan());

    let diff = library.store.read(|db| versions::compare(db, &Scope::All, &by(1), None, None)).unwrap();
    assert_eq!((diff.from.version, diff.to.version, diff.from.body.is_none()), (1, 2, true));
    let fields: Vec<_> = diff.fields.iter().map(|field| (field.field.as_str(), field.language)).collect();
    assert_eq!(fields, [("symptom", Some(Language::En)), ("codes", None)]);
    assert_eq!(
        diff.fields[0].pieces.iter().map(|p| (p.op, p.text.raw())).collect::<Vec<_>>(),
        [(DiffOp::Same, "it "), (DiffOp::Removed, "stops"), (DiffOp::Added, "stopped at night")]
    );

    let said = Restoration { note: "that was wrong".into() };
    let restore = |tx: &mut Tx<'_>, version| versions::restore(tx, &author, &by(1), version, &said);
    assert!(matches!(library.store.write(|tx| restore(tx, 2)), Err(Error::IsNewest(2))));
    assert!(matches!(library.store.write(|tx| restore(tx, 7)), Err(Error::NoVersion(7, 2))));
    let case = library.store.write(|tx| restore(tx, 1)).unwrap();
    assert_eq!((case.version, &case.body), (3, &fan()));
    let newest = library.store.read(|db| versions::one(db, &Scope::All, &by(1), 3)).unwrap();
    assert_eq!((newest.restores, newest.note.raw()), (Some(1), "that was wrong"));
}

#[test]
fn versions_are_for_the_support_centre() {
    let mut library = Library::empty();
    let jw = Scope::Customer(library.customer("JW"));
    let number = library.add(&public(fan())).0;
    library.store.read(|db| {
        assert!(get(db, &jw, &by(number)).is_ok());
        assert!(matches!(versions::list(db, &jw, &by(number), None, 10), Err(Error::NotFound)));
        assert!(matches!(versions::one(db, &jw, &by(number), 1), Err(Error::NotFound)));
        assert!(matches!(versions::compare(db, &jw, &by(number), None, None), Err(Error::NotFound)));
    });
}

// ---- Owners ---------------------------------------------------------------------------------------------------------

#[test]
fn cases_go_to_another_owner_one_by_one_and_by_product_line() {
    let mut library = Library::empty();
    for (name, role) in [("owner-b", Role::Engineer), ("auditor-a", Role::Auditor)] {
        library.person(name, role);
    }
    let numbers: Vec<u32> = [fan(), power(), fan(), fan()].iter().map(|body| library.new_case("author-a", body)).collect();
    library.step(&engineer("author-a"), numbers[3], archive).unwrap();
    assert_eq!(library.case(numbers[0]).owner.as_str(), "author-a");
    let to = |name: &str| HandOver { to: name.parse().unwrap(), reason: "left the team".into() };
    for name in ["auditor-a", "nobody-x"] {
        let refused = library.store.write(|tx| owners::hand_over(tx, &engineer("author-a"), &by(1), &to(name)));
        assert!(matches!(refused, Err(Error::NoOwner(_))), "{name}");
    }
    let case = library.store.write(|tx| owners::hand_over(tx, &engineer("author-a"), &by(1), &to("owner-b"))).unwrap();
    assert_eq!((case.owner.as_str(), case.author.as_str()), ("owner-b", "author-a"));
    let many = |product: Option<&str>, from: Option<&str>| HandOverMany {
        product: product.map(str::to_owned),
        from: from.map(|name| name.parse().unwrap()),
        to: "owner-b".parse().unwrap(),
        reason: "".into(),
    };
    assert!(matches!(library.store.write(|tx| owners::hand_over_many(tx, &admin(), &many(None, None))), Err(Error::WhoseCases)));
    let moved = library.store.write(|tx| owners::hand_over_many(tx, &admin(), &many(Some("OLT"), None))).unwrap();
    assert_eq!(moved.cases, [CaseNumber(numbers[2])], "what is archived or there already stays");
    let moved = library.store.write(|tx| owners::hand_over_many(tx, &admin(), &many(None, Some("author-a")))).unwrap();
    assert_eq!(moved.cases, [CaseNumber(numbers[1])]);
    let mine = cases_sql::Filter { owner: Some("owner-b".parse().unwrap()), limit: 100, ..cases_sql::Filter::default() };
    assert_eq!(library.store.read(|db| super::super::list(db, &Scope::All, &mine)).unwrap().len(), 3);
    let olts = cases_sql::Filter { product: Some("OLT".into()), ..mine };
    assert_eq!(library.store.read(|db| super::super::list(db, &Scope::All, &olts)).unwrap().len(), 2);
}

//! The life of a case with its real schema: the queue, versions, owners, doubts, duplicates, links, feedback, health.

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

// ---- Doubts ---------------------------------------------------------------------------------------------------------

#[test]
fn any_reader_may_doubt_and_a_confirmation_answers() {
    let mut library = Library::empty();
    let id = library.customer("JW");
    let (published, internal) = (library.add(&public(fan())).0, library.add(&fan()).0);
    let doubt = |library: &mut Library, actor: &Actor, number, reason: &str| {
        library.store.write(|tx| flags::doubt(tx, actor, &by(number), &reason.into()))
    };
    assert!(matches!(doubt(&mut library, &customer(id), internal, "wrong"), Err(Error::NotFound)));
    assert!(matches!(doubt(&mut library, &customer(id), published, " "), Err(Error::NoReason)));
    let seen = doubt(&mut library, &customer(id), published, "the button is gone in 5.6").unwrap();
    assert!(seen.flags.is_empty(), "doubts are the support centre's");
    doubt(&mut library, &customer(id), published, "the button is gone since 5.5").unwrap();
    doubt(&mut library, &engineer("engineer-a"), published, "no longer so").unwrap();
    assert_eq!(library.case(published).flags, [FlagKind::Reader]);
    assert_eq!(library.store.read(|db| flags::of_case(db, CaseNumber(published))).unwrap(), [FlagKind::Reader]);
    let open = |library: &Library| {
        let all = library.store.read(|db| flags::list(db, &Scope::All, &by(published))).unwrap();
        all.into_iter().filter(|flag| flag.closed_at.is_none()).map(|flag| format!("{}: {}", flag.by, flag.reason)).collect::<Vec<_>>()
    };
    assert_eq!(open(&library), ["engineer-a: no longer so", "noc-jw: the button is gone since 5.5"], "one for each person");
    assert!(library.store.read(|db| flags::list(db, &Scope::Customer(id), &by(published))).unwrap().is_empty());
    let filter = cases_sql::Filter { flag: Some(FlagKind::Reader), limit: 9, ..cases_sql::Filter::default() };
    assert_eq!(library.store.read(|db| super::super::list(db, &Scope::All, &filter)).unwrap().len(), 1);

    library.later(1);
    let said = Confirm { note: "it moved to the menu".into() };
    let case = library.store.write(|tx| flags::confirm(tx, &engineer("engineer-a"), &by(published), &said)).unwrap();
    assert_eq!((case.flags.len(), case.confirmed_at), (0, library.store.now));
    assert!(open(&library).is_empty());
    let closed = library.store.read(|db| flags::list(db, &Scope::All, &by(published))).unwrap();
    assert_eq!(closed[0].answer.as_ref().unwrap().raw(), "it moved to the menu");
    // A reviewed version answers too.
    doubt(&mut library, &engineer("engineer-a"), published, "again").unwrap();
    library.store.write(|tx| edit(tx, &engineer("author-a"), &by(published), &public(fan()))).unwrap();
    assert_eq!(library.case(published).flags, [FlagKind::Reader], "not yet");
    library.step(&engineer("reviewer-b"), published, publish).unwrap();
    assert!(library.case(published).flags.is_empty());
    let draft = library.new_case("author-a", &fan());
    let refused = library.store.write(|tx| flags::confirm(tx, &admin(), &by(draft), &Confirm::default()));
    assert!(matches!(refused, Err(Error::Illegal { .. })));
}

#[test]
fn what_nobody_confirms_for_long_is_flagged_once() {
    let mut library = Library::empty();
    let (old, draft) = (library.add(&fan()).0, library.new_case("author-a", &fan()));
    library.later(360);
    let young = library.add(&fan()).0;
    library.store.write(flags::activate_now);
    assert!(library.case(old).flags.is_empty(), "not yet 12 months");
    library.later(10);
    for _ in 0..2 {
        library.store.write(flags::activate_now);
        let flagged = [old, draft, young].map(|number| library.case(number).flags);
        assert_eq!(flagged, [vec![FlagKind::Unconfirmed], Vec::new(), Vec::new()]);
    }
    assert_eq!(library.store.read(|db| flags::list(db, &Scope::All, &by(old))).unwrap().len(), 1, "the job is idempotent");
    // The time is a setting, and follows at once in both directions.
    let months = |months| CaseSettings { stale_after_months: months };
    assert!(matches!(library.store.write(|tx| flags::set(tx, &admin(), &months(0))), Err(Error::BadMonths)));
    library.store.write(|tx| flags::set(tx, &admin(), &months(24))).unwrap();
    library.store.write(flags::activate_now);
    assert!(library.case(old).flags.is_empty());
    library.store.write(|tx| flags::set(tx, &admin(), &months(12))).unwrap();
    library.store.write(flags::activate_now);
    assert_eq!(library.case(old).flags, [FlagKind::Unconfirmed]);
    library.store.write(|tx| flags::confirm(tx, &engineer("engineer-a"), &by(old), &Confirm::default())).unwrap();
    library.store.write(flags::activate_now);
    assert!(library.case(old).flags.is_empty());
    let next_year = library.store.now.to_zoned(jiff::tz::TimeZone::UTC).checked_add(13.months()).unwrap().timestamp();
    library.store.now = next_year;
    library.store.write(flags::activate_now);
    assert_eq!(library.case(old).flags, [FlagKind::Unconfirmed], "again");
}

#[test]
fn a_case_about_software_that_is_not_the_newest_is_flagged() {
    let mut library = Library::empty();
    library.customer("JW");
    let about = |versions: &[&str]| {
        let mut body = fan();
        let one = body.equipment[0].clone();
        body.equipment =
            versions.iter().map(|range| lineman_common::api::CaseEquipment { versions: range.parse().unwrap(), ..one.clone() }).collect();
        body
    };
    let numbers: Vec<u32> = [&["0.5..0.9"][..], &["..1.0"], &["0.5.."], &["0.5..0.9", ""], &["0.1..0.2", "0.5..0.9"]]
        .map(|versions| library.add(&about(versions)).0)
        .to_vec();
    library.store.write(flags::activate_now);
    let flagged = |library: &Library| numbers.iter().copied().filter(|n| !library.case(*n).flags.is_empty()).collect::<Vec<_>>();
    assert_eq!(flagged(&library), [numbers[0], numbers[4]], "1.0 runs: all ranges end before it");
    let reason = library.store.read(|db| flags::list(db, &Scope::All, &by(numbers[0]))).unwrap();
    assert_eq!(reason[0].reason.raw(), "OLT C320 runs 1.0 by now, the case ends with 0.9");
    // Who confirms it in the face of that is not asked again, until newer software is there.
    library.store.write(|tx| flags::confirm(tx, &engineer("engineer-a"), &by(numbers[0]), &Confirm::default())).unwrap();
    library.store.write(flags::activate_now);
    assert_eq!(flagged(&library), [numbers[4]]);
    library.store.write(|tx| {
        let site = customers::sites(tx, &Scope::All).unwrap()[0].id;
        let new = NewEquipment {
            customer: "JW".parse().unwrap(),
            handle: "ne-2".parse().unwrap(),
            site,
            product: "OLT".into(),
            model: "C320".into(),
            serial: "S2".into(),
            software: "1.10".into(),
            parent: None,
        };
        equipment::add(tx, &admin(), new).unwrap();
    });
    library.store.write(flags::activate_now);
    assert_eq!(flagged(&library), [numbers[0], numbers[1], numbers[4]]);
    // A wider range is right again, without anybody's word.
    library.store.write(|tx| edit(tx, &engineer("author-a"), &by(numbers[4]), &about(&["0.5.."]))).unwrap();
    library.step(&engineer("reviewer-b"), numbers[4], publish).unwrap();
    library.store.write(flags::activate_now);
    assert_eq!(flagged(&library), [numbers[0], numbers[1]]);
}

// ---- Duplicates -----------------------------------------------------------------------------------------------------

#[test]
fn the_number_of_a_duplicate_answers_with_the_other_case() {
    let mut library = Library::empty();
    let id = library.customer("JW");
    let (one, two, three) = (library.add(&public(fan())).0, library.add(&public(power())).0, library.add(&fan()).0);
    let faults = [library.fault("a"), library.fault("b"), library.fault("c")];
    library.link(one, &faults[0], LinkVerdict::Solved);
    library.link(one, &faults[1], LinkVerdict::Solved);
    library.link(two, &faults[1], LinkVerdict::Helped);
    let yes = NewFeedback { helpful: true, comment: "".into() };
    library.store.write(|tx| feedback::give(tx, &customer(id), &by(one), &yes)).unwrap();

    let merge_into = |library: &mut Library, from: u32, into: u32| {
        library.store.write(|tx| merge::merge(tx, &engineer("engineer-a"), &by(from), &by(into)))
    };
    assert!(matches!(merge_into(&mut library, one, one), Err(Error::SameCase(..))));
    let case = merge_into(&mut library, one, two).unwrap();
    assert_eq!((case.number.0, &case.duplicates), (two, &vec![CaseNumber(one)]));
    assert_eq!((case.solved, case.helped), (1, 1), "its own word about a fault counts");
    assert_eq!(library.links(two).len(), 2);
    assert!(!library.in_use(one), "search shows it no more");
    let asked = library.case(one);
    assert_eq!((asked.number.0, asked.asked_as), (two, Some(CaseNumber(one))));
    let theirs = library.store.read(|db| get(db, &Scope::Customer(id), &by(one))).unwrap();
    assert_eq!((theirs.number.0, theirs.asked_as, theirs.duplicates.len()), (two, Some(CaseNumber(one)), 0));
    // What changes a case never guesses.
    for step in [archive as Step, submit, publish, states::unarchive] {
        assert!(matches!(library.step(&admin(), one, step), Err(Error::IsDuplicate { .. })));
    }
    let edited = library.store.write(|tx| edit(tx, &engineer("author-a"), &by(one), &fan()));
    assert_eq!(edited.unwrap_err().to_string(), "C-0001 is the same as C-0002: say C-0002, or undo the merge first");
    // Chains end, circles don't begin.
    assert!(matches!(merge_into(&mut library, two, one), Err(Error::SameCase(..))));
    merge_into(&mut library, two, three).unwrap();
    assert_eq!(library.case(one).number.0, three);
    assert_eq!(
        library.links(three),
        [("F-JW-2".into(), LinkVerdict::Helped, Some(two)), ("F-JW-1".into(), LinkVerdict::Solved, Some(one))]
    );
    assert!(library.store.read(|db| get(db, &Scope::Customer(id), &by(one))).is_err(), "the last one is internal");
    // A link through the old number counts where the case is now, and goes back with it.
    let case = library.link(one, &faults[2], LinkVerdict::Solved);
    assert_eq!((case.number.0, case.solved), (three, 2));

    // The way back, in the middle of the chain first.
    let unmerge = |library: &mut Library, number| library.step(&engineer("engineer-a"), number, merge::unmerge);
    assert!(matches!(unmerge(&mut library, three), Err(Error::NotDuplicate(_))));
    let case = unmerge(&mut library, two).unwrap();
    assert_eq!((case.number.0, case.state, case.solved, case.helped), (two, CaseState::Validated, 2, 1));
    assert_eq!(library.links(three), []);
    let case = unmerge(&mut library, one).unwrap();
    assert_eq!((case.state, case.solved, case.asked_as), (CaseState::Validated, 3, None));
    assert_eq!(library.links(two), [("F-JW-2".into(), LinkVerdict::Helped, None)]);
    assert_eq!(library.store.read(|db| feedback::list(db, &Scope::All, &by(one), 0, 9)).unwrap().len(), 1);
    assert!(library.in_use(one));
}

#[test]
fn a_duplicate_that_was_never_public_is_no_customers_to_know() {
    let mut library = Library::empty();
    let id = library.customer("JW");
    let (internal, target) = (library.add(&fan()).0, library.add(&public(power())).0);
    library.store.write(|tx| merge::merge(tx, &engineer("engineer-a"), &by(internal), &by(target))).unwrap();
    assert!(matches!(library.store.read(|db| get(db, &Scope::Customer(id), &by(internal))), Err(Error::NotFound)));
    let archived = library.add(&fan()).0;
    library.step(&admin(), archived, archive).unwrap();
    for (from, into) in [(archived, target), (target, archived)] {
        let refused = library.store.write(|tx| merge::merge(tx, &engineer("engineer-a"), &by(from), &by(into)));
        assert!(matches!(refused, Err(Error::Illegal { .. })));
    }
}

#[test]
fn what_waited_for_review_waits_again_after_the_way_back() {
    let mut library = Library::empty();
    let (waiting, target) = (library.new_case("author-a", &fan()), library.add(&power()).0);
    library.step(&engineer("author-a"), waiting, submit).unwrap();
    library.store.write(|tx| merge::merge(tx, &engineer("engineer-a"), &by(waiting), &by(target))).unwrap();
    assert!(library.queue(&engineer("reviewer-b"), &all()).is_empty());
    library.step(&engineer("engineer-a"), waiting, merge::unmerge).unwrap();
    assert_eq!(library.queue(&engineer("reviewer-b"), &all()), [(waiting, true)]);
}

// ---- Links and feedback ---------------------------------------------------------------------------------------------

#[test]
fn a_wrong_link_says_why_and_doubts_the_case() {
    let mut library = Library::empty();
    let id = library.customer("JW");
    let (number, fault) = (library.add(&public(fan())).0, library.fault("fan"));
    let wrong = |reason: Option<&str>| NewLink { fault: fault.clone(), verdict: LinkVerdict::Wrong, reason: reason.map(Into::into) };
    for reason in [None, Some(" ")] {
        let refused = library.store.write(|tx| link(tx, &engineer("engineer-a"), &by(number), &wrong(reason)));
        assert!(matches!(refused, Err(Error::WrongNeedsReason)));
    }
    let case = library.store.write(|tx| link(tx, &engineer("engineer-a"), &by(number), &wrong(Some("it was the power")))).unwrap();
    assert_eq!((case.wrong, case.flags), (1, vec![FlagKind::WrongLink]));
    let flag = &library.store.read(|db| flags::list(db, &Scope::All, &by(number))).unwrap()[0];
    assert_eq!(flag.reason.raw(), "wrong for F-JW-1: it was the power");
    let theirs = library.store.read(|db| links::list(db, &Scope::Customer(id), &by(number), 0, 9)).unwrap();
    assert_eq!((theirs.len(), &theirs[0].reason), (1, &None));
    let other = library.customer("XX");
    assert!(library.store.read(|db| links::list(db, &Scope::Customer(other), &by(number), 0, 9)).unwrap().is_empty());

    let unlink = |fault: &FaultNumber, reason: &str| Unlink { fault: fault.clone(), reason: reason.into() };
    let take =
        |library: &mut Library, said: &Unlink| library.store.write(|tx| links::unlink(tx, &engineer("engineer-a"), &by(number), said));
    assert!(matches!(take(&mut library, &unlink(&fault, "")), Err(Error::NoReason)));
    let case = take(&mut library, &unlink(&fault, "wrong fault")).unwrap();
    assert_eq!((case.wrong, library.links(number).len()), (0, 0));
    assert!(matches!(take(&mut library, &unlink(&fault, "again")), Err(Error::NoLink(_))));
}

#[test]
fn readers_say_once_for_each_version_whether_it_helped() {
    let mut library = Library::empty();
    let (jw, xx) = (library.customer("JW"), library.customer("XX"));
    let number = library.add(&public(fan())).0;
    let said = |helpful, comment: &str| NewFeedback { helpful, comment: comment.into() };
    let mut give = |actor: &Actor, said: &NewFeedback| library.store.write(|tx| feedback::give(tx, actor, &by(number), said));
    let first = give(&customer(jw), &said(false, "step 2 fails")).unwrap();
    assert_eq!((first.helpful, first.version, first.customer.unwrap().as_str()), (false, 1, "JW"));
    give(&customer(jw), &said(true, "with the new screwdriver")).unwrap();
    give(&actor("noc-xx", Role::Noc, Some((xx, "XX"))), &said(false, "XX-SECRET")).unwrap();
    let list = |library: &Library, scope: &Scope| library.store.read(|db| feedback::list(db, scope, &by(number), 0, 9)).unwrap();
    assert_eq!(list(&library, &Scope::All).len(), 2, "the second word took the first one's place");
    let theirs = list(&library, &Scope::Customer(jw));
    assert_eq!((theirs.len(), theirs[0].comment.raw()), (1, "with the new screwdriver"));
    // A new version is judged anew.
    library.store.write(|tx| edit(tx, &engineer("author-a"), &by(number), &public(fan()))).unwrap();
    let waiting = library.store.write(|tx| feedback::give(tx, &engineer("engineer-a"), &by(number), &said(true, "")));
    assert!(matches!(waiting, Err(Error::Illegal { .. })), "what is not published is not judged");
    library.step(&engineer("reviewer-b"), number, publish).unwrap();
    library.store.write(|tx| feedback::give(tx, &customer(jw), &by(number), &said(true, ""))).unwrap();
    let versions: Vec<u32> = list(&library, &Scope::Customer(jw)).iter().map(|feedback| feedback.version).collect();
    assert_eq!(versions, [2, 1]);
    let internal = library.add(&fan()).0;
    let refused = library.store.write(|tx| feedback::give(tx, &customer(jw), &by(internal), &said(true, "")));
    assert!(matches!(refused, Err(Error::NotFound)));
}

// ---- Translation ----------------------------------------------------------------------------------------------------

#[test]
fn what_one_language_lacks_is_in_a_queue_until_it_is_there() {
    let mut library = Library::empty();
    let both = body("风扇停转 | 停", "fan stops | stops", &[], &[]);
    let (whole, english) = (library.new_case("author-a", &both), library.new_case("author-a", &fan()));
    let queue = |library: &Library, language| {
        let items = library.store.read(|db| translate::queue(db, language, None, 9)).unwrap();
        items.into_iter().map(|item| (item.number.0, item.fields.len())).collect::<Vec<_>>()
    };
    assert_eq!(queue(&library, None), [(english, 3)], "title, symptom, resolution");
    assert_eq!(queue(&library, Some(Language::En)), []);
    let changed = CaseBody { zh: Some(CaseText { cause: "轴承".into(), title: "风扇坏".into(), ..both.zh.clone().unwrap() }), ..both };
    library.store.write(|tx| edit(tx, &engineer("author-a"), &by(whole), &changed)).unwrap();
    assert_eq!(queue(&library, Some(Language::En)), [(whole, 2)], "the title is older, the cause is lacking");
    let said = ConfirmTranslation { language: Language::En, fields: Vec::new() };
    let case = library.store.write(|tx| translate::confirm(tx, &engineer("author-a"), &by(whole), &said)).unwrap();
    assert_eq!(case.to_translate.len(), 1, "what is lacking has to be written");
    library.step(&admin(), whole, archive).unwrap();
    assert_eq!(queue(&library, None), [(english, 3)]);
}

// ---- Health ---------------------------------------------------------------------------------------------------------

fn figure(figures: &[HealthValue], wanted: HealthFigure) -> (Option<f64>, f64, f64, u64) {
    let found = figures.iter().find(|value| value.figure == wanted).unwrap();
    (found.value, found.numerator, found.denominator, found.behind)
}

#[test]
fn the_view_of_health_counts_what_its_lists_show() {
    let mut library = Library::empty();
    let id = library.customer("JW");
    let begin = library.store.now;
    library.later(1);
    let (fans, powers) = (library.add(&public(fan())).0, library.add(&power()).0);
    let waiting = library.new_case("author-a", &fan());
    library.step(&engineer("author-a"), waiting, submit).unwrap();
    let fault = library.fan_fails();
    let reference = library.resolve(&fault);
    library.link(fans, &fault.number, LinkVerdict::Solved);
    let loose = library.fault("noise");
    library.link(fans, &loose, LinkVerdict::Helped);
    library.link(powers, &loose, LinkVerdict::Wrong);
    library.store.write(|tx| feedback::give(tx, &customer(id), &by(fans), &NewFeedback { helpful: true, comment: "".into() })).unwrap();
    library
        .store
        .write(|tx| gaps::nothing_found(tx, &engineer("engineer-a"), "humming rectifier", Some("PSU"), gaps::Unanswered::Nothing))
        .unwrap();
    library.later(1);

    let period = (begin, library.store.now);
    let view = |by, narrow: &health::Narrow| library.store.read(|db| health::view(db, &Scope::All, period, by, narrow)).unwrap();
    let whole = view(None, &health::Narrow::default());
    assert_eq!((whole.rows.len(), whole.definitions.len()), (1, HealthFigure::ALL.len()));
    let figures = &whole.rows[0].figures;
    for (wanted, is) in [
        (HealthFigure::LinkRate, (Some(1.0), 1.0, 1.0, 1)),
        (HealthFigure::Reuse, (Some(1.0), 2.0, 2.0, 2)),
        (HealthFigure::TimeToPublish, (Some(0.0), 0.0, 2.0, 2)),
        (HealthFigure::Stale, (Some(1.0), 1.0, 1.0, 1)),
        (HealthFigure::ReviewBacklog, (Some(1.0), 1.0, 1.0, 1)),
        (HealthFigure::NeverReused, (Some(0.0), 0.0, 0.0, 0)),
        (HealthFigure::TopReused, (Some(1.0), 2.0, 2.0, 1)),
        (HealthFigure::Helpful, (Some(1.0), 1.0, 1.0, 1)),
        (HealthFigure::Deflections, (Some(0.0), 0.0, 0.0, 0)),
        (HealthFigure::Unanswered, (Some(1.0), 1.0, 1.0, 1)),
        (HealthFigure::ToTranslate, (Some(3.0), 3.0, 3.0, 3)),
    ] {
        assert_eq!(figure(figures, wanted), is, "{wanted}");
    }
    assert!(figure(figures, HealthFigure::ReviewAge).0.unwrap() >= 86_400.0);
    let lists = |narrow: &health::Narrow, of: &[HealthValue]| {
        for value in of {
            let items = library.store.read(|db| health::behind(db, &Scope::All, value.figure, period, narrow, 0, 100)).unwrap();
            assert_eq!(items.len() as u64, value.behind, "{}", value.figure);
        }
    };
    lists(&health::Narrow::default(), figures);

    // By product and by owner, every row with lists of its own.
    let by_product = view(Some(HealthBy::Product), &health::Narrow::default());
    let groups: Vec<_> = by_product.rows.iter().map(|row| row.group.as_ref().unwrap().raw().to_owned()).collect();
    assert_eq!(groups, ["BBU", "OLT", "PSU"]);
    assert_eq!(figure(&by_product.rows[1].figures, HealthFigure::Reuse), (Some(2.0), 2.0, 1.0, 1));
    for row in &by_product.rows {
        lists(&health::Narrow { product: row.group.as_ref().map(|group| group.raw().to_owned()), owner: None }, &row.figures);
    }
    let by_owner = view(Some(HealthBy::Owner), &health::Narrow::default());
    let authors = by_owner.rows.iter().find(|row| row.group.as_ref().is_some_and(|group| group.raw() == "author-a")).unwrap();
    assert_eq!(figure(&authors.figures, HealthFigure::Reuse).3, 2);
    lists(&health::Narrow { product: None, owner: Some("author-a".parse().unwrap()) }, &authors.figures);

    let items =
        library.store.read(|db| health::behind(db, &Scope::All, HealthFigure::LinkRate, period, &health::Narrow::default(), 0, 9)).unwrap();
    assert_eq!((items[0].fault.as_ref(), items[0].value), (Some(&fault.number), 1.0));
    let later = (library.store.now, library.store.now + SignedDuration::from_hours(1));
    let rows = library.store.read(|db| health::view(db, &Scope::All, later, None, &health::Narrow::default())).unwrap().rows;
    assert_eq!(figure(&rows[0].figures, HealthFigure::NeverReused), (Some(1.0), 1.0, 1.0, 1), "the power case was only ever wrong");
    // A customer learns nothing of it but what the words mean.
    let theirs = library.store.read(|db| health::view(db, &Scope::Customer(id), period, None, &health::Narrow::default())).unwrap();
    assert!(theirs.rows.is_empty());
    let list =
        library.store.read(|db| health::behind(db, &Scope::Customer(id), HealthFigure::Reuse, period, &health::Narrow::default(), 0, 9));
    assert!(list.unwrap().is_empty());
    assert!(library.store.read(|db| health::period(db, Some(db.now()), Some(begin))).is_err());

    // A fault that a case was drafted from is linked.
    library.store.write(|tx| draft_from(tx, &engineer("engineer-a"), &reference)).unwrap();
    library
        .store
        .write(|tx| links::unlink(tx, &engineer("engineer-a"), &by(fans), &Unlink { fault: fault.number.clone(), reason: "x".into() }))
        .unwrap();
    let rows = library.store.read(|db| health::view(db, &Scope::All, period, None, &health::Narrow::default())).unwrap().rows;
    assert_eq!(figure(&rows[0].figures, HealthFigure::LinkRate).0, Some(1.0));
}

//! What comes after the publication: doubts, duplicates, links, feedback, translation, health.

use super::*;

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
    assert_eq!(library.store.read(|db| super::super::super::list(db, &Scope::All, &filter)).unwrap().len(), 1);

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

#[test]
fn a_chain_of_merges_names_them_all() {
    let mut library = Library::empty();
    let numbers = [fan(), power(), fan()].map(|body| library.add(&body).0);
    for pair in numbers.windows(2) {
        library.store.write(|tx| merge::merge(tx, &engineer("engineer-a"), &by(pair[0]), &by(pair[1]))).unwrap();
    }
    let last = library.store.read(|db| get(db, &Scope::All, &by(numbers[2]))).unwrap();
    assert_eq!(last.duplicates, [CaseNumber(numbers[0]), CaseNumber(numbers[1])]);
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
    // What others' faults say of a case is not for a customer.
    let seen = |library: &Library, id| library.store.read(|db| get(db, &Scope::Customer(id), &by(number))).unwrap();
    assert_eq!((seen(&library, id).wrong, seen(&library, other).wrong), (1, 0));
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

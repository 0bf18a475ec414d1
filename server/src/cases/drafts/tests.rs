//! Drafts with their real schema: what gets into one, how its masking is reviewed, and who sees what.

use lineman_common::api::{CaseBody, Diagnosis, DraftChange, DraftPiece, DraftReview, NewActivity, PutBack, Resolution, TakeOut};
use lineman_common::fault::{ActivityKind, Channel};
use lineman_common::name::CaseNumber;

use super::super::Reference;
use super::super::life::states;
use super::super::tests::engineer;
use super::*;
use crate::sessions::testing::{Centre, Inside};

/// A fault of JW's that was worked on in a recorded session, by telephone and with secrets in every text, and is resolved.
fn solved(centre: &mut Centre) -> (Inside, FaultReference) {
    let inside = centre.session("ne-1.jw.ne");
    centre.said(
        &inside,
        &["root@ne-1:~# fanctl reset 2", "fan-2: ok", "root@ne-1:~# snmpset -c netops 10.0.0.7 fanReset.2 i 1", "root@ne-1:~# exit"],
    );
    let reference = FaultReference::Id(inside.fault);
    let person = engineer("engineer-a");
    centre.store.write(|tx| {
        let edit = lineman_common::api::EditFault {
            title: Some("风扇停转 / fan 2 stopped on ne-1.jw.ne".into()),
            description: Some("call Li Lei 13812345678, password=Hunter2x".into()),
            ..Default::default()
        };
        faults::edit(tx, &person, &reference, &edit).unwrap();
        faults::accept(tx, &person, &reference).unwrap();
        let call = NewActivity {
            kind: ActivityKind::Phone,
            with: Some("Li Lei".into()),
            text: "Li Lei swaps the fan tray in North exchange".into(),
            planned_at: None,
            started_at: None,
        };
        let call = activities::start(tx, &person, &reference, call).unwrap();
        let change = lineman_common::api::ActivityChange { outcome: "swapped".into(), at: None };
        let step = lineman_common::fault::ActivityStep::End;
        activities::change(tx, &person, &reference, call.id.parse().unwrap(), step, &change).unwrap();
        let diagnosis = Diagnosis { cause: "风扇轴承卡死".into(), plan: "reset fan-2 on ne-1 (10.0.0.7)".into() };
        faults::diagnose(tx, &person, &reference, &diagnosis).unwrap();
        faults::restore(tx, &person, &reference, Some(&"spare fan carries the load".into())).unwrap();
        let resolution = Resolution { channel: Channel::Remote, cause: None, note: "fan reset, SN2102312 swapped, version 1.0".into() };
        faults::resolve(tx, &person, &reference, resolution).unwrap();
    });
    (inside, reference)
}

fn drafted(centre: &mut Centre) -> (Inside, Case) {
    let (inside, reference) = solved(centre);
    let case = centre.store.write(|tx| draft_from(tx, &engineer("engineer-a"), &reference)).unwrap();
    (inside, case)
}

fn whole(body: &CaseBody) -> String {
    serde_json::to_string(body).unwrap()
}

/// What the library's own tables say of a case, in every version.
fn stored(centre: &Centre, number: CaseNumber) -> String {
    centre.store.read(|db| {
        let sql = "SELECT group_concat(body) FROM (SELECT body FROM library_case WHERE number = ?1 UNION ALL SELECT body FROM library_version WHERE number = ?1)";
        db.sql().query_row(sql, [number.0], |row| row.get(0)).unwrap()
    })
}

fn review_of(centre: &Centre, scope: &Scope, case: &Case) -> Result<DraftReview, Error> {
    centre.store.read(|db| review::get(db, scope, &Reference::Number(case.number)))
}

fn span(review: &DraftReview, was: &str) -> (PutBack, DraftPiece) {
    let found = review.fields.iter().find_map(|field| {
        let piece = field.pieces.iter().find(|piece| piece.was.raw() == was && piece.span.is_some())?;
        Some((PutBack { language: field.language, field: field.field, span: piece.span? }, piece.clone()))
    });
    found.unwrap_or_else(|| panic!("no span {was:?} in {review:?}"))
}

#[test]
fn a_draft_says_what_was_done_and_nothing_of_the_customer() {
    let mut centre = Centre::new();
    let (_, case) = drafted(&mut centre);
    let (zh, en) = (case.body.zh.clone().unwrap(), case.body.en.clone().unwrap());
    assert_eq!((zh.title.raw(), en.title.raw()), ("风扇停转", "fan 2 stopped on [equipment]"));
    assert_eq!(en.symptom.raw(), "call [person] [phone], password=[secret]");
    assert_eq!(zh.cause.raw(), "风扇轴承卡死");
    assert_eq!(
        en.steps.raw(),
        "reset fan-2 on [equipment] ([ip])\nBy telephone: [person] swaps the fan tray in [site]; swapped\n\
         Typed in recorded sessions:\n    fanctl reset 2\n    snmpset -c [secret] [ip] fanReset.2 i 1"
    );
    assert!(zh.steps.raw().starts_with("会话中执行的命令：\n    fanctl reset 2"));
    assert_eq!(en.resolution.raw(), "fan reset, [serial] swapped, version 1.0");
    assert!(case.body.equipment[0].versions.contains("1.0"));
    let stored = stored(&centre, case.number);
    for leaked in ["ne-1", "Li Lei", "13812345678", "Hunter2x", "10.0.0.7", "netops", "SN2102312", "North exchange", "engineer-a"] {
        assert!(!stored.contains(leaked) && !whole(&case.body).contains(leaked), "{leaked}: {stored}");
    }
}

#[test]
fn the_masking_shows_both_sides_and_a_reviewer_changes_it() {
    let mut centre = Centre::new();
    let (_, case) = drafted(&mut centre);
    let reference = Reference::Number(case.number);
    let review = review_of(&centre, &Scope::All, &case).unwrap();
    assert_eq!((review.fault.to_string().as_str(), review.version), ("F-JW-1", 1));
    assert!(review.fields.iter().all(|field| !field.edited));
    let (put_back, piece) = span(&review, "North exchange");
    assert_eq!((piece.rule, piece.shown.as_deref()), (Some(MaskRule::Site), Some("[site]")));
    let sides = |field: &lineman_common::api::DraftField| {
        let was: String = field.pieces.iter().map(|piece| piece.was.raw()).collect();
        let shown: String = field.pieces.iter().map(|piece| piece.shown.clone().unwrap_or_else(|| piece.was.raw().to_owned())).collect();
        (was, shown)
    };
    let title = &review.fields.iter().find(|field| field.language == Language::En && field.field == CaseField::Title).unwrap();
    assert_eq!(sides(title), ("fan 2 stopped on ne-1.jw.ne".to_owned(), "fan 2 stopped on [equipment]".to_owned()));

    // Put back, and taken out wherever it stands and however it is written.
    let change = DraftChange { put_back: vec![put_back], take_out: vec![TakeOut { text: "FANCTL".into(), rule: None }] };
    let changed = centre.store.write(|tx| review::change(tx, &engineer("reviewer-b"), &reference, &change)).unwrap();
    assert_eq!(changed.version, 2);
    let decisions: Vec<_> =
        changed.decisions.iter().map(|made| (made.language, made.put_back, made.rule, made.by.as_str().to_owned())).collect();
    assert_eq!(
        decisions,
        [
            (Language::En, true, MaskRule::Site, "reviewer-b".to_owned()),
            (Language::Zh, false, MaskRule::Reviewer, "reviewer-b".to_owned()),
            (Language::En, false, MaskRule::Reviewer, "reviewer-b".to_owned()),
        ]
    );
    let case = centre.store.read(|db| cases::get(db, &Scope::All, &reference)).unwrap();
    let steps = case.body.en.as_ref().unwrap().steps.raw();
    assert!(steps.contains("in North exchange; swapped") && steps.contains("    [removed] reset 2"), "{steps}");
    assert!(case.body.zh.as_ref().unwrap().steps.raw().contains("[removed] reset 2"));

    // Who has unmasked something does not publish it.
    let own = centre.store.write(|tx| states::publish(tx, &engineer("reviewer-b"), &reference));
    assert!(matches!(own, Err(cases::Error::OwnReview(_))), "{own:?}");

    // Taking out what was put back closes it again.
    let change =
        DraftChange { take_out: vec![TakeOut { text: "north exchange".into(), rule: Some(MaskRule::Site) }], ..DraftChange::default() };
    centre.store.write(|tx| review::change(tx, &engineer("reviewer-b"), &reference, &change)).unwrap();
    let case = centre.store.read(|db| cases::get(db, &Scope::All, &reference)).unwrap();
    assert!(!whole(&case.body).contains("North exchange"));
}

#[test]
fn wrong_changes_change_nothing() {
    let mut centre = Centre::new();
    let (_, case) = drafted(&mut centre);
    let reference = Reference::Number(case.number);
    let mut change = |change: DraftChange| centre.store.write(|tx| review::change(tx, &engineer("reviewer-b"), &reference, &change));
    assert!(matches!(change(DraftChange::default()), Err(Error::HowManyChanges(_))));
    let nowhere = PutBack { language: Language::En, field: CaseField::Title, span: 77 };
    assert!(matches!(change(DraftChange { put_back: vec![nowhere], take_out: Vec::new() }), Err(Error::NoSpan { span: 77, .. })));
    let unsaid = TakeOut { text: "Beijing".into(), rule: None };
    assert!(matches!(change(DraftChange { put_back: Vec::new(), take_out: vec![unsaid] }), Err(Error::NothingToTakeOut)));
    assert_eq!(centre.store.read(|db| cases::get(db, &Scope::All, &reference)).unwrap().version, 1);

    // A text that somebody has edited is no longer this review's.
    let mut body = case.body.clone();
    body.en.as_mut().unwrap().title = "Fan 2 stopped".into();
    centre.store.write(|tx| states::edit(tx, &engineer("engineer-a"), &reference, &body)).unwrap();
    let review = review_of(&centre, &Scope::All, &case).unwrap();
    let edited: Vec<_> = review.fields.iter().filter(|field| field.edited).map(|field| (field.language, field.field)).collect();
    assert_eq!(edited, [(Language::En, CaseField::Title)]);
    let (put_back, _) = span(&review, "ne-1.jw.ne");
    let refused = centre.store.write(|tx| {
        let change = DraftChange { put_back: vec![put_back], take_out: Vec::new() };
        review::change(tx, &engineer("reviewer-b"), &reference, &change)
    });
    assert!(matches!(refused, Err(Error::Edited { field: CaseField::Title, .. })), "{refused:?}");
}

#[test]
fn the_raw_side_is_for_those_who_see_the_fault_and_goes_with_the_review() {
    let mut centre = Centre::new();
    let (inside, case) = drafted(&mut centre);
    let reference = Reference::Number(case.number);
    for scope in [Scope::Customer(inside.device.customer), Scope::Customer(lineman_common::id::CustomerId::new())] {
        assert!(matches!(review_of(&centre, &scope, &case), Err(Error::Cases(cases::Error::NotFound))));
    }
    let raw = |centre: &Centre| -> u32 {
        centre.store.read(|db| db.sql().query_row("SELECT count(*) FROM case_draft", [], |row| row.get(0)).unwrap())
    };
    assert!(raw(&centre) > 3);
    centre.store.write(|tx| states::publish(tx, &engineer("reviewer-b"), &reference)).unwrap();
    assert_eq!(raw(&centre), 0, "published: nothing of the raw side is kept");
    assert!(matches!(review_of(&centre, &Scope::All, &case), Err(Error::NoReview)));
}

#[test]
fn a_case_that_was_written_by_hand_has_no_masking() {
    let mut centre = Centre::new();
    let body = super::super::tests::body("", "fan fails | it stops", &[], &[]);
    let case = centre.store.write(|tx| states::create(tx, &engineer("author-a"), &body)).unwrap();
    assert!(matches!(review_of(&centre, &Scope::All, &case), Err(Error::NoReview)));
}

#[test]
fn of_a_long_question_the_beginning_is_kept_and_no_half_of_a_secret() {
    let known = mask::Known::default();
    let kept = masked_beginning("the fan stopped, password=hunter22 of the board", &known, 500);
    assert!(kept.starts_with("the fan stopped") && kept.ends_with("of the board") && !kept.contains("hunter"), "{kept}");
    // Forty characters are read for ten: the cut is within the password.
    let text = format!("{} password=hunter22 {}", "x".repeat(25), "token".repeat(200_000));
    assert_eq!(masked_beginning(&text, &known, 10), "x".repeat(10));
    assert!(!masked_beginning(&text.replacen(&"x".repeat(25), "x y z", 1), &known, 8).contains("hun"));
}

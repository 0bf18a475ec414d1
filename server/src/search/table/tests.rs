use super::*;
use crate::store::testing::TestStore;
use lineman_common::people::Role;

fn actor() -> Actor {
    Actor { id: lineman_common::id::PersonId::new(), name: "engineer-a".parse().unwrap(), role: Role::Engineer, customer: None }
}

fn new(zh: &[&str], en: &[&str]) -> NewSynonyms {
    let list = |phrases: &[&str]| phrases.iter().copied().map(Printable::from).collect();
    NewSynonyms { zh: list(zh), en: list(en) }
}

fn add_one(store: &mut TestStore, zh: &[&str], en: &[&str]) -> SynonymGroup {
    store.write(|tx| add(tx, &actor(), new(zh, en))).unwrap()
}

#[test]
fn the_fields_groups_come_first_and_users_groups_follow_at_once() {
    let mut store = TestStore::new();
    let before = store.read(load).unwrap();
    assert_eq!(before.len(), FIELD.len());
    let revision_before = store.read(revision).unwrap();
    let group = add_one(&mut store, &["烧纤"], &["fibre burn", " fibre burn "]);
    assert_eq!((group.zh.len(), group.en.len(), group.changed_by), (1, 1, Some("engineer-a".parse().unwrap())));
    assert_eq!(group.changed_at, Some(store.now));
    let after = store.read(load).unwrap();
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(after.last(), Some(&Group { zh: vec!["烧纤".into()], en: vec!["fibre burn".into()] }));
    assert!(store.read(revision).unwrap() > revision_before);
}

#[test]
fn a_built_in_group_is_switched_off_and_never_edited() {
    let mut store = TestStore::new();
    let id = FIELD[0].id.clone();
    let refused = store.write(|tx| edit(tx, &actor(), &id, new(&["甲乙"], &["x y"])));
    assert!(matches!(refused, Err(Error::BuiltIn)));
    assert!(matches!(store.write(|tx| remove(tx, &actor(), &id)), Err(Error::BuiltIn)));
    let off = store.write(|tx| switch(tx, &actor(), &id, false)).unwrap();
    assert!(!off.on && off.changed_by.is_some());
    assert_eq!(store.read(load).unwrap().len(), FIELD.len() - 1);
    let revision_off = store.read(revision).unwrap();
    // Said twice, it is so once.
    store.write(|tx| switch(tx, &actor(), &id, false)).unwrap();
    assert_eq!(store.read(revision).unwrap(), revision_off);
    store.write(|tx| switch(tx, &actor(), &id, true)).unwrap();
    assert_eq!(store.read(load).unwrap().len(), FIELD.len());
    assert!(matches!(store.write(|tx| switch(tx, &actor(), "field-0", false)), Err(Error::NotFound)));
}

#[test]
fn groups_are_edited_and_removed() {
    let mut store = TestStore::new();
    let group = add_one(&mut store, &["烧纤"], &["fibre burn"]);
    let edited = store.write(|tx| edit(tx, &actor(), &group.id, new(&["烧纤", "光纤烧毁"], &["fibre burn"]))).unwrap();
    assert_eq!(edited.zh.len(), 2);
    store.write(|tx| switch(tx, &actor(), &group.id, false)).unwrap();
    assert_eq!(store.read(load).unwrap().len(), FIELD.len());
    store.write(|tx| remove(tx, &actor(), &group.id)).unwrap();
    assert!(store.read(|db| list(db, &Scope::All)).unwrap().iter().all(|group| group.built_in));
    assert!(matches!(store.write(|tx| edit(tx, &actor(), &group.id, new(&["烧纤"], &["y"]))), Err(Error::NotFound)));
}

#[test]
fn what_no_question_finds_is_refused() {
    let mut store = TestStore::new();
    let mut try_one = |zh: &[&str], en: &[&str]| store.write(|tx| add(tx, &actor(), new(zh, en))).map(|_| ()).map_err(|e| e.to_string());
    assert!(try_one(&["烧纤"], &[]).unwrap_err().contains("two phrases"));
    assert!(try_one(&["烧纤"], &["烧纤"]).unwrap_err().contains("two phrases"));
    for wrong in ["", "  ", "!!", "a;b", "#x", "a\tb", "a\u{202e}b", &"x".repeat(61)] {
        assert!(try_one(&["烧纤"], &[wrong]).unwrap_err().contains("is not a phrase"), "{wrong:?}");
    }
    let many: Vec<String> = (0..41).map(|n| format!("word{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(try_one(&[], &many).unwrap_err().contains("at most 40"));
}

#[test]
fn what_may_not_be_meant_is_a_warning() {
    let mut store = TestStore::new();
    let warns = |group: &SynonymGroup, text: &str| group.warnings.iter().any(|warning| warning.contains(text));
    // The same tokens, otherwise spelt.
    let double = add_one(&mut store, &["烧纤"], &["Optical  Modules"]);
    assert!(warns(&double, "also stands in the group field-"), "{:?}", double.warnings);
    let single = add_one(&mut store, &["纤"], &["strand"]);
    assert!(warns(&single, "single character") && single.warnings.len() == 1, "{:?}", single.warnings);
    let common = add_one(&mut store, &["设备"], &["the", "gadget"]);
    assert_eq!(common.warnings.iter().filter(|warning| warning.contains("too common")).count(), 2, "{:?}", common.warnings);
    assert!(add_one(&mut store, &["烧毁"], &["burnt out"]).warnings.is_empty());
}

#[test]
fn a_carriers_people_see_what_is_built_in() {
    let mut store = TestStore::new();
    add_one(&mut store, &["烧纤"], &["fibre burn"]);
    store.write(|tx| switch(tx, &actor(), &FIELD[0].id, false)).unwrap();
    let seen = store.read(|db| list(db, &Scope::Customer(lineman_common::id::CustomerId::new()))).unwrap();
    assert!(seen.len() == FIELD.len() && seen.iter().all(|group| group.built_in && group.changed_by.is_none() && group.on));
}

const TABLE: &str = "\u{feff}# ours\n烧纤; 光纤烧毁\tfibre burn\n\n虹吸\tsiphon; syphon\n";

#[test]
fn a_table_is_planned_then_taken_and_taken_again_changes_nothing() {
    let mut store = TestStore::new();
    let dry = store.write(|tx| import(tx, &actor(), TABLE, None)).unwrap();
    assert_eq!(dry.lines.iter().map(|line| (line.line, line.verdict)).collect::<Vec<_>>(), [(2, LineVerdict::New), (4, LineVerdict::New)]);
    assert!(!dry.applied && store.read(load).unwrap().len() == FIELD.len());
    assert!(matches!(store.write(|tx| import(tx, &actor(), TABLE, Some("0"))), Err(Error::OtherPlan(_))));
    assert!(store.write(|tx| import(tx, &actor(), TABLE, Some(&dry.plan))).unwrap().applied);
    let exported = store.read(export).unwrap();
    assert_eq!(exported, "烧纤; 光纤烧毁\tfibre burn\n虹吸\tsiphon; syphon\n");
    for table in [TABLE, exported.as_str()] {
        let again = store.write(|tx| import(tx, &actor(), table, None)).unwrap();
        assert!(again.lines.iter().all(|line| line.verdict == LineVerdict::Same) && again.missing.is_empty());
    }
}

#[test]
fn a_plan_of_before_somebody_elses_change_is_refused() {
    let mut store = TestStore::new();
    let dry = store.write(|tx| import(tx, &actor(), TABLE, None)).unwrap();
    add_one(&mut store, &["烧纤"], &["burning"]);
    assert!(matches!(store.write(|tx| import(tx, &actor(), TABLE, Some(&dry.plan))), Err(Error::OtherPlan(_))));
}

#[test]
fn a_line_changes_the_one_group_that_it_shares_a_phrase_with() {
    let mut store = TestStore::new();
    let one = add_one(&mut store, &["烧纤"], &["fibre burn"]);
    let two = add_one(&mut store, &["虹吸"], &["siphon"]);
    let plan = |store: &TestStore, table: &str| store.read(|db| plan(db, table)).unwrap();
    let changed = plan(&store, "烧纤\tfibre burn; burnt fibre");
    assert_eq!((changed.lines[0].verdict, changed.lines[0].group.as_ref()), (LineVerdict::Changed, Some(&one.id)));
    assert_eq!(changed.missing, std::slice::from_ref(&two.id));
    let both = plan(&store, "烧纤; 虹吸\tx1");
    assert!(both.lines[0].verdict == LineVerdict::Refused && both.lines[0].reason.as_ref().unwrap().contains(&two.id));
    let twice = plan(&store, "烧纤\tfibre burn\n烧纤\tburnt");
    assert_eq!(twice.lines.iter().map(|line| line.verdict).collect::<Vec<_>>(), [LineVerdict::Same, LineVerdict::Refused]);
    let wrong = plan(&store, "只有一个");
    assert!(wrong.lines[0].verdict == LineVerdict::Refused && wrong.lines[0].reason.as_ref().unwrap().contains("two phrases"));
    // A built-in group, written out again, is that group.
    assert_eq!(plan(&store, BUILT_IN).lines.iter().filter(|line| line.verdict != LineVerdict::Same).count(), 0);
}

use lineman_common::people::Role;

use super::*;
use crate::store::testing::TestStore;

fn actor(name: &str, role: Role) -> Actor {
    Actor { id: PersonId::new(), name: name.parse().unwrap(), role, customer: None }
}

fn with_engineer() -> (TestStore, PersonName) {
    let mut store = TestStore::new();
    let name: PersonName = "engineer-a".parse().unwrap();
    let new = NewPerson { name: name.clone(), role: Role::Engineer, customer: None, password: None };
    store.write(|tx| add(tx, "admin-z", new, Some("hash".into())).unwrap());
    (store, name)
}

#[test]
fn a_password_fits_its_own_hash_only() {
    let hash = hash_password("correct horse battery").unwrap();
    assert!(password_fits("correct horse battery", Some(&hash)));
    assert!(!password_fits("correct horse battery!", Some(&hash)));
    assert!(!password_fits("anything at all", None));
    assert!(matches!(hash_password("short"), Err(Error::BadPassword)));
}

#[test]
fn who_is_disabled_is_out_until_enabled_and_the_log_says_why() {
    let (mut store, name) = with_engineer();
    let admin = actor("admin-z", Role::Admin);
    let new = NewApiToken { label: "laptop".into(), days: 30 };
    let token = store.write(|tx| issue_token(tx, "admin-z", &name, &new).unwrap()).token;
    assert!(store.read(|db| by_token(db, &token)).unwrap().is_some());
    let empty = store.write(|tx| disable(tx, &admin, &name, &" ".into())).unwrap_err();
    assert!(matches!(empty, Error::NoReason), "{empty}");
    let disabled = store.write(|tx| disable(tx, &admin, &name, &"left the company".into()).unwrap()).disabled.unwrap();
    assert_eq!((disabled.by.as_str(), disabled.at, disabled.reason.raw()), ("admin-z", store.now, "left the company"));
    assert!(store.read(|db| by_token(db, &token)).unwrap().is_none());
    assert!(store.read(|db| password_of(db, &name)).unwrap().is_none(), "no sign-in");
    assert!(store.read(|db| worker(db, &name)).unwrap().is_none());
    assert!(matches!(store.write(|tx| sign_in(tx, &name, None)), Err(Error::WrongPassword)));
    assert!(matches!(store.write(|tx| issue_token(tx, "admin-z", &name, &new)), Err(Error::IsDisabled(_))));
    assert!(matches!(store.write(|tx| disable(tx, &admin, &name, &"x".into())), Err(Error::DisabledAlready(..))));
    store.write(|tx| enable(tx, &admin, &name, &"came back".into()).unwrap());
    assert!(store.read(|db| by_token(db, &token)).unwrap().is_none(), "old tokens stay ended");
    assert!(store.read(|db| worker(db, &name)).unwrap().is_some());
    let log = store.read(|db| events::after(db, &Scope::All, 0, 100)).unwrap();
    let kinds: Vec<_> = log.iter().map(|event| event.kind.as_str()).collect();
    assert!(kinds.ends_with(&["person.disabled", "person.enabled"]), "{kinds:?}");
}

#[test]
fn nobody_disables_themselves() {
    let (mut store, name) = with_engineer();
    let error = store.write(|tx| disable(tx, &actor(name.as_str(), Role::Admin), &name, &"x".into())).unwrap_err();
    assert!(matches!(error, Error::Oneself), "{error}");
}

#[test]
fn skills_are_tags_and_levels_are_three() {
    let (mut store, name) = with_engineer();
    let admin = actor("admin-z", Role::Admin);
    let profile = |skills: &[&str], level, mail: Option<&str>| Profile {
        skills: skills.iter().map(|&skill| skill.to_owned()).collect(),
        level,
        mail: mail.map(str::to_owned),
    };
    let person =
        store.write(|tx| set_profile(tx, &admin, &name, profile(&["OLT", " optics", "olt"], Some(2), Some("a@b.example")))).unwrap();
    assert_eq!((person.skills, person.level), (vec!["olt".to_owned(), "optics".to_owned()], Some(2)));
    for (wrong, what) in [
        (profile(&[""], None, None), "skill"),
        (profile(&["a\u{202e}b"], None, None), "skill"),
        (profile(&[], Some(4), None), "level"),
        (profile(&[], None, Some("nowhere")), "e-mail"),
    ] {
        let error = store.write(|tx| set_profile(tx, &admin, &name, wrong)).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_new_password_ends_the_other_tokens() {
    let (mut store, name) = with_engineer();
    let new = NewApiToken { label: "laptop".into(), days: 30 };
    let (kept, other) = store.write(|tx| {
        let mut issue = || issue_token(tx, "admin-z", &name, &new).unwrap().token;
        (issue(), issue())
    });
    let engineer = actor(name.as_str(), Role::Engineer);
    store.write(|tx| set_password(tx, &engineer, &name, "another hash", Some(&kept)).unwrap());
    assert_eq!(store.read(|db| password_of(db, &name)).unwrap().as_deref(), Some("another hash"));
    assert!(store.read(|db| by_token(db, &kept)).unwrap().is_some());
    assert!(store.read(|db| by_token(db, &other)).unwrap().is_none());
}

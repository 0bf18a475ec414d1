//! Who gets in, and as whom.

use super::*;
use crate::store::testing::TestStore;
use crate::web::Actor;

fn identity(subject: &str, username: &str, role: Option<(Role, Option<&str>)>) -> Identity {
    Identity {
        issuer: ISSUER.into(),
        subject: subject.into(),
        username: username.into(),
        mail: Some("a@support.example".into()),
        groups: vec!["g".into()],
        mapped: role.map(|(role, customer)| Mapping { group: "g".into(), role, customer: customer.map(|code| code.parse().unwrap()) }),
        adopt: false,
        by: "Example SSO".into(),
    }
}

fn word(result: Result<Result<TokenReply, Failure>, Failure>) -> &'static str {
    match result.unwrap() {
        Ok(_) => "in",
        Err(failure) => failure.word(),
    }
}

#[test]
fn the_mapping_decides_on_every_sign_in() {
    let mut store = TestStore::new();
    let engineer = identity("u-1", "Engineer.A@support.example", Some((Role::Engineer, None)));
    let token = store.write(|tx| admit(tx, &engineer)).unwrap().unwrap().token;
    let actor = store.read(|db| crate::people::by_token(db, &token)).unwrap().unwrap();
    assert_eq!((actor.name.as_str(), actor.role), ("engineer-a", Role::Engineer));
    let person = store.read(|db| crate::people::find(db, &Scope::All, &actor.name)).unwrap().unwrap();
    assert!(person.oidc && !person.password && person.mail.as_deref() == Some("a@support.example"));
    assert!(store.read(|db| crate::people::password_of(db, &actor.name)).unwrap().is_none(), "no password signs in");

    // Another name at the provider is the same person; another role counts at once, for what is signed in already too.
    let manager = Identity { username: "renamed".into(), ..identity("u-1", "", Some((Role::DutyManager, None))) };
    assert_eq!(word(store.write(|tx| admit(tx, &manager))), "in");
    assert_eq!(store.read(|db| crate::people::by_token(db, &token)).unwrap().unwrap().role, Role::DutyManager);

    // No group any more: out with all tokens, and in again with one.
    assert_eq!(word(store.write(|tx| admit(tx, &identity("u-1", "x", None)))), "no_role");
    assert!(store.read(|db| crate::people::by_token(db, &token)).unwrap().is_none());
    assert!(store.read(|db| crate::people::find(db, &Scope::All, &actor.name)).unwrap().is_some(), "never deleted");
    assert_eq!(word(store.write(|tx| admit(tx, &engineer))), "in");

    let admin = Actor { id: lineman_common::id::PersonId::new(), name: "admin-z".parse().unwrap(), role: Role::Admin, customer: None };
    store.write(|tx| crate::people::disable(tx, &admin, &actor.name, &"left".into())).unwrap();
    assert_eq!(word(store.write(|tx| admit(tx, &engineer))), "disabled");
}

#[test]
fn nobody_becomes_somebody_else() {
    let mut store = TestStore::new();
    let local = |name: &str, role| NewPerson { name: name.parse().unwrap(), role, customer: None, password: None };
    store.write(|tx| crate::people::add(tx, "init", local("engineer-a", Role::Engineer), Some("hash".into()))).unwrap();
    store.write(|tx| crate::people::add(tx, "init", local("admin", Role::Admin), Some("hash".into()))).unwrap();
    let of = |subject: &str, name: &str| identity(subject, name, Some((Role::Engineer, None)));
    assert_eq!(word(store.write(|tx| admit(tx, &of("u-1", "engineer-a")))), "name_taken");
    // Where the configuration says that names are the same people's: the very name, once, and no administrator's.
    let adopting = |subject: &str, name: &str| Identity { adopt: true, ..of(subject, name) };
    for (subject, name, expected) in [
        ("u-1", "engineer.a", "name_taken"),
        ("u-1", "engineer-a@evil.example", "name_taken"),
        ("u-2", "admin", "name_taken"),
        ("u-1", "engineer-a", "in"),
        ("u-3", "engineer-a", "name_taken"),
        ("u-1", "engineer-a", "in"),
        ("u-4", "值班员", "bad_name"),
        ("u-4", "", "bad_name"),
        ("u-4", "noc-x", "in"),
    ] {
        assert_eq!(word(store.write(|tx| admit(tx, &adopting(subject, name)))), expected, "{subject} {name}");
    }
    let carrier = identity("u-4", "noc-x", Some((Role::Noc, Some("JW"))));
    assert_eq!(word(store.write(|tx| admit(tx, &carrier))), "other_customer");
    let of_none = identity("u-5", "noc-y", Some((Role::Noc, Some("JW"))));
    assert_eq!(word(store.write(|tx| admit(tx, &of_none))), "no_customer");
}

fn admin() -> Actor {
    Actor { id: lineman_common::id::PersonId::new(), name: "admin-z".parse().unwrap(), role: Role::Admin, customer: None }
}

fn told(store: &TestStore, kind: &str) -> Vec<String> {
    let all = store.read(|db| crate::events::after(db, &Scope::All, 0, 1000)).unwrap();
    all.into_iter().filter(|event| event.kind == kind).map(|event| event.text.raw().to_owned()).collect()
}

#[test]
fn whom_the_provider_refuses_signs_in_in_no_other_way() {
    let mut store = TestStore::new();
    let name: PersonName = "engineer-a".parse().unwrap();
    let local = NewPerson { name: name.clone(), role: Role::Engineer, customer: None, password: None };
    store.write(|tx| crate::people::add(tx, "init", local, Some("hash".into()))).unwrap();
    let with_password = |store: &mut TestStore| store.write(|tx| crate::people::sign_in(tx, &name, None));
    let link = |store: &mut TestStore| {
        let new = lineman_common::api::NewSignInLink { minutes: None, reusable: false };
        store.write(|tx| crate::people::links::make(tx, &admin(), &name, &new, "https://here", false))
    };
    let adopted = Identity { adopt: true, ..identity("u-1", "engineer-a", Some((Role::Engineer, None))) };
    assert_eq!(word(store.write(|tx| admit(tx, &adopted))), "in");
    assert!(with_password(&mut store).is_ok(), "beside the provider");

    let before = link(&mut store).unwrap().code;
    assert_eq!(word(store.write(|tx| admit(tx, &identity("u-1", "engineer-a", None)))), "no_role");
    assert!(matches!(store.write(|tx| crate::people::links::take(tx, &before, None)), Err(Error::WrongLink)));
    assert!(matches!(link(&mut store), Err(Error::RefusedByProvider(_))));
    assert!(matches!(with_password(&mut store), Err(Error::RefusedByProvider(_))));
    let token = lineman_common::api::NewApiToken { label: "laptop".into(), days: 1 };
    assert!(matches!(store.write(|tx| crate::people::issue_token(tx, "admin-z", &name, &token)), Err(Error::RefusedByProvider(_))));

    // The provider takes them back; or an admin does.
    assert_eq!(word(store.write(|tx| admit(tx, &adopted))), "in");
    assert!(with_password(&mut store).is_ok());
    assert_eq!(word(store.write(|tx| admit(tx, &identity("u-1", "engineer-a", None)))), "no_role");
    store.write(|tx| crate::people::set_password(tx, &admin(), &name, "another hash", None)).unwrap();
    assert!(with_password(&mut store).is_ok());
}

#[test]
fn an_account_that_the_provider_has_never_named_it_can_not_lock_out() {
    let mut store = TestStore::new();
    let name: PersonName = "admin".parse().unwrap();
    let local = NewPerson { name: name.clone(), role: Role::Admin, customer: None, password: None };
    store.write(|tx| crate::people::add(tx, "init", local, Some("hash".into()))).unwrap();
    for role in [None, Some((Role::Engineer, None)), Some((Role::Noc, Some("JW")))] {
        let same_name = Identity { adopt: true, ..identity("u-1", "admin", role) };
        assert_ne!(word(store.write(|tx| admit(tx, &same_name))), "in");
    }
    assert!(store.write(|tx| crate::people::sign_in(tx, &name, None)).is_ok());
    // An admin of the provider's who is refused is none who can sign in: the set-up is due then.
    let theirs = identity("u-2", "admin-b", Some((Role::Admin, None)));
    assert_eq!(word(store.write(|tx| admit(tx, &theirs))), "in");
    store.write(|tx| crate::people::set_password(tx, &admin(), &"admin-b".parse().unwrap(), "hash", None)).unwrap();
    store.write(|tx| crate::people::disable(tx, &admin(), &name, &"left".into())).unwrap();
    assert!(store.read(|db| sql::has_admin_who_signs_in(db, true)).unwrap());
    assert_eq!(word(store.write(|tx| admit(tx, &identity("u-2", "admin-b", None)))), "no_role");
    assert!(!store.read(|db| sql::has_admin_who_signs_in(db, true)).unwrap());
}

#[test]
fn a_group_of_another_customer_ends_what_was_signed_in() {
    let mut store = TestStore::new();
    let token = store.write(|tx| admit(tx, &identity("u-1", "engineer-a", Some((Role::Engineer, None))))).unwrap().unwrap().token;
    assert_eq!(word(store.write(|tx| admit(tx, &identity("u-1", "engineer-a", Some((Role::Noc, Some("JW"))))))), "other_customer");
    assert!(store.read(|db| crate::people::by_token(db, &token)).unwrap().is_none());
    assert_eq!(told(&store, "person.identity_refused").len(), 1);
    // Of somebody who only has the same name nothing ends.
    let name: PersonName = "engineer-b".parse().unwrap();
    let local = NewPerson { name: name.clone(), role: Role::Engineer, customer: None, password: None };
    store.write(|tx| crate::people::add(tx, "init", local, Some("hash".into()))).unwrap();
    let token = store.write(|tx| crate::people::sign_in(tx, &name, None)).unwrap().token;
    let stranger = Identity { adopt: true, ..identity("u-2", "engineer-b", Some((Role::Noc, Some("JW")))) };
    assert_eq!(word(store.write(|tx| admit(tx, &stranger))), "other_customer");
    assert!(store.read(|db| crate::people::by_token(db, &token)).unwrap().is_some());
}

#[test]
fn what_the_provider_tells_of_somebody_is_in_the_log_and_takes_no_address_away() {
    let mut store = TestStore::new();
    let name: PersonName = "engineer-a".parse().unwrap();
    let engineer = identity("u-1", "engineer-a", Some((Role::Engineer, None)));
    for _ in 0..2 {
        assert_eq!(word(store.write(|tx| admit(tx, &engineer))), "in");
    }
    let linked = "engineer-a signs in with Example SSO from now on, as engineer-a";
    assert_eq!(told(&store, "person.changed"), [linked, "engineer-a: the e-mail address that Example SSO tells"]);
    let chosen = lineman_common::api::Profile { skills: Vec::new(), level: None, mail: Some("own@support.example".into()) };
    store.write(|tx| crate::people::set_profile(tx, &admin(), &name, chosen)).unwrap();
    assert_eq!(word(store.write(|tx| admit(tx, &engineer))), "in");
    let person = store.read(|db| crate::people::find(db, &Scope::All, &name)).unwrap().unwrap();
    assert_eq!(person.mail.as_deref(), Some("own@support.example"));
}

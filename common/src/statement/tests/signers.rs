//! How a carrier's signer list is replaced.

use super::*;
use crate::statement::CarrierSigners;

/// A person with a key.
struct Signer {
    name: &'static str,
    key: PrivateKey,
}

fn signer(name: &'static str) -> Signer {
    Signer { name, key: key() }
}

const SIGNERS: &str = "signers@lineman";

/// A list number `counter` in which these may sign for these purposes.
fn list(counter: u64, expiry: &str, lines: &[(&Signer, &str)]) -> String {
    let head = format!("# lineman-list: signers JW\n# counter: {counter}\n# issued: 2026-11-01T00:00:00Z\n# expiry: {expiry}\n");
    let lines = lines.iter().map(|(signer, namespaces)| format!("{} namespaces=\"{namespaces}\" {}\n", signer.name, line(&signer.key)));
    head + &lines.collect::<String>()
}

const LATER: &str = "2027-11-01T00:00:00Z";

fn current(lines: &[(&Signer, &str)]) -> CarrierSigners {
    parse(&list(5, LATER, lines))
}

fn parse(text: &str) -> CarrierSigners {
    CarrierSigners::parse(text, &"JW".parse().unwrap()).unwrap()
}

fn sign(signer: &Signer, text: &str) -> Signed {
    Signed::sign(&signer.key, Namespace::Signers, text.into()).unwrap()
}

fn replace(current: &CarrierSigners, signed: &[Signed], needed: u8) -> Result<u64, String> {
    let next = current.replaced_by(signed, &"JW".parse().unwrap(), needed, at(NOW));
    next.map(|next| next.counter()).map_err(|error| error.to_string())
}

#[test]
fn one_signature_replaces_the_list_where_one_is_enough() {
    let (one, other) = (signer("chief"), signer("deputy"));
    let current = current(&[(&one, SIGNERS), (&other, "consent@lineman")]);
    let next = list(6, LATER, &[(&other, SIGNERS)]);
    assert_eq!(replace(&current, &[sign(&one, &next)], 1), Ok(6));
    assert!(
        replace(&current, &[sign(&other, &next)], 1).unwrap_err().contains("not listed for `any` and `signers@lineman`"),
        "deputy signs consents"
    );
    assert!(replace(&current, &[sign(&signer("stranger"), &next)], 1).unwrap_err().contains("not listed"));
    assert!(replace(&current, &[], 1).unwrap_err().contains("nobody signed it"));
    let elsewhere = Signed::sign(&one.key, Namespace::Consent, next.clone()).unwrap();
    assert!(replace(&current, &[elsewhere], 1).unwrap_err().contains("signed for `consent@lineman`"));
    let changed = Signed { text: list(7, LATER, &[(&other, SIGNERS)]), ..sign(&one, &next) };
    assert!(replace(&current, &[changed], 1).unwrap_err().contains("does not match its text"));
}

#[test]
fn where_two_must_sign_they_are_two_people_with_two_keys() {
    let (one, other) = (signer("chief"), signer("deputy"));
    let spare = Signer { name: "chief", key: key() };
    let alias = Signer { name: "nobody", key: one.key.clone() };
    let current = current(&[(&one, SIGNERS), (&spare, SIGNERS), (&alias, SIGNERS), (&other, SIGNERS)]);
    let next = list(6, LATER, &[(&one, SIGNERS), (&other, SIGNERS)]);
    assert_eq!(replace(&current, &[sign(&one, &next), sign(&other, &next)], 2), Ok(6));
    assert_eq!(replace(&current, &[sign(&other, &next), sign(&spare, &next)], 2), Ok(6));
    let too_few = "1 of 2 people signed it";
    assert!(replace(&current, &[sign(&one, &next)], 2).unwrap_err().contains(too_few));
    assert!(replace(&current, &[sign(&one, &next), sign(&one, &next)], 2).unwrap_err().contains(too_few), "one signature twice");
    assert!(replace(&current, &[sign(&one, &next), sign(&spare, &next)], 2).unwrap_err().contains(too_few), "one person, two keys");
    assert!(replace(&current, &[sign(&alias, &next), sign(&one, &next)], 2).unwrap_err().contains(too_few), "one key, two names");
    let stranger = sign(&signer("stranger"), &next);
    assert!(replace(&current, &[sign(&one, &next), stranger.clone()], 2).unwrap_err().contains("not listed"));
    assert!(
        replace(&current, &[sign(&one, &next), sign(&other, &next), stranger], 2).is_err(),
        "a third that doesn't count is no harmless one"
    );
    let otherwise = list(6, LATER, &[(&other, SIGNERS), (&one, SIGNERS)]);
    assert!(replace(&current, &[sign(&one, &next), sign(&other, &otherwise)], 2).unwrap_err().contains("over different texts"));
}

#[test]
fn a_list_goes_forward_only_and_stays_the_carriers_own() {
    let one = signer("chief");
    let current = current(&[(&one, SIGNERS)]);
    for (text, said) in [
        (list(5, LATER, &[(&one, SIGNERS)]), "number 5 is older than number 5"),
        (list(4, LATER, &[(&one, SIGNERS)]), "number 4 is older than number 5"),
        (list(6, NOW, &[(&one, SIGNERS)]), "the signer list expired at 2026-11-22T08:00:00Z"),
        (list(6, LATER, &[(&one, "consent@lineman")]), "0 people in it may sign for `signers@lineman`"),
        (list(6, LATER, &[(&one, SIGNERS)]).replace("signers JW", "signers XX"), "it is for `signers XX`, not for `signers JW`"),
        (list(6, LATER, &[(&one, SIGNERS)]).replace("signers JW", "roster"), "it is for `roster`"),
        (list(6, LATER, &[(&one, SIGNERS)]).replacen("# lineman-list: signers JW\n", "", 1), "its first line must be"),
        (list(6, LATER, &[(&one, SIGNERS)]) + "broken\n", "line 6: expected `principal options key`"),
        (list(6, LATER, &[(&one, "signers@lineman\",valid-before=\"20261101Z")]), "0 people in it may sign"),
        (list(6, LATER, &[(&one, SIGNERS)]).replace("chief namespaces=", "chief cert-authority,namespaces="), "0 people in it may sign"),
    ] {
        let error = replace(&current, &[sign(&one, &text)], 1).unwrap_err();
        assert!(error.contains(said), "{error}\nshould say\n{said}");
    }
}

/// A device that wants two must not be left with a list that only one can change.
#[test]
fn the_next_list_can_be_replaced_in_its_turn() {
    let (one, other) = (signer("chief"), signer("deputy"));
    let current = current(&[(&one, SIGNERS), (&other, SIGNERS)]);
    let alone = list(6, LATER, &[(&one, SIGNERS), (&other, "consent@lineman")]);
    let both = |text: &str| [sign(&one, text), sign(&other, text)];
    let error = replace(&current, &both(&alone), 2).unwrap_err();
    assert!(error.contains("1 people in it may sign for `signers@lineman`, and 2 must"), "{error}");
    assert_eq!(replace(&current, &both(&alone), 1), Ok(6));
    let twins = list(6, LATER, &[(&one, SIGNERS), (&Signer { name: "deputy", key: one.key.clone() }, SIGNERS)]);
    assert!(replace(&current, &both(&twins), 2).unwrap_err().contains("1 people in it"));
}

#[test]
fn an_expired_list_authorises_its_own_replacement_and_nothing_else() {
    let one = signer("chief");
    let expired = parse(&list(5, "2026-11-21T00:00:00Z", &[(&one, "signers@lineman,consent@lineman")]));
    let consent = Signed::sign(&one.key, Namespace::Consent, "c\n".into()).unwrap();
    let refused = expired.list().verify("consent", &consent, "chief", Namespace::Consent, at(NOW)).unwrap_err().to_string();
    assert!(refused.contains("the signer list expired"), "{refused}");
    let next = list(6, LATER, &[(&one, SIGNERS)]);
    assert_eq!(replace(&expired, &[sign(&one, &next)], 1), Ok(6));
    // A signer whose own time is over can't do that either.
    let over = parse(&list(5, "2026-11-21T00:00:00Z", &[(&one, "signers@lineman\",valid-before=\"20261121Z")]));
    assert!(replace(&over, &[sign(&one, &next)], 1).is_err());
}

#[test]
fn one_person_under_several_names_is_one_person() {
    let (alice, noc, bob) = (signer("alice,noc"), signer("alice,noc"), signer("bob"));
    let current = current(&[(&alice, SIGNERS), (&noc, SIGNERS), (&bob, SIGNERS)]);
    let next = list(6, LATER, &[(&alice, SIGNERS), (&bob, SIGNERS)]);
    let refused = replace(&current, &[sign(&alice, &next), sign(&noc, &next)], 2).unwrap_err();
    assert!(refused.contains("1 of 2 people signed it"), "{refused}");
    assert_eq!(replace(&current, &[sign(&alice, &next), sign(&noc, &next), sign(&bob, &next)], 2), Ok(6));
    // Two keys and two names, and still nobody could ever replace it.
    let stuck = list(6, LATER, &[(&alice, SIGNERS), (&noc, SIGNERS)]);
    let refused = replace(&current, &[sign(&alice, &stuck), sign(&bob, &stuck)], 2).unwrap_err();
    assert!(refused.contains("1 people in it may sign"), "{refused}");
    // A name for another purpose is a name all the same.
    let elsewhere = Signer { name: "bob", key: alice.key.clone() };
    let shared = super::signers::current(&[(&alice, SIGNERS), (&elsewhere, "consent@lineman"), (&bob, SIGNERS)]);
    assert!(replace(&shared, &[sign(&alice, &next), sign(&bob, &next)], 2).unwrap_err().contains("1 of 2"));
}

#[test]
fn two_are_found_wherever_two_are() {
    let (both, left, right) = (signer("left,right"), signer("left"), signer("right"));
    let current = current(&[(&both, SIGNERS), (&left, SIGNERS), (&right, SIGNERS)]);
    let next = list(6, LATER, &[(&both, SIGNERS), (&left, SIGNERS), (&right, SIGNERS)]);
    assert_eq!(replace(&current, &[sign(&both, &next), sign(&left, &next), sign(&right, &next)], 2), Ok(6));
}

//! Who enters under which grade: keys at the wrong door.

use super::*;

const ALL: [Grade; 3] = [Grade::EndToEnd, Grade::Role, Grade::Gateway];

#[test]
fn the_gateway_enters_for_the_consent_that_it_names_and_the_engineers_key_does_not() {
    let world = World::taking(&ALL);
    let consents = world.ready();
    let request = world.live(&consents, Grade::Gateway);
    let (gateway, engineer) = (fingerprint(&world.gateway), fingerprint(&world.engineer));
    let live = consents.entry_for(&gateway, Some(request.id)).unwrap();
    assert_eq!((live.id, live.grade, live.engineer.as_str()), (request.id, Grade::Gateway, "engineer-a"));
    assert!(consents.entry(&gateway).is_none(), "which engineer it comes for must be said");
    assert!(consents.entry_for(&gateway, Some(ConsentId::new())).is_none());
    assert!(consents.entry(&engineer).is_none() && consents.entry_for(&engineer, Some(request.id)).is_none());
    says(&consents.why_not(&engineer), "is of grade gateway: the centre's gateway may enter for it");
    says(&consents.why_not_for(&engineer, Some(request.id)), "lets only a gateway of the roster in");
    says(&consents.why_not_for(&gateway, Some(ConsentId::new())), "is not live on ne-1.jw.ne");
    consents.end(request.id, EndReason::Revoked).unwrap();
    assert!(consents.entry_for(&gateway, Some(request.id)).is_none());
    says(&consents.why_not_for(&gateway, Some(request.id)), "(revoked) and can't be used again");
}

#[test]
fn a_gateways_key_enters_no_end_to_end_consent_and_no_standing_one() {
    let world = World::taking(&ALL);
    let consents = world.ready();
    let gateway = fingerprint(&world.gateway);
    let end_to_end = world.live(&consents, Grade::EndToEnd);
    let role = world.request_of(&consents, Grade::Role);
    consents.admit(&world.signed(&role), &[world.standing(|_| {})]).unwrap();
    for id in [end_to_end.id, role.id] {
        assert!(consents.entry_for(&gateway, Some(id)).is_none() && consents.entry(&gateway).is_none());
        says(&consents.why_not_for(&gateway, Some(id)), "does not let the key");
        assert_eq!(consents.entry_for(&fingerprint(&world.engineer), Some(id)).unwrap().id, id, "the engineer's own key does");
    }
}

#[test]
fn a_gateway_that_the_roster_does_not_list_or_no_more_enters_nothing() {
    let world = World::taking(&ALL);
    let consents = world.ready();
    let request = world.live(&consents, Grade::Gateway);
    let false_gateway = fingerprint(&key());
    assert!(consents.entry_for(&false_gateway, Some(request.id)).is_none());
    says(&consents.why_not_for(&false_gateway, Some(request.id)), "lets only a gateway of the roster in");
    let gateway = fingerprint(&world.gateway);
    let engineer = line("engineer-a,level-2", "request@lineman", &world.engineer);
    // Its own line has ended.
    let over = format!("gateway-1 namespaces=\"gateway@lineman\",valid-before=\"20261121Z\" {}\n", public(&world.gateway));
    consents.take_roster(&world.roster_with(4, ROSTER_END, &(engineer.clone() + &over))).unwrap();
    assert!(consents.entry_for(&gateway, Some(request.id)).is_none());
    says(&consents.why_not_for(&gateway, Some(request.id)), "its valid-before has passed");
    // Replaced by another.
    consents.take_roster(&world.roster_with(5, ROSTER_END, &(engineer + &line("gateway-2", "gateway@lineman", &key())))).unwrap();
    assert!(consents.entry_for(&gateway, Some(request.id)).is_none());
    // The whole roster has expired.
    consents.take_roster(&world.roster(6, ROSTER_END)).unwrap();
    assert!(consents.entry_for(&gateway, Some(request.id)).is_some());
    world.clock.set_wall(40 * 86_400);
    assert!(consents.entry_for(&gateway, Some(request.id)).is_none());
    says(&consents.why_not_for(&gateway, Some(request.id)), "the roster expired");
}

#[test]
fn a_gateway_consent_ends_with_its_engineers_line_in_the_roster() {
    let world = World::taking(&ALL);
    let consents = world.ready();
    let request = world.live(&consents, Grade::Gateway);
    consents.take_roster(&world.roster_of(4, ROSTER_END, &key())).unwrap();
    assert_eq!(consents.unfounded(), [request.id]);
    assert!(consents.entry_for(&fingerprint(&world.gateway), Some(request.id)).is_none());
}

#[test]
fn a_grade_is_taken_only_where_the_owner_says_so_and_what_was_live_ends_when_they_say_so_no_more() {
    let strict = World::new();
    let consents = strict.ready();
    for (grade, paper) in [(Grade::Gateway, None), (Grade::Role, Some(strict.standing(|_| {})))] {
        let request = strict.request_of(&consents, grade);
        let (signed, consent) = strict.sign(&request, |_| {});
        let papers = [paper.unwrap_or(consent[0].clone())];
        says(&why(consents.admit(&signed, &papers)), "its local policy takes end-to-end");
        says(&why(consents.take_request(&signed)), "its local policy takes end-to-end");
    }
    let world = World::taking(&ALL);
    let request = world.live(&world.ready(), Grade::Gateway);
    let stricter = World { policy: Policy { grades: vec![Grade::EndToEnd], ..world.policy.clone() }, ..world };
    assert_eq!(stricter.open().unfounded(), [request.id]);
    assert!(stricter.open().entry_for(&fingerprint(&stricter.gateway), Some(request.id)).is_none());
}

#[test]
fn papers_of_one_grade_are_none_of_another() {
    let world = World::taking(&ALL);
    let consents = world.ready();
    let end_to_end = world.request_of(&consents, Grade::EndToEnd);
    let role = world.request_of(&consents, Grade::Role);
    assert!(why(consents.admit(&world.signed(&end_to_end), &[world.standing(|_| {})])).contains("the consent can't be read"));
    let (signed, consent) = world.sign(&role, |_| {});
    says(&why(consents.admit(&signed, &consent)), "the standing statement can't be read");
    // The right words, signed for the other purpose.
    let text = world.standing(|_| {}).text;
    let forged = Signed::sign(&world.approver, Namespace::Consent, text).unwrap();
    says(&why(consents.admit(&signed, &[forged])), "is signed for `consent@lineman`, not for `standing@lineman`");
    for (request, none) in [(&end_to_end, []), (&role, [])] {
        says(&why(consents.admit(&world.signed(request), &none)), "0 of 1 approvals");
    }
    assert!(!consents.any_live());
}

#[test]
fn an_engineer_can_not_hide_behind_their_level() {
    let world = World::taking(&ALL);
    let consents = world.ready();
    let request = world.request(&consents, |request| request.engineer = "level-2".parse().unwrap());
    let (signed, consent) = world.sign(&request, |_| {});
    says(&why(consents.take_request(&signed)), "`level-2` is a level of the roster, not a person");
    says(&why(consents.admit(&signed, &consent)), "signed by one engineer");
}

#[test]
fn a_recording_is_bound_to_what_let_the_engineer_in() {
    let world = World::taking(&ALL);
    let consents = world.ready();
    let request = world.request_of(&consents, Grade::Role);
    let paper = world.standing(|_| {});
    consents.admit(&world.signed(&request), std::slice::from_ref(&paper)).unwrap();
    let live = consents.entry(&fingerprint(&world.engineer)).unwrap();
    assert_eq!((live.grade, live.papers_sha256()), (Grade::Role, vec![sha256_hex(&paper.text)]));
}

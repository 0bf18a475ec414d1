//! Dual approval: two people, two keys.

use super::*;

fn world(grades: &[Grade]) -> World {
    let world = World::taking(grades);
    World { policy: Policy { approvals: 2, ..world.policy.clone() }, ..world }
}

#[test]
fn two_people_with_two_keys_open_what_both_allow_for_as_long_as_both_allow() {
    let world = world(&[Grade::EndToEnd]);
    let consents = world.ready();
    let request = world.request(&consents, |request| request.doors = "shell,exec,sftp-read".parse().unwrap());
    let first = consent_by("approver-jw", &world.approver, &request, |c| (c.doors, c.duration_s) = ("shell,exec".parse().unwrap(), 3600));
    let other =
        consent_by("approver-two", &world.second, &request, |c| (c.doors, c.duration_s) = ("exec,sftp-read".parse().unwrap(), 1800));
    let signed = world.signed(&request);
    says(&why(consents.admit(&signed, std::slice::from_ref(&first))), "1 of 2 approvals: ne-1.jw.ne wants as many different people");
    assert!(!world.enters(&consents));
    consents.admit(&signed, &[first.clone(), other.clone()]).unwrap();
    let live = consents.entry(&fingerprint(&world.engineer)).unwrap();
    assert_eq!((live.doors.to_string().as_str(), live.duration_s), ("exec", 1800));
    assert_eq!(live.approvers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["approver-jw", "approver-two"]);
    assert_eq!(live.papers_sha256(), [sha256_hex(&first.text), sha256_hex(&other.text)]);
    consents.admit(&signed, &[first.clone(), other]).unwrap();
    says(&why(consents.admit(&signed, &[first])), "is live already, with other terms");
}

#[test]
fn one_person_with_two_keys_is_one_person() {
    let world = world(&[Grade::EndToEnd]);
    let spare = key();
    std::fs::write(world.dir.path().join(SIGNERS), world.signers(1, &line("approver-jw", "consent@lineman", &spare))).unwrap();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let papers = [("approver-jw", &world.approver), ("approver-jw", &spare)];
    let papers = papers.map(|(name, key)| consent_by(name, key, &request, |_| {}));
    says(&why(consents.admit(&world.signed(&request), &papers)), "1 of 2 approvals");
}

#[test]
fn two_people_with_one_key_are_one_person() {
    let world = world(&[Grade::EndToEnd]);
    std::fs::write(world.dir.path().join(SIGNERS), world.signers(1, &line("approver-x", "consent@lineman", &world.approver))).unwrap();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let papers = ["approver-jw", "approver-x"].map(|name| consent_by(name, &world.approver, &request, |_| {}));
    says(&why(consents.admit(&world.signed(&request), &papers)), "1 of 2 approvals");
    let twice = [papers[0].clone(), papers[0].clone()];
    says(&why(consents.admit(&world.signed(&request), &twice)), "1 of 2 approvals");
}

#[test]
fn a_second_paper_that_does_not_hold_spoils_the_first() {
    let world = world(&[Grade::EndToEnd]);
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let good = consent_by("approver-jw", &world.approver, &request, |_| {});
    let signed = world.signed(&request);
    let strange = consent_by("approver-two", &key(), &request, |_| {});
    says(&why(consents.admit(&signed, &[good.clone(), strange])), "not listed for `approver-two`");
    let apart = consent_by("approver-two", &world.second, &request, |c| c.doors = "exec".parse().unwrap());
    let shell = consent_by("approver-jw", &world.approver, &request, |c| c.doors = "shell".parse().unwrap());
    says(&why(consents.admit(&signed, &[shell, apart])), "no door in common");
    let many = vec![good; 9];
    says(&why(consents.admit(&signed, &many)), "9 approvals came at once");
    assert!(!consents.any_live());
}

#[test]
fn a_standing_statement_needs_two_as_well() {
    let world = world(&[Grade::Role]);
    let consents = world.ready();
    let request = world.request_of(&consents, Grade::Role);
    let signed = world.signed(&request);
    let id = ConsentId::new();
    let first = standing_by("approver-jw", &world.approver, id, |_| {});
    says(&why(consents.admit(&signed, std::slice::from_ref(&first))), "1 of 2 approvals");
    let elsewhere = standing_by("approver-two", &world.second, ConsentId::new(), |_| {});
    says(&why(consents.admit(&signed, &[first.clone(), elsewhere])), "must carry one id");
    let second = standing_by("approver-two", &world.second, id, |s| s.duration_s = 7200);
    consents.admit(&signed, &[first, second.clone()]).unwrap();
    // Ended by either of the two.
    assert_eq!(consents.end_standing(&second, EndReason::Revoked).unwrap().resting, [request.id]);
}

#[test]
fn what_one_approved_ends_when_the_owner_begins_to_want_two() {
    let single = World::new();
    let request = single.live(&single.ready(), Grade::EndToEnd);
    let stricter = World { policy: Policy { approvals: 2, ..single.policy.clone() }, ..single };
    assert_eq!(stricter.open().unfounded(), [request.id]);
}

#[test]
fn one_person_with_several_names_and_keys_is_one_person() {
    for grade in [Grade::EndToEnd, Grade::Role] {
        let world = world(&[grade]);
        let (one, spare, other) = (key(), key(), key());
        let purposes = "consent@lineman,standing@lineman";
        let lines = [("alice,noc", &one), ("alice,noc", &spare), ("bob", &other)].map(|(names, key)| line(names, purposes, key)).concat();
        std::fs::write(world.dir.path().join(SIGNERS), world.signers(1, &lines)).unwrap();
        let consents = world.ready();
        let request = world.request_of(&consents, grade);
        let id = ConsentId::new();
        let paper = |name: &str, key: &PrivateKey| match grade {
            Grade::EndToEnd | Grade::Gateway => consent_by(name, key, &request, |_| {}),
            Grade::Role => standing_by(name, key, id, |_| {}),
        };
        let (alice, noc, bob) = (paper("alice", &one), paper("noc", &spare), paper("bob", &other));
        says(&why(consents.admit(&world.signed(&request), &[alice.clone(), noc.clone()])), "1 of 2 approvals");
        consents.admit(&world.signed(&request), &[alice, noc, bob]).unwrap();
        let approvers = consents.list()[0].0.approvers.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(approvers, ["alice", "bob"]);
    }
}

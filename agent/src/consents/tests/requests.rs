//! Requests that wait, and approval on the device.

use super::*;
use crate::consents::requests::MAX_REQUESTS;

fn word(world: &World) -> Signed {
    Signed::sign(&world.host, Namespace::Local, "said by the device\n".into()).unwrap()
}

#[test]
fn a_sound_request_waits_also_over_a_restart_and_lets_nobody_in() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let signed = world.signed(&request);
    assert_eq!(consents.take_request(&signed).unwrap().engineer.as_str(), "engineer-a");
    consents.take_request(&signed).unwrap();
    for consents in [&consents, &world.open()] {
        let waiting = consents.waiting();
        assert_eq!(waiting.len(), 1);
        assert_eq!((waiting[0].0.id, &waiting[0].0.request), (request.id, &signed));
        assert!(waiting[0].1.is_ok() && !consents.any_live() && !world.enters(consents) && consents.knows(request.id));
    }
    let (signed, paper) = world.sign(&request, |_| {});
    consents.admit(&signed, &paper).unwrap();
    assert!(consents.waiting().is_empty() && world.open().waiting().is_empty(), "its challenge is used");
}

#[test]
fn a_request_that_could_never_be_approved_is_refused_at_once() {
    let world = World::new();
    let other = fingerprint(&key());
    let refused = |change: &dyn Fn(&mut Request)| {
        let consents = world.ready();
        let error = why(consents.take_request(&world.signed(&world.request(&consents, change))));
        assert!(consents.waiting().is_empty());
        error
    };
    says(&refused(&|r| r.device = "ne-2.jw.ne".parse().unwrap()), "this is ne-1.jw.ne");
    says(&refused(&|r| r.host_key = other.clone()), "the request names the host key");
    says(&refused(&|r| r.challenge = "none".into()), "was not issued by ne-1.jw.ne");
    says(&refused(&|r| r.account = "root".into()), "no account profile `root`");
    says(&refused(&|r| r.duration_s = 14_401), "at most 14400 seconds; this one lasts 14401");
    says(&refused(&|r| r.grade = Grade::Gateway), "does not take consents of grade gateway");
    says(&refused(&|r| r.engineer = "engineer-b".parse().unwrap()), "not listed for `engineer-b`");
    let consents = world.ready();
    let stolen = Signed::sign(&key(), Namespace::Request, world.request(&consents, |_| {}).write().unwrap()).unwrap();
    says(&why(consents.take_request(&stolen)), "not listed for `engineer-a`");
}

#[test]
fn requests_that_wait_are_bounded_and_the_oldest_goes() {
    let world = World::new();
    let consents = world.ready();
    let ids: Vec<_> = (0..=MAX_REQUESTS)
        .map(|_| {
            let request = world.request(&consents, |_| {});
            consents.take_request(&world.signed(&request)).unwrap();
            request.id
        })
        .collect();
    let waiting: Vec<_> = world.open().waiting().into_iter().map(|(waiting, _)| waiting.id).collect();
    assert_eq!(waiting, ids[1..]);
}

#[test]
fn the_administrator_approves_what_the_engineer_signed_or_less() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let signed = world.signed(&request);
    consents.take_request(&signed).unwrap();
    let wider: Doors = "shell,sftp-write".parse().unwrap();
    says(&why(consents.local_terms(request.id, Some(&wider), None)), "an approval may only narrow: the request is for shell,exec");
    says(&why(consents.local_terms(request.id, None, Some(7201))), "the request is for 7200 s, not for 7201");
    says(&why(consents.local_terms(request.id, None, Some(0))), "may only narrow");
    says(&why(consents.local_terms(ConsentId::new(), None, None)), "no request");
    let terms = consents.local_terms(request.id, Some(&"exec".parse().unwrap()), Some(600)).unwrap();
    assert_eq!(terms.request_sha256, sha256_hex(&signed.text));
    let statement = word(&world);
    let mut told = None;
    let until = consents
        .admit_local(&terms, statement.clone(), |live, until| {
            told = Some((live.id, until));
            Ok(())
        })
        .unwrap();
    assert_eq!(told, Some((request.id, until)));
    for consents in [&consents, &world.open()] {
        let live = consents.entry(&fingerprint(&world.engineer)).unwrap();
        assert_eq!((live.doors.to_string().as_str(), live.duration_s, live.approvers.len()), ("exec", 600, 0));
        assert_eq!(live.papers_sha256(), [sha256_hex(&statement.text)], "the recording names the device's own word");
        assert!(consents.unfounded().is_empty());
    }
    says(&why(consents.local_terms(request.id, None, None)), "is live already");
    consents.end(request.id, EndReason::Revoked).unwrap();
    says(&why(consents.local_terms(request.id, None, None)), "can't be used again");
    says(&why(consents.admit_local(&terms, word(&world), |_, _| Ok(()))), "can't be used again");
}

#[test]
fn what_can_not_be_witnessed_lets_nobody_in() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, paper) = world.sign(&request, |_| {});
    consents.take_request(&signed).unwrap();
    let terms = consents.local_terms(request.id, None, None).unwrap();
    let full = |_: &Live, _: Timestamp| Err(io::Error::from(io::ErrorKind::StorageFull));
    says(&why(consents.admit_local(&terms, word(&world), full)), "can't write down the consent");
    says(&why(consents.admit_with(&signed, &paper, full)), "can't write down the consent");
    assert!(!consents.any_live() && !world.open().any_live());
    consents.admit(&signed, &paper).unwrap();
}

#[test]
fn local_approval_is_bound_by_roster_policy_and_challenge_as_any_other() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    consents.take_request(&world.signed(&request)).unwrap();
    let terms = consents.local_terms(request.id, None, None).unwrap();
    // The engineer has left the roster, between showing and doing.
    consents.take_roster(&world.roster_of(4, ROSTER_END, &key())).unwrap();
    says(&why(consents.local_terms(request.id, None, None)), "not listed for `engineer-a`");
    says(&why(consents.admit_local(&terms, word(&world), |_, _| Ok(()))), "not listed for `engineer-a`");
    says(&consents.waiting()[0].1.as_ref().unwrap_err().to_string(), "not listed for `engineer-a`");
    consents.take_roster(&world.roster(5, ROSTER_END)).unwrap();
    // A shorter cap, since the request came.
    let world = World { policy: Policy { max_duration_s: 3600, ..world.policy.clone() }, ..world };
    let consents = world.open();
    says(&why(consents.local_terms(request.id, None, None)), "at most 3600 seconds; this one lasts 7200");
    let terms = consents.local_terms(request.id, None, Some(3600)).unwrap();
    world.clock.pass(14_401.0);
    says(&why(consents.local_terms(request.id, None, Some(3600))), "no request");
    says(&why(consents.admit_local(&terms, word(&world), |_, _| Ok(()))), "no request");
    // An engineer that no roster ever listed: the request isn't even kept.
    let stranger = World { engineer: key(), ..world };
    let request = stranger.request(&consents, |_| {});
    says(&why(consents.take_request(&stranger.signed(&request))), "not listed for `engineer-a`");
    assert!(!consents.any_live());
}

#[test]
fn a_local_approval_stands_without_signers_and_falls_with_the_roster() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    consents.take_request(&world.signed(&request)).unwrap();
    let terms = consents.local_terms(request.id, None, None).unwrap();
    consents.admit_local(&terms, word(&world), |_, _| Ok(())).unwrap();
    let nobody = world.signers_of(2, &line("approver-new", "consent@lineman", &key()));
    consents.set_signers(&nobody).unwrap();
    assert!(consents.unfounded().is_empty() && world.enters(&consents));
    consents.take_roster(&world.roster_of(4, ROSTER_END, &key())).unwrap();
    assert_eq!(consents.unfounded(), [request.id]);
}

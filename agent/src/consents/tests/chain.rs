//! The chain of statements, link by link.

use super::*;

#[test]
fn a_sound_consent_lets_its_engineer_in_and_nobody_else() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (request, consent) = world.sign(&request, |consent| consent.doors = Doors::new([Door::Shell]).unwrap());
    let until = consents.admit(&request, &consent).unwrap();
    assert_eq!(until.to_string(), "2026-11-22T10:00:00Z");
    let live = consents.entry(&fingerprint(&world.engineer)).unwrap();
    assert_eq!((live.doors.to_string().as_str(), live.account.as_str()), ("shell", "view"), "narrowed by the approver");
    assert!(consents.entry(&fingerprint(&world.approver)).is_none());
    says(&consents.why_not("SHA256:x"), "no live consent on ne-1.jw.ne names the key SHA256:x");
    world.clock.pass(60.0);
    assert_eq!(consents.admit(&request, &consent).unwrap(), until, "the same bytes again change nothing");
}

#[test]
fn a_request_for_something_else_is_refused() {
    let world = World::new();
    let other = fingerprint(&key());
    says(&world.refusal(|r| r.device = "ne-2.jw.ne".parse().unwrap(), |_| {}), "the request is for ne-2.jw.ne; this is ne-1.jw.ne");
    says(&world.refusal(|r| r.host_key = other.clone(), |_| {}), "the request names the host key SHA256:");
    says(&world.refusal(|r| r.challenge = "0".repeat(64), |_| {}), "was not issued by ne-1.jw.ne for this request");
    says(&world.refusal(|r| r.account = "root".into(), |_| {}), "no account profile `root`: its local configuration has view");
    says(&world.refusal(|r| r.duration_s = 20_000, |_| {}), "at most 14400 seconds; this one lasts 20000");
    says(&world.refusal(|r| r.engineer = "engineer-b".parse().unwrap(), |_| {}), "not listed for `engineer-b`");
    says(&world.refusal(|r| r.engineer_key = other.clone(), |_| {}), "another key signed it");
    let strict = World { policy: Policy { grades: Vec::new(), ..world.policy.clone() }, ..World::new() };
    says(&strict.refusal(|_| {}, |_| {}), "does not take consents of grade end-to-end: its local policy takes none");
}

#[test]
fn a_consent_that_widens_or_is_not_the_carriers_is_refused() {
    let world = World::new();
    says(&world.refusal(|_| {}, |c| c.doors = Doors::new([Door::SftpWrite]).unwrap()), "doors that were not requested");
    says(&world.refusal(|_| {}, |c| c.duration_s += 1), "lasts longer than was requested");
    says(&world.refusal(|_| {}, |c| c.request_sha256 = "0".repeat(64)), "for another request");
    says(&world.refusal(|_| {}, |c| c.roster = 4), "checked against roster number 4; ne-1.jw.ne holds only number 3");
    says(&world.refusal(|_| {}, |c| c.approver = "approver-x".parse().unwrap()), "not listed for `approver-x`");
    let thief = World { approver: key(), ..World::new() };
    let consents = thief.ready();
    let request = thief.request(&consents, |_| {});
    let (request, consent) =
        World { approver: thief.engineer.clone(), engineer: thief.engineer.clone(), ..World::new() }.sign(&request, |_| {});
    says(&consents.admit(&request, &consent).unwrap_err().to_string(), "not listed for `approver-jw`");
    let (_, [mut changed]) = thief.sign(&thief.request(&consents, |_| {}), |_| {});
    changed.text = changed.text.replace("shell,exec", "shell,exec,sftp-write");
    says(&consents.admit(&request, &[changed]).unwrap_err().to_string(), "signature does not match its text");
}

#[test]
fn the_sessions_of_a_consent_are_known_until_nothing_of_them_is_left() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    let (gone, stays) = (SessionId::new(), SessionId::new());
    consents.entered(request.id, gone).unwrap();
    consents.entered(request.id, stays).unwrap();
    consents.left(request.id, gone);
    assert_eq!(consents.to_reap(), [], "while the consent is live");
    let consents = world.open();
    consents.end(request.id, EndReason::TimeUp).unwrap();
    assert!(consents.entered(request.id, gone).is_err(), "nobody begins under an ended consent");
    for consents in [&consents, &world.open()] {
        assert_eq!(consents.to_reap(), [(request.id, vec![stays])]);
    }
    consents.left(request.id, stays);
    assert_eq!(world.open().to_reap(), []);
}

#[test]
fn an_end_that_is_not_on_disk_is_an_error_and_ends_all_the_same() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    let blocked = world.dir.path().join("consents.new");
    std::fs::create_dir(&blocked).unwrap();
    assert!(consents.end(request.id, EndReason::Revoked).is_err());
    assert!(!world.enters(&consents));
    std::fs::remove_dir(&blocked).unwrap();
    assert!(world.open().any_live(), "a restart would have brought it back: it was not done");
    consents.end(request.id, EndReason::Revoked).unwrap();
    assert!(!world.open().any_live());
    assert_eq!(consents.untold().len(), 1);
}

#[test]
fn what_has_ended_never_comes_back() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    let (_, wider) = world.sign(&request, |consent| consent.duration_s = 60);
    says(&consents.admit(&signed, &wider).unwrap_err().to_string(), "is live already, with other terms");
    consents.end(request.id, EndReason::Revoked).unwrap();
    assert!(!world.enters(&consents));
    for consents in [&consents, &world.open()] {
        says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "(revoked) and can't be used again");
        assert!(consents.challenge(request.id).is_err());
        assert_eq!(consents.untold().len(), 1, "the centre is to be told, also after a restart");
    }
    consents.told(request.id).unwrap();
    assert_eq!(consents.untold(), []);
    // Revoked before it arrived.
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.end(request.id, EndReason::FaultClosed).unwrap();
    says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "fault_closed");
    assert_eq!(consents.untold(), [], "it never was live");
}

//! Standing statements: what they cover, and that an ended one stays ended.

use super::*;

struct Standings {
    world: World,
    consents: Consents,
}

impl Standings {
    fn new() -> Self {
        let world = World::taking(&[Grade::EndToEnd, Grade::Role]);
        let consents = world.ready();
        Self { world, consents }
    }

    /// A request of grade `role`, changed, under this standing statement.
    fn ask(&self, paper: &Signed, change: impl FnOnce(&mut Request)) -> Result<ConsentId, Refusal> {
        let request = self.world.request(&self.consents, |request| {
            request.grade = Grade::Role;
            change(request);
        });
        self.consents.admit(&self.world.signed(&request), std::slice::from_ref(paper)).map(|_| request.id)
    }

    fn refused(&self, standing: impl FnOnce(&mut Standing), request: impl FnOnce(&mut Request), expected: &str) {
        says(&why(self.ask(&self.world.standing(standing), request)), expected);
        assert!(!self.world.enters(&self.consents));
    }

    fn end(&self, paper: &Signed) {
        let ended = self.consents.end_standing(paper, EndReason::Revoked).unwrap();
        ended.remembered.unwrap();
        ended.resting.into_iter().for_each(|id| self.consents.end(id, EndReason::Revoked).unwrap());
    }
}

fn id_of(paper: &Signed) -> ConsentId {
    Standing::read_unverified(paper).unwrap().id
}

#[test]
fn a_standing_statement_lets_each_engineer_of_the_level_in_on_their_own_request() {
    let all = Standings::new();
    let paper = all.world.standing(|_| {});
    let id = all.ask(&paper, |request| request.duration_s = 600).unwrap();
    let live = all.consents.entry(&fingerprint(&all.world.engineer)).unwrap();
    assert_eq!((live.id, live.standing, live.duration_s, live.approvers.len()), (id, Some(id_of(&paper)), 600, 1));
    // Another entry, another request: the first one's challenge is used.
    let again = Request { id: ConsentId::new(), ..Request::read_unverified(&live.request).unwrap() };
    says(&why(all.consents.admit(&all.world.signed(&again), std::slice::from_ref(&paper))), "was used already");
    let second = all.ask(&paper, |_| {}).unwrap();
    assert_ne!(id, second);
    // What ended is over, the standing statement is not.
    all.consents.end(id, EndReason::Client).unwrap();
    says(&why(all.consents.admit(&live.request, std::slice::from_ref(&paper))), "can't be used again");
    all.ask(&paper, |_| {}).unwrap();
}

#[test]
fn a_standing_statement_for_something_else_lets_nobody_in() {
    let all = Standings::new();
    let other = || Devices::Named(["ne-2.jw.ne".parse().unwrap()].into());
    all.refused(|s| s.devices = other(), |_| {}, "is not for ne-1.jw.ne, but for ne-2.jw.ne");
    all.refused(|s| s.customer = "XX".parse().unwrap(), |_| {}, "is not for ne-1.jw.ne");
    all.refused(|s| s.fault = ForFault::Only("F-JW-2".parse().unwrap()), |_| {}, "is not for F-JW-1, but for F-JW-2");
    all.refused(|_| {}, |r| r.fault = "F-XX-1".parse().unwrap(), "is not for F-XX-1");
    all.refused(|s| s.level = 3, |_| {}, "wants level 3 or more; engineer-a has level 2 in the roster");
    all.refused(|_| {}, |r| r.doors = "shell,exec,sftp-write".parse().unwrap(), "opens shell,exec, not shell,exec,sftp-write");
    all.refused(|s| s.account = "operate".into(), |_| {}, "is for another account");
    all.refused(|_| {}, |r| r.duration_s = 7201, "gives 7200 s at most, not 7201");
    all.refused(|s| s.valid_before = START.parse().unwrap(), |_| {}, "the standing statement ended at 2026-11-22T08:00:00Z");
    all.refused(|s| s.roster = 4, |_| {}, "checked against roster number 4; ne-1.jw.ne holds only number 3");
    all.refused(|s| s.approver = "approver-two".parse().unwrap(), |_| {}, "not listed for `approver-two`");
    all.refused(|s| s.duration_s = 20_000, |r| r.duration_s = 20_000, "at most 14400 seconds");
    let stranger = standing_by("approver-jw", &key(), ConsentId::new(), |_| {});
    says(&why(all.ask(&stranger, |_| {})), "not listed for `approver-jw`");
    let engineers = standing_by("approver-jw", &all.world.engineer, ConsentId::new(), |_| {});
    says(&why(all.ask(&engineers, |_| {})), "not listed for `approver-jw`");
}

#[test]
fn nobody_stays_longer_than_the_standing_statement() {
    let all = Standings::new();
    let soon = all.world.standing(|s| s.valid_before = "2026-11-22T08:10:00Z".parse().unwrap());
    let id = all.ask(&soon, |_| {}).unwrap();
    assert_eq!(all.consents.remaining(id), Some(Duration::from_secs(600)));
    assert!(all.world.enters(&all.consents));
    all.world.clock.pass(601.0);
    assert!(!all.world.enters(&all.consents));
    says(&why(all.ask(&soon, |_| {})), "the standing statement ended at");
    // The wall clock set back doesn't bring it back to the one who is in.
    all.world.clock.set_wall(-1200);
    assert!(!all.world.enters(&all.consents));
}

#[test]
fn an_ended_standing_statement_stays_ended_after_a_thousand_other_ends_and_a_restart() {
    let mut all = Standings::new();
    let paper = all.world.standing(|_| {});
    let live = all.ask(&paper, |_| {}).unwrap();
    all.end(&paper);
    assert!(!all.consents.any_live(), "what rested on it ended with it");
    assert_eq!(all.consents.untold().len(), 1);
    for _ in 0..1000 {
        all.consents.state().ledger.end_live(ConsentId::new(), EndReason::Client, START.parse().unwrap());
    }
    all.consents.end(ConsentId::new(), EndReason::Client).unwrap();
    for _ in 0..2 {
        says(&why(all.ask(&paper, |_| {})), "was ended at 2026-11-22T08:00:00Z (revoked)");
        all.consents = all.world.open();
    }
    assert!(all.consents.remaining(live).is_none());
    // A clock that runs ahead for a while doesn't bring it back either.
    all.world.clock.set_wall(86_400 * 200);
    all.world.clock.set_wall(-86_400 * 200);
    says(&why(all.ask(&paper, |_| {})), "was ended at");
    // Under the same name with other words, signed by the same approver.
    let renamed = standing_by("approver-two", &all.world.second, id_of(&paper), |_| {});
    says(&why(all.ask(&renamed, |_| {})), "was ended at");
    all.ask(&all.world.standing(|_| {}), |_| {}).unwrap();
}

#[test]
fn an_end_that_was_cut_off_by_a_crash_is_finished_at_the_next_start() {
    let all = Standings::new();
    let paper = all.world.standing(|_| {});
    let id = all.ask(&paper, |_| {}).unwrap();
    // Killed after the end was remembered, before the consent had ended.
    all.consents.end_standing(&paper, EndReason::Revoked).unwrap().remembered.unwrap();
    let consents = all.world.open();
    assert!(!all.world.enters(&consents));
    assert_eq!(consents.unfounded(), [id]);
    says(&consents.why_not(&fingerprint(&all.world.engineer)), "it lets nobody in any more");
}

#[test]
fn junk_takes_no_room_among_the_ended() {
    let all = Standings::new();
    let forged = standing_by("approver-jw", &key(), ConsentId::new(), |_| {});
    let mut changed = all.world.standing(|_| {});
    changed.text = changed.text.replace("level: 2", "level: 1");
    let purpose = Signed::sign(&all.world.approver, Namespace::Consent, all.world.standing(|_| {}).text).unwrap();
    for (junk, expected) in
        [(forged, "not listed for `approver-jw`"), (changed, "does not match its text"), (purpose, "not for `standing@lineman`")]
    {
        says(&why(all.consents.end_standing(&junk, EndReason::Revoked)), expected);
    }
    assert!(!all.world.dir.path().join("revoked").exists());
}

#[test]
fn an_end_is_remembered_also_while_the_signer_list_has_expired() {
    let all = Standings::new();
    let paper = all.world.standing(|_| {});
    all.world.clock.set_wall(86_400 * 60);
    says(&why(all.ask(&paper, |_| {})), "expired");
    all.end(&paper);
    all.world.clock.set_wall(-86_400 * 60);
    says(&why(all.ask(&paper, |_| {})), "was ended at");
}

#[test]
fn a_lower_level_in_a_new_roster_ends_what_rests_on_the_higher() {
    let all = Standings::new();
    let id = all.ask(&all.world.standing(|_| {}), |_| {}).unwrap();
    let lower = line("engineer-a,level-1", "request@lineman", &all.world.engineer);
    all.consents.take_roster(&all.world.roster_with(4, ROSTER_END, &lower)).unwrap();
    assert!(!all.world.enters(&all.consents));
    assert_eq!(all.consents.unfounded(), [id]);
    says(&all.consents.why_not(&fingerprint(&all.world.engineer)), "wants level 2 or more; engineer-a has level 1");
}

#[test]
fn a_standing_statement_holds_no_longer_than_the_local_policy_says() {
    let all = Standings::new();
    let until = |text: &str| all.world.standing(|s| s.valid_before = text.parse().unwrap());
    says(&why(all.ask(&until("2026-12-27T08:00:01Z"), |_| {})), "takes standing statements for 35 days at most (`max_standing_days`");
    all.ask(&until("2026-12-27T08:00:00Z"), |_| {}).unwrap();
    // An issue time of the future makes it no shorter.
    let future = |s: &mut Standing| {
        s.issued = "2030-01-01T00:00:00Z".parse().unwrap();
        s.valid_before = "2030-01-02T00:00:00Z".parse().unwrap();
    };
    says(&why(all.ask(&all.world.standing(future), |_| {})), "for 35 days at most");
    // Somebody whose clock is a little fast may sign for all of the time.
    let fast = |s: &mut Standing| {
        s.issued = "2026-11-22T08:04:00Z".parse().unwrap();
        s.valid_before = "2026-12-27T08:04:00Z".parse().unwrap();
    };
    all.ask(&all.world.standing(fast), |_| {}).unwrap();
}

#[test]
fn what_was_issued_before_the_device_was_enrolled_does_not_come_back_with_a_new_enrolment() {
    let world = World { enrolled: Some(START.parse().unwrap()), ..World::taking(&[Grade::Role]) };
    let consents = world.ready();
    let mut all = Standings { world, consents };
    let issued = |text: &str| all.world.standing(|s| s.issued = text.parse().unwrap());
    let before = |paper: &Signed| {
        let mut standing = Standing::read_unverified(paper).unwrap();
        standing.valid_before = "2026-12-20T00:00:00Z".parse().unwrap();
        Signed::sign(&all.world.approver, Namespace::Standing, standing.write().unwrap()).unwrap()
    };
    let old = before(&issued("2026-11-22T07:54:59Z"));
    says(&why(all.ask(&old, |_| {})), "before ne-1.jw.ne was enrolled at 2026-11-22T08:00:00Z");
    all.ask(&before(&issued("2026-11-22T07:55:00Z")), |_| {}).unwrap();
    let paper = all.world.standing(|_| {});
    all.world.enrolled = None;
    all.consents = all.world.open();
    says(&why(all.ask(&paper, |_| {})), "its file `device-statement` is missing");
}

#[test]
fn a_standing_statement_that_was_never_seen_can_be_ended_by_its_name() {
    let mut all = Standings::new();
    let paper = all.world.standing(|_| {});
    let ended = all.consents.end_standing_id(id_of(&paper), EndReason::Revoked);
    assert_eq!((ended.resting.len(), ended.remembered.is_ok()), (0, true));
    for _ in 0..2 {
        says(&why(all.ask(&paper, |_| {})), "was ended at 2026-11-22T08:00:00Z (revoked)");
        all.consents = all.world.open();
    }
    let remembered = all.consents.state().revoked.get(id_of(&paper)).unwrap().valid_before;
    assert_eq!(remembered.to_string(), "2026-12-27T08:00:00Z", "as long as any could hold");
    let seen = all.world.standing(|_| {});
    let live = all.ask(&seen, |_| {}).unwrap();
    assert_eq!(all.consents.end_standing_id(id_of(&seen), EndReason::Revoked).resting, [live]);
}

#[test]
fn the_enrolment_is_read_from_the_devices_own_statement() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(enrolled(dir.path()), None);
    let statement = DeviceStatement {
        device: "ne-1.jw.ne".parse().unwrap(),
        host_key: key().public_key().clone(),
        link_key_sha256: "l".into(),
        signers_sha256: "s".into(),
        vendor_root_sha256: "v".into(),
        counter: 1,
        vouched_by: "technician".parse().unwrap(),
        issued: START.parse().unwrap(),
        valid_before: ROSTER_END.parse().unwrap(),
    };
    std::fs::write(dir.path().join(STATEMENT), statement.write().unwrap()).unwrap();
    assert_eq!(enrolled(dir.path()), Some(statement.issued));
    std::fs::write(dir.path().join(STATEMENT), "nonsense").unwrap();
    assert_eq!(enrolled(dir.path()), None);
}

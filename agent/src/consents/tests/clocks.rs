//! Time: both clocks, moved forward and back, over reboots.

use super::*;

#[test]
fn an_expired_roster_authorises_nothing_even_with_a_clock_that_was_set_back() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    world.clock.set_wall(40 * 86_400);
    says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "the roster expired at 2026-12-20T00:00:00Z");
    // A newer roster was issued later than the clock now says: the older list stays expired.
    let late = World { ..World::new() };
    let consents = late.open();
    let text = late.roster(7, ROSTER_END).text.replace("2026-11-20T00:00:00Z", "2026-12-01T00:00:00Z");
    late.clock.set_wall(-300 * 86_400);
    consents.take_roster(&Signed::sign(&late.root, Namespace::Roster, text).unwrap()).unwrap();
    assert_eq!(trusted_time(&consents.state().ledger, &late.clock.now()).to_string(), "2026-12-01T00:00:00Z");
    let request = late.request(&consents, |_| {});
    let (signed, consent) = late.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
}

#[test]
fn an_approvers_wrong_clock_locks_nobody_out() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |consent| consent.issued = "2999-01-01T00:00:00Z".parse().unwrap());
    consents.admit(&signed, &consent).unwrap();
    assert!(world.enters(&consents), "the roster still counts");
    for consents in [consents, world.open()] {
        let request = world.request(&consents, |_| {});
        let (signed, consent) = world.sign(&request, |_| {});
        consents.admit(&signed, &consent).unwrap();
        assert_eq!(trusted_time(&consents.state().ledger, &world.clock.now()).to_string(), "2026-12-19T23:59:59Z");
    }
    let consents = world.open();
    let (forgotten, now) = consents.reset_clock().unwrap();
    assert_eq!((forgotten.unwrap().to_string().as_str(), now.to_string().as_str()), ("2026-12-19T23:59:59Z", START));
    assert_eq!(trusted_time(&world.open().state().ledger, &world.clock.now()), world.clock.now().wall, "also on disk");
}

#[test]
fn a_roster_that_expires_lets_nobody_in_and_ends_nothing() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    world.clock.set_wall(40 * 86_400);
    assert!(!world.enters(&consents) && consents.unfounded().is_empty());
}

#[test]
fn a_challenge_works_once_and_lapses_on_either_clock() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    world.clock.pass(14_401.0);
    world.clock.set_wall(-14_000);
    says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "the challenge lapsed");
    // Used: another consent over the same request, under another id, would need another challenge.
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    let again = Request { id: ConsentId::new(), ..request };
    let (signed, consent) = world.sign(&again, |_| {});
    says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "was used already");
}

#[test]
fn time_runs_on_the_boot_clock_and_survives_reboots() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |request| request.duration_s = 1000);
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    let left = |consents: &Consents| consents.remaining(request.id).unwrap().as_secs();
    world.clock.pass(100.0);
    world.clock.set_wall(-50_000);
    assert_eq!(left(&consents), 900, "setting the clock back gives no time");
    world.clock.set_wall(100_000);
    assert_eq!(left(&consents), 900, "setting it forward takes none");
    consents.store_elapsed().unwrap();
    world.clock.reboot("boot-2", 200.0);
    let consents = world.open();
    assert_eq!(left(&consents), 700, "the time that it was off counts");
    consents.store_elapsed().unwrap();
    world.clock.reboot("boot-3", 0.0);
    world.clock.set_wall(-86_400);
    let consents = world.open();
    assert_eq!(left(&consents), 700, "a wall clock that went back gives no time");
    world.clock.pass(701.0);
    assert_eq!(consents.expired(), [request.id]);
    assert!(!world.enters(&consents), "nobody enters in the last moment");
    assert_eq!(consents.next_end(), Some(Duration::ZERO));
}

#[test]
fn a_fast_clock_is_refused_until_it_is_right_again_or_root_says_so() {
    let world = World::new();
    let consents = world.ready();
    // Fast: the roster seems expired. Set right again, nothing has changed.
    world.clock.set_wall(60 * 86_400);
    let request = world.request(&consents, |_| {});
    let (signed, paper) = world.sign(&request, |_| {});
    says(&why(consents.admit(&signed, &paper)), "the roster expired at 2026-12-20");
    world.clock.set_wall(-60 * 86_400);
    let request = world.live(&consents, Grade::EndToEnd);
    // A roster of the future was verified: from then on the wall clock alone is not believed.
    let future = world.roster(5, "2027-12-10T00:00:00Z").text.replace("2026-11-20T", "2027-11-20T");
    consents.take_roster(&Signed::sign(&world.root, Namespace::Roster, future).unwrap()).unwrap();
    for consents in [&consents, &world.open()] {
        assert!(!world.enters(consents), "the signer list ends before that");
        says(&consents.why_not(&fingerprint(&world.engineer)), "the signer list expired at 2027-01-01T00:00:00Z");
    }
    let consents = world.open();
    let (forgotten, now) = consents.reset_clock().unwrap();
    assert_eq!((forgotten.unwrap().to_string().as_str(), now.to_string().as_str()), ("2027-11-20T00:00:00Z", START));
    assert!(world.enters(&consents) && world.enters(&world.open()));
    assert_eq!(consents.entry(&fingerprint(&world.engineer)).unwrap().id, request.id);
}

#[test]
fn a_challenge_does_not_outlive_a_reboot_by_a_clock_that_went_back() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, paper) = world.sign(&request, |_| {});
    consents.take_request(&signed).unwrap();
    world.clock.pass(14_000.0);
    world.clock.reboot("boot-2", 500.0);
    let consents = world.open();
    assert!(consents.waiting().is_empty(), "the request went with its challenge");
    says(&why(consents.admit(&signed, &paper)), "the challenge lapsed");
}

#[test]
fn time_that_was_used_is_not_given_back_by_any_clock() {
    let world = World::new();
    let consents = world.ready();
    let request = world.live(&consents, Grade::EndToEnd);
    let left = |consents: &Consents| consents.remaining(request.id).map_or(0, |left| left.as_secs());
    let mut last = left(&consents);
    for (step, seconds) in [(0, 100_000), (1, -300_000), (2, 86_400), (3, -1)].into_iter().cycle().take(12) {
        world.clock.pass(50.0);
        world.clock.set_wall(seconds);
        if step == 2 {
            consents.store_elapsed().unwrap();
        }
        let now = left(&consents);
        assert_eq!(now, last - 50);
        last = now;
    }
}

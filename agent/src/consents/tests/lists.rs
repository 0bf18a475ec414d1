//! Rosters and signer lists: old, rolled back, signed by too few.

use super::*;

#[test]
fn rosters_only_go_forward() {
    let world = World::new();
    let consents = world.open();
    assert_eq!(consents.roster_counter(), 0);
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "holds no roster");
    consents.take_roster(&world.roster(3, ROSTER_END)).unwrap();
    consents.take_roster(&world.roster(3, ROSTER_END)).unwrap();
    says(&consents.take_roster(&world.roster(2, ROSTER_END)).unwrap_err().to_string(), "number 2 is older than number 3");
    says(&consents.take_roster(&world.roster(3, "2026-12-21T00:00:00Z")).unwrap_err().to_string(), "here already, with another text");
    says(&consents.take_roster(&world.roster(4, "2027-12-21T00:00:00Z")).unwrap_err().to_string(), "35 days at most");
    let forged = World { root: key(), ..World::new() };
    says(&consents.take_roster(&forged.roster(9, ROSTER_END)).unwrap_err().to_string(), "not listed for `vendor-root`");
    assert_eq!(world.open().roster_counter(), 3, "it is on disk");
}

#[test]
fn a_key_that_left_the_roster_enters_no_more_and_its_consents_end() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    consents.take_roster(&world.roster(4, ROSTER_END)).unwrap();
    assert!(world.enters(&consents) && consents.unfounded().is_empty(), "listed again");
    consents.take_roster(&world.roster_of(5, ROSTER_END, &key())).unwrap();
    for consents in [&consents, &world.open()] {
        assert!(!world.enters(consents));
        assert_eq!(consents.unfounded(), [request.id], "also after a restart");
        says(&consents.why_not(&fingerprint(&world.engineer)), "not listed for `engineer-a`");
    }
}

/// A new list, signed by the chiefs.
fn signed_by(text: &str, chiefs: &[&PrivateKey]) -> Vec<Signed> {
    chiefs.iter().map(|chief| Signed::sign(chief, Namespace::Signers, text.to_owned()).unwrap()).collect()
}

#[test]
fn a_new_signer_list_counts_from_its_signature_on_also_after_a_restart() {
    let world = World::new();
    let consents = world.ready();
    let newcomer = key();
    let text = world.signers_of(2, &line("approver-new", "consent@lineman", &newcomer));
    let request = world.request(&consents, |_| {});
    let paper = [consent_by("approver-new", &newcomer, &request, |_| {})];
    says(&why(consents.admit(&world.signed(&request), &paper)), "not listed for `approver-new`");
    assert!(consents.take_signers(&signed_by(&text, &[&world.chief])).unwrap());
    assert!(!consents.take_signers(&signed_by(&text, &[&world.chief])).unwrap(), "the same again changes nothing");
    assert_eq!(std::fs::read_to_string(world.dir.path().join(SIGNERS)).unwrap(), text);
    consents.admit(&world.signed(&request), &paper).unwrap();
    let consents = world.open();
    assert_eq!((consents.in_force().signers, consents.in_force().signers_sha256), (2, sha256_hex(&text)));
    let request = world.request(&consents, |_| {});
    let (signed, old) = world.sign(&request, |_| {});
    says(&why(consents.admit(&signed, &old)), "not listed for `approver-jw`");
}

#[test]
fn what_was_approved_by_somebody_who_left_the_list_ends() {
    let world = World::new();
    let consents = world.ready();
    let (stays, goes) = (world.request(&consents, |_| {}), world.live(&consents, Grade::EndToEnd));
    consents.admit(&world.signed(&stays), &[consent_by("approver-two", &world.second, &stays, |_| {})]).unwrap();
    let without = world.signers_of(2, &line("approver-two", "consent@lineman", &world.second));
    consents.take_signers(&signed_by(&without, &[&world.chief])).unwrap();
    for consents in [&consents, &world.open()] {
        assert_eq!(consents.unfounded(), [goes.id], "also when the agent was killed right after it took the list");
        assert_eq!(consents.entry(&fingerprint(&world.engineer)).unwrap().id, stays.id);
    }
    // Judged at the time that the paper came: a key that runs out later has approved what it has approved.
    let until = format!("approver-two namespaces=\"consent@lineman\",valid-before=\"20261122090000Z\" {}\n", public(&world.second));
    consents.end(goes.id, EndReason::Revoked).unwrap();
    consents.take_signers(&signed_by(&world.signers_of(3, &until), &[&world.chief])).unwrap();
    world.clock.pass(3601.0);
    assert!(consents.unfounded().is_empty() && world.enters(&consents));
    let before = until.replace("20261122090000Z", "20261122070000Z");
    consents.take_signers(&signed_by(&world.signers_of(4, &before), &[&world.chief])).unwrap();
    assert_eq!(consents.unfounded(), [stays.id]);
}

#[test]
fn an_old_or_rolled_back_signer_list_is_refused() {
    let world = World::new();
    let consents = world.ready();
    let (second, third) = (world.signers(2, ""), world.signers(3, ""));
    consents.take_signers(&signed_by(&third, &[&world.chief])).unwrap();
    let refused = |text: &str| why(consents.take_signers(&signed_by(text, &[&world.chief])));
    says(&refused(&second), "number 2 is older than number 3");
    says(&refused(&world.signers(3, &line("x", "consent@lineman", &key()))), "number 3 is here already, with another text");
    says(&why(consents.set_signers(&second)), "number 2 is older than number 3");
    says(&why(consents.set_signers(&world.signers(3, &line("x", "consent@lineman", &key())))), "with another text");
    assert_eq!(world.open().in_force().signers, 3);
}

#[test]
fn a_signer_list_signed_by_one_of_two_by_a_stranger_or_by_its_own_newcomer_is_refused() {
    let one = World::new();
    let world = World { policy: Policy { signers_approvals: 2, ..one.policy.clone() }, ..one };
    let consents = world.ready();
    let text = world.signers(2, "");
    let refused = |signed: &[Signed]| why(consents.take_signers(signed));
    says(&refused(&signed_by(&text, &[&world.chief])), "1 of 2 people signed it");
    says(&refused(&signed_by(&text, &[&world.chief, &world.chief])), "1 of 2 people signed it");
    says(&refused(&signed_by(&text, &[&world.chief, &world.approver])), "not listed");
    says(&refused(&signed_by(&text, &[&world.chief, &key()])), "not listed");
    says(&refused(&[]), "nobody signed it");
    let apart = [signed_by(&text, &[&world.chief]), signed_by(&world.signers(9, ""), &[&world.vice])].concat();
    says(&refused(&apart), "over different texts");
    let newcomer = key();
    let brings = world.signers(2, &line("chief-new", "signers@lineman", &newcomer));
    says(&refused(&signed_by(&brings, &[&world.chief, &newcomer])), "not listed");
    let purpose = vec![Signed::sign(&world.chief, Namespace::Consent, text.clone()).unwrap(); 2];
    says(&refused(&purpose), "not for `signers@lineman`");
    assert!(!world.dir.path().join(SIGNERS).exists(), "nothing was written");
    consents.take_signers(&signed_by(&text, &[&world.chief, &world.vice])).unwrap();
}

#[test]
fn a_list_that_could_never_be_changed_again_or_is_broken_is_refused() {
    let world = World::new();
    let consents = world.ready();
    let refused = |text: String| why(consents.take_signers(&signed_by(&text, &[&world.chief])));
    let text = world.signers(2, "");
    says(&refused(text.replace("signers@lineman", "device@lineman")), "it could never be changed again");
    says(&refused(text.replace("signers JW", "signers XX")), "it is for `signers XX`, not for `signers JW`");
    says(&refused(text.replace("2027-01-01", "2026-11-01")), "expired");
    says(&refused(text.replace("ssh-ed25519 AAAA", "ssh-ed25519 AAAB")), "is broken");
    says(&refused(text.clone() + &"# long\n".repeat(20_000)), "longer than");
    says(&why(consents.set_signers(&text.replace("consent@lineman", "device@lineman"))), "nobody in it may sign for `consent@lineman`");
}

#[test]
fn a_list_is_in_force_only_when_it_is_on_disk() {
    let world = World::new();
    let consents = world.ready();
    let blocked = world.dir.path().join("signers.new");
    std::fs::create_dir(&blocked).unwrap();
    let newcomer = key();
    let text = world.signers(2, &line("approver-new", "consent@lineman", &newcomer));
    says(&why(consents.take_signers(&signed_by(&text, &[&world.chief]))), "can't write down the signer list");
    assert_eq!(consents.in_force().signers, 1);
    let request = world.request(&consents, |_| {});
    says(
        &why(consents.admit(&world.signed(&request), &[consent_by("approver-new", &newcomer, &request, |_| {})])),
        "not listed for `approver-new`",
    );
}

#[test]
fn an_expired_signer_list_authorises_nothing_but_its_own_replacement() {
    let world = World::new();
    let consents = world.ready();
    let live = world.live(&consents, Grade::EndToEnd);
    let request = world.request(&consents, |_| {});
    let (signed, paper) = world.sign(&request, |_| {});
    // Rosters come every month; the signer list was forgotten.
    world.clock.set_wall(41 * 86_400);
    let later = world.roster(4, "2027-01-15T00:00:00Z").text.replace("2026-11-20T", "2026-12-30T");
    consents.take_roster(&Signed::sign(&world.root, Namespace::Roster, later).unwrap()).unwrap();
    world.clock.set_wall(-41 * 86_400);
    // The clock set back doesn't help: a roster was issued later. Only as far as that, though.
    assert!(world.enters(&consents));
    world.clock.set_wall(41 * 86_400);
    assert!(!world.enters(&consents), "{}", consents.why_not(&fingerprint(&world.engineer)));
    says(&consents.why_not(&fingerprint(&world.engineer)), "the signer list expired at 2027-01-01T00:00:00Z");
    assert!(consents.unfounded().is_empty(), "what is live is not ended by a date");
    says(&why(consents.admit(&signed, &paper)), "lapsed");
    let request = world.request(&consents, |_| {});
    let (signed, paper) = world.sign(&request, |_| {});
    says(&why(consents.admit(&signed, &paper)), "the signer list expired at 2027-01-01T00:00:00Z");
    let renewed = world.signers(2, "").replace("# expiry: 2027", "# expiry: 2028");
    consents.take_signers(&signed_by(&renewed, &[&world.chief])).unwrap();
    consents.admit(&signed, &paper).unwrap();
    assert_eq!(consents.entry_for(&fingerprint(&world.engineer), Some(live.id)).unwrap().id, live.id);
}

#[test]
fn a_signer_lists_wrong_issue_time_locks_nobody_out() {
    let world = World::new();
    let consents = world.ready();
    let absurd = world.signers(2, "").replace("issued: 2026-01-01", "issued: 2998-01-01").replace("expiry: 2027", "expiry: 2999");
    consents.take_signers(&signed_by(&absurd, &[&world.chief])).unwrap();
    world.live(&consents, Grade::EndToEnd);
    assert!(world.enters(&consents), "the roster still counts");
}

#[test]
fn no_roster_older_than_one_that_was_believed_comes_back_while_none_is_held() {
    let world = World::new();
    drop(world.ready());
    std::fs::remove_file(world.dir.path().join("roster")).unwrap();
    let consents = world.open();
    assert_eq!(consents.roster_counter(), 0);
    says(&why(consents.take_roster(&world.roster(2, ROSTER_END))), "number 2 is older than number 3");
    consents.take_roster(&world.roster(3, ROSTER_END)).unwrap();
    // An old file put in its place.
    let old = serde_json::to_vec(&world.roster(2, ROSTER_END)).unwrap();
    std::fs::write(world.dir.path().join("roster"), old).unwrap();
    assert_eq!(world.open().roster_counter(), 0);
    // A ledger that was lost has the roster's own number again.
    std::fs::write(world.dir.path().join("roster"), serde_json::to_vec(&world.roster(4, ROSTER_END)).unwrap()).unwrap();
    std::fs::remove_file(world.dir.path().join("consents")).unwrap();
    drop(world.open());
    std::fs::remove_file(world.dir.path().join("roster")).unwrap();
    says(&why(world.open().take_roster(&world.roster(3, ROSTER_END))), "number 3 is older than number 4");
}

#[test]
fn a_roster_that_a_wrong_clock_hid_counts_again_before_any_other() {
    // The vendor root's key has its time from the day after the roster's issue on: a clock that was set back hides the roster.
    let world = World { root_options: "valid-after=\"20261121Z\",", ..World::new() };
    drop(world.ready());
    let hidden = || {
        world.clock.set_wall(-30 * 86_400);
        let consents = world.open();
        world.clock.set_wall(30 * 86_400);
        assert_eq!(consents.roster_counter(), 0);
        consents
    };
    let consents = hidden();
    consents.store_elapsed().unwrap();
    assert_eq!(consents.roster_counter(), 3, "with the next tick");
    let consents = hidden();
    says(&why(consents.take_roster(&world.roster(3, "2026-12-21T00:00:00Z"))), "number 3 is here already, with another text");
    let consents = hidden();
    consents.reset_clock().unwrap();
    assert_eq!(consents.roster_counter(), 3);
}

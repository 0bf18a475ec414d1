//! One switch that stops everything.

use super::*;

#[test]
fn a_stop_ends_everything_takes_nothing_and_survives_a_restart() {
    let world = World::new();
    let consents = world.ready();
    let live = world.live(&consents, Grade::EndToEnd);
    let waiting = world.request_of(&consents, Grade::EndToEnd);
    let (signed, paper) = world.sign(&waiting, |_| {});
    consents.take_request(&signed).unwrap();
    let stopped = consents.stop(Whose::Centre, "noc-jw", "works\nin building 4\u{202e}");
    stopped.stored.unwrap();
    assert_eq!((stopped.first, stopped.ended), (true, vec![live.id]));
    assert!(!consents.stop(Whose::Centre, "somebody", "else").first, "the first word stands");
    let text = "ne-1.jw.ne was stopped through the centre by noc-jw at 2026-11-22T08:00:00Z: works\\nin building 4\\u{202e}. It takes no";
    for consents in [&consents, &world.open()] {
        assert!(!consents.any_live() && !world.enters(consents) && consents.waiting().is_empty());
        says(&consents.why_not(&fingerprint(&world.engineer)), text);
        says(&consents.why_not_for("x", Some(live.id)), text);
        says(&why(consents.challenge(ConsentId::new())), text);
        says(&why(consents.take_request(&signed)), text);
        says(&why(consents.admit(&signed, &paper)), text);
        says(&why(consents.local_terms(waiting.id, None, None)), text);
        assert_eq!(consents.untold().iter().map(|(id, reason, _)| (*id, *reason)).collect::<Vec<_>>(), [(live.id, EndReason::Stopped)]);
    }
    let consents = world.open();
    let (taken_back, still) = consents.resume(Whose::Centre).unwrap();
    assert_eq!((taken_back.unwrap().by.as_str(), still), ("noc-jw", None));
    says(&why(consents.admit(&signed, &paper)), "was not issued by ne-1.jw.ne");
    says(&why(world.open().admit(&world.signed(&live), &paper)), "stopped) and can't be used again");
    world.live(&world.open(), Grade::EndToEnd);
}

#[test]
fn the_centre_does_not_take_back_what_was_stopped_on_the_device() {
    let world = World::new();
    let consents = world.ready();
    consents.stop(Whose::Device, "root (uid 0)", "smoke").stored.unwrap();
    consents.stop(Whose::Centre, "noc-jw", "works").stored.unwrap();
    let (taken_back, still) = consents.resume(Whose::Centre).unwrap();
    assert_eq!((taken_back.unwrap().whose, still.unwrap().whose), (Whose::Centre, Whose::Device));
    assert_eq!(consents.resume(Whose::Centre).unwrap().0, None, "again changes nothing");
    for consents in [&consents, &world.open()] {
        says(&why(consents.challenge(ConsentId::new())), "was stopped on the device itself by root (uid 0)");
    }
    consents.resume(Whose::Device).unwrap();
    assert_eq!(world.open().stopped(), None);
    // And not the other way round.
    consents.stop(Whose::Centre, "noc-jw", "works").stored.unwrap();
    let (taken_back, still) = consents.resume(Whose::Device).unwrap();
    assert_eq!((taken_back, still.unwrap().whose), (None, Whose::Centre));
}

#[test]
fn a_stop_that_is_not_on_disk_stops_all_the_same_and_is_written_later() {
    let world = World::new();
    let consents = world.ready();
    world.live(&consents, Grade::EndToEnd);
    let blocked = world.dir.path().join("consents.new");
    std::fs::create_dir(&blocked).unwrap();
    says(&why(consents.stop(Whose::Centre, "noc-jw", "works").stored), "can't write down the consent");
    assert!(!world.enters(&consents) && consents.stopped().is_some());
    assert!(consents.resume(Whose::Centre).is_err() && consents.stopped().is_some(), "what can't be written down is not taken back");
    assert!(consents.store_elapsed().is_err());
    std::fs::remove_dir(&blocked).unwrap();
    assert!(world.open().stopped().is_none(), "a restart would have forgotten it: it was not done");
    world.live(&world.open(), Grade::EndToEnd);
    consents.store_elapsed().unwrap();
    assert!(world.open().stopped().is_some() && !world.open().any_live());
}

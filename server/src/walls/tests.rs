//! What a wall shows, as the store changes under it; and its tokens.

use jiff::SignedDuration;
use lineman_common::alarm::{AlarmKey, AlarmReport, EventType, ProbableCause, ResourceState, Severity};
use lineman_common::api::{NewWallToken, Note, Pend, WallClockState, WallFaults, WallPause};
use lineman_common::fault::PendingReason;
use lineman_common::id::FaultId;
use lineman_common::people::Role;
use serde_json::json;

use super::*;
use crate::equipment::Known;
use crate::faults::{self, Reference};
use crate::store::testing::TestStore;
use crate::trust::testing::{actor, place};
use crate::web::{Actor, Wall};

struct Room {
    store: TestStore,
    board: Board,
    device: Known,
    other: Known,
}

fn admin() -> Actor {
    actor("admin-z", Role::Admin, None)
}

fn engineer() -> Actor {
    actor("engineer-a", Role::Engineer, None)
}

impl Room {
    fn new() -> Self {
        let mut store = TestStore::new();
        let (device, other) = store.write(|tx| (place(tx, "JW").1, place(tx, "YW").1));
        Self { store, board: Board::default(), device, other }
    }

    fn file(&mut self, equipment: &str, title: &str, impact: &str) -> FaultId {
        let new = json!({"equipment": equipment, "title": title, "impact": impact});
        self.store.write(|tx| faults::report(tx, &engineer(), serde_json::from_value(new).unwrap()).unwrap().id)
    }

    fn accept(&mut self, fault: FaultId) {
        self.store.write(|tx| faults::accept(tx, &engineer(), &Reference::Id(fault)).unwrap());
    }

    fn later(&mut self, seconds: i64) {
        self.store.now += SignedDuration::from_secs(seconds);
    }

    fn seen_by(&mut self, viewer: &Viewer, asked: &Asked) -> Result<Picture, Error> {
        let board = &mut self.board;
        self.store.read(|db| {
            while !board.catch_up(db).unwrap() {}
            board.look_around(db).unwrap();
            picture::of(board, db, viewer, asked)
        })
    }

    fn look(&mut self) -> Picture {
        self.seen_by(&Viewer::Person(engineer()), &Asked::default()).unwrap()
    }
}

fn wall_of(device: &Known, code: &str) -> Viewer {
    let customer = Some((device.customer, code.parse().unwrap()));
    let id = lineman_common::id::WallId::new();
    Viewer::Wall(Wall { id, name: "left".into(), customer })
}

#[test]
fn an_empty_wall_is_calm() {
    let mut room = Room::new();
    let picture = room.look();
    assert_eq!(picture.faults, WallFaults::default());
    assert!(picture.countdown.is_empty() && picture.customers.is_empty());
    assert_eq!((picture.sites_without_coordinates, picture.calm_since), (2, None));
}

#[test]
fn the_most_urgent_clock_of_each_fault_counts_down() {
    let mut room = Room::new();
    let first = room.file("ne-1.jw.ne", "the fan stopped", "full");
    room.later(120);
    let second = room.file("ne-1.yw.ne", "a port is down", "partial");
    let picture = room.look();
    let shown = |picture: &Picture| {
        picture.countdown.iter().map(|row| (row.fault.to_string(), row.clock.to_string(), row.elapsed_s, row.state)).collect::<Vec<_>>()
    };
    let running = WallClockState::Running;
    assert_eq!(shown(&picture), [("F-JW-1".into(), "K1".into(), 120, running), ("F-YW-1".into(), "K1".into(), 0, running)]);
    assert_eq!(picture.countdown[0].deadline_at, Some(room.store.now + SignedDuration::from_secs(180)));
    assert_eq!((picture.clocks.running, picture.promise.running), (4, 0), "K1 and K2 of both");
    // Accepted: its K1 is done, and K2 has longer.
    room.accept(first);
    assert_eq!(shown(&room.look())[0].0, "F-YW-1");
    // Nothing happens but time: the board is not counted anew, and knows all the same.
    room.later(400);
    let picture = room.look();
    assert_eq!(shown(&picture)[0], ("F-YW-1".into(), "K1".into(), 400, WallClockState::Breached));
    assert_eq!(picture.clocks.breached, 1, "{:?}", picture.clocks);
    // Over is over.
    room.store.write(|tx| {
        faults::cancel(tx, &engineer(), &Reference::Id(second), &"a test".into()).unwrap();
    });
    assert_eq!(room.look().countdown.len(), 1);
}

#[test]
fn a_board_that_followed_shows_what_a_new_one_does() {
    let mut room = Room::new();
    let mut faults = Vec::new();
    for number in 0..12 {
        faults.push(room.file(if number % 2 == 0 { "ne-1.jw.ne" } else { "ne-1.yw.ne" }, "x", "partial"));
        room.later(7);
        let _ = room.look();
    }
    for fault in faults.iter().step_by(3) {
        room.accept(*fault);
        let note = Note { text: "we look at it".into(), internal: false };
        room.store.write(|tx| faults::note(tx, &engineer(), &Reference::Id(*fault), &note).unwrap());
        room.later(3);
        let _ = room.look();
    }
    let pend = Pend { reason: PendingReason::Customer, note: Printable::default() };
    room.store.write(|tx| faults::pend(tx, &engineer(), &Reference::Id(faults[0]), &pend).unwrap());
    room.later(90);
    let followed = json!(room.look());
    room.board = Board::default();
    assert_eq!(followed, json!(room.look()));
}

#[test]
fn a_clock_that_stands_still_says_why_and_since_when() {
    let mut room = Room::new();
    room.store.write(|tx| {
        let tier = json!({"name": "gold", "restore_s": [3600, 3600, 3600], "resolve_s": [null, null, null], "accept_s": 300});
        crate::customers::set_tier(tx, &admin(), &serde_json::from_value(tier).unwrap()).unwrap();
    });
    let fault = room.file("ne-1.jw.ne", "x", "full");
    room.accept(fault);
    room.later(60);
    let since = room.store.now;
    let pend = Pend { reason: PendingReason::Access, note: Printable::default() };
    room.store.write(|tx| faults::pend(tx, &engineer(), &Reference::Id(fault), &pend).unwrap());
    room.later(600);
    let picture = room.look();
    let row = &picture.countdown[0];
    assert_eq!((row.state, row.paused_by, row.paused_since), (WallClockState::Paused, Some(WallPause::Access), Some(since)));
    assert_eq!((row.elapsed_s, row.deadline_at), (60, None));
    assert_eq!((picture.clocks.running, picture.clocks.paused), (0, 1));
}

#[test]
fn a_customers_wall_knows_nothing_of_another() {
    let mut room = Room::new();
    room.file("ne-1.jw.ne", "JW-SECRET-TITLE", "full");
    room.file("ne-1.yw.ne", "theirs", "partial");
    let own = wall_of(&room.other.clone(), "YW");
    let picture = room.seen_by(&own, &Asked::default()).unwrap();
    let text = json!(picture).to_string();
    assert!(!text.contains("JW"), "{text}");
    assert_eq!((picture.countdown.len(), picture.today.new, picture.faults.critical), (1, 1, 0));
    assert!(picture.duty.is_empty());
    let narrow = |code: &str| Asked { customer: Some(code.parse().unwrap()), zone: None };
    assert!(matches!(room.seen_by(&own, &narrow("JW")), Err(Error::NoCustomer(_))));
    // Who sees all may narrow.
    let narrowed = room.seen_by(&Viewer::Person(engineer()), &narrow("JW")).unwrap();
    assert_eq!((narrowed.countdown.len(), narrowed.customer.unwrap().to_string()), (1, "JW".into()));
    assert!(narrowed.events.iter().all(|event| event.fault.as_ref().is_none_or(|fault| fault.customer.to_string() == "JW")));
    let bad = Asked { customer: None, zone: Some("Mars/Base".into()) };
    assert!(matches!(room.seen_by(&own, &bad), Err(Error::BadZone(_))));
}

#[test]
fn a_wall_shows_nobodys_words() {
    let mut room = Room::new();
    let fault = room.file("ne-1.jw.ne", "the fan stopped", "full");
    room.accept(fault);
    let note = Note { text: "the password is hunter2".into(), internal: true };
    room.store.write(|tx| {
        faults::note(tx, &engineer(), &Reference::Id(fault), &note).unwrap();
        faults::cancel(tx, &engineer(), &Reference::Id(fault), &"the password is hunter2".into()).unwrap();
    });
    let picture = room.look();
    let kinds: Vec<_> = picture.events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds.first(), Some(&"fault.cancelled"));
    assert!(!kinds.contains(&"fault.note"));
    assert!(picture.events.iter().all(|event| event.data.is_null() && event.text.raw().is_empty()));
    assert!(!json!(picture).to_string().contains("hunter2"));
}

#[test]
fn equipment_counts_by_its_worst() {
    let mut room = Room::new();
    let health = |picture: &Picture| picture.health.iter().map(|p| (p.ok, p.warn, p.bad, p.unknown)).collect::<Vec<_>>();
    assert_eq!(health(&room.look()), [(0, 0, 0, 2)], "one product, no agent so far");
    let report = |severity| AlarmReport {
        key: AlarmKey { alarm_type: "fan.failed".into(), qualifier: "1".into() },
        state: ResourceState::Raised,
        severity,
        event_type: EventType::Equipment,
        probable_cause: ProbableCause::EquipmentMalfunction,
        text: "x".into(),
        value: None,
        threshold: None,
        at: room.store.now,
    };
    let (minor, major) = (report(Severity::Minor), report(Severity::Major));
    let device = room.device.clone();
    room.store.write(|tx| crate::alarms::report(tx, &device, &minor).unwrap());
    assert_eq!(health(&room.look()), [(0, 1, 0, 1)]);
    room.store.write(|tx| crate::alarms::report(tx, &device, &major).unwrap());
    assert_eq!(health(&room.look()), [(0, 0, 1, 1)]);
}

#[test]
fn a_token_is_shown_once_and_good_until_it_is_revoked() {
    let mut room = Room::new();
    let new = |name: &str| NewWallToken { name: name.into(), customer: Some("JW".parse().unwrap()) };
    let made = room.store.write(|tx| tokens::create(tx, &admin(), new(" left ")).unwrap());
    assert!(made.token.starts_with("lwt_") && made.wall.name.raw() == "left");
    let listed = json!(room.store.read(|db| tokens::list(db).unwrap())).to_string();
    assert!(listed.contains("left") && !listed.contains(&made.token), "{listed}");
    let sha256 = lineman_common::statement::sha256_hex(&made.token);
    let found = room.store.read(|db| sql::by_token(db, &sha256).unwrap().unwrap());
    assert_eq!(found.customer.unwrap().1.to_string(), "JW");
    assert!(matches!(room.store.write(|tx| tokens::create(tx, &admin(), new("left"))), Err(Error::NameTaken(_))));
    assert!(matches!(room.store.write(|tx| tokens::create(tx, &admin(), new("  "))), Err(Error::BadName)));
    // A year in a corridor changes nothing.
    room.later(366 * 24 * 3600);
    assert!(room.store.read(|db| sql::by_token(db, &sha256).unwrap()).is_some());
    let gone = room.store.write(|tx| tokens::revoke(tx, &admin(), made.wall.id).unwrap());
    assert_eq!(gone.revoked_by.unwrap().to_string(), "admin-z");
    assert!(room.store.read(|db| sql::by_token(db, &sha256).unwrap()).is_none());
    assert!(room.store.write(|tx| tokens::create(tx, &admin(), new("left"))).is_ok(), "its name is free again");
}

#[tokio::test]
async fn what_streams_to_a_revoked_wall_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("x.db"), crate::LISTENERS).unwrap();
    let new = NewWallToken { name: "left".into(), customer: None };
    let made = store.write(move |tx| Ok::<_, ApiError>(tokens::create(tx, &admin(), new)?)).await.unwrap();
    let look = || tokens::authenticate(&store, &made.token);
    assert!(look().await.unwrap().is_some());
    let mut streams = Box::pin(tokens::pass(&made.token).ended(store.clone()));
    assert!(look().await.unwrap().is_some() && futures_util::poll!(&mut streams).is_pending());
    assert!(tokens::authenticate(&store, "lwt_0").await.unwrap().is_none());
    let used = store.read(|db| tokens::list(db).map_err(ApiError::from)).await.unwrap();
    assert!(used[0].last_used_at.is_some());
    store.write(move |tx| Ok::<_, ApiError>(tokens::revoke(tx, &admin(), made.wall.id)?)).await.unwrap();
    streams.await;
    assert!(look().await.unwrap().is_none());
}

#[tokio::test]
async fn a_wall_is_lit_though_its_use_can_not_be_noted() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("x.db"), crate::LISTENERS).unwrap();
    let new = NewWallToken { name: "left".into(), customer: None };
    let made = store.write(move |tx| Ok::<_, ApiError>(tokens::create(tx, &admin(), new)?)).await.unwrap();
    store.close().await;
    assert!(tokens::authenticate(&store, &made.token).await.unwrap().is_some());
}

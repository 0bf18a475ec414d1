//! What is saved is found, by those who may, whatever happens to files, processes and disks.

mod killed;
mod sql;

use std::fs;
use std::sync::atomic::AtomicU32;

use lineman_common::Printable;
use lineman_common::api::{Audience, CaseBody, CaseText};
use lineman_common::id::CustomerId;
use proptest::prelude::*;

use super::*;
use crate::search::index::{Answer, Clause, Facet, Question, Weighted};
use crate::search::tokens;
use crate::store::testing::TestStore;
use crate::store::{Store, Tx};

fn body(title: &str) -> CaseBody {
    let text = CaseText { title: title.into(), resolution: Printable::from("done"), ..CaseText::default() };
    CaseBody { en: Some(text), ..CaseBody::default() }
}

fn words(text: &str) -> Question {
    let terms = tokens::analyse(text).tokens.into_iter().map(|token| Weighted { term: token.text, weight: 1.0 });
    let clauses = terms.map(|term| Clause { alternatives: vec![vec![term]] }).collect();
    Question { clauses, want: 10_000, count: (0..8).map(Facet).collect(), ..Question::default() }
}

fn customer() -> Scope {
    Scope::Customer(CustomerId::new())
}

fn ask(library: &Library, db: &Db<'_>, scope: &Scope, text: &str) -> Result<Answer, StoreError> {
    Ok(library.of(db, scope)?.search(&words(text)))
}

fn found(library: &Library, db: &Db<'_>, scope: &Scope, text: &str) -> Vec<u32> {
    ask(library, db, scope, text).unwrap().hits.into_iter().map(|hit| hit.key).collect()
}

/// A word for each number that no other has, and that is a word to the token function.
fn word(number: u32) -> String {
    let letters = number.to_string().bytes().map(|digit| char::from(b'b' + 2 * (digit - b'0'))).collect::<String>();
    format!("zoq{letters}xa")
}

#[test]
fn what_changes_is_in_the_right_indexes_at_once() {
    let (mut store, library) = (TestStore::new(), Library::in_memory());
    let see =
        |store: &TestStore, text: &str| store.read(|db| (found(&library, db, &Scope::All, text), found(&library, db, &customer(), text)));
    let number = store.write(|tx| sql::add(tx, CaseState::Wip, Audience::Customer, &body("fan stopped"))).unwrap();
    let (here, nowhere) = (vec![number.0], Vec::<u32>::new());
    assert_eq!(see(&store, "fan"), (here.clone(), nowhere.clone()), "in work");
    let steps = [
        (CaseState::NotValidated, Audience::Customer, false),
        (CaseState::Validated, Audience::Customer, true),
        (CaseState::Validated, Audience::Internal, false),
        (CaseState::Validated, Audience::Customer, true),
        (CaseState::NotValidated, Audience::Customer, false),
    ];
    for (state, audience, is_published) in steps {
        store.write(|tx| sql::set(tx, number, state, audience, &body("fan stopped"))).unwrap();
        assert_eq!(see(&store, "fan"), (here.clone(), if is_published { here.clone() } else { nowhere.clone() }), "{state} {audience}");
    }
    store.write(|tx| sql::set(tx, number, CaseState::Validated, Audience::Customer, &body("board failed"))).unwrap();
    assert_eq!((see(&store, "fan"), see(&store, "board")), ((nowhere.clone(), nowhere.clone()), (here.clone(), here.clone())));
    store.write(|tx| sql::set(tx, number, CaseState::Archived, Audience::Customer, &body("board failed"))).unwrap();
    assert_eq!(see(&store, "board"), (nowhere.clone(), nowhere.clone()), "archived");
    store.write(|tx| sql::set(tx, number, CaseState::Validated, Audience::Customer, &body("board failed"))).unwrap();
    assert_eq!(see(&store, "board"), (here.clone(), here), "back");
    store.write(|tx| sql::delete(tx, number)).unwrap();
    assert_eq!(see(&store, "board"), (nowhere.clone(), nowhere));
}

#[test]
fn a_customers_index_is_the_same_with_and_without_internal_cases() {
    let (mut alone, mut beside) = (TestStore::new(), TestStore::new());
    let [own, other] = [Library::in_memory(), Library::in_memory()];
    for number in 1..=30u32 {
        let case = body(&format!("switchover of board {} failed", word(number)));
        for store in [&mut alone, &mut beside] {
            store.write(|tx| sql::add(tx, CaseState::Validated, Audience::Customer, &case)).unwrap();
        }
    }
    for (at, state) in [CaseState::Wip, CaseState::NotValidated, CaseState::Validated].into_iter().cycle().take(30).enumerate() {
        let mut case = body(&format!("switchboard backdoored failed {at}"));
        case.codes = vec!["ALM-90001".into()];
        case.equipment = vec![lineman_common::api::CaseEquipment { product: "SECRET".into(), ..Default::default() }];
        let audience = if state == CaseState::Validated { Audience::Internal } else { Audience::Customer };
        beside.write(|tx| sql::add(tx, state, audience, &case)).unwrap();
    }
    let of =
        |store: &TestStore, library: &Library, ask: &dyn Fn(&Index) -> String| store.read(|db| ask(&library.of(db, &customer()).unwrap()));
    let questions: [&dyn Fn(&Index) -> String; 5] = [
        &|index| format!("{:?}", index.search(&words("switchover board failed"))),
        &|index| format!("{:?}", index.search(&Question { want: 100, ..words("") })),
        &|index| ["fail", "failed", "backdoor", "switchov", "alm90001", "secret"].map(|term| index.frequency(term).to_string()).join(" "),
        &|index| format!("{:?}", [index.near("switchbord", 9), index.near("backdor", 9), index.near("switchovr", 9)]),
        &|index| format!("{} {}", index.documents(), index.passes(31, &[])),
    ];
    for question in questions {
        assert_eq!(of(&alone, &own, question), of(&beside, &other, question));
    }
    assert!(of(&beside, &other, questions[3]).contains("switchov"));
    let sees = beside.read(|db| other.of(db, &Scope::All).unwrap().near("backdor", 9));
    assert_eq!(sees, ["backdoor"], "the support centre's index knows it");
}

#[test]
fn cases_from_before_the_index_are_in_it() {
    let row = "INSERT INTO library_case(id, state, audience, body, author, editor, version, created_at, updated_at) VALUES
        ('cas_01890a5d-ac96-774b-bcce-b302099a8057', 'validated', 'customer', '{\"en\":{\"title\":\"fan stopped\"}}', 'a-a', 'a-a', 1, 0, 0)";
    let (store, library) = (TestStore::upgraded(11, row), Library::in_memory());
    assert_eq!(store.read(|db| found(&library, db, &customer(), "fan")), [1]);
}

// ---- On disk --------------------------------------------------------------------------------------------------------

struct Place {
    dir: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("lineman.db"), crate::LISTENERS).unwrap();
        Self { dir, store }
    }

    async fn add(&self, numbers: std::ops::Range<u32>) {
        let job = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
            for number in numbers {
                let audience = if number % 3 == 0 { Audience::Customer } else { Audience::Internal };
                sql::add(tx, CaseState::Validated, audience, &body(&format!("case {} stopped", word(number))))?;
            }
            Ok(())
        };
        self.store.write(job).await.unwrap();
    }

    fn open(&self) -> Library {
        Library::open(self.dir.path())
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join(snapshot::NAME)
    }

    /// How many cases each index holds, and whether each is found by its own word.
    async fn seen(&self, library: &Library) -> (u32, u32) {
        let library = library.clone();
        let look = move |db: &Db<'_>| -> Result<_, StoreError> {
            let all = ask(&library, db, &Scope::All, "stopped")?;
            for hit in &all.hits {
                assert_eq!(found(&library, db, &Scope::All, &word(hit.key)), [hit.key]);
                let theirs = if hit.key % 3 == 0 { vec![hit.key] } else { Vec::new() };
                assert_eq!(found(&library, db, &customer(), &word(hit.key)), theirs);
            }
            Ok((all.total, ask(&library, db, &customer(), "stopped")?.total))
        };
        self.store.read(look).await.unwrap()
    }

    async fn outbox(&self) -> u32 {
        self.store.read(sql::outbox).await.unwrap()
    }

    /// What the keeper does at its next look.
    async fn keep(&self, library: &Library) -> Result<bool, keeper::Error> {
        keeper::activate(library, &self.store, tokio::time::Instant::now() + std::time::Duration::from_secs(60)).await
    }
}

#[tokio::test]
async fn a_snapshot_holds_everything_and_empties_the_outbox() {
    let place = Place::new();
    let library = place.open();
    place.add(1..50).await;
    assert_eq!(place.seen(&library).await, (49, 16));
    keeper::save(&library, &place.store).await.unwrap();
    assert_eq!(place.outbox().await, 0);
    place.add(50..70).await;
    // Another one, from the file and what came after.
    let again = place.open();
    assert_eq!(again.shelves().all.documents(), 49, "read from the file");
    assert_eq!(place.seen(&again).await, (69, 23));
    assert!(again.health().is_whole);
    place.add(70..80).await;
    assert_eq!((place.seen(&again).await, place.seen(&library).await), ((79, 26), (79, 26)));
}

#[tokio::test]
async fn a_snapshot_whose_rows_are_taken_out_by_half_is_good() {
    let place = Place::new();
    let library = place.open();
    place.add(1..20).await;
    let file = place.file();
    assert_eq!(place.seen(&library).await.0, 19);
    keeper::save(&library, &place.store).await.unwrap();
    place.add(20..40).await;
    assert_eq!(place.seen(&library).await.0, 39);
    let old = fs::read(&file).unwrap();
    keeper::save(&library, &place.store).await.unwrap();
    // As if the server had been killed before the rename, and again in the middle of the taking out: the file counts, not the rows.
    place.add(40..60).await;
    assert_eq!(place.seen(&library).await.0, 59);
    let sequence = library.shelves().applied;
    let [all, published] = {
        let mut shelves = library.shelves_mut();
        shelves.close();
        shelves.all.compact();
        shelves.published.compact();
        [shelves.all.freeze().unwrap(), shelves.published.freeze().unwrap()]
    };
    let mark = place.store.read(move |db| super::sql::mark(db, sequence)).await.unwrap().unwrap();
    snapshot::write(&file, Header { sequence, mark }, [&all, &published]).unwrap();
    assert!(place.store.write(move |tx| super::sql::take_out(tx, sequence, 5)).await.unwrap());
    assert!((1..19).contains(&place.outbox().await));
    let again = place.open();
    assert_eq!(place.seen(&again).await.0, 59);
    assert!(again.health().is_whole);
    // The file of long ago lacks what was taken out since.
    fs::write(&file, old).unwrap();
    let stale = place.open();
    place.keep(&stale).await.unwrap();
    assert_eq!(place.seen(&stale).await.0, 59);
}

#[tokio::test]
async fn a_file_that_is_no_good_heals_by_itself() {
    let place = Place::new();
    let library = place.open();
    place.add(1..40).await;
    assert_eq!(place.seen(&library).await, (39, 13));
    keeper::save(&library, &place.store).await.unwrap();
    let good = fs::read(place.file()).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 4;
    let mut older = good.clone();
    older[8] = 0;
    let bad = [
        ("missing", None),
        ("empty", Some(Vec::new())),
        ("cut off", Some(good[..good.len() / 2].to_vec())),
        ("longer", Some([good.clone(), vec![0; 9]].concat())),
        ("a bit flipped", Some(flipped)),
        ("of another version", Some(older)),
        ("something else", Some(b"SQLite format 3\0".repeat(200))),
    ];
    for (what, bytes) in bad {
        match bytes {
            Some(bytes) => fs::write(place.file(), bytes).unwrap(),
            None => fs::remove_file(place.file()).unwrap(),
        }
        let library = place.open();
        assert!(!library.health().is_whole, "{what}");
        // New ones are found before the old ones are back.
        let early = library.clone();
        place.store.read(move |db| early.catch_up(db)).await.unwrap();
        assert!(place.keep(&library).await.unwrap(), "{what}: built anew, and written");
        assert_eq!(place.seen(&library).await, (39, 13), "{what}");
        assert!(library.health().is_whole && place.open().shelves().all.documents() == 39, "{what}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn no_damage_is_believed(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), end in any::<prop::sample::Index>(), is_cut: bool) {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join(snapshot::NAME);
        let (mut store, library) = (TestStore::new(), Library::in_memory());
        for number in 1..20 {
            store.write(|tx| sql::add(tx, CaseState::Validated, Audience::Customer, &body(&word(number)))).unwrap();
        }
        store.read(|db| library.catch_up(db)).unwrap();
        let mut shelves = library.shelves_mut();
        shelves.all.compact();
        let frozen = shelves.all.freeze().unwrap();
        snapshot::write(&place, Header { sequence: 7, mark: -7 }, [&frozen, &frozen]).unwrap();
        let good = fs::read(&place).unwrap();
        let mut bytes = good.clone();
        for (at, byte) in &cuts {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if is_cut {
            bytes.truncate(end.index(bytes.len()));
        }
        fs::write(&place, &bytes).unwrap();
        let read = snapshot::read(&place);
        prop_assert_eq!(read.is_ok(), bytes == good, "{:?}", read.map(|_| ()));
    }
}

#[tokio::test]
async fn a_restored_backup_is_not_mixed_with_a_newer_index() {
    let place = Place::new();
    let library = place.open();
    place.add(1..10).await;
    let backup = place.dir.path().join("backup.db");
    crate::store::backup(place.store.path(), &backup).unwrap();
    place.add(10..20).await;
    assert_eq!(place.seen(&library).await.0, 19);
    keeper::save(&library, &place.store).await.unwrap();
    place.store.close().await;
    crate::store::restore(&backup, place.store.path()).unwrap();
    let place = Place { store: Store::open(place.store.path(), crate::LISTENERS).unwrap(), dir: place.dir };
    // In this life, other cases have these numbers, and the outbox comes to the same place.
    place.add(10..20).await;
    let change = |tx: &mut Tx<'_>| sql::set(tx, CaseNumber(19), CaseState::Wip, Audience::Internal, &body("stopped for good"));
    place.store.write(change).await.unwrap();
    let again = place.open();
    place.keep(&again).await.unwrap();
    let own = again.clone();
    let seen = place
        .store
        .read(move |db| -> Result<_, StoreError> { Ok((found(&own, db, &Scope::All, "good"), found(&own, db, &Scope::All, &word(19)))) });
    assert_eq!(seen.await.unwrap(), (vec![19], vec![]));
    assert_eq!(again.health().cases, 19);
}

#[tokio::test]
async fn a_memory_that_missed_rows_is_built_anew() {
    let place = Place::new();
    let [own, other] = [place.open(), place.open()];
    place.add(1..10).await;
    assert_eq!(place.seen(&own).await.0, 9);
    place.add(10..20).await;
    // Another process, like `cases rebuild`, has written a snapshot and taken the rows out.
    assert_eq!(place.seen(&other).await.0, 19);
    keeper::save(&other, &place.store).await.unwrap();
    place.add(20..25).await;
    assert!(place.keep(&own).await.unwrap());
    assert_eq!(place.seen(&own).await.0, 24);
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let place = Place::new();
    let library = place.open();
    place.add(1..10).await;
    assert_eq!(place.seen(&library).await.0, 9);
    keeper::save(&library, &place.store).await.unwrap();
    let before = fs::read(place.file()).unwrap();
    place.add(10..20).await;
    assert_eq!(place.seen(&library).await.0, 19);
    let full = place.file().with_extension("new");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let error = keeper::save(&library, &place.store).await.unwrap_err();
    assert!(error.to_string().contains("the changes are kept in the database"), "{error}");
    assert_eq!((fs::read(place.file()).unwrap(), place.outbox().await), (before, 10));
    assert_eq!((place.seen(&library).await.0, place.seen(&place.open()).await.0), (19, 19));
    // What was in its way was removed with it.
    keeper::save(&library, &place.store).await.unwrap();
    assert_eq!(place.outbox().await, 0);
}

#[tokio::test]
async fn a_wish_is_fulfilled_once() {
    let place = Place::new();
    let library = place.open();
    place.add(1..600).await;
    let wish = place.store.write(|tx: &mut Tx<'_>| super::sql::add_wish(tx)).await.unwrap();
    assert!(place.keep(&library).await.unwrap());
    let wishes = place.store.read(super::sql::wishes).await.unwrap();
    assert_eq!((wishes.done, wishes.progress), (wish, Progress { cases: 599, of: 599 }));
    assert_eq!((library.health(), place.outbox().await), (Health { cases: 599, is_whole: true, rebuild: None }, 0));
    assert!(!place.keep(&library).await.unwrap());
    assert_eq!(place.seen(&library).await, (599, 199));
}

#[tokio::test]
async fn what_is_saved_while_it_is_built_is_in_it() {
    let place = Place::new();
    let library = place.open();
    place.add(1..400).await;
    let saved = AtomicU32::new(400);
    let saving = async {
        for number in 400..420 {
            place.add(number..number + 1).await;
            saved.store(number + 1, Ordering::Relaxed);
        }
    };
    let (built, ()) = tokio::join!(rebuild::rebuild(&library, &place.store, None), saving);
    assert!(built.unwrap() >= 399);
    assert_eq!(place.seen(&library).await.0, saved.into_inner() - 1);
}

#[tokio::test]
async fn questions_are_answered_while_much_is_taken_in_and_say_so() {
    let place = Place::new();
    let library = place.open();
    place.add(1..1_500).await;
    let own = library.clone();
    let partly = place.store.read(move |db| ask(&own, db, &Scope::All, "stopped")).await.unwrap();
    assert!(partly.total < 1_499 && !library.health().is_whole);
    place.keep(&library).await.unwrap();
    assert!(library.health().is_whole);
    assert_eq!(place.seen(&library).await.0, 1_499);
}

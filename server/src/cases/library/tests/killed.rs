//! A real process, killed with SIGKILL between every pair of steps of a save.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use rustix::process::{Signal, getpid, kill_process};

use super::*;

const CHILD: &str = "LINEMAN_TEST_LIBRARY_CHILD";
/// Where it dies: `step count`.
const DEATH: &str = "LINEMAN_TEST_LIBRARY_DEATH";

/// In the order in which a save takes them. Those of the snapshot are what the code itself says it has done.
const STEPS: [&str; 9] = ["in the transaction", "committed", "taken in", "begun", "half", "written", "renamed", "flushed", "taken out"];

fn die() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("killed")
}

/// Dies when a step was taken for the last time that it may.
struct Death {
    step: String,
    left: AtomicU32,
}

impl Death {
    fn at(&self, step: &str) {
        if step == self.step && self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            die();
        }
    }
}

/// What the code says it does, read as it says it: in the middle of the doing.
#[derive(Clone)]
struct Listener(Arc<Death>);

impl Write for Listener {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        if let Some(step) = text.split("step=\"").nth(1).and_then(|rest| rest.split('"').next()) {
            self.0.at(step);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Not a test by itself: the process that is killed.
#[tokio::test]
async fn child_that_saves_until_it_dies() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let death = std::env::var(DEATH).unwrap();
    let (step, count) = death.rsplit_once(' ').unwrap();
    let death = Arc::new(Death { step: step.to_owned(), left: AtomicU32::new(count.parse().unwrap()) });
    let listener = Listener(Arc::clone(&death));
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false).with_writer(move || listener.clone()).init();
    let dir = Path::new(&dir);
    let store = Store::open(&dir.join("lineman.db"), crate::LISTENERS).unwrap();
    let library = Library::open(dir);
    let mut out = std::io::stdout();
    for turn in 0..10_000 {
        let dying = Arc::clone(&death);
        let job = move |tx: &mut Tx<'_>| -> Result<_, StoreError> {
            let next = super::super::sql::count_in_use(tx)? + 1;
            let number = sql::add(tx, CaseState::Validated, Audience::Customer, &body(&format!("case {} stopped", word(next))))?;
            assert_eq!(number.0, next);
            dying.at("in the transaction");
            Ok(number)
        };
        let number = store.write(job).await.unwrap();
        writeln!(out, "\nsaved {}", number.0).unwrap();
        out.flush().unwrap();
        death.at("committed");
        let own = library.clone();
        store.read(move |db| own.catch_up(db)).await.unwrap();
        death.at("taken in");
        if turn % 3 == 2 {
            keeper::save(&library, &store).await.unwrap();
        }
    }
}

fn run_until_it_dies(dir: &Path, step: &str, count: u32) -> Vec<u32> {
    let name = module_path!().split_once("::").unwrap().1;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{name}::child_that_saves_until_it_dies"), "--nocapture"])
        .env(CHILD, dir)
        .env(DEATH, format!("{step} {count}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let saved = lines.filter_map(|line| line.unwrap().strip_prefix("saved ")?.parse().ok()).collect();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "{step}: it was to die by the signal, and ended with {status}");
    saved
}

/// `SOAK=1` kills a thousand times.
#[tokio::test]
async fn a_killed_process_loses_nothing_it_was_told_is_saved() {
    let rounds = if std::env::var_os("SOAK").is_some() { 112 } else { 2 };
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = std::collections::BTreeSet::new();
    for round in 0..rounds {
        for step in STEPS {
            // `half` comes twice in a save.
            let saved = run_until_it_dies(dir.path(), step, 1 + round % 4);
            acknowledged.extend(saved);
            let place =
                Place { store: Store::open(&dir.path().join("lineman.db"), crate::LISTENERS).unwrap(), dir: tempfile::tempdir().unwrap() };
            let library = Library::open(dir.path());
            place.keep(&library).await.unwrap();
            let (own, numbers) = (library.clone(), acknowledged.clone());
            let look = move |db: &Db<'_>| -> Result<u32, StoreError> {
                // One round's newest and some of the others; all of them are counted below.
                for number in numbers.iter().rev().take(20) {
                    assert_eq!(found(&own, db, &Scope::All, &word(*number)), [*number], "C-{number} was saved, and is lost");
                    assert_eq!(found(&own, db, &customer(), &word(*number)), [*number]);
                }
                for number in &numbers {
                    assert!(own.of(db, &Scope::All)?.passes(*number, &[]), "C-{number} was saved, and is lost");
                }
                super::super::sql::count_in_use(db)
            };
            let cases = place.store.read(look).await.unwrap();
            // Nothing that was not saved, and nothing twice.
            assert_eq!((library.health().cases, library.health().is_whole), (cases, true), "{step}");
            place.store.close().await;
        }
    }
    assert!(acknowledged.len() > STEPS.len());
}

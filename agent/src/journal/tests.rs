use std::io::Write;

use super::*;

fn ended(engineer: &str) -> Entry {
    Entry::SessionEnded {
        session: SessionId::new(),
        consent: ConsentId::new(),
        engineer: engineer.parse().unwrap(),
        chunks: 2,
        head: "h".into(),
        reason: EndReason::Client,
    }
}

fn begun() -> Entry {
    let bind = Bind {
        device: "ne-1.jw.ne".parse().unwrap(),
        consent: ConsentId::new(),
        grade: Grade::EndToEnd,
        request_sha256: "r".into(),
        consents_sha256: vec!["c".into()],
        engineer: "engineer-a".parse().unwrap(),
        engineer_key: "SHA256:k".into(),
        host_key: "h".into(),
        account: "nobody".into(),
        started: "2026-11-22T08:00:00Z".parse().unwrap(),
    };
    Entry::SessionBegun { session: SessionId::new(), bind: Box::new(bind) }
}

fn every_kind() -> Vec<Entry> {
    let signed = Signed { text: "lineman-local: 1\n".into(), signature: "s\n".into() };
    let live = Entry::ConsentLive {
        consent: ConsentId::new(),
        grade: Grade::Role,
        engineer: "engineer-a".parse().unwrap(),
        approvers: vec!["noc-jw".parse().unwrap(), "noc-2".parse().unwrap()],
        approved_in_page: vec!["noc-2".parse().unwrap()],
        doors: "shell,forward:10.0.0.5:443".parse().unwrap(),
        account: "view".into(),
        until: "2026-11-22T10:00:00Z".parse().unwrap(),
        statements_sha256: vec!["a".into(), "b".into()],
    };
    vec![
        begun(),
        ended("engineer-b"),
        Entry::Local { signed },
        Entry::List { list: List::Signers, counter: 7, sha256: "s".into() },
        live,
        Entry::ConsentEnded { consent: ConsentId::new(), reason: EndReason::Revoked },
        Entry::Stopped { by: "noc-jw".into(), reason: "风扇\nlines".into() },
        Entry::Resumed { by: "noc-jw".into() },
    ]
}

fn entries(dir: &Path) -> Vec<Entry> {
    read(dir).unwrap().into_iter().map(|line| line.entry).collect()
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join(FILE)).unwrap()
}

fn problems(dir: &Path) -> String {
    check(dir, &[]).unwrap().problems.join("; ")
}

fn append(dir: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(dir.join(FILE)).unwrap().write_all(bytes).unwrap();
}

#[test]
fn every_kind_reads_back_numbered_and_chained() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let entries = every_kind();
    for entry in &entries {
        journal.write(entry).unwrap();
    }
    assert_eq!(self::entries(dir.path()), entries);
    let mut prev = FIRST_PREV.to_owned();
    for (n, (text, entry)) in (1..).zip(log(dir.path()).lines().zip(&entries)) {
        let line: Line = serde_json::from_str(text).unwrap();
        assert_eq!((line.n, &line.prev), (n, &prev));
        assert!(text.contains(&format!("\"kind\":\"{}\"", entry.kind())), "{text}");
        assert!(!line.entry.text().contains('\n'));
        prev = sha256_hex(text);
    }
    assert_eq!(journal.position(), Position { n: 8, sha256: prev });
    let checked = check(dir.path(), &[]).unwrap();
    assert_eq!(checked, Checked { entries: 8, first: 1, last: 8, ..Checked::default() });
}

#[test]
fn a_restart_goes_on_with_number_and_hash() {
    let dir = tempfile::tempdir().unwrap();
    Journal::open(dir.path()).unwrap().write(&begun()).unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(*journal.last().borrow(), 1);
    journal.write(&ended("engineer-a")).unwrap();
    assert_eq!((problems(dir.path()).as_str(), read(dir.path()).unwrap().len()), ("", 2));
}

#[test]
fn two_processes_write_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (Journal::open(dir.path()).unwrap(), Journal::open(dir.path()).unwrap());
    std::thread::scope(|scope| {
        for journal in [&one, &other] {
            scope.spawn(|| (0..20).for_each(|_| journal.write(&ended("engineer-a")).unwrap()));
        }
    });
    assert_eq!((problems(dir.path()).as_str(), read(dir.path()).unwrap().len()), ("", 40));
}

#[test]
fn a_torn_line_spoils_no_other_even_inside_a_character() {
    for torn in [&b"{\"n\":2,\"at\":\"2026-"[..], b"{\"n\":2,\"by\":\"\xe5\xb7", b"\0\0\0\0"] {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (begun(), ended("engineer-b"));
        Journal::open(dir.path()).unwrap().write(&one).unwrap();
        append(dir.path(), torn);
        Journal::open(dir.path()).unwrap().write(&two).unwrap();
        assert_eq!(entries(dir.path()), [one, two]);
        let checked = check(dir.path(), &[]).unwrap();
        assert_eq!((checked.problems.len(), checked.notes.len(), checked.last), (0, 1, 2), "{checked:?}");
    }
}

#[test]
fn a_line_whose_end_was_not_flushed_counts_if_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    journal.write(&begun()).unwrap();
    journal.write(&ended("engineer-a")).unwrap();
    let log = log(dir.path());
    fs::write(dir.path().join(FILE), log.trim_end()).unwrap();
    journal.write(&ended("engineer-b")).unwrap();
    assert_eq!((problems(dir.path()).as_str(), read(dir.path()).unwrap().len()), ("", 3));
}

/// Each way to lie, and what is said of it.
#[test]
fn what_was_removed_or_changed_shows() {
    type Lie = fn(&mut Vec<String>);
    let lies: [(Lie, &str); 6] = [
        (|lines| lines[2] = lines[2].replace("engineer-2", "engineer-9"), "entry 4 does not follow from entry 3"),
        (|lines| drop(lines.remove(2)), "entry 4 follows entry 2: those between were removed"),
        (|lines| lines.swap(1, 2), "entry 3 follows entry 1"),
        (|lines| drop(lines.pop()), "it ends with entry 4, but journal.head remembers 5"),
        (|lines| lines[4] = lines[4].replace("engineer-4", "engineer-9"), "entry 5: journal.head remembers another one"),
        (|lines| lines[2] = "{}".into(), "entry 4 follows entry 2"),
    ];
    for (lie, said) in lies {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        for n in 0..5 {
            journal.write(&ended(&format!("engineer-{n}"))).unwrap();
        }
        assert_eq!(problems(dir.path()), "");
        let mut lines: Vec<_> = log(dir.path()).lines().map(str::to_owned).collect();
        lie(&mut lines);
        fs::write(dir.path().join(FILE), lines.join("\n") + "\n").unwrap();
        let found = problems(dir.path());
        assert!(found.contains(said), "{found}\nshould say\n{said}");
    }
}

#[test]
fn a_cut_journal_goes_on_with_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    (0..3).for_each(|_| journal.write(&ended("engineer-a")).unwrap());
    drop(journal);
    let first = log(dir.path()).lines().next().unwrap().to_owned() + "\n";
    fs::write(dir.path().join(FILE), first).unwrap();
    Journal::open(dir.path()).unwrap().write(&ended("engineer-a")).unwrap();
    assert_eq!(read(dir.path()).unwrap().iter().map(|line| line.n).collect::<Vec<_>>(), [1, 4]);
    assert!(problems(dir.path()).contains("entry 4 follows entry 1"));
}

#[test]
fn a_sink_remembers_what_the_device_forgot() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    (0..3).for_each(|_| journal.write(&ended("engineer-a")).unwrap());
    let sent = Witness { name: "syslog".into(), position: journal.position() };
    for file in [FILE, HEAD] {
        fs::remove_file(dir.path().join(file)).unwrap();
    }
    let anew = Journal::open(dir.path()).unwrap();
    anew.write(&ended("engineer-b")).unwrap();
    assert_eq!(problems(dir.path()), "", "by itself it holds");
    let found = check(dir.path(), std::slice::from_ref(&sent)).unwrap().problems;
    assert_eq!(found, ["it ends with entry 1, but syslog remembers 3"]);
    (0..2).for_each(|_| anew.write(&ended("engineer-b")).unwrap());
    assert_eq!(check(dir.path(), &[sent]).unwrap().problems, ["entry 3: syslog remembers another one"]);
}

/// A journal that takes a line or two, both files full: entries 1 and 2.
fn full(dir: &Path) -> Journal {
    let journal = Journal { max_bytes: 400, ..Journal::open(dir).unwrap() };
    journal.write(&begun()).unwrap();
    journal.write(&begun()).unwrap();
    assert!(log(dir).len() > 400 && length(&dir.join(OLDER)).unwrap() > 400, "the old file is beside it");
    journal
}

fn live(approvers: &[&str]) -> (ConsentId, Entry) {
    let consent = ConsentId::new();
    let entry = Entry::ConsentLive {
        consent,
        grade: Grade::EndToEnd,
        engineer: "engineer-a".parse().unwrap(),
        approvers: approvers.iter().map(|name| name.parse().unwrap()).collect(),
        approved_in_page: Vec::new(),
        doors: "shell".parse().unwrap(),
        account: "view".into(),
        until: "2026-11-22T10:00:00Z".parse().unwrap(),
        statements_sha256: vec!["a".into()],
    };
    (consent, entry)
}

fn begun_under(consent: ConsentId) -> Entry {
    let Entry::SessionBegun { session, bind } = begun() else { panic!("a session begins with its beginning") };
    Entry::SessionBegun { session, bind: Box::new(Bind { consent, ..*bind }) }
}

#[test]
fn nothing_washes_history_out() {
    let dir = tempfile::tempdir().unwrap();
    let journal = full(dir.path());
    let before = fs::read(dir.path().join(OLDER)).unwrap();
    for entry in every_kind().iter().filter(|entry| entry.begins()) {
        let refused = journal.write(entry).unwrap_err().to_string();
        assert!(refused.contains("is full: move"), "{refused}");
    }
    for entry in every_kind().iter().filter(|entry| !entry.begins()) {
        journal.write(entry).unwrap();
    }
    assert_eq!((read(dir.path()).unwrap().len(), problems(dir.path()).as_str()), (7, ""), "what is no beginning is told");
    assert_eq!(fs::read(dir.path().join(OLDER)).unwrap(), before);
    // Something that can't be followed is there all the same.
    fs::rename(dir.path().join(OLDER), dir.path().join("kept")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join(OLDER)).unwrap();
    assert!(journal.write(&begun()).is_err());
    fs::remove_file(dir.path().join(OLDER)).unwrap();
    journal.write(&begun()).unwrap();
    let checked = check(dir.path(), &[]).unwrap();
    assert_eq!((checked.first, checked.problems.len(), checked.notes.len()), (2, 1, 0));
    assert!(checked.problems[0].contains("entries 1 to 1 are not here. Look for the `journal.log.1`"), "{:?}", checked.problems);
}

#[test]
fn a_clock_that_runs_years_ahead_rotates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    // The history, and a file that a clock of long ago began.
    fs::write(dir.path().join(OLDER), "history\n").unwrap();
    let old = Line { n: 1, at: "1999-01-01T00:00:00Z".parse().unwrap(), prev: FIRST_PREV.into(), entry: begun() };
    fs::write(dir.path().join(FILE), serde_json::to_string(&old).unwrap() + "\n").unwrap();
    journal.write(&begun()).unwrap();
    assert_eq!(log(dir.path()).lines().count(), 2);
    assert_eq!(fs::read_to_string(dir.path().join(OLDER)).unwrap(), "history\n");
}

#[test]
fn a_full_journal_still_takes_what_root_approved_here() {
    let dir = tempfile::tempdir().unwrap();
    let journal = full(dir.path());
    let (foreign, by_the_carrier) = live(&["noc-jw"]);
    let (own, by_root) = live(&[]);
    assert!(journal.write(&by_the_carrier).is_err() && journal.write(&begun_under(foreign)).is_err());
    assert!(journal.write(&begun_under(own)).is_err(), "not approved yet");
    journal.write(&by_root).unwrap();
    journal.write(&begun_under(own)).unwrap();
    assert!(journal.write(&begun_under(foreign)).is_err());
    // The centre can't use the reserve up: what it resumes is refused, so it stops once.
    assert!(journal.write(&Entry::Resumed { by: "noc-jw".into() }).is_err());
    append(dir.path(), &vec![b'\n'; 1024 * 1024]);
    assert!(journal.write(&by_root).is_err() && journal.write(&begun_under(own)).is_err(), "the reserve has an end");
    journal.write(&ended("engineer-a")).unwrap();
}

#[test]
fn a_follower_reads_on_from_a_number_across_both_files() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let mut last = journal.last();
    journal.write(&ended("engineer-a")).unwrap();
    fs::rename(dir.path().join(FILE), dir.path().join(OLDER)).unwrap();
    (0..5).for_each(|_| journal.write(&ended("engineer-b")).unwrap());
    assert!(dir.path().join(OLDER).exists());
    assert_eq!(*last.borrow_and_update(), 6);
    let numbers = |after, most| journal.after(after, most).unwrap().iter().map(|written| written.line.n).collect::<Vec<_>>();
    assert_eq!(numbers(0, 100), [1, 2, 3, 4, 5, 6]);
    assert_eq!(numbers(0, 2), [1, 2]);
    assert_eq!(numbers(4, 100), [5, 6]);
    assert_eq!(numbers(6, 100), Vec::<u64>::new());
}

#[test]
fn sessions_are_listed_from_their_entries() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for entry in every_kind() {
        journal.write(&entry).unwrap();
    }
    let heads = sessions(dir.path()).unwrap();
    assert_eq!(heads.iter().map(|head| head.reason).collect::<Vec<_>>(), [None, Some(EndReason::Client)]);
}

#[test]
fn a_disk_that_fails_half_way_spoils_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    journal.write(&ended("engineer-a")).unwrap();
    // As if a write of entry 2 had come to the disk and its flush had failed: the caller was told that it is not there.
    let lost = Line { n: 2, at: Timestamp::now(), prev: journal.position().sha256, entry: ended("engineer-b") };
    append(dir.path(), &[serde_json::to_vec(&lost).unwrap(), b"\n".to_vec()].concat());
    journal.write(&ended("engineer-c")).unwrap();
    assert_eq!((problems(dir.path()).as_str(), read(dir.path()).unwrap().len()), ("", 3));
}

//! What the spool promises, one promise a test: first by example, then against a model, then against SIGKILL.

mod killed;
mod model;

use super::segment::{Segment, disk};
use super::*;

const SMALL: u64 = LEAST_BYTES;
const ROOMY: u64 = 8 * 1024 * 1024;

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spool");
    (dir, path)
}

fn crash(mut spool: Spool) {
    spool.crashed = true;
}

fn all(spool: &mut Spool, stream: Stream) -> Vec<(u64, Vec<u8>)> {
    spool.read_from(stream, 0, usize::MAX).unwrap()
}

fn seqs(spool: &mut Spool, stream: Stream) -> Vec<u64> {
    all(spool, stream).into_iter().map(|(seq, _)| seq).collect()
}

/// The newest segment file of a stream.
fn newest(dir: &Path, stream: Stream) -> PathBuf {
    let mut paths: Vec<_> = std::fs::read_dir(dir.join(stream.as_str())).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.pop().unwrap()
}

fn cut(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len.saturating_sub(bytes)).unwrap();
}

#[test]
fn what_was_appended_is_read_until_it_is_acknowledged() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    assert_eq!((spool.first_unacked(Stream::Events), spool.next_seq(Stream::Events)), (1, 1));
    assert_eq!(spool.append(Stream::Events, b"one").unwrap(), 1);
    assert_eq!(spool.append_batch(Stream::Events, &["two", "three"]).unwrap(), 2..4);
    assert_eq!(spool.append(Stream::Health, b"h").unwrap(), 1, "each stream counts for itself");
    assert_eq!(spool.read_from(Stream::Events, 2, 1).unwrap(), [(2, b"two".to_vec())], "at least one, whatever its size");
    assert_eq!(spool.read_from(Stream::Events, 3, 100).unwrap(), [(3, b"three".to_vec())]);
    spool.ack(Stream::Events, 2).unwrap();
    spool.ack(Stream::Events, 1).unwrap();
    assert_eq!(spool.first_unacked(Stream::Events), 3);
    assert_eq!(seqs(&mut spool, Stream::Events), [3]);
    assert_eq!(seqs(&mut spool, Stream::Health), [1]);
    assert!(matches!(spool.ack(Stream::Events, 4), Err(SpoolError::AckAhead { newest: 3, .. })));
}

#[test]
fn nothing_follows_a_report_that_is_over_the_budget_alone() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    spool.append_batch(Stream::Events, &["longer than that", "", ""]).unwrap();
    assert_eq!(spool.read_from(Stream::Events, 1, 4).unwrap().len(), 1);
    assert_eq!(spool.read_from(Stream::Events, 2, 0).unwrap().len(), 2);
}

#[test]
fn a_second_opening_is_refused_until_the_first_ends() {
    let (_guard, dir) = scratch();
    let spool = Spool::open(&dir, ROOMY).unwrap();
    assert!(matches!(Spool::open(&dir, ROOMY), Err(SpoolError::InUse { .. })));
    drop(spool);
    Spool::open(&dir, ROOMY).unwrap();
}

#[test]
fn a_bound_too_small_says_what_would_do() {
    let (_guard, dir) = scratch();
    let error = Spool::open(&dir, 100).unwrap_err().to_string();
    assert!(error.contains("at least 65536"), "{error}");
}

#[test]
fn only_the_agent_can_look_into_it() {
    use std::os::unix::fs::PermissionsExt;
    let (_guard, dir) = scratch();
    Spool::open(&dir, ROOMY).unwrap().append(Stream::Recording, b"secret").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&newest(&dir, Stream::Recording)), 0o600);
}

#[test]
fn after_an_orderly_end_the_numbers_go_on_without_a_gap() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    let epoch = spool.epoch();
    spool.append_batch(Stream::Events, &["a", "b"]).unwrap();
    spool.ack(Stream::Events, 2).unwrap();
    drop(spool);
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    assert_eq!(spool.epoch(), epoch);
    assert_eq!(spool.first_unacked(Stream::Events), 3, "acknowledgements were written down");
    assert_eq!(spool.append(Stream::Events, b"c").unwrap(), 3);
}

#[test]
fn numbers_never_come_back() {
    for stream in Stream::ALL {
        for (torn, crashed) in [(0, false), (0, true), (30, true), (u64::MAX, false), (u64::MAX, true)] {
            let (_guard, dir) = scratch();
            let mut spool = Spool::open(&dir, ROOMY).unwrap();
            let mut highest = 0;
            for _ in 0..20 {
                highest = spool.append(*stream, &[7; 5000]).unwrap();
            }
            spool.ack(*stream, highest).unwrap();
            if crashed {
                crash(spool);
            } else {
                drop(spool);
            }
            cut(&newest(&dir, *stream), torn);
            let mut spool = Spool::open(&dir, ROOMY).unwrap();
            let next = spool.append(*stream, b"next").unwrap();
            assert!(next > highest, "{stream}, torn {torn}, crashed {crashed}: {next} after {highest}");
            assert_eq!(all(&mut spool, *stream).last(), Some(&(next, b"next".to_vec())));
        }
    }
}

#[test]
fn acknowledged_segments_are_deleted() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    for _ in 0..100 {
        spool.append(Stream::Recording, &vec![1; 20_000]).unwrap();
    }
    let segments = || std::fs::read_dir(dir.join("recording")).unwrap().count();
    assert!(segments() > 5, "rotation");
    spool.ack(Stream::Recording, 99).unwrap();
    assert_eq!(segments(), 1);
    assert_eq!(seqs(&mut spool, Stream::Recording), [100]);
    spool.ack(Stream::Recording, 100).unwrap();
    assert!(spool.bytes() <= 64 * 1024, "the newest one is emptied: {}", spool.bytes());
}

#[test]
fn a_full_spool_drops_the_oldest_health_before_any_alarm_and_says_so() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, SMALL).unwrap();
    let mut health = 0;
    for _ in 0..60 {
        health = spool.append(Stream::Health, &[1; 1000]).unwrap();
    }
    let held = seqs(&mut spool, Stream::Health);
    assert!(spool.bytes() <= SMALL - SMALL / 8, "the share of events stays free: {}", spool.bytes());
    assert!(held[0] > 1 && *held.last().unwrap() == health, "the oldest went, the newest is held");

    let mut alarms = 0;
    let refused = loop {
        match spool.append(Stream::Events, &[2; 500]) {
            Ok(seq) => alarms = seq,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, SpoolError::Full { stream: Stream::Events, .. }), "{refused}");
    assert!(refused.is_full());
    assert!(spool.bytes() <= SMALL);
    assert_eq!(seqs(&mut spool, Stream::Health), [] as [u64; 0], "all health went before an alarm was refused");
    assert_eq!(seqs(&mut spool, Stream::Events), (1..=alarms).collect::<Vec<_>>(), "no alarm was dropped");
    assert_eq!(spool.dropped().collect::<Vec<_>>(), [(Stream::Health, health)], "every dropped report is counted");

    drop(spool);
    let mut spool = Spool::open(&dir, SMALL).unwrap();
    assert!(spool.dropped().all(|(stream, count)| stream == Stream::Health && count >= health), "the count survives");
    let (_, count) = spool.dropped().next().unwrap();
    spool.ack(Stream::Events, alarms).unwrap();
    spool.append(Stream::Events, b"dropped").unwrap();
    spool.dropped_told(Stream::Health, count).unwrap();
    crash(spool);
    assert_eq!(Spool::open(&dir, SMALL).unwrap().dropped().count(), 0);
}

#[test]
fn a_drop_is_counted_once_also_after_a_crash() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, SMALL).unwrap();
    for _ in 0..200 {
        spool.append(Stream::Health, &[1; 1000]).unwrap();
    }
    let held = seqs(&mut spool, Stream::Health).len() as u64;
    crash(spool);
    let mut spool = Spool::open(&dir, SMALL).unwrap();
    assert_eq!(seqs(&mut spool, Stream::Health).len() as u64, held);
    assert_eq!(spool.dropped().collect::<Vec<_>>(), [(Stream::Health, 200 - held)]);
}

#[test]
fn recordings_are_refused_before_the_share_of_events_is_touched() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, SMALL).unwrap();
    spool.append(Stream::Health, &[1; 1000]).unwrap();
    let refused = loop {
        if let Err(error) = spool.append(Stream::Recording, &[3; 1000]) {
            break error;
        }
    };
    assert!(matches!(refused, SpoolError::Full { stream: Stream::Recording, .. }));
    assert_eq!(spool.dropped().collect::<Vec<_>>(), [(Stream::Health, 1)]);
    for _ in 0..7 {
        spool.append(Stream::Events, &[2; 1000]).unwrap();
    }
    assert!(matches!(spool.append(Stream::Health, &[1; 1000]), Err(SpoolError::Full { .. })));
    assert_eq!(spool.dropped().collect::<Vec<_>>(), [(Stream::Health, 2)], "refused health is counted, too");
    crash(spool);
    let mut spool = Spool::open(&dir, SMALL).unwrap();
    assert_eq!(spool.dropped().collect::<Vec<_>>(), [(Stream::Health, 2)], "and the count survives a crash");
    let newest = spool.next_seq(Stream::Recording) - 1;
    spool.ack(Stream::Recording, newest).unwrap();
    spool.append(Stream::Recording, &[3; 1000]).unwrap();
}

#[test]
fn health_is_not_thrown_away_for_what_would_not_fit_even_then() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, SMALL).unwrap();
    spool.append(Stream::Health, &[1; 1000]).unwrap();
    assert!(spool.append(Stream::Recording, &vec![3; 60_000]).unwrap_err().is_full());
    assert_eq!(seqs(&mut spool, Stream::Health), [1]);
    let most = MAX_PAYLOAD_BYTES + 1;
    assert!(matches!(spool.append(Stream::Events, &vec![0; most]), Err(SpoolError::TooLarge { bytes }) if bytes == most));
}

#[test]
fn a_full_disk_is_handled_like_a_full_spool() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    spool.append(Stream::Events, b"first").unwrap();
    spool.append(Stream::Health, &[1; 100]).unwrap();
    disk::room(Some(10));
    let refused = spool.append(Stream::Events, b"second");
    assert!(matches!(refused, Err(SpoolError::DiskFull { stream: Stream::Events, .. })), "{refused:?}");
    assert_eq!(spool.dropped().collect::<Vec<_>>(), [(Stream::Health, 1)], "health had to go first");
    assert_eq!(all(&mut spool, Stream::Events), [(1, b"first".to_vec())], "nothing half-written is left");
    assert!(spool.append(Stream::Recording, b"chunk").unwrap_err().is_full(), "no new segment can be made");
    disk::room(None);
    assert_eq!(spool.append(Stream::Events, b"second").unwrap(), 2);
    crash(spool);
    assert_eq!(seqs(&mut Spool::open(&dir, ROOMY).unwrap(), Stream::Events), [1, 2]);
}

#[test]
fn on_a_full_disk_dropped_health_makes_room_for_an_alarm() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    spool.append(Stream::Events, b"first").unwrap();
    spool.append(Stream::Health, &[1; 100]).unwrap();
    disk::room(Some(0));
    let health = newest(&dir, Stream::Health);
    // What the dropped segment gives back is room again: stand in for the disk by giving it on the first retry.
    assert_eq!(std::fs::metadata(&health).unwrap().len(), 120);
    assert!(spool.append(Stream::Events, b"second").unwrap_err().is_full());
    assert_eq!(std::fs::metadata(&health).unwrap().len(), 0, "the room was given back");
    disk::add_room(120);
    spool.append(Stream::Events, b"second").unwrap();
    disk::room(None);
}

#[test]
fn a_damaged_middle_is_skipped_and_counted() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, SMALL).unwrap();
    for _ in 0..12 {
        spool.append(Stream::Events, &[5; 1000]).unwrap();
    }
    let mut paths: Vec<_> = std::fs::read_dir(dir.join("events")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 3);
    // A payload in the first segment, while the spool is open; a header in the second, while it is closed.
    damage(&paths[0], disk_bytes(1000) + 500);
    let following = Segment::first_of(&paths[1]).unwrap();
    assert_eq!(seqs(&mut spool, Stream::Events), (1..=12).filter(|seq| *seq != 2).collect::<Vec<_>>());
    assert_eq!(spool.dropped().collect::<Vec<_>>(), [(Stream::Events, 1)]);
    drop(spool);
    damage(&paths[1], disk_bytes(1000) + 3);
    let after = Segment::first_of(&paths[2]).unwrap();
    let mut spool = Spool::open(&dir, SMALL).unwrap();
    let expected: Vec<_> = (1..=12).filter(|seq| *seq != 2 && (*seq <= following || *seq >= after)).collect();
    assert_eq!(seqs(&mut spool, Stream::Events), expected);
    assert_eq!(spool.dropped().collect::<Vec<_>>(), [(Stream::Events, 1 + after - following - 1)]);
    drop(spool);
    assert_eq!(Spool::open(&dir, SMALL).unwrap().dropped().collect::<Vec<_>>(), [(Stream::Events, after - following)], "told once");
}

fn damage(path: &Path, offset: u64) {
    use std::os::unix::fs::FileExt;
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x55], offset).unwrap();
}

#[test]
fn a_rollback_is_noticed_also_when_the_numbers_have_caught_up() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    let old = spool.epoch();
    spool.append_batch(Stream::Events, &["a", "b", "c"]).unwrap();
    assert!(!spool.is_rolled_back(Stream::Events, 0));
    assert!(spool.is_rolled_back(Stream::Events, 2), "the server can't hold what was never sent");
    spool.read_from(Stream::Events, 1, 1).unwrap();
    assert!(!spool.is_rolled_back(Stream::Events, 1));
    spool.read_from(Stream::Events, 2, 100).unwrap();
    assert!(!spool.is_rolled_back(Stream::Events, 3));
    assert!(spool.is_rolled_back(Stream::Events, 4));

    spool.ack(Stream::Events, 1).unwrap();
    spool.announced().unwrap();
    let new = spool.start_new_epoch().unwrap();
    assert_ne!(new, old);
    assert!(spool.is_fresh());
    assert_eq!(all(&mut spool, Stream::Events), [(1, b"b".to_vec()), (2, b"c".to_vec())]);
    assert_eq!(spool.append(Stream::Events, b"d").unwrap(), 3);
    assert_eq!(spool.append(Stream::Health, b"h").unwrap(), 1);
    spool.ack(Stream::Events, 1).unwrap();
    drop(spool);
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    assert_eq!(spool.epoch(), new);
    assert_eq!(all(&mut spool, Stream::Events), [(2, b"c".to_vec()), (3, b"d".to_vec())]);
    assert!(!spool.is_rolled_back(Stream::Events, 3), "what was there at the start may have been sent");
}

#[test]
fn a_spool_is_fresh_until_the_active_alarms_are_in_it() {
    let (_guard, dir) = scratch();
    crash(Spool::open(&dir, ROOMY).unwrap());
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    assert!(spool.is_fresh());
    spool.append(Stream::Events, b"active").unwrap();
    spool.announced().unwrap();
    crash(spool);
    assert!(!Spool::open(&dir, ROOMY).unwrap().is_fresh());
}

#[test]
fn lost_marks_begin_a_new_epoch_and_lose_no_report() {
    let (_guard, dir) = scratch();
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    let old = spool.epoch();
    spool.append_batch(Stream::Events, &["a", "b"]).unwrap();
    drop(spool);
    std::fs::write(dir.join("marks"), "garbage").unwrap();
    let mut spool = Spool::open(&dir, ROOMY).unwrap();
    assert_ne!(spool.epoch(), old);
    assert!(spool.is_fresh());
    assert_eq!(seqs(&mut spool, Stream::Events), [1, 2]);
}

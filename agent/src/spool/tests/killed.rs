//! A real process, killed with SIGKILL while it appends.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const CHILD: &str = "LINEMAN_TEST_SPOOL_CHILD";

/// Not a test by itself: the process that [`a_killed_process_loses_nothing_it_was_told_is_stored`] kills.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let mut spool = Spool::open(Path::new(&dir), ROOMY).unwrap();
    let mut out = std::io::stdout().lock();
    loop {
        for stream in Stream::ALL {
            let next = spool.next_seq(*stream);
            let size = usize::try_from(next * 97 % 4000).unwrap();
            let body = format!("{stream} {next} {}", "x".repeat(size));
            let seq = spool.append(*stream, body.as_bytes()).unwrap();
            writeln!(out, "\nappended {stream} {seq} {size}").unwrap();
            if seq.is_multiple_of(7) {
                spool.ack(*stream, seq - 5).unwrap();
                writeln!(out, "\nacked {stream} {}", seq - 5).unwrap();
            }
            out.flush().unwrap();
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_it_was_told_is_stored() {
    let (_guard, dir) = scratch();
    let name = module_path!().split_once("::").unwrap().1;
    let mut appended: [BTreeMap<u64, usize>; 3] = Default::default();
    let mut acked = [0; 3];
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("{name}::child_that_appends_until_it_is_killed"), "--nocapture"])
            .env(CHILD, &dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut left = 20 + round * 31;
        for line in lines {
            let line = line.unwrap();
            let words: Vec<_> = line.split(' ').collect();
            match words[..] {
                ["appended", stream, seq, size] => {
                    let stream = index(stream.parse().unwrap());
                    let before = appended[stream].insert(seq.parse().unwrap(), size.parse().unwrap());
                    assert_eq!(before, None, "a number came back");
                    left -= 1;
                    if left == 0 {
                        child.kill().unwrap();
                    }
                }
                ["acked", stream, seq] => acked[index(stream.parse().unwrap())] = seq.parse().unwrap(),
                _ => {}
            }
        }
        assert!(left <= 0, "the child ended by itself");
        child.wait().unwrap();

        let mut spool = Spool::open(&dir, ROOMY).unwrap();
        for stream in Stream::ALL {
            let found: BTreeMap<_, _> = all(&mut spool, *stream).into_iter().collect();
            for (seq, size) in appended[index(*stream)].range(acked[index(*stream)] + 1..) {
                let body = found.get(seq).unwrap_or_else(|| panic!("{stream} {seq} was appended, and is lost"));
                assert_eq!(*body, format!("{stream} {seq} {}", "x".repeat(*size)).into_bytes());
            }
        }
        assert_eq!(spool.dropped().count(), 0);
        // As a crash would, so that the next child finds what this one left.
        crash(spool);
    }
}

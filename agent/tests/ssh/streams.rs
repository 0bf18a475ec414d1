//! Data, its end, the exit status: in this order, both ways, through new keys, and in pieces of any size.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;

use lineman_common::recording::{Flow, What};
use lineman_common::session::EndReason;

use super::OnTerminal;
use super::device::{Device, text};

#[test]
fn what_was_written_last_comes_before_the_exit_status() {
    let device = Device::start("exec");
    for n in 0..15 {
        let output = device.ssh(&[&format!("head -c 300000 /dev/zero; echo last; echo err >&2; exit {n}")]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(n), 300_005), "round {n}");
        assert!(output.stdout.ends_with(b"last\n") && output.stderr == b"err\n");
    }
    for signal in ["KILL", "SEGV"] {
        let output = device.ssh(&[&format!("echo before; kill -{signal} $$; echo after")]).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(255), "before\n"));
    }
}

#[test]
fn the_end_of_the_input_is_not_the_end_of_the_output() {
    let device = Device::start("exec");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "one\ntwo\n").unwrap();
    let output = device.ssh(&["cat; sleep 0.3; echo done; exit 3"]).stdin(File::open(file.path()).unwrap()).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), "one\ntwo\ndone\n"));
    // A command that closes its output goes on, and its exit status counts.
    let output = device.ssh(&["echo out; exec >&- 2>&-; sleep 0.3; exit 4"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(4), "out\n"));
}

/// Sends `mib` through `cat` and back, and takes new keys every few of them.
fn both_ways(mib: usize, rekey: &str) {
    let device = Device::start("exec");
    let mut ssh = device.ssh(&["-o", &format!("RekeyLimit={rekey}"), "-o", "LogLevel=DEBUG1", "cat"]);
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout, mut log) = (ssh.stdin.take().unwrap(), ssh.stdout.take().unwrap(), ssh.stderr.take().unwrap());
    // No part of it looks like another: bytes that were lost, doubled or changed over show.
    let block = |n: usize| -> Vec<u8> {
        (0..1u64 << 17).flat_map(|at| ((at | (n as u64) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes()).collect()
    };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for n in 0..mib {
                stdin.write_all(&block(n)).unwrap();
            }
        });
        let log = scope.spawn(move || {
            let mut told = String::new();
            log.read_to_string(&mut told).unwrap();
            told
        });
        let mut back = vec![0; 1 << 20];
        for n in 0..mib {
            stdout.read_exact(&mut back).unwrap();
            assert!(back == block(n), "MiB {n} is not what was sent");
        }
        assert_eq!(stdout.read(&mut back).unwrap(), 0);
        let told = log.join().unwrap();
        let keys = told.matches("SSH2_MSG_NEWKEYS received").count();
        assert!(keys > 3, "{keys} times new keys");
    });
    assert_eq!(ssh.wait().unwrap().code(), Some(0));
    let recording = device.recording();
    assert_eq!(recording.end, Some(EndReason::Client));
    let sums: Vec<_> = recording
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Total { bytes, sha256, .. } => Some((*bytes, sha256.clone())),
            _ => None,
        })
        .collect();
    assert!(sums.len() == 2 && sums[0] == sums[1] && sums[0].0 == (mib as u64) << 20, "{sums:?}");
}

#[test]
fn data_flows_both_ways_at_once_through_new_keys() {
    both_ways(64, "8M");
}

#[test]
fn a_gibibyte_flows_both_ways_at_once_through_new_keys() {
    if std::env::var_os("SOAK").is_some() {
        both_ways(1024, "64M");
    } else {
        eprintln!("skipped: SOAK=1 runs it");
    }
}

#[test]
fn a_terminal_that_is_resized_all_the_time_has_the_last_size_and_loses_nothing() {
    let device = Device::start("shell");
    let mut terminal = OnTerminal::start(&device, &[]);
    terminal.type_in("PS1=''; for n in $(seq 3000); do echo line-$n; done; echo al''l\n");
    for n in 0..300u16 {
        terminal.resize(80 + n % 50, 24 + n % 30);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    terminal.resize(171, 61);
    terminal.expect("line-3000\r\nall\r\n");
    terminal.type_in("until stty size | grep '61 171'; do :; done; echo se''en\n");
    terminal.expect("61 171\r\nseen\r\n");
    terminal.type_in("exit\n");
    assert_eq!(terminal.exit(), Some(0));
    let recording = device.recording();
    let shown = recording.text();
    assert!((1..=3000).all(|n| shown.contains(&format!("line-{n}\r\n"))));
    let last = recording.events.iter().rev().find(|event| matches!(event.what, What::Resize { .. })).unwrap();
    assert_eq!(last.what, What::Resize { cols: 171, rows: 61 });
}

#[test]
fn characters_in_pieces_arrive_whole() {
    let device = Device::start("shell,exec");
    let mut terminal = OnTerminal::start(&device, &[]);
    terminal.type_in("PS1=''; for byte in 345 215 241; do printf \"\\\\$byte\"; sleep 0.1; done; echo; echo e''nd\n");
    terminal.expect("卡\r\nend\r\n");
    // Typed in pieces as well.
    terminal.type_in("echo be''gin; cat\n");
    // By then the shell's line editor has given the terminal back.
    terminal.expect("begin\r\n");
    for byte in "风扇".as_bytes() {
        terminal.master.write_all(&[*byte]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    terminal.type_in("\n");
    terminal.expect("风扇\r\n风扇\r\n");
    terminal.type_in("\u{4}");
    terminal.type_in("exit\n");
    assert_eq!(terminal.exit(), Some(0));
    let recording = device.recording();
    let whole = |event: &lineman_common::recording::Event| match &event.what {
        What::Bytes(Flow::Output, bytes) => std::str::from_utf8(bytes).is_ok(),
        _ => true,
    };
    assert!(recording.events.iter().all(whole), "no event of the recording holds a part of a character");
}

//! Stock OpenSSH against the agent's session server, on a loopback socket in place of a session leg.

#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails where it stands")]

mod device;
#[path = "ssh/accounts.rs"]
mod accounts;
#[path = "ssh/ciphers.rs"]
mod ciphers;
#[path = "ssh/contain.rs"]
mod contain;
#[path = "ssh/ends.rs"]
mod ends;
#[path = "ssh/forwards.rs"]
mod forwards;
#[path = "ssh/input.rs"]
mod input;
#[path = "ssh/keys.rs"]
mod keys;
#[path = "ssh/leftovers.rs"]
mod leftovers;
#[path = "ssh/mux.rs"]
mod mux;
#[path = "ssh/orphans.rs"]
mod orphans;
#[path = "ssh/pace.rs"]
mod pace;
#[path = "ssh/orders.rs"]
mod orders;
#[path = "ssh/sftp.rs"]
mod sftp;
#[path = "ssh/sftp_child.rs"]
mod sftp_child;
#[path = "ssh/sftp_measure.rs"]
mod sftp_measure;
#[path = "ssh/speed.rs"]
mod speed;
#[path = "ssh/streams.rs"]
mod streams;
#[path = "ssh/transfers.rs"]
mod transfers;

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use device::{Device, text};
use lineman_agent::session::registry::Ending;
use lineman_common::recording::{Flow, What};
use lineman_common::session::EndReason;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

#[test]
fn commands_have_their_exit_codes_streams_and_account() {
    let device = Device::start("shell,exec");
    let output = device.ssh(&["echo out; echo err >&2; exit 7"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(7), "out\n", "err\n"));
    let output = device.ssh(&["true"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let output = device.ssh(&["id -u; id -G; echo $HOME; umask; pwd; env | grep -c LINEMAN_SESSION"]).output().unwrap();
    let home = device.home().display().to_string();
    assert_eq!(text(&output.stdout), format!("{}\n{}\n{home}\n0022\n{home}\n1\n", device.uid(), device.groups()));
    let output = device.ssh(&["kill -TERM $$"]).output().unwrap();
    assert_eq!(output.status.code(), Some(255), "a signal");
    let output = device.ssh(&["/no/such/program"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
}

#[test]
fn standard_input_goes_in_whole_and_its_end_is_an_end() {
    let device = Device::start("exec");
    let data: Vec<u8> = (0..8 * 1024 * 1024u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut ssh = device.ssh(&["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = ssh.stdin.take().unwrap();
    let sent = data.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent));
    let output = ssh.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.stdout == data, "{} bytes came back of {}", output.stdout.len(), data.len());
    // One that doesn't read it all.
    let mut ssh = device.ssh(&["head -c 3; exit 5"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = ssh.stdin.take().unwrap();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&data)));
    let output = ssh.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(5), 3));
}

/// `ssh` on a terminal of its own. A thread reads it all the time, as a screen does.
struct OnTerminal {
    ssh: std::process::Child,
    master: std::fs::File,
    screen: mpsc::Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl OnTerminal {
    fn start(device: &Device, arguments: &[&str]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "ssh"]).args(device.ssh_arguments()).args(arguments);
        command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
        command.env("TERM", "xterm-256color");
        let master = std::fs::File::from(master);
        let (show, screen) = mpsc::channel();
        let mut output = master.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                // Nobody looks any more once the test is over.
                let _ = show.send(buffer[..n].to_vec());
            }
        });
        let on = Self { ssh: command.spawn().unwrap(), master, screen, seen: Vec::new() };
        on.resize(80, 24);
        on
    }

    fn resize(&self, cols: u16, rows: u16) {
        tcsetwinsize(&self.master, Winsize { ws_col: cols, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    fn type_in(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `wanted` shows after what was seen before.
    fn expect(&mut self, wanted: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(at) = self.seen.windows(wanted.len()).position(|part| part == wanted.as_bytes()) {
                self.seen.drain(..at + wanted.len());
                return;
            }
            // Of a flood only the end matters: it may be the beginning of what is wanted.
            self.seen.drain(..self.seen.len().saturating_sub(wanted.len() + 1000));
            match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(part) => self.seen.extend(part),
                Err(why) => panic!("`{wanted}` did not come ({why}); seen last: {}", String::from_utf8_lossy(&self.seen)),
            }
        }
    }

    fn exit(mut self) -> Option<i32> {
        self.ssh.wait().unwrap().code()
    }
}

#[test]
fn a_terminal_resizes_interrupts_and_speaks_utf8() {
    let device = Device::start("shell");
    let mut terminal = OnTerminal::start(&device, &[]);
    terminal.type_in("PS1='> '; tty >/dev/null && stty size; echo $TERM 风扇\n");
    terminal.expect("24 80\r\n");
    terminal.expect("xterm-256color 风扇\r\n");
    terminal.resize(132, 43);
    terminal.type_in("until stty size | grep 132; do :; done\n");
    terminal.expect("43 132\r\n");
    // Ctrl-C under a flood.
    terminal.type_in("echo be''gin; yes | head -c 300000000\n");
    terminal.expect("begin\r\n");
    terminal.expect("y\r\ny\r\n");
    terminal.type_in("\u{3}");
    terminal.type_in("echo after $((40 + 2))\n");
    terminal.expect("after 42\r\n");
    terminal.type_in("exit 3\n");
    assert_eq!(terminal.exit(), Some(3));
    let recording = device.recording();
    assert_eq!(recording.end, Some(EndReason::Client));
    assert!(recording.text().contains("after 42") && recording.text().contains("风扇"));
    assert!(recording.events.iter().any(|event| event.what == What::Resize { cols: 132, rows: 43 }));
    assert!(!recording.events.iter().any(|event| matches!(event.what, What::Bytes(Flow::Input, _))), "no input of a terminal");
    assert!(recording.events.iter().any(|event| matches!(event.what, What::Exit { status: Some(3), .. })));
}

#[test]
fn an_agent_that_ignores_signals_hands_none_of_that_down() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("agent");
    let script = format!("#!/bin/sh\ntrap '' HUP INT QUIT TSTP\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_lineman-agent"));
    // Written by a process of its own: a file that is open for writing can't be run, and a child that another test forks
    // just then would hold it open.
    let mut install = Command::new("install").args(["-m", "755", "/dev/stdin"]).arg(&program).stdin(Stdio::piped()).spawn().unwrap();
    install.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(install.wait().unwrap().success());
    let device = Device::start_as("exec", program);
    let output = device.ssh(&["grep SigIgn /proc/self/status"]).output().unwrap();
    let mask = text(&output.stdout).trim().strip_prefix("SigIgn:\t").map(|hex| u64::from_str_radix(hex, 16).unwrap());
    // Bit n is signal n + 1; those from 32 on are the C library's own.
    assert_eq!(mask.map(|mask| mask & 0x7fff_ffff), Some(0), "{}", text(&output.stderr));
}

#[test]
fn what_a_command_read_and_wrote_is_in_the_recording() {
    let device = Device::start("exec");
    let mut ssh = device.ssh(&["sh"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    ssh.stdin.take().unwrap().write_all("echo 板卡; echo bad >&2; exit 4\n".as_bytes()).unwrap();
    assert_eq!(ssh.wait_with_output().unwrap().status.code(), Some(4));
    let recording = device.recording();
    let has = |flow, bytes: &str| recording.events.iter().any(|event| event.what == What::Bytes(flow, bytes.into()));
    assert!(has(Flow::Input, "echo 板卡; echo bad >&2; exit 4\n") && has(Flow::Output, "板卡\n") && has(Flow::Stderr, "bad\n"));
    assert_eq!(recording.bind.engineer.as_str(), "engineer-a");
    let ended = device.ended();
    assert_eq!((ended.reason, ended.summary.commands), (EndReason::Client, vec!["sh".to_owned()]));
    assert_eq!(ended.head_sha256, recording.head_sha256);
}

#[test]
fn files_come_down_by_sftp_and_scp_and_nothing_goes_up() {
    let device = Device::start("exec,sftp-read");
    let data: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(device.home().join("log 风扇"), &data).unwrap();
    let here = tempfile::tempdir().unwrap();
    let from = |path: &str| format!("x@127.0.0.1:{path}");
    let scp = device.client("scp").args([&from("log 风扇"), here.path().join("scp").to_str().unwrap()]).output().unwrap();
    assert!(scp.status.success(), "{}", text(&scp.stderr));
    assert!(std::fs::read(here.path().join("scp")).unwrap() == data);
    let old = device.client("scp").arg("-O").args([&from("log*"), here.path().join("old").to_str().unwrap()]).output().unwrap();
    assert!(old.status.success(), "{}", text(&old.stderr));
    assert!(std::fs::read(here.path().join("old")).unwrap() == data);
    let batch = format!("ls -l\nget \"log 风扇\" {}/sftp\n", here.path().display());
    let sftp = device.sftp(&batch);
    assert!(sftp.status.success(), "{}", text(&sftp.stderr));
    assert!(text(&sftp.stdout).contains(" 3000000 "), "{}", text(&sftp.stdout));
    assert!(std::fs::read(here.path().join("sftp")).unwrap() == data);

    let sftp = device.sftp(&format!("put {}/sftp new\n", here.path().display()));
    assert!(!sftp.status.success());
    assert!(text(&sftp.stderr).contains("this consent allows reading files only (sftp-read)"), "{}", text(&sftp.stderr));
    let scp = device.client("scp").args([here.path().join("scp").to_str().unwrap(), &from("new")]).output().unwrap();
    assert!(!scp.status.success());
    assert!(!device.home().join("new").exists());
    let told = device.sftp_operations();
    let sha256 = lineman_common::statement::sha256_hex(&data);
    let whole = |op: &lineman_common::recording::SftpOperation| op.op == "read" && op.sha256.as_deref() == Some(&sha256);
    assert_eq!(told.iter().filter(|op| whole(op)).count(), 2, "{told:?}");
    assert!(told.iter().any(|op| op.op == "write" && op.result.starts_with("refused")));
}

#[test]
fn files_go_up_where_the_consent_allows_it() {
    let device = Device::start("sftp-write");
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("patch"), "new firmware").unwrap();
    let sftp = device.sftp(&format!("put {}/patch\nrename patch patch.2\nmkdir d\n", here.path().display()));
    assert!(sftp.status.success(), "{}", text(&sftp.stderr));
    assert_eq!(std::fs::read_to_string(device.home().join("patch.2")).unwrap(), "new firmware");
    let ops: Vec<_> = device.sftp_operations().into_iter().map(|op| op.op).collect();
    assert!(
        ops.contains(&"open-write".to_owned())
            && ops.contains(&"write".to_owned())
            && ops.contains(&"rename".to_owned())
            && ops.contains(&"mkdir".to_owned()),
        "{ops:?}"
    );
}

#[test]
fn doors_that_the_consent_does_not_name_are_refused_in_words() {
    let device = Device::start("sftp-read");
    for (arguments, expected) in [
        (&["true"][..], "lineman: the consent does not allow commands: it has no door `exec`, only sftp-read"),
        (&["-tt"][..], "lineman: the consent does not allow an interactive shell: it has no door `shell`"),
    ] {
        let output = device.ssh(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(255));
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
    let device = Device::start("shell");
    let sftp = device.sftp("ls\n");
    assert!(text(&sftp.stderr).contains("the consent does not allow SFTP"), "{}", text(&sftp.stderr));
    assert!(!sftp.status.success());
}

#[test]
fn forwards_are_refused() {
    let device = Device::start("shell,exec,sftp-read");
    let output = device.ssh(&["-W", "127.0.0.1:22"]).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("administratively prohibited"), "{}", text(&output.stderr));
    let output = device.ssh(&["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22", "true"]).output().unwrap();
    assert!(text(&output.stderr).contains("remote port forwarding failed"), "{}", text(&output.stderr));
}

#[test]
fn without_a_live_consent_nobody_gets_in() {
    let device = Device::start("exec");
    let stranger = device.stranger();
    let output = device.ssh_with(&stranger, &["true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("Permission denied (publickey)"), "{}", text(&output.stderr));
    device.host.consents.end(device.consent, EndReason::Revoked).unwrap();
    let output = device.ssh(&["true"]).output().unwrap();
    assert!(text(&output.stderr).contains("lineman: no consent is live on ne-1.jw.ne"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("Permission denied (publickey)"), "{}", text(&output.stderr));
    assert_eq!(device.recorded(), 0);
}

#[test]
fn revoking_ends_a_session_with_everything_that_it_started() {
    let device = Device::start("shell,exec");
    let mut terminal = OnTerminal::start(&device, &[]);
    terminal.type_in("setsid sleep 1234 & trap '' HUP; echo re''ady\n");
    terminal.expect("ready\r\n");
    let session = device.host.sessions.list()[0].session;
    let started = Instant::now();
    assert_eq!(device.host.sessions.end_consent(device.consent, &Ending::new(EndReason::Revoked)), 1);
    terminal.expect("the consent was revoked: the session ends");
    assert_eq!(terminal.exit(), Some(255));
    let recording = device.recording();
    assert_eq!(recording.end, Some(EndReason::Revoked));
    assert_eq!(lineman_agent::session::reap::members(session).unwrap(), []);
    assert!(!recording.events.iter().any(|event| matches!(&event.what, What::Note(note) if note.contains("could not be killed"))));
    eprintln!("put out in {:?}", started.elapsed());
}

#[test]
fn a_session_that_is_left_keeps_what_was_started_on_purpose_and_says_so() {
    let device = Device::start("exec");
    let output = device.ssh(&["setsid sleep 1235 >/dev/null 2>&1 </dev/null & echo $!"]).output().unwrap();
    assert!(output.status.success());
    let recording = device.recording();
    let note = recording.events.iter().find_map(|event| match &event.what {
        What::Note(note) => Some(note.clone()),
        _ => None,
    });
    assert!(note.as_deref().is_some_and(|note| note.contains("left running")), "{note:?}");
    lineman_agent::session::reap::kill_all(recording.session);
}

#[test]
fn fifty_channels_share_one_connection() {
    let device = Device::start("exec");
    let here = tempfile::tempdir().unwrap();
    let control = format!("ControlPath={}/c", here.path().display());
    let mut master = device.ssh(&["-M", "-N", "-o", &control]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !here.path().join("c").exists() {
        assert!(Instant::now() < deadline, "no master");
        std::thread::sleep(Duration::from_millis(20));
    }
    // One that never reads what it is sent must keep nobody waiting.
    let mut stuck = device.ssh(&["-S", here.path().join("c").to_str().unwrap(), "sleep 1000"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stuck_input = stuck.stdin.take().unwrap();
    let feeding = std::thread::spawn(move || drop(stuck_input.write_all(&vec![0; 6 * 1024 * 1024])));
    let children: Vec<_> = (0..50)
        .map(|n| {
            let command = format!("echo {n}; exit {n}");
            let path = here.path().join("c");
            device.ssh(&["-S", path.to_str().unwrap(), &command]).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for (n, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (i32::try_from(n).ok(), format!("{n}\n").as_str()));
    }
    assert_eq!(device.host.sessions.list().len(), 1);
    stuck.kill().unwrap();
    stuck.wait().unwrap();
    feeding.join().unwrap();
    device.ssh(&["-S", here.path().join("c").to_str().unwrap(), "-O", "exit"]).output().unwrap();
    master.wait().unwrap();
    assert_eq!(device.recording().end, Some(EndReason::Client));
}

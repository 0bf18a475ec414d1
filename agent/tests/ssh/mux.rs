//! Many channels on one connection: one that stands still keeps no other waiting.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lineman_agent::session::reap;
use lineman_common::session::EndReason;
use lineman_common::statement::sha256_hex;
use rustix::process::{Pid, Signal, kill_process};

use super::OnTerminal;
use super::device::{Device, text};

/// A connection that others share.
struct Shared<'a> {
    device: &'a Device,
    here: tempfile::TempDir,
    master: Child,
}

impl<'a> Shared<'a> {
    fn start(device: &'a Device) -> Self {
        let here = tempfile::tempdir().unwrap();
        let control = format!("ControlPath={}/c", here.path().display());
        let master = device.ssh(&["-M", "-N", "-o", &control]).spawn().unwrap();
        let shared = Self { device, here, master };
        becomes("there is no connection to share", || shared.control().exists());
        shared
    }

    fn control(&self) -> PathBuf {
        self.here.path().join("c")
    }

    fn ssh(&self, command: &str) -> Command {
        self.device.ssh(&["-S", self.control().to_str().unwrap(), command])
    }

    fn shell(&self) -> OnTerminal {
        OnTerminal::start(self.device, &["-S", self.control().to_str().unwrap()])
    }

    fn end(mut self) {
        self.device.ssh(&["-S", self.control().to_str().unwrap(), "-O", "exit"]).output().unwrap();
        self.master.wait().unwrap();
        assert_eq!(self.device.recording().end, Some(EndReason::Client));
    }
}

fn becomes(what: &str, wanted: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !wanted() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the session's process of this name moves no more bytes.
fn stands_still(device: &Device, name: &str) {
    let session = device.session().session;
    let moved = || {
        let members = reap::members(session).unwrap();
        let named = members.iter().map(|pid| pid.as_raw_pid()).find(|pid| {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            comm.trim() == name
        })?;
        let io = std::fs::read_to_string(format!("/proc/{named}/io")).ok()?;
        let bytes: Vec<u64> = io.lines().filter(|line| line.contains("char: ")).map(|line| line[7..].parse().unwrap()).collect();
        (bytes.iter().sum::<u64>() > 1 << 20).then_some(bytes)
    };
    becomes(&format!("`{name}` does not come to a stand"), || {
        let before = moved();
        std::thread::sleep(Duration::from_millis(300));
        before.is_some() && before == moved()
    });
}

/// The shell answers, again and again.
fn answers(shell: &mut OnTerminal) {
    for n in 0..20 {
        shell.type_in(&format!("echo a$(({n} + 100))b\n"));
        shell.expect(&format!("a{}b\r\n", n + 100));
    }
}

#[test]
fn output_that_nobody_takes_keeps_no_shell_waiting() {
    let device = Device::start("shell,exec");
    let shared = Shared::start(&device);
    let mut shell = shared.shell();
    answers(&mut shell);
    let mut flood = shared.ssh("exec cat /dev/zero").stdout(Stdio::piped()).spawn().unwrap();
    let mut errors = shared.ssh("exec cat /dev/zero >&2").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    stands_still(&device, "cat");
    answers(&mut shell);
    let output = shared.ssh("head -c 3000000 /dev/zero").output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 3_000_000), "a third one flows");
    // It goes on where it stood.
    let mut some = vec![1; 8 << 20];
    flood.stdout.take().unwrap().read_exact(&mut some).unwrap();
    assert!(some.iter().all(|byte| *byte == 0));
    answers(&mut shell);
    for child in [&mut flood, &mut errors] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    shell.type_in("exit 6\n");
    assert_eq!(shell.exit(), Some(6));
    shared.end();
}

#[test]
fn a_download_that_was_stopped_keeps_no_shell_waiting() {
    let device = Device::start("shell,sftp-read");
    let data: Vec<u8> = (0..16 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(device.home().join("image"), &data).unwrap();
    let shared = Shared::start(&device);
    let mut shell = shared.shell();
    answers(&mut shell);
    let image = shared.here.path().join("image");
    let mut sftp = device.client("sftp");
    // Slow enough not to be over before it is stopped.
    sftp.args(["-l", "40000", "-o", &format!("ControlPath={}", shared.control().display()), "x@127.0.0.1:image"]).arg(&image);
    let mut sftp = sftp.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let length = || std::fs::metadata(&image).map_or(0, |found| found.len());
    becomes("the download does not begin", || length() > 0);
    let pid = Pid::from_raw(i32::try_from(sftp.id()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    answers(&mut shell);
    // By now everything is full between the device and the one who stands still.
    std::thread::sleep(Duration::from_millis(500));
    answers(&mut shell);
    assert!(length() < data.len() as u64);
    kill_process(pid, Signal::CONT).unwrap();
    assert!(sftp.wait().unwrap().success());
    assert!(std::fs::read(&image).unwrap() == data);
    shell.type_in("exit 7\n");
    assert_eq!(shell.exit(), Some(7));
    shared.end();
}

#[test]
fn input_that_nobody_reads_keeps_no_shell_waiting_and_is_not_lost() {
    let device = Device::start("shell,exec");
    let shared = Shared::start(&device);
    let mut shell = shared.shell();
    answers(&mut shell);
    let data: Vec<u8> = (0..12 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut slow =
        shared.ssh("until [ -e go ]; do sleep 0.1; done; sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = slow.stdin.take().unwrap();
    // All of it is on its way before the shell is asked.
    stdin.write_all(&data).unwrap();
    drop(stdin);
    answers(&mut shell);
    let output = shared.ssh("echo beside").output().unwrap();
    assert_eq!(text(&output.stdout), "beside\n");
    shell.type_in("touch go\n");
    let output = slow.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), format!("{}  -\n", sha256_hex(&data)));
    shell.type_in("exit 8\n");
    assert_eq!(shell.exit(), Some(8));
    shared.end();
}

#[test]
fn a_child_waits_for_the_next_command_and_goes_with_the_session() {
    let device = Device::start("exec,sftp-read");
    let shared = Shared::start(&device);
    let session = device.session().session;
    let waiting = || reap::members(session).unwrap();
    assert!(waiting().is_empty(), "nobody has asked for anything");
    shared.ssh("true").output().unwrap();
    for _ in 0..3 {
        becomes("no child waits", || waiting().len() == 1);
        let ready = waiting()[0].as_raw_pid();
        let mut next = shared.ssh("echo $$; cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        next.stdin.take().unwrap().write_all(b"and its input").unwrap();
        let output = next.wait_with_output().unwrap();
        assert_eq!(text(&output.stdout), format!("{ready}\nand its input"));
    }
    becomes("no child waits", || waiting().len() == 1);
    // One that died meanwhile is not given anything to do.
    kill_process(waiting()[0], Signal::KILL).unwrap();
    assert_eq!(text(&shared.ssh("echo still").output().unwrap().stdout), "still\n");
    becomes("no child waits", || waiting().len() == 1);
    shared.end();
    assert!(waiting().is_empty());
    let notes = device.notes();
    assert!(!notes.iter().any(|note| note.contains("left running")), "{notes:?}");
}

//! A session does not run ahead of its recording: not ahead of the centre, not over the spool, not past a full disk.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lineman_agent::session::chain::end_unfinished;
use lineman_agent::session::limits::Limits;
use lineman_agent::session::reap;
use lineman_common::session::EndReason;

use super::OnTerminal;
use super::device::{Device, Setup, text};

fn becomes(what: &str, wanted: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !wanted() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn device(doors: &str, spool_bytes: u64, limits: impl FnOnce(&mut Limits)) -> Device {
    let mut setup = Setup { spool_bytes, ..Setup::usual() };
    setup.limits.backlog_bytes = spool_bytes / 3;
    limits(&mut setup.limits);
    Device::set_up(doors, setup)
}

/// With a link that works.
fn while_acknowledging(device: &Device, work: impl FnOnce()) {
    let working = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while working.load(Ordering::Relaxed) {
                device.acknowledge();
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        work();
        working.store(false, Ordering::Relaxed);
    });
}

#[test]
fn input_waits_for_the_centre_and_goes_on_by_itself() {
    let device = device("shell,exec", 64 << 20, |limits| limits.unacknowledged = Some(Duration::from_secs(1)));
    let here = tempfile::tempdir().unwrap();
    let control = here.path().join("c");
    let mut terminal = OnTerminal::start(&device, &["-M", "-S", control.to_str().unwrap()]);
    terminal.type_in("echo be''gin\n");
    terminal.expect("begin\r\n");
    terminal.expect("*** lineman: your input waits until the centre has the recording of what was done so far; it goes on by itself");
    terminal.type_in("touch typed; echo af''ter\n");
    // A new command is input, too.
    let mut command = device.ssh(&["-S", control.to_str().unwrap(), "touch ran"]).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(!device.home().join("typed").exists() && !device.home().join("ran").exists());
    assert_eq!(command.try_wait().unwrap(), None);
    device.acknowledge();
    terminal.expect("after\r\n");
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(
        text(&output.stderr),
        "lineman: this waits until the centre has the recording of what was done so far; it goes on by itself\n"
    );
    assert!(device.home().join("typed").exists() && device.home().join("ran").exists());
    while_acknowledging(&device, || {
        terminal.type_in("exit\n");
        assert_eq!(terminal.exit(), Some(0));
    });
    let notes = device.notes();
    assert!(
        notes.iter().any(|note| note.starts_with("input waits:")) && notes.iter().any(|note| note.starts_with("input goes on:")),
        "{notes:?}"
    );
}

#[test]
fn a_flood_is_slow_fills_no_spool_and_is_stopped_by_ctrl_c() {
    // Nobody acknowledges, and so input waits as well, after a second.
    let device = device("shell", 6 << 20, |limits| limits.unacknowledged = Some(Duration::from_secs(1)));
    let mut terminal = OnTerminal::start(&device, &[]);
    terminal.type_in("yes\n");
    terminal.expect("y\r\ny\r\n");
    becomes("the flood does not reach its bound", || device.spooled_bytes() >= 2 << 20);
    terminal.expect("your input waits");
    let session = device.session().session;
    let (before, floods) = (device.spooled_bytes(), || reap::members(session).unwrap().iter().any(|pid| name(pid.as_raw_pid()) == "yes"));
    std::thread::sleep(Duration::from_secs(1));
    assert!(floods());
    // What was on its way when it stood still, and no more.
    assert!(device.spooled_bytes() < before + (1 << 20) && device.spooled_bytes() < 4 << 20, "{} bytes", device.spooled_bytes());
    terminal.type_in("\u{3}");
    becomes("`yes` lives on", || !floods());
    terminal.type_in("echo after $((40 + 2)); exit 5\n");
    while_acknowledging(&device, || {
        terminal.expect("after 42\r\n");
        assert_eq!(terminal.exit(), Some(5));
    });
    assert_eq!(device.recording().end, Some(EndReason::Client));
}

fn name(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

#[test]
fn a_recording_that_is_full_ends_its_session_after_a_warning() {
    let device = device("shell", 64 << 20, |limits| limits.max_session_bytes = 2_000_000);
    let mut terminal = OnTerminal::start(&device, &[]);
    terminal.type_in("until head -c 40000 /dev/zero | tr '\\0' x; sleep 0.1; false; do :; done\n");
    terminal.expect("*** lineman: the recording of this session has reached nine tenths of 2000000 bytes");
    terminal.expect("the recording reached its largest size: the session ends");
    assert_eq!(terminal.exit(), Some(255));
    assert_eq!(device.ended().reason, EndReason::Quota);
    let recording = device.recording();
    assert_eq!(recording.end, Some(EndReason::Quota));
    assert!(recording.text().len() > 1_500_000 && device.spooled_bytes() < 2_500_000, "{} bytes", device.spooled_bytes());
}

/// A file system of its own, gone with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", dir.path().to_str().unwrap()]);
        if !mounted {
            eprintln!("skipped: only root can mount a small disk");
        }
        mounted.then_some(Self(dir))
    }

    fn grow(&self, size: &str) {
        assert!(run("mount", &["-o", &format!("remount,size={size}"), self.0.path().to_str().unwrap()]));
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.path().to_str().unwrap()]);
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().unwrap().status.success()
}

#[test]
fn a_full_disk_ends_the_session_and_loses_nothing_that_was_written() {
    let Some(disk) = SmallDisk::mount("3m") else { return };
    let device = Device::set_up("shell", Setup { inside: Some(disk.path().to_owned()), ..Setup::usual() });
    let mut terminal = OnTerminal::start(&device, &[]);
    terminal.type_in("echo be''gin\n");
    terminal.expect("begin\r\n");
    device.acknowledge();
    terminal.type_in("yes\n");
    terminal.expect("the device can't record any more: the session ends");
    assert_eq!(terminal.exit(), Some(255));
    let written = device.recording();
    assert_eq!(written.end, None, "there is no room for it");
    assert!(written.chunks > 2 && written.text().contains("begin\r\n") && written.text().contains("y\r\ny\r\n"));

    disk.grow("64m");
    assert_eq!(end_unfinished(device.host.studio()).len(), 1);
    let recording = device.recording();
    assert_eq!(recording.end, Some(EndReason::RecorderFailed));
    assert_eq!(recording.events[..written.events.len()], written.events[..], "what was written is there still");
    assert_eq!(device.ended().reason, EndReason::RecorderFailed);
    let mut next = OnTerminal::start(&device, &[]);
    next.type_in("exit 4\n");
    assert_eq!(next.exit(), Some(4), "the next session is let in");
}

//! A kill leaves nothing: whatever hid itself dies with its session, and nothing else does.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lineman_agent::session::cgroup::{Group, Hierarchy};
use lineman_agent::session::contain::{Containment, Hold};
use lineman_agent::session::reap;
use lineman_common::id::SessionId;
use lineman_common::session::EndReason;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::OnTerminal;
use super::device::{Device, Setup, text};

/// How many processes were started with exactly these arguments.
fn running(arguments: &str) -> usize {
    let wanted: Vec<_> = arguments.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<i32>().ok());
    let lines = pids.filter_map(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok());
    lines.filter(|line| line.strip_suffix(b"\0").is_some_and(|line| line.split(|byte| *byte == 0).eq(wanted.iter()))).count()
}

fn becomes(arguments: &str, wanted: impl Fn(usize) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !wanted(running(arguments)) {
        assert!(Instant::now() < deadline, "`{arguments}` runs {} times", running(arguments));
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn no_groups() -> bool {
    let none = Hierarchy::find().is_none();
    if none {
        eprintln!("skipped: this needs root and a cgroup v2 that can be written");
    }
    none
}

fn group(session: SessionId) -> Option<Group> {
    Hierarchy::look().unwrap().unwrap().group(session).unwrap()
}

/// A process of the same account that belongs to no session.
fn bystander(uid: u32, seconds: &str) -> std::process::Child {
    Command::new("sleep").arg(seconds).uid(uid).spawn().unwrap()
}

#[test]
fn what_wiped_its_environment_left_its_session_and_lost_its_parents_dies_on_kill() {
    if no_groups() {
        return;
    }
    let device = Device::start("shell");
    let mut bystander = bystander(device.uid(), "77101");
    let mut terminal = OnTerminal::start(&device, &[]);
    terminal.type_in("for n in 1 2 3; do (setsid nohup env -i sleep 77100 >/dev/null 2>&1 </dev/null &); done; echo re''ady\n");
    terminal.expect("ready\r\n");
    becomes("sleep 77100", |count| count == 3);
    let session = device.session();
    assert_eq!((session.containment, session.doors.to_string().as_str()), (Hold::Cgroup, "shell"));
    assert!(session.to_string().ends_with("shell\tcgroup"), "{session}");
    assert!(device.agent.kill(session.session, "lead-a"));
    terminal.expect("the session was killed by lead-a: the session ends");
    assert_eq!(terminal.exit(), Some(255));
    becomes("sleep 77100", |count| count == 0);
    assert_eq!(bystander.try_wait().unwrap(), None, "a process outside of the session");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    let recording = device.recording();
    assert_eq!(recording.end, Some(EndReason::Killed));
    assert!(
        device.notes().iter().any(|note| note.contains("held by a control group of its own, which is killed as a whole")),
        "{:?}",
        device.notes()
    );
    assert!(group(session.session).is_none(), "the group is gone");
}

#[test]
fn a_burst_of_forks_dies_in_the_middle() {
    if no_groups() {
        return;
    }
    let device = Device::start("exec");
    let burst = "n=0; while [ $n -lt 3000 ]; do n=$((n+1)); (setsid env -i sleep 77200 &); done; sleep 77200";
    let mut ssh = device.ssh(&[burst]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    becomes("sleep 77200", |count| count >= 100);
    assert!(device.agent.kill(device.session().session, "lead-a"));
    assert_eq!(ssh.wait().unwrap().code(), Some(255));
    assert_eq!(device.recording().end, Some(EndReason::Killed));
    becomes("sleep 77200", |count| count == 0);
}

#[test]
fn a_child_that_can_not_join_its_group_does_nothing() {
    if no_groups() {
        return;
    }
    let device = Device::start("exec");
    let here = tempfile::tempdir().unwrap();
    let control = format!("ControlPath={}/c", here.path().display());
    let mut master = device.ssh(&["-M", "-N", "-o", &control]).spawn().unwrap();
    let group = group(device.session().session).unwrap();
    while !here.path().join("c").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(group.dissolve());
    let output = device.ssh(&["-S", here.path().join("c").to_str().unwrap(), "touch ran"]).output().unwrap();
    assert_eq!(output.status.code(), Some(255));
    let said = text(&output.stderr);
    assert!(said.contains("control group") && said.contains("can't be joined") && said.contains("nothing runs outside of it"), "{said}");
    assert!(!device.home().join("ran").exists());
    master.kill().unwrap();
    master.wait().unwrap();
}

#[test]
fn sftp_runs_in_the_group_too_as_the_account() {
    if no_groups() {
        return;
    }
    let device = Device::start("sftp-read");
    let mut sftp = device.ssh(&["-s", "sftp"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let group = group(device.session().session).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let status = loop {
        assert!(Instant::now() < deadline, "no SFTP child in the group");
        std::thread::sleep(Duration::from_millis(10));
        let Some(pid) = group.members().unwrap().first().copied() else { continue };
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).unwrap_or_default();
        // It joins as root, before it becomes the account.
        if status.contains(&format!("Uid:\t{0}\t{0}\t{0}\t{0}", device.uid())) {
            break status;
        }
    };
    assert!(status.starts_with("Name:\tlineman-agent") || status.starts_with("Name:\texe"), "{status}");
    sftp.kill().unwrap();
    sftp.wait().unwrap();
    assert_eq!(device.recording().end, Some(EndReason::Client));
}

/// The agent in a process of its own, so that it can be killed: run by the test below, with this set.
const DIES: &str = "LINEMAN_TEST_AGENT_THAT_DIES";

#[test]
#[ignore = "the agent's half of the next test"]
fn an_agent_that_dies() {
    let Some(dir) = std::env::var_os(DIES) else { return };
    let device = Device::set_up("exec", Setup { inside: Some(dir.into()), ..Setup::usual() });
    println!("\narguments {}", device.ssh_arguments().join(" "));
    println!("state {}", device.state().display());
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn what_a_killed_agent_left_dies_at_its_next_start() {
    if no_groups() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut agent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "contain::an_agent_that_dies", "--ignored", "--nocapture"])
        .env(DIES, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(agent.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut said = |what: &str| lines.find_map(|line| line.strip_prefix(what).map(str::to_owned)).unwrap();
    let (arguments, state) = (said("arguments "), said("state "));
    let mut ssh = Command::new("ssh")
        .args(arguments.split(' '))
        .arg("(setsid env -i sleep 77300 >/dev/null 2>&1 &); sleep 77301")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    becomes("sleep 77300", |count| count == 1);
    agent.kill().unwrap();
    agent.wait().unwrap();
    ssh.wait().unwrap();
    assert_eq!(running("sleep 77300"), 1, "it hid well");

    let spool = lineman_agent::spool::Spool::open(&std::path::Path::new(&state).join("spool"), 1 << 30).unwrap();
    let outbox = lineman_agent::outbox::Outbox::new(spool);
    let studio = lineman_agent::session::chain::Studio::open(state.as_ref(), outbox, super::device::key()).unwrap();
    let cut = studio.unfinished();
    assert_eq!(cut.len(), 1);
    assert!(group(cut[0]).is_some());
    assert!(reap::kill_every(&cut) >= 1);
    becomes("sleep 77300", |count| count == 0);
    assert!(group(cut[0]).is_none());
}

/// Does something where no file can be opened any more. For a test in a process of its own.
fn without_descriptors<T>(job: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..before }).unwrap();
    assert!(std::fs::read_dir("/proc").is_err());
    let done = job();
    setrlimit(Resource::Nofile, before).unwrap();
    done
}

fn alone(name: &str) {
    let mut test = Command::new(std::env::current_exe().unwrap());
    let output = test.args(["--exact", name, "--ignored", "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// A session that was left, with a process that runs on.
fn left_running(device: &Device, arguments: &str) -> SessionId {
    let output = device.ssh(&[&format!("setsid {arguments} >/dev/null 2>&1 </dev/null &")]).output().unwrap();
    assert!(output.status.success());
    becomes(arguments.strip_prefix("env -i ").unwrap_or(arguments), |count| count == 1);
    device.recording().session
}

#[test]
fn an_agent_without_descriptors_does_not_take_its_blindness_for_an_empty_machine() {
    alone("contain::blind_without_groups");
}

#[test]
#[ignore = "run by the test before it"]
fn blind_without_groups() {
    let containment = Containment::without_groups();
    let device = Device::set_up("exec", Setup { containment: Arc::clone(&containment), ..Setup::usual() });
    let session = left_running(&device, "sleep 77500");
    let left = vec![(device.consent, vec![session])];
    without_descriptors(|| {
        // It can't be written down either.
        let _ = device.host.consents.end(device.consent, EndReason::Revoked);
        assert_eq!(device.host.consents.to_reap(), left);
        assert!(containment.members(session).is_err() && reap::members(session).is_err());
        device.host.reap_ended();
        assert_eq!(device.host.consents.to_reap(), left, "what can't be seen is not gone");
    });
    device.host.reap_ended();
    assert_eq!(device.host.consents.to_reap(), []);
    becomes("sleep 77500", |count| count == 0);
}

#[test]
fn an_agent_without_descriptors_kills_a_group() {
    if !no_groups() {
        alone("contain::blind_with_groups");
    }
}

#[test]
#[ignore = "run by the test before it"]
fn blind_with_groups() {
    let device = Device::start("exec");
    let session = left_running(&device, "env -i sleep 77600");
    let dir = group(session).unwrap().dir().to_owned();
    without_descriptors(|| {
        device.host.containment.kill(&[session]);
        assert!(!dir.exists(), "only an empty group can be removed");
    });
    becomes("sleep 77600", |count| count == 0);
}

//! What a session leaves behind is told in its end.

use std::process::Stdio;
use std::time::{Duration, Instant};

use lineman_agent::session::reap;

use super::device::{Device, text};

#[test]
fn ways_back_in_and_processes_are_told() {
    let device = Device::start("exec");
    std::fs::write(device.home().join(".profile"), "umask 022\n").unwrap();
    std::fs::set_permissions(device.home().join(".profile"), std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let command = "mkdir .ssh; echo ssh-ed25519 SECRET > .ssh/authorized_keys; echo 'nc -l 1' >> .profile; echo x > notes; \
                   setsid sleep 79001 >/dev/null 2>&1 </dev/null & echo $!";
    let output = device.ssh(&[command]).output().unwrap();
    let pid = text(&output.stdout).trim();
    let (recording, ended) = (device.recording(), device.ended());
    // Another test may have started something as this account.
    let told = |line: &&String| !line.starts_with("process ") || line.contains(pid);
    let left: Vec<_> = ended.summary.leftovers.iter().filter(told).collect();
    let home = device.home().display();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left[0].starts_with(&format!("changed: {home}/.profile (18 bytes, SHA-256 ")), "{left:?}");
    assert!(left[1].starts_with(&format!("new: {home}/.ssh/authorized_keys (19 bytes, SHA-256 ")), "{left:?}");
    assert_eq!(*left[2], format!("process {pid} (sleep) runs on"));
    let notes = device.notes();
    assert!(left.iter().all(|line| notes.contains(&format!("left behind on the device: {line}"))), "{notes:?}");
    assert!(!notes.iter().any(|note| note.contains("SECRET")), "nothing of what a file holds");
    reap::kill_all(recording.session);
}

#[test]
fn of_two_sessions_of_an_account_each_tells_what_changed_and_not_the_other() {
    let device = Device::start("exec");
    let mut other = device.ssh(&["sleep 79100"]).stdout(Stdio::null()).spawn().unwrap();
    device.session();
    let started = Instant::now();
    while reap::members(device.session().session).unwrap().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut first = device.ssh(&["read line; echo export A=1 > .bashrc"]).stdin(Stdio::piped()).spawn().unwrap();
    while device.host.sessions.list().len() < 2 {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
    let pids: Vec<_> = device.host.sessions.list().iter().flat_map(|session| reap::members(session.session).unwrap()).collect();
    assert!(pids.len() >= 2);
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
    other.kill().unwrap();
    other.wait().unwrap();
    let recordings = device.recordings();
    assert_eq!(recordings.len(), 2);
    let ended = device.all_ended();
    for left in ended.iter().map(|ended| &ended.summary.leftovers) {
        assert!(left[0].starts_with("new: ") && left[0].contains("/.bashrc ("), "{left:?}");
        let own = pids.iter().find(|pid| left.iter().any(|line| line.starts_with(&format!("process {} ", pid.as_raw_pid()))));
        assert_eq!(own, None, "neither what is the other session's nor what has ended: {left:?}");
    }
}

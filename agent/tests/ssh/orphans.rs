//! Where no control group can be made, the agent is the sub-reaper of its sessions. That is a property of a whole process, and so the
//! test runs in one of its own.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lineman_agent::session::contain::{Containment, Hold};
use lineman_common::session::EndReason;

use super::device::{Device, Setup, text};

fn running(seconds: &str) -> usize {
    let output = Command::new("pgrep").args(["-fxc", &format!("sleep {seconds}")]).output().unwrap();
    text(&output.stdout).trim().parse().unwrap()
}

fn becomes(seconds: &str, wanted: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while running(seconds) != wanted {
        assert!(Instant::now() < deadline, "`sleep {seconds}` runs {} times", running(seconds));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Dead children of this process that nobody has waited for.
fn zombies() -> usize {
    let output = Command::new("ps").args(["-o", "stat=", "--ppid", &std::process::id().to_string()]).output().unwrap();
    text(&output.stdout).lines().filter(|line| line.starts_with('Z')).count()
}

#[test]
fn orphans_that_hid_fall_to_the_agent_and_die_with_their_session() {
    let mut test = Command::new(std::env::current_exe().unwrap());
    let output = test.args(["--exact", "orphans::in_a_process_of_its_own", "--ignored", "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by the test before it"]
fn in_a_process_of_its_own() {
    let containment = Containment::without_groups();
    let device = Device::set_up("exec", Setup { containment: Arc::clone(&containment), ..Setup::usual() });
    // Another session of the same account, with something of its own that kept its mark.
    let mut other = device.ssh(&["(setsid nohup sleep 78001 >/dev/null 2>&1 &); sleep 78002"]).stdout(Stdio::null()).spawn().unwrap();
    becomes("78001", 1);
    let first = device.session();
    assert_eq!(first.containment, Hold::SubReaper);
    let hide = "(setsid env -i sleep 78003 >/dev/null 2>&1 &); (setsid env -i sh -c 'sleep 78004; :' >/dev/null 2>&1 &); sleep 78005";
    let mut ssh = device.ssh(&[hide]).stdout(Stdio::null()).spawn().unwrap();
    becomes("78003", 1);
    becomes("78004", 1);
    let second = device.host.sessions.list().into_iter().find(|session| session.session != first.session).unwrap();
    // Commands that end meanwhile keep their exit codes: their children are waited for by whoever started them.
    let quick: Vec<_> = (0..20).map(|n| (n, device.ssh(&[&format!("sleep 0.$((RANDOM % 9)); exit {n}")]).spawn().unwrap())).collect();
    assert!(device.agent.kill(second.session, "lead-a"));
    assert_eq!(ssh.wait().unwrap().code(), Some(255));
    for seconds in ["78003", "78004", "78005"] {
        becomes(seconds, 0);
    }
    for (n, mut child) in quick {
        assert_eq!(child.wait().unwrap().code(), Some(n));
    }
    assert_eq!((running("78001"), running("78002")), (1, 1), "the other session");
    assert!(device.host.sessions.is_live(first.session));

    // A session that was left is dead with its consent, hidden or not.
    let output = device.ssh(&["(setsid env -i sleep 78006 >/dev/null 2>&1 &)"]).output().unwrap();
    assert!(output.status.success());
    becomes("78006", 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        device.agent.end_consent(device.consent, EndReason::Revoked).unwrap();
        // What the agent does beside everything else is done here.
        device.agent.legs.close();
        device.agent.legs.wait().await;
    });
    assert_eq!(other.wait().unwrap().code(), Some(255));
    for seconds in ["78001", "78002", "78006"] {
        becomes(seconds, 0);
    }
    assert!(device.notes().iter().any(|note| note.contains("a sub-reaper")), "{:?}", device.notes());
    let deadline = Instant::now() + Duration::from_secs(30);
    while zombies() > 0 {
        assert!(Instant::now() < deadline, "{} zombies", zombies());
        containment.reap_zombies();
        std::thread::sleep(Duration::from_millis(50));
    }
}

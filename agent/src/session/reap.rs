//! Killing all of a session, also what has hidden from its process group.
//!
//! Every process of a session inherits [`SESSION_VARIABLE`] in its environment, and its parents are known. A process
//! belongs to the session when it carries the mark, or has an ancestor or a session leader that does. Processes are
//! stopped before they are killed, so that none can fork away meanwhile.
//!
//! Said plainly: a process that wiped its environment, left the Unix session *and* lost its parents is not found this way.
//! A cgroup per session will close that on systems where the agent may make one.

use std::collections::{HashMap, HashSet};
use std::fs;

use lineman_common::id::SessionId;
use rustix::process::{Pid, Signal, kill_process};

use super::child::SESSION_VARIABLE;

/// Rounds of looking again for what was forked meanwhile.
const ROUNDS: usize = 8;

/// Kills whatever belongs to the session. Blocking, for tens of milliseconds on a machine with many processes. Returns how
/// many processes there were.
pub fn kill_all(session: SessionId) -> usize {
    kill_every(&[session])
}

/// As [`kill_all`], for several sessions at once.
pub fn kill_every(sessions: &[SessionId]) -> usize {
    let mut killed = HashSet::new();
    for _ in 0..ROUNDS {
        let found = members_of(sessions);
        if found.is_empty() {
            break;
        }
        for signal in [Signal::STOP, Signal::KILL] {
            for pid in &found {
                // Gone already is what we wanted.
                let _ = kill_process(*pid, signal);
            }
        }
        killed.extend(found);
    }
    killed.len()
}

/// The session's processes that are alive.
pub fn members(session: SessionId) -> Vec<Pid> {
    members_of(&[session])
}

fn members_of(sessions: &[SessionId]) -> Vec<Pid> {
    let marks: HashSet<_> = sessions.iter().map(|session| format!("{SESSION_VARIABLE}={session}").into_bytes()).collect();
    let own = rustix::process::getpid().as_raw_pid();
    let processes: HashMap<i32, Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != own)
        .filter_map(|pid| Some((pid, Process::read(pid, &marks)?)))
        .collect();
    let belongs = |pid: i32| {
        let (mut at, mut seen) = (pid, HashSet::new());
        while let Some(process) = processes.get(&at) {
            if process.marked || processes.get(&process.leader).is_some_and(|leader| leader.marked) {
                return true;
            }
            if !seen.insert(at) {
                return false;
            }
            at = process.parent;
        }
        false
    };
    processes.keys().filter(|pid| belongs(**pid)).filter_map(|pid| Pid::from_raw(*pid)).collect()
}

struct Process {
    parent: i32,
    leader: i32,
    marked: bool,
}

impl Process {
    /// `None` for one that is gone, or dead and only waited for.
    fn read(pid: i32, marks: &HashSet<Vec<u8>>) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, also parentheses and spaces.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let leader = fields.nth(1)?.parse().ok()?;
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let marked = environ.split(|byte| *byte == 0).any(|variable| marks.contains(variable));
        (!matches!(state, "Z" | "X")).then_some(Self { parent, leader, marked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::process::{Command, Stdio};

    #[test]
    fn a_child_that_left_its_group_and_its_parent_dies_too() {
        let session = SessionId::new();
        // The inner shell tells its own pid, then waits in a session of its own, orphaned.
        let script = "setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.2; exec sleep 1000";
        let mut shell =
            Command::new("sh").args(["-c", script]).env(SESSION_VARIABLE, session.to_string()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pid = Vec::new();
        let mut stdout = shell.stdout.take().unwrap();
        while !pid.ends_with(b"\n") {
            let mut byte = [0];
            stdout.read_exact(&mut byte).unwrap();
            pid.push(byte[0]);
        }
        let hidden: i32 = String::from_utf8(pid).unwrap().trim().parse().unwrap();
        assert!(members(session).iter().any(|pid| pid.as_raw_pid() == hidden));
        assert_eq!(members(SessionId::new()), [], "another session has none");
        assert!(kill_all(session) >= 2);
        shell.wait().unwrap();
        assert_eq!(members(session), []);
    }
}

//! Looking through `/proc` for what belongs to a session, and killing it.
//!
//! Every process of a session inherits [`SESSION_VARIABLE`] in its environment, and its parents are known. A process
//! belongs to the session when it carries the mark, or has an ancestor or a session leader that does. Processes are
//! stopped before they are killed, so that none can fork away meanwhile.
//!
//! A process that wiped its environment, left the Unix session *and* lost its parents is not found this way: that is what
//! [`super::contain`] is for. This is the second net under it, and the one that needs no rights.

use std::collections::{HashMap, HashSet};
use std::fs;

use lineman_common::id::SessionId;
use rustix::process::{Pid, Signal, getpid, kill_process};

use super::cgroup::Hierarchy;
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
    let groups = Hierarchy::look();
    let groups = sessions.iter().filter_map(|session| groups.as_ref()?.group(*session));
    let mut killed = 0;
    for group in groups {
        match group.kill() {
            Ok(count) => killed += count,
            Err(error) => tracing::error!(%error, "the processes in a session's control group live on"),
        }
    }
    killed + kill_found(|| members_of(&Table::read(), sessions))
}

/// Kills what `find` finds, until it finds nothing.
pub fn kill_found(find: impl Fn() -> Vec<Pid>) -> usize {
    let mut killed = HashSet::new();
    for _ in 0..ROUNDS {
        let found = find();
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
    let group = Hierarchy::look().and_then(|groups| groups.group(session));
    let mut found = members_of(&Table::read(), &[session]);
    found.extend(group.into_iter().flat_map(|group| group.members()));
    found.sort_unstable_by_key(|pid| pid.as_raw_pid());
    found.dedup();
    found
}

fn members_of(table: &Table, sessions: &[SessionId]) -> Vec<Pid> {
    let belonging = table.0.keys().filter(|pid| table.belongs(**pid, |mark| sessions.contains(&mark)));
    belonging.filter_map(|pid| Pid::from_raw(*pid)).collect()
}

/// The processes of this machine, without this one and those that are dead.
pub struct Table(HashMap<i32, Process>);

pub struct Process {
    pub parent: i32,
    /// The Unix session's leader.
    pub leader: i32,
    /// Ticks since the machine's start.
    pub started: u64,
    /// The session's mark in its environment.
    pub mark: Option<SessionId>,
    /// The real user.
    pub uid: u32,
    pub name: String,
}

impl Table {
    pub fn read() -> Self {
        let own = getpid().as_raw_pid();
        let pids = fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Self(pids.filter(|pid| *pid != own).filter_map(|pid| Some((pid, Process::read(pid)?))).collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = (i32, &Process)> {
        self.0.iter().map(|(pid, process)| (*pid, process))
    }

    /// Does the process, an ancestor, or the leader of one of their Unix sessions carry such a mark?
    pub fn belongs(&self, pid: i32, wanted: impl Fn(SessionId) -> bool) -> bool {
        let marked = |process: &Process| process.mark.is_some_and(&wanted);
        let (mut at, mut seen) = (pid, HashSet::new());
        while let Some(process) = self.0.get(&at) {
            if marked(process) || self.0.get(&process.leader).is_some_and(marked) {
                return true;
            }
            if !seen.insert(at) {
                return false;
            }
            at = process.parent;
        }
        false
    }

    /// Is it this process, or below it?
    pub fn descends(&self, pid: i32, from: i32) -> bool {
        let (mut at, mut seen) = (pid, HashSet::new());
        while at != from {
            match self.0.get(&at) {
                Some(process) if seen.insert(at) => at = process.parent,
                Some(_) | None => return false,
            }
        }
        true
    }
}

impl Process {
    /// `None` for one that is gone, or dead and only waited for.
    fn read(pid: i32) -> Option<Self> {
        let Stat { state, parent, leader, started, name } = Stat::read(pid)?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_ascii_whitespace().next()?.parse().ok())?;
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mark = environ.split(|byte| *byte == 0).find_map(|variable| {
            let value = variable.strip_prefix(SESSION_VARIABLE.as_bytes())?.strip_prefix(b"=")?;
            std::str::from_utf8(value).ok()?.parse().ok()
        });
        (!matches!(state, 'Z' | 'X')).then_some(Self { parent, leader, started, mark, uid, name })
    }
}

/// What `/proc/PID/stat` says.
pub struct Stat {
    pub state: char,
    pub parent: i32,
    pub leader: i32,
    pub started: u64,
    pub name: String,
}

impl Stat {
    pub fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, also parentheses and spaces.
        let (head, fields) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<_> = fields.split_ascii_whitespace().collect();
        let state = fields.first()?.chars().next()?;
        let (parent, leader, started) = (fields.get(1)?.parse().ok()?, fields.get(3)?.parse().ok()?, fields.get(19)?.parse().ok()?);
        Some(Self { state, parent, leader, started, name })
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

//! Looking through `/proc` for what belongs to a session, and killing it.
//!
//! Every process of a session inherits [`SESSION_VARIABLE`] in its environment, and its parents are known. A process
//! belongs to the session when it carries the mark, or has an ancestor or a session leader that does. Processes are
//! stopped before they are killed, so that none can fork away meanwhile.
//!
//! Who asks whether anything is left gets an error when that could not be seen in full: an agent without free descriptors, say, must not
//! take its own blindness for an empty machine. Who kills takes what can be seen, and is asked again.
//!
//! A process that wiped its environment, left the Unix session *and* lost its parents is not found this way: that is what
//! [`super::contain`] is for. This is the second net under it, and the one that needs no rights.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::thread::sleep;
use std::time::Duration;

use lineman_common::id::SessionId;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpid, kill_process};

use super::cgroup::{Group, Hierarchy};
use super::child::SESSION_VARIABLE;

/// Rounds of looking again for what was forked meanwhile.
const ROUNDS: usize = 8;
/// At an environment that is empty.
const LOOKS: usize = 5;
const EMPTY_PAUSE: Duration = Duration::from_millis(2);

/// Kills whatever belongs to the session. Blocking, for tens of milliseconds on a machine with many processes. Returns how
/// many processes there were.
pub fn kill_all(session: SessionId) -> usize {
    kill_every(&[session])
}

/// As [`kill_all`], for several sessions at once.
pub fn kill_every(sessions: &[SessionId]) -> usize {
    let mut killed = 0;
    for session in sessions {
        match group_of(*session) {
            Ok(group) => killed += group.map_or(0, |group| kill_group(&group)),
            Err(error) => {
                tracing::error!(%error, session.id = %session, "a session's control group can't be looked for: it may live on");
            }
        }
    }
    killed + kill_found(|| Table::look_with(|table| members_of(table, sessions)))
}

/// Kills what is in a group. Returns how many processes there were.
pub fn kill_group(group: &Group) -> usize {
    group.kill().unwrap_or_else(|error| {
        tracing::error!(%error, "the processes in a session's control group live on");
        0
    })
}

fn group_of(session: SessionId) -> io::Result<Option<Group>> {
    Hierarchy::look()?.map_or(Ok(None), |groups| groups.group(session))
}

/// What was found, and why there may be more.
pub type Found = (Vec<Pid>, io::Result<()>);

/// Kills what `find` finds, until it finds nothing.
pub fn kill_found(find: impl Fn() -> Found) -> usize {
    let mut killed = HashSet::new();
    for _ in 0..ROUNDS {
        let (found, whole) = find();
        if let Err(error) = whole {
            tracing::error!(%error, "not every process can be seen: what a session started may live on until it is looked for again");
        }
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
pub fn members(session: SessionId) -> io::Result<Vec<Pid>> {
    let mut found = members_of(&Table::read()?, &[session]);
    if let Some(group) = group_of(session)? {
        found.extend(group.members()?);
    }
    found.sort_unstable_by_key(|pid| pid.as_raw_pid());
    found.dedup();
    Ok(found)
}

fn members_of(table: &Table, sessions: &[SessionId]) -> Vec<Pid> {
    let belonging = table.0.keys().filter(|pid| table.belongs(**pid, |mark| sessions.contains(&mark)));
    belonging.filter_map(|pid| Pid::from_raw(*pid)).collect()
}

/// The processes of this machine, without this one and those that are dead.
#[derive(Default)]
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
    /// All of them, or an error.
    pub fn read() -> io::Result<Self> {
        let (table, whole) = Self::look();
        whole.map(|()| table)
    }

    /// As many as can be seen; an error says that there may be more.
    fn look() -> (Self, io::Result<()>) {
        let (mut table, mut whole, own) = (Self::default(), Ok(()), getpid().as_raw_pid());
        let pids = match pids() {
            Ok(pids) => pids,
            Err(error) => return (table, Err(error)),
        };
        for pid in pids.into_iter().filter(|pid| *pid != own) {
            match Process::read(pid) {
                Ok(Some(process)) => drop(table.0.insert(pid, process)),
                Ok(None) => {}
                Err(error) => whole = Err(error),
            }
        }
        (table, whole)
    }

    /// What `find` finds among those that can be seen.
    pub fn look_with(find: impl FnOnce(&Self) -> Vec<Pid>) -> Found {
        let (table, whole) = Self::look();
        (find(&table), whole)
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

/// The numbers of all processes.
pub fn pids() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(pids)
}

/// `None` for a process that is gone, or is another's and hidden from this one.
fn of_a_process<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::SRCH | Errno::ACCESS | Errno::PERM)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A process that is just replacing its program shows an empty environment for a moment: one that is empty is looked at again.
pub fn environment(pid: i32) -> io::Result<Vec<u8>> {
    for _ in 0..LOOKS {
        match of_a_process(fs::read(format!("/proc/{pid}/environ")))? {
            Some(environ) if environ.is_empty() => sleep(EMPTY_PAUSE),
            found => return Ok(found.unwrap_or_default()),
        }
    }
    Ok(Vec::new())
}

impl Process {
    /// `None` for one that is gone, or dead and only waited for.
    fn read(pid: i32) -> io::Result<Option<Self>> {
        let Some(Stat { state, parent, leader, started, name }) = Stat::read(pid)? else { return Ok(None) };
        let Some(status) = of_a_process(fs::read(format!("/proc/{pid}/status")))? else { return Ok(None) };
        let status = String::from_utf8_lossy(&status);
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_ascii_whitespace().next()?.parse().ok());
        let Some(uid) = uid else { return Ok(None) };
        // The kernel's own threads have no memory of their own, and no environment.
        let environ = if status.contains("\nVmSize:") { environment(pid)? } else { Vec::new() };
        let mark = environ.split(|byte| *byte == 0).find_map(|variable| {
            let value = variable.strip_prefix(SESSION_VARIABLE.as_bytes())?.strip_prefix(b"=")?;
            std::str::from_utf8(value).ok()?.parse().ok()
        });
        Ok((!matches!(state, 'Z' | 'X')).then_some(Self { parent, leader, started, mark, uid, name }))
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
    pub fn read(pid: i32) -> io::Result<Option<Self>> {
        // A name need not be UTF-8.
        let stat = of_a_process(fs::read(format!("/proc/{pid}/stat")))?;
        Ok(stat.and_then(|stat| Self::parse(&String::from_utf8_lossy(&stat))))
    }

    fn parse(stat: &str) -> Option<Self> {
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
        assert!(members(session).unwrap().iter().any(|pid| pid.as_raw_pid() == hidden));
        assert_eq!(members(SessionId::new()).unwrap(), [], "another session has none");
        assert!(kill_all(session) >= 2);
        shell.wait().unwrap();
        assert_eq!(members(session).unwrap(), []);
    }
}

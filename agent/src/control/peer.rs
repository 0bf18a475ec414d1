//! Who is at the control socket.
//!
//! The socket is for the administrator of this device: root, or the account that the agent runs as. It is not for a session, whoever
//! that session has become: an engineer who was let in for one thing must not approve the next, or stop the recording of this one. So
//! every act is refused to a process that belongs to a session: by its control group, by the mark that all processes of a session
//! carry in their environment, or by an ancestor or session leader of which either is true.
//!
//! Said plainly: root inside a session who leaves the control group (where there is one), wipes the environment and loses all parents
//! can't be told from root outside. Sessions don't run as root; one that became root can do anything to the device.

use std::collections::HashSet;
use std::fs;

use rustix::process::geteuid;
use tokio::net::UnixStream;

use crate::session::child::SESSION_VARIABLE;
use crate::session::reap::environment;

/// What the names of sessions' control groups begin with.
const SESSION_CGROUP: &str = "lineman-ses-";
/// Processes come and go while their ancestors are looked up; one that can't be seen whole in so many tries is refused.
const TRIES: usize = 5;
/// No line of ancestors is longer.
const MAX_ANCESTORS: usize = 1024;
/// The kernel's word for "nobody logged in".
const NO_LOGIN: u32 = u32::MAX;

/// Somebody who may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    uid: u32,
    pid: i32,
}

impl Peer {
    /// Looks at the other end of a connection. The text of a refusal is for the person there.
    pub fn of(stream: &UnixStream) -> Result<Self, String> {
        let credentials = stream.peer_cred().map_err(|e| format!("the kernel does not tell who asks: {e}"))?;
        let pid = credentials.pid().filter(|pid| *pid > 0).ok_or("who asks can't be told: it is a process of another PID namespace")?;
        Self::check(credentials.uid(), pid)
    }

    fn check(uid: u32, pid: i32) -> Result<Self, String> {
        let own = geteuid().as_raw();
        if uid != 0 && uid != own {
            return Err(format!("only root, or the agent's own account (uid {own}), may ask this; this is uid {uid}"));
        }
        for _ in 0..TRIES {
            match session_of(pid) {
                Lineage::Outside => return Ok(Self { uid, pid }),
                Lineage::Inside(sign) => {
                    return Err(format!("this is refused from inside a session ({sign}): ask from a login of the device's own"));
                }
                Lineage::Gone => {}
            }
        }
        Err(format!("who asks can't be told: process {pid}, or one that it comes from, is gone"))
    }

    /// Account, process and terminal, for what is signed.
    pub fn text(&self) -> String {
        let Self { uid, pid } = self;
        let mut text = format!("{} (uid {uid})", account(*uid).unwrap_or_else(|| "an account without a name".into()));
        let login = fs::read_to_string(format!("/proc/{pid}/loginuid")).ok().and_then(|text| text.trim().parse::<u32>().ok());
        if let Some(login) = login.filter(|login| *login != NO_LOGIN && login != uid) {
            text += &format!(", logged in as {} (uid {login})", account(login).unwrap_or_else(|| "an account without a name".into()));
        }
        text += &format!(", process {pid}");
        if let Some(terminal) = Process::read(*pid).and_then(|process| terminal(process.terminal)) {
            text += &format!(" on {terminal}");
        }
        text
    }
}

enum Lineage {
    Outside,
    /// It belongs to a session; the sign of it.
    Inside(String),
    /// A process on the way was gone.
    Gone,
}

/// Walks from a process through its ancestors.
fn session_of(pid: i32) -> Lineage {
    let (mut at, mut seen) = (pid, HashSet::new());
    while at > 0 && seen.len() < MAX_ANCESTORS && seen.insert(at) {
        let Some(process) = Process::read(at) else { return Lineage::Gone };
        if let Some(sign) = mark(at).or_else(|| mark(process.leader)) {
            return Lineage::Inside(sign);
        }
        at = process.parent;
    }
    Lineage::Outside
}

/// The sign that a process itself belongs to a session.
fn mark(pid: i32) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    if groups.contains(SESSION_CGROUP) {
        return Some(format!("process {pid} is in the control group of one"));
    }
    let environ = environment(pid).unwrap_or_default();
    let marked = |variable: &[u8]| variable.strip_prefix(SESSION_VARIABLE.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
    environ.split(|byte| *byte == 0).any(marked).then(|| format!("process {pid} carries {SESSION_VARIABLE}"))
}

struct Process {
    parent: i32,
    leader: i32,
    terminal: i32,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, also parentheses and spaces.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(1).map(str::parse);
        let (parent, _group, leader, terminal) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        Some(Self { parent: parent.ok()?, leader: leader.ok()?, terminal: terminal.ok()? })
    }
}

/// The device of a controlling terminal, from its number (see proc(5)).
fn terminal(number: i32) -> Option<String> {
    let (major, minor) = ((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xf_ff00));
    match major {
        136..=143 => Some(format!("/dev/pts/{}", (major - 136) * 256 + minor)),
        4 => Some(if minor < 64 { format!("/dev/tty{minor}") } else { format!("/dev/ttyS{}", minor - 64) }),
        _ => None,
    }
}

fn account(uid: u32) -> Option<String> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, found) = (fields.next()?, fields.nth(1)?);
        (found.parse() == Ok(uid)).then(|| lineman_common::printable::escape(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    /// A shell that says its grandchild's pid and stays.
    fn shell(script: &str, marked: bool) -> (Child, i32) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped()).env_remove(SESSION_VARIABLE);
        if marked {
            command.env(SESSION_VARIABLE, "ses_x");
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (child, line.trim().parse().unwrap())
    }

    fn asked(script: &str, marked: bool) -> Result<Peer, String> {
        let (mut child, pid) = shell(script, marked);
        let answer = Peer::check(geteuid().as_raw(), pid);
        for pid in [pid, i32::try_from(child.id()).unwrap()] {
            let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL);
        }
        child.wait().unwrap();
        answer
    }

    #[test]
    fn nobody_asks_from_inside_a_session_however_deep() {
        for script in [
            "echo $$; exec sleep 5",
            // The environment wiped: the parent still has it.
            "env -i sh -c 'echo $$; exec sleep 5' & wait",
            // In a Unix session of its own.
            "setsid sh -c 'echo $$; exec sleep 5' & wait",
            // The parent lost, but not the session's leader.
            "setsid sh -c 'env -i sh -c \"sh -c \\\"echo \\\\\\$\\\\\\$; exec sleep 5\\\" & \" ; exec sleep 5' & wait",
        ] {
            let refused = asked(script, true).unwrap_err();
            assert!(refused.contains("refused from inside a session"), "{script}: {refused}");
            let peer = asked(script, false).unwrap();
            assert_eq!(peer.uid, geteuid().as_raw(), "{script}");
        }
    }

    #[test]
    fn only_root_and_the_agents_own_account_ask() {
        let own = i32::try_from(std::process::id()).unwrap();
        let other = geteuid().as_raw() + 12_345;
        assert!(Peer::check(other, own).unwrap_err().contains("only root, or the agent's own account"));
        let mut child = Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        assert!(Peer::check(geteuid().as_raw(), pid).unwrap_err().contains("is gone"));
        let peer = Peer::check(geteuid().as_raw(), own).unwrap();
        assert!(peer.text().ends_with(&format!("process {own}")) || peer.text().contains(&format!("process {own} on /dev/")));
    }

    #[test]
    fn terminals_have_their_names() {
        assert_eq!(terminal(0), None);
        assert_eq!(terminal((136 << 8) | 3).as_deref(), Some("/dev/pts/3"));
        assert_eq!(terminal((137 << 8) | 1).as_deref(), Some("/dev/pts/257"));
        assert_eq!(terminal((4 << 8) | 1).as_deref(), Some("/dev/tty1"));
    }
}

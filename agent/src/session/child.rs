//! The session child: `lineman-agent session-child`, the privilege boundary of every session.
//!
//! The agent runs itself again and writes two messages into the child's standard input, so that nothing of them shows in
//! `/proc/PID/cmdline` or an environment: its [`Berth`], and its [`ChildOrders`], which may come later ([`super::spare`]). The child joins
//! the session's control group before anything else, if the session has one: a child that can't join does nothing. It makes itself a Unix session of its own (with the terminal, if there is
//! one), gives up all rights but the account's, makes sure that they are gone, and then becomes the shell or the command,
//! or serves SFTP itself. It is single-threaded and starts before any runtime, which is what makes this sound: on Linux
//! the identity calls count for one thread.
//!
//! What follows the orders on standard input is the command's own input.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lineman_common::id::SessionId;
use rustix::fs::{Mode, fchmod, fchown};
use rustix::io::Errno;
use rustix::process::{
    Gid, Signal, Uid, chdir, geteuid, getgid, getgroups, getuid, ioctl_tiocsctty, set_parent_process_death_signal, setsid, umask,
};
use rustix::stdio::{dup2_stdin, stderr, stdin, stdout};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};

use super::account::Account;
use super::{cgroup, sftp};

/// First argument of the re-executed agent.
pub const ARGUMENT: &str = "session-child";

/// Marks every process of a session, so that all of them can be found when it is killed.
pub const SESSION_VARIABLE: &str = "LINEMAN_SESSION";

/// Exit code when the child fails before it became what it should: stock ssh uses it for its own failures.
pub const FAILED: u8 = 255;

const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
/// Larger orders are a mistake: a command line is limited by the SSH packet.
const MAX_ORDERS_BYTES: u32 = 1024 * 1024;

/// Where a child belongs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Berth {
    pub session: SessionId,
    /// The session's control group.
    #[serde(default)]
    pub group: Option<PathBuf>,
}

/// What a child is to become.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChildOrders {
    pub account: Account,
    /// From the profile and, for a few names, from the engineer's client.
    pub env: BTreeMap<String, String>,
    /// `TERM`, when standard output is a terminal.
    pub terminal: Option<String>,
    pub job: Job,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    Shell,
    /// A command line for the shell, as it came.
    Command(Vec<u8>),
    Sftp {
        write: bool,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    #[error("the orders can't be read: {0}")]
    Orders(String),
    #[error("the session's control group {} can't be joined: {source}; nothing runs outside of it", group.display())]
    Group { group: PathBuf, source: io::Error },
    #[error("{doing}: {source}")]
    Call { doing: &'static str, source: Errno },
    #[error("the rights of the agent were not all given up: {0}")]
    StillPrivileged(&'static str),
    #[error("starting {}: {source}", program.display())]
    Exec { program: PathBuf, source: io::Error },
    #[error("sftp: {0}")]
    Sftp(io::Error),
}

/// Length and JSON, as the child reads them.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_vec(message)?;
    let length = u32::try_from(json.len()).unwrap_or(u32::MAX).to_be_bytes();
    Ok([&length[..], &json].concat())
}

/// Reads exactly one message from standard input, and no byte of what follows it; `None` at its end.
fn read<T: DeserializeOwned>() -> Result<Option<T>, ChildError> {
    let mut length = [0; 4];
    if !read_exactly(&mut length)? {
        return Ok(None);
    }
    let length = u32::from_be_bytes(length);
    if length > MAX_ORDERS_BYTES {
        return Err(ChildError::Orders(format!("{length} bytes are too many")));
    }
    let mut json = vec![0; length as usize];
    if !read_exactly(&mut json)? {
        return Ok(None);
    }
    serde_json::from_slice(&json).map(Some).map_err(|e| ChildError::Orders(e.to_string()))
}

/// `false` when it ends before.
fn read_exactly(mut buffer: &mut [u8]) -> Result<bool, ChildError> {
    while !buffer.is_empty() {
        match rustix::io::read(stdin(), &mut *buffer) {
            Ok(0) => return Ok(false),
            Ok(n) => buffer = &mut buffer[n..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(ChildError::Orders(error.to_string())),
        }
    }
    Ok(true)
}

/// The whole life of a session child; returns its exit code when it did not become another program.
pub fn run() -> u8 {
    match live() {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "lineman: {error}");
            FAILED
        }
    }
}

/// Without orders it was not needed, or the agent is gone.
fn live() -> Result<(), ChildError> {
    let Some(berth) = read::<Berth>()? else { return Ok(()) };
    if let Some(group) = berth.group {
        cgroup::join(&group).map_err(|source| ChildError::Group { group, source })?;
    }
    read()?.map_or(Ok(()), |orders| obey(berth.session, &orders))
}

fn obey(session: SessionId, orders: &ChildOrders) -> Result<(), ChildError> {
    let call = |doing| move |source| ChildError::Call { doing, source };
    setsid().map_err(call("making a session"))?;
    if orders.terminal.is_some() {
        ioctl_tiocsctty(stdout()).map_err(call("taking the terminal"))?;
        if geteuid().is_root() {
            let (uid, gid) = (Uid::from_raw(orders.account.uid), Gid::from_raw(orders.account.gid));
            fchown(stdout(), Some(uid), Some(gid)).map_err(call("handing over the terminal"))?;
            fchmod(stdout(), Mode::RUSR | Mode::WUSR).map_err(call("handing over the terminal"))?;
        }
        dup2_stdin(stdout()).map_err(call("using the terminal"))?;
    }
    umask(Mode::from_raw_mode(0o022));
    drop_rights(&orders.account)?;
    die_with_the_agent()?;
    if chdir(&orders.account.home).is_err() {
        chdir("/").map_err(call("entering /"))?;
    }
    match &orders.job {
        Job::Shell => exec(session, orders, None),
        Job::Command(line) => exec(session, orders, Some(line)),
        Job::Sftp { write } => sftp::serve(*write).map_err(ChildError::Sftp),
    }
}

/// Becomes the account for good. When the agent is not root, it is the account already.
fn drop_rights(account: &Account) -> Result<(), ChildError> {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let call = |doing| move |source| ChildError::Call { doing, source };
    if geteuid().is_root() {
        let groups: Vec<_> = account.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        set_thread_groups(&groups).map_err(call("giving up groups"))?;
        set_thread_res_gid(gid, gid, gid).map_err(call("giving up the group"))?;
        set_thread_res_uid(uid, uid, uid).map_err(call("giving up root"))?;
        if getgid() != gid {
            return Err(ChildError::StillPrivileged("the group is another one"));
        }
        let held = getgroups().map_err(call("reading the groups"))?;
        if held.iter().any(|held| !account.groups.contains(&held.as_raw())) {
            return Err(ChildError::StillPrivileged("a group is left"));
        }
    }
    if getuid() != uid || geteuid() != uid {
        return Err(ChildError::StillPrivileged("the user is another one"));
    }
    if uid.is_root() || set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok() {
        return Err(ChildError::StillPrivileged("root can be regained"));
    }
    Ok(())
}

/// Nothing may go on that nobody records: when the agent is killed, so is the child. Changing who one is resets this, so it
/// comes after that; an agent that was gone by then is noticed by its closed pipe or terminal.
fn die_with_the_agent() -> Result<(), ChildError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|source| ChildError::Call { doing: "binding the child to the agent", source })
}

/// Becomes the account's shell; returns only when that fails.
fn exec(session: SessionId, orders: &ChildOrders, line: Option<&[u8]>) -> Result<(), ChildError> {
    let account = &orders.account;
    let mut command = Command::new(&account.shell);
    let name = account.shell.file_name().unwrap_or_default();
    match line {
        // A dash in front of its name makes a shell a login shell.
        None => {
            let mut arg0 = OsString::from("-");
            arg0.push(name);
            command.arg0(arg0);
        }
        Some(line) => {
            command.arg0(name).arg("-c").arg(OsString::from_vec(line.to_vec()));
        }
    }
    command.env_clear().envs(environment(session, orders));
    hear_signals();
    Err(ChildError::Exec { program: account.shell.clone(), source: command.exec() })
}

/// An agent that was started in the background, or by `nohup`, ignores signals, and would hand that down: Ctrl-C would do nothing in the
/// shell, and a hang-up would not end it. What a program listens to is its default again after `exec`; what it ignores stays ignored.
/// So the child listens, for the moment that is left of it.
fn hear_signals() {
    const HEARD: &[i32] = &[SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2];
    for signal in HEARD {
        let _ = signal_hook::flag::register(*signal, Arc::new(AtomicBool::new(false)));
    }
}

fn environment(session: SessionId, orders: &ChildOrders) -> BTreeMap<String, OsString> {
    let Account { name, home, shell, .. } = &orders.account;
    let text = |path: &Path| path.as_os_str().to_owned();
    let mut env = BTreeMap::from([
        ("PATH".to_owned(), DEFAULT_PATH.into()),
        ("HOME".to_owned(), text(home)),
        ("SHELL".to_owned(), text(shell)),
        ("USER".to_owned(), name.into()),
        ("LOGNAME".to_owned(), name.into()),
    ]);
    env.extend(orders.env.iter().map(|(name, value)| (name.clone(), value.into())));
    env.extend(orders.terminal.as_ref().map(|term| ("TERM".to_owned(), term.into())));
    env.insert(SESSION_VARIABLE.to_owned(), session.to_string().into());
    env
}

/// For SFTP, which keeps standard error for its operations: one line each.
pub(super) fn tell(line: &[u8]) -> io::Result<()> {
    let mut rest = line;
    while !rest.is_empty() {
        match rustix::io::write(stderr(), rest) {
            Ok(n) => rest = &rest[n..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> ChildOrders {
        ChildOrders {
            account: Account {
                name: "view".into(),
                uid: 1001,
                gid: 1001,
                groups: vec![1001],
                home: "/home/view".into(),
                shell: "/bin/bash".into(),
            },
            env: BTreeMap::from([("PATH".into(), "/opt/ne/bin".into()), (SESSION_VARIABLE.into(), "forged".into())]),
            terminal: Some("xterm".into()),
            job: Job::Command(vec![0xff, b'x']),
        }
    }

    #[test]
    fn the_environment_is_the_profiles_and_marks_the_session() {
        let session = SessionId::new();
        let env = environment(session, &orders());
        assert_eq!(env["PATH"], "/opt/ne/bin");
        assert_eq!(env["TERM"], "xterm");
        assert_eq!(env[SESSION_VARIABLE], *session.to_string());
        assert_eq!(env.len(), 7);
    }

    #[test]
    fn orders_carry_a_command_that_is_not_text() {
        let bytes = encode(&orders()).unwrap();
        let back: ChildOrders = serde_json::from_slice(&bytes[4..]).unwrap();
        assert_eq!(back.job, orders().job);
        assert_eq!(u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize, bytes.len() - 4);
    }
}

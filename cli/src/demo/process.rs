//! The demo's processes: starting them, knowing them again, ending them.
//!
//! A demo outlives the command that started it, so its processes are known by file. A process id alone is not enough: after
//! a crash the id may belong to somebody else. A process is taken for ours only if it runs since the same clock tick of the
//! same boot and runs the program that was started, and it is signalled through a pidfd, so that it can't be exchanged
//! between the look and the signal.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::Error;

/// How often an ending process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A killed process is gone as soon as the kernel gets to it.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

/// A process as the demo's files know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// `server`, `ne-1`, ... or `demo` for the command that keeps a demo in the foreground.
    pub name: String,
    pub pid: u32,
    boot_id: String,
    /// Start time in clock ticks since boot.
    start_ticks: u64,
    exe: PathBuf,
    /// The program that becomes `exe`, see [`start`].
    launcher: PathBuf,
    pub log: PathBuf,
}

impl Process {
    fn of(name: &str, pid: u32, exe: &Path, log: &Path) -> io::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            pid,
            boot_id: boot_id()?,
            start_ticks: stat(pid)?.start_ticks,
            exe: exe.to_owned(),
            launcher: std::env::current_exe()?,
            log: log.to_owned(),
        })
    }

    /// This command itself.
    pub fn myself(name: &str) -> Result<Self, Error> {
        let here = || Self::of(name, std::process::id(), &std::env::current_exe()?, Path::new(""));
        here().map_err(|source| Error::file("read", Path::new("/proc/self/stat"), source))
    }

    /// Is it still running, and still the same? A zombie is not running.
    pub fn is_running(&self) -> bool {
        let same = || -> io::Result<bool> {
            let stat = stat(self.pid)?;
            let exe = std::fs::read_link(format!("/proc/{}/exe", self.pid))?;
            // A program that was built anew while it ran shows as deleted.
            let exe = exe.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
            let known = [&self.exe, &self.launcher].into_iter().any(|path| path.as_os_str() == exe.as_str());
            Ok(boot_id()? == self.boot_id && stat.start_ticks == self.start_ticks && !stat.is_over && known)
        };
        same().unwrap_or(false)
    }

    fn signal(&self, signal: Signal) {
        send(self.pid, signal, || self.is_running());
    }

    /// Kills it, and whatever it started: it can't end its own sessions any more.
    fn kill(&self) {
        let descendants = descendants(self.pid);
        self.signal(Signal::KILL);
        for (pid, start_ticks) in descendants {
            send(pid, Signal::KILL, || stat(pid).is_ok_and(|stat| stat.start_ticks == start_ticks));
        }
    }
}

/// Sends a signal to the process that `is_it` recognises; what has ended meanwhile is left alone.
fn send(pid: u32, signal: Signal, is_it: impl Fn() -> bool) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if is_it() {
        let _ = pidfd_send_signal(handle, signal);
    }
}

/// Everything that a process started, and what that started, with start times.
fn descendants(root: u32) -> Vec<(u32, u64)> {
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<(u32, Stat)> = numbers.filter_map(|pid: u32| Some((pid, stat(pid).ok()?))).collect();
    let mut found = vec![(root, 0)];
    let mut next = 0;
    while let Some((parent, _)) = found.get(next).copied() {
        next += 1;
        found.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, stat)| (*pid, stat.start_ticks)));
    }
    found.split_off(1)
}

struct Stat {
    parent: u32,
    start_ticks: u64,
    is_over: bool,
}

/// State, parent and start time from `/proc/PID/stat`. The program's name stands in parentheses and may hold anything.
fn stat(pid: u32) -> io::Result<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<_> = text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    // Fields 3 (state), 4 (ppid) and 22 (starttime) of proc_pid_stat(5); the first one after the name is number 3.
    let field = |number: usize| fields.get(number - 3).copied().unwrap_or_default();
    let (Ok(parent), Ok(start_ticks)) = (field(4).parse(), field(22).parse()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not understood"));
    };
    Ok(Stat { parent, start_ticks, is_over: matches!(field(3), "Z" | "X") })
}

fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Starts a program that outlives this command: in a session of its own, cut off from this terminal, output in files.
///
/// Becoming a session's leader has to happen in the child before the program runs, and doing that here would take unsafe
/// code. So the child is this program again, as `lineman demo exec`, which becomes the leader and then the program.
pub fn start(name: &str, program: &Path, args: &[OsString], out: &Path, log: &Path) -> Result<(Process, Child), Error> {
    let append = |path: &Path| File::options().create(true).append(true).open(path).map_err(|source| Error::file("write", path, source));
    let launcher = std::env::current_exe().map_err(|source| Error::file("find", Path::new("/proc/self/exe"), source))?;
    let mut child = Command::new(launcher)
        .args(["demo", "exec", "--"])
        .arg(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(append(out)?)
        .stderr(append(log)?)
        .current_dir("/")
        .spawn()
        .map_err(|source| Error::file("start", program, source))?;
    match Process::of(name, child.id(), program, log) {
        Ok(process) => Ok((process, child)),
        Err(source) => {
            // Not written down, it would never be ended. Our own child can't have been exchanged.
            let _ = child.kill();
            let _ = child.wait();
            Err(Error::file("start", program, source))
        }
    }
}

/// What the child of [`start`] does. Returns only if it failed.
pub fn become_program(program: &Path, args: &[OsString]) -> Error {
    // Fails only for the leader of a process group, when it was typed by hand in a shell; no harm then.
    let _ = rustix::process::setsid();
    Error::file("start", program, Command::new(program).args(args).exec())
}

/// Ends processes: asks them, waits up to `grace`, then kills what is left. Returns the names of those that are still there.
pub async fn end(processes: &[Process], grace: Duration) -> Vec<String> {
    for (ask, patience) in [(true, grace), (false, KILLED_WITHIN)] {
        let mut left: Vec<_> = processes.iter().filter(|process| process.is_running()).collect();
        for process in &left {
            if ask {
                process.signal(Signal::TERM);
            } else {
                process.kill();
            }
        }
        let deadline = Instant::now() + patience;
        while !left.is_empty() && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
            left.retain(|process| process.is_running());
        }
    }
    processes.iter().filter(|process| process.is_running()).map(|process| process.name.clone()).collect()
}

/// The last lines of a log, for a message.
pub fn tail(log: &Path) -> String {
    const LINES: usize = 12;
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<_> = text.lines().map(|line| "    ".to_owned() + &lineman_common::printable::escape(line)).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(program: &str, args: &[&str]) -> (Process, Child) {
        let child = Command::new(program).args(args).stdout(Stdio::piped()).spawn().unwrap();
        let exe = std::fs::read_link(format!("/proc/{}/exe", child.id())).unwrap();
        (Process::of("sleeper", child.id(), &exe, Path::new("")).unwrap(), child)
    }

    #[test]
    fn a_process_is_known_by_more_than_its_number() {
        let (process, mut child) = sleeper("sleep", &["60"]);
        // The fork becomes `sleep` an instant later; both are ours.
        let process = Process { exe: which("sleep"), ..process };
        assert!(process.is_running());
        assert!(!Process { start_ticks: process.start_ticks + 1, ..process.clone() }.is_running());
        assert!(!Process { boot_id: "another boot".into(), ..process.clone() }.is_running());
        let other = Process { exe: "/usr/bin/somebody-else".into(), launcher: "/usr/bin/another".into(), ..process.clone() };
        assert!(!other.is_running());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.is_running());
    }

    fn which(name: &str) -> PathBuf {
        let path = std::env::var_os("PATH").unwrap();
        let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file()).unwrap();
        found.canonicalize().unwrap()
    }

    #[tokio::test]
    async fn who_does_not_hear_is_killed_and_strangers_are_left_alone() {
        use std::io::{BufRead, BufReader};
        let (deaf, mut child) = sleeper("sh", &["-c", "trap '' TERM; sleep 60 & echo $!; wait"]);
        let deaf = Process { exe: which("sh"), ..deaf };
        // It ignores the signal from the moment that it says whom it started.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: u32 = line.trim().parse().unwrap();
        assert_eq!(descendants(child.id()).first().map(|(pid, _)| *pid), Some(started));
        let stranger = Process { name: "stranger".into(), start_ticks: 1, pid: std::process::id(), ..deaf.clone() };
        assert_eq!(end(&[deaf.clone(), stranger], Duration::from_millis(100)).await, Vec::<String>::new());
        // Signal 9, not 15: it was asked first, and did not hear.
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()), Some(9));
        let deadline = Instant::now() + KILLED_WITHIN;
        while stat(started).is_ok_and(|stat| !stat.is_over) {
            assert!(Instant::now() < deadline, "what it started goes on");
            sleep(LOOK_EVERY).await;
        }
    }

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        assert!(stat(std::process::id()).unwrap().start_ticks > 0);
        assert!(stat(0).is_err());
    }
}

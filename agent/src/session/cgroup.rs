//! A control group (cgroup v2) per session: the kernel's own list of what a session started.
//!
//! Whatever a process does (a new Unix session, another parent, an empty environment), it stays in the group that it was born
//! in, and one write kills all of the group, also what is being forked at that moment. Only root can move a process out.
//!
//! The file that kills a group is kept open from the moment the group is made, and an empty group is told by its removal: neither takes
//! a descriptor, so an agent that has run out of them can still kill, and still knows what it has killed.
//!
//! The group is a directory below the agent's own group, so no service manager takes it for its own. It is removed
//! when it is empty; a child that was about to join it then finds nothing to join, and no session child runs outside of its group.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lineman_common::id::SessionId;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, geteuid, kill_process};

/// Names of the groups: this and the session's id.
pub const PREFIX: &str = "lineman-ses-";
const KILL: &str = "cgroup.kill";
/// Groups in groups that are looked through: nobody but root nests them.
const DEPTH: usize = 8;
/// For the kernel to take away what was killed.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The mounted hierarchy, and the agent's own group in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    mount: PathBuf,
    own: PathBuf,
}

impl Hierarchy {
    /// `None` when this process may not make groups: it is not root, or there is no cgroup v2 that can be written.
    pub fn find() -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let looked = Self::look().inspect_err(|error| tracing::error!(%error, "the control groups of this machine can't be looked at"));
        let found = looked.ok()??;
        found.can_make().then_some(found)
    }

    /// Where groups are, if there are any.
    pub fn look() -> io::Result<Option<Self>> {
        let mounts = there(fs::read_to_string("/proc/self/mountinfo"))?.unwrap_or_default();
        let own = there(fs::read_to_string("/proc/self/cgroup"))?.unwrap_or_default();
        let Some(found) = Self::of(&mounts, &own) else { return Ok(None) };
        Ok(found.own.join("cgroup.procs").try_exists()?.then_some(found))
    }

    fn of(mountinfo: &str, cgroup: &str) -> Option<Self> {
        let own = Path::new(cgroup.lines().find_map(|line| line.strip_prefix("0::"))?);
        mountinfo.lines().find_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            if kind.split(' ').next() != Some("cgroup2") {
                return None;
            }
            let mut fields = mount.split(' ').skip(3);
            let (root, mount) = (unescaped(fields.next()?), unescaped(fields.next()?));
            // A process outside of what is mounted has a path with `..` in it.
            let below = own.strip_prefix(&root).ok().filter(|below| below.components().all(|part| part.as_os_str() != ".."))?;
            let own = if below.as_os_str().is_empty() { mount.clone() } else { mount.join(below) };
            Some(Self { mount, own })
        })
    }

    fn can_make(&self) -> bool {
        static PROBES: AtomicU32 = AtomicU32::new(0);
        let number = PROBES.fetch_add(1, Ordering::Relaxed);
        let probe = self.own.join(format!("lineman-probe-{}-{number}", rustix::process::getpid().as_raw_pid()));
        fs::create_dir(&probe).is_ok() && fs::remove_dir(&probe).is_ok()
    }

    /// A new group for a session, which only root can look into.
    pub fn make(&self, session: SessionId) -> io::Result<Group> {
        let dir = self.own.join(format!("{PREFIX}{session}"));
        DirBuilder::new().mode(0o700).create(&dir)?;
        match there(OpenOptions::new().write(true).open(dir.join(KILL))) {
            Ok(kill) => Ok(Group { dir, kill: kill.map(Arc::new) }),
            Err(error) => {
                let _ = fs::remove_dir(&dir);
                Err(error)
            }
        }
    }

    /// The group of a session that an agent made, also one that ran in another group than this one does.
    pub fn group(&self, session: SessionId) -> io::Result<Option<Group>> {
        let name = format!("{PREFIX}{session}");
        let here = self.own.join(&name);
        let dir = if here.try_exists()? { Some(here) } else { search(&self.mount, &name, DEPTH)? };
        Ok(dir.map(|dir| Group { dir, kill: None }))
    }
}

/// mountinfo writes spaces and the like as a backslash and three octal digits.
fn unescaped(field: &str) -> PathBuf {
    let mut parts = field.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) => {
                text.push(char::from(byte));
                text.push_str(&part[3..]);
            }
            None => text = format!("{text}\\{part}"),
        }
    }
    text.into()
}

fn search(dir: &Path, name: &str, depth: usize) -> io::Result<Option<PathBuf>> {
    let found = dir.join(name);
    if found.try_exists()? {
        return Ok(Some(found));
    }
    if depth > 0 {
        for child in children(dir)? {
            if let found @ Some(_) = search(&child, name, depth - 1)? {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

fn children(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in there(fs::read_dir(dir))?.into_iter().flatten() {
        let Some(entry) = there(entry)? else { continue };
        if there(entry.file_type())?.is_some_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// `None` for what is not there (any more); every other error says nothing about that.
fn there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NODEV)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A session's group.
#[derive(Clone, Debug)]
pub struct Group {
    dir: PathBuf,
    /// What kills it, held open by whoever made it. Linux has it since 5.14.
    kill: Option<Arc<File>>,
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.dir == other.dir
    }
}

impl Eq for Group {}

impl Group {
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Everything alive in it.
    pub fn members(&self) -> io::Result<Vec<Pid>> {
        members(&self.dir, DEPTH)
    }

    /// Kills everything in it and removes it: what was about to join finds it gone. Blocking, for as long as the kernel needs; returns
    /// how many processes there were.
    pub fn kill(&self) -> io::Result<usize> {
        self.kill_by(Self::kill_at_once)
    }

    fn kill_by(&self, kill: impl Fn(&Self) -> io::Result<()>) -> io::Result<usize> {
        let deadline = Instant::now() + PATIENCE;
        let mut killed = std::collections::HashSet::new();
        loop {
            // Only for counting: that nothing is left is proven by the removal.
            killed.extend(self.members().unwrap_or_default());
            if self.dissolve() {
                return Ok(killed.len());
            }
            match kill(self) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && !self.dir.exists() => return Ok(killed.len()),
                other => other?,
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{} can't be emptied", self.dir.display())));
            }
            sleep(LOOK_EVERY);
        }
    }

    /// One blow, without waiting for what it does.
    pub fn kill_at_once(&self) -> io::Result<()> {
        let struck = match &self.kill {
            Some(kill) => (&**kill).write_all(b"1"),
            None => OpenOptions::new().write(true).open(self.dir.join(KILL)).and_then(|mut kill| kill.write_all(b"1")),
        };
        match there(struck)? {
            Some(()) => Ok(()),
            // Gone with all that was in it.
            None if !self.dir.try_exists()? => Ok(()),
            // Before Linux 5.14.
            None => self.kill_one_by_one(),
        }
    }

    /// Stopped as a whole, so that none can fork away meanwhile.
    fn kill_one_by_one(&self) -> io::Result<()> {
        let frozen = self.dir.join("cgroup.freeze");
        let freezing = if frozen.exists() { fs::write(&frozen, "1") } else { Ok(()) };
        for pid in self.members()? {
            // Gone already is what we wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
        freezing
    }

    /// Removes it if nothing is in it. `true` when it is gone.
    pub fn dissolve(&self) -> bool {
        dissolve(&self.dir, DEPTH)
    }
}

fn members(dir: &Path, depth: usize) -> io::Result<Vec<Pid>> {
    let listed = there(fs::read_to_string(dir.join("cgroup.procs")))?.unwrap_or_default();
    let mut found: Vec<_> = listed.lines().filter_map(|line| line.parse().ok().and_then(Pid::from_raw)).collect();
    if depth > 0 {
        for child in children(dir)? {
            found.extend(members(&child, depth - 1)?);
        }
    }
    Ok(found)
}

fn dissolve(dir: &Path, depth: usize) -> bool {
    if depth > 0 {
        // What can't be seen is not removed, and then `dir` is not either.
        for child in children(dir).unwrap_or_default() {
            dissolve(&child, depth - 1);
        }
    }
    match fs::remove_dir(dir) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Moves this process, which must have one thread, into the group in this directory.
pub fn join(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("cgroup.procs"), "0")
}

/// The session that the process with this number (or `self`) belongs to, by its group.
pub fn session_of(process: &str) -> Option<SessionId> {
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    own.split('/').find_map(|part| part.strip_prefix(PREFIX)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    const MOUNTS: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                          38 31 0:31 / /sys/fs/cgroup/uni\\040fied rw,relatime shared:9 - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_hierarchy_is_found_where_it_is_mounted() {
        let found = Hierarchy::of(MOUNTS, "4:memory:/x\n0::/system.slice/lineman-agent.service\n").unwrap();
        assert_eq!(found.mount, Path::new("/sys/fs/cgroup/uni fied"));
        assert_eq!(found.own, Path::new("/sys/fs/cgroup/uni fied/system.slice/lineman-agent.service"));
        assert_eq!(Hierarchy::of(MOUNTS, "0::/\n").unwrap().own, found.mount);
        let part = MOUNTS.replace("0:31 / ", "0:31 /pod ");
        assert_eq!(Hierarchy::of(&part, "0::/pod/a\n").unwrap().own, Path::new("/sys/fs/cgroup/uni fied/a"));
        for outside in ["0::/../a\n", "0::/other\n", "4:memory:/pod\n", ""] {
            assert_eq!(Hierarchy::of(&part, outside), None, "{outside:?}");
        }
    }

    /// A group with a shell in it that makes children for a while, or `None` where this can't be.
    fn group_with(script: &str) -> Option<(Group, Child)> {
        let Some(hierarchy) = Hierarchy::find() else {
            eprintln!("skipped: this needs root and a cgroup v2 that can be written");
            return None;
        };
        let session = SessionId::new();
        let group = hierarchy.make(session).unwrap();
        assert_eq!(hierarchy.group(session).unwrap(), Some(group.clone()));
        let joins = format!("echo 0 > {}/cgroup.procs; {script}", group.dir.display());
        let child = Command::new("sh").args(["-c", &joins]).stdout(Stdio::null()).spawn().unwrap();
        Some((group, child))
    }

    fn fills(group: &Group, least: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while group.members().unwrap().len() < least {
            assert!(Instant::now() < deadline, "{:?}", group.members());
            sleep(LOOK_EVERY);
        }
    }

    /// Forks as fast as it can, a thousand times, and each wipes what it could be known by.
    const FORKS: &str = "for n in $(seq 1000); do setsid env -i sleep 1000 & done; wait";

    #[test]
    fn a_burst_of_forks_dies_in_one_blow_and_nothing_else_does() {
        let Some((group, mut child)) = group_with(FORKS) else { return };
        let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
        fills(&group, 50);
        assert!(group.kill().unwrap() >= 50);
        child.wait().unwrap();
        assert!(!group.dir.exists() && group.members().unwrap().is_empty());
        assert_eq!(other.try_wait().unwrap(), None, "a process that is not in the group");
        assert!(join(&group.dir).is_err(), "nobody joins what is gone");
        assert_eq!(group.kill().unwrap(), 0);
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn an_old_kernel_kills_one_by_one() {
        let Some((group, mut child)) = group_with(FORKS) else { return };
        fills(&group, 50);
        assert!(group.kill_by(Group::kill_one_by_one).unwrap() >= 50);
        child.wait().unwrap();
        assert!(!group.dir.exists());
    }

    #[test]
    fn groups_in_a_group_go_too() {
        let Some((group, mut child)) = group_with("sleep 1000") else { return };
        fills(&group, 1);
        let nested = group.dir.join("nested");
        fs::create_dir(&nested).unwrap();
        fs::write(nested.join("cgroup.procs"), child.id().to_string()).unwrap();
        assert!(!group.dissolve());
        assert_eq!(
            session_of(&child.id().to_string()).map(|id| format!("{PREFIX}{id}")),
            group.dir.file_name().map(|n| n.to_string_lossy().into_owned())
        );
        assert!(group.kill().unwrap() >= 1);
        child.wait().unwrap();
        assert!(!group.dir.exists());
    }
}

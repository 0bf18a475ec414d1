//! What a session leaves behind: how the account comes back, and what of it runs on.
//!
//! Looked at when a session begins and when it ends: the account's crontab and at jobs, the keys that open it, what its shells read
//! at their start, its own systemd units, and its processes. Only the difference is told: what changed *while* the session was in,
//! whoever changed it. Of a file its length and SHA-256 count, so nothing of its contents gets into a recording.
//!
//! This is a net for what is forgotten, not a proof: whoever wants to hide something from it can.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use lineman_common::printable::escape;
use lineman_common::statement::hex;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::account::Account;
use super::contain::Others;

const MOST_FILES: usize = 256;
/// Of a file, so much is hashed; of a longer one also its length and its time of change count.
const HASHED_BYTES: u64 = 1024 * 1024;
/// Directories in directories.
const DEPTH: usize = 3;
/// What is told, at most.
const MOST_TOLD: usize = 32;
const SHOWN_HASH_CHARS: usize = 16;

const CRONTABS: [&str; 2] = ["/var/spool/cron/crontabs", "/var/spool/cron"];
const AT_JOBS: [&str; 3] = ["/var/spool/cron/atjobs", "/var/spool/atjobs", "/var/spool/at"];
const SHELL_FILES: [&str; 6] = [".profile", ".bashrc", ".bash_profile", ".bash_login", ".zshrc", ".zprofile"];

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    File {
        bytes: u64,
        sha256: String,
        changed: Option<i64>,
    },
    Link(String),
    /// A pipe, a socket, or what can't be read.
    Other(String),
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { bytes, sha256, .. } => write!(f, "{bytes} bytes, SHA-256 {}…", &sha256[..SHOWN_HASH_CHARS]),
            Self::Link(to) => write!(f, "a link to {to}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// An account at one moment. Blocking to take.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    files: BTreeMap<PathBuf, Seen>,
    /// By number and start, so that a number that was used again is another process.
    processes: BTreeMap<(i32, u64), String>,
}

impl Snapshot {
    /// Without what belongs to other sessions.
    pub fn take(account: &Account, machine: &Others<'_>) -> Self {
        let mut snapshot = Self::default();
        snapshot.look_at_files(account);
        for (pid, process) in machine.of_account(account.uid) {
            snapshot.processes.insert((pid, process.started), escape(&process.name));
        }
        snapshot
    }

    fn look_at_files(&mut self, account: &Account) {
        for dir in CRONTABS {
            self.directory(Path::new(dir), &|name, _| name == account.name, 0);
        }
        for dir in AT_JOBS {
            self.directory(Path::new(dir), &|_, uid| uid == account.uid, 0);
        }
        for home in account.homes() {
            self.directory(&home, &|name, _| SHELL_FILES.contains(&name), 0);
            self.below(&home, &[".ssh"], &|name, _| name.starts_with("authorized_keys"), 0);
            self.below(&home, &[".config", "systemd", "user"], &|_, _| true, DEPTH);
        }
    }

    /// What has changed since `before`, for people.
    pub fn since(&self, before: &Self) -> Vec<String> {
        let mut told = Vec::new();
        let paths: std::collections::BTreeSet<_> = before.files.keys().chain(self.files.keys()).collect();
        for path in paths {
            let shown = escape(&path.to_string_lossy());
            match (before.files.get(path), self.files.get(path)) {
                (None, Some(now)) => told.push(format!("new: {shown} ({now})")),
                (Some(then), None) => told.push(format!("gone: {shown} (it was {then})")),
                (Some(then), Some(now)) if then != now => told.push(format!("changed: {shown} ({now}; before: {then})")),
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        let new = self.processes.iter().filter(|(key, _)| !before.processes.contains_key(*key));
        told.extend(new.map(|((pid, _), name)| format!("process {pid} ({name}) runs on")));
        let rest = told.len().saturating_sub(MOST_TOLD);
        if rest > 0 {
            told.truncate(MOST_TOLD - 1);
            told.push(format!("and {} more", rest + 1));
        }
        told
    }

    /// A directory that is reached without following a link of the account's making.
    fn below(&mut self, home: &Path, parts: &[&str], wanted: &dyn Fn(&str, u32) -> bool, depth: usize) {
        let Ok(mut dir) = open_directory(CWD, home, OFlags::empty()) else { return };
        let mut path = home.to_owned();
        for part in parts {
            path.push(part);
            match open_directory(&dir, Path::new(part), OFlags::NOFOLLOW) {
                Ok(next) => dir = next,
                Err(Errno::NOENT) => return,
                Err(_) => return self.see(&dir, part, path.clone(), &|_, _| true, 0),
            }
        }
        self.walk(&dir, &path, wanted, depth);
    }

    fn directory(&mut self, path: &Path, wanted: &dyn Fn(&str, u32) -> bool, depth: usize) {
        if let Ok(dir) = open_directory(CWD, path, OFlags::empty()) {
            self.walk(&dir, path, wanted, depth);
        }
    }

    fn walk(&mut self, dir: &OwnedFd, path: &Path, wanted: &dyn Fn(&str, u32) -> bool, depth: usize) {
        let Ok(entries) = Dir::read_from(dir) else { return };
        for entry in entries.filter_map(Result::ok) {
            if self.files.len() >= MOST_FILES {
                return;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                self.see(dir, &name, path.join(&name), wanted, depth);
            }
        }
    }

    fn see(&mut self, dir: &OwnedFd, name: &str, path: PathBuf, wanted: &dyn Fn(&str, u32) -> bool, depth: usize) {
        let Ok(found) = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else { return };
        if !wanted(name, found.st_uid) {
            return;
        }
        let seen = match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => {
                if let (1.., Ok(below)) = (depth, open_directory(dir, Path::new(name), OFlags::NOFOLLOW)) {
                    self.walk(&below, &path, wanted, depth - 1);
                }
                return;
            }
            FileType::Symlink => {
                let to = readlinkat(dir, name, Vec::new()).map(|to| escape(&to.to_string_lossy()));
                Seen::Link(to.unwrap_or_default())
            }
            FileType::RegularFile => fingerprint(dir, name).unwrap_or_else(|why| Seen::Other(format!("can't be read: {why}"))),
            kind @ (FileType::Fifo | FileType::Socket | FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown) => {
                Seen::Other(format!("{kind:?}"))
            }
        };
        self.files.insert(path, seen);
    }
}

fn open_directory(at: impl std::os::fd::AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | flags, Mode::empty())
}

/// What was a file a moment ago is opened so that it can't block, and looked at again: the account owns the directory.
fn fingerprint(dir: &OwnedFd, name: &str) -> Result<Seen, std::io::Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(dir, name, flags, Mode::empty())?;
    let found = fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Ok(Seen::Other("no regular file".to_owned()));
    }
    let mut hash = Sha256::new();
    let mut reader = File::from(file).take(HASHED_BYTES);
    let mut buffer = [0; 16 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    let bytes = u64::try_from(found.st_size).unwrap_or_default();
    Ok(Seen::File { bytes, sha256: hex(&hash.finalize()), changed: (bytes > HASHED_BYTES).then_some(found.st_mtime) })
}

#[cfg(test)]
mod tests {
    use super::super::contain::Containment;
    use super::*;
    use lineman_common::id::SessionId;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn account(home: &Path) -> Account {
        // No process runs as this one.
        Account { name: "nobody-here".into(), uid: 3_999_999_999, gid: 1, groups: vec![], home: home.to_owned(), shell: "/bin/sh".into() }
    }

    fn look(home: &Path) -> Snapshot {
        Snapshot::take(&account(home), &Containment::without_groups().others(SessionId::new()).unwrap())
    }

    #[test]
    fn only_what_changed_is_told_and_nothing_of_its_contents() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for dir in [".ssh", ".config/systemd/user/x.wants"] {
            fs::create_dir_all(path(dir)).unwrap();
        }
        fs::write(path(".ssh/authorized_keys"), "ssh-ed25519 SECRET-A\n").unwrap();
        fs::write(path(".profile"), "PATH=/bin\n").unwrap();
        fs::write(path(".bashrc"), "umask 022\n").unwrap();
        fs::write(path("notes"), "not looked at\n").unwrap();
        let take = || look(home.path());
        let before = take();
        assert_eq!(take().since(&before), [""; 0]);

        fs::write(path(".ssh/authorized_keys"), "ssh-ed25519 SECRET-A\nssh-ed25519 SECRET-B\n").unwrap();
        fs::write(path(".ssh/authorized_keys2"), "ssh-ed25519 SECRET-C\n").unwrap();
        fs::write(path(".config/systemd/user/x.wants/back.service"), "[Service]\n").unwrap();
        fs::remove_file(path(".bashrc")).unwrap();
        fs::remove_file(path(".profile")).unwrap();
        symlink("/etc/shadow", path(".profile")).unwrap();
        fs::write(path("notes"), "changed\n").unwrap();
        let told = take().since(&before);
        let has = |start: &str, name: &str| told.iter().any(|line| line.starts_with(start) && line.contains(name));
        assert!(has("changed:", "/.ssh/authorized_keys ") && has("new:", "/.ssh/authorized_keys2 "), "{told:?}");
        assert!(
            has("new:", "back.service") && has("gone:", "/.bashrc") && has("changed:", "/.profile (a link to /etc/shadow;"),
            "{told:?}"
        );
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(!told.iter().any(|line| line.contains("SECRET")), "{told:?}");
    }

    #[test]
    fn what_would_block_or_lead_elsewhere_is_seen_as_what_it_is() {
        let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let before = look(home.path());
        fs::write(elsewhere.path().join("authorized_keys"), "ssh-ed25519 A\n").unwrap();
        symlink(elsewhere.path(), home.path().join(".ssh")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(home.path().join(".bashrc")).status().unwrap().success());
        fs::write(home.path().join(".profile"), vec![b'x'; 3 << 20]).unwrap();
        let told = look(home.path()).since(&before);
        assert!(told.iter().any(|line| line.contains("/.bashrc (Fifo)")), "{told:?}");
        assert!(told.iter().any(|line| line.contains("3145728 bytes")), "{told:?}");
        assert!(!told.iter().any(|line| line.contains("authorized_keys")), "a link is not followed: {told:?}");
    }

    #[test]
    fn processes_that_run_on_are_told_up_to_a_bound() {
        let before = Snapshot::default();
        let after = Snapshot { processes: (1..100).map(|pid| ((pid, 7), "sleep".to_owned())).collect(), ..Snapshot::default() };
        let told = after.since(&before);
        assert_eq!((told.len(), told[0].as_str()), (MOST_TOLD, "process 1 (sleep) runs on"));
        assert_eq!(told[MOST_TOLD - 1], "and 68 more");
    }
}

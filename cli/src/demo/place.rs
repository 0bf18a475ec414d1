//! Where a demo keeps its files: one directory, recognised by a marker.
//!
//! Everything that a demo writes is under this directory (but see [`super::element`] for the one exception), so that ending
//! it can remove everything. Only a directory that holds the marker is ever emptied or deleted. The marker doubles as a
//! lock: whoever runs `demo up` holds it, so that two of them can't build in the same place.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Error;

const MARKER: &str = "lineman-demo";
const MARKER_TEXT: &str =
    "This directory belongs to `lineman demo`. It holds demo data and demo keys only; `lineman demo down` deletes it.\n";

/// Longest path of a Unix socket that every Linux takes.
const MAX_SOCKET_PATH: usize = 107;

/// A demo's directory, whether it exists or not.
#[derive(Clone, Debug)]
pub struct Place {
    dir: PathBuf,
}

/// Held while `demo up` works.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    /// By word: a child that was just forked holds the lock with its copy of the descriptor until it is its program.
    fn drop(&mut self) {
        drop(self.0.unlock());
    }
}

impl Place {
    /// `dir`, or `lineman/demo` in the user's state directory.
    pub fn new(dir: Option<&Path>) -> Result<Self, Error> {
        let dir = match dir {
            Some(dir) => std::path::absolute(dir).map_err(|source| Error::file("find", dir, source))?,
            None => state_home(|name| std::env::var_os(name)).ok_or(Error::NoHome)?.join("lineman/demo"),
        };
        Ok(Self { dir })
    }

    /// The place of a demo that is there already: `dir`, else the default one, else the one that `demo up` was last given.
    pub fn existing(dir: Option<&Path>) -> Result<Self, Error> {
        let place = Self::new(dir)?;
        if dir.is_some() || place.is_demo() {
            return Ok(place);
        }
        let last = fs::read_to_string(pointer()?).ok().map(|text| Self { dir: PathBuf::from(text.trim_end()) });
        Ok(last.filter(Self::is_demo).unwrap_or(place))
    }

    /// Remembers this place for commands that are not told where.
    pub fn remember(&self) -> Result<(), Error> {
        let pointer = pointer()?;
        if let Some(dir) = pointer.parent() {
            fs::create_dir_all(dir).map_err(|source| Error::file("make", dir, source))?;
        }
        write(&pointer, 0o600, format!("{}\n", self.dir.display()))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn server(&self) -> PathBuf {
        self.dir.join("server")
    }

    pub fn agent(&self, handle: &str) -> PathBuf {
        self.dir.join("agents").join(handle)
    }

    /// Where the elements are, unless the account that sessions run as can't get there.
    pub fn elements(&self) -> PathBuf {
        self.dir.join("elements")
    }

    /// The keys and the trust files of one side: `vendor`, or a customer's code in lower case.
    pub fn keys(&self, side: &str) -> PathBuf {
        self.dir.join("keys").join(side)
    }

    pub fn token(&self, person: &str) -> PathBuf {
        self.dir.join("tokens").join(person)
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    /// Process ids, as they start.
    pub fn pids(&self) -> PathBuf {
        self.dir.join("pids.json")
    }

    /// What is up and where; written last.
    pub fn description(&self) -> PathBuf {
        self.dir.join("demo.json")
    }

    fn marker(&self) -> PathBuf {
        self.dir.join(MARKER)
    }

    /// Is there a demo's directory here, with or without a running demo?
    pub fn is_demo(&self) -> bool {
        self.marker().is_file()
    }

    /// Takes the directory for a new demo, making it if needed. A directory with something else in it is refused.
    pub fn take(&self) -> Result<Lock, Error> {
        let socket = self.agent(&"h".repeat(31)).join("control.sock");
        if socket.as_os_str().len() > MAX_SOCKET_PATH {
            return Err(Error::PathTooLong { dir: self.dir.clone() });
        }
        if !self.dir.exists() {
            make_dir(&self.dir, 0o700)?;
        }
        if !self.is_demo() && !is_empty(&self.dir)? {
            return Err(Error::NotOurs { dir: self.dir.clone() });
        }
        let file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(self.marker())
            .map_err(|source| Error::file("write", &self.marker(), source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Running { dir: self.dir.clone() }),
            Err(TryLockError::Error(source)) => return Err(Error::file("lock", &self.marker(), source)),
        }
        (&file).write_all(MARKER_TEXT.as_bytes()).map_err(|source| Error::file("write", &self.marker(), source))?;
        Ok(Lock(file))
    }

    /// Deletes what an earlier demo left, and makes the directories of a new one.
    pub fn clear(&self) -> Result<(), Error> {
        self.empty()?;
        make_dir(&self.dir, 0o700)?;
        for name in ["agents", "keys", "tokens", "logs"] {
            make_dir(&self.dir.join(name), 0o700)?;
        }
        Ok(())
    }

    /// Deletes the demo's directory. Does nothing when there is none.
    pub fn remove(&self) -> Result<(), Error> {
        if !self.dir.exists() {
            return Ok(());
        }
        self.empty()?;
        let gone = fs::remove_file(self.marker()).and_then(|()| fs::remove_dir(&self.dir));
        gone.map_err(|source| Error::file("delete", &self.dir, source))
    }

    /// Deletes everything but the marker, which goes last so that a half-deleted demo is still known as one.
    fn empty(&self) -> Result<(), Error> {
        if !self.is_demo() {
            return Err(Error::NotOurs { dir: self.dir.clone() });
        }
        let entries = fs::read_dir(&self.dir).map_err(|source| Error::file("read", &self.dir, source))?;
        for entry in entries {
            let path = entry.map_err(|source| Error::file("read", &self.dir, source))?.path();
            if path != self.marker() {
                delete(&path).map_err(|source| Error::file("delete", &path, source))?;
            }
        }
        Ok(())
    }
}

/// The file that says where `demo up` was last told to work.
fn pointer() -> Result<PathBuf, Error> {
    Ok(state_home(|name| std::env::var_os(name)).ok_or(Error::NoHome)?.join("lineman/demo-dir"))
}

/// The user's state directory, by the XDG rules: a relative path counts as none.
fn state_home(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))
}

fn delete(path: &Path) -> io::Result<()> {
    let deleted = if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match deleted {
        // A process that is just ending may have deleted it first.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn is_empty(dir: &Path) -> Result<bool, Error> {
    Ok(fs::read_dir(dir).map_err(|source| Error::file("read", dir, source))?.next().is_none())
}

/// Makes a directory and its parents; the last one gets `mode`.
pub fn make_dir(dir: &Path, mode: u32) -> Result<(), Error> {
    let made = dir.parent().map_or(Ok(()), fs::create_dir_all);
    let made = made.and_then(|()| fs::DirBuilder::new().recursive(true).mode(mode).create(dir));
    made.and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(mode))).map_err(|source| Error::file("make", dir, source))
}

/// Writes a file in one step, so that nobody reads half of it.
pub fn write(path: &Path, mode: u32, content: impl AsRef<[u8]>) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = || {
        let mut file = File::options().create(true).write(true).truncate(true).mode(mode).open(&part)?;
        file.write_all(content.as_ref())?;
        fs::rename(&part, path)
    };
    written().map_err(|source| Error::file("write", path, source))
}

pub fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::file("read", path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, Place) {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(Some(&dir.path().join("demo"))).unwrap();
        (dir, place)
    }

    #[test]
    fn the_default_is_the_users_state_directory() {
        let home = |name: &str| (name == "HOME").then(|| "/home/a".into());
        assert_eq!(state_home(home), Some("/home/a/.local/state".into()));
        assert_eq!(state_home(|name| if name == "HOME" { home(name) } else { Some("/var/x".into()) }), Some("/var/x".into()));
        assert_eq!(state_home(|name| if name == "HOME" { home(name) } else { Some("x".into()) }), Some("/home/a/.local/state".into()));
        assert_eq!(state_home(|_| None), None);
    }

    #[test]
    fn a_directory_with_something_else_in_it_is_never_touched() {
        let (_guard, place) = place();
        fs::create_dir(place.dir()).unwrap();
        fs::write(place.dir().join("thesis.txt"), "years of work").unwrap();
        assert!(matches!(place.take(), Err(Error::NotOurs { .. })));
        assert!(matches!(place.remove(), Err(Error::NotOurs { .. })));
        assert!(matches!(place.clear(), Err(Error::NotOurs { .. })));
        assert!(place.dir().join("thesis.txt").exists());
    }

    #[test]
    fn a_demo_starts_clean_and_leaves_nothing() {
        let (_guard, place) = place();
        let lock = place.take().unwrap();
        place.clear().unwrap();
        let mode = || fs::metadata(place.dir()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o700);
        make_dir(place.dir(), 0o711).unwrap();
        assert!(matches!(place.take(), Err(Error::Running { .. })));
        assert_eq!(mode(), 0o711, "a demo that runs was touched");
        write(&place.token("engineer-a"), 0o600, "t").unwrap();
        place.clear().unwrap();
        assert!(!place.token("engineer-a").exists());
        drop(lock);
        drop(place.take().unwrap());
        place.remove().unwrap();
        assert!(!place.dir().exists());
        place.remove().unwrap();
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused_before_anything_is_made() {
        let (_guard, place) = place();
        let long = Place::new(Some(&place.dir().join("d".repeat(80)))).unwrap();
        assert!(matches!(long.take(), Err(Error::PathTooLong { .. })));
        assert!(!long.dir().exists());
    }
}

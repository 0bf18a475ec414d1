//! The file system under SFTP.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use lineman_common::printable::escape;
use lineman_common::recording::SftpOperation;
use rustix::fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps, renameat_with, utimensat};
use rustix::io::Errno;

use super::wire::{Attributes, OpenFlags, Request};
use super::{operation, told_path};

/// The operation that a request would change something by, with result `ok`; `None` for one that only reads.
///
/// Without a wildcard: whoever adds a request decides here whether `sftp-read` allows it.
pub fn changes(request: &Request) -> Option<SftpOperation> {
    let one = |op, path: &Path| Some(operation(op, path, "ok"));
    let two = |op, path: &Path, to: &Path| Some(SftpOperation { to: Some(told_path(to)), ..operation(op, path, "ok") });
    match request {
        Request::Open { path, flags, .. } if flags.writes() => one("write", path),
        Request::SetStat { path, .. } => one("setstat", path),
        Request::Remove { path } => one("remove", path),
        Request::MakeDir { path, .. } => one("mkdir", path),
        Request::RemoveDir { path } => one("rmdir", path),
        Request::Rename { from, to, .. } => two("rename", from, to),
        Request::Symlink { target, link } => two("symlink", link, target),
        Request::HardLink { from, to } => two("symlink", to, from),
        // The handle tells nothing that `write` at its closing doesn't; without the right to write there is no such handle.
        Request::Write { .. } | Request::FsetStat { .. } | Request::Fsync { .. } => one("write", Path::new("")),
        Request::Init
        | Request::Open { .. }
        | Request::Close { .. }
        | Request::Read { .. }
        | Request::Lstat { .. }
        | Request::Fstat { .. }
        | Request::OpenDir { .. }
        | Request::ReadDir { .. }
        | Request::RealPath { .. }
        | Request::Stat { .. }
        | Request::ReadLink { .. }
        | Request::Limits
        | Request::ExpandPath { .. }
        | Request::Unknown => None,
    }
}

pub fn open(path: &Path, flags: OpenFlags, attributes: &Attributes) -> io::Result<File> {
    let create = flags.has(OpenFlags::CREATE);
    OpenOptions::new()
        .read(flags.has(OpenFlags::READ) || !flags.writes())
        .write(flags.has(OpenFlags::WRITE) || (flags.writes() && !flags.has(OpenFlags::APPEND)))
        .append(flags.has(OpenFlags::APPEND))
        .create(create && !flags.has(OpenFlags::EXCLUSIVE))
        .create_new(create && flags.has(OpenFlags::EXCLUSIVE))
        .truncate(flags.has(OpenFlags::TRUNCATE))
        .mode(attributes.mode.unwrap_or(0o666) & 0o7777)
        .open(path)
}

pub fn attributes(metadata: &Metadata) -> Attributes {
    let seconds = |time: i64| u32::try_from(time).unwrap_or(0);
    Attributes {
        size: Some(metadata.len()),
        owner: Some((metadata.uid(), metadata.gid())),
        mode: Some(metadata.mode()),
        times: Some((seconds(metadata.atime()), seconds(metadata.mtime()))),
    }
}

pub fn set(path: &Path, attributes: &Attributes) -> io::Result<()> {
    if let Some(size) = attributes.size {
        OpenOptions::new().write(true).open(path)?.set_len(size)?;
    }
    if let Some(mode) = attributes.mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7777))?;
    }
    if let Some((accessed, modified)) = attributes.times {
        let at = |seconds: u32| Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
        let times = Timestamps { last_access: at(accessed), last_modification: at(modified) };
        utimensat(CWD, path, &times, AtFlags::empty())?;
    }
    match attributes.owner {
        Some((uid, gid)) => lchown(path, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

pub fn set_open(file: &File, attributes: &Attributes) -> io::Result<()> {
    if let Some(size) = attributes.size {
        file.set_len(size)?;
    }
    if let Some(mode) = attributes.mode {
        file.set_permissions(fs::Permissions::from_mode(mode & 0o7777))?;
    }
    if let Some((accessed, modified)) = attributes.times {
        let at = |seconds: u32| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into());
        file.set_times(fs::FileTimes::new().set_accessed(at(accessed)).set_modified(at(modified)))?;
    }
    match attributes.owner {
        Some((uid, gid)) => fchown(file, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

pub fn make_directory(path: &Path, attributes: &Attributes) -> io::Result<()> {
    DirBuilder::new().mode(attributes.mode.unwrap_or(0o777) & 0o7777).create(path)
}

/// Plain rename never replaces (version 3); OpenSSH's `posix-rename` does.
pub fn rename(from: &Path, to: &Path, replace: bool) -> io::Result<()> {
    if replace {
        return fs::rename(from, to);
    }
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) if fs::symlink_metadata(to).is_err() => fs::rename(from, to),
        Err(Errno::INVAL | Errno::NOSYS) => Err(Errno::EXIST.into()),
        other => Ok(other?),
    }
}

/// Absolute and without links; the last part need not exist.
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(error) };
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Ok(fs::canonicalize(parent)?.join(name))
        }
        other => other,
    }
}

/// `~` and `~/x`: where the child was started, which is the account's home.
pub fn expand(path: &Path) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(rest) if rest.as_os_str().is_empty() => PathBuf::from("."),
        Ok(rest) => Path::new(".").join(rest),
        Err(_) => path.to_owned(),
    }
}

/// A line as `ls -l` writes it; clients show it as it is, so the name is escaped.
pub fn long_name(name: &Path, metadata: &Metadata) -> String {
    let mode = metadata.mode();
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o140_000 => 's',
        0o060_000 => 'b',
        0o020_000 => 'c',
        0o010_000 => 'p',
        _ => '-',
    };
    let bits: String = (0..9).map(|n| if mode & (0o400 >> n) == 0 { '-' } else { ['r', 'w', 'x'][n % 3] }).collect();
    let modified = Timestamp::from_second(metadata.mtime()).unwrap_or_default();
    let old = modified < Timestamp::now() - (24 * 180).hours();
    let time = modified.to_zoned(TimeZone::system()).strftime(if old { "%b %e  %Y" } else { "%b %e %H:%M" });
    let (links, uid, gid, size) = (metadata.nlink(), metadata.uid(), metadata.gid(), metadata.len());
    format!("{kind}{bits} {links:>4} {uid:<8} {gid:<8} {size:>8} {time} {}", escape(&name.to_string_lossy()))
}

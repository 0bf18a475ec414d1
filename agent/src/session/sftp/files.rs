//! The file system under SFTP.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown, lchown};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use lineman_common::printable::escape;
use lineman_common::recording::SftpOperation;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, StatVfs, StatVfsMountFlags, Timespec, Timestamps, futimens, renameat_with, utimensat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::names::Accounts;
use super::wire::{Attributes, OpenFlags, Request};
use super::{operation, told_path};

/// The operation that a request would change something by, with result `ok`; `None` for one that only reads.
///
/// Without a wildcard: whoever adds a request decides here whether `sftp-read` allows it.
pub fn changes(request: &Request, path_of: impl Fn(&[u8]) -> PathBuf) -> Option<SftpOperation> {
    let one = |op, path: &Path| Some(operation(op, path, "ok"));
    let two = |op, path: &Path, to: &Path| Some(SftpOperation { to: Some(told_path(to)), ..operation(op, path, "ok") });
    match request {
        Request::Open { path, flags, .. } if flags.writes() => one("write", path),
        Request::SetStat { path, .. } | Request::LsetStat { path, .. } => one("setstat", path),
        Request::FsetStat { handle, .. } => one("setstat", &path_of(handle)),
        Request::Remove { path } => one("remove", path),
        Request::MakeDir { path, .. } => one("mkdir", path),
        Request::RemoveDir { path } => one("rmdir", path),
        Request::Rename { from, to, .. } => two("rename", from, to),
        Request::Symlink { target, link } => two("symlink", link, target),
        Request::HardLink { from, to } => two("link", to, from),
        Request::CopyData { from, to, .. } => two("copy", &path_of(from), &path_of(to)),
        Request::Write { handle, .. } | Request::Fsync { handle } => one("write", &path_of(handle)),
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
        | Request::StatVfs { .. }
        | Request::FstatVfs { .. }
        | Request::Limits
        | Request::ExpandPath { .. }
        | Request::HomeDirectory { .. }
        | Request::NamesOf { .. }
        | Request::Unknown => None,
    }
}

pub fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// With the flags as they came, and some of our own: no device may make this process wait, or become its terminal.
pub fn open(path: &Path, flags: OpenFlags, attributes: &Attributes) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        // SFTP reads and writes at offsets, which a pipe has none of; but opening it would already be felt by who waits at its other end.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a named pipe can't be transferred"));
    }
    let mut how = OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    how |= match (flags.has(OpenFlags::READ), flags.has(OpenFlags::WRITE)) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        (true | false, false) => OFlags::RDONLY,
    };
    for (flag, wanted) in [
        (OpenFlags::APPEND, OFlags::APPEND),
        (OpenFlags::CREATE, OFlags::CREATE),
        (OpenFlags::TRUNCATE, OFlags::TRUNC),
        (OpenFlags::EXCLUSIVE, OFlags::EXCL),
    ] {
        how.set(wanted, flags.has(flag));
    }
    let mode = Mode::from_raw_mode(attributes.mode.unwrap_or(0o666) & 0o7777);
    Ok(File::from(rustix::fs::open(path, how, mode)?))
}

pub fn attributes(metadata: &Metadata) -> Attributes {
    // The protocol's seconds end in 2106 and begin in 1970.
    let seconds = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
    Attributes {
        size: Some(metadata.len()),
        owner: Some((metadata.uid(), metadata.gid())),
        mode: Some(metadata.mode()),
        times: Some((seconds(metadata.atime()), seconds(metadata.mtime()))),
    }
}

fn permissions(mode: u32) -> fs::Permissions {
    fs::Permissions::from_mode(mode & 0o7777)
}

fn timestamps((accessed, modified): (u32, u32)) -> Timestamps {
    let at = |seconds: u32| Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
    Timestamps { last_access: at(accessed), last_modification: at(modified) }
}

pub fn set(path: &Path, attributes: &Attributes) -> io::Result<()> {
    if let Some(size) = attributes.size {
        let flags = OpenFlags(OpenFlags::WRITE);
        open(path, flags, &Attributes::default())?.set_len(size)?;
    }
    if let Some(mode) = attributes.mode {
        fs::set_permissions(path, permissions(mode))?;
    }
    if let Some(times) = attributes.times {
        utimensat(CWD, path, &timestamps(times), AtFlags::empty())?;
    }
    match attributes.owner {
        Some((uid, gid)) => chown(path, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

/// Of a link itself, which has neither a size nor rights of its own.
pub fn set_link(path: &Path, attributes: &Attributes) -> io::Result<()> {
    if attributes.size.is_some() {
        return Err(Errno::INVAL.into());
    }
    if let Some(mode) = attributes.mode {
        let held = File::options().read(true).custom_flags((OFlags::PATH | OFlags::NOFOLLOW).bits().cast_signed()).open(path)?;
        if held.metadata()?.is_symlink() {
            return Err(Errno::OPNOTSUPP.into());
        }
        let by_descriptor = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&held));
        fs::set_permissions(by_descriptor, permissions(mode))?;
    }
    if let Some(times) = attributes.times {
        utimensat(CWD, path, &timestamps(times), AtFlags::SYMLINK_NOFOLLOW)?;
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
        file.set_permissions(permissions(mode))?;
    }
    if let Some(times) = attributes.times {
        futimens(file, &timestamps(times))?;
    }
    match attributes.owner {
        Some((uid, gid)) => fchown(file, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

/// As OpenSSH's `statvfs` counts them.
pub fn room(vfs: &StatVfs) -> [u64; 11] {
    let flag = |set: bool, flag: u64| if set { flag } else { 0 };
    let flags = flag(vfs.f_flag.contains(StatVfsMountFlags::RDONLY), 1) | flag(vfs.f_flag.contains(StatVfsMountFlags::NOSUID), 2);
    [
        vfs.f_bsize,
        vfs.f_frsize,
        vfs.f_blocks,
        vfs.f_bfree,
        vfs.f_bavail,
        vfs.f_files,
        vfs.f_ffree,
        vfs.f_favail,
        vfs.f_fsid,
        flags,
        vfs.f_namemax,
    ]
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

/// `~` and `~/x`: where the child was started, which is the account's home; `~other/x` as well. `None` when there is no such account.
pub fn expand(path: &Path, accounts: &Accounts) -> Option<PathBuf> {
    let Some(tilde) = path.as_os_str().as_bytes().strip_prefix(b"~") else { return Some(path.to_owned()) };
    let end = tilde.iter().position(|byte| *byte == b'/').unwrap_or(tilde.len());
    let rest = tilde[end..].iter().position(|byte| *byte != b'/').map_or(&[][..], |slashes| &tilde[end + slashes..]);
    Some(home(&tilde[..end], accounts)?.join(OsStr::from_bytes(rest)))
}

/// Of the named account, or of the session's own.
pub fn home(account: &[u8], accounts: &Accounts) -> Option<PathBuf> {
    let own = accounts.user(geteuid().as_raw());
    if account.is_empty() || own.is_some_and(|own| own.as_bytes() == account) {
        return Some(PathBuf::from("."));
    }
    accounts.home(std::str::from_utf8(account).ok()?).map(Path::to_owned)
}

/// A line as `ls -l` writes it; clients show it as it is, so the name is escaped.
pub fn long_name(name: &Path, metadata: &Metadata, accounts: &Accounts) -> String {
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
    let named = |name: Option<&str>, id: u32| name.map_or_else(|| id.to_string(), ToOwned::to_owned);
    let (user, group) = (named(accounts.user(uid), uid), named(accounts.group(gid), gid));
    format!("{kind}{bits} {links:>4} {user:<8} {group:<8} {size:>8} {time} {}", escape(&name.to_string_lossy()))
}

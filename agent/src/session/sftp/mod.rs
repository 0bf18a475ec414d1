//! SFTP, served by the session child itself, as the account: there is no other SFTP server to configure, and every
//! operation is told to the recorder.
//!
//! Requests are carried out one after the other, in their order, on one thread: the client pipelines, and what it sent together is answered
//! together ([`packets`]). With `sftp-read` no operation that changes anything is carried out, whatever the account's rights are;
//! `sftp-write` includes reading, as whoever may change a file could give it away anyway.
//!
//! Operations go to the agent as JSON lines ([`SftpOperation`]) on standard error, which SFTP has no other use for: that a file was opened
//! before any byte of it flows, and the transfer when its handle is closed, or cut off, with the bytes and, if they came in order from the
//! start, their SHA-256 ([`handles`]); that a file is copied into another before it is; everything else when it happened, and before its
//! answer goes out. The hash is taken where the data is, between file and pipe: it costs what reading the bytes once costs.

mod files;
mod handles;
mod names;
mod packets;
mod wire;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use lineman_common::recording::SftpOperation;
use lineman_common::statement::sha256_hex;
use rustix::fs::{fstatvfs, statvfs};
use rustix::io::Errno;
use rustix::stdio::{stdin, stdout};

use self::handles::{Handle, Handles, Listing, MAX_HANDLES, Open};
use self::names::Accounts;
use self::packets::{Packets, Replies};
use self::wire::{Attributes, Code, Names, OpenFlags, Reply, Request};
use super::child;

/// An answer to a directory read is closed when it is this long: every client takes packets of 34,000 bytes.
const NAMES_BYTES: usize = 30 * 1024;
/// Names of accounts and groups in one answer.
const NAMES_OF: usize = 4096;
/// What a copy inside the device reads at once.
const COPY_BYTES: usize = 256 * 1024;

/// Of a path, this much is told as it is (Linux takes no longer one); of a longer one also its length and hash.
const PATH_CHARS: usize = 4096;

/// How a refusal of the consent begins, in the operation's result: the agent shows it to the engineer.
pub const REFUSED: &str = "refused: ";
const READ_ONLY: &str = "this consent allows reading files only (sftp-read), not changing them";

/// Serves standard input and output until the client is done.
pub fn serve(write: bool) -> io::Result<()> {
    let input = File::from(rustix::io::dup(stdin())?);
    let output = File::from(rustix::io::dup(stdout())?);
    let tell = |operation: &SftpOperation| -> io::Result<()> {
        let mut line = serde_json::to_vec(operation)?;
        line.push(b'\n');
        child::tell(&line)
    };
    Server::new(output, tell, write).run(input)
}

fn operation(op: &str, path: &Path, result: &str) -> SftpOperation {
    SftpOperation { op: op.to_owned(), path: told_path(path), to: None, bytes: None, sha256: None, result: result.to_owned() }
}

fn told_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    match text.char_indices().nth(PATH_CHARS) {
        Some((end, _)) => format!("{}… ({} bytes, SHA-256 {})", &text[..end], text.len(), sha256_hex(text.as_bytes())),
        None => text.into_owned(),
    }
}

/// Why a request fails: a code for the program and a text for the person.
struct Failure(Code, String);

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let code = match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Code::NoSuchFile,
            Some(Errno::PERM | Errno::ACCESS | Errno::ROFS) => Code::PermissionDenied,
            Some(Errno::OPNOTSUPP | Errno::NOSYS) => Code::Unsupported,
            Some(_) | None => Code::Failure,
        };
        Self(code, reason(&error))
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

/// The system's words without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.find(" (os error ").map_or(text.as_str(), |end| &text[..end]).to_owned()
}

/// What a request comes to, where it is not data: that goes its own way.
enum Answer {
    Done,
    Reply(Reply),
    Data(usize),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

struct Server<W, T> {
    replies: Replies<W>,
    tell: T,
    write: bool,
    handles: Handles,
    accounts: Option<Accounts>,
}

impl<W: Write, T: FnMut(&SftpOperation) -> io::Result<()>> Server<W, T> {
    fn new(output: W, tell: T, write: bool) -> Self {
        Self { replies: Replies::new(output), tell, write, handles: Handles::default(), accounts: None }
    }

    fn run(mut self, input: impl Read) -> io::Result<()> {
        let result = self.requests(input);
        // What is still open was cut off; it is told all the same.
        for handle in self.handles.take_all() {
            self.tell_closed(handle, "cut off before the file was closed")?;
        }
        result
    }

    fn requests(&mut self, input: impl Read) -> io::Result<()> {
        let mut packets = Packets::new(input);
        loop {
            if !packets.is_ready() {
                self.replies.send()?;
            }
            let Some(packet) = packets.next()? else { return Ok(()) };
            match wire::parse(packet) {
                Ok(numbered) => self.answer(numbered.id, &numbered.request)?,
                Err(Some(id)) => self.replies.push(Reply::status(id, Code::BadMessage, "the request can't be read"))?,
                Err(None) => return Err(io::Error::other("a packet without a request")),
            }
        }
    }

    fn answer(&mut self, id: u32, request: &Request) -> io::Result<()> {
        let changed = files::changes(request, |handle| self.handles.path(handle));
        let answer = match &changed {
            Some(_) if !self.write => Err(Failure(Code::PermissionDenied, format!("{REFUSED}{READ_ONLY}"))),
            Some(_) | None => self.carry_out(id, request),
        };
        if let Some(mut told) = changed {
            if let Err(Failure(_, why)) = &answer {
                told.result.clone_from(why);
            }
            if answer.is_err() || !told_apart(request) {
                (self.tell)(&told)?;
            }
        }
        match answer {
            Ok(Answer::Done) => self.replies.push(Reply::status(id, Code::Ok, "done")),
            Ok(Answer::Reply(reply)) => self.replies.push(reply),
            Ok(Answer::Data(bytes)) => {
                self.replies.push_data(id, bytes);
                Ok(())
            }
            Err(Failure(code, why)) => self.replies.push(Reply::status(id, code, &why)),
        }
    }

    fn carry_out(&mut self, id: u32, request: &Request) -> Result<Answer, Failure> {
        let attributes_of = |metadata: &fs::Metadata| Answer::from(Reply::attributes_of(id, &files::attributes(metadata)));
        match request {
            Request::Init => return Ok(Reply::version().into()),
            Request::Open { path, flags, attributes } => return self.open(id, path, *flags, attributes),
            Request::Close { handle } => {
                let handle = self.handles.remove(handle)?;
                self.tell_closed(handle, "ok")?;
            }
            Request::Read { handle, offset, length } => return self.read(handle, *offset, *length),
            Request::Write { handle, offset, data } => self.handles.file(handle)?.write(data, *offset)?,
            Request::Lstat { path } => return Ok(attributes_of(&fs::symlink_metadata(path)?)),
            Request::Stat { path } => return Ok(attributes_of(&fs::metadata(path)?)),
            Request::Fstat { handle } => {
                return Ok(attributes_of(&match self.handles.get(handle)? {
                    Handle::File(open) => open.file.metadata()?,
                    Handle::Directory(listing) => fs::metadata(&listing.path)?,
                }));
            }
            Request::SetStat { path, attributes } => files::set(path, attributes)?,
            Request::LsetStat { path, attributes } => files::set_link(path, attributes)?,
            Request::FsetStat { handle, attributes } => self.set_open(handle, attributes)?,
            Request::OpenDir { path } => return self.open_directory(id, path),
            Request::ReadDir { handle } => return self.read_directory(id, handle),
            Request::Remove { path } => fs::remove_file(path)?,
            Request::MakeDir { path, attributes } => files::make_directory(path, attributes)?,
            Request::RemoveDir { path } => fs::remove_dir(path)?,
            Request::RealPath { path } => return Ok(Reply::name(id, &files::real_path(path)?).into()),
            Request::Rename { from, to, replace } => files::rename(from, to, *replace)?,
            Request::ReadLink { path } => return Ok(Reply::name(id, &fs::read_link(path)?).into()),
            Request::Symlink { target, link } => std::os::unix::fs::symlink(target, link)?,
            Request::HardLink { from, to } => fs::hard_link(from, to)?,
            Request::Fsync { handle } => {
                // It may take long: whoever waits for what came before need not wait for this.
                self.replies.send()?;
                self.handles.file(handle)?.file.sync_all()?;
            }
            Request::CopyData { from, from_offset, length, to, to_offset } => self.copy((from, *from_offset), *length, (to, *to_offset))?,
            Request::StatVfs { path } => return Ok(Reply::numbers(id, &files::room(&statvfs(path)?)).into()),
            Request::FstatVfs { handle } => {
                let vfs = match self.handles.get(handle)? {
                    Handle::File(open) => fstatvfs(&open.file)?,
                    Handle::Directory(listing) => statvfs(&listing.path)?,
                };
                return Ok(Reply::numbers(id, &files::room(&vfs)).into());
            }
            Request::Limits => return Ok(Reply::limits(id, MAX_HANDLES as u64).into()),
            Request::ExpandPath { path } => {
                let path = files::expand(path, self.accounts()).ok_or_else(no_account)?;
                return Ok(Reply::name(id, &files::real_path(&path)?).into());
            }
            Request::HomeDirectory { account } => {
                let path = files::home(account, self.accounts()).ok_or_else(no_account)?;
                return Ok(Reply::name(id, &files::real_path(&path)?).into());
            }
            Request::NamesOf { uids, gids } if uids.len() + gids.len() > NAMES_OF => {
                return Err(Failure(Code::Failure, format!("at most {NAMES_OF} names are told at once")));
            }
            Request::NamesOf { uids, gids } => return Ok(self.names_of(id, uids, gids).into()),
            Request::Unknown => return Err(Failure(Code::Unsupported, "this operation is not served".into())),
        }
        Ok(Answer::Done)
    }

    fn open(&mut self, id: u32, path: &Path, flags: OpenFlags, attributes: &Attributes) -> Result<Answer, Failure> {
        let opened = if flags.writes() { "open-write" } else { "open-read" };
        self.handles.check_room()?;
        let file = match files::open(path, flags, attributes) {
            Ok(file) => file,
            Err(error) => {
                if !flags.writes() {
                    (self.tell)(&operation("read", path, &reason(&error)))?;
                }
                return Err(error.into());
            }
        };
        (self.tell)(&operation(opened, path, "ok"))?;
        let handle = self.handles.hold(Handle::File(Box::new(Open::new(file, path.to_owned(), flags))));
        Ok(Reply::handle(id, &handle).into())
    }

    fn tell_closed(&mut self, handle: Handle, result: &str) -> io::Result<()> {
        let Handle::File(open) = handle else { return Ok(()) };
        open.operations(result).iter().try_for_each(|told| (self.tell)(told))
    }

    fn read(&mut self, handle: &[u8], offset: u64, length: u32) -> Result<Answer, Failure> {
        let open = self.handles.file(handle)?;
        match open.read(self.replies.data_room(length as usize)?, offset)? {
            0 if length > 0 => Err(Failure(Code::Eof, "end of file".into())),
            bytes => Ok(Answer::Data(bytes)),
        }
    }

    fn set_open(&mut self, handle: &[u8], attributes: &Attributes) -> Result<(), Failure> {
        let open = self.handles.file(handle)?;
        files::set_open(&open.file, attributes)?;
        if let Some(size) = attributes.size {
            open.was_cut(size);
        }
        Ok(())
    }

    /// What it copies counts as read and as written. Of a file that grows meanwhile, like one that is copied behind its own end, only what
    /// was there at the beginning.
    fn copy(&mut self, (from, mut from_offset): (&[u8], u64), length: u64, (to, mut to_offset): (&[u8], u64)) -> Result<(), Failure> {
        let begun = SftpOperation { to: Some(told_path(&self.handles.path(to))), ..operation("copy", &self.handles.path(from), "ok") };
        let (from, to) = self.handles.two_files(from, to)?;
        let metadata = from.file.metadata()?;
        if !metadata.is_file() {
            return Err(Failure(Code::Failure, "only regular files are copied".into()));
        }
        (self.tell)(&begun)?;
        self.replies.send()?;
        let mut left = if length == 0 { u64::MAX } else { length };
        // Files of the kernel's say that they are empty.
        if metadata.len() > 0 {
            left = left.min(metadata.len().saturating_sub(from_offset));
        }
        let mut buffer = vec![0; COPY_BYTES];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(COPY_BYTES).min(COPY_BYTES);
            let n = from.read(&mut buffer[..most], from_offset)?;
            if n == 0 {
                break;
            }
            to.write(&buffer[..n], to_offset)?;
            (from_offset, to_offset, left) = (from_offset + n as u64, to_offset + n as u64, left - n as u64);
        }
        Ok(())
    }

    fn open_directory(&mut self, id: u32, path: &Path) -> Result<Answer, Failure> {
        self.handles.check_room()?;
        let entries = fs::read_dir(path);
        let result = entries.as_ref().err().map_or_else(|| "ok".to_owned(), reason);
        (self.tell)(&operation("list", path, &result))?;
        let listing = Listing { entries: entries?, dots: vec!["..".into(), ".".into()], path: path.to_owned() };
        Ok(Reply::handle(id, &self.handles.hold(Handle::Directory(listing))).into())
    }

    fn read_directory(&mut self, id: u32, handle: &[u8]) -> Result<Answer, Failure> {
        let accounts = self.accounts.get_or_insert_with(Accounts::read);
        let Listing { entries, dots, path } = self.handles.directory(handle)?;
        let mut names = Names::new(id);
        while names.bytes() < NAMES_BYTES {
            let name: PathBuf = match dots.pop() {
                Some(dot) => dot,
                None => match entries.next() {
                    Some(entry) => entry?.file_name().into(),
                    None => break,
                },
            };
            // It may be gone by now; then it is not listed.
            if let Ok(metadata) = fs::symlink_metadata(path.join(&name)) {
                names.add(&name, &files::long_name(&name, &metadata, accounts), &files::attributes(&metadata));
            }
        }
        if names.is_empty() { Err(Failure(Code::Eof, "end of directory".into())) } else { Ok(names.finish().into()) }
    }

    fn names_of(&mut self, id: u32, uids: &[u32], gids: &[u32]) -> Reply {
        let accounts = self.accounts();
        let users: Vec<_> = uids.iter().map(|uid| accounts.user(*uid).unwrap_or_default()).collect();
        let groups: Vec<_> = gids.iter().map(|gid| accounts.group(*gid).unwrap_or_default()).collect();
        Reply::names_of(id, &users, &groups)
    }

    fn accounts(&mut self) -> &Accounts {
        self.accounts.get_or_insert_with(Accounts::read)
    }
}

/// A success that is told another way: an opening and a copy before their answer, bytes when their handle is closed.
fn told_apart(request: &Request) -> bool {
    matches!(request, Request::Open { .. } | Request::Write { .. } | Request::Fsync { .. } | Request::CopyData { .. })
}

fn no_account() -> Failure {
    Failure(Code::NoSuchFile, "there is no such account in /etc/passwd on this device".into())
}

#[cfg(test)]
mod tests;

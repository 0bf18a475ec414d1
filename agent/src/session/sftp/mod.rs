//! SFTP, served by the session child itself, as the account: there is no other SFTP server to configure, and every
//! operation is told to the recorder.
//!
//! Requests are answered one after the other, in their order; the client pipelines. With `sftp-read` no operation that
//! changes anything is carried out, whatever the account's rights are. Operations go to the agent as JSON lines
//! ([`SftpOperation`]) on standard error, which SFTP has no other use for: that a file was opened before any byte of it
//! flows, and the transfer when its handle is closed, or cut off, with the bytes and, if they came in order from the start,
//! their SHA-256; everything else when it happened.

mod files;
mod wire;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use lineman_common::recording::SftpOperation;
use lineman_common::statement::{hex, sha256_hex};
use rustix::stdio::{stdin, stdout};
use sha2::{Digest, Sha256};

use self::wire::{Attributes, Code, MAX_DATA_BYTES, MAX_PACKET_BYTES, OpenFlags, Reply, Request};
use super::child;

/// Open files and directories at one time.
const MAX_HANDLES: usize = 128;
/// Entries in one answer to a directory read.
const NAMES_AT_ONCE: usize = 100;

/// Of a path, this much is told as it is (Linux takes no longer one); of a longer one also its length and hash.
const PATH_CHARS: usize = 4096;

/// How a refusal of the consent begins, in the operation's result: the agent shows it to the engineer.
pub const REFUSED: &str = "refused: ";
const READ_ONLY: &str = "this consent allows reading files only (sftp-read), not changing them";

/// Serves standard input and output until the client is done.
pub fn serve(write: bool) -> io::Result<()> {
    let input = BufReader::with_capacity(64 * 1024, File::from(rustix::io::dup(stdin())?));
    let output = File::from(rustix::io::dup(stdout())?);
    let tell = |operation: &SftpOperation| -> io::Result<()> {
        let mut line = serde_json::to_vec(operation)?;
        line.push(b'\n');
        child::tell(&line)
    };
    Server::new(input, output, tell, write).run()
}

/// What an open handle is, and what went through it so far.
enum Handle {
    File { file: File, path: PathBuf, transfer: Transfer },
    Directory { entries: fs::ReadDir, dots: Vec<PathBuf>, path: PathBuf },
}

struct Transfer {
    op: &'static str,
    bytes: u64,
    /// `None` once bytes came out of order.
    hash: Option<Sha256>,
}

impl Transfer {
    fn new(op: &'static str) -> Self {
        Self { op, bytes: 0, hash: Some(Sha256::new()) }
    }

    fn passed(&mut self, offset: u64, data: &[u8]) {
        if offset != self.bytes {
            self.hash = None;
        }
        if let Some(hash) = &mut self.hash {
            hash.update(data);
        }
        self.bytes += data.len() as u64;
    }

    fn operation(self, path: &Path, result: &str) -> SftpOperation {
        SftpOperation { bytes: Some(self.bytes), sha256: self.hash.map(|hash| hex(&hash.finalize())), ..operation(self.op, path, result) }
    }
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
        let code = if error.kind() == io::ErrorKind::NotFound {
            Code::NoSuchFile
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            Code::PermissionDenied
        } else {
            Code::Failure
        };
        Self(code, error.to_string())
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}

type Answer = Result<Reply, Failure>;

struct Server<R, W, T> {
    input: R,
    output: W,
    tell: T,
    write: bool,
    handles: HashMap<u32, Handle>,
    next_handle: u32,
}

impl<R: Read, W: Write, T: FnMut(&SftpOperation) -> io::Result<()>> Server<R, W, T> {
    fn new(input: R, output: W, tell: T, write: bool) -> Self {
        Self { input, output, tell, write, handles: HashMap::new(), next_handle: 0 }
    }

    fn run(mut self) -> io::Result<()> {
        let result = self.requests();
        // What is still open was cut off; it is told all the same.
        for (_, handle) in std::mem::take(&mut self.handles) {
            if let Handle::File { path, transfer, .. } = handle {
                (self.tell)(&transfer.operation(&path, "cut off before the file was closed"))?;
            }
        }
        result
    }

    fn requests(&mut self) -> io::Result<()> {
        while let Some(packet) = self.packet()? {
            let reply = match wire::parse(&packet) {
                Ok(numbered) => self.answer(numbered.id, numbered.request)?,
                Err(Some(id)) => Reply::status(id, Code::BadMessage, "the request can't be read"),
                Err(None) => return Err(io::Error::other("a packet without a request")),
            };
            self.output.write_all(&reply.finish())?;
        }
        Ok(())
    }

    /// The next packet, or `None` at the end.
    fn packet(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        match self.input.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_PACKET_BYTES {
            return Err(io::Error::other(format!("a packet of {length} bytes: at most {MAX_PACKET_BYTES} are taken")));
        }
        let mut packet = vec![0; length];
        self.input.read_exact(&mut packet)?;
        Ok(Some(packet))
    }

    fn answer(&mut self, id: u32, request: Request) -> io::Result<Reply> {
        let changed = files::changes(&request);
        let answer = match &changed {
            Some(_) if !self.write => Err(Failure(Code::PermissionDenied, format!("{REFUSED}{READ_ONLY}"))),
            Some(_) | None => self.carry_out(id, request),
        };
        if let Some(mut told) = changed {
            // A write that succeeded is told when its handle is closed.
            let later = told.op == "write" && answer.is_ok();
            if let Err(Failure(_, why)) = &answer {
                told.result.clone_from(why);
            }
            if !later {
                (self.tell)(&told)?;
            }
        }
        Ok(answer.unwrap_or_else(|Failure(code, why)| Reply::status(id, code, &why)))
    }

    fn carry_out(&mut self, id: u32, request: Request) -> Answer {
        let done = || Ok(Reply::status(id, Code::Ok, "done"));
        match request {
            Request::Init => Ok(Reply::version()),
            Request::Open { path, flags, attributes } => self.open(id, path, flags, &attributes),
            Request::Close { handle } => self.close(&handle).and_then(|()| done()),
            Request::Read { handle, offset, length } => self.read(id, &handle, offset, length),
            Request::Write { handle, offset, data } => {
                let (file, transfer) = self.file(&handle)?;
                file.write_all_at(&data, offset)?;
                transfer.passed(offset, &data);
                done()
            }
            Request::Lstat { path } => Ok(Reply::attributes_of(id, &files::attributes(&fs::symlink_metadata(path)?))),
            Request::Stat { path } => Ok(Reply::attributes_of(id, &files::attributes(&fs::metadata(path)?))),
            Request::Fstat { handle } => Ok(Reply::attributes_of(id, &files::attributes(&self.file(&handle)?.0.metadata()?))),
            Request::SetStat { path, attributes } => files::set(&path, &attributes).map_err(Failure::from).and_then(|()| done()),
            Request::FsetStat { handle, attributes } => {
                files::set_open(self.file(&handle)?.0, &attributes)?;
                done()
            }
            Request::OpenDir { path } => self.open_directory(id, path),
            Request::ReadDir { handle } => self.read_directory(id, &handle),
            Request::Remove { path } => fs::remove_file(path).map_err(Failure::from).and_then(|()| done()),
            Request::MakeDir { path, attributes } => files::make_directory(&path, &attributes).map_err(Failure::from).and_then(|()| done()),
            Request::RemoveDir { path } => fs::remove_dir(path).map_err(Failure::from).and_then(|()| done()),
            Request::RealPath { path } => Ok(Reply::name(id, &files::real_path(&path)?)),
            Request::ExpandPath { path } => Ok(Reply::name(id, &files::real_path(&files::expand(&path))?)),
            Request::Rename { from, to, replace } => files::rename(&from, &to, replace).map_err(Failure::from).and_then(|()| done()),
            Request::ReadLink { path } => Ok(Reply::name(id, &fs::read_link(path)?)),
            Request::Symlink { target, link } => std::os::unix::fs::symlink(target, link).map_err(Failure::from).and_then(|()| done()),
            Request::HardLink { from, to } => fs::hard_link(from, to).map_err(Failure::from).and_then(|()| done()),
            Request::Fsync { handle } => self.file(&handle)?.0.sync_all().map_err(Failure::from).and_then(|()| done()),
            Request::Limits => Ok(Reply::limits(id, MAX_HANDLES as u64)),
            Request::Unknown => Err(Failure(Code::Unsupported, "this operation is not served".into())),
        }
    }

    fn open(&mut self, id: u32, path: PathBuf, flags: OpenFlags, attributes: &Attributes) -> Answer {
        let (op, opened) = if flags.writes() { ("write", "open-write") } else { ("read", "open-read") };
        self.check_room()?;
        let file = match files::open(&path, flags, attributes) {
            Ok(file) => file,
            Err(error) => {
                if op == "read" {
                    (self.tell)(&operation(op, &path, &error.to_string()))?;
                }
                return Err(error.into());
            }
        };
        (self.tell)(&operation(opened, &path, "ok"))?;
        Ok(self.hold(id, Handle::File { file, path, transfer: Transfer::new(op) }))
    }

    fn open_directory(&mut self, id: u32, path: PathBuf) -> Answer {
        self.check_room()?;
        let entries = fs::read_dir(&path);
        let result = entries.as_ref().err().map_or_else(|| "ok".to_owned(), ToString::to_string);
        (self.tell)(&operation("list", &path, &result))?;
        Ok(self.hold(id, Handle::Directory { entries: entries?, dots: vec!["..".into(), ".".into()], path }))
    }

    /// Before anything is opened: a file that nobody can have a handle of must not be made or emptied.
    fn check_room(&self) -> Result<(), Failure> {
        let full = self.handles.len() >= MAX_HANDLES;
        if full { Err(Failure(Code::Failure, format!("more than {MAX_HANDLES} files are open"))) } else { Ok(()) }
    }

    fn hold(&mut self, id: u32, handle: Handle) -> Reply {
        let number = self.next_handle;
        self.next_handle = self.next_handle.wrapping_add(1);
        self.handles.insert(number, handle);
        Reply::handle(id, &number.to_be_bytes())
    }

    fn number(handle: &[u8]) -> Result<u32, Failure> {
        handle.try_into().map(u32::from_be_bytes).map_err(|_| Failure(Code::Failure, "no such handle".into()))
    }

    fn file(&mut self, handle: &[u8]) -> Result<(&File, &mut Transfer), Failure> {
        match self.handles.get_mut(&Self::number(handle)?) {
            Some(Handle::File { file, transfer, .. }) => Ok((file, transfer)),
            Some(Handle::Directory { .. }) | None => Err(Failure(Code::Failure, "no such file handle".into())),
        }
    }

    fn close(&mut self, handle: &[u8]) -> Result<(), Failure> {
        match self.handles.remove(&Self::number(handle)?) {
            Some(Handle::File { path, transfer, .. }) => Ok((self.tell)(&transfer.operation(&path, "ok"))?),
            Some(Handle::Directory { .. }) => Ok(()),
            None => Err(Failure(Code::Failure, "no such handle".into())),
        }
    }

    fn read(&mut self, id: u32, handle: &[u8], offset: u64, length: u32) -> Answer {
        let (file, transfer) = self.file(handle)?;
        let mut data = vec![0; (length as usize).min(MAX_DATA_BYTES)];
        let n = file.read_at(&mut data, offset)?;
        if n == 0 {
            return Err(Failure(Code::Eof, "end of file".into()));
        }
        transfer.passed(offset, &data[..n]);
        Ok(Reply::data(id, &data[..n]))
    }

    fn read_directory(&mut self, id: u32, handle: &[u8]) -> Answer {
        let Some(Handle::Directory { entries, dots, path }) = self.handles.get_mut(&Self::number(handle)?) else {
            return Err(Failure(Code::Failure, "no such directory handle".into()));
        };
        let mut names = Vec::new();
        while names.len() < NAMES_AT_ONCE {
            let name = match dots.pop() {
                Some(dot) => dot,
                None => match entries.next() {
                    Some(entry) => entry?.file_name().into(),
                    None => break,
                },
            };
            // It may be gone by now; then it is not listed.
            if let Ok(metadata) = fs::symlink_metadata(path.join(&name)) {
                let line = files::long_name(&name, &metadata);
                names.push((name, line, files::attributes(&metadata)));
            }
        }
        if names.is_empty() { Err(Failure(Code::Eof, "end of directory".into())) } else { Ok(Reply::names(id, &names)) }
    }
}

#[cfg(test)]
mod tests;

//! Open files and directories, and what went through them.
//!
//! What is told of a transfer is what passed, never more: the bytes, and their SHA-256 if they came once, in order and from the file's
//! start. A transfer that is resumed, or that a client does in several places at once, has no hash: it would be one of pieces that nobody
//! could put beside a file. Its bytes are counted all the same. The same holds for a file that is read in part: its hash is that of the
//! first so many bytes, and `bytes` says how many.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use lineman_common::recording::SftpOperation;
use lineman_common::statement::hex;
use sha2::{Digest, Sha256};

use super::operation;
use super::wire::{Code, OpenFlags};
use super::{Failure, files};

/// Open files and directories at one time.
pub const MAX_HANDLES: usize = 128;

pub enum Handle {
    File(Box<Open>),
    Directory(Listing),
}

pub struct Listing {
    pub entries: fs::ReadDir,
    /// Not among the entries.
    pub dots: Vec<PathBuf>,
    pub path: PathBuf,
}

pub struct Open {
    pub file: File,
    pub path: PathBuf,
    read: Transfer,
    /// Only of a file that was opened to be written.
    written: Option<Transfer>,
}

struct Transfer {
    bytes: u64,
    /// `None` once bytes came out of order.
    hash: Option<Sha256>,
}

impl Transfer {
    fn new() -> Self {
        Self { bytes: 0, hash: Some(Sha256::new()) }
    }

    fn passed(&mut self, offset: u64, data: &[u8]) {
        // Clients ask beyond the end before they know where it is.
        if offset != self.bytes && !data.is_empty() {
            self.hash = None;
        }
        if let Some(hash) = &mut self.hash {
            hash.update(data);
        }
        self.bytes += data.len() as u64;
    }

    fn operation(self, op: &str, path: &Path, result: &str) -> SftpOperation {
        let sha256 = self.hash.map(|hash| hex(&hash.finalize()));
        SftpOperation { bytes: Some(self.bytes), sha256, ..operation(op, path, result) }
    }
}

impl Open {
    pub fn new(file: File, path: PathBuf, flags: OpenFlags) -> Self {
        let mut written = flags.writes().then(Transfer::new);
        // What is appended does not go where its offset says.
        let elsewhere = flags.has(OpenFlags::APPEND) && file.metadata().map_or(true, |metadata| metadata.len() > 0);
        if let Some(written) = written.as_mut().filter(|_| elsewhere) {
            written.hash = None;
        }
        Self { file, path, read: Transfer::new(), written }
    }

    /// How many bytes there were; 0 at the end of the file.
    pub fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let n = files::uninterrupted(|| self.file.read_at(buffer, offset))?;
        self.read.passed(offset, &buffer[..n]);
        Ok(n)
    }

    /// All of it, or what there was room for.
    pub fn write(&mut self, mut data: &[u8], mut offset: u64) -> io::Result<()> {
        while !data.is_empty() {
            let n = files::uninterrupted(|| self.file.write_at(data, offset))?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            if let Some(written) = &mut self.written {
                written.passed(offset, &data[..n]);
            }
            data = &data[n..];
            offset += n as u64;
        }
        Ok(())
    }

    /// Bytes that passed are no longer there.
    pub fn was_cut(&mut self, size: u64) {
        if let Some(written) = self.written.as_mut().filter(|written| size < written.bytes) {
            written.hash = None;
        }
    }

    /// What passed. A file that was opened to be written is told as read only if something was.
    pub fn operations(self, result: &str) -> Vec<SftpOperation> {
        let Self { path, read, written, .. } = self;
        let read = (written.is_none() || read.bytes > 0).then(|| read.operation("read", &path, result));
        let written = written.map(|written| written.operation("write", &path, result));
        written.into_iter().chain(read).collect()
    }
}

#[derive(Default)]
pub struct Handles {
    held: HashMap<u32, Handle>,
    next: u32,
}

impl Handles {
    /// Before anything is opened: a file that nobody can have a handle of must not be made or emptied.
    pub fn check_room(&self) -> Result<(), Failure> {
        let full = self.held.len() >= MAX_HANDLES;
        if full { Err(Failure(Code::Failure, format!("{MAX_HANDLES} files and directories are open: close one first"))) } else { Ok(()) }
    }

    pub fn hold(&mut self, handle: Handle) -> [u8; 4] {
        while self.held.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.held.insert(number, handle);
        number.to_be_bytes()
    }

    pub fn get(&self, handle: &[u8]) -> Result<&Handle, Failure> {
        number(handle).and_then(|number| self.held.get(&number)).ok_or_else(no_handle)
    }

    pub fn file(&mut self, handle: &[u8]) -> Result<&mut Open, Failure> {
        match number(handle).and_then(|number| self.held.get_mut(&number)) {
            Some(Handle::File(open)) => Ok(&mut **open),
            Some(Handle::Directory(_)) => Err(Failure(Code::Failure, "this handle is a directory's".into())),
            None => Err(no_handle()),
        }
    }

    /// Two different ones at a time.
    pub fn two_files(&mut self, one: &[u8], other: &[u8]) -> Result<(&mut Open, &mut Open), Failure> {
        let (Some(one), Some(other)) = (number(one), number(other)) else { return Err(no_handle()) };
        if one == other {
            return Err(Failure(Code::Failure, "a file can't be copied by one handle: open it twice".into()));
        }
        match self.held.get_disjoint_mut([&one, &other]) {
            [Some(Handle::File(one)), Some(Handle::File(other))] => Ok((&mut **one, &mut **other)),
            [Some(_), Some(_)] => Err(Failure(Code::Failure, "only files are copied, not directories".into())),
            [_, _] => Err(no_handle()),
        }
    }

    pub fn directory(&mut self, handle: &[u8]) -> Result<&mut Listing, Failure> {
        match number(handle).and_then(|number| self.held.get_mut(&number)) {
            Some(Handle::Directory(listing)) => Ok(listing),
            Some(Handle::File(_)) => Err(Failure(Code::Failure, "this handle is a file's".into())),
            None => Err(no_handle()),
        }
    }

    /// What a handle is of, for the recording; there may be no such handle.
    pub fn path(&self, handle: &[u8]) -> PathBuf {
        match self.get(handle) {
            Ok(Handle::File(open)) => open.path.clone(),
            Ok(Handle::Directory(listing)) => listing.path.clone(),
            Err(_) => PathBuf::from("(not open)"),
        }
    }

    pub fn remove(&mut self, handle: &[u8]) -> Result<Handle, Failure> {
        number(handle).and_then(|number| self.held.remove(&number)).ok_or_else(no_handle)
    }

    /// Everything that was never closed, in the order of its opening.
    pub fn take_all(&mut self) -> Vec<Handle> {
        let mut held: Vec<_> = std::mem::take(&mut self.held).into_iter().collect();
        held.sort_unstable_by_key(|(number, _)| *number);
        held.into_iter().map(|(_, handle)| handle).collect()
    }
}

fn number(handle: &[u8]) -> Option<u32> {
    handle.try_into().ok().map(u32::from_be_bytes)
}

fn no_handle() -> Failure {
    Failure(Code::Failure, "there is no such handle".into())
}

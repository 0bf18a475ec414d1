//! SFTP version 3 on the wire (draft-ietf-secsh-filexfer-02, as OpenSSH speaks it).
//!
//! Parsed here and not with a crate's types, because file names are bytes: equipment has names that are not UTF-8, and a
//! file that can't be named can't be fetched.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Longest packet that is taken, as in OpenSSH.
pub const MAX_PACKET_BYTES: usize = 256 * 1024;
/// Most data that one read returns: the packet with its header stays within the limit.
pub const MAX_DATA_BYTES: usize = MAX_PACKET_BYTES - 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Code {
    Ok = 0,
    Eof = 1,
    NoSuchFile = 2,
    PermissionDenied = 3,
    Failure = 4,
    BadMessage = 5,
    Unsupported = 8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFlags(pub u32);

impl OpenFlags {
    pub const READ: u32 = 0x01;
    pub const WRITE: u32 = 0x02;
    pub const APPEND: u32 = 0x04;
    pub const CREATE: u32 = 0x08;
    pub const TRUNCATE: u32 = 0x10;
    pub const EXCLUSIVE: u32 = 0x20;

    pub const fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// Anything but plain reading. What `EXCLUSIVE` means without `CREATE` is for nobody to find out.
    pub const fn writes(self) -> bool {
        self.has(Self::WRITE | Self::APPEND | Self::CREATE | Self::TRUNCATE | Self::EXCLUSIVE)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub size: Option<u64>,
    pub owner: Option<(u32, u32)>,
    /// With the file type's bits.
    pub mode: Option<u32>,
    /// Access and modification, in seconds.
    pub times: Option<(u32, u32)>,
}

const ATTR_SIZE: u32 = 1;
const ATTR_OWNER: u32 = 2;
const ATTR_MODE: u32 = 4;
const ATTR_TIMES: u32 = 8;
const ATTR_EXTENDED: u32 = 0x8000_0000;

/// Paths are copied out of the packet, data is not: there may be much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    Init,
    Open {
        path: PathBuf,
        flags: OpenFlags,
        attributes: Attributes,
    },
    Close {
        handle: Vec<u8>,
    },
    Read {
        handle: Vec<u8>,
        offset: u64,
        length: u32,
    },
    Write {
        handle: Vec<u8>,
        offset: u64,
        data: &'a [u8],
    },
    Lstat {
        path: PathBuf,
    },
    Fstat {
        handle: Vec<u8>,
    },
    SetStat {
        path: PathBuf,
        attributes: Attributes,
    },
    /// Of a link itself.
    LsetStat {
        path: PathBuf,
        attributes: Attributes,
    },
    FsetStat {
        handle: Vec<u8>,
        attributes: Attributes,
    },
    OpenDir {
        path: PathBuf,
    },
    ReadDir {
        handle: Vec<u8>,
    },
    Remove {
        path: PathBuf,
    },
    MakeDir {
        path: PathBuf,
        attributes: Attributes,
    },
    RemoveDir {
        path: PathBuf,
    },
    RealPath {
        path: PathBuf,
    },
    Stat {
        path: PathBuf,
    },
    /// `replace` is OpenSSH's `posix-rename`.
    Rename {
        from: PathBuf,
        to: PathBuf,
        replace: bool,
    },
    ReadLink {
        path: PathBuf,
    },
    Symlink {
        target: PathBuf,
        link: PathBuf,
    },
    HardLink {
        from: PathBuf,
        to: PathBuf,
    },
    Fsync {
        handle: Vec<u8>,
    },
    /// From one open file into another; a length of 0 means up to the end.
    CopyData {
        from: Vec<u8>,
        from_offset: u64,
        length: u64,
        to: Vec<u8>,
        to_offset: u64,
    },
    StatVfs {
        path: PathBuf,
    },
    FstatVfs {
        handle: Vec<u8>,
    },
    Limits,
    ExpandPath {
        path: PathBuf,
    },
    /// Of an account; of the session's own, if it has no name.
    HomeDirectory {
        account: Vec<u8>,
    },
    /// The names of accounts and groups.
    NamesOf {
        uids: Vec<u32>,
        gids: Vec<u32>,
    },
    Unknown,
}

/// A request with its number; `Init` has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered<'a> {
    pub id: u32,
    pub request: Request<'a>,
}

/// Parses a packet without its length. `Err` gives the request's number, if at least that could be read.
pub fn parse(packet: &[u8]) -> Result<Numbered<'_>, Option<u32>> {
    let mut fields = Fields(packet);
    let kind = fields.u8().ok_or(None)?;
    if kind == 1 {
        return Ok(Numbered { id: fields.u32().ok_or(None)?, request: Request::Init });
    }
    let id = fields.u32().ok_or(None)?;
    let request = fields.request(kind).ok_or(Some(id))?;
    Ok(Numbered { id, request })
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    /// A name with a NUL in it can't be meant honestly: the system would cut it there.
    fn path(&mut self) -> Option<PathBuf> {
        let bytes = self.bytes()?;
        (!bytes.contains(&0)).then(|| PathBuf::from(OsStr::from_bytes(bytes)))
    }

    fn handle(&mut self) -> Option<Vec<u8>> {
        self.bytes().map(<[u8]>::to_vec)
    }

    /// Numbers in a field of their own.
    fn numbers(&mut self) -> Option<Vec<u32>> {
        let bytes = self.bytes()?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        rest.is_empty().then(|| numbers.iter().map(|number| u32::from_be_bytes(*number)).collect())
    }

    fn attributes(&mut self) -> Option<Attributes> {
        let flags = self.u32()?;
        let mut attributes = Attributes::default();
        if flags & ATTR_SIZE != 0 {
            attributes.size = Some(self.u64()?);
        }
        if flags & ATTR_OWNER != 0 {
            attributes.owner = Some((self.u32()?, self.u32()?));
        }
        if flags & ATTR_MODE != 0 {
            attributes.mode = Some(self.u32()?);
        }
        if flags & ATTR_TIMES != 0 {
            attributes.times = Some((self.u32()?, self.u32()?));
        }
        if flags & ATTR_EXTENDED != 0 {
            for _ in 0..self.u32()? {
                self.bytes()?;
                self.bytes()?;
            }
        }
        Some(attributes)
    }

    fn request(&mut self, kind: u8) -> Option<Request<'a>> {
        Some(match kind {
            3 => Request::Open { path: self.path()?, flags: OpenFlags(self.u32()?), attributes: self.attributes()? },
            4 => Request::Close { handle: self.handle()? },
            5 => Request::Read { handle: self.handle()?, offset: self.u64()?, length: self.u32()? },
            6 => Request::Write { handle: self.handle()?, offset: self.u64()?, data: self.bytes()? },
            7 => Request::Lstat { path: self.path()? },
            8 => Request::Fstat { handle: self.handle()? },
            9 => Request::SetStat { path: self.path()?, attributes: self.attributes()? },
            10 => Request::FsetStat { handle: self.handle()?, attributes: self.attributes()? },
            11 => Request::OpenDir { path: self.path()? },
            12 => Request::ReadDir { handle: self.handle()? },
            13 => Request::Remove { path: self.path()? },
            14 => Request::MakeDir { path: self.path()?, attributes: self.attributes()? },
            15 => Request::RemoveDir { path: self.path()? },
            16 => Request::RealPath { path: self.path()? },
            17 => Request::Stat { path: self.path()? },
            18 => Request::Rename { from: self.path()?, to: self.path()?, replace: false },
            19 => Request::ReadLink { path: self.path()? },
            // OpenSSH has these two the other way round than the draft, and everybody follows OpenSSH.
            20 => Request::Symlink { target: self.path()?, link: self.path()? },
            200 => return self.extended(),
            _ => Request::Unknown,
        })
    }

    fn extended(&mut self) -> Option<Request<'a>> {
        Some(match self.bytes()? {
            b"posix-rename@openssh.com" => Request::Rename { from: self.path()?, to: self.path()?, replace: true },
            b"hardlink@openssh.com" => Request::HardLink { from: self.path()?, to: self.path()? },
            b"fsync@openssh.com" => Request::Fsync { handle: self.handle()? },
            b"lsetstat@openssh.com" => Request::LsetStat { path: self.path()?, attributes: self.attributes()? },
            b"copy-data" => Request::CopyData {
                from: self.handle()?,
                from_offset: self.u64()?,
                length: self.u64()?,
                to: self.handle()?,
                to_offset: self.u64()?,
            },
            b"statvfs@openssh.com" => Request::StatVfs { path: self.path()? },
            b"fstatvfs@openssh.com" => Request::FstatVfs { handle: self.handle()? },
            b"limits@openssh.com" => Request::Limits,
            b"expand-path@openssh.com" => Request::ExpandPath { path: self.path()? },
            b"home-directory" => Request::HomeDirectory { account: self.bytes()?.to_vec() },
            b"users-groups-by-id@openssh.com" => Request::NamesOf { uids: self.numbers()?, gids: self.numbers()? },
            _ => Request::Unknown,
        })
    }
}

/// The extensions that are served, and their versions.
pub const EXTENSIONS: &[(&str, &str)] = &[
    ("posix-rename@openssh.com", "1"),
    ("statvfs@openssh.com", "2"),
    ("fstatvfs@openssh.com", "2"),
    ("hardlink@openssh.com", "1"),
    ("fsync@openssh.com", "1"),
    ("lsetstat@openssh.com", "1"),
    ("limits@openssh.com", "1"),
    ("expand-path@openssh.com", "1"),
    ("copy-data", "1"),
    ("home-directory", "1"),
    ("users-groups-by-id@openssh.com", "1"),
];

/// What stands before the data in a reply to a read.
pub const DATA_HEADER_BYTES: usize = 13;

/// That, for so many bytes. The data itself is read to where it stands: there may be much of it.
pub fn data_header(id: u32, bytes: usize) -> [u8; DATA_HEADER_BYTES] {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    let mut header = [103; DATA_HEADER_BYTES];
    header[..4].copy_from_slice(&number(bytes + DATA_HEADER_BYTES - 4));
    header[5..9].copy_from_slice(&id.to_be_bytes());
    header[9..].copy_from_slice(&number(bytes));
    header
}

/// Builds one reply packet, length in front.
pub struct Reply(Vec<u8>);

impl Reply {
    fn new(kind: u8, id: u32) -> Self {
        let mut reply = Self(vec![0, 0, 0, 0, kind]);
        reply.u32(id);
        reply
    }

    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend(bytes);
    }

    fn attributes(&mut self, attributes: &Attributes) {
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        let Attributes { size, owner, mode, times } = attributes;
        self.u32(
            flag(size.is_some(), ATTR_SIZE)
                | flag(owner.is_some(), ATTR_OWNER)
                | flag(mode.is_some(), ATTR_MODE)
                | flag(times.is_some(), ATTR_TIMES),
        );
        if let Some(size) = size {
            self.0.extend(size.to_be_bytes());
        }
        if let Some((uid, gid)) = owner {
            self.u32(*uid);
            self.u32(*gid);
        }
        if let Some(mode) = mode {
            self.u32(*mode);
        }
        if let Some((accessed, modified)) = times {
            self.u32(*accessed);
            self.u32(*modified);
        }
    }

    /// The finished packet.
    pub fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }

    /// Version 3 and the extensions that are served.
    pub fn version() -> Self {
        let mut reply = Self::new(2, 3);
        for (name, version) in EXTENSIONS {
            reply.bytes(name.as_bytes());
            reply.bytes(version.as_bytes());
        }
        reply
    }

    pub fn status(id: u32, code: Code, message: &str) -> Self {
        let mut reply = Self::new(101, id);
        reply.u32(code as u32);
        reply.bytes(message.as_bytes());
        reply.bytes(b"en");
        reply
    }

    pub fn handle(id: u32, handle: &[u8]) -> Self {
        let mut reply = Self::new(102, id);
        reply.bytes(handle);
        reply
    }

    pub fn name(id: u32, name: &Path) -> Self {
        let mut names = Names::new(id);
        names.add(name, &name.to_string_lossy(), &Attributes::default());
        names.finish()
    }

    pub fn attributes_of(id: u32, attributes: &Attributes) -> Self {
        let mut reply = Self::new(105, id);
        reply.attributes(attributes);
        reply
    }

    /// OpenSSH's `limits`: packet, read, write, open handles.
    pub fn limits(id: u32, handles: u64) -> Self {
        Self::numbers(id, &[MAX_PACKET_BYTES as u64, MAX_DATA_BYTES as u64, MAX_DATA_BYTES as u64, handles])
    }

    /// What an extension answers with numbers.
    pub fn numbers(id: u32, numbers: &[u64]) -> Self {
        let mut reply = Self::new(201, id);
        for number in numbers {
            reply.0.extend(number.to_be_bytes());
        }
        reply
    }

    /// Names of accounts and of groups, each an empty one where there is none.
    pub fn names_of(id: u32, users: &[&str], groups: &[&str]) -> Self {
        let mut reply = Self::new(201, id);
        for names in [users, groups] {
            let length: usize = names.iter().map(|name| 4 + name.len()).sum();
            reply.u32(u32::try_from(length).unwrap_or(u32::MAX));
            for name in names {
                reply.bytes(name.as_bytes());
            }
        }
        reply
    }
}

/// Names with their `ls -l` lines, as many as there are.
pub struct Names {
    reply: Reply,
    count: u32,
}

impl Names {
    pub fn new(id: u32) -> Self {
        let mut reply = Reply::new(104, id);
        reply.u32(0);
        Self { reply, count: 0 }
    }

    pub fn add(&mut self, name: &Path, line: &str, attributes: &Attributes) {
        self.count += 1;
        self.reply.bytes(name.as_os_str().as_bytes());
        self.reply.bytes(line.as_bytes());
        self.reply.attributes(attributes);
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn bytes(&self) -> usize {
        self.reply.0.len()
    }

    pub fn finish(mut self) -> Reply {
        self.reply.0[9..13].copy_from_slice(&self.count.to_be_bytes());
        self.reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn attributes_read_back() {
        let all = Attributes { size: Some(1 << 40), owner: Some((1, 2)), mode: Some(0o100_644), times: Some((3, 4)) };
        for attributes in [all, Attributes::default(), Attributes { mode: Some(7), ..Attributes::default() }] {
            let mut reply = Reply::new(105, 9);
            reply.attributes(&attributes);
            let bytes = reply.finish();
            assert_eq!(Fields(&bytes[9..]).attributes(), Some(attributes));
        }
    }

    #[test]
    fn a_name_that_is_not_text_is_kept_and_one_with_a_nul_is_refused() {
        let packet = |name: &[u8]| [&[7, 0, 0, 0, 1, 0, 0, 0, u8::try_from(name.len()).unwrap()], name].concat();
        let path = PathBuf::from(OsStr::from_bytes(b"\xff"));
        assert_eq!(parse(&packet(b"\xff")), Ok(Numbered { id: 1, request: Request::Lstat { path } }));
        assert_eq!(parse(&packet(b"a\0b")), Err(Some(1)));
        assert_eq!(parse(&[7, 0]), Err(None));
    }

    proptest! {
        #[test]
        fn no_packet_makes_the_parser_panic(packet in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&packet);
        }
    }
}

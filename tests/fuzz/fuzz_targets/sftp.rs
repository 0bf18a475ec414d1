//! SFTP packets, by the agent's own file. What a packet says is no longer than the packet, no name holds a NUL, and a request written
//! again reads the same.
#![no_main]

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../../agent/src/session/sftp/wire.rs"]
mod wire;

use wire::{Attributes, Numbered, OpenFlags, Reply, Request, parse};

fuzz_target!(|data: &[u8]| {
    let Ok(Numbered { id, request }) = parse(data) else { return };
    let mut packet = Packet(Vec::new());
    let Some(kind) = packet.request(&request) else { return };
    for path in &packet.paths(&request) {
        assert!(!path.as_os_str().as_bytes().contains(&0) && path.as_os_str().len() <= data.len());
    }
    let head: &[u8] = if kind == 1 { &[] } else { &id.to_be_bytes() };
    let written = [&[kind], head, &packet.0].concat();
    assert!(kind == 1 || written.len() <= data.len() + 64, "no longer than the packet");
    let id = if kind == 1 { 3 } else { id };
    let written = if kind == 1 { [&[1][..], &id.to_be_bytes()].concat() } else { written };
    assert_eq!(parse(&written), Ok(Numbered { id, request }));
    let name = Reply::name(id, Path::new("x")).finish();
    assert_eq!(name.len() - 4, usize::try_from(u32::from_be_bytes([name[0], name[1], name[2], name[3]])).unwrap_or(0));
});

/// The other side's writing half.
struct Packet(Vec<u8>);

impl Packet {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend(bytes);
    }

    fn path(&mut self, path: &Path) {
        self.bytes(path.as_os_str().as_bytes());
    }

    fn attributes(&mut self, attributes: &Attributes) {
        // As a reply writes them: after length, kind and number.
        self.0.extend(&Reply::attributes_of(0, attributes).finish()[9..]);
    }

    fn paths<'a>(&self, request: &'a Request) -> Vec<&'a Path> {
        match request {
            Request::Rename { from, to, .. } | Request::HardLink { from, to } => vec![from, to],
            Request::Symlink { target, link } => vec![target, link],
            Request::Open { path, .. }
            | Request::Lstat { path }
            | Request::SetStat { path, .. }
            | Request::LsetStat { path, .. }
            | Request::StatVfs { path }
            | Request::OpenDir { path }
            | Request::Remove { path }
            | Request::MakeDir { path, .. }
            | Request::RemoveDir { path }
            | Request::RealPath { path }
            | Request::Stat { path }
            | Request::ReadLink { path }
            | Request::ExpandPath { path } => vec![path],
            _ => Vec::new(),
        }
    }

    /// Writes a request without its number; says its kind, or nothing for one that can't be written.
    fn request(&mut self, request: &Request) -> Option<u8> {
        match request {
            Request::Init => return Some(1),
            Request::Open { path, flags: OpenFlags(flags), attributes } => {
                self.path(path);
                self.0.extend(flags.to_be_bytes());
                self.attributes(attributes);
                return Some(3);
            }
            Request::Close { handle } => self.bytes(handle),
            Request::Read { handle, offset, length } => {
                self.bytes(handle);
                self.0.extend(offset.to_be_bytes());
                self.0.extend(length.to_be_bytes());
            }
            Request::Write { handle, offset, data } => {
                self.bytes(handle);
                self.0.extend(offset.to_be_bytes());
                self.bytes(data);
            }
            Request::Fstat { handle } | Request::ReadDir { handle } => self.bytes(handle),
            Request::FsetStat { handle, attributes } => {
                self.bytes(handle);
                self.attributes(attributes);
            }
            Request::SetStat { path, attributes } | Request::MakeDir { path, attributes } => {
                self.path(path);
                self.attributes(attributes);
            }
            Request::Rename { from, to, replace: true } => self.extended(b"posix-rename@openssh.com", &[from, to]),
            Request::HardLink { from, to } => self.extended(b"hardlink@openssh.com", &[from, to]),
            Request::ExpandPath { path } => self.extended(b"expand-path@openssh.com", &[path]),
            Request::StatVfs { path } => self.extended(b"statvfs@openssh.com", &[path]),
            Request::Fsync { handle } => {
                self.bytes(b"fsync@openssh.com");
                self.bytes(handle);
            }
            Request::FstatVfs { handle } => {
                self.bytes(b"fstatvfs@openssh.com");
                self.bytes(handle);
            }
            Request::LsetStat { path, attributes } => {
                self.extended(b"lsetstat@openssh.com", &[path]);
                self.attributes(attributes);
            }
            Request::CopyData { from, from_offset, length, to, to_offset } => {
                self.bytes(b"copy-data");
                self.bytes(from);
                self.0.extend(from_offset.to_be_bytes());
                self.0.extend(length.to_be_bytes());
                self.bytes(to);
                self.0.extend(to_offset.to_be_bytes());
            }
            Request::HomeDirectory { account } => {
                self.bytes(b"home-directory");
                self.bytes(account);
            }
            Request::NamesOf { uids, gids } => {
                self.bytes(b"users-groups-by-id@openssh.com");
                for numbers in [uids, gids] {
                    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
                    self.bytes(&bytes);
                }
            }
            Request::Limits => self.bytes(b"limits@openssh.com"),
            Request::Unknown => return None,
            other => self.paths(other).into_iter().for_each(|path| self.path(path)),
        }
        Some(match request {
            Request::Close { .. } => 4,
            Request::Read { .. } => 5,
            Request::Write { .. } => 6,
            Request::Lstat { .. } => 7,
            Request::Fstat { .. } => 8,
            Request::SetStat { .. } => 9,
            Request::FsetStat { .. } => 10,
            Request::OpenDir { .. } => 11,
            Request::ReadDir { .. } => 12,
            Request::Remove { .. } => 13,
            Request::MakeDir { .. } => 14,
            Request::RemoveDir { .. } => 15,
            Request::RealPath { .. } => 16,
            Request::Stat { .. } => 17,
            Request::Rename { replace: false, .. } => 18,
            Request::ReadLink { .. } => 19,
            Request::Symlink { .. } => 20,
            _ => 200,
        })
    }

    fn extended(&mut self, name: &[u8], paths: &[&Path]) {
        self.bytes(name);
        paths.iter().for_each(|path| self.path(path));
    }
}

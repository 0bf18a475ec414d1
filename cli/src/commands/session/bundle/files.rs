//! Reading a bundle's files, from a tar file or from the folder that it was unpacked into.
//!
//! Whoever sends a bundle may be hostile. Nothing is unpacked: a tar file is read where it lies, by an index of its entries. Only
//! plain files with the names of a bundle count; links, devices, sparse files, long-name records, a name twice, a name that leads
//! elsewhere, and a size that the file does not have are refused before a byte of them is read. Each read is bounded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use lineman_common::printable::escape;
use lineman_common::statement::Signed;

use super::{CHUNKS, belongs, looks_like_proof, signature_of};
use crate::exit::{Exit, Failure};

/// The longest text of a paper or list.
const MAX_PAPER_BYTES: u64 = 1024 * 1024;
/// The longest chunk: 64 KiB of content, escaped, with room for an agent of another make.
const MAX_CHUNK_BYTES: u64 = 4 * 1024 * 1024;
/// More entries than the longest session has.
const MAX_ENTRIES: usize = 400_000;

#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("can't read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is not a bundle: {why}")]
    NotABundle { path: PathBuf, why: String },
    #[error("the bundle is not safe to read: {0}")]
    Hostile(String),
    #[error("{0}: it is missing, or not a plain file")]
    Missing(String),
    #[error("{name}: it is longer than {most} bytes, which is no {what}")]
    TooLong { name: String, most: u64, what: &'static str },
    #[error("{0}: it is not UTF-8 text")]
    NotText(String),
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        let what = error.to_string();
        match error {
            BundleError::Read { .. } => Self::new(Exit::NotFound, what),
            BundleError::NotABundle { .. } => Self::failed(what)
                .hint("expected a tar file or folder that `lineman session export --format bundle` wrote, or a raw recording"),
            BundleError::Hostile(_) | BundleError::Missing(_) | BundleError::TooLong { .. } | BundleError::NotText(_) => {
                Self::new(Exit::CheckFailed, what)
            }
        }
    }
}

/// Where a file's bytes lie.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: u64,
    bytes: u64,
}

enum Place {
    Folder(PathBuf),
    Tar(File),
}

/// A bundle's files.
pub struct Files {
    place: Place,
    index: BTreeMap<String, Piece>,
}

/// Does a file begin as a raw recording does? Then it is no bundle.
pub fn is_raw(path: &Path) -> bool {
    let mut first = [0];
    File::open(path).is_ok_and(|file| file.read_exact_at(&mut first, 0).is_ok()) && first == *b"{"
}

impl Files {
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let read = |source| BundleError::Read { path: path.to_owned(), source };
        let found = if path.is_dir() {
            Self { index: folder_index(path).map_err(read)??, place: Place::Folder(path.to_owned()) }
        } else {
            let file = File::open(path).map_err(read)?;
            let index = tar_index(&file, path)?;
            Self { place: Place::Tar(file), index }
        };
        if found.index.contains_key(super::RECORDING) || found.index.contains_key(&super::chunk_file(0)) {
            return Ok(found);
        }
        Err(BundleError::NotABundle { path: path.to_owned(), why: "it holds no recording".into() })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(String::as_str)
    }

    pub fn has(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    fn bytes(&self, name: &str, most: u64, what: &'static str) -> Result<Vec<u8>, BundleError> {
        let piece = self.index.get(name).ok_or_else(|| BundleError::Missing(name.to_owned()))?;
        if piece.bytes > most {
            return Err(BundleError::TooLong { name: name.to_owned(), most, what });
        }
        let length = usize::try_from(piece.bytes).map_err(|_| BundleError::TooLong { name: name.to_owned(), most, what })?;
        let mut bytes = vec![0; length];
        let read = |source| BundleError::Read { path: name.into(), source };
        match &self.place {
            Place::Tar(file) => file.read_exact_at(&mut bytes, piece.at).map_err(read)?,
            Place::Folder(folder) => File::open(folder.join(name)).and_then(|file| file.read_exact_at(&mut bytes, 0)).map_err(read)?,
        }
        Ok(bytes)
    }

    fn text(&self, name: &str, most: u64, what: &'static str) -> Result<String, BundleError> {
        String::from_utf8(self.bytes(name, most, what)?).map_err(|_| BundleError::NotText(name.to_owned()))
    }

    pub fn paper(&self, name: &str) -> Result<String, BundleError> {
        self.text(name, MAX_PAPER_BYTES, "paper")
    }

    /// A text and the signature beside it.
    pub fn signed(&self, name: &str) -> Result<Signed, BundleError> {
        Ok(Signed { text: self.paper(name)?, signature: self.paper(&signature_of(name))? })
    }

    pub fn chunk(&self, number: u64) -> Result<Signed, BundleError> {
        let read = |name: &str| self.text(name, MAX_CHUNK_BYTES, "chunk");
        Ok(Signed { text: read(&super::chunk_file(number))?, signature: read(&super::chunk_signature(number))? })
    }

    /// The recording in one piece, for showing it; as long as the file is.
    pub fn recording(&self) -> Result<String, BundleError> {
        self.text(super::RECORDING, u64::MAX, "recording")
    }

    /// Compares the recording with what it should be, line by line, without having it in memory.
    pub fn recording_reader(&self) -> Result<RecordingReader<'_>, BundleError> {
        let piece = *self.index.get(super::RECORDING).ok_or_else(|| BundleError::Missing(super::RECORDING.into()))?;
        let read = |source| BundleError::Read { path: super::RECORDING.into(), source };
        let file = match &self.place {
            Place::Tar(file) => Source::Borrowed(file),
            Place::Folder(folder) => Source::Owned(File::open(folder.join(super::RECORDING)).map_err(read)?),
        };
        Ok(RecordingReader { file, at: piece.at, end: piece.at + piece.bytes })
    }
}

enum Source<'a> {
    Borrowed(&'a File),
    Owned(File),
}

/// Goes through `recording.jsonl`.
pub struct RecordingReader<'a> {
    file: Source<'a>,
    at: u64,
    end: u64,
}

impl RecordingReader<'_> {
    /// Are these the next bytes?
    pub fn goes_on_with(&mut self, expected: &[u8]) -> bool {
        let length = expected.len() as u64;
        if self.end - self.at < length {
            return false;
        }
        let mut found = vec![0; expected.len()];
        let file = match &self.file {
            Source::Borrowed(file) => file,
            Source::Owned(file) => file,
        };
        let same = file.read_exact_at(&mut found, self.at).is_ok() && found == expected;
        self.at += length;
        same
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.end
    }
}

/// The files of a folder. What else lies there is left alone, unless it looks like a part of the proof.
fn folder_index(folder: &Path) -> io::Result<Result<BTreeMap<String, Piece>, BundleError>> {
    let mut index = BTreeMap::new();
    for (prefix, place) in [(String::new(), folder.to_owned()), (format!("{CHUNKS}/"), folder.join(CHUNKS))] {
        let inner = !prefix.is_empty();
        let found = std::fs::symlink_metadata(&place);
        if inner && !found.is_ok_and(|found| found.is_dir()) {
            continue;
        }
        for entry in std::fs::read_dir(&place)? {
            let entry = entry?;
            let name = prefix.clone() + &entry.file_name().to_string_lossy();
            if name == CHUNKS {
                continue;
            }
            // Not following links: what a link leads to is no part of the bundle.
            let found = entry.metadata()?;
            if belongs(&name) && found.is_file() {
                index.insert(name, Piece { at: 0, bytes: found.len() });
            } else if belongs(&name) || looks_like_proof(&name) {
                let why = if found.is_file() { "does not belong into a bundle" } else { "is not a plain file" };
                return Ok(Err(BundleError::Hostile(format!("{} {why}", escape(&name)))));
            }
            if index.len() > MAX_ENTRIES {
                return Ok(Err(too_many()));
            }
        }
    }
    Ok(Ok(index))
}

fn too_many() -> BundleError {
    BundleError::Hostile(format!("it holds more than {MAX_ENTRIES} files"))
}

fn tar_index(file: &File, path: &Path) -> Result<BTreeMap<String, Piece>, BundleError> {
    let not = |why: &str| BundleError::NotABundle { path: path.to_owned(), why: why.to_owned() };
    let damaged = |e: io::Error| BundleError::NotABundle { path: path.to_owned(), why: format!("it is no tar file ({e})") };
    let length = file.metadata().map_err(damaged)?.len();
    let mut archive = tar::Archive::new(file);
    let mut index = BTreeMap::new();
    let mut top: Option<String> = None;
    // Raw: records that rename or stretch the entry after them are entries of their own, and are refused as such.
    for entry in archive.entries_with_seek().map_err(damaged)?.raw(true) {
        let entry = entry.map_err(damaged)?;
        let shown = escape(&String::from_utf8_lossy(&entry.path_bytes()).chars().take(128).collect::<String>());
        let hostile = |why: &str| BundleError::Hostile(format!("`{shown}` {why}"));
        let (folder, name) = entry_name(&entry.path_bytes()).ok_or_else(|| hostile("is a name that leads elsewhere"))?;
        if entry.header().entry_type().is_dir() {
            continue;
        }
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(hostile("is not a plain file"));
        }
        if *top.get_or_insert_with(|| folder.clone()) != folder {
            return Err(hostile("is in another folder than the rest"));
        }
        if !belongs(&name) {
            return Err(hostile("does not belong into a bundle"));
        }
        let piece = Piece { at: entry.raw_file_position(), bytes: entry.size() };
        if piece.at.checked_add(piece.bytes).is_none_or(|end| end > length) {
            return Err(hostile("is said to be longer than the file is"));
        }
        if index.insert(name, piece).is_some() {
            return Err(hostile("is in it twice"));
        }
        if index.len() > MAX_ENTRIES {
            return Err(too_many());
        }
    }
    if index.is_empty() { Err(not("it is no tar file, or an empty one")) } else { Ok(index) }
}

/// Splits an entry's path into the one folder that all share (or none) and the bundle's own name.
fn entry_name(path: &[u8]) -> Option<(String, String)> {
    let path = std::str::from_utf8(path).ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if path.starts_with('/') || !path.chars().all(plain) {
        return None;
    }
    let parts: Vec<&str> = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/').split('/').collect();
    if path != "./" && parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return None;
    }
    let own = usize::from(parts.len() > 1 && parts[0] != CHUNKS);
    Some((parts[..own].join("/"), parts[own..].join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar_of(entries: &[(&str, tar::EntryType, &[u8])]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut builder = tar::Builder::new(file.reopen().unwrap());
        for (name, kind, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            // Past the crate's own checks of names: a hostile file has none.
            let field = &mut header.as_gnu_mut().unwrap().name;
            field[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            if kind.is_symlink() {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap();
        file
    }

    fn refused(entries: &[(&str, tar::EntryType, &[u8])]) -> String {
        match Files::open(tar_of(entries).path()) {
            Ok(_) => panic!("{entries:?} was taken"),
            Err(error) => error.to_string(),
        }
    }

    use tar::EntryType::{Block, GNULongName, GNUSparse, Link, Regular, Symlink, XHeader};

    #[test]
    fn plain_files_with_known_names_are_read() {
        let file = tar_of(&[("s/recording.jsonl", Regular, b"{}"), ("s/chunks/000000.txt", Regular, b"x"), ("s/request", Regular, b"r")]);
        let files = Files::open(file.path()).unwrap();
        assert_eq!(files.names().collect::<Vec<_>>(), ["chunks/000000.txt", "recording.jsonl", "request"]);
        assert_eq!(files.paper("request").unwrap(), "r");
        assert!(matches!(files.paper("roster"), Err(BundleError::Missing(_))));
    }

    #[test]
    fn hostile_entries_are_refused() {
        let recording = ("s/recording.jsonl", Regular, &b"{}"[..]);
        for (entry, why) in [
            (("../request", Regular, &b"x"[..]), "leads elsewhere"),
            (("/etc/request", Regular, b"x"), "leads elsewhere"),
            (("s/../../request", Regular, b"x"), "leads elsewhere"),
            (("s/chunks/../request", Regular, b"x"), "leads elsewhere"),
            (("s/request\x1b[2J", Regular, b"x"), "leads elsewhere"),
            (("s/request", Symlink, b""), "not a plain file"),
            (("s/request", Link, b""), "not a plain file"),
            (("s/request", Block, b""), "not a plain file"),
            (("s/request", GNUSparse, b""), "not a plain file"),
            (("s/request", GNULongName, b"other\0"), "not a plain file"),
            (("s/request", XHeader, b"13 path=/tmp\n"), "not a plain file"),
            (("s/.bashrc", Regular, b"x"), "does not belong"),
            (("t/request", Regular, b"x"), "another folder"),
            (("s/recording.jsonl", Regular, b"x"), "twice"),
        ] {
            let said = refused(&[recording, entry]);
            assert!(said.contains(why), "{}: {said}", entry.0);
            assert!(!said.contains('\x1b'), "{said}");
        }
    }

    #[test]
    fn a_size_that_the_file_does_not_have_is_refused_and_costs_nothing() {
        for size in [10_000, 1 << 40, u64::MAX >> 1] {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..17].copy_from_slice(b"s/recording.jsonl");
            header.set_entry_type(Regular);
            header.set_size(size);
            header.set_cksum();
            std::fs::write(file.path(), header.as_bytes()).unwrap();
            let error = Files::open(file.path()).map(drop).unwrap_err().to_string();
            assert!(error.contains("longer than the file is"), "{error}");
        }
    }

    #[test]
    fn what_is_no_tar_file_is_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for bytes in [&b""[..], b"hello", &[0; 4096], &[0xff; 4096]] {
            std::fs::write(file.path(), bytes).unwrap();
            assert!(matches!(Files::open(file.path()), Err(BundleError::NotABundle { .. })), "{} bytes", bytes.len());
        }
        assert!(matches!(Files::open(Path::new("/nonexistent")), Err(BundleError::Read { .. })));
    }

    #[test]
    fn a_long_paper_is_not_read() {
        let long = vec![b'x'; usize::try_from(MAX_PAPER_BYTES).unwrap() + 1];
        let file = tar_of(&[("recording.jsonl", Regular, b"{}"), ("request", Regular, &long)]);
        assert!(matches!(Files::open(file.path()).unwrap().paper("request"), Err(BundleError::TooLong { .. })));
    }

    #[test]
    fn links_in_a_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("chunks")).unwrap();
        std::fs::write(at("recording.jsonl"), "{}").unwrap();
        std::fs::write(at("my-notes"), "x").unwrap();
        assert!(Files::open(folder.path()).is_ok(), "a stray file does no harm");
        std::os::unix::fs::symlink("/dev/zero", at("request")).unwrap();
        assert!(matches!(Files::open(folder.path()), Err(BundleError::Hostile(_))));
        std::fs::remove_file(at("request")).unwrap();
        std::fs::write(at("chunks/x"), "x").unwrap();
        assert!(matches!(Files::open(folder.path()), Err(BundleError::Hostile(_))));
    }
}

//! The snapshot: both indexes in one file.
//!
//! `LMNCIDX` and the format's number; the fingerprint of what makes documents of cases; the place in the outbox up to which every
//! change is in it, and that place's mark; the two indexes; a checksum of everything. It is written under another name, flushed, and
//! renamed, so under its own name it is whole, unless the disk itself fails: then the checksum tells.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::find;
use crate::search::index::Frozen;
use crate::search::index::file::{Reader, Writer};

pub const NAME: &str = "case-index";

const MAGIC: u64 = u64::from_le_bytes(*b"LMNCIDX\x01");
/// Raise it with any change of the file's form.
const FORMAT: u64 = 1;

/// Documents that were made by other sources are other documents: after an upgrade that touched them, the index is built anew.
const FINGERPRINT: u64 = {
    let seed = hash(find::FORMAT as u64, include_bytes!("../../search/tokens/mod.rs"));
    let seed = hash(seed, include_bytes!("../../search/tokens/fold.rs"));
    let seed = hash(seed, include_bytes!("../../search/tokens/run.rs"));
    hash(seed, include_bytes!("../find/fields.rs"))
};

const fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325 ^ seed, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// Which changes a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// All up to this place of the outbox.
    pub sequence: i64,
    pub mark: i64,
}

/// Writes a snapshot in the place of the one that is there. When this returns, it is on disk.
pub fn write(place: &Path, header: Header, indexes: [&Frozen; 2]) -> io::Result<u64> {
    let fresh = place.with_extension("new");
    let size = write_file(&fresh, header, indexes).inspect_err(|_| drop(fs::remove_file(&fresh)))?;
    tracing::debug!(step = "written");
    fs::rename(&fresh, place)?;
    tracing::debug!(step = "renamed");
    if let Some(dir) = place.parent() {
        File::open(dir)?.sync_all()?;
    }
    tracing::debug!(step = "flushed");
    Ok(size)
}

fn write_file(path: &Path, header: Header, indexes: [&Frozen; 2]) -> io::Result<u64> {
    let file = BufWriter::with_capacity(1 << 20, fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?);
    tracing::debug!(step = "begun");
    let mut writer = Writer::new(file);
    let numbers = [MAGIC, FORMAT, FINGERPRINT, header.sequence.cast_unsigned(), header.mark.cast_unsigned()];
    numbers.into_iter().try_for_each(|number| writer.number(number))?;
    for index in indexes {
        writer.index(index)?;
        tracing::debug!(step = "half");
    }
    let mut file = writer.finish()?;
    file.flush()?;
    file.get_ref().sync_all()?;
    Ok(file.get_ref().metadata()?.len())
}

/// Reads a snapshot; `None` when there is none.
pub fn read(place: &Path) -> io::Result<Option<(Header, [Frozen; 2])>> {
    let file = match File::open(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let length = file.metadata()?.len();
    let mut reader = Reader::new(BufReader::with_capacity(1 << 20, file), length);
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    if reader.number()? != MAGIC {
        return Err(wrong("it is no snapshot of a case index"));
    }
    if (reader.number()?, reader.number()?) != (FORMAT, FINGERPRINT) {
        return Err(wrong("another version of the server wrote it"));
    }
    let header = Header { sequence: reader.number()?.cast_signed(), mark: reader.number()?.cast_signed() };
    let indexes = [reader.index()?, reader.index()?];
    reader.finish()?;
    Ok(Some((header, indexes)))
}

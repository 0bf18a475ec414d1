//! The spool's small durable facts: its epoch and, for each stream, what is done with and which numbers are taken.
//!
//! The file has two slots in blocks of their own; a write goes in place to the older one, so a torn write leaves the
//! newer one as it was. In place, and not by rename, because it must also work when the disk is full: that is when drops
//! have to be counted. With no readable slot the caller starts a new epoch, which is always safe.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use lineman_common::id::SpoolEpoch;

const MAGIC: [u8; 8] = *b"lmspool1";
const EPOCH_BYTES: usize = 36;
/// Magic, generation, epoch, fresh flag, four numbers for each of three streams, checksum.
const SLOT_BYTES: usize = 8 + 8 + EPOCH_BYTES + 8 + 3 * 4 * 8 + 4;
/// Far enough apart that no two slots share a block of any usual disk.
const SLOT_STRIDE: u64 = 4096;

/// One stream's facts. All sequence numbers here are *raw*: counted over the life of the directory, over all epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamMarks {
    /// The epoch's sequence 1 is the raw sequence `base + 1`.
    pub base: u64,
    /// Everything up to here is acknowledged or was dropped. May lag behind the truth, is never ahead of it.
    /// Dropping moves it before the segment goes, so that a crash in between neither loses a count nor counts twice.
    pub done: u64,
    /// No number below this may be used by a later process: see the module docs of the spool.
    pub reserved: u64,
    /// Reports that were dropped or lost, and that the events stream does not tell about yet.
    pub dropped: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    pub epoch: SpoolEpoch,
    /// The epoch's beginning was not announced with the list of active alarms yet.
    pub fresh: bool,
    pub streams: [StreamMarks; 3],
}

#[derive(Debug)]
pub struct MarksFile {
    file: File,
    generation: u64,
}

impl MarksFile {
    /// Opens or makes the file. The marks are `None` when it is new, or no slot of it can be read.
    pub fn open(path: &Path) -> io::Result<(Self, Option<Marks>)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let newest = (0..2).filter_map(|slot| read_slot(&file, slot)).max_by_key(|(generation, _)| *generation);
        let (generation, marks) = newest.map_or((0, None), |(generation, marks)| (generation, Some(marks)));
        Ok((Self { file, generation }, marks))
    }

    /// Durable when it returns.
    pub fn write(&mut self, marks: &Marks) -> io::Result<()> {
        let generation = self.generation + 1;
        self.file.write_all_at(&encode(generation, marks), (generation % 2) * SLOT_STRIDE)?;
        self.file.sync_all()?;
        self.generation = generation;
        Ok(())
    }
}

fn encode(generation: u64, marks: &Marks) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(marks.epoch.to_string().as_bytes());
    bytes.extend_from_slice(&u64::from(marks.fresh).to_le_bytes());
    for stream in &marks.streams {
        for number in [stream.base, stream.done, stream.reserved, stream.dropped] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn read_slot(file: &File, slot: u64) -> Option<(u64, Marks)> {
    let mut bytes = [0; SLOT_BYTES];
    file.read_exact_at(&mut bytes, slot * SLOT_STRIDE).ok()?;
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let body = body.strip_prefix(&MAGIC)?;
    let (generation, body) = number(body)?;
    let (epoch, body) = body.split_at_checked(EPOCH_BYTES)?;
    let epoch = std::str::from_utf8(epoch).ok()?.parse().ok()?;
    let (fresh, mut body) = number(body)?;
    let mut streams = [StreamMarks::default(); 3];
    for stream in &mut streams {
        for field in [&mut stream.base, &mut stream.done, &mut stream.reserved, &mut stream.dropped] {
            (*field, body) = number(body)?;
        }
    }
    Some((generation, Marks { epoch, fresh: fresh != 0, streams }))
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*head), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(done: u64) -> Marks {
        let stream = StreamMarks { base: 1, done, reserved: 300, dropped: 4 };
        Marks { epoch: SpoolEpoch::new(), fresh: true, streams: [stream; 3] }
    }

    #[test]
    fn marks_read_back_and_a_torn_write_leaves_the_ones_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marks");
        let (mut file, none) = MarksFile::open(&path).unwrap();
        assert_eq!(none, None);
        let (first, second) = (marks(1), marks(2));
        file.write(&first).unwrap();
        file.write(&second).unwrap();
        let (file, read) = MarksFile::open(&path).unwrap();
        assert_eq!(read, Some(second));
        assert_eq!(file.generation, 2);

        file.file.write_all_at(&[0xff; 40], 100).unwrap();
        assert_eq!(MarksFile::open(&path).unwrap().1, Some(first));
    }

    #[test]
    fn garbage_is_no_marks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marks");
        std::fs::write(&path, [7; 9000]).unwrap();
        assert_eq!(MarksFile::open(&path).unwrap().1, None);
    }
}

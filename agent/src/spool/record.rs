//! One record of a segment: a fixed header, then the payload.
//!
//! ```text
//! 0      4          12            16           20
//! | len  | sequence | payload crc | header crc | payload ...
//! ```
//!
//! All numbers are little-endian. The header has a checksum of its own, so that a damaged payload costs one record: its
//! length can still be believed and the walk goes on behind it. Only a damaged header makes the rest of the segment
//! unreadable. Every record says its sequence itself, so sequences may have gaps (dropped reports, numbers skipped after
//! a crash) and a segment's name needs to be no more than a lower bound.

use lineman_common::link::MAX_FRAME_BYTES;

pub const HEADER_BYTES: usize = 20;

/// The largest payload: it must still fit into one frame of the link, with what the link writes around it.
pub const MAX_PAYLOAD_BYTES: usize = MAX_FRAME_BYTES - 256;

/// Set in the length of a record whose payload was found damaged, so that it is told about only once.
const VOID: u32 = 1 << 31;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub payload_bytes: u32,
    pub seq: u64,
    pub payload_crc: u32,
    pub void: bool,
}

impl Header {
    /// `None` when the bytes are not a header: torn, overwritten, or zeros.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let header_crc = u32::from_le_bytes(bytes[16..20].try_into().ok()?);
        if crc32fast::hash(&bytes[..16]) != header_crc {
            return None;
        }
        let len = u32::from_le_bytes(bytes[0..4].try_into().ok()?);
        let payload_bytes = len & !VOID;
        (payload_bytes as usize <= MAX_PAYLOAD_BYTES).then_some(Self {
            payload_bytes,
            seq: u64::from_le_bytes(bytes[4..12].try_into().ok()?),
            payload_crc: u32::from_le_bytes(bytes[12..16].try_into().ok()?),
            void: len & VOID != 0,
        })
    }

    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let len = self.payload_bytes | if self.void { VOID } else { 0 };
        bytes[0..4].copy_from_slice(&len.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.seq.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.payload_crc.to_le_bytes());
        let header_crc = crc32fast::hash(&bytes[..16]);
        bytes[16..20].copy_from_slice(&header_crc.to_le_bytes());
        bytes
    }
}

/// Appends one record to `out`. The caller has checked the length against [`MAX_PAYLOAD_BYTES`].
pub fn encode(out: &mut Vec<u8>, seq: u64, payload: &[u8]) {
    debug_assert!(payload.len() <= MAX_PAYLOAD_BYTES);
    let payload_bytes = u32::try_from(payload.len()).unwrap_or(!VOID);
    let header = Header { payload_bytes, seq, payload_crc: crc32fast::hash(payload), void: false };
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(payload);
}

/// What a record takes on disk.
pub const fn disk_bytes(payload_bytes: usize) -> u64 {
    (HEADER_BYTES + payload_bytes) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_any_flipped_bit_is_noticed() {
        let mut out = Vec::new();
        encode(&mut out, 7, b"fan-2 stopped");
        let bytes: [u8; HEADER_BYTES] = out[..HEADER_BYTES].try_into().unwrap();
        let header = Header::decode(&bytes).unwrap();
        assert_eq!((header.seq, header.payload_bytes, header.void), (7, 13, false));
        assert_eq!(header.encode(), bytes);
        for bit in 0..HEADER_BYTES * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&damaged), None, "bit {bit}");
        }
    }

    #[test]
    fn zeros_and_absurd_lengths_are_not_headers() {
        assert_eq!(Header::decode(&[0; HEADER_BYTES]), None);
        let absurd = Header { payload_bytes: u32::MAX >> 1, seq: 1, payload_crc: 0, void: false };
        assert_eq!(Header::decode(&absurd.encode()), None);
    }
}

//! Packets in and out, through two buffers that never grow: whatever a client asks for, and however long it doesn't take the answers,
//! this is what the child holds of it. A client that takes nothing lets the child wait in a write; then nothing more is read either.
//!
//! Data is copied once: from a packet to its file, and from a file to its reply. Answers to what came together leave together.

use std::io::{self, Read, Write};

use super::wire::{DATA_HEADER_BYTES, MAX_DATA_BYTES, MAX_PACKET_BYTES, Reply, data_header};

/// Two of the longest packets: there is room for the next one behind what is being answered.
const BUFFER_BYTES: usize = 2 * (4 + MAX_PACKET_BYTES);
/// Answers leave when they are this many, or when there is nothing left to answer.
const BATCH_BYTES: usize = BUFFER_BYTES - (4 + MAX_PACKET_BYTES);

pub struct Packets<R> {
    from: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<R: Read> Packets<R> {
    pub fn new(from: R) -> Self {
        Self { from, buffer: vec![0; BUFFER_BYTES].into(), start: 0, end: 0 }
    }

    /// Is the next packet here, so that taking it waits for nobody?
    pub fn is_ready(&self) -> bool {
        self.length().is_some_and(|length| self.held() >= 4 + length)
    }

    /// The next packet without its length, or `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        if !self.fill(4)? {
            return if self.held() == 0 { Ok(None) } else { Err(cut()) };
        }
        let length = self.length().unwrap_or_default();
        if length > MAX_PACKET_BYTES {
            return Err(io::Error::other(format!("a packet of {length} bytes: at most {MAX_PACKET_BYTES} are taken")));
        }
        if !self.fill(4 + length)? {
            return Err(cut());
        }
        let packet = self.start + 4..self.start + 4 + length;
        self.start = packet.end;
        Ok(Some(&self.buffer[packet]))
    }

    fn held(&self) -> usize {
        self.end - self.start
    }

    fn length(&self) -> Option<usize> {
        self.buffer[self.start..self.end].first_chunk().map(|length| u32::from_be_bytes(*length) as usize)
    }

    /// Reads until so much is held; `false` when it ends before.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.start + wanted > self.buffer.len() || self.held() == 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.held() < wanted {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(n) => self.end += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the input ends inside a packet")
}

pub struct Replies<W> {
    to: W,
    buffer: Box<[u8]>,
    filled: usize,
}

impl<W: Write> Replies<W> {
    pub fn new(to: W) -> Self {
        Self { to, buffer: vec![0; BUFFER_BYTES].into(), filled: 0 }
    }

    pub fn push(&mut self, reply: Reply) -> io::Result<()> {
        let bytes = reply.finish();
        if bytes.len() > 4 + MAX_PACKET_BYTES {
            return Err(io::Error::other("an answer is longer than a packet may be"));
        }
        self.make_room()?;
        self.buffer[self.filled..self.filled + bytes.len()].copy_from_slice(&bytes);
        self.filled += bytes.len();
        Ok(())
    }

    /// Room for what `read` makes of up to so many bytes; [`Self::push_data`] then sends it. Nothing may come between the two.
    pub fn data_room(&mut self, bytes: usize) -> io::Result<&mut [u8]> {
        self.make_room()?;
        let from = self.filled + DATA_HEADER_BYTES;
        Ok(&mut self.buffer[from..from + bytes.min(MAX_DATA_BYTES)])
    }

    pub fn push_data(&mut self, id: u32, bytes: usize) {
        self.buffer[self.filled..self.filled + DATA_HEADER_BYTES].copy_from_slice(&data_header(id, bytes));
        self.filled += DATA_HEADER_BYTES + bytes;
    }

    /// For one more packet, however long.
    fn make_room(&mut self) -> io::Result<()> {
        if self.filled > BATCH_BYTES { self.send() } else { Ok(()) }
    }

    pub fn send(&mut self) -> io::Result<()> {
        let filled = std::mem::take(&mut self.filled);
        if filled > 0 { self.to.write_all(&self.buffer[..filled]) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out a little at a time, as a pipe may.
    struct Dribble<'a> {
        bytes: &'a [u8],
        sizes: std::iter::Cycle<std::slice::Iter<'a, usize>>,
    }

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = buffer.len().min(*self.sizes.next().unwrap());
            self.bytes.read(&mut buffer[..n])
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn packets_come_whole_however_they_arrive(
            lengths in proptest::collection::vec(prop_oneof![0usize..300, 100_000usize..MAX_PACKET_BYTES], 1..12),
            sizes in proptest::collection::vec(1usize..70_000, 1..5),
        ) {
            let packets: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(n, length)| vec![u8::try_from(n).unwrap(); *length]).collect();
            let bytes: Vec<u8> =
                packets.iter().flat_map(|packet| [&u32::try_from(packet.len()).unwrap().to_be_bytes()[..], packet].concat()).collect();
            let mut input = Packets::new(Dribble { bytes: &bytes, sizes: sizes.iter().cycle() });
            for packet in &packets {
                prop_assert!(input.next().unwrap() == Some(&packet[..]));
            }
            prop_assert!(!input.is_ready() && input.next().unwrap().is_none());
        }
    }

    #[test]
    fn answers_to_what_came_together_leave_together() {
        struct Counting<'a>(&'a mut Vec<usize>);
        impl Write for Counting<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.len());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writes = Vec::new();
        let mut replies = Replies::new(Counting(&mut writes));
        for id in 0..3 {
            replies.push(Reply::handle(id, &[0; 4])).unwrap();
        }
        replies.send().unwrap();
        for id in 0..4 {
            assert_eq!(replies.data_room(usize::MAX).unwrap().len(), MAX_DATA_BYTES);
            replies.push_data(id, MAX_DATA_BYTES);
        }
        replies.send().unwrap();
        replies.send().unwrap();
        let long = DATA_HEADER_BYTES + MAX_DATA_BYTES;
        assert_eq!(writes, [3 * 17, 2 * long, 2 * long]);
    }
}

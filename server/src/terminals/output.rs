//! What a terminal printed: the last of it byte by byte, and what was shown where that begins.
//!
//! A client that comes back says how much it has. What it lacks it gets as it was. Of what is not kept any more only the picture is
//! left: a screen is fed with every byte that is let go, so it shows what was shown at the first byte that is still here, and the client
//! goes on from there with more scrollback than a picture of now would give it.

use std::collections::VecDeque;

use lineman_common::api::{TerminalGap, TerminalSize};
use lineman_common::recording::screen::Screen;
use lineman_common::recording::{Event, Flow, What};

/// Kept of the output.
pub const KEPT_BYTES: usize = 256 * 1024;
/// What is kept begins with a line of its own if one begins within so much: a sequence or character that is cut in half shows as rubbish.
const LINE_BYTES: usize = 1024;
/// Changes of size that lie among the bytes that are kept.
const MOST_RESIZES: usize = 256;

pub struct Output {
    kept: VecDeque<u8>,
    /// The offset of the first byte that is kept.
    begin: u64,
    /// What was shown there. Nothing was let go so far when there is none.
    screen: Option<Screen>,
    size: TerminalSize,
    /// Later sizes, and the offsets from which on they count.
    resizes: VecDeque<(u64, TerminalSize)>,
}

impl Output {
    pub fn new(size: TerminalSize) -> Self {
        Self { kept: VecDeque::new(), begin: 0, screen: None, size, resizes: VecDeque::new() }
    }

    /// The offset of the next byte.
    pub fn end(&self) -> u64 {
        self.begin + self.kept.len() as u64
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.kept.extend(bytes);
        let excess = self.kept.len().saturating_sub(KEPT_BYTES);
        if excess > 0 {
            let line = self.kept.iter().skip(excess).take(LINE_BYTES).position(|byte| *byte == b'\n');
            self.let_go(excess + line.map_or(0, |line| line + 1));
        }
    }

    pub fn resize(&mut self, size: TerminalSize) {
        let now = self.end();
        match self.resizes.back_mut() {
            Some((at, last)) if *at == now => *last = size,
            Some(_) | None => self.resizes.push_back((now, size)),
        }
        if self.resizes.len() > MOST_RESIZES
            && let Some((_, oldest)) = self.resizes.pop_front()
        {
            self.show_in(oldest);
        }
    }

    /// Bytes from this offset on, if they are kept.
    pub fn read(&self, from: u64, most: usize) -> Option<Vec<u8>> {
        let skip = usize::try_from(from.checked_sub(self.begin)?).ok()?;
        Some(self.kept.iter().skip(skip).take(most).copied().collect())
    }

    /// What takes the place of the bytes from this offset on that are not kept; `None` when all are.
    pub fn gap(&self, from: u64) -> Option<TerminalGap> {
        let missing_bytes = self.begin.checked_sub(from).filter(|missing| *missing > 0)?;
        let screen = self.screen.as_ref().map(Screen::repaint).unwrap_or_default();
        Some(TerminalGap { missing_bytes, offset: self.begin, cols: self.size.cols, rows: self.size.rows, screen })
    }

    /// Forgets the first bytes, but for what they showed.
    fn let_go(&mut self, bytes: usize) {
        let until = self.begin + bytes as u64;
        while let Some((at, size)) = self.resizes.front().copied().filter(|(at, _)| *at <= until) {
            self.show_until(at);
            self.show_in(size);
            self.resizes.pop_front();
        }
        self.show_until(until);
    }

    fn show_until(&mut self, until: u64) {
        let count = usize::try_from(until.saturating_sub(self.begin)).unwrap_or(usize::MAX).min(self.kept.len());
        let bytes: Vec<u8> = self.kept.drain(..count).collect();
        self.begin += count as u64;
        self.show(What::Bytes(Flow::Output, bytes));
    }

    fn show_in(&mut self, size: TerminalSize) {
        self.size = size;
        self.show(What::Resize { cols: size.cols.into(), rows: size.rows.into() });
    }

    fn show(&mut self, what: What) {
        let size = self.size;
        let screen = self.screen.get_or_insert_with(|| Screen::new(size.cols.into(), size.rows.into()));
        screen.feed(&Event { seconds: 0.0, channel: 0, what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: TerminalSize = TerminalSize { cols: 40, rows: 5 };

    fn lines(count: usize) -> Vec<u8> {
        (0..count).flat_map(|n| format!("line {n}\r\n").into_bytes()).collect()
    }

    /// What a terminal of that size shows after these bytes.
    fn shown(bytes: &[u8], size: TerminalSize) -> String {
        let mut screen = Screen::new(size.cols.into(), size.rows.into());
        screen.feed(&Event { seconds: 0.0, channel: 0, what: What::Bytes(Flow::Output, bytes.to_vec()) });
        screen.text()
    }

    #[test]
    fn what_is_kept_comes_back_byte_by_byte() {
        let mut output = Output::new(SIZE);
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        bytes.chunks(777).for_each(|chunk| output.push(chunk));
        assert_eq!(output.end(), 100_000);
        assert_eq!(output.gap(0), None);
        assert_eq!(output.read(0, usize::MAX).unwrap(), bytes);
        assert_eq!(output.read(99_990, 5).unwrap(), bytes[99_990..99_995]);
        assert_eq!(output.read(100_000, 5).unwrap(), b"");
    }

    #[test]
    fn instead_of_what_is_gone_comes_the_picture_it_left() {
        let mut output = Output::new(SIZE);
        let bytes = lines(60_000);
        bytes.chunks(5000).for_each(|chunk| output.push(chunk));
        let gap = output.gap(10).unwrap();
        assert_eq!(gap.missing_bytes, gap.offset - 10);
        let rest = output.read(gap.offset, usize::MAX).unwrap();
        assert!(rest.len() <= KEPT_BYTES && rest.len() > KEPT_BYTES - LINE_BYTES, "{}", rest.len());
        assert!(rest.starts_with(b"line "), "it begins with a whole line");
        let begin = usize::try_from(gap.offset).unwrap();
        assert_eq!(shown(gap.screen.as_bytes(), SIZE), shown(&bytes[..begin], SIZE), "the picture is of that place");
        let all = [gap.screen.as_bytes(), &rest].concat();
        assert_eq!(shown(&all, SIZE), shown(&bytes, SIZE), "and with the rest it is the picture of now");
        assert_eq!(output.read(gap.offset - 1, 1), None);
    }

    #[test]
    fn the_picture_has_the_size_of_its_place_and_the_modes() {
        let mut output = Output::new(SIZE);
        output.push(b"\x1b[?1049h\x1b[?2004h\x1b[?1hbefore");
        let wide = TerminalSize { cols: 100, rows: 30 };
        output.resize(TerminalSize { cols: 7, rows: 7 });
        output.resize(wide);
        output.push(&lines(20_000));
        output.push(&lines(20_000));
        // Later than what is gone.
        output.resize(SIZE);
        let gap = output.gap(0).unwrap();
        assert_eq!((gap.cols, gap.rows), (100, 30));
        for mode in ["\x1b[?1049h", "\x1b[?2004h", "\x1b[?1h"] {
            assert!(gap.screen.contains(mode), "{:?}", gap.screen);
        }
    }

    #[test]
    fn neither_huge_pieces_nor_storms_of_sizes_are_kept() {
        let mut output = Output::new(SIZE);
        for n in 0..10_000 {
            output.push(b"x");
            output.resize(TerminalSize { cols: 10 + n % 90, rows: 20 });
        }
        assert!(output.resizes.len() <= MOST_RESIZES);
        output.push(&vec![b'y'; 3 * KEPT_BYTES]);
        assert!(output.kept.len() <= KEPT_BYTES && output.resizes.is_empty());
        assert_eq!(output.end(), 10_000 + 3 * KEPT_BYTES as u64);
    }
}

//! What all sources share: reading a small file, naming, and differences of counters.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use lineman_common::printable::is_invisible;
use rustix::fs::OFlags;

/// No file that a source reads is longer on a sane host.
const LONGEST_FILE_BYTES: u64 = 512 * 1024;

/// What the buffer may keep between rounds.
const KEPT_BYTES: usize = 32 * 1024;

const LONGEST_SEGMENT_BYTES: usize = 64;

/// One buffer for all files of all rounds.
#[derive(Default)]
pub struct Reader {
    text: String,
}

impl Reader {
    /// The file's text; `None` when there is no such file or it can't be read. Never waits for a writer, should the file
    /// be a pipe.
    pub fn read(&mut self, path: &Path) -> Option<&str> {
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.clear();
        bytes.shrink_to(KEPT_BYTES);
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
        file.take(LONGEST_FILE_BYTES).read_to_end(&mut bytes).ok()?;
        self.text = String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Some(&self.text)
    }

    /// The first word of the file as a number.
    pub fn number(&mut self, path: &Path) -> Option<f64> {
        self.read(path)?.split_ascii_whitespace().next()?.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// Text from outside as one segment of a metric's name: dots would divide it, spaces and what can't be seen confuse.
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST_SEGMENT_BYTES));
    for c in text.trim().chars() {
        let c = if c == '.' || c.is_whitespace() || c.is_control() || is_invisible(c) { '_' } else { c };
        if out.len() + c.len_utf8() > LONGEST_SEGMENT_BYTES {
            break;
        }
        out.push(c);
    }
    out
}

/// The counters of each thing (a disk, an interface) in the round before.
pub struct Counters<const N: usize> {
    things: Vec<Counted<N>>,
    round: u64,
}

struct Counted<const N: usize> {
    name: String,
    counters: [u64; N],
    round: u64,
}

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self { things: Vec::new(), round: 0 }
    }
}

impl<const N: usize> Counters<N> {
    /// How much each counter grew. `None` for a thing not seen before, and for a counter that went back: it was reset, and
    /// how far it had come is unknown.
    pub fn grown(&mut self, name: &str, now: [u64; N]) -> [Option<u64>; N] {
        let round = self.round;
        if let Some(thing) = self.things.iter_mut().find(|thing| thing.name == name) {
            let before = std::mem::replace(&mut thing.counters, now);
            thing.round = round;
            return std::array::from_fn(|at| now[at].checked_sub(before[at]));
        }
        self.things.push(Counted { name: name.to_owned(), counters: now, round });
        [None; N]
    }

    /// Forgets the things that this round did not see.
    pub fn end_round(&mut self) {
        let round = self.round;
        self.things.retain(|thing| thing.round == round);
        self.round += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_one_segment() {
        assert_eq!(segment("eth0.100"), "eth0_100");
        assert_eq!(segment("/var/lib"), "/var/lib");
        assert_eq!(segment(" Package id 0\n"), "Package_id_0");
        assert_eq!(segment("板卡3\u{202e}x\x1b"), "板卡3_x_");
        assert_eq!(segment(&"界".repeat(40)).len(), 63);
    }

    #[test]
    fn a_pipe_or_a_missing_file_does_not_stop_a_round() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(Reader::default().number(&path), None);
        assert_eq!(Reader::default().number(dir.path()), None);
        assert_eq!(Reader::default().number(&dir.path().join("none")), None);
    }

    #[test]
    fn a_reset_counter_has_no_rate() {
        let mut counters = Counters::default();
        assert_eq!(counters.grown("a", [5, 5]), [None, None]);
        counters.end_round();
        assert_eq!(counters.grown("a", [7, 1]), [Some(2), None]);
        counters.end_round();
        counters.end_round();
        assert_eq!(counters.grown("a", [9, 9]), [None, None], "gone for a round, and forgotten");
    }
}

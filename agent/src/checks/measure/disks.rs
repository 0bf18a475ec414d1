//! `/proc/diskstats`: traffic and occupancy of whole disks.

use super::source::Counters;
use super::{Round, segment};

const SECTOR_BYTES: u64 = 512;

/// Devices that are memory, files or removable, or that show another device's traffic again.
const NOT_DISKS: [&str; 6] = ["loop", "ram", "zram", "sr", "fd", "dm-"];

#[derive(Default)]
pub struct Disks {
    /// Bytes read, bytes written, milliseconds busy.
    counters: Counters<3>,
}

impl Disks {
    pub fn measure(&mut self, round: &mut Round<'_>) {
        let path = round.roots.proc.join("diskstats");
        let block = round.roots.sys.join("block");
        let Some(text) = round.reader.read(&path) else { return };
        let mut grown = Vec::new();
        for (name, counters) in text.lines().filter_map(parse) {
            // The kernel writes `cciss/c0d0` with an exclamation mark there; partitions are not in it.
            if counters != [0; 3] && block.join(name.replace('/', "!")).exists() {
                grown.push((segment(name), self.counters.grown(name, counters)));
            }
        }
        self.counters.end_round();
        for (name, [read, written, busy_ms]) in grown {
            round.put_rate(format!("disk.{name}.read_bytes_per_s"), read);
            round.put_rate(format!("disk.{name}.write_bytes_per_s"), written);
            if let (Some(busy_ms), Some(elapsed_s)) = (busy_ms, round.elapsed_s) {
                round.put(format!("disk.{name}.busy_percent"), (busy_ms as f64 / (elapsed_s * 10.0)).min(100.0));
            }
        }
    }
}

/// `8 0 sda reads merged sectors ms writes merged sectors ms inflight busy-ms ...`
fn parse(line: &str) -> Option<(&str, [u64; 3])> {
    let mut words = line.split_ascii_whitespace().skip(2);
    let name = words.next().filter(|name| !NOT_DISKS.iter().any(|prefix| name.starts_with(prefix)))?;
    let mut fields = [0u64; 10];
    for field in &mut fields {
        *field = words.next()?.parse().ok()?;
    }
    Some((name, [fields[2].checked_mul(SECTOR_BYTES)?, fields[6].checked_mul(SECTOR_BYTES)?, fields[9]]))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Tree;
    use super::*;

    #[test]
    fn whole_disks_only() {
        let mut tree = Tree::new();
        let mut disks = Disks::default();
        tree.write("sys/block/sda/size", "").write("sys/block/loop0/size", "").write("sys/block/cciss!c0d0/size", "");
        let stats = |sectors: u64, busy: u64| {
            format!(
                "   8       0 sda 10 0 {sectors} 5 10 0 {} 5 0 {busy} 7 0 0 0 0\n   8       1 sda1 1 0 {sectors} 1 1 0 1 1 0 1 1\n\
                 7 0 loop0 1 0 {sectors} 1 1 0 1 1 0 1 1\n 104 0 cciss/c0d0 1 0 {sectors} 1 1 0 1 1 0 1 1\n 8 16 sdb short\n",
                sectors * 2
            )
        };
        tree.write("proc/diskstats", stats(100, 1000));
        assert!(tree.round(true, |round| disks.measure(round)).is_empty());
        tree.write("proc/diskstats", stats(120, 3500));
        let metrics = tree.round(false, |round| disks.measure(round));
        assert_eq!((metrics["disk.sda.read_bytes_per_s"], metrics["disk.sda.write_bytes_per_s"]), (1024.0, 2048.0));
        assert_eq!((metrics["disk.sda.busy_percent"], metrics["disk.cciss/c0d0.read_bytes_per_s"]), (25.0, 1024.0));
        assert_eq!(metrics.len(), 6, "{metrics:?}");
    }
}

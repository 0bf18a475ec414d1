//! Measurements from `/proc`, `/sys` and the sensor files of the configuration.
//!
//! Each source is a small struct that remembers what it needs from the round before and puts its metrics into the
//! [`Round`]. A source that can't be read, or reads something that it does not understand, leaves its metrics out:
//! a missing metric is true, a made-up zero is not. Nothing here can fail the round.
//!
//! The files are parsed directly, into one buffer that is reused: no crate, few allocations. Measuring is synchronous and
//! takes about a millisecond on a small host; sensors behind a slow bus may take some more. File systems that could hang
//! (network, FUSE) are not asked.

mod cpu;
mod disks;
mod filesystems;
mod host;
mod interfaces;
mod memory;
mod sensors;
mod source;
mod temperatures;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use lineman_common::health::HealthReport;

use super::config::Sensor;
use source::Reader;
pub use source::segment;

/// Where the kernel's files are; tests point it at a fixture tree.
#[derive(Clone, Debug)]
pub struct Roots {
    pub proc: PathBuf,
    pub sys: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into() }
    }
}

/// One round in the making.
struct Round<'a> {
    roots: &'a Roots,
    reader: &'a mut Reader,
    metrics: BTreeMap<String, f64>,
    now: Instant,
    /// Since the round before; `None` in the first, which has no rates.
    elapsed_s: Option<f64>,
}

impl Round<'_> {
    /// Three decimals are more than any of these sources knows. What is not a number can't be sent as one.
    fn put(&mut self, name: impl Into<String>, value: f64) {
        if value.is_finite() {
            self.metrics.insert(name.into(), (value * 1000.0).round() / 1000.0);
        }
    }

    /// `part` of `whole` in percent, if there is a whole.
    fn put_percent(&mut self, name: impl Into<String>, part: u64, whole: u64) {
        if whole > 0 {
            self.put(name, part as f64 * 100.0 / whole as f64);
        }
    }

    fn put_rate(&mut self, name: impl Into<String>, delta: Option<u64>) {
        if let (Some(delta), Some(elapsed_s)) = (delta, self.elapsed_s) {
            self.put(name, delta as f64 / elapsed_s);
        }
    }
}

/// All sources, with what they remember between rounds.
pub struct Measure {
    roots: Roots,
    reader: Reader,
    before: Option<Instant>,
    cpu: cpu::Cpu,
    disks: disks::Disks,
    interfaces: interfaces::Interfaces,
    temperatures: temperatures::Temperatures,
    sensors: sensors::Sensors,
}

impl Measure {
    pub fn new(roots: Roots, sensors: Vec<Sensor>) -> Self {
        Self {
            roots,
            reader: Reader::default(),
            before: None,
            cpu: cpu::Cpu::default(),
            disks: disks::Disks::default(),
            interfaces: interfaces::Interfaces::default(),
            temperatures: temperatures::Temperatures::default(),
            sensors: sensors::Sensors::new(sensors),
        }
    }

    /// Measures everything. Rates are over the time since the call before; the first has none.
    pub fn round(&mut self, now: Instant, at: Timestamp) -> HealthReport {
        let elapsed_s = self.before.replace(now).map(|before| now.saturating_duration_since(before).as_secs_f64());
        let mut round = Round {
            roots: &self.roots,
            reader: &mut self.reader,
            metrics: BTreeMap::new(),
            now,
            elapsed_s: elapsed_s.filter(|elapsed_s| *elapsed_s > 0.0),
        };
        self.cpu.measure(&mut round);
        host::measure(&mut round);
        memory::measure(&mut round);
        filesystems::measure(&mut round);
        self.disks.measure(&mut round);
        self.interfaces.measure(&mut round);
        self.temperatures.measure(&mut round);
        self.sensors.measure(&mut round);
        HealthReport { at, metrics: round.metrics }
    }
}

/// A fixture tree, and rounds over it.
#[cfg(test)]
mod fixture {
    use std::time::Duration;

    use super::*;

    pub struct Tree {
        pub dir: tempfile::TempDir,
        now: Instant,
    }

    impl Tree {
        pub fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap(), now: Instant::now() }
        }

        pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
            let path = self.dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
            self
        }

        pub fn roots(&self) -> Roots {
            Roots { proc: self.dir.path().join("proc"), sys: self.dir.path().join("sys") }
        }

        /// One round of one source, ten seconds after the round before.
        pub fn round(&mut self, first: bool, measure: impl FnOnce(&mut Round<'_>)) -> BTreeMap<String, f64> {
            self.now += Duration::from_secs(10);
            let roots = self.roots();
            let mut reader = Reader::default();
            let elapsed_s = (!first).then_some(10.0);
            let mut round = Round { roots: &roots, reader: &mut reader, metrics: BTreeMap::new(), now: self.now, elapsed_s };
            measure(&mut round);
            round.metrics
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::Tree;
    use super::*;

    #[test]
    fn an_empty_tree_gives_an_empty_report() {
        let tree = Tree::new();
        let mut measure = Measure::new(tree.roots(), Vec::new());
        assert_eq!(measure.round(Instant::now(), Timestamp::UNIX_EPOCH).metrics, BTreeMap::new());
    }

    #[test]
    fn garbage_in_every_file_is_survived() {
        let files = [
            "proc/stat",
            "proc/loadavg",
            "proc/uptime",
            "proc/meminfo",
            "proc/pressure/cpu",
            "proc/self/mountinfo",
            "proc/diskstats",
            "proc/net/dev",
            "sys/block/sda/x",
            "sys/class/net/eth0/flags",
            "sys/class/net/eth0/operstate",
            "sys/class/hwmon/hwmon0/name",
            "sys/class/hwmon/hwmon0/temp1_input",
            "sys/class/hwmon/hwmon0/fan1_input",
            "sys/class/thermal/thermal_zone0/temp",
        ];
        let garbage: [&[u8]; 5] = [
            b"",
            b"\xff\xfe\0\n\n:::\n",
            b"cpu 1\ncpu\nMemTotal:\neth0:\n8 0 sda\n1 2 3\n",
            b"cpu -1 x 99999999999999999999 1 1 1 1 1\n  eth0: 1 2 3 x\n",
            b"nan inf 1e400 - - - - - - - - - - - - - - -\nMemTotal: 0 kB\nMemAvailable: 99 kB\n",
        ];
        for text in garbage {
            let tree = Tree::new();
            for file in files {
                tree.write(file, text);
            }
            let mut measure = Measure::new(tree.roots(), Vec::new());
            for _ in 0..2 {
                let report = measure.round(Instant::now(), Timestamp::UNIX_EPOCH);
                assert!(report.metrics.values().all(|value| value.is_finite()), "{report:?}");
            }
        }
    }

    #[test]
    fn this_host_can_be_measured() {
        let mut measure = Measure::new(Roots::default(), Vec::new());
        let now = Instant::now();
        measure.round(now, Timestamp::now());
        let report = measure.round(now + std::time::Duration::from_secs(10), Timestamp::now());
        for name in ["cpu.count", "load.avg_1m", "memory.used_percent", "system.uptime_s", "processes.count"] {
            assert!(report.metrics.contains_key(name), "{name} is not in {report:?}");
        }
    }
}

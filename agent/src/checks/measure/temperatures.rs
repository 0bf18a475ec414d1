//! `/sys/class/hwmon` and `/sys/class/thermal`: temperatures and fans.
//!
//! Which sensors there are is looked up every few minutes; in between only their values are read. A chip is named by its
//! driver; where two have the same name, the later ones carry their number. Thermal zones that are also a chip are
//! left to the chip.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::source::Reader;
use super::{Round, segment};

/// Cards and disks come and go, but not by the second.
const LOOKED_UP_EVERY_S: u64 = 300;

/// A sensor that is not connected reads as the end of its range.
const PLAUSIBLE_CELSIUS: std::ops::Range<f64> = -60.0..200.0;

const MOST: usize = 64;

#[derive(Default)]
pub struct Temperatures {
    found: Vec<Sensor>,
    looked_up: Option<Instant>,
}

struct Sensor {
    /// Like `temp.coretemp-Core_0`.
    name: String,
    input: PathBuf,
    what: What,
}

enum What {
    /// With the temperature at which the maker sees danger, if the chip says so.
    Temperature {
        critical: Option<f64>,
    },
    Fan,
}

impl Temperatures {
    pub fn measure(&mut self, round: &mut Round<'_>) {
        if self.looked_up.is_none_or(|then| round.now.saturating_duration_since(then).as_secs() >= LOOKED_UP_EVERY_S) {
            self.found = look_up(&round.roots.sys, round.reader);
            self.looked_up = Some(round.now);
        }
        for sensor in &self.found {
            let Some(value) = round.reader.number(&sensor.input) else { continue };
            match sensor.what {
                What::Fan => round.put(format!("{}.speed_rpm", sensor.name), value),
                What::Temperature { critical } => {
                    let celsius = value / 1000.0;
                    if PLAUSIBLE_CELSIUS.contains(&celsius) {
                        round.put(format!("{}.celsius", sensor.name), celsius);
                        if let Some(critical) = critical {
                            round.put(format!("{}.critical_margin_celsius", sensor.name), critical - celsius);
                        }
                    }
                }
            }
        }
    }
}

fn look_up(sys: &Path, reader: &mut Reader) -> Vec<Sensor> {
    let mut sensors = Vec::new();
    let mut chips = BTreeSet::new();
    for (number, dir) in numbered(&sys.join("class/hwmon"), "hwmon") {
        let driver = text_of(reader, &dir.join("name")).unwrap_or_else(|| format!("hwmon{number}"));
        let chip = if chips.contains(&driver) { format!("{driver}-{number}") } else { driver.clone() };
        chips.insert(driver);
        chip_sensors(&dir, &chip, reader, &mut sensors);
    }
    let mut zones = BTreeSet::new();
    for (number, dir) in numbered(&sys.join("class/thermal"), "thermal_zone") {
        let kind = text_of(reader, &dir.join("type")).unwrap_or_else(|| "zone".to_owned());
        if !chips.contains(&kind) && !chips.contains(&kind.replace('-', "_")) {
            let name = if zones.insert(kind.clone()) { kind } else { format!("{kind}-{number}") };
            sensors.push(Sensor { name: format!("temp.{name}"), input: dir.join("temp"), what: What::Temperature { critical: None } });
        }
    }
    sensors.truncate(MOST);
    sensors
}

fn chip_sensors(dir: &Path, chip: &str, reader: &mut Reader, sensors: &mut Vec<Sensor>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    let mut channels: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix("_input").map(str::to_owned))
        .filter(|channel| channel.starts_with("temp") || channel.starts_with("fan"))
        .collect();
    channels.sort_unstable();
    for channel in channels {
        let label = text_of(reader, &dir.join(format!("{channel}_label"))).unwrap_or_else(|| channel.clone());
        let input = dir.join(format!("{channel}_input"));
        if channel.starts_with("fan") {
            sensors.push(Sensor { name: format!("fan.{chip}-{label}"), input, what: What::Fan });
        } else {
            let critical = reader.number(&dir.join(format!("{channel}_crit"))).map(|value| value / 1000.0);
            let critical = critical.filter(|celsius| *celsius > 0.0 && PLAUSIBLE_CELSIUS.contains(celsius));
            sensors.push(Sensor { name: format!("temp.{chip}-{label}"), input, what: What::Temperature { critical } });
        }
    }
}

/// The directories `PREFIXn` in `dir`, in the order of their numbers.
fn numbered(dir: &Path, prefix: &str) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?, entry.path())))
        .collect();
    found.sort_unstable();
    found
}

fn text_of(reader: &mut Reader, path: &Path) -> Option<String> {
    Some(segment(reader.read(path)?)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Tree;
    use super::*;

    #[test]
    fn chips_fans_and_zones() {
        let mut tree = Tree::new();
        let mut temperatures = Temperatures::default();
        for (chip, name) in [("hwmon0", "coretemp"), ("hwmon2", "nvme"), ("hwmon10", "nvme")] {
            tree.write(&format!("sys/class/hwmon/{chip}/name"), format!("{name}\n"));
            tree.write(&format!("sys/class/hwmon/{chip}/temp1_input"), "45500\n");
        }
        tree.write("sys/class/hwmon/hwmon0/temp1_label", "Package id 0\n")
            .write("sys/class/hwmon/hwmon0/temp1_crit", "100000\n")
            .write("sys/class/hwmon/hwmon0/temp2_input", "-128000\n")
            .write("sys/class/hwmon/hwmon0/fan1_input", "3200\n")
            .write("sys/class/thermal/thermal_zone0/type", "acpitz\n")
            .write("sys/class/thermal/thermal_zone0/temp", "27800\n")
            .write("sys/class/thermal/thermal_zone1/type", "coretemp\n")
            .write("sys/class/thermal/thermal_zone1/temp", "45000\n");
        let metrics = tree.round(true, |round| temperatures.measure(round));
        let expected = [
            ("fan.coretemp-fan1.speed_rpm", 3200.0),
            ("temp.acpitz.celsius", 27.8),
            ("temp.coretemp-Package_id_0.celsius", 45.5),
            ("temp.coretemp-Package_id_0.critical_margin_celsius", 54.5),
            ("temp.nvme-10-temp1.celsius", 45.5),
            ("temp.nvme-temp1.celsius", 45.5),
        ];
        assert_eq!(metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect::<Vec<_>>(), expected);
        std::fs::remove_file(tree.dir.path().join("sys/class/hwmon/hwmon0/fan1_input")).unwrap();
        assert_eq!(tree.round(false, |round| temperatures.measure(round)).len(), 5);
    }
}

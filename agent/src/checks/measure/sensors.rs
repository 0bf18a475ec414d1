//! The `[[sensor]]` entries: a number in a file.

use tracing::{info, warn};

use super::Round;
use crate::checks::config::Sensor;

pub struct Sensors {
    sensors: Vec<Sensor>,
    /// Could it be read in the round before? Said once when that changes, not every round.
    readable: Vec<bool>,
}

impl Sensors {
    pub fn new(sensors: Vec<Sensor>) -> Self {
        let readable = vec![true; sensors.len()];
        Self { sensors, readable }
    }

    pub fn measure(&mut self, round: &mut Round<'_>) {
        for (sensor, readable) in self.sensors.iter().zip(&mut self.readable) {
            let value = round.reader.number(&sensor.file);
            if value.is_some() != *readable {
                *readable = value.is_some();
                let path = sensor.file.display();
                if *readable {
                    info!(sensor.metric = sensor.metric, sensor.path = %path, "the sensor can be read again");
                } else {
                    warn!(sensor.metric = sensor.metric, sensor.path = %path, "the sensor's file has no number, or can't be read");
                }
            }
            if let Some(value) = value {
                round.put(sensor.metric.as_str(), value * sensor.scale);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Tree;
    use super::*;

    #[test]
    fn a_number_in_a_file_scaled() {
        let mut tree = Tree::new();
        tree.write("fan", "4200 rpm\n").write("bad", "stopped\n");
        let sensor = |file: &str, scale| Sensor { metric: format!("sensor.{file}"), file: tree.dir.path().join(file), scale };
        let mut sensors = Sensors::new(vec![sensor("fan", 0.5), sensor("bad", 1.0), sensor("gone", 1.0)]);
        let metrics = tree.round(true, |round| sensors.measure(round));
        assert_eq!(metrics.into_iter().collect::<Vec<_>>(), [("sensor.fan".to_owned(), 2100.0)]);
    }
}

//! Health as evidence: what was different around the time that a fault was reported.
//!
//! The mean of the quarter of an hour before is compared with the extremes of the quarter after: a fan that stopped for a
//! minute shows, where a mean would hide it. What the fault's alarms are about comes first, then the equipment's own
//! sensors, then the machine that the agent runs on.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use lineman_common::api::FaultPage;
use lineman_common::health::HealthReport;
use lineman_common::name::NeName;

use crate::client::{Client, ClientError};
use crate::output::{Cell, Table, Tone, text};

const MINUTES: i64 = 15;
/// How many metrics are shown.
const SHOWN: usize = 10;
/// Changes smaller than this share of the larger value are noise.
const NOISE: f64 = 0.05;

/// One metric before and after a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    metric: String,
    before: f64,
    lowest: f64,
    highest: f64,
    latest: Option<f64>,
    /// Is it what an alarm of the fault is about?
    alarmed: bool,
}

pub async fn read(client: &Client, ne: &NeName, page: &FaultPage) -> Result<Vec<Change>, ClientError> {
    let at = page.fault.reported_at;
    let (from, to) = (at - MINUTES.minutes(), at + MINUTES.minutes());
    let history = client.health(&ne.to_string(), Some(from), Some(to), Some(1000)).await?;
    let latest = client.health(&ne.to_string(), None, None, Some(1)).await?;
    let about: Vec<_> = page.alarms.iter().filter(|alarm| alarm.equipment == *ne).map(|alarm| alarm.qualifier.raw()).collect();
    Ok(changes(&history.reports, latest.reports.last(), at, &about))
}

fn changes(reports: &[HealthReport], latest: Option<&HealthReport>, at: Timestamp, about: &[&str]) -> Vec<Change> {
    // By the equipment's clock, a report of the very moment already belongs to the fault.
    let (before, after): (Vec<_>, Vec<_>) = reports.iter().partition(|report| report.at < at);
    let (before, after) = (gather(&before), gather(&after));
    let change = |(metric, values): (&str, Vec<f64>)| {
        let past = before.get(metric)?;
        Some(Change {
            before: past.iter().sum::<f64>() / past.len() as f64,
            lowest: values.iter().copied().fold(f64::INFINITY, f64::min),
            highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            latest: latest.and_then(|latest| latest.metrics.get(metric)).copied(),
            alarmed: about.iter().any(|part| !part.is_empty() && metric.split('.').any(|word| word == *part)),
            metric: metric.to_owned(),
        })
    };
    let mut changes: Vec<_> = after.into_iter().filter_map(change).filter(|change| change.size() > NOISE).collect();
    changes.sort_by(|a, b| {
        let rank = |change: &Change| Reverse((change.alarmed, change.metric.starts_with("sensor.")));
        rank(a).cmp(&rank(b)).then_with(|| b.size().total_cmp(&a.size())).then_with(|| a.metric.cmp(&b.metric))
    });
    changes.truncate(SHOWN);
    changes
}

impl Change {
    /// The larger deviation from before, as a share of the larger value.
    fn size(&self) -> f64 {
        let share = |value: f64| (value - self.before).abs() / value.abs().max(self.before.abs()).max(f64::MIN_POSITIVE);
        share(self.lowest).max(share(self.highest))
    }
}

fn gather<'a>(reports: &[&'a HealthReport]) -> BTreeMap<&'a str, Vec<f64>> {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (metric, value) in reports.iter().flat_map(|report| &report.metrics) {
        values.entry(metric).or_default().push(*value);
    }
    values
}

pub fn table(changes: &[Change]) -> Table {
    let row = |change: &Change| {
        [
            Cell::toned(&change.metric, if change.alarmed { Tone::Warn } else { Tone::Plain }),
            Cell::Number(change.before),
            Cell::Number(change.lowest),
            Cell::Number(change.highest),
            change.latest.map_or_else(|| text(""), Cell::Number),
        ]
    };
    Table::new(["metric", "before", "lowest since", "highest since", "now"], changes.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_alarm_is_about_comes_first_and_noise_is_left_out() {
        let at: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let report = |seconds: i64, fan: f64, load: f64, flat: f64| HealthReport {
            at: at + seconds.seconds(),
            metrics: [("sensor.fan-2.speed_rpm", fan), ("load.avg_1m", load), ("flat", flat)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        };
        // The fan stops for one report only; its mean would hardly change.
        let reports =
            [report(-20, 4000.0, 1.0, 50.0), report(-10, 4100.0, 1.0, 50.1), report(0, 0.0, 90.0, 50.2), report(10, 4050.0, 2.0, 50.2)];
        let found = changes(&reports, reports.last(), at, &["fan-2", ""]);
        assert_eq!(found.iter().map(|change| change.metric.as_str()).collect::<Vec<_>>(), ["sensor.fan-2.speed_rpm", "load.avg_1m"]);
        let fan = &found[0];
        assert_eq!((fan.before, fan.lowest, fan.highest, fan.latest, fan.alarmed), (4050.0, 0.0, 4050.0, Some(4050.0), true));
        assert_eq!(changes(&reports[..2], None, at, &[]), [], "nothing since is no change");
    }
}

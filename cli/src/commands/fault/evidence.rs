//! Health as evidence: what changed most around the time that a fault was reported.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan};
use lineman_common::health::HealthReport;
use lineman_common::name::NeName;

use crate::client::{Client, ClientError};
use crate::output::{Cell, Table, text};

const MINUTES: i64 = 15;
/// How many metrics are shown.
const SHOWN: usize = 10;
/// Changes smaller than this share of the larger value are noise.
const NOISE: f64 = 0.05;

/// One metric before, at, and after a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    metric: String,
    before: Option<f64>,
    after: Option<f64>,
    latest: Option<f64>,
}

pub async fn read(client: &Client, ne: &NeName, at: Timestamp) -> Result<Vec<Change>, ClientError> {
    let (from, to) = (at - MINUTES.minutes(), at + MINUTES.minutes());
    let history = client.health(&ne.to_string(), Some(from), Some(to), Some(1000)).await?;
    let latest = client.health(&ne.to_string(), None, None, Some(1)).await?;
    Ok(changes(&history.reports, latest.reports.last(), at))
}

/// The mean before against the mean after; biggest change first.
fn changes(reports: &[HealthReport], latest: Option<&HealthReport>, at: Timestamp) -> Vec<Change> {
    let (before, after): (Vec<_>, Vec<_>) = reports.iter().partition(|report| report.at < at);
    let (before, after) = (means(&before), means(&after));
    let metrics: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    let change = |metric: &str| Change {
        metric: metric.to_owned(),
        before: before.get(metric).copied(),
        after: after.get(metric).copied(),
        latest: latest.and_then(|latest| latest.metrics.get(metric)).copied(),
    };
    let mut changes: Vec<_> = metrics.into_iter().map(change).filter(|change| change.size() > NOISE).collect();
    changes.sort_by(|a, b| b.size().total_cmp(&a.size()).then_with(|| a.metric.cmp(&b.metric)));
    changes.truncate(SHOWN);
    changes
}

impl Change {
    /// As a share of the larger value; a metric that appears or vanishes counts as a full change.
    fn size(&self) -> f64 {
        match (self.before, self.after) {
            (Some(before), Some(after)) => (before - after).abs() / before.abs().max(after.abs()).max(f64::MIN_POSITIVE),
            _ => 0.0,
        }
    }
}

fn means<'a>(reports: &[&'a HealthReport]) -> BTreeMap<&'a str, f64> {
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (metric, value) in reports.iter().flat_map(|report| &report.metrics) {
        let (sum, count) = sums.entry(metric).or_default();
        *sum += value;
        *count += 1.0;
    }
    sums.into_iter().map(|(metric, (sum, count))| (metric, sum / count)).collect()
}

pub fn table(changes: &[Change]) -> Table {
    let number = |value: Option<f64>| value.map_or_else(|| text(""), Cell::Number);
    let row = |change: &Change| [text(&change.metric), number(change.before), number(change.after), number(change.latest)];
    Table::new(["metric", "before", "after", "now"], changes.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_biggest_change_comes_first_and_noise_is_left_out() {
        let at: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let report = |seconds: i64, fan: f64, load: f64, flat: f64| HealthReport {
            at: at + seconds.seconds(),
            metrics: [("fan", fan), ("load", load), ("flat", flat)].map(|(name, value)| (name.to_owned(), value)).into(),
        };
        let reports =
            [report(-20, 4000.0, 1.0, 50.0), report(-10, 4100.0, 1.2, 50.1), report(0, 0.0, 2.0, 50.2), report(10, 0.0, 2.0, 50.2)];
        let found = changes(&reports, reports.last(), at);
        assert_eq!(found.iter().map(|change| change.metric.as_str()).collect::<Vec<_>>(), ["fan", "load"]);
        assert_eq!((found[0].before, found[0].after, found[0].latest), (Some(4050.0), Some(0.0), Some(0.0)));
    }
}

//! Fewer reports for a plot of a long time, without losing a peak.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lineman_common::health::HealthReport;

/// Keeps what it is fed as long as that is few; from then on, of each equal piece of the span the smallest and the largest value of every
/// metric.
pub struct Thin {
    from: Timestamp,
    piece: SignedDuration,
    points: usize,
    few: Vec<HealthReport>,
    pieces: BTreeMap<i64, Piece>,
}

#[derive(Default)]
struct Piece {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    range: BTreeMap<String, (f64, f64)>,
}

impl Thin {
    pub fn new(from: Timestamp, to: Timestamp, points: u32) -> Self {
        let pieces = i64::from(points / 2).max(1);
        let micros = (to.duration_since(from).as_micros() / i128::from(pieces)).max(1);
        let piece = SignedDuration::from_micros(i64::try_from(micros).unwrap_or(i64::MAX));
        Self { from, piece, points: points as usize, few: Vec::new(), pieces: BTreeMap::new() }
    }

    /// Oldest first.
    pub fn feed(&mut self, reports: Vec<HealthReport>) {
        self.few.extend(reports);
        if self.few.len() > self.points || !self.pieces.is_empty() {
            for report in std::mem::take(&mut self.few) {
                self.take(report);
            }
        }
    }

    fn take(&mut self, report: HealthReport) {
        let number = report.at.duration_since(self.from).as_micros() / self.piece.as_micros().max(1);
        let piece = self.pieces.entry(i64::try_from(number).unwrap_or(i64::MAX)).or_default();
        piece.first.get_or_insert(report.at);
        piece.last = Some(report.at);
        for (name, value) in report.metrics {
            let range = piece.range.entry(name).or_insert((value, value));
            *range = (range.0.min(value), range.1.max(value));
        }
    }

    pub fn reports(self) -> Vec<HealthReport> {
        let mut reports = Vec::with_capacity(self.pieces.len() * 2);
        for piece in self.pieces.into_values() {
            let (least, most) = piece.range.into_iter().map(|(name, (least, most))| ((name.clone(), least), (name, most))).unzip();
            let (Some(first), Some(last)) = (piece.first, piece.last) else { continue };
            reports.push(HealthReport { at: first, metrics: least });
            if last > first {
                reports.push(HealthReport { at: last, metrics: most });
            }
        }
        reports.extend(self.few);
        reports
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(at: Timestamp, value: f64) -> HealthReport {
        HealthReport { at, metrics: [("cpu.busy_percent".to_owned(), value)].into() }
    }

    fn values(reports: &[HealthReport]) -> Vec<f64> {
        reports.iter().map(|report| report.metrics["cpu.busy_percent"]).collect()
    }

    #[test]
    fn few_reports_stay_as_they_are() {
        let from = Timestamp::UNIX_EPOCH;
        let mut thin = Thin::new(from, from + SignedDuration::from_hours(1), 10);
        thin.feed(vec![report(from, 1.0), report(from + SignedDuration::from_mins(1), 7.0)]);
        assert_eq!(values(&thin.reports()), [1.0, 7.0]);
    }

    #[test]
    fn a_peak_of_a_minute_is_in_a_plot_of_a_month() {
        let from = Timestamp::UNIX_EPOCH;
        let mut thin = Thin::new(from, from + SignedDuration::from_hours(24 * 30), 400);
        for day in 0..30 {
            let minute = |minute: i64| from + SignedDuration::from_mins(day * 1440 + minute);
            thin.feed((0..1440).map(|n| report(minute(n), if (day, n) == (17, 700) { 99.0 } else { 10.0 })).collect());
        }
        let reports = thin.reports();
        assert!(reports.len() <= 402 && reports.len() > 350, "{}", reports.len());
        assert_eq!(values(&reports).into_iter().filter(|value| *value > 50.0).count(), 1);
        assert!(reports.is_sorted_by_key(|report| report.at));
    }
}

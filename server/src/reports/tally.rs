//! Counts, and the figures that are made of them.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use lineman_common::api::{Figure, FigureValue};

use super::SMALL;
use super::judge::{Item, Mark, Measure};

/// One measure's count in one group.
#[derive(Clone, Debug, Default)]
struct Cell {
    counted: u64,
    not_counted: u64,
    undecided: u64,
    /// Exact, so that the order of adding says nothing.
    sum_ns: i128,
    /// Of what is ranked.
    times: Vec<SignedDuration>,
}

/// A group's counts.
#[derive(Clone, Debug)]
pub struct Tally(Vec<Cell>);

impl Default for Tally {
    fn default() -> Self {
        Self(vec![Cell::default(); Measure::COUNT])
    }
}

#[derive(Default)]
pub struct Tallies(BTreeMap<Vec<Option<String>>, Tally>);

impl Tallies {
    pub fn of(&mut self, group: Vec<Option<String>>) -> &mut Tally {
        self.0.entry(group).or_default()
    }

    /// In the order of the groups; those without a name come first. One row for all when nothing was grouped and nothing was there.
    pub fn into_rows(mut self) -> impl Iterator<Item = (Vec<Option<String>>, Vec<FigureValue>)> {
        for tally in self.0.values_mut() {
            tally.0.iter_mut().for_each(|cell| cell.times.sort_unstable());
        }
        self.0.into_iter().map(|(group, tally)| (group, Figure::ALL.iter().map(|figure| tally.value(*figure)).collect()))
    }
}

impl Tally {
    pub fn add(&mut self, items: &[Item]) {
        for item in items {
            let Some(cell) = self.0.get_mut(item.measure as usize) else { continue };
            match item.mark {
                Mark::Counted => cell.counted += 1,
                Mark::NotCounted => cell.not_counted += 1,
                Mark::Undecided => {
                    cell.undecided += 1;
                    continue;
                }
            }
            if let Some(took) = item.took {
                cell.sum_ns += took.as_nanos();
                if item.measure == Measure::ConsentWait {
                    cell.times.push(took);
                }
            }
        }
    }

    fn value(&self, figure: Figure) -> FigureValue {
        let empty = Cell::default();
        let cell = self.0.get(Measure::of(figure) as usize).unwrap_or(&empty);
        let denominator = cell.counted + cell.not_counted;
        let value = (denominator > 0).then(|| cell.figure(figure, denominator)).flatten();
        FigureValue { figure, value, numerator: cell.counted, denominator, undecided: cell.undecided, small: denominator < SMALL }
    }
}

impl Cell {
    fn figure(&self, figure: Figure, denominator: u64) -> Option<f64> {
        let share = exact(self.counted) / exact(denominator);
        match figure {
            Figure::Faults => Some(exact(self.counted)),
            Figure::Session30m
            | Figure::Diagnosis30m
            | Figure::AcceptInTime
            | Figure::RespondInTime
            | Figure::RestoreInTime
            | Figure::ResolveInTime
            | Figure::RemoteResolution
            | Figure::DiagnosisAccuracy
            | Figure::Proactive
            | Figure::Reopen
            | Figure::Repeat
            | Figure::CaseLink
            | Figure::LateEntry => Some(share),
            Figure::ConsentWaitP50 => ranked(&self.times, 50),
            Figure::ConsentWaitP90 => ranked(&self.times, 90),
            Figure::Mtta | Figure::Mttr => Some(mean_s(self.sum_ns, denominator)),
            Figure::Dpmo => Some(exact(self.counted) * 1e6 / exact(denominator)),
            Figure::Sigma => Some(sigma_level(share)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^53")]
fn exact(count: u64) -> f64 {
    count as f64
}

/// To the microsecond.
#[expect(clippy::cast_precision_loss, reason = "285 years in microseconds are exact")]
fn mean_s(sum_ns: i128, count: u64) -> f64 {
    (sum_ns / 1000 / i128::from(count)) as f64 / 1e6
}

/// The nearest rank: the smallest of them that at least this percentage does not exceed.
fn ranked(sorted: &[SignedDuration], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).map(SignedDuration::as_secs_f64)
}

/// The usual sigma level: the place of the normal distribution that leaves this share of defects above it, plus the customary shift
/// of 1.5. The scale ends at 0 and at 6: no count of faults tells what is beyond.
fn sigma_level(defects: f64) -> f64 {
    const SHIFT: f64 = 1.5;
    let (mut low, mut high) = (-SHIFT, 6.0 - SHIFT);
    if below(high) <= 1.0 - defects {
        return 6.0;
    }
    if below(low) >= 1.0 - defects {
        return 0.0;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if below(middle) < 1.0 - defects { low = middle } else { high = middle }
    }
    f64::midpoint(low, high) + SHIFT
}

/// The share of a normal distribution below `z`, by the series around 0: `1/2 + density(z) (z + z^3/3 + z^5/(3*5) + ...)`.
fn below(z: f64) -> f64 {
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let (mut term, mut sum, mut odd) = (z, z, 1.0);
    for _ in 0..120 {
        odd += 2.0;
        term *= z * z / odd;
        sum += term;
    }
    0.5 + density * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigma_levels_are_those_of_the_published_tables() {
        for (dpmo, sigma) in
            [(933_193.0, 0.0), (691_462.0, 1.0), (308_538.0, 2.0), (66_807.0, 3.0), (6_210.0, 4.0), (233.0, 5.0), (3.4, 6.0)]
        {
            assert!((sigma_level(dpmo / 1e6) - sigma).abs() < 0.005, "{dpmo}: {}", sigma_level(dpmo / 1e6));
        }
        assert!((sigma_level(0.0) - 6.0).abs() < 1e-12 && sigma_level(1.0).abs() < 1e-12);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let times: Vec<_> = [1, 2, 3, 4, 100].into_iter().map(SignedDuration::from_secs).collect();
        assert_eq!((ranked(&times, 50), ranked(&times, 90), ranked(&times[..1], 90)), (Some(3.0), Some(100.0), Some(1.0)));
        assert_eq!(ranked(&[], 50), None);
    }

    #[test]
    fn what_has_no_data_has_no_value() {
        let tally = Tally::default();
        for figure in Figure::ALL {
            let value = tally.value(*figure);
            assert_eq!((value.value, value.denominator, value.small), (None, 0, true), "{figure}");
        }
    }
}

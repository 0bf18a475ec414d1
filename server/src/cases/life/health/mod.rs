//! The library's health: is what we know used, true, reviewed, and is it what people ask for?
//!
//! A figure and the list behind it come from one query, so they can't disagree: the figure adds the list's values up. A case about two
//! products counts in the row of each. The view is the support centre's own.

mod definitions;
mod sql;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{CaseHealth, FigureUnit, HealthBy, HealthDefinition, HealthFigure, HealthItem, HealthRow, HealthValue};
use lineman_common::name::PersonName;

use super::super::Error;
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// The period when none is asked for.
const PERIOD: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How many of the most reused cases are listed.
const TOP: usize = 10;

/// Which cases, faults and questions are meant.
#[derive(Clone, Debug, Default)]
pub struct Narrow {
    /// Empty: about no product.
    pub product: Option<String>,
    pub owner: Option<PersonName>,
}

/// `[from, until)`.
pub fn period(db: &Db<'_>, from: Option<Timestamp>, until: Option<Timestamp>) -> Result<(Timestamp, Timestamp), Error> {
    // What happens in this very moment counts.
    let until = until.unwrap_or(db.now() + SignedDuration::from_micros(1));
    let from = from.unwrap_or(until - PERIOD);
    if from < until { Ok((from, until)) } else { Err(Error::EmptyPeriod) }
}

pub fn view(
    db: &Db<'_>,
    scope: &Scope,
    (from, until): (Timestamp, Timestamp),
    by: Option<HealthBy>,
    narrow: &Narrow,
) -> Result<CaseHealth, StoreError> {
    let definitions = definitions::all();
    let rows = if scope.sees_internal() { rows(db, (from, until), by, narrow, &definitions)? } else { Vec::new() };
    Ok(CaseHealth { from, until, rows, definitions })
}

fn rows(
    db: &Db<'_>,
    period: (Timestamp, Timestamp),
    by: Option<HealthBy>,
    narrow: &Narrow,
    definitions: &[HealthDefinition],
) -> Result<Vec<HealthRow>, StoreError> {
    let mut groups: BTreeMap<Option<String>, BTreeMap<HealthFigure, Vec<f64>>> = BTreeMap::new();
    if by.is_none() {
        groups.entry(None).or_default();
    }
    for definition in definitions {
        let figure = definition.figure;
        let take = |group: Option<String>, value| groups.entry(group).or_default().entry(figure).or_default().push(value);
        sql::values(db, figure, by, period, narrow, take)?;
    }
    let row = |(group, mut values): (Option<String>, BTreeMap<HealthFigure, Vec<f64>>)| HealthRow {
        group: group.map(Into::into),
        figures: definitions.iter().map(|of| value(of, values.remove(&of.figure).unwrap_or_default())).collect(),
    };
    Ok(groups.into_iter().map(row).collect())
}

/// What a figure's list adds up to.
#[expect(clippy::cast_precision_loss, reason = "counts of things, far below 2^52")]
fn value(definition: &HealthDefinition, mut values: Vec<f64>) -> HealthValue {
    let figure = definition.figure;
    values.sort_by(|a, b| b.total_cmp(a));
    let (sum, count) = (values.iter().sum::<f64>(), values.len() as f64);
    let share = |numerator: f64, denominator: f64| (denominator > 0.0).then(|| numerator / denominator);
    let (value, numerator, denominator) = match (figure, definition.unit) {
        (HealthFigure::TopReused, _) => {
            values.truncate(TOP);
            values.retain(|links| *links > 0.0);
            let top = values.iter().sum::<f64>();
            (share(top, sum), top, sum)
        }
        (HealthFigure::Reuse, _) | (_, FigureUnit::Ratio) => (share(sum, count), sum, count),
        (_, FigureUnit::Seconds) => (values.get(values.len() / 2).copied(), sum, count),
        (_, FigureUnit::Count | FigureUnit::PerMillion | FigureUnit::Sigma) => (Some(count), count, count),
    };
    HealthValue { figure, value, numerator, denominator, behind: values.len() as u64 }
}

/// What a figure counted, the largest value first.
pub fn behind(
    db: &Db<'_>,
    scope: &Scope,
    figure: HealthFigure,
    period: (Timestamp, Timestamp),
    narrow: &Narrow,
    after: u32,
    limit: u32,
) -> Result<Vec<HealthItem>, StoreError> {
    if !scope.sees_internal() {
        return Ok(Vec::new());
    }
    if figure == HealthFigure::TopReused {
        let most = u32::try_from(TOP).unwrap_or(u32::MAX).saturating_sub(after).min(limit);
        let mut items = sql::items(db, figure, period, narrow, after, most)?;
        items.retain(|item| item.value > 0.0);
        return Ok(items);
    }
    sql::items(db, figure, period, narrow, after, limit)
}

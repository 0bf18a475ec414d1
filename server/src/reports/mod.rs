//! Reports: the figures that everyone asks for, with the faults behind each of them.
//!
//! Everything is computed from the event log when somebody asks; nothing is stored, so nothing can differ from what happened. A report
//! is about the faults that were *reported* in its period, by what was known at one moment (`as_of`): asked again with that moment it
//! says the same, and the lists behind a number are found with it. (ADR 22 says why the period is that of the report.)
//!
//! One ordered pass reads the events of the period's faults ([`sql::walk`]); [`judge`] makes of each fault the things that count, and
//! [`tally`] adds them up. A drill-down is the same pass that keeps what it counted, so a number and its lists can't disagree. Rows of
//! other tables give names only (a customer's code, an equipment's product, a tier's targets).
//!
//! Each reader's figures come from the events that this reader may see: a customer has its own faults and no internal notes, and can
//! count everything again from what `GET /api/v1/reports/events` gives.

mod csv;
mod definitions;
pub mod http;
mod judge;
mod pass;
mod period;
mod sql;
mod tally;
#[cfg(test)]
mod tests;

use lineman_common::api::{CountedFault, Figure, FigurePart, FigureValue, FiguresReport, ReportBy, ReportRow};

use crate::events::{self, EventView};
use crate::store::{Db, StoreError};
use crate::web::{ApiError, Scope};

pub use definitions::all as definitions;
pub use period::{Asked, Window};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{0}` is not an IANA time zone, like `Asia/Shanghai`")]
    BadZone(String),
    #[error(
        "`{name}` is `{text}`, which is not a time: expected RFC 3339 like 2026-11-01T00:00:00Z, or a date of the zone like 2026-11-01"
    )]
    BadTime { name: &'static str, text: String },
    #[error("the period is empty: `from` ({from}) must be before `until` ({until})")]
    Empty { from: jiff::Timestamp, until: jiff::Timestamp },
    #[error("`as_of` is in the future")]
    Future,
    #[error("the period has more than {most} {by}s: ask for a shorter one, or by a longer unit")]
    TooMany { by: ReportBy, most: usize },
    #[error("rows can be by one unit of time only, not by {0} and {1}")]
    TwoUnits(ReportBy, ReportBy),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::BadZone(_)
            | Error::BadTime { .. }
            | Error::Empty { .. }
            | Error::Future
            | Error::TooMany { .. }
            | Error::TwoUnits(..) => Self::invalid(error.to_string()),
            Error::Store(error) => error.into(),
        }
    }
}

/// Which faults of the period are meant. An empty text is "none": faults without an office, without equipment.
#[derive(Clone, Debug, Default)]
pub struct Narrow {
    pub customer: Option<String>,
    pub office: Option<String>,
    pub product: Option<String>,
    pub tier: Option<String>,
    pub severity: Option<String>,
}

/// A report: one row for each group, or one for all.
pub fn report(db: &Db<'_>, scope: &Scope, window: &Window, by: &[ReportBy], narrow: &Narrow) -> Result<FiguresReport, Error> {
    let periods = window.periods(by)?;
    let mut tallies = tally::Tallies::default();
    // A row for every period, so that a curve has no gaps; other groups are there when they have faults.
    if by.iter().all(|by| period::is_time(*by)) {
        for period in &periods {
            tallies.of(by.iter().map(|_| Some(period.label.clone())).collect());
        }
    }
    pass::run(db, scope, window, narrow, |fault, items| {
        let period = period::find(&periods, fault.reported_at);
        let group = by.iter().map(|by| fault.group(*by, period)).collect();
        tallies.of(group).add(items);
        Ok(())
    })?;
    let of_time = by.iter().position(|by| period::is_time(*by));
    let rows = tallies.into_rows().map(|(group, values)| {
        let label = of_time.and_then(|at| group.get(at).cloned().flatten());
        let period = label.and_then(|label| periods.iter().find(|period| period.label == label));
        let (from, until) = period.map_or((window.from, window.until), |period| (period.from, period.until));
        ReportRow { group, from, until, figures: values }
    });
    let rows = rows.collect();
    Ok(FiguresReport { from: window.from, until: window.until, zone: window.zone.clone(), as_of: window.as_of, by: by.to_vec(), rows })
}

/// The things behind a number, in the order of their faults' reports.
pub fn counted(
    db: &Db<'_>,
    scope: &Scope,
    window: &Window,
    narrow: &Narrow,
    figure: Figure,
    part: FigurePart,
) -> Result<Vec<CountedFault>, Error> {
    let mut list = Vec::new();
    pass::run(db, scope, window, narrow, |fault, items| {
        list.extend(items.iter().filter(|item| item.is_in(figure, part)).map(|item| fault.counted(item)));
        Ok(())
    })?;
    Ok(list)
}

/// What figures are computed from, for whoever wants to compute them again: events in their order, after `seq` as the scope counts.
/// Answers them, and the number of the last event that was looked at, if there may be more.
pub fn events_after(
    db: &Db<'_>,
    scope: &Scope,
    customer: Option<&str>,
    seq: u64,
    limit: u32,
) -> Result<(Vec<EventView>, Option<u64>), StoreError> {
    let page = events::after(db, scope, seq, limit)?;
    let next = page.last().filter(|_| page.len() == limit as usize).map(|last| last.seq);
    let is_of = |event: &EventView| {
        let of = event.fault.as_ref().map(|fault| &fault.customer).or(event.equipment.as_ref().map(|ne| &ne.customer));
        customer.is_none_or(|wanted| of.is_some_and(|code| code.as_str() == wanted))
    };
    let matters = |event: &EventView| event.fault.is_some() || matches!(event.kind.as_str(), "agent.online" | "agent.offline");
    Ok((page.into_iter().filter(|event| matters(event) && is_of(event)).collect(), next))
}

/// Below this a single fault moves a share by more than three points.
pub const SMALL: u64 = 30;

/// The wanted figures of each row only.
pub fn keep(report: &mut FiguresReport, wanted: &[Figure]) {
    let is_wanted = |value: &FigureValue| wanted.is_empty() || wanted.contains(&value.figure);
    for row in &mut report.rows {
        row.figures.retain(is_wanted);
    }
}

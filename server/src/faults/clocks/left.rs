//! What lists say of clocks: those that run or are held, the least time left first.

use lineman_common::api::{Clock, ClockState, RowClock};
use serde::{Deserialize, Serialize};

/// A row's clocks, counted at some moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left(pub Vec<RowClock>);

impl Left {
    pub fn of(clocks: &[Clock]) -> Self {
        let mut open: Vec<_> = clocks.iter().filter_map(row).collect();
        open.sort_by_key(|clock| clock.left_s);
        Self(open)
    }

    /// The nearest moment at which a running clock misses its target, in microseconds.
    pub fn deadline_us(&self) -> Option<i64> {
        self.0.iter().filter_map(|clock| clock.deadline_at).map(jiff::Timestamp::as_microsecond).min()
    }

    /// The least time left of clocks that are held by something else than the calendar.
    pub fn held_us(&self) -> Option<i64> {
        self.0.iter().filter(|clock| clock.deadline_at.is_none()).map(|clock| clock.left_s.saturating_mul(1_000_000)).min()
    }

    /// The same so many seconds later, if nothing happened meanwhile: what runs has so much less left.
    #[must_use]
    pub fn later(mut self, seconds: i64) -> Self {
        for clock in self.0.iter_mut().filter(|clock| clock.paused_by.is_none()) {
            clock.left_s -= seconds;
        }
        self.0.sort_by_key(|clock| clock.left_s);
        self
    }
}

fn row(clock: &Clock) -> Option<RowClock> {
    let last = clock.intervals.last().filter(|last| last.to.is_none())?;
    let is_open = match clock.state {
        ClockState::Running | ClockState::Paused | ClockState::Breached => true,
        ClockState::NotStarted | ClockState::Met | ClockState::Done | ClockState::Void => false,
    };
    let target_s = clock.target_s.filter(|_| is_open)?;
    let elapsed_s = i64::try_from(clock.elapsed_s).unwrap_or(i64::MAX);
    Some(RowClock {
        name: clock.name.clone(),
        what: clock.what.clone(),
        state: clock.state,
        target_s,
        left_s: i64::from(target_s).saturating_sub(elapsed_s),
        deadline_at: clock.deadline_at,
        paused_by: (!last.counted).then(|| last.why.clone()),
    })
}

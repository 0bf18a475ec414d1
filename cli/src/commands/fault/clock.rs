//! `lineman fault clock`: why a clock says what it says.
//!
//! *Net* is the running time that counts against the target; *gross* is the time on the wall from the clock's start. The
//! difference is what paused it, and the second table names every pause.

use jiff::Timestamp;
use lineman_common::api::{Clock, ClockState, Interval};

use crate::client::Client;
use crate::commands::App;
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, span, text};

pub async fn run(app: &App, client: &Client, fault: &str) -> Outcome {
    let clocks = client.clocks(fault).await?.items;
    let now = Timestamp::now();
    app.out.sheet(&clocks, |clocks| Sheet {
        fields: Vec::new(),
        parts: vec![("clocks", clocks_table(clocks)), ("intervals", intervals_table(clocks, now))],
    })?;
    let breached: Vec<_> = clocks.iter().filter(|clock| clock.breached).map(|clock| format!("{} ({})", clock.name, clock.what)).collect();
    if breached.is_empty() {
        return Ok(Exit::Done);
    }
    app.say(format!("breached: {}", breached.join(", ")));
    Ok(Exit::CheckFailed)
}

pub fn clocks_table(clocks: &[Clock]) -> Table {
    let now = Timestamp::now();
    let row = |clock: &Clock| {
        let target = u64::from(clock.target_s.unwrap_or(0));
        let left = clock.target_s.filter(|_| matches!(clock.state, ClockState::Running | ClockState::Paused)).map(|_| {
            if target >= clock.elapsed_s { span(target - clock.elapsed_s) } else { format!("{} over", span(clock.elapsed_s - target)) }
        });
        [
            text(&clock.name),
            text(&clock.what),
            state(clock),
            Cell::Seconds(clock.target_s.map(u64::from)),
            Cell::Seconds((clock.state != ClockState::NotStarted).then_some(clock.elapsed_s)),
            Cell::Seconds(gross_s(clock, now)),
            Cell::option(left),
            Cell::Time(clock.deadline_at),
        ]
    };
    Table::new(["clock", "what", "state", "target", "net", "gross", "left", "deadline"], clocks.iter().map(row))
}

fn state(clock: &Clock) -> Cell {
    match clock.state {
        ClockState::Breached => Cell::toned(clock.state, Tone::Bad),
        ClockState::Running | ClockState::Paused if clock.breached => Cell::toned(format!("{}, breached", clock.state), Tone::Bad),
        ClockState::Running => Cell::toned(clock.state, Tone::Warn),
        ClockState::Met => Cell::toned(clock.state, Tone::Good),
        ClockState::NotStarted | ClockState::Void => Cell::toned(clock.state, Tone::Dim),
        ClockState::Paused | ClockState::Done => text(clock.state),
    }
}

/// From the first start to the last end; to now while it lasts.
fn gross_s(clock: &Clock, now: Timestamp) -> Option<u64> {
    let first = clock.intervals.first()?;
    let last = clock.intervals.last()?;
    u64::try_from(last.to.unwrap_or(now).duration_since(first.from).as_secs()).ok()
}

fn intervals_table(clocks: &[Clock], now: Timestamp) -> Table {
    let row = |clock: &Clock, interval: &Interval| {
        let lasted = u64::try_from(interval.to.unwrap_or(now).duration_since(interval.from).as_secs()).ok();
        let counted = if interval.counted { text("yes") } else { Cell::toned("no", Tone::Dim) };
        [
            text(&clock.name),
            interval.from.into(),
            interval.to.map_or_else(|| text("still"), Cell::from),
            Cell::Seconds(lasted),
            counted,
            text(&interval.why),
        ]
    };
    let rows = clocks.iter().flat_map(|clock| clock.intervals.iter().map(move |interval| row(clock, interval)));
    Table::new(["clock", "from", "to", "lasted", "counted", "why"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let interval = |from, to: Option<&str>, counted, why: &str| Interval { from: at(from), to: to.map(at), counted, why: why.into() };
        Clock {
            name: "K6".into(),
            what: "restore".into(),
            state: ClockState::Running,
            breached: false,
            target_s: Some(3600),
            elapsed_s: 1200,
            deadline_at: None,
            intervals: vec![
                interval("2026-11-22T00:00:00Z", Some("2026-11-22T00:10:00Z"), true, "running"),
                interval("2026-11-22T00:10:00Z", Some("2026-11-22T00:40:00Z"), false, "pending: access"),
                interval("2026-11-22T00:40:00Z", None, true, "running"),
            ],
        }
    }

    #[test]
    fn gross_time_holds_the_pauses_and_net_time_does_not() {
        let now = "2026-11-22T00:50:00Z".parse().unwrap();
        assert_eq!(gross_s(&clock(), now), Some(3000));
        let table = intervals_table(&[clock()], now);
        assert_eq!(table.rows[1][3..], [Cell::Seconds(Some(1800)), Cell::toned("no", Tone::Dim), text("pending: access")]);
        assert_eq!(table.rows[2][2], text("still"));
    }

    #[test]
    fn a_breach_shows_while_the_clock_still_runs() {
        let clock = Clock { breached: true, elapsed_s: 3700, ..clock() };
        let table = clocks_table(&[clock]);
        assert_eq!(table.rows[0][2], Cell::toned("running, breached", Tone::Bad));
        assert_eq!(table.rows[0][6], text("1m 40s over"));
    }
}

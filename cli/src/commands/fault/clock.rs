//! `lineman fault clock`: why a clock says what it says.
//!
//! *Net* is the running time that counts against the target; *gross* is the time on the wall from the clock's start. The
//! difference is what paused it or was outside the coverage calendar; the table of intervals names every stretch of it, and the
//! timeline draws them.

use jiff::Timestamp;
use lineman_common::api::{Clock, ClockState, ClockTarget, ClockWarning, Interval};

use crate::client::Client;
use crate::commands::App;
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Format, Sheet, Table, Tone, span, text};

pub async fn run(app: &App, client: &Client, fault: &str) -> Outcome {
    let clocks = client.clocks(fault).await?.items;
    let now = Timestamp::now();
    let drawn = app.out.format == Format::Table;
    app.out.sheet(&clocks, |clocks| {
        let mut parts = vec![("clocks", clocks_table(clocks))];
        if drawn {
            parts.push((LEGEND, timeline(clocks, now)));
        }
        parts.extend([
            ("targets", targets_table(clocks)),
            ("warnings", warnings_table(clocks)),
            ("intervals", intervals_table(clocks, now)),
        ]);
        Sheet { fields: Vec::new(), parts }
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
            Cell::option(clock.percent.map(|percent| format!("{percent} %"))),
            Cell::option(left),
            Cell::Time(clock.deadline_at),
        ]
    };
    Table::new(["clock", "what", "state", "target", "net", "gross", "used", "left", "deadline"], clocks.iter().map(row))
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

const LEGEND: &str = "timeline (█ counts, ░ does not)";
/// Columns of the timeline.
const COLUMNS: i64 = 60;

/// All clocks under each other, from the first start to now or to the last end.
fn timeline(clocks: &[Clock], now: Timestamp) -> Table {
    let intervals = || clocks.iter().flat_map(|clock| &clock.intervals);
    let first = intervals().map(|interval| interval.from).min();
    let last = intervals().map(|interval| interval.to.unwrap_or(now)).max();
    let Some((first, last)) = first.zip(last).filter(|(first, last)| first < last) else { return Table::default() };
    let started = clocks.iter().filter(|clock| !clock.intervals.is_empty());
    Table::new(
        ["clock", "from", "timeline", "to"],
        started.map(|clock| [text(&clock.name), first.into(), text(bar(&clock.intervals, first, last, now)), last.into()]),
    )
}

/// In each column what took most of its time; what counted wins where both are as long.
fn bar(intervals: &[Interval], first: Timestamp, last: Timestamp, now: Timestamp) -> String {
    let whole = last.duration_since(first).as_millis();
    let edge = |column: i64| whole * i128::from(column) / i128::from(COLUMNS);
    let column = |column: i64| {
        let (from, to) = (edge(column), edge(column + 1));
        let (mut counted, mut other) = (0, 0);
        for interval in intervals {
            let at = |time: Timestamp| time.duration_since(first).as_millis().clamp(from, to);
            let length = at(interval.to.unwrap_or(now)) - at(interval.from);
            *(if interval.counted { &mut counted } else { &mut other }) += length;
        }
        match (counted, other) {
            (0, 0) => ' ',
            _ if counted >= other => '█',
            _ => '░',
        }
    };
    (0..COLUMNS).map(column).collect::<String>().trim_end().to_owned()
}

/// Only where targets were others before.
fn targets_table(clocks: &[Clock]) -> Table {
    let row = |clock: &Clock, target: &ClockTarget| {
        let seconds = Cell::Seconds(target.target_s.map(u64::from));
        [text(&clock.name), target.from.into(), seconds, text(&target.coverage), text(&target.why)]
    };
    let changed = clocks.iter().filter(|clock| clock.targets.len() > 1);
    let rows = changed.flat_map(|clock| clock.targets.iter().map(move |target| row(clock, target)));
    Table::new(["clock", "from", "target", "coverage", "by"], rows)
}

fn warnings_table(clocks: &[Clock]) -> Table {
    let row = |clock: &Clock, warning: &ClockWarning| {
        let tone = if warning.percent < 100 { Tone::Warn } else { Tone::Bad };
        let percent = Cell::toned(format!("{} %", warning.percent), tone);
        [text(&clock.name), percent, Cell::Seconds(Some(warning.target_s.into())), warning.due_at.into(), warning.recorded_at.into()]
    };
    let rows = clocks.iter().flat_map(|clock| clock.warnings.iter().map(move |warning| row(clock, warning)));
    Table::new(["clock", "used", "of", "due", "said"], rows)
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
            percent: Some(33),
            deadline_at: None,
            coverage: "24x7".into(),
            warnings: Vec::new(),
            targets: Vec::new(),
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
        assert_eq!(table.rows[0][7], text("1m 40s over"));
    }

    #[test]
    fn the_timeline_draws_what_counts_and_what_does_not() {
        let now = "2026-11-22T01:00:00Z".parse().unwrap();
        let table = timeline(&[clock(), Clock { intervals: Vec::new(), ..clock() }], now);
        assert_eq!(table.rows.len(), 1, "a clock that has not started is not drawn");
        let bar = format!("{}{}{}", "█".repeat(10), "░".repeat(30), "█".repeat(20));
        assert_eq!(table.rows[0][2], text(bar));
        assert!(timeline(&[], now).rows.is_empty());
    }
}

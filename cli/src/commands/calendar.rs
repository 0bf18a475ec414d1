//! `lineman calendar`: when the clocks of a tier run.

use std::str::FromStr;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use lineman_common::api::{Calendar, CalendarPreview, ExtraDay, Holiday, WeekHours};
use lineman_common::calendar::{CalendarKind, Hours, Weekday};

use super::{App, Limit};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, duration_s, text};
use crate::prompt;

/// Coverage calendars: business hours, holidays, and when a target would end
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman calendar list
  lineman calendar set cn-office --hours 'mon-fri 09:00-12:00,13:00-18:00' --holiday '2026-10-01..2026-10-07=国庆节'
  lineman calendar preview cn-office 4h --zone Asia/Shanghai")]
pub enum Command {
    /// List the calendars
    #[command(after_help = "Examples:\n  lineman calendar list -o json")]
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one calendar, with its hours, holidays and extra days
    #[command(after_help = "Examples:\n  lineman calendar show cn-office\n  lineman calendar show cn-office -o json > cn-office.json")]
    Show {
        name: String,
    },
    Set(Set),
    /// Delete a calendar that no tier uses
    #[command(after_help = "Examples:\n  lineman calendar delete cn-office --yes")]
    Delete {
        name: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
    Preview(Preview),
}

/// Set a calendar; this takes the place of what was set before, and what clocks have counted stays
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman calendar set cn-office --hours 'mon-fri 09:00-12:00,13:00-18:00' --holiday '2026-10-01..2026-10-07=国庆节' --extra '2026-10-10 09:00-18:00=国庆节调休'
  lineman calendar set round --always
  lineman calendar set cn-office --file cn-office.json")]
pub struct Set {
    /// 1 to 40 of a-z, 0-9 and -
    name: String,
    /// Weekly hours, like `mon-fri 09:00-12:00,13:00-18:00` or `sat,sun 10:00-24:00`; may be given several times
    #[arg(long, value_name = "DAYS HOURS")]
    hours: Vec<Week>,
    /// A day off, or several in a row, with their name; may be given several times
    #[arg(long, value_name = "DATE[..DATE]=NAME")]
    holiday: Vec<Days>,
    /// A day that is worked whatever the weekday, with its hours; may be given several times
    #[arg(long, value_name = "DATE HOURS=NAME")]
    extra: Vec<Extra>,
    /// Around the clock, without any hours or holidays
    #[arg(long, conflicts_with_all = ["hours", "holiday", "extra", "file"])]
    always: bool,
    /// All of it as JSON, as `calendar show -o json` prints it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hours", "holiday", "extra"])]
    file: Option<std::path::PathBuf>,
}

/// When would a target end that starts now?
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman calendar preview cn-office 4h --zone Asia/Shanghai
  lineman calendar preview 24x7 30m --from 2026-10-25T00:30:00Z")]
pub struct Preview {
    /// A calendar, or `24x7`
    name: String,
    /// Length of the target
    #[arg(value_name = "DURATION", value_parser = length)]
    target: u32,
    /// The site's IANA zone
    #[arg(long, default_value = "UTC")]
    zone: String,
    /// When it starts [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
}

fn length(text: &str) -> Result<u32, String> {
    duration_s(text).map_err(|e| e.to_string())
}

/// `mon-fri 09:00-12:00,13:00-18:00`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Week(WeekHours);

impl FromStr for Week {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (days, hours) = text.trim().split_once(' ').ok_or("expected days and hours, like `mon-fri 09:00-18:00`")?;
        let days: Vec<Vec<Weekday>> = days.split(',').map(weekdays).collect::<Result<_, _>>()?;
        Ok(Self(WeekHours { days: days.concat(), hours: spans(hours)? }))
    }
}

/// One weekday, or those from one to another, also over the weekend.
fn weekdays(text: &str) -> Result<Vec<Weekday>, String> {
    let word = |word: &str| word.parse::<Weekday>().map_err(|e| e.to_string());
    let Some((from, to)) = text.split_once('-') else { return Ok(vec![word(text)?]) };
    let (from, to) = (word(from)?, word(to)?);
    let mut days: Vec<_> =
        Weekday::ALL.iter().copied().cycle().skip_while(|day| *day != from).take_while(|day| *day != to).take(7).collect();
    days.push(to);
    Ok(days)
}

fn spans(text: &str) -> Result<Vec<Hours>, String> {
    text.trim().split(',').map(|span| span.parse().map_err(|e: lineman_common::calendar::BadHours| e.to_string())).collect()
}

fn date(text: &str) -> Result<Date, String> {
    text.trim().parse().map_err(|_| format!("`{}` is not a date, like 2026-10-01", lineman_common::printable::escape(text)))
}

/// `2026-10-01=NAME`, or `2026-10-01..2026-10-07=NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Days(Vec<Holiday>);

/// A range this long is a mistake in the year.
const LONGEST_HOLIDAY: usize = 100;

impl FromStr for Days {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (days, name) = text.split_once('=').ok_or("expected a day and its name, like `2026-12-25=Christmas`")?;
        let (from, to) = match days.split_once("..") {
            Some((from, to)) => (date(from)?, date(to)?),
            None => (date(days)?, date(days)?),
        };
        let all: Vec<_> = from.series(jiff::Span::new().days(1)).take_while(|day| *day <= to).take(LONGEST_HOLIDAY + 1).collect();
        if all.is_empty() || all.len() > LONGEST_HOLIDAY {
            return Err(format!("{from}..{to} is no span of 1 to {LONGEST_HOLIDAY} days"));
        }
        Ok(Self(all.into_iter().map(|date| Holiday { date, name: name.into() }).collect()))
    }
}

/// `2026-10-10 09:00-18:00=NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Extra(ExtraDay);

impl FromStr for Extra {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "expected a day, its hours and its name, like `2026-10-10 09:00-18:00=NAME`";
        let (day, name) = text.split_once('=').ok_or(wrong)?;
        let (day, hours) = day.trim().split_once(' ').ok_or(wrong)?;
        Ok(Self(ExtraDay { date: date(day)?, name: name.into(), hours: spans(hours)? }))
    }
}

impl Set {
    fn calendar(self) -> Result<Calendar, Failure> {
        if let Some(path) = &self.file {
            let body = std::fs::read(path).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
            let calendar: Calendar = serde_json::from_slice(&body).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
            return Ok(Calendar { name: self.name, ..calendar });
        }
        if self.hours.is_empty() && !self.always {
            return Err(Failure::usage("a calendar needs hours").hint("--hours 'mon-fri 09:00-18:00', --always, or --file FILE"));
        }
        Ok(Calendar {
            name: self.name,
            kind: if self.always { CalendarKind::Always } else { CalendarKind::Hours },
            week: self.hours.into_iter().map(|week| week.0).collect(),
            holidays: self.holiday.into_iter().flat_map(|days| days.0).collect(),
            extra_days: self.extra.into_iter().map(|extra| extra.0).collect(),
        })
    }
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::List { limit } => {
                let fetch = |page| {
                    let client = client.clone();
                    async move { client.calendars(&page).await }
                };
                app.out.list(&limit.read(app, fetch).await?, table)?;
            }
            Self::Show { name } => app.out.sheet(&client.calendar(&name).await?, sheet)?,
            Self::Set(set) => app.out.sheet(&client.put_calendar(&set.calendar()?).await?, sheet)?,
            Self::Delete { name, yes } => {
                prompt::confirm(&format!("delete the calendar {name} on {}", client.server()), yes)?;
                client.delete_calendar(&name).await?;
                app.say(format!("{} is deleted", lineman_common::printable::escape(&name)));
            }
            Self::Preview(Preview { name, target, zone, from }) => {
                app.out.sheet(&client.preview_calendar(&name, target, Some(&zone), from).await?, preview)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn words<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn week(calendar: &Calendar) -> String {
    let row = |row: &WeekHours| format!("{} {}", words(&row.days), words(&row.hours));
    match calendar.kind {
        CalendarKind::Always => "24x7".to_owned(),
        CalendarKind::Hours => calendar.week.iter().map(row).collect::<Vec<_>>().join("; "),
    }
}

fn table(calendars: &[Calendar]) -> Table {
    let count = |count: usize| text(count);
    let row = |calendar: &Calendar| {
        [text(&calendar.name), text(week(calendar)), count(calendar.holidays.len()), count(calendar.extra_days.len())]
    };
    Table::new(["calendar", "hours", "holidays", "extra days"], calendars.iter().map(row))
}

fn sheet(calendar: &Calendar) -> Sheet {
    let mut days: Vec<_> = calendar.holidays.iter().map(|day| (day.date, Cell::toned("off", Tone::Dim), &day.name)).collect();
    days.extend(calendar.extra_days.iter().map(|day| (day.date, text(words(&day.hours)), &day.name)));
    days.sort_by_key(|(date, ..)| *date);
    let row = |(date, hours, name): (Date, Cell, &lineman_common::Printable)| [text(date), hours, text(name)];
    Sheet {
        fields: vec![("calendar", text(&calendar.name)), ("hours", text(week(calendar)))],
        parts: vec![("days of their own", Table::new(["date", "hours", "name"], days.into_iter().map(row)))],
    }
}

fn preview(preview: &CalendarPreview) -> Sheet {
    let never = || Cell::toned("never", Tone::Bad);
    let row = |interval: &lineman_common::api::Interval| {
        let counted = if interval.counted { text("yes") } else { Cell::toned("no", Tone::Dim) };
        [interval.from.into(), Cell::Time(interval.to), counted, text(&interval.why)]
    };
    Sheet {
        fields: vec![
            ("calendar", text(&preview.calendar)),
            ("zone", text(&preview.zone)),
            ("starts", preview.from.into()),
            ("target", Cell::Seconds(Some(u64::from(preview.target_s)))),
            ("ends", preview.ends_at.map_or_else(never, Cell::from)),
            ("at the site", preview.ends_local.as_ref().map_or_else(never, text)),
        ],
        parts: vec![("intervals", Table::new(["from", "to", "counted", "why"], preview.intervals.iter().map(row)))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_days_are_read_as_people_write_them() {
        let week: Week = "mon-wed,sat 09:00-12:00,13:00-24:00".parse().unwrap();
        assert_eq!(words(&week.0.days), "mon, tue, wed, sat");
        assert_eq!(words(&week.0.hours), "09:00-12:00, 13:00-24:00");
        assert_eq!(words(&"sat-mon 10:00-11:00".parse::<Week>().unwrap().0.days), "sat, sun, mon");
        let days: Days = "2026-10-01..2026-10-07=国庆节".parse().unwrap();
        assert_eq!((days.0.len(), days.0[6].date.to_string()), (7, "2026-10-07".into()));
        assert!("2026-10-07..2026-10-01=x".parse::<Days>().is_err() && "2026-10-01..3026-10-07=x".parse::<Days>().is_err());
        let extra: Extra = "2026-10-10 09:00-18:00=国庆节调休".parse().unwrap();
        assert_eq!(extra.0.date.to_string(), "2026-10-10");
        for wrong in ["mon", "mon 22:00-06:00", "noday 09:00-10:00", "mon 9-10"] {
            assert!(wrong.parse::<Week>().is_err(), "{wrong}");
        }
    }
}

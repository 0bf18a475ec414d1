//! `lineman shift`: who works when, who stands in, and the hand-over from one shift to the next.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use lineman_common::api::{
    DayTime, DutyPlan, DutyRank, Handover, NewHandover, NewOverride, OfficeName, OnDuty, Override, OverrideKind, Shift, ShiftName,
};
use lineman_common::calendar::Weekday;
use lineman_common::name::PersonName;

use super::office::days_of;
use super::{App, Limit, word};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, text};
use crate::prompt;

/// Shifts: set them, swap them, see the plan and its gaps, hand over
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman shift set hotline-east night --from 22:00 --to 06:00 --turn engineer-a --turn engineer-b --turn-days 7 --start 2026-01-05
  lineman shift plan hotline-east
  lineman shift swap hotline-east engineer-a engineer-b --from 2026-12-24T22:00:00Z --to 2026-12-26T06:00:00Z --reason 'agreed by phone'
  lineman shift hand-over hotline-east --note 'F-JW-42 waits for a fan'")]
pub enum Command {
    /// List an office's shifts
    #[command(after_help = "Examples:\n  lineman shift list hotline-east")]
    List {
        office: OfficeName,
    },
    Set(Set),
    /// Delete a shift
    #[command(after_help = "Examples:\n  lineman shift delete hotline-east night --yes")]
    Delete {
        office: OfficeName,
        shift: ShiftName,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Who is on duty from one moment to another; gaps are marked, and the exit code is 8 when there is one
    #[command(after_help = "Examples:
  lineman shift plan hotline-east
  lineman shift plan hotline-east --from 2026-12-01T00:00:00Z --to 2027-01-01T00:00:00Z -o csv")]
    Plan {
        office: OfficeName,
        /// Now, unless told otherwise
        #[arg(long, value_name = "TIME")]
        from: Option<Timestamp>,
        /// 14 days later, unless told otherwise
        #[arg(long, value_name = "TIME")]
        to: Option<Timestamp>,
    },
    /// Two people work in each other's place for a while
    #[command(after_help = "Examples:
  lineman shift swap hotline-east engineer-a engineer-b --from 2026-12-24T22:00:00Z --to 2026-12-26T06:00:00Z --reason 'agreed by phone'")]
    Swap {
        office: OfficeName,
        person: PersonName,
        other: PersonName,
        #[command(flatten)]
        span: Span,
    },
    /// Somebody works in another's place for a while: a holiday, an illness
    #[command(after_help = "Examples:
  lineman shift stand-in hotline-east engineer-b --for engineer-a --from 2026-12-24T00:00:00Z --to 2026-12-27T00:00:00Z --reason holiday")]
    StandIn {
        office: OfficeName,
        /// Who works
        other: PersonName,
        /// In whose place
        #[arg(long = "for", value_name = "PERSON")]
        person: PersonName,
        #[command(flatten)]
        span: Span,
    },
    /// Somebody works besides those who do
    #[command(after_help = "Examples:
  lineman shift extra hotline-east engineer-b --from 2026-12-24T00:00:00Z --to 2026-12-25T00:00:00Z --reason 'software change at JW'")]
    Extra {
        office: OfficeName,
        person: PersonName,
        #[arg(long, default_value = "primary", value_parser = word::<DutyRank>(DutyRank::WORDS))]
        rank: DutyRank,
        #[command(flatten)]
        span: Span,
    },
    /// Somebody does not work, and nobody stands in
    #[command(after_help = "Examples:
  lineman shift off hotline-east engineer-b --from 2026-12-24T00:00:00Z --to 2026-12-25T00:00:00Z --reason ill")]
    Off {
        office: OfficeName,
        person: PersonName,
        #[command(flatten)]
        span: Span,
    },
    /// List swaps, stand-ins and the like that are not over
    #[command(after_help = "Examples:\n  lineman shift overrides hotline-east")]
    Overrides {
        office: OfficeName,
    },
    /// Take a swap or the like back
    #[command(after_help = "Examples:\n  lineman shift cancel hotline-east ovr_0123456789abcdef0123456789abcdef")]
    Cancel {
        office: OfficeName,
        id: String,
    },
    /// Hand the shift over: say what is open; the list of open faults is attached
    #[command(after_help = "Examples:\n  lineman shift hand-over hotline-east --note 'F-JW-42 waits for a fan, JW calls back at nine'")]
    HandOver {
        office: OfficeName,
        #[arg(long)]
        note: String,
    },
    /// Take a shift over: say that you have read it
    #[command(after_help = "Examples:\n  lineman shift take-over hov_0123456789abcdef0123456789abcdef --note 'read, I call JW'")]
    TakeOver {
        handover: String,
        #[arg(long)]
        note: String,
    },
    /// List hand-overs, newest first
    #[command(after_help = "Examples:\n  lineman shift hand-overs hotline-east --waiting")]
    HandOvers {
        office: OfficeName,
        /// Only those that nobody has acknowledged
        #[arg(long)]
        waiting: bool,
        #[command(flatten)]
        limit: Limit,
    },
}

/// Set a shift: a weekly pattern with one --turn, a rotation with several
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman shift set hotline-east day --days mon-fri --from 08:00 --to 20:00 --turn engineer-a,engineer-b --start 2026-01-05
  lineman shift set olt on-call --from 09:00 --to 09:00 --turn engineer-a --turn engineer-b --turn-days 7 --start 2026-01-05")]
pub struct Set {
    office: OfficeName,
    shift: ShiftName,
    /// The days on which it begins, like `mon-fri` or `sat,sun` [default: every day]
    #[arg(long, value_parser = days_of)]
    days: Option<DaysOf>,
    /// On the office's clock
    #[arg(long, value_name = "HH:MM")]
    from: DayTime,
    /// On the next day when it is not after --from
    #[arg(long, value_name = "HH:MM")]
    to: DayTime,
    /// The people of a turn, separated by commas; may be given several times
    #[arg(long, value_name = "PEOPLE", required = true)]
    turn: Vec<String>,
    /// How many days a turn lasts
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    turn_days: u16,
    /// The first day of the first turn
    #[arg(long, value_name = "DATE")]
    start: Date,
    /// The last day on which it begins
    #[arg(long, value_name = "DATE")]
    end: Option<Date>,
    #[arg(long, default_value = "primary", value_parser = word::<DutyRank>(DutyRank::WORDS))]
    rank: DutyRank,
}

/// One argument that is a list: clap must not take it for several.
type DaysOf = Vec<Weekday>;

/// From when to when, and why.
#[derive(Debug, Args)]
pub struct Span {
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    #[arg(long, value_name = "TIME")]
    to: Timestamp,
    #[arg(long)]
    reason: String,
}

impl Span {
    fn of(self, kind: OverrideKind, person: PersonName, other: Option<PersonName>, rank: DutyRank) -> NewOverride {
        let Self { from, to, reason } = self;
        NewOverride { kind, from, to, person, other, rank, reason: reason.into() }
    }
}

impl Set {
    fn shift(self) -> Result<(OfficeName, Shift), Failure> {
        let people = |turn: &String| {
            let names = turn.split(',').map(|name| name.trim().parse::<PersonName>().map_err(|e| Failure::usage(e.to_string())));
            names.collect::<Result<Vec<_>, _>>()
        };
        let turns = self.turn.iter().map(people).collect::<Result<Vec<_>, _>>()?;
        let shift = Shift {
            name: self.shift,
            rank: self.rank,
            days: self.days.unwrap_or_default(),
            from: self.from,
            to: self.to,
            turns,
            turn_days: self.turn_days,
            start: self.start,
            end: self.end,
        };
        Ok((self.office, shift))
    }
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        let make = async |office: OfficeName, new: NewOverride| -> Outcome {
            let made = client.new_override(office.as_str(), &new).await?;
            app.out.row(&made, |made| overrides_table(made.iter().copied()))?;
            Ok(Exit::Done)
        };
        let primary = DutyRank::Primary;
        match self {
            Self::List { office } => {
                let shifts = client.shifts(office.as_str()).await?.items;
                app.out.list(&shifts, |shifts| shifts_table(shifts))?;
            }
            Self::Set(set) => {
                let (office, shift) = set.shift()?;
                let shift = client.put_shift(office.as_str(), &shift).await?;
                app.out.row(&shift, |shifts| shifts_table(shifts.iter().copied()))?;
            }
            Self::Delete { office, shift, yes } => {
                prompt::confirm(&format!("delete the shift {shift} of {office} on {}", client.server()), yes)?;
                client.delete_shift(office.as_str(), shift.as_str()).await?;
                app.say(format!("{shift} is deleted"));
            }
            Self::Plan { office, from, to } => {
                let plan = client.duty_plan(office.as_str(), from, to).await?;
                app.out.list(&plan.stretches, |_| plan_table(&plan))?;
                if plan.stretches.iter().any(|stretch| stretch.gap) {
                    app.say("there are times in which nobody is on duty: see `gap`");
                    return Ok(Exit::CheckFailed);
                }
            }
            Self::Swap { office, person, other, span } => {
                return make(office, span.of(OverrideKind::Swap, person, Some(other), primary)).await;
            }
            Self::StandIn { office, other, person, span } => {
                return make(office, span.of(OverrideKind::StandIn, person, Some(other), primary)).await;
            }
            Self::Extra { office, person, rank, span } => return make(office, span.of(OverrideKind::Extra, person, None, rank)).await,
            Self::Off { office, person, span } => return make(office, span.of(OverrideKind::Off, person, None, primary)).await,
            Self::Overrides { office } => {
                let overrides = client.overrides(office.as_str()).await?.items;
                app.out.list(&overrides, |overrides| overrides_table(overrides))?;
            }
            Self::Cancel { office, id } => {
                client.delete_override(office.as_str(), &id).await?;
                app.say(format!("{id} is taken back"));
            }
            Self::HandOver { office, note } => {
                let handover = client.hand_over(office.as_str(), &NewHandover { note: note.into() }).await?;
                app.out.sheet(&handover, handover_sheet)?;
                app.say(format!("whoever takes over says so with: lineman shift take-over {} --note TEXT", handover.id));
            }
            Self::TakeOver { handover, note } => {
                let handover = client.take_over(&handover, &NewHandover { note: note.into() }).await?;
                app.out.sheet(&handover, handover_sheet)?;
            }
            Self::HandOvers { office, waiting, limit } => {
                let (client, office) = (&client, office.as_str());
                let handovers = limit.read(app, |page| async move { client.handovers(office, waiting, &page).await }).await?;
                app.out.list(&handovers, |handovers| handovers_table(handovers))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn names(people: &[PersonName]) -> String {
    people.iter().map(PersonName::as_str).collect::<Vec<_>>().join(",")
}

fn shifts_table<'a>(shifts: impl IntoIterator<Item = &'a Shift>) -> Table {
    let row = |shift: &'a Shift| {
        let days: Vec<_> = shift.days.iter().map(|day| day.as_str()).collect();
        [
            text(&shift.name),
            text(shift.rank),
            if days.is_empty() { text("every day") } else { text(days.join(",")) },
            text(shift.from),
            text(shift.to),
            text(shift.turns.iter().map(|turn| names(turn)).collect::<Vec<_>>().join(" > ")),
            text(shift.turn_days),
            text(shift.start),
            Cell::option(shift.end),
        ]
    };
    Table::new(["name", "rank", "days", "from", "to", "turns", "turn days", "start", "end"], shifts.into_iter().map(row))
}

fn overrides_table<'a>(overrides: impl IntoIterator<Item = &'a Override>) -> Table {
    let row = |change: &'a Override| {
        [
            text(change.kind),
            change.from.into(),
            change.to.into(),
            text(&change.person),
            Cell::option(change.other.as_ref()),
            text(&change.reason),
            text(&change.by),
            text(change.id),
        ]
    };
    Table::new(["what", "from", "to", "person", "other", "reason", "by", "id"], overrides.into_iter().map(row))
}

/// `engineer-a, engineer-b (secondary)`.
pub fn duty_words(on_duty: &[OnDuty]) -> String {
    let one = |one: &OnDuty| match one.rank {
        DutyRank::Primary => one.person.to_string(),
        DutyRank::Secondary => format!("{} (secondary)", one.person),
    };
    on_duty.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn plan_table(plan: &DutyPlan) -> Table {
    let rows = plan.stretches.iter().map(|stretch| {
        let because: Vec<_> = stretch.on_duty.iter().filter_map(|one| Some(one.because.as_ref()?.to_string())).collect();
        [
            stretch.from.into(),
            stretch.to.into(),
            if stretch.gap { Cell::toned("gap", Tone::Bad) } else { text("") },
            text(duty_words(&stretch.on_duty)),
            text(because.join("; ")),
        ]
    });
    Table::new(["from", "to", "gap", "on duty", "because"], rows)
}

fn handovers_table<'a>(handovers: impl IntoIterator<Item = &'a Handover>) -> Table {
    let row = |handover: &'a Handover| {
        [
            handover.at.into(),
            text(&handover.by),
            text(names(&handover.to)),
            text(handover.faults.len()),
            text(&handover.note),
            match &handover.taken {
                Some(taken) => text(format!("{}: {}", taken.by, taken.note)),
                None => Cell::toned("waits", Tone::Warn),
            },
            text(handover.id),
        ]
    };
    Table::new(["at", "by", "to", "faults", "note", "taken over", "id"], handovers.into_iter().map(row))
}

fn handover_sheet(handover: &Handover) -> Sheet {
    let taken = handover.taken.as_ref();
    let rows = handover.faults.iter().map(|fault| {
        [text(&fault.number), text(fault.severity), text(fault.status), Cell::option(fault.owner.as_ref()), text(&fault.title)]
    });
    Sheet {
        fields: vec![
            ("id", text(handover.id)),
            ("office", text(&handover.office)),
            ("at", handover.at.into()),
            ("by", text(&handover.by)),
            ("to", text(names(&handover.to))),
            ("note", text(&handover.note)),
            ("taken at", Cell::Time(taken.map(|taken| taken.at))),
            ("taken by", Cell::option(taken.map(|taken| &taken.by))),
            ("in words", Cell::option(taken.map(|taken| &taken.note))),
        ],
        parts: vec![("open faults", Table::new(["fault", "severity", "status", "owner", "title"], rows))],
    }
}

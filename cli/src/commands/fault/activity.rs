//! `lineman fault activity`: what happens while a fault is worked on.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{Activity, ActivityChange, NewActivity};
use lineman_common::fault::{ActivityKind, ActivityState};

use crate::client::Client;
use crate::commands::{App, word};
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Table, Tone, text};

/// Phone calls, guidance of on-site staff, visits; consents, sessions and diagnoses are listed too
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman fault activity list F-JW-1
  lineman fault activity start F-JW-1 phone --with 'NOC of JW'
  lineman fault activity end F-JW-1 act_0123456789abcdef0123456789abcdef --outcome 'fan 2 was reseated'")]
pub enum Command {
    /// List what happens and happened
    #[command(after_help = "Examples:\n  lineman fault activity list F-JW-1")]
    List { fault: String },
    /// Start one now, or log when it began
    #[command(after_help = "Examples:
  lineman fault activity start F-JW-1 phone --with 'NOC of JW'
  lineman fault activity start F-JW-1 visit --started 2026-11-22T08:00:00Z")]
    Start(Start),
    /// Plan one
    #[command(after_help = "Examples:\n  lineman fault activity plan F-JW-1 visit --at 2026-11-23T08:00:00Z --with 'field team north'")]
    Plan(Plan),
    /// A planned one begins
    #[command(after_help = "Examples:\n  lineman fault activity begin F-JW-1 act_0123456789abcdef0123456789abcdef")]
    Begin(Change),
    /// It is over, and what came of it
    #[command(
        after_help = "Examples:\n  lineman fault activity end F-JW-1 act_0123456789abcdef0123456789abcdef --outcome 'fan 2 was reseated'"
    )]
    End(Change),
    /// It does not take place
    #[command(
        after_help = "Examples:\n  lineman fault activity cancel F-JW-1 act_0123456789abcdef0123456789abcdef --outcome 'solved by phone'"
    )]
    Cancel(Change),
}

#[derive(Debug, Args)]
pub struct Start {
    fault: String,
    #[arg(value_parser = word::<ActivityKind>(&["phone", "guidance", "visit"]))]
    kind: ActivityKind,
    #[arg(long, value_name = "WHO")]
    with: Option<String>,
    #[arg(long, default_value = "")]
    text: String,
    /// When it began, if not just now
    #[arg(long, value_name = "TIME")]
    started: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub struct Plan {
    fault: String,
    #[arg(value_parser = word::<ActivityKind>(&["phone", "guidance", "visit"]))]
    kind: ActivityKind,
    #[arg(long, value_name = "TIME")]
    at: Timestamp,
    #[arg(long, value_name = "WHO")]
    with: Option<String>,
    #[arg(long, default_value = "")]
    text: String,
}

#[derive(Debug, Args)]
pub struct Change {
    fault: String,
    activity: String,
    /// What came of it
    #[arg(long, value_name = "TEXT", default_value = "")]
    outcome: String,
    /// When it was, if not just now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

impl Command {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        let activity = match self {
            Self::List { fault } => {
                let activities = client.activities(&fault).await?.items;
                app.out.list(&activities, |activities| activities_table(activities))?;
                return Ok(Exit::Done);
            }
            Self::Start(Start { fault, kind, with, text, started }) => {
                let new = NewActivity { kind, with: with.map(Printable::from), text: text.into(), planned_at: None, started_at: started };
                client.new_activity(&fault, &new).await?
            }
            Self::Plan(Plan { fault, kind, at, with, text }) => {
                let new = NewActivity { kind, with: with.map(Printable::from), text: text.into(), planned_at: Some(at), started_at: None };
                client.new_activity(&fault, &new).await?
            }
            Self::Begin(change) => change.run(client, "start").await?,
            Self::End(change) => change.run(client, "end").await?,
            Self::Cancel(change) => change.run(client, "cancel").await?,
        };
        app.out.row(&activity, |activities| activities_table(activities.iter().copied()))?;
        Ok(Exit::Done)
    }
}

impl Change {
    async fn run(self, client: &Client, step: &str) -> Result<Activity, crate::client::ClientError> {
        let change = ActivityChange { outcome: self.outcome.into(), at: self.at };
        client.change_activity(&self.fault, &self.activity, step, &change).await
    }
}

pub fn activities_table<'a>(activities: impl IntoIterator<Item = &'a Activity>) -> Table {
    let row = |activity: &'a Activity| {
        let tone = match activity.state {
            ActivityState::Running => Tone::Warn,
            ActivityState::Done => Tone::Good,
            ActivityState::Planned | ActivityState::Cancelled => Tone::Dim,
        };
        [
            text(&activity.id),
            text(activity.kind),
            Cell::toned(activity.state, tone),
            text(&activity.by),
            Cell::option(activity.with.as_ref()),
            Cell::Time(activity.started_at.or(activity.planned_at)),
            Cell::Time(activity.ended_at),
            Cell::option(activity.outcome.as_ref().or(Some(&activity.text))),
        ]
    };
    Table::new(["id", "what", "state", "by", "with", "from", "to", "text"], activities.into_iter().map(row))
}

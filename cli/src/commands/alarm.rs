//! `lineman alarm`: what the equipment says.

use clap::{Args, Subcommand};
use lineman_common::alarm::OperatorState;
use lineman_common::api::{Acknowledgement, Alarm};
use lineman_common::name::NeName;

use super::fault::{resource_state, severity};
use super::{App, Limit};
use crate::client::Filter;
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, text};

/// Alarms: list and acknowledge them
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman alarm list
  lineman alarm ack alm_0123456789abcdef0123456789abcdef --note 'known, fan is ordered'")]
pub enum Command {
    List(List),
    /// Show one alarm
    #[command(after_help = "Examples:\n  lineman alarm show alm_0123456789abcdef0123456789abcdef")]
    Show {
        alarm: String,
    },
    /// Say that it was seen, and why it can wait
    #[command(after_help = "Examples:\n  lineman alarm ack alm_0123456789abcdef0123456789abcdef --note 'known'")]
    Ack {
        alarm: String,
        #[arg(long, default_value = "")]
        note: String,
    },
}

/// List alarms; raised ones unless told otherwise
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman alarm list
  lineman alarm list --state all --equipment ne-1.jw.ne
  lineman alarm list -o csv > alarms.csv")]
pub struct List {
    #[arg(long, default_value = "raised", value_parser = ["raised", "cleared", "all"])]
    state: String,
    #[arg(long, value_name = "NE")]
    equipment: Option<NeName>,
    #[command(flatten)]
    limit: Limit,
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::List(list) => {
                let filter = Filter {
                    state: Some(list.state).filter(|state| state != "all"),
                    equipment: list.equipment.map(|ne| ne.to_string()),
                    ..Filter::default()
                };
                let (client, filter) = (&client, &filter);
                let alarms = list.limit.read(app, |page| async move { client.alarms(filter, &page).await }).await?;
                app.out.list(&alarms, |alarms| alarms_table(alarms))?;
            }
            Self::Show { alarm } => {
                let alarm = client.alarm(&alarm).await?;
                app.out.sheet(&alarm, sheet)?;
            }
            Self::Ack { alarm, note } => {
                let alarm = client.acknowledge(&alarm, &Acknowledgement { note: note.into() }).await?;
                app.out.row(&alarm, |alarms| alarms_table(alarms.iter().copied()))?;
            }
        }
        Ok(Exit::Done)
    }
}

pub fn alarms_table<'a>(alarms: impl IntoIterator<Item = &'a Alarm>) -> Table {
    let row = |alarm: &'a Alarm| {
        [
            text(&alarm.equipment),
            resource_state(alarm.state),
            severity(alarm.severity),
            text(name(alarm)),
            Cell::option(alarm.value.as_ref()),
            alarm.raised_at.into(),
            Cell::option(alarm.fault.as_ref()),
            operator(alarm),
            text(&alarm.text),
            text(alarm.id),
        ]
    };
    let head = ["equipment", "state", "severity", "alarm", "value", "raised", "fault", "operator", "text", "id"];
    Table::new(head, alarms.into_iter().map(row))
}

fn name(alarm: &Alarm) -> String {
    if alarm.qualifier.is_empty() { alarm.alarm_type.to_string() } else { format!("{}/{}", alarm.alarm_type, alarm.qualifier) }
}

fn operator(alarm: &Alarm) -> Cell {
    match alarm.operator_state {
        OperatorState::None => text(""),
        OperatorState::Acknowledged | OperatorState::Closed => {
            let by = alarm.operator.as_deref().unwrap_or_default();
            Cell::toned(format!("{} {by}", alarm.operator_state).trim_end(), Tone::Dim)
        }
    }
}

fn sheet(alarm: &Alarm) -> Sheet {
    let fields = vec![
        ("alarm", text(name(alarm))),
        ("equipment", text(&alarm.equipment)),
        ("state", resource_state(alarm.state)),
        ("severity", severity(alarm.severity)),
        ("text", text(&alarm.text)),
        ("value", Cell::option(alarm.value.as_ref())),
        ("threshold", Cell::option(alarm.threshold.as_ref())),
        ("event type", text(alarm.event_type)),
        ("probable cause", text(alarm.probable_cause)),
        ("raised at", alarm.raised_at.into()),
        ("changed at", alarm.changed_at.into()),
        ("received at", alarm.received_at.into()),
        ("cleared at", Cell::Time(alarm.cleared_at)),
        ("raised times", text(alarm.count)),
        ("operator", operator(alarm)),
        ("operator's note", Cell::option(alarm.operator_note.as_ref())),
        ("fault", Cell::option(alarm.fault.as_ref())),
        ("id", text(alarm.id)),
    ];
    Sheet { fields, parts: Vec::new() }
}

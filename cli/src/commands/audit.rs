//! `lineman audit`: the log of everything, newest first.

use clap::{Args, Subcommand};
use lineman_common::api::Event;
use lineman_common::name::CustomerCode;

use super::{App, Limit};
use crate::client::AuditQuery;
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Table, text};

/// The log of everything that happened, for auditors
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman audit list --kind consent,session --since 2026-11-01T00:00:00Z
  lineman admin audit chain")]
pub enum Command {
    List(List),
}

/// List what happened, newest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman audit list
  lineman audit list --customer JW --kind consent --limit 50
  lineman audit list --actor engineer-a --limit 5000 -o csv > audit.csv")]
pub struct List {
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    /// Kinds of events, or what these begin with: fault,consent.approved
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    kind: Vec<String>,
    /// A person's name, agent:NE, or system
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Recorded then or later, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<jiff::Timestamp>,
    /// Recorded before then
    #[arg(long, value_name = "TIME")]
    until: Option<jiff::Timestamp>,
    #[command(flatten)]
    limit: Limit,
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let Self::List(List { customer, kind, actor, since, until, limit }) = self;
        let client = app.client()?;
        let time = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
        let query =
            AuditQuery { customer: customer.map(|code| code.to_string()), kinds: kind, actor, since: time(since), until: time(until) };
        let (client, query) = (&client, &query);
        let events = limit.read(app, |page| async move { client.audit(query, &page).await }).await?;
        app.out.list(&events, table)?;
        Ok(Exit::Done)
    }
}

fn table(events: &[Event]) -> Table {
    let row = |event: &Event| {
        let about = event.fault.as_ref().map(ToString::to_string).or_else(|| event.equipment.as_ref().map(ToString::to_string));
        [text(event.seq), event.recorded_at.into(), text(&event.kind), text(&event.actor), Cell::option(about), text(&event.text)]
    };
    Table::new(["seq", "recorded", "kind", "actor", "about", "text"], events.iter().map(row))
}

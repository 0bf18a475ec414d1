//! `lineman fault edit`, against the version that was seen; and when resolved faults close by themselves.

use clap::Args;
use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::alarm::Severity;
use lineman_common::api::{Closing, EditFault};
use lineman_common::error::ErrorCode;
use lineman_common::fault::{FaultKind, Impact};

use super::{say_warnings, show};
use crate::client::{Client, ClientError, Seen};
use crate::commands::{App, word};
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Table, text};

/// Change what a fault says; refused, with both texts, when somebody else changed it since you saw it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman fault edit F-JW-1 --title 'fan 2 has stopped' --reference INC-4711
  lineman fault edit F-JW-1 --severity critical --seen 17")]
pub struct Edit {
    fault: String,
    #[arg(long)]
    title: Option<String>,
    #[arg(long)]
    description: Option<String>,
    /// The customer's own ticket number; an empty one takes it away
    #[arg(long, value_name = "TICKET")]
    reference: Option<String>,
    #[arg(long, value_parser = word::<Impact>(Impact::WORDS))]
    impact: Option<Impact>,
    #[arg(long, value_parser = word::<Severity>(Severity::WORDS))]
    severity: Option<Severity>,
    #[arg(long, value_parser = word::<FaultKind>(FaultKind::WORDS))]
    kind: Option<FaultKind>,
    /// The version that you saw, as `fault show -o json` has it [default: the newest]
    #[arg(long, value_name = "VERSION")]
    seen: Option<u64>,
}

impl Edit {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        let seen = match self.seen {
            Some(seen) => seen,
            None => client.fault(&self.fault).await?.fault.version,
        };
        let edit = EditFault {
            title: self.title.map(Printable::from),
            description: self.description.map(Printable::from),
            customer_reference: self.reference.map(Printable::from),
            impact: self.impact,
            severity: self.severity,
            kind: self.kind,
        };
        let fault = client.edit_fault(&self.fault, Seen(seen), &edit).await.inspect_err(|error| say_both(app, error))?;
        app.out.row(&fault, |faults| show::faults_table(faults.iter().copied(), Timestamp::now()))?;
        say_warnings(app, &fault);
        Ok(Exit::Done)
    }
}

/// Of a conflict: what was typed, and what is there now, field by field.
pub fn say_both(app: &App, error: &ClientError) {
    let ClientError::Problem(problem) = error else { return };
    let Some(details) = problem.details.as_ref().filter(|_| problem.code == ErrorCode::PreconditionFailed) else { return };
    for (field, yours) in details["yours"].as_object().into_iter().flatten() {
        let shown = |value: &serde_json::Value| Printable::new(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        app.say(format!("{field}, yours:   {}\n{field}, current: {}", shown(yours), shown(&details["current"][field])));
    }
}

#[derive(Debug, Args)]
pub struct ClosingArgs {
    /// For customers of this tier [default: for all that have none of their own]
    #[arg(long, value_name = "NAME")]
    tier: Option<String>,
    #[arg(long, value_name = "N", conflicts_with = "never")]
    days: Option<u32>,
    /// They wait for people
    #[arg(long)]
    never: bool,
}

impl ClosingArgs {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        let settings = if self.days.is_some() || self.never {
            let after_s = self.days.map(|days| days.saturating_mul(24 * 3600));
            client.put_closing(&Closing { tier: self.tier, after_s }).await?
        } else {
            client.closing().await?
        };
        app.out.list(&settings.items, |settings| {
            let row =
                |closing: &Closing| [text(closing.tier.as_deref().unwrap_or("all others")), Cell::Seconds(closing.after_s.map(u64::from))];
            Table::new(["tier", "closes after"], settings.iter().map(row))
        })?;
        Ok(Exit::Done)
    }
}

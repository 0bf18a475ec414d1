//! `lineman customer`: the carriers, and the switch that stops everything for one of them.

use clap::Subcommand;
use lineman_common::api::{Customer, Reason};
use lineman_common::name::CustomerCode;

use super::App;
use super::admin::customers_table;
use crate::client::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Tone, text};
use crate::prompt;

/// Customers: list them; stop everything for one, and take that back
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman customer list
  lineman customer stop JW --reason 'suspected break-in'
  lineman customer resume JW --reason 'cleared by security'")]
pub enum Command {
    /// List customers, and which of them are stopped
    #[command(after_help = "Examples:\n  lineman customer list")]
    List,
    /// Show one customer
    #[command(after_help = "Examples:\n  lineman customer show JW")]
    Show {
        #[arg(value_name = "CODE")]
        customer: CustomerCode,
    },
    /// Stop everything: every session and consent of the customer ends at once, and none is taken
    #[command(after_help = "Examples:
  lineman customer stop JW --reason 'suspected break-in'
  lineman customer stop JW --reason 'suspected break-in' --yes")]
    Stop {
        #[arg(value_name = "CODE")]
        customer: CustomerCode,
        #[arg(long)]
        reason: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Take a stop back; what it ended stays ended. Only the customer's own people can
    #[command(after_help = "Examples:\n  lineman customer resume JW --reason 'cleared by security'")]
    Resume {
        #[arg(value_name = "CODE")]
        customer: CustomerCode,
        #[arg(long)]
        reason: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::List => {
                let customers = client.customers().await?.items;
                app.out.list(&customers, |customers| customers_table(customers))?;
            }
            Self::Show { customer } => app.out.sheet(&find(&client, &customer).await?, sheet)?,
            Self::Stop { customer, reason, yes } => {
                let what = format!(
                    "stop {customer} on {}: every session and consent of {customer} ends now, on all its devices, \
                     and none is taken until its own people resume",
                    client.server()
                );
                prompt::confirm(&what, yes)?;
                let customer = client.stop_customer(customer.as_str(), &Reason { reason: reason.into() }).await?;
                app.out.row(&customer, |customers| customers_table(customers.iter().copied()))?;
                app.say(format!(
                    "{} is stopped. A device that is offline hears it when it is back; on the device itself: lineman-agent stop",
                    customer.code
                ));
            }
            Self::Resume { customer, reason, yes } => {
                let what = format!("resume {customer} on {}: new consents are taken again; what was ended stays ended", client.server());
                prompt::confirm(&what, yes)?;
                let customer = client.resume_customer(customer.as_str(), &Reason { reason: reason.into() }).await?;
                app.out.row(&customer, |customers| customers_table(customers.iter().copied()))?;
                app.say("a device that was stopped on the spot stays stopped: lineman-agent resume, there");
            }
        }
        Ok(Exit::Done)
    }
}

async fn find(client: &Client, code: &CustomerCode) -> Result<Customer, Failure> {
    let customers = client.customers().await?.items;
    let found = customers.into_iter().find(|customer| customer.code == *code);
    found.ok_or_else(|| Failure::new(Exit::NotFound, format!("no customer {code}")).hint("lineman customer list"))
}

fn sheet(customer: &Customer) -> Sheet {
    let mut fields = vec![
        ("code", text(&customer.code)),
        ("name", text(&customer.name)),
        ("tier", text(&customer.tier)),
        ("since", customer.created_at.into()),
    ];
    if let Some(stopped) = &customer.stopped {
        fields.extend([
            ("stopped at", stopped.at.into()),
            ("stopped by", Cell::toned(&stopped.by, Tone::Bad)),
            ("because", text(&stopped.reason)),
        ]);
    }
    fields.push(("id", text(customer.id)));
    Sheet { fields, parts: Vec::new() }
}

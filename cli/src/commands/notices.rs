//! `lineman notices`: who is told when a request waits for an answer. A notice brings a link, never the power to sign.

use clap::{Args, Subcommand};
use lineman_common::api::{NoticeSettings, NoticesView};
use lineman_common::name::CustomerCode;

use super::App;
use super::signers::own_customer;
use crate::client::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, text};

/// Notices: who is told, by webhook or e-mail, when a request waits for your answer
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman notices show
  lineman notices set JW --mail noc@carrier.example --webhook https://chat.carrier.example/hook
  lineman notices test JW")]
pub enum Command {
    /// Show who is told, and the newest notices
    #[command(after_help = "Examples:\n  lineman notices show JW")]
    Show {
        /// The customer [default: your own]
        #[arg(value_name = "CODE")]
        customer: Option<CustomerCode>,
    },
    Set(Set),
    /// Send a notice to everybody who would be told
    #[command(after_help = "Examples:\n  lineman notices test JW")]
    Test {
        /// The customer [default: your own]
        #[arg(value_name = "CODE")]
        customer: Option<CustomerCode>,
    },
}

/// Say who is told; this takes the place of what was set before
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman notices set JW --mail noc@carrier.example --webhook https://chat.carrier.example/hook
  lineman notices set JW --none")]
pub struct Set {
    /// The customer [default: your own]
    #[arg(value_name = "CODE")]
    customer: Option<CustomerCode>,
    /// An e-mail address; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    mail: Vec<String>,
    /// A URL that gets a POST with JSON; may be given several times
    #[arg(long, value_name = "URL")]
    webhook: Vec<String>,
    /// Nobody
    #[arg(long, conflicts_with_all = ["mail", "webhook"])]
    none: bool,
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::Show { customer } => show(app, &client.notices(chosen(&client, customer).await?.as_str()).await?)?,
            Self::Set(Set { customer, mail, webhook, none }) => {
                if mail.is_empty() && webhook.is_empty() && !none {
                    return Err(Failure::usage("nobody is named").hint("--mail ADDRESS, --webhook URL, or --none"));
                }
                let customer = chosen(&client, customer).await?;
                show(app, &client.put_notices(customer.as_str(), &NoticeSettings { webhooks: webhook, mail }).await?)?;
            }
            Self::Test { customer } => {
                let customer = chosen(&client, customer).await?;
                show(app, &client.test_notices(customer.as_str()).await?)?;
                app.say(format!("on its way; how it went shows in a moment: lineman notices show {customer}"));
            }
        }
        Ok(Exit::Done)
    }
}

async fn chosen(client: &Client, customer: Option<CustomerCode>) -> Result<CustomerCode, Failure> {
    match customer {
        Some(customer) => Ok(customer),
        None => own_customer(client).await,
    }
}

fn show(app: &App, view: &NoticesView) -> Result<(), Failure> {
    app.out.sheet(view, sheet)?;
    if view.settings.mail.is_empty() && view.settings.webhooks.is_empty() {
        app.say("nobody is told: lineman notices set --help");
    }
    Ok(())
}

fn sheet(view: &NoticesView) -> Sheet {
    let NoticesView { settings, recent } = view;
    let mails = settings.mail.iter().map(|mail| ("mail", text(mail)));
    let hooks = settings.webhooks.iter().map(|url| ("webhook", text(url)));
    let rows = recent.iter().map(|notice| {
        let state = match (&notice.delivered_at, &notice.problem) {
            (Some(_), _) => Cell::toned("delivered", Tone::Good),
            (None, Some(_)) => Cell::toned("failing", Tone::Bad),
            (None, None) => Cell::toned("waiting", Tone::Warn),
        };
        [
            notice.at.into(),
            state,
            text(&notice.kind),
            text(&notice.target),
            text(notice.attempts),
            text(&notice.subject),
            Cell::option(notice.problem.as_ref()),
        ]
    });
    let table = Table::new(["at", "state", "what", "to", "tries", "subject", "problem"], rows);
    Sheet { fields: mails.chain(hooks).collect(), parts: vec![("newest notices", table)] }
}

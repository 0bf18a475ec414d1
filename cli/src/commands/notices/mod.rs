//! `lineman notices`: who is told of what, where, and how it went. A notice brings a link, never the power to sign.

mod log;
mod preferences;
mod target;

use clap::{Args, Subcommand};
use lineman_common::api::{NoticeSecret, NoticeSettings, NoticesView, RepeatAcknowledgement};
use lineman_common::name::CustomerCode;
use lineman_common::notice::Topic;

use super::signers::own_customer;
use super::{App, word};
use crate::client::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, text};

/// Notices: who is told of what, by webhook or e-mail, and how it went
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman notices target add mail engineer-a@support.example
  lineman notices prefer --zone Asia/Shanghai --quiet-hours 22:00-07:00 --topic clock=none
  lineman notices log --state given_up
  lineman notices set JW --mail noc@carrier.example --webhook https://chat.carrier.example/hook")]
pub enum Command {
    Preferences(preferences::Preferences),
    Prefer(preferences::Prefer),
    #[command(subcommand)]
    Target(target::Command),
    Log(log::Log),
    Delivery(log::Delivery),
    Replay(log::Replay),
    /// Say why a critical fault that nobody has accepted need not be told again
    #[command(after_help = "Examples:\n  lineman notices ack F-JW-1 --why 'planned work, ends at 04:00'")]
    Ack {
        fault: String,
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Show where a customer's people are told together, and the newest notices there
    #[command(after_help = "Examples:\n  lineman notices show JW")]
    Show {
        /// The customer [default: your own]
        #[arg(value_name = "CODE")]
        customer: Option<CustomerCode>,
    },
    Set(Set),
    /// Send a test to everybody of a customer who would be told
    #[command(after_help = "Examples:\n  lineman notices test JW")]
    Test {
        /// The customer [default: your own]
        #[arg(value_name = "CODE")]
        customer: Option<CustomerCode>,
    },
}

/// Say where a customer's people are told together; this takes the place of what was set before
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman notices set JW --mail noc@carrier.example --webhook https://chat.carrier.example/hook
  lineman notices set JW --mail noc@carrier.example --topic consent --topic reply --topic status
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
    /// What is told there; may be given several times [default: as before]
    #[arg(long, value_name = "TOPIC", value_parser = word::<Topic>(Topic::WORDS))]
    topic: Vec<Topic>,
    /// Nobody
    #[arg(long, conflicts_with_all = ["mail", "webhook", "topic"])]
    none: bool,
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::Show { customer } => show(app, &client.notices(chosen(&client, customer).await?.as_str()).await?)?,
            Self::Preferences(preferences) => preferences.run(app, &client).await?,
            Self::Prefer(prefer) => prefer.run(app, &client).await?,
            Self::Target(command) => command.run(app, &client).await?,
            Self::Log(log) => log.run(app, &client).await?,
            Self::Delivery(delivery) => delivery.run(app, &client).await?,
            Self::Replay(replay) => replay.run(app, &client).await?,
            Self::Ack { fault, why } => {
                let repeat = client.acknowledge_repeat(&fault, &RepeatAcknowledgement { why: why.into() }).await?;
                app.out.sheet(&repeat, log::repeat_sheet)?;
            }
            Self::Set(Set { customer, mail, webhook, topic, none }) => {
                if mail.is_empty() && webhook.is_empty() && !none {
                    return Err(Failure::usage("nobody is named").hint("--mail ADDRESS, --webhook URL, or --none"));
                }
                let customer = chosen(&client, customer).await?;
                let topics = (!topic.is_empty()).then_some(topic);
                show(app, &client.put_notices(customer.as_str(), &NoticeSettings { webhooks: webhook, mail, topics }).await?)?;
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

/// A secret is shown once, in full, as data: whoever asked for it needs it.
fn secrets_table<'a>(secrets: impl IntoIterator<Item = &'a NoticeSecret>) -> Table {
    let rows = secrets
        .into_iter()
        .map(|known| [text(known.target), text(&known.address), text(&known.key), text(&known.secret), Cell::Time(known.old_until)]);
    Table::new(["target", "address", "key", "secret", "old one until"], rows)
}

fn sheet(view: &NoticesView) -> Sheet {
    let NoticesView { settings, recent, secrets } = view;
    let topics = settings.topics.iter().flatten().map(|topic| ("told of", text(topic)));
    let mails = settings.mail.iter().map(|mail| ("mail", text(mail)));
    let hooks = settings.webhooks.iter().map(|url| ("webhook", text(url)));
    Sheet {
        fields: mails.chain(hooks).chain(topics).collect(),
        parts: vec![("secrets, shown this once", secrets_table(secrets)), ("newest notices", log::notices_table(recent))],
    }
}

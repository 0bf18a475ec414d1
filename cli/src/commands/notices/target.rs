//! Where notices arrive.

use clap::Subcommand;
use lineman_common::api::{AddedTarget, NewNoticeTarget, NoticeTarget};
use lineman_common::name::PersonName;
use lineman_common::notice::ChannelKind;

use super::secrets_table;
use crate::client::Client;
use crate::commands::{App, Limit, word};
use crate::exit::Failure;
use crate::output::{Cell, Sheet, Table, Tone, text};

/// Where notices arrive: your own e-mail addresses and webhooks
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman notices target list
  lineman notices target add webhook https://chat.example.net/hook
  lineman notices target rotate-secret ntt_0123456789abcdef0123456789abcdef")]
pub enum Command {
    /// List targets, and how they do
    #[command(after_help = "Examples:\n  lineman notices target list")]
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one target
    #[command(after_help = "Examples:\n  lineman notices target show ntt_0123456789abcdef0123456789abcdef")]
    Show { target: String },
    /// Add one; a webhook's secret is shown this once
    #[command(after_help = "Examples:
  lineman notices target add mail engineer-a@support.example
  lineman notices target add webhook https://chat.example.net/hook")]
    Add {
        #[arg(value_parser = word::<ChannelKind>(ChannelKind::WORDS))]
        channel: ChannelKind,
        /// An e-mail address, or a URL that gets a signed POST with JSON
        address: String,
        /// Somebody else's (admin)
        #[arg(long, value_name = "NAME")]
        person: Option<PersonName>,
    },
    /// Take one away; what waits for it is not sent
    #[command(after_help = "Examples:\n  lineman notices target remove ntt_0123456789abcdef0123456789abcdef")]
    Remove { target: String },
    /// Send a test
    #[command(after_help = "Examples:\n  lineman notices target test ntt_0123456789abcdef0123456789abcdef")]
    Test { target: String },
    /// Make a new secret for a webhook; for a day the one before signs too
    #[command(after_help = "Examples:\n  lineman notices target rotate-secret ntt_0123456789abcdef0123456789abcdef")]
    RotateSecret { target: String },
}

impl Command {
    pub async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        match self {
            Self::List { limit } => {
                let targets = limit.read(app, |page| async move { client.notice_targets(&page).await }).await?;
                app.out.list(&targets, |targets| table(targets))
            }
            Self::Show { target } => app.out.sheet(&client.notice_target(&target).await?, sheet),
            Self::Add { channel, address, person } => {
                app.out.sheet(&client.add_notice_target(&NewNoticeTarget { channel, address, person }).await?, added)
            }
            Self::Remove { target } => app.out.row(&client.remove_notice_target(&target).await?, |targets| table(targets.iter().copied())),
            Self::Test { target } => {
                app.out.row(&client.test_notice_target(&target).await?, |targets| table(targets.iter().copied()))?;
                app.say(format!("on its way; how it went shows in a moment: lineman notices log --target {target}"));
                Ok(())
            }
            Self::RotateSecret { target } => app.out.sheet(&client.rotate_notice_secret(&target).await?, added),
        }
    }
}

fn whose(target: &NoticeTarget) -> String {
    let person = target.person.as_ref().map(ToString::to_string);
    person.or_else(|| target.customer.as_ref().map(ToString::to_string)).unwrap_or_default()
}

fn state(target: &NoticeTarget) -> Cell {
    match (target.paused_until, target.failures) {
        (Some(_), 1..) => Cell::toned("failing", Tone::Bad),
        (None, 1..) => Cell::toned("shaky", Tone::Warn),
        (_, 0) => Cell::toned("good", Tone::Good),
    }
}

fn table<'a>(targets: impl IntoIterator<Item = &'a NoticeTarget>) -> Table {
    let row = |target: &'a NoticeTarget| {
        [text(whose(target)), text(target.channel), text(&target.address), state(target), text(target.waiting), text(target.id)]
    };
    Table::new(["whose", "channel", "address", "state", "waiting", "id"], targets.into_iter().map(row))
}

fn fields(target: &NoticeTarget) -> Vec<(&'static str, Cell)> {
    vec![
        ("target", text(target.id)),
        ("whose", text(whose(target))),
        ("channel", text(target.channel)),
        ("address", text(&target.address)),
        ("added", target.created_at.into()),
        ("by", text(&target.created_by)),
        ("keys", text(target.keys.join(" "))),
        ("state", state(target)),
        ("failures", text(target.failures)),
        ("paused until", Cell::Time(target.paused_until)),
        ("waiting", text(target.waiting)),
    ]
}

fn sheet(target: &NoticeTarget) -> Sheet {
    Sheet { fields: fields(target), parts: Vec::new() }
}

fn added(added: &AddedTarget) -> Sheet {
    Sheet { fields: fields(&added.target), parts: vec![("secret, shown this once", secrets_table(&added.secret))] }
}

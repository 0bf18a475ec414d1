//! `lineman fault link`: how faults stand to one another.

use clap::Subcommand;
use lineman_common::api::{FaultLink, NewFaultLink};
use lineman_common::fault::LinkKind;
use lineman_common::name::FaultNumber;

use crate::client::Client;
use crate::commands::{App, word};
use crate::exit::{Exit, Outcome};
use crate::output::{Table, text};

/// Links to other faults: related, causes, blocks
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman fault link list F-JW-1
  lineman fault link add F-JW-2 caused_by F-JW-1")]
pub enum Command {
    /// List how a fault stands to others
    #[command(after_help = "Examples:\n  lineman fault link list F-JW-1")]
    List { fault: String },
    /// Say how a fault stands to another of the same customer; what is blocked can't be resolved before what blocks it
    #[command(after_help = "Examples:
  lineman fault link add F-JW-2 caused_by F-JW-1
  lineman fault link add F-JW-1 blocks F-JW-3")]
    Add {
        fault: String,
        #[arg(value_parser = word::<LinkKind>(LinkKind::WORDS))]
        kind: LinkKind,
        to: FaultNumber,
    },
    /// Take the links between two faults away
    #[command(after_help = "Examples:\n  lineman fault link remove F-JW-2 F-JW-1")]
    Remove { fault: String, other: String },
}

impl Command {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        let links = match self {
            Self::List { fault } => client.links(&fault).await?,
            Self::Add { fault, kind, to } => client.link_fault(&fault, &NewFaultLink { kind, to }).await?,
            Self::Remove { fault, other } => client.unlink_fault(&fault, &other).await?,
        };
        app.out.list(&links.items, links_table)?;
        Ok(Exit::Done)
    }
}

pub fn links_table(links: &[FaultLink]) -> Table {
    let row = |link: &FaultLink| {
        [text(&link.fault), text(link.kind), text(&link.to), text(link.status), text(&link.title), text(&link.by), link.at.into()]
    };
    Table::new(["fault", "stands", "to", "status", "title", "by", "at"], links.iter().map(row))
}

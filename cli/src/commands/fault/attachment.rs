//! `lineman fault attach` and `attachment`: a fault's files.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lineman_common::api::{Attachment, Reason};

use crate::client::Client;
use crate::commands::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Table, text};

/// What the server takes at most; refused here, before it is read.
const LARGEST_BYTES: u64 = 20 * 1024 * 1024;

#[derive(Debug, Args)]
pub struct Attach {
    fault: String,
    file: PathBuf,
    /// Name that is shown [default: the file's]
    #[arg(long)]
    name: Option<String>,
    /// Only for the support centre's people
    #[arg(long)]
    internal: bool,
}

/// Files of a fault
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman fault attachment list F-JW-1
  lineman fault attachment get F-JW-1 att_0123456789abcdef0123456789abcdef --to fan.jpg")]
pub enum Command {
    /// List them
    #[command(after_help = "Examples:\n  lineman fault attachment list F-JW-1")]
    List { fault: String },
    /// Download one into a file, which must not exist yet
    #[command(after_help = "Examples:\n  lineman fault attachment get F-JW-1 att_0123456789abcdef0123456789abcdef --to fan.jpg")]
    Get {
        fault: String,
        attachment: String,
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Delete one; that it was there stays on the timeline
    #[command(
        after_help = "Examples:\n  lineman fault attachment delete F-JW-1 att_0123456789abcdef0123456789abcdef --reason 'holds a password'"
    )]
    Delete {
        fault: String,
        attachment: String,
        #[arg(long)]
        reason: String,
    },
}

impl Attach {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        let unreadable = |e: std::io::Error| Failure::failed(format!("can't read {}: {e}", self.file.display()));
        let size = std::fs::metadata(&self.file).map_err(unreadable)?.len();
        if size > LARGEST_BYTES {
            return Err(Failure::usage(format!("{} is too large: {} MiB at most", self.file.display(), LARGEST_BYTES >> 20)));
        }
        let own = self.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = self.name.unwrap_or(own);
        let bytes = std::fs::read(&self.file).map_err(unreadable)?;
        let attachment = client.attach(&self.fault, &name, self.internal, bytes).await?;
        app.out.row(&attachment, |attachments| attachments_table(attachments.iter().copied()))?;
        Ok(Exit::Done)
    }
}

impl Command {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        match self {
            Self::List { fault } => {
                let attachments = client.attachments(&fault).await?.items;
                app.out.list(&attachments, |attachments| attachments_table(attachments))?;
            }
            Self::Get { fault, attachment, to } => {
                let failed = |e: std::io::Error| Failure::failed(format!("can't write {}: {e}", to.display()));
                let mut file = tokio::fs::OpenOptions::new().write(true).create_new(true).open(&to).await.map_err(failed)?;
                let written = match client.download(&fault, &attachment, &mut file).await {
                    Ok(written) => written.map_err(failed),
                    Err(error) => Err(error.into()),
                };
                // Half a file is none.
                let written = written.inspect_err(|_| drop(std::fs::remove_file(&to)))?;
                app.say(format!("{} bytes in {}", written, to.display()));
            }
            Self::Delete { fault, attachment, reason } => {
                let deleted = client.delete_attachment(&fault, &attachment, &Reason { reason: reason.into() }).await?;
                app.out.row(&deleted, |attachments| attachments_table(attachments.iter().copied()))?;
            }
        }
        Ok(Exit::Done)
    }
}

pub fn attachments_table<'a>(attachments: impl IntoIterator<Item = &'a Attachment>) -> Table {
    let row = |attachment: &'a Attachment| {
        [
            text(attachment.id),
            text(&attachment.name),
            text(attachment.size_bytes),
            text(&attachment.media_type),
            text(if attachment.internal { "internal" } else { "" }),
            text(&attachment.fault),
            text(&attachment.by),
            attachment.at.into(),
        ]
    };
    Table::new(["id", "name", "bytes", "type", "for", "fault", "by", "at"], attachments.into_iter().map(row))
}

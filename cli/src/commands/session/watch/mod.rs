//! `lineman session watch`: four eyes on a live session.
//!
//! Watching is reading the recording while it is written. The stream brings the chunks as the device signed them; each is verified
//! against the device's key and against the chunk before it *before* anything of it shows ([`follow`]). Whoever comes late gets all
//! chunks from the first on, which the chain needs anyway, and first sees the screen as it is now. Nothing goes to the device: the
//! only thing that a watcher can do there is end the session.

mod channels;
mod follow;
mod lines;
mod live;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use lineman_common::api::Session;
use lineman_common::statement::sig;

use self::follow::{Feed, Follower};
use super::key::{self, Key, Lists};
use crate::client::Client;
use crate::commands::App;
use crate::exit::{Exit, Failure, Outcome};

/// Watch a session live, read only
///
/// What is shown was signed by the device: every chunk is verified as it comes, and a chunk that does not hold ends the watch and is
/// named (exit code 8). Keys: q or Ctrl-C leaves, k ends the session after asking for a reason. Whoever comes late sees the screen as
/// it is now. In a pipe the transcript is printed line by line; with -o json every event. Survives a cut connection.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman session watch ses_0123456789abcdef0123456789abcdef
  lineman session watch ses_0123456789abcdef0123456789abcdef --all
  lineman session watch ses_0123456789abcdef0123456789abcdef -o json > events.jsonl")]
pub struct Watch {
    session: String,
    /// Only this channel [default: the terminal, or the newest command, as they come]
    #[arg(long, value_name = "N", conflicts_with = "all")]
    channel: Option<u32>,
    /// Lines of all channels, each with the number of its channel
    #[arg(long)]
    all: bool,
    /// Don't check the device's signatures: for a machine that has no vendor root; the chain is checked all the same
    #[arg(long)]
    unverified: bool,
    /// Your signers file [default: `signers` in the trust directory]
    #[arg(long, value_name = "FILE")]
    signers: Option<PathBuf>,
    /// Your vendor root [default: `vendor-root` in the trust directory]
    #[arg(long, value_name = "FILE")]
    vendor_root: Option<PathBuf>,
}

/// Whom and what is watched.
struct Watched {
    session: Session,
    /// Why the device's key is believed; `None` when nobody asked.
    believed: Option<String>,
}

impl Watched {
    fn verified(&self) -> &'static str {
        if self.believed.is_some() { "verified" } else { "NOT VERIFIED" }
    }
}

impl Watch {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        let session = client.session(&self.session).await?;
        let key = self.key(app, &client, &session).await?;
        let host_key = key.as_ref().map(|key| key.key.clone());
        let watched = Watched { believed: key.map(|key| key.believed), session };
        let feed = Feed::new(client.clone(), Follower::new(&watched.session, host_key));
        let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        if terminal && !self.all && !app.out.is_json() {
            return live::run(app, &client, watched, feed, self.channel).await;
        }
        let only = self.channel;
        tokio::select! {
            outcome = lines::run(app, &watched, feed, only) => outcome,
            exit = crate::commands::interrupted() => Ok(exit),
        }
    }

    /// The device's key, from its statement, which is checked on this machine.
    async fn key(&self, app: &App, client: &Client, session: &Session) -> Result<Option<Key>, Failure> {
        if self.unverified {
            app.say("warning: the device's signatures are not checked");
            return Ok(None);
        }
        let statement = client
            .consent(&session.consent.to_string())
            .await?
            .device_statement
            .ok_or_else(|| Failure::new(Exit::CheckFailed, format!("the centre does not show the statement of {}", session.device)))?;
        let lists = Lists { signers: self.signers.clone(), vendor_root: self.vendor_root.clone() };
        let key = key::vouched(app, &lists, &statement, session.started_at).await.map_err(|failure| {
            if failure.hint.is_some() { failure } else { failure.hint("--unverified shows it without checking whose signatures they are") }
        })?;
        app.say(format!("{}, key {}", key.believed, sig::fingerprint(&key.key)));
        Ok(Some(key))
    }
}

/// What remains to be said when a watch ends.
fn farewell(app: &App, watched: &Watched, feed: &Follower, ended: &Session) {
    let why = ended.end_reason.map_or_else(|| "no reason given".to_owned(), |reason| reason.to_string());
    app.say(format!("{} ended: {why}; {} chunks, {}", ended.id, feed.chunks(), watched.verified()));
}

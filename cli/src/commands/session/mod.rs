//! `lineman session`: what happened on the devices, and what happens there now.

mod bundle;
mod export;
mod grep;
mod key;
mod moment;
mod play;
mod screen;
mod show;
mod source;
mod verify;
mod watch;
mod window;

use clap::Subcommand;
use lineman_common::api::{Reason, SessionState, ViewList};

use show::sessions_table;

use super::view::Asked;
use super::{App, Limit};
use crate::exit::{Exit, Outcome};
use crate::prompt;

/// Sessions: list, watch, search, play, prove, end them
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman session list --live
  lineman session watch ses_0123456789abcdef0123456789abcdef
  lineman session grep 'fan 2' --equipment ne-1.jw.ne
  lineman session verify ses_0123456789abcdef0123456789abcdef")]
pub enum Command {
    /// List sessions
    #[command(
        after_help = "Examples:\n  lineman session list\n  lineman session list --live\n  lineman session list --fault F-JW-1 -o json\n  lineman session list --query 'engineer:me started:today'"
    )]
    List {
        #[arg(long)]
        fault: Option<String>,
        #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(SessionState::WORDS))]
        state: Option<String>,
        /// Only those that go on now: the same as --state live
        #[arg(long, conflicts_with = "state")]
        live: bool,
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one session: who, under which consent, what was done, what was left behind
    #[command(after_help = "Examples:
  lineman session show ses_0123456789abcdef0123456789abcdef
  lineman session show ses_0123456789abcdef0123456789abcdef -o json")]
    Show {
        session: String,
    },
    Watch(watch::Watch),
    /// End a live session at once
    #[command(after_help = "Examples:\n  lineman session kill ses_0123456789abcdef0123456789abcdef --reason 'wrong device' --yes")]
    Kill {
        session: String,
        #[arg(long, default_value = "no reason given")]
        reason: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
    Play(play::Play),
    Grep(grep::Grep),
    Export(export::Export),
    Verify(verify::Verify),
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        match self {
            Self::List { fault, state, live, asked, limit } => {
                let client = &app.client()?;
                let state = if live { Some(SessionState::Live.to_string()) } else { state };
                let parts = [("state", state), ("fault", fault)];
                let parts: &Vec<_> = &parts.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
                let ask = &asked.read(client, ViewList::Sessions, None).await?;
                let sessions = limit.read(app, |page| async move { client.session_rows(parts, ask, &page).await }).await?;
                app.out.list(&sessions, |sessions| sessions_table(sessions.iter().map(|row| &row.session)))?;
            }
            Self::Show { session } => show::run(app, &session).await?,
            Self::Kill { session, reason, yes } => {
                let client = app.client()?;
                prompt::confirm(&format!("end {session} on {}", client.server()), yes)?;
                let session = client.kill(&session, &Reason { reason: reason.into() }).await?;
                app.out.row(&session, |sessions| sessions_table(sessions.iter().copied()))?;
            }
            Self::Watch(watch) => return watch.run(app).await,
            Self::Play(play) => return play.run(app).await,
            Self::Grep(grep) => return grep.run(app).await,
            Self::Export(export) => return export.run(app).await,
            Self::Verify(verify) => return verify.run(app).await,
        }
        Ok(Exit::Done)
    }
}

//! `lineman session`: what happened on the devices.

mod play;
mod screen;
mod verify;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lineman_common::api::{Reason, RecordingReply, Session, SessionState};
use lineman_common::recording::{self, Recording};

use super::App;
use crate::client::Filter;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, text, write_bytes};
use crate::prompt;

/// Sessions: list, watch their recordings, prove them, end them
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman session list --fault F-JW-1
  lineman session play ses_0123456789abcdef0123456789abcdef
  lineman session verify ses_0123456789abcdef0123456789abcdef")]
pub enum Command {
    /// List sessions
    #[command(
        after_help = "Examples:\n  lineman session list\n  lineman session list --state live\n  lineman session list --fault F-JW-1 -o json"
    )]
    List {
        #[arg(long)]
        fault: Option<String>,
        #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(SessionState::WORDS))]
        state: Option<String>,
    },
    /// Show one session
    #[command(after_help = "Examples:\n  lineman session show ses_0123456789abcdef0123456789abcdef")]
    Show {
        session: String,
    },
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
    Export(Export),
    Verify(verify::Verify),
}

/// Write a recording to a file
///
/// `cast2` is asciicast v2, which stock players read; `txt` is what was printed; `raw` is the recording as the device signed it,
/// with the device's statement beside it, for `lineman session verify FILE`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman session export ses_0123456789abcdef0123456789abcdef --format cast2 -o session.cast
  lineman session export ses_0123456789abcdef0123456789abcdef --format raw -o session.rec
  lineman session export ses_0123456789abcdef0123456789abcdef --format txt | less")]
pub struct Export {
    /// A session's id, or a file with a raw recording
    #[arg(value_name = "ID|FILE")]
    session: String,
    #[arg(long, default_value = "cast2", value_parser = ["cast2", "txt", "raw"])]
    format: String,
    /// Which channel [default: the first terminal, else the first command]
    #[arg(long, value_name = "N")]
    channel: Option<u32>,
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        match self {
            Self::List { fault, state } => {
                let sessions = app.client()?.sessions(&Filter { state, fault, ..Filter::default() }).await?.items;
                app.out.list(&sessions, |sessions| sessions_table(sessions))?;
            }
            Self::Show { session } => {
                let session = app.client()?.session(&session).await?;
                app.out.sheet(&session, sheet)?;
            }
            Self::Kill { session, reason, yes } => {
                let client = app.client()?;
                prompt::confirm(&format!("end {session} on {}", client.server()), yes)?;
                let session = client.kill(&session, &Reason { reason: reason.into() }).await?;
                app.out.row(&session, |sessions| sessions_table(sessions.iter().copied()))?;
            }
            Self::Play(play) => return play.run(app).await,
            Self::Export(export) => return export.run(app).await,
            Self::Verify(verify) => return verify.run(app).await,
        }
        Ok(Exit::Done)
    }
}

pub fn sessions_table<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Table {
    let row = |session: &'a Session| {
        let lasted = session.ended_at.map(|end| end.duration_since(session.started_at).as_secs());
        let ended = session.end_reason.map(|reason| reason.to_string()).unwrap_or_default();
        let chunks = match session.chunks {
            Some(all) if all != session.chunks_stored => Cell::toned(format!("{}/{all}", session.chunks_stored), Tone::Warn),
            _ => text(session.chunks_stored),
        };
        [
            text(session.id),
            state(session.state),
            text(&session.fault),
            text(&session.device),
            text(&session.engineer),
            text(&session.account),
            session.started_at.into(),
            Cell::Seconds(lasted.and_then(|lasted| u64::try_from(lasted).ok())),
            text(ended),
            chunks,
        ]
    };
    let head = ["id", "state", "fault", "device", "engineer", "account", "started", "lasted", "ended by", "chunks"];
    Table::new(head, sessions.into_iter().map(row))
}

fn state(state: SessionState) -> Cell {
    Cell::toned(state, if state == SessionState::Live { Tone::Warn } else { Tone::Dim })
}

fn sheet(session: &Session) -> Sheet {
    let mut fields = vec![
        ("id", text(session.id)),
        ("state", state(session.state)),
        ("fault", text(&session.fault)),
        ("consent", text(session.consent)),
        ("device", text(&session.device)),
        ("engineer", text(&session.engineer)),
        ("account", text(&session.account)),
        ("started at", session.started_at.into()),
        ("first byte at", Cell::Time(session.first_byte_at)),
        ("ended at", Cell::Time(session.ended_at)),
        ("ended by", Cell::option(session.end_reason)),
        ("chunks stored", text(session.chunks_stored)),
        ("chunks in all", Cell::option(session.chunks)),
    ];
    if let Some(summary) = &session.summary {
        fields.extend([
            ("channels", text(summary.channels)),
            ("commands", text(summary.commands.join("; "))),
            ("files", text(summary.files.join("; "))),
            ("bytes to engineer", text(summary.output_bytes)),
            ("bytes from engineer", text(summary.input_bytes)),
        ]);
    }
    Sheet { fields, parts: Vec::new() }
}

/// A recording, with what it takes to believe it.
struct Source {
    text: String,
    /// From the centre: the session it is said to be, and the device's statement.
    reply: Option<RecordingReply>,
}

async fn source(app: &App, what: &str) -> Result<Source, Failure> {
    if what.starts_with("ses_") {
        let mut reply = app.client()?.recording(what).await?;
        return Ok(Source { text: std::mem::take(&mut reply.recording), reply: Some(reply) });
    }
    let text = std::fs::read_to_string(what).map_err(|e| {
        Failure::new(Exit::NotFound, format!("can't read the recording {what}: {e}"))
            .hint("give a session's id (ses_...), or a file that `lineman session export --format raw` wrote")
    })?;
    Ok(Source { text, reply: None })
}

/// Reads a recording for showing. A broken chain stops nobody from looking, but it is an error.
fn readable(text: &str) -> Result<Recording, Failure> {
    recording::read_unverified(text).map_err(|broken| {
        Failure::new(Exit::CheckFailed, format!("the recording is broken: {broken}")).hint("lineman session verify names the place")
    })
}

fn channel(recording: &Recording, asked: Option<u32>) -> Result<u32, Failure> {
    let channels: Vec<_> = recording.channels().map(|(number, opened)| format!("{number} ({})", opened.door)).collect();
    let number =
        asked.or_else(|| recording.main_channel()).ok_or_else(|| Failure::new(Exit::NotFound, "the recording holds no channel"))?;
    if recording.channels().any(|(known, _)| known == number) {
        return Ok(number);
    }
    Err(Failure::new(Exit::NotFound, format!("there is no channel {number}")).hint(format!("there is {}", channels.join(", "))))
}

impl Export {
    async fn run(self, app: &App) -> Outcome {
        let source = source(app, &self.session).await?;
        let file = app.global.output.as_ref().map(PathBuf::from);
        let text = match self.format.as_str() {
            "raw" => source.text.clone(),
            "txt" => readable(&source.text)?.text(),
            _ => {
                let recording = readable(&source.text)?;
                recording.asciicast_v2(channel(&recording, self.channel)?)
            }
        };
        let Some(file) = file else {
            write_bytes(text.as_bytes())?;
            return Ok(Exit::Done);
        };
        let write = |path: &Path, text: &str| {
            std::fs::write(path, text).map_err(|e| Failure::failed(format!("can't write {}: {e}", path.display())))
        };
        write(&file, &text)?;
        if let (Some(reply), "raw") = (&source.reply, self.format.as_str()) {
            let (statement, signature) = verify::statement_files(&file);
            write(&statement, &reply.device_statement.text)?;
            write(&signature, &reply.device_statement.signature)?;
            app.say(format!("the device's statement is in {}. next: lineman session verify {}", statement.display(), file.display()));
        }
        app.say(format!("{} bytes in {}", text.len(), file.display()));
        Ok(Exit::Done)
    }
}

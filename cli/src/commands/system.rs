//! `lineman system`: what the server is and how it is.

use clap::Args;
use lineman_common::api::{AgentVersion, System as Reply, SystemJob};

use super::App;
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, span, text};

/// The server itself: version, database, disk, agents by version, what waits for it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman system
  lineman system -o json")]
pub struct System {}

impl System {
    pub async fn run(self, app: &App) -> Outcome {
        app.out.sheet(&app.client()?.system().await?, sheet)?;
        Ok(Exit::Done)
    }
}

/// Megabytes of a million.
fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

fn sheet(system: &Reply) -> Sheet {
    let Reply { database, counts, case_index, search_by_meaning, .. } = system;
    let whole = if case_index.is_whole { "whole" } else { "being built" };
    let meaning = if search_by_meaning.is_on { format!("on, {} cases wait", search_by_meaning.waiting) } else { "off".to_owned() };
    let is_full = database.disk_free_bytes.saturating_mul(10) < database.disk_total_bytes;
    let free = format!("{} of {}", megabytes(database.disk_free_bytes), megabytes(database.disk_total_bytes));
    let agent = |agents: &AgentVersion| {
        [agents.version.as_ref().map_or_else(|| Cell::toned("never connected", Tone::Dim), text), text(agents.agents), text(agents.online)]
    };
    let job = |job: &SystemJob| [text(&job.name), text(job.waiting), Cell::Time(job.oldest_at)];
    let database_says = format!("{}, schema {}, SQLite {}", database.path, database.schema, database.sqlite);
    Sheet {
        fields: vec![
            ("version", text(format!("{} ({})", system.version, system.build))),
            ("up", text(span(system.uptime_s))),
            ("database", text(database_says)),
            ("size", text(format!("{}, log {}", megabytes(database.size_bytes), megabytes(database.wal_bytes)))),
            ("disk free", Cell::toned(free, if is_full { Tone::Bad } else { Tone::Plain })),
            ("last backup", Cell::Time(system.backup_at)),
            ("faults", text(format!("{} open of {}", counts.faults_open, counts.faults))),
            ("sessions", text(format!("{} live of {}", counts.sessions_live, counts.sessions))),
            ("agents", text(format!("{} connected of {}", counts.agents_online, counts.agents_enrolled))),
            ("events", text(counts.events)),
            ("case index", text(format!("{} cases, {whole}", case_index.cases))),
            ("search by meaning", text(meaning)),
            ("licence", text(&system.licences.own)),
        ],
        parts: vec![
            ("Agents", Table::new(["version", "agents", "connected"], system.agents.iter().map(agent))),
            ("Work that waits", Table::new(["job", "waiting", "oldest"], system.jobs.iter().map(job))),
        ],
    }
}

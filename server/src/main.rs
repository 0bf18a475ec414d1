//! `lineman-server`: the support centre.
//!
//! The rooms are declared in their one order: each calls only rooms above it in this list (`tests/it/rooms.rs` checks it).

mod config;
mod data;
mod init;
mod run;
mod semantics;

// Foundations.
mod store;
mod events;
mod web;
mod search;
mod meaning;
// Who and what.
mod customers;
mod people;
mod offices;
mod equipment;
mod trust;
mod agents;
// What the equipment says, and what people make of it.
mod health;
mod alarms;
mod faults;
mod consents;
mod sessions;
mod duty;
mod cases;
mod views;
mod notices;
mod reports;
mod walls;
// Doors.
mod link;
mod gateway;
mod terminals;
mod api;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

/// Rooms that hear of every event, in its own transaction.
pub const LISTENERS: &[events::Listener] =
    &[agents::hear, alarms::hear, faults::hear, faults::clocks::hear, faults::list::hear, consents::hear, duty::hear, notices::hear];

/// The support centre's server.
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Make a new server: folder, keys, database, first administrator.
    Init(init::Init),
    /// Run the server.
    Run(data::Config),
    /// Search by meaning: install, remove or look at the model that makes it possible.
    #[command(subcommand)]
    Semantics(semantics::Semantics),
    #[command(flatten)]
    Data(data::Data),
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Command::parse();
    // A device could fill the log with what the library warns of.
    let filter = tracing_subscriber::EnvFilter::try_from_env("LINEMAN_LOG").unwrap_or_else(|_| "info,russh=off".into());
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
    match run(command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        anyhow::bail!("two TLS providers are compiled in");
    }
    match command {
        Command::Init(init) => init::run(init).await,
        Command::Run(config) => run::run(&config.config).await,
        Command::Semantics(semantics) => semantics.run().await,
        Command::Data(data) => data.run().await,
    }
}

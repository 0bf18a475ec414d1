//! `lineman-server`: the support centre.
//!
//! The rooms are declared in their one order: each calls only rooms above it in this list (`tests/src/rooms.rs` checks it).

mod config;
mod data;
mod init;
mod run;

// Foundations.
mod events;
mod store;
mod web;
// Who and what.
mod agents;
mod customers;
mod equipment;
mod people;
mod trust;
// What the equipment says, and what people make of it.
mod alarms;
mod cases;
mod consents;
mod faults;
mod health;
mod sessions;
// Doors.
mod api;
mod gateway;
mod link;

use clap::Parser;

/// Rooms that hear of every event, in its own transaction.
pub const LISTENERS: &[events::Listener] = &[agents::hear, faults::hear, consents::hear];

/// The support centre's server.
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Make a new server: folder, keys, database, first administrator.
    Init(init::Init),
    /// Run the server.
    Run(data::Config),
    #[command(flatten)]
    Data(data::Data),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LINEMAN_LOG").unwrap_or_else(|_| "info,russh=warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        anyhow::bail!("two TLS providers are compiled in");
    }
    match Command::parse() {
        Command::Init(init) => init::run(init).await,
        Command::Run(config) => run::run(&config.config).await,
        Command::Data(data) => data.run(),
    }
}

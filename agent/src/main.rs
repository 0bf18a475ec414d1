//! `lineman-agent`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use lineman_agent::commands::{Arguments, is_session_child, obey};
use lineman_agent::session::child;

fn main() -> ExitCode {
    // Before any runtime or thread: the child changes who it is, and on Linux that counts for one thread.
    if is_session_child() {
        return ExitCode::from(child::run());
    }
    let arguments = Arguments::parse();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("lineman-agent: another TLS provider is installed");
        return ExitCode::FAILURE;
    }
    // One thread: the agent is a guest on its equipment.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(8).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("lineman-agent: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(obey(arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lineman-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

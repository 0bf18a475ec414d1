//! `lineman`: the command line of engineers and NOC staff.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use lineman::commands::Cli;
use lineman::context::Env;
use lineman::exit::{Exit, Failure};

fn main() -> ExitCode {
    // Another part of the process can't have installed one; a second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(lineman::commands::run(cli, Env::of_process())).into(),
        Err(error) => {
            eprintln!("{}", Failure::failed(format!("can't start: {error}")).text());
            Exit::Failed.into()
        }
    }
}

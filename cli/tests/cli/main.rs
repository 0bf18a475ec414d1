//! The built program against a small server in this process: what it sends, what it prints, how it ends.

#![cfg(test)]

use lineman::{consents, context};

mod approve;
mod approver;
mod bundle;
mod carrier;
mod consent;
mod desk;
mod fault;
mod filing;
mod line;
mod live;
mod pty;
mod recorded;
mod server;
mod session;
mod sign_in;
mod ssh;
#[path = "../../src/testing.rs"]
mod testing;
mod tls;
mod watch;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use server::Server;

/// `lineman`, with an environment of its own.
fn lineman(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lineman"));
    command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    command
}

/// `lineman`, signed in at a server.
fn at(server: &Server, home: &Path) -> Command {
    let mut command = lineman(home);
    command.env("LINEMAN_SERVER", &server.url).env("LINEMAN_TOKEN", "token-1");
    command
}

fn run(command: &mut Command, args: &[&str]) -> Output {
    command.args(args).output().unwrap()
}

fn run_with_stdin(command: &mut Command, args: &[&str], input: &str) -> Output {
    let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The exit code, with everything that was printed when it is another than expected.
#[track_caller]
fn ends(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout: {}\nstderr: {}", stdout(output), stderr(output));
}

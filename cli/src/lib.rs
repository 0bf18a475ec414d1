//! The client of engineers and NOC staff: a typed client of the API, and the commands of the `lineman` program.
//!
//! The library half ([`Client`], [`trust`], [`keys`]) is what the demo and the end-to-end tests use; the commands are thin
//! over it. Everything that decides whether somebody gets into a device is decided by signatures that this program checks
//! or makes on the person's own machine: what the centre says is only shown.

#![forbid(unsafe_code)]

pub mod client;
pub mod commands;
pub mod consents;
pub mod context;
pub mod demo;
pub mod exit;
pub mod keys;
pub mod line;
pub mod output;
pub mod prompt;
pub mod ssh_config;
#[cfg(test)]
mod testing;
pub mod trust;

pub use client::{Client, ClientError, Connect};

//! `lineman approver`: the carrier's desk, where requests arrive and are answered.
//!
//! It runs on the carrier's own machine, with the carrier's own key. The centre brings requests and takes answers away; it never signs,
//! and nothing that it says is believed without the vendor root and the signer list that are pinned here. There are three faces over one
//! desk ([`crate::consents::desk`]): a list in the terminal ([`screen`]), a page on this machine's loopback address ([`page`]), and lines
//! for programs ([`plain`]). All of them show the text of a draft and sign that draft, and nothing else.

mod draw;
mod live;
mod model;
mod page;
mod plain;
mod screen;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;

use clap::Args;

use super::App;
use super::consent::Own;
use crate::exit::Outcome;

/// See requests as they come, and answer them with your key
///
/// On a terminal: a list; Enter shows what you would sign. In a pipe, or with -o json: one line for each request, and nothing is signed.
/// With --page: a page on this machine's own address (127.0.0.1), for a browser on this machine; its link works once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman approver --key ~/.ssh/consent
  lineman approver --key ~/.ssh/consent --bell
  lineman approver --key ~/.ssh/consent --page
  lineman approver -o json")]
pub struct Approver {
    #[command(flatten)]
    own: Own,
    /// Ring the terminal's bell when a request arrives
    #[arg(long)]
    bell: bool,
    /// Show a page instead, on this port of 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0")]
    page: Option<u16>,
}

impl Approver {
    pub async fn run(self, app: &App) -> Outcome {
        if let Some(port) = self.page {
            // A passphrase is asked for here, in the terminal, and never in the page.
            return Box::pin(page::run(app, self.own.desk(app).await?, port)).await;
        }
        if app.out.is_terminal() && std::io::stdin().is_terminal() && !app.out.is_json() {
            return Box::pin(screen::run(app, self.own.desk(app).await?, self.bell)).await;
        }
        Box::pin(plain::run(app, self.bell)).await
    }
}

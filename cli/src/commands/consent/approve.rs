//! `lineman consent approve`: the carrier's half, run on the carrier's own machine.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lineman_common::api::ConsentState;
use lineman_common::session::Doors;
use lineman_common::statement::Namespace;

use super::{consents_table, doors_arg, duration_arg, outcome, wait_for};
use crate::client::Client;
use crate::commands::App;
use crate::consents::{Checked, check_request, now, principal, write_consent};
use crate::exit::{Exit, Failure, Outcome};
use crate::keys::Signer;
use crate::output::span;
use crate::prompt;
use crate::trust::Trust;

/// Sign a consent with the carrier's key
///
/// The roster is checked against your vendor root, the request against the roster, the device against your own signers file;
/// what the centre says is not believed. Then the consent is shown, from the exact bytes that are signed. On a terminal you
/// are asked before signing; a script signs without a question, because it must name the key (--key) itself.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman consent approve cns_0123456789abcdef0123456789abcdef --key ~/.ssh/consent
  lineman consent approve cns_0123456789abcdef0123456789abcdef --key ~/.ssh/consent --doors shell --for 30m --yes
  lineman consent approve cns_0123456789abcdef0123456789abcdef --key consent --signers signers --vendor-root vendor-root")]
pub struct Approve {
    consent: String,
    /// The key that is in your signers file for consent@lineman
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Fewer ways in than were asked for
    #[arg(long, value_parser = doors_arg)]
    doors: Option<Doors>,
    /// Less time than was asked for
    #[arg(long = "for", value_name = "DURATION", value_parser = duration_arg)]
    duration_s: Option<u32>,
    /// Your signers file [default: `signers` in the trust directory]
    #[arg(long, value_name = "FILE")]
    signers: Option<PathBuf>,
    /// Your vendor root [default: `vendor-root` in the trust directory]
    #[arg(long, value_name = "FILE")]
    vendor_root: Option<PathBuf>,
    /// How long to wait for the device's word
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration_arg)]
    wait: u32,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

impl Approve {
    pub async fn run(self, app: &App) -> Outcome {
        let settings = app.settings()?;
        let client = Client::new(&settings.connect()?)?;
        let key = settings.key(self.key.as_deref());
        let folder = settings.trust(key.as_deref());
        let trust = Trust::open(&folder, self.vendor_root.as_deref(), self.signers.as_deref())?;
        let signer = Signer::open(key.as_deref(), &app.env)?;
        let person = client.whoami().await?;

        let view = client.consent(&self.consent).await?;
        if view.state != ConsentState::Requested {
            return Err(Failure::new(Exit::Conflict, format!("{} is {}: only a requested consent can be approved", view.id, view.state)));
        }
        let at = now();
        let checked = check_request(&view, &trust, &app.env, at)?;
        let approver = principal(&checked.signers, &signer, Namespace::Consent, Some(&person.name), at)?;
        let text = write_consent(&checked, &approver, self.doors.as_ref(), self.duration_s, at)?;
        show(app, &checked, &text);
        self.ask()?;
        let consent = signer.sign(Namespace::Consent, text)?;
        let view = client.approve(&view.id.to_string(), consent).await?;

        let waiting = [ConsentState::Approved, ConsentState::Requested];
        let view = wait_for(&client, &view.id.to_string(), &waiting, Duration::from_secs(u64::from(self.wait))).await?;
        app.out.row(&view, |consents| consents_table(consents.iter().copied()))?;
        outcome(app, &view)
    }

    /// On a terminal a person decides. A script has decided when it names the key; it may not sign with whatever key
    /// happens to be the default.
    fn ask(&self) -> Result<(), Failure> {
        if prompt::is_interactive() {
            return prompt::confirm("sign this consent", self.yes);
        }
        if self.yes || self.key.is_some() {
            return Ok(());
        }
        Err(Failure::usage("not signed: without a terminal, the key must be named").hint("add --key FILE (or --yes)"))
    }
}

/// Who wants what, from the signed bytes; then the consent's own bytes.
fn show(app: &App, checked: &Checked, text: &str) {
    let Checked { request, roster, statement, .. } = checked;
    let level = roster.level(request.engineer.as_str()).map(|level| format!(", level {level}")).unwrap_or_default();
    app.say(format!("{}{level} ({})", request.engineer, request.engineer_key));
    app.say(format!(
        "  wants    {} as `{}` for {}",
        request.doors,
        lineman_common::printable::escape(&request.account),
        span(u64::from(request.duration_s))
    ));
    app.say(format!("  on       {} ({}), vouched for by {}", statement.device, statement.host_key_fingerprint(), statement.vouched_by));
    app.say(format!("  because  {}: {}", request.fault, request.reason));
    app.say(format!("  asked    {}", app.out.moment(request.issued)));
    app.say(format!(
        "verified: roster {} under your vendor root, the request under the roster, the device under your signers",
        roster.head.counter
    ));
    app.say("you sign:");
    app.say(super::request_block(text));
}

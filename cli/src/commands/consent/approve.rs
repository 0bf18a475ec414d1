//! `lineman consent approve`: the carrier's half, run on the carrier's own machine.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lineman_common::api::ConsentState;
use lineman_common::session::Doors;

use super::{consents_table, doors_arg, duration_arg, outcome, wait_for};
use crate::client::Client;
use crate::commands::App;
use crate::consents::desk::{Desk, Draft};
use crate::consents::findings::{Lang, grade_meaning};
use crate::consents::{Checked, Narrow};
use crate::exit::{Failure, Outcome};
use crate::keys::Signer;
use crate::output::span;
use crate::prompt;
use crate::trust::Trust;

/// Sign a consent with the carrier's key
///
/// The roster is checked against your vendor root, the request against the roster, the device against your own signers file;
/// what the centre says is not believed. Then the consent is shown, from the exact bytes that are signed. On a terminal you
/// are asked before signing; a script signs without a question, because it must name the key (--key) itself.
/// Where a device wants two approvals, two people run this, each with a key of their own.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman consent approve cns_0123456789abcdef0123456789abcdef --key ~/.ssh/consent
  lineman consent approve cns_0123456789abcdef0123456789abcdef --key ~/.ssh/consent --doors shell --for 30m --yes
  lineman consent approve cns_0123456789abcdef0123456789abcdef --key consent --signers signers --vendor-root vendor-root")]
pub struct Approve {
    consent: String,
    #[command(flatten)]
    own: Own,
    /// Fewer ways in than were asked for
    #[arg(long, value_parser = doors_arg)]
    doors: Option<Doors>,
    /// Less time than was asked for
    #[arg(long = "for", value_name = "DURATION", value_parser = duration_arg)]
    duration_s: Option<u32>,
    /// How long to wait for the device's word
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration_arg)]
    wait: u32,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

/// What a carrier's person signs with, and believes.
#[derive(Clone, Debug, Args)]
pub struct Own {
    /// Your key: a key file, a `.pub` whose private half is in your ssh-agent, a FIDO key's file, or a `-cert.pub`
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Your signers file [default: `signers` in the trust directory]
    #[arg(long, value_name = "FILE")]
    pub signers: Option<PathBuf>,
    /// Your vendor root [default: `vendor-root` in the trust directory]
    #[arg(long, value_name = "FILE")]
    pub vendor_root: Option<PathBuf>,
}

impl Own {
    pub fn trust(&self, app: &App) -> Result<Trust, Failure> {
        let settings = app.settings()?;
        let key = settings.key(self.key.as_deref());
        Ok(Trust::open(&settings.trust(key.as_deref()), self.vendor_root.as_deref(), self.signers.as_deref())?)
    }

    pub fn signer(&self, app: &App) -> Result<Signer, Failure> {
        Ok(Signer::open(app.settings()?.key(self.key.as_deref()).as_deref(), &app.env)?)
    }

    /// What fails without the server fails first.
    pub async fn desk(&self, app: &App) -> Result<Desk, Failure> {
        let client = Client::new(&app.settings()?.connect()?)?;
        let (trust, signer) = (self.trust(app)?, self.signer(app)?);
        let person = client.whoami().await?;
        Ok(Desk { client, trust, signer, person, env: app.env.clone() })
    }

    /// On a terminal a person decides. A script has decided when it names the key; it may not sign with whatever key
    /// happens to be the default.
    pub fn ask(&self, question: &str, yes: bool) -> Result<(), Failure> {
        if prompt::is_interactive() {
            return prompt::confirm(question, yes);
        }
        if yes || self.key.is_some() {
            return Ok(());
        }
        Err(Failure::usage("not signed: without a terminal, the key must be named").hint("add --key FILE (or --yes)"))
    }
}

impl Approve {
    pub async fn run(self, app: &App) -> Outcome {
        let desk = self.own.desk(app).await?;
        let draft = desk.draft(&self.consent, &Narrow { doors: self.doors, duration_s: self.duration_s }).await?;
        show(app, &draft);
        self.own.ask("sign this consent", self.yes)?;
        let view = desk.approve(&draft).await?;

        let waiting = [ConsentState::Approved];
        let view = wait_for(&desk.client, view, &waiting, Duration::from_secs(u64::from(self.wait)), |_| ()).await?;
        app.out.row(&view, |consents| consents_table(consents.iter().copied()))?;
        outcome(app, &view)
    }
}

/// Who wants what, from the signed bytes; what was checked; then the consent's own bytes.
fn show(app: &App, draft: &Draft) {
    let Checked { request, statement, .. } = &draft.checked;
    app.say(format!("{} ({})", request.engineer, request.engineer_key));
    app.say(format!(
        "  wants    {} as `{}` for {}",
        request.doors,
        lineman_common::printable::escape(&request.account),
        span(u64::from(request.duration_s))
    ));
    app.say(format!("  on       {} ({})", statement.device, statement.host_key_fingerprint()));
    app.say(format!("  because  {}: {}", request.fault, lineman_common::printable::escape(&request.reason)));
    app.say(format!("  asked    {}; it lapses at {}", app.out.moment(request.issued), app.out.moment(draft.view.lapses_at)));
    app.say(format!("  grade    {}: {}", request.grade, grade_meaning(request.grade, Lang::En)));
    for finding in draft.findings() {
        let text = finding.text(Lang::En, &|time| app.out.moment(time));
        app.say(format!("{:>6}  {text}", finding.weight().word(Lang::En)));
    }
    app.say("you sign:");
    app.say(super::block(draft.text()));
}

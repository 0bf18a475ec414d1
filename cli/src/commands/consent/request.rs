//! `lineman consent request`: the engineer's half.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use lineman_common::api::{ConsentState, NewChallenge};
use lineman_common::name::NeName;
use lineman_common::session::Doors;

use super::{consents_table, doors_arg, duration_arg, ne_arg, outcome, wait_for};
use crate::client::Client;
use crate::commands::{App, interrupted};
use crate::consents::{Ask, now, sign_request};
use crate::exit::{Exit, Failure, Outcome};
use crate::keys::Signer;
use crate::output::span;
use crate::trust::Trust;

/// Ask the carrier for a session: signed with your key, over the device's challenge
///
/// Before anything is signed, the roster, the anchors and the device's statement are checked against the vendor root that is
/// pinned on this machine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman consent request F-JW-1 --doors shell,exec,sftp-read --for 2h
  lineman consent request F-JW-1 --equipment ne-2.jw.ne --doors shell --for 30m --reason 'look at fan 2' --wait 10m")]
pub struct Request {
    /// The fault that it is for
    fault: String,
    /// Ways in: shell, exec, sftp-read, sftp-write; separated by commas
    #[arg(long, value_parser = doors_arg)]
    doors: Doors,
    /// For how long, like 30m or 2h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration_arg)]
    duration_s: u32,
    /// The device, if it is not the fault's own
    #[arg(long, value_name = "NE", value_parser = ne_arg)]
    equipment: Option<NeName>,
    /// Account profile on the device
    #[arg(long, default_value = "view")]
    account: String,
    /// Why; the approver reads it [default: the fault's title]
    #[arg(long)]
    reason: Option<String>,
    /// Your SSH key [default: LINEMAN_KEY, the context's, ~/.ssh/id_ed25519]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Wait so long for the answer
    #[arg(long, value_name = "DURATION", value_parser = duration_arg)]
    wait: Option<u32>,
}

impl Request {
    pub async fn run(self, app: &App) -> Outcome {
        let settings = app.settings()?;
        let client = Client::new(&settings.connect()?)?;
        let key = settings.key(self.key.as_deref());
        // What fails without the server fails first: the device is not asked in vain.
        let trust = Trust::open(&settings.trust(key.as_deref()), None, None)?;
        let signer = Signer::open(key.as_deref(), &app.env)?;
        let person = client.whoami().await?;
        let page = client.fault(&self.fault).await?;
        let reason = self.reason.clone().unwrap_or_else(|| page.fault.title.raw().to_owned());
        if self.equipment.is_none() && page.fault.equipment.is_none() {
            return Err(Failure::usage(format!("{} names no equipment", page.fault.number)).hint("name it: --equipment ne-1.jw.ne"));
        }

        let challenge = client.challenge(&NewChallenge { fault: page.fault.number.clone(), equipment: self.equipment.clone() }).await?;
        let expected = self.equipment.as_ref().or(page.fault.equipment.as_ref());
        if expected.is_some_and(|expected| *expected != challenge.device) || challenge.fault != page.fault.number {
            return Err(Failure::new(Exit::CheckFailed, format!("the centre answered for {} and {}", challenge.fault, challenge.device)));
        }
        let at = now();
        let customer = &challenge.device.customer;
        let believed = trust.bundle(&client.trust(customer.as_str()).await?, customer, &app.env, Timestamp::now())?;
        let ask = Ask { engineer: person.name, doors: self.doors, account: self.account, duration_s: self.duration_s, reason };
        let signed = sign_request(&challenge, &believed, &signer, &ask, at)?;
        let view = client.request(signed).await?;

        app.out.row(&view, |consents| consents_table(consents.iter().copied()))?;
        app.say(format!(
            "asked for {} on {} ({}), signed with {}",
            ask.doors,
            challenge.device,
            span(u64::from(ask.duration_s)),
            signer.fingerprint()
        ));
        app.say(format!(
            "the carrier has until {} to answer: lineman consent approve {} --key FILE",
            app.out.moment(view.lapses_at),
            view.id
        ));
        let Some(wait_s) = self.wait else {
            app.say(format!("when it is live: lineman ssh {}", view.fault));
            return Ok(Exit::Done);
        };
        let waiting = [ConsentState::Challenged, ConsentState::Requested, ConsentState::Approved];
        let id = view.id.to_string();
        tokio::select! {
            view = wait_for(&client, &id, &waiting, Duration::from_secs(u64::from(wait_s))) => outcome(app, &view?),
            exit = interrupted() => Ok(exit),
        }
    }
}

//! `lineman consent request`: the engineer's half.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use lineman_common::api::{ConsentState, ConsentView, NewChallenge};
use lineman_common::name::{CustomerCode, NeName};
use lineman_common::session::{Door, Doors, Grade};

use super::{consents_table, doors_arg, duration_arg, ne_arg, outcome, wait_for};
use crate::client::Client;
use crate::commands::{App, interrupted, word};
use crate::consents::findings::{Lang, grade_meaning};
use crate::consents::{Ask, check_policy, now, sign_request};
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
  lineman consent request F-JW-1 --equipment ne-2.jw.ne --doors shell --for 30m --reason 'look at fan 2' --wait 10m
  lineman consent request F-JW-1 --doors exec,forward:10.0.0.5:443 --for 1h
  lineman consent request F-JW-1 --grade role --doors shell --for 1h --wait 1m")]
pub struct Request {
    /// The fault that it is for
    fault: String,
    /// Whom it lets in: you (end-to-end), any engineer of the level under the carrier's standing statement (role), or the centre's
    /// gateway for you (gateway)
    #[arg(long, default_value = Grade::EndToEnd.as_str(), value_parser = word::<Grade>(Grade::WORDS))]
    grade: Grade,
    /// Ways in: shell, exec, sftp-read, sftp-write, forward:HOST:PORT; separated by commas
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
        if self.grade == Grade::Gateway && self.doors.has(Door::Forward) {
            return Err(Failure::usage("grade gateway carries no forwards").hint("ask for them with grade end-to-end"));
        }
        // What fails without the server fails first: the device is not asked in vain.
        let trust = Trust::open(&settings.trust(key.as_deref()), None, None)?;
        let signer = Signer::open(key.as_deref(), &app.env)?;
        let person = client.whoami().await?;
        let page = client.fault(&self.fault).await?;
        let reason = self.reason.clone().unwrap_or_else(|| page.fault.title.raw().to_owned());
        if self.equipment.is_none() && page.fault.equipment.is_none() {
            return Err(Failure::usage(format!("{} names no equipment", page.fault.number)).hint("name it: --equipment ne-1.jw.ne"));
        }

        let device = self.equipment.as_ref().or(page.fault.equipment.as_ref());
        check_not_stopped(app, &client, &page.fault.customer).await?;
        let challenge = client.challenge(&NewChallenge { fault: page.fault.number.clone(), equipment: self.equipment.clone() }).await?;
        if device.is_some_and(|expected| *expected != challenge.device) || challenge.fault != page.fault.number {
            return Err(Failure::new(Exit::CheckFailed, format!("the centre answered for {} and {}", challenge.fault, challenge.device)));
        }
        let ask =
            Ask { engineer: person.name, grade: self.grade, doors: self.doors, account: self.account, duration_s: self.duration_s, reason };
        check_policy(&challenge.device, &challenge.policy, &ask)?;
        let at = now();
        let customer = &challenge.device.customer;
        let believed = trust.bundle(&client.trust(customer.as_str()).await?, customer, &app.env, Timestamp::now())?;
        let signed = sign_request(&challenge, &believed, &signer, &ask, at)?;
        let view = client.request(signed).await?;

        app.out.row(&view, |consents| consents_table(consents.iter().copied()))?;
        app.say(format!(
            "asked for {} on {} ({}), grade {}, signed with {}",
            ask.doors,
            challenge.device,
            span(u64::from(ask.duration_s)),
            ask.grade,
            signer.fingerprint()
        ));
        if ask.grade == Grade::Gateway {
            app.say(format!("note: {}", grade_meaning(ask.grade, Lang::En)));
        }
        if !matches!(view.state, ConsentState::Challenged | ConsentState::Requested) {
            app.say("the carrier's standing statement lets it in: nobody has to be asked");
            return wait(app, &client, view, self.wait).await;
        }
        let needs = if view.approvals_needed > 1 { format!("; it needs {} approvals", view.approvals_needed) } else { String::new() };
        app.say(format!(
            "{customer} has until {} to answer{needs}: lineman approver, or lineman consent approve {} --key FILE",
            app.out.moment(view.lapses_at),
            view.id
        ));
        wait(app, &client, view, self.wait).await
    }
}

/// Waits for the answer, saying how far it is.
async fn wait(app: &App, client: &Client, view: ConsentView, wait_s: Option<u32>) -> Outcome {
    let Some(wait_s) = wait_s else {
        app.say(format!("when it is live: lineman ssh {}", view.fault));
        return Ok(Exit::Done);
    };
    let mut said = String::new();
    let mut progress = |view: &ConsentView| {
        if let Some(line) = progress_line(app, view).filter(|line| *line != said) {
            app.say(&line);
            said = line;
        }
    };
    progress(&view);
    let waiting = [ConsentState::Challenged, ConsentState::Requested, ConsentState::Approved];
    tokio::select! {
        view = wait_for(client, view, &waiting, Duration::from_secs(u64::from(wait_s)), progress) => outcome(app, &view?),
        exit = interrupted() => Ok(exit),
    }
}

/// What is waited for; nothing when the wait is over.
fn progress_line(app: &App, view: &ConsentView) -> Option<String> {
    let ConsentView { device, consents, approvals_needed, .. } = view;
    match view.state {
        ConsentState::Challenged | ConsentState::Requested => Some(format!(
            "waiting for the approvers of {}: {} of {} approved; it lapses at {}",
            device.customer,
            consents.len(),
            (*approvals_needed).max(1),
            app.out.moment(view.lapses_at)
        )),
        ConsentState::Approved => Some(format!("approved; waiting for {device} to verify it")),
        ConsentState::Live | ConsentState::Refused | ConsentState::RefusedByDevice | ConsentState::Lapsed | ConsentState::Ended => None,
    }
}

/// A customer who stopped everything is not asked. Whoever may not read that finds out from the server's own refusal.
async fn check_not_stopped(app: &App, client: &Client, customer: &CustomerCode) -> Result<(), Failure> {
    let known = client.customers().await.ok().and_then(|list| list.items.into_iter().find(|known| known.code == *customer));
    let Some(stopped) = known.and_then(|customer| customer.stopped) else { return Ok(()) };
    let (at, by, reason) = (app.out.moment(stopped.at), &stopped.by, &stopped.reason);
    Err(Failure::new(Exit::Conflict, format!("{customer} stopped everything at {at} ({by}: {reason})"))
        .hint(format!("nobody gets in until its own people take that back: lineman customer resume {customer}")))
}

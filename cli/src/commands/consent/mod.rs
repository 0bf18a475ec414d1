//! `lineman consent`: asking a carrier for a session, and answering.

mod approve;
mod papers;
mod request;
mod verify;

pub use approve::Own;

use clap::Subcommand;
use jiff::Timestamp;
use lineman_common::api::{ConsentState, ConsentView, Reason};
use lineman_common::name::NeName;
use lineman_common::session::Doors;
use lineman_common::statement::{Consent, KeyClass, LocalStatement, Signed};

use super::App;
use crate::client::{Client, Filter};
use crate::consents::findings::{Lang, grade_meaning};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, duration_s, text};
use crate::prompt;

/// Consents: an engineer asks, the carrier signs, the device believes
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman consent request F-JW-1 --doors shell,exec,sftp-read --for 2h
  lineman consent approve cns_0123456789abcdef0123456789abcdef --key ~/.ssh/consent
  lineman consent verify cns_0123456789abcdef0123456789abcdef")]
pub enum Command {
    Request(request::Request),
    Approve(approve::Approve),
    /// Say no; nothing needs to be signed for that
    #[command(
        after_help = "Examples:\n  lineman consent refuse cns_0123456789abcdef0123456789abcdef --reason 'wait for the maintenance window'"
    )]
    Refuse {
        consent: String,
        #[arg(long)]
        reason: String,
    },
    /// End a consent; sessions under it end at once
    #[command(after_help = "Examples:\n  lineman consent revoke cns_0123456789abcdef0123456789abcdef --reason 'work is done'")]
    Revoke {
        consent: String,
        #[arg(long, default_value = "no reason given")]
        reason: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
    /// List consents
    #[command(after_help = "Examples:
  lineman consent list
  lineman consent list --state requested
  lineman consent list --fault F-JW-1 -o json")]
    List {
        #[arg(long)]
        fault: Option<String>,
        #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(ConsentState::WORDS))]
        state: Option<String>,
    },
    /// Show one consent, with the signed request
    #[command(after_help = "Examples:\n  lineman consent show cns_0123456789abcdef0123456789abcdef")]
    Show {
        consent: String,
    },
    Verify(verify::Verify),
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        match self {
            Self::Request(request) => request.run(app).await,
            Self::Approve(approve) => approve.run(app).await,
            Self::Verify(verify) => verify.run(app).await,
            Self::Refuse { consent, reason } => done(app, app.client()?.refuse(&consent, &Reason { reason: reason.into() }).await?),
            Self::Revoke { consent, reason, yes } => {
                let client = app.client()?;
                prompt::confirm(&format!("revoke {consent} on {}: sessions under it end at once", client.server()), yes)?;
                done(app, client.revoke(&consent, &Reason { reason: reason.into() }).await?)
            }
            Self::List { fault, state } => {
                let consents = app.client()?.consents(&Filter { state, fault, ..Filter::default() }).await?.items;
                app.out.list(&consents, |consents| consents_table(consents))?;
                Ok(Exit::Done)
            }
            Self::Show { consent } => {
                let consent = app.client()?.consent(&consent).await?;
                app.out.sheet(&consent, sheet)?;
                if !app.out.is_json() {
                    show_papers(app, &consent);
                }
                Ok(Exit::Done)
            }
        }
    }
}

/// The signed texts behind a consent, as they are; who signed them is shown by `verify`.
fn show_papers(app: &App, consent: &ConsentView) {
    let parts = consent.request.iter().map(|signed| ("the request", signed));
    let by_carrier = |signed| match class_of(signed) {
        KeyClass::Own => ("signed by the carrier", signed),
        KeyClass::Page => ("signed by the carrier (approved in a page served by the vendor)", signed),
    };
    let parts = parts.chain(consent.consents.iter().map(by_carrier));
    let parts =
        parts.chain(consent.local.iter().map(|signed| ("approved on the device, by its administrator: no carrier signer signed", signed)));
    for (what, signed) in parts {
        app.say(format!("\n{what}:\n{}", block(&signed.text)));
    }
    if consent.request.is_some() {
        app.say(format!("\nlineman consent verify {} checks every signature", consent.id));
    }
}

/// What a paper's signature says of its key. Nothing is checked for being shown.
pub fn class_of(signed: &Signed) -> KeyClass {
    KeyClass::claimed(signed).unwrap_or(KeyClass::Own)
}

/// How a consent was allowed, for a list: by whom, or on the device itself.
fn decided_by(consent: &ConsentView) -> Option<String> {
    let local = consent.local.as_ref().and_then(|signed| LocalStatement::read_unverified(signed).ok());
    let local = local.map(|local| format!("on the device, by {}, at {}: no carrier signer signed", local.by, local.at));
    local.or_else(|| {
        // Everybody who signed, by their own texts, and where that has to be said; else the last of them is known.
        let read = |signed: &Signed| Some((Consent::read_unverified(signed).ok()?.approver, class_of(signed)));
        let signed: Vec<_> = consent.consents.iter().filter_map(read).collect();
        if signed.len() > 1 || signed.iter().any(|(_, class)| *class == KeyClass::Page) {
            return Some(signed.iter().map(|(approver, class)| class.named(approver)).collect::<Vec<_>>().join(","));
        }
        let by = consent.decided_by.as_ref().map(ToString::to_string);
        let open = consent.state == ConsentState::Requested && consent.approvals_needed > 1;
        by.or_else(|| open.then(|| format!("{} of {}", consent.consents.len(), consent.approvals_needed)))
    })
}

/// Signed text as it stands, safe to show.
pub fn block(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| "  ".to_owned() + &lineman_common::printable::escape(line)).collect();
    lines.join("\n")
}

fn done(app: &App, consent: ConsentView) -> Outcome {
    app.out.row(&consent, |consents| consents_table(consents.iter().copied()))?;
    Ok(Exit::Done)
}

pub fn consents_table<'a>(consents: impl IntoIterator<Item = &'a ConsentView>) -> Table {
    let row = |consent: &'a ConsentView| {
        [
            text(consent.id),
            state(consent.state),
            text(&consent.fault),
            text(&consent.device),
            text(&consent.engineer),
            Cell::option(consent.doors.as_ref()),
            Cell::Seconds(consent.duration_s.map(u64::from)),
            Cell::Time(until(consent)),
            Cell::option(decided_by(consent)),
            Cell::option(says(consent)),
        ]
    };
    let head = ["id", "state", "fault", "device", "engineer", "doors", "for", "until", "decided by", "says"];
    Table::new(head, consents.into_iter().map(row))
}

/// While it waits: when it lapses; while it lives: when it ends.
fn until(consent: &ConsentView) -> Option<Timestamp> {
    match consent.state {
        ConsentState::Challenged | ConsentState::Requested => Some(consent.lapses_at),
        ConsentState::Approved | ConsentState::Live => consent.live_until,
        ConsentState::Refused | ConsentState::RefusedByDevice | ConsentState::Lapsed | ConsentState::Ended => consent.ended_at,
    }
}

fn says(consent: &ConsentView) -> Option<String> {
    let said = consent.refusal.as_ref().or(consent.device_says.as_ref()).map(ToString::to_string);
    said.or_else(|| consent.end_reason.map(|reason| reason.to_string())).or_else(|| Some(consent.reason.as_ref()?.to_string()))
}

fn state(state: ConsentState) -> Cell {
    let tone = match state {
        ConsentState::Live => Tone::Good,
        ConsentState::Requested | ConsentState::Approved => Tone::Warn,
        ConsentState::Refused | ConsentState::RefusedByDevice => Tone::Bad,
        ConsentState::Challenged | ConsentState::Lapsed | ConsentState::Ended => Tone::Dim,
    };
    Cell::toned(state, tone)
}

fn sheet(consent: &ConsentView) -> Sheet {
    let fields = vec![
        ("id", text(consent.id)),
        ("state", state(consent.state)),
        ("fault", text(&consent.fault)),
        ("device", text(&consent.device)),
        ("engineer", text(&consent.engineer)),
        ("grade", Cell::option(consent.grade.map(|grade| format!("{grade}: {}", grade_meaning(grade, Lang::En))))),
        ("approvals", text(format!("{} of {}", consent.consents.len(), consent.approvals_needed.max(1)))),
        ("doors", Cell::option(consent.doors.as_ref())),
        ("account", Cell::option(consent.account.as_ref().map(|account| lineman_common::printable::escape(account)))),
        ("for", Cell::Seconds(consent.duration_s.map(u64::from))),
        ("reason", Cell::option(consent.reason.as_ref())),
        ("requested at", Cell::Time(consent.requested_at)),
        ("lapses at", consent.lapses_at.into()),
        ("decided at", Cell::Time(consent.decided_at)),
        ("decided by", Cell::option(decided_by(consent))),
        ("refusal", Cell::option(consent.refusal.as_ref())),
        ("live until", Cell::Time(consent.live_until)),
        ("device says", Cell::option(consent.device_says.as_ref())),
        ("ended at", Cell::Time(consent.ended_at)),
        ("end reason", Cell::option(consent.end_reason)),
    ];
    Sheet { fields, parts: Vec::new() }
}

/// Waits until a consent has left the states that `waiting` names, or the deadline is over; tells `progress` what it sees.
pub async fn wait_for(
    client: &Client,
    mut view: ConsentView,
    waiting: &[ConsentState],
    limit: std::time::Duration,
    mut progress: impl FnMut(&ConsentView),
) -> Result<ConsentView, Failure> {
    let deadline = tokio::time::Instant::now() + limit;
    let mut pause = std::time::Duration::from_millis(100);
    while waiting.contains(&view.state) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(std::time::Duration::from_secs(2));
        view = client.consent(&view.id.to_string()).await?;
        progress(&view);
    }
    Ok(view)
}

/// What a consent's state means for somebody who waited for it.
fn outcome(app: &App, view: &ConsentView) -> Outcome {
    let said = says(view).unwrap_or_default();
    match view.state {
        ConsentState::Live => {
            let until = view.live_until.map(|until| format!(" until {}", app.out.moment(until))).unwrap_or_default();
            app.say(format!("live{until}: the device verified it. next, for {}: lineman ssh {}", view.engineer, view.fault));
            Ok(Exit::Done)
        }
        ConsentState::Approved => {
            app.say(format!(
                "approved; {} has not confirmed it yet. It will when its agent is connected: lineman consent show {}",
                view.device, view.id
            ));
            Ok(Exit::Done)
        }
        ConsentState::Challenged | ConsentState::Requested => {
            let (have, needed) = (view.consents.len(), usize::from(view.approvals_needed));
            let lapses = app.out.moment(view.lapses_at);
            if have > 0 && needed > have {
                app.say(format!(
                    "{have} of {needed} approved: another person of {} has to approve it too, before {lapses}",
                    view.device.customer
                ));
            } else {
                app.say(format!("still waiting for the carrier; it lapses at {lapses}"));
            }
            Ok(Exit::Done)
        }
        ConsentState::RefusedByDevice => Err(Failure::new(Exit::Forbidden, format!("{} refused it: {said}", view.device))),
        ConsentState::Refused => Err(Failure::new(Exit::Forbidden, format!("it was refused: {said}"))),
        ConsentState::Lapsed => {
            Err(Failure::new(Exit::Forbidden, "nobody answered in time: it lapsed").hint("ask again: lineman consent request"))
        }
        ConsentState::Ended => Err(Failure::new(Exit::Forbidden, format!("it has ended: {said}"))),
    }
}

/// Arguments that several commands share, parsed the same way.
pub fn doors_arg(text: &str) -> Result<Doors, String> {
    text.parse::<Doors>().map_err(|e| e.to_string())
}

pub fn duration_arg(text: &str) -> Result<u32, String> {
    duration_s(text).map_err(|e| e.to_string())
}

pub fn ne_arg(text: &str) -> Result<NeName, String> {
    text.parse::<NeName>().map_err(|e| e.to_string())
}

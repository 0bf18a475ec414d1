//! Commands of the administrator: what is decided on the device itself.
//!
//! What lets somebody in, or changes who may, is shown from the bytes that were signed and asked about on the terminal. The running
//! agent does it, checks everything again, and says it in its own signed words.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use lineman_common::id::ConsentId;
use lineman_common::printable::escape;
use lineman_common::session::{Doors, Grade};
use lineman_common::statement::{CarrierSigners, Refused, Request, sha256_hex, sig};
use serde::Serialize;

use super::{Form, State, ask, show};
use crate::control::{self, ConsentInfo, PendingInfo, Question, Reply};
use crate::identity::Identity;
use crate::journal::name_and_page;

#[derive(Subcommand)]
pub enum ConsentCommand {
    /// List the live ones
    #[command(after_help = "Example: lineman-agent consent list --state /var/lib/lineman-agent")]
    List {
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        form: Form,
    },
    /// List the requests that wait for an answer
    #[command(after_help = "Example: lineman-agent consent pending --state /var/lib/lineman-agent")]
    Pending {
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        form: Form,
    },
    /// Approve a waiting request here, without a signature of the carrier (break-glass)
    #[command(
        long_about = "Approve a waiting request here, without a signature of the carrier (break-glass).\n\n\
                      The request is shown as the engineer signed it. Roster, challenge and the local policy hold as for any other consent; \
                      this device says in its own signed words who approved it, in its journal, to the carrier's sink, and to the centre.",
        after_help = "Examples: lineman-agent consent approve cns_0192f0c1d2e37abc8def0123456789ab --state /var/lib/lineman-agent\n          \
                      lineman-agent consent approve cns_0192f0c1d2e37abc8def0123456789ab --doors exec --for 30m"
    )]
    Approve {
        consent: ConsentId,
        /// Fewer doors than were requested, like `exec,sftp-read`
        #[arg(long, value_name = "DOORS")]
        doors: Option<Doors>,
        /// Less time than was requested, like 30m
        #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
        duration_s: Option<u32>,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        form: Form,
    },
    /// End a consent with all its sessions, or drop a waiting request
    #[command(after_help = "Example: lineman-agent consent end cns_0192f0c1d2e37abc8def0123456789ab --reason \"work is done\"")]
    End {
        consent: ConsentId,
        /// Why, for the journal
        #[arg(long, value_name = "TEXT", default_value = "-")]
        reason: String,
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Subcommand)]
pub enum SignersCommand {
    /// Show the list that is in force
    #[command(after_help = "Example: lineman-agent signers show --state /var/lib/lineman-agent")]
    Show {
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        form: Form,
    },
    /// Put a new list in place
    #[command(
        long_about = "Put a new list in place.\n\n\
                      With signatures of the list that is in force (ssh-keygen -Y sign -n signers@lineman -f KEY FILE) it is an ordinary \
                      change. Without any it is break-glass: this device says in its own signed words who did it. Consents of signers who are \
                      not on the new list end.",
        after_help = "Examples: lineman-agent signers set signers --sig signers.sig --state /var/lib/lineman-agent\n          \
                      lineman-agent signers set signers --state /var/lib/lineman-agent"
    )]
    Set {
        file: PathBuf,
        /// A signature over exactly this file; once for each signer
        #[arg(long = "sig", value_name = "FILE")]
        signatures: Vec<PathBuf>,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Args)]
pub struct StopArguments {
    /// Why: whoever is refused reads it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    form: Form,
}

#[derive(Args)]
pub struct ResumeArguments {
    /// Also take back what the centre stopped
    #[arg(long)]
    centre: bool,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    form: Form,
}

pub async fn consent(command: ConsentCommand) -> anyhow::Result<()> {
    match command {
        ConsentCommand::List { state, form } => ask(&state.dir, Question::Consents, form.json).await,
        ConsentCommand::Pending { state, form } => ask(&state.dir, Question::Pending, form.json).await,
        ConsentCommand::Approve { consent, doors, duration_s, yes, state, form } => {
            let shown = waiting(&state.dir, consent).await?;
            let request = Request::read_unverified(&shown.request)?;
            if !yes {
                show_request(&shown, &request, doors.as_ref(), duration_s);
                confirm(&format!("Let {} in?", request.engineer))?;
            }
            let request_sha256 = sha256_hex(&shown.request.text);
            ask(&state.dir, Question::Approve { consent, request_sha256, doors, duration_s }, form.json).await
        }
        ConsentCommand::End { consent, reason, state, form } => ask(&state.dir, Question::EndConsent { consent, reason }, form.json).await,
    }
}

pub async fn stop(arguments: StopArguments) -> anyhow::Result<()> {
    let StopArguments { reason, state, form } = arguments;
    ask(&state.dir, Question::Stop { reason }, form.json).await
}

pub async fn resume(arguments: ResumeArguments) -> anyhow::Result<()> {
    let ResumeArguments { centre, state, form } = arguments;
    ask(&state.dir, Question::Resume { also_centre: centre }, form.json).await
}

pub async fn signers(command: SignersCommand) -> anyhow::Result<()> {
    match command {
        SignersCommand::Show { state, form } => {
            let list = Listing::of(&Identity::load(&state.dir)?.signers);
            show(&list, form.json, Listing::print)
        }
        SignersCommand::Set { file, signatures, yes, state, form } => {
            let text = read(&file)?;
            let signatures = signatures.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?;
            if signatures.is_empty() && !yes {
                let held = Identity::load(&state.dir)?;
                let next = CarrierSigners::parse(&text, &held.device.customer)?;
                println!("in force:");
                Listing::of(&held.signers).print();
                println!("\nto be put in its place, by nobody's signature:");
                Listing::of(&next).print();
                println!();
                confirm("Put it in place?")?;
            }
            ask(&state.dir, Question::SetSigners { text, signatures }, form.json).await
        }
    }
}

async fn waiting(dir: &Path, consent: ConsentId) -> anyhow::Result<PendingInfo> {
    let Reply::Pending { requests } = control::ask(dir, &Question::Pending).await? else { bail!("the agent's answer can't be read") };
    let found = requests.into_iter().find(|request| request.consent == consent);
    let found =
        found.with_context(|| format!("no request {consent} waits on this device: `lineman-agent consent pending` lists those that do"))?;
    match &found.problem {
        Some(problem) => bail!("this request can't be approved: {problem}"),
        None => Ok(found),
    }
}

/// From the bytes that the engineer signed; the agent has verified them.
fn show_request(shown: &PendingInfo, request: &Request, doors: Option<&Doors>, duration_s: Option<u32>) {
    println!("The request, as {} signed it and this device verified it:\n", request.engineer);
    for line in shown.request.text.lines() {
        println!("  {}", escape(line));
    }
    println!("\nYou approve without a signature of the carrier:");
    println!("  doors     {}", doors.unwrap_or(&request.doors));
    println!("  time      {} s at most", duration_s.unwrap_or(request.duration_s));
    println!("  account   {}", escape(&request.account));
    if request.grade == Grade::Gateway {
        println!("  WARNING   grade gateway: the centre could act in this session");
    }
    println!("This is signed by the device, written into its journal, and told to the carrier's sink and to the centre.\n");
}

/// Asks a person. Nothing else may answer for them.
fn confirm(question: &str) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        bail!("this is asked on a terminal; without one, say --yes");
    }
    print!("{question} Type yes: ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { bail!("nothing was done") }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{}` is not a time like 30m or 1h30m", escape(text));
    let duration: SignedDuration = text.parse().map_err(|_| wrong())?;
    u32::try_from(duration.as_secs()).ok().filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

/// The signer list as people read it.
#[derive(Serialize)]
struct Listing {
    number: u64,
    issued: Option<Timestamp>,
    expiry: Option<Timestamp>,
    sha256: String,
    signers: Vec<Signer>,
}

#[derive(Serialize)]
struct Signer {
    principals: Vec<String>,
    namespaces: Vec<String>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
    cert_authority: bool,
    key: String,
}

impl Listing {
    fn of(signers: &CarrierSigners) -> Self {
        let list = signers.list();
        let signer = |line: &lineman_common::statement::list::SignerLine| Signer {
            principals: line.principals.clone(),
            namespaces: line.namespaces.clone(),
            valid_after: line.valid_after,
            valid_before: line.valid_before,
            cert_authority: line.cert_authority,
            key: sig::fingerprint(&line.key).to_string(),
        };
        Self {
            number: signers.counter(),
            issued: list.head.as_ref().map(|head| head.issued),
            expiry: list.head.as_ref().map(|head| head.expiry),
            sha256: list.sha256.clone(),
            signers: list.lines.iter().map(signer).collect(),
        }
    }

    fn print(&self) {
        let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        println!("number {}, issued {}, valid until {}", self.number, time(self.issued), time(self.expiry));
        println!("sha256 {}", self.sha256);
        for Signer { principals, namespaces, valid_after, valid_before, cert_authority, key } in &self.signers {
            let authority = if *cert_authority { "\tauthority" } else { "" };
            let from = valid_after.map_or_else(String::new, |at| format!("\tfrom {at}"));
            let until = valid_before.map_or_else(String::new, |at| format!("\tuntil {at}"));
            println!("{}\t{}\t{key}{authority}{from}{until}", escape(&principals.join(",")), escape(&namespaces.join(",")));
        }
    }
}

pub fn consent_line(consent: &ConsentInfo) {
    let ConsentInfo { consent, fault, grade, engineer, approvers, approved_in_page, doors, account, left_s, .. } = consent;
    let approvers = approvers.iter().map(|name| name_and_page(name, approved_in_page)).collect::<Vec<_>>().join(",");
    let by = if approvers.is_empty() { "on-this-device" } else { &approvers };
    println!("{consent}\t{fault}\t{grade}\t{engineer}\t{by}\t{doors}\t{account}\t{left_s} s left");
}

pub fn pending_line(pending: &PendingInfo) {
    let PendingInfo { consent, arrived, request, problem } = pending;
    let text = match Request::read_unverified(request) {
        Ok(Request { fault, engineer, grade, doors, account, duration_s, reason, .. }) => {
            let (account, reason) = (escape(&account), escape(&reason));
            format!("{fault}\t{grade}\t{engineer}\t{doors}\t{account}\t{duration_s} s\t{reason}")
        }
        Err(error) => unreadable(&error),
    };
    let problem = problem.as_ref().map_or_else(String::new, |problem| format!("\tcan't be approved: {}", escape(problem)));
    println!("{consent}\t{arrived}\t{text}{problem}");
}

fn unreadable(error: &Refused) -> String {
    escape(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_like_people_write_them() {
        assert_eq!((seconds("30m"), seconds("1h30m"), seconds("90s")), (Ok(1800), Ok(5400), Ok(90)));
        for text in ["", "0s", "-5m", "tomorrow", "30"] {
            assert!(seconds(text).unwrap_err().contains("is not a time like 30m"), "{text:?}");
        }
    }
}

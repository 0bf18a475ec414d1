//! `lineman standing`: what a carrier allows without being asked each time.
//!
//! A standing statement opens nothing by itself: each entry still needs a request that an engineer of the level signs, over a fresh
//! challenge of the device, and the device checks that request against the statement.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{Reason, StandingState, StandingView};
use lineman_common::id::ConsentId;
use lineman_common::name::{CustomerCode, FaultNumber};
use lineman_common::session::Doors;
use lineman_common::statement::standing::{Devices, ForFault};
use lineman_common::statement::{Signed, Standing};

use super::App;
use super::consent::{Own, block, doors_arg, duration_arg};
use super::signers::own_customer;
use crate::client::Client;
use crate::consents::now;
use crate::consents::terms::{Grantor, Terms};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, duration_s, text};
use crate::prompt;

/// Standing statements: let engineers of a level in without being asked each time
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman standing grant --devices ne-1.jw.ne --fault F-JW-1 --level 2 --doors shell,exec --for 2h --until 1d --key ~/.ssh/consent
  lineman standing list
  lineman standing revoke cns_0123456789abcdef0123456789abcdef --reason 'work is done'")]
pub enum Command {
    Grant(Box<Grant>),
    Sign(Sign),
    /// List standing statements
    #[command(after_help = "Examples:
  lineman standing list
  lineman standing list --customer JW --fault F-JW-1 -o json")]
    List {
        #[arg(long, value_name = "CODE")]
        customer: Option<CustomerCode>,
        #[arg(long)]
        fault: Option<FaultNumber>,
    },
    /// Show one standing statement, as it was signed
    #[command(after_help = "Examples:\n  lineman standing show cns_0123456789abcdef0123456789abcdef")]
    Show {
        standing: String,
    },
    /// Take it back; what rests on it ends at once
    #[command(after_help = "Examples:\n  lineman standing revoke cns_0123456789abcdef0123456789abcdef --reason 'work is done'")]
    Revoke {
        standing: String,
        #[arg(long)]
        reason: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Sign a standing statement with the carrier's key, and hand it in
///
/// Where devices want two people, write it into a file (--write), and have the second person run `lineman standing sign FILE`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman standing grant --devices ne-1.jw.ne,ne-2.jw.ne --level 2 --doors shell,exec --for 2h --until 30d --key ~/.ssh/consent
  lineman standing grant --fault F-JW-1 --level 1 --doors sftp-read --for 1h --until 2026-12-31T00:00:00Z --key ~/.ssh/consent --yes
  lineman standing grant --level 3 --doors shell --for 1h --until 7d --key ~/.ssh/consent --write standing-jw")]
pub struct Grant {
    /// The customer [default: your own]
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    /// `all`, or names separated by commas
    #[arg(long, value_name = "all|NE,...", default_value = "all")]
    devices: Devices,
    /// For this fault only
    #[arg(long, value_name = "any|FAULT", default_value = "any")]
    fault: ForFault,
    /// The lowest level that it lets in, by the vendor's roster
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    level: u8,
    /// Ways in: shell, exec, sftp-read, sftp-write, forward:HOST:PORT; separated by commas
    #[arg(long, value_parser = doors_arg)]
    doors: Doors,
    /// Account profile on the device
    #[arg(long, default_value = "view")]
    account: String,
    /// How long each entry may last
    #[arg(long = "for", value_name = "DURATION", value_parser = duration_arg)]
    duration_s: u32,
    /// When it ends: a time, or a duration from now
    #[arg(long, value_name = "TIME|DURATION", value_parser = until_arg)]
    until: Timestamp,
    /// Write the signed statement into this file (its signature into FILE.sig), and don't hand it in
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    #[command(flatten)]
    own: Own,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

/// Add your signature to a statement that somebody else wrote, and hand both in
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lineman standing sign standing-jw --key ~/.ssh/consent")]
pub struct Sign {
    /// What `lineman standing grant --write FILE` wrote; its signature is in FILE.sig
    file: PathBuf,
    #[command(flatten)]
    own: Own,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

/// Reads when something ends.
pub fn until_arg(text: &str) -> Result<Timestamp, String> {
    if let Ok(seconds) = duration_s(text) {
        return now().checked_add(SignedDuration::from_secs(i64::from(seconds))).map_err(|e| e.to_string());
    }
    text.parse().map_err(|_| "expected a time like 2026-12-31T00:00:00Z, or a duration like 30d".to_owned())
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        match self {
            Self::Grant(grant) => grant.run(app).await?,
            Self::Sign(sign) => sign.run(app).await?,
            Self::List { customer, fault } => {
                let (customer, fault) = (customer.map(|code| code.to_string()), fault.map(|fault| fault.to_string()));
                let list = app.client()?.standings(customer.as_deref(), fault.as_deref()).await?.items;
                app.out.list(&list, |list| standings_table(list))?;
            }
            Self::Show { standing } => {
                let view = app.client()?.standing(&standing).await?;
                app.out.sheet(&view, sheet)?;
                if !app.out.is_json() {
                    for signed in &view.statements {
                        app.say(format!("\nas it was signed:\n{}", block(&signed.text)));
                    }
                }
            }
            Self::Revoke { standing, reason, yes } => {
                let client = app.client()?;
                prompt::confirm(&format!("revoke {standing} on {}: sessions that rest on it end at once", client.server()), yes)?;
                let view = client.revoke_standing(&standing, &Reason { reason: reason.into() }).await?;
                app.out.row(&view, |list| standings_table(list.iter().copied()))?;
            }
        }
        Ok(Exit::Done)
    }
}

impl Grant {
    async fn run(self, app: &App) -> Result<(), Failure> {
        let client = app.client()?;
        let (trust, signer) = (self.own.trust(app)?, self.own.signer(app)?);
        let customer = match (self.customer, &self.fault) {
            (Some(customer), _) => customer,
            (None, ForFault::Only(fault)) => fault.customer.clone(),
            (None, ForFault::Any) => own_customer(&client).await?,
        };
        let grantor = Grantor::new(&client, &trust, signer, &customer, &app.env).await?;
        let terms = Terms {
            id: ConsentId::new(),
            customer,
            devices: self.devices,
            fault: self.fault,
            level: self.level,
            doors: self.doors,
            account: self.account,
            duration_s: self.duration_s,
            valid_before: self.until,
        };
        let signed = show_and_sign(app, &grantor, &terms, &self.own, self.yes)?;
        let Some(file) = self.write else { return hand_in(app, &client, vec![signed]).await };
        save(&file, &signed)?;
        app.say(format!("written: {0} and {0}.sig. next, by another person: lineman standing sign {0} --key KEY", file.display()));
        Ok(())
    }
}

impl Sign {
    async fn run(self, app: &App) -> Result<(), Failure> {
        let first = load(&self.file)?;
        let customer = Standing::read_unverified(&first)?.customer;
        let client = app.client()?;
        let grantor = Grantor::new(&client, &self.own.trust(app)?, self.own.signer(app)?, &customer, &app.env).await?;
        let terms = grantor.join(&first)?;
        let signed = show_and_sign(app, &grantor, &terms, &self.own, self.yes)?;
        hand_in(app, &client, vec![first, signed]).await
    }
}

/// Shows the very text that is signed.
pub fn show_and_sign(app: &App, grantor: &Grantor, terms: &Terms, own: &Own, yes: bool) -> Result<Signed, Failure> {
    let written = grantor.write(terms)?;
    let roster = &grantor.roster;
    let people = roster.list().lines.iter().flat_map(|line| &line.principals).filter(|name| !name.starts_with("level-"));
    let people: Vec<_> = people.filter(|name| roster.level(name).is_some_and(|level| level >= terms.level)).cloned().collect();
    app.say(format!(
        "lets in, by roster {}: {}",
        roster.head.counter,
        if people.is_empty() { "nobody yet".into() } else { people.join(", ") }
    ));
    app.say("and whoever a later roster gives that level. you sign:");
    app.say(block(&written));
    own.ask("sign this standing statement", yes)?;
    grantor.sign(written)
}

async fn hand_in(app: &App, client: &Client, signed: Vec<Signed>) -> Result<(), Failure> {
    let view = client.new_standing(signed).await?;
    app.out.row(&view, |list| standings_table(list.iter().copied()))?;
    app.say(format!(
        "it holds until {}; take it back: lineman standing revoke {} --reason TEXT",
        app.out.moment(view.valid_before),
        view.id
    ));
    Ok(())
}

fn signature_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn save(file: &Path, signed: &Signed) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::failed(format!("can't write {}: {e}", file.display()));
    std::fs::write(file, &signed.text).map_err(failed)?;
    std::fs::write(signature_file(file), &signed.signature).map_err(failed)
}

fn load(file: &Path) -> Result<Signed, Failure> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| Failure::failed(format!("can't read {}: {e}", path.display())));
    Ok(Signed { text: read(file)?, signature: read(&signature_file(file))? })
}

pub fn standings_table<'a>(list: impl IntoIterator<Item = &'a StandingView>) -> Table {
    let row = |view: &'a StandingView| {
        [
            text(view.id),
            state(view.state),
            text(&view.customer),
            text(&view.devices),
            text(&view.fault),
            text(view.level),
            text(&view.doors),
            text(&view.account),
            Cell::Seconds(Some(u64::from(view.duration_s))),
            view.valid_before.into(),
            text(view.approvers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
        ]
    };
    let head = ["id", "state", "customer", "devices", "fault", "level", "doors", "account", "for", "until", "signed by"];
    Table::new(head, list.into_iter().map(row))
}

fn state(state: StandingState) -> Cell {
    let tone = match state {
        StandingState::Standing => Tone::Good,
        StandingState::Over => Tone::Dim,
        StandingState::Revoked => Tone::Bad,
    };
    Cell::toned(state, tone)
}

fn sheet(view: &StandingView) -> Sheet {
    let fields = vec![
        ("id", text(view.id)),
        ("state", state(view.state)),
        ("customer", text(&view.customer)),
        ("devices", text(&view.devices)),
        ("fault", text(&view.fault)),
        ("level", text(format!("{} or more", view.level))),
        ("doors", text(&view.doors)),
        ("account", text(&view.account)),
        ("for", Cell::Seconds(Some(u64::from(view.duration_s)))),
        ("issued", view.issued.into()),
        ("until", view.valid_before.into()),
        ("signed by", text(view.approvers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))),
        ("revoked at", Cell::Time(view.revoked_at)),
    ];
    Sheet { fields, parts: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_a_duration() {
        assert_eq!(until_arg("2026-12-31T00:00:00Z").unwrap().to_string(), "2026-12-31T00:00:00Z");
        let day = until_arg("1d").unwrap().as_second() - now().as_second();
        assert!((86_399..=86_401).contains(&day), "{day}");
        assert!(until_arg("tomorrow").unwrap_err().contains("30d"));
    }
}

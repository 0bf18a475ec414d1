//! `lineman tier`: what the clocks aim at.

use std::str::FromStr;

use clap::{Args, Subcommand};
use lineman_common::api::{KindTargets, Tier};
use lineman_common::fault::FaultKind;

use super::App;
use crate::ClientError;
use crate::client::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, duration_s, span, text};
use crate::prompt;

/// Service tiers: the targets of the clocks, and their calendar
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman tier list
  lineman tier set gold --accept 15m --restore 4h,8h,24h --calendar cn-office
  lineman tier set gold --kind consulting=4h,8h,5d")]
pub enum Command {
    /// List the tiers
    #[command(after_help = "Examples:\n  lineman tier list -o json")]
    List,
    /// Show one tier
    #[command(after_help = "Examples:\n  lineman tier show gold")]
    Show {
        name: String,
    },
    Set(Set),
    /// Delete a tier that no customer has and no contract names
    #[command(after_help = "Examples:\n  lineman tier delete bronze --yes")]
    Delete {
        name: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Set what is named of a tier, or make it; open faults go on by the new targets, and what they have counted stays
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman tier set gold --accept 15m --respond 30m --restore 4h,8h,24h --resolve 1d,3d,10d --calendar cn-office
  lineman tier set gold --calendar 24x7
  lineman tier set gold --kind consulting=4h,8h,5d --kind upgrade=1d,-,-")]
pub struct Set {
    name: String,
    /// K1; `-` is no target
    #[arg(long, value_name = "DURATION")]
    accept: Option<Target>,
    /// K2; `-` is no target
    #[arg(long, value_name = "DURATION")]
    respond: Option<Target>,
    /// K6 for critical, major, minor; `-` is no target
    #[arg(long, value_name = "C,M,m", value_parser = three)]
    restore: Option<[Option<u32>; 3]>,
    /// K7 for critical, major, minor; `-` is no target
    #[arg(long, value_name = "C,M,m", value_parser = three)]
    resolve: Option<[Option<u32>; 3]>,
    /// When K1, K2, K6 and K7 run; `24x7` is without a calendar
    #[arg(long, value_name = "NAME")]
    calendar: Option<String>,
    /// Targets of requests that are not faults: accept, respond, resolve; may be given several times
    #[arg(long, value_name = "KIND=K1,K2,K7")]
    kind: Vec<Request>,
}

#[derive(Clone, Copy, Debug)]
struct Target(Option<u32>);

impl FromStr for Target {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" { Ok(Self(None)) } else { duration_s(text).map(|seconds| Self(Some(seconds))).map_err(|e| e.to_string()) }
    }
}

fn three(text: &str) -> Result<[Option<u32>; 3], String> {
    let parts = text.split(',').map(|part| part.parse::<Target>().map(|target| target.0)).collect::<Result<Vec<_>, _>>()?;
    parts.try_into().map_err(|_| "expected three durations, like 4h,8h,24h".to_owned())
}

/// `consulting=4h,8h,5d`.
#[derive(Clone, Debug)]
struct Request(FaultKind, KindTargets);

impl FromStr for Request {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, targets) = text.split_once('=').ok_or("expected a kind and three durations, like consulting=4h,8h,5d")?;
        let [accept_s, respond_s, resolve_s] = three(targets)?;
        Ok(Self(kind.parse::<FaultKind>().map_err(|e| e.to_string())?, KindTargets { accept_s, respond_s, resolve_s }))
    }
}

impl Set {
    fn onto(self, known: Tier) -> Tier {
        let calendar = match self.calendar.as_deref() {
            None => known.calendar,
            Some("24x7") => None,
            Some(_) => self.calendar,
        };
        let mut kinds = known.kinds;
        kinds.extend(self.kind.into_iter().map(|Request(kind, targets)| (kind, targets)));
        Tier {
            name: self.name,
            calendar,
            accept_s: self.accept.map_or(known.accept_s, |target| target.0),
            respond_s: self.respond.map_or(known.respond_s, |target| target.0),
            restore_s: self.restore.unwrap_or(known.restore_s),
            resolve_s: self.resolve.unwrap_or(known.resolve_s),
            kinds,
        }
    }
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::List => app.out.list(&client.tiers().await?.items, table)?,
            Self::Show { name } => app.out.sheet(&client.tier(&name).await?, sheet)?,
            Self::Set(set) => {
                let known = known(&client, &set.name).await?;
                app.out.sheet(&client.put_tier(&set.onto(known)).await?, sheet)?;
            }
            Self::Delete { name, yes } => {
                prompt::confirm(&format!("delete the tier {name} on {}", client.server()), yes)?;
                client.delete_tier(&name).await?;
                app.say(format!("{} is deleted", lineman_common::printable::escape(&name)));
            }
        }
        Ok(Exit::Done)
    }
}

/// The tier as it is, or an empty one.
async fn known(client: &Client, name: &str) -> Result<Tier, Failure> {
    match client.tier(name).await {
        Ok(tier) => Ok(tier),
        Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(Tier::default()),
        Err(error) => Err(error.into()),
    }
}

fn targets<const N: usize>(targets: [Option<u32>; N]) -> String {
    targets.map(|target| target.map_or_else(|| "-".to_owned(), |target| span(u64::from(target)))).join(" / ")
}

fn calendar(tier: &Tier) -> Cell {
    text(tier.calendar.as_deref().unwrap_or("24x7"))
}

fn table(tiers: &[Tier]) -> Table {
    let row = |tier: &Tier| {
        [
            text(&tier.name),
            calendar(tier),
            Cell::Seconds(tier.accept_s.map(u64::from)),
            Cell::Seconds(tier.respond_s.map(u64::from)),
            text(targets(tier.restore_s)),
            text(targets(tier.resolve_s)),
        ]
    };
    let head = ["tier", "calendar", "accept (K1)", "respond (K2)", "restore (K6) critical / major / minor", "resolve (K7)"];
    Table::new(head, tiers.iter().map(row))
}

fn sheet(tier: &Tier) -> Sheet {
    let row = |(kind, own): (&FaultKind, &KindTargets)| [text(kind), text(targets([own.accept_s, own.respond_s, own.resolve_s]))];
    Sheet {
        fields: vec![
            ("tier", text(&tier.name)),
            ("calendar", calendar(tier)),
            ("accept (K1)", Cell::Seconds(tier.accept_s.map(u64::from))),
            ("respond (K2)", Cell::Seconds(tier.respond_s.map(u64::from))),
            ("restore (K6)", text(targets(tier.restore_s))),
            ("resolve (K7)", text(targets(tier.resolve_s))),
        ],
        parts: vec![("requests that are not faults", Table::new(["kind", "K1 / K2 / K7"], tier.kinds.iter().map(row)))],
    }
}

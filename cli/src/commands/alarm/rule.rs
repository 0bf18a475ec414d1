//! `lineman alarm rule`: which cause explains what, and from when on an alarm flaps.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lineman_common::api::{AlarmRule, DryRun, DryRunReply, RuleBody, SetAlarmRule};

use super::Because;
use crate::client::Client;
use crate::commands::App;
use crate::exit::Failure;
use crate::output::{Cell, Sheet, Table, Tone, text};

/// Rules of correlation: which cause explains what, and from when on an alarm flaps
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman alarm rule list
  lineman alarm rule show link-down -o json
  lineman alarm rule dry-run --file cooling.json --days 30
  lineman alarm rule set cooling --file cooling.json --why 'one cooling for all'
  lineman alarm rule off cooling --why 'they have their own now'

A rule's file: {\"kind\": \"suppress\", \"relation\": \"link\", \"cause\": {\"types\": [\"cooling.*\"]}, \"effect\": {\"types\": [\"fan.*\"]}}")]
pub enum Command {
    /// List the rules
    #[command(after_help = "Examples:\n  lineman alarm rule list")]
    List,
    /// Show one rule
    #[command(after_help = "Examples:\n  lineman alarm rule show link-down -o json")]
    Show {
        #[arg(value_name = "RULE")]
        name: String,
    },
    /// Set a rule, switched on
    #[command(after_help = "Examples:\n  lineman alarm rule set cooling --file cooling.json --why 'one cooling for all'")]
    Set {
        #[arg(value_name = "RULE")]
        name: String,
        /// JSON, as `show -o json` gives it under `rule`
        #[arg(long)]
        file: PathBuf,
        /// Keep it, switched off
        #[arg(long)]
        off: bool,
        #[command(flatten)]
        because: Because,
    },
    /// Switch a rule on
    #[command(after_help = "Examples:\n  lineman alarm rule on link-down --why 'the ports are named now'")]
    On(Switch),
    /// Switch a rule off
    #[command(after_help = "Examples:\n  lineman alarm rule off link-down --why 'it hides too much'")]
    Off(Switch),
    /// Forget a rule; one that came with the server is as it came again
    #[command(after_help = "Examples:\n  lineman alarm rule remove cooling --why 'they have their own now'")]
    Remove(Switch),
    /// Say what a rule would have done in the last days; changes nothing
    #[command(
        after_help = "Examples:\n  lineman alarm rule dry-run --file cooling.json --days 30\n  lineman alarm rule dry-run --rule link-down"
    )]
    DryRun {
        /// The rule's JSON
        #[arg(long, required_unless_present = "rule")]
        file: Option<PathBuf>,
        /// A rule that the server has
        #[arg(long, value_name = "NAME", conflicts_with = "file")]
        rule: Option<String>,
        #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=90))]
        days: u32,
    },
}

#[derive(Debug, Args)]
pub struct Switch {
    #[arg(value_name = "RULE")]
    name: String,
    #[command(flatten)]
    because: Because,
}

fn read(path: &Path) -> Result<RuleBody, Failure> {
    let file = path.display();
    let bytes = std::fs::read(path).map_err(|e| Failure::failed(format!("can't read {file}: {e}")))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Failure::usage(format!("{file} is not a rule: {e}")).hint("lineman alarm rule --help shows one"))
}

impl Command {
    pub async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        let rule = match self {
            Self::List => return app.out.list(&client.rules().await?.items, |rules| rules_table(rules)),
            Self::DryRun { file, rule, days } => {
                let rule = match (file, rule) {
                    (Some(file), _) => read(&file)?,
                    (None, Some(name)) => client.rule(&name).await?.rule,
                    (None, None) => return Err(Failure::usage("which rule?").hint("--file FILE, or --rule NAME")),
                };
                return app.out.sheet(&client.dry_run(&DryRun { rule, days }).await?, tried);
            }
            Self::Remove(Switch { name, because }) => {
                client.remove_rule(&name, &because.body()).await?;
                app.say(format!("{} is forgotten", lineman_common::printable::escape(&name)));
                return Ok(());
            }
            Self::Show { name } => client.rule(&name).await?,
            Self::Set { name, file, off, because } => {
                let set = SetAlarmRule { enabled: !off, rule: Some(read(&file)?), why: because.why.into() };
                client.set_rule(&name, &set).await?
            }
            Self::On(Switch { name, because }) => switch(client, &name, true, because).await?,
            Self::Off(Switch { name, because }) => switch(client, &name, false, because).await?,
        };
        app.out.row(&rule, |rules| rules_table(rules.iter().copied()))
    }
}

async fn switch(client: &Client, name: &str, enabled: bool, because: Because) -> Result<AlarmRule, Failure> {
    Ok(client.set_rule(name, &SetAlarmRule { enabled, rule: None, why: because.why.into() }).await?)
}

fn rules_table<'a>(rules: impl IntoIterator<Item = &'a AlarmRule>) -> Table {
    let row = |rule: &'a AlarmRule| {
        let on = if rule.enabled { Cell::toned("on", Tone::Good) } else { Cell::toned("off", Tone::Dim) };
        [
            text(&rule.name),
            on,
            text(said(&rule.rule)),
            text(if rule.built_in { "yes" } else { "" }),
            Cell::option(rule.by.as_ref()),
            Cell::option(rule.why.as_ref()),
        ]
    };
    Table::new(["rule", "is", "what", "built in", "by", "why"], rules.into_iter().map(row))
}

fn said(rule: &RuleBody) -> String {
    match rule {
        RuleBody::Suppress { relation, hold_s, recovery_s, .. } => {
            format!("a cause explains what hangs on it by {relation}; effects wait {hold_s} s, and {recovery_s} s after it")
        }
        RuleBody::Flapping { raises, window_s, quiet_s, .. } => {
            format!("raised {raises} times in {window_s} s it flaps, until quiet for {quiet_s} s")
        }
    }
}

fn tried(reply: &DryRunReply) -> Sheet {
    let fields = vec![
        ("since", Cell::Time(reply.since)),
        ("times raised", text(reply.raises)),
        ("would not have shown", text(reply.suppressed)),
        ("alarms", text(reply.alarms)),
        ("faults fewer", text(reply.faults_fewer)),
        ("cut short", text(if reply.cut_short { "yes" } else { "" })),
    ];
    let roots = reply.roots.iter().map(|root| [text(&root.equipment), text(root.suppressed), text(&root.text), text(root.alarm)]);
    Sheet { fields, parts: vec![("causes", Table::new(["equipment", "explains", "text", "id"], roots))] }
}

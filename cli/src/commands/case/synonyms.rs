//! `lineman case synonyms`: words that mean the same.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lineman_common::Printable;
use lineman_common::api::{LineVerdict, NewSynonyms, SynonymGroup, SynonymImport, SynonymTable};

use super::super::{App, Limit};
use super::exchange::read_text;
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Table, Tone, text};
use crate::prompt;

/// Words that mean the same: a search for one also finds the others
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman case synonyms list
  lineman case synonyms add --zh 烧纤 --en 'fibre burn' --en 'burnt fibre'
  lineman case synonyms off field-1a2b3c4d5e")]
pub enum Command {
    /// List the groups: those that are built in, then your own
    #[command(after_help = "Examples:\n  lineman case synonyms list\n  lineman case synonyms list --own -o json")]
    List {
        /// Leave out what is built in
        #[arg(long)]
        own: bool,
        #[command(flatten)]
        limit: Limit,
    },
    /// Add a group
    #[command(after_help = "Examples:\n  lineman case synonyms add --zh 烧纤 --en 'fibre burn' --en 'burnt fibre'")]
    Add {
        #[command(flatten)]
        phrases: Phrases,
    },
    /// Give a group of your own other phrases
    #[command(after_help = "Examples:
  lineman case synonyms edit syn_0193f0a0000070008000000000000001 --zh 烧纤 --zh 光纤烧毁 --en 'fibre burn'")]
    Edit {
        group: String,
        #[command(flatten)]
        phrases: Phrases,
    },
    /// Remove a group of your own
    #[command(after_help = "Examples:\n  lineman case synonyms remove syn_0193f0a0000070008000000000000001 --yes")]
    Remove {
        group: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Switch a group off, also a built-in one
    #[command(after_help = "Examples:\n  lineman case synonyms off field-1a2b3c4d5e")]
    Off { group: String },
    /// Switch a group on again
    #[command(after_help = "Examples:\n  lineman case synonyms on field-1a2b3c4d5e")]
    On { group: String },
    /// Print your own groups: a group a line, Chinese phrases, a tab, English phrases, separated by `;`
    #[command(after_help = "Examples:\n  lineman case synonyms export > synonyms.tsv")]
    Export,
    /// Take groups from such a table, after showing what would change
    #[command(after_help = "Examples:
  lineman case synonyms import synonyms.tsv
  lineman case synonyms import synonyms.tsv --yes")]
    Import {
        /// `-` is stdin
        file: PathBuf,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub struct Phrases {
    /// A Chinese phrase; may be given several times
    #[arg(long, value_name = "PHRASE")]
    zh: Vec<String>,
    /// An English phrase; may be given several times
    #[arg(long, value_name = "PHRASE")]
    en: Vec<String>,
}

impl Phrases {
    fn group(self) -> NewSynonyms {
        let list = |phrases: Vec<String>| phrases.into_iter().map(Printable::from).collect();
        NewSynonyms { zh: list(self.zh), en: list(self.en) }
    }
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        let group = match self {
            Self::List { own, limit } => {
                let client = &client;
                let mut groups = limit.read(app, |page| async move { client.synonyms(&page).await }).await?;
                groups.retain(|group| !(own && group.built_in));
                app.out.list(&groups, |groups| table(groups))?;
                return Ok(Exit::Done);
            }
            Self::Export => {
                let table = client.synonym_table().await?;
                crate::output::write_out(&table)?;
                return Ok(Exit::Done);
            }
            Self::Import { file, yes } => return import(app, &client, &file, yes).await,
            Self::Add { phrases } => client.add_synonyms(&phrases.group()).await?,
            Self::Edit { group, phrases } => client.edit_synonyms(&group, &phrases.group()).await?,
            Self::Remove { group, yes } => {
                prompt::confirm(&format!("remove the synonyms {group} from {}", client.server()), yes)?;
                client.remove_synonyms(&group).await?
            }
            Self::Off { group } => client.switch_synonyms(&group, false).await?,
            Self::On { group } => client.switch_synonyms(&group, true).await?,
        };
        app.out.row(&group, |groups| table(groups.iter().copied()))?;
        for warning in &group.warnings {
            app.say(format!("warning: {}", lineman_common::printable::escape(warning)));
        }
        Ok(Exit::Done)
    }
}

fn joined(phrases: &[Printable]) -> String {
    phrases.iter().map(Printable::raw).collect::<Vec<_>>().join("; ")
}

fn table<'a>(groups: impl IntoIterator<Item = &'a SynonymGroup>) -> Table {
    let row = |group: &'a SynonymGroup| {
        let switch = if group.on { Cell::toned("on", Tone::Plain) } else { Cell::toned("off", Tone::Dim) };
        let by = if group.built_in && group.on { text("built in") } else { Cell::option(group.changed_by.as_ref()) };
        let warnings = if group.warnings.is_empty() { text("") } else { Cell::toned(group.warnings.join("; "), Tone::Warn) };
        [text(&group.id), text(joined(&group.zh)), text(joined(&group.en)), switch, by, Cell::Time(group.changed_at), warnings]
    };
    Table::new(["id", "zh", "en", "used", "by", "at", "warnings"], groups.into_iter().map(row))
}

async fn import(app: &App, client: &crate::Client, file: &std::path::Path, yes: bool) -> Outcome {
    let table = read_text(file)?;
    let plan = client.import_synonyms(&SynonymTable { table: table.clone(), plan: None }).await?;
    let counted = |verdict: LineVerdict| plan.lines.iter().filter(|line| line.verdict == verdict).count();
    let (changes, refused) = (counted(LineVerdict::New) + counted(LineVerdict::Changed), counted(LineVerdict::Refused));
    show(app, &plan)?;
    let ends = if refused == 0 { Exit::Done } else { Exit::CheckFailed };
    if changes == 0 {
        app.say("there is nothing to change");
        return Ok(ends);
    }
    if !yes && !prompt::is_interactive() {
        app.say("nothing was written: add --yes to carry it out");
        return Ok(ends);
    }
    prompt::confirm(&format!("change {changes} groups on {}", client.server()), yes)?;
    client.import_synonyms(&SynonymTable { table, plan: Some(plan.plan) }).await?;
    app.say(format!("{changes} groups changed"));
    Ok(ends)
}

fn show(app: &App, plan: &SynonymImport) -> Result<(), crate::exit::Failure> {
    let rows = |plan: &SynonymImport| {
        let lines = plan.lines.iter().filter(|line| line.verdict != LineVerdict::Same || !line.warnings.is_empty());
        let rows = lines.map(|line| {
            let tone = match line.verdict {
                LineVerdict::Refused => Tone::Bad,
                LineVerdict::New | LineVerdict::Changed => Tone::Good,
                LineVerdict::Same => Tone::Dim,
            };
            let says = line.reason.iter().chain(&line.warnings).cloned().collect::<Vec<_>>().join("; ");
            [text(line.line), Cell::toned(line.verdict, tone), text(joined(&line.zh)), text(joined(&line.en)), text(says)]
        });
        Table::new(["line", "what", "zh", "en", "why"], rows)
    };
    app.out.row(plan, |plans| plans.first().map(|plan| rows(plan)).unwrap_or_default())?;
    if !plan.missing.is_empty() {
        app.say(format!("{} groups of the server are not in the table: they stay", plan.missing.len()));
    }
    Ok(())
}

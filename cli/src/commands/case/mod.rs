//! `lineman case`: what was learned.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lineman_common::api::{Case, CaseBody, CaseHit, CaseState, CaseText, LinkVerdict, NewLink};
use lineman_common::name::FaultNumber;

use super::fault::hits_table;
use super::{App, Limit, word};
use crate::client::Filter;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, text};
use crate::prompt;

/// Cases: find what others learned, write down what you did
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman case search '板卡 温度'
  lineman case search 'fan tray overheating'
  lineman case show C-0042")]
pub enum Command {
    /// Find cases by symptom, alarm code or model
    #[command(after_help = "Examples:
  lineman case search '板卡 温度'
  lineman case search ALM-25621 --limit 5 -o json")]
    Search {
        #[arg(required = true)]
        words: Vec<String>,
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// List cases, also those that search doesn't show yet
    #[command(after_help = "Examples:\n  lineman case list --state not_validated")]
    List {
        #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(CaseState::WORDS))]
        state: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one case
    #[command(after_help = "Examples:\n  lineman case show C-0042")]
    Show {
        case: String,
    },
    New(New),
    /// Change a case: in your editor, or from a file
    #[command(after_help = "Examples:\n  lineman case edit C-0042\n  lineman case edit C-0042 --file case.toml")]
    Edit {
        case: String,
        /// TOML or JSON; `-` is stdin
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Hand a draft in for review
    #[command(after_help = "Examples:\n  lineman case submit C-0042")]
    Submit {
        case: String,
    },
    /// Approve a case; search shows it from now on
    #[command(after_help = "Examples:\n  lineman case publish C-0042")]
    Publish {
        case: String,
    },
    /// Take a case out of the library
    #[command(after_help = "Examples:\n  lineman case archive C-0042 --yes")]
    Archive {
        case: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Say what a case was to a fault
    #[command(after_help = "Examples:\n  lineman case link C-0042 --fault F-JW-1 --verdict solved")]
    Link {
        case: String,
        #[arg(long)]
        fault: FaultNumber,
        #[arg(long, value_parser = word::<LinkVerdict>(LinkVerdict::WORDS))]
        verdict: LinkVerdict,
    },
}

/// Write a case: from a fault, from a file, or in your editor
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman case new
  lineman case new --fault F-JW-1
  lineman case new --file case.toml")]
pub struct New {
    /// Draft it from this fault
    #[arg(long, conflicts_with = "file")]
    fault: Option<String>,
    /// TOML or JSON; `-` is stdin
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        let case = match self {
            Self::Search { words, limit } => {
                let hits: Vec<CaseHit> = client.search_cases(&words.join(" "), Some(limit)).await?.items;
                app.out.list(&hits, hits_table)?;
                if hits.is_empty() {
                    app.say("nothing was found: try fewer or other words, an alarm code, or a model");
                }
                return Ok(Exit::Done);
            }
            Self::List { state, limit } => {
                let filter = Filter { state, ..Filter::default() };
                let (client, filter) = (&client, &filter);
                let cases = limit.read(app, |page| async move { client.cases(filter, &page).await }).await?;
                app.out.list(&cases, |cases| cases_table(cases))?;
                return Ok(Exit::Done);
            }
            Self::Show { case } => {
                let case = client.case(&case).await?;
                app.out.sheet(&case, sheet)?;
                return Ok(Exit::Done);
            }
            Self::New(New { fault: Some(fault), .. }) => client.draft_case(&fault).await?,
            Self::New(New { file, .. }) => {
                let template = CaseBody { zh: Some(CaseText::default()), en: Some(CaseText::default()), ..CaseBody::default() };
                client.new_case(&body(file.as_deref(), &template)?).await?
            }
            Self::Edit { case, file } => {
                let old = client.case(&case).await?;
                client.put_case(&case, &body(file.as_deref(), &old.body)?).await?
            }
            Self::Submit { case } => client.submit_case(&case).await?,
            Self::Publish { case } => client.publish_case(&case).await?,
            Self::Archive { case, yes } => {
                prompt::confirm(&format!("take {case} out of the library on {}", client.server()), yes)?;
                client.archive_case(&case).await?
            }
            Self::Link { case, fault, verdict } => client.link_case(&case, &NewLink { fault, verdict }).await?,
        };
        app.out.row(&case, |cases| cases_table(cases.iter().copied()))?;
        match case.state {
            CaseState::Wip => app.say(format!("next: lineman case edit {0}, lineman case submit {0}", case.number)),
            CaseState::NotValidated => {
                app.say(format!("next, by somebody else than {}: lineman case publish {}", case.author, case.number));
            }
            CaseState::Validated | CaseState::Archived => {}
        }
        Ok(Exit::Done)
    }
}

pub fn cases_table<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Table {
    let row = |case: &'a Case| {
        [
            text(case.number),
            state(case.state),
            text(case.solved),
            text(&case.author),
            Cell::option(case.reviewer.as_ref()),
            Cell::option(case.source_fault.as_ref()),
            case.updated_at.into(),
            text(title(&case.body)),
        ]
    };
    Table::new(["case", "state", "solved", "author", "reviewer", "from", "updated", "title"], cases.into_iter().map(row))
}

fn title(body: &CaseBody) -> String {
    [&body.zh, &body.en].into_iter().flatten().map(|text| text.title.to_string()).collect::<Vec<_>>().join(" / ")
}

fn state(state: CaseState) -> Cell {
    let tone = match state {
        CaseState::Validated => Tone::Good,
        CaseState::NotValidated => Tone::Warn,
        CaseState::Wip => Tone::Plain,
        CaseState::Archived => Tone::Dim,
    };
    Cell::toned(state, tone)
}

fn sheet(case: &Case) -> Sheet {
    let list = |items: &[lineman_common::Printable]| text(items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    let mut fields = vec![
        ("case", text(case.number)),
        ("state", state(case.state)),
        ("audience", text(case.body.audience)),
        ("equipment", text(case.body.equipment.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))),
        ("cause", Cell::option(case.body.cause.as_ref())),
        ("codes", list(&case.body.codes)),
        ("author", text(&case.author)),
        ("reviewer", Cell::option(case.reviewer.as_ref())),
        ("from fault", Cell::option(case.source_fault.as_ref())),
        ("version", text(case.version)),
        ("updated at", case.updated_at.into()),
        ("solved / helped / wrong", text(format!("{} / {} / {}", case.solved, case.helped, case.wrong))),
        ("id", text(case.id)),
    ];
    let labels = [
        ["title (zh)", "symptom (zh)", "cause (zh)", "steps (zh)", "resolution (zh)"],
        ["title (en)", "symptom (en)", "cause (en)", "steps (en)", "resolution (en)"],
    ];
    for (labels, part) in labels.into_iter().zip([&case.body.zh, &case.body.en]) {
        if let Some(CaseText { title, symptom, cause, steps, resolution }) = part {
            fields.extend(labels.into_iter().zip([title, symptom, cause, steps, resolution]).map(|(label, value)| (label, text(value))));
        }
    }
    Sheet { fields, parts: Vec::new() }
}

/// The body of a case: from a file, or from the person's editor with `old` to begin from.
fn body(file: Option<&Path>, old: &CaseBody) -> Result<CaseBody, Failure> {
    let text = match file {
        Some(path) if path.as_os_str() == "-" => {
            std::io::read_to_string(std::io::stdin()).map_err(|e| Failure::failed(format!("can't read stdin: {e}")))?
        }
        Some(path) => std::fs::read_to_string(path).map_err(|e| Failure::failed(format!("can't read {}: {e}", path.display())))?,
        None if prompt::is_interactive() => edit(old)?,
        None => return Err(Failure::usage("there is no terminal for an editor").hint("add --file FILE")),
    };
    let body = parse(&text)?;
    Ok(CaseBody { zh: body.zh.filter(is_written), en: body.en.filter(is_written), ..body })
}

fn is_written(text: &CaseText) -> bool {
    *text != CaseText::default()
}

/// JSON begins with a brace, TOML never does.
fn parse(text: &str) -> Result<CaseBody, Failure> {
    let parsed = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|e| e.to_string())
    } else {
        toml::from_str(text).map_err(|e| e.to_string())
    };
    parsed.map_err(|why| {
        Failure::usage(format!("the case is not understood: {why}")).hint("expected TOML like: [zh] title = \"...\" symptom = \"...\"")
    })
}

const HEAD: &str = "# One text in Chinese ([zh]), one in English ([en]); leave out what you don't have.\n\
                    # `equipment` = { product = \"OLT\", model = \"C320\", versions = \"5.2..5.4\" }, `codes` = alarm codes and types, `audience` = \"internal\" or \"customer\".\n\n";

fn edit(old: &CaseBody) -> Result<String, Failure> {
    let failed = |e: std::io::Error| Failure::failed(format!("can't edit: {e}"));
    let text = toml::to_string_pretty(old).map_err(|e| Failure::failed(format!("can't write the case as TOML: {e}")))?;
    let file = tempfile::Builder::new().prefix("lineman-case-").suffix(".toml").tempfile().map_err(failed)?;
    std::fs::write(file.path(), format!("{HEAD}{text}")).map_err(failed)?;
    let editor = std::env::var("VISUAL").or_else(|_| std::env::var("EDITOR")).unwrap_or_else(|_| "vi".to_owned());
    // The variable may hold options, so a shell splits it; the file's name is passed as an argument, not as text.
    let status =
        std::process::Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file.path()).status().map_err(failed)?;
    if !status.success() {
        return Err(Failure::failed(format!("the editor ended with {status}: nothing was changed")));
    }
    std::fs::read_to_string(file.path()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_reads_from_toml_and_json_and_survives_the_editor() {
        let toml = "codes = [\"ALM-25621\"]\n[zh]\ntitle = \"风扇停转\"\nsteps = \"\"\"一\n二\"\"\"\n[en]\ntitle = \"\"\n";
        let body = parse(toml).unwrap();
        assert_eq!(body.zh.as_ref().unwrap().steps.raw(), "一\n二");
        assert_eq!(parse(&toml::to_string_pretty(&body).unwrap()).unwrap(), body);
        assert_eq!(parse(&serde_json::to_string(&body).unwrap()).unwrap(), body);
        assert!(!is_written(&body.en.unwrap()));
    }

    #[test]
    fn a_misspelt_field_is_an_error_that_names_it() {
        let failure = parse("[zh]\ntitel = \"x\"\n").unwrap_err();
        assert!(failure.what.contains("titel"), "{failure}");
        assert_eq!(failure.exit, Exit::Usage);
    }
}

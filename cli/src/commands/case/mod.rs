//! `lineman case`: what was learned.

mod draft;
mod exchange;
mod find;
mod life;
mod offers;
mod sides;
mod synonyms;

pub use offers::duplicates_table;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lineman_common::Printable;
use lineman_common::api::{Case, CaseBody, CaseEquipment, CaseState, CaseText, FlagKind, LinkVerdict, NewLink};
use lineman_common::name::FaultNumber;

use super::fault::say_both;
use super::{App, Limit, word};
use crate::client::{CaseFilter, Seen};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, text, write_out};
use crate::prompt;

/// Cases: find what others learned, write down what you did
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman case search '板卡 温度'
  lineman case search 'fan tray overheating'
  lineman case show C-0042")]
pub enum Command {
    Search(find::Search),
    /// List cases, also those that search doesn't show yet
    #[command(after_help = "Examples:
  lineman case list --state not_validated
  lineman case list --owner me --flag unconfirmed")]
    List {
        #[arg(long, value_parser = word::<CaseState>(CaseState::WORDS))]
        state: Option<CaseState>,
        /// A name, or `me`
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
        #[arg(long)]
        product: Option<String>,
        /// With an open doubt of this kind
        #[arg(long, value_parser = word::<FlagKind>(FlagKind::WORDS))]
        flag: Option<FlagKind>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one case
    #[command(after_help = "Examples:
  lineman case show C-0042
  lineman case show C-0042 --side-by-side")]
    Show {
        case: String,
        /// Chinese and English in two columns, with what is to be translated
        #[arg(long)]
        side_by_side: bool,
    },
    New(New),
    /// Change a case: in your editor, or from a file; refused, with both texts, when somebody else changed it since you saw it
    #[command(after_help = "Examples:
  lineman case edit C-0042
  lineman case edit C-0042 --file case.toml --note 'steps for 5.6'
  lineman case edit C-0042 --file case.toml --seen 3")]
    Edit {
        case: String,
        /// What changed, for the list of versions
        #[arg(long)]
        note: Option<String>,
        /// The version that you saw [default: the newest]
        #[arg(long, value_name = "VERSION")]
        seen: Option<u64>,
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
    Draft(draft::Draft),
    Suggest(offers::Suggest),
    #[command(subcommand)]
    Evidence(offers::EvidenceCommand),
    #[command(subcommand)]
    Deflection(offers::Deflections),
    #[command(subcommand)]
    Signals(offers::Signals),
    Export(exchange::Export),
    Import(exchange::Import),
    #[command(subcommand)]
    Synonyms(synonyms::Command),
    /// Say what a case was to a fault
    #[command(after_help = "Examples:
  lineman case link C-0042 --fault F-JW-1 --verdict solved
  lineman case link C-0042 --fault F-JW-2 --verdict wrong --reason 'it was the power supply'")]
    Link {
        case: String,
        #[arg(long)]
        fault: FaultNumber,
        #[arg(long, value_parser = word::<LinkVerdict>(LinkVerdict::WORDS))]
        verdict: LinkVerdict,
        /// Needed when it was wrong: the case is flagged with it
        #[arg(long, required_if_eq("verdict", "wrong"))]
        reason: Option<String>,
    },
    #[command(flatten)]
    Life(Box<life::Command>),
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
            Self::Search(search) => return search.run(app).await,
            Self::Life(command) => return command.run(app, &client).await,
            Self::List { state, owner, author, product, flag, limit } => {
                let filter = CaseFilter { state, owner, author, product, flag, ..CaseFilter::default() };
                let (client, filter) = (&client, &filter);
                let cases = limit.read(app, |page| async move { client.list_cases(filter, &page).await }).await?;
                app.out.list(&cases, |cases| cases_table(cases))?;
                return Ok(Exit::Done);
            }
            Self::Show { case, side_by_side } => {
                let case = client.case(&case).await?;
                if let Some(asked) = case.asked_as {
                    app.say(format!("{asked} is the same as {}: this is {}", case.number, case.number));
                }
                if side_by_side && !app.out.is_json() {
                    write_out(&sides::side_by_side(&app.out, &case))?;
                } else {
                    app.out.sheet(&case, sheet)?;
                }
                return Ok(Exit::Done);
            }
            Self::Export(export) => return export.run(app).await,
            Self::Import(import) => return import.run(app).await,
            Self::Synonyms(command) => return command.run(app).await,
            Self::Draft(draft) => return draft.run(app, &client).await,
            Self::Suggest(suggest) => return suggest.run(app, &client).await,
            Self::Evidence(command) => return command.run(app, &client).await,
            Self::Deflection(command) => return command.run(app, &client).await,
            Self::Signals(command) => return command.run(app, &client).await,
            Self::New(New { fault: Some(fault), .. }) => client.draft_case(&fault).await?,
            Self::New(New { file, .. }) => {
                let template = CaseBody { zh: Some(CaseText::default()), en: Some(CaseText::default()), ..CaseBody::default() };
                client.new_case(&body(file.as_deref(), &template)?).await?
            }
            Self::Edit { case, note, seen, file } => {
                let old = client.case(&case).await?;
                let seen = Seen(seen.unwrap_or_else(|| old.version.into()));
                let body = body(file.as_deref(), &old.body)?;
                client.put_case(&case, seen, note.as_deref(), &body).await.inspect_err(|error| say_both(app, error))?
            }
            Self::Submit { case } => client.submit_case(&case).await?,
            Self::Publish { case } => client.publish_case(&case).await?,
            Self::Archive { case, yes } => {
                prompt::confirm(&format!("take {case} out of the library on {}", client.server()), yes)?;
                client.archive_case(&case).await?
            }
            Self::Link { case, fault, verdict, reason } => {
                client.link_case(&case, &NewLink { fault, verdict, reason: reason.map(Printable::from) }).await?
            }
        };
        app.out.row(&case, |cases| cases_table(cases.iter().copied()))?;
        say_next(app, &case);
        Ok(Exit::Done)
    }
}

/// What can be done with it, and what should be known of it.
fn say_next(app: &App, case: &Case) {
    if let Some(returned) = &case.returned {
        app.say(format!("sent back to the author by {}: {}", returned.by, returned.reason));
    }
    match case.state {
        CaseState::Wip => app.say(format!("next: lineman case edit {0}, lineman case submit {0}", case.number)),
        CaseState::NotValidated => {
            app.say(format!("next, by somebody else than {}: lineman case publish {}", case.author, case.number));
        }
        CaseState::Validated | CaseState::Archived => {}
    }
}

pub fn cases_table<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Table {
    let row = |case: &'a Case| {
        [
            text(case.number),
            state(case.state),
            flags(case),
            text(case.solved),
            text(&case.owner),
            text(&case.author),
            Cell::option(case.reviewer.as_ref()),
            Cell::option(case.source_fault.as_ref()),
            case.updated_at.into(),
            text(title(&case.body)),
        ]
    };
    Table::new(["case", "state", "flags", "solved", "owner", "author", "reviewer", "from", "updated", "title"], cases.into_iter().map(row))
}

fn flags(case: &Case) -> Cell {
    let tone = case.flags.iter().map(|kind| life::flag_tone(*kind)).next_back().unwrap_or_default();
    Cell::toned(case.flags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "), tone)
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
    let review = case.review.as_ref().map(|review| match &review.claimed_by {
        Some(by) => format!("{}, by {by}", review.why),
        None => review.why.to_string(),
    });
    let languages = case.to_translate.iter().map(|field| format!("{} {} {}", field.language, field.field, field.why));
    let mut fields = vec![
        ("case", text(case.number)),
        ("asked as", Cell::option(case.asked_as)),
        ("state", state(case.state)),
        ("same as", Cell::option(case.same_as)),
        ("duplicates", text(case.duplicates.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))),
        ("flags", flags(case)),
        ("waits for review", Cell::option(review)),
        ("waits since", Cell::Time(case.review.as_ref().map(|review| review.since))),
        ("sent back", Cell::option(case.returned.as_ref().map(|returned| format!("by {}: {}", returned.by, returned.reason.raw())))),
        ("owner", text(&case.owner)),
        ("author", text(&case.author)),
        ("reviewer", Cell::option(case.reviewer.as_ref())),
        ("from fault", Cell::option(case.source_fault.as_ref())),
        ("version", text(case.version)),
        ("updated at", case.updated_at.into()),
        ("published at", Cell::Time(case.published_at)),
        ("confirmed at", case.confirmed_at.into()),
        ("to translate", text(languages.collect::<Vec<_>>().join(", "))),
        ("solved / helped / wrong", text(format!("{} / {} / {}", case.solved, case.helped, case.wrong))),
        ("id", text(case.id)),
    ];
    fields.extend(body_fields(&case.body));
    Sheet { fields, parts: Vec::new() }
}

/// What a case says, field by field.
fn body_fields(body: &CaseBody) -> Vec<(&'static str, Cell)> {
    let list = |items: &[Printable]| text(items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    let about = |about: &CaseEquipment| format!("{about} {}", about.versions).trim().to_owned();
    let mut fields = vec![
        ("audience", text(body.audience)),
        ("equipment", text(body.equipment.iter().map(about).collect::<Vec<_>>().join(", "))),
        ("cause", Cell::option(body.cause.as_ref())),
        ("codes", list(&body.codes)),
    ];
    let labels = [
        ["title (zh)", "symptom (zh)", "cause (zh)", "steps (zh)", "resolution (zh)"],
        ["title (en)", "symptom (en)", "cause (en)", "steps (en)", "resolution (en)"],
    ];
    for (labels, part) in labels.into_iter().zip([&body.zh, &body.en]) {
        if let Some(CaseText { title, symptom, cause, steps, resolution }) = part {
            fields.extend(labels.into_iter().zip([title, symptom, cause, steps, resolution]).map(|(label, value)| (label, text(value))));
        }
    }
    fields
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

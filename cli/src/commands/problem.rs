//! `lineman problem`: one root of many faults, by product, serials or software. For the support centre's people.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{AttachFaults, EditProblem, Fits, MatchingEquipment, NewProblem, ProblemResolution, ProblemView, Reason};
use lineman_common::fault::ProblemState;
use lineman_common::name::{FaultNumber, PersonName};

use super::fault::faults_table;
use super::{App, Limit, word};
use crate::client::{Client, Seen};
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, text};

/// Problems: one root of many faults
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman problem open --title 'fan trays of week 12 stop' --product OLT --serial-from SN2102300 --serial-to SN2102400
  lineman problem attach P-1 --matching
  lineman problem resolve P-1 --cause 'dry bearings' --resolution 'replace the fan tray, free of charge'")]
pub enum Command {
    /// List them, the newest first
    #[command(after_help = "Examples:\n  lineman problem list --state open")]
    List {
        #[arg(long, value_parser = word::<ProblemState>(ProblemState::WORDS))]
        state: Option<ProblemState>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one, and what fits it: equipment, and open faults that are not attached
    #[command(after_help = "Examples:\n  lineman problem show P-1")]
    Show {
        problem: String,
    },
    Open(Open),
    Edit(Edit),
    /// Attach faults: those named, or all that match
    #[command(after_help = "Examples:
  lineman problem attach P-1 F-JW-1 F-YW-3
  lineman problem attach P-1 --matching")]
    Attach {
        problem: String,
        #[arg(value_name = "FAULT", required_unless_present = "matching")]
        faults: Vec<FaultNumber>,
        /// All open faults of equipment that fits
        #[arg(long)]
        matching: bool,
    },
    /// Take a fault off
    #[command(after_help = "Examples:\n  lineman problem detach P-1 F-JW-1")]
    Detach {
        problem: String,
        fault: String,
    },
    /// Say how the root was dealt with; every attached fault that is open is told
    #[command(after_help = "Examples:\n  lineman problem resolve P-1 --cause 'dry bearings' --resolution 'replace the fan tray'")]
    Resolve {
        problem: String,
        #[arg(long)]
        cause: String,
        /// Every customer reads this
        #[arg(long)]
        resolution: String,
    },
    /// Take it up again
    #[command(after_help = "Examples:\n  lineman problem reopen P-1 --reason 'new trays stop too'")]
    Reopen {
        problem: String,
        #[arg(long)]
        reason: String,
    },
}

/// Which equipment it is about; an absent part fits everything.
#[derive(Debug, Args)]
pub struct FitsArgs {
    #[arg(long)]
    product: Option<String>,
    #[arg(long)]
    model: Option<String>,
    /// The first serial of the batch
    #[arg(long, value_name = "SERIAL")]
    serial_from: Option<String>,
    #[arg(long, value_name = "SERIAL")]
    serial_to: Option<String>,
    /// A version of software; may be given several times
    #[arg(long, value_name = "VERSION")]
    software: Vec<String>,
}

impl FitsArgs {
    fn fits(self) -> Fits {
        Fits {
            product: self.product.map(Printable::from),
            model: self.model.map(Printable::from),
            serial_from: self.serial_from.map(Printable::from),
            serial_to: self.serial_to.map(Printable::from),
            software: self.software.into_iter().map(Printable::from).collect(),
        }
    }
}

/// Open a problem
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman problem open --title 'fan trays of week 12 stop' --product OLT --serial-from SN2102300 --serial-to SN2102400
  lineman problem open --title 'release 1.0 forgets its clock' --software 1.0 --fault F-JW-1")]
pub struct Open {
    #[arg(long)]
    title: String,
    #[arg(long, default_value = "")]
    description: String,
    #[command(flatten)]
    fits: FitsArgs,
    /// A fault to attach at once; may be given several times
    #[arg(long, value_name = "FAULT")]
    fault: Vec<FaultNumber>,
}

/// Change what a problem says; refused, with both texts, when somebody else changed it since
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lineman problem edit P-1 --cause 'dry bearings' --workaround 'reseat the tray'")]
pub struct Edit {
    problem: String,
    #[arg(long)]
    title: Option<String>,
    #[arg(long)]
    description: Option<String>,
    #[arg(long)]
    cause: Option<String>,
    /// What helps until it is solved
    #[arg(long)]
    workaround: Option<String>,
    #[arg(long, value_name = "NAME")]
    owner: Option<PersonName>,
    /// The version that you saw [default: the newest]
    #[arg(long, value_name = "VERSION")]
    seen: Option<u64>,
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = &app.client()?;
        let problem = match self {
            Self::List { state, limit } => {
                let state = state.map(ProblemState::as_str);
                let problems = limit.read(app, |page| async move { client.problems(state, &page).await }).await?;
                app.out.list(&problems, |problems| table(problems))?;
                return Ok(Exit::Done);
            }
            Self::Show { problem } => return show(app, client, &problem).await,
            Self::Open(Open { title, description, fits, fault }) => {
                let new = NewProblem { title: title.into(), description: description.into(), fits: fits.fits(), faults: fault };
                client.new_problem(&new).await?
            }
            Self::Edit(edit) => edit.run(app, client).await?,
            Self::Attach { problem, faults, matching } => client.attach_faults(&problem, &AttachFaults { faults, matching }).await?,
            Self::Detach { problem, fault } => client.detach_fault(&problem, &fault).await?,
            Self::Resolve { problem, cause, resolution } => {
                client.resolve_problem(&problem, &ProblemResolution { cause: cause.into(), resolution: resolution.into() }).await?
            }
            Self::Reopen { problem, reason } => client.reopen_problem(&problem, &Reason { reason: reason.into() }).await?,
        };
        app.out.row(&problem, |problems| table(problems.iter().copied()))?;
        Ok(Exit::Done)
    }
}

impl Edit {
    async fn run(self, app: &App, client: &Client) -> Result<ProblemView, crate::exit::Failure> {
        let seen = match self.seen {
            Some(seen) => seen,
            None => client.problem(&self.problem).await?.version,
        };
        let edit = EditProblem {
            title: self.title.map(Printable::from),
            description: self.description.map(Printable::from),
            fits: None,
            cause: self.cause.map(Printable::from),
            workaround: self.workaround.map(Printable::from),
            owner: self.owner,
        };
        let edited = client.edit_problem(&self.problem, Seen(seen), &edit).await;
        Ok(edited.inspect_err(|error| super::fault::say_both(app, error))?)
    }
}

fn state(state: ProblemState) -> Cell {
    Cell::toned(state, if state == ProblemState::Open { Tone::Warn } else { Tone::Good })
}

fn table<'a>(problems: impl IntoIterator<Item = &'a ProblemView>) -> Table {
    let row = |problem: &'a ProblemView| {
        [
            text(problem.number),
            state(problem.state),
            text(problem.open_faults),
            text(problem.faults),
            text(&problem.owner),
            problem.opened_at.into(),
            text(&problem.title),
        ]
    };
    Table::new(["number", "state", "open faults", "faults", "owner", "opened", "title"], problems.into_iter().map(row))
}

async fn show(app: &App, client: &Client, problem: &str) -> Outcome {
    let (problem, matches) = (client.problem(problem).await?, client.problem_matches(problem).await?);
    let value = serde_json::json!({"problem": problem, "matches": matches});
    app.out.sheet(&value, |_| {
        let fits = &problem.fits;
        let fields = vec![
            ("number", text(problem.number)),
            ("title", text(&problem.title)),
            ("description", text(&problem.description)),
            ("state", state(problem.state)),
            ("owner", text(&problem.owner)),
            ("product", Cell::option(fits.product.as_ref())),
            ("model", Cell::option(fits.model.as_ref())),
            ("serials from", Cell::option(fits.serial_from.as_ref())),
            ("serials to", Cell::option(fits.serial_to.as_ref())),
            ("software", text(fits.software.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))),
            ("cause", Cell::option(problem.cause.as_ref())),
            ("workaround", Cell::option(problem.workaround.as_ref())),
            ("resolution", Cell::option(problem.resolution.as_ref())),
            ("faults", text(format!("{} attached, {} open", problem.faults, problem.open_faults))),
            ("opened at", problem.opened_at.into()),
            ("version", text(problem.version)),
            ("id", text(problem.id)),
        ];
        let row =
            |fits: &MatchingEquipment| [text(&fits.name), text(&fits.product), text(&fits.model), text(&fits.serial), text(&fits.software)];
        let equipment = Table::new(["equipment", "product", "model", "serial", "software"], matches.equipment.iter().map(row));
        Sheet {
            fields,
            parts: vec![
                ("equipment that fits", equipment),
                ("its open faults, not attached", faults_table(&matches.faults, Timestamp::now())),
            ],
        }
    })?;
    if !matches.faults.is_empty() {
        app.say(format!("attach what matches: lineman problem attach {} --matching", problem.number));
    }
    Ok(Exit::Done)
}

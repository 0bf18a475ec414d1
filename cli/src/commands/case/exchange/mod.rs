//! `lineman case export` and `lineman case import`: the library in files, or in a folder that git keeps.
//!
//! Files are read here, with the reader that the server has too, and sent case by case, so that a library of any size goes in parts that
//! the server takes at once. Every part is planned first; a plan is carried out part by part. Cut off in between, the same command
//! finds what was done and does the rest.

mod folder;
mod parts;
mod show;

use std::path::{Path, PathBuf};

use clap::Args;
use lineman_common::api::{ArriveAs, CaseFile, CaseItem, ExchangeForm, HeldBack, ImportVerdict};
use lineman_common::exchange::{self, form_of};
use lineman_common::name::CaseNumber;

use super::super::{App, word};
use crate::client::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, write_out};
use crate::prompt;
use folder::{Folder, Written};
use parts::{Entry, Import as Parts, Whole};

/// Of one file.
const LARGEST_FILE: u64 = 256 * 1024 * 1024;
/// Of all files together.
const MOST_CASES: usize = 100_000;
const PAGE: u32 = 500;

/// Write the library to files: a folder for git, a spreadsheet, JSON
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman case export --dir library
  lineman case export cases.csv --query 'state:validated product:OLT'
  lineman case export -o jsonl | gzip > cases.jsonl.gz

A folder has one Markdown file for each case, and `.lineman-library.tsv`, which says what was the same on both sides last. What
you changed in it is never written over. Cases that show what belongs to a customer are left out and named.")]
pub struct Export {
    /// Where to; the end of its name tells the form: .csv, .json, .jsonl, or .md for one case
    #[arg(value_name = "FILE", conflicts_with = "dir")]
    file: Option<PathBuf>,
    /// A folder with a Markdown file for each case
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Which cases: words, and filters like `state:validated`, `audience:customer`, `product:OLT`, `code:ALM-1`
    #[arg(long, value_name = "QUERY", default_value = "")]
    query: String,
    /// Also cases that show what belongs to a customer
    #[arg(long)]
    as_is: bool,
    /// Write files again that were deleted in the folder
    #[arg(long, requires = "dir")]
    restore: bool,
}

/// Bring cases in from files, after showing what would change
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman case import cases.csv
  lineman case import --dir library
  lineman case import --dir library --prune --yes
  lineman case import wiki.jsonl --as not_validated --apply 1795353600000000-0123456789abcdef

Without --yes and without --apply it only shows what would change, and asks where there is a terminal. --apply takes exactly the plan
that was shown: if the library or the files changed since, nothing is written.")]
pub struct Import {
    /// Files with cases: .md, .csv, .json, .jsonl
    #[arg(value_name = "FILE", required_unless_present = "dir", conflicts_with = "dir")]
    files: Vec<PathBuf>,
    /// A folder that `lineman case export --dir` made
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// As what new and changed cases arrive; `validated` is for administrators, who are the reviewers then
    #[arg(long = "as", value_name = "STATE", default_value = "wip", value_parser = word::<ArriveAs>(ArriveAs::WORDS))]
    arrive_as: ArriveAs,
    /// Archive the cases whose files were deleted in the folder
    #[arg(long, requires = "dir")]
    prune: bool,
    /// Carry out this plan
    #[arg(long, value_name = "PLAN")]
    apply: Option<String>,
    /// Carry out what is shown, without asking
    #[arg(short, long, conflicts_with = "apply")]
    yes: bool,
}

// ---- Export ---------------------------------------------------------------------------------------------------------

impl Export {
    pub async fn run(self, app: &App) -> Outcome {
        let form = self.form(app)?;
        let client = app.client()?;
        let (items, held_back) = fetch(app, &client, &self.query, self.as_is).await?;
        let exit = match (&self.dir, &self.file) {
            (Some(dir), _) => {
                let mut folder = Folder::open(dir, true)?;
                let written = folder.take(&items, &held_back, self.query.is_empty(), self.restore)?;
                show::exported(app, &written)?;
                if written.iter().any(Written::is_trouble) { Exit::CheckFailed } else { Exit::Done }
            }
            (None, Some(file)) => {
                folder::replace(file, text(form, &items)?.as_bytes())?;
                app.say(format!("{} cases written to {}", items.len(), file.display()));
                Exit::Done
            }
            (None, None) => {
                write_out(&text(form, &items)?)?;
                Exit::Done
            }
        };
        for held in &held_back {
            let shows = lineman_common::printable::escape(&held.shows.join(", "));
            app.say(format!("left out, because it shows what belongs to a customer: {} ({shows})", held.number));
        }
        if !held_back.is_empty() {
            app.say("edit them, or add --as-is");
        }
        Ok(exit)
    }

    fn form(&self, app: &App) -> Result<ExchangeForm, Failure> {
        if self.dir.is_some() {
            return Ok(ExchangeForm::Markdown);
        }
        if let Some(file) = &self.file {
            let unknown = || Failure::usage(format!("{} has no end that tells a form: .csv, .json, .jsonl, .md", file.display()));
            return form_of(&file.display().to_string()).ok_or_else(unknown);
        }
        match app.out.format {
            Format::Json => Ok(ExchangeForm::Json),
            Format::Jsonl => Ok(ExchangeForm::Jsonl),
            Format::Csv => Ok(ExchangeForm::Csv),
            Format::Table | Format::Tsv => {
                Err(Failure::usage("say where the cases go").hint("--dir DIR, a FILE, or -o csv, json or jsonl for stdout"))
            }
        }
    }
}

fn text(form: ExchangeForm, items: &[CaseItem]) -> Result<String, Failure> {
    match (form, items) {
        (ExchangeForm::Markdown, [one]) => Ok(exchange::markdown(one)),
        (ExchangeForm::Markdown, _) => Err(Failure::usage(format!("a Markdown file holds one case, and these are {}", items.len()))
            .hint("--dir DIR writes a file for each")),
        (ExchangeForm::Csv, items) => Ok(exchange::csv(items)),
        (ExchangeForm::Json, items) => Ok(exchange::json(items)),
        (ExchangeForm::Jsonl, items) => Ok(items.iter().map(exchange::jsonl_line).collect()),
    }
}

async fn fetch(app: &App, client: &Client, query: &str, as_is: bool) -> Result<(Vec<CaseItem>, Vec<HeldBack>), Failure> {
    let (mut items, mut held_back, mut after): (_, _, Option<CaseNumber>) = (Vec::new(), Vec::new(), None);
    loop {
        let page = client.export_cases(query, as_is, after, PAGE).await?;
        items.extend(page.items);
        held_back.extend(page.held_back);
        match page.next {
            None => return Ok((items, held_back)),
            Some(next) if after.is_some_and(|after| next <= after) => return Err(Failure::failed("the server's pages don't end")),
            Some(next) => after = Some(next),
        }
        app.say(format!("{} cases ...", items.len()));
    }
}

// ---- Import ---------------------------------------------------------------------------------------------------------

impl Import {
    pub async fn run(self, app: &App) -> Outcome {
        let mut folder = self.dir.as_deref().map(|dir| Folder::open(dir, false)).transpose()?;
        let (entries, pruned) = match &folder {
            Some(folder) => (folder.entries()?, folder.missing()),
            None => (entries(&self.files)?, Vec::new()),
        };
        if entries.len() > MOST_CASES {
            return Err(Failure::usage(format!("there are {} cases: at most {MOST_CASES} in one import", entries.len())));
        }
        let taken_out = if self.prune { pruned.iter().map(|missing| missing.pruned.clone()).collect() } else { Vec::new() };
        let client = app.client()?;
        let mut parts = Parts::of(entries, taken_out, self.arrive_as);
        let plan = parts.plan(app, &client).await?;
        if let Some(wanted) = &self.apply {
            Parts::must_be(&plan, wanted)?;
        } else {
            show::planned(app, &plan, &parts, if self.prune { &[] } else { &pruned })?;
        }
        let ends = if plan.is_clean() { Exit::Done } else { Exit::CheckFailed };
        if plan.writes() == 0 {
            if let Some(folder) = &mut folder {
                folder.agree(&plan.cases, &parts)?;
            }
            app.say("there is nothing to change in the library");
            return Ok(ends);
        }
        if self.apply.is_none() && !self.yes && !prompt::is_interactive() {
            app.say(format!("nothing was written; to carry it out: add --apply {}", plan.plan));
            return Ok(ends);
        }
        let question = format!("change {} cases on {}", plan.writes(), client.server());
        prompt::confirm(&question, self.yes || self.apply.is_some())?;
        if let Some(folder) = &mut folder {
            let same: Vec<_> = plan.cases.iter().filter(|case| case.verdict == ImportVerdict::Same).cloned().collect();
            folder.agree(&same, &parts)?;
        }
        let mut done = 0;
        while let Some(applied) = parts.apply_next(&client).await? {
            done += applied.iter().filter(|case| parts::writes(case.verdict)).count();
            if let Some(folder) = &mut folder {
                folder.agree(&applied, &parts)?;
            }
            if parts.count() > 1 {
                app.say(format!("{done} of {} changed", plan.writes()));
            }
        }
        if self.apply.is_some() {
            show::planned(app, &plan, &parts, &[])?;
        }
        app.say(format!("{done} cases changed"));
        Ok(ends)
    }
}

/// The cases of files, and what is wrong in them.
fn entries(files: &[PathBuf]) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for path in files {
        let name = path.display().to_string();
        let Some(form) = form_of(&name) else {
            return Err(Failure::usage(format!("{name} has no end that tells its form: .md, .csv, .json, .jsonl")));
        };
        entries.extend(entries_of(form, &CaseFile { text: read_text(path)?, name }));
    }
    Ok(entries)
}

fn entries_of(form: ExchangeForm, file: &CaseFile) -> impl Iterator<Item = Entry> {
    let name = lineman_common::printable::escape(&file.name);
    exchange::read(form, &file.text).into_iter().map(move |read| Entry { place: format!("{name}:{}", read.line), item: read.item })
}

/// A whole text file; `-` is stdin.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let name = path.display().to_string();
    let failed = |error: std::io::Error| Failure::failed(format!("can't read {name}: {error}"));
    let mut bytes = Vec::new();
    if name == "-" {
        std::io::Read::read_to_end(&mut std::io::Read::take(std::io::stdin(), LARGEST_FILE + 1), &mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        std::io::Read::read_to_end(&mut std::io::Read::take(file, LARGEST_FILE + 1), &mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Failure::usage(format!("{name} has more than {} MiB: split it", LARGEST_FILE >> 20)));
    }
    exchange::decode(&name, bytes).map_err(Failure::usage)
}

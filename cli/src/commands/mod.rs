//! The command tree. Each module holds one word of the tree: its arguments, its actions, how its things are shown.
//!
//! Data goes to stdout and talk to stderr; every command answers with an exit code of [`Exit`]; every help text ends with
//! examples, which a test parses. Secrets never come by argument, because every process on a machine can read those.

mod admin;
mod alarm;
mod api;
mod approver;
mod audit;
mod calendar;
mod case;
mod consent;
mod contract;
mod customer;
mod equipment;
mod events;
mod fault;
mod notices;
mod problem;
mod office;
mod person;
mod report;
mod session;
mod shift;
mod sign_in;
mod signers;
mod ssh;
mod standing;
mod system;
mod topology;
mod tier;
mod view;
mod wall;
mod workload;

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::client::{Client, Page};
use crate::context::{Config, ContextError, Env, Flags, Settings};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out};

const TOPICS: &str = "Examples:
  lineman login --server https://support.example:7443 --ca ca.pem --name engineer-a
  lineman fault list --watch
  lineman fault accept F-JW-1
  lineman consent request F-JW-1 --doors shell,exec,sftp-read --for 2h
  lineman ssh F-JW-1

More: lineman help exit-codes";

/// Remote diagnosis of telecom equipment: faults, consents, sessions, cases.
#[derive(Debug, Parser)]
#[command(name = "lineman", version, after_help = TOPICS, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Context of the configuration file [env: LINEMAN_CONTEXT]
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Server address, `https://host:port` [env: LINEMAN_SERVER]
    #[arg(long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// PEM file with the server's CA, the only one believed [env: LINEMAN_CA]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Form of the output: table, json, jsonl, csv, tsv (for exports: the file to write)
    #[arg(short, long, global = true, value_name = "FORM")]
    pub output: Option<String>,
    /// Leave out the header line
    #[arg(long, global = true)]
    pub no_headers: bool,
    /// Don't talk on stderr; errors still show
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Login(sign_in::Login),
    Logout(sign_in::Logout),
    Whoami(sign_in::Whoami),
    #[command(subcommand)]
    Context(sign_in::ContextCommand),
    #[command(subcommand)]
    Fault(fault::Command),
    #[command(subcommand)]
    Problem(problem::Command),
    #[command(subcommand)]
    Alarm(alarm::Command),
    #[command(subcommand)]
    Consent(consent::Command),
    Approver(approver::Approver),
    #[command(subcommand)]
    Standing(standing::Command),
    #[command(subcommand)]
    Signers(signers::Command),
    #[command(subcommand)]
    Customer(customer::Command),
    #[command(subcommand)]
    Contract(contract::Command),
    #[command(subcommand)]
    Tier(tier::Command),
    #[command(subcommand)]
    Calendar(calendar::Command),
    #[command(subcommand)]
    Notices(notices::Command),
    Ssh(ssh::Ssh),
    SshConfig(ssh::SshConfig),
    #[command(hide = true)]
    Proxy(ssh::Proxy),
    #[command(subcommand)]
    Session(session::Command),
    #[command(subcommand)]
    Equipment(equipment::Command),
    #[command(subcommand)]
    Office(office::Command),
    #[command(subcommand)]
    Shift(shift::Command),
    #[command(subcommand)]
    Duty(workload::Command),
    #[command(subcommand)]
    Person(person::Command),
    #[command(subcommand)]
    Case(case::Command),
    Report(Box<report::Report>),
    Events(events::Events),
    #[command(subcommand)]
    View(view::Command),
    Wall(wall::Wall),
    #[command(subcommand)]
    WallToken(wall::TokenCommand),
    #[command(subcommand)]
    Audit(audit::Command),
    System(system::System),
    #[command(subcommand)]
    Admin(admin::Command),
    Api(api::Api),
    /// A whole support centre on this machine, to live through the story
    #[command(subcommand, after_help = "Examples:\n  lineman demo up\n  lineman demo break ne-1 fan\n  lineman demo down")]
    Demo(crate::demo::Command),
    Completion(Completion),
    Version(Version),
    ExitCodes(ExitCodes),
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman completion bash > ~/.local/share/bash-completion/completions/lineman
  lineman completion zsh > ~/.zfunc/_lineman")]
pub struct Completion {
    shell: clap_complete::Shell,
}

/// Show the version of this program, and of the server if one is reachable
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman version
  lineman version --client")]
pub struct Version {
    /// Don't ask the server
    #[arg(long)]
    client: bool,
}

/// What the exit codes mean
#[derive(Debug, Args)]
#[command(after_help = format!("Exit codes:\n{}\nExamples:\n  lineman help exit-codes\n  lineman fault clock F-JW-1 || test $? -eq 8", Exit::table()))]
pub struct ExitCodes {}

/// Everything a command needs.
pub struct App {
    pub global: Global,
    pub env: Env,
    pub out: Out,
}

/// Runs one command to its end; errors are printed here, once.
pub async fn run(cli: Cli, env: Env) -> Exit {
    let Cli { global, command } = cli;
    let form = form_of(&command, global.output.as_deref());
    let out = Out::of_process(form.clone().ok().flatten(), !global.no_headers, global.quiet, &env);
    let as_json = out.is_json();
    let outcome = match form {
        Ok(_) => dispatch(App { global, env, out }, command).await,
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                (if as_json { failure.json() } else { failure.text() } + "\n").as_bytes(),
            );
            failure.exit
        }
    }
}

/// The form that `-o` names; where a command has a use of its own for `-o`, only a word that is a form counts.
fn form_of(command: &Command, output: Option<&str>) -> Result<Option<Format>, Failure> {
    // `session export -o FILE` writes a file.
    if matches!(command, Command::Session(session::Command::Export(_))) {
        return Ok(None);
    }
    let form = output.map(Format::parse).transpose();
    // `ssh -o OPTION` is ssh's.
    if matches!(command, Command::Ssh(_)) { Ok(form.unwrap_or_default()) } else { form }
}

async fn dispatch(app: App, command: Command) -> Outcome {
    match command {
        Command::Login(login) => login.run(&app).await,
        Command::Logout(logout) => logout.run(&app).await,
        Command::Whoami(whoami) => whoami.run(&app).await,
        Command::Context(command) => command.run(&app),
        Command::Fault(command) => command.run(&app).await,
        Command::Problem(command) => command.run(&app).await,
        Command::Alarm(command) => command.run(&app).await,
        Command::Consent(command) => command.run(&app).await,
        Command::Approver(approver) => approver.run(&app).await,
        Command::Standing(command) => command.run(&app).await,
        Command::Signers(command) => command.run(&app).await,
        Command::Customer(command) => command.run(&app).await,
        Command::Contract(command) => command.run(&app).await,
        Command::Tier(command) => command.run(&app).await,
        Command::Calendar(command) => command.run(&app).await,
        Command::Notices(command) => command.run(&app).await,
        Command::Ssh(ssh) => ssh.run(&app).await,
        Command::SshConfig(config) => config.run(&app).await,
        Command::Proxy(proxy) => proxy.run(&app).await,
        Command::Session(command) => command.run(&app).await,
        Command::Equipment(command) => command.run(&app).await,
        Command::Office(command) => command.run(&app).await,
        Command::Shift(command) => command.run(&app).await,
        Command::Duty(command) => command.run(&app).await,
        Command::Person(command) => command.run(&app).await,
        Command::Case(command) => command.run(&app).await,
        Command::Report(report) => report.run(&app).await,
        Command::Events(events) => events.run(&app).await,
        Command::View(command) => command.run(&app).await,
        Command::Wall(wall) => wall.run(&app).await,
        Command::WallToken(command) => command.run(&app).await,
        Command::Audit(command) => command.run(&app).await,
        Command::System(system) => system.run(&app).await,
        Command::Admin(command) => command.run(&app).await,
        Command::Api(api) => api.run(&app).await,
        Command::Demo(command) => crate::demo::run(command, &app.out).await,
        Command::Completion(completion) => completion.run(),
        Command::Version(version) => version.run(&app).await,
        Command::ExitCodes(ExitCodes {}) => crate::output::write_out(&Exit::table()).map(|()| Exit::Done),
    }
}

impl App {
    pub fn config(&self) -> Result<Config, Failure> {
        Ok(Config::load(&self.env.config_file()?)?)
    }

    pub fn settings(&self) -> Result<Settings, Failure> {
        self.settings_from(&self.config()?)
    }

    fn settings_from(&self, config: &Config) -> Result<Settings, Failure> {
        let Global { context, server, ca, .. } = &self.global;
        let flags = Flags { context: context.clone(), server: server.clone(), ca: ca.clone() };
        Ok(Settings::resolve(config, &self.env, &flags)?)
    }

    pub fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(&self.settings()?.connect()?)?)
    }

    /// The trust directory, also where no server is configured: files are verified without one.
    fn trust_folder(&self) -> Result<PathBuf, Failure> {
        if let Ok(settings) = self.settings() {
            return Ok(settings.trust(settings.key(None).as_deref()));
        }
        let named = self.env.get("LINEMAN_TRUST").map(PathBuf::from);
        Ok(named.map_or_else(|| self.env.config_folder().map(|folder| folder.join("trust")), Ok)?)
    }

    pub fn say(&self, line: impl AsRef<str>) {
        self.out.say(line);
    }
}

impl From<ContextError> for Failure {
    fn from(error: ContextError) -> Self {
        let what = error.to_string();
        match error {
            ContextError::NoServer => {
                Self::usage(what).hint("lineman login --server URL --ca FILE, or set LINEMAN_SERVER and LINEMAN_TOKEN")
            }
            ContextError::Unknown { .. } => Self::new(Exit::NotFound, what).hint("lineman context list"),
            ContextError::Name(_) | ContextError::NoHome => Self::usage(what),
            ContextError::Read { .. } | ContextError::Write { .. } | ContextError::Syntax { .. } => Self::failed(what),
            ContextError::Address(error) => error.into(),
        }
    }
}

impl Completion {
    fn run(self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "lineman", &mut script);
        crate::output::write_bytes(&script).map(|()| Exit::Done)
    }
}

impl Version {
    async fn run(self, app: &App) -> Outcome {
        let own = env!("CARGO_PKG_VERSION");
        let server = match (self.client, app.client()) {
            (false, Ok(client)) => Some((client.server().to_owned(), client.healthz().await)),
            _ => None,
        };
        let server_version = server.as_ref().and_then(|(_, healthz)| Some(healthz.as_ref().ok()?.version.clone()));
        let value = serde_json::json!({"client": own, "server": server_version});
        app.out.sheet(&value, |_| crate::output::Sheet {
            fields: vec![("client", crate::output::text(own)), ("server", crate::output::Cell::option(server_version.as_ref()))],
            parts: Vec::new(),
        })?;
        if let Some((address, Err(error))) = server {
            app.say(format!("{address} did not answer: {error}"));
        }
        Ok(Exit::Done)
    }
}

/// Reads one of a closed list of words; the list shows in help and completion.
fn word<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|text| text.parse::<T>())
}

/// How much of a list is wanted.
#[derive(Clone, Debug, Args)]
pub struct Limit {
    /// Show at most this many
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// The largest page that the server gives.
const PAGE: usize = 1000;

impl Limit {
    /// Reads pages until there is one more than is wanted; says so when there is.
    async fn read<T, F, R, P>(&self, app: &App, fetch: F) -> Result<Vec<T>, Failure>
    where
        F: Fn(Page) -> R,
        P: Into<lineman_common::api::List<T>>,
        R: Future<Output = Result<P, crate::ClientError>>,
    {
        let wanted = self.limit as usize;
        let (mut items, mut after) = (Vec::new(), None);
        while items.len() <= wanted {
            let limit = u32::try_from(PAGE.min(wanted + 1 - items.len())).unwrap_or(u32::MAX);
            let page: lineman_common::api::List<T> = fetch(Page { after, limit: Some(limit) }).await?.into();
            let empty = page.items.is_empty();
            items.extend(page.items);
            after = page.next;
            if after.is_none() || empty {
                break;
            }
        }
        if items.len() > wanted {
            items.truncate(wanted);
            app.say(format!("there are more than these {wanted}: raise --limit, or narrow the list"));
        }
        Ok(items)
    }
}

/// Waits until Ctrl-C. Only commands that wait for something use it: it takes the signal from the rest of the process.
async fn interrupted() -> Exit {
    // Where the signal can't be watched, the process ends by it as ever.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    Exit::Interrupted
}

#[cfg(test)]
mod tests;

//! Signing in and out, and the contexts that keep it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lineman_common::api;
use lineman_common::error::ErrorCode;
use serde_json::json;

use super::App;
use crate::client::Client;
use crate::context::{self, Config, Context, Secret, Settings};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, text};
use crate::prompt;

/// Sign in, and keep the token in the configuration file
///
/// The password is asked for on the terminal, read from stdin with --password-stdin, or taken from LINEMAN_PASSWORD.
/// The token that the server gives is kept in ~/.config/lineman/config.toml (readable by you only), and never shown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman login --server https://support.example:7443 --ca ca.pem --name engineer-a
  lineman login --name noc-c --password-stdin < password-file
  lineman login --server https://support.example:7443 --ca ca.pem --token-stdin < token-file --key ~/.ssh/id_ed25519")]
pub struct Login {
    /// Your name at the support centre
    #[arg(long, value_name = "NAME", required_unless_present = "token_stdin")]
    name: Option<String>,
    /// Read the password from stdin
    #[arg(long)]
    password_stdin: bool,
    /// The six digits of your second factor, or a recovery code; asked for on the terminal when it is needed
    #[arg(long)]
    code: Option<String>,
    /// Read an API token from stdin instead of signing in with a password
    #[arg(long, conflicts_with = "password_stdin")]
    token_stdin: bool,
    /// Name of the context to keep it in [default: the server's host name]
    #[arg(long = "as", value_name = "CONTEXT")]
    save_as: Option<String>,
    /// The SSH key that you sign with; kept in the context
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Directory with `vendor-root` and, for carriers, `signers`; kept in the context
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
}

/// Sign out: the server forgets the token, and so does the configuration file
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman logout
  lineman logout --all --yes")]
pub struct Logout {
    /// Sign out of every context
    #[arg(long)]
    all: bool,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

/// Show who you are to the server, and which key and trust you use
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman whoami
  lineman whoami --context demo-engineer-a")]
pub struct Whoami {}

/// Named servers and people, kept in ~/.config/lineman/config.toml
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman context list
  lineman context use demo-engineer-a")]
pub enum ContextCommand {
    /// List the contexts; the current one is marked
    #[command(after_help = "Examples:\n  lineman context list\n  lineman context list -o json")]
    List,
    /// Make a context the current one
    #[command(after_help = "Examples:\n  lineman context use demo-engineer-a")]
    Use { name: String },
    /// Show one context, without its token
    #[command(after_help = "Examples:\n  lineman context show\n  lineman context show demo-engineer-a")]
    Show { name: Option<String> },
    /// Forget a context (the token stays valid at the server: `logout` ends it)
    #[command(after_help = "Examples:\n  lineman context rm demo-engineer-a")]
    Rm { name: String },
}

impl Login {
    pub async fn run(self, app: &App) -> Outcome {
        let path = app.env.config_file()?;
        let mut config = Config::load(&path)?;
        let settings = app.settings()?;
        let mut connect = settings.connect()?;
        connect.token = None;
        let token = if self.token_stdin {
            prompt::secret_from_stdin()?
        } else {
            let name = self.name.clone().unwrap_or_default();
            let password = self.password(app, &name)?;
            let mut login = api::Login { name, password: password.expose().to_owned(), code: self.code.clone() };
            let client = Client::new(&connect)?;
            let reply = match client.login(&login).await.map_err(Failure::from) {
                Err(failure) if failure.code == Some(ErrorCode::SecondFactor) => {
                    login.code = Some(prompt::secret("one-time code", "use --code")?.expose().to_owned());
                    client.login(&login).await?
                }
                other => other?,
            };
            app.say(format!("signed in until {}", app.out.moment(reply.expires_at)));
            Secret::new(reply.token)
        };
        connect.token = Some(token.expose().to_owned());
        let client = Client::new(&connect)?;
        let person = client.whoami().await?;

        let name = match (self.save_as, &app.global.context) {
            (Some(name), _) => name,
            (None, Some(name)) => name.clone(),
            (None, None) => client.host().trim_matches(['[', ']']).replace(':', "-"),
        };
        let old = config.contexts.get(&name).filter(|old| context::normal(&old.server).is_ok_and(|its| its == settings.server));
        let context = Context {
            server: settings.server.clone(),
            ca: settings.ca.map(absolute).transpose()?,
            token: Some(token),
            key: self.key.map(absolute).transpose()?.or_else(|| old.and_then(|old| old.key.clone())),
            trust: self.trust.map(absolute).transpose()?.or_else(|| old.and_then(|old| old.trust.clone())),
        };
        config.set(&name, context)?;
        config.current = Some(name.clone());
        config.save(&path)?;
        app.say(format!("{} ({}) at {}; context `{name}` is current", person.name, person.role, settings.server));
        app.out.row(&person, people_table)?;
        Ok(Exit::Done)
    }

    fn password(&self, app: &App, name: &str) -> Result<Secret, Failure> {
        if self.password_stdin {
            return prompt::secret_from_stdin();
        }
        match app.env.get("LINEMAN_PASSWORD") {
            Some(password) => Ok(Secret::new(password)),
            None => prompt::secret(&format!("password of {name}"), "use --password-stdin or LINEMAN_PASSWORD"),
        }
    }
}

/// The context outlives this command's working directory.
fn absolute(path: PathBuf) -> Result<PathBuf, Failure> {
    std::path::absolute(&path).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))
}

impl Logout {
    pub async fn run(self, app: &App) -> Outcome {
        let path = app.env.config_file()?;
        let mut config = Config::load(&path)?;
        if !self.all {
            let settings = app.settings()?;
            Client::new(&settings.connect()?)?.logout().await?;
            if let Some(context) = settings.name.as_ref().and_then(|name| config.contexts.get_mut(name)) {
                context.token = None;
                config.save(&path)?;
            }
            app.say(format!("signed out of {}", settings.server));
            return Ok(Exit::Done);
        }
        let names: Vec<_> = config.contexts.iter().filter(|(_, context)| context.token.is_some()).map(|(name, _)| name.clone()).collect();
        prompt::confirm(&format!("sign out of {} contexts ({})", names.len(), names.join(", ")), self.yes)?;
        let mut exit = Exit::Done;
        for name in names {
            match logout(&config, &name).await {
                Ok(()) => app.say(format!("signed out of {name}")),
                Err(failure) => {
                    // The token is forgotten here all the same; that the server still knows it is said.
                    app.say(format!("{name}: the server did not take the sign-out: {failure}"));
                    exit = failure.exit;
                }
            }
            if let Some(context) = config.contexts.get_mut(&name) {
                context.token = None;
            }
        }
        config.save(&path)?;
        Ok(exit)
    }
}

async fn logout(config: &Config, name: &str) -> Result<(), Failure> {
    let flags = context::Flags { context: Some(name.to_owned()), ..context::Flags::default() };
    let settings = Settings::resolve(config, &context::Env::of([("HOME", "/")]), &flags)?;
    Ok(Client::new(&settings.connect()?)?.logout().await?)
}

impl Whoami {
    pub async fn run(self, app: &App) -> Outcome {
        let settings = app.settings()?;
        let client = Client::new(&settings.connect()?)?;
        let person = client.whoami().await?;
        let key = settings.key(None);
        let public = key.as_ref().and_then(|key| crate::keys::public_key(&with_pub(key)).ok());
        let fingerprint = public.map(|public| lineman_common::statement::sig::fingerprint(&public).to_string());
        let trust = settings.trust(key.as_deref());
        let mut value = json!(person);
        value["server"] = json!(settings.server);
        value["context"] = json!(settings.name);
        value["key"] = json!(key);
        value["key_fingerprint"] = json!(fingerprint);
        value["trust"] = json!(trust);
        app.out.sheet(&value, |_| Sheet {
            fields: vec![
                ("name", text(&person.name)),
                ("role", text(person.role)),
                ("customer", Cell::option(person.customer.as_ref())),
                ("server", text(&settings.server)),
                ("context", Cell::option(settings.name.as_ref())),
                ("key", Cell::option(key.as_ref().map(|key| key.display().to_string()))),
                ("key fingerprint", Cell::option(fingerprint.as_ref())),
                ("trust", text(trust.display())),
            ],
            parts: Vec::new(),
        })?;
        Ok(Exit::Done)
    }
}

fn with_pub(key: &std::path::Path) -> PathBuf {
    if key.extension().is_some_and(|extension| extension == "pub") {
        return key.to_owned();
    }
    let mut name = key.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// People as rows: also for `admin person`.
pub fn people_table(people: &[&api::Person]) -> Table {
    let row = |person: &&api::Person| {
        [text(&person.name), text(person.role), Cell::option(person.customer.as_ref()), person.created_at.into(), text(person.id)]
    };
    Table::new(["name", "role", "customer", "since", "id"], people.iter().map(row))
}

impl ContextCommand {
    pub fn run(self, app: &App) -> Outcome {
        let path = app.env.config_file()?;
        let mut config = Config::load(&path)?;
        match self {
            Self::List => {
                let shown: Vec<_> = config.contexts.iter().map(|(name, context)| shown(&config, name, context)).collect();
                app.out.list(&shown, |_| {
                    let row = |(name, context): (&String, &Context)| {
                        let current = config.current.as_ref() == Some(name);
                        let mark = if current { Cell::toned("*", Tone::Good) } else { text("") };
                        [mark, text(name), text(&context.server), Cell::option(context.key.as_ref().map(|key| key.display().to_string()))]
                    };
                    Table::new(["current", "name", "server", "key"], config.contexts.iter().map(row))
                })?;
            }
            Self::Use { name } => {
                config.get(&name)?;
                config.current = Some(name.clone());
                config.save(&path)?;
                app.say(format!("context `{name}` is current"));
            }
            Self::Show { name } => {
                let name = name.or(config.current.clone()).ok_or(context::ContextError::NoServer)?;
                let context = config.get(&name)?;
                let path = |path: &Option<PathBuf>| Cell::option(path.as_ref().map(|path| path.display().to_string()));
                app.out.sheet(&shown(&config, &name, context), |_| Sheet {
                    fields: vec![
                        ("name", text(&name)),
                        ("server", text(&context.server)),
                        ("ca", path(&context.ca)),
                        ("token", text(if context.token.is_some() { "(kept)" } else { "none" })),
                        ("key", path(&context.key)),
                        ("trust", path(&context.trust)),
                    ],
                    parts: Vec::new(),
                })?;
            }
            Self::Rm { name } => {
                config.remove(&name)?;
                config.save(&path)?;
                app.say(format!("context `{name}` is gone"));
            }
        }
        Ok(Exit::Done)
    }
}

/// A context without its token.
fn shown(config: &Config, name: &str, context: &Context) -> serde_json::Value {
    let Context { server, ca, token, key, trust } = context;
    let current = config.current.as_deref() == Some(name);
    json!({"name": name, "current": current, "server": server, "ca": ca, "has_token": token.is_some(), "key": key, "trust": trust})
}

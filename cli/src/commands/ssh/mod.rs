//! `lineman ssh`, `ssh-config` and `proxy`: stock OpenSSH, told where to go and whom to believe.

mod config;
mod entry;
mod person;
mod proxy;

use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use lineman_common::api::{ConsentState, ConsentView, NewLine, TrustBundle};
use lineman_common::error::ErrorCode;
use lineman_common::name::{CustomerCode, FaultNumber, NeName, PersonName};
use lineman_common::session::Grade;
use lineman_common::statement::sha256_hex;
use serde::{Deserialize, Serialize};

use super::App;
use crate::client::{Client, ClientError, Filter};
use crate::exit::{Exit, Failure, Outcome};
use crate::line::{self, Ticket};
use crate::output::Format;
use crate::ssh_config::{JUMP, Purpose, SshConfigError, check_own_path, split_options};

pub use config::SshConfig;
use entry::{Entry, no_consent};
use person::{Person, keep};
pub use proxy::Proxy;

/// Open a shell on the device, or run a command there, with stock ssh
///
/// The device's key is pinned from a statement that was verified on this machine. Whether you get in is the device's decision; its
/// reason shows. SSH runs end to end, over the API's port; with --jump through the gateway's SSH port, as `ssh -J centre` does. Words
/// after the fault or device go to ssh: options first, then the command. Forwards (-L, -D) lead where the consent names the place:
/// `--doors forward:10.0.0.5:443`. Under a consent of grade gateway the way leads through the support centre's own SSH client, as
/// `ssh -p PORT ne-1.jw.ne@centre` does. Many short commands on one device: -o ControlMaster=auto -o ControlPath=... -o
/// ControlPersist=60.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman ssh F-JW-1
  lineman ssh F-JW-1 ne show alarm
  lineman ssh ne-1.jw.ne -- -N -L 8443:10.0.0.5:443
  lineman ssh -o ControlMaster=auto -o ControlPath=~/.ssh/%C -o ControlPersist=60 ne-1.jw.ne id
  lineman ssh --jump ne-1.jw.ne
  lineman ssh --key ~/.ssh/id_ed25519 ne-1.jw.ne -- -t ne reset fan-2")]
pub struct Ssh {
    /// The key to sign in with; before the target [default: LINEMAN_KEY, the context's, ~/.ssh/id_ed25519]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Through the gateway's SSH port, where a line over the API's port can't pass; before the target
    #[arg(long)]
    jump: bool,
    // Of the same id as the global option, which it stands in for here: in front of a device's name, `-o` is `ssh`'s.
    /// An option of ssh, as its configuration file has it
    #[arg(id = "output", short, value_name = "SSH-OPTION")]
    options: Vec<String>,
    /// A fault (its equipment is meant) or a device
    #[arg(value_name = "FAULT|NE")]
    target: String,
    /// Options of ssh, then a command to run
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SSH-ARGS")]
    words: Vec<String>,
}

impl From<SshConfigError> for Failure {
    fn from(error: SshConfigError) -> Self {
        let what = error.to_string();
        match error {
            SshConfigError::Jump(_) => Self::new(Exit::CheckFailed, what).hint("the centre names it; nothing was written"),
            SshConfigError::Path(_) => Self::usage(what).hint("use a path of letters, digits and / . _ -"),
            SshConfigError::NoGatewayKey => {
                Self::new(Exit::CheckFailed, what).hint("the vendor lists it with namespaces=\"gateway@lineman\"")
            }
        }
    }
}

/// In the folder of each target: what `ssh` reads, and how it was called with a master connection.
const CONFIG: &str = "config";
const CALL: &str = "call";

/// A place of one's own for each server, person and purpose, so that two of them don't overwrite each other's keys.
fn cache_folder(app: &App, person: &Person, name: &PersonName, purpose: &str) -> Result<PathBuf, Failure> {
    let which = sha256_hex(format!("{}\n{name}\n{purpose}", person.client.server()));
    Ok(app.env.cache_folder()?.join("ssh").join(&which[..16]))
}

/// The device that is meant, and what was found on the way there.
struct Approach {
    name: PersonName,
    device: NeName,
    consents: Vec<ConsentView>,
    /// The device's answer, where it was asked.
    line: Option<Result<Ticket, ClientError>>,
}

impl Ssh {
    pub async fn run(self, app: &App) -> Outcome {
        let person = Person::new(app, app.settings()?, self.key.as_deref())?;
        let (later, command) = split_options(&self.words);
        // A word for the form of errors, in front of `ssh`, arrives here too; no option of ssh is a word alone.
        let first = self.options.iter().filter(|option| Format::parse(option).is_err()).flat_map(|option| ["-o", option]);
        let options: Vec<String> = first.map(str::to_owned).chain(later.iter().cloned()).collect();
        let purpose = Purpose::of(&options);
        if purpose == Purpose::Shared
            && let Some(mut ssh) = self.over_the_master(app, &person, &options).await?
        {
            return Err(no_ssh(&ssh.args(command).exec()));
        }
        let (approach, bundle) = tokio::join!(self.approach(app, &person, purpose), self.bundle(&person.client));
        let Approach { name, device, consents, line } = approach?;
        let bundle = match bundle? {
            Some((customer, bundle)) if customer == device.customer => bundle,
            _ => person.client.trust(device.customer.as_str()).await?,
        };
        let believed = person.believe(app, crate::trust::only(bundle, &device), &device.customer)?;
        believed.0.device(&device)?;
        let folder = cache_folder(app, &person, &name, &self.purpose())?;
        let config = folder.join(CONFIG);
        check_own_path(&config)?;
        person.make(app, &name, &[believed], &folder.join("known_hosts"), self.jump)?.write(&config)?;

        let entry = Entry::of(&consents, &device, &name);
        for note in entry.notes(&device, &options) {
            app.say(note);
        }
        let missing = entry.consent.is_none().then(|| no_consent(&self.target, &device, &name, &consents, app));
        let call = Call::of(&entry, &device);
        if purpose == Purpose::Shared {
            let socket = call.socket(&config, &options);
            keep(&folder.join(CALL), &Kept { call: call.clone(), socket, options: options.clone() }.text()?)?;
        }
        let mut ssh = call.ssh(&config, &options);
        let missing = match line {
            // The device has said yes already, whatever the centre knows of.
            Some(Ok(ticket)) => {
                ssh.env(line::VARIABLE, ticket.to_string());
                None
            }
            Some(Err(error)) => return Err(refused(error, missing)),
            None => missing,
        };
        ssh.arg("--").arg(&call.host).args(command);
        let Some(missing) = missing else {
            // Only fails if ssh can't be started at all.
            return Err(no_ssh(&ssh.exec()));
        };
        // The centre knows of no consent, but the device decides: let it speak, then say what to do.
        let status = ssh.status().map_err(|e| no_ssh(&e))?;
        match status.code() {
            Some(0) => Ok(Exit::Done),
            _ => Err(missing),
        }
    }

    /// What the files are for: another target or way has others.
    fn purpose(&self) -> String {
        format!("{}\n{}", self.target, if self.jump { "jump" } else { "line" })
    }

    /// What the customer's devices are believed by, where the target's own words name the customer.
    async fn bundle(&self, client: &Client) -> Result<Option<(CustomerCode, TrustBundle)>, ClientError> {
        let of_device = || self.target.parse::<NeName>().ok().map(|device| device.customer);
        let of_fault = || self.target.parse::<FaultNumber>().ok().map(|fault| fault.customer);
        let Some(customer) = of_device().or_else(of_fault) else { return Ok(None) };
        let bundle = client.trust(customer.as_str()).await?;
        Ok(Some((customer, bundle)))
    }

    /// Finds device and consent, and asks the device for a line, which takes the longest of all.
    async fn approach(&self, app: &App, person: &Person, purpose: Purpose) -> Result<Approach, Failure> {
        let client = &person.client;
        let (name, known) = tokio::try_join!(person.name(app), async { Ok(self.consents(client).await?) })?;
        let (device, consents) = self.target(client, &name, known).await?;
        let consent = Entry::of(&consents, &device, &name).consent;
        let gateway = consent.is_some_and(|consent| consent.grade == Some(Grade::Gateway));
        let new = NewLine { device: device.clone(), consent: consent.map(|consent| consent.id) };
        let line = if purpose == Purpose::Plain && !self.jump && !gateway { Some(client.line(&new).await) } else { None };
        Ok(Approach { name, device, consents, line })
    }

    /// The first look: the consents of the fault, or those that are live.
    async fn consents(&self, client: &Client) -> Result<Vec<ConsentView>, ClientError> {
        let filter = match self.target.parse::<NeName>() {
            Ok(_) => Filter { state: Some(ConsentState::Live.to_string()), ..Filter::default() },
            Err(_) => Filter { fault: Some(self.target.clone()), ..Filter::default() },
        };
        Ok(client.consents(&filter).await?.items)
    }

    /// The device that is meant, and what the centre knows of consents for it: all, where the first look found none to go in under.
    async fn target(&self, client: &Client, name: &PersonName, known: Vec<ConsentView>) -> Result<(NeName, Vec<ConsentView>), Failure> {
        if let Ok(device) = self.target.parse::<NeName>() {
            let direct = |consent: &ConsentView| consent.grade != Some(Grade::Gateway);
            let consents = match Entry::of(&known, &device, name).consent {
                Some(consent) if direct(consent) => known,
                _ => client.consents(&Filter::default()).await?.items,
            };
            return Ok((device, consents));
        }
        // The consent may be for other equipment than the fault's own.
        let open = known.iter().find(|consent| matches!(consent.state, ConsentState::Live | ConsentState::Approved));
        if let Some(open) = open {
            return Ok((open.device.clone(), known));
        }
        let fault = client.fault(&self.target).await?.fault;
        let device = fault.equipment.ok_or_else(|| {
            Failure::usage(format!("{} names no equipment", fault.number)).hint("name the device: lineman ssh ne-1.jw.ne")
        })?;
        Ok((device, known))
    }

    /// `ssh` over the master connection that an earlier call has left open: then nobody has to be asked anything.
    async fn over_the_master(&self, app: &App, person: &Person, options: &[String]) -> Result<Option<Command>, Failure> {
        let folder = cache_folder(app, person, &person.name(app).await?, &self.purpose())?;
        let Some(kept) = std::fs::read_to_string(folder.join(CALL)).ok().and_then(|text| serde_json::from_str::<Kept>(&text).ok()) else {
            return Ok(None);
        };
        let config = folder.join(CONFIG);
        if !kept.is_there(&config, options)? {
            return Ok(None);
        }
        let mut ssh = kept.call.ssh(&config, options);
        ssh.arg("--").arg(&kept.call.host);
        Ok(Some(ssh))
    }
}

/// What an earlier call leaves for the next one.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    call: Call,
    /// Where the master connection listens, under these options.
    socket: Option<PathBuf>,
    options: Vec<String>,
}

impl Kept {
    fn text(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(|error| Failure::failed(error.to_string()))
    }

    /// Is there a master connection? Whoever takes a connection on its socket is one; under other options, `ssh` knows.
    fn is_there(&self, config: &Path, options: &[String]) -> Result<bool, Failure> {
        if let Some(socket) = self.socket.as_ref().filter(|_| self.options == options) {
            return Ok(UnixStream::connect(socket).is_ok());
        }
        let mut check = self.call.ssh(config, options);
        check.args(["-O", "check", "--"]).arg(&self.call.host).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(check.status().map_err(|e| no_ssh(&e))?.success())
    }
}

/// How `ssh` is called for a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Call {
    #[serde(default)]
    user: Option<String>,
    host: String,
}

impl Call {
    fn of(entry: &Entry<'_>, device: &NeName) -> Self {
        match entry.consent.map(|consent| (consent.grade, consent.id)) {
            Some((Some(Grade::Gateway), _)) => Self { user: Some(device.to_string()), host: JUMP.to_owned() },
            // The user name says under which consent: with two that are live, the session would go to the other one's fault.
            Some((_, id)) => Self { user: Some(id.to_string()), host: device.to_string() },
            None => Self { user: None, host: device.to_string() },
        }
    }

    /// Up to the options. `--` has to follow them: a device's name can't become one then. What comes after the host is the command.
    fn ssh(&self, config: &Path, options: &[String]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(config);
        if let Some(user) = &self.user {
            ssh.arg("-l").arg(user);
        }
        ssh.args(options).env_remove(line::VARIABLE);
        ssh
    }

    /// The path of the master connection, with everything in it that `ssh` puts in.
    fn socket(&self, config: &Path, options: &[String]) -> Option<PathBuf> {
        let output = self.ssh(config, options).args(["-G", "--"]).arg(&self.host).stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.lines().find_map(|line| line.strip_prefix("controlpath ")).filter(|path| *path != "none").map(PathBuf::from)
    }
}

fn no_ssh(error: &std::io::Error) -> Failure {
    Failure::failed(format!("can't start ssh: {error}")).hint("the OpenSSH client must be installed")
}

/// What the device said, and what to do about it where the centre knows of no consent either.
fn refused(error: ClientError, missing: Option<Failure>) -> Failure {
    let failure = Failure::from(error);
    match missing {
        Some(missing) if failure.code == Some(ErrorCode::AgentRefused) => {
            Failure { what: format!("{}; {}", failure.what, missing.what), hint: missing.hint, ..failure }
        }
        _ => failure,
    }
}

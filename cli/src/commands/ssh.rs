//! `lineman ssh` and `lineman ssh-config`: stock OpenSSH, told where to go and whom to believe.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use jiff::Timestamp;
use lineman_common::api::{ConsentState, ConsentView};
use lineman_common::name::{CustomerCode, FaultNumber, NeName, PersonName};
use lineman_common::session::{Doors, Grade};
use lineman_common::statement::sha256_hex;
use ssh_key::{PrivateKey, PublicKey};

use super::App;
use crate::client::{Client, Filter};
use crate::context::{self, Settings};
use crate::exit::{Exit, Failure, Outcome};
use crate::keys::KeyError;
use crate::output::write_out;
use crate::ssh_config::{Forwards, JUMP, Jump, SshConfig as Text, SshConfigError, check_own_path, split_options};
use crate::trust::{Believed, Trust};

/// Open a shell on the device, or run a command there, with stock ssh
///
/// The device's and the gateway's keys are pinned from statements that were verified on this machine. Whether you get in is the
/// device's decision; its reason shows. Words after the fault or device go to ssh: options first, then the command. Forwards (-L, -D)
/// lead where the consent names the place: `--doors forward:10.0.0.5:443`. Under a consent of grade gateway the way leads through the
/// support centre's own SSH client, as `ssh -p PORT ne-1.jw.ne@centre` does; of the other grades SSH runs end to end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman ssh F-JW-1
  lineman ssh F-JW-1 ne show alarm
  lineman ssh ne-1.jw.ne -- -N -L 8443:10.0.0.5:443
  lineman ssh --key ~/.ssh/id_ed25519 ne-1.jw.ne -- -t ne reset fan-2")]
pub struct Ssh {
    /// The key to sign in with; before the target [default: LINEMAN_KEY, the context's, ~/.ssh/id_ed25519]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A fault (its equipment is meant) or a device
    #[arg(value_name = "FAULT|NE")]
    target: String,
    /// Options of ssh, then a command to run
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SSH-ARGS")]
    words: Vec<String>,
}

/// Print a configuration for stock ssh, scp, sftp, rsync
///
/// It names the gateway `centre` and reaches devices by their names; their keys are pinned in a known_hosts file beside it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman ssh-config --write lineman.ssh && ssh -F lineman.ssh ne-1.jw.ne
  lineman ssh-config --write lineman.ssh && scp -F lineman.ssh ne-1.jw.ne:config.txt .
  lineman ssh-config --customer JW >> ~/.ssh/config")]
pub struct SshConfig {
    /// Write it to this file (and FILE.known_hosts) instead of stdout
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Only devices of this customer
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    /// The key to sign in with [default: LINEMAN_KEY, the context's, ~/.ssh/id_ed25519]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
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

/// Who connects, with what.
struct Person {
    client: Client,
    name: PersonName,
    key: Option<PathBuf>,
    trust: Trust,
}

impl Person {
    async fn new(settings: &Settings, key: Option<&Path>) -> Result<Self, Failure> {
        let client = Client::new(&settings.connect()?)?;
        // ssh takes absolute paths only as they are meant, whatever directory it runs in.
        let key = settings.key(key).map(std::path::absolute).transpose().map_err(|e| Failure::usage(e.to_string()))?;
        if let Some(key) = &key {
            refuse_rsa(key)?;
        }
        let trust = Trust::open(&settings.trust(key.as_deref()), None, None)?;
        Ok(Self { name: client.whoami().await?.name, client, key, trust })
    }

    async fn believed(&self, app: &App, customer: &CustomerCode) -> Result<(Believed, String), Failure> {
        let bundle = self.client.trust(customer.as_str()).await?;
        Ok((self.trust.bundle(&bundle, customer, &app.env, Timestamp::now())?, bundle.jump))
    }

    /// Writes configuration and known_hosts; answers the configuration's text.
    fn write(&self, all: &[(Believed, String)], known_hosts: &Path) -> Result<String, Failure> {
        let (first, jump) =
            all.first().ok_or_else(|| Failure::new(Exit::NotFound, "there is no customer whose devices could be reached"))?;
        let text = Text {
            jump: Jump::parse(jump, self.client.host())?,
            gateway_keys: first.roster.gateway_keys().collect(),
            devices: all.iter().flat_map(|(believed, _)| &believed.devices).map(|(name, statement)| (name, &statement.host_key)).collect(),
            user: &self.name,
            identity: self.key.clone(),
            known_hosts: known_hosts.to_owned(),
        };
        let config = text.text()?;
        let folder = known_hosts.parent().unwrap_or(Path::new("/"));
        let failed = |e| Failure::failed(format!("can't write {}: {e}", known_hosts.display()));
        context::private_folder(folder).map_err(failed)?;
        context::write_private(known_hosts, text.known_hosts_text()?.as_bytes()).map_err(failed)?;
        Ok(config)
    }
}

/// A place of one's own for each server, person and purpose, so that two of them don't overwrite each other's keys.
fn cache_folder(app: &App, person: &Person, purpose: &str) -> Result<PathBuf, Failure> {
    let name = sha256_hex(format!("{}\n{}\n{purpose}", person.client.server(), person.name));
    Ok(app.env.cache_folder()?.join("ssh").join(&name[..16]))
}

impl Ssh {
    pub async fn run(self, app: &App) -> Outcome {
        let settings = app.settings()?;
        let person = Person::new(&settings, self.key.as_deref()).await?;
        let (device, consents) = self.target(&person.client).await?;
        let (believed, jump) = person.believed(app, &device.customer).await?;
        believed.device(&device)?;
        let folder = cache_folder(app, &person, device.customer.as_str())?;
        let config = folder.join("config");
        check_own_path(&config)?;
        let text = person.write(&[(believed, jump)], &folder.join("known_hosts"))?;
        context::write_private(&config, text.as_bytes()).map_err(|e| Failure::failed(format!("can't write {}: {e}", config.display())))?;

        let (options, command) = split_options(&self.words);
        let entry = Entry::of(&consents, &device, &person.name);
        for note in entry.notes(&device, options) {
            app.say(note);
        }
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&config);
        // `--` ends the options: a device's name can't become one. What follows the host is the command.
        match entry.consent.map(|consent| (consent.grade, consent.id)) {
            Some((Some(Grade::Gateway), _)) => ssh.arg("-l").arg(device.to_string()).args(options).arg("--").arg(JUMP),
            // The user name says under which consent: with two that are live, the session would go to the other one's fault.
            Some((_, id)) => ssh.arg("-l").arg(id.to_string()).args(options).arg("--").arg(device.to_string()),
            None => ssh.args(options).arg("--").arg(device.to_string()),
        };
        ssh.args(command);
        if entry.consent.is_some() {
            // Only fails if ssh can't be started at all.
            return Err(no_ssh(&ssh.exec()));
        }
        let missing = no_consent(&self.target, &device, &person.name, &consents, app);
        // The centre knows of no consent, but the device decides: let it speak, then say what to do.
        let status = ssh.status().map_err(|e| no_ssh(&e))?;
        match status.code() {
            Some(0) => Ok(Exit::Done),
            _ => Err(missing),
        }
    }

    /// The device that is meant, and what the centre knows of consents for it.
    async fn target(&self, client: &Client) -> Result<(NeName, Vec<ConsentView>), Failure> {
        if let Ok(device) = self.target.parse::<NeName>() {
            let consents = client.consents(&Filter::default()).await?.items;
            return Ok((device, consents));
        }
        let fault = client.fault(&self.target).await?.fault;
        let consents = client.consents(&Filter { fault: Some(fault.number.to_string()), ..Filter::default() }).await?.items;
        // The consent may be for other equipment than the fault's own.
        let live = consents.iter().find(|consent| matches!(consent.state, ConsentState::Live | ConsentState::Approved));
        let device = live.map(|consent| consent.device.clone()).or(fault.equipment);
        let device = device.ok_or_else(|| {
            Failure::usage(format!("{} names no equipment", fault.number)).hint("name the device: lineman ssh ne-1.jw.ne")
        })?;
        Ok((device, consents))
    }
}

fn no_ssh(error: &std::io::Error) -> Failure {
    Failure::failed(format!("can't start ssh: {error}")).hint("the OpenSSH client must be installed")
}

/// RSA keys sign nothing in this system: said here, before ssh tries and a server answers with a bare "permission denied".
fn refuse_rsa(path: &Path) -> Result<(), Failure> {
    // What can't be read is ssh's to complain about: it may know keys that this program doesn't.
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(()) };
    let public = || PublicKey::from_openssh(text.lines().next()?).ok().map(|key| key.algorithm());
    let algorithm = PrivateKey::from_openssh(&text).ok().map(|key| key.algorithm()).or_else(public);
    if text.contains("BEGIN RSA PRIVATE KEY") || algorithm.is_some_and(ssh_key::Algorithm::is_rsa) {
        return Err(KeyError::Rsa { path: path.to_owned() }.into());
    }
    Ok(())
}

/// Under which consent the engineer goes in, as far as the centre knows.
struct Entry<'a> {
    consent: Option<&'a ConsentView>,
}

impl<'a> Entry<'a> {
    /// One that is live, or on its way to the device; end to end is better than through the gateway.
    fn of(consents: &'a [ConsentView], device: &NeName, engineer: &PersonName) -> Self {
        let open = |consent: &&ConsentView| {
            let own = consent.device == *device && consent.engineer == *engineer;
            own && matches!(consent.state, ConsentState::Live | ConsentState::Approved)
        };
        let rank = |consent: &&ConsentView| (consent.grade != Some(Grade::Gateway), consent.state == ConsentState::Live);
        Self { consent: consents.iter().filter(open).max_by_key(rank) }
    }

    /// What is good to know before ssh takes over the terminal.
    fn notes(&self, device: &NeName, options: &[String]) -> Vec<String> {
        let mut notes = Vec::new();
        let Some(consent) = self.consent else { return notes };
        let gateway = consent.grade == Some(Grade::Gateway);
        if gateway {
            notes.push(format!(
                "grade gateway: the support centre's own SSH client goes to {device} for you, and could act in this session"
            ));
        }
        let Forwards { to, any, remote } = Forwards::of(options);
        if gateway && (any || !to.is_empty()) {
            notes.push("forwards don't lead through the gateway: they need a consent of grade end-to-end or role".to_owned());
            return notes;
        }
        if remote {
            notes.push("-R is refused by every device: nothing listens there for somebody outside".to_owned());
        }
        let opened = consent.doors.as_ref().map(Doors::targets);
        for target in to.iter().filter(|target| opened.is_none_or(|opened| !opened.contains(target))) {
            let hint = format!("lineman consent request {} --doors exec,forward:{target} --for 1h", consent.fault);
            notes.push(format!("{} does not open {target}: {device} will refuse that forward. ask for it: {hint}", consent.id));
        }
        if any {
            let places = opened.into_iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
            let places = if places.is_empty() { "nowhere".to_owned() } else { format!("to {} only", places.join(", ")) };
            notes.push(format!("-D leads {places}: what the consent names"));
        }
        notes
    }
}

/// What to say when the centre is certain that there is no consent: none that is live, nor on its way to the device.
fn no_consent(target: &str, device: &NeName, engineer: &PersonName, consents: &[ConsentView], app: &App) -> Failure {
    let own = consents.iter().filter(|consent| consent.device == *device && consent.engineer == *engineer);
    let newest = own.max_by_key(|consent| consent.requested_at);
    let state = newest.map(|consent| format!(" ({})", why_not(consent, app))).unwrap_or_default();
    let asked_for = target.parse::<FaultNumber>().ok().or_else(|| newest.map(|consent| consent.fault.clone()));
    let fault = asked_for.map_or_else(|| "FAULT".to_owned(), |fault| fault.to_string());
    Failure::new(Exit::Forbidden, format!("{device} has no consent for {engineer}{state}"))
        .hint(format!("lineman consent request {fault} --doors shell,exec,sftp-read --for 2h"))
}

/// How far a request came, in the words of those who decided.
fn why_not(consent: &ConsentView, app: &App) -> String {
    let said = |reason: &Option<lineman_common::Printable>| reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let by = consent.decided_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    match consent.state {
        ConsentState::Requested => {
            let asked = consent.requested_at.map(|at| format!("asked {}, ", app.out.moment(at))).unwrap_or_default();
            let (have, need) = (consent.consents.len(), usize::from(consent.approvals_needed));
            let approvals = if need > 1 { format!(", {have} of {need} approvals") } else { String::new() };
            format!("{asked}waiting for the carrier{approvals}")
        }
        ConsentState::Refused => format!("the last one was refused{by}{}", said(&consent.refusal)),
        ConsentState::RefusedByDevice => format!("the device refused the last one{}", said(&consent.device_says)),
        ConsentState::Ended => {
            let why = consent.end_reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("the last one has ended{why}")
        }
        state @ (ConsentState::Challenged | ConsentState::Approved | ConsentState::Live | ConsentState::Lapsed) => {
            format!("the last one is {state}")
        }
    }
}

impl SshConfig {
    pub async fn run(self, app: &App) -> Outcome {
        let settings = app.settings()?;
        let person = Person::new(&settings, self.key.as_deref()).await?;
        let customers = match &self.customer {
            Some(customer) => vec![customer.clone()],
            None => person.client.customers().await?.items.into_iter().map(|customer| customer.code).collect(),
        };
        let mut all = Vec::new();
        let mut problem = None;
        for customer in &customers {
            match person.believed(app, customer).await {
                Ok(believed) => all.push(believed),
                // One customer without anchors must not hide the others' devices.
                Err(failure) => {
                    app.say(format!("{customer} is left out: {failure}"));
                    problem = Some(failure);
                }
            }
        }
        if let (true, Some(failure)) = (all.is_empty(), problem) {
            return Err(failure);
        }
        for (device, why) in all.iter().flat_map(|(believed, _)| &believed.doubts) {
            let device = device.as_ref().map_or_else(|| "a device".to_owned(), ToString::to_string);
            app.say(format!("{device} is left out: {why}"));
        }
        let count: usize = all.iter().map(|(believed, _)| believed.devices.len()).sum();
        let Some(path) = self.write else {
            let known_hosts = cache_folder(app, &person, "config")?.join("known_hosts");
            write_out(&person.write(&all, &known_hosts)?)?;
            app.say(format!("{count} devices; their keys are pinned in {}", known_hosts.display()));
            return Ok(Exit::Done);
        };
        let path = std::path::absolute(&path).map_err(|e| Failure::usage(e.to_string()))?;
        check_own_path(&path)?;
        let mut known_hosts = path.clone().into_os_string();
        known_hosts.push(".known_hosts");
        let text = person.write(&all, Path::new(&known_hosts))?;
        context::write_private(&path, text.as_bytes()).map_err(|e| Failure::failed(format!("can't write {}: {e}", path.display())))?;
        app.say(format!("{count} devices in {0}. next: ssh -F {0} NAME", path.display()));
        Ok(Exit::Done)
    }
}

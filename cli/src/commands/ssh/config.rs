//! `lineman ssh-config`: a file for every stock client, good until equipment changes.

use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::StreamExt;
use lineman_common::name::CustomerCode;

use super::person::{Made, Person};
use super::{App, cache_folder};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::write_out;
use crate::ssh_config::check_own_path;
use crate::trust::Believed;

/// Customers that are asked for at once.
const ABREAST: usize = 4;

/// Print a configuration for stock ssh, scp, sftp, rsync, Ansible
///
/// It reaches devices by their names over the API's port, through `lineman proxy`; with --jump, or with `ssh -J centre`, through the
/// gateway that it names `centre`. The keys of both are pinned in a known_hosts file beside it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman ssh-config --write lineman.ssh && ssh -F lineman.ssh ne-1.jw.ne
  lineman ssh-config --write lineman.ssh && scp -F lineman.ssh ne-1.jw.ne:config.txt .
  lineman ssh-config --jump --write jump.ssh && ssh -F jump.ssh ne-1.jw.ne
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
    /// Through the gateway's SSH port only, for where the API's port is out of reach
    #[arg(long)]
    jump: bool,
}

impl SshConfig {
    pub async fn run(self, app: &App) -> Outcome {
        let settings = app.settings()?;
        let person = Person::new(app, settings, self.key.as_deref())?;
        let (name, all) = tokio::try_join!(person.name(app), self.believed(app, &person))?;
        for (device, why) in all.iter().flat_map(|(believed, _)| &believed.doubts) {
            let device = device.as_ref().map_or_else(|| "a device".to_owned(), ToString::to_string);
            app.say(format!("{device} is left out: {why}"));
        }
        let count: usize = all.iter().map(|(believed, _)| believed.devices.len()).sum();
        if let (false, Some(note)) = (self.jump, person.token_note()) {
            app.say(note);
        }
        let made = |known_hosts: &Path| -> Result<Made, Failure> { person.make(app, &name, &all, known_hosts, self.jump) };
        let Some(path) = &self.write else {
            let known_hosts = cache_folder(app, &person, &name, "config")?.join("known_hosts");
            write_out(&made(&known_hosts)?.write_known_hosts()?)?;
            app.say(format!("{count} devices; their keys are pinned in {}", known_hosts.display()));
            return Ok(Exit::Done);
        };
        let path = std::path::absolute(path).map_err(|e| Failure::usage(e.to_string()))?;
        check_own_path(&path)?;
        let mut known_hosts = path.clone().into_os_string();
        known_hosts.push(".known_hosts");
        made(Path::new(&known_hosts))?.write(&path)?;
        app.say(format!("{count} devices in {0}. next: ssh -F {0} NAME", path.display()));
        Ok(Exit::Done)
    }

    /// Everything that is believed of every customer.
    async fn believed(&self, app: &App, person: &Person) -> Result<Vec<(Believed, String)>, Failure> {
        let customers = match &self.customer {
            Some(customer) => vec![customer.clone()],
            None => person.client.customers().await?.items.into_iter().map(|customer| customer.code).collect(),
        };
        let asked = customers.iter().map(async |customer| (customer, self.believed_of(app, person, customer).await));
        let mut asked = std::pin::pin!(futures_util::stream::iter(asked).buffered(ABREAST));
        let (mut all, mut problem) = (Vec::new(), None);
        while let Some((customer, believed)) = asked.next().await {
            match believed {
                Ok(believed) => all.push(believed),
                // One customer without anchors must not hide the others' devices.
                Err(failure) => {
                    app.say(format!("{customer} is left out: {failure}"));
                    problem = Some(failure);
                }
            }
        }
        problem.filter(|_| all.is_empty()).map_or(Ok(all), Err)
    }

    async fn believed_of(&self, app: &App, person: &Person, customer: &CustomerCode) -> Result<(Believed, String), Failure> {
        person.believe(app, person.client.trust(customer.as_str()).await?, customer)
    }
}

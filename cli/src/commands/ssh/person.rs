//! Who connects, with what, and the files that `ssh` is given.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lineman_common::api::TrustBundle;
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::statement::sha256_hex;
use ssh_key::{PrivateKey, PublicKey};

use super::App;
use crate::client::Client;
use crate::context::{self, Settings};
use crate::exit::{Exit, Failure};
use crate::keys::KeyError;
use crate::ssh_config::{Jump, SshConfig as Text, proxy_command};
use crate::trust::{Believed, Trust};

pub struct Person {
    pub client: Client,
    settings: Settings,
    key: Option<PathBuf>,
    trust: Trust,
    config_file: PathBuf,
}

impl Person {
    pub fn new(app: &App, settings: Settings, key: Option<&Path>) -> Result<Self, Failure> {
        // ssh takes absolute paths only as they are meant, whatever directory it runs in.
        let key = settings.key(key).map(std::path::absolute).transpose().map_err(|e| Failure::usage(e.to_string()))?;
        if let Some(key) = &key {
            refuse_rsa(key)?;
        }
        let trust = Trust::open(&settings.trust(key.as_deref()), None, None)?;
        Ok(Self { client: Client::new(&settings.connect()?)?, trust, key, config_file: app.env.config_file()?, settings })
    }

    /// The name that the token stands for. It is asked for once for each token: it only says which consents are one's own, and
    /// what is claimed at the door; centre and device decide by token and key.
    pub async fn name(&self, app: &App) -> Result<PersonName, Failure> {
        let token = self.settings.token.as_ref().map(context::Secret::expose).unwrap_or_default();
        let which = sha256_hex(format!("{}\n{}", self.client.server(), self.settings.name.as_deref().unwrap_or_default()));
        let path = app.env.cache_folder()?.join("whoami").join(&which[..16]);
        let mark = sha256_hex(format!("{}\n{token}", self.client.server()));
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        if let Some(name) = known.strip_prefix(&mark).and_then(|name| name.trim().parse().ok()) {
            return Ok(name);
        }
        let name = self.client.whoami().await?.name;
        keep(&path, &format!("{mark} {name}\n"))?;
        Ok(name)
    }

    /// What is believed of a customer's devices, and where the centre says that the gateway is.
    pub fn believe(&self, app: &App, bundle: TrustBundle, customer: &CustomerCode) -> Result<(Believed, String), Failure> {
        Ok((self.trust.bundle(&bundle, customer, &app.env, Timestamp::now())?, bundle.jump))
    }

    /// What has to be known where `ssh` runs the proxy, and isn't in any file.
    pub fn token_note(&self) -> Option<String> {
        let note = "the token is in no context: set LINEMAN_TOKEN where ssh runs, or sign in with `lineman login`";
        self.settings.name.is_none().then(|| note.to_owned())
    }

    pub fn make(
        &self,
        app: &App,
        name: &PersonName,
        all: &[(Believed, String)],
        known_hosts: &Path,
        jump_only: bool,
    ) -> Result<Made, Failure> {
        let nobody = || Failure::new(Exit::NotFound, "there is no customer whose devices could be reached");
        let (first, jump) = all.first().ok_or_else(nobody)?;
        let text = Text {
            jump: Jump::parse(jump, self.client.host())?,
            gateway_keys: first.roster.gateway_keys().collect(),
            devices: all.iter().flat_map(|(believed, _)| &believed.devices).map(|(name, statement)| (name, &statement.host_key)).collect(),
            user: name,
            identity: self.key.clone(),
            known_hosts: known_hosts.to_owned(),
            proxy: if jump_only { None } else { Some(proxy_command(&self.proxy_words(app)?)?) },
        };
        Ok(Made { config: text.text()?, known_hosts_text: text.known_hosts_text()?, known_hosts: known_hosts.to_owned() })
    }

    /// The proxy's command line: everything but the token, which stays in the configuration file or the environment.
    fn proxy_words(&self, app: &App) -> Result<Vec<String>, Failure> {
        let own = std::env::current_exe().map_err(|e| Failure::failed(format!("can't tell where this program is: {e}")))?;
        let mut words = vec![path_word(&own)?, "proxy".to_owned(), "--config".to_owned(), path_word(&self.config_file)?];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        if let Some(name) = &self.settings.name {
            option("--context", name.clone());
        }
        option("--server", self.client.server().to_owned());
        if let Some(ca) = &self.settings.ca {
            option("--ca", path_word(&std::path::absolute(ca).map_err(|e| Failure::usage(e.to_string()))?)?);
        }
        if app.global.quiet {
            words.push("--quiet".to_owned());
        }
        Ok(words)
    }
}

fn path_word(path: &Path) -> Result<String, Failure> {
    let wrong = || Failure::usage(format!("the path {} is not UTF-8, as an ssh configuration has to be", path.display()));
    Ok(path.to_str().ok_or_else(wrong)?.to_owned())
}

/// The two files, made and not written yet.
pub struct Made {
    config: String,
    known_hosts_text: String,
    known_hosts: PathBuf,
}

impl Made {
    /// Writes the pinned keys; answers the configuration.
    pub fn write_known_hosts(self) -> Result<String, Failure> {
        keep(&self.known_hosts, &self.known_hosts_text)?;
        Ok(self.config)
    }

    pub fn write(self, path: &Path) -> Result<(), Failure> {
        keep(path, &self.write_known_hosts()?)
    }
}

/// Writes a file that can be made again, where it isn't as it should be already: most times nothing has changed, and a disk's
/// promise takes longer than everything else here.
pub fn keep(path: &Path, text: &str) -> Result<(), Failure> {
    if std::fs::read(path).is_ok_and(|known| known == text.as_bytes()) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let written = context::private_folder(folder).and_then(|()| context::write_private(path, text.as_bytes()));
    written.map_err(|e| Failure::failed(format!("can't write {}: {e}", path.display())))
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

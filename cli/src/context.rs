//! Which server, as whom, with which key, trusting what.
//!
//! Named contexts live in `~/.config/lineman/config.toml` (readable by its owner only, because it holds tokens). Flags win
//! over the environment, the environment over the current context. One rule has no exception: **a token goes only to the
//! server it belongs to**: a context's token is never sent to a server that a flag or the environment names instead.
//!
//! Where only `LINEMAN_SERVER` (and `LINEMAN_CA`, `LINEMAN_TOKEN`) is set, as scripts do, the context with the same server
//! and the same token fills in what is missing: the CA, the signing key, the trust directory. So a script that acts as
//! several people needs nothing but their tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::client::{self, ClientError};

#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error("can't read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("can't write {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path} is not understood: {why}")]
    Syntax { path: PathBuf, why: String },
    #[error("there is no context `{name}`; there is {known}")]
    Unknown { name: String, known: String },
    #[error("a context's name is 1 to 64 letters, digits, `-`, `_` and `.`, not `{0}`")]
    Name(String),
    #[error("no server is named, and there is no current context")]
    NoServer,
    #[error("there is no home directory: set HOME or XDG_CONFIG_HOME")]
    NoHome,
    #[error(transparent)]
    Address(#[from] ClientError),
}

/// A token or password: never printed, not even by `{:?}`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What one name in the configuration file stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// `https://host:port`.
    pub server: String,
    /// PEM file with the only CA that is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The private key that signs requests, consents or device statements, and opens devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Directory with `vendor-root` and, for carriers, `signers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<PathBuf>,
}

/// The configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    #[serde(default, rename = "context")]
    pub contexts: BTreeMap<String, Context>,
}

impl Config {
    /// Reads the file; an absent one is an empty configuration.
    pub fn load(path: &Path) -> Result<Self, ContextError> {
        match std::fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map_err(|e| ContextError::Syntax { path: path.into(), why: e.message().to_owned() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ContextError::Read { path: path.into(), source }),
        }
    }

    /// Replaces the file in one step; only its owner can read it.
    pub fn save(&self, path: &Path) -> Result<(), ContextError> {
        let failed = |source| ContextError::Write { path: path.into(), source };
        let text = toml::to_string(self).map_err(|e| ContextError::Syntax { path: path.into(), why: e.to_string() })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        private_folder(folder).map_err(failed)?;
        write_private(path, text.as_bytes()).map_err(failed)
    }

    pub fn get(&self, name: &str) -> Result<&Context, ContextError> {
        self.contexts.get(name).ok_or_else(|| ContextError::Unknown {
            name: lineman_common::printable::escape(name),
            known: if self.contexts.is_empty() {
                "none".to_owned()
            } else {
                self.contexts.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            },
        })
    }

    pub fn set(&mut self, name: &str, context: Context) -> Result<(), ContextError> {
        let fits = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !fits || name.starts_with('-') {
            return Err(ContextError::Name(lineman_common::printable::escape(name)));
        }
        self.contexts.insert(name.to_owned(), context);
        Ok(())
    }

    /// Forgets a context, and that it was the current one.
    pub fn remove(&mut self, name: &str) -> Result<Context, ContextError> {
        let context = self.get(name)?.clone();
        self.contexts.remove(name);
        if self.current.as_deref() == Some(name) {
            self.current = None;
        }
        Ok(context)
    }
}

/// Writes a file that only its owner can read, replacing an old one in one step.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // `tempfile` makes files with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|e| e.error)
}

/// Makes a folder for its owner only. One that exists keeps the rights that it has.
pub fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The environment, as a value, so that the rules can be tested without touching the process's own.
#[derive(Clone, Debug, Default)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    pub fn of_process() -> Self {
        Self(std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect())
    }

    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    /// A variable; an empty one counts as not set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.get(key).map(PathBuf::from)
    }

    pub fn home(&self) -> Option<PathBuf> {
        self.path("HOME").filter(|home| home.is_absolute())
    }

    /// An XDG base directory with our name in it; XDG says that a relative one is to be ignored.
    fn base(&self, variable: &str, fallback: &str) -> Result<PathBuf, ContextError> {
        let base = self.path(variable).filter(|path| path.is_absolute()).or_else(|| Some(self.home()?.join(fallback)));
        base.map(|base| base.join("lineman")).ok_or(ContextError::NoHome)
    }

    pub fn config_folder(&self) -> Result<PathBuf, ContextError> {
        self.base("XDG_CONFIG_HOME", ".config")
    }

    pub fn config_file(&self) -> Result<PathBuf, ContextError> {
        Ok(self.config_folder()?.join("config.toml"))
    }

    /// What can be made again at any time: ssh configurations.
    pub fn cache_folder(&self) -> Result<PathBuf, ContextError> {
        self.base("XDG_CACHE_HOME", ".cache")
    }

    /// What must not be forgotten: the newest roster number seen.
    pub fn state_folder(&self) -> Result<PathBuf, ContextError> {
        self.base("XDG_STATE_HOME", ".local/state")
    }
}

/// What the command line says about all this.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub context: Option<String>,
    pub server: Option<String>,
    pub ca: Option<PathBuf>,
}

/// Where the trust directory comes from, in the order they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustFrom {
    /// Named by the environment or the context: it is used even if it holds nothing, so that a typing mistake shows.
    Named(PathBuf),
    /// The folder of the key file if it holds `vendor-root`, else this one.
    Default(PathBuf),
}

/// Everything resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The context that was taken, or that filled in what was missing.
    pub name: Option<String>,
    pub server: String,
    pub ca: Option<PathBuf>,
    pub token: Option<Secret>,
    key: Option<PathBuf>,
    trust: TrustFrom,
}

impl Settings {
    pub fn resolve(config: &Config, env: &Env, flags: &Flags) -> Result<Self, ContextError> {
        let asked = flags.context.as_deref().or_else(|| env.get("LINEMAN_CONTEXT"));
        // A context that is named by flag beats the environment's single values; one named by the environment doesn't.
        let env_counts = flags.context.is_none();
        let from_env = |key: &str| env_counts.then(|| env.get(key)).flatten();

        let server = flags.server.as_deref().or_else(|| from_env("LINEMAN_SERVER"));
        let token = from_env("LINEMAN_TOKEN").map(Secret::new);
        let chosen = match (asked, server) {
            (Some(name), _) => Some((name, config.get(name)?)),
            (None, None) => config.current.as_deref().map(|name| Ok::<_, ContextError>((name, config.get(name)?))).transpose()?,
            (None, Some(_)) => None,
        };
        let server = server.or(chosen.map(|(_, context)| context.server.as_str())).ok_or(ContextError::NoServer)?;
        let server = normal(server)?;
        // A context speaks for its own server only.
        let chosen = chosen.filter(|(_, context)| normal(&context.server).is_ok_and(|its| its == server));
        let fits = |context: &Context| {
            normal(&context.server).is_ok_and(|its| its == server)
                && token.as_ref().is_none_or(|token| context.token.as_ref() == Some(token))
        };
        let current = config.current.as_deref().and_then(|name| Some((name, config.contexts.get(name)?)));
        let context = chosen.filter(|(_, context)| fits(context)).or_else(|| {
            let all = config.contexts.iter().map(|(name, context)| (name.as_str(), context));
            current.into_iter().chain(all).find(|(_, context)| fits(context))
        });
        // With an unknown token, the server's CA may still be known; the person's key and trust are not.
        let same_server = || config.contexts.values().find(|context| normal(&context.server).is_ok_and(|its| its == server));
        let owner = context.or(chosen.filter(|_| asked.is_some()));
        let explicit = owner.map(|(_, context)| context);
        let ca = flags
            .ca
            .clone()
            .or_else(|| from_env("LINEMAN_CA").map(PathBuf::from))
            .or_else(|| explicit.and_then(|context| context.ca.clone()))
            .or_else(|| same_server().and_then(|context| context.ca.clone()));
        let key = env.path("LINEMAN_KEY").or_else(|| explicit.and_then(|context| context.key.clone()));
        let trust = env.path("LINEMAN_TRUST").or_else(|| explicit.and_then(|context| context.trust.clone()));
        Ok(Self {
            name: owner.map(|(name, _)| name.to_owned()),
            server,
            ca,
            token: token.or_else(|| context.and_then(|(_, context)| context.token.clone())),
            key: key.or_else(|| env.home().map(|home| home.join(".ssh/id_ed25519"))),
            trust: trust.map_or_else(
                || Ok(TrustFrom::Default(env.config_folder()?.join("trust"))),
                |path| Ok::<_, ContextError>(TrustFrom::Named(path)),
            )?,
        })
    }

    /// The signing key: the flag's, or the resolved one.
    pub fn key(&self, flag: Option<&Path>) -> Option<PathBuf> {
        flag.map(Path::to_owned).or_else(|| self.key.clone())
    }

    /// The trust directory, for the signing key that is in use.
    pub fn trust(&self, key: Option<&Path>) -> PathBuf {
        match &self.trust {
            TrustFrom::Named(path) => path.clone(),
            TrustFrom::Default(path) => {
                let beside = key.and_then(Path::parent).filter(|folder| folder.join("vendor-root").is_file());
                beside.map_or_else(|| path.clone(), Path::to_owned)
            }
        }
    }

    /// What to connect with; reads the CA file.
    pub fn connect(&self) -> Result<client::Connect, ContextError> {
        let ca_pem = match &self.ca {
            Some(path) => std::fs::read(path).map_err(|source| ContextError::Read { path: path.clone(), source })?,
            None => Vec::new(),
        };
        Ok(client::Connect { server: self.server.clone(), ca_pem, token: self.token.as_ref().map(|token| token.expose().to_owned()) })
    }
}

/// One spelling for one server, so that contexts can be compared.
pub fn normal(server: &str) -> Result<String, ClientError> {
    Ok(client::server_url(server)?.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(server: &str, token: &str, key: &str) -> Context {
        Context {
            server: server.into(),
            ca: Some(format!("/ca/{token}").into()),
            token: Some(Secret::new(token)),
            key: Some(key.into()),
            trust: Some(format!("/trust/{token}").into()),
        }
    }

    fn config() -> Config {
        let mut config = Config { current: Some("prod".into()), ..Config::default() };
        config.set("prod", context("https://prod.example:7443", "t-prod", "/k/prod")).unwrap();
        config.set("demo-a", context("https://127.0.0.1:7443", "t-a", "/k/a")).unwrap();
        config.set("demo-b", context("https://127.0.0.1:7443", "t-b", "/k/b")).unwrap();
        config
    }

    fn resolve(env: Env, flags: Flags) -> Settings {
        Settings::resolve(&config(), &env, &flags).unwrap()
    }

    #[test]
    fn the_current_context_is_the_fallback() {
        let settings = resolve(Env::of([("HOME", "/h")]), Flags::default());
        assert_eq!((settings.name.as_deref(), settings.server.as_str()), (Some("prod"), "https://prod.example:7443"));
        assert_eq!(settings.token.unwrap().expose(), "t-prod");
    }

    #[test]
    fn server_and_token_find_their_context() {
        let env = Env::of([("HOME", "/h"), ("LINEMAN_SERVER", "https://127.0.0.1:7443/"), ("LINEMAN_TOKEN", "t-b")]);
        let settings = resolve(env, Flags::default());
        assert_eq!(settings.name.as_deref(), Some("demo-b"));
        assert_eq!(settings.key(None).unwrap(), Path::new("/k/b"));
        assert_eq!(settings.trust(None), Path::new("/trust/t-b"));
        assert_eq!(settings.ca.unwrap(), Path::new("/ca/t-b"));
    }

    #[test]
    fn an_unknown_token_gets_nobody_elses_key() {
        let env = Env::of([("HOME", "/h"), ("LINEMAN_SERVER", "https://127.0.0.1:7443"), ("LINEMAN_TOKEN", "t-new")]);
        let settings = resolve(env, Flags::default());
        assert_eq!(settings.name, None);
        assert_eq!(settings.key(None).unwrap(), Path::new("/h/.ssh/id_ed25519"));
        assert_eq!(settings.trust(None), Path::new("/h/.config/lineman/trust"));
        assert!(settings.ca.is_some(), "the server's CA is the same for everybody");
    }

    #[test]
    fn a_token_is_never_sent_to_another_server() {
        for flags in [
            Flags { server: Some("https://evil.example".into()), ..Flags::default() },
            Flags { server: Some("https://evil.example".into()), context: Some("prod".into()), ..Flags::default() },
        ] {
            let settings = resolve(Env::of([("HOME", "/h")]), flags);
            assert_eq!((settings.token, settings.ca), (None, None));
        }
        let env = Env::of([("HOME", "/h"), ("LINEMAN_SERVER", "https://evil.example"), ("LINEMAN_CONTEXT", "prod")]);
        assert_eq!(resolve(env, Flags::default()).token, None);
    }

    #[test]
    fn a_context_by_flag_beats_the_environment() {
        let env =
            Env::of([("HOME", "/h"), ("LINEMAN_SERVER", "https://prod.example:7443"), ("LINEMAN_TOKEN", "t-prod"), ("LINEMAN_CA", "/x")]);
        let settings = resolve(env, Flags { context: Some("demo-a".into()), ..Flags::default() });
        assert_eq!((settings.server.as_str(), settings.token.unwrap().expose()), ("https://127.0.0.1:7443", "t-a"));
        assert_eq!(settings.ca.unwrap(), Path::new("/ca/t-a"));
    }

    #[test]
    fn single_values_of_the_environment_beat_the_context() {
        let env = Env::of([("HOME", "/h"), ("LINEMAN_KEY", "/k/own"), ("LINEMAN_TRUST", "/t/own"), ("LINEMAN_CA", "/c/own")]);
        let settings = resolve(env, Flags::default());
        assert_eq!(settings.key(None).unwrap(), Path::new("/k/own"));
        assert_eq!(settings.key(Some(Path::new("/k/flag"))).unwrap(), Path::new("/k/flag"));
        assert_eq!((settings.trust(None), settings.ca.unwrap()), (PathBuf::from("/t/own"), PathBuf::from("/c/own")));
    }

    #[test]
    fn the_folder_of_the_key_is_the_trust_directory_if_it_holds_a_vendor_root() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("vendor-root"), "").unwrap();
        let env = Env::of([("HOME", "/h"), ("LINEMAN_SERVER", "https://new.example")]);
        let settings = resolve(env, Flags::default());
        assert_eq!(settings.trust(Some(&folder.path().join("key"))), folder.path());
        assert_eq!(settings.trust(Some(Path::new("/nowhere/key"))), Path::new("/h/.config/lineman/trust"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let error = Settings::resolve(&Config::default(), &Env::of([("HOME", "/h")]), &Flags::default()).unwrap_err();
        assert!(matches!(error, ContextError::NoServer));
        let flags = Flags { context: Some("nope".into()), ..Flags::default() };
        let error = Settings::resolve(&config(), &Env::default(), &flags).unwrap_err().to_string();
        assert_eq!(error, "there is no context `nope`; there is `demo-a`, `demo-b`, `prod`");
    }

    #[test]
    fn the_file_reads_back_and_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lineman/config.toml");
        config().save(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Config::load(&path).unwrap(), config());
        assert_eq!(Config::load(&folder.path().join("absent")).unwrap(), Config::default());
        let secret = Context { token: Some(Secret::new("hunter2")), ..Context::default() };
        assert!(!format!("{secret:?}").contains("hunter2"), "a token shows in debug output");
        std::fs::write(&path, "currant = \"x\"\n").unwrap();
        assert!(Config::load(&path).unwrap_err().to_string().contains("currant"));
    }

    #[test]
    fn names_that_would_confuse_a_command_line_are_refused() {
        for name in ["", "-x", "a b", "a/b", "风"] {
            assert!(Config::default().set(name, Context::default()).is_err(), "{name:?}");
        }
    }
}

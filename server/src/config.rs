//! The configuration: `server.toml`, made by `init`, checked by `check-config`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}")]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{path}: `names` is empty: name the hosts by which agents and browsers reach this server")]
    NoNames { path: PathBuf },
}

/// As written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    listen: SocketAddr,
    jump: SocketAddr,
    names: Vec<String>,
    #[serde(default)]
    demo: bool,
}

/// As used: checked, with every path known.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Agents, browsers, API clients and legs.
    pub listen: SocketAddr,
    /// The SSH gateway.
    pub jump: SocketAddr,
    /// Host names and addresses of this server; the first is the one that tokens carry.
    pub names: Vec<String>,
    /// Everything in here is demonstration data.
    pub demo: bool,
    pub dir: PathBuf,
}

impl Settings {
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let path = path.to_owned();
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: PathBuf) -> Result<Self, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|source| ConfigError::Parse { path: path.clone(), source: Box::new(source) })?;
        if config.names.is_empty() {
            return Err(ConfigError::NoNames { path });
        }
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        Ok(Self { listen: config.listen, jump: config.jump, names: config.names, demo: config.demo, dir })
    }

    pub fn database(&self) -> PathBuf {
        self.dir.join("lineman.db")
    }

    pub fn health(&self) -> PathBuf {
        self.dir.join("health")
    }

    pub fn gateway_key(&self) -> PathBuf {
        self.dir.join("gateway_key")
    }

    pub fn vendor_root(&self) -> PathBuf {
        self.dir.join("vendor-root")
    }

    /// `name:port`, with brackets around an IPv6 address.
    pub fn address(&self, port: u16) -> String {
        let name = self.names.first().map_or("localhost", String::as_str);
        if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") }
    }
}

/// The file that `init` writes.
pub fn template(listen: SocketAddr, jump: SocketAddr, names: &[String], demo: bool) -> String {
    let names = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let mut text = include_str!("server.example.toml")
        .replace("\"0.0.0.0:7443\"", &format!("{:?}", listen.to_string()))
        .replace("\"0.0.0.0:2222\"", &format!("{:?}", jump.to_string()))
        .replace("[\"support.example.net\"]", &format!("[{names}]"));
    if demo {
        text.push_str("\n# Everything in here is demonstration data.\ndemo = true\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_understood_and_so_is_what_init_writes() {
        let path = PathBuf::from("/srv/lineman/server.toml");
        Settings::parse(include_str!("server.example.toml"), path.clone()).unwrap();
        let names = ["::1".to_owned(), "localhost".to_owned()];
        let text = template("[::1]:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap(), &names, true);
        let settings = Settings::parse(&text, path.clone()).unwrap();
        assert!(settings.demo && settings.names == names);
        assert_eq!(settings.address(7443), "[::1]:7443");
        let error = Settings::parse("listen = \"0.0.0.0:1\"\njump = \"0.0.0.0:2\"\nnames = [\"x\"]\nlissten = 1", path).unwrap_err();
        assert!(format!("{:#}", anyhow::Error::from(error)).contains("lissten"));
    }
}

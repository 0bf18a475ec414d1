//! The configuration: `server.toml`, made by `init`, checked by `check-config`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

use crate::sessions::quota::{DEFAULT_QUOTA_BYTES, LEAST_QUOTA_BYTES};

/// Between two notices of the same critical fault, unless the file says otherwise.
const REPEAT_MINUTES: u32 = 5;
/// How long a question waits for its vector, unless the file says otherwise.
const WITHIN_MS: u32 = 30;
const WITHIN: Duration = Duration::from_millis(WITHIN_MS as u64);
/// Texts of one request to an embeddings endpoint, unless the file says otherwise.
const ENDPOINT_BATCH: u32 = 32;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}")]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{path}: `names` is empty: name the hosts by which agents and browsers reach this server")]
    NoNames { path: PathBuf },
    #[error("{path}: `{key}` is {value:?}: {wanted}")]
    Bad { path: PathBuf, key: &'static str, value: String, wanted: &'static str },
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
    recording_quota_bytes: Option<u64>,
    mail: Option<MailConfig>,
    #[serde(default)]
    notices: NoticesConfig,
    #[serde(default)]
    semantics: SemanticsConfig,
    oidc: Option<crate::people::oidc::config::OidcConfig>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SemanticsConfig {
    within_ms: Option<u32>,
    endpoint: Option<String>,
    model: Option<String>,
    key_file: Option<PathBuf>,
    batch: Option<u32>,
    question_prefix: String,
    passage_prefix: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NoticesConfig {
    networks: Vec<String>,
    repeat_minutes: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MailConfig {
    relay: String,
    from: String,
    #[serde(default)]
    tls: MailTls,
}

/// How mail goes to its relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// In the clear: for a relay on the same machine or network.
    #[default]
    None,
    /// Begun with STARTTLS, or not at all.
    Starttls,
    /// From the first byte.
    Tls,
}

/// Where e-mail is handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    pub from: String,
}

impl Mail {
    fn of(config: MailConfig, path: &Path) -> Result<Self, ConfigError> {
        let bad = |key, value: &str, wanted| ConfigError::Bad { path: path.to_owned(), key, value: value.to_owned(), wanted };
        let relay = config.relay.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        let Some((host, port)) = relay.filter(|(host, port)| !host.is_empty() && *port > 0) else {
            return Err(bad("mail.relay", &config.relay, "expected HOST:PORT, like \"localhost:25\""));
        };
        if config.from.parse::<lettre::message::Mailbox>().is_err() {
            return Err(bad("mail.from", &config.from, "expected an e-mail address, like \"lineman@support.example.net\""));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port, tls: config.tls, from: config.from })
    }
}

/// How notices go out.
#[derive(Clone, Debug)]
pub struct Notices {
    /// Private networks that webhooks may lead to.
    pub networks: Networks,
    /// What is critical and taken on by nobody is told again after so long.
    pub repeat_every: SignedDuration,
}

impl Notices {
    fn of(config: NoticesConfig, path: &Path) -> Result<Self, ConfigError> {
        let bad = |key, value: String, wanted| ConfigError::Bad { path: path.to_owned(), key, value, wanted };
        let read = |text: &String| text.parse::<Network>().map_err(|BadNetwork| text.clone());
        let networks = config.networks.iter().map(read).collect::<Result<_, _>>();
        let networks =
            networks.map_err(|text| bad("notices.networks", text, "expected networks like \"10.20.0.0/16\" or \"fd12::/48\""))?;
        let minutes = config.repeat_minutes.unwrap_or(REPEAT_MINUTES);
        if !(1..=1440).contains(&minutes) {
            return Err(bad("notices.repeat_minutes", minutes.to_string(), "expected 1 to 1440"));
        }
        Ok(Self { networks: Networks(networks), repeat_every: SignedDuration::from_mins(minutes.into()) })
    }
}

/// How texts get their vectors, for search by meaning.
#[derive(Clone, Debug)]
pub struct Semantics {
    /// A question waits no longer for its vector.
    pub within: Duration,
    /// Without one, the model that is installed on this machine is used, if there is one.
    pub endpoint: Option<EmbeddingsEndpoint>,
}

/// Where an embeddings endpoint is, as OpenAI's clients have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingsEndpoint {
    /// Without a slash at its end: `/embeddings` follows.
    pub url: String,
    pub model: String,
    /// A file with the key; none is sent without it.
    pub key_file: Option<PathBuf>,
    /// Texts of one request.
    pub batch: u32,
    /// What its model wants before a question, and before a text that is searched.
    pub question_prefix: String,
    pub passage_prefix: String,
}

impl Default for Semantics {
    fn default() -> Self {
        Self { within: WITHIN, endpoint: None }
    }
}

impl Semantics {
    fn of(config: SemanticsConfig, path: &Path, dir: &Path) -> Result<Self, ConfigError> {
        let bad = |key, value: String, wanted| ConfigError::Bad { path: path.to_owned(), key, value, wanted };
        let within_ms = config.within_ms.unwrap_or(WITHIN_MS);
        if !(1..=10_000).contains(&within_ms) {
            return Err(bad("semantics.within_ms", within_ms.to_string(), "expected 1 to 10000"));
        }
        let within = Duration::from_millis(within_ms.into());
        let Some(url) = config.endpoint else {
            let of_endpoints = [("semantics.model", config.model.is_some()), ("semantics.key_file", config.key_file.is_some())];
            return match of_endpoints.iter().find(|(_, is_there)| *is_there) {
                Some((key, _)) => Err(bad(key, String::new(), "it belongs to an `endpoint`, and there is none")),
                None => Ok(Self { within, endpoint: None }),
            };
        };
        let is_web = reqwest::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_web {
            return Err(bad("semantics.endpoint", url, "expected an address like \"https://embeddings.example.net/v1\""));
        }
        let Some(model) = config.model.filter(|model| !model.trim().is_empty()) else {
            return Err(bad("semantics.model", String::new(), "an endpoint needs the name of the model to ask for"));
        };
        let batch = config.batch.unwrap_or(ENDPOINT_BATCH);
        if !(1..=256).contains(&batch) {
            return Err(bad("semantics.batch", batch.to_string(), "expected 1 to 256"));
        }
        let endpoint = EmbeddingsEndpoint {
            url: url.trim_end_matches('/').to_owned(),
            model,
            key_file: config.key_file.map(|file| dir.join(file)),
            batch,
            question_prefix: config.question_prefix,
            passage_prefix: config.passage_prefix,
        };
        Ok(Self { within, endpoint: Some(endpoint) })
    }
}

/// Networks that the administrator named.
#[derive(Clone, Debug, Default)]
pub struct Networks(Vec<Network>);

impl Networks {
    pub fn contain(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(ip))
    }
}

#[derive(Clone, Copy, Debug)]
struct Network {
    first: IpAddr,
    bits: u32,
}

#[derive(Debug)]
pub struct BadNetwork;

impl Network {
    fn contains(&self, ip: IpAddr) -> bool {
        match (self.first, ip) {
            (IpAddr::V4(first), IpAddr::V4(ip)) => (first.to_bits() ^ ip.to_bits()).leading_zeros() >= self.bits,
            (IpAddr::V6(first), IpAddr::V6(ip)) => (first.to_bits() ^ ip.to_bits()).leading_zeros() >= self.bits,
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (first, bits) = text.split_once('/').ok_or(BadNetwork)?;
        let (first, bits): (IpAddr, u32) = (first.parse().map_err(|_| BadNetwork)?, bits.parse().map_err(|_| BadNetwork)?);
        if bits > if first.is_ipv4() { 32 } else { 128 } { Err(BadNetwork) } else { Ok(Self { first, bits }) }
    }
}

#[cfg(test)]
impl FromStr for Networks {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
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
    /// What the recordings of a customer may take, unless it has a quota of its own.
    pub recording_quota_bytes: u64,
    /// Without it, notices go to webhooks only.
    pub mail: Option<Mail>,
    pub notices: Notices,
    pub semantics: Semantics,
    /// Without it, people sign in with a password of their own.
    pub oidc: Option<crate::people::oidc::config::OidcSettings>,
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
        if let Some(name) = config.names.iter().find(|name| !is_host(name)) {
            let wanted = "expected a host name or an address, without port or brackets, like \"support.example.net\" or \"2001:db8::1\"";
            return Err(ConfigError::Bad { path, key: "names", value: name.clone(), wanted });
        }
        let recording_quota_bytes = config.recording_quota_bytes.unwrap_or(DEFAULT_QUOTA_BYTES);
        if recording_quota_bytes < LEAST_QUOTA_BYTES {
            let (key, value) = ("recording_quota_bytes", recording_quota_bytes.to_string());
            return Err(ConfigError::Bad { path, key, value, wanted: "at least 2097152 (2 MiB)" });
        }
        let mail = config.mail.map(|mail| Mail::of(mail, &path)).transpose()?;
        let notices = Notices::of(config.notices, &path)?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let semantics = Semantics::of(config.semantics, &path, &dir)?;
        let bad = |(key, value, wanted)| ConfigError::Bad { path: path.clone(), key, value, wanted };
        let oidc = config.oidc.map(|oidc| oidc.checked(&dir)).transpose().map_err(bad)?;
        Ok(Self {
            listen: config.listen,
            jump: config.jump,
            names: config.names,
            demo: config.demo,
            recording_quota_bytes,
            mail,
            notices,
            semantics,
            oidc,
            dir,
        })
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

/// What a certificate and an enrolment token can carry.
fn is_host(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.parse::<IpAddr>().is_ok() || (!name.is_empty() && name.chars().all(plain))
}

/// The file that `init` writes.
pub fn template(listen: SocketAddr, jump: SocketAddr, names: &[String], demo: bool) -> String {
    let names = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let mut text = include_str!("server.example.toml")
        .replace("\"0.0.0.0:7443\"", &format!("{:?}", listen.to_string()))
        .replace("\"0.0.0.0:2222\"", &format!("{:?}", jump.to_string()))
        .replace("[\"support.example.net\"]", &format!("[{names}]"));
    if demo {
        // At the top: what follows a table's head would belong to that table.
        text.insert_str(0, "# Everything in here is demonstration data.\ndemo = true\n\n");
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

    #[test]
    fn mail_and_room_are_checked() {
        let parse = |more: &str| {
            let text = format!("listen = \"0.0.0.0:1\"\njump = \"0.0.0.0:2\"\nnames = [\"x\"]\n{more}");
            Settings::parse(&text, PathBuf::from("/srv/server.toml")).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        };
        let settings = parse("[mail]\nrelay = \"[::1]:25\"\nfrom = \"Lineman <lineman@support.example.net>\"\ntls = \"starttls\"").unwrap();
        let mail = settings.mail.unwrap();
        assert_eq!((mail.host.as_str(), mail.port, mail.tls), ("::1", 25, MailTls::Starttls));
        assert_eq!(settings.recording_quota_bytes, 100 << 30);
        assert_eq!(parse("recording_quota_bytes = 5000000").unwrap().recording_quota_bytes, 5_000_000);
        let notices = parse("[notices]\nnetworks = [\"10.20.0.0/15\", \"fd12::/48\", \"0.0.0.0/0\"]\nrepeat_minutes = 7").unwrap().notices;
        assert!(notices.networks.contain("10.21.255.1".parse().unwrap()) && notices.networks.contain("fd12::9".parse().unwrap()));
        assert!(!notices.networks.contain("fd12:0:1::9".parse().unwrap()));
        assert_eq!(notices.repeat_every, SignedDuration::from_mins(7));
        for (text, says) in [
            ("[mail]\nrelay = \"localhost\"\nfrom = \"a@b.example\"", "HOST:PORT"),
            ("[mail]\nrelay = \"localhost:25\"\nfrom = \"nobody\"", "mail.from"),
            ("[mail]\nrelay = \"localhost:25\"\nfrom = \"a@b.example\\r\\nBcc: c@d.example\"", "mail.from"),
            ("[mail]\nrelay = \"localhost:25\"\nfrom = \"a@b.example\"\ntls = \"yes\"", "starttls"),
            ("recording_quota_bytes = 5", "2 MiB"),
            ("[notices]\nnetworks = [\"10.0.0.0\"]", "10.20.0.0/16"),
            ("[notices]\nnetworks = [\"10.0.0.0/33\"]", "10.20.0.0/16"),
            ("[notices]\nrepeat_minutes = 0", "1 to 1440"),
            ("[notices]\nrepeat = 5", "repeat"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn semantics_are_checked() {
        let parse = |more: &str| {
            let text = format!("listen = \"0.0.0.0:1\"\njump = \"0.0.0.0:2\"\nnames = [\"x\"]\n{more}");
            let settings = Settings::parse(&text, PathBuf::from("/srv/server.toml"));
            settings.map(|settings| settings.semantics).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        };
        let without = parse("").unwrap();
        assert!(without.endpoint.is_none() && without.within == Duration::from_millis(30));
        let text = "[semantics]\nwithin_ms = 200\nendpoint = \"http://[::1]:8000/v1/\"\nmodel = \"m\"\nkey_file = \"key\"\nquestion_prefix = \"q: \"";
        let with = parse(text).unwrap();
        let endpoint = with.endpoint.unwrap();
        assert_eq!((endpoint.url.as_str(), endpoint.batch, with.within), ("http://[::1]:8000/v1", 32, Duration::from_millis(200)));
        assert_eq!(endpoint.key_file, Some(PathBuf::from("/srv/key")));
        for (text, says) in [
            ("within_ms = 0", "1 to 10000"),
            ("endpoint = \"embeddings.example.net\"\nmodel = \"m\"", "https://embeddings.example.net/v1"),
            ("endpoint = \"https://embeddings.example.net\"", "name of the model"),
            ("endpoint = \"https://embeddings.example.net\"\nmodel = \"m\"\nbatch = 0", "1 to 256"),
            ("model = \"m\"", "belongs to an `endpoint`"),
            ("key = \"sk-1\"", "key"),
        ] {
            let error = parse(&format!("[semantics]\n{text}")).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn names_are_what_a_certificate_can_carry() {
        let parse = |name: &str| {
            let text = format!("listen = \"[::]:7443\"\njump = \"[::]:2222\"\nnames = [\"localhost\", \"{name}\"]\n");
            Settings::parse(&text, PathBuf::from("/srv/server.toml")).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        };
        for name in ["support.example.net", "192.0.2.1", "2001:db8::1", "::1"] {
            assert_eq!(parse(name).unwrap().names[1], name);
        }
        for name in ["[::1]", "support.example.net:7443", "https://support.example.net", "", "a b"] {
            let error = parse(name).unwrap_err();
            assert!(error.contains("without port or brackets"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_server_on_the_unspecified_ipv6_address_takes_both_families() {
        let listener = tokio::net::TcpListener::bind("[::]:0".parse::<SocketAddr>().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for address in ["127.0.0.1", "::1"] {
            let (dialled, accepted) = tokio::join!(tokio::net::TcpStream::connect((address, port)), listener.accept());
            assert!(dialled.is_ok() && accepted.is_ok(), "{address}");
        }
    }
}

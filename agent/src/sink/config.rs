//! `[sink]` of the local file: where the journal goes besides the disk. Only the owner of the device writes it.

use std::fmt;
use std::path::{Path, PathBuf};

use hyper::Uri;
use lineman_common::printable::escape;
use lineman_common::session::is_loopback;
use serde::Deserialize;

const SENDMAIL: &str = "/usr/sbin/sendmail";

/// As it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SinkConfig {
    syslog: Option<String>,
    webhook: Option<String>,
    webhook_token_file: Option<PathBuf>,
    webhook_ca: Option<PathBuf>,
    mail: Option<MailConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MailConfig {
    to: String,
    from: String,
    sendmail: Option<PathBuf>,
}

/// What it comes to. Without any, the journal stays on the device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub syslog: Option<Syslog>,
    pub webhook: Option<Webhook>,
    pub mail: Option<Mail>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syslog {
    Udp { host: String, port: u16 },
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// As it is written.
    pub url: String,
    pub host: String,
    pub port: u16,
    /// With the query.
    pub path: String,
    /// The authorities that count, for `https`.
    pub ca: Option<PathBuf>,
    /// Holds a bearer token; read at each delivery.
    pub token_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub from: String,
    pub sendmail: PathBuf,
}

impl SinkConfig {
    pub fn settings(self) -> Result<Settings, String> {
        let Self { syslog, webhook, webhook_token_file, webhook_ca, mail } = self;
        if webhook.is_none() && (webhook_token_file.is_some() || webhook_ca.is_some()) {
            return Err("sink.webhook_token_file and sink.webhook_ca mean nothing without sink.webhook".into());
        }
        Ok(Settings {
            syslog: syslog.map(|text| Syslog::parse(&text)).transpose()?,
            webhook: webhook.map(|url| Webhook::new(url, webhook_ca, webhook_token_file)).transpose()?,
            mail: mail.map(Mail::new).transpose()?,
        })
    }
}

impl Syslog {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            let shown = escape(text);
            format!("sink.syslog is `{shown}`: expected udp://HOST:514, tcp://HOST:601 or unix:/dev/log")
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(wrong()) };
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (host, port) = host_and_port(rest).ok_or_else(wrong)?;
        match scheme {
            "udp" => Ok(Self::Udp { host, port }),
            "tcp" => Ok(Self::Tcp { host, port }),
            _ => Err(wrong()),
        }
    }
}

/// `name:514`, `192.0.2.1:514`, `[2001:db8::1]:514`.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let sound = match bare {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')),
    };
    sound.then(|| (bare.unwrap_or(host).to_owned(), port))
}

impl Webhook {
    fn new(url: String, ca: Option<PathBuf>, token_file: Option<PathBuf>) -> Result<Self, String> {
        let wrong = |why: &str| format!("sink.webhook is `{}`: {why}", escape(&url));
        let uri: Uri = url.parse().map_err(|_| wrong("expected a URL like https://HOST/PATH"))?;
        let authority = uri.authority().ok_or_else(|| wrong("expected a URL like https://HOST/PATH"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it must not hold a name or password: put a token into sink.webhook_token_file"));
        }
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(wrong("expected https:// or http://")),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        match (tls, &ca) {
            (true, None) => {
                let example = "webhook_ca = \"/etc/ssl/certs/ca-certificates.crt\"";
                return Err(wrong(&format!("the agent carries no root certificates: name a PEM file of those that count, {example}")));
            }
            (false, Some(_)) => return Err(wrong("sink.webhook_ca is for https://")),
            (true, Some(_)) | (false, None) => {}
        }
        if !tls && token_file.is_some() && !is_loopback(&host) {
            return Err(wrong("a token would travel for everybody to read: use https://"));
        }
        for (name, file) in [("webhook_ca", &ca), ("webhook_token_file", &token_file)] {
            absolute(name, file.as_deref())?;
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { url, host, port, path, ca, token_file })
    }

    pub const fn tls(&self) -> bool {
        self.ca.is_some()
    }
}

impl Mail {
    fn new(config: MailConfig) -> Result<Self, String> {
        let MailConfig { to, from, sendmail } = config;
        for (name, address) in [("to", &to), ("from", &from)] {
            if !is_address(address) {
                return Err(format!("sink.mail.{name} is `{}`: expected one address, like noc@carrier.example", escape(address)));
            }
        }
        absolute("mail.sendmail", sendmail.as_deref())?;
        Ok(Self { to, from, sendmail: sendmail.unwrap_or_else(|| SENDMAIL.into()) })
    }
}

/// One plain address: nothing that a mail program could take for an option, a second header or a list.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let Some((name, domain)) = text.split_once('@') else { return false };
    let domain_ok = !domain.is_empty() && domain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    text.len() <= 254 && !name.is_empty() && !name.starts_with('-') && name.chars().all(plain) && domain_ok
}

fn absolute(name: &str, path: Option<&Path>) -> Result<(), String> {
    match path {
        Some(path) if !path.is_absolute() => {
            Err(format!("sink.{name} is `{}`: it must be an absolute path", escape(&path.to_string_lossy())))
        }
        Some(_) | None => Ok(()),
    }
}

impl fmt::Display for Syslog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Udp { host, port } => ("udp", host, port),
            Self::Tcp { host, port } => ("tcp", host, port),
            Self::Unix(path) => return write!(f, "unix:{}", path.display()),
        };
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        toml::from_str::<SinkConfig>(text).map_err(|e| e.to_string())?.settings()
    }

    #[test]
    fn what_is_right_is_read() {
        let settings = parse(
            "syslog = 'tcp://[2001:db8::1]:601'\nwebhook = 'https://hooks.carrier.example/lineman?key=1'\nwebhook_ca = '/etc/ca.pem'\n\
             webhook_token_file = '/etc/token'\nmail = { to = 'noc@carrier.example', from = 'ne+1@carrier.example' }",
        );
        let Settings { syslog: Some(syslog), webhook: Some(webhook), mail: Some(mail) } = settings.unwrap() else { panic!() };
        assert_eq!(syslog, Syslog::Tcp { host: "2001:db8::1".into(), port: 601 });
        assert_eq!(syslog.to_string(), "tcp://[2001:db8::1]:601");
        assert_eq!((webhook.host.as_str(), webhook.port, webhook.path.as_str()), ("hooks.carrier.example", 443, "/lineman?key=1"));
        assert_eq!(mail.sendmail, Path::new("/usr/sbin/sendmail"));
        for good in ["udp://log.carrier.example:514", "tcp://192.0.2.7:601", "unix:/dev/log"] {
            assert_eq!(parse(&format!("syslog = '{good}'")).unwrap().syslog.unwrap().to_string(), good);
        }
        assert_eq!(parse("").unwrap(), Settings::default());
        let local = parse("webhook = 'http://[::1]:8080'\nwebhook_token_file = '/t'").unwrap().webhook.unwrap();
        assert_eq!((local.host.as_str(), local.port, local.path.as_str(), local.tls()), ("::1", 8080, "/", false));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("syslog = 'log:514'", "expected udp://HOST:514"),
            ("syslog = 'udp://log'", "expected udp://HOST:514"),
            ("syslog = 'udp://log:0'", "expected udp://HOST:514"),
            ("syslog = 'udp://a b:514'", "expected udp://HOST:514"),
            ("syslog = 'tls://log:6514'", "expected udp://HOST:514"),
            ("syslog = 'unix:log'", "expected udp://HOST:514"),
            ("webhook = 'https://h/'", "the agent carries no root certificates"),
            ("webhook = 'ftp://h/'", "expected https:// or http://"),
            ("webhook = '/x'", "expected a URL like https://HOST/PATH"),
            ("webhook = 'http://h/'\nwebhook_ca = '/x'", "sink.webhook_ca is for https://"),
            ("webhook = 'http://h/'\nwebhook_token_file = '/x'", "a token would travel for everybody to read"),
            ("webhook = 'http://u:p@h/'", "must not hold a name or password"),
            ("webhook = 'https://h/'\nwebhook_ca = 'x'", "sink.webhook_ca is `x`: it must be an absolute path"),
            ("webhook_ca = '/x'", "mean nothing without sink.webhook"),
            ("mail = { to = 'noc', from = 'a@b' }", "sink.mail.to is `noc`: expected one address"),
            ("mail = { to = 'a@b\\nBcc: c@d', from = 'a@b' }", "sink.mail.to"),
            ("mail = { to = 'a@b', from = '-oQ/tmp@b' }", "sink.mail.from is `-oQ/tmp@b`"),
            ("mail = { to = 'a@b,c@d', from = 'a@b' }", "expected one address"),
            ("mail = { to = 'a@b', from = 'a@b', sendmail = 'sendmail' }", "must be an absolute path"),
            ("smtp = 'x'", "unknown field `smtp`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}\nshould say\n{expected}");
        }
    }
}

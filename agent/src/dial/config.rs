//! `[link]` of agent.toml: how the centre is reached.

use std::fmt;
use std::path::PathBuf;

use hyper::Uri;
use lineman_common::printable::escape;
use serde::Deserialize;

use crate::identity::ServerAddress;

/// As written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkConfig {
    pub proxy: Option<String>,
    pub proxy_user: Option<String>,
    pub proxy_password_file: Option<PathBuf>,
    pub leg_tls: Option<bool>,
}

/// As used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub proxy: Option<Proxy>,
    /// Session legs inside TLS. What runs on them is SSH either way: this is for networks that let nothing else through.
    pub leg_tls: bool,
}

/// An HTTP proxy that is asked to CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    pub address: ServerAddress,
    pub login: Option<Login>,
}

/// For `Proxy-Authorization: Basic`. The password itself is read from its file at each dial: a new one counts at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password_file: PathBuf,
}

impl LinkConfig {
    pub fn settings(self) -> Result<Settings, String> {
        let Self { proxy, proxy_user, proxy_password_file, leg_tls } = self;
        let Some(url) = proxy else {
            if proxy_user.is_some() || proxy_password_file.is_some() {
                return Err("link.proxy_user and link.proxy_password_file mean nothing without link.proxy".into());
            }
            return Ok(Settings { proxy: None, leg_tls: leg_tls.unwrap_or(false) });
        };
        let login = match (proxy_user, proxy_password_file) {
            (None, None) => None,
            (Some(user), Some(password_file)) => Some(Login::new(user, password_file)?),
            (Some(_), None) => return Err("link.proxy_user needs link.proxy_password_file: the file with its password".into()),
            (None, Some(_)) => return Err("link.proxy_password_file needs link.proxy_user: whose password it is".into()),
        };
        Ok(Settings { proxy: Some(Proxy { address: address(&url)?, login }), leg_tls: leg_tls.unwrap_or(true) })
    }
}

/// Of a proxy's URL. Nothing of a password that stands in it is repeated.
fn address(url: &str) -> Result<ServerAddress, String> {
    const RIGHT: &str = "expected one like http://proxy.example:3128";
    if url.contains('@') {
        return Err("link.proxy must not hold a name or password, which everybody could read: write link.proxy_user, and put the \
                    password into a file of mode 0600, named by link.proxy_password_file"
            .into());
    }
    let wrong = |why: &str| format!("link.proxy is `{}`: {why}", escape(url));
    let uri: Uri = url.parse().map_err(|_| wrong(RIGHT))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(wrong("TLS to the proxy itself is not spoken; what goes through it is TLS. Write http://")),
        Some(other) if other.starts_with("socks") => return Err(wrong("SOCKS is not spoken, only HTTP CONNECT: http://HOST:PORT")),
        Some(_) | None => return Err(wrong(RIGHT)),
    }
    let authority = uri.authority().ok_or_else(|| wrong(RIGHT))?;
    if authority.port_u16().is_none() {
        return Err(wrong("name its port, as in http://proxy.example:3128"));
    }
    if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
        return Err(wrong("a proxy has no path: expected one like http://proxy.example:3128"));
    }
    authority.as_str().parse().map_err(|_| wrong(RIGHT))
}

impl Login {
    fn new(user: String, password_file: PathBuf) -> Result<Self, String> {
        if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
            return Err(format!("link.proxy_user is `{}`: expected a name without a colon", escape(&user)));
        }
        if !password_file.is_absolute() {
            let shown = escape(&password_file.to_string_lossy());
            return Err(format!("link.proxy_password_file is `{shown}`: it must be an absolute path"));
        }
        Ok(Self { user, password_file })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        toml::from_str::<LinkConfig>(text).map_err(|e| e.to_string())?.settings()
    }

    #[test]
    fn legs_are_inside_tls_where_there_is_a_proxy_unless_it_is_said_otherwise() {
        assert_eq!(parse("").unwrap(), Settings { proxy: None, leg_tls: false });
        assert!(parse("leg_tls = true").unwrap().leg_tls);
        let settings = parse("proxy = 'http://proxy.example:3128'").unwrap();
        let proxy = settings.proxy.unwrap();
        assert_eq!((proxy.to_string().as_str(), &proxy.login, settings.leg_tls), ("http://proxy.example:3128", &None, true));
        assert!(!parse("proxy = 'http://[2001:db8::1]:3128/'\nleg_tls = false").unwrap().leg_tls);
        let login = parse("proxy = 'http://p:1'\nproxy_user = 'ne-17'\nproxy_password_file = '/etc/p'").unwrap().proxy.unwrap().login;
        assert_eq!(login, Some(Login { user: "ne-17".into(), password_file: "/etc/p".into() }));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("proxy = 'proxy:3128'", "expected one like http://proxy.example:3128"),
            ("proxy = 'http://proxy'", "name its port"),
            ("proxy = 'https://proxy:3128'", "TLS to the proxy itself is not spoken"),
            ("proxy = 'socks5://proxy:1080'", "SOCKS is not spoken"),
            ("proxy = 'ftp://proxy:21'", "expected one like"),
            ("proxy = 'http://proxy:3128/x'", "a proxy has no path"),
            ("proxy = 'http://pro_xy$:3128'", "expected one like"),
            ("proxy = 'http://:3128'", "expected one like"),
            ("proxy = 'http://u:secret@proxy:3128'", "link.proxy_password_file"),
            ("proxy_user = 'u'", "mean nothing without link.proxy"),
            ("proxy = 'http://p:1'\nproxy_user = 'u'", "link.proxy_user needs link.proxy_password_file"),
            ("proxy = 'http://p:1'\nproxy_password_file = '/x'", "link.proxy_password_file needs link.proxy_user"),
            ("proxy = 'http://p:1'\nproxy_user = 'u:v'\nproxy_password_file = '/x'", "link.proxy_user is `u:v`"),
            (
                "proxy = 'http://p:1'\nproxy_user = 'u'\nproxy_password_file = 'x'",
                "link.proxy_password_file is `x`: it must be an absolute",
            ),
            ("proxies = 'x'", "unknown field `proxies`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected) && !error.contains("secret"), "{error}\nshould say\n{expected}");
        }
    }
}

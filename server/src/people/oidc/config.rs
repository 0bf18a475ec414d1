//! `[oidc]` in `server.toml`.

use std::path::{Path, PathBuf};

use lineman_common::name::CustomerCode;
use lineman_common::people::Role;
use reqwest::Url;
use serde::Deserialize;

const SCOPES: [&str; 3] = ["openid", "profile", "email"];

/// As written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    name: String,
    issuer: String,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    url: Option<String>,
    scopes: Option<Vec<String>>,
    username_claim: Option<String>,
    groups_claim: Option<String>,
    #[serde(default)]
    adopt: bool,
    groups: Vec<GroupConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupConfig {
    group: String,
    role: Role,
    customer: Option<CustomerCode>,
}

/// As used.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// For people: it stands on the button.
    pub name: String,
    /// Exactly as the provider writes it.
    pub issuer: String,
    pub client_id: String,
    pub client_secret_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    /// How browsers reach this server, without a slash at the end, when its own name and port don't say it.
    pub url: Option<String>,
    pub scopes: String,
    pub username_claim: String,
    pub groups_claim: String,
    /// A person who exists under the same name is taken for the same person.
    pub adopt: bool,
    /// The first that fits decides.
    pub mapping: Vec<Mapping>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub group: String,
    pub role: Role,
    pub customer: Option<CustomerCode>,
}

/// A setting, its value, and what was wanted.
pub type Wrong = (&'static str, String, &'static str);

impl OidcConfig {
    pub fn checked(self, dir: &Path) -> Result<OidcSettings, Wrong> {
        if self.name.trim().is_empty() || self.name.chars().count() > 40 {
            return Err(("oidc.name", self.name, "expected what the button says, like \"Example SSO\", of at most 40 characters"));
        }
        let is_issuer = Url::parse(&self.issuer).is_ok_and(|url| is_safe(&url) && url.query().is_none() && url.fragment().is_none());
        if !is_issuer {
            let wanted =
                "expected the provider's https address, exactly as its discovery document writes it (http only on this machine itself)";
            return Err(("oidc.issuer", self.issuer, wanted));
        }
        if self.client_id.trim().is_empty() {
            return Err(("oidc.client_id", self.client_id, "expected what the provider calls this server"));
        }
        let url = self.url.map(|url| url.trim_end_matches('/').to_owned());
        if let Some(url) = &url
            && !Url::parse(url).is_ok_and(|parsed| parsed.scheme() == "https" && parsed.path() == "/" && parsed.query().is_none())
        {
            return Err(("oidc.url", url.clone(), "expected an address like \"https://support.example.net\", without a path"));
        }
        let mut scopes = self.scopes.unwrap_or_else(|| SCOPES.map(str::to_owned).to_vec());
        if let Some(bad) = scopes.iter().find(|scope| scope.is_empty() || scope.contains(char::is_whitespace)) {
            return Err(("oidc.scopes", bad.clone(), "expected a scope, without spaces"));
        }
        if !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".into());
        }
        let mapping: Vec<_> =
            self.groups.into_iter().map(|GroupConfig { group, role, customer }| Mapping { group, role, customer }).collect();
        if mapping.is_empty() {
            return Err(("oidc.groups", String::new(), "without a group that gives a role nobody gets in: add [[oidc.groups]]"));
        }
        for Mapping { group, role, customer } in &mapping {
            if role.is_carrier() && customer.is_none() {
                return Err(("oidc.groups", group.clone(), "its role belongs to a carrier: name the `customer`"));
            }
            if customer.is_some() && !role.is_carrier() && *role != Role::Auditor {
                return Err(("oidc.groups", group.clone(), "its role belongs to the support centre: leave the `customer` away"));
            }
        }
        Ok(OidcSettings {
            name: self.name,
            issuer: self.issuer,
            client_id: self.client_id,
            client_secret_file: self.client_secret_file.map(|file| dir.join(file)),
            ca_file: self.ca_file.map(|file| dir.join(file)),
            url,
            scopes: scopes.join(" "),
            username_claim: self.username_claim.unwrap_or_else(|| "preferred_username".into()),
            groups_claim: self.groups_claim.unwrap_or_else(|| "groups".into()),
            adopt: self.adopt,
            mapping,
        })
    }
}

/// Over TLS, or not beyond this machine.
pub fn is_safe(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(url),
        _ => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    // An address, never a name: somebody else may decide where `localhost.example` leads.
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "Example SSO"
        issuer = "https://login.example.net/realms/support"
        client_id = "lineman"
        groups = [{ group = "admins", role = "admin" }, { group = "jw", role = "noc", customer = "JW" }]
    "#;

    pub fn read(more: &str) -> Result<OidcSettings, String> {
        let mut table: toml::Table = toml::from_str(GOOD).unwrap();
        table.extend(toml::from_str::<toml::Table>(more).unwrap());
        let config: OidcConfig = table.try_into().map_err(|error: toml::de::Error| error.to_string())?;
        config.checked(Path::new("/srv/lineman")).map_err(|(key, value, wanted)| format!("{key} {value:?}: {wanted}"))
    }

    #[test]
    fn what_is_written_is_checked() {
        let good = read("client_secret_file = \"secret\"\nscopes = [\"groups\"]\nurl = \"https://support.example.net/\"").unwrap();
        assert_eq!(good.client_secret_file.as_deref(), Some(Path::new("/srv/lineman/secret")));
        assert_eq!((good.scopes.as_str(), good.url.as_deref()), ("openid groups", Some("https://support.example.net")));
        assert_eq!(good.mapping[1], Mapping { group: "jw".into(), role: Role::Noc, customer: "JW".parse().ok() });
        for good in ["http://127.0.0.1:4000", "http://[::1]:4000", "http://localhost:4000/x", "https://login.example.net/"] {
            read(&format!("issuer = {good:?}")).unwrap();
        }
        for (text, says) in [
            ("issuer = \"http://login.example.net\"", "https"),
            ("issuer = \"http://127.0.0.1.example.net\"", "https"),
            ("issuer = \"http://localhost.example.net\"", "https"),
            ("issuer = \"login.example.net\"", "https"),
            ("issuer = \"https://login.example.net/?a=b\"", "exactly"),
            ("issuer = \"file:///etc/passwd\"", "https"),
            ("client_id = \" \"", "oidc.client_id"),
            ("name = \"\"", "button"),
            ("url = \"http://support.example.net\"", "without a path"),
            ("url = \"https://support.example.net/console\"", "without a path"),
            ("scopes = [\"openid email\"]", "without spaces"),
            ("groups = []", "nobody gets in"),
            ("groups = [{ group = \"x\", role = \"noc\" }]", "belongs to a carrier"),
            ("groups = [{ group = \"x\", role = \"engineer\", customer = \"JW\" }]", "support centre"),
            ("groups = [{ group = \"x\", role = \"king\" }]", "expected one of"),
            ("client_secret = \"s\"", "client_secret"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}

//! Who this device is and whom it believes: the files that its enrolment left in the state directory.
//!
//! | file | holds |
//! |---|---|
//! | `device` | its name, like `ne-17.jw.ne` |
//! | `host_key` | the SSH host key, which also signs recordings |
//! | `link.key`, `link.pem` | the key and certificate of the link |
//! | `ca.pem`, `server` | the centre's authority, and where the centre is |
//! | `signers`, `vendor-root` | the two pinned lists: the carrier's signers, and the vendor root that signs rosters |
//! | `device-statement` | the text that the carrier's technician signs, elsewhere |
//!
//! Nothing that comes over the link changes any of them, but one: `signers` is replaced by a newer list that its own `signers@lineman`
//! keys signed (`consents::lists`), whoever brought it.

use std::io;
use std::path::{Path, PathBuf};

use lineman_common::name::NeName;
use lineman_common::statement::{CarrierSigners, Refused, SignerList, device, sig};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use ssh_key::PrivateKey;

use crate::durable;

pub const DEVICE: &str = "device";
pub const HOST_KEY: &str = "host_key";
pub const LINK_KEY: &str = "link.key";
pub const LINK_CERTIFICATE: &str = "link.pem";
pub const CA: &str = "ca.pem";
pub const SERVER: &str = "server";
pub const SIGNERS: &str = "signers";
pub const VENDOR_ROOT: &str = "vendor-root";
pub const STATEMENT: &str = "device-statement";

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{} does not exist: enrol this device first (lineman-agent enrol --help)", .0.display())]
    NotEnrolled(PathBuf),
    #[error("reading {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {why}", path.display())]
    Broken { path: PathBuf, why: String },
    #[error("{}: {source}", path.display())]
    List { path: PathBuf, source: Refused },
}

/// Where the centre is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    pub host: String,
    pub port: u16,
}

impl ServerAddress {
    /// Name or address as the certificate must carry it.
    pub fn name(&self) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
        ServerName::try_from(self.host.clone())
    }
}

impl std::fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

impl std::str::FromStr for ServerAddress {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let shown = || lineman_common::printable::escape(text);
        let wrong = || format!("`{}` is not an address like centre.example:7443 or [2001:db8::1]:7443", shown());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port: &u16| *port != 0 && port.to_string() == text[host.len() + 1..]).ok_or_else(wrong)?;
        let bare = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) if v6.parse::<std::net::Ipv6Addr>().is_ok() => v6,
            Some(_) => return Err(wrong()),
            // Where would such an address end, and its port begin?
            None if host.contains(':') => {
                return Err(format!("`{}`: an IPv6 address stands in brackets, as in [2001:db8::1]:7443", shown()));
            }
            None => host,
        };
        // It is written into requests, and shown.
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if bare.is_empty() || !bare.chars().all(sound) {
            return Err(wrong());
        }
        Ok(Self { host: bare.to_owned(), port })
    }
}

pub struct Identity {
    pub dir: PathBuf,
    pub device: NeName,
    pub host_key: PrivateKey,
    /// `SHA256:...` of the host key.
    pub host_key_fingerprint: String,
    pub server: ServerAddress,
    /// As they were at the start; those in force are `Consents`' to know.
    pub signers: CarrierSigners,
    pub vendor_root: SignerList,
    pub ca: Vec<CertificateDer<'static>>,
    pub link_certificate: Vec<CertificateDer<'static>>,
    pub link_key: PrivateKeyDer<'static>,
}

impl Identity {
    pub fn load(dir: &Path) -> Result<Self, IdentityError> {
        let device: NeName = parsed(dir, DEVICE)?;
        let host_key = PrivateKey::from_openssh(text(dir, HOST_KEY)?).map_err(|e| broken(dir, HOST_KEY, e))?;
        let list = |name, source| IdentityError::List { path: dir.join(name), source };
        Ok(Self {
            dir: dir.to_owned(),
            server: parsed(dir, SERVER)?,
            signers: CarrierSigners::parse(&text(dir, SIGNERS)?, &device.customer).map_err(|e| list(SIGNERS, e))?,
            vendor_root: SignerList::parse("vendor root", &text(dir, VENDOR_ROOT)?).map_err(|e| list(VENDOR_ROOT, e))?,
            ca: certificates(dir, CA)?,
            link_certificate: certificates(dir, LINK_CERTIFICATE)?,
            link_key: PrivateKeyDer::from_pem_slice(text(dir, LINK_KEY)?.as_bytes()).map_err(|e| broken(dir, LINK_KEY, e))?,
            host_key_fingerprint: sig::fingerprint(host_key.public_key()).to_string(),
            host_key,
            device,
        })
    }

    /// The host key as recordings and statements name it.
    pub fn host_key_line(&self) -> String {
        device::openssh(self.host_key.public_key())
    }
}

fn text(dir: &Path, name: &str) -> Result<String, IdentityError> {
    let path = dir.join(name);
    match durable::read(&path) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(IdentityError::NotEnrolled(path)),
        Err(source) => Err(IdentityError::Read { path, source }),
    }
}

fn broken(dir: &Path, name: &str, why: impl std::fmt::Display) -> IdentityError {
    IdentityError::Broken { path: dir.join(name), why: why.to_string() }
}

fn parsed<T: std::str::FromStr>(dir: &Path, name: &str) -> Result<T, IdentityError>
where
    T::Err: std::fmt::Display,
{
    text(dir, name)?.trim().parse().map_err(|e| broken(dir, name, e))
}

fn certificates(dir: &Path, name: &str) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let text = text(dir, name)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(broken(dir, name, "it holds no certificate")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(broken(dir, name, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back() {
        for (text, host) in [("centre.example:7443", "centre.example"), ("127.0.0.1:1", "127.0.0.1"), ("[::1]:7443", "::1")] {
            let address: ServerAddress = text.parse().unwrap();
            assert_eq!((address.host.as_str(), address.to_string().as_str()), (host, text));
        }
        for text in [
            "",
            "centre",
            ":7443",
            "centre:x",
            "centre:99999",
            "centre:0",
            "centre:+1",
            "[::1]",
            "[centre]:1",
            "a b:1",
            "a\r\nX:1",
            "u@h:1",
        ] {
            assert!(text.parse::<ServerAddress>().is_err(), "{text:?}");
        }
        let error = "2001:db8::1:7443".parse::<ServerAddress>().unwrap_err();
        assert!(error.contains("in brackets"), "{error}");
    }

    #[test]
    fn a_missing_file_says_that_the_device_is_not_enrolled() {
        let dir = tempfile::tempdir().unwrap();
        let error = Identity::load(dir.path()).err().unwrap().to_string();
        assert!(error.contains("enrol this device first"), "{error}");
    }
}

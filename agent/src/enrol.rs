//! Enrolment: once, with a one-time token, and without blind trust in either direction.
//!
//! The device believes the centre only under the key whose hash the token carries. The carrier's signers and the vendor
//! root come from the technician's own files, never from the token or the centre, and the device statement is left as a
//! text that the technician signs with the carrier's key on another machine: the centre can't invent a device.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use jiff::{Timestamp, ToSpan};
use lineman_common::error::Problem;
use lineman_common::link::{BadToken, EnrolReply, EnrolRequest, EnrolmentToken};
use lineman_common::name::PersonName;
use lineman_common::printable::escape;
use lineman_common::statement::list::VENDOR_ROOT as VENDOR_ROOT_PRINCIPAL;
use lineman_common::statement::{CarrierSigners, DeviceStatement, Namespace, Refused, SignerList, device, sha256_hex, sig};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, PublicKeyData};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ssh_key::{Algorithm, LineEnding, PrivateKey};
use tokio::time::timeout;

use crate::config::{ConfigError, Settings};
use crate::dial::config::LinkConfig;
use crate::dial::{self, DialError, Way};
use crate::identity::{self, ServerAddress};
use crate::{durable, https, tls};

/// For the centre's answer to the request, which it writes into its database first.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error("{} is enrolled already, as {device}: choose another --state, or remove that directory first", dir.display())]
    Already { dir: PathBuf, device: String },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Token(#[from] BadToken),
    #[error("the token's address: {0}")]
    Address(String),
    #[error("{}: {source}", path.display())]
    List { path: PathBuf, source: Refused },
    #[error("{} names no `vendor-root` for `roster@lineman`: no roster could ever be believed", .0.display())]
    NoVendorRoot(PathBuf),
    #[error("making the link key and its request: {0}")]
    LinkKey(#[from] rcgen::Error),
    #[error("making or reading the SSH host key: {0}")]
    HostKey(#[from] ssh_key::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{}: it is to hold `[link]` as told, and can't be read: {source}", path.display())]
    NoToml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("--proxy: {0}")]
    Proxy(String),
    #[error("{} has a [link] of its own, which says something else than --proxy does: change it there, and leave --proxy out", .0.display())]
    OtherLink(PathBuf),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the centre took the request and did not answer within {} s; the token may be spent", ANSWER_PATIENCE.as_secs())]
    Slow,
    #[error(transparent)]
    Https(#[from] https::HttpsError),
    #[error("the enrolment request: {0}")]
    Request(String),
    #[error("the centre refused the enrolment ({status}): {reason}")]
    Refused { status: StatusCode, reason: String },
    #[error("the centre's answer can't be used: {0}")]
    Answer(String),
    #[error("the device statement can't be written: {0}")]
    Statement(#[from] lineman_common::statement::lines::LineError),
}

pub struct Enrolment {
    /// `-` reads the token from standard input: a secret does not belong into a command line.
    pub token_file: PathBuf,
    pub signers: PathBuf,
    pub vendor_root: PathBuf,
    pub vouched_by: PersonName,
    pub valid_days: i64,
    pub state: PathBuf,
    /// The local file; `None`: `agent.toml` in the state directory.
    pub config: Option<PathBuf>,
    /// How the centre is reached, to be written into the local file; `None`: as that file says already.
    pub link: Option<LinkConfig>,
}

/// What the technician needs to see.
pub struct Enrolled {
    pub device: String,
    pub host_key: String,
    pub fingerprint: String,
    pub statement: PathBuf,
}

pub async fn enrol(request: &Enrolment) -> Result<Enrolled, EnrolError> {
    let dir = &request.state;
    if let Some(device) = durable::read(&dir.join(identity::DEVICE)).map_err(file(dir))? {
        return Err(EnrolError::Already { dir: dir.clone(), device: escape(device.trim()) });
    }
    let token: EnrolmentToken = read_token(&request.token_file)?.parse()?;
    let address: ServerAddress = token.address.parse().map_err(EnrolError::Address)?;
    let signers = read(&request.signers)?;
    let vendor_root = read(&request.vendor_root)?;
    check_lists(request, &signers, &vendor_root)?;
    let local = Local::of(request)?;

    let keys = Keys::make_or_reuse(dir)?;
    let csr = CertificateParams::new(Vec::new())?.serialize_request(&keys.link)?.pem()?;
    let body = EnrolRequest { secret: token.secret.clone(), csr, host_key: device::openssh(keys.host.public_key()) };
    let reply = post(&Way::new(address.clone(), local.link.proxy.clone()), &address, &token, &body).await?;
    check_reply(&reply, &token, &keys)?;
    CarrierSigners::parse(&signers, &reply.device.customer).map_err(|source| EnrolError::List { path: request.signers.clone(), source })?;

    let statement = DeviceStatement {
        device: reply.device.clone(),
        host_key: keys.host.public_key().clone(),
        link_key_sha256: sha256_hex(keys.link.subject_public_key_info()),
        signers_sha256: sha256_hex(&signers),
        vendor_root_sha256: sha256_hex(&vendor_root),
        // Seconds count up by themselves: a device that is enrolled anew needs a higher number, and has forgotten the last.
        counter: u64::try_from(now_in_seconds().as_second()).unwrap_or(1),
        vouched_by: request.vouched_by.clone(),
        issued: now_in_seconds(),
        valid_before: now_in_seconds() + (24 * request.valid_days).hours(),
    }
    .write()?;

    local.store()?;
    for (name, text, mode) in [
        (identity::LINK_CERTIFICATE, reply.certificate.as_str(), durable::PUBLIC),
        (identity::CA, reply.ca.as_str(), durable::PUBLIC),
        (identity::SERVER, &format!("{address}\n"), durable::PUBLIC),
        (identity::SIGNERS, signers.as_str(), durable::PUBLIC),
        (identity::VENDOR_ROOT, vendor_root.as_str(), durable::PUBLIC),
        (identity::STATEMENT, statement.as_str(), durable::PUBLIC),
        // Last: with this file the device counts as enrolled.
        (identity::DEVICE, &format!("{}\n", reply.device), durable::PUBLIC),
    ] {
        durable::write(&dir.join(name), text.as_bytes(), mode).map_err(file(&dir.join(name)))?;
    }
    Ok(Enrolled {
        device: reply.device.to_string(),
        host_key: device::openssh(keys.host.public_key()),
        fingerprint: sig::fingerprint(keys.host.public_key()).to_string(),
        statement: dir.join(identity::STATEMENT),
    })
}

/// Statements carry whole seconds: an officer reads them.
fn now_in_seconds() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> EnrolError {
    let path = path.to_owned();
    move |source| EnrolError::File { path, source }
}

fn read(path: &Path) -> Result<String, EnrolError> {
    fs::read_to_string(path).map_err(file(path))
}

fn read_token(path: &Path) -> Result<String, EnrolError> {
    if path != Path::new("-") {
        return read(path);
    }
    let mut text = String::new();
    io::stdin().take(4096).read_to_string(&mut text).map_err(file(Path::new("standard input")))?;
    Ok(text)
}

/// Both files are read before the token is spent.
fn check_lists(request: &Enrolment, signers: &str, vendor_root: &str) -> Result<(), EnrolError> {
    SignerList::parse("signer list", signers).map_err(|source| EnrolError::List { path: request.signers.clone(), source })?;
    let root =
        SignerList::parse("vendor root", vendor_root).map_err(|source| EnrolError::List { path: request.vendor_root.clone(), source })?;
    let signs_rosters = root.keys_for(Namespace::Roster).any(|line| line.principals.iter().any(|p| p == VENDOR_ROOT_PRINCIPAL));
    if signs_rosters { Ok(()) } else { Err(EnrolError::NoVendorRoot(request.vendor_root.clone())) }
}

/// What of the local file matters here.
struct Local {
    link: dial::Settings,
    path: PathBuf,
    /// What the file is to hold from now on.
    text: Option<String>,
}

impl Local {
    fn of(request: &Enrolment) -> Result<Self, EnrolError> {
        let path = request.config.clone().unwrap_or_else(|| request.state.join("agent.toml"));
        let Some(wanted) = &request.link else {
            return Ok(Self { link: Settings::find(request.config.as_deref(), &request.state)?.link, path, text: None });
        };
        let link = wanted.clone().settings().map_err(EnrolError::Proxy)?;
        let text = durable::read(&path).map_err(file(&path))?.unwrap_or_default();
        let no_toml = |source| EnrolError::NoToml { path: path.clone(), source: Box::new(source) };
        let text = match toml::from_str::<toml::Table>(&text).map_err(no_toml)?.remove("link") {
            None => Some(with_link(&text, wanted)),
            Some(there) if there.clone().try_into::<LinkConfig>().is_ok_and(|there| there == *wanted) => None,
            Some(_) => return Err(EnrolError::OtherLink(path)),
        };
        Ok(Self { link, path, text })
    }

    fn store(&self) -> Result<(), EnrolError> {
        let Some(text) = &self.text else { return Ok(()) };
        let mode = fs::metadata(&self.path).map_or(durable::PRIVATE, |there| there.permissions().mode() & 0o777);
        durable::write(&self.path, text.as_bytes(), mode).map_err(file(&self.path))
    }
}

/// At the end: a table ends where the next begins.
fn with_link(text: &str, link: &LinkConfig) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let LinkConfig { proxy, proxy_user, proxy_password_file, leg_tls } = link;
    let file = proxy_password_file.as_ref().map(|path| path.to_string_lossy().into_owned());
    let strings = [("proxy", proxy.clone()), ("proxy_user", proxy_user.clone()), ("proxy_password_file", file)];
    let mut lines: Vec<_> = strings.into_iter().filter_map(|(name, value)| Some(format!("{name} = {}\n", quoted(&value?)))).collect();
    lines.extend(leg_tls.map(|yes| format!("leg_tls = {yes}\n")));
    let gap = if text.is_empty() { "" } else { "\n" };
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{end}{gap}[link]\n{}", lines.concat())
}

struct Keys {
    host: PrivateKey,
    link: KeyPair,
}

impl Keys {
    /// The keys are on disk before the token is spent, so that an enrolment that was cut off can be finished.
    fn make_or_reuse(dir: &Path) -> Result<Self, EnrolError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(file(dir))?;
        let host = kept(dir, identity::HOST_KEY)?.map_or_else(
            || {
                let key = PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519)?;
                keep(dir, identity::HOST_KEY, key.to_openssh(LineEnding::LF)?.as_bytes())?;
                Ok::<_, EnrolError>(key)
            },
            |text| Ok(PrivateKey::from_openssh(text)?),
        )?;
        let link = kept(dir, identity::LINK_KEY)?.map_or_else(
            || {
                let key = KeyPair::generate_for(&PKCS_ED25519)?;
                keep(dir, identity::LINK_KEY, key.serialize_pem().as_bytes())?;
                Ok::<_, EnrolError>(key)
            },
            |text| Ok(KeyPair::from_pem(&text)?),
        )?;
        Ok(Self { host, link })
    }
}

fn kept(dir: &Path, name: &str) -> Result<Option<String>, EnrolError> {
    let path = dir.join(name);
    durable::read(&path).map_err(file(&path))
}

fn keep(dir: &Path, name: &str, key: &[u8]) -> Result<(), EnrolError> {
    let path = dir.join(name);
    durable::write(&path, key, durable::PRIVATE).map_err(file(&path))
}

async fn post(way: &Way, address: &ServerAddress, token: &EnrolmentToken, body: &EnrolRequest) -> Result<EnrolReply, EnrolError> {
    let stream = way.tls(tls::enrolment_config(&token.ca_spki_sha256)).await?;
    let json = serde_json::to_vec(body).map_err(|e| EnrolError::Request(e.to_string()))?;
    let request = Request::post("/agent/v1/enrol")
        .header(HOST, address.to_string())
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(json)))
        .map_err(|e| EnrolError::Request(e.to_string()))?;
    let reply = timeout(ANSWER_PATIENCE, https::send(stream, request)).await.map_err(|_| EnrolError::Slow)??;
    if !reply.status.is_success() {
        let reason = match serde_json::from_slice::<Problem>(&reply.body) {
            Ok(problem) => escape(&problem.title),
            Err(_) => escape(&String::from_utf8_lossy(&reply.body).chars().take(200).collect::<String>()),
        };
        return Err(EnrolError::Refused { status: reply.status, reason });
    }
    serde_json::from_slice(&reply.body).map_err(|e| EnrolError::Answer(e.to_string()))
}

/// What we keep must be what we asked for, under the authority that the token names.
fn check_reply(reply: &EnrolReply, token: &EnrolmentToken, keys: &Keys) -> Result<(), EnrolError> {
    let spki = |pem: &str, what: &str| {
        CertificateDer::from_pem_slice(pem.as_bytes())
            .ok()
            .and_then(|certificate| tls::spki_sha256(&certificate))
            .ok_or_else(|| EnrolError::Answer(format!("its {what} is not a certificate")))
    };
    if spki(&reply.ca, "authority")? != token.ca_spki_sha256.to_ascii_lowercase() {
        return Err(EnrolError::Answer("its authority is not the one that the token names".into()));
    }
    if spki(&reply.certificate, "link certificate")? != sha256_hex(keys.link.subject_public_key_info()) {
        return Err(EnrolError::Answer("its link certificate is for another key".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_written_into_the_local_file_and_what_stands_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        let wanted = LinkConfig {
            proxy: Some("http://proxy.example:3128".into()),
            proxy_user: Some("ne \"17\"".into()),
            proxy_password_file: Some("/etc/p".into()),
            leg_tls: None,
        };
        let request = |link: Option<&LinkConfig>| Enrolment {
            token_file: "-".into(),
            signers: PathBuf::new(),
            vendor_root: PathBuf::new(),
            vouched_by: "tech-jw".parse().unwrap(),
            valid_days: 1,
            state: dir.path().to_owned(),
            config: None,
            link: link.cloned(),
        };
        let settings = wanted.clone().settings().unwrap();
        for before in ["", "interval_s = 30\n[account.view]\nuser = \"nobody\"", "interval_s = 30\n"] {
            fs::write(&path, before).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let local = Local::of(&request(Some(&wanted))).unwrap();
            assert_eq!(local.link, settings);
            assert_eq!(fs::read_to_string(&path).unwrap(), before, "not before the centre has said yes");
            local.store().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with(before), "{text}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
            assert_eq!(Settings::load(&path).unwrap().link, settings, "{text}");
            assert!(Local::of(&request(Some(&wanted))).unwrap().text.is_none(), "it says so already");
            assert_eq!(Local::of(&request(None)).unwrap().link, settings);
        }
        let other = LinkConfig { proxy: Some("http://other.example:3128".into()), ..LinkConfig::default() };
        assert!(matches!(Local::of(&request(Some(&other))), Err(EnrolError::OtherLink(_))));
        let bad = LinkConfig { proxy: Some("proxy".into()), ..LinkConfig::default() };
        assert!(matches!(Local::of(&request(Some(&bad))), Err(EnrolError::Proxy(_))));
        fs::write(&path, "[link").unwrap();
        assert!(matches!(Local::of(&request(Some(&wanted))), Err(EnrolError::NoToml { .. })));
        assert!(matches!(Local::of(&request(None)), Err(EnrolError::Config(_))));
    }
}

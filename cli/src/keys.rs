//! Signing with a person's own SSH key.
//!
//! An ordinary key file is read and used here. A key that lives in an agent or on a FIDO token can't be: for those, the
//! public key file (or the token's key handle) is named, and stock `ssh-keygen -Y sign` makes the signature. RSA keys are
//! refused, as everywhere in the system.
//!
//! A carrier may list an authority instead of keys. Then the key's certificate, named itself (`KEY-cert.pub`) or found beside the
//! key, goes into the signature in the key's place. The signature proper is the same either way, because it does not cover the key:
//! so which of the two is shown is decided when it is known which of them the list takes ([`Signer::sign`], [`Signer::sign_certified`]).

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lineman_common::printable::escape;
use lineman_common::statement::{Namespace, Signed, sig};
use ssh_key::public::KeyData;
use ssh_key::{Certificate, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use crate::context::Env;
use crate::exit::{Exit, Failure};
use crate::prompt;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("no key is named")]
    None,
    #[error("can't read the key {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is an RSA key, and RSA keys are not accepted")]
    Rsa { path: PathBuf },
    #[error("{path} is not an OpenSSH key: {why}")]
    Format { path: PathBuf, why: String },
    #[error("the passphrase of {path} is wrong")]
    Passphrase { path: PathBuf },
    #[error("`ssh-keygen -Y sign` with {path} failed: {why}")]
    SshKeygen { path: PathBuf, why: String },
    #[error("signing with {path} failed: {why}")]
    Sign { path: PathBuf, why: String },
    #[error("{0}")]
    Prompt(Failure),
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let what = error.to_string();
        match error {
            KeyError::Prompt(failure) => failure,
            KeyError::None => Self::usage(what).hint("name it with --key FILE, LINEMAN_KEY, or `key` in the context"),
            KeyError::Rsa { .. } => {
                Self::new(Exit::Failed, what).hint("make one with `ssh-keygen -t ed25519`, and have its public half listed")
            }
            KeyError::Read { .. } => Self::failed(what).hint("name the key with --key FILE, LINEMAN_KEY, or `key` in the context"),
            KeyError::Format { .. } => Self::failed(what).hint("expected a file that `ssh-keygen -t ed25519` makes"),
            KeyError::SshKeygen { .. } => {
                Self::failed(what).hint("is the key in your ssh-agent (ssh-add -l), or its private half beside the file that you named?")
            }
            KeyError::Passphrase { .. } | KeyError::Sign { .. } => Self::failed(what),
        }
    }
}

enum Way {
    Here(Box<PrivateKey>),
    /// With stock ssh-keygen, and the file that it is given.
    SshKeygen(PathBuf),
}

/// A key that signs.
pub struct Signer {
    pub path: PathBuf,
    /// The key itself, also where a certificate was named.
    pub public: PublicKey,
    /// The key's certificate: named, or found beside the key. Nothing in it is believed here.
    pub certificate: Option<Certificate>,
    way: Way,
}

/// The form in which a signature names its key.
#[derive(Clone, Copy)]
enum Dress<'a> {
    Plain,
    Certified(&'a Certificate),
}

impl Signer {
    /// Opens a key file; asks for its passphrase if it has one (or takes `LINEMAN_KEY_PASSPHRASE`).
    pub fn open(path: Option<&Path>, env: &Env) -> Result<Self, KeyError> {
        let path = path.ok_or(KeyError::None)?.to_owned();
        let text = read(&path)?;
        if is_certificate(&text) {
            return Self::open_certificate(path, &text, env);
        }
        let mut signer = Self::open_key(path, &text, env)?;
        signer.certificate = certificate_beside(&signer.path, &signer.public);
        Ok(signer)
    }

    fn open_key(path: PathBuf, text: &str, env: &Env) -> Result<Self, KeyError> {
        if let Some(public) = text.lines().next().filter(|_| !text.contains("PRIVATE KEY-----")) {
            let public = PublicKey::from_openssh(public).map_err(|e| KeyError::Format { path: path.clone(), why: e.to_string() })?;
            return Self::with(path.clone(), public, Way::SshKeygen(path));
        }
        if text.contains("BEGIN RSA PRIVATE KEY") {
            return Err(KeyError::Rsa { path });
        }
        let metadata = std::fs::metadata(&path).map_err(|source| KeyError::Read { path: path.clone(), source })?;
        if metadata.permissions().mode() & 0o077 != 0 {
            eprintln!("warning: others can read the private key {}; run: chmod 600 {0}", path.display());
        }
        let key = PrivateKey::from_openssh(text).map_err(|e| KeyError::Format { path: path.clone(), why: e.to_string() })?;
        let public = key.public_key().clone();
        // A FIDO key's handle may be protected by a passphrase, but signs with the token's help: leave it to ssh-keygen.
        if sig::is_fido(&public) {
            return Self::with(path.clone(), public, Way::SshKeygen(path));
        }
        if !key.algorithm().is_rsa() && key.is_encrypted() {
            let passphrase = match env.get("LINEMAN_KEY_PASSPHRASE") {
                Some(passphrase) => crate::context::Secret::new(passphrase),
                None => prompt::secret(
                    &format!("passphrase of {}", path.display()),
                    "set LINEMAN_KEY_PASSPHRASE, or add the key to an ssh-agent and name its .pub file",
                )
                .map_err(KeyError::Prompt)?,
            };
            let key = key.decrypt(passphrase.expose()).map_err(|_| KeyError::Passphrase { path: path.clone() })?;
            return Self::with(path, public, Way::Here(Box::new(key)));
        }
        Self::with(path, public, Way::Here(Box::new(key)))
    }

    /// A certificate was named: its private half is beside it, or in an agent.
    fn open_certificate(path: PathBuf, text: &str, env: &Env) -> Result<Self, KeyError> {
        let format = |why: String| KeyError::Format { path: path.clone(), why };
        let line = text.lines().next().unwrap_or_default();
        if line.starts_with("ssh-rsa-cert-") {
            return Err(KeyError::Rsa { path });
        }
        let certificate = Certificate::from_openssh(line).map_err(|e| format(e.to_string()))?;
        let public = PublicKey::from(certificate.public_key().clone());
        let private = path.to_str().and_then(|name| name.strip_suffix("-cert.pub")).map(PathBuf::from).filter(|file| file.is_file());
        let mut signer = match private {
            Some(private) => {
                let signer = Self::open_key(private.clone(), &read(&private)?, env)?;
                if signer.public.key_data() != public.key_data() {
                    return Err(format(format!("it certifies another key than {}", private.display())));
                }
                Self { path, ..signer }
            }
            None => Self::with(path.clone(), public, Way::SshKeygen(path))?,
        };
        signer.certificate = Some(certificate);
        Ok(signer)
    }

    fn with(path: PathBuf, public: PublicKey, way: Way) -> Result<Self, KeyError> {
        if public.algorithm().is_rsa() {
            return Err(KeyError::Rsa { path });
        }
        sig::accepted(&public).map_err(|e| KeyError::Format { path: path.clone(), why: e.to_string() })?;
        Ok(Self { path, public, certificate: None, way })
    }

    pub fn fingerprint(&self) -> String {
        sig::fingerprint(&self.public).to_string()
    }

    /// Does signing need the terminal: a touch, a PIN, an agent's question?
    pub fn needs_terminal(&self) -> bool {
        matches!(self.way, Way::SshKeygen(_))
    }

    /// Signs as the key itself.
    pub fn sign(&self, namespace: Namespace, text: String) -> Result<Signed, KeyError> {
        self.sign_as(namespace, text, Dress::Plain)
    }

    /// Signs under the key's certificate.
    pub fn sign_certified(&self, namespace: Namespace, text: String) -> Result<Signed, KeyError> {
        let missing = || KeyError::Sign { path: self.path.clone(), why: "there is no certificate for it".into() };
        let certificate = self.certificate.as_ref().ok_or_else(missing)?;
        self.sign_as(namespace, text, Dress::Certified(certificate))
    }

    fn sign_as(&self, namespace: Namespace, text: String, dress: Dress<'_>) -> Result<Signed, KeyError> {
        let failed = |why: String| KeyError::Sign { path: self.path.clone(), why };
        let made = match &self.way {
            Way::Here(key) => key.sign(namespace.as_str(), HashAlg::Sha512, text.as_bytes()).map_err(|e| failed(e.to_string()))?,
            Way::SshKeygen(path) => {
                let armoured = ssh_keygen_sign(path, sig::is_fido(&self.public), namespace, &text)?;
                SshSig::from_pem(armoured).map_err(|e| failed(e.to_string()))?
            }
        };
        let shown = match dress {
            Dress::Plain => self.public.key_data().clone(),
            Dress::Certified(certificate) => KeyData::from(certificate.clone()),
        };
        let dressed = SshSig::new(shown, namespace.as_str(), made.hash_alg(), made.signature().clone());
        let signature = dressed.and_then(|made| made.to_pem(LineEnding::LF)).map_err(|e| failed(e.to_string()))?;
        let signed = Signed { text, signature };
        // Whoever made it, it is checked before it leaves this machine.
        let key = signed.signing_key("statement", namespace).map_err(|e| failed(e.to_string()))?;
        if key.key_data() == self.public.key_data() { Ok(signed) } else { Err(failed("another key signed".into())) }
    }
}

fn read(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })
}

fn is_certificate(text: &str) -> bool {
    text.split_whitespace().next().is_some_and(|word| word.ends_with("-cert-v01@openssh.com"))
}

/// `KEY-cert.pub` for `KEY` and `KEY.pub`, if it is this key's.
fn certificate_beside(path: &Path, public: &PublicKey) -> Option<Certificate> {
    let stem = path.to_str().map(|name| name.strip_suffix(".pub").unwrap_or(name))?;
    let text = std::fs::read_to_string(format!("{stem}-cert.pub")).ok()?;
    let certificate = Certificate::from_openssh(text.lines().next()?).ok()?;
    (certificate.public_key() == public.key_data()).then_some(certificate)
}

/// Has stock `ssh-keygen` sign: it knows agents and FIDO tokens, and asks for a touch or PIN itself.
fn ssh_keygen_sign(path: &Path, touch: bool, namespace: Namespace, text: &str) -> Result<String, KeyError> {
    let failed = |why: String| KeyError::SshKeygen { path: path.to_owned(), why };
    if touch {
        eprintln!("touch your key when it blinks");
    }
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", namespace.as_str(), "-f"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    // It reads everything before it writes anything, and dropping the handle says that the text is complete.
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(|e| failed(e.to_string()))?;
    }
    let output = child.wait_with_output().map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        return Err(failed(escape(String::from_utf8_lossy(&output.stderr).trim())));
    }
    String::from_utf8(output.stdout).map_err(|_| failed("it wrote no text".into()))
}

/// Reads a public key: a `.pub` file, or the line itself.
pub fn public_key(path: &Path) -> Result<PublicKey, KeyError> {
    let text = std::fs::read_to_string(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    PublicKey::from_openssh(line).map_err(|e| KeyError::Format { path: path.to_owned(), why: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keygen(folder: &Path, name: &str, args: &[&str]) -> PathBuf {
        let path = folder.join(name);
        let status = Command::new("ssh-keygen").args(["-q", "-C", "", "-f"]).arg(&path).args(args).status().unwrap();
        assert!(status.success());
        path
    }

    fn sign(path: &Path, env: &Env) -> Result<Signed, KeyError> {
        Signer::open(Some(path), env)?.sign(Namespace::Request, "text\n".into())
    }

    #[test]
    fn keys_that_ssh_keygen_makes_sign() {
        let folder = tempfile::tempdir().unwrap();
        for (name, args) in [("ed", ["-t", "ed25519", "-N", ""]), ("ec", ["-t", "ecdsa", "-N", ""])] {
            let path = keygen(folder.path(), name, &args);
            let key = sign(&path, &Env::default()).unwrap().signing_key("text", Namespace::Request).unwrap();
            assert_eq!(key.key_data(), public_key(&path.with_extension("pub")).unwrap().key_data());
        }
    }

    #[test]
    fn a_passphrase_is_taken_from_the_environment_and_a_wrong_one_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = keygen(folder.path(), "k", &["-t", "ed25519", "-N", "open sesame"]);
        assert!(sign(&path, &Env::of([("LINEMAN_KEY_PASSPHRASE", "open sesame")])).is_ok());
        assert!(matches!(sign(&path, &Env::of([("LINEMAN_KEY_PASSPHRASE", "guess")])), Err(KeyError::Passphrase { .. })));
    }

    #[test]
    fn rsa_keys_are_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        for (name, args) in
            [("new", vec!["-t", "rsa", "-b", "2048", "-N", ""]), ("old", vec!["-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM"])]
        {
            let path = keygen(folder.path(), name, &args);
            for path in [path.clone(), path.with_extension("pub")] {
                assert!(matches!(sign(&path, &Env::default()), Err(KeyError::Rsa { .. })), "{}", path.display());
            }
        }
    }

    #[test]
    fn what_is_no_key_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert!(matches!(sign(&path, &Env::default()), Err(KeyError::Read { .. })));
        for text in ["", "hello\n", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(sign(&path, &Env::default()), Err(KeyError::Format { .. })), "{text:?}");
        }
        assert!(matches!(Signer::open(None, &Env::default()), Err(KeyError::None)));
    }

    /// An authority, and a certificate of `key` by it.
    fn certify(folder: &Path, key: &Path, principal: &str) -> PathBuf {
        let authority = keygen(folder, "authority", &["-t", "ed25519", "-N", ""]);
        let public = key.with_extension("pub");
        let status = Command::new("ssh-keygen")
            .args(["-q", "-s"])
            .arg(&authority)
            .args(["-I", "test", "-n", principal, "-V", "-1m:+1h"])
            .arg(&public)
            .status()
            .unwrap();
        assert!(status.success());
        PathBuf::from(format!("{}-cert.pub", key.display()))
    }

    /// A real ssh-agent; ended when dropped.
    struct Agent {
        child: std::process::Child,
        socket: PathBuf,
    }

    impl Agent {
        fn start(folder: &Path) -> Self {
            let socket = folder.join("agent.sock");
            let child = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
            while !socket.exists() {
                assert!(std::time::Instant::now() < deadline, "no agent came up");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            Self { child, socket }
        }

        fn add(&self, key: &Path) {
            let status = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).status().unwrap();
            assert!(status.success());
        }
    }

    impl Drop for Agent {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    #[test]
    fn a_key_in_an_agent_signs_by_its_public_half() {
        let folder = tempfile::tempdir().unwrap();
        let path = keygen(folder.path(), "k", &["-t", "ed25519", "-N", ""]);
        let agent = Agent::start(folder.path());
        agent.add(&path);
        std::fs::remove_file(&path).unwrap();
        let signer = Signer::open(Some(&path.with_extension("pub")), &Env::default()).unwrap();
        assert!(signer.needs_terminal());
        // The agent is found through the environment, as ssh-keygen finds it: so this runs in a process of its own.
        let script = format!("ssh-keygen -Y sign -n request@lineman -f {} < /dev/null", path.with_extension("pub").display());
        let output = Command::new("sh").args(["-c", &script]).env("SSH_AUTH_SOCK", &agent.socket).output().unwrap();
        let signed = Signed { text: String::new(), signature: String::from_utf8(output.stdout).unwrap() };
        assert_eq!(signed.signing_key("text", Namespace::Request).unwrap().key_data(), signer.public.key_data());
    }

    #[test]
    fn a_certificate_is_found_beside_its_key_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = keygen(folder.path(), "k", &["-t", "ed25519", "-N", ""]);
        assert!(Signer::open(Some(&path), &Env::default()).unwrap().certificate.is_none());
        let certificate = certify(folder.path(), &path, "approver-jw");
        for named in [&path, &path.with_extension("pub"), &certificate] {
            let signer = Signer::open(Some(named), &Env::default()).unwrap();
            let plain = signer.sign(Namespace::Consent, "text\n".into()).unwrap().signatory("text", Namespace::Consent).unwrap();
            assert!(plain.certificate.is_none(), "{}", named.display());
            let signed = signer.sign_certified(Namespace::Consent, "text\n".into()).unwrap();
            let certified = signed.signatory("text", Namespace::Consent).unwrap();
            assert_eq!(certified.certificate.unwrap().valid_principals(), ["approver-jw"]);
            assert_eq!(certified.key.key_data(), plain.key.key_data());
            stock_verifies(folder.path(), &signed);
        }
    }

    /// Stock `ssh-keygen` takes what was signed under a certificate, through the authority's line.
    fn stock_verifies(folder: &Path, signed: &Signed) {
        let authority = std::fs::read_to_string(folder.join("authority.pub")).unwrap();
        std::fs::write(folder.join("signers"), format!("approver-jw cert-authority,namespaces=\"consent@lineman\" {authority}")).unwrap();
        std::fs::write(folder.join("text.sig"), &signed.signature).unwrap();
        std::fs::write(folder.join("text"), &signed.text).unwrap();
        let verify = "ssh-keygen -Y verify -f signers -I approver-jw -n consent@lineman -s text.sig < text";
        let output = Command::new("sh").args(["-c", verify]).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn another_keys_certificate_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (key, other) =
            (keygen(folder.path(), "k", &["-t", "ed25519", "-N", ""]), keygen(folder.path(), "o", &["-t", "ed25519", "-N", ""]));
        let certificate = certify(folder.path(), &other, "approver-jw");
        std::fs::rename(&certificate, folder.path().join("k-cert.pub")).unwrap();
        assert!(Signer::open(Some(&key), &Env::default()).unwrap().certificate.is_none());
        let named = Signer::open(Some(&folder.path().join("k-cert.pub")), &Env::default());
        assert!(matches!(named, Err(KeyError::Format { .. })));
    }
}

//! Signing with a person's own SSH key.
//!
//! An ordinary key file is read and used here. A key that lives in an agent or on a FIDO token can't be: for those, the
//! public key file (or the token's key handle) is named, and stock `ssh-keygen -Y sign` makes the signature. RSA keys are
//! refused, as everywhere in the system.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lineman_common::printable::escape;
use lineman_common::statement::{Namespace, Signed, sig};
use ssh_key::{PrivateKey, PublicKey};

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
            KeyError::Passphrase { .. } | KeyError::SshKeygen { .. } | KeyError::Sign { .. } => Self::failed(what),
        }
    }
}

enum Way {
    Here(Box<PrivateKey>),
    SshKeygen,
}

/// A key that signs.
pub struct Signer {
    pub path: PathBuf,
    pub public: PublicKey,
    way: Way,
}

impl Signer {
    /// Opens a key file; asks for its passphrase if it has one (or takes `LINEMAN_KEY_PASSPHRASE`).
    pub fn open(path: Option<&Path>, env: &Env) -> Result<Self, KeyError> {
        let path = path.ok_or(KeyError::None)?.to_owned();
        let read = |source| KeyError::Read { path: path.clone(), source };
        let text = std::fs::read_to_string(&path).map_err(read)?;
        if let Some(public) = text.lines().next().filter(|_| !text.contains("PRIVATE KEY-----")) {
            let public = PublicKey::from_openssh(public).map_err(|e| KeyError::Format { path: path.clone(), why: e.to_string() })?;
            return Self::with(path, public, Way::SshKeygen);
        }
        if text.contains("BEGIN RSA PRIVATE KEY") {
            return Err(KeyError::Rsa { path });
        }
        if std::fs::metadata(&path).map_err(read)?.permissions().mode() & 0o077 != 0 {
            eprintln!("warning: others can read the private key {}; run: chmod 600 {0}", path.display());
        }
        let key = PrivateKey::from_openssh(&text).map_err(|e| KeyError::Format { path: path.clone(), why: e.to_string() })?;
        if !key.algorithm().is_rsa() && key.is_encrypted() {
            let public = key.public_key().clone();
            // A FIDO key's handle is protected by its passphrase, but signs with the token's help: leave it to ssh-keygen.
            if is_fido(&public) {
                return Self::with(path, public, Way::SshKeygen);
            }
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
        let public = key.public_key().clone();
        let way = if is_fido(&public) { Way::SshKeygen } else { Way::Here(Box::new(key)) };
        Self::with(path, public, way)
    }

    fn with(path: PathBuf, public: PublicKey, way: Way) -> Result<Self, KeyError> {
        if public.algorithm().is_rsa() {
            return Err(KeyError::Rsa { path });
        }
        sig::accepted(&public).map_err(|e| KeyError::Format { path: path.clone(), why: e.to_string() })?;
        Ok(Self { path, public, way })
    }

    pub fn fingerprint(&self) -> String {
        sig::fingerprint(&self.public).to_string()
    }

    pub fn sign(&self, namespace: Namespace, text: String) -> Result<Signed, KeyError> {
        let failed = |why: String| KeyError::Sign { path: self.path.clone(), why };
        match &self.way {
            Way::Here(key) => Signed::sign(key, namespace, text).map_err(|e| failed(e.to_string())),
            Way::SshKeygen => {
                let signature = ssh_keygen_sign(&self.path, namespace, &text)?;
                let signed = Signed { text, signature };
                // What another program made is checked before it leaves this machine.
                let key = signed.signing_key("statement", namespace).map_err(|e| failed(e.to_string()))?;
                if key.key_data() == self.public.key_data() { Ok(signed) } else { Err(failed("another key signed".into())) }
            }
        }
    }
}

fn is_fido(key: &PublicKey) -> bool {
    matches!(key.algorithm(), ssh_key::Algorithm::SkEd25519 | ssh_key::Algorithm::SkEcdsaSha2NistP256)
}

/// Has stock `ssh-keygen` sign: it knows agents and FIDO tokens, and asks for a touch or PIN itself.
fn ssh_keygen_sign(path: &Path, namespace: Namespace, text: &str) -> Result<String, KeyError> {
    let failed = |why: String| KeyError::SshKeygen { path: path.to_owned(), why };
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", namespace.as_str(), "-f"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    // The text is smaller than a pipe holds, and dropping the handle says that it is complete.
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
}

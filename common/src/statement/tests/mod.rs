//! Statements and lists against stock OpenSSH: the same files, the same question, and both answers side by side.

mod certificates;
mod fido;
mod lists;
mod pages;
mod papers;
mod readers;
mod signers;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use ssh_key::{Algorithm, PrivateKey};

use super::{Namespace, Refused, Signed, SignerList};

pub const NOW: &str = "2026-11-22T08:00:00Z";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn key() -> PrivateKey {
    key_of(Algorithm::Ed25519)
}

pub fn key_of(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), algorithm).unwrap()
}

/// `ssh-ed25519 AAAA...`
pub fn line(key: &PrivateKey) -> String {
    super::device::openssh(key.public_key())
}

/// A signature over these bytes themselves, without an envelope.
pub fn raw(key: &impl ssh_key::SigningKey, bytes: &[u8]) -> ssh_key::Signature {
    key.try_sign(bytes).unwrap()
}

/// Files, and `ssh-keygen` among them.
pub struct Desk(tempfile::TempDir);

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `ssh-keygen`; says whether it was content.
    pub fn keygen(&self, arguments: &[&str]) -> Result<(), String> {
        let output = Command::new("ssh-keygen").args(arguments).current_dir(self.0.path()).stdin(Stdio::null()).output().unwrap();
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    }

    /// A key pair `NAME`, `NAME.pub`.
    pub fn generate(&self, name: &str, kind: &[&str]) {
        self.keygen(&[&["-q", "-N", "", "-C", "", "-f", name, "-t"], kind].concat()).unwrap();
    }

    pub fn public(&self, name: &str) -> String {
        self.read(&format!("{name}.pub")).trim().to_owned()
    }

    /// A signature by stock OpenSSH with the key, or certificate, of this name.
    pub fn sign(&self, with: &str, namespace: Namespace, text: &str) -> Signed {
        self.write("text", text);
        let _ = fs::remove_file(self.path("text.sig"));
        self.keygen(&["-q", "-Y", "sign", "-n", namespace.as_str(), "-f", with, "text"]).unwrap();
        Signed { text: text.to_owned(), signature: self.read("text.sig") }
    }

    /// What stock OpenSSH says.
    pub fn stock(&self, list: &str, signed: &Signed, principal: &str, namespace: Namespace, at: Timestamp) -> bool {
        self.write("list", list);
        self.write("signature", &signed.signature);
        self.write("signed", &signed.text);
        let time = format!("-Overify-time={}", at.strftime("%Y%m%d%H%M%SZ"));
        let words = ["-Y", "verify", "-f", "list", "-I", principal, "-n", namespace.as_str(), "-s", "signature", &time];
        let output = Command::new("ssh-keygen")
            .args(words)
            .current_dir(self.0.path())
            .env("TZ", "UTC")
            .stdin(File::open(self.path("signed")).unwrap())
            .output()
            .unwrap();
        output.status.success()
    }

    /// Asks both, and holds them to the rule: what counts here counts there, too. Returns both answers, OpenSSH's first.
    pub fn both(&self, list: &str, signed: &Signed, principal: &str, namespace: Namespace, at: Timestamp) -> (bool, Result<(), String>) {
        let stock = self.stock(list, signed, principal, namespace, at);
        let ours = ours(list, signed, principal, namespace, at).map_err(|refused| refused.to_string());
        assert!(stock || ours.is_err(), "OpenSSH refuses what is taken here:\n{list}\n{principal} {namespace} {at}");
        (stock, ours)
    }
}

pub fn ours(list: &str, signed: &Signed, principal: &str, namespace: Namespace, at: Timestamp) -> Result<(), Refused> {
    SignerList::parse("test list", list)?.verify("text", signed, principal, namespace, at).map(drop)
}

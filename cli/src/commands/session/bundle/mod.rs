//! Bundles: a session's recording with every paper that it takes to believe it, in one file.
//!
//! A bundle is for people who don't trust whoever made it, and who may open it in ten years without this program: plain files,
//! the exact bytes that were signed, OpenSSH signatures beside them, and a shell script that needs `ssh-keygen` and `sha256sum`.
//! [`check`] and `verify.sh` ask the same questions; a test forges bundles in a dozen ways and puts each before both.
//!
//! Nothing in a bundle is believed because it is in there. Two lists come from the verifier's own hands, the vendor root and the
//! carrier's signers; the copies that lie in the bundle are for comparison.

pub mod check;
pub mod copies;
pub mod files;
pub mod papers;
pub mod write;

use lineman_common::statement::device::openssh;
use ssh_key::PublicKey;

pub const SCRIPT: &str = include_str!("verify.sh");
const README: &str = include_str!("README.txt");

pub const RECORDING: &str = "recording.jsonl";
const README_FILE: &str = "README.txt";
const SCRIPT_FILE: &str = "verify.sh";
const RECORDERS: &str = "allowed_recorders";
const DEVICE: &str = "device-statement";
const ANCHORS: &str = "anchors";
const SIGNERS: &str = "signers";
const VENDOR_ROOT: &str = "vendor-root";
const ROSTER: &str = "roster";
const REQUEST: &str = "request";
const CHUNKS: &str = "chunks";

/// Papers of one kind, at most: no device wants more approvals than this.
const MOST_PAPERS: usize = 9;

fn chunk_file(number: u64) -> String {
    format!("{CHUNKS}/{number:06}.txt")
}

fn chunk_signature(number: u64) -> String {
    format!("{CHUNKS}/{number:06}.sig")
}

fn signature_of(name: &str) -> String {
    format!("{name}.sig")
}

/// The device's key as ssh-keygen takes it: for its recordings, and for what root did there.
fn recorders(host_key: &PublicKey) -> String {
    format!("device namespaces=\"recording@lineman,local@lineman\" {}\n", openssh(host_key))
}

/// What let an engineer in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    Consent,
    Standing,
    Local,
}

impl Grant {
    const ALL: [Self; 3] = [Self::Consent, Self::Standing, Self::Local];

    const fn word(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Standing => "standing",
            Self::Local => "local",
        }
    }

    /// By the first line of a statement, which names its kind.
    pub fn of(text: &str) -> Option<Self> {
        let kind = text.strip_prefix("lineman-")?.split(':').next()?;
        Self::ALL.into_iter().find(|grant| grant.word() == kind)
    }

    fn file(self, number: usize) -> String {
        format!("{}-{number}", self.word())
    }
}

/// Is this the name of a file that a bundle has?
fn belongs(name: &str) -> bool {
    let plain = name.strip_suffix(".sig").unwrap_or(name);
    if let Some(chunk) = name.strip_prefix(CHUNKS).and_then(|rest| rest.strip_prefix('/')) {
        let number = chunk.strip_suffix(".txt").or_else(|| chunk.strip_suffix(".sig"));
        return number.is_some_and(|number| (6..=12).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()));
    }
    let grant = Grant::ALL.into_iter().any(|grant| (1..=MOST_PAPERS).any(|number| grant.file(number) == plain));
    grant
        || [DEVICE, ANCHORS, ROSTER, REQUEST].contains(&plain)
        || [RECORDING, README_FILE, SCRIPT_FILE, RECORDERS, SIGNERS, VENDOR_ROOT].contains(&name)
}

/// A stray file that stands beside a bundle's own is none of our business, unless it looks like a part of the proof.
fn looks_like_proof(name: &str) -> bool {
    name.starts_with(CHUNKS) || Grant::ALL.into_iter().any(|grant| name.starts_with(&format!("{}-", grant.word())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_belong_into_a_bundle() {
        for name in
            ["README.txt", "chunks/000000.txt", "chunks/1000000.sig", "request", "request.sig", "consent-1", "local-9.sig", "signers"]
        {
            assert!(belongs(name), "{name}");
        }
        for name in
            ["", "chunks/0.txt", "chunks/00000a.txt", "chunks/../x", "signers.sig", "consent-10", "consent-0", "consent", "x", "chunks"]
        {
            assert!(!belongs(name), "{name}");
        }
    }

    #[test]
    fn what_let_somebody_in_is_told_by_its_first_line() {
        assert_eq!(Grant::of("lineman-standing: 1\nid: x\n"), Some(Grant::Standing));
        assert_eq!(Grant::of("lineman-consent: 1\n"), Some(Grant::Consent));
        assert_eq!(Grant::of("lineman-request: 1\n"), None);
        assert_eq!(Grant::of("x"), None);
    }

    #[test]
    fn the_manual_names_the_script_as_it_is() {
        let manual = include_str!("../../../../../docs/OPERATIONS.md");
        let sha256 = lineman_common::statement::sha256_hex(SCRIPT);
        assert!(manual.contains(&sha256), "the script is {sha256}; docs/OPERATIONS.md, \"Proving a session offline\", says otherwise");
    }

    #[test]
    fn the_manual_names_every_file_of_a_bundle() {
        for name in [
            RECORDING,
            SCRIPT_FILE,
            RECORDERS,
            DEVICE,
            ANCHORS,
            SIGNERS,
            VENDOR_ROOT,
            ROSTER,
            REQUEST,
            "consent-N",
            "standing-N",
            "local-N",
        ] {
            assert!(README.contains(name), "{name}");
        }
    }
}
